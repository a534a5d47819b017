//! Sealed evidence of records for match runs. Nothing here can be read with the gateway's keys.

use super::bulk::BulkInsert;
use super::records::read_linkable;
use super::statements::{ListStatement, statements};
use super::value::{Row, Value, values};
use super::{NewRecord, Store, StoreError, Tx};
use crate::domain::ids::ProgrammeCode;

pub(super) static ADD_PROFILES: BulkInsert = BulkInsert::new("INSERT INTO profile_blob (record, sealed) VALUES", 2, "");
pub(super) static DROP_PROFILES: ListStatement =
    ListStatement::new("DELETE FROM profile_blob WHERE record IN ({list})", 0);

statements! {
    /// Visible records with sealed evidence, without those that are restricted or that a shield reaches.
    WEIGHABLE = "SELECT record.id, record.agency, record.feed, record.reference, record.restricted, record.tokens,
                        record.households, profile_blob.sealed
                 FROM profile_blob
                 JOIN record ON record.id = profile_blob.record
                 JOIN link ON link.record = record.id AND link.visible_from <= $1 AND link.visible_to + 0 > $1
                 JOIN submission ON submission.id = record.submission
                 WHERE submission.visible_from <= $1 AND submission.visible_to > $1
                   AND submission.programme = $2 AND profile_blob.record > $3
                   AND record.restricted = 0 AND link.shielded = 0
                 ORDER BY profile_blob.record LIMIT $4";
}

/// A record that may be weighed, with its evidence as it is stored.
#[derive(Debug, Clone)]
pub struct WeighableRecord {
    /// The record as linking reads it.
    pub record: super::LinkableRecord,
    /// Its evidence, sealed to the match run's key.
    pub sealed: Vec<u8>,
}

impl Store {
    /// A page of the visible records that may be weighed, in the order of record ids.
    pub async fn weighable_records(
        &self,
        programme: &ProgrammeCode,
        generation: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<WeighableRecord>, StoreError> {
        let rows = self.fetch_all(WEIGHABLE, values![generation, programme.as_str(), after, limit]).await?;
        let read = |row: &Row| Ok(WeighableRecord { record: read_linkable(row)?, sealed: row.bytes(7)? });
        rows.iter().map(read).collect()
    }
}

impl Tx {
    /// Keeps the sealed evidence of those records that were taken.
    pub(super) async fn add_profiles(&mut self, records: &[NewRecord], taken: &[i64]) -> Result<(), StoreError> {
        let is_taken = |record: &&NewRecord| taken.binary_search(&record.id).is_ok();
        let mut values: Vec<Value<'_>> = Vec::new();
        for record in records.iter().filter(is_taken) {
            if let Some(sealed) = &record.profile {
                values.extend([record.id.into(), Value::from(sealed)]);
            }
        }
        self.insert_many(&ADD_PROFILES, &values).await.map(drop)
    }
}
