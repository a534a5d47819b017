//! `/v1/enquiries`: an agency asks about a person.
//!
//! Every 201 of this path has the same headers and exactly [`ANSWER_BYTES`] bytes, whoever was asked
//! about and in whichever form: what a listener on the wire counts says nothing.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::idempotency::IdempotencyKey;
use crate::app::caller::AgencyCaller;
use crate::app::enquire::{Question, Receipted};
use crate::app::gateway::Gateway;
use crate::domain::enquiry::{Answer, AreaCoverage, Lead};
use crate::domain::evidence::{AreaFinding, CriterionFinding, EvidenceState, FeedAge};
use crate::domain::ids::{AgencyCode, AreaCode, EventId};
use crate::domain::record::EvidenceGrade;
use crate::web::json::Json;
use crate::web::problem::Problem;

/// How long every answer is, in bytes.
pub const ANSWER_BYTES: usize = 6144;

/// How every answer ends: the padding's quotation mark and the object's brace.
const END: &[u8] = b"\"}";

/// An answer, with its place in the log. Members that the mode does not have are `null`.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EnquiryView {
    /// The log entry of this answer.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// When it was decided.
    #[schema(format = DateTime)]
    pub at: String,
    /// `eligible`, `count`, `areas`, `criteria` or `lead`: what was asked for.
    pub mode: String,
    /// In mode `eligible`: whether the family meets the programme's threshold.
    pub eligible: Option<EligibleView>,
    /// In mode `count`: how many areas are met; never which.
    pub count: Option<CountView>,
    /// In mode `criteria`: what was found, in the programme's order.
    pub criteria: Option<Vec<CriterionView>>,
    /// In mode `areas`: what was found, in the programme's order.
    pub areas: Option<Vec<AreaView>>,
    /// In mode `lead`: who leads.
    pub lead: Option<LeadView>,
    /// In every mode but `lead`: areas without a criterion, which count neither way.
    pub not_covered: Option<Vec<String>>,
    /// Whether the answer may be passed on: `none`, `with_supplier_consent` or `parties`.
    pub onward: String,
    /// Agencies in the permitted set, the asker included, that may match with tokens made of an older
    /// system's hash values: weaker than all others, by agreement, whoever is asked about.
    #[schema(value_type = Vec<String>)]
    #[serde(default)]
    pub legacy_tokens: Vec<AgencyCode>,
    /// The version of the criteria.
    pub criteria_version: String,
    /// The signed promise that the entry is in the log.
    pub receipt: String,
    /// Means nothing: makes every answer equally long.
    pub padding: String,
}

/// Whether the family meets the programme's threshold, within what the asker may hear.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EligibleView {
    /// `met`, `not_met` or `not_known`.
    pub state: EvidenceState,
    /// When `met`: `professional` if hard evidence alone would not reach the threshold.
    pub grade: Option<EvidenceGrade>,
    /// What the answer covers, the same whoever is asked about.
    pub covers: Vec<CoverageView>,
}

/// How many areas are met, within what the asker may hear.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CountView {
    /// How many areas are met.
    pub met: usize,
    /// How many of these rest on professional judgement alone.
    pub professional: usize,
    /// How many of the areas that the asker may hear of are neither `met` nor `not_met`.
    pub open: usize,
    /// What the answer covers, the same whoever is asked about.
    pub covers: Vec<CoverageView>,
}

/// What was found of a criterion.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CriterionView {
    /// Which criterion.
    pub code: String,
    /// The area that it belongs to.
    pub area: String,
    /// What was found. `withheld_by_policy` follows from the agreements and says nothing of anybody.
    pub state: EvidenceState,
    /// When `met`: how firm the evidence is.
    pub grade: Option<EvidenceGrade>,
    /// When `met`: the month of the newest evidence of that grade.
    pub evidence_month: Option<String>,
    /// When `met`: the month of the newest professional judgement, if there is one.
    pub judgement_month: Option<String>,
    /// The oldest day that the feeds describe; `null` when none came. The same whoever is asked about.
    #[schema(value_type = Option<String>, format = Date)]
    pub as_at: Option<Date>,
    /// Whether a feed is overdue. The same whoever is asked about.
    pub is_late: Option<bool>,
}

