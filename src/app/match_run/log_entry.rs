//! The log entries of match runs. Everything that a result depends on is in them; nothing is about a person.

use std::collections::BTreeMap;

use super::{MatchRunError, PURPOSE, RunGround, RunTerms, purpose};
use crate::app::caller::AgencyCaller;
use crate::app::enquire::EnquiryError;
use crate::app::enquire::log_entry::{decision, feeds_of};
use crate::app::enrol::code;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::policies::Policies;
use crate::crypto::random::uuid_v7;
use crate::domain::ids::{EventId, MatchRunId};
use crate::domain::time::Timestamp;
use crate::policy::decision as decided;
use crate::policy::rules::RuleHit;
use crate::store::{CeilingKey, FeedState, NewEvent, StoredRun, View};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, MatchRun, MatchRunStep, Outcome, RunCommitments, RunInput, RunStepGround};

/// The sealed opening of the user who acted.
const ACTOR_LENGTH: usize = 96;
/// The sealed opening of what was counted.
const COUNTS_LENGTH: usize = 512;
/// Who removes the pages of old runs.
const REMOVER: &str = "retention";

/// The steps that are disclosures, decided by themselves.
const DISCLOSES: [&str; 2] = ["list", "families"];

/// Who acts, on what grounds, and when.
pub(super) struct Acting<'a> {
    pub(super) caller: &'a AgencyCaller,
    pub(super) terms: &'a RunTerms,
    pub(super) policies: &'a Policies,
    pub(super) view: View,
}

/// What a step's entry says besides.
#[derive(Default)]
pub(super) struct Said<'a> {
    pub(super) refused: Option<&'a str>,
    pub(super) sha256: Option<Digest>,
    pub(super) snapshot_sha256: Option<Digest>,
    pub(super) counts: Vec<(&'static str, u64)>,
    pub(super) decisions: &'a [decided::Decision],
}

impl Gateway {
    /// The entry of a run that begins, or is refused.
    pub(super) fn run_entry(
        &self,
        acting: &Acting<'_>,
        run: MatchRunId,
        feeds: &[FeedState],
        decisions: &[decided::Decision],
        begun: Result<(i64, &[RunInput]), &str>,
    ) -> Result<NewEvent, AppError> {
        let Acting { caller, terms, policies, view } = acting;
        let id = EventId::new(uuid_v7(view.now, self.random()));
        let (actor, sealed_actor) = self.commit(id, "actor", terms.user.as_str().as_bytes().to_vec(), ACTOR_LENGTH)?;
        let agreement = policies.book().agreement(&terms.agreement).map(|agreement| &agreement.text);
        let lines: Vec<&decided::Decision> = decisions.iter().collect();
        let body = Body::MatchRun(Box::new(MatchRun {
            run,
            recipient: caller.agency.clone(),
            client: code(&caller.client)?,
            agreement: agreement.map(|text| text.reference().clone()),
            agreement_sha256: agreement.map(|text| Digest::new(*text.hash().as_bytes())),
            rules_sha256: Digest::new(*policies.book().rules().hash().as_bytes()),
            programme_sha256: Digest::new(*policies.programme_sha256()),
            agencies_sha256: policies.agencies_sha256(),
            match_keys_sha256: Digest::new(*policies.match_keys().sha256()),
            criteria_version: code(&policies.programme().criteria_at(view.now.date()).name())?,
            purpose: purpose()?,
            relationship: code(terms.relationship.as_str())?,
            role: terms.role.clone(),
            outcome: match begun {
                Ok(_) => Outcome::Answered,
                Err(reason) => Outcome::Refused(code(reason)?),
            },
            generation: begun.ok().map(|(generation, _)| generation.unsigned_abs()),
            decisions: lines.iter().map(|line| decision(line)).collect::<Result<_, _>>()?,
            feeds: feeds_of(policies, feeds, *view, &lines),
            inputs: begun.map_or_else(|_| Vec::new(), |(_, inputs)| inputs.to_vec()),
            commitments: RunCommitments { actor, counts: None },
        }));
        let mut event = self.event_with_id(id, view.now, body)?;
        described(&mut event, acting, begun.is_err());
        event.openings = vec![("actor", sealed_actor)];
        Ok(event)
    }

