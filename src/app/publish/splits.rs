//! How a recorded split reaches those who see only one side of it.
//!
//! Two records were found to be different people. Somebody who may see only one of them, and a third
//! record that is surely of the other one's person, must not be told that these two are one. So every
//! record carries the splits of its person, each with the side on which the person stands.

use std::collections::BTreeMap;

use crate::domain::token::Blinded;
use crate::linkage::cluster::Cluster;
use crate::linkage::record::{LinkRecord, LinkToken};
use crate::linkage::rules::{APART, PARTED};

/// The records without the tokens of splits; `None` when none of them has any.
pub(super) fn without_splits<K: Clone>(records: &[LinkRecord<K>]) -> Option<Vec<LinkRecord<K>>> {
    let parts = |token: &LinkToken| token.kind == APART;
    if !records.iter().any(|record| record.tokens.iter().any(parts)) {
        return None;
    }
    let mut records = records.to_vec();
    for record in &mut records {
        record.tokens.retain(|token| !parts(token));
    }
    Some(records)
}

/// For each person of a component, the marks of the splits that stand between it and others: the
/// number of the split in the component, then the record that names the person.
pub(super) fn marks<K>(
    records: &[LinkRecord<K>],
    persons: &[Cluster],
    id: impl Fn(usize) -> i64,
) -> Vec<Vec<[u8; 16]>> {
    let mut splits: BTreeMap<Blinded, Vec<usize>> = BTreeMap::new();
    for (place, person) in persons.iter().enumerate() {
        let held = person.members().iter().flat_map(|&member| &records[member].tokens);
        for token in held.filter(|token| token.kind == APART) {
            splits.entry(token.value).or_default().push(place);
        }
    }
    let mut marks = vec![Vec::new(); persons.len()];
    for (number, sides) in (0_u32..).zip(splits.values()) {
        for &side in sides.iter().filter(|_| sides.len() > 1) {
            let mut mark = [0; 16];
            mark[..4].copy_from_slice(&number.to_be_bytes());
            mark[8..].copy_from_slice(&id(persons[side].members()[0]).to_be_bytes());
            marks[side].push(mark);
        }
    }
    marks
}

/// Marks as linkage sees them: the split stands in the place of the epoch, the side is the value.
pub(in crate::app) fn parted_tokens(marks: &[[u8; 16]]) -> Vec<LinkToken> {
    let token = |mark: &[u8; 16]| LinkToken {
        kind: PARTED,
        epoch: u32::from_be_bytes([mark[0], mark[1], mark[2], mark[3]]),
        value: Blinded::new(*mark),
    };
    marks.iter().map(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkage::cluster::clusters;
    use crate::linkage::rules::{ConflictRole, KindRule, LinkRules, PAIR_EPOCH, Tier};

    const NUMBER: u16 = 0;
    const NAME: u16 = 1;

    fn rules() -> LinkRules {
        let rule = |rank| KindRule { tier: Tier::Link(rank), conflict: ConflictRole::None };
        LinkRules::new(vec![rule(0), rule(1)]).expect("two kinds")
    }

    fn record(key: u32, tokens: &[(u16, u8)]) -> LinkRecord<u32> {
        let token = |&(kind, value): &(u16, u8)| {
            let epoch = if kind == APART { PAIR_EPOCH } else { 1 };
            LinkToken { kind, epoch, value: Blinded::new([value; 16]) }
        };
        LinkRecord { key, tokens: tokens.iter().map(token).collect(), households: Vec::new() }
    }

    #[test]
    fn who_sees_one_side_of_a_split_keeps_the_other_sides_records_apart_from_it() {
        // 1 was parted from 2. 3 has 2's number, and 1's name. 4 is surely 1.
        let records = [
            record(1, &[(NAME, 7), (APART, 9), (NUMBER, 5)]),
            record(2, &[(NUMBER, 6), (NAME, 7), (APART, 9)]),
            record(3, &[(NUMBER, 6), (NAME, 7)]),
            record(4, &[(NUMBER, 5)]),
        ];
        let persons = clusters(&records, &rules());
        assert_eq!(persons.iter().map(Cluster::members).collect::<Vec<_>>(), [vec![0, 3], vec![1, 2]]);
        let marks = marks(&records, &persons, |place| place as i64);
        let seen = |places: &[(usize, usize)]| -> Vec<LinkRecord<u32>> {
            let with_marks = |&(place, person): &(usize, usize)| {
                let mut record = records[place].clone();
                record.tokens.extend(parted_tokens(&marks[person]));
                record
            };
            places.iter().map(with_marks).collect()
        };
        assert_eq!(clusters(&[records[0].clone(), records[2].clone()], &rules()).len(), 1, "without marks");
        assert_eq!(clusters(&seen(&[(0, 0), (2, 1)]), &rules()).len(), 2, "2 is out of sight, its split is not");
        assert_eq!(clusters(&seen(&[(0, 0), (3, 0)]), &rules()).len(), 1, "one side stays one person");
        assert_eq!(clusters(&without_splits(&records).expect("one split"), &rules()).len(), 1);
        assert!(without_splits(&records[2..]).is_none());
    }
}
