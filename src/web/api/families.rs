//! `/v1/families`: the programme team keeps families. Numbers travel in bodies only.
//!
//! Every answer's length is a multiple of [`STEP_BYTES`], so that what a listener on the wire counts
//! says little.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::enquiries::{AreaView, CountView, CriterionView, EnquiryView, LeadView, view_of};
use super::idempotency::IdempotencyKey;
use crate::app::caller::AgencyCaller;
use crate::app::enquire::Receipted;
use crate::app::families::engagement::{Engagement, EngagementReply};
use crate::app::families::lookup::{FamilyAnswer, FamilyReply, WorkAnswer};
use crate::app::families::request::{FamilyDecision, FamilyEngagement, FamilyLead, FamilyLookup};
use crate::app::families::{DecisionReply, FamilyEntry, FamilyError, Outcome};
use crate::app::gateway::Gateway;
use crate::domain::family::LeadState;
use crate::domain::ids::EventId;
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

/// Answers are padded to a multiple of this many bytes.
pub const STEP_BYTES: usize = 8192;
/// How every answer ends: the padding's quotation mark and the object's brace.
const END: &[u8] = b"\"}";

/// A look's place in the log.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EntryView {
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// When it was decided.
    #[schema(format = DateTime)]
    pub at: String,
    /// The signed promise that the entry is in the log.
    pub receipt: String,
}

/// The answer to a lookup.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FamilyLookupView {
    /// Its place in the log.
    pub entry: EntryView,
    /// Whether the answer may be passed on: `none`, `with_supplier_consent` or `parties`.
    pub onward: String,
    /// The version of the criteria.
    pub criteria_version: String,
    /// The family; `null` for a number that was never issued and for a family of which nothing may be seen.
    pub family: Option<FamilyView>,
    /// Means nothing: hides how long the answer is.
    pub padding: String,
}

/// What may be seen of a family.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FamilyView {
    /// Its number: after a merge, that of the family which the one asked for became part of.
    pub tfid: String,
    /// `phase1_carry_over`, `referral` or `data_match`.
    pub route: String,
    /// The day on which its number was issued.
    #[schema(value_type = String, format = Date)]
    pub issued_on: Date,
    /// The day on which it was attached; `null` before.
    #[schema(value_type = Option<String>, format = Date)]
    pub attached_on: Option<Date>,
    /// Its people, as far as the household item may be heard.
    pub people: Vec<FamilyPersonView>,
    /// What became of it, oldest first.
    pub history: Vec<FamilyHistoryView>,
    /// In mode `count`.
    pub count: Option<CountView>,
    /// In mode `areas`.
    pub areas: Option<Vec<AreaView>>,
    /// In mode `criteria`.
    pub criteria: Option<Vec<CriterionView>>,
    /// In mode `lead`: who leads by the agencies' records.
    pub lead: Option<LeadView>,
    /// In mode `lead`: who works with the family.
    pub work: Option<FamilyWorkView>,
    /// Areas without a criterion, which count neither way.
    pub not_covered: Option<Vec<String>>,
}

/// A person of a family.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FamilyPersonView {
    /// Names the person towards the caller, in this family; it names no record.
    pub handle: String,
    /// A child, born or not, or to 25 with special educational needs.
    pub is_child: bool,
}

/// A line of a family's history.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FamilyHistoryView {
    /// When.
    #[schema(value_type = String, format = Date)]
    pub on: Date,
    /// What, such as `issued`, `attached` or `merged`.
    pub what: String,
    /// The other family of a merge or split.
    pub other: Option<String>,
}

/// Who works with a family.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FamilyWorkView {
    /// `led`, `ended` or `not_known`; `null` when no supplier may be heard on it.
    pub lead_state: Option<LeadState>,
    /// Who led, as it was noted, the newest last.
    pub leads: Vec<LeadSpellView>,
    /// The first month of contact after the month of attachment.
    pub engaged_since: Option<String>,
    /// Service by service.
    pub services: Vec<FamilyServiceView>,
}

/// One spell of an agency leading.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LeadSpellView {
    /// The agency.
    pub agency: String,
    /// Its team, never a worker.
    pub team_route: String,
    /// From which month.
    pub since: String,
    /// Until which month; `null` while it leads.
    pub ended: Option<String>,
}

