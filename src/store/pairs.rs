//! Pairs of records: proposed, decided, reversed; and the tokens by which records carry them.

use super::records::{LinkableRecord, StoredToken, pack};
use super::statements::{ListStatement, statements};
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, EventId, FeedCode, OpaqueRef, PairId, PossibleMatchId, ProgrammeCode};
use crate::domain::pair::{Decision, PairNames, PairOrigin, PairState, RecordName};
use crate::domain::time::Timestamp;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, origin, first_agency, first_feed, first_reference, second_agency, second_feed,
                    second_reference, weight, evidence, state, proposed_at, first_match, first_answer, second_match,
                    second_answer FROM pair WHERE ",
            $condition
        )
    };
}

/// Pairs in force by their smaller and by their larger record.
pub(super) static IN_FORCE_BY_FIRST: ListStatement = ListStatement::new(
    select!(
        "state = 'in_force' AND programme = $1 AND first_agency = $2 AND first_feed = $3
             AND first_reference IN ({list})"
    ),
    3,
);
pub(super) static IN_FORCE_BY_SECOND: ListStatement = ListStatement::new(
    select!(
        "state = 'in_force' AND programme = $1 AND second_agency = $2 AND second_feed = $3
             AND second_reference IN ({list})"
    ),
    3,
);

statements! {
    ADD = "INSERT INTO pair (id, programme, origin, first_agency, first_feed, first_reference, second_agency, second_feed,
                             second_reference, weight, evidence, state, proposed_at, decided_at, decided_event,
                             first_match, first_answer, second_match, second_answer, applied)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
           ON CONFLICT DO NOTHING";
    CHANGE = "UPDATE pair SET state = $2, first_match = $3, first_answer = $4, second_match = $5, second_answer = $6,
                     decided_at = COALESCE($7, decided_at), decided_event = COALESCE($8, decided_event),
                     reversed_at = COALESCE($9, reversed_at), reversed_event = COALESCE($10, reversed_event),
                     applied = COALESCE($11, applied) WHERE id = $1";
    DROP_PROPOSED = "DELETE FROM pair WHERE id = $1 AND state = 'proposed'";
    STANDING = select!("programme = $1 AND state <> 'reversed'
                        ORDER BY first_agency, first_feed, first_reference, second_agency, second_feed,
                                 second_reference, origin, proposed_at, id");
    OF_MATCH = select!("first_match = $1 OR second_match = $1 ORDER BY id");
    OF_NAMES = select!("programme = $1 AND first_agency = $2 AND first_feed = $3 AND first_reference = $4
                        AND second_agency = $5 AND second_feed = $6 AND second_reference = $7
                        AND state IN ('proposed', 'in_force') ORDER BY id");
    BY_ID = select!("programme = $1 AND id = $2");
    BY_EVENT = select!("programme = $1 AND decided_event = $2 ORDER BY id");
    MARKED = "SELECT COUNT(*) FROM pair_mark WHERE event = $1";
    TO_APPLY = select!("programme = $1 AND applied = 0 ORDER BY id LIMIT $2");
    ADD_MARK = "INSERT INTO pair_mark (event, programme) VALUES ($1, $2)";
    MARKS = "SELECT event FROM pair_mark WHERE programme = $1 ORDER BY event LIMIT $2";
    DROP_MARK = "DELETE FROM pair_mark WHERE event = $1";
    ANY = "SELECT COUNT(*) FROM (SELECT id FROM pair WHERE programme = $1 LIMIT 1) one";
    APPLIED = "UPDATE pair SET applied = 1 WHERE id = $1 AND state = $2";
    SET_TOKENS = "UPDATE record SET tokens = $3 WHERE id = $1 AND tokens = $2";
    DROP_TOKEN = "DELETE FROM token WHERE blinded = $1 AND record = $2";
    ADD_TOKEN = "INSERT INTO token (blinded, record) VALUES ($1, $2) ON CONFLICT (blinded, record) DO NOTHING";
}

/// How one of the two holders stands to a pair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairSide {
    /// The possible match by which it is asked, or decided.
    pub by: Option<PossibleMatchId>,
    /// What it said.
    pub answer: Option<Decision>,
}

