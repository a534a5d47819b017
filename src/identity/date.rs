//! Dates of birth, and the expected date of birth of an unborn child.

use std::fmt;

use jiff::civil::Date;

use super::error::IdentityError;
use super::pnc::{number, write_digits};
use super::text::{classify, is_separator};
use crate::domain::match_keys::DateFormat;

const MISSING: IdentityError = IdentityError::missing("date.missing");
const SENTINEL: IdentityError = IdentityError::sentinel("date.sentinel", "a date or word that stands for not known");
const FIRST_OF_JANUARY: IdentityError =
    IdentityError::sentinel("date.first_of_january", "1 January stands for a year whose day is not known");
const FORM: IdentityError = IdentityError::invalid("date.form", "not of the form that the file declares");
const TWO_DIGIT_YEAR: IdentityError =
    IdentityError::invalid("date.two_digit_year", "two digits do not say which century");
const IMPOSSIBLE: IdentityError = IdentityError::invalid("date.impossible", "there is no such day");
const FUTURE: IdentityError = IdentityError::invalid("date.future", "nobody is born in the future");
const AGE: IdentityError = IdentityError::invalid("date.age", "nobody is older than 120 years");
const NOT_EXPECTED: IdentityError = IdentityError::invalid(
    "date.not_expected",
    "an expected birth lies within 31 days before and 300 days after today",
);

/// A date on which somebody now alive, or lately dead, may have been born.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BirthDate(Date);

/// A date on which a child is expected.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExpectedDate(Date);

impl BirthDate {
    /// Reads a date in a declared form.
    ///
    /// 1 January of any year is taken for a placeholder: it is what systems write when only the
    /// year is known, far more often than it is a birthday.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] `date.missing`, `date.sentinel`, `date.first_of_january`, `date.form`,
    /// `date.two_digit_year`, `date.impossible`, `date.future` or `date.age`.
    pub fn parse(text: &str, format: DateFormat, today: Date) -> Result<Self, IdentityError> {
        let date = read(text, format)?;
        if (date.month(), date.day()) == (1, 1) {
            return Err(if matches!(date.year(), 1900 | 1901 | 1970) { SENTINEL } else { FIRST_OF_JANUARY });
        }
        if date > today {
            return Err(FUTURE);
        }
        let had_birthday = (today.month(), today.day()) >= (date.month(), date.day());
        if today.year() - date.year() - i16::from(!had_birthday) > 120 {
            return Err(AGE);
        }
        Ok(Self(date))
    }

    /// The ten characters of the ISO form.
    pub fn to_bytes(self) -> [u8; 10] {
        iso(self.0)
    }
}

impl ExpectedDate {
    /// Reads a date in a declared form.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] as for [`BirthDate::parse`], with `date.not_expected` in place of the
    /// rules on age and future. 1 January is a day like any other here.
    pub fn parse(text: &str, format: DateFormat, today: Date) -> Result<Self, IdentityError> {
        let date = read(text, format)?;
        let days = (date - today).get_days();
        if (-31..=300).contains(&days) { Ok(Self(date)) } else { Err(NOT_EXPECTED) }
    }

    /// The ten characters of the ISO form.
    pub fn to_bytes(self) -> [u8; 10] {
        iso(self.0)
    }
}

impl fmt::Debug for BirthDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BirthDate(redacted)")
    }
}
impl fmt::Debug for ExpectedDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExpectedDate(redacted)")
    }
}

