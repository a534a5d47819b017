//! A decision is made again: as at its date, from the texts that its entry names and the log before it,
//! and as it would come out today.
//!
//! Nothing is assumed. Where a text is not there, or no kept set of files has the hash that the entry
//! names, the entry cannot be replayed, and that is what is said.

mod book_then;
mod compare;

use super::super::caller::AgencyCaller;
use super::super::enquire::log_entry::decision;
use super::super::enquire::supplier_feed;
use super::super::error::AppError;
use super::super::gateway::Gateway;
use super::super::log_index::index_log;
use super::super::past::PastError;
use super::super::statistics;
use super::explain::{Decided, decided};
use super::{Grounds, LogAccessError, Logged, MOST_TRIES, Seen};
use crate::domain::agency::AgencyKind;
use crate::domain::agreement::{Agreement, AnswerMode};
use crate::domain::ids::EventId;
use crate::domain::programme::{Programme, Relationship};
use crate::domain::time::Timestamp;
use crate::policy::PolicyBook;
use crate::policy::decide::{contributors, contributors_for_statistics};
use crate::policy::decision::{SupplierFeed, Terms};
use crate::store::StoreError;
use crate::tlog::entry::{self, Body, Code, Entry, Outcome};

pub use compare::Compared;

/// What became of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The entry of the look itself.
    pub logged: Logged,
    /// When it was decided.
    pub at: Timestamp,
    /// Why it cannot be replayed, one sentence each; empty when it was.
    pub missing: Vec<String>,
    /// The decision made again as at its date; `None` when it cannot be.
    pub then: Option<Compared>,
    /// The decision as it would come out today; `None` when it cannot be asked.
    pub today: Option<Compared>,
    /// What the kept evidence gives by the criteria of that day.
    pub answer: AnswerAgain,
}

/// What the evidence of an entry gives when it is judged again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerAgain {
    /// The answer that was given.
    Same,
    /// Another one: the program judges otherwise now.
    Differs,
    /// The opening is not what the entry commits to: it was altered.
    Altered,
    /// The opening does not open, or holds something else.
    Unreadable,
    /// The evidence was erased, or the programme file of that day is not there.
    Gone,
    /// The entry answers nothing about a person.
    None,
}

impl AnswerAgain {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Altered => "altered",
            Self::Unreadable => "unreadable",
            Self::Gone => "gone",
            Self::None => "none",
        }
    }
}

/// A decision: whether anything was answered, and line by line.
struct Came {
    outcome: Outcome,
    lines: Vec<entry::Decision>,
}

/// The question that an entry records.
struct Asked {
    recipient: crate::domain::ids::AgencyCode,
    agreement: Option<crate::domain::ids::AgreementRef>,
    purpose: crate::domain::ids::PurposeCode,
    role: crate::domain::ids::RoleCode,
    mode: AnswerMode,
    /// `None` where the journey takes the first that the purpose allows.
    relationship: Option<Relationship>,
    for_statistics: bool,
    /// Whether it is refused to everybody but the programme team.
    for_the_team: bool,
    /// A match run: a reply may stand for a feed that has not come.
    hears_replies: bool,
}

impl Asked {
    /// `None` for entries that record no such question.
    fn of(body: &Body) -> Option<Self> {
        Some(match body {
            Body::Enquiry(it) | Body::FamilyDisclosure(it) => Self {
                recipient: it.recipient.clone(),
                agreement: it.agreement.clone(),
                purpose: it.purpose.clone(),
                role: it.role.clone(),
                mode: mode_of(&it.mode)?,
                relationship: Some(relationship_of(&it.relationship)?),
                for_statistics: false,
                for_the_team: false,
                hears_replies: false,
            },
            Body::Statistics(it) => Self {
                recipient: it.recipient.clone(),
                agreement: it.agreement.clone(),
                purpose: it.purpose.clone(),
                role: it.role.clone(),
                mode: statistics::mode_of(it.table.as_str()),
                relationship: None,
                for_statistics: true,
                for_the_team: statistics::is_for_the_team(it.table.as_str()),
                hears_replies: false,
            },
            Body::MatchView(it) => Self {
                recipient: it.recipient.clone(),
                agreement: it.agreement.clone(),
                purpose: it.purpose.clone(),
                role: it.role.clone(),
                mode: AnswerMode::Count,
                relationship: Some(relationship_of(&it.relationship)?),
                for_statistics: false,
                for_the_team: false,
                hears_replies: false,
            },
            Body::MatchRun(it) => Self {
                recipient: it.recipient.clone(),
                agreement: it.agreement.clone(),
                purpose: it.purpose.clone(),
                role: it.role.clone(),
                mode: AnswerMode::Criteria,
                relationship: Some(relationship_of(&it.relationship)?),
                for_statistics: false,
                for_the_team: false,
                hears_replies: true,
            },
            Body::MatchRunStep(it) => {
                let ground = it.ground.as_ref()?;
                Self {
                    recipient: it.agency.clone(),
                    agreement: it.agreement.clone(),
                    purpose: ground.purpose.clone(),
                    role: it.role.clone(),
                    mode: if it.step.as_str() == "list" { AnswerMode::Eligible } else { AnswerMode::Criteria },
                    relationship: Some(relationship_of(&ground.relationship)?),
                    for_statistics: false,
                    for_the_team: false,
                    hears_replies: it.step.as_str() != "list",
                }
            }
            _ => return None,
        })
    }

