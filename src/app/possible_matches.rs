//! Possible matches without identity: agencies verify their own records, and what they decide together
//! joins or parts two records for good, or until it is taken back.
//!
//! | file | what |
//! |---|---|
//! | [`propose`] | pairs that a person should look at are found, and their holders asked |
//! | [`queue`] | an agency reads what it is asked |
//! | [`decide`] | an agency decides about its own record, or takes that back |
//! | [`doubt`] | an agency parts or joins records of its own accord |
//! | [`view`] | the data team looks at pairs, by handles |
//!
//! Nobody is told about the other record: not whose it is, nor what was said about it, nor what came of
//! it. What an agency can still learn is in `docs/possible-matches.md`.

pub mod decide;
pub mod doubt;
pub mod propose;
pub mod queue;
pub mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Builder;

use super::error::AppError;
use super::gateway::Gateway;
use super::policies::Policies;
use crate::crypto::random::random_bytes;
use crate::domain::agency::AgencyKind;
use crate::domain::agreement::AnswerMode;
use crate::domain::ids::{AgencyCode, EventId, FeedCode, OpaqueRef, PossibleMatchId, PurposeCode, RoleCode};
use crate::domain::pair::RecordName;
use crate::domain::subject_case::Effect;
use crate::domain::time::Timestamp;
use crate::policy::decision::{Permitted, SupplierFeed, Terms};
use crate::store::{FeedState, MatchAnswer, ShownRecord, StoreError, Tx, View};
use crate::tlog::entry::{Body, DecisionCommitments, MatchDecision};

/// The purpose under which pairs are looked for and verified.
pub const PURPOSE: &str = "programme-delivery";
/// Sealed openings of decisions have one length each, whatever came of them.
const EFFECT_LENGTH: usize = 4096;
const RECORD_LENGTH: usize = 256;
/// How often something is decided anew because agreements or records changed meanwhile.
const MOST_TRIES: usize = 4;

/// Why nothing was decided. None of it depends on the other record.
#[derive(Debug, thiserror::Error)]
pub enum MatchError {
    /// The caller's agency was never asked this, or no agreement lets its feed be compared any more.
    #[error("the agency has no such possible match")]
    Unknown,
    /// The programme declares no such role.
    #[error("the programme declares no such role")]
    Role,
    /// The reason does not go with the decision, or the decision with the call.
    #[error("the reason does not go with the decision")]
    Reason,
    /// It was decided before.
    #[error("the agency has decided this before: take the decision back first")]
    Decided,
    /// There is no decision to take back, or it was taken back.
    #[error("there is no decision that could be taken back")]
    NotDecided,
    /// The agency's feed shows no such record, or none that an agreement lets be compared, or the two are one.
    #[error("the agency's feed shows no such record")]
    Record,
    /// The agency raised too many in a day.
    #[error("the agency raised too many doubts within a day")]
    TooMany,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for MatchError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// A decision or reversal that is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The possible match.
    pub id: PossibleMatchId,
    /// Its log entry.
    pub disclosure: EventId,
    /// When.
    pub at: Timestamp,
}

impl Recorded {
    fn of(id: PossibleMatchId, answer: &MatchAnswer) -> Self {
        Self { id, disclosure: answer.event, at: answer.at }
    }
}

/// What everything here starts from: the view, the feeds that contribute, and the sets within which
/// two records may be compared.
struct Ground {
    view: View,
    policies: Arc<Policies>,
    feeds: Arc<Vec<FeedState>>,
    sets: Vec<Arc<Permitted>>,
}

impl Ground {
    /// The feed that a record is in, as it came.
    fn feed(&self, agency: &AgencyCode, feed: &FeedCode) -> Option<SupplierFeed> {
        let state = self.feeds.iter().find(|state| state.agency == *agency && state.feed == *feed)?;
        Some(SupplierFeed {
            supplier: state.agency.clone(),
            feed: state.feed.clone(),
            agreement: state.agreement.clone(),
        })
    }

    /// Whether records of two feeds may be compared: one data team may draw on both.
    fn may_compare(&self, a: &RecordName, b: &RecordName) -> bool {
        let (a, b) = (self.feed(&a.agency, &a.feed), self.feed(&b.agency, &b.feed));
        let (Some(a), Some(b)) = (a, b) else { return false };
        self.sets.iter().any(|set| set.includes(&a) && set.includes(&b))
    }

    /// Whether records of a feed may be compared with any.
    fn may_use(&self, agency: &AgencyCode, feed: &FeedCode) -> bool {
        self.feed(agency, feed).is_some_and(|feed| self.sets.iter().any(|set| set.includes(&feed)))
    }
}

impl Gateway {
    /// Decided before any record is read: on whose records a data team may draw to run the programme.
    /// What a supplier's terms keep from that is neither compared nor asked about.
    async fn match_ground(&self) -> Result<Ground, AppError> {
        let ground = self.decision_ground().await?;
        self.check_blinding(&ground.policies)?;
        Ok(ground)
    }

