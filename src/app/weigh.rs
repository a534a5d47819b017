//! Weighing: what agencies sealed for match runs is opened with the match run's own key, weights are
//! learned from it by an explicit command, and pairs of records are weighed by frozen weights.
//!
//! `porth serve` has no such key and runs none of this.
//!
//! | file | what |
//! |---|---|
//! | `fields` | the weighed fields as the match keys declare them |
//! | [`apply`] | what frozen weights accept joins records, until they are withdrawn |

pub mod apply;
mod fields;

use std::collections::{BTreeMap, BTreeSet};

use self::fields::{field_tokens, shape, slots};
use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use super::likeness::{Opened, barred_by, keys_of, name_of, record_name};
use super::policies::hex;
use super::publish::link_tokens;
use crate::crypto::random::uuid_v7;
use crate::crypto::seal::SealKeyPair;
use crate::domain::agreement::Profile;
use crate::domain::ids::EventId;
use crate::domain::labels;
use crate::domain::pair::RecordName;
use crate::domain::profile::ProfileEvidence;
use crate::linkage::conflict::ConflictProfile;
use crate::linkage::record::{LinkToken, RecordKey};
use crate::linkage::rules::{LinkRules, is_reserved};
use crate::linkage::weigh::{
    FieldEvidence, FieldRecord, LearnError, Millibits, Population, Since, Weights, WeightsError, learn, weigh,
};
use crate::store::{LinkableRecord, StoredPair};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, NumberCommitments, WeightsLearned};

/// The records of a visible generation that may be weighed, opened and put side by side.
pub struct Weighing {
    generation: i64,
    policy_revision: i64,
    match_keys: String,
    population: Population<RecordKey>,
    /// What each record conflicts with, by its number in the population.
    conflicts: Vec<ConflictProfile>,
    /// What each record is, by its number: another tag is another record.
    tags: Vec<[u8; 16]>,
    /// The pairs that holders refused or parted.
    barred: BTreeSet<(RecordKey, RecordKey)>,
    /// Records whose evidence was sealed before the blinding key changed: nothing can be said of them.
    unread: BTreeSet<RecordName>,
    rules: LinkRules,
}

/// What is new since an earlier run, by the records' own keys.
#[derive(Debug, Clone, Default)]
pub struct Arrivals {
    /// The records that are new or changed: only pairs with one of them are weighed.
    pub records: BTreeSet<RecordKey>,
    /// Pairs of the others that an earlier run let stand.
    pub standing: Vec<(RecordKey, RecordKey)>,
}

/// Two records that weights join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedPair {
    /// The record with the smaller key.
    pub a: RecordKey,
    /// The record with the larger key.
    pub b: RecordKey,
    /// The odds that they are one person, in thousandths of a bit.
    pub odds: Millibits,
    /// What each field says, by name; never a value.
    pub evidence: Vec<FieldEvidence>,
}

