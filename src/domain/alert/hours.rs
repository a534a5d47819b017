//! The hours that an agency declared, by the clock on a wall in the United Kingdom.

use jiff::civil::{Date, Weekday};

use crate::domain::time::Timestamp;

/// Seconds of an hour.
const HOUR: i64 = 3600;

/// From when until when somebody may be expected to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// The first hour, 0 to 23.
    pub from: u8,
    /// The hour at which it ends, 1 to 24.
    pub until: u8,
    /// Whether Saturdays and Sundays are days like others.
    pub weekends: bool,
}

impl Hours {
    /// Whether a moment lies outside.
    pub fn are_odd(self, at: Timestamp) -> bool {
        let local = at.plus_seconds(if is_summer_time(at) { HOUR } else { 0 });
        let date = local.date();
        let hour = (local.as_seconds() - Timestamp::start_of(date).as_seconds()) / HOUR;
        let is_weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        hour < i64::from(self.from) || hour >= i64::from(self.until) || (is_weekend && !self.weekends)
    }
}

/// British Summer Time: from 01:00 UTC on the last Sunday of March to 01:00 UTC on that of October
/// (Summer Time Act 1972, as amended by S.I. 2002/262).
fn is_summer_time(at: Timestamp) -> bool {
    let year = at.date().year();
    let change = |month| Timestamp::start_of(last_sunday(year, month)).plus_seconds(HOUR);
    change(3) <= at && at < change(10)
}

fn last_sunday(year: i16, month: i8) -> Date {
    let last = Date::new(year, month, 31).unwrap_or(Date::MAX); // March and October have 31 days
    let back = i64::from(last.weekday().to_sunday_zero_offset());
    last.checked_sub(jiff::Span::new().days(back)).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd(at: &str) -> bool {
        let hours = Hours { from: 8, until: 18, weekends: false };
        hours.are_odd(at.parse().expect("a time"))
    }

    #[test]
    fn the_hours_are_those_on_the_wall_in_winter_and_in_summer() {
        // 20 November 2026 is a Friday, 18 June 2026 a Thursday.
        for (at, expected) in [
            ("2026-11-20T08:00:00Z", false),
            ("2026-11-20T07:59:59Z", true),
            ("2026-11-20T17:59:59Z", false),
            ("2026-11-20T18:00:00Z", true),
            ("2026-06-18T07:00:00Z", false),
            ("2026-06-18T06:59:59Z", true),
            ("2026-06-18T17:00:00Z", true),
            ("2026-11-21T10:00:00Z", true),
            ("2026-06-19T23:30:00Z", true),
        ] {
            assert_eq!(odd(at), expected, "{at}");
        }
        let always = Hours { from: 0, until: 24, weekends: true };
        assert!(!always.are_odd("2026-11-22T03:00:00Z".parse().expect("a time")));
    }

    #[test]
    fn the_clocks_change_on_the_last_sundays() {
        let summer = |at: &str| is_summer_time(at.parse().expect("a time"));
        assert!(!summer("2026-03-29T00:59:59Z") && summer("2026-03-29T01:00:00Z"));
        assert!(summer("2026-10-25T00:59:59Z") && !summer("2026-10-25T01:00:00Z"));
        assert!(!summer("2024-03-31T00:00:00Z") && summer("2024-03-31T01:00:00Z"));
    }
}
