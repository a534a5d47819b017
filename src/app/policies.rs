//! The policy documents in use, read from the database and parsed once for each revision.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::error::AppError;
use crate::crypto::sign::VerifyingKey;
use crate::domain::agency::Agency;
use crate::domain::agreement::{Agreement, AgreementStatus, AgreementText, Profile};
use crate::domain::epoch::EpochState;
use crate::domain::ids::{AgencyCode, AgreementRef, FeedCode, OpaqueRef, TokenType};
use crate::domain::match_keys::{Conflict, MatchKey, MatchKeys, Tier as KeyTier};
use crate::domain::programme::Programme;
use crate::domain::record::{Evidence, FlagState};
use crate::domain::subject_case::Effect;
use crate::domain::time::Timestamp;
use crate::domain::token::Blinded;
use crate::linkage::cluster::{Cluster, clusters_where};
use crate::linkage::record::LinkRecord;
use crate::linkage::rules::{ConflictRole, KindRule, LinkRules, PAIR_EPOCH, Tier, is_likeness, is_reserved};
use crate::policy::book::PolicyBook;
use crate::policy::rules::RuleBook;
use crate::store::{Blinding, FeedState, RecordMark, Store, StoredDocument, StoredSignature, StoredToken, TokenKind};
use crate::tlog::digest::Digest;

/// The normalisation version that this release knows.
pub const NORM: u16 = 1;

/// Kinds of policy documents, as the database names them.
pub mod kinds {
    /// `programme.toml`.
    pub const PROGRAMME: &str = "programme";
    /// `match-keys.toml`.
    pub const MATCH_KEYS: &str = "match_keys";
    /// `agencies/*.toml`.
    pub const AGENCY: &str = "agency";
    /// `rules/*`.
    pub const RULES: &str = "rules";
}

/// Everything the policy documents say, parsed and put together. Immutable.
pub struct Policies {
    revision: i64,
    book: PolicyBook,
    match_keys: MatchKeys,
    programme_sha256: [u8; 32],
    agencies_sha256: Digest,
    match_keys_sha256_hex: String,
    kinds: BTreeMap<TokenType, Kind>,
    linking: Vec<bool>,
    link_rules: LinkRules,
    key_checks: BTreeMap<(u32, TokenType), String>,
    test_tokens: BTreeMap<(u32, TokenType), [u8; 32]>,
    suspended_feeds: BTreeSet<(AgencyCode, FeedCode)>,
    /// Tokens that match nothing any more: few, of people who were adopted.
    retired: HashSet<Blinded>,
    /// What decisions under people's rights did to records: few.
    marks: Vec<RecordMark>,
    /// Feeds that are declared to have one record a person, ascending.
    one_each: Vec<(AgencyCode, FeedCode)>,
    epochs: BTreeMap<u32, EpochState>,
    blinding: Blinding,
}

#[derive(Debug, Clone, Copy)]
struct Kind {
    kind: u16,
    stands_for: StandsFor,
}

/// What tokens of a type stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StandsFor {
    Person,
    Address,
    /// A single field at one level: sealed, never stored as such.
    Field,
}

impl Policies {
    /// Reads the documents in use.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when they do not make a whole, and database errors.
    pub async fn load(store: &Store, revision: i64) -> Result<Self, AppError> {
        let documents = store.current_documents().await?;
        let of_kind = |kind: &'static str| documents.iter().filter(move |document| document.kind == kind);
        let one = |kind: &'static str| {
            of_kind(kind)
                .next()
                .ok_or_else(|| AppError::Policy(format!("no {kind} document is loaded: run `porth policy load`")))
        };
        let programme_document = one(kinds::PROGRAMME)?;
        let programme = Programme::parse(&programme_document.body).map_err(unreadable)?;
        let match_keys_document = one(kinds::MATCH_KEYS)?;
        let text = std::str::from_utf8(&match_keys_document.body).map_err(unreadable)?;
        let match_keys = MatchKeys::parse(text).map_err(unreadable)?;
        let agencies: Vec<Agency> = of_kind(kinds::AGENCY)
            .map(|document| Agency::parse(&document.body).map_err(unreadable))
            .collect::<Result<_, _>>()?;
        let rules =
            RuleBook::load(of_kind(kinds::RULES).map(|d| (d.name.as_str(), d.body.as_slice()))).map_err(unreadable)?;
        let agreements = agreements(store).await?;
        let one_each = feeds_of_one_each(&programme);
        let programme_code = programme.code().clone();
        let book = PolicyBook::new(Arc::new(programme), agencies, agreements, Arc::new(rules), revision as u64)
            .map_err(unreadable)?;

