//! Persons out of millions of records, kind by kind from sorted columns.
//!
//! The result is that of [`clusters`](super::cluster::clusters) over all records at once; what differs
//! is the memory. A column holds the tokens of one kind and epoch, sorted by value, each with the number
//! of its record, and is read once from beginning to end, so that it may lie on disk. Records are
//! numbered in the order of their keys.

use std::collections::BTreeMap;

use super::cluster::Joining;
use super::record::LinkToken;
use super::rules::{ConflictRole, LinkRules};
use crate::domain::token::Blinded;

/// A token of a column: its value, and the number of the record that holds it.
pub type Entry = (Blinded, u32);

/// Why columns cannot be matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BulkError {
    /// A column is not in ascending order of value and record.
    #[error("column of kind {kind}, epoch {epoch}: not in ascending order")]
    Unsorted {
        /// Which kind.
        kind: u16,
        /// Which epoch.
        epoch: u32,
    },
    /// A column names a record that is not there.
    #[error("column of kind {kind}, epoch {epoch}: names a record beyond the last")]
    UnknownRecord {
        /// Which kind.
        kind: u16,
        /// Which epoch.
        epoch: u32,
    },
    /// Columns are taken strongest first, and a kind's epochs together.
    #[error("column of kind {kind}: a weaker one came before it")]
    OutOfOrder {
        /// Which kind.
        kind: u16,
    },
}

/// What speaks against links, gathered before anything is linked.
///
/// Columns of kinds with a conflict role go in here first; the same columns are read again when their
/// turn to link comes.
#[derive(Debug)]
pub struct ConflictColumns {
    records: u32,
    tokens: Vec<(u32, LinkToken)>,
}

impl ConflictColumns {
    /// For this many records.
    pub fn new(records: u32) -> Self {
        Self { records, tokens: Vec::new() }
    }

    /// Whether a kind's columns belong here.
    pub fn needs(kind: u16, rules: &LinkRules) -> bool {
        rules.conflict(kind) != ConflictRole::None
    }

    /// Takes one column.
    ///
    /// # Errors
    ///
    /// [`BulkError::UnknownRecord`].
    pub fn add(&mut self, kind: u16, epoch: u32, column: impl Iterator<Item = Entry>) -> Result<(), BulkError> {
        for (value, record) in column {
            if record >= self.records {
                return Err(BulkError::UnknownRecord { kind, epoch });
            }
            self.tokens.push((record, LinkToken { kind, epoch, value }));
        }
        Ok(())
    }

    /// Everything is known that speaks against a link: linking may begin.
    pub fn into_matching(mut self, rules: &LinkRules) -> Matching<'_> {
        self.tokens.sort_unstable();
        let mut tokens: Vec<LinkToken> = Vec::with_capacity(self.tokens.len());
        let mut starts: Vec<usize> = Vec::with_capacity(self.records as usize + 1);
        for (record, token) in self.tokens {
            starts.resize(record as usize + 1, tokens.len());
            tokens.push(token);
        }
        starts.resize(self.records as usize + 1, tokens.len());
        let slices = starts.windows(2).map(|ends| &tokens[ends[0]..ends[1]]);
        Matching { records: self.records, joining: Joining::new(slices, rules), rules, rank: None, waiting: Vec::new() }
    }
}

/// Records being linked, column by column.
#[derive(Debug)]
pub struct Matching<'r> {
    records: u32,
    joining: Joining<'r>,
    rules: &'r LinkRules,
    /// The rank whose columns are coming in, with the holders of each token that may still join something.
    rank: Option<u16>,
    waiting: Vec<Vec<usize>>,
}

