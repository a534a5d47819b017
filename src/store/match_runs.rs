//! Match runs: what each was computed from, how far it has come, and what holders decided about its families.

use super::links::read_marks;
use super::records::{StoredToken, unpack};
use super::statements::statements;
use super::value::{Row, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, EventId, FeedCode, MatchRunId, OpaqueRef, ProgrammeCode};
use crate::domain::pair::RecordName;
use crate::domain::time::Timestamp;

/// What makes a record one of a run: visible at its generation, of its feeds, reached by no shield.
macro_rules! of_run {
    ($select:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $select,
            " FROM link
             JOIN record ON record.id = link.record
             JOIN submission ON submission.id = record.submission
             WHERE link.visible_from <= $1 AND link.visible_to + 0 > $1 AND link.shielded = 0
               AND submission.visible_from <= $1 AND submission.visible_to > $1
               AND submission.programme = $2 AND record.restricted = 0
               AND replace($3, '|' || record.agency || '/' || record.feed || '|', '') <> $3",
            $rest
        )
    };
}

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, number, state, ground, generation, expected, begun_by, begun_at, component, record, pages,
                    records, counts, output_sha256, closed_at, removed_at FROM match_run WHERE ",
            $condition
        )
    };
}

statements! {
    COUNT = of_run!("COUNT(*)", "");
    RECORDS = of_run!(
        "link.component, record.id, record.agency, record.feed, record.reference, record.tokens, record.households,
         record.evidence, record.home_tokens, link.apart",
        " AND (link.component, link.record) > ($4, $5) ORDER BY link.component, link.record LIMIT $6"
    );
    BY_ID = select!("programme = $1 AND id = $2");
    NEWEST_OF = select!("programme = $1 AND begun_by = $2 ORDER BY number DESC LIMIT $3");
    BY_TAG = select!("programme = $1 AND idempotency_tag = $2");
    CLOSED_BEFORE = select!("programme = $1 AND number < $2 AND state = 'closed' ORDER BY number DESC LIMIT 1");
    LAST_NUMBER = "SELECT COALESCE(MAX(number), 0) FROM match_run WHERE programme = $1";
    ADD = "INSERT INTO match_run (id, programme, number, state, ground, generation, expected, begun_by, begun_at,
                  idempotency_tag, component, record, pages, records, counts)
           VALUES ($1, $2, $3, 'snapshot', $4, $5, $6, $7, $8, $9, $10, $10, 0, 0, '{}')";
    MOVE = "UPDATE match_run SET component = $3, record = $4, pages = pages + 1, records = records + $5
            WHERE id = $1 AND state = 'snapshot' AND pages = $2";
    SET_STATE = "UPDATE match_run SET state = $3 WHERE id = $1 AND state = $2";
    CLOSE = "UPDATE match_run SET state = 'closed', counts = $2, output_sha256 = $3, closed_at = $4
             WHERE id = $1 AND state = 'listed'";
    OLD = select!("programme = $1 AND removed_at IS NULL AND COALESCE(closed_at, begun_at) < $2 ORDER BY number LIMIT 1");
    DROP_PAGES = "DELETE FROM match_run_page WHERE run = $1";
    MARK_REMOVED = "UPDATE match_run SET removed_at = $2, state = CASE WHEN state = 'closed' THEN state ELSE 'failed' END
                    WHERE id = $1 AND removed_at IS NULL";
    PAGES = "SELECT number, sealed FROM match_run_page WHERE run = $1 AND part = $2 ORDER BY number";
    EVERY_PAGE = "SELECT run, part, number, sealed FROM match_run_page ORDER BY run, part, number";
    PUT_PAGE = "INSERT INTO match_run_page (run, part, number, sealed) VALUES ($1, $2, $3, $4)
                ON CONFLICT (run, part, number) DO UPDATE SET sealed = excluded.sealed";
    REPLACE_PAGE = "UPDATE match_run_page SET sealed = $5 WHERE run = $1 AND part = $2 AND number = $3 AND sealed = $4";
    /// Records of an agency's own that are there and of which it has said nothing since a run.
    UNVALIDATED = "SELECT record.id, record.agency, record.feed, record.reference, record.evidence, record.households,
                          submission.as_at
                   FROM link
                   JOIN record ON record.id = link.record
                   JOIN submission ON submission.id = record.submission
                   WHERE link.visible_from <= $1 AND link.visible_to + 0 > $1
                     AND submission.visible_from <= $1 AND submission.visible_to > $1
                     AND submission.programme = $2 AND record.agency = $3 AND record.restricted = 0
                     AND (record.feed, record.reference) > ($4, $5)
                     AND NOT EXISTS (SELECT 1 FROM family_validation
                                     WHERE family_validation.run = $6 AND family_validation.agency = record.agency
                                       AND family_validation.feed = record.feed
                                       AND family_validation.reference = record.reference)
                   ORDER BY record.feed, record.reference LIMIT $7";
    ADD_VALIDATION = "INSERT INTO family_validation (event, programme, run, agency, feed, reference, decision, role,
                             reason, decided_at, idempotency_tag)
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    VALIDATION_BY_TAG = "SELECT event, decided_at FROM family_validation
                         WHERE programme = $1 AND agency = $2 AND idempotency_tag = $3";
    /// The records of which the newest decision is a rejection.
    REJECTED = "SELECT agency, feed, reference FROM family_validation
                WHERE programme = $1 AND decision = 'reject'
                  AND NOT EXISTS (SELECT 1 FROM family_validation later
                                  WHERE later.programme = family_validation.programme
                                    AND later.agency = family_validation.agency
                                    AND later.feed = family_validation.feed
                                    AND later.reference = family_validation.reference
                                    AND (later.decided_at, later.event)
                                        > (family_validation.decided_at, family_validation.event)
                                    AND later.decision <> 'split')
                ORDER BY agency, feed, reference";
    HOME_TOKENS = "SELECT home_tokens FROM record WHERE id = $1";
    HOME_TOKENS_AFTER = "SELECT id, home_tokens FROM record WHERE id > $1 AND home_tokens IS NOT NULL
                         ORDER BY id LIMIT $2";
    SET_HOME_TOKENS = "UPDATE record SET home_tokens = $3 WHERE id = $1 AND home_tokens = $2";
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Its snapshot is being taken.
    Snapshot,
    /// The snapshot is whole: the benefits agency may fetch its list and reply.
    Listed,
    /// Its families are found, and nothing changes any more.
    Closed,
    /// It cannot be carried on.
    Failed,
}

