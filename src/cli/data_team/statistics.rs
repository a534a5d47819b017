//! `porth statistics`: tables of counts, from the gateway or from a file of published figures.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::agency::connection::{Connection, failure};
use crate::cli::output::{Failure, Output};
use crate::domain::ids::{AgreementRef, PurposeCode, RoleCode};
use crate::domain::statistics::catalogue::TABLES;
use crate::domain::statistics::figures::PublishedFigures;
use crate::domain::statistics::numbered::NUMBERED_TABLES;
use crate::domain::statistics::percent::Halves;
use crate::domain::statistics::profile::{Profile, ProfileName};
use crate::domain::statistics::table::Table;

/// Arguments of `porth statistics`.
#[derive(Debug, Args)]
pub struct StatisticsArgs {
    #[command(subcommand)]
    command: StatisticsCommand,
}

#[derive(Debug, Subcommand)]
enum StatisticsCommand {
    /// Fetch a table of the programme; the gateway logs that it was given
    Table(TableArgs),
    /// Show a table of published figures as it may be printed; nothing leaves this machine
    Figures(FiguresArgs),
}

#[derive(Debug, Args)]
struct TableArgs {
    /// areas, combinations, number-of-areas, localities, areas-by-locality, composition; of families with a number: routes,
    /// validation-rounds or engagement
    #[arg(value_parser = parse_table)]
    table: String,
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The agreement that allows it, such as programme-delivery/v1
    #[arg(long)]
    agreement: AgreementRef,
    /// The role in which the asking person acts
    #[arg(long)]
    role: RoleCode,
    /// What the table is for
    #[arg(long, default_value = "statistics")]
    purpose: PurposeCode,
    /// public (rounded) or internal (exact)
    #[arg(long, default_value = "public", value_parser = parse_profile)]
    profile: ProfileName,
    /// Print CSV
    #[arg(long)]
    csv: bool,
}

#[derive(Debug, Args)]
struct FiguresArgs {
    /// A file of figures, such as those in policies/reference
    file: PathBuf,
    /// public (rounded) or internal (exact)
    #[arg(long, default_value = "public", value_parser = parse_profile)]
    profile: ProfileName,
    /// The smallest count that is shown, if not the profile's usual one
    #[arg(long)]
    threshold: Option<u64>,
    /// What becomes of percentages that end on a half: half-up or half-even
    #[arg(long, default_value = "half-up", value_parser = parse_halves)]
    halves: Halves,
    /// Print CSV
    #[arg(long)]
    csv: bool,
}

/// Runs `porth statistics`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 3 if the gateway refused.
pub fn run(args: StatisticsArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        StatisticsCommand::Table(args) => table(&args, output),
        StatisticsCommand::Figures(args) => figures(&args, output),
    }
}

fn table(args: &TableArgs, output: &Output) -> Result<(), Failure> {
    let mut session = Connection::read(&args.connection)?.open()?;
    // Codes are letters, digits and a few marks: nothing in them needs escaping in a query.
    let path = format!(
        "/v1/statistics/{}?agreement={}&role={}&purpose={}&profile={}",
        args.table,
        args.agreement,
        args.role,
        args.purpose,
        args.profile.as_str()
    );
    let answer: Value = crate::cli::block_on(async move {
        let headers = session.headers(None).await?;
        let answer = session.client().get(&path, &headers).await;
        answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
    })?;
    let given: Table = serde_json::from_value(answer["table"].clone())
        .map_err(|_| Failure::failed("the gateway's table cannot be read: check that both are of one version"))?;
    if let Some(disclosure) = answer["disclosure"].as_str() {
        output.note(format_args!("log entry {disclosure}"));
    }
    show(&given, args.csv, &answer, output);
    Ok(())
}

fn figures(args: &FiguresArgs, output: &Output) -> Result<(), Failure> {
    let profile = match args.threshold {
        None => Profile::usual(args.profile),
        Some(threshold) => Profile::with_threshold(args.profile, threshold).map_err(Failure::unusable)?,
    };
    let given = read(&args.file)?.table(&profile.with_halves(args.halves));
    show(&given, args.csv, &given, output);
    Ok(())
}

fn read(path: &Path) -> Result<PublishedFigures, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::failed(error).about(path.display()))?;
    PublishedFigures::parse(&bytes).map_err(|faults| Failure::unusable(faults).about(path.display()))
}

fn show(table: &Table, as_csv: bool, value: &impl serde::Serialize, output: &Output) {
    if as_csv {
        output.line(table.csv().trim_end());
    } else {
        output.result(table.text(), value);
    }
}

fn parse_table(text: &str) -> Result<String, String> {
    let known = || TABLES.into_iter().chain(NUMBERED_TABLES);
    let is_known = known().any(|table| table == text);
    if is_known { Ok(text.to_owned()) } else { Err(format!("use {}", known().collect::<Vec<_>>().join(", "))) }
}

fn parse_profile(text: &str) -> Result<ProfileName, String> {
    ProfileName::parse(text).ok_or_else(|| "use public or internal".to_owned())
}

fn parse_halves(text: &str) -> Result<Halves, String> {
    let found = [Halves::Up, Halves::ToEven].into_iter().find(|halves| halves.as_str() == text);
    found.ok_or_else(|| "use half-up or half-even".to_owned())
}
