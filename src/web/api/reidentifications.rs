//! `/v1/reidentifications`: the data team asks who somebody is, officers and the source sign, the source
//! answers with what this gateway cannot open. Family numbers and reasons travel in bodies only.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::idempotency::IdempotencyKey;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::reidentification::collect::Collected;
use crate::app::reidentification::{NewReidentification, ReidError, ReidView};
use crate::domain::family::RecordName;
use crate::domain::ids::ReidentificationId;
use crate::domain::reidentification::certificate::{Answer, OpenedReceipt, SignedCertificate};
use crate::domain::reidentification::refusal::Refusal;
use crate::domain::reidentification::vote::{Choice, Vote};
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

/// A request as the caller may see it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReidentificationView {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// The caller's part: `requester`, `approver` or `source`.
    pub part: String,
    /// The canonical text, over whose SHA-256 everybody signs; `null` in lists.
    pub request: Option<String>,
    /// SHA-256 of it, in hexadecimal.
    pub request_sha256: String,
    /// `voting`, `authorised`, `certified`, `answered`, `collected`, `lapsed`, `closed`, `refused`, `withdrawn` or `expired`.
    pub state: String,
    /// Until when it may go on.
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// The newest vote of each person.
    pub votes: Vec<Vote>,
    /// At the source: which of its own records is meant.
    pub record: Option<RecordName>,
}

/// The requests in which the caller has a part.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReidentificationsView {
    /// Oldest first; those that are over are not among them.
    pub requests: Vec<ReidentificationView>,
}

/// With which key an envelope is collected.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectBody {
    /// The recipient's key, as the request names it.
    pub key_id: String,
}

/// What the requester collects.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CollectedView {
    /// The certificate that it was released under.
    pub certificate: SignedCertificate,
    /// The sealed identity, with the source's signature.
    pub answer: Answer,
    /// Until when it may be fetched again.
    #[schema(format = DateTime)]
    pub until: String,
}

/// What a party's own machine refused.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultBody {
    /// The code of the refusal, such as `certificate-forged`.
    pub code: String,
}

/// Where a request is now.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReidentificationState {
    /// The word of the state.
    pub state: String,
}

/// Asks a source who somebody is. One person of one family; nobody is re-identified in bulk.
#[utoipa::path(post, path = "/v1/reidentifications", operation_id = "request_reidentification",
    tag = "re-identification", security(("access_token" = [])), request_body = NewReidentification,
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    responses(
        (status = 201, description = "Decided, logged, and open for votes; the same whoever is meant, known or not", body = ReidentificationView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The agreements do not allow it; logged"),
        (status = 409, description = "The Idempotency-Key was used for another request"),
        (status = 413, description = "The body is too long"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
        (status = 429, description = "The day's ceiling is used up, or too many calls"),
    ))]
pub async fn create(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(new): Json<NewReidentification>,
) -> Result<(StatusCode, Json<ReidentificationView>), Problem> {
    let view = gateway.request_reidentification(&caller, &new, key.as_str()).await?;
    Ok((StatusCode::CREATED, Json(view.into())))
}

/// Lists the requests in which the caller has a part, without their texts.
#[utoipa::path(get, path = "/v1/reidentifications", operation_id = "reidentifications", tag = "re-identification",
    security(("access_token" = [])),
    responses((status = 200, description = "What is not over", body = ReidentificationsView)))]
pub async fn list(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
) -> Result<Json<ReidentificationsView>, Problem> {
    let views = gateway.reidentifications(&caller).await?;
    Ok(Json(ReidentificationsView { requests: views.into_iter().map(Into::into).collect() }))
}

/// Shows a request; to the source, beside the reference of its own record. Logged.
#[utoipa::path(get, path = "/v1/reidentifications/{id}", operation_id = "reidentification", tag = "re-identification",
    security(("access_token" = [])), params(("id" = String, Path, description = "The request's id")),
    responses(
        (status = 200, description = "The request", body = ReidentificationView),
        (status = 404, description = "No such request in which the caller has a part; logged"),
    ))]
pub async fn show(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
) -> Result<Json<ReidentificationView>, Problem> {
    Ok(Json(gateway.show_reidentification(&caller, parse(&id)?).await?.into()))
}

