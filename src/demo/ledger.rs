//! The disclosure log in an auditor's hands: exported, verified, altered and rolled back.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::trouble::{Trouble, trouble};
use super::workshop::{LOG, Workshop};
use crate::app::export::export_log;
use crate::app::signers::KeyVerifier;
use crate::tlog::verify::{Export, ExportFile, FaultKind, Report, Verifier};

/// An export in a folder.
struct Exported(PathBuf);

impl Export for Exported {
    type Error = std::io::Error;

    fn read(&self, file: ExportFile) -> Result<Option<Vec<u8>>, Self::Error> {
        match std::fs::read(self.0.join(file.to_string())) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What an auditor holds besides the export itself.
#[derive(Default)]
pub(super) struct Held {
    /// Checkpoints that an agency fetched.
    pub(super) checkpoints: Vec<Vec<u8>>,
    /// Receipts that came with answers and refusals.
    pub(super) receipts: Vec<String>,
}

/// Exports the log as it is now, openings included.
pub(super) async fn export(workshop: &Workshop, folder: &Path) -> Result<u64, Trouble> {
    workshop.wait_sequenced().await?;
    let (store, keys) = (workshop.gateway().store(), workshop.gateway().keys());
    let exported = export_log(store, Some(keys), folder).await.map_err(trouble("the log's export"))?;
    Ok(exported.entries)
}

/// Verifies an export offline, from the folder alone.
pub(super) fn verify(workshop: &Workshop, folder: &Path, held: &Held) -> (Report, Duration) {
    let log = KeyVerifier::new(LOG, workshop.log_key);
    let receipts = KeyVerifier::new(LOG, workshop.receipt_key);
    let checkpoints: Vec<&[u8]> = held.checkpoints.iter().map(Vec::as_slice).collect();
    let promised: Vec<&[u8]> = held.receipts.iter().map(String::as_bytes).collect();
    let verifier = Verifier {
        origin: LOG,
        log_keys: &[&log],
        held: &checkpoints,
        receipt_keys: &[&receipts],
        receipts: &promised,
        with_openings: true,
        with_fields: true,
        ..Verifier::default()
    };
    let began = Instant::now();
    let report = verifier.verify(&Exported(folder.to_owned()), &mut |_| {});
    (report, began.elapsed())
}

/// Alters one byte of an entry in a copy of an export; gives the file's path and the byte's place.
pub(super) fn alter_one_byte(original: &Path, copy: &Path) -> Result<(String, usize), Trouble> {
    copy_folder(original, copy).map_err(trouble("a copy of the export"))?;
    let mut files = Vec::new();
    list(&copy.join("tile/entries"), &mut files).map_err(trouble("a copy of the export"))?;
    files.sort();
    let path = files.first().ok_or_else(|| Trouble::new("a copy of the export", "it has no entries"))?;
    let mut bytes = std::fs::read(path).map_err(trouble("a copy of the export"))?;
    // A digit for another digit: the entry stays well-formed, so that only its hash can tell.
    let middle = bytes.len() / 2;
    let digit = bytes[middle..].iter().position(u8::is_ascii_digit).map(|at| middle + at);
    let place = digit.ok_or_else(|| Trouble::new("a copy of the export", "it has no digit"))?;
    bytes[place] = if bytes[place] == b'9' { b'8' } else { bytes[place] + 1 };
    std::fs::write(path, bytes).map_err(trouble("a copy of the export"))?;
    let shown = path.strip_prefix(copy).unwrap_or(path).display().to_string();
    Ok((shown, place))
}

/// Whether a report has a fault of a kind.
pub(super) fn has(report: &Report, kind: FaultKind) -> bool {
    report.faults.iter().any(|fault| fault.kind == kind)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
