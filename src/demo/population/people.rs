//! The invented people as they are: persons, families, and what is true of them.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::places::HomeId;
use crate::domain::record::{FlagState, ParentalResponsibility, Role};

/// Which person, by their place in the list of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(pub usize);

/// Which family, by its place in the list of families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyId(pub usize);

/// An invented person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Forename; empty before birth.
    pub forename: String,
    /// Surname; empty before birth.
    pub surname: String,
    /// The surname before a marriage or its end.
    pub former_surname: Option<String>,
    /// Whether the person is female.
    pub is_female: bool,
    /// Date of birth; the day on which it is expected, of an unborn child.
    pub born: Date,
    /// NHS number; none before birth.
    pub nhs: Option<String>,
    /// Pupil number, of those who go to school.
    pub upn: Option<String>,
    /// National Insurance number, from 16.
    pub nino: Option<String>,
    /// Child, adult or unborn.
    pub role: Role,
    /// Whether an adult has parental responsibility for a child of the home.
    pub parental_responsibility: ParentalResponsibility,
    /// Where the person lives.
    pub home: HomeId,
    /// Where the person lived until a few years ago.
    pub former_home: Option<HomeId>,
}

impl Person {
    /// Full years on a day; none before birth.
    pub fn age(&self, on: Date) -> Option<i16> {
        let had_birthday = (on.month(), on.day()) >= (self.born.month(), self.born.day());
        let years = on.year() - self.born.year() - i16::from(!had_birthday);
        (self.role != Role::Unborn).then_some(years)
    }

    /// Whether the person is a child of 5 to 16.
    pub fn is_school_age(&self, on: Date) -> bool {
        self.role == Role::Child && self.age(on).is_some_and(|age| (5..=16).contains(&age))
    }

    /// Whether the person is a child or unborn.
    pub fn is_young(&self) -> bool {
        matches!(self.role, Role::Child | Role::Unborn)
    }
}

/// What kind of household it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FamilyKind {
    /// One of the 1,966.
    Cohort,
    /// A family that meets one area or none.
    Background,
    /// No child lives here: no family by the programme's rule.
    AdultOnly,
    /// Forty people at one address: no family by the rule, whoever they are.
    Hostel,
    /// The other parent's home of a child in two homes.
    SecondHome,
    /// Moved out of the district.
    MovedOut,
    /// Lives in a refuge, and is shielded.
    Refuge,
    /// Adopted a child.
    Adoptive,
    /// The family that the adopted child was taken from.
    Birth,
}

/// Everybody in one home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// What kind of household it is.
    pub kind: FamilyKind,
    /// Where they live.
    pub home: HomeId,
    /// Who lives there; a child in two homes is in two families.
    pub members: Vec<PersonId>,
    /// The areas that it is meant to meet, by the table that it was made from.
    pub areas: BTreeSet<&'static str>,
    /// The person about whom an agency asks when it asks about the family.
    pub subject: PersonId,
}

/// Something that an agency knows of a person under a criterion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// About whom.
    pub person: PersonId,
    /// Who knows it.
    pub agency: &'static str,
    /// The feed that says so.
    pub feed: &'static str,
    /// The criterion.
    pub criterion: &'static str,
    /// Its area.
    pub area: &'static str,
    /// Met, not met or contested.
    pub state: FlagState,
    /// First day.
    pub from: Date,
    /// Last day, if it is over.
    pub to: Option<Date>,
    /// It was made to lie outside the criterion's window.
    pub is_expired: bool,
}
