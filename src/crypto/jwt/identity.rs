//! Identity tokens of an OpenID Connect provider: who signed in, as the provider says.
//!
//! Source: OpenID Connect Core 1.0, section 3.1.3.7. Unlike tokens among ourselves these come from
//! software that we do not choose, so RSA keys, an absent `typ` and a list of one audience are taken;
//! everything that makes a token this sign-in's own is not negotiable.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use super::error::{ClaimFault, JwkError, JwtError};
use super::jwk::PublicKey;
use super::jws::{Claims, Compact, Strict, seconds_between};
use crate::domain::time::Timestamp;

/// The longest identity token that is read: some list every group of a person.
const MOST_BYTES: usize = 32 * 1024;
/// How far the provider's clock may differ from ours, in seconds.
const SKEW_SECONDS: i64 = 60;
/// The shortest RSA modulus that is trusted, in bytes: 2048 bits.
const LEAST_MODULUS: usize = 256;

/// A provider's signing keys, from its published key set.
pub struct ProviderKeys(Vec<ProviderKey>);

struct ProviderKey {
    kid: String,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// What an identity token has to say to be this sign-in's.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// Our name at the provider.
    pub client_id: &'a str,
    /// The nonce of this sign-in.
    pub nonce: &'a str,
    /// The database's clock.
    pub now: Timestamp,
}

/// A person, as the provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The provider's own name for the person, never another's.
    pub subject: String,
    /// How to greet them.
    pub name: String,
    /// When they proved who they are; none where the provider does not say.
    pub authenticated_at: Option<Timestamp>,
    /// The values of the claim that was asked for.
    pub roles: Vec<String>,
}

impl ProviderKeys {
    /// Reads a key set (RFC 7517). Keys for other uses and of other kinds are passed over; a symmetric
    /// or private key spoils the whole set, because its publisher does not know what it does.
    ///
    /// # Errors
    ///
    /// [`JwkError`] when no key remains that can verify.
    pub fn from_jwks(text: &str) -> Result<Self, JwkError> {
        let Ok(Strict(Value::Object(set))) = serde_json::from_str(text) else { return Err(JwkError::Json) };
        let Some(Value::Array(keys)) = set.get("keys") else {
            return Err(JwkError::Member { member: "keys", wanted: "a list of keys" });
        };
        if keys.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
            return Err(JwkError::Private("d"));
        }
        let usable: Vec<ProviderKey> = keys.iter().filter_map(provider_key).collect();
        if usable.is_empty() {
            return Err(JwkError::Member {
                member: "keys",
                wanted: "a signing key: RSA of 2048 bits, P-256 or Ed25519",
            });
        }
        Ok(Self(usable))
    }

    /// Whether the set has a key of this name: when not, it may have been replaced.
    pub fn has(&self, token: &str) -> bool {
        Compact::parse_foreign(token, MOST_BYTES).is_ok_and(|token| self.0.iter().any(|key| key.kid == token.kid))
    }

    /// Verifies an identity token and reads who signed in, with the values of `roles_claim`.
    ///
    /// # Errors
    ///
    /// [`JwtError`] naming what does not hold.
    pub fn verify(&self, token: &str, expected: &Expected<'_>, roles_claim: &str) -> Result<SignedIn, JwtError> {
        let token = Compact::parse_foreign(token, MOST_BYTES)?;
        let key = self.0.iter().find(|key| key.kid == token.kid).ok_or(JwtError::KeyId)?;
        let algorithm = key.algorithms.iter().find(|algorithm| name_of(**algorithm) == token.algorithm);
        let algorithm = algorithm.ok_or(JwtError::Algorithm("one that the provider's key is for"))?;
        super::install();
        let (signed, signature) = token.signed();
        let holds = jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.key, *algorithm);
        if !holds.is_ok_and(|holds| holds) {
            return Err(JwtError::Signature);
        }
        let claims = &token.claims;
        claims.exactly("iss", expected.issuer, "the provider's issuer")?;
        check_audience(claims, expected.client_id)?;
        claims.exactly("nonce", expected.nonce, "the nonce of this sign-in")?;
        let late = seconds_between(claims.time("exp")?, expected.now);
        if late >= SKEW_SECONDS {
            return Err(JwtError::Expired { seconds: late });
        }
        let issued_at = claims.time("iat")?;
        let early = seconds_between(expected.now, issued_at);
        if early > SKEW_SECONDS {
            return Err(JwtError::ClockAhead { claim: "iat", seconds: early });
        }
        let subject = claims.text("sub")?;
        if subject.is_empty() || subject.len() > 255 {
            return Err(JwtError::Claim { claim: "sub", fault: ClaimFault::Value("1 to 255 characters") });
        }
        let name = ["name", "preferred_username", "email"].into_iter().find_map(|claim| claims.text(claim).ok());
        Ok(SignedIn {
            subject: subject.to_owned(),
            name: name.unwrap_or("unnamed").chars().filter(|c| !c.is_control()).take(100).collect(),
            authenticated_at: claims.optional_time("auth_time")?.map(|at| at.min(expected.now)),
            roles: values_of(claims.get(roles_claim)),
        })
    }
}

