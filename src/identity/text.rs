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
        if !text.is_ascii() {
            return Self::read_other(text);
        }
        for byte in text.bytes() {
            if byte.is_ascii_graphic() && byte != b'-' {
                *compact.bytes.get_mut(compact.length)? = byte.to_ascii_uppercase();
                compact.length += 1;
            } else if !is_separator(char::from(byte)) {
                return None;
            }
        }
        Some(compact)
    }

    fn read_other(text: &str) -> Option<Self> {
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

    /// A short ASCII text in upper case, separators and all.
    fn upper(text: &str) -> Option<Self> {
        let mut compact = Self { bytes: [0; 24], length: text.len() };
        let place = compact.bytes.get_mut(..text.len()).filter(|_| text.is_ascii())?;
        place.copy_from_slice(text.as_bytes());
        place.make_ascii_uppercase();
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
    let is_mark = trimmed.chars().all(|c| matches!(c, '?' | '.' | '*' | '_' | '/'));
    let upper = Compact::upper(trimmed);
    if is_mark || upper.is_some_and(|upper| is_placeholder(ascii(upper.as_bytes()))) { placeholder } else { otherwise }
}

/// Whether a text in upper case is a word that systems write where they know nothing.
pub(super) fn is_placeholder(upper: &str) -> bool {
    matches!(
        upper,
        "NK" | "N/K"
            | "NA"
            | "N/A"
            | "#N/A"
            | "NONE"
            | "NULL"
            | "NIL"
            | "NAN"
            | "UNKNOWN"
            | "NOT KNOWN"
            | "NOTKNOWN"
            | "UNKN"
            | "UNK"
            | "TBC"
            | "TBA"
            | "NOT GIVEN"
            | "NOT STATED"
            | "NOT RECORDED"
            | "NOT APPLICABLE"
            | "WITHHELD"
            | "REFUSED"
            | "NFA"
            | "NO FIXED ABODE"
            | "NOFIXEDABODE"
            | "X"
            | "XX"
            | "XXX"
            | "XXXX"
    )
}

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
