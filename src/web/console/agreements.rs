//! The agreements: what was signed, where it stands, and what each term lets whom learn.

use askama::Template;
use axum::extract::{Path, State};

use super::Console;
use super::frame::{Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::policies::Policies;
use crate::domain::agreement::{Agreement, ReceiveClause, SupplyTerm};

#[derive(Template)]
#[template(path = "agreements.html")]
pub(super) struct AgreementsPage {
    frame: Frame,
    agreements: Vec<Line>,
}

struct Line {
    title: String,
    reference: String,
    path: String,
    status: &'static str,
    colour: &'static str,
    review: String,
    ends: String,
}

#[derive(Template)]
#[template(path = "agreement.html")]
pub(super) struct AgreementPage {
    frame: Frame,
    line: Line,
    sha256: String,
    objective: String,
    reviewer: String,
    parties: Vec<PartyLine>,
    groups: [TermGroup; 2],
}

struct PartyLine {
    name: String,
    signatory: String,
    is_signed: bool,
}

/// Terms of one kind.
struct TermGroup {
    heading: &'static str,
    terms: Vec<TermLine>,
}

struct TermLine {
    code: String,
    plain: String,
    from: String,
    to: String,
    items: String,
    modes: String,
    purposes: String,
    powers: String,
}

/// Shows the register.
pub(super) async fn list(State(console): State<Console>, visitor: Visitor) -> Result<Shown<AgreementsPage>, Failed> {
    let policies = console.gateway().current_policies().await?;
    let mut agreements: Vec<Line> = policies.book().agreements().map(line).collect();
    agreements.sort_by(|a, b| a.title.cmp(&b.title).then_with(|| a.reference.cmp(&b.reference)));
    Ok(Shown(AgreementsPage { frame: visitor.frame("Agreements", &page::AGREEMENTS), agreements }))
}

/// Shows one agreement.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path((code, version)): Path<(String, String)>,
) -> Result<Shown<AgreementPage>, Failed> {
    let policies = console.gateway().current_policies().await?;
    let found = policies.book().agreements().find(|agreement| {
        let reference = agreement.text.reference();
        reference.id.as_str() == code && reference.version.to_string() == version
    });
    let Some(agreement) = found else {
        return Err(Failed::Unknown(Box::new(visitor.frame("Page not found", &page::AGREEMENTS))));
    };
    let text = &agreement.text;
    let parties = text.parties().iter().map(|party| PartyLine {
        name: words::agency(&policies, &party.agency),
        signatory: party.signatory.clone(),
        is_signed: agreement.signed_by.contains(&party.agency),
    });
    Ok(Shown(AgreementPage {
        frame: visitor.frame(text.title(), &page::AGREEMENTS),
        line: line(agreement),
        sha256: text.hash().to_string(),
        objective: text.why().objective.clone(),
        reviewer: text.reviewer().to_owned(),
        parties: parties.collect(),
        groups: [
            TermGroup {
                heading: "What may be learned",
                terms: text.receives().iter().map(|clause| receive(clause, &policies)).collect(),
            },
            TermGroup {
                heading: "What is supplied",
                terms: text.supplies().iter().map(|term| supply(term, &policies)).collect(),
            },
        ],
    }))
}

fn line(agreement: &Agreement) -> Line {
    let text = &agreement.text;
    let reference = text.reference();
    let (status, colour) = words::status(agreement.status);
    Line {
        title: text.title().to_owned(),
        reference: reference.to_string(),
        path: format!("/agreements/{}/{}", reference.id, reference.version),
        status,
        colour,
        review: words::day(text.review_due()),
        ends: words::day(text.ends()),
    }
}

fn supply(term: &SupplyTerm, policies: &Policies) -> TermLine {
    TermLine {
        code: term.id.to_string(),
        plain: term.plain.clone(),
        from: words::agency(policies, &term.supplier),
        to: joined(term.recipients.iter().map(|agency| words::agency(policies, agency))),
        items: joined(&term.items),
        modes: joined(term.modes.iter().map(|mode| mode.as_str())),
        purposes: joined(&term.purposes),
        powers: joined(&term.power),
    }
}

fn receive(clause: &ReceiveClause, policies: &Policies) -> TermLine {
    TermLine {
        code: clause.id.to_string(),
        plain: clause.plain.clone(),
        from: joined(clause.suppliers.iter().map(|agency| words::agency(policies, agency))),
        to: words::agency(policies, &clause.recipient),
        items: joined(&clause.items),
        modes: joined(clause.modes.iter().map(|mode| mode.as_str())),
        purposes: joined(&clause.purposes),
        powers: joined(&clause.power),
    }
}

fn joined<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
}