/// One audience, ourselves: a token that serves several is not for us alone.
fn check_audience(claims: &Claims, client_id: &str) -> Result<(), JwtError> {
    let is_ours = match claims.get("aud") {
        Some(Value::String(audience)) => audience == client_id,
        Some(Value::Array(audiences)) => matches!(&audiences[..], [Value::String(only)] if only == client_id),
        _ => false,
    };
    let is_for_us = claims.get("azp").is_none_or(|party| party.as_str() == Some(client_id));
    if is_ours && is_for_us {
        Ok(())
    } else {
        Err(JwtError::Claim { claim: "aud", fault: ClaimFault::Value("this console's client id alone") })
    }
}

fn values_of(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::String(one)) => one.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn provider_key(jwk: &Value) -> Option<ProviderKey> {
    let text = |member: &str| jwk.get(member).and_then(Value::as_str);
    if text("use").is_some_and(|used_for| used_for != "sig") {
        return None;
    }
    let kid = text("kid")?.to_owned();
    let (key, mut algorithms) = if text("kty")? == "RSA" {
        let (n, e) = (text("n")?, text("e")?);
        let modulus = URL_SAFE_NO_PAD.decode(n).ok()?;
        if modulus.len() < LEAST_MODULUS || modulus.first() == Some(&0) {
            return None;
        }
        (DecodingKey::from_rsa_components(n, e).ok()?, vec![Algorithm::RS256, Algorithm::PS256])
    } else {
        let key = PublicKey::from_jwk(&jwk.to_string()).ok()?;
        let algorithm = key.algorithm().into();
        (key.decoding_key(), vec![algorithm])
    };
    if let Some(only) = text("alg") {
        algorithms.retain(|algorithm| name_of(*algorithm) == only);
    }
    (!algorithms.is_empty()).then_some(ProviderKey { kid, algorithms, key })
}

