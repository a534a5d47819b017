//! The data team looks at pairs: which agencies, which keys, how many bits, by random handles. It is a
//! recipient like any other: the decision comes first, and nothing leaves before its entry is durable.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::Ground;
use crate::app::caller::AgencyCaller;
use crate::app::enquire::log_entry::{decision, feeds_of};
use crate::app::enquire::{EnquiryError, QuestionFault, supplier_feed};
use crate::app::enrol::code;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::writer::{Disclosure, Written};
use crate::crypto::random::uuid_v7;
use crate::domain::agreement::AnswerMode;
use crate::domain::ids::{AgreementRef, EventId, OpaqueRef, PairId, PurposeCode, RoleCode};
use crate::domain::pair::{PairState, RecordName};
use crate::domain::programme::Relationship;
use crate::domain::time::Timestamp;
use crate::policy::decision::{self as decided, Permitted, SupplierFeed, Terms};
use crate::store::{CeilingKey, NewEvent, StoredPair};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, MatchView, Outcome, ViewCommitments};

/// Pairs of a page.
const PAGE: usize = 200;
/// How often a view is decided anew because something changed meanwhile.
const MOST_TRIES: usize = 4;
/// The sealed opening of the user who asked.
const ACTOR_LENGTH: usize = 96;

/// What the data team asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewTerms {
    /// The agreement whose receive clause lets it look.
    pub agreement: AgreementRef,
    /// What for.
    pub purpose: PurposeCode,
    /// The relationship, as stated.
    pub relationship: Relationship,
    /// The role of the person who looks.
    pub role: RoleCode,
    /// The team's own keyed reference of that person.
    pub user: OpaqueRef,
    /// The last handle of the page before.
    pub after: Option<PairId>,
}

/// A pair as the data team sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ViewedPair {
    /// A random handle; it names neither record.
    pub handle: PairId,
    /// The two agencies, sorted.
    pub agencies: [String; 2],
    /// The match keys that agree, or that differ when it is about keeping the two apart; of what a match run found the
    /// reasons in its words.
    pub keys: Vec<String>,
    /// Evidence in 1/1000 bit, where it was weighed.
    pub millibits: Option<i64>,
    /// What it is, or would be once decided: `confirmed`, `apart`, `weighed` or `fuzzy`.
    pub origin: &'static str,
    /// `proposed`, `in_force` or `refused`.
    pub state: &'static str,
}

/// A page of pairs, with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewed {
    /// The log entry.
    pub disclosure: EventId,
    /// When.
    pub at: Timestamp,
    /// The pairs, by handle.
    pub pairs: Vec<ViewedPair>,
    /// Where the next page begins; `None` at the end.
    pub next_after: Option<PairId>,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

