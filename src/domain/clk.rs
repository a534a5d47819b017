//! Fuzzy encodings (privacy profile C): the published rules of an encoding, and a filter on the wire.
//!
//! A cryptographic long-term key (CLK) is a Bloom filter over pieces of several fields: Schnell,
//! Bachteler and Reiher, "A novel error-tolerant anonymous linking code" (2011). Two filters can be
//! compared only when they were made by one [`EncodingProfile`] under one key, because the
//! threshold that tells one person from two belongs to the profile: folding, balancing and noise
//! each move it. That is what [`Space`] is for.
//!
//! The weakest of the three privacy choices: whoever holds filters can compute how alike two people
//! are, which match keys never show. `docs/privacy-profiles.md` says when it is worth it.

mod file;
mod value;

use std::fmt;

use super::match_keys::Derivation;
use super::policy_file::FileHash;

pub use value::{Clk, ClkError};

/// The reserved token type whose key fuzzy encodings are made under.
pub const CLK_TYPE: &str = "clk";
/// Most fields that one filter is made of.
pub const MAX_CLK_FIELDS: usize = 16;

/// What turns a message into pseudorandom bytes: the agency's key, seen from where it is used.
pub trait KeyStream {
    /// 32 bytes that only a holder of the key can compute, the same for the same parts. Each part
    /// goes in with its length.
    fn digest(&self, parts: &[&[u8]]) -> [u8; 32];
}

impl<S: KeyStream> KeyStream for &S {
    fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        (*self).digest(parts)
    }
}

/// The published rules by which filters are made and compared, with the threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingProfile {
    name: String,
    norm: u16,
    bits: usize,
    hardening: Hardening,
    noise_halvings: u8,
    threshold: Threshold,
    salt: String,
    least_fields: usize,
    fields: Vec<ClkField>,
    hash: FileHash,
}

/// How the filter is changed so that what was put in cannot be read from how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hardening {
    /// The two halves of a filter of twice the length are added bit by bit.
    ///
    /// Source: R. Schnell and C. Borgs, "XOR-Folding for Bloom Filter-based Encryptions for
    /// Privacy-preserving Record Linkage" (German Record Linkage Center, 2016).
    Fold,
    /// A filter of half the length is followed by its negative, and all bits are moved about under
    /// the key: every filter has the same number of ones.
    ///
    /// Source: R. Schnell and C. Borgs, "Randomized Response and Balanced Bloom Filters for Privacy
    /// Preserving Record Linkage" (IEEE ICDM workshops, 2016).
    Balance,
}

/// One field of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClkField {
    /// The field of the match-keys file.
    pub field: String,
    /// What is taken of it.
    pub derivation: Derivation,
    /// The length of its pieces, in characters.
    pub q: usize,
    /// Whether a piece counts only in its place, as the digits of a date do.
    pub positional: bool,
    /// How many positions the field sets, however long the value.
    pub bits: usize,
}

/// A least likeness, as a fraction of thousandths: whole numbers, so that no two machines disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u16);

impl Threshold {
    /// A threshold from 1 to 1000 thousandths.
    pub fn thousandths(number: u16) -> Option<Self> {
        (1..=1000).contains(&number).then_some(Self(number))
    }

    /// Whether the Dice coefficient `2 * common / (one + other)` reaches the threshold. Never for
    /// two empty filters.
    ///
    /// ```
    /// use porth::domain::clk::Threshold;
    ///
    /// let threshold = Threshold::thousandths(800).expect("in range");
    /// assert!(threshold.is_reached(4, 5, 5) && !threshold.is_reached(3, 4, 4));
    /// assert!(!threshold.is_reached(0, 0, 0));
    /// ```
    pub fn is_reached(self, common: u32, one: u32, other: u32) -> bool {
        common > 0 && common >= self.least_common(one + other)
    }

    /// The threshold as it stands in the encoding profile.
    pub fn in_thousandths(self) -> u16 {
        self.0
    }

    /// The least number of common ones that two filters with so many ones in all need.
    pub fn least_common(self, ones: u32) -> u32 {
        // At most 2 × 4096 × 1000: far from the end of the range.
        (ones * u32::from(self.0)).div_ceil(2000).max(1)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// What two filters must share to be comparable: rules, key and epoch. It names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Space {
    /// The first bytes of the SHA-256 of the encoding profile.
    pub profile: [u8; 16],
    /// The epoch of the linkage key.
    pub epoch: u32,
    /// Eight bytes by which two holders of the key know one another.
    pub key_check: [u8; 8],
}

impl EncodingProfile {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The version of the normalisation rules.
    pub fn norm(&self) -> u16 {
        self.norm
    }
    /// How many bits a finished filter has.
    pub fn bits(&self) -> usize {
        self.bits
    }
    /// How a finished filter is hardened.
    pub fn hardening(&self) -> Hardening {
        self.hardening
    }
    /// How many bits the filter has before it is hardened; a power of two.
    pub fn raw_bits(&self) -> usize {
        match self.hardening {
            Hardening::Fold => self.bits * 2,
            Hardening::Balance => self.bits / 2,
        }
    }
    /// Each bit is turned over with a chance of one in two to this power; never when it is 0.
    pub fn noise_halvings(&self) -> u8 {
        self.noise_halvings
    }
    /// From which likeness on two filters speak for one person.
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }
    /// The date field whose year salts every piece: people of different years have nothing in common.
    pub fn salt(&self) -> &str {
        &self.salt
    }
    /// A record with fewer of the fields has no filter.
    pub fn least_fields(&self) -> usize {
        self.least_fields
    }
    /// The fields.
    pub fn fields(&self) -> &[ClkField] {
        &self.fields
    }
    /// The SHA-256 of the file, byte for byte: it binds the threshold to everything else.
    pub fn hash(&self) -> &FileHash {
        &self.hash
    }
    /// Whether a filter may have been made by these rules: its hash, its length and, where filters are
    /// balanced, its number of ones are those of the profile. Others are compared with nothing.
    pub fn fits(&self, clk: &Clk) -> bool {
        let ones = || clk.words().iter().map(|word| word.count_ones() as usize).sum::<usize>();
        clk.space().profile == self.short_hash()
            && clk.words().len() * 64 == self.bits
            && (self.hardening != Hardening::Balance || ones() * 2 == self.bits)
    }
    /// The beginning of the hash, as filters carry it.
    pub fn short_hash(&self) -> [u8; 16] {
        let bytes = self.hash.as_bytes();
        std::array::from_fn(|at| bytes[at])
    }
}
