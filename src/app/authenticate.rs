//! An agency's system proves who it is: a registered certificate on the connection, a signed
//! assertion for a five-minute token, and that token bound to the certificate on every request.

use super::caller::AgencyCaller;
use super::error::AppError;
use super::gateway::Gateway;
use crate::crypto::jwt::{AccessGrant, AssertionVerifier, JwtError, PublicKey, RegisteredKey, UnverifiedAssertion};
use crate::store::{Standing, StoreError};

/// The scope of agency systems.
const AGENCY_SCOPE: &str = "agency";
/// How long an access token is good for, in seconds.
pub const TOKEN_SECONDS: u32 = 300;

/// Why somebody is not let in. What was sent is never repeated.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No certificate on the connection.
    #[error("the connection carries no client certificate")]
    NoCertificate,
    /// The certificate is not registered.
    #[error("the client certificate is not registered with this gateway")]
    UnknownCertificate,
    /// The certificate was revoked, is suspended or has ended.
    #[error("the client certificate was revoked, is suspended or has ended")]
    CertificateEnded,
    /// The agency is suspended.
    #[error("the agency is suspended")]
    AgencySuspended,
    /// The client or its key is unknown, suspended or another agency's.
    #[error("the client or its key is unknown, suspended, or not of the certificate's agency")]
    Client,
    /// The assertion or token does not hold.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// The assertion was used before.
    #[error("the assertion was used before: make a new one, with a new jti, for every call")]
    Replayed,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// An access token as it is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// Seconds until it ends.
    pub expires_in: u32,
}

impl Gateway {
    /// Exchanges a client assertion for an access token bound to the connection's certificate.
    ///
    /// # Errors
    ///
    /// [`AuthError`].
    pub async fn issue_token(&self, assertion: &str, certificate: &[u8; 32]) -> Result<IssuedToken, AuthError> {
        let unverified = UnverifiedAssertion::parse(assertion)?;
        let standing = self.standing(certificate, unverified.client_id(), unverified.kid()).await?;
        let now = standing.now;
        let key = self.store().client_key(unverified.client_id(), unverified.kid()).await?;
        let key = key.filter(|key| key.is_active && key.agency == standing.agency).ok_or(AuthError::Client)?;
        let registered = RegisteredKey {
            client_id: unverified.client_id().to_owned(),
            kid: unverified.kid().to_owned(),
            key: PublicKey::from_jwk(&key.jwk).map_err(|_| StoreError::Corrupt("a registered key"))?,
        };
        let verified = AssertionVerifier::new(&self.names().issuer).verify(&unverified, &registered, now)?;
        let mut tx = self.store().begin().await?;
        if !tx.use_assertion(&verified.client_id, &verified.jti, verified.keep_until).await? {
            return Err(AuthError::Replayed);
        }
        tx.commit().await?;
        let grant = AccessGrant {
            client_id: &verified.client_id,
            key_id: unverified.kid(),
            subject: standing.agency.as_str(),
            scope: AGENCY_SCOPE,
            certificate,
        };
        let token = self.keys().access.issue(grant, now, self.random());
        Ok(IssuedToken { token, expires_in: TOKEN_SECONDS })
    }

    /// Checks a request's access token and certificate. Certificate, agency, client and the key that
    /// the token came from are looked up anew on every request, so that a suspension holds from the
    /// next one on, on open connections too.
    ///
    /// # Errors
    ///
    /// [`AuthError`].
    pub async fn authenticate(&self, token: &str, certificate: &[u8; 32]) -> Result<AgencyCaller, AuthError> {
        let signed = self.keys().access.open(token)?;
        // One look gives the client's standing and the clock that the token is judged by.
        let standing = self.store().standing(certificate, signed.client_id(), signed.key_id()).await?;
        let standing = standing.ok_or(AuthError::UnknownCertificate)?;
        let claims = self.keys().access.judge(signed, certificate, standing.now)?;
        let standing = in_good_standing(standing)?;
        if claims.scope != AGENCY_SCOPE || claims.subject != standing.agency.as_str() {
            return Err(AuthError::Client);
        }
        Ok(AgencyCaller { agency: standing.agency, client: claims.client_id })
    }

    async fn standing(&self, certificate: &[u8; 32], client: &str, kid: &str) -> Result<Standing, AuthError> {
        let standing = self.store().standing(certificate, client, kid).await?;
        in_good_standing(standing.ok_or(AuthError::UnknownCertificate)?)
    }
}

fn in_good_standing(standing: Standing) -> Result<Standing, AuthError> {
    if !standing.certificate_is_active || standing.not_after <= standing.now {
        return Err(AuthError::CertificateEnded);
    }
    if !standing.agency_is_active {
        return Err(AuthError::AgencySuspended);
    }
    if standing.client_is_active != Some(true) || standing.client_key_is_active != Some(true) {
        return Err(AuthError::Client);
    }
    Ok(standing)
}
