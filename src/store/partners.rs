//! Who may connect: agencies, their systems, keys and certificates.

use super::statements::statements;
use super::value::values;
use super::{Store, StoreError, Tx};
use crate::domain::ids::AgencyCode;
use crate::domain::time::Timestamp;

statements! {
    ADD_AGENCY = "INSERT INTO agency (code, status, enrolled_at) VALUES ($1, 'active', $2) ON CONFLICT (code) DO NOTHING";
    SET_AGENCY = "UPDATE agency SET status = $2 WHERE code = $1 AND status <> $2";
    AGENCIES = "SELECT code, status FROM agency ORDER BY code";
    ADD_CLIENT = "INSERT INTO client (id, agency, status) VALUES ($1, $2, 'active') ON CONFLICT (id) DO NOTHING";
    CLIENT_AGENCY = "SELECT agency FROM client WHERE id = $1";
    ADD_CLIENT_KEY = "INSERT INTO client_key (client, kid, jwk, status) VALUES ($1, $2, $3, 'active')";
    ADD_CERTIFICATE = "INSERT INTO certificate (sha256, agency, not_after, status) VALUES ($1, $2, $3, 'active')";
    REVOKE_CERTIFICATE = "UPDATE certificate SET status = 'revoked' WHERE sha256 = $1";
    REVOKE_CLIENT_KEY = "UPDATE client_key SET status = 'revoked' WHERE client = $1 AND kid = $2 AND status <> 'revoked'";
    ADD_SIGNATORY = "INSERT INTO signatory (key_id, agency, public_key, status, enrolled_at)
                     VALUES ($1, $2, $3, 'active', $4)";
    KNOWN_SIGNATORY = "SELECT agency FROM signatory WHERE key_id = $1";
    SIGNATORY = "SELECT agency, public_key FROM signatory WHERE key_id = $1 AND status = 'active'";
    /// The key of a client that may sign an assertion now, with everything that can forbid it.
    CLIENT_KEY = "SELECT client.agency, client_key.jwk, client.status, client_key.status, agency.status
                  FROM client_key JOIN client ON client.id = client_key.client
                  JOIN agency ON agency.code = client.agency
                  WHERE client_key.client = $1 AND client_key.kid = $2";
    USE_ASSERTION = "INSERT INTO used_assertion (client, jti, expires_at) VALUES ($1, $2, $3)
                     ON CONFLICT (client, jti) DO NOTHING";
    FORGET_ASSERTIONS = "DELETE FROM used_assertion WHERE expires_at < $1";
}

/// What is known of a connection's certificate and the client that speaks over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The database's clock.
    pub now: Timestamp,
    /// Whose certificate it is.
    pub agency: AgencyCode,
    /// Not revoked.
    pub certificate_is_active: bool,
    /// When it ends.
    pub not_after: Timestamp,
    /// The agency is not suspended.
    pub agency_is_active: bool,
    /// The client is the agency's and not suspended; `None` when the agency has no such client.
    pub client_is_active: Option<bool>,
    /// The client's key that the token came from is neither suspended nor revoked; `None` when there is none such.
    pub client_key_is_active: Option<bool>,
}

/// A client's registered key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKey {
    /// Whose client it is.
    pub agency: AgencyCode,
    /// The public key.
    pub jwk: String,
    /// Neither key, client nor agency is suspended.
    pub is_active: bool,
}

impl Store {
    /// What a certificate (SHA-256 of its DER), a client id and the id of its key stand for now.
    pub async fn standing(
        &self,
        certificate: &[u8; 32],
        client: &str,
        kid: &str,
    ) -> Result<Option<Standing>, StoreError> {
        let values = values![certificate, client, kid];
        let Some(row) = self.fetch_optional(self.engine().standing_statement(), values).await? else {
            return Ok(None);
        };
        Ok(Some(Standing {
            now: Timestamp::from_micros(row.int(5)?),
            agency: row.parsed(0, "agency")?,
            certificate_is_active: row.text(1)? == "active",
            not_after: Timestamp::from_micros(row.int(2)?),
            agency_is_active: row.text(3)? == "active",
            client_is_active: row.optional_text(4)?.map(|status| status == "active"),
            client_key_is_active: row.optional_text(6)?.map(|status| status == "active"),
        }))
    }

    /// The key that a client registered under a key id.
    pub async fn client_key(&self, client: &str, kid: &str) -> Result<Option<ClientKey>, StoreError> {
        let Some(row) = self.fetch_optional(CLIENT_KEY, values![client, kid]).await? else {
            return Ok(None);
        };
        let is_active = row.text(2)? == "active" && row.text(3)? == "active" && row.text(4)? == "active";
        Ok(Some(ClientKey { agency: row.parsed(0, "agency")?, jwk: row.text(1)?, is_active }))
    }

