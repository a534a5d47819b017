//! Decoys: records of invented people that a key custodian delivers in an ordinary feed. Nobody has a case
//! about them, so whoever asks about one is guessing, or looking around.
//!
//! Which records they are is sealed. A decoy has no household: so it is in no family, and in no table, match
//! run, work list or claim, which are all of families.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::enrol::code;
use super::super::error::AppError;
use super::super::gateway::Gateway;
use super::super::policies::Policies;
use super::AlertError;
use crate::domain::ids::{AgencyCode, FeedCode, OpaqueRef};
use crate::store::{StoreError, StoredToken};
use crate::tlog::entry::{AlertDecoy, Body};

/// The place of the sealed field.
pub(in crate::app) const SEALED: (&str, &str) = ("alert_decoy", "sealed");

/// The record that is a decoy, by its holder's names.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecoyRecord {
    /// Whose feed.
    pub agency: AgencyCode,
    /// Which feed.
    pub feed: FeedCode,
    /// The record.
    pub reference: OpaqueRef,
}

impl Gateway {
    /// Registers a visible record as a decoy.
    ///
    /// # Errors
    ///
    /// [`AlertError::NoRecord`], [`AlertError::Decoy`], [`AlertError::NotOfficer`].
    pub async fn register_decoy(&self, record: &DecoyRecord, by: &str, reason: &str) -> Result<(), AlertError> {
        self.officer(by).await?;
        let view = self.store().view(self.programme()).await?;
        let generation = view.map_or(0, |view| view.generation);
        let name = (&record.agency, &record.feed, &record.reference);
        let found = self.store().record_named(self.programme(), generation, name).await?;
        if found.is_none_or(|(tokens, households)| tokens.is_empty() || !households.is_empty()) {
            return Err(AlertError::NoRecord);
        }
        let id = self.decoy_id(record);
        let plain = serde_json::to_vec(record).map_err(|_| AppError::Internal("a record's name is plain data"))?;
        let sealed = self.keys().fields.seal(self.random(), SEALED.0, SEALED.1, &id, &plain);
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        if !tx.add_decoy(&id, &sealed, now).await? {
            return Err(AlertError::Decoy);
        }
        self.finish_decoy(tx, "registered", by, reason).await
    }

    /// Lets a record be no decoy any more.
    ///
    /// # Errors
    ///
    /// [`AlertError::Decoy`] when it is none.
    pub async fn remove_decoy(&self, record: &DecoyRecord, by: &str, reason: &str) -> Result<(), AlertError> {
        self.officer(by).await?;
        let mut tx = self.store().begin().await?;
        if !tx.drop_decoy(&self.decoy_id(record)).await? {
            return Err(AlertError::Decoy);
        }
        self.finish_decoy(tx, "removed", by, reason).await
    }

    async fn finish_decoy(
        &self,
        mut tx: crate::store::Tx,
        action: &str,
        by: &str,
        reason: &str,
    ) -> Result<(), AlertError> {
        let now = tx.now().await?;
        let decoys = tx.decoy_count().await?;
        let body = AlertDecoy { action: code(action)?, decoys, by: code(by)?, reason: code(reason)? };
        tx.add_events(&[&self.event(now, Body::AlertDecoy(body))?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    fn decoy_id(&self, record: &DecoyRecord) -> [u8; 16] {
        let DecoyRecord { agency, feed, reference } = record;
        self.keys().tagger.decoy(agency.as_str(), feed.as_str(), reference.as_str())
    }

    /// The tags under which questions about decoys are, by their records as they are now: a record that
    /// was replaced, or blinded with another key, is followed.
    pub(super) async fn decoy_tags(
        &self,
        policies: &Policies,
        generation: i64,
    ) -> Result<BTreeSet<[u8; 16]>, AlertError> {
        let mut tags = BTreeSet::new();
        for (id, sealed) in self.store().decoys().await? {
            let plain = self.keys().fields.open(SEALED.0, SEALED.1, &id, &sealed);
            let plain = plain.map_err(|_| StoreError::Corrupt("a sealed decoy does not open"))?;
            let record: DecoyRecord = serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt("a decoy"))?;
            let name = (&record.agency, &record.feed, &record.reference);
            let found = self.store().record_named(self.programme(), generation, name).await?;
            let is_known_by = |token: &StoredToken| policies.is_strong(token.kind) || policies.links(token.kind);
            let tokens = found.into_iter().flat_map(|(tokens, _)| tokens).filter(is_known_by);
            tags.extend(tokens.map(|token| self.keys().tagger.subject(token.blinded.as_bytes())));
        }
        Ok(tags)
    }
}
