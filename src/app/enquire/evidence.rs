//! Finding the person and the family that a question is about, within the permitted set.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::log_entry::Asked;
use super::supplier_feed;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::policies::Policies;
use crate::app::publish::{link_tokens, parted_tokens};
use crate::domain::agreement::Unit;
use crate::domain::claim::{Person, RecordName};
use crate::domain::evidence::{Member, Statement};
use crate::domain::ids::{AgencyCode, CriterionCode, FeedCode};
use crate::domain::item::Item;
use crate::domain::record::{Coverage, Evidence};
use crate::domain::time::Timestamp;
use crate::domain::token::Blinded;
use crate::linkage::attach::attach;
use crate::linkage::cluster::Cluster;
use crate::linkage::household::{AnsweredFor, Household, Resident, Standing, family_of, households};
use crate::linkage::record::{HouseholdToken, LinkRecord, RecordKey};
use crate::policy::decision::Permitted;
use crate::store::{Reach, StoredToken, VisibleRecord};

/// Most records that one look reads. Records beyond it that are joined to one another are nobody in
/// particular, and beyond it at one address they are no family.
const MOST_RECORDS: i64 = 2000;

/// Records that one look at the whole cohort reads; fewer than [`MOST_RECORDS`], which is for one person.
const COHORT_PAGE: i64 = 1000;
/// Most steps from record to record. Records of one person are one or two apart.
const MOST_STEPS: usize = 8;
/// Most tokens that one step goes on from.
const MOST_TOKENS_A_STEP: usize = 1024;

/// What a question found.
pub(in crate::app) struct Found {
    /// The persons it is answered for: the family, the person alone, or nobody.
    pub(in crate::app) members: Vec<Member>,
    /// The names of each member's records, in the order of the statements.
    pub(in crate::app) records: Vec<Vec<RecordName>>,
    /// Which of the members is the person that was asked about.
    pub(in crate::app) asked_about: usize,
    /// Whether the person is known within the set.
    pub(in crate::app) is_known: bool,
    /// Whether the answer is for a family.
    pub(in crate::app) is_family: bool,
    /// Records of others that a shield kept out: for the sealed opening alone.
    pub(in crate::app) hidden: i64,
    /// The question's own blinded tokens, then those of the address that it carries.
    pub(in crate::app) tokens: Vec<StoredToken>,
}

impl Found {
    /// What is found where nobody is asked about.
    pub(in crate::app) fn nobody() -> Self {
        let (members, records, tokens) = (Vec::new(), Vec::new(), Vec::new());
        Self { members, records, asked_about: 0, is_known: false, is_family: false, hidden: 0, tokens }
    }
}

impl Gateway {
    /// Looks for the person and the family. The same looks are made whoever is asked about.
    pub(in crate::app) async fn find(&self, asked: &Asked<'_>, permitted: &Permitted) -> Result<Found, AppError> {
        let policies = asked.policies;
        let asked_about = policies.blind(self, &asked.question.tokens);
        // A retired token finds nobody; the entry is written with it, as for any stranger.
        let tokens: Vec<StoredToken> =
            asked_about.iter().filter(|token| !policies.is_retired(token.blinded)).copied().collect();
        let carried = policies.blind(self, &asked.question.household);
        let feeds: Vec<(AgencyCode, FeedCode)> =
            permitted.feeds().into_iter().filter(|(agency, _)| *agency != asked.caller.agency).collect();
        let reach = Reach {
            generation: asked.view.generation,
            programme: self.programme(),
            asker: &asked.caller.agency,
            feeds: &feeds,
            limit: MOST_RECORDS,
        };

        let linking: BTreeSet<Blinded> =
            tokens.iter().filter(|token| policies.links(token.kind)).map(|token| token.blinded).collect();
        let mut seen = Seen::new(policies, asked.view.now);
        let look = Look { reach, permitted, asked };
        let hidden = self.look_for_person(&mut seen, &look, &linking).await?;
        let homes = match seen.person(&tokens, policies) {
            Some((person, clusters)) => seen.homes_of(&clusters[person]),
            None => BTreeSet::new(),
        };
        let is_home = self.look_for_family(&mut seen, &look, &homes).await?;
        let unit = if is_home { permitted.charge.unit } else { Unit::Person };

        let (persons, place, is_known, is_family) = seen.answered_for(&tokens, &carried, unit, policies);
        let (members, records) = persons.into_iter().map(|person| (person.member, person.records)).unzip();
        let asked_with = [asked_about, carried].concat();
        Ok(Found { members, records, asked_about: place, is_known, is_family, hidden, tokens: asked_with })
    }

