//! A look at a family by its records: the same decision, the same path through the records and the
//! same kind of entry as an enquiry about a person. Whoever is shielded is not there, and a family of
//! which nothing may be seen is as one that never was.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::evidence::{Look, Seen, connected, contributing};
use super::log_entry::{Asked, Kept};
use super::{EnquiryError, Question, ceiling_key, supplier_feed, terms};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::policies::Policies;
use crate::app::writer::{Disclosure, Written};
use crate::crypto::random::uuid_v7;
use crate::domain::agency::AgencyKind;
use crate::domain::evidence::{Contribution, Deliveries, Facts, Member};
use crate::domain::family::RecordName;
use crate::domain::ids::{AgencyCode, EventId, FeedCode, OpaqueRef};
use crate::domain::time::Timestamp;
use crate::domain::token::Blinded;
use crate::linkage::standing_family::Dweller;
use crate::policy::cache::Shared;
use crate::policy::decision::{Permitted, SupplierFeed};
use crate::policy::rules::RuleHit;
use crate::store::{FeedState, Reach, StoredToken, View, VisibleRecord};

/// Most records that one look at a family reads.
const MOST_RECORDS: i64 = 2000;
/// Most tokens that the family's records are followed by.
const MOST_TOKENS: usize = 1024;

/// The state that a look at a family is decided on.
pub(in crate::app) struct Stage {
    pub(in crate::app) view: View,
    pub(in crate::app) policies: Arc<Policies>,
    feeds: Arc<Vec<FeedState>>,
}

/// A look that the agreements permit; nothing was read yet.
pub(in crate::app) struct Permission<'a> {
    asked: Asked<'a>,
    subject: Vec<u8>,
    pub(in crate::app) permitted: Arc<Permitted>,
    pub(in crate::app) set: Contribution,
    deliveries: Deliveries,
}

/// One person of a family, as the permitted set shows them.
pub(in crate::app) struct FamilyPerson {
    /// The person's records, in the order of the member's statements.
    pub(in crate::app) records: Vec<RecordName>,
    /// What the records say, cut down to what is permitted.
    pub(in crate::app) member: Member,
    /// Who says where the person lives.
    pub(in crate::app) dweller: Dweller,
}

/// What a look found.
#[derive(Default)]
pub(in crate::app) struct FoundFamily {
    pub(in crate::app) people: Vec<FamilyPerson>,
    /// Records of others that a shield kept out: for the sealed opening alone.
    hidden: i64,
    /// Tokens under which the entry is found again.
    tokens: Vec<StoredToken>,
}

impl FoundFamily {
    /// What is said of the people.
    pub(in crate::app) fn members(&self) -> Vec<Member> {
        self.people.iter().map(|person| person.member.clone()).collect()
    }

    /// Takes in what a look at another family found, so that one entry tells of both. Of a family of which
    /// nothing is told, only what a shield kept out is taken in.
    pub(in crate::app) fn absorb(&mut self, other: Self, is_told: bool) {
        self.hidden += other.hidden;
        if is_told {
            self.people.extend(other.people);
            self.tokens.extend(other.tokens);
        }
    }
}

/// An answer's place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The log entry.
    pub disclosure: EventId,
    /// When it was decided.
    pub at: Timestamp,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

/// What the sealed opening of a look at a family holds: the evidence, and nothing that names the family
/// or its records. What was said, numbers and references among it, is in the opening `names`.
#[derive(Serialize)]
struct FamilyOpening<'a> {
    onward: &'a str,
    criteria_version: &'a str,
    members: &'a [&'a Member],
    submissions: Vec<(&'a str, &'a str, crate::domain::ids::SubmissionId)>,
}

/// What the opening `names` of a look at a family holds.
#[derive(Serialize)]
struct FamilyNames<'a, S> {
    said: &'a S,
    /// The names of each member's records, so that a wrong match is found again.
    records: Vec<&'a [RecordName]>,
}

/// Whether the caller is the programme's own team.
fn is_team(stage: &Stage, caller: &AgencyCaller) -> bool {
    stage.policies.agency(&caller.agency).is_some_and(|agency| agency.kind() == AgencyKind::Programme)
}

impl<'a> Permission<'a> {
    fn new(asked: Asked<'a>, subject: Vec<u8>, permitted: Arc<Permitted>) -> Self {
        let granted = permitted.granted();
        let set = granted.map(|line| (line.supplier.clone(), line.feed.clone(), line.item.clone())).collect();
        let of_feed = |feed: &FeedState| ((feed.agency.clone(), feed.feed.clone()), feed.as_at.date());
        let deliveries = asked.feeds.iter().map(of_feed).collect();
        Self { asked, subject, permitted, set, deliveries }
    }
}

impl Permission<'_> {
    /// The facts that decide what the people's evidence amounts to.
    pub(in crate::app) fn facts(&self) -> Facts<'_> {
        Facts::new(self.asked.policies.programme(), &self.deliveries, &self.set, self.asked.view.now)
    }
}

