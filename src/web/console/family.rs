//! One family under a name that only this session knows: what is met, who works with it, and what came of it.
//!
//! The page makes two looks, one at the criteria and one at the work, each decided and logged by the journey
//! that the API calls. A number that was never issued and a family of which nothing may be seen are one page.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::asking::{self, DELIVERY};
use super::claim_check;
use super::evidence::{self, Meaning};
use super::families::{name, path};
use super::fields::Form;
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown, capitalised, see_other};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::console::handles::{Handle, Subject};
use crate::app::families::Outcome;
use crate::app::families::lookup::{FamilyAnswer, FamilyReply, WorkAnswer};
use crate::app::families::request::{Decision, FamilyDecision, FamilyLookup};
use crate::app::policies::Policies;
use crate::domain::agreement::AnswerMode;
use crate::domain::enquiry::Answer;
use crate::domain::evidence::CriterionFinding;
use crate::domain::ids::ReasonCode;
use crate::domain::record::EvidenceGrade;
use crate::domain::tfid::Tfid;

/// What is said after a step.
const DONE: &[(&str, &str)] = &[("attach", "The family is attached.")];

#[derive(Template)]
#[template(path = "family.html")]
pub(super) struct FamilyPage {
    frame: Frame,
    name: String,
    seen: Option<SeenFamily>,
    number: Option<String>,
    forms: Vec<Form>,
    looks: Vec<String>,
}

/// What a family's page tells of one that may be seen.
struct SeenFamily {
    facts: Vec<(&'static str, String)>,
    areas: Vec<AreaLines>,
    not_covered: Vec<String>,
    meanings: Vec<Meaning>,
    criteria_version: String,
    work: Work,
    history: Vec<Event>,
}

/// The criteria of an area.
struct AreaLines {
    title: String,
    criteria: Vec<CriterionLine>,
}

/// What was found of a criterion.
struct CriterionLine {
    plain: String,
    state: Meaning,
    evidence: String,
}

/// Who works with the family.
struct Work {
    lead: Option<Meaning>,
    leads: Vec<LeadLine>,
    services: Vec<ServiceLine>,
}

/// Who led, from when to when.
struct LeadLine {
    who: String,
    since: String,
    until: String,
}

/// A service's work.
struct ServiceLine {
    agency: String,
    goes_on: &'static str,
    contact: String,
}

/// A line of the history.
struct Event {
    on: String,
    what: &'static str,
    other: Option<(String, String)>,
}

/// What the two looks brought.
struct Looked {
    criteria: FamilyReply,
    work: FamilyReply,
}

/// Shows a family.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(handle): Path<String>,
    uri: Uri,
) -> Result<Shown<FamilyPage>, Failed> {
    let frame = || visitor.frame("One family", &page::FAMILIES);
    let (handle, tfid) = asking::family_of(&console, &visitor, &handle, frame).await?;
    let looked = look(&console, &visitor, &tfid).await?;
    let forms = forms(&visitor, &handle, looked.criteria.family.as_ref());
    let mut shown = page_of(&console, &visitor, &handle, looked, forms).await?;
    shown.frame = shown.frame.done(&uri, DONE);
    Ok(Shown(shown))
}

/// Takes a step: shows the number, attaches the family, or checks a claim.
pub(super) async fn step(
    State(console): State<Console>,
    Path(handle): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let frame = || visitor.frame("One family", &page::FAMILIES);
    let (handle, tfid) = asking::family_of(&console, &visitor, &handle, frame).await?;
    let looked = look(&console, &visitor, &tfid).await?;
    let mut forms = forms(&visitor, &handle, looked.criteria.family.as_ref());
    let Some(form) = forms.iter_mut().find(|form| Some(form.step()) == fields.get("step")) else {
        let said = "Nothing of the kind can be done with this family now. Look at it again.";
        return Err(Failed::Stopped(Box::new(frame()), said.to_owned()));
    };
    form.take(&fields);
    match form.step() {
        "number" => {
            let number = looked.criteria.family.as_ref().map(|family| family.tfid.to_text());
            let mut shown = page_of(&console, &visitor, &handle, looked, forms).await?;
            shown.number = number;
            return Ok(Shown(shown).into_response());
        }
        "claim" => {
            if let Some(asked) = claim_check::asked(form) {
                return claim_check::show(&console, &visitor, (&handle, tfid), asked, form).await;
            }
        }
        _ => {
            if let Some(reason) = reason(form) {
                match attach(&console, &visitor, tfid, reason).await? {
                    Outcome::Done | Outcome::Already => return Ok(see_other(&path(&handle), "attach")),
                    Outcome::NotEligible => form.refuse(
                        "It cannot be attached: within what the agreements let you hear, too few areas are met.",
                    ),
                    _ => form.refuse("It cannot be attached: nothing of such a family may be seen."),
                }
            }
        }
    }
    let faults = forms.iter().flat_map(Form::faults).collect();
    let mut shown = page_of(&console, &visitor, &handle, looked, forms).await?;
    shown.frame = shown.frame.with_faults(faults);
    Ok(Again(shown).into_response())
}

