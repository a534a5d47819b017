//! Persons whom fuzzy encodings join: the last stage, after match keys, what people decided and weights.
//!
//! Records of two feeds whose filters reach the threshold of their encoding profile make an edge. Edges
//! are taken from the nearest on. An edge joins the persons of its two ends unless two of the records
//! that would come together conflict, are of one feed that has each person once, or most of those that
//! can be compared are not alike: a chain of likenesses is no person. Where the nearest of several that
//! cannot all be right are equally near, none is taken: a twin must not be told by the order of
//! references. Everything is compared in whole numbers, and ties break by the records' keys, so that
//! the order of arrival decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::components::Components;
use super::dice::{Closeness, DiceError, Filters};
use crate::domain::clk::{Clk, EncodingProfile, Space};

/// Most pairs of two feeds that are looked at closely. More would mean that the threshold tells
/// nobody from anybody.
const MOST_ALIKE: usize = 2_000_000;

/// One record, reduced to what this stage needs.
#[derive(Debug, Clone)]
pub struct FuzzyRecord<K> {
    /// Names the record and breaks ties.
    pub key: K,
    /// Which feed it comes from: a number of the caller's.
    pub feed: u16,
    /// The person that every earlier stage makes of it: records of one number are one person already.
    pub person: u32,
    /// Its filter.
    pub clk: Option<Clk>,
}

/// Two records that fuzzy encodings join, by their places; `a` has the smaller key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FuzzyPair {
    /// The record with the smaller key.
    pub a: usize,
    /// The record with the larger key.
    pub b: usize,
    /// How near they are.
    pub closeness: Closeness,
}

/// The pairs that stand once persons are joined, nearest first: those alike whose records ended up
/// together, and were not before.
///
/// `repeats` names the feeds in which one person may have several records. `conflicts` says which
/// records cannot be one person, however alike. Filters that do not fit the profile are left out.
///
/// # Errors
///
/// [`DiceError::TooMany`] where the threshold tells nobody from anybody.
pub fn join<K: Ord>(
    records: &[FuzzyRecord<K>],
    repeats: &[u16],
    profile: &EncodingProfile,
    conflicts: &dyn Fn(usize, usize) -> bool,
) -> Result<Vec<FuzzyPair>, DiceError> {
    let mut persons = Persons::new(records, repeats, profile, conflicts);
    let mut edges = alike(records, repeats, profile)?;
    edges.retain(|edge| records[edge.a].person != records[edge.b].person && persons.may_be_one(edge.a, edge.b));
    edges.sort_by(|one, other| {
        let keys = |edge: &FuzzyPair| (&records[edge.a].key, &records[edge.b].key);
        other.closeness.cmp(&one.closeness).then_with(|| keys(one).cmp(&keys(other)))
    });
    for equally_near in edges.chunk_by(|one, other| one.closeness == other.closeness) {
        persons.bar_ambiguous(equally_near);
        for edge in equally_near {
            persons.join(edge.a, edge.b);
        }
    }
    edges.retain(|edge| persons.of(edge.a) == persons.of(edge.b));
    Ok(edges)
}

/// Every pair of records of two feeds, or of one that repeats people, whose filters are alike.
fn alike<K: Ord>(
    records: &[FuzzyRecord<K>],
    repeats: &[u16],
    profile: &EncodingProfile,
) -> Result<Vec<FuzzyPair>, DiceError> {
    let mut groups: BTreeMap<Space, BTreeMap<u16, (Filters, Vec<usize>)>> = BTreeMap::new();
    for (place, record) in records.iter().enumerate() {
        let Some(clk) = record.clk.as_ref().filter(|clk| profile.fits(clk)) else { continue };
        let feeds = groups.entry(*clk.space()).or_default();
        if let std::collections::btree_map::Entry::Vacant(feed) = feeds.entry(record.feed) {
            feed.insert((Filters::new(*clk.space(), profile)?, Vec::new()));
        }
        if let Some((filters, places)) = feeds.get_mut(&record.feed) {
            filters.push(clk)?;
            places.push(place);
        }
    }
    let mut edges = Vec::new();
    for feeds in groups.values() {
        for (number, (ours, our_places)) in feeds {
            for (other, (theirs, their_places)) in feeds.range(number..) {
                if number == other && !repeats.contains(number) {
                    continue;
                }
                for pair in ours.alike(theirs, profile, MOST_ALIKE)? {
                    let (one, two) = (our_places[pair.left as usize], their_places[pair.right as usize]);
                    if number == other && one >= two {
                        continue; // of one feed: a filter with itself, or the pair from its other end
                    }
                    let (a, b) = if records[one].key <= records[two].key { (one, two) } else { (two, one) };
                    let near = records[a].clk.as_ref().zip(records[b].clk.as_ref());
                    let closeness = near.and_then(|(a, b)| Closeness::of(a, b));
                    edges.extend(closeness.map(|closeness| FuzzyPair { a, b, closeness }));
                }
            }
        }
    }
    Ok(edges)
}

