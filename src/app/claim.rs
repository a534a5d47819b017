//! A family is engaged, and later a result is claimed for it.
//!
//! Both are questions in mode `criteria` about the family, decided and logged like any other. What was
//! found at engagement stays in the sealed opening of its entry. The check of a claim compares that
//! with what is found now, and gives the evidence, never a bare yes.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::caller::AgencyCaller;
use super::enquire::evidence::Found;
use super::enquire::log_entry::{Aside, Asked, answer_opening};
use super::enquire::{self, EnquiryError, Question, QuestionFault};
use super::error::AppError;
use super::gateway::Gateway;
use super::past::{PastAnswer, PastError};
use super::proof::ProvedEntry;
use super::writer::{Disclosure, Written};
use crate::crypto::random::uuid_v7;
use crate::domain::agreement::AnswerMode;
use crate::domain::claim::{ClaimCheck, Person, RecordName, Route, Seen, Whereabouts};
use crate::domain::enquiry::Answered;
use crate::domain::evidence::Facts;
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;
use crate::policy::decision::{Permitted, SupplierFeed};
use crate::store::{Engagement, StoredReply, View};

/// How often a question is decided anew because something changed meanwhile.
const MOST_TRIES: usize = 4;
/// The epoch of recipients' pseudonyms.
const PSEUDONYM_EPOCH: u32 = 1;

/// That a family is engaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEngagement {
    /// The family, asked about in mode `criteria` for the programme's purpose of claims.
    pub family: Question,
    /// The day on which a service began to work with the family.
    #[schema(value_type = String, format = Date)]
    pub engaged_on: Date,
}

/// A claim to be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClaimCheck {
    /// The family, asked about as at engagement.
    pub family: Question,
    /// The log entry of the family's engagement.
    #[schema(value_type = String, format = "uuid")]
    pub engagement: EventId,
    /// On which ground the result is claimed.
    pub route: Route,
}

/// Why a claim or an engagement is not answered.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// As with any question.
    #[error(transparent)]
    Enquiry(#[from] EnquiryError),
    /// The programme claims no results, or the question has another purpose or mode than claims have.
    #[error("a claim is asked in mode criteria, for the purpose that the programme has for claims")]
    NotAClaim,
    /// The day of engagement lies in the future.
    #[error("the day of engagement lies in the future")]
    Future,
    /// The caller recorded no engagement of this id.
    #[error("the caller has recorded no engagement of this id")]
    UnknownEngagement,
    /// The evidence as at engagement rests on a match that was found wrong.
    #[error("the evidence as at engagement rests on a match that was found wrong: engage the family again")]
    Recalled,
    /// The evidence as at engagement was erased.
    #[error("the evidence as at engagement was erased: nothing can be compared with it")]
    Erased,
}

impl From<AppError> for ClaimError {
    fn from(error: AppError) -> Self {
        Self::Enquiry(error.into())
    }
}
impl From<QuestionFault> for ClaimError {
    fn from(fault: QuestionFault) -> Self {
        Self::Enquiry(fault.into())
    }
}
impl From<crate::store::StoreError> for ClaimError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Enquiry(error.into())
    }
}
impl From<PastError> for ClaimError {
    fn from(error: PastError) -> Self {
        match error {
            PastError::App(error) => error.into(),
            PastError::Erased => Self::Erased,
            PastError::NoAnswer | PastError::NoProgramme => Self::UnknownEngagement,
            broken @ (PastError::Altered | PastError::Unreadable) => {
                tracing::error!(code = "log.opening", error = %broken, "a claim rests on an entry that cannot be read back");
                AppError::Internal("an opening of a log entry is not what the entry commits to").into()
            }
        }
    }
}

/// What leaves, with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The log entry.
    pub disclosure: EventId,
    /// When it was decided.
    pub at: Timestamp,
    /// What was found: plain data, the same that the entry's sealed opening holds under `claim`.
    pub found: Value,
    /// What the asker may do with it.
    pub onward: String,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
    /// The entries that the finding stands on, with proofs as far as they have a place in the log.
    pub entries: Vec<ProvedEntry>,
}

/// What is asked beside the family.
#[derive(Clone, Copy)]
enum Ask {
    Engage(Date),
    Check(EventId, Route),
}

impl Ask {
    fn form(self) -> &'static str {
        match self {
            Self::Engage(_) => "engagement",
            Self::Check(..) => "claim",
        }
    }
}

/// What left with an entry, as its opening holds it.
#[derive(Deserialize)]
struct Left {
    claim: Value,
    onward: String,
}

