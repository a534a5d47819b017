//! The loop over all pairs, in plain Rust. `dispatch` compiles it once for each set of instructions.

use std::ops::Range;

use super::blocks::{Block, Blocks, LANES, LOOKS, Row};
use super::{Alike, DiceError};
use crate::domain::clk::Threshold;

/// Blocks that are compared with every row before the next ones: about a megabyte, so that they stay
/// near the core.
const TILE: usize = 768;

/// Two sets, the threshold, and what was found so far.
pub(super) struct Scan<'f, const W: usize> {
    left: Vec<Row<'f, W>>,
    right: Blocks<W>,
    threshold: Threshold,
    most: usize,
    found: Vec<Alike>,
}

impl<'f, const W: usize> Scan<'f, W> {
    pub(super) fn new(left: Vec<Row<'f, W>>, right: Blocks<W>, threshold: Threshold, most: usize) -> Self {
        Self { left, right, threshold, most, found: Vec::new() }
    }

    pub(super) fn into_found(self) -> Result<Vec<Alike>, DiceError> {
        if self.found.len() > self.most { Err(DiceError::TooMany { most: self.most }) } else { Ok(self.found) }
    }

    /// Compares everything; ends early once there are too many pairs.
    #[expect(clippy::inline_always, reason = "it takes on the instructions of the function that it is inlined into")]
    #[inline(always)]
    pub(super) fn run<L: Lanes>(&mut self) {
        // For one number of ones on the left: the common ones needed, by the ones on the right.
        let mut needed = [0_u32; 1 + 64 * 32];
        let count = self.right.blocks.len();
        for tile in (0..count).step_by(TILE).map(|start| start..(start + TILE).min(count)) {
            let mut needed_for = 0;
            let mut window = 0..0;
            for row in &self.left {
                if row.ones != needed_for {
                    needed_for = row.ones;
                    for (ones, needed) in (0_u32..).zip(&mut needed[..=64 * W]) {
                        *needed = self.threshold.least_common(row.ones + ones);
                    }
                    window = self.window(row.ones, &needed, &tile);
                }
                for at in window.clone() {
                    // The fewest ones of the block, which come first, need the fewest in common.
                    let least = u64::from(needed[self.right.ones[at][0] as usize]);
                    if let Some(common) = common::<L, W>(row, &self.right.blocks[at], least) {
                        for lane in 0..LANES {
                            let ones = self.right.ones[at][lane];
                            if ones > 0 && common[lane] >= u64::from(needed[ones as usize]) {
                                self.found.push(Alike { left: row.place, right: self.right.places[at][lane] });
                            }
                        }
                        if self.found.len() > self.most {
                            return;
                        }
                    }
                }
            }
        }
    }

    /// The blocks of a tile in which a filter could have enough in common with one of `ones` ones.
    fn window(&self, ones: u32, needed: &[u32], tile: &Range<usize>) -> Range<usize> {
        let blocks = &self.right.ones[tile.clone()];
        // Common ones are at most the fewer of the two. As the right has more, both sides of each
        // comparison below only move one way.
        let too_few = |lanes: &[u32; LANES]| {
            let most = lanes.iter().copied().max().unwrap_or_default();
            most < ones && most < needed[most as usize]
        };
        let too_many = |lanes: &[u32; LANES]| lanes[0] > ones && ones < needed[lanes[0] as usize];
        let start = blocks.partition_point(too_few);
        let end = blocks.partition_point(|lanes| !too_many(lanes));
        tile.start + start..tile.start + end.max(start)
    }
}

/// The ones that a row has in common with each filter of a block; none as soon as no filter can
/// reach `least`.
#[expect(clippy::inline_always, reason = "it takes on the instructions of the function that it is inlined into")]
#[inline(always)]
fn common<L: Lanes, const W: usize>(row: &Row<'_, W>, block: &Block<W>, least: u64) -> Option<[u64; LANES]> {
    let mut sums = L::zero();
    let mut from = 0;
    for (look, sixteenths) in LOOKS.iter().enumerate() {
        let to = W * sixteenths / 16;
        sums = sums.add_common(&row.words[from..to], &block.words[from..to]);
        from = to;
        if !sums.can_reach(row.beyond[look], &block.beyond[look], least) {
            return None;
        }
    }
    sums = sums.add_common(&row.words[from..], &block.words[from..]);
    sums.can_reach(0, &[0; LANES], least).then(|| sums.to_array())
}

/// Eight sums, in whatever registers there are.
pub(super) trait Lanes: Copy {
    /// Eight zeros.
    fn zero() -> Self;
    /// Adds, for each filter of the block, the ones that it has in common with the row: at most 31
    /// words at a time.
    fn add_common(self, row: &[u64], block: &[[u64; LANES]]) -> Self;
    /// Whether one of the sums reaches `least` with what may still come.
    fn can_reach(self, row_beyond: u64, block_beyond: &[u64; LANES], least: u64) -> bool;
    /// The sums.
    fn to_array(self) -> [u64; LANES];
}

impl Lanes for [u64; LANES] {
    #[inline(always)]
    fn zero() -> Self {
        [0; LANES]
    }

    #[inline(always)]
    fn add_common(mut self, row: &[u64], block: &[[u64; LANES]]) -> Self {
        for (word, lanes) in row.iter().zip(block) {
            for (sum, lane) in self.iter_mut().zip(lanes) {
                *sum += u64::from((word & lane).count_ones());
            }
        }
        self
    }

    #[inline(always)]
    fn can_reach(self, row_beyond: u64, block_beyond: &[u64; LANES], least: u64) -> bool {
        let can = |(sum, beyond): (u64, &u64)| u64::from(sum + row_beyond.min(*beyond) >= least);
        self.into_iter().zip(block_beyond).map(can).fold(0, |any, can| any | can) != 0
    }

    #[inline(always)]
    fn to_array(self) -> [u64; LANES] {
        self
    }
}
