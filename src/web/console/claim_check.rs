//! How far a claim for a family would be carried, as a page of its own: the verdict, the reasons against it,
//! and what became of each area.

use askama::Template;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::asking;
use super::evidence::{self, Meaning};
use super::families::{name, path};
use super::fields::{Choice, Form};
use super::frame::{Again, Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::claim::ClaimError;
use crate::app::console::handles::Handle;
use crate::app::families::claim::{FamilyClaim, FamilyClaimed};
use crate::app::policies::Policies;
use crate::domain::claim::{Reason, Route};
use crate::domain::ids::{AreaCode, EventId};
use crate::domain::tfid::Tfid;

/// A check that was asked for.
pub(super) struct Asked {
    engagement: EventId,
    route: Route,
}

#[derive(Template)]
#[template(path = "claim_check.html")]
struct ClaimPage {
    frame: Frame,
    name: String,
    path: String,
    verdict: Meaning,
    facts: Vec<(&'static str, String)>,
    reasons: Vec<String>,
    areas: Vec<AreaLine>,
    meanings: Vec<Meaning>,
    not_covered: Vec<String>,
    look: String,
}

/// What became of an area.
struct AreaLine {
    title: String,
    was_met: &'static str,
    change: Meaning,
    rests_on_judgement: bool,
}

/// The form was refused: it alone is shown again.
#[derive(Template)]
#[template(path = "claim_form.html")]
struct FormPage {
    frame: Frame,
    name: String,
    path: String,
    form: Form,
}

/// The fields of a check.
pub(super) fn form(form: Form) -> Form {
    let routes = vec![
        Choice {
            value: "outcomes".to_owned(),
            label: "Outcomes".to_owned(),
            hint: "Every area that was met has improved.",
        },
        Choice {
            value: "employment".to_owned(),
            label: "Employment".to_owned(),
            hint: "An adult moved from benefits into continuous work.",
        },
    ];
    form.text(
        "engagement",
        "The log entry of its engagement",
        "The id that was given when the engagement was recorded, with porth claim engage.",
    )
    .radios("route", "On which ground would a result be claimed?", "", routes)
}

/// Reads the form.
pub(super) fn asked(form: &mut Form) -> Option<Asked> {
    let engagement = form.code("engagement").and_then(|code| {
        let id = code.as_str().parse().ok();
        if id.is_none() {
            form.fault("engagement", "This is no id of a log entry");
        }
        id
    });
    let route = form.chosen::<RouteWord>("route");
    Some(Asked { engagement: engagement?, route: route?.0 })
}

/// Makes the check and shows what came of it.
pub(super) async fn show(
    console: &Console,
    visitor: &Visitor,
    (handle, tfid): (&Handle, Tfid),
    asked: Asked,
    form: &mut Form,
) -> Result<Response, Failed> {
    let frame = || visitor.frame("A claim checked", &page::FAMILIES);
    let policies = console.gateway().current_policies().await?;
    let Some(rules) = policies.programme().claim() else {
        return Err(Failed::Stopped(Box::new(frame()), "The programme claims no results.".to_owned()));
    };
    let terms = asking::family_terms(console, visitor, &policies, &rules.purpose)?;
    let Asked { engagement, route } = asked;
    let claim = FamilyClaim { terms, tfid, engagement, route };
    match console.gateway().check_family_claim(&visitor.caller(), &claim).await {
        Ok(claimed) => Ok(Shown(page_of(frame(), handle, claimed, &policies)).into_response()),
        Err(ClaimError::UnknownEngagement) => {
            form.fault("engagement", "Your agency has recorded no engagement under this entry");
            let faults = form.faults();
            let shown = FormPage {
                frame: frame().with_faults(faults),
                name: name(handle),
                path: path(handle),
                form: form.clone(),
            };
            Ok(Again(shown).into_response())
        }
        Err(error) => Err(asking::of_claim(error, frame())),
    }
}

fn page_of(frame: Frame, handle: &Handle, claimed: FamilyClaimed, policies: &Policies) -> ClaimPage {
    let FamilyClaimed { entry, engaged_on, engaged_at, check } = claimed;
    let title =
        |code: &AreaCode| policies.programme().area(code).map_or_else(|| code.to_string(), |area| area.title.clone());
    let areas: Vec<AreaLine> = check
        .areas
        .iter()
        .map(|area| AreaLine {
            title: title(&area.area),
            was_met: if area.is_relevant { "Yes" } else { "No" },
            change: evidence::change(area.change),
            rests_on_judgement: area.rests_on_judgement,
        })
        .collect();
    let mut meanings: Vec<Meaning> = Vec::new();
    for area in &areas {
        if !meanings.contains(&area.change) {
            meanings.push(area.change);
        }
    }
    let attendance =
        if check.attendance.is_certified { "Certified for every child of school age" } else { "Cannot be certified" };
    let mut facts = vec![
        ("Engaged", format!("{}, looked at on {}", words::day(engaged_on), words::moment(engaged_at))),
        ("Claimed by", if check.route == Route::Outcomes { "outcomes" } else { "employment" }.to_owned()),
        ("Criteria then and now", format!("{} and {}", check.criteria_version_then, check.criteria_version_now)),
        ("School attendance", attendance.to_owned()),
    ];
    if let Some(is_confirmed) = check.is_work_confirmed {
        facts.push(("Continuous work", if is_confirmed { "Confirmed" } else { "Not confirmed" }.to_owned()));
    }
    let mut reasons: Vec<String> = check.reasons.iter().map(|reason| told(reason, policies, title)).collect();
    reasons.dedup();
    ClaimPage {
        frame,
        name: name(handle),
        path: path(handle),
        verdict: evidence::verdict(check.verdict),
        facts,
        reasons,
        areas,
        meanings,
        not_covered: check.not_covered.iter().map(title).collect(),
        look: entry.disclosure.to_string(),
    }
}

fn told(reason: &Reason, policies: &Policies, title: impl Fn(&AreaCode) -> String) -> String {
    let said = evidence::reason(&reason.code);
    let criterion = reason.criterion.as_ref().map(|code| {
        let found = policies.programme().criteria().iter().find(|criterion| criterion.code == *code);
        found.map_or_else(|| code.to_string(), |criterion| criterion.plain.clone())
    });
    match (criterion, &reason.area) {
        (Some(criterion), _) => format!("{}: {}", criterion.trim_end_matches('.'), words::lower_first(said)),
        (None, Some(area)) => format!("{}: {}", title(area), words::lower_first(said)),
        (None, None) => said.to_owned(),
    }
}

/// A route as the form has it.
struct RouteWord(Route);

impl std::str::FromStr for RouteWord {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "outcomes" => Ok(Self(Route::Outcomes)),
            "employment" => Ok(Self(Route::Employment)),
            _ => Err(()),
        }
    }
}