fn name_of(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RS256 => "RS256",
        Algorithm::PS256 => "PS256",
        Algorithm::ES256 => "ES256",
        Algorithm::EdDSA => "EdDSA",
        _ => "none of ours",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::jwt::ClientKey;
    use crate::crypto::jwt::jws::sign;
    use crate::crypto::random::SystemRandom;

    const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
    const SECONDS: i64 = 1_790_000_000;

    fn expected<'a>() -> Expected<'a> {
        Expected { issuer: "https://login.example", client_id: "porth-console", nonce: "n-1", now: NOW }
    }

    fn claims() -> Value {
        json!({ "iss": "https://login.example", "aud": "porth-console", "sub": "p-17", "nonce": "n-1",
                "exp": SECONDS + 300, "iat": SECONDS - 2, "auth_time": SECONDS - 5, "name": "Elowen Pascoe",
                "roles": ["porth-officer", "staff"] })
    }

    fn provider() -> (ClientKey, ProviderKeys) {
        let key = ClientKey::generate(&SystemRandom::new());
        let set = json!({ "keys": [key.public().to_jwk()] }).to_string();
        (key, ProviderKeys::from_jwks(&set).expect("a key set"))
    }

    fn token(key: &ClientKey, claims: &Value, change: impl Fn(&mut Value)) -> String {
        let mut header = json!({ "alg": "EdDSA", "kid": key.public().thumbprint(), "typ": "JWT" });
        change(&mut header);
        sign(&header, claims, &key.encoding_key(), Algorithm::EdDSA).expect("signed")
    }

    #[test]
    fn a_token_of_this_sign_in_says_who_it_is() {
        let (key, keys) = provider();
        let read = keys.verify(&token(&key, &claims(), |_| {}), &expected(), "roles").expect("verified");
        assert_eq!((read.subject.as_str(), read.name.as_str()), ("p-17", "Elowen Pascoe"));
        assert_eq!(read.roles, ["porth-officer", "staff"]);
        assert_eq!(read.authenticated_at, Some(NOW.plus_seconds(-5)));
        let untyped = token(&key, &claims(), |header| {
            header.as_object_mut().expect("an object").remove("typ");
        });
        assert!(keys.verify(&untyped, &expected(), "roles").is_ok(), "providers may leave the type out");
    }

    #[test]
    fn a_token_of_another_provider_audience_sign_in_or_time_is_refused() {
        let (key, keys) = provider();
        let changes: [(&str, Value); 8] = [
            ("iss", json!("https://other.example")),
            ("aud", json!("another-client")),
            ("aud", json!(["porth-console", "another-client"])),
            ("azp", json!("another-client")),
            ("nonce", json!("n-2")),
            ("exp", json!(SECONDS - 120)),
            ("iat", json!(SECONDS + 120)),
            ("sub", json!("")),
        ];
        for (claim, value) in changes {
            let mut changed = claims();
            changed[claim] = value;
            assert!(keys.verify(&token(&key, &changed, |_| {}), &expected(), "roles").is_err(), "{claim}");
        }
        for claim in ["iss", "aud", "nonce", "exp", "iat", "sub"] {
            let mut without = claims();
            without.as_object_mut().expect("an object").remove(claim);
            assert!(keys.verify(&token(&key, &without, |_| {}), &expected(), "roles").is_err(), "{claim} left out");
        }
    }

    #[test]
    fn another_key_or_algorithm_is_refused() {
        let (key, keys) = provider();
        let (other, _) = provider();
        let disguised = token(&other, &claims(), |header| header["kid"] = key.public().thumbprint().into());
        assert_eq!(keys.verify(&disguised, &expected(), "roles"), Err(JwtError::Signature));
        assert_eq!(keys.verify(&token(&other, &claims(), |_| {}), &expected(), "roles"), Err(JwtError::KeyId));
        for algorithm in ["none", "HS256", "RS256"] {
            let told = token(&key, &claims(), |header| header["alg"] = algorithm.into());
            assert!(matches!(keys.verify(&told, &expected(), "roles"), Err(JwtError::Algorithm(_))), "{algorithm}");
        }
    }

    #[test]
    fn a_key_set_with_nothing_that_verifies_is_refused() {
        let short = json!({ "kty": "RSA", "kid": "a", "n": URL_SAFE_NO_PAD.encode([0x81; 128]), "e": "AQAB" });
        for keys in [json!([]), json!([short]), json!([{ "kty": "oct", "kid": "a", "k": "AAAA" }])] {
            assert!(ProviderKeys::from_jwks(&json!({ "keys": keys }).to_string()).is_err());
        }
        assert!(ProviderKeys::from_jwks("[]").is_err());
    }
}
