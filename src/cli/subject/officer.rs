//! What officers see of cases: what is due, and, with the shield officers' private key, what is theirs.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::reply_key;
use crate::cli::operator::{ConfigFile, app_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::domain::labels;

/// Arguments of `porth subject register`.
#[derive(Debug, Args)]
pub(super) struct RegisterArgs {
    #[command(flatten)]
    config: ConfigFile,
}

/// Arguments of `porth subject shielded`.
#[derive(Debug, Args)]
pub(super) struct ShieldedArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The shield officers' private key, as `porth keys init --for shield` made it
    #[arg(long, value_name = "FILE")]
    shield_key: PathBuf,
    /// Your account, for the log; never a person's name
    #[arg(long)]
    by: String,
}

#[derive(Serialize)]
struct Line {
    case: String,
    agency: String,
    right: &'static str,
    state: &'static str,
    opened_at: String,
    due_on: Option<String>,
    overdue: bool,
}

#[derive(Serialize)]
struct Part {
    case: String,
    right: &'static str,
    due_on: Option<String>,
    shielding: Value,
    records: Value,
    more: Value,
}

/// Shows every case with what is due.
pub(super) fn register(args: &RegisterArgs, output: &Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let cases = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.subject_case_register().await.map_err(app_failure)
    }))?;
    let line = |(case, overdue): &(crate::store::StoredCase, bool)| Line {
        case: case.id.to_string(),
        agency: case.agency.to_string(),
        right: case.right.as_str(),
        state: case.clock.state(),
        opened_at: case.clock.opened_at.to_string(),
        due_on: case.clock.due_on().map(|day| day.to_string()),
        overdue: *overdue,
    };
    let lines: Vec<Line> = cases.iter().map(line).collect();
    let text = |line: &Line| {
        let due = line.due_on.as_deref().unwrap_or("-");
        let overdue = if line.overdue { "  overdue" } else { "" };
        format!("{}  {}  {}  {}  due {due}{overdue}", line.case, line.agency, line.right, line.state)
    };
    let text: Vec<String> = lines.iter().map(text).collect();
    let text = if text.is_empty() { "no case was opened".to_owned() } else { text.join("\n") };
    output.result(text, &lines);
    Ok(())
}

/// Shows the shield officers their parts of open cases.
pub(super) fn shielded(args: &ShieldedArgs, output: &Output) -> Result<(), Failure> {
    let pair = reply_key::read(&args.shield_key)?;
    let config = args.config.read()?;
    let sealed = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.parts_for_shield_officers(&args.by).await.map_err(app_failure)
    }))?;
    let mut parts = Vec::new();
    for part in sealed {
        let opened = pair.open(labels::SUBJECT_SHIELD, part.case.as_bytes(), &part.sealed);
        let opened = opened.map_err(|_| Failure::failed("a part does not open with this key"))?;
        let mut said: Value =
            serde_json::from_slice(&opened).map_err(|_| Failure::failed("a part is not what it should be"))?;
        if said["shielding"].as_array().is_some_and(|agencies| !agencies.is_empty()) {
            parts.push(Part {
                case: part.case.to_string(),
                right: part.right.as_str(),
                due_on: part.due_on.map(|day| day.to_string()),
                shielding: said["shielding"].take(),
                records: said["records"].take(),
                more: said["more"].take(),
            });
        }
    }
    let text = |part: &Part| {
        let agencies: Vec<&str> = part.shielding.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let records = part.records.as_array().map_or(0, Vec::len);
        let due = part.due_on.as_deref().unwrap_or("-");
        format!(
            "{}  {}  due {due}  shielded by {}; {records} other records",
            part.case,
            part.right,
            agencies.join(", ")
        )
    };
    let text: Vec<String> = parts.iter().map(text).collect();
    let text = if text.is_empty() { "nothing is for the shield officers".to_owned() } else { text.join("\n") };
    output.result(text, &parts);
    output.note("Tell nobody but the shielding agencies' officers, by a way that is not the gateway.");
    Ok(())
}
