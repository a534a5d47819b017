//! Pairs that commands of the match run find by likeness: what weighing and fuzzy encodings have in common.
//!
//! What agencies sealed for match runs is opened here, with the match run's private key, as far as it may
//! be compared now. What comes of it becomes pairs in force, or is taken back, in the transaction of a
//! log entry; the publisher then brings the pairs into the links, as it does with people's decisions.
//! `porth serve` has no such key and runs none of this.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use uuid::Builder;

use super::error::AppError;
use super::gateway::Gateway;
use super::policies::Policies;
use super::submit::profile_place;
use crate::crypto::random::random_bytes;
use crate::crypto::seal::SealKeyPair;
use crate::domain::agreement::Profile;
use crate::domain::ids::{AgencyCode, EventId, FeedCode, OpaqueRef, PairId};
use crate::domain::labels;
use crate::domain::pair::{PairNames, PairOrigin, PairState, RecordName};
use crate::domain::profile::ProfileEvidence;
use crate::domain::time::Timestamp;
use crate::linkage::record::RecordKey;
use crate::store::{LinkableRecord, PairChange, PairSide, StoredPair, Tx, View};
use crate::tlog::digest::Digest;

/// How often everything is compared anew because records or decisions changed meanwhile.
pub(super) const MOST_TRIES: usize = 4;
/// Records that are read at once.
const PAGE: i64 = 500;
const ANOTHER_KEY: &str = "evidence of the records does not open: the key is not the one that they were sealed to; \
                           after a change of key agencies have to submit again";

/// A record that may be compared now, with what was sealed for match runs.
pub(super) struct Opened {
    /// The record as linking reads it.
    pub(super) record: LinkableRecord,
    /// Its feed: the same number for the same feed within one reading.
    pub(super) feed: u16,
    /// Its evidence.
    pub(super) evidence: ProfileEvidence,
}

/// What changes at once.
#[derive(Default)]
pub(super) struct FoundPairs {
    /// Pairs that come into force.
    pub(super) joined: Vec<StoredPair>,
    /// Pairs that no longer stand.
    pub(super) parted: Vec<StoredPair>,
}

