//! Pairs of records that a person should look at: no rule links them, and something speaks for it.

use std::collections::BTreeSet;

use super::conflict::Conflict;
use super::explain::explain;
use super::record::{LinkRecord, LinkToken};
use super::rules::{LinkRules, Tier, is_reserved};

/// What is to be verified about a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doubt {
    /// Keys agree that do not link by themselves: are the two one person?
    Suggested,
    /// A linking key agrees and an identifier or date of birth differs: is that right in both?
    Contradicted,
}

/// A pair of records that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Position of the record with the smaller key.
    pub first: usize,
    /// Position of the other.
    pub second: usize,
    /// What is to be verified.
    pub doubt: Doubt,
    /// The kinds that agree, or those that differ when the pair is contradicted; sorted.
    pub kinds: Vec<u16>,
}

/// Finds the candidates among records whose persons are known, ordered by the records' keys.
///
/// `persons` names each record's person; records of one person are no candidates. A value that more
/// than `most_holders` records share says little about anybody and proposes nothing.
pub fn candidates<K: Ord>(
    records: &[LinkRecord<K>],
    persons: &[i64],
    rules: &LinkRules,
    most_holders: usize,
) -> Vec<Candidate> {
    let mut held: Vec<(LinkToken, usize)> = Vec::new();
    for (place, record) in records.iter().enumerate() {
        let speaks = |token: &&LinkToken| rules.is_known(token.kind) && !is_reserved(token.kind);
        held.extend(record.tokens.iter().filter(speaks).map(|token| (*token, place)));
    }
    held.sort_unstable();
    held.dedup();
    let mut pairs: BTreeSet<(usize, usize)> = BTreeSet::new();
    for holders in held.chunk_by(|a, b| a.0 == b.0).filter(|holders| holders.len() <= most_holders) {
        for (at, (_, a)) in holders.iter().enumerate() {
            for (_, b) in &holders[at + 1..] {
                if persons[*a] != persons[*b] && records[*a].key != records[*b].key {
                    let is_ordered = records[*a].key < records[*b].key;
                    pairs.insert(if is_ordered { (*a, *b) } else { (*b, *a) });
                }
            }
        }
    }
    let mut found: Vec<Candidate> =
        pairs.into_iter().filter_map(|(first, second)| candidate(records, first, second, rules)).collect();
    found.sort_by(|a, b| {
        let key = |candidate: &Candidate| (&records[candidate.first].key, &records[candidate.second].key);
        key(a).cmp(&key(b))
    });
    found
}

fn candidate<K>(records: &[LinkRecord<K>], first: usize, second: usize, rules: &LinkRules) -> Option<Candidate> {
    let reasons = explain(&records[first], &records[second], rules);
    let agreed = || reasons.agreements.iter().filter(|agreement| !is_reserved(agreement.kind));
    let links = agreed().any(|agreement| agreement.tier != Tier::Suggest);
    let mut kinds: Vec<u16> = Vec::new();
    let doubt = if reasons.conflicts.is_empty() {
        if links {
            return None; // others of their persons conflict: these two alone cannot settle it
        }
        kinds.extend(agreed().map(|agreement| agreement.kind));
        Doubt::Suggested
    } else {
        for conflict in &reasons.conflicts {
            match conflict {
                Conflict::Identifier(kind) | Conflict::DateOfBirth(kind) => kinds.push(*kind),
                Conflict::Apart => return None,
            }
        }
        if !links {
            return None; // an identifier differs, and nothing else says that they are one
        }
        Doubt::Contradicted
    };
    kinds.sort_unstable();
    kinds.dedup();
    Some(Candidate { first, second, doubt, kinds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkage::cluster::clusters;
    use crate::linkage::people::{FORENAME_DATE_HOME, NHS, Person, SURNAME_DATE_HOME, TestRecord, rules, token};
    use crate::linkage::rules::{APART, PAIR_EPOCH};

    fn found(records: &[TestRecord]) -> Vec<(u32, u32, Doubt, Vec<u16>)> {
        let mut persons = vec![0; records.len()];
        for (name, cluster) in (0..).zip(clusters(records, &rules())) {
            cluster.members().iter().for_each(|&member| persons[member] = name);
        }
        let all = candidates(records, &persons, &rules(), 4);
        let key = |place: usize| records[place].key;
        all.into_iter().map(|it| (key(it.first), key(it.second), it.doubt, it.kinds)).collect()
    }

    #[test]
    fn a_changed_surname_and_a_mistyped_number_are_asked_about_and_linked_or_parted_records_are_not() {
        let before = Person::new("Demelza", "Carne", "1985-07-08").home("3 Bay View");
        let after = before.clone().surname("Poldark");
        let numbered = before.clone().postcode("TR2 2BB").nhs("9434765919");
        let mistyped = numbered.clone().home("1 Elsewhere").nhs("9434765870");
        let suggested = vec![FORENAME_DATE_HOME];
        assert_eq!(found(&[after.record(2), before.record(1)]), [(1, 2, Doubt::Suggested, suggested.clone())]);
        assert_eq!(found(&[before.record(1), before.record(2)]), [], "linked");
        let contradicted = found(&[numbered.record(1), mistyped.record(2)]);
        assert_eq!(contradicted, [(1, 2, Doubt::Contradicted, vec![NHS])]);

        let mut parted = [before.record(1), after.record(2)];
        for record in &mut parted {
            record.tokens.push(token(APART, PAIR_EPOCH, "x"));
        }
        assert_eq!(found(&parted), []);
    }

    #[test]
    fn twins_are_asked_about_and_what_a_whole_street_shares_is_not() {
        let twin = Person::new("Jowan", "Trelawny", "2012-03-04").home("1 Fore Street");
        let other = twin.clone().forename("Jago");
        assert_eq!(found(&[twin.record(1), other.record(2)]), [(1, 2, Doubt::Suggested, vec![SURNAME_DATE_HOME])]);
        let names = ["A", "B", "C", "D", "E"];
        let crowd: Vec<TestRecord> =
            (0..).zip(names).map(|(key, name)| twin.clone().forename(name).record(key)).collect();
        assert_eq!(found(&crowd), []);
    }
}
