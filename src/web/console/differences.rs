//! What a version of an agreement says and does differently, and how the questions of the last days would
//! have come out: in plain words and counts, before anybody approves it.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::fields::Form;
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{Console, agreements, deciding, matrix, page, plain, words};
use crate::app::agreement_effects::{ComparedWith, Difference};
use crate::app::policies::Policies;
use crate::app::policy_replay::ReplayCounts;
use crate::domain::agreement::{Agreement, AgreementStatus};
use crate::domain::ids::AgreementRef;
use crate::policy::diff::Flip;
use crate::web::api::form;

/// Over how many days questions are decided again at the most.
const MOST_DAYS: u64 = 366;

#[derive(Template)]
#[template(path = "differences.html")]
pub(super) struct DifferencesPage {
    frame: Frame,
    title: String,
    agreement: String,
    path: String,
    choices: Vec<Choice>,
    compared: String,
    has_texts: bool,
    changes: Vec<(String, Vec<String>)>,
    days: Vec<Day>,
    replay: Option<Replayed>,
    form: Option<Form>,
}

/// With what the version can be compared.
struct Choice {
    value: String,
    text: String,
    is_chosen: bool,
}

/// What changes on a day, by who would learn more or less.
struct Day {
    day: String,
    people: Vec<(String, Vec<EffectLine>)>,
}

/// What differs in purpose and form alone is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct EffectLine {
    gains: bool,
    from: String,
    items: String,
    purposes: BTreeSet<String>,
    modes: BTreeSet<&'static str>,
}

/// What a replay came to.
struct Replayed {
    days: u64,
    counts: ReplayCounts,
    same: u64,
    look: String,
}

/// A version that is there, and what it is compared with.
struct Asked {
    of: AgreementRef,
    title: String,
    with: ComparedWith,
    choices: Vec<Choice>,
}

/// Shows what differs.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(named): Path<(String, String)>,
    uri: Uri,
) -> Result<Shown<DifferencesPage>, Failed> {
    let policies = console.gateway().current_policies().await?;
    let given = form::parse(uri.query().unwrap_or_default()).unwrap_or_default();
    let asked = asked(&policies, &visitor, &named, given.get("with").map(AsRef::as_ref))?;
    Ok(Shown(page_of(&console, &visitor, &policies, asked, None, None).await?))
}

/// Decides past questions again, in counts; the look is in the log.
pub(super) async fn what_if(
    State(console): State<Console>,
    Path(named): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let policies = console.gateway().current_policies().await?;
    let asked = asked(&policies, &visitor, &named, fields.get("with"))?;
    let mut form = form_of(&visitor, &asked);
    form.take(&fields);
    let days = form.whole("days", MOST_DAYS).filter(|days| *days > 0);
    let Some(days) = days else {
        form.fault("days", "Enter how many days");
        let faults = form.faults();
        let mut shown = page_of(&console, &visitor, &policies, asked, Some(form), None).await?;
        shown.frame = shown.frame.with_faults(faults);
        return Ok(Again(shown).into_response());
    };
    let (caller, grounds) = (visitor.caller(), visitor.grounds());
    let within = u16::try_from(days).unwrap_or(u16::MAX);
    let replayed = console.gateway().agreement_what_if((&caller, &grounds), &asked.of, asked.with, within).await;
    let replayed = replayed.map_err(|error| Failed::of_look(error, visitor.frame("Differences", &page::AGREEMENTS)))?;
    let replay = replayed.map(|(counts, logged)| Replayed {
        days,
        same: counts.questions - counts.refused - counts.allowed - counts.changed,
        counts,
        look: logged.disclosure.to_string(),
    });
    Ok(Shown(page_of(&console, &visitor, &policies, asked, Some(form), replay).await?).into_response())
}

fn asked(
    policies: &Policies,
    visitor: &Visitor,
    named: &(String, String),
    with: Option<&str>,
) -> Result<Asked, Failed> {
    let agreement = super::agreement::agreement(policies, visitor, named)?;
    let of = agreement.text.reference().clone();
    let others = policies.book().agreements().map(|other| other.text.reference());
    let mut versions: Vec<u32> =
        others.filter(|other| other.id == of.id && other.version != of.version).map(|other| other.version).collect();
    versions.sort_unstable();
    let with = match with {
        None => usual(agreement, &versions),
        Some(word) => read(word, &versions).ok_or_else(|| {
            let frame = Box::new(visitor.frame("Differences", &page::AGREEMENTS));
            Failed::Malformed(frame, "There is no such version to compare with.")
        })?,
    };
    let mut choices: Vec<(ComparedWith, String)> = versions
        .iter()
        .map(|version| (ComparedWith::Version(*version), format!("Version {version} of this agreement")))
        .collect();
    if agreement.status != AgreementStatus::InForce {
        choices.push((ComparedWith::Register, "What holds now, if this version came into force".to_owned()));
    }
    if policies
        .book()
        .agreements()
        .any(|other| other.text.reference().id == of.id && other.status == AgreementStatus::InForce)
    {
        choices.push((ComparedWith::Without, "What holds now, if no version were in force".to_owned()));
    }
    let choices =
        choices.into_iter().map(|(one, text)| Choice { value: word(one), text, is_chosen: one == with }).collect();
    Ok(Asked { of, title: agreement.text.title().to_owned(), with, choices })
}

