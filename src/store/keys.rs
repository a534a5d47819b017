//! What keys did to the data: states of linkage key epochs, and how often stored tokens were blinded.

use super::records::{StoredToken, pack, unpack};
use super::statements::{ListStatement, statements};
use super::submissions::FOREVER;
use super::value::{Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::epoch::EpochState;
use crate::domain::ids::{EventId, ProgrammeCode};
use crate::domain::time::Timestamp;
use crate::domain::token::Blinded;

pub(super) static DROP_TOKENS_BETWEEN: ListStatement =
    ListStatement::new("DELETE FROM token WHERE blinded IN ({list}) AND record >= $1 AND record <= $2", 2);
pub(super) static DROP_HOUSEHOLDS_BETWEEN: ListStatement =
    ListStatement::new("DELETE FROM household WHERE blinded IN ({list}) AND record >= $1 AND record <= $2", 2);

statements! {
    EPOCHS = "SELECT epoch, state, changed_at, swept_to FROM epoch WHERE programme = $1 ORDER BY epoch";
    ADD_EPOCH = "INSERT INTO epoch (programme, epoch, state, changed_at, swept_to) VALUES ($1, $2, 'active', $3, 0)
                 ON CONFLICT (programme, epoch) DO NOTHING";
    SET_EPOCH = "UPDATE epoch SET state = $3, changed_at = $4 WHERE programme = $1 AND epoch = $2";
    SWEPT = "UPDATE epoch SET swept_to = $3 WHERE programme = $1 AND epoch = $2";
    /// Changes nothing but takes the row's lock until the end of the transaction.
    LOCK_PROGRAMME = "UPDATE programme SET publisher_until = publisher_until WHERE code = $1";
    BLINDING = "SELECT layers, target, records_to, tags_to FROM blinding WHERE programme = $1";
    PUT_BLINDING = "INSERT INTO blinding (programme, layers, target, records_to, tags_to) VALUES ($1, $2, $3, $4, $5)
                    ON CONFLICT (programme) DO UPDATE SET layers = excluded.layers, target = excluded.target,
                        records_to = excluded.records_to, tags_to = excluded.tags_to";
    INTERRUPT_UPLOADS = "UPDATE submission SET state = 'failed', failure = $2, finished_at = $3, digest = NULL
                         WHERE programme = $1 AND state = 'staging'";
    TOKENS_AFTER = "SELECT record.id, record.tokens, record.households FROM record
                    JOIN submission ON submission.id = record.submission
                    WHERE submission.programme = $1 AND record.id > $2 ORDER BY record.id LIMIT $3";
    VISIBLE_TOKENS_AFTER = "SELECT record.id, record.tokens, record.households FROM record
                            JOIN submission ON submission.id = record.submission
                            WHERE submission.programme = $1 AND submission.state = 'visible' AND record.id > $2
                            ORDER BY record.id LIMIT $3";
    SET_TOKENS = "UPDATE record SET tokens = $2, households = $3 WHERE id = $1";
    TAGS_AFTER = "SELECT DISTINCT tag FROM subject_index WHERE tag > $1 AND restacked < $2 ORDER BY tag LIMIT $3";
    EVIDENCE_AFTER = "SELECT id, evidence FROM record WHERE id > $1 ORDER BY id LIMIT $2";
    SET_EVIDENCE = "UPDATE record SET evidence = $3 WHERE id = $1 AND evidence = $2";
    OPENINGS_AFTER = "SELECT event, field, sealed FROM opening WHERE (event, field) > ($1, $2)
                      ORDER BY event, field LIMIT $3";
    SET_OPENING = "UPDATE opening SET sealed = $4 WHERE event = $1 AND field = $2 AND sealed = $3";
    SET_TAG = "UPDATE subject_index SET tag = $2, restacked = $3 WHERE tag = $1 AND restacked < $3";
}

/// An epoch of the linkage key as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredEpoch {
    /// Which epoch.
    pub epoch: u32,
    /// Where it is in its life.
    pub state: EpochState,
    /// When it took that state.
    pub changed_at: Timestamp,
    /// Its tokens are gone from records up to this id; `i64::MAX` when from all.
    pub swept_to: i64,
}

impl StoredEpoch {
    /// Whether stored tokens of a retired epoch are still to be removed.
    pub fn needs_sweeping(&self) -> bool {
        self.state == EpochState::Retired && self.swept_to != FOREVER
    }
}

/// How many blinding keys stored tokens went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blinding {
    /// Every stored token went through this many keys, when no change is under way.
    pub layers: u32,
    /// More than `layers` while stored tokens are taken through the next key.
    pub target: u32,
    /// That is done for records up to this id.
    pub records_to: i64,
    /// And then for tags of the subject index up to this one.
    pub tags_to: Vec<u8>,
}

impl Blinding {
    /// Whether stored tokens are between two states.
    pub fn is_under_way(&self) -> bool {
        self.target != self.layers
    }

    /// Records are done, and tags are next.
    pub fn records_are_done(&self) -> bool {
        self.records_to == FOREVER
    }

