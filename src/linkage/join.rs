//! Exact join of two columns of stored tokens: which rows hold the same token.
//!
//! Tokens are as good as random, so their first bits part both columns evenly. Rows are moved into
//! parts that fit near the core, and each part is joined by a small hash table. Memory is one copy
//! of both columns with row numbers, and nothing grows with the number of pairs: they go to the
//! caller one by one.

use crate::domain::token::Blinded;

/// About how many rows of the first column a part holds: few enough to stay near the core, and so many
/// that the parts that rows are dealt out to do too.
const ROWS_A_PART: usize = 4096;
const NONE: u32 = u32::MAX;

/// What a join left out, because it would tell nothing and cost much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Tokens that more rows of the first column hold than allowed.
    pub tokens: usize,
    /// Rows of the second column that hold one of them.
    pub rows: usize,
}

/// Gives every pair of a row of `left` and one of `right` that hold the same token, by their places.
///
/// A token that more than `most` rows of `left` hold is left out and counted: a placeholder that
/// slipped through would otherwise join everybody with everybody. The order of the pairs depends on
/// the columns alone: by part, then by the place on the right, then by that on the left.
///
/// # Panics
///
/// If a column has 2^32 - 1 rows or more; a submission's limits are far below.
pub fn join(left: &[Blinded], right: &[Blinded], most: usize, mut found: impl FnMut(u32, u32)) -> LeftOut {
    let bits = (left.len() / ROWS_A_PART + 1).next_power_of_two().trailing_zeros().min(14);
    let (left, right) = (Parts::new(left, bits), Parts::new(right, bits));
    let mut table = Table::default();
    let mut left_out = LeftOut::default();
    for part in 0..1 << bits {
        let (tokens, rows) = left.part(part);
        let (asked, askers) = right.part(part);
        if tokens.is_empty() {
            continue;
        }
        table.fill(tokens);
        left_out.tokens += table.counts.iter().filter(|&&count| count as usize > most).count();
        for (token, &asker) in asked.iter().zip(askers) {
            let Some(mut at) = table.first(tokens, *token) else { continue };
            if table.counts[at as usize] as usize > most {
                left_out.rows += 1;
                continue;
            }
            while at != NONE {
                found(rows[at as usize], asker);
                at = table.next[at as usize];
            }
        }
    }
    left_out
}

/// A column's tokens and row numbers, part by part; within a part in the order of the rows.
struct Parts {
    starts: Vec<usize>,
    tokens: Vec<u128>,
    rows: Vec<u32>,
}

