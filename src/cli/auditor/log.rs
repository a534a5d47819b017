//! `porth log`.

use clap::Args;

use crate::cli::output::{Failure, Output};

/// Arguments of `porth log`.
#[derive(Debug, Args)]
pub struct LogArgs {}

/// Runs `porth log`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: LogArgs, output: &Output) -> Result<(), Failure> {
    let _ = (args, output);
    Err(Failure::failed("not built yet"))
}