impl Gateway {
    /// Opens what was sealed for match runs, as far as it may be weighed now: not of restricted
    /// people or whom a shield reaches, not of suspended feeds, not under an agreement that is not in
    /// force or no longer has the profile, and no token of an epoch that ended.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] where the programme weighs no field or the key is another; database errors.
    pub async fn open_weighing(&self, key: &SealKeyPair) -> Result<Weighing, AppError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let generation = view.generation;
        let policies = self.policies_at(view.policy_revision).await?;
        self.check_blinding(&policies)?;
        let shape = shape(policies.match_keys())?;
        let slots = slots(&policies);
        let (mut records, mut conflicts, mut tags) = (Vec::new(), Vec::new(), Vec::new());
        let mut unread = BTreeSet::new();
        let each = |Opened { record, feed, evidence }: Opened| {
            let mut tokens = link_tokens(&record.tokens);
            tokens.retain(|token| policies.matches_in(token.epoch));
            if evidence.layers != policies.blinding().layers {
                unread.insert(record_name(&record));
            }
            conflicts.push(ConflictProfile::of(&tokens, policies.link_rules()));
            tags.push(key.tag(labels::WEIGHED_RECORD, &all_that_is_weighed(&record, &tokens, &evidence)));
            let tokens = field_tokens(&evidence, &slots, &policies);
            let key = RecordKey { agency: record.agency, feed: record.feed, reference: record.reference };
            records.push(FieldRecord { key, feed, tokens });
        };
        let repeats = self.open_sealed(key, view, &policies, Profile::B, each).await?;
        let population = Population::new(shape, records, &repeats);
        let conflicts = (0..population.len() as u32).map(|at| conflicts[population.place(at)].clone()).collect();
        let tags = (0..population.len() as u32).map(|at| tags[population.place(at)]).collect();
        let standing = self.store().standing_pairs(self.programme()).await?;
        Ok(Weighing {
            generation,
            policy_revision: view.policy_revision,
            match_keys: hex(policies.match_keys().sha256()),
            population,
            conflicts,
            tags,
            barred: barred_by(&standing),
            unread,
            rules: policies.link_rules().clone(),
        })
    }

    /// Learns weights from the visible generation and writes that into the log.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when there is too little to learn from, or `by` is no account; database
    /// errors.
    pub async fn learn_weights(&self, key: &SealKeyPair, by: &str) -> Result<Weights, AppError> {
        let by = code(by)?;
        let weighing = self.open_weighing(key).await?;
        let (weighing, weights) = tokio::task::spawn_blocking(move || {
            let weights = weighing.learn();
            (weighing, weights)
        })
        .await
        .map_err(|_| AppError::Interrupted)?;
        let weights = weights.map_err(|error| AppError::Policy(error.to_string()))?;
        let (learned, estimate) = (weights.learned(), weights.estimate());
        let id = EventId::new(uuid_v7(self.store().now().await?, self.random()));
        let numbers = [("records", learned.records), ("accepted", estimate.accepted)];
        let (commitments, opening) = self.commit_numbers(id, &numbers)?;
        let body = Body::WeightsLearned(WeightsLearned {
            weights_sha256: Digest::new(weights.sha256()),
            match_keys_sha256: Digest::new(*self.current_policies().await?.match_keys().sha256()),
            generation: weighing.generation.unsigned_abs(),
            records: None,
            accepted: None,
            false_links_per_10000_in_thousandths: estimate.false_links_per_10000_in_thousandths,
            by,
            commitments: Some(commitments),
        });
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let mut event = self.event_with_id(id, now, body)?;
        event.openings = vec![opening];
        tx.add_events(&[&event]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(weights)
    }
}

impl Gateway {
    /// Commits to what was counted among records, which an entry must not say in clear.
    pub(super) fn commit_numbers(
        &self,
        id: EventId,
        numbers: &[(&str, u64)],
    ) -> Result<(NumberCommitments, (&'static str, Vec<u8>)), AppError> {
        let numbers: BTreeMap<&str, u64> = numbers.iter().copied().collect();
        let numbers = serde_json::to_vec(&numbers).map_err(|_| AppError::Internal("numbers cannot be written"))?;
        let (numbers, sealed) = self.commit(id, "numbers", numbers, NUMBERS_LENGTH)?;
        Ok((NumberCommitments { numbers }, ("numbers", sealed)))
    }
}

/// The sealed opening of what was counted.
const NUMBERS_LENGTH: usize = 256;

impl Weighing {
    /// The generation that was read.
    pub fn generation(&self) -> i64 {
        self.generation
    }

    /// How many records may be weighed.
    pub fn len(&self) -> usize {
        self.population.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.population.is_empty()
    }

    /// Learns weights.
    ///
    /// # Errors
    ///
    /// [`LearnError`] when there is too little to learn from.
    pub fn learn(&self) -> Result<Weights, LearnError> {
        learn(&self.population, self.match_keys.clone(), &|a, b| self.conflict(a, b))
    }

    /// Reads frozen weights for these records.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] when they are malformed or belong to other match keys.
    pub fn weights(&self, text: &[u8]) -> Result<Weights, WeightsError> {
        let weights = Weights::parse(text, self.population.shape())?;
        if weights.match_keys() == self.match_keys { Ok(weights) } else { Err(WeightsError::OtherFields) }
    }

