//! An upload that broke off goes on where it was: what is held is told, and the lines after it are
//! taken, if they are of the same file. It is given up when its time is over or when another file of
//! the feed comes instead.

use std::sync::Arc;

use bytes::Bytes;

use super::{Base, FileFault, Format, LineDigest, OpenSubmission};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::columns::Columns;
use crate::domain::ids::{OpaqueRef, SubmissionId};
use crate::domain::submission::Header;
use crate::store::{NewUpload, StoreError, Submission};

/// What a client's idempotency key is bound to.
const OPERATION: &[u8] = b"upload";
/// References that are read at a time.
const PAGE: i64 = 2000;

/// What the gateway holds of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldUpload {
    /// Of which submission.
    pub id: SubmissionId,
    /// The last line of the file that is held; the header is line 1.
    pub line: i64,
    /// The digest up to there.
    pub digest: LineDigest,
}

/// Where a client means to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Continuation {
    /// After which line of the file; the header is line 1.
    pub after: i64,
    /// The digest of its own file up to there.
    pub digest: LineDigest,
}

impl Gateway {
    /// What is held of the upload that a client began under an idempotency key.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn held_upload(&self, caller: &AgencyCaller, key: &str) -> Result<Option<HeldUpload>, AppError> {
        let tag = self.keys().tagger.reply(&caller.client, key, OPERATION);
        let found = self.store().upload(&caller.client, &tag).await?;
        Ok(found.map(|upload| HeldUpload {
            id: upload.submission,
            line: upload.line,
            digest: LineDigest::from_bytes(upload.digest),
        }))
    }

    /// Goes on with an upload that broke off, as if its lines had come without a break. From now on an
    /// earlier connection that still lives stores nothing more. `None` when the client has no such
    /// upload.
    ///
    /// # Errors
    ///
    /// [`FileFault::Continuation`] when the client would go on at another line or with another file:
    /// nothing has changed then. Whatever would refuse the header now fails the submission.
    pub async fn resume_submission(
        &self,
        caller: &AgencyCaller,
        id: SubmissionId,
        continuation: &Continuation,
    ) -> Result<Option<OpenSubmission>, AppError> {
        let policies = self.current_policies().await?;
        self.check_blinding(&policies)?;
        let mut tx = self.store().begin().await?;
        let Some(upload) = tx.take_over_upload(id, &caller.client).await? else { return Ok(None) };
        if (upload.line, &upload.digest) != (continuation.after, continuation.digest.as_bytes()) {
            return Err(FileFault::Continuation.into()); // and the transaction is rolled back
        }
        tx.commit().await?;

        let now = self.store().now().await?;
        let stored = self.store().submission(id).await?.ok_or(StoreError::Corrupt("an upload without a submission"))?;
        let header: Header =
            serde_json::from_slice(&upload.header).map_err(|_| StoreError::Corrupt("a stored header"))?;
        let columns = upload.columns.as_deref().map(|row| {
            let columns = Columns::parse(row).map_err(|_| StoreError::Corrupt("stored column names"))?;
            Ok::<_, StoreError>((Arc::new(columns), Bytes::copy_from_slice(row)))
        });
        let format = if upload.format == CSV { Format::Csv(columns.transpose()?) } else { Format::Json };
        let digest = LineDigest::from_bytes(upload.digest);
        let takes_legacy = policies.takes_legacy_tokens(&header.agency, &header.agreement, now);
        let mut open = OpenSubmission {
            gateway: self.clone(),
            takes_legacy,
            policies: Arc::clone(&policies),
            header: Arc::new(header),
            format,
            id,
            client: caller.client.clone(),
            digest,
            lines: Vec::new(),
            reached: (upload.line, digest, upload.bytes),
            bytes: upload.bytes,
            attempt: Some(upload.attempt),
            has_gap: false,
            preparing: None,
            ids: 0..0,
            next_line: upload.line + 1,
            end: None,
            read: stored.rows_read,
            accepted: stored.rows_accepted,
            rejected: stored.rows_rejected,
            errors_kept: self.store().row_error_count(id).await?,
            base: None,
        };
        let checked = match self.check_header(caller, &open.header, &policies, now).await {
            Ok(base) => self.same_base(base, &stored, upload.attempt).await,
            Err(error) => Err(error),
        };
        match checked {
            Ok(base) => open.base = base,
            Err(AppError::File(fault)) => {
                open.fail(fault.code()).await?;
                return Err(AppError::RefusedFile { id, fault });
            }
            Err(error) => return Err(error),
        }
        tracing::info!(submission.id = %id, upload.line = upload.line, "an upload goes on where it broke off");
        Ok(Some(open))
    }

    /// What a delta applies to, if that is still what it applied to when it began, with the references
    /// that its earlier lines named. They are read into memory: for one connection of an upload at a
    /// time, the one before stops.
    async fn same_base(&self, base: Option<Base>, stored: &Submission, attempt: i64) -> Result<Option<Base>, AppError> {
        let Some(mut base) = base else { return Ok(None) };
        if base.submissions.last() != stored.base.as_ref() {
            return Err(FileFault::BaseChanged.into());
        }
        let mut last: Option<OpaqueRef> = None;
        loop {
            self.refuse_overtaken(stored.id, attempt).await?;
            let page = self.store().submission_records(stored.id, last.as_ref(), PAGE).await?;
            let Some(end) = page.last() else { break };
            last = Some(end.reference.clone());
            base.named.extend(page.into_iter().map(|record| record.reference));
        }
        let mut last: Option<OpaqueRef> = None;
        loop {
            self.refuse_overtaken(stored.id, attempt).await?;
            let page = self.store().retractions(stored.id, last.as_ref(), PAGE).await?;
            let Some(end) = page.last() else { break };
            last = Some(end.clone());
            base.named.extend(page);
        }
        Ok(Some(base))
    }

    async fn refuse_overtaken(&self, id: SubmissionId, attempt: i64) -> Result<(), AppError> {
        if self.store().is_attempt(id, attempt).await? { Ok(()) } else { Err(AppError::Interrupted) }
    }
}

