//! What was answered once, as it was decided then: the entry, the evidence in its sealed opening, and
//! the programme file by the hash that the entry names. A criterion that changed since changes nothing here.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::enquire::again::AskedWith;
use super::error::AppError;
use super::export::open;
use super::gateway::Gateway;
use crate::domain::agreement::AnswerMode;
use crate::domain::claim::{Person, RecordName};
use crate::domain::enquiry::{Answer, Answered};
use crate::domain::evidence::{Contribution, Deliveries, Facts, Judgement, Member};
use crate::domain::ids::{AgencyCode, EventId, FeedCode, SubmissionId};
use crate::domain::item::Item;
use crate::domain::programme::Programme;
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::tlog::commitment::Commitment;
use crate::tlog::entry::{self, Body, Enquiry, Entry, Outcome};

/// Why an answer cannot be judged again.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// There is no such entry, or it answers nothing about a person.
    #[error("no entry of an answered enquiry has this id")]
    NoAnswer,
    /// The opening was destroyed, as erasure does.
    #[error("the entry's opening is gone: the evidence was erased")]
    Erased,
    /// The opening does not match the entry's commitment: one of them was altered.
    #[error("the entry's opening is not what the entry commits to")]
    Altered,
    /// The opening does not open under the loaded keys, or holds something else.
    #[error("the entry's opening cannot be read: it does not open under the keys, or is not an answer")]
    Unreadable,
    /// The programme file of that day is not in the database.
    #[error("the programme file that the entry names is not in the database")]
    NoProgramme,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for PastError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// What the sealed opening holds of the evidence.
#[derive(Deserialize)]
struct Evaluated {
    answer: Answer,
    members: Vec<Member>,
    judgements: Vec<Judgement>,
    #[serde(default)]
    is_family: bool,
    #[serde(default)]
    submissions: Vec<(AgencyCode, FeedCode, SubmissionId)>,
}

/// What the opening of names beside it holds.
#[derive(Deserialize)]
pub(super) struct KeptNames {
    records: Option<Vec<Vec<RecordName>>>,
    /// What was asked with; absent in entries of releases that did not keep it.
    #[serde(default)]
    pub(super) asked: Option<AskedWith>,
}

/// An answer with everything that it was computed from.
pub(in crate::app) struct PastAnswer {
    pub(in crate::app) at: Timestamp,
    pub(super) body: Enquiry,
    pub(super) programme: Programme,
    set: Contribution,
    deliveries: Deliveries,
    evaluated: Evaluated,
    records: Option<Vec<Vec<RecordName>>>,
}

impl PastAnswer {
    /// The facts as they were.
    pub(in crate::app) fn facts(&self) -> Facts<'_> {
        Facts::new(&self.programme, &self.deliveries, &self.set, self.at)
    }

    /// The persons, where the entry keeps the names of their records.
    pub(in crate::app) fn persons(&self) -> Option<Vec<Person>> {
        let named = self.records.as_ref()?.iter().zip(&self.evaluated.members);
        Some(named.map(|(records, member)| Person { records: records.clone(), member: member.clone() }).collect())
    }

    /// What was answered.
    pub(super) fn answer(&self) -> &Answer {
        &self.evaluated.answer
    }

    /// Whether it was answered for a family.
    pub(super) fn is_family(&self) -> bool {
        self.evaluated.is_family
    }

    /// The newest delivery of each feed that there was.
    pub(super) fn submissions(&self) -> &[(AgencyCode, FeedCode, SubmissionId)] {
        &self.evaluated.submissions
    }

    /// In which form it was answered.
    pub(super) fn mode(&self) -> AnswerMode {
        match self.evaluated.answer {
            Answer::Eligible { .. } => AnswerMode::Eligible,
            Answer::Count { .. } => AnswerMode::Count,
            Answer::Areas { .. } => AnswerMode::Areas,
            Answer::Criteria { .. } => AnswerMode::Criteria,
            Answer::Lead { .. } => AnswerMode::Lead,
        }
    }
}