impl RunState {
    /// The word in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Listed => "listed",
            Self::Closed => "closed",
            Self::Failed => "failed",
        }
    }

    fn read(text: &str) -> Result<Self, StoreError> {
        [Self::Snapshot, Self::Listed, Self::Closed, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(StoreError::Corrupt("state of a match run"))
    }
}

/// A run as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRun {
    /// Its id.
    pub id: MatchRunId,
    /// The how-manieth of the programme.
    pub number: i64,
    /// Where it is.
    pub state: RunState,
    /// What was fixed at its start, JSON.
    pub ground: String,
    /// Whose records it reads.
    pub generation: i64,
    /// How many there were at the start.
    pub expected: i64,
    /// The data team's agency.
    pub begun_by: AgencyCode,
    /// When.
    pub begun_at: Timestamp,
    /// The last record in the snapshot: component and id.
    pub position: (i64, i64),
    /// Pages of the snapshot.
    pub pages: i64,
    /// Records in them.
    pub records: i64,
    /// Counts, JSON.
    pub counts: String,
    /// SHA-256 of the output, once it is closed.
    pub output_sha256: Option<[u8; 32]>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// When its pages were removed.
    pub removed_at: Option<Timestamp>,
}

/// A run to be stored.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    /// Its id.
    pub id: MatchRunId,
    /// What is fixed, JSON.
    pub ground: &'a str,
    /// Whose records it reads.
    pub generation: i64,
    /// How many there are.
    pub expected: i64,
    /// The data team's agency.
    pub begun_by: &'a AgencyCode,
    /// When.
    pub begun_at: Timestamp,
    /// Keyed tag of the `Idempotency-Key` and the request.
    pub tag: [u8; 32],
}

/// A record that a run may read.
#[derive(Debug, Clone)]
pub struct StoredRunRecord {
    /// Its component.
    pub component: i64,
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: RecordName,
    /// Blinded tokens.
    pub tokens: Vec<StoredToken>,
    /// Blinded household tokens.
    pub households: Vec<StoredToken>,
    /// Sealed evidence.
    pub evidence: Vec<u8>,
    /// Sealed household tokens as the agency made them.
    pub home_tokens: Option<Vec<u8>>,
    /// Marks of recorded splits.
    pub apart: Vec<[u8; 16]>,
}