impl Gateway {
    /// Opens what was sealed for match runs, as far as it may be compared under a privacy profile now:
    /// not of restricted people or whom a shield reaches, not of suspended feeds, not under an agreement
    /// that is not in force or no longer has the profile, not of records that tell of an identity which
    /// its person left. Gives the numbers of the feeds in which one person may have several records.
    pub(super) async fn open_sealed(
        &self,
        key: &SealKeyPair,
        view: View,
        policies: &Policies,
        profile: Profile,
        mut each: impl FnMut(Opened),
    ) -> Result<Vec<u16>, AppError> {
        let feeds = self.visible_feeds(view.generation).await?;
        let numbers: BTreeMap<(AgencyCode, FeedCode), u16> = (0..)
            .zip(feeds.iter().filter(|feed| policies.may_weigh(feed, profile, view.now)))
            .map(|(number, feed)| ((feed.agency.clone(), feed.feed.clone()), number))
            .collect();
        let mut after = 0;
        loop {
            let page = self.store().weighable_records(self.programme(), view.generation, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.record.id;
            for weighable in page {
                let record = weighable.record;
                let Some(feed) = numbers.get(&(record.agency.clone(), record.feed.clone())) else { continue };
                if policies.holds_retired(&record.tokens) {
                    continue;
                }
                let place = profile_place(self.programme(), record.id);
                let plain = key.open(labels::PROFILE_BLOB, &place, &weighable.sealed);
                let plain = plain.map_err(|_| AppError::Policy(ANOTHER_KEY.to_owned()))?;
                let evidence = ProfileEvidence::from_bytes(&plain);
                let evidence = evidence.map_err(|_| AppError::Internal("evidence of a match run is malformed"))?;
                each(Opened { record, feed: *feed, evidence });
            }
        }
        let repeats = numbers.iter().filter(|((agency, feed), _)| policies.match_keys().may_repeat(agency, feed));
        Ok(repeats.map(|(_, number)| *number).collect())
    }

    /// A pair that comes into force.
    pub(super) fn found_pair(
        &self,
        origin: PairOrigin,
        names: PairNames,
        (weight, evidence): (Option<i64>, String),
        now: Timestamp,
    ) -> StoredPair {
        StoredPair {
            id: PairId::new(Builder::from_random_bytes(random_bytes(self.random())).into_uuid()),
            origin,
            names,
            weight,
            evidence,
            state: PairState::InForce,
            proposed_at: now,
            sides: [PairSide::default(); 2],
        }
    }

    /// Takes those pairs from the list of which a record is there and a shield reaches it: whatever is
    /// found or withdrawn never lifts a shield.
    pub(super) async fn keep_what_carries_a_shield(
        &self,
        generation: i64,
        pairs: &mut Vec<StoredPair>,
    ) -> Result<(), AppError> {
        let mut by_feed: BTreeMap<(AgencyCode, FeedCode), BTreeSet<OpaqueRef>> = BTreeMap::new();
        for name in pairs.iter().flat_map(|pair| pair.names.both()) {
            by_feed.entry((name.agency.clone(), name.feed.clone())).or_default().insert(name.reference.clone());
        }
        let mut shielded: BTreeSet<RecordName> = BTreeSet::new();
        for ((agency, feed), references) in by_feed {
            let references: Vec<OpaqueRef> = references.into_iter().collect();
            let shown = self.store().shown_records(self.programme(), generation, (&agency, &feed), &references).await?;
            for record in shown.into_iter().filter(|record| record.is_shielded) {
                shielded.insert(RecordName { agency: agency.clone(), feed: feed.clone(), reference: record.reference });
            }
        }
        pairs.retain(|pair| !pair.names.both().into_iter().any(|name| shielded.contains(name)));
        Ok(())
    }

    /// Writes the pairs that change; the log entry of this id has to go into the same transaction.
    pub(super) async fn write_found_pairs(
        &self,
        tx: &mut Tx,
        found: &FoundPairs,
        (now, id): (Timestamp, EventId),
    ) -> Result<(), AppError> {
        tx.add_pairs_in_force(self.programme(), &found.joined, (now, id)).await?;
        for pair in &found.parted {
            let reversed = StoredPair { state: PairState::Reversed, ..pair.clone() };
            tx.change_pair(&reversed, PairChange::Reversed(now, id)).await?;
        }
        Ok(())
    }
}

impl FoundPairs {
    /// SHA-256 over the pairs, a line each, in the order of their records.
    pub(super) fn sha256(&self) -> Digest {
        let mut text = String::new();
        for (word, pairs) in [("joined", &self.joined), ("parted", &self.parted)] {
            let mut pairs: Vec<&StoredPair> = pairs.iter().collect();
            pairs.sort_by(|a, b| a.names.cmp(&b.names));
            for pair in pairs {
                let [a, b] = pair.names.both().map(|it| format!("{}/{}/{}", it.agency, it.feed, it.reference.as_str()));
                let _ = writeln!(text, "{word} {a} {b} {} {}", pair.weight.unwrap_or_default(), pair.evidence);
            }
        }
        Digest::of(text.as_bytes())
    }
}

/// The pairs of an origin that are in force.
pub(super) fn in_force_of(origin: PairOrigin, standing: &[StoredPair]) -> Vec<StoredPair> {
    let is_of = |pair: &&StoredPair| pair.origin == origin && pair.state == PairState::InForce;
    standing.iter().filter(is_of).cloned().collect()
}

/// The pairs of which people said that the two are not one person: no likeness says otherwise.
pub(super) fn barred_by(standing: &[StoredPair]) -> BTreeSet<(RecordKey, RecordKey)> {
    let bars = |pair: &&StoredPair| match pair.state {
        PairState::Refused => pair.origin == PairOrigin::Confirmed,
        PairState::InForce => pair.origin == PairOrigin::Apart,
        PairState::Proposed | PairState::Reversed => false,
    };
    standing.iter().filter(bars).map(|pair| keys_of(&pair.names)).collect()
}

/// The name of a record.
pub(super) fn record_name(record: &LinkableRecord) -> RecordName {
    RecordName { agency: record.agency.clone(), feed: record.feed.clone(), reference: record.reference.clone() }
}

/// The name behind a record's key.
pub(super) fn name_of(key: &RecordKey) -> RecordName {
    RecordName { agency: key.agency.clone(), feed: key.feed.clone(), reference: key.reference.clone() }
}

/// The names behind two records' keys.
pub(super) fn names_of((a, b): (&RecordKey, &RecordKey)) -> Option<PairNames> {
    PairNames::new(name_of(a), name_of(b))
}

/// The keys of two records, the smaller first.
pub(super) fn keys_of(names: &PairNames) -> (RecordKey, RecordKey) {
    let [a, b] = names.both().map(|name| RecordKey {
        agency: name.agency.clone(),
        feed: name.feed.clone(),
        reference: name.reference.clone(),
    });
    (a, b)
}