    /// Every family of the permitted set, by the minimal rule: those that an enquiry about any of their
    /// members would be answered for. Shielded records are as if never submitted.
    pub(in crate::app) async fn cohort(
        &self,
        asked: &Asked<'_>,
        permitted: &Permitted,
    ) -> Result<Vec<Vec<Member>>, AppError> {
        let policies = asked.policies;
        let feeds: Vec<(AgencyCode, FeedCode)> = permitted.feeds().into_iter().collect();
        let reach = Reach {
            generation: asked.view.generation,
            programme: self.programme(),
            asker: &asked.caller.agency,
            feeds: &feeds,
            limit: COHORT_PAGE,
        };
        let look = Look { reach, permitted, asked };
        let (mut seen, mut after) = (Seen::new(policies, asked.view.now), 0);
        loop {
            let page = self.store().cohort_page(reach, after).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            seen.add(self, contributing(page, &look), &look)?;
            tokio::task::yield_now().await;
        }
        let clusters = policies.persons(&seen.linkable);
        let residents: Vec<Resident> = clusters.iter().map(|cluster| seen.resident(cluster)).collect();
        let families = households(&residents).into_iter().filter(|household| household.standing == Standing::Family);
        let members = |household: Household| household.members.iter().map(|&at| seen.member(&clusters[at])).collect();
        Ok(families.map(members).collect())
    }

    /// Reads the records that are joined to the question's tokens within the set. Gives how many
    /// records of others a shield keeps back.
    async fn look_for_person(
        &self,
        seen: &mut Seen,
        look: &Look<'_>,
        linking: &BTreeSet<Blinded>,
    ) -> Result<i64, AppError> {
        let list: Vec<Blinded> = linking.iter().copied().collect();
        let joined = self.store().joined_by_token(look.reach, &list).await?;
        if joined.is_cut_off {
            let (records, hidden) = tokio::try_join!(
                self.store().records_by_token(look.reach, &list),
                self.store().hidden_records(look.reach, &list),
            )?;
            seen.add(self, contributing(records, look), look)?;
            self.walk(seen, look).await?;
            return Ok(hidden);
        }
        let links = |kind| look.asked.policies.links(kind);
        let records = contributing(joined.records, look);
        let holds = |record: &VisibleRecord| record.tokens.iter().any(|token| linking.contains(&token.blinded));
        seen.add(self, connected(records, holds, links), look)?;
        Ok(joined.hidden)
    }

    /// Reads the records at a person's addresses, with those that are joined to them within the set.
    /// False when there are so many that the address is no home.
    async fn look_for_family(
        &self,
        seen: &mut Seen,
        look: &Look<'_>,
        homes: &BTreeSet<Blinded>,
    ) -> Result<bool, AppError> {
        let list: Vec<Blinded> = homes.iter().copied().collect();
        let joined = self.store().joined_by_household(look.reach, &list).await?;
        if joined.is_cut_off {
            let neighbours = self.store().records_by_household(look.reach, &list).await?;
            if neighbours.len() as i64 >= MOST_RECORDS {
                return Ok(false);
            }
            seen.add(self, contributing(neighbours, look), look)?;
            self.walk(seen, look).await?;
            return Ok(true);
        }
        let links = |kind| look.asked.policies.links(kind);
        let records = contributing(joined.records, look);
        let lives = |record: &VisibleRecord| record.households.iter().any(|token| homes.contains(&token.blinded));
        seen.add(self, connected(records, lives, links), look)?;
        Ok(true)
    }

