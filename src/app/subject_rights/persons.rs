//! Whose records a case is about now, and whether a shield reaches the person. It is found anew whenever
//! something of a case is shown: a shield may have come after the case was opened.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::seal;
use crate::domain::ids::{AgencyCode, FeedCode, OpaqueRef, SubjectCaseId};
use crate::domain::labels;
use crate::domain::pair::RecordName;
use crate::store::{PersonRecord, StoreError, StoredCase, Tx, View};

/// What the shield officers' part is padded to, in every case.
const SHIELD_PADDED: usize = 8 * 1024;
/// Records that are named in it; of more than these an officer is told that there are more.
const MOST_SHIELDED: usize = 48;

/// How often something is looked at anew because agreements or records changed before the lock was had.
pub(super) const TRIES: usize = 4;

/// Everybody's records of the persons whom a case is about.
#[derive(Default)]
pub(super) struct Persons {
    /// The own records that the feeds show now.
    pub(super) shown: BTreeSet<RecordName>,
    /// Other agencies' records.
    pub(super) others: BTreeSet<RecordName>,
    /// A shield reaches them. While an epoch of the linkage key is frozen one may, although no record that
    /// restricts them is in reach.
    pub(super) is_shielded: bool,
    /// The agencies whose restriction reaches them, as far as it is in reach.
    pub(super) shielding: BTreeSet<AgencyCode>,
}

impl Persons {
    /// Whether the feeds show every one of these.
    pub(super) fn shows_all(&self, names: &[RecordName]) -> bool {
        names.iter().all(|name| self.shown.contains(name))
    }
}

/// What the shield officers find in their part of a case.
#[derive(Serialize)]
struct ShieldPart<'a> {
    /// A shield reaches the person.
    shielded: bool,
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

impl Gateway {
    pub(super) async fn view_now(&self) -> Result<View, AppError> {
        let view = self.store().view(self.programme()).await?;
        view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))
    }

    /// A transaction that holds the programme's row, in which agreements and records are still those of a
    /// view; `None` if they changed.
    pub(super) async fn begin_at(&self, view: &View) -> Result<Option<Tx>, StoreError> {
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let present = tx.decided_on(self.programme()).await?;
        Ok((present == Some((view.policy_revision, view.generation))).then_some(tx))
    }

    /// Which of an agency's own records are shown, and what others hold of their persons. The same
    /// questions are asked of the database whoever they are, and nothing of others' records is opened.
    pub(super) async fn persons_of(
        &self,
        agency: &AgencyCode,
        names: &[RecordName],
        generation: i64,
    ) -> Result<Persons, AppError> {
        let mut by_feed: BTreeMap<&FeedCode, Vec<OpaqueRef>> = BTreeMap::new();
        for name in names {
            by_feed.entry(&name.feed).or_default().push(name.reference.clone());
        }
        let (mut found, mut components, mut persons) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        for (feed, references) in by_feed {
            let shown = self.store().shown_records(self.programme(), generation, (agency, feed), &references).await?;
            components.extend(shown.iter().map(|record| record.component));
            persons.extend(shown.iter().map(|record| (record.component, record.person)));
            found.extend(shown.into_iter().map(|record| RecordName {
                agency: agency.clone(),
                feed: feed.clone(),
                reference: record.reference,
            }));
        }
        components.sort_unstable();
        components.dedup();
        let everybody = self.store().records_of_components(generation, &components).await?;
        let own: Vec<&PersonRecord> = everybody.iter().filter(|record| persons.contains(&record.person)).collect();
        let is_shielded = own.iter().any(|record| record.is_shielded);
        let shielding = everybody.iter().filter(|record| is_shielded && record.is_restricted);
        let shielding: BTreeSet<AgencyCode> = shielding.map(|record| record.name.agency.clone()).collect();
        let others = own.into_iter().filter(|record| record.name.agency != *agency);
        let others = others.map(|record| record.name.clone()).collect();
        Ok(Persons { shown: found, others, is_shielded, shielding })
    }

    /// Other controllers' records that a case reaches now. `None` where a shield reaches the person, or a
    /// feed does not show every record of the case any more: what a shield would reach cannot be seen then.
    pub(super) async fn case_reach(
        &self,
        case: &StoredCase,
        generation: i64,
    ) -> Result<Option<BTreeSet<RecordName>>, AppError> {
        let names = self.records_of_case(case)?;
        let persons = self.persons_of(&case.agency, &names, generation).await?;
        let is_open = !persons.is_shielded && persons.shows_all(&names);
        Ok(is_open.then_some(persons.others))
    }

    /// The part of the shield officers: of one length in every case.
    pub(super) fn seal_shield_part(&self, id: SubjectCaseId, persons: &Persons) -> Result<Vec<u8>, AppError> {
        let is_theirs = persons.is_shielded;
        let named = persons.others.iter().filter(|_| is_theirs).take(MOST_SHIELDED);
        let named = named.map(|it| ShieldedRecord { agency: &it.agency, feed: &it.feed, reference: &it.reference });
        let part = ShieldPart {
            shielded: is_theirs,
            shielding: persons.shielding.iter().collect(),
            records: named.collect(),
            more: is_theirs && persons.others.len() > MOST_SHIELDED,
        };
        let plain = serde_json::to_vec(&part).map_err(|_| AppError::Internal("a part cannot be written"))?;
        let key = &self.keys().shield;
        let sealed = seal::seal(self.random(), key, labels::SUBJECT_SHIELD, id.as_bytes(), &plain, SHIELD_PADDED);
        sealed.map_err(|_| AppError::Internal("a part for the shield officers cannot be sealed"))
    }
}
