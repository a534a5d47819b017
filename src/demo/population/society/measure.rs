//! Links and families beside the truth.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::agencies::{Entry, entries};
use super::bounds::upper_bound;
use super::people::{Society, TODAY};
use crate::domain::ids::TokenType;
use crate::domain::match_keys::{Conflict, MatchKeys, Tier as KeyTier};
use crate::domain::token::Blinded;
use crate::identity::{Derived, Deriver, RawFields};
use crate::linkage::cluster::{Cluster, clusters};
use crate::linkage::household::{Resident, Standing, households};
use crate::linkage::record::{HouseholdToken, LinkRecord, LinkToken};
use crate::linkage::rules::{ConflictRole, KindRule, LinkRules, LinkRulesError, Tier};

/// How well people and families were found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Persons of whom there is a record.
    pub people: u64,
    /// Records.
    pub records: u64,
    /// Pairs of records that were linked.
    pub linked_pairs: u64,
    /// Of these, pairs of two people's records.
    pub false_pairs: u64,
    /// Pairs of records of one person.
    pub true_pairs: u64,
    /// Of these, those that were linked.
    pub found_pairs: u64,
    /// Pairs of people who live together with a child.
    pub household_true: u64,
    /// Pairs of people who were found to be of one family.
    pub household_found: u64,
    /// Of these, those who live together.
    pub household_right: u64,
    /// What became of those who are easily missed.
    pub groups: Vec<Group>,
}

/// Pairs of records of one person that have something in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What.
    pub name: &'static str,
    /// How many pairs there are.
    pub true_pairs: u64,
    /// How many were linked.
    pub found_pairs: u64,
}

impl Figures {
    /// Pairs of two people among ten thousand linked ones.
    pub fn false_in_10_000(&self) -> f64 {
        share(self.false_pairs, self.linked_pairs) * 10_000.0
    }
    /// At most so many, with a confidence of 95%.
    pub fn most_false_in_10_000(&self) -> f64 {
        upper_bound(self.false_pairs, self.linked_pairs, 0.95) * 10_000.0
    }
    /// The harmonic mean of precision and recall over pairs of people of one household.
    pub fn household_f1(&self) -> f64 {
        share(2 * self.household_right, self.household_true + self.household_found)
    }
}

/// A part of a whole; 0 of nothing.
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The rules of a match-keys file, a kind for each key in its order.
///
/// # Errors
///
/// [`LinkRulesError`] if a key with a date names no strong one; a parsed file always does.
pub fn rules_of(keys: &MatchKeys) -> Result<LinkRules, LinkRulesError> {
    let place = |name: &TokenType| keys.keys().iter().position(|key| key.name == *name).map(|place| place as u16);
    let kinds = (0..).zip(keys.keys()).map(|(rank, key)| KindRule {
        tier: if key.tier == KeyTier::Link { Tier::Link(rank) } else { Tier::Suggest },
        conflict: match &key.conflict {
            None => ConflictRole::None,
            Some(Conflict::Strong) => ConflictRole::Strong,
            Some(Conflict::WithDate { of }) => place(of).map_or(ConflictRole::None, |of| ConflictRole::WithDate { of }),
        },
    });
    let composites = (0..).zip(keys.keys()).filter(|(_, key)| key.is_composite(keys.fields())).map(|(kind, _)| kind);
    Ok(LinkRules::new(kinds.collect())?.with_composites(composites.collect()))
}

/// Lets six agencies describe a society, links what they say, and compares.
///
/// # Panics
///
/// Never: a file of match keys that was read names the strong key of each key with a date.
pub fn measure(keys: &MatchKeys, society: &Society, seed: u64) -> Figures {
    let entries = entries(society, seed);
    let records = records(keys, &entries);
    let rules = rules_of(keys).expect("a parsed file names the strong key of each key with a date");
    let persons = clusters(&records, &rules);
    let mut figures = links(&entries, &persons);
    families(society, &entries, &records, &persons, &mut figures);
    figures
}

/// The entries as the gateway would see them: every value only as a hash.
pub fn records(keys: &MatchKeys, entries: &[Entry]) -> Vec<LinkRecord<u32>> {
    let mut deriver = Deriver::new(keys);
    let mut derived = Derived::default();
    (0..)
        .zip(entries)
        .map(|(number, entry)| {
            let mut raw = RawFields::new();
            for (field, text) in &entry.texts {
                raw.push(keys, field, text);
            }
            deriver.derive(&raw, TODAY, &mut derived);
            let mut record = LinkRecord { key: number, tokens: Vec::new(), households: Vec::new() };
            for (kind, bytes) in derived.values() {
                let value = hashed(kind, bytes);
                match keys.keys()[kind].tier {
                    KeyTier::Household => record.households.push(HouseholdToken { epoch: 1, value }),
                    _ => record.tokens.push(LinkToken { kind: kind as u16, epoch: 1, value }),
                }
            }
            record
        })
        .collect()
}

fn hashed(kind: usize, value: &[u8]) -> Blinded {
    let mut hash = Sha256::new();
    hash.update((kind as u64).to_be_bytes());
    hash.update(value);
    let digest: [u8; 32] = hash.finalize().into();
    let (first, _) = digest.split_first_chunk::<16>().expect("32 bytes begin with 16");
    Blinded::new(*first)
}

