//! `/v1/match-runs`: the data team runs a match in stages, the benefits agency is asked, holders validate.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use super::idempotency::IdempotencyKey;
use super::possible_matches::OwnRecord;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::match_run::reply::TokenAnswer;
use crate::app::match_run::validate::OwnValidation;
use crate::app::match_run::work_list::WorkItem;
use crate::app::match_run::{RunCounts, RunDisclosure, RunReport, RunTerms};
use crate::domain::family::RecordName;
use crate::domain::ids::{EventId, FeedCode, MatchRunId, OpaqueRef, RoleCode};
use crate::domain::record::Role;
use crate::domain::token::Token;
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

/// A match run.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MatchRunView {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub id: MatchRunId,
    /// The how-manieth of the programme.
    pub number: i64,
    /// `snapshot` (being taken), `listed` (the list may be fetched and answered), `closed` or `failed`.
    pub state: String,
    /// The moment that it describes.
    #[schema(format = DateTime)]
    pub as_at: String,
    /// How many records there are to read.
    pub records_expected: u64,
    /// How many of them the snapshot holds.
    pub records_kept: u64,
    /// Whether the benefits agency has not replied yet.
    pub waits_for_reply: bool,
    /// The deliveries that it is computed from.
    pub inputs: Vec<RunInputView>,
    /// What it came to; `null` before it is closed.
    pub counts: Option<RunCounts>,
    /// SHA-256 of its output, hexadecimal; `null` before it is closed.
    pub output_sha256: Option<String>,
    /// When its pages were removed, after which nothing can be computed from it; `null` while they are there.
    #[schema(format = DateTime)]
    pub pages_removed_at: Option<String>,
}

/// A delivery that a run is computed from.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunInputView {
    /// Whose.
    pub agency: String,
    /// Which feed.
    pub feed: String,
    /// The submission.
    #[schema(format = "uuid")]
    pub submission: String,
    /// The day that it describes.
    #[schema(format = Date)]
    pub as_at: String,
    /// SHA-256 of its lines, hexadecimal.
    pub digest: String,
}

/// The next step of a run.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunStepBody {
    /// On what grounds.
    pub terms: RunTerms,
    /// Close the run without the benefits agency's reply.
    #[serde(default)]
    pub without_reply: bool,
}

/// The list for the benefits agency.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunListView {
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// The tokens, sorted; nothing says why one is on the list.
    pub tokens: Vec<ListedTokenView>,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

/// A household token on the list.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ListedTokenView {
    /// The token.
    #[schema(value_type = String)]
    pub token: Token,
    /// Its type, such as `uprn`.
    #[serde(rename = "type")]
    pub token_type: String,
    /// The epoch of the linkage key.
    pub epoch: u32,
}

/// The benefits agency's reply.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunReplyBody {
    /// The agreement under whose supply term it is given, and by whom.
    pub terms: RunTerms,
    /// Token by token. One that is left out was not answered.
    pub answers: Vec<TokenAnswerBody>,
}

/// What the agency says of one household.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenAnswerBody {
    /// The token, as listed.
    #[schema(value_type = String)]
    pub token: Token,
    /// `met` or `not_met`, of an adult of the household.
    pub state: String,
}

/// Something that left or was taken, and is in the log.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunDisclosureView {
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

/// The candidate families of a closed run.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunFamiliesView {
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// The families, by key.
    pub families: Vec<CandidateFamilyView>,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

/// A family that meets criteria in enough areas.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CandidateFamilyView {
    /// The smallest name among its records.
    pub key: RecordName,
    /// Its people, each by the names of the records.
    pub people: Vec<Vec<RecordName>>,
    /// The areas that are met.
    pub areas: Vec<String>,
}

/// What computing a run again came to.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RepeatedRunView {
    /// SHA-256 of what came out now, hexadecimal.
    pub output_sha256: String,
    /// Whether it is byte for byte what came out then.
    pub is_same: bool,
}

/// How a run differs from the closed run before it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunDifferenceView {
    /// Whether there is a run before it; without one everything is zero.
    pub has_earlier: bool,
    /// Families that the earlier run did not have.
    pub added: u64,
    /// Families that this run does not have.
    pub gone: u64,
    /// Families of the same name with other people or areas.
    pub changed: u64,
}

/// What a holder decides about a record of its own.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidationBody {
    /// The record.
    pub record: OwnRecord,
    /// `confirm` (the address is this person's home), `reject` (it is not) or `split` (the record is
    /// linked with records of other people).
    pub decision: String,
    /// The role of the person who decided.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// As for a possible match: `checked-file`, `record-wrong`, `other-person` and so on.
    pub reason: String,
}

