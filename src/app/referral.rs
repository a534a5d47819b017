//! A referral comes in and is taken step by step to where it ends; each step is decided, logged with
//! its own purpose, and moves the referral only from the state that it was decided on. Every step carries
//! the referral's case on in its sealed opening; a step that rests on an answer needs one for that case.
//! What is refused is logged too: by agreement, not due, unknown, or without its ground.

use serde::{Deserialize, Serialize};

use super::caller::AgencyCaller;
use super::enquire::log_entry::code;
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::Policies;
use crate::crypto::random::uuid_v7;
use crate::domain::agency::AgencyKind;
use crate::domain::agreement::AnswerMode;
use crate::domain::ids::{AgencyCode, AgreementRef, EventId, OpaqueRef, PurposeCode, ReferralId, RoleCode, TeamRoute};
use crate::domain::programme::Relationship;
use crate::domain::referral::{Door, Event, State, Step};
use crate::domain::tfid::Tfid;
use crate::domain::time::Timestamp;
use crate::policy::decision::{SupplierFeed, Terms};
use crate::policy::rules::RuleHit;
use crate::store::{KeptReply, NewEvent, StoreError, StoredReferral, StoredReply, View};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Entry, Outcome, ReferralCommitments, ReferralStep};

/// How often a step is decided anew because something changed meanwhile.
const MOST_TRIES: usize = 4;
/// How long a reply is kept for a caller who repeats the request.
const REPLY_SECONDS: i64 = 24 * 3600;
const REFERENCE_LENGTH: usize = 96;
/// Where a refused step leads, in its entry.
const NOWHERE: &str = "nowhere";

/// Under what a step is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ground {
    /// The agreement whose receive clause covers the step's purpose.
    #[schema(value_type = String, example = "early-help-core/v1")]
    pub agreement: AgreementRef,
    /// Why this family now.
    pub relationship: Relationship,
    /// The role in which the acting person acts.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The agency's own keyed reference of the acting person.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
}

/// A referral that comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReferral {
    /// Where.
    pub door: Door,
    /// The agency's own keyed reference of the case.
    #[schema(value_type = String)]
    pub case: OpaqueRef,
    /// Under what.
    pub ground: Ground,
}

/// A step of a referral.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStep {
    /// Which referral.
    #[schema(value_type = String, format = "uuid")]
    pub referral: ReferralId,
    /// What is done.
    pub step: Step,
    /// Where the route branches: known or not, somebody works with the family or nobody, qualifies or not.
    #[serde(default)]
    pub finding: Option<bool>,
    /// The log entry of the enquiry that the step rests on, for the purpose of the step.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub answer: Option<EventId>,
    /// With whom it is shared, or to whom it is assigned.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub agency: Option<AgencyCode>,
    /// To which of that agency's teams.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub team: Option<TeamRoute>,
    /// The family's number, in the step that notes it: issued before, and of a family that stands.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "TF-0000-0000-0000-0011")]
    pub tfid: Option<Tfid>,
    /// Under what.
    pub ground: Ground,
}

/// Where a referral is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referred {
    /// Its id.
    pub referral: ReferralId,
    /// Where it is now.
    pub state: State,
    /// The log entry of the step.
    pub disclosure: EventId,
    /// When the step was taken.
    pub at: Timestamp,
    /// The purpose of the next step, with the step; `None` at an end.
    pub next: Option<(Step, PurposeCode)>,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

