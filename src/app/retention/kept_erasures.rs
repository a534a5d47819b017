//! Which entries were erased, in a small file outside the database: a backup of before an erasure brings
//! back what opens the entries, and the log in it knows nothing of the erasure. Whatever opens a gateway, the
//! server and every command, destroys again what this file names before it does anything else; what only opens
//! the database does nothing while something that it names is there.
//!
//! The file has a line for each event: a random id, which tells nothing of anybody. Once nothing that it names
//! can be opened, the database remembers the file by its hash, so that looking again costs one read of each.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{Erased, holds_in_force};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::{EventId, ProgrammeCode};
use crate::store::{Store, StoreError};
use crate::tlog::entry::{Body, Entry};

/// Entries that are read in one step.
const PAGE: i64 = 500;
/// Why something is erased that was erased once, for the log.
const AGAIN: &str = "restored-backup";
/// For how long the database remembers a file that was not looked at again.
const REMEMBERED_SECONDS: i64 = 90 * 86_400;

/// Why the file and the database were not brought together.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The file.
    #[error("cannot read or write {path}: {kind}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        kind: io::ErrorKind,
    },
    /// The file holds something else.
    #[error("line {line} of {path} is no event")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// The database can open what was erased: it was restored from an older backup.
    #[error("the database can open {0} entries that were erased once: it was restored from an older backup")]
    Restored(usize),
    /// The database.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for KeptError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// Where the file lies, beside the one that remembers the newest checkpoint.
pub fn beside(state_file: &Path) -> PathBuf {
    let mut name = state_file.file_name().unwrap_or_default().to_owned();
    name.push(".erased");
    state_file.with_file_name(name)
}

/// The events that a file names; none when there is no file yet.
///
/// # Errors
///
/// [`KeptError`].
pub fn read(path: &Path) -> Result<BTreeSet<EventId>, KeptError> {
    text_of(path)?.map_or_else(|| Ok(BTreeSet::new()), |text| events_of(path, &text))
}

/// Refuses a database that can open what the file names, unless a freeze stands that may keep it. For commands
/// that need no gateway and so cannot erase it: any that does erases it first.
///
/// # Errors
///
/// [`KeptError::Restored`], or why that cannot be told.
pub async fn refuse_restored(store: &Store, programme: &ProgrammeCode, path: &Path) -> Result<(), KeptError> {
    let opened = still_opened(store, &read(path)?).await?;
    if opened.is_empty() || !holds_in_force(&store.legal_holds(programme).await?).is_empty() {
        return Ok(());
    }
    Err(KeptError::Restored(opened.len()))
}

async fn still_opened(store: &Store, events: &BTreeSet<EventId>) -> Result<Vec<EventId>, StoreError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let events: Vec<EventId> = events.iter().copied().collect();
    store.begin_snapshot().await?.still_opened(&events).await
}

fn text_of(path: &Path) -> Result<Option<String>, KeptError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KeptError::File { path: path.to_owned(), kind: error.kind() }),
    }
}

fn events_of(path: &Path, text: &str) -> Result<BTreeSet<EventId>, KeptError> {
    let event = |(line, text): (usize, &str)| {
        text.parse().map_err(|_| KeptError::Malformed { path: path.to_owned(), line: line + 1 })
    };
    text.lines().enumerate().map(event).collect()
}

fn text(events: &BTreeSet<EventId>) -> String {
    let mut text = String::new();
    for event in events {
        text.push_str(&event.to_string());
        text.push('\n');
    }
    text
}

fn write(path: &Path, text: &str) -> Result<(), KeptError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let part = path.with_file_name(name);
    let put = || {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    put().map_err(|error: io::Error| KeptError::File { path: path.to_owned(), kind: error.kind() })
}

impl Gateway {
    /// Destroys again what the file names and the database can open. Where that was done before with this very
    /// file nothing is looked through.
    ///
    /// # Errors
    ///
    /// [`KeptError`]; nothing may be shown from the database then.
    pub async fn erase_again(&self, path: &Path, by: &str) -> Result<Erased, KeptError> {
        let Some(text) = text_of(path)? else { return Ok(Erased::default()) };
        if self.store().has_followed(&Sha256::digest(&text).into()).await? {
            return Ok(Erased::default());
        }
        let again = still_opened(self.store(), &events_of(path, &text)?).await?;
        let done = self.erase_entries(&again, AGAIN, by).await?;
        if done.held == 0 {
            self.note_followed(&text).await?;
        }
        Ok(done)
    }

    /// Brings file and database together: what the file names and the database can still open is erased
    /// again; what the log says was erased is gone from the tables, and is in the file.
    ///
    /// # Errors
    ///
    /// [`KeptError`]; a gateway must not serve then.
    pub async fn follow_erasures(&self, path: &Path, by: &str) -> Result<Erased, KeptError> {
        let mut kept = read(path)?;
        let again = still_opened(self.store(), &kept).await?;
        let done = self.erase_entries(&again, AGAIN, by).await?;
        let before = kept.len();
        let erased = self.erased_by_the_log().await?;
        let events: Vec<EventId> = erased.iter().copied().collect();
        let mut tx = self.store().begin().await?;
        tx.drop_openings(&events).await?;
        tx.commit().await?;
        self.leave_nothing_behind().await?;
        kept.extend(erased);
        let text = text(&kept);
        if kept.len() > before {
            write(path, &text)?;
        }
        if done.held == 0 && !kept.is_empty() {
            self.note_followed(&text).await?;
        }
        Ok(done)
    }

    /// Notes that nothing which the file names can be opened.
    async fn note_followed(&self, text: &str) -> Result<(), StoreError> {
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        tx.note_followed(&Sha256::digest(text).into(), now, now.plus_seconds(-REMEMBERED_SECONDS)).await?;
        tx.commit().await
    }

    /// Every event that an `erasure` entry names.
    async fn erased_by_the_log(&self) -> Result<BTreeSet<EventId>, AppError> {
        let (mut erased, mut after) = (BTreeSet::new(), None);
        loop {
            let page = self.store().erasure_entries(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(erased) };
            after = Some(*last);
            for (_, body) in &page {
                let entry = Entry::parse(body).map_err(|_| StoreError::Corrupt("a log entry"))?;
                if let Body::Erasure(erasure) = entry.into_body() {
                    erased.extend(erasure.events);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_reads_back_as_written_and_a_spoilt_line_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = beside(&folder.path().join("log-state"));
        assert!(path.ends_with("log-state.erased"));
        assert_eq!(read(&path).expect("no file"), BTreeSet::new());
        let events: BTreeSet<EventId> = (1..4u128).map(|n| EventId::new(uuid::Uuid::from_u128(n))).collect();
        write(&path, &text(&events)).expect("written");
        assert_eq!(read(&path).expect("read"), events);
        fs::write(&path, "00000000-0000-0000-0000-000000000001\nJowan Trelawny\n").expect("written");
        let error = read(&path).expect_err("no event");
        assert!(error.to_string().contains("line 2") && !error.to_string().contains("Jowan"), "{error}");
    }
}
