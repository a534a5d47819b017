//! What is done to a filter before it leaves: noise, then folding or balancing.

use crate::domain::clk::{EncodingProfile, Hardening, KeyStream};

/// Hardens the filters of one profile under one key.
pub(super) struct Hardener {
    noise_halvings: u8,
    /// Where each bit of the balanced filter goes; empty when filters are folded.
    places: Vec<u16>,
}

impl Hardener {
    pub(super) fn new(profile: &EncodingProfile, stream: &impl KeyStream) -> Self {
        let places = match profile.hardening() {
            Hardening::Fold => Vec::new(),
            Hardening::Balance => shuffled(profile.bits(), stream),
        };
        Self { noise_halvings: profile.noise_halvings(), places }
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
        finished.resize(raw.len() * 2, 0);
        let (plain, negative) = self.places.split_at(raw.len() * 64);
        for (at, (&plain, &negative)) in plain.iter().zip(negative).enumerate() {
            let is_one = raw[at / 64] >> (at % 64) & 1 == 1;
            let place = usize::from(if is_one { plain } else { negative });
            finished[place / 64] |= 1 << (place % 64);
        }
    }

    /// Turns each bit over with the same small chance, independently.
    ///
    /// The chance comes from the key and the filter itself, so that a record sent again has the same
    /// noise: otherwise whoever collects submissions would average it away. That is the permanent
    /// response of Erlingsson, Pihur and Korolova, "RAPPOR" (ACM CCS 2014), applied to BLIP: Alaggan,
    /// Gambs and Kermarrec, "BLIP: Non-interactive Differentially-Private Similarity Computation on
    /// Bloom filters" (2012). It is a hardening and claims no privacy budget.
    pub(super) fn add_noise(&self, stream: &impl KeyStream, raw: &mut [u64]) {
        let mut bytes = Vec::with_capacity(raw.len() * 8);
        bytes.extend(raw.iter().flat_map(|word| word.to_le_bytes()));
        // Half a digest stands for the filter, so that the messages below stay within one block of SHA-256.
        let [seed @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = stream.digest(&[b"noise", &bytes]);
        for (group, words) in raw.chunks_mut(4).enumerate() {
            let mut turned = [u64::MAX; 4];
            for halving in 0..self.noise_halvings {
                let random = stream.digest(&[b"flip", &[group as u8, halving], seed.as_slice()]);
                let (random, _) = random.as_chunks::<8>();
                for (turned, random) in turned.iter_mut().zip(random) {
                    *turned &= u64::from_le_bytes(*random);
                }
            }
            words.iter_mut().zip(turned).for_each(|(word, turned)| *word ^= turned);
        }
    }
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
