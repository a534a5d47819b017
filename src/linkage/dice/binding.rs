//! A threshold found without seeing the truth: strangers are known from files in which nobody is twice.
//!
//! Two records of one file that has each person once are two people, however alike their filters. How
//! often they reach a threshold therefore says how often strangers do, twins and neighbours among them.
//! The records of two files are compared in the same way, and what strangers would give there is set
//! against all that is found. No pair is ever labelled.

use super::{Alike, Closeness, DiceError, Filters, Path, alike};
use crate::domain::clk::{Clk, EncodingProfile, Threshold};

/// Below this nothing is looked at: strangers of balanced filters come near it by chance.
const LEAST: u16 = 650;
/// Thresholds that are tried are this far apart, in thousandths: what noise moves from key to key.
const STEP: u16 = 10;
/// Most pairs of two files that are looked at closely.
const MOST_ALIKE: usize = 20_000_000;

/// A threshold, and what it was found from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The lowest threshold at which so few strangers are expected.
    pub threshold: Threshold,
    /// Pairs of two files that reach it.
    pub found: u64,
    /// Pairs of one file that reach it: strangers.
    pub strangers: u64,
    /// Strangers to be expected among the found pairs, in thousandths of a pair.
    pub expected_in_thousandths: u64,
}

/// Why no threshold was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// The filters cannot be compared.
    #[error(transparent)]
    Dice(#[from] DiceError),
    /// At no threshold are strangers that rare, or nothing is found at all.
    #[error("binding.none: at no threshold are strangers that rare among the pairs of two files")]
    None,
}

/// Finds the lowest threshold at which at most one in `one_in` pairs of two files is expected to be of
/// strangers. Each file has to have every person once; filters that do not fit the profile are left out.
///
/// # Errors
///
/// [`BindingError`] if there is none, or the filters are not of one space.
pub fn bind(files: &[Vec<Clk>], profile: &EncodingProfile, one_in: u64) -> Result<Binding, BindingError> {
    let least = Threshold::thousandths(LEAST).ok_or(BindingError::None)?;
    let (mut within, mut across) = (Counts::default(), Counts::default());
    for (at, ours) in files.iter().enumerate() {
        for (other, theirs) in files.iter().enumerate().skip(at) {
            let pairs = pairs_of(ours, theirs, profile, least)?;
            if at == other {
                let once = pairs.into_iter().filter(|pair| pair.left < pair.right);
                within.add(ours, theirs, once, (ours.len() * ours.len().saturating_sub(1) / 2) as u64);
            } else {
                across.add(ours, theirs, pairs.into_iter(), (ours.len() * theirs.len()) as u64);
            }
        }
    }
    let mut best = None;
    for thousandths in (LEAST..=1000).step_by(usize::from(STEP)).rev() {
        let (found, strangers) = (across.from(thousandths), within.from(thousandths));
        // Of the pairs of one file so many in all are strangers that reach it; of two files likewise.
        let expected = u128::from(strangers) * u128::from(across.all) * 1000 / u128::from(within.all.max(1));
        if found > 0 && expected * u128::from(one_in) > u128::from(found) * 1000 {
            break;
        }
        if found > 0 {
            let threshold = Threshold::thousandths(thousandths).ok_or(BindingError::None)?;
            best = Some(Binding { threshold, found, strangers, expected_in_thousandths: expected as u64 });
        }
    }
    best.ok_or(BindingError::None)
}

fn pairs_of(
    ours: &[Clk],
    theirs: &[Clk],
    profile: &EncodingProfile,
    least: Threshold,
) -> Result<Vec<Alike>, DiceError> {
    let (Some(first), Some(_)) = (ours.first(), theirs.first()) else { return Ok(Vec::new()) };
    let (mut left, mut right) = (Filters::new(*first.space(), profile)?, Filters::new(*first.space(), profile)?);
    ours.iter().try_for_each(|clk| left.push(clk))?;
    theirs.iter().try_for_each(|clk| right.push(clk))?;
    alike(&left.words, &right.words, left.length, least, Path::best(), MOST_ALIKE)
}

/// How many pairs there are of each likeness.
struct Counts {
    /// By thousandths of the likeness, rounded down.
    by_likeness: Vec<u64>,
    /// All that were compared.
    all: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self { by_likeness: vec![0; 1001], all: 0 }
    }
}

impl Counts {
    fn add(&mut self, ours: &[Clk], theirs: &[Clk], pairs: impl Iterator<Item = Alike>, all: u64) {
        self.all += all;
        for pair in pairs {
            if let Some(near) = Closeness::of(&ours[pair.left as usize], &theirs[pair.right as usize]) {
                self.by_likeness[near.in_thousandths()] += 1;
            }
        }
    }

    /// The pairs of so many thousandths or more.
    fn from(&self, thousandths: u16) -> u64 {
        self.by_likeness[usize::from(thousandths)..].iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clk::Space;

    fn profile() -> EncodingProfile {
        let text = include_str!("../../../policies/clk-profile.toml");
        let line = |key: &str| text.lines().find(|line| line.starts_with(key)).expect("the key");
        let text = text.replace(line("bits "), "bits = 512").replace(line("hardening"), "hardening = \"fold\"");
        EncodingProfile::parse(text.as_bytes()).expect("well-formed")
    }

    /// A filter of a hundred ones, from a place on: two that lie a place apart share 99.
    fn filter(from: u32) -> Clk {
        let mut words = [0_u64; 8];
        for bit in from..from + 100 {
            words[bit as usize / 64] |= 1 << (bit % 64);
        }
        Clk::new(Space { profile: profile().short_hash(), epoch: 1, key_check: [2; 8] }, &words).expect("ones")
    }

    #[test]
    fn the_threshold_lies_above_what_strangers_of_one_file_reach() {
        // Two neighbours in one file, 15 places apart (0.85). The other has a partner of one, 5 places on (0.95).
        let files = [vec![filter(0), filter(15)], vec![filter(5)]];
        let bound = bind(&files, &profile(), 1000).expect("bound");
        assert_eq!(bound.threshold, Threshold::thousandths(860).expect("in range"));
        // The neighbour is near the partner too (0.90), and nothing here can tell.
        assert_eq!((bound.found, bound.strangers), (2, 0));
        // Whoever bears a stranger for each pair may go below where they begin.
        let bearing = bind(&files, &profile(), 1).expect("bound");
        assert!(bearing.threshold < bound.threshold && bearing.strangers == 1, "{bearing:?}");
    }

    #[test]
    fn without_pairs_or_with_strangers_as_near_as_pairs_there_is_none() {
        assert_eq!(bind(&[vec![filter(0)], vec![filter(200)]], &profile(), 1000), Err(BindingError::None));
        let alike = || vec![filter(0), filter(0), filter(0)];
        assert_eq!(bind(&[alike(), alike()], &profile(), 1000), Err(BindingError::None));
        assert_eq!(bind(&[], &profile(), 1000), Err(BindingError::None));
    }
}
