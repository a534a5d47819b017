//! An agency parts or joins records of its own accord: it noticed that a record of its own is taken for
//! somebody else's, or that it has a person twice.
//!
//! The call succeeds whether the record was linked with anything or not, so it tells nothing. It reaches
//! the records with which the agency's own may be compared at that moment, and no other.

use super::decide::effect;
use super::{Ground, MOST_TRIES, MatchError, Recorded};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::random::uuid_v7;
use crate::domain::ids::{EventId, FeedCode, OpaqueRef, RoleCode};
use crate::domain::pair::{Decision, PairNames, PairOrigin, PairState, Reason, RecordName};
use crate::store::{MatchAnswer, NewMatch, PairChange, PairSide, Tx};

/// How many an agency may raise within a day, recalls of its own records among them.
pub(in crate::app) const MOST_A_DAY: i64 = 100;
pub(in crate::app) const DAY_SECONDS: i64 = 24 * 3600;

/// What an agency says about records that it was not asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnDoubt {
    /// Split or merge.
    pub decision: Decision,
    /// The record in question.
    pub record: (FeedCode, OpaqueRef),
    /// The agency's other record; a merge needs it. A split without it parts the record from all
    /// records of other agencies with which it is linked now.
    pub other: Option<(FeedCode, OpaqueRef)>,
    /// The role of the person who decided.
    pub role: RoleCode,
    /// Why.
    pub reason: Reason,
}

impl Gateway {
    /// Parts or joins records at the word of their one holder. The same request under the same key is
    /// taken once.
    ///
    /// # Errors
    ///
    /// [`MatchError`]; none of it depends on other agencies' records.
    pub async fn raise_doubt(
        &self,
        caller: &AgencyCaller,
        doubt: &OwnDoubt,
        idempotency: &str,
    ) -> Result<Recorded, MatchError> {
        self.check_role(&doubt.role).await?;
        let is_own = matches!(doubt.decision, Decision::Split | Decision::Merge);
        if !is_own
            || !doubt.decision.takes(doubt.reason)
            || (doubt.decision == Decision::Merge && doubt.other.is_none())
        {
            return Err(MatchError::Reason);
        }
        let tag = self.keys().tagger.reply(&caller.client, idempotency, in_short(doubt).as_bytes());
        let name = |(feed, reference): &(FeedCode, OpaqueRef)| RecordName {
            agency: caller.agency.clone(),
            feed: feed.clone(),
            reference: reference.clone(),
        };
        let record = name(&doubt.record);
        let other = doubt.other.as_ref().map(name);
        for _ in 0..MOST_TRIES {
            let ground = self.decision_ground().await?;
            let partners = self.partners(&ground, &record, other.as_ref()).await?;
            if let Some(tx) = self.begin_on(&ground).await? {
                return self.doubt_on(tx, caller, doubt, (&record, partners), tag).await;
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn doubt_on(
        &self,
        mut tx: Tx,
        caller: &AgencyCaller,
        doubt: &OwnDoubt,
        (record, partners): (&RecordName, Vec<RecordName>),
        tag: [u8; 32],
    ) -> Result<Recorded, MatchError> {
        let now = tx.now().await?;
        if let Some(before) = tx.match_by_tag(self.programme(), &caller.agency, &tag).await? {
            return before.answered.map(|answer| Recorded::of(before.id, &answer)).ok_or(MatchError::Unknown);
        }
        let since = now.plus_seconds(-DAY_SECONDS);
        if tx.matches_raised_since(self.programme(), &caller.agency, since).await? >= MOST_A_DAY {
            return Err(MatchError::TooMany);
        }
        let (id, event) = (self.match_id()?, EventId::new(uuid_v7(now, self.random())));
        let new = NewMatch { id, record: record.clone(), fields: Vec::new(), asked_at: now };
        tx.add_match(self.programme(), &new).await?;
        let mut effects = Vec::new();
        for partner in partners {
            let Some(names) = PairNames::new(record.clone(), partner) else { continue };
            let mine = usize::from(names.both()[0] != record);
            let side = PairSide { by: Some(id), answer: Some(doubt.decision) };
            if doubt.decision == Decision::Split {
                effects.push(self.part(&mut tx, &names, (mine, side), "", (now, event)).await?);
                continue;
            }
            let mut sides = [PairSide::default(); 2];
            sides[mine] = side;
            let standing = tx.pairs_of_names(self.programme(), &names).await?;
            if let Some(mut open) = standing.into_iter().find(|pair| pair.origin == PairOrigin::Confirmed) {
                if open.state == PairState::Proposed {
                    (open.state, open.sides) = (PairState::InForce, sides);
                    effects.push(effect(&open));
                    tx.change_pair(&open, PairChange::Decided(now, event)).await?;
                }
                continue;
            }
            let pair = self.decided_pair(PairOrigin::Confirmed, names, sides, "", now);
            effects.push(effect(&pair));
            tx.add_pair(self.programme(), &pair, Some((now, event))).await?;
        }
        let answer = MatchAnswer { at: now, event, tag };
        tx.answer_match(id, (doubt.decision, doubt.role.as_str(), doubt.reason.as_str()), &answer).await?;
        let words = (doubt.decision.as_str(), &doubt.role, doubt.reason.as_str());
        let who = (&caller.agency, caller.client.as_str());
        let entry = self.decision_entry((id, event, now), who, words, record, &effects)?;
        tx.add_events(&[&entry]).await?;
        tx.add_pair_mark(self.programme(), event).await?;
        tx.commit().await?;
        self.wake_sequencer();
        self.wake_publisher();
        Ok(Recorded::of(id, &answer))
    }

    /// The records that a record is parted from or joined with.
    async fn partners(
        &self,
        ground: &Ground,
        record: &RecordName,
        other: Option<&RecordName>,
    ) -> Result<Vec<RecordName>, MatchError> {
        let generation = ground.view.generation;
        let mut shown = Vec::new();
        for name in [Some(record), other].into_iter().flatten() {
            if !ground.may_compare(record, name) {
                return Err(MatchError::Record); // all of them are the agency's own: it depends on its terms alone
            }
            let (feed, reference) = ((&name.agency, &name.feed), [name.reference.clone()]);
            let found = self.store().shown_records(self.programme(), generation, feed, &reference).await?;
            shown.push(found.into_iter().next().ok_or(MatchError::Record)?);
        }
        match other {
            Some(other) if other == record => Err(MatchError::Record),
            Some(other) => Ok(vec![other.clone()]),
            None => {
                let linked = self.store().records_of_person(generation, shown[0].component, shown[0].person).await?;
                let is_meant = |name: &RecordName| name.agency != record.agency && ground.may_compare(record, name);
                Ok(linked.into_iter().filter(is_meant).collect())
            }
        }
    }
}

/// All that the request says, to know it again.
fn in_short(doubt: &OwnDoubt) -> String {
    let name = |(feed, reference): &(FeedCode, OpaqueRef)| format!("{feed}/{}", reference.as_str());
    let other = doubt.other.as_ref().map_or_else(String::new, name);
    format!("possible-match-doubt {} {} {other} {} {}", doubt.decision, name(&doubt.record), doubt.role, doubt.reason)
}
