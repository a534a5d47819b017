//! A value cut into pieces of a few characters.

use zeroize::Zeroize as _;

/// What stands before and after a value; in no normalised value itself.
const PAD: u8 = 0;
/// Longest piece in bytes: a place, and three characters of four bytes.
pub(super) const LONGEST_PIECE: usize = 13;

/// The distinct pieces of one value, in their order; emptied and filled again.
#[derive(Default)]
pub(super) struct Pieces {
    text: Vec<u8>,
    ends: Vec<u32>,
    starts: Vec<u32>,
    padded: Vec<u8>,
    /// The pieces so far, each as one number: to see at once whether one is there already.
    packed: Vec<u128>,
}

impl Pieces {
    /// Cuts a value. Pieces of two or three characters reach over both ends, so that the first and
    /// last letter count as much as the others. Positional ones begin with their place.
    ///
    /// What only parts other characters (the space of a postcode, the hyphen of a date) is left out.
    pub(super) fn cut(&mut self, value: &str, q: usize, positional: bool) {
        self.text.clear();
        self.ends.clear();
        self.packed.clear();
        // Boundaries of characters, with room for the padding.
        self.starts.clear();
        let padding = if positional { 0 } else { q - 1 };
        let padded = &mut self.padded;
        padded.clear();
        padded.extend(std::iter::repeat_n(PAD, padding));
        padded.extend(value.bytes().filter(|byte| !matches!(byte, b' ' | b'-')));
        if padded.len() == padding {
            return;
        }
        padded.extend(std::iter::repeat_n(PAD, padding));
        let is_start = |byte: u8| byte & 0xc0 != 0x80;
        self.starts.extend((0..padded.len()).filter(|&at| is_start(padded[at])).map(|at| at as u32));
        self.starts.push(padded.len() as u32);
        for place in 0..(self.starts.len() - 1).saturating_sub(q - 1) {
            let begin = self.text.len();
            if positional {
                self.text.push(place.min(255) as u8);
            }
            self.text.extend_from_slice(&padded[self.starts[place] as usize..self.starts[place + q] as usize]);
            let piece = pack(&self.text[begin..]);
            if self.packed.contains(&piece) {
                self.text.truncate(begin);
            } else {
                self.packed.push(piece);
                self.ends.push(self.text.len() as u32);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, &end)| &self.text[begin as usize..end as usize])
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.text.zeroize();
        self.padded.zeroize();
        self.packed.zeroize();
    }
}

/// A piece as a number of its own: 0xff is no byte of a text.
fn pack(piece: &[u8]) -> u128 {
    debug_assert!(piece.len() <= LONGEST_PIECE);
    let mut bytes = [0xff; 16];
    for (place, byte) in bytes.iter_mut().zip(piece) {
        *place = *byte;
    }
    u128::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(value: &str, q: usize, positional: bool) -> Vec<String> {
        let mut pieces = Pieces::default();
        pieces.cut(value, q, positional);
        assert!(pieces.iter().all(|piece| piece.len() <= LONGEST_PIECE));
        pieces.iter().map(|piece| piece.escape_ascii().to_string()).collect()
    }

    #[test]
    fn pieces_reach_over_both_ends_and_stand_once() {
        assert_eq!(cut("ANNA", 2, false), ["\\x00A", "AN", "NN", "NA", "A\\x00"]);
        assert_eq!(cut("AAA", 2, false), ["\\x00A", "AA", "A\\x00"]);
        assert_eq!(cut("A", 3, false), ["\\x00\\x00A", "\\x00A\\x00", "A\\x00\\x00"]);
    }

    #[test]
    fn digits_of_a_date_count_in_their_place() {
        assert_eq!(cut("04-11", 1, true), ["\\x000", "\\x014", "\\x021", "\\x031"]);
        assert_eq!(cut("É1", 1, true), ["\\x00\\xc3\\x89", "\\x011"]);
    }

    #[test]
    fn nothing_gives_no_piece() {
        for value in ["", " ", "-"] {
            assert!(cut(value, 2, false).is_empty() && cut(value, 1, true).is_empty());
        }
        assert!(cut("A", 2, true).is_empty(), "shorter than a piece");
    }
}
