//! A society with household truth, and what six agencies write down of it: how well are people and
//! families found, and how often is somebody taken for somebody else?
//!
//! The demo's population serves its story; this one serves measurement and can be as large as a figure
//! needs. Both use the same invented names, numbers and places. Everything comes from a seed.
//!
//! | file | its noun |
//! |---|---|
//! | [`people`] | persons and the households that they form: movers, twins, students, refuges, lodgings |
//! | [`agencies`] | what each of six agencies knows and gets wrong |
//! | [`measure`] | links and families beside the truth |
//! | [`bounds`] | what the truth may be when a count is small |

pub mod agencies;
pub mod bounds;
pub mod measure;
pub mod people;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, value_parser};

use self::measure::{Figures, measure};
use self::people::{Addresses, Society};
use crate::cli::output::{Failure, Output};
use crate::domain::match_keys::MatchKeys;
use crate::identity::UK_MATCH_KEYS;

/// Arguments of `porth bench linkage`.
#[derive(Debug, Args)]
pub struct LinkageArgs {
    /// How many invented people there are; of NHS numbers kept for tests there are some 900,000
    #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u32).range(1_000..=800_000))]
    people: u32,
    /// The seed of the invented people
    #[arg(long, default_value_t = 2016)]
    seed: u64,
    /// How well agencies know addresses
    #[arg(long, value_enum, default_value_t = Addresses::Matched)]
    addresses: Addresses,
    /// Other match keys than those that the program ships
    #[arg(long, value_name = "FILE")]
    match_keys: Option<PathBuf>,
}

/// Runs `porth bench linkage`.
///
/// # Errors
///
/// [`Failure`] if the match keys cannot be read.
pub fn run(args: &LinkageArgs, output: &Output) -> Result<(), Failure> {
    let text = match &args.match_keys {
        None => UK_MATCH_KEYS.to_owned(),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Failure::unusable(format_args!("{}: {error}", path.display())))?,
    };
    let keys = MatchKeys::parse(&text).map_err(Failure::unusable)?;
    let society = Society::generate(args.people as usize, args.seed, args.addresses);
    let figures = measure(&keys, &society, args.seed);
    output.result(table(&figures), &figures);
    Ok(())
}

fn table(figures: &Figures) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "people {}, records {}", figures.people, figures.records);
    let _ = writeln!(
        text,
        "linked pairs {}, of two people {}: {:.3} in 10,000, at most {:.3} at 95%",
        figures.linked_pairs,
        figures.false_pairs,
        figures.false_in_10_000(),
        figures.most_false_in_10_000()
    );
    let _ = writeln!(
        text,
        "pairs of one person {}, found {}: recall {:.4}",
        figures.true_pairs,
        figures.found_pairs,
        measure::share(figures.found_pairs, figures.true_pairs)
    );
    let _ = writeln!(
        text,
        "households: precision {:.4}, recall {:.4}, F1 {:.4}",
        measure::share(figures.household_right, figures.household_found),
        measure::share(figures.household_right, figures.household_true),
        figures.household_f1()
    );
    for group in &figures.groups {
        let _ = writeln!(
            text,
            "  {}: {} pairs, found {:.4}",
            group.name,
            group.true_pairs,
            measure::share(group.found_pairs, group.true_pairs)
        );
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures of `docs/linkage-quality.md`, on a smaller society.
    #[test]
    fn people_are_hardly_ever_taken_for_one_another_and_households_are_found() {
        let keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
        let figures = measure(&keys, &Society::generate(6_000, 3, Addresses::Matched), 3);
        assert!(figures.linked_pairs > 3_000, "{figures:?}");
        assert!(figures.false_pairs <= 1, "{figures:?}");
        assert!(measure::share(figures.found_pairs, figures.true_pairs) > 0.80, "{figures:?}");
        assert!(figures.household_f1() >= 0.95, "{figures:?}");
        let as_held = measure(&keys, &Society::generate(6_000, 3, Addresses::AsHeld), 3);
        assert!(as_held.false_pairs <= 1, "{as_held:?}");
        assert!(as_held.household_f1() >= 0.80, "worse addresses cost families, never persons: {as_held:?}");
        for group in &figures.groups {
            assert!(group.true_pairs > 30, "too few of a group to say anything: {figures:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_figures() {
        let keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
        let once = measure(&keys, &Society::generate(1_000, 5, Addresses::Matched), 5);
        assert_eq!(once, measure(&keys, &Society::generate(1_000, 5, Addresses::Matched), 5));
    }
}
