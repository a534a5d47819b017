//! United Kingdom postcodes.

use super::error::IdentityError;
use super::text::{Compact, ascii, classify, redacted_debug};

const MISSING: IdentityError = IdentityError::missing("postcode.missing");
const SENTINEL: IdentityError = IdentityError::sentinel("postcode.sentinel", "a word in place of a postcode");
const PSEUDO: IdentityError =
    IdentityError::sentinel("postcode.pseudo", "ZZ codes mean no address, not known or abroad");
const FORCES: IdentityError = IdentityError::sentinel("postcode.bfpo", "a forces post office number is no place");
const FORM: IdentityError = IdentityError::invalid("postcode.form", "no postcode has this form");

/// A postcode of one of the known forms, with one space before its last three characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Postcode {
    bytes: [u8; 8],
    length: u8,
}
redacted_debug!(Postcode);

impl Postcode {
    /// Reads a postcode as people type it, spaced anyhow.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] `postcode.missing`, `postcode.sentinel`, `postcode.pseudo`,
    /// `postcode.bfpo` or `postcode.form`. Look-alikes (`O` for zero) are not mended: a wrong guess
    /// moves a family.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let form = || classify(text, MISSING, SENTINEL, FORM);
        let compact = Compact::read(text).ok_or_else(form)?;
        let bytes = compact.as_bytes();
        if let Some(number) = bytes.strip_prefix(b"BFPO")
            && number.iter().all(u8::is_ascii_digit)
        {
            return Err(FORCES);
        }
        if !(5..=7).contains(&bytes.len()) {
            return Err(form());
        }
        let (outward, inward) = bytes.split_at(bytes.len() - 3);
        let letter = |byte: u8| byte.is_ascii_uppercase();
        let digit = |byte: u8| byte.is_ascii_digit();
        let outward_fits = match *outward {
            [a, d] => letter(a) && digit(d),
            [a, b, c] => letter(a) && (digit(b) && (digit(c) || letter(c)) || letter(b) && digit(c)),
            [a, b, c, d] => letter(a) && letter(b) && digit(c) && (digit(d) || letter(d)),
            _ => false,
        } || outward == b"GIR";
        let inward_letter = |byte: u8| letter(byte) && !matches!(byte, b'C' | b'I' | b'K' | b'M' | b'O' | b'V');
        let is_pseudo = bytes.starts_with(b"ZZ"); // ZZ99 3CZ holds a letter that no real postcode has
        if !outward_fits || !digit(inward[0]) || (outward == b"GIR" && inward != b"0AA") {
            return Err(form());
        }
        if is_pseudo && letter(inward[1]) && letter(inward[2]) {
            return Err(PSEUDO);
        }
        if !inward_letter(inward[1]) || !inward_letter(inward[2]) {
            return Err(form());
        }
        let mut postcode = Self { bytes: [b' '; 8], length: bytes.len() as u8 + 1 };
        postcode.bytes[..outward.len()].copy_from_slice(outward);
        postcode.bytes[outward.len() + 1..=bytes.len()].copy_from_slice(inward);
        Ok(postcode)
    }

    /// The whole postcode, such as `TR1 1AA`.
    pub fn as_str(&self) -> &str {
        ascii(&self.bytes[..usize::from(self.length)])
    }

    /// The letters it begins with, such as `TR`.
    pub fn area(&self) -> &str {
        area(self.as_str())
    }

    /// The outward code, such as `TR1`.
    pub fn district(&self) -> &str {
        district(self.as_str())
    }

    /// The outward code and the first digit of the inward one, such as `TR1 1`.
    pub fn sector(&self) -> &str {
        sector(self.as_str())
    }
}

/// The area of a normalised postcode.
pub(super) fn area(postcode: &str) -> &str {
    let letters = postcode.bytes().take_while(u8::is_ascii_uppercase).count();
    &postcode[..letters]
}

/// The district of a normalised postcode.
pub(super) fn district(postcode: &str) -> &str {
    &postcode[..postcode.len().saturating_sub(4)]
}

/// The sector of a normalised postcode.
pub(super) fn sector(postcode: &str) -> &str {
    &postcode[..postcode.len().saturating_sub(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_form_is_read_and_cut_into_its_parts() {
        let cases = [
            ("m11ae", "M1 1AE", "M", "M1", "M1 1"),
            ("M60 1NW", "M60 1NW", "M", "M60", "M60 1"),
            ("W1A0AX", "W1A 0AX", "W", "W1A", "W1A 0"),
            ("tr1  1aa", "TR1 1AA", "TR", "TR1", "TR1 1"),
            ("TR 21 0 HE", "TR21 0HE", "TR", "TR21", "TR21 0"),
            ("EC1A1BB", "EC1A 1BB", "EC", "EC1A", "EC1A 1"),
            ("GIR0AA", "GIR 0AA", "GIR", "GIR", "GIR 0"),
        ];
        for (text, whole, area, district, sector) in cases {
            let postcode = Postcode::parse(text).expect(whole);
            assert_eq!(
                (postcode.as_str(), postcode.area(), postcode.district(), postcode.sector()),
                (whole, area, district, sector)
            );
        }
    }
}
