//! What the agreements would allow, asked without a person. Nothing is disclosed, so nothing is logged.

use std::collections::BTreeSet;

use super::enquire::supplier_feed;
use super::error::AppError;
use super::gateway::Gateway;
use crate::domain::ids::AreaCode;
use crate::policy::decision::{SupplierFeed, Terms};
use crate::policy::explain;
use crate::policy::rules::RuleHit;

/// A decision in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Whether an enquiry on these terms would be answered.
    pub is_permitted: bool,
    /// The areas that an answer would cover.
    pub covered: BTreeSet<AreaCode>,
    /// The areas that the agreements withhold.
    pub withheld: BTreeSet<AreaCode>,
    /// The areas without a criterion in the version used.
    pub not_covered: BTreeSet<AreaCode>,
    /// The rules in the way of the whole enquiry.
    pub hits: Vec<RuleHit>,
    /// Everything that was decided, in plain words.
    pub sentences: Vec<String>,
}

impl Gateway {
    /// Decides as an enquiry on these terms would be decided now, with the feeds that are there now.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn explain(&self, terms: &Terms) -> Result<Explained, AppError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        let feeds: Vec<SupplierFeed> =
            self.contributing_feeds(view.generation, &policies).await?.iter().map(supplier_feed).collect();
        let book = policies.book();
        let decision = self.decisions().contributors(book, terms, &feeds, view.now);
        Ok(match decision {
            Ok(permitted) => Explained {
                is_permitted: true,
                covered: permitted.covered.clone(),
                withheld: permitted.withheld.clone(),
                not_covered: permitted.without_criteria.clone(),
                hits: Vec::new(),
                sentences: explain::permitted(book, &permitted),
            },
            Err(refusal) => Explained {
                is_permitted: false,
                covered: BTreeSet::new(),
                withheld: BTreeSet::new(),
                not_covered: BTreeSet::new(),
                hits: refusal.hits.clone(),
                sentences: explain::refusal(book, &refusal),
            },
        })
    }
}
