//! Problems: what a caller reads when a call does not succeed (RFC 9457).
//!
//! A problem is made from a kind of the closed table in [`kinds`]. Nothing that the caller sent can
//! get into one: field paths are built from fixed names and positions, codes and messages are fixed
//! text, and a cause inside the gateway goes to the log and not to the caller.
//!
//! The `type` is `https://porth.invalid/problems/<slug>`: the same on every installation, never
//! fetched (`.invalid` resolves nowhere, RFC 2606), explained in `docs/problems.md`.

use std::error::Error as StdError;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::web::request_id::RequestId;

mod extras;
pub mod kinds;

pub use extras::{ProblemExtras, RuleInTheWay};
pub use kinds::ProblemKind;

/// What every `type` starts with.
pub const TYPE_PREFIX: &str = "https://porth.invalid/problems/";

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// How many field errors one answer lists; the rest are counted.
const LISTED_ERRORS: usize = 100;

/// A call that did not succeed.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: &'static ProblemKind,
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    extras: Option<Box<ProblemExtras>>,
}

impl Problem {
    /// A problem of a listed kind.
    pub fn new(kind: &'static ProblemKind) -> Self {
        Self { kind, detail: None, errors: Vec::new(), retry_after: None, extras: None }
    }

    /// A fault of ours: the cause is logged here, once, and the caller is shown none of it.
    pub fn internal(source: impl StdError) -> Self {
        Self::logged(kinds::INTERNAL, &source)
    }

    /// The database cannot be reached; logged like [`Problem::internal`].
    pub fn storage_unavailable(source: impl StdError) -> Self {
        Self::logged(kinds::STORAGE_UNAVAILABLE, &source).retry_after(Duration::from_secs(5))
    }

    fn logged(kind: &'static ProblemKind, source: &dyn StdError) -> Self {
        tracing::error!(code = kind.slug(), error = %WithCauses(source), "a request failed inside the gateway");
        Self::new(kind)
    }

    /// Adds what is particular to this occurrence. The text is one of our own error messages, which
    /// never repeat input.
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// Adds one field that is wrong.
    pub fn error(mut self, error: FieldError) -> Self {
        self.errors.push(error);
        self
    }

    /// Adds fields that are wrong.
    pub fn errors(mut self, errors: impl IntoIterator<Item = FieldError>) -> Self {
        self.errors.extend(errors);
        self
    }

    /// Says how long to wait, in a `Retry-After` header of whole seconds, at least one.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds members that only some kinds have.
    pub fn with(mut self, add: impl FnOnce(&mut ProblemExtras)) -> Self {
        add(self.extras.get_or_insert_default());
        self
    }

    /// The slug of the kind.
    pub fn kind(&self) -> &'static str {
        self.kind.slug()
    }

    /// The status of the kind.
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The document as sent, with the request's id when there is one.
    pub fn document(&self, request_id: Option<RequestId>) -> ProblemDocument {
        ProblemDocument {
            r#type: format!("{TYPE_PREFIX}{}", self.kind.slug()),
            kind: self.kind.slug(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: self.detail.clone(),
            next: self.kind.next(),
            errors: self.errors.iter().take(LISTED_ERRORS).cloned().collect(),
            errors_omitted: self.errors.len().saturating_sub(LISTED_ERRORS),
            extras: self.extras.as_deref().cloned().unwrap_or_default(),
            request_id: request_id.map(|id| id.to_string()),
        }
    }

    pub(crate) fn render(self: &Arc<Self>, request_id: Option<RequestId>) -> Response {
        // Strings and numbers only: serialising them cannot fail, and an empty body would still carry the status.
        let body = serde_json::to_vec(&self.document(request_id)).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge(self.kind)));
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response.extensions_mut().insert(Rendered(Arc::clone(self)));
        response
    }
}

/// The challenge of a 401 (RFC 6750, section 3): an error code only where a token was sent.
fn challenge(kind: &'static ProblemKind) -> &'static str {
    if kind == kinds::TOKEN_INVALID { "Bearer error=\"invalid_token\"" } else { "Bearer" }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        Arc::new(self).render(None)
    }
}

/// Marks a response that a problem made, so that the request's id can be added to it.
#[derive(Clone)]
pub(crate) struct Rendered(pub(crate) Arc<Problem>);

/// Which field of which row is wrong, and how.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The row of a batch, counted from 1; absent for a single object.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<u64>,
    /// Where the field is, such as `flags[2].criterion`.
    field: String,
    /// What is wrong, for programs.
    code: &'static str,
    /// What is wrong, for people.
    message: &'static str,
}

