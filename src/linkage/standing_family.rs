//! Persons who may stand as one family, over months and across agencies.
//!
//! The minimal rule of [`super::household`] answers one question and is forgotten. A family that gets
//! a number and a history asks for more, since an address is evidence and not identity: registers are
//! late, tenants change, and a wrong address would put two strangers into one file. So persons whom
//! different agencies know are put together only where their living at the address rests on two feeds,
//! or on one that the programme declares authoritative for addresses. Persons whom one agency alone
//! knows it may put together by itself.
//!
//! Everything else is as in the minimal rule: a household has a child (born or not, or to 25 with
//! special educational needs), at most [`LARGEST_FAMILY`](super::household::LARGEST_FAMILY) people,
//! and two households stay two, whoever lives in both. A larger one is *quarantined*: a hostel, a
//! refuge, a caravan park, or an address that fills in for a missing one.

use std::collections::BTreeSet;

use super::household::{Household, Resident, Standing, households};
use super::record::HouseholdToken;
use crate::domain::ids::{AgencyCode, FeedCode};
use crate::domain::record::Role;

/// A feed, by whose it is.
pub type FeedName = (AgencyCode, FeedCode);

/// One person (a cluster of records), with who says where they live.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dweller {
    resident: Resident,
    /// By record: whose it is and the current addresses that it gives.
    places: Vec<(FeedName, Vec<HouseholdToken>)>,
}

impl Dweller {
    /// Adds what one of the person's records says. A record without a current address still tells
    /// that its agency knows the person.
    #[must_use]
    pub fn with_record(mut self, feed: FeedName, role: Role, is_young_person: bool, homes: &[HouseholdToken]) -> Self {
        self.resident = self.resident.with_record(role, homes).with_young_person(is_young_person);
        self.places.push((feed, homes.to_vec()));
        self
    }

    fn agencies(&self) -> impl Iterator<Item = &AgencyCode> {
        self.places.iter().map(|((agency, _), _)| agency)
    }

    fn feeds_at(&self, household: &Household) -> impl Iterator<Item = &FeedName> {
        let lives_there = |homes: &[HouseholdToken]| homes.iter().any(|home| household.tokens.contains(home));
        self.places.iter().filter(move |(_, homes)| lives_there(homes)).map(|(feed, _)| feed)
    }
}

/// What became of the households of some people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standings {
    /// Families: positions of people, ascending; in the order of their households.
    pub families: Vec<Vec<usize>>,
    /// Households with more people than a family has, for somebody to look at; never families.
    pub quarantined: Vec<Household>,
}

/// The standing families of some people.
pub fn standing_families(dwellers: &[Dweller], is_authoritative: impl Fn(&FeedName) -> bool) -> Standings {
    let residents: Vec<Resident> = dwellers.iter().map(|dweller| dweller.resident.clone()).collect();
    let mut standings = Standings::default();
    for household in households(&residents) {
        match household.standing {
            Standing::TooLarge => standings.quarantined.push(household),
            Standing::NoChild => {}
            Standing::Family => {
                let together = joined(dwellers, &household, &is_authoritative);
                let has_child = |members: &Vec<usize>| members.iter().any(|&one| residents[one].is_child_or_unborn());
                standings.families.extend(together.into_iter().filter(has_child));
            }
        }
    }
    standings
}

/// The people of one household in groups whose evidence holds together.
fn joined(
    dwellers: &[Dweller],
    household: &Household,
    is_authoritative: &impl Fn(&FeedName) -> bool,
) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for &person in &household.members {
        let (near, mut apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group: &Vec<usize>| {
            group.iter().any(|&other| may_join(&dwellers[person], &dwellers[other], household, is_authoritative))
        });
        let mut group: Vec<usize> = near.into_iter().flatten().chain([person]).collect();
        group.sort_unstable();
        apart.push(group);
        groups = apart;
    }
    groups.sort_unstable();
    groups
}

