//! Why a match-keys file is refused, with a code, a line and the name of the key.

use std::fmt;

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
    /// A key of old hash values that could link, or forbid a link, by itself.
    #[error("a key of old hash values has no conflict role and links only together with the whole date of birth")]
    Legacy,
    /// No level, too many, one twice, or a needed level that is none of them.
    #[error("a weighed field has 1 to 8 different levels, and `needed` is one of them")]
    Levels,
    /// Weights could link two people of one family.
    #[error("weighed fields need a forename and a date of birth that have to agree (`needed`)")]
    WeighsFamilies,
    /// What may repeat is not a feed.
    #[error("a feed that repeats people is written agency/feed, or * for all")]
    Repeats,
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
            Self::Legacy => "match_keys.legacy",
            Self::Levels => "match_keys.levels",
            Self::WeighsFamilies => "match_keys.weighs_families",
            Self::Repeats => "match_keys.repeats",
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
