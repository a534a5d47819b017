//! Records that are one person: greedy joining, strongest evidence first, conflicts refused.
//!
//! The definition: every pair of records that share a token of a linking kind in one epoch is an
//! edge of that kind's rank. Edges are taken by rank, then by the pair's keys, and each joins the
//! clusters of its two ends unless any record of one conflicts with any record of the other, or both
//! hold a record of one feed that is declared to have one record a person.
//!
//! A key made of names, dates and places alone can agree by chance or by a mistake in one record, and a
//! chain of such mistakes would join strangers. Where such a key would join two clusters, their records
//! are therefore compared with one another, and it is refused if more than three in four pairs disagree
//! in everything that both have. Identifiers and what people decided are not asked for such company.
//! A refusal of this kind is not reconsidered for later edges of the same smaller end and rank.
//!
//! Records in memory are sorted into columns here; [`column`](super::column) and
//! [`joining`](super::joining) do the same for columns that are read from elsewhere.

use super::column::Column;
use super::joining::persons;
use super::record::{LinkRecord, LinkToken};
use super::rules::LinkRules;

/// The records of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Ordered by the records' keys; never empty.
    members: Vec<usize>,
}

impl Cluster {
    /// Positions in the list of records that was clustered, ordered by the records' keys; never
    /// empty.
    pub fn members(&self) -> &[usize] {
        &self.members
    }

    /// The smallest key among the members: the cluster's name inside a run.
    pub fn name<'a, K>(&self, records: &'a [LinkRecord<K>]) -> &'a K {
        &records[self.members[0]].key
    }
}

/// Clusters records into persons, ordered by name. Every record is in exactly one cluster.
///
/// Keys should be unique; records that share one are told apart by their tokens, so that even then
/// the order of the input decides nothing.
///
/// ```
/// use porth::domain::token::Blinded;
/// use porth::linkage::cluster::clusters;
/// use porth::linkage::record::{LinkRecord, LinkToken};
/// use porth::linkage::rules::{ConflictRole, KindRule, LinkRules, Tier};
///
/// let name_and_birth = KindRule { tier: Tier::Link(1), conflict: ConflictRole::None };
/// let rules = LinkRules::new(vec![name_and_birth])?;
/// let record = |key: u32, person: u8| LinkRecord {
///     key,
///     tokens: vec![LinkToken { kind: 0, epoch: 1, value: Blinded::new([person; 16]) }],
///     households: Vec::new(),
/// };
/// let found = clusters(&[record(30, 7), record(10, 8), record(20, 7)], &rules);
/// assert_eq!(found[0].members(), [1]); // the smallest key comes first
/// assert_eq!(found[1].members(), [2, 0]);
/// # Ok::<(), porth::linkage::rules::LinkRulesError>(())
/// ```
pub fn clusters<K: Ord>(records: &[LinkRecord<K>], rules: &LinkRules) -> Vec<Cluster> {
    clusters_where(records, rules, |_| None)
}

/// The same, for feeds some of which are declared to have one record a person: `feed_of_one_each`
/// gives such a feed a number, and two of its records are never one person.
pub fn clusters_where<K: Ord>(
    records: &[LinkRecord<K>],
    rules: &LinkRules,
    feed_of_one_each: impl Fn(&K) -> Option<u32>,
) -> Vec<Cluster> {
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by(|&a, &b| {
        let tokens = |place: usize| records[place].sorted_tokens();
        records[a].key.cmp(&records[b].key).then_with(|| tokens(a).cmp(&tokens(b)))
    });
    let columns = columns(records, &order, rules);
    let feeds: Vec<Option<u32>> = order.iter().map(|&place| feed_of_one_each(&records[place].key)).collect();
    let persons = persons(records.len() as u32, columns, &feeds, rules);

    // The name of a cluster is its first record: clusters come in the order of their names.
    let mut number_of: Vec<usize> = vec![0; records.len()];
    let mut found: Vec<Cluster> = Vec::new();
    for (place, &first) in persons.iter().enumerate() {
        let first = first as usize;
        if first == place {
            number_of[place] = found.len();
            found.push(Cluster { members: Vec::new() });
        }
        found[number_of[first]].members.push(order[place]);
    }
    found
}

