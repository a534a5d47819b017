//! `/v1/policy/preview`: what another programme file would change, in counts.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::idempotency::IdempotencyKey;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::preview::NewPreview;
use crate::domain::ids::EventId;
use crate::web::json::Json;
use crate::web::problem::Problem;

/// What would change. A count is a number to the nearest 5, or `fewer_than_5`.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PreviewView {
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// The counts: `families`, `would_become_eligible`, `would_cease`, and for each area `would_meet` and
    /// `would_cease`; with both versions of the criteria and the other file's hash.
    #[schema(value_type = Object)]
    pub counts: Value,
    /// The signed promise that the entry is in the log.
    pub receipt: String,
}

/// Judges the present families by another programme file as well, and counts. Nothing changes for anybody.
/// Every call is a log entry of its own.
#[utoipa::path(post, path = "/v1/policy/preview", operation_id = "preview_policy", tag = "agreements",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = NewPreview,
    responses(
        (status = 201, description = "Decided, logged and counted", body = PreviewView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The agreements do not allow it, or the day's ceiling is reached; logged"),
        (status = 413, description = "The body is too long"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed, or the file is no programme file of this programme"),
    ))]
pub async fn create(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    _key: IdempotencyKey,
    Json(new): Json<NewPreview>,
) -> Result<(StatusCode, Json<PreviewView>), Problem> {
    let logged = gateway.preview(&caller, &new).await?;
    let counts = serde_json::to_value(&logged.previewed).map_err(Problem::internal)?;
    let view = PreviewView { disclosure: logged.disclosure, counts, receipt: logged.receipt };
    Ok((StatusCode::CREATED, Json(view)))
}
