//! Families: their numbers, records, history, leads and contacts. History only grows: nothing here
//! changes or removes a row of it.

use super::records::{Joined, Reach, read_joined};
use super::statements::{ListStatement, statements};
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::family::{FamilyEventKind, IdentificationRoute, LeadSpell, RecordName};
use crate::domain::ids::{AgencyCode, EventId, OpaqueRef, ProgrammeCode};
use crate::domain::tfid::Tfid;
use crate::domain::time::{Month, Timestamp};

/// Records in reach by their agencies' references. A record of others that a shield keeps back is
/// counted and nothing of it is read.
pub(super) static BY_REFERENCE: ListStatement = ListStatement::new(
    "SELECT record.id, record.agency, record.feed, record.reference,
            CASE WHEN record.agency <> $3 AND link.shielded = 1 THEN NULL ELSE record.tokens END,
            CASE WHEN record.agency <> $3 AND link.shielded = 1 THEN NULL ELSE record.households END,
            CASE WHEN record.agency <> $3 AND link.shielded = 1 THEN NULL ELSE record.evidence END,
            CASE WHEN record.agency <> $3 AND link.shielded = 1 THEN NULL ELSE link.apart END
     FROM submission
     JOIN record ON record.submission = submission.id AND record.reference IN ({list})
     JOIN link ON link.record = record.id AND link.visible_from <= $1 AND link.visible_to + 0 > $1
     WHERE submission.visible_from <= $1 AND submission.visible_to > $1
       AND submission.programme = $2
       AND (record.agency = $3 OR link.shielded = 1
            OR replace($4, '|' || record.agency || '/' || record.feed || '|', '') <> $4)
     LIMIT $5",
    5,
);
pub(super) static FAMILIES_OF: ListStatement = ListStatement::new(
    "SELECT family, agency, feed, reference FROM family_record WHERE left_at = 0 AND reference IN ({list})
     ORDER BY family, agency, feed, reference",
    0,
);

statements! {
    FAMILY = "SELECT tfid, route, issued_at, attached_at, merged_into, revision FROM family
              WHERE tfid = $1 AND programme = $2";
    STANDING = "SELECT tfid, route, issued_at, attached_at, merged_into, revision FROM family
                WHERE programme = $1 AND tfid > $2 AND merged_into = '' ORDER BY tfid LIMIT $3";
    RECORDS = "SELECT agency, feed, reference FROM family_record WHERE family = $1 AND left_at = 0
               ORDER BY agency, feed, reference";
    HISTORY = "SELECT at, kind, other FROM family_event WHERE family = $1 ORDER BY n";
    LEADS = "SELECT agency, team_route, since, ended FROM family_lead WHERE family = $1 ORDER BY n";
    CONTACTS = "SELECT agency, feed, reference, first_month, last_month FROM family_contact WHERE family = $1
                ORDER BY agency, feed, reference";
    REQUEST = "SELECT request_hash, results FROM family_request
               WHERE client = $1 AND idempotency_tag = $2 AND expires_at > $3";
    ADD = "INSERT INTO family (tfid, programme, route, issued_at, attached_at, merged_into, revision)
           VALUES ($1, $2, $3, $4, 0, '', 1)";
    TOUCH = "UPDATE family SET revision = revision + 1 WHERE tfid = $1 AND revision = $2 AND merged_into = ''";
    ATTACH = "UPDATE family SET attached_at = $2 WHERE tfid = $1 AND attached_at = 0";
    ATTACH_EARLIER = "UPDATE family SET attached_at = $2
                      WHERE tfid = $1 AND $2 > 0 AND (attached_at = 0 OR attached_at > $2)";
    MERGE = "UPDATE family SET merged_into = $2 WHERE tfid = $1";
    MERGE_ON = "UPDATE family SET merged_into = $2 WHERE merged_into = $1";
    ADD_RECORD = "INSERT INTO family_record (family, agency, feed, reference, joined_at, left_at)
                  VALUES ($1, $2, $3, $4, $5, 0)
                  ON CONFLICT (family, agency, feed, reference) DO UPDATE SET left_at = 0";
    LEAVE_RECORD = "UPDATE family_record SET left_at = $5
                    WHERE family = $1 AND agency = $2 AND feed = $3 AND reference = $4 AND left_at = 0";
    ADD_EVENT = "INSERT INTO family_event (family, n, at, kind, other, event)
                 SELECT $1, CAST(COALESCE(MAX(n), 0) + 1 AS BIGINT), $2, $3, $4, $5 FROM family_event WHERE family = $1";
    ADD_LEAD = "INSERT INTO family_lead (family, n, agency, team_route, since, ended)
                SELECT $1, CAST(COALESCE(MAX(n), 0) + 1 AS BIGINT), $2, $3, $4, '' FROM family_lead WHERE family = $1";
    END_LEAD = "UPDATE family_lead SET ended = $2 WHERE family = $1 AND agency = $3 AND ended = ''";
    NOTE_CONTACT = "INSERT INTO family_contact (family, agency, feed, reference, first_month, last_month, noted_at)
                    VALUES ($1, $2, $3, $4, $5, $5, $6)
                    ON CONFLICT (family, agency, feed, reference)
                    DO UPDATE SET last_month = excluded.last_month, noted_at = excluded.noted_at";
    KEEP_REQUEST = "INSERT INTO family_request (client, idempotency_tag, request_hash, results, expires_at)
                    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (client, idempotency_tag) DO NOTHING";
    FORGET_REQUESTS = "DELETE FROM family_request WHERE expires_at < $1";
}