/// Which page of a work list is wanted.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkListBody {
    /// The last record of the page before; `null` for the first page.
    #[serde(default)]
    pub after: Option<OwnRecord>,
}

/// A page of a holder's work list.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkListView {
    /// Records of the agency's own, by feed and reference.
    pub records: Vec<WorkItemView>,
    /// Where the next page begins; `null` at the end.
    pub next_after: Option<OwnRecord>,
}

/// A record of the agency's own that it is asked to decide about.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkItemView {
    /// The agency's feed.
    #[schema(value_type = String)]
    pub feed: FeedCode,
    /// The agency's own reference.
    #[serde(rename = "ref")]
    #[schema(value_type = String)]
    pub reference: OpaqueRef,
    /// The role that the agency's file gives.
    pub role: Role,
    /// The day that the agency's file describes.
    #[schema(format = Date)]
    pub as_at: String,
}

/// Begins a match run: decides whose records may take part, fixes them, and logs both. Nothing is read yet.
#[utoipa::path(post, path = "/v1/match-runs", operation_id = "begin_match_run", tag = "match runs",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = RunTerms,
    responses(
        (status = 201, description = "Decided, fixed and logged", body = MatchRunView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "No agreement lets the caller; the refusal is in the log"),
        (status = 422, description = "The programme has no such role"),
    ))]
pub async fn begin(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(terms): Json<RunTerms>,
) -> Result<(StatusCode, Json<MatchRunView>), Problem> {
    let work = async move { gateway.begin_match_run(&caller, &terms, key.as_str()).await };
    let report = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok((StatusCode::CREATED, Json(run_view(report))))
}

/// Shows a run of the caller's own.
#[utoipa::path(get, path = "/v1/match-runs/{id}", operation_id = "show_match_run", tag = "match runs",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "Where it is, and its counts", body = MatchRunView),
        (status = 404, description = "The caller has no such run"),
    ))]
pub async fn show(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
) -> Result<Json<MatchRunView>, Problem> {
    Ok(Json(run_view(gateway.show_match_run(&caller, parse_id(&id)?).await?)))
}

/// Takes a run one step further: a page of its snapshot, or its last stage. To be called until it is
/// closed, or waits for a reply; a step that was interrupted is taken again.
#[utoipa::path(post, path = "/v1/match-runs/{id}/steps", operation_id = "advance_match_run", tag = "match runs",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The run")),
    request_body = RunStepBody,
    responses(
        (status = 200, description = "Where it is now", body = MatchRunView),
        (status = 400, description = "The body is not JSON"),
        (status = 404, description = "The caller has no such run"),
        (status = 409, description = "What it was begun on is no longer permitted"),
        (status = 422, description = "A field is missing or malformed"),
    ))]
pub async fn advance(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(body): Json<RunStepBody>,
) -> Result<Json<MatchRunView>, Problem> {
    let id = parse_id(&id)?;
    let work = async move { gateway.advance_match_run(&caller, id, &body.terms, body.without_reply).await };
    let report = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok(Json(run_view(report)))
}

/// Gives the benefits agency the household tokens that a run asks about, and nothing else.
#[utoipa::path(post, path = "/v1/match-runs/{id}/list", operation_id = "list_match_run", tag = "match runs",
    security(("access_token" = [])),
    params(
        ("id" = String, Path, description = "The run"),
        ("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores"),
    ),
    request_body = RunTerms,
    responses(
        (status = 201, description = "Decided, logged and given", body = RunListView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "No agreement lets the caller have household tokens; the refusal is in the log"),
        (status = 404, description = "The caller is not asked by such a run"),
        (status = 409, description = "The run is not at this step, or what it was begun on is no longer permitted"),
        (status = 422, description = "The programme has no such role"),
    ))]
pub async fn list(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    _key: IdempotencyKey,
    Json(terms): Json<RunTerms>,
) -> Result<(StatusCode, Json<RunListView>), Problem> {
    let id = parse_id(&id)?;
    let work = async move { gateway.match_run_list(&caller, id, &terms).await };
    let given = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    let token = |listed: crate::app::match_run::list::ListedToken| ListedTokenView {
        token: listed.token,
        token_type: listed.token_type.to_string(),
        epoch: listed.epoch,
    };
    let RunDisclosure { disclosure, receipt } = given.entry;
    let tokens = given.tokens.into_iter().map(token).collect();
    Ok((StatusCode::CREATED, Json(RunListView { disclosure, tokens, receipt })))
}

