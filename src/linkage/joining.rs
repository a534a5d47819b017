//! Persons out of columns: the greedy joining of [`cluster`](super::cluster), for any number of records.
//!
//! A token shared by `m` records has `m(m-1)/2` edges, and most of them can change nothing. Two
//! clusters only ever grow, so once a joining was refused it stays refused. When the smallest
//! holder of a token has met every other holder, each of those is in its cluster or refused by it
//! for good. Edges with an end in that cluster are therefore settled, and only the edges among the
//! refused holders are left: the same case with fewer records. A token without conflicts costs
//! `m - 1` comparisons; one whose holders fall into `p` clusters costs at most `m * p`. The order of
//! the comparisons that are made is that of the edges, so the result is that of the definition (a
//! test compares the two).
//!
//! Values are numbered, since only equality matters: a shared token takes four bytes for its holder in
//! the column and four for its number in the record's row. Everything about a cluster is kept in chains
//! through its records, so that nothing is allocated for each of millions.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::column::{Column, members};
use super::components::Components;
use super::conflict::{Held, conflicts, parts_equals};
use super::rules::{ConflictRole, LinkRules};

/// How many records of a cluster are compared with those of another.
const MOST_COMPARED: usize = 16;
/// Two clusters are not joined by a key of names and places if more pairs than so many to one disagree.
const MOST_DISAGREEING: usize = 3;

/// For each record the first record of its person. Records are places in the order of their keys.
///
/// `columns` are all columns of the kinds that are [needed](Column::is_needed), in any order, one for a
/// kind and epoch. `feeds` gives a number to the records of feeds with one record a person; empty if
/// there is no such feed.
///
/// # Panics
///
/// If there are more than 2^32 shared values, or fewer `feeds` than records.
pub fn persons(records: u32, mut columns: Vec<Column>, feeds: &[Option<u32>], rules: &LinkRules) -> Vec<u32> {
    columns.sort_by_key(|column| (column.kind(), column.epoch()));
    let mut joining = Joining::new(records as usize, &columns, feeds, rules);
    columns.retain(|column| rules.rank(column.kind()).is_some());
    columns.sort_by_key(|column| rules.rank(column.kind()));
    for of_rank in columns.chunk_by(|a, b| rules.rank(a.kind()) == rules.rank(b.kind())) {
        joining.needs_company = rules.rank(of_rank[0].kind()).is_some_and(|rank| rules.needs_company(rank));
        let edges = joining.open_edges(of_rank);
        joining.join(edges);
    }
    joining.into_persons()
}

/// The clusters so far, with what has to be known of them and of their records.
struct Joining<'a> {
    rules: &'a LinkRules,
    clusters: Components,
    /// For each record, the numbers of the values that it shares with others, ascending.
    shared: Rows<u32>,
    /// For each record, its tokens that can speak against a link, sorted.
    against: Rows<Numbered>,
    /// For each record, which columns of names and places it is in, a bit each.
    comparable: Vec<u64>,
    comparable_words: usize,
    feeds: &'a [Option<u32>],
    /// The first records of each cluster, as many as are compared, ascending.
    first_members: Chains,
    /// A record for each distinct set of tokens against a link.
    opposing: Chains,
    /// A record for each feed of one record a person.
    of_feeds: Chains,
    /// Whether the edges at hand are of a key that others may share by chance.
    needs_company: bool,
}

/// A token of which only equality is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Numbered {
    kind: u16,
    epoch: u32,
    number: u32,
}

impl Held for Numbered {
    fn kind(&self) -> u16 {
        self.kind
    }
    fn epoch(&self) -> u32 {
        self.epoch
    }
}

