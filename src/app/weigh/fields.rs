//! The weighed fields as the match keys declare them, and a record's tokens of them.

use std::collections::BTreeMap;

use crate::app::error::AppError;
use crate::app::policies::Policies;
use crate::domain::match_keys::{FieldTokens as DeclaredField, MatchKeys, Normaliser};
use crate::domain::profile::ProfileEvidence;
use crate::linkage::weigh::{Comparison, FieldToken, Role, Shape};

/// What is compared, as the match keys declare it.
pub(super) fn shape(match_keys: &MatchKeys) -> Result<Shape, AppError> {
    let comparison = |weighed: &DeclaredField| {
        let field = &match_keys.fields()[weighed.field];
        Comparison {
            name: field.name.clone(),
            levels: weighed.levels.iter().map(|level| level.label.clone()).collect(),
            role: role(field.normaliser),
            needed: weighed.needed,
        }
    };
    let shape = Shape::new(match_keys.field_tokens().iter().map(comparison).collect());
    let shape =
        shape.map_err(|_| AppError::Policy("the programme's match keys declare no weighed field".to_owned()))?;
    // A public test set of unrelated people has no twins to be told apart.
    Ok(if match_keys.is_for_a_test_set() { shape.without_kin() } else { shape })
}

fn role(normaliser: Normaliser) -> Role {
    match normaliser {
        Normaliser::Forename => Role::Forename,
        Normaliser::Surname => Role::Surname,
        Normaliser::Date(_) | Normaliser::ExpectedDate(_) => Role::Date,
        _ if normaliser.is_place() => Role::Place,
        _ => Role::Identifier,
    }
}

/// Field and level of each kind of field token.
pub(super) fn slots(policies: &Policies) -> BTreeMap<u16, (u8, u8)> {
    let mut slots = BTreeMap::new();
    for (field, weighed) in (0..).zip(policies.match_keys().field_tokens()) {
        for (level, declared) in (0..).zip(&weighed.levels) {
            slots.extend(policies.kind(&declared.name).map(|kind| (kind, (field, level))));
        }
    }
    slots
}

pub(super) fn field_tokens(
    evidence: &ProfileEvidence,
    slots: &BTreeMap<u16, (u8, u8)>,
    policies: &Policies,
) -> Vec<FieldToken> {
    if evidence.layers != policies.blinding().layers {
        return Vec::new(); // blinded as no token of today is: the agency has to submit again
    }
    let live = evidence.tokens.iter().filter(|token| policies.matches_in(token.epoch));
    live.filter_map(|token| {
        let &(comparison, level) = slots.get(&token.kind)?;
        Some(FieldToken { comparison, level, epoch: token.epoch, value: token.value })
    })
    .collect()
}
