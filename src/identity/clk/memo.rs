//! The positions of pieces, remembered: a few hundred pieces of names make up most of a county.

use zeroize::Zeroize as _;

use super::pieces::LONGEST_PIECE;
use crate::domain::clk::KeyStream;

/// How many pieces are remembered; a power of two. 64 bytes each: sixteen mebibytes hold the pieces of a
/// hundred years of birth, and fetching one from there costs a fraction of making it.
const PLACES: usize = 1 << 18;
/// Most positions in a digest: of eight bits each.
const MOST: usize = 32;
/// How many of the first positions are remembered. More are needed only of the shortest values.
const KEPT: usize = 24;

/// A table in which every piece has one place; a piece that comes later takes it over. Wiped when
/// dropped, and never larger than at the beginning.
pub(super) struct Memo {
    entries: Vec<Entry>,
    /// How many bits of a digest are one position.
    width: u32,
    /// The pieces of the record at hand.
    asked: Vec<Asked>,
}

/// As long as what a processor fetches at once, and never across two of these.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Entry {
    key: u128,
    positions: [u16; KEPT],
}

/// A piece of which the first `share` positions are wanted.
#[derive(Clone, Copy)]
struct Asked {
    key: u128,
    share: u32,
    /// How many of the key's bytes are the piece.
    length: u32,
}

impl Memo {
    /// For filters of so many bits, a power of two.
    pub(super) fn new(raw_bits: usize) -> Self {
        debug_assert!(raw_bits.is_power_of_two() && (256..=1 << 16).contains(&raw_bits));
        // No piece is of the field 255: an empty place is nobody's.
        let empty = Entry { key: u128::MAX, positions: [0; KEPT] };
        Self { entries: vec![empty; PLACES], width: raw_bits.trailing_zeros(), asked: Vec::new() }
    }

    /// Asks for `share` positions of a piece. The first few are the same however many are asked for, so
    /// that a piece of a long name meets the same piece of a short one.
    pub(super) fn ask(&mut self, field: u8, year: u16, piece: &[u8], share: usize) {
        let (share, length) = (share as u32, piece.len() as u32);
        self.asked.push(Asked { key: key_of(field, year, piece), share, length });
    }

    /// Forgets what was asked for.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
    }

    /// Sets the positions of every piece that was asked for, and forgets the asking.
    pub(super) fn set_all(&mut self, stream: &impl KeyStream, filter: &mut [u64]) {
        // One look at each place, none waiting for another: the places are far apart in memory, and what is
        // looked at one after the other is waited for one after the other.
        let known = self.asked.iter().filter(|asked| self.entries[place_of(asked.key)].key == asked.key).count();
        let all_known = known == self.asked.len();
        for asked in &self.asked {
            let entry = &mut self.entries[place_of(asked.key)];
            if !all_known && entry.key != asked.key {
                let made = positions(&digest(stream, asked, 0), self.width);
                *entry = Entry { key: asked.key, positions: std::array::from_fn(|at| made[at]) };
            }
            let (share, each) = (asked.share as usize, (256 / self.width) as usize);
            set_positions(&entry.positions[..share.min(each).min(KEPT)], filter);
            for (block, left) in (0_u8..).zip((0..share).step_by(each)) {
                if block > 0 || share.min(each) > KEPT {
                    let positions = positions(&digest(stream, asked, block), self.width);
                    set_positions(&positions[..(share - left).min(each)], filter);
                }
            }
        }
        self.asked.clear();
    }
}

impl Drop for Memo {
    fn drop(&mut self) {
        for entry in &mut self.entries {
            entry.key.zeroize();
            entry.positions.zeroize();
        }
        // Cleared, but not gone: what was asked last is still there.
        let room = self.asked.capacity();
        self.asked.resize(room, Asked { key: 0, share: 0, length: 0 });
        self.asked.iter_mut().for_each(|asked| asked.key.zeroize());
    }
}

fn digest(stream: &impl KeyStream, asked: &Asked, block: u8) -> [u8; 32] {
    let bytes = asked.key.to_le_bytes();
    stream.digest(&[b"piece", &[bytes[0], block], &bytes[1..3], &bytes[3..3 + asked.length as usize]])
}

