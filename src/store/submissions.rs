//! Submissions: their life from the first row staged to visible, replaced or failed.

use super::bulk::BulkInsert;
use super::statements::statements;
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, AgreementRef, FeedCode, OpaqueRef, ProgrammeCode, SubmissionId};
use crate::domain::time::Timestamp;

/// The end of every open visibility range.
pub(super) const FOREVER: i64 = i64::MAX;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, programme, agency, feed, agreement, mode, rows_mode, as_at, state, rows_read, rows_accepted,
             rows_rejected, failure, received_at, finished_at, digest, base FROM submission WHERE ",
            $condition
        )
    };
}

statements! {
    INSERT = "INSERT INTO submission (id, programme, agency, feed, agreement, mode, rows_mode, as_at, state, rows_read,
                  rows_accepted, rows_rejected, holds_rows, visible_from, visible_to, received_at, base)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'staging', 0, 0, 0, 1, $9, $9, $10, $11)";
    PROGRESS = "UPDATE submission SET rows_read = $2, rows_accepted = $3, rows_rejected = $4
                WHERE id = $1 AND state = 'staging'";
    STAGED = "UPDATE submission SET state = 'staged', digest = $2 WHERE id = $1 AND state = 'staging'";
    /// What the feed shows, or will once it has caught up, deltas upon it aside: nothing takes its place,
    /// and nothing that came upon it was taken back.
    SAME = "SELECT same.id FROM submission AS same
            WHERE same.agency = $1 AND same.feed = $2 AND same.digest = $3
              AND same.state IN ('staged', 'publishing', 'visible')
              AND NOT EXISTS (SELECT 1 FROM submission AS other
                              WHERE other.agency = $1 AND other.feed = $2 AND (
                                other.state = 'withdrawing'
                                OR (other.state = 'withdrawn' AND other.id > same.id)
                                OR (other.state IN ('staged', 'publishing') AND other.mode = 'snapshot'
                                    AND other.id <> same.id AND (same.state = 'visible' OR other.id > same.id))))
            ORDER BY same.id DESC LIMIT 1";
    FAIL = "UPDATE submission SET state = 'failed', failure = $2, finished_at = $3, digest = NULL,
                holds_rows = CASE WHEN rows_accepted = 0 THEN 0 ELSE holds_rows END
            WHERE id = $1 AND state IN ('staging', 'staged', 'publishing')";
    PUBLISHING = "UPDATE submission SET state = 'publishing' WHERE id = $1 AND state IN ('staged', 'publishing')";
    SHOW = "UPDATE submission SET state = 'visible', visible_from = $2, visible_to = $3, finished_at = $4
            WHERE id = $1 AND state = 'publishing'";
    HIDE = "UPDATE submission SET state = $2, visible_to = $3, finished_at = $4, digest = NULL
            WHERE id = $1 AND state IN ('visible', 'withdrawing')";
    WITHDRAW = "UPDATE submission SET state = 'withdrawing', failure = NULL WHERE id = $1 AND state = 'visible'";
    KEEP_SHOWING = "UPDATE submission SET state = 'visible', failure = $2 WHERE id = $1 AND state = 'withdrawing'";
    ONE = select!("id = $1");
    STAGED_OLDEST = select!("programme = $1 AND state IN ('staged', 'publishing', 'withdrawing') ORDER BY id LIMIT 1");
    UNDER_WAY = "SELECT COUNT(*) FROM submission WHERE programme = $1 AND agency = $2 AND feed = $3
                 AND state IN ('staged', 'publishing', 'withdrawing')";
    VISIBLE_OF_FEED =
        select!("programme = $1 AND agency = $2 AND feed = $3 AND state IN ('visible', 'withdrawing')
                 ORDER BY visible_from");
    /// The newest first: identifiers grow with time.
    OF_AGENCY = select!("programme = $1 AND agency = $2 AND id < $3 ORDER BY id DESC LIMIT $4");
    ABANDONED = select!("state IN ('failed', 'replaced', 'withdrawn') AND holds_rows = 1 AND finished_at < $1 ORDER BY id LIMIT 8");
    STALLED = select!("state = 'staging' AND received_at < $1 ORDER BY id LIMIT 8");
    EMPTIED = "UPDATE submission SET holds_rows = 0 WHERE id = $1";
    FEEDS = "SELECT agency, feed, agreement, as_at, id FROM submission
             WHERE programme = $1 AND visible_from <= $2 AND visible_to > $2 ORDER BY agency, feed, visible_from";
    RETRACTIONS = "SELECT reference FROM retraction WHERE submission = $1 AND reference > $2 ORDER BY reference LIMIT $3";
    DROP_RETRACTIONS = "DELETE FROM retraction WHERE submission = $1";
    ROW_ERRORS = "SELECT row_number, field, code FROM row_error
                  WHERE submission = $1 AND row_number > $2 ORDER BY row_number, field, code LIMIT $3";
    ERROR_COUNT = "SELECT COUNT(*) FROM row_error WHERE submission = $1";
    RECORD_BLOCK = "UPDATE counter SET next = next + $1 WHERE name = 'record' RETURNING next";
}