impl<'a> Joining<'a> {
    fn new(records: usize, columns: &[Column], feeds: &'a [Option<u32>], rules: &'a LinkRules) -> Self {
        assert!(feeds.is_empty() || feeds.len() == records, "a feed or none for each record");
        let speaks = columns.iter().filter(|column| rules.conflict(column.kind()) != ConflictRole::None);
        let against = Rows::fill(records, speaks, 1, |column, number| Numbered {
            kind: column.kind(),
            epoch: column.epoch(),
            number,
        });
        let known = columns.iter().filter(|column| rules.is_known(column.kind()));
        let shared = Rows::fill(records, known, 2, |_, number| number);
        let composites: Vec<&Column> = columns.iter().filter(|column| rules.is_composite(column.kind())).collect();
        let comparable_words = composites.len().div_ceil(64);
        let mut comparable = vec![0; records * comparable_words];
        for (at, column) in composites.into_iter().enumerate() {
            for record in column.present() {
                comparable[record * comparable_words + at / 64] |= 1 << (at % 64);
            }
        }
        Self {
            first_members: Chains::of(records, |_| true),
            opposing: Chains::of(records, |record| !against.of(record).is_empty()),
            of_feeds: Chains::of(feeds.len(), |record| feeds[record].is_some()),
            rules,
            clusters: Components::new(records),
            shared,
            against,
            comparable,
            comparable_words,
            feeds,
            needs_company: false,
        }
    }

    /// The holders of values of these columns that are not one cluster already: of the others nothing
    /// can come.
    fn open_edges(&mut self, columns: &[Column]) -> Edges {
        let mut edges = Edges::default();
        for group in columns.iter().flat_map(Column::groups) {
            let mut holders = members(group);
            let Some(first) = holders.next() else { continue };
            let root = self.clusters.find(first as usize);
            if holders.any(|other| !self.clusters.is_under(other as usize, root)) {
                edges.push(members(group));
            }
        }
        edges
    }

    /// Takes the edges of one rank: for each smaller end in turn, its larger ends in turn.
    fn join(&mut self, mut edges: Edges) {
        edges.groups.sort_unstable_by_key(|group| (group.first, group.start));
        let mut waiting = std::mem::take(&mut edges.groups).into_iter().peekable();
        // Groups that lost their first holders: their new first is larger than the one at hand.
        let mut later: BinaryHeap<Reverse<Group>> = BinaryHeap::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut others: Vec<u32> = Vec::new();
        loop {
            let next = waiting.peek().map(|group| group.first).into_iter();
            let Some(first) = next.chain(later.peek().map(|group| group.0.first)).min() else { return };
            groups.clear();
            while let Some(group) = waiting.next_if(|group| group.first == first) {
                groups.push(group);
            }
            while later.peek().is_some_and(|group| group.0.first == first) {
                groups.extend(later.pop().map(|group| group.0));
            }
            others.clear();
            for group in &groups {
                others.extend_from_slice(&edges.holders[group.range()][1..]);
            }
            others.sort_unstable();
            others.dedup();
            for &other in &others {
                self.join_two(first as usize, other as usize);
            }
            let root = self.clusters.find(first as usize);
            for &group in &groups {
                let holders = &mut edges.holders[group.range()];
                let mut left = 0;
                for at in 0..holders.len() {
                    if !self.clusters.is_under(holders[at] as usize, root) {
                        holders[left] = holders[at];
                        left += 1;
                    }
                }
                if left > 1 {
                    later.push(Reverse(Group { first: holders[0], length: left as u32, start: group.start }));
                }
            }
        }
    }

    fn join_two(&mut self, a: usize, b: usize) {
        let (a, b) = (self.clusters.find(a), self.clusters.find(b));
        if a == b || self.conflict(a, b) || self.needs_company && self.mostly_disagree(a, b) {
            return;
        }
        let Some((goes, stays)) = self.clusters.union(a, b) else { return };
        self.first_members.merge(goes, stays);
        let against = &self.against;
        self.opposing.add(goes, stays, |one, other| against.of(one) == against.of(other));
        if !self.feeds.is_empty() {
            self.of_feeds.add(goes, stays, |one, other| self.feeds[one] == self.feeds[other]);
        }
    }

