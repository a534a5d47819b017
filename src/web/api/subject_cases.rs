//! `/v1/subject-cases`, `/v1/subject-parts` and `/v1/subject-complaints`: people use their rights. Every
//! answer carries the same sentence, whoever gets it and whatever there is.

pub mod views;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use tracing::Instrument as _;

use self::views::{
    ActorBody, CaseBody, CaseDoneView, CasesView, ClockBody, ComplaintBody, ComplaintDoneView, ComplaintStepBody,
    ComplaintsView, LiftBody, OwnDataView, OwnSubjectRecord, PartDoneView, PartsView, RepliesView, ReplyView,
    SubjectDoneView, VerdictBodyOfRight, case_done, case_view, complaint_done, complaint_view, entry_view,
    own_data_view, part_view, protection, statement, subject_done,
};
use super::idempotency::IdempotencyKey;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::subject_rights::{
    ActingUser, CollectedReply, ComplaintStep, Matter, NewCase, NewComplaintTerms, OwnName, PartAnswer, Verdict,
};
use crate::domain::ids::ComplaintId;
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

/// Opens a case for a person whose identity the caller's agency verified. What other agencies hold is
/// told by nothing in the answer.
#[utoipa::path(post, path = "/v1/subject-cases", operation_id = "open_subject_case", tag = "subject rights",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = CaseBody,
    responses(
        (status = 201, description = "Opened and logged", body = CaseDoneView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 404, description = "A feed of the caller's shows no such record"),
        (status = 409, description = "The key belongs to another request"),
        (status = 422, description = "The right, the number of records, the key or the role is not one of these"),
    ))]
pub async fn open(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(body): Json<CaseBody>,
) -> Result<(StatusCode, Json<CaseDoneView>), Problem> {
    let own = |it: OwnSubjectRecord| OwnName { feed: it.feed, reference: it.reference };
    let new = NewCase {
        right: word(&body.right, "right")?,
        records: body.records.into_iter().map(own).collect(),
        reply_key: body.reply_key,
        user: ActingUser { role: body.role, user: body.user },
    };
    let work = async move { gateway.open_subject_case(&caller, &new, key.as_str()).await };
    let done = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok((StatusCode::CREATED, Json(case_done(&done))))
}

/// Shows the agency's own cases and when an answer is due.
#[utoipa::path(get, path = "/v1/subject-cases", operation_id = "list_subject_cases", tag = "subject rights",
    security(("access_token" = [])),
    responses((status = 200, description = "The agency's own cases", body = CasesView)))]
pub async fn list(State(gateway): State<Gateway>, caller: AgencyCaller) -> Result<Json<CasesView>, Problem> {
    let cases = gateway.subject_cases(&caller).await?;
    Ok(Json(CasesView { cases: cases.iter().map(case_view).collect(), statement: statement() }))
}

/// Gives the agency its own records of a case, and what was disclosed from them about the person.
#[utoipa::path(post, path = "/v1/subject-cases/{id}/data", operation_id = "read_subject_case", tag = "subject rights",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The case number")),
    request_body = ActorBody,
    responses(
        (status = 200, description = "Logged and shown", body = OwnDataView),
        (status = 404, description = "The agency opened no such case"),
        (status = 422, description = "The programme declares no such role"),
    ))]
pub async fn case_data(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(body): Json<ActorBody>,
) -> Result<Json<OwnDataView>, Problem> {
    own_data(gateway, caller, Matter::Case(parse(&id)?), body).await
}

/// Extends the time for an answer, stops the clock, lets it run again, or closes the case.
#[utoipa::path(post, path = "/v1/subject-cases/{id}/steps", operation_id = "step_subject_case", tag = "subject rights",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The case number")),
    request_body = ClockBody,
    responses(
        (status = 200, description = "Done and logged", body = CaseDoneView),
        (status = 404, description = "The agency opened no such case"),
        (status = 409, description = "The step does not fit where the case is"),
        (status = 422, description = "Step, reason and role do not go together"),
    ))]
pub async fn step(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(body): Json<ClockBody>,
) -> Result<Json<CaseDoneView>, Problem> {
    let id = parse(&id)?;
    let words = (word(&body.step, "step")?, word(&body.reason, "reason")?);
    let user = ActingUser { role: body.role, user: body.user };
    let work = async move { gateway.step_subject_case(&caller, id, &user, words).await };
    let done = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok(Json(case_done(&done)))
}

/// Decides about the agency's own records in a case. It takes effect at once.
#[utoipa::path(post, path = "/v1/subject-cases/{id}/decisions", operation_id = "decide_subject_case", tag = "subject rights",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The case number")),
    request_body = VerdictBodyOfRight,
    responses(
        (status = 200, description = "Decided and logged", body = SubjectDoneView),
        (status = 404, description = "The agency opened no such case"),
        (status = 409, description = "The case is closed"),
        (status = 422, description = "Right, outcome and criteria do not go together"),
    ))]
