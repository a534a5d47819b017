//! Persons who are one family, by the minimal rule.
//!
//! A family is everybody who shares one current household token, if at least one of them is a
//! child (born or not, or to 25 with special educational needs) and they are at most [`LARGEST_FAMILY`]. A hostel, a refuge or a caravan park
//! under one address is larger, and is no family. A child with two homes is in two families, and
//! these stay two: one parent's circumstances must never answer for the other's.

use std::collections::{BTreeMap, BTreeSet};

use super::record::HouseholdToken;
use crate::domain::record::Role;

/// The most people who are believed to be one family.
pub const LARGEST_FAMILY: usize = 12;

/// One person (a cluster of records) as the family rule sees them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resident {
    /// The roles that the person's records give; agencies may differ.
    pub roles: BTreeSet<Role>,
    /// A record says that the person is 18 to 25 with special educational needs: a young person, who
    /// makes a household a family as a child does.
    pub is_young_person: bool,
    /// The current addresses, record by record: one record's tokens of two epochs are how a
    /// rotation of keys is bridged.
    pub homes: Vec<Vec<HouseholdToken>>,
}

impl Resident {
    /// Adds what one of the person's records says. A record that the agency closed, or whose person
    /// moved or died, has no current address: pass none.
    #[must_use]
    pub fn with_record(mut self, role: Role, homes: &[HouseholdToken]) -> Self {
        self.roles.insert(role);
        self.homes.push(homes.to_vec());
        self
    }

    /// As it is, with what a record says of special educational needs at 18 to 25.
    #[must_use]
    pub fn with_young_person(mut self, is_young_person: bool) -> Self {
        self.is_young_person |= is_young_person;
        self
    }

    /// Whether a household with this person is one with a child: born or not, or to 25 with special
    /// educational needs.
    pub fn is_child_or_unborn(&self) -> bool {
        self.is_young_person || self.roles.contains(&Role::Child) || self.roles.contains(&Role::Unborn)
    }
}

/// Whether a household is a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// A family by the minimal rule.
    Family,
    /// More people than a family has: a hostel, a refuge, a shared house.
    TooLarge,
    /// Nobody is known to be a child or unborn.
    NoChild,
}

/// Everybody at one current address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Household {
    /// The tokens of the address, sorted: one, or one for each epoch of a rotation.
    pub tokens: Vec<HouseholdToken>,
    /// Positions in the list of residents, ascending.
    pub members: Vec<usize>,
    /// Whether they are a family.
    pub standing: Standing,
}

/// Every household, ordered by its smallest token.
pub fn households(residents: &[Resident]) -> Vec<Household> {
    let names = one_name_per_address(residents);
    let mut found: BTreeMap<HouseholdToken, (BTreeSet<HouseholdToken>, BTreeSet<usize>)> = BTreeMap::new();
    for (person, resident) in residents.iter().enumerate() {
        for token in resident.homes.iter().flatten() {
            let (tokens, members) = found.entry(*names.get(token).unwrap_or(token)).or_default();
            tokens.insert(*token);
            members.insert(person);
        }
    }
    let household = |(tokens, members): (BTreeSet<_>, BTreeSet<usize>)| Household {
        standing: standing(residents, &members),
        tokens: tokens.into_iter().collect(),
        members: members.into_iter().collect(),
    };
    found.into_values().map(household).collect()
}

fn standing(residents: &[Resident], members: &BTreeSet<usize>) -> Standing {
    if members.len() > LARGEST_FAMILY {
        Standing::TooLarge
    } else if members.iter().any(|&member| residents[member].is_child_or_unborn()) {
        Standing::Family
    } else {
        Standing::NoChild
    }
}

/// For each token, the token that names its address.
///
/// While keys rotate, one address has a token in each of two epochs. A record with exactly one
/// token in each of exactly two epochs says that they are one address. That is believed only when
/// no record pairs either token with another: a wrong pair would join two households.
fn one_name_per_address(residents: &[Resident]) -> BTreeMap<HouseholdToken, HouseholdToken> {
    let mut partners: BTreeMap<HouseholdToken, BTreeSet<HouseholdToken>> = BTreeMap::new();
    for homes in residents.iter().flat_map(|resident| &resident.homes) {
        let distinct: BTreeSet<HouseholdToken> = homes.iter().copied().collect();
        let mut tokens = distinct.into_iter();
        if let (Some(a), Some(b), None) = (tokens.next(), tokens.next(), tokens.next())
            && a.epoch != b.epoch
        {
            partners.entry(a).or_default().insert(b);
            partners.entry(b).or_default().insert(a);
        }
    }
    let only_partner = |token: &HouseholdToken| match partners.get(token)?.iter().collect::<Vec<_>>()[..] {
        [partner] => Some(*partner),
        _ => None,
    };
    let mutual = |token: &HouseholdToken| only_partner(token).filter(|partner| only_partner(partner) == Some(*token));
    partners.keys().filter_map(|token| mutual(token).map(|partner| (*token, partner.min(*token)))).collect()
}