pub(super) static ADD_RETRACTIONS: BulkInsert = BulkInsert::new(
    "INSERT INTO retraction (submission, reference) VALUES",
    2,
    "ON CONFLICT (submission, reference) DO NOTHING",
);
pub(super) static ADD_ROW_ERRORS: BulkInsert = BulkInsert::new(
    "INSERT INTO row_error (submission, row_number, field, code) VALUES",
    4,
    "ON CONFLICT (submission, row_number, field, code) DO NOTHING",
);

/// Where a submission is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmissionState {
    /// Rows are arriving.
    Staging,
    /// Every row is stored, none is seen.
    Staged,
    /// Its links are being computed.
    Publishing,
    /// Enquiries see it.
    Visible,
    /// Its agency takes it back; enquiries still see it.
    Withdrawing,
    /// Its agency took it back.
    Withdrawn,
    /// A later snapshot took its place.
    Replaced,
    /// It was refused or given up; the reason is in `failure`.
    Failed,
}

impl SubmissionState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Staging,
        Self::Staged,
        Self::Publishing,
        Self::Visible,
        Self::Withdrawing,
        Self::Withdrawn,
        Self::Replaced,
        Self::Failed,
    ];

    /// The word in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Staged => "staged",
            Self::Publishing => "publishing",
            Self::Visible => "visible",
            Self::Withdrawing => "withdrawing",
            Self::Withdrawn => "withdrawn",
            Self::Replaced => "replaced",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(StoreError::Corrupt("submission state"))
    }
}

/// A submission as it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubmission {
    /// Its id.
    pub id: SubmissionId,
    /// The programme.
    pub programme: ProgrammeCode,
    /// Who sends it.
    pub agency: AgencyCode,
    /// Which feed.
    pub feed: FeedCode,
    /// Under which agreement.
    pub agreement: AgreementRef,
    /// `snapshot` or `delta`.
    pub mode: &'static str,
    /// `all_or_nothing` or `good_rows`.
    pub rows_mode: &'static str,
    /// The day that the feed describes.
    pub as_at: Timestamp,
    /// When it began.
    pub received_at: Timestamp,
    /// For a delta, the newest submission that the feed showed then.
    pub base: Option<SubmissionId>,
}

/// A submission as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Its id.
    pub id: SubmissionId,
    /// The programme.
    pub programme: ProgrammeCode,
    /// Who sent it.
    pub agency: AgencyCode,
    /// Which feed.
    pub feed: FeedCode,
    /// Under which agreement.
    pub agreement: AgreementRef,
    /// `snapshot` or `delta`.
    pub mode: String,
    /// `all_or_nothing` or `good_rows`.
    pub rows_mode: String,
    /// The day that the feed describes.
    pub as_at: Timestamp,
    /// Where it is in its life.
    pub state: SubmissionState,
    /// Rows received so far.
    pub rows_read: i64,
    /// Rows stored.
    pub rows_accepted: i64,
    /// Rows refused.
    pub rows_rejected: i64,
    /// Why it failed.
    pub failure: Option<String>,
    /// When it began.
    pub received_at: Timestamp,
    /// When it became visible, replaced or failed.
    pub finished_at: Option<Timestamp>,
    /// SHA-256 of the whole file, once received.
    pub digest: Option<[u8; 32]>,
    /// For a delta, the newest submission that the feed showed when it began.
    pub base: Option<SubmissionId>,
}

