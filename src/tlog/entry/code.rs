//! Short codes that entries use beside the identifiers of the domain.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a code. Never carries the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a code: 1 to 128 letters, digits, '-', '_', '.', ':' or '/', starting with a letter or digit")]
pub struct CodeError;

/// A short code: a client, a rule, a reason, a term of an agreement (`tff-schools-2026/v3/screen`).
///
/// Free text and names of people do not fit in one, on purpose.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

impl Code {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Code {
    type Err = CodeError;
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/');
        let starts_well = text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        if starts_well && text.len() <= 128 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CodeError)
        }
    }
}
impl TryFrom<String> for Code {
    type Error = CodeError;
    fn try_from(text: String) -> Result<Self, CodeError> {
        text.parse()
    }
}
impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.0
    }
}
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_text_is_no_code() {
        for good in ["a", "tff-schools-2026/v3/screen-A4", "no-agreement", "R07"] {
            assert_eq!(good.parse::<Code>().map(String::from), Ok(good.to_owned()));
        }
        let long = "a".repeat(129);
        for bad in ["", "/a", "Jowan Trelawny", "a\n", "é", long.as_str()] {
            assert_eq!(bad.parse::<Code>(), Err(CodeError), "{bad}");
        }
    }
}
