//! How far witnesses have seen the log, by what they signed. The database says where their lines are
//! found; nothing that it says of them is believed without their signatures.

use std::time::Duration;

use super::Witnesses;
use crate::app::gateway::Gateway;
use crate::domain::time::Timestamp;
use crate::store::{Store, StoreError};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::cosignature::Witness;
use crate::tlog::note::{NoteVerifier as _, SignedNote};

/// Cosigned checkpoints that are looked through for one that enough witnesses cosigned.
const LOOKED_THROUGH: i64 = 64;
/// Lines of one witness that are looked through for one that is its own.
const LINES: i64 = 8;

impl Witnesses {
    /// When a witness signed this checkpoint, if the line is its cosignature of this log's checkpoint of
    /// this size.
    fn signed_at(&self, key: &str, log: &str, size: u64, note: &str, line: &str) -> Option<Timestamp> {
        let (_, witness) = self.known.iter().find(|(text, _)| text == key)?;
        let note = SignedNote::parse(format!("{note}{line}\n").as_bytes()).ok()?;
        let checkpoint = Checkpoint::parse(note.text()).ok()?;
        if checkpoint.size != size || checkpoint.origin != log {
            return None;
        }
        let is_its = |name: &str, id| name == witness.name() && id == witness.key_id();
        let line = note.signatures().iter().find(|line| is_its(line.name(), line.key_id()))?;
        if !witness.verify(note.text().as_bytes(), line.bytes()) {
            return None;
        }
        let seconds = i64::try_from(Witness::seconds(line)?).ok()?;
        Some(Timestamp::from_micros(0).plus_seconds(seconds))
    }

    /// Until when a witness has seen the log: no later than it signed, nor than the log went on after
    /// what it signed.
    async fn covered(&self, store: &Store, log: &str, key: &str) -> Result<Option<Timestamp>, StoreError> {
        let mut covered = None;
        for kept in store.newest_cosignatures(key, LINES).await? {
            let Some(signed_at) = self.signed_at(key, log, kept.size, &kept.note, &kept.line) else {
                tracing::error!(
                    code = "log.cosignature-altered",
                    log.size = kept.size,
                    "a stored cosignature is not the witness's: it counts for nothing"
                );
                continue;
            };
            let grown_at = store.grown_at(kept.size).await?.unwrap_or(signed_at);
            covered = covered.max(Some(signed_at.min(grown_at).min(kept.covers_until)));
        }
        Ok(covered)
    }
}

impl Gateway {
    /// The newest checkpoint of at most this size that a quorum cosigned, with their cosignatures.
    ///
    /// # Errors
    ///
    /// [`StoreError`] from the database.
    pub async fn cosigned_checkpoint(&self, up_to: u64) -> Result<Option<String>, StoreError> {
        let Some(witnesses) = self.witnesses() else { return Ok(None) };
        let (store, log) = (self.store(), self.names().log.as_str());
        for size in store.cosigned_sizes(LOOKED_THROUGH).await?.into_iter().filter(|size| *size <= up_to) {
            let Some(note) = store.checkpoint_of(size).await? else { continue };
            let lines = store.cosignatures(size).await?;
            let is_own = |key: &str, line: &str| witnesses.signed_at(key, log, size, &note, line).is_some();
            let lines: Vec<String> =
                lines.into_iter().filter(|it| is_own(&it.witness, &it.line)).map(|it| it.line + "\n").collect();
            if lines.len() >= witnesses.rule.quorum.max(1) {
                return Ok(Some(note + &lines.concat()));
            }
        }
        Ok(None)
    }
}

/// How long ago enough of the witnesses had seen the whole log; `None` when they never did.
///
/// # Errors
///
/// [`StoreError`] from the database.
pub async fn witnessed_age(store: &Store, witnesses: &Witnesses, log: &str) -> Result<Option<Duration>, StoreError> {
    let now = store.now().await?;
    let mut until = Vec::new();
    for (key, _) in &witnesses.known {
        until.extend(witnesses.covered(store, log, key).await?);
    }
    until.sort_unstable_by(|a, b| b.cmp(a));
    let oldest_of_quorum = witnesses.rule.quorum.checked_sub(1).and_then(|place| until.get(place));
    // Nobody has seen what has no place yet: a sequencer that stands still does not keep releases going.
    let waiting = store.waiting_since().await?;
    Ok(oldest_of_quorum.map(|at| {
        let at = waiting.map_or(*at, |waiting| waiting.min(*at));
        let micros = now.as_micros().saturating_sub(at.as_micros());
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }))
}