/// Takes the benefits agency's reply. It counts under the supply terms of the agreement that it names.
#[utoipa::path(post, path = "/v1/match-runs/{id}/reply", operation_id = "answer_match_run", tag = "match runs",
    security(("access_token" = [])),
    params(
        ("id" = String, Path, description = "The run"),
        ("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores"),
    ),
    request_body = RunReplyBody,
    responses(
        (status = 201, description = "Taken and logged", body = RunDisclosureView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The agreement does not let this be supplied"),
        (status = 404, description = "The caller is not asked by such a run"),
        (status = 409, description = "The run is not at this step, or was answered in another way"),
        (status = 422, description = "A token was not listed, is there twice, or a word is none of these"),
    ))]
pub async fn reply(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    _key: IdempotencyKey,
    Json(body): Json<RunReplyBody>,
) -> Result<(StatusCode, Json<RunDisclosureView>), Problem> {
    let id = parse_id(&id)?;
    let answer = |answer: &TokenAnswerBody| match answer.state.as_str() {
        "met" => Ok(TokenAnswer { token: answer.token, met: true }),
        "not_met" => Ok(TokenAnswer { token: answer.token, met: false }),
        _ => Err(Problem::new(kinds::INVALID_FIELD).detail("`state` is none of its words")),
    };
    let answers: Vec<TokenAnswer> = body.answers.iter().map(answer).collect::<Result<_, _>>()?;
    let work = async move { gateway.answer_match_run(&caller, id, &body.terms, &answers).await };
    let taken = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok((StatusCode::CREATED, Json(disclosure_view(taken))))
}

/// Gives the candidate families of a closed run. Each reading is a disclosure: decided, charged and logged.
#[utoipa::path(post, path = "/v1/match-runs/{id}/families", operation_id = "match_run_families", tag = "match runs",
    security(("access_token" = [])),
    params(
        ("id" = String, Path, description = "The run"),
        ("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores"),
    ),
    request_body = RunTerms,
    responses(
        (status = 201, description = "Decided, logged and given", body = RunFamiliesView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "No agreement lets the caller; the refusal is in the log"),
        (status = 404, description = "The caller has no such run"),
        (status = 409, description = "The run is not closed, or what it was begun on is no longer permitted"),
        (status = 422, description = "The programme has no such role"),
    ))]
pub async fn families(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    _key: IdempotencyKey,
    Json(terms): Json<RunTerms>,
) -> Result<(StatusCode, Json<RunFamiliesView>), Problem> {
    let id = parse_id(&id)?;
    let work = async move { gateway.match_run_families(&caller, id, &terms).await };
    let given = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    let family = |family: crate::linkage::match_run::CandidateFamily| CandidateFamilyView {
        key: family.key,
        people: family.people,
        areas: family.areas.iter().map(ToString::to_string).collect(),
    };
    let RunDisclosure { disclosure, receipt } = given.entry;
    let families = given.families.into_iter().map(family).collect();
    Ok((StatusCode::CREATED, Json(RunFamiliesView { disclosure, families, receipt })))
}

/// Computes a closed run again from its snapshot and compares the bytes.
#[utoipa::path(post, path = "/v1/match-runs/{id}/repeat", operation_id = "repeat_match_run", tag = "match runs",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The run")),
    request_body = RunTerms,
    responses(
        (status = 200, description = "Computed, compared and logged", body = RepeatedRunView),
        (status = 400, description = "The body is not JSON"),
        (status = 404, description = "The caller has no such run"),
        (status = 409, description = "The run is not closed, or its pages were removed when their time was over"),
        (status = 422, description = "A field is missing or malformed"),
    ))]
pub async fn repeat(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(terms): Json<RunTerms>,
) -> Result<Json<RepeatedRunView>, Problem> {
    let repeated = gateway.repeat_match_run(&caller, parse_id(&id)?, &terms).await?;
    let output_sha256 = String::from(repeated.output_sha256);
    Ok(Json(RepeatedRunView { output_sha256, is_same: repeated.is_same }))
}

/// Counts how a closed run differs from the closed run before it.
#[utoipa::path(get, path = "/v1/match-runs/{id}/difference", operation_id = "match_run_difference", tag = "match runs",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "Counts alone", body = RunDifferenceView),
        (status = 404, description = "The caller has no such run"),
        (status = 409, description = "The run is not closed, or pages of one of the two were removed"),
    ))]
