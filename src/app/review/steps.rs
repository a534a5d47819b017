//! A disclosure is read, judged, judged again by a second officer, and dealt with. Every step is an entry
//! in the transaction that moves the review, from exactly the state that it was decided on.

use jiff::civil::Date;

use super::super::caller::AgencyCaller;
use super::super::enrol::code;
use super::super::gateway::Gateway;
use super::super::log_access::Grounds;
use super::super::log_access::explain::EntryRead;
use super::officers::Officer;
use super::{ReviewError, day_of};
use crate::crypto::random::uuid_v7;
use crate::domain::ids::{AgreementRef, EventId};
use crate::domain::review::finding::{Action, Decided, Finding, Severity};
use crate::domain::review::state::{Event, State};
use crate::domain::time::Timestamp;
use crate::store::{StoreError, StoredReview, StoredReviewReply};
use crate::tlog::entry::{AgreementState, Body, Code, EntryFacts, ReviewStep};

/// What a reviewer decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was found.
    pub finding: Finding,
    /// How grave it is.
    pub severity: Severity,
    /// What is done.
    pub action: Action,
    /// Who does it: a post or account.
    pub owner: Option<Code>,
    /// The day by which it is done.
    pub due: Option<Date>,
    /// The agreement to suspend.
    pub agreement: Option<AgreementRef>,
}

/// A step that an officer asks for, beside reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Gives the review back, undecided.
    Release,
    /// Decides.
    Decide(Verdict),
    /// Agrees with an adverse finding.
    Confirm,
    /// Does not agree.
    Return,
    /// Says that what was to be done is done.
    Complete,
}

/// A disclosure as its reviewer reads it.
#[derive(Debug, Clone)]
pub struct ReviewRead {
    /// The entry, in words and with its proof; the look is an entry of its own.
    pub read: EntryRead,
    /// Where the review is now.
    pub review: StoredReview,
    /// What the agency replied.
    pub replies: Vec<StoredReviewReply>,
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stepped {
    /// Its entry.
    pub event: EventId,
    /// Where the review is now.
    pub review: StoredReview,
    /// The agreement that was suspended by it.
    pub suspended: Option<AgreementRef>,
}

impl Gateway {
    /// Shows a sampled disclosure to an officer, decided and logged like any look at the log; the officer
    /// who is the first to look has the review from then on.
    ///
    /// # Errors
    ///
    /// [`ReviewError`]; an officer who asked or approved is shown nothing.
    pub async fn read_for_review(
        &self,
        account: &str,
        grounds: &Grounds,
        entry: EventId,
    ) -> Result<ReviewRead, ReviewError> {
        let officer = self.officer(account).await?;
        let before = self.store().review(entry).await?.ok_or(ReviewError::Unknown)?;
        let facts = self.facts_of(entry).await?;
        self.check_independent(&officer, &facts).await?;
        let caller = AgencyCaller { agency: officer.agency.clone(), client: officer.account.clone() };
        let read = self.read_log_entry(&caller, grounds, entry).await?;
        let look = read.logged.disclosure;

        let mut tx = self.store().begin().await?;
        tx.add_review_look(entry, account, look).await?;
        tx.commit().await?;
        if state_of(&before)? == State::Drawn && before.barred.as_deref() != Some(account) {
            let taken = self.move_on(&officer, &before, &facts, (Event::Take, None, Some(look)), "review").await;
            match taken {
                Ok(_) | Err(ReviewError::WrongState) => {} // somebody else was first: it is only read then
                Err(error) => return Err(error),
            }
        }
        let review = self.store().review(entry).await?.ok_or(ReviewError::Unknown)?;
        Ok(ReviewRead { read, review, replies: self.store().review_replies(entry).await? })
    }

    /// Takes a step of a review.
    ///
    /// # Errors
    ///
    /// [`ReviewError`] naming what stands against it; nothing is changed then.
    pub async fn step_review(
        &self,
        account: &str,
        entry: EventId,
        asked: &Asked,
        reason: &str,
    ) -> Result<Stepped, ReviewError> {
        let officer = self.officer(account).await?;
        let before = self.store().review(entry).await?.ok_or(ReviewError::Unknown)?;
        let facts = self.facts_of(entry).await?;
        self.check_independent(&officer, &facts).await?;
        let (event, verdict) = match asked {
            Asked::Release => (Event::Release, None),
            Asked::Decide(verdict) => (Event::Decide(verdict.finding, verdict.action != Action::None), Some(verdict)),
            Asked::Confirm => (Event::Confirm, None),
            Asked::Return => (Event::Return, None),
            Asked::Complete => (Event::Complete, None),
        };
        let from = state_of(&before)?;
        from.after(event).ok_or(ReviewError::WrongState)?;
        check_person(account, &before, from, event)?;
        let look = self.store().review_look(entry, account).await?;
        if look.is_none() && !matches!(event, Event::Complete) {
            return Err(ReviewError::NotLooked);
        }
        if let Some(verdict) = verdict {
            check_verdict(verdict, &facts, self.store().now().await?)?;
        }
        self.move_on(&officer, &before, &facts, (event, verdict, look), reason).await
    }

