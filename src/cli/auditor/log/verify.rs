//! `porth log verify`: offline, with nothing but the export and what the auditor holds.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::trust::{TrustFile, WITHIN_MINUTES, verifier, witness};
use crate::app::signers::KeyVerifier;
use crate::cli::operator::read_bytes;
use crate::cli::output::{Failure, Output};
use crate::tlog::bundle::Scope;
use crate::tlog::cosignature::Witness;
use crate::tlog::note::NoteVerifier;
use crate::tlog::verify::{CheckedAlone, Export, ExportFile, Fault, FaultKind, Report, Verifier};

/// Arguments of `porth log verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The export
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// A trust file, as `porth log trust` prints it
    #[arg(long, value_name = "FILE", required_unless_present_all = ["origin", "log_key"])]
    trust: Option<PathBuf>,
    /// The log's origin, such as gw.example.gov.uk/2026
    #[arg(long)]
    origin: Option<String>,
    /// A key that signs the log's checkpoints; repeat for several
    #[arg(long, value_name = "VKEY")]
    log_key: Vec<String>,
    /// A key that signs receipts; repeat for several
    #[arg(long, value_name = "VKEY")]
    receipt_key: Vec<String>,
    /// A witness that is believed; repeat for several
    #[arg(long, value_name = "VKEY")]
    witness: Vec<String>,
    /// How many witnesses must have cosigned the checkpoint
    #[arg(long)]
    quorum: Option<usize>,
    /// A signed checkpoint that was kept outside the gateway; repeat for several
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// A receipt that a recipient kept; repeat for several
    #[arg(long, value_name = "FILE")]
    receipt: Vec<PathBuf>,
    /// The export should hold every opening that was not erased
    #[arg(long)]
    with_openings: bool,
    /// An export of another program, or of before bundles: it names no entry that records it
    #[arg(long)]
    without_manifest: bool,
    /// Check only the entry with this index, and everything that its place rests on
    #[arg(long, value_name = "INDEX")]
    entry: Option<u64>,
    /// Leave out comparing each entry with the fields of its type, the slowest part
    #[arg(long)]
    quick: bool,
}

#[derive(Serialize)]
struct Verified<'a> {
    origin: &'a str,
    clean: bool,
    size: Option<u64>,
    root: Option<String>,
    entries: u64,
    openings: u64,
    receipts: u64,
    unknown_types: u64,
    /// Given, and compared with this tree.
    checkpoints_held: usize,
    checkpoints_agreeing: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    witnessed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    export: Option<ExportView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<EntryView>,
    faults: Vec<FaultView>,
    more_faults: u64,
}

/// What the entry of the export says.
#[derive(Serialize)]
struct ExportView<'a> {
    index: u64,
    at: String,
    by: &'a str,
    reader: Option<&'a str>,
    openings: bool,
    witnessed: Option<u64>,
}

/// One entry that was checked alone.
#[derive(Serialize)]
struct EntryView {
    index: u64,
    witnessed: bool,
    erased_by: Option<u64>,
}

