//! Alerts: warnings about what was asked and how, which officers look into.
//!
//! | file | what |
//! |---|---|
//! | [`watch`] | entries are counted as they come into the log, and what is due is opened |
//! | [`decoy`] | records that nobody has a reason to ask about |
//! | this file | an officer reads, closes and escalates alerts |
//!
//! Counts are of questions. What was found is counted as the asker saw it, so a shielded person counts
//! as one whom nobody knows; nothing here reads what a shield keeps back.

pub mod decoy;
pub mod watch;

use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use super::log_access::explain::history::Later;
use super::review::ReviewError;
use super::review::officers::Officer;
use crate::domain::alert::{State, Step};
use crate::domain::ids::EventId;
use crate::store::{StoreError, StoredAlert};
use crate::tlog::entry::{AlertStep, Body, Code, Entry, EntryFacts};

/// Alerts of a listing, at the most.
pub const MOST: i64 = 500;

/// Why something about an alert is not done.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    /// There is no such alert.
    #[error("there is no such alert")]
    Unknown,
    /// The account is not a registered officer's.
    #[error("the account is not one of a registered reviewing officer")]
    NotOfficer,
    /// The alert is about the officer's own agency.
    #[error("the alert is about the officer's own agency: an officer of another agency decides")]
    OwnAgency,
    /// The alert is about what the officer did.
    #[error("the alert is about what the officer did, by account or client: another officer decides")]
    Own,
    /// Whoever gave it to somebody else does not decide about it.
    #[error("the officer escalated this alert: another officer closes it")]
    Escalated,
    /// The alert is not where this step begins, or somebody else was first.
    #[error("the alert is not where this step begins")]
    WrongState,
    /// An escalation names to whom; a closing names nobody.
    #[error("an escalation names to whom, and only an escalation does")]
    To,
    /// There is no such record, or it cannot be a decoy.
    #[error("no visible record of that name is without a household")]
    NoRecord,
    /// The record is a decoy already, or is none.
    #[error("the record is a decoy already, or is none")]
    Decoy,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for AlertError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

impl From<ReviewError> for AlertError {
    fn from(error: ReviewError) -> Self {
        match error {
            ReviewError::App(error) => Self::App(error),
            _ => Self::NotOfficer,
        }
    }
}

/// What an officer does with an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertStepAsked {
    /// Which: the entry that opened it.
    pub alert: EventId,
    /// What is done.
    pub step: Step,
    /// To whom it is escalated: a post or account.
    pub to: Option<Code>,
}

impl Gateway {
    /// What officers did with an alert, oldest first: who, when and why. The last step is there as soon as it
    /// was taken, earlier ones by their places in the log.
    ///
    /// # Errors
    ///
    /// [`AlertError`] from the database.
    pub async fn steps_of_alert(&self, alert: &StoredAlert) -> Result<Vec<Later>, AlertError> {
        let mut steps = self.entries_about(alert.event).await?;
        steps.retain(|step| matches!(step.body, Body::AlertStep(_)));
        let last = alert.last_event;
        if last != alert.event && steps.iter().all(|step| step.event != last) {
            let body = self.logged_body(last).await?.ok_or(StoreError::Corrupt("a step of an alert"))?;
            let entry = Entry::parse(&body).map_err(|_| StoreError::Corrupt("a log entry"))?;
            steps.push(Later { event: last, at: entry.at(), body: entry.into_body() });
        }
        Ok(steps)
    }

    /// Closes or escalates an alert, with its entry.
    ///
    /// # Errors
    ///
    /// [`AlertError`] naming what stands against it; nothing is changed then.
    pub async fn step_alert(
        &self,
        account: &str,
        asked: &AlertStepAsked,
        reason: &str,
    ) -> Result<StoredAlert, AlertError> {
        let officer = self.officer(account).await?;
        let before = self.store().alert(asked.alert).await?.ok_or(AlertError::Unknown)?;
        if before.agency.as_ref() == Some(&officer.agency) {
            return Err(AlertError::OwnAgency);
        }
        if self.is_about(&officer, &before).await? {
            return Err(AlertError::Own);
        }
        if asked.to.is_some() != (asked.step == Step::Escalate) {
            return Err(AlertError::To);
        }
        let from: State = before.state.parse().map_err(|_| StoreError::Corrupt("an alert's state"))?;
        let to = from.after(asked.step).ok_or(AlertError::WrongState)?;
        if asked.step == Step::Close && !self.may_close_alert(&before, account).await? {
            return Err(AlertError::Escalated);
        }
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let entry = self.event(
            now,
            Body::AlertStep(AlertStep {
                alert: asked.alert,
                step: code(asked.step.as_str())?,
                from: code(from.as_str())?,
                to: code(to.as_str())?,
                escalated_to: asked.to.clone(),
                by: code(officer.account.as_str())?,
                reason: code(reason)?,
            }),
        )?;
        let escalated_to = asked.to.as_ref().map(Code::as_str).or(before.escalated_to.as_deref());
        if !tx.move_alert(asked.alert, before.last_event, (to.as_str(), escalated_to), entry.id).await? {
            return Err(AlertError::WrongState);
        }
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(StoredAlert {
            state: to.as_str().to_owned(),
            escalated_to: escalated_to.map(str::to_owned),
            last_event: entry.id,
            ..before
        })
    }

    /// Whether an alert was raised by something that the officer did. Not every entry names an agency: what
    /// shield officers and officers of the council read is theirs by account alone.
    async fn is_about(&self, officer: &Officer, alert: &StoredAlert) -> Result<bool, AlertError> {
        let by = match alert.entry {
            Some(entry) => self.facts_of(entry).await?.by,
            None => None,
        };
        Ok(officer.is_named_by(by.as_deref(), alert.client.as_deref()))
    }

    /// Whether it is for somebody to close: an alert that was escalated, for anybody but who did that.
    ///
    /// # Errors
    ///
    /// [`AlertError`] from the database.
    pub async fn may_close_alert(&self, alert: &StoredAlert, account: &str) -> Result<bool, AlertError> {
        Ok(alert.state != State::Escalated.as_str() || !self.was_last_step_by(alert, account).await?)
    }

    async fn was_last_step_by(&self, alert: &StoredAlert, account: &str) -> Result<bool, AlertError> {
        let body = self.store().event_body(alert.last_event).await?.ok_or(StoreError::Corrupt("an alert's step"))?;
        let facts = EntryFacts::of(&body).map_err(|_| StoreError::Corrupt("an alert's step"))?;
        Ok(facts.by.is_some_and(|by| by.eq_ignore_ascii_case(account.trim())))
    }
}