impl Submission {
    /// Whether it changes what the feed shows instead of replacing it.
    pub fn is_delta(&self) -> bool {
        self.mode == "delta"
    }
}

/// What a feed's newest visible submission says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedState {
    /// Who supplies it.
    pub agency: AgencyCode,
    /// Which feed.
    pub feed: FeedCode,
    /// Under which agreement.
    pub agreement: AgreementRef,
    /// The day that it describes.
    pub as_at: Timestamp,
    /// The submission itself.
    pub submission: SubmissionId,
}

/// One thing wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowError {
    /// Line of the file; the header is line 1.
    pub row: i64,
    /// Where in the row.
    pub field: String,
    /// What is wrong.
    pub code: String,
}

impl Store {
    /// A submission by id.
    pub async fn submission(&self, id: SubmissionId) -> Result<Option<Submission>, StoreError> {
        self.fetch_optional(ONE, values![id.as_bytes()]).await?.as_ref().map(read).transpose()
    }

    /// The oldest submission that waits to be made visible.
    pub async fn next_staged(&self, programme: &ProgrammeCode) -> Result<Option<Submission>, StoreError> {
        self.fetch_optional(STAGED_OLDEST, values![programme.as_str()]).await?.as_ref().map(read).transpose()
    }

    /// The submissions of a feed that enquiries see: a snapshot, then the deltas upon it.
    pub async fn visible_submissions(
        &self,
        programme: &ProgrammeCode,
        agency: &AgencyCode,
        feed: &FeedCode,
    ) -> Result<Vec<Submission>, StoreError> {
        let values = values![programme.as_str(), agency.as_str(), feed.as_str()];
        self.fetch_all(VISIBLE_OF_FEED, values).await?.iter().map(read).collect()
    }

    /// An agency's submissions before one of them, or its newest, the newest first.
    pub async fn submissions_of(
        &self,
        programme: &ProgrammeCode,
        agency: &AgencyCode,
        before: Option<SubmissionId>,
        limit: i64,
    ) -> Result<Vec<Submission>, StoreError> {
        let last = [0xff; 16];
        let before: &[u8] = before.as_ref().map_or(&last, |id| id.as_bytes());
        let values = values![programme.as_str(), agency.as_str(), before, limit];
        self.fetch_all(OF_AGENCY, values).await?.iter().map(read).collect()
    }

    /// How many row errors of a submission are kept.
    pub async fn row_error_count(&self, id: SubmissionId) -> Result<i64, StoreError> {
        let row = self.fetch_optional(ERROR_COUNT, values![id.as_bytes()]).await?;
        row.ok_or(StoreError::Corrupt("count"))?.int(0)
    }

    /// Whether a submission of a feed is received and not visible yet, or being taken back.
    pub async fn is_feed_under_way(
        &self,
        programme: &ProgrammeCode,
        agency: &AgencyCode,
        feed: &FeedCode,
    ) -> Result<bool, StoreError> {
        let values = values![programme.as_str(), agency.as_str(), feed.as_str()];
        let row = self.fetch_optional(UNDER_WAY, values).await?;
        Ok(row.ok_or(StoreError::Corrupt("count"))?.int(0)? > 0)
    }

    /// A page of the references that a delta takes back, in order.
    pub async fn retractions(
        &self,
        submission: SubmissionId,
        after: Option<&OpaqueRef>,
        limit: i64,
    ) -> Result<Vec<OpaqueRef>, StoreError> {
        let after = after.map_or("", OpaqueRef::as_str);
        let rows = self.fetch_all(RETRACTIONS, values![submission.as_bytes(), after, limit]).await?;
        let reference = |row: &Row| OpaqueRef::parse(&row.text(0)?).map_err(|_| StoreError::Corrupt("reference"));
        rows.iter().map(reference).collect()
    }

    /// Failed and replaced submissions whose rows can be removed.
    pub async fn abandoned_submissions(&self, before: Timestamp) -> Result<Vec<Submission>, StoreError> {
        self.fetch_all(ABANDONED, values![before.as_micros()]).await?.iter().map(read).collect()
    }

