//! A column: who holds the same token of one kind in one epoch.
//!
//! It is read once from its first entry to its last, sorted by value, so that it may lie on disk. What
//! is kept are the holders, four bytes each; the values are forgotten, and so is who alone holds one.

use super::components::Components;
use super::rules::{ConflictRole, LinkRules};
use crate::domain::token::Blinded;

/// A token of a column: its value, and the place of the record that holds it in the order of keys.
pub type Entry = (Blinded, u32);

/// Marks the first holder of a value.
const FIRST: u32 = 1 << 31;

/// Why a column cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// It is not in ascending order of value and record, or says something twice.
    #[error("column of kind {kind}, epoch {epoch}: not in ascending order")]
    Unsorted {
        /// Which kind.
        kind: u16,
        /// Which epoch.
        epoch: u32,
    },
    /// It names a record that is not there.
    #[error("column of kind {kind}, epoch {epoch}: names a record beyond the last")]
    UnknownRecord {
        /// Which kind.
        kind: u16,
        /// Which epoch.
        epoch: u32,
    },
}

/// The holders of the tokens of one kind and epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    kind: u16,
    epoch: u32,
    /// Value by value, ascending for each, the first marked.
    holders: Vec<u32>,
    /// Whether a record holds any value, 64 records to a word; empty if nobody will ask.
    present: Vec<u64>,
}

impl Column {
    /// Reads a column of a society of so many records.
    ///
    /// # Errors
    ///
    /// [`ColumnError`].
    ///
    /// # Panics
    ///
    /// If there are more than 2^31 - 1 records.
    pub fn read(
        kind: u16,
        epoch: u32,
        records: u32,
        entries: impl Iterator<Item = Entry>,
        rules: &LinkRules,
    ) -> Result<Self, ColumnError> {
        assert!(records < FIRST, "more records than a column can name");
        let keeps_single = rules.conflict(kind) != ConflictRole::None;
        let words = if rules.is_composite(kind) { (records as usize).div_ceil(64) } else { 0 };
        let mut column = Self { kind, epoch, holders: Vec::new(), present: vec![0; words] };
        let mut last: Option<(u128, u32)> = None;
        let mut is_alone = false;
        for (value, record) in entries {
            if record >= records {
                return Err(ColumnError::UnknownRecord { kind, epoch });
            }
            let value = u128::from_be_bytes(*value.as_bytes());
            if last.is_some_and(|last| last >= (value, record)) {
                return Err(ColumnError::Unsorted { kind, epoch });
            }
            if let Some(word) = column.present.get_mut(record as usize / 64) {
                *word |= 1 << (record % 64);
            }
            if last.is_some_and(|(before, _)| before == value) {
                column.holders.push(record);
                is_alone = false;
            } else {
                if is_alone && !keeps_single {
                    column.holders.pop();
                }
                column.holders.push(record | FIRST);
                is_alone = true;
            }
            last = Some((value, record));
        }
        if is_alone && !keeps_single {
            column.holders.pop();
        }
        column.holders.shrink_to_fit();
        Ok(column)
    }

    /// Whether columns of a kind say anything about who is one person.
    pub fn is_needed(kind: u16, rules: &LinkRules) -> bool {
        rules.is_known(kind) || rules.conflict(kind) != ConflictRole::None
    }

    /// Its kind.
    pub fn kind(&self) -> u16 {
        self.kind
    }

    /// Its epoch.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Joins the components of the records that hold the same value.
    pub fn join_components(&self, components: &mut Components) {
        for group in self.groups() {
            let mut members = members(group);
            let Some(first) = members.next() else { continue };
            members.for_each(|other| {
                components.union(first as usize, other as usize);
            });
        }
    }

    /// The holders of each value in turn; to be read by [`members`].
    pub(super) fn groups(&self) -> impl Iterator<Item = &[u32]> {
        self.holders.chunk_by(|_, next| next & FIRST == 0)
    }

    /// The records that hold any value; none unless the kind is made of names and places.
    pub(super) fn present(&self) -> impl Iterator<Item = usize> {
        self.present
            .iter()
            .enumerate()
            .flat_map(|(at, &word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at * 64 + bit))
    }
}

/// The records of a group, ascending.
pub(super) fn members(group: &[u32]) -> impl Iterator<Item = u32> {
    group.iter().map(|holder| holder & !FIRST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkage::people::{NAME_DATE_HOME, NHS, rules};

    fn read(kind: u16, entries: &[(u8, u32)]) -> Result<Vec<Vec<u32>>, ColumnError> {
        let entries = entries.iter().map(|(value, record)| (Blinded::new([*value; 16]), *record));
        let rules = rules().with_composites(vec![NAME_DATE_HOME]);
        let column = Column::read(kind, 1, 70, entries, &rules)?;
        Ok(column.groups().map(|group| members(group).collect()).collect())
    }

    #[test]
    fn whoever_alone_holds_a_value_is_kept_only_where_that_can_part_people() {
        let entries = [(1, 0), (2, 1), (2, 69), (3, 2), (4, 3), (4, 4)];
        assert_eq!(read(NAME_DATE_HOME, &entries), Ok(vec![vec![1, 69], vec![3, 4]]));
        assert_eq!(read(NHS, &entries), Ok(vec![vec![0], vec![1, 69], vec![2], vec![3, 4]]));
        assert_eq!(read(NAME_DATE_HOME, &entries[3..4]), Ok(vec![]));
    }

    #[test]
    fn a_column_knows_who_holds_anything_of_a_key_of_names_and_places() {
        let rules = rules().with_composites(vec![NAME_DATE_HOME]);
        let entries = [(Blinded::new([1; 16]), 0), (Blinded::new([2; 16]), 64), (Blinded::new([2; 16]), 69)];
        let present = |kind| -> Vec<usize> {
            Column::read(kind, 1, 70, entries.into_iter(), &rules).expect("sorted").present().collect()
        };
        assert_eq!(present(NAME_DATE_HOME), [0, 64, 69]);
        assert_eq!(present(NHS), [0; 0]);
    }

    #[test]
    fn a_column_out_of_order_or_of_other_records_is_refused() {
        let unsorted = Err(ColumnError::Unsorted { kind: NHS, epoch: 1 });
        assert_eq!(read(NHS, &[(2, 0), (1, 1)]), unsorted);
        assert_eq!(read(NHS, &[(2, 1), (2, 0)]), unsorted);
        assert_eq!(read(NHS, &[(2, 1), (2, 1)]), unsorted);
        assert_eq!(read(NHS, &[(2, 70)]), Err(ColumnError::UnknownRecord { kind: NHS, epoch: 1 }));
    }
}
