//! The loop over all pairs, in plain Rust. `dispatch` compiles it once for each set of instructions.
#![expect(clippy::inline_always, reason = "what is inlined takes on the instructions of where it is inlined")]

use std::ops::Range;

use super::blocks::{Block, Blocks, LANES, LOOKS, Row};
use super::{Alike, DiceError};
use crate::domain::clk::Threshold;

/// Blocks that are compared with every row before the next ones: so few that they stay near the core.
const TILE: usize = 256;
/// How many rows are compared with a block while it is at hand.
const ROWS: usize = 4;

/// Two sets, the threshold, and what was found so far.
pub(super) struct Scan<'f, const W: usize> {
    left: Vec<[Row<'f, W>; ROWS]>,
    right: Blocks<W>,
    threshold: Threshold,
    most: usize,
    found: Vec<Alike>,
}

impl<'f, const W: usize> Scan<'f, W> {
    pub(super) fn new(left: Vec<Row<'f, W>>, right: Blocks<W>, threshold: Threshold, most: usize) -> Self {
        let last = left.last().map_or(0, |row| row.ones);
        let count = left.len().div_ceil(ROWS);
        let mut rows = left.into_iter();
        // What is missing of the last four is empty, and has nothing in common with anything.
        let mut next = || rows.next().unwrap_or(Row { place: u32::MAX, ones: last, words: &[0; W], beyond: [0; 3] });
        let left = (0..count).map(|_| std::array::from_fn(|_| next())).collect();
        Self { left, right, threshold, most, found: Vec::new() }
    }

    pub(super) fn into_found(self) -> Result<Vec<Alike>, DiceError> {
        if self.found.len() > self.most { Err(DiceError::TooMany { most: self.most }) } else { Ok(self.found) }
    }

    /// Compares everything; ends early once there are too many pairs.
    #[inline(always)]
    pub(super) fn run<L: Lanes>(&mut self) {
        if self.is_early_look_worth_it() { self.run_from::<L, 0>() } else { self.run_from::<L, 1>() }
    }

    #[inline(always)]
    fn run_from<L: Lanes, const FIRST: usize>(&mut self) {
        // For the fewest ones of four rows: the common ones needed, by the ones on the right.
        let mut needed = [0_u32; 1 + 64 * 32];
        let count = self.right.all.len();
        for tile in (0..count).step_by(TILE).map(|start| start..(start + TILE).min(count)) {
            let mut needed_for = 0;
            for at in 0..self.left.len() {
                let (fewest, most) = (self.left[at][0].ones, self.left[at][ROWS - 1].ones);
                if fewest != needed_for {
                    needed_for = fewest;
                    for (ones, needed) in (0_u32..).zip(&mut needed[..=64 * W]) {
                        *needed = self.threshold.least_common(fewest + ones);
                    }
                }
                for block in self.window(fewest, most, &tile) {
                    // The fewest ones of the block, which come first, need the fewest in common.
                    let least = u64::from(needed[self.right.ones[block][0] as usize]);
                    self.compare::<L, FIRST>(at, block, least);
                }
                if self.found.len() > self.most {
                    return;
                }
            }
        }
    }

    #[inline(always)]
    fn compare<L: Lanes, const FIRST: usize>(&mut self, at: usize, place: usize, least: u64) {
        let (rows, block) = (&self.left[at], &self.right.all[place]);
        let first = W * LOOKS[FIRST] / 16;
        let mut sums = [L::zero(); ROWS];
        // By index, here and below: a release is built without optimising across code units, where
        // iterators that are zipped cost a call for each block.
        for n in 0..ROWS {
            sums[n] = sums[n].add_common(&rows[n].words[..first], &block.words[..first]);
        }
        let mut reach = [false; ROWS];
        for n in 0..ROWS {
            reach[n] = sums[n].can_reach(rows[n].beyond[FIRST], &block.beyond[FIRST], least);
        }
        // Without a branch for each row: nearly all blocks end here.
        if !(reach[0] | reach[1] | reach[2] | reach[3]) {
            return;
        }
        for n in 0..ROWS {
            if !reach[n] {
                continue;
            }
            let row = &rows[n];
            let Some(common) = beyond_first_look::<L, W, FIRST>(row, block, sums[n], least) else { continue };
            for (lane, &common) in common.iter().enumerate() {
                let ones = self.right.ones[place][lane];
                // An empty place has no ones, and so nothing in common.
                if common > 0 && common >= u64::from(self.threshold.least_common(row.ones + ones)) {
                    self.found.push(Alike { left: row.place, right: self.right.places[place][lane] });
                }
            }
        }
    }

