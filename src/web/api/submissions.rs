//! `/v1/submissions`: a feed is delivered line by line, and its fate is followed.

mod receive;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

pub use self::receive::ContinuationLine;
use self::receive::{Format, lines_of, receive, receive_rest};
use super::idempotency::IdempotencyKey;
use super::{Api, form};
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::policies::hex;
use crate::app::shared_addresses::SharedAddresses;
use crate::app::submit::{FileFault, Received};
use crate::domain::ids::{OpaqueRef, SubmissionId};
use crate::domain::submission::ROW_CODES;
use crate::linkage::household::LARGEST_FAMILY;
use crate::store::{RowError, Submission};
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

/// Row errors of a page, unless the caller asks for another number.
const PAGE: i64 = 100;
/// Most row errors that a caller may ask for.
const MOST_A_PAGE: i64 = 1000;
/// More faults than one row can have: a page ends between rows.
const MOST_OF_A_ROW: i64 = 1024;

/// How failures are called that are not [`FileFault`]s.
const OTHER_FAILURES: &[(&str, &str)] = &[
    ("file.cut_off", "the connection ended before the file did"),
    ("file.idle", "the file arrived too slowly"),
    ("file.line_too_long", "a line is longer than any record can be"),
    ("file.too_large", "the file is larger than this gateway takes"),
    ("file.too_many_rows", "the file has more rows than this gateway takes"),
    ("file.unsupported", "the file is compressed"),
    ("file.interrupted", "the gateway could not store the rows; send the file again"),
    ("file.stalled", "the sender stopped long ago"),
    ("file.unpublishable", "the gateway could not make the change visible; tell its operator"),
    ("file.repeat", "the same file was received before"),
    ("file.keys_changing", "the gateway's blinding key was being changed; send the file again"),
];

/// A submission that was received whole.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SubmissionReceived {
    /// Its id; that of the earlier one when the same file was received before.
    #[schema(value_type = String, format = "uuid")]
    pub id: SubmissionId,
    /// Where it is in its life: `staged` at first, `visible` once enquiries see it.
    pub state: String,
    /// The same bytes were received before: nothing was stored again.
    pub is_repeat: bool,
}

/// A submission of the caller's own. It says nothing of links or of other agencies' records.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SubmissionView {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub id: SubmissionId,
    /// Which feed.
    pub feed: String,
    /// Under which agreement.
    pub agreement: String,
    /// `snapshot` or `delta`.
    pub mode: String,
    /// `all_or_nothing` or `good_rows`.
    pub rows: String,
    /// The day that the file describes.
    #[schema(format = Date)]
    pub as_at: String,
    /// `staging`, `staged`, `publishing`, `visible`, `withdrawing`, `withdrawn`, `replaced` or `failed`.
    pub state: String,
    /// Rows read so far.
    pub rows_read: i64,
    /// Rows taken.
    pub rows_accepted: i64,
    /// Rows refused.
    pub rows_rejected: i64,
    /// Why it failed, if it failed.
    pub failure: Option<FailureView>,
    /// When it began.
    #[schema(format = DateTime)]
    pub received_at: String,
    /// When it became visible, was replaced, withdrawn or failed.
    #[schema(format = DateTime)]
    pub finished_at: Option<String>,
    /// A page of what is wrong with rows, by row number; at most 10,000 errors are kept.
    pub errors: Vec<RowErrorView>,
    /// Pass it as `after` for the next page; absent on the last.
    pub next_after: Option<i64>,
}

/// What too many records of one submission share.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SharedAddressesView {
    /// An address of more records than this is no household evidence.
    pub more_than: u64,
    /// How many such addresses the submission has.
    pub addresses: u64,
    /// How many records give such an address.
    pub records: u64,
    /// The first 10,000 of these records, by the agency's own references.
    #[schema(value_type = Vec<String>)]
    pub references: Vec<OpaqueRef>,
}

/// Why a submission failed.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FailureView {
    /// For programs, such as `file.truncated`.
    pub code: String,
    /// For people.
    pub meaning: String,
}

/// One thing wrong with one row; never its value.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RowErrorView {
    /// Line of the file; the header is line 1.
    pub row: i64,
    /// Where in the row, such as `flags[2].criterion`; empty for the row as a whole.
    pub field: String,
    /// What is wrong, for programs, such as `token.malformed`.
    pub code: String,
    /// What is wrong and what to do, for people.
    pub meaning: String,
}

