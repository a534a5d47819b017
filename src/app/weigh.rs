//! Weighing: what agencies sealed for match runs is opened with the match run's own key, weights are
//! learned from it by an explicit command, and pairs of records are weighed by frozen weights.
//!
//! `porth serve` has no such key and runs none of this.

use std::collections::{BTreeMap, BTreeSet};

use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::{Policies, hex};
use super::publish::link_tokens;
use super::submit::profile_place;
use crate::crypto::seal::SealKeyPair;
use crate::domain::agreement::Profile;
use crate::domain::ids::{AgencyCode, FeedCode};
use crate::domain::labels::PROFILE_BLOB;
use crate::domain::match_keys::{MatchKeys, Normaliser};
use crate::domain::profile::ProfileEvidence;
use crate::linkage::conflict::ConflictProfile;
use crate::linkage::record::RecordKey;
use crate::linkage::rules::LinkRules;
use crate::linkage::weigh::{
    Comparison, FieldEvidence, FieldRecord, FieldToken, LearnError, Millibits, Population, Role, Shape, Since, Weights,
    WeightsError, learn, weigh,
};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, WeightsLearned};

/// Records that are read at once.
const PAGE: i64 = 500;

/// The records of a visible generation that may be weighed, opened and put side by side.
pub struct Weighing {
    generation: i64,
    match_keys: String,
    population: Population<RecordKey>,
    /// What each record conflicts with, by its number in the population.
    conflicts: Vec<ConflictProfile>,
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
        let policies = self.current_policies().await?;
        let shape = shape(policies.match_keys())?;
        let slots = slots(&policies);
        let view = self.store().view(self.programme()).await?;
        let generation = view.map_or(0, |view| view.generation);
        let now = self.store().now().await?;
        let feeds = self.visible_feeds(generation).await?;
        let numbers: BTreeMap<(AgencyCode, FeedCode), u16> = (0..)
            .zip(feeds.iter().filter(|feed| policies.may_weigh(feed, Profile::B, now)))
            .map(|(number, feed)| ((feed.agency.clone(), feed.feed.clone()), number))
            .collect();
        let repeats: Vec<u16> = numbers
            .iter()
            .filter(|((agency, feed), _)| policies.match_keys().may_repeat(agency, feed))
            .map(|(_, number)| *number)
            .collect();

        let (mut records, mut conflicts, mut after) = (Vec::new(), Vec::new(), 0);
        loop {
            let page = self.store().weighable_records(self.programme(), generation, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.record.id;
            for weighable in page {
                let record = weighable.record;
                let Some(feed) = numbers.get(&(record.agency.clone(), record.feed.clone())) else { continue };
                if policies.holds_retired(&record.tokens) {
                    continue;
                }
                let place = profile_place(self.programme(), record.id);
                let plain = key.open(PROFILE_BLOB, &place, &weighable.sealed);
                let plain = plain.map_err(|_| AppError::Policy(ANOTHER_KEY.to_owned()))?;
                let evidence = ProfileEvidence::from_bytes(&plain);
                let evidence = evidence.map_err(|_| AppError::Internal("evidence of a match run is malformed"))?;
                let mut tokens = link_tokens(&record.tokens);
                tokens.retain(|token| policies.matches_in(token.epoch));
                conflicts.push(ConflictProfile::of(&tokens, policies.link_rules()));
                records.push(FieldRecord {
                    key: RecordKey { agency: record.agency, feed: record.feed, reference: record.reference },
                    feed: *feed,
                    tokens: field_tokens(&evidence, &slots, &policies),
                });
            }
        }
        let population = Population::new(shape, records, &repeats);
        let conflicts = (0..population.len() as u32).map(|at| conflicts[population.place(at)].clone()).collect();
        Ok(Weighing {
            generation,
            match_keys: hex(policies.match_keys().sha256()),
            population,
            conflicts,
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
        let body = Body::WeightsLearned(WeightsLearned {
            weights_sha256: Digest::new(weights.sha256()),
            match_keys_sha256: Digest::new(*self.current_policies().await?.match_keys().sha256()),
            generation: weighing.generation.unsigned_abs(),
            records: learned.records,
            accepted: estimate.accepted,
            false_links_per_10000_in_thousandths: estimate.false_links_per_10000_in_thousandths,
            by,
        });
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(weights)
    }
}

const ANOTHER_KEY: &str = "evidence of the records does not open: the key is not the one that they were sealed to; \
                           after a change of key agencies have to submit again";

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
    }
}

/// What is compared, as the match keys declare it.
fn shape(match_keys: &MatchKeys) -> Result<Shape, AppError> {
    let comparison = |weighed: &crate::domain::match_keys::FieldTokens| {
        let field = &match_keys.fields()[weighed.field];
        Comparison {
            name: field.name.clone(),
            levels: weighed.levels.iter().map(|level| level.label.clone()).collect(),
            role: role(field.normaliser),
            needed: weighed.needed,
        }
    };
    let shape = Shape::new(match_keys.field_tokens().iter().map(comparison).collect());
    let shape =
        shape.map_err(|_| AppError::Policy("the programme's match keys declare no weighed field".to_owned()))?;
    // A public test set of unrelated people has no twins to be told apart.
    Ok(if match_keys.is_for_a_test_set() { shape.without_kin() } else { shape })
}

fn role(normaliser: Normaliser) -> Role {
    match normaliser {
        Normaliser::Forename => Role::Forename,
        Normaliser::Surname => Role::Surname,
        Normaliser::Date(_) | Normaliser::ExpectedDate(_) => Role::Date,
        _ if normaliser.is_place() => Role::Place,
        _ => Role::Identifier,
    }
}

/// Field and level of each kind of field token.
fn slots(policies: &Policies) -> BTreeMap<u16, (u8, u8)> {
    let mut slots = BTreeMap::new();
    for (field, weighed) in (0..).zip(policies.match_keys().field_tokens()) {
        for (level, declared) in (0..).zip(&weighed.levels) {
            slots.extend(policies.kind(&declared.name).map(|kind| (kind, (field, level))));
        }
    }
    slots
}

fn field_tokens(evidence: &ProfileEvidence, slots: &BTreeMap<u16, (u8, u8)>, policies: &Policies) -> Vec<FieldToken> {
    if evidence.layers != policies.blinding().layers {
        return Vec::new(); // blinded as no token of today is: the agency has to submit again
    }
    let live = evidence.tokens.iter().filter(|token| policies.matches_in(token.epoch));
    live.filter_map(|token| {
        let &(comparison, level) = slots.get(&token.kind)?;
        Some(FieldToken { comparison, level, epoch: token.epoch, value: token.value })
    })
    .collect()
}
