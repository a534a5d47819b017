//! An agency reads which of its own records have no household evidence, because too many people of the
//! same file live at one address: a hostel, a caravan park, an address that fills in for a missing one.
//!
//! It depends on the rows of that one file alone, so it tells nothing of what anybody else delivered.
//! An address at which several agencies together have too many people is named to none of them: each
//! would learn that others know people there. The data team has their number in every match run.

use std::collections::{BTreeSet, HashMap};

use super::caller::AgencyCaller;
use super::error::AppError;
use super::gateway::Gateway;
use crate::domain::ids::{OpaqueRef, SubmissionId};
use crate::linkage::household::LARGEST_FAMILY;
use crate::store::{LinkableRecord, StoredToken};

/// References that are listed at the most.
const MOST: usize = 10_000;
/// Records that are read at a time.
const PAGE: i64 = 1000;

/// An address by the epoch of its token, and its blinded token.
type Address = (u32, [u8; 16]);

/// What too many records of one submission share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SharedAddresses {
    /// How many addresses have more records than a family has people.
    pub addresses: usize,
    /// How many records give such an address.
    pub records: usize,
    /// The first 10,000 of these records, by the agency's own references, ascending.
    pub references: Vec<OpaqueRef>,
}

impl Gateway {
    /// The addresses of a submission of the caller's agency that too many of its own records share.
    /// `None` if the agency has no such submission.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn shared_addresses(
        &self,
        caller: &AgencyCaller,
        id: SubmissionId,
    ) -> Result<Option<SharedAddresses>, AppError> {
        let found = self.store().submission(id).await?;
        if found.is_none_or(|submission| submission.agency != caller.agency) {
            return Ok(None);
        }
        let mut counts: HashMap<Address, usize> = HashMap::new();
        self.each_record(id, |record| {
            for address in addresses_of(record) {
                *counts.entry(address).or_default() += 1;
            }
        })
        .await?;
        counts.retain(|_, count| *count > LARGEST_FAMILY);
        let mut shared = SharedAddresses::default();
        // During a rotation of the linkage key an address has a token in each of two epochs.
        let newest = counts.keys().map(|(epoch, _)| *epoch).max();
        shared.addresses = counts.keys().filter(|(epoch, _)| Some(*epoch) == newest).count();
        self.each_record(id, |record| {
            if addresses_of(record).iter().any(|address| counts.contains_key(address)) {
                shared.records += 1;
                if shared.references.len() < MOST {
                    shared.references.push(record.reference.clone());
                }
            }
        })
        .await?;
        Ok(Some(shared))
    }

    /// The records of a submission by reference, ascending.
    async fn each_record(&self, id: SubmissionId, mut see: impl FnMut(&LinkableRecord)) -> Result<(), AppError> {
        let mut after: Option<OpaqueRef> = None;
        loop {
            let page = self.store().submission_records(id, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.reference.clone());
            page.iter().for_each(&mut see);
        }
    }
}

/// Each of a record's addresses once.
fn addresses_of(record: &LinkableRecord) -> BTreeSet<Address> {
    record.households.iter().map(|StoredToken { epoch, blinded, .. }| (*epoch, *blinded.as_bytes())).collect()
}
