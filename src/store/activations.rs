//! Requests to put agreements in force, until a second officer has approved them.

use super::statements::statements;
use super::value::values;
use super::{Store, StoreError, Tx};
use crate::domain::ids::AgreementRef;
use crate::domain::time::Timestamp;

statements! {
    ADD_REQUEST = "INSERT INTO agreement_request (agreement, sha256, requested_by, reason, requested_at)
                   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (agreement) DO NOTHING";
    REQUEST = "SELECT agreement, sha256, requested_by, reason, requested_at FROM agreement_request WHERE agreement = $1";
    REQUESTS = "SELECT agreement, sha256, requested_by, reason, requested_at FROM agreement_request ORDER BY agreement";
    DELETE_REQUEST = "DELETE FROM agreement_request WHERE agreement = $1";
    ADD_APPROVAL = "INSERT INTO agreement_approval (agreement, approved_by, approved_at) VALUES ($1, $2, $3)
                    ON CONFLICT (agreement, approved_by) DO NOTHING";
    APPROVALS = "SELECT approved_by FROM agreement_approval WHERE agreement = $1 ORDER BY approved_by";
    DELETE_APPROVALS = "DELETE FROM agreement_approval WHERE agreement = $1";
}

/// A request that an agreement be put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivationRequest {
    /// Which agreement.
    pub agreement: AgreementRef,
    /// SHA-256 of the text that is meant.
    pub sha256: [u8; 32],
    /// The account that asked.
    pub requested_by: String,
    /// Why, a code.
    pub reason: String,
    /// When.
    pub requested_at: Timestamp,
}

impl Store {
    /// Every request that waits.
    pub async fn activation_requests(&self) -> Result<Vec<ActivationRequest>, StoreError> {
        let rows = self.fetch_all(REQUESTS, values![]).await?;
        rows.iter()
            .map(|row| {
                Ok(ActivationRequest {
                    agreement: row.parsed(0, "agreement reference")?,
                    sha256: row.array(1, "agreement hash")?,
                    requested_by: row.text(2)?,
                    reason: row.text(3)?,
                    requested_at: Timestamp::from_micros(row.int(4)?),
                })
            })
            .collect()
    }
}

impl Store {
    /// The accounts that approved a request, in order.
    pub async fn activation_approvals(&self, of: &AgreementRef) -> Result<Vec<String>, StoreError> {
        let rows = self.fetch_all(APPROVALS, values![&of.to_string()]).await?;
        rows.iter().map(|row| row.text(0)).collect()
    }
}

impl Tx {
    /// Keeps a request. Returns false when one waits for this agreement.
    pub async fn add_activation_request(&mut self, request: &ActivationRequest) -> Result<bool, StoreError> {
        let ActivationRequest { agreement, sha256, requested_by, reason, requested_at } = request;
        let name = agreement.to_string();
        let values = values![&name, sha256, requested_by, reason, requested_at.as_micros()];
        Ok(self.execute(ADD_REQUEST, values).await? == 1)
    }

    /// The request that waits for an agreement.
    pub async fn activation_request(&mut self, of: &AgreementRef) -> Result<Option<ActivationRequest>, StoreError> {
        let Some(row) = self.fetch_optional(REQUEST, values![&of.to_string()]).await? else {
            return Ok(None);
        };
        Ok(Some(ActivationRequest {
            agreement: of.clone(),
            sha256: row.array(1, "agreement hash")?,
            requested_by: row.text(2)?,
            reason: row.text(3)?,
            requested_at: Timestamp::from_micros(row.int(4)?),
        }))
    }

    /// Keeps an officer's approval. Returns false when this account has approved before.
    pub async fn add_activation_approval(
        &mut self,
        of: &AgreementRef,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.execute(ADD_APPROVAL, values![&of.to_string(), by, now.as_micros()]).await? == 1)
    }

    /// The accounts that approved, in order.
    pub async fn activation_approvals(&mut self, of: &AgreementRef) -> Result<Vec<String>, StoreError> {
        let rows = self.fetch_all(APPROVALS, values![&of.to_string()]).await?;
        rows.iter().map(|row| row.text(0)).collect()
    }

    /// Forgets a request and its approvals: it was done or taken back.
    pub async fn end_activation_request(&mut self, of: &AgreementRef) -> Result<(), StoreError> {
        self.execute(DELETE_APPROVALS, values![&of.to_string()]).await?;
        self.execute(DELETE_REQUEST, values![&of.to_string()]).await.map(drop)
    }
}
