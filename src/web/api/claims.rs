//! `/v1/families/baseline` and `/v1/families/claim-check`: a family is engaged, and a result claimed.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::idempotency::IdempotencyKey;
use crate::app::caller::AgencyCaller;
use crate::app::claim::{Claimed, NewClaimCheck, NewEngagement};
use crate::app::gateway::Gateway;
use crate::app::proof::ProvedEntry;
use crate::domain::ids::EventId;
use crate::web::json::Json;
use crate::web::problem::Problem;

/// What was found, with its place in the log and the proofs of the entries that it stands on.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ClaimView {
    /// The log entry of this answer. After an engagement: what a claim check names.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// When it was decided.
    #[schema(format = DateTime)]
    pub at: String,
    /// What was found, as docs/claims.md describes it; the entry's sealed opening holds the same.
    #[schema(value_type = Object)]
    pub found: Value,
    /// Whether it may be passed on: `none`, `with_supplier_consent` or `parties`.
    pub onward: String,
    /// The signed promise that the entry is in the log.
    pub receipt: String,
    /// The entries of engagement and check.
    pub entries: Vec<EntryView>,
}

/// An entry of the log with its proof.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EntryView {
    /// The event's id.
    #[schema(value_type = String, format = "uuid")]
    pub event: EventId,
    /// The entry's exact text.
    pub entry: String,
    /// The inclusion proof (C2SP tlog-proof); `null` until the entry is under a signed checkpoint.
    /// Ask again under the same `Idempotency-Key` then.
    pub proof: Option<String>,
}

/// Records that a family is engaged, with what the evidence says of it now.
#[utoipa::path(post, path = "/v1/families/baseline", operation_id = "engage_family", tag = "families",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = NewEngagement,
    responses(
        (status = 201, description = "Decided, logged and kept", body = ClaimView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The agreements do not allow it, or the day's ceiling is reached; logged"),
        (status = 409, description = "Another linkage key or epoch; or the Idempotency-Key was used for another request, or its answer has lapsed"),
        (status = 413, description = "The body is too long"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn engage(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(new): Json<NewEngagement>,
) -> Result<(StatusCode, Json<ClaimView>), Problem> {
    let claimed = gateway.engage(&caller, &new, key.as_str()).await?;
    Ok((StatusCode::CREATED, Json(claimed.into())))
}

/// Checks whether a result may be claimed: criterion by criterion, then and now, never a bare yes.
#[utoipa::path(post, path = "/v1/families/claim-check", operation_id = "check_claim", tag = "families",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = NewClaimCheck,
    responses(
        (status = 201, description = "Decided, logged and compared", body = ClaimView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The agreements do not allow it, or the day's ceiling is reached; logged"),
        (status = 404, description = "The caller has recorded no engagement of this id"),
        (status = 409, description = "Another linkage key or epoch; the Idempotency-Key was used for another request; or the evidence as at engagement was erased"),
        (status = 413, description = "The body is too long"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn check_claim(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(new): Json<NewClaimCheck>,
) -> Result<(StatusCode, Json<ClaimView>), Problem> {
    let claimed = gateway.check_claim(&caller, &new, key.as_str()).await?;
    Ok((StatusCode::CREATED, Json(claimed.into())))
}

impl From<Claimed> for ClaimView {
    fn from(claimed: Claimed) -> Self {
        let Claimed { disclosure, at, found, onward, receipt, entries } = claimed;
        let entry = |ProvedEntry { event, entry, proof }: ProvedEntry| EntryView { event, entry, proof };
        let entries = entries.into_iter().map(entry).collect();
        Self { disclosure, at: at.to_string(), found, onward, receipt, entries }
    }
}