impl Gateway {
    /// Records that a family is engaged: what the evidence says of it now is kept with the entry.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]; refusals by agreement are in the log.
    pub async fn engage(
        &self,
        caller: &AgencyCaller,
        new: &NewEngagement,
        idempotency: &str,
    ) -> Result<Claimed, ClaimError> {
        let ask = Ask::Engage(new.engaged_on);
        self.claim_journey(caller, &new.family, ask, self.request_hash(&caller.client, new)?, idempotency).await
    }

    /// Checks whether a result may be claimed for a family that was engaged.
    ///
    /// Asked again under the same key, the same finding comes back, with the proofs of entries that
    /// have got their place in the log since.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]; refusals by agreement are in the log.
    pub async fn check_claim(
        &self,
        caller: &AgencyCaller,
        new: &NewClaimCheck,
        idempotency: &str,
    ) -> Result<Claimed, ClaimError> {
        let ask = Ask::Check(new.engagement, new.route);
        self.claim_journey(caller, &new.family, ask, self.request_hash(&caller.client, new)?, idempotency).await
    }

    async fn claim_journey(
        &self,
        caller: &AgencyCaller,
        family: &Question,
        ask: Ask,
        request_hash: [u8; 32],
        idempotency: &str,
    ) -> Result<Claimed, ClaimError> {
        for _ in 0..MOST_TRIES {
            if let Some(claimed) = self.try_claim(caller, family, ask, request_hash, idempotency).await? {
                return Ok(claimed);
            }
        }
        Err(AppError::Interrupted.into())
    }

    /// `None` when agreements, shields or records changed between the decision and the commit.
    async fn try_claim(
        &self,
        caller: &AgencyCaller,
        family: &Question,
        ask: Ask,
        request_hash: [u8; 32],
        idempotency: &str,
    ) -> Result<Option<Claimed>, ClaimError> {
        let tag = self.keys().tagger.reply(&caller.client, idempotency, ask.form().as_bytes());
        let opening = self.store().view_and_reply(self.programme(), &caller.client, &tag).await?;
        let (view, kept) = opening.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        self.check_blinding(&policies)?;
        let takes_legacy = policies.takes_legacy_tokens(&caller.agency, &family.agreement, view.now);
        self.check_question(&caller.agency, family, &policies, takes_legacy)?;
        let rules = policies.programme().claim().ok_or(ClaimError::NotAClaim)?;
        if family.mode != AnswerMode::Criteria || family.purpose != rules.purpose {
            return Err(ClaimError::NotAClaim);
        }
        if matches!(ask, Ask::Engage(day) if day > view.now.date()) {
            return Err(ClaimError::Future);
        }
        if let Some(kept) = kept {
            return self.claimed_before(&kept, &request_hash, view).await.map(Some);
        }

        // Decided before any record is read.
        let terms = enquire::terms(caller, family);
        let feeds = self.contributing_feeds(view.generation, &policies).await?;
        let supplier_feeds: Vec<SupplierFeed> = feeds.iter().map(enquire::supplier_feed).collect();
        let decision = self.decisions().contributors(policies.book(), &terms, &supplier_feeds, view.now);
        let asked = Asked {
            caller,
            question: family,
            form: ask.form(),
            policies: &policies,
            feeds: &feeds,
            request_hash,
            view,
            again: None,
        };
        let permitted = match decision {
            Ok(permitted) => permitted,
            Err(refusal) => return self.refused(&asked, &refusal).await.map_err(ClaimError::from),
        };
        let past = match ask {
            Ask::Engage(_) => None,
            Ask::Check(engagement, _) => Some(self.engagement_of(caller, engagement).await?),
        };
        let found = self.find(&asked, &permitted).await?;
        self.keep_claim(&asked, &permitted, &found, past, ask, &tag).await
    }

    /// The engagement that the caller's own agency recorded, with its evidence.
    pub(in crate::app) async fn engagement_of(
        &self,
        caller: &AgencyCaller,
        id: EventId,
    ) -> Result<(Engagement, PastAnswer), ClaimError> {
        let engagement = self.store().engagement(id).await?.ok_or(ClaimError::UnknownEngagement)?;
        if engagement.recipient != caller.agency || engagement.programme != *self.programme() {
            return Err(ClaimError::UnknownEngagement);
        }
        if self.store().is_recalled(id).await? {
            return Err(ClaimError::Recalled);
        }
        Ok((engagement, self.past_answer(id).await?))
    }

