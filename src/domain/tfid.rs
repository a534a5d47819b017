//! A family's number, the TFID: random, opaque, and made to be copied by hand.
//!
//! Fifteen random symbols of Crockford's base32 (no I, L, O or U) and his check symbol, the number
//! modulo 37. Numbers whose check would be one of his five extra signs (`*~$=U`) are not drawn, so
//! that a TFID has letters and digits only. As 37 is prime and divides neither 32 nor 31, every
//! single wrong symbol and every two neighbours that changed places are found.
//!
//! Nothing about a family is in its number: 75 bits of chance, never made from tokens, never used
//! again. It belongs to the programme team; agencies get references of their own.
//!
//! Source: D. Crockford, "Base 32", <https://www.crockford.com/base32.html>.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Random symbols before the check symbol.
const RANDOM_SYMBOLS: usize = 15;
/// Symbols in all.
const LENGTH: usize = RANDOM_SYMBOLS + 1;
/// What every written TFID begins with.
const PREFIX: &str = "TF-";
/// Symbols between two hyphens.
const GROUP: usize = 4;

/// Why a text is not a TFID. Never carries the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TfidError {
    /// Another length, or a sign that no TFID has.
    #[error("not a TFID: it has 16 letters and digits in groups of four, such as TF-0000-0000-0000-0000")]
    Form,
    /// A symbol is wrong or two have changed places.
    #[error("mistyped TFID: the check character does not agree; copy it again")]
    Check,
}

impl TfidError {
    /// The error's code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Form => "tfid.malformed",
            Self::Check => "tfid.check",
        }
    }
}

/// A family's number. `Debug` hides it; it is written by [`Tfid::to_text`] alone.
///
/// ```
/// use porth::domain::tfid::Tfid;
///
/// let mut next = 0_u8;
/// let tfid = Tfid::random(|bytes| bytes.iter_mut().for_each(|byte| { *byte = next; next = next.wrapping_add(41) }));
/// assert_eq!(Tfid::parse(&tfid.to_text()), Ok(tfid));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tfid([u8; LENGTH]);

impl Tfid {
    /// Draws a TFID from a source that fills a buffer with random bytes.
    pub fn random(mut fill: impl FnMut(&mut [u8])) -> Self {
        loop {
            let mut bytes = [0; RANDOM_SYMBOLS];
            fill(&mut bytes);
            let places = bytes.map(|byte| byte & 31);
            // About one number in seven has a check outside the alphabet and is left out.
            if let Some(check) = SYMBOLS.get(check_of(&places)) {
                let mut symbols = [*check; LENGTH];
                for (symbol, place) in symbols.iter_mut().zip(places) {
                    *symbol = SYMBOLS[usize::from(place)];
                }
                return Self(symbols);
            }
        }
    }

    /// Reads a TFID as people copy it: with or without `TF-`, hyphens, spaces and capitals; O for 0,
    /// and I or L for 1, are forgiven.
    ///
    /// # Errors
    ///
    /// [`TfidError`]; it never repeats the text.
    pub fn parse(text: &str) -> Result<Self, TfidError> {
        let text = text.trim();
        let body = match text.split_at_checked(PREFIX.len()) {
            Some((head, body)) if head.eq_ignore_ascii_case(PREFIX) => body,
            _ => text,
        };
        let mut places = [0; LENGTH];
        let mut count = 0;
        for byte in body.bytes().filter(|byte| !matches!(byte, b'-' | b' ')) {
            let symbol = match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            let place = SYMBOLS.iter().position(|known| *known == symbol).ok_or(TfidError::Form)?;
            *places.get_mut(count).ok_or(TfidError::Form)? = place as u8;
            count += 1;
        }
        if count != LENGTH {
            return Err(TfidError::Form);
        }
        let (random, check) = places.split_at(RANDOM_SYMBOLS);
        if check_of(random) != usize::from(check[0]) {
            return Err(TfidError::Check);
        }
        Ok(Self(places.map(|place| SYMBOLS[usize::from(place)])))
    }

    /// The sixteen symbols without prefix and hyphens, as they are stored.
    pub fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// The written form: `TF-` and four groups of four.
    pub fn to_text(&self) -> String {
        let groups: Vec<String> =
            self.0.chunks(GROUP).map(|group| group.iter().map(|b| char::from(*b)).collect()).collect();
        format!("{PREFIX}{}", groups.join("-"))
    }
}

/// The number that the symbols write, modulo 37.
fn check_of(places: &[u8]) -> usize {
    places.iter().fold(0, |rest, place| (rest * 32 + usize::from(*place)) % 37)
}

