//! The text of an encoding profile, and the rules that keep one from giving people away.

use serde::Deserialize;

use super::{CLK_TYPE, ClkField, EncodingProfile, Hardening, MAX_CLK_FIELDS, Threshold};
use crate::domain::ids::TokenType;
use crate::domain::match_keys::{Derivation, MatchKeys, Normaliser};
use crate::domain::policy_file::{self, Fault, Faults, FileHash};

/// Lengths of finished filters that can be compared at full speed.
const LENGTHS: [usize; 3] = [512, 1024, 2048];
/// Below this two filters are alike by chance.
const LEAST_THRESHOLD: u16 = 500;
/// A filter of one or two fields is a token that can be counted.
const FEWEST_FIELDS: usize = 3;
/// More ones than this share of the raw bits, and every filter looks like every other.
const FULLEST_PERCENT: usize = 90;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    norm: u16,
    name: String,
    bits: usize,
    hardening: HardeningName,
    noise_halvings: u8,
    threshold: u16,
    salt: String,
    least_fields: usize,
    #[serde(rename = "field")]
    fields: Vec<FieldText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum HardeningName {
    Fold,
    Balance,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldText {
    of: String,
    q: usize,
    #[serde(default)]
    positional: bool,
    bits: usize,
}

impl EncodingProfile {
    /// Reads an encoding profile.
    ///
    /// # Errors
    ///
    /// [`Faults`] with key and sentence of everything that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, Faults> {
        let file: File = policy_file::read(bytes)?;
        let mut faults = Vec::new();
        let mut fault = |key: &str, code: &'static str, sentence: &str| faults.push(Fault::at(key, code, sentence));
        if file.version != 1 || file.norm != 1 {
            fault("version", "clk.version", "this release reads version 1 with norm 1");
        }
        if TokenType::parse(&file.name).is_err() {
            fault("name", "clk.name", "a name is a code of lower-case letters, digits and hyphens");
        }
        if !LENGTHS.contains(&file.bits) {
            fault("bits", "clk.bits", "a filter has 512, 1024 or 2048 bits");
        }
        if !(4..=10).contains(&file.noise_halvings) {
            let sentence = "from 4 (one bit in 16 is turned over) to 10 (one in 1024); never none";
            fault("noise_halvings", "clk.noise", sentence);
        }
        if !(LEAST_THRESHOLD..=1000).contains(&file.threshold) {
            fault("threshold", "clk.threshold", "thousandths of a Dice coefficient, from 500 to 1000");
        }
        if !(FEWEST_FIELDS..=MAX_CLK_FIELDS).contains(&file.fields.len()) {
            fault("field", "clk.fields", "a filter is made of 3 to 16 fields");
        }
        if !(FEWEST_FIELDS..=file.fields.len().max(FEWEST_FIELDS)).contains(&file.least_fields) {
            fault("least_fields", "clk.least_fields", "at least 3, and no more than there are fields");
        }
        let mut fields: Vec<ClkField> = Vec::with_capacity(file.fields.len());
        for (at, text) in file.fields.iter().enumerate() {
            let (name, derivation) = text.of.split_once(':').unwrap_or((&text.of, "exact"));
            let Some(derivation) = Derivation::parse(derivation) else {
                fault(&format!("field[{at}].of"), "clk.derivation", "no such derivation");
                continue;
            };
            if !(1..=3).contains(&text.q) {
                fault(&format!("field[{at}].q"), "clk.q", "pieces have 1 to 3 characters");
            }
            if !(4..=512).contains(&text.bits) {
                fault(&format!("field[{at}].bits"), "clk.field_bits", "a field sets 4 to 512 positions");
            }
            if fields.iter().any(|other| other.field == name && other.derivation == derivation) {
                fault(&format!("field[{at}].of"), "clk.duplicate", "a field stands once");
            }
            let field = name.to_owned();
            fields.push(ClkField { field, derivation, q: text.q, positional: text.positional, bits: text.bits });
        }
        let hardening = match file.hardening {
            HardeningName::Fold => Hardening::Fold,
            HardeningName::Balance => Hardening::Balance,
        };
        let profile = Self {
            name: file.name,
            norm: file.norm,
            bits: file.bits,
            hardening,
            noise_halvings: file.noise_halvings,
            threshold: Threshold(file.threshold),
            salt: file.salt,
            least_fields: file.least_fields,
            fields,
            hash: FileHash::of(bytes),
        };
        let set: usize = profile.fields.iter().map(|field| field.bits).sum();
        if set * 100 > profile.raw_bits() * FULLEST_PERCENT {
            let sentence = "the fields set more positions than nine tenths of the unhardened filter's bits";
            faults.push(Fault::at("field", "clk.full", sentence));
        }
        if faults.is_empty() { Ok(profile) } else { Err(Faults(faults)) }
    }

    /// Whether the profile fits a programme's match keys: its fields are declared there, and the
    /// salt is a date of birth.
    ///
    /// # Errors
    ///
    /// [`Faults`] with what does not fit.
    pub fn check(&self, keys: &MatchKeys) -> Result<(), Faults> {
        let mut faults = Vec::new();
        let normaliser = |name: &str| keys.field_index(name).map(|at| keys.fields()[at].normaliser);
        if keys.norm() != self.norm {
            faults.push(Fault::at("norm", "clk.norm", "the match-keys file has another version of normalisation"));
        }
        if !matches!(normaliser(&self.salt), Some(Normaliser::Date(_))) {
            let sentence = "the salt is the year of a date of birth that the match-keys file declares";
            faults.push(Fault::at("salt", "clk.salt", sentence));
        }
        for (at, field) in self.fields.iter().enumerate() {
            if !normaliser(&field.field).is_some_and(|normaliser| normaliser.allows(field.derivation)) {
                let sentence = "the match-keys file has no such field, or the derivation does not suit it";
                faults.push(Fault::at(format!("field[{at}].of"), "clk.unknown_field", sentence));
            }
        }
        let is_reserved = |name: &TokenType| name.as_str() == CLK_TYPE;
        if keys.keys().iter().any(|key| is_reserved(&key.name)) {
            faults.push(Fault::at("keys", "clk.reserved", "no match key may have the reserved name clk"));
        }
        if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UK: &str = include_str!("../../../policies/clk-profile.toml");

    fn codes(text: &str) -> Vec<&'static str> {
        EncodingProfile::parse(text.as_bytes()).expect_err("refused").0.iter().map(|fault| fault.code).collect()
    }

    #[test]
    fn the_shipped_profiles_fit_the_shipped_match_keys() {
        for (profile, keys) in [
            (UK, include_str!("../../../policies/match-keys.toml")),
            (
                include_str!("../../../policies/clk-profile.febrl.toml"),
                include_str!("../../../policies/match-keys.febrl.toml"),
            ),
        ] {
            let profile = EncodingProfile::parse(profile.as_bytes()).expect("well-formed");
            profile.check(&MatchKeys::parse(keys).expect("well-formed")).expect("fits");
        }
        let uk = EncodingProfile::parse(UK.as_bytes()).expect("well-formed");
        let febrl = MatchKeys::parse(include_str!("../../../policies/match-keys.febrl.toml")).expect("well-formed");
        assert!(uk.check(&febrl).is_err(), "other fields");
    }

    #[test]
    fn the_hash_covers_the_threshold() {
        let one = EncodingProfile::parse(UK.as_bytes()).expect("well-formed");
        let line = UK.lines().find(|line| line.starts_with("threshold")).expect("a threshold");
        let other = EncodingProfile::parse(UK.replace(line, "threshold = 999").as_bytes()).expect("well-formed");
        assert_ne!(one.short_hash(), other.short_hash());
        assert_eq!(other.threshold(), Threshold::thousandths(999).expect("in range"));
    }

    #[test]
    fn what_would_give_people_away_is_refused_with_its_code() {
        let change = |key: &str, value: &str| {
            let line = UK.lines().find(|line| line.starts_with(key)).expect("the key");
            UK.replacen(line, &format!("{key} = {value}"), 1)
        };
        assert_eq!(codes(&change("noise_halvings", "0")), ["clk.noise"]);
        assert_eq!(codes(&change("threshold", "300")), ["clk.threshold"]);
        assert_eq!(codes(&change("bits", "1000"))[0], "clk.bits");
        assert_eq!(codes(&change("least_fields", "1")), ["clk.least_fields"]);
        assert_eq!(codes(&UK.replace("version = 1", "version = 2")), ["clk.version"]);
        assert_eq!(codes(&change("name", "'A B'")), ["clk.name"]);
        assert_eq!(codes("version = 1\nkey = 'secret value'"), ["malformed"]);
    }
}
