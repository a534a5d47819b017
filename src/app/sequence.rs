//! Entries get their places in the log, and the log a signed checkpoint.
//!
//! Only this journey holds the checkpoint key: in production it runs as `porth sequence`, a process
//! and user of its own. Several may run; the row lock on the head keeps them apart, and the unique
//! keys of the leaves catch what a lock cannot.

use super::error::AppError;
use super::signers::KeySigner;
use crate::crypto::sign::SigningKey;
use crate::store::{Store, StoreError, Tx};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::merkle::{Edge, Hash};
use crate::tlog::sequence::{Head, Queued};
use crate::tlog::tile;

/// Most entries that one step takes.
const MOST: i64 = 5000;

/// Gives entries their places.
pub struct Sequencer {
    store: Store,
    key: SigningKey,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// How many entries got their places.
    pub added: u64,
    /// The log's size now.
    pub size: u64,
}

impl Sequencer {
    /// A sequencer with the checkpoint key.
    pub fn new(store: Store, key: SigningKey) -> Self {
        Self { store, key }
    }

    /// Takes what is queued, up to a few thousand entries, and signs a checkpoint.
    ///
    /// # Errors
    ///
    /// [`AppError`]; the log is then as before. An entry whose bytes changed since they were
    /// committed stops the log here, and the event is named.
    pub async fn step(&self) -> Result<Step, AppError> {
        let is_signed = self.store.newest_checkpoint().await?.is_some();
        if is_signed && self.store.pending_count().await? == 0 {
            let size = self.store.log_head().await?.map_or(0, |head| head.size);
            return Ok(Step { added: 0, size });
        }
        let mut tx = self.store.begin().await?;
        let stored = tx.lock_log().await?.ok_or(AppError::Internal("the log is not open: run `porth migrate`"))?;
        let pending = tx.pending_events(MOST).await?;
        if pending.is_empty() && is_signed {
            return Ok(Step { added: 0, size: stored.size }); // another sequencer was first
        }
        let mut head = restore(&mut tx, &stored).await?;
        let queued: Vec<Queued<'_>> = pending
            .iter()
            .map(|event| Queued { event: event.id, leaf: Hash::new(event.leaf_hash), entry: &event.body })
            .collect();
        let first = head.size();
        let growth = head.append(&queued).map_err(|error| {
            tracing::error!(error = %error, "the log cannot grow");
            AppError::Internal("an entry changed between its commit and its place in the log")
        })?;
        let leaves: Vec<_> = growth.leaves.iter().map(|leaf| (leaf.event, *leaf.hash.as_bytes())).collect();
        tx.append_leaves(first, &leaves).await?;
        let tiles: Vec<(u8, u64, Vec<u8>)> =
            growth.tiles.into_iter().map(|(id, data)| (id.level, id.index, data)).collect();
        tx.put_tiles(&tiles).await?;
        let edge: Vec<u8> = head.edge().roots().iter().flat_map(|root| *root.as_bytes()).collect();
        tx.move_head(growth.size, &edge).await?;
        let now = tx.now().await?;
        let note = self.sign(&stored.origin, growth.size, growth.root)?;
        tx.put_checkpoint(growth.size, now, &note).await?;
        tx.commit().await?;
        metrics::counter!("porth_log_entries").increment(leaves.len() as u64);
        Ok(Step { added: leaves.len() as u64, size: growth.size })
    }

    /// Takes everything that is queued.
    ///
    /// # Errors
    ///
    /// As [`Self::step`].
    pub async fn drain(&self) -> Result<Step, AppError> {
        let mut total = 0;
        loop {
            let step = self.step().await?;
            total += step.added;
            if step.added == 0 {
                return Ok(Step { added: total, size: step.size });
            }
        }
    }

    fn sign(&self, origin: &str, size: u64, root: Hash) -> Result<String, AppError> {
        let checkpoint = Checkpoint { origin: origin.to_owned(), size, root };
        let note = checkpoint.sign(&[&KeySigner::new(origin, &self.key)]);
        note.map(|note| note.to_string()).map_err(|_| AppError::Internal("a checkpoint cannot be signed"))
    }
}

async fn restore(tx: &mut Tx, stored: &crate::store::StoredHead) -> Result<Head, AppError> {
    let corrupt = || AppError::Store(StoreError::Corrupt("the log's head"));
    let (pieces, rest) = stored.edge.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(corrupt());
    }
    let roots = pieces.iter().map(|piece| Hash::new(*piece)).collect();
    let edge = Edge::from_parts(stored.size, roots).map_err(|_| corrupt())?;
    let mut tiles = Vec::new();
    for id in tile::open_tiles(stored.size) {
        let data = tx.log_tile(id.level, id.index).await?.ok_or_else(corrupt)?;
        tiles.push((id, data));
    }
    Head::restore(&stored.origin, edge, &tiles).map_err(|_| corrupt())
}

/// Opens the log under a name, unless it is open.
///
/// # Errors
///
/// [`AppError`] from the database; [`AppError::Policy`] when it is open under another name.
pub async fn open_log(store: &Store, origin: &str) -> Result<(), AppError> {
    let mut tx = store.begin().await?;
    tx.create_log(origin).await?;
    tx.commit().await?;
    match store.log_head().await? {
        Some(head) if head.origin == origin => Ok(()),
        Some(head) => Err(AppError::Policy(format!("the log is open under another name, {}", head.origin))),
        None => Err(AppError::Internal("the log did not open")),
    }
}