    /// The same with every record done.
    #[must_use]
    pub fn with_records_done(self) -> Self {
        Self { records_to: FOREVER, ..self }
    }
}

impl Default for Blinding {
    fn default() -> Self {
        Self { layers: 1, target: 1, records_to: 0, tags_to: Vec::new() }
    }
}

/// A record's stored tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTokens {
    /// The record.
    pub record: i64,
    /// Its tokens.
    pub tokens: Vec<StoredToken>,
    /// Its household tokens.
    pub households: Vec<StoredToken>,
}

impl Store {
    /// Every epoch of a programme's linkage key.
    pub async fn epochs(&self, programme: &ProgrammeCode) -> Result<Vec<StoredEpoch>, StoreError> {
        self.fetch_all(EPOCHS, values![programme.as_str()]).await?.iter().map(read_epoch).collect()
    }

    /// How many blinding keys the programme's stored tokens went through.
    pub async fn blinding(&self, programme: &ProgrammeCode) -> Result<Blinding, StoreError> {
        self.fetch_optional(BLINDING, values![programme.as_str()]).await?.as_ref().map_or(Ok(Blinding::default()), read)
    }

    /// A page of records' sealed evidence, in the order of record ids.
    pub async fn sealed_evidence(&self, after: i64, limit: i64) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let rows = self.fetch_all(EVIDENCE_AFTER, values![after, limit]).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.bytes(1)?))).collect()
    }

    /// A page of sealed openings, in the order of entries and fields.
    pub async fn sealed_openings(
        &self,
        after: Option<(EventId, &str)>,
        limit: i64,
    ) -> Result<Vec<(EventId, String, Vec<u8>)>, StoreError> {
        let (event, field) = match &after {
            Some((event, field)) => (event.as_bytes().as_slice(), *field),
            None => (b"".as_slice(), ""),
        };
        let rows = self.fetch_all(OPENINGS_AFTER, values![event, field, limit]).await?;
        rows.iter()
            .map(|row| {
                let event = EventId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("event id"))?;
                Ok((event, row.text(1)?, row.bytes(2)?))
            })
            .collect()
    }

    /// A page of the tokens of visible records, in the order of record ids.
    pub async fn visible_tokens(
        &self,
        programme: &ProgrammeCode,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StoredTokens>, StoreError> {
        let rows = self.fetch_all(VISIBLE_TOKENS_AFTER, values![programme.as_str(), after, limit]).await?;
        rows.iter().map(read_tokens).collect()
    }
}

impl Tx {
    /// Notes an epoch as active, unless it is known.
    pub async fn ensure_epoch(
        &mut self,
        programme: &ProgrammeCode,
        epoch: u32,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(ADD_EPOCH, values![programme.as_str(), i64::from(epoch), now.as_micros()]).await.map(drop)
    }

    /// As [`Store::epochs`], as this transaction sees it.
    pub async fn epochs(&mut self, programme: &ProgrammeCode) -> Result<Vec<StoredEpoch>, StoreError> {
        self.fetch_all(EPOCHS, values![programme.as_str()]).await?.iter().map(read_epoch).collect()
    }

    /// Puts an epoch into a state.
    pub async fn set_epoch_state(
        &mut self,
        programme: &ProgrammeCode,
        epoch: u32,
        state: EpochState,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let values = values![programme.as_str(), i64::from(epoch), state.as_str(), now.as_micros()];
        self.execute(SET_EPOCH, values).await.map(drop)
    }

    /// Notes how far a retired epoch's tokens were removed; `None` means from every record.
    pub async fn note_swept(
        &mut self,
        programme: &ProgrammeCode,
        epoch: u32,
        to: Option<i64>,
    ) -> Result<(), StoreError> {
        self.execute(SWEPT, values![programme.as_str(), i64::from(epoch), to.unwrap_or(FOREVER)]).await.map(drop)
    }

    /// Holds the programme's row until the end of the transaction.
    pub async fn lock_programme(&mut self, programme: &ProgrammeCode) -> Result<(), StoreError> {
        self.execute(LOCK_PROGRAMME, values![programme.as_str()]).await.map(drop)
    }

    /// As [`Store::blinding`], as this transaction sees it.
    pub async fn blinding(&mut self, programme: &ProgrammeCode) -> Result<Blinding, StoreError> {
        self.fetch_optional(BLINDING, values![programme.as_str()]).await?.as_ref().map_or(Ok(Blinding::default()), read)
    }

    /// Notes how often stored tokens were blinded, and how far a change has come.
    pub async fn put_blinding(&mut self, programme: &ProgrammeCode, blinding: &Blinding) -> Result<(), StoreError> {
        let (layers, target) = (i64::from(blinding.layers), i64::from(blinding.target));
        let values = values![programme.as_str(), layers, target, blinding.records_to, &blinding.tags_to];
        self.execute(PUT_BLINDING, values).await.map(drop)
    }

    /// Gives up every submission whose rows are still arriving. Returns how many.
    pub async fn interrupt_uploads(
        &mut self,
        programme: &ProgrammeCode,
        code: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.execute(INTERRUPT_UPLOADS, values![programme.as_str(), code, now.as_micros()]).await
    }