impl Gateway {
    /// The present state of agreements and records.
    pub(in crate::app) async fn family_stage(&self) -> Result<Stage, EnquiryError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        self.check_blinding(&policies)?;
        let feeds = self.contributing_feeds(view.generation, &policies).await?;
        Ok(Stage { view, policies, feeds })
    }

    /// Decides a look at a family, before anything of it is read. A refusal is logged.
    ///
    /// Families' numbers are the programme team's own; nobody else has a use for one, whatever an
    /// agreement lets them ask about persons.
    pub(in crate::app) async fn permit_family_look<'a>(
        &self,
        stage: &'a Stage,
        caller: &'a AgencyCaller,
        question: &'a Question,
        subject: Vec<u8>,
        may_proceed: Result<(), (&'static str, &'static str)>,
    ) -> Result<Option<Permission<'a>>, EnquiryError> {
        let (asked, decision) = self.decide_family_look(stage, caller, question);
        let stopped = if is_team(stage, caller) { may_proceed } else { Err(NOT_THE_TEAM) };
        let (hits, lines) = match (&decision, stopped) {
            (_, Err((rule, say))) => (
                vec![RuleHit { rule: rule.to_owned(), say: say.to_owned() }],
                decision.as_ref().map_or(&[][..], |p| &p.decisions),
            ),
            (Err(refusal), Ok(())) => (refusal.hits.clone(), &refusal.decisions[..]),
            (Ok(permitted), Ok(())) => return Ok(Some(Permission::new(asked, subject, Arc::clone(permitted)))),
        };
        let entry = self.family_refusal_entry(&asked, subject, &hits, lines)?;
        let Some((disclosure, receipt)) = self.write_refusal(&asked, entry).await? else { return Ok(None) };
        Err(EnquiryError::NotPermitted { disclosure, hits, receipt })
    }

    /// A look that was permitted when it was asked, if it still is; nobody asks anew, and nothing is logged.
    pub(in crate::app) fn standing_permission<'a>(
        &self,
        stage: &'a Stage,
        caller: &'a AgencyCaller,
        question: &'a Question,
        subject: Vec<u8>,
    ) -> Option<Permission<'a>> {
        let (asked, decision) = self.decide_family_look(stage, caller, question);
        let permitted = decision.ok().filter(|_| is_team(stage, caller))?;
        Some(Permission::new(asked, subject, permitted))
    }

    fn decide_family_look<'a>(
        &self,
        stage: &'a Stage,
        caller: &'a AgencyCaller,
        question: &'a Question,
    ) -> (Asked<'a>, Shared) {
        let Stage { view, policies, feeds } = stage;
        let supplier_feeds: Vec<SupplierFeed> = feeds.iter().map(supplier_feed).collect();
        let decision =
            self.decisions().contributors(policies.book(), &terms(caller, question), &supplier_feeds, view.now);
        let asked = Asked {
            caller,
            question,
            form: question.mode.as_str(),
            policies,
            feeds,
            request_hash: [0; 32],
            view: *view,
            again: None,
        };
        (asked, decision)
    }

    /// Reads what the set shows of the people to whom these records belong. The same looks are made
    /// whatever there is.
    pub(in crate::app) async fn find_family(
        &self,
        permission: &Permission<'_>,
        records: &BTreeSet<RecordName>,
    ) -> Result<FoundFamily, AppError> {
        let (asked, permitted) = (&permission.asked, &*permission.permitted);
        let policies = asked.policies;
        let feeds: Vec<(AgencyCode, FeedCode)> =
            permitted.feeds().into_iter().filter(|(agency, _)| *agency != asked.caller.agency).collect();
        let reach = Reach {
            generation: asked.view.generation,
            programme: self.programme(),
            asker: &asked.caller.agency,
            feeds: &feeds,
            limit: MOST_RECORDS,
        };
        let look = Look { reach, permitted, asked };
        let references: BTreeSet<OpaqueRef> = records.iter().map(|record| record.reference.clone()).collect();
        let references: Vec<OpaqueRef> = references.into_iter().collect();
        let own = self.store().joined_by_reference(reach, &references).await?;
        let hidden = own.hidden;
        let is_own = |record: &VisibleRecord| records.contains(&name_of(record));
        let own: Vec<VisibleRecord> = contributing(own.records, &look).into_iter().filter(is_own).collect();

        let links = |kind| policies.links(kind);
        let linking = own.iter().flat_map(|record| &record.tokens).filter(|token| links(token.kind));
        let tokens: BTreeSet<Blinded> = linking.map(|token| token.blinded).collect();
        let tokens: Vec<Blinded> = tokens.into_iter().take(MOST_TOKENS).collect();
        let joined = self.store().joined_by_token(reach, &tokens).await?;
        let mut seen = Seen::new(policies, asked.view.now);
        // More than one look reads is nobody in particular: the family's own records speak alone then.
        let others = if joined.is_cut_off { Vec::new() } else { contributing(joined.records, &look) };
        let mut all = own;
        let known: BTreeSet<i64> = all.iter().map(|record| record.id).collect();
        all.extend(others.into_iter().filter(|record| !known.contains(&record.id)));
        seen.add(self, connected(all, is_own, links), &look)?;
        Ok(people_of(&seen, records, policies, hidden))
    }

    /// Logs what leaves about a family. `None` when agreements, shields or records changed since it was
    /// decided: nothing was written, and nothing may leave.
    pub(in crate::app) async fn release_family(
        &self,
        permission: &Permission<'_>,
        found: &FoundFamily,
        said: &impl Serialize,
    ) -> Result<Option<Logged>, EnquiryError> {
        let Permission { asked, permitted, subject, .. } = permission;
        let id = EventId::new(uuid_v7(asked.view.now, self.random()));
        let members: Vec<&Member> = found.people.iter().map(|person| &person.member).collect();
        let submissions = asked.feeds.iter();
        let opening = FamilyOpening {
            onward: permitted.onward().as_str(),
            criteria_version: &permitted.criteria_version,
            members: &members,
            submissions: submissions.map(|f| (f.agency.as_str(), f.feed.as_str(), f.submission)).collect(),
        };
        let unwritten = |_| AppError::Internal("an opening cannot be written");
        let answer = serde_json::to_vec(&opening).map_err(unwritten)?;
        let records = found.people.iter().map(|person| &person.records[..]).collect();
        let names = serde_json::to_vec(&FamilyNames { said, records }).map_err(unwritten)?;
        let opening = Kept { answer, names: Some(names) };
        let about = (subject.clone(), &found.tokens[..], found.hidden);
        let (mut entry, over_ceiling) = self.family_entries(id, asked, permitted, about, opening)?;
        // Whoever asks about a family by its number asks about each of its people.
        let names = found.people.iter().flat_map(|person| &person.records);
        entry.records = names.map(|name| self.record_use((&name.agency, &name.feed, &name.reference), true)).collect();
        let (leaf, refused_leaf) = (entry.leaf_hash, over_ceiling.leaf_hash);
        let disclosure = Disclosure {
            entry,
            decided_on: asked.decided_on(self.programme()),
            ceilings: vec![(ceiling_key(asked, permitted), i64::from(permitted.charge.daily_ceiling))],
            over_ceiling: Some(over_ceiling),
            reply: None,
            engagement: None,
            emergency: None,
        };
        let written = self.writer().commit(disclosure).await?;
        self.wake_sequencer();
        match written {
            Written::Entry | Written::Repeated => {
                let receipt = self.receipt(id, leaf, asked.view.now)?;
                Ok(Some(Logged { disclosure: id, at: asked.view.now, receipt }))
            }
            Written::Outdated => Ok(None),
            Written::OverCeiling => {
                let receipt = self.receipt(id, refused_leaf, asked.view.now)?;
                Err(EnquiryError::CeilingReached { disclosure: id, receipt })
            }
        }
    }
}