/// Whether two people of one household may stand as one family.
fn may_join(a: &Dweller, b: &Dweller, household: &Household, is_authoritative: impl Fn(&FeedName) -> bool) -> bool {
    let agencies: BTreeSet<&AgencyCode> = a.agencies().chain(b.agencies()).collect();
    let feeds: BTreeSet<&FeedName> = a.feeds_at(household).chain(b.feeds_at(household)).collect();
    agencies.len() == 1 || feeds.len() >= 2 || feeds.iter().any(|feed| is_authoritative(feed))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linkage::household::LARGEST_FAMILY;
    use crate::linkage::people::home;

    const REGISTER: &str = "register";

    fn feed(name: &str) -> FeedName {
        let (agency, feed) = name.split_once('/').unwrap_or((name, "main"));
        (AgencyCode::parse(agency).expect("a code"), FeedCode::parse(feed).expect("a code"))
    }

    fn is_authoritative(feed: &FeedName) -> bool {
        feed.0.as_str() == REGISTER
    }

    /// A person of whom each feed gives an address, or none.
    fn person(role: Role, places: &[(&str, &str)]) -> Dweller {
        places.iter().fold(Dweller::default(), |dweller, (name, address)| {
            let homes: Vec<HouseholdToken> = if address.is_empty() { vec![] } else { vec![home(1, address)] };
            dweller.with_record(feed(name), role, false, &homes)
        })
    }
    fn child(places: &[(&str, &str)]) -> Dweller {
        person(Role::Child, places)
    }
    fn adult(places: &[(&str, &str)]) -> Dweller {
        person(Role::Adult, places)
    }

    fn families(people: &[Dweller]) -> Vec<Vec<usize>> {
        standing_families(people, is_authoritative).families
    }

    #[test]
    fn one_agency_may_put_together_those_whom_it_alone_knows() {
        assert_eq!(families(&[child(&[("school", "flat")]), adult(&[("school", "flat")])]), [[0, 1]]);
    }

    #[test]
    fn across_agencies_one_feed_s_address_is_not_enough_and_two_are() {
        let known_to_police = adult(&[("school", "flat"), ("police", "")]);
        let pupil = child(&[("school", "flat")]);
        assert_eq!(families(&[pupil.clone(), known_to_police]), [[0]], "the parent stands alone");

        let seen_there_twice = adult(&[("school", "flat"), ("police", "flat")]);
        assert_eq!(families(&[pupil.clone(), seen_there_twice]), [[0, 1]]);
        let two_feeds_of_one_agency = adult(&[("school", "flat"), ("school/welfare", "flat"), ("police", "")]);
        assert_eq!(families(&[pupil, two_feeds_of_one_agency]), [[0, 1]]);
    }

    #[test]
    fn one_authoritative_feed_is_enough() {
        let tenants = [child(&[(REGISTER, "flat"), ("school", "")]), adult(&[(REGISTER, "flat"), ("police", "")])];
        assert_eq!(families(&tenants), [[0, 1]]);
    }

    #[test]
    fn what_one_feed_leaves_open_another_member_can_settle() {
        let people = [
            child(&[("school", "flat"), ("care", "flat")]),
            adult(&[("care", "flat"), ("police", "")]),
            child(&[("school", "flat"), ("police", "")]),
        ];
        assert_eq!(families(&people), [[0, 1, 2]]);
    }

    #[test]
    fn two_households_are_never_joined_through_a_person_in_both() {
        let people = [
            child(&[("school", "mother's"), ("care", "father's")]),
            adult(&[("school", "mother's"), (REGISTER, "mother's")]),
            adult(&[("care", "father's"), (REGISTER, "father's")]),
        ];
        let mut found = families(&people);
        found.sort();
        assert_eq!(found, [[0, 1], [0, 2]]);
    }

    #[test]
    fn adults_alone_are_no_family_and_a_hostel_is_quarantined() {
        assert_eq!(families(&[adult(&[("police", "flat")]), adult(&[("school", "flat")])]), [[0_usize; 0]; 0]);
        let mut hostel: Vec<Dweller> = (0..LARGEST_FAMILY).map(|_| adult(&[(REGISTER, "hostel")])).collect();
        hostel.push(child(&[("school", "hostel")]));
        let standings = standing_families(&hostel, is_authoritative);
        assert_eq!((standings.families.len(), standings.quarantined.len()), (0, 1));
        assert_eq!(standings.quarantined[0].members.len(), LARGEST_FAMILY + 1);
    }

    #[test]
    fn the_unborn_and_young_adults_with_send_make_a_family() {
        let expecting = [adult(&[("care", "flat")]), person(Role::Unborn, &[("care", "flat")])];
        assert_eq!(families(&expecting), [[0, 1]]);
        let young = Dweller::default().with_record(feed("care"), Role::Adult, true, &[home(1, "flat")]);
        assert_eq!(families(&[adult(&[("care", "flat")]), young]), [[0, 1]]);
    }

    fn town() -> impl Strategy<Value = Vec<Dweller>> {
        let role = prop_oneof![Just(Role::Child), Just(Role::Adult), Just(Role::Unknown)];
        let place = (prop_oneof![Just("school"), Just("care"), Just(REGISTER)], 0_u8..4);
        let someone = (role, proptest::collection::vec(place, 1..4)).prop_map(|(role, places)| {
            places.iter().fold(Dweller::default(), |dweller, (name, address)| {
                let homes = if *address == 0 { vec![] } else { vec![home(1, &address.to_string())] };
                dweller.with_record(feed(name), role, false, &homes)
            })
        });
        proptest::collection::vec(someone, 0..20)
    }

    proptest! {
        #[test]
        fn a_standing_family_lies_in_one_household_with_a_child_and_every_joint_has_its_evidence(town in town()) {
            for family in families(&town) {
                prop_assert!(family.len() <= LARGEST_FAMILY && family.is_sorted());
                prop_assert!(family.iter().any(|&one| town[one].resident.is_child_or_unborn()));
                let at = |address: u8| home(1, &address.to_string());
                let lives = |one: usize, address| town[one].places.iter().any(|(_, homes)| homes.contains(&at(address)));
                let addresses: Vec<u8> = (1..4).filter(|&a| family.iter().all(|&one| lives(one, a))).collect();
                prop_assert!(!addresses.is_empty());
                if family.len() > 1 {
                    let whole = addresses.iter().any(|&address| {
                        let feeds: BTreeSet<&FeedName> = family.iter().flat_map(|&one| &town[one].places)
                            .filter(|(_, homes)| homes.contains(&at(address))).map(|(feed, _)| feed).collect();
                        let agencies: BTreeSet<&AgencyCode> = family.iter().flat_map(|&one| town[one].agencies()).collect();
                        agencies.len() == 1 || feeds.len() >= 2 || feeds.iter().any(|feed| is_authoritative(feed))
                    });
                    prop_assert!(whole);
                }
            }
        }
    }
}