impl Parts {
    fn new(column: &[Blinded], bits: u32) -> Self {
        assert!(column.len() < NONE as usize, "a column has fewer than 2^32 - 1 rows");
        // Of the first half: shifts of 128 bits cost several each. In two steps, as by 64 at once there is none.
        let part = |token: u128| ((token >> 64) as u64 >> 1 >> (63 - bits)) as usize;
        let mut starts = vec![0; (1 << bits) + 1];
        for token in column {
            starts[part(number(token)) + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let (mut tokens, mut rows) = (vec![0; column.len()], vec![0; column.len()]);
        for (row, token) in (0..).zip(column) {
            let token = number(token);
            let place = &mut next[part(token)];
            tokens[*place] = token;
            rows[*place] = row;
            *place += 1;
        }
        Self { starts, tokens, rows }
    }

    fn part(&self, part: usize) -> (&[u128], &[u32]) {
        let range = self.starts[part]..self.starts[part + 1];
        (&self.tokens[range.clone()], &self.rows[range])
    }
}

fn number(token: &Blinded) -> u128 {
    u128::from_be_bytes(*token.as_bytes())
}

/// One part's tokens, each once, with the chain of rows that hold it. Used again for every part.
#[derive(Default)]
struct Table {
    slots: Vec<u32>,
    /// For each row of the part, the next with the same token.
    next: Vec<u32>,
    /// For the first row of each token, how many hold it.
    counts: Vec<u32>,
}

impl Table {
    fn fill(&mut self, tokens: &[u128]) {
        self.slots.clear();
        // Mostly empty: a look ends at the first slot.
        self.slots.resize((tokens.len() * 4).next_power_of_two(), NONE);
        self.next.clear();
        self.next.resize(tokens.len(), NONE);
        self.counts.clear();
        self.counts.resize(tokens.len(), 0);
        // From the last: each takes the place of the one after it, so that chains ascend.
        for at in (0..tokens.len()).rev() {
            let slot = self.slot(tokens, tokens[at]);
            let known = self.slots[slot];
            if known != NONE {
                self.next[at] = known;
                self.counts[at] = std::mem::take(&mut self.counts[known as usize]);
            }
            self.counts[at] += 1;
            self.slots[slot] = at as u32;
        }
    }

    fn first(&self, tokens: &[u128], token: u128) -> Option<u32> {
        let at = self.slots[self.slot(tokens, token)];
        (at != NONE).then_some(at)
    }

    /// The slot that holds a token, or the empty one in which it would be.
    fn slot(&self, tokens: &[u128], token: u128) -> usize {
        let mask = self.slots.len() - 1;
        // The last bits: the first ones are the same throughout the part.
        let mut slot = token as usize & mask;
        while self.slots[slot] != NONE && tokens[self.slots[slot] as usize] != token {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(seed: u16) -> Blinded {
        let wide = (u128::from(seed) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        Blinded::new((wide ^ wide >> 61).to_be_bytes())
    }

    fn joined(left: &[u16], right: &[u16], most: usize) -> (Vec<(u32, u32)>, LeftOut) {
        let column = |seeds: &[u16]| seeds.iter().map(|seed| token(*seed)).collect::<Vec<_>>();
        let mut pairs = Vec::new();
        let left_out = join(&column(left), &column(right), most, |left, right| pairs.push((left, right)));
        (pairs, left_out)
    }

    proptest! {
        #[test]
        fn a_join_finds_every_pair_and_no_other(
            left in proptest::collection::vec(0..300_u16, 0..200),
            right in proptest::collection::vec(0..300_u16, 0..200),
            most in 1..4_usize,
        ) {
            let held = |seed: u16| left.iter().filter(|other| **other == seed).count();
            let mut expected = Vec::new();
            let mut left_out = LeftOut::default();
            for (place, asked) in (0..).zip(&right) {
                left_out.rows += usize::from(held(*asked) > most);
                for (at, own) in (0..).zip(&left) {
                    if own == asked && held(*own) <= most {
                        expected.push((at, place));
                    }
                }
            }
            let many: std::collections::BTreeSet<u16> = left.iter().copied().filter(|seed| held(*seed) > most).collect();
            left_out.tokens = many.len();
            let (mut pairs, found_left_out) = joined(&left, &right, most);
            // One part: pairs come by the right, then by the left.
            prop_assert!(pairs.is_sorted_by_key(|(left, right)| (*right, *left)));
            pairs.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(pairs, expected);
            prop_assert_eq!(found_left_out, left_out);
        }
    }

    #[test]
    fn columns_of_many_parts_are_joined_whole_and_the_same_each_time() {
        let left: Vec<u16> = (0..40_000).collect();
        let right: Vec<u16> = (20_000..60_000).rev().collect();
        let (pairs, left_out) = joined(&left, &right, 1);
        assert_eq!((pairs.len(), left_out), (20_000, LeftOut::default()));
        assert!(pairs.iter().all(|(at, place)| left[*at as usize] == right[*place as usize]));
        assert_eq!(joined(&left, &right, 1).0, pairs);
    }

    #[test]
    fn a_token_that_everybody_holds_costs_no_more_than_its_rows() {
        let same = vec![7_u16; 50_000];
        let (pairs, left_out) = joined(&same, &same, 100);
        assert_eq!((pairs.len(), left_out), (0, LeftOut { tokens: 1, rows: 50_000 }));
    }
}
