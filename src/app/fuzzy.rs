//! Fuzzy encodings take effect (privacy profile C): records that neither match keys nor people nor weights
//! join, and whose encodings are alike, become pairs in force, and those that are alike no longer are
//! taken back. One transaction changes the pairs and writes the log entry; the publisher then brings the
//! pairs into the links.
//!
//! A command with the match run's private key does this; `porth serve` has no such key. The encoding
//! profile is given with the command, and its hash stands in every encoding: the threshold, which is
//! part of the profile, cannot be another one than the agencies agreed to.
//!
//! Nobody whom a shield reaches is compared, and the pairs by which one reaches them stay: no encoding,
//! compared or withdrawn, ever lifts a shield.

use std::collections::{BTreeMap, BTreeSet};

use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use super::likeness::{FoundPairs, MOST_TRIES, Opened, barred_by, in_force_of, names_of};
use super::policies::Policies;
use super::publish::link_tokens;
use crate::crypto::random::uuid_v7;
use crate::crypto::seal::SealKeyPair;
use crate::domain::agreement::Profile;
use crate::domain::clk::{Clk, EncodingProfile};
use crate::domain::ids::EventId;
use crate::domain::pair::{PairNames, PairOrigin};
use crate::linkage::conflict::ConflictProfile;
use crate::linkage::dice::{Band, DiceError};
use crate::linkage::fuzzy::{FuzzyRecord, join};
use crate::linkage::record::{LinkRecord, RecordKey};
use crate::linkage::rules::{FUZZY, LinkRules};
use crate::store::{StoredPair, Tx, View};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Code, FuzzyStep};

/// What an application came to. Nobody whom a shield reaches is in any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppliedFuzzy {
    /// Records that may be compared now.
    pub records: u64,
    /// Those of them that have an encoding of this profile.
    pub encoded: u64,
    /// Pairs that came into force.
    pub joined: u64,
    /// Pairs that no longer stand.
    pub parted: u64,
}

/// The records of a visible generation that may be compared, opened and put side by side.
struct Comparison {
    view: View,
    records: Vec<FuzzyRecord<RecordKey>>,
    repeats: Vec<u16>,
    /// What each record conflicts with, in the order of the records.
    conflicts: Vec<ConflictProfile>,
    /// The pairs that holders refused or parted.
    barred: BTreeSet<(RecordKey, RecordKey)>,
    rules: LinkRules,
}

/// What the entry says beside the pairs.
struct Account<'a> {
    step: &'static str,
    encoding: Option<&'a EncodingProfile>,
    /// Records that took part, and how many had an encoding.
    took_part: Option<(u64, u64)>,
    by: &'a Code,
}

impl Gateway {
    /// Compares the encodings of one encoding profile and lets what comes of it take effect. Whatever
    /// an earlier time let stand and this one does not is taken back, pairs of other encoding profiles
    /// among it. Run again without anything having changed, it changes no pair.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] where the encoding profile does not fit the programme, the key is another, the
    /// threshold tells nobody from anybody, or `by` is no account; [`AppError::Interrupted`] when
    /// records keep changing; database errors.
    pub async fn apply_fuzzy(
        &self,
        key: &SealKeyPair,
        encoding: &EncodingProfile,
        by: &str,
    ) -> Result<AppliedFuzzy, AppError> {
        let by = code(by)?;
        for _ in 0..MOST_TRIES {
            if let Some(applied) = self.try_to_apply_fuzzy(key, encoding, &by).await? {
                self.wake_sequencer();
                self.wake_publisher();
                return Ok(applied);
            }
        }
        Err(AppError::Interrupted)
    }

    /// Takes the fuzzy pairs back; gives how many.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when none can be taken back, or `by` is no account;
    /// [`AppError::Interrupted`] when records keep changing; database errors.
    pub async fn withdraw_fuzzy(&self, by: &str) -> Result<u64, AppError> {
        let by = code(by)?;
        for _ in 0..MOST_TRIES {
            if let Some(parted) = self.try_to_withdraw_fuzzy(&by).await? {
                self.wake_sequencer();
                self.wake_publisher();
                return Ok(parted);
            }
        }
        Err(AppError::Interrupted)
    }

