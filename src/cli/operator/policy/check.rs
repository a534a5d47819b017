//! `porth policy check`.

use std::path::PathBuf;

use clap::Args;

use super::files::PolicyFolder;
use crate::cli::output::{Failure, Output};
use crate::policy::check::{Finding, Report};

/// Arguments of `porth policy check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The folder of the policy files
    #[arg(long, value_name = "DIR", default_value = "policies")]
    folder: PathBuf,
}

/// Prints what is wrong, or what was read when nothing is.
pub(super) fn run(args: &CheckArgs, output: Output) -> Result<(), Failure> {
    let report = PolicyFolder::read(&args.folder)?.check();
    output.result(text_of(&report), &report);
    for remark in &report.remarks {
        output.note(format_args!("note: {}", line(remark)));
    }
    refuse_faulty(&report)
}

/// Ends the command when something is wrong.
pub(super) fn refuse_faulty(report: &Report) -> Result<(), Failure> {
    if report.is_clean() {
        return Ok(());
    }
    Err(Failure::failed(format!("the policy files have {} fault(s)", report.findings.len()))
        .next("each line names file, key, code and what is wrong"))
}

/// The faults, a line each; without any, what was read.
pub(super) fn text_of(report: &Report) -> String {
    let mut lines: Vec<String> = report.findings.iter().map(line).collect();
    lines.push(if report.is_clean() {
        format!(
            "{} agencies, {} agreements, {} rules and {} cases: nothing is wrong.",
            report.agencies, report.agreements, report.rules, report.cases
        )
    } else {
        format!("{} cases were run.", report.cases)
    });
    lines.extend(report.weaknesses.iter().map(|weakness| format!("weak: {weakness}")));
    lines.join("\n")
}

/// `file:key:code:sentence`, with the line in place of a key that is not known.
fn line(finding: &Finding) -> String {
    let fault = &finding.fault;
    let place = match fault.line {
        Some(line) if fault.key.is_empty() => format!("line {line}"),
        _ => fault.key.clone(),
    };
    format!("{}:{place}:{}:{}", finding.file, fault.code, fault.sentence)
}