/// Why nobody but the programme team asks by a family's number.
pub(in crate::app) const NOT_THE_TEAM: (&str, &str) = ("F01", "A family's number is for the programme team alone.");

/// The persons who have one of the family's own records.
fn people_of(seen: &Seen, records: &BTreeSet<RecordName>, policies: &Policies, hidden: i64) -> FoundFamily {
    let names: Vec<RecordName> = seen
        .linkable
        .iter()
        .map(|record| RecordName {
            agency: record.key.agency.clone(),
            feed: record.key.feed.clone(),
            reference: record.key.reference.clone(),
        })
        .collect();
    let mut tokens: BTreeSet<(u16, u32, Blinded)> = BTreeSet::new();
    let mut people = Vec::new();
    for cluster in policies.persons(&seen.linkable) {
        if !cluster.members().iter().any(|&place| records.contains(&names[place])) {
            continue;
        }
        let mut dweller = Dweller::default();
        for &place in cluster.members() {
            let (record, evidence) = (&seen.linkable[place], &seen.evidence[place]);
            let feed = (record.key.agency.clone(), record.key.feed.clone());
            dweller = dweller.with_record(feed, evidence.role, evidence.send_18_25, &record.households);
            tokens.extend(record.tokens.iter().map(|token| (token.kind, token.epoch, token.value)));
        }
        let records = cluster.members().iter().map(|&place| names[place].clone()).collect();
        people.push(FamilyPerson { records, member: seen.member(&cluster), dweller });
    }
    people.sort_by(|a, b| a.records.iter().min().cmp(&b.records.iter().min()));
    let tokens = tokens.into_iter().map(|(kind, epoch, blinded)| StoredToken { kind, epoch, blinded }).collect();
    FoundFamily { people, hidden, tokens }
}

fn name_of(record: &VisibleRecord) -> RecordName {
    RecordName { agency: record.agency.clone(), feed: record.feed.clone(), reference: record.reference.clone() }
}
