//! An agency asks about a person, and gets the least that the agreements allow.
//!
//! In order: who may contribute is decided, from agreements alone; only then are records read, and
//! only those of the permitted set; the answer is computed; its entry is made durable; it leaves.
//! A person who is shielded, one whom nobody knows, and one of whom nothing may be said take the
//! same path: the same questions to the database, an answer of the same length, the same entry
//! fields. What really happened is sealed to the shield officers, in every entry.

pub(in crate::app) mod evidence;
pub(super) mod family;
pub(in crate::app) mod log_entry;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::log_entry::{Aside, Asked, answer_opening};
use super::caller::AgencyCaller;
use super::emergency::emergency_of;
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::Policies;
use super::writer::{Disclosure, Written};
use crate::crypto::random::uuid_v7;
use crate::domain::agreement::AnswerMode;
use crate::domain::enquiry::{Answer, Answered};
use crate::domain::epoch::EpochState;
use crate::domain::evidence::{Contribution, Deliveries, Facts};
use crate::domain::ids::{
    AgencyCode, AgreementRef, EventId, OpaqueRef, ProgrammeCode, PurposeCode, RoleCode, TokenType,
};
use crate::domain::programme::{Danger, Relationship};
use crate::domain::submission::{EpochKeys, TokensByEpoch};
use crate::domain::time::Timestamp;
use crate::domain::token::Token;
use crate::policy::decision::{Permitted, Refusal, SupplierFeed, Terms};
use crate::policy::rules::RuleHit;
use crate::store::{CeilingKey, FeedState, KeptReply, NewEvent, StoredReply, View};
use crate::tlog::merkle::Hash;
use crate::tlog::receipt::Receipt;

/// How long a reply is kept for a caller who repeats the request.
const REPLY_SECONDS: i64 = 24 * 3600;
/// How often a question is decided anew because something changed meanwhile. Taking policies into use is
/// many changes in a row, a signature each, and no question is to be dropped for it.
const MOST_TRIES: usize = 32;
/// Most tokens that an enquiry may carry.
pub const MOST_TOKENS: usize = 64;

/// Most values of one identifier: a person has one, or two while records are being merged.
const MOST_IDENTIFIERS: usize = 2;
/// Most household tokens: an address or two, in one or two epochs.
const MOST_HOUSEHOLDS: usize = 4;

/// What an agency asks, as its system sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The programme.
    #[schema(value_type = String)]
    pub programme: ProgrammeCode,
    /// The agreement whose receive clause lets the agency ask.
    #[schema(value_type = String, example = "early-help-core/v1")]
    pub agreement: AgreementRef,
    /// What the answer is for.
    #[schema(value_type = String)]
    pub purpose: PurposeCode,
    /// In which form: `eligible`, `count`, `areas`, `criteria` or `lead`.
    #[schema(value_type = String, example = "areas")]
    pub mode: AnswerMode,
    /// Why this person now.
    #[schema(value_type = String, example = "open_case")]
    pub relationship: Relationship,
    /// In an emergency, what kind of danger: needed with the relationship `emergency`, refused without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Danger>,
    /// The role in which the asking person acts.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The agency's own keyed reference of the case.
    #[schema(value_type = String)]
    pub case: OpaqueRef,
    /// The agency's own keyed reference of the person who asks.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
    /// Token scheme, `pt1`.
    pub scheme: String,
    /// Normalisation version.
    pub norm: u16,
    /// Key checks of the epochs and types used.
    pub epochs: Vec<EpochKeys>,
    /// The person's tokens.
    #[schema(value_type = Object)]
    pub tokens: TokensByEpoch,
    /// Tokens of the address that the enquiry is about.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub household: TokensByEpoch,
}

