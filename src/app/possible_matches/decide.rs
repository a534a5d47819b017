//! An agency decides about its own record. What the other holder said, and what comes of both, is told
//! to neither.
//!
//! To confirm says: the fields stand as they were submitted, and the agency knows nobody else whom they
//! fit. When both holders say so, the two records are joined; or, where an identifier differs in records
//! that otherwise agree, kept apart for good, because both numbers stand. One rejection is enough to
//! refuse a pair; unless it only says that a field is wrong, it keeps the two records apart.
//!
//! A decision acts on the pairs that may be compared at that moment, and on no other. A reversal takes
//! back what the agency itself said and reads nothing of the other record, so it needs no agreement.

use super::{Ground, MOST_TRIES, MatchError, Recorded};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::random::{random_bytes, uuid_v7};
use crate::domain::ids::{EventId, PairId, PossibleMatchId, RoleCode};
use crate::domain::pair::{Decision, PairNames, PairOrigin, PairState, Reason, ReversalReason};
use crate::domain::time::Timestamp;
use crate::store::{MatchAnswer, MatchState, PairChange, PairSide, StoredMatch, StoredPair, Tx};

/// What an agency says about a record that it was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Confirm or reject.
    pub decision: Decision,
    /// The role of the person who decided.
    pub role: RoleCode,
    /// Why.
    pub reason: Reason,
}

/// When and by which log entry something is decided.
pub(in crate::app) type Decided = (Timestamp, EventId);

