//! The forms in which a column writes dates, one or several, and what a cell of it says.

use jiff::civil::Date;
use serde::Deserialize;

use crate::domain::match_keys::DateFormat;
use crate::domain::time::Month;

/// How a column writes dates. No form has a year of two digits: it does not say which century.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum DateForm {
    /// `2009-04-17`.
    #[serde(rename = "yyyy-mm-dd", alias = "iso")]
    Iso,
    /// `20090417`.
    #[serde(rename = "yyyymmdd")]
    Compact,
    /// `17/04/2009`, also with `-` or `.`, and with one-digit days and months.
    #[serde(rename = "dd/mm/yyyy", alias = "dmy")]
    DayMonthYear,
    /// `04/17/2009`, as a spreadsheet of American settings writes it.
    #[serde(rename = "mm/dd/yyyy")]
    MonthDayYear,
    /// `17-Apr-2009`, also with spaces or `/`, and with the month's whole English name.
    #[serde(rename = "dd-mmm-yyyy")]
    MonthName,
    /// `2009/04/17`.
    #[serde(rename = "yyyy/mm/dd")]
    YearSlash,
}

/// The forms of one column: `"dmy"`, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "OneOrMore")]
pub struct DateForms(Vec<DateForm>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(DateForm),
    More(Vec<DateForm>),
}

impl TryFrom<OneOrMore> for DateForms {
    type Error = &'static str;

    fn try_from(forms: OneOrMore) -> Result<Self, Self::Error> {
        match forms {
            OneOrMore::One(form) => Ok(Self(vec![form])),
            OneOrMore::More(forms) if forms.is_empty() => Err("the list of date formats is empty"),
            OneOrMore::More(forms) => Ok(Self(forms)),
        }
    }
}

impl From<DateForm> for DateForms {
    fn from(form: DateForm) -> Self {
        Self(vec![form])
    }
}

impl Default for DateForms {
    fn default() -> Self {
        DateForm::Iso.into()
    }
}

/// What stands in a cell in place of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::agency) enum DateFault {
    /// Nothing of the forms, or a day that no month has.
    Form,
    /// A year of two digits.
    TwoDigitYear,
    /// Two of the column's forms read it as two different days.
    Ambiguous,
    /// The number that a spreadsheet keeps in place of a date.
    Serial,
}

const BAD_DATE: &str = "cell.date";
const TWO_DIGIT_YEAR: &str = "cell.two_digit_year";
const AMBIGUOUS: &str = "cell.date_ambiguous";
const SERIAL: &str = "cell.date_serial";

/// Every code of a date with what it means and what to do.
pub(in crate::cli::agency) const DATE_CODES: &[(&str, &str)] = &[
    (BAD_DATE, "The cell is no date of a form that the mapping declares."),
    (TWO_DIGIT_YEAR, "Two digits do not say which century. Show the year with four digits and export again."),
    (AMBIGUOUS, "Two of the declared forms read the cell as two different days. Export the column in one form."),
    (SERIAL, "A spreadsheet turned the date into a number. Format the column as a date and export again."),
];

impl DateFault {
    pub(in crate::cli::agency) fn code(self) -> &'static str {
        match self {
            Self::Form => BAD_DATE,
            Self::TwoDigitYear => TWO_DIGIT_YEAR,
            Self::Ambiguous => AMBIGUOUS,
            Self::Serial => SERIAL,
        }
    }
}

/// A day as it is written; the calendar may not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::agency) struct WrittenDate {
    year: i16,
    month: i16,
    day: i16,
}

impl WrittenDate {
    pub(in crate::cli::agency) fn date(self) -> Option<Date> {
        Date::new(self.year, self.month as i8, self.day as i8).ok()
    }

    /// Writes the day in the form that a field of the match keys declares.
    pub(in crate::cli::agency) fn write(self, format: DateFormat, out: &mut String) {
        use std::fmt::Write as _;
        let Self { year, month, day } = self;
        let written = match format {
            DateFormat::Iso => write!(out, "{year:04}-{month:02}-{day:02}"),
            DateFormat::YearMonthDay => write!(out, "{year:04}{month:02}{day:02}"),
            DateFormat::DayMonthYear => write!(out, "{day:02}/{month:02}/{year:04}"),
        };
        written.expect("writing to a string does not fail");
    }
}

