//! When each feed was last delivered, and the days of the evidence in it.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::people::{Fact, PersonId};
use super::random::Random;
use crate::domain::programme::{Feed, Programme};
use crate::domain::record::FlagState;

/// Criterion, area, agency and feed, for every criterion that the invented agencies speak of.
const SOURCES: [(&str, &str, &str, &str); 13] = [
    ("C1", "A1", "youth-justice", "orders"),
    ("C2", "A1", "police", "outcomes"),
    ("C3", "A1", "housing", "tenancies"),
    ("E1", "A2", "education", "attendance"),
    ("E2", "A2", "education", "welfare"),
    ("E3", "A2", "education", "welfare"),
    ("E4", "A2", "education", "welfare"),
    ("E5", "A2", "education", "welfare"),
    ("H1", "A3", "early-help-hub", "assessments"),
    ("H2", "A3", "childrens-social-care", "cases"),
    ("H3", "A3", "childrens-social-care", "cases"),
    ("H4", "A3", "childrens-social-care", "cases"),
    ("W1", "A4", "jobcentre-feed", "benefits"),
];

/// An agency and its feed.
pub type FeedName = (&'static str, &'static str);

/// The feeds that the invented agencies deliver.
pub const FEEDS: [FeedName; 10] = [
    ("education", "attendance"),
    ("education", "welfare"),
    ("childrens-social-care", "cases"),
    ("early-help-hub", "assessments"),
    ("youth-justice", "orders"),
    ("police", "outcomes"),
    ("housing", "tenancies"),
    ("jobcentre-feed", "benefits"),
    ("hearth", "casework"),
    ("kestrel", "casework"),
];

/// The days of deliveries and evidence, as at one day.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    pub(super) today: Date,
    deliveries: BTreeMap<FeedName, Date>,
    overdue: Option<FeedName>,
    /// First and last day of the last three terms that ended.
    terms: (Date, Date),
}

impl Calendar {
    /// Every feed in time, but for the one that is to be overdue.
    pub(super) fn new(programme: &Programme, today: Date, overdue: Option<FeedName>) -> Self {
        let ended: Vec<_> = programme.terms().iter().rev().filter(|term| term.ends < today).take(3).collect();
        let terms = match ended[..] {
            [last, _, first] => (first.starts, last.ends),
            // A programme without a calendar: nothing counts by term, but the records can be made.
            _ => (today.saturating_sub(330.days()), today.saturating_sub(10.days())),
        };
        let delivered = |name: FeedName| {
            let listed = programme.feeds().iter().find(|f| (f.agency.as_str(), f.code.as_str()) == name);
            let Some(feed) = listed else { return today };
            if overdue == Some(name) {
                return before(today, i64::from(feed.expected_every_days) + i64::from(feed.grace_days) + 30);
            }
            in_time(feed, today, terms.1)
        };
        let deliveries = FEEDS.into_iter().map(|name| (name, delivered(name))).collect();
        Self { today, deliveries, overdue, terms }
    }

    /// The day that the feed's newest delivery describes.
    pub(super) fn as_at(&self, feed: FeedName) -> Date {
        self.deliveries.get(&feed).copied().unwrap_or(self.today)
    }

    pub(super) fn is_overdue(&self, feed: FeedName) -> bool {
        self.overdue == Some(feed)
    }

    /// That the criterion is met: inside its window, unless the fact is to be out of date.
    pub(super) fn met(&self, person: PersonId, criterion: &'static str, random: &mut Random) -> Fact {
        let (area, feed) = source(criterion);
        let as_at = self.as_at(feed);
        let (from, to) = match criterion {
            "E1" => (self.terms.0.min(as_at), Some(self.terms.1.min(as_at))),
            // These go on until they end.
            "E4" | "E5" | "W1" | "H2" | "H3" => (before(as_at, random.between(20, 500)), None),
            _ => {
                let day = before(as_at, random.between(5, 250));
                (day, Some(day))
            }
        };
        Fact {
            person,
            agency: feed.0,
            feed: feed.1,
            criterion,
            area,
            state: FlagState::Met,
            from,
            to,
            is_expired: false,
        }
    }

    /// That it was met, too long ago to count.
    pub(super) fn long_ago(&self, person: PersonId, criterion: &'static str, random: &mut Random) -> Fact {
        let day = before(self.today, random.between(500, 700)).min(self.as_at(source(criterion).1));
        let met = self.met(person, criterion, random);
        Fact { from: day, to: Some(day), is_expired: true, ..met }
    }

    /// That the agency looked and it is not met.
    pub(super) fn not_met(&self, person: PersonId, criterion: &'static str) -> Fact {
        let (area, feed) = source(criterion);
        let as_at = self.as_at(feed);
        let (from, to) = match criterion {
            "E1" => (self.terms.0.min(as_at), Some(self.terms.1.min(as_at))),
            _ => (before(as_at, 180), Some(as_at)),
        };
        Fact {
            person,
            agency: feed.0,
            feed: feed.1,
            criterion,
            area,
            state: FlagState::NotMet,
            from,
            to,
            is_expired: false,
        }
    }
}

/// The area of a criterion, and the feed that speaks of it.
fn source(criterion: &str) -> (&'static str, FeedName) {
    let found = SOURCES.iter().find(|source| source.0 == criterion).unwrap_or(&SOURCES[0]);
    (found.1, (found.2, found.3))
}

fn in_time(feed: &Feed, today: Date, term_ended: Date) -> Date {
    match feed.cadence.as_str() {
        // Released when a term ends.
        "termly" => term_ended.saturating_add(9.days()).min(today),
        "quarterly" => before(today, 50),
        "monthly" => before(today, 12),
        _ => before(today, 2),
    }
}

pub(super) fn before(day: Date, days: i64) -> Date {
    day.saturating_sub(days.days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_a_feed_of_the_calendar_that_supplies_the_criterion() {
        let programme = Programme::parse(include_bytes!("../../../policies/programme.toml")).expect("the shipped file");
        for (criterion, area, agency, code) in SOURCES {
            let feed = programme
                .feeds()
                .iter()
                .find(|feed| (feed.agency.as_str(), feed.code.as_str()) == (agency, code))
                .expect("a feed of the calendar");
            assert!(feed.criteria.iter().any(|supplied| supplied.as_str() == criterion), "{criterion}");
            let declared = programme.criteria().iter().find(|declared| declared.code.as_str() == criterion);
            assert_eq!(declared.map(|declared| declared.area.as_str()), Some(area), "{criterion}");
        }
    }

    #[test]
    fn on_any_day_of_two_years_every_feed_is_in_time_but_the_one_that_is_not() {
        let programme = Programme::parse(include_bytes!("../../../policies/programme.toml")).expect("the shipped file");
        let mut today = jiff::civil::date(2026, 9, 1);
        while today < jiff::civil::date(2028, 9, 1) {
            let calendar = Calendar::new(&programme, today, Some(("police", "outcomes")));
            for feed in programme.feeds().iter().filter(|feed| feed.code.as_str() != "participation") {
                let name = FEEDS.into_iter().find(|name| *name == (feed.agency.as_str(), feed.code.as_str()));
                let name = name.expect("a feed that is delivered");
                let is_late = feed.is_late(calendar.as_at(name), crate::domain::time::Timestamp::start_of(today));
                assert_eq!(is_late, name == ("police", "outcomes"), "{name:?} {today}");
            }
            today = today.saturating_add(3.days());
        }
    }
}
