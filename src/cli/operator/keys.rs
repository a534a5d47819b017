//! `porth keys`.

use clap::Args;

use crate::cli::output::{Failure, Output};

/// Arguments of `porth keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {}

/// Runs `porth keys`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: KeysArgs, output: &Output) -> Result<(), Failure> {
    let _ = (args, output);
    Err(Failure::failed("not built yet"))
}
