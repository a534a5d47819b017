//! Sealed linkage keys on their way from a custodian to an agency: ciphertext that nobody here opens.

use super::statements::statements;
use super::value::{Row, values};
use super::{StoreError, Tx};
use crate::domain::ids::{AgencyCode, GrantId};
use crate::domain::time::Timestamp;

statements! {
    ADD_SEALING_KEY = "INSERT INTO sealing_key (key_id, agency, public_key, enrolled_at) VALUES ($1, $2, $3, $4)";
    SEALING_KEY = "SELECT public_key FROM sealing_key WHERE key_id = $1 AND agency = $2";
    SAME_REQUEST = "SELECT id, recipient, digest FROM relay_grant WHERE sender = $1 AND idempotency_key = $2";
    WAITING_COUNT = "SELECT COUNT(*) FROM relay_grant WHERE recipient = $1 AND state = 'waiting'";
    ADD_GRANT = "INSERT INTO relay_grant (id, sender, idempotency_key, recipient, sealing_key, epoch, digest, sealed,
                                          state, posted_at, fetched_at, ended_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', $9, 0, 0)
                 ON CONFLICT (sender, idempotency_key) DO NOTHING";
    WAITING = "SELECT id, sender, sealing_key, epoch, sealed, posted_at, fetched_at FROM relay_grant
               WHERE recipient = $1 AND state = 'waiting' ORDER BY id";
    FETCHED = "UPDATE relay_grant SET fetched_at = $2 WHERE id = $1 AND fetched_at = 0";
    GRANT = "SELECT sender, recipient, epoch, digest, fetched_at FROM relay_grant WHERE id = $1";
    ACKNOWLEDGE = "UPDATE relay_grant SET sealed = NULL, state = 'acknowledged', ended_at = $2
                   WHERE id = $1 AND state = 'waiting'";
    LAPSE = "UPDATE relay_grant SET sealed = NULL, state = 'lapsed', ended_at = $2
             WHERE state = 'waiting' AND posted_at < $1 RETURNING sender, recipient, epoch, digest, fetched_at";
}

/// A sealed grant as a custodian brings it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// Its id.
    pub id: GrantId,
    /// The custodian's agency.
    pub sender: AgencyCode,
    /// The sender's name for the request.
    pub idempotency_key: String,
    /// The agency that it is sealed to.
    pub recipient: AgencyCode,
    /// The key that it is sealed to, by its id.
    pub sealing_key: String,
    /// Linkage key epoch.
    pub epoch: u32,
    /// SHA-256 of the sealed bytes.
    pub digest: [u8; 32],
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// When it arrived.
    pub posted_at: Timestamp,
}

/// A grant that waits for its agency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingGrant {
    /// Its id.
    pub id: GrantId,
    /// The custodian's agency.
    pub sender: AgencyCode,
    /// The key that it is sealed to, by its id.
    pub sealing_key: String,
    /// Linkage key epoch.
    pub epoch: u32,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// When it arrived.
    pub posted_at: Timestamp,
    /// Whether it was fetched before.
    pub is_fetched: bool,
}

/// What is kept of a grant, whatever became of its ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGrant {
    /// The custodian's agency.
    pub sender: AgencyCode,
    /// The agency that it is sealed to.
    pub recipient: AgencyCode,
    /// Linkage key epoch.
    pub epoch: u32,
    /// SHA-256 of the sealed bytes.
    pub digest: [u8; 32],
    /// Whether it was ever fetched.
    pub is_fetched: bool,
}

impl Tx {
    /// Registers a public key that messages to an agency may be sealed to.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when it is registered already.
    pub async fn add_sealing_key(
        &mut self,
        key_id: &str,
        agency: &AgencyCode,
        public_key: &[u8; 32],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(ADD_SEALING_KEY, values![key_id, agency.as_str(), public_key, now.as_micros()]).await.map(drop)
    }

    /// Whether an agency enrolled a sealing key of this id.
    pub async fn has_sealing_key(&mut self, key_id: &str, agency: &AgencyCode) -> Result<bool, StoreError> {
        Ok(self.fetch_optional(SEALING_KEY, values![key_id, agency.as_str()]).await?.is_some())
    }

