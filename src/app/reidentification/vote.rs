//! Officers vote: each signs the request's hash with an own key; the source's officer signs the record
//! that it saw as well. The gateway believes no vote without its signature.

use std::collections::BTreeSet;

use super::record::{Decided, Doing, Move, Opened, Said};
use super::view::ReidView;
use super::{MOST_TRIES, ReidError};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::random::uuid_v7;
use crate::crypto::sign::VerifyingKey;
use crate::domain::ids::{EventId, ReidentificationId};
use crate::domain::reidentification::refusal::Refusal;
use crate::domain::reidentification::state::{Event, State};
use crate::domain::reidentification::vote::{Choice, Vote};
use crate::domain::time::Timestamp;
use crate::domain::token::decode_base64url;
use crate::store::{ReidKey, ReidKeyKind, StoreError};

/// The longest id of a key that is looked up.
const KEY_ID_LENGTH: usize = 64;

impl Gateway {
    /// Takes an officer's vote.
    ///
    /// # Errors
    ///
    /// [`ReidError`]; every refusal is in the log.
    pub async fn vote_reidentification(
        &self,
        caller: &AgencyCaller,
        id: ReidentificationId,
        vote: &Vote,
    ) -> Result<ReidView, ReidError> {
        let doing = Doing::new(caller, vote.choice.as_str()).with_key(&vote.key_id);
        for _ in 0..MOST_TRIES {
            let (opened, now) = self.due_reid(doing, id).await?;
            let part = self.part_in(caller, &opened).await?;
            let decided = self.decide_vote(caller, &opened, vote, now).await?;
            if let Some(moved) = self.take_reid(doing, opened, decided, now).await? {
                let votes = self.store().reid_votes(id).await?;
                let part = part.unwrap_or(super::view::Part::Approver);
                return Ok(ReidView {
                    id,
                    part,
                    request: None,
                    request_sha256: moved.stored.request_sha256,
                    state: moved.stored.state,
                    expires_at: moved.stored.expires_at,
                    votes,
                    record: None,
                });
            }
        }
        Err(AppError::Interrupted.into())
    }

