//! The `Idempotency-Key`: a caller's name for one request, the same when it is repeated.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::web::problem::{Problem, kinds};

const HEADER: &str = "idempotency-key";

/// A well-formed key: 16 to 128 letters, digits, `-` and `_`.
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        // The IETF draft writes the key as a quoted string; most clients leave the quotes out.
        let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        let is_plain = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        ((16..=128).contains(&bare.len()) && is_plain).then(|| Self(bare.to_owned()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let value = values.next().ok_or_else(|| Problem::new(kinds::IDEMPOTENCY_KEY_MISSING))?;
        let key = value.to_str().ok().and_then(Self::parse).filter(|_| values.next().is_none());
        key.ok_or_else(|| Problem::new(kinds::IDEMPOTENCY_KEY_INVALID))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_16_to_128_plain_characters_with_or_without_quotes() {
        let uuid = "0190f5e4-7f3a-7c00-8000-0123456789ab";
        assert_eq!(IdempotencyKey::parse(uuid).expect("a key").as_str(), uuid);
        assert_eq!(IdempotencyKey::parse(&format!("\"{uuid}\"")).expect("quoted").as_str(), uuid);
        assert!(IdempotencyKey::parse(&"a".repeat(128)).is_some());
        for bad in ["", "fifteen-letters", &"a".repeat(129), "Jowan Trelawny, 1 Fore Street", "\"0123456789abcdef"] {
            assert!(IdempotencyKey::parse(bad).is_none(), "{bad}");
        }
    }
}
