//! `/v1/shields`: an agency's shield officers see which records the agency itself restricts, and note when
//! to look at them again.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use super::idempotency::IdempotencyKey;
use super::possible_matches::OwnRecord;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::domain::ids::{EventId, FeedCode, OpaqueRef, RoleCode};
use crate::web::json::Json;
use crate::web::problem::Problem;

/// Who looks, and where a page begins.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShieldsBody {
    /// One of the roles that the agency's own file names as its shield officers'.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The last record of the page before.
    #[serde(default)]
    pub after: Option<OwnRecord>,
}

/// A page of the agency's own shields.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ShieldsView {
    /// By feed and reference; 200 at the most.
    pub shields: Vec<ShieldView>,
    /// Whether there is more after the last.
    pub has_more: bool,
}

/// A record that the agency itself restricts.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ShieldView {
    /// The agency's feed.
    #[schema(value_type = String)]
    pub feed: FeedCode,
    /// The agency's own reference.
    #[serde(rename = "ref")]
    #[schema(value_type = String)]
    pub reference: OpaqueRef,
    /// The day that was noted for looking at it again; `null` when none was.
    #[schema(value_type = Option<String>, format = Date)]
    pub review_on: Option<Date>,
    /// Whether that day has passed, or none was noted. The shield stands all the same.
    pub is_overdue: bool,
}

/// When to look at a record again.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShieldReviewBody {
    /// A record of the agency's own.
    pub record: OwnRecord,
    /// The day.
    #[schema(value_type = String, format = Date)]
    pub review_on: Date,
    /// One of the roles that the agency's own file names as its shield officers'.
    #[schema(value_type = String)]
    pub role: RoleCode,
}

/// A day that is in the log, sealed. It says the same whatever the record is.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ShieldReviewView {
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
}

/// Shows which records the caller's agency itself restricts, and which are overdue for another look.
#[utoipa::path(post, path = "/v1/shields/list", operation_id = "list_own_shields", tag = "submissions",
    security(("access_token" = [])),
    request_body = ShieldsBody,
    responses(
        (status = 200, description = "The agency's own shields", body = ShieldsView),
        (status = 400, description = "The body is not JSON"),
        (status = 403, description = "The role is none of the agency's shield officers'"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn list(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Json(body): Json<ShieldsBody>,
) -> Result<Json<ShieldsView>, Problem> {
    let after = body.after.as_ref().map(|record| (&record.feed, &record.reference));
    let page = gateway.own_shields(&caller, &body.role, after).await?;
    let shields = page.shields.iter().map(|shield| ShieldView {
        feed: shield.feed.clone(),
        reference: shield.reference.clone(),
        review_on: shield.review_on,
        is_overdue: page.is_overdue(shield),
    });
    Ok(Json(ShieldsView { shields: shields.collect(), has_more: page.has_more }))
}

/// Notes when the agency means to look at a record of its own again. It succeeds whatever the record is.
#[utoipa::path(post, path = "/v1/shields/reviews", operation_id = "note_shield_review", tag = "submissions",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = ShieldReviewBody,
    responses(
        (status = 201, description = "Noted and logged", body = ShieldReviewView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The role is none of the agency's shield officers'"),
        (status = 422, description = "A field is missing or not allowed, or the day lies in the past"),
    ))]
pub async fn review(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    _key: IdempotencyKey,
    Json(body): Json<ShieldReviewBody>,
) -> Result<(StatusCode, Json<ShieldReviewView>), Problem> {
    let work = async move {
        let record = (&body.record.feed, &body.record.reference);
        gateway.note_shield_review(&caller, &body.role, record, body.review_on).await
    };
    let (disclosure, at) = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok((StatusCode::CREATED, Json(ShieldReviewView { disclosure, at: at.to_string() })))
}
