//! What a recall is about, and whether an answer would have been another one without it.
//!
//! Two things can be wrong: two records that were taken for one person, or a delivery. An answer is
//! judged again from the evidence that its entry keeps, once for every way in which its persons may
//! have to be read without what was wrong. Mostly there is one such way. Where the records of that day
//! can no longer be told apart there are several, and an answer that comes out the same in some of them
//! only is *unsettled*: whoever received it is told so.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::claim::{Person, RecordName};
use super::enquiry::{Answer, Answered};
use super::evidence::{Facts, Member};
use super::ids::SubmissionId;
use super::item::AnswerMode;

/// What was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wrong", rename_all = "snake_case")]
pub enum Wrong {
    /// Pairs of records that are of different people.
    Pairs {
        /// The two records of each.
        pairs: Vec<(RecordName, RecordName)>,
    },
    /// A record that is of nobody else's person: it is parted from every record of other agencies.
    Record {
        /// The record.
        record: RecordName,
    },
    /// A delivery: what it said counts for nothing.
    Delivery {
        /// The submission.
        submission: SubmissionId,
    },
}

impl Wrong {
    /// The pairs of records that one person's records may not hold.
    pub fn parted(&self, records: &[RecordName]) -> Vec<(usize, usize)> {
        let place = |name: &RecordName| records.iter().position(|record| record == name);
        match self {
            Self::Pairs { pairs } => pairs.iter().filter_map(|(a, b)| Some((place(a)?, place(b)?))).collect(),
            Self::Record { record } => {
                let Some(own) = place(record) else { return Vec::new() };
                let others = (0..records.len()).filter(|&other| records[other].agency != record.agency);
                others.map(|other| (own, other)).collect()
            }
            Self::Delivery { .. } => Vec::new(),
        }
    }
}

/// How an answer comes out without what was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same: who received it was told nothing wrong.
    Untouched,
    /// Another one.
    Wrong,
    /// Another one in some of the ways in which it can be read.
    Unsettled,
}

impl Verdict {
    /// Judges an answer again. `readings` are the families for whom it may have to be answered.
    pub fn of(was: &Answer, mode: AnswerMode, readings: &[Vec<Member>], facts: &Facts<'_>) -> Self {
        let is_same = |members: &Vec<Member>| Answered::new(mode, members, facts).answer == *was;
        let same = readings.iter().filter(|members| is_same(members)).count();
        match same {
            0 if !readings.is_empty() => Self::Wrong,
            same if same == readings.len() => Self::Untouched,
            _ => Self::Unsettled,
        }
    }
}

/// A person without the statements of some records; `None` when nothing is left.
pub fn without(person: &Person, unsaid: &BTreeSet<usize>) -> Option<Person> {
    let kept: Vec<usize> = (0..person.records.len()).filter(|place| !unsaid.contains(place)).collect();
    if kept.is_empty() {
        return None;
    }
    part(person, &kept)
}

/// The part of a person that some of its records are.
pub fn part(person: &Person, places: &[usize]) -> Option<Person> {
    let records = places.iter().map(|&place| person.records.get(place).cloned()).collect::<Option<Vec<_>>>()?;
    let statements =
        places.iter().map(|&place| person.member.statements.get(place).cloned()).collect::<Option<Vec<_>>>()?;
    Some(Person { records, member: Member { statements } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::OpaqueRef;

    fn name(agency: &str, last: char) -> RecordName {
        RecordName {
            agency: agency.parse().expect("a code"),
            feed: "cases".parse().expect("a code"),
            reference: OpaqueRef::parse(&format!("AAAAAAAAAAAAAAAAAAAA{last}A")).expect("22"),
        }
    }

    #[test]
    fn a_pair_parts_only_a_person_who_has_both_records() {
        let (a, b, c) = (name("education", 'A'), name("housing", 'B'), name("police", 'C'));
        let wrong = Wrong::Pairs { pairs: vec![(a.clone(), c.clone())] };
        assert!(wrong.parted(&[a.clone(), b.clone()]).is_empty());
        assert_eq!(wrong.parted(&[c, b, a]), [(2, 0)]);
    }

    #[test]
    fn a_record_alone_is_parted_from_other_agencies_records_and_not_from_its_own() {
        let own = name("education", 'A');
        let wrong = Wrong::Record { record: own.clone() };
        let records = [name("education", 'B'), name("housing", 'A'), own];
        assert_eq!(wrong.parted(&records), [(2, 1)]);
        assert!(wrong.parted(&records[..2]).is_empty());
    }

    #[test]
    fn a_person_without_its_last_record_is_nobody() {
        let person = Person { records: vec![name("education", 'A')], member: Member { statements: Vec::new() } };
        assert_eq!(without(&person, &BTreeSet::from([0])), None);
    }
}
