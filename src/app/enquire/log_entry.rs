//! The log entry of a question: what was decided and why, in clear; who and what, as commitments.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use std::collections::BTreeSet;

use super::evidence::Found;
use super::{Question, supplier_feed};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::policies::Policies;
use crate::app::writer::DecidedOn;
use crate::crypto::random::{random_bytes, uuid_v7};
use crate::crypto::seal;
use crate::domain::claim::RecordName;
use crate::domain::enquiry::{Answer, Answered};
use crate::domain::evidence::{Judgement, Member};
use crate::domain::ids::{AgencyCode, EventId, ProgrammeCode, SubmissionId};
use crate::domain::labels;
use crate::policy::decision::{self, Permitted};
use crate::policy::rules::RuleHit;
use crate::store::{FeedState, NewEvent, StoredToken, View};
use crate::tlog::commitment::{Commitment, Opening};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{
    Body, Code, Commitments, Contribution, Decision, Enquiry, Feed, Outcome, SHIELD_OPENING_BYTES, ShieldOpening, YesNo,
};

/// Sealed openings have one length each, whoever is asked about; the answer's grows in steps.
const SUBJECT_LENGTH: usize = 1536;
const REFERENCE_LENGTH: usize = 96;
const ANSWER_STEP: usize = 4096;
/// Where the names of records are sealed within an opening.
/// An opening begins with the commitment's salt.
const SALT_BYTES: usize = 32;

/// A question with everything that its entry needs.
pub(in crate::app) struct Asked<'a> {
    pub(in crate::app) caller: &'a AgencyCaller,
    pub(in crate::app) question: &'a Question,
    /// The answer mode; for a sister journey its own name, all of them decided as a mode is.
    pub(in crate::app) form: &'a str,
    pub(in crate::app) policies: &'a Policies,
    pub(in crate::app) feeds: &'a [FeedState],
    pub(in crate::app) request_hash: [u8; 32],
    pub(in crate::app) view: View,
}

impl Asked<'_> {
    /// The state that the question is decided on.
    pub(in crate::app) fn decided_on(&self, programme: &ProgrammeCode) -> (ProgrammeCode, DecidedOn) {
        (programme.clone(), (self.view.policy_revision, self.view.generation))
    }

    /// The agencies in the set whose agreements let them send tokens made of old hash values.
    pub(super) fn legacy_agencies(&self, permitted: &Permitted) -> Vec<AgencyCode> {
        let feeds =
            self.feeds.iter().filter(|state| self.is_legacy(state) && permitted.includes(&supplier_feed(state)));
        let asker = (&self.caller.agency, &self.question.agreement);
        let asks_with = self.policies.takes_legacy_tokens(asker.0, asker.1, self.view.now).then_some(asker.0);
        let agencies: BTreeSet<&AgencyCode> = feeds.map(|state| &state.agency).chain(asks_with).collect();
        agencies.into_iter().cloned().collect()
    }

    /// Whether the tokens of a feed may be made of old hash values.
    pub(in crate::app) fn is_legacy(&self, state: &FeedState) -> bool {
        self.policies.takes_legacy_tokens(&state.agency, &state.agreement, state.as_at)
    }
}

/// What the sealed opening of an answer holds: what was said, and the evidence as it was evaluated
/// (who said it, in which submission, of which days), so that it is replayed without any record.
#[derive(Serialize)]
struct AnswerOpening<'a> {
    answer: &'a Answer,
    onward: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    legacy_tokens: Vec<AgencyCode>,
    criteria_version: &'a str,
    is_known: bool,
    is_family: bool,
    members: &'a [Member],
    judgements: &'a [Judgement],
    submissions: Vec<(&'a str, &'a str, SubmissionId)>,
    /// What left with the answer of a claim's journey.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<&'a serde_json::Value>,
}

/// What an entry's sealed openings hold of an answer.
pub(in crate::app) struct Kept {
    /// The answer and its evidence.
    pub(in crate::app) answer: Vec<u8>,
    /// What names records or families, where the journey keeps it: in an opening of its own, which no
    /// auditor's bundle has.
    pub(in crate::app) names: Option<Vec<u8>>,
}

