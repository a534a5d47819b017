//! An officer freezes deletion, for an inquiry or a claim, and lets it go on. Both are entries.

use crate::app::enrol::code;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::log_index::index_log;
use crate::crypto::random::random_bytes;
use crate::domain::ids::{AgencyCode, AgreementRef, ComplaintId, EventId, LegalHoldId, PurposeCode, SubjectCaseId};
use crate::domain::retention::Hold;
use crate::store::StoredHold;
use crate::tlog::entry::{Body, Facet, LegalHold};

impl Gateway {
    /// Places a freeze: from the commit on nothing that it covers is deleted.
    ///
    /// # Errors
    ///
    /// [`AppError`], where it covers nothing that there is or was; nothing is frozen then.
    pub async fn place_legal_hold(&self, hold: &Hold, by: &str, reason: &str) -> Result<LegalHoldId, AppError> {
        let id = LegalHoldId::new(uuid::Builder::from_random_bytes(random_bytes(self.random())).into_uuid());
        let body = body(id, hold, "placed", by, reason)?;
        self.refuse_unknown(hold).await?;
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

    /// A freeze on something that does not exist would keep nothing, and everybody would believe that it does.
    async fn refuse_unknown(&self, hold: &Hold) -> Result<(), AppError> {
        let policies = self.current_policies().await?;
        let (is_there, facet, what) = match hold {
            Hold::Everything => return Ok(()),
            Hold::Agency(name) => {
                let agency = AgencyCode::parse(name).ok();
                let is_there = agency.is_some_and(|agency| policies.agency(&agency).is_some());
                (is_there, Some(Facet::Agency), "agency: `porth agency list` shows them")
            }
            Hold::Agreement(name) => {
                let reference: Option<AgreementRef> = name.parse().ok();
                let is_there = reference.is_some_and(|reference| policies.book().agreement(&reference).is_some());
                (is_there, Some(Facet::Agreement), "agreement version: write it as it was loaded, such as core/v1")
            }
            Hold::Purpose(name) => {
                let purpose = PurposeCode::parse(name).ok();
                let is_there = purpose.is_some_and(|purpose| policies.programme().purpose(&purpose).is_some());
                (is_there, Some(Facet::Purpose), "purpose: the programme file lists them")
            }
            Hold::Entry(name) => {
                let is_there = self.is_entry_or_case(name).await?;
                (is_there, None, "entry, case or complaint: give its number, as `porth log find` and others print it")
            }
        };
        // What is of the programme no longer may still be in the log, and is kept like the rest.
        let is_in_log = match facet {
            Some(facet) if !is_there => {
                index_log(self.store()).await?;
                self.store().is_facet(facet.as_str(), hold.name()).await?
            }
            _ => false,
        };
        if is_there || is_in_log {
            return Ok(());
        }
        Err(AppError::Policy(format!("nothing was frozen: neither the programme nor its log knows this {what}")))
    }

    async fn is_entry_or_case(&self, number: &str) -> Result<bool, AppError> {
        let (store, is_case) = (self.store(), number.parse::<SubjectCaseId>());
        if let Ok(event) = number.parse::<EventId>()
            && store.event_body(event).await?.is_some()
        {
            return Ok(true);
        }
        if let Ok(case) = is_case
            && store.subject_case(case).await?.is_some()
        {
            return Ok(true);
        }
        match number.parse::<ComplaintId>() {
            Ok(complaint) => Ok(store.complaint(complaint).await?.is_some()),
            Err(_) => Ok(false),
        }
    }

    /// Lifts a freeze: a registered officer does, and another one than placed it. An alert tells of it.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] where none of this number stands, or the account may not lift it.
    pub async fn lift_legal_hold(&self, id: LegalHoldId, by: &str, reason: &str) -> Result<(), AppError> {
        let stored = self.store().legal_holds(self.programme()).await?;
        let standing = stored.into_iter().find(|hold| hold.id == id && hold.lifted.is_none());
        let none =
            || AppError::Policy("no freeze of this number stands: `porth retention holds` lists them".to_owned());
        let standing = standing.ok_or_else(none)?;
        let officer = self.store().review_officer(by).await?;
        let is_officer = officer.is_some_and(|officer| officer.status == "registered");
        if !is_officer || standing.placed_by.eq_ignore_ascii_case(by.trim()) {
            let rule =
                "a registered officer (`porth review officer add`) lifts a freeze, and not the one who placed it";
            return Err(AppError::Policy(format!("{rule}: it stands")));
        }
        let body = body(id, &standing.hold, "lifted", by, reason)?;
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