/// A service's work with a family.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FamilyServiceView {
    /// The agency.
    pub agency: String,
    /// Whether its work goes on.
    pub is_open: bool,
    /// Month of the last contact.
    pub last_contact: Option<String>,
}

/// The answer to a decision, and to a change of lead.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FamilyDecisionView {
    /// The log entries of what was disclosed with it.
    pub entries: Vec<EntryView>,
    /// What became of it: for each candidate, for the family, or for both families of a split.
    pub results: Vec<FamilyResultView>,
    /// Whether nobody leads while areas are still met; `null` where that was not looked at.
    pub continuity_alert: Option<bool>,
    /// Means nothing: hides how long the answer is.
    pub padding: String,
}

/// What became of a decision about one family.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FamilyResultView {
    /// What became of it.
    pub outcome: Outcome,
    /// The family's number; `null` when it is unknown, or none was issued.
    pub tfid: Option<String>,
}

/// The answer to a look at a family's engagement.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FamilyEngagementView {
    /// The log entries of the two looks: at areas, and at who works with the family.
    pub entries: Vec<EntryView>,
    /// What was found; `null` when nothing of the family may be seen.
    pub family: Option<EngagementView>,
    /// Means nothing: hides how long the answer is.
    pub padding: String,
}

/// A family's engagement.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EngagementView {
    /// Its number.
    pub tfid: String,
    /// The day on which it was attached; `null` before.
    #[schema(value_type = Option<String>, format = Date)]
    pub attached_on: Option<Date>,
    /// Who works with it.
    pub work: FamilyWorkView,
    /// Nobody leads any more, and areas are still met.
    pub continuity_alert: bool,
}

