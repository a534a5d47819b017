//! Households: tokens that say where somebody lives now, and never who they are.

use crate::domain::match_keys::{MatchKey, Tier};

/// Whether a key's tokens go under `household` in a record, apart from the person's tokens.
///
/// A household value is made from the current address alone. Previous addresses strengthen a link
/// between two records of one person, but as household tokens they would join a family to the
/// people who live in its old home.
pub fn is_household(key: &MatchKey) -> bool {
    key.tier == Tier::Household
}
