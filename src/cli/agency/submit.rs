//! `porth submit`.

use clap::Args;

use crate::cli::output::{Failure, Output};

/// Arguments of `porth submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {}

/// Runs `porth submit`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: SubmitArgs, output: &Output) -> Result<(), Failure> {
    let _ = (args, output);
    Err(Failure::failed("not built yet"))
}
