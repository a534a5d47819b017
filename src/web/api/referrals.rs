//! `/v1/referrals`: a referral comes in and is taken step by step to where it ends.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::idempotency::IdempotencyKey;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::referral::{NewReferral, NewStep, Referred};
use crate::domain::ids::{EventId, ReferralId};
use crate::domain::referral::{State as ReferralState, Step};
use crate::web::json::Json;
use crate::web::problem::Problem;

/// Where a referral is.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReferralView {
    /// Its id, which every step names.
    #[schema(value_type = String, format = "uuid")]
    pub referral: ReferralId,
    /// Where it is now.
    pub state: ReferralState,
    /// The step that is next; `null` at an end.
    pub next: Option<Step>,
    /// The purpose of that step, and of the enquiry that it may have to rest on.
    pub next_purpose: Option<String>,
    /// The log entry of this step.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// When it was taken.
    #[schema(format = DateTime)]
    pub at: String,
    /// The signed promise that the entry is in the log.
    pub receipt: String,
}

/// Takes a referral in.
#[utoipa::path(post, path = "/v1/referrals", operation_id = "refer", tag = "referrals",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = NewReferral,
    responses(
        (status = 201, description = "Decided, logged and taken in", body = ReferralView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The agreements do not allow it; logged"),
        (status = 409, description = "The Idempotency-Key was used for another request, or its reply has lapsed"),
        (status = 413, description = "The body is too long"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn create(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(new): Json<NewReferral>,
) -> Result<(StatusCode, Json<ReferralView>), Problem> {
    let referred = gateway.refer(&caller, &new, key.as_str()).await?;
    Ok((StatusCode::CREATED, Json(referred.into())))
}

/// Takes a step of a referral. Only the step that is next can be taken.
#[utoipa::path(post, path = "/v1/referrals/steps", operation_id = "take_referral_step", tag = "referrals",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = NewStep,
    responses(
        (status = 201, description = "Decided, logged and taken", body = ReferralView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The agreements do not allow it; logged"),
        (status = 404, description = "No such referral of the caller"),
        (status = 409, description = "The referral is not where this step begins; or the Idempotency-Key was used for another request"),
        (status = 413, description = "The body is too long"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn step(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(new): Json<NewStep>,
) -> Result<(StatusCode, Json<ReferralView>), Problem> {
    let referred = gateway.take_step(&caller, &new, key.as_str()).await?;
    Ok((StatusCode::CREATED, Json(referred.into())))
}

impl From<Referred> for ReferralView {
    fn from(referred: Referred) -> Self {
        let Referred { referral, state, disclosure, at, next, receipt } = referred;
        let (next, purpose) = next.unzip();
        let next_purpose = purpose.map(|purpose| purpose.to_string());
        Self { referral, state, next, next_purpose, disclosure, at: at.to_string(), receipt }
    }
}