/// The word for CSV in the database; anything else is newline-delimited JSON.
const CSV: &str = "csv";

impl OpenSubmission {
    /// Keeps what arrives if the connection breaks off, so that the client can go on under the same
    /// idempotency key. What was held of earlier files of the feed is given up, and whatever the same
    /// system began before: it sends one file of a feed at a time, so the earlier connection is gone,
    /// though a gateway that died with it could not say so.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn make_resumable(&mut self, caller: &AgencyCaller, key: &str, header: &[u8]) -> Result<(), AppError> {
        let mut tx = self.gateway.store().begin().await?;
        let now = tx.now().await?;
        for held in tx.held_uploads(&self.header.agency, &self.header.feed, Some(&caller.client)).await? {
            tx.mark_failed(held, FileFault::Superseded.code(), now).await?;
        }
        tx.insert_upload(&NewUpload {
            submission: self.id,
            client: &caller.client,
            tag: self.gateway.keys().tagger.reply(&caller.client, key, OPERATION),
            header,
            format: if matches!(self.format, Format::Csv(_)) { CSV } else { "json" },
            digest: *self.digest.as_bytes(),
        })
        .await?;
        tx.commit().await?;
        self.attempt = Some(1);
        Ok(())
    }

    /// The connection broke off: stores the whole lines that came, and keeps them for a while. If some
    /// could not be stored, those after them are forgotten and come again. An upload that cannot be
    /// resumed is given up with the reason's code.
    ///
    /// # Errors
    ///
    /// [`AppError`] when the last lines could not be stored; those before them are kept all the same.
    pub async fn hold(mut self, code: &'static str) -> Result<(), AppError> {
        let Some(attempt) = self.attempt else { return self.fail(code).await };
        if !self.has_gap {
            self.advance().await?;
            self.stage().await?;
        }
        let mut tx = self.gateway.store().begin().await?;
        let now = tx.now().await?;
        if tx.hold_upload(self.id, attempt, now).await? {
            tx.commit().await?;
            tracing::info!(submission.id = %self.id, code, "an upload broke off; what came of it is held");
        }
        Ok(())
    }
}