/// A record of an agency's own, as its work list reads it.
#[derive(Debug, Clone)]
pub struct UnvalidatedRecord {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: RecordName,
    /// Sealed evidence.
    pub evidence: Vec<u8>,
    /// Whether it came with a token of an address.
    pub has_home: bool,
    /// The day that its submission describes.
    pub as_at: Timestamp,
}

/// A sealed page: run, part, number and the sealed bytes.
pub type SealedPage = (MatchRunId, String, i64, Vec<u8>);

/// What a holder decided about a record of its own.
#[derive(Debug, Clone)]
pub struct NewValidation<'a> {
    /// Its log entry.
    pub event: EventId,
    /// The run whose families were looked at.
    pub run: MatchRunId,
    /// The record.
    pub record: &'a RecordName,
    /// `confirm`, `reject` or `split`.
    pub decision: &'a str,
    /// The role of the person who decided.
    pub role: &'a str,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub at: Timestamp,
    /// Keyed tag of the `Idempotency-Key` and the request.
    pub tag: [u8; 32],
}

/// Feeds as one text: `|agency/feed||agency/feed|`.
fn feeds_text(feeds: &[(AgencyCode, FeedCode)]) -> String {
    feeds.iter().fold("|".to_owned(), |text, (agency, feed)| format!("{text}{agency}/{feed}||"))
}

impl Store {
    /// How many records a run over these feeds reads at a generation.
    pub async fn count_run_records(
        &self,
        programme: &ProgrammeCode,
        generation: i64,
        feeds: &[(AgencyCode, FeedCode)],
    ) -> Result<i64, StoreError> {
        let row = self.fetch_optional(COUNT, values![generation, programme.as_str(), &feeds_text(feeds)]).await?;
        row.ok_or(StoreError::Corrupt("count"))?.int(0)
    }

    /// A page of the records that a run reads, component by component.
    pub async fn run_records(
        &self,
        programme: &ProgrammeCode,
        generation: i64,
        feeds: &[(AgencyCode, FeedCode)],
        after: (i64, i64),
        limit: i64,
    ) -> Result<Vec<StoredRunRecord>, StoreError> {
        let feeds = feeds_text(feeds);
        let values = values![generation, programme.as_str(), &feeds, after.0, after.1, limit];
        self.fetch_all(RECORDS, values).await?.iter().map(read_record).collect()
    }

    /// A run.
    pub async fn match_run(&self, programme: &ProgrammeCode, id: MatchRunId) -> Result<Option<StoredRun>, StoreError> {
        let row = self.fetch_optional(BY_ID, values![programme.as_str(), id.as_bytes()]).await?;
        row.as_ref().map(read_run).transpose()
    }

    /// An agency's runs, the newest first.
    pub async fn match_runs_of(
        &self,
        programme: &ProgrammeCode,
        agency: &AgencyCode,
        limit: i64,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let rows = self.fetch_all(NEWEST_OF, values![programme.as_str(), agency.as_str(), limit]).await?;
        rows.iter().map(read_run).collect()
    }

    /// The last closed run before a number.
    pub async fn closed_run_before(
        &self,
        programme: &ProgrammeCode,
        number: i64,
    ) -> Result<Option<StoredRun>, StoreError> {
        let row = self.fetch_optional(CLOSED_BEFORE, values![programme.as_str(), number]).await?;
        row.as_ref().map(read_run).transpose()
    }

    /// The first run that still has its pages and was closed, or else begun, before a moment.
    pub async fn run_to_strip(
        &self,
        programme: &ProgrammeCode,
        before: Timestamp,
    ) -> Result<Option<StoredRun>, StoreError> {
        let row = self.fetch_optional(OLD, values![programme.as_str(), before.as_micros()]).await?;
        row.as_ref().map(read_run).transpose()
    }

    /// A page of an agency's own records of which it has said nothing since a run, by feed and reference.
    pub async fn unvalidated_records(
        &self,
        programme: &ProgrammeCode,
        generation: i64,
        agency: &AgencyCode,
        run: MatchRunId,
        after: (&str, &str),
        limit: i64,
    ) -> Result<Vec<UnvalidatedRecord>, StoreError> {
        let values = values![generation, programme.as_str(), agency.as_str(), after.0, after.1, run.as_bytes(), limit];
        let rows = self.fetch_all(UNVALIDATED, values).await?;
        let read = |row: &Row| {
            Ok(UnvalidatedRecord {
                id: row.int(0)?,
                name: read_name(row, 1)?,
                evidence: row.bytes(4)?,
                has_home: !unpack(&row.bytes(5)?)?.is_empty(),
                as_at: Timestamp::from_micros(row.int(6)?),
            })
        };
        rows.iter().map(read).collect()
    }

