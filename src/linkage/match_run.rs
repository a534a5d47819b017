//! Which families a match run finds: every stage as a pure function of the run's snapshot.
//!
//! A snapshot holds what the permitted records said at one moment, so that the stages come to the same
//! bytes whenever they are run again. Nothing here depends on the order of the records: results are
//! sorted by (agency, feed, reference).

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::cluster::clusters_where;
use super::household::{Household, Resident, Standing, households};
use super::record::{HouseholdToken, LinkRecord, LinkToken, RecordKey};
use super::rules::LinkRules;
use super::standing_family::{Dweller, FeedName, standing_families};
use crate::domain::evidence::{Assessment, EvidenceState, Facts, Member, Statement};
use crate::domain::family::RecordName;
use crate::domain::ids::{AgencyCode, AreaCode, CriterionCode, FeedCode, OpaqueRef, TokenType};
use crate::domain::record::{Evidence, EvidenceGrade, Flag, FlagState, ParentalResponsibility, Role};
use crate::domain::token::{Blinded, Token, decode_base64url, encode_base64url};

/// A record as the snapshot keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The stored component: persons are clustered within it.
    pub component: i64,
    /// Whose.
    pub agency: AgencyCode,
    /// From which feed.
    pub feed: FeedCode,
    /// The agency's reference.
    #[serde(rename = "ref")]
    pub reference: OpaqueRef,
    /// Its tokens, marks of recorded splits among them.
    #[serde(with = "packed")]
    pub tokens: Vec<LinkToken>,
    /// Its current addresses; none where its terms do not show them.
    pub homes: Vec<RunHome>,
    /// What it says, cut down to what its terms permit.
    pub evidence: Evidence,
}

/// An address of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunHome {
    /// The epoch of the token.
    pub epoch: u32,
    /// The token as stored.
    #[serde(with = "blinded")]
    pub value: Blinded,
    /// The type and the token as the agency made it; absent of records that came before it was kept.
    pub made: Option<(TokenType, Token)>,
}

impl RunHome {
    fn token(&self) -> HouseholdToken {
        HouseholdToken { epoch: self.epoch, value: self.value }
    }
}

impl RunRecord {
    /// The name of the record for good.
    pub fn name(&self) -> RecordName {
        RecordName { agency: self.agency.clone(), feed: self.feed.clone(), reference: self.reference.clone() }
    }
}

/// What the stages go by besides the snapshot.
pub struct Basis<'a> {
    /// What each kind of token may do.
    pub rules: &'a LinkRules,
    /// A number for a feed that has one record a person.
    pub one_each: &'a dyn Fn(&RecordKey) -> Option<u32>,
    /// Programme, permitted set, deliveries and the run's day.
    pub facts: &'a Facts<'a>,
    /// Whose word on addresses is enough.
    pub is_authoritative: &'a dyn Fn(&FeedName) -> bool,
    /// In how many areas a family has to meet criteria.
    pub threshold: usize,
}

/// One person of the snapshot.
#[derive(Debug, Clone)]
pub struct RunPerson {
    records: Vec<RecordName>,
    member: Member,
    dweller: Dweller,
    resident: Resident,
}

/// What the benefits agency said of the listed households.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenefitsWord {
    /// The agency.
    pub agency: AgencyCode,
    /// The feed in whose place the reply stands.
    pub feed: FeedCode,
    /// The criterion that was answered.
    pub criterion: CriterionCode,
    /// The day of the reply.
    pub on: Date,
    /// The addresses for which it is met.
    pub met: BTreeSet<HouseholdToken>,
}

/// A family that meets criteria in enough areas. As JSON it is one line of a run's output.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CandidateFamily {
    /// The smallest name among its records.
    pub key: RecordName,
    /// Its people, each as the sorted names of the records.
    pub people: Vec<Vec<RecordName>>,
    /// The areas that are met, sorted.
    pub areas: Vec<AreaCode>,
}

/// What the last stage found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Candidate families, sorted.
    pub families: Vec<CandidateFamily>,
    /// Households with more people than a family has: for somebody to look at, never families.
    pub quarantined: usize,
}

