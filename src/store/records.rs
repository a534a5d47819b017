//! Records and their blinded tokens: staging, and finding the records that an enquiry may see.

use super::bulk::BulkInsert;
use super::links::read_marks;
use super::statements::{ListStatement, statements};
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, FeedCode, OpaqueRef, ProgrammeCode, SubmissionId};
use crate::domain::token::Blinded;

pub(super) static ADD_RECORDS: BulkInsert = BulkInsert::new(
    "INSERT INTO record (id, submission, agency, feed, reference, restricted, tokens, households, evidence,
                         home_tokens) VALUES",
    10,
    "ON CONFLICT (submission, reference) DO NOTHING RETURNING id",
);
pub(super) static ADD_TOKENS: BulkInsert = BulkInsert::new("INSERT INTO token (blinded, record) VALUES", 2, "");
pub(super) static ADD_HOUSEHOLDS: BulkInsert = BulkInsert::new("INSERT INTO household (blinded, record) VALUES", 2, "");

/// The part that both ways of finding records share: visible at the generation, of the programme,
/// from the asker or from a permitted feed, and beyond the asker's own only where no shield reaches.
///
/// `visible_to + 0` here and below keeps the planners from the index on `visible_to`: to them a range
/// looks like a third of the links, while nearly every link lasts for ever and all would be read.
macro_rules! visible_records {
    ($holders:literal) => {
        concat!(
            "SELECT record.id, record.agency, record.feed, record.reference, record.tokens, record.households,
                    record.evidence, link.apart
             FROM record
             JOIN link ON link.record = record.id AND link.visible_from <= $1 AND link.visible_to + 0 > $1
             JOIN submission ON submission.id = record.submission
             WHERE submission.visible_from <= $1 AND submission.visible_to > $1
               AND submission.programme = $2
               AND (record.agency = $3
                    OR (link.shielded = 0
                        AND replace($4, '|' || record.agency || '/' || record.feed || '|', '') <> $4))
               AND record.id IN (",
            $holders,
            ") LIMIT $5"
        )
    };
}

pub(super) static BY_TOKEN: ListStatement =
    ListStatement::new(visible_records!("SELECT token.record FROM token WHERE token.blinded IN ({list})"), 5);
pub(super) static BY_HOUSEHOLD: ListStatement = ListStatement::new(
    visible_records!("SELECT household.record FROM household WHERE household.blinded IN ({list})"),
    5,
);

/// Every record in reach of the components that hold a token, in one look. A record of others that
/// a shield keeps back is counted and nothing of it is read.
///
/// Step by step, so that no planner gets the idea to start from all links or all submissions.
macro_rules! joined_records {
    ($table:literal) => {
        concat!(
            "WITH held AS MATERIALIZED (SELECT record FROM ",
            $table,
            " WHERE blinded IN ({list})),
             found AS MATERIALIZED (
               SELECT DISTINCT link.component FROM held
               JOIN link ON link.record = held.record AND link.visible_from <= $1 AND link.visible_to + 0 > $1),
             joined AS MATERIALIZED (
               SELECT link.record, link.shielded, link.apart FROM found
               JOIN link ON link.component = found.component AND link.visible_from <= $1 AND link.visible_to + 0 > $1)
             SELECT record.id, record.agency, record.feed, record.reference,
                    CASE WHEN record.agency <> $3 AND joined.shielded = 1 THEN NULL ELSE record.tokens END,
                    CASE WHEN record.agency <> $3 AND joined.shielded = 1 THEN NULL ELSE record.households END,
                    CASE WHEN record.agency <> $3 AND joined.shielded = 1 THEN NULL ELSE record.evidence END,
                    CASE WHEN record.agency <> $3 AND joined.shielded = 1 THEN NULL ELSE joined.apart END
             FROM joined
             JOIN record ON record.id = joined.record
             JOIN submission ON submission.id = record.submission
             WHERE submission.visible_from <= $1 AND submission.visible_to > $1
               AND submission.programme = $2
               AND (record.agency = $3 OR joined.shielded = 1
                    OR replace($4, '|' || record.agency || '/' || record.feed || '|', '') <> $4)
             LIMIT $5"
        )
    };
}

pub(super) static JOINED_BY_TOKEN: ListStatement = ListStatement::new(joined_records!("token"), 5);
pub(super) static JOINED_BY_HOUSEHOLD: ListStatement = ListStatement::new(joined_records!("household"), 5);
/// How many records of others a shield keeps out of reach: for the sealed opening of the log entry.
pub(super) static HIDDEN: ListStatement = ListStatement::new(
    "SELECT COUNT(*) FROM link
     JOIN record ON record.id = link.record
     JOIN submission ON submission.id = record.submission
     WHERE link.visible_from <= $1 AND link.visible_to + 0 > $1
       AND submission.visible_from <= $1 AND submission.visible_to > $1
       AND submission.programme = $2
       AND record.agency <> $3 AND link.shielded = 1
       AND link.component IN (
         SELECT found.component FROM token
         JOIN link found ON found.record = token.record AND found.visible_from <= $1 AND found.visible_to + 0 > $1
         WHERE token.blinded IN ({list}))",
    3,
);
pub(super) static DROP_TOKENS: ListStatement = ListStatement::new(
    "DELETE FROM token WHERE blinded IN ({list}) AND record IN (SELECT id FROM record WHERE submission = $1)",
    1,
);
pub(super) static DROP_HOUSEHOLDS: ListStatement = ListStatement::new(
    "DELETE FROM household WHERE blinded IN ({list}) AND record IN (SELECT id FROM record WHERE submission = $1)",
    1,
);
pub(super) static DROP_RECORDS: ListStatement = ListStatement::new("DELETE FROM record WHERE id IN ({list})", 0);
pub(super) static DROP_LINKS: ListStatement = ListStatement::new("DELETE FROM link WHERE record IN ({list})", 0);

/// The records of one submission that a generation sees, by the agency's references.
pub(super) static SHOWN_BY_REFERENCE: ListStatement = ListStatement::new(
    "SELECT record.id, record.reference FROM record
     JOIN link ON link.record = record.id AND link.visible_from <= $1 AND link.visible_to + 0 > $1
     WHERE record.submission = $2 AND record.reference IN ({list})",
    2,
);

statements! {
    PAGE = "SELECT id, agency, feed, reference, restricted, tokens, households FROM record
            WHERE submission = $1 AND reference > $2 ORDER BY reference LIMIT $3";
    /// Every record in reach that no shield covers, the asker's own like any other.
    COHORT = "SELECT record.id, record.agency, record.feed, record.reference, record.tokens, record.households,
                     record.evidence, link.apart
              FROM record
              JOIN link ON link.record = record.id AND link.visible_from <= $1 AND link.visible_to + 0 > $1
              JOIN submission ON submission.id = record.submission
              WHERE record.id > $4
                AND submission.visible_from <= $1 AND submission.visible_to > $1
                AND submission.programme = $2 AND link.shielded = 0
                AND replace($3, '|' || record.agency || '/' || record.feed || '|', '') <> $3
              ORDER BY record.id LIMIT $5";
}

/// A record as staged.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// Its id, from a block taken for the submission.
    pub id: i64,
    /// The agency's reference.
    pub reference: OpaqueRef,
    /// Whether the agency shields the person.
    pub restricted: bool,
    /// Blinded tokens.
    pub tokens: Vec<StoredToken>,
    /// Blinded household tokens.
    pub households: Vec<StoredToken>,
    /// Sealed evidence.
    pub evidence: Vec<u8>,
    /// Household tokens as the agency made them, sealed; none of a restricted person.
    pub home_tokens: Option<Vec<u8>>,
    /// Evidence for match runs, sealed to their key.
    pub profile: Option<Vec<u8>>,
}

