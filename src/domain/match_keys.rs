//! Match keys: which fields an agency normalises and which combinations of them become tokens.
//!
//! This is the parsed form of a programme's match-keys file. It holds data only: agencies derive
//! values with it and the gateway reads from it which token types link, which only suggest, and
//! which are evidence of a conflict. The hash of the file is in every batch and every match run.

mod error;
mod field_tokens;
mod file;
mod names;

use serde::Deserialize;

use super::ids::{AgencyCode, FeedCode, TokenType};
pub use error::{Location, MatchKeysError, MatchKeysProblem};
pub use field_tokens::{FieldLevel, FieldTokens, MAX_FIELD_TOKENS, MAX_LEVELS};

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
    field_tokens: Vec<FieldTokens>,
    repeats: Vec<String>,
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
    /// A restriction reaches records that share a value, even where the key only suggests.
    pub shields: bool,
    /// What an agreement on it says, in thousandths of a bit: how rare it is by chance. A figure for
    /// explanations; it decides nothing.
    pub evidence_millibits: Option<u32>,
}

impl MatchKey {
    /// Whether no identifier is part of it: names, dates and places, which others may share.
    pub fn is_composite(&self, fields: &[Field]) -> bool {
        !self.components.iter().any(|part| fields[part.field].normaliser.is_identifier())
    }
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
    /// A salted SHA-256 value that an older system made of an identifier.
    LegacyHash,
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

impl MatchKeys {
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
    /// Whether tokens of this type are made of hash values from an older system. They are weak:
    /// whoever knows that system's salt can try every identifier there is.
    pub fn is_legacy(&self, name: &TokenType) -> bool {
        let is_legacy = |part: &Component| self.fields[part.field].normaliser == Normaliser::LegacyHash;
        self.key(name).is_some_and(|key| key.components.iter().any(is_legacy))
    }
    /// The fields whose tokens are weighed (privacy profile B), in the order of the file.
    pub fn field_tokens(&self) -> &[FieldTokens] {
        &self.field_tokens
    }
    /// The token types of every level of every weighed field, in the order of the file.
    pub fn field_levels(&self) -> impl Iterator<Item = (&FieldTokens, &FieldLevel)> {
        self.field_tokens.iter().flat_map(|field| field.levels.iter().map(move |level| (field, level)))
    }
    /// Every token type of the file: those of the keys, then those of the weighed fields.
    pub fn token_types(&self) -> impl Iterator<Item = &TokenType> {
        self.keys.iter().map(|key| &key.name).chain(self.field_levels().map(|(_, level)| &level.name))
    }
    /// Whether one person may have several records in a feed; a feed that the file does not name has
    /// each person once.
    pub fn may_repeat(&self, agency: &AgencyCode, feed: &FeedCode) -> bool {
        self.repeats.iter().any(|named| {
            named == "*" || named.split_once('/').is_some_and(|(a, f)| a == agency.as_str() && f == feed.as_str())
        })
    }
    /// Whether a key of these components may have this tier here: what could link two people may not.
    pub fn permits(&self, components: &[Component], tier: Tier) -> bool {
        file::permits(components, tier, &self.fields, self.test_set)
    }
    /// The SHA-256 of the file, byte for byte.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}