/// For whom a person is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweredFor {
    /// For the family of this household, by its position.
    Family(usize),
    /// For the person alone.
    Alone(Alone),
}

/// Why a person is answered for alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alone {
    /// No agency gave a current address.
    NoHousehold,
    /// Every household of the person is too large or has no child.
    NoFamily,
    /// The person is in several families, and the enquiry's address picks none or more than one.
    SeveralFamilies,
}

/// The family for which a person is answered.
///
/// In one family, that family. In several, the one whose household token the enquiry carries;
/// otherwise the person alone. Families with the same people are one family: whichever address
/// found them, the answer is theirs.
pub fn family_of(person: usize, carried: &[HouseholdToken], households: &[Household]) -> AnsweredFor {
    let mut homes = 0;
    let mut families: BTreeMap<&[usize], (usize, bool)> = BTreeMap::new();
    for (position, household) in households.iter().enumerate() {
        if household.members.binary_search(&person).is_ok() {
            homes += 1;
            if household.standing == Standing::Family {
                let is_carried = household.tokens.iter().any(|token| carried.contains(token));
                let family = families.entry(&household.members).or_insert((position, false));
                family.1 |= is_carried;
            }
        }
    }
    let chosen: Vec<usize> = match families.len() {
        0 if homes == 0 => return AnsweredFor::Alone(Alone::NoHousehold),
        0 => return AnsweredFor::Alone(Alone::NoFamily),
        1 => families.values().map(|family| family.0).collect(),
        _ => families.values().filter(|family| family.1).map(|family| family.0).collect(),
    };
    match chosen[..] {
        [family] => AnsweredFor::Family(family),
        _ => AnsweredFor::Alone(Alone::SeveralFamilies),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linkage::people::home;

    fn resident(role: Role, homes: &[&str]) -> Resident {
        let homes: Vec<HouseholdToken> = homes.iter().map(|value| home(1, value)).collect();
        Resident::default().with_record(role, &homes)
    }

    fn child(homes: &[&str]) -> Resident {
        resident(Role::Child, homes)
    }

    fn adult(homes: &[&str]) -> Resident {
        resident(Role::Adult, homes)
    }

    /// The members of the family for which a person is answered.
    fn family(residents: &[Resident], person: usize, carried: &[&str]) -> Result<Vec<usize>, Alone> {
        let carried: Vec<HouseholdToken> = carried.iter().map(|value| home(1, value)).collect();
        let households = households(residents);
        match family_of(person, &carried, &households) {
            AnsweredFor::Family(family) => Ok(households[family].members.clone()),
            AnsweredFor::Alone(why) => Err(why),
        }
    }

    #[test]
    fn a_child_in_two_homes_belongs_to_two_families_that_stay_two() {
        let people = [child(&["mother's", "father's"]), adult(&["mother's"]), adult(&["father's"])];

        assert_eq!(family(&people, 1, &[]), Ok(vec![0, 1]));
        assert_eq!(family(&people, 2, &[]), Ok(vec![0, 2]));
        assert_eq!(family(&people, 0, &["father's"]), Ok(vec![0, 2]));
        for unclear in [&[][..], &["elsewhere"], &["mother's", "father's"]] {
            assert_eq!(family(&people, 0, unclear), Err(Alone::SeveralFamilies));
        }
    }

    #[test]
    fn forty_people_in_a_hostel_are_no_family() {
        let mut people: Vec<Resident> = (0..38).map(|_| adult(&["hostel"])).collect();
        people.extend([child(&["hostel"]), child(&["hostel", "mother's"]), adult(&["mother's"])]);

        assert_eq!(households(&people).iter().filter(|home| home.standing == Standing::TooLarge).count(), 1);
        assert_eq!(family(&people, 0, &["hostel"]), Err(Alone::NoFamily));
        assert_eq!(family(&people, 39, &["hostel"]), Ok(vec![39, 40]));
    }

    #[test]
    fn twelve_are_a_family_and_thirteen_are_not() {
        let mut people: Vec<Resident> = (0..11).map(|_| adult(&["farm"])).collect();
        people.push(child(&["farm"]));
        assert_eq!(family(&people, 0, &[]).map(|members| members.len()), Ok(12));
        people.push(adult(&["farm"]));
        assert_eq!(family(&people, 0, &[]), Err(Alone::NoFamily));
    }

    #[test]
    fn a_couple_is_a_family_from_before_the_birth_and_not_without_a_child() {
        let couple = [adult(&["flat"]), resident(Role::Unknown, &["flat"])];
        assert_eq!(family(&couple, 0, &["flat"]), Err(Alone::NoFamily));
        let expecting = [adult(&["flat"]), resident(Role::Unborn, &["flat"])];
        assert_eq!(family(&expecting, 0, &[]), Ok(vec![0, 1]));
        assert_eq!(family(&[child(&[])], 0, &["flat"]), Err(Alone::NoHousehold));
    }

    #[test]
    fn a_young_adult_with_send_makes_a_family_and_another_young_adult_does_not() {
        let couple = |is_young| [adult(&["flat"]), adult(&["flat"]).with_young_person(is_young)];
        assert_eq!(family(&couple(true), 0, &[]), Ok(vec![0, 1]));
        assert_eq!(family(&couple(false), 0, &[]), Err(Alone::NoFamily));
    }

    #[test]
    fn one_agency_that_says_child_is_enough() {
        let at_college = Resident::default()
            .with_record(Role::Adult, &[home(1, "terrace")])
            .with_record(Role::Child, &[home(1, "terrace")]);
        assert_eq!(family(&[at_college, adult(&["terrace"])], 1, &[]), Ok(vec![0, 1]));
    }

    #[test]
    fn a_family_known_under_two_addresses_is_still_one() {
        let people = [child(&["old", "new"]), adult(&["old", "new"])];
        assert_eq!(family(&people, 0, &[]), Ok(vec![0, 1]));
    }

    #[test]
    fn a_key_rotation_splits_no_family_and_joins_no_two() {
        let with = |role, homes: &[HouseholdToken]| Resident::default().with_record(role, homes);
        let bridged = [
            with(Role::Child, &[home(1, "mother's")]),
            with(Role::Adult, &[home(1, "mother's"), home(2, "mother's")]),
            with(Role::Child, &[home(2, "mother's")]),
        ];
        assert_eq!(households(&bridged).len(), 1);
        assert_eq!(family(&bridged, 0, &[]), Ok(vec![0, 1, 2]));

        // A second record pairs the new token with another old one: neither pair is believed.
        let mut contradicted = bridged.to_vec();
        contradicted.push(with(Role::Adult, &[home(1, "father's"), home(2, "mother's")]));
        let found = households(&contradicted);
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|household| household.tokens.len() == 1));
    }

    fn town() -> impl Strategy<Value = Vec<Resident>> {
        let role = prop_oneof![Just(Role::Child), Just(Role::Adult), Just(Role::Unknown), Just(Role::Unborn)];
        let homes = proptest::collection::vec((0_u32..2, 0_u8..5), 0..4);
        let person = (role, homes).prop_map(|(role, homes)| {
            let homes: Vec<_> = homes.iter().map(|(epoch, value)| home(*epoch, &value.to_string())).collect();
            Resident::default().with_record(role, &homes)
        });
        proptest::collection::vec(person, 0..30)
    }

    proptest! {
        #[test]
        fn two_addresses_of_one_epoch_are_never_one_household(town in town()) {
            for household in households(&town) {
                let epochs: BTreeSet<u32> = household.tokens.iter().map(|token| token.epoch).collect();
                prop_assert_eq!(epochs.len(), household.tokens.len());
            }
        }

        #[test]
        fn everybody_in_a_family_lives_at_its_address_and_one_is_a_child(town in town(), carried in 0_u8..5) {
            let households = households(&town);
            for person in 0..town.len() {
                let AnsweredFor::Family(family) = family_of(person, &[home(1, &carried.to_string())], &households)
                else { continue };
                let family = &households[family];
                prop_assert!(family.members.contains(&person));
                prop_assert!(family.members.len() <= LARGEST_FAMILY);
                prop_assert!(family.members.iter().any(|&member| town[member].is_child_or_unborn()));
                for &member in &family.members {
                    prop_assert!(town[member].homes.iter().flatten().any(|token| family.tokens.contains(token)));
                }
            }
        }
    }
}
