//! What witnesses cosigned.

use super::statements::statements;
use super::value::{Row, values};
use super::{Store, StoreError, Tx};
use crate::domain::time::Timestamp;

statements! {
    ADD = "INSERT INTO log_cosignature (size, witness, signed_at, covers_until, line) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (size, witness) DO UPDATE SET
              signed_at = excluded.signed_at, covers_until = excluded.covers_until, line = excluded.line
           WHERE excluded.signed_at > log_cosignature.signed_at
             AND excluded.covers_until >= log_cosignature.covers_until";
    OF_SIZE = "SELECT witness, signed_at, covers_until, line FROM log_cosignature WHERE size = $1 ORDER BY witness";
    SIZES = "SELECT DISTINCT size FROM log_cosignature ORDER BY size DESC LIMIT $1";
    /// With the checkpoints that they are of, so that the signatures can be verified again.
    NEWEST_OF = "SELECT log_cosignature.size, log_cosignature.covers_until, log_cosignature.line, log_checkpoint.note
                 FROM log_cosignature JOIN log_checkpoint ON log_checkpoint.size = log_cosignature.size
                 WHERE log_cosignature.witness = $1 ORDER BY log_cosignature.covers_until DESC LIMIT $2";
    /// When the log went on after a checkpoint.
    NEXT_AT = "SELECT at FROM log_checkpoint WHERE size > $1 ORDER BY size LIMIT 1";
    /// Since when the log's oldest entry without a place waits.
    WAITING_SINCE = "SELECT MIN(event.at) FROM log_pending JOIN event ON event.id = log_pending.event";
    PENDING_OF_TYPE = "SELECT event.body FROM log_pending JOIN event ON event.id = log_pending.event
                       WHERE event.type = $1 ORDER BY event.at DESC, event.id DESC LIMIT 1";
    CHECKPOINT_OF = "SELECT note FROM log_checkpoint WHERE size = $1";
}

/// A cosignature that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCosignature {
    /// Size of the checkpoint.
    pub size: u64,
    /// Verifier key of the witness.
    pub witness: String,
    /// When, by the witness.
    pub signed_at: Timestamp,
    /// The log of up to this moment is under it.
    pub covers_until: Timestamp,
    /// The signature line.
    pub line: String,
}

/// A cosignature as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCosignature {
    /// Verifier key of the witness.
    pub witness: String,
    /// When, by the witness.
    pub signed_at: Timestamp,
    /// The signature line.
    pub line: String,
}

/// A cosignature with the checkpoint that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCosignature {
    /// Size of the checkpoint.
    pub size: u64,
    /// The log of up to this moment is under it, as it was found when it was taken.
    pub covers_until: Timestamp,
    /// The signature line.
    pub line: String,
    /// The checkpoint's note, as the log signed it.
    pub note: String,
}

impl Store {
    /// The cosignatures of the checkpoint with this size.
    pub async fn cosignatures(&self, size: u64) -> Result<Vec<StoredCosignature>, StoreError> {
        let rows = self.fetch_all(OF_SIZE, values![size as i64]).await?;
        let read = |row: &Row| {
            let signed_at = Timestamp::from_micros(row.int(1)?);
            Ok(StoredCosignature { witness: row.text(0)?, signed_at, line: row.text(3)? })
        };
        rows.iter().map(read).collect()
    }

    /// The sizes of checkpoints that somebody cosigned, largest first.
    pub async fn cosigned_sizes(&self, limit: i64) -> Result<Vec<u64>, StoreError> {
        let rows = self.fetch_all(SIZES, values![limit]).await?;
        rows.iter().map(|row| Ok(row.int(0)? as u64)).collect()
    }

    /// A witness's cosignatures that are said to cover most, newest first, with their checkpoints.
    pub async fn newest_cosignatures(&self, witness: &str, limit: i64) -> Result<Vec<KeptCosignature>, StoreError> {
        let rows = self.fetch_all(NEWEST_OF, values![witness, limit]).await?;
        let read = |row: &Row| {
            let covers_until = Timestamp::from_micros(row.int(1)?);
            Ok(KeptCosignature { size: row.int(0)? as u64, covers_until, line: row.text(2)?, note: row.text(3)? })
        };
        rows.iter().map(read).collect()
    }

    /// When the log went on after the checkpoint with this size; `None` when that is its newest.
    pub async fn grown_at(&self, size: u64) -> Result<Option<Timestamp>, StoreError> {
        let row = self.fetch_optional(NEXT_AT, values![size as i64]).await?;
        row.map(|row| Ok(Timestamp::from_micros(row.int(0)?))).transpose()
    }

    /// An entry of a type that waits for its place, the newest; `None` when none waits.
    pub async fn pending_of_type(&self, kind: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.fetch_optional(PENDING_OF_TYPE, values![kind]).await?;
        row.map(|row| row.bytes(0)).transpose()
    }

    /// Since when the oldest entry waits that has no place in the log; `None` when none waits.
    pub async fn waiting_since(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = self.fetch_optional(WAITING_SINCE, values![]).await?;
        row.map_or(Ok(None), |row| Ok(row.optional_int(0)?.map(Timestamp::from_micros)))
    }

    /// The note of the checkpoint with this size, as the log signed it.
    pub async fn checkpoint_of(&self, size: u64) -> Result<Option<String>, StoreError> {
        let row = self.fetch_optional(CHECKPOINT_OF, values![size as i64]).await?;
        row.map(|row| row.text(0)).transpose()
    }
}

impl Tx {
    /// When the log went on after the checkpoint with this size; `None` when that is its newest.
    pub async fn grown_at(&mut self, size: u64) -> Result<Option<Timestamp>, StoreError> {
        let row = self.fetch_optional(NEXT_AT, values![size as i64]).await?;
        row.map(|row| Ok(Timestamp::from_micros(row.int(0)?))).transpose()
    }

    /// Keeps a cosignature in the place of an earlier one of the same witness and checkpoint; one that is
    /// older than what is kept, or covers less, changes nothing.
    pub async fn put_cosignature(&mut self, new: &NewCosignature) -> Result<(), StoreError> {
        let NewCosignature { size, witness, signed_at, covers_until, line } = new;
        let values = values![*size as i64, witness, signed_at.as_micros(), covers_until.as_micros(), line];
        self.execute(ADD, values).await.map(drop)
    }
}
