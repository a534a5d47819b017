//! Public keys as partners register them: Ed25519 or P-256, in the form of RFC 7517, every member
//! checked.

use jsonwebtoken::{Algorithm, DecodingKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::error::JwkError;
use super::jws::Strict;
use crate::crypto::sign::VerifyingKey;
use crate::domain::token::{decode_base64url, encode_base64url};

/// The two algorithms that a client may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JwsAlgorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA over P-256 with SHA-256.
    Es256,
}

impl JwsAlgorithm {
    /// The name in a token's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }
}

impl From<JwsAlgorithm> for Algorithm {
    fn from(algorithm: JwsAlgorithm) -> Self {
        match algorithm {
            JwsAlgorithm::EdDsa => Self::EdDSA,
            JwsAlgorithm::Es256 => Self::ES256,
        }
    }
}

/// A public key that verifies tokens of exactly one algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Ed25519, for EdDSA.
    Ed25519(VerifyingKey),
    /// A point of P-256, for ES256.
    P256 {
        /// First coordinate, big-endian.
        x: [u8; 32],
        /// Second coordinate, big-endian.
        y: [u8; 32],
    },
}

/// Members that only a private or symmetric key has (RFC 7518, section 6).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

impl PublicKey {
    /// Reads a JWK.
    ///
    /// Members that only describe, such as `kid`, are ignored: the key id is ours to choose, and is
    /// [`PublicKey::thumbprint`].
    ///
    /// # Errors
    ///
    /// [`JwkError`] naming the member that is private, missing or not accepted.
    pub fn from_jwk(text: &str) -> Result<Self, JwkError> {
        let Ok(Strict(Value::Object(jwk))) = serde_json::from_str(text) else {
            return Err(JwkError::Json);
        };
        if let Some(member) = PRIVATE_MEMBERS.into_iter().find(|&member| jwk.contains_key(member)) {
            return Err(JwkError::Private(member));
        }
        let key = match (text_of(&jwk, "kty"), text_of(&jwk, "crv")) {
            (Some("OKP"), Some("Ed25519")) if jwk.contains_key("y") => {
                return Err(JwkError::Member { member: "y", wanted: "absent for Ed25519" });
            }
            (Some("OKP"), Some("Ed25519")) => {
                let x = coordinate(&jwk, "x")?;
                Self::Ed25519(VerifyingKey::from_bytes(&x).expect("a coordinate has 32 bytes"))
            }
            (Some("EC"), Some("P-256")) => {
                let key = Self::P256 { x: coordinate(&jwk, "x")?, y: coordinate(&jwk, "y")? };
                if !key.is_on_curve() {
                    return Err(JwkError::Point);
                }
                key
            }
            (Some("OKP" | "EC"), _) => return Err(JwkError::Member { member: "crv", wanted: "Ed25519 or P-256" }),
            _ => return Err(JwkError::Member { member: "kty", wanted: "OKP or EC" }),
        };
        let absent_or = |member, value: &str| !jwk.contains_key(member) || text_of(&jwk, member) == Some(value);
        if !absent_or("use", "sig") {
            return Err(JwkError::Member { member: "use", wanted: "absent or 'sig'" });
        }
        if jwk.get("key_ops").is_some_and(|operations| *operations != json!(["verify"])) {
            return Err(JwkError::Member { member: "key_ops", wanted: "absent or 'verify' alone" });
        }
        if !absent_or("alg", key.algorithm().name()) {
            return Err(JwkError::Member { member: "alg", wanted: "absent, or EdDSA for Ed25519 and ES256 for P-256" });
        }
        Ok(key)
    }

    /// The only algorithm that this key verifies.
    pub fn algorithm(&self) -> JwsAlgorithm {
        match self {
            Self::Ed25519(_) => JwsAlgorithm::EdDsa,
            Self::P256 { .. } => JwsAlgorithm::Es256,
        }
    }

    /// The key as a JWK, with its thumbprint as key id.
    pub fn to_jwk(&self) -> Value {
        let mut jwk = self.required_members();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm().name().into();
        jwk["kid"] = self.thumbprint().into();
        jwk
    }

    /// The key id: the SHA-256 thumbprint of RFC 7638, 43 base64url characters.
    pub fn thumbprint(&self) -> String {
        // RFC 7638 wants the required members alone, sorted by name and without white space: they
        // are written in that order below, and `serde_json` prints no white space.
        encode_base64url(&Sha256::digest(self.required_members().to_string()))
    }

    pub(super) fn decoding_key(&self) -> DecodingKey {
        match self {
            Self::Ed25519(key) => DecodingKey::from_ed_der(key.as_bytes()),
            Self::P256 { x, y } => DecodingKey::from_ec_der(&uncompressed(x, y)),
        }
    }

    fn required_members(&self) -> Value {
        match self {
            Self::Ed25519(key) => json!({ "crv": "Ed25519", "kty": "OKP", "x": encode_base64url(key.as_bytes()) }),
            Self::P256 { x, y } => {
                json!({ "crv": "P-256", "kty": "EC", "x": encode_base64url(x), "y": encode_base64url(y) })
            }
        }
    }