impl From<Vec<u8>> for Kept {
    fn from(answer: Vec<u8>) -> Self {
        Self { answer, names: None }
    }
}

/// What sister journeys of the enquiry keep beside the answer.
#[derive(Default, Serialize)]
pub(in crate::app) struct Aside<'a> {
    /// The names of each member's records, so that the same person is found again later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::app) records: Option<&'a [Vec<RecordName>]>,
    /// What left with the answer of a claim's journey; it names persons by the recipient's pseudonyms alone.
    #[serde(skip)]
    pub(in crate::app) claim: Option<&'a serde_json::Value>,
}

/// What left with an answer, read back from its sealed opening.
#[derive(Deserialize)]
pub(in crate::app) struct Said {
    pub(in crate::app) answer: Answer,
    pub(in crate::app) onward: String,
    #[serde(default)]
    pub(in crate::app) legacy_tokens: Vec<AgencyCode>,
    pub(in crate::app) criteria_version: String,
}

/// What the shield officers can open.
#[derive(Serialize)]
struct ShieldPath {
    shielded_records: i64,
}

/// An entry that still lacks outcome and answer.
#[derive(Clone)]
struct Draft {
    /// A look at a family by its number, not a question about a person.
    is_family: bool,
    id: EventId,
    /// Its outcome and the answer's commitment are placeholders until [`Gateway::finish`] sets both.
    body: Enquiry,
    openings: Vec<(&'static str, Vec<u8>)>,
    tags: Vec<[u8; 16]>,
}

impl Gateway {
    /// The entry of an answer, and the one that is written in its stead when the day's ceiling is
    /// reached. Only one of them is ever written, so they share the event's id, and everything that
    /// says who was asked about by whom: they differ in the outcome and in the answer's commitment.
    pub(in crate::app) fn answer_entries(
        &self,
        id: EventId,
        asked: &Asked<'_>,
        permitted: &Permitted,
        found: &Found,
        opening: Kept,
    ) -> Result<(NewEvent, NewEvent), AppError> {
        let lines: Vec<&decision::Decision> = permitted.decisions.iter().collect();
        let draft = self.draft(id, asked, &lines, &found.tokens, found.hidden)?;
        let refusal = to_json(&["ceiling"])?.into();
        let refusal = self.finish(draft.clone(), asked, Outcome::Refused(code("ceiling")?), refusal)?;
        let mut answer = self.finish(draft, asked, Outcome::Answered, opening)?;
        for (member, records) in found.records.iter().enumerate() {
            let of = |name: &RecordName| {
                let is_asked_about = member == found.asked_about;
                self.record_use((&name.agency, &name.feed, &name.reference), is_asked_about)
            };
            answer.records.extend(records.iter().map(of));
        }
        Ok((answer, refusal))
    }

    /// The entry of a refusal by agreement.
    pub(in crate::app) fn refusal_entry(
        &self,
        asked: &Asked<'_>,
        hits: &[RuleHit],
        decisions: &[decision::Decision],
    ) -> Result<NewEvent, AppError> {
        let reason = code(hits.first().map_or("refused", |hit| &hit.rule))?;
        let tokens = self.asked_with(asked);
        let id = EventId::new(uuid_v7(asked.view.now, self.random()));
        let lines: Vec<&decision::Decision> = decisions.iter().collect();
        let rules: Vec<&str> = hits.iter().map(|hit| hit.rule.as_str()).collect();
        let draft = self.draft(id, asked, &lines, &tokens, 0)?;
        self.finish(draft, asked, Outcome::Refused(reason), to_json(&rules)?.into())
    }

    /// The question's blinded tokens, then those of the address that it carries.
    fn asked_with(&self, asked: &Asked<'_>) -> Vec<StoredToken> {
        let [tokens, carried] = [&asked.question.tokens, &asked.question.household];
        [asked.policies.blind(self, tokens), asked.policies.blind(self, carried)].concat()
    }

    /// Everything of an entry that does not depend on the answer.
    fn draft(
        &self,
        id: EventId,
        asked: &Asked<'_>,
        lines: &[&decision::Decision],
        tokens: &[StoredToken],
        hidden: i64,
    ) -> Result<Draft, AppError> {
        let blinded: Vec<u8> = tokens.iter().flat_map(|token| *token.blinded.as_bytes()).collect();
        self.draft_about(id, asked, lines, (blinded, tokens, hidden), false)
    }