/// Why a question is not answered. None of it depends on the person.
#[derive(Debug, thiserror::Error)]
pub enum EnquiryError {
    /// The agreements do not allow it. The refusal is in the log.
    #[error("the agreements do not permit the enquiry")]
    NotPermitted {
        /// Its log entry.
        disclosure: EventId,
        /// The rules in the way.
        hits: Vec<RuleHit>,
        /// Proof that it was logged.
        receipt: String,
    },
    /// The day's enquiries of the receive clause are used up. The refusal is in the log.
    #[error("today's enquiries under this clause are used up")]
    CeilingReached {
        /// Its log entry.
        disclosure: EventId,
        /// Proof that it was logged.
        receipt: String,
    },
    /// The question itself is at fault.
    #[error(transparent)]
    Question(#[from] QuestionFault),
    /// An earlier emergency enquiry of this system is overdue for its review. The refusal is in the log.
    #[error("an emergency enquiry of this system was not reviewed by the end of its day")]
    EmergencyUnreviewed {
        /// Its log entry.
        disclosure: EventId,
        /// Proof that it was logged.
        receipt: String,
    },
    /// The idempotency key was used for another question.
    #[error("the idempotency key was used for another question")]
    KeyReused,
    /// The answer to this key may no longer be given: agreements or records changed since. Ask anew.
    #[error("the kept answer may no longer be given")]
    KeyLapsed,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<crate::store::StoreError> for EnquiryError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::App(error.into())
    }
}

/// What is wrong with a question before any policy is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuestionFault {
    /// Another programme than this gateway's.
    #[error("this gateway does not serve the programme")]
    Programme,
    /// Another token scheme or normalisation version.
    #[error("the token scheme or normalisation version is not the programme's")]
    Scheme,
    /// A key check differs.
    #[error("a key check differs from the registered one: the tokens were made with another linkage key")]
    WrongKey,
    /// No key check is registered for an epoch and type.
    #[error("no key check is registered for an epoch and type of the question")]
    UnknownKey,
    /// The agreements do not give the agency the key of a token type.
    #[error("the agreements do not give the asker the key of a token type of the question")]
    NotGranted,
    /// The epoch is frozen: its key may be in wrong hands.
    #[error("the linkage key's epoch is frozen: ask with the next epoch's key alone")]
    FrozenKey,
    /// The epoch is over.
    #[error("the linkage key's epoch is retired: ask with the present epoch's key alone")]
    RetiredKey,
    /// A token of an epoch or type without a key check, or that the programme does not use there.
    #[error("a token has an epoch or type without a key check, or that the programme does not use there")]
    TokenType,
    /// Tokens made of old hash values, which the agreement does not take from the asker.
    #[error("the agreement does not let the asker send tokens made of old hash values")]
    LegacyToken,
    /// No token at all.
    #[error("the question carries no token")]
    NoTokens,
    /// Too many tokens.
    #[error(
        "the question carries more than 64 tokens, 4 addresses, or 2 values of one identifier: ask about one person"
    )]
    TooManyTokens,
    /// One epoch, or two while a key is being changed.
    #[error("the question names no epoch or more than two")]
    Epochs,
    /// A purpose or role that the programme does not declare.
    #[error("the programme declares no such purpose or role")]
    Undeclared,
    /// An emergency without its danger, or a danger without an emergency.
    #[error("an emergency enquiry names its danger, and no other does")]
    Danger,
}

impl QuestionFault {
    /// The code in answers.
    pub fn code(self) -> &'static str {
        match self {
            Self::Programme => "programme.unknown",
            Self::Scheme => "scheme.unknown",
            Self::WrongKey => "key.wrong",
            Self::UnknownKey => "key.unregistered",
            Self::NotGranted => "key.not_granted",
            Self::FrozenKey => "key.frozen",
            Self::RetiredKey => "key.retired",
            Self::TokenType => "token.type",
            Self::LegacyToken => "token.legacy",
            Self::NoTokens => "token.none",
            Self::TooManyTokens => "token.too_many",
            Self::Epochs => "token.epoch",
            Self::Undeclared => "purpose.unknown",
            Self::Danger => "emergency.danger",
        }
    }
}

