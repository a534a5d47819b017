//! How well records were linked, where the truth is known: public test sets only.

use std::collections::{BTreeMap, BTreeSet};

use super::error::AppError;
use super::gateway::Gateway;
use crate::domain::ids::{AgencyCode, OpaqueRef};

/// Which entity each record is: the truth of a test set.
pub type Truth = BTreeMap<(AgencyCode, OpaqueRef), String>;

/// Linkage quality over pairs of records of different agencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// Records that are visible and in the truth.
    pub records: u64,
    /// Pairs that are one entity.
    pub true_pairs: u64,
    /// Pairs that were linked.
    pub linked_pairs: u64,
    /// Pairs that were linked and are one entity.
    pub right_pairs: u64,
}

impl Quality {
    /// Right pairs among the linked ones; 1 when nothing was linked.
    pub fn precision(&self) -> f64 {
        ratio(self.right_pairs, self.linked_pairs)
    }
    /// Right pairs among the true ones; 1 when there are none.
    pub fn recall(&self) -> f64 {
        ratio(self.right_pairs, self.true_pairs)
    }
    /// The harmonic mean of precision and recall.
    pub fn f1(&self) -> f64 {
        ratio(2 * self.right_pairs, self.linked_pairs + self.true_pairs)
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

impl Gateway {
    /// Compares the visible links with the truth.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] unless the programme's match keys are marked as a test set's: nobody
    /// measures with people.
    pub async fn evaluate(&self, truth: &Truth) -> Result<Quality, AppError> {
        let policies = self.current_policies().await?;
        if !policies.match_keys().is_for_a_test_set() {
            return Err(AppError::Policy("links are compared with a truth for public test sets only".to_owned()));
        }
        let view = self.store().view(self.programme()).await?;
        let generation = view.map_or(0, |view| view.generation);
        let mut persons: BTreeMap<i64, Vec<(AgencyCode, &str)>> = BTreeMap::new();
        // From the truth alone: a record that was refused, or has no token, is a pair that was missed.
        let mut entities: BTreeMap<&str, BTreeMap<AgencyCode, u64>> = BTreeMap::new();
        for ((agency, _), entity) in truth {
            *entities.entry(entity).or_default().entry(agency.clone()).or_default() += 1;
        }
        let (mut after, mut records) = (0, 0);
        loop {
            let page = self.store().visible_links(self.programme(), generation, after, 1000).await?;
            let Some(last) = page.last() else { break };
            after = last.record.id;
            for member in page {
                let key = (member.record.agency.clone(), member.record.reference);
                let Some(entity) = truth.get(&key) else { continue };
                records += 1;
                persons.entry(member.link.person).or_default().push((key.0, entity));
            }
        }
        let true_pairs = entities.values().map(pairs_across).sum();
        let (mut linked_pairs, mut right_pairs) = (0, 0);
        for members in persons.values() {
            linked_pairs += pairs_across(&count(members.iter().map(|(agency, _)| agency)));
            let of: BTreeSet<&str> = members.iter().map(|(_, entity)| *entity).collect();
            for entity in of {
                let same = members.iter().filter(|(_, other)| *other == entity).map(|(agency, _)| agency);
                right_pairs += pairs_across(&count(same));
            }
        }
        Ok(Quality { records, true_pairs, linked_pairs, right_pairs })
    }
}

fn count<'a>(agencies: impl Iterator<Item = &'a AgencyCode>) -> BTreeMap<AgencyCode, u64> {
    agencies.fold(BTreeMap::new(), |mut counts, agency| {
        *counts.entry(agency.clone()).or_default() += 1;
        counts
    })
}

/// How many pairs of records of different agencies there are.
fn pairs_across(counts: &BTreeMap<AgencyCode, u64>) -> u64 {
    let all: u64 = counts.values().sum();
    let pairs = |n: u64| n * n.saturating_sub(1) / 2;
    pairs(all) - counts.values().map(|n| pairs(*n)).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pairs_of_different_agencies_count() {
        let counts = |list: &[(&str, u64)]| {
            list.iter().map(|(agency, n)| (AgencyCode::parse(agency).expect("a code"), *n)).collect()
        };
        assert_eq!(pairs_across(&counts(&[("a", 3)])), 0);
        assert_eq!(pairs_across(&counts(&[("a", 1), ("b", 1)])), 1);
        assert_eq!(pairs_across(&counts(&[("a", 2), ("b", 3), ("c", 1)])), 2 * 3 + 2 + 3);
    }

    #[test]
    fn quality_is_told_by_the_usual_three_figures() {
        let quality = Quality { records: 10, true_pairs: 4, linked_pairs: 5, right_pairs: 3 };
        assert!((quality.precision() - 0.6).abs() < 1e-12);
        assert!((quality.recall() - 0.75).abs() < 1e-12);
        assert!((quality.f1() - 2.0 * 0.6 * 0.75 / 1.35).abs() < 1e-12);
    }
}
