//! The feed calendar: which agency's feed supplies what, and when it counts as late.

use std::collections::BTreeSet;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::ids::{AgencyCode, CriterionCode, FeedCode, PowerCode};
use super::item::Item;
use super::policy_file;
use super::time::Timestamp;

/// One line of the feed calendar: what an agency's feed supplies and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Whose feed.
    pub agency: AgencyCode,
    /// Which feed of that agency.
    pub code: FeedCode,
    /// What it holds, in plain words.
    pub plain: String,
    /// The criteria it speaks of.
    pub criteria: BTreeSet<CriterionCode>,
    /// What it supplies besides areas.
    #[serde(default)]
    pub items: BTreeSet<Item>,
    /// How often it comes, in words people use.
    pub cadence: String,
    /// Days from one `as_at` to the next.
    pub expected_every_days: u16,
    /// Days after that before the feed counts as late.
    pub grace_days: u16,
    /// The programme takes the feed's word on where people live: one such feed is evidence enough.
    #[serde(default)]
    pub authoritative_for_addresses: bool,
    /// Statutes under which the agency itself received the data, whose limits travel with them.
    #[serde(default)]
    pub received_under: BTreeSet<PowerCode>,
    /// The agency declares that the feed has at most one record of each person: two of its records are
    /// then never linked. Without it an agency may hold a person twice, and both records link.
    #[serde(default)]
    pub one_record_a_person: bool,
    /// First day on which the programme expects it.
    #[serde(deserialize_with = "policy_file::date")]
    pub effective_from: Date,
    /// Last such day, absent while it is expected.
    #[serde(default, deserialize_with = "policy_file::optional_date")]
    pub effective_to: Option<Date>,
}

impl Feed {
    /// Whether the programme expects the feed on a day.
    pub fn is_effective(&self, day: Date) -> bool {
        self.effective_from <= day && self.effective_to.is_none_or(|last| day <= last)
    }

    /// The day by which the next delivery is due.
    pub fn next_due(&self, as_at: Date) -> Date {
        as_at.checked_add(i64::from(self.expected_every_days).days()).unwrap_or(Date::MAX)
    }

    /// The last day on which a delivery of this date still counts as in time.
    pub fn in_time_until(&self, as_at: Date) -> Date {
        self.next_due(as_at).checked_add(i64::from(self.grace_days).days()).unwrap_or(Date::MAX)
    }

    /// Whether the feed is late: the newest delivery is older than its interval and grace together.
    pub fn is_late(&self, as_at: Date, now: Timestamp) -> bool {
        now.date() > self.in_time_until(as_at)
    }
}