/// The records' tokens kind by kind and epoch by epoch, with records as places in the order of keys.
fn columns<K>(records: &[LinkRecord<K>], order: &[usize], rules: &LinkRules) -> Vec<Column> {
    let mut held: Vec<(LinkToken, u32)> = Vec::new();
    for (place, &at) in (0..).zip(order) {
        let counts = |token: &&LinkToken| Column::is_needed(token.kind, rules);
        held.extend(records[at].tokens.iter().filter(counts).map(|token| (*token, place)));
    }
    held.sort_unstable();
    held.dedup();
    let columns = held.chunk_by(|(a, _), (b, _)| (a.kind, a.epoch) == (b.kind, b.epoch)).map(|column| {
        let (kind, epoch) = (column[0].0.kind, column[0].0.epoch);
        let entries = column.iter().map(|(token, place)| (token.value, *place));
        Column::read(kind, epoch, order.len() as u32, entries, rules).expect("sorted above, of these records alone")
    });
    columns.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::collections::BTreeMap;

    use super::*;
    use crate::linkage::components::components;
    use crate::linkage::conflict::ConflictProfile;
    use crate::linkage::people::{
        NAME_DATE_HOME, NAME_DATE_POSTCODE, NHS, Person, TestRecord, UPN, crowd, rules, token,
    };
    use crate::linkage::rules::{APART, CONFIRMED, FUZZY, PAIR_EPOCH, WEIGHED};

    /// The clusters as lists of keys.
    fn people(records: &[TestRecord]) -> Vec<Vec<u32>> {
        let keys = |cluster: &Cluster| cluster.members.iter().map(|&member| records[member].key).collect();
        clusters(records, &rules()).iter().map(keys).collect()
    }

    fn conflict(a: &TestRecord, b: &TestRecord) -> bool {
        let rules = rules();
        ConflictProfile::of(&a.tokens, &rules).conflicts_with(&ConflictProfile::of(&b.tokens, &rules), &rules)
    }

    /// The definition word for word: every edge, sorted, one after the other.
    fn people_by_definition(records: &[TestRecord]) -> Vec<Vec<u32>> {
        let rules = rules();
        let mut edges = Vec::new();
        for (i, a) in records.iter().enumerate() {
            for (j, b) in records.iter().enumerate().filter(|(_, b)| a.key < b.key) {
                let shared = a.tokens.iter().filter(|token| b.tokens.contains(token));
                if let Some(rank) = shared.filter_map(|token| rules.rank(token.kind)).min() {
                    edges.push((rank, a.key, b.key, i, j));
                }
            }
        }
        edges.sort_unstable();
        let mut cluster_of: Vec<usize> = (0..records.len()).collect();
        for (_, _, _, i, j) in edges {
            let (goes, stays) = (cluster_of[i], cluster_of[j]);
            let of = |cluster: usize| -> Vec<usize> {
                (0..records.len()).filter(|&record| cluster_of[record] == cluster).collect()
            };
            let refused = of(goes).iter().any(|&a| of(stays).iter().any(|&b| conflict(&records[a], &records[b])));
            if !refused {
                for record in of(goes) {
                    cluster_of[record] = stays;
                }
            }
        }
        let mut sets: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for (record, cluster) in cluster_of.into_iter().enumerate() {
            sets.entry(cluster).or_default().push(records[record].key);
        }
        let mut sets: Vec<Vec<u32>> = sets.into_values().collect();
        for set in &mut sets {
            set.sort_unstable();
        }
        sets.sort_unstable();
        sets
    }

    #[test]
    fn twins_are_two_people() {
        let jowan = Person::new("Jowan", "Trelawny", "2012-03-04").home("1 Fore Street");
        let jago = jowan.clone().forename("Jago");
        // A school and a doctor know both; nothing but names tells them apart.
        let records = [jowan.record(1), jago.record(2), jowan.record(3), jago.record(4)];
        assert_eq!(people(&records), [vec![1, 3], vec![2, 4]]);
    }

    #[test]
    fn twins_of_one_name_are_two_people_when_their_numbers_differ() {
        let twin = Person::new("J", "Trelawny", "2012-03-04").home("1 Fore Street");
        let (first, second) = (twin.clone().nhs("9434765919"), twin.clone().nhs("9434765870"));
        assert_eq!(people(&[first.record(1), second.record(2), first.record(3)]), [vec![1, 3], vec![2]]);
        // A record that could be either goes with the smaller key, and never bridges the two.
        assert_eq!(people(&[first.record(1), second.record(2), twin.record(3)]), [vec![1, 3], vec![2]]);
    }

    #[test]
    fn parent_and_child_of_one_name_are_two_people() {
        let father = Person::new("John", "Nance", "1980-05-06").home("2 Chapel Row").postcode("TR1 1AA");
        let son = father.clone().born("2010-05-06");
        assert_eq!(people(&[father.record(1), son.record(2), son.record(3)]), [vec![1], vec![2, 3]]);
    }

    #[test]
    fn a_woman_who_changed_her_surname_is_one_person_by_her_number() {
        let before = Person::new("Demelza", "Carne", "1985-07-08").nhs("9434765919").home("3 Bay View");
        let after = before.clone().surname("Poldark").postcode("TR2 2BB");
        let nameless = Person::new("Demelza", "Poldark", "1985-07-08").postcode("TR2 2BB");
        assert_eq!(people(&[before.record(1), after.record(2), nameless.record(3)]), [vec![1, 2, 3]]);
        // Without the number only a person may decide: forename, date and home merely suggest.
        let without = Person::new("Demelza", "Poldark", "1985-07-08").home("3 Bay View");
        assert_eq!(people(&[before.record(1), without.record(2)]), [vec![1], vec![2]]);
    }

    #[test]
    fn one_number_with_two_dates_of_birth_is_two_people() {
        let child = Person::new("Kensa", "Pender", "2014-01-02").nhs("9434765919").postcode("TR3 3CC");
        let sibling_under_her_number = child.clone().born("2016-01-02").forename("Tamsyn");
        assert_eq!(people(&[child.record(1), sibling_under_her_number.record(2)]), [vec![1], vec![2]]);
    }

    #[test]
    fn the_strongest_evidence_decides_first_whatever_the_keys() {
        let by_number = Person::new("Kensa", "Pender", "2014-01-02").nhs("9434765919");
        let by_name = Person::new("Kensa", "Pender", "2014-01-02").postcode("TR3 3CC");
        let both = by_number.clone().postcode("TR3 3CC").upn("H801200001001");
        let other_pupil = by_name.clone().upn("B801200001002");
        // 1 shares a name key with 2 and 3; 2 and 3 conflict; 3 is reached by rank, not by key.
        assert_eq!(people(&[by_name.record(1), other_pupil.record(2), both.record(3)]), [vec![1, 2], vec![3]]);
        assert_eq!(people(&[by_number.record(9), other_pupil.record(2), both.record(3)]), [vec![2], vec![3, 9]]);
    }

    #[test]
    fn a_feed_of_one_record_a_person_never_gives_one_person_two() {
        let kensa = Person::new("Kensa", "Pender", "2014-01-02").postcode("TR3 3CC");
        let records = [kensa.record(1), kensa.record(2), kensa.record(3)];
        let people = |feed_of_one_each: &dyn Fn(&u32) -> Option<u32>| -> Vec<Vec<usize>> {
            let found = clusters_where(&records, &rules(), feed_of_one_each);
            found.iter().map(|cluster| cluster.members().to_vec()).collect()
        };
        assert_eq!(people(&|_| None), [vec![0, 1, 2]], "duplicates in a feed are legal unless it says otherwise");
        assert_eq!(people(&|key| (*key < 3).then_some(7)), [vec![0, 2], vec![1]]);
        assert_eq!(people(&|key| Some(*key)), [vec![0, 1, 2]], "three feeds of one record each");
    }

    #[test]
    fn one_stray_agreement_does_not_join_two_people_whom_everything_else_tells_apart() {
        let rules = rules().with_composites(vec![NAME_DATE_POSTCODE, NAME_DATE_HOME]);
        let record = |key, values: &[(u16, &str)]| LinkRecord {
            key,
            tokens: values.iter().map(|(kind, value)| token(*kind, 1, value)).collect(),
            households: Vec::new(),
        };
        let known = |key, person: &str| record(key, &[(NAME_DATE_POSTCODE, person)]);
        let of = |records: &[TestRecord]| -> Vec<usize> {
            clusters(records, &rules).iter().map(|cluster| cluster.members().len()).collect()
        };
        // Three records of each person, and one more address that a clerk gave to the wrong one.
        let stray = |kind| {
            let mut records: Vec<TestRecord> = (1..4).map(|key| known(key, "a")).collect();
            records.extend((4..7).map(|key| known(key, "b")));
            records[0].tokens.push(token(kind, 1, "stray"));
            records[3].tokens.push(token(kind, 1, "stray"));
            records
        };
        assert_eq!(of(&stray(NAME_DATE_HOME)), [3, 3]);
        assert_eq!(of(&stray(UPN)), [6], "an identifier needs no company");
        // With nothing to compare nobody disagrees.
        let quiet = [
            record(1, &[(NAME_DATE_HOME, "x")]),
            record(2, &[(NAME_DATE_HOME, "x"), (UPN, "u")]),
            record(3, &[(UPN, "u")]),
        ];
        assert_eq!(of(&quiet), [3]);
    }

    #[test]
    fn a_key_shared_by_thousands_is_joined_without_looking_at_every_pair() {
        let crowded = |key: u32, nhs: Option<u32>| {
            let mut tokens = vec![token(NAME_DATE_POSTCODE, 1, "everybody")];
            tokens.extend(nhs.map(|nhs| token(NHS, 1, &nhs.to_string())));
            LinkRecord { key, tokens, households: Vec::new() }
        };
        let agreeing: Vec<_> = (0..20_000).map(|key| crowded(key, None)).collect();
        assert_eq!(people(&agreeing).len(), 1);
        let two_people: Vec<_> = (0..20_000).map(|key| crowded(key, Some(key % 2))).collect();
        assert_eq!(people(&two_people).len(), 2);
        let strangers: Vec<_> = (0..1000).map(|key| crowded(key, Some(key))).collect();
        assert_eq!(people(&strangers).len(), 1000);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn the_short_way_gives_what_the_definition_gives(records in crowd(24)) {
            prop_assert_eq!(people(&records), people_by_definition(&records));
        }

        #[test]
        fn decided_pairs_come_after_every_key_and_what_was_found_apart_stays_apart(
            records in crowd(16), pairs in proptest::collection::vec((0_usize..16, 0_usize..16, 0_usize..4), 0..8),
        ) {
            let mut records = records;
            for (number, (a, b, kind)) in pairs.into_iter().enumerate().filter(|(_, (a, b, _))| a != b) {
                let kind = [CONFIRMED, WEIGHED, FUZZY, APART][kind];
                for place in [a, b] {
                    if let Some(record) = records.get_mut(place) {
                        record.tokens.push(token(kind, PAIR_EPOCH, &number.to_string()));
                    }
                }
            }
            prop_assert_eq!(people(&records), people_by_definition(&records));
            for cluster in clusters(&records, &rules()) {
                for (at, &a) in cluster.members.iter().enumerate() {
                    for &b in &cluster.members[at + 1..] {
                        prop_assert!(!conflict(&records[a], &records[b]));
                    }
                }
            }
        }

        #[test]
        fn the_order_of_arrival_changes_nothing(
            (records, shuffled) in crowd(24).prop_flat_map(|r| (Just(r.clone()), Just(r).prop_shuffle()))
        ) {
            prop_assert_eq!(people(&records), people(&shuffled));
        }

        #[test]
        fn records_that_conflict_are_never_one_person(records in crowd(24)) {
            for cluster in clusters(&records, &rules()) {
                for &a in &cluster.members {
                    for &b in &cluster.members {
                        prop_assert!(!conflict(&records[a], &records[b]));
                    }
                }
            }
        }

        #[test]
        fn a_record_that_shares_nothing_changes_nobody(records in crowd(24), place in 0_usize..24) {
            let mut with_stranger = records.clone();
            let stranger = LinkRecord { key: 99, tokens: vec![token(NHS, 1, "stranger")], households: Vec::new() };
            with_stranger.insert(place.min(records.len()), stranger);
            let mut expected = people(&records);
            expected.push(vec![99]);
            prop_assert_eq!(people(&with_stranger), expected);
        }

        #[test]
        fn a_person_lies_inside_one_component(records in crowd(24)) {
            let components = components(&records, &rules());
            for cluster in clusters(&records, &rules()) {
                prop_assert!(components.iter().any(|set| cluster.members.iter().all(|member| set.contains(member))));
            }
        }

        #[test]
        fn clustering_each_component_alone_gives_the_same_people(records in crowd(24)) {
            let mut apart: Vec<Vec<u32>> = Vec::new();
            for component in components(&records, &rules()) {
                apart.extend(people(&component.iter().map(|&r| records[r].clone()).collect::<Vec<_>>()));
            }
            apart.sort_unstable();
            prop_assert_eq!(people(&records), apart);
        }
    }
}