    fn conflict(&self, a: usize, b: usize) -> bool {
        let share_feed = |one: usize, other: usize| self.feeds[one] == self.feeds[other];
        if !self.feeds.is_empty() && self.of_feeds.any_pair(a, b, share_feed) {
            return true;
        }
        self.opposing.any_pair(a, b, |one, other| {
            let (one, other) = (self.against.of(one), self.against.of(other));
            (one != other || parts_equals(one, self.rules)) && conflicts(one, other, self.rules).next().is_some()
        })
    }

    /// Whether the records of two clusters disagree with one another more than can be forgiven.
    fn mostly_disagree(&self, a: usize, b: usize) -> bool {
        let (mut agreeing, mut disagreeing) = (0, 0);
        for ours in self.first_members.of_root(a) {
            for theirs in self.first_members.of_root(b) {
                match self.agree(ours, theirs) {
                    Some(true) => agreeing += 1,
                    Some(false) => disagreeing += 1,
                    None => {}
                }
            }
        }
        disagreeing > MOST_DISAGREEING * agreeing
    }

    /// Whether two records share any value; `None` if no kind made of names and places is comparable.
    fn agree(&self, a: usize, b: usize) -> Option<bool> {
        if intersect(self.shared.of(a), self.shared.of(b)) {
            return Some(true);
        }
        let words = |record: usize| &self.comparable[record * self.comparable_words..][..self.comparable_words];
        words(a).iter().zip(words(b)).any(|(ours, theirs)| ours & theirs != 0).then_some(false)
    }

    fn into_persons(mut self) -> Vec<u32> {
        let first = |root: usize| self.first_members.0[root].first;
        (0..self.first_members.0.len()).map(|record| first(self.clusters.find(record))).collect()
    }
}

/// Whether two ascending lists have a number in common.
fn intersect(a: &[u32], b: &[u32]) -> bool {
    let (mut at, mut place) = (0, 0);
    while at < a.len() && place < b.len() {
        match a[at].cmp(&b[place]) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => at += 1,
            std::cmp::Ordering::Greater => place += 1,
        }
    }
    false
}

/// Lists of values, one for each record, one after the other.
struct Rows<T> {
    /// Where the list of each record ends.
    ends: Vec<u32>,
    values: Vec<T>,
}

impl<T: Copy + Default> Rows<T> {
    /// Numbers the groups of columns that have at least so many members, all through, and gives every member
    /// what `value` makes of the number; for each record in the order of the numbers.
    fn fill<'c>(
        records: usize,
        columns: impl Iterator<Item = &'c Column> + Clone,
        least: usize,
        value: impl Fn(&Column, u32) -> T,
    ) -> Self {
        let mut dealt = Dealt::new(records);
        let mut ends = vec![0_u32; records];
        for column in columns.clone() {
            dealt.deal(column, least, 0);
            dealt.pairs.iter().for_each(|(record, _)| ends[*record as usize] += 1);
        }
        let mut before = 0_u32;
        for end in &mut ends {
            let count = std::mem::replace(end, before);
            before = before.checked_add(count).expect("fewer than 2^32 values");
        }
        // Starts now; each moves to its end as values are placed.
        let mut values = vec![T::default(); before as usize];
        let mut number = 0;
        for column in columns {
            number = dealt.deal(column, least, number);
            for &(record, number) in &dealt.pairs {
                let place = &mut ends[record as usize];
                values[*place as usize] = value(column, number);
                *place += 1;
            }
        }
        Self { ends, values }
    }
}

/// How many records a part has, as a power of two: what is kept of them then lies near the core while the
/// part is at hand. Without parts every value would be fetched from, and written to, far away.
const PART: u32 = 14;

/// The members of a column's groups, each with the number of its group, part by part of the records; within a
/// part in the order of the numbers.
struct Dealt {
    pairs: Vec<(u32, u32)>,
    /// Where the next pair of each part goes.
    next: Vec<u32>,
}

impl Dealt {
    fn new(records: usize) -> Self {
        Self { pairs: Vec::new(), next: vec![0; (records >> PART) + 1] }
    }

