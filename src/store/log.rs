//! The disclosure log's tables: entries, the queue, leaves, tiles, checkpoints and openings.

use super::bulk::BulkInsert;
use super::statements::{ListStatement, statements};
use super::subject_entries::{ADD_RECORD_USES, RecordUse};
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx, View};
use crate::domain::ids::{EventId, ProgrammeCode};
use crate::domain::time::Timestamp;

pub(super) static ADD_EVENTS: BulkInsert = BulkInsert::new(
    "INSERT INTO event (id, type, at, recipient, agreement, purpose, outcome, leaf_hash, body) VALUES",
    9,
    "",
);
pub(super) static ADD_PENDING: BulkInsert = BulkInsert::new("INSERT INTO log_pending (event, leaf_hash) VALUES", 2, "");
pub(super) static ADD_OPENINGS: BulkInsert =
    BulkInsert::new("INSERT INTO opening (event, field, sealed) VALUES", 3, "");
pub(super) static ADD_TAGS: BulkInsert =
    BulkInsert::new("INSERT INTO subject_index (tag, event) VALUES", 2, "ON CONFLICT (tag, event) DO NOTHING");
pub(super) static ADD_REPLIES: BulkInsert = BulkInsert::new(
    "INSERT INTO reply (client, idempotency_tag, request_hash, event, policy_revision, generation, expires_at) VALUES",
    7,
    "ON CONFLICT (client, idempotency_tag) DO NOTHING RETURNING event",
);
pub(super) static ADD_LEAVES: BulkInsert =
    BulkInsert::new("INSERT INTO log_leaf (idx, event, leaf_hash) VALUES", 3, "");
pub(super) static PUT_TILES: BulkInsert = BulkInsert::new(
    "INSERT INTO log_tile (level, n, data) VALUES",
    3,
    "ON CONFLICT (level, n) DO UPDATE SET data = excluded.data",
);
pub(super) static DROP_PENDING: ListStatement =
    ListStatement::new("DELETE FROM log_pending WHERE event IN ({list})", 0);