    /// A page of records' tokens in the order of record ids, whatever state their submissions are in.
    pub async fn tokens_after(
        &mut self,
        programme: &ProgrammeCode,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StoredTokens>, StoreError> {
        let rows = self.fetch_all(TOKENS_AFTER, values![programme.as_str(), after, limit]).await?;
        rows.iter().map(read_tokens).collect()
    }

    /// Puts other tokens in the place of a page of records' present ones: in the records and in both indexes.
    /// `before` and `after` are the same records in the same order, by ascending id.
    pub async fn replace_tokens(&mut self, before: &[StoredTokens], after: &[StoredTokens]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (before.first(), before.last()) else { return Ok(()) };
        let (first, last) = (first.record, last.record);
        let old_tokens: Vec<Blinded> = blinded(before, |record| &record.tokens);
        let old_households: Vec<Blinded> = blinded(before, |record| &record.households);
        for (statement, list) in [(&DROP_TOKENS_BETWEEN, &old_tokens), (&DROP_HOUSEHOLDS_BETWEEN, &old_households)] {
            for piece in list.chunks(ListStatement::MOST) {
                let (sql, length) = statement.text(piece.len());
                let mut values: Vec<Value<'_>> = vec![first.into(), last.into()];
                values.extend((0..length).map(|n| piece.get(n).map_or(Value::Bytes(b""), |t| t.as_bytes().into())));
                self.execute(sql, &values).await?;
            }
        }
        for (insert, of) in [
            (&super::records::ADD_TOKENS, (|record| &record.tokens) as fn(&StoredTokens) -> &Vec<StoredToken>),
            (&super::records::ADD_HOUSEHOLDS, |record| &record.households),
        ] {
            let mut rows: Vec<(&Blinded, i64)> = after
                .iter()
                .flat_map(|record| of(record).iter().map(|token| (&token.blinded, record.record)))
                .collect();
            rows.sort_unstable();
            rows.dedup();
            let values: Vec<Value<'_>> =
                rows.iter().flat_map(|(blinded, record)| [blinded.as_bytes().into(), Value::from(*record)]).collect();
            self.insert_many(insert, &values).await?;
        }
        for record in after {
            let (tokens, households) = (pack(&record.tokens), pack(&record.households));
            self.execute(SET_TOKENS, values![record.record, &tokens, &households]).await?;
        }
        Ok(())
    }

    /// A page of tags of the subject index that a change to `target` keys has not rewritten.
    pub async fn tags_after(&mut self, after: &[u8], target: u32, limit: i64) -> Result<Vec<[u8; 16]>, StoreError> {
        let rows = self.fetch_all(TAGS_AFTER, values![after, i64::from(target), limit]).await?;
        rows.iter().map(|row| row.array(0, "subject tag")).collect()
    }

    /// Puts a record's evidence, sealed again, in the place of what was read; no change when that is gone.
    pub async fn replace_evidence(&mut self, record: i64, old: &[u8], new: &[u8]) -> Result<(), StoreError> {
        self.execute(SET_EVIDENCE, values![record, old, new]).await.map(drop)
    }

    /// Puts an opening, sealed again, in the place of what was read; no change when that was erased.
    pub async fn replace_opening(
        &mut self,
        event: EventId,
        field: &str,
        old: &[u8],
        new: &[u8],
    ) -> Result<(), StoreError> {
        self.execute(SET_OPENING, values![event.as_bytes(), field, old, new]).await.map(drop)
    }

    /// Puts another tag in the place of one.
    pub async fn replace_tag(&mut self, old: &[u8; 16], new: &[u8; 16], target: u32) -> Result<(), StoreError> {
        self.execute(SET_TAG, values![old, new, i64::from(target)]).await.map(drop)
    }
}

fn blinded(records: &[StoredTokens], of: impl Fn(&StoredTokens) -> &Vec<StoredToken>) -> Vec<Blinded> {
    let mut list: Vec<Blinded> = records.iter().flat_map(|record| of(record).iter().map(|t| t.blinded)).collect();
    list.sort_unstable();
    list.dedup();
    list
}

fn read_epoch(row: &super::value::Row) -> Result<StoredEpoch, StoreError> {
    Ok(StoredEpoch {
        epoch: u32::try_from(row.int(0)?).map_err(|_| StoreError::Corrupt("epoch"))?,
        state: row.parsed(1, "epoch state")?,
        changed_at: Timestamp::from_micros(row.int(2)?),
        swept_to: row.int(3)?,
    })
}

fn read(row: &super::value::Row) -> Result<Blinding, StoreError> {
    let number = |column| u32::try_from(row.int(column)?).map_err(|_| StoreError::Corrupt("blinding"));
    Ok(Blinding { layers: number(0)?, target: number(1)?, records_to: row.int(2)?, tags_to: row.bytes(3)? })
}

fn read_tokens(row: &super::value::Row) -> Result<StoredTokens, StoreError> {
    Ok(StoredTokens { record: row.int(0)?, tokens: unpack(&row.bytes(1)?)?, households: unpack(&row.bytes(2)?)? })
}