        let stored = store.token_kinds(&programme_code).await?;
        let kinds = kinds_of(&match_keys, &stored);
        let (link_rules, linking) = link_rules(&match_keys, &kinds)?;
        let epochs = store.epochs(&programme_code).await?.into_iter().map(|epoch| (epoch.epoch, epoch.state)).collect();
        let blinding = store.blinding(&programme_code).await?;
        let key_checks = store.key_checks(&programme_code).await?;
        let key_checks = key_checks
            .into_iter()
            .filter(|check| check.norm == NORM)
            .map(|check| ((check.epoch, check.token_type), hex(&check.value)))
            .collect();
        let test_tokens = store.test_tokens(&programme_code, NORM).await?;
        let test_tokens = test_tokens.into_iter().map(|test| ((test.epoch, test.token_type), test.digest)).collect();
        let suspended_feeds = store.suspended_feeds(&programme_code).await?.into_iter().collect();
        let retired = store.retired_tokens(&programme_code).await?.into_iter().collect();
        let marks = store.record_marks(&programme_code).await?;
        Ok(Self {
            revision,
            marks,
            programme_sha256: programme_document.sha256,
            agencies_sha256: agencies_digest(of_kind(kinds::AGENCY)),
            match_keys_sha256_hex: hex(&match_keys_document.sha256),
            book,
            match_keys,
            kinds,
            linking,
            link_rules,
            key_checks,
            test_tokens,
            suspended_feeds,
            retired,
            one_each,
            epochs,
            blinding,
        })
    }

    /// As they are from the moment at which more tokens are retired.
    #[must_use]
    pub fn with_retired(mut self, tokens: &[Blinded]) -> Self {
        self.retired.extend(tokens);
        self
    }

    /// The revision that these documents belong to.
    pub fn revision(&self) -> i64 {
        self.revision
    }
    /// Agreements, agencies, rules: what decisions are made from.
    pub fn book(&self) -> &PolicyBook {
        &self.book
    }
    /// The programme.
    pub fn programme(&self) -> &Programme {
        self.book.programme()
    }
    /// SHA-256 of the programme file.
    pub fn programme_sha256(&self) -> &[u8; 32] {
        &self.programme_sha256
    }
    /// One hash over every agency's file: their standing in law takes part in decisions.
    pub fn agencies_sha256(&self) -> Digest {
        self.agencies_sha256
    }
    /// An agency's file.
    pub fn agency(&self, code: &AgencyCode) -> Option<&Agency> {
        self.book.agency(code)
    }
    /// The match keys.
    pub fn match_keys(&self) -> &MatchKeys {
        &self.match_keys
    }
    /// SHA-256 of the match-keys file, as submissions state it.
    pub fn match_keys_sha256_hex(&self) -> &str {
        &self.match_keys_sha256_hex
    }
    /// The normalisation version in use.
    pub fn norm(&self) -> u16 {
        NORM
    }
    /// The registered key check of an epoch and type, hexadecimal.
    pub fn key_check(&self, epoch: u32, token_type: &TokenType) -> Option<&str> {
        self.key_checks.get(&(epoch, token_type.clone())).map(String::as_str)
    }
    /// The registered hash over the test people's tokens of an epoch and type.
    pub fn test_tokens(&self, epoch: u32, token_type: &TokenType) -> Option<&[u8; 32]> {
        self.test_tokens.get(&(epoch, token_type.clone()))
    }
    /// Where an epoch of the linkage key is in its life.
    pub fn epoch(&self, epoch: u32) -> Option<EpochState> {
        self.epochs.get(&epoch).copied()
    }
    /// Whether tokens of an epoch match: those of frozen and retired epochs never do.
    pub fn matches_in(&self, epoch: u32) -> bool {
        epoch == PAIR_EPOCH || self.epoch(epoch) == Some(EpochState::Active)
    }
    /// Whether a shield still reaches over tokens of an epoch: it does until the epoch is retired.
    pub fn shields_in(&self, epoch: u32) -> bool {
        epoch == PAIR_EPOCH || matches!(self.epoch(epoch), Some(EpochState::Active | EpochState::Frozen))
    }
    /// Whether an agency retired a token: it is as if no record and no question had it.
    pub fn is_retired(&self, token: Blinded) -> bool {
        !self.retired.is_empty() && self.retired.contains(&token)
    }
    /// Whether a stored token matches.
    pub fn matches(&self, token: &StoredToken) -> bool {
        self.matches_in(token.epoch) && !self.is_retired(token.blinded)
    }
    /// Whether a shield reaches over a stored token.
    pub fn shields(&self, token: &StoredToken) -> bool {
        self.shields_in(token.epoch) && !self.is_retired(token.blinded)
    }
    /// Whether a record tells of an identity that its person left: no comparison of likenesses may
    /// lead from it to another.
    pub fn holds_retired(&self, tokens: &[StoredToken]) -> bool {
        tokens.iter().any(|token| self.is_retired(token.blinded))
    }
    /// Those of a record's tokens that match. Where its person left an identity behind, none that stands
    /// for a likeness is among them.
    pub fn matching(&self, tokens: &[StoredToken]) -> Vec<StoredToken> {
        let has_left = self.holds_retired(tokens);
        let matching = tokens.iter().filter(|token| self.matches(token) && !(has_left && is_likeness(token.kind)));
        matching.copied().collect()
    }
    /// Those of a record's tokens over which a shield reaches, likewise.
    pub fn shielding(&self, tokens: &[StoredToken]) -> Vec<StoredToken> {
        let has_left = self.holds_retired(tokens);
        let shielding = tokens.iter().filter(|token| self.shields(token) && !(has_left && is_likeness(token.kind)));
        shielding.copied().collect()
    }
    /// Whether an epoch is frozen: until it is retired, no shield lifts.
    pub fn has_frozen_epoch(&self) -> bool {
        self.epochs.values().any(|state| *state == EpochState::Frozen)
    }
    /// How many blinding keys stored tokens went through.
    pub fn blinding(&self) -> &Blinding {
        &self.blinding
    }
    /// The small number of a token type.
    pub fn kind(&self, token_type: &TokenType) -> Option<u16> {
        self.kinds.get(token_type).map(|kind| kind.kind)
    }
    /// Every token type in use.
    pub fn token_types(&self) -> impl Iterator<Item = &TokenType> {
        self.kinds.keys()
    }
    /// Whether tokens of the type stand for a person.
    pub fn is_person_type(&self, token_type: &TokenType) -> bool {
        self.kinds.get(token_type).is_some_and(|kind| kind.stands_for == StandsFor::Person)
    }
    /// Whether tokens of the type stand for an address.
    pub fn is_household_type(&self, token_type: &TokenType) -> bool {
        self.kinds.get(token_type).is_some_and(|kind| kind.stands_for == StandsFor::Address)
    }
    /// Whether tokens of the type stand for a single field: they are sealed and looked up by nobody.
    pub fn is_field_type(&self, token_type: &TokenType) -> bool {
        self.kinds.get(token_type).is_some_and(|kind| kind.stands_for == StandsFor::Field)
    }
    /// Whether tokens of a kind link by themselves.
    pub fn links(&self, kind: u16) -> bool {
        if is_reserved(kind) {
            return self.link_rules.rank(kind).is_some();
        }
        self.linking.get(usize::from(kind)).copied().unwrap_or(false)
    }
    /// Whether records that share a value of a kind belong to one component: they may be linked, or
    /// the shield of one may reach the other.
    pub fn joins(&self, kind: u16) -> bool {
        self.links(kind) || self.link_rules.carries_shield(kind)
    }
    /// Whether a kind is a strong identifier by itself.
    pub fn is_strong(&self, kind: u16) -> bool {
        self.link_rules.conflict(kind) == ConflictRole::Strong
    }
    /// Whether a feed is suspended: its records contribute to no answer, its submissions are refused.
    pub fn is_suspended(&self, agency: &AgencyCode, feed: &FeedCode) -> bool {
        !self.suspended_feeds.is_empty() && self.suspended_feeds.contains(&(agency.clone(), feed.clone()))
    }
    /// Whether a record is kept and not used, because of a person's right: it is as if it were not held.
    pub fn is_held_back(&self, agency: &AgencyCode, feed: &FeedCode, reference: &OpaqueRef) -> bool {
        let is_it = |mark: &RecordMark| mark.effect == Effect::Restricted && mark.is_of(agency, feed, reference);
        self.marks.iter().any(is_it)
    }
    /// What a record says, where its person disputes some of it.
    pub fn contest(&self, (agency, feed, reference): (&AgencyCode, &FeedCode, &OpaqueRef), evidence: &mut Evidence) {
        let disputed = self.marks.iter().filter(|mark| mark.effect == Effect::Contested);
        for mark in disputed.filter(|mark| mark.is_of(agency, feed, reference)) {
            for flag in &mut evidence.flags {
                if mark.criterion.is_empty() || flag.criterion.as_str() == mark.criterion {
                    flag.state = FlagState::Contested;
                }
            }
        }
    }
    /// The rules of linkage.
    pub fn link_rules(&self) -> &LinkRules {
        &self.link_rules
    }

    /// Whether an agency's tokens may be made of an older system's hash values under an agreement.
    pub fn takes_legacy_tokens(&self, agency: &AgencyCode, agreement: &AgreementRef, now: Timestamp) -> bool {
        let agreement = self.book.agreement(agreement);
        agreement.is_some_and(|agreement| agreement.text.takes_legacy_tokens(agency, now.date()))
    }

    /// Whether a feed's records may be weighed now: they came under an agreement that lets the agency
    /// supply under a privacy profile, and the feed is not suspended.
    pub fn may_weigh(&self, feed: &FeedState, profile: Profile, now: Timestamp) -> bool {
        self.has_profile(&feed.agency, &feed.agreement, profile)
            && self.may_supply(&feed.agency, &feed.agreement, now)
            && !self.is_suspended(&feed.agency, &feed.feed)
    }

    /// Whether an agreement lets an agency supply under a privacy profile.
    pub fn has_profile(&self, agency: &AgencyCode, agreement: &AgreementRef, profile: Profile) -> bool {
        let agreed = self.book.agreement(agreement);
        agreed.is_some_and(|agreement| agreement.text.has_profile(agency, profile))
    }

    /// Which records are one person, by the programme's rules.
    pub fn persons(&self, records: &[LinkRecord]) -> Vec<Cluster> {
        clusters_where(records, &self.link_rules, |key| self.feed_of_one_each(&key.agency, &key.feed))
    }

    /// A number for a feed that is declared to have one record a person; `None` for the others. A feed
    /// with several lines in the calendar has to say so in each.
    fn feed_of_one_each(&self, agency: &AgencyCode, feed: &FeedCode) -> Option<u32> {
        place_of(&self.one_each, agency, feed)
    }

    /// Whether an agency may submit under an agreement now: signed by it, in force, not ended, not
    /// overdue for review, with a supply term of its own.
    pub fn may_supply(&self, agency: &AgencyCode, agreement: &AgreementRef, now: Timestamp) -> bool {
        self.book.agreement(agreement).is_some_and(|agreement| {
            let text = &agreement.text;
            agreement.status == AgreementStatus::InForce
                && agreement.signed_by.contains(agency)
                && text.starts_at() <= now
                && now < text.ends_before()
                && now < text.review_before()
                && text.supplies().iter().any(|term| term.supplier == *agency)
        })
    }
}