/// A blinded token with the kind and epoch it belongs to; 22 bytes when packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoredToken {
    /// Small number of its type and norm.
    pub kind: u16,
    /// Linkage key epoch.
    pub epoch: u32,
    /// The blinded value.
    pub blinded: Blinded,
}

/// A record that an enquiry may see.
#[derive(Debug, Clone)]
pub struct VisibleRecord {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub agency: AgencyCode,
    /// From which feed.
    pub feed: FeedCode,
    /// The agency's reference.
    pub reference: OpaqueRef,
    /// Blinded tokens.
    pub tokens: Vec<StoredToken>,
    /// Blinded household tokens.
    pub households: Vec<StoredToken>,
    /// Sealed evidence.
    pub evidence: Vec<u8>,
    /// Marks of recorded splits, as in [`Link`](super::Link).
    pub apart: Vec<[u8; 16]>,
}

/// What one look at whole components gave.
#[derive(Debug, Clone)]
pub struct Joined {
    /// The records in reach, in any order.
    pub records: Vec<VisibleRecord>,
    /// How many records of others a shield keeps back.
    pub hidden: i64,
    /// The look reached its limit: what it gave may be any part of the whole.
    pub is_cut_off: bool,
}

/// A record as linking reads it.
#[derive(Debug, Clone)]
pub struct LinkableRecord {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub agency: AgencyCode,
    /// From which feed.
    pub feed: FeedCode,
    /// The agency's reference.
    pub reference: OpaqueRef,
    /// Whether the agency shields the person.
    pub restricted: bool,
    /// Blinded tokens.
    pub tokens: Vec<StoredToken>,
    /// Blinded household tokens.
    pub households: Vec<StoredToken>,
}

