//! Contact with a family since it was attached is noted, and nobody leading while areas are still met
//! raises an alert.
//!
//! Two looks, each decided and logged for itself: one at the areas, one at who works with the family.
//! *Attached* is not *engaged*: a family is engaged from the first month of contact after the month of
//! its attachment.

use serde_json::json;

use super::change::{Applied, Change, Ground, Plan, Repeatable, Step};
use super::lookup::{WorkAnswer, contacts_since};
use super::request::{FamilyEngagement, FamilyTerms};
use super::{FamilyError, FamilyFault, MOST_TRIES, Standing, Tried, may_change, subject};
use crate::app::caller::AgencyCaller;
use crate::app::enquire::EnquiryError;
use crate::app::enquire::family::{FoundFamily, Logged, Permission, Stage};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::agreement::AnswerMode;
use crate::domain::enquiry::Answered;
use crate::domain::family::{FamilyEventKind, LeadState};
use crate::domain::tfid::Tfid;
use crate::domain::time::{Month, Timestamp};
use crate::store::{StoredFamily, StoredFamilyEvent};

/// What an idempotency key is bound to besides the request.
const PATH: &str = "POST /v1/families/engagement";
/// The reason that entries of this journey give.
const REASON: &str = "engagement-check";

/// The answer to a look at a family's engagement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngagementReply {
    /// The log entries of the two looks.
    pub entries: Vec<Logged>,
    /// What was found; absent when nothing of the family may be seen.
    pub family: Option<Engagement>,
}

/// A family's engagement.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Engagement {
    /// Its number.
    pub tfid: Tfid,
    /// The day on which it was attached.
    pub attached_on: Option<jiff::civil::Date>,
    /// Who works with it.
    pub work: WorkAnswer,
    /// Nobody leads any more, and areas are still met.
    pub continuity_alert: bool,
}

/// Two looks at one family, each through its own set.
pub(super) struct BothLooks<'a> {
    pub(super) standing: Standing,
    pub(super) areas: (Permission<'a>, FoundFamily),
    pub(super) work: (Permission<'a>, FoundFamily),
}

impl BothLooks<'_> {
    /// The family, when both looks show somebody who belongs to it.
    pub(super) fn family(&self) -> Option<&StoredFamily> {
        self.standing.if_seen(&self.areas.1)?;
        self.standing.if_seen(&self.work.1)
    }

    /// How many areas are met within the set of the look at areas.
    pub(super) fn areas_met(&self) -> usize {
        let (permission, found) = &self.areas;
        let answered = Answered::new(AnswerMode::Count, &found.members(), &permission.facts());
        answered.assessment.map_or(0, |assessment| assessment.areas_met())
    }
}

/// The questions of the two looks.
pub(super) fn check_mode(mode: AnswerMode) -> Result<(), FamilyFault> {
    if matches!(mode, AnswerMode::Lead | AnswerMode::Eligible) { Err(FamilyFault::Mode) } else { Ok(()) }
}

