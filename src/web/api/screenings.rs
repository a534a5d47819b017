//! `/v1/screenings`: many questions handed over at once, answered row by row as they are collected.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use super::enquiries::{padded, view_of};
use super::idempotency::IdempotencyKey;
use super::submissions::is_ndjson;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::screen::{Collected, MOST_QUESTIONS, OpenScreening, ScreeningError};
use crate::domain::ids::{EventId, ScreeningId};
use crate::store::RowOutcome;
use crate::web::body::{LineLimits, NdjsonLines};
use crate::web::json::Json;
use crate::web::problem::{Problem, RuleInTheWay, kinds};

/// Rows of a page, unless the caller asks for another number.
const PAGE: i64 = 50;
/// Most rows of a page.
const MOST_A_PAGE: i64 = 200;
/// The longest file.
const FILE_BYTES: u64 = 128 << 20;

/// A screening that was received whole.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ScreeningReceived {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub id: ScreeningId,
    /// The same file was received under the same key before: nothing was stored again.
    pub is_repeat: bool,
}

/// A screening of the caller's own.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ScreeningView {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub id: ScreeningId,
    /// How many questions it holds.
    pub rows: i64,
    /// Rows that were not collected yet: nothing about them is decided or logged.
    pub waiting: i64,
    /// Rows that were answered.
    pub answered: i64,
    /// Rows that met the day's ceiling.
    pub ceiling: i64,
    /// Rows that the agreements refuse.
    pub refused: i64,
    /// When it came.
    #[schema(format = DateTime)]
    pub received_at: String,
    /// When it is forgotten, collected or not.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// Which rows are collected.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RowsWanted {
    /// Those after this one: `next_after` of the page before; 0 from the start.
    #[serde(default)]
    pub after: i64,
    /// How many, 1 to 200.
    #[serde(default = "usual_page")]
    pub limit: i64,
}

fn usual_page() -> i64 {
    PAGE
}

impl RowsWanted {
    fn checked(self) -> Result<Self, Problem> {
        let is_sound = self.after >= 0 && (1..=MOST_A_PAGE).contains(&self.limit);
        let refuse = || Problem::new(kinds::INVALID_FIELD).detail("after is 0 or more, limit 1 to 200");
        if is_sound { Ok(self) } else { Err(refuse()) }
    }
}

/// A row that has no answer.
#[derive(Serialize)]
struct WithoutAnswer<'a> {
    row: i64,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    disclosure: Option<EventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<RuleInTheWay>,
}

/// Hands over many questions that share agreement, purpose, mode and role. Nothing is decided yet.
#[utoipa::path(post, path = "/v1/screenings", operation_id = "screen", tag = "screenings",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body(content = String, content_type = "application/x-ndjson",
        description = "Line 1: a `ScreeningHead`. Then a `ScreeningQuestion` a line, 10,000 at most. Last line: `{\"end\": <number of questions>}`."),
    responses(
        (status = 202, description = "Received whole; collect the rows", body = ScreeningReceived),
        (status = 400, description = "The file is incomplete, or the Idempotency-Key is missing or malformed"),
        (status = 408, description = "The file arrived too slowly"),
        (status = 409, description = "Another linkage key or epoch; or the Idempotency-Key was used for another file; or too many screenings wait"),
        (status = 413, description = "The file, a line of it or the number of rows is too large"),
        (status = 415, description = "Not newline-delimited JSON"),
        (status = 422, description = "The head or rows are not accepted; nothing was taken"),
    ))]
pub async fn create(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    request: Request,
) -> Result<(StatusCode, Json<ScreeningReceived>), Problem> {
    let (parts, body) = request.into_parts();
    if !is_ndjson(&parts.headers) {
        return Err(Problem::new(kinds::UNSUPPORTED_MEDIA_TYPE).detail("this path takes application/x-ndjson"));
    }
    let limits = LineLimits { total_bytes: FILE_BYTES, rows: MOST_QUESTIONS as u64 + 2, ..LineLimits::default() };
    let lines = NdjsonLines::new(&parts.headers, body, limits)?;
    // A task of its own: a caller who hangs up must not leave half a screening behind.
    let received = tokio::spawn(receive(gateway, caller, key, lines).in_current_span());
    let (id, is_repeat) = received.await.map_err(Problem::internal)??;
    Ok((StatusCode::ACCEPTED, Json(ScreeningReceived { id, is_repeat })))
}

async fn receive(
    gateway: Gateway,
    caller: AgencyCaller,
    key: IdempotencyKey,
    mut lines: NdjsonLines,
) -> Result<(ScreeningId, bool), Problem> {
    let Some(head) = lines.next_line().await? else { return Err(ScreeningError::Head.into()) };
    let mut screening = match gateway.begin_screening(&caller, &head.bytes, key.as_str()).await {
        Ok(screening) => screening,
        Err(error) => {
            lines.give_up();
            return Err(error.into());
        }
    };
    match push_all(&mut screening, &mut lines).await {
        Ok(()) => Ok(screening.finish().await?),
        Err(problem) => {
            if let Err(error) = screening.abandon().await {
                tracing::warn!(error = %error, "a screening stays half open until it is tidied away");
            }
            lines.give_up();
            Err(problem)
        }
    }
}

async fn push_all(screening: &mut OpenScreening, lines: &mut NdjsonLines) -> Result<(), Problem> {
    while let Some(line) = lines.next_line().await? {
        screening.push(&line.bytes).await?;
    }
    Ok(())
}