/// Why a step is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReferralError {
    /// The programme takes no referrals, or the fields do not belong to the step.
    #[error("the step lacks a field that it needs, or has one that it does not take")]
    Form,
    /// A role that the programme does not declare.
    #[error("the programme declares no such role")]
    Undeclared,
    /// No such referral, or it is not the caller's.
    #[error("no such referral")]
    Unknown,
    /// The route has no such branch from where the referral is, or somebody else was first.
    #[error("the referral is not where this step begins")]
    NotDue,
    /// The entry named is no answer to the caller for the step's purpose and case since the referral came in.
    #[error(
        "the entry named is no answer to this agency for the purpose and the case of the step since the referral came in"
    )]
    NoAnswer,
    /// No family of this number stands.
    #[error("no family of this number stands")]
    NoFamily,
    /// No agency has such a team.
    #[error("no agency of the programme has such a team")]
    NoTeam,
    /// The agreements do not allow it. The refusal is in the log.
    #[error("the agreements do not permit the step")]
    NotPermitted {
        /// Its log entry.
        disclosure: EventId,
        /// The rules in the way.
        hits: Vec<RuleHit>,
        /// Proof that it was logged.
        receipt: String,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The referral moved on since the kept reply.
    #[error("the kept reply may no longer be given")]
    KeyLapsed,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for ReferralError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

impl ReferralError {
    /// The word in the log for what the referral itself stands against; `None` for what is not logged.
    fn logged_as(&self) -> Option<&'static str> {
        match self {
            Self::Unknown => Some("unknown"),
            Self::NotDue => Some("not-due"),
            Self::NoAnswer => Some("no-answer"),
            Self::NoFamily => Some("no-family"),
            _ => None,
        }
    }
}

/// What is asked: a new referral or a step of one.
#[derive(Clone, Copy)]
enum Asked<'a> {
    Receive(&'a NewReferral),
    Step(&'a NewStep),
}

impl<'a> Asked<'a> {
    fn step(self) -> Step {
        match self {
            Self::Receive(_) => Step::Receive,
            Self::Step(new) => new.step,
        }
    }

    fn ground(self) -> &'a Ground {
        match self {
            Self::Receive(new) => &new.ground,
            Self::Step(new) => &new.ground,
        }
    }
}

/// A step that may be taken, with what it does to the table.
struct Move {
    from: Option<StoredReferral>,
    id: ReferralId,
    to: State,
    /// The referral's case, as its entries carry it.
    case: Vec<u8>,
}

/// What an entry says of a step, taken or not.
struct Attempt<'m> {
    referral: ReferralId,
    step: Option<&'m Move>,
    outcome: Outcome,
}

impl Gateway {
    /// Takes a referral in.
    ///
    /// # Errors
    ///
    /// [`ReferralError`]; refusals by agreement are in the log.
    pub async fn refer(&self, caller: &AgencyCaller, new: &NewReferral, key: &str) -> Result<Referred, ReferralError> {
        let hash = self.request_hash(&caller.client, new)?;
        self.referral_journey(caller, Asked::Receive(new), hash, key).await
    }

    /// Takes a step of a referral.
    ///
    /// # Errors
    ///
    /// [`ReferralError`]; refusals by agreement are in the log.
    pub async fn take_step(&self, caller: &AgencyCaller, new: &NewStep, key: &str) -> Result<Referred, ReferralError> {
        let hash = self.request_hash(&caller.client, new)?;
        self.referral_journey(caller, Asked::Step(new), hash, key).await
    }

    async fn referral_journey(
        &self,
        caller: &AgencyCaller,
        asked: Asked<'_>,
        request_hash: [u8; 32],
        key: &str,
    ) -> Result<Referred, ReferralError> {
        let tag = self.keys().tagger.reply(&caller.client, key, b"POST /v1/referrals");
        for _ in 0..MOST_TRIES {
            let opening = self.store().view_and_reply(self.programme(), &caller.client, &tag).await?;
            let (view, kept) = opening.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
            if let Some(kept) = kept {
                return self.step_before(&kept, &request_hash).await;
            }
            let reply = |event| KeptReply {
                client: caller.client.clone(),
                tag,
                reply: StoredReply {
                    request_hash,
                    event,
                    policy_revision: view.policy_revision,
                    generation: view.generation,
                },
                expires_at: view.now.plus_seconds(REPLY_SECONDS),
            };
            if let Some(referred) = self.try_step(caller, asked, view, reply).await? {
                return Ok(referred);
            }
        }
        Err(AppError::Interrupted.into())
    }