    /// Submissions whose sender stopped sending long ago.
    pub async fn stalled_submissions(&self, before: Timestamp) -> Result<Vec<Submission>, StoreError> {
        self.fetch_all(STALLED, values![before.as_micros()]).await?.iter().map(read).collect()
    }

    /// The feeds that enquiries see at a generation.
    pub async fn feeds(&self, programme: &ProgrammeCode, generation: i64) -> Result<Vec<FeedState>, StoreError> {
        let rows = self.fetch_all(FEEDS, values![programme.as_str(), generation]).await?;
        let states = rows
            .iter()
            .map(|row| {
                Ok(FeedState {
                    agency: row.parsed(0, "agency")?,
                    feed: row.parsed(1, "feed")?,
                    agreement: row.parsed(2, "agreement")?,
                    as_at: Timestamp::from_micros(row.int(3)?),
                    submission: SubmissionId::from_slice(&row.bytes(4)?)
                        .map_err(|_| StoreError::Corrupt("submission id"))?,
                })
            })
            .collect::<Result<Vec<FeedState>, StoreError>>()?;
        // Of a feed with deltas the newest speaks: the rows came in the order of generations.
        let mut newest: Vec<FeedState> = Vec::with_capacity(states.len());
        for state in states {
            match newest.last_mut() {
                Some(last) if (&last.agency, &last.feed) == (&state.agency, &state.feed) => *last = state,
                _ => newest.push(state),
            }
        }
        Ok(newest)
    }

    /// Row errors after a row, at most `limit`.
    pub async fn row_errors(&self, id: SubmissionId, after: i64, limit: i64) -> Result<Vec<RowError>, StoreError> {
        let rows = self.fetch_all(ROW_ERRORS, values![id.as_bytes(), after, limit]).await?;
        rows.iter().map(|row| Ok(RowError { row: row.int(0)?, field: row.text(1)?, code: row.text(2)? })).collect()
    }
}

impl Tx {
    /// Begins a submission.
    pub async fn insert_submission(&mut self, new: &NewSubmission) -> Result<(), StoreError> {
        let agreement = new.agreement.to_string();
        let values = values![
            new.id.as_bytes(),
            new.programme.as_str(),
            new.agency.as_str(),
            new.feed.as_str(),
            &agreement,
            new.mode,
            new.rows_mode,
            new.as_at.as_micros(),
            FOREVER,
            new.received_at.as_micros(),
            new.base.as_ref().map(|base| base.as_bytes().as_slice()),
        ];
        self.execute(INSERT, values).await.map(drop)
    }

    /// Takes a block of record ids; returns the first.
    pub async fn take_record_ids(&mut self, count: i64) -> Result<i64, StoreError> {
        let row = self.fetch_optional(RECORD_BLOCK, values![count]).await?;
        Ok(row.ok_or(StoreError::Corrupt("record counter"))?.int(0)? - count)
    }

    /// Notes how far a submission has come. Returns false when it is no longer being staged.
    pub async fn note_progress(
        &mut self,
        id: SubmissionId,
        (read, accepted, rejected): (i64, i64, i64),
    ) -> Result<bool, StoreError> {
        Ok(self.execute(PROGRESS, values![id.as_bytes(), read, accepted, rejected]).await? == 1)
    }

    /// Keeps row errors.
    pub async fn add_row_errors(&mut self, id: SubmissionId, errors: &[RowError]) -> Result<(), StoreError> {
        let values: Vec<Value<'_>> = errors
            .iter()
            .flat_map(|error| [id.as_bytes().into(), error.row.into(), (&error.field).into(), Value::from(&error.code)])
            .collect();
        self.insert_many(&ADD_ROW_ERRORS, &values).await.map(drop)
    }

    /// A submission of this feed with the same bytes, if the feed shows or will show just that.
    pub async fn submission_with_digest(
        &mut self,
        agency: &AgencyCode,
        feed: &FeedCode,
        digest: &[u8; 32],
    ) -> Result<Option<SubmissionId>, StoreError> {
        let row = self.fetch_optional(SAME, values![agency.as_str(), feed.as_str(), digest]).await?;
        row.as_ref().map(submission_id).transpose()
    }

