//! Officers and auditors examine the log: every look is decided like an enquiry, and is an entry.
//!
//! Whoever looks names an agreement and a role; the agreement's receive clauses have to allow the
//! purpose `audit`. What is shown leaves once the entry of the look is durable.

pub mod explain;
pub mod replay;
pub mod search;

use std::sync::Arc;

use super::caller::AgencyCaller;
use super::enquire::log_entry::{code, decision};
use super::enquire::{QuestionFault, supplier_feed};
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::Policies;
use crate::crypto::random::uuid_v7;
use crate::domain::agreement::{AnswerMode, ReceiveClause};
use crate::domain::ids::{AgencyCode, AgreementRef, EventId, OpaqueRef, PurposeCode, RoleCode};
use crate::domain::time::Timestamp;
use crate::policy::decide::contributors;
use crate::policy::decision::{Decision, NOTHING_RELEASABLE, Refusal, SupplierFeed, Terms};
use crate::policy::rules::RuleHit;
use crate::store::{CeilingKey, NewEvent, StoreError, View};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{AccessCommitments, Body, Code, Filter, LogAccess, Outcome};

/// The sealed opening of who looked.
const ACTOR_LENGTH: usize = 192;
/// What the log is examined for.
pub const PURPOSE: &str = "audit";
/// How often a look is decided anew because an agreement changed meanwhile.
pub(in crate::app) const MOST_TRIES: usize = 4;

/// On what grounds somebody looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grounds {
    /// The agreement whose receive clauses allow it.
    pub agreement: AgreementRef,
    /// The role of the person who looks.
    pub role: RoleCode,
    /// The agency's own keyed reference of that person, where it gives one.
    pub user: Option<OpaqueRef>,
}

/// Why the log is not shown.
#[derive(Debug, thiserror::Error)]
pub enum LogAccessError {
    /// There is no such entry.
    #[error("the log has no such entry")]
    Unknown,
    /// The agreements do not allow it. The refusal is in the log.
    #[error("the agreements do not permit the log to be examined")]
    NotPermitted {
        /// Its log entry.
        disclosure: EventId,
        /// The rules in the way.
        hits: Vec<RuleHit>,
        /// Proof that it was logged.
        receipt: String,
    },
    /// The account has looked as often as the clause allows in a day. The refusal is in the log.
    #[error("the day's ceiling of the clause is reached")]
    CeilingReached {
        /// Its log entry.
        disclosure: EventId,
        /// Proof that it was logged.
        receipt: String,
    },
    /// The programme declares no such role, or not the purpose.
    #[error(transparent)]
    Question(#[from] QuestionFault),
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for LogAccessError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// The entry of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The log entry.
    pub disclosure: EventId,
    /// Signed promise that it is in the log.
    pub receipt: String,
}

/// What was looked at, for the entry.
#[derive(Debug, Clone, Default)]
pub(in crate::app) struct Seen {
    pub(in crate::app) action: &'static str,
    pub(in crate::app) filters: Vec<(&'static str, String)>,
    pub(in crate::app) entry: Option<EventId>,
    pub(in crate::app) first: Option<u64>,
    pub(in crate::app) last: Option<u64>,
    pub(in crate::app) count: u64,
    pub(in crate::app) with_openings: bool,
    pub(in crate::app) keys_sha256: Option<Digest>,
    pub(in crate::app) witnessed: Option<u64>,
}

impl Seen {
    /// A look at an entry that there is not: what was asked for is in no entry, for it could be anything.
    fn of_nothing(action: &'static str) -> Self {
        Self { action, ..Self::default() }
    }

    fn of_entry(action: &'static str, entry: EventId, index: Option<u64>) -> Self {
        Self { action, entry: Some(entry), first: index, last: index, count: 1, ..Self::default() }
    }
}

/// A look that is decided.
pub(in crate::app) struct Look<'a> {
    /// Who looks through which client, and on what grounds; no agency where an operator exports
    /// without openings, which shows nobody and is decided by nothing.
    who: Option<(&'a AgencyCode, &'a Grounds)>,
    client: &'a str,
    policies: Arc<Policies>,
    view: View,
    /// What the reader may learn of anybody's data, line by line; or why it may not look at all.
    pub(in crate::app) decided: Result<Vec<Decision>, Refusal>,
}

impl Look<'_> {
    /// When it was decided.
    pub(in crate::app) const fn at(&self) -> Timestamp {
        self.view.now
    }

