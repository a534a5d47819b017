//! The index by which log entries are searched: derived from them, and made again from them at will.

use super::bulk::BulkInsert;
use super::log::{PendingEvent, read_event};
use super::statements::statements;
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;

/// The entries that a replay puts a past day together from.
pub const HISTORY_TYPES: [&str; 5] =
    ["policy.load", "agreement.status", "agreement.signature", "standing", "submission"];
/// How many filters a search may have beside the one that leads it.
const MORE_FILTERS: usize = 8;

pub(super) static ADD_FACETS: BulkInsert = BulkInsert::new(
    "INSERT INTO log_facet (facet, value, idx) VALUES",
    3,
    "ON CONFLICT (facet, value, idx) DO NOTHING",
);

statements! {
    /// Taken first when the index grows: the row lock that keeps two replicas apart.
    LOCK = "UPDATE log_indexed SET turn = turn + 1 WHERE id = 1 RETURNING size";
    INDEXED = "SELECT size FROM log_indexed WHERE id = 1";
    MOVE = "UPDATE log_indexed SET size = $1 WHERE id = 1";
    CLEAR = "DELETE FROM log_facet";
    LEAVES = "SELECT log_leaf.event, log_leaf.leaf_hash, event.body FROM log_leaf
              JOIN event ON event.id = log_leaf.event
              WHERE log_leaf.idx >= $1 AND log_leaf.idx < $2 ORDER BY log_leaf.idx";
    FACETS = "SELECT facet, value, idx FROM log_facet WHERE idx >= $1 AND idx < $2 ORDER BY idx, facet, value";
    BEYOND = "SELECT COUNT(*) FROM log_facet WHERE idx >= $1";
    FIND_ALL = "SELECT log_leaf.idx, event.id, event.body, log_leaf.leaf_hash FROM log_leaf JOIN event ON event.id = log_leaf.event
                WHERE log_leaf.idx < $1 AND event.at >= $2 AND event.at < $3
                ORDER BY log_leaf.idx DESC LIMIT $4";
    /// One filter leads, so that its index is walked; an empty name stands for no filter.
    FIND = "SELECT lead.idx, event.id, event.body, log_leaf.leaf_hash FROM log_facet lead
            JOIN log_leaf ON log_leaf.idx = lead.idx
            JOIN event ON event.id = log_leaf.event
            WHERE lead.facet = $5 AND lead.value = $6 AND lead.idx < $1 AND event.at >= $2 AND event.at < $3
              AND ($7 = '' OR EXISTS (SELECT 1 FROM log_facet f WHERE f.facet = $7 AND f.value = $8 AND f.idx = lead.idx))
              AND ($9 = '' OR EXISTS (SELECT 1 FROM log_facet f WHERE f.facet = $9 AND f.value = $10 AND f.idx = lead.idx))
              AND ($11 = '' OR EXISTS (SELECT 1 FROM log_facet f WHERE f.facet = $11 AND f.value = $12 AND f.idx = lead.idx))
              AND ($13 = '' OR EXISTS (SELECT 1 FROM log_facet f WHERE f.facet = $13 AND f.value = $14 AND f.idx = lead.idx))
              AND ($15 = '' OR EXISTS (SELECT 1 FROM log_facet f WHERE f.facet = $15 AND f.value = $16 AND f.idx = lead.idx))
              AND ($17 = '' OR EXISTS (SELECT 1 FROM log_facet f WHERE f.facet = $17 AND f.value = $18 AND f.idx = lead.idx))
              AND ($19 = '' OR EXISTS (SELECT 1 FROM log_facet f WHERE f.facet = $19 AND f.value = $20 AND f.idx = lead.idx))
              AND ($21 = '' OR EXISTS (SELECT 1 FROM log_facet f WHERE f.facet = $21 AND f.value = $22 AND f.idx = lead.idx))
            ORDER BY lead.idx DESC LIMIT $4";
    KNOWN = "SELECT 1 FROM log_facet WHERE facet = $1 AND value = $2 LIMIT 1";
    /// The types are those of [`HISTORY_TYPES`].
    HISTORY = "SELECT COUNT(*) FROM event JOIN log_leaf ON log_leaf.event = event.id
               WHERE event.type IN ('policy.load', 'agreement.status', 'agreement.signature', 'standing', 'submission')
                 AND log_leaf.idx < $1";
    /// Entries of a type before an index, oldest first: what a replay reads.
    OF_TYPE = "SELECT log_facet.idx, event.id, event.body, log_leaf.leaf_hash FROM log_facet
               JOIN log_leaf ON log_leaf.idx = log_facet.idx
               JOIN event ON event.id = log_leaf.event
               WHERE log_facet.facet = 'type' AND log_facet.value = $1 AND log_facet.idx >= $2 AND log_facet.idx < $3
               ORDER BY log_facet.idx LIMIT $4";
}

/// A search, newest entries first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// Only entries below this index.
    pub before: u64,
    /// Only entries from this moment on.
    pub since: Timestamp,
    /// Only entries before this moment.
    pub until: Timestamp,
    /// Facet and value, all of which an entry must have; the first leads.
    pub filters: Vec<(&'static str, String)>,
    /// How many at the most.
    pub limit: i64,
}

