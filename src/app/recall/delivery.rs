//! Which records of an answer came with a wrong delivery.
//!
//! An entry names the newest delivery of each feed that it was answered from. A snapshot stands alone; a
//! delta stands on the deliveries before it, and what it says of a record replaces what they said.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::past::PastAnswer;
use crate::domain::claim::RecordName;
use crate::domain::ids::{OpaqueRef, SubmissionId};
use crate::store::Submission;

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
pub(super) struct FromDelivery {
    pub(super) records: BTreeSet<RecordName>,
    pub(super) is_certain: bool,
}

impl WrongDelivery {
    pub(super) fn new(delivery: Submission) -> Self {
        Self { delivery, chains: HashMap::new(), references: HashMap::new() }
    }

    /// Which records of an answer said what the delivery said; `None` when it was not in the answer.
    pub(super) async fn in_answer(
        &mut self,
        gateway: &Gateway,
        past: &PastAnswer,
        records: &[RecordName],
    ) -> Result<Option<FromDelivery>, AppError> {
        let Submission { id, agency, feed, .. } = &self.delivery;
        let (id, agency, feed) = (*id, agency.clone(), feed.clone());
        let newest = past.submissions().iter().find(|(of, its, _)| *of == agency && *its == feed);
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