pub async fn difference(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
) -> Result<Json<RunDifferenceView>, Problem> {
    let difference = gateway.match_run_difference(&caller, parse_id(&id)?).await?;
    let crate::linkage::match_run::RunDifference { added, gone, changed } = difference.unwrap_or_default();
    Ok(Json(RunDifferenceView { has_earlier: difference.is_some(), added, gone, changed }))
}

/// Gives a holder the records of its own that it is asked to decide about after a run: those with an address
/// of which its own file says that a criterion is met, and of which it has said nothing since. It depends on
/// the agency's own rows and decisions alone.
#[utoipa::path(post, path = "/v1/match-runs/{id}/work-list", operation_id = "match_run_work_list", tag = "match runs",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The run")),
    request_body = WorkListBody,
    responses(
        (status = 200, description = "A page of the agency's own records", body = WorkListView),
        (status = 400, description = "The body is not JSON"),
        (status = 404, description = "No feed of the agency's is in such a run"),
        (status = 409, description = "The run is not closed"),
        (status = 422, description = "A field is missing or malformed"),
    ))]
pub async fn work_list(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(body): Json<WorkListBody>,
) -> Result<Json<WorkListView>, Problem> {
    let after = body.after.map(|after| (after.feed, after.reference));
    let list = gateway.match_run_work_list(&caller, parse_id(&id)?, after.as_ref()).await?;
    let item = |item: WorkItem| WorkItemView {
        feed: item.feed,
        reference: item.reference,
        role: item.role,
        as_at: item.as_at.date().to_string(),
    };
    let next_after = list.next_after.map(|(feed, reference)| OwnRecord { feed, reference });
    Ok(Json(WorkListView { records: list.items.into_iter().map(item).collect(), next_after }))
}

/// A holder decides about a record of its own, after a run was closed. The answer is the same whether the
/// record is in a candidate family or not.
#[utoipa::path(post, path = "/v1/match-runs/{id}/validations", operation_id = "validate_record", tag = "match runs",
    security(("access_token" = [])),
    params(
        ("id" = String, Path, description = "The run"),
        ("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores"),
    ),
    request_body = ValidationBody,
    responses(
        (status = 201, description = "Taken and logged", body = RunDisclosureView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 404, description = "There is no such run, or the agency's feed shows no such record"),
        (status = 409, description = "The run is not closed, or the agency raised too many doubts within a day"),
        (status = 422, description = "Decision, role and reason do not go together"),
    ))]
pub async fn validate(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    key: IdempotencyKey,
    Json(body): Json<ValidationBody>,
) -> Result<(StatusCode, Json<RunDisclosureView>), Problem> {
    let id = parse_id(&id)?;
    let word = |field: &str| Problem::new(kinds::INVALID_FIELD).detail(format!("`{field}` is none of its words"));
    let said = OwnValidation {
        record: (body.record.feed, body.record.reference),
        decision: body.decision.parse().map_err(|_| word("decision"))?,
        role: body.role,
        reason: body.reason.parse().map_err(|_| word("reason"))?,
    };
    let work = async move { gateway.validate_record(&caller, id, &said, key.as_str()).await };
    let taken = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok((StatusCode::CREATED, Json(disclosure_view(taken))))
}

fn run_view(report: RunReport) -> MatchRunView {
    let input = |input: crate::tlog::entry::RunInput| RunInputView {
        agency: input.agency.to_string(),
        feed: input.feed.to_string(),
        submission: input.submission.to_string(),
        as_at: input.as_at.date().to_string(),
        digest: String::from(input.digest),
    };
    MatchRunView {
        id: report.id,
        number: report.number,
        state: report.state.as_str().to_owned(),
        as_at: report.as_at.to_string(),
        records_expected: report.records.0,
        records_kept: report.records.1,
        waits_for_reply: report.waits_for_reply,
        inputs: report.inputs.into_iter().map(input).collect(),
        counts: report.counts,
        output_sha256: report.output_sha256.map(String::from),
        pages_removed_at: report.removed_at.map(|at| at.to_string()),
    }
}

fn disclosure_view(RunDisclosure { disclosure, receipt }: RunDisclosure) -> RunDisclosureView {
    RunDisclosureView { disclosure, receipt }
}

fn parse_id(text: &str) -> Result<MatchRunId, Problem> {
    text.parse().map_err(|_| Problem::new(kinds::NOT_FOUND))
}