    /// Says that every row has arrived. Returns false when the submission takes none any more.
    pub async fn mark_staged(&mut self, id: SubmissionId, digest: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(self.execute(STAGED, values![id.as_bytes(), digest]).await? == 1)
    }

    /// Gives a submission up, with the reason's code. One of which no row was taken has none to remove.
    pub async fn mark_failed(&mut self, id: SubmissionId, code: &str, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.execute(FAIL, values![id.as_bytes(), code, now.as_micros()]).await? == 1)
    }

    /// Says that the submission's links are being computed.
    pub async fn mark_publishing(&mut self, id: SubmissionId) -> Result<bool, StoreError> {
        Ok(self.execute(PUBLISHING, values![id.as_bytes()]).await? == 1)
    }

    /// Shows a submission from a generation on.
    pub(super) async fn show_submission(
        &mut self,
        id: SubmissionId,
        generation: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.execute(SHOW, values![id.as_bytes(), generation, FOREVER, now.as_micros()]).await? == 1)
    }

    /// Hides a submission from a generation on.
    pub(super) async fn hide_submission(
        &mut self,
        id: SubmissionId,
        state: SubmissionState,
        generation: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let values = values![id.as_bytes(), state.as_str(), generation, now.as_micros()];
        Ok(self.execute(HIDE, values).await? == 1)
    }

    /// Says that a visible submission is to be taken back. Returns false when it is not visible.
    pub async fn mark_withdrawing(&mut self, id: SubmissionId) -> Result<bool, StoreError> {
        Ok(self.execute(WITHDRAW, values![id.as_bytes()]).await? == 1)
    }

    /// Says that a submission could not be taken back and is seen as before, with the reason's code.
    pub async fn keep_showing(&mut self, id: SubmissionId, code: &str) -> Result<bool, StoreError> {
        Ok(self.execute(KEEP_SHOWING, values![id.as_bytes(), code]).await? == 1)
    }

    /// Keeps references that a delta takes back.
    pub async fn add_retractions(&mut self, id: SubmissionId, references: &[OpaqueRef]) -> Result<(), StoreError> {
        let values: Vec<Value<'_>> =
            references.iter().flat_map(|reference| [id.as_bytes().into(), Value::from(reference.as_str())]).collect();
        self.insert_many(&ADD_RETRACTIONS, &values).await.map(drop)
    }

    /// Notes that a submission's rows are gone.
    pub async fn mark_emptied(&mut self, id: SubmissionId) -> Result<(), StoreError> {
        self.execute(DROP_RETRACTIONS, values![id.as_bytes()]).await?;
        self.execute(EMPTIED, values![id.as_bytes()]).await.map(drop)
    }
}

/// The submission's id in a row's first column.
pub(super) fn submission_id(row: &Row) -> Result<SubmissionId, StoreError> {
    SubmissionId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("submission id"))
}

fn read(row: &Row) -> Result<Submission, StoreError> {
    Ok(Submission {
        id: submission_id(row)?,
        programme: row.parsed(1, "programme")?,
        agency: row.parsed(2, "agency")?,
        feed: row.parsed(3, "feed")?,
        agreement: row.parsed(4, "agreement")?,
        mode: row.text(5)?,
        rows_mode: row.text(6)?,
        as_at: Timestamp::from_micros(row.int(7)?),
        state: SubmissionState::parse(&row.text(8)?)?,
        rows_read: row.int(9)?,
        rows_accepted: row.int(10)?,
        rows_rejected: row.int(11)?,
        failure: row.optional_text(12)?,
        received_at: Timestamp::from_micros(row.int(13)?),
        finished_at: row.optional_int(14)?.map(Timestamp::from_micros),
        digest: row
            .optional_bytes(15)?
            .map(|bytes| bytes.try_into().map_err(|_| StoreError::Corrupt("digest")))
            .transpose()?,
        base: row
            .optional_bytes(16)?
            .map(|bytes| SubmissionId::from_slice(&bytes).map_err(|_| StoreError::Corrupt("submission id")))
            .transpose()?,
    })
}