/// Who is who in a snapshot. The addresses of `set_aside` records count for nothing: their holders said
/// that they are not these people's homes.
pub fn people(records: &[RunRecord], set_aside: &BTreeSet<RecordName>, basis: &Basis<'_>) -> Vec<RunPerson> {
    let mut by_component: BTreeMap<i64, Vec<&RunRecord>> = BTreeMap::new();
    for record in records {
        by_component.entry(record.component).or_default().push(record);
    }
    let mut people = Vec::new();
    for mut component in by_component.into_values() {
        component.sort_by_key(|record| record.name());
        let homes = |record: &RunRecord| -> Vec<HouseholdToken> {
            let counts = !set_aside.contains(&record.name());
            record.homes.iter().filter(|_| counts).map(RunHome::token).collect()
        };
        let linkable: Vec<LinkRecord> = component
            .iter()
            .map(|record| LinkRecord {
                key: RecordKey {
                    agency: record.agency.clone(),
                    feed: record.feed.clone(),
                    reference: record.reference.clone(),
                },
                tokens: record.tokens.clone(),
                households: homes(record),
            })
            .collect();
        for cluster in clusters_where(&linkable, basis.rules, basis.one_each) {
            let mut person = RunPerson {
                records: Vec::new(),
                member: Member::default(),
                dweller: Dweller::default(),
                resident: Resident::default(),
            };
            for &place in cluster.members() {
                let (record, homes) = (component[place], &linkable[place].households);
                let said = &record.evidence;
                let feed = (record.agency.clone(), record.feed.clone());
                person.dweller = person.dweller.with_record(feed, said.role, said.send_18_25, homes);
                person.resident = person.resident.with_record(said.role, homes).with_young_person(said.send_18_25);
                person.records.push(record.name());
                person.member.statements.push(Statement {
                    agency: record.agency.clone(),
                    feed: record.feed.clone(),
                    evidence: said.clone(),
                });
            }
            person.records.sort();
            people.push(person);
        }
    }
    people.sort_by(|a, b| a.records.cmp(&b.records));
    people
}

/// Stage 1: the addresses of households that may be a family and of which somebody meets a criterion by
/// the word of another agency than the one that will be asked.
pub fn households_with_a_criterion(
    people: &[RunPerson],
    asked: &AgencyCode,
    basis: &Basis<'_>,
) -> BTreeSet<HouseholdToken> {
    let meets: Vec<bool> = people
        .iter()
        .map(|person| {
            let mut others = person.member.clone();
            others.statements.retain(|said| said.agency != *asked);
            !areas_met(&others, basis).is_empty()
        })
        .collect();
    let families = all_households(people).into_iter().filter(|household| household.standing == Standing::Family);
    let found = families.filter(|household| household.members.iter().any(|&member| meets[member]));
    found.flat_map(|household| household.tokens).collect()
}

/// Stage 3: the families that meet criteria in enough areas, the benefits agency's word included.
pub fn candidate_families(people: &[RunPerson], word: Option<&BenefitsWord>, basis: &Basis<'_>) -> Found {
    let areas: Vec<BTreeSet<AreaCode>> = people.iter().map(|person| areas_met(&person.member, basis)).collect();
    let said = word.map(|word| (word, areas_met(&adult_of(word), basis)));
    let households = all_households(people);
    let dwellers: Vec<Dweller> = people.iter().map(|person| person.dweller.clone()).collect();
    let standings = standing_families(&dwellers, basis.is_authoritative);
    let distinct: BTreeSet<Vec<usize>> = standings.families.into_iter().collect();
    let mut families = BTreeSet::new();
    for members in distinct {
        let mut met: BTreeSet<AreaCode> = members.iter().flat_map(|&one| areas[one].iter().cloned()).collect();
        if let Some((word, its_areas)) = &said
            && members.iter().any(|&one| may_be_meant(&people[one]))
            && homes_of(&members, &households).any(|home| word.met.contains(home))
        {
            met.extend(its_areas.iter().cloned());
        }
        if met.len() < basis.threshold {
            continue;
        }
        let mut named: Vec<Vec<RecordName>> = members.iter().map(|&one| people[one].records.clone()).collect();
        named.sort();
        let Some(key) = named.iter().flatten().min().cloned() else { continue };
        families.insert(CandidateFamily { key, people: named, areas: met.into_iter().collect() });
    }
    Found { families: families.into_iter().collect(), quarantined: standings.quarantined.len() }
}

