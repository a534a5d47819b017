//! `porth doctor`: what works and what does not, told apart, with what to do next.

use clap::{Args, Subcommand};

use super::agency;
use super::output::{Failure, Output};

/// Arguments of `porth doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at an agency's machine: keys, certificate, clock, and the way to the gateway
    Agency(agency::doctor::AgencyDoctorArgs),
}

/// Runs `porth doctor`.
///
/// # Errors
///
/// [`Failure`] with exit code 4 if a check failed.
pub fn run(args: DoctorArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Agency(args) => agency::doctor::run(&args, *output),
    }
}