/// Takes an officer's signed approval, or that it is taken back.
#[utoipa::path(post, path = "/v1/reidentifications/{id}/approvals", operation_id = "approve_reidentification",
    tag = "re-identification", security(("access_token" = [])), request_body = Vote,
    params(("id" = String, Path, description = "The request's id")),
    responses(
        (status = 200, description = "Taken and logged", body = ReidentificationView),
        (status = 400, description = "The body is not JSON"),
        (status = 404, description = "No such request in which the caller has a part; logged"),
        (status = 409, description = "Refused, with a code, and logged"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn approve(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(vote): Json<Vote>,
) -> Result<Json<ReidentificationView>, Problem> {
    if vote.choice == Choice::Refuse {
        return Err(Problem::new(kinds::INVALID_FIELD).detail("a refusal goes to its own path"));
    }
    Ok(Json(gateway.vote_reidentification(&caller, parse(&id)?, &vote).await?.into()))
}

/// Takes an officer's, or the source's, signed refusal: it ends the request.
#[utoipa::path(post, path = "/v1/reidentifications/{id}/refusals", operation_id = "refuse_reidentification",
    tag = "re-identification", security(("access_token" = [])), request_body = Vote,
    params(("id" = String, Path, description = "The request's id")),
    responses(
        (status = 200, description = "Refused and logged", body = ReidentificationView),
        (status = 400, description = "The body is not JSON"),
        (status = 404, description = "No such request in which the caller has a part; logged"),
        (status = 409, description = "Refused, with a code, and logged"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn refuse(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(vote): Json<Vote>,
) -> Result<Json<ReidentificationView>, Problem> {
    if vote.choice != Choice::Refuse || vote.reason.is_none() {
        return Err(Problem::new(kinds::INVALID_FIELD).detail("a refusal has the choice refuse, and a reason"));
    }
    Ok(Json(gateway.vote_reidentification(&caller, parse(&id)?, &vote).await?.into()))
}

/// The requester takes its request back.
#[utoipa::path(post, path = "/v1/reidentifications/{id}/withdrawal", operation_id = "withdraw_reidentification",
    tag = "re-identification", security(("access_token" = [])),
    params(("id" = String, Path, description = "The request's id")),
    responses(
        (status = 200, description = "Withdrawn and logged", body = ReidentificationView),
        (status = 404, description = "No such request of the caller; logged"),
        (status = 409, description = "It was answered already; logged"),
    ))]
pub async fn withdraw(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
) -> Result<Json<ReidentificationView>, Problem> {
    Ok(Json(gateway.withdraw_reidentification(&caller, parse(&id)?).await?.into()))
}

/// Gives the source the release certificate, good for a quarter of an hour.
#[utoipa::path(post, path = "/v1/reidentifications/{id}/certificate", operation_id = "certify_reidentification",
    tag = "re-identification", security(("access_token" = [])),
    params(("id" = String, Path, description = "The request's id")),
    responses(
        (status = 200, description = "Issued and logged; while it is good, a repeat gives the same", body = SignedCertificate),
        (status = 404, description = "No such request of which the caller is the source; logged"),
        (status = 409, description = "Not yet under a cosigned checkpoint; or refused, with a code, and logged"),
    ))]
pub async fn certify(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
) -> Result<Json<SignedCertificate>, Problem> {
    Ok(Json(gateway.certify_reidentification(&caller, parse(&id)?).await?))
}

