//! `/v1/emergencies`: which emergency enquiries of an agency wait for a review, and their reviews. The
//! enquiry itself is `POST /v1/enquiries` with the relationship `emergency`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use super::idempotency::IdempotencyKey;
use crate::app::caller::AgencyCaller;
use crate::app::emergency::{ReviewFinding, Reviewer};
use crate::app::gateway::Gateway;
use crate::domain::ids::{EventId, OpaqueRef, RoleCode};
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

/// What waits for a review.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EmergenciesView {
    /// Oldest first; 500 at the most.
    pub emergencies: Vec<EmergencyView>,
}

/// An emergency enquiry of the agency that nobody has reviewed.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EmergencyView {
    /// The log entry of the enquiry.
    #[schema(value_type = String, format = "uuid")]
    pub entry: EventId,
    /// Which of the agency's systems asked.
    pub client: String,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// A review is due by then; after it the system's emergency enquiries are refused.
    #[schema(format = DateTime)]
    pub due_at: String,
}

/// What a review came to.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmergencyReviewBody {
    /// The log entry of the emergency enquiry.
    #[schema(value_type = String, format = "uuid")]
    pub entry: EventId,
    /// The agency's own keyed reference of the person who reviews: not the one who asked.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
    /// The role of that person.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// `justified`, `record-incomplete` or `not-justified`.
    pub finding: String,
    /// Why, a code.
    pub reason: String,
}

/// A review that is in the log.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EmergencyReviewedView {
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Whether it came in time.
    pub in_time: bool,
}

/// Shows which emergency enquiries of the caller's agency nobody has reviewed.
#[utoipa::path(get, path = "/v1/emergencies", operation_id = "list_emergencies", tag = "enquiries",
    security(("access_token" = [])),
    responses((status = 200, description = "What waits for a review", body = EmergenciesView)))]
pub async fn list(State(gateway): State<Gateway>, caller: AgencyCaller) -> Result<Json<EmergenciesView>, Problem> {
    let waiting = gateway.own_emergencies(&caller).await?;
    let view = |it: crate::store::StoredEmergency| EmergencyView {
        entry: it.event,
        client: it.client,
        at: it.at.to_string(),
        due_at: it.due_at.to_string(),
    };
    Ok(Json(EmergenciesView { emergencies: waiting.into_iter().map(view).collect() }))
}

/// Reviews an emergency enquiry of the agency. Whoever asked cannot.
#[utoipa::path(post, path = "/v1/emergencies/reviews", operation_id = "review_emergency", tag = "enquiries",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = EmergencyReviewBody,
    responses(
        (status = 201, description = "Reviewed and logged", body = EmergencyReviewedView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 404, description = "The agency made no such emergency enquiry"),
        (status = 409, description = "It was reviewed before"),
        (status = 422, description = "The reviewer is who asked; or role, finding or reason is none of its words"),
    ))]
pub async fn review(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    _key: IdempotencyKey,
    Json(body): Json<EmergencyReviewBody>,
) -> Result<(StatusCode, Json<EmergencyReviewedView>), Problem> {
    let finding = ReviewFinding::parse(&body.finding);
    let finding = finding.ok_or_else(|| Problem::new(kinds::INVALID_FIELD).detail("`finding` is none of its words"))?;
    let work = async move {
        let reviewer = Reviewer::Agency(&caller, &body.role, &body.user);
        gateway.review_emergency(reviewer, body.entry, finding, &body.reason).await
    };
    let done = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    let (at, in_time) = (done.at.to_string(), done.is_in_time);
    Ok((StatusCode::CREATED, Json(EmergencyReviewedView { disclosure: done.disclosure, at, in_time })))
}
