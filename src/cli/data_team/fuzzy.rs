//! `porth fuzzy`: letting fuzzy encodings take effect (privacy profile C), and taking that back.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::block_on;
use crate::cli::operator::keys::read_match_run_pair;
use crate::cli::operator::{ConfigFile, app_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::domain::clk::EncodingProfile;
use crate::identity::UK_CLK_PROFILE;
use crate::tlog::digest::Digest;

/// What the command says whenever fuzzy encodings take effect.
const WEAKEST: &str = "Fuzzy encodings (privacy profile C) are the weakest of the three privacy choices: whoever holds them can tell how \
     alike two people are. A running gateway brings this into its answers within a minute. To take it back: \
     porth fuzzy withdraw";

/// Arguments of `porth fuzzy`.
#[derive(Debug, Args)]
pub struct FuzzyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare the fuzzy encodings of agencies that supply under privacy profile C, after everything else
    Apply(ApplyArgs),
    /// Take back what fuzzy encodings joined
    Withdraw(WithdrawArgs),
}

#[derive(Debug, Args)]
struct ApplyArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The match run's private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The encoding profile that the agencies made their encodings by, with its threshold, if not the shipped one
    #[arg(long, value_name = "FILE")]
    clk_profile: Option<PathBuf>,
    /// Your account, for the log
    #[arg(long)]
    by: String,
}

#[derive(Debug, Args)]
struct WithdrawArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Your account, for the log
    #[arg(long)]
    by: String,
}

#[derive(Serialize)]
struct Applied {
    encoding_sha256: Digest,
    threshold: String,
    records: u64,
    encoded: u64,
    joined: u64,
    parted: u64,
}

#[derive(Serialize)]
struct Withdrawn {
    parted: u64,
}

/// Runs `porth fuzzy`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: FuzzyArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Apply(args) => apply(&args, *output),
        Command::Withdraw(args) => withdraw(&args, *output),
    }
}

fn apply(args: &ApplyArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let key = read_match_run_pair(&args.key)?;
    let encoding = read_encoding(args.clk_profile.as_ref())?;
    let applied = block_on(with_gateway(&config, async |gateway| {
        gateway.apply_fuzzy(&key, &encoding, &args.by).await.map_err(app_failure)
    }))?;
    let applied = Applied {
        encoding_sha256: Digest::new(*encoding.hash().as_bytes()),
        threshold: encoding.threshold().to_string(),
        records: applied.records,
        encoded: applied.encoded,
        joined: applied.joined,
        parted: applied.parted,
    };
    output.result(
        format_args!(
            "Of {} records {} have an encoding of profile {}, compared at {}. {} pairs join records from now on; {} \
             pairs that an earlier time let stand do so no longer.",
            applied.records,
            applied.encoded,
            applied.encoding_sha256,
            applied.threshold,
            applied.joined,
            applied.parted
        ),
        &applied,
    );
    output.note(WEAKEST);
    Ok(())
}

fn withdraw(args: &WithdrawArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let parted =
        block_on(with_gateway(&config, async |gateway| gateway.withdraw_fuzzy(&args.by).await.map_err(app_failure)))?;
    let withdrawn = Withdrawn { parted };
    output.result(
        format_args!("{parted} pairs no longer join records. No fuzzy pair that could be taken back is left."),
        &withdrawn,
    );
    Ok(())
}

fn read_encoding(path: Option<&PathBuf>) -> Result<EncodingProfile, Failure> {
    let (name, bytes) = match path {
        Some(path) => {
            let unreadable = |error| Failure::failed(format!("{} cannot be read: {error}", path.display()));
            (path.display().to_string(), std::fs::read(path).map_err(unreadable)?)
        }
        None => ("the shipped encoding profile".to_owned(), UK_CLK_PROFILE.as_bytes().to_vec()),
    };
    EncodingProfile::parse(&bytes).map_err(|faults| Failure::unusable(format!("{name}: {faults}")))
}
