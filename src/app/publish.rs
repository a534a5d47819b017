//! Making a staged submission visible: its links are computed beside what enquiries see, then one
//! small update shows rows, links and the removal of the replaced snapshot together.
//!
//! Only components that the submission touches are looked at: those of the rows it replaces, and
//! those that share a linking token with its own rows. Within each, persons are clustered from
//! scratch over all records, to find what a shield reaches; the link rows carry the component and
//! the shield, and every enquiry clusters again from the records it may see.
//!
//! What people decided about two records comes in the same way (`publish/pairs.rs`): records that arrive
//! get the tokens of their pairs first, and a decision moves a generation of its own.

mod pairs;
mod splits;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

pub(super) use self::splits::parted_tokens;
use self::splits::{marks, without_splits};
use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::Policies;
use super::submit::FileFault;
use crate::crypto::random::{random_bytes, uuid_v7};
use crate::domain::ids::{EventId, OpaqueRef, ProgrammeCode, SubmissionId};
use crate::domain::token::Blinded;
use crate::linkage::components::Components;
use crate::linkage::record::{LinkRecord, LinkToken};
use crate::linkage::shield::shielded;
use crate::store::{
    Claim, Link, LinkableRecord, Store, StoreError, StoredToken, Submission, SubmissionState, Turnover, Tx,
};
use crate::tlog::entry::{Body, Submission as SubmissionEntry, SubmissionCommitments, SubmissionMode};

/// How long a claim on the next generation lasts without being renewed.
const CLAIM_SECONDS: i64 = 60;
/// How often a submission may fail to be made visible for its own reasons.
const MOST_TRIES: u32 = 5;
/// The sealed openings of how many rows a submission has, and how many tokens it retired.
const NUMBER_LENGTH: usize = 96;
/// Records that are read or written in one step.
const PAGE: usize = 1000;

/// What making one submission visible came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Which submission.
    pub submission: SubmissionId,
    /// The generation from which it is seen.
    pub generation: i64,
    /// Link rows written.
    pub links: usize,
}

impl Gateway {
    /// Makes the oldest staged submission visible, or takes one back whose agency asked for it. `None` when nothing waits, or another replica is at it.
    ///
    /// # Errors
    ///
    /// [`AppError`]; the submission stays staged and is tried again.
    pub async fn publish_next(&self) -> Result<Option<Published>, AppError> {
        let programme = self.programme().clone();
        if self.store().blinding(&programme).await?.is_under_way() {
            return Ok(None); // tokens of one person look like two people's meanwhile
        }
        // Decisions wait rather than submissions: a shield may be among these.
        if let Err(error) = self.publish_pairs().await {
            tracing::error!(error = %error, "decisions about pairs could not be applied; they are tried again");
        }
        let Some(submission) = self.store().next_staged(&programme).await? else {
            return Ok(None);
        };
        let Some(claim) = self.claim(&programme, &submission).await? else {
            return Ok(None);
        };
        let result = self.publish(&claim, &submission).await;
        if let Err(error) = &result {
            let mut tx = self.store().begin().await?;
            let now = tx.now().await?;
            // Only what is still ours is given up: another replica may have taken over meanwhile.
            if tx.keep_claim(&claim, now).await? {
                tx.release_claim(&claim).await?;
                if let Some(code) = self.give_up(submission.id, error) {
                    tracing::error!(submission.id = %submission.id, code, "a submission is given up");
                    tx.mark_failed(submission.id, code, now).await?;
                    tx.keep_showing(submission.id, code).await?; // one that could not be taken back
                }
            }
            tx.commit().await?;
        }
        result.map(Some)
    }