/// What a pair of entries of one person may be counted under.
fn groups_of(a: &Entry, b: &Entry, society_names: bool) -> [bool; 4] {
    [
        a.has_old_surname != b.has_old_surname,
        a.lacks_postcode || b.lacks_postcode,
        !a.identifiers.iter().any(|identifier| b.identifiers.contains(identifier)),
        society_names,
    ]
}

const GROUPS: [&str; 4] =
    ["changed surname", "missing postcode", "no strong identifier in common", "minority name form"];

fn links(entries: &[Entry], persons: &[Cluster]) -> Figures {
    let mut cluster_of = vec![0; entries.len()];
    for (place, person) in persons.iter().enumerate() {
        person.members().iter().for_each(|&member| cluster_of[member] = place);
    }
    let mut of_person: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, entry) in entries.iter().enumerate() {
        of_person.entry(entry.person).or_default().push(place);
    }
    let pairs = |n: usize| (n * n.saturating_sub(1) / 2) as u64;
    let linked_pairs: u64 = persons.iter().map(|person| pairs(person.members().len())).sum();
    let (mut true_pairs, mut found_pairs) = (0, 0);
    let mut groups = GROUPS.map(|name| Group { name, true_pairs: 0, found_pairs: 0 });
    for own in of_person.values() {
        for (at, &a) in own.iter().enumerate() {
            for &b in &own[at + 1..] {
                let found = u64::from(cluster_of[a] == cluster_of[b]);
                true_pairs += 1;
                found_pairs += found;
                let has_forms = entries[a].writes_otherwise(&entries[b]);
                for (group, _) in
                    groups.iter_mut().zip(groups_of(&entries[a], &entries[b], has_forms)).filter(|(_, is)| *is)
                {
                    group.true_pairs += 1;
                    group.found_pairs += found;
                }
            }
        }
    }
    Figures {
        people: of_person.len() as u64,
        records: entries.len() as u64,
        linked_pairs,
        false_pairs: linked_pairs - found_pairs,
        true_pairs,
        found_pairs,
        household_true: 0,
        household_found: 0,
        household_right: 0,
        groups: groups.into(),
    }
}

fn families(
    society: &Society,
    entries: &[Entry],
    records: &[LinkRecord<u32>],
    persons: &[Cluster],
    figures: &mut Figures,
) {
    let residents: Vec<Resident> = persons
        .iter()
        .map(|person| {
            let members = person.members().iter();
            members.fold(Resident::default(), |resident, &member| {
                resident.with_record(entries[member].role, &records[member].households)
            })
        })
        .collect();
    // A cluster stands for the person of whom most of its records are.
    let stands_for = |person: &Cluster| {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        person.members().iter().for_each(|&member| *counts.entry(entries[member].person).or_default() += 1);
        counts.into_iter().max_by_key(|(person, count)| (*count, std::cmp::Reverse(*person))).map(|(person, _)| person)
    };
    let who: Vec<Option<usize>> = persons.iter().map(stands_for).collect();
    let mut found: BTreeSet<(usize, usize)> = BTreeSet::new();
    for household in households(&residents).iter().filter(|household| household.standing == Standing::Family) {
        let members: BTreeSet<usize> = household.members.iter().filter_map(|&member| who[member]).collect();
        found.extend(pairs_of(&members));
    }
    let known: BTreeSet<usize> = entries.iter().map(|entry| entry.person).collect();
    let mut living_together: BTreeSet<(usize, usize)> = BTreeSet::new();
    for family in &society.families {
        let members = family.iter().copied().filter(|member| known.contains(member)).collect();
        living_together.extend(pairs_of(&members));
    }
    figures.household_true = living_together.len() as u64;
    figures.household_found = found.len() as u64;
    figures.household_right = found.intersection(&living_together).count() as u64;
}

fn pairs_of(members: &BTreeSet<usize>) -> Vec<(usize, usize)> {
    members.iter().flat_map(|&a| members.range(a + 1..).map(move |&b| (a, b))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_counted_over_pairs() {
        let entry = |person| Entry {
            person,
            agency: 0,
            role: crate::domain::record::Role::Adult,
            texts: Vec::new(),
            has_old_surname: false,
            lacks_postcode: false,
            identifiers: vec!["nhs"],
            other_forms: [false; 2],
        };
        let entries = [entry(1), entry(1), entry(2), entry(2)];
        let keys = MatchKeys::parse(crate::identity::UK_MATCH_KEYS).expect("the shipped file");
        let record = |key: u32, value: u8| LinkRecord {
            key,
            tokens: vec![LinkToken { kind: 1, epoch: 1, value: Blinded::new([value; 16]) }],
            households: Vec::new(),
        };
        // The first three are taken for one person, the fourth is alone.
        let records = [record(0, 7), record(1, 7), record(2, 7), record(3, 8)];
        let figures = links(&entries, &clusters(&records, &rules_of(&keys).expect("rules")));
        assert_eq!((figures.linked_pairs, figures.false_pairs), (3, 2));
        assert_eq!((figures.true_pairs, figures.found_pairs), (2, 1));
        assert!(figures.groups.iter().all(|group| group.true_pairs == 0));
    }
}
