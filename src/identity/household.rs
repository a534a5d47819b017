//! Households: values that say where somebody lives now, and never who they are.

use super::match_keys::Derived;
use crate::domain::match_keys::{MatchKeys, Tier};

impl Derived {
    /// The values that stand for the person, as in [`Derived::values`].
    pub fn person_values<'a>(&'a self, keys: &'a MatchKeys) -> impl Iterator<Item = (usize, &'a [u8])> {
        self.values().filter(|(key, _)| keys.keys()[*key].tier != Tier::Household)
    }

    /// The values that stand for the household, as in [`Derived::values`]: they travel apart from
    /// the person's.
    ///
    /// They are made from the current address alone. A previous address strengthens a link between
    /// two records of one person, but as a household it would join a family to the people who live
    /// in its old home. Leave these out for a restricted person, whose address must not be inferred.
    pub fn household_values<'a>(&'a self, keys: &'a MatchKeys) -> impl Iterator<Item = (usize, &'a [u8])> {
        self.values().filter(|(key, _)| keys.keys()[*key].tier == Tier::Household)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{RawFields, UK_MATCH_KEYS, derive};

    #[test]
    fn a_value_is_the_person_s_or_the_household_s() {
        let keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
        let mut raw = RawFields::new();
        for (field, text) in [("nhs", "9990000018"), ("uprn", "10012345"), ("uprn", "10099999")] {
            raw.push(&keys, field, text);
        }
        let derived = derive(&keys, &raw, jiff::civil::date(2026, 9, 20));
        assert_eq!(derived.person_values(&keys).map(|(_, value)| value).collect::<Vec<_>>(), [b"9990000018"]);
        assert_eq!(derived.household_values(&keys).map(|(_, value)| value).collect::<Vec<_>>(), [b"000010012345"]);
    }
}