    /// Every page of a part of a run, sealed, in order.
    pub async fn run_pages(&self, id: MatchRunId, part: &str) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let rows = self.fetch_all(PAGES, values![id.as_bytes(), part]).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.bytes(1)?))).collect()
    }

    /// Every sealed page of every run.
    pub async fn sealed_run_pages(&self) -> Result<Vec<SealedPage>, StoreError> {
        let rows = self.fetch_all(EVERY_PAGE, values![]).await?;
        rows.iter()
            .map(|row| {
                Ok((
                    MatchRunId::from_slice(&row.bytes(0)?).map_err(|_| CORRUPT_ID)?,
                    row.text(1)?,
                    row.int(2)?,
                    row.bytes(3)?,
                ))
            })
            .collect()
    }

    /// A page of records' sealed household tokens, in the order of record ids.
    pub async fn sealed_home_tokens(&self, after: i64, limit: i64) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let rows = self.fetch_all(HOME_TOKENS_AFTER, values![after, limit]).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.bytes(1)?))).collect()
    }
}

impl Tx {
    /// The run that was begun under a tag.
    pub async fn run_by_tag(
        &mut self,
        programme: &ProgrammeCode,
        tag: &[u8; 32],
    ) -> Result<Option<StoredRun>, StoreError> {
        let row = self.fetch_optional(BY_TAG, values![programme.as_str(), tag]).await?;
        row.as_ref().map(read_run).transpose()
    }

    /// Stores a run under the next number. The programme's row is locked by the caller.
    pub async fn add_run(&mut self, programme: &ProgrammeCode, new: &NewRun<'_>) -> Result<(), StoreError> {
        let last = self.fetch_optional(LAST_NUMBER, values![programme.as_str()]).await?;
        let number = last.ok_or(StoreError::Corrupt("number of a match run"))?.int(0)? + 1;
        let values = values![
            new.id.as_bytes(),
            programme.as_str(),
            number,
            new.ground,
            new.generation,
            new.expected,
            new.begun_by.as_str(),
            new.begun_at.as_micros(),
            &new.tag,
            i64::MIN
        ];
        self.execute(ADD, values).await.map(drop)
    }

    /// Moves a run's position over a page that was stored. False when another was first.
    pub async fn move_run(
        &mut self,
        id: MatchRunId,
        pages_before: i64,
        position: (i64, i64),
        records: i64,
    ) -> Result<bool, StoreError> {
        let values = values![id.as_bytes(), pages_before, position.0, position.1, records];
        Ok(self.execute(MOVE, values).await? == 1)
    }

    /// Moves a run from one state to another. False when it was not in the first.
    pub async fn set_run_state(&mut self, id: MatchRunId, from: RunState, to: RunState) -> Result<bool, StoreError> {
        Ok(self.execute(SET_STATE, values![id.as_bytes(), from.as_str(), to.as_str()]).await? == 1)
    }

