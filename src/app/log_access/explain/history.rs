//! What became of an entry: who looked at it and reviewed it, and what else the log says about it since.

use super::super::super::error::AppError;
use super::super::super::gateway::Gateway;
use super::super::super::log_index::index_log;
use super::super::super::proof::check_leaf;
use crate::domain::ids::{AgreementRef, EventId};
use crate::domain::review::kinds::is_disclosure;
use crate::domain::time::Timestamp;
use crate::store::{LogQuery, StoreError};
use crate::tlog::entry::{Body, Entry, EntryError, Facet};

/// The most entries about one entry that are read.
const MOST: i64 = 500;
/// The entries that say what became of an agreement.
const OF_AGREEMENTS: [&str; 5] =
    ["policy.load", "agreement.signature", "agreement.request", "agreement.approval", "agreement.status"];

/// An entry about another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// Its event.
    pub event: EventId,
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub body: Body,
}

impl Gateway {
    /// What became of an agreement so far: entries that load, sign, ask for, approve and change it, oldest
    /// first.
    ///
    /// # Errors
    ///
    /// As [`Gateway::entries_about`].
    pub async fn entries_of_agreement(&self, agreement: &AgreementRef) -> Result<Vec<Later>, AppError> {
        let mut all = Vec::new();
        for kind in OF_AGREEMENTS {
            let named = (Facet::Agreement.as_str(), agreement.to_string());
            all.extend(self.entries_with(vec![named, (Facet::Kind.as_str(), kind.to_owned())]).await?);
        }
        all.sort_by_key(|one| (one.at, one.event));
        Ok(all)
    }

    /// The entries about an entry that have a place in the log, oldest first, and the newest 500 at the most.
    /// Types that this version does not know are left out.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database, or when an entry is not the one that was logged.
    pub async fn entries_about(&self, event: EventId) -> Result<Vec<Later>, AppError> {
        self.entries_with(vec![(Facet::About.as_str(), event.to_string())]).await
    }

    async fn entries_with(&self, filters: Vec<(&'static str, String)>) -> Result<Vec<Later>, AppError> {
        index_log(self.store()).await?;
        let query = LogQuery {
            before: u64::MAX,
            since: Timestamp::from_micros(i64::MIN),
            until: Timestamp::from_micros(i64::MAX),
            filters,
            limit: MOST,
        };
        let mut later = Vec::new();
        for found in self.store().find_entries(&query).await? {
            check_leaf(&found.body, &found.leaf)?;
            match Entry::parse(&found.body) {
                Ok(entry) => later.push(Later { event: found.event, at: entry.at(), body: entry.into_body() }),
                Err(EntryError::UnknownType) => {}
                Err(_) => return Err(StoreError::Corrupt("a log entry").into()),
            }
        }
        later.reverse();
        Ok(later)
    }

    /// What became of an entry, in sentences.
    pub(super) async fn what_became_of(&self, event: EventId, body: &Body) -> Result<Vec<String>, AppError> {
        let later = self.entries_about(event).await?;
        let is_look = |one: &&Later| matches!(one.body, Body::LogAccess(_));
        let looks = later.iter().filter(is_look).count();
        let is_review = |body: &Body| matches!(body, Body::ReviewStep(_) | Body::EmergencyReview(_));
        let mut said = Vec::new();
        let is_shown = is_disclosure(body.kind(), action_of(body));
        if is_shown && !later.iter().any(|one| is_review(&one.body)) {
            said.push("Nobody has reviewed it so far.".to_owned());
        }
        let told = later.iter().filter(|one| !is_look(one));
        said.extend(told.map(|one| format!("{} (entry {}): {}", one.at, one.event, one.body.in_words())));
        said.push(format!("It was looked at {looks} times before this."));
        Ok(said)
    }
}

/// The action of an entry of which only some actions are disclosures.
fn action_of(body: &Body) -> Option<&str> {
    match body {
        Body::LogAccess(access) => Some(access.action.as_str()),
        _ => None,
    }
}
