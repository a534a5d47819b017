//! Links: which records belong to one component, generation by generation, and making a submission visible.
//!
//! One submission of a programme is made visible at a time: it claims the programme's row for a
//! while, writes link rows for the next generation in small transactions that nobody sees, and ends
//! with one small update that makes rows, links and the removal of the replaced snapshot visible.

use std::collections::{HashMap, HashSet};

use super::bulk::BulkInsert;
use super::records::{LinkableRecord, read_linkable};
use super::statements::{ListStatement, statements};
use super::submissions::{FOREVER, SubmissionState};
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, FeedCode, ProgrammeCode, SubmissionId};
use crate::domain::time::Timestamp;
use crate::domain::token::Blinded;

pub(super) static ADD_LINKS: BulkInsert = BulkInsert::new(
    "INSERT INTO link (record, visible_from, visible_to, component, person, shielded, apart) VALUES",
    7,
    "",
);
/// Ends link rows that the next generation replaces.
pub(super) static END_LINKS: ListStatement =
    ListStatement::new("UPDATE link SET visible_to = $1 WHERE visible_to + 0 = $2 AND record IN ({list})", 2);
pub(super) static ADD_DEPARTED: BulkInsert = BulkInsert::new(
    "INSERT INTO departed (record, programme, submission, visible_to) VALUES",
    4,
    "ON CONFLICT (record) DO NOTHING",
);
/// Records that hold one of these tokens: visible ones, and those of the submission at hand. `$4` is
/// the feed that is replaced as a whole, or empty.
pub(super) static HOLDERS: ListStatement = ListStatement::new(
    "WITH held AS MATERIALIZED (SELECT blinded, record FROM token WHERE blinded IN ({list}))
     SELECT held.blinded, held.record, link.component
     FROM held
     JOIN record ON record.id = held.record
     JOIN submission ON submission.id = record.submission
     LEFT JOIN link ON link.record = held.record AND link.visible_from <= $1 AND link.visible_to + 0 > $1
     WHERE submission.programme = $2
       AND (submission.id = $3
            OR (link.record IS NOT NULL AND record.agency || '/' || record.feed <> $4
                AND submission.visible_from <= $1 AND submission.visible_to > $1))",
    4,
);
/// Visible records of these components, without those of the feed that is being replaced.
pub(super) static MEMBERS: ListStatement = ListStatement::new(
    "SELECT record.id, record.agency, record.feed, record.reference, record.restricted, record.tokens,
            record.households, link.component, link.person, link.shielded, link.apart
     FROM link
     JOIN record ON record.id = link.record
     JOIN submission ON submission.id = record.submission
     WHERE link.visible_from <= $1 AND link.visible_to + 0 > $1
       AND submission.visible_from <= $1 AND submission.visible_to > $1
       AND record.agency || '/' || record.feed <> $2
       AND link.component IN ({list})",
    2,
);
pub(super) static COMPONENTS_OF: ListStatement = ListStatement::new(
    "SELECT DISTINCT component FROM link WHERE visible_from <= $1 AND visible_to + 0 > $1 AND record IN ({list})",
    1,
);
pub(super) static BY_ID: ListStatement = ListStatement::new(
    "SELECT id, agency, feed, reference, restricted, tokens, households FROM record WHERE id IN ({list})",
    0,
);

/// Records that a shield reaches at the claimed generation.
pub(super) static SHIELDED_NOW: ListStatement = ListStatement::new(
    "SELECT record FROM link WHERE visible_from <= $1 AND visible_to + 0 > $1 AND shielded = 1 AND record IN ({list})",
    1,
);
/// Records whose predecessor, that which their feed shows now under the same reference, a shield reaches.
pub(super) static SHIELDED_PREDECESSOR: ListStatement = ListStatement::new(
    "WITH fresh AS MATERIALIZED (SELECT id, agency, feed, reference FROM record WHERE id IN ({list}))
     SELECT fresh.id FROM fresh
     JOIN submission ON submission.programme = $2 AND submission.agency = fresh.agency AND submission.feed = fresh.feed
       AND submission.visible_from <= $1 AND submission.visible_to > $1
     JOIN record old ON old.submission = submission.id AND old.reference = fresh.reference
     JOIN link ON link.record = old.id AND link.visible_from <= $1 AND link.visible_to + 0 > $1 AND link.shielded = 1",
    2,
);