/// Looks a family up by its number; the programme team only. The answer is in the log before it leaves.
#[utoipa::path(post, path = "/v1/families/lookup", operation_id = "look_up_family", tag = "families",
    security(("access_token" = [])), request_body = FamilyLookup,
    responses(
        (status = 200, description = "Decided, logged and answered", body = FamilyLookupView),
        (status = 400, description = "The body is not JSON"),
        (status = 403, description = "The agreements do not allow it, the caller is not the programme team, or the day's ceiling is reached; logged, with `disclosure` and `receipt`"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn lookup(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Json(request): Json<FamilyLookup>,
) -> Result<Response, Problem> {
    let FamilyReply { entry, onward, criteria_version, family } = gateway.lookup_family(&caller, &request).await?;
    let family = family.map(|family| family_view(family, &entry, &onward, &criteria_version));
    let entry = entry_view(entry);
    padded(&FamilyLookupView { entry, onward, criteria_version, family, padding: String::new() })
}

/// Decides about families: numbers are issued, families attached, added to, merged and split.
#[utoipa::path(post, path = "/v1/families/decisions", operation_id = "decide_family", tag = "families",
    security(("access_token" = [])), request_body = FamilyDecision,
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    responses(
        (status = 200, description = "Decided and logged; each family's outcome says whether it was done", body = FamilyDecisionView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The agreements do not allow it, the caller is not the programme team, or the day's ceiling is reached; logged"),
        (status = 409, description = "The Idempotency-Key was used for another request"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn decide(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(request): Json<FamilyDecision>,
) -> Result<Response, Problem> {
    decision_view(gateway.decide_family(&caller, &request, key.as_str()).await?)
}

/// Notes who leads for a family, or that the lead ended; never a worker's name.
#[utoipa::path(post, path = "/v1/families/lead", operation_id = "lead_family", tag = "families",
    security(("access_token" = [])), request_body = FamilyLead,
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    responses(
        (status = 200, description = "Decided and logged; the outcome says whether it was noted", body = FamilyDecisionView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The agreements do not allow it, the caller is not the programme team, or the day's ceiling is reached; logged"),
        (status = 409, description = "The Idempotency-Key was used for another request"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed, or the agency has no such team; nothing is echoed"),
    ))]
pub async fn lead(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(request): Json<FamilyLead>,
) -> Result<Response, Problem> {
    decision_view(gateway.lead_family(&caller, &request, key.as_str()).await?)
}

/// Looks at who works with a family, notes contact since its attachment, and says whether nobody leads
/// while areas are still met.
#[utoipa::path(post, path = "/v1/families/engagement", operation_id = "family_engagement", tag = "families",
    security(("access_token" = [])), request_body = FamilyEngagement,
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    responses(
        (status = 200, description = "Decided, logged and answered", body = FamilyEngagementView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The agreements do not allow it, the caller is not the programme team, or the day's ceiling is reached; logged"),
        (status = 409, description = "The Idempotency-Key was used for another request"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn engagement(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(request): Json<FamilyEngagement>,
) -> Result<Response, Problem> {
    let EngagementReply { entries, family } = gateway.family_engagement(&caller, &request, key.as_str()).await?;
    let family = family.map(|Engagement { tfid, attached_on, work, continuity_alert }| EngagementView {
        tfid: tfid.to_text(),
        attached_on,
        work: work_view(work),
        continuity_alert,
    });
    let entries = entries.into_iter().map(entry_view).collect();
    padded(&FamilyEngagementView { entries, family, padding: String::new() })
}

/// An answer as JSON, padded; its padding is its last member, and empty.
fn padded(view: &impl Serialize) -> Result<Response, Problem> {
    let mut body = serde_json::to_vec(view).map_err(Problem::internal)?;
    let length = body.len().div_ceil(STEP_BYTES) * STEP_BYTES;
    body.truncate(body.len() - END.len());
    body.resize(length - END.len(), b'0'); // a character that JSON writes as one byte
    body.extend_from_slice(END);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn entry_view(entry: FamilyEntry) -> EntryView {
    EntryView { disclosure: entry.disclosure, at: entry.at.to_string(), receipt: entry.receipt }
}

fn decision_view(reply: DecisionReply) -> Result<Response, Problem> {
    let result = |result: crate::app::families::Decided| FamilyResultView {
        outcome: result.outcome,
        tfid: result.family.map(|tfid| tfid.to_text()),
    };
    padded(&FamilyDecisionView {
        entries: reply.entries.into_iter().map(entry_view).collect(),
        results: reply.results.into_iter().map(result).collect(),
        continuity_alert: reply.continuity_alert,
        padding: String::new(),
    })
}

fn family_view(family: FamilyAnswer, entry: &FamilyEntry, onward: &str, criteria_version: &str) -> FamilyView {
    // What an enquiry's answer looks like, for the members that both have.
    let EnquiryView { count, areas, criteria, lead, not_covered, .. } = view_of(Receipted {
        disclosure: entry.disclosure,
        at: entry.at,
        answer: family.answer,
        contact: None,
        onward: onward.to_owned(),
        legacy_tokens: Vec::new(),
        criteria_version: criteria_version.to_owned(),
        receipt: String::new(),
    });
    let people = family.people.into_iter();
    let history = family.history.into_iter();
    FamilyView {
        tfid: family.tfid.to_text(),
        route: family.route.to_string(),
        issued_on: family.issued_on,
        attached_on: family.attached_on,
        people: people.map(|one| FamilyPersonView { handle: one.handle, is_child: one.is_child }).collect(),
        history: history
            .map(|line| FamilyHistoryView {
                on: line.on,
                what: line.what.to_string(),
                other: line.other.map(|tfid| tfid.to_text()),
            })
            .collect(),
        count,
        areas,
        criteria,
        lead,
        work: family.work.map(work_view),
        not_covered,
    }
}

fn work_view(work: WorkAnswer) -> FamilyWorkView {
    let spell = |spell: crate::domain::family::LeadSpell| LeadSpellView {
        agency: spell.agency.into(),
        team_route: spell.team_route.into(),
        since: spell.since.to_string(),
        ended: spell.ended.map(|month| month.to_string()),
    };
    let service = |service: crate::app::families::lookup::ServiceAnswer| FamilyServiceView {
        agency: service.agency.into(),
        is_open: service.is_open,
        last_contact: service.last_contact.map(|month| month.to_string()),
    };
    FamilyWorkView {
        lead_state: work.lead_state,
        leads: work.leads.into_iter().map(spell).collect(),
        engaged_since: work.engaged_since.map(|month| month.to_string()),
        services: work.services.into_iter().map(service).collect(),
    }
}

impl From<FamilyError> for Problem {
    fn from(error: FamilyError) -> Self {
        match error {
            FamilyError::Enquiry(error) => error.into(),
            FamilyError::Request(fault) => {
                Self::new(kinds::INVALID_FIELD).detail(fault).with(|extras| extras.code = Some(fault.code()))
            }
        }
    }
}
