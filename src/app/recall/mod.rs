//! A wrong match is recalled: the two records are parted, everybody who received an answer that would
//! have been another one without it is found and told, and the recall stays open until all of them have
//! acknowledged.
//!
//! | file | what |
//! |---|---|
//! | this one | a recall is opened, by an officer or by a holder about its own record |
//! | `wrong` | what was named becomes what was wrong |
//! | `search` | the entries of the log are looked through, page by page; who was told something wrong is told so |
//! | `readings` | how a family has to be read without the wrong match |
//! | `delivery` | which records of an answer came with a wrong delivery |
//!
//! A holder is told that its recall was taken, and nothing of what came of it: whether anybody had
//! received anything depends on others' records. People whom a shield reaches are in no recall.

mod delivery;
mod families;
mod readings;
mod search;
mod wrong;

use std::collections::BTreeMap;

use super::caller::AgencyCaller;
use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use super::past::PastError;
use super::possible_matches::MatchError;
use crate::crypto::random::uuid_v7;
use crate::domain::claim::RecordName;
use crate::domain::ids::{AgencyCode, EventId, PairId, PossibleMatchId, RecallId, RoleCode, SubmissionId};
use crate::domain::pair::{self, Decision, PairNames, Reason};
use crate::domain::recall::Wrong;
use crate::domain::time::Timestamp;
use crate::store::{MatchAnswer, NewMatch, PairSide, RecallCounts, RecallState, StoreError, StoredRecall, Tx};
use crate::tlog::entry::{Body, RecallCommitments, RecallOpen};

pub use search::Progress;

/// What the sealed opening of a recall's first entry is called.
const OPENING: &str = "wrong";

/// By what something wrong is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A pair, by its handle. Officers only.
    Pair(PairId),
    /// A possible match: the pairs that it asked about.
    PossibleMatch(PossibleMatchId),
    /// A record that is of nobody else's person.
    Record(RecordName),
    /// Two records that are of different people. Officers only.
    Two(RecordName, RecordName),
    /// An entry of the log: a decision, a delivery, or an answer in which the recipient's own records
    /// were taken for somebody else's.
    Entry(EventId),
    /// A delivery.
    Submission(SubmissionId),
}

impl Named {
    /// The word in the log.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pair(_) => "pair",
            Self::PossibleMatch(_) => "possible-match",
            Self::Record(_) | Self::Two(..) => "record",
            Self::Entry(_) => "entry",
            Self::Submission(_) => "submission",
        }
    }
}

/// Who opens a recall.
#[derive(Debug, Clone, Copy)]
pub enum Raiser<'a> {
    /// An officer, by account.
    Officer(&'a str),
    /// A holder, about its own record, delivery or answer.
    Holder(&'a AgencyCaller, &'a RoleCode),
}

impl Raiser<'_> {
    fn agency(&self) -> Option<&AgencyCode> {
        match self {
            Self::Officer(_) => None,
            Self::Holder(caller, _) => Some(&caller.agency),
        }
    }
}

/// Why nothing is recalled. For a holder none of it depends on others' records.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    /// There is no such thing, or it is not the caller's.
    #[error("there is no such pair, possible match, entry or delivery, or it is not the caller's own [recall.unknown]")]
    Unknown,
    /// The entry keeps no names of records, or none of the recipient's own.
    #[error("the entry names no record of its recipient's own: name the record instead [recall.entry]")]
    Entry,
    /// The reason does not go with it.
    #[error(
        "the reason is none of: twin-or-sibling, parent-or-child, namesake, other-person; record-wrong for a delivery [recall.reason]"
    )]
    Reason,
    /// The programme declares no such role.
    #[error("the programme declares no such role [recall.role]")]
    Role,
    /// More pairs than one recall takes.
    #[error("more pairs than one recall takes: name one record [recall.too_many]")]
    TooMany,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for RecallError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}
impl From<MatchError> for RecallError {
    fn from(error: MatchError) -> Self {
        match error {
            MatchError::App(error) => Self::App(error),
            _ => Self::App(AppError::Internal("a pair cannot be parted")),
        }
    }
}
impl From<PastError> for RecallError {
    fn from(error: PastError) -> Self {
        match error {
            PastError::App(error) => Self::App(error),
            PastError::NoAnswer => Self::Unknown,
            PastError::Erased | PastError::NoProgramme | PastError::Altered | PastError::Unreadable => Self::Entry,
        }
    }
}

/// A recall that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// The recall.
    pub id: RecallId,
    /// The log entry of its opening.
    pub disclosure: EventId,
    /// When.
    pub at: Timestamp,
}

/// A recall as officers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecallReport {
    /// The recall.
    pub recall: StoredRecall,
    /// What it found, in numbers.
    pub counts: RecallCounts,
    /// Who has not acknowledged everything.
    pub waits_for: Vec<AgencyCode>,
}