/// What the gateway holds of a file whose connection broke off.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UploadView {
    /// The submission.
    #[schema(value_type = String, format = "uuid")]
    pub id: SubmissionId,
    /// The last line of the file that is held; the header is line 1.
    #[schema(example = 501)]
    pub line: i64,
    /// Running digest over the lines up to there, hexadecimal: docs/submissions.md says how it is made.
    pub digest: String,
}

/// Some of the caller's submissions.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SubmissionsView {
    /// The newest first, without their row errors.
    pub submissions: Vec<SubmissionView>,
    /// Pass it as `before` for the next page; absent on the last.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub next_before: Option<SubmissionId>,
}

/// Delivers a feed: a header line, one record a line, and an end line that counts the records.
///
/// The file itself is the key of repeats: the same bytes of the same feed land once, whatever
/// `Idempotency-Key` they come with. When the connection breaks off, what came is held for a while
/// under that key: see `/v1/submissions/held`.
#[utoipa::path(post, path = "/v1/submissions", operation_id = "submit", tag = "submissions",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body(content = String, content_type = "application/x-ndjson",
        description = "Line 1: a `Header`. Then one record a line; in a delta also `{\"ref\": …, \"retract\": true}`. Last line: `{\"end\": <number of rows>}`. Or the same as `text/csv`: see docs/submissions.md."),
    responses(
        (status = 202, description = "Received whole; it becomes visible by itself", body = SubmissionReceived),
        (status = 400, description = "The file is incomplete, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The agreement is not in force with a supply term of the caller"),
        (status = 408, description = "The file arrived too slowly"),
        (status = 409, description = "Another linkage key, match-key file or epoch; an older day than the feed shows; or a delta that does not fit what the feed shows"),
        (status = 413, description = "The file or a line of it is too long"),
        (status = 415, description = "Neither newline-delimited JSON nor CSV"),
        (status = 422, description = "The header is not accepted, or rows are bad and the file asked for all or nothing"),
    ))]
pub async fn create(
    State(api): State<Api>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    request: Request,
) -> Result<(StatusCode, Json<SubmissionReceived>), Problem> {
    let (format, lines) = lines_of(&api, request)?;
    let gateway = api.gateway().clone();
    // A task of its own: a caller who hangs up must not leave the submission half open.
    let received = tokio::spawn(receive(gateway.clone(), caller, key, format, lines).in_current_span());
    let received = received.await.map_err(Problem::internal)??;
    taken(&gateway, &received).await
}

/// Says what is held of a file whose connection broke off.
///
/// It is found by the `Idempotency-Key` of the call that delivered it, by the same system only. Lines
/// are held until six hours after the first of them came, or until another file of the feed is sent.
#[utoipa::path(post, path = "/v1/submissions/held", operation_id = "find_upload", tag = "submissions",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "The one of the call that delivered the file")),
    responses(
        (status = 200, description = "How many lines are held", body = UploadView),
        (status = 400, description = "The Idempotency-Key is missing or malformed"),
        (status = 404, description = "Nothing is held under the key: send the file from its beginning"),
    ))]
pub async fn held(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
) -> Result<Json<UploadView>, Problem> {
    let held = gateway.held_upload(&caller, key.as_str()).await?.ok_or_else(|| Problem::new(kinds::NOT_FOUND))?;
    Ok(Json(UploadView { id: held.id, line: held.line, digest: hex(held.digest.as_bytes()) }))
}

