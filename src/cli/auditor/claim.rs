//! `porth claim verify`: an evidence bundle checked offline, with nothing but what the auditor holds.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::log::trust::{TrustFile, verifier, witness};
use crate::cli::operator::read_bytes;
use crate::cli::output::{Failure, Output};
use crate::tlog::note::NoteVerifier;
use crate::tlog::verify::{ClaimFault, ClaimReport, Verifier};

/// Arguments of `porth claim verify`.
#[derive(Debug, Args)]
pub struct VerifyClaimArgs {
    /// The bundle, as `porth claim engage` or `porth claim check` wrote it
    #[arg(value_name = "FILE")]
    bundle: PathBuf,
    /// A trust file, as `porth log trust` prints it
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// A signed checkpoint that was kept outside the gateway; repeat for several
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// A file of openings from an export, to compare the finding with what its entry commits to; repeat for several
    #[arg(long, value_name = "FILE")]
    openings: Vec<PathBuf>,
}

/// Verifies a bundle and reports.
///
/// # Errors
///
/// [`Failure`]; exit code 4 when something is wrong with the bundle.
pub fn run(args: &VerifyClaimArgs, output: &Output) -> Result<(), Failure> {
    let trust = TrustFile::read(&args.trust)?;
    let log_keys = trust.log_keys.iter().map(|key| verifier(key)).collect::<Result<Vec<_>, _>>()?;
    let receipt_keys = trust.receipt_keys.iter().map(|key| verifier(key)).collect::<Result<Vec<_>, _>>()?;
    let witnesses = trust.witnesses.iter().map(|key| witness(key)).collect::<Result<Vec<_>, _>>()?;
    if log_keys.is_empty() {
        return Err(Failure::failed("no key of the log is given: without one no checkpoint can be believed")
            .next("add log_keys to the trust file"));
    }
    let bundle = read_bytes(&args.bundle)?;
    let held = args.checkpoint.iter().map(|path| read_bytes(path)).collect::<Result<Vec<_>, _>>()?;
    let mut openings = Vec::new();
    for path in &args.openings {
        openings.extend(read_bytes(path)?);
        openings.push(b'\n');
    }
    let report = Verifier {
        origin: &trust.origin,
        log_keys: &log_keys.iter().map(|key| key as &dyn NoteVerifier).collect::<Vec<_>>(),
        witnesses: &witnesses.iter().map(|key| key as &dyn NoteVerifier).collect::<Vec<_>>(),
        quorum: trust.quorum,
        held: &held.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        receipt_keys: &receipt_keys.iter().map(|key| key as &dyn NoteVerifier).collect::<Vec<_>>(),
        ..Verifier::default()
    }
    .verify_claim(&bundle, &openings);
    let fault = |fault: &ClaimFault| json!({ "code": fault.code(), "sentence": fault.sentence() });
    let view = json!({
        "clean": report.is_clean(), "entries_proved": report.proved, "receipt_checked": report.is_receipt_checked,
        "finding_compared": report.is_finding_compared, "faults": report.faults.iter().map(fault).collect::<Vec<_>>(),
    });
    output.result(text_of(&report), &view);
    if !args.openings.is_empty() && !report.is_finding_compared && report.is_clean() {
        return Err(Failure::failed("the openings given hold no answer of this finding")
            .next("give the file of openings of the export that has the entry"));
    }
    if report.is_clean() {
        return Ok(());
    }
    Err(Failure::faulty(format!("the bundle has {} fault(s)", report.faults.len()))
        .next("keep it as it is, and give it with this report to the information governance officers"))
}

fn text_of(report: &ClaimReport) -> String {
    let mut lines: Vec<String> = report.faults.iter().map(|it| format!("{}: {}", it.code(), it.sentence())).collect();
    lines.push(format!("{} entries are in the log under its signed checkpoint.", report.proved));
    if report.is_clean() {
        lines.push("Nothing is wrong.".to_owned());
    }
    if !report.is_receipt_checked {
        lines.push("The receipt was not checked: the trust file has no receipt_keys.".to_owned());
    }
    if !report.is_finding_compared {
        lines.push(
            "The finding was not compared with its entry, which holds it as a salted commitment: give --openings of an \
             export for that. What was compared is who asked, when, against which engagement, by which programme \
             files, and whether the verdict follows from its reasons."
                .to_owned(),
        );
    }
    lines.join("\n")
}
