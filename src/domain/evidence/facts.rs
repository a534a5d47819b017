//! What decides an answer besides the people: the programme, the day, the permitted set, the feeds.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Statement;
use crate::domain::ids::{AgencyCode, AreaCode, FeedCode};
use crate::domain::item::Item;
use crate::domain::programme::{CriteriaVersion, Criterion, Feed, Programme, Window};
use crate::domain::record::{AttendanceBand, Evidence, EvidenceGrade, Flag, FlagState};
use crate::domain::time::Timestamp;

/// What may contribute to an answer, each feed of a supplier for itself: fixed by policy before any
/// record is read. The asker's own feeds belong in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contribution(BTreeSet<(AgencyCode, FeedCode, Item)>);

impl FromIterator<(AgencyCode, FeedCode, Item)> for Contribution {
    fn from_iter<I: IntoIterator<Item = (AgencyCode, FeedCode, Item)>>(permits: I) -> Self {
        Self(permits.into_iter().collect())
    }
}

impl Contribution {
    /// Whether the feed may contribute the item.
    pub fn has(&self, agency: &AgencyCode, feed: &FeedCode, item: &Item) -> bool {
        self.0.contains(&(agency.clone(), feed.clone(), item.clone()))
    }

    /// Whether the feed may contribute anything, so that its record counts towards who the person is.
    pub fn has_feed(&self, agency: &AgencyCode, feed: &FeedCode) -> bool {
        self.0.iter().any(|(supplier, permitted, _)| supplier == agency && permitted == feed)
    }

    /// What another set lets contribute as well.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The feeds that may contribute an item.
    pub fn feeds_of(&self, item: &Item) -> BTreeSet<(&AgencyCode, &FeedCode)> {
        self.0.iter().filter(|(_, _, permitted)| permitted == item).map(|(agency, feed, _)| (agency, feed)).collect()
    }
}

/// The date of the newest visible delivery of each feed. A feed that is missing never delivered.
pub type Deliveries = BTreeMap<(AgencyCode, FeedCode), Date>;

/// How old the evidence can be, whoever is asked about: from the feed calendar and deliveries alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedAge {
    /// The oldest of the feeds' newest deliveries; absent when none of them ever delivered.
    pub oldest_as_at: Option<Date>,
    /// Whether one of the feeds is overdue or never delivered.
    pub is_late: bool,
}

/// Everything that decides an answer besides the people: the programme, the day, the permitted set
/// and the feeds.
#[derive(Debug, Clone)]
pub struct Facts<'p> {
    pub(in crate::domain) programme: &'p Programme,
    pub(in crate::domain) version: CriteriaVersion<'p>,
    pub(super) deliveries: &'p Deliveries,
    pub(in crate::domain) set: &'p Contribution,
    pub(in crate::domain) now: Timestamp,
}

impl<'p> Facts<'p> {
    /// The facts as at an instant; the criteria are those that hold on its day.
    pub fn new(programme: &'p Programme, deliveries: &'p Deliveries, set: &'p Contribution, now: Timestamp) -> Self {
        Self { programme, version: programme.criteria_at(now.date()), deliveries, set, now }
    }

