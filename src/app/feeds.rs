//! The feed calendar as an agency sees its own part of it: what came last, what is due, what is late.

use jiff::civil::Date;

use super::caller::AgencyCaller;
use super::error::AppError;
use super::gateway::Gateway;
use crate::domain::ids::FeedCode;
use crate::domain::programme::Feed;
use crate::domain::time::Timestamp;

/// Where a feed is in its calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeedStanding {
    /// Outside the days on which the programme expects it.
    NotExpected,
    /// Expected, and nothing came yet.
    Awaited,
    /// The newest delivery is not older than the feed's interval.
    InTime,
    /// The next delivery is due; within the days of grace nothing counts as late.
    Due,
    /// Late: answers say so, and evidence that only this feed could renew goes stale.
    Overdue,
}

impl FeedStanding {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotExpected => "not_expected",
            Self::Awaited => "awaited",
            Self::InTime => "in_time",
            Self::Due => "due",
            Self::Overdue => "overdue",
        }
    }

    fn of(feed: &Feed, as_at: Option<Date>, now: Timestamp) -> Self {
        let today = now.date();
        if !feed.is_effective(today) {
            return Self::NotExpected;
        }
        // A feed that never came is measured from the day on which it was first expected.
        let since = as_at.unwrap_or(feed.effective_from);
        if feed.is_late(since, now) {
            Self::Overdue
        } else if as_at.is_none() {
            Self::Awaited
        } else if today > feed.next_due(since) {
            Self::Due
        } else {
            Self::InTime
        }
    }
}

/// A line of the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarLine {
    /// Which feed.
    pub feed: FeedCode,
    /// What it holds, in plain words.
    pub plain: String,
    /// How often it comes, in words people use.
    pub cadence: String,
    /// The day that the newest visible delivery describes; `None` when none came.
    pub as_at: Option<Date>,
    /// The day that the next delivery should describe at the latest.
    pub next_due: Date,
    /// The last day on which it still counts as in time.
    pub in_time_until: Date,
    /// Where the feed is.
    pub standing: FeedStanding,
}

impl Gateway {
    /// The calendar of the caller's own feeds.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn calendar(&self, caller: &AgencyCaller) -> Result<Vec<CalendarLine>, AppError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        let states = self.visible_feeds(view.generation).await?;
        let line = |feed: &Feed| {
            let state = states.iter().find(|state| state.agency == feed.agency && state.feed == feed.code);
            let as_at = state.map(|state| state.as_at.date());
            let since = as_at.unwrap_or(feed.effective_from);
            CalendarLine {
                feed: feed.code.clone(),
                plain: feed.plain.clone(),
                cadence: feed.cadence.clone(),
                as_at,
                next_due: feed.next_due(since),
                in_time_until: feed.in_time_until(since),
                standing: FeedStanding::of(feed, as_at, view.now),
            }
        };
        let own = policies.programme().feeds().iter().filter(|feed| feed.agency == caller.agency);
        Ok(own.map(line).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_judged_by_the_newest_delivery_or_by_the_day_it_was_first_expected() {
        let feed: Feed = toml::from_str(
            "agency = 'education'\ncode = 'attendance'\nplain = 'Who misses school.'\ncriteria = ['E1']\n\
             cadence = 'every month'\nexpected_every_days = 31\ngrace_days = 7\n\
             effective_from = 2026-04-01\neffective_to = 2027-03-31\n",
        )
        .expect("a feed");
        let day = |text: &str| -> Timestamp { format!("{text}T12:00:00Z").parse().expect("a time") };
        let sent = Some(Date::constant(2026, 9, 1));
        for (as_at, today, standing) in [
            (None, "2026-03-31", FeedStanding::NotExpected),
            (None, "2026-04-10", FeedStanding::Awaited),
            (None, "2026-05-09", FeedStanding::Awaited),
            (None, "2026-05-10", FeedStanding::Overdue),
            (sent, "2026-09-15", FeedStanding::InTime),
            (sent, "2026-10-02", FeedStanding::InTime),
            (sent, "2026-10-03", FeedStanding::Due),
            (sent, "2026-10-09", FeedStanding::Due),
            (sent, "2026-10-10", FeedStanding::Overdue),
            (sent, "2027-04-01", FeedStanding::NotExpected),
        ] {
            assert_eq!(FeedStanding::of(&feed, as_at, day(today)), standing, "{as_at:?} {today}");
        }
    }
}