/// A family's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFamily {
    /// Its number.
    pub tfid: Tfid,
    /// How it came to the programme.
    pub route: IdentificationRoute,
    /// When its number was issued.
    pub issued_at: Timestamp,
    /// When it was attached.
    pub attached_at: Option<Timestamp>,
    /// The family that it became part of.
    pub merged_into: Option<Tfid>,
    /// Raised by every change.
    pub revision: i64,
}

/// One line of a family's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredFamilyEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: FamilyEventKind,
    /// The other family of a merge or split.
    pub other: Option<Tfid>,
}

/// Contact that a record told of after the family was attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredContact {
    /// The record.
    pub record: RecordName,
    /// The first month noted.
    pub first: Month,
    /// The newest month noted.
    pub last: Month,
}

/// What is kept of a request that changed something.
#[derive(Debug, Clone)]
pub struct FamilyRequest<'a> {
    /// Whose.
    pub client: &'a str,
    /// Keyed tag of its idempotency key.
    pub tag: &'a [u8; 32],
    /// Keyed hash of the request.
    pub request_hash: &'a [u8; 32],
    /// What was decided.
    pub results: &'a str,
    /// How long it is kept.
    pub expires_at: Timestamp,
}

impl Store {
    /// A family of the programme by its number.
    pub async fn family(&self, programme: &ProgrammeCode, tfid: &Tfid) -> Result<Option<StoredFamily>, StoreError> {
        let row = self.fetch_optional(FAMILY, values![stored(tfid), programme.as_str()]).await?;
        row.as_ref().map(read_family).transpose()
    }

    /// Families that stand by themselves, by their numbers, after one.
    pub async fn families_after(
        &self,
        programme: &ProgrammeCode,
        after: Option<&Tfid>,
        limit: i64,
    ) -> Result<Vec<StoredFamily>, StoreError> {
        let after = after.map_or("", stored);
        self.fetch_all(STANDING, values![programme.as_str(), after, limit]).await?.iter().map(read_family).collect()
    }

    /// The records that belong to a family now.
    pub async fn family_records(&self, tfid: &Tfid) -> Result<Vec<RecordName>, StoreError> {
        let rows = self.fetch_all(RECORDS, values![stored(tfid)]).await?;
        rows.iter().map(|row| record_name(row, 0)).collect()
    }

    /// A family's history, oldest first.
    pub async fn family_history(&self, tfid: &Tfid) -> Result<Vec<StoredFamilyEvent>, StoreError> {
        let rows = self.fetch_all(HISTORY, values![stored(tfid)]).await?;
        rows.iter()
            .map(|row| {
                Ok(StoredFamilyEvent {
                    at: Timestamp::from_micros(row.int(0)?),
                    kind: row.parsed(1, "family event")?,
                    other: optional_tfid(row, 2)?,
                })
            })
            .collect()
    }

    /// Who led for a family, oldest first.
    pub async fn family_leads(&self, tfid: &Tfid) -> Result<Vec<LeadSpell>, StoreError> {
        let rows = self.fetch_all(LEADS, values![stored(tfid)]).await?;
        rows.iter()
            .map(|row| {
                let ended = row.text(3)?;
                let ended = if ended.is_empty() { None } else { Some(row.parsed(3, "month")?) };
                Ok(LeadSpell {
                    agency: row.parsed(0, "agency")?,
                    team_route: row.parsed(1, "team route")?,
                    since: row.parsed(2, "month")?,
                    ended,
                })
            })
            .collect()
    }

