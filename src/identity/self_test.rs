//! The golden vectors of the normalisation rules, run on the machine that will make tokens.

use jiff::civil::Date;
use serde::Deserialize;

use super::match_keys::derive;
use super::raw::RawFields;
use super::reader::Reader;
use super::variants::{Grade, Variants};
use crate::domain::match_keys::{MatchKeys, Normaliser};

const VECTORS: &str = include_str!("../../tests/vectors/norm-v1.json");

/// Which vector does not come out as it should. The people and numbers in them are invented.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelfTestFailure {
    /// The vectors themselves cannot be read.
    #[error("the vectors built into this program cannot be read: {0}")]
    Vectors(String),
    /// A normaliser gives something else.
    #[error("{normaliser}, case {case}: the result differs from the vector")]
    Normaliser {
        /// Which normaliser.
        normaliser: String,
        /// The place of the case in its list, from 1.
        case: usize,
    },
    /// A match key gives something else.
    #[error("match key {key}, case {case}: the values differ from the vector")]
    Key {
        /// Which key.
        key: String,
        /// The place of the case in the list, from 1.
        case: usize,
    },
}

#[derive(Deserialize)]
struct Vectors {
    norm: u16,
    today: Date,
    normalisers: Vec<NormaliserVectors>,
    match_keys: Vec<KeyVector>,
}

#[derive(Deserialize)]
struct NormaliserVectors {
    normaliser: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    input: String,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    suggest: Vec<String>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
struct KeyVector {
    key: String,
    input: Vec<(String, String)>,
    values_hex: Vec<String>,
}

/// Runs every vector and says how many there are.
///
/// # Errors
///
/// [`SelfTestFailure`] for the first that does not come out: this build must make no tokens.
pub fn self_test() -> Result<usize, SelfTestFailure> {
    let unreadable = |error: &dyn std::fmt::Display| SelfTestFailure::Vectors(error.to_string());
    let vectors: Vectors = serde_json::from_str(VECTORS).map_err(|error| unreadable(&error))?;
    let keys = MatchKeys::parse(super::UK_MATCH_KEYS).map_err(|error| unreadable(&error))?;
    if vectors.norm != keys.norm() {
        return Err(unreadable(&"they are of another norm"));
    }
    let mut count = 0;
    for group in &vectors.normalisers {
        let normaliser = Normaliser::parse(&group.normaliser).ok_or_else(|| unreadable(&"unknown normaliser"))?;
        for (at, case) in group.cases.iter().enumerate() {
            if !case.comes_out(normaliser, vectors.today) {
                return Err(SelfTestFailure::Normaliser { normaliser: group.normaliser.clone(), case: at + 1 });
            }
            count += 1;
        }
    }
    for (at, vector) in vectors.match_keys.iter().enumerate() {
        if !vector.comes_out(&keys, vectors.today) {
            return Err(SelfTestFailure::Key { key: vector.key.clone(), case: at + 1 });
        }
        count += 1;
    }
    Ok(count)
}

impl Case {
    fn comes_out(&self, normaliser: Normaliser, today: Date) -> bool {
        let mut forms = Variants::default();
        let read = Reader::default().read(normaliser, &self.input, true, today, &mut forms);
        forms.sort();
        let of = |suggest: bool| {
            let wanted = forms.iter().filter(move |(_, span)| (span.grade == Grade::Suggest) == suggest);
            wanted.map(|(value, _)| value)
        };
        read.err().map(super::IdentityError::code) == self.error.as_deref()
            && of(false).eq(self.values.iter().map(String::as_str))
            && of(true).eq(self.suggest.iter().map(String::as_str))
            && (self.error.is_some() || !(self.values.is_empty() && self.suggest.is_empty()))
    }
}

impl KeyVector {
    fn comes_out(&self, keys: &MatchKeys, today: Date) -> bool {
        let mut raw = RawFields::new();
        if !self.input.iter().all(|(field, text)| raw.push(keys, field, text)) {
            return false;
        }
        let Some(wanted) = keys.keys().iter().position(|key| key.name.as_str() == self.key) else { return false };
        let derived = derive(keys, &raw, today);
        let values = derived.values().filter(|(key, _)| *key == wanted).map(|(_, bytes)| bytes);
        let expected: Option<Vec<Vec<u8>>> = self.values_hex.iter().map(|hex| decode_hex(hex)).collect();
        expected.is_some_and(|expected| values.eq(expected.iter().map(Vec::as_slice)))
    }
}

fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    hex.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_vector_comes_out() {
        let count = self_test().unwrap_or_else(|failure| panic!("{failure}"));
        assert!(count >= 150, "{count} vectors");
    }

    #[test]
    fn a_vector_that_is_wrong_does_not_come_out() {
        let today = jiff::civil::date(2026, 9, 20);
        let case = |values: &[&str], error: Option<&str>| Case {
            input: "943 476 5919".into(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            suggest: Vec::new(),
            error: error.map(str::to_owned),
        };
        assert!(case(&["9434765919"], None).comes_out(Normaliser::Nhs, today));
        assert!(!case(&["9434765918"], None).comes_out(Normaliser::Nhs, today));
        assert!(!case(&[], Some("nhs.check_digit")).comes_out(Normaliser::Nhs, today));
        assert!(!case(&["9434765919"], Some("nhs.digits")).comes_out(Normaliser::Nhs, today));
    }
}