impl FieldError {
    /// An error in a field of a single object.
    pub fn new(field: &FieldPath, code: &'static str, message: &'static str) -> Self {
        Self { row: None, field: field.0.clone(), code, message }
    }

    /// Says which row, counted from 1.
    pub fn in_row(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }
}

/// The path of a field, built only from names that we wrote and positions: input cannot get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath(String);

impl FieldPath {
    /// A field of the outermost object.
    pub fn of(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// The element at this position, counted from 0.
    pub fn index(mut self, position: usize) -> Self {
        let _ = write!(self.0, "[{position}]"); // a String takes every write
        self
    }

    /// A field of the object at this path.
    pub fn field(mut self, name: &'static str) -> Self {
        self.0.push('.');
        self.0.push_str(name);
        self
    }
}

/// A problem as it is sent.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ProblemDocument {
    /// Names the kind; the same on every installation.
    pub r#type: String,
    /// The last part of `type`.
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// What happened.
    #[schema(value_type = String)]
    pub title: &'static str,
    /// The HTTP status, repeated.
    pub status: u16,
    /// What is particular to this occurrence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to do next.
    #[schema(value_type = String)]
    pub next: &'static str,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// How many more fields are wrong than are listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub errors_omitted: usize,
    /// Members that only some kinds have.
    #[serde(flatten)]
    pub extras: ProblemExtras,
    /// The request's id, for the operator's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// An error and what lies beneath it, in one line.
struct WithCauses<'a>(&'a dyn StdError);

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// The table as a page, kept at `docs/problems.md`.
pub fn documentation() -> String {
    let mut page = String::from(
        "# Problems\n\n\
         What a call that does not succeed answers, as `application/problem+json` (RFC 9457). The list is closed:\n\
         a gateway sends no other kind. `type` is `https://porth.invalid/problems/` and the kind; it is a name and\n\
         not an address, the same on every installation. A problem never repeats what was sent. This page is\n\
         generated from `src/web/problem/kinds.rs`.\n\n\
         | kind | status | what happened | what to do next |\n|---|---|---|---|\n",
    );
    for kind in kinds::ALL {
        let _ =
            writeln!(page, "| `{}` | {} | {} | {} |", kind.slug(), kind.status().as_u16(), kind.title(), kind.next());
    }
    page.push_str(
        "\nBesides `type`, `title`, `status` and `detail`, every problem has `kind` (the last part of `type`), `next`\n\
         (the last column) and `request_id` (also in the `x-request-id` header). `errors` lists up to 100 wrong fields\n\
         as `{row, field, code, message}`, rows counted from 1; `errors_omitted` counts the rest.\n\
         Some kinds have more members: `code`, the gateway's own short name of the fault; `submission`, whose row errors\n\
         can be read; `rules`, `disclosure` and `receipt` of a refusal that follows from the agreements and is in the log;\n\
         and `error` with `error_description` (RFC 6749) at the token endpoint.\n",
    );
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_kind_next_step_and_fields() {
        let path = FieldPath::of("flags").index(2).field("criterion");
        let problem = Problem::new(kinds::INVALID_FIELD).error(FieldError::new(&path, "missing", "missing").in_row(7));
        let document = serde_json::to_value(problem.document(None)).expect("plain data");
        assert_eq!(document["type"], "https://porth.invalid/problems/invalid-field");
        assert_eq!(document["errors"][0]["field"], "flags[2].criterion");
        assert_eq!(document["errors"][0]["row"], 7);
        assert!(document.get("request_id").is_none() && document.get("errors_omitted").is_none());
    }

    #[test]
    fn a_long_list_of_errors_is_cut_and_counted() {
        let error = FieldError::new(&FieldPath::of("ref"), "missing", "missing");
        let document = Problem::new(kinds::INVALID_ROWS).errors(vec![error; 105]).document(None);
        assert_eq!((document.errors.len(), document.errors_omitted), (100, 5));
    }

    #[test]
    fn an_internal_cause_is_not_shown() {
        let problem = Problem::internal(std::io::Error::other("connection to db.internal lost"));
        let text = serde_json::to_string(&problem.document(None)).expect("plain data");
        assert!(!text.contains("db.internal"));
    }

    #[test]
    fn unauthenticated_answers_name_the_scheme_and_waits_are_whole_seconds() {
        let response = Problem::new(kinds::UNAUTHENTICATED).into_response();
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        let response = Problem::new(kinds::RATE_LIMITED).retry_after(Duration::from_millis(1200)).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
