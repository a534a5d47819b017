//! The question of an answer that was recalled is asked again, for the answer that holds today.
//!
//! Its agency may have thrown the tokens away. The opening `names` of the answer's entry has them, blinded as
//! stored tokens are; they are used for this alone, while the agency's own notice of the recall waits, and as
//! long as the opening is kept. Everything else is as for any enquiry: the same decision by what is in force
//! now, the same looks, whoever is shielded is as if never submitted, the clause's ceiling is charged, and the
//! entry, which names the one that it asks again for, is durable before the answer leaves.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::evidence::Found;
use super::{EnquiryError, Question, QuestionFault, Receipted};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::past::{KeptNames, PastError};
use crate::app::policies::Policies;
use crate::domain::agreement::AnswerMode;
use crate::domain::epoch::EpochState;
use crate::domain::ids::{AgencyCode, AgreementRef, EventId, OpaqueRef, RoleCode};
use crate::domain::programme::Relationship;
use crate::domain::submission::{SCHEME, TokensByEpoch};
use crate::domain::token::{Blinded, decode_base64url, encode_base64url};
use crate::store::{StoreError, StoredToken};
use crate::tlog::entry::{Body, Enquiry, Entry, Outcome};

/// What an answer was asked with, as its entry keeps it: kind, epoch and blinded value of each token.
#[derive(Serialize, Deserialize)]
pub(in crate::app) struct AskedWith {
    /// How many blinding keys the tokens went through.
    layers: u32,
    tokens: Vec<(u16, u32, String)>,
    household: Vec<(u16, u32, String)>,
}

/// What a recalled answer was asked with.
pub(in crate::app) struct KeptQuestion {
    /// The answer's entry.
    pub(super) of: EventId,
    asked: AskedWith,
}

/// What is asked with again: tokens that may match today, taken through the blinding keys that came since.
pub(in crate::app) struct Again {
    /// The entry of the answer that was recalled.
    pub(super) of: EventId,
    pub(super) tokens: Vec<StoredToken>,
    pub(super) household: Vec<StoredToken>,
}

/// Who asks again, and on what grounds where they are others than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskAgain {
    /// The agreement, where another one than that of the answer is to be decided by.
    pub agreement: Option<AgreementRef>,
    /// The role of the person who asks now.
    pub role: RoleCode,
    /// The agency's own keyed reference of that person.
    pub user: OpaqueRef,
}

/// Why the question of an answer cannot be asked again by its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::app) enum NoQuestion {
    /// It answers no question of an enquiry, or an emergency's.
    #[error("it is no enquiry's answer, or an emergency's")]
    Other,
    /// The opening was erased, or is of a release that kept no tokens.
    #[error("the question is not kept any more")]
    Gone,
}

impl AskedWith {
    pub(super) fn new(layers: u32, found: &Found) -> Self {
        let plain = |token: &StoredToken| (token.kind, token.epoch, encode_base64url(token.blinded.as_bytes()));
        let (tokens, household) = found.tokens.split_at(found.of_person.min(found.tokens.len()));
        let [tokens, household] = [tokens, household].map(|tokens| tokens.iter().map(plain).collect());
        Self { layers, tokens, household }
    }
}

impl Gateway {
    /// What an entry of the agency's own was asked with, and on what grounds.
    pub(in crate::app) async fn kept_question(
        &self,
        asker: &AgencyCode,
        of: EventId,
    ) -> Result<Result<(Box<Enquiry>, KeptQuestion), NoQuestion>, AppError> {
        let Some(body) = self.logged_body(of).await? else { return Ok(Err(NoQuestion::Other)) };
        let entry = Entry::parse(&body).map_err(|_| StoreError::Corrupt("a log entry"))?;
        let Body::Enquiry(asked) = entry.into_body() else { return Ok(Err(NoQuestion::Other)) };
        let is_own = asked.recipient == *asker && asked.outcome == Outcome::Answered;
        if !is_own || asked.emergency.is_some() || mode_of(&asked).is_none() {
            return Ok(Err(NoQuestion::Other));
        }
        let names: KeptNames = match self.past_names(of, &asked).await {
            Ok(names) => names,
            Err(PastError::App(error)) => return Err(error),
            Err(PastError::Altered) => {
                return Err(StoreError::Corrupt("an opening is not what its entry commits to").into());
            }
            Err(_) => return Ok(Err(NoQuestion::Gone)),
        };
        Ok(names.asked.map(|with| (asked, KeptQuestion { of, asked: with })).ok_or(NoQuestion::Gone))
    }

