//! Where explanations come from: the files as if all were signed and in force, or the database as it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::civil::Date;

use super::files::PolicyFolder;
use crate::app::error::AppError;
use crate::app::policies::Policies;
use crate::cli::operator::{app_failure, config_failure, store_failure};
use crate::cli::output::{Failure, Output};
use crate::config::Config;
use crate::domain::agency::Agency;
use crate::domain::agreement::{Agreement, AgreementText};
use crate::domain::ids::{AgencyCode, AgreementRef};
use crate::domain::programme::Programme;
use crate::domain::time::Timestamp;
use crate::policy::book::PolicyBook;
use crate::policy::decision::SupplierFeed;
use crate::policy::matrix::likely_feeds;
use crate::policy::rules::RuleBook;
use crate::runtime::machine_time;
use crate::store::Store;

/// Where to look.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// Explain what the gateway's database holds now, with this configuration
    #[arg(long, value_name = "FILE", conflicts_with = "folder")]
    config: Option<PathBuf>,
    /// Explain these files, every agreement taken as signed and in force
    #[arg(long, value_name = "DIR", default_value = "policies")]
    folder: PathBuf,
    /// On which day; today unless given
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
}

/// A book to decide by, and what is known of the feeds.
pub(super) struct Sourced {
    held: Held,
    delivered: Vec<SupplierFeed>,
    /// The moment to decide at.
    pub(super) now: Timestamp,
}

enum Held {
    Files(Box<PolicyBook>),
    Database(Box<Policies>),
}

impl Source {
    /// The configuration, where the database is explained.
    pub(super) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Reads it.
    pub(super) fn read(&self, output: Output) -> Result<Sourced, Failure> {
        let at = self.on.map(|day| Timestamp::start_of(day).plus_seconds(12 * 3600));
        if let Some(path) = &self.config {
            return from_database(&Config::read(path).map_err(config_failure)?, at);
        }
        output.note("Every agreement is taken as signed by all parties and in force.");
        let book = from_folder(&PolicyFolder::read(&self.folder)?)?;
        let now = at.unwrap_or_else(machine_time);
        Ok(Sourced { held: Held::Files(Box::new(book)), delivered: Vec::new(), now })
    }
}

impl Sourced {
    /// A book of files, with nothing delivered.
    pub(super) fn of_files(book: PolicyBook, at: Option<Timestamp>) -> Self {
        Self { held: Held::Files(Box::new(book)), delivered: Vec::new(), now: at.unwrap_or_else(machine_time) }
    }

    /// The book.
    pub(super) fn book(&self) -> &PolicyBook {
        match &self.held {
            Held::Files(book) => book,
            Held::Database(policies) => policies.book(),
        }
    }

    /// The feeds as delivered, and where one was not, as it is likely to be.
    pub(super) fn feeds(&self, recipient: &AgencyCode, asked: &AgreementRef) -> Vec<SupplierFeed> {
        likely_feeds(self.book(), &self.delivered, recipient, asked)
    }

    /// The feeds that were delivered; none where files are explained.
    pub(super) fn delivered(&self) -> &[SupplierFeed] {
        &self.delivered
    }
}

pub(super) fn from_folder(folder: &PolicyFolder) -> Result<PolicyBook, Failure> {
    let refused = |error: &dyn std::fmt::Display| {
        Failure::failed(error).next("`porth policy check` lists everything that is wrong, file by file")
    };
    let programme = Programme::parse(folder.programme()).map_err(|faults| refused(&faults))?;
    let agencies: Vec<Agency> =
        folder.agencies().map(Agency::parse).collect::<Result<_, _>>().map_err(|faults| refused(&faults))?;
    let agreements: Vec<Agreement> = folder
        .agreements()
        .map(|bytes| AgreementText::parse(bytes).map(|text| Agreement::in_force(Arc::new(text))))
        .collect::<Result<_, _>>()
        .map_err(|faults| refused(&faults))?;
    let rules = RuleBook::load(folder.rules().iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))
        .map_err(|error| refused(&error))?;
    PolicyBook::new(Arc::new(programme), agencies, agreements, Arc::new(rules), 0).map_err(|error| refused(&error))
}

pub(super) fn from_database(config: &Config, at: Option<Timestamp>) -> Result<Sourced, Failure> {
    let location = config.database.location().map_err(config_failure)?;
    crate::cli::block_on(async {
        let store = Store::connect(&location, config.database.connections).await.map_err(store_failure)?;
        store.check_schema().await.map_err(store_failure)?;
        let view = store.view(&config.programme).await.map_err(store_failure)?.ok_or_else(|| {
            app_failure(AppError::Policy("no programme is loaded: run `porth policy load`".to_owned()))
        })?;
        let policies = Policies::load(&store, view.policy_revision).await.map_err(app_failure)?;
        let delivered = store.feeds(&config.programme, view.generation).await.map_err(store_failure)?;
        let delivered = delivered
            .into_iter()
            .map(|state| SupplierFeed { supplier: state.agency, feed: state.feed, agreement: state.agreement })
            .collect();
        let now = match at {
            Some(at) => at,
            None => store.now().await.map_err(store_failure)?,
        };
        store.close().await;
        Ok(Sourced { held: Held::Database(Box::new(policies)), delivered, now })
    })
}
