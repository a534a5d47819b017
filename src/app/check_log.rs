//! The log in the database, checked whole: every entry, leaf, tile, checkpoint and the head.
//!
//! The tree is built again from the entries themselves, as the sequencer would, and everything that
//! is stored about it is compared with what comes out.

use std::collections::{BTreeMap, BTreeSet};

use super::error::AppError;
use crate::store::{StoreError, Tx};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::merkle::{Hash, leaf_hash};
use crate::tlog::note::{NoteVerifier, SignedNote};
use crate::tlog::sequence::{Head, Queued, SequenceError};
use crate::tlog::tile;

/// Entries that are looked at in one piece.
const PIECE: u64 = 512;
/// Checkpoints that are read in one piece.
const CHECKPOINTS: i64 = 256;

/// Why the log in a database is not whole.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    /// An entry.
    #[error("the log is damaged after entry {after}: {fault}")]
    Entry {
        /// How many entries before it are sound.
        after: u64,
        /// What is wrong.
        fault: SequenceError,
    },
    /// An entry that has a place is not there.
    #[error("the log is damaged: entry {0} is missing")]
    Missing(u64),
    /// A tile.
    #[error("the log is damaged: tile {0} does not follow from the entries")]
    Tile(tile::TileId),
    /// A checkpoint.
    #[error("the log is damaged: the checkpoint of size {0} is not of these entries")]
    Checkpoint(u64),
    /// A checkpoint's signature.
    #[error("the checkpoint of size {0} is not signed by a trusted log key")]
    Signature(u64),
    /// The newest entries are under no checkpoint: who put them there cannot be told.
    #[error("the log has {size} entries, but its newest checkpoint covers {signed}: the others are under no signature")]
    Unsigned {
        /// Entries that have a place.
        size: u64,
        /// Entries that the newest checkpoint covers; 0 when there is none.
        signed: u64,
    },
    /// The head.
    #[error("the log is damaged: its head does not follow from the entries")]
    Head,
    /// Entries and their queue or places do not agree.
    #[error("the log is damaged: {0} entries are in the database, but {1} have a place or wait for one")]
    Count(u64, u64),
    /// A queued entry.
    #[error("the log is damaged: a queued entry does not hash to its queued hash")]
    Queued,
    /// The log is not open.
    #[error("the database holds no log")]
    NoLog,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LogFault> for AppError {
    fn from(fault: LogFault) -> Self {
        match fault {
            LogFault::Store(error) => Self::Store(error),
            fault => Self::Policy(fault.to_string()),
        }
    }
}

/// What a whole log came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedLog {
    /// Its name.
    pub origin: String,
    /// Entries that have a place.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// Entries that wait for one.
    pub pending: u64,
    /// Checkpoints that agree.
    pub checkpoints: u64,
    /// The root at each of the sizes that were asked about, as far as the log goes.
    pub roots: BTreeMap<u64, Hash>,
}