/// Cuts a digest into numbers of `width` bits each, as many as there are.
fn positions(digest: &[u8; 32], width: u32) -> [u16; MOST] {
    let mask = (1_u32 << width) - 1;
    let (mut held, mut bits, mut at) = (0_u32, 0_u32, 0);
    let mut positions = [0; MOST];
    for position in positions.iter_mut().take((256 / width) as usize) {
        while bits < width {
            held = held << 8 | u32::from(digest[at]);
            at += 1;
            bits += 8;
        }
        bits -= width;
        *position = (held >> bits & mask) as u16;
    }
    positions
}

fn set_positions(positions: &[u16], filter: &mut [u64]) {
    for &position in positions {
        filter[usize::from(position / 64)] |= 1 << (position % 64);
    }
}

fn key_of(field: u8, year: u16, piece: &[u8]) -> u128 {
    debug_assert!(piece.len() <= LONGEST_PIECE);
    let mut key = [0xff; 16]; // in no UTF-8 text: "A" is not "A" with something after it
    key[0] = field;
    key[1..3].copy_from_slice(&year.to_be_bytes());
    for (place, byte) in key[3..].iter_mut().zip(piece) {
        *place = *byte;
    }
    u128::from_le_bytes(key)
}

fn place_of(key: u128) -> usize {
    let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    (mixed >> (128 - PLACES.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::positions as positions_of;
    use super::*;

    struct Counting;
    impl KeyStream for Counting {
        fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
            let seed = parts.concat().iter().fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
            std::array::from_fn(|at| seed.wrapping_mul(at as u8 | 1).wrapping_add(at as u8))
        }
    }

    fn positions(memo: &mut Memo, piece: &[u8], share: usize) -> Vec<usize> {
        let mut filter = vec![0; 16];
        memo.ask(1, 2009, piece, share);
        memo.set_all(&Counting, &mut filter);
        (0..1024).filter(|at| filter[at / 64] >> (at % 64) & 1 == 1).collect()
    }

    #[test]
    fn a_remembered_piece_sets_what_a_new_one_sets() {
        let mut warm = Memo::new(1024);
        for piece in (0..20_u8).map(|n| [n, n]).chain((0..20).map(|n| [n, n])) {
            assert_eq!(positions(&mut warm, &piece, 7), positions(&mut Memo::new(1024), &piece, 7));
        }
    }

    #[test]
    fn pieces_asked_for_together_set_what_each_sets_alone() {
        let (mut memo, mut together, mut alone) = (Memo::new(1024), vec![0; 16], vec![0; 16]);
        // Known ones and new ones in one record, and one twice.
        memo.ask(1, 2009, b"AN", 4);
        memo.set_all(&Counting, &mut [0; 16]);
        for piece in [&b"AN"[..], b"NA", b"\xff1", b"AN"] {
            memo.ask(1, 2009, piece, 9);
            let mut fresh = Memo::new(1024);
            fresh.ask(1, 2009, piece, 9);
            fresh.set_all(&Counting, &mut alone);
        }
        memo.set_all(&Counting, &mut together);
        assert_eq!(together, alone);
    }

    #[test]
    fn fewer_positions_of_a_piece_are_the_first_of_more() {
        let few = positions(&mut Memo::new(1024), b"AN", 5);
        for share in [6, 24, 25, 26, 60] {
            let many = positions(&mut Memo::new(1024), b"AN", share);
            assert!(few.iter().all(|position| many.contains(position)), "{share}");
        }
    }

    #[test]
    fn positions_are_cut_bit_after_bit_from_the_digest() {
        let mut digest = [0; 32];
        digest[..5].copy_from_slice(&[0b0000_0000, 0b0100_0000, 0b0010_0000, 0b0000_1111, 0b1111_1111]);
        let cut = positions_of(&digest, 10);
        let set = &cut[..4];
        assert_eq!(set, [1, 2, 3, 1023]);
    }
}
