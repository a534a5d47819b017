//! The programme team decides about families: numbers are issued, families attached, added to, merged
//! and split.
//!
//! Every decision is first a look, decided by the agreements and logged; what it finds settles what
//! may be done. Strangers are never put together: people come into one family only where they are
//! among its people already, or where the evidence of addresses makes all of them one. A number that
//! was issued is never taken back: after a merge it leads to the other, after a split it stays with
//! those who remain.

use std::collections::BTreeSet;

use serde_json::json;

use super::change::{Applied, Change, Ground, Plan, Repeatable, Step};
use super::request::{Decision, FamilyDecision};
use super::{
    Decided, DecisionReply, FamilyError, FamilyFault, MOST_TRIES, Outcome, Standing, Tried, are_one_family, may_change,
    subject,
};
use crate::app::caller::AgencyCaller;
use crate::app::enquire::EnquiryError;
use crate::app::enquire::family::{FamilyPerson, FoundFamily, Permission, Stage};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::policies::Policies;
use crate::domain::agreement::AnswerMode;
use crate::domain::evidence::{Assessment, EvidenceState};
use crate::domain::family::{FamilyEventKind, RecordName};
use crate::domain::tfid::Tfid;
use crate::store::StoredFamily;
use crate::tlog::digest::Digest;

/// Most candidate families of one request.
const MOST_CANDIDATES: usize = 100;
/// Most records of one candidate, or that are added at once.
const MOST_FAMILY_RECORDS: usize = 64;
/// What an idempotency key is bound to besides the request.
const PATH: &str = "POST /v1/families/decisions";

/// What a decision is about, read once.
struct Matter {
    /// The families that it names, in its order.
    standing: Vec<Standing>,
    /// Their records, and those that it names itself.
    records: BTreeSet<RecordName>,
}