/// What an answer covers of an area; the same whoever is asked about.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CoverageView {
    /// Which area.
    pub area: String,
    /// Whether the agreements withhold it.
    pub is_withheld: bool,
    /// The oldest day that the feeds describe; `null` when none came.
    #[schema(value_type = Option<String>, format = Date)]
    pub as_at: Option<Date>,
    /// Whether a feed is overdue.
    pub is_late: Option<bool>,
}

/// What was found of an area.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AreaView {
    /// Which area.
    pub code: String,
    /// What was found. `withheld_by_policy` follows from the agreements and says nothing of anybody.
    pub state: EvidenceState,
    /// When `met`: how firm the evidence is.
    pub grade: Option<EvidenceGrade>,
    /// When `met`: the month of the newest evidence of that grade.
    pub evidence_month: Option<String>,
    /// When `met`: the month of the newest professional judgement, if there is one.
    pub judgement_month: Option<String>,
    /// The oldest day that the feeds describe; `null` when none came. The same whoever is asked about.
    #[schema(value_type = Option<String>, format = Date)]
    pub as_at: Option<Date>,
    /// Whether a feed is overdue. The same whoever is asked about.
    pub is_late: Option<bool>,
}

/// Who leads for the family.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LeadView {
    /// `known`, `not_known` or `withheld_by_policy`.
    pub state: String,
    /// When `known`: the agency's code.
    pub agency: Option<String>,
    /// When `known`: the agency's name.
    pub agency_name: Option<String>,
    /// When `known`: the team to contact, never a worker.
    pub team: Option<String>,
    /// When `known`: the team's name.
    pub team_name: Option<String>,
    /// When `known`: how to reach the team.
    pub contact: Option<String>,
    /// When `known`: the month in which the work began.
    pub since: Option<String>,
    /// The oldest day that the feeds describe; `null` when none came.
    #[schema(value_type = Option<String>, format = Date)]
    pub as_at: Option<Date>,
    /// Whether a feed is overdue.
    pub is_late: Option<bool>,
}

/// Asks about a person. The answer is the least that the agreements allow, and is in the log before
/// it leaves.
///
/// Asked again under the same `Idempotency-Key` within a day, the same question gets the same answer
/// and makes no second log entry, unless agreements, shields or records changed since.
#[utoipa::path(post, path = "/v1/enquiries", operation_id = "enquire", tag = "enquiries",
    security(("access_token" = [])),
    params(("Idempotency-Key" = String, Header, description = "16 to 128 letters, digits, hyphens and underscores")),
    request_body = Question,
    responses(
        (status = 201, description = "Decided, logged and answered; always 6144 bytes long", body = EnquiryView),
        (status = 400, description = "The body is not JSON, or the Idempotency-Key is missing or malformed"),
        (status = 403, description = "The agreements do not allow it, or the day's ceiling is reached; logged, with `disclosure` and `receipt`"),
        (status = 409, description = "Another linkage key or epoch; or the Idempotency-Key was used for another question, or its answer has lapsed"),
        (status = 413, description = "The body is too long"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed; nothing is echoed"),
    ))]
pub async fn create(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    key: IdempotencyKey,
    Json(question): Json<Question>,
) -> Result<Response, Problem> {
    answered(gateway.enquire(&caller, &question, key.as_str()).await?)
}

/// An answer as it leaves: every one with the same headers, and as long as every other.
pub(super) fn answered(answer: Receipted) -> Result<Response, Problem> {
    let body = padded(view_of(answer))?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::CREATED;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(ANSWER_BYTES));
    Ok(response)
}