/// Who asks, and which feeds may answer.
#[derive(Debug, Clone, Copy)]
pub struct Reach<'a> {
    /// The generation that the enquiry sees.
    pub generation: i64,
    /// The programme.
    pub programme: &'a ProgrammeCode,
    /// The asker: its own records are always in reach.
    pub asker: &'a AgencyCode,
    /// Permitted feeds of others.
    pub feeds: &'a [(AgencyCode, FeedCode)],
    /// The most records that are read.
    pub limit: i64,
}

impl Reach<'_> {
    /// The permitted feeds as one text: `|agency/feed|agency/feed|`.
    pub(super) fn feeds_text(&self) -> String {
        let mut text = String::from("|");
        for (agency, feed) in self.feeds {
            text.push_str(agency.as_str());
            text.push('/');
            text.push_str(feed.as_str());
            text.push('|');
            // Each name is matched with both bars, so neighbours never share one.
            text.push('|');
        }
        text
    }
}

impl Store {
    /// Every record in reach that holds one of these tokens.
    pub async fn records_by_token(
        &self,
        reach: Reach<'_>,
        tokens: &[Blinded],
    ) -> Result<Vec<VisibleRecord>, StoreError> {
        self.records_in_reach(&BY_TOKEN, reach, tokens).await
    }

    /// Every record in reach that holds one of these household tokens.
    pub async fn records_by_household(
        &self,
        reach: Reach<'_>,
        households: &[Blinded],
    ) -> Result<Vec<VisibleRecord>, StoreError> {
        self.records_in_reach(&BY_HOUSEHOLD, reach, households).await
    }

    /// The components, as they are over all records, that hold one of these tokens: their records in reach.
    pub async fn joined_by_token(&self, reach: Reach<'_>, tokens: &[Blinded]) -> Result<Joined, StoreError> {
        self.joined_in_reach(&JOINED_BY_TOKEN, reach, tokens).await
    }

    /// As [`Self::joined_by_token`], by household tokens.
    pub async fn joined_by_household(&self, reach: Reach<'_>, households: &[Blinded]) -> Result<Joined, StoreError> {
        self.joined_in_reach(&JOINED_BY_HOUSEHOLD, reach, households).await
    }

    /// A page of every record of the feeds in reach that no shield covers, after an id.
    pub async fn cohort_page(&self, reach: Reach<'_>, after: i64) -> Result<Vec<VisibleRecord>, StoreError> {
        let feeds = reach.feeds_text();
        let values = values![reach.generation, reach.programme.as_str(), &feeds, after, reach.limit];
        self.fetch_all(COHORT, values).await?.iter().map(read_visible).collect()
    }

    async fn joined_in_reach(
        &self,
        statement: &'static ListStatement,
        reach: Reach<'_>,
        list: &[Blinded],
    ) -> Result<Joined, StoreError> {
        read_joined(&self.rows_in_reach(statement, reach, list).await?, reach.limit)
    }

    /// How many records of other agencies a shield keeps back from these tokens.
    pub async fn hidden_records(&self, reach: Reach<'_>, tokens: &[Blinded]) -> Result<i64, StoreError> {
        let tokens = &tokens[..tokens.len().min(ListStatement::MOST)];
        let (sql, length) = HIDDEN.text(tokens.len());
        let mut values: Vec<Value<'_>> =
            vec![reach.generation.into(), reach.programme.as_str().into(), reach.asker.as_str().into()];
        values.extend((0..length).map(|n| tokens.get(n).map_or(Value::Bytes(b""), |t| t.as_bytes().into())));
        let row = self.fetch_optional(sql, &values).await?;
        row.ok_or(StoreError::Corrupt("count"))?.int(0)
    }

    async fn records_in_reach(
        &self,
        statement: &'static ListStatement,
        reach: Reach<'_>,
        list: &[Blinded],
    ) -> Result<Vec<VisibleRecord>, StoreError> {
        self.rows_in_reach(statement, reach, list).await?.iter().map(read_visible).collect()
    }

