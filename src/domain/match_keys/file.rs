//! The text of a match-keys file, and the rules that keep a key from linking two people.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::field_tokens::{RawFieldTokens, RawWeighing, names_a_feed, protects_families};
use super::{
    Component, Conflict, Derivation, Field, FieldLevel, FieldTokens, Location, MAX_COMPONENTS, MAX_FIELD_TOKENS,
    MAX_FIELDS, MAX_KEYS, MatchKey, MatchKeys, MatchKeysError, MatchKeysProblem, Normaliser, Tier,
};
use crate::domain::ids::TokenType;

impl MatchKeys {
    /// Reads a match-keys file.
    ///
    /// # Errors
    ///
    /// [`MatchKeysError`] with the line and key if the file is not well-formed or a key could link
    /// two people: see [`MatchKeysProblem`] for the rules.
    pub fn parse(text: &str) -> Result<Self, MatchKeysError> {
        let file: File = toml::from_str(text).map_err(|error| MatchKeysError {
            reason: MatchKeysProblem::Syntax(error.message().to_owned()),
            location: Location { line: error.span().map(|span| line_of(text, span.start)), name: None },
        })?;
        let whole = |reason| MatchKeysError { reason, location: Location::default() };
        if file.version != 1 || file.norm != 1 {
            return Err(whole(MatchKeysProblem::Version));
        }
        if !(1..=MAX_KEYS).contains(&file.keys.len()) || !(1..=MAX_FIELDS).contains(&file.fields.len()) {
            return Err(whole(MatchKeysProblem::Count));
        }

        let mut fields = Vec::with_capacity(file.fields.len());
        for (name, normaliser) in &file.fields {
            let at = |reason| MatchKeysError {
                reason,
                location: Location { line: Some(line_of(text, normaliser.span().start)), name: Some(name.clone()) },
            };
            TokenType::parse(name).map_err(|_| at(MatchKeysProblem::Name))?;
            let normaliser = Normaliser::parse(normaliser.get_ref()).ok_or_else(|| at(MatchKeysProblem::Normaliser))?;
            fields.push(Field { name: name.clone(), normaliser });
        }

        let mut keys: Vec<MatchKey> = Vec::with_capacity(file.keys.len());
        let mut locations = Vec::with_capacity(file.keys.len());
        for raw in &file.keys {
            let location =
                Location { line: Some(line_of(text, raw.name.span().start)), name: Some(raw.name.get_ref().clone()) };
            let key = raw
                .read(&fields)
                .and_then(|key| {
                    let taken = keys.iter().any(|other| other.name == key.name);
                    if taken { Err(MatchKeysProblem::Duplicate) } else { Ok(key) }
                })
                .and_then(|key| key.check(&fields, file.test_set).map(|()| key))
                .map_err(|reason| MatchKeysError { reason, location: location.clone() })?;
            keys.push(key);
            locations.push(location);
        }
        for (key, location) in keys.iter().zip(locations) {
            if !key.fits_its_strong_key(&keys, &fields) {
                return Err(MatchKeysError { reason: MatchKeysProblem::WithDate, location });
            }
        }
        let field_tokens = file.field_tokens(text, &fields, &keys)?;
        if !file.test_set && !protects_families(&field_tokens, &fields) {
            return Err(whole(MatchKeysProblem::WeighsFamilies));
        }
        let repeats = file.weighing.repeats.clone();
        if !repeats.iter().all(|feed| names_a_feed(feed)) {
            return Err(whole(MatchKeysProblem::Repeats));
        }
        let sha256 = Sha256::digest(text.as_bytes()).into();
        let File { version, norm, test_set, .. } = file;
        Ok(Self { version, norm, test_set, fields, keys, field_tokens, repeats, sha256 })
    }
}

impl MatchKey {
    /// What could link two people is refused, whoever wrote the file.
    fn check(&self, fields: &[Field], test_set: bool) -> Result<(), MatchKeysProblem> {
        let has = |test: &dyn Fn(Normaliser, Derivation) -> bool| {
            self.components.iter().any(|part| test(fields[part.field].normaliser, part.derivation))
        };
        let names = self.components.iter().filter(|part| fields[part.field].normaliser.is_name()).count();
        if self.any_order && names < 2 {
            return Err(MatchKeysProblem::AnyOrder);
        }
        if self.tier == Tier::Household && self.conflict.is_some() {
            return Err(MatchKeysProblem::Household);
        }
        if has(&|field, _| field == Normaliser::LegacyHash) {
            let is_dated = has(&|field, taken| matches!(field, Normaliser::Date(_)) && taken == Derivation::Exact);
            return self.check_legacy(is_dated);
        }
        check_tier(&self.components, self.tier, fields, test_set)?;
        if self.conflict == Some(Conflict::Strong) {
            let one_identifier =
                self.components.len() == 1 && has(&|field, taken| field.is_identifier() && taken == Derivation::Exact);
            if self.tier != Tier::Link || !one_identifier {
                return Err(MatchKeysProblem::Strong);
            }
        }
        Ok(())
    }

