//! Agencies, their systems, certificates and signatories are registered, suspended and revoked.
//! Every change is a log entry in the same transaction.

use super::error::AppError;
use super::gateway::Gateway;
use crate::crypto::jwt::PublicKey;
use crate::crypto::seal::SealPublicKey;
use crate::domain::epoch::EpochState;
use crate::domain::ids::{AgencyCode, TokenType};
use crate::domain::time::Timestamp;
use crate::store::{RegisteredKeyCheck, StoredEpoch, TestToken};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{AgencyStatus, Body, Code, KeyEvent};

/// What an agency brings to be enrolled.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// Which agency; its file must be loaded.
    pub agency: AgencyCode,
    /// Id of its system.
    pub client: String,
    /// Id of the system's key.
    pub kid: String,
    /// The key that signs its assertions.
    pub key: PublicKey,
    /// SHA-256 of its certificate's DER.
    pub certificate: [u8; 32],
    /// When the certificate ends.
    pub not_after: Timestamp,
}

impl Gateway {
    /// Enrols an agency's system.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when the agency's file is not loaded; a conflict when key or certificate is registered.
    pub async fn enrol(&self, enrolment: &Enrolment, by: &str) -> Result<(), AppError> {
        self.enrol_with_sealing_key(enrolment, None, by).await
    }

