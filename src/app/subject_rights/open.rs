//! A case is opened: the agency's own records, the parts of other controllers, and the part of the shield
//! officers, which every case has.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{ActingUser, CASE_PLACE, CaseSeen, Done, MOST_RECORDS, OwnName, PART_PLACE, Said, SubjectError, case_seen};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::seal::{self, SealPublicKey};
use crate::domain::ids::{AgencyCode, FeedCode, OpaqueRef, SubjectCaseId, SubjectPartId};
use crate::domain::labels;
use crate::domain::pair::RecordName;
use crate::domain::subject_case::{Clock, SubjectRight};
use crate::store::{NewPart, PersonRecord, StoredCase};

/// What the shield officers' part is padded to, in every case.
const SHIELD_PADDED: usize = 8 * 1024;
/// Records that are named in it; of more than these an officer is told that there are more.
const MOST_SHIELDED: usize = 48;

/// What an agency that verified who somebody is asks for on that person's behalf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewCase {
    /// The right.
    #[serde(serialize_with = "as_text")]
    pub right: SubjectRight,
    /// The agency's own records of the person.
    pub records: Vec<OwnName>,
    /// The public key that answers are to be sealed to, if the agency made one for the case.
    pub reply_key: Option<String>,
    /// Who acts.
    pub user: ActingUser,
}

/// What the shield officers find in their part of a case.
#[derive(Serialize)]
struct ShieldPart<'a> {
    /// The agencies whose restriction reaches the person.
    shielding: BTreeSet<&'a AgencyCode>,
    /// Everybody's records of the person.
    records: Vec<ShieldedRecord<'a>>,
    /// There are more than are named.
    more: bool,
}

#[derive(Serialize)]
struct ShieldedRecord<'a> {
    agency: &'a AgencyCode,
    feed: &'a FeedCode,
    #[serde(rename = "ref")]
    reference: &'a OpaqueRef,
}

/// Everybody's records of the persons whom a case is about.
#[derive(Default)]
pub(super) struct Persons {
    /// Other agencies' records.
    others: Vec<RecordName>,
    /// The agencies whose restriction reaches them; none for most people.
    pub(super) shielding: BTreeSet<AgencyCode>,
}

impl Gateway {
    /// Opens a case. The same request under the same key opens one.
    ///
    /// # Errors
    ///
    /// [`SubjectError`]; none of it depends on what others hold.
    pub async fn open_subject_case(
        &self,
        caller: &AgencyCaller,
        new: &NewCase,
        idempotency: &str,
    ) -> Result<Done<CaseSeen>, SubjectError> {
        self.check_acting(&new.user).await?;
        let mut records = new.records.clone();
        records.sort();
        records.dedup();
        if !(1..=MOST_RECORDS).contains(&records.len()) {
            return Err(SubjectError::Count);
        }
        if let Some(key) = &new.reply_key {
            SealPublicKey::parse(key).map_err(|_| SubjectError::Key)?;
        }
        let request_hash = self.request_hash(&caller.client, new)?;
        let tag = self.keys().tagger.reply(&caller.client, idempotency, b"POST /v1/subject-cases");

        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let name = |own: &OwnName| RecordName {
            agency: caller.agency.clone(),
            feed: own.feed.clone(),
            reference: own.reference.clone(),
        };
        let names: Vec<RecordName> = records.iter().map(name).collect();
        let (found, persons) = self.persons_of(&caller.agency, &names, view.generation).await?;
        if found < names.len() {
            return Err(SubjectError::Record);
        }
        let id = SubjectCaseId::new(self.random_number());
        let shield = self.seal_shield_part(id, &persons)?;
        let sealed = self.seal_records(CASE_PLACE, id.as_bytes(), &records)?;
        let parts = self.parts_for(&persons)?;

        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        if let Some(first) = tx.case_of_request(&caller.agency, &tag).await? {
            return self.opened_before(&first, &request_hash, now).await;
        }
        let clock = Clock::begin(now);
        let said = Said { action: "opened", due: clock.due_on(), ..Said::default() };
        let matter = (&*id.to_string(), new.right.as_str());
        let entry = self.subject_entry(caller, &new.user, matter, &said, &names, now)?;
        let reply_key = new.reply_key.clone().unwrap_or_default();
        let (agency, right, event) = (caller.agency.clone(), new.right, entry.id);
        let case = StoredCase { id, agency, right, clock, reply_key, request_hash, sealed, shield, event };
        if !tx.add_subject_case(self.programme(), &case, &tag).await? {
            return Err(AppError::Interrupted.into()); // the same request, at the same moment: it is repeated
        }
        for part in &parts {
            tx.add_subject_part(id, part).await?;
        }
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(self.done(&entry, case_seen(&case, now))?)
    }

