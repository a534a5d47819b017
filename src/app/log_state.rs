//! Where the log stands: its newest checkpoint, who cosigned, and how long ago they saw it all.

use std::time::Duration;

use super::error::AppError;
use super::gateway::Gateway;
use super::held_checkpoint::parse_checkpoint;
use super::witness::witnessed_age;
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::tlog::cosignature::Witness;
use crate::tlog::note::SignedNote;

/// Bytes of a cosignature: when, and an Ed25519 signature. The log's own signature is without the time.
const COSIGNATURE_BYTES: usize = 72;

/// Where the log stands.
#[derive(Debug, Clone)]
pub struct LogState {
    /// The newest checkpoint that the log signed; none before the first entry has its place.
    pub newest: Option<Signed>,
    /// The newest one that enough witnesses cosigned.
    pub cosigned: Option<Signed>,
    /// The witnesses, where there are any.
    pub witnesses: Option<Watched>,
    /// Since when the oldest entry waits that has no place in the log yet.
    pub waiting_since: Option<Timestamp>,
    /// When it was so.
    pub now: Timestamp,
}

/// A signed checkpoint.
#[derive(Debug, Clone)]
pub struct Signed {
    /// How many entries it is about.
    pub size: u64,
    /// Its root hash, in base64.
    pub root: String,
    /// The note as it was signed.
    pub note: String,
    /// When the log signed it, for the newest one.
    pub at: Option<Timestamp>,
    /// Who cosigned it, and when by their own clocks.
    pub cosigners: Vec<(String, Timestamp)>,
}

/// What is known of the witnesses.
#[derive(Debug, Clone, Copy)]
pub struct Watched {
    /// How many there are.
    pub known: usize,
    /// How many have to have seen the log.
    pub quorum: usize,
    /// How long ago enough of them had seen all of it; none when they never had.
    pub age: Option<Duration>,
    /// Releases stop when that is longer ago.
    pub stop_after: Duration,
}

impl Gateway {
    /// Where the log stands now. It says nothing about anybody, so it is no look at the log.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn log_state(&self) -> Result<LogState, AppError> {
        let newest = self.store().newest_checkpoint().await?;
        let newest = newest.map(|(_, at, note)| signed(note, Some(at))).transpose()?;
        let cosigned = self.cosigned_checkpoint(u64::MAX).await?.map(|note| signed(note, None)).transpose()?;
        let witnesses = match self.witnesses() {
            None => None,
            Some(witnesses) => {
                let (known, quorum) = witnesses.numbers();
                let age = witnessed_age(self.store(), witnesses, &self.names().log).await?;
                Some(Watched { known, quorum, age, stop_after: witnesses.stop_after() })
            }
        };
        let waiting_since = self.store().waiting_since().await?;
        Ok(LogState { newest, cosigned, witnesses, waiting_since, now: self.store().now().await? })
    }
}

/// A checkpoint whose signatures were checked when they were taken.
fn signed(note: String, at: Option<Timestamp>) -> Result<Signed, AppError> {
    let corrupt = || AppError::Store(StoreError::Corrupt("checkpoint"));
    let checkpoint = parse_checkpoint(note.as_bytes()).ok_or_else(corrupt)?;
    let parsed = SignedNote::parse(note.as_bytes()).map_err(|_| corrupt())?;
    let cosignatures = parsed.signatures().iter().filter(|line| line.bytes().len() == COSIGNATURE_BYTES);
    let cosigners = cosignatures.filter_map(|line| {
        let seconds = i64::try_from(Witness::seconds(line)?).ok()?;
        Some((line.name().to_owned(), Timestamp::from_micros(0).plus_seconds(seconds)))
    });
    Ok(Signed { size: checkpoint.size, root: checkpoint.root.to_string(), cosigners: cosigners.collect(), note, at })
}
