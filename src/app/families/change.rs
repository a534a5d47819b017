//! A decided change of families: its log entries, what it does to the tables, and the history, in one
//! transaction. Nothing is done when agreements, shields, records or the families changed since it was
//! decided.

use serde::Serialize;
use serde_json::Value;

use super::request::FamilyTerms;
use super::{Decided, FamilyError};
use crate::app::caller::AgencyCaller;
use crate::app::enrol::code;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::random::uuid_v7;
use crate::domain::family::{FamilyEventKind, IdentificationRoute, LeadSpell, RecordName};
use crate::domain::ids::{AgencyCode, EventId, OpaqueRef};
use crate::domain::tfid::Tfid;
use crate::domain::time::{Month, Timestamp};
use crate::store::{FamilyRequest, NewEvent, StoreError, StoredFamily, StoredFamilyEvent, Tx};
use crate::tlog::entry::{Body, Code, FamilyChange, FamilyCommitments};

/// How long a decision is remembered for a caller who repeats the request.
const REQUEST_SECONDS: i64 = 24 * 3600;

/// One thing that is done to the tables.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Issue(Tfid, IdentificationRoute),
    Join(Tfid, Vec<RecordName>),
    Leave(Tfid, Vec<RecordName>),
    Attach(Tfid),
    Merge(Box<StoredFamily>, Tfid),
    /// Ends the running leads of these agencies, and notes a new one.
    StartLead(Tfid, LeadSpell, Vec<AgencyCode>),
    /// Ends the running leads of these agencies.
    EndLead(Tfid, Month, Vec<AgencyCode>),
    NoteContact(Tfid, RecordName, Month),
}

/// A change with an entry of its own.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) action: FamilyEventKind,
    /// The families that it is about, the one that changes first.
    pub(super) families: Vec<Tfid>,
    /// What the entry commits to besides.
    pub(super) what: Value,
    pub(super) steps: Vec<Step>,
    /// Lines of histories: whose, what, and the other family.
    pub(super) history: Vec<(Tfid, FamilyEventKind, Option<Tfid>)>,
}

/// Which records belonged to which families.
type Belongings = Vec<(Tfid, RecordName)>;

/// Everything that one decision does.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    /// The families that change, as they were when it was decided.
    pub(super) touched: Vec<StoredFamily>,
    /// Records of these references, and to which families they belonged when it was decided.
    pub(super) holders: Option<(Vec<OpaqueRef>, Belongings)>,
    pub(super) changes: Vec<Change>,
}

/// A repeat of the same request is recognised by this.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeatable {
    pub(super) tag: [u8; 32],
    pub(super) request_hash: [u8; 32],
}

/// Who decides a change, why, and what they were shown.
pub(super) struct Ground<'a> {
    pub(super) caller: &'a AgencyCaller,
    pub(super) terms: &'a FamilyTerms,
    pub(super) reason: &'a str,
    pub(super) disclosure: EventId,
    pub(super) decided_on: (i64, i64),
}

/// What became of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    Done,
    /// Something changed since it was decided; nothing was done.
    Outdated,
    /// A request with the same idempotency key was first; nothing was done.
    Repeated,
}

/// A change's entry before it is numbered and timed.
struct Draft {
    body: FamilyChangeDraft,
    change: Change,
}

/// What an entry says, and the plain values behind its commitments.
struct FamilyChangeDraft {
    action: Code,
    families: Vec<u8>,
    what: Vec<u8>,
}

/// What is done beside the entries, owned so that a caller who hangs up cannot stop it half way.
struct Work {
    drafts: Vec<Draft>,
    plan: Plan,
    caller: AgencyCaller,
    terms: FamilyTerms,
    reason: Code,
    client: Code,
    disclosure: EventId,
    decided_on: (i64, i64),
    repeat: Repeatable,
    results: String,
}

impl Gateway {
    /// Does what was decided, with its log entries, or nothing at all. A caller who hangs up meanwhile
    /// changes nothing about that.
    pub(super) async fn apply(
        &self,
        ground: &Ground<'_>,
        plan: Plan,
        repeat: Repeatable,
        results: &[Decided],
    ) -> Result<Applied, FamilyError> {
        let work = Work {
            drafts: plan.changes.iter().map(draft).collect::<Result<_, _>>()?,
            plan,
            caller: ground.caller.clone(),
            terms: ground.terms.clone(),
            reason: code(ground.reason)?,
            client: code(&ground.caller.client)?,
            disclosure: ground.disclosure,
            decided_on: ground.decided_on,
            repeat,
            results: text(&results)?,
        };
        let gateway = self.clone();
        let done = tokio::spawn(async move { gateway.write_change(work).await }).await;
        let applied = done.map_err(|_| AppError::Interrupted)??;
        self.wake_sequencer();
        Ok(applied)
    }