/// The output of a run: a line of JSON for each family, the members of objects in the order of their names.
pub fn output(families: &[CandidateFamily]) -> Result<Vec<u8>, serde_json::Error> {
    let mut lines = Vec::new();
    for family in families {
        let CandidateFamily { key, people, areas } = family;
        serde_json::to_writer(&mut lines, &Line { areas, key, people })?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// A family as a line of output: its members in the order of their names.
#[derive(Serialize)]
struct Line<'a> {
    areas: &'a [AreaCode],
    key: &'a RecordName,
    people: &'a [Vec<RecordName>],
}

/// How two runs differ. Counts alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunDifference {
    /// Families of a name that the earlier run did not have.
    pub added: u64,
    /// Families of a name that the later run does not have.
    pub gone: u64,
    /// Families of a name that both have, with other people or other areas.
    pub changed: u64,
}

/// Counts what became of the families of an earlier run.
pub fn difference(earlier: &[CandidateFamily], later: &[CandidateFamily]) -> RunDifference {
    let mut names: BTreeMap<&RecordName, [BTreeSet<&CandidateFamily>; 2]> = BTreeMap::new();
    for (side, families) in [earlier, later].into_iter().enumerate() {
        for family in families {
            names.entry(&family.key).or_default()[side].insert(family);
        }
    }
    let mut difference = RunDifference::default();
    for [before, after] in names.values() {
        // A child of two homes can name two families.
        let (left, come) = (before.difference(after).count() as u64, after.difference(before).count() as u64);
        let changed = left.min(come);
        difference.changed += changed;
        difference.gone += left - changed;
        difference.added += come - changed;
    }
    difference
}

fn areas_met(member: &Member, basis: &Basis<'_>) -> BTreeSet<AreaCode> {
    let assessed = Assessment::of(std::slice::from_ref(member), basis.facts);
    assessed.areas.into_iter().filter(|found| found.state == EvidenceState::Met).map(|found| found.area).collect()
}

/// What the benefits agency says of a household, as a statement about an adult of it: judged by the
/// criteria, the terms and the day as any other.
fn adult_of(word: &BenefitsWord) -> Member {
    let flag = Flag {
        criterion: word.criterion.clone(),
        state: FlagState::Met,
        from: word.on,
        to: None,
        evidence: EvidenceGrade::Hard,
    };
    let evidence = Evidence {
        role: Role::Adult,
        parental_responsibility: ParentalResponsibility::Yes,
        flags: vec![flag],
        ..Evidence::default()
    };
    Member { statements: vec![Statement { agency: word.agency.clone(), feed: word.feed.clone(), evidence }] }
}

/// Whether a word on "an adult of the household" can be about this person: somebody says that it is an
/// adult, and nobody that the adult has no parental responsibility.
fn may_be_meant(person: &RunPerson) -> bool {
    let said = || person.member.statements.iter().map(|said| &said.evidence);
    said().any(|said| said.role == Role::Adult)
        && !said().any(|said| said.role == Role::Child || said.parental_responsibility == ParentalResponsibility::No)
}

fn all_households(people: &[RunPerson]) -> Vec<Household> {
    let residents: Vec<Resident> = people.iter().map(|person| person.resident.clone()).collect();
    households(&residents)
}

/// The addresses at which all of these people live.
fn homes_of<'h>(members: &[usize], households: &'h [Household]) -> impl Iterator<Item = &'h HouseholdToken> {
    let everybody: BTreeSet<usize> = members.iter().copied().collect();
    let of_all = households.iter().filter(move |household| {
        household.standing == Standing::Family && everybody.iter().all(|one| household.members.contains(one))
    });
    of_all.flat_map(|household| &household.tokens)
}

