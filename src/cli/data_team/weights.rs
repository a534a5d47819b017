//! `porth weights`: learning what agreement of field tokens is worth, and letting it take effect.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::block_on;
use crate::cli::operator::keys::{read_match_run_pair, write_public};
use crate::cli::operator::{ConfigFile, app_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::linkage::weigh::Weights;
use crate::tlog::digest::Digest;

/// Arguments of `porth weights`.
#[derive(Debug, Args)]
pub struct WeightsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Learn weights from the visible records of agencies that supply under privacy profile B, and freeze them
    Learn(LearnArgs),
    /// Let frozen weights take effect: the records that they hold to be one person's are joined
    Apply(ApplyArgs),
    /// Take the weights that are in force back: what they joined is parted
    Withdraw(WithdrawArgs),
}

#[derive(Debug, Args)]
struct LearnArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The match run's private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the weights go; never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Your account, for the log
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
}

#[derive(Debug, Args)]
struct ApplyArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The match run's private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The weights, as `learn` wrote them
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Weigh every record, not only those that are new or changed since the same weights were applied
    #[arg(long)]
    afresh: bool,
    /// Your account, for the log
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
}

#[derive(Debug, Args)]
struct WithdrawArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Your account, for the log
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
}

#[derive(Serialize)]
struct Applied {
    weights_sha256: Digest,
    records: u64,
    weighed: u64,
    joined: u64,
    parted: u64,
}

#[derive(Serialize)]
struct Withdrawn {
    weights_sha256: Option<Digest>,
    parted: u64,
}

#[derive(Serialize)]
struct Learned {
    file: String,
    sha256: Digest,
    records: u64,
    pairs: u64,
    looked_at: u64,
    rounds: u64,
    accepted: u64,
    false_links_per_10000: f64,
}

/// Runs `porth weights`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: WeightsArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Learn(args) => learn(&args, *output),
        Command::Apply(args) => apply(&args, *output),
        Command::Withdraw(args) => withdraw(&args, *output),
    }
}

fn learn(args: &LearnArgs, output: Output) -> Result<(), Failure> {
    if args.out.exists() {
        return Err(Failure::failed(format!("{} is there already; weights are never overwritten", args.out.display())));
    }
    let config = args.config.read()?;
    let key = read_match_run_pair(&args.key)?;
    let weights = block_on(with_gateway(&config, async |gateway| {
        gateway.learn_weights(&key, &args.by).await.map_err(app_failure)
    }))?;
    write_public(&args.out, &weights.to_bytes())?;
    let learned = view(&args.out.display().to_string(), &weights);
    output.result(
        format_args!(
            "Wrote {}, SHA-256 {}.\nLearned from {} records, {} of their {} pairs looked at, in {} rounds.\n\
             Accepting at four to one takes {} pairs; of 10,000 such, {:.3} are expected to be false.",
            learned.file,
            learned.sha256,
            learned.records,
            learned.looked_at,
            learned.pairs,
            learned.rounds,
            learned.accepted,
            learned.false_links_per_10000
        ),
        &learned,
    );
    output.note("Keep the file: a match run names these weights by their hash. Nothing learns again by itself.");
    Ok(())
}

fn apply(args: &ApplyArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let key = read_match_run_pair(&args.key)?;
    let weights = std::fs::read(&args.weights)
        .map_err(|error| Failure::failed(format!("{} cannot be read: {error}", args.weights.display())))?;
    let applied = block_on(with_gateway(&config, async |gateway| {
        gateway.apply_weights(&key, &weights, &args.by, args.afresh).await.map_err(app_failure)
    }))?;
    let applied = Applied {
        weights_sha256: applied.sha256,
        records: applied.records,
        weighed: applied.weighed,
        joined: applied.joined,
        parted: applied.parted,
    };
    output.result(
        format_args!(
            "Weights {} are in force.\nOf {} records {} were weighed. {} pairs join records from now on; {} pairs \
             that earlier weighing let stand do so no longer.",
            applied.weights_sha256, applied.records, applied.weighed, applied.joined, applied.parted
        ),
        &applied,
    );
    output.note(
        "A running gateway brings this into its answers within a minute. To take it back: porth weights withdraw",
    );
    Ok(())
}

fn withdraw(args: &WithdrawArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let withdrawn =
        block_on(with_gateway(&config, async |gateway| gateway.withdraw_weights(&args.by).await.map_err(app_failure)))?;
    let withdrawn = Withdrawn { weights_sha256: withdrawn.sha256, parted: withdrawn.parted };
    output.result(
        format_args!("No weights are in force. {} pairs no longer join records.", withdrawn.parted),
        &withdrawn,
    );
    Ok(())
}

fn view(file: &str, weights: &Weights) -> Learned {
    let (from, estimate) = (weights.learned(), weights.estimate());
    Learned {
        file: file.to_owned(),
        sha256: Digest::new(weights.sha256()),
        records: from.records,
        pairs: from.pairs,
        looked_at: from.looked_at,
        rounds: from.rounds,
        accepted: estimate.accepted,
        false_links_per_10000: estimate.false_links_per_10000_in_thousandths as f64 / 1000.0,
    }
}
