//! Decisions, kept until an agreement's state changes or a time boundary passes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::book::PolicyBook;
use super::decide::contributors;
use super::decision::{Permitted, Refusal, SupplierFeed, Terms};
use crate::domain::time::Timestamp;

/// A decision as the cache shares it.
pub type Shared = Result<Arc<Permitted>, Arc<Refusal>>;

type Key = (Terms, Vec<SupplierFeed>);

#[derive(Debug)]
struct Kept {
    decision: Shared,
    from: Timestamp,
    until: Option<Timestamp>,
}

/// A bounded map of decisions of one revision of the policy book; the oldest leaves first.
#[derive(Debug)]
pub struct DecisionCache {
    capacity: usize,
    revision: Option<u64>,
    kept: HashMap<Key, Kept>,
    order: VecDeque<Key>,
}

impl DecisionCache {
    /// An empty cache for so many decisions.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), revision: None, kept: HashMap::new(), order: VecDeque::new() }
    }

    /// The decision on an enquiry: kept, or made now.
    pub fn contributors(&mut self, book: &PolicyBook, terms: &Terms, feeds: &[SupplierFeed], now: Timestamp) -> Shared {
        if self.revision != Some(book.revision()) {
            self.kept.clear();
            self.order.clear();
            self.revision = Some(book.revision());
        }
        let mut feeds = feeds.to_vec();
        feeds.sort_unstable();
        feeds.dedup();
        let key = (terms.clone(), feeds);
        if let Some(kept) = self.kept.get(&key)
            && kept.from <= now
            && kept.until.is_none_or(|until| now < until)
        {
            return kept.decision.clone();
        }
        let decision = contributors(book, terms, &key.1, now).map(Arc::new).map_err(Arc::new);
        let until = match &decision {
            Ok(permitted) => Some(permitted.valid_until),
            Err(refusal) => refusal.valid_until,
        };
        let fresh = Kept { decision: decision.clone(), from: now, until };
        if self.kept.insert(key.clone(), fresh).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.kept.remove(&oldest);
        }
        decision
    }

    /// How many decisions are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }
    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{feeds, shipped_book, shipped_book_with, terms, today};
    use super::*;
    use crate::domain::agreement::AgreementStatus;

    #[test]
    fn a_decision_is_kept_until_its_boundary_and_not_longer() {
        let book = shipped_book();
        let mut cache = DecisionCache::new(8);
        let terms =
            terms("early-help-hub", "early-help-core/v1", "early-help-screening", "areas", "hub-screener", "referral");
        let first = cache.contributors(&book, &terms, &feeds(), today()).expect("permitted");
        let again = cache.contributors(&book, &terms, &feeds(), today().plus_seconds(60)).expect("permitted");
        assert!(Arc::ptr_eq(&first, &again));
        let later = cache.contributors(&book, &terms, &feeds(), first.valid_until).expect("permitted");
        assert!(!Arc::ptr_eq(&first, &later));
    }

    #[test]
    fn a_new_revision_forgets_everything() {
        let mut cache = DecisionCache::new(8);
        let terms =
            terms("early-help-hub", "early-help-core/v1", "early-help-screening", "areas", "hub-screener", "referral");
        assert!(cache.contributors(&shipped_book(), &terms, &feeds(), today()).is_ok());
        let suspended = shipped_book_with(2, |agreement| agreement.status = AgreementStatus::Suspended);
        assert!(cache.contributors(&suspended, &terms, &feeds(), today()).is_err());
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn the_oldest_decision_leaves_a_full_cache() {
        let book = shipped_book();
        let mut cache = DecisionCache::new(2);
        for mode in ["eligible", "count", "areas"] {
            let terms =
                terms("early-help-hub", "early-help-core/v1", "early-help-screening", mode, "hub-screener", "referral");
            cache.contributors(&book, &terms, &feeds(), today()).expect("permitted");
        }
        assert_eq!(cache.len(), 2);
        assert!(!cache.is_empty());
    }
}
