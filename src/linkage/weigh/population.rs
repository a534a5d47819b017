//! Records put side by side: their tokens numbered, counted and found again.

use std::cmp::Ordering;

use super::shape::{Outcome, Pattern, Shape};
use crate::domain::token::Blinded;

/// A token of one field at one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldToken {
    /// Number of the compared field.
    pub comparison: u8,
    /// Number of the level.
    pub level: u8,
    /// The linkage key's epoch: tokens of different epochs never agree.
    pub epoch: u32,
    /// The blinded value.
    pub value: Blinded,
}

/// One record, reduced to what weighing needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRecord<K> {
    /// Names the record and breaks ties.
    pub key: K,
    /// Which feed it comes from: a number of the caller's.
    pub feed: u16,
    /// The tokens, in any order.
    pub tokens: Vec<FieldToken>,
}

/// The records of a run. Their order is that of their keys, whatever order they came in.
pub struct Population<K> {
    pub(super) shape: Shape,
    keys: Vec<K>,
    feeds: Vec<u16>,
    /// Feeds in which one person may have several records.
    repeats: Vec<u16>,
    /// For each record, the numbers of its tokens, ascending.
    tokens: Vec<Vec<u32>>,
    /// For each record, which fields it has.
    present: Vec<u16>,
    /// For each token, its slot: field and level.
    slots: Vec<(u8, u8)>,
    /// For each token, its holders, ascending.
    holders: Vec<Vec<u32>>,
    places: Vec<u32>,
}

impl<K: Ord> Population<K> {
    /// Puts records side by side. `repeats` names the feeds in which one person may have several
    /// records; in every other feed two records are two people.
    ///
    /// Tokens of fields or levels that the shape does not have are left out.
    pub fn new(shape: Shape, records: Vec<FieldRecord<K>>, repeats: &[u16]) -> Self {
        let mut ordered: Vec<(usize, FieldRecord<K>)> = records.into_iter().enumerate().collect();
        for (_, record) in &mut ordered {
            let known = |token: &FieldToken| {
                let comparison = shape.comparisons().get(usize::from(token.comparison));
                comparison.is_some_and(|comparison| usize::from(token.level) < comparison.levels.len())
            };
            record.tokens.retain(known);
            record.tokens.sort_unstable();
            record.tokens.dedup();
        }
        ordered.sort_by(|(_, a), (_, b)| {
            a.key.cmp(&b.key).then_with(|| a.feed.cmp(&b.feed)).then_with(|| a.tokens.cmp(&b.tokens))
        });
        let mut held: Vec<(FieldToken, u32)> = Vec::new();
        for (place, (_, record)) in (0..).zip(&ordered) {
            held.extend(record.tokens.iter().map(|token| (*token, place)));
        }
        held.sort_unstable();
        let mut tokens = vec![Vec::new(); ordered.len()];
        let (mut slots, mut holders) = (Vec::new(), Vec::new());
        for (number, group) in (0..).zip(held.chunk_by(|a, b| a.0 == b.0)) {
            slots.push((group[0].0.comparison, group[0].0.level));
            holders.push(group.iter().map(|(_, place)| *place).collect::<Vec<u32>>());
            for (_, place) in group {
                tokens[*place as usize].push(number);
            }
        }
        let has =
            |numbers: &Vec<u32>| numbers.iter().fold(0, |fields: u16, number| fields | 1 << slots[*number as usize].0);
        let present = tokens.iter().map(has).collect();
        let places = ordered.iter().map(|(place, _)| *place as u32).collect();
        let feeds = ordered.iter().map(|(_, record)| record.feed).collect();
        let keys = ordered.into_iter().map(|(_, record)| record.key).collect();
        Self { shape, keys, feeds, repeats: repeats.to_vec(), tokens, present, slots, holders, places }
    }
}

impl<K> Population<K> {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The compared fields.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// A record's key; records are numbered in the order of their keys.
    pub fn key(&self, record: u32) -> &K {
        &self.keys[record as usize]
    }

    /// Where a record stood in the list that was given.
    pub fn place(&self, record: u32) -> usize {
        self.places[record as usize] as usize
    }

    /// Whether two different records may be one person as far as their feeds go.
    pub fn may_match(&self, a: u32, b: u32) -> bool {
        let (first, second) = (self.feeds[a as usize], self.feeds[b as usize]);
        a != b && (first != second || self.repeats.contains(&first))
    }

    fn feed(&self, record: u32) -> u16 {
        self.feeds[record as usize]
    }

    pub(super) fn tokens_of(&self, record: u32) -> &[u32] {
        &self.tokens[record as usize]
    }

    pub(super) fn slot(&self, token: u32) -> (usize, usize) {
        let (comparison, level) = self.slots[token as usize];
        (usize::from(comparison), usize::from(level))
    }

    pub(super) fn holders(&self, token: u32) -> &[u32] {
        &self.holders[token as usize]
    }

    pub(super) fn token_count(&self) -> u32 {
        self.slots.len() as u32
    }

    pub(super) fn has(&self, record: u32, comparison: usize) -> bool {
        self.present[record as usize] & (1 << comparison) != 0
    }

    /// How many of these records could be paired.
    pub(super) fn pairs_among(&self, records: impl Iterator<Item = u32>) -> u64 {
        let mut feeds: Vec<u16> = records.map(|record| self.feed(record)).collect();
        feeds.sort_unstable();
        let all = pairs(feeds.len() as u64);
        let within = |group: &[u16]| if self.repeats.contains(&group[0]) { 0 } else { pairs(group.len() as u64) };
        all - feeds.chunk_by(|a, b| a == b).map(within).sum::<u64>()
    }

    /// How two records compare, and for each field on which they agree the token: the rarest where
    /// several are shared.
    pub(super) fn compare(&self, a: u32, b: u32, shared: &mut [u32]) -> Pattern {
        let mut pattern = Pattern::missing();
        for comparison in 0..self.shape.comparisons().len() {
            if self.has(a, comparison) && self.has(b, comparison) {
                pattern.set(comparison, Outcome::Disagrees);
            }
        }
        let (mut ours, mut theirs) = (self.tokens_of(a), self.tokens_of(b));
        while let (Some((&first, our_rest)), Some((&second, their_rest))) = (ours.split_first(), theirs.split_first()) {
            match first.cmp(&second) {
                Ordering::Less => ours = our_rest,
                Ordering::Greater => theirs = their_rest,
                Ordering::Equal => {
                    (ours, theirs) = (our_rest, their_rest);
                    let (comparison, level) = self.slot(first);
                    let is_better = match pattern.get(comparison) {
                        Outcome::Agrees(known) if known == level => {
                            self.holders(first).len() < self.holders(shared[comparison]).len()
                        }
                        Outcome::Agrees(known) => level < known,
                        Outcome::Disagrees | Outcome::Missing => true,
                    };
                    if is_better {
                        pattern.set(comparison, Outcome::Agrees(level));
                        shared[comparison] = first;
                    }
                }
            }
        }
        pattern
    }
}

/// How many pairs so many records make.
pub(super) fn pairs(count: u64) -> u64 {
    count * count.saturating_sub(1) / 2
}
