//! The programme team looks a family up by its number: who belongs to it, what is met, or who works
//! with it, as far as the agreements let the team hear.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Serialize;

use super::request::FamilyLookup;
use super::{FamilyError, MOST_TRIES, Standing, Tried, hears, subject};
use crate::app::caller::AgencyCaller;
use crate::app::enquire::family::{FamilyPerson, FoundFamily, Logged, Permission};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::agreement::AnswerMode;
use crate::domain::enquiry::{Answer, Answered};
use crate::domain::family::{FamilyEventKind, IdentificationRoute, LeadSpell, LeadState, service_facts};
use crate::domain::ids::{AgencyCode, FeedCode};
use crate::domain::item::Item;
use crate::domain::record::Role;
use crate::domain::tfid::Tfid;
use crate::domain::time::{Month, Timestamp};
use crate::store::{StoreError, StoredContact, StoredFamily};

/// The answer to a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyReply {
    /// Its place in the log.
    pub entry: Logged,
    /// What the asker may do with it.
    pub onward: String,
    /// The version of the criteria.
    pub criteria_version: String,
    /// The family; absent when no record of it may be seen, or there is none.
    pub family: Option<FamilyAnswer>,
}

/// What may be seen of a family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FamilyAnswer {
    /// Its number: that of the family which the one asked for became part of, if it did.
    pub tfid: Tfid,
    /// How it came to the programme.
    pub route: IdentificationRoute,
    /// The day on which its number was issued.
    pub issued_on: Date,
    /// The day on which it was attached; absent before.
    pub attached_on: Option<Date>,
    /// Those of its people whom the household item lets the asker see.
    pub people: Vec<PersonAnswer>,
    /// What became of it.
    pub history: Vec<HistoryLine>,
    /// Areas or criteria, or who leads by the records.
    pub answer: Answer,
    /// In mode `lead`: who works with it.
    pub work: Option<WorkAnswer>,
}

/// A person of the family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonAnswer {
    /// Names the person towards this asker, in this family.
    pub handle: String,
    /// A child, born or not, or to 25 with special educational needs.
    pub is_child: bool,
}

/// A line of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryLine {
    /// When.
    pub on: Date,
    /// What.
    pub what: FamilyEventKind,
    /// The other family of a merge or split.
    pub other: Option<Tfid>,
}

/// Who works with the family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkAnswer {
    /// Whether somebody leads; absent when no supplier may be heard on it.
    pub lead_state: Option<LeadState>,
    /// Who led, as it was noted; the newest last.
    pub leads: Vec<LeadSpell>,
    /// The first month of contact after the month of attachment.
    pub engaged_since: Option<Month>,
    /// Service by service, the last contact.
    pub services: Vec<ServiceAnswer>,
}

/// A service's work with the family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceAnswer {
    /// Which agency.
    pub agency: AgencyCode,
    /// Whether its work goes on.
    pub is_open: bool,
    /// Month of the last contact.
    pub last_contact: Option<Month>,
}