async fn look(console: &Console, visitor: &Visitor, tfid: &Tfid) -> Result<Looked, Failed> {
    let frame = || visitor.frame("One family", &page::FAMILIES);
    let policies = console.gateway().current_policies().await?;
    let purpose = asking::purpose(&policies, DELIVERY, frame)?;
    let terms = asking::family_terms(console, visitor, &policies, &purpose)?;
    let mut looks = Vec::new();
    for mode in [AnswerMode::Criteria, AnswerMode::Lead] {
        let lookup = FamilyLookup { terms: terms.clone(), mode, tfid: *tfid };
        let looked = console.gateway().lookup_family(&visitor.caller(), &lookup).await;
        looks.push(looked.map_err(|error| asking::of_family(error, frame()))?);
    }
    let (Some(work), Some(criteria)) = (looks.pop(), looks.pop()) else {
        return Err(Failed::Ours(crate::app::error::AppError::Internal("two looks were made")));
    };
    Ok(Looked { criteria, work })
}

async fn attach(console: &Console, visitor: &Visitor, tfid: Tfid, reason: ReasonCode) -> Result<Outcome, Failed> {
    let frame = || visitor.frame("One family", &page::FAMILIES);
    let policies = console.gateway().current_policies().await?;
    let purpose = asking::purpose(&policies, DELIVERY, frame)?;
    let decision = FamilyDecision {
        terms: asking::family_terms(console, visitor, &policies, &purpose)?,
        mode: AnswerMode::Count,
        reason,
        decision: Decision::Attach { tfid, validated: true },
    };
    // Attached twice is attached once, so no form has to carry a key of its own.
    let decided = console.gateway().decide_family(&visitor.caller(), &decision, &asking::once(console)).await;
    let decided = decided.map_err(|error| asking::of_family(error, frame()))?;
    Ok(decided.results.first().map_or(Outcome::Unknown, |result| result.outcome))
}

/// What is said of the reason of a decision about families.
pub(super) const REASON_HINT: &str =
    "It goes into the log as it is: small letters, digits and hyphens, such as match-2026-11. Never anybody's name.";

/// The reason of a decision about families.
pub(super) fn reason(form: &mut Form) -> Option<ReasonCode> {
    let code = form.code("reason")?;
    let reason = ReasonCode::parse(code.as_str()).ok();
    if reason.is_none() {
        form.fault("reason", "Use small letters, digits and hyphens, such as match-2026-11");
    }
    reason
}

/// What may be done with the family.
fn forms(visitor: &Visitor, handle: &Handle, family: Option<&FamilyAnswer>) -> Vec<Form> {
    let Some(family) = family else { return Vec::new() };
    let form = |step, heading, button| Form::new(visitor, path(handle), step, heading, button);
    let mut forms = Vec::new();
    if family.attached_on.is_none() {
        forms.push(form("attach", "Attach it to the programme", "Its data are validated: attach it").text(
            "reason",
            "What shows that its data were validated?",
            REASON_HINT,
        ));
    }
    forms.push(claim_check::form(form("claim", "Check a claim", "Check")));
    forms.push(form("number", "Its number", "Show the number").secondary());
    forms
}

async fn page_of(
    console: &Console,
    visitor: &Visitor,
    handle: &Handle,
    looked: Looked,
    forms: Vec<Form>,
) -> Result<FamilyPage, Failed> {
    let policies = console.gateway().current_policies().await?;
    let looks = [&looked.criteria, &looked.work].map(|look| look.entry.disclosure.to_string());
    let seen = match looked.criteria.family {
        None => None,
        Some(family) => {
            let others: Vec<Subject> =
                family.history.iter().filter_map(|line| line.other).map(Subject::Family).collect();
            let others = console.gateway().page_handles(&visitor.session, &others).await?;
            let work = looked.work.family.and_then(|family| family.work);
            Some(seen(&family, &looked.criteria.criteria_version, work.as_ref(), &others, &policies))
        }
    };
    Ok(FamilyPage {
        frame: visitor.frame("One family", &page::FAMILIES),
        name: name(handle),
        seen,
        number: None,
        forms,
        looks: looks.into(),
    })
}