statements! {
    /// Taken first in a sequencing step: the row lock that keeps two sequencers apart.
    LOCK_HEAD = "UPDATE log_head SET turn = turn + 1 WHERE id = 1 RETURNING origin, size, edge";
    HEAD = "SELECT origin, size, edge FROM log_head WHERE id = 1";
    CREATE_HEAD = "INSERT INTO log_head (id, origin, size, edge, turn) VALUES (1, $1, 0, $2, 0)
                   ON CONFLICT (id) DO NOTHING";
    MOVE_HEAD = "UPDATE log_head SET size = $1, edge = $2 WHERE id = 1";
    PENDING = "SELECT log_pending.event, log_pending.leaf_hash, event.body FROM log_pending
               JOIN event ON event.id = log_pending.event ORDER BY log_pending.event LIMIT $1";
    PENDING_COUNT = "SELECT COUNT(*) FROM log_pending";
    TILE = "SELECT data FROM log_tile WHERE level = $1 AND n = $2";
    ADD_CHECKPOINT = "INSERT INTO log_checkpoint (size, at, note) VALUES ($1, $2, $3)
                      ON CONFLICT (size) DO UPDATE SET at = excluded.at, note = excluded.note";
    CHECKPOINT = "SELECT size, at, note FROM log_checkpoint ORDER BY size DESC LIMIT 1";
    ENTRIES = "SELECT log_leaf.idx, event.id, event.body FROM log_leaf JOIN event ON event.id = log_leaf.event
               WHERE log_leaf.idx >= $1 AND log_leaf.idx < $2 ORDER BY log_leaf.idx";
    OPENINGS = "SELECT opening.event, opening.field, opening.sealed FROM log_leaf
                JOIN opening ON opening.event = log_leaf.event
                WHERE log_leaf.idx >= $1 AND log_leaf.idx < $2 ORDER BY log_leaf.idx, opening.field";
    LEAVES = "SELECT log_leaf.event, log_leaf.leaf_hash, event.body FROM log_leaf
              JOIN event ON event.id = log_leaf.event
              WHERE log_leaf.idx >= $1 AND log_leaf.idx < $2 ORDER BY log_leaf.idx";
    PENDING_AFTER = "SELECT log_pending.event, log_pending.leaf_hash, event.body FROM log_pending
                     JOIN event ON event.id = log_pending.event
                     WHERE log_pending.event > $1 ORDER BY log_pending.event LIMIT $2";
    CHECKPOINTS_FROM = "SELECT size, note FROM log_checkpoint WHERE size >= $1 ORDER BY size LIMIT $2";
    LOG_COUNTS = "SELECT (SELECT COUNT(*) FROM event), (SELECT COUNT(*) FROM log_leaf)";
    LEAF_OF = "SELECT idx FROM log_leaf WHERE event = $1";
    EVENT = "SELECT id, body FROM event WHERE id = $1";
    BODY_AND_LEAF = "SELECT body, leaf_hash FROM event WHERE id = $1";
    COUNT_BY = "SELECT type, COALESCE(outcome, ''), COUNT(*) FROM event
                GROUP BY type, COALESCE(outcome, '') ORDER BY 1, 2";
    CHARGE = "INSERT INTO ceiling (agreement, clause, recipient, day, used) VALUES ($1, $2, $3, $4, $5)
              ON CONFLICT (agreement, clause, recipient, day) DO UPDATE SET used = ceiling.used + excluded.used
              RETURNING used";
    USED_ON = "SELECT clause, recipient FROM ceiling WHERE agreement = $1 AND day = $2 AND used > 0
               ORDER BY recipient, clause";
    REFUND = "UPDATE ceiling SET used = used - $5
              WHERE agreement = $1 AND clause = $2 AND recipient = $3 AND day = $4";
    REPLY = "SELECT request_hash, event, policy_revision, generation FROM reply
             WHERE client = $1 AND idempotency_tag = $2 AND expires_at > $3";
    SAID = "SELECT event.at, event.leaf_hash, opening.sealed FROM event
            JOIN opening ON opening.event = event.id AND opening.field = $2
            WHERE event.id = $1";
    FORGET_REPLIES = "DELETE FROM reply WHERE expires_at < $1";
}

/// A finished entry, ready to be written.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// Its type, as in the body.
    pub kind: &'static str,
    /// Its time, as in the body.
    pub at: Timestamp,
    /// Lifted from the body for screens.
    pub recipient: Option<String>,
    /// Lifted likewise.
    pub agreement: Option<String>,
    /// Lifted likewise.
    pub purpose: Option<String>,
    /// Lifted likewise.
    pub outcome: Option<String>,
    /// SHA-256 of 0x00 and the body.
    pub leaf_hash: [u8; 32],
    /// The entry, verbatim.
    pub body: Vec<u8>,
    /// Sealed openings by field.
    pub openings: Vec<(&'static str, Vec<u8>)>,
    /// Under which tags a person's entries are found.
    pub tags: Vec<[u8; 16]>,
    /// The records that the entry rests on.
    pub records: Vec<RecordUse>,
}

/// One counter of a receive clause: at most `limit` enquiries a day.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CeilingKey {
    /// The agreement.
    pub agreement: String,
    /// Its receive clause.
    pub clause: String,
    /// Who asks.
    pub recipient: String,
    /// Days since 1970, UTC.
    pub day: i64,
}

/// What is kept for a caller who repeats a request: which entry it made. The reply itself is read
/// from that entry's sealed answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredReply {
    /// SHA-256 of the request it answers.
    pub request_hash: [u8; 32],
    /// The entry behind it.
    pub event: EventId,
    /// State of agreements when it was given.
    pub policy_revision: i64,
    /// Generation when it was given.
    pub generation: i64,
}

/// An entry's time and leaf hash, with one of its sealed openings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEntry {
    /// Its time.
    pub at: Timestamp,
    /// SHA-256 of 0x00 and the body.
    pub leaf_hash: [u8; 32],
    /// The opening.
    pub sealed: Vec<u8>,
}

