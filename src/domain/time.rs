//! Time: instants to the microsecond, dates and months.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// An instant in UTC, in whole microseconds since 1970; written `2026-09-20T10:15:00.000000Z`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

/// Why a text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed {0}")]
pub struct TimeError(pub &'static str);

impl Timestamp {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
    /// This instant moved by a number of seconds.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }
    /// The first instant of a day in UTC.
    pub fn start_of(date: Date) -> Self {
        let days = i64::from((date - Date::constant(1970, 1, 1)).get_days());
        Self(days * 86_400_000_000)
    }
    /// The day in UTC.
    pub fn date(self) -> Date {
        jiff::Timestamp::from_microsecond(self.0)
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{}", instant.strftime("%Y-%m-%dT%H:%M:%S.%6fZ"))
    }
}
impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for Timestamp {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        text.parse::<jiff::Timestamp>()
            .map(|instant| Self(instant.as_microsecond()))
            .map_err(|_| TimeError("time: use UTC, such as 2026-09-20T10:15:00Z"))
    }
}
impl TryFrom<String> for Timestamp {
    type Error = TimeError;
    fn try_from(text: String) -> Result<Self, TimeError> {
        text.parse()
    }
}
impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

/// A calendar month, written `2026-09`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// The month a date lies in.
    pub fn of(date: Date) -> Self {
        Self { year: date.year(), month: date.month() }
    }
    /// The last day of the month.
    pub fn last_day(self) -> Date {
        Date::new(self.year, self.month, 1).map_or(Date::MAX, Date::last_of_month)
    }
    /// The first day of the month.
    pub fn first_day(self) -> Date {
        Date::new(self.year, self.month, 1).unwrap_or(Date::MIN)
    }
    /// How many months later another is; 0 for an earlier one.
    pub fn months_until(self, later: Self) -> u32 {
        let months = |month: Self| i32::from(month.year) * 12 + i32::from(month.month);
        u32::try_from(months(later) - months(self)).unwrap_or(0)
    }
}
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}
impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for Month {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let error = TimeError("month: use four digits, '-' and two digits, such as 2026-09");
        let bytes = text.as_bytes();
        let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_digit);
        if bytes.len() != 7 || bytes[4] != b'-' || !digits(0..4) || !digits(5..7) {
            return Err(error);
        }
        let year = text[..4].parse().map_err(|_| error)?;
        let month = text[5..].parse().map_err(|_| error)?;
        Date::new(year, month, 1).map(Self::of).map_err(|_| error)
    }
}
impl TryFrom<String> for Month {
    type Error = TimeError;
    fn try_from(text: String) -> Result<Self, TimeError> {
        text.parse()
    }
}
impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_reads_back_as_written_to_the_microsecond() {
        for micros in [0, 1, -1, 1_790_000_000_123_456] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        assert_eq!(Timestamp::from_micros(1).to_string(), "1970-01-01T00:00:00.000001Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn a_day_starts_at_midnight_utc() {
        let day = Date::constant(2026, 2, 28);
        assert_eq!(Timestamp::start_of(day).to_string(), "2026-02-28T00:00:00.000000Z");
        assert_eq!(Timestamp::start_of(day).plus_seconds(86_399).date(), day);
    }

    #[test]
    fn a_month_knows_its_last_day() {
        let month: Month = "2028-02".parse().expect("well-formed");
        assert_eq!(month.last_day(), Date::constant(2028, 2, 29));
        for bad in ["2026-13", "2026-00", "26-01", "2026-1", "2026/01", "+026-01"] {
            assert!(bad.parse::<Month>().is_err(), "{bad}");
        }
    }
}
