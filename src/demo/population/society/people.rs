//! Persons, and the households that they form.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::super::names::{TWIN_NAMES, forename, surname};
use super::super::numbers::Numbers;
use super::super::places::{Home, HomeId, Places};
use super::super::random::Random;
use crate::domain::record::Role;

/// The day on which everybody is looked at.
pub const TODAY: Date = jiff::civil::date(2026, 9, 20);

/// Forenames that clerks write in two ways, for women and men.
const FORENAMES: [(&str, &str, bool); 20] = [
    ("Mohammed", "Muhammad", false),
    ("Yusuf", "Yousef", false),
    ("Oleksandr", "Aleksandr", false),
    ("Andrzej", "Andrew", false),
    ("Mihai", "Mihail", false),
    ("Tariq", "Tarek", false),
    ("Ibrahim", "Ebrahim", false),
    ("Piotr", "Peter", false),
    ("Omar", "Umar", false),
    ("Dmytro", "Dmitri", false),
    ("Fatima", "Fatimah", true),
    ("Aisha", "Ayesha", true),
    ("Kateryna", "Katerina", true),
    ("Zaynab", "Zainab", true),
    ("Agnieszka", "Agnes", true),
    ("Nadiya", "Nadia", true),
    ("Khadija", "Khadijah", true),
    ("Yevgeniya", "Evgenia", true),
    ("Maryam", "Mariam", true),
    ("Ioana", "Joana", true),
];
const BEGINNINGS: [&str; 18] = [
    "Ahmar", "Rahmur", "Hassal", "Karidd", "Siddar", "Chowdar", "Nowatk", "Kowalt", "Popesk", "Ionart", "Vasilt",
    "Okonj", "Adesol", "Mensur", "Abubar", "Haidur", "Zelensk", "Marchuv",
];
/// Two ways to write the end of a surname; the last is a double name of which one half may be left out.
const ENDINGS: [(&str, &str); 10] = [
    ("i", "y"),
    ("an", "aan"),
    ("owska", "owski"),
    ("escu", "esku"),
    ("enko", "enka"),
    ("een", "in"),
    ("ova", "ov"),
    ("oglu", "oghlu"),
    ("iye", "iyeh"),
    ("-Kaurim", ""),
];

/// A name that clerks write in two ways, or in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// As the person writes it.
    pub own: String,
    /// As some agencies write it.
    pub other: Option<String>,
}

/// An invented person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Forename.
    pub forename: Name,
    /// Surname.
    pub surname: Name,
    /// The surname before a marriage or its end.
    pub former_surname: Option<String>,
    /// Date of birth.
    pub born: Date,
    /// NHS number.
    pub nhs: String,
    /// Pupil number, of those of school age.
    pub upn: Option<String>,
    /// National Insurance number, from 16.
    pub nino: Option<String>,
    /// Child or adult.
    pub role: Role,
    /// Where the person lives.
    pub home: HomeId,
    /// Where a child of two homes lives too.
    pub second_home: Option<HomeId>,
    /// Where the person lived until a few years ago.
    pub former_home: Option<HomeId>,
}

impl Person {
    /// Full years.
    pub fn age(&self) -> i16 {
        let had_birthday = (TODAY.month(), TODAY.day()) >= (self.born.month(), self.born.day());
        TODAY.year() - self.born.year() - i16::from(!had_birthday)
    }

    /// Whether the name is one that clerks write in two ways.
    pub fn has_minority_name(&self) -> bool {
        self.forename.other.is_some() || self.surname.other.is_some()
    }
}

/// How often an agency knows the property number of an address, and how many people share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Addresses {
    /// Agencies matched their addresses to the national list first: 2 to 10 records in 100 have no
    /// property number, one household in 955 is a refuge.
    Matched,
    /// As systems hold them: 2 to 40 records in 100 have none, and refuges are six times as many.
    AsHeld,
}

/// Everybody, and who truly lives with whom.
#[derive(Debug, Clone)]
pub struct Society {
    /// The persons.
    pub people: Vec<Person>,
    /// The homes.
    pub homes: Vec<Home>,
    /// The households with a child, as places in the list of people. A child of two homes is in two.
    pub families: Vec<Vec<usize>>,
    /// How well agencies know addresses.
    pub addresses: Addresses,
}

