//! Commands of the operator.
//!
//! Each one that changes the database goes through the same journeys as the running gateway, so that
//! every change has its log entry; where this process may sequence the log, it does so before it ends.

pub mod agency;
pub mod backup;
pub mod doctor;
pub mod keys;
pub mod migrate;
pub mod policy;
pub mod restore;
pub mod retention;
pub mod sequence;
pub mod serve;
pub mod suspend;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::held_checkpoint::HeldError;
use crate::cli::output::Failure;
use crate::config::{Config, ConfigError};
use crate::runtime::{self, StartError};
use crate::store::StoreError;

/// Which configuration.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The gateway's configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl ConfigFile {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`Failure`] with exit code 78, saying what is wrong and where.
    pub fn read(&self) -> Result<Config, Failure> {
        Config::read(&self.config).map_err(config_failure)
    }
}

/// Opens the gateway without listening, does some work with it, gives the new entries their places in
/// the log where this process holds the checkpoint key, and closes it.
pub(in crate::cli) async fn with_gateway<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Gateway) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let prepared = runtime::prepare(config).await.map_err(start_failure)?;
    let result = work(&prepared.gateway).await;
    if let (Ok(_), Some(sequencer)) = (&result, &prepared.sequencer) {
        sequencer.drain().await.map_err(app_failure)?;
    }
    let store = prepared.gateway.store().clone();
    drop(prepared);
    store.close().await;
    result
}

/// How a gateway that does not start ends the command.
pub(in crate::cli) fn start_failure(error: StartError) -> Failure {
    match error {
        StartError::App(error) => app_failure(error),
        StartError::Held(error) => held_failure(error),
        StartError::Listen { .. } => {
            Failure::failed(error).next("stop the program that listens there, or change the address in [listen]")
        }
        StartError::Config(error) => config_failure(error),
        StartError::Keyring(_) | StartError::Kek(_) => {
            Failure::unusable(error).next("`porth keys init` makes keys; `porth keys check` lists what is wrong")
        }
        other => Failure::unusable(other),
    }
}

/// How a log that is not the remembered one ends the command.
pub(in crate::cli) fn held_failure(error: HeldError) -> Failure {
    match error {
        HeldError::Store(error) => store_failure(error),
        error @ (HeldError::Behind { .. } | HeldError::Fork { .. }) => Failure::faulty(error).next(
            "the database was taken back: restore a newer backup; if the loss was accepted with `porth restore \
             --accept-loss`, remove that file on every machine",
        ),
        error => Failure::unusable(error).next("check `state_file` in the configuration, and who may write it"),
    }
}

pub(in crate::cli) fn config_failure(error: ConfigError) -> Failure {
    Failure::unusable(error).next("every key is described in docs/configuration.md")
}

pub(in crate::cli) fn app_failure(error: AppError) -> Failure {
    match error {
        AppError::Store(error) => store_failure(error),
        AppError::Policy(reason) => Failure::failed(reason),
        other => Failure::failed(other),
    }
}

pub(in crate::cli) fn store_failure(error: StoreError) -> Failure {
    let next = match &error {
        StoreError::Unavailable(_) => "check that the database runs and that [database] names it",
        StoreError::Conflict(_) => "it is registered already; what is there was not changed",
        StoreError::Full(_) => "free some space, then run this again",
        StoreError::Busy(_) => "run this again",
        _ => return Failure::failed(error),
    };
    Failure::failed(error).next(next)
}

/// A file as text, or a failure that names it.
pub(in crate::cli) fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

/// A file's bytes, or a failure that names it.
pub(in crate::cli) fn read_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot read {}: {}", path.display(), error.kind()))
        .next("check the path and its permissions")
}
