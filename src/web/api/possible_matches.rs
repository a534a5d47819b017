//! `/v1/possible-matches`: an agency verifies records of its own; the data team looks at pairs.

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use super::idempotency::IdempotencyKey;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::possible_matches::Recorded;
use crate::app::possible_matches::decide::Verdict;
use crate::app::possible_matches::doubt::OwnDoubt;
use crate::app::possible_matches::queue::{QueueItem, QueuePage};
use crate::app::possible_matches::view::{ViewTerms, Viewed, ViewedPair};
use crate::domain::ids::{AgreementRef, EventId, FeedCode, OpaqueRef, PairId, PossibleMatchId, PurposeCode, RoleCode};
use crate::domain::programme::Relationship;
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

/// What the caller's agency is asked.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PossibleMatchesView {
    /// The agency's own records, oldest question first; 100 at the most.
    pub possible_matches: Vec<PossibleMatchView>,
    /// Where the next page begins; `null` at the end.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub next_after: Option<PossibleMatchId>,
}

/// A record of the agency's own that it is asked to verify.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PossibleMatchView {
    /// A random handle.
    #[schema(value_type = String, format = "uuid")]
    pub id: PossibleMatchId,
    /// The agency's feed.
    #[schema(value_type = String)]
    pub feed: FeedCode,
    /// The agency's own reference.
    #[serde(rename = "ref")]
    #[schema(value_type = String)]
    pub reference: OpaqueRef,
    /// Which of the record's fields to verify, by the names of the match-key file.
    pub fields: Vec<String>,
    /// Who the person is in the household, as the agency said: `child`, `adult`, `unborn` or `unknown`.
    pub role: String,
    /// The day that the agency's own delivery describes.
    #[schema(format = Date)]
    pub as_at: String,
    /// When the agency was asked.
    #[schema(format = DateTime)]
    pub asked_at: String,
}

/// What an agency says about a record that it was asked about.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictBody {
    /// `confirm` (the fields stand, and the agency knows nobody else whom they fit) or `reject`.
    pub decision: String,
    /// The role of the person who decided, as the programme declares it.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// `checked-file`, `checked-source`, `checked-person`; or `record-wrong`, `twin-or-sibling`,
    /// `parent-or-child`, `namesake`, `other-person`.
    pub reason: String,
}

/// Why a decision is taken back.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReversalBody {
    /// The role of the person who takes it back.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// `mistake`, `new-evidence` or `complaint`.
    pub reason: String,
}

/// A record of the agency's own.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnRecord {
    /// The agency's feed.
    #[schema(value_type = String)]
    pub feed: FeedCode,
    /// The agency's own reference.
    #[serde(rename = "ref")]
    #[schema(value_type = String)]
    pub reference: OpaqueRef,
}

/// What an agency says about a record that it was not asked about.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DoubtBody {
    /// `split` or `merge`.
    pub decision: String,
    /// The record in question.
    pub record: OwnRecord,
    /// The agency's other record: a merge needs it. A split without it parts the record from all records
    /// of other agencies with which it is linked now.
    #[serde(default)]
    pub other: Option<OwnRecord>,
    /// The role of the person who decided.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// `twin-or-sibling`, `parent-or-child`, `namesake`, `other-person`; `duplicate` for a merge.
    pub reason: String,
}

/// A decision that is in the log. It says the same whatever came of it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RecordedView {
    /// The possible match: the handle under which the decision is taken back.
    #[schema(value_type = String, format = "uuid")]
    pub id: PossibleMatchId,
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
}

/// Under which agreement the data team looks.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewBody {
    /// The agreement whose receive clause lets the caller look.
    #[schema(value_type = String, example = "programme-delivery/v1")]
    pub agreement: AgreementRef,
    /// `programme-delivery` or `audit`.
    #[schema(value_type = String)]
    pub purpose: PurposeCode,
    /// The relationship, as for an enquiry.
    #[schema(value_type = String, example = "screening")]
    pub relationship: Relationship,
    /// The role of the person who looks.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The team's own keyed reference of that person.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
    /// `next_after` of the page before.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub after: Option<PairId>,
}

