//! Who may learn what: every receive clause, purpose and form of answer, line by line; and the gaps.
//!
//! The same decision as an enquiry's, asked once for each combination that a clause lists. Nothing about
//! a person takes part.

use std::collections::BTreeSet;

use serde::Serialize;

use super::book::PolicyBook;
use super::decide::{contributors, contributors_for_statistics};
use super::decision::{Decision, Outcome, SupplierFeed, TermRef, Terms};
use super::rules::RuleHit;
use crate::domain::agreement::{Agreement, AgreementText, AnswerMode, Item, ReceiveClause};
use crate::domain::ids::{AgencyCode, AgreementRef, AreaCode, FeedCode, PowerCode, PurposeCode, TermCode};
use crate::domain::time::Timestamp;

/// One cell: a question that a clause lists, and one item of one feed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cell {
    /// Who asks.
    pub recipient: AgencyCode,
    /// Under which agreement.
    pub agreement: AgreementRef,
    /// For what.
    pub purpose: PurposeCode,
    /// In which form.
    pub mode: AnswerMode,
    /// Whose data; none when the question as a whole is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplier: Option<AgencyCode>,
    /// From which feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedCode>,
    /// What.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Item>,
    /// Whether it may contribute.
    pub allowed: bool,
    /// Whether it is the asker's own record, which needs no agreement.
    pub own: bool,
    /// The powers that both terms name.
    pub powers: BTreeSet<PowerCode>,
    /// The supply term and the receive clause that allow it or came closest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<TermRef>,
    /// The rules that stand in the way.
    pub rules: Vec<String>,
}

/// Something that the agreements do not make possible although a text, the calendar or a purpose suggests it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "gap", rename_all = "snake_case")]
pub enum Gap {
    /// A clause lists what nobody may contribute to it.
    NobodySupplies {
        /// Whose clause.
        recipient: AgencyCode,
        /// In which text.
        agreement: AgreementRef,
        /// Which clause.
        clause: TermCode,
        /// What it lists in vain.
        item: Item,
        /// The rules in the way of what came closest.
        rules: Vec<String>,
    },
    /// A supply term lists what no clause takes up.
    NobodyReceives {
        /// Whose term.
        supplier: AgencyCode,
        /// In which text.
        agreement: AgreementRef,
        /// Which term.
        term: TermCode,
        /// What it lists in vain.
        item: Item,
    },
    /// No agreement lets a feed of the calendar contribute to anybody's answer.
    FeedUnused {
        /// Whose feed.
        supplier: AgencyCode,
        /// Which.
        feed: FeedCode,
    },
    /// A recipient hears nothing of an area that has criteria.
    AreaUnheard {
        /// Who.
        recipient: AgencyCode,
        /// For what.
        purpose: PurposeCode,
        /// Which area.
        area: AreaCode,
    },
}

/// The feeds as delivered. One that was not delivered yet is taken as submitted under the agreement of the
/// question where that has a supply term for the asker, else under the first that has.
pub fn likely_feeds(
    book: &PolicyBook,
    delivered: &[SupplierFeed],
    recipient: &AgencyCode,
    asked: &AgreementRef,
) -> Vec<SupplierFeed> {
    let of = |supplier: &AgencyCode, feed: &FeedCode| {
        if let Some(known) = delivered.iter().find(|known| known.supplier == *supplier && known.feed == *feed) {
            return Some(known.clone());
        }
        let serves = |agreement: &&Agreement, all: bool| {
            let terms = agreement.text.supplies().iter();
            terms.filter(|term| term.supplier == *supplier).any(|term| all || term.recipients.contains(recipient))
        };
        let chosen = book
            .agreement(asked)
            .filter(|agreement| serves(agreement, false))
            .or_else(|| book.agreements().find(|agreement| serves(agreement, false)))
            .or_else(|| book.agreements().find(|agreement| serves(agreement, true)))?;
        let agreement = chosen.text.reference().clone();
        Some(SupplierFeed { supplier: supplier.clone(), feed: feed.clone(), agreement })
    };
    book.programme().feeds().iter().filter_map(|feed| of(&feed.agency, &feed.code)).collect()
}

/// Every cell of every clause, sorted; only one recipient's where one is named.
pub fn cells(book: &PolicyBook, delivered: &[SupplierFeed], only: Option<&AgencyCode>, now: Timestamp) -> Vec<Cell> {
    let mut cells = Vec::new();
    for agreement in book.agreements() {
        let clauses = agreement.text.receives().iter();
        for clause in clauses.filter(|clause| only.is_none_or(|only| clause.recipient == *only)) {
            for terms in questions(book, &agreement.text, clause) {
                cells.extend(of_terms(book, delivered, &terms, now));
            }
        }
    }
    cells.sort();
    cells.dedup();
    cells
}