/// An answer with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipted {
    /// The log entry.
    pub disclosure: EventId,
    /// When it was decided.
    pub at: Timestamp,
    /// The answer.
    pub answer: Answer,
    /// Name and contact of the team that leads, when one is named: what the agency's file says.
    pub contact: Option<Contact>,
    /// What the asker may do with the answer.
    pub onward: String,
    /// Agencies in the permitted set whose tokens may be made of an older system's hash values, the
    /// asker included: a property of agreements, the same whoever is asked about.
    pub legacy_tokens: Vec<AgencyCode>,
    /// The version of the criteria.
    pub criteria_version: String,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

/// How to reach a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The agency's name.
    pub agency: String,
    /// The team's name.
    pub team: String,
    /// How to reach it.
    pub contact: String,
}

impl Gateway {
    /// Answers a question. What comes back is durable in the log before it leaves.
    ///
    /// `idempotency` is the caller's key: the same question under the same key gets the same answer
    /// again, as long as nothing was withdrawn, shielded or replaced since.
    ///
    /// # Errors
    ///
    /// [`EnquiryError`]; refusals by agreement are in the log too.
    pub async fn enquire(
        &self,
        caller: &AgencyCaller,
        question: &Question,
        idempotency: &str,
    ) -> Result<Receipted, EnquiryError> {
        for _ in 0..MOST_TRIES {
            if let Some(answer) = self.try_to_answer(caller, question, idempotency).await? {
                return Ok(answer);
            }
        }
        Err(AppError::Interrupted.into())
    }

    /// `None` when agreements, shields or records changed between the decision and the commit.
    async fn try_to_answer(
        &self,
        caller: &AgencyCaller,
        question: &Question,
        idempotency: &str,
    ) -> Result<Option<Receipted>, EnquiryError> {
        let tag = self.reply_tag(caller, idempotency);
        let opening = self.store().view_and_reply(self.programme(), &caller.client, &tag).await?;
        let (view, kept) = opening.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        self.check_blinding(&policies)?;
        let takes_legacy = policies.takes_legacy_tokens(&caller.agency, &question.agreement, view.now);
        self.check_question(&caller.agency, question, &policies, takes_legacy)?;
        let request_hash = self.request_hash(&caller.client, question)?;
        if let Some(kept) = kept {
            return self.replay(&kept, &request_hash, view, &policies).await.map(Some);
        }

        // Decided before any record is read.
        let terms = terms(caller, question);
        let feeds = self.contributing_feeds(view.generation, &policies).await?;
        let supplier_feeds: Vec<SupplierFeed> = feeds.iter().map(supplier_feed).collect();
        let decision = self.decisions().contributors(policies.book(), &terms, &supplier_feeds, view.now);

        let form = question.mode.as_str();
        let asked = Asked { caller, question, form, policies: &policies, feeds: &feeds, request_hash, view };
        match decision {
            Err(refusal) => self.refused(&asked, &refusal).await,
            Ok(_) if self.is_emergency_overdue(&asked).await? => self.refused_unreviewed(&asked).await,
            Ok(permitted) => self.answer(&asked, &permitted, &tag).await,
        }
    }

    /// Writes the entry of a refusal. `None` when what it was decided on changed meanwhile.
    pub(super) async fn refused<T>(&self, asked: &Asked<'_>, refusal: &Refusal) -> Result<Option<T>, EnquiryError> {
        let entry = self.refusal_entry(asked, &refusal.hits, &refusal.decisions)?;
        let Some((disclosure, receipt)) = self.write_refusal(asked, entry).await? else { return Ok(None) };
        metrics::counter!("porth_enquiries", "outcome" => "refused").increment(1);
        Err(EnquiryError::NotPermitted { disclosure, hits: refusal.hits.clone(), receipt })
    }