    /// Whether a submission that could not be made visible is given up, and why: one that fails for its
    /// own reasons must not hold up everybody else's, shields included.
    fn give_up(&self, submission: SubmissionId, error: &AppError) -> Option<&'static str> {
        match error {
            AppError::RefusedFile { fault, .. } => Some(fault.code()),
            AppError::Store(error) if error.is_transient() => None,
            AppError::Store(StoreError::Full(_)) | AppError::ClaimLost => None,
            _ => (self.failures_of(submission) >= MOST_TRIES).then_some("file.unpublishable"),
        }
    }

    async fn claim(&self, programme: &ProgrammeCode, submission: &Submission) -> Result<Option<Claim>, StoreError> {
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let until = now.plus_seconds(CLAIM_SECONDS);
        let claim = tx.claim_generation(random_bytes(self.random()), programme, submission.id, now, until).await?;
        // With the row's lock in hand: a change of the blinding key cannot begin before this commits.
        if claim.is_some() && tx.blinding(programme).await?.is_under_way() {
            return Ok(None);
        }
        let is_taken_back = submission.state == SubmissionState::Withdrawing;
        if claim.is_some() && !is_taken_back && !tx.mark_publishing(submission.id).await? {
            return Ok(None); // somebody finished it meanwhile; the claim goes with the transaction
        }
        tx.commit().await?;
        Ok(claim)
    }

    async fn publish(&self, claim: &Claim, submission: &Submission) -> Result<Published, AppError> {
        let turnover = self.turnover(claim, submission).await?;
        let (policies, retiring) = self.policies_from_then_on(&turnover).await?;
        let store = self.store();
        refuse_suspended(&mut store.begin_snapshot().await?, submission).await?; // before the work, and after it
        if turnover.arriving.is_some() {
            self.add_pair_tokens(claim, submission, &policies).await?;
        }

        let mut graph = Graph::default();
        graph.rejoin_neighbours(store, claim, &turnover, &policies).await?;
        graph.rejoin_holders(store, claim, &turnover, &policies, &retiring).await?;
        graph.add_submission(store, claim, &turnover, &policies).await?;
        let links = self.link_all(claim, &policies, graph).await?;
        self.end_records(claim, &turnover).await?;
        self.show(claim, submission, &turnover, retiring.len() as u64).await?;
        Ok(Published { submission: submission.id, generation: claim.generation + 1, links })
    }

    /// The policies as they will be when the submission is seen, with the tokens that it retires.
    async fn policies_from_then_on(&self, turnover: &Turnover) -> Result<(Arc<Policies>, Vec<Blinded>), AppError> {
        let policies = self.current_policies().await?;
        let Some(arriving) = turnover.arriving else { return Ok((policies, Vec::new())) };
        let retiring = self.store().newly_retired(self.programme(), arriving).await?;
        if retiring.is_empty() {
            return Ok((policies, retiring));
        }
        let policies = Policies::load(self.store(), policies.revision()).await?.with_retired(&retiring);
        Ok((Arc::new(policies), retiring))
    }

    /// Clusters every component of a graph, a page of records at a time.
    async fn link_all(&self, claim: &Claim, policies: &Arc<Policies>, mut graph: Graph) -> Result<usize, AppError> {
        let renewed = std::mem::take(&mut graph.renewed);
        let mut links = 0;
        let mut page: Vec<Vec<i64>> = Vec::new();
        let mut page_size = 0;
        for component in graph.into_components() {
            page_size += component.len();
            page.push(component);
            if page_size >= PAGE {
                links += self.link(claim, policies, &std::mem::take(&mut page), &renewed).await?;
                page_size = 0;
            }
        }
        Ok(links + self.link(claim, policies, &page, &renewed).await?)
    }

    /// What the next generation adds and takes away.
    async fn turnover(&self, claim: &Claim, submission: &Submission) -> Result<Turnover, AppError> {
        let store = self.store();
        let feed = (submission.agency.clone(), submission.feed.clone());
        let visible = store.visible_submissions(&claim.programme, &feed.0, &feed.1).await?;
        let all = |state| visible.iter().map(|submission| (submission.id, state)).collect();
        if submission.state == SubmissionState::Withdrawing {
            if !submission.is_delta() {
                // What was changed upon a snapshot goes with it.
                let ending = all(SubmissionState::Withdrawn);
                return Ok(Turnover { feed: Some(feed), ending, ..Turnover::default() });
            }
            let mut records = HashMap::new();
            let mut after: Option<OpaqueRef> = None;
            loop {
                let page = store.submission_records(submission.id, after.as_ref(), PAGE as i64).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.reference.clone());
                records.extend(page.iter().map(|record| (record.id, submission.id)));
            }
            let ending = vec![(submission.id, SubmissionState::Withdrawn)];
            return Ok(Turnover { ending, records, ..Turnover::default() });
        }
        let refused = |fault| Err(AppError::RefusedFile { id: submission.id, fault });
        let newest = visible.last();
        if newest.is_some_and(|newest| newest.as_at > submission.as_at) {
            // A newer day became visible while this one was still arriving.
            return refused(FileFault::Older);
        }
        let arriving = Some(submission.id);
        if !submission.is_delta() {
            let ending = all(SubmissionState::Replaced);
            return Ok(Turnover { arriving, feed: Some(feed), ending, ..Turnover::default() });
        }
        if newest.map(|newest| newest.id) != submission.base {
            return refused(FileFault::BaseChanged);
        }
        let records = self.replaced_by_delta(claim, submission.id, &visible).await?;
        Ok(Turnover { arriving, records, ..Turnover::default() })
    }

    /// The records that a delta replaces or removes: those that the feed shows under its references.
    async fn replaced_by_delta(
        &self,
        claim: &Claim,
        delta: SubmissionId,
        visible: &[Submission],
    ) -> Result<HashMap<i64, SubmissionId>, AppError> {
        let store = self.store();
        let mut records = HashMap::new();
        for is_retraction in [false, true] {
            let mut after: Option<OpaqueRef> = None;
            loop {
                let references: Vec<OpaqueRef> = if is_retraction {
                    store.retractions(delta, after.as_ref(), PAGE as i64).await?
                } else {
                    let page = store.submission_records(delta, after.as_ref(), PAGE as i64).await?;
                    page.into_iter().map(|record| record.reference).collect()
                };
                let Some(last) = references.last() else { break };
                after = Some(last.clone());
                keep(store, claim).await?;
                for submission in visible {
                    let shown = store.shown_by_reference(claim.generation, submission.id, &references).await?;
                    records.extend(shown.into_iter().map(|(record, _)| (record, submission.id)));
                }
            }
        }
        Ok(records)
    }

    /// Ends the links of single records that go.
    async fn end_records(&self, claim: &Claim, turnover: &Turnover) -> Result<(), AppError> {
        let mut records: Vec<(i64, SubmissionId)> = turnover.records.iter().map(|(id, of)| (*id, *of)).collect();
        records.sort_unstable_by_key(|(record, _)| *record);
        for piece in records.chunks(PAGE) {
            let mut tx = self.store().begin().await?;
            let until = tx.now().await?.plus_seconds(CLAIM_SECONDS);
            if !tx.keep_claim(claim, until).await? {
                return Err(AppError::ClaimLost);
            }
            tx.end_records(claim, piece).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Clusters whole components and writes the links of their records.
    async fn link(
        &self,
        claim: &Claim,
        policies: &Arc<Policies>,
        components: &[Vec<i64>],
        renewed: &Renewed,
    ) -> Result<usize, AppError> {
        if components.is_empty() {
            return Ok(0);
        }
        let ids: Vec<i64> = components.iter().flatten().copied().collect();
        let mut records = self.store().linkable_records(&ids).await?;
        renew(&mut records, renewed);
        // Under the next epoch the record that restricts somebody may still be missing, and with it the
        // way from it to the person's others: until a frozen epoch is retired no shield lifts.
        let still =
            if policies.has_frozen_epoch() { self.store().shielded_before(claim, &ids).await? } else { HashSet::new() };
        let (policies, components) = (Arc::clone(policies), components.to_vec());
        // Clustering a large component would hold up every answer on this thread.
        let links = tokio::task::spawn_blocking(move || {
            let mut by_id: HashMap<i64, LinkableRecord> =
                records.into_iter().map(|record| (record.id, record)).collect();
            let whole = |component: &Vec<i64>| -> Vec<LinkableRecord> {
                component.iter().filter_map(|id| by_id.remove(id)).collect()
            };
            let components: Vec<Vec<LinkableRecord>> = components.iter().map(whole).collect();
            components.iter().flat_map(|records| links_of(records, &still, &policies)).collect::<Vec<(i64, Link)>>()
        });
        let links = links.await.map_err(|_| AppError::Interrupted)?;
        let mut tx = self.store().begin().await?;
        let until = tx.now().await?.plus_seconds(CLAIM_SECONDS);
        if !tx.keep_claim(claim, until).await? {
            return Err(AppError::ClaimLost);
        }
        tx.write_links(claim, &links).await?;
        tx.commit().await?;
        Ok(links.len())
    }

    async fn show(
        &self,
        claim: &Claim,
        submission: &Submission,
        turnover: &Turnover,
        tokens_retired: u64,
    ) -> Result<(), AppError> {
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        if !tx.advance_generation(claim, turnover, now).await? {
            return Err(AppError::ClaimLost);
        }
        refuse_suspended(&mut tx, submission).await?;
        if let Some(arriving) = turnover.arriving {
            tx.retire_tokens(&claim.programme, arriving).await?;
        }
        if tokens_retired > 0 {
            tx.raise_policy_revision(Some(&claim.programme)).await?;
        }
        let digest = submission.digest.ok_or(StoreError::Corrupt("a staged submission without a digest"))?;
        let id = EventId::new(uuid_v7(now, self.random()));
        let retired = tokens_retired.to_string().into_bytes();
        let (retired, sealed_retired) = self.commit(id, "retired", retired, NUMBER_LENGTH)?;
        let accepted = submission.rows_accepted.unsigned_abs();
        let (rows, sealed_rows) = self.commit(id, "rows", accepted.to_string().into_bytes(), NUMBER_LENGTH)?;
        let body = Body::Submission(SubmissionEntry {
            submission: submission.id,
            agency: submission.agency.clone(),
            feed: submission.feed.clone(),
            agreement: submission.agreement.clone(),
            mode: match (turnover.arriving, submission.is_delta()) {
                (None, _) => SubmissionMode::Retraction,
                (Some(_), true) => SubmissionMode::Delta,
                (Some(_), false) => SubmissionMode::Snapshot,
            },
            as_at: submission.as_at,
            rows_accepted: None,
            rows: Some(code(&band(accepted))?),
            rows_rejected: submission.rows_rejected as u64,
            tokens_retired: 0,
            commitments: Some(SubmissionCommitments { retired, rows }),
            digest: crate::tlog::digest::Digest::new(digest),
        });
        let mut event = self.event_with_id(id, now, body)?;
        event.openings = vec![("retired", sealed_retired), ("rows", sealed_rows)];
        tx.add_events(&[&event]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        // The planner has not seen these rows yet; without this the next questions could be slow.
        if let Err(error) = self.store().refresh_statistics().await {
            tracing::warn!(error = %error, "the database's statistics could not be refreshed");
        }
        if turnover.arriving.is_none() {
            tracing::info!(submission.id = %submission.id, generation = claim.generation + 1, "a submission was taken back");
            return Ok(());
        }
        metrics::counter!("porth_submissions_visible").increment(1);
        tracing::info!(
            submission.id = %submission.id,
            submission.agency = %submission.agency,
            submission.feed = %submission.feed,
            submission.rows = submission.rows_accepted,
            generation = claim.generation + 1,
            "a submission is visible"
        );
        Ok(())
    }
}

/// The band of powers of two that a number is in.
fn band(number: u64) -> String {
    match number {
        0 => "0".to_owned(),
        1..16 => "1-15".to_owned(),
        _ => {
            let low = 1u64 << number.ilog2();
            format!("{low}-{}", low + (low - 1))
        }
    }
}

/// Nothing of a suspended agency becomes visible; what it takes back goes all the same.
async fn refuse_suspended(tx: &mut Tx, submission: &Submission) -> Result<(), AppError> {
    if submission.state == SubmissionState::Withdrawing || tx.is_sender_active(&submission.agency, "").await? {
        return Ok(());
    }
    Err(AppError::RefusedFile { id: submission.id, fault: FileFault::SenderSuspended })
}

/// Renews a claim between two steps of reading.
async fn keep(store: &Store, claim: &Claim) -> Result<(), AppError> {
    let mut tx = store.begin().await?;
    let until = tx.now().await?.plus_seconds(CLAIM_SECONDS);
    if !tx.keep_claim(claim, until).await? {
        return Err(AppError::ClaimLost);
    }
    tx.commit().await?;
    Ok(())
}

/// The links of one component's records.
fn links_of(records: &[LinkableRecord], still_shielded: &HashSet<i64>, policies: &Policies) -> Vec<(i64, Link)> {
    let Some(component) = records.iter().map(|record| record.id).min() else {
        return Vec::new();
    };
    let matching: Vec<_> =
        records.iter().map(|record| link_record(record, &policies.matching(&record.tokens))).collect();
    let shielding: Vec<_> =
        records.iter().map(|record| link_record(record, &policies.shielding(&record.tokens))).collect();
    let restricted: Vec<bool> = records.iter().map(|record| record.restricted).collect();
    let persons = policies.persons(&matching);
    // A split never lifts a shield: that reaches as far as if nobody had parted anybody.
    let unparted = without_splits(&matching);
    let whole = unparted.map_or_else(|| persons.clone(), |records| policies.persons(&records));
    let mut hidden = shielded(&shielding, &whole, &restricted, policies.link_rules());
    for person in &whole {
        if person.members().iter().any(|&member| still_shielded.contains(&records[member].id)) {
            person.members().iter().for_each(|&member| hidden[member] = true);
        }
    }
    let marks = marks(&matching, &persons, |member| records[member].id);
    let mut links = Vec::with_capacity(records.len());
    for (person, apart) in persons.iter().zip(marks) {
        let name = records[person.members()[0]].id;
        for &member in person.members() {
            let link = Link { component, person: name, is_shielded: hidden[member], apart: apart.clone() };
            links.push((records[member].id, link));
        }
    }
    links
}

/// A stored record as linkage sees it.
fn link_record(record: &LinkableRecord, tokens: &[StoredToken]) -> LinkRecord<crate::linkage::record::RecordKey> {
    LinkRecord {
        key: crate::linkage::record::RecordKey {
            agency: record.agency.clone(),
            feed: record.feed.clone(),
            reference: record.reference.clone(),
        },
        tokens: link_tokens(tokens),
        households: Vec::new(),
    }
}

/// Stored tokens as linkage sees them.
pub(super) fn link_tokens(tokens: &[StoredToken]) -> Vec<LinkToken> {
    tokens.iter().map(|token| LinkToken { kind: token.kind, epoch: token.epoch, value: token.blinded }).collect()
}

/// The tokens that records are about to have, by record id.
type Renewed = HashMap<i64, Vec<StoredToken>>;

fn renew(records: &mut [LinkableRecord], renewed: &Renewed) {
    for record in records {
        if let Some(tokens) = renewed.get(&record.id) {
            record.tokens.clone_from(tokens);
        }
    }
}

/// Records and which of them share linking tokens, as far as the submission reaches.
#[derive(Default)]
struct Graph {
    places: HashMap<i64, usize>,
    records: Vec<i64>,
    sets: Option<Components>,
    /// Components of the visible generation whose members are in the graph.
    seen: BTreeSet<i64>,
    /// Tokens that records get with the next generation.
    renewed: Renewed,
}

impl Graph {
    fn place(&mut self, record: i64) -> usize {
        let sets = self.sets.get_or_insert_with(|| Components::new(0));
        *self.places.entry(record).or_insert_with(|| {
            self.records.push(record);
            sets.push()
        })
    }

    fn join(&mut self, a: usize, b: usize) {
        if let Some(sets) = &mut self.sets {
            sets.union(a, b);
        }
    }

    /// What remains of the components that the rows which go were in: their members are joined anew
    /// from their tokens, since a row that goes may have been the only bridge.
    async fn rejoin_neighbours(
        &mut self,
        store: &Store,
        claim: &Claim,
        turnover: &Turnover,
        policies: &Policies,
    ) -> Result<(), AppError> {
        let mut single: Vec<i64> = turnover.records.keys().copied().collect();
        single.sort_unstable();
        for ids in single.chunks(PAGE) {
            self.rejoin_components_of(store, claim, turnover, policies, ids).await?;
        }
        // Of a feed that goes as a whole, every submission.
        for (submission, _) in turnover.ending.iter().filter(|_| turnover.feed.is_some()) {
            let mut after: Option<OpaqueRef> = None;
            loop {
                let page = store.submission_records(*submission, after.as_ref(), PAGE as i64).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.reference.clone());
                let ids: Vec<i64> = page.iter().map(|record| record.id).collect();
                self.rejoin_components_of(store, claim, turnover, policies, &ids).await?;
            }
        }
        Ok(())
    }

    /// The components of those who hold tokens that are about to be retired: what these joined may fall apart.
    async fn rejoin_holders(
        &mut self,
        store: &Store,
        claim: &Claim,
        turnover: &Turnover,
        policies: &Policies,
        retiring: &[Blinded],
    ) -> Result<(), AppError> {
        let holders = store.token_holders(claim, turnover, retiring).await?;
        let shown = holders.iter().filter(|holder| holder.component.is_some());
        let ids: BTreeSet<i64> = shown.map(|holder| holder.record).collect();
        let ids: Vec<i64> = ids.into_iter().collect();
        for piece in ids.chunks(PAGE) {
            self.rejoin_components_of(store, claim, turnover, policies, piece).await?;
        }
        Ok(())
    }

    async fn rejoin_components_of(
        &mut self,
        store: &Store,
        claim: &Claim,
        turnover: &Turnover,
        policies: &Policies,
        ids: &[i64],
    ) -> Result<(), AppError> {
        keep(store, claim).await?;
        let components = self.fresh(store.components_of(claim, ids).await?);
        let members = store.members(claim, turnover, &components).await?;
        let mut records: Vec<LinkableRecord> = members.into_iter().map(|member| member.record).collect();
        renew(&mut records, &self.renewed);
        for piece in records.chunks(PAGE) {
            self.join_holders(store, claim, turnover, policies, piece).await?;
        }
        Ok(())
    }

    /// The submission's own rows, joined with each other and with visible records. Components that
    /// they reach and that lose nothing stay whole, so their members are joined without a look at
    /// their tokens.
    async fn add_submission(
        &mut self,
        store: &Store,
        claim: &Claim,
        turnover: &Turnover,
        policies: &Policies,
    ) -> Result<(), AppError> {
        let Some(arriving) = turnover.arriving else { return Ok(()) };
        let mut after: Option<OpaqueRef> = None;
        loop {
            let page = store.submission_records(arriving, after.as_ref(), PAGE as i64).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.reference.clone());
            keep(store, claim).await?;
            let reached = self.join_holders(store, claim, turnover, policies, &page).await?;
            let whole = self.fresh(reached);
            let mut first_member: HashMap<i64, usize> = HashMap::new();
            for member in store.members(claim, turnover, &whole).await? {
                let place = self.place(member.record.id);
                let first = *first_member.entry(member.link.component).or_insert(place);
                self.join(first, place);
            }
        }
    }

    /// Joins records with every holder of their linking tokens; returns the holders' components.
    async fn join_holders(
        &mut self,
        store: &Store,
        claim: &Claim,
        turnover: &Turnover,
        policies: &Policies,
        records: &[LinkableRecord],
    ) -> Result<Vec<i64>, StoreError> {
        let mut tokens: Vec<Blinded> = Vec::new();
        for record in records {
            self.place(record.id);
            let is_joining = |token: &&StoredToken| policies.joins(token.kind) && policies.shields(token);
            let joining = record.tokens.iter().filter(is_joining);
            tokens.extend(joining.map(|token| token.blinded));
        }
        tokens.sort_unstable();
        tokens.dedup();
        let mut first_holder: HashMap<Blinded, usize> = HashMap::new();
        let mut components = Vec::new();
        for holder in store.token_holders(claim, turnover, &tokens).await? {
            let place = self.place(holder.record);
            let first = *first_holder.entry(holder.blinded).or_insert(place);
            self.join(first, place);
            components.extend(holder.component);
        }
        Ok(components)
    }

    /// The components that are not in the graph yet; from now on they are.
    fn fresh(&mut self, mut components: Vec<i64>) -> Vec<i64> {
        components.sort_unstable();
        components.dedup();
        components.retain(|component| self.seen.insert(*component));
        components
    }

    /// The components, each in ascending order of record ids.
    fn into_components(self) -> Vec<Vec<i64>> {
        let records = self.records;
        let sets = self.sets.map(Components::into_sets).unwrap_or_default();
        let named = |set: Vec<usize>| {
            let mut ids: Vec<i64> = set.into_iter().map(|place| records[place]).collect();
            ids.sort_unstable();
            ids
        };
        sets.into_iter().map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::band;

    #[test]
    fn a_number_is_in_the_band_that_names_it() {
        for (number, expected) in
            [(0, "0"), (1, "1-15"), (15, "1-15"), (16, "16-31"), (31, "16-31"), (32, "32-63"), (5_000, "4096-8191")]
        {
            assert_eq!(band(number), expected, "{number}");
        }
        assert_eq!(band(u64::MAX), "9223372036854775808-18446744073709551615");
    }
}