/// The view as JSON of exactly [`ANSWER_BYTES`].
pub(super) fn padded(mut view: EnquiryView) -> Result<Vec<u8>, Problem> {
    view.padding.clear();
    let mut body = Vec::with_capacity(ANSWER_BYTES);
    serde_json::to_writer(&mut body, &view).map_err(Problem::internal)?;
    if body.len() > ANSWER_BYTES {
        return Err(Problem::internal(TooLong));
    }
    // The padding is the last member and still empty: it grows in its place.
    body.truncate(body.len() - END.len());
    body.resize(ANSWER_BYTES - END.len(), b'0'); // a character that JSON writes as one byte
    body.extend_from_slice(END);
    Ok(body)
}

/// An answer that would not fit: agency and team names are bounded where their files are read.
#[derive(Debug, thiserror::Error)]
#[error("an answer is longer than every answer is")]
struct TooLong;

pub(super) fn view_of(receipted: Receipted) -> EnquiryView {
    let Receipted { disclosure, at, answer, contact, onward, legacy_tokens, criteria_version, receipt } = receipted;
    let mut view = EnquiryView {
        disclosure,
        at: at.to_string(),
        mode: String::new(),
        eligible: None,
        count: None,
        criteria: None,
        areas: None,
        lead: None,
        not_covered: None,
        onward,
        legacy_tokens,
        criteria_version,
        receipt,
        padding: String::new(),
    };
    match answer {
        Answer::Eligible { eligible, grade, covers, not_covered } => {
            "eligible".clone_into(&mut view.mode);
            let covers = covers.into_iter().map(coverage_view).collect();
            view.eligible = Some(EligibleView { state: eligible, grade, covers });
            view.not_covered = Some(codes(not_covered));
        }
        Answer::Count { met, professional, open, covers, not_covered } => {
            "count".clone_into(&mut view.mode);
            let covers = covers.into_iter().map(coverage_view).collect();
            view.count = Some(CountView { met, professional, open, covers });
            view.not_covered = Some(codes(not_covered));
        }
        Answer::Criteria { criteria, not_covered } => {
            "criteria".clone_into(&mut view.mode);
            view.criteria = Some(criteria.into_iter().map(criterion_view).collect());
            view.not_covered = Some(codes(not_covered));
        }
        Answer::Areas { areas, not_covered } => {
            "areas".clone_into(&mut view.mode);
            view.areas = Some(areas.into_iter().map(area_view).collect());
            view.not_covered = Some(codes(not_covered));
        }
        Answer::Lead { lead, age } => {
            "lead".clone_into(&mut view.mode);
            let mut shown = lead_view(lead, age);
            if let Some(contact) = contact {
                shown.agency_name = Some(contact.agency);
                shown.team_name = Some(contact.team);
                shown.contact = Some(contact.contact);
            }
            view.lead = Some(shown);
        }
    }
    view
}

fn codes(areas: Vec<AreaCode>) -> Vec<String> {
    areas.into_iter().map(String::from).collect()
}

fn age_view(age: Option<FeedAge>) -> (Option<Date>, Option<bool>) {
    (age.and_then(|age| age.oldest_as_at), age.map(|age| age.is_late))
}

fn coverage_view(coverage: AreaCoverage) -> CoverageView {
    let (as_at, is_late) = age_view(coverage.age);
    CoverageView { area: coverage.area.into(), is_withheld: coverage.is_withheld, as_at, is_late }
}

fn area_view(finding: AreaFinding) -> AreaView {
    let (as_at, is_late) = age_view(finding.age);
    AreaView {
        code: finding.area.into(),
        state: finding.state,
        grade: finding.grade,
        evidence_month: finding.newest.map(|month| month.to_string()),
        judgement_month: finding.professional.map(|month| month.to_string()),
        as_at,
        is_late,
    }
}

fn criterion_view(finding: CriterionFinding) -> CriterionView {
    let (as_at, is_late) = age_view(finding.age);
    CriterionView {
        code: finding.criterion.into(),
        area: finding.area.into(),
        state: finding.state,
        grade: finding.grade,
        evidence_month: finding.newest.map(|month| month.to_string()),
        judgement_month: finding.professional.map(|month| month.to_string()),
        as_at,
        is_late,
    }
}