    /// Makes the entry of a refusal durable; gives its id and receipt, or `None` when what it was decided on
    /// changed meanwhile.
    pub(super) async fn write_refusal(
        &self,
        asked: &Asked<'_>,
        entry: NewEvent,
    ) -> Result<Option<(EventId, String)>, EnquiryError> {
        let (disclosure, receipt) = (entry.id, self.receipt(entry.id, entry.leaf_hash, entry.at)?);
        let refused = Disclosure {
            entry,
            decided_on: asked.decided_on(self.programme()),
            ceilings: Vec::new(),
            over_ceiling: None,
            reply: None,
            engagement: None,
            emergency: None,
        };
        if self.writer().commit(refused).await? == Written::Outdated {
            return Ok(None);
        }
        self.wake_sequencer();
        Ok(Some((disclosure, receipt)))
    }

    async fn answer(
        &self,
        asked: &Asked<'_>,
        permitted: &Arc<Permitted>,
        tag: &[u8; 32],
    ) -> Result<Option<Receipted>, EnquiryError> {
        let found = self.find(asked, permitted).await?;
        let (set, deliveries) = (contribution(permitted), deliveries(asked));
        let facts = Facts::new(asked.policies.programme(), &deliveries, &set, asked.view.now);
        let answered = Answered::new(asked.question.mode, &found.members, &facts);

        let id = EventId::new(uuid_v7(asked.view.now, self.random()));
        let aside = Aside { records: Some(&found.records), ..Aside::default() };
        let opening = answer_opening(asked, permitted, &found, &answered, &aside)?;
        let (entry, over_ceiling) = self.answer_entries(id, asked, permitted, &found, opening)?;
        let answer = Receipted {
            disclosure: id,
            at: asked.view.now,
            contact: contact(&answered.answer, asked.policies),
            answer: answered.answer,
            onward: permitted.onward().as_str().to_owned(),
            legacy_tokens: asked.legacy_agencies(permitted),
            criteria_version: permitted.criteria_version.clone(),
            receipt: self.receipt(id, entry.leaf_hash, asked.view.now)?,
        };
        let refused_leaf = over_ceiling.leaf_hash;
        let disclosure = Disclosure {
            entry,
            decided_on: asked.decided_on(self.programme()),
            ceilings: vec![(ceiling_key(asked, permitted), i64::from(permitted.charge.daily_ceiling))],
            over_ceiling: Some(over_ceiling),
            reply: Some(kept_reply(id, asked, permitted, tag)),
            engagement: None,
            emergency: emergency_of(id, asked),
        };
        let written = self.writer().commit(disclosure).await?;
        self.wake_sequencer();
        match written {
            Written::Entry => {
                metrics::counter!("porth_enquiries", "outcome" => "answered").increment(1);
                Ok(Some(answer))
            }
            Written::Outdated => Ok(None),
            Written::OverCeiling => {
                metrics::counter!("porth_enquiries", "outcome" => "ceiling").increment(1);
                let receipt = self.receipt(id, refused_leaf, asked.view.now)?;
                Err(EnquiryError::CeilingReached { disclosure: id, receipt })
            }
            Written::Repeated => {
                let kept = self.store().reply(&asked.caller.client, tag, asked.view.now).await?;
                let kept = kept.ok_or(EnquiryError::KeyLapsed)?;
                self.replay(&kept, &asked.request_hash, asked.view, asked.policies).await.map(Some)
            }
        }
    }

    /// Where what is kept for an idempotency key of a caller is found.
    pub(super) fn reply_tag(&self, caller: &AgencyCaller, idempotency: &str) -> [u8; 32] {
        self.keys().tagger.reply(&caller.client, idempotency, b"POST /v1/enquiries")
    }

    /// Binds an idempotency key to the whole question. Keyed: a stolen database is no help to
    /// somebody who wants to test which tokens were asked about.
    pub(super) fn request_hash(&self, client: &str, request: &impl Serialize) -> Result<[u8; 32], AppError> {
        let bytes = serde_json::to_vec(request).map_err(|_| AppError::Internal("a request cannot be written"))?;
        Ok(self.keys().tagger.reply(client, "question", &bytes))
    }

