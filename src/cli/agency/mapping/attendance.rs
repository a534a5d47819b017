//! School attendance: a column a term, of percentages or of bands. Only the band of it leaves.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::record::{AttendanceBand, TermName};

/// The attendance of one term.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttendanceMapping {
    /// Which term.
    pub term: TermName,
    /// The heading.
    pub column: String,
    /// How the column says it.
    #[serde(rename = "as")]
    pub form: AttendanceForm,
    /// For bands: word to band, where the column has other words than the two codes.
    pub values: Option<BTreeMap<String, AttendanceBand>>,
}

/// How a column says attendance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttendanceForm {
    /// `87.5` or `87.5%`.
    Percent,
    /// `below_90` or `90_and_over`, or the words that `values` lists.
    Band,
}

const PERCENT: &str = "cell.percent";
const FRACTION: &str = "cell.percent_fraction";

/// Every code of attendance with what it means and what to do.
pub(in crate::cli::agency) const ATTENDANCE_CODES: &[(&str, &str)] = &[
    (PERCENT, "The cell is no percentage from 0 to 100."),
    (
        FRACTION,
        "The cell is a number up to 1: it may be a fraction or a percentage. Format the column as a percentage and export again.",
    ),
];

/// Reads a percentage; the comparison is on whole digits, so that 89.999 is below 90.
pub(in crate::cli::agency) fn read_percent(cell: &str) -> Result<AttendanceBand, &'static str> {
    let (number, has_sign) = match cell.strip_suffix('%') {
        Some(number) => (number.trim_end(), true),
        None => (cell, false),
    };
    let (whole, decimals) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(decimals) || whole.len() > 3 {
        return Err(PERCENT);
    }
    let has_rest = decimals.bytes().any(|byte| byte != b'0');
    match whole.parse::<u16>().map_err(|_| PERCENT)? {
        // A bare 0.93 is most likely 93 per cent, and a bare 1 all of them: not to be guessed.
        0 if has_rest && !has_sign => Err(FRACTION),
        1 if !has_rest && !has_sign => Err(FRACTION),
        100 if has_rest => Err(PERCENT),
        101.. => Err(PERCENT),
        whole => Ok(if whole < 90 { AttendanceBand::Below90 } else { AttendanceBand::AtLeast90 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_below_ninety_is_told_from_ninety() {
        for (cell, expected) in [
            ("89.9999999999999999999", Ok(AttendanceBand::Below90)),
            ("90", Ok(AttendanceBand::AtLeast90)),
            ("90.0%", Ok(AttendanceBand::AtLeast90)),
            ("100 %", Ok(AttendanceBand::AtLeast90)),
            ("89,5", Ok(AttendanceBand::Below90)),
            ("0", Ok(AttendanceBand::Below90)),
            ("1%", Ok(AttendanceBand::Below90)),
            ("0.93", Err(FRACTION)),
            ("1", Err(FRACTION)),
            ("1.0", Err(FRACTION)),
            ("100.1", Err(PERCENT)),
            ("-5", Err(PERCENT)),
            ("", Err(PERCENT)),
            ("n/a", Err(PERCENT)),
            ("9990000018", Err(PERCENT)),
        ] {
            assert_eq!(read_percent(cell), expected, "{cell}");
        }
    }
}