/// A reply with the key that it is kept under.
#[derive(Debug, Clone)]
pub struct KeptReply {
    /// Whose.
    pub client: String,
    /// Keyed tag of the idempotency key.
    pub tag: [u8; 32],
    /// The reply.
    pub reply: StoredReply,
    /// How long it is kept.
    pub expires_at: Timestamp,
}

/// The log's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHead {
    /// The log's name.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// Right edge, 32 bytes a hash.
    pub edge: Vec<u8>,
}

/// An entry in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEvent {
    /// Its id.
    pub id: EventId,
    /// The hash queued with it.
    pub leaf_hash: [u8; 32],
    /// Its body.
    pub body: Vec<u8>,
}

impl Store {
    /// What was charged under a name on a day, by anybody.
    pub async fn used_on_day(&self, agreement: &str, day: i64) -> Result<Vec<CeilingKey>, StoreError> {
        let rows = self.fetch_all(USED_ON, values![agreement, day]).await?;
        let key = |row: &Row| {
            let (clause, recipient) = (row.text(0)?, row.text(1)?);
            Ok(CeilingKey { agreement: agreement.to_owned(), clause, recipient, day })
        };
        rows.iter().map(key).collect()
    }

    /// The log's head; `None` before the log is opened.
    pub async fn log_head(&self) -> Result<Option<StoredHead>, StoreError> {
        self.fetch_optional(HEAD, values![]).await?.as_ref().map(read_head).transpose()
    }

    /// How many entries wait to be sequenced.
    pub async fn pending_count(&self) -> Result<i64, StoreError> {
        let row = self.fetch_optional(PENDING_COUNT, values![]).await?;
        row.ok_or(StoreError::Corrupt("count"))?.int(0)
    }

    /// A tile of the tree.
    pub async fn log_tile(&self, level: u8, n: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.fetch_optional(TILE, values![i64::from(level), n as i64]).await?;
        row.map(|row| row.bytes(0)).transpose()
    }

    /// The newest checkpoint: size, time, note.
    pub async fn newest_checkpoint(&self) -> Result<Option<(u64, Timestamp, String)>, StoreError> {
        let row = self.fetch_optional(CHECKPOINT, values![]).await?;
        row.map(|row| Ok((row.int(0)? as u64, Timestamp::from_micros(row.int(1)?), row.text(2)?))).transpose()
    }

    /// Entries by index, from `start` up to and without `end`.
    pub async fn log_entries(&self, start: u64, end: u64) -> Result<Vec<(EventId, Vec<u8>)>, StoreError> {
        let rows = self.fetch_all(ENTRIES, values![start as i64, end as i64]).await?;
        rows.iter().map(|row| Ok((event_id(row, 1)?, row.bytes(2)?))).collect()
    }

    /// Sealed openings of the entries from `start` up to and without `end`, in the order of entries.
    pub async fn log_openings(&self, start: u64, end: u64) -> Result<Vec<(EventId, String, Vec<u8>)>, StoreError> {
        let rows = self.fetch_all(OPENINGS, values![start as i64, end as i64]).await?;
        rows.iter().map(|row| Ok((event_id(row, 0)?, row.text(1)?, row.bytes(2)?))).collect()
    }

    /// The index of an entry, once sequenced.
    pub async fn leaf_index(&self, event: EventId) -> Result<Option<u64>, StoreError> {
        let row = self.fetch_optional(LEAF_OF, values![event.as_bytes()]).await?;
        row.map(|row| Ok(row.int(0)? as u64)).transpose()
    }

    /// The body of an entry, and the hash of its leaf as it was written with it.
    pub async fn event_with_leaf(&self, event: EventId) -> Result<Option<(Vec<u8>, [u8; 32])>, StoreError> {
        let row = self.fetch_optional(BODY_AND_LEAF, values![event.as_bytes()]).await?;
        row.map(|row| Ok((row.bytes(0)?, row.array(1, "leaf hash")?))).transpose()
    }