#[derive(Serialize)]
struct FaultView {
    code: &'static str,
    sentence: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

/// Verifies and reports.
pub(super) fn run(args: &VerifyArgs, output: Output) -> Result<(), Failure> {
    if !args.folder.is_dir() {
        return Err(Failure::failed(format!("there is no folder {}", args.folder.display())));
    }
    let trust = trust_of(args)?;
    let log_keys = each(&trust.log_keys, verifier)?;
    let receipt_keys = each(&trust.receipt_keys, verifier)?;
    let witnesses = each(&trust.witnesses, witness)?;
    if log_keys.is_empty() {
        return Err(Failure::failed("no key of the log is given: without one no checkpoint can be believed")
            .next("give --log-key, or a trust file that has log_keys"));
    }
    if !args.receipt.is_empty() && receipt_keys.is_empty() {
        return Err(Failure::failed("receipts are given, and no key to check them by").next("give --receipt-key"));
    }
    let held = args.checkpoint.iter().map(|path| read_bytes(path)).collect::<Result<Vec<_>, _>>()?;
    let receipts = args.receipt.iter().map(|path| read_bytes(path)).collect::<Result<Vec<_>, _>>()?;
    let progress = Progress::start(args.folder.as_path());
    let (log_keys, receipt_keys, witnesses) = (notes(&log_keys), notes(&receipt_keys), witness_notes(&witnesses));
    let held: Vec<&[u8]> = held.iter().map(Vec::as_slice).collect();
    let receipts: Vec<&[u8]> = receipts.iter().map(Vec::as_slice).collect();
    let verifier = Verifier {
        origin: &trust.origin,
        log_keys: &log_keys,
        witnesses: &witnesses,
        quorum: trust.quorum,
        held: &held,
        receipt_keys: &receipt_keys,
        receipts: &receipts,
        with_openings: args.with_openings,
        with_manifest: !args.without_manifest,
        witnessed_within_s: (trust.quorum > 0)
            .then(|| trust.witnessed_within_minutes.unwrap_or(WITHIN_MINUTES).saturating_mul(60)),
        with_fields: !args.quick,
    };
    let folder = Folder(&args.folder);
    let report = match args.entry {
        Some(index) => verifier.verify_entry(&folder, index),
        None => verifier.verify(&folder, &mut |entries| progress.show(entries)),
    };
    progress.end();
    output.result(text_of(&report, args, &trust), &view(&report, args, &trust));
    if report.is_clean() {
        return Ok(());
    }
    let count = report.faults.len() as u64 + report.more_faults;
    Err(Failure::faulty(format!("the export has {count} fault(s)"))
        .next("keep the export as it is, and give it with this report to the information governance officers"))
}

/// The trust file, with what the arguments add to it.
fn trust_of(args: &VerifyArgs) -> Result<TrustFile, Failure> {
    let mut trust = args.trust.as_deref().map(TrustFile::read).transpose()?.unwrap_or_default();
    if let Some(origin) = &args.origin {
        if !trust.origin.is_empty() && trust.origin != *origin {
            return Err(Failure::failed("--origin and the trust file name different logs"));
        }
        trust.origin.clone_from(origin);
    }
    trust.log_keys.extend(args.log_key.iter().cloned());
    trust.receipt_keys.extend(args.receipt_key.iter().cloned());
    trust.witnesses.extend(args.witness.iter().cloned());
    trust.quorum = args.quorum.unwrap_or(trust.quorum);
    if trust.quorum > trust.witnesses.len() {
        return Err(Failure::failed("the quorum asks for more witnesses than are given"));
    }
    Ok(trust)
}

fn each<T>(keys: &[String], read: fn(&str) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
    keys.iter().map(|key| read(key)).collect()
}

fn notes(keys: &[KeyVerifier]) -> Vec<&dyn NoteVerifier> {
    keys.iter().map(|key| key as &dyn NoteVerifier).collect()
}

fn witness_notes(keys: &[Witness]) -> Vec<&dyn NoteVerifier> {
    keys.iter().map(|key| key as &dyn NoteVerifier).collect()
}

fn text_of(report: &Report, args: &VerifyArgs, trust: &TrustFile) -> String {
    let mut lines: Vec<String> = report.faults.iter().map(Fault::to_string).collect();
    if report.more_faults > 0 {
        lines.push(format!("and {} more of these kinds", report.more_faults));
    }
    if let Some(checkpoint) = &report.checkpoint {
        lines.push(format!("Log {}, {} entries, root {}", checkpoint.origin, checkpoint.size, checkpoint.root));
    }
    lines.push(format!(
        "{} entries read, {} openings and {} receipts matched.",
        report.entries, report.openings, report.receipts
    ));
    if report.unknown_types > 0 {
        lines.push(format!("{} entries are of types that this version does not know.", report.unknown_types));
    }
    lines.extend(report.recorded.as_ref().map(|(index, scope)| scope_in_words(*index, scope, report)));
    lines.extend(witnesses_in_words(report));
    lines.extend(report.alone.as_ref().map(|alone| alone_in_words(alone, report)));
    if report.is_clean() {
        lines.push("Nothing is wrong.".to_owned());
        if args.checkpoint.is_empty() && args.receipt.is_empty() && trust.quorum == 0 {
            lines.push(
                "No checkpoint, receipt or witness from outside was given: entries that were taken back, or a history \
                 that was rewritten with the log's own key, would not show."
                    .to_owned(),
            );
        }
    }
    lines.join("\n")
}

/// For whom the export was made, and what its reader may see of it.
fn scope_in_words(index: u64, scope: &Scope, report: &Report) -> String {
    let openings =
        if scope.has_openings() { "with the openings that its reader may see" } else { "without any opening" };
    let reader = scope.reader.as_deref().unwrap_or("nobody in particular");
    let is_newest = !report.faults.iter().any(|fault| fault.kind == FaultKind::ManifestSuperseded);
    let newest = if is_newest { ", the newest export in this log" } else { "; a newer export is in this log" };
    format!("Entry {index} records this export: made {} by {} for {reader}, {openings}{newest}.", scope.at, scope.by)
}

/// How far the witnesses' cosignatures reach.
fn witnesses_in_words(report: &Report) -> Option<String> {
    let (reach, size) = (report.witnessed?, report.checkpoint.as_ref()?.size);
    Some(match size.saturating_sub(reach) {
        _ if report.faults.iter().any(|fault| fault.kind == FaultKind::Rewrite) => {
            format!("Witnesses cosigned a log of {reach} entries, perhaps another history than this one.")
        }
        0 => format!("Witnesses vouch for all {size} entries."),
        rest => format!(
            "Witnesses vouch for the first {reach} of {size} entries; nobody outside vouches for the last {rest}."
        ),
    })
}

/// What was checked, and what was not, where one entry was looked at alone.
fn alone_in_words(alone: &CheckedAlone, report: &Report) -> String {
    let mut words = vec![format!("Entry {} was checked alone: its place under the signed root", alone.index)];
    if report.recorded.is_some() {
        words.push("the place of the entry that records the export".to_owned());
    }
    if report.held > 0 {
        words.push(format!("that the log goes on from {} checkpoint(s) held elsewhere or cosigned", report.held));
    }
    if report.receipts > 0 {
        words.push("its receipt".to_owned());
    }
    words.push("those of its openings that are due".to_owned());
    let mut text = words.join(", ") + ".";
    if let Some(place) = alone.erased_by {
        let _ = write!(text, " Its openings were erased; entry {place} says so.");
    }
    if report.witnessed.is_some() && !alone.is_witnessed {
        text += " The witnesses' cosignatures do not reach this entry.";
    }
    text + " Not checked: all other entries, and whether every erasure was done."
}

fn view<'a>(report: &'a Report, args: &VerifyArgs, trust: &'a TrustFile) -> Verified<'a> {
    let fault = |fault: &Fault| FaultView {
        code: fault.kind.code(),
        sentence: fault.kind.sentence(),
        index: fault.index,
        event: fault.event.map(|event| event.to_string()),
        file: fault.file.clone(),
    };
    Verified {
        origin: &trust.origin,
        clean: report.is_clean(),
        size: report.checkpoint.as_ref().map(|checkpoint| checkpoint.size),
        root: report.checkpoint.as_ref().map(|checkpoint| checkpoint.root.to_string()),
        entries: report.entries,
        openings: report.openings,
        receipts: report.receipts,
        unknown_types: report.unknown_types,
        checkpoints_held: args.checkpoint.len(),
        checkpoints_agreeing: report.held,
        witnessed: report.witnessed,
        export: report.recorded.as_ref().map(|(index, scope)| ExportView {
            index: *index,
            at: scope.at.to_string(),
            by: &scope.by,
            reader: scope.reader.as_deref(),
            openings: scope.has_openings(),
            witnessed: scope.witnessed,
        }),
        entry: report.alone.map(|alone| EntryView {
            index: alone.index,
            witnessed: alone.is_witnessed,
            erased_by: alone.erased_by,
        }),
        faults: report.faults.iter().map(fault).collect(),
        more_faults: report.more_faults,
    }
}

/// An export in a folder.
struct Folder<'a>(&'a Path);

impl Export for Folder<'_> {
    type Error = std::io::Error;

    fn read(&self, file: ExportFile) -> Result<Option<Vec<u8>>, std::io::Error> {
        match std::fs::read(self.0.join(file.to_string())) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// How far the reading has got, on standard error where somebody watches.
struct Progress(ProgressBar);

impl Progress {
    /// The size is taken from the unverified checkpoint: it is for the bar alone.
    fn start(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join("checkpoint")).unwrap_or_default();
        let bar = match text.lines().nth(1).and_then(|line| line.parse().ok()) {
            Some(size) => ProgressBar::new(size),
            None => ProgressBar::new_spinner(),
        };
        let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} entries, {eta} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }
    fn show(&self, entries: u64) {
        self.0.set_position(entries);
    }
    fn end(&self) {
        self.0.finish_and_clear();
    }
}
