//! The requests that a decision puts to the rules, ready-made, so that a benchmark can evaluate them bare.

use std::cell::RefCell;

use cedar_policy::{Authorizer, Decision, Request};

use super::book::{Ask, Judge, PolicyBook, Release};
use super::decide::contributors_by;
use super::decision::{SupplierFeed, Terms};
use super::rules::RuleHit;
use crate::domain::time::Timestamp;

/// Requests of one or more decisions, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Recorded(Vec<Request>);

impl Recorded {
    /// Decides, and keeps every request that was put to the rules on the way.
    pub fn record(&mut self, book: &PolicyBook, terms: &Terms, feeds: &[SupplierFeed], now: Timestamp) {
        let recorder = Recorder { book, requests: RefCell::default() };
        drop(contributors_by(&recorder, book, terms, feeds, now));
        self.0.extend(recorder.requests.into_inner());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Evaluates all of them with the engine alone; how many it allows.
    pub fn evaluate(&self, book: &PolicyBook) -> usize {
        let (authorizer, policies, entities) = (Authorizer::new(), book.rules().policies(), book.entities());
        let allowed =
            |request: &&Request| authorizer.is_authorized(request, policies, entities).decision() == Decision::Allow;
        self.0.iter().filter(allowed).count()
    }
}

/// Judges like the book, and keeps the requests.
struct Recorder<'b> {
    book: &'b PolicyBook,
    requests: RefCell<Vec<Request>>,
}

impl Judge for Recorder<'_> {
    fn ask(&self, ask: &Ask<'_>) -> Vec<RuleHit> {
        self.requests.borrow_mut().extend(self.book.ask_request(ask));
        self.book.ask_hits(ask)
    }

    fn release(&self, release: &Release<'_>) -> Vec<RuleHit> {
        self.requests.borrow_mut().extend(self.book.release_request(release));
        self.book.release_hits(release)
    }
}

#[cfg(test)]
mod tests {
    use super::super::decide::contributors;
    use super::super::fixtures::{feeds, shipped_book, terms, today};
    use super::*;

    #[test]
    fn the_recorded_requests_come_out_as_the_decision_did() {
        let book = shipped_book();
        let asked =
            terms("early-help-hub", "early-help-core/v1", "early-help-screening", "areas", "hub-screener", "referral");
        let mut recorded = Recorded::default();
        recorded.record(&book, &asked, &feeds(), today());
        let permitted = contributors(&book, &asked, &feeds(), today()).expect("permitted");
        let granted = permitted.granted().filter(|line| line.supply.is_some()).count();
        assert!(recorded.len() > permitted.denied().count());
        assert!(recorded.evaluate(&book) > granted, "each granted line, and the clauses that may ask");
    }
}
