//! What all identifiers share: separators, placeholders, characters that look like others.

use super::error::IdentityError;

/// ASCII characters without separators, in upper case, on the stack.
pub(super) struct Compact {
    bytes: [u8; 24],
    length: usize,
}

impl Compact {
    /// Drops spaces, hyphens and what cannot be seen; `None` for any other character outside ASCII
    /// and for more than 24 characters. Nothing is ever padded.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut compact = Self { bytes: [0; 24], length: 0 };
        for c in text.chars() {
            if is_separator(c) {
                continue;
            }
            if !c.is_ascii_graphic() || compact.length == compact.bytes.len() {
                return None;
            }
            compact.bytes[compact.length] = (c as u8).to_ascii_uppercase();
            compact.length += 1;
        }
        Some(compact)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Exactly `N` digits.
    pub(super) fn digits<const N: usize>(&self) -> Option<[u8; N]> {
        let bytes: [u8; N] = self.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_digit).then_some(bytes)
    }
}

/// Spaces of every width, hyphens and dashes, and characters without width.
pub(super) fn is_separator(c: char) -> bool {
    match c {
        ' ' | '-' | '\t' | '\r' | '\n' => true,
        _ if c.is_ascii() => c.is_ascii_whitespace(),
        _ => is_dash(c) || is_invisible(c) || c.is_whitespace(),
    }
}

pub(super) fn is_dash(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}')
}

pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// Says of a text that was refused whether it was empty, a word that means nothing, or wrong.
pub(super) fn classify(
    text: &str,
    missing: IdentityError,
    placeholder: IdentityError,
    otherwise: IdentityError,
) -> IdentityError {
    let trimmed = text.trim_matches(|c: char| is_separator(c));
    if trimmed.is_empty() {
        return if text.contains('-') { placeholder } else { missing };
    }
    let repeated = trimmed.len() <= 24 && trimmed.chars().all(|c| matches!(c, '?' | '.' | '*' | '_' | '/'))
        || trimmed.bytes().all(|b| b.eq_ignore_ascii_case(&b'X'));
    if repeated || PLACEHOLDERS.iter().any(|word| trimmed.eq_ignore_ascii_case(word)) { placeholder } else { otherwise }
}

const PLACEHOLDERS: [&str; 22] = [
    "NK",
    "N/K",
    "NA",
    "N/A",
    "#N/A",
    "NONE",
    "NULL",
    "NIL",
    "NAN",
    "UNKNOWN",
    "NOT KNOWN",
    "UNKN",
    "TBC",
    "TBA",
    "NOT GIVEN",
    "NOT STATED",
    "NOT RECORDED",
    "NOT APPLICABLE",
    "WITHHELD",
    "REFUSED",
    "NFA",
    "NO FIXED ABODE",
];

/// Writes `Type(redacted)`: a log line must never show an identifier.
macro_rules! redacted_debug {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )*};
}
pub(super) use redacted_debug;

/// The text of bytes that are ASCII by construction.
pub(super) fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("only ASCII bytes are stored")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_go_and_nothing_is_added() {
        let compact = Compact::read(" ab\u{a0}1-2\u{2013}3\u{200b}\t").expect("short");
        assert_eq!(compact.as_bytes(), b"AB123");
        assert!(Compact::read("１２").is_none(), "full-width digits are not digits here");
        assert!(Compact::read(&"1".repeat(25)).is_none());
    }
}