    /// The requester takes its request back.
    ///
    /// # Errors
    ///
    /// [`ReidError`]; every refusal is in the log.
    pub async fn withdraw_reidentification(
        &self,
        caller: &AgencyCaller,
        id: ReidentificationId,
    ) -> Result<ReidView, ReidError> {
        let doing = Doing::new(caller, "withdraw");
        for _ in 0..MOST_TRIES {
            let (opened, now) = self.due_reid(doing, id).await?;
            let is_ours = opened.stored.requester == caller.agency && opened.stored.client == caller.client;
            let decided = match opened.stored.state.after(Event::Withdraw, now) {
                _ if !is_ours => Decided::Refuse(Refusal::Unknown),
                None => Decided::Refuse(Refusal::NotDue),
                Some(_) => Decided::Move(Box::new(Move::new(Event::Withdraw))),
            };
            if let Some(moved) = self.take_reid(doing, opened, decided, now).await? {
                return self.requester_view(moved).await;
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn decide_vote(
        &self,
        caller: &AgencyCaller,
        opened: &Opened,
        vote: &Vote,
        now: Timestamp,
    ) -> Result<Decided, ReidError> {
        if let Some(refusal) = self.refuse_vote(caller, opened, vote, now).await? {
            return Ok(Decided::Refuse(refusal));
        }
        let mut votes = self.store().reid_votes(opened.stored.id).await?;
        let before = votes.iter().find(|other| other.is_of_same_person(vote));
        // An approval by a key that was revoked is none: its person approves anew with another key.
        let has_approved = match before {
            Some(other) if other.choice == Choice::Approve => self.reid_key(&other.key_id).await?.is_some(),
            _ => false,
        };
        // An older signature than the newest one of this person is a replay, whatever it says.
        if before.is_some_and(|other| other.at >= vote.at && other.choice != vote.choice) {
            return Ok(Decided::Refuse(Refusal::Replayed));
        }
        let event = match vote.choice {
            Choice::Approve if !matches!(opened.stored.state, State::Voting {}) => {
                let refusal = if has_approved { Refusal::DoubleVote } else { Refusal::NotDue };
                return Ok(Decided::Refuse(refusal));
            }
            // Who approved before approves again only where enough did, and one of them took it back since.
            Choice::Approve if has_approved && self.count_approvals(opened, &votes).await?.1.is_some() => {
                return Ok(Decided::Refuse(Refusal::DoubleVote));
            }
            Choice::Approve => {
                votes.retain(|other| !other.is_of_same_person(vote));
                votes.push(vote.clone());
                return self.approve(opened, vote, &votes, now).await;
            }
            Choice::Withdraw if !has_approved => return Ok(Decided::Refuse(Refusal::NotDue)),
            Choice::Withdraw => Event::Reopen,
            Choice::Refuse => {
                let Some(reason) = vote.reason.clone() else { return Ok(Decided::Refuse(Refusal::RequestAltered)) };
                Event::Refuse { by: vote.agency.clone(), reason }
            }
        };
        if opened.stored.state.after(event.clone(), now).is_none() {
            return Ok(Decided::Refuse(Refusal::NotDue));
        }
        let said = Said { reason: vote.reason.clone(), ..Said::default() };
        Ok(Decided::Move(Box::new(Move { vote: Some(vote.clone()), said, ..Move::new(event) })))
    }

    /// One more approval, and whether they are enough now.
    async fn approve(
        &self,
        opened: &Opened,
        vote: &Vote,
        votes: &[Vote],
        now: Timestamp,
    ) -> Result<Decided, ReidError> {
        let (counted, missing) = self.count_approvals(opened, votes).await?;
        let count = Some(counted.len() as u64);
        let vote = Some(vote.clone());
        if missing.is_some() {
            let said = Said { approvals: count, ..Said::default() };
            return Ok(Decided::Move(Box::new(Move { said, vote, ..Move::new(Event::Approve) })));
        }
        let entry = EventId::new(uuid_v7(now, self.random()));
        Ok(Decided::Move(Box::new(Move {
            vote,
            said: Said { approvals: count, ..Said::default() },
            before: Some(Said { approvals: count, ..Said::default() }),
            entry: Some(entry),
            ..Move::new(Event::Authorise { entry })
        })))
    }

    /// What is wrong with a vote before it is asked what it does.
    async fn refuse_vote(
        &self,
        caller: &AgencyCaller,
        opened: &Opened,
        vote: &Vote,
        now: Timestamp,
    ) -> Result<Option<Refusal>, ReidError> {
        let is_source = opened.stored.source == caller.agency;
        // There is nothing here that the source could know of; what it was shown before, it can still refuse.
        let was_shown = opened.inside.record.is_some() && vote.choice == Choice::Refuse;
        if is_source && opened.record.is_none() && !was_shown {
            return Ok(Some(Refusal::Unknown));
        }
        let key = self.reid_key(&vote.key_id).await?;
        let is_callers = |key: &ReidKey| {
            key.agency == caller.agency && vote.agency == caller.agency && key.person.as_ref() == Some(&vote.person)
        };
        let Some(key) = key.filter(is_callers) else { return Ok(Some(Refusal::WrongRole)) };
        if opened.stored.requester == vote.agency && vote.choice == Choice::Approve {
            return Ok(Some(Refusal::SelfApproval));
        }
        if !self.may_approve(caller, opened).await? {
            return Ok(Some(Refusal::WrongRole));
        }
        if !is_signed(&key, &vote.signed_bytes(&opened.stored.request_sha256), &vote.signature) {
            return Ok(Some(Refusal::RequestAltered));
        }
        if !vote.is_fresh(now) {
            return Ok(Some(Refusal::StaleSignIn));
        }
        let expected = if is_source && vote.choice == Choice::Approve { opened.record_hash() } else { None };
        Ok((vote.record != expected).then_some(Refusal::RecordMismatch))
    }

    /// The approvals that count now: of different people, none of the agency that asked, by keys that are
    /// still enrolled. Says also what is missing.
    pub(super) async fn count_approvals(
        &self,
        opened: &Opened,
        votes: &[Vote],
    ) -> Result<(Vec<Vote>, Option<Refusal>), StoreError> {
        let (mut counted, mut people, mut revoked) = (Vec::new(), BTreeSet::new(), false);
        let may_count = |vote: &&Vote| vote.choice == Choice::Approve && vote.agency != opened.stored.requester;
        for vote in votes.iter().filter(may_count) {
            if self.reid_key(&vote.key_id).await?.is_none() {
                revoked = true;
            } else if people.insert((vote.agency.clone(), vote.person.clone())) {
                counted.push(vote.clone());
            }
        }
        counted.sort_by(|a, b| (&a.agency, &a.person).cmp(&(&b.agency, &b.person)));
        let is_sources = |vote: &Vote| vote.agency == opened.stored.source && vote.record == opened.record_hash();
        let has_source = opened.record_hash().is_some() && counted.iter().any(is_sources);
        let missing = match (counted.len() >= usize::from(opened.request.approvals), has_source) {
            (true, true) => None,
            _ if revoked => Some(Refusal::OfficerRemoved),
            (false, _) => Some(Refusal::TooFewApprovals),
            (true, false) => Some(Refusal::NoSourceApproval),
        };
        Ok((counted, missing))
    }

    /// An officer's key that is enrolled and not revoked.
    pub(super) async fn reid_key(&self, key_id: &str) -> Result<Option<ReidKey>, StoreError> {
        if key_id.len() > KEY_ID_LENGTH {
            return Ok(None);
        }
        Ok(self.store().reid_key(key_id).await?.filter(|key| key.kind == ReidKeyKind::Officer))
    }
}

/// Whether a key made a signature over these bytes.
pub(super) fn is_signed(key: &ReidKey, bytes: &[u8], signature: &str) -> bool {
    let Some(signature) = decode_base64url::<64>(signature) else { return false };
    VerifyingKey::from_bytes(&key.sign_key).is_ok_and(|key| key.verify(bytes, &signature).is_ok())
}