    /// Asks the question of an answer again, in the name of the agency that received it.
    pub(in crate::app) async fn enquire_again(
        &self,
        caller: &AgencyCaller,
        (before, kept): (&Enquiry, &KeptQuestion),
        case: OpaqueRef,
        now: &AskAgain,
        idempotency: &str,
    ) -> Result<Receipted, EnquiryError> {
        let agreement = now.agreement.clone().or_else(|| before.agreement.clone());
        let relationship = Relationship::ALL.into_iter().find(|one| one.as_str() == before.relationship.as_str());
        let (Some(agreement), Some(mode), Some(relationship)) = (agreement, mode_of(before), relationship) else {
            return Err(AppError::from(StoreError::Corrupt("the terms of an answer")).into());
        };
        let question = Question {
            programme: self.programme().clone(),
            agreement,
            purpose: before.purpose.clone(),
            mode,
            relationship,
            emergency: None,
            role: now.role.clone(),
            case,
            user: now.user.clone(),
            scheme: SCHEME.to_owned(),
            norm: self.current_policies().await?.norm(),
            epochs: Vec::new(),
            tokens: TokensByEpoch::new(),
            household: TokensByEpoch::new(),
        };
        self.enquire_with(caller, &question, Some(kept), idempotency).await
    }

    /// What a kept question is asked with today: without the tokens of epochs that are over, and only if the
    /// agreements give the asker the keys of the others still.
    pub(super) fn question_today(
        &self,
        kept: &KeptQuestion,
        asker: &AgencyCode,
        question: &Question,
        policies: &Policies,
        takes_legacy: bool,
    ) -> Result<Again, EnquiryError> {
        let programme = policies.programme();
        if programme.purpose(&question.purpose).is_none() || programme.role(&question.role).is_none() {
            return Err(QuestionFault::Undeclared.into());
        }
        let tokens = self.stacked(&kept.asked.tokens, kept.asked.layers, policies)?;
        let household = self.stacked(&kept.asked.household, kept.asked.layers, policies)?;
        let granted: BTreeSet<u16> =
            policies.granted_types(asker).iter().filter_map(|token_type| policies.kind(token_type)).collect();
        let legacy = policies.token_types().filter(|token_type| policies.match_keys().is_legacy(token_type));
        let legacy: BTreeSet<u16> = legacy.filter_map(|token_type| policies.kind(token_type)).collect();
        for token in tokens.iter().chain(&household) {
            if legacy.contains(&token.kind) {
                if !takes_legacy {
                    return Err(QuestionFault::LegacyToken.into());
                }
            } else if !granted.contains(&token.kind) {
                return Err(QuestionFault::NotGranted.into());
            }
        }
        let is_live = |token: &StoredToken| policies.epoch(token.epoch) == Some(EpochState::Active);
        let again = Again {
            of: kept.of,
            tokens: tokens.iter().filter(|token| is_live(token)).copied().collect(),
            household: household.into_iter().filter(is_live).collect(),
        };
        if again.tokens.is_empty() {
            let is_frozen = |token: &StoredToken| policies.epoch(token.epoch) == Some(EpochState::Frozen);
            let fault = if tokens.iter().any(is_frozen) { QuestionFault::FrozenKey } else { QuestionFault::RetiredKey };
            return Err(fault.into());
        }
        Ok(again)
    }

    fn stacked(
        &self,
        tokens: &[(u16, u32, String)],
        layers: u32,
        policies: &Policies,
    ) -> Result<Vec<StoredToken>, AppError> {
        let blinder = &self.keys().blinder;
        let mut stacked = Vec::with_capacity(tokens.len());
        for (kind, epoch, text) in tokens {
            let made: [u8; 16] = decode_base64url(text).ok_or(StoreError::Corrupt("a token of an opening"))?;
            let through = (layers..policies.blinding().layers)
                .try_fold(Blinded::new(made), |token, layer| blinder.restack(layer, token));
            let blinded = through.ok_or(AppError::KeysChanging)?;
            stacked.push(StoredToken { kind: *kind, epoch: *epoch, blinded });
        }
        stacked.sort_unstable();
        Ok(stacked)
    }
}

/// The answer mode of an enquiry; `None` for the journeys beside it.
fn mode_of(asked: &Enquiry) -> Option<AnswerMode> {
    AnswerMode::ALL.into_iter().find(|mode| mode.as_str() == asked.mode.as_str())
}