/// Checks everything; the newest checkpoint has to cover every entry that has a place. `at` are sizes whose roots are wanted; without `keys` signatures are not looked at.
///
/// # Errors
///
/// [`LogFault`], the first that is found.
pub async fn check_log(tx: &mut Tx, keys: &[&dyn NoteVerifier], at: &BTreeSet<u64>) -> Result<CheckedLog, LogFault> {
    let stored = tx.log_head().await?.ok_or(LogFault::NoLog)?;
    let mut head = Head::empty(&stored.origin);
    let mut roots = BTreeMap::new();
    let (mut checkpoints, mut signed) = (0, 0);
    let mut due = tx.checkpoints_from(0, CHECKPOINTS).await?.into_iter().peekable();
    loop {
        let here = head.size();
        if at.contains(&here) {
            roots.insert(here, head.root());
        }
        while let Some((size, note)) = due.next_if(|(size, _)| *size <= here) {
            check_checkpoint(size, &note, &head, &stored.origin, keys)?;
            (checkpoints, signed) = (checkpoints + 1, size);
            if due.peek().is_none() {
                due = tx.checkpoints_from(size + 1, CHECKPOINTS).await?.into_iter().peekable();
            }
        }
        if here >= stored.size {
            break;
        }
        let next = due.peek().map_or(stored.size, |(size, _)| *size).min(here + PIECE).min(stored.size);
        let next = at.range(here + 1..).next().map_or(next, |size| next.min(*size));
        extend(tx, &mut head, next).await?;
    }
    if let Some((size, _)) = due.next() {
        return Err(LogFault::Checkpoint(size)); // of more entries than there are
    }
    // A place in the log and the checkpoint over it are written in one transaction: a log that goes on
    // behind its newest checkpoint was not written by its sequencer.
    if signed < stored.size {
        return Err(LogFault::Unsigned { size: stored.size, signed });
    }
    let edge: Vec<u8> = head.edge().roots().iter().flat_map(|root| *root.as_bytes()).collect();
    if edge != stored.edge {
        return Err(LogFault::Head);
    }
    for id in tile::open_tiles(stored.size) {
        let data = tx.log_tile(id.level, id.index).await?;
        if data.is_none_or(|data| data.len() != id.bytes()) {
            return Err(LogFault::Tile(id));
        }
    }
    let pending = check_queue(tx).await?;
    let (events, leaves) = tx.log_counts().await?;
    if leaves != stored.size || events != leaves + pending {
        return Err(LogFault::Count(events, leaves + pending));
    }
    Ok(CheckedLog { origin: stored.origin, size: stored.size, root: head.root(), pending, checkpoints, roots })
}

/// Builds the tree on to a size, comparing entries with leaves and tiles with what is stored.
async fn extend(tx: &mut Tx, head: &mut Head, to: u64) -> Result<(), LogFault> {
    let from = head.size();
    let leaves = tx.log_leaves(from, to).await?;
    let queued: Vec<Queued<'_>> = leaves
        .iter()
        .map(|leaf| Queued { event: leaf.id, leaf: Hash::new(leaf.leaf_hash), entry: &leaf.body })
        .collect();
    if queued.len() as u64 != to - from {
        return Err(LogFault::Missing(from + queued.len() as u64));
    }
    let growth = head.append(&queued).map_err(|fault| LogFault::Entry { after: from, fault })?;
    for (id, data) in growth.tiles {
        let stored = tx.log_tile(id.level, id.index).await?;
        // A tile that is stored may be wider by now.
        if !stored.is_some_and(|stored| stored.starts_with(&data) && stored.len() <= tile::FULL_BYTES) {
            return Err(LogFault::Tile(id));
        }
    }
    Ok(())
}

fn check_checkpoint(
    size: u64,
    note: &str,
    head: &Head,
    origin: &str,
    keys: &[&dyn NoteVerifier],
) -> Result<(), LogFault> {
    let signed = SignedNote::parse(note.as_bytes()).map_err(|_| LogFault::Checkpoint(size))?;
    let checkpoint = Checkpoint::parse(signed.text()).map_err(|_| LogFault::Checkpoint(size))?;
    let is_ours = checkpoint.origin == origin && checkpoint.size == size;
    if !is_ours || head.size() != size || checkpoint.root != head.root() {
        return Err(LogFault::Checkpoint(size));
    }
    if !keys.is_empty() && signed.verify(keys).is_err() {
        return Err(LogFault::Signature(size));
    }
    Ok(())
}

/// The queue: every entry hashes to what was queued with it.
async fn check_queue(tx: &mut Tx) -> Result<u64, LogFault> {
    let (mut pending, mut last) = (0, None);
    loop {
        let piece = tx.pending_after(last, PIECE as i64).await?;
        let Some(end) = piece.last() else { return Ok(pending) };
        last = Some(end.id);
        pending += piece.len() as u64;
        if piece.iter().any(|event| *leaf_hash(&event.body).as_bytes() != event.leaf_hash) {
            return Err(LogFault::Queued);
        }
    }
}
