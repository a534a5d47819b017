//! Which filters are alike: the Dice coefficient of all pairs of two sets of fuzzy encodings.
//!
//! Last stage of linkage, for the records that match keys leave over ([`fuzzy`](super::fuzzy)). Likeness is
//! compared with the profile's threshold in whole numbers. No score leaves this module, because scores
//! are what graph matching needs (Vidanage et al., "Graph matching based attacks on
//! privacy-preserving record linkage", 2020): a [`Closeness`] can be ordered, and told as one of three
//! bands.
//!
//! Filters are sorted by their number of ones, so that pairs that can never reach the threshold are
//! not looked at, and lie in blocks of eight, word by word, so that eight are compared at a time.
//! A block is left as soon as none of its filters can reach the threshold any more. The widest
//! instructions that the processor has are chosen when the program runs ([`Path`]); every path finds
//! the same pairs.

mod binding;
mod blocks;
mod closeness;
mod dispatch;
#[cfg(any(target_arch = "x86_64", test))]
mod plain;
mod scan;

use crate::domain::clk::{Clk, EncodingProfile, Space, Threshold};

pub use self::binding::{Binding, BindingError, bind};
use self::blocks::Blocks;
pub use self::closeness::{Band, Closeness};
pub use self::dispatch::Path;

/// Why filters cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiceError {
    /// They were made by other rules, under another key or in another epoch.
    #[error("dice.space: the filters were not made by one encoding profile under one key")]
    Space,
    /// The profile is not the one that the filters were made by, so its threshold means nothing here.
    #[error("dice.profile: the filters were made by another encoding profile than the one given")]
    Profile,
    /// The filter has another length than its profile says.
    #[error("dice.length: the filter is not as long as its encoding profile says")]
    Length,
    /// More pairs than the caller has room for: the threshold is too low for these filters.
    #[error("dice.too_many: there are more than {most} pairs at this threshold")]
    TooMany {
        /// How many there may be.
        most: usize,
    },
}

/// Two filters that are alike, by their places in the two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alike {
    /// The place in the first set.
    pub left: u32,
    /// The place in the second set.
    pub right: u32,
}

/// Filters of one space, in the order in which they came.
pub struct Filters {
    space: Space,
    /// How many words a filter has.
    length: usize,
    words: Vec<u64>,
}

impl Filters {
    /// No filter yet, of a profile's length and a space.
    ///
    /// # Errors
    ///
    /// [`DiceError::Profile`] if the space is not of the profile.
    pub fn new(space: Space, profile: &EncodingProfile) -> Result<Self, DiceError> {
        if space.profile != profile.short_hash() {
            return Err(DiceError::Profile);
        }
        Ok(Self { space, length: profile.bits() / 64, words: Vec::new() })
    }

    /// Adds a filter.
    ///
    /// # Errors
    ///
    /// [`DiceError::Space`] if it is of another profile, key or epoch, [`DiceError::Length`] if it
    /// has another length.
    pub fn push(&mut self, clk: &Clk) -> Result<(), DiceError> {
        if *clk.space() != self.space {
            return Err(DiceError::Space);
        }
        if clk.words().len() != self.length {
            return Err(DiceError::Length);
        }
        self.words.extend_from_slice(clk.words());
        Ok(())
    }

    /// How many filters there are.
    pub fn len(&self) -> usize {
        self.words.len() / self.length
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The pairs of a filter of this set and one of the other that reach the profile's threshold, in
    /// order of their places. Two empty filters are not alike.
    ///
    /// # Errors
    ///
    /// [`DiceError`] if the sets or the profile do not belong together, or there are more than
    /// `most` pairs.
    pub fn alike(&self, other: &Self, profile: &EncodingProfile, most: usize) -> Result<Vec<Alike>, DiceError> {
        if self.space != other.space {
            return Err(DiceError::Space);
        }
        if self.space.profile != profile.short_hash() {
            return Err(DiceError::Profile);
        }
        alike(&self.words, &other.words, self.length, profile.threshold(), Path::best(), most)
    }
}

impl std::fmt::Debug for Filters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filters").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The pairs of bare filters, `length` words each, that reach a threshold, by one path: what tests
/// and benchmarks compare. The product uses [`Filters::alike`], which refuses what does not belong
/// together.
///
/// # Errors
///
/// [`DiceError::Length`] unless filters have 8, 16 or 32 words, [`DiceError::TooMany`] if there are
/// more than `most` pairs.
pub fn alike(
    left: &[u64],
    right: &[u64],
    length: usize,
    threshold: Threshold,
    path: Path,
    most: usize,
) -> Result<Vec<Alike>, DiceError> {
    let found = match length {
        8 => alike_of::<8>(left, right, threshold, path, most),
        16 => alike_of::<16>(left, right, threshold, path, most),
        32 => alike_of::<32>(left, right, threshold, path, most),
        _ => return Err(DiceError::Length),
    };
    let mut found = found?;
    found.sort_unstable();
    Ok(found)
}

fn alike_of<const W: usize>(
    left: &[u64],
    right: &[u64],
    threshold: Threshold,
    path: Path,
    most: usize,
) -> Result<Vec<Alike>, DiceError> {
    let (left, []) = left.as_chunks::<W>() else { return Err(DiceError::Length) };
    let (right, []) = right.as_chunks::<W>() else { return Err(DiceError::Length) };
    let mut job = scan::Scan::new(blocks::by_ones(left), Blocks::new(right), threshold, most);
    dispatch::run(path, &mut job);
    job.into_found()
}

#[cfg(test)]
mod tests;
