//! Match keys: which fields an agency normalises and which combinations of them become tokens.
//!
//! This is the parsed form of a programme's match-keys file. It holds data only: agencies derive
//! values with it and the gateway reads from it which token types link, which only suggest, and
//! which are evidence of a conflict. The hash of the file is in every batch and every match run.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::ids::TokenType;

/// The largest number of keys in one file.
pub const MAX_KEYS: usize = 64;
/// The largest number of components of one key.
pub const MAX_COMPONENTS: usize = 8;
/// The largest number of declared fields.
pub const MAX_FIELDS: usize = 64;

/// A programme's match keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchKeys {
    version: u32,
    norm: u16,
    test_set: bool,
    fields: Vec<Field>,
    keys: Vec<MatchKey>,
    sha256: [u8; 32],
}

/// A declared field of an agency's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name under which a mapping supplies it.
    pub name: String,
    /// How its texts are read.
    pub normaliser: Normaliser,
}

/// One match key: a token type and what its value is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchKey {
    /// The type of the tokens that it gives.
    pub name: TokenType,
    /// What is concatenated, in this order.
    pub components: Vec<Component>,
    /// What an agreement on it may do.
    pub tier: Tier,
    /// Its part in detecting that two records cannot be one person.
    pub conflict: Option<Conflict>,
    /// Whether the name components are sorted, so that swapped names agree.
    pub any_order: bool,
}

/// One part of a match key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// The index of the field in [`MatchKeys::fields`].
    pub field: usize,
    /// What is taken of the normalised field.
    pub derivation: Derivation,
}

/// What agreement on a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Link two records automatically, unless something conflicts.
    Link,
    /// Propose a possible match to a reviewer; never link by itself.
    Suggest,
    /// Say that two persons live at one address; never that they are one person.
    Household,
}

/// A key's part in detecting a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// Two records that both have it, and share no value, are not one person.
    Strong,
    /// An identifier with the date of birth: two records that share the identifier but not this
    /// key disagree on the date.
    WithDate {
        /// The strong key of the identifier alone.
        of: TokenType,
    },
}

/// How a field's texts are read. Version 1 of the normalisation rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Normaliser {
    /// NHS number.
    Nhs,
    /// Unique pupil number, permanent ones only.
    Upn,
    /// Temporary unique pupil number.
    TemporaryUpn,
    /// National Insurance number, first eight characters.
    Nino,
    /// Unique learner number.
    Uln,
    /// Police National Computer identifier.
    Pnc,
    /// Criminal Records Office number.
    Cro,
    /// Unique property reference number.
    Uprn,
    /// United Kingdom postcode.
    Postcode,
    /// Date of birth in a declared input form.
    Date(DateFormat),
    /// Expected date of birth of an unborn child in a declared input form.
    ExpectedDate(DateFormat),
    /// Forename.
    Forename,
    /// Surname.
    Surname,
    /// Any other identifier.
    GenericId,
    /// A postcode of another country.
    GenericPostcode,
    /// A line of an address, a house number, a suburb.
    FreeAddress,
}

/// The form in which a file writes dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DateFormat {
    /// `2009-04-17`, with a midnight time after it or none.
    #[default]
    Iso,
    /// `20090417`.
    YearMonthDay,
    /// `17/04/2009`, also with `-` or `.`, and with one-digit days and months.
    DayMonthYear,
}

/// What is taken of a normalised field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Derivation {
    /// All of it.
    Exact,
    /// The first character.
    Initial,
    /// The first characters, as many as stated.
    Prefix(u8),
    /// American Soundex.
    Soundex,
    /// The year of a date.
    Year,
    /// The year and month of a date.
    YearMonth,
    /// The month and day of a date, without the year.
    MonthDay,
    /// The year of a date, then day and month in ascending order: agrees when the two are swapped.
    DayMonthSorted,
    /// The digits in ascending order: agrees when digits change places.
    DigitsSorted,
    /// The area of a postcode, such as `TR`.
    Area,
    /// The district of a postcode, its outward code, such as `TR1`.
    District,
    /// The sector of a postcode, such as `TR1 1`.
    Sector,
}

/// Why a match-keys file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("match keys: {location}{reason} [{}]", reason.code())]
pub struct MatchKeysError {
    /// What is wrong.
    pub reason: MatchKeysProblem,
    /// Where it is.
    pub location: Location,
}

/// A place in a match-keys file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Location {
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// The key or field, where one is meant.
    pub name: Option<String>,
}