impl Gateway {
    /// Decides about families. The same request under the same key is done once; repeated, it is
    /// answered as it was, unless the families may no longer be seen.
    ///
    /// # Errors
    ///
    /// [`FamilyError`]; refusals by agreement are in the log too.
    pub async fn decide_family(
        &self,
        caller: &AgencyCaller,
        request: &FamilyDecision,
        idempotency: &str,
    ) -> Result<DecisionReply, FamilyError> {
        check(request)?;
        let (tag, request_hash) = self.family_request_tags(&caller.client, idempotency, PATH, request)?;
        for _ in 0..MOST_TRIES {
            if let Some(reply) = self.try_to_decide(caller, request, Repeatable { tag, request_hash }).await? {
                return Ok(reply);
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn try_to_decide(
        &self,
        caller: &AgencyCaller,
        request: &FamilyDecision,
        repeat: Repeatable,
    ) -> Tried<DecisionReply> {
        let stage = self.family_stage().await?;
        let question = self.family_question(&request.terms, request.mode, &stage.policies)?;
        let before = self.results_before(caller, &stage, repeat).await?;
        let about = match &before {
            None => about(&request.decision),
            Some(results) => subject(results.iter().filter_map(|result| result.family.as_ref())),
        };
        let may = may_change(&request.terms);
        let Some(permission) = self.permit_family_look(&stage, caller, &question, about, may).await? else {
            return Ok(None);
        };
        if let Some(results) = before {
            return self.repeat_results(&permission, results).await;
        }
        let matter = self.matter(&request.decision).await?;
        let found = self.find_family(&permission, &matter.records).await?;
        let (results, plan) = self.plan(caller, &stage, &permission, &matter, &found, &request.decision).await?;
        let Some(entry) = self.release_family(&permission, &found, &results).await? else { return Ok(None) };
        if !plan.changes.is_empty() {
            let ground = Ground {
                caller,
                terms: &request.terms,
                reason: request.reason.as_str(),
                disclosure: entry.disclosure,
                decided_on: (stage.view.policy_revision, stage.view.generation),
            };
            if self.apply(&ground, plan, repeat, &results).await? != Applied::Done {
                return Ok(None);
            }
        }
        Ok(Some(DecisionReply { entries: vec![entry], results, continuity_alert: None }))
    }

    /// What was decided under the request's key before.
    pub(super) async fn results_before(
        &self,
        caller: &AgencyCaller,
        stage: &Stage,
        repeat: Repeatable,
    ) -> Result<Option<Vec<Decided>>, FamilyError> {
        let Some((hash, results)) = self.store().family_request(&caller.client, &repeat.tag, stage.view.now).await?
        else {
            return Ok(None);
        };
        if hash != repeat.request_hash {
            return Err(EnquiryError::KeyReused.into());
        }
        let results = serde_json::from_str(&results).map_err(|_| AppError::Internal("kept results cannot be read"))?;
        Ok(Some(results))
    }

    /// Answers a repeat as before, without a family of which nothing may be seen any more.
    async fn repeat_results(&self, permission: &Permission<'_>, results: Vec<Decided>) -> Tried<DecisionReply> {
        let mut standing = Vec::new();
        for result in &results {
            standing.push(match &result.family {
                Some(family) => self.family_standing(family).await?,
                None => Standing { family: None, records: BTreeSet::new() },
            });
        }
        let records = standing.iter().flat_map(|one| one.records.iter().cloned()).collect();
        let found = self.find_family(permission, &records).await?;
        let again = |(result, standing): (Decided, &Standing)| match result.family {
            Some(_) if standing.if_seen(&found).is_none() => Decided::unknown(),
            _ => result,
        };
        let results: Vec<Decided> = results.into_iter().zip(&standing).map(again).collect();
        let Some(entry) = self.release_family(permission, &found, &results).await? else { return Ok(None) };
        Ok(Some(DecisionReply { entries: vec![entry], results, continuity_alert: None }))
    }

    async fn matter(&self, decision: &Decision) -> Result<Matter, FamilyError> {
        let (named, given): (Vec<&Tfid>, Vec<&RecordName>) = match decision {
            Decision::Issue { candidates, .. } => (vec![], candidates.iter().flatten().collect()),
            Decision::Attach { tfid, .. } | Decision::Split { tfid, .. } => (vec![tfid], vec![]),
            Decision::Add { tfid, records } => (vec![tfid], records.iter().collect()),
            Decision::Merge { into, from } => (vec![into, from], vec![]),
        };
        let mut standing = Vec::new();
        for tfid in named {
            standing.push(self.family_standing(tfid).await?);
        }
        let own = standing.iter().flat_map(|one| &one.records);
        let records = own.chain(given).cloned().collect();
        Ok(Matter { standing, records })
    }

    async fn plan(
        &self,
        caller: &AgencyCaller,
        stage: &Stage,
        permission: &Permission<'_>,
        matter: &Matter,
        found: &FoundFamily,
        decision: &Decision,
    ) -> Result<(Vec<Decided>, Plan), FamilyError> {
        if let Decision::Issue { route, candidates } = decision {
            return self.plan_issue(stage, found, *route, candidates).await;
        }
        let unseen = || (vec![Decided::unknown()], Plan::default());
        let mut seen = matter.standing.iter().map(|standing| Some((standing, standing.if_seen(found)?.clone())));
        let Some((standing, family)) = seen.next().flatten() else { return Ok(unseen()) };
        Ok(match decision {
            Decision::Issue { .. } => unseen(), // planned above
            Decision::Attach { validated, .. } => {
                let family_found: Vec<_> = found.members();
                let assessment = Assessment::of(&family_found, &permission.facts());
                let eligible = assessment.eligible(stage.policies.programme());
                attach(family, *validated, eligible == EvidenceState::Met)
            }
            Decision::Add { records, .. } => add(standing, family, records, found, &stage.policies),
            Decision::Merge { .. } => match seen.next().flatten() {
                Some((from, other)) => merge((standing, family), (from, other), found, &stage.policies),
                None => unseen(),
            },
            Decision::Split { people, .. } => {
                let leaving: BTreeSet<&str> = people.iter().map(String::as_str).collect();
                let leaves = |person: &FamilyPerson| {
                    leaving.contains(self.person_handle(&caller.agency, &family.tfid, &person.records).as_str())
                };
                let new = Tfid::random(|bytes| self.random().fill(bytes));
                split(standing, &family, new, found, &leaving, leaves)
            }
        })
    }
}

fn check(request: &FamilyDecision) -> Result<(), FamilyFault> {
    if request.mode == AnswerMode::Lead || request.mode == AnswerMode::Eligible {
        return Err(FamilyFault::Mode);
    }
    let is_good = |length: usize| (1..=MOST_FAMILY_RECORDS).contains(&length);
    let fits = match &request.decision {
        Decision::Issue { candidates, .. } => {
            (1..=MOST_CANDIDATES).contains(&candidates.len()) && candidates.iter().all(|one| is_good(one.len()))
        }
        Decision::Add { records, .. } => is_good(records.len()),
        Decision::Split { people, .. } => is_good(people.len()),
        Decision::Attach { .. } | Decision::Merge { .. } => true,
    };
    if fits { Ok(()) } else { Err(FamilyFault::Count) }
}

/// What the entry of a decision commits to: the numbers, or the hash of the candidates.
fn about(decision: &Decision) -> Vec<u8> {
    match decision {
        Decision::Issue { candidates, .. } => {
            Digest::of(&serde_json::to_vec(candidates).unwrap_or_default()).as_bytes().to_vec()
        }
        Decision::Attach { tfid, .. } | Decision::Split { tfid, .. } | Decision::Add { tfid, .. } => subject([tfid]),
        Decision::Merge { into, from } => subject([into, from]),
    }
}

fn attach(family: StoredFamily, validated: bool, is_eligible: bool) -> (Vec<Decided>, Plan) {
    let tfid = family.tfid;
    let outcome = match (family.attached_at, validated, is_eligible) {
        (Some(_), _, _) => Outcome::Already,
        (None, false, _) => Outcome::NotValidated,
        (None, true, false) => Outcome::NotEligible,
        (None, true, true) => Outcome::Done,
    };
    let mut plan = Plan::default();
    if outcome == Outcome::Done {
        plan.changes.push(Change {
            action: FamilyEventKind::Attached,
            families: vec![tfid],
            what: json!({ "validated": validated }),
            steps: vec![Step::Attach(tfid)],
            history: vec![(tfid, FamilyEventKind::Attached, None)],
        });
        plan.touched.push(family);
    }
    (vec![Decided::of(outcome, &tfid)], plan)
}

fn add(
    standing: &Standing,
    family: StoredFamily,
    records: &[RecordName],
    found: &FoundFamily,
    policies: &Policies,
) -> (Vec<Decided>, Plan) {
    let tfid = family.tfid;
    let seen = |name: &&RecordName| found.people.iter().any(|person| person.records.contains(name));
    let fresh: Vec<RecordName> =
        records.iter().filter(seen).filter(|name| !standing.records.contains(*name)).cloned().collect();
    let belongs = |person: &&FamilyPerson| person.records.iter().any(|name| standing.records.contains(name));
    let is_of_the_family = found.people.iter().all(|person| belongs(&person));
    let outcome = if fresh.is_empty() {
        // Records that are not seen are as if they were not named.
        if records.iter().any(|name| standing.records.contains(name) && seen(&name)) {
            Outcome::Already
        } else {
            Outcome::Unknown
        }
    } else if is_of_the_family || are_one_family(found.people.iter().map(|person| &person.dweller), policies) {
        Outcome::Done
    } else {
        Outcome::NotOneFamily
    };
    let mut plan = Plan::default();
    if outcome == Outcome::Done {
        plan.changes.push(Change {
            action: FamilyEventKind::RecordsAdded,
            families: vec![tfid],
            what: json!({ "records": fresh }),
            steps: vec![Step::Join(tfid, fresh)],
            history: vec![(tfid, FamilyEventKind::RecordsAdded, None)],
        });
        plan.touched.push(family);
    }
    (vec![Decided::of(outcome, &tfid)], plan)
}

fn merge(
    (standing, family): (&Standing, StoredFamily),
    (others, other): (&Standing, StoredFamily),
    found: &FoundFamily,
    policies: &Policies,
) -> (Vec<Decided>, Plan) {
    let (into, from) = (family.tfid, other.tfid);
    if into == from {
        return (vec![Decided::of(Outcome::Already, &into)], Plan::default());
    }
    let belongs = |person: &FamilyPerson, to: &Standing| person.records.iter().any(|name| to.records.contains(name));
    // One holds everybody of the other, or their addresses make all of them one: a person in both is
    // not enough, since a child can have two homes.
    let holds =
        |a: &Standing, b: &Standing| found.people.iter().all(|person| !belongs(person, b) || belongs(person, a));
    let is_one = holds(standing, others)
        || holds(others, standing)
        || are_one_family(found.people.iter().map(|person| &person.dweller), policies);
    if !is_one {
        return (vec![Decided::of(Outcome::NotOneFamily, &into)], Plan::default());
    }
    // Of people who were not seen nothing was judged: their records stay with the old number's row.
    let seen = |name: &&RecordName| found.people.iter().any(|person| person.records.contains(name));
    let records: Vec<RecordName> = others.records.iter().filter(seen).cloned().collect();
    let change = Change {
        action: FamilyEventKind::Merged,
        families: vec![into, from],
        what: json!({ "records": records }),
        steps: vec![
            Step::Leave(from, records.clone()),
            Step::Join(into, records),
            Step::Merge(Box::new(other.clone()), into),
        ],
        history: vec![(into, FamilyEventKind::Merged, Some(from)), (from, FamilyEventKind::MergedAway, Some(into))],
    };
    let plan = Plan { touched: vec![family, other], holders: None, changes: vec![change] };
    (vec![Decided::of(Outcome::Done, &into)], plan)
}

/// Those who leave get a number of their own; it is not attached until that is decided of it.
fn split(
    standing: &Standing,
    family: &StoredFamily,
    new: Tfid,
    found: &FoundFamily,
    named: &BTreeSet<&str>,
    leaves: impl Fn(&FamilyPerson) -> bool,
) -> (Vec<Decided>, Plan) {
    let (leaving, staying): (Vec<&FamilyPerson>, Vec<&FamilyPerson>) =
        found.people.iter().partition(|person| leaves(person));
    // Every handle has to name somebody, and somebody has to stay.
    if leaving.len() != named.len() || staying.is_empty() {
        return (vec![Decided::unknown()], Plan::default());
    }
    let records = leaving.iter().flat_map(|person| &person.records);
    let records: Vec<RecordName> = records.filter(|name| standing.records.contains(*name)).cloned().collect();
    let old = family.tfid;
    let change = Change {
        action: FamilyEventKind::Split,
        families: vec![old, new],
        what: json!({ "records": records }),
        steps: vec![Step::Leave(old, records.clone()), Step::Issue(new, family.route), Step::Join(new, records)],
        history: vec![(old, FamilyEventKind::Split, Some(new)), (new, FamilyEventKind::SplitOff, Some(old))],
    };
    let plan = Plan { touched: vec![family.clone()], holders: None, changes: vec![change] };
    (vec![Decided::of(Outcome::Done, &old), Decided::of(Outcome::Done, &new)], plan)
}
