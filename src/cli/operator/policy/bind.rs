//! `porth policy bind-threshold`: from which likeness on two fuzzy encodings speak for one person.
//!
//! Reads files of a test set or of invented people, whose columns are named like the declared fields, and
//! in each of which nobody is twice. Encodings are made under a key that this process throws away; the
//! truth is not an input.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::civil::Date;
use serde::Serialize;

use crate::cli::output::{Failure, Output};
use crate::crypto::clk::ClkKey;
use crate::crypto::random::SystemRandom;
use crate::crypto::token::LinkageKey;
use crate::domain::clk::{Clk, EncodingProfile};
use crate::domain::ids::ProgrammeCode;
use crate::domain::match_keys::MatchKeys;
use crate::identity::{ClkEncoder, RawFields};
use crate::linkage::dice::bind;

/// Arguments of `porth policy bind-threshold`.
#[derive(Debug, Args)]
pub(super) struct BindArgs {
    /// The match-keys file that declares the fields
    #[arg(long, value_name = "FILE")]
    match_keys: PathBuf,
    /// The encoding profile, whatever its threshold is
    #[arg(long, value_name = "FILE")]
    clk_profile: PathBuf,
    /// Of how many pairs that are found one may be of strangers
    #[arg(long, value_name = "PAIRS", default_value_t = 1000)]
    one_in: u64,
    /// The day against which ages are judged, if not today
    #[arg(long)]
    as_at: Option<Date>,
    /// CSV files, one of each agency; each has every person once
    #[arg(required = true, num_args = 2.., value_name = "CSV")]
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct View {
    threshold: u16,
    encodings: usize,
    found: u64,
    strangers_of_one_file: u64,
    strangers_expected: f64,
    file_says: u16,
}

/// Runs `porth policy bind-threshold`.
///
/// # Errors
///
/// [`Failure`] with the file that cannot be read, or where no threshold tells people apart.
pub(super) fn run(args: &BindArgs, output: Output) -> Result<(), Failure> {
    let text = std::fs::read_to_string(&args.match_keys).map_err(unreadable(&args.match_keys))?;
    let keys = MatchKeys::parse(&text).map_err(Failure::unusable)?;
    let bytes = std::fs::read(&args.clk_profile).map_err(unreadable(&args.clk_profile))?;
    let profile = EncodingProfile::parse(&bytes).map_err(unreadable(&args.clk_profile))?;
    profile.check(&keys).map_err(unreadable(&args.clk_profile))?;
    let programme = ProgrammeCode::parse("throwaway").map_err(Failure::failed)?;
    let key = ClkKey::derive(&LinkageKey::generate(&SystemRandom::new()), &programme, 1, &profile);
    let as_at = args.as_at.unwrap_or_else(|| jiff::Zoned::now().date());
    let files = args.files.iter().map(|path| encodings(path, &keys, &profile, &key, as_at));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    let bound = bind(&files, &profile, args.one_in.max(1)).map_err(Failure::unusable)?;
    let view = View {
        threshold: bound.threshold.in_thousandths(),
        encodings: files.iter().map(Vec::len).sum(),
        found: bound.found,
        strangers_of_one_file: bound.strangers,
        strangers_expected: bound.expected_in_thousandths as f64 / 1000.0,
        file_says: profile.threshold().in_thousandths(),
    };
    output.result(format_args!("threshold = {}", view.threshold), &view);
    output.note(format_args!(
        "{} encodings; at this threshold {} pairs of two files are found, of which {:.3} are expected to be of strangers, \
         because {} pairs within a file reach it. The encoding profile says {}. Another threshold makes it another \
         profile: every agency has to make its encodings again.",
        view.encodings, view.found, view.strangers_expected, view.strangers_of_one_file, view.file_says
    ));
    Ok(())
}

fn encodings(
    path: &Path,
    keys: &MatchKeys,
    profile: &EncodingProfile,
    key: &ClkKey,
    as_at: Date,
) -> Result<Vec<Clk>, Failure> {
    let mut encoder = ClkEncoder::new(keys, profile, key).map_err(unreadable(path))?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(unreadable(path))?;
    let headings = reader.headers().map_err(unreadable(path))?.clone();
    let mut made = Vec::new();
    for row in reader.records() {
        let row = row.map_err(unreadable(path))?;
        let mut raw = RawFields::new();
        for (heading, text) in headings.iter().zip(&row) {
            raw.push(keys, heading, text);
        }
        made.extend(encoder.encode(&raw, as_at).and_then(|words| Clk::new(key.space(), words)));
    }
    Ok(made)
}

fn unreadable<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> Failure {
    move |error| Failure::unusable(format_args!("{}: {error}", path.display()))
}
