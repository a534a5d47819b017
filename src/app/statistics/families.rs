//! Reading everybody who may be counted, once, page by page.
//!
//! Records come component by component. Of each component persons are clustered from the permitted
//! records alone, as for an enquiry, and each person shrinks at once to what the tables need: the
//! areas met, the homes, the role. Evidence is held for one page at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::numbered::Register;
use crate::app::enquire::evidence::{cut_down, household_tokens};
use crate::app::enquire::supplier_feed;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::policies::Policies;
use crate::app::publish::{link_tokens, parted_tokens};
use crate::domain::evidence::{Assessment, Contribution, Deliveries, EvidenceState, Facts, Member, Statement};
use crate::domain::family::RecordName;
use crate::domain::ids::{AgencyCode, AreaCode, CriterionCode, FeedCode, LocalityCode};
use crate::domain::item::Item;
use crate::domain::record::{Coverage, Evidence, Role};
use crate::domain::statistics::catalogue::CountedFamily;
use crate::domain::statistics::cohort::RecordTag;
use crate::domain::statistics::numbered::NumberedFamily;
use crate::linkage::household::{Resident, Standing, households};
use crate::linkage::record::{LinkRecord, RecordKey};
use crate::policy::decision::{Permitted, SupplierFeed};
use crate::store::{CountedRecord, FeedState, View};

/// Records that are read at once.
const PAGE: i64 = 1000;

/// A person as the tables see them.
struct CountedPerson {
    records: Vec<RecordTag>,
    areas: BTreeSet<AreaCode>,
    localities: BTreeSet<LocalityCode>,
    is_child: bool,
    is_adult: bool,
    resident: Resident,
}

/// A person who belongs to a family with a number.
pub(super) struct KnownPerson {
    pub(super) records: Vec<RecordTag>,
    pub(super) names: Vec<RecordName>,
    pub(super) member: Member,
}

/// What every record is read by.
struct Reader {
    gateway: Gateway,
    policies: Arc<Policies>,
    permitted: Permitted,
    feeds: BTreeMap<(AgencyCode, FeedCode), SupplierFeed>,
    set: Contribution,
    deliveries: Deliveries,
    /// The area that each criterion of the version in force speaks for.
    areas: BTreeMap<CriterionCode, Item>,
    /// The areas of the criteria that are computed from attendance.
    attendance: Vec<Item>,
    view: View,
}

impl Gateway {
    /// Every family by the household rule, as far as the permitted set shows it.
    pub(super) async fn counted_families(
        &self,
        view: View,
        policies: &Arc<Policies>,
        permitted: &Permitted,
        feeds: &[FeedState],
    ) -> Result<Vec<CountedFamily>, AppError> {
        let reader = Arc::new(Reader::new(self, view, policies, permitted, feeds));
        let persons = self.read_components(&reader, Reader::persons).await?;
        tokio::task::spawn_blocking(move || families(&persons)).await.map_err(|_| AppError::Interrupted)
    }

    /// Every family with a number, as far as the permitted set shows somebody of it.
    pub(super) async fn numbered_families(
        &self,
        view: View,
        policies: &Arc<Policies>,
        permitted: &Permitted,
        feeds: &[FeedState],
        register: Register,
    ) -> Result<Vec<NumberedFamily>, AppError> {
        let reader = Arc::new(Reader::new(self, view, policies, permitted, feeds));
        let register = Arc::new(register);
        let known = Arc::clone(&register);
        let read = move |reader: &Reader, records: &[CountedRecord]| reader.known_persons(records, &known);
        let people = self.read_components(&reader, read).await?;
        let work = move || register.families(&people, &reader.set, view.now);
        tokio::task::spawn_blocking(work).await.map_err(|_| AppError::Interrupted)
    }