/// Delivers the rest of a file whose connection broke off.
///
/// The first line says where it goes on: `{"after": <line>, "digest": "…"}`, as held by the gateway
/// and computed anew by the caller from its own file. Then come the lines after that one, the end line
/// last. It lands as the file would have landed without a break, once.
#[utoipa::path(post, path = "/v1/submissions/{id}/lines", operation_id = "continue_submission", tag = "submissions",
    security(("access_token" = [])),
    params(
        ("id" = String, Path, description = "The submission's id"),
        ("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores"),
    ),
    request_body(content = String, content_type = "application/x-ndjson",
        description = "Line 1: a `ContinuationLine`. Then the lines of the file that are not held yet. Or the same as `text/csv`."),
    responses(
        (status = 202, description = "Received whole; it becomes visible by itself", body = SubmissionReceived),
        (status = 400, description = "The file is incomplete, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The agreement is no longer in force with a supply term of the caller"),
        (status = 404, description = "Nothing is held of such a submission by this system"),
        (status = 408, description = "The file arrived too slowly"),
        (status = 409, description = "Another line or another file than what is held; or what refuses a file's header"),
        (status = 413, description = "The file or a line of it is too long"),
        (status = 415, description = "Neither newline-delimited JSON nor CSV"),
        (status = 422, description = "Rows are bad and the file asked for all or nothing"),
    ))]
pub async fn go_on(
    State(api): State<Api>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    _key: IdempotencyKey,
    request: Request,
) -> Result<(StatusCode, Json<SubmissionReceived>), Problem> {
    let id: SubmissionId = id.parse().map_err(|_| Problem::new(kinds::NOT_FOUND))?;
    let (format, lines) = lines_of(&api, request)?;
    let gateway = api.gateway().clone();
    let received = tokio::spawn(receive_rest(gateway.clone(), caller, id, format, lines).in_current_span());
    let received = received.await.map_err(Problem::internal)??;
    taken(&gateway, &received).await
}

async fn taken(gateway: &Gateway, received: &Received) -> Result<(StatusCode, Json<SubmissionReceived>), Problem> {
    let state = gateway.store().submission(received.id).await?;
    let state = state.map_or("staged", |submission| submission.state.as_str()).to_owned();
    let view = SubmissionReceived { id: received.id, state, is_repeat: received.is_repeat };
    Ok((StatusCode::ACCEPTED, Json(view)))
}

/// Whether a body says that it is newline-delimited JSON.
pub(super) fn is_ndjson(headers: &HeaderMap) -> bool {
    Format::of(headers) == Some(Format::Json)
}

/// Lists the submissions of the caller's own agency, the newest first.
#[utoipa::path(get, path = "/v1/submissions", operation_id = "list_submissions", tag = "submissions",
    security(("access_token" = [])),
    params(
        ("before" = Option<String>, Query, description = "Show those before this one: `next_before` of the page before"),
        ("limit" = Option<i64>, Query, description = "How many, 1 to 1000"),
    ),
    responses(
        (status = 200, description = "The submissions", body = SubmissionsView),
        (status = 400, description = "`before` or `limit` is malformed"),
    ))]
pub async fn list(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    uri: Uri,
) -> Result<Json<SubmissionsView>, Problem> {
    let page = Page::parse(uri.query().unwrap_or_default(), "before")?;
    let before = page.place.map(|place| place.parse().map_err(|_| Problem::new(kinds::INVALID_CURSOR))).transpose()?;
    let (programme, limit) = (gateway.programme().clone(), page.limit);
    let mut found = gateway.store().submissions_of(&programme, &caller.agency, before, limit + 1).await?;
    let is_more = found.len() as i64 > limit;
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_before = found.last().map(|last| last.id).filter(|_| is_more);
    let submissions = found.iter().map(|submission| view_of(submission, Vec::new(), limit)).collect();
    Ok(Json(SubmissionsView { submissions, next_before }))
}

/// Shows a submission of the caller's own agency, with a page of its row errors.
#[utoipa::path(get, path = "/v1/submissions/{id}", operation_id = "show_submission", tag = "submissions",
    security(("access_token" = [])),
    params(
        ("id" = String, Path, description = "The submission's id"),
        ("after" = Option<i64>, Query, description = "Show row errors after this row: `next_after` of the page before"),
        ("limit" = Option<i64>, Query, description = "About how many row errors, 1 to 1000; a page ends between rows"),
    ),
    responses(
        (status = 200, description = "The submission", body = SubmissionView),
        (status = 400, description = "`after` or `limit` is malformed"),
        (status = 404, description = "The caller's agency has no such submission"),
    ))]
