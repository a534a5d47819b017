//! Reading the TOML files under `policies/`: strictly, and with faults that name where they are.
//!
//! An unknown key is refused, because a misspelt limit would otherwise be no limit. A fault names the
//! key, the line where known, a code and a plain sentence, and never repeats a value.

use std::fmt;

use jiff::civil::Date;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// One thing that is wrong with a policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The key, such as `supply[2].items`; empty when the file as a whole is meant.
    pub key: String,
    /// The line, from 1, when the reader knows it.
    pub line: Option<usize>,
    /// A stable code, such as `unknown-area`.
    pub code: &'static str,
    /// What is wrong, as a plain fragment without any value of the file.
    pub sentence: String,
}

impl Fault {
    /// A fault at a key.
    pub fn at(key: impl Into<String>, code: &'static str, sentence: impl Into<String>) -> Self {
        Self { key: key.into(), line: None, code, sentence: sentence.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{} [{}]", self.sentence, self.code)
    }
}

/// Everything that is wrong with one policy file; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// `value` when nothing is wrong.
    ///
    /// # Errors
    ///
    /// The faults, when there are any.
    pub fn or<T>(faults: Vec<Fault>, value: T) -> Result<T, Self> {
        if faults.is_empty() { Ok(value) } else { Err(Self(faults)) }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

/// The SHA-256 of a policy file's bytes. Log entries, headers and match runs name files by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileHash(pub [u8; 32]);

impl FileHash {
    /// Hashes the bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
impl fmt::Debug for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl Serialize for FileHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a TOML file into a type that refuses unknown keys.
///
/// # Errors
///
/// One [`Fault`] with the line; the offending value is not repeated.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Faults> {
    let fault = |line, sentence: String| Faults(vec![Fault { key: String::new(), line, code: "malformed", sentence }]);
    let text = std::str::from_utf8(bytes).map_err(|_| fault(None, "the file is not UTF-8 text".to_owned()))?;
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count());
        fault(line, without_values(error.message()))
    })
}

/// The reader's message with any value of the file left out: what was expected stays.
fn without_values(message: &str) -> String {
    let names_keys_only = ["unknown field", "missing field", "duplicate field", "duplicate key", "not a well-formed"];
    if names_keys_only.iter().any(|start| message.starts_with(start)) {
        return message.lines().next().unwrap_or_default().to_owned();
    }
    match message.split_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => "not well-formed TOML, or not the kind of value that belongs here".to_owned(),
    }
}

/// A date as TOML writes it, without quotes: `starts = 2026-04-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileDate(pub(crate) Date);

impl<'de> Deserialize<'de> for FileDate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let rule = || D::Error::custom("not a well-formed date: use a date without quotes, such as 2026-04-01");
        let written = toml::value::Datetime::deserialize(deserializer).map_err(|_| rule())?;
        let (Some(date), None, None) = (written.date, written.time, written.offset) else {
            return Err(rule());
        };
        let year = i16::try_from(date.year).map_err(|_| rule())?;
        let month = i8::try_from(date.month).map_err(|_| rule())?;
        let day = i8::try_from(date.day).map_err(|_| rule())?;
        Date::new(year, month, day).map(Self).map_err(|_| rule())
    }
}

/// Reads a required date.
pub(crate) fn date<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    FileDate::deserialize(deserializer).map(|date| date.0)
}

/// Reads a date that may be absent (with `#[serde(default)]`).
pub(crate) fn optional_date<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    FileDate::deserialize(deserializer).map(|date| Some(date.0))
}

/// Whether a plain sentence says something: at least a few words, no line break.
pub(crate) fn says_something(text: &str) -> bool {
    text.trim().len() >= 8 && !text.contains('\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Small {
        #[serde(deserialize_with = "date")]
        starts: Date,
        #[serde(default, deserialize_with = "optional_date")]
        ends: Option<Date>,
        #[allow(dead_code)]
        count: Option<u8>,
    }

    #[test]
    fn dates_are_written_without_quotes() {
        let small: Small = read(b"starts = 2026-04-01\n").expect("well-formed");
        assert_eq!((small.starts, small.ends), (Date::constant(2026, 4, 1), None));
        for bad in ["starts = \"2026-04-01\"", "starts = 2026-04-01T00:00:00Z", "starts = 20260401"] {
            assert!(read::<Small>(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let fault = &read::<Small>(b"starts = 2026-04-01\nstart = 3\n").expect_err("unknown key").0[0];
        assert_eq!(fault.line, Some(2));
        assert!(fault.sentence.contains("start"), "{fault}");
    }

    #[test]
    fn a_fault_never_repeats_a_value() {
        for bad in ["starts = 2026-04-01\ncount = \"Ada Lovelace\"", "starts = \"Ada Lovelace\"", "starts = Ada"] {
            let faults = read::<Small>(bad.as_bytes()).expect_err("malformed");
            assert!(!faults.to_string().contains("Ada"), "{faults}");
        }
    }

    #[test]
    fn a_file_hash_prints_as_hex() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(FileHash::of(b"").to_string(), empty);
    }
}