    /// Moves a review on, with its entry; and suspends the agreement where a confirmed finding says so.
    async fn move_on(
        &self,
        officer: &Officer,
        before: &StoredReview,
        facts: &EntryFacts,
        (event, verdict, look): (Event, Option<&Verdict>, Option<EventId>),
        reason: &str,
    ) -> Result<Stepped, ReviewError> {
        let to = state_of(before)?.after(event).ok_or(ReviewError::WrongState)?;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let id = EventId::new(uuid_v7(now, self.random()));
        let review = moved(before, event, verdict, (officer, to, id, now), reason);
        let mut entries = Vec::new();
        let mut suspended = None;
        if let (Event::Confirm, Some(agreement)) = (event, &review.agreement) {
            let in_force = tx.agreement_status(agreement).await?.is_some_and(|(_, status)| status == "in_force");
            if in_force {
                let to = (agreement, AgreementState::Suspended);
                entries.push(self.move_agreement(&mut tx, now, to, &officer.account, reason).await?);
                suspended = Some(agreement.clone());
            }
        }
        let tells = matches!(event, Event::Decide(..) | Event::Confirm);
        let word = |text: &Option<String>| text.as_ref().filter(|_| tells).map(|text| code(text)).transpose();
        let body = ReviewStep {
            entry: before.entry,
            step: code(event.as_str())?,
            from: code(&before.state)?,
            to: code(&review.state)?,
            agency: facts.agency.clone(),
            finding: word(&review.finding)?,
            severity: word(&review.severity)?,
            action: word(&review.action)?,
            owner: word(&review.owner)?,
            due: review.due.filter(|_| tells).map(|day| code(&date_of(day).to_string())).transpose()?,
            agreement: review.agreement.clone().filter(|_| tells),
            look,
            by: code(&officer.account)?,
            reason: code(reason)?,
        };
        entries.push(self.event_with_id(id, now, Body::ReviewStep(Box::new(body)))?);
        if !tx.move_review(before.last_event, &review).await? {
            return Err(ReviewError::WrongState);
        }
        tx.add_events(&entries.iter().collect::<Vec<_>>()).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(Stepped { event: id, review, suspended })
    }
}

/// Two decisions about one disclosure are two people's.
fn check_person(account: &str, review: &StoredReview, from: State, event: Event) -> Result<(), ReviewError> {
    let (is_reviewer, is_barred) =
        (review.reviewer.as_deref() == Some(account), review.barred.as_deref() == Some(account));
    match event {
        Event::Confirm | Event::Return if is_reviewer => Err(ReviewError::SamePerson),
        Event::Decide(..) if from == State::Referred && is_barred => Err(ReviewError::SamePerson),
        Event::Decide(..) | Event::Release if from == State::Taken && !is_reviewer => Err(ReviewError::NotYours),
        _ => Ok(()),
    }
}

fn check_verdict(verdict: &Verdict, facts: &EntryFacts, now: Timestamp) -> Result<(), ReviewError> {
    Decided {
        finding: verdict.finding,
        severity: verdict.severity,
        action: verdict.action,
        has_owner_and_day: verdict.owner.is_some() && verdict.due.is_some(),
        names_agreement: verdict.agreement.is_some(),
    }
    .check()?;
    if verdict.owner.is_some() != verdict.due.is_some() {
        return Err(crate::domain::review::finding::Unfit::Owner.into());
    }
    if verdict.agreement.as_ref().is_some_and(|agreement| !facts.agreements.contains(agreement)) {
        return Err(ReviewError::Agreement);
    }
    if verdict.due.is_some_and(|due| due < now.date()) { Err(ReviewError::Day) } else { Ok(()) }
}

/// The review after a step.
fn moved(
    before: &StoredReview,
    event: Event,
    verdict: Option<&Verdict>,
    (officer, to, id, now): (&Officer, State, EventId, Timestamp),
    reason: &str,
) -> StoredReview {
    let mut review = StoredReview { state: to.as_str().to_owned(), last_event: id, changed_at: now, ..before.clone() };
    let account = Some(officer.account.clone());
    match event {
        Event::Take => review.reviewer = account,
        Event::Release => review.reviewer = None,
        Event::Decide(finding, _) => {
            review.reviewer.clone_from(&account);
            if finding.is_open() {
                review.barred = account;
            }
            if let Some(verdict) = verdict {
                review.finding = Some(verdict.finding.as_str().to_owned());
                review.severity = Some(verdict.severity.as_str().to_owned());
                review.action = Some(verdict.action.as_str().to_owned());
                review.owner = verdict.owner.clone().map(String::from);
                review.due = verdict.due.map(|due| day_of(Timestamp::start_of(due)));
                review.agreement.clone_from(&verdict.agreement);
                review.reason = Some(reason.to_owned());
            }
            if to.stands() {
                review.finding_event = Some(id);
            }
        }
        Event::Confirm => review.finding_event = Some(id),
        Event::Return => {
            review.barred = review.reviewer.take();
            (review.finding, review.severity, review.action, review.owner) = (None, None, None, None);
            (review.due, review.agreement, review.reason) = (None, None, None);
        }
        Event::Complete => {}
    }
    review
}

fn state_of(review: &StoredReview) -> Result<State, StoreError> {
    review.state.parse().map_err(|_| StoreError::Corrupt("a review's state"))
}

/// The day of a number of days since 1970.
pub fn date_of(day: i64) -> Date {
    Timestamp::from_micros(day.saturating_mul(86_400_000_000)).date()
}
