//! `porth evaluate`: linkage quality where the truth is known.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::app::evaluate::{Quality, Truth};
use crate::cli::block_on;
use crate::cli::output::{Failure, Output};
use crate::config::Config;
use crate::domain::ids::{AgencyCode, OpaqueRef};
use crate::runtime::prepare;

/// Arguments of `porth evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// The gateway's configuration.
    #[arg(long)]
    config: PathBuf,
    /// A CSV file with the columns agency, ref and entity.
    #[arg(long)]
    truth: PathBuf,
}

#[derive(Serialize)]
struct View {
    records: u64,
    true_pairs: u64,
    linked_pairs: u64,
    right_pairs: u64,
    precision: f64,
    recall: f64,
    f1: f64,
}

impl From<Quality> for View {
    fn from(quality: Quality) -> Self {
        Self {
            records: quality.records,
            true_pairs: quality.true_pairs,
            linked_pairs: quality.linked_pairs,
            right_pairs: quality.right_pairs,
            precision: quality.precision(),
            recall: quality.recall(),
            f1: quality.f1(),
        }
    }
}

/// Runs `porth evaluate`.
///
/// # Errors
///
/// [`Failure`] when the truth cannot be read or the programme is not a test set's.
pub fn run(args: EvaluateArgs, output: &Output) -> Result<(), Failure> {
    let config = Config::read(&args.config).map_err(Failure::unusable)?;
    let truth = read_truth(&args.truth)?;
    let quality = block_on(async {
        let prepared = prepare(&config).await.map_err(Failure::unusable)?;
        prepared.gateway.evaluate(&truth).await.map_err(Failure::failed)
    })?;
    let view = View::from(quality);
    let text = format!(
        "records {}, pairs that are one entity {}, linked {}, right {}\nprecision {:.4}  recall {:.4}  F1 {:.4}",
        view.records, view.true_pairs, view.linked_pairs, view.right_pairs, view.precision, view.recall, view.f1
    );
    output.result(text, &view);
    Ok(())
}

fn read_truth(path: &std::path::Path) -> Result<Truth, Failure> {
    let at = |row: usize| format!("{} row {row}", path.display());
    let mut reader = csv::ReaderBuilder::new().from_path(path).map_err(Failure::failed)?;
    let mut truth = Truth::new();
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(|_| Failure::failed(format!("{}: not a CSV row", at(row + 2))))?;
        let (Some(agency), Some(reference), Some(entity)) = (record.get(0), record.get(1), record.get(2)) else {
            return Err(Failure::failed(format!("{}: three columns are needed: agency, ref, entity", at(row + 2))));
        };
        let agency = AgencyCode::parse(agency).map_err(|error| Failure::failed(format!("{}: {error}", at(row + 2))))?;
        let reference =
            OpaqueRef::parse(reference).map_err(|error| Failure::failed(format!("{}: {error}", at(row + 2))))?;
        truth.insert((agency, reference), entity.to_owned());
    }
    Ok(truth)
}
