//! Client assertions (`private_key_jwt`): how an agency's or tool's client proves who it is at the
//! token endpoint, on top of its client certificate.
//!
//! Source: RFC 7523 as tightened by draft-ietf-oauth-rfc7523bis: one audience, a short life, an
//! explicit type.

use std::fmt;

use jsonwebtoken::EncodingKey;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;
use zeroize::Zeroizing;

use super::error::{ClaimFault, JwtError};
use super::jwk::PublicKey;
use super::jws::{self, Compact, seconds_between};
use crate::crypto::random::{Random, random_bytes};
use crate::crypto::sign::{SignError, SigningKey};
use crate::domain::time::Timestamp;
use crate::domain::token::encode_base64url;

const TYPE: &str = "client-authentication+jwt";
/// The longest time between `iat` and `exp`.
const MAX_LIFE_S: i64 = 120;
/// How far `iat` may lie from the gateway's clock, either way.
const IAT_WINDOW_S: i64 = 30;
/// What `exp` and `nbf` are forgiven.
const LEEWAY_S: i64 = 5;

/// A key that a client registered; the database finds it by client and key id.
#[derive(Debug, Clone)]
pub struct RegisteredKey {
    /// The client's id, as in the claims `iss` and `sub`.
    pub client_id: String,
    /// The key's id, as in the header.
    pub kid: String,
    /// The key; it fixes the algorithm.
    pub key: PublicKey,
}

/// An assertion taken apart, before any signature is checked: good for nothing but looking up the
/// registered key.
pub struct UnverifiedAssertion {
    compact: Compact,
    client_id: String,
}

impl UnverifiedAssertion {
    /// Takes an assertion apart and finds who claims to have made it.
    ///
    /// # Errors
    ///
    /// [`JwtError`] for a wrong form, header, issuer or subject.
    pub fn parse(assertion: &str) -> Result<Self, JwtError> {
        let compact = Compact::parse(assertion, TYPE)?;
        let client_id = compact.claims.text("sub")?.to_owned();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !(1..=64).contains(&client_id.len()) || !client_id.bytes().all(plain) {
            let fault = ClaimFault::Value("a client id: 1 to 64 letters, digits, '-', '_' or '.'");
            return Err(JwtError::Claim { claim: "sub", fault });
        }
        compact.claims.exactly("iss", &client_id, "the client id, the same as 'sub'")?;
        Ok(Self { compact, client_id })
    }

    /// Who claims to have made it.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Which of the client's keys it claims to be signed with.
    pub fn kid(&self) -> &str {
        &self.compact.kid
    }
}

impl fmt::Debug for UnverifiedAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedAssertion(redacted)")
    }
}

/// A verified assertion. Single use is the caller's part: store client id and `jti` under a unique
/// key until `keep_until`, and refuse when they are there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The client that made it.
    pub client_id: String,
    /// The key it was signed with.
    pub kid: String,
    /// Its unique id.
    pub jti: String,
    /// Until when a repeat of it could still be accepted.
    pub keep_until: Timestamp,
}

/// Verifies client assertions that are meant for one gateway.
#[derive(Debug, Clone)]
pub struct AssertionVerifier {
    audience: String,
}

impl AssertionVerifier {
    /// Takes the gateway's issuer id, the only audience that is accepted.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self { audience: issuer.into() }
    }

    /// Checks signature and claims against the registered key and the gateway's clock.
    ///
    /// # Errors
    ///
    /// [`JwtError`] saying which part or claim is wrong and what to do about it.
    pub fn verify(
        &self,
        unverified: &UnverifiedAssertion,
        registered: &RegisteredKey,
        now: Timestamp,
    ) -> Result<Assertion, JwtError> {
        let UnverifiedAssertion { compact, client_id } = unverified;
        // The lookup used both; a caller that looked up loosely must not get through.
        if compact.kid != registered.kid || *client_id != registered.client_id {
            return Err(JwtError::KeyId);
        }
        compact.verify(&registered.key)?;
        let claims = &compact.claims;
        claims.exactly("aud", &self.audience, "this gateway's issuer id, as one string")?;
        let jti = claims.jti()?.to_owned();
        let (issued, expires) = (claims.time("iat")?, claims.time("exp")?);
        let not_before = claims.optional_time("nbf")?;
        let life = seconds_between(issued, expires);
        if !(1..=MAX_LIFE_S).contains(&life) {
            let fault = ClaimFault::Value("1 to 120 seconds after 'iat'");
            return Err(JwtError::Claim { claim: "exp", fault });
        }
        if seconds_between(now, issued) > IAT_WINDOW_S {
            return Err(JwtError::ClockAhead { claim: "iat", seconds: seconds_between(now, issued) });
        }
        if seconds_between(issued, now) > IAT_WINDOW_S {
            return Err(JwtError::ClockBehind { seconds: seconds_between(issued, now) });
        }
        if seconds_between(expires, now) >= LEEWAY_S {
            return Err(JwtError::Expired { seconds: seconds_between(expires, now) });
        }
        if let Some(start) = not_before.filter(|&start| seconds_between(now, start) > LEEWAY_S) {
            return Err(JwtError::ClockAhead { claim: "nbf", seconds: seconds_between(now, start) });
        }
        let keep_until = expires.plus_seconds(LEEWAY_S);
        Ok(Assertion { client_id: client_id.clone(), kid: compact.kid.clone(), jti, keep_until })
    }
}