    /// What is new since an earlier run, which let these pairs stand among records with these tags.
    fn arrivals(&self, before: &BTreeMap<RecordName, [u8; 16]>, in_force: &[StoredPair]) -> Arrivals {
        let numbers: BTreeMap<RecordName, u32> = self.names().zip(0..).collect();
        let is_as_before = |name: &RecordName, at: u32| before.get(name) == Some(&self.tags[at as usize]);
        let arrived = numbers.iter().filter(|(name, at)| !is_as_before(name, **at));
        let stands = |pair: &&StoredPair| {
            let [a, b] = pair.names.both();
            let (Some(&first), Some(&second)) = (numbers.get(a), numbers.get(b)) else { return false };
            is_as_before(a, first)
                && is_as_before(b, second)
                && self.population.may_match(first, second)
                && !self.conflict(first, second)
        };
        Arrivals {
            records: arrived.map(|(_, at)| self.population.key(*at).clone()).collect(),
            standing: in_force.iter().filter(stands).map(|pair| keys_of(&pair.names)).collect(),
        }
    }

    /// The records' names, by their numbers.
    fn names(&self) -> impl Iterator<Item = RecordName> {
        (0..self.population.len() as u32).map(|at| name_of(self.population.key(at)))
    }

    /// The pairs that weights join, strongest first; with `arrivals`, only those with a new record.
    pub fn accepted(&self, weights: &Weights, arrivals: Option<&Arrivals>) -> Vec<AcceptedPair> {
        let conflict = |a, b| self.conflict(a, b);
        let pairs = match arrivals {
            None => weigh(&self.population, weights, None, &conflict),
            Some(arrivals) => {
                let everybody = 0..self.population.len() as u32;
                let numbers: BTreeMap<&RecordKey, u32> = everybody.map(|at| (self.population.key(at), at)).collect();
                let arrived = arrivals.records.iter().filter_map(|key| numbers.get(key).copied()).collect();
                let pair = |(a, b): &(RecordKey, RecordKey)| Some((*numbers.get(a)?, *numbers.get(b)?));
                let standing: Vec<(u32, u32)> = arrivals.standing.iter().filter_map(pair).collect();
                let since = Since { arrived: &arrived, standing: &standing };
                weigh(&self.population, weights, Some(since), &conflict)
            }
        };
        let scorer = weights.scorer(&self.population);
        let accepted = pairs.iter().map(|pair| AcceptedPair {
            a: self.population.key(pair.a).clone(),
            b: self.population.key(pair.b).clone(),
            odds: pair.odds,
            evidence: scorer.explain(pair.a, pair.b),
        });
        accepted.collect()
    }

    fn conflict(&self, a: u32, b: u32) -> bool {
        self.conflicts[a as usize].conflicts_with(&self.conflicts[b as usize], &self.rules)
            || (!self.barred.is_empty() && {
                let (a, b) = (self.population.key(a).clone(), self.population.key(b).clone());
                self.barred.contains(&if a < b { (a, b) } else { (b, a) })
            })
    }
}

/// All that decides how a record is weighed.
fn all_that_is_weighed(record: &LinkableRecord, tokens: &[LinkToken], evidence: &ProfileEvidence) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in [record.agency.as_str(), record.feed.as_str(), record.reference.as_str()] {
        bytes.extend_from_slice(part.as_bytes());
        bytes.push(b'/');
    }
    let mut own: Vec<&LinkToken> = tokens.iter().filter(|token| !is_reserved(token.kind)).collect();
    own.sort_unstable();
    for token in own {
        bytes.extend_from_slice(&token.kind.to_be_bytes());
        bytes.extend_from_slice(&token.epoch.to_be_bytes());
        bytes.extend_from_slice(token.value.as_bytes());
    }
    bytes.push(b'/');
    let mut evidence = evidence.clone();
    evidence.tokens.sort_unstable();
    bytes.extend_from_slice(&evidence.to_bytes());
    bytes
}
