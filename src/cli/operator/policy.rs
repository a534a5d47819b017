//! `porth policy`.

use clap::Args;

use crate::cli::output::{Failure, Output};

/// Arguments of `porth policy`.
#[derive(Debug, Args)]
pub struct PolicyArgs {}

/// Runs `porth policy`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: PolicyArgs, output: &Output) -> Result<(), Failure> {
    let _ = (args, output);
    Err(Failure::failed("not built yet"))
}
