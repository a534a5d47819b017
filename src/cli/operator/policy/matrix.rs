//! `porth policy matrix`: every receive clause, purpose and form of answer, line by line, and the gaps.

use clap::Args;

use super::source::Source;
use crate::cli::output::{Failure, Output};
use crate::domain::ids::AgencyCode;
use crate::policy::matrix::{Cell, Gap, cells, gaps};

/// Arguments of `porth policy matrix`.
#[derive(Debug, Args)]
pub(super) struct MatrixArgs {
    #[command(flatten)]
    source: Source,
    /// Only what this agency may learn
    #[arg(long)]
    recipient: Option<AgencyCode>,
    /// Only what the agreements leave open: clauses that nobody supplies, terms and feeds that nobody
    /// uses, areas of which a recipient hears nothing
    #[arg(long, conflicts_with = "recipient")]
    gaps: bool,
}

/// Prints the matrix.
pub(super) fn run(args: &MatrixArgs, output: Output) -> Result<(), Failure> {
    let sourced = args.source.read(output)?;
    let (book, now) = (sourced.book(), sourced.now);
    let cells = cells(book, sourced.delivered(), args.recipient.as_ref(), now);
    if args.gaps {
        let gaps = gaps(book, &cells, now);
        let lines: Vec<String> = gaps.iter().map(Gap::line).collect();
        output.result(if lines.is_empty() { "No gap.".to_owned() } else { lines.join("\n") }, &gaps);
    } else {
        output.result(cells.iter().map(Cell::line).collect::<Vec<_>>().join("\n"), &cells);
    }
    Ok(())
}
