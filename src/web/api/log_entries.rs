//! `/v1/log/entries`: officers and auditors examine the log. Every look is decided, and is an entry.
//!
//! Nothing about a person can be searched for, so nothing about one is ever in a URL.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};

use super::form;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::log_access::Grounds;
use crate::app::log_access::explain::TextNamed;
use crate::app::log_access::replay::Compared;
use crate::app::log_access::search::{FoundLine, Search};
use crate::domain::ids::{AgreementRef, EventId, OpaqueRef, RoleCode};
use crate::domain::time::Timestamp;
use crate::tlog::entry::{Code, Facet};
use crate::web::json::Json;
use crate::web::problem::{FieldError, FieldPath, Problem, kinds};

/// Names the person who looks.
const USER_HEADER: &str = "porth-user";
/// Entries of one page unless the caller asks for another number.
const USUAL_LIMIT: u32 = 50;

/// A page of entries.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LogPageView {
    /// The log entry of this search.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// Signed promise that it is in the log.
    pub receipt: String,
    /// How many entries of the log were searched.
    pub size: u64,
    /// The entries, newest first.
    pub entries: Vec<LogLineView>,
    /// What to give as `before` for the next page; absent after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// An entry and its place.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LogLineView {
    /// Its index in the log.
    pub index: u64,
    /// Its event.
    #[schema(value_type = String, format = "uuid")]
    pub event: EventId,
    /// Its exact text: SHA-256 of a zero byte and this text is the leaf.
    pub entry: String,
}

/// One entry, with its proof and in words.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LogEntryView {
    /// The log entry of this look.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// Signed promise that it is in the log.
    pub receipt: String,
    /// The entry's index; absent while it waits for its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The entry's exact text.
    pub entry: String,
    /// The inclusion proof (C2SP tlog-proof); absent until a checkpoint covers the entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// The texts that the entry names by their hashes, and whether the gateway has them.
    pub texts: Vec<NamedTextView>,
    /// What the entry says, in words.
    pub sentences: Vec<String>,
}

/// A text that an entry names.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NamedTextView {
    /// What it is.
    pub kind: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Whether the gateway has it; absent for sets of files, which a replay looks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_there: Option<bool>,
}

/// A decision made again.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ReplayView {
    /// The log entry of this look.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// Signed promise that it is in the log.
    pub receipt: String,
    /// When it was decided.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Whether it could be made again as at its date.
    pub is_replayed: bool,
    /// Why not.
    pub missing: Vec<String>,
    /// As at its date, from the texts that the entry names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<ComparedView>,
    /// As it would come out today.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub today: Option<ComparedView>,
    /// What the kept evidence gives by the criteria of that day: `same`, `differs`, `gone`, or `none`
    /// where the entry answers nothing about a person.
    pub answer: String,
}

/// A decision compared with its entry.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ComparedView {
    /// Whether it comes out the same, line by line.
    pub is_same: bool,
    /// What differs, in words.
    pub differences: Vec<String>,
}

/// Searches the log. The search itself becomes an entry before anything is shown.
#[utoipa::path(get, path = "/v1/log/entries", operation_id = "search_log", tag = "log",
    security(("access_token" = [])),
    params(
        ("agreement" = String, Query, description = "The agreement whose receive clauses allow the purpose `audit`"),
        ("role" = String, Query, description = "The role in which the asking person acts"),
        ("Porth-User" = Option<String>, Header, description = "The agency's own keyed reference of that person; the entry commits to it, or else to the account"),
        ("agency" = Option<String>, Query, description = "An agency that asked, supplied, signed, delivered or was decided about"),
        ("area" = Option<String>, Query, description = "A criteria area, or another item such as `lead`"),
        ("power" = Option<String>, Query, description = "A legal power of a term that the entry names, such as `WRA2012-s131`"),
        ("purpose" = Option<String>, Query, description = "What it was for"),
        ("rule" = Option<String>, Query, description = "A rule that withheld something, or the code of a refusal"),
        ("outcome" = Option<String>, Query, description = "`answered` or `refused`"),
        ("type" = Option<String>, Query, description = "The entry type, such as `enquiry`"),
        ("under" = Option<String>, Query, description = "An agreement version that the entry names"),
        ("acting-as" = Option<String>, Query, description = "The role of the person who asked"),
        ("since" = Option<String>, Query, description = "Entries from this moment on, `2026-09-20T10:15:00.000000Z`"),
        ("until" = Option<String>, Query, description = "Entries before this moment"),
        ("before" = Option<u64>, Query, description = "Entries below this index: `next` of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 200; 50 by default"),
    ),
    responses(
        (status = 200, description = "Decided, logged and shown", body = LogPageView),
        (status = 400, description = "The query cannot be read"),
        (status = 403, description = "No agreement in force lets the caller examine the log; or the account has looked as often as the clause allows in a day"),
        (status = 422, description = "A parameter is missing or not allowed"),
    ))]
