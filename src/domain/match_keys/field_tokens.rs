//! Weighed fields: which tokens of single fields an agency makes under privacy profile B.
//!
//! Whoever counts tokens of a single field can guess the commonest names, so these are never indexed:
//! they travel to be sealed. Each field has levels, the strictest first; two records agree in it at
//! the first level at which they share a token.

use serde::Deserialize;
use toml::Spanned;

use super::file::is_sex;
use super::{Derivation, Field, MatchKeysProblem, Normaliser};
use crate::domain::ids::{AgencyCode, FeedCode, TokenType};

/// The most fields that are weighed.
pub const MAX_FIELD_TOKENS: usize = 16;
/// The most levels of one field.
pub const MAX_LEVELS: usize = 8;

/// A weighed field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTokens {
    /// The index of the field in [`MatchKeys::fields`](super::MatchKeys::fields).
    pub field: usize,
    /// The levels, the strictest first.
    pub levels: Vec<FieldLevel>,
    /// Records that agree in the field at none of the first so many levels are never linked by weight.
    pub needed: Option<usize>,
}

/// A level of a weighed field: a token type, and what its value is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldLevel {
    /// The type of the tokens: the field's name, `_` and the derivation's.
    pub name: TokenType,
    /// The derivation's name, as explanations give it.
    pub label: String,
    /// What is taken of the normalised field.
    pub derivation: Derivation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFieldTokens {
    pub(super) field: Spanned<String>,
    levels: Vec<String>,
    /// The last level that agrees closely enough.
    #[serde(default)]
    needed: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWeighing {
    /// `agency/feed`, or `*` for every feed.
    #[serde(default)]
    pub(super) repeats: Vec<String>,
}

impl RawFieldTokens {
    pub(super) fn read(&self, fields: &[Field]) -> Result<FieldTokens, MatchKeysProblem> {
        let name = self.field.get_ref();
        if is_sex(name) {
            return Err(MatchKeysProblem::Sex);
        }
        let field = fields.iter().position(|declared| declared.name == *name);
        let field = field.ok_or(MatchKeysProblem::UnknownField)?;
        if !(1..=MAX_LEVELS).contains(&self.levels.len()) {
            return Err(MatchKeysProblem::Levels);
        }
        let mut levels: Vec<FieldLevel> = Vec::with_capacity(self.levels.len());
        for label in &self.levels {
            let derivation = Derivation::parse(label).ok_or(MatchKeysProblem::Derivation)?;
            if !fields[field].normaliser.allows(derivation) {
                return Err(MatchKeysProblem::Derivation);
            }
            if levels.iter().any(|level| level.derivation == derivation) {
                return Err(MatchKeysProblem::Levels);
            }
            let token_type = TokenType::parse(&format!("{name}_{label}")).map_err(|_| MatchKeysProblem::Name)?;
            levels.push(FieldLevel { name: token_type, label: label.clone(), derivation });
        }
        let needed = match &self.needed {
            None => None,
            Some(last) => {
                let at = levels.iter().position(|level| level.label == *last).ok_or(MatchKeysProblem::Levels)?;
                Some(at + 1)
            }
        };
        Ok(FieldTokens { field, levels, needed })
    }
}

/// Weighing brothers and sisters, whose fields agree but for one, is safe only where that one has to
/// agree: the forename, and the date of birth.
pub(super) fn protects_families(weighed: &[FieldTokens], fields: &[Field]) -> bool {
    let needs = |wanted: fn(Normaliser) -> bool| {
        weighed.iter().any(|tokens| tokens.needed.is_some() && wanted(fields[tokens.field].normaliser))
    };
    weighed.is_empty()
        || (needs(|field| field == Normaliser::Forename) && needs(|field| matches!(field, Normaliser::Date(_))))
}

/// Whether a text names feeds: `agency/feed`, or all of them.
pub(super) fn names_a_feed(text: &str) -> bool {
    let is_pair = |(agency, feed)| AgencyCode::parse(agency).is_ok() && FeedCode::parse(feed).is_ok();
    text == "*" || text.split_once('/').is_some_and(is_pair)
}

#[cfg(test)]
mod tests {
    use crate::domain::match_keys::{MatchKeys, MatchKeysProblem};

    const FILE: &str = "version = 1\nnorm = 1\n[fields]\nforename = \"forename\"\nsurname = \"surname\"\n\
        dob = \"date:iso\"\nnhs = \"nhs\"\nsex = \"free-address\"\n[[keys]]\nname = 'nhs'\ncomponents = ['nhs']\n\
        tier = 'link'\n";
    const SAFE: &str = "[[field_tokens]]\nfield='forename'\nlevels=['exact','prefix-3','initial']\nneeded='prefix-3'\n\
        [[field_tokens]]\nfield='dob'\nlevels=['exact','year']\nneeded='exact'\n";

    #[test]
    fn weighed_fields_are_read_with_a_token_type_for_each_level() {
        let keys = MatchKeys::parse(&format!("{FILE}[weighing]\nrepeats=['housing/rents']\n{SAFE}")).expect("good");
        let names: Vec<&str> = keys.field_levels().map(|(_, level)| level.name.as_str()).collect();
        assert_eq!(names, ["forename_exact", "forename_prefix-3", "forename_initial", "dob_exact", "dob_year"]);
        assert_eq!(keys.field_tokens()[0].needed, Some(2));
        assert_eq!(keys.token_types().count(), 1 + names.len());
        let of = |agency: &str, feed: &str| {
            keys.may_repeat(&agency.parse().expect("a code"), &feed.parse().expect("a code"))
        };
        assert!(of("housing", "rents") && !of("housing", "tenancies") && !of("education", "rents"));
    }

    #[test]
    fn what_could_link_brothers_or_makes_no_sense_is_refused() {
        let of = |more: &str| MatchKeys::parse(&format!("{FILE}{more}")).map_err(|error| error.reason);
        assert!(of(SAFE).is_ok());
        let forename_alone = SAFE.split("[[").nth(1).expect("the first");
        let cases = [
            (format!("[[{forename_alone}"), MatchKeysProblem::WeighsFamilies),
            (SAFE.replace("\nneeded='prefix-3'", ""), MatchKeysProblem::WeighsFamilies),
            (SAFE.replace("needed='exact'", "needed='month-day'"), MatchKeysProblem::Levels),
            (SAFE.replace("'exact','year'", "'exact','exact'"), MatchKeysProblem::Levels),
            (SAFE.replace("'exact','year'", ""), MatchKeysProblem::Levels),
            (SAFE.replace("'initial'", "'sector'"), MatchKeysProblem::Derivation),
            (SAFE.replace("'dob'", "'height'"), MatchKeysProblem::UnknownField),
            (SAFE.replace("'dob'", "'sex'"), MatchKeysProblem::Sex),
            (format!("{SAFE}{SAFE}"), MatchKeysProblem::Duplicate),
            (format!("{SAFE}[weighing]\nrepeats=['housing']\n"), MatchKeysProblem::Repeats),
        ];
        for (text, reason) in cases {
            assert_eq!(of(&text).expect_err("refused"), reason, "{text}");
        }
    }
}