    async fn opened_before(
        &self,
        first: &StoredCase,
        request_hash: &[u8; 32],
        now: crate::domain::time::Timestamp,
    ) -> Result<Done<CaseSeen>, SubjectError> {
        if first.request_hash != *request_hash {
            return Err(SubjectError::KeyReused);
        }
        let body = self.store().event_body(first.event).await?.ok_or(SubjectError::Unknown)?;
        let leaf = crate::tlog::merkle::leaf_hash(&body);
        let receipt = self.receipt(first.event, *leaf.as_bytes(), first.clock.opened_at)?;
        let at = first.clock.opened_at;
        Ok(Done { value: case_seen(first, now), disclosure: first.event, at, receipt })
    }

    /// How many of an agency's own records are shown, and what others hold of their persons. The same
    /// questions are asked of the database whoever they are, and nothing of others' records is opened.
    pub(super) async fn persons_of(
        &self,
        agency: &AgencyCode,
        names: &[RecordName],
        generation: i64,
    ) -> Result<(usize, Persons), SubjectError> {
        let mut by_feed: BTreeMap<&FeedCode, Vec<OpaqueRef>> = BTreeMap::new();
        for name in names {
            by_feed.entry(&name.feed).or_default().push(name.reference.clone());
        }
        let (mut found, mut components, mut persons) = (0, Vec::new(), BTreeSet::new());
        for (feed, references) in by_feed {
            let shown = self.store().shown_records(self.programme(), generation, (agency, feed), &references).await?;
            found += shown.len();
            components.extend(shown.iter().map(|record| record.component));
            persons.extend(shown.iter().map(|record| (record.component, record.person)));
        }
        components.sort_unstable();
        components.dedup();
        let everybody = self.store().records_of_components(generation, &components).await?;
        let own: Vec<&PersonRecord> = everybody.iter().filter(|record| persons.contains(&record.person)).collect();
        let is_shielded = own.iter().any(|record| record.is_shielded);
        let shielding = everybody.iter().filter(|record| is_shielded && record.is_restricted);
        let shielding: BTreeSet<AgencyCode> = shielding.map(|record| record.name.agency.clone()).collect();
        let others = own.into_iter().filter(|record| record.name.agency != *agency);
        Ok((found, Persons { others: others.map(|record| record.name.clone()).collect(), shielding }))
    }

    /// The part of the shield officers: of one length in every case.
    fn seal_shield_part(&self, id: SubjectCaseId, persons: &Persons) -> Result<Vec<u8>, AppError> {
        let is_theirs = !persons.shielding.is_empty();
        let named = persons.others.iter().filter(|_| is_theirs).take(MOST_SHIELDED);
        let named = named.map(|it| ShieldedRecord { agency: &it.agency, feed: &it.feed, reference: &it.reference });
        let part = ShieldPart {
            shielding: persons.shielding.iter().collect(),
            records: named.collect(),
            more: is_theirs && persons.others.len() > MOST_SHIELDED,
        };
        let plain = serde_json::to_vec(&part).map_err(|_| AppError::Internal("a part cannot be written"))?;
        let key = &self.keys().shield;
        let sealed = seal::seal(self.random(), key, labels::SUBJECT_SHIELD, id.as_bytes(), &plain, SHIELD_PADDED);
        sealed.map_err(|_| AppError::Internal("a part for the shield officers cannot be sealed"))
    }

    /// The parts of other controllers: none where a shield reaches the person.
    fn parts_for(&self, persons: &Persons) -> Result<Vec<NewPart>, AppError> {
        let mut by_controller: BTreeMap<&AgencyCode, Vec<OwnName>> = BTreeMap::new();
        for name in persons.others.iter().filter(|_| persons.shielding.is_empty()) {
            let own = OwnName { feed: name.feed.clone(), reference: name.reference.clone() };
            by_controller.entry(&name.agency).or_default().push(own);
        }
        let mut parts = Vec::new();
        for (controller, records) in by_controller {
            // A controller with more than one part can hold gets several; that is its own doing alone.
            for records in records.chunks(MOST_RECORDS) {
                let id = SubjectPartId::new(self.random_number());
                let sealed = self.seal_records(PART_PLACE, id.as_bytes(), records)?;
                parts.push(NewPart { id, controller: controller.clone(), sealed });
            }
        }
        Ok(parts)
    }
}

fn as_text<S: serde::Serializer>(right: &SubjectRight, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(right.as_str())
}
