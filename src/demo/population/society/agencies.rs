//! What each of six agencies knows of the people, and what it gets wrong.

use jiff::ToSpan as _;

use super::super::names::mistyped;
use super::super::places::{HomeId, neighbouring};
use super::super::random::Random;
use super::people::{Addresses, Person, Society};
use crate::domain::record::Role;

/// An agency: whom it knows, which fields it keeps, how often each is wrong, all in ten thousand.
#[derive(Debug, Clone, Copy)]
pub struct Agency {
    /// What it is called.
    pub name: &'static str,
    infants: u32,
    pupils: u32,
    adults: u32,
    nhs: u32,
    upn: u32,
    nino: u32,
    uprn: u32,
    uprn_matched: u32,
    postcode: u32,
    wrong_number: u32,
    forename_mistyped: u32,
    surname_mistyped: u32,
    other_form: u32,
    old_surname: u32,
    knows_old_surname: u32,
    date_wrong: u32,
    old_address: u32,
    knows_old_address: u32,
    neighbouring_postcode: u32,
    twice: u32,
}

/// Six agencies of a district.
pub const AGENCIES: [Agency; 6] = [
    Agency {
        name: "education",
        infants: 500,
        pupils: 9_700,
        adults: 0,
        nhs: 0,
        upn: 9_900,
        nino: 0,
        uprn: 8_500,
        uprn_matched: 9_800,
        postcode: 9_800,
        wrong_number: 4,
        forename_mistyped: 60,
        surname_mistyped: 80,
        other_form: 1_500,
        old_surname: 150,
        knows_old_surname: 3_000,
        date_wrong: 20,
        old_address: 250,
        knows_old_address: 4_000,
        neighbouring_postcode: 60,
        twice: 20,
    },
    Agency {
        name: "childrens-social-care",
        infants: 1_500,
        pupils: 1_500,
        adults: 1_000,
        nhs: 7_000,
        upn: 5_000,
        nino: 1_000,
        uprn: 9_000,
        uprn_matched: 9_800,
        postcode: 9_500,
        wrong_number: 6,
        forename_mistyped: 120,
        surname_mistyped: 150,
        other_form: 2_000,
        old_surname: 250,
        knows_old_surname: 6_000,
        date_wrong: 40,
        old_address: 250,
        knows_old_address: 6_000,
        neighbouring_postcode: 100,
        twice: 80,
    },
    Agency {
        name: "health-visiting",
        infants: 9_500,
        pupils: 2_500,
        adults: 2_500,
        nhs: 9_700,
        upn: 0,
        nino: 0,
        uprn: 9_000,
        uprn_matched: 9_800,
        postcode: 9_900,
        wrong_number: 2,
        forename_mistyped: 60,
        surname_mistyped: 80,
        other_form: 1_200,
        old_surname: 200,
        knows_old_surname: 5_000,
        date_wrong: 15,
        old_address: 250,
        knows_old_address: 5_000,
        neighbouring_postcode: 50,
        twice: 10,
    },
    Agency {
        name: "housing",
        infants: 2_800,
        pupils: 2_800,
        adults: 3_500,
        nhs: 0,
        upn: 0,
        nino: 5_000,
        uprn: 9_800,
        uprn_matched: 9_980,
        postcode: 9_900,
        wrong_number: 5,
        forename_mistyped: 150,
        surname_mistyped: 150,
        other_form: 2_000,
        old_surname: 300,
        knows_old_surname: 2_500,
        date_wrong: 60,
        old_address: 150,
        knows_old_address: 3_000,
        neighbouring_postcode: 30,
        twice: 50,
    },
    Agency {
        name: "police",
        infants: 100,
        pupils: 700,
        adults: 1_500,
        nhs: 0,
        upn: 0,
        nino: 0,
        uprn: 6_000,
        uprn_matched: 9_000,
        postcode: 7_500,
        wrong_number: 0,
        forename_mistyped: 300,
        surname_mistyped: 300,
        other_form: 3_000,
        old_surname: 400,
        knows_old_surname: 4_000,
        date_wrong: 150,
        old_address: 500,
        knows_old_address: 4_000,
        neighbouring_postcode: 200,
        twice: 150,
    },
    Agency {
        name: "benefits",
        infants: 0,
        pupils: 0,
        adults: 3_000,
        nhs: 0,
        upn: 0,
        nino: 9_900,
        uprn: 8_000,
        uprn_matched: 9_800,
        postcode: 9_900,
        wrong_number: 3,
        forename_mistyped: 50,
        surname_mistyped: 60,
        other_form: 1_000,
        old_surname: 200,
        knows_old_surname: 6_000,
        date_wrong: 20,
        old_address: 250,
        knows_old_address: 6_000,
        neighbouring_postcode: 40,
        twice: 10,
    },
];

/// One agency's record of one person.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Of whom: the truth.
    pub person: usize,
    /// By which agency of [`AGENCIES`].
    pub agency: usize,
    /// Child or adult.
    pub role: Role,
    /// Fields and their texts, the current one first.
    pub texts: Vec<(&'static str, String)>,
    /// The surname is not the present one.
    pub has_old_surname: bool,
    /// No postcode is written down.
    pub lacks_postcode: bool,
    /// The identifiers that are written down.
    pub identifiers: Vec<&'static str>,
    /// Whether forename and surname are written in the form that is not the person's own.
    pub other_forms: [bool; 2],
}