/// What is wrong with a match-keys file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MatchKeysProblem {
    /// Not TOML, or not of this shape; unknown names are refused.
    #[error("not a match-keys file: {0}")]
    Syntax(String),
    /// Another version of the file or of the normalisation rules.
    #[error("only version 1 with norm 1 is understood")]
    Version,
    /// No key or too many.
    #[error("a file has 1 to 64 keys and 1 to 64 fields")]
    Count,
    /// Not a token type or a field name.
    #[error("a name is 1 to 64 letters, digits, '-', '_' or '.', starting with a letter or digit")]
    Name,
    /// Two keys of one name.
    #[error("the name is used twice")]
    Duplicate,
    /// No such normaliser.
    #[error("no such normaliser or date form")]
    Normaliser,
    /// No component, too many, or one twice.
    #[error("a key has 1 to 8 different components")]
    Components,
    /// A component names a field that is not declared.
    #[error("a component names a field that is not declared")]
    UnknownField,
    /// No such derivation, or none of this kind of field.
    #[error("no such derivation for this kind of field")]
    Derivation,
    /// Sex or gender in a key.
    #[error("sex and gender may be in no key")]
    Sex,
    /// A link key with neither identifier nor forename.
    #[error("a link key needs an identifier, or the whole forename (twins share everything else)")]
    NoForename,
    /// A link key without the year of birth.
    #[error("a link key made of names needs the year of birth (parent and child may share a name)")]
    NoYear,
    /// A temporary number in a link key.
    #[error("a temporary number changes and may only suggest")]
    Temporary,
    /// A household key that holds something of a person.
    #[error("a household key is made of an address alone and has no conflict role")]
    Household,
    /// A strong key that is not one identifier in a link key.
    #[error("a strong key is a link key of one whole identifier")]
    Strong,
    /// A with-date key whose strong key is missing or does not fit.
    #[error("a with-date key is the identifier of an existing strong key, then a whole date of birth")]
    WithDate,
    /// Sorting asked for where there are not two names.
    #[error("any_order needs two name components")]
    AnyOrder,
}

impl MatchKeysProblem {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "match_keys.syntax",
            Self::Version => "match_keys.version",
            Self::Count => "match_keys.count",
            Self::Name => "match_keys.name",
            Self::Duplicate => "match_keys.duplicate",
            Self::Normaliser => "match_keys.normaliser",
            Self::Components => "match_keys.components",
            Self::UnknownField => "match_keys.unknown_field",
            Self::Derivation => "match_keys.derivation",
            Self::Sex => "match_keys.sex",
            Self::NoForename => "match_keys.no_forename",
            Self::NoYear => "match_keys.no_year",
            Self::Temporary => "match_keys.temporary",
            Self::Household => "match_keys.household",
            Self::Strong => "match_keys.strong",
            Self::WithDate => "match_keys.with_date",
            Self::AnyOrder => "match_keys.any_order",
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, &self.name) {
            (Some(line), Some(name)) => write!(f, "line {line}, {name}: "),
            (Some(line), None) => write!(f, "line {line}: "),
            (None, Some(name)) => write!(f, "{name}: "),
            (None, None) => Ok(()),
        }
    }
}

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
        let sha256 = Sha256::digest(text.as_bytes()).into();
        Ok(Self { version: file.version, norm: file.norm, test_set: file.test_set, fields, keys, sha256 })
    }

    /// The version of the file's own form.
    pub fn version(&self) -> u32 {
        self.version
    }
    /// The version of the normalisation rules.
    pub fn norm(&self) -> u16 {
        self.norm
    }
    /// Whether the file is for a public test set of unrelated people: the rules that protect twins
    /// and namesakes are then not enforced, and a programme must refuse it.
    pub fn is_for_a_test_set(&self) -> bool {
        self.test_set
    }
    /// The declared fields, by name.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }
    /// The index of a field, by name.
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.fields.binary_search_by(|field| field.name.as_str().cmp(name)).ok()
    }
    /// The keys, in the order of the file: strongest first.
    pub fn keys(&self) -> &[MatchKey] {
        &self.keys
    }
    /// The key that gives tokens of this type.
    pub fn key(&self, name: &TokenType) -> Option<&MatchKey> {
        self.keys.iter().find(|key| key.name == *name)
    }
    /// The SHA-256 of the file, byte for byte.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
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
        if self.tier == Tier::Household && (self.conflict.is_some() || has(&|field, _| !field.is_place())) {
            return Err(MatchKeysProblem::Household);
        }
        if self.tier == Tier::Link {
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
        if self.conflict == Some(Conflict::Strong) {
            let one_identifier =
                self.components.len() == 1 && has(&|field, taken| field.is_identifier() && taken == Derivation::Exact);
            if self.tier != Tier::Link || !one_identifier {
                return Err(MatchKeysProblem::Strong);
            }
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

impl Normaliser {
    /// Reads the name used in files, such as `nhs` or `date:dmy`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "nhs" => Self::Nhs,
            "upn" => Self::Upn,
            "temporary-upn" => Self::TemporaryUpn,
            "nino" => Self::Nino,
            "uln" => Self::Uln,
            "pnc" => Self::Pnc,
            "cro" => Self::Cro,
            "uprn" => Self::Uprn,
            "postcode" => Self::Postcode,
            "forename" => Self::Forename,
            "surname" => Self::Surname,
            "generic-id" => Self::GenericId,
            "generic-postcode" => Self::GenericPostcode,
            "free-address" => Self::FreeAddress,
            other => match other.split_once(':')? {
                ("date", format) => Self::Date(DateFormat::parse(format)?),
                ("expected-date", format) => Self::ExpectedDate(DateFormat::parse(format)?),
                _ => return None,
            },
        })
    }

    /// Whether it names one person for good.
    pub fn is_identifier(self) -> bool {
        matches!(self, Self::Nhs | Self::Upn | Self::Nino | Self::Uln | Self::Pnc | Self::Cro | Self::GenericId)
    }

    /// Whether it is part of a person's name.
    pub fn is_name(self) -> bool {
        matches!(self, Self::Forename | Self::Surname)
    }

    /// Whether it says where somebody lives.
    pub fn is_place(self) -> bool {
        matches!(self, Self::Uprn | Self::Postcode | Self::GenericPostcode | Self::FreeAddress)
    }

    fn allows(self, derivation: Derivation) -> bool {
        let is_date = matches!(self, Self::Date(_) | Self::ExpectedDate(_));
        let is_text = self.is_name() || matches!(self, Self::FreeAddress | Self::GenericPostcode);
        match derivation {
            Derivation::Exact => true,
            Derivation::Initial | Derivation::Prefix(_) => is_text,
            Derivation::Soundex => self.is_name() || self == Self::FreeAddress,
            Derivation::Year | Derivation::YearMonth | Derivation::MonthDay | Derivation::DayMonthSorted => is_date,
            Derivation::DigitsSorted => is_date || matches!(self, Self::FreeAddress | Self::GenericPostcode),
            Derivation::Area | Derivation::District | Derivation::Sector => self == Self::Postcode,
        }
    }
}