fn read(text: &str, format: DateFormat) -> Result<Date, IdentityError> {
    let trimmed = text.trim_matches(|c: char| c.is_whitespace());
    let refused = |error| classify(text.trim_matches(is_separator), MISSING, SENTINEL, error);
    let bytes = trimmed.as_bytes();
    let (year, month, day) = match format {
        DateFormat::Iso => {
            let [year, month, day] = split(without_midnight(bytes), b"-").ok_or_else(|| refused(FORM))?;
            (year, month, day)
        }
        DateFormat::DayMonthYear => {
            let [day, month, year] = split(without_midnight(bytes), b"/-.").ok_or_else(|| refused(FORM))?;
            (year, month, day)
        }
        DateFormat::YearMonthDay if bytes.len() == 8 => (&bytes[..4], &bytes[4..6], &bytes[6..]),
        DateFormat::YearMonthDay if bytes.len() == 6 && number(bytes).is_some() => return Err(TWO_DIGIT_YEAR),
        DateFormat::YearMonthDay => return Err(refused(FORM)),
    };
    let (year_digits, exact) = (year.len(), format != DateFormat::DayMonthYear);
    let part = |digits: &[u8]| {
        let long_enough = digits.len() == 2 || (!exact && digits.len() == 1);
        number(digits).filter(|_| long_enough)
    };
    let (Some(year), Some(month), Some(day)) = (number(year), part(month), part(day)) else {
        return Err(refused(FORM));
    };
    match year_digits {
        4 => {}
        2 => return Err(TWO_DIGIT_YEAR),
        _ => return Err(FORM),
    }
    if matches!(year, 0 | 1 | 1753 | 9999) || (year, month, day) == (1899, 12, 30) {
        return Err(SENTINEL); // what databases and spreadsheets write for no date
    }
    Date::new(year as i16, month as i8, day as i8).map_err(|_| IMPOSSIBLE)
}

/// Three parts between separators, which must be alike.
fn split<'a>(text: &'a [u8], separators: &[u8]) -> Option<[&'a [u8]; 3]> {
    let separator = *text.iter().find(|byte| separators.contains(byte))?;
    let mut parts = text.split(|&byte| byte == separator);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

/// Exports of databases write a date as an instant at midnight.
fn without_midnight(text: &[u8]) -> &[u8] {
    for midnight in [&b"T00:00:00"[..], b" 00:00:00", b"T00:00:00Z", b"T00:00:00.000Z", b" 00:00:00.000", b" 00:00"] {
        if let Some(date) = text.strip_suffix(midnight) {
            return date;
        }
    }
    text
}

fn iso(date: Date) -> [u8; 10] {
    let mut text = *b"0000-00-00";
    write_digits(&mut text[..4], date.year().unsigned_abs().into());
    write_digits(&mut text[5..7], date.month().unsigned_abs().into());
    write_digits(&mut text[8..], date.day().unsigned_abs().into());
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TODAY: Date = jiff::civil::date(2026, 9, 20);

    #[test]
    fn the_120th_year_is_the_last() {
        for (text, good) in [
            ("1906-09-20", true),
            ("1905-09-21", true),
            ("1905-09-20", false),
            ("2026-09-20", true),
            ("2026-09-21", false),
        ] {
            assert_eq!(BirthDate::parse(text, DateFormat::Iso, TODAY).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn a_birth_is_expected_within_the_year() {
        for (text, good) in [("2027-01-01", true), ("2026-08-20", true), ("2026-08-19", false), ("2027-07-18", false)] {
            assert_eq!(ExpectedDate::parse(text, DateFormat::Iso, TODAY).is_ok(), good, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_form_of_a_day_gives_the_same_ten_characters(year in 1910i16..2026, month in 1i8..=12, day in 1i8..=28) {
            prop_assume!((month, day) != (1, 1));
            let iso = BirthDate::parse(&format!("{year:04}-{month:02}-{day:02}"), DateFormat::Iso, TODAY).unwrap();
            let plain = format!("{year:04}{month:02}{day:02}");
            prop_assert_eq!(BirthDate::parse(&plain, DateFormat::YearMonthDay, TODAY).unwrap(), iso);
            prop_assert_eq!(BirthDate::parse(&format!("{day}/{month}/{year}"), DateFormat::DayMonthYear, TODAY).unwrap(), iso);
            let again = iso.to_bytes();
            prop_assert_eq!(BirthDate::parse(super::super::text::ascii(&again), DateFormat::Iso, TODAY).unwrap(), iso);
        }
    }
}