/// A pair as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPair {
    /// Its id: random, and no name of either record.
    pub id: PairId,
    /// What it does once in force.
    pub origin: PairOrigin,
    /// The two records.
    pub names: PairNames,
    /// In 1/1000 bit, where one was computed.
    pub weight: Option<i64>,
    /// Names of the match keys that gave rise to it, sorted, with commas.
    pub evidence: String,
    /// Where it is in its life.
    pub state: PairState,
    /// When it was first thought of.
    pub proposed_at: Timestamp,
    /// The two holders, in the order of the records.
    pub sides: [PairSide; 2],
}

/// What is noted when a pair changes: the decision or the reversal, with its time and log entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairChange {
    /// Sides changed, nothing is decided.
    None,
    /// It was decided.
    Decided(Timestamp, EventId),
    /// It was reversed.
    Reversed(Timestamp, EventId),
}

impl Store {
    /// Whether the programme has any pair at all.
    pub async fn has_pairs(&self, programme: &ProgrammeCode) -> Result<bool, StoreError> {
        let row = self.fetch_optional(ANY, values![programme.as_str()]).await?;
        Ok(row.ok_or(StoreError::Corrupt("count"))?.int(0)? > 0)
    }

    /// The pairs in force that name any of these records of a feed.
    pub async fn pairs_in_force(
        &self,
        programme: &ProgrammeCode,
        agency: &AgencyCode,
        feed: &FeedCode,
        references: &[OpaqueRef],
    ) -> Result<Vec<StoredPair>, StoreError> {
        let mut pairs = Vec::new();
        for piece in references.chunks(ListStatement::MOST) {
            for statement in [&IN_FORCE_BY_FIRST, &IN_FORCE_BY_SECOND] {
                let (sql, length) = statement.text(piece.len());
                let mut values: Vec<Value<'_>> =
                    vec![programme.as_str().into(), agency.as_str().into(), feed.as_str().into()];
                values.extend((0..length).map(|n| Value::Text(piece.get(n).map_or("", OpaqueRef::as_str))));
                for row in self.fetch_all(sql, &values).await? {
                    pairs.push(read_pair(&row)?);
                }
            }
        }
        Ok(pairs)
    }

    /// Pairs whose state the records do not carry yet.
    pub async fn pairs_to_apply(&self, programme: &ProgrammeCode, limit: i64) -> Result<Vec<StoredPair>, StoreError> {
        self.fetch_all(TO_APPLY, values![programme.as_str(), limit]).await?.iter().map(read_pair).collect()
    }

    /// A pair by its id.
    pub async fn pair(&self, programme: &ProgrammeCode, id: PairId) -> Result<Option<StoredPair>, StoreError> {
        let row = self.fetch_optional(BY_ID, values![programme.as_str(), id.as_bytes()]).await?;
        row.as_ref().map(read_pair).transpose()
    }

    /// The pairs that a decision put in force or refused.
    pub async fn pairs_by_event(
        &self,
        programme: &ProgrammeCode,
        event: EventId,
    ) -> Result<Vec<StoredPair>, StoreError> {
        self.fetch_all(BY_EVENT, values![programme.as_str(), event.as_bytes()]).await?.iter().map(read_pair).collect()
    }

    /// Whether a decision waits for a generation to move.
    pub async fn has_pair_mark(&self, event: EventId) -> Result<bool, StoreError> {
        let row = self.fetch_optional(MARKED, values![event.as_bytes()]).await?;
        Ok(row.ok_or(StoreError::Corrupt("count"))?.int(0)? > 0)
    }

    /// Decisions for which no generation has moved yet.
    pub async fn pair_marks(&self, programme: &ProgrammeCode, limit: i64) -> Result<Vec<EventId>, StoreError> {
        let rows = self.fetch_all(MARKS, values![programme.as_str(), limit]).await?;
        let read =
            |row: &Row| EventId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("mark of a decision"));
        rows.iter().map(read).collect()
    }

    /// Every pair that was not reversed, in the order of the records.
    pub async fn standing_pairs(&self, programme: &ProgrammeCode) -> Result<Vec<StoredPair>, StoreError> {
        self.fetch_all(STANDING, values![programme.as_str()]).await?.iter().map(read_pair).collect()
    }

    /// The pairs about which a possible match asks, or that it decided.
    pub async fn pairs_of_match(&self, id: PossibleMatchId) -> Result<Vec<StoredPair>, StoreError> {
        self.fetch_all(OF_MATCH, values![id.as_bytes()]).await?.iter().map(read_pair).collect()
    }
}

