//! `porth enquire`.

use clap::Args;

use crate::cli::output::{Failure, Output};

/// Arguments of `porth enquire`.
#[derive(Debug, Args)]
pub struct EnquireArgs {}

/// Runs `porth enquire`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: EnquireArgs, output: &Output) -> Result<(), Failure> {
    let _ = (args, output);
    Err(Failure::failed("not built yet"))
}
