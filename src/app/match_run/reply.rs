//! The benefits agency's reply: met or not, token by token. It is kept sealed with the run, and stands in
//! the place of a delivery of its feed: it counts under its agreement's supply terms, or not at all.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::log_entry::{Acting, Said};
use super::{MatchRunError, RunDisclosure, RunTerms, check_terms, part};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::MatchRunId;
use crate::domain::item::Item;
use crate::domain::token::Token;
use crate::policy::decision::SupplierFeed;
use crate::tlog::digest::Digest;

/// What the agency says of one listed token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TokenAnswer {
    /// The token, as listed.
    pub token: Token,
    /// Whether the criterion is met by an adult of the household.
    pub met: bool,
}

/// A reply as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredReply {
    pub(super) on: Date,
    pub(super) answers: Vec<TokenAnswer>,
}

impl Gateway {
    /// Takes the reply to a list. The same answers again are the same reply; others are refused.
    ///
    /// # Errors
    ///
    /// [`MatchRunError`].
    pub async fn answer_match_run(
        &self,
        caller: &AgencyCaller,
        id: MatchRunId,
        supplied: &RunTerms,
        answers: &[TokenAnswer],
    ) -> Result<RunDisclosure, MatchRunError> {
        let (run, ground) = self.asking_run(caller, id).await?;
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        check_terms(&policies, supplied)?;
        let ask = ground.asks.as_ref().ok_or(MatchRunError::Unknown)?;
        // The team may hear this under the agreement that the reply names: decided as a delivery would be.
        let feed = SupplierFeed {
            supplier: ask.agency.clone(),
            feed: ask.feed.clone(),
            agreement: supplied.agreement.clone(),
        };
        let wanted = ground.terms(&run.begun_by)?;
        let decided = self.decisions().contributors(policies.book(), &wanted, std::slice::from_ref(&feed), view.now);
        let area = policies.programme().criteria().iter().find(|known| known.code == ask.criterion);
        let area = area.map(|criterion| Item::Area(criterion.area.clone())).ok_or(MatchRunError::Supply)?;
        let is_heard = decided.is_ok_and(|permitted| permitted.allows(&feed, &area));
        let is_suspended = policies.is_suspended(&ask.agency, &ask.feed);
        if !is_heard || is_suspended || !policies.may_supply(&caller.agency, &supplied.agreement, view.now) {
            return Err(MatchRunError::Supply);
        }
        let mut answers = answers.to_vec();
        answers.sort();
        let listed: BTreeSet<Token> = self.run_page(id, part::LIST).await?.ok_or(MatchRunError::NotDue)?;
        let named: BTreeSet<Token> = answers.iter().map(|answer| answer.token).collect();
        if answers.is_empty() || named.len() != answers.len() || !named.is_subset(&listed) {
            return Err(MatchRunError::NotListed);
        }
        let count = answers.len() as u64;
        let reply = StoredReply { on: view.now.date(), answers };
        let plain = serde_json::to_vec(&reply).map_err(|_| AppError::Internal("a reply cannot be written"))?;
        let acting = Acting { caller, terms: supplied, policies: &policies, view };
        let said = Said { sha256: Some(Digest::of(&plain)), counts: vec![("answered", count)], ..Said::default() };
        let entry = self.run_step_entry(&acting, id, "reply", said)?;

        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        if let Some((number, sealed)) = tx.run_part(id, part::REPLY).await?.into_iter().next() {
            let before = self.open_run_page(id, part::REPLY, number, &sealed)?;
            let before: Option<StoredReply> = serde_json::from_slice(&before).ok();
            if before.is_none_or(|before| before.answers != reply.answers) {
                return Err(MatchRunError::Answered);
            }
        } else {
            tx.put_run_page(id, part::REPLY, 0, &self.seal_run_page(id, part::REPLY, 0, &plain)).await?;
        }
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(RunDisclosure { disclosure: entry.id, receipt: self.receipt(entry.id, entry.leaf_hash, entry.at)? })
    }
}