    async fn keep_claim(
        &self,
        asked: &Asked<'_>,
        permitted: &Permitted,
        found: &Found,
        past: Option<(Engagement, PastAnswer)>,
        ask: Ask,
        tag: &[u8; 32],
    ) -> Result<Option<Claimed>, ClaimError> {
        let (set, deliveries) = (enquire::contribution(permitted), enquire::deliveries(asked));
        let facts = Facts::new(asked.policies.programme(), &deliveries, &set, asked.view.now);
        let answered = Answered::new(AnswerMode::Criteria, &found.members, &facts);
        let id = EventId::new(uuid_v7(asked.view.now, self.random()));
        let said = match (&past, ask) {
            (Some((engagement, past)), Ask::Check(_, route)) => {
                self.compared((asked, permitted), found, &facts, route, engagement, past)?
            }
            (_, Ask::Engage(day)) => engaged(asked, permitted, found, &answered, day),
            (None, Ask::Check(..)) => return Err(ClaimError::UnknownEngagement),
        };
        let aside = Aside { records: Some(&found.records), claim: Some(&said), asked: None };
        let opening = answer_opening(asked, permitted, found, &answered, &aside)?;
        let (entry, over_ceiling) = self.answer_entries(id, asked, permitted, found, opening)?;
        let (leaf, refused_leaf) = (entry.leaf_hash, over_ceiling.leaf_hash);
        let engagement = match ask {
            Ask::Engage(engaged_on) => Some(Engagement {
                event: id,
                programme: self.programme().clone(),
                recipient: asked.caller.agency.clone(),
                engaged_on,
                at: asked.view.now,
            }),
            Ask::Check(..) => None,
        };
        let disclosure = Disclosure {
            entry,
            decided_on: asked.decided_on(self.programme()),
            ceilings: vec![(enquire::ceiling_key(asked, permitted), i64::from(permitted.charge.daily_ceiling))],
            over_ceiling: Some(over_ceiling),
            reply: Some(enquire::kept_reply(id, asked, permitted, tag)),
            engagement,
            emergency: None,
        };
        let written = self.writer().commit(disclosure).await?;
        self.wake_sequencer();
        match written {
            Written::Entry => {
                let onward = permitted.onward().as_str().to_owned();
                let receipt = self.receipt(id, leaf, asked.view.now)?;
                let entries = self.proved(id, &said).await?;
                Ok(Some(Claimed { disclosure: id, at: asked.view.now, found: said, onward, receipt, entries }))
            }
            Written::Outdated => Ok(None),
            Written::OverCeiling => {
                let receipt = self.receipt(id, refused_leaf, asked.view.now)?;
                Err(EnquiryError::CeilingReached { disclosure: id, receipt }.into())
            }
            Written::Repeated => {
                let kept = self.store().reply(&asked.caller.client, tag, asked.view.now).await?;
                let kept = kept.ok_or(EnquiryError::KeyLapsed)?;
                self.claimed_before(&kept, &asked.request_hash, asked.view).await.map(Some)
            }
        }
    }