    async fn write_change(&self, work: Work) -> Result<Applied, AppError> {
        let mut tx = self.store().begin().await?;
        // One change at a time, and none while a submission becomes visible.
        tx.lock_programme(self.programme()).await?;
        let now = tx.now().await?;
        if tx.decided_on(self.programme()).await? != Some(work.decided_on) {
            return Ok(Applied::Outdated);
        }
        let request = FamilyRequest {
            client: &work.caller.client,
            tag: &work.repeat.tag,
            request_hash: &work.repeat.request_hash,
            results: &work.results,
            expires_at: now.plus_seconds(REQUEST_SECONDS),
        };
        if !tx.keep_family_request(&request).await? {
            return Ok(Applied::Repeated);
        }
        if let Some((references, holders)) = &work.plan.holders
            && tx.families_of(references).await? != *holders
        {
            return Ok(Applied::Outdated);
        }
        for family in &work.plan.touched {
            if !tx.touch_family(&family.tfid, family.revision).await? {
                return Ok(Applied::Outdated);
            }
        }
        let mut entries = Vec::new();
        for draft in &work.drafts {
            let entry = self.change_entry(&work, &draft.body, now)?;
            for step in &draft.change.steps {
                take(&mut tx, step, self, now).await?;
            }
            for (family, kind, other) in &draft.change.history {
                let event = StoredFamilyEvent { at: now, kind: *kind, other: *other };
                tx.add_family_event(family, event, entry.id).await?;
            }
            entries.push(entry);
        }
        tx.add_events(&entries.iter().collect::<Vec<_>>()).await?;
        tx.commit().await?;
        Ok(Applied::Done)
    }

    fn change_entry(&self, work: &Work, draft: &FamilyChangeDraft, now: Timestamp) -> Result<NewEvent, AppError> {
        let id = EventId::new(uuid_v7(now, self.random()));
        let (families, sealed_families) = self.commit(id, "families", draft.families.clone(), 0)?;
        let (change, sealed_change) = self.commit(id, "change", draft.what.clone(), 0)?;
        let (actor, sealed_actor) = self.commit(id, "actor", work.terms.user.as_str().as_bytes().to_vec(), 0)?;
        let body = Body::FamilyChange(Box::new(FamilyChange {
            action: draft.action.clone(),
            agency: work.caller.agency.clone(),
            client: work.client.clone(),
            role: work.terms.role.clone(),
            agreement: work.terms.agreement.clone(),
            purpose: work.terms.purpose.clone(),
            reason: work.reason.clone(),
            disclosure: work.disclosure,
            commitments: FamilyCommitments { families, change, actor },
        }));
        let mut entry = self.event_with_id(id, now, body)?;
        entry.recipient = Some(work.caller.agency.to_string());
        entry.agreement = Some(work.terms.agreement.to_string());
        entry.purpose = Some(work.terms.purpose.to_string());
        entry.openings = vec![("families", sealed_families), ("change", sealed_change), ("actor", sealed_actor)];
        Ok(entry)
    }
}

fn draft(change: &Change) -> Result<Draft, AppError> {
    let body = FamilyChangeDraft {
        action: code(change.action.as_str())?,
        families: super::subject(&change.families),
        what: text(&change.what)?.into_bytes(),
    };
    Ok(Draft { body, change: change.clone() })
}

async fn take(tx: &mut Tx, step: &Step, gateway: &Gateway, now: Timestamp) -> Result<(), StoreError> {
    match step {
        Step::Issue(tfid, route) => tx.add_family(gateway.programme(), tfid, *route, now).await,
        Step::Join(tfid, records) => tx.join_family(tfid, records, now).await,
        Step::Leave(tfid, records) => tx.leave_family(tfid, records, now).await,
        Step::Attach(tfid) => tx.attach_family(tfid, now).await,
        Step::Merge(from, into) => tx.merge_family(from, into).await,
        Step::StartLead(tfid, lead, others) => {
            tx.end_family_leads(tfid, lead.since, others).await?;
            tx.add_family_lead(tfid, lead).await
        }
        Step::EndLead(tfid, ended, agencies) => tx.end_family_leads(tfid, *ended, agencies).await,
        Step::NoteContact(tfid, record, month) => tx.note_family_contact(tfid, record, *month, now).await,
    }
}

fn text(value: &impl Serialize) -> Result<String, AppError> {
    serde_json::to_string(value).map_err(|_| AppError::Internal("a change cannot be written"))
}