    /// `None` when agreements or records changed between the decision and the commit.
    async fn try_step(
        &self,
        caller: &AgencyCaller,
        asked: Asked<'_>,
        view: View,
        reply: impl Fn(EventId) -> KeptReply,
    ) -> Result<Option<Referred>, ReferralError> {
        let policies = self.policies_at(view.policy_revision).await?;
        let rules = policies.programme().referral().ok_or(ReferralError::Form)?;
        let purpose = rules.purpose(asked.step()).ok_or(ReferralError::Form)?;
        if policies.programme().role(&asked.ground().role).is_none() {
            return Err(ReferralError::Undeclared);
        }
        let terms = terms(caller, asked, purpose);
        let feeds = self.contributing_feeds(view.generation, &policies).await?;
        let feeds: Vec<SupplierFeed> = feeds.iter().map(super::enquire::supplier_feed).collect();
        let decision = self.decisions().contributors(policies.book(), &terms, &feeds, view.now);
        let (step, refused) = match self.referral_move(caller, asked, &policies, purpose, view).await {
            Ok(step) => (Some(step), None),
            Err(error) => match error.logged_as() {
                Some(word) => (None, Some((word, error))),
                None => return Err(error),
            },
        };
        let event = EventId::new(uuid_v7(view.now, self.random()));
        let outcome = match (&decision, &refused) {
            (_, Some((word, _))) => Outcome::Refused(code(word)?),
            (Err(refusal), None) => Outcome::Refused(code(refusal.hits.first().map_or("refused", |hit| &hit.rule))?),
            (Ok(_), None) => Outcome::Answered,
        };
        let referral = match (&step, asked) {
            (Some(step), _) => step.id,
            (None, Asked::Step(new)) => new.referral,
            (None, Asked::Receive(_)) => return Err(AppError::Internal("a new referral leads nowhere").into()),
        };
        let attempt = Attempt { referral, step: step.as_ref(), outcome };
        let entry = self.step_entry(event, caller, asked, &policies, purpose, attempt, view.now)?;
        let receipt = self.receipt(event, entry.leaf_hash, view.now)?;

        let mut tx = self.store().begin().await?;
        if tx.decided_on(self.programme()).await? != Some((view.policy_revision, view.generation)) {
            return Ok(None);
        }
        if let (Err(refusal), None) = (&decision, &refused) {
            tx.add_events(&[&entry]).await?;
            tx.commit().await?;
            self.wake_sequencer();
            return Err(ReferralError::NotPermitted { disclosure: event, hits: refusal.hits.clone(), receipt });
        }
        let step = match (step, refused) {
            (Some(step), None) => step,
            (_, refused) => {
                tx.add_events(&[&entry]).await?;
                tx.commit().await?;
                self.wake_sequencer();
                return Err(refused.map_or(ReferralError::Unknown, |(_, error)| error));
            }
        };
        match (&step.from, asked) {
            (Some(from), _) => {
                if !tx.move_referral(from, step.to.as_str(), event, view.now).await? {
                    return Ok(None); // somebody else was first: decided anew, on where it is now
                }
            }
            (None, Asked::Receive(new)) => {
                tx.add_referral(&StoredReferral {
                    id: step.id,
                    programme: self.programme().clone(),
                    agency: caller.agency.clone(),
                    door: new.door.as_str().to_owned(),
                    state: step.to.as_str().to_owned(),
                    last_event: event,
                    received_at: view.now,
                    changed_at: view.now,
                })
                .await?;
            }
            (None, Asked::Step(_)) => return Err(ReferralError::Unknown),
        }
        tx.add_events(&[&entry]).await?;
        if let Asked::Step(NewStep { answer: Some(answer), .. }) = asked {
            tx.copy_record_uses(*answer, event).await?;
        }
        if tx.add_replies(&[&reply(event)]).await?.is_empty() {
            return Ok(None); // the same key was first: nothing of this is kept, and its reply is given
        }
        tx.commit().await?;
        self.wake_sequencer();
        let next = step.to.next().and_then(|next| Some((next, rules.purpose(next)?.clone())));
        Ok(Some(Referred { referral: step.id, state: step.to, disclosure: event, at: view.now, next, receipt }))
    }