impl Society {
    /// At least so many people, from a seed.
    pub fn generate(people: usize, seed: u64, addresses: Addresses) -> Self {
        let refuges = match addresses {
            Addresses::Matched => 1,
            Addresses::AsHeld => 6,
        };
        let mut builder = Builder {
            random: Random::stream(seed, "society"),
            numbers: Numbers::new(seed),
            places: Places::new(seed),
            people: Vec::with_capacity(people + 40),
            families: Vec::new(),
            left: Vec::new(),
        };
        while builder.people.len() < people {
            match builder.random.weighted(&[620, 300, 30, 4, refuges]) {
                0 => builder.family(),
                1 => builder.couple(),
                2 => builder.students(),
                3 => builder.lodgings(),
                _ => builder.refuge(),
            }
        }
        Self { people: builder.people, homes: builder.places.homes, families: builder.families, addresses }
    }
}

struct Builder {
    random: Random,
    numbers: Numbers,
    places: Places,
    people: Vec<Person>,
    families: Vec<Vec<usize>>,
    /// Homes that somebody left and others may have moved into.
    left: Vec<HomeId>,
}

impl Builder {
    fn family(&mut self) {
        let home = self.home();
        let former = self.former_home();
        let is_minority = self.random.chance(1_200);
        let (mothers, fathers) = (self.surname(is_minority), self.surname(is_minority));
        let shares_name = self.random.chance(5_500);
        let fathers = if shares_name { mothers.clone() } else { fathers };
        let mut members = vec![self.adult(true, is_minority, &mothers, 24, 45, home, former)];
        if self.random.chance(6_500) {
            members.push(self.adult(false, is_minority, &fathers, 24, 50, home, former));
        }
        let takes_fathers = self.random.chance(4_000);
        let children = self.children(is_minority, if takes_fathers { &fathers } else { &mothers }, home, former);
        // A father and a son of one name.
        if let (Some(&father), Some(&son)) = (members.get(1), children.first())
            && self.random.chance(150)
        {
            self.people[son].forename = self.people[father].forename.clone();
            self.people[son].surname = self.people[father].surname.clone();
        }
        if members.len() == 1 && self.random.chance(2_500) {
            self.second_home(is_minority, &fathers, &children);
        }
        members.extend(children);
        self.families.push(members);
    }

    fn children(&mut self, is_minority: bool, name: &Name, home: HomeId, former: Option<HomeId>) -> Vec<usize> {
        let mut children = Vec::new();
        for _ in 0..=self.random.weighted(&[45, 38, 13, 4]) {
            let born = self.born(0, 17);
            let is_female = is_woman(&mut self.random);
            let child = self.person(is_female, is_minority, name.clone(), born, home, former);
            children.push(child);
            if self.random.chance(160) {
                children.push(self.twin(child));
            }
        }
        children
    }

    /// A brother or sister born on the same day, now and then of nearly the same name.
    fn twin(&mut self, of: usize) -> usize {
        let first = self.people[of].clone();
        let is_alike = self.random.chance(3_000);
        let pair = *self.random.pick(&TWIN_NAMES);
        if is_alike {
            self.people[of].forename = Name { own: pair.0.to_owned(), other: None };
        }
        let is_female = is_woman(&mut self.random);
        let twin = self.person(is_female, false, first.surname, first.born, first.home, first.former_home);
        if is_alike {
            self.people[twin].forename = Name { own: pair.1.to_owned(), other: None };
        }
        while self.people[twin].forename == self.people[of].forename {
            let is_female = is_woman(&mut self.random);
            self.people[twin].forename = self.forename(false, is_female);
        }
        twin
    }

    /// The other parent's home, where the children live too.
    fn second_home(&mut self, is_minority: bool, name: &Name, children: &[usize]) {
        let home = self.home();
        let parent = self.adult(false, is_minority, name, 24, 50, home, None);
        let mut members = vec![parent];
        for &child in children {
            self.people[child].second_home = Some(home);
            members.push(child);
        }
        self.families.push(members);
    }

    fn couple(&mut self) {
        let (home, former) = (self.home(), self.former_home());
        let is_minority = self.random.chance(1_000);
        let name = self.surname(is_minority);
        self.adult(true, is_minority, &name, 20, 80, home, former);
        if self.random.chance(5_000) {
            let other = if self.random.chance(6_000) { name } else { self.surname(is_minority) };
            self.adult(false, is_minority, &other, 20, 80, home, former);
        }
    }

    /// Unrelated young people in one house, each from a home elsewhere.
    fn students(&mut self) {
        let home = self.home();
        for _ in 0..self.random.between(3, 7) {
            let former = Some(self.home());
            let is_minority = self.random.chance(2_000);
            let name = self.surname(is_minority);
            let is_female = is_woman(&mut self.random);
            self.adult(is_female, is_minority, &name, 18, 22, home, former);
        }
    }

    /// Many unrelated adults at one address.
    fn lodgings(&mut self) {
        let home = self.home();
        for _ in 0..self.random.between(13, 30) {
            let former = self.former_home();
            let is_minority = self.random.chance(2_500);
            let name = self.surname(is_minority);
            let is_female = self.random.chance(3_000);
            self.adult(is_female, is_minority, &name, 19, 70, home, former);
        }
    }

