//! Takes a file in line by line, from its beginning or from where it broke off.

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::submit::{Continuation, FileFault, LineDigest, OpenSubmission, Received};
use crate::domain::ids::SubmissionId;
use crate::web::api::Api;
use crate::web::api::idempotency::IdempotencyKey;
use crate::web::body::{BodyError, LineLimits, NdjsonLines};
use crate::web::problem::{Problem, kinds};

const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";

/// The first line of the rest of a file; in CSV after a `#`.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContinuationLine {
    /// The last line that the gateway holds.
    pub after: i64,
    /// The running digest of the caller's own file up to there, hexadecimal.
    pub digest: String,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Csv,
}

impl Format {
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = value.split(';').next().unwrap_or_default().trim();
        let known = [(NDJSON, Self::Json), (CSV, Self::Csv)];
        known.into_iter().find(|(name, _)| media_type.eq_ignore_ascii_case(name)).map(|(_, format)| format)
    }

    /// The JSON of a line that is no row: in CSV it stands after a `#`.
    fn head(self, line: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Json => Some(line),
            Self::Csv => line.strip_prefix(b"#"),
        }
    }
}

/// How a body is written, and its lines.
pub(super) fn lines_of(api: &Api, request: Request) -> Result<(Format, NdjsonLines), Problem> {
    let (parts, body) = request.into_parts();
    let Some(format) = Format::of(&parts.headers) else {
        let takes = "this path takes application/x-ndjson and text/csv";
        return Err(Problem::new(kinds::UNSUPPORTED_MEDIA_TYPE).detail(takes));
    };
    let lines = NdjsonLines::new(&parts.headers, body, line_limits(api, format))?;
    Ok((format, lines))
}

fn line_limits(api: &Api, format: Format) -> LineLimits {
    let limits = &api.parts.limits;
    let around = match format {
        Format::Json => 2, // the header and the end line
        Format::Csv => 3,  // and the column names
    };
    LineLimits {
        total_bytes: u64::from(limits.submission_mebibytes) << 20,
        rows: u64::from(limits.submission_rows) + around,
        ..LineLimits::default()
    }
}

/// Reads a file line by line, no faster than its rows are stored.
pub(super) async fn receive(
    gateway: Gateway,
    caller: AgencyCaller,
    key: IdempotencyKey,
    format: Format,
    mut lines: NdjsonLines,
) -> Result<Received, Problem> {
    let Some(first) = lines.next_line().await? else { return Err(FileFault::Header.into()) };
    let Some(header) = format.head(&first.bytes) else {
        lines.give_up();
        return Err(FileFault::Header.into());
    };
    let begun = async {
        let submission = gateway.begin_submission(&caller, header).await?;
        let mut submission = if format == Format::Csv { submission.as_csv() } else { submission };
        submission.make_resumable(&caller, key.as_str(), header).await?;
        Ok::<_, AppError>(submission)
    };
    match begun.await {
        Ok(submission) => take_lines(submission, lines, 0).await,
        Err(error) => {
            lines.give_up();
            Err(error.into())
        }
    }
}

/// Reads the rest of a file of which the gateway holds the beginning.
pub(super) async fn receive_rest(
    gateway: Gateway,
    caller: AgencyCaller,
    id: SubmissionId,
    format: Format,
    mut lines: NdjsonLines,
) -> Result<Received, Problem> {
    let first = lines.next_line().await?;
    let place = first.as_ref().and_then(|first| format.head(&first.bytes)).and_then(continuation);
    let Some(place) = place else {
        lines.give_up();
        return Err(FileFault::Continuation.into());
    };
    match gateway.resume_submission(&caller, id, &place).await {
        // The line that says where to go on stands before the one after `after`.
        Ok(Some(submission)) => {
            // The limits are the file's, however many connections it takes.
            let (rows, bytes) = submission.taken();
            lines.count_earlier(rows, bytes);
            take_lines(submission, lines, place.after - 1).await
        }
        Ok(None) => {
            lines.give_up();
            Err(Problem::new(kinds::NOT_FOUND))
        }
        Err(error) => {
            lines.give_up();
            Err(error.into())
        }
    }
}