    /// Reads every record of the permitted set, whole components at a time.
    async fn read_components<T: Send + 'static>(
        &self,
        reader: &Arc<Reader>,
        read: impl Fn(&Reader, &[CountedRecord]) -> Result<Vec<T>, AppError> + Send + Sync + 'static,
    ) -> Result<Vec<T>, AppError> {
        let (view, read) = (reader.view, Arc::new(read));
        let permitted_feeds: Vec<(AgencyCode, FeedCode)> = reader.permitted.feeds().into_iter().collect();
        let mut persons: Vec<T> = Vec::new();
        let mut open: Vec<CountedRecord> = Vec::new();
        let mut after = (i64::MIN, i64::MIN);
        loop {
            let page = self.store().counted_records(self.programme(), view.generation, &permitted_feeds, after, PAGE);
            let page = page.await?;
            let is_last = (page.len() as i64) < PAGE;
            after = page.last().map_or(after, |last| (last.component, last.id));
            open.extend(page);
            // The last component may go on over the page.
            let unfinished = if is_last {
                Vec::new()
            } else {
                let start = open.partition_point(|record| record.component < after.0);
                open.split_off(start)
            };
            let whole = std::mem::replace(&mut open, unfinished);
            let (worker, read) = (Arc::clone(reader), Arc::clone(&read));
            let found = tokio::task::spawn_blocking(move || read(&worker, &whole));
            persons.extend(found.await.map_err(|_| AppError::Interrupted)??);
            if is_last {
                return Ok(persons);
            }
        }
    }
}

impl Reader {
    fn new(
        gateway: &Gateway,
        view: View,
        policies: &Arc<Policies>,
        permitted: &Permitted,
        feeds: &[FeedState],
    ) -> Self {
        let version = policies.programme().criteria_at(view.now.date());
        let area = |area: &AreaCode| Item::Area(area.clone());
        let areas = version.criteria.iter().map(|c| (c.code.clone(), area(&c.area))).collect();
        let computed = version.criteria.iter().filter(|criterion| criterion.from_attendance);
        let name = |feed: &FeedState| (feed.agency.clone(), feed.feed.clone());
        let permits = permitted.granted().map(|line| (line.supplier.clone(), line.feed.clone(), line.item.clone()));
        Self {
            attendance: computed.map(|criterion| area(&criterion.area)).collect(),
            areas,
            set: permits.collect(),
            deliveries: feeds.iter().map(|feed| (name(feed), feed.as_at.date())).collect(),
            feeds: feeds.iter().map(|feed| (name(feed), supplier_feed(feed))).collect(),
            gateway: gateway.clone(),
            policies: Arc::clone(policies),
            permitted: permitted.clone(),
            view,
        }
    }

    /// The persons of whole components.
    fn persons(&self, records: &[CountedRecord]) -> Result<Vec<CountedPerson>, AppError> {
        let facts = Facts::new(self.policies.programme(), &self.deliveries, &self.set, self.view.now);
        self.each_person(records, |members| Some(self.person(members, &facts)))
    }

    /// Of the persons of whole components, those who belong to a family with a number.
    fn known_persons(&self, records: &[CountedRecord], register: &Register) -> Result<Vec<KnownPerson>, AppError> {
        self.each_person(records, |members| {
            let name = |link: &LinkRecord| {
                let RecordKey { agency, feed, reference } = link.key.clone();
                RecordName { agency, feed, reference }
            };
            let names: Vec<RecordName> = members.iter().map(|(link, _)| name(link)).collect();
            register.knows(&names).then(|| KnownPerson {
                records: members.iter().map(|(link, _)| self.tag(link)).collect(),
                names,
                member: Member { statements: members.iter().map(statement).collect() },
            })
        })
    }

    fn each_person<T>(
        &self,
        records: &[CountedRecord],
        mut of: impl FnMut(&[(&LinkRecord, &Evidence)]) -> Option<T>,
    ) -> Result<Vec<T>, AppError> {
        let mut persons = Vec::new();
        for component in records.chunk_by(|a, b| a.component == b.component) {
            let mut linkable = Vec::with_capacity(component.len());
            let mut evidence = Vec::with_capacity(component.len());
            for record in component {
                let Some((link, said)) = self.read(record)? else { continue };
                linkable.push(link);
                evidence.push(said);
            }
            for cluster in self.policies.persons(&linkable) {
                let members: Vec<(&LinkRecord, &Evidence)> =
                    cluster.members().iter().map(|&member| (&linkable[member], &evidence[member])).collect();
                persons.extend(of(&members));
            }
        }
        Ok(persons)
    }