fn seen(
    family: &FamilyAnswer,
    criteria_version: &str,
    work: Option<&WorkAnswer>,
    others: &[Handle],
    policies: &Policies,
) -> SeenFamily {
    let children = family.people.iter().filter(|person| person.is_child).count();
    let adults = family.people.len() - children;
    let many =
        |count: usize, one: &str, more: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {more}") };
    let mut facts = vec![
        ("How it came", evidence::route(family.route).to_owned()),
        ("Number issued", words::day(family.issued_on)),
        ("Attached", family.attached_on.map_or_else(|| "Not yet".to_owned(), words::day)),
        (
            "People whom you may see",
            format!("{} and {}", many(children, "child", "children"), many(adults, "adult", "adults")),
        ),
    ];
    if let Some(work) = work.filter(|_| family.attached_on.is_some()) {
        let since = work.engaged_since.map_or_else(|| "Nobody is known to have seen it since".to_owned(), words::month);
        facts.push(("Engaged since", since));
    }
    let (criteria, not_covered) = match &family.answer {
        Answer::Criteria { criteria, not_covered } => (criteria.as_slice(), not_covered.as_slice()),
        _ => (&[][..], &[][..]),
    };
    let title = |code: &crate::domain::ids::AreaCode| {
        policies.programme().area(code).map_or_else(|| code.to_string(), |area| area.title.clone())
    };
    let mut areas: Vec<AreaLines> = Vec::new();
    let mut meanings: Vec<Meaning> = Vec::new();
    for chunk in criteria.chunk_by(|a, b| a.area == b.area) {
        let lines: Vec<CriterionLine> = chunk.iter().map(|found| criterion(found, policies)).collect();
        for line in &lines {
            if !meanings.contains(&line.state) {
                meanings.push(line.state);
            }
        }
        areas.extend(chunk.first().map(|first| AreaLines { title: title(&first.area), criteria: lines }));
    }
    let mut others = others.iter();
    let history = family.history.iter().map(|line| Event {
        on: words::day(line.on),
        what: evidence::event(line.what),
        other: line.other.and_then(|_| others.next()).map(|other| (path(other), name(other))),
    });
    SeenFamily {
        facts,
        areas,
        not_covered: not_covered.iter().map(title).collect(),
        meanings,
        criteria_version: criteria_version.to_owned(),
        work: worked(work, policies),
        history: history.collect(),
    }
}

fn criterion(found: &CriterionFinding, policies: &Policies) -> CriterionLine {
    let plain = policies.programme().criteria().iter().find(|criterion| criterion.code == found.criterion);
    let grade = match found.grade {
        Some(EvidenceGrade::Professional) => Some("a professional’s judgement"),
        Some(EvidenceGrade::Hard) => Some("recorded facts"),
        None => None,
    };
    let newest = found.newest.map_or_else(String::new, |month| format!(", {}", words::month(month)));
    let mut evidence: Vec<String> = grade.map(|grade| format!("{grade}{newest}")).into_iter().collect();
    evidence.push(match found.age {
        None => "no delivery that may be heard".to_owned(),
        Some(age) => {
            let as_at = age
                .oldest_as_at
                .map_or_else(|| "nothing has come yet".to_owned(), |day| format!("as at {}", words::day(day)));
            if age.is_late { format!("{as_at}; a delivery is late") } else { as_at }
        }
    });
    CriterionLine {
        plain: plain.map_or_else(|| found.criterion.to_string(), |criterion| criterion.plain.clone()),
        state: evidence::state(found.state),
        evidence: capitalised(&evidence.join("; ")),
    }
}

fn worked(work: Option<&WorkAnswer>, policies: &Policies) -> Work {
    let Some(work) = work else { return Work { lead: None, leads: Vec::new(), services: Vec::new() } };
    let leads = work.leads.iter().map(|spell| {
        let agency = words::agency(policies, &spell.agency);
        let team = policies.agency(&spell.agency).and_then(|agency| agency.team(&spell.team_route));
        LeadLine {
            who: team.map_or_else(|| agency.clone(), |team| format!("{agency}, {}", team.name)),
            since: words::month(spell.since),
            until: spell.ended.map_or_else(|| "It goes on".to_owned(), words::month),
        }
    });
    let services = work.services.iter().map(|service| ServiceLine {
        agency: words::agency(policies, &service.agency),
        goes_on: if service.is_open { "Goes on" } else { "Is over" },
        contact: service.last_contact.map_or_else(|| "Not known".to_owned(), words::month),
    });
    Work { lead: Some(evidence::lead(work.lead_state)), leads: leads.collect(), services: services.collect() }
}
