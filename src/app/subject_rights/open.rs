//! A case is opened: the agency's own records, the parts of other controllers, and the part of the shield
//! officers, which every case has.

use std::collections::BTreeMap;

use serde::Serialize;

use super::persons::{Persons, TRIES};
use super::{ActingUser, CASE_PLACE, CaseSeen, Done, MOST_RECORDS, OwnName, PART_PLACE, Said, SubjectError, case_seen};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::seal::SealPublicKey;
use crate::domain::ids::{AgencyCode, SubjectCaseId, SubjectPartId};
use crate::domain::pair::RecordName;
use crate::domain::subject_case::{Clock, SubjectRight};
use crate::store::{NewPart, StoredCase};

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

        for _ in 0..TRIES {
            let opened = self.try_open(caller, new, &records, (&request_hash, &tag)).await?;
            if let Some(done) = opened {
                return Ok(done);
            }
        }
        Err(AppError::Interrupted.into())
    }

    /// `None` where agreements or records changed between the decision and the lock: a shield that came
    /// meanwhile must be seen.
    async fn try_open(
        &self,
        caller: &AgencyCaller,
        new: &NewCase,
        records: &[OwnName],
        (request_hash, tag): (&[u8; 32], &[u8; 32]),
    ) -> Result<Option<Done<CaseSeen>>, SubjectError> {
        let view = self.view_now().await?;
        let name = |own: &OwnName| RecordName {
            agency: caller.agency.clone(),
            feed: own.feed.clone(),
            reference: own.reference.clone(),
        };
        let names: Vec<RecordName> = records.iter().map(name).collect();
        let persons = self.persons_of(&caller.agency, &names, view.generation).await?;
        if !persons.shows_all(&names) {
            return Err(SubjectError::Record);
        }
        let id = SubjectCaseId::new(self.random_number());
        let shield = self.seal_shield_part(id, &persons)?;
        let sealed = self.seal_records(CASE_PLACE, id.as_bytes(), records)?;
        let parts = self.parts_for(&persons)?;

        let Some(mut tx) = self.begin_at(&view).await? else { return Ok(None) };
        let now = tx.now().await?;
        if let Some(first) = tx.case_of_request(&caller.agency, tag).await? {
            drop(tx);
            return self.opened_before(&first, request_hash, now).await.map(Some);
        }
        let clock = Clock::begin(now);
        let said = Said { action: "opened", due: clock.due_on(), ..Said::default() };
        let matter = (&*id.to_string(), new.right.as_str());
        let entry = self.subject_entry(caller, &new.user, matter, &said, &names, now)?;
        let reply_key = new.reply_key.clone().unwrap_or_default();
        let (agency, right, event) = (caller.agency.clone(), new.right, entry.id);
        let request_hash = *request_hash;
        let case = StoredCase { id, agency, right, clock, reply_key, request_hash, sealed, shield, event };
        if !tx.add_subject_case(self.programme(), &case, tag).await? {
            return Err(AppError::Interrupted.into()); // the same request, at the same moment: it is repeated
        }
        for part in &parts {
            tx.add_subject_part(id, part).await?;
        }
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(Some(self.done(&entry, case_seen(&case, now))?))
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

    /// The parts of other controllers: none where a shield reaches the person.
    fn parts_for(&self, persons: &Persons) -> Result<Vec<NewPart>, AppError> {
        let mut by_controller: BTreeMap<&AgencyCode, Vec<OwnName>> = BTreeMap::new();
        for name in persons.others.iter().filter(|_| !persons.is_shielded) {
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