    /// Where the step leads, once everything about it fits.
    async fn referral_move(
        &self,
        caller: &AgencyCaller,
        asked: Asked<'_>,
        policies: &Policies,
        purpose: &PurposeCode,
        view: View,
    ) -> Result<Move, ReferralError> {
        let new = match asked {
            Asked::Receive(new) => {
                let id = ReferralId::new(uuid_v7(view.now, self.random()));
                let case = new.case.as_str().as_bytes().to_vec();
                return Ok(Move { from: None, id, to: State::Received, case });
            }
            Asked::Step(new) => new,
        };
        let event = Event::of(new.step, new.finding).ok_or(ReferralError::Form)?;
        check_fields(new)?;
        let from = self.store().referral(new.referral).await?.ok_or(ReferralError::Unknown)?;
        let is_team = policies.agency(&caller.agency).is_some_and(|agency| agency.kind() == AgencyKind::Programme);
        let may = if new.step.is_of_the_programme_team() { is_team } else { from.agency == caller.agency };
        if !may || from.programme != *self.programme() {
            return Err(ReferralError::Unknown);
        }
        let state = State::parse(&from.state).ok_or(StoreError::Corrupt("referral state"))?;
        let to = state.after(event).ok_or(ReferralError::NotDue)?;
        if let (Some(agency), Some(team)) = (&new.agency, &new.team) {
            let has = policies.agency(agency).is_some_and(|agency| agency.team(team).is_some());
            if !has {
                return Err(ReferralError::NoTeam);
            }
        }
        let case = self.sealed_case(from.last_event).await?;
        if let Some(answer) = new.answer {
            self.check_answer(caller, answer, purpose, from.received_at).await?;
            // A case that was erased is nobody's.
            if case.is_none() || self.sealed_case(answer).await? != case {
                return Err(ReferralError::NoAnswer);
            }
        }
        if let Some(tfid) = &new.tfid {
            let family = self.store().family(self.programme(), tfid).await?;
            if family.is_none_or(|family| family.merged_into.is_some()) {
                return Err(ReferralError::NoFamily);
            }
        }
        Ok(Move { from: Some(from), id: new.referral, to, case: case.unwrap_or_default() })
    }

    /// The case that an entry's sealed opening holds; `None` where it was erased.
    async fn sealed_case(&self, event: EventId) -> Result<Option<Vec<u8>>, ReferralError> {
        let entry = self.store().sealed_entry(event, "case").await?;
        Ok(entry.map(|entry| self.open_field(event, "case", &entry.sealed)).transpose()?)
    }

