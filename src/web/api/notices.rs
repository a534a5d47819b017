//! `/v1/notices`: what an agency has to know about answers that it received.

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use super::form;
use super::idempotency::IdempotencyKey;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::notices::{Notice, NoticePage, Today};
use crate::domain::ids::{EventId, NoticeId, OpaqueRef, RecallId, RoleCode};
use crate::domain::notice::NoticeBody;
use crate::domain::tfid::Tfid;
use crate::web::json::Json;
use crate::web::problem::{Problem, RuleInTheWay, kinds};

/// A page of the caller's inbox.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NoticesView {
    /// Oldest first; 100 at the most.
    pub notices: Vec<NoticeView>,
    /// Where the next page begins; `null` at the end.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub next_after: Option<NoticeId>,
}

/// Something that the agency has to know.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NoticeView {
    /// Its id, under which it is acknowledged.
    #[schema(value_type = String, format = "uuid")]
    pub id: NoticeId,
    /// When it came.
    #[schema(format = DateTime)]
    pub at: String,
    /// The log entry that says that the agency was told.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// `answer_wrong` or `family_attention`; `null` once what it said was erased.
    pub kind: Option<String>,
    /// The recall that found it.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub recall: Option<RecallId>,
    /// The log entry of the answer that was wrong: the agency's own.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub entry: Option<EventId>,
    /// When that answer was given.
    #[schema(format = DateTime)]
    pub answered_at: Option<String>,
    /// The agency's own reference of the case that it was given for.
    #[schema(value_type = Option<String>)]
    pub case: Option<OpaqueRef>,
    /// In which form it was asked: a mode, `engagement`, `claim`, `family` or `match-run`.
    pub form: Option<String>,
    /// Whether it would certainly have been another answer; `false` where it cannot be told any more.
    pub certain: Option<bool>,
    /// For `family_attention`, the family's number: look it up and decide about it again.
    #[schema(value_type = Option<String>)]
    pub tfid: Option<Tfid>,
    /// Whether the agreements let the agency ask the same question today, whoever it is about: then ask
    /// again for the answer that holds. `null` where the answer was to no question about a person.
    pub may_ask_again: Option<bool>,
    /// Where they do not, the rules in the way.
    pub rules: Vec<RuleInTheWay>,
    /// When it was acknowledged.
    #[schema(format = DateTime)]
    pub acknowledged_at: Option<String>,
}

/// That a notice was read and acted on.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgementBody {
    /// The role of the person who acknowledges.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// What was done, a code such as `record-corrected`, `case-reviewed` or `nothing-used`.
    pub action: String,
}

/// An acknowledgement that is in the log.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AcknowledgedView {
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
}

/// Shows the caller's inbox. It names nothing that the agency was not given before.
#[utoipa::path(get, path = "/v1/notices", operation_id = "list_notices", tag = "notices",
    security(("access_token" = [])),
    params(
        ("after" = Option<String>, Query, description = "Show those after this one: `next_after` of the page before"),
        ("all" = Option<bool>, Query, description = "`true` shows acknowledged ones too"),
    ),
    responses(
        (status = 200, description = "The agency's notices", body = NoticesView),
        (status = 400, description = "The query cannot be read"),
        (status = 404, description = "The agency has no notice `after`"),
        (status = 422, description = "A parameter is not allowed"),
    ))]
pub async fn list(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    uri: Uri,
) -> Result<Json<NoticesView>, Problem> {
    let pairs = form::parse(uri.query().unwrap_or_default());
    let pairs = pairs.map_err(|error| Problem::new(kinds::REQUEST_REFUSED).detail(error))?;
    let (mut after, mut waiting_only) = (None, true);
    for (name, value) in &pairs {
        match (&**name, &**value) {
            ("after", id) => after = Some(id.parse().map_err(|_| Problem::new(kinds::INVALID_CURSOR))?),
            ("all", "true") => waiting_only = false,
            ("all", "false") => waiting_only = true,
            _ => {
                return Err(
                    Problem::new(kinds::INVALID_FIELD).detail("a parameter or value that this path does not take")
                );
            }
        }
    }
    let NoticePage { notices, next_after } = gateway.notices(&caller, waiting_only, after).await?;
    Ok(Json(NoticesView { notices: notices.into_iter().map(view).collect(), next_after }))
}

/// Acknowledges a notice. Asked again, the same acknowledgement comes back.
#[utoipa::path(post, path = "/v1/notices/{id}/acknowledge", operation_id = "acknowledge_notice", tag = "notices",
    security(("access_token" = [])),
    params(
        ("id" = String, Path, description = "The notice"),
        ("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores"),
    ),
    request_body = AcknowledgementBody,
    responses(
        (status = 201, description = "Acknowledged and logged", body = AcknowledgedView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 404, description = "The agency has no such notice"),
        (status = 422, description = "The programme has no such role, or the action is not a code"),
    ))]
pub async fn acknowledge(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    _key: IdempotencyKey,
    Json(body): Json<AcknowledgementBody>,
) -> Result<(StatusCode, Json<AcknowledgedView>), Problem> {
    let id = id.parse().map_err(|_| Problem::new(kinds::NOT_FOUND))?;
    let work = async move { gateway.acknowledge_notice(&caller, id, &body.role, &body.action).await };
    let done = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok((StatusCode::CREATED, Json(AcknowledgedView { disclosure: done.disclosure, at: done.at.to_string() })))
}

fn view(notice: Notice) -> NoticeView {
    let mut view = NoticeView {
        id: notice.id,
        at: notice.at.to_string(),
        disclosure: notice.disclosure,
        kind: notice.body.as_ref().map(|body| body.kind().as_str().to_owned()),
        recall: None,
        entry: None,
        answered_at: None,
        case: None,
        form: None,
        certain: None,
        tfid: None,
        may_ask_again: notice.today.as_ref().map(|today| *today == Today::Permitted),
        rules: Vec::new(),
        acknowledged_at: notice.acknowledged_at.map(|at| at.to_string()),
    };
    if let Some(Today::Refused(hits)) = notice.today {
        view.rules = hits.into_iter().map(RuleInTheWay::from).collect();
    }
    match notice.body {
        None => {}
        Some(NoticeBody::FamilyAttention { recall, tfid }) => (view.recall, view.tfid) = (Some(recall), Some(tfid)),
        Some(NoticeBody::AnswerWrong { recall, entry, answered_at, case, form, certain }) => {
            (view.recall, view.entry, view.case) = (Some(recall), Some(entry), case);
            (view.answered_at, view.form, view.certain) = (Some(answered_at.to_string()), Some(form), Some(certain));
        }
    }
    view
}