    /// Numbers the groups from `number` on; gives the next that is free.
    fn deal(&mut self, column: &Column, least: usize, number: u32) -> u32 {
        let groups = || column.groups().filter(|group| group.len() >= least);
        let mut free = number;
        let mut take = || {
            let taken = free;
            free = free.checked_add(1).expect("fewer than 2^32 shared values");
            taken
        };
        self.pairs.clear();
        if self.next.len() == 1 {
            for group in groups() {
                let number = take();
                self.pairs.extend(members(group).map(|record| (record, number)));
            }
            return free;
        }
        self.next.fill(0);
        groups().flat_map(members).for_each(|record| self.next[(record >> PART) as usize] += 1);
        let mut before = 0;
        for next in &mut self.next {
            before += std::mem::replace(next, before);
        }
        self.pairs.resize(before as usize, (0, 0));
        for group in groups() {
            let number = take();
            for record in members(group) {
                let next = &mut self.next[(record >> PART) as usize];
                self.pairs[*next as usize] = (record, number);
                *next += 1;
            }
        }
        free
    }
}

impl<T> Rows<T> {
    fn of(&self, record: usize) -> &[T] {
        let start = if record == 0 { 0 } else { self.ends[record - 1] };
        &self.values[start as usize..self.ends[record] as usize]
    }
}

/// The holders of values, by their smallest.
#[derive(Default)]
struct Edges {
    holders: Vec<u32>,
    groups: Vec<Group>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    first: u32,
    length: u32,
    start: usize,
}

impl Group {
    fn range(self) -> std::ops::Range<usize> {
        self.start..self.start + self.length as usize
    }
}

impl Edges {
    fn push(&mut self, holders: impl Iterator<Item = u32>) {
        let start = self.holders.len();
        self.holders.extend(holders);
        let (first, length) = (self.holders[start], (self.holders.len() - start) as u32);
        self.groups.push(Group { first, length, start });
    }
}

/// For the root of each cluster, a chain through some of its records.
struct Chains(Vec<Link>);

/// Both in one place: whoever asks for the first of a chain asks for the next soon.
#[derive(Clone, Copy)]
struct Link {
    /// Of a root: where its chain begins.
    first: u32,
    /// Of a record: what follows it in its chain.
    next: u32,
}

const END: u32 = u32::MAX;

impl Chains {
    /// Every record alone, in the chain or not.
    fn of(records: usize, is_in: impl Fn(usize) -> bool) -> Self {
        let first = |record: usize| if is_in(record) { record as u32 } else { END };
        Self((0..records).map(|record| Link { first: first(record), next: END }).collect())
    }