    /// What it is charged to: the clause's ceiling for one day, for each account by itself.
    fn charge(&self) -> Option<(CeilingKey, i64)> {
        let (agency, grounds) = self.who.filter(|_| self.decided.is_ok())?;
        let agreement = self.policies.book().agreement(&grounds.agreement)?;
        let allows = |clause: &&ReceiveClause| {
            clause.recipient == *agency
                && clause.roles.contains(&grounds.role)
                && clause.purposes.iter().any(|purpose| purpose.as_str() == PURPOSE)
        };
        let clauses = agreement.text.receives().iter().filter(allows);
        let clause = clauses.max_by_key(|clause| clause.daily_ceiling)?;
        let key = CeilingKey {
            agreement: grounds.agreement.to_string(),
            clause: clause.id.to_string(),
            recipient: format!("{agency}/log/{}", self.client),
            day: self.view.now.as_seconds().div_euclid(86_400),
        };
        Some((key, i64::from(clause.daily_ceiling)))
    }
}

impl Gateway {
    /// Decides whether somebody may examine the log, from agreements alone.
    pub(in crate::app) async fn decide_look<'a>(
        &self,
        caller: &'a AgencyCaller,
        grounds: &'a Grounds,
    ) -> Result<Look<'a>, LogAccessError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        let programme = policies.programme();
        let purpose = PurposeCode::parse(PURPOSE).map_err(|_| AppError::Internal("the purpose of audits"))?;
        let declared = programme.purpose(&purpose).ok_or(QuestionFault::Undeclared)?;
        let relationship = *declared.relationships.first().ok_or(QuestionFault::Undeclared)?;
        programme.role(&grounds.role).ok_or(QuestionFault::Undeclared)?;
        let terms = Terms {
            recipient: caller.agency.clone(),
            agreement: grounds.agreement.clone(),
            purpose,
            mode: AnswerMode::Criteria,
            role: grounds.role.clone(),
            relationship,
        };
        let feeds = self.contributing_feeds(view.generation, &policies).await?;
        let feeds: Vec<SupplierFeed> = feeds.iter().map(supplier_feed).collect();
        let decided = match contributors(policies.book(), &terms, &feeds, view.now) {
            Ok(permitted) => Ok(permitted.decisions),
            // The clause allows the audit, and no supplier may contribute now, because its agreement is
            // suspended for instance. That is when the log has to be looked at; no answer is opened then.
            Err(refusal) if matches!(&refusal.hits[..], [hit] if hit.rule == NOTHING_RELEASABLE.0) => {
                Ok(refusal.decisions)
            }
            Err(refusal) => Err(refusal),
        };
        let (who, client) = (Some((&caller.agency, grounds)), caller.client.as_str());
        Ok(Look { who, client, policies, view, decided })
    }

    /// A look by the operator's own account, at nothing that is about anybody.
    pub(in crate::app) async fn operators_look<'a>(&self, account: &'a str) -> Result<Look<'a>, LogAccessError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        Ok(Look { who: None, client: account, policies, view, decided: Ok(Vec::new()) })
    }

    /// Makes the entry of a look durable. `None` when agreements changed since it was decided.
    pub(in crate::app) async fn log_look(
        &self,
        look: &Look<'_>,
        seen: &Seen,
    ) -> Result<Option<Logged>, LogAccessError> {
        let entry = self.look_entry(look, seen, false)?;
        let charge = look.charge();
        let mut tx = self.store().begin().await?;
        if tx.decided_on(self.programme()).await? != Some((look.view.policy_revision, look.view.generation)) {
            return Ok(None);
        }
        if let Some((key, most)) = charge
            && tx.charge(&key, 1).await? >= most
        {
            tx.refund(&key, 1).await?;
            let over = self.look_entry(look, seen, true)?;
            tx.add_events(&[&over]).await?;
            tx.commit().await?;
            self.wake_sequencer();
            let receipt = self.receipt(over.id, over.leaf_hash, over.at)?;
            return Err(LogAccessError::CeilingReached { disclosure: over.id, receipt });
        }
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        let logged = Logged { disclosure: entry.id, receipt: self.receipt(entry.id, entry.leaf_hash, entry.at)? };
        match &look.decided {
            Ok(_) => Ok(Some(logged)),
            Err(refusal) => {
                let Logged { disclosure, receipt } = logged;
                Err(LogAccessError::NotPermitted { disclosure, hits: refusal.hits.clone(), receipt })
            }
        }
    }

    fn look_entry(&self, look: &Look<'_>, seen: &Seen, is_over: bool) -> Result<NewEvent, AppError> {
        let Look { who, client, policies, view, decided } = look;
        let agreement = who.and_then(|(_, grounds)| policies.book().agreement(&grounds.agreement));
        let agreement = agreement.map(|agreement| &agreement.text);
        let (outcome, word) = match decided {
            Ok(_) if is_over => (Outcome::Refused(code("ceiling")?), "refused"),
            Ok(_) => (Outcome::Answered, "answered"),
            Err(refusal) => {
                (Outcome::Refused(code(refusal.hits.first().map_or("refused", |hit| &hit.rule))?), "refused")
            }
        };
        let is_shown = outcome == Outcome::Answered;
        let decisions = match decided {
            Ok(lines) if seen.with_openings && is_shown => lines.iter().map(decision).collect::<Result<_, _>>()?,
            _ => Vec::new(),
        };
        let id = EventId::new(uuid_v7(view.now, self.random()));
        // Who looked: the person as the agency names them, or else the account.
        let user = who.and_then(|(_, grounds)| grounds.user.as_ref()).map_or(*client, OpaqueRef::as_str);
        let (actor, sealed_actor) = self.commit(id, "actor", user.as_bytes().to_vec(), ACTOR_LENGTH)?;
        let filter = |(by, value): &(&str, String)| Ok(Filter { by: code(by)?, value: code(value)? });
        let body = LogAccess {
            action: code(seen.action)?,
            recipient: who.map(|(agency, _)| agency.clone()),
            client: code(client)?,
            agreement: agreement.map(|text| text.reference().clone()),
            agreement_sha256: agreement.map(|text| Digest::new(*text.hash().as_bytes())),
            rules_sha256: Digest::new(*policies.book().rules().hash().as_bytes()),
            programme_sha256: Digest::new(*policies.programme_sha256()),
            agencies_sha256: policies.agencies_sha256(),
            purpose: PurposeCode::parse(PURPOSE).map_err(|_| AppError::Internal("the purpose of audits"))?,
            role: who.map(|(_, grounds)| grounds.role.clone()),
            outcome,
            // Of a look that was refused they could be any text, for ever.
            filters: seen.filters.iter().filter(|_| is_shown).map(filter).collect::<Result<_, AppError>>()?,
            entry: seen.entry.filter(|_| !is_over),
            first: seen.first.filter(|_| is_shown),
            last: seen.last.filter(|_| is_shown),
            count: if is_shown { seen.count } else { 0 },
            openings: openings_word(seen.with_openings && is_shown)?,
            decisions,
            commitments: Some(AccessCommitments { actor }),
            witnessed: seen.witnessed.filter(|_| is_shown),
            keys_sha256: seen.keys_sha256,
        };
        let mut event = self.event_with_id(id, view.now, Body::LogAccess(Box::new(body)))?;
        event.openings = vec![("actor", sealed_actor)];
        event.recipient = who.map(|(agency, _)| agency.to_string());
        event.agreement = who.map(|(_, grounds)| grounds.agreement.to_string());
        event.purpose = Some(PURPOSE.to_owned());
        event.outcome = Some(word.to_owned());
        Ok(event)
    }
}

fn openings_word(shown: bool) -> Result<Code, AppError> {
    code(if shown { "permitted" } else { "none" })
}
