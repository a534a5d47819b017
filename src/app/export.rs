//! The log is handed to an auditor: a folder that verifies offline, without us.

mod texts;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::caller::AgencyCaller;
use super::error::AppError;
use super::gateway::{Gateway, GatewayKeys};
use super::held_checkpoint::parse_checkpoint;
use super::log_access::{Grounds, LogAccessError, MOST_TRIES, Seen};
use super::sequence::Sequencer;
use crate::domain::ids::{AgencyCode, EventId};
use crate::store::{Store, StoreError};
use crate::tlog::bundle::{Manifest, Scope};
use crate::tlog::canonical;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::commitment::Opening;
use crate::tlog::digest::Digest;
use crate::tlog::texts::NamedTexts;
use crate::tlog::tile::{self, BundleId, TileId};
use crate::tlog::verify::ExportFile;

/// How long to wait between looks for a place in the log, and how often.
const WAIT: Duration = Duration::from_millis(200);
const WAITS: u32 = 300;

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
    /// Nobody gives entries their places.
    #[error("the entry of the export got no place in the log within a minute")]
    NotSequenced,
    /// Another export got its place before this one was written.
    #[error("another export was recorded meanwhile: this one would name an earlier entry than the log's newest")]
    Superseded,
    /// What the reader may learn is not what it was when the export was logged.
    #[error("the agreements changed while the export waited for its place: nothing was written")]
    Changed,
    /// The agreements do not allow it, or the log cannot be read.
    #[error(transparent)]
    Access(#[from] LogAccessError),
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
    export(store, keys_for_openings, None, folder).await.map(|(exported, _)| exported)
}

/// As [`export_log`]; with the scope of a bundle, the openings that this scope has, and which texts the entries
/// name.
async fn export(
    store: &Store,
    keys_for_openings: Option<&GatewayKeys>,
    scope: Option<(EventId, &Scope)>,
    folder: &Path,
) -> Result<(Exported, NamedTexts), ExportError> {
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
    let (mut openings, mut newest, mut named) = (0, None, NamedTexts::default());
    for id in tile::bundles_written(0, size) {
        let start = id.index * u64::from(tile::TILE_WIDTH);
        let end = start + u64::from(id.width);
        let mut bundle = Vec::new();
        let mut shown: HashMap<EventId, &[&str]> = HashMap::new();
        for ((event, body), index) in store.log_entries(start, end).await?.into_iter().zip(start..) {
            newest = Scope::of_export(&body).map(|(event, _)| event).or(newest);
            if let (Some((_, scope)), Ok(entry)) = (scope, canonical::envelope(&body)) {
                shown.insert(event, scope.opened(entry.kind, entry.body));
                named.add(index, (entry.kind, entry.at, entry.body));
            }
            if !tile::push_entry(&mut bundle, &body) {
                return Err(StoreError::Corrupt("an entry is too long").into());
            }
        }
        write(folder, &BundleId::to_string(&id), &bundle)?;
        if let Some(keys) = keys_for_openings {
            let mut lines = String::new();
            for (event, field, sealed) in store.log_openings(start, end).await? {
                if scope.is_some() && !shown.get(&event).is_some_and(|fields| fields.contains(&field.as_str())) {
                    continue;
                }
                lines.push_str(&open(keys, event, &field, &sealed)?.to_line(event));
                lines.push('\n');
                openings += 1;
            }
            write(folder, &ExportFile::Openings(id.index).to_string(), lines.as_bytes())?;
        }
    }
    // A bundle that names an older export than the log's newest is a fault to every verifier.
    if scope.is_some_and(|(event, _)| newest != Some(event)) {
        return Err(ExportError::Superseded);
    }
    Ok((Exported { entries: size, openings }, named))
}

/// For whom a bundle is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFor {
    /// The account that makes it.
    pub by: String,
    /// The agency that reads it, and on what grounds: its agreement decides. None: the operator makes it, and
    /// without openings, which shows nobody.
    pub reader: Option<(AgencyCode, Grounds)>,
    /// Whether the openings go into it that the reader may see.
    pub with_openings: bool,
}