pub async fn show(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<SubmissionView>, Problem> {
    let page = Page::parse(uri.query().unwrap_or_default(), "after")?;
    let after = page.place.as_deref().map_or(Some(0), row_number).ok_or_else(|| Problem::new(kinds::INVALID_CURSOR))?;
    let not_found = || Problem::new(kinds::NOT_FOUND);
    let id: SubmissionId = id.parse().map_err(|_| not_found())?;
    let submission = gateway.store().submission(id).await?;
    let submission = submission.filter(|submission| submission.agency == caller.agency).ok_or_else(not_found)?;
    let errors = gateway.store().row_errors(id, after, page.limit + MOST_OF_A_ROW).await?;
    Ok(Json(view_of(&submission, errors, page.limit)))
}

/// Lists the records of a submission of the caller's own agency that have no household evidence, because
/// more of its records give the same address than a family has people.
///
/// It is computed from the rows of that submission alone: nothing in it depends on what others sent.
#[utoipa::path(get, path = "/v1/submissions/{id}/shared-addresses", operation_id = "list_shared_addresses",
    tag = "submissions", security(("access_token" = [])),
    params(("id" = String, Path, description = "The submission's id")),
    responses(
        (status = 200, description = "Addresses that too many records of the submission share", body = SharedAddressesView),
        (status = 404, description = "The caller's agency has no such submission"),
    ))]
pub async fn shared_addresses(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
) -> Result<Json<SharedAddressesView>, Problem> {
    let not_found = || Problem::new(kinds::NOT_FOUND);
    let id: SubmissionId = id.parse().map_err(|_| not_found())?;
    let SharedAddresses { addresses, records, references } =
        gateway.shared_addresses(&caller, id).await?.ok_or_else(not_found)?;
    let (addresses, records) = (addresses as u64, records as u64);
    Ok(Json(SharedAddressesView { more_than: LARGEST_FAMILY as u64, addresses, records, references }))
}

/// Takes back a submission that the caller's agency sent by mistake.
///
/// One that is not visible yet never will be. Of a visible one nobody sees a record from the next
/// generation on, and a log entry says so; with a snapshot go the deltas upon it, and what a delta
/// replaced or removed does not come back: send a snapshot. What was answered before stays in the log.
#[utoipa::path(post, path = "/v1/submissions/{id}/retract", operation_id = "retract_submission", tag = "submissions",
    security(("access_token" = [])),
    params(
        ("id" = String, Path, description = "The submission's id"),
        ("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores"),
    ),
    responses(
        (status = 202, description = "Being taken back, or taken back already", body = SubmissionView),
        (status = 400, description = "The Idempotency-Key is missing or malformed"),
        (status = 404, description = "The caller's agency has no such submission"),
        (status = 409, description = "A later snapshot took its place, or it failed: none of its records are seen"),
    ))]
pub async fn retract(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    _key: IdempotencyKey,
) -> Result<(StatusCode, Json<SubmissionView>), Problem> {
    let id: SubmissionId = id.parse().map_err(|_| Problem::new(kinds::NOT_FOUND))?;
    let submission = gateway.retract_submission(&caller, id).await?;
    let errors = gateway.store().row_errors(id, 0, PAGE + MOST_OF_A_ROW).await?;
    Ok((StatusCode::ACCEPTED, Json(view_of(&submission, errors, PAGE))))
}

/// Which part of a list is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    /// What the page before named.
    place: Option<String>,
    limit: i64,
}

impl Page {
    fn parse(query: &str, cursor: &str) -> Result<Self, Problem> {
        let pairs = form::parse(query).map_err(|error| Problem::new(kinds::REQUEST_REFUSED).detail(error))?;
        let mut page = Self { place: None, limit: PAGE };
        for (name, value) in &pairs {
            match (&**name, row_number(value)) {
                (name, _) if name == cursor => page.place = Some(value.to_string()),
                ("limit", Some(limit)) if (1..=MOST_A_PAGE).contains(&limit) => page.limit = limit,
                ("limit", _) => {
                    return Err(Problem::new(kinds::REQUEST_REFUSED).detail("limit must be 1 to 1000"));
                }
                _ => {
                    let takes = format!("this path takes {cursor} and limit");
                    return Err(Problem::new(kinds::REQUEST_REFUSED).detail(takes));
                }
            }
        }
        Ok(page)
    }
}