pub async fn search(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<LogPageView>, Problem> {
    let (grounds, search) = wanted(uri.query().unwrap_or_default())?;
    let grounds = with_user(grounds, &headers)?;
    let page = gateway.search_log(&caller, &grounds, &search).await?;
    let entries = page.entries.into_iter().map(|FoundLine { index, event, entry }| LogLineView { index, event, entry });
    let (disclosure, receipt) = (page.logged.disclosure, page.logged.receipt);
    Ok(Json(LogPageView { disclosure, receipt, size: page.size, entries: entries.collect(), next: page.next }))
}

/// Shows one entry with its proof, the texts that it rests on, and in words.
#[utoipa::path(get, path = "/v1/log/entries/{id}", operation_id = "read_log_entry", tag = "log",
    security(("access_token" = [])),
    params(
        ("id" = String, Path, description = "The entry's event"),
        ("agreement" = String, Query, description = "The agreement whose receive clauses allow the purpose `audit`"),
        ("role" = String, Query, description = "The role in which the asking person acts"),
        ("Porth-User" = Option<String>, Header, description = "The agency's own keyed reference of that person; the entry commits to it, or else to the account"),
    ),
    responses(
        (status = 200, description = "Decided, logged and shown", body = LogEntryView),
        (status = 400, description = "The query cannot be read"),
        (status = 403, description = "No agreement in force lets the caller examine the log; or the account has looked as often as the clause allows in a day"),
        (status = 404, description = "The log has no such entry"),
        (status = 422, description = "A parameter is missing or not allowed"),
    ))]
pub async fn show(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<LogEntryView>, Problem> {
    let (event, grounds) = one(&id, &uri)?;
    let grounds = with_user(grounds, &headers)?;
    let read = gateway.read_log_entry(&caller, &grounds, event).await?;
    let text = |TextNamed { kind, sha256, is_there }| NamedTextView { kind: kind.to_owned(), sha256, is_there };
    Ok(Json(LogEntryView {
        disclosure: read.logged.disclosure,
        receipt: read.logged.receipt,
        index: read.index,
        entry: read.proved.entry,
        proof: read.proved.proof,
        texts: read.texts.into_iter().map(text).collect(),
        sentences: read.sentences,
    }))
}

/// Makes the decision of an entry again: as at its date, and as it would come out today.
#[utoipa::path(get, path = "/v1/log/entries/{id}/replay", operation_id = "replay_log_entry", tag = "log",
    security(("access_token" = [])),
    params(
        ("id" = String, Path, description = "The entry's event"),
        ("agreement" = String, Query, description = "The agreement whose receive clauses allow the purpose `audit`"),
        ("role" = String, Query, description = "The role in which the asking person acts"),
        ("Porth-User" = Option<String>, Header, description = "The agency's own keyed reference of that person; the entry commits to it, or else to the account"),
    ),
    responses(
        (status = 200, description = "Decided, logged and replayed, or said to be unreplayable", body = ReplayView),
        (status = 400, description = "The query cannot be read"),
        (status = 403, description = "No agreement in force lets the caller examine the log; or the account has looked as often as the clause allows in a day"),
        (status = 404, description = "The log has no such entry"),
        (status = 422, description = "A parameter is missing or not allowed"),
    ))]
pub async fn replay(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<ReplayView>, Problem> {
    let (event, grounds) = one(&id, &uri)?;
    let grounds = with_user(grounds, &headers)?;
    let replayed = gateway.replay_log_entry(&caller, &grounds, event).await?;
    let view = |Compared { is_same, differences }| ComparedView { is_same, differences };
    Ok(Json(ReplayView {
        disclosure: replayed.logged.disclosure,
        receipt: replayed.logged.receipt,
        at: replayed.at,
        is_replayed: replayed.then.is_some(),
        missing: replayed.missing,
        then: replayed.then.map(view),
        today: replayed.today.map(view),
        answer: replayed.answer.as_str().to_owned(),
    }))
}

fn one(id: &str, uri: &Uri) -> Result<(EventId, Grounds), Problem> {
    let pairs = pairs(uri.query().unwrap_or_default())?;
    if pairs.keys().any(|name| !["agreement", "role"].contains(&&**name)) {
        return Err(unknown_parameter());
    }
    let event = id.parse().map_err(|_| Problem::new(kinds::NOT_FOUND))?;
    Ok((event, grounds(&pairs)?))
}

type Pairs<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;

/// The name of a facet in queries: two of them would be taken for the asker's own.
const fn parameter(facet: Facet) -> &'static str {
    match facet {
        Facet::Agreement => "under",
        Facet::Role => "acting-as",
        other => other.as_str(),
    }
}

