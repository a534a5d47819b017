//! A backup becomes a database again, of either engine, once it has shown that it is whole.
//!
//! The file is read twice: first to check its hash, then to load it, in one transaction. Before that
//! is committed the log is built again from its entries and compared with every tile and checkpoint,
//! and with the checkpoints that are known from elsewhere. A backup that is older than one of these
//! is refused: restoring it takes disclosures back that were made, which somebody has to accept by
//! name, in the log.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::check_log::{CheckedLog, LogFault, check_log};
use super::enrol::code;
use super::error::AppError;
use super::gateway::new_event;
use super::transfer::{Ended, FileReader, Frame, Header, TransferError};
use crate::crypto::random::{Random, random_bytes, uuid_v7};
use crate::domain::ids::EventId;
use crate::store::{SCHEMA_VERSION, Store, StoreError, Table, Tx};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, LogRestore};
use crate::tlog::note::NoteVerifier;

/// Tables that hold nothing in a database that was never used.
const UNUSED: [&str; 6] = ["agency", "document", "event", "log_leaf", "programme", "submission"];

/// Why nothing was restored. The database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file.
    #[error(transparent)]
    File(#[from] TransferError),
    /// The schema of the backup is not this binary's.
    #[error("the backup's schema is version {0}, this binary's is {SCHEMA_VERSION}")]
    Schema(i64),
    /// The database is in use.
    #[error("the database is not empty: a backup is restored only into one that was never used")]
    NotEmpty,
    /// The backup holds other tables or columns than the schema.
    #[error("the backup's tables are not those of the schema: {0}")]
    Tables(String),
    /// The backup is of another log than the configuration or a checkpoint names.
    #[error("the backup is of another log")]
    OtherLog,
    /// The log in the backup is not whole.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// A checkpoint from elsewhere says something else about the same entries.
    #[error("the backup's log is another history than the checkpoint of size {0}")]
    Fork(u64),
    /// The backup is older than a checkpoint from elsewhere.
    #[error("{0}")]
    Loss(Loss),
    /// The loss cannot be logged.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

impl From<std::io::Error> for RestoreError {
    fn from(error: std::io::Error) -> Self {
        Self::File(error.into())
    }
}

/// How much of the log a backup lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log had {known} entries at the checkpoint, the backup's has {found}: {missing} entries are missing ({pending} \
     entries wait in the backup's queue, and may be among them)"
)]
pub struct Loss {
    /// Entries at the newest checkpoint that is known.
    pub known: u64,
    /// Entries in the backup's log.
    pub found: u64,
    /// The difference.
    pub missing: u64,
    /// Entries that wait in the backup's queue.
    pub pending: u64,
}

/// Who accepts that entries are lost, and why.
#[derive(Debug, Clone, Copy)]
pub struct Acceptance<'a> {
    /// The account, for the log.
    pub by: &'a str,
    /// A code, for the log.
    pub reason: &'a str,
}

/// What a restore goes by.
#[derive(Clone, Copy)]
pub struct RestoreTerms<'a> {
    /// The log's origin by the configuration.
    pub log_origin: &'a str,
    /// Checkpoints that are known from elsewhere.
    pub known: &'a [Checkpoint],
    /// Keys that sign checkpoints; without any, signatures are not looked at.
    pub log_keys: &'a [&'a dyn NoteVerifier],
    /// Whether a loss is accepted.
    pub accept_loss: Option<Acceptance<'a>>,
}

/// What was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What the backup was made from.
    pub header: Header,
    /// Rows of all tables.
    pub rows: u64,
    /// The backup's hash.
    pub sha256: [u8; 32],
    /// The log, checked.
    pub log: CheckedLog,
    /// The loss that was accepted.
    pub loss: Option<Loss>,
}