    /// `None` when something changed meanwhile.
    async fn try_to_apply_fuzzy(
        &self,
        key: &SealKeyPair,
        encoding: &EncodingProfile,
        by: &Code,
    ) -> Result<Option<AppliedFuzzy>, AppError> {
        let standing = self.store().standing_pairs(self.programme()).await?;
        let in_force = in_force_of(PairOrigin::Fuzzy, &standing);
        let comparison = self.open_encodings(key, encoding, &standing).await?;
        let (view, records) = (comparison.view, comparison.records.len() as u64);
        let encoded = comparison.records.iter().filter(|record| record.clk.is_some()).count() as u64;
        let wanted = compare_apart(comparison, encoding.clone()).await?;
        let mut parted = in_force.clone();
        parted.retain(|pair| !wanted.contains_key(&pair.names));
        self.keep_what_carries_a_shield(view.generation, &mut parted).await?;
        let known: BTreeSet<&PairNames> = in_force.iter().map(|pair| &pair.names).collect();

        let mut tx = self.store().begin().await?;
        if !self.is_unchanged(&mut tx, view, &standing).await? {
            return Ok(None);
        }
        let now = tx.now().await?;
        let new = wanted.iter().filter(|(names, _)| !known.contains(names));
        let in_force = |(names, band): (&PairNames, &Band)| {
            self.found_pair(PairOrigin::Fuzzy, names.clone(), (None, in_words(*band)), now)
        };
        let found = FoundPairs { joined: new.map(in_force).collect(), parted };
        let (joined, parted) = (found.joined.len() as u64, found.parted.len() as u64);
        let account = Account { step: "apply", encoding: Some(encoding), took_part: Some((records, encoded)), by };
        self.change_fuzzy_pairs(&mut tx, View { now, ..view }, &account, &found).await?;
        tx.commit().await?;
        Ok(Some(AppliedFuzzy { records, encoded, joined, parted }))
    }

    async fn try_to_withdraw_fuzzy(&self, by: &Code) -> Result<Option<u64>, AppError> {
        let view = self.store().view(self.programme()).await?.ok_or_else(no_programme)?;
        let standing = self.store().standing_pairs(self.programme()).await?;
        let mut parted = in_force_of(PairOrigin::Fuzzy, &standing);
        self.keep_what_carries_a_shield(view.generation, &mut parted).await?;
        if parted.is_empty() {
            return Err(AppError::Policy("no fuzzy pair is in force that could be taken back".to_owned()));
        }
        let mut tx = self.store().begin().await?;
        if !self.is_unchanged(&mut tx, view, &standing).await? {
            return Ok(None);
        }
        let now = tx.now().await?;
        let found = FoundPairs { joined: Vec::new(), parted };
        let account = Account { step: "withdraw", encoding: None, took_part: None, by };
        self.change_fuzzy_pairs(&mut tx, View { now, ..view }, &account, &found).await?;
        tx.commit().await?;
        Ok(Some(found.parted.len() as u64))
    }

    /// Locks the programme; whether everything is as it was read.
    async fn is_unchanged(&self, tx: &mut Tx, view: View, standing: &[StoredPair]) -> Result<bool, AppError> {
        tx.lock_programme(self.programme()).await?;
        let decided_on = Some((view.policy_revision, view.generation));
        Ok(tx.decided_on(self.programme()).await? == decided_on
            && tx.standing_pairs(self.programme()).await? == standing)
    }

    /// Opens the encodings of records that may be compared now, and says which of them are one person
    /// by everything but encodings.
    async fn open_encodings(
        &self,
        key: &SealKeyPair,
        encoding: &EncodingProfile,
        standing: &[StoredPair],
    ) -> Result<Comparison, AppError> {
        let view = self.store().view(self.programme()).await?.ok_or_else(no_programme)?;
        let policies = self.policies_at(view.policy_revision).await?;
        self.check_blinding(&policies)?;
        encoding.check(policies.match_keys()).map_err(|faults| AppError::Policy(faults.to_string()))?;
        let (mut records, mut conflicts, mut linked) = (Vec::new(), Vec::new(), Vec::new());
        let each = |Opened { record, feed, evidence }: Opened| {
            let mut tokens = policies.matching(&record.tokens);
            tokens.retain(|token| token.kind != FUZZY);
            let tokens = link_tokens(&tokens);
            conflicts.push(ConflictProfile::of(&tokens, policies.link_rules()));
            let clk = evidence.clk.and_then(|clk| Clk::from_bytes(clk.as_bytes()));
            let clk = clk.filter(|clk| encoding.fits(clk) && policies.matches_in(clk.space().epoch));
            let key = RecordKey { agency: record.agency, feed: record.feed, reference: record.reference };
            linked.push(LinkRecord { key: key.clone(), tokens, households: Vec::new() });
            records.push(FuzzyRecord { key, feed, person: 0, clk });
        };
        let repeats = self.open_sealed(key, view, &policies, Profile::C, each).await?;
        number_persons(&policies, &linked, &mut records);
        let (barred, rules) = (barred_by(standing), policies.link_rules().clone());
        Ok(Comparison { view, records, repeats, conflicts, barred, rules })
    }

