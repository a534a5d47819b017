//! What was decided about two records, brought into the links: by tokens that only these two hold.
//!
//! All of it happens under the claim on the next generation, so that a decision and a submission never
//! miss one another: what arrives gets the tokens of its pairs before it is linked, and a decision that
//! was made meanwhile finds it visible.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use super::{CLAIM_SECONDS, Graph, PAGE, Renewed};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::policies::Policies;
use crate::crypto::random::{random_bytes, uuid_v7};
use crate::domain::agreement::Profile;
use crate::domain::ids::{AgencyCode, FeedCode, OpaqueRef, SubmissionId};
use crate::domain::pair::{PairOrigin, RecordName};
use crate::domain::token::Blinded;
use crate::linkage::rules::{APART, CONFIRMED, FUZZY, PAIR_EPOCH, WEIGHED, is_reserved};
use crate::store::{Claim, FeedState, LinkableRecord, StoredPair, StoredToken, Submission, Turnover};

/// Pairs that are applied with one generation.
const PAIRS: i64 = 1000;

impl Gateway {
    /// Applies pairs that came into force or were reversed: the components that they touch are linked
    /// anew, as a generation of its own. A decision moves the generation even where nothing came of it:
    /// kept replies lapse with the generation, and whether they do must not tell what came of it. Gives
    /// the generation; `None` when nothing waits, or somebody else is at the next generation.
    ///
    /// # Errors
    ///
    /// [`AppError`]; the pairs wait and are tried again.
    pub async fn publish_pairs(&self) -> Result<Option<i64>, AppError> {
        let (store, programme) = (self.store(), self.programme());
        if store.pairs_to_apply(programme, 1).await?.is_empty() && store.pair_marks(programme, 1).await?.is_empty() {
            return Ok(None);
        }
        let policies = self.current_policies().await?;
        if self.check_blinding(&policies).is_err() {
            return Ok(None);
        }
        let Some(claim) = self.claim_for_pairs().await? else { return Ok(None) };
        let applied = self.apply_pairs(&claim, &policies).await;
        if applied.is_err() {
            let mut tx = self.store().begin().await?;
            let now = tx.now().await?;
            if tx.keep_claim(&claim, now).await? {
                tx.release_claim(&claim).await?;
            }
            tx.commit().await?;
        }
        applied
    }

    async fn claim_for_pairs(&self) -> Result<Option<Claim>, AppError> {
        let programme = self.programme();
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let nobody = SubmissionId::new(Uuid::from_bytes(*uuid_v7(now, self.random()).as_bytes()));
        let until = now.plus_seconds(CLAIM_SECONDS);
        let claim = tx.claim_generation(random_bytes(self.random()), programme, nobody, now, until).await?;
        if claim.is_some() && tx.blinding(programme).await?.is_under_way() {
            return Ok(None); // the claim goes with the transaction
        }
        tx.commit().await?;
        Ok(claim)
    }

    async fn apply_pairs(&self, claim: &Claim, policies: &Arc<Policies>) -> Result<Option<i64>, AppError> {
        let store = self.store();
        // Read first: a decision that comes later moves a generation of its own.
        let marks = store.pair_marks(self.programme(), PAIRS).await?;
        let pairs = store.pairs_to_apply(self.programme(), PAIRS).await?;
        let ids = self.shown_records_of(claim, &pairs).await?;
        let records = store.linkable_records(&ids).await?;
        let feeds = self.visible_feeds(claim.generation).await?;
        let has_profile = |record: &LinkableRecord, profile| {
            let of_record = |feed: &&FeedState| (&feed.agency, &feed.feed) == (&record.agency, &record.feed);
            let feed = feeds.iter().find(of_record);
            feed.is_some_and(|feed| policies.has_profile(&feed.agency, &feed.agreement, profile))
        };
        let renewed = self.with_pair_tokens(policies, &records, has_profile).await?;

        let turnover = Turnover::default();
        let mut graph = Graph { renewed: renewed.clone(), ..Graph::default() };
        for piece in ids.chunks(PAGE) {
            graph.rejoin_components_of(store, claim, &turnover, policies, piece).await?;
        }
        graph.join_pairs();
        let links = self.link_all(claim, policies, graph).await?;

        let mut tx = store.begin().await?;
        let now = tx.now().await?;
        for record in &records {
            let tokens = &renewed[&record.id];
            if *tokens != record.tokens && !tx.set_record_tokens(record, tokens).await? {
                return Err(AppError::Interrupted); // an epoch was swept from it meanwhile
            }
        }
        tx.mark_applied(&pairs).await?;
        tx.drop_pair_marks(&marks).await?;
        if records.is_empty() && marks.is_empty() {
            if !tx.keep_claim(claim, now).await? {
                return Err(AppError::ClaimLost);
            }
            tx.release_claim(claim).await?;
            tx.commit().await?;
            return Ok(None);
        }
        if !tx.advance_generation(claim, &turnover, now).await? {
            return Err(AppError::ClaimLost);
        }
        tx.commit().await?;
        tracing::info!(
            pairs = pairs.len(),
            links,
            generation = claim.generation + 1,
            "decisions about pairs are applied"
        );
        Ok(Some(claim.generation + 1))
    }