/// One question for each purpose and form that a clause lists, in the role that it names first.
pub(super) fn questions(book: &PolicyBook, text: &AgreementText, clause: &ReceiveClause) -> Vec<Terms> {
    let mut questions = Vec::new();
    for purpose in &clause.purposes {
        let relationship = book.programme().purpose(purpose).and_then(|known| known.relationships.first());
        let (Some(relationship), Some(role)) = (relationship, clause.roles.first()) else { continue };
        questions.extend(clause.modes.iter().map(|mode| Terms {
            recipient: clause.recipient.clone(),
            agreement: text.reference().clone(),
            purpose: purpose.clone(),
            mode: *mode,
            role: role.clone(),
            relationship: *relationship,
        }));
    }
    questions
}

/// The cells of one question. Statistical purposes are asked through their own door.
pub(super) fn of_terms(book: &PolicyBook, delivered: &[SupplierFeed], terms: &Terms, now: Timestamp) -> Vec<Cell> {
    let feeds = likely_feeds(book, delivered, &terms.recipient, &terms.agreement);
    let is_statistical = book.programme().purpose(&terms.purpose).is_some_and(|purpose| purpose.statistical);
    let decide = if is_statistical { contributors_for_statistics } else { contributors };
    let whole = |hits: &[RuleHit]| Cell {
        recipient: terms.recipient.clone(),
        agreement: terms.agreement.clone(),
        purpose: terms.purpose.clone(),
        mode: terms.mode,
        supplier: None,
        feed: None,
        item: None,
        allowed: false,
        own: false,
        powers: BTreeSet::new(),
        terms: Vec::new(),
        rules: hits.iter().map(|hit| hit.rule.clone()).collect(),
    };
    let line = |decision: &Decision| Cell {
        supplier: Some(decision.supplier.clone()),
        feed: Some(decision.feed.clone()),
        item: Some(decision.item.clone()),
        allowed: decision.outcome.is_in(),
        own: decision.outcome == Outcome::Own,
        powers: powers(book, decision),
        terms: decision.supply.iter().chain(&decision.receive).cloned().collect(),
        ..whole(match &decision.outcome {
            Outcome::Denied(hits) => hits,
            _ => &[],
        })
    };
    match decide(book, terms, &feeds, now) {
        Ok(permitted) => permitted.decisions.iter().map(line).collect(),
        Err(refusal) if refusal.decisions.is_empty() => vec![whole(&refusal.hits)],
        Err(refusal) => refusal.decisions.iter().map(line).collect(),
    }
}

/// The powers that the terms of a line name.
pub(super) fn powers(book: &PolicyBook, line: &Decision) -> BTreeSet<PowerCode> {
    let supplied = line.supply.iter().filter_map(|named| {
        let text = &book.agreement(&named.agreement)?.text;
        Some(&text.supplies().iter().find(|term| term.id == named.term)?.power)
    });
    let received = line.receive.iter().filter_map(|named| {
        let text = &book.agreement(&named.agreement)?.text;
        Some(&text.receives().iter().find(|clause| clause.id == named.term)?.power)
    });
    supplied.chain(received).flatten().cloned().collect()
}

/// What the cells leave open.
pub fn gaps(book: &PolicyBook, cells: &[Cell], now: Timestamp) -> Vec<Gap> {
    let mut gaps = BTreeSet::new();
    for agreement in book.agreements() {
        let text = &agreement.text;
        clause_gaps(text, cells, &mut gaps);
        for term in text.supplies() {
            for item in &term.items {
                let taken = cells.iter().any(|cell| {
                    let named = |named: &TermRef| named.term == term.id && named.agreement == *text.reference();
                    cell.allowed && cell.item.as_ref() == Some(item) && cell.terms.iter().any(named)
                });
                if !taken {
                    gaps.insert(Gap::NobodyReceives {
                        supplier: term.supplier.clone(),
                        agreement: text.reference().clone(),
                        term: term.id.clone(),
                        item: item.clone(),
                    });
                }
            }
        }
    }
    let day = now.date();
    for feed in book.programme().feeds().iter().filter(|feed| feed.is_effective(day)) {
        let of_feed =
            |cell: &Cell| cell.supplier.as_ref() == Some(&feed.agency) && cell.feed.as_ref() == Some(&feed.code);
        if !cells.iter().any(|cell| cell.allowed && !cell.own && of_feed(cell)) {
            gaps.insert(Gap::FeedUnused { supplier: feed.agency.clone(), feed: feed.code.clone() });
        }
    }
    let with_criteria = book.programme().criteria_at(day).areas();
    let heard: BTreeSet<_> = cells
        .iter()
        .filter(|cell| cell.allowed)
        .filter_map(|cell| Some((&cell.recipient, &cell.purpose, cell.item.as_ref()?.area()?)))
        .collect();
    for cell in cells {
        for area in &with_criteria {
            let is_asked = cell.mode.draws_on(&Item::Area(area.clone()));
            if is_asked && !heard.contains(&(&cell.recipient, &cell.purpose, area)) {
                gaps.insert(Gap::AreaUnheard {
                    recipient: cell.recipient.clone(),
                    purpose: cell.purpose.clone(),
                    area: area.clone(),
                });
            }
        }
    }
    gaps.into_iter().collect()
}

