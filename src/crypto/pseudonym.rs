//! Pseudonyms: what a recipient may call a person or a family, good for that recipient only.
//!
//! Two recipients, or one recipient under two agreements, purposes or epochs, get values that
//! nobody without the gateway's key can join. There is no decryption: the gateway keeps a table of
//! what it issued.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::mac::Keyed;
use super::secret::Secret;
use crate::domain::ids::{AgencyCode, AgreementCode, PurposeCode};
use crate::domain::labels;

/// Makes the pseudonyms of one programme.
pub struct Pseudonymiser {
    people: Keyed,
    families: Keyed,
}

impl Pseudonymiser {
    /// Takes the programme's pseudonym key.
    pub fn new(key: &Secret<32>) -> Self {
        Self {
            people: Keyed::new(key.expose(), labels::PSEUDONYM),
            families: Keyed::new(key.expose(), labels::FAMILY_REFERENCE),
        }
    }

    /// The recipient's pseudonym of a person.
    pub fn person(
        &self,
        recipient: &AgencyCode,
        agreement: &AgreementCode,
        purpose: &PurposeCode,
        epoch: u32,
        subject: &[u8; 16],
    ) -> Pseudonym {
        Pseudonym(domain(&self.people, recipient, agreement, purpose, epoch).raw(subject).finish_short())
    }

    /// The recipient's own reference of a family.
    pub fn family(
        &self,
        recipient: &AgencyCode,
        agreement: &AgreementCode,
        purpose: &PurposeCode,
        epoch: u32,
        family: &[u8; 16],
    ) -> FamilyReference {
        FamilyReference(domain(&self.families, recipient, agreement, purpose, epoch).raw(family).finish_short())
    }
}

impl fmt::Debug for Pseudonymiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonymiser(redacted)")
    }
}

fn domain(
    state: &Keyed,
    recipient: &AgencyCode,
    agreement: &AgreementCode,
    purpose: &PurposeCode,
    epoch: u32,
) -> Keyed {
    state
        .clone()
        .lp(recipient.as_str().as_bytes())
        .lp(agreement.as_str().as_bytes())
        .lp(purpose.as_str().as_bytes())
        .u32(epoch)
}

/// Why a text is not a pseudonym or family reference. Never carries the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PseudonymError {
    /// Wrong prefix, length or characters.
    #[error("not a {0}: expected '{1}' and 27 characters")]
    Form(&'static str, &'static str),
    /// The last character does not fit the rest.
    #[error("mistyped {0}: the check character does not agree; copy it again")]
    Check(&'static str),
}

macro_rules! text_forms {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 16]);

        impl $name {
            /// Wraps 16 bytes read back from the database.
            pub fn new(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Reads the text form. Lower case, hyphens, and O, I and L for 0 and 1 are forgiven,
            /// as people copy it by hand.
            ///
            /// # Errors
            ///
            /// [`PseudonymError`] for any other text or when the check character disagrees.
            pub fn parse(text: &str) -> Result<Self, PseudonymError> {
                match crockford_decode(text, $prefix) {
                    Some((value, true)) => Ok(Self(value.to_be_bytes())),
                    Some((_, false)) => Err(PseudonymError::Check($kind)),
                    None => Err(PseudonymError::Form($kind, $prefix)),
                }
            }

            /// The 16 bytes as stored.
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// The text form: prefix, 26 Crockford base32 characters, one check character.
            pub fn to_text(&self) -> String {
                crockford_encode(u128::from_be_bytes(self.0), $prefix)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
        impl TryFrom<String> for $name {
            type Error = PseudonymError;
            fn try_from(text: String) -> Result<Self, PseudonymError> {
                Self::parse(&text)
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_text()
            }
        }
    )*};
}

text_forms! {
    /// A recipient's name for a person: `psn1_` and 27 characters. `Debug` hides it.
    Pseudonym = "pseudonym", "psn1_";
    /// A recipient's name for a family: `fam1_` and 27 characters. `Debug` hides it.
    FamilyReference = "family reference", "fam1_";
}

/// Crockford's base32 alphabet, then his five extra check symbols.
/// Source: <https://www.crockford.com/base32.html>.
const SYMBOLS: &[u8; 37] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";
const DIGITS: usize = 26;

fn crockford_encode(value: u128, prefix: &str) -> String {
    let mut text = String::with_capacity(prefix.len() + DIGITS + 1);
    text.push_str(prefix);
    for place in (0..DIGITS).rev() {
        text.push(char::from(SYMBOLS[(value >> (5 * place)) as usize & 31]));
    }
    text.push(char::from(SYMBOLS[(value % 37) as usize]));
    text
}