impl BundleFor {
    /// Whether openings go into it: only what somebody's agreement decides can have any.
    fn has_openings(&self) -> bool {
        self.with_openings && self.reader.is_some()
    }
}

impl Gateway {
    /// Makes an auditor's bundle: the export is decided and logged first, and has its own entry in it.
    ///
    /// # Errors
    ///
    /// [`ExportError`]; a refusal by agreement is in the log too.
    pub async fn export_bundle(
        &self,
        wanted: &BundleFor,
        keys_file: &[u8],
        sequencer: Option<&Sequencer>,
        folder: &Path,
    ) -> Result<(EventId, Exported), ExportError> {
        if wanted.has_openings() {
            self.check_witnesses().await?;
        }
        let size = self.store().log_head().await?.map_or(0, |head| head.size);
        let witnessed = self.cosigned_checkpoint(u64::MAX).await?;
        let witnessed = witnessed.and_then(|note| parse_checkpoint(note.as_bytes())).map(|checkpoint| checkpoint.size);
        let seen = Seen {
            action: "export",
            first: (size > 0).then_some(0),
            last: size.checked_sub(1),
            count: size,
            with_openings: wanted.has_openings(),
            keys_sha256: Some(Digest::of(keys_file)),
            witnessed,
            ..Seen::default()
        };
        let caller = wanted
            .reader
            .as_ref()
            .map(|(agency, grounds)| (AgencyCaller { agency: agency.clone(), client: wanted.by.clone() }, grounds));
        let (mut logged, mut decided) = (None, None);
        for _ in 0..MOST_TRIES {
            let look = match &caller {
                Some((caller, grounds)) => self.decide_look(caller, grounds).await?,
                None => self.operators_look(&wanted.by).await?,
            };
            logged = self.log_look(&look, &seen).await?;
            decided = look.decided.ok();
            if logged.is_some() {
                break;
            }
        }
        let event = logged.ok_or(AppError::Interrupted)?.disclosure;
        self.wait_signed(event, sequencer).await?;
        // The wait may be long: what was permitted before it has to be permitted still.
        if let Some((caller, grounds)) = &caller {
            if wanted.has_openings() {
                self.check_witnesses().await?;
            }
            if self.decide_look(caller, grounds).await?.decided.ok() != decided {
                return Err(ExportError::Changed);
            }
        }
        let entry = self.store().event_body(event).await?.ok_or(StoreError::Corrupt("a log entry"))?;
        let scope = Scope::of_entry(&entry, event).ok_or(StoreError::Corrupt("a log entry"))?;
        let keys = wanted.has_openings().then(|| self.keys());
        let (exported, named) = export(self.store(), keys, Some((event, &scope)), folder).await?;
        self.write_texts(&named, folder).await?;
        write(folder, &ExportFile::Manifest.to_string(), &Manifest::new(event).render())?;
        write(folder, &ExportFile::Keys.to_string(), keys_file)?;
        // A checkpoint that was cosigned meanwhile may be newer than the export: then the next one has it.
        if let Some(note) = self.cosigned_checkpoint(exported.entries).await? {
            write(folder, &ExportFile::Cosigned.to_string(), note.as_bytes())?;
        }
        Ok((event, exported))
    }

    /// Waits until an entry is under a signed checkpoint.
    async fn wait_signed(&self, event: EventId, sequencer: Option<&Sequencer>) -> Result<(), ExportError> {
        for _ in 0..WAITS {
            if let Some(sequencer) = sequencer {
                sequencer.drain().await?;
            }
            let signed = self.store().newest_checkpoint().await?.map_or(0, |(size, _, _)| size);
            if self.store().leaf_index(event).await?.is_some_and(|index| index < signed) {
                return Ok(());
            }
            tokio::time::sleep(WAIT).await;
        }
        Err(ExportError::NotSequenced)
    }
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