    /// Nobody can see of a hash what was hashed, a filler perhaps, so that it says nothing against a
    /// link and only links together with the date of birth.
    fn check_legacy(&self, is_dated: bool) -> Result<(), MatchKeysProblem> {
        let links_alone = self.tier == Tier::Link && !is_dated;
        if self.conflict.is_some() || self.tier == Tier::Household || links_alone {
            return Err(MatchKeysProblem::Legacy);
        }
        Ok(())
    }

    fn fits_its_strong_key(&self, keys: &[Self], fields: &[Field]) -> bool {
        let Some(Conflict::WithDate { of }) = &self.conflict else { return true };
        let strong = keys.iter().find(|key| key.name == *of && key.conflict == Some(Conflict::Strong));
        let [identifier, date] = self.components.as_slice() else { return false };
        strong.is_some_and(|strong| strong.components.as_slice() == [*identifier])
            && matches!(fields[date.field].normaliser, Normaliser::Date(_))
            && date.derivation == Derivation::Exact
    }
}

/// Whether a key of these components may have this tier.
pub(super) fn permits(components: &[Component], tier: Tier, fields: &[Field], test_set: bool) -> bool {
    check_tier(components, tier, fields, test_set).is_ok()
}

fn check_tier(components: &[Component], tier: Tier, fields: &[Field], test_set: bool) -> Result<(), MatchKeysProblem> {
    let has = |test: &dyn Fn(Normaliser, Derivation) -> bool| {
        components.iter().any(|part| test(fields[part.field].normaliser, part.derivation))
    };
    match tier {
        Tier::Suggest => {}
        Tier::Household => {
            if has(&|field, _| !field.is_place()) {
                return Err(MatchKeysProblem::Household);
            }
        }
        Tier::Link => {
            let identifier = has(&|field, taken| field.is_identifier() && taken == Derivation::Exact);
            let forename = has(&|field, taken| field == Normaliser::Forename && taken == Derivation::Exact);
            let year = has(&|field, taken| matches!(field, Normaliser::Date(_)) && taken.keeps_the_year());
            if has(&|field, _| field == Normaliser::TemporaryUpn) {
                return Err(MatchKeysProblem::Temporary);
            }
            if !identifier && !forename && !test_set {
                return Err(MatchKeysProblem::NoForename);
            }
            if !identifier && !year && !test_set {
                return Err(MatchKeysProblem::NoYear);
            }
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    norm: u16,
    #[serde(default)]
    test_set: bool,
    fields: BTreeMap<String, Spanned<String>>,
    keys: Vec<RawKey>,
    #[serde(default)]
    weighing: RawWeighing,
    #[serde(default)]
    field_tokens: Vec<RawFieldTokens>,
}

impl File {
    fn field_tokens(
        &self,
        text: &str,
        fields: &[Field],
        keys: &[MatchKey],
    ) -> Result<Vec<FieldTokens>, MatchKeysError> {
        let mut read: Vec<FieldTokens> = Vec::with_capacity(self.field_tokens.len());
        for raw in &self.field_tokens {
            let name = raw.field.get_ref().clone();
            let location = Location { line: Some(line_of(text, raw.field.span().start)), name: Some(name) };
            let tokens = raw.read(fields).and_then(|tokens| {
                let is_taken = |level: &FieldLevel| keys.iter().any(|key| key.name == level.name);
                if read.iter().any(|other| other.field == tokens.field) || tokens.levels.iter().any(is_taken) {
                    return Err(MatchKeysProblem::Duplicate);
                }
                if read.len() == MAX_FIELD_TOKENS { Err(MatchKeysProblem::Count) } else { Ok(tokens) }
            });
            read.push(tokens.map_err(|reason| MatchKeysError { reason, location })?);
        }
        Ok(read)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    name: Spanned<String>,
    components: Vec<String>,
    tier: Tier,
    #[serde(default)]
    conflict: Option<RawConflict>,
    #[serde(default)]
    any_order: bool,
    #[serde(default)]
    shields: bool,
    #[serde(default)]
    evidence_millibits: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum RawConflict {
    Strong,
    WithDate { of: String },
}

impl RawKey {
    fn read(&self, fields: &[Field]) -> Result<MatchKey, MatchKeysProblem> {
        let name = TokenType::parse(self.name.get_ref()).map_err(|_| MatchKeysProblem::Name)?;
        let mut components = Vec::with_capacity(self.components.len());
        for text in &self.components {
            let (field, derivation) = text.split_once(':').unwrap_or((text, "exact"));
            if is_sex(field) {
                return Err(MatchKeysProblem::Sex);
            }
            let field = fields.iter().position(|declared| declared.name == field);
            let field = field.ok_or(MatchKeysProblem::UnknownField)?;
            let derivation = Derivation::parse(derivation).ok_or(MatchKeysProblem::Derivation)?;
            if !fields[field].normaliser.allows(derivation) {
                return Err(MatchKeysProblem::Derivation);
            }
            let component = Component { field, derivation };
            if components.contains(&component) {
                return Err(MatchKeysProblem::Components);
            }
            components.push(component);
        }
        if !(1..=MAX_COMPONENTS).contains(&components.len()) {
            return Err(MatchKeysProblem::Components);
        }
        let conflict = match &self.conflict {
            None => None,
            Some(RawConflict::Strong) => Some(Conflict::Strong),
            Some(RawConflict::WithDate { of }) => {
                Some(Conflict::WithDate { of: TokenType::parse(of).map_err(|_| MatchKeysProblem::Name)? })
            }
        };
        Ok(MatchKey {
            name,
            components,
            tier: self.tier,
            conflict,
            any_order: self.any_order,
            shields: self.shields,
            evidence_millibits: self.evidence_millibits,
        })
    }
}

/// Sex and gender differ between clinical systems for one person in 300 and are no ground to link.
pub(super) fn is_sex(field: &str) -> bool {
    field.split(['-', '_', '.']).any(|word| word.eq_ignore_ascii_case("sex") || word.eq_ignore_ascii_case("gender"))
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = "version = 1\nnorm = 1\n[fields]\nnhs = \"nhs\"\nupn_temp = \"temporary-upn\"\n\
        dob = \"date:iso\"\nforename = \"forename\"\nsurname = \"surname\"\npostcode = \"postcode\"\nuprn = \"uprn\"\nold = \"legacy-hash\"\n";

    fn with_key(key: &str) -> Result<MatchKeys, MatchKeysError> {
        MatchKeys::parse(&format!("{FIELDS}[[keys]]\n{key}"))
    }

    #[test]
    fn a_well_formed_file_is_read_whole() {
        let text = format!(
            "{FIELDS}[[keys]]\nname = 'nhs'\ncomponents = ['nhs']\ntier = 'link'\nconflict = 'strong'\n\
             [[keys]]\nname = 'nhs-dob'\ncomponents = ['nhs', 'dob']\ntier = 'link'\n\
             conflict = {{ with-date = {{ of = 'nhs' }} }}\n\
             [[keys]]\nname = 'k6'\ncomponents = ['forename:prefix-3', 'surname:soundex', 'dob:year']\ntier = 'suggest'\n"
        );
        let keys = MatchKeys::parse(&text).expect("well-formed");
        assert_eq!(keys.keys().len(), 3);
        assert_eq!(keys.keys()[0].conflict, Some(Conflict::Strong));
        assert_eq!(keys.keys()[1].conflict, Some(Conflict::WithDate { of: TokenType::parse("nhs").expect("code") }));
        assert_eq!(keys.keys()[2].components[0].derivation, Derivation::Prefix(3));
        assert_eq!(keys.field_index("dob"), Some(0));
        assert_eq!(keys.field_index("sex"), None);
        let other = MatchKeys::parse(&format!("{text}# a comment\n")).expect("well-formed");
        assert_ne!(keys.sha256(), other.sha256(), "the hash covers every byte");
    }

    #[test]
    fn a_key_that_could_link_two_people_is_refused_with_its_code_name_and_line() {
        let cases = [
            ("name='a'\ncomponents=['sex','nhs']\ntier='suggest'", "match_keys.sex"),
            ("name='a'\ncomponents=['gender_code']\ntier='suggest'", "match_keys.sex"),
            ("name='a'\ncomponents=['surname','dob','postcode']\ntier='link'", "match_keys.no_forename"),
            (
                "name='a'\ncomponents=['forename:initial','surname','dob','postcode']\ntier='link'",
                "match_keys.no_forename",
            ),
            ("name='a'\ncomponents=['forename:soundex','surname','dob','uprn']\ntier='link'", "match_keys.no_forename"),
            ("name='a'\ncomponents=['dob','uprn']\ntier='link'", "match_keys.no_forename"),
            ("name='a'\ncomponents=['forename','surname','postcode']\ntier='link'", "match_keys.no_year"),
            ("name='a'\ncomponents=['forename','surname','dob:month-day']\ntier='link'", "match_keys.no_year"),
            ("name='a'\ncomponents=['forename','surname','dob:digits-sorted']\ntier='link'", "match_keys.no_year"),
            ("name='a'\ncomponents=['upn_temp']\ntier='link'", "match_keys.temporary"),
            ("name='a'\ncomponents=['surname','uprn']\ntier='household'", "match_keys.household"),
            ("name='a'\ncomponents=['uprn']\ntier='household'\nconflict='strong'", "match_keys.household"),
            ("name='a'\ncomponents=['nhs']\ntier='suggest'\nconflict='strong'", "match_keys.strong"),
            ("name='a'\ncomponents=['nhs','dob']\ntier='link'\nconflict='strong'", "match_keys.strong"),
            ("name='a'\ncomponents=['nhs','dob']\ntier='link'\nconflict={with-date={of='b'}}", "match_keys.with_date"),
            ("name='a'\ncomponents=['old']\ntier='link'", "match_keys.legacy"),
            ("name='a'\ncomponents=['old','dob:year']\ntier='link'", "match_keys.legacy"),
            ("name='a'\ncomponents=['old']\ntier='link'\nconflict='strong'", "match_keys.legacy"),
            ("name='a'\ncomponents=['height']\ntier='suggest'", "match_keys.unknown_field"),
            ("name='a'\ncomponents=['dob:soundex']\ntier='suggest'", "match_keys.derivation"),
            ("name='a'\ncomponents=['surname:prefix-1']\ntier='suggest'", "match_keys.derivation"),
            ("name='a'\ncomponents=['nhs','nhs']\ntier='suggest'", "match_keys.components"),
            ("name='a'\ncomponents=[]\ntier='suggest'", "match_keys.components"),
            ("name='a b'\ncomponents=['nhs']\ntier='suggest'", "match_keys.name"),
            ("name='a'\ncomponents=['forename','dob']\nany_order=true\ntier='suggest'", "match_keys.any_order"),
        ];
        for (key, code) in cases {
            let error = with_key(key).expect_err(code);
            assert_eq!(error.reason.code(), code, "{key}");
            assert_eq!(error.location.line, Some(13), "{key}");
            assert!(error.location.name.is_some() && error.to_string().contains(code), "{error}");
        }
    }

    #[test]
    fn a_name_cannot_be_used_twice_and_a_with_date_key_needs_a_strong_one() {
        let nhs = "[[keys]]\nname='nhs'\ncomponents=['nhs']\ntier='link'\n";
        let twice = MatchKeys::parse(&format!("{FIELDS}{nhs}{nhs}")).expect_err("twice");
        assert_eq!((twice.reason, twice.location.line), (MatchKeysProblem::Duplicate, Some(17)));
        let dated = "[[keys]]\nname='d'\ncomponents=['nhs','dob']\ntier='link'\nconflict={with-date={of='nhs'}}\n";
        let weak = MatchKeys::parse(&format!("{FIELDS}{nhs}{dated}")).expect_err("not strong");
        assert_eq!(weak.reason, MatchKeysProblem::WithDate);
    }

    #[test]
    fn unknown_names_and_other_versions_are_refused_with_a_line() {
        let error = with_key("name='a'\ncomponents=['nhs']\ntier='link'\nweight=3").expect_err("unknown");
        assert_eq!(error.reason.code(), "match_keys.syntax");
        assert!(error.location.line.is_some_and(|line| line >= 11));
        let error = MatchKeys::parse(&FIELDS.replace("norm = 1", "norm = 2\nkeys = []")).expect_err("norm");
        assert_eq!(error.reason, MatchKeysProblem::Version);
        let error = MatchKeys::parse(
            &FIELDS
                .replace("\"nhs\"", "\"nhs2\"")
                .replace("norm = 1", "norm = 1\nkeys = [{name='a',components=[],tier='link'}]"),
        )
        .expect_err("normaliser");
        assert_eq!((error.reason.code(), error.location.name.as_deref()), ("match_keys.normaliser", Some("nhs")));
    }

    #[test]
    fn at_most_64_keys_are_read() {
        use std::fmt::Write as _;
        let mut text = FIELDS.to_owned();
        for number in 0..65 {
            write!(text, "[[keys]]\nname='a{number}'\ncomponents=['nhs']\ntier='link'\n").expect("a String");
        }
        assert_eq!(MatchKeys::parse(&text).expect_err("65").reason, MatchKeysProblem::Count);
    }

    #[test]
    fn a_test_set_may_link_without_forename_and_says_so() {
        let text = FIELDS.replace("norm = 1\n", "norm = 1\ntest_set = true\n");
        let keys = MatchKeys::parse(&format!("{text}[[keys]]\nname='a'\ncomponents=['surname','dob']\ntier='link'\n"));
        assert!(keys.expect("a test set").is_for_a_test_set());
    }
}