    /// Walks on from the records at hand to all that are joined to them by linking tokens, one step
    /// after the other. Needed only where whole components are more than one look reads, which
    /// records outside the set can bring about: they are no stepping stones and take no room here.
    async fn walk(&self, seen: &mut Seen, look: &Look<'_>) -> Result<(), AppError> {
        for _ in 0..MOST_STEPS {
            let tokens = seen.new_tokens(look.asked.policies);
            let found = self.store().records_by_token(look.reach, &tokens).await?;
            if seen.add(self, contributing(found, look), look)? == 0 {
                return Ok(());
            }
        }
        seen.is_cut_off = true;
        Ok(())
    }
}

/// What every look at records goes by.
pub(super) struct Look<'a> {
    pub(super) reach: Reach<'a>,
    pub(super) permitted: &'a Permitted,
    pub(super) asked: &'a Asked<'a>,
}

/// Without records of suspended feeds and those that a person's right keeps from use, the asker's own among
/// them, which are not even stepping stones;
/// and of the others only the tokens that match: those of a frozen or retired epoch, and those that an
/// agency retired, are as if never stored.
pub(super) fn contributing(mut records: Vec<VisibleRecord>, look: &Look<'_>) -> Vec<VisibleRecord> {
    let policies = look.asked.policies;
    records.retain(|record| {
        let (agency, feed) = (&record.agency, &record.feed);
        !policies.is_suspended(agency, feed) && !policies.is_held_back(agency, feed, &record.reference)
    });
    for record in &mut records {
        record.tokens = policies.matching(&record.tokens);
        record.households.retain(|token| policies.matches(token));
    }
    records
}

/// Those of the records that are joined, by linking tokens and within these records alone, to one
/// that is a start. Components are made over everybody's records; a record outside the set that
/// joins two others joins nothing here.
pub(super) fn connected(
    records: Vec<VisibleRecord>,
    is_start: impl Fn(&VisibleRecord) -> bool,
    links: impl Fn(u16) -> bool,
) -> Vec<VisibleRecord> {
    let mut holders: HashMap<Blinded, Vec<usize>> = HashMap::new();
    for (place, record) in records.iter().enumerate() {
        for token in record.tokens.iter().filter(|token| links(token.kind)) {
            holders.entry(token.blinded).or_default().push(place);
        }
    }
    let mut is_reached: Vec<bool> = records.iter().map(is_start).collect();
    let mut open: Vec<usize> = (0..records.len()).filter(|&place| is_reached[place]).collect();
    while let Some(place) = open.pop() {
        for token in &records[place].tokens {
            // Each token's holders are gone through once.
            for holder in holders.remove(&token.blinded).unwrap_or_default() {
                if !std::mem::replace(&mut is_reached[holder], true) {
                    open.push(holder);
                }
            }
        }
    }
    records.into_iter().zip(is_reached).filter(|(_, is_reached)| *is_reached).map(|(record, _)| record).collect()
}

/// Records that were read, each once, with their evidence cut down to what is permitted.
pub(super) struct Seen {
    /// The area that each criterion of the version in force speaks for.
    areas: BTreeMap<CriterionCode, Item>,
    /// The areas of the criteria that are computed from attendance.
    attendance: Vec<Item>,
    places: HashMap<i64, usize>,
    pub(super) linkable: Vec<LinkRecord>,
    pub(super) evidence: Vec<Evidence>,
    /// How many of the records the walk has gone on from.
    walked: usize,
    /// A look reached its limit: nothing that was read can be believed to be whole.
    is_cut_off: bool,
}

impl Seen {
    pub(super) fn new(policies: &Policies, now: Timestamp) -> Self {
        let version = policies.programme().criteria_at(now.date());
        let mut areas: BTreeMap<CriterionCode, Item> =
            version.criteria.iter().map(|c| (c.code.clone(), Item::Area(c.area.clone()))).collect();
        // A confirmation of work travels with the area that it is about.
        let employment = policies.programme().claim().and_then(|rules| rules.employment.as_ref());
        if let Some(rule) = employment
            && let Some(item) = areas.get(&rule.criterion).cloned()
        {
            areas.insert(rule.confirmation.clone(), item);
        }
        let computed = version.criteria.iter().filter(|criterion| criterion.from_attendance);
        let attendance = computed.map(|criterion| Item::Area(criterion.area.clone())).collect();
        Self {
            areas,
            attendance,
            places: HashMap::new(),
            linkable: Vec::new(),
            evidence: Vec::new(),
            walked: 0,
            is_cut_off: false,
        }
    }