impl Gateway {
    /// Looks a family up. What comes back is in the log before it leaves.
    ///
    /// # Errors
    ///
    /// [`FamilyError`]; refusals by agreement are in the log too.
    pub async fn lookup_family(
        &self,
        caller: &AgencyCaller,
        request: &FamilyLookup,
    ) -> Result<FamilyReply, FamilyError> {
        for _ in 0..MOST_TRIES {
            if let Some(reply) = self.try_lookup(caller, request).await? {
                return Ok(reply);
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn try_lookup(&self, caller: &AgencyCaller, request: &FamilyLookup) -> Tried<FamilyReply> {
        let stage = self.family_stage().await?;
        let question = self.family_question(&request.terms, request.mode, &stage.policies)?;
        let about = subject([&request.tfid]);
        let Some(permission) = self.permit_family_look(&stage, caller, &question, about, Ok(())).await? else {
            return Ok(None);
        };
        let standing = self.family_standing(&request.tfid).await?;
        let found = self.find_family(&permission, &standing.records).await?;
        let family = self.family_answer(caller, &permission, &standing, &found, request.mode).await?;
        let Some(entry) = self.release_family(&permission, &found, &family).await? else { return Ok(None) };
        Ok(Some(FamilyReply {
            entry,
            onward: permission.permitted.onward().as_str().to_owned(),
            criteria_version: permission.permitted.criteria_version.clone(),
            family,
        }))
    }

    async fn family_answer(
        &self,
        caller: &AgencyCaller,
        permission: &Permission<'_>,
        standing: &Standing,
        found: &FoundFamily,
        mode: AnswerMode,
    ) -> Result<Option<FamilyAnswer>, FamilyError> {
        let nobody = Tfid::random(|bytes| bytes.fill(0));
        // Asked for whatever there is, so that a family that is not seen takes no other path.
        let tfid = standing.family.as_ref().map_or(nobody, |family| family.tfid);
        let history = self.store().family_history(&tfid).await?;
        let work = self.work_of(permission, &tfid, standing.family.as_ref(), found).await?;
        let answered = Answered::new(mode, &found.members(), &permission.facts());
        let Some(family) = standing.if_seen(found) else { return Ok(None) };
        let tells = |kind| match kind {
            FamilyEventKind::ContinuityAlert => false, // it rests on two looks, and has its own journey
            FamilyEventKind::Engaged => mode == AnswerMode::Lead && work.engaged_since.is_some(),
            FamilyEventKind::LeadStarted | FamilyEventKind::LeadEnded => {
                mode == AnswerMode::Lead && !work.leads.is_empty()
            }
            _ => true,
        };
        let history = history.into_iter().filter(|event| tells(event.kind)).map(|event| HistoryLine {
            on: event.at.date(),
            what: event.kind,
            other: event.other,
        });
        Ok(Some(FamilyAnswer {
            tfid,
            route: family.route,
            issued_on: family.issued_at.date(),
            attached_on: family.attached_at.map(Timestamp::date),
            people: self.people(caller, permission, &tfid, found),
            history: history.collect(),
            answer: answered.answer,
            work: (mode == AnswerMode::Lead).then_some(work),
        }))
    }

    /// Those of whom some record may tell about the household: its make-up is of that item.
    fn people(
        &self,
        caller: &AgencyCaller,
        permission: &Permission<'_>,
        tfid: &Tfid,
        found: &FoundFamily,
    ) -> Vec<PersonAnswer> {
        let tells = |person: &&FamilyPerson| {
            person.member.statements.iter().any(|said| permission.set.has(&said.agency, &said.feed, &Item::Household))
        };
        let shown = found.people.iter().filter(tells);
        shown
            .map(|person| {
                let said = || person.member.statements.iter().map(|said| &said.evidence);
                let is_child = said().any(|said| said.send_18_25 || matches!(said.role, Role::Child | Role::Unborn));
                PersonAnswer { handle: self.person_handle(&caller.agency, tfid, &person.records), is_child }
            })
            .collect()
    }

    /// Who works with a family, from its records and from what was noted, as far as the set may tell.
    pub(super) async fn work_of(
        &self,
        permission: &Permission<'_>,
        tfid: &Tfid,
        family: Option<&StoredFamily>,
        found: &FoundFamily,
    ) -> Result<WorkAnswer, StoreError> {
        let leads = self.store().family_leads(tfid).await?;
        let contacts = self.store().family_contacts(tfid).await?;
        let leads: Vec<LeadSpell> =
            leads.into_iter().filter(|spell| hears(permission, &spell.agency, &Item::Lead)).collect();
        let members = found.members();
        let said_by: BTreeSet<&AgencyCode> =
            members.iter().flat_map(|member| &member.statements).map(|said| &said.agency).collect();
        let facts_on = |item: &Item| -> BTreeMap<&AgencyCode, _> {
            let may_tell = |agency: &AgencyCode, feed: &FeedCode| permission.set.has(agency, feed, item);
            said_by.iter().filter_map(|agency| Some((*agency, service_facts(&members, agency, may_tell)?))).collect()
        };
        let services = facts_on(&Item::Service).into_iter().map(|(agency, facts)| ServiceAnswer {
            agency: agency.clone(),
            is_open: facts.is_open,
            last_contact: facts.last_contact,
        });
        let may_hear = !permission.set.feeds_of(&Item::Lead).is_empty();
        Ok(WorkAnswer {
            lead_state: may_hear.then(|| LeadState::of(leads.last(), facts_on(&Item::Lead))),
            engaged_since: engaged_since(permission, family, &contacts, found),
            services: services.collect(),
            leads,
        })
    }
}

/// The months of contact after a family's attachment that the set may tell of, record by record.
///
/// A contact in the month of attachment itself may have come before it, so it counts for nothing.
pub(super) fn contacts_since<'f>(
    permission: &'f Permission<'_>,
    attached: Month,
    found: &'f FoundFamily,
) -> impl Iterator<Item = (&'f crate::domain::family::RecordName, Month)> {
    let told = found.people.iter().flat_map(|person| person.records.iter().zip(&person.member.statements));
    told.filter_map(move |(record, said)| {
        let month = said.evidence.service.as_ref()?.last_contact_month?;
        let may_tell = permission.set.has(&said.agency, &said.feed, &Item::Service);
        (may_tell && month > attached).then_some((record, month))
    })
}

fn engaged_since(
    permission: &Permission<'_>,
    family: Option<&StoredFamily>,
    contacts: &[StoredContact],
    found: &FoundFamily,
) -> Option<Month> {
    let attached = Month::of(family?.attached_at?.date());
    // What was noted counts while the record that told it is seen and may still tell.
    let may_tell = |contact: &&StoredContact| {
        let name = &contact.record;
        let is_seen = found.people.iter().any(|person| person.records.contains(name));
        is_seen && contact.first > attached && permission.set.has(&name.agency, &name.feed, &Item::Service)
    };
    let noted = contacts.iter().filter(may_tell).map(|contact| contact.first);
    noted.chain(contacts_since(permission, attached, found).map(|(_, month)| month)).min()
}