    /// The comparison, with people under the recipient's pseudonyms.
    fn compared(
        &self,
        (asked, permitted): (&Asked<'_>, &Permitted),
        found: &Found,
        facts: &Facts<'_>,
        route: Route,
        engagement: &Engagement,
        past: &PastAnswer,
    ) -> Result<Value, ClaimError> {
        let then = past.persons().ok_or(ClaimError::UnknownEngagement)?;
        let now = persons_of(found);
        let before = past.facts();
        let check = ClaimCheck::of(route, Seen { persons: &then, facts: &before }, Seen { persons: &now, facts })
            .ok_or(ClaimError::NotAClaim)?;
        // Whoever is not found now has no name either.
        let pseudonym = |who: &Whereabouts| {
            let found = now.get(who.now?)?;
            let person = who.then.and_then(|at| then.get(at)).unwrap_or(found);
            Some(self.claim_pseudonym(asked, &person.records))
        };
        let bundle = Bundle {
            pseudonyms: check.people.iter().map(pseudonym).collect(),
            engagement: Side {
                entry: Some(engagement.event),
                engaged_on: Some(engagement.engaged_on),
                at: past.at,
                criteria_version: &check.criteria_version_then,
                programme_sha256: past.body.programme_sha256.to_string(),
            },
            now: Side {
                entry: None,
                engaged_on: None,
                at: asked.view.now,
                criteria_version: &check.criteria_version_now,
                programme_sha256: super::policies::hex(asked.policies.programme_sha256()),
            },
            submissions: submissions(asked, permitted),
            check: &check,
        };
        Ok(serde_json::to_value(&bundle).map_err(|_| AppError::Internal("a claim's finding cannot be written"))?)
    }

    /// What the recipient may call a person: from the first of the names that the person's records have.
    fn claim_pseudonym(&self, asked: &Asked<'_>, records: &[RecordName]) -> String {
        let mut hash = Sha256::new();
        if let Some(first) = records.iter().min() {
            hash.update(serde_json::to_vec(first).unwrap_or_default());
        }
        let mut subject = [0; 16];
        subject.copy_from_slice(&hash.finalize()[..16]);
        let question = asked.question;
        let pseudonyms = &self.keys().pseudonyms;
        let agreement = &question.agreement.id;
        let of = pseudonyms.person(&asked.caller.agency, agreement, &question.purpose, PSEUDONYM_EPOCH, &subject);
        String::from(of)
    }

    /// Gives a finding again, from its log entry: only while agreements, shields and records are as
    /// they were.
    async fn claimed_before(
        &self,
        kept: &StoredReply,
        request_hash: &[u8; 32],
        view: View,
    ) -> Result<Claimed, ClaimError> {
        if kept.request_hash != *request_hash {
            return Err(EnquiryError::KeyReused.into());
        }
        if (kept.policy_revision, kept.generation) != (view.policy_revision, view.generation) {
            return Err(EnquiryError::KeyLapsed.into());
        }
        let entry = self.store().sealed_entry(kept.event, "answer").await?;
        let entry = entry.ok_or(EnquiryError::KeyLapsed)?;
        let left: Left = self.open_answer(kept.event, &entry.sealed)?;
        Ok(Claimed {
            disclosure: kept.event,
            at: entry.at,
            receipt: self.receipt(kept.event, entry.leaf_hash, entry.at)?,
            entries: self.proved(kept.event, &left.claim).await?,
            found: left.claim,
            onward: left.onward,
        })
    }

    /// The entry itself and that of the engagement it was compared with.
    async fn proved(&self, id: EventId, found: &Value) -> Result<Vec<ProvedEntry>, AppError> {
        let engagement = found["engagement"]["entry"].as_str().and_then(|text| text.parse::<EventId>().ok());
        let mut entries = Vec::new();
        for event in engagement.into_iter().chain([id]) {
            entries.extend(self.prove_entry(event).await?);
        }
        Ok(entries)
    }
}

/// What was found at engagement: enough to see that the right family is meant and what is relevant.
fn engaged(asked: &Asked<'_>, permitted: &Permitted, found: &Found, answered: &Answered, engaged_on: Date) -> Value {
    let assessment = answered.assessment.as_ref();
    serde_json::json!({
        "engaged_on": engaged_on,
        "people": found.members.len(),
        "is_family": found.is_family,
        "areas": assessment.map(|assessment| &assessment.areas),
        "criteria": assessment.map(|assessment| &assessment.criteria),
        "not_covered": assessment.map(|assessment| &assessment.not_covered),
        "criteria_version": asked.policies.programme().criteria_at(asked.view.now.date()).name(),
        "programme_sha256": super::policies::hex(asked.policies.programme_sha256()),
        "submissions": submissions(asked, permitted),
    })
}

fn persons_of(found: &Found) -> Vec<Person> {
    let named = found.records.iter().zip(&found.members);
    named.map(|(records, member)| Person { records: records.clone(), member: member.clone() }).collect()
}

/// The deliveries that were looked at: of every feed in the set, the same for every family.
fn submissions(asked: &Asked<'_>, permitted: &Permitted) -> Vec<Value> {
    let line = |feed: &crate::store::FeedState| {
        serde_json::json!({
            "agency": feed.agency, "feed": feed.feed, "submission": feed.submission, "as_at": feed.as_at.date(),
        })
    };
    let heard = asked.feeds.iter().filter(|feed| permitted.includes(&enquire::supplier_feed(feed)));
    heard.map(line).collect()
}

/// What a claim check gives: the comparison and what it stands on.
#[derive(Serialize)]
struct Bundle<'a> {
    #[serde(flatten)]
    check: &'a ClaimCheck,
    /// The recipient's pseudonyms of `people`, in their order; none for somebody who is not found now.
    pseudonyms: Vec<Option<String>>,
    engagement: Side<'a>,
    now: Side<'a>,
    submissions: Vec<Value>,
}

/// One of the two days that are compared.
#[derive(Serialize)]
struct Side<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<EventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engaged_on: Option<Date>,
    at: Timestamp,
    criteria_version: &'a str,
    programme_sha256: String,
}
