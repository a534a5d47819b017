//! The last stage: candidate families from the snapshot, what holders said before, and the reply. Nothing
//! else goes in, so that the same bytes come out again.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::log_entry::{Acting, Said};
use super::reply::StoredReply;
use super::{MatchRunError, RunCounts, RunGround, RunTerms, part};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::policies::Frozen;
use crate::domain::evidence::{Contribution, Deliveries, Facts};
use crate::domain::family::RecordName;
use crate::domain::ids::{AgencyCode, FeedCode};
use crate::domain::token::Token;
use crate::linkage::match_run::{
    Basis, BenefitsWord, CandidateFamily, Found, RunPerson, RunRecord, candidate_families, households_with_a_criterion,
    output, people,
};
use crate::linkage::record::{HouseholdToken, RecordKey};
use crate::store::{StoreError, StoredRun};
use crate::tlog::digest::Digest;

/// Lines of a page of the output.
const LINES: usize = 1000;

/// Everything that the stages are computed from.
pub(super) struct Material {
    pub(super) records: Vec<RunRecord>,
    pub(super) snapshot_sha256: Digest,
    set_aside: BTreeSet<RecordName>,
    frozen: Frozen,
    set: Contribution,
    deliveries: Deliveries,
    ground: RunGround,
    pub(super) reply: Option<StoredReply>,
}

/// What the stages came to.
pub(super) struct Stages {
    pub(super) output: Vec<u8>,
    pub(super) families: Vec<CandidateFamily>,
    pub(super) persons: u64,
    pub(super) households: u64,
    pub(super) quarantined: u64,
}

impl Gateway {
    /// Reads what a run's stages are computed from: its own pages, and the files by the hashes that it names.
    pub(super) async fn material(&self, run: &StoredRun, ground: &RunGround) -> Result<Material, MatchRunError> {
        let mut hash = Sha256::new();
        let mut records: Vec<RunRecord> = Vec::new();
        for (number, sealed) in self.store().run_pages(run.id, part::SNAPSHOT).await? {
            let plain = self.open_run_page(run.id, part::SNAPSHOT, number, &sealed)?;
            hash.update(Sha256::digest(&plain));
            let page: Vec<RunRecord> =
                serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt("a page of a match run"))?;
            records.extend(page);
        }
        let programme = self.store().document(ground.programme_sha256.as_bytes()).await?;
        let match_keys = self.store().document(ground.match_keys_sha256.as_bytes()).await?;
        let missing = StoreError::Corrupt("a file that a match run names is not in the database");
        let (Some(programme), Some(match_keys)) = (programme, match_keys) else { return Err(missing.into()) };
        let kinds = self.store().token_kinds(self.programme()).await?;
        let reply: Option<StoredReply> = self.run_page(run.id, part::REPLY).await?;
        let mut deliveries = ground.deliveries();
        if let (Some(ask), Some(reply)) = (&ground.asks, &reply) {
            deliveries.insert((ask.agency.clone(), ask.feed.clone()), reply.on.min(ground.as_at.date()));
        }
        Ok(Material {
            records,
            snapshot_sha256: Digest::new(hash.finalize().into()),
            set_aside: self.run_page(run.id, part::HOLDERS).await?.unwrap_or_default(),
            frozen: Frozen::of(&programme.body, &match_keys.body, &kinds)?,
            set: ground.permits.iter().cloned().collect(),
            deliveries,
            ground: ground.clone(),
            reply,
        })
    }

    /// Finds the families, keeps them sealed and closes the run, all in one transaction.
    pub(super) async fn close_match_run(
        &self,
        caller: &AgencyCaller,
        run: &StoredRun,
        ground: &RunGround,
        terms: &RunTerms,
    ) -> Result<(), MatchRunError> {
        let material = self.material(run, ground).await?;
        let listed: Option<Vec<Token>> = self.run_page(run.id, part::LIST).await?;
        let answered = material.reply.as_ref().map_or(0, |reply| reply.answers.len() as u64);
        let snapshot_sha256 = material.snapshot_sha256;
        let records = material.records.len() as u64;
        let found = tokio::task::spawn_blocking(move || material.result()).await;
        let found = found.map_err(|_| AppError::Interrupted)??;
        let counts = RunCounts {
            records,
            persons: found.persons,
            households: found.households,
            listed: listed.map_or(0, |list| list.len() as u64),
            answered,
            families: found.families.len() as u64,
            quarantined: found.quarantined,
        };
        let sha256 = Digest::of(&found.output);
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        let acting = Acting { caller, terms, policies: &policies, view };
        let said = Said {
            sha256: Some(sha256),
            snapshot_sha256: Some(snapshot_sha256),
            counts: counted(&counts),
            ..Said::default()
        };
        let entry = self.run_step_entry(&acting, run.id, "close", said)?;
        let text = serde_json::to_string(&counts).map_err(|_| AppError::Internal("counts cannot be written"))?;
        let lines: Vec<&[u8]> = found.output.split_inclusive(|byte| *byte == b'\n').collect();

        let mut tx = self.store().begin().await?;
        // The reply that was read is the one that is closed over.
        tx.lock_programme(self.programme()).await?;
        let has_reply = !tx.run_part(run.id, part::REPLY).await?.is_empty();
        if has_reply && answered == 0 {
            return Ok(()); // it came meanwhile: the next step closes over it
        }
        if !tx.close_run(run.id, &text, sha256.as_bytes(), view.now).await? {
            return Ok(());
        }
        for (number, page) in (0..).zip(lines.chunks(LINES)) {
            let sealed = self.seal_run_page(run.id, part::OUTPUT, number, &page.concat());
            tx.put_run_page(run.id, part::OUTPUT, number, &sealed).await?;
        }
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    /// The output of a closed run.
    pub(super) async fn output_of(&self, run: &StoredRun) -> Result<Vec<u8>, AppError> {
        let mut lines = Vec::new();
        for (number, sealed) in self.store().run_pages(run.id, part::OUTPUT).await? {
            lines.extend(self.open_run_page(run.id, part::OUTPUT, number, &sealed)?);
        }
        Ok(lines)
    }
}

