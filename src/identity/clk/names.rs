//! Names as they were read before: a thousand make up most of a county.

use zeroize::Zeroize as _;

/// How many names are remembered; a power of two. 128 bytes each.
const PLACES: usize = 1 << 12;
/// Longer texts and values are read anew each time.
const LONGEST: usize = 30;
/// No text of a field is so long: an empty place is nobody's.
const NOBODY: u8 = u8::MAX;

/// A table in which every name of a field has one place; one that comes later takes it over. Wiped when
/// dropped.
pub(super) struct Names(Vec<Known>);

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Known {
    field: u8,
    text_length: u8,
    value_length: u8,
    text: [u8; LONGEST],
    value: [u8; LONGEST],
}

impl Default for Names {
    fn default() -> Self {
        let empty = Known { field: 0, text_length: NOBODY, value_length: 0, text: [0; LONGEST], value: [0; LONGEST] };
        Self(vec![empty; PLACES])
    }
}

impl Names {
    /// Writes over `out` what became of a text in a field before; false if that is not known.
    pub(super) fn find(&self, field: usize, text: &str, out: &mut Vec<u8>) -> bool {
        let text = text.as_bytes();
        let known = &self.0[place_of(field, text)];
        let is_it = usize::from(known.text_length) == text.len()
            && usize::from(known.field) == field
            && known.text[..text.len()] == *text;
        if is_it {
            out.clear();
            out.extend_from_slice(&known.value[..usize::from(known.value_length)]);
        }
        is_it
    }

    /// Remembers what became of a text.
    pub(super) fn remember(&mut self, field: usize, text: &str, value: &[u8]) {
        let text = text.as_bytes();
        if text.len() > LONGEST || value.len() > LONGEST {
            return;
        }
        let known = &mut self.0[place_of(field, text)];
        known.field = field as u8;
        known.text_length = text.len() as u8;
        known.value_length = value.len() as u8;
        known.text[..text.len()].copy_from_slice(text);
        known.value[..value.len()].copy_from_slice(value);
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        for known in &mut self.0 {
            known.text.zeroize();
            known.value.zeroize();
        }
    }
}

fn place_of(field: usize, text: &[u8]) -> usize {
    let mut mixed = (field as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for bytes in text.chunks(8) {
        let number = bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        mixed = (mixed ^ number).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^= mixed >> 32;
    }
    (mixed >> (64 - PLACES.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &Names, field: usize, text: &str) -> Option<Vec<u8>> {
        let mut out = b"left over".to_vec();
        names.find(field, text, &mut out).then_some(out)
    }

    #[test]
    fn a_name_is_found_in_its_own_field_and_letter_for_letter() {
        let mut names = Names::default();
        assert_eq!(found(&names, 0, ""), None);
        names.remember(1, "Jowan", b"JOWAN");
        assert_eq!(found(&names, 1, "Jowan"), Some(b"JOWAN".to_vec()));
        for (field, text) in [(2, "Jowan"), (1, "Jowa"), (1, "Jowan "), (1, "jowan"), (1, "")] {
            assert_eq!(found(&names, field, text), None, "{field} {text}");
        }
    }

    #[test]
    fn long_texts_are_not_kept_and_cut_short_nowhere() {
        let mut names = Names::default();
        let long = "a".repeat(LONGEST + 1);
        names.remember(0, &long, b"A");
        names.remember(0, "A", long.as_bytes());
        assert_eq!((found(&names, 0, &long), found(&names, 0, "A")), (None, None));
        assert_eq!(found(&names, 0, &long[..LONGEST]), None);
        // Whatever shares a place: the last is found, and none is taken for another.
        for number in 0..20_000_u32 {
            let text = number.to_string();
            names.remember(0, &text, text.as_bytes());
            assert_eq!(found(&names, 0, &text), Some(text.into_bytes()));
        }
    }
}
