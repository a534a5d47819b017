//! Who may learn what: the agreements in force as one table, filtered in the address, and the gaps that they
//! leave. It is decided like an enquiry, line by line, and without a person.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::State;
use axum::http::Uri;

use super::frame::{Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{Console, deciding, page, plain, words};
use crate::app::policies::Policies;
use crate::domain::ids::AgencyCode;
use crate::domain::law;
use crate::policy::matrix::{Cell, Gap};
use crate::web::api::form;

/// Lines of the table; whoever wants others sets a filter.
const MOST: usize = 100;

#[derive(Template)]
#[template(path = "matrix.html")]
pub(super) struct MatrixPage {
    frame: Frame,
    at: String,
    filters: Vec<Filter>,
    allowed: usize,
    blocked: usize,
    lines: Vec<Line>,
    is_cut: bool,
    is_filtered: bool,
    gaps: Vec<GapGroup>,
}

/// A filter of the table.
struct Filter {
    name: &'static str,
    label: &'static str,
    choices: Vec<Choice>,
}

struct Choice {
    value: String,
    text: String,
    is_chosen: bool,
}

/// What differs in its form of answer alone is one line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    who: String,
    from: String,
    what: String,
    purpose: String,
    is_in: bool,
    why: Vec<String>,
    path: String,
    agreement: String,
    modes: BTreeSet<&'static str>,
}

/// Gaps of one kind, with what the kind means.
struct GapGroup {
    heading: &'static str,
    means: &'static str,
    lines: Vec<String>,
}

/// What a cell says by one of the filters.
type Facet = (&'static str, &'static str, fn(&Cell) -> Vec<String>);

/// The filters in their order: name in the address, label, and what a cell holds of it.
const FACETS: [Facet; 6] = [
    ("recipient", "Who may learn", |cell| vec![cell.recipient.to_string()]),
    ("supplier", "From whom", |cell| cell.supplier.iter().map(ToString::to_string).collect()),
    ("item", "What", |cell| cell.item.iter().map(ToString::to_string).collect()),
    ("purpose", "What for", |cell| vec![cell.purpose.to_string()]),
    ("mode", "In which form", |cell| vec![cell.mode.to_string()]),
    ("power", "By which power", |cell| cell.powers.iter().map(ToString::to_string).collect()),
];

/// Shows the page.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    uri: Uri,
) -> Result<Shown<MatrixPage>, Failed> {
    let frame = visitor.frame("Who may learn what", &page::AGREEMENTS);
    let Ok(given) = form::parse(uri.query().unwrap_or_default()) else {
        return Err(Failed::Malformed(Box::new(frame), "The address of this page is not one that it makes."));
    };
    let text = |name: &str| given.get(name).map(|value| value.trim().to_owned()).unwrap_or_default();
    let policies = console.gateway().current_policies().await?;
    let found = console.gateway().agreement_matrix().await?;
    // The asker's own records need no agreement: they are no line of any.
    let cells: Vec<&Cell> = found.cells.iter().filter(|cell| !cell.own).collect();
    let (verdict, chosen) = (text("verdict"), FACETS.map(|(name, ..)| text(name)));
    let fits = |cell: &&&Cell| {
        let by_facet =
            FACETS.iter().zip(&chosen).all(|((_, _, of), value)| value.is_empty() || of(cell).contains(value));
        by_facet && (verdict.is_empty() || verdict == if cell.allowed { "allowed" } else { "blocked" })
    };
    let shown: Vec<&Cell> = cells.iter().filter(fits).copied().collect();
    let mut lines = grouped(&shown, &policies);
    let is_cut = lines.len() > MOST;
    lines.truncate(MOST);
    let mut filters: Vec<Filter> =
        FACETS.iter().zip(&chosen).map(|(facet, value)| filter(facet, value, &cells, &policies)).collect();
    filters.push(verdicts(&verdict));
    let recipient = (!chosen[0].is_empty()).then_some(chosen[0].as_str());
    Ok(Shown(MatrixPage {
        frame,
        at: words::moment(found.at),
        allowed: cells.iter().filter(|cell| cell.allowed).count(),
        blocked: cells.iter().filter(|cell| !cell.allowed).count(),
        is_filtered: !verdict.is_empty() || chosen.iter().any(|value| !value.is_empty()),
        filters,
        lines,
        is_cut,
        gaps: gaps(&found.gaps, recipient, &policies),
    }))
}

fn filter((name, label, of): &Facet, chosen: &str, cells: &[&Cell], policies: &Policies) -> Filter {
    let values: BTreeSet<String> = cells.iter().flat_map(|cell| of(cell)).collect();
    let mut choices: Vec<Choice> = values
        .into_iter()
        .map(|value| Choice { text: told(name, &value, policies), is_chosen: value == chosen, value })
        .collect();
    choices.sort_by(|a, b| a.text.cmp(&b.text));
    Filter { name, label, choices }
}