impl Gateway {
    /// Shows a page of pairs whose two records the agreements let the caller draw on. Each page is a
    /// disclosure of its own, charged to the clause.
    ///
    /// # Errors
    ///
    /// [`EnquiryError`]; refusals by agreement are in the log too.
    pub async fn view_possible_matches(
        &self,
        caller: &AgencyCaller,
        asked: &ViewTerms,
    ) -> Result<Viewed, EnquiryError> {
        for _ in 0..MOST_TRIES {
            if let Some(viewed) = self.try_to_view(caller, asked).await? {
                return Ok(viewed);
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn try_to_view(&self, caller: &AgencyCaller, asked: &ViewTerms) -> Result<Option<Viewed>, EnquiryError> {
        let ground = self.match_ground().await?;
        let programme = ground.policies.programme();
        let is_for_this = [super::PURPOSE, "audit"].contains(&asked.purpose.as_str());
        if !is_for_this || programme.purpose(&asked.purpose).is_none() || programme.role(&asked.role).is_none() {
            return Err(QuestionFault::Undeclared.into());
        }
        let terms = Terms {
            recipient: caller.agency.clone(),
            agreement: asked.agreement.clone(),
            purpose: asked.purpose.clone(),
            mode: AnswerMode::Count,
            role: asked.role.clone(),
            relationship: asked.relationship,
        };
        let feeds: Vec<SupplierFeed> = ground.feeds.iter().map(supplier_feed).collect();
        let made = self.decisions().contributors(ground.policies.book(), &terms, &feeds, ground.view.now);
        let id = EventId::new(uuid_v7(ground.view.now, self.random()));
        match made {
            Err(refusal) => {
                let reason = Outcome::Refused(code(refusal.hits.first().map_or("refused", |hit| &hit.rule))?);
                let entry = self.view_entry(id, &ground, caller, asked, (&refusal.decisions, reason, &[]))?;
                let receipt = self.receipt(id, entry.leaf_hash, ground.view.now)?;
                if self.write_view(&ground, entry, None).await? == Written::Outdated {
                    return Ok(None);
                }
                Err(EnquiryError::NotPermitted { disclosure: id, hits: refusal.hits.clone(), receipt })
            }
            Ok(permitted) => self.show_pairs(id, &ground, caller, asked, &permitted).await,
        }
    }

    async fn show_pairs(
        &self,
        id: EventId,
        ground: &Ground,
        caller: &AgencyCaller,
        asked: &ViewTerms,
        permitted: &Arc<Permitted>,
    ) -> Result<Option<Viewed>, EnquiryError> {
        let mut stored = self.pairs_within(ground, permitted).await?;
        stored.retain(|pair| asked.after.is_none_or(|after| pair.id > after));
        let next_after = (stored.len() > PAGE).then(|| stored[PAGE - 1].id);
        stored.truncate(PAGE);
        let pairs: Vec<ViewedPair> = stored.iter().map(viewed).collect();
        let lines = &permitted.decisions;
        let mut entry = self.view_entry(id, ground, caller, asked, (lines, Outcome::Answered, &pairs))?;
        entry.records = self.record_uses(stored.iter().flat_map(|pair| pair.names.both()));
        let used_up = Outcome::Refused(code("ceiling")?);
        let over = self.view_entry(id, ground, caller, asked, (lines, used_up, &[]))?;
        let receipt = self.receipt(id, entry.leaf_hash, ground.view.now)?;
        let refused = self.receipt(id, over.leaf_hash, ground.view.now)?;
        let ceiling = CeilingKey {
            agreement: permitted.charge.clause.agreement.to_string(),
            clause: permitted.charge.clause.term.to_string(),
            recipient: caller.agency.to_string(),
            day: ground.view.now.as_seconds().div_euclid(86_400),
        };
        let limit = i64::from(permitted.charge.daily_ceiling);
        match self.write_view(ground, entry, Some((ceiling, limit, over))).await? {
            Written::Outdated => Ok(None),
            Written::OverCeiling => Err(EnquiryError::CeilingReached { disclosure: id, receipt: refused }),
            Written::Entry | Written::Repeated => {
                Ok(Some(Viewed { disclosure: id, at: ground.view.now, pairs, next_after, receipt }))
            }
        }
    }

    /// The pairs of which both records are in the set, visible and reached by no shield.
    async fn pairs_within(&self, ground: &Ground, permitted: &Permitted) -> Result<Vec<StoredPair>, AppError> {
        let is_in =
            |name: &RecordName| ground.feed(&name.agency, &name.feed).is_some_and(|feed| permitted.includes(&feed));
        let standing = self.store().standing_pairs(self.programme()).await?;
        let within: Vec<StoredPair> =
            standing.into_iter().filter(|pair| pair.names.both().into_iter().all(is_in)).collect();
        let names: BTreeSet<RecordName> = within.iter().flat_map(|pair| pair.names.both()).cloned().collect();
        let shown = self.open_records(ground.view.generation, names).await?;
        let is_shown = |pair: &&StoredPair| pair.names.both().into_iter().all(|name| shown.contains_key(name));
        let mut pairs: Vec<StoredPair> = within.into_iter().filter(|pair| is_shown(&pair)).collect();
        pairs.sort_by_key(|pair| pair.id);
        Ok(pairs)
    }

    async fn write_view(
        &self,
        ground: &Ground,
        entry: NewEvent,
        ceiling: Option<(CeilingKey, i64, NewEvent)>,
    ) -> Result<Written, AppError> {
        let decided_on = (self.programme().clone(), (ground.view.policy_revision, ground.view.generation));
        let (ceilings, over_ceiling) = match ceiling {
            Some((key, limit, over)) => (vec![(key, limit)], Some(over)),
            None => (Vec::new(), None),
        };
        let disclosure =
            Disclosure { entry, decided_on, ceilings, over_ceiling, reply: None, engagement: None, emergency: None };
        let written = self.writer().commit(disclosure).await?;
        self.wake_sequencer();
        Ok(written)
    }

    fn view_entry(
        &self,
        id: EventId,
        ground: &Ground,
        caller: &AgencyCaller,
        asked: &ViewTerms,
        (lines, outcome, shown): (&[decided::Decision], Outcome, &[ViewedPair]),
    ) -> Result<NewEvent, AppError> {
        let (policies, view) = (&ground.policies, ground.view);
        let user = asked.user.as_str().as_bytes().to_vec();
        let (actor, sealed_actor) = self.commit(id, "actor", user, ACTOR_LENGTH)?;
        let list = serde_json::to_vec(shown).map_err(|_| AppError::Internal("a log entry's part cannot be written"))?;
        let (shown, sealed_shown) = self.commit(id, "shown", list, 0)?;
        let agreement = policies.book().agreement(&asked.agreement).map(|agreement| &agreement.text);
        let lines: Vec<&decided::Decision> = lines.iter().collect();
        let outcome_word = if outcome == Outcome::Answered { "answered" } else { "refused" };
        let body = Body::MatchView(Box::new(MatchView {
            recipient: caller.agency.clone(),
            client: code(&caller.client)?,
            agreement: agreement.map(|text| text.reference().clone()),
            agreement_sha256: agreement.map(|text| Digest::new(*text.hash().as_bytes())),
            rules_sha256: Digest::new(*policies.book().rules().hash().as_bytes()),
            programme_sha256: Digest::new(*policies.programme_sha256()),
            agencies_sha256: policies.agencies_sha256(),
            match_keys_sha256: Digest::new(*policies.match_keys().sha256()),
            purpose: asked.purpose.clone(),
            relationship: code(asked.relationship.as_str())?,
            role: asked.role.clone(),
            outcome,
            decisions: lines.iter().map(|line| decision(line)).collect::<Result<_, _>>()?,
            feeds: feeds_of(policies, &ground.feeds, view, &lines),
            commitments: ViewCommitments { actor, shown },
        }));
        let mut event = self.event_with_id(id, view.now, body)?;
        event.recipient = Some(caller.agency.to_string());
        event.agreement = Some(asked.agreement.to_string());
        event.purpose = Some(asked.purpose.to_string());
        event.outcome = Some(outcome_word.to_owned());
        event.openings = vec![("actor", sealed_actor), ("shown", sealed_shown)];
        Ok(event)
    }
}

fn viewed(pair: &StoredPair) -> ViewedPair {
    let [a, b] = pair.names.both();
    let mut agencies = [a.agency.to_string(), b.agency.to_string()];
    agencies.sort_unstable();
    debug_assert!(pair.state != PairState::Reversed, "what was reversed stands no more");
    ViewedPair {
        handle: pair.id,
        agencies,
        keys: pair.evidence.split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect(),
        millibits: pair.weight,
        origin: pair.origin.as_str(),
        state: pair.state.as_str(),
    }
}