/// What a match run goes by: the files of its day, whatever is in force now.
pub(super) struct Frozen {
    pub(super) programme: Programme,
    pub(super) link_rules: LinkRules,
    one_each: Vec<(AgencyCode, FeedCode)>,
}

impl Frozen {
    /// Reads the files. Small numbers of token types are given once and never change.
    pub(super) fn of(programme: &[u8], match_keys: &[u8], stored: &[TokenKind]) -> Result<Self, AppError> {
        let programme = Programme::parse(programme).map_err(unreadable)?;
        let text = std::str::from_utf8(match_keys).map_err(unreadable)?;
        let match_keys = MatchKeys::parse(text).map_err(unreadable)?;
        let (link_rules, _) = link_rules(&match_keys, &kinds_of(&match_keys, stored))?;
        Ok(Self { one_each: feeds_of_one_each(&programme), programme, link_rules })
    }

    /// As [`Policies::feed_of_one_each`].
    pub(super) fn feed_of_one_each(&self, agency: &AgencyCode, feed: &FeedCode) -> Option<u32> {
        place_of(&self.one_each, agency, feed)
    }
}

fn place_of(one_each: &[(AgencyCode, FeedCode)], agency: &AgencyCode, feed: &FeedCode) -> Option<u32> {
    one_each.binary_search_by(|(a, f)| (a, f).cmp(&(agency, feed))).ok().map(|place| place as u32)
}