    /// A record as linkage sees it, with its evidence cut down to what is permitted.
    fn read(&self, record: &CountedRecord) -> Result<Option<(LinkRecord, Evidence)>, AppError> {
        let Some(came_as) = self.feeds.get(&(record.agency.clone(), record.feed.clone())) else {
            return Ok(None); // its feed is suspended or not visible: neither is the record
        };
        let name = (&record.agency, &record.feed, &record.reference);
        if self.policies.is_held_back(name.0, name.1, name.2) {
            return Ok(None);
        }
        let mut evidence = self.gateway.open_evidence(record.id, &record.evidence)?;
        self.policies.contest(name, &mut evidence);
        let may = |item: &Item| self.permitted.allows(came_as, item);
        let is_own = record.agency == self.permitted.terms.recipient;
        let shows_home = (may(&Item::Household) || is_own) && evidence.coverage == Coverage::Current;
        cut_down(&mut evidence, may, &self.areas, &self.attendance);
        let matching = |tokens: &[crate::store::StoredToken]| -> Vec<crate::store::StoredToken> {
            tokens.iter().filter(|token| self.policies.matches(token)).copied().collect()
        };
        let homes = if shows_home { household_tokens(&matching(&record.households)) } else { Vec::new() };
        let key =
            RecordKey { agency: record.agency.clone(), feed: record.feed.clone(), reference: record.reference.clone() };
        let tokens = [link_tokens(&self.policies.matching(&record.tokens)), parted_tokens(&record.apart)].concat();
        Ok(Some((LinkRecord { key, tokens, households: homes }, evidence)))
    }

    fn person(&self, records: &[(&LinkRecord, &Evidence)], facts: &Facts<'_>) -> CountedPerson {
        let member = Member { statements: records.iter().map(statement).collect() };
        // What a family meets is what any of its members meets, so each is judged alone.
        let assessed = Assessment::of(&[member], facts);
        let met = assessed.areas.into_iter().filter(|found| found.state == EvidenceState::Met);
        let resident = records.iter().fold(Resident::default(), |resident, (link, said)| {
            resident.with_record(said.role, &link.households).with_young_person(said.send_18_25)
        });
        CountedPerson {
            records: records.iter().map(|(link, _)| self.tag(link)).collect(),
            areas: met.map(|found| found.area).collect(),
            localities: records.iter().filter_map(|(_, said)| said.locality.clone()).collect(),
            is_child: resident.roles.contains(&Role::Child),
            is_adult: resident.roles.contains(&Role::Adult) && !resident.roles.contains(&Role::Child),
            resident,
        }
    }

    fn tag(&self, link: &LinkRecord) -> RecordTag {
        let RecordKey { agency, feed, reference } = &link.key;
        self.gateway.keys().tagger.counted_record(agency.as_str(), feed.as_str(), reference.as_str())
    }
}

fn statement((link, said): &(&LinkRecord, &Evidence)) -> Statement {
    Statement { agency: link.key.agency.clone(), feed: link.key.feed.clone(), evidence: (*said).clone() }
}

/// The families of all persons. Two addresses with the same people are one family.
fn families(persons: &[CountedPerson]) -> Vec<CountedFamily> {
    let residents: Vec<Resident> = persons.iter().map(|person| person.resident.clone()).collect();
    let found = households(&residents).into_iter().filter(|household| household.standing == Standing::Family);
    let distinct: BTreeSet<Vec<usize>> = found.map(|household| household.members).collect();
    let family = |members: Vec<usize>| {
        let members = members.iter().map(|&member| &persons[member]);
        CountedFamily {
            records: members.clone().flat_map(|person| person.records.iter().copied()).collect(),
            areas: members.clone().flat_map(|person| person.areas.iter().cloned()).collect(),
            localities: members.clone().flat_map(|person| person.localities.iter().cloned()).collect(),
            children: members.clone().filter(|person| person.is_child).count(),
            adults: members.filter(|person| person.is_adult).count(),
        }
    };
    distinct.into_iter().map(family).collect()
}
