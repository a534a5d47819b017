//! `porth doctor`: what works and what does not, told apart, with what to do next.

use clap::{Args, Subcommand};

use super::output::{Failure, Output};
use super::{agency, operator};

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
    /// Look at a gateway, as the user who runs it: keys, certificates, database, log and disc
    Gateway(operator::doctor::DoctorArgs),
}

/// Runs `porth doctor`.
///
/// # Errors
///
/// [`Failure`] with exit code 4 if a check of an agency's failed, 1 if one of a gateway's did.
pub fn run(args: DoctorArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Agency(args) => agency::doctor::run(&args, *output),
        Command::Gateway(args) => operator::doctor::run(args, output),
    }
}