pub async fn decide(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(body): Json<VerdictBodyOfRight>,
) -> Result<Json<SubjectDoneView>, Problem> {
    let id = parse(&id)?;
    let (verdict, reply) = verdict(body)?;
    if reply.is_some() {
        return Err(Problem::new(kinds::INVALID_FIELD).detail("`reply` is for parts: the agency has its own answer"));
    }
    let work = async move { gateway.decide_subject_case(&caller, id, &verdict).await };
    let done = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok(Json(subject_done(&done)))
}

/// Ends the effect of the agency's decisions in a case.
#[utoipa::path(post, path = "/v1/subject-cases/{id}/lifts", operation_id = "lift_subject_case", tag = "subject rights",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The case number")),
    request_body = LiftBody,
    responses(
        (status = 200, description = "Done and logged", body = SubjectDoneView),
        (status = 404, description = "The agency opened no such case"),
        (status = 422, description = "The programme declares no such role"),
    ))]
pub async fn lift_case(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(body): Json<LiftBody>,
) -> Result<Json<SubjectDoneView>, Problem> {
    lift(gateway, caller, Matter::Case(parse(&id)?), body).await
}

/// Gives the agency what controllers released for the person so far. A refusal, a part that waits and no
/// part at all look the same.
#[utoipa::path(post, path = "/v1/subject-cases/{id}/replies", operation_id = "collect_subject_replies", tag = "subject rights",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The case number")),
    request_body = ActorBody,
    responses(
        (status = 200, description = "Logged and given", body = RepliesView),
        (status = 404, description = "The agency opened no such case"),
        (status = 422, description = "The programme declares no such role"),
    ))]
pub async fn replies(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(body): Json<ActorBody>,
) -> Result<Json<RepliesView>, Problem> {
    let id = parse(&id)?;
    let user = ActingUser { role: body.role, user: body.user };
    let work = async move { gateway.collect_subject_replies(&caller, id, &user).await };
    let done = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    let reply = |reply: &CollectedReply| ReplyView {
        part: reply.part,
        protection: protection(reply.is_sealed_to_key),
        body: crate::domain::token::encode_base64url(&reply.body),
    };
    let replies = done.value.replies.iter().map(reply).collect();
    Ok(Json(RepliesView { replies, entry: entry_view(&done), statement: statement() }))
}

/// Shows which parts of open cases are about records of the agency's own. Nothing says who opened them.
#[utoipa::path(get, path = "/v1/subject-parts", operation_id = "list_subject_parts", tag = "subject rights",
    security(("access_token" = [])),
    responses((status = 200, description = "The agency's queue", body = PartsView)))]
pub async fn parts(State(gateway): State<Gateway>, caller: AgencyCaller) -> Result<Json<PartsView>, Problem> {
    let parts = gateway.subject_parts(&caller).await?;
    Ok(Json(PartsView { parts: parts.iter().map(part_view).collect(), statement: statement() }))
}

/// Gives the agency its own records of a part, and what was disclosed from them about the person.
#[utoipa::path(post, path = "/v1/subject-parts/{id}/data", operation_id = "read_subject_part", tag = "subject rights",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The part number")),
    request_body = ActorBody,
    responses(
        (status = 200, description = "Logged and shown", body = OwnDataView),
        (status = 404, description = "The agency has no such part"),
        (status = 422, description = "The programme declares no such role"),
    ))]
pub async fn part_data(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(body): Json<ActorBody>,
) -> Result<Json<OwnDataView>, Problem> {
    own_data(gateway, caller, Matter::Part(parse(&id)?), body).await
}

/// Answers a part: what is decided takes effect at once, what is given waits for whoever opened the case.
#[utoipa::path(post, path = "/v1/subject-parts/{id}/answers", operation_id = "answer_subject_part", tag = "subject rights",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The part number")),
    request_body = VerdictBodyOfRight,
    responses(
        (status = 200, description = "Answered and logged", body = PartDoneView),
        (status = 404, description = "The agency has no such part"),
        (status = 409, description = "It was answered otherwise before, or the case is closed"),
        (status = 422, description = "Right, outcome, criteria and reply do not go together"),
    ))]
pub async fn answer(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(body): Json<VerdictBodyOfRight>,
) -> Result<Json<PartDoneView>, Problem> {
    let id = parse(&id)?;
    let (verdict, reply) = verdict(body)?;
    let answer = PartAnswer { verdict, reply };
    let work = async move { gateway.answer_subject_part(&caller, id, &answer).await };
    let done = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok(Json(PartDoneView { part: part_view(&done.value), entry: entry_view(&done), statement: statement() }))
}