    /// Writes the pairs and the entry that says so.
    async fn change_fuzzy_pairs(
        &self,
        tx: &mut Tx,
        view: View,
        account: &Account<'_>,
        found: &FoundPairs,
    ) -> Result<(), AppError> {
        let id = EventId::new(uuid_v7(view.now, self.random()));
        let policies = self.policies_at(view.policy_revision).await?;
        let (records, encoded) = account.took_part.unwrap_or_default();
        let (joined, parted) = (found.joined.len() as u64, found.parted.len() as u64);
        let numbers = [("records", records), ("encoded", encoded), ("joined", joined), ("parted", parted)];
        let (commitments, opening) = self.commit_numbers(id, &numbers)?;
        let body = Body::FuzzyStep(FuzzyStep {
            step: code(account.step)?,
            privacy: code(WEAKEST)?,
            encoding_sha256: account.encoding.map(|encoding| Digest::new(*encoding.hash().as_bytes())),
            threshold_in_thousandths: account.encoding.map(|encoding| encoding.threshold().in_thousandths()),
            match_keys_sha256: Digest::new(*policies.match_keys().sha256()),
            generation: view.generation.unsigned_abs(),
            pairs_sha256: found.sha256(),
            by: account.by.clone(),
            commitments,
        });
        self.write_found_pairs(tx, found, (view.now, id)).await?;
        let mut event = self.event_with_id(id, view.now, body)?;
        event.openings = vec![opening];
        tx.add_events(&[&event]).await?;
        Ok(())
    }
}

/// What the entry says of profile C, as the agreements' checks and the agencies' commands do.
const WEAKEST: &str = "weakest-of-three";

impl Comparison {
    /// Whether two records cannot be one person, however alike.
    fn conflict(&self, a: usize, b: usize) -> bool {
        self.conflicts[a].conflicts_with(&self.conflicts[b], &self.rules)
            || (!self.barred.is_empty() && {
                let (a, b) = (self.records[a].key.clone(), self.records[b].key.clone());
                self.barred.contains(&if a < b { (a, b) } else { (b, a) })
            })
    }

    /// The pairs that stand, each with its band.
    fn pairs(&self, encoding: &EncodingProfile) -> Result<BTreeMap<PairNames, Band>, DiceError> {
        let found = join(&self.records, &self.repeats, encoding, &|a, b| self.conflict(a, b))?;
        let named = found.iter().filter_map(|pair| {
            let names = names_of((&self.records[pair.a].key, &self.records[pair.b].key))?;
            Some((names, pair.closeness.band(encoding.threshold())))
        });
        Ok(named.collect())
    }
}

/// Compares on a thread of its own: a large population would hold up every answer on this one.
async fn compare_apart(
    comparison: Comparison,
    encoding: EncodingProfile,
) -> Result<BTreeMap<PairNames, Band>, AppError> {
    let found = tokio::task::spawn_blocking(move || comparison.pairs(&encoding)).await;
    found.map_err(|_| AppError::Interrupted)?.map_err(|error| AppError::Policy(error.to_string()))
}

/// Gives the records of one person, by everything but encodings, one number.
fn number_persons(policies: &Policies, linked: &[LinkRecord], records: &mut [FuzzyRecord<RecordKey>]) {
    for (number, cluster) in (0..).zip(policies.persons(linked)) {
        for &member in cluster.members() {
            records[member].person = number;
        }
    }
}

/// The reason for a pair: what was compared, and the third in which the likeness lies.
fn in_words(band: Band) -> String {
    format!("fuzzy-encoding {}", band.as_str())
}

fn no_programme() -> AppError {
    AppError::Policy("no programme is loaded".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_names_the_encoding_and_a_band_and_no_number() {
        let words = [Band::Low, Band::Middle, Band::High].map(in_words);
        assert_eq!(words, ["fuzzy-encoding low", "fuzzy-encoding middle", "fuzzy-encoding high"]);
    }
}
