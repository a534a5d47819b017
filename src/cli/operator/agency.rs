//! `porth agency`.

use clap::Args;

use crate::cli::output::{Failure, Output};

/// Arguments of `porth agency`.
#[derive(Debug, Args)]
pub struct AgencyArgs {}

/// Runs `porth agency`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: AgencyArgs, output: &Output) -> Result<(), Failure> {
    let _ = (args, output);
    Err(Failure::failed("not built yet"))
}