    pub(super) fn check_question(
        &self,
        asker: &AgencyCode,
        question: &Question,
        policies: &Policies,
        takes_legacy: bool,
    ) -> Result<(), QuestionFault> {
        if &question.programme != self.programme() {
            return Err(QuestionFault::Programme);
        }
        if question.scheme != crate::domain::submission::SCHEME || question.norm != policies.norm() {
            return Err(QuestionFault::Scheme);
        }
        let programme = policies.programme();
        if programme.purpose(&question.purpose).is_none() || programme.role(&question.role).is_none() {
            return Err(QuestionFault::Undeclared); // free text has no place in an append-only log
        }
        if (question.relationship == Relationship::Emergency) != question.emergency.is_some() {
            return Err(QuestionFault::Danger);
        }
        if !(1..=2).contains(&question.epochs.len()) {
            return Err(QuestionFault::Epochs);
        }
        match question.epochs.iter().filter_map(|epoch| policies.epoch(epoch.epoch)).max() {
            Some(EpochState::Frozen) => return Err(QuestionFault::FrozenKey),
            Some(EpochState::Retired) => return Err(QuestionFault::RetiredKey),
            Some(EpochState::Active) | None => {}
        }
        for epoch in &question.epochs {
            for (token_type, check) in &epoch.key_checks {
                match policies.key_check(epoch.epoch, token_type) {
                    None => return Err(QuestionFault::UnknownKey),
                    Some(registered) if registered != check.as_str() => return Err(QuestionFault::WrongKey),
                    Some(_) => {}
                }
            }
        }
        // Whoever asks with tokens of a type has its key: the same rule as for a submission's header.
        let granted = policies.granted_types(asker);
        let may_ask = |it: &TokenType| granted.contains(it) || policies.match_keys().is_legacy(it);
        if question.epochs.iter().flat_map(|epoch| epoch.key_checks.keys()).any(|it| !may_ask(it)) {
            return Err(QuestionFault::NotGranted);
        }
        let count = |tokens: &TokensByEpoch| tokens.values().flat_map(|types| types.values()).map(Vec::len).sum();
        let (tokens, households): (usize, usize) = (count(&question.tokens), count(&question.household));
        if tokens == 0 {
            return Err(QuestionFault::NoTokens);
        }
        if tokens + households > MOST_TOKENS || households > MOST_HOUSEHOLDS {
            return Err(QuestionFault::TooManyTokens);
        }
        // A list of numbers under one enquiry would be many questions for one charge.
        let is_list = |(token_type, values): (&TokenType, &Vec<Token>)| {
            policies.kind(token_type).is_some_and(|kind| policies.is_strong(kind)) && values.len() > MOST_IDENTIFIERS
        };
        if question.tokens.values().flatten().any(is_list) {
            return Err(QuestionFault::TooManyTokens);
        }
        let is_declared = |epoch: &u32, token_type| {
            question.epochs.iter().any(|keys| keys.epoch == *epoch && keys.key_checks.contains_key(token_type))
        };
        for (epoch, types) in &question.tokens {
            if types.is_empty() || types.keys().any(|t| !is_declared(epoch, t) || !policies.is_person_type(t)) {
                return Err(QuestionFault::TokenType);
            }
        }
        let is_legacy = |token_type: &TokenType| policies.match_keys().is_legacy(token_type);
        if !takes_legacy && question.tokens.values().flat_map(|types| types.keys()).any(is_legacy) {
            return Err(QuestionFault::LegacyToken);
        }
        for (epoch, types) in &question.household {
            if types.is_empty() || types.keys().any(|t| !is_declared(epoch, t) || !policies.is_household_type(t)) {
                return Err(QuestionFault::TokenType);
            }
        }
        Ok(())
    }