    /// An entry, verbatim.
    pub async fn event_body(&self, event: EventId) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.fetch_optional(EVENT, values![event.as_bytes()]).await?;
        row.map(|row| row.bytes(1)).transpose()
    }

    /// How many entries there are of each type and outcome.
    pub async fn event_counts(&self) -> Result<Vec<(String, String, i64)>, StoreError> {
        let rows = self.fetch_all(COUNT_BY, values![]).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.int(2)?))).collect()
    }

    /// What an enquiry that starts now sees, and the reply that is kept under its idempotency tag;
    /// `None` when the programme does not exist.
    pub async fn view_and_reply(
        &self,
        programme: &ProgrammeCode,
        client: &str,
        tag: &[u8; 32],
    ) -> Result<Option<(View, Option<StoredReply>)>, StoreError> {
        let values = values![programme.as_str(), client, tag];
        let Some(row) = self.fetch_optional(self.engine().opening_statement(), values).await? else {
            return Ok(None);
        };
        let view =
            View { now: Timestamp::from_micros(row.int(0)?), generation: row.int(1)?, policy_revision: row.int(2)? };
        let is_kept = row.optional_bytes(3)?.is_some();
        Ok(Some((view, if is_kept { Some(read_reply(&row, 3)?) } else { None })))
    }

    /// The reply that a client's idempotency tag stands for.
    pub async fn reply(&self, client: &str, tag: &[u8; 32], now: Timestamp) -> Result<Option<StoredReply>, StoreError> {
        let row = self.fetch_optional(REPLY, values![client, tag, now.as_micros()]).await?;
        row.map(|row| read_reply(&row, 0)).transpose()
    }

    /// An entry with the sealed opening of one of its fields; `None` once that was erased.
    pub async fn sealed_entry(&self, event: EventId, field: &str) -> Result<Option<SealedEntry>, StoreError> {
        let row = self.fetch_optional(SAID, values![event.as_bytes(), field]).await?;
        row.map(|row| {
            let at = Timestamp::from_micros(row.int(0)?);
            Ok(SealedEntry { at, leaf_hash: row.array(1, "leaf hash")?, sealed: row.bytes(2)? })
        })
        .transpose()
    }
}

impl Tx {
    /// Opens the log under a name, unless it is open.
    pub async fn create_log(&mut self, origin: &str) -> Result<(), StoreError> {
        self.execute(CREATE_HEAD, values![origin, Value::Bytes(b"")]).await.map(drop)
    }

    /// Writes entries with their queue rows, openings and tags.
    pub async fn add_events(&mut self, events: &[&NewEvent]) -> Result<(), StoreError> {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(events.len() * 9);
        let mut pending: Vec<Value<'_>> = Vec::with_capacity(events.len() * 2);
        let mut openings: Vec<Value<'_>> = Vec::new();
        let mut tags: Vec<Value<'_>> = Vec::new();
        let mut records: Vec<Value<'_>> = Vec::new();
        for event in events {
            values.extend([
                Value::from(event.id.as_bytes()),
                event.kind.into(),
                event.at.as_micros().into(),
                event.recipient.as_deref().into(),
                event.agreement.as_deref().into(),
                event.purpose.as_deref().into(),
                event.outcome.as_deref().into(),
                (&event.leaf_hash).into(),
                (&event.body).into(),
            ]);
            pending.extend([Value::from(event.id.as_bytes()), (&event.leaf_hash).into()]);
            for (field, sealed) in &event.openings {
                openings.extend([Value::from(event.id.as_bytes()), (*field).into(), sealed.into()]);
            }
            for tag in &event.tags {
                tags.extend([Value::from(tag), event.id.as_bytes().into()]);
            }
            for record in &event.records {
                records.extend([Value::from(&record.tag), event.id.as_bytes().into(), record.is_asked_about.into()]);
            }
        }
        self.insert_many(&ADD_EVENTS, &values).await?;
        self.insert_many(&ADD_PENDING, &pending).await?;
        self.insert_many(&ADD_OPENINGS, &openings).await?;
        self.insert_many(&ADD_TAGS, &tags).await?;
        self.insert_many(&ADD_RECORD_USES, &records).await.map(drop)
    }

