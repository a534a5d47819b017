//! Counting common ones without an instruction for it.
//!
//! A word's ones are counted in ever wider fields: two bits, four, eight. Adders that take three words
//! to a sum and a carry come first, and the widening is done once for several words, so that eight words
//! of a filter take little more than half of the steps of eight counts.
//!
//! Sources: S. E. Anderson, "Bit Twiddling Hacks" (counting in parallel); W. Mula, N. Kurz and
//! D. Lemire, "Faster population counts using AVX2 instructions" (The Computer Journal 61, 2018), for
//! the adders, which are R. Seal's and D. Harley's.
#![expect(clippy::inline_always, reason = "as in `scan`: what is inlined is compiled for what it is inlined into")]
#![allow(clippy::needless_range_loop, reason = "by index, as in `scan`: the lanes of a block side by side")]

use super::blocks::LANES;
use super::scan::Lanes;

const PAIRS: u64 = 0x5555_5555_5555_5555;
const NIBBLES: u64 = 0x3333_3333_3333_3333;
const BYTES: u64 = 0x0f0f_0f0f_0f0f_0f0f;
/// Words that go through the adders together.
const TOGETHER: usize = 8;

/// Eight sums, for processors that cannot count ones.
#[derive(Clone, Copy)]
pub(super) struct Plain([u64; LANES]);

impl Lanes for Plain {
    #[inline(always)]
    fn zero() -> Self {
        Self([0; LANES])
    }

    #[inline(always)]
    fn add_common(mut self, row: &[u64], block: &[[u64; LANES]]) -> Self {
        let length = row.len().min(block.len());
        let (rows, blocks) = (row[..length].as_chunks::<TOGETHER>(), block[..length].as_chunks::<TOGETHER>());
        for at in 0..rows.0.len().min(blocks.0.len()) {
            let (row, block) = (&rows.0[at], &blocks.0[at]);
            for lane in 0..LANES {
                self.0[lane] += wide_sum(eight(row, block, lane));
            }
        }
        // At most seven are left: their bytes hold no more than 56.
        let mut bytes = [0_u64; LANES];
        for at in 0..rows.1.len().min(blocks.1.len()) {
            for lane in 0..LANES {
                bytes[lane] += in_bytes(in_nibbles(rows.1[at] & blocks.1[at][lane]));
            }
        }
        for lane in 0..LANES {
            self.0[lane] += wide_sum(bytes[lane]);
        }
        self
    }

    #[inline(always)]
    fn can_reach(self, row_beyond: u64, block_beyond: &[u64; LANES], least: u64) -> bool {
        self.0.can_reach(row_beyond, block_beyond, least)
    }

    #[inline(always)]
    fn to_array(self) -> [u64; LANES] {
        self.0
    }
}

/// The common ones of eight words of one filter, in bytes of at most 64.
#[inline(always)]
fn eight(row: &[u64; TOGETHER], block: &[[u64; LANES]; TOGETHER], lane: usize) -> u64 {
    let word = |at: usize| row[at] & block[at][lane];
    let (one, a) = add(word(0), word(1), word(2));
    let (other, b) = add(word(3), word(4), word(5));
    let (ones, c) = add(one, other, word(6));
    let (twos, fours) = add(a, b, c);
    // Four and four: no nibble holds more than eight.
    let ones = in_bytes(in_nibbles(ones) + in_nibbles(word(7)));
    ones + (in_bytes(in_nibbles(twos)) << 1) + (in_bytes(in_nibbles(fours)) << 2)
}

/// Adds three words bit by bit: the sums, and the carries, which count double.
#[inline(always)]
fn add(a: u64, b: u64, c: u64) -> (u64, u64) {
    let half = a ^ b;
    (half ^ c, a & b | half & c)
}

#[inline(always)]
fn in_nibbles(word: u64) -> u64 {
    let pairs = word - (word >> 1 & PAIRS);
    (pairs & NIBBLES) + (pairs >> 2 & NIBBLES)
}

#[inline(always)]
fn in_bytes(nibbles: u64) -> u64 {
    (nibbles & BYTES) + (nibbles >> 4 & BYTES)
}

/// The sum of eight bytes.
#[inline(always)]
fn wide_sum(bytes: u64) -> u64 {
    let pairs = (bytes & 0x00ff_00ff_00ff_00ff) + (bytes >> 8 & 0x00ff_00ff_00ff_00ff);
    let quads = pairs + (pairs >> 16);
    (quads + (quads >> 32)) & 0xffff
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_counts_what_the_instruction_counts(
            row in proptest::collection::vec(any::<u64>(), 0..40),
            block in proptest::collection::vec(any::<[u64; LANES]>(), 0..40),
        ) {
            let plain = Plain::zero().add_common(&row, &block).to_array();
            prop_assert_eq!(plain, <[u64; LANES] as Lanes>::zero().add_common(&row, &block));
        }
    }

    #[test]
    fn full_words_do_not_spill_over() {
        for length in 0..=32 {
            let plain = Plain::zero().add_common(&vec![u64::MAX; length], &vec![[u64::MAX; LANES]; length]);
            assert_eq!(plain.to_array(), [64 * length as u64; LANES], "{length}");
        }
    }
}