    async fn rows_in_reach(
        &self,
        statement: &'static ListStatement,
        reach: Reach<'_>,
        list: &[Blinded],
    ) -> Result<Vec<Row>, StoreError> {
        let list = &list[..list.len().min(ListStatement::MOST)];
        let feeds = reach.feeds_text();
        let (sql, length) = statement.text(list.len());
        let mut values: Vec<Value<'_>> = vec![
            reach.generation.into(),
            reach.programme.as_str().into(),
            reach.asker.as_str().into(),
            (&feeds).into(),
            reach.limit.into(),
        ];
        // A list that is short, or empty, is filled with a value that no token has: the database is
        // asked in the same way whether somebody is known or not.
        values.extend((0..length).map(|n| list.get(n).map_or(Value::Bytes(b""), |token| token.as_bytes().into())));
        self.fetch_all(sql, &values).await
    }

    /// Which of these references a generation sees in a submission: the records that hold them.
    pub async fn shown_by_reference(
        &self,
        generation: i64,
        submission: SubmissionId,
        references: &[OpaqueRef],
    ) -> Result<Vec<(i64, OpaqueRef)>, StoreError> {
        let mut shown = Vec::new();
        for piece in references.chunks(ListStatement::MOST) {
            let (sql, length) = SHOWN_BY_REFERENCE.text(piece.len());
            let mut values: Vec<Value<'_>> = vec![generation.into(), submission.as_bytes().into()];
            values.extend((0..length).map(|n| Value::Text(piece.get(n).map_or("", OpaqueRef::as_str))));
            for row in self.fetch_all(sql, &values).await? {
                shown.push((row.int(0)?, reference(&row, 1)?));
            }
        }
        Ok(shown)
    }

    /// A page of a submission's records in the order of their references.
    pub async fn submission_records(
        &self,
        submission: SubmissionId,
        after: Option<&OpaqueRef>,
        limit: i64,
    ) -> Result<Vec<LinkableRecord>, StoreError> {
        let after = after.map_or("", OpaqueRef::as_str);
        let rows = self.fetch_all(PAGE, values![submission.as_bytes(), after, limit]).await?;
        rows.iter().map(read_linkable).collect()
    }
}

impl Tx {
    /// Stages records with their tokens; returns the ids of those that were taken. A reference that
    /// the submission already holds is not taken.
    pub async fn stage_records(
        &mut self,
        submission: SubmissionId,
        agency: &AgencyCode,
        feed: &FeedCode,
        records: &[NewRecord],
    ) -> Result<Vec<i64>, StoreError> {
        let packed: Vec<(Vec<u8>, Vec<u8>)> =
            records.iter().map(|record| (pack(&record.tokens), pack(&record.households))).collect();
        let mut values: Vec<Value<'_>> = Vec::with_capacity(records.len() * 10);
        for (record, (tokens, households)) in records.iter().zip(&packed) {
            values.extend([
                record.id.into(),
                submission.as_bytes().into(),
                agency.as_str().into(),
                feed.as_str().into(),
                record.reference.as_str().into(),
                record.restricted.into(),
                tokens.into(),
                households.into(),
                Value::from(&record.evidence),
                Value::from(record.home_tokens.as_deref()),
            ]);
        }
        let rows = self.insert_many(&ADD_RECORDS, &values).await?;
        let mut taken = rows.iter().map(|row| row.int(0)).collect::<Result<Vec<i64>, _>>()?;
        taken.sort_unstable();
        let is_taken = |record: &&NewRecord| taken.binary_search(&record.id).is_ok();
        let mut tokens: Vec<(&Blinded, i64)> = Vec::new();
        let mut households: Vec<(&Blinded, i64)> = Vec::new();
        for record in records.iter().filter(is_taken) {
            tokens.extend(record.tokens.iter().map(|token| (&token.blinded, record.id)));
            households.extend(record.households.iter().map(|token| (&token.blinded, record.id)));
        }
        for (insert, rows) in [(&ADD_TOKENS, &mut tokens), (&ADD_HOUSEHOLDS, &mut households)] {
            // In index order, which both engines insert faster; one row per token of a record.
            rows.sort_unstable();
            rows.dedup();
            let values: Vec<Value<'_>> =
                rows.iter().flat_map(|(blinded, record)| [blinded.as_bytes().into(), Value::from(*record)]).collect();
            self.insert_many(insert, &values).await?;
        }
        self.add_profiles(records, &taken).await?;
        Ok(taken)
    }

