//! Which weights are in force, what each record was when they were applied, and their pairs in bulk.

use std::collections::BTreeMap;

use super::bulk::BulkInsert;
use super::pairs::{StoredPair, pair_values};
use super::statements::statements;
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{EventId, OpaqueRef, ProgrammeCode};
use crate::domain::pair::RecordName;
use crate::domain::time::Timestamp;

pub(super) static PUT_RECORDS: BulkInsert = BulkInsert::new(
    "INSERT INTO weighed_record (programme, agency, feed, reference, tag) VALUES",
    5,
    "ON CONFLICT (programme, agency, feed, reference) DO UPDATE SET tag = excluded.tag",
);
pub(super) static ADD_PAIRS: BulkInsert = BulkInsert::new(
    "INSERT INTO pair (id, programme, origin, first_agency, first_feed, first_reference, second_agency, second_feed,
                       second_reference, weight, evidence, state, proposed_at, decided_at, decided_event,
                       first_match, first_answer, second_match, second_answer, applied) VALUES",
    20,
    "",
);

statements! {
    APPLIED = "SELECT weights_sha256, event, applied_at FROM weighing WHERE programme = $1";
    PUT_APPLIED = "INSERT INTO weighing (programme, weights_sha256, event, applied_at) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (programme) DO UPDATE SET weights_sha256 = excluded.weights_sha256,
                       event = excluded.event, applied_at = excluded.applied_at";
    DROP_APPLIED = "DELETE FROM weighing WHERE programme = $1";
    WEIGHED = "SELECT agency, feed, reference, tag FROM weighed_record WHERE programme = $1
               ORDER BY agency, feed, reference";
    DROP_WEIGHED = "DELETE FROM weighed_record
                    WHERE programme = $1 AND agency = $2 AND feed = $3 AND reference = $4";
    DROP_ALL_WEIGHED = "DELETE FROM weighed_record WHERE programme = $1";
    LEARNED = "SELECT body FROM event WHERE type = 'weights.learn' ORDER BY id";
}

/// The weights that are in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightsInForce {
    /// SHA-256 of the artefact.
    pub sha256: [u8; 32],
    /// Log entry of the last time that they were applied.
    pub event: EventId,
    /// When that was.
    pub at: Timestamp,
}

impl Store {
    /// The weights that are in force.
    pub async fn weights_in_force(&self, programme: &ProgrammeCode) -> Result<Option<WeightsInForce>, StoreError> {
        self.fetch_optional(APPLIED, values![programme.as_str()]).await?.as_ref().map(read_applied).transpose()
    }

    /// The records to which they were applied, each with the tag of what it was.
    pub async fn weighed_records(
        &self,
        programme: &ProgrammeCode,
    ) -> Result<BTreeMap<RecordName, [u8; 16]>, StoreError> {
        let rows = self.fetch_all(WEIGHED, values![programme.as_str()]).await?;
        let read = |row: &Row| {
            let reference = OpaqueRef::parse(&row.text(2)?).map_err(|_| StoreError::Corrupt("record reference"))?;
            let name = RecordName { agency: row.parsed(0, "agency")?, feed: row.parsed(1, "feed")?, reference };
            let tag = row.bytes(3)?.try_into().map_err(|_| StoreError::Corrupt("tag of a weighed record"))?;
            Ok((name, tag))
        };
        rows.iter().map(read).collect()
    }

    /// The log entries of weights that were learned here, verbatim.
    pub async fn learned_entries(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.fetch_all(LEARNED, values![]).await?.iter().map(|row| row.bytes(0)).collect()
    }
}

impl Tx {
    /// Puts weights in force.
    pub async fn put_weights(&mut self, programme: &ProgrammeCode, weights: &WeightsInForce) -> Result<(), StoreError> {
        let values = values![programme.as_str(), &weights.sha256, weights.event.as_bytes(), weights.at.as_micros()];
        self.execute(PUT_APPLIED, values).await.map(drop)
    }

    /// Takes the weights out of force, with what they were applied to. False when none were in force.
    pub async fn drop_weights(&mut self, programme: &ProgrammeCode) -> Result<bool, StoreError> {
        self.execute(DROP_ALL_WEIGHED, values![programme.as_str()]).await?;
        Ok(self.execute(DROP_APPLIED, values![programme.as_str()]).await? == 1)
    }

    /// Notes what records were when they were weighed; those that are gone are forgotten.
    pub async fn note_weighed(
        &mut self,
        programme: &ProgrammeCode,
        changed: &[(&RecordName, [u8; 16])],
        gone: &[&RecordName],
    ) -> Result<(), StoreError> {
        for name in gone {
            let values = values![programme.as_str(), name.agency.as_str(), name.feed.as_str(), name.reference.as_str()];
            self.execute(DROP_WEIGHED, values).await?;
        }
        let mut values: Vec<Value<'_>> = Vec::with_capacity(changed.len() * 5);
        for (name, tag) in changed {
            values.extend([
                Value::from(programme.as_str()),
                name.agency.as_str().into(),
                name.feed.as_str().into(),
                name.reference.as_str().into(),
                tag.into(),
            ]);
        }
        self.insert_many(&PUT_RECORDS, &values).await.map(drop)
    }

    /// Adds many pairs that are in force from now on; the publisher applies them.
    pub async fn add_pairs_in_force(
        &mut self,
        programme: &ProgrammeCode,
        pairs: &[StoredPair],
        (at, event): (Timestamp, EventId),
    ) -> Result<(), StoreError> {
        let values: Vec<Value<'_>> =
            pairs.iter().flat_map(|pair| pair_values(programme, pair, Some((at, &event)))).collect();
        self.insert_many(&ADD_PAIRS, &values).await.map(drop)
    }
}

fn read_applied(row: &Row) -> Result<WeightsInForce, StoreError> {
    Ok(WeightsInForce {
        sha256: row.bytes(0)?.try_into().map_err(|_| StoreError::Corrupt("hash of weights"))?,
        event: EventId::from_slice(&row.bytes(1)?).map_err(|_| StoreError::Corrupt("event id"))?,
        at: Timestamp::from_micros(row.int(2)?),
    })
}