impl Gateway {
    /// Opens a recall: from here on the records are parted, and the search goes on by itself. The same
    /// request under the same key is taken once.
    ///
    /// # Errors
    ///
    /// [`RecallError`].
    pub async fn open_recall(
        &self,
        raiser: Raiser<'_>,
        named: &Named,
        reason: &str,
        idempotency: &str,
    ) -> Result<Opened, RecallError> {
        if let Raiser::Holder(_, role) = raiser {
            let policies = self.current_policies().await?;
            policies.programme().role(role).ok_or(RecallError::Role)?;
        }
        let wrong = self.what_was_wrong(named, raiser.agency()).await?;
        let parting = matches!(wrong, Wrong::Pairs { .. } | Wrong::Record { .. });
        let split: Option<Reason> = reason.parse().ok();
        let fits = split.is_some_and(|it| if parting { Decision::Split.takes(it) } else { it == Reason::RecordWrong });
        let Some(split) = split.filter(|_| fits) else { return Err(RecallError::Reason) };

        let text = serde_json::to_vec(&wrong).map_err(|_| AppError::Internal("a recall cannot be written"))?;
        let (who, client) = match raiser {
            Raiser::Officer(by) => (format!("officer {by}"), by),
            Raiser::Holder(caller, role) => (format!("holder {} {role}", caller.agency), caller.client.as_str()),
        };
        let request = [format!("recall {who} {split} ").as_bytes(), &text].concat();
        let tag = self.keys().tagger.reply(client, idempotency, &request);
        let partners = self.parted_records(&wrong).await?;

        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let now = tx.now().await?;
        if let Some(before) = tx.recall_by_tag(self.programme(), &tag).await? {
            return Ok(Opened { id: before.id, disclosure: before.opened, at: before.opened_at });
        }
        let (id, event) = (RecallId::new(uuid_v7(now, self.random())), EventId::new(uuid_v7(now, self.random())));
        let (commitment, sealed) = self.commit(event, OPENING, text, 0)?;
        let by_holder = match raiser {
            Raiser::Officer(_) => None,
            Raiser::Holder(caller, role) => Some((caller, role)),
        };
        let body = RecallOpen {
            recall: id,
            named_by: code(named.word())?,
            agency: raiser.agency().cloned(),
            client: by_holder.map(|(caller, _)| code(&caller.client)).transpose()?,
            role: by_holder.map(|(_, role)| role.clone()),
            by: if let Raiser::Officer(by) = raiser { Some(code(by)?) } else { None },
            reason: code(reason)?,
            commitments: RecallCommitments { wrong: commitment },
        };
        let mut entry = self.event_with_id(event, now, Body::RecallOpen(body))?;
        entry.recipient = raiser.agency().map(ToString::to_string);
        entry.openings = vec![(OPENING, sealed)];
        let recall = StoredRecall {
            id,
            raised_by: if by_holder.is_none() { client.to_owned() } else { String::new() },
            agency: raiser.agency().cloned(),
            reason: reason.to_owned(),
            opened_at: now,
            opened: event,
            state: RecallState::Searching,
            place: 0,
            undone_at: None,
            looked: 0,
            untouched: 0,
            closed_at: None,
        };
        tx.add_events(&[&entry]).await?;
        tx.add_recall(self.programme(), &recall, &tag).await?;
        if parting {
            self.part_records(&mut tx, &partners, by_holder, split, MatchAnswer { at: now, event, tag }).await?;
            tx.add_pair_mark(self.programme(), event).await?;
        }
        tx.commit().await?;
        self.wake_sequencer();
        self.wake_publisher();
        Ok(Opened { id, disclosure: event, at: now })
    }

    /// Puts the pairs apart. A holder's word is kept as a possible match of its own, so that it can
    /// take it back like any other split.
    async fn part_records(
        &self,
        tx: &mut Tx,
        pairs: &[PairNames],
        holder: Option<(&AgencyCaller, &RoleCode)>,
        reason: Reason,
        answer: MatchAnswer,
    ) -> Result<(), RecallError> {
        let mut handles: BTreeMap<pair::RecordName, PossibleMatchId> = BTreeMap::new();
        for names in pairs {
            let own = holder.and_then(|(caller, _)| names.both().iter().position(|one| one.agency == caller.agency));
            let mut side = PairSide::default();
            if let (Some(own), Some((_, role))) = (own, holder) {
                let record = names.both()[own];
                let id = if let Some(id) = handles.get(record) {
                    *id
                } else {
                    let id = self.match_id()?;
                    let new = NewMatch { id, record: record.clone(), fields: Vec::new(), asked_at: answer.at };
                    tx.add_match(self.programme(), &new).await?;
                    tx.answer_match(id, (Decision::Split, role.as_str(), reason.as_str()), &answer).await?;
                    handles.insert(record.clone(), id);
                    id
                };
                side = PairSide { by: Some(id), answer: Some(Decision::Split) };
            }
            self.part(tx, names, (own.unwrap_or(0), side), "", (answer.at, answer.event)).await?;
        }
        Ok(())
    }

    /// How a recall stands; `None` when there is none of this id.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn recall_report(&self, id: RecallId) -> Result<Option<RecallReport>, AppError> {
        let Some(recall) = self.store().recall(self.programme(), id).await? else { return Ok(None) };
        let counts = self.store().recall_counts(id).await?;
        let waits_for = self.store().recall_waits_for(id).await?;
        Ok(Some(RecallReport { recall, counts, waits_for }))
    }

    /// The newest recalls, with what each found.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn recall_reports(&self) -> Result<Vec<RecallReport>, AppError> {
        let mut reports = Vec::new();
        for recall in self.store().recalls(self.programme()).await? {
            reports.extend(self.recall_report(recall.id).await?);
        }
        Ok(reports)
    }
}

/// The same name as pairs have it.
pub(super) fn pair_name(name: &RecordName) -> pair::RecordName {
    pair::RecordName { agency: name.agency.clone(), feed: name.feed.clone(), reference: name.reference.clone() }
}