/// The stored small numbers of the token types that the match keys declare.
fn kinds_of(match_keys: &MatchKeys, stored: &[TokenKind]) -> BTreeMap<TokenType, Kind> {
    let known = stored.iter().filter(|kind| kind.norm == NORM).filter_map(|kind| {
        let stands_for = match match_keys.key(&kind.token_type) {
            Some(key) if key.tier == KeyTier::Household => StandsFor::Address,
            Some(_) => StandsFor::Person,
            None => {
                match_keys.field_levels().any(|(_, level)| level.name == kind.token_type).then_some(StandsFor::Field)?
            }
        };
        Some((kind.token_type.clone(), Kind { kind: kind.kind, stands_for }))
    });
    known.collect()
}

/// SHA-256 over the agencies' codes and the hashes of their files, in the order of codes.
pub(super) fn agencies_digest<'a>(documents: impl Iterator<Item = &'a StoredDocument>) -> Digest {
    let mut documents: Vec<&StoredDocument> = documents.collect();
    documents.sort_by(|a, b| a.name.cmp(&b.name));
    let line = |lines: String, document: &&StoredDocument| lines + &document.name + " " + &hex(&document.sha256) + "\n";
    let lines = documents.iter().fold(String::new(), line);
    Digest::of(lines.as_bytes())
}

