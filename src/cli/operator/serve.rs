//! `porth serve`.

use clap::Args;

use crate::cli::output::{Failure, Output};

/// Arguments of `porth serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {}

/// Runs `porth serve`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: ServeArgs, output: &Output) -> Result<(), Failure> {
    let _ = (args, output);
    Err(Failure::failed("not built yet"))
}
