//! `porth keys check`.

use serde::Serialize;

use crate::cli::operator::ConfigFile;
use crate::cli::output::{Failure, Output};
use crate::runtime::all_refusals;

#[derive(Serialize)]
struct Checked {
    refusals: Vec<String>,
}

/// Lists what production would refuse, whatever mode the configuration names.
pub(super) fn run(config: &ConfigFile, output: Output) -> Result<(), Failure> {
    let checked = Checked { refusals: all_refusals(&config.read()?) };
    if checked.refusals.is_empty() {
        output.result("Production mode would start with these keys and certificates.", &checked);
        return Ok(());
    }
    output.result(checked.refusals.join("\n"), &checked);
    let count = checked.refusals.len();
    Err(Failure::unusable(format!("production mode would refuse to start, for {count} reason(s)"))
        .next("each line above says what to do"))
}