impl DateForms {
    /// Reads a cell, with a time after the date or none; an ISO date, which cannot be mistaken, is
    /// read in every form.
    pub(in crate::cli::agency) fn read_written(&self, cell: &str) -> Result<WrittenDate, DateFault> {
        let text = cell.trim();
        if is_serial(text) {
            return Err(DateFault::Serial);
        }
        let (mut found, mut fault): (Option<WrittenDate>, _) = (None, DateFault::Form);
        for form in self.0.iter().chain(&[DateForm::Iso]) {
            match (form.read(text), found) {
                (Err(DateFault::TwoDigitYear), _) => fault = DateFault::TwoDigitYear,
                (Ok(read), Some(known)) if read != known => match (read.date(), known.date()) {
                    (Some(_), Some(_)) => return Err(DateFault::Ambiguous),
                    (Some(_), None) => found = Some(read),
                    _ => {}
                },
                (Ok(read), None) => found = Some(read),
                _ => {}
            }
        }
        found.ok_or(fault)
    }

    /// Reads a day that the calendar has.
    pub(in crate::cli::agency) fn read(&self, cell: &str) -> Result<Date, DateFault> {
        self.read_written(cell)?.date().ok_or(DateFault::Form)
    }

    /// Reads a month, or the month of a date.
    pub(in crate::cli::agency) fn read_month(&self, cell: &str) -> Result<Month, DateFault> {
        cell.trim().parse().or_else(|_| self.read(cell).map(Month::of))
    }
}

impl DateForm {
    fn read(self, text: &str) -> Result<WrittenDate, DateFault> {
        let form = DateFault::Form;
        if self == Self::MonthName {
            return read_month_name(text);
        }
        let text = text.split([' ', 'T']).next().unwrap_or_default();
        let (separators, exact): (&[char], bool) = match self {
            Self::Iso => (&['-'], true),
            Self::YearSlash => (&['/'], false),
            _ => (&['/', '-', '.'], false),
        };
        if self == Self::Compact {
            return match (text.len(), number(text, 6, 8)) {
                (8, Some(_)) => written(&text[..4], &text[4..6], &text[6..], true),
                (6, Some(_)) => Err(DateFault::TwoDigitYear),
                _ => Err(form),
            };
        }
        let mut parts = text.split(separators);
        let (Some(first), Some(second), Some(third), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(form);
        };
        match self {
            Self::DayMonthYear => written(third, second, first, exact),
            Self::MonthDayYear => written(third, first, second, exact),
            _ => written(first, second, third, exact),
        }
    }
}

fn read_month_name(text: &str) -> Result<WrittenDate, DateFault> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let mut parts = text.split([' ', '-', '/', ',']).filter(|part| !part.is_empty());
    let (Some(day), Some(name), Some(year)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(DateFault::Form);
    };
    if parts.any(|rest| !rest.contains(':')) {
        return Err(DateFault::Form); // only a time may follow
    }
    let name = name.to_lowercase();
    let is_named = |month: &&str| **month == *name || (name.len() >= 3 && name.len() <= 4 && month.starts_with(&name));
    let month = MONTHS.iter().position(is_named).ok_or(DateFault::Form)? + 1;
    written(year, &format!("{month:02}"), day, false)
}

fn written(year: &str, month: &str, day: &str, exact: bool) -> Result<WrittenDate, DateFault> {
    let least = if exact { 2 } else { 1 };
    let (Some(month), Some(day)) = (number(month, least, 2), number(day, least, 2)) else {
        return Err(DateFault::Form);
    };
    match (number(year, 4, 4), number(year, 2, 2)) {
        (Some(year), _) => Ok(WrittenDate { year: year as i16, month: month as i16, day: day as i16 }),
        (None, Some(_)) => Err(DateFault::TwoDigitYear),
        (None, None) => Err(DateFault::Form),
    }
}