    pub(super) fn add(
        &mut self,
        gateway: &Gateway,
        records: Vec<VisibleRecord>,
        look: &Look<'_>,
    ) -> Result<usize, AppError> {
        let (permitted, feeds) = (look.permitted, look.asked.feeds);
        let before = self.linkable.len();
        if records.len() as i64 >= MOST_RECORDS {
            self.is_cut_off = true;
            tracing::warn!("a question reached more records than one look reads; it is answered as for nobody");
        }
        for record in records {
            if self.places.contains_key(&record.id) {
                continue;
            }
            let mut evidence = gateway.open_evidence(record.id, &record.evidence)?;
            look.asked.policies.contest((&record.agency, &record.feed, &record.reference), &mut evidence);
            let came_as = feeds.iter().find(|feed| feed.agency == record.agency && feed.feed == record.feed);
            let Some(came_as) = came_as.map(supplier_feed) else {
                continue; // its feed is suspended or not visible: neither is the record
            };
            let may = |item: &Item| permitted.allows(&came_as, item);
            let is_own = record.agency == permitted.terms.recipient;
            let shows_home = (may(&Item::Household) || is_own) && evidence.coverage == Coverage::Current;
            cut_down(&mut evidence, may, &self.areas, &self.attendance);
            let households = if shows_home { household_tokens(&record.households) } else { Vec::new() };
            self.places.insert(record.id, self.linkable.len());
            self.linkable.push(LinkRecord {
                key: RecordKey { agency: record.agency, feed: record.feed, reference: record.reference },
                tokens: [link_tokens(&record.tokens), parted_tokens(&record.apart)].concat(),
                households,
            });
            self.evidence.push(evidence);
        }
        Ok(self.linkable.len() - before)
    }

    /// The linking tokens of the records that the walk has not gone on from yet.
    fn new_tokens(&mut self, policies: &Policies) -> Vec<Blinded> {
        let fresh = &self.linkable[self.walked..];
        let linking = fresh.iter().flat_map(|record| &record.tokens).filter(|token| policies.links(token.kind));
        let tokens: BTreeSet<Blinded> = linking.map(|token| token.value).collect();
        self.walked = self.linkable.len();
        if tokens.len() > MOST_TOKENS_A_STEP {
            self.is_cut_off = true;
        }
        tokens.into_iter().take(MOST_TOKENS_A_STEP).collect()
    }

    /// The person that the question is about, as a position in the clusters.
    fn person(&self, tokens: &[StoredToken], policies: &Policies) -> Option<(usize, Vec<Cluster>)> {
        if self.is_cut_off {
            return None;
        }
        let clusters = policies.persons(&self.linkable);
        let attachment = attach(&link_tokens(tokens), &self.linkable, &clusters, policies.link_rules())?;
        Some((attachment.cluster, clusters))
    }

    /// The addresses at which a person lives now, as far as the set may say.
    fn homes_of(&self, person: &Cluster) -> BTreeSet<Blinded> {
        let homes = person.members().iter().flat_map(|&member| &self.linkable[member].households);
        homes.map(|home| home.value).collect()
    }

    /// The family, the person alone, or nobody; and which of them the question is about.
    fn answered_for(
        &self,
        tokens: &[StoredToken],
        carried: &[StoredToken],
        unit: Unit,
        policies: &Policies,
    ) -> (Vec<Person>, usize, bool, bool) {
        let Some((person, clusters)) = self.person(tokens, policies) else {
            return (Vec::new(), 0, false, false);
        };
        if unit == Unit::Person {
            return (vec![self.named(&clusters[person])], 0, true, false);
        }
        let residents: Vec<Resident> = clusters.iter().map(|cluster| self.resident(cluster)).collect();
        let households = households(&residents);
        match family_of(person, &household_tokens(carried), &households) {
            AnsweredFor::Family(family) => {
                let family = &households[family].members;
                let asked_about = family.iter().position(|&member| member == person).unwrap_or(0);
                (family.iter().map(|&member| self.named(&clusters[member])).collect(), asked_about, true, true)
            }
            AnsweredFor::Alone(_) => (vec![self.named(&clusters[person])], 0, true, false),
        }
    }