impl Gateway {
    /// Takes an agency's decision. The same request under the same key is taken once.
    ///
    /// # Errors
    ///
    /// [`MatchError`]; none of it depends on the other record.
    pub async fn decide_possible_match(
        &self,
        caller: &AgencyCaller,
        id: PossibleMatchId,
        verdict: &Verdict,
        idempotency: &str,
    ) -> Result<Recorded, MatchError> {
        let Verdict { decision, role, reason } = verdict;
        self.check_role(role).await?;
        if !matches!(decision, Decision::Confirm | Decision::Reject) || !decision.takes(*reason) {
            return Err(MatchError::Reason);
        }
        let request = format!("possible-match {id} {decision} {role} {reason}");
        let tag = self.keys().tagger.reply(&caller.client, idempotency, request.as_bytes());
        for _ in 0..MOST_TRIES {
            let ground = self.decision_ground().await?;
            if let Some(tx) = self.begin_on(&ground).await? {
                return self.decide_on(&ground, tx, caller, id, verdict, tag).await;
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn decide_on(
        &self,
        ground: &Ground,
        mut tx: Tx,
        caller: &AgencyCaller,
        id: PossibleMatchId,
        Verdict { decision, role, reason }: &Verdict,
        tag: [u8; 32],
    ) -> Result<Recorded, MatchError> {
        let now = tx.now().await?;
        let asked = own(&mut tx, caller, id).await?;
        if asked.state != MatchState::Open {
            let same = asked.answered.filter(|answer| answer.tag == tag && asked.state == MatchState::Answered);
            return same.map(|answer| Recorded::of(id, &answer)).ok_or(MatchError::Decided);
        }
        if !ground.may_use(&asked.record.agency, &asked.record.feed) {
            return Err(MatchError::Unknown); // as in the queue; that depends on the agency's own terms alone
        }
        let event = EventId::new(uuid_v7(now, self.random()));
        let mut effects = Vec::new();
        for pair in tx.pairs_of_match(id).await? {
            let [a, b] = pair.names.both();
            if !ground.may_compare(a, b) {
                continue; // it stays as it is, and its holders may be asked again once it may be compared
            }
            self.answer_pair(&mut tx, pair, id, (*decision, *reason), (now, event), &mut effects).await?;
        }
        let answer = MatchAnswer { at: now, event, tag };
        if !tx.answer_match(id, (*decision, role.as_str(), reason.as_str()), &answer).await? {
            return Err(MatchError::Decided);
        }
        let words = (decision.as_str(), role, reason.as_str());
        let who = (&caller.agency, caller.client.as_str());
        let entry = self.decision_entry((id, event, now), who, words, &asked.record, &effects)?;
        tx.add_events(&[&entry]).await?;
        tx.add_pair_mark(self.programme(), event).await?;
        tx.commit().await?;
        self.wake_sequencer();
        self.wake_publisher();
        Ok(Recorded::of(id, &answer))
    }

    async fn answer_pair(
        &self,
        tx: &mut Tx,
        mut pair: StoredPair,
        id: PossibleMatchId,
        (decision, reason): (Decision, Reason),
        decided: Decided,
        effects: &mut Vec<String>,
    ) -> Result<(), MatchError> {
        let Some(mine) = pair.sides.iter().position(|side| side.by == Some(id)) else { return Ok(()) };
        let change = PairChange::Decided(decided.0, decided.1);
        let is_open = pair.state == PairState::Proposed;
        if is_open {
            pair.sides[mine].answer = Some(decision);
        }
        match decision {
            Decision::Confirm if is_open && pair.sides.iter().all(|side| side.answer == Some(Decision::Confirm)) => {
                pair.state = PairState::InForce;
                effects.push(effect(&pair));
                tx.change_pair(&pair, change).await?;
            }
            Decision::Confirm if is_open => tx.change_pair(&pair, PairChange::None).await?,
            Decision::Reject if is_open || pair.state == PairState::Refused => {
                if is_open {
                    pair.state = PairState::Refused;
                    effects.push(effect(&pair));
                    tx.change_pair(&pair, change).await?;
                }
                if pair.origin == PairOrigin::Confirmed && reason.parts() {
                    let side = PairSide { by: Some(id), answer: Some(decision) };
                    effects.push(self.part(tx, &pair.names, (mine, side), &pair.evidence, decided).await?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Keeps two records apart, on behalf of one of their holders.
    pub(in crate::app) async fn part(
        &self,
        tx: &mut Tx,
        names: &PairNames,
        (mine, side): (usize, PairSide),
        evidence: &str,
        decided: Decided,
    ) -> Result<String, MatchError> {
        let standing = tx.pairs_of_names(self.programme(), names).await?;
        if let Some(mut apart) = standing.into_iter().find(|pair| pair.origin == PairOrigin::Apart) {
            apart.sides[mine] = side;
            let was_open = apart.state == PairState::Proposed;
            apart.state = PairState::InForce;
            let change = if was_open { PairChange::Decided(decided.0, decided.1) } else { PairChange::None };
            tx.change_pair(&apart, change).await?;
            return Ok(effect(&apart));
        }
        let mut sides = [PairSide::default(); 2];
        sides[mine] = side;
        let apart = self.decided_pair(PairOrigin::Apart, names.clone(), sides, evidence, decided.0);
        tx.add_pair(self.programme(), &apart, Some(decided)).await?;
        Ok(effect(&apart))
    }

    /// A pair that is in force from now on.
    pub(in crate::app) fn decided_pair(
        &self,
        origin: PairOrigin,
        names: PairNames,
        sides: [PairSide; 2],
        evidence: &str,
        now: Timestamp,
    ) -> StoredPair {
        let id = PairId::new(uuid::Builder::from_random_bytes(random_bytes(self.random())).into_uuid());
        let (state, evidence) = (PairState::InForce, evidence.to_owned());
        StoredPair { id, origin, names, weight: None, evidence, state, proposed_at: now, sides }
    }

    /// Takes a decision back: what it alone holds in force ends, and may be asked about again.
    ///
    /// # Errors
    ///
    /// [`MatchError`]; only the agency that decided can take its decision back.
    pub async fn reverse_possible_match(
        &self,
        caller: &AgencyCaller,
        id: PossibleMatchId,
        (role, reason): (&RoleCode, ReversalReason),
        idempotency: &str,
    ) -> Result<Recorded, MatchError> {
        self.check_role(role).await?;
        let request = format!("possible-match-reversal {id} {role} {reason}");
        let tag = self.keys().tagger.reply(&caller.client, idempotency, request.as_bytes());
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let now = tx.now().await?;
        let asked = own(&mut tx, caller, id).await?;
        if asked.state != MatchState::Answered {
            let same = asked.reversed.filter(|answer| answer.tag == tag);
            return same.map(|answer| Recorded::of(id, &answer)).ok_or(MatchError::NotDecided);
        }
        let event = EventId::new(uuid_v7(now, self.random()));
        let mut effects = Vec::new();
        for pair in tx.pairs_of_match(id).await? {
            reverse_pair(&mut tx, pair, id, (now, event), &mut effects).await?;
        }
        let answer = MatchAnswer { at: now, event, tag };
        if !tx.reverse_match(id, (role.as_str(), reason.as_str()), &answer).await? {
            return Err(MatchError::NotDecided);
        }
        let words = ("reversal", role, reason.as_str());
        let who = (&caller.agency, caller.client.as_str());
        let entry = self.decision_entry((id, event, now), who, words, &asked.record, &effects)?;
        tx.add_events(&[&entry]).await?;
        tx.add_pair_mark(self.programme(), event).await?;
        tx.commit().await?;
        self.wake_sequencer();
        self.wake_publisher();
        Ok(Recorded::of(id, &answer))
    }

    pub(in crate::app) async fn check_role(&self, role: &RoleCode) -> Result<(), MatchError> {
        let policies = self.current_policies().await?;
        policies.programme().role(role).map(drop).ok_or(MatchError::Role)
    }
}

/// A possible match of the caller's agency. Another's is as unknown as one that never was.
async fn own(tx: &mut Tx, caller: &AgencyCaller, id: PossibleMatchId) -> Result<StoredMatch, MatchError> {
    let found = tx.possible_match(id).await?;
    found.filter(|found| found.record.agency == caller.agency).ok_or(MatchError::Unknown)
}

async fn reverse_pair(
    tx: &mut Tx,
    mut pair: StoredPair,
    id: PossibleMatchId,
    decided: Decided,
    effects: &mut Vec<String>,
) -> Result<(), AppError> {
    let Some(mine) = pair.sides.iter().position(|side| side.by == Some(id)) else { return Ok(()) };
    let answer = pair.sides[mine].answer;
    match pair.state {
        PairState::Proposed => {
            pair.sides[mine] = PairSide::default(); // it is asked again
            tx.change_pair(&pair, PairChange::None).await?;
        }
        PairState::InForce | PairState::Refused => {
            // A pair that the other holder keeps apart by itself stays apart.
            let parts = |side: &PairSide| matches!(side.answer, Some(Decision::Reject | Decision::Split));
            let is_kept =
                pair.state == PairState::InForce && pair.origin == PairOrigin::Apart && parts(&pair.sides[1 - mine]);
            if is_kept {
                pair.sides[mine] = PairSide::default();
                tx.change_pair(&pair, PairChange::None).await?;
                return Ok(());
            }
            if answer.is_none() {
                return Ok(()); // the other holder refused it: this agency's word changed nothing
            }
            pair.state = PairState::Reversed;
            effects.push(effect(&pair));
            tx.change_pair(&pair, PairChange::Reversed(decided.0, decided.1)).await?;
        }
        PairState::Reversed => {}
    }
    Ok(())
}

/// What became of a pair, for the sealed opening of the log entry.
pub(super) fn effect(pair: &StoredPair) -> String {
    format!("{} {} {}", pair.id, pair.origin, pair.state)
}
