//! `porth migrate`.

use clap::Args;

use crate::cli::output::{Failure, Output};

/// Arguments of `porth migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {}

/// Runs `porth migrate`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: MigrateArgs, output: &Output) -> Result<(), Failure> {
    let _ = (args, output);
    Err(Failure::failed("not built yet"))
}