    /// The ids of the visible records that pairs name.
    async fn shown_records_of(&self, claim: &Claim, pairs: &[StoredPair]) -> Result<Vec<i64>, AppError> {
        let mut by_feed: BTreeMap<(&AgencyCode, &FeedCode), Vec<OpaqueRef>> = BTreeMap::new();
        for name in pairs.iter().flat_map(|pair| pair.names.both()) {
            by_feed.entry((&name.agency, &name.feed)).or_default().push(name.reference.clone());
        }
        let mut ids = Vec::new();
        for ((agency, feed), references) in by_feed {
            for submission in self.store().visible_submissions(&claim.programme, agency, feed).await? {
                let shown = self.store().shown_by_reference(claim.generation, submission.id, &references).await?;
                ids.extend(shown.into_iter().map(|(record, _)| record));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Gives the records of a submission that is about to be linked the tokens of their pairs in force.
    pub(super) async fn add_pair_tokens(
        &self,
        claim: &Claim,
        arriving: &Submission,
        policies: &Policies,
    ) -> Result<(), AppError> {
        if !self.store().has_pairs(self.programme()).await? {
            return Ok(());
        }
        let has_profile =
            |_: &LinkableRecord, profile| policies.has_profile(&arriving.agency, &arriving.agreement, profile);
        let mut after: Option<OpaqueRef> = None;
        loop {
            let page = self.store().submission_records(arriving.id, after.as_ref(), PAGE as i64).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.reference.clone());
            let renewed = self.with_pair_tokens(policies, &page, has_profile).await?;
            let mut tx = self.store().begin().await?;
            let until = tx.now().await?.plus_seconds(CLAIM_SECONDS);
            if !tx.keep_claim(claim, until).await? {
                return Err(AppError::ClaimLost);
            }
            for record in &page {
                let tokens = &renewed[&record.id];
                if *tokens != record.tokens && !tx.set_record_tokens(record, tokens).await? {
                    return Err(AppError::Interrupted);
                }
            }
            tx.commit().await?;
        }
    }

    /// The records' tokens with those of their pairs in force and no other pair token. One that stands
    /// for a likeness is only with records that came under terms of the privacy profile that it takes.
    async fn with_pair_tokens(
        &self,
        policies: &Policies,
        records: &[LinkableRecord],
        has_profile: impl Fn(&LinkableRecord, Profile) -> bool,
    ) -> Result<Renewed, AppError> {
        let mut by_feed: BTreeMap<(&AgencyCode, &FeedCode), Vec<OpaqueRef>> = BTreeMap::new();
        for record in records {
            by_feed.entry((&record.agency, &record.feed)).or_default().push(record.reference.clone());
        }
        let mut tokens: HashMap<RecordName, Vec<StoredToken>> = HashMap::new();
        for ((agency, feed), references) in by_feed {
            for pair in self.store().pairs_in_force(self.programme(), agency, feed, &references).await? {
                let token = self.pair_token(policies, &pair);
                for name in pair.names.both() {
                    tokens.entry(name.clone()).or_default().push(token);
                }
            }
        }
        let renewed = |record: &LinkableRecord| {
            let name = RecordName {
                agency: record.agency.clone(),
                feed: record.feed.clone(),
                reference: record.reference.clone(),
            };
            let own = record.tokens.iter().filter(|token| !is_reserved(token.kind)).copied();
            let of_pairs = tokens.get(&name).into_iter().flatten().copied();
            let of_pairs = of_pairs.filter(|token| match token.kind {
                WEIGHED => has_profile(record, Profile::B),
                FUZZY => has_profile(record, Profile::C),
                _ => true,
            });
            let mut all: Vec<StoredToken> = own.chain(of_pairs).collect();
            all.sort_unstable();
            all.dedup();
            (record.id, all)
        };
        Ok(records.iter().map(renewed).collect())
    }

    /// The token of a pair, blinded as often as the stored tokens are.
    fn pair_token(&self, policies: &Policies, pair: &StoredPair) -> StoredToken {
        let kind = match pair.origin {
            PairOrigin::Confirmed => CONFIRMED,
            PairOrigin::Weighed => WEIGHED,
            PairOrigin::Fuzzy => FUZZY,
            PairOrigin::Apart => APART,
        };
        let blinded = self.keys().blinder.pair(policies.blinding().layers, pair.names.parts(pair.origin));
        StoredToken { kind, epoch: PAIR_EPOCH, blinded }
    }
}

impl Graph {
    /// Joins the records that are about to share a joining pair token; it is in no index yet.
    fn join_pairs(&mut self) {
        let joins = |token: &&StoredToken| is_reserved(token.kind) && token.kind != APART;
        let mut holders: BTreeMap<Blinded, Vec<i64>> = BTreeMap::new();
        for (record, tokens) in &self.renewed {
            for token in tokens.iter().filter(joins) {
                holders.entry(token.blinded).or_default().push(*record);
            }
        }
        for records in holders.into_values() {
            let places: Vec<usize> = records.into_iter().map(|record| self.place(record)).collect();
            for &place in &places[1..] {
                self.join(places[0], place);
            }
        }
    }
}