/// A whole number in digits alone.
fn row_number(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

fn view_of(submission: &Submission, mut errors: Vec<RowError>, limit: i64) -> SubmissionView {
    let next_after = cut_between_rows(&mut errors, usize::try_from(limit).unwrap_or(usize::MAX));
    SubmissionView {
        id: submission.id,
        feed: submission.feed.to_string(),
        agreement: submission.agreement.to_string(),
        mode: submission.mode.clone(),
        rows: submission.rows_mode.clone(),
        as_at: submission.as_at.date().to_string(),
        state: submission.state.as_str().to_owned(),
        rows_read: submission.rows_read,
        rows_accepted: submission.rows_accepted,
        rows_rejected: submission.rows_rejected,
        failure: submission
            .failure
            .as_ref()
            .map(|code| FailureView { code: code.clone(), meaning: failure_meaning(code) }),
        received_at: submission.received_at.to_string(),
        finished_at: submission.finished_at.map(|at| at.to_string()),
        errors: errors.into_iter().map(row_error_view).collect(),
        next_after,
    }
}

/// Keeps whole rows until there are `limit` errors; the last row kept, if something was cut off.
fn cut_between_rows(errors: &mut Vec<RowError>, limit: usize) -> Option<i64> {
    let last = errors.get(limit.checked_sub(1)?)?.row;
    let kept = errors.partition_point(|error| error.row <= last);
    let is_cut = kept < errors.len();
    errors.truncate(kept);
    is_cut.then_some(last)
}

fn row_error_view(error: RowError) -> RowErrorView {
    let meaning = ROW_CODES.iter().find(|(code, _)| *code == error.code).map_or("", |(_, meaning)| meaning);
    RowErrorView { row: error.row, field: error.field, code: error.code, meaning: meaning.to_owned() }
}

fn failure_meaning(code: &str) -> String {
    if let Some(fault) = FileFault::ALL.into_iter().find(|fault| fault.code() == code) {
        return fault.to_string();
    }
    OTHER_FAILURES.iter().find(|(known, _)| *known == code).map_or("", |(_, meaning)| meaning).to_owned()
}

#[cfg(test)]
mod tests {
    use super::receive::failure_code;
    use super::*;
    use crate::web::body::BodyError;

    fn errors(rows: &[i64]) -> Vec<RowError> {
        let error =
            |(n, row): (usize, &i64)| RowError { row: *row, field: format!("f{n}"), code: "row.missing".into() };
        rows.iter().enumerate().map(error).collect()
    }

    #[test]
    fn a_page_ends_between_rows_and_says_where_the_next_begins() {
        for (rows, limit, kept, next) in [
            (&[][..], 2, 0, None),
            (&[3, 5], 2, 2, None),
            (&[3, 5, 7], 2, 2, Some(5)),
            (&[3, 5, 5, 5, 7], 2, 4, Some(5)),
            (&[3, 3, 3], 1, 3, None),
        ] {
            let mut page = errors(rows);
            assert_eq!((cut_between_rows(&mut page, limit), page.len()), (next, kept), "{rows:?}");
        }
    }

    #[test]
    fn a_query_has_after_and_limit_and_nothing_else() {
        let page = |query: &str| Page::parse(query, "after");
        assert_eq!(page("").expect("none"), Page { place: None, limit: PAGE });
        let both = Page { place: Some("7".to_owned()), limit: 1000 };
        assert_eq!(page("after=7&limit=1000").expect("both"), both);
        for bad in ["limit=0", "limit=1001", "row=1", "after=1&after=2", "before=1"] {
            assert_eq!(page(bad).expect_err(bad).kind(), "request-refused", "{bad}");
        }
        for bad in ["-1", "99999999999999999999", "", "+1"] {
            assert_eq!(row_number(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_failure_has_a_meaning() {
        let errors = [
            BodyError::TooLarge { limit: 1 },
            BodyError::LineTooLong { line: 1, limit: 1 },
            BodyError::TooManyRows { limit: 1 },
            BodyError::TooSlow,
            BodyError::Incomplete,
            BodyError::Coded,
        ];
        let codes = errors.map(failure_code).into_iter().chain(FileFault::ALL.map(FileFault::code));
        for code in codes.chain(["file.interrupted", "file.stalled", "file.repeat", "file.keys_changing"]) {
            assert!(!failure_meaning(code).is_empty(), "{code}");
        }
    }
}
