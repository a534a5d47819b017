//! Puts people into homes and says what is true of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::calendar::{Calendar, before};
use super::names::{forename, surname};
use super::numbers::Numbers;
use super::people::{Fact, Family, FamilyId, FamilyKind, Person, PersonId};
use super::places::{HomeId, Places};
use super::random::Random;
use crate::domain::record::{Coverage, ParentalResponsibility, Role};

/// The population while it is made.
pub(super) struct Builder {
    pub(super) calendar: Calendar,
    pub(super) random: Random,
    pub(super) numbers: Numbers,
    pub(super) places: Places,
    pub(super) people: Vec<Person>,
    pub(super) families: Vec<Family>,
    pub(super) facts: Vec<Fact>,
    /// Agencies that have another address for a person than where they live.
    pub(super) addresses: BTreeMap<(PersonId, &'static str), HomeId>,
    /// Agencies that no longer see a person.
    pub(super) coverage: BTreeMap<(PersonId, &'static str), Coverage>,
    /// Agencies that shield a person.
    pub(super) shields: BTreeMap<PersonId, BTreeSet<&'static str>>,
    /// Agencies that have a record of a person whatever their coverage.
    pub(super) known_to: BTreeSet<(PersonId, &'static str)>,
    /// Agencies that have none, whatever their coverage.
    pub(super) unknown_to: BTreeSet<(PersonId, &'static str)>,
}

impl Builder {
    pub(super) fn new(calendar: Calendar, seed: u64) -> Self {
        Self {
            calendar,
            random: Random::stream(seed, "people"),
            numbers: Numbers::new(seed),
            places: Places::new(seed),
            people: Vec::new(),
            families: Vec::new(),
            facts: Vec::new(),
            addresses: BTreeMap::new(),
            coverage: BTreeMap::new(),
            shields: BTreeMap::new(),
            known_to: BTreeSet::new(),
            unknown_to: BTreeSet::new(),
        }
    }

    /// A household of so many adults, and children of these ages.
    ///
    /// The first two adults have parental responsibility if there are children; a third is a
    /// grandparent or a lodger and has none. The subject is the first child, else the first adult.
    pub(super) fn household(&mut self, kind: FamilyKind, adults: usize, ages: &[i16]) -> FamilyId {
        let home = self.places.home(&mut self.numbers);
        let has_moved = self.random.chance(3_500);
        let former = if has_moved { Some(self.places.home(&mut self.numbers)) } else { None };
        let mothers_name = surname(&mut self.random);
        let other_name = if self.random.chance(6_000) { mothers_name.clone() } else { surname(&mut self.random) };
        let eldest = ages.iter().copied().max();
        let mut members = Vec::new();
        for place in 0..adults {
            let is_female = if place == 0 { self.random.chance(8_500) } else { self.random.chance(2_500) };
            let age = match eldest {
                Some(eldest) if place < 2 => (eldest + self.random.between(18, 30) as i16).min(59),
                _ => self.random.between(20, 59) as i16,
            };
            let name = if place == 0 { &mothers_name } else { &other_name }.clone();
            let person = self.person(Role::Adult, is_female, age, name, home, former);
            if ages.is_empty() || place >= 2 {
                self.people[person.0].parental_responsibility = ParentalResponsibility::No;
            }
            if is_female && place == 0 && self.random.chance(2_500) {
                let former_name = surname(&mut self.random);
                self.people[person.0].former_surname = Some(former_name);
            }
            members.push(person);
        }
        for age in ages {
            let is_female = self.random.chance(5_000);
            let takes_other = adults > 1 && self.random.chance(4_000);
            let name = if takes_other { &other_name } else { &mothers_name }.clone();
            members.push(self.person(Role::Child, is_female, *age, name, home, former));
        }
        let subject = *members.get(adults).unwrap_or(&members[0]);
        self.families.push(Family { kind, home, members, areas: BTreeSet::new(), subject });
        FamilyId(self.families.len() - 1)
    }

    fn person(
        &mut self,
        role: Role,
        is_female: bool,
        age: i16,
        surname: String,
        home: HomeId,
        former_home: Option<HomeId>,
    ) -> PersonId {
        let born = self.birthday(age);
        let is_adult = role == Role::Adult;
        let pupil = !is_adult && age >= 4;
        let person = Person {
            forename: forename(&mut self.random, is_female),
            surname,
            former_surname: None,
            is_female,
            born,
            nhs: Some(self.numbers.nhs()),
            upn: if pupil { Some(self.numbers.upn(born.year())) } else { None },
            nino: if age >= 16 { Some(self.numbers.nino()) } else { None },
            role,
            parental_responsibility: match role {
                Role::Adult => ParentalResponsibility::Yes,
                _ => ParentalResponsibility::Unknown,
            },
            home,
            former_home,
        };
        self.people.push(person);
        PersonId(self.people.len() - 1)
    }

    /// A day on which somebody of this age may have been born; never 1 January, which stands for a
    /// year whose day is not known.
    pub(super) fn birthday(&mut self, age: i16) -> Date {
        loop {
            let born = before(self.calendar.today.saturating_sub(i64::from(age).years()), self.random.between(0, 364));
            if (born.month(), born.day()) != (1, 1) {
                return born;
            }
        }
    }

    /// The family meets this criterion through this person.
    pub(super) fn meets(&mut self, family: FamilyId, person: PersonId, criterion: &'static str) {
        let fact = self.calendar.met(person, criterion, &mut self.random);
        self.families[family.0].areas.insert(fact.area);
        self.facts.push(fact);
    }

    /// Whether any fact of the criterion is told of the person.
    pub(super) fn has_fact(&self, person: PersonId, criterion: &str) -> bool {
        self.facts.iter().rev().take(24).any(|fact| fact.person == person && fact.criterion == criterion)
    }

    /// The members who satisfy a condition.
    pub(super) fn members(&self, family: FamilyId, which: impl Fn(&Person) -> bool) -> Vec<PersonId> {
        self.families[family.0].members.iter().copied().filter(|member| which(&self.people[member.0])).collect()
    }

    pub(super) fn shield(&mut self, person: PersonId, agency: &'static str) {
        self.shields.entry(person).or_default().insert(agency);
        self.known_to.insert((person, agency));
    }
}
