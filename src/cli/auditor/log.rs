//! `porth log`: the disclosure log as an auditor holds it.

mod erase;
mod export;
mod find;
mod index;
mod judge;
pub(in crate::cli) mod trust;
mod verify;

use clap::{Args, Subcommand};

use crate::cli::output::{Failure, Output};

/// Arguments of `porth log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the log into a folder that verifies without us
    Export(export::ExportArgs),
    /// Find entries by agency, area, power, purpose, rule, time, outcome or type; the gateway logs the search
    Find(Box<find::FindArgs>),
    /// Read one entry in words, or make its decision again; the gateway logs the look
    Explain(find::ExplainArgs),
    /// Check the index by which entries are found, or make it again from them
    Index(index::IndexArgs),
    /// Check an export, offline: no configuration, no database
    Verify(verify::VerifyArgs),
    /// Destroy what opens entries, so that they no longer speak of anybody; freezes are kept to
    Erase(erase::EraseArgs),
    /// Judge an answer again, by the evidence and the programme file of its day
    JudgeAgain(judge::JudgeArgs),
    /// Print what auditors have to trust: the log's name and public keys
    Trust(trust::TrustArgs),
}

/// Runs `porth log`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 4 when a verification found faults.
pub fn run(args: LogArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Export(args) => export::run(&args, *output),
        Command::Find(args) => find::find(&args, *output),
        Command::Explain(args) => find::explain(&args, *output),
        Command::Index(args) => index::run(&args, *output),
        Command::Verify(args) => verify::run(&args, *output),
        Command::Erase(args) => erase::run(&args, *output),
        Command::JudgeAgain(args) => judge::run(&args, *output),
        Command::Trust(args) => trust::run(&args, *output),
    }
}
