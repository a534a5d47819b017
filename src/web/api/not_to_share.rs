//! `/v1/decisions-not-to-share`: somebody asked an agency to share, and it decided not to.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use super::idempotency::IdempotencyKey;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::not_to_share::{Decider, NotSharing};
use crate::domain::ids::{AgreementRef, EventId, OpaqueRef, PurposeCode, RoleCode};
use crate::tlog::entry::Code;
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

/// A decision of the agency not to share its data. Codes only: no word of it names anybody.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotSharingBody {
    /// Who asked: an agency's code, or what it is, such as `landlord`.
    pub asked_by: String,
    /// What was asked for: areas, items or kinds of data.
    pub items: Vec<String>,
    /// What it was asked for.
    #[schema(value_type = String)]
    pub purpose: PurposeCode,
    /// The agreement that was pointed to.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub agreement: Option<AgreementRef>,
    /// Why it was declined, a code such as `no-agreement` or `risk-to-child`.
    pub reason: String,
    /// The law that the decision rests on, such as `UKGDPR-art5-1-b`.
    pub basis: String,
    /// The agency's own keyed reference of its case.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub case: Option<OpaqueRef>,
    /// The role of the person who decided.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The agency's own keyed reference of that person.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
}

/// A decision that is in the log.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NotSharedView {
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

/// Records a decision not to share.
#[utoipa::path(post, path = "/v1/decisions-not-to-share", operation_id = "decide_not_to_share", tag = "agreements",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = NotSharingBody,
    responses(
        (status = 201, description = "Recorded and logged", body = NotSharedView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 409, description = "The Idempotency-Key was used for another request"),
        (status = 422, description = "A code is malformed, or the programme has no such purpose or role"),
    ))]
pub async fn create(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(body): Json<NotSharingBody>,
) -> Result<(StatusCode, Json<NotSharedView>), Problem> {
    let code = |text: &String| text.parse::<Code>().map_err(|_| refused());
    let what = NotSharing {
        asked_by: code(&body.asked_by)?,
        items: body.items.iter().map(code).collect::<Result<_, _>>()?,
        purpose: body.purpose.clone(),
        agreement: body.agreement.clone(),
        reason: code(&body.reason)?,
        basis: code(&body.basis)?,
        case: body.case.clone(),
    };
    let work = async move {
        let decider = Decider::Agency(&caller, &body.role, &body.user, key.as_str());
        gateway.decide_not_to_share(decider, &what).await
    };
    let done = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    let view = NotSharedView { disclosure: done.disclosure, at: done.at.to_string(), receipt: done.receipt };
    Ok((StatusCode::CREATED, Json(view)))
}

fn refused() -> Problem {
    Problem::new(kinds::INVALID_FIELD).detail("a code is 1 to 128 letters, digits and -_.:/ and nobody's name")
}