/// The version before it; else what it would change, or what would go with it.
fn usual(agreement: &Agreement, versions: &[u32]) -> ComparedWith {
    let own = agreement.text.reference().version;
    match versions.iter().rev().find(|version| **version < own).or(versions.first()) {
        Some(version) => ComparedWith::Version(*version),
        None if agreement.status == AgreementStatus::InForce => ComparedWith::Without,
        None => ComparedWith::Register,
    }
}

fn word(with: ComparedWith) -> String {
    match with {
        ComparedWith::Version(version) => version.to_string(),
        ComparedWith::Register => "now".to_owned(),
        ComparedWith::Without => "without".to_owned(),
    }
}

fn read(word: &str, versions: &[u32]) -> Option<ComparedWith> {
    match word {
        "now" => Some(ComparedWith::Register),
        "without" => Some(ComparedWith::Without),
        version => version.parse().ok().filter(|version| versions.contains(version)).map(ComparedWith::Version),
    }
}

fn form_of(visitor: &Visitor, asked: &Asked) -> Form {
    let path = format!("{}/differences", agreements::path(&asked.of));
    Form::new(visitor, path, "what-if", "What if it had been so?", "Decide past questions again")
        .number(
            "days",
            "Over how many of the last days?",
            "366 at the most. Every question of these days is decided again without a person; you see counts, and the look is an entry in the log.",
        )
        .hidden("with", word(asked.with))
}

async fn page_of(
    console: &Console,
    visitor: &Visitor,
    policies: &Policies,
    asked: Asked,
    form: Option<Form>,
    replay: Option<Replayed>,
) -> Result<DifferencesPage, Failed> {
    let frame = visitor.frame("Differences", &page::AGREEMENTS);
    let found = console.gateway().agreement_difference(&asked.of, asked.with).await?;
    let Some(Difference { changes, effects }) = found else { return Err(Failed::Unknown(Box::new(frame))) };
    let own = form_of(visitor, &asked).with("days", "30");
    let may_ask = page::DIFFERENCES.is_acted_on_by(visitor.access.persona);
    let mut parts: Vec<(String, Vec<String>)> = Vec::new();
    for change in changes {
        let part = part(&change.part);
        match parts.iter_mut().find(|(known, _)| *known == part) {
            Some((_, sentences)) => sentences.push(change.sentence),
            None => parts.push((part, vec![change.sentence])),
        }
    }
    let compared = match asked.with {
        ComparedWith::Version(version) => format!("Version {} in the place of version {version}", asked.of.version),
        ComparedWith::Register => format!("Version {} in force, in the place of what holds now", asked.of.version),
        ComparedWith::Without => "No version in force, in the place of what holds now".to_owned(),
    };
    Ok(DifferencesPage {
        frame,
        title: asked.title,
        agreement: asked.of.to_string(),
        path: agreements::path(&asked.of),
        has_texts: matches!(asked.with, ComparedWith::Version(_)),
        choices: asked.choices,
        compared,
        changes: parts,
        days: days(&effects, policies),
        replay,
        form: may_ask.then(|| form.unwrap_or(own)),
    })
}

/// Who would learn more or less, from which day on.
fn days(effects: &[Flip], policies: &Policies) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for flip in effects {
        let day = words::day(flip.from);
        if days.last().is_none_or(|last| last.day != day) {
            days.push(Day { day, people: Vec::new() });
        }
        let Some(Day { people, .. }) = days.last_mut() else { continue };
        let who = words::agency(policies, &flip.recipient);
        let place = people.iter().position(|(known, _)| *known == who).unwrap_or_else(|| {
            people.push((who, Vec::new()));
            people.len() - 1
        });
        let items: Vec<String> = flip.items.iter().map(|item| deciding::item(&item.to_string(), policies)).collect();
        let line = EffectLine {
            gains: flip.gains,
            from: words::agency(policies, &flip.supplier),
            items: items.join("; "),
            purposes: BTreeSet::from([matrix::purpose(flip.purpose.as_str(), policies)]),
            modes: BTreeSet::from([plain::mode(flip.mode.as_str())]),
        };
        let lines = &mut people[place].1;
        let is_same =
            |known: &&mut EffectLine| (known.gains, &known.from, &known.items) == (line.gains, &line.from, &line.items);
        match lines.iter_mut().find(is_same) {
            Some(known) => {
                known.purposes.extend(line.purposes);
                known.modes.extend(line.modes);
            }
            None => lines.push(line),
        }
    }
    days
}

/// What a part of the text is called; terms have their own codes.
fn part(code: &str) -> String {
    match code {
        "dates" => "Dates",
        "party" => "Parties",
        "wording" => "Wording",
        "why" => "Why there is the agreement",
        "scope" => "What it covers",
        "law" => "The law",
        "handling" => "How data are handled",
        "rights" => "People’s rights",
        "breach" => "Breaches",
        "governance" => "Governance",
        term => return format!("Term {term}"),
    }
    .to_owned()
}