impl Matching<'_> {
    /// Takes the column of a linking kind; one that only suggests changes nothing.
    ///
    /// # Errors
    ///
    /// [`BulkError`]; the matching is of no use then.
    pub fn link(&mut self, kind: u16, epoch: u32, column: impl Iterator<Item = Entry>) -> Result<(), BulkError> {
        let Some(rank) = self.rules.rank(kind) else { return Ok(()) };
        if self.rank.is_some_and(|before| before > rank) {
            return Err(BulkError::OutOfOrder { kind });
        }
        if self.rank != Some(rank) {
            self.join_waiting();
            self.rank = Some(rank);
        }
        let mut last: Option<Entry> = None;
        let mut holders: Vec<usize> = Vec::new();
        for (value, record) in column {
            if record >= self.records {
                return Err(BulkError::UnknownRecord { kind, epoch });
            }
            if last.is_some_and(|before| before > (value, record)) {
                return Err(BulkError::Unsorted { kind, epoch });
            }
            if last.is_none_or(|(before, _)| before != value) {
                self.keep(&holders);
                holders.clear();
            }
            holders.push(record as usize);
            last = Some((value, record));
        }
        self.keep(&holders);
        Ok(())
    }

    /// Keeps the holders of one token, unless they are one cluster already: then nothing can come of it.
    fn keep(&mut self, holders: &[usize]) {
        let Some((first, others)) = holders.split_first() else { return };
        let root = self.joining.cluster_of(*first);
        if others.iter().any(|other| self.joining.cluster_of(*other) != root) {
            self.waiting.push(holders.to_vec());
        }
    }

    fn join_waiting(&mut self) {
        self.joining.join_rank(std::mem::take(&mut self.waiting));
    }

    /// For each record the smallest record of its person.
    pub fn finish(mut self) -> Vec<u32> {
        self.join_waiting();
        let mut smallest: BTreeMap<usize, u32> = BTreeMap::new();
        (0..self.records)
            .map(|record| *smallest.entry(self.joining.cluster_of(record as usize)).or_insert(record))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linkage::cluster::clusters;
    use crate::linkage::people::{KINDS, TestRecord, crowd, rules};

    /// Sorted columns of records whose numbers are their places in the order of keys.
    fn columns(records: &[TestRecord]) -> BTreeMap<(u16, u32), Vec<Entry>> {
        let mut columns: BTreeMap<(u16, u32), Vec<Entry>> = BTreeMap::new();
        for (number, record) in (0..).zip(records) {
            for token in &record.tokens {
                columns.entry((token.kind, token.epoch)).or_default().push((token.value, number));
            }
        }
        columns.values_mut().for_each(|column| {
            column.sort_unstable();
            column.dedup();
        });
        columns
    }

    fn in_bulk(records: &[TestRecord]) -> Result<Vec<u32>, BulkError> {
        let (rules, columns) = (rules(), columns(records));
        let mut conflicts = ConflictColumns::new(records.len() as u32);
        for ((kind, epoch), column) in &columns {
            if ConflictColumns::needs(*kind, &rules) {
                conflicts.add(*kind, *epoch, column.iter().copied())?;
            }
        }
        let mut matching = conflicts.into_matching(&rules);
        let mut kinds: Vec<u16> = (0..KINDS).collect();
        kinds.sort_by_key(|kind| rules.rank(*kind).unwrap_or(u16::MAX));
        for kind in kinds {
            for ((_, epoch), column) in columns.range((kind, 0)..=(kind, u32::MAX)) {
                matching.link(kind, *epoch, column.iter().copied())?;
            }
        }
        Ok(matching.finish())
    }

    proptest! {
        #[test]
        fn columns_give_the_persons_that_whole_records_give(mut records in crowd(40)) {
            records.sort_by_key(|record| record.key);
            records.dedup_by_key(|record| record.key);
            let mut expected = vec![0; records.len()];
            for cluster in clusters(&records, &rules()) {
                let smallest = cluster.members().iter().copied().min().unwrap_or_default();
                cluster.members().iter().for_each(|&member| expected[member] = smallest as u32);
            }
            prop_assert_eq!(in_bulk(&records), Ok(expected));
        }
    }

    #[test]
    fn a_column_out_of_order_is_refused() {
        let rules = rules();
        let value = |byte: u8| Blinded::new([byte; 16]);
        let mut matching = ConflictColumns::new(2).into_matching(&rules);
        let unsorted = [(value(2), 0), (value(1), 1)];
        assert_eq!(matching.link(3, 1, unsorted.into_iter()), Err(BulkError::Unsorted { kind: 3, epoch: 1 }));
        let mut matching = ConflictColumns::new(2).into_matching(&rules);
        assert_eq!(
            matching.link(3, 1, [(value(2), 2)].into_iter()),
            Err(BulkError::UnknownRecord { kind: 3, epoch: 1 })
        );
        let mut matching = ConflictColumns::new(2).into_matching(&rules);
        matching.link(4, 1, std::iter::empty()).expect("weak");
        assert_eq!(matching.link(3, 1, std::iter::empty()), Err(BulkError::OutOfOrder { kind: 3 }));
    }
}