    /// The contacts noted after a family was attached.
    pub async fn family_contacts(&self, tfid: &Tfid) -> Result<Vec<StoredContact>, StoreError> {
        let rows = self.fetch_all(CONTACTS, values![stored(tfid)]).await?;
        rows.iter()
            .map(|row| {
                let (first, last) = (row.parsed(3, "month")?, row.parsed(4, "month")?);
                Ok(StoredContact { record: record_name(row, 0)?, first, last })
            })
            .collect()
    }

    /// The records in reach that agencies know under these references, whichever agency it is.
    pub async fn joined_by_reference(&self, reach: Reach<'_>, references: &[OpaqueRef]) -> Result<Joined, StoreError> {
        let feeds = reach.feeds_text();
        let mut joined = Joined { records: Vec::new(), hidden: 0, is_cut_off: false };
        // At least one look, so that a family without records is asked about like any other.
        let pieces = references.len().div_ceil(ListStatement::MOST).max(1);
        for piece in 0..pieces {
            let piece = references.iter().skip(piece * ListStatement::MOST).take(ListStatement::MOST);
            let piece: Vec<&OpaqueRef> = piece.collect();
            let (sql, length) = BY_REFERENCE.text(piece.len());
            let mut values: Vec<Value<'_>> = vec![
                reach.generation.into(),
                reach.programme.as_str().into(),
                reach.asker.as_str().into(),
                (&feeds).into(),
                reach.limit.into(),
            ];
            values.extend((0..length).map(|n| Value::Text(piece.get(n).map_or("", |reference| reference.as_str()))));
            let part = read_joined(&self.fetch_all(sql, &values).await?, reach.limit)?;
            joined.records.extend(part.records);
            joined.hidden += part.hidden;
            joined.is_cut_off |= part.is_cut_off;
        }
        Ok(joined)
    }

    /// What was decided under an idempotency key: the request's hash and its results.
    pub async fn family_request(
        &self,
        client: &str,
        tag: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<([u8; 32], String)>, StoreError> {
        let row = self.fetch_optional(REQUEST, values![client, tag, now.as_micros()]).await?;
        row.map(|row| Ok((row.array(0, "request hash")?, row.text(1)?))).transpose()
    }
}

impl Tx {
    /// The families to which records of these references belong now, with the records.
    pub async fn families_of(&mut self, references: &[OpaqueRef]) -> Result<Vec<(Tfid, RecordName)>, StoreError> {
        let mut found = Vec::new();
        for piece in references.chunks(ListStatement::MOST) {
            let (sql, length) = FAMILIES_OF.text(piece.len());
            let values: Vec<Value<'_>> =
                (0..length).map(|n| Value::Text(piece.get(n).map_or("", OpaqueRef::as_str))).collect();
            for row in self.fetch_all(sql, &values).await? {
                found.push((row.parsed(0, "family number")?, record_name(&row, 1)?));
            }
        }
        Ok(found)
    }

    /// Takes a new number into use.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when it was ever used before.
    pub async fn add_family(
        &mut self,
        programme: &ProgrammeCode,
        tfid: &Tfid,
        route: IdentificationRoute,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(ADD, values![stored(tfid), programme.as_str(), route.as_str(), now.as_micros()]).await.map(drop)
    }

    /// Says that a family changes. False when it changed since it was read, or no longer stands.
    pub async fn touch_family(&mut self, tfid: &Tfid, revision: i64) -> Result<bool, StoreError> {
        Ok(self.execute(TOUCH, values![stored(tfid), revision]).await? == 1)
    }

    /// Notes that a family is attached.
    pub async fn attach_family(&mut self, tfid: &Tfid, now: Timestamp) -> Result<(), StoreError> {
        self.execute(ATTACH, values![stored(tfid), now.as_micros()]).await.map(drop)
    }

    /// Makes a family part of another: its number, and those that became part of it before, lead there
    /// from now on. The earlier attachment of the two holds.
    pub async fn merge_family(&mut self, from: &StoredFamily, into: &Tfid) -> Result<(), StoreError> {
        for statement in [MERGE, MERGE_ON] {
            self.execute(statement, values![stored(&from.tfid), stored(into)]).await?;
        }
        let attached = from.attached_at.map_or(0, Timestamp::as_micros);
        self.execute(ATTACH_EARLIER, values![stored(into), attached]).await.map(drop)
    }