impl Gateway {
    /// Looks at a family's engagement and notes what is new.
    ///
    /// # Errors
    ///
    /// [`FamilyError`]; refusals by agreement are in the log too.
    pub async fn family_engagement(
        &self,
        caller: &AgencyCaller,
        request: &FamilyEngagement,
        idempotency: &str,
    ) -> Result<EngagementReply, FamilyError> {
        check_mode(request.mode)?;
        let (tag, request_hash) = self.family_request_tags(&caller.client, idempotency, PATH, request)?;
        for _ in 0..MOST_TRIES {
            if let Some(reply) = self.try_engagement(caller, request, Repeatable { tag, request_hash }).await? {
                return Ok(reply);
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn try_engagement(
        &self,
        caller: &AgencyCaller,
        request: &FamilyEngagement,
        repeat: Repeatable,
    ) -> Tried<EngagementReply> {
        let stage = self.family_stage().await?;
        let is_repeat = self.results_before(caller, &stage, repeat).await?.is_some();
        let questions = [
            self.family_question(&request.terms, request.mode, &stage.policies)?,
            self.family_question(&request.terms, AnswerMode::Lead, &stage.policies)?,
        ];
        let Some(looks) = self.look_twice(&stage, caller, &request.terms, &questions, &request.tfid).await? else {
            return Ok(None);
        };
        let nobody = Tfid::random(|bytes| bytes.fill(0));
        let tfid = looks.standing.family.as_ref().map_or(nobody, |family| family.tfid);
        let history = self.store().family_history(&tfid).await?;
        let work = self.work_of(&looks.work.0, &tfid, looks.standing.family.as_ref(), &looks.work.1).await?;
        let alert = work.lead_state == Some(LeadState::Ended) && looks.areas_met() > 0;
        let engagement = looks.family().map(|family| Engagement {
            tfid,
            attached_on: family.attached_at.map(Timestamp::date),
            work,
            continuity_alert: alert,
        });
        let Some(entries) = self.release_twice(&looks, &engagement).await? else { return Ok(None) };
        if let (Some(family), Some(found)) = (looks.family(), &engagement) {
            let plan = plan(family, found, &history, &looks);
            if !plan.changes.is_empty() && !is_repeat {
                let ground = Ground {
                    caller,
                    terms: &request.terms,
                    reason: REASON,
                    disclosure: entries[1].disclosure,
                    decided_on: (stage.view.policy_revision, stage.view.generation),
                };
                if self.apply(&ground, plan, repeat, &[]).await? != Applied::Done {
                    return Ok(None);
                }
            }
        }
        Ok(Some(EngagementReply { entries, family: engagement }))
    }

    /// Decides both looks, then reads through each.
    pub(super) async fn look_twice<'a>(
        &self,
        stage: &'a Stage,
        caller: &'a AgencyCaller,
        terms: &FamilyTerms,
        questions: &'a [crate::app::enquire::Question; 2],
        tfid: &Tfid,
    ) -> Result<Option<BothLooks<'a>>, EnquiryError> {
        let mut permissions = Vec::new();
        for question in questions {
            let permission =
                self.permit_family_look(stage, caller, question, subject([tfid]), may_change(terms)).await?;
            let Some(permission) = permission else { return Ok(None) };
            permissions.push(permission);
        }
        let standing = self.family_standing(tfid).await?;
        let mut looks = Vec::new();
        for permission in permissions {
            let found = self.find_family(&permission, &standing.records).await?;
            looks.push((permission, found));
        }
        let (Some(work), Some(areas)) = (looks.pop(), looks.pop()) else { return Ok(None) };
        Ok(Some(BothLooks { standing, areas, work }))
    }

    /// Logs both looks; `None` when something changed meanwhile.
    pub(super) async fn release_twice(
        &self,
        looks: &BothLooks<'_>,
        said: &impl serde::Serialize,
    ) -> Result<Option<Vec<Logged>>, EnquiryError> {
        let mut entries = Vec::new();
        for (permission, found) in [&looks.areas, &looks.work] {
            let Some(entry) = self.release_family(permission, found, said).await? else { return Ok(None) };
            entries.push(entry);
        }
        Ok(Some(entries))
    }
}

/// What is new: months of contact, the first of them, and an alert that was not raised since the lead
/// last changed.
fn plan(family: &StoredFamily, found: &Engagement, history: &[StoredFamilyEvent], looks: &BothLooks<'_>) -> Plan {
    let tfid = family.tfid;
    let mut changes = Vec::new();
    let was_engaged = history.iter().any(|event| event.kind == FamilyEventKind::Engaged);
    let attached = family.attached_at.map(|at| Month::of(at.date()));
    let notes: Vec<_> = attached
        .into_iter()
        .flat_map(|attached| contacts_since(&looks.work.0, attached, &looks.work.1))
        .map(|(record, month)| (record.clone(), month))
        .collect();
    if !notes.is_empty() {
        let steps = notes.iter().map(|(record, month)| Step::NoteContact(tfid, record.clone(), *month));
        changes.push(Change {
            action: FamilyEventKind::Engaged,
            families: vec![tfid],
            what: json!({ "contacts": notes }),
            steps: steps.collect(),
            history: if was_engaged { vec![] } else { vec![(tfid, FamilyEventKind::Engaged, None)] },
        });
    }
    if found.continuity_alert && !is_alerted(history) {
        changes.push(alert(tfid));
    }
    Plan { touched: if changes.is_empty() { vec![] } else { vec![family.clone()] }, holders: None, changes }
}

/// Whether an alert was raised since the lead last changed.
pub(super) fn is_alerted(history: &[StoredFamilyEvent]) -> bool {
    let about_lead = |kind| {
        matches!(kind, FamilyEventKind::LeadStarted | FamilyEventKind::LeadEnded | FamilyEventKind::ContinuityAlert)
    };
    let last = history.iter().rev().find(|event| about_lead(event.kind));
    last.is_some_and(|event| event.kind == FamilyEventKind::ContinuityAlert)
}

/// The change that an alert is.
pub(super) fn alert(tfid: Tfid) -> Change {
    Change {
        action: FamilyEventKind::ContinuityAlert,
        families: vec![tfid],
        what: json!({}),
        steps: vec![],
        history: vec![(tfid, FamilyEventKind::ContinuityAlert, None)],
    }
}
