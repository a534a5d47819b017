//! The newest checkpoint that this machine has seen, in a small file of its own.
//!
//! A database can be taken back to an older state without a trace in it. A process that remembers a
//! checkpoint outside the database notices: it does not start to serve, or to sequence, on a log that
//! is behind. If the log falls behind while it runs, it goes on, and says that it is not ready.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::store::{Store, StoreError};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::note::SignedNote;

/// Why a log and the checkpoint that is remembered do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeldError {
    /// The file.
    #[error("cannot read or write {path}: {kind}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        kind: io::ErrorKind,
    },
    /// The file holds something else.
    #[error("{0} does not hold a checkpoint")]
    Malformed(PathBuf),
    /// The log has fewer entries than it had.
    #[error("the database's log has {found} entries, but {path} knows a checkpoint of {known}: {} are missing", known - found)]
    Behind {
        /// Entries that the log has.
        found: u64,
        /// Entries that it had.
        known: u64,
        /// Where that is written.
        path: PathBuf,
    },
    /// The log is another one, or tells another history.
    #[error("the database's log is another history than the checkpoint of {known} entries in {path}")]
    Fork {
        /// The checkpoint's size.
        known: u64,
        /// Where it is written.
        path: PathBuf,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The text of a signed checkpoint, read without asking who signed it.
pub fn parse_checkpoint(note: &[u8]) -> Option<Checkpoint> {
    Checkpoint::parse(SignedNote::parse(note).ok()?.text()).ok()
}

/// The checkpoint that a file holds; `None` when there is no file yet.
///
/// # Errors
///
/// [`HeldError`].
pub fn read(path: &Path) -> Result<Option<Checkpoint>, HeldError> {
    match fs::read(path) {
        Ok(note) => parse_checkpoint(&note).map(Some).ok_or_else(|| HeldError::Malformed(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(HeldError::File { path: path.to_owned(), kind: error.kind() }),
    }
}

/// Compares the database's log with the remembered checkpoint, then remembers the newest. The log
/// that was remembered must be the beginning of the one that is there.
///
/// # Errors
///
/// [`HeldError`]; the file is as it was then.
pub async fn follow(store: &Store, path: &Path) -> Result<(), HeldError> {
    let held = read(path)?;
    compare(store, held.as_ref(), path).await?;
    let Some((size, _, note)) = store.newest_checkpoint().await? else {
        return Ok(());
    };
    if held.is_none_or(|held| held.size < size) { write(path, &note) } else { Ok(()) }
}

/// Only compares.
///
/// # Errors
///
/// [`HeldError`] when the log is behind, or another.
pub async fn compare(store: &Store, held: Option<&Checkpoint>, path: &Path) -> Result<(), HeldError> {
    let Some(held) = held else { return Ok(()) };
    let (known, path) = (held.size, path.to_owned());
    let mut tx = store.begin_snapshot().await?;
    let head = tx.log_head().await?;
    let Some(head) = head.filter(|head| head.origin == held.origin) else {
        return Err(HeldError::Fork { known, path });
    };
    if head.size < known {
        return Err(HeldError::Behind { found: head.size, known, path });
    }
    // Every checkpoint that was ever signed is kept with its size.
    let same = tx.checkpoints_from(known, 1).await?.into_iter().next().filter(|(size, _)| *size == known);
    let root = same.and_then(|(_, note)| parse_checkpoint(note.as_bytes())).map(|checkpoint| checkpoint.root);
    if root == Some(held.root) { Ok(()) } else { Err(HeldError::Fork { known, path }) }
}

/// Remembers a checkpoint instead of whatever was remembered; it is there wholly or not at all.
///
/// # Errors
///
/// [`HeldError::File`].
pub fn write(path: &Path, note: &str) -> Result<(), HeldError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let part = path.with_file_name(name);
    let put = || {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&part)?;
        file.write_all(note.as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    put().map_err(|error: io::Error| HeldError::File { path: path.to_owned(), kind: error.kind() })
}
