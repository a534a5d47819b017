//! Disclosures are reviewed for their legal basis, by officers who neither asked nor approved.
//!
//! | file | what |
//! |---|---|
//! | [`officers`] | who may review, and whether this officer may review this disclosure |
//! | [`draw`] | a sample is drawn, and drawn again |
//! | [`always`] | what is always reviewed joins the sample by itself |
//! | [`steps`] | a disclosure is read, judged, judged again by a second officer, and dealt with |
//! | [`replies`] | an agency reads the findings about its own disclosures, and replies |
//! | this file | what they share, and the figures of a plan |

pub mod always;
pub mod draw;
pub mod officers;
pub mod replies;
pub mod steps;

use super::error::AppError;
use super::gateway::Gateway;
use super::log_access::LogAccessError;
use crate::domain::ids::EventId;
use crate::domain::review::figures::{Figures, Sampled, figures};
use crate::domain::review::finding::Unfit;
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::tlog::entry::EntryFacts;

/// Days since 1970 of a moment, UTC.
pub(in crate::app) fn day_of(at: Timestamp) -> i64 {
    at.as_seconds().div_euclid(86_400)
}

/// Why something about a review is not done.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// No such disclosure is in a sample, no such plan was drawn.
    #[error("no sample has that disclosure, or no such plan was drawn")]
    Unknown,
    /// The account is not a registered officer's.
    #[error("the account is not one of a registered reviewing officer")]
    NotOfficer,
    /// Nobody registers themselves.
    #[error("an officer is registered by somebody else")]
    OwnRegistration,
    /// The officer asked for the disclosure, or it cannot be told that somebody else of the same agency did.
    #[error("the officer made this disclosure happen, or cannot be told from whoever did")]
    Requester,
    /// The officer signed or approved an agreement that the disclosure went under.
    #[error("the officer signed or approved an agreement that the disclosure went under")]
    Approver,
    /// The second person is the first one.
    #[error("this has to be another person than the one who decided before")]
    SamePerson,
    /// Somebody else has the review.
    #[error("another officer has this review")]
    NotYours,
    /// The officer has not read the disclosure for this review.
    #[error("read the disclosure first: a review rests on the reviewer's own look at it")]
    NotLooked,
    /// The review is not where this step begins, or somebody else was first.
    #[error("the review is not where this step begins")]
    WrongState,
    /// The parts of a decision do not fit one another.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The agreement to suspend is none that the disclosure went under.
    #[error("the disclosure did not go under the agreement that is to be suspended")]
    Agreement,
    /// The day is past.
    #[error("the day by which it is to be done is past")]
    Day,
    /// Nothing, or more than one sample holds, can be drawn.
    #[error("there is nothing to draw from, or the sample would be larger than {most}")]
    Size {
        /// The most of one sample.
        most: usize,
    },
    /// The agency said this already.
    #[error("the agency has replied so to this finding already")]
    Replied,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The look at the disclosure was refused.
    #[error(transparent)]
    Look(#[from] LogAccessError),
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for ReviewError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// A plan with its figures.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanFigures {
    /// How it was drawn.
    pub strategy: String,
    /// Stratum, population, sample.
    pub strata: Vec<(String, u64, u64)>,
    /// What was found.
    pub figures: Figures,
}

impl Gateway {
    /// Population, coverage and error rate of a plan, as the reviews stand.
    ///
    /// # Errors
    ///
    /// [`ReviewError::Unknown`] when no such plan was drawn.
    pub async fn review_figures(&self, plan: EventId) -> Result<PlanFigures, ReviewError> {
        let stored = self.store().review_plan(plan).await?.ok_or(ReviewError::Unknown)?;
        let strategy = stored.strategy.parse().map_err(|_| StoreError::Corrupt("a review strategy"))?;
        let strata: Vec<(String, u64, u64)> =
            serde_json::from_str(&stored.strata).map_err(|_| StoreError::Corrupt("strata of a review"))?;
        let sample = self.store().review_sample(plan).await?;
        let sampled: Vec<Sampled<'_>> = sample
            .iter()
            .map(|one| {
                Ok(Sampled {
                    stratum: &one.stratum,
                    state: one.state.parse().map_err(|_| StoreError::Corrupt("a review's state"))?,
                    finding: one
                        .finding
                        .as_deref()
                        .map(str::parse)
                        .transpose()
                        .map_err(|_| StoreError::Corrupt("a finding"))?,
                })
            })
            .collect::<Result<_, StoreError>>()?;
        let sizes: Vec<(&str, u64)> = strata.iter().map(|(stratum, size, _)| (stratum.as_str(), *size)).collect();
        Ok(PlanFigures { strategy: stored.strategy, figures: figures(strategy, &sizes, &sampled), strata })
    }

    /// What reviews need to know of an entry.
    pub(in crate::app) async fn facts_of(&self, entry: EventId) -> Result<EntryFacts, ReviewError> {
        let body = self.store().event_body(entry).await?.ok_or(ReviewError::Unknown)?;
        Ok(EntryFacts::of(&body).map_err(|_| StoreError::Corrupt("a log entry"))?)
    }
}
