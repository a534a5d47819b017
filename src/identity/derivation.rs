//! What is taken of a normalised value: initials, Soundex, parts of dates and postcodes.

use super::postcode;
use crate::domain::match_keys::Derivation;

/// Writes the derived value over `out`; `false` if the value has none, as a name in another script
/// has no Soundex.
pub(super) fn derive_into(value: &str, derivation: Derivation, out: &mut Vec<u8>) -> bool {
    out.clear();
    match derivation {
        Derivation::Exact => out.extend_from_slice(value.as_bytes()),
        Derivation::Initial => out.extend_from_slice(first(value, 1).as_bytes()),
        Derivation::Prefix(length) => out.extend_from_slice(first(value, length).as_bytes()),
        Derivation::Soundex => match soundex(value) {
            Some(code) => out.extend_from_slice(&code),
            None => return false,
        },
        Derivation::Area => out.extend_from_slice(postcode::area(value).as_bytes()),
        Derivation::District => out.extend_from_slice(postcode::district(value).as_bytes()),
        Derivation::Sector => out.extend_from_slice(postcode::sector(value).as_bytes()),
        Derivation::DigitsSorted => {
            out.extend(value.bytes().filter(u8::is_ascii_digit));
            out.sort_unstable();
        }
        Derivation::Year | Derivation::YearMonth | Derivation::MonthDay | Derivation::DayMonthSorted => {
            let Some((year, rest)) = value.as_bytes().split_first_chunk::<4>() else { return false };
            let [_, month @ .., _, tens, units] = rest else { return false };
            match derivation {
                Derivation::Year => out.extend_from_slice(year),
                Derivation::YearMonth => out.extend_from_slice(&value.as_bytes()[..7]),
                Derivation::MonthDay => out.extend_from_slice(&rest[1..]),
                _ => {
                    let day = &[*tens, *units][..];
                    let (low, high) = if month <= day { (month, day) } else { (day, month) };
                    out.extend_from_slice(year);
                    out.push(b'-');
                    out.extend_from_slice(low);
                    out.push(b'-');
                    out.extend_from_slice(high);
                }
            }
        }
    }
    !out.is_empty()
}

fn first(value: &str, characters: u8) -> &str {
    let length = usize::from(characters);
    if let Some(start) = value.get(..length)
        && start.is_ascii()
    {
        return start;
    }
    value.char_indices().nth(usize::from(characters)).map_or(value, |(end, _)| &value[..end])
}

/// American Soundex of the letters A to Z in a value, others left out.
///
/// Source: United States National Archives, "The Soundex Indexing System": H and W do not part
/// letters of one code, vowels do.
fn soundex(value: &str) -> Option<[u8; 4]> {
    let mut letters = value.bytes().filter(u8::is_ascii_uppercase);
    let first = letters.next()?;
    if !value.starts_with(char::from(first)) {
        return None;
    }
    let mut code = [first, b'0', b'0', b'0'];
    let (mut filled, mut last) = (1, digit(first));
    for letter in letters {
        if matches!(letter, b'H' | b'W') {
            continue;
        }
        let this = digit(letter);
        if this != b'0' && this != last {
            code[filled] = this;
            filled += 1;
            if filled == code.len() {
                break;
            }
        }
        last = this;
    }
    Some(code)
}

fn digit(letter: u8) -> u8 {
    match letter {
        b'B' | b'F' | b'P' | b'V' => b'1',
        b'C' | b'G' | b'J' | b'K' | b'Q' | b'S' | b'X' | b'Z' => b'2',
        b'D' | b'T' => b'3',
        b'L' => b'4',
        b'M' | b'N' => b'5',
        b'R' => b'6',
        _ => b'0',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soundex_agrees_with_the_national_archives() {
        for (name, code) in [
            ("WASHINGTON", "W252"),
            ("LEE", "L000"),
            ("GUTIERREZ", "G362"),
            ("PFISTER", "P236"),
            ("JACKSON", "J250"),
            ("TYMCZAK", "T522"),
            ("ASHCRAFT", "A261"),
            ("VANDEUSEN", "V532"),
        ] {
            assert_eq!(soundex(name).as_ref().map(|code| &code[..]), Some(code.as_bytes()), "{name}");
        }
        assert_eq!(soundex("ЛЕНА"), None);
    }

    #[test]
    fn each_derivation_takes_its_part() {
        let cases = [
            ("2009-04-17", Derivation::Year, "2009"),
            ("2009-04-17", Derivation::YearMonth, "2009-04"),
            ("2009-04-17", Derivation::MonthDay, "04-17"),
            ("2009-11-04", Derivation::DayMonthSorted, "2009-04-11"),
            ("2009-04-11", Derivation::DayMonthSorted, "2009-04-11"),
            ("2009-04-17", Derivation::DigitsSorted, "00012479"),
            ("ÉLODIE", Derivation::Prefix(3), "ÉLO"),
            ("AL", Derivation::Prefix(3), "AL"),
            ("JOHN", Derivation::Initial, "J"),
            ("TR21 0HE", Derivation::Sector, "TR21 0"),
        ];
        let mut out = Vec::new();
        for (value, derivation, expected) in cases {
            assert!(derive_into(value, derivation, &mut out));
            assert_eq!(out, expected.as_bytes(), "{derivation:?} of {value}");
        }
        assert!(!derive_into("NO DIGITS", Derivation::DigitsSorted, &mut out), "an empty value is none");
    }
}
