//! `porth weights`: learning what agreement of field tokens is worth.

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
    #[arg(long)]
    by: String,
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