    /// Likewise, with the subject as the entry commits to it, the tokens under which it is found again
    /// and how many records a shield kept back.
    fn draft_about(
        &self,
        id: EventId,
        asked: &Asked<'_>,
        lines: &[&decision::Decision],
        (subject, tokens, hidden): (Vec<u8>, &[StoredToken], i64),
        is_family: bool,
    ) -> Result<Draft, AppError> {
        let Asked { caller, question, form, policies, view, .. } = asked;
        let (subject, sealed_subject) = self.commit(id, "subject", subject, SUBJECT_LENGTH)?;
        let case = question.case.as_str().as_bytes().to_vec();
        let (case, sealed_case) = self.commit(id, "case", case, REFERENCE_LENGTH)?;
        let user = question.user.as_str().as_bytes().to_vec();
        let (actor, sealed_actor) = self.commit(id, "actor", user, REFERENCE_LENGTH)?;
        let agreement = policies.book().agreement(&question.agreement).map(|agreement| &agreement.text);
        let version = policies.programme().criteria_at(view.now.date());
        let body = Enquiry {
            request: request_digest(question)?,
            recipient: caller.agency.clone(),
            client: code(&caller.client)?,
            agreement: agreement.map(|text| text.reference().clone()),
            agreement_sha256: agreement.map(|text| Digest::new(*text.hash().as_bytes())),
            rules_sha256: Digest::new(*policies.book().rules().hash().as_bytes()),
            programme_sha256: Digest::new(*policies.programme_sha256()),
            agencies_sha256: policies.agencies_sha256(),
            match_keys_sha256: Digest::new(*policies.match_keys().sha256()),
            criteria_version: code(&version.name())?,
            purpose: question.purpose.clone(),
            relationship: code(question.relationship.as_str())?,
            emergency: question.emergency.map(|danger| code(danger.as_str())).transpose()?,
            role: question.role.clone(),
            mode: code(form)?,
            outcome: Outcome::Answered,
            decisions: lines.iter().map(|line| decision(line)).collect::<Result<_, _>>()?,
            feeds: feeds(asked, lines),
            commitments: Commitments { subject, case, actor, answer: subject, names: None },
            shield_opening: self.shield_opening(id, hidden)?,
        };
        let openings = vec![("subject", sealed_subject), ("case", sealed_case), ("actor", sealed_actor)];
        Ok(Draft { is_family, id, body, openings, tags: self.tags(tokens, policies) })
    }

    /// The entry of a draft with an outcome and the answer's commitment.
    fn finish(&self, draft: Draft, asked: &Asked<'_>, outcome: Outcome, kept: Kept) -> Result<NewEvent, AppError> {
        let Draft { is_family, id, mut body, mut openings, tags } = draft;
        let Asked { caller, question, view, .. } = asked;
        let (commitment, sealed) = self.commit(id, "answer", kept.answer, 0)?;
        body.commitments.answer = commitment;
        openings.push(("answer", sealed));
        if let Some(names) = kept.names {
            let (commitment, sealed) = self.commit(id, "names", names, 0)?;
            body.commitments.names = Some(commitment);
            openings.push(("names", sealed));
        }
        let outcome_word = if outcome == Outcome::Answered { "answered" } else { "refused" };
        body.outcome = outcome;
        let body = Box::new(body);
        let body = if is_family { Body::FamilyDisclosure(body) } else { Body::Enquiry(body) };
        let mut event = self.event_with_id(id, view.now, body)?;
        event.recipient = Some(caller.agency.to_string());
        event.agreement = Some(question.agreement.to_string());
        event.purpose = Some(question.purpose.to_string());
        event.outcome = Some(outcome_word.to_owned());
        event.openings = openings;
        event.tags = tags;
        Ok(event)
    }

