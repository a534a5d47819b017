//! The gateway as the journeys see it: database, writer, keys and the policies in use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Notify;

use super::error::AppError;
use super::load_policy::check_whole;
use super::policies::Policies;
use super::witness::Witnesses;
use super::writer::Writer;
use crate::crypto::blind::{BlindType, Blinder};
use crate::crypto::field::FieldSealer;
use crate::crypto::jwt::AccessTokens;
use crate::crypto::pseudonym::Pseudonymiser;
use crate::crypto::random::{Random, random_bytes, uuid_v7};
use crate::crypto::seal::SealPublicKey;
use crate::crypto::sign::SigningKey;
use crate::crypto::tag::Tagger;
use crate::domain::ids::{EventId, ProgrammeCode, SubmissionId, TokenType};
use crate::domain::record::Evidence;
use crate::domain::submission::TokensByEpoch;
use crate::domain::time::Timestamp;
use crate::domain::token::Token;
use crate::policy::cache::DecisionCache;
use crate::store::{FeedState, NewEvent, Store, StoreError};
use crate::tlog::entry::{Body, Entry};

/// Decisions that are kept at the most.
const DECISIONS: usize = 4096;

/// The keys that a running gateway holds.
pub struct GatewayKeys {
    /// Blinds tokens.
    pub blinder: Blinder,
    /// Seals evidence, openings and kept replies.
    pub fields: FieldSealer,
    /// Finds rows again.
    pub tagger: Tagger,
    /// Signs receipts.
    pub receipt: SigningKey,
    /// Issues and checks access tokens.
    pub access: AccessTokens,
    /// The shield officers' public key.
    pub shield: SealPublicKey,
    /// Makes recipients' pseudonyms.
    pub pseudonyms: Pseudonymiser,
    /// The match run's public key, where the programme weighs records: the private key is elsewhere.
    pub match_run: Option<SealPublicKey>,
}

/// What the gateway is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayNames {
    /// The programme that it serves.
    pub programme: ProgrammeCode,
    /// The log's origin, such as `gw.example.gov.uk/2026`.
    pub log: String,
    /// The issuer id: audience of client assertions, issuer of access tokens.
    pub issuer: String,
}

/// The gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

/// Prepared blinding keys by token type.
type BlindTypes = HashMap<TokenType, BlindType>;

struct Inner {
    store: Store,
    writer: Writer,
    keys: GatewayKeys,
    names: GatewayNames,
    random: Arc<dyn Random>,
    witnesses: Option<Witnesses>,
    policies: RwLock<Option<Arc<Policies>>>,
    feeds: RwLock<Option<(i64, Arc<Vec<FeedState>>)>>,
    decisions: Mutex<DecisionCache>,
    /// By epoch and number of blinding keys.
    blind_types: RwLock<HashMap<(u32, u32), Arc<BlindTypes>>>,
    publisher: Notify,
    sequencer: Notify,
    /// How often submissions failed to be made visible for their own reasons.
    failures: Mutex<HashMap<SubmissionId, u32>>,
    /// Generations that the clean-up saw, and when: what ended before the older ones is in no answer.
    seen: Mutex<Vec<(Timestamp, i64)>>,
}

impl Gateway {
    /// Puts a gateway together; nothing runs yet but the writer that it was given.
    pub fn new(store: Store, writer: Writer, keys: GatewayKeys, names: GatewayNames, random: Arc<dyn Random>) -> Self {
        Self::with_witnesses(store, writer, keys, names, random, None)
    }