/// Restores a backup into an empty database; makes the schema where there is none.
///
/// # Errors
///
/// [`RestoreError`]; no row is stored then.
pub async fn restore(
    store: &Store,
    from: &Path,
    terms: RestoreTerms<'_>,
    random: &dyn Random,
) -> Result<Restored, RestoreError> {
    let (header, ended) = inspect(from)?;
    if header.schema_version != SCHEMA_VERSION {
        return Err(RestoreError::Schema(header.schema_version));
    }
    let is_ours = |checkpoint: &Checkpoint| checkpoint.origin == header.log_origin;
    if header.log_origin != terms.log_origin || !terms.known.iter().all(is_ours) {
        return Err(RestoreError::OtherLog);
    }
    if store.schema_found().await?.0 == 0 {
        store.migrate().await?;
    }
    store.check_schema().await?;
    let mut tx = store.begin().await?;
    let tables = tx.tables().await?;
    refuse_used(&mut tx, &tables).await?;
    load(&mut tx, &tables, from, &ended).await?;
    let at: BTreeSet<u64> = terms.known.iter().map(|checkpoint| checkpoint.size).collect();
    let log = check_log(&mut tx, terms.log_keys, &at).await?;
    if log.origin != header.log_origin {
        return Err(RestoreError::OtherLog);
    }
    let loss = compare(&log, terms)?;
    if let Some((loss, known)) = &loss {
        let accepted = terms.accept_loss.ok_or(RestoreError::Loss(*loss))?;
        let now = tx.now().await?;
        let body = Body::LogRestore(LogRestore {
            size: log.size,
            root: Digest::new(*log.root.as_bytes()),
            known_size: known.size,
            known_root: Digest::new(*known.root.as_bytes()),
            missing: loss.missing,
            backup_sha256: Digest::new(ended.sha256),
            by: code(accepted.by)?,
            reason: code(accepted.reason)?,
        });
        let id = EventId::new(uuid_v7(now, random));
        tx.add_events(&[&new_event(&log.origin, id, now, random_bytes(random), body)?]).await?;
    }
    tx.commit().await?;
    store.refresh_statistics().await?;
    Ok(Restored { header, rows: ended.rows, sha256: ended.sha256, log, loss: loss.map(|(loss, _)| loss) })
}

/// Reads a backup to its end; only a whole one has an end that agrees.
///
/// # Errors
///
/// [`TransferError`].
pub fn inspect(path: &Path) -> Result<(Header, Ended), TransferError> {
    let mut reader = FileReader::begin(BufReader::new(File::open(path)?))?;
    loop {
        if let Frame::End(ended) = reader.next_frame()? {
            return Ok((reader.header().clone(), ended));
        }
    }
}

async fn refuse_used(tx: &mut Tx, tables: &[Table]) -> Result<(), RestoreError> {
    for table in tables.iter().filter(|table| UNUSED.contains(&table.name.as_str())) {
        if tx.count_rows(table).await? > 0 {
            return Err(RestoreError::NotEmpty);
        }
    }
    Ok(())
}

/// Fills every table from the file.
async fn load(tx: &mut Tx, tables: &[Table], from: &Path, whole: &Ended) -> Result<(), RestoreError> {
    // What migrations put there comes from the backup as well.
    for table in tables.iter().rev() {
        tx.clear_table(table).await?;
    }
    let mut reader = FileReader::begin(BufReader::new(File::open(from)?))?;
    let mut missing: BTreeSet<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let mut current: Option<Table> = None;
    let mut waiting = Vec::new();
    loop {
        match reader.next_frame()? {
            Frame::Table(head) => {
                let table = tables.iter().find(|table| table.name == head.name && missing.contains(&*table.name));
                let matching = table.and_then(|table| head.in_order_of(table));
                let matching = matching.ok_or_else(|| RestoreError::Tables(head.name.clone()))?;
                missing.remove(head.name.as_str());
                current = Some(matching);
            }
            Frame::Rows(rows) => {
                let table = current.as_ref().ok_or(TransferError::Malformed("rows without a table"))?;
                waiting.extend(rows);
                let whole_pieces = waiting.len() - waiting.len() % Tx::rows_at_once(table);
                let rest = waiting.split_off(whole_pieces);
                tx.insert_rows(table, &waiting).await?;
                waiting = rest;
            }
            Frame::EndOfTable => {
                if let Some(table) = current.take() {
                    tx.insert_rows(&table, &waiting).await?;
                }
                waiting.clear();
            }
            Frame::End(ended) if ended == *whole => break,
            Frame::End(_) => return Err(TransferError::Altered.into()), // it changed since it was inspected
        }
    }
    match missing.first() {
        None => Ok(()),
        Some(name) => Err(RestoreError::Tables((*name).to_owned())),
    }
}

/// Compares the log with what is known from elsewhere.
fn compare(log: &CheckedLog, terms: RestoreTerms<'_>) -> Result<Option<(Loss, Checkpoint)>, RestoreError> {
    for known in terms.known.iter().filter(|known| known.size <= log.size) {
        if log.roots.get(&known.size) != Some(&known.root) {
            return Err(RestoreError::Fork(known.size));
        }
    }
    let newest = terms.known.iter().filter(|known| known.size > log.size).max_by_key(|known| known.size);
    Ok(newest.map(|known| {
        let missing = known.size - log.size;
        (Loss { known: known.size, found: log.size, missing, pending: log.pending }, known.clone())
    }))
}
