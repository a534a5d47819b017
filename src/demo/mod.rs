//! `porth demo`.

pub mod population;

use clap::Args;

use crate::cli::output::{Failure, Output};

/// Arguments of `porth demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {}

/// Runs `porth demo`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: DemoArgs, output: &Output) -> Result<(), Failure> {
    let _ = (args, output);
    Err(Failure::failed("not built yet"))
}
