//! Forms and queries: names and values, percent-decoded. No name may come twice.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Why a form or query cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A percent sign without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("a name or value is not percent-encoded UTF-8")]
    Encoding,
    /// A name comes twice.
    #[error("a parameter is given twice")]
    Repeated,
}

/// Reads `application/x-www-form-urlencoded` text.
///
/// # Errors
///
/// [`FormError`].
pub fn parse(text: &str) -> Result<BTreeMap<Cow<'_, str>, Cow<'_, str>>, FormError> {
    let mut pairs = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if pairs.insert(decoded(name)?, decoded(value)?).is_some() {
            return Err(FormError::Repeated);
        }
    }
    Ok(pairs)
}

fn decoded(text: &str) -> Result<Cow<'_, str>, FormError> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (rest.next().and_then(digit), rest.next().and_then(digit)) {
                (Some(high), Some(low)) => high * 16 + low,
                _ => return Err(FormError::Encoding),
            },
            other => other,
        });
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| FormError::Encoding)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded() {
        let pairs = parse("grant_type=client_credentials&urn=a%3Ab%2dc+d&empty=&bare").expect("well-formed");
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, [("bare", ""), ("empty", ""), ("grant_type", "client_credentials"), ("urn", "a:b-c d")]);
        assert!(parse("").expect("nothing at all").is_empty());
    }

    #[test]
    fn repeats_and_bad_escapes_are_refused() {
        assert_eq!(parse("a=1&%61=2"), Err(FormError::Repeated));
        for bad in ["a=%", "a=%4", "a=%zz", "a=%+1", "a=%ff"] {
            assert_eq!(parse(bad), Err(FormError::Encoding), "{bad}");
        }
    }
}
