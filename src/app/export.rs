//! The log is handed to an auditor: a folder that verifies offline, without us.

use std::path::{Path, PathBuf};

use super::error::AppError;
use super::gateway::GatewayKeys;
use crate::domain::ids::EventId;
use crate::store::{Store, StoreError};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::commitment::Opening;
use crate::tlog::tile::{self, BundleId, TileId};
use crate::tlog::verify::ExportFile;

/// Why an export stops.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no checkpoint yet.
    #[error("the log has no checkpoint yet: nothing was sequenced")]
    NoCheckpoint,
    /// The database failed, or holds something else than the log says.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Entries.
    pub entries: u64,
    /// Openings, when they were asked for.
    pub openings: u64,
}

/// Writes checkpoint, tiles and entry bundles of the newest checkpoint into a folder, and the
/// openings when keys to open them are given.
///
/// # Errors
///
/// [`ExportError`].
pub async fn export_log(
    store: &Store,
    keys_for_openings: Option<&GatewayKeys>,
    folder: &Path,
) -> Result<Exported, ExportError> {
    let (size, _, note) = store.newest_checkpoint().await?.ok_or(ExportError::NoCheckpoint)?;
    let text = note.split("\n\n").next().unwrap_or_default();
    let checkpoint = Checkpoint::parse(&format!("{text}\n")).map_err(|_| StoreError::Corrupt("checkpoint"))?;
    if checkpoint.size != size {
        return Err(StoreError::Corrupt("checkpoint").into());
    }
    write(folder, "checkpoint", note.as_bytes())?;
    for id in tile::tiles_written(0, size) {
        let data = store.log_tile(id.level, id.index).await?.ok_or(StoreError::Corrupt("a tile is missing"))?;
        // The tree may have grown since: the tile of this checkpoint is a prefix of the stored one.
        let data = data.get(..id.bytes()).ok_or(StoreError::Corrupt("a tile is too short"))?;
        write(folder, &TileId::to_string(&id), data)?;
    }
    let mut openings = 0;
    for id in tile::bundles_written(0, size) {
        let start = id.index * u64::from(tile::TILE_WIDTH);
        let end = start + u64::from(id.width);
        let mut bundle = Vec::new();
        for (_, body) in store.log_entries(start, end).await? {
            if !tile::push_entry(&mut bundle, &body) {
                return Err(StoreError::Corrupt("an entry is too long").into());
            }
        }
        write(folder, &BundleId::to_string(&id), &bundle)?;
        if let Some(keys) = keys_for_openings {
            let mut lines = String::new();
            for (event, field, sealed) in store.log_openings(start, end).await? {
                lines.push_str(&open(keys, event, &field, &sealed)?.to_line(event));
                lines.push('\n');
                openings += 1;
            }
            write(folder, &ExportFile::Openings(id.index).to_string(), lines.as_bytes())?;
        }
    }
    Ok(Exported { entries: size, openings })
}

/// Opens a sealed opening.
///
/// # Errors
///
/// [`AppError`] when it does not open.
pub fn open(keys: &GatewayKeys, event: EventId, field: &str, sealed: &[u8]) -> Result<Opening, AppError> {
    let plain = keys.fields.open("opening", field, event.as_bytes(), sealed);
    let plain = plain.map_err(|_| AppError::Store(StoreError::Corrupt("an opening does not open")))?;
    let (salt, value) = plain.split_at_checked(32).ok_or(StoreError::Corrupt("an opening is too short"))?;
    let salt = salt.try_into().map_err(|_| StoreError::Corrupt("an opening's salt"))?;
    Ok(Opening::new(field, salt, value.to_vec()))
}

fn write(folder: &Path, name: &str, data: &[u8]) -> Result<(), ExportError> {
    let path = folder.join(name);
    let failed = |source| ExportError::File { path: path.clone(), source };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    std::fs::write(&path, data).map_err(failed)
}