    /// Closes a run. False when it was not waiting for that.
    pub async fn close_run(
        &mut self,
        id: MatchRunId,
        counts: &str,
        output_sha256: &[u8; 32],
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.execute(CLOSE, values![id.as_bytes(), counts, output_sha256, at.as_micros()]).await? == 1)
    }

    /// Stores a page; one of the same number gives way.
    pub async fn put_run_page(
        &mut self,
        id: MatchRunId,
        part: &str,
        number: i64,
        sealed: &[u8],
    ) -> Result<(), StoreError> {
        self.execute(PUT_PAGE, values![id.as_bytes(), part, number, sealed]).await.map(drop)
    }

    /// Removes every page of a run. One that was not closed cannot be carried on. False when another was first.
    pub async fn remove_run_pages(&mut self, id: MatchRunId, at: Timestamp) -> Result<bool, StoreError> {
        if self.execute(MARK_REMOVED, values![id.as_bytes(), at.as_micros()]).await? != 1 {
            return Ok(false);
        }
        self.execute(DROP_PAGES, values![id.as_bytes()]).await?;
        Ok(true)
    }

    /// Puts a page, sealed again, in the place of what was read.
    pub async fn replace_run_page(&mut self, old: &SealedPage, sealed: &[u8]) -> Result<(), StoreError> {
        let (id, part, number, before) = old;
        self.execute(REPLACE_PAGE, values![id.as_bytes(), part, *number, before, sealed]).await.map(drop)
    }

    /// Every page of a part of a run, sealed, in order.
    pub async fn run_part(&mut self, id: MatchRunId, part: &str) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let rows = self.fetch_all(PAGES, values![id.as_bytes(), part]).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.bytes(1)?))).collect()
    }

    /// The decision that was taken under a tag: its log entry and when.
    pub async fn validation_by_tag(
        &mut self,
        programme: &ProgrammeCode,
        agency: &AgencyCode,
        tag: &[u8; 32],
    ) -> Result<Option<(EventId, Timestamp)>, StoreError> {
        let row = self.fetch_optional(VALIDATION_BY_TAG, values![programme.as_str(), agency.as_str(), tag]).await?;
        let read = |row: &Row| {
            let event = EventId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("event id"))?;
            Ok((event, Timestamp::from_micros(row.int(1)?)))
        };
        row.as_ref().map(read).transpose()
    }

    /// Stores what a holder decided.
    pub async fn add_validation(
        &mut self,
        programme: &ProgrammeCode,
        new: &NewValidation<'_>,
    ) -> Result<(), StoreError> {
        let values = values![
            new.event.as_bytes(),
            programme.as_str(),
            new.run.as_bytes(),
            new.record.agency.as_str(),
            new.record.feed.as_str(),
            new.record.reference.as_str(),
            new.decision,
            new.role,
            new.reason,
            new.at.as_micros(),
            &new.tag
        ];
        self.execute(ADD_VALIDATION, values).await.map(drop)
    }

    /// The records whose holders say that their address is no home of theirs, by their newest word.
    pub async fn rejected_records(&mut self, programme: &ProgrammeCode) -> Result<Vec<RecordName>, StoreError> {
        let rows = self.fetch_all(REJECTED, values![programme.as_str()]).await?;
        rows.iter().map(|row| read_name(row, 0)).collect()
    }

    /// A record's sealed household tokens.
    pub async fn home_tokens(&mut self, record: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.fetch_optional(HOME_TOKENS, values![record]).await?;
        row.map_or(Ok(None), |row| row.optional_bytes(0))
    }

    /// Puts a record's household tokens, sealed again, in the place of what was read.
    pub async fn replace_home_tokens(&mut self, record: i64, old: &[u8], new: &[u8]) -> Result<(), StoreError> {
        self.execute(SET_HOME_TOKENS, values![record, old, new]).await.map(drop)
    }
}

const CORRUPT_ID: StoreError = StoreError::Corrupt("match run id");

fn read_run(row: &Row) -> Result<StoredRun, StoreError> {
    let output = row.optional_bytes(13)?.map(|bytes| bytes.try_into().map_err(|_| StoreError::Corrupt("output hash")));
    Ok(StoredRun {
        id: MatchRunId::from_slice(&row.bytes(0)?).map_err(|_| CORRUPT_ID)?,
        number: row.int(1)?,
        state: RunState::read(&row.text(2)?)?,
        ground: row.text(3)?,
        generation: row.int(4)?,
        expected: row.int(5)?,
        begun_by: row.parsed(6, "agency")?,
        begun_at: Timestamp::from_micros(row.int(7)?),
        position: (row.int(8)?, row.int(9)?),
        pages: row.int(10)?,
        records: row.int(11)?,
        counts: row.text(12)?,
        output_sha256: output.transpose()?,
        closed_at: row.optional_int(14)?.map(Timestamp::from_micros),
        removed_at: row.optional_int(15)?.map(Timestamp::from_micros),
    })
}

fn read_record(row: &Row) -> Result<StoredRunRecord, StoreError> {
    Ok(StoredRunRecord {
        component: row.int(0)?,
        id: row.int(1)?,
        name: read_name(row, 2)?,
        tokens: unpack(&row.bytes(5)?)?,
        households: unpack(&row.bytes(6)?)?,
        evidence: row.bytes(7)?,
        home_tokens: row.optional_bytes(8)?,
        apart: read_marks(row.optional_bytes(9)?)?,
    })
}

fn read_name(row: &Row, at: usize) -> Result<RecordName, StoreError> {
    Ok(RecordName {
        agency: row.parsed(at, "agency")?,
        feed: row.parsed(at + 1, "feed")?,
        reference: OpaqueRef::parse(&row.text(at + 2)?).map_err(|_| StoreError::Corrupt("record reference"))?,
    })
}
