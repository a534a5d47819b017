//! `/v1/reviews`: an agency reads the findings about its own disclosures, and replies.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};

use super::idempotency::IdempotencyKey;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::review::ReviewError;
use crate::app::review::replies::{AgencyFinding, NewReply};
use crate::domain::ids::EventId;
use crate::store::StoredReviewReply;
use crate::tlog::entry::Code;
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

/// Findings about the caller's own disclosures.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FindingsView {
    /// In the order of the log.
    pub findings: Vec<FindingView>,
    /// What to name as `after` for the next page; `null` after the last.
    pub next_after: Option<u64>,
}

/// A finding about a disclosure to the caller's agency.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FindingView {
    /// The log entry of the disclosure, as in its receipt.
    pub entry: String,
    /// `justified`, `record_incomplete`, `not_justified_minimisation`, `not_justified_no_basis`, `wrong_subject`,
    /// `basis_unclear` or `suspected_misuse`.
    pub finding: String,
    /// `none`, `low`, `medium` or `high`.
    pub severity: String,
    /// `none`, `correct_note`, `retrain`, `change_policy`, `suspend_agreement`, `breach_case` or `refer_to_dpo`.
    pub action: String,
    /// Who does it: a post or account.
    pub owner: Option<String>,
    /// The day by which it is done.
    pub due: Option<String>,
    /// Whether that is over.
    pub is_closed: bool,
    /// Why, or where it is written up.
    pub reason: String,
    /// The log entry by which it took effect.
    pub finding_entry: String,
    /// What the agency replied, oldest first.
    pub replies: Vec<FindingReplyView>,
}

/// A reply of the agency's.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FindingReplyView {
    /// `accepted`, `disputed` or `corrected`.
    pub position: String,
    /// Why, or where it is written up.
    pub reason: String,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
}

/// A reply to a finding.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFindingReply {
    /// The log entry of the disclosure.
    #[schema(value_type = String, format = "uuid")]
    pub entry: EventId,
    /// `accepted`, `disputed` or `corrected`.
    pub position: String,
    /// Why, or where the agency has written it up: 1 to 128 letters, digits and `-_.:/`, never a text about anybody.
    pub reason: String,
}

/// A reply that was kept.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FindingReplied {
    /// Its log entry.
    pub disclosure: String,
}

/// Gives the findings about the caller's own disclosures.
#[utoipa::path(get, path = "/v1/reviews", operation_id = "list_findings", tag = "reviews",
    security(("access_token" = [])),
    params(("after" = Option<u64>, Query, description = "Only findings about entries after this index")),
    responses(
        (status = 200, description = "Findings that are in effect; empty when there are none", body = FindingsView),
        (status = 400, description = "`after` is malformed"),
    ))]
pub async fn list(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    uri: Uri,
) -> Result<Json<FindingsView>, Problem> {
    let after = match uri.query().unwrap_or_default() {
        "" => None,
        query => {
            let after = query.strip_prefix("after=").and_then(|index| index.parse().ok());
            Some(after.ok_or_else(|| Problem::new(kinds::INVALID_CURSOR))?)
        }
    };
    let found = gateway.findings_about(&caller, after).await?;
    let findings = found.findings.into_iter().map(FindingView::from).collect();
    Ok(Json(FindingsView { findings, next_after: found.next_after }))
}

/// Replies to a finding about a disclosure to the caller's agency.
#[utoipa::path(post, path = "/v1/reviews/replies", operation_id = "reply_to_finding", tag = "reviews",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = NewFindingReply,
    responses(
        (status = 201, description = "Kept and logged; a repeat of the request keeps nothing twice", body = FindingReplied),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 404, description = "No finding in effect about a disclosure to the caller"),
        (status = 409, description = "The agency has replied so already; or the Idempotency-Key was used for another request"),
        (status = 413, description = "The body is too long"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn reply(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(body): Json<NewFindingReply>,
) -> Result<(StatusCode, Json<FindingReplied>), Problem> {
    let invalid = || Problem::new(kinds::INVALID_FIELD);
    let position = body.position.parse().map_err(|_| invalid())?;
    let reason: Code = body.reason.parse().map_err(|_| invalid())?;
    let new = NewReply { entry: body.entry, position, reason };
    let event = gateway.reply_to_finding(&caller, &new, key.as_str()).await?;
    Ok((StatusCode::CREATED, Json(FindingReplied { disclosure: event.to_string() })))
}

impl From<AgencyFinding> for FindingView {
    fn from(found: AgencyFinding) -> Self {
        Self {
            entry: found.entry.to_string(),
            finding: found.finding.as_str().to_owned(),
            severity: found.severity,
            action: found.action,
            owner: found.owner,
            due: found.due,
            is_closed: found.is_closed,
            reason: found.reason,
            finding_entry: found.finding_event.to_string(),
            replies: found.replies.into_iter().map(FindingReplyView::from).collect(),
        }
    }
}

impl From<StoredReviewReply> for FindingReplyView {
    fn from(reply: StoredReviewReply) -> Self {
        Self { position: reply.position, reason: reply.reason, at: reply.at.to_string() }
    }
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Self {
        match error {
            ReviewError::App(error) => error.into(),
            ReviewError::Look(error) => error.into(),
            ReviewError::Unknown => Self::new(kinds::NOT_FOUND),
            ReviewError::KeyReused => Self::new(kinds::IDEMPOTENCY_CONFLICT),
            error => Self::new(kinds::STATE_CONFLICT).detail(error),
        }
    }
}
