//! The whole database, as it is at one moment, goes into one file that either engine can be restored from.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::transfer::{FileWriter, Header, TableHead, TransferError};
use crate::store::{SCHEMA_VERSION, Store, StoreError};

/// Why a backup was not made. No file is left then.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file is there already.
    #[error("{0} is there already: a backup never overwrites anything")]
    Exists(PathBuf),
    /// The file.
    #[error(transparent)]
    File(#[from] TransferError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<std::io::Error> for BackupError {
    fn from(error: std::io::Error) -> Self {
        Self::File(error.into())
    }
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// What it was made from.
    pub header: Header,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// The hash at its end.
    pub sha256: [u8; 32],
}

/// Writes every table into a new file, from one transaction that only reads: whatever is submitted,
/// asked or changed meanwhile is in it wholly or not at all, and nobody waits for it.
///
/// The file is readable by its owner alone, and has its name only once it is whole and on the disc.
///
/// # Errors
///
/// [`BackupError`].
pub async fn back_up(store: &Store, to: &Path) -> Result<BackedUp, BackupError> {
    store.check_schema().await?;
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = to.with_file_name(name);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
    let file = file.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => BackupError::Exists(part.clone()),
        _ => error.into(),
    })?;
    let written = write(store, file).await.and_then(|done| {
        // Not `rename`: a file that somebody else made meanwhile is not overwritten either.
        fs::hard_link(&part, to)?;
        Ok(done)
    });
    let _ = fs::remove_file(&part); // it has its name now, or is of no use
    let done = written?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(done)
}

async fn write(store: &Store, file: File) -> Result<BackedUp, BackupError> {
    let mut tx = store.begin_snapshot().await?;
    let tables = tx.tables().await?; // the first look: from here on nothing changes under us
    let head = tx.log_head().await?.ok_or(StoreError::Corrupt("the log is not open"))?;
    let header = Header {
        schema_version: SCHEMA_VERSION,
        engine: store.engine().name().to_owned(),
        made_at: tx.now().await?,
        log_origin: head.origin,
        log_size: head.size,
        log_pending: tx.pending_count().await? as u64,
        checkpoint: tx.newest_checkpoint().await?,
        tables: tables.iter().map(|table| table.name.clone()).collect(),
    };
    let mut writer = FileWriter::begin(BufWriter::new(file), &header)?;
    for table in &tables {
        writer.table(&TableHead::of(table))?;
        tx.each_row(table, &mut |cells| writer.row(cells)).await??;
        writer.end_table()?;
    }
    let (ended, mut buffer) = writer.end()?;
    buffer.flush()?;
    let file = buffer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    Ok(BackedUp { header, rows: ended.rows, bytes, sha256: ended.sha256 })
}
