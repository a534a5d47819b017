//! The gateway's own access tokens: five minutes, EdDSA, bound to the client certificate they were
//! issued over (RFC 9068 claims, RFC 8705 binding).

use std::fmt;

use jsonwebtoken::EncodingKey;
use serde::Deserialize;
use serde_json::json;

use super::error::{ClaimFault, JwtError};
use super::jwk::PublicKey;
use super::jws::{self, Compact, seconds_between};
use crate::crypto::random::{Random, random_bytes};
use crate::crypto::sign::{SigningKey, VerifyingKey};
use crate::domain::time::Timestamp;
use crate::domain::token::{decode_base64url, encode_base64url};

const TYPE: &str = "at+jwt";
/// What `exp` and `iat` are forgiven: replicas' clocks may differ a little.
const LEEWAY_S: i64 = 5;

/// Issues access tokens and verifies them again on every request.
pub struct AccessTokens {
    issuer: String,
    key: EncodingKey,
    /// The current key first, then keys of earlier versions that may still have live tokens.
    verifying: Vec<(String, PublicKey)>,
}

/// What an access token is issued for.
#[derive(Debug, Clone, Copy)]
pub struct AccessGrant<'a> {
    /// The client that asserted.
    pub client_id: &'a str,
    /// Which of the client's keys signed the assertion: when that key is suspended, so is the token.
    pub key_id: &'a str,
    /// Who acts: the client itself, or the named user of a data-team or officer tool.
    pub subject: &'a str,
    /// What it may do, words joined by spaces.
    pub scope: &'a str,
    /// SHA-256 of the client certificate on the connection, DER.
    pub certificate: &'a [u8; 32],
}

/// What a verified access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// The client.
    pub client_id: String,
    /// Who acts.
    pub subject: String,
    /// What it may do, words joined by spaces.
    pub scope: String,
    /// The token's unique id, for the log.
    pub jti: String,
    /// When it ends.
    pub expires: Timestamp,
}

impl AccessTokens {
    /// How long a token lives, in seconds.
    pub const LIFE_S: i64 = 300;

    /// Takes the gateway's issuer id, which is also the audience, and its token-signing key.
    pub fn new(issuer: impl Into<String>, key: &SigningKey) -> Self {
        let public = PublicKey::Ed25519(key.verifying_key());
        Self {
            issuer: issuer.into(),
            key: EncodingKey::from_ed_der(&key.to_pkcs8()),
            verifying: vec![(public.thumbprint(), public)],
        }
    }

    /// Also verifies tokens of an earlier key; needed for five minutes after a rotation.
    #[must_use]
    pub fn with_previous(mut self, key: VerifyingKey) -> Self {
        let public = PublicKey::Ed25519(key);
        self.verifying.push((public.thumbprint(), public));
        self
    }

    /// Issues a token.
    pub fn issue(&self, grant: AccessGrant<'_>, now: Timestamp, random: &dyn Random) -> String {
        let header = json!({ "alg": "EdDSA", "typ": TYPE, "kid": self.verifying[0].0 });
        let issued = now.as_seconds();
        let claims = json!({
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": grant.subject,
            "client_id": grant.client_id,
            "client_key": grant.key_id,
            "scope": grant.scope,
            "jti": encode_base64url(&random_bytes::<16>(random)),
            "iat": issued,
            "exp": issued + Self::LIFE_S,
            "cnf": { "x5t#S256": encode_base64url(grant.certificate) },
        });
        jws::sign(&header, &claims, &self.key, jsonwebtoken::Algorithm::EdDSA)
            .expect("the provider signs EdDSA with the PKCS#8 form of one of our own keys")
    }

    /// Verifies a token against the client certificate that the connection itself presented.
    ///
    /// # Errors
    ///
    /// [`JwtError`] saying what is wrong.
    pub fn verify(&self, token: &str, certificate: &[u8; 32], now: Timestamp) -> Result<AccessClaims, JwtError> {
        self.judge(self.open(token)?, certificate, now)
    }

    /// Reads a token of ours whose signature holds. Whether it holds now, and on this connection, is
    /// for [`Self::judge`] to say: between the two a caller looks up the client and the time at once.
    ///
    /// # Errors
    ///
    /// [`JwtError`] for anything that this gateway did not sign.
    pub fn open(&self, token: &str) -> Result<SignedToken, JwtError> {
        let compact = Compact::parse(token, TYPE)?;
        let (_, key) = self.verifying.iter().find(|(kid, _)| *kid == compact.kid).ok_or(JwtError::KeyId)?;
        compact.verify(key)?;
        let client_id = compact.claims.text("client_id")?.to_owned();
        let key_id = compact.claims.text("client_key")?.to_owned();
        Ok(SignedToken { client_id, key_id, compact })
    }

    /// Judges an opened token against the clock and the connection's certificate.
    ///
    /// # Errors
    ///
    /// [`JwtError`] saying what is wrong.
    pub fn judge(&self, token: SignedToken, certificate: &[u8; 32], now: Timestamp) -> Result<AccessClaims, JwtError> {
        let compact = token.compact;
        let expires = compact.claims.time("exp")?;
        let issued = compact.claims.time("iat")?;
        compact.claims.exactly("iss", &self.issuer, "this gateway's issuer id")?;
        compact.claims.exactly("aud", &self.issuer, "this gateway's issuer id, as one string")?;
        let jti = compact.claims.jti()?.to_owned();
        for claim in ["sub", "client_id", "scope"] {
            compact.claims.text(claim)?;
        }
        let shape =
            JwtError::Claim { claim: "cnf", fault: ClaimFault::Value("a certificate hash, with no other claims") };
        let claims: Claims = serde_json::from_value(compact.claims.into_value()).map_err(|_| shape)?;
        let bound = decode_base64url::<32>(&claims.cnf.certificate).ok_or(shape)?;
        if seconds_between(issued, expires) != Self::LIFE_S {
            return Err(JwtError::Claim { claim: "exp", fault: ClaimFault::Value("300 seconds after 'iat'") });
        }
        if seconds_between(now, issued) > LEEWAY_S {
            return Err(JwtError::ClockAhead { claim: "iat", seconds: seconds_between(now, issued) });
        }
        if seconds_between(expires, now) >= LEEWAY_S {
            return Err(JwtError::Expired { seconds: seconds_between(expires, now) });
        }
        if bound != *certificate {
            return Err(JwtError::Certificate);
        }
        Ok(AccessClaims { client_id: claims.client_id, subject: claims.sub, scope: claims.scope, jti, expires })
    }
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessTokens(redacted)")
    }
}

/// A token whose signature holds; nothing else about it is checked yet.
pub struct SignedToken {
    client_id: String,
    key_id: String,
    compact: Compact,
}

impl SignedToken {
    /// The client that it was issued to.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The client's key that it was issued for.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}

/// Exactly the claims that we issue, no more and no fewer; the members read above are listed so
/// that unknown ones are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    #[serde(rename = "iss")]
    _iss: String,
    #[serde(rename = "aud")]
    _aud: String,
    sub: String,
    client_id: String,
    #[serde(rename = "client_key")]
    _client_key: String,
    scope: String,
    #[serde(rename = "jti")]
    _jti: String,
    #[serde(rename = "iat")]
    _iat: i64,
    #[serde(rename = "exp")]
    _exp: i64,
    cnf: Confirmation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    #[serde(rename = "x5t#S256")]
    certificate: String,
}