impl DateFormat {
    /// Reads the name used in files: `iso`, `yyyymmdd` or `dmy`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "iso" => Some(Self::Iso),
            "yyyymmdd" => Some(Self::YearMonthDay),
            "dmy" => Some(Self::DayMonthYear),
            _ => None,
        }
    }
}

impl Derivation {
    /// Reads the name used in files, such as `soundex` or `prefix-3`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "exact" => Self::Exact,
            "initial" => Self::Initial,
            "soundex" => Self::Soundex,
            "year" => Self::Year,
            "year-month" => Self::YearMonth,
            "month-day" => Self::MonthDay,
            "day-month-sorted" => Self::DayMonthSorted,
            "digits-sorted" => Self::DigitsSorted,
            "area" => Self::Area,
            "district" => Self::District,
            "sector" => Self::Sector,
            other => match other.strip_prefix("prefix-")?.as_bytes() {
                [digit @ b'2'..=b'9'] => Self::Prefix(digit - b'0'),
                _ => return None,
            },
        })
    }

    fn keeps_the_year(self) -> bool {
        matches!(self, Self::Exact | Self::Year | Self::YearMonth | Self::DayMonthSorted)
    }
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
        Ok(MatchKey { name, components, tier: self.tier, conflict, any_order: self.any_order })
    }
}

/// Sex and gender differ between clinical systems for one person in 300 and are no ground to link.
fn is_sex(field: &str) -> bool {
    field.split(['-', '_', '.']).any(|word| word.eq_ignore_ascii_case("sex") || word.eq_ignore_ascii_case("gender"))
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = "version = 1\nnorm = 1\n[fields]\nnhs = \"nhs\"\nupn_temp = \"temporary-upn\"\n\
        dob = \"date:iso\"\nforename = \"forename\"\nsurname = \"surname\"\npostcode = \"postcode\"\nuprn = \"uprn\"\n";

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
            assert_eq!(error.location.line, Some(12), "{key}");
            assert!(error.location.name.is_some() && error.to_string().contains(code), "{error}");
        }
    }

    #[test]
    fn a_name_cannot_be_used_twice_and_a_with_date_key_needs_a_strong_one() {
        let nhs = "[[keys]]\nname='nhs'\ncomponents=['nhs']\ntier='link'\n";
        let twice = MatchKeys::parse(&format!("{FIELDS}{nhs}{nhs}")).expect_err("twice");
        assert_eq!((twice.reason, twice.location.line), (MatchKeysProblem::Duplicate, Some(16)));
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