/// Ends the effect of the agency's decision about a part.
#[utoipa::path(post, path = "/v1/subject-parts/{id}/lifts", operation_id = "lift_subject_part", tag = "subject rights",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The part number")),
    request_body = LiftBody,
    responses(
        (status = 200, description = "Done and logged", body = SubjectDoneView),
        (status = 404, description = "The agency has no such part"),
        (status = 422, description = "The programme declares no such role"),
    ))]
pub async fn lift_part(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(body): Json<LiftBody>,
) -> Result<Json<SubjectDoneView>, Problem> {
    lift(gateway, caller, Matter::Part(parse(&id)?), body).await
}

/// Puts a complaint into the register.
#[utoipa::path(post, path = "/v1/subject-complaints", operation_id = "take_complaint", tag = "subject rights",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = ComplaintBody,
    responses(
        (status = 201, description = "In the register and logged", body = ComplaintDoneView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 404, description = "The agency opened no such case"),
        (status = 422, description = "The programme declares no such role"),
    ))]
pub async fn complain(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(body): Json<ComplaintBody>,
) -> Result<(StatusCode, Json<ComplaintDoneView>), Problem> {
    let user = ActingUser { role: body.role, user: body.user };
    let new = NewComplaintTerms { about: body.about, case: body.case.map(|id| id.to_string()), user };
    let work = async move { gateway.take_complaint(&caller, &new, body.case, key.as_str()).await };
    let done = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok((StatusCode::CREATED, Json(complaint_done(&done))))
}

/// Shows the agency's own complaints.
#[utoipa::path(get, path = "/v1/subject-complaints", operation_id = "list_complaints", tag = "subject rights",
    security(("access_token" = [])),
    responses((status = 200, description = "The agency's complaints", body = ComplaintsView)))]
pub async fn complaints(State(gateway): State<Gateway>, caller: AgencyCaller) -> Result<Json<ComplaintsView>, Problem> {
    let all = gateway.complaints(&caller).await?;
    Ok(Json(ComplaintsView { complaints: all.iter().map(complaint_view).collect(), statement: statement() }))
}

/// Acknowledges or closes a complaint.
#[utoipa::path(post, path = "/v1/subject-complaints/{id}/steps", operation_id = "step_complaint", tag = "subject rights",
    security(("access_token" = [])),
    params(("id" = String, Path, description = "The complaint's number")),
    request_body = ComplaintStepBody,
    responses(
        (status = 200, description = "Done and logged", body = ComplaintDoneView),
        (status = 404, description = "The agency has no such complaint"),
        (status = 409, description = "The complaint is closed"),
        (status = 422, description = "Step and outcome do not go together"),
    ))]
pub async fn step_complaint(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(body): Json<ComplaintStepBody>,
) -> Result<Json<ComplaintDoneView>, Problem> {
    let id: ComplaintId = parse(&id)?;
    let step = match (body.step.as_str(), body.outcome) {
        ("acknowledge", None) => ComplaintStep::Acknowledge,
        ("close", Some(outcome)) => ComplaintStep::Close(outcome),
        _ => return Err(Problem::new(kinds::INVALID_FIELD).detail("`step` and `outcome` do not go together")),
    };
    let user = ActingUser { role: body.role, user: body.user };
    let work = async move { gateway.step_complaint(&caller, id, &step, &user).await };
    let done = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok(Json(complaint_done(&done)))
}

async fn own_data(
    gateway: Gateway,
    caller: AgencyCaller,
    matter: Matter,
    body: ActorBody,
) -> Result<Json<OwnDataView>, Problem> {
    let user = ActingUser { role: body.role, user: body.user };
    let work = async move { gateway.subject_data(&caller, matter, &user).await };
    let done = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok(Json(own_data_view(&done)))
}

async fn lift(
    gateway: Gateway,
    caller: AgencyCaller,
    matter: Matter,
    body: LiftBody,
) -> Result<Json<SubjectDoneView>, Problem> {
    let user = ActingUser { role: body.role, user: body.user };
    let work = async move { gateway.lift_subject_marks(&caller, matter, &body.reason, &user).await };
    let done = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok(Json(subject_done(&done)))
}

fn verdict(body: VerdictBodyOfRight) -> Result<(Verdict, Option<Vec<u8>>), Problem> {
    use base64::Engine as _;
    let malformed = || Problem::new(kinds::INVALID_FIELD).detail("`reply` is not base64url without padding");
    let reply = body.reply.as_deref().map(|text| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text));
    let reply = reply.transpose().map_err(|_| malformed())?;
    let user = ActingUser { role: body.role, user: body.user };
    let outcome = word(&body.outcome, "outcome")?;
    Ok((Verdict { outcome, reason: body.reason, criteria: body.criteria, user }, reply))
}

/// One of the words that are allowed; what was sent is not repeated.
fn word<T: std::str::FromStr>(text: &str, field: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(kinds::INVALID_FIELD).detail(format!("`{field}` is none of its words")))
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(kinds::NOT_FOUND))
}