fn verdicts(chosen: &str) -> Filter {
    let choices = [("allowed", "What is allowed"), ("blocked", "What is not")].map(|(value, text)| Choice {
        value: value.to_owned(),
        text: text.to_owned(),
        is_chosen: value == chosen,
    });
    Filter { name: "verdict", label: "Allowed or not", choices: choices.into() }
}

/// A value of a filter in words.
fn told(name: &str, value: &str, policies: &Policies) -> String {
    match name {
        "recipient" | "supplier" => agency(value, policies),
        "item" => super::frame::capitalised(&deciding::item(value, policies)),
        "purpose" => purpose(value, policies),
        "mode" => plain::mode(value).to_owned(),
        _ => law::plain(&law::POWERS, value).unwrap_or(value).to_owned(),
    }
}

fn agency(code: &str, policies: &Policies) -> String {
    code.parse::<AgencyCode>().map_or_else(|_| code.to_owned(), |code| words::agency(policies, &code))
}

/// What a purpose is called.
pub(super) fn purpose(code: &str, policies: &Policies) -> String {
    let known = policies.programme().purposes().iter().find(|purpose| purpose.code.as_str() == code);
    known.map_or_else(|| code.to_owned(), |purpose| purpose.plain.clone())
}

fn grouped(cells: &[&Cell], policies: &Policies) -> Vec<Line> {
    let mut groups: BTreeMap<Line, BTreeSet<&'static str>> = BTreeMap::new();
    for cell in cells {
        let why = if cell.allowed {
            let power = |power: &str| law::plain(&law::POWERS, power).unwrap_or(power).to_owned();
            cell.powers.iter().map(|code| power(code.as_str())).collect()
        } else {
            cell.rules.iter().map(|code| rule(code, policies)).collect()
        };
        let line = Line {
            who: words::agency(policies, &cell.recipient),
            from: cell.supplier.as_ref().map_or_else(|| "Anybody".to_owned(), |code| words::agency(policies, code)),
            what: cell
                .item
                .as_ref()
                .map_or_else(|| "Anything".to_owned(), |item| told("item", &item.to_string(), policies)),
            purpose: purpose(cell.purpose.as_str(), policies),
            is_in: cell.allowed,
            why,
            path: super::agreements::path(&cell.agreement),
            agreement: cell.agreement.to_string(),
            modes: BTreeSet::new(),
        };
        groups.entry(line).or_default().insert(plain::mode(cell.mode.as_str()));
    }
    groups.into_iter().map(|(line, modes)| Line { modes, ..line }).collect()
}

fn rule(code: &str, policies: &Policies) -> String {
    let say = policies.book().rules().say(code);
    say.map_or_else(|| code.to_owned(), |say| format!("{} ({code})", say.trim_end_matches('.')))
}

/// The gaps in plain words; where a recipient is chosen, those that are about what it may learn.
fn gaps(gaps: &[Gap], recipient: Option<&str>, policies: &Policies) -> Vec<GapGroup> {
    let mut lines: [Vec<String>; 4] = Default::default();
    let is_theirs = |code: &AgencyCode| recipient.is_none_or(|recipient| code.as_str() == recipient);
    let item = |code: String| deciding::item(&code, policies);
    for gap in gaps {
        match gap {
            Gap::NobodySupplies { recipient, agreement, clause, item: what, rules } if is_theirs(recipient) => {
                let why = match &rules[..] {
                    [] => "No feed of its suppliers has it.".to_owned(),
                    rules => {
                        rules.iter().map(|code| format!("{}.", rule(code, policies))).collect::<Vec<_>>().join(" ")
                    }
                };
                let (who, what) = (words::agency(policies, recipient), item(what.to_string()));
                lines[0].push(format!("{who}: {what}, in {agreement}, clause {clause}. {why}"));
            }
            Gap::AreaUnheard { recipient, purpose: what_for, area } if is_theirs(recipient) => {
                let (who, what) = (words::agency(policies, recipient), item(area.to_string()));
                lines[1].push(format!("{who}: {what}, for: {}", purpose(what_for.as_str(), policies)));
            }
            Gap::NobodyReceives { supplier, agreement, term, item: what } if recipient.is_none() => {
                let (who, what) = (words::agency(policies, supplier), item(what.to_string()));
                lines[2].push(format!("{who}: {what}, in {agreement}, term {term}."));
            }
            Gap::FeedUnused { supplier, feed } if recipient.is_none() => {
                lines[3].push(format!("{}: its feed {feed}.", words::agency(policies, supplier)));
            }
            _ => {}
        }
    }
    let kinds = [
        ("Agreed to be learned, and nobody may supply it", "A receive clause lists it, and no supply term meets it."),
        (
            "Areas of which somebody hears nothing",
            "The programme has criteria there, and no answer can say anything about them.",
        ),
        (
            "Agreed to be supplied, and nobody may learn it",
            "A supply term lists it, and no receive clause takes it up.",
        ),
        ("Feeds that nobody may use", "They are in the calendar, and contribute to nobody’s answer."),
    ];
    let groups = kinds.into_iter().zip(lines).map(|((heading, means), lines)| GapGroup { heading, means, lines });
    groups.filter(|group| !group.lines.is_empty()).collect()
}
