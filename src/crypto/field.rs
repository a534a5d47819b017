//! Sealed database fields: a stolen database shows neither a flag nor which rows agree.
//!
//! Stored form: key version (4 bytes, big-endian), salt (32), ciphertext and tag. The plaintext is
//! padded to whole 64-byte blocks so that its length says little. Table, column and row are bound
//! in: a value copied to another place does not open.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

use super::aead;
use super::mac::push_lp;
use super::random::Random;
use super::secret::Secret;
use crate::domain::labels;

/// Why a stored field does not open, or a value cannot be sealed. Carries no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Too short to be a sealed field.
    #[error("sealed field is malformed")]
    Malformed,
    /// No key of that version is loaded.
    #[error("sealed field needs version {0} of the key-encryption key; load it beside the current one")]
    UnknownKey(u32),
    /// Wrong key or place, or altered.
    #[error("sealed field does not open: another key, another row, or altered")]
    Refused,
    /// The value does not fit the fixed length.
    #[error("value is too long for a field of fixed length {0}")]
    TooLong(usize),
    /// The current version is not among the keys.
    #[error("the current version of the key-encryption key is not loaded")]
    NoCurrentKey,
}

static OPENED: AtomicU64 = AtomicU64::new(0);

/// How many stored fields this process tried to open: as many for a person whom somebody shields as for
/// one whom nobody knows, which a test holds by this.
pub fn fields_opened() -> u64 {
    OPENED.load(Ordering::Relaxed)
}

/// Seals and opens fields under the key-encryption key, of which several versions may be loaded.
pub struct FieldSealer {
    keys: BTreeMap<u32, Secret<32>>,
    current: u32,
}

impl FieldSealer {
    /// Bytes that [`FieldSealer::seal_to_length`] adds to the padded length.
    pub const OVERHEAD: usize = VERSION + aead::OVERHEAD;

    /// Takes the key versions and which of them seals.
    ///
    /// # Errors
    ///
    /// [`FieldError::NoCurrentKey`] if `current` is not among them.
    pub fn new(keys: BTreeMap<u32, Secret<32>>, current: u32) -> Result<Self, FieldError> {
        if keys.contains_key(&current) { Ok(Self { keys, current }) } else { Err(FieldError::NoCurrentKey) }
    }

    /// Seals a value for one place, padded to whole 64-byte blocks.
    pub fn seal(&self, random: &dyn Random, table: &str, column: &str, row: &[u8], plaintext: &[u8]) -> Vec<u8> {
        // One byte of padding at least: a value of exactly 64 bytes takes two blocks.
        let blocks = plaintext.len() / BLOCK + 1;
        let padded = aead::pad(plaintext, blocks * BLOCK).expect("the blocks hold one byte more than the value");
        self.seal_padded(random, &place(table, column, row), &padded)
    }

    /// Seals a value padded to `padded_length` bytes, so that every stored value of a column has
    /// the same length: `padded_length` + [`FieldSealer::OVERHEAD`].
    ///
    /// # Errors
    ///
    /// [`FieldError::TooLong`] if the value leaves no room for one byte of padding.
    pub fn seal_to_length(
        &self,
        random: &dyn Random,
        table: &str,
        column: &str,
        row: &[u8],
        plaintext: &[u8],
        padded_length: usize,
    ) -> Result<Vec<u8>, FieldError> {
        let padded = aead::pad(plaintext, padded_length).ok_or(FieldError::TooLong(padded_length))?;
        Ok(self.seal_padded(random, &place(table, column, row), &padded))
    }

    /// Opens what either method sealed, under whichever key version it names.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if it is malformed, its key is not loaded, or it does not open here.
    pub fn open(&self, table: &str, column: &str, row: &[u8], stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, FieldError> {
        OPENED.fetch_add(1, Ordering::Relaxed);
        let (version, sealed) = split(stored)?;
        let key = self.keys.get(&version).ok_or(FieldError::UnknownKey(version))?;
        let padded = aead::open(key, &place(table, column, row), sealed).ok_or(FieldError::Refused)?;
        aead::unpad(padded).ok_or(FieldError::Refused)
    }

    /// Seals a stored field again under the current key, at the length that it has.
    ///
    /// # Errors
    ///
    /// [`FieldError`] as of [`FieldSealer::open`].
    pub fn reseal(
        &self,
        random: &dyn Random,
        table: &str,
        column: &str,
        row: &[u8],
        stored: &[u8],
    ) -> Result<Vec<u8>, FieldError> {
        let (version, sealed) = split(stored)?;
        let key = self.keys.get(&version).ok_or(FieldError::UnknownKey(version))?;
        let place = place(table, column, row);
        let padded = aead::open(key, &place, sealed).ok_or(FieldError::Refused)?;
        Ok(self.seal_padded(random, &place, &padded))
    }

    /// Whether a stored field is already under the current key; rotation reseals those that are not.
    pub fn is_current(&self, stored: &[u8]) -> bool {
        split(stored).is_ok_and(|(version, _)| version == self.current)
    }

    fn seal_padded(&self, random: &dyn Random, place: &[u8], padded: &[u8]) -> Vec<u8> {
        let key = self.keys.get(&self.current).expect("`new` checked that the current key is loaded");
        let sealed = aead::seal(random, key, place, padded);
        [self.current.to_be_bytes().as_slice(), &sealed].concat()
    }
}

impl fmt::Debug for FieldSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FieldSealer(redacted)")
    }
}

const BLOCK: usize = 64;
const VERSION: usize = 4;

fn split(stored: &[u8]) -> Result<(u32, &[u8]), FieldError> {
    let (version, sealed) = stored.split_first_chunk::<VERSION>().ok_or(FieldError::Malformed)?;
    if sealed.len() <= aead::OVERHEAD {
        return Err(FieldError::Malformed);
    }
    Ok((u32::from_be_bytes(*version), sealed))
}