impl Material {
    /// Runs all stages.
    pub(super) fn result(&self) -> Result<Stages, AppError> {
        self.with_people(|people, basis| {
            let households = self.stage1(people, basis).len() as u64;
            let word = self.word();
            let Found { families, quarantined } = candidate_families(people, word.as_ref(), basis);
            let output = output(&families).map_err(|_| AppError::Internal("families cannot be written"))?;
            Ok(Stages { output, families, persons: people.len() as u64, households, quarantined: quarantined as u64 })
        })
    }

    /// The addresses with a criterion met.
    pub(super) fn households(&self) -> BTreeSet<HouseholdToken> {
        self.with_people(|people, basis| self.stage1(people, basis))
    }

    fn stage1(&self, people: &[RunPerson], basis: &Basis<'_>) -> BTreeSet<HouseholdToken> {
        let asked = self.ground.asks.as_ref();
        asked.map(|ask| households_with_a_criterion(people, &ask.agency, basis)).unwrap_or_default()
    }

    fn with_people<T>(&self, work: impl FnOnce(&[RunPerson], &Basis<'_>) -> T) -> T {
        let programme = &self.frozen.programme;
        let facts = Facts::new(programme, &self.deliveries, &self.set, self.ground.as_at);
        let one_each = |key: &RecordKey| self.frozen.feed_of_one_each(&key.agency, &key.feed);
        let is_authoritative = |(agency, feed): &(AgencyCode, FeedCode)| {
            programme.feed(agency, feed).is_some_and(|feed| feed.authoritative_for_addresses)
        };
        let basis = Basis {
            rules: &self.frozen.link_rules,
            one_each: &one_each,
            facts: &facts,
            is_authoritative: &is_authoritative,
            threshold: usize::from(programme.eligibility().threshold_areas),
        };
        work(&people(&self.records, &self.set_aside, &basis), &basis)
    }

    fn word(&self) -> Option<BenefitsWord> {
        let (ask, reply) = (self.ground.asks.as_ref()?, self.reply.as_ref()?);
        let met: BTreeSet<&Token> =
            reply.answers.iter().filter(|answer| answer.met).map(|answer| &answer.token).collect();
        let mut homes: BTreeMap<HouseholdToken, bool> = BTreeMap::new();
        for home in self.records.iter().flat_map(|record| &record.homes) {
            let is_met = home.made.as_ref().is_some_and(|(_, token)| met.contains(token));
            *homes.entry(HouseholdToken { epoch: home.epoch, value: home.value }).or_default() |= is_met;
        }
        Some(BenefitsWord {
            agency: ask.agency.clone(),
            feed: ask.feed.clone(),
            criterion: ask.criterion.clone(),
            // The reply may come later than the run's day; it is judged as of that day.
            on: reply.on.min(self.ground.as_at.date()),
            met: homes.into_iter().filter(|(_, is_met)| *is_met).map(|(home, _)| home).collect(),
        })
    }
}

fn counted(counts: &RunCounts) -> Vec<(&'static str, u64)> {
    let RunCounts { records, persons, households, listed, answered, families, quarantined } = *counts;
    vec![
        ("records", records),
        ("persons", persons),
        ("households", households),
        ("listed", listed),
        ("answered", answered),
        ("families", families),
        ("quarantined", quarantined),
    ]
}
