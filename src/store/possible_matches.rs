//! Possible matches: records of an agency's own that it is asked to verify, or that it doubts itself.

use super::statements::{ListStatement, statements};
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, AgreementRef, EventId, FeedCode, OpaqueRef, PossibleMatchId, ProgrammeCode};
use crate::domain::pair::{Decision, RecordName};
use crate::domain::time::Timestamp;

/// Visible records of a feed by the agency's references.
pub(super) static SHOWN: ListStatement = ListStatement::new(
    "SELECT record.id, record.reference, record.evidence, link.component, link.person, link.shielded,
            submission.agreement, submission.as_at
     FROM submission
     JOIN record ON record.submission = submission.id
     JOIN link ON link.record = record.id AND link.visible_from <= $1 AND link.visible_to + 0 > $1
     WHERE submission.visible_from <= $1 AND submission.visible_to > $1
       AND submission.programme = $2 AND submission.agency = $3 AND submission.feed = $4
       AND record.reference IN ({list})",
    4,
);

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, agency, feed, reference, fields, asked_at, state, answer, answered_at, event, idempotency_tag,
                    reversal_event, reversal_tag, reversed_at FROM possible_match WHERE ",
            $condition
        )
    };
}

statements! {
    ADD = "INSERT INTO possible_match (id, programme, agency, feed, reference, fields, asked_at, state)
           VALUES ($1, $2, $3, $4, $5, $6, $7, 'open')";
    BY_ID = select!("id = $1");
    /// Those of which no pair waits for the agency any more are passed over here, so that they cost nothing.
    OPEN_OF = select!("programme = $1 AND agency = $2 AND state = 'open' AND (asked_at, id) > ($3, $4)
                       AND (EXISTS (SELECT 1 FROM pair WHERE pair.first_match = possible_match.id
                                    AND pair.state = 'proposed' AND pair.first_answer IS NULL)
                         OR EXISTS (SELECT 1 FROM pair WHERE pair.second_match = possible_match.id
                                    AND pair.state = 'proposed' AND pair.second_answer IS NULL))
                       ORDER BY asked_at, id LIMIT $5");
    ALL_OPEN = select!("programme = $1 AND state = 'open' ORDER BY agency, feed, reference, id");
    BY_TAG = select!("programme = $1 AND agency = $2 AND idempotency_tag = $3");
    ASKED_SINCE = "SELECT agency, COUNT(*) FROM possible_match
                   WHERE programme = $1 AND asked_at > $2 AND fields <> ''
                   GROUP BY agency ORDER BY agency";
    RAISED_SINCE = "SELECT COUNT(*) FROM possible_match
                    WHERE programme = $1 AND agency = $2 AND fields = '' AND asked_at > $3";
    ANSWER = "UPDATE possible_match SET state = 'answered', answer = $2, role = $3, reason = $4, answered_at = $5,
                     event = $6, idempotency_tag = $7 WHERE id = $1 AND state = 'open'";
    REVERSE = "UPDATE possible_match SET state = 'reversed', reversed_at = $2, reversal_role = $3, reversal_reason = $4,
                      reversal_event = $5, reversal_tag = $6 WHERE id = $1 AND state = 'answered'";
    MATES = "SELECT record.agency, record.feed, record.reference FROM link
             JOIN record ON record.id = link.record
             JOIN submission ON submission.id = record.submission
             WHERE link.visible_from <= $1 AND link.visible_to + 0 > $1
               AND submission.visible_from <= $1 AND submission.visible_to > $1
               AND link.component = $2 AND link.person = $3
             ORDER BY record.agency, record.feed, record.reference";
}

/// Where a possible match is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchState {
    /// The agency has not decided.
    Open,
    /// It has.
    Answered,
    /// It took its decision back.
    Reversed,
}

/// A possible match to be stored.
#[derive(Debug, Clone)]
pub struct NewMatch {
    /// Random, and no name of any record.
    pub id: PossibleMatchId,
    /// The agency's own record.
    pub record: RecordName,
    /// Names of the fields to verify; none when the agency raised it itself.
    pub fields: Vec<String>,
    /// When.
    pub asked_at: Timestamp,
}

/// A decision or a reversal, with its log entry and the tag under which a repeat is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchAnswer {
    /// When.
    pub at: Timestamp,
    /// The entry.
    pub event: EventId,
    /// Keyed tag of the `Idempotency-Key` and the request.
    pub tag: [u8; 32],
}