fn unreadable(error: impl std::fmt::Display) -> AppError {
    AppError::Policy(error.to_string())
}

/// Every agreement with its status and the parties whose signatures verify now.
pub(super) async fn agreements(store: &Store) -> Result<Vec<Agreement>, AppError> {
    let signatures = store.agreement_signatures().await?;
    let mut agreements = Vec::new();
    for stored in store.agreements().await? {
        let text = AgreementText::parse(&stored.body).map_err(unreadable)?;
        let status = serde_json::from_value::<AgreementStatus>(stored.status.as_str().into()).map_err(unreadable)?;
        let signed_by: BTreeSet<AgencyCode> = signatures
            .iter()
            .filter(|signature| signature.sha256 == stored.sha256 && verifies(signature, &stored.body))
            .map(|signature| signature.party.clone())
            .collect();
        agreements.push(Agreement { text: Arc::new(text), status, signed_by });
    }
    Ok(agreements)
}

fn verifies(signature: &StoredSignature, text: &[u8]) -> bool {
    VerifyingKey::from_bytes(&signature.public_key).is_ok_and(|key| key.verify(text, &signature.signature).is_ok())
}

/// What each kind of token may do, by its small number.
fn link_rules(match_keys: &MatchKeys, kinds: &BTreeMap<TokenType, Kind>) -> Result<(LinkRules, Vec<bool>), AppError> {
    let most = kinds.values().map(|kind| usize::from(kind.kind)).max().unwrap_or(0);
    let none = KindRule { tier: Tier::Suggest, conflict: ConflictRole::None };
    let mut rules = vec![none; most + 1];
    let mut linking = vec![false; most + 1];
    for (rank, key) in (0..).zip(match_keys.keys()) {
        let Some(kind) = kinds.get(&key.name) else { continue };
        let place = usize::from(kind.kind);
        linking[place] = key.tier == KeyTier::Link;
        rules[place] = KindRule {
            tier: if linking[place] { Tier::Link(rank) } else { Tier::Suggest },
            conflict: match &key.conflict {
                None => ConflictRole::None,
                Some(Conflict::Strong) => ConflictRole::Strong,
                Some(Conflict::WithDate { of }) => {
                    kinds.get(of).map_or(ConflictRole::None, |strong| ConflictRole::WithDate { of: strong.kind })
                }
            },
        };
    }
    let shielding = match_keys.keys().iter().filter(|key| key.shields);
    let shielding = shielding.filter_map(|key| kinds.get(&key.name)).map(|kind| kind.kind).collect();
    let kind_of = |key: &MatchKey| kinds.get(&key.name).map(|kind| kind.kind);
    let composites = match_keys.keys().iter().filter(|key| key.is_composite(match_keys.fields()));
    let composites = composites.filter_map(kind_of).collect();
    let evidence = match_keys.keys().iter().filter_map(|key| Some((kind_of(key)?, key.evidence_millibits?))).collect();
    let rules = LinkRules::new(rules).map_err(unreadable)?.with_shielding(shielding);
    Ok((rules.with_composites(composites).with_evidence(evidence), linking))
}

/// The feeds of which every line of the calendar says that they have one record a person.
fn feeds_of_one_each(programme: &Programme) -> Vec<(AgencyCode, FeedCode)> {
    let mut says: BTreeMap<(AgencyCode, FeedCode), bool> = BTreeMap::new();
    for feed in programme.feeds() {
        *says.entry((feed.agency.clone(), feed.code.clone())).or_insert(true) &= feed.one_record_a_person;
    }
    says.into_iter().filter(|(_, says)| *says).map(|(feed, _)| feed).collect()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