    fn of_root(&self, root: usize) -> impl Iterator<Item = usize> + '_ {
        let step = |at: u32| (at != END).then_some(at as usize);
        std::iter::successors(step(self.0[root].first), move |at| step(self.0[*at].next))
    }

    fn any_pair(&self, a: usize, b: usize, is_so: impl Fn(usize, usize) -> bool) -> bool {
        self.of_root(a).any(|one| self.of_root(b).any(|other| is_so(one, other)))
    }

    /// Merges two ascending chains, and cuts the result to as many as are compared.
    fn merge(&mut self, goes: usize, stays: usize) {
        let mut merged = [END; MOST_COMPARED];
        let (mut a, mut b) = (self.0[goes].first, self.0[stays].first);
        for place in &mut merged {
            // The end is larger than any record.
            let from = if a < b { &mut a } else { &mut b };
            if *from == END {
                break;
            }
            *place = *from;
            *from = self.0[*from as usize].next;
        }
        self.0[stays].first = merged[0];
        for (at, &record) in merged.iter().enumerate().take_while(|(_, record)| **record != END) {
            self.0[record as usize].next = merged.get(at + 1).copied().unwrap_or(END);
        }
    }

    /// Puts those records of one chain before another that equal none of it.
    fn add(&mut self, goes: usize, stays: usize, equal: impl Fn(usize, usize) -> bool) {
        let mut at = self.0[goes].first;
        let old = self.0[stays].first;
        while at != END {
            let next = self.0[at as usize].next;
            let step = |known: u32| (known != END).then_some(known);
            let mut known = std::iter::successors(step(old), |known| step(self.0[*known as usize].next));
            if !known.any(|known| equal(at as usize, known as usize)) {
                self.0[at as usize].next = self.0[stays].first;
                self.0[stays].first = at;
            }
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::linkage::conflict::ConflictProfile;
    use crate::linkage::people::{
        FORENAME_DATE_HOME, NAME_DATE_HOME, NAME_DATE_POSTCODE, TestRecord, crowd, rules, token,
    };
    use crate::linkage::record::{LinkToken, sorted};
    use crate::linkage::rules::{APART, CONFIRMED, PAIR_EPOCH};

    /// The same joining over whole records and lists, as plainly as it can be written.
    struct Plain<'a> {
        rules: &'a LinkRules,
        records: Vec<Vec<LinkToken>>,
        feeds: &'a [Option<u32>],
        cluster_of: Vec<usize>,
    }

    impl Plain<'_> {
        fn members(&self, record: usize) -> Vec<usize> {
            let cluster = self.cluster_of[record];
            (0..self.records.len()).filter(|&other| self.cluster_of[other] == cluster).collect()
        }

        fn agree(&self, a: usize, b: usize) -> Option<bool> {
            let (a, b) = (&self.records[a], &self.records[b]);
            if a.iter().any(|token| self.rules.is_known(token.kind) && b.contains(token)) {
                return Some(true);
            }
            let alike = |x: &LinkToken, y: &LinkToken| (x.kind, x.epoch) == (y.kind, y.epoch);
            let composite = |token: &&LinkToken| self.rules.is_composite(token.kind);
            a.iter().filter(composite).any(|token| b.iter().any(|other| alike(token, other))).then_some(false)
        }

        fn try_join(&mut self, a: usize, b: usize, needs_company: bool) {
            let (ours, theirs) = (self.members(a), self.members(b));
            let pairs = || ours.iter().flat_map(|&a| theirs.iter().map(move |&b| (a, b)));
            let profile = |record: usize| ConflictProfile::of(&self.records[record], self.rules);
            let parted = |(a, b): (usize, usize)| {
                self.feeds[a].is_some() && self.feeds[a] == self.feeds[b]
                    || profile(a).conflicts_with(&profile(b), self.rules)
            };
            if self.cluster_of[a] == self.cluster_of[b] || pairs().any(parted) {
                return;
            }
            if needs_company {
                let few = |members: &[usize]| members.iter().copied().take(MOST_COMPARED).collect::<Vec<_>>();
                let (ours, theirs) = (few(&ours), few(&theirs));
                let all = ours.iter().flat_map(|&a| theirs.iter().map(move |&b| (a, b)));
                let said: Vec<bool> = all.filter_map(|(a, b)| self.agree(a, b)).collect();
                let agreeing = said.iter().filter(|agrees| **agrees).count();
                if said.len() - agreeing > MOST_DISAGREEING * agreeing {
                    return;
                }
            }
            let (goes, stays) = (self.cluster_of[a], self.cluster_of[b]);
            self.cluster_of.iter_mut().filter(|cluster| **cluster == goes).for_each(|cluster| *cluster = stays);
        }

        fn join_rank(&mut self, rank: u16) {
            let mut holders: BTreeMap<LinkToken, Vec<usize>> = BTreeMap::new();
            for (record, tokens) in self.records.iter().enumerate() {
                for token in tokens.iter().filter(|token| self.rules.rank(token.kind) == Some(rank)) {
                    holders.entry(*token).or_default().push(record);
                }
            }
            let mut groups: Vec<Vec<usize>> = holders.into_values().collect();
            for first in 0..self.records.len() {
                let of_first = groups.iter().filter(|group| group.first() == Some(&first));
                let mut others: Vec<usize> = of_first.flat_map(|group| group[1..].to_vec()).collect();
                others.sort_unstable();
                others.dedup();
                for other in others {
                    self.try_join(first, other, self.rules.needs_company(rank));
                }
                for group in groups.iter_mut().filter(|group| group.first() == Some(&first)) {
                    group.retain(|member| self.cluster_of[*member] != self.cluster_of[first]);
                }
            }
        }

        fn persons(mut self) -> Vec<u32> {
            let mut ranks: Vec<u16> = self.rules.kinds().filter_map(|(kind, _)| self.rules.rank(kind)).collect();
            ranks.sort_unstable();
            ranks.dedup();
            for rank in ranks {
                self.join_rank(rank);
            }
            (0..self.records.len()).map(|record| self.members(record)[0] as u32).collect()
        }
    }

    /// Columns in an order of no meaning: from the last kind to the first.
    fn columns(records: &[TestRecord], rules: &LinkRules) -> Vec<Column> {
        let mut columns: BTreeMap<(u16, u32), Vec<_>> = BTreeMap::new();
        for (place, record) in (0..).zip(records) {
            for token in sorted(&record.tokens) {
                columns.entry((token.kind, token.epoch)).or_default().push((token.value, place));
            }
        }
        let count = records.len() as u32;
        let read = |((kind, epoch), mut entries): ((u16, u32), Vec<_>)| {
            entries.sort_unstable();
            Column::read(kind, epoch, count, entries.into_iter(), rules).expect("sorted")
        };
        columns.into_iter().rev().map(read).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn columns_give_the_persons_that_whole_records_give(
            records in crowd(40),
            composites in proptest::sample::subsequence(
                vec![NAME_DATE_POSTCODE, NAME_DATE_HOME, FORENAME_DATE_HOME], 0..=3),
            feeds in proptest::collection::vec(proptest::option::weighted(0.3, 0..4_u32), 40),
            pairs in proptest::collection::vec((0_usize..40, 0_usize..40, any::<bool>()), 0..4),
        ) {
            let mut records = records;
            for (number, (a, b, is_one)) in pairs.into_iter().enumerate().filter(|(_, (a, b, _))| a != b) {
                let pair = token(if is_one { CONFIRMED } else { APART }, PAIR_EPOCH, &number.to_string());
                for place in [a, b] {
                    if let Some(record) = records.get_mut(place) {
                        record.tokens.push(pair);
                    }
                }
            }
            let rules = rules().with_composites(composites);
            let feeds = &feeds[..records.len()];
            let plain = Plain {
                rules: &rules,
                records: records.iter().map(|record| sorted(&record.tokens)).collect(),
                feeds,
                cluster_of: (0..records.len()).collect(),
            };
            let found = persons(records.len() as u32, columns(&records, &rules), feeds, &rules);
            prop_assert_eq!(found, plain.persons());
        }
    }

    /// The test above would say little if nothing were ever refused for want of company.
    #[test]
    fn the_crowd_of_the_property_is_one_in_which_company_refuses() {
        let record = |key, values: &[(u16, &str)]| TestRecord {
            key,
            tokens: values.iter().map(|(kind, value)| token(*kind, 1, value)).collect(),
            households: Vec::new(),
        };
        // Two of one name each, and a home that a clerk gave to the wrong one.
        let of = |name: &'static str| [(NAME_DATE_POSTCODE, name), (NAME_DATE_HOME, "stray")];
        let records = [
            record(0, &of("a")),
            record(1, &of("a")[..1]),
            record(2, &of("a")[..1]),
            record(3, &of("b")),
            record(4, &of("b")[..1]),
            record(5, &of("b")[..1]),
        ];
        let plain = rules();
        let asking = rules().with_composites(vec![NAME_DATE_POSTCODE, NAME_DATE_HOME]);
        assert_eq!(persons(6, columns(&records, &plain), &[], &plain), [0; 6]);
        assert_eq!(persons(6, columns(&records, &asking), &[], &asking), [0, 0, 0, 3, 3, 3]);
    }

    #[test]
    fn chains_stay_ascending_and_no_longer_than_what_is_compared() {
        let mut chains = Chains::of(40, |_| true);
        for record in (0..40).rev().filter(|record| *record != 7) {
            chains.merge(record, 7);
        }
        assert_eq!(chains.of_root(7).collect::<Vec<_>>(), (0..MOST_COMPARED).collect::<Vec<_>>());
    }
}