    /// The same facts through another set.
    pub(in crate::domain) fn with_set<'s>(&self, set: &'s Contribution) -> Facts<'s>
    where
        'p: 's,
    {
        Facts::new(self.programme, self.deliveries, set, self.now)
    }

    /// The criteria used.
    pub fn version(&self) -> &CriteriaVersion<'p> {
        &self.version
    }

    /// The age of the feeds that the calendar expects for an area from suppliers in the set; `None`
    /// when there is no such feed.
    pub fn age_of_area(&self, area: &AreaCode) -> Option<FeedAge> {
        let item = Item::Area(area.clone());
        let speaks = |feed: &&Feed| self.version.of_area(area).any(|criterion| feed.criteria.contains(&criterion.code));
        self.age(self.effective_feeds().filter(|feed| self.set.has(&feed.agency, &feed.code, &item)).filter(speaks))
    }

    /// The age of the feeds that the calendar expects for a criterion, among those in the set.
    pub fn age_of_criterion(&self, criterion: &Criterion) -> Option<FeedAge> {
        let item = Item::Area(criterion.area.clone());
        let feeds = self.effective_feeds().filter(|feed| feed.criteria.contains(&criterion.code));
        self.age(feeds.filter(|feed| self.set.has(&feed.agency, &feed.code, &item)))
    }

    /// The age of the feeds that supply an item other than an area, from suppliers in the set.
    pub fn age_of_item(&self, item: &Item) -> Option<FeedAge> {
        let feeds = self.effective_feeds().filter(|feed| feed.items.contains(item));
        self.age(feeds.filter(|feed| self.set.has(&feed.agency, &feed.code, item)))
    }

    fn effective_feeds(&self) -> impl Iterator<Item = &'p Feed> {
        let day = self.now.date();
        self.programme.feeds().iter().filter(move |feed| feed.is_effective(day))
    }

    fn age<'f>(&self, feeds: impl Iterator<Item = &'f Feed>) -> Option<FeedAge> {
        feeds.fold(None, |age: Option<FeedAge>, feed| {
            let as_at = self.as_at(&feed.agency, &feed.code);
            let age = age.unwrap_or(FeedAge { oldest_as_at: as_at, is_late: false });
            Some(FeedAge {
                oldest_as_at: [age.oldest_as_at, as_at].into_iter().flatten().min(),
                is_late: age.is_late || self.is_late(feed),
            })
        })
    }

    pub(in crate::domain) fn as_at(&self, agency: &AgencyCode, feed: &FeedCode) -> Option<Date> {
        self.deliveries.get(&(agency.clone(), feed.clone())).copied()
    }

    pub(super) fn is_late(&self, feed: &Feed) -> bool {
        self.as_at(&feed.agency, &feed.code).is_none_or(|as_at| feed.is_late(as_at, self.now))
    }

    /// Whether a statement's feed is overdue. A feed that the calendar does not list, or no longer
    /// expects, has nobody to say that it is in time.
    pub(in crate::domain) fn is_overdue(&self, statement: &Statement) -> bool {
        let feed = self.programme.feed(&statement.agency, &statement.feed);
        feed.is_none_or(|feed| !feed.is_effective(self.now.date()) || self.is_late(feed))
    }

    /// What attendance bands say of a criterion that is computed from them, where the record carries no
    /// flag of it. The average over the window's terms lies below the mark when every term's does, and
    /// not below when no term's does; where they differ, or a term is missing, the bands do not tell.
    pub fn flag_of_attendance(&self, criterion: &Criterion, evidence: &Evidence) -> Option<Flag> {
        let Window::Terms(count) = criterion.window else { return None };
        let has_flag = evidence.flags.iter().any(|flag| flag.criterion == criterion.code);
        if !criterion.from_attendance || has_flag {
            return None;
        }
        let today = self.now.date();
        let terms = self.programme.terms().iter().rev().filter(|term| term.ends < today);
        let terms: Vec<_> = terms.take(usize::from(count)).collect();
        let (last, first) = (terms.first()?, terms.last()?);
        let is_whole = terms.len() == usize::from(count);
        let bands = terms.iter().map(|term| evidence.attendance.iter().find(|said| said.term.as_str() == term.code));
        let bands = bands.map(|said| Some(said?.band)).collect::<Option<Vec<_>>>().filter(|_| is_whole)?;
        let state = if bands.iter().all(|band| *band == AttendanceBand::Below90) {
            FlagState::Met
        } else if bands.iter().all(|band| *band == AttendanceBand::AtLeast90) {
            FlagState::NotMet
        } else {
            return None;
        };
        let criterion = criterion.code.clone();
        Some(Flag { criterion, state, from: first.starts, to: Some(last.ends), evidence: EvidenceGrade::Hard })
    }
}
