//! Which records of an answer came with a wrong delivery, and when that was shown.
//!
//! An entry names the newest delivery of each feed that it was answered from. A snapshot stands alone; a
//! delta stands on the deliveries before it, and what it says of a record replaces what they said.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::past::PastAnswer;
use crate::domain::claim::{Person, RecordName};
use crate::domain::ids::{AgencyCode, FeedCode, OpaqueRef, SubmissionId};
use crate::domain::recall::{Verdict, without};
use crate::domain::time::Timestamp;
use crate::store::{Submission, SubmissionState};

/// Records of one look at a delivery.
const PAGE: i64 = 2000;
/// Most deltas on one snapshot.
const MOST_STEPS: usize = 2000;

/// A delivery that was wrong, with what is remembered while entries are looked through.
pub(super) struct WrongDelivery {
    pub(super) delivery: Submission,
    /// For each delivery, those that it stands on, itself first.
    chains: HashMap<SubmissionId, Vec<SubmissionId>>,
    /// What each delivery has of records; `None` when its rows were removed.
    references: HashMap<SubmissionId, Option<BTreeSet<OpaqueRef>>>,
}

/// The records of an answer that came with the delivery, and whether that is certain.
struct FromDelivery {
    records: BTreeSet<RecordName>,
    is_certain: bool,
}

impl WrongDelivery {
    pub(super) fn new(delivery: Submission) -> Self {
        Self { delivery, chains: HashMap::new(), references: HashMap::new() }
    }

    /// Whether answers could rest on it at some moment of a time. It counts from the moment that it was received,
    /// a little before it was shown.
    pub(super) fn was_shown_between(&self, from: Timestamp, to: Timestamp) -> bool {
        let Submission { state, received_at, finished_at, .. } = &self.delivery;
        let end = match state {
            SubmissionState::Visible | SubmissionState::Withdrawing => None,
            SubmissionState::Replaced | SubmissionState::Withdrawn => *finished_at,
            SubmissionState::Staging
            | SubmissionState::Staged
            | SubmissionState::Publishing
            | SubmissionState::Failed => return false,
        };
        to >= *received_at && end.is_none_or(|end| from <= end)
    }

    /// Whether the records that were shown to somebody said what the delivery said. `submissions` are the newest
    /// of each feed at that moment.
    pub(super) async fn judge_shown(
        &mut self,
        gateway: &Gateway,
        submissions: &[(AgencyCode, FeedCode, SubmissionId)],
        records: &[RecordName],
    ) -> Result<Option<Verdict>, AppError> {
        let found = self.in_answer(gateway, submissions, records).await?;
        Ok(found.map(|found| if found.is_certain { Verdict::Wrong } else { Verdict::Unsettled }))
    }

    /// Judges an answer again without what the delivery said; `None` when it was not in the answer.
    pub(super) async fn judge_answer(
        &mut self,
        gateway: &Gateway,
        past: &PastAnswer,
        persons: &[Person],
    ) -> Result<Option<Verdict>, AppError> {
        let records: Vec<RecordName> = persons.iter().flat_map(|person| person.records.clone()).collect();
        let Some(found) = self.in_answer(gateway, past.submissions(), &records).await? else { return Ok(None) };
        let left = persons.iter().filter_map(|person| {
            let is_from = |&place: &usize| found.records.contains(&person.records[place]);
            let unsaid: BTreeSet<usize> = (0..person.records.len()).filter(is_from).collect();
            without(person, &unsaid).map(|person| person.member)
        });
        let mut readings = vec![left.collect::<Vec<_>>()];
        if !found.is_certain {
            readings.push(persons.iter().map(|person| person.member.clone()).collect());
        }
        Ok(Some(Verdict::of(past.answer(), past.mode(), &readings, &past.facts())))
    }

    /// Which records of an answer said what the delivery said; `None` when it was not in the answer.
    async fn in_answer(
        &mut self,
        gateway: &Gateway,
        submissions: &[(AgencyCode, FeedCode, SubmissionId)],
        records: &[RecordName],
    ) -> Result<Option<FromDelivery>, AppError> {
        let Submission { id, agency, feed, .. } = &self.delivery;
        let (id, agency, feed) = (*id, agency.clone(), feed.clone());
        let newest = submissions.iter().find(|(of, its, _)| *of == agency && *its == feed);
        let Some((_, _, newest)) = newest else { return Ok(None) };
        let chain = self.chain(gateway, *newest).await?;
        let Some(place) = chain.iter().position(|one| *one == id) else { return Ok(None) };
        let own = records.iter().filter(|record| record.agency == agency && record.feed == feed);
        let mut found = FromDelivery { records: BTreeSet::new(), is_certain: true };
        for record in own {
            match self.came_with(gateway, &chain[..=place], &record.reference).await? {
                Some(true) => drop(found.records.insert(record.clone())),
                Some(false) => {}
                None => {
                    found.records.insert(record.clone());
                    // Every record of a feed with one delivery came with it, removed or not.
                    found.is_certain &= chain.len() == 1;
                }
            }
        }
        Ok((!found.records.is_empty()).then_some(found))
    }

    /// Whether a record as an answer had it came with the last of these deliveries, newest first;
    /// `None` where rows were removed that would tell.
    async fn came_with(
        &mut self,
        gateway: &Gateway,
        chain: &[SubmissionId],
        reference: &OpaqueRef,
    ) -> Result<Option<bool>, AppError> {
        let Some((wrong, later)) = chain.split_last() else { return Ok(Some(false)) };
        for delivery in later {
            match self.has(gateway, *delivery, reference).await? {
                Some(true) => return Ok(Some(false)),
                Some(false) => {}
                None => return Ok(None),
            }
        }
        self.has(gateway, *wrong, reference).await
    }

    async fn has(
        &mut self,
        gateway: &Gateway,
        delivery: SubmissionId,
        reference: &OpaqueRef,
    ) -> Result<Option<bool>, AppError> {
        if let Entry::Vacant(place) = self.references.entry(delivery) {
            let mut references = BTreeSet::new();
            let mut after: Option<OpaqueRef> = None;
            loop {
                let page = gateway.store().submission_records(delivery, after.as_ref(), PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.reference.clone());
                references.extend(page.into_iter().map(|record| record.reference));
            }
            let stored = gateway.store().submission(delivery).await?.map_or(0, |it| it.rows_accepted);
            let is_whole = references.len() as i64 >= stored;
            place.insert(is_whole.then_some(references));
        }
        Ok(self.references[&delivery].as_ref().map(|references| references.contains(reference)))
    }

    async fn chain(&mut self, gateway: &Gateway, newest: SubmissionId) -> Result<Vec<SubmissionId>, AppError> {
        if let Some(chain) = self.chains.get(&newest) {
            return Ok(chain.clone());
        }
        let mut chain = vec![newest];
        while chain.len() < MOST_STEPS {
            let last = chain[chain.len() - 1];
            let Some(base) = gateway.store().submission(last).await?.and_then(|it| it.base) else { break };
            chain.push(base);
        }
        self.chains.insert(newest, chain.clone());
        Ok(chain)
    }
}
