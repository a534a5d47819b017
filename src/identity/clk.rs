//! Fuzzy encodings of a record (privacy profile C), made on the agency's own machine.
//!
//! Each field is cut into pieces, each piece sets positions that are cut from the output of
//! HMAC-SHA256, and the finished filter is hardened as the profile says. No position follows from
//! another, as double hashing would have it: Kroll and Steinmetzer, "Automated cryptanalysis of
//! Bloom filter encryptions of health records" (2015), read names from filters made that way.

mod harden;
mod memo;
mod names;
mod pieces;

use jiff::civil::Date;
use zeroize::Zeroize as _;

use self::harden::Hardener;
use self::memo::Memo;
use self::names::Names;
use self::pieces::Pieces;
use super::derivation::derive_into;
use super::raw::RawFields;
use super::reader::Reader;
use super::variants::Variants;
use crate::domain::clk::{EncodingProfile, KeyStream};
use crate::domain::match_keys::{Derivation, MatchKeys, Normaliser};
use crate::domain::policy_file::Faults;

/// The encoding profile of the United Kingdom programme, as shipped in `policies/clk-profile.toml`.
pub const UK_CLK_PROFILE: &str = include_str!("../../policies/clk-profile.toml");

/// Encodes record after record with the same buffers. One per thread.
///
/// What it remembers of pieces, and every buffer that held a value, is wiped when it is dropped.
pub struct ClkEncoder<S> {
    stream: S,
    fields: Vec<FieldPlan>,
    salt: Source,
    least_fields: usize,
    hardener: Hardener,
    memo: Memo,
    raw: Vec<u64>,
    finished: Vec<u64>,
    pieces: Pieces,
    read: Read,
}

/// Where a value comes from.
#[derive(Clone, Copy)]
struct Source {
    field: usize,
    normaliser: Normaliser,
    derivation: Derivation,
}

struct FieldPlan {
    source: Source,
    q: usize,
    positional: bool,
    bits: usize,
}

/// What reading a field takes, used again and again.
#[derive(Default)]
struct Read {
    reader: Reader,
    variants: Variants,
    value: Vec<u8>,
    names: Names,
    /// The date that salts a filter, as it was read for the record at hand.
    salt: Vec<u8>,
}

impl Read {
    /// The surest form of the present value: former names would make two people's filters meet.
    fn form(&mut self, raw: &RawFields<'_>, source: Source, today: Date) -> Option<&str> {
        self.variants.clear();
        let text = raw.of(source.field).next()?;
        self.reader.read(source.normaliser, text, true, today, &mut self.variants).ok()?;
        self.variants.sort();
        self.variants.iter().next().map(|(form, _)| form)
    }

    /// What the filter's field takes of it; `at` is the field's place in the profile.
    fn value(&mut self, raw: &RawFields<'_>, at: usize, source: Source, today: Date) -> Option<&str> {
        // What a name becomes depends on nothing else, and the same names come again and again.
        let is_name = matches!(source.normaliser, Normaliser::Forename | Normaliser::Surname);
        let text = raw.of(source.field).next()?;
        if !is_name || !self.names.find(at, text, &mut self.value) {
            self.form(raw, source, today)?;
            let (form, _) = self.variants.iter().next()?;
            if !derive_into(form, source.derivation, &mut self.value) {
                return None;
            }
            if is_name {
                self.names.remember(at, text, &self.value);
            }
        }
        std::str::from_utf8(&self.value).ok()
    }

    /// The year of the date that salts a filter. The date itself is kept: it is mostly a field as well.
    fn year(&mut self, raw: &RawFields<'_>, source: Source, today: Date) -> Option<u16> {
        self.salt.clear();
        self.form(raw, source, today)?;
        let (form, _) = self.variants.iter().next()?;
        self.salt.extend_from_slice(form.as_bytes());
        let made = derive_into(form, source.derivation, &mut self.value);
        made.then(|| std::str::from_utf8(&self.value).ok()?.parse().ok()).flatten()
    }

    /// As [`Self::value`], of the field whose date salts the filter.
    fn value_of_salt(&mut self, derivation: Derivation) -> Option<&str> {
        let date = std::str::from_utf8(&self.salt).ok()?;
        let made = derive_into(date, derivation, &mut self.value);
        made.then(|| std::str::from_utf8(&self.value).ok()).flatten()
    }
}

impl<S: KeyStream> ClkEncoder<S> {
    /// Plans the work. `stream` is the key of the profile.
    ///
    /// # Errors
    ///
    /// [`Faults`] if the profile does not fit the match keys.
    ///
    /// # Panics
    ///
    /// Never: that the fields are declared is checked before.
    pub fn new(keys: &MatchKeys, profile: &EncodingProfile, stream: S) -> Result<Self, Faults> {
        profile.check(keys)?;
        let source = |name: &str, derivation| {
            let field = keys.field_index(name).expect("checked with the profile");
            Source { field, normaliser: keys.fields()[field].normaliser, derivation }
        };
        let fields = profile.fields().iter().map(|field| FieldPlan {
            source: source(&field.field, field.derivation),
            q: field.q,
            positional: field.positional,
            bits: field.bits,
        });
        Ok(Self {
            fields: fields.collect(),
            salt: source(profile.salt(), Derivation::Year),
            least_fields: profile.least_fields(),
            hardener: Hardener::new(profile, &stream),
            memo: Memo::new(profile.raw_bits()),
            raw: vec![0; profile.raw_bits() / 64],
            finished: Vec::with_capacity(profile.bits() / 64),
            pieces: Pieces::default(),
            read: Read::default(),
            stream,
        })
    }

    /// The finished filter of a record, 64 bits to a word; none when the year of birth or too many
    /// fields are missing, and never an empty one.
    ///
    /// `today` is the day against which ages and future dates are judged.
    pub fn encode(&mut self, raw: &RawFields<'_>, today: Date) -> Option<&[u64]> {
        let year: u16 = self.read.year(raw, self.salt, today)?;
        self.raw.fill(0);
        let mut present = 0;
        for (at, field) in self.fields.iter().enumerate() {
            let source = field.source;
            let value = if source.field == self.salt.field {
                self.read.value_of_salt(source.derivation)
            } else {
                self.read.value(raw, at, source, today)
            };
            let Some(value) = value else { continue };
            self.pieces.cut(value, field.q, field.positional);
            let count = self.pieces.len().min(field.bits);
            if count == 0 {
                continue;
            }
            present += 1;
            for (n, piece) in self.pieces.iter().take(count).enumerate() {
                // All pieces of a value together set the field's number of positions, whatever its length.
                let share = field.bits / count + usize::from(n < field.bits % count);
                self.memo.ask(at as u8, year, piece, share);
            }
        }
        if present < self.least_fields {
            self.memo.forget();
            return None;
        }
        self.memo.set_all(&self.stream, &mut self.raw);
        if self.raw.iter().all(|word| *word == 0) {
            return None;
        }
        self.hardener.finish(&self.stream, &mut self.raw, &mut self.finished);
        Some(&self.finished)
    }

    /// The key.
    pub fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S> Drop for ClkEncoder<S> {
    fn drop(&mut self) {
        self.raw.zeroize();
        self.finished.zeroize();
        self.read.value.zeroize();
        self.read.salt.zeroize();
    }
}

impl<S> std::fmt::Debug for ClkEncoder<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClkEncoder(redacted)")
    }
}

#[cfg(test)]
mod tests;