/// Records as the persons that they are so far.
struct Persons<'a, K> {
    records: &'a [FuzzyRecord<K>],
    repeats: &'a [u16],
    profile: &'a EncodingProfile,
    conflicts: &'a dyn Fn(usize, usize) -> bool,
    clusters: Components,
    /// The records of each person of more than one, by the record that stands for it.
    members: BTreeMap<usize, Vec<usize>>,
    /// Pairs of which it cannot be told whether they or others are meant.
    ambiguous: BTreeSet<(usize, usize)>,
}

impl<'a, K> Persons<'a, K> {
    fn new(
        records: &'a [FuzzyRecord<K>],
        repeats: &'a [u16],
        profile: &'a EncodingProfile,
        conflicts: &'a dyn Fn(usize, usize) -> bool,
    ) -> Self {
        let clusters = Components::new(records.len());
        let (members, ambiguous) = (BTreeMap::new(), BTreeSet::new());
        let mut persons = Self { records, repeats, profile, conflicts, clusters, members, ambiguous };
        let mut first_of: BTreeMap<u32, usize> = BTreeMap::new();
        for (place, record) in records.iter().enumerate() {
            let first = *first_of.entry(record.person).or_insert(place);
            persons.unite(first, place);
        }
        persons
    }

    /// Takes note of the edges by which a person is as near to one as to another who cannot be the same.
    fn bar_ambiguous(&mut self, equally_near: &[FuzzyPair]) {
        let mut partners: BTreeMap<usize, BTreeMap<usize, (usize, usize)>> = BTreeMap::new();
        for edge in equally_near {
            let (a, b) = (self.of(edge.a), self.of(edge.b));
            if a != b && self.may_join(a, b) {
                partners.entry(a).or_default().insert(b, (edge.a, edge.b));
                partners.entry(b).or_default().insert(a, (edge.a, edge.b));
            }
        }
        let mut ambiguous = BTreeSet::new();
        for near in partners.values() {
            for (at, (one, one_edge)) in near.iter().enumerate() {
                for (other, other_edge) in near.iter().skip(at + 1) {
                    if !self.are_compatible(*one, *other) {
                        ambiguous.extend([*one_edge, *other_edge]);
                    }
                }
            }
        }
        self.ambiguous.extend(ambiguous);
    }

    fn join(&mut self, a: usize, b: usize) {
        let (ours, theirs) = (self.of(a), self.of(b));
        if ours != theirs && self.may_join(ours, theirs) {
            self.unite(ours, theirs);
        }
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (ours, theirs) = (self.of(a), self.of(b));
        let together = [self.records_of(ours), self.records_of(theirs)].concat();
        if let Some((goes, stays)) = self.clusters.union(ours, theirs) {
            self.members.remove(&goes);
            self.members.insert(stays, together);
        }
    }

    /// The record that stands for a record's person at present.
    fn of(&mut self, record: usize) -> usize {
        self.clusters.find(record)
    }

    fn records_of(&self, person: usize) -> Vec<usize> {
        self.members.get(&person).cloned().unwrap_or_else(|| vec![person])
    }

    fn may_join(&self, ours: usize, theirs: usize) -> bool {
        let (mut compared, mut alike) = (0, 0);
        for (a, b) in self.across(ours, theirs) {
            if !self.may_be_one(a, b) || self.ambiguous.contains(&(a, b)) || self.ambiguous.contains(&(b, a)) {
                return false;
            }
            if let Some(is_alike) = self.is_alike(a, b) {
                compared += 1;
                alike += usize::from(is_alike);
            }
        }
        2 * alike >= compared
    }

    /// Whether two persons could be one as far as feeds and conflicts go.
    fn are_compatible(&self, ours: usize, theirs: usize) -> bool {
        self.across(ours, theirs).into_iter().all(|(a, b)| self.may_be_one(a, b))
    }

    fn across(&self, ours: usize, theirs: usize) -> Vec<(usize, usize)> {
        let theirs = self.records_of(theirs);
        self.records_of(ours).into_iter().flat_map(|a| theirs.iter().map(move |b| (a, *b))).collect()
    }

    fn may_be_one(&self, a: usize, b: usize) -> bool {
        let (first, second) = (self.records[a].feed, self.records[b].feed);
        (first != second || self.repeats.contains(&first)) && !(self.conflicts)(a, b)
    }