    /// As [`Gateway::answer_entries`], for a look at a family.
    pub(super) fn family_entries(
        &self,
        id: EventId,
        asked: &Asked<'_>,
        permitted: &Permitted,
        about: (Vec<u8>, &[StoredToken], i64),
        opening: Kept,
    ) -> Result<(NewEvent, NewEvent), AppError> {
        let lines: Vec<&decision::Decision> = permitted.decisions.iter().collect();
        let draft = self.draft_about(id, asked, &lines, about, true)?;
        let refusal = to_json(&["ceiling"])?.into();
        let refusal = self.finish(draft.clone(), asked, Outcome::Refused(code("ceiling")?), refusal)?;
        Ok((self.finish(draft, asked, Outcome::Answered, opening)?, refusal))
    }

    /// As [`Gateway::refusal_entry`], for a look at a family.
    pub(super) fn family_refusal_entry(
        &self,
        asked: &Asked<'_>,
        subject: Vec<u8>,
        hits: &[RuleHit],
        decisions: &[decision::Decision],
    ) -> Result<NewEvent, AppError> {
        let reason = code(hits.first().map_or("refused", |hit| &hit.rule))?;
        let id = EventId::new(uuid_v7(asked.view.now, self.random()));
        let lines: Vec<&decision::Decision> = decisions.iter().collect();
        let rules: Vec<&str> = hits.iter().map(|hit| hit.rule.as_str()).collect();
        let draft = self.draft_about(id, asked, &lines, (subject, &[], 0), true)?;
        self.finish(draft, asked, Outcome::Refused(reason), to_json(&rules)?.into())
    }

    /// A salted commitment and its sealed opening: salt, then value.
    pub(in crate::app) fn commit(
        &self,
        id: EventId,
        field: &'static str,
        value: Vec<u8>,
        length: usize,
    ) -> Result<(Commitment, Vec<u8>), AppError> {
        let salt: [u8; SALT_BYTES] = random_bytes(self.random());
        let plain = [salt.as_slice(), &value].concat();
        let commitment = Opening::new(field, salt, value).commitment();
        let length = if length == 0 { (plain.len() + 1).div_ceil(ANSWER_STEP) * ANSWER_STEP } else { length };
        let sealed = self.keys().fields.seal_to_length(self.random(), "opening", field, id.as_bytes(), &plain, length);
        Ok((commitment, sealed.map_err(|_| AppError::Internal("an opening is too long"))?))
    }

    /// Reads back what the sealed opening of an answer holds, or as much of it as is asked for.
    pub(in crate::app) fn open_answer<T: DeserializeOwned>(&self, id: EventId, sealed: &[u8]) -> Result<T, AppError> {
        let value = self.open_field(id, "answer", sealed)?;
        serde_json::from_slice(&value).map_err(|_| AppError::Internal("a sealed answer cannot be read"))
    }

    /// Reads back the value that a sealed opening holds.
    pub(in crate::app) fn open_field(&self, id: EventId, field: &str, sealed: &[u8]) -> Result<Vec<u8>, AppError> {
        let plain = self.keys().fields.open("opening", field, id.as_bytes(), sealed);
        let plain = plain.map_err(|_| AppError::Internal("a sealed opening does not open"))?;
        let value = plain.get(SALT_BYTES..).ok_or(AppError::Internal("a sealed opening is too short"))?;
        Ok(value.to_vec())
    }

    /// The true path, sealed to the shield officers: the same length in every entry.
    fn shield_opening(&self, id: EventId, hidden: i64) -> Result<ShieldOpening, AppError> {
        let path = to_json(&ShieldPath { shielded_records: hidden })?;
        let padded = SHIELD_OPENING_BYTES - seal::OVERHEAD;
        let sealed =
            seal::seal(self.random(), &self.keys().shield, labels::SHIELD_OPENING, id.as_bytes(), &path, padded);
        let sealed = sealed.ok().and_then(|sealed| sealed.try_into().ok());
        sealed.map(ShieldOpening::new).ok_or(AppError::Internal("a shield opening cannot be sealed"))
    }

