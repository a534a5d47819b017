//! Who leads for a family is noted: an agency and a team, since when; and that nobody does any more.
//! When a lead ends while areas are still met, that is an alert, in the same step.

use std::collections::BTreeSet;

use serde_json::json;

use super::change::{Applied, Change, Ground, Plan, Repeatable, Step};
use super::engagement::{BothLooks, alert, check_mode};
use super::request::{FamilyLead, LeadChange};
use super::{Decided, DecisionReply, FamilyError, FamilyFault, MOST_TRIES, Outcome, Tried, hears};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::policies::Policies;
use crate::domain::agreement::AnswerMode;
use crate::domain::family::{FamilyEventKind, LeadSpell, LeadState};
use crate::domain::ids::AgencyCode;
use crate::domain::item::Item;
use crate::domain::tfid::Tfid;
use crate::domain::time::{Month, Timestamp};

/// What an idempotency key is bound to besides the request.
const PATH: &str = "POST /v1/families/lead";

impl Gateway {
    /// Notes that an agency leads for a family, or that the lead ended.
    ///
    /// # Errors
    ///
    /// [`FamilyError`]; refusals by agreement are in the log too.
    pub async fn lead_family(
        &self,
        caller: &AgencyCaller,
        request: &FamilyLead,
        idempotency: &str,
    ) -> Result<DecisionReply, FamilyError> {
        check_mode(request.mode)?;
        let (tag, request_hash) = self.family_request_tags(&caller.client, idempotency, PATH, request)?;
        for _ in 0..MOST_TRIES {
            if let Some(reply) = self.try_to_lead(caller, request, Repeatable { tag, request_hash }).await? {
                return Ok(reply);
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn try_to_lead(
        &self,
        caller: &AgencyCaller,
        request: &FamilyLead,
        repeat: Repeatable,
    ) -> Tried<DecisionReply> {
        let stage = self.family_stage().await?;
        check_lead(&request.lead, &stage.policies, stage.view.now)?;
        let before = self.results_before(caller, &stage, repeat).await?;
        let questions = [
            self.family_question(&request.terms, request.mode, &stage.policies)?,
            self.family_question(&request.terms, AnswerMode::Lead, &stage.policies)?,
        ];
        let Some(looks) = self.look_twice(&stage, caller, &request.terms, &questions, &request.tfid).await? else {
            return Ok(None);
        };
        let nobody = Tfid::random(|bytes| bytes.fill(0));
        let tfid = looks.standing.family.as_ref().map_or(nobody, |family| family.tfid);
        let leads = self.store().family_leads(&tfid).await?;
        let work = self.work_of(&looks.work.0, &tfid, looks.standing.family.as_ref(), &looks.work.1).await?;
        let heard = |agency: &AgencyCode| hears(&looks.work.0, agency, &Item::Lead);
        let outcome = match (looks.family(), &before) {
            (None, _) => Outcome::Unknown,
            (Some(_), Some(results)) => results.first().map_or(Outcome::Already, |result| result.outcome),
            (Some(_), None) => outcome(&request.lead, &leads, heard),
        };
        let running = leads.iter().filter(|spell| spell.ended.is_none() && heard(&spell.agency));
        let ending: BTreeSet<AgencyCode> = running.map(|spell| spell.agency.clone()).collect();
        let is_new = outcome == Outcome::Done && before.is_none();
        let ends = is_new && matches!(request.lead, LeadChange::End { .. });
        // Whoever else leads by the records leads on; the spell that ends here is over.
        let is_led = match work.lead_state {
            Some(LeadState::Led) if ends => leads_by_records(&looks),
            Some(LeadState::Led) => true,
            _ => matches!(request.lead, LeadChange::Start { .. }) && outcome == Outcome::Done,
        };
        let was_led = ends || work.lead_state == Some(LeadState::Ended);
        let continuity_alert = was_led && !is_led && looks.areas_met() > 0;
        let result = if outcome == Outcome::Unknown { Decided::unknown() } else { Decided::of(outcome, &tfid) };
        let results = vec![result];
        let alert_told = looks.family().map(|_| continuity_alert);
        let Some(entries) = self.release_twice(&looks, &(&results, alert_told)).await? else { return Ok(None) };
        if let Some(family) = looks.family().filter(|_| is_new) {
            let mut changes = vec![change(tfid, &request.lead, ending.into_iter().collect())];
            if ends && continuity_alert {
                changes.push(alert(tfid));
            }
            let plan = Plan { touched: vec![family.clone()], holders: None, changes };
            let ground = Ground {
                caller,
                terms: &request.terms,
                reason: request.reason.as_str(),
                disclosure: entries[1].disclosure,
                decided_on: (stage.view.policy_revision, stage.view.generation),
            };
            if self.apply(&ground, plan, repeat, &results).await? != Applied::Done {
                return Ok(None);
            }
        }
        Ok(Some(DecisionReply { entries, results, continuity_alert: alert_told }))
    }
}

/// Nothing of this depends on a family.
fn check_lead(lead: &LeadChange, policies: &Policies, now: Timestamp) -> Result<(), FamilyFault> {
    let this_month = Month::of(now.date());
    match lead {
        LeadChange::Start { agency, team_route, since } => {
            let team = policies.agency(agency).and_then(|agency| agency.team(team_route));
            team.ok_or(FamilyFault::Team)?;
            if *since > this_month { Err(FamilyFault::Month) } else { Ok(()) }
        }
        LeadChange::End { ended } if *ended > this_month => Err(FamilyFault::Month),
        LeadChange::End { .. } => Ok(()),
    }
}

/// Only a lead that the asker may hear of is noted or ended; one that they may not runs on beside it.
fn outcome(lead: &LeadChange, leads: &[LeadSpell], heard: impl Fn(&AgencyCode) -> bool) -> Outcome {
    let running = leads.iter().rev().find(|spell| spell.ended.is_none() && heard(&spell.agency));
    match lead {
        LeadChange::Start { agency, .. } if !heard(agency) => Outcome::Withheld,
        LeadChange::Start { agency, team_route, since } => match running {
            Some(spell) if spell.agency == *agency && spell.team_route == *team_route => Outcome::Already,
            Some(spell) if *since < spell.since => Outcome::TooEarly,
            _ => Outcome::Done,
        },
        LeadChange::End { ended } => match running {
            None => Outcome::NoLead,
            Some(spell) if *ended < spell.since => Outcome::TooEarly,
            Some(_) => Outcome::Done,
        },
    }
}

fn leads_by_records(looks: &BothLooks<'_>) -> bool {
    let (permission, found) = &looks.work;
    let members = found.members();
    let statements = members.iter().flat_map(|member| &member.statements);
    let agencies: BTreeSet<&AgencyCode> = statements.map(|said| &said.agency).collect();
    let mut facts = agencies.iter().filter_map(|agency| {
        crate::domain::family::service_facts(&members, agency, |agency, feed| {
            permission.set.has(agency, feed, &Item::Lead)
        })
    });
    facts.any(|facts| facts.leads)
}

/// The change, with the agencies whose running leads it ends.
fn change(tfid: Tfid, lead: &LeadChange, ending: Vec<AgencyCode>) -> Change {
    let (action, step) = match lead {
        LeadChange::Start { agency, team_route, since } => {
            let spell =
                LeadSpell { agency: agency.clone(), team_route: team_route.clone(), since: *since, ended: None };
            (FamilyEventKind::LeadStarted, Step::StartLead(tfid, spell, ending))
        }
        LeadChange::End { ended } => (FamilyEventKind::LeadEnded, Step::EndLead(tfid, *ended, ending)),
    };
    Change { action, families: vec![tfid], what: json!(lead), steps: vec![step], history: vec![(tfid, action, None)] }
}
