//! A key of the gateway or the sequencer got a next version: the log says so.
//!
//! Written without the gateway's keys, because the sequencer's own user rotates the checkpoint key.

use crate::app::enrol::key_event;
use crate::app::error::AppError;
use crate::app::gateway::new_event;
use crate::crypto::random::{Random, random_bytes, uuid_v7};
use crate::domain::ids::EventId;
use crate::store::Store;
use crate::tlog::digest::Digest;

/// What became of a key.
#[derive(Debug, Clone, Copy)]
pub struct Rotation<'a> {
    /// Which key, with its version.
    pub key: &'a str,
    /// What it is for.
    pub used_for: &'a str,
    /// What happened.
    pub action: &'a str,
    /// Its public half, where it has one.
    pub public_key: Option<[u8; 32]>,
    /// Whose account did it.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// Writes an entry about a key into the log with this origin.
///
/// # Errors
///
/// [`AppError::Policy`] when account or reason is no code; database errors.
pub async fn note_rotation(
    store: &Store,
    origin: &str,
    random: &dyn Random,
    rotation: &Rotation<'_>,
) -> Result<(), AppError> {
    let public = rotation.public_key.map(|key| Digest::of(&key));
    let body = key_event(rotation.key, rotation.used_for, rotation.action, public, rotation.by, rotation.reason)?;
    let mut tx = store.begin().await?;
    let now = tx.now().await?;
    let id = EventId::new(uuid_v7(now, random));
    let event = new_event(origin, id, now, random_bytes(random), body)?;
    tx.add_events(&[&event]).await?;
    tx.commit().await?;
    Ok(())
}