statements! {
    /// Changes nothing but takes the row's lock, so that what it returns holds until the commit.
    LOCK = "UPDATE programme SET publisher_until = publisher_until WHERE code = $1
            RETURNING publisher, publisher_until, generation";
    CLAIM = "UPDATE programme SET publisher = $2, publisher_until = $3 WHERE code = $1";
    UNLINKED = "SELECT COUNT(*) FROM record
                LEFT JOIN link ON link.record = record.id AND link.visible_from = $2
                WHERE record.submission = $1 AND link.record IS NULL";
    KEEP = "UPDATE programme SET publisher_until = $3 WHERE code = $1 AND publisher = $2";
    RELEASE = "UPDATE programme SET publisher = NULL, publisher_until = 0 WHERE code = $1 AND publisher = $2";
    ADVANCE = "UPDATE programme SET generation = $3, publisher = NULL, publisher_until = 0
               WHERE code = $1 AND publisher = $2 AND generation = $4";
    UNDO_ADDED = "DELETE FROM link WHERE visible_from = $1 AND record IN
                    (SELECT record.id FROM record JOIN submission ON submission.id = record.submission
                     WHERE submission.programme = $2)";
    UNDO_ENDED = "UPDATE link SET visible_to = $2 WHERE visible_to = $1 AND record IN
                    (SELECT record.id FROM record JOIN submission ON submission.id = record.submission
                     WHERE submission.programme = $3)";
    VISIBLE = "SELECT record.id, record.agency, record.feed, record.reference, record.restricted, record.tokens,
                      record.households, link.component, link.person, link.shielded, link.apart
               FROM link
               JOIN record ON record.id = link.record
               JOIN submission ON submission.id = record.submission
               WHERE link.visible_from <= $1 AND link.visible_to + 0 > $1
                 AND submission.visible_from <= $1 AND submission.visible_to > $1
                 AND submission.programme = $2 AND record.id > $3
               ORDER BY record.id LIMIT $4";
    UNDO_DEPARTED = "DELETE FROM departed WHERE programme = $1 AND visible_to = $2";
    DEPARTED = "SELECT record.id, record.agency, record.feed, record.reference, record.restricted, record.tokens,
                       record.households, departed.submission
                FROM departed JOIN record ON record.id = departed.record
                WHERE departed.programme = $1 AND departed.visible_to < $2
                ORDER BY departed.visible_to, departed.record LIMIT $3";
    FORGET_DEPARTED = "DELETE FROM departed WHERE programme = $1 AND visible_to < $2
                         AND NOT EXISTS (SELECT 1 FROM record WHERE record.id = departed.record)";
    FORGET_ENDED = "DELETE FROM link WHERE visible_to < $1 AND record IN
                    (SELECT record.id FROM record JOIN submission ON submission.id = record.submission
                     WHERE submission.programme = $2)";
}

/// Where a token is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The token.
    pub blinded: Blinded,
    /// The record that holds it.
    pub record: i64,
    /// The component that the record is in, when it is visible.
    pub component: Option<i64>,
}

/// A visible record with the link it has.
#[derive(Debug, Clone)]
pub struct Member {
    /// The record.
    pub record: LinkableRecord,
    /// Its link.
    pub link: Link,
}

/// A record's place: its component, its person over all records, and whether a shield reaches it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// Smallest record id of the component.
    pub component: i64,
    /// A record id that names the person.
    pub person: i64,
    /// A restriction reaches the record.
    pub is_shielded: bool,
    /// Marks of the recorded splits that the record's person carries: records of two persons that share
    /// one are different people, for everybody who sees them.
    pub apart: Vec<[u8; 16]>,
}

/// What the next generation adds and takes away.
#[derive(Debug, Clone, Default)]
pub struct Turnover {
    /// The submission that becomes visible; none when one is only taken back.
    pub arriving: Option<SubmissionId>,
    /// Every visible record of this feed goes, the arriving submission's own excepted.
    pub feed: Option<(AgencyCode, FeedCode)>,
    /// Submissions that are hidden, and what they are called then.
    pub ending: Vec<(SubmissionId, SubmissionState)>,
    /// Single records that go, with the submissions that they came in.
    pub records: HashMap<i64, SubmissionId>,
}