/// Shows how far a screening of the caller's own is.
#[utoipa::path(get, path = "/v1/screenings/{id}", operation_id = "show_screening", tag = "screenings",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The screening's id")),
    responses(
        (status = 200, description = "The screening", body = ScreeningView),
        (status = 404, description = "The caller's system has no such screening, or it is forgotten"),
    ))]
pub async fn show(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
) -> Result<Json<ScreeningView>, Problem> {
    let id = parse_id(&id)?;
    let (screening, counts) = gateway.screening(&caller, id).await?.ok_or_else(|| Problem::new(kinds::NOT_FOUND))?;
    let count = |outcome| counts.iter().find(|(of, _)| *of == outcome).map_or(0, |(_, count)| *count);
    Ok(Json(ScreeningView {
        id,
        rows: screening.rows,
        waiting: count(RowOutcome::Waiting),
        answered: count(RowOutcome::Answered),
        ceiling: count(RowOutcome::Ceiling),
        refused: count(RowOutcome::Refused),
        received_at: screening.received_at.to_string(),
        expires_at: screening.expires_at.to_string(),
    }))
}

/// Collects rows, in the caller's order. Each row that waits is decided, charged and logged now,
/// exactly as a single enquiry; a row that was collected before is given again as far as it may be.
///
/// A line a row: `row`, `outcome` and, for `answered`, the `answer` as `POST /v1/enquiries` gives it,
/// always of one length. Other outcomes: `ceiling` and `refused` with log entry and receipt; `lapsed`
/// when the answer was given before and agreements or records changed since; `unfit` when a key or
/// purpose was withdrawn since. The last line is `{"next_after": <row>}`, `null` at the end.
///
/// Each row is its own key of repeats: however often it is collected, it is decided once. The
/// `Idempotency-Key` is required all the same, as of every call that discloses something.
#[utoipa::path(post, path = "/v1/screenings/{id}/rows", operation_id = "collect_screening", tag = "screenings",
    security(("access_token" = [])),
    params(
        ("id" = String, Path, description = "The screening's id"),
        ("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores"),
    ),
    request_body = RowsWanted,
    responses(
        (status = 200, description = "A page of rows", body = String, content_type = "application/x-ndjson"),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 422, description = "`after` or `limit` is out of bounds"),
        (status = 404, description = "The caller's system has no such screening, or it is forgotten"),
    ))]
pub async fn collect(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    _key: IdempotencyKey,
    Json(wanted): Json<RowsWanted>,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
    let RowsWanted { after, limit } = wanted.checked()?;
    // A task of its own: what is decided is noted even if the caller hangs up.
    let work = async move { gateway.collect_screening(&caller, id, after, limit).await };
    let rows = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    let rows = rows.ok_or_else(|| Problem::new(kinds::NOT_FOUND))?;
    let next = (rows.len() as i64 == limit).then(|| rows.last().map_or(after, |(number, _)| *number));
    let mut body = Vec::with_capacity(rows.len() * 6400);
    for (number, collected) in rows {
        write_row(&mut body, number, collected)?;
    }
    serde_json::to_writer(&mut body, &serde_json::json!({ "next_after": next })).map_err(Problem::internal)?;
    body.push(b'\n');
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

fn write_row(body: &mut Vec<u8>, row: i64, collected: Collected) -> Result<(), Problem> {
    let none = WithoutAnswer { row, outcome: "", disclosure: None, receipt: None, code: None, rules: Vec::new() };
    let line = match collected {
        Collected::Answered(receipted) => {
            body.extend_from_slice(format!("{{\"row\":{row},\"outcome\":\"answered\",\"answer\":").as_bytes());
            body.extend_from_slice(&padded(view_of(*receipted))?);
            body.extend_from_slice(b"}\n");
            return Ok(());
        }
        Collected::Refused { disclosure, hits, receipt } => WithoutAnswer {
            outcome: "refused",
            disclosure: Some(disclosure),
            receipt: Some(receipt),
            rules: hits.into_iter().map(RuleInTheWay::from).collect(),
            ..none
        },
        Collected::Ceiling { disclosure, receipt } => {
            WithoutAnswer { outcome: "ceiling", disclosure: Some(disclosure), receipt: Some(receipt), ..none }
        }
        Collected::Lapsed { disclosure } => WithoutAnswer { outcome: "lapsed", disclosure: Some(disclosure), ..none },
        Collected::Unfit(fault) => WithoutAnswer { outcome: "unfit", code: Some(fault.code()), ..none },
    };
    serde_json::to_writer(&mut *body, &line).map_err(Problem::internal)?;
    body.push(b'\n');
    Ok(())
}

fn parse_id(text: &str) -> Result<ScreeningId, Problem> {
    text.parse().map_err(|_| Problem::new(kinds::NOT_FOUND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_bounds() {
        let wanted = |text: &str| serde_json::from_str::<RowsWanted>(text).expect("well-formed").checked();
        assert_eq!(wanted("{}").expect("a page"), RowsWanted { after: 0, limit: PAGE });
        assert_eq!(wanted(r#"{"after":7,"limit":200}"#).expect("a page"), RowsWanted { after: 7, limit: 200 });
        for bad in [r#"{"limit":0}"#, r#"{"limit":201}"#, r#"{"limit":-1}"#, r#"{"after":-1}"#] {
            assert!(wanted(bad).is_err(), "{bad}");
        }
    }
}