/// Five digits, or five and a fraction: the days since 1900 that a spreadsheet counts.
fn is_serial(text: &str) -> bool {
    let (days, fraction) = text.split_once('.').unwrap_or((text, "0"));
    number(days, 5, 5).is_some() && !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

fn number(digits: &str, least: usize, most: usize) -> Option<u32> {
    let fits = (least..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { digits.parse().ok() } else { None }
}

/// Whether a cell holds a spreadsheet's number of a day.
pub(in crate::cli::agency) fn date_serial(cell: &str) -> Option<&'static str> {
    is_serial(cell.trim()).then_some(SERIAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(forms: &[DateForm]) -> DateForms {
        DateForms(forms.to_vec())
    }

    #[test]
    fn a_date_is_read_in_its_columns_forms_only_or_as_iso() {
        use DateForm::{Compact, DayMonthYear, Iso, MonthDayYear, MonthName, YearSlash};
        let day = Date::constant(2026, 4, 3);
        for (cell, form) in [
            ("2026-04-03", Iso),
            ("2026-04-03T00:00:00", DayMonthYear),
            ("3/4/2026", DayMonthYear),
            ("03.04.2026 00:00", DayMonthYear),
            ("20260403", Compact),
            ("04/03/2026", MonthDayYear),
            ("03-Apr-2026", MonthName),
            ("3 APRIL 2026", MonthName),
            ("03/Apr/2026 09:30", MonthName),
            ("2026/4/3", YearSlash),
        ] {
            assert_eq!(forms(&[form]).read(cell), Ok(day), "{cell}");
        }
        assert_eq!(forms(&[MonthName]).read("17-OCT-2009"), Ok(Date::constant(2009, 10, 17)));
        for (cell, form, fault) in [
            ("03/04/2026", Iso, DateFault::Form),
            ("20260403", Iso, DateFault::Form),
            ("03/04/26", DayMonthYear, DateFault::TwoDigitYear),
            ("03/04/26", MonthDayYear, DateFault::TwoDigitYear),
            ("3-Apr-26", MonthName, DateFault::TwoDigitYear),
            ("260403", Compact, DateFault::TwoDigitYear),
            ("31/02/2026", DayMonthYear, DateFault::Form),
            ("2026-4-3", Iso, DateFault::Form),
            ("2026-04-03-01", Iso, DateFault::Form),
            ("\u{e9}0260403", Compact, DateFault::Form),
            ("3-Ap-2026", MonthName, DateFault::Form),
            ("39920", DayMonthYear, DateFault::Serial),
            ("39920.5", Iso, DateFault::Serial),
            ("", Iso, DateFault::Form),
        ] {
            assert_eq!(forms(&[form]).read(cell), Err(fault), "{cell}");
        }
        assert_eq!(forms(&[DayMonthYear]).read_month("2026-04"), Ok(Month::of(day)));
        assert_eq!(forms(&[DayMonthYear]).read_month("03/04/2026"), Ok(Month::of(day)));
    }

    #[test]
    fn a_day_that_two_forms_read_differently_is_refused_and_one_that_only_one_can_read_is_not() {
        let both = forms(&[DateForm::DayMonthYear, DateForm::MonthDayYear]);
        assert_eq!(both.read("03/04/2026"), Err(DateFault::Ambiguous));
        assert_eq!(both.read("04/04/2026"), Ok(Date::constant(2026, 4, 4)));
        assert_eq!(both.read("17/04/2026"), Ok(Date::constant(2026, 4, 17)));
        assert_eq!(both.read("04/17/2026"), Ok(Date::constant(2026, 4, 17)));
        let several = forms(&[DateForm::DayMonthYear, DateForm::Iso, DateForm::MonthName]);
        for cell in ["17/04/2026", "2026-04-17", "17 April 2026"] {
            assert_eq!(several.read(cell), Ok(Date::constant(2026, 4, 17)), "{cell}");
        }
    }

    #[test]
    fn a_date_reads_back_in_every_form_it_is_written_in() {
        let day = WrittenDate { year: 987, month: 12, day: 3 };
        for (form, format) in [
            (DateForm::Iso, DateFormat::Iso),
            (DateForm::Compact, DateFormat::YearMonthDay),
            (DateForm::DayMonthYear, DateFormat::DayMonthYear),
        ] {
            let mut text = String::new();
            day.write(format, &mut text);
            assert_eq!(forms(&[form]).read_written(&text), Ok(day), "{text}");
        }
    }
}