    /// Removes a page of a submission's rows for good.
    pub async fn remove_records(
        &mut self,
        submission: SubmissionId,
        records: &[LinkableRecord],
    ) -> Result<(), StoreError> {
        let tokens: Vec<&Blinded> = records.iter().flat_map(|r| r.tokens.iter().map(|t| &t.blinded)).collect();
        let households: Vec<&Blinded> = records.iter().flat_map(|r| r.households.iter().map(|t| &t.blinded)).collect();
        for (statement, list) in [(&DROP_TOKENS, &tokens), (&DROP_HOUSEHOLDS, &households)] {
            for piece in list.chunks(ListStatement::MOST) {
                let (sql, length) = statement.text(piece.len());
                let mut values: Vec<Value<'_>> = vec![submission.as_bytes().into()];
                values.extend(
                    (0..length).map(|n| piece.get(n).map_or(Value::Bytes(b""), |token| token.as_bytes().into())),
                );
                self.execute(sql, &values).await?;
            }
        }
        let ids: Vec<i64> = records.iter().map(|record| record.id).collect();
        for statement in [&super::profiles::DROP_PROFILES, &DROP_LINKS, &DROP_RECORDS] {
            for piece in ids.chunks(ListStatement::MOST) {
                let (sql, length) = statement.text(piece.len());
                let values: Vec<Value<'_>> = (0..length).map(|n| piece.get(n).copied().unwrap_or(-1).into()).collect();
                self.execute(sql, &values).await?;
            }
        }
        Ok(())
    }
}

/// Packs tokens for the record's row: 2 bytes kind, 4 bytes epoch, 16 bytes each, big-endian.
pub(super) fn pack(tokens: &[StoredToken]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(tokens.len() * 22);
    for token in tokens {
        packed.extend_from_slice(&token.kind.to_be_bytes());
        packed.extend_from_slice(&token.epoch.to_be_bytes());
        packed.extend_from_slice(token.blinded.as_bytes());
    }
    packed
}

pub(super) fn unpack(packed: &[u8]) -> Result<Vec<StoredToken>, StoreError> {
    let (pieces, rest) = packed.as_chunks::<22>();
    if !rest.is_empty() {
        return Err(StoreError::Corrupt("packed tokens"));
    }
    Ok(pieces
        .iter()
        .map(|piece| {
            let mut blinded = [0; 16];
            blinded.copy_from_slice(&piece[6..]);
            StoredToken {
                kind: u16::from_be_bytes([piece[0], piece[1]]),
                epoch: u32::from_be_bytes([piece[2], piece[3], piece[4], piece[5]]),
                blinded: Blinded::new(blinded),
            }
        })
        .collect())
}

/// Rows of which those that a shield keeps back carry nothing.
pub(super) fn read_joined(rows: &[Row], limit: i64) -> Result<Joined, StoreError> {
    let is_cut_off = rows.len() as i64 >= limit;
    let (mut records, mut hidden) = (Vec::with_capacity(rows.len()), 0);
    for row in rows {
        match row.optional_bytes(6)? {
            Some(_) => records.push(read_visible(row)?),
            None => hidden += 1,
        }
    }
    Ok(Joined { records, hidden, is_cut_off })
}

fn read_visible(row: &Row) -> Result<VisibleRecord, StoreError> {
    Ok(VisibleRecord {
        id: row.int(0)?,
        agency: row.parsed(1, "agency")?,
        feed: row.parsed(2, "feed")?,
        reference: reference(row, 3)?,
        tokens: unpack(&row.bytes(4)?)?,
        households: unpack(&row.bytes(5)?)?,
        evidence: row.bytes(6)?,
        apart: read_marks(row.optional_bytes(7)?)?,
    })
}

pub(super) fn read_linkable(row: &Row) -> Result<LinkableRecord, StoreError> {
    Ok(LinkableRecord {
        id: row.int(0)?,
        agency: row.parsed(1, "agency")?,
        feed: row.parsed(2, "feed")?,
        reference: reference(row, 3)?,
        restricted: row.int(4)? == 1,
        tokens: unpack(&row.bytes(5)?)?,
        households: unpack(&row.bytes(6)?)?,
    })
}

fn reference(row: &Row, column: usize) -> Result<OpaqueRef, StoreError> {
    OpaqueRef::parse(&row.text(column)?).map_err(|_| StoreError::Corrupt("record reference"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_tokens_read_back_and_a_torn_row_is_noticed() {
        let tokens = [
            StoredToken { kind: 7, epoch: 3, blinded: Blinded::new([9; 16]) },
            StoredToken { kind: u16::MAX, epoch: u32::MAX, blinded: Blinded::new([0; 16]) },
        ];
        let packed = pack(&tokens);
        assert_eq!(unpack(&packed).expect("whole"), tokens);
        assert!(unpack(&packed[..43]).is_err());
    }
}
