//! Which entries were erased, in a small file outside the database: a backup of before an erasure brings
//! back what opens the entries, and the log in it knows nothing of the erasure. Before a gateway serves it
//! destroys again what this file names.
//!
//! The file has a line for each event: a random id, which tells nothing of anybody.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Erased;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::EventId;
use crate::store::StoreError;
use crate::tlog::entry::{Body, Entry};

/// Entries that are read in one step.
const PAGE: i64 = 500;

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
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(KeptError::File { path: path.to_owned(), kind: error.kind() }),
    };
    let event = |(line, text): (usize, &str)| {
        text.parse().map_err(|_| KeptError::Malformed { path: path.to_owned(), line: line + 1 })
    };
    text.lines().enumerate().map(event).collect()
}

fn write(path: &Path, events: &BTreeSet<EventId>) -> Result<(), KeptError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let part = path.with_file_name(name);
    let put = || {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        for event in events {
            writeln!(file, "{event}")?;
        }
        file.sync_all()?;
        fs::rename(&part, path)
    };
    put().map_err(|error: io::Error| KeptError::File { path: path.to_owned(), kind: error.kind() })
}

impl Gateway {
    /// Brings file and database together: what the file names and the database can still open is erased
    /// again; what the log says was erased is gone from the tables, and is in the file.
    ///
    /// # Errors
    ///
    /// [`KeptError`]; a gateway must not serve then.
    pub async fn follow_erasures(&self, path: &Path, by: &str) -> Result<Erased, KeptError> {
        let mut kept = read(path)?;
        let named: Vec<EventId> = kept.iter().copied().collect();
        let mut tx = self.store().begin().await?;
        let again = tx.still_opened(&named).await?;
        drop(tx);
        let done = self.erase_entries(&again, "restored-backup", by).await?;
        let before = kept.len();
        let erased = self.erased_by_the_log().await?;
        let events: Vec<EventId> = erased.iter().copied().collect();
        let mut tx = self.store().begin().await?;
        tx.drop_openings(&events).await?;
        tx.commit().await?;
        kept.extend(erased);
        if kept.len() > before {
            write(path, &kept)?;
        }
        Ok(done)
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
        write(&path, &events).expect("written");
        assert_eq!(read(&path).expect("read"), events);
        fs::write(&path, "00000000-0000-0000-0000-000000000001\nJowan Trelawny\n").expect("written");
        let error = read(&path).expect_err("no event");
        assert!(error.to_string().contains("line 2") && !error.to_string().contains("Jowan"), "{error}");
    }
}
