//! Logged questions decided again by two policy books: what a draft would have changed, in counts.
//!
//! Read are the terms of past enquiries, which entries carry in clear; nothing about a person. The look
//! has its own entry in the log.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::caller::AgencyCaller;
use super::enquire::supplier_feed;
use super::error::AppError;
use super::gateway::Gateway;
use super::log_access::{Grounds, LogAccessError, Logged, MOST_TRIES, Seen};
use super::log_index::index_log;
use crate::domain::agreement::{AnswerMode, Item};
use crate::domain::ids::AgencyCode;
use crate::domain::time::Timestamp;
use crate::policy::decide::contributors;
use crate::policy::decision::{SupplierFeed, Terms};
use crate::policy::diff::{restated, restated_terms};
use crate::policy::{PolicyBook, Refusal};
use crate::store::{FoundEntry, LogQuery, StoreError};
use crate::tlog::entry::{Body, Enquiry, Entry};

/// Entries that are read in one piece.
const PIECE: i64 = 500;

/// How many logged questions would come out otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ReplayCounts {
    /// Questions that were replayed.
    pub questions: u64,
    /// Permitted by the old book and refused by the new one.
    pub refused: u64,
    /// Refused by the old book and permitted by the new one.
    pub allowed: u64,
    /// Permitted by both, over another set of data.
    pub changed: u64,
    /// Questions that name no agreement, or one that neither book has; not counted above.
    pub left_out: u64,
}

/// Who has questions replayed.
#[derive(Clone, Copy)]
enum By<'a> {
    /// The operator's own account, which needs no agreement: nothing of the terms is about anybody.
    Operator(&'a str),
    /// An officer, on the grounds of an agreement.
    Officer(&'a AgencyCaller, &'a Grounds),
}

impl Gateway {
    /// Decides the questions logged since a moment again, by both books as of now and for the feeds
    /// that are visible now.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn replay_policies(
        &self,
        old: &PolicyBook,
        new: &PolicyBook,
        since: Timestamp,
        by: &str,
    ) -> Result<ReplayCounts, AppError> {
        let replayed = self.replayed((old, new), since, By::Operator(by)).await;
        replayed.map(|(counts, _)| counts).map_err(inner)
    }

    /// The same for an officer, whose look is decided by their agreement like any other look at the log.
    ///
    /// # Errors
    ///
    /// [`LogAccessError`]; a refusal by agreement is in the log too.
    pub async fn replay_policies_for(
        &self,
        caller: &AgencyCaller,
        grounds: &Grounds,
        books: (&PolicyBook, &PolicyBook),
        since: Timestamp,
    ) -> Result<(ReplayCounts, Logged), LogAccessError> {
        self.replayed(books, since, By::Officer(caller, grounds)).await
    }

    async fn replayed(
        &self,
        (old, new): (&PolicyBook, &PolicyBook),
        since: Timestamp,
        by: By<'_>,
    ) -> Result<(ReplayCounts, Logged), LogAccessError> {
        index_log(self.store()).await?;
        for _ in 0..MOST_TRIES {
            let look = match by {
                By::Operator(account) => self.operators_look(account).await?,
                By::Officer(caller, grounds) => self.decide_look(caller, grounds).await?,
            };
            let mut counts = ReplayCounts::default();
            if look.decided.is_ok() {
                let view = self.store().view(self.programme()).await?;
                let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
                let policies = self.policies_at(view.policy_revision).await?;
                let feeds = self.contributing_feeds(view.generation, &policies).await?;
                let feeds: Vec<SupplierFeed> = feeds.iter().map(supplier_feed).collect();
                let questions = self.questions_since(since, view.now).await?;
                counts = compare(old, new, &feeds, &questions, view.now);
            }
            let filters = vec![("since", since.to_string())];
            let seen = Seen { action: "replay", filters, count: counts.questions, ..Seen::default() };
            if let Some(logged) = self.log_look(&look, &seen).await? {
                return Ok((counts, logged));
            }
        }
        Err(AppError::Interrupted.into())
    }

    /// The terms of every enquiry since a moment, and how often each was asked. `None`: without an agreement.
    async fn questions_since(
        &self,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<BTreeMap<Option<Terms>, u64>, AppError> {
        let mut questions = BTreeMap::new();
        for kind in ["enquiry", "family.disclosure"] {
            let mut before = u64::MAX;
            loop {
                let filters = vec![("type", kind.to_owned())];
                let query = LogQuery { before, since, until: now.plus_seconds(1), filters, limit: PIECE };
                let found = self.store().find_entries(&query).await?;
                let Some(last) = found.last() else { break };
                before = last.index;
                for entry in &found {
                    *questions.entry(terms_of(entry)?).or_insert(0) += 1;
                }
            }
        }
        Ok(questions)
    }
}

fn inner(error: LogAccessError) -> AppError {
    match error {
        LogAccessError::App(error) => error,
        _ => AppError::Internal("a look by the operator is decided by nothing"),
    }
}

fn terms_of(found: &FoundEntry) -> Result<Option<Terms>, AppError> {
    let entry = Entry::parse(&found.body).map_err(|_| StoreError::Corrupt("a log entry"))?;
    Ok(match entry.into_body() {
        Body::Enquiry(enquiry) | Body::FamilyDisclosure(enquiry) => terms(*enquiry),
        _ => None,
    })
}

fn terms(enquiry: Enquiry) -> Option<Terms> {
    let word = |text: &str| serde_json::Value::String(text.to_owned());
    // Journeys that ask in a mode's name are decided as that mode.
    let mode = match enquiry.mode.as_str() {
        "engagement" | "claim" => AnswerMode::Criteria,
        "preview" => AnswerMode::Count,
        named => serde_json::from_value(word(named)).ok()?,
    };
    Some(Terms {
        recipient: enquiry.recipient,
        agreement: enquiry.agreement?,
        purpose: enquiry.purpose,
        mode,
        role: enquiry.role,
        relationship: serde_json::from_value(word(enquiry.relationship.as_str())).ok()?,
    })
}

fn compare(
    old: &PolicyBook,
    new: &PolicyBook,
    feeds: &[SupplierFeed],
    questions: &BTreeMap<Option<Terms>, u64>,
    now: Timestamp,
) -> ReplayCounts {
    let mut counts = ReplayCounts::default();
    for (terms, times) in questions {
        let Some(terms) = terms else {
            counts.left_out += times;
            continue;
        };
        counts.questions += times;
        match (decided(old, terms, feeds, now), decided(new, terms, feeds, now)) {
            (Ok(_), Err(_)) => counts.refused += times,
            (Err(_), Ok(_)) => counts.allowed += times,
            (Ok(was), Ok(is)) if was != is => counts.changed += times,
            _ => {}
        }
    }
    counts
}

fn decided(
    book: &PolicyBook,
    terms: &Terms,
    feeds: &[SupplierFeed],
    now: Timestamp,
) -> Result<BTreeSet<(AgencyCode, Item)>, Refusal> {
    contributors(book, &restated_terms(terms, book), &restated(feeds, book), now).map(|permitted| permitted.pairs())
}
