//! Invented people of a district like Cornwall, and the files that agencies hold about them.
//!
//! Everything comes from a seed and a day: no outside data, and the same people on every machine.
//! 1,966 families meet the combinations of areas of the fixture (see [`COMBINATIONS`]); the others
//! meet one area or none. Each agency knows some of them, with errors of its own. Because the truth
//! is known, an answer of the gateway can be compared with what it should be.
//!
//! `docs/demo-population.md` says what is invented and which published figures contradict others.

mod background;
mod builder;
mod calendar;
mod cohort;
mod files;
mod landmarks;
mod mapping;
mod names;
mod numbers;
mod people;
mod places;
mod profiles;
mod random;
pub mod society;
#[cfg(test)]
pub(super) mod tests;
mod truth;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use self::builder::Builder;
use self::calendar::Calendar;
use crate::domain::programme::Programme;
use crate::domain::record::Coverage;

pub use self::calendar::{FEEDS, FeedName};
pub use self::cohort::{COHORT, COMBINATIONS};
pub use self::files::{AgencyFile, Identity, Row};
pub use self::landmarks::{HOSTEL, Landmarks};
pub use self::people::{Fact, Family, FamilyId, FamilyKind, Person, PersonId};
pub use self::places::{Home, HomeId};
pub use self::profiles::Column;
pub use self::truth::{HEARTH_CHECKS, HUB_SCREENS, Permit, SOCIAL_CARE_PROTECTS};

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The same seed gives the same people.
    pub seed: u64,
    /// The day on which the population is looked at.
    pub today: Date,
    /// How many people besides the cohort, the hard cases among them.
    pub background_people: usize,
    /// A feed whose newest delivery is older than the calendar allows.
    pub overdue: Option<FeedName>,
}

impl Options {
    /// The population of the demonstration: about 6,000 people besides the cohort.
    pub fn new(today: Date) -> Self {
        Self { seed: 2016, today, background_people: 6_000, overdue: None }
    }
}

/// How many seeds are tried.
const MOST_SEEDS: u64 = 16;

/// Everybody, and what is true of them.
#[derive(Debug, Clone)]
pub struct Population {
    /// The persons.
    pub people: Vec<Person>,
    /// The homes.
    pub homes: Vec<Home>,
    /// The families and other households, those of the cohort first.
    pub families: Vec<Family>,
    /// What agencies know of them under the criteria.
    pub facts: Vec<Fact>,
    /// Who is who among the hard cases.
    pub landmarks: Landmarks,
    seed: u64,
    calendar: Calendar,
    addresses: BTreeMap<(PersonId, &'static str), HomeId>,
    coverage: BTreeMap<(PersonId, &'static str), Coverage>,
    shields: BTreeMap<PersonId, BTreeSet<&'static str>>,
    known_to: BTreeSet<(PersonId, &'static str)>,
    unknown_to: BTreeSet<(PersonId, &'static str)>,
}

impl Population {
    /// Makes the population. The programme gives the school terms and the feed calendar.
    ///
    /// # Panics
    ///
    /// When none of many seeds gives a family for every hard case, on a day that no test has seen.
    pub fn generate(programme: &Programme, options: Options) -> Self {
        // What chance gives depends on the day. A seed without a family for each hard case is passed over.
        let found = (options.seed..options.seed + MOST_SEEDS).find_map(|seed| {
            let calendar = Calendar::new(programme, options.today, options.overdue);
            let mut builder = Builder::new(calendar, seed);
            cohort::build(&mut builder);
            let cohort_people = builder.people.len();
            landmarks::build(&mut builder).map(|landmarks| (seed, builder, cohort_people, landmarks))
        });
        let (seed, mut builder, cohort_people, landmarks) =
            found.expect("one of many seeds gives every hard case: a test tries each day of a year");
        let hard_cases = builder.people.len() - cohort_people;
        background::build(&mut builder, options.background_people.saturating_sub(hard_cases));
        Self {
            people: builder.people,
            homes: builder.places.homes,
            families: builder.families,
            facts: builder.facts,
            landmarks,
            seed,
            calendar: builder.calendar,
            addresses: builder.addresses,
            coverage: builder.coverage,
            shields: builder.shields,
            known_to: builder.known_to,
            unknown_to: builder.unknown_to,
        }
    }

    /// The day that a feed's newest delivery describes.
    pub fn as_at(&self, feed: FeedName) -> Date {
        self.calendar.as_at(feed)
    }
}