    /// Enrols an agency's system together with the key that a custodian seals its linkage keys to.
    ///
    /// # Errors
    ///
    /// As [`Gateway::enrol`].
    pub async fn enrol_with_sealing_key(
        &self,
        enrolment: &Enrolment,
        sealing_key: Option<&SealPublicKey>,
        by: &str,
    ) -> Result<(), AppError> {
        let policies = self.current_policies().await?;
        if policies.agency(&enrolment.agency).is_none() {
            return Err(AppError::Policy(format!("no agency file for {} is loaded", enrolment.agency)));
        }
        let client = code(&enrolment.client)?;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        tx.ensure_agency(&enrolment.agency, now).await?;
        if !tx.ensure_client(&enrolment.client, &enrolment.agency).await? {
            return Err(AppError::Policy("the client id is another agency's".to_owned()));
        }
        tx.add_client_key(&enrolment.client, &enrolment.kid, &enrolment.key.to_jwk().to_string()).await?;
        tx.add_certificate(&enrolment.certificate, &enrolment.agency, enrolment.not_after).await?;
        let body = Body::AgencyStatus(AgencyStatus {
            agency: enrolment.agency.clone(),
            from: None,
            to: code("enrolled")?,
            by: code(by)?,
            reason: client,
        });
        tx.add_events(&[&self.event(now, body)?]).await?;
        if let Some(sealing_key) = sealing_key {
            let (key_id, public) = (sealing_key.key_id(), sealing_key.to_bytes());
            tx.add_sealing_key(&key_id, &enrolment.agency, &public, now).await?;
            let reason = enrolment.agency.as_str();
            let body = key_event(&key_id, "sealing", "enrolled", Some(Digest::of(&public)), by, reason)?;
            tx.add_events(&[&self.event(now, body)?]).await?;
        }
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    /// Suspends or reactivates an agency from the next request on.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when it is not enrolled.
    pub async fn set_agency_active(
        &self,
        agency: &AgencyCode,
        active: bool,
        by: &str,
        reason: &str,
    ) -> Result<(), AppError> {
        let (from, to) = if active { ("suspended", "active") } else { ("active", "suspended") };
        let known = self.store().agencies().await?;
        if !known.iter().any(|(code, _)| code == agency) {
            return Err(AppError::Policy(format!("no agency {agency} is enrolled")));
        }
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        if !tx.set_agency_active(agency, active).await? {
            return Err(AppError::Policy(format!("agency {agency} is {to} already")));
        }
        // Kept replies and cached decisions of before end here.
        tx.raise_policy_revision(None).await?;
        let body = Body::AgencyStatus(AgencyStatus {
            agency: agency.clone(),
            from: Some(code(from)?),
            to: code(to)?,
            by: code(by)?,
            reason: code(reason)?,
        });
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    /// Revokes a certificate from the next request on.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when it is not registered.
    pub async fn revoke_certificate(&self, sha256: &[u8; 32], by: &str, reason: &str) -> Result<(), AppError> {
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        if !tx.revoke_certificate(sha256).await? {
            return Err(AppError::Policy("no such certificate is registered".to_owned()));
        }
        tx.add_events(&[
            &self.event(now, key_event(&super::policies::hex(sha256), "certificate", "revoked", None, by, reason)?)?
        ])
        .await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    /// Revokes a system's assertion key for good: it gets no token any more, and access tokens that were
    /// issued for it are refused from the next request on.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when the system has no key of that id that is not revoked.
    pub async fn revoke_client_key(&self, client: &str, kid: &str, by: &str, reason: &str) -> Result<(), AppError> {
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        if !tx.revoke_client_key(client, kid).await? {
            return Err(AppError::Policy("the system has no key of that id that is not revoked".to_owned()));
        }
        // A key's id may begin with a sign that no code begins with.
        let name = format!("{client}/{kid}");
        tx.add_events(&[&self.event(now, key_event(&name, "assertion", "revoked", None, by, reason)?)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    /// Revokes a signatory's key: what it signed counts no longer, from the next decision on. Returns
    /// how many signatures under agreements are lost.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when no active key has that id.
    pub async fn revoke_signatory(&self, key_id: &str, by: &str, reason: &str) -> Result<usize, AppError> {
        let before = self.store().agreement_signatures().await?.len();
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        if tx.revoke_signatory(key_id).await?.is_none() {
            return Err(AppError::Policy("no signatory that is not revoked has that key id".to_owned()));
        }
        tx.raise_policy_revision(Some(self.programme())).await?;
        tx.add_events(&[&self.event(now, key_event(key_id, "signatory", "revoked", None, by, reason)?)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(before.saturating_sub(self.store().agreement_signatures().await?.len()))
    }

    /// Enrols a key that may sign agreements for a party.
    ///
    /// # Errors
    ///
    /// A conflict when the key id is taken.
    pub async fn enrol_signatory(
        &self,
        key_id: &str,
        agency: &AgencyCode,
        public_key: &[u8; 32],
        by: &str,
    ) -> Result<(), AppError> {
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        tx.ensure_agency(agency, now).await?;
        tx.add_signatory(key_id, agency, public_key, now).await?;
        tx.add_events(&[&self.event(
            now,
            key_event(key_id, "signatory", "enrolled", Some(Digest::of(public_key)), by, agency.as_str())?,
        )?])
        .await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    /// Registers what everybody who holds an epoch's right keys computes, and the hashes over the test
    /// people's tokens, type by type. Returns the types of which something else is registered; nothing
    /// is changed then.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn register_key_checks(
        &self,
        epoch: u32,
        checks: &[(TokenType, [u8; 8])],
        test_tokens: &[TestToken],
        by: &str,
    ) -> Result<Vec<TokenType>, AppError> {
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let now = tx.now().await?;
        check_epoch(&tx.epochs(self.programme()).await?, epoch)?;
        let mut differing = Vec::new();
        for (token_type, value) in checks {
            let check = RegisteredKeyCheck {
                epoch,
                token_type: token_type.clone(),
                norm: super::policies::NORM,
                value: *value,
            };
            if !tx.register_key_check(self.programme(), &check).await? {
                differing.push(token_type.clone());
            }
        }
        for test in test_tokens {
            if !tx.register_test_token(self.programme(), super::policies::NORM, test).await? {
                differing.push(test.token_type.clone());
            }
        }
        if !differing.is_empty() {
            return Ok(differing);
        }
        tx.ensure_epoch(self.programme(), epoch, now).await?;
        tx.raise_policy_revision(Some(self.programme())).await?;
        tx.add_events(&[
            &self.event(now, key_event(&format!("epoch-{epoch}"), "linkage", "registered", None, by, "key-checks")?)?
        ])
        .await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(differing)
    }
}

/// Most epochs in use at a time: the present one, and the next while the linkage key is being changed.
const MOST_EPOCHS: usize = 2;

/// Whether an epoch may have key checks registered: an active one, or the next where there is room.
fn check_epoch(known: &[StoredEpoch], epoch: u32) -> Result<(), AppError> {
    let refuse = |reason: &str| Err(AppError::Policy(format!("epoch {epoch} {reason}")));
    match known.iter().find(|known| known.epoch == epoch).map(|known| known.state) {
        Some(EpochState::Active) => Ok(()),
        Some(state) => refuse(&format!("is {}: make the next one", state.as_str())),
        None if known.iter().any(|known| known.epoch > epoch) => refuse("is older than one that is registered"),
        None if known.iter().filter(|known| known.state == EpochState::Active).count() >= MOST_EPOCHS => {
            refuse("would be the third that is active: retire one first")
        }
        None => Ok(()),
    }
}

pub(super) fn key_event(
    key: &str,
    used_for: &str,
    action: &str,
    public_sha256: Option<Digest>,
    by: &str,
    reason: &str,
) -> Result<Body, AppError> {
    Ok(Body::KeyEvent(KeyEvent {
        key: code(key)?,
        used_for: code(used_for)?,
        action: code(action)?,
        by: code(by)?,
        reason: code(reason)?,
        public_sha256,
    }))
}

pub(super) fn code(text: &str) -> Result<Code, AppError> {
    text.parse().map_err(|_| {
        AppError::Policy("a name, id or reason is not a code: letters, digits, '-', '_', '.', ':' or '/'".to_owned())
    })
}
