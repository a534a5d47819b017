//! Which entries of the log rested on which record, by keyed tags; and the end of what opens an entry.

use super::bulk::BulkInsert;
use super::statements::{ListStatement, statements};
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;

pub(super) static ADD_RECORD_USES: BulkInsert = BulkInsert::new(
    "INSERT INTO subject_entry (tag, event, asked_about) VALUES",
    3,
    "ON CONFLICT (tag, event) DO NOTHING",
);
pub(super) static DROP_OPENINGS: ListStatement = ListStatement::new("DELETE FROM opening WHERE event IN ({list})", 0);
pub(super) static DROP_RECORD_USES: ListStatement =
    ListStatement::new("DELETE FROM subject_entry WHERE event IN ({list})", 0);
pub(super) static DROP_SUBJECT_TAGS: ListStatement =
    ListStatement::new("DELETE FROM subject_index WHERE event IN ({list})", 0);
pub(super) static DROP_REPLIES: ListStatement = ListStatement::new("DELETE FROM reply WHERE event IN ({list})", 0);
pub(super) static BY_TAG: ListStatement = ListStatement::new(
    "SELECT event.id, event.at, event.body, subject_entry.tag, subject_entry.asked_about FROM subject_entry
     JOIN event ON event.id = subject_entry.event
     WHERE subject_entry.tag IN ({list}) ORDER BY event.at, event.id, subject_entry.tag",
    0,
);
pub(super) static STILL_OPENED: ListStatement =
    ListStatement::new("SELECT DISTINCT event FROM opening WHERE event IN ({list})", 0);

statements! {
    /// A later entry that rests on what an earlier one rested on.
    COPY = "INSERT INTO subject_entry (tag, event, asked_about)
            SELECT tag, $2, asked_about FROM subject_entry WHERE event = $1
            ON CONFLICT (tag, event) DO NOTHING";
    /// Entries in the log, with openings still, of before a moment.
    OPENED_BEFORE = "SELECT event.id, event.type, event.at, event.body FROM event
                     JOIN log_leaf ON log_leaf.event = event.id
                     WHERE event.at < $1 AND (event.at > $2 OR (event.at = $2 AND event.id > $3))
                       AND EXISTS (SELECT 1 FROM opening WHERE opening.event = event.id)
                     ORDER BY event.at, event.id LIMIT $4";
    ERASURES = "SELECT id, body FROM event WHERE type = 'erasure' AND id > $1 ORDER BY id LIMIT $2";
}

/// A record that an entry rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordUse {
    /// Keyed tag of its name.
    pub tag: [u8; 16],
    /// The entry is about this record's person, not about another of the family.
    pub is_asked_about: bool,
}

/// An entry that rested on a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordEntry {
    /// The entry.
    pub event: EventId,
    /// When.
    pub at: Timestamp,
    /// The entry, verbatim.
    pub body: Vec<u8>,
    /// Which record, and how.
    pub of: RecordUse,
}

/// An entry with openings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedEntry {
    /// Its id.
    pub event: EventId,
    /// Its type.
    pub kind: String,
    /// Its time.
    pub at: Timestamp,
    /// The entry, verbatim.
    pub body: Vec<u8>,
}

impl Store {
    /// The entries that rested on records of these tags, oldest first.
    pub async fn entries_by_record(&self, tags: &[[u8; 16]]) -> Result<Vec<RecordEntry>, StoreError> {
        let mut found = Vec::new();
        for piece in tags.chunks(ListStatement::MOST) {
            let (sql, length) = BY_TAG.text(piece.len());
            let list: Vec<Value<'_>> =
                (0..length).map(|n| piece.get(n).map_or(Value::Bytes(b""), Into::into)).collect();
            for row in self.fetch_all(sql, &list).await? {
                found.push(RecordEntry {
                    event: event_id(&row, 0)?,
                    at: Timestamp::from_micros(row.int(1)?),
                    body: row.bytes(2)?,
                    of: RecordUse { tag: row.array(3, "record tag")?, is_asked_about: row.int(4)? == 1 },
                });
            }
        }
        Ok(found)
    }

    /// A page of the entries of before a moment that have openings still, after a place.
    pub async fn opened_before(
        &self,
        before: Timestamp,
        after: Option<(Timestamp, EventId)>,
        limit: i64,
    ) -> Result<Vec<OpenedEntry>, StoreError> {
        let (at, id) = after.map_or((i64::MIN, Vec::new()), |(at, id)| (at.as_micros(), id.as_bytes().to_vec()));
        let rows = self.fetch_all(OPENED_BEFORE, values![before.as_micros(), at, &id, limit]).await?;
        let read = |row: &Row| {
            Ok(OpenedEntry {
                event: event_id(row, 0)?,
                kind: row.text(1)?,
                at: Timestamp::from_micros(row.int(2)?),
                body: row.bytes(3)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// A page of the entries that tell of erasures.
    pub async fn erasure_entries(
        &self,
        after: Option<EventId>,
        limit: i64,
    ) -> Result<Vec<(EventId, Vec<u8>)>, StoreError> {
        let after: &[u8] = after.as_ref().map_or(b"", |event| event.as_bytes());
        let rows = self.fetch_all(ERASURES, values![after, limit]).await?;
        rows.iter().map(|row| Ok((event_id(row, 0)?, row.bytes(1)?))).collect()
    }
}

impl Tx {
    /// Notes that an entry rests on whatever another one rested on.
    pub async fn copy_record_uses(&mut self, from: EventId, to: EventId) -> Result<(), StoreError> {
        self.execute(COPY, values![from.as_bytes(), to.as_bytes()]).await.map(drop)
    }

    /// Which of these entries have openings still.
    pub async fn still_opened(&mut self, events: &[EventId]) -> Result<Vec<EventId>, StoreError> {
        let mut found = Vec::new();
        for piece in events.chunks(ListStatement::MOST) {
            let (sql, length) = STILL_OPENED.text(piece.len());
            for row in self.fetch_all(sql, &list_of(piece, length)).await? {
                found.push(event_id(&row, 0)?);
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Destroys what opens entries, and everything by which they are found for a person.
    pub async fn drop_openings(&mut self, events: &[EventId]) -> Result<(), StoreError> {
        for piece in events.chunks(ListStatement::MOST) {
            for statement in [&DROP_OPENINGS, &DROP_RECORD_USES, &DROP_SUBJECT_TAGS, &DROP_REPLIES] {
                let (sql, length) = statement.text(piece.len());
                self.execute(sql, &list_of(piece, length)).await?;
            }
        }
        Ok(())
    }
}

fn list_of(events: &[EventId], length: usize) -> Vec<Value<'_>> {
    (0..length).map(|n| events.get(n).map_or(Value::Bytes(b""), |event| event.as_bytes().into())).collect()
}

fn event_id(row: &Row, column: usize) -> Result<EventId, StoreError> {
    EventId::from_slice(&row.bytes(column)?).map_err(|_| StoreError::Corrupt("event id"))
}