impl Turnover {
    /// The feed that goes as a whole, as the statements compare it.
    fn feed_text(&self) -> String {
        self.feed.as_ref().map_or(String::new(), |(agency, feed)| format!("{agency}/{feed}"))
    }
}

/// A claim on the programme's next generation.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Made afresh for every claim, so that two replicas at the same submission are told apart.
    pub id: [u8; 16],
    /// The programme.
    pub programme: ProgrammeCode,
    /// The submission that is being made visible, or taken back.
    pub submission: SubmissionId,
    /// The generation that enquiries see meanwhile.
    pub generation: i64,
}

impl Store {
    /// Records that hold any of these tokens, among the visible ones that stay and those that arrive.
    pub async fn token_holders(
        &self,
        claim: &Claim,
        turnover: &Turnover,
        tokens: &[Blinded],
    ) -> Result<Vec<Holder>, StoreError> {
        let left_out = turnover.feed_text();
        let arriving = turnover.arriving.as_ref().map_or(&[][..], |id| id.as_bytes());
        let mut holders = Vec::new();
        for piece in tokens.chunks(ListStatement::MOST) {
            let (sql, length) = HOLDERS.text(piece.len());
            let mut values: Vec<Value<'_>> =
                vec![claim.generation.into(), claim.programme.as_str().into(), arriving.into(), Value::from(&left_out)];
            values.extend((0..length).map(|n| piece.get(n).map_or(Value::Bytes(b""), |t| t.as_bytes().into())));
            for row in self.fetch_all(sql, &values).await? {
                let record = row.int(1)?;
                if turnover.records.contains_key(&record) {
                    continue;
                }
                let blinded = Blinded::new(row.array(0, "token")?);
                holders.push(Holder { blinded, record, component: row.optional_int(2)? });
            }
        }
        Ok(holders)
    }

    /// The visible members of components, without those that go.
    pub async fn members(
        &self,
        claim: &Claim,
        turnover: &Turnover,
        components: &[i64],
    ) -> Result<Vec<Member>, StoreError> {
        let left_out = turnover.feed_text();
        let mut members = Vec::new();
        for piece in components.chunks(ListStatement::MOST) {
            let (sql, length) = MEMBERS.text(piece.len());
            let mut values: Vec<Value<'_>> = vec![claim.generation.into(), Value::from(&left_out)];
            values.extend((0..length).map(|n| Value::Int(piece.get(n).copied().unwrap_or(-1))));
            for row in self.fetch_all(sql, &values).await? {
                let member = read_member(&row)?;
                if !turnover.records.contains_key(&member.record.id) {
                    members.push(member);
                }
            }
        }
        Ok(members)
    }

