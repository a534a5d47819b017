//! Records that could be linked at all: the connected components of the candidate pairs.
//!
//! A component is the unit of recomputation. Whatever happens inside one leaves every other
//! component as it was.

use std::collections::HashMap;

use super::record::{LinkRecord, LinkToken};
use super::rules::LinkRules;

/// Disjoint sets of records, joined pair by pair.
///
/// ```
/// use porth::linkage::components::Components;
///
/// let mut components = Components::new(3);
/// components.union(0, 2);
/// assert_eq!(components.into_sets(), [vec![0, 2], vec![1]]);
/// ```
#[derive(Debug, Clone)]
pub struct Components {
    // Four bytes each: over millions of records half of these lie nearer to the core than half of eight.
    parent: Vec<u32>,
    size: Vec<u32>,
}

impl Components {
    /// `n` records, each alone.
    ///
    /// # Panics
    ///
    /// If there are 2^32 records or more.
    pub fn new(n: usize) -> Self {
        Self { parent: (0..name(n)).collect(), size: vec![1; n] }
    }

    /// Adds one record, alone, and gives its position.
    ///
    /// # Panics
    ///
    /// As [`Components::new`].
    pub fn push(&mut self) -> usize {
        let position = self.parent.len();
        self.parent.push(name(position));
        self.size.push(1);
        position
    }

    /// Joins the sets of two records; gives the root that went and the root that stays, or `None`
    /// when they were together already.
    pub fn union(&mut self, a: usize, b: usize) -> Option<(usize, usize)> {
        let (a, b) = (self.find(a), self.find(b));
        if a == b {
            return None;
        }
        let (goes, stays) = if self.size[a] < self.size[b] { (a, b) } else { (b, a) };
        self.parent[goes] = stays as u32;
        self.size[stays] += self.size[goes];
        Some((goes, stays))
    }

    /// The record that stands for the set at present; changes as sets are joined.
    pub fn find(&mut self, record: usize) -> usize {
        let mut at = record;
        loop {
            let parent = self.parent[at];
            let above = self.parent[parent as usize];
            if above == parent {
                return parent as usize;
            }
            self.parent[at] = above; // halve the path for the next search
            at = above as usize;
        }
    }

    /// Whether a record is in the set that a root stands for.
    pub fn is_under(&mut self, record: usize, root: usize) -> bool {
        // Nearly always right below it: one look instead of two.
        self.parent[record] as usize == root || self.find(record) == root
    }

    /// The sets, each sorted, ordered by their smallest record.
    pub fn into_sets(mut self) -> Vec<Vec<usize>> {
        let mut set_of_root: HashMap<usize, usize> = HashMap::new();
        let mut sets: Vec<Vec<usize>> = Vec::new();
        for record in 0..self.parent.len() {
            let root = self.find(record);
            let set = *set_of_root.entry(root).or_insert_with(|| {
                sets.push(Vec::new());
                sets.len() - 1
            });
            sets[set].push(record);
        }
        sets
    }
}

fn name(position: usize) -> u32 {
    u32::try_from(position).expect("fewer than 2^32 records")
}

/// The components of a set of records: two are joined when they share a token of any known kind,
/// suggesting kinds included. Records are named by their position in `records`.
pub fn components<K>(records: &[LinkRecord<K>], rules: &LinkRules) -> Vec<Vec<usize>> {
    let mut components = Components::new(records.len());
    let mut first_holder: HashMap<LinkToken, usize> = HashMap::new();
    for (position, record) in records.iter().enumerate() {
        for token in record.tokens.iter().filter(|token| rules.is_known(token.kind)) {
            components.union(*first_holder.entry(*token).or_insert(position), position);
        }
    }
    components.into_sets()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkage::people::{Person, rules};

    #[test]
    fn a_suggestion_joins_a_component_and_a_shared_home_alone_does_not() {
        let jowan = Person::new("Jowan", "Trelawny", "2012-03-04").home("1 Fore Street");
        let twin = jowan.clone().forename("Jago");
        let lodger = Person::new("Morwenna", "Angove", "1979-01-02").home("1 Fore Street");
        let records = [lodger.record(1), jowan.record(2), twin.record(3)];

        assert_eq!(components(&records, &rules()), [vec![0], vec![1, 2]]);
    }

    #[test]
    fn sets_grow_as_records_stream_in() {
        let mut components = Components::new(0);
        for _ in 0..4 {
            components.push();
        }
        assert!(components.union(0, 3).is_some());
        assert!(components.union(3, 0).is_none());
        components.union(3, 1);
        assert_eq!(components.into_sets(), [vec![0, 1, 3], vec![2]]);
    }
}
