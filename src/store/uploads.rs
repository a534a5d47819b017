//! Uploads: how far the lines of a submission have come, so that a broken connection is no new beginning.

use super::statements::statements;
use super::submissions::submission_id;
use super::value::{Row, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, FeedCode, SubmissionId};
use crate::domain::time::Timestamp;

statements! {
    ADD = "INSERT INTO upload (submission, client, idempotency_tag, header, format, line, digest, attempt, bytes)
           VALUES ($1, $2, $3, $4, $5, 1, $6, 1, $7)";
    ATTEMPT = "SELECT attempt FROM upload WHERE submission = $1";
    FIND = "SELECT submission, header, format, columns, line, digest, attempt, bytes FROM upload
            WHERE client = $1 AND idempotency_tag = $2
              AND EXISTS (SELECT 1 FROM submission WHERE id = upload.submission AND state = 'staging')
            ORDER BY submission DESC LIMIT 1";
    TAKE_OVER = "UPDATE upload SET attempt = attempt + 1, held_at = NULL WHERE submission = $1 AND client = $2
                   AND EXISTS (SELECT 1 FROM submission WHERE id = upload.submission AND state = 'staging')
                 RETURNING submission, header, format, columns, line, digest, attempt, bytes";
    NOTE = "UPDATE upload SET line = $3, digest = $4, bytes = $5, columns = $6 WHERE submission = $1 AND attempt = $2";
    HOLD = "UPDATE upload SET held_at = $3 WHERE submission = $1 AND attempt = $2";
    LOCK = "UPDATE upload SET attempt = attempt WHERE submission = $1 AND attempt = $2";
    HELD_OF_FEED = "SELECT upload.submission FROM upload JOIN submission ON submission.id = upload.submission
                    WHERE submission.agency = $1 AND submission.feed = $2 AND submission.state = 'staging'
                      AND (upload.held_at IS NOT NULL OR upload.client = $3) ORDER BY upload.submission";
    FORGET = "DELETE FROM upload WHERE submission IN (SELECT id FROM submission WHERE state <> 'staging')";
}

/// An upload as it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload<'a> {
    /// Of which submission.
    pub submission: SubmissionId,
    /// Which system sends it.
    pub client: &'a str,
    /// Keyed tag of the idempotency key.
    pub tag: [u8; 32],
    /// The header as sent.
    pub header: &'a [u8],
    /// `json` or `csv`.
    pub format: &'static str,
    /// Running digest over the header.
    pub digest: [u8; 32],
}

/// An upload as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Of which submission.
    pub submission: SubmissionId,
    /// The header as sent.
    pub header: Vec<u8>,
    /// `json` or `csv`.
    pub format: String,
    /// Of a CSV file, the row of column names, once rows are held.
    pub columns: Option<Vec<u8>>,
    /// The last line of the file that is held.
    pub line: i64,
    /// Running digest over the lines up to there.
    pub digest: [u8; 32],
    /// Which connection it is, from 1.
    pub attempt: i64,
    /// How many bytes the lines up to there have, with their ends.
    pub bytes: i64,
}

impl Store {
    /// The newest upload of a client under an idempotency key, while its submission still takes rows.
    pub async fn upload(&self, client: &str, tag: &[u8; 32]) -> Result<Option<Upload>, StoreError> {
        self.fetch_optional(FIND, values![client, tag]).await?.as_ref().map(read).transpose()
    }

    /// Whether an upload is still a connection's own, as far as anybody knows without holding it.
    pub async fn is_attempt(&self, id: SubmissionId, attempt: i64) -> Result<bool, StoreError> {
        let row = self.fetch_optional(ATTEMPT, values![id.as_bytes()]).await?;
        Ok(row.map(|row| row.int(0)).transpose()? == Some(attempt))
    }
}

impl Tx {
    /// Begins to note how far an upload has come.
    pub async fn insert_upload(&mut self, new: &NewUpload<'_>) -> Result<(), StoreError> {
        let bytes = new.header.len() as i64 + 1;
        let values =
            values![new.submission.as_bytes(), new.client, &new.tag, new.header, new.format, &new.digest, bytes];
        self.execute(ADD, values).await.map(drop)
    }

    /// Takes an upload over: from now on no earlier connection stores anything of it. `None` when the
    /// client has no such upload, or its submission takes no rows any more.
    pub async fn take_over_upload(&mut self, id: SubmissionId, client: &str) -> Result<Option<Upload>, StoreError> {
        self.fetch_optional(TAKE_OVER, values![id.as_bytes(), client]).await?.as_ref().map(read).transpose()
    }

    /// Notes how far an upload has come, unless another connection took it over.
    pub async fn note_upload(
        &mut self,
        id: SubmissionId,
        attempt: i64,
        (line, digest, bytes): (i64, &[u8; 32], i64),
        columns: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        self.execute(NOTE, values![id.as_bytes(), attempt, line, digest, bytes, columns]).await.map(drop)
    }

    /// Notes that an upload's connection broke off. Returns false when another connection took it over.
    pub async fn hold_upload(&mut self, id: SubmissionId, attempt: i64, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.execute(HOLD, values![id.as_bytes(), attempt, now.as_micros()]).await? == 1)
    }

    /// Whether an upload is still this connection's; until the transaction ends nobody takes it over.
    pub async fn lock_upload(&mut self, id: SubmissionId, attempt: i64) -> Result<bool, StoreError> {
        Ok(self.execute(LOCK, values![id.as_bytes(), attempt]).await? == 1)
    }

    /// The submissions of a feed whose upload broke off, and those of one system whether they did or not:
    /// nobody noted the end of an upload when its gateway died.
    pub async fn held_uploads(
        &mut self,
        agency: &AgencyCode,
        feed: &FeedCode,
        client: Option<&str>,
    ) -> Result<Vec<SubmissionId>, StoreError> {
        let values = values![agency.as_str(), feed.as_str(), client.unwrap_or_default()];
        let rows = self.fetch_all(HELD_OF_FEED, values).await?;
        rows.iter().map(submission_id).collect()
    }

    /// Removes what was noted of submissions that take no rows any more.
    pub async fn forget_uploads(&mut self) -> Result<u64, StoreError> {
        self.execute(FORGET, values![]).await
    }
}

fn read(row: &Row) -> Result<Upload, StoreError> {
    Ok(Upload {
        submission: submission_id(row)?,
        header: row.bytes(1)?,
        format: row.text(2)?,
        columns: row.optional_bytes(3)?,
        line: row.int(4)?,
        digest: row.bytes(5)?.try_into().map_err(|_| StoreError::Corrupt("digest"))?,
        attempt: row.int(6)?,
        bytes: row.int(7)?,
    })
}