    /// A page of every visible record with its link, in the order of record ids.
    pub async fn visible_links(
        &self,
        programme: &ProgrammeCode,
        generation: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Member>, StoreError> {
        let rows = self.fetch_all(VISIBLE, values![generation, programme.as_str(), after, limit]).await?;
        rows.iter().map(read_member).collect()
    }

    /// The components that records are in at the claimed generation.
    pub async fn components_of(&self, claim: &Claim, records: &[i64]) -> Result<Vec<i64>, StoreError> {
        let mut components = Vec::new();
        for piece in records.chunks(ListStatement::MOST) {
            let (sql, length) = COMPONENTS_OF.text(piece.len());
            let mut values: Vec<Value<'_>> = vec![claim.generation.into()];
            values.extend((0..length).map(|n| Value::Int(piece.get(n).copied().unwrap_or(-1))));
            for row in self.fetch_all(sql, &values).await? {
                components.push(row.int(0)?);
            }
        }
        Ok(components)
    }

    /// Those of the records that a shield reaches now, or reaches in what their feed shows now under
    /// the same reference.
    pub async fn shielded_before(&self, claim: &Claim, ids: &[i64]) -> Result<HashSet<i64>, StoreError> {
        let mut found = HashSet::new();
        for piece in ids.chunks(ListStatement::MOST) {
            for (statement, names_programme) in [(&SHIELDED_NOW, false), (&SHIELDED_PREDECESSOR, true)] {
                let (sql, length) = statement.text(piece.len());
                let mut values: Vec<Value<'_>> = vec![claim.generation.into()];
                if names_programme {
                    values.push(claim.programme.as_str().into());
                }
                values.extend((0..length).map(|n| Value::Int(piece.get(n).copied().unwrap_or(-1))));
                for row in self.fetch_all(sql, &values).await? {
                    found.insert(row.int(0)?);
                }
            }
        }
        Ok(found)
    }

    /// Records by id, in any order.
    pub async fn linkable_records(&self, ids: &[i64]) -> Result<Vec<LinkableRecord>, StoreError> {
        let mut records = Vec::with_capacity(ids.len());
        for piece in ids.chunks(ListStatement::MOST) {
            let (sql, length) = BY_ID.text(piece.len());
            let values: Vec<Value<'_>> = (0..length).map(|n| Value::Int(piece.get(n).copied().unwrap_or(-1))).collect();
            for row in self.fetch_all(sql, &values).await? {
                records.push(read_linkable(&row)?);
            }
        }
        Ok(records)
    }
}

impl Tx {
    /// Claims the programme's next generation until a moment. `None` when another submission has it.
    ///
    /// What a publisher that died left behind is undone first.
    pub async fn claim_generation(
        &mut self,
        id: [u8; 16],
        programme: &ProgrammeCode,
        submission: SubmissionId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Claim>, StoreError> {
        let Some(row) = self.fetch_optional(LOCK, values![programme.as_str()]).await? else {
            return Ok(None);
        };
        let (was_held, lapses, generation) = (row.optional_bytes(0)?.is_some(), row.int(1)?, row.int(2)?);
        if was_held && lapses >= now.as_micros() {
            return Ok(None);
        }
        self.execute(CLAIM, values![programme.as_str(), &id, until.as_micros()]).await?;
        if was_held {
            self.execute(UNDO_ADDED, values![generation + 1, programme.as_str()]).await?;
            self.execute(UNDO_ENDED, values![generation + 1, FOREVER, programme.as_str()]).await?;
            self.execute(UNDO_DEPARTED, values![programme.as_str(), generation + 1]).await?;
        }
        Ok(Some(Claim { id, programme: programme.clone(), submission, generation }))
    }

    /// Keeps the claim. Returns false when it was lost: then nothing of this transaction may be kept.
    pub async fn keep_claim(&mut self, claim: &Claim, until: Timestamp) -> Result<bool, StoreError> {
        let values = values![claim.programme.as_str(), &claim.id, until.as_micros()];
        Ok(self.execute(KEEP, values).await? == 1)
    }

    /// Gives the claim up without making anything visible.
    pub async fn release_claim(&mut self, claim: &Claim) -> Result<(), StoreError> {
        self.execute(UNDO_ADDED, values![claim.generation + 1, claim.programme.as_str()]).await?;
        self.execute(UNDO_ENDED, values![claim.generation + 1, FOREVER, claim.programme.as_str()]).await?;
        self.execute(UNDO_DEPARTED, values![claim.programme.as_str(), claim.generation + 1]).await?;
        self.execute(RELEASE, values![claim.programme.as_str(), &claim.id]).await.map(drop)
    }

    /// Writes link rows for the next generation, ending those that the same records have now.
    pub async fn write_links(&mut self, claim: &Claim, links: &[(i64, Link)]) -> Result<(), StoreError> {
        let next = claim.generation + 1;
        let records: Vec<i64> = links.iter().map(|(record, _)| *record).collect();
        self.end_links(next, &records).await?;
        let marks: Vec<Vec<u8>> = links.iter().map(|(_, link)| link.apart.concat()).collect();
        let values: Vec<Value<'_>> = links
            .iter()
            .zip(&marks)
            .flat_map(|((record, link), marks)| {
                [
                    (*record).into(),
                    next.into(),
                    FOREVER.into(),
                    link.component.into(),
                    link.person.into(),
                    Value::from(link.is_shielded),
                    Some(marks.as_slice()).filter(|marks| !marks.is_empty()).into(),
                ]
            })
            .collect();
        self.insert_many(&ADD_LINKS, &values).await.map(drop)
    }

    /// Ends the links of single records, so that the next generation does not see them. Until then
    /// everybody does, and a claim that is given up brings them back.
    pub async fn end_records(&mut self, claim: &Claim, records: &[(i64, SubmissionId)]) -> Result<(), StoreError> {
        let next = claim.generation + 1;
        let ids: Vec<i64> = records.iter().map(|(record, _)| *record).collect();
        self.end_links(next, &ids).await?;
        let values: Vec<Value<'_>> = records
            .iter()
            .flat_map(|(record, submission)| {
                [(*record).into(), claim.programme.as_str().into(), submission.as_bytes().into(), Value::from(next)]
            })
            .collect();
        self.insert_many(&ADD_DEPARTED, &values).await.map(drop)
    }

    async fn end_links(&mut self, next: i64, records: &[i64]) -> Result<(), StoreError> {
        for piece in records.chunks(ListStatement::MOST) {
            let (sql, length) = END_LINKS.text(piece.len());
            let mut values: Vec<Value<'_>> = vec![next.into(), FOREVER.into()];
            values.extend((0..length).map(|n| Value::Int(piece.get(n).copied().unwrap_or(-1))));
            self.execute(sql, &values).await?;
        }
        Ok(())
    }

    /// Makes everything of a turnover happen at once: what arrives is seen, with its links, and what
    /// goes is not. Returns false when the claim was lost: then nothing of this transaction may be kept.
    pub async fn advance_generation(
        &mut self,
        claim: &Claim,
        turnover: &Turnover,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let next = claim.generation + 1;
        if let Some(arriving) = turnover.arriving {
            let unlinked = self.fetch_optional(UNLINKED, values![arriving.as_bytes(), next]).await?;
            if unlinked.ok_or(StoreError::Corrupt("count"))?.int(0)? > 0 {
                // Shown like this, its records would answer nobody and its restrictions shield nobody.
                return Err(StoreError::Corrupt("a submission about to be shown has records without links"));
            }
        }
        let values = values![claim.programme.as_str(), &claim.id, next, claim.generation];
        self.hold_view(Some(&claim.programme)).await?;
        if self.execute(ADVANCE, values).await? != 1 {
            return Ok(false);
        }
        if let Some(arriving) = turnover.arriving
            && !self.show_submission(arriving, next, now).await?
        {
            return Ok(false);
        }
        for (submission, state) in &turnover.ending {
            if !self.hide_submission(*submission, *state, next, now).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes the rows of records that single-record changes ended before a generation, and their
    /// notes. Returns how many there were; fewer than `limit` when none are left.
    pub async fn remove_departed(
        &mut self,
        programme: &ProgrammeCode,
        before: i64,
        limit: i64,
    ) -> Result<u64, StoreError> {
        let rows = self.fetch_all(DEPARTED, values![programme.as_str(), before, limit]).await?;
        let mut by_submission: HashMap<[u8; 16], Vec<LinkableRecord>> = HashMap::new();
        for row in &rows {
            by_submission.entry(row.array(7, "submission id")?).or_default().push(read_linkable(row)?);
        }
        for (submission, records) in &by_submission {
            let submission = SubmissionId::from_slice(submission).map_err(|_| StoreError::Corrupt("submission id"))?;
            self.remove_records(submission, records).await?;
        }
        self.execute(FORGET_DEPARTED, values![programme.as_str(), before]).await?;
        Ok(rows.len() as u64)
    }

    /// Removes link rows that ended before a generation.
    pub async fn forget_links(&mut self, programme: &ProgrammeCode, before: i64) -> Result<u64, StoreError> {
        self.execute(FORGET_ENDED, values![before, programme.as_str()]).await
    }
}

fn read_member(row: &Row) -> Result<Member, StoreError> {
    Ok(Member {
        record: read_linkable(row)?,
        link: Link {
            component: row.int(7)?,
            person: row.int(8)?,
            is_shielded: row.int(9)? == 1,
            apart: read_marks(row.optional_bytes(10)?)?,
        },
    })
}

/// Marks of recorded splits, 16 bytes each.
pub(super) fn read_marks(stored: Option<Vec<u8>>) -> Result<Vec<[u8; 16]>, StoreError> {
    let stored = stored.unwrap_or_default();
    let (marks, rest) = stored.as_chunks::<16>();
    if rest.is_empty() { Ok(marks.to_vec()) } else { Err(StoreError::Corrupt("marks of splits")) }
}
