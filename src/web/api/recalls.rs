//! `/v1/recalls`: a holder finds that its record was taken for somebody else's, or that a delivery of its
//! own was wrong, and everybody who received an answer that rested on it is found and told.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use super::idempotency::IdempotencyKey;
use super::possible_matches::OwnRecord;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::recall::{Named, Raiser};
use crate::domain::claim::RecordName;
use crate::domain::ids::{EventId, PossibleMatchId, RecallId, RoleCode, SubmissionId};
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

/// What was wrong: exactly one of the four.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecallBody {
    /// A record of the agency's own that is of nobody else's person.
    #[serde(default)]
    pub record: Option<OwnRecord>,
    /// A possible match of the agency's own.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub possible_match: Option<PossibleMatchId>,
    /// A log entry of the agency's own: its decision about a possible match, its delivery, or an answer that
    /// it received and in which its own records were taken for somebody else's.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub entry: Option<EventId>,
    /// A delivery of the agency's own.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub submission: Option<SubmissionId>,
    /// The role of the person who recalls it.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// `twin-or-sibling`, `parent-or-child`, `namesake`, `other-person`; for a delivery `record-wrong`.
    pub reason: String,
}

/// A recall that is in the log. It says the same whatever had rested on what was wrong.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RecallView {
    /// The recall.
    #[schema(value_type = String, format = "uuid")]
    pub id: RecallId,
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
}

/// Recalls a wrong match or delivery of the agency's own. Whether anybody had received anything is told to
/// information-governance officers, and to those who had.
#[utoipa::path(post, path = "/v1/recalls", operation_id = "recall", tag = "notices",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = RecallBody,
    responses(
        (status = 201, description = "Taken and logged", body = RecallView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 404, description = "The agency has no such possible match, entry or delivery"),
        (status = 422, description = "Not exactly one thing is named, or role and reason do not go with it"),
    ))]
pub async fn create(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(body): Json<RecallBody>,
) -> Result<(StatusCode, Json<RecallView>), Problem> {
    let RecallBody { record, possible_match, entry, submission, role, reason } = body;
    let agency = caller.agency.clone();
    let own = |record: OwnRecord| RecordName { agency, feed: record.feed, reference: record.reference };
    let named = [
        record.map(own).map(Named::Record),
        possible_match.map(Named::PossibleMatch),
        entry.map(Named::Entry),
        submission.map(Named::Submission),
    ];
    let mut named = named.into_iter().flatten();
    let (Some(named), None) = (named.next(), named.next()) else {
        return Err(Problem::new(kinds::INVALID_FIELD).detail("name exactly one thing that was wrong"));
    };
    // A task of its own: what is decided is noted even if the caller hangs up.
    let work = async move { gateway.open_recall(Raiser::Holder(&caller, &role), &named, &reason, key.as_str()).await };
    let opened = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    let view = RecallView { id: opened.id, disclosure: opened.disclosure, at: opened.at.to_string() };
    Ok((StatusCode::CREATED, Json(view)))
}
