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
    #[arg(long, value_parser = crate::cli::typed::code)]
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
    /// Whether a shield reaches the person now; it may have when the case was opened, and no more.
    now: bool,
    shielding: Vec<Value>,
    records: Vec<Value>,
    more: bool,
}

impl Part {
    /// Adds what an opened part says; gives whether a shield reached the person.
    fn take(&mut self, said: &Value) -> bool {
        for (into, name) in [(&mut self.shielding, "shielding"), (&mut self.records, "records")] {
            for value in said[name].as_array().into_iter().flatten() {
                if !into.contains(value) {
                    into.push(value.clone());
                }
            }
        }
        self.more |= said["more"] == true;
        // Parts of older cases name who shields, and say nothing else.
        said["shielded"] == true || said["shielding"].as_array().is_some_and(|agencies| !agencies.is_empty())
    }
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
    let heading = "case  agency  right  state  due\n";
    let text = if text.is_empty() { "no case was opened".to_owned() } else { format!("{heading}{}", text.join("\n")) };
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
        let open = |sealed: &[u8]| -> Result<Value, Failure> {
            let opened = pair.open(labels::SUBJECT_SHIELD, part.case.as_bytes(), sealed);
            let opened = opened.map_err(|_| Failure::failed("a part does not open with this key"))?;
            serde_json::from_slice(&opened).map_err(|_| Failure::failed("a part is not what it should be"))
        };
        let mut line = Part {
            case: part.case.to_string(),
            right: part.right.as_str(),
            due_on: part.due_on.map(|day| day.to_string()),
            now: false,
            shielding: Vec::new(),
            records: Vec::new(),
            more: false,
        };
        line.now = line.take(&open(&part.sealed_now)?);
        if line.take(&open(&part.sealed)?) || line.now {
            parts.push(line);
        }
    }
    let text = |part: &Part| {
        let agencies: Vec<&str> = part.shielding.iter().filter_map(Value::as_str).collect();
        let by = if agencies.is_empty() { "somebody out of reach".to_owned() } else { agencies.join(", ") };
        let records = part.records.len();
        let due = part.due_on.as_deref().unwrap_or("-");
        let over = if part.now { "" } else { "; not any more" };
        format!("{}  {}  due {due}  shielded by {by}; {records} other records{over}", part.case, part.right)
    };
    let text: Vec<String> = parts.iter().map(text).collect();
    let text = if text.is_empty() { "nothing is for the shield officers".to_owned() } else { text.join("\n") };
    output.result(text, &parts);
    output.note("Tell nobody but the shielding agencies' officers, by a way that is not the gateway.");
    Ok(())
}