/// A possible match as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMatch {
    /// Its id.
    pub id: PossibleMatchId,
    /// The agency's own record.
    pub record: RecordName,
    /// Names of the fields to verify.
    pub fields: Vec<String>,
    /// When the agency was asked, or asked.
    pub asked_at: Timestamp,
    /// Where it is.
    pub state: MatchState,
    /// What was decided.
    pub answer: Option<Decision>,
    /// The decision.
    pub answered: Option<MatchAnswer>,
    /// The reversal.
    pub reversed: Option<MatchAnswer>,
}

/// A visible record of a feed, with its place and its sealed evidence.
#[derive(Debug, Clone)]
pub struct ShownRecord {
    /// Its row.
    pub id: i64,
    /// The agency's own reference.
    pub reference: OpaqueRef,
    /// Sealed evidence.
    pub evidence: Vec<u8>,
    /// Its component.
    pub component: i64,
    /// Its person over all records.
    pub person: i64,
    /// A restriction reaches it.
    pub is_shielded: bool,
    /// The agreement named in its submission.
    pub agreement: AgreementRef,
    /// The day that its submission describes.
    pub as_at: Timestamp,
}

impl Store {
    /// A possible match by id.
    pub async fn possible_match(&self, id: PossibleMatchId) -> Result<Option<StoredMatch>, StoreError> {
        self.fetch_optional(BY_ID, values![id.as_bytes()]).await?.as_ref().map(read_match).transpose()
    }

    /// The open possible matches of an agency of which a pair waits for its answer, oldest first, after a place.
    pub async fn open_matches(
        &self,
        programme: &ProgrammeCode,
        agency: &AgencyCode,
        after: Option<(Timestamp, PossibleMatchId)>,
        limit: i64,
    ) -> Result<Vec<StoredMatch>, StoreError> {
        let asked_at = after.map_or(i64::MIN, |(asked_at, _)| asked_at.as_micros());
        let id = after.map_or_else(Vec::new, |(_, id)| id.as_bytes().to_vec());
        let values = values![programme.as_str(), agency.as_str(), asked_at, &id, limit];
        self.fetch_all(OPEN_OF, values).await?.iter().map(read_match).collect()
    }

    /// The records of a feed that a generation shows, by the agency's references.
    pub async fn shown_records(
        &self,
        programme: &ProgrammeCode,
        generation: i64,
        (agency, feed): (&AgencyCode, &FeedCode),
        references: &[OpaqueRef],
    ) -> Result<Vec<ShownRecord>, StoreError> {
        let mut shown = Vec::new();
        for piece in references.chunks(ListStatement::MOST) {
            let (sql, length) = SHOWN.text(piece.len());
            let mut values: Vec<Value<'_>> =
                vec![generation.into(), programme.as_str().into(), agency.as_str().into(), feed.as_str().into()];
            values.extend((0..length).map(|n| Value::Text(piece.get(n).map_or("", OpaqueRef::as_str))));
            for row in self.fetch_all(sql, &values).await? {
                shown.push(read_shown(&row)?);
            }
        }
        Ok(shown)
    }

    /// The records that a generation counts to one person.
    pub async fn records_of_person(
        &self,
        generation: i64,
        component: i64,
        person: i64,
    ) -> Result<Vec<RecordName>, StoreError> {
        self.fetch_all(MATES, values![generation, component, person])
            .await?
            .iter()
            .map(|row| read_name(row, 0))
            .collect()
    }
}

impl Tx {
    /// Stores a possible match.
    pub async fn add_match(&mut self, programme: &ProgrammeCode, new: &NewMatch) -> Result<(), StoreError> {
        let fields = new.fields.join(",");
        let values = values![
            new.id.as_bytes(),
            programme.as_str(),
            new.record.agency.as_str(),
            new.record.feed.as_str(),
            new.record.reference.as_str(),
            &fields,
            new.asked_at.as_micros()
        ];
        self.execute(ADD, values).await.map(drop)
    }

    /// A possible match by id.
    pub async fn possible_match(&mut self, id: PossibleMatchId) -> Result<Option<StoredMatch>, StoreError> {
        self.fetch_optional(BY_ID, values![id.as_bytes()]).await?.as_ref().map(read_match).transpose()
    }

    /// Every open possible match of the programme.
    pub async fn all_open_matches(&mut self, programme: &ProgrammeCode) -> Result<Vec<StoredMatch>, StoreError> {
        self.fetch_all(ALL_OPEN, values![programme.as_str()]).await?.iter().map(read_match).collect()
    }