fn lead_view(lead: Lead, age: Option<FeedAge>) -> LeadView {
    let (as_at, is_late) = age_view(age);
    let mut view = LeadView {
        state: String::new(),
        agency: None,
        agency_name: None,
        team: None,
        team_name: None,
        contact: None,
        since: None,
        as_at,
        is_late,
    };
    let state = match lead {
        Lead::Known { agency, team_route, since } => {
            view.agency = Some(agency.into());
            view.team = Some(team_route.into());
            view.since = Some(since.to_string());
            "known"
        }
        Lead::NotKnown => "not_known",
        Lead::WithheldByPolicy => "withheld_by_policy",
    };
    state.clone_into(&mut view.state);
    view
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::enquire::Contact;
    use crate::domain::ids::TeamRoute;
    use crate::domain::time::Month;

    fn receipted(answer: Answer, contact: Option<Contact>) -> Receipted {
        Receipted {
            disclosure: "01920000-0000-7000-8000-000000000000".parse().expect("a UUID"),
            at: "2026-09-20T10:15:00Z".parse().expect("a time"),
            answer,
            contact,
            onward: "none".to_owned(),
            legacy_tokens: Vec::new(),
            criteria_version: "2017-04-01".to_owned(),
            receipt: "r".repeat(400),
        }
    }

    #[test]
    fn every_answer_has_one_length_and_reads_back() {
        let area = |state, newest: Option<&str>| AreaFinding {
            area: AreaCode::parse("A2").expect("a code"),
            state,
            grade: newest.map(|_| EvidenceGrade::Hard),
            newest: newest.map(|_| Month::of(Date::constant(2026, 8, 1))),
            professional: None,
            age: Some(FeedAge { oldest_as_at: Some(Date::constant(2026, 9, 1)), is_late: false }),
        };
        let known = Lead::Known {
            agency: AgencyCode::parse("education").expect("a code"),
            team_route: TeamRoute::parse("education-welfare").expect("a code"),
            since: Month::of(Date::constant(2026, 3, 1)),
        };
        let contact =
            Contact { agency: "Trévail \"Schools\"".into(), team: "Télé".into(), contact: "1\u{7}".into() };
        let criterion = |number: usize| CriterionFinding {
            criterion: format!("E{number}").parse().expect("a code"),
            area: AreaCode::parse("A2").expect("a code"),
            state: EvidenceState::NotAssessable,
            grade: Some(EvidenceGrade::Professional),
            newest: Some(Month::of(Date::constant(2026, 8, 1))),
            professional: Some(Month::of(Date::constant(2026, 8, 1))),
            age: Some(FeedAge { oldest_as_at: Some(Date::constant(2026, 9, 1)), is_late: false }),
        };
        let answers = [
            receipted(Answer::Count { met: 1, professional: 0, open: 2, covers: vec![], not_covered: vec![] }, None),
            // More criteria than any programme has had.
            receipted(Answer::Criteria { criteria: (1..=30).map(criterion).collect(), not_covered: vec![] }, None),
            receipted(Answer::Lead { lead: known, age: None }, Some(contact)),
            receipted(Answer::Lead { lead: Lead::NotKnown, age: None }, None),
            receipted(
                Answer::Areas { areas: vec![area(EvidenceState::Met, Some("2026-08"))], not_covered: vec![] },
                None,
            ),
            receipted(Answer::Areas { areas: vec![area(EvidenceState::NotKnown, None)], not_covered: vec![] }, None),
        ];
        for answer in answers {
            let body = padded(view_of(answer)).expect("fits");
            assert_eq!(body.len(), ANSWER_BYTES);
            serde_json::from_slice::<EnquiryView>(&body).expect("reads back");
        }
    }

    #[test]
    fn an_answer_that_would_not_fit_does_not_leave() {
        let mut answer = receipted(Answer::Lead { lead: Lead::NotKnown, age: None }, None);
        answer.receipt = "r".repeat(ANSWER_BYTES);
        assert_eq!(padded(view_of(answer)).expect_err("too long").kind(), "internal");
    }
}