    /// Gives records to a family.
    pub async fn join_family(&mut self, tfid: &Tfid, records: &[RecordName], now: Timestamp) -> Result<(), StoreError> {
        for record in records {
            let [agency, feed, reference] = parts(record);
            self.execute(ADD_RECORD, values![stored(tfid), agency, feed, reference, now.as_micros()]).await?;
        }
        Ok(())
    }

    /// Takes records from a family.
    pub async fn leave_family(
        &mut self,
        tfid: &Tfid,
        records: &[RecordName],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for record in records {
            let [agency, feed, reference] = parts(record);
            self.execute(LEAVE_RECORD, values![stored(tfid), agency, feed, reference, now.as_micros()]).await?;
        }
        Ok(())
    }

    /// Appends to a family's history.
    pub async fn add_family_event(
        &mut self,
        tfid: &Tfid,
        event: StoredFamilyEvent,
        entry: EventId,
    ) -> Result<(), StoreError> {
        let other = event.other.as_ref().map_or("", stored);
        let values = values![stored(tfid), event.at.as_micros(), event.kind.as_str(), other, entry.as_bytes()];
        self.execute(ADD_EVENT, values).await.map(drop)
    }

    /// Notes who leads from now on.
    pub async fn add_family_lead(&mut self, tfid: &Tfid, lead: &LeadSpell) -> Result<(), StoreError> {
        let since = lead.since.to_string();
        let values = values![stored(tfid), lead.agency.as_str(), lead.team_route.as_str(), &since];
        self.execute(ADD_LEAD, values).await.map(drop)
    }

    /// Ends the running leads of agencies; those of others run on.
    pub async fn end_family_leads(
        &mut self,
        tfid: &Tfid,
        ended: Month,
        agencies: &[AgencyCode],
    ) -> Result<(), StoreError> {
        let ended = ended.to_string();
        for agency in agencies {
            self.execute(END_LEAD, values![stored(tfid), &ended, agency.as_str()]).await?;
        }
        Ok(())
    }

    /// Notes the newest contact that a record tells of.
    pub async fn note_family_contact(
        &mut self,
        tfid: &Tfid,
        record: &RecordName,
        month: Month,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let month = month.to_string();
        let [agency, feed, reference] = parts(record);
        let values = values![stored(tfid), agency, feed, reference, &month, now.as_micros()];
        self.execute(NOTE_CONTACT, values).await.map(drop)
    }

    /// Keeps what was decided under an idempotency key. False when a request with the same key was first.
    pub async fn keep_family_request(&mut self, request: &FamilyRequest<'_>) -> Result<bool, StoreError> {
        let values =
            values![request.client, request.tag, request.request_hash, request.results, request.expires_at.as_micros()];
        Ok(self.execute(KEEP_REQUEST, values).await? == 1)
    }

    /// Forgets what was kept for repeated requests whose time is over.
    pub async fn forget_family_requests(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.execute(FORGET_REQUESTS, values![now.as_micros()]).await
    }
}

/// A number as it is stored.
fn stored(tfid: &Tfid) -> &str {
    std::str::from_utf8(tfid.as_bytes()).unwrap_or_default() // its symbols are ASCII
}

fn parts(record: &RecordName) -> [&str; 3] {
    [record.agency.as_str(), record.feed.as_str(), record.reference.as_str()]
}

fn optional_tfid(row: &Row, column: usize) -> Result<Option<Tfid>, StoreError> {
    if row.text(column)?.is_empty() { Ok(None) } else { row.parsed(column, "family number").map(Some) }
}

fn record_name(row: &Row, first: usize) -> Result<RecordName, StoreError> {
    let reference = OpaqueRef::parse(&row.text(first + 2)?).map_err(|_| StoreError::Corrupt("record reference"))?;
    Ok(RecordName { agency: row.parsed(first, "agency")?, feed: row.parsed(first + 1, "feed")?, reference })
}

fn read_family(row: &Row) -> Result<StoredFamily, StoreError> {
    let attached_at = row.int(3)?;
    Ok(StoredFamily {
        tfid: row.parsed(0, "family number")?,
        route: row.parsed(1, "route")?,
        issued_at: Timestamp::from_micros(row.int(2)?),
        attached_at: (attached_at > 0).then(|| Timestamp::from_micros(attached_at)),
        merged_into: optional_tfid(row, 4)?,
        revision: row.int(5)?,
    })
}