fn place(table: &str, column: &str, row: &[u8]) -> Vec<u8> {
    let mut info = labels::FIELD.as_bytes().to_vec();
    push_lp(&mut info, table.as_bytes());
    push_lp(&mut info, column.as_bytes());
    push_lp(&mut info, row);
    info
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::random::{CountingRandom, SystemRandom};
    use crate::crypto::token::vectors::hex;

    fn sealer(versions: &[u32], current: u32) -> FieldSealer {
        let keys = versions.iter().map(|&v| (v, Secret::from_slice(&[v as u8; 32]).expect("32"))).collect();
        FieldSealer::new(keys, current).expect("current is loaded")
    }

    #[test]
    fn a_field_opens_only_in_its_own_place() {
        let sealer = sealer(&[1], 1);
        let stored = sealer.seal(&SystemRandom::new(), "record", "evidence", b"row", b"flags");
        assert_eq!(sealer.open("record", "evidence", b"row", &stored).expect("its place").as_slice(), b"flags");
        for (table, column, row) in [
            ("recor", "devidence", b"row".as_slice()),
            ("record", "note", b"row"),
            ("other", "evidence", b"row"),
            ("record", "evidence", b"rox"),
            ("record", "evidence", b""),
        ] {
            assert_eq!(sealer.open(table, column, row, &stored), Err(FieldError::Refused));
        }
    }

    #[test]
    fn old_key_versions_open_and_the_current_one_seals() {
        let old = sealer(&[1], 1).seal(&SystemRandom::new(), "t", "c", b"r", b"v");
        let both = sealer(&[1, 2], 2);
        assert_eq!(both.open("t", "c", b"r", &old).expect("version 1 is loaded").as_slice(), b"v");
        assert!(!both.is_current(&old));
        let new = both.seal(&SystemRandom::new(), "t", "c", b"r", b"v");
        assert!(both.is_current(&new));
        assert_eq!(sealer(&[1], 1).open("t", "c", b"r", &new), Err(FieldError::UnknownKey(2)));
        let mut relabelled = new.clone();
        relabelled[3] = 1;
        assert_eq!(both.open("t", "c", b"r", &relabelled), Err(FieldError::Refused));
        assert!(FieldSealer::new(BTreeMap::new(), 1).is_err());
    }

    #[test]
    fn a_resealed_field_has_its_length_and_place_and_needs_the_current_key_alone() {
        let old = sealer(&[1], 1).seal_to_length(&SystemRandom::new(), "t", "c", b"r", b"v", 256).expect("fits");
        let new = sealer(&[1, 2], 2).reseal(&SystemRandom::new(), "t", "c", b"r", &old).expect("both are loaded");
        assert_eq!(new.len(), old.len());
        assert_eq!(sealer(&[2], 2).open("t", "c", b"r", &new).expect("the new key").as_slice(), b"v");
        assert_eq!(sealer(&[1], 1).open("t", "c", b"r", &new), Err(FieldError::UnknownKey(2)));
        assert!(sealer(&[1, 2], 2).reseal(&SystemRandom::new(), "t", "c", b"other", &old).is_err());
    }

    #[test]
    fn equal_values_look_different_and_lengths_come_in_blocks() {
        let sealer = sealer(&[1], 1);
        let seal = |length: usize| sealer.seal(&SystemRandom::new(), "t", "c", b"r", &vec![7; length]);
        assert_ne!(seal(5), seal(5));
        for (length, padded) in [(0, 64), (1, 64), (63, 64), (64, 128), (127, 128), (128, 192)] {
            assert_eq!(seal(length).len(), padded + FieldSealer::OVERHEAD, "{length}");
        }
        assert_eq!(FieldSealer::OVERHEAD, 52);
    }

    #[test]
    fn a_fixed_length_hides_the_length_entirely() {
        let sealer = sealer(&[1], 1);
        let seal = |value: &[u8]| sealer.seal_to_length(&SystemRandom::new(), "t", "c", b"r", value, 256);
        for value in [b"".as_slice(), b"short", &[0x80; 255]] {
            let stored = seal(value).expect("fits");
            assert_eq!(stored.len(), 256 + FieldSealer::OVERHEAD);
            assert_eq!(sealer.open("t", "c", b"r", &stored).expect("opens").as_slice(), value);
        }
        assert_eq!(seal(&[1; 256]), Err(FieldError::TooLong(256)));
    }

    #[test]
    fn the_stored_form_equals_that_of_another_implementation() {
        // Key 01 repeated, salt 00..1f, computed with Python's `cryptography` (HKDF, AESGCM).
        let stored = sealer(&[1], 1).seal(&CountingRandom::from(0), "t", "c", b"r", b"v");
        let expected = concat!(
            "00000001000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fe58154af",
            "60725dda54892cb8c8bb5871d292d8b96b51291754ec2c5cbaa902041b1c478bb179134e31a1e3e4",
            "1d875973876221f129aa4a9e0f43e07c7604281c0ea674fb5845e79b7363c27d3ad88e21",
        );
        assert_eq!(hex(&stored), expected);
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_noticed(value in proptest::collection::vec(any::<u8>(), 0..90), bit in any::<prop::sample::Index>()) {
            let sealer = sealer(&[1], 1);
            let mut stored = sealer.seal(&SystemRandom::new(), "t", "c", b"r", &value);
            let bit = bit.index(stored.len() * 8);
            stored[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(sealer.open("t", "c", b"r", &stored).is_err());
        }

        #[test]
        fn no_bytes_make_opening_panic(stored in any::<Vec<u8>>()) {
            prop_assert!(sealer(&[1], 1).open("t", "c", b"r", &stored).is_err());
        }
    }
}
