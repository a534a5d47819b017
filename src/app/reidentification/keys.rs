//! Keys for re-identification are enrolled and revoked by two people together, like signatories'.

use crate::app::enrol::key_event;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::store::{ReidKey, ReidKeyKind};
use crate::tlog::digest::Digest;

impl Gateway {
    /// Enrols a key of an officer or of the data team.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when both people are one, the agency's file is not loaded, or the id is not the
    /// card's; a conflict when the
    /// key is enrolled.
    pub async fn enrol_reid_key(&self, key: &ReidKey, by: &str, confirmed_by: &str) -> Result<(), AppError> {
        two_people(by, confirmed_by)?;
        if self.current_policies().await?.agency(&key.agency).is_none() {
            return Err(AppError::Policy(format!("no agency file for {} is loaded", key.agency)));
        }
        let fits = match key.kind {
            ReidKeyKind::Officer => key.person.is_some() && key.seal_key.is_none(),
            ReidKeyKind::Recipient => key.person.is_none() && key.seal_key.is_some(),
        };
        if !fits {
            return Err(AppError::Policy("an officer's key has a person, a recipient's a sealing key".to_owned()));
        }
        if key.key_id != key.id() {
            return Err(AppError::Policy("the id is not that of this key, agency and person".to_owned()));
        }
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        tx.ensure_agency(&key.agency, now).await?;
        tx.add_reid_key(key, now).await?;
        let (used_for, both) = (used_for(key.kind), format!("{by}:{confirmed_by}"));
        let public = Digest::of(&key.sign_key);
        let body = key_event(&key.key_id, used_for, "enrolled", Some(public), &both, key.agency.as_str())?;
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    /// Revokes such a key for good: what it signed no longer counts where nothing was released yet.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when both people are one, or no key that is not revoked has that id.
    pub async fn revoke_reid_key(
        &self,
        key_id: &str,
        by: &str,
        confirmed_by: &str,
        reason: &str,
    ) -> Result<(), AppError> {
        two_people(by, confirmed_by)?;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let key = tx.reid_key(key_id).await?;
        let key = key.ok_or_else(|| AppError::Policy("no key that is not revoked has that id".to_owned()))?;
        tx.revoke_reid_key(key_id, now).await?;
        // What is being decided on it at this moment is decided anew.
        tx.raise_policy_revision(Some(self.programme())).await?;
        let both = format!("{by}:{confirmed_by}");
        let body = key_event(key_id, used_for(key.kind), "revoked", None, &both, reason)?;
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }
}

fn used_for(kind: ReidKeyKind) -> &'static str {
    match kind {
        ReidKeyKind::Officer => "reid-officer",
        ReidKeyKind::Recipient => "reid-recipient",
    }
}

fn two_people(by: &str, confirmed_by: &str) -> Result<(), AppError> {
    if by == confirmed_by {
        return Err(AppError::Policy("two different people enrol and revoke such keys".to_owned()));
    }
    Ok(())
}