    /// Decides it by a book; `None` where the programme does not know the purpose at all.
    fn decide(&self, book: &PolicyBook, feeds: &[SupplierFeed], now: Timestamp) -> Result<Option<Came>, AppError> {
        let (Some(agreement), Some(relationship)) = (&self.agreement, self.relationship_in(book.programme())) else {
            return Ok(None);
        };
        let terms = Terms {
            recipient: self.recipient.clone(),
            agreement: agreement.clone(),
            purpose: self.purpose.clone(),
            mode: self.mode,
            role: self.role.clone(),
            relationship,
        };
        let decide = if self.for_statistics { contributors_for_statistics } else { contributors };
        let is_team = book.agency(&self.recipient).is_some_and(|agency| agency.kind() == AgencyKind::Programme);
        let refused = |rule: &str| rule.parse().map(Outcome::Refused).map_err(|_| AppError::Internal("a rule's id"));
        let (outcome, lines) = match decide(book, &terms, feeds, now) {
            Ok(permitted) if self.for_the_team && !is_team => {
                (refused(statistics::NOT_THE_TEAM.0)?, permitted.decisions)
            }
            Ok(permitted) => (Outcome::Answered, permitted.decisions),
            Err(refusal) => {
                let rule = refusal.hits.first().map_or("refused", |hit| hit.rule.as_str());
                (refused(rule)?, refusal.decisions)
            }
        };
        let mut lines = lines.iter().map(decision).collect::<Result<Vec<_>, _>>()?;
        for line in &mut lines {
            line.rules_hit.sort();
        }
        Ok(Some(Came { outcome, lines }))
    }

    fn relationship_in(&self, programme: &Programme) -> Option<Relationship> {
        let declared = programme.purpose(&self.purpose)?;
        self.relationship.or_else(|| declared.relationships.first().copied())
    }
}

fn relationship_of(word: &Code) -> Option<Relationship> {
    Relationship::ALL.into_iter().find(|one| one.as_str() == word.as_str())
}

/// The mode that an entry's word was decided as.
fn mode_of(word: &Code) -> Option<AnswerMode> {
    match word.as_str() {
        "engagement" | "claim" => Some(AnswerMode::Criteria),
        "preview" => Some(AnswerMode::Count),
        word => AnswerMode::ALL.into_iter().find(|mode| mode.as_str() == word),
    }
}

impl Gateway {
    /// Replays the decision of one entry. The result leaves once the look itself is in the log.
    ///
    /// # Errors
    ///
    /// [`LogAccessError`]; refusals by agreement are in the log too.
    pub async fn replay_log_entry(
        &self,
        caller: &AgencyCaller,
        grounds: &Grounds,
        event: EventId,
    ) -> Result<Replayed, LogAccessError> {
        for _ in 0..MOST_TRIES {
            let look = self.decide_look(caller, grounds).await?;
            let mut replayed = None;
            let index = self.store().leaf_index(event).await?;
            if look.decided.is_ok() {
                // Read as it is shown: what is under no signed root is not replayed.
                let Some(proved) = self.prove_entry(event).await? else {
                    if self.log_look(&look, &Seen::of_nothing("replay")).await?.is_none() {
                        continue;
                    }
                    return Err(LogAccessError::Unknown);
                };
                let body = proved.entry.into_bytes();
                index_log(self.store()).await?;
                replayed = Some(self.decided_again(event, index, &body).await?);
            }
            let seen = match &replayed {
                Some(_) => Seen::of_entry("replay", event, index),
                None => Seen::of_nothing("replay"),
            };
            let Some(logged) = self.log_look(&look, &seen).await? else { continue };
            let Some(replayed) = replayed else { break };
            return Ok(Replayed { logged, ..replayed });
        }
        Err(AppError::Interrupted.into())
    }