fn continuation(line: &[u8]) -> Option<Continuation> {
    let ContinuationLine { after, digest } = serde_json::from_slice(line).ok()?;
    let is_plain = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = |at: usize| u8::from_str_radix(digest.get(2 * at..2 * at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
    let bytes: [u8; 32] = bytes.filter(|_| is_plain)?.try_into().ok()?;
    (after >= 1).then(|| Continuation { after, digest: LineDigest::from_bytes(bytes) })
}

/// Takes lines to the end of the body; `before` lines of the file came in earlier bodies.
async fn take_lines(mut submission: OpenSubmission, mut lines: NdjsonLines, before: i64) -> Result<Received, Problem> {
    let id = submission.id();
    let Err((broken, problem)) = push_all(&mut submission, &mut lines, before).await else {
        return Ok(submission.finish().await?);
    };
    let code = broken.code();
    let ended = match broken {
        Broken::Off(code) => submission.hold(code).await,
        Broken::Refused(code) => submission.abandon(code).await,
    };
    if let Err(error) = ended {
        tracing::warn!(submission.id = %id, error = %error, "a submission stays open until it is tidied away");
    }
    lines.give_up();
    Err(problem.with(|extras| {
        extras.code = Some(code);
        extras.submission = Some(id.to_string());
    }))
}

/// Why no more lines are taken, with the reason's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// The rest may come yet.
    Off(&'static str),
    /// Nothing of the file can land.
    Refused(&'static str),
}

impl Broken {
    fn code(self) -> &'static str {
        match self {
            Self::Off(code) | Self::Refused(code) => code,
        }
    }
}

async fn push_all(
    submission: &mut OpenSubmission,
    lines: &mut NdjsonLines,
    before: i64,
) -> Result<(), (Broken, Problem)> {
    loop {
        match lines.next_line().await {
            Ok(Some(line)) => {
                submission.at_line(line.number.saturating_add_signed(before));
                let pushed = submission.push(line.bytes).await;
                pushed.map_err(|error| match &error {
                    AppError::RefusedFile { fault, .. } => (Broken::Refused(fault.code()), Problem::from(error)),
                    // The database may be back in a moment; rows that arrive are blinded in vain meanwhile.
                    AppError::Store(store) if store.is_transient() => {
                        (Broken::Off("file.interrupted"), Problem::from(error))
                    }
                    _ => (Broken::Refused("file.interrupted"), Problem::from(error)),
                })?;
            }
            Ok(None) => return Ok(()),
            Err(error @ (BodyError::Incomplete | BodyError::TooSlow)) => {
                return Err((Broken::Off(failure_code(error)), error.into()));
            }
            Err(error) => return Err((Broken::Refused(failure_code(error)), error.into())),
        }
    }
}

pub(super) fn failure_code(error: BodyError) -> &'static str {
    match error {
        BodyError::TooLarge { .. } => "file.too_large",
        BodyError::LineTooLong { .. } => "file.line_too_long",
        BodyError::TooManyRows { .. } => "file.too_many_rows",
        BodyError::TooSlow => "file.idle",
        BodyError::Incomplete => "file.cut_off",
        BodyError::Coded => "file.unsupported",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_to_go_on_at_is_a_line_and_a_digest() {
        let line = |after: i64, digest: &str| format!("{{\"after\":{after},\"digest\":\"{digest}\"}}").into_bytes();
        let digest = "0a".repeat(32);
        let expected = Continuation { after: 501, digest: LineDigest::from_bytes([10; 32]) };
        assert_eq!(continuation(&line(501, &digest)), Some(expected));
        for bad in [line(0, &digest), line(1, &digest[1..]), line(1, &"+a".repeat(32)), b"{}".to_vec()] {
            assert_eq!(continuation(&bad), None);
        }
    }
}