    /// Charges a counter; returns how much was used before. The row stays locked until the end of the
    /// transaction, so callers charge several counters in the order of their keys.
    pub async fn charge(&mut self, key: &CeilingKey, count: i64) -> Result<i64, StoreError> {
        let values = values![&key.agreement, &key.clause, &key.recipient, key.day, count];
        let row = self.fetch_optional(CHARGE, values).await?.ok_or(StoreError::Corrupt("ceiling"))?;
        Ok(row.int(0)? - count)
    }

    /// Takes back what was charged over the ceiling.
    pub async fn refund(&mut self, key: &CeilingKey, count: i64) -> Result<(), StoreError> {
        let values = values![&key.agreement, &key.clause, &key.recipient, key.day, count];
        self.execute(REFUND, values).await.map(drop)
    }

    /// Keeps replies for callers who repeat a request. Returns the events of those that were kept:
    /// where a reply of the same client and tag is there already, that one stays.
    pub async fn add_replies(&mut self, replies: &[&KeptReply]) -> Result<Vec<EventId>, StoreError> {
        let values: Vec<Value<'_>> = replies
            .iter()
            .flat_map(|kept| {
                [
                    Value::from(&kept.client),
                    (&kept.tag).into(),
                    (&kept.reply.request_hash).into(),
                    kept.reply.event.as_bytes().into(),
                    kept.reply.policy_revision.into(),
                    kept.reply.generation.into(),
                    kept.expires_at.as_micros().into(),
                ]
            })
            .collect();
        let rows = self.insert_many(&ADD_REPLIES, &values).await?;
        rows.iter().map(|row| event_id(row, 0)).collect()
    }

    /// Forgets replies that expired.
    pub async fn forget_replies(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        self.execute(FORGET_REPLIES, values![before.as_micros()]).await
    }

    /// Takes the sequencer's lock and reads the head. `None` before the log is opened.
    pub async fn lock_log(&mut self) -> Result<Option<StoredHead>, StoreError> {
        self.fetch_optional(LOCK_HEAD, values![]).await?.as_ref().map(read_head).transpose()
    }

    /// The oldest queued entries.
    pub async fn pending_events(&mut self, limit: i64) -> Result<Vec<PendingEvent>, StoreError> {
        let rows = self.fetch_all(PENDING, values![limit]).await?;
        rows.iter()
            .map(|row| {
                Ok(PendingEvent { id: event_id(row, 0)?, leaf_hash: row.array(1, "leaf hash")?, body: row.bytes(2)? })
            })
            .collect()
    }

    /// Takes entries off the queue and gives them their places.
    pub async fn append_leaves(&mut self, first: u64, leaves: &[(EventId, [u8; 32])]) -> Result<(), StoreError> {
        for piece in leaves.chunks(ListStatement::MOST) {
            let (sql, length) = DROP_PENDING.text(piece.len());
            let values: Vec<Value<'_>> = (0..length)
                .map(|n| piece.get(n).map_or(Value::Bytes(b""), |(event, _)| event.as_bytes().into()))
                .collect();
            if self.execute(sql, &values).await? != piece.len() as u64 {
                return Err(StoreError::Busy("another sequencer took these entries".to_owned()));
            }
        }
        let values: Vec<Value<'_>> = leaves
            .iter()
            .zip(first as i64..)
            .flat_map(|((event, hash), index)| [Value::Int(index), event.as_bytes().into(), hash.into()])
            .collect();
        self.insert_many(&ADD_LEAVES, &values).await.map(drop)
    }

    /// Writes tiles, replacing partial ones.
    pub async fn put_tiles(&mut self, tiles: &[(u8, u64, Vec<u8>)]) -> Result<(), StoreError> {
        let values: Vec<Value<'_>> = tiles
            .iter()
            .flat_map(|(level, n, data)| [Value::Int(i64::from(*level)), (*n as i64).into(), data.into()])
            .collect();
        self.insert_many(&PUT_TILES, &values).await.map(drop)
    }

