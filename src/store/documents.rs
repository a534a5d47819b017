//! Policy documents as loaded, agreements as signed, and the status each agreement has.

use super::statements::statements;
use super::value::values;
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, AgreementRef};
use crate::domain::time::Timestamp;

statements! {
    ADD_DOCUMENT = "INSERT INTO document (sha256, kind, name, body, loaded_at) VALUES ($1, $2, $3, $4, $5)
                    ON CONFLICT (sha256) DO NOTHING";
    SET_CURRENT = "INSERT INTO current_document (kind, name, sha256) VALUES ($1, $2, $3)
                   ON CONFLICT (kind, name) DO UPDATE SET sha256 = excluded.sha256";
    CLEAR_CURRENT = "DELETE FROM current_document";
    CURRENT = "SELECT current_document.kind, current_document.name, document.body, document.sha256
               FROM current_document JOIN document ON document.sha256 = current_document.sha256
               ORDER BY current_document.kind, current_document.name";
    DOCUMENT = "SELECT kind, name, body FROM document WHERE sha256 = $1";
    UNTIL = "SELECT kind, name, body, sha256, loaded_at FROM document WHERE kind = $1 AND loaded_at <= $2
             ORDER BY loaded_at, name";
    ADD_AGREEMENT = "INSERT INTO agreement (reference, sha256, status, status_at) VALUES ($1, $2, 'draft', $3)
                     ON CONFLICT (reference) DO NOTHING";
    AGREEMENT = "SELECT sha256, status FROM agreement WHERE reference = $1";
    AGREEMENT_TEXT = "SELECT document.body FROM agreement JOIN document ON document.sha256 = agreement.sha256
                      WHERE agreement.reference = $1";
    SET_STATUS = "UPDATE agreement SET status = $3, status_at = $4 WHERE reference = $1 AND status = $2";
    AGREEMENTS = "SELECT agreement.reference, agreement.sha256, agreement.status, document.body
                  FROM agreement JOIN document ON document.sha256 = agreement.sha256 ORDER BY agreement.reference";
    ADD_SIGNATURE = "INSERT INTO agreement_signature (sha256, party, key_id, signature, signed_at)
                     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (sha256, party) DO UPDATE SET
                        key_id = excluded.key_id, signature = excluded.signature, signed_at = excluded.signed_at";
    SIGNATURES = "SELECT agreement_signature.sha256, agreement_signature.party, signatory.public_key,
                         agreement_signature.signature
                  FROM agreement_signature JOIN signatory ON signatory.key_id = agreement_signature.key_id
                  WHERE signatory.status = 'active'
                  ORDER BY agreement_signature.sha256, agreement_signature.party";
}

/// A policy document: its kind (`programme`, `match_keys`, `agency`, `agreement`, `rules`), name and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// What kind of document.
    pub kind: String,
    /// The code or reference of what it describes.
    pub name: String,
    /// The exact bytes.
    pub body: Vec<u8>,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// An agreement with its present status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAgreement {
    /// Code and version.
    pub reference: AgreementRef,
    /// SHA-256 of the signed text.
    pub sha256: [u8; 32],
    /// Status word.
    pub status: String,
    /// The signed text.
    pub body: Vec<u8>,
}

/// A party's signature under an agreement's bytes, with the key to check it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSignature {
    /// Which text.
    pub sha256: [u8; 32],
    /// Who signed.
    pub party: AgencyCode,
    /// Ed25519 public key of the signatory, still active.
    pub public_key: [u8; 32],
    /// The signature.
    pub signature: Vec<u8>,
}

impl Store {
    /// Every document in use, by kind and name.
    pub async fn current_documents(&self) -> Result<Vec<StoredDocument>, StoreError> {
        let rows = self.fetch_all(CURRENT, values![]).await?;
        rows.iter()
            .map(|row| {
                Ok(StoredDocument {
                    kind: row.text(0)?,
                    name: row.text(1)?,
                    body: row.bytes(2)?,
                    sha256: row.array(3, "document hash")?,
                })
            })
            .collect()
    }

    /// A document by its hash, for replay.
    pub async fn document(&self, sha256: &[u8; 32]) -> Result<Option<StoredDocument>, StoreError> {
        let Some(row) = self.fetch_optional(DOCUMENT, values![sha256]).await? else {
            return Ok(None);
        };
        Ok(Some(StoredDocument { kind: row.text(0)?, name: row.text(1)?, body: row.bytes(2)?, sha256: *sha256 }))
    }

