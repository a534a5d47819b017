//! Proof that an entry is in the log, for somebody who keeps it and checks it offline.

use super::error::AppError;
use super::gateway::Gateway;
use crate::domain::ids::EventId;
use crate::store::StoreError;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::merkle::leaf_hash;
use crate::tlog::proof::{ProofFile, ProofPlan, includes};
use crate::tlog::tile::{Tiles, tiles_for};

/// What is said where an entry is not the one that was logged.
const ALTERED: StoreError = StoreError::Corrupt("an entry is not the one that was logged: verify the log");

/// Refuses a body that does not hash to its leaf.
pub(super) fn check_leaf(body: &[u8], leaf: &[u8; 32]) -> Result<(), AppError> {
    if leaf_hash(body).as_bytes() == leaf { Ok(()) } else { Err(ALTERED.into()) }
}

/// An entry with its proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedEntry {
    /// The event's id.
    pub event: EventId,
    /// The entry's exact text: its hash is the leaf.
    pub entry: String,
    /// The inclusion proof as a file of C2SP tlog-proof; absent while the entry has no place under a
    /// signed checkpoint yet.
    pub proof: Option<String>,
}

impl Gateway {
    /// An entry with the proof that it is under the newest checkpoint; `None` when there is no such entry.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn prove_entry(&self, event: EventId) -> Result<Option<ProvedEntry>, AppError> {
        let Some(body) = self.logged_body(event).await? else { return Ok(None) };
        let entry = String::from_utf8(body).map_err(|_| StoreError::Corrupt("a log entry"))?;
        let proof = self.inclusion_proof(event, entry.as_bytes()).await?.map(|proof| proof.render());
        Ok(Some(ProvedEntry { event, entry, proof }))
    }

    /// An entry's body, once it is the one that was logged: the hash beside it is that of its leaf.
    ///
    /// # Errors
    ///
    /// [`AppError`] when it was altered since.
    pub(super) async fn logged_body(&self, event: EventId) -> Result<Option<Vec<u8>>, AppError> {
        let Some((body, leaf)) = self.store().event_with_leaf(event).await? else { return Ok(None) };
        check_leaf(&body, &leaf)?;
        Ok(Some(body))
    }

    async fn inclusion_proof(&self, event: EventId, body: &[u8]) -> Result<Option<ProofFile>, AppError> {
        let Some(index) = self.store().leaf_index(event).await? else { return Ok(None) };
        let Some((size, _, note)) = self.store().newest_checkpoint().await? else { return Ok(None) };
        let text = note.split("\n\n").next().unwrap_or_default();
        let checkpoint = Checkpoint::parse(&format!("{text}\n")).map_err(|_| StoreError::Corrupt("checkpoint"))?;
        if checkpoint.size != size {
            return Err(StoreError::Corrupt("checkpoint").into());
        }
        let Ok(plan) = ProofPlan::inclusion(index, size) else { return Ok(None) }; // sequenced, not signed yet
        let mut tiles = Tiles::new(size);
        for id in tiles_for(plan.nodes(), size) {
            let data =
                self.store().log_tile(id.level, id.index).await?.ok_or(StoreError::Corrupt("a tile is missing"))?;
            // The tree may have grown since: the tile of this checkpoint is a prefix of the stored one.
            let data = data.get(..id.bytes()).ok_or(StoreError::Corrupt("a tile is too short"))?;
            tiles.insert(id, data.to_vec()).map_err(|_| StoreError::Corrupt("a tile"))?;
        }
        let hashes = plan.build(&tiles).map_err(|_| StoreError::Corrupt("a tile is missing"))?;
        // A body that was altered with its hash beside it is under no signed root.
        if !includes(size, &checkpoint.root, index, &leaf_hash(body), &hashes) {
            return Err(ALTERED.into());
        }
        Ok(Some(ProofFile { index, hashes, extra: None, checkpoint: note }))
    }
}