    /// A tile as this transaction sees it.
    pub async fn log_tile(&mut self, level: u8, n: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.fetch_optional(TILE, values![i64::from(level), n as i64]).await?;
        row.map(|row| row.bytes(0)).transpose()
    }

    /// The log's head as this transaction sees it.
    pub async fn log_head(&mut self) -> Result<Option<StoredHead>, StoreError> {
        self.fetch_optional(HEAD, values![]).await?.as_ref().map(read_head).transpose()
    }

    /// The newest checkpoint's note as this transaction sees it.
    pub async fn newest_checkpoint(&mut self) -> Result<Option<String>, StoreError> {
        self.fetch_optional(CHECKPOINT, values![]).await?.map(|row| row.text(2)).transpose()
    }

    /// How many entries wait to be sequenced, as this transaction sees it.
    pub async fn pending_count(&mut self) -> Result<i64, StoreError> {
        self.fetch_optional(PENDING_COUNT, values![]).await?.ok_or(StoreError::Corrupt("count"))?.int(0)
    }

    /// Checkpoints from a size on, smallest first.
    pub async fn checkpoints_from(&mut self, size: u64, limit: i64) -> Result<Vec<(u64, String)>, StoreError> {
        let rows = self.fetch_all(CHECKPOINTS_FROM, values![size as i64, limit]).await?;
        rows.iter().map(|row| Ok((row.int(0)? as u64, row.text(1)?))).collect()
    }

    /// Entries by index with the hashes of their leaves, from `start` up to and without `end`.
    pub async fn log_leaves(&mut self, start: u64, end: u64) -> Result<Vec<PendingEvent>, StoreError> {
        let rows = self.fetch_all(LEAVES, values![start as i64, end as i64]).await?;
        rows.iter().map(read_event).collect()
    }

    /// Queued entries after an event, in order.
    pub async fn pending_after(&mut self, event: Option<EventId>, limit: i64) -> Result<Vec<PendingEvent>, StoreError> {
        let after: &[u8] = event.as_ref().map_or(b"", |event| event.as_bytes());
        let rows = self.fetch_all(PENDING_AFTER, values![after, limit]).await?;
        rows.iter().map(read_event).collect()
    }

    /// How many entries and how many leaves there are.
    pub async fn log_counts(&mut self) -> Result<(u64, u64), StoreError> {
        let row = self.fetch_optional(LOG_COUNTS, values![]).await?.ok_or(StoreError::Corrupt("count"))?;
        Ok((row.int(0)? as u64, row.int(1)? as u64))
    }

    /// Moves the head.
    pub async fn move_head(&mut self, size: u64, edge: &[u8]) -> Result<(), StoreError> {
        self.execute(MOVE_HEAD, values![size as i64, edge]).await.map(drop)
    }

    /// Keeps a signed checkpoint.
    pub async fn put_checkpoint(&mut self, size: u64, at: Timestamp, note: &str) -> Result<(), StoreError> {
        self.execute(ADD_CHECKPOINT, values![size as i64, at.as_micros(), note]).await.map(drop)
    }
}

pub(super) fn read_event(row: &Row) -> Result<PendingEvent, StoreError> {
    Ok(PendingEvent { id: event_id(row, 0)?, leaf_hash: row.array(1, "leaf hash")?, body: row.bytes(2)? })
}

fn read_head(row: &Row) -> Result<StoredHead, StoreError> {
    Ok(StoredHead { origin: row.text(0)?, size: row.int(1)? as u64, edge: row.bytes(2)? })
}

/// A reply in the columns from `first` on.
fn read_reply(row: &Row, first: usize) -> Result<StoredReply, StoreError> {
    Ok(StoredReply {
        request_hash: row.array(first, "request hash")?,
        event: event_id(row, first + 1)?,
        policy_revision: row.int(first + 2)?,
        generation: row.int(first + 3)?,
    })
}

fn event_id(row: &Row, column: usize) -> Result<EventId, StoreError> {
    EventId::from_slice(&row.bytes(column)?).map_err(|_| StoreError::Corrupt("event id"))
}