/// A client's own private key.
pub enum ClientKey {
    /// Signs EdDSA.
    Ed25519(SigningKey),
    /// Signs ES256.
    P256 {
        /// The private key, PKCS#8.
        pkcs8: Zeroizing<Vec<u8>>,
        /// Its public half.
        public: PublicKey,
    },
}

impl ClientKey {
    /// Makes a new Ed25519 key on the client's machine.
    pub fn generate(random: &dyn Random) -> Self {
        Self::Ed25519(SigningKey::generate(random))
    }

    /// Makes a new P-256 key, for clients whose key store has no Ed25519.
    ///
    /// # Errors
    ///
    /// [`SignError::PrivateKey`] if the operating system gives no randomness.
    pub fn generate_p256() -> Result<Self, SignError> {
        let random = ring::rand::SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        Self::from_pkcs8(pkcs8.map_err(|_| SignError::PrivateKey)?.as_ref())
    }

    /// Reads a PKCS#8 key of either kind.
    ///
    /// # Errors
    ///
    /// [`SignError::PrivateKey`] for anything else.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SignError> {
        if let Ok(key) = SigningKey::from_pkcs8(der) {
            return Ok(Self::Ed25519(key));
        }
        let random = ring::rand::SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random)
            .map_err(|_| SignError::PrivateKey)?;
        let (_, point) = pair.public_key().as_ref().split_first().ok_or(SignError::PrivateKey)?;
        let (x, y) = point.split_at_checked(32).ok_or(SignError::PrivateKey)?;
        let (Ok(x), Ok(y)) = (x.try_into(), y.try_into()) else {
            return Err(SignError::PrivateKey);
        };
        Ok(Self::P256 { pkcs8: Zeroizing::new(der.to_vec()), public: PublicKey::P256 { x, y } })
    }

    /// The key as PKCS#8 DER, to write the client's file.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Ed25519(key) => key.to_pkcs8(),
            Self::P256 { pkcs8, .. } => pkcs8.clone(),
        }
    }

    /// The public half, to register.
    pub fn public(&self) -> PublicKey {
        match self {
            Self::Ed25519(key) => PublicKey::Ed25519(key.verifying_key()),
            Self::P256 { public, .. } => public.clone(),
        }
    }

    pub(super) fn encoding_key(&self) -> EncodingKey {
        match self {
            Self::Ed25519(key) => EncodingKey::from_ed_der(&key.to_pkcs8()),
            Self::P256 { pkcs8, .. } => EncodingKey::from_ec_der(pkcs8),
        }
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKey(redacted, {:?})", self.public())
    }
}

/// Makes an assertion for one token request. `kid` is the key's thumbprint unless the gateway
/// registered another.
///
/// # Errors
///
/// [`SignError::PrivateKey`] if the key cannot sign.
pub fn make_assertion(
    key: &ClientKey,
    kid: &str,
    client_id: &str,
    gateway_issuer: &str,
    now: Timestamp,
    random: &dyn Random,
) -> Result<String, SignError> {
    let algorithm = key.public().algorithm();
    let header = json!({ "alg": algorithm.name(), "typ": TYPE, "kid": kid });
    let issued = now.as_seconds();
    let claims = json!({
        "iss": client_id,
        "sub": client_id,
        "aud": gateway_issuer,
        "iat": issued,
        "exp": issued + 60,
        "jti": encode_base64url(&random_bytes::<16>(random)),
    });
    jws::sign(&header, &claims, &key.encoding_key(), algorithm.into()).map_err(|_| SignError::PrivateKey)
}