    fn resident(&self, cluster: &Cluster) -> Resident {
        cluster.members().iter().fold(Resident::default(), |resident, &member| {
            let evidence = &self.evidence[member];
            resident
                .with_record(evidence.role, &self.linkable[member].households)
                .with_young_person(evidence.send_18_25)
        })
    }

    fn named(&self, cluster: &Cluster) -> Person {
        let name = |&member: &usize| {
            let key = &self.linkable[member].key;
            RecordName { agency: key.agency.clone(), feed: key.feed.clone(), reference: key.reference.clone() }
        };
        Person { records: cluster.members().iter().map(name).collect(), member: self.member(cluster) }
    }

    pub(super) fn member(&self, cluster: &Cluster) -> Member {
        let statement = |&member: &usize| Statement {
            agency: self.linkable[member].key.agency.clone(),
            feed: self.linkable[member].key.feed.clone(),
            evidence: self.evidence[member].clone(),
        };
        Member { statements: cluster.members().iter().map(statement).collect() }
    }
}

/// Leaves only what the decision lets this feed contribute: an agency with two feeds may have a
/// permit for an item in one of them only.
pub(in crate::app) fn cut_down(
    evidence: &mut Evidence,
    may: impl Fn(&Item) -> bool,
    areas: &BTreeMap<CriterionCode, Item>,
    attendance: &[Item],
) {
    evidence.flags.retain(|flag| areas.get(&flag.criterion).is_some_and(&may));
    if !may(&Item::Lead) && !may(&Item::Service) {
        evidence.service = None;
    }
    // No answer gives bands away: they are there for the criterion that is computed from them.
    if !attendance.iter().any(&may) {
        evidence.attendance.clear();
    }
    if !may(&Item::Household) {
        evidence.school_age_children = None;
    }
    if !may(&Item::Locality) {
        evidence.locality = None;
    }
}

pub(in crate::app) fn household_tokens(tokens: &[StoredToken]) -> Vec<HouseholdToken> {
    tokens.iter().map(|token| HouseholdToken { epoch: token.epoch, value: token.blinded }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::OpaqueRef;

    const NHS: u16 = 1;
    const HINT: u16 = 2;

    fn record(id: i64, tokens: &[(u16, u8)]) -> VisibleRecord {
        let token = |&(kind, value): &(u16, u8)| StoredToken { kind, epoch: 1, blinded: Blinded::new([value; 16]) };
        VisibleRecord {
            id,
            agency: AgencyCode::parse("education").expect("a code"),
            feed: FeedCode::parse("attendance").expect("a code"),
            reference: OpaqueRef::parse("AAAAAAAAAAAAAAAAAAAAAA").expect("a reference"),
            tokens: tokens.iter().map(token).collect(),
            households: Vec::new(),
            evidence: Vec::new(),
            apart: Vec::new(),
        }
    }

    #[test]
    fn only_records_that_are_joined_within_the_set_are_used() {
        // 1 and 2 share a token and so do 2 and 3; 4 was joined to 3 by a record that is not in the
        // set; 5 shares only a token that joins nobody.
        let records = || {
            let three = record(3, &[(NHS, 12), (HINT, 20)]);
            vec![
                record(1, &[(NHS, 10)]),
                record(2, &[(NHS, 10), (NHS, 12)]),
                three,
                record(4, &[(NHS, 14)]),
                record(5, &[(HINT, 20)]),
            ]
        };
        let from = |start: u8| -> Vec<i64> {
            let holds = |record: &VisibleRecord| record.tokens.iter().any(|t| *t.blinded.as_bytes() == [start; 16]);
            connected(records(), holds, |kind| kind == NHS).iter().map(|record| record.id).collect()
        };
        assert_eq!(from(10), [1, 2, 3]);
        assert_eq!(from(12), [1, 2, 3]);
        assert_eq!(from(14), [4]);
        assert_eq!(from(99), [] as [i64; 0]);
    }
}
