//! What the agreements come to, asked without a person: who may learn what, what two versions would change,
//! and how the questions of the last days would come out under another book.
//!
//! Only the last looks at the log, at the terms of past questions; that look is decided and logged.

use std::sync::Arc;

use super::caller::AgencyCaller;
use super::enquire::supplier_feed;
use super::error::AppError;
use super::gateway::Gateway;
use super::log_access::{Grounds, LogAccessError, Logged};
use super::policies::Policies;
use super::policy_replay::ReplayCounts;
use crate::domain::agreement::{Agreement, AgreementText};
use crate::domain::ids::AgreementRef;
use crate::domain::time::Timestamp;
use crate::policy::PolicyBook;
use crate::policy::book::BookError;
use crate::policy::decision::SupplierFeed;
use crate::policy::diff::{Change, Flip, effects, texts, with_text};
use crate::policy::matrix::{Cell, Gap, cells, gaps};

const DAY_SECONDS: i64 = 86_400;

/// Who may learn what now, and what the texts leave open.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Every cell of every clause.
    pub cells: Vec<Cell>,
    /// What they leave open.
    pub gaps: Vec<Gap>,
    /// When it was so.
    pub at: Timestamp,
}

/// What an agreement is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparedWith {
    /// Another version of it: each in the place of every version.
    Version(u32),
    /// The register as it stands: what would change if this version came into force.
    Register,
    /// The register as it stands: what would change if no version were in force.
    Without,
}

/// What would change.
#[derive(Debug, Clone, Default)]
pub struct Difference {
    /// What the texts say differently; nothing where one text alone is looked at.
    pub changes: Vec<Change>,
    /// Who would learn more or less, from which day on.
    pub effects: Vec<Flip>,
}

/// The two books that are compared, and the texts.
struct Sides {
    old: PolicyBook,
    new: PolicyBook,
    changes: Vec<Change>,
}

/// The books and feeds of one moment.
struct Moment {
    policies: Arc<Policies>,
    feeds: Vec<SupplierFeed>,
    now: Timestamp,
}

impl Gateway {
    /// Who may learn what, as of now and for the feeds that are visible now.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn agreement_matrix(&self) -> Result<Matrix, AppError> {
        let Moment { policies, feeds, now } = self.moment().await?;
        aside(move || {
            let book = policies.book();
            let cells = cells(book, &feeds, None, now);
            let gaps = gaps(book, &cells, now);
            Matrix { cells, gaps, at: now }
        })
        .await
    }

    /// What a version says and does differently. `None`: there is no such version.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn agreement_difference(
        &self,
        of: &AgreementRef,
        with: ComparedWith,
    ) -> Result<Option<Difference>, AppError> {
        let Moment { policies, feeds, now } = self.moment().await?;
        let Some(sides) = sides(policies.book(), of, with)? else { return Ok(None) };
        aside(move || {
            let effects = effects(&sides.old, &sides.new, &feeds, now);
            Some(Difference { effects, changes: sides.changes })
        })
        .await
    }

    /// How the questions that were logged in the last days would come out, in counts; with the entry of the look.
    /// `None`: there is no such version.
    ///
    /// # Errors
    ///
    /// [`LogAccessError`]; a refusal by agreement is in the log too.
    pub async fn agreement_what_if(
        &self,
        (caller, grounds): (&AgencyCaller, &Grounds),
        of: &AgreementRef,
        with: ComparedWith,
        days: u16,
    ) -> Result<Option<(ReplayCounts, Logged)>, LogAccessError> {
        let Moment { policies, now, .. } = self.moment().await?;
        let Some(Sides { old, new, .. }) = sides(policies.book(), of, with)? else { return Ok(None) };
        let since = now.plus_seconds(-DAY_SECONDS * i64::from(days));
        self.replay_policies_for(caller, grounds, (&old, &new), since).await.map(Some)
    }

    async fn moment(&self) -> Result<Moment, AppError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        let feeds = self.contributing_feeds(view.generation, &policies).await?;
        Ok(Moment { policies, feeds: feeds.iter().map(supplier_feed).collect(), now: view.now })
    }
}

/// Many decisions take a while: they are made where no request waits behind them.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AppError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| AppError::Internal("a comparison of agreements broke off"))
}

fn sides(book: &PolicyBook, of: &AgreementRef, with: ComparedWith) -> Result<Option<Sides>, AppError> {
    let unfit = |error: BookError| AppError::Policy(error.to_string());
    let text = |of: &AgreementRef| book.agreement(of).map(|agreement| Arc::clone(&agreement.text));
    let Some(new) = text(of) else { return Ok(None) };
    let standing = || book.with_agreements(book.agreements().cloned().collect());
    let in_force = |text: Arc<AgreementText>| with_text(book, text);
    let sides = match with {
        ComparedWith::Version(version) => {
            let Some(old) = text(&AgreementRef { id: of.id.clone(), version }) else { return Ok(None) };
            let changes = texts(&old, &new);
            Sides { old: in_force(old).map_err(unfit)?, new: in_force(new).map_err(unfit)?, changes }
        }
        ComparedWith::Register => {
            Sides { old: standing().map_err(unfit)?, new: in_force(new).map_err(unfit)?, changes: Vec::new() }
        }
        ComparedWith::Without => {
            let others = book.agreements().filter(|other| other.text.reference().id != of.id).cloned();
            let without = book.with_agreements(others.collect::<Vec<Agreement>>());
            Sides { old: standing().map_err(unfit)?, new: without.map_err(unfit)?, changes: Vec::new() }
        }
    };
    Ok(Some(sides))
}