    /// `None` where the two cannot be compared.
    fn is_alike(&self, a: usize, b: usize) -> Option<bool> {
        let fitting = |place: usize| self.records[place].clk.as_ref().filter(|clk| self.profile.fits(clk));
        let (a, b) = (fitting(a)?, fitting(b)?);
        let are_comparable = a.space() == b.space();
        are_comparable.then(|| Closeness::of(a, b).is_some_and(|closeness| closeness.reaches(self.profile.threshold())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folded filters of 512 bits, alike from 0.800 on.
    fn profile() -> EncodingProfile {
        let text = include_str!("../../policies/clk-profile.toml");
        let line = |key: &str| text.lines().find(|line| line.starts_with(key)).expect("the key");
        let text = text.replace(line("bits "), "bits = 512").replace(line("hardening"), "hardening = \"fold\"");
        let text = text.replace(line("threshold"), "threshold = 800");
        EncodingProfile::parse(text.as_bytes()).expect("well-formed")
    }

    fn space(epoch: u32) -> Space {
        Space { profile: profile().short_hash(), epoch, key_check: [2; 8] }
    }

    /// A filter of a hundred ones in a row, from a place on: two that lie a place apart share 99.
    fn filter(from: u32) -> Clk {
        let mut words = [0_u64; 8];
        for bit in from..from + 100 {
            words[bit as usize / 64] |= 1 << (bit % 64);
        }
        Clk::new(space(1), &words).expect("ones")
    }

    /// The record number `key` of a feed; everybody a person of their own.
    fn record(key: u32, feed: u16, from: u32) -> FuzzyRecord<u32> {
        FuzzyRecord { key, feed, person: key, clk: Some(filter(from)) }
    }

    /// The keys of the pairs that stand, with their bands.
    fn joined(records: &[FuzzyRecord<u32>], conflicts: &[(u32, u32)]) -> Vec<(u32, u32, &'static str)> {
        let conflict = |a: usize, b: usize| {
            let (a, b) = (records[a].key, records[b].key);
            conflicts.contains(&(a.min(b), a.max(b)))
        };
        let pairs = join(records, &[9], &profile(), &conflict).expect("compared");
        let tell = |pair: &FuzzyPair| {
            (records[pair.a].key, records[pair.b].key, pair.closeness.band(profile().threshold()).as_str())
        };
        pairs.iter().map(tell).collect()
    }

    #[test]
    fn the_nearest_is_taken_and_each_feed_has_a_person_once() {
        let records = [record(1, 1, 0), record(2, 2, 2), record(3, 2, 10), record(4, 3, 40)];
        assert_eq!(joined(&records, &[]), [(1, 2, "high")], "3 is alike too, and of the feed of 2; 4 is not alike");
        let turned: Vec<_> = records.iter().rev().cloned().collect();
        assert_eq!(joined(&turned, &[]), joined(&records, &[]), "arrival decides nothing");
        assert_eq!(joined(&[record(1, 9, 0), record(2, 9, 10)], &[]), [(1, 2, "middle")], "a feed that repeats people");
    }

    #[test]
    fn of_two_who_are_equally_near_neither_is_taken() {
        let twins = [record(1, 1, 50), record(2, 2, 45), record(3, 2, 55)];
        assert_eq!(joined(&twins, &[]), []);
        // Two who may be the same person are no riddle.
        let elsewhere = [record(1, 1, 50), record(2, 2, 45), record(3, 3, 55)];
        assert_eq!(joined(&elsewhere, &[]), [(1, 2, "high"), (1, 3, "high"), (2, 3, "middle")]);
        assert_eq!(joined(&elsewhere, &[(2, 3)]), [], "unless they conflict");
    }

    #[test]
    fn a_conflict_with_any_record_of_a_person_refuses_them_all() {
        let known = |key, feed, person| FuzzyRecord { key, feed, person, clk: None };
        let person = [known(1, 1, 1), FuzzyRecord { person: 1, ..record(2, 2, 0) }];
        let with = |other| [&person[..], &[other]].concat();
        assert_eq!(joined(&with(record(3, 3, 5)), &[]), [(2, 3, "high")]);
        assert_eq!(joined(&with(record(3, 3, 5)), &[(1, 3)]), []);
        assert_eq!(joined(&with(record(3, 1, 5)), &[]), [], "the person has a record of that feed");
        let same = FuzzyRecord { person: 1, ..record(3, 3, 5) };
        assert_eq!(joined(&with(same), &[]), [], "they are one already");
    }

    #[test]
    fn a_chain_of_likenesses_is_no_person() {
        // 1 and 2 are alike, 3 is alike to 2 alone: one pair of two. 4 is alike to 3 alone: one of three.
        let chain = [record(1, 1, 0), record(2, 2, 15), record(3, 3, 31), record(4, 4, 51)];
        assert_eq!(joined(&chain, &[]), [(1, 2, "low"), (2, 3, "low")]);
    }

    #[test]
    fn filters_of_other_rules_keys_and_epochs_and_records_without_one_join_nothing() {
        let other_epoch = Clk::new(space(2), filter(0).words()).expect("ones");
        let other_profile = Clk::new(Space { profile: [0; 16], ..space(1) }, filter(0).words()).expect("ones");
        let longer = Clk::new(space(1), &[1; 16]).expect("ones");
        for clk in [None, Some(other_epoch), Some(other_profile), Some(longer)] {
            let records = [record(1, 1, 0), FuzzyRecord { clk, ..record(2, 2, 0) }];
            assert_eq!(joined(&records, &[]), []);
        }
    }
}
