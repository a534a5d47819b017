//! Agreements come into force: somebody asks, and two officers approve, neither of whom asked.
//!
//! The second approval does it, in the transaction that keeps it: status, log entries, and the end of the
//! version that the agreement replaces. The same holds for an agreement that was suspended.

use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use super::load_policy::{may_follow, status_word};
use crate::domain::agreement::AgreementText;
use crate::domain::ids::AgreementRef;
use crate::domain::time::Timestamp;
use crate::store::{ActivationRequest, NewEvent, Tx};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{AgreementApproval, AgreementRequest, AgreementState, AgreementStatus, Body};

/// How many officers have to approve.
pub const APPROVALS: usize = 2;

/// What an approval came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activation {
    /// Another officer has to approve.
    Waiting,
    /// The agreement is in force.
    InForce {
        /// The version that ended with it.
        replaced: Option<AgreementRef>,
    },
}

impl Gateway {
    /// Asks that an agreement be put in force. Nothing changes yet.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when it is not loaded, not signed by every party, in no status from which it
    /// comes into force, or asked for already.
    pub async fn request_activation(&self, of: &AgreementRef, by: &str, reason: &str) -> Result<(), AppError> {
        self.refuse_unsigned(of).await?;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let sha256 = ready(&mut tx, of).await?.0;
        let request = ActivationRequest {
            agreement: of.clone(),
            sha256,
            requested_by: account(by)?,
            reason: code(reason)?.as_str().to_owned(),
            requested_at: now,
        };
        if !tx.add_activation_request(&request).await? {
            return Err(AppError::Policy(format!("somebody asked for {of} already: it waits for approval")));
        }
        let event = self.event(now, body_of(&request, "asked", by)?)?;
        self.log_and_commit(tx, vec![event]).await
    }

    /// Takes a request back, with the approvals that it had.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when none waits.
    pub async fn withdraw_activation(&self, of: &AgreementRef, by: &str) -> Result<(), AppError> {
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let request = waiting(&mut tx, of).await?;
        tx.end_activation_request(of).await?;
        let event = self.event(now, body_of(&request, "withdrawn", by)?)?;
        self.log_and_commit(tx, vec![event]).await
    }

    /// Keeps an officer's approval; with the second one the agreement is in force.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when nothing waits, the account asked for it or approved before, a party's
    /// signature no longer stands, or the version that it replaces would end before this one begins.
    pub async fn approve_activation(&self, of: &AgreementRef, by: &str) -> Result<Activation, AppError> {
        self.refuse_unsigned(of).await?;
        let officer = account(by)?;
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let now = tx.now().await?;
        let request = waiting(&mut tx, of).await?;
        let (sha256, from) = ready(&mut tx, of).await?;
        if request.sha256 != sha256 {
            return Err(AppError::Policy(format!("the request is for another text of {of}")));
        }
        if request.requested_by == officer {
            return Err(AppError::Policy("whoever asks for an agreement does not approve it".to_owned()));
        }
        if !tx.add_activation_approval(of, &officer, now).await? {
            let rule = "this account approved before: another officer has to";
            return Err(AppError::Policy(rule.to_owned()));
        }
        let approval = AgreementApproval { agreement: of.clone(), sha256: Digest::new(sha256), by: code(by)? };
        let mut events = vec![self.event(now, Body::AgreementApproval(approval))?];
        let approvals = tx.activation_approvals(of).await?;
        if approvals.len() < APPROVALS {
            self.log_and_commit(tx, events).await?;
            return Ok(Activation::Waiting);
        }
        let replaced = self.end_replaced(&mut tx, of, &officer, now).await?;
        if !tx.set_agreement_status(of, &from, status_word(AgreementState::InForce), now).await? {
            return Err(AppError::Policy(format!("agreement {of} is no longer {from}")));
        }
        tx.end_activation_request(of).await?;
        tx.raise_policy_revision(Some(self.programme())).await?;
        let status = AgreementStatus {
            agreement: of.clone(),
            sha256: Digest::new(sha256),
            from: serde_json::from_value(from.into()).ok(),
            to: AgreementState::InForce,
            by: code(&request.requested_by)?,
            approved_by: approvals.iter().map(|officer| code(officer)).collect::<Result<_, _>>()?,
            reason: code(&request.reason)?,
        };
        let (ended, event) = replaced.unzip();
        events.extend(event);
        events.push(self.event(now, Body::AgreementStatus(status))?);
        self.log_and_commit(tx, events).await?;
        Ok(Activation::InForce { replaced: ended })
    }

    /// Ends the version that the text replaces, if that one is in force or suspended.
    async fn end_replaced(
        &self,
        tx: &mut Tx,
        of: &AgreementRef,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<(AgreementRef, NewEvent)>, AppError> {
        let stored = tx.agreement_text(of).await?.ok_or(AppError::Internal("an agreement without a text"))?;
        let text = AgreementText::parse(&stored).map_err(|faults| AppError::Policy(faults.to_string()))?;
        let Some(version) = text.supersedes() else {
            return Ok(None);
        };
        let earlier = AgreementRef { id: of.id.clone(), version };
        let Some((sha256, from)) = tx.agreement_status(&earlier).await? else {
            return Ok(None);
        };
        if !may_follow(&from, AgreementState::Expired) {
            return Ok(None);
        }
        if now < text.starts_at() {
            let rule = "it would end the version that it replaces before it begins: approve it on its first day";
            return Err(AppError::Policy(format!("{of} starts on {}: {rule}", text.starts())));
        }
        if !tx.set_agreement_status(&earlier, &from, status_word(AgreementState::Expired), now).await? {
            return Err(AppError::Policy(format!("agreement {earlier} is no longer {from}")));
        }
        let body = Body::AgreementStatus(AgreementStatus {
            agreement: earlier.clone(),
            sha256: Digest::new(sha256),
            from: serde_json::from_value(from.into()).ok(),
            to: AgreementState::Expired,
            by: code(by)?,
            approved_by: Vec::new(),
            reason: code("replaced")?,
        });
        Ok(Some((earlier, self.event(now, body)?)))
    }

    async fn log_and_commit(&self, mut tx: Tx, events: Vec<NewEvent>) -> Result<(), AppError> {
        tx.add_events(&events.iter().collect::<Vec<_>>()).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }
}

/// Accounts are compared as one would say them.
fn account(by: &str) -> Result<String, AppError> {
    Ok(code(by.trim())?.as_str().to_lowercase())
}

/// The hash of the text and the status that it would leave.
async fn ready(tx: &mut Tx, of: &AgreementRef) -> Result<([u8; 32], String), AppError> {
    let Some((sha256, from)) = tx.agreement_status(of).await? else {
        return Err(AppError::Policy(format!("no agreement {of} is loaded")));
    };
    if !may_follow(&from, AgreementState::InForce) {
        return Err(AppError::Policy(format!("agreement {of} is {from}: it cannot become in_force")));
    }
    Ok((sha256, from))
}

async fn waiting(tx: &mut Tx, of: &AgreementRef) -> Result<ActivationRequest, AppError> {
    tx.activation_request(of).await?.ok_or_else(|| AppError::Policy(format!("nobody asked that {of} be put in force")))
}

fn body_of(request: &ActivationRequest, action: &str, by: &str) -> Result<Body, AppError> {
    Ok(Body::AgreementRequest(AgreementRequest {
        agreement: request.agreement.clone(),
        sha256: Digest::new(request.sha256),
        action: code(action)?,
        by: code(by)?,
        reason: code(&request.reason)?,
    }))
}