fn clause_gaps(text: &AgreementText, cells: &[Cell], gaps: &mut BTreeSet<Gap>) {
    for clause in text.receives() {
        for item in clause.items.iter().filter(|item| clause.modes.iter().any(|mode| mode.draws_on(item))) {
            let asked: Vec<&Cell> = cells
                .iter()
                .filter(|cell| cell.recipient == clause.recipient && cell.agreement == *text.reference())
                .filter(|cell| cell.item.as_ref().is_none_or(|other| other == item) && !cell.own)
                .filter(|cell| cell.supplier.as_ref().is_none_or(|supplier| clause.suppliers.contains(supplier)))
                .collect();
            if !asked.iter().any(|cell| cell.allowed) {
                let closest = asked.iter().map(|cell| &cell.rules).min_by_key(|rules| rules.len());
                gaps.insert(Gap::NobodySupplies {
                    recipient: clause.recipient.clone(),
                    agreement: text.reference().clone(),
                    clause: clause.id.clone(),
                    item: item.clone(),
                    rules: closest.cloned().unwrap_or_default(),
                });
            }
        }
    }
}

impl Cell {
    /// The cell in one line.
    pub fn line(&self) -> String {
        let verdict = match (self.allowed, self.own) {
            (true, true) => "its own records".to_owned(),
            (true, false) => {
                let powers: Vec<&str> = self.powers.iter().map(PowerCode::as_str).collect();
                format!("allowed by {}", powers.join(", "))
            }
            _ => format!("blocked by {}", self.rules.join(", ")),
        };
        let from = match (&self.supplier, &self.feed, &self.item) {
            (Some(supplier), Some(feed), Some(item)) => format!("{supplier}/{feed} {item}"),
            _ => "anything".to_owned(),
        };
        format!("{} {} {} {}: {from}: {verdict}", self.recipient, self.agreement, self.purpose, self.mode)
    }
}

impl Gap {
    /// The gap in one line.
    pub fn line(&self) -> String {
        match self {
            Self::NobodySupplies { recipient, agreement, clause, item, rules } => {
                let why = if rules.is_empty() {
                    "no feed of its suppliers has it".to_owned()
                } else {
                    format!("blocked by {}", rules.join(", "))
                };
                format!("{recipient} {agreement}: clause {clause} lists {item}, which nobody may contribute: {why}")
            }
            Self::NobodyReceives { supplier, agreement, term, item } => {
                format!("{supplier} {agreement}: supply term {term} lists {item}, which no clause takes up")
            }
            Self::FeedUnused { supplier, feed } => format!("{supplier}: feed {feed} contributes to nobody's answer"),
            Self::AreaUnheard { recipient, purpose, area } => {
                format!("{recipient}: hears nothing of {area} for {purpose}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{feeds, shipped_book, shipped_book_with, today};
    use super::*;
    use crate::domain::agreement::AgreementStatus;

    #[test]
    fn each_cell_names_its_powers_or_the_rules_in_its_way() {
        let book = shipped_book();
        let cells = cells(&book, &feeds(), None, today());
        let (allowed, blocked): (Vec<_>, Vec<_>) = cells.iter().partition(|cell| cell.allowed);
        assert!(allowed.len() > 20 && blocked.len() > 20);
        assert!(allowed.iter().all(|cell| cell.own == cell.powers.is_empty() && cell.rules.is_empty()));
        assert!(blocked.iter().all(|cell| !cell.rules.is_empty()));
        let benefits =
            allowed.iter().find(|cell| cell.supplier.as_ref().is_some_and(|who| who.as_str() == "jobcentre-feed"));
        assert!(benefits.expect("allowed to somebody").powers.iter().any(|power| power.as_str() == "WRA2012-s131"));
        assert!(allowed.iter().any(|cell| cell.purpose.as_str() == "statistics"), "tables have a door of their own");
    }

    #[test]
    fn a_suspended_supplier_leaves_gaps_that_name_the_rule() {
        let all_in_force = shipped_book();
        let before = gaps(&all_in_force, &cells(&all_in_force, &feeds(), None, today()), today());
        let book = shipped_book_with(1, |agreement| {
            if agreement.text.reference().id.as_str() == "benefits-data" {
                agreement.status = AgreementStatus::Suspended;
            }
        });
        let after = gaps(&book, &cells(&book, &feeds(), None, today()), today());
        let new: Vec<String> = after.iter().filter(|gap| !before.contains(gap)).map(Gap::line).collect();
        assert!(
            new.iter().any(|line| line == "jobcentre-feed: feed benefits contributes to nobody's answer"),
            "{new:#?}"
        );
        assert!(new.iter().any(|line| line.contains("lists A4") && line.contains("T07")), "{new:#?}");
        assert!(
            new.iter().any(|line| line == "early-help-hub: hears nothing of A4 for early-help-screening"),
            "{new:#?}"
        );
    }
}
