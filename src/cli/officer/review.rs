//! `porth review`: disclosures are drawn, read, judged, and judged again; an agency reads what was found.

mod agency;
mod decide;
mod draw;
mod show;

use clap::{Args, Subcommand};

use crate::app::review::ReviewError;
use crate::app::review::officers::NewOfficer;
use crate::cli::operator::{ConfigFile, app_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::domain::ids::{AgencyCode, OpaqueRef};

/// Arguments of `porth review`.
#[derive(Debug, Args)]
pub struct ReviewArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Register, list and end reviewing officers
    #[command(subcommand)]
    Officer(OfficerCommand),
    /// Draw a sample of disclosures, or draw one again to compare
    Draw(Box<draw::DrawArgs>),
    /// Population, coverage and error rate of a plan
    Figures(show::FiguresArgs),
    /// List what is under review
    List(show::ListArgs),
    /// Read a sampled disclosure in words; the look is logged, and the first officer to look has the review
    Show(show::ShowArgs),
    /// Decide about a disclosure
    Decide(Box<decide::DecideArgs>),
    /// Confirm or return another officer's adverse finding
    Second(decide::SecondArgs),
    /// Say that what a finding asked for is done
    Done(decide::StepArgs),
    /// Give a review back, undecided
    Release(decide::StepArgs),
    /// As an agency: read the findings about the agency's own disclosures
    Findings(agency::FindingsArgs),
    /// As an agency: reply to a finding
    Reply(agency::ReplyArgs),
}

#[derive(Debug, Subcommand)]
enum OfficerCommand {
    /// Register an officer, or change what is registered
    Add(AddArgs),
    /// List officers
    List(ListArgs),
    /// End a registration
    End(EndArgs),
}

#[derive(Debug, Args)]
struct AddArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The officer's account; never a person's name
    #[arg(long)]
    account: String,
    /// The officer's agency
    #[arg(long)]
    agency: AgencyCode,
    /// A signatory key that is the officer's own; may be given several times
    #[arg(long = "key")]
    keys: Vec<String>,
    /// A client that the officer asks through; may be given several times
    #[arg(long = "client")]
    clients: Vec<String>,
    /// The officer's own reference as a user; may be given several times. Without one, disclosures to the
    /// officer's own agency are reviewed by others
    #[arg(long = "user", value_parser = OpaqueRef::parse)]
    users: Vec<OpaqueRef>,
    /// Your account, for the log; not the officer's
    #[arg(long)]
    by: String,
    /// Why, as a code for the log
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, Args)]
struct EndArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The officer's account
    #[arg(long)]
    account: String,
    /// Your account, for the log
    #[arg(long)]
    by: String,
    /// Why, as a code for the log
    #[arg(long)]
    reason: String,
}

/// Runs `porth review`.
///
/// # Errors
///
/// [`Failure`]: exit code 3 where the rules of reviewing stand against it, 4 where a draw comes out another.
pub fn run(args: ReviewArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Officer(OfficerCommand::Add(args)) => add(&args, *output),
        Command::Officer(OfficerCommand::List(args)) => list(&args, *output),
        Command::Officer(OfficerCommand::End(args)) => end(&args, *output),
        Command::Draw(args) => draw::run(&args, *output),
        Command::Figures(args) => show::figures(&args, *output),
        Command::List(args) => show::list(&args, *output),
        Command::Show(args) => show::show(&args, *output),
        Command::Decide(args) => decide::decide(&args, *output),
        Command::Second(args) => decide::second(&args, *output),
        Command::Done(args) => decide::done(&args, *output),
        Command::Release(args) => decide::release(&args, *output),
        Command::Findings(args) => agency::findings(&args, *output),
        Command::Reply(args) => agency::reply(&args, *output),
    }
}

fn add(args: &AddArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let new = NewOfficer {
        account: args.account.clone(),
        agency: args.agency.clone(),
        keys: args.keys.clone(),
        clients: args.clients.clone(),
        users: args.users.clone(),
    };
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.register_officer(&new, &args.by, &args.reason).await.map_err(review_failure)
    }))?;
    output.result(
        format_args!("{} is a reviewing officer of {}.", args.account, args.agency),
        &serde_json::json!({ "account": args.account, "agency": args.agency, "is_registered": true }),
    );
    Ok(())
}

fn end(args: &EndArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.end_officer(&args.account, &args.by, &args.reason).await.map_err(review_failure)
    }))?;
    output.result(
        format_args!("{} reviews nothing from now on.", args.account),
        &serde_json::json!({ "account": args.account, "is_registered": false }),
    );
    Ok(())
}

fn list(args: &ListArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let officers =
        crate::cli::block_on(with_gateway(&config, async |gateway| gateway.officers().await.map_err(review_failure)))?;
    let line = |officer: &crate::app::review::officers::Officer| {
        let standing = if officer.is_registered { "registered" } else { "ended" };
        format!("{} {} {standing}", officer.account, officer.agency)
    };
    let value = |officer: &crate::app::review::officers::Officer| {
        serde_json::json!({
            "account": officer.account, "agency": officer.agency, "is_registered": officer.is_registered,
            "keys": officer.keys, "clients": officer.clients,
        })
    };
    let text = if officers.is_empty() {
        "No officer is registered.".to_owned()
    } else {
        officers.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    output.result(text, &officers.iter().map(value).collect::<Vec<_>>());
    Ok(())
}

/// What stands against something, as a failure of the command.
pub(in crate::cli) fn review_failure(error: ReviewError) -> Failure {
    let next = match &error {
        ReviewError::App(_) => None,
        ReviewError::NotOfficer => Some("register the officer first: `porth review officer add`"),
        ReviewError::Requester | ReviewError::Approver => Some("another officer has to review this disclosure"),
        ReviewError::SamePerson => Some("another registered officer has to do this"),
        ReviewError::NotLooked => Some("read it with `porth review show`"),
        ReviewError::NotYours | ReviewError::WrongState => {
            Some("`porth review list` shows where it is, and who has it")
        }
        ReviewError::Unknown => Some("`porth review list` shows what was drawn"),
        _ => Some("nothing was changed"),
    };
    match (error, next) {
        (ReviewError::App(error), _) => app_failure(error),
        (error, next) => {
            let failure = Failure::refused(error);
            match next {
                Some(next) => failure.next(next),
                None => failure,
            }
        }
    }
}