impl Tx {
    /// As [`Store::standing_pairs`], as this transaction sees it.
    pub async fn standing_pairs(&mut self, programme: &ProgrammeCode) -> Result<Vec<StoredPair>, StoreError> {
        self.fetch_all(STANDING, values![programme.as_str()]).await?.iter().map(read_pair).collect()
    }

    /// As [`Store::pairs_of_match`], as this transaction sees it.
    pub async fn pairs_of_match(&mut self, id: PossibleMatchId) -> Result<Vec<StoredPair>, StoreError> {
        self.fetch_all(OF_MATCH, values![id.as_bytes()]).await?.iter().map(read_pair).collect()
    }

    /// The pairs of two records that are proposed or in force.
    pub async fn pairs_of_names(
        &mut self,
        programme: &ProgrammeCode,
        names: &PairNames,
    ) -> Result<Vec<StoredPair>, StoreError> {
        let [first, second] = names.both();
        let values = values![
            programme.as_str(),
            first.agency.as_str(),
            first.feed.as_str(),
            first.reference.as_str(),
            second.agency.as_str(),
            second.feed.as_str(),
            second.reference.as_str()
        ];
        self.fetch_all(OF_NAMES, values).await?.iter().map(read_pair).collect()
    }

    /// Adds a pair; one in force is applied by the publisher. False when the two records have one of
    /// this origin that is proposed or in force.
    pub async fn add_pair(
        &mut self,
        programme: &ProgrammeCode,
        pair: &StoredPair,
        decided: Option<(Timestamp, EventId)>,
    ) -> Result<bool, StoreError> {
        let values = pair_values(programme, pair, decided.as_ref().map(|(at, event)| (*at, event)));
        Ok(self.execute(ADD, &values).await? == 1)
    }

    /// Writes a pair's state and sides; the publisher applies it if it came into force or was reversed.
    pub async fn change_pair(&mut self, pair: &StoredPair, change: PairChange) -> Result<(), StoreError> {
        let (decided, reversed) = match change {
            PairChange::None => (None, None),
            PairChange::Decided(at, event) => (Some((at, event)), None),
            PairChange::Reversed(at, event) => (None, Some((at, event))),
        };
        let is_to_apply = change != PairChange::None && matches!(pair.state, PairState::InForce | PairState::Reversed);
        let [a, b] = &pair.sides;
        let values: &[Value<'_>] = &[
            pair.id.as_bytes().into(),
            pair.state.as_str().into(),
            a.by.as_ref().map(|by| by.as_bytes().as_slice()).into(),
            a.answer.map(Decision::as_str).into(),
            b.by.as_ref().map(|by| by.as_bytes().as_slice()).into(),
            b.answer.map(Decision::as_str).into(),
            decided.map(|(at, _)| at.as_micros()).into(),
            decided.as_ref().map(|(_, event)| event.as_bytes().as_slice()).into(),
            reversed.map(|(at, _)| at.as_micros()).into(),
            reversed.as_ref().map(|(_, event)| event.as_bytes().as_slice()).into(),
            is_to_apply.then_some(0).into(),
        ];
        self.execute(CHANGE, values).await.map(drop)
    }

    /// Removes a proposal that nothing speaks for any more.
    pub async fn drop_proposed(&mut self, id: PairId) -> Result<(), StoreError> {
        self.execute(DROP_PROPOSED, values![id.as_bytes()]).await.map(drop)
    }

    /// Lets a generation move for a decision, whatever comes of it.
    pub async fn add_pair_mark(&mut self, programme: &ProgrammeCode, event: EventId) -> Result<(), StoreError> {
        self.execute(ADD_MARK, values![event.as_bytes(), programme.as_str()]).await.map(drop)
    }