/// A page of pairs.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PairsView {
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// When it was decided.
    #[schema(format = DateTime)]
    pub at: String,
    /// The pairs, by handle.
    pub pairs: Vec<PairView>,
    /// Where the next page begins; `null` at the end.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub next_after: Option<PairId>,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

/// Two records that may be one person, or were decided to be or not to be.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PairView {
    /// A random handle; it names neither record.
    #[schema(value_type = String, format = "uuid")]
    pub handle: PairId,
    /// The two agencies.
    pub agencies: Vec<String>,
    /// The match keys that agree; for `apart` those that differ; for `weighed` fields with levels and thousandths of a
    /// bit; for `fuzzy` the band in which the likeness of the encodings lies.
    pub keys: Vec<String>,
    /// Evidence in bits, where it was weighed.
    pub bits: Option<f64>,
    /// `confirmed`, `apart`, `weighed` or `fuzzy`.
    pub origin: String,
    /// `proposed`, `in_force` or `refused`.
    pub state: String,
}

/// Shows which records of its own the agency is asked to verify. It says nothing of the other record:
/// not whose it is, from which feed, or whether there are several. What it shows was logged when the
/// agency was asked.
#[utoipa::path(get, path = "/v1/possible-matches", operation_id = "list_possible_matches", tag = "possible matches",
    security(("access_token" = [])),
    params(("after" = Option<String>, Query, description = "Show those after this one: `next_after` of the page before")),
    responses(
        (status = 200, description = "What waits for the caller's agency", body = PossibleMatchesView),
        (status = 400, description = "`after` is malformed"),
        (status = 404, description = "The agency was never asked `after`"),
    ))]
pub async fn list(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    uri: Uri,
) -> Result<Json<PossibleMatchesView>, Problem> {
    let after = match uri.query().unwrap_or_default() {
        "" => None,
        query => {
            let after = query.strip_prefix("after=").and_then(|id| id.parse().ok());
            Some(after.ok_or_else(|| Problem::new(kinds::INVALID_CURSOR))?)
        }
    };
    let QueuePage { items, next_after } = gateway.possible_matches(&caller, after).await?;
    Ok(Json(PossibleMatchesView { possible_matches: items.into_iter().map(item_view).collect(), next_after }))
}

/// Parts or joins records at the word of their holder: a split of a standing link, a merge of two
/// records of the agency's own. It succeeds whether the record is linked with anything or not.
#[utoipa::path(post, path = "/v1/possible-matches", operation_id = "raise_possible_match", tag = "possible matches",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = DoubtBody,
    responses(
        (status = 201, description = "Decided and logged", body = RecordedView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 404, description = "The agency's feed shows no such record"),
        (status = 409, description = "The agency raised too many within a day"),
        (status = 422, description = "Decision, role and reason do not go together"),
    ))]
pub async fn raise(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(body): Json<DoubtBody>,
) -> Result<(StatusCode, Json<RecordedView>), Problem> {
    let own = |record: OwnRecord| (record.feed, record.reference);
    let doubt = OwnDoubt {
        decision: word(&body.decision, "decision")?,
        record: own(body.record),
        other: body.other.map(own),
        role: body.role,
        reason: word(&body.reason, "reason")?,
    };
    // A task of its own: what is decided is noted even if the caller hangs up.
    let work = async move { gateway.raise_doubt(&caller, &doubt, key.as_str()).await };
    let recorded = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok((StatusCode::CREATED, Json(recorded_view(&recorded))))
}

/// Decides about a record that the agency was asked about. Neither what the other holder says nor what
/// comes of it is told.
#[utoipa::path(post, path = "/v1/possible-matches/{id}/decisions", operation_id = "decide_possible_match",
    tag = "possible matches", security(("access_token" = [])),
    params(
        ("id" = String, Path, description = "The possible match"),
        ("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores"),
    ),
    request_body = VerdictBody,
    responses(
        (status = 201, description = "Decided and logged", body = RecordedView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 404, description = "The agency was never asked this"),
        (status = 409, description = "The agency decided this before"),
        (status = 422, description = "Decision, role and reason do not go together"),
    ))]
