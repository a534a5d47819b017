//! What spreadsheets do to the cells of a file: around a value, and in place of it.

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
                b"#N/A"
                    | b"#REF!"
                    | b"#VALUE!"
                    | b"#NAME?"
                    | b"#DIV/0!"
                    | b"#NUM!"
                    | b"#NULL!"
                    | b"#SPILL!"
                    | b"#CALC!"
                    | b"#FIELD!"
                    | b"#BLOCKED!"
                    | b"#CONNECT!"
                    | b"#UNKNOWN!"
                    | b"#GETTING_DATA"
            );
            (is_error || bytes.iter().all(|&byte| byte == b'#')).then_some(SPREADSHEET_ERROR)
        }
        // LibreOffice: `Err:502`.
        b'E' => {
            let number = bytes.strip_prefix(b"Err:")?;
            (!number.is_empty() && number.iter().all(u8::is_ascii_digit)).then_some(SPREADSHEET_ERROR)
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

/// What a spreadsheet puts around a value goes: spaces of every kind, an apostrophe before it, and
/// `="…"` around it, both of which keep a number from being taken for one.
pub(in crate::cli::agency) fn clean(cell: &str) -> &str {
    let is_blank = |c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}');
    let cell = cell.trim_matches(is_blank);
    let formula = cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    formula.or_else(|| cell.strip_prefix('\'')).unwrap_or(cell).trim_matches(is_blank)
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
            ("#REF!", Some(SPREADSHEET_ERROR)),
            ("Err:502", Some(SPREADSHEET_ERROR)),
            ("Err:or", None),
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
    fn what_a_spreadsheet_puts_around_a_value_goes() {
        for (cell, value) in [
            (" \u{a0}9990000018\u{202f} ", "9990000018"),
            ("'0123", "0123"),
            ("' 0123", "0123"),
            ("=\"0123\"", "0123"),
            ("O'Brien", "O'Brien"),
            ("=0123", "=0123"),
            ("'", ""),
            ("\u{feff}\u{a0}", ""),
        ] {
            assert_eq!(clean(cell), value, "{cell:?}");
        }
    }
}