    /// What an earlier request of the same name brought: its grant, for whom, and the digest.
    pub async fn grant_of_request(
        &mut self,
        sender: &AgencyCode,
        idempotency_key: &str,
    ) -> Result<Option<(GrantId, AgencyCode, [u8; 32])>, StoreError> {
        let Some(row) = self.fetch_optional(SAME_REQUEST, values![sender.as_str(), idempotency_key]).await? else {
            return Ok(None);
        };
        Ok(Some((id(&row.bytes(0)?)?, row.parsed(1, "agency")?, row.array(2, "grant digest")?)))
    }

    /// How many grants wait for an agency.
    pub async fn waiting_grant_count(&mut self, recipient: &AgencyCode) -> Result<i64, StoreError> {
        let row = self.fetch_optional(WAITING_COUNT, values![recipient.as_str()]).await?;
        row.ok_or(StoreError::Corrupt("a count"))?.int(0)
    }

    /// Keeps a grant until its agency has it. Returns false when the request's name is taken.
    pub async fn add_grant(&mut self, grant: &NewGrant) -> Result<bool, StoreError> {
        let added = values![
            grant.id.as_bytes(),
            grant.sender.as_str(),
            &grant.idempotency_key,
            grant.recipient.as_str(),
            &grant.sealing_key,
            i64::from(grant.epoch),
            &grant.digest,
            &grant.sealed,
            grant.posted_at.as_micros(),
        ];
        Ok(self.execute(ADD_GRANT, added).await? == 1)
    }

    /// The grants that wait for an agency, oldest first.
    pub async fn waiting_grants(&mut self, recipient: &AgencyCode) -> Result<Vec<WaitingGrant>, StoreError> {
        let rows = self.fetch_all(WAITING, values![recipient.as_str()]).await?;
        rows.iter()
            .map(|row| {
                Ok(WaitingGrant {
                    id: id(&row.bytes(0)?)?,
                    sender: row.parsed(1, "agency")?,
                    sealing_key: row.text(2)?,
                    epoch: u32::try_from(row.int(3)?).map_err(|_| StoreError::Corrupt("epoch"))?,
                    sealed: row.bytes(4)?,
                    posted_at: Timestamp::from_micros(row.int(5)?),
                    is_fetched: row.int(6)? != 0,
                })
            })
            .collect()
    }

    /// Notes the first time that a grant was fetched. Returns whether this was it.
    pub async fn mark_grant_fetched(&mut self, id: GrantId, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.execute(FETCHED, values![id.as_bytes(), now.as_micros()]).await? == 1)
    }

    /// What is kept of a grant.
    pub async fn grant(&mut self, id: GrantId) -> Result<Option<StoredGrant>, StoreError> {
        self.fetch_optional(GRANT, values![id.as_bytes()]).await?.as_ref().map(read_grant).transpose()
    }

    /// Removes the ciphertext of a grant that its agency has. Returns whether it was still there.
    pub async fn acknowledge_grant(&mut self, id: GrantId, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.execute(ACKNOWLEDGE, values![id.as_bytes(), now.as_micros()]).await? == 1)
    }

    /// Removes the ciphertext of grants that arrived before a moment and were never acknowledged. Gives
    /// what is kept of them.
    pub async fn lapse_grants(&mut self, before: Timestamp, now: Timestamp) -> Result<Vec<StoredGrant>, StoreError> {
        let rows = self.fetch_all(LAPSE, values![before.as_micros(), now.as_micros()]).await?;
        rows.iter().map(read_grant).collect()
    }
}

fn read_grant(row: &Row) -> Result<StoredGrant, StoreError> {
    Ok(StoredGrant {
        sender: row.parsed(0, "agency")?,
        recipient: row.parsed(1, "agency")?,
        epoch: u32::try_from(row.int(2)?).map_err(|_| StoreError::Corrupt("epoch"))?,
        digest: row.array(3, "grant digest")?,
        is_fetched: row.int(4)? != 0,
    })
}

fn id(bytes: &[u8]) -> Result<GrantId, StoreError> {
    GrantId::from_slice(bytes).map_err(|_| StoreError::Corrupt("grant id"))
}
