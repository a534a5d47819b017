//! What is done to a filter before it leaves: noise, then folding or balancing.

use crate::domain::clk::{EncodingProfile, Hardening, KeyStream};

/// Hardens the filters of one profile under one key.
pub(super) struct Hardener {
    /// For each number of bits of a group, the chance that at most so many are turned over, in 2^32nds.
    at_most: Vec<u32>,
    /// For each bit of a filter where it and its negative go; empty when filters are folded.
    places: Vec<[u16; 2]>,
    /// The balanced filter of one without ones.
    of_none: Vec<u64>,
}

impl Hardener {
    pub(super) fn new(profile: &EncodingProfile, stream: &impl KeyStream) -> Self {
        let (mut places, mut of_none) = (Vec::new(), Vec::new());
        if profile.hardening() == Hardening::Balance {
            let shuffled = shuffled(profile.bits(), stream);
            let (plain, negative) = shuffled.split_at(profile.raw_bits());
            places = plain.iter().zip(negative).map(|(&plain, &negative)| [plain, negative]).collect();
            of_none = vec![0; profile.bits() / 64];
            for &place in negative {
                turn(&mut of_none, place);
            }
        }
        Self { at_most: at_most(profile.noise_halvings()), places, of_none }
    }

    /// Writes the finished filter over `finished`; `raw` is changed.
    pub(super) fn finish(&self, stream: &impl KeyStream, raw: &mut [u64], finished: &mut Vec<u64>) {
        self.add_noise(stream, raw);
        finished.clear();
        if self.places.is_empty() {
            let (one, other) = raw.split_at(raw.len() / 2);
            finished.extend(one.iter().zip(other).map(|(one, other)| one ^ other));
            return;
        }
        // A one turns its two places over: no question for each bit, which could only be guessed wrong.
        finished.extend_from_slice(&self.of_none);
        for (word, places) in raw.iter().zip(self.places.chunks_exact(64)) {
            let mut ones = *word;
            while ones != 0 {
                let [plain, negative] = places[ones.trailing_zeros() as usize];
                turn(finished, plain);
                turn(finished, negative);
                ones &= ones - 1;
            }
        }
    }

    /// Turns each bit over with the same small chance, independently.
    ///
    /// The chance comes from the key and the filter itself, so that a record sent again has the same
    /// noise: otherwise whoever collects submissions would average it away. That is the permanent
    /// response of Erlingsson, Pihur and Korolova, "RAPPOR" (ACM CCS 2014), applied to BLIP: Alaggan,
    /// Gambs and Kermarrec, "BLIP: Non-interactive Differentially-Private Similarity Computation on
    /// Bloom filters" (2012). It is a hardening and claims no privacy budget.
    ///
    /// For 256 bits at a time it is drawn how many turn over, and then which: that comes to the same as
    /// asking for each bit, to within 2^-32, and takes a few bytes of chance instead of hundreds.
    pub(super) fn add_noise(&self, stream: &impl KeyStream, raw: &mut [u64]) {
        if self.at_most.is_empty() {
            return;
        }
        let mut bytes = Vec::with_capacity(raw.len() * 8);
        bytes.extend(raw.iter().flat_map(|word| word.to_le_bytes()));
        let mut chance = Chance::new(stream, stream.digest(&[b"noise", &bytes]));
        for words in raw.chunks_mut(4) {
            let number = u32::from_be_bytes(std::array::from_fn(|_| chance.next_byte()));
            let mut left = self.at_most.partition_point(|at_most| *at_most <= number);
            let mut turned = [0_u64; 4];
            while left > 0 {
                let place = chance.next_byte();
                let (word, bit) = (usize::from(place / 64), 1 << (place % 64));
                if turned[word] & bit == 0 {
                    turned[word] |= bit;
                    left -= 1;
                }
            }
            words.iter_mut().zip(turned).for_each(|(word, turned)| *word ^= turned);
        }
    }
}

fn turn(filter: &mut [u64], place: u16) {
    filter[usize::from(place / 64)] ^= 1 << (place % 64);
}

/// Bytes that follow from the key and a filter: half a digest names the filter, the other half is the
/// first of them.
struct Chance<'s, S> {
    stream: &'s S,
    seed: [u8; 16],
    bytes: [u8; 32],
    at: usize,
    block: u32,
}

impl<'s, S: KeyStream> Chance<'s, S> {
    fn new(stream: &'s S, digest: [u8; 32]) -> Self {
        Self { stream, seed: std::array::from_fn(|at| digest[at]), bytes: digest, at: 16, block: 0 }
    }

    fn next_byte(&mut self) -> u8 {
        if self.at == self.bytes.len() {
            self.bytes = self.stream.digest(&[b"flip", &self.block.to_be_bytes(), &self.seed]);
            self.block += 1;
            self.at = 0;
        }
        self.at += 1;
        self.bytes[self.at - 1]
    }
}

/// The binomial distribution of 256 bits, each turned over with a chance of one in two to the power
/// of `halvings`; empty for no noise. In whole numbers, so that all machines agree.
fn at_most(halvings: u8) -> Vec<u32> {
    if halvings == 0 {
        return Vec::new();
    }
    let one = 1_u128 << 64;
    let kept = one - (one >> halvings);
    let mut chance = (0..256).fold(one, |chance, _| (chance * kept) >> 64);
    let mut sum = 0;
    let mut at_most = Vec::new();
    for count in 0..256_u128 {
        sum += chance;
        at_most.push(u32::try_from(sum >> 32).unwrap_or(u32::MAX));
        chance = chance * (256 - count) / ((count + 1) * ((1 << halvings) - 1));
        if chance >> 32 == 0 && sum > one / 2 {
            break;
        }
    }
    at_most
}

/// A fair shuffle of the places of a filter (Fisher and Yates), by the key.
fn shuffled(bits: usize, stream: &impl KeyStream) -> Vec<u16> {
    let mut places: Vec<u16> = (0..bits as u16).collect();
    let mut numbers = (0_u32..).flat_map(|block| {
        let digest = stream.digest(&[b"shuffle", &block.to_be_bytes()]);
        let (numbers, _) = digest.as_chunks::<4>();
        numbers.iter().map(|number| u32::from_be_bytes(*number)).collect::<Vec<_>>()
    });
    for last in (1..bits).rev() {
        let choices = last as u32 + 1;
        let fair = u32::MAX - u32::MAX % choices;
        let number = numbers.by_ref().find(|number| *number < fair).expect("the stream does not end");
        places.swap(last, (number % choices) as usize);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_turned_bits_are_those_of_the_binomial_distribution() {
        for halvings in 4..=10 {
            let at_most = at_most(halvings);
            assert!(at_most.is_sorted() && *at_most.last().expect("some") > u32::MAX - 8, "{halvings}");
            let share = 0.5_f64.powi(i32::from(halvings));
            let mut chance = (1.0 - share).powi(256);
            let mut sum = 0.0;
            for (count, said) in at_most.iter().enumerate() {
                sum += chance;
                assert!((f64::from(*said) / 4_294_967_296.0 - sum).abs() < 1e-8, "{halvings}, {count}");
                chance *= (256 - count) as f64 / (count + 1) as f64 * share / (1.0 - share);
            }
        }
        assert!(at_most(0).is_empty());
    }
}
