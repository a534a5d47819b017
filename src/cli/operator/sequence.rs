//! `porth sequence`.

use clap::Args;

use crate::cli::output::{Failure, Output};

/// Arguments of `porth sequence`.
#[derive(Debug, Args)]
pub struct SequenceArgs {}

/// Runs `porth sequence`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: SequenceArgs, output: &Output) -> Result<(), Failure> {
    let _ = (args, output);
    Err(Failure::failed("not built yet"))
}