    /// Under what the person's entries are found again: identifiers where there are any, else all keys.
    fn tags(&self, tokens: &[StoredToken], policies: &Policies) -> Vec<[u8; 16]> {
        let tag = |token: &StoredToken| self.keys().tagger.subject(token.blinded.as_bytes());
        let strong: Vec<[u8; 16]> = tokens.iter().filter(|token| policies.is_strong(token.kind)).map(tag).collect();
        if !strong.is_empty() {
            return strong;
        }
        tokens.iter().filter(|token| policies.links(token.kind)).map(tag).collect()
    }
}

/// What the sealed openings of an answer hold.
pub(in crate::app) fn answer_opening(
    asked: &Asked<'_>,
    permitted: &Permitted,
    found: &Found,
    answered: &Answered,
    aside: &Aside<'_>,
) -> Result<Kept, AppError> {
    let submissions = asked.feeds.iter();
    let answer = to_json(&AnswerOpening {
        answer: &answered.answer,
        onward: permitted.onward().as_str(),
        legacy_tokens: asked.legacy_agencies(permitted),
        criteria_version: &permitted.criteria_version,
        is_known: found.is_known,
        is_family: found.is_family,
        members: &found.members,
        judgements: answered.assessment.as_ref().map_or(&[], |assessment| &assessment.judgements),
        submissions: submissions.map(|f| (f.agency.as_str(), f.feed.as_str(), f.submission)).collect(),
        claim: aside.claim,
    })?;
    let names = aside.records.map(|_| to_json(aside)).transpose()?;
    Ok(Kept { answer, names })
}

/// SHA-256 of the question without anything that stands for a person: tokens, case and user, and
/// epochs, whose key checks tell which identifiers the person has.
fn request_digest(question: &Question) -> Result<Digest, AppError> {
    let mut value = serde_json::to_value(question).map_err(|_| AppError::Internal("a question cannot be written"))?;
    if let Some(fields) = value.as_object_mut() {
        for field in ["tokens", "household", "epochs", "case", "user"] {
            fields.remove(field);
        }
    }
    Ok(Digest::of(&to_json(&value)?))
}

pub(in crate::app) fn decision(line: &decision::Decision) -> Result<Decision, AppError> {
    let term = |term: &Option<decision::TermRef>| {
        term.as_ref().map(|term| code(&format!("{}/{}", term.agreement, term.term))).transpose()
    };
    let (outcome, hits): (Contribution, &[RuleHit]) = match &line.outcome {
        decision::Outcome::Own | decision::Outcome::Permitted { .. } => (Contribution::Permitted, &[]),
        decision::Outcome::Denied(hits) => (Contribution::Withheld, hits),
    };
    Ok(Decision {
        supplier: line.supplier.clone(),
        feed: line.feed.clone(),
        item: code(&line.item.to_string())?,
        supply: term(&line.supply)?,
        supply_sha256: line.supply.as_ref().map(|term| Digest::new(*term.file.as_bytes())),
        receive: term(&line.receive)?,
        outcome,
        rules_hit: hits.iter().map(|hit| code(&hit.rule)).collect::<Result<_, _>>()?,
    })
}

/// The feeds that were decided on, and how fresh each was: equal for every person.
fn feeds(asked: &Asked<'_>, lines: &[&decision::Decision]) -> Vec<Feed> {
    feeds_of(asked.policies, asked.feeds, asked.view, lines)
}

/// As for an enquiry, of any decision.
pub(in crate::app) fn feeds_of(
    policies: &Policies,
    states: &[FeedState],
    view: View,
    lines: &[&decision::Decision],
) -> Vec<Feed> {
    let is_in = |state: &&FeedState| {
        lines.iter().any(|line| line.outcome.is_in() && line.supplier == state.agency && line.feed == state.feed)
    };
    let feed = |state: &FeedState| {
        let calendar = policies.programme().feed(&state.agency, &state.feed);
        Feed {
            supplier: state.agency.clone(),
            feed: state.feed.clone(),
            as_at: Some(state.as_at),
            legacy_tokens: policies
                .takes_legacy_tokens(&state.agency, &state.agreement, state.as_at)
                .then_some(YesNo::Yes),
            late: calendar.is_none_or(|feed| feed.is_late(state.as_at.date(), view.now)).into(),
        }
    };
    states.iter().filter(is_in).map(feed).collect()
}

pub(in crate::app) fn code(text: &str) -> Result<Code, AppError> {
    text.parse().map_err(|_| AppError::Internal("a code of a log entry"))
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, AppError> {
    serde_json::to_vec(value).map_err(|_| AppError::Internal("a log entry's part cannot be written"))
}