    /// Likewise, for a log that witnesses watch.
    pub fn with_witnesses(
        store: Store,
        writer: Writer,
        keys: GatewayKeys,
        names: GatewayNames,
        random: Arc<dyn Random>,
        witnesses: Option<Witnesses>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                writer,
                keys,
                names,
                random,
                witnesses,
                policies: RwLock::new(None),
                feeds: RwLock::new(None),
                decisions: Mutex::new(DecisionCache::new(DECISIONS)),
                blind_types: RwLock::new(HashMap::new()),
                publisher: Notify::new(),
                sequencer: Notify::new(),
                failures: Mutex::new(HashMap::new()),
                seen: Mutex::new(Vec::new()),
            }),
        }
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }
    /// The writer.
    pub fn writer(&self) -> &Writer {
        &self.inner.writer
    }
    /// The keys.
    pub fn keys(&self) -> &GatewayKeys {
        &self.inner.keys
    }
    /// What the gateway is called.
    pub fn names(&self) -> &GatewayNames {
        &self.inner.names
    }
    /// The programme that it serves.
    pub fn programme(&self) -> &ProgrammeCode {
        &self.inner.names.programme
    }
    /// The source of randomness.
    pub fn random(&self) -> &dyn Random {
        &*self.inner.random
    }

    /// The witnesses, where there are any.
    pub fn witnesses(&self) -> Option<&Witnesses> {
        self.inner.witnesses.as_ref()
    }

    /// Says that a submission waits to be made visible.
    pub fn wake_publisher(&self) {
        self.inner.publisher.notify_one();
    }
    /// Waits for [`Self::wake_publisher`].
    pub async fn publisher_woken(&self) {
        self.inner.publisher.notified().await;
    }
    /// Says that an entry waits for its place in the log.
    pub fn wake_sequencer(&self) {
        self.inner.sequencer.notify_one();
    }
    /// Waits for [`Self::wake_sequencer`].
    pub async fn sequencer_woken(&self) {
        self.inner.sequencer.notified().await;
    }

    /// The policies at the database's present revision.
    ///
    /// # Errors
    ///
    /// [`AppError`] when they cannot be read.
    pub async fn current_policies(&self) -> Result<Arc<Policies>, AppError> {
        let view = self.store().view(self.programme()).await?;
        let view =
            view.ok_or_else(|| AppError::Policy("no programme is loaded: run `porth policy load`".to_owned()))?;
        self.policies_at(view.policy_revision).await
    }

    /// The policies at a revision that was just read. A change by another replica is picked up here.
    ///
    /// # Errors
    ///
    /// [`AppError`] when they cannot be read.
    pub async fn policies_at(&self, revision: i64) -> Result<Arc<Policies>, AppError> {
        let held = self.inner.policies.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(policies) = held
            && policies.revision() == revision
        {
            return Ok(policies);
        }
        let fresh = Arc::new(Policies::load(self.store(), revision).await?);
        // A book that answers a canned question wrongly decides nothing, on any replica.
        check_whole(&fresh)?;
        *self.inner.policies.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// The feeds that may contribute to answers: visible at a generation and not suspended. Every
    /// answer starts from these, so that nothing of a suspended feed is in any of them.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database does not answer.
    pub(super) async fn contributing_feeds(
        &self,
        generation: i64,
        policies: &Policies,
    ) -> Result<Arc<Vec<FeedState>>, StoreError> {
        let feeds = self.visible_feeds(generation).await?;
        if !feeds.iter().any(|feed| policies.is_suspended(&feed.agency, &feed.feed)) {
            return Ok(feeds);
        }
        let contributes = |feed: &&FeedState| !policies.is_suspended(&feed.agency, &feed.feed);
        Ok(Arc::new(feeds.iter().filter(contributes).cloned().collect()))
    }

    /// The feeds that are visible at a generation, suspended ones among them; a generation never
    /// changes, so one look is enough.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database does not answer.
    pub(super) async fn visible_feeds(&self, generation: i64) -> Result<Arc<Vec<FeedState>>, StoreError> {
        let held = self.inner.feeds.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((of, feeds)) = held
            && of == generation
        {
            return Ok(feeds);
        }
        let feeds = Arc::new(self.store().feeds(self.programme(), generation).await?);
        *self.inner.feeds.write().unwrap_or_else(PoisonError::into_inner) = Some((generation, Arc::clone(&feeds)));
        Ok(feeds)
    }

    /// The kept decisions.
    pub(super) fn decisions(&self) -> std::sync::MutexGuard<'_, DecisionCache> {
        self.inner.decisions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a failure of a submission to be made visible; gives how many there are now.
    pub(super) fn failures_of(&self, submission: SubmissionId) -> u32 {
        let mut failures = self.inner.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(submission).or_default();
        *count += 1;
        *count
    }

    /// Notes the present generation; gives the newest one that was present at or before a moment.
    pub(super) fn generation_before(&self, moment: Timestamp, now: Timestamp, generation: i64) -> Option<i64> {
        let mut seen = self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.last().is_none_or(|(_, last)| *last != generation) {
            seen.push((now, generation));
        }
        let old = seen.iter().rposition(|(at, _)| *at <= moment)?;
        seen.drain(..old);
        seen.first().map(|(_, generation)| *generation)
    }

    /// Whether tokens can be blinded as the stored ones are: not while these are taken through another
    /// key, and not by a replica that was started without that key.
    ///
    /// # Errors
    ///
    /// [`AppError::KeysChanging`]: nothing may be looked up or stored, and a caller should come back.
    pub(super) fn check_blinding(&self, policies: &Policies) -> Result<(), AppError> {
        let blinding = policies.blinding();
        if blinding.layers > self.keys().blinder.layers() {
            tracing::error!(
                blinding.layers = blinding.layers,
                "stored tokens went through a blinding key that this process was started without: start it again"
            );
            return Err(AppError::KeysChanging);
        }
        if blinding.is_under_way() { Err(AppError::KeysChanging) } else { Ok(()) }
    }

    /// Every tag of the subject index under which entries of a token may be: one for each blinding key
    /// that was current when an entry was made, taken through the keys that came after it.
    pub fn subject_tags(
        &self,
        epoch: u32,
        token_type: &TokenType,
        norm: u16,
        token: &Token,
        layers: u32,
    ) -> Vec<[u8; 16]> {
        let keys = self.keys();
        let made_at = |made: u32| {
            let blinded = keys.blinder.prepare(epoch, token_type, norm, made).blind(token);
            let tag = keys.tagger.subject(blinded.as_bytes());
            (made..layers).try_fold(tag, |tag, layer| keys.blinder.restack_tag(layer, &tag))
        };
        (1..=layers).filter_map(made_at).collect()
    }

    /// Prepared blinding keys of an epoch, for every type in use.
    pub(super) fn blind_types(&self, epoch: u32, policies: &Policies) -> Arc<HashMap<TokenType, BlindType>> {
        let place = (epoch, policies.blinding().layers);
        let held = self.inner.blind_types.read().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        if let Some(types) = held
            && policies.token_types().all(|token_type| types.contains_key(token_type))
        {
            return types;
        }
        let prepare = |token_type: &TokenType| {
            (token_type.clone(), self.keys().blinder.prepare(epoch, token_type, policies.norm(), place.1))
        };
        let types: Arc<HashMap<TokenType, BlindType>> = Arc::new(policies.token_types().map(prepare).collect());
        self.inner.blind_types.write().unwrap_or_else(PoisonError::into_inner).insert(place, Arc::clone(&types));
        types
    }

    /// Seals a record's evidence for its row.
    pub(super) fn seal_evidence(&self, record: i64, evidence: &Evidence) -> Vec<u8> {
        let plain = serde_json::to_vec(evidence).expect("evidence is plain data: it has no map keys that could fail");
        self.keys().fields.seal(self.random(), "record", "evidence", &record.to_be_bytes(), &plain)
    }

    /// Opens a record's evidence.
    pub(super) fn open_evidence(&self, record: i64, sealed: &[u8]) -> Result<Evidence, AppError> {
        let plain = self.keys().fields.open("record", "evidence", &record.to_be_bytes(), sealed);
        let plain = plain.map_err(|_| AppError::Store(StoreError::Corrupt("sealed evidence does not open")))?;
        serde_json::from_slice(&plain).map_err(|_| AppError::Store(StoreError::Corrupt("evidence")))
    }

    /// Seals a record's household tokens, as the agency made them, for its row.
    pub(super) fn seal_home_tokens(&self, record: i64, tokens: &TokensByEpoch) -> Vec<u8> {
        let plain = serde_json::to_vec(tokens).expect("tokens by epoch and type: keys that JSON takes");
        self.keys().fields.seal(self.random(), "record", "home_tokens", &record.to_be_bytes(), &plain)
    }

    /// Opens a record's household tokens.
    pub(super) fn open_home_tokens(&self, record: i64, sealed: &[u8]) -> Result<TokensByEpoch, AppError> {
        let plain = self.keys().fields.open("record", "home_tokens", &record.to_be_bytes(), sealed);
        let plain = plain.map_err(|_| AppError::Store(StoreError::Corrupt("sealed household tokens do not open")))?;
        serde_json::from_slice(&plain).map_err(|_| AppError::Store(StoreError::Corrupt("household tokens")))
    }

    /// An entry of the log with nothing to open, ready to be written.
    pub(super) fn event(&self, now: Timestamp, body: Body) -> Result<NewEvent, AppError> {
        let id = EventId::new(uuid_v7(now, self.random()));
        self.event_with_id(id, now, body)
    }

    /// As [`Self::event`], under an id that was made before.
    pub(super) fn event_with_id(&self, id: EventId, now: Timestamp, body: Body) -> Result<NewEvent, AppError> {
        new_event(&self.names().log, id, now, random_bytes(self.random()), body)
    }
}

/// An entry of a log with nothing to open, ready to be written.
pub(super) fn new_event(
    log: &str,
    id: EventId,
    now: Timestamp,
    nonce: [u8; 32],
    body: Body,
) -> Result<NewEvent, AppError> {
    let kind = body.kind();
    let entry = Entry::new(log, id, now, nonce, body);
    let body = entry.render().map_err(|_| AppError::Internal("a log entry cannot be written"))?;
    Ok(NewEvent {
        id,
        kind,
        at: now,
        recipient: None,
        agreement: None,
        purpose: None,
        outcome: None,
        leaf_hash: *crate::tlog::merkle::leaf_hash(&body).as_bytes(),
        body,
        openings: Vec::new(),
        records: Vec::new(),
        tags: Vec::new(),
    })
}