impl fmt::Debug for Tfid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tfid(redacted)")
    }
}
impl FromStr for Tfid {
    type Err = TfidError;
    fn from_str(text: &str) -> Result<Self, TfidError> {
        Self::parse(text)
    }
}
impl TryFrom<String> for Tfid {
    type Error = TfidError;
    fn try_from(text: String) -> Result<Self, TfidError> {
        Self::parse(&text)
    }
}
impl From<Tfid> for String {
    fn from(tfid: Tfid) -> Self {
        tfid.to_text()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawn(seed: u64) -> Tfid {
        let mut state = seed;
        Tfid::random(|bytes| {
            for byte in bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = (state >> 33) as u8;
            }
        })
    }

    fn bare(tfid: Tfid) -> Vec<u8> {
        tfid.as_bytes().to_vec()
    }

    fn reads(symbols: &[u8]) -> Result<Tfid, TfidError> {
        Tfid::parse(std::str::from_utf8(symbols).expect("ASCII"))
    }

    #[test]
    fn the_check_is_crockfords() {
        // 32 leaves 32 modulo 37, and 1 leaves 1: "…10" with check '*' is never drawn, "…01" has check 1.
        assert_eq!(reads(b"0000000000000011"), Ok(Tfid(*b"0000000000000011")));
        // 20 x 32 + 9 = 649 = 17 x 37 + 20; the symbol of 20 is M.
        assert_eq!(reads(b"0000000000000M9M"), Ok(Tfid(*b"0000000000000M9M")));
        assert_eq!(Tfid(*b"0000000000000M9M").to_text(), "TF-0000-0000-0000-0M9M");
    }

    #[test]
    fn a_number_whose_check_is_no_letter_or_digit_is_drawn_anew() {
        let mut draws = 0;
        let tfid = Tfid::random(|bytes| {
            bytes.fill(0);
            bytes[13] = u8::from(draws == 0); // 32: its check is '*'
            draws += 1;
        });
        assert_eq!((draws, tfid.as_bytes()), (2, b"0000000000000000"));
    }

    #[test]
    fn what_people_do_when_copying_is_forgiven() {
        let tfid = reads(b"0000000000000011").expect("well-formed");
        for typed in ["tf-oooo-OOOO-0000-00lI", "0000 0000 0000 0011", " TF-0000-0000-0000-0011\n"] {
            assert_eq!(Tfid::parse(typed), Ok(tfid), "{typed:?}");
        }
    }

    #[test]
    fn other_texts_are_refused_and_never_repeated() {
        for bad in [
            "",
            "TF-",
            "TF-0000-0000-0000-001",
            "TF-0000-0000-0000-00111",
            "Jowan Trelawny U",
            "TF-é",
            "000000000000001*",
        ] {
            let error = Tfid::parse(bad).expect_err(bad);
            assert_eq!((error, error.code()), (TfidError::Form, "tfid.malformed"), "{bad}");
            assert!(!error.to_string().contains("Jowan"));
        }
        assert_eq!(Tfid::parse("TF-0000-0000-0000-0012"), Err(TfidError::Check));
        let unread =
            serde_json::from_str::<Tfid>("\"TF-9999-JOWA-NTRE-LAWN\"").expect_err("a check that does not agree");
        assert!(!unread.to_string().contains("JOWA"));
        assert_eq!(format!("{:?}", drawn(1)), "Tfid(redacted)");
    }

    proptest! {
        #[test]
        fn a_tfid_reads_back_as_written(seed in any::<u64>()) {
            let tfid = drawn(seed);
            prop_assert_eq!(Tfid::parse(&tfid.to_text()), Ok(tfid));
            prop_assert_eq!(reads(&bare(tfid)), Ok(tfid));
            prop_assert!(bare(tfid).iter().all(|symbol| SYMBOLS.contains(symbol)));
        }

        #[test]
        fn every_wrong_symbol_in_every_place_is_found(seed in any::<u64>()) {
            let right = bare(drawn(seed));
            for at in 0..LENGTH {
                for symbol in SYMBOLS.iter().filter(|symbol| **symbol != right[at]) {
                    let mut wrong = right.clone();
                    wrong[at] = *symbol;
                    prop_assert_eq!(reads(&wrong), Err(TfidError::Check));
                }
            }
        }

        #[test]
        fn every_two_neighbours_that_changed_places_are_found(seed in any::<u64>()) {
            let right = bare(drawn(seed));
            for at in 0..LENGTH - 1 {
                let mut swapped = right.clone();
                swapped.swap(at, at + 1);
                if swapped != right {
                    prop_assert_eq!(reads(&swapped), Err(TfidError::Check));
                }
            }
        }
    }
}
