//! How the persons of an answer have to be read without a wrong match.
//!
//! The entry keeps what was said and by which records, not their tokens. Which record stands with which
//! is told by the records as they are now: only where these come to the persons of that day, when the
//! match is left in, are they believed about how it is without. Otherwise every way of reading them is
//! tried, and an answer that is another one in some of them only is unsettled.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::app::policies::Policies;
use crate::app::publish::link_tokens;
use crate::domain::claim::{Person, RecordName};
use crate::domain::evidence::Member;
use crate::domain::recall::part;
use crate::domain::token::Blinded;
use crate::linkage::attach::attach;
use crate::linkage::record::{HouseholdToken, LinkRecord, LinkToken, RecordKey};
use crate::linkage::rules::{APART, PAIR_EPOCH, PARTED};
use crate::store::LinkableRecord;

/// The persons of an answer, with the pairs that were wrong in each.
pub(super) struct Reading<'a> {
    pub(super) policies: &'a Policies,
    pub(super) persons: &'a [Person],
    /// For each person, positions of records that are of different people.
    pub(super) parted: &'a [Vec<(usize, usize)>],
    /// The records as they are now.
    pub(super) now: &'a HashMap<RecordName, LinkableRecord>,
    /// What the person was asked about with; empty where that was no question about a person.
    pub(super) asked_with: &'a BTreeSet<Blinded>,
    pub(super) is_family: bool,
}

/// A record of the answer: its person, its position there, and how it links.
struct Placed {
    person: usize,
    place: usize,
    record: LinkRecord,
}

impl Reading<'_> {
    /// Everybody for whom the answer may have to be given without the wrong match: one way where it can
    /// be told, several where it cannot.
    pub(super) fn all(&self) -> Vec<Vec<Member>> {
        self.as_told_by_the_records().map_or_else(|| self.every_way(), |one| vec![one])
    }

    /// `None` where the records as they are now do not come to the persons of that day.
    fn as_told_by_the_records(&self) -> Option<Vec<Member>> {
        let placed = self.placed()?;
        let with: Vec<LinkRecord> = placed.iter().map(|it| it.record.clone()).collect();
        let persons = self.policies.persons(&with);
        let partition = |clusters: &[crate::linkage::cluster::Cluster]| -> BTreeSet<BTreeSet<usize>> {
            clusters.iter().map(|cluster| cluster.members().iter().copied().collect()).collect()
        };
        let mut then: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (at, record) in placed.iter().enumerate() {
            then.entry(record.person).or_default().insert(at);
        }
        if partition(&persons) != then.into_values().collect() {
            return None;
        }
        let tokens: Vec<LinkToken> = with
            .iter()
            .flat_map(|record| &record.tokens)
            .filter(|token| self.asked_with.contains(&token.value))
            .copied()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let rules = self.policies.link_rules();
        let before = attach(&tokens, &with, &persons, rules)?.cluster;
        if self.is_family && !self.all_share_a_home(&persons[before], &persons, &with) {
            return None;
        }

        let without = self.without_the_match(&placed);
        let parts = self.policies.persons(&without);
        let Some(asked) = attach(&tokens, &without, &parts, rules).map(|it| it.cluster) else {
            return Some(Vec::new()); // it reaches two people now: nobody is meant
        };
        let homes = homes_of(&parts[asked], &without);
        let is_in = |at: usize, cluster: &crate::linkage::cluster::Cluster| {
            at == asked || (self.is_family && !homes.is_disjoint(&homes_of(cluster, &without)))
        };
        let kept = parts.iter().enumerate().filter(|(at, cluster)| is_in(*at, cluster));
        kept.map(|(_, cluster)| {
            let places: Vec<usize> = cluster.members().iter().map(|&at| placed[at].place).collect();
            let person = placed[cluster.members()[0]].person;
            part(&self.persons[person], &places).map(|person| person.member)
        })
        .collect()
    }

    fn all_share_a_home(
        &self,
        asked: &crate::linkage::cluster::Cluster,
        all: &[crate::linkage::cluster::Cluster],
        records: &[LinkRecord],
    ) -> bool {
        let homes = homes_of(asked, records);
        self.persons.len() == 1 || all.iter().all(|cluster| !homes.is_disjoint(&homes_of(cluster, records)))
    }

    /// Every record of the answer as it links now, splits left out; `None` when one is no longer shown.
    fn placed(&self) -> Option<Vec<Placed>> {
        let mut all = Vec::new();
        for (person, of) in self.persons.iter().enumerate() {
            for (place, name) in of.records.iter().enumerate() {
                let now = self.now.get(name)?;
                let mut tokens = link_tokens(&self.policies.matching(&now.tokens));
                tokens.retain(|token| !matches!(token.kind, APART | PARTED));
                let key = RecordKey {
                    agency: name.agency.clone(),
                    feed: name.feed.clone(),
                    reference: name.reference.clone(),
                };
                let home =
                    |token: &crate::store::StoredToken| HouseholdToken { epoch: token.epoch, value: token.blinded };
                let households = now.households.iter().filter(|it| self.policies.matches(it)).map(home).collect();
                all.push(Placed { person, place, record: LinkRecord { key, tokens, households } });
            }
        }
        Some(all)
    }

    fn without_the_match(&self, placed: &[Placed]) -> Vec<LinkRecord> {
        let mut records: Vec<LinkRecord> = placed.iter().map(|it| it.record.clone()).collect();
        let mut number = 0_u64;
        for (person, pairs) in self.parted.iter().enumerate() {
            let at = |place: usize| placed.iter().position(|it| it.person == person && it.place == place);
            for &(a, b) in pairs {
                number += 1;
                let mut value = [0; 16];
                value[..8].copy_from_slice(&number.to_be_bytes());
                let token = LinkToken { kind: APART, epoch: PAIR_EPOCH, value: Blinded::new(value) };
                for place in [a, b].into_iter().filter_map(at) {
                    records[place].tokens.push(token);
                }
            }
        }
        records
    }

    /// Each side of each wrong pair alone, beside the persons whom nothing was wrong about; and all of
    /// the sides together.
    fn every_way(&self) -> Vec<Vec<Member>> {
        let is_whole = |person: usize| self.parted[person].is_empty();
        let whole: Vec<Member> = (0..self.persons.len())
            .filter(|&person| is_whole(person) && self.is_family)
            .map(|person| self.persons[person].member.clone())
            .collect();
        let mut ways: Vec<Vec<Member>> = Vec::new();
        let mut together = whole.clone();
        for (person, pairs) in self.parted.iter().enumerate() {
            let count = self.persons[person].records.len();
            for &(a, b) in pairs {
                for left_out in [a, b] {
                    let places: Vec<usize> = (0..count).filter(|&place| place != left_out).collect();
                    for places in [places, vec![left_out]] {
                        let Some(side) = part(&self.persons[person], &places) else { continue };
                        let mut way = whole.clone();
                        way.push(side.member);
                        ways.push(way);
                    }
                }
            }
            if let Some(&(a, _)) = pairs.first() {
                let rest: Vec<usize> = (0..count).filter(|&place| place != a).collect();
                let sides = [vec![a], rest].into_iter().filter_map(|places| part(&self.persons[person], &places));
                together.extend(sides.map(|side| side.member));
            }
        }
        if self.is_family {
            ways.push(together);
        }
        ways
    }
}

fn homes_of(cluster: &crate::linkage::cluster::Cluster, records: &[LinkRecord]) -> BTreeSet<HouseholdToken> {
    cluster.members().iter().flat_map(|&member| records[member].households.iter().copied()).collect()
}