    /// Every document of a kind that was first seen up to a moment, in that order, and when.
    pub async fn documents_until(
        &self,
        kind: &str,
        until: Timestamp,
    ) -> Result<Vec<(StoredDocument, Timestamp)>, StoreError> {
        let rows = self.fetch_all(UNTIL, values![kind, until.as_micros()]).await?;
        rows.iter()
            .map(|row| {
                let sha256 = row.array(3, "document hash")?;
                let document = StoredDocument { kind: row.text(0)?, name: row.text(1)?, body: row.bytes(2)?, sha256 };
                Ok((document, Timestamp::from_micros(row.int(4)?)))
            })
            .collect()
    }

    /// Every agreement, with its text and status.
    pub async fn agreements(&self) -> Result<Vec<StoredAgreement>, StoreError> {
        let rows = self.fetch_all(AGREEMENTS, values![]).await?;
        rows.iter()
            .map(|row| {
                Ok(StoredAgreement {
                    reference: row.parsed(0, "agreement reference")?,
                    sha256: row.array(1, "agreement hash")?,
                    status: row.text(2)?,
                    body: row.bytes(3)?,
                })
            })
            .collect()
    }

    /// Every signature whose key is still active.
    pub async fn agreement_signatures(&self) -> Result<Vec<StoredSignature>, StoreError> {
        let rows = self.fetch_all(SIGNATURES, values![]).await?;
        rows.iter()
            .map(|row| {
                Ok(StoredSignature {
                    sha256: row.array(0, "agreement hash")?,
                    party: row.parsed(1, "party")?,
                    public_key: row.array(2, "signatory key")?,
                    signature: row.bytes(3)?,
                })
            })
            .collect()
    }
}

impl Tx {
    /// Takes every document out of use; the texts stay, for replay.
    pub async fn clear_current_documents(&mut self) -> Result<(), StoreError> {
        self.execute(CLEAR_CURRENT, values![]).await.map(drop)
    }

    /// Keeps a document and makes it the one in use for its kind and name.
    pub async fn put_document(&mut self, document: &StoredDocument, now: Timestamp) -> Result<(), StoreError> {
        let StoredDocument { kind, name, body, sha256 } = document;
        self.execute(ADD_DOCUMENT, values![sha256, kind, name, body, now.as_micros()]).await?;
        self.execute(SET_CURRENT, values![kind, name, sha256]).await.map(drop)
    }

    /// Keeps an agreement's text, as a draft.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when that version exists with another text: a signed text never changes.
    pub async fn add_agreement(
        &mut self,
        reference: &AgreementRef,
        body: &[u8],
        sha256: &[u8; 32],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let name = reference.to_string();
        self.execute(ADD_DOCUMENT, values![sha256, "agreement", &name, body, now.as_micros()]).await?;
        self.execute(ADD_AGREEMENT, values![&name, sha256, now.as_micros()]).await?;
        let row = self.fetch_optional(AGREEMENT, values![&name]).await?.ok_or(StoreError::Corrupt("agreement"))?;
        if row.array::<32>(0, "agreement hash")? == *sha256 {
            Ok(())
        } else {
            Err(StoreError::Conflict("agreement version with another text".to_owned()))
        }
    }

    /// The hash and status word of an agreement.
    pub async fn agreement_status(
        &mut self,
        reference: &AgreementRef,
    ) -> Result<Option<([u8; 32], String)>, StoreError> {
        let Some(row) = self.fetch_optional(AGREEMENT, values![&reference.to_string()]).await? else {
            return Ok(None);
        };
        Ok(Some((row.array(0, "agreement hash")?, row.text(1)?)))
    }

    /// The signed text of an agreement.
    pub async fn agreement_text(&mut self, reference: &AgreementRef) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.fetch_optional(AGREEMENT_TEXT, values![&reference.to_string()]).await?;
        row.map(|row| row.bytes(0)).transpose()
    }

    /// Moves an agreement from one status to another. Returns false when it was not in the first.
    pub async fn set_agreement_status(
        &mut self,
        reference: &AgreementRef,
        from: &str,
        to: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.execute(SET_STATUS, values![&reference.to_string(), from, to, now.as_micros()]).await? == 1)
    }

    /// Keeps a party's signature under a text in the place of an earlier one: a signatory's next key
    /// signs before the last one is revoked.
    pub async fn add_agreement_signature(
        &mut self,
        sha256: &[u8; 32],
        party: &AgencyCode,
        key_id: &str,
        signature: &[u8],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(ADD_SIGNATURE, values![sha256, party.as_str(), key_id, signature, now.as_micros()]).await.map(drop)
    }
}