/// An answer judged again as at its date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedAgain {
    /// When it was decided.
    pub at: Timestamp,
    /// The version of the criteria that it was judged by.
    pub criteria_version: String,
    /// Whether the programme file in force today is still the one of that day.
    pub is_present_programme: bool,
    /// What the evidence comes to by the rules of that day.
    pub answer: Answer,
    /// Whether that is, judgement by judgement, what was answered.
    pub is_same: bool,
}

impl Gateway {
    /// Judges an answer again: the evidence as it was evaluated, by the programme file, the permitted
    /// set and the feeds of its entry.
    ///
    /// # Errors
    ///
    /// [`PastError`].
    pub async fn judge_again(&self, id: EventId) -> Result<JudgedAgain, PastError> {
        let past = self.past_answer(id).await?;
        let answered = Answered::new(past.mode(), &past.evaluated.members, &past.facts());
        let judgements = answered.assessment.map(|assessment| assessment.judgements).unwrap_or_default();
        let policies = self.current_policies().await?;
        Ok(JudgedAgain {
            at: past.at,
            criteria_version: past.body.criteria_version.as_str().to_owned(),
            is_present_programme: policies.programme_sha256() == past.body.programme_sha256.as_bytes(),
            is_same: answered.answer == past.evaluated.answer && judgements == past.evaluated.judgements,
            answer: answered.answer,
        })
    }

    /// Reads back an answer from its entry.
    pub(super) async fn past_answer(&self, id: EventId) -> Result<PastAnswer, PastError> {
        let body = self.logged_body(id).await?.ok_or(PastError::NoAnswer)?;
        let entry = Entry::parse(&body).map_err(|_| StoreError::Corrupt("a log entry"))?;
        let at = entry.at();
        let Body::Enquiry(body) = entry.into_body() else { return Err(PastError::NoAnswer) };
        if body.outcome != Outcome::Answered {
            return Err(PastError::NoAnswer);
        }
        let commitments = &body.commitments;
        let evaluated: Evaluated = self.opening_of(id, "answer", &commitments.answer).await?;
        let named: Option<KeptNames> = match &commitments.names {
            Some(_) => Some(self.past_names(id, &body).await?),
            None => None,
        };
        let document = self.store().document(body.programme_sha256.as_bytes()).await?.ok_or(PastError::NoProgramme)?;
        let programme = Programme::parse(&document.body).map_err(|_| StoreError::Corrupt("a programme file"))?;
        let permitted = body.decisions.iter().filter(|line| line.outcome == entry::Contribution::Permitted);
        let mut set = Vec::new();
        for line in permitted {
            let item: Item = line.item.as_str().parse().map_err(|_| StoreError::Corrupt("an item of a log entry"))?;
            set.push((line.supplier.clone(), line.feed.clone(), item));
        }
        let delivered = body.feeds.iter();
        let delivered =
            delivered.filter_map(|feed| Some(((feed.supplier.clone(), feed.feed.clone()), feed.as_at?.date())));
        let deliveries = delivered.collect();
        let (set, records) = (set.into_iter().collect(), named.and_then(|named| named.records));
        Ok(PastAnswer { at, programme, set, deliveries, evaluated, records, body: *body })
    }

    /// What the opening of names beside an answer holds.
    pub(super) async fn past_names(&self, id: EventId, body: &Enquiry) -> Result<KeptNames, PastError> {
        let commitment = body.commitments.names.as_ref().ok_or(PastError::Erased)?;
        self.opening_of(id, "names", commitment).await
    }

    /// What an opening holds, once it is what the entry commits to: the database may hold another one.
    async fn opening_of<T: DeserializeOwned>(
        &self,
        id: EventId,
        field: &str,
        commitment: &Commitment,
    ) -> Result<T, PastError> {
        let sealed = self.store().sealed_entry(id, field).await?.ok_or(PastError::Erased)?;
        let opening = open(self.keys(), id, field, &sealed.sealed).map_err(|_| PastError::Unreadable)?;
        if !opening.opens(commitment) {
            return Err(PastError::Altered);
        }
        serde_json::from_slice(opening.value()).map_err(|_| PastError::Unreadable)
    }
}
