//! What opens entries is destroyed: salts, values and every index row by which an entry is found for a
//! person go in one transaction with the `erasure` entry that names them.

use super::holds_in_force;
use crate::app::enrol::code;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::alert::RETENTION;
use crate::domain::ids::EventId;
use crate::domain::retention::Covered;
use crate::store::StoreError;
use crate::tlog::canonical;
use crate::tlog::entry::{Body, Erasure, Facet, Facets};

/// Events that one entry is asked for: with their notices, and ids in text, they are well below the longest entry.
const MOST_EVENTS: usize = 500;

/// What became of a request to erase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Entries whose openings are gone now.
    pub erased: u64,
    /// Entries that a freeze keeps.
    pub held: u64,
    /// Entries that a review, a recall or an incident names which is not over.
    pub examined: u64,
    /// Entries that had no opening any more, or never had one.
    pub without: u64,
}

impl Gateway {
    /// Destroys what opens these entries by name, as far as no freeze keeps them and nobody still looks into
    /// them. An alert tells officers of it.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] where one of them is no entry of the log, or the reason is that of the periods;
    /// nothing is erased then.
    pub async fn erase_entries(&self, events: &[EventId], reason: &str, by: &str) -> Result<Erased, AppError> {
        if reason == RETENTION {
            let sentence = "this reason is that of the periods: say on which law or decision the erasure rests";
            return Err(AppError::Policy(sentence.to_owned()));
        }
        self.erase(events, reason, by).await
    }

    pub(super) async fn erase(&self, events: &[EventId], reason: &str, by: &str) -> Result<Erased, AppError> {
        let mut events = events.to_vec();
        events.sort_unstable();
        events.dedup();
        let mut covered = Vec::with_capacity(events.len());
        for event in &events {
            let body = self.store().event_body(*event).await?;
            let body = body.ok_or_else(|| AppError::Policy("one of these is no entry of the log".to_owned()))?;
            covered.push((*event, covered_entry(*event, &body)?));
        }
        let mut done = Erased::default();
        for piece in covered.chunks(MOST_EVENTS) {
            self.erase_some(piece, reason, by, &mut done).await?;
        }
        if done.erased > 0 {
            self.leave_nothing_behind().await?;
        }
        Ok(done)
    }

    /// What was deleted is overwritten in an SQLite file; it has to leave the write-ahead log too.
    pub(super) async fn leave_nothing_behind(&self) -> Result<(), AppError> {
        if !self.store().empty_write_ahead_log().await? {
            tracing::warn!("what was erased is still in the write-ahead log: it goes with the next run of retention");
        }
        Ok(())
    }

    async fn erase_some(
        &self,
        events: &[(EventId, Covered)],
        reason: &str,
        by: &str,
        done: &mut Erased,
    ) -> Result<(), AppError> {
        let (reason, by) = (code(reason)?, code(by)?);
        let mut tx = self.store().begin().await?;
        // A freeze is placed under the same lock: none comes between this look and the commit.
        tx.lock_programme(self.programme()).await?;
        let holds = holds_in_force(&tx.legal_holds(self.programme()).await?);
        let ids: Vec<EventId> = events.iter().map(|(event, _)| *event).collect();
        let opened = tx.still_opened(&ids).await?;
        let is_held = |event: &EventId| {
            let covered = events.iter().find(|(id, _)| id == event).map(|(_, covered)| covered);
            covered.is_some_and(|covered| holds.iter().any(|hold| hold.keeps(covered)))
        };
        let (held, mut going): (Vec<EventId>, Vec<EventId>) = opened.iter().copied().partition(is_held);
        done.held += held.len() as u64;
        let examined = self.under_examination(&going).await?;
        going.retain(|event| !examined.contains(event));
        done.examined += examined.len() as u64;
        done.without += (ids.len() - opened.len()) as u64;
        if going.is_empty() {
            return Ok(());
        }
        // A notice says that an answer was wrong, and what holds instead: it goes with the answer, and stays with it.
        let notices = self.store().notice_entries_of(&going).await?;
        for notice in tx.still_opened(&notices).await? {
            let body = self.store().event_body(notice).await?.ok_or(StoreError::Corrupt("a notice"))?;
            let covered = covered_entry(notice, &body)?;
            if !going.contains(&notice) && !holds.iter().any(|hold| hold.keeps(&covered)) {
                going.push(notice);
            }
        }
        going.sort_unstable();
        let now = tx.now().await?;
        tx.drop_openings(&going).await?;
        done.erased += going.len() as u64;
        let entry = self.event(now, Body::Erasure(Erasure { events: going, reason, by }))?;
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    /// The entries that rested on the own records of a case, whatever they were about: what an officer who
    /// erases a person's entries starts from.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] where there is no such case.
    pub async fn entries_of_case(&self, id: crate::domain::ids::SubjectCaseId) -> Result<Vec<EventId>, AppError> {
        let case = self.store().subject_case(id).await?;
        let case = case.ok_or_else(|| AppError::Policy("there is no case of this number".to_owned()))?;
        let entries = self.entries_of_records(&self.records_of_case(&case)?).await?;
        let mut events: Vec<EventId> = entries.into_iter().map(|entry| entry.event).collect();
        events.sort_unstable();
        events.dedup();
        Ok(events)
    }
}

/// What a freeze can cover an entry by.
fn covered_entry(event: EventId, body: &[u8]) -> Result<Covered, AppError> {
    let corrupt = || AppError::Store(StoreError::Corrupt("a log entry"));
    canonical::envelope(body).map_err(|_| corrupt())?;
    let facets = Facets::of(body).map_err(|_| corrupt())?;
    let mut covered = Covered { id: event.to_string(), ..Covered::default() };
    for (facet, value) in facets.values {
        match facet {
            Facet::Agency => covered.agencies.insert(value),
            Facet::Agreement => covered.agreements.insert(value),
            Facet::Purpose => covered.purposes.insert(value),
            _ => false,
        };
    }
    Ok(covered)
}
