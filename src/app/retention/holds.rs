//! An officer freezes deletion, for an inquiry or a claim, and lets it go on. Both are entries.

use crate::app::enrol::code;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::random::random_bytes;
use crate::domain::ids::LegalHoldId;
use crate::domain::retention::Hold;
use crate::store::StoredHold;
use crate::tlog::entry::{Body, LegalHold};

impl Gateway {
    /// Places a freeze: from the commit on nothing that it covers is deleted.
    ///
    /// # Errors
    ///
    /// [`AppError`]; nothing is frozen then.
    pub async fn place_legal_hold(&self, hold: &Hold, by: &str, reason: &str) -> Result<LegalHoldId, AppError> {
        let id = LegalHoldId::new(uuid::Builder::from_random_bytes(random_bytes(self.random())).into_uuid());
        let body = body(id, hold, "placed", by, reason)?;
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let now = tx.now().await?;
        let stored = StoredHold {
            id,
            hold: hold.clone(),
            reason: reason.to_owned(),
            placed_by: by.to_owned(),
            placed_at: now,
            lifted: None,
        };
        tx.add_legal_hold(self.programme(), &stored).await?;
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(id)
    }

    /// Lifts a freeze.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] where none of this number stands.
    pub async fn lift_legal_hold(&self, id: LegalHoldId, by: &str, reason: &str) -> Result<(), AppError> {
        let stored = self.store().legal_holds(self.programme()).await?;
        let standing = stored.into_iter().find(|hold| hold.id == id && hold.lifted.is_none());
        let none = || AppError::Policy("no freeze of this number stands: nothing was changed".to_owned());
        let body = body(id, &standing.ok_or_else(none)?.hold, "lifted", by, reason)?;
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let now = tx.now().await?;
        if !tx.lift_legal_hold(id, by, now).await? {
            return Err(none());
        }
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }
}

fn body(id: LegalHoldId, hold: &Hold, action: &str, by: &str, reason: &str) -> Result<Body, AppError> {
    let name = (!hold.name().is_empty()).then(|| code(hold.name())).transpose()?;
    let (number, covers) = (code(&id.to_string())?, code(hold.covers())?);
    Ok(Body::LegalHold(LegalHold {
        hold: number,
        covers,
        name,
        action: code(action)?,
        by: code(by)?,
        reason: code(reason)?,
    }))
}