    /// The same for what looks up and stores no token: it goes on while stored tokens get another key.
    async fn decision_ground(&self) -> Result<Ground, AppError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        let feeds = self.contributing_feeds(view.generation, &policies).await?;
        let sets = self.team_sets(&policies, &feeds, view);
        Ok(Ground { view, policies, feeds, sets })
    }

    /// A transaction that holds the programme's row, in which agreements and records are still those of
    /// the ground: what is decided in it is decided by what holds at that moment. `None` if they changed.
    async fn begin_on(&self, ground: &Ground) -> Result<Option<Tx>, StoreError> {
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let present = tx.decided_on(self.programme()).await?;
        Ok((present == Some((ground.view.policy_revision, ground.view.generation))).then_some(tx))
    }

    fn team_sets(&self, policies: &Policies, feeds: &[FeedState], view: View) -> Vec<Arc<Permitted>> {
        let Some(purpose) = policies.programme().purposes().iter().find(|purpose| purpose.code.as_str() == PURPOSE)
        else {
            return Vec::new();
        };
        let Some(relationship) = purpose.relationships.first().copied() else { return Vec::new() };
        let feeds: Vec<SupplierFeed> = feeds.iter().map(super::enquire::supplier_feed).collect();
        let mut asks: BTreeSet<Terms> = BTreeSet::new();
        for agreement in policies.book().agreements() {
            for clause in agreement.text.receives().iter().filter(|clause| clause.purposes.contains(&purpose.code)) {
                let is_team =
                    policies.agency(&clause.recipient).is_some_and(|agency| agency.kind() == AgencyKind::Programme);
                for role in clause.roles.iter().filter(|_| is_team) {
                    asks.insert(Terms {
                        recipient: clause.recipient.clone(),
                        agreement: agreement.text.reference().clone(),
                        purpose: purpose.code.clone(),
                        mode: AnswerMode::Count,
                        role: role.clone(),
                        relationship,
                    });
                }
            }
        }
        let mut decisions = self.decisions();
        let decided = asks.iter().map(|terms| decisions.contributors(policies.book(), terms, &feeds, view.now));
        decided.filter_map(Result::ok).collect()
    }

    /// The records that these names stand for now, that no shield reaches and no person's right keeps from use.
    pub(super) async fn open_records(
        &self,
        generation: i64,
        names: impl IntoIterator<Item = RecordName>,
    ) -> Result<BTreeMap<RecordName, ShownRecord>, StoreError> {
        let mut by_feed: BTreeMap<(AgencyCode, FeedCode), Vec<OpaqueRef>> = BTreeMap::new();
        for name in names {
            by_feed.entry((name.agency, name.feed)).or_default().push(name.reference);
        }
        let marks = self.store().record_marks(self.programme()).await?;
        let held_back = marks.iter().filter(|mark| mark.effect == Effect::Restricted);
        let held_back: BTreeSet<&RecordName> = held_back.map(|mark| &mark.name).collect();
        let mut found = BTreeMap::new();
        for ((agency, feed), references) in by_feed {
            let feed_of = (&agency, &feed);
            let shown = self.store().shown_records(self.programme(), generation, feed_of, &references).await?;
            for record in shown.into_iter().filter(|record| !record.is_shielded) {
                let reference = record.reference.clone();
                let name = RecordName { agency: agency.clone(), feed: feed.clone(), reference };
                if !held_back.contains(&name) {
                    found.insert(name, record);
                }
            }
        }
        Ok(found)
    }

    pub(super) fn match_id(&self) -> Result<PossibleMatchId, AppError> {
        let id = Builder::from_random_bytes(random_bytes(self.random())).into_uuid();
        PossibleMatchId::from_slice(id.as_bytes()).map_err(|_| AppError::Internal("an id cannot be made"))
    }

    /// The entry of a decision. Its fields and the lengths of its openings are the same whatever came of it.
    pub(super) fn decision_entry(
        &self,
        (id, event, now): (PossibleMatchId, EventId, Timestamp),
        (agency, client): (&AgencyCode, &str),
        (action, role, reason): (&str, &RoleCode, &str),
        record: &RecordName,
        effects: &[String],
    ) -> Result<crate::store::NewEvent, AppError> {
        let told = format!("{}/{}/{}", record.agency, record.feed, record.reference.as_str());
        let (record, sealed_record) = self.commit(event, "record", told.into_bytes(), RECORD_LENGTH)?;
        let mut effect = effects.join("\n");
        if effect.len() > EFFECT_LENGTH / 2 {
            effect = format!("{} pairs", effects.len()); // the pairs themselves name this entry
        }
        let (effect, sealed_effect) = self.commit(event, "effect", effect.into_bytes(), EFFECT_LENGTH)?;
        let body = Body::MatchDecision(MatchDecision {
            possible_match: id,
            agency: agency.clone(),
            client: super::enrol::code(client)?,
            action: super::enrol::code(action)?,
            role: role.clone(),
            reason: super::enrol::code(reason)?,
            commitments: DecisionCommitments { effect, record },
        });
        let mut entry = self.event_with_id(event, now, body)?;
        entry.recipient = Some(agency.to_string());
        entry.openings = vec![("record", sealed_record), ("effect", sealed_effect)];
        Ok(entry)
    }
}

/// The purpose, as the programme's files write it.
fn purpose() -> Result<PurposeCode, AppError> {
    PurposeCode::parse(PURPOSE).map_err(|_| AppError::Internal("a purpose that is no code"))
}