    /// The entry of a step.
    pub(super) fn run_step_entry(
        &self,
        acting: &Acting<'_>,
        run: MatchRunId,
        step: &str,
        said: Said<'_>,
    ) -> Result<NewEvent, AppError> {
        let Acting { caller, terms, policies, view } = acting;
        let id = EventId::new(uuid_v7(view.now, self.random()));
        let (actor, sealed_actor) = self.commit(id, "actor", terms.user.as_str().as_bytes().to_vec(), ACTOR_LENGTH)?;
        let agreement = policies.book().agreement(&terms.agreement).map(|agreement| &agreement.text);
        let counts: BTreeMap<&str, u64> = said.counts.iter().copied().collect();
        let counts = serde_json::to_vec(&counts).map_err(|_| AppError::Internal("counts cannot be written"))?;
        let (counts, sealed_counts) = self.commit(id, "counts", counts, COUNTS_LENGTH)?;
        let body = Body::MatchRunStep(Box::new(MatchRunStep {
            run,
            step: code(step)?,
            agency: caller.agency.clone(),
            client: code(&caller.client)?,
            agreement: agreement.map(|text| text.reference().clone()),
            agreement_sha256: agreement.map(|text| Digest::new(*text.hash().as_bytes())),
            rules_sha256: Digest::new(*policies.book().rules().hash().as_bytes()),
            role: terms.role.clone(),
            outcome: match said.refused {
                None => Outcome::Answered,
                Some(reason) => Outcome::Refused(code(reason)?),
            },
            sha256: said.sha256,
            snapshot_sha256: said.snapshot_sha256,
            counts: None,
            decisions: said.decisions.iter().map(decision).collect::<Result<_, _>>()?,
            ground: DISCLOSES.contains(&step).then(|| ground_of(acting)).transpose()?,
            commitments: RunCommitments { actor, counts: Some(counts) },
        }));
        let mut event = self.event_with_id(id, view.now, body)?;
        described(&mut event, acting, said.refused.is_some());
        event.openings = vec![("actor", sealed_actor), ("counts", sealed_counts)];
        Ok(event)
    }

    /// The entry of the removal of a run's pages: nobody's step, in the name of the agency that began it.
    pub(super) async fn run_removal_entry(
        &self,
        run: &StoredRun,
        ground: &RunGround,
        now: Timestamp,
    ) -> Result<NewEvent, AppError> {
        let id = EventId::new(uuid_v7(now, self.random()));
        let policies = self.current_policies().await?;
        let (actor, sealed_actor) = self.commit(id, "actor", REMOVER.as_bytes().to_vec(), ACTOR_LENGTH)?;
        let body = Body::MatchRunStep(Box::new(MatchRunStep {
            run: run.id,
            step: code("removed")?,
            agency: run.begun_by.clone(),
            client: code(REMOVER)?,
            agreement: None,
            agreement_sha256: None,
            rules_sha256: Digest::new(*policies.book().rules().hash().as_bytes()),
            role: ground.role.clone(),
            outcome: Outcome::Answered,
            sha256: run.output_sha256.map(Digest::new),
            snapshot_sha256: None,
            counts: None,
            decisions: Vec::new(),
            ground: None,
            commitments: RunCommitments { actor, counts: None },
        }));
        let mut event = self.event_with_id(id, now, body)?;
        event.recipient = Some(run.begun_by.to_string());
        event.outcome = Some("answered".to_owned());
        event.openings = vec![("actor", sealed_actor)];
        Ok(event)
    }

    /// Writes a refusal by agreement, and gives the error that tells of it; `None` when it has to be
    /// decided anew.
    pub(super) async fn write_run_refusal(
        &self,
        acting: &Acting<'_>,
        entry: NewEvent,
        hits: Vec<RuleHit>,
    ) -> Result<Option<MatchRunError>, AppError> {
        let receipt = self.receipt(entry.id, entry.leaf_hash, entry.at)?;
        let mut tx = self.store().begin().await?;
        if tx.decided_on(self.programme()).await? != Some((acting.view.policy_revision, acting.view.generation)) {
            return Ok(None);
        }
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(Some(EnquiryError::NotPermitted { disclosure: entry.id, hits, receipt }.into()))
    }
}

fn ground_of(acting: &Acting<'_>) -> Result<RunStepGround, AppError> {
    let Acting { terms, policies, .. } = acting;
    Ok(RunStepGround {
        purpose: purpose()?,
        relationship: code(terms.relationship.as_str())?,
        programme_sha256: Digest::new(*policies.programme_sha256()),
        agencies_sha256: policies.agencies_sha256(),
        match_keys_sha256: Digest::new(*policies.match_keys().sha256()),
    })
}

/// What a disclosure is charged to.
pub(super) fn ceiling(permitted: &decided::Permitted, acting: &Acting<'_>) -> (CeilingKey, i64) {
    let charge = &permitted.charge;
    let key = CeilingKey {
        agreement: charge.clause.agreement.to_string(),
        clause: charge.clause.term.to_string(),
        recipient: acting.caller.agency.to_string(),
        day: acting.view.now.as_seconds().div_euclid(86_400),
    };
    (key, i64::from(charge.daily_ceiling))
}

fn described(event: &mut NewEvent, acting: &Acting<'_>, is_refused: bool) {
    event.recipient = Some(acting.caller.agency.to_string());
    event.agreement = Some(acting.terms.agreement.to_string());
    event.purpose = Some(PURPOSE.to_owned());
    event.outcome = Some(if is_refused { "refused" } else { "answered" }.to_owned());
}
