//! `/v1/relay/grants`: sealed linkage keys on their way from a key custodian to an agency. Ciphertext
//! only; the gateway holds no key that opens it.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::idempotency::IdempotencyKey;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::relay::{GRANT_BYTES, Handover, RelayError};
use crate::domain::ids::{AgencyCode, GrantId, TokenType};
use crate::domain::token::{decode_base64url, encode_base64url};
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

/// Sealed keys that a custodian hands over.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrantBody {
    /// For which agency.
    #[schema(value_type = String)]
    pub agency: AgencyCode,
    /// Sealed to which of its enrolled keys, by its id.
    pub sealing_key: String,
    /// Linkage key epoch.
    pub epoch: u32,
    /// The token types whose keys are inside; the recipient's agreements must give it every one.
    #[schema(value_type = Vec<String>)]
    pub types: BTreeSet<TokenType>,
    /// The sealed keys, base64url; always of the same length.
    pub sealed: String,
}

/// A grant that was taken from its sender, or by its agency.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GrantTaken {
    /// Its id.
    pub id: String,
}

/// What waits for the caller's agency.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GrantsView {
    /// Oldest first.
    pub grants: Vec<GrantView>,
}

/// A grant that waits.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GrantView {
    /// Its id, to acknowledge it by.
    pub id: String,
    /// The custodian's agency.
    pub from: String,
    /// The sealing key that opens it, by its id.
    pub sealing_key: String,
    /// Linkage key epoch.
    pub epoch: u32,
    /// When it arrived.
    #[schema(format = DateTime)]
    pub posted_at: String,
    /// The sealed keys, base64url.
    pub sealed: String,
}

/// Hands over sealed keys for an agency; key custodians only.
#[utoipa::path(post, path = "/v1/relay/grants", operation_id = "post_grant", tag = "relay",
    security(("access_token" = [])), request_body = NewGrantBody,
    params(("Idempotency-Key" = String, Header, description = "The caller's name for this request")),
    responses(
        (status = 201, description = "Kept until the agency has it; a repeat of the request keeps nothing twice", body = GrantTaken),
        (status = 400, description = "The body or the idempotency key cannot be read"),
        (status = 409, description = "The caller's agency is not a key custodian; or the idempotency key belongs to another request, or too many grants wait"),
        (status = 415, description = "The body is not JSON"),
        (status = 422, description = "No such agency or sealing key, a type that the agency's agreements do not give it, or no sealed grant"),
    ))]
pub async fn post(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(body): Json<NewGrantBody>,
) -> Result<(StatusCode, Json<GrantTaken>), Problem> {
    let sealed = decode_base64url::<GRANT_BYTES>(&body.sealed).ok_or(RelayError::Sealed)?.to_vec();
    let handover = Handover {
        recipient: body.agency,
        sealing_key: body.sealing_key,
        epoch: body.epoch,
        types: body.types,
        sealed,
    };
    let id = gateway.post_grant(&caller, &handover, key.as_str()).await?;
    Ok((StatusCode::CREATED, Json(GrantTaken { id: id.to_string() })))
}

/// Gives the sealed keys that wait for the caller's agency.
#[utoipa::path(get, path = "/v1/relay/grants", operation_id = "waiting_grants", tag = "relay",
    security(("access_token" = [])),
    responses((status = 200, description = "What waits, oldest first; empty when nothing does", body = GrantsView)))]
pub async fn list(State(gateway): State<Gateway>, caller: AgencyCaller) -> Result<Json<GrantsView>, Problem> {
    let waiting = gateway.waiting_grants(&caller).await?;
    let view = waiting.into_iter().map(|grant| GrantView {
        id: grant.id.to_string(),
        from: grant.sender.to_string(),
        sealing_key: grant.sealing_key,
        epoch: grant.epoch,
        posted_at: grant.posted_at.to_string(),
        sealed: encode_base64url(&grant.sealed),
    });
    Ok(Json(GrantsView { grants: view.collect() }))
}

/// Says that the agency has opened a grant and keeps its keys: the ciphertext is removed.
#[utoipa::path(post, path = "/v1/relay/grants/{id}/acknowledgement", operation_id = "acknowledge_grant",
    tag = "relay", security(("access_token" = [])),
    params(("id" = String, Path, description = "The grant's id")),
    responses(
        (status = 200, description = "Removed; a repeat changes nothing", body = GrantTaken),
        (status = 404, description = "No such grant is addressed to the caller, or it was never fetched"),
    ))]
pub async fn acknowledge(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
) -> Result<Json<GrantTaken>, Problem> {
    let id: GrantId = id.parse().map_err(|_| RelayError::Unknown)?;
    gateway.acknowledge_grant(&caller, id).await?;
    Ok(Json(GrantTaken { id: id.to_string() }))
}

impl From<RelayError> for Problem {
    fn from(error: RelayError) -> Self {
        let kind = match &error {
            RelayError::NotCustodian => kinds::NOT_CUSTODIAN,
            RelayError::Recipient | RelayError::TokenType | RelayError::NoTypes | RelayError::Sealed => {
                kinds::INVALID_FIELD
            }
            RelayError::KeyReused => kinds::IDEMPOTENCY_CONFLICT,
            RelayError::TooMany => kinds::STATE_CONFLICT,
            RelayError::Unknown => kinds::NOT_FOUND,
            RelayError::App(_) => kinds::INTERNAL,
        };
        if let RelayError::App(error) = error {
            return error.into();
        }
        Self::new(kind).detail(error)
    }
}