/// Takes the source's answer: sealed to the data team, once.
#[utoipa::path(post, path = "/v1/reidentifications/{id}/answers", operation_id = "answer_reidentification",
    tag = "re-identification", security(("access_token" = [])), request_body = Answer,
    params(("id" = String, Path, description = "The request's id")),
    responses(
        (status = 200, description = "Taken and logged", body = ReidentificationState),
        (status = 400, description = "The body is not JSON"),
        (status = 404, description = "No such request of which the caller is the source; logged"),
        (status = 409, description = "Refused, with a code, and logged"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn answer(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(answer): Json<Answer>,
) -> Result<Json<ReidentificationState>, Problem> {
    let state = gateway.answer_reidentification(&caller, parse(&id)?, &answer).await?;
    Ok(Json(ReidentificationState { state: state.word().to_owned() }))
}

/// Gives the envelope to the system that asked, with the key that it named; again for a quarter of an hour.
#[utoipa::path(post, path = "/v1/reidentifications/{id}/collection", operation_id = "collect_reidentification",
    tag = "re-identification", security(("access_token" = [])), request_body = CollectBody,
    params(("id" = String, Path, description = "The request's id")),
    responses(
        (status = 200, description = "Logged, and here it is", body = CollectedView),
        (status = 400, description = "The body is not JSON"),
        (status = 404, description = "No such request; logged"),
        (status = 409, description = "Refused, with a code, and logged"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn collect(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(body): Json<CollectBody>,
) -> Result<Json<CollectedView>, Problem> {
    let Collected { certificate, answer, until } =
        gateway.collect_reidentification(&caller, parse(&id)?, &body.key_id).await?;
    Ok(Json(CollectedView { certificate, answer, until: until.to_string() }))
}

/// Takes the countersigned receipt: the envelope is removed.
#[utoipa::path(post, path = "/v1/reidentifications/{id}/receipts", operation_id = "receive_reidentification",
    tag = "re-identification", security(("access_token" = [])), request_body = OpenedReceipt,
    params(("id" = String, Path, description = "The request's id")),
    responses(
        (status = 200, description = "Closed and logged; a repeat changes nothing", body = ReidentificationState),
        (status = 400, description = "The body is not JSON"),
        (status = 404, description = "No such request; logged"),
        (status = 409, description = "Refused, with a code, and logged"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn receive(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(receipt): Json<OpenedReceipt>,
) -> Result<Json<ReidentificationState>, Problem> {
    gateway.receive_reidentification(&caller, parse(&id)?, &receipt).await?;
    Ok(Json(ReidentificationState { state: "closed".to_owned() }))
}

/// Takes the report that the caller's own machine refused something of a request: it goes into the log.
#[utoipa::path(post, path = "/v1/reidentifications/{id}/faults", operation_id = "report_reidentification_fault",
    tag = "re-identification", security(("access_token" = [])), request_body = FaultBody,
    params(("id" = String, Path, description = "The request's id")),
    responses(
        (status = 202, description = "Logged", body = ReidentificationState),
        (status = 400, description = "The body is not JSON"),
        (status = 404, description = "No such request in which the caller has a part; logged"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "No such code"),
    ))]
pub async fn fault(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    Json(body): Json<FaultBody>,
) -> Result<(StatusCode, Json<ReidentificationState>), Problem> {
    let fault = Refusal::parse(&body.code).ok_or_else(|| Problem::new(kinds::INVALID_FIELD).detail("no such code"))?;
    gateway.report_reid_fault(&caller, parse(&id)?, fault).await?;
    Ok((StatusCode::ACCEPTED, Json(ReidentificationState { state: "logged".to_owned() })))
}

fn parse(id: &str) -> Result<ReidentificationId, Problem> {
    id.parse().map_err(|_| Problem::new(kinds::NOT_FOUND))
}

impl From<ReidView> for ReidentificationView {
    fn from(view: ReidView) -> Self {
        Self {
            id: view.id.to_string(),
            part: view.part.as_str().to_owned(),
            request: view.request,
            request_sha256: view.request_sha256.to_string(),
            state: view.state.word().to_owned(),
            expires_at: view.expires_at.to_string(),
            votes: view.votes,
            record: view.record,
        }
    }
}

impl From<ReidError> for Problem {
    fn from(error: ReidError) -> Self {
        match error {
            ReidError::Form(_) | ReidError::Nonce | ReidError::Recipient => {
                Self::new(kinds::INVALID_FIELD).detail(error)
            }
            ReidError::KeyReused => Self::new(kinds::IDEMPOTENCY_CONFLICT),
            ReidError::NotInLogYet => Self::new(kinds::NOT_IN_LOG_YET).retry_after(std::time::Duration::from_secs(2)),
            ReidError::Refused { refusal, disclosure } => {
                let kind = if refusal == Refusal::Unknown { kinds::NOT_FOUND } else { kinds::REID_REFUSED };
                Self::new(kind).detail(refusal).with(|extras| {
                    extras.code = Some(refusal.code());
                    extras.disclosure = Some(disclosure.to_string());
                })
            }
            ReidError::Family(error) => error.into(),
        }
    }
}