    /// Whether a client is registered, in whatever standing.
    pub async fn is_client(&self, client: &str) -> Result<bool, StoreError> {
        Ok(self.fetch_optional(CLIENT_AGENCY, values![client]).await?.is_some())
    }

    /// Whether a signatory's key was ever enrolled.
    pub async fn is_signatory(&self, key_id: &str) -> Result<bool, StoreError> {
        Ok(self.fetch_optional(KNOWN_SIGNATORY, values![key_id]).await?.is_some())
    }

    /// Every enrolled agency, and whether it is active.
    pub async fn agencies(&self) -> Result<Vec<(AgencyCode, bool)>, StoreError> {
        let rows = self.fetch_all(AGENCIES, values![]).await?;
        rows.iter().map(|row| Ok((row.parsed(0, "agency")?, row.text(1)? == "active"))).collect()
    }
}

impl Tx {
    /// Enrols an agency; one that is enrolled stays as it is.
    pub async fn ensure_agency(&mut self, agency: &AgencyCode, now: Timestamp) -> Result<(), StoreError> {
        self.execute(ADD_AGENCY, values![agency.as_str(), now.as_micros()]).await.map(drop)
    }

    /// Suspends or reactivates an agency. Returns whether that changed anything.
    pub async fn set_agency_active(&mut self, agency: &AgencyCode, active: bool) -> Result<bool, StoreError> {
        let status = if active { "active" } else { "suspended" };
        Ok(self.execute(SET_AGENCY, values![agency.as_str(), status]).await? == 1)
    }

    /// Registers a client of an agency. Returns false when the client is another agency's.
    pub async fn ensure_client(&mut self, client: &str, agency: &AgencyCode) -> Result<bool, StoreError> {
        self.execute(ADD_CLIENT, values![client, agency.as_str()]).await?;
        let row = self.fetch_optional(CLIENT_AGENCY, values![client]).await?;
        Ok(row.ok_or(StoreError::Corrupt("client"))?.text(0)? == agency.as_str())
    }

    /// Registers a client's public key.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when the client has a key of that id.
    pub async fn add_client_key(&mut self, client: &str, kid: &str, jwk: &str) -> Result<(), StoreError> {
        self.execute(ADD_CLIENT_KEY, values![client, kid, jwk]).await.map(drop)
    }

    /// Registers an agency's certificate.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when it is registered already.
    pub async fn add_certificate(
        &mut self,
        sha256: &[u8; 32],
        agency: &AgencyCode,
        not_after: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(ADD_CERTIFICATE, values![sha256, agency.as_str(), not_after.as_micros()]).await.map(drop)
    }

    /// Revokes a certificate from the next request on. Returns whether it was known.
    pub async fn revoke_certificate(&mut self, sha256: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(self.execute(REVOKE_CERTIFICATE, values![sha256]).await? == 1)
    }

    /// Revokes a client's key, active or suspended, for good. Returns whether that changed anything.
    pub async fn revoke_client_key(&mut self, client: &str, kid: &str) -> Result<bool, StoreError> {
        Ok(self.execute(REVOKE_CLIENT_KEY, values![client, kid]).await? == 1)
    }

    /// Enrols a key that may sign agreements for a party.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when the key id is taken.
    pub async fn add_signatory(
        &mut self,
        key_id: &str,
        agency: &AgencyCode,
        public_key: &[u8; 32],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(ADD_SIGNATORY, values![key_id, agency.as_str(), public_key, now.as_micros()]).await.map(drop)
    }

    /// The agency and public key of an active signatory.
    pub async fn signatory(&mut self, key_id: &str) -> Result<Option<(AgencyCode, [u8; 32])>, StoreError> {
        let Some(row) = self.fetch_optional(SIGNATORY, values![key_id]).await? else {
            return Ok(None);
        };
        Ok(Some((row.parsed(0, "agency")?, row.array(1, "signatory key")?)))
    }

    /// Uses up an assertion's id. Returns false when it was used before.
    pub async fn use_assertion(&mut self, client: &str, jti: &str, expires_at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.execute(USE_ASSERTION, values![client, jti, expires_at.as_micros()]).await? == 1)
    }

    /// Forgets assertion ids that expired before a moment.
    pub async fn forget_assertions(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        self.execute(FORGET_ASSERTIONS, values![before.as_micros()]).await
    }
}
