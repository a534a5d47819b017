//! `porth tokenise`.

use clap::Args;

use crate::cli::output::{Failure, Output};

/// Arguments of `porth tokenise`.
#[derive(Debug, Args)]
pub struct TokeniseArgs {}

/// Runs `porth tokenise`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: TokeniseArgs, output: &Output) -> Result<(), Failure> {
    let _ = (args, output);
    Err(Failure::failed("not built yet"))
}