/// Tokens as texts of 22 bytes.
mod packed {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Blinded, LinkToken, decode_base64url, encode_base64url};

    pub(super) fn serialize<S: Serializer>(tokens: &[LinkToken], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(tokens.iter().map(|token| {
            let bytes = [&token.kind.to_be_bytes()[..], &token.epoch.to_be_bytes(), token.value.as_bytes()].concat();
            encode_base64url(&bytes)
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<LinkToken>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let read = |text: &String| {
            let bytes: [u8; 22] = decode_base64url(text)?;
            let (kind, rest) = bytes.split_first_chunk::<2>()?;
            let (epoch, value) = rest.split_first_chunk::<4>()?;
            Some(LinkToken {
                kind: u16::from_be_bytes(*kind),
                epoch: u32::from_be_bytes(*epoch),
                value: Blinded::new(value.try_into().ok()?),
            })
        };
        texts.iter().map(|text| read(text).ok_or_else(|| D::Error::custom("not a stored token"))).collect()
    }
}

mod blinded {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Blinded, decode_base64url, encode_base64url};

    pub(super) fn serialize<S: Serializer>(token: &Blinded, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode_base64url(token.as_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Blinded, D::Error> {
        let text = String::deserialize(deserializer)?;
        decode_base64url(&text).map(Blinded::new).ok_or_else(|| D::Error::custom("not a stored token"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u8) -> RecordName {
        RecordName {
            agency: "education".parse().expect("a code"),
            feed: "attendance".parse().expect("a code"),
            reference: OpaqueRef::parse(&encode_base64url(&[number; 16])).expect("22"),
        }
    }

    fn family(key: u8, other: u8, areas: &[&str]) -> CandidateFamily {
        let areas = areas.iter().map(|area| AreaCode::parse(area).expect("a code")).collect();
        CandidateFamily { key: name(key), people: vec![vec![name(key)], vec![name(other)]], areas }
    }

    #[test]
    fn a_difference_counts_what_came_what_went_and_what_is_another_family_under_the_same_name() {
        let before = [family(1, 2, &["A1", "A2"]), family(3, 4, &["A1", "A2"]), family(5, 6, &["A1", "A2"])];
        let after = [family(1, 2, &["A1", "A2"]), family(3, 4, &["A1", "A3"]), family(7, 8, &["A1", "A2"])];
        assert_eq!(difference(&before, &after), RunDifference { added: 1, gone: 1, changed: 1 });
        assert_eq!(difference(&before, &before), RunDifference::default());
        // Two families of one name, of which one goes.
        let two = [family(1, 2, &["A1", "A2"]), family(1, 9, &["A1", "A2"])];
        assert_eq!(difference(&two, &two[..1]), RunDifference { gone: 1, ..RunDifference::default() });
    }

    #[test]
    fn a_line_of_the_output_has_its_members_in_order_and_reads_back() {
        let lines = output(&[family(1, 2, &["A1", "A2"])]).expect("plain data");
        let text = std::str::from_utf8(&lines).expect("UTF-8");
        assert!(text.starts_with(r#"{"areas":["A1","A2"],"key":{"agency":"education","feed":"attendance","ref":""#));
        let read: CandidateFamily = serde_json::from_str(text.trim_end()).expect("reads back");
        assert_eq!(read, family(1, 2, &["A1", "A2"]));
    }

    #[test]
    fn a_record_of_the_snapshot_reads_back() {
        let value = Blinded::new([7; 16]);
        let record = RunRecord {
            component: 3,
            agency: "education".parse().expect("a code"),
            feed: "attendance".parse().expect("a code"),
            reference: name(1).reference,
            tokens: vec![LinkToken { kind: 300, epoch: 2, value }],
            homes: vec![RunHome { epoch: 2, value, made: None }],
            evidence: Evidence::default(),
        };
        let text = serde_json::to_string(&record).expect("plain data");
        assert_eq!(serde_json::from_str::<RunRecord>(&text).expect("reads back"), record);
    }
}