    /// The possible match that an agency decided with a request of this tag.
    pub async fn match_by_tag(
        &mut self,
        programme: &ProgrammeCode,
        agency: &AgencyCode,
        tag: &[u8; 32],
    ) -> Result<Option<StoredMatch>, StoreError> {
        let row = self.fetch_optional(BY_TAG, values![programme.as_str(), agency.as_str(), tag]).await?;
        row.as_ref().map(read_match).transpose()
    }

    /// How many possible matches each agency was asked about after a moment, those that it raised left out.
    pub async fn matches_asked_since(
        &mut self,
        programme: &ProgrammeCode,
        since: Timestamp,
    ) -> Result<Vec<(AgencyCode, i64)>, StoreError> {
        let rows = self.fetch_all(ASKED_SINCE, values![programme.as_str(), since.as_micros()]).await?;
        rows.iter().map(|row| Ok((row.parsed(0, "agency")?, row.int(1)?))).collect()
    }

    /// How many possible matches an agency raised itself after a moment.
    pub async fn matches_raised_since(
        &mut self,
        programme: &ProgrammeCode,
        agency: &AgencyCode,
        since: Timestamp,
    ) -> Result<i64, StoreError> {
        let values = values![programme.as_str(), agency.as_str(), since.as_micros()];
        self.fetch_optional(RAISED_SINCE, values).await?.ok_or(StoreError::Corrupt("count"))?.int(0)
    }

    /// Notes what an agency decided. False when it was decided before.
    pub async fn answer_match(
        &mut self,
        id: PossibleMatchId,
        (decision, role, reason): (Decision, &str, &str),
        answer: &MatchAnswer,
    ) -> Result<bool, StoreError> {
        let values = values![
            id.as_bytes(),
            decision.as_str(),
            role,
            reason,
            answer.at.as_micros(),
            answer.event.as_bytes(),
            &answer.tag
        ];
        Ok(self.execute(ANSWER, values).await? == 1)
    }

    /// Notes that an agency took its decision back. False when there is none to take back.
    pub async fn reverse_match(
        &mut self,
        id: PossibleMatchId,
        (role, reason): (&str, &str),
        answer: &MatchAnswer,
    ) -> Result<bool, StoreError> {
        let values = values![id.as_bytes(), answer.at.as_micros(), role, reason, answer.event.as_bytes(), &answer.tag];
        Ok(self.execute(REVERSE, values).await? == 1)
    }
}

fn read_name(row: &Row, at: usize) -> Result<RecordName, StoreError> {
    let reference = OpaqueRef::parse(&row.text(at + 2)?).map_err(|_| StoreError::Corrupt("record reference"))?;
    Ok(RecordName { agency: row.parsed(at, "agency")?, feed: row.parsed(at + 1, "feed")?, reference })
}

fn read_match(row: &Row) -> Result<StoredMatch, StoreError> {
    let state = match row.text(6)?.as_str() {
        "open" => MatchState::Open,
        "answered" => MatchState::Answered,
        "reversed" => MatchState::Reversed,
        _ => return Err(StoreError::Corrupt("possible match state")),
    };
    let answer = row.optional_text(7)?.map(|text| text.parse()).transpose();
    let fields = row.text(4)?;
    Ok(StoredMatch {
        id: PossibleMatchId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("possible match id"))?,
        record: read_name(row, 1)?,
        fields: fields.split(',').filter(|field| !field.is_empty()).map(str::to_owned).collect(),
        asked_at: Timestamp::from_micros(row.int(5)?),
        state,
        answer: answer.map_err(|_| StoreError::Corrupt("decision"))?,
        answered: read_answer(row, [8, 9, 10])?,
        reversed: read_answer(row, [13, 11, 12])?,
    })
}

fn read_answer(row: &Row, [at, event, tag]: [usize; 3]) -> Result<Option<MatchAnswer>, StoreError> {
    let (Some(at), Some(event)) = (row.optional_int(at)?, row.optional_bytes(event)?) else { return Ok(None) };
    Ok(Some(MatchAnswer {
        at: Timestamp::from_micros(at),
        event: EventId::from_slice(&event).map_err(|_| StoreError::Corrupt("event id"))?,
        tag: row.array(tag, "idempotency tag")?,
    }))
}

fn read_shown(row: &Row) -> Result<ShownRecord, StoreError> {
    Ok(ShownRecord {
        id: row.int(0)?,
        reference: OpaqueRef::parse(&row.text(1)?).map_err(|_| StoreError::Corrupt("record reference"))?,
        evidence: row.bytes(2)?,
        component: row.int(3)?,
        person: row.int(4)?,
        is_shielded: row.int(5)? == 1,
        agreement: row.parsed(6, "agreement")?,
        as_at: Timestamp::from_micros(row.int(7)?),
    })
}