    async fn decided_again(&self, event: EventId, index: Option<u64>, body: &[u8]) -> Result<Replayed, AppError> {
        let entry = Entry::parse(body).map_err(|_| StoreError::Corrupt("a log entry"))?;
        let logged = Logged { disclosure: event, receipt: String::new() };
        let none = Replayed {
            logged,
            at: entry.at(),
            missing: Vec::new(),
            then: None,
            today: None,
            answer: AnswerAgain::None,
        };
        let unreplayable = |sentence: &str| Replayed { missing: vec![sentence.to_owned()], ..none.clone() };
        let (Some(asked), Some(was)) = (Asked::of(entry.body()), decided(entry.body())) else {
            return Ok(unreplayable("Entries of this type record no decision that could be made again."));
        };
        let Some(index) = index else {
            return Ok(unreplayable("The entry has no place in the log yet: what came before it is not settled."));
        };
        if asked.agreement.is_none() {
            return Ok(unreplayable("The question named no agreement that exists, and the entry does not say which."));
        }
        let today = self.as_today(&asked, &was).await?;
        let answer = self.answer_again(event, was.outcome).await?;
        Ok(match self.book_then(index, entry.at(), &was).await? {
            Err(missing) => Replayed { missing, today: Some(today), answer, ..none },
            Ok((book, unnamed)) => {
                let feeds = feeds_then(&asked, &was, &unnamed, &book)?;
                match asked.decide(&book, &feeds, entry.at())? {
                    None => {
                        Replayed { today: Some(today), answer, ..unreplayable("The purpose was not declared then.") }
                    }
                    Some(came) => {
                        let then = compare::compare(&was, &came, &book, "made again as at its date");
                        Replayed { then: Some(then), today: Some(today), answer, ..none }
                    }
                }
            }
        })
    }

    /// As it would be decided with the agreements and feeds of this moment.
    async fn as_today(&self, asked: &Asked, was: &Decided<'_>) -> Result<Compared, AppError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        let feeds = self.contributing_feeds(view.generation, &policies).await?;
        let mut feeds: Vec<SupplierFeed> = feeds.iter().map(supplier_feed).collect();
        add_replied(asked, was, policies.book(), &mut feeds);
        let Some(came) = asked.decide(policies.book(), &feeds, view.now)? else {
            let gone = "The programme no longer declares the purpose: nothing would be answered.".to_owned();
            return Ok(Compared { is_same: false, differences: vec![gone] });
        };
        let mut compared = compare::compare(was, &came, policies.book(), "today");
        let texts = [
            ("The rule book is", policies.book().rules().hash().as_bytes() == was.rules_sha256.as_bytes()),
            ("The programme file is", policies.programme_sha256() == was.programme_sha256.as_bytes()),
            ("The agencies' files are", policies.agencies_sha256() == *was.agencies_sha256),
        ];
        let changed = texts.into_iter().filter(|(_, same)| !same);
        compared.differences.extend(changed.map(|(what, _)| format!("{what} not that of the entry any more.")));
        Ok(compared)
    }

    async fn answer_again(&self, event: EventId, outcome: &Outcome) -> Result<AnswerAgain, AppError> {
        if *outcome != Outcome::Answered {
            return Ok(AnswerAgain::None);
        }
        match self.judge_again(event).await {
            Ok(judged) if judged.is_same => Ok(AnswerAgain::Same),
            Ok(_) => Ok(AnswerAgain::Differs),
            Err(PastError::Altered) => Ok(AnswerAgain::Altered),
            Err(PastError::Unreadable) => Ok(AnswerAgain::Unreadable),
            Err(PastError::Erased | PastError::NoProgramme) => Ok(AnswerAgain::Gone),
            Err(PastError::NoAnswer) => Ok(AnswerAgain::None),
            Err(PastError::App(error)) => Err(error),
        }
    }
}

/// The feeds that were decided on, each with the agreement that it came under: as the lines of the
/// entry name it, or else as the submissions before it do.
fn feeds_then(
    asked: &Asked,
    was: &Decided<'_>,
    submitted: &[SupplierFeed],
    book: &PolicyBook,
) -> Result<Vec<SupplierFeed>, AppError> {
    let mut feeds = Vec::new();
    for line in was.decisions.iter().filter(|line| line.supplier != asked.recipient) {
        let named = line.supply.as_ref().and_then(|term| term.as_str().rsplit_once('/'));
        if let Some((agreement, _)) = named {
            let agreement = agreement.parse().map_err(|_| AppError::Internal("an agreement of a log entry"))?;
            feeds.push(SupplierFeed { supplier: line.supplier.clone(), feed: line.feed.clone(), agreement });
        } else {
            let is_it = |feed: &&SupplierFeed| feed.supplier == line.supplier && feed.feed == line.feed;
            feeds.extend(submitted.iter().filter(is_it).cloned());
        }
    }
    add_replied(asked, was, book, &mut feeds);
    feeds.sort();
    feeds.dedup();
    Ok(feeds)
}

/// A match run decides about a feed that has not come too, the one that a reply stands for: under the
/// first agreement that would carry it.
fn add_replied(asked: &Asked, was: &Decided<'_>, book: &PolicyBook, feeds: &mut Vec<SupplierFeed>) {
    for line in was.decisions.iter().filter(|line| asked.hears_replies && line.supplier != asked.recipient) {
        let carries = |agreement: &&Agreement| {
            let mut terms = agreement.text.supplies().iter();
            terms.any(|term| term.supplier == line.supplier && term.recipients.contains(&asked.recipient))
        };
        if !feeds.iter().any(|feed| feed.supplier == line.supplier && feed.feed == line.feed) {
            feeds.extend(book.agreements().find(carries).map(|agreement| SupplierFeed {
                supplier: line.supplier.clone(),
                feed: line.feed.clone(),
                agreement: agreement.text.reference().clone(),
            }));
        }
    }
}
