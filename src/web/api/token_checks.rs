//! `/v1/token-checks`: an agency's system shows on invented people that it makes the right tokens.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::app::caller::AgencyCaller;
use crate::app::check_tokens::TokenCheckError;
use crate::app::gateway::Gateway;
use crate::domain::ids::TokenType;
use crate::domain::token_check::{TokenCheck, TypeOutcome};
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

/// What came of a check.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenCheckView {
    /// Linkage key epoch.
    pub epoch: u32,
    /// Whether every type is equal: the agency may deliver tokens of this epoch.
    pub passed: bool,
    /// `equal`, `differs` or `missing` for each type that the agreements give the agency.
    #[schema(value_type = BTreeMap<String, TypeOutcome>)]
    pub types: BTreeMap<TokenType, TypeOutcome>,
}

/// Compares the tokens that the caller's system makes of the published test people with those that the
/// key custodian registered. Nothing of what is sent is kept.
#[utoipa::path(post, path = "/v1/token-checks", operation_id = "check_tokens", tag = "submissions",
    security(("access_token" = [])), request_body = TokenCheck,
    responses(
        (status = 200, description = "What came of it, type by type", body = TokenCheckView),
        (status = 400, description = "The body cannot be read"),
        (status = 404, description = "The key custodian has registered nothing for this epoch"),
        (status = 415, description = "The body is not JSON"),
        (status = 422, description = "A value is not a token, or the check is of another programme or of other match keys"),
    ))]
pub async fn create(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Json(check): Json<TokenCheck>,
) -> Result<Json<TokenCheckView>, Problem> {
    let types = gateway.check_tokens(&caller, &check).await?;
    let passed = types.values().all(|outcome| *outcome == TypeOutcome::Equal);
    Ok(Json(TokenCheckView { epoch: check.epoch, passed, types }))
}

impl From<TokenCheckError> for Problem {
    fn from(error: TokenCheckError) -> Self {
        match error {
            TokenCheckError::Form => Self::new(kinds::INVALID_FIELD).detail(error),
            TokenCheckError::Unregistered => Self::new(kinds::NOT_FOUND).detail(error),
            TokenCheckError::App(error) => error.into(),
        }
    }
}