    /// The signed promise that an entry will be in the log.
    pub(super) fn receipt(&self, event: EventId, leaf_hash: [u8; 32], at: Timestamp) -> Result<String, AppError> {
        let leaf = Hash::new(leaf_hash);
        let receipt = Receipt { origin: self.names().log.clone(), event, leaf, at };
        let signer = super::signers::KeySigner::new(&self.names().log, &self.keys().receipt);
        let note = receipt.sign(&signer).map_err(|_| AppError::Internal("a receipt cannot be signed"))?;
        Ok(note.to_string())
    }

    /// Gives an answer again, from its log entry: only while agreements, shields and records are as
    /// they were.
    pub(super) async fn replay(
        &self,
        kept: &StoredReply,
        request_hash: &[u8; 32],
        view: View,
        policies: &Policies,
    ) -> Result<Receipted, EnquiryError> {
        if kept.request_hash != *request_hash {
            return Err(EnquiryError::KeyReused);
        }
        if (kept.policy_revision, kept.generation) != (view.policy_revision, view.generation) {
            return Err(EnquiryError::KeyLapsed);
        }
        let entry = self.store().sealed_entry(kept.event, "answer").await?;
        let entry = entry.ok_or(EnquiryError::KeyLapsed)?;
        let said: log_entry::Said = self.open_answer(kept.event, &entry.sealed)?;
        Ok(Receipted {
            disclosure: kept.event,
            at: entry.at,
            contact: contact(&said.answer, policies),
            answer: said.answer,
            onward: said.onward,
            legacy_tokens: said.legacy_tokens,
            criteria_version: said.criteria_version,
            receipt: self.receipt(kept.event, entry.leaf_hash, entry.at)?,
        })
    }
}

/// The permitted set, as answers are computed over it.
pub(super) fn contribution(permitted: &Permitted) -> Contribution {
    permitted.granted().map(|line| (line.supplier.clone(), line.feed.clone(), line.item.clone())).collect()
}

/// The day of each feed's newest delivery.
pub(super) fn deliveries(asked: &Asked<'_>) -> Deliveries {
    asked.feeds.iter().map(|feed| ((feed.agency.clone(), feed.feed.clone()), feed.as_at.date())).collect()
}

pub(super) fn kept_reply(id: EventId, asked: &Asked<'_>, permitted: &Permitted, tag: &[u8; 32]) -> KeptReply {
    KeptReply {
        client: asked.caller.client.clone(),
        tag: *tag,
        reply: StoredReply {
            request_hash: asked.request_hash,
            event: id,
            policy_revision: asked.view.policy_revision,
            generation: asked.view.generation,
        },
        // Never beyond the moment at which the decision may be another.
        expires_at: asked.view.now.plus_seconds(REPLY_SECONDS).min(permitted.valid_until),
    }
}

pub(super) fn terms(caller: &AgencyCaller, question: &Question) -> Terms {
    Terms {
        recipient: caller.agency.clone(),
        agreement: question.agreement.clone(),
        purpose: question.purpose.clone(),
        mode: question.mode,
        role: question.role.clone(),
        relationship: question.relationship,
    }
}

pub(super) fn supplier_feed(feed: &FeedState) -> SupplierFeed {
    SupplierFeed { supplier: feed.agency.clone(), feed: feed.feed.clone(), agreement: feed.agreement.clone() }
}

pub(super) fn ceiling_key(asked: &Asked<'_>, permitted: &Permitted) -> CeilingKey {
    CeilingKey {
        agreement: permitted.charge.clause.agreement.to_string(),
        clause: permitted.charge.clause.term.to_string(),
        recipient: asked.caller.agency.to_string(),
        day: asked.view.now.as_seconds().div_euclid(86_400),
    }
}

/// The contact of the team that an answer names.
fn contact(answer: &Answer, policies: &Policies) -> Option<Contact> {
    let Answer::Lead { lead: crate::domain::enquiry::Lead::Known { agency, team_route, .. }, .. } = answer else {
        return None;
    };
    let agency = policies.agency(agency)?;
    let team = agency.team(team_route)?;
    Some(Contact { agency: agency.name().to_owned(), team: team.name.clone(), contact: team.contact.clone() })
}