pub async fn decide(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    key: IdempotencyKey,
    Json(body): Json<VerdictBody>,
) -> Result<(StatusCode, Json<RecordedView>), Problem> {
    let id = parse_id(&id)?;
    let (decision, reason) = (word(&body.decision, "decision")?, word(&body.reason, "reason")?);
    let verdict = Verdict { decision, role: body.role, reason };
    let work = async move { gateway.decide_possible_match(&caller, id, &verdict, key.as_str()).await };
    let recorded = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok((StatusCode::CREATED, Json(recorded_view(&recorded))))
}

/// Takes a decision of the agency's own back.
#[utoipa::path(post, path = "/v1/possible-matches/{id}/reversals", operation_id = "reverse_possible_match",
    tag = "possible matches", security(("access_token" = [])),
    params(
        ("id" = String, Path, description = "The possible match"),
        ("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores"),
    ),
    request_body = ReversalBody,
    responses(
        (status = 201, description = "Taken back and logged", body = RecordedView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 404, description = "The agency was never asked this, and did not raise it"),
        (status = 409, description = "There is no decision to take back"),
        (status = 422, description = "The programme declares no such role, or there is no such reason"),
    ))]
pub async fn reverse(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(id): Path<String>,
    key: IdempotencyKey,
    Json(body): Json<ReversalBody>,
) -> Result<(StatusCode, Json<RecordedView>), Problem> {
    let id = parse_id(&id)?;
    let reason = word(&body.reason, "reason")?;
    let work = async move { gateway.reverse_possible_match(&caller, id, (&body.role, reason), key.as_str()).await };
    let recorded = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok((StatusCode::CREATED, Json(recorded_view(&recorded))))
}

/// Shows the data team which agencies' records may be one person, by which keys, by random handles.
/// Each page is a disclosure: decided, charged to the clause and logged.
#[utoipa::path(post, path = "/v1/possible-matches/views", operation_id = "view_possible_matches",
    tag = "possible matches", security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = ViewBody,
    responses(
        (status = 201, description = "Decided, logged and shown", body = PairsView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "No agreement lets the caller look; the refusal is in the log"),
        (status = 422, description = "The purpose is not one of these, or the programme has no such role"),
    ))]
pub async fn view(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    _key: IdempotencyKey,
    Json(body): Json<ViewBody>,
) -> Result<(StatusCode, Json<PairsView>), Problem> {
    let ViewBody { agreement, purpose, relationship, role, user, after } = body;
    let terms = ViewTerms { agreement, purpose, relationship, role, user, after };
    let work = async move { gateway.view_possible_matches(&caller, &terms).await };
    let viewed = tokio::spawn(work.in_current_span()).await.map_err(Problem::internal)??;
    Ok((StatusCode::CREATED, Json(pairs_view(viewed))))
}

fn item_view(item: QueueItem) -> PossibleMatchView {
    let role = serde_json::to_value(item.role).ok();
    PossibleMatchView {
        id: item.id,
        feed: item.feed,
        reference: item.reference,
        fields: item.fields,
        role: role.as_ref().and_then(|role| role.as_str()).unwrap_or("unknown").to_owned(),
        as_at: item.as_at.to_string(),
        asked_at: item.asked_at.to_string(),
    }
}

fn recorded_view(recorded: &Recorded) -> RecordedView {
    RecordedView { id: recorded.id, disclosure: recorded.disclosure, at: recorded.at.to_string() }
}

fn pairs_view(viewed: Viewed) -> PairsView {
    let pair = |pair: ViewedPair| PairView {
        handle: pair.handle,
        agencies: pair.agencies.to_vec(),
        keys: pair.keys,
        bits: pair.millibits.map(|millibits| millibits as f64 / 1000.0),
        origin: pair.origin.to_owned(),
        state: pair.state.to_owned(),
    };
    PairsView {
        disclosure: viewed.disclosure,
        at: viewed.at.to_string(),
        pairs: viewed.pairs.into_iter().map(pair).collect(),
        next_after: viewed.next_after,
        receipt: viewed.receipt,
    }
}

/// One of the words that are allowed; what was sent is not repeated.
fn word<T: std::str::FromStr>(text: &str, field: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(kinds::INVALID_FIELD).detail(format!("`{field}` is none of its words")))
}

fn parse_id(text: &str) -> Result<PossibleMatchId, Problem> {
    text.parse().map_err(|_| Problem::new(kinds::NOT_FOUND))
}