    /// Mothers with their children under one roof: as many families, which nobody can tell apart by
    /// the address.
    fn refuge(&mut self) {
        let home = self.home();
        for _ in 0..self.random.between(5, 8) {
            let former = Some(self.home());
            let is_minority = self.random.chance(2_000);
            let name = self.surname(is_minority);
            let mut members = vec![self.adult(true, is_minority, &name, 19, 45, home, former)];
            members.extend(self.children(is_minority, &name, home, former));
            self.families.push(members);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what a person is made of, by private callers only")]
    fn adult(
        &mut self,
        is_female: bool,
        is_minority: bool,
        name: &Name,
        youngest: i64,
        oldest: i64,
        home: HomeId,
        former: Option<HomeId>,
    ) -> usize {
        let born = self.born(youngest, oldest);
        let person = self.person(is_female, is_minority, name.clone(), born, home, former);
        if self.random.chance(if is_female { 1_800 } else { 150 }) {
            self.people[person].former_surname = Some(surname(&mut self.random));
        }
        person
    }

    fn person(
        &mut self,
        is_female: bool,
        is_minority: bool,
        surname: Name,
        born: Date,
        home: HomeId,
        former_home: Option<HomeId>,
    ) -> usize {
        let forename = self.forename(is_minority, is_female);
        let mut person = Person {
            forename,
            surname,
            former_surname: None,
            born,
            nhs: self.numbers.nhs(),
            upn: None,
            nino: None,
            role: Role::Adult,
            home,
            second_home: None,
            former_home,
        };
        let age = person.age();
        person.role = if age < 18 { Role::Child } else { Role::Adult };
        person.upn = (4..=18).contains(&age).then(|| self.numbers.upn(born.year()));
        person.nino = (age >= 16).then(|| self.numbers.nino());
        self.people.push(person);
        self.people.len() - 1
    }

    fn forename(&mut self, is_minority: bool, is_female: bool) -> Name {
        if !is_minority {
            return Name { own: forename(&mut self.random, is_female), other: None };
        }
        loop {
            let (own, other, of_women) = *self.random.pick(&FORENAMES);
            if of_women == is_female {
                return Name { own: own.to_owned(), other: Some(other.to_owned()) };
            }
        }
    }

    fn surname(&mut self, is_minority: bool) -> Name {
        if !is_minority {
            return Name { own: surname(&mut self.random), other: None };
        }
        let (beginning, (own, other)) = (*self.random.pick(&BEGINNINGS), *self.random.pick(&ENDINGS));
        Name { own: format!("{beginning}{own}"), other: Some(format!("{beginning}{other}")) }
    }

    fn born(&mut self, youngest: i64, oldest: i64) -> Date {
        let days = self.random.between(youngest * 365 + 6, oldest * 365 + 360);
        TODAY.checked_sub(days.days()).unwrap_or(TODAY)
    }

    /// A home: now and then one that others left.
    fn home(&mut self) -> HomeId {
        if self.random.chance(1_500)
            && let Some(home) = self.left.pop()
        {
            return home;
        }
        self.places.home(&mut self.numbers)
    }

    fn former_home(&mut self) -> Option<HomeId> {
        self.random.chance(3_000).then(|| {
            let home = self.places.home(&mut self.numbers);
            self.left.push(home);
            home
        })
    }
}

fn is_woman(random: &mut Random) -> bool {
    random.chance(4_900)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hard_cases_are_all_there() {
        let society = Society::generate(8_000, 1, Addresses::AsHeld);
        let people = &society.people;
        assert!(people.len() >= 8_000 && society.families.len() > 1_500);
        let twins = |family: &&Vec<usize>| {
            family.iter().any(|&a| family.iter().any(|&b| a < b && people[a].born == people[b].born))
        };
        assert!(society.families.iter().filter(twins).count() > 20, "twins");
        assert!(people.iter().filter(|person| person.former_surname.is_some()).count() > 200, "changed surnames");
        assert!(people.iter().filter(|person| person.second_home.is_some()).count() > 50, "children of two homes");
        assert!(people.iter().filter(|person| person.has_minority_name()).count() > 500, "minority names");
        let most = |home: HomeId| people.iter().filter(|person| person.home == home).count();
        assert!(people.iter().any(|person| most(person.home) > 12), "a refuge or lodgings");
        let mut left = people.iter().filter_map(|person| person.former_home);
        assert!(left.any(|left| people.iter().any(|person| person.home == left)), "a home that others left");
    }
}