    /// A generation has moved for these decisions.
    pub async fn drop_pair_marks(&mut self, marks: &[EventId]) -> Result<(), StoreError> {
        for mark in marks {
            self.execute(DROP_MARK, values![mark.as_bytes()]).await?;
        }
        Ok(())
    }

    /// Notes that the records carry these pairs as they were read; one that changed since stays to be applied.
    pub async fn mark_applied(&mut self, pairs: &[StoredPair]) -> Result<(), StoreError> {
        for pair in pairs {
            self.execute(APPLIED, values![pair.id.as_bytes(), pair.state.as_str()]).await?;
        }
        Ok(())
    }

    /// Puts tokens in the place of those that a record was read with. False when they are others by now.
    pub async fn set_record_tokens(
        &mut self,
        record: &LinkableRecord,
        tokens: &[StoredToken],
    ) -> Result<bool, StoreError> {
        let (before, after) = (pack(&record.tokens), pack(tokens));
        if self.execute(SET_TOKENS, values![record.id, &before, &after]).await? != 1 {
            return Ok(false);
        }
        for gone in record.tokens.iter().filter(|token| !tokens.contains(token)) {
            self.execute(DROP_TOKEN, values![gone.blinded.as_bytes(), record.id]).await?;
        }
        for new in tokens.iter().filter(|token| !record.tokens.contains(token)) {
            self.execute(ADD_TOKEN, values![new.blinded.as_bytes(), record.id]).await?;
        }
        Ok(true)
    }
}

/// A pair's columns, in the order of the table.
pub(super) fn pair_values<'a>(
    programme: &'a ProgrammeCode,
    pair: &'a StoredPair,
    decided: Option<(Timestamp, &'a EventId)>,
) -> [Value<'a>; 20] {
    let [first, second] = pair.names.both();
    let [a, b] = &pair.sides;
    [
        pair.id.as_bytes().into(),
        programme.as_str().into(),
        pair.origin.as_str().into(),
        first.agency.as_str().into(),
        first.feed.as_str().into(),
        first.reference.as_str().into(),
        second.agency.as_str().into(),
        second.feed.as_str().into(),
        second.reference.as_str().into(),
        pair.weight.into(),
        (&pair.evidence).into(),
        pair.state.as_str().into(),
        pair.proposed_at.as_micros().into(),
        decided.map(|(at, _)| at.as_micros()).into(),
        decided.map(|(_, event)| event.as_bytes().as_slice()).into(),
        a.by.as_ref().map(|by| by.as_bytes().as_slice()).into(),
        a.answer.map(Decision::as_str).into(),
        b.by.as_ref().map(|by| by.as_bytes().as_slice()).into(),
        b.answer.map(Decision::as_str).into(),
        Value::from(pair.state != PairState::InForce),
    ]
}

fn read_pair(row: &Row) -> Result<StoredPair, StoreError> {
    let name = |at: usize| -> Result<RecordName, StoreError> {
        let reference = OpaqueRef::parse(&row.text(at + 2)?).map_err(|_| StoreError::Corrupt("record reference"))?;
        Ok(RecordName { agency: row.parsed(at, "agency")?, feed: row.parsed(at + 1, "feed")?, reference })
    };
    let side = |at: usize| -> Result<PairSide, StoreError> {
        let by = row.optional_bytes(at)?;
        let by = by.map(|id| PossibleMatchId::from_slice(&id)).transpose();
        let answer = row.optional_text(at + 1)?.map(|text| text.parse()).transpose();
        Ok(PairSide {
            by: by.map_err(|_| StoreError::Corrupt("possible match id"))?,
            answer: answer.map_err(|_| StoreError::Corrupt("decision"))?,
        })
    };
    Ok(StoredPair {
        id: PairId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("pair id"))?,
        origin: row.parsed(1, "pair origin")?,
        names: PairNames::new(name(2)?, name(5)?).ok_or(StoreError::Corrupt("a pair of one record"))?,
        weight: row.optional_int(8)?,
        evidence: row.text(9)?,
        state: row.parsed(10, "pair state")?,
        proposed_at: Timestamp::from_micros(row.int(11)?),
        sides: [side(12)?, side(14)?],
    })
}