    /// ring checks that a point lies on the curve before it computes anything with it; an agreement
    /// with a throw-away key is its public way to ask.
    fn is_on_curve(&self) -> bool {
        let Self::P256 { x, y } = self else { return true };
        let throw_away = EphemeralPrivateKey::generate(&ECDH_P256, &ring::rand::SystemRandom::new());
        let point = UnparsedPublicKey::new(&ECDH_P256, uncompressed(x, y));
        throw_away.is_ok_and(|private| agree_ephemeral(private, &point, |_| ()).is_ok())
    }
}

/// The uncompressed form of a point (SEC 1, section 2.3.3).
fn uncompressed(x: &[u8; 32], y: &[u8; 32]) -> Vec<u8> {
    [[4].as_slice(), x, y].concat()
}

fn text_of<'a>(jwk: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    jwk.get(member).and_then(Value::as_str)
}

fn coordinate(jwk: &Map<String, Value>, member: &'static str) -> Result<[u8; 32], JwkError> {
    let wanted = "32 bytes in base64url without padding";
    text_of(jwk, member).and_then(decode_base64url).ok_or(JwkError::Member { member, wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.2.
    const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    /// RFC 7515, appendix A.3.
    const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

    fn with(jwk: &str, members: &str) -> String {
        format!("{},{members}}}", jwk.trim_end_matches('}'))
    }

    #[test]
    fn the_thumbprint_of_rfc_8037_holds() {
        let key = PublicKey::from_jwk(ED25519).expect("well-formed");
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_key_reads_back_as_written() {
        for jwk in [ED25519, P256] {
            let key = PublicKey::from_jwk(jwk).expect("well-formed");
            assert_eq!(PublicKey::from_jwk(&key.to_jwk().to_string()), Ok(key));
        }
        let described = with(P256, r#""use":"sig","key_ops":["verify"],"alg":"ES256","kid":"ours-1","x5t":"a""#);
        assert_eq!(PublicKey::from_jwk(&described), PublicKey::from_jwk(P256));
    }

    #[test]
    fn every_member_is_checked() {
        let member = |member, wanted| Err(JwkError::Member { member, wanted });
        let crv = member("crv", "Ed25519 or P-256");
        let coordinate = |name| member(name, "32 bytes in base64url without padding");
        let algorithm = member("alg", "absent, or EdDSA for Ed25519 and ES256 for P-256");
        let operations = member("key_ops", "absent or 'verify' alone");
        let cases = [
            ("[]".to_owned(), Err(JwkError::Json)),
            ("{".to_owned(), Err(JwkError::Json)),
            (with(ED25519, r#""kty":"OKP""#), Err(JwkError::Json)),
            (with(ED25519, r#""d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A""#), Err(JwkError::Private("d"))),
            (r#"{"kty":"oct","k":"AAAA"}"#.to_owned(), Err(JwkError::Private("k"))),
            (r#"{"kty":"RSA","n":"AAAA","e":"AQAB"}"#.to_owned(), member("kty", "OKP or EC")),
            ("{}".to_owned(), member("kty", "OKP or EC")),
            (ED25519.replace("Ed25519", "Ed448"), crv.clone()),
            (ED25519.replace("Ed25519", "X25519"), crv.clone()),
            (ED25519.replace("OKP", "EC"), crv.clone()),
            (P256.replace("P-256", "P-521"), crv.clone()),
            (P256.replace("\"EC\"", "\"OKP\""), crv),
            (ED25519.replace("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "11qY"), coordinate("x")),
            (ED25519.replace("HURo\"", "HURo=\""), coordinate("x")),
            (ED25519.replace("HURo\"", "HURp\""), coordinate("x")),
            (ED25519.replace("HURo\"", "HURoAA\""), coordinate("x")),
            (P256.replace(r#","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#, ""), coordinate("y")),
            (P256.replace("f83O", "f83P"), Err(JwkError::Point)),
            (with(ED25519, r#""y":"AAAA""#), member("y", "absent for Ed25519")),
            (with(ED25519, r#""use":"enc""#), member("use", "absent or 'sig'")),
            (with(ED25519, r#""use":null"#), member("use", "absent or 'sig'")),
            (with(ED25519, r#""key_ops":["sign"]"#), operations.clone()),
            (with(ED25519, r#""key_ops":["verify","encrypt"]"#), operations.clone()),
            (with(ED25519, r#""key_ops":"verify""#), operations.clone()),
            (with(ED25519, r#""key_ops":[]"#), operations),
            (with(ED25519, r#""alg":"RS256""#), algorithm.clone()),
            (with(ED25519, r#""alg":"ES256""#), algorithm.clone()),
            (with(P256, r#""alg":"HS256""#), algorithm),
        ];
        for (jwk, expected) in cases {
            assert_eq!(PublicKey::from_jwk(&jwk), expected, "{jwk}");
        }
    }
}
