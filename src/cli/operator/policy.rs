//! `porth policy`: from the files under `policies/` to agreements in force, and why.

mod activate;
mod bind;
mod check;
mod design;
mod diff;
mod dpia;
mod explain;
mod files;
mod matrix;
mod sign;
mod source;
mod status;
mod what_if;

use clap::{Args, Subcommand};

use crate::cli::output::{Failure, Output};

/// Arguments of `porth policy`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read every policy file strictly and run the cases beside the agreements
    Check(check::CheckArgs),
    /// Choose match keys by entropy for files of invented people or of a public test set
    DesignKeys(design::DesignArgs),
    /// Find the threshold of an encoding profile from files in which nobody is twice, without the truth
    BindThreshold(bind::BindArgs),
    /// Take the policy files into use; new agreements begin as drafts
    Load(status::LoadArgs),
    /// Sign an agreement's text, on the signatory's own machine
    Sign(sign::SignArgs),
    /// Keep a party's signature, once it verifies
    AddSignature(status::AddSignatureArgs),
    /// Ask that an agreement be put in force, or take that back
    Request(activate::RequestArgs),
    /// Approve it, as one of two officers who did not ask for it
    Approve(activate::ApproveArgs),
    /// List what waits for approval
    Requests(activate::RequestsArgs),
    /// Change an agreement's status; `request` and `approve` put it in force
    Status(status::StatusArgs),
    /// Say in sentences who could contribute what to an answer, and why not
    Explain(explain::ExplainArgs),
    /// List what every receive clause may learn, and the rules that stand in the way
    Matrix(matrix::MatrixArgs),
    /// Say in plain words what two versions of an agreement would change, and for whom
    Diff(diff::DiffArgs),
    /// Write the pack that supports a data protection impact assessment
    Dpia(dpia::DpiaArgs),
    /// Count what another programme file would change for the present families
    WhatIf(what_if::WhatIfArgs),
}

/// Runs `porth policy`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: PolicyArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Check(args) => check::run(&args, *output),
        Command::DesignKeys(args) => design::run(&args, *output),
        Command::BindThreshold(args) => bind::run(&args, *output),
        Command::Load(args) => status::load(&args, *output),
        Command::Sign(args) => sign::run(&args, *output),
        Command::AddSignature(args) => status::add_signature(&args, *output),
        Command::Request(args) => activate::request(&args, *output),
        Command::Approve(args) => activate::approve(&args, *output),
        Command::Requests(args) => activate::requests(&args, *output),
        Command::Status(args) => status::set(&args, *output),
        Command::Explain(args) => explain::run(&args, *output),
        Command::Matrix(args) => matrix::run(&args, *output),
        Command::Diff(args) => diff::run(&args, *output),
        Command::Dpia(args) => dpia::run(&args, *output),
        Command::WhatIf(args) => what_if::run(&args, *output),
    }
}