/// The number, and whether the check symbol agrees; `None` if the text has another form.
fn crockford_decode(text: &str, prefix: &str) -> Option<(u128, bool)> {
    let (head, body) = text.split_at_checked(prefix.len())?;
    if !head.eq_ignore_ascii_case(prefix) {
        return None;
    }
    let mut symbols = body.bytes().filter(|&byte| byte != b'-').map(|byte| match byte.to_ascii_uppercase() {
        b'O' => Some(0),
        b'I' | b'L' => Some(1),
        other => SYMBOLS.iter().position(|&symbol| symbol == other).map(|at| at as u128),
    });
    let mut value = 0u128;
    for place in 0..DIGITS {
        let digit = symbols.next()??;
        // 26 digits hold 130 bits: the first may only use three.
        if digit > 31 || (place == 0 && digit > 7) {
            return None;
        }
        value = value << 5 | digit;
    }
    let check = symbols.next()??;
    symbols.next().is_none().then_some((value, value % 37 == check))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::token::vectors::{self, hex, key, unhex};

    fn agency(text: &str) -> AgencyCode {
        AgencyCode::parse(text).expect("a code")
    }

    #[test]
    fn pseudonyms_equal_those_of_another_implementation() {
        let vectors = vectors::read();
        let pseudonymiser = Pseudonymiser::new(&key(&vectors.pseudonym_key));
        let subject: [u8; 16] = unhex(&vectors.subject_id).try_into().expect("16 bytes");
        assert_eq!(vectors.pseudonyms.len(), 3);
        for v in &vectors.pseudonyms {
            let pseudonym = pseudonymiser.person(&v.recipient, &v.agreement, &v.purpose, v.epoch, &subject);
            assert_eq!(hex(pseudonym.as_bytes()), v.pseudonym);
        }
    }

    #[test]
    fn no_two_recipients_agreements_purposes_or_epochs_share_a_value() {
        let pseudonymiser = Pseudonymiser::new(&Secret::from_slice(&[9; 32]).expect("32"));
        let subject = [1; 16];
        let mut seen = std::collections::HashSet::new();
        for recipient in ["a", "b", "ab"] {
            for agreement in ["x", "y", "bx"] {
                for purpose in ["p", "q"] {
                    for epoch in [1, 2] {
                        let agreement = AgreementCode::parse(agreement).expect("a code");
                        let purpose = PurposeCode::parse(purpose).expect("a code");
                        let (recipient, subject) = (agency(recipient), &subject);
                        let person = pseudonymiser.person(&recipient, &agreement, &purpose, epoch, subject);
                        let family = pseudonymiser.family(&recipient, &agreement, &purpose, epoch, subject);
                        assert!(seen.insert(*person.as_bytes()) && seen.insert(*family.as_bytes()));
                    }
                }
            }
        }
        assert_eq!(seen.len(), 72);
    }

    #[test]
    fn the_text_form_of_known_values_is_crockfords() {
        assert_eq!(Pseudonym::new([0; 16]).to_text(), "psn1_000000000000000000000000000");
        // 2^128 - 1 is 7ZZZ... and leaves 32 on division by 37: the symbol '*'.
        assert_eq!(Pseudonym::new([0xff; 16]).to_text(), format!("psn1_7{}*", "Z".repeat(25)));
        assert_eq!(FamilyReference::new(36u128.to_be_bytes()).to_text(), format!("fam1_{}14U", "0".repeat(24)));
    }

    #[test]
    fn what_people_do_when_copying_is_forgiven() {
        let pseudonym = Pseudonym::new(0x0123_4567_89ab_cdef_0011_2233_4455_6677_u128.to_be_bytes());
        let text = pseudonym.to_text();
        let typed = text.to_lowercase().replace('0', "o").replace('1', "l").replacen("psnl_", "psn1_", 1);
        assert_eq!(Pseudonym::parse(&typed), Ok(pseudonym));
        let grouped = format!("{}-{}", &text[..15], &text[15..]);
        assert_eq!(Pseudonym::parse(&grouped), Ok(pseudonym));
    }

    #[test]
    fn other_texts_are_refused_without_being_repeated() {
        let good = Pseudonym::new([0x5a; 16]).to_text();
        let too_large = format!("psn1_8{}0", "0".repeat(25));
        let long = format!("{good}0");
        let family = good.replace("psn1_", "fam1_");
        let symbol_inside = good.replacen(&good[8..9], "*", 1);
        for bad in ["", "psn1_", &good[..31], &long, &too_large, &family, &symbol_inside, "Jowan Trelawny", "é"] {
            let error = Pseudonym::parse(bad).expect_err(bad);
            assert_eq!(error, PseudonymError::Form("pseudonym", "psn1_"), "{bad}");
            assert!(!error.to_string().contains("Jowan"));
        }
        assert_eq!(format!("{:?}", Pseudonym::new([1; 16])), "Pseudonym(redacted)");
    }

    proptest! {
        #[test]
        fn text_reads_back_as_written(bytes in any::<[u8; 16]>()) {
            prop_assert_eq!(Pseudonym::parse(&Pseudonym::new(bytes).to_text()), Ok(Pseudonym::new(bytes)));
        }

        #[test]
        fn one_wrong_or_two_swapped_characters_are_noticed(bytes in any::<[u8; 16]>(), at in 5usize..31, by in 1usize..32) {
            let text = Pseudonym::new(bytes).to_text().into_bytes();
            let symbol = SYMBOLS.iter().position(|&s| s == text[at]).expect("a symbol");
            let mut wrong = text.clone();
            wrong[at] = SYMBOLS[(symbol + by) % 32];
            prop_assert!(Pseudonym::parse(std::str::from_utf8(&wrong).expect("ASCII")).is_err());
            let mut swapped = text.clone();
            swapped.swap(at - usize::from(at == 30), at + usize::from(at < 30));
            if swapped != text {
                prop_assert!(Pseudonym::parse(std::str::from_utf8(&swapped).expect("ASCII")).is_err());
            }
        }
    }
}