    /// The entry has to be an answer to the caller, for the step's purpose, since the referral came in.
    async fn check_answer(
        &self,
        caller: &AgencyCaller,
        answer: EventId,
        purpose: &PurposeCode,
        since: Timestamp,
    ) -> Result<(), ReferralError> {
        let body = self.store().event_body(answer).await?.ok_or(ReferralError::NoAnswer)?;
        let entry = Entry::parse(&body).map_err(|_| StoreError::Corrupt("a log entry"))?;
        match entry.body() {
            Body::Enquiry(enquiry)
                if enquiry.recipient == caller.agency
                    && enquiry.purpose == *purpose
                    && enquiry.outcome == Outcome::Answered
                    && entry.at() >= since =>
            {
                Ok(())
            }
            _ => Err(ReferralError::NoAnswer),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "everything that the entry says, each once")]
    fn step_entry(
        &self,
        id: EventId,
        caller: &AgencyCaller,
        asked: Asked<'_>,
        policies: &Policies,
        purpose: &PurposeCode,
        attempt: Attempt<'_>,
        now: Timestamp,
    ) -> Result<NewEvent, AppError> {
        let ground = asked.ground();
        let mut openings = Vec::new();
        let mut commit = |field: &'static str, value: Option<&str>| {
            let Some(value) = value else { return Ok::<_, AppError>(None) };
            let (commitment, sealed) = self.commit(id, field, value.as_bytes().to_vec(), REFERENCE_LENGTH)?;
            openings.push((field, sealed));
            Ok(Some(commitment))
        };
        let new = match asked {
            Asked::Receive(_) => None,
            Asked::Step(new) => Some(new),
        };
        let Attempt { referral, step, outcome } = attempt;
        let case = step.map(|step| String::from_utf8_lossy(&step.case)).filter(|case| !case.is_empty());
        let tfid = new.and_then(|new| new.tfid.as_ref()).map(Tfid::to_text);
        let actor = commit("actor", Some(ground.user.as_str()))?.ok_or(AppError::Internal("an actor"))?;
        let case = commit("case", case.as_deref())?;
        let family = commit("family", tfid.as_deref())?;
        let agreement = policies.book().agreement(&ground.agreement).map(|agreement| &agreement.text);
        let body = ReferralStep {
            referral,
            step: code(asked.step().as_str())?,
            from: step.and_then(|step| step.from.as_ref()).map(|from| code(&from.state)).transpose()?,
            to: code(step.map_or(NOWHERE, |step| step.to.as_str()))?,
            agency: caller.agency.clone(),
            client: code(&caller.client)?,
            agreement: agreement.map(|text| text.reference().clone()),
            agreement_sha256: agreement.map(|text| Digest::new(*text.hash().as_bytes())),
            rules_sha256: Digest::new(*policies.book().rules().hash().as_bytes()),
            programme_sha256: Digest::new(*policies.programme_sha256()),
            purpose: purpose.clone(),
            relationship: code(ground.relationship.as_str())?,
            role: ground.role.clone(),
            answer: new.and_then(|new| new.answer),
            with: new.and_then(|new| new.agency.clone()),
            team: new.and_then(|new| new.team.as_ref()).map(|team| code(team.as_str())).transpose()?,
            outcome,
            commitments: ReferralCommitments { actor, case, family },
        };
        let is_taken = body.outcome == Outcome::Answered;
        let mut event = self.event_with_id(id, now, Body::ReferralStep(Box::new(body)))?;
        event.recipient = Some(caller.agency.to_string());
        event.agreement = Some(ground.agreement.to_string());
        event.purpose = Some(purpose.to_string());
        event.outcome = Some(if is_taken { "answered" } else { "refused" }.to_owned());
        event.openings = openings;
        Ok(event)
    }

    /// Gives the reply of a step again, as long as the referral has not moved on.
    async fn step_before(&self, kept: &StoredReply, request_hash: &[u8; 32]) -> Result<Referred, ReferralError> {
        if kept.request_hash != *request_hash {
            return Err(ReferralError::KeyReused);
        }
        let body = self.store().event_body(kept.event).await?.ok_or(ReferralError::KeyLapsed)?;
        let entry = Entry::parse(&body).map_err(|_| StoreError::Corrupt("a log entry"))?;
        let at = entry.at();
        let Body::ReferralStep(step) = entry.into_body() else { return Err(ReferralError::KeyReused) };
        let stored = self.store().referral(step.referral).await?.filter(|stored| stored.last_event == kept.event);
        let stored = stored.ok_or(ReferralError::KeyLapsed)?;
        let state = State::parse(&stored.state).ok_or(StoreError::Corrupt("referral state"))?;
        let policies = self.current_policies().await?;
        let rules = policies.programme().referral().ok_or(ReferralError::KeyLapsed)?;
        let next = state.next().and_then(|next| Some((next, rules.purpose(next)?.clone())));
        let leaf = crate::tlog::merkle::leaf_hash(&body);
        let receipt = self.receipt(kept.event, *leaf.as_bytes(), at)?;
        Ok(Referred { referral: stored.id, state, disclosure: kept.event, at, next, receipt })
    }
}

/// Each step has its fields, and no others.
fn check_fields(new: &NewStep) -> Result<(), ReferralError> {
    let names_a_team = matches!(new.step, Step::Share | Step::Assign);
    let fits = new.answer.is_some() == new.step.rests_on_an_answer()
        && new.agency.is_some() == names_a_team
        && new.team.is_some() == names_a_team
        && new.tfid.is_some() == (new.step == Step::IssueTfid);
    if fits { Ok(()) } else { Err(ReferralError::Form) }
}

/// The terms that a step is decided on: its purpose, and the form of answer that such a step goes by.
fn terms(caller: &AgencyCaller, asked: Asked<'_>, purpose: &PurposeCode) -> Terms {
    let ground = asked.ground();
    let mode = match asked.step() {
        Step::Receive | Step::CheckTracker | Step::CheckEligibility => AnswerMode::Eligible,
        Step::FindWorker | Step::Share | Step::Assign => AnswerMode::Lead,
        Step::Qualify | Step::IssueTfid => AnswerMode::Count,
    };
    Terms {
        recipient: caller.agency.clone(),
        agreement: ground.agreement.clone(),
        purpose: purpose.clone(),
        mode,
        role: ground.role.clone(),
        relationship: ground.relationship,
    }
}
