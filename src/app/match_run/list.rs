//! Stage 2: the benefits agency gets its list. Household tokens as the suppliers made them, sorted, and
//! nothing else: no criterion, no agency, no person, nothing that says why an address is on it.

use std::collections::BTreeSet;

use super::log_entry::{Acting, Said, ceiling};
use super::{MOST_TRIES, MatchRunError, RunDisclosure, RunTerms, part, terms, undeclared};
use crate::app::caller::AgencyCaller;
use crate::app::enquire::{EnquiryError, supplier_feed};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::agreement::AnswerMode;
use crate::domain::ids::{AgencyCode, FeedCode, MatchRunId, TokenType};
use crate::domain::item::Item;
use crate::domain::pair::RecordName;
use crate::domain::token::Token;
use crate::linkage::match_run::RunRecord;
use crate::linkage::record::HouseholdToken;
use crate::policy::decision::{Permitted, SupplierFeed};
use crate::tlog::digest::Digest;

/// A household token on the list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedToken {
    /// The token.
    pub token: Token,
    /// Its type.
    pub token_type: TokenType,
    /// The epoch of the linkage key that it was made with.
    pub epoch: u32,
}

/// The list, with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenList {
    /// The log entry, and the promise that it is in the log.
    pub entry: RunDisclosure,
    /// The tokens, sorted by their bytes.
    pub tokens: Vec<ListedToken>,
}

impl Gateway {
    /// Gives the benefits agency that a run asks its list. Only tokens are on it whose suppliers' terms
    /// let that agency have their household tokens, and only of records that are still there and that no
    /// shield reaches now.
    ///
    /// # Errors
    ///
    /// [`MatchRunError`]; refusals by agreement are in the log.
    pub async fn match_run_list(
        &self,
        caller: &AgencyCaller,
        id: MatchRunId,
        asked: &RunTerms,
    ) -> Result<GivenList, MatchRunError> {
        for _ in 0..MOST_TRIES {
            if let Some(list) = self.try_to_list(caller, id, asked).await? {
                return Ok(list);
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn try_to_list(
        &self,
        caller: &AgencyCaller,
        id: MatchRunId,
        asked: &RunTerms,
    ) -> Result<Option<GivenList>, MatchRunError> {
        let (run, ground) = self.asking_run(caller, id).await?;
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        if policies.programme().role(&asked.role).is_none() {
            return Err(undeclared());
        }
        let acting = Acting { caller, terms: asked, policies: &policies, view };

        // Decided before any record is read, and by the terms of the feeds as they came.
        let wanted = terms(&caller.agency, &asked.agreement, AnswerMode::Eligible, &asked.role, asked.relationship)?;
        let feeds = self.contributing_feeds(view.generation, &policies).await?;
        let came: Vec<SupplierFeed> = feeds.iter().map(supplier_feed).collect();
        let decided = self.decisions().contributors(policies.book(), &wanted, &came, view.now);
        let permitted = match &decided {
            Ok(permitted) => permitted,
            Err(refusal) => {
                let reason = refusal.hits.first().map_or("refused", |hit| &hit.rule);
                let said = Said { refused: Some(reason), decisions: &refusal.decisions, ..Said::default() };
                let entry = self.run_step_entry(&acting, id, "list", said)?;
                return match self.write_run_refusal(&acting, entry, refusal.hits.clone()).await? {
                    None => Ok(None),
                    Some(error) => Err(error),
                };
            }
        };
        self.check_permits(&run, &ground).await?;
        let material = self.material(&run, &ground).await?;
        let worked = tokio::task::spawn_blocking(move || (material.households(), material.records)).await;
        let (homes, records) = worked.map_err(|_| AppError::Interrupted)?;
        let suppliers: BTreeSet<(AgencyCode, FeedCode)> = household_suppliers(permitted, &came);
        let listable = |record: &&RunRecord| {
            suppliers.contains(&(record.agency.clone(), record.feed.clone()))
                && record.homes.iter().any(|home| is_listed(home.epoch, home.value, &homes))
        };
        let listable: Vec<&RunRecord> = records.iter().filter(listable).collect();
        let names = listable.iter().map(|record| pair_name(record));
        let open = self.open_records(view.generation, names).await?;
        let mut tokens: BTreeSet<ListedToken> = BTreeSet::new();
        let mut listed: Vec<RecordName> = Vec::new();
        for record in listable.into_iter().filter(|record| open.contains_key(&pair_name(record))) {
            listed.push(pair_name(record));
            for home in record.homes.iter().filter(|home| is_listed(home.epoch, home.value, &homes)) {
                let Some((token_type, token)) = &home.made else { continue };
                tokens.insert(ListedToken { token: *token, token_type: token_type.clone(), epoch: home.epoch });
            }
        }
        let tokens: Vec<ListedToken> = tokens.into_iter().collect();
        let plain: Vec<Token> = tokens.iter().map(|listed| listed.token).collect();
        let plain = serde_json::to_vec(&plain).map_err(|_| AppError::Internal("a list cannot be written"))?;
        let said = Said {
            sha256: Some(Digest::of(&plain)),
            counts: vec![("listed", tokens.len() as u64)],
            decisions: &permitted.decisions,
            ..Said::default()
        };
        let mut entry = self.run_step_entry(&acting, id, "list", said)?;
        entry.records = self.record_uses(&listed);
        let used_up = Said { refused: Some("ceiling"), decisions: &permitted.decisions, ..Said::default() };
        let over = self.run_step_entry(&acting, id, "list", used_up)?;
        let (key, most) = ceiling(permitted, &acting);

        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        if tx.decided_on(self.programme()).await? != Some((view.policy_revision, view.generation)) {
            return Ok(None);
        }
        let is_over = tx.charge(&key, 1).await? >= most;
        let written = if is_over { &over } else { &entry };
        if is_over {
            tx.refund(&key, 1).await?;
        } else {
            tx.put_run_page(id, part::LIST, 0, &self.seal_run_page(id, part::LIST, 0, &plain)).await?;
        }
        tx.add_events(&[written]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        let entry =
            RunDisclosure { disclosure: written.id, receipt: self.receipt(written.id, written.leaf_hash, written.at)? };
        if is_over {
            let RunDisclosure { disclosure, receipt } = entry;
            return Err(EnquiryError::CeilingReached { disclosure, receipt }.into());
        }
        Ok(Some(GivenList { entry, tokens }))
    }
}

/// The feeds whose household tokens the agency may have.
fn household_suppliers(permitted: &Permitted, came: &[SupplierFeed]) -> BTreeSet<(AgencyCode, FeedCode)> {
    let may = came.iter().filter(|feed| permitted.allows(feed, &Item::Household));
    may.map(|feed| (feed.supplier.clone(), feed.feed.clone())).collect()
}

fn is_listed(epoch: u32, value: crate::domain::token::Blinded, homes: &BTreeSet<HouseholdToken>) -> bool {
    homes.contains(&HouseholdToken { epoch, value })
}

pub(super) fn pair_name(record: &RunRecord) -> RecordName {
    RecordName { agency: record.agency.clone(), feed: record.feed.clone(), reference: record.reference.clone() }
}
