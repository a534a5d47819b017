//! Reading every family that has a number, as far as the permitted set shows it: how it came, how far
//! it has come, who leads and when somebody last saw it.
//!
//! The rules are those of a look at one family (`app/families/lookup.rs`): its people are those who have
//! one of its records, engaged is contact in a later month than that of attachment, and what was noted of
//! leads and contacts counts only while the agreements let it be heard.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::families::KnownPerson;
use crate::domain::evidence::{Contribution, Member};
use crate::domain::family::{LeadSpell, LeadState, RecordName, service_facts};
use crate::domain::ids::{AgencyCode, FeedCode};
use crate::domain::item::Item;
use crate::domain::statistics::numbered::{Leading, NumberedFamily, Progress, Round};
use crate::domain::tfid::Tfid;
use crate::domain::time::{Month, Timestamp};
use crate::store::{Store, StoreError, StoredContact, StoredFamily};

/// What is stored of the numbered families of a programme.
pub(super) struct Register {
    families: Vec<StoredFamily>,
    leads: HashMap<Tfid, Vec<LeadSpell>>,
    contacts: HashMap<Tfid, Vec<StoredContact>>,
    /// Which family a record belongs to; more than one where a child has two homes.
    owners: HashMap<RecordName, Vec<Tfid>>,
    rounds: Vec<(i64, Timestamp)>,
}

impl Register {
    pub(super) async fn read(
        store: &Store,
        programme: &crate::domain::ids::ProgrammeCode,
        rounds: Vec<(i64, Timestamp)>,
    ) -> Result<Self, StoreError> {
        let mut owners: HashMap<RecordName, Vec<Tfid>> = HashMap::new();
        for (family, record) in store.numbered_records(programme).await? {
            owners.entry(record).or_default().push(family);
        }
        let mut leads: HashMap<Tfid, Vec<LeadSpell>> = HashMap::new();
        for (family, spell) in store.numbered_leads(programme).await? {
            leads.entry(family).or_default().push(spell);
        }
        let mut contacts: HashMap<Tfid, Vec<StoredContact>> = HashMap::new();
        for (family, contact) in store.numbered_contacts(programme).await? {
            contacts.entry(family).or_default().push(contact);
        }
        let families = store.numbered_families(programme).await?;
        Ok(Self { families, leads, contacts, owners, rounds })
    }

    /// Whether a person with these records belongs to any family.
    pub(super) fn knows(&self, records: &[RecordName]) -> bool {
        records.iter().any(|record| self.owners.contains_key(record))
    }

    /// The families of which somebody is among these people.
    pub(super) fn families(&self, people: &[KnownPerson], set: &Contribution, now: Timestamp) -> Vec<NumberedFamily> {
        let mut of_family: HashMap<Tfid, Vec<&KnownPerson>> = HashMap::new();
        for person in people {
            let owners = person.names.iter().filter_map(|name| self.owners.get(name)).flatten();
            for family in owners.collect::<BTreeSet<_>>() {
                of_family.entry(*family).or_default().push(person);
            }
        }
        let seen = self.families.iter().filter_map(|family| Some((family, of_family.get(&family.tfid)?)));
        seen.map(|(family, people)| self.family(family, people, set, Month::of(now.date()))).collect()
    }

    fn family(&self, family: &StoredFamily, people: &[&KnownPerson], set: &Contribution, now: Month) -> NumberedFamily {
        let round = self.rounds.iter().rev().find(|(_, closed_at)| *closed_at <= family.issued_at);
        let progress = match family.attached_at.map(|at| Month::of(at.date())) {
            None => Progress::Numbered,
            Some(attached) => match self.last_contact(family, people, set, attached) {
                None => Progress::Attached { months: attached.months_until(now) },
                Some(last) => Progress::Engaged { months: last.months_until(now) },
            },
        };
        NumberedFamily {
            records: people.iter().flat_map(|person| person.records.iter().copied()).collect(),
            route: family.route,
            round: round.map(|(number, _)| *number),
            progress,
            leading: self.leading(&family.tfid, people, set),
        }
    }

    /// The last month of contact after the month of attachment, from what records say and what was noted
    /// of records that are seen.
    fn last_contact(
        &self,
        family: &StoredFamily,
        people: &[&KnownPerson],
        set: &Contribution,
        attached: Month,
    ) -> Option<Month> {
        let said = people.iter().flat_map(|person| &person.member.statements).filter_map(|said| {
            let may_tell = set.has(&said.agency, &said.feed, &Item::Service);
            said.evidence.service.as_ref().filter(|_| may_tell)?.last_contact_month
        });
        let is_told = |contact: &&StoredContact| {
            let name = &contact.record;
            set.has(&name.agency, &name.feed, &Item::Service) && people.iter().any(|person| person.names.contains(name))
        };
        let noted = self.contacts.get(&family.tfid).into_iter().flatten().filter(is_told).map(|contact| contact.last);
        said.chain(noted).filter(|month| *month > attached).max()
    }

    fn leading(&self, family: &Tfid, people: &[&KnownPerson], set: &Contribution) -> Leading {
        let heard = set.feeds_of(&Item::Lead);
        let hears = |agency: &AgencyCode| heard.iter().any(|(supplier, _)| *supplier == agency);
        let newest = self.leads.get(family).into_iter().flatten().rfind(|spell| hears(&spell.agency));
        let members: Vec<Member> = people.iter().map(|person| person.member.clone()).collect();
        let agencies: BTreeSet<&AgencyCode> =
            members.iter().flat_map(|member| &member.statements).map(|said| &said.agency).collect();
        let may_tell = |agency: &AgencyCode, feed: &FeedCode| set.has(agency, feed, &Item::Lead);
        let facts: BTreeMap<&AgencyCode, _> = agencies
            .into_iter()
            .filter_map(|agency| Some((agency, service_facts(&members, agency, may_tell)?)))
            .collect();
        match LeadState::of(newest, facts.iter().map(|(agency, facts)| (*agency, *facts))) {
            LeadState::NotKnown => Leading::NotKnown,
            LeadState::Ended => Leading::NobodyAnyMore,
            LeadState::Led => {
                let by_records = facts.iter().filter(|(_, facts)| facts.leads).map(|(agency, _)| *agency);
                let noted = newest.filter(|spell| {
                    spell.ended.is_none() && facts.get(&spell.agency).is_none_or(|facts| facts.is_open)
                });
                let all: BTreeSet<&AgencyCode> = by_records.chain(noted.map(|spell| &spell.agency)).collect();
                match all.into_iter().collect::<Vec<_>>()[..] {
                    [agency] => Leading::Agency(agency.clone()),
                    _ => Leading::Several,
                }
            }
        }
    }
}

/// The rounds as the tables name them.
pub(super) fn rounds(closed: &[(i64, Timestamp)]) -> Vec<Round> {
    closed.iter().map(|(number, at)| Round { number: *number, closed_on: at.date() }).collect()
}