/// Reads the query. Unknown parameters are refused: a misspelt filter would otherwise filter nothing.
fn wanted(query: &str) -> Result<(Grounds, Search), Problem> {
    const NAMES: [&str; 6] = ["agreement", "role", "since", "until", "before", "limit"];
    let pairs = pairs(query)?;
    let is_known = |name: &str| NAMES.contains(&name) || Facet::ALL.iter().any(|facet| parameter(*facet) == name);
    if pairs.keys().any(|name| !is_known(name)) {
        return Err(unknown_parameter());
    }
    let mut search = Search { limit: USUAL_LIMIT, ..Search::default() };
    for facet in Facet::ALL {
        let name = parameter(*facet);
        if let Some(value) = pairs.get(name) {
            search.filters.push((*facet, value.parse::<Code>().map_err(|_| refused(name))?));
        }
    }
    let time = |name| pairs.get(name).map(|text| text.parse::<Timestamp>().map_err(|_| refused(name))).transpose();
    (search.since, search.until) = (time("since")?, time("until")?);
    search.before = pairs.get("before").map(|text| text.parse().map_err(|_| refused("before"))).transpose()?;
    if let Some(limit) = pairs.get("limit") {
        let limit = limit.parse().ok().filter(|limit| (1..=200).contains(limit));
        search.limit = limit.ok_or_else(|| refused("limit"))?;
    }
    Ok((grounds(&pairs)?, search))
}

fn grounds(pairs: &Pairs<'_>) -> Result<Grounds, Problem> {
    let value = |name: &str| pairs.get(name).map(|value| &**value);
    let agreement: Option<AgreementRef> = value("agreement").and_then(|text| text.parse().ok());
    let role = value("role").and_then(|text| RoleCode::parse(text).ok());
    Ok(Grounds {
        agreement: agreement.ok_or_else(|| refused("agreement"))?,
        role: role.ok_or_else(|| refused("role"))?,
        user: None,
    })
}

/// Who looks comes in a header: a reference that stands for a person is in no URL.
fn with_user(grounds: Grounds, headers: &HeaderMap) -> Result<Grounds, Problem> {
    let Some(value) = headers.get(USER_HEADER) else { return Ok(grounds) };
    let user = value.to_str().ok().and_then(|text| OpaqueRef::parse(text).ok());
    Ok(Grounds { user: Some(user.ok_or_else(|| refused("porth-user"))?), ..grounds })
}

fn pairs(query: &str) -> Result<Pairs<'_>, Problem> {
    form::parse(query).map_err(|error| Problem::new(kinds::REQUEST_REFUSED).detail(error))
}

fn refused(name: &'static str) -> Problem {
    let message = "the parameter is missing or has a value that is not allowed";
    Problem::new(kinds::INVALID_FIELD).error(FieldError::new(&FieldPath::of(name), name, message))
}

fn unknown_parameter() -> Problem {
    Problem::new(kinds::INVALID_FIELD).detail("a parameter that this path does not take")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_filter_is_refused_and_not_repeated() {
        let good = "agreement=programme-delivery/v1&role=auditor";
        let (grounds, search) = wanted(&format!("{good}&area=A4&under=benefits-data/v1&limit=7")).expect("well-formed");
        assert_eq!((grounds.role.as_str(), search.limit, search.filters.len()), ("auditor", 7, 2));
        for bad in ["", "role=auditor", "agreement=x&role=auditor"] {
            assert!(wanted(bad).is_err(), "{bad}");
        }
        for more in ["aera=A4", "limit=0", "limit=201", "since=yesterday", "area=%20", "before=-1", "role=auditor"] {
            let problem = wanted(&format!("{good}&{more}")).expect_err(more);
            let document = serde_json::to_string(&problem.document(None)).expect("plain data");
            assert!(!document.contains("aera") && !document.contains("yesterday"), "{document}");
        }
    }
}
