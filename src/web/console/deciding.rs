//! How a disclosure was decided: who might contribute what, by which term and law, and who might not, by
//! which rule. It follows from the entry alone, so it is the same for every person asked about.

use std::collections::BTreeMap;

use super::words;
use crate::app::policies::Policies;
use crate::domain::agreement::Agreement;
use crate::domain::ids::AgreementRef;
use crate::domain::law;
use crate::tlog::entry::{Body, Code, Contribution, Decision, Entry};

/// A decision in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Deciding {
    /// Question and answer of the summary.
    pub(super) facts: Vec<(&'static str, String)>,
    /// Who might contribute what.
    pub(super) lines: Vec<Line>,
}

/// What of one supplier might, or might not, contribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) who: String,
    pub(super) what: String,
    pub(super) is_in: bool,
    pub(super) why: Vec<String>,
}

/// The decision of an entry; nothing for entries that decide about no person's data.
pub(super) fn told(entry: &Entry, policies: &Policies) -> Deciding {
    let (Body::Enquiry(it) | Body::FamilyDisclosure(it)) = entry.body() else { return Deciding::default() };
    let plain_purpose = policies.programme().purpose(&it.purpose).map(|purpose| purpose.plain.clone());
    let mut facts = vec![
        ("Who asked", words::agency(policies, &it.recipient)),
        ("What for", plain_purpose.unwrap_or_else(|| it.purpose.to_string())),
        ("In the role of", it.role.to_string()),
        ("Stated relationship", it.relationship.as_str().replace(['_', '-'], " ")),
    ];
    if let Some(of) = &it.agreement {
        let title = policies.book().agreement(of).map(|agreement| agreement.text.title().to_owned());
        facts.push(("Under", title.map_or_else(|| of.to_string(), |title| format!("{title} ({of})"))));
    }
    let mut powers: Vec<String> = it.decisions.iter().flat_map(|line| powers(line, policies)).collect();
    powers.sort();
    powers.dedup();
    if !powers.is_empty() {
        facts.push(("By law", powers.join("; ")));
    }
    Deciding { facts, lines: lines(&it.decisions, policies) }
}

/// What a line has in common: allowed lines of a supplier come before withheld ones.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Reasons {
    who: String,
    is_out: bool,
    why: Vec<String>,
}

/// One line for what has the same supplier and the same reasons.
fn lines(decisions: &[Decision], policies: &Policies) -> Vec<Line> {
    let mut groups: BTreeMap<Reasons, Vec<String>> = BTreeMap::new();
    for decision in decisions {
        let is_in = decision.outcome == Contribution::Permitted;
        let why = if is_in { terms(decision, policies) } else { rules(decision, policies) };
        let key = Reasons { who: words::agency(policies, &decision.supplier), is_out: !is_in, why };
        let what = item(decision.item.as_str(), policies);
        let items = groups.entry(key).or_default();
        if !items.contains(&what) {
            items.push(what);
        }
    }
    let line = |(Reasons { who, is_out, why }, items): (Reasons, Vec<String>)| {
        let what = items.join(", ");
        Line { who, what, is_in: !is_out, why }
    };
    groups.into_iter().map(line).collect()
}

/// The terms of the agreements by which something may contribute.
fn terms(decision: &Decision, policies: &Policies) -> Vec<String> {
    let mut said = Vec::new();
    if let Some((agreement, term)) = named(decision.receive.as_ref(), policies) {
        let clause = agreement.text.receives().iter().find(|clause| clause.id.as_str() == term);
        said.extend(clause.map(|clause| clause.plain.clone()));
    }
    if let Some((agreement, term)) = named(decision.supply.as_ref(), policies) {
        let supply = agreement.text.supplies().iter().find(|supply| supply.id.as_str() == term);
        said.extend(supply.map(|supply| supply.plain.clone()));
    }
    if said.is_empty() {
        said.push("It is the asker's own.".to_owned());
    }
    said
}

fn rules(decision: &Decision, policies: &Policies) -> Vec<String> {
    let said = |rule: &Code| {
        let say = policies.book().rules().say(rule.as_str());
        say.map_or_else(|| rule.to_string(), |say| format!("{} ({rule})", say.trim_end_matches('.')))
    };
    decision.rules_hit.iter().map(said).collect()
}

/// The statutes that the terms of a line name.
fn powers(decision: &Decision, policies: &Policies) -> Vec<String> {
    if decision.outcome != Contribution::Permitted {
        return Vec::new();
    }
    let mut found = Vec::new();
    if let Some((agreement, term)) = named(decision.receive.as_ref(), policies) {
        let clause = agreement.text.receives().iter().find(|clause| clause.id.as_str() == term);
        found.extend(clause.into_iter().flat_map(|clause| clause.power.iter().map(ToString::to_string)));
    }
    if let Some((agreement, term)) = named(decision.supply.as_ref(), policies) {
        let supply = agreement.text.supplies().iter().find(|supply| supply.id.as_str() == term);
        found.extend(supply.into_iter().flat_map(|supply| supply.power.iter().map(ToString::to_string)));
    }
    found.into_iter().map(|code| law::plain(&law::POWERS, &code).map_or(code, str::to_owned)).collect()
}

/// The agreement and the term that an entry names as `agreement/version/term`.
fn named<'a>(code: Option<&'a Code>, policies: &'a Policies) -> Option<(&'a Agreement, &'a str)> {
    let (agreement, term) = code?.as_str().rsplit_once('/')?;
    let agreement: AgreementRef = agreement.parse().ok()?;
    Some((policies.book().agreement(&agreement)?, term))
}

/// What an item is called.
pub(super) fn item(code: &str, policies: &Policies) -> String {
    let area = policies.programme().areas().iter().find(|area| area.code.as_str() == code);
    match (area, code) {
        (Some(area), _) => lower_first(area.plain.trim_end_matches('.')),
        (None, "lead") => "who leads".to_owned(),
        (None, "service") => "which service is involved".to_owned(),
        (None, other) => other.to_owned(),
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