/// An entry with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntry {
    /// Its index.
    pub index: u64,
    /// Its event.
    pub event: EventId,
    /// The entry, verbatim.
    pub body: Vec<u8>,
    /// The hash that its leaf has.
    pub leaf: [u8; 32],
}

/// One line of the index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FacetRow {
    /// The entry's index.
    pub index: u64,
    /// By what it is found.
    pub facet: String,
    /// Under which value.
    pub value: String,
}

impl Store {
    /// How many entries are in the index.
    pub async fn indexed_size(&self) -> Result<u64, StoreError> {
        let row = self.fetch_optional(INDEXED, values![]).await?.ok_or(StoreError::Corrupt("the log's index"))?;
        Ok(row.int(0)? as u64)
    }

    /// Finds entries, newest first.
    pub async fn find_entries(&self, query: &LogQuery) -> Result<Vec<FoundEntry>, StoreError> {
        let LogQuery { before, since, until, filters, limit } = query;
        let before = i64::try_from(*before).unwrap_or(i64::MAX);
        let mut values = vec![Value::Int(before), since.as_micros().into(), until.as_micros().into(), (*limit).into()];
        let rows = if filters.is_empty() {
            self.fetch_all(FIND_ALL, &values).await?
        } else {
            let all = filters.iter().map(|(facet, value)| (*facet, value.as_str()));
            for (facet, value) in all.chain(std::iter::repeat(("", ""))).take(1 + MORE_FILTERS) {
                values.extend([Value::from(facet), value.into()]);
            }
            self.fetch_all(FIND, &values).await?
        };
        rows.iter().map(found).collect()
    }

    /// Whether any entry in the index has this value.
    pub async fn is_facet(&self, facet: &str, value: &str) -> Result<bool, StoreError> {
        Ok(self.fetch_optional(KNOWN, values![facet, value]).await?.is_some())
    }

    /// Entries of a type from one index to below another, oldest first.
    pub async fn entries_of_type(
        &self,
        kind: &str,
        from: u64,
        before: u64,
        limit: i64,
    ) -> Result<Vec<FoundEntry>, StoreError> {
        let rows = self.fetch_all(OF_TYPE, values![kind, from as i64, before as i64, limit]).await?;
        rows.iter().map(found).collect()
    }

    /// The index of the entries from `start` up to and without `end`.
    pub async fn facets(&self, start: u64, end: u64) -> Result<Vec<FacetRow>, StoreError> {
        let rows = self.fetch_all(FACETS, values![start as i64, end as i64]).await?;
        let row = |row: &Row| Ok(FacetRow { facet: row.text(0)?, value: row.text(1)?, index: row.int(2)? as u64 });
        rows.iter().map(row).collect()
    }

    /// How many lines the index has of entries that are not in the log.
    pub async fn facets_beyond(&self, size: u64) -> Result<u64, StoreError> {
        let row = self.fetch_optional(BEYOND, values![size as i64]).await?.ok_or(StoreError::Corrupt("count"))?;
        Ok(row.int(0)? as u64)
    }

    /// How many entries below an index change what the policy book or the feeds are, found without the
    /// index.
    pub async fn history_size(&self, before: u64) -> Result<u64, StoreError> {
        let row = self.fetch_optional(HISTORY, values![before as i64]).await?.ok_or(StoreError::Corrupt("count"))?;
        Ok(row.int(0)? as u64)
    }

    /// Entries by index with the hashes of their leaves, from `start` up to and without `end`.
    pub async fn leaves_between(&self, start: u64, end: u64) -> Result<Vec<PendingEvent>, StoreError> {
        let rows = self.fetch_all(LEAVES, values![start as i64, end as i64]).await?;
        rows.iter().map(read_event).collect()
    }
}

impl Tx {
    /// Takes the index's lock; gives how many entries are in it.
    pub async fn lock_log_index(&mut self) -> Result<u64, StoreError> {
        let row = self.fetch_optional(LOCK, values![]).await?.ok_or(StoreError::Corrupt("the log's index"))?;
        Ok(row.int(0)? as u64)
    }

    /// Adds lines to the index, which holds every entry below `size` then.
    pub async fn add_facets(&mut self, rows: &[FacetRow], size: u64) -> Result<(), StoreError> {
        let values: Vec<Value<'_>> = rows
            .iter()
            .flat_map(|row| [Value::from(&row.facet), (&row.value).into(), Value::Int(row.index as i64)])
            .collect();
        self.insert_many(&ADD_FACETS, &values).await?;
        self.execute(MOVE, values![size as i64]).await.map(drop)
    }

    /// Empties the index.
    pub async fn clear_log_index(&mut self) -> Result<(), StoreError> {
        self.execute(CLEAR, values![]).await?;
        self.execute(MOVE, values![0i64]).await.map(drop)
    }
}

fn found(row: &Row) -> Result<FoundEntry, StoreError> {
    let event = EventId::from_slice(&row.bytes(1)?).map_err(|_| StoreError::Corrupt("event id"))?;
    Ok(FoundEntry { index: row.int(0)? as u64, event, body: row.bytes(2)?, leaf: row.array(3, "leaf hash")? })
}
