//! What stands in a cell: dates, months, and what spreadsheets do to numbers.

use jiff::civil::Date;

use super::DateForm;
use crate::domain::match_keys::DateFormat;
use crate::domain::time::Month;

/// A long number that a spreadsheet shortened; its last digits are lost.
const SCIENTIFIC: &str = "cell.scientific";
/// A spreadsheet's error in place of a value.
const SPREADSHEET_ERROR: &str = "cell.spreadsheet_error";
/// Both codes with what they mean and what to do.
pub(in crate::cli::agency) const CELL_CODES: &[(&str, &str)] = &[
    (
        SCIENTIFIC,
        "A spreadsheet shortened the number and its last digits are lost. Format the column as text and export again.",
    ),
    (SPREADSHEET_ERROR, "The spreadsheet shows an error in place of a value."),
];

/// The code of what a spreadsheet did to a cell: `1.23E+12` in place of a number, `#N/A`, `####`.
pub(in crate::cli::agency) fn spreadsheet_fault(cell: &str) -> Option<&'static str> {
    let bytes = cell.trim().as_bytes();
    match bytes.first()? {
        b'#' => {
            let is_error = matches!(
                bytes,
                b"#N/A" | b"#REF!" | b"#VALUE!" | b"#NAME?" | b"#DIV/0!" | b"#NUM!" | b"#NULL!" | b"#SPILL!"
            );
            (is_error || bytes.iter().all(|&byte| byte == b'#')).then_some(SPREADSHEET_ERROR)
        }
        b'0'..=b'9' | b'+' | b'-' => is_scientific(bytes).then_some(SCIENTIFIC),
        _ => None,
    }
}

/// Digits, `E` and an exponent; with a decimal point or a signed exponent, so that an identifier
/// such as `12E34` is not taken for a number.
fn is_scientific(bytes: &[u8]) -> bool {
    let unsigned = bytes.strip_prefix(b"+").or_else(|| bytes.strip_prefix(b"-")).unwrap_or(bytes);
    let Some(at) = unsigned.iter().position(|byte| matches!(byte, b'E' | b'e')) else { return false };
    let (number, exponent) = (&unsigned[..at], &unsigned[at + 1..]);
    let is_digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    let point = number.iter().position(|byte| matches!(byte, b'.' | b','));
    let is_number = match point {
        Some(point) => is_digits(&number[..point]) && is_digits(&number[point + 1..]),
        None => is_digits(number),
    };
    let signed = exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-"));
    is_number && is_digits(signed.unwrap_or(exponent)) && (signed.is_some() || point.is_some())
}

/// Reads a date in the form of its column, with a time after it or none; an ISO date, which cannot
/// be mistaken, is read in every form.
pub(in crate::cli::agency) fn read_date(cell: &str, form: DateForm) -> Option<Date> {
    let day = cell.trim().split([' ', 'T']).next()?;
    let read = |form| match form {
        DateForm::Iso => {
            let mut parts = day.split('-');
            let (year, month, day) = (number(parts.next()?, 4, 4)?, number(parts.next()?, 2, 2)?, parts.next()?);
            (parts.next().is_none()).then_some((year, month, number(day, 2, 2)?))
        }
        DateForm::Yyyymmdd if day.len() == 8 && day.is_ascii() => {
            Some((number(&day[..4], 4, 4)?, number(&day[4..6], 2, 2)?, number(&day[6..], 2, 2)?))
        }
        DateForm::Yyyymmdd => None,
        DateForm::Dmy => {
            let mut parts = day.split(['/', '-', '.']);
            let (day, month, year) = (number(parts.next()?, 1, 2)?, number(parts.next()?, 1, 2)?, parts.next()?);
            (parts.next().is_none()).then_some((number(year, 4, 4)?, month, day))
        }
    };
    let (year, month, day) = read(form).or_else(|| read(DateForm::Iso))?;
    Date::new(year, month as i8, day as i8).ok()
}

/// Reads a month, or the month of a date.
pub(in crate::cli::agency) fn read_month(cell: &str, form: DateForm) -> Option<Month> {
    cell.trim().parse().ok().or_else(|| read_date(cell, form).map(Month::of))
}

/// Writes a date in the form that a field of the match keys declares.
pub(in crate::cli::agency) fn write_date(date: Date, format: DateFormat, out: &mut String) {
    use std::fmt::Write as _;
    let (year, month, day) = (date.year(), date.month(), date.day());
    let written = match format {
        DateFormat::Iso => write!(out, "{year:04}-{month:02}-{day:02}"),
        DateFormat::YearMonthDay => write!(out, "{year:04}{month:02}{day:02}"),
        DateFormat::DayMonthYear => write!(out, "{day:02}/{month:02}/{year:04}"),
    };
    written.expect("writing to a string does not fail");
}

fn number(digits: &str, least: usize, most: usize) -> Option<i16> {
    let fits = (least..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortened_numbers_and_spreadsheet_errors_are_told_from_values() {
        for (cell, code) in [
            ("9.99E+09", Some(SCIENTIFIC)),
            (" 1E+11 ", Some(SCIENTIFIC)),
            ("1,23e12", Some(SCIENTIFIC)),
            ("1.5E-05", Some(SCIENTIFIC)),
            ("#N/A", Some(SPREADSHEET_ERROR)),
            ("########", Some(SPREADSHEET_ERROR)),
            ("12E34", None),
            ("9990000018", None),
            ("#12", None),
            ("2001/0123456E", None),
            ("E+5", None),
            ("", None),
        ] {
            assert_eq!(spreadsheet_fault(cell), code, "{cell}");
        }
    }

    #[test]
    fn a_date_is_read_in_its_columns_form_only_or_as_iso() {
        let day = Date::constant(2026, 4, 3);
        for (cell, form) in [
            ("2026-04-03", DateForm::Iso),
            ("2026-04-03T00:00:00", DateForm::Dmy),
            ("3/4/2026", DateForm::Dmy),
            ("03.04.2026 00:00", DateForm::Dmy),
            ("20260403", DateForm::Yyyymmdd),
        ] {
            assert_eq!(read_date(cell, form), Some(day), "{cell}");
        }
        for (cell, form) in [
            ("03/04/2026", DateForm::Iso),
            ("20260403", DateForm::Iso),
            ("03/04/26", DateForm::Dmy),
            ("31/02/2026", DateForm::Dmy),
            ("2026-4-3", DateForm::Iso),
            ("2026-04-03-01", DateForm::Iso),
            ("é0260403", DateForm::Yyyymmdd),
            ("", DateForm::Iso),
        ] {
            assert_eq!(read_date(cell, form), None, "{cell}");
        }
        assert_eq!(read_month("2026-04", DateForm::Dmy), Some(Month::of(day)));
        assert_eq!(read_month("03/04/2026", DateForm::Dmy), Some(Month::of(day)));
    }

    #[test]
    fn a_date_reads_back_in_every_form_it_is_written_in() {
        let day = Date::constant(987, 12, 3);
        for form in [DateForm::Iso, DateForm::Yyyymmdd, DateForm::Dmy] {
            let mut text = String::new();
            write_date(day, form.into(), &mut text);
            assert_eq!(read_date(&text, form), Some(day), "{text}");
        }
    }
}
