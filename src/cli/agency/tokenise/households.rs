//! Addresses that many rows share: a care home would be recognised by its count alone, so nobody
//! there gets a household token.
//!
//! Counting needs a pass over the whole file before the first line is written. An address is held as
//! sixteen bytes of its token, never in clear: 40 bytes or so for each address of the file.

use std::collections::{HashMap, HashSet};

use super::minter::AddressTag;

/// The most rows of one file that may share an address and still have household tokens.
pub const MOST_ROWS_OF_ONE_ADDRESS: u8 = 12;

/// Counts rows by address.
#[derive(Default)]
pub(super) struct AddressCounts(HashMap<AddressTag, u8>);

impl AddressCounts {
    pub(super) fn add(&mut self, tag: AddressTag) {
        let count = self.0.entry(tag).or_default();
        *count = count.saturating_add(1);
    }

    /// Forgets all but the addresses that too many rows share.
    pub(super) fn into_large(self) -> LargeAddresses {
        let large = self.0.into_iter().filter(|(_, count)| *count > MOST_ROWS_OF_ONE_ADDRESS);
        LargeAddresses(large.map(|(tag, _)| tag).collect())
    }
}

/// The addresses that too many rows share.
#[derive(Default)]
pub(in crate::cli::agency) struct LargeAddresses(HashSet<AddressTag>);

impl LargeAddresses {
    pub(super) fn contains(&self, tag: &AddressTag) -> bool {
        self.0.contains(tag)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_rows_are_a_household_and_thirteen_are_none() {
        let mut counts = AddressCounts::default();
        for (tag, rows) in [(1, 12), (2, 13), (3, 300)] {
            (0..rows).for_each(|_| counts.add([tag; 16]));
        }
        let large = counts.into_large();
        assert_eq!([1, 2, 3].map(|tag| large.contains(&[tag; 16])), [false, true, true]);
        assert_eq!(large.len(), 2);
    }
}