    /// Whether most blocks of a sample could be left at the first look already. Depends on the
    /// filters alone; what is found is the same either way.
    fn is_early_look_worth_it(&self) -> bool {
        let every = |count: usize| (count / 32).max(1);
        let words = W * LOOKS[0] / 16;
        let (mut seen, mut left_early) = (0, 0);
        for row in self.left.iter().step_by(every(self.left.len())).map(|rows| &rows[0]) {
            for (block, ones) in self.right.all.iter().zip(&self.right.ones).step_by(every(self.right.all.len())) {
                let sums = [0; LANES].add_common(&row.words[..words], &block.words[..words]);
                let least = u64::from(self.threshold.least_common(row.ones + ones[0]));
                seen += 1;
                left_early += usize::from(!sums.can_reach(row.beyond[0], &block.beyond[0], least));
            }
        }
        left_early * 4 > seen * 3
    }

    /// The blocks of a tile in which a filter could have enough in common with one of `fewest` to
    /// `most` ones.
    fn window(&self, fewest: u32, most: u32, tile: &Range<usize>) -> Range<usize> {
        let blocks = &self.right.ones[tile.clone()];
        // Common ones are at most the fewer of the two. As the right has more, both sides of each
        // comparison below only move one way.
        let too_few = |lanes: &[u32; LANES]| {
            let ones = lanes.iter().copied().max().unwrap_or_default();
            ones < fewest && ones < self.threshold.least_common(fewest + ones)
        };
        let too_many = |lanes: &[u32; LANES]| lanes[0] > most && most < self.threshold.least_common(most + lanes[0]);
        let start = blocks.partition_point(too_few);
        let end = blocks.partition_point(|lanes| !too_many(lanes));
        tile.start + start..tile.start + end.max(start)
    }
}

/// The ones that a row has in common with each filter of a block, from those before the first look;
/// none as soon as no filter can reach `least`.
#[inline(always)]
fn beyond_first_look<L: Lanes, const W: usize, const FIRST: usize>(
    row: &Row<'_, W>,
    block: &Block<W>,
    mut sums: L,
    least: u64,
) -> Option<[u64; LANES]> {
    for look in FIRST + 1..=LOOKS.len() {
        let sixteenths = |look: usize| LOOKS.get(look).copied().unwrap_or(16);
        let (from, to) = (W * sixteenths(look - 1) / 16, W * sixteenths(look) / 16);
        sums = sums.add_common(&row.words[from..to], &block.words[from..to]);
        let beyond = row.beyond.get(look).copied().unwrap_or_default();
        if !sums.can_reach(beyond, block.beyond.get(look).unwrap_or(&[0; LANES]), least) {
            return None;
        }
    }
    Some(sums.to_array())
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
        for at in 0..row.len().min(block.len()) {
            for lane in 0..LANES {
                self[lane] += u64::from((row[at] & block[at][lane]).count_ones());
            }
        }
        self
    }

    #[inline(always)]
    fn can_reach(self, row_beyond: u64, block_beyond: &[u64; LANES], least: u64) -> bool {
        let mut any = false;
        for lane in 0..LANES {
            any |= self[lane] + row_beyond.min(block_beyond[lane]) >= least;
        }
        any
    }

    #[inline(always)]
    fn to_array(self) -> [u64; LANES] {
        self
    }
}