impl Entry {
    /// Whether the two write the person's name in two forms.
    pub fn writes_otherwise(&self, other: &Self) -> bool {
        self.other_forms != other.other_forms
    }
}

/// Everything that the six write down.
pub fn entries(society: &Society, seed: u64) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (place, agency) in AGENCIES.iter().enumerate() {
        let mut random = Random::stream(seed, agency.name);
        for (number, person) in society.people.iter().enumerate() {
            let chance = match person.age() {
                0..=3 => agency.infants,
                4..=17 => agency.pupils,
                _ => agency.adults,
            };
            if random.chance(chance) {
                entries.push(agency.entry(place, number, person, society, &mut random));
                if random.chance(agency.twice) {
                    entries.push(agency.entry(place, number, person, society, &mut random));
                }
            }
        }
    }
    entries
}

impl Agency {
    fn entry(&self, place: usize, number: usize, person: &Person, society: &Society, random: &mut Random) -> Entry {
        let mut entry = Entry {
            person: number,
            agency: place,
            role: person.role,
            texts: Vec::new(),
            has_old_surname: false,
            lacks_postcode: true,
            identifiers: Vec::new(),
            other_forms: [false; 2],
        };
        self.names(person, &mut entry, random);
        entry.texts.push(("dob", self.date(person, random)));
        self.address(person, society, &mut entry, random);
        let numbers = [
            ("nhs", self.nhs, Some(&person.nhs)),
            ("upn", self.upn, person.upn.as_ref()),
            ("nino", self.nino, person.nino.as_ref()),
        ];
        for (field, held, own) in numbers {
            let Some(own) = own.filter(|_| random.chance(held)) else { continue };
            // The number of whoever stands next in the register, often a brother or sister.
            let neighbour = society.people.get(number + 1).filter(|_| random.chance(self.wrong_number));
            let wrong = neighbour.and_then(|other| match field {
                "nhs" => Some(&other.nhs),
                "upn" => other.upn.as_ref(),
                _ => other.nino.as_ref(),
            });
            entry.texts.push((field, wrong.unwrap_or(own).clone()));
            entry.identifiers.push(field);
        }
        entry
    }

    fn names(&self, person: &Person, entry: &mut Entry, random: &mut Random) {
        let form = |name: &super::people::Name, random: &mut Random| match &name.other {
            Some(other) if random.chance(self.other_form) => other.clone(),
            _ => name.own.clone(),
        };
        let mut forename = form(&person.forename, random);
        let mut surname = form(&person.surname, random);
        entry.other_forms = [forename != person.forename.own, surname != person.surname.own];
        let mut previous = None;
        if let Some(former) = &person.former_surname {
            if random.chance(self.old_surname * 4) {
                surname.clone_from(former);
                entry.has_old_surname = true;
            } else if random.chance(self.knows_old_surname) {
                previous = Some(former.clone());
            }
        }
        if random.chance(self.forename_mistyped) {
            forename = mistyped(&forename, random);
        }
        if random.chance(self.surname_mistyped) {
            surname = mistyped(&surname, random);
        }
        entry.texts.push(("forename", forename));
        entry.texts.push(("surname", surname));
        entry.texts.extend(previous.map(|previous| ("surname", previous)));
    }

    fn date(&self, person: &Person, random: &mut Random) -> String {
        let born = person.born;
        if !random.chance(self.date_wrong) {
            return born.to_string();
        }
        let swapped = jiff::civil::Date::new(born.year(), born.day(), born.month()).ok();
        let wrong = match random.below(3) {
            0 => swapped.filter(|date| *date <= super::people::TODAY),
            1 => born.checked_sub(1.day()).ok(),
            _ => born.checked_sub(1.year()).ok(),
        };
        wrong.unwrap_or(born).to_string()
    }

    fn address(&self, person: &Person, society: &Society, entry: &mut Entry, random: &mut Random) {
        let current = match person.second_home {
            Some(second) if random.chance(3_000) => second,
            _ => person.home,
        };
        let mut homes: Vec<HomeId> = vec![current];
        if let Some(former) = person.former_home {
            if random.chance(self.old_address) {
                homes = vec![former];
            } else if random.chance(self.knows_old_address) {
                homes.push(former);
            }
        }
        let uprn = match society.addresses {
            Addresses::Matched => self.uprn_matched,
            Addresses::AsHeld => self.uprn,
        };
        let (has_uprn, has_postcode) = (random.chance(uprn), random.chance(self.postcode));
        for home in homes {
            let home = &society.homes[home.0];
            if has_uprn {
                entry.texts.push(("uprn", home.uprn.clone()));
            }
            if has_postcode {
                let is_near = random.chance(self.neighbouring_postcode);
                let postcode = if is_near { neighbouring(&home.postcode, random) } else { home.postcode.clone() };
                entry.texts.push(("postcode", postcode));
                entry.lacks_postcode = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_agency_knows_its_own_people_in_its_own_way() {
        let society = Society::generate(3_000, 2, Addresses::Matched);
        let entries = entries(&society, 2);
        for (place, agency) in AGENCIES.iter().enumerate() {
            let own: Vec<&Entry> = entries.iter().filter(|entry| entry.agency == place).collect();
            assert!(own.len() > 100, "{} knows {}", agency.name, own.len());
        }
        let mut benefits = entries.iter().filter(|entry| entry.agency == 5);
        assert!(benefits.all(|entry| entry.role == Role::Adult));
        assert!(entries.iter().any(|entry| entry.has_old_surname) && entries.iter().any(|entry| entry.lacks_postcode));
    }
}
