//! What witnesses cosigned.

use super::statements::statements;
use super::value::{Row, values};
use super::{Store, StoreError, Tx};
use crate::domain::time::Timestamp;

statements! {
    ADD = "INSERT INTO log_cosignature (size, witness, signed_at, covers_until, line) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (size, witness) DO UPDATE SET
              signed_at = excluded.signed_at, covers_until = excluded.covers_until, line = excluded.line";
    OF_SIZE = "SELECT witness, signed_at, covers_until, line FROM log_cosignature WHERE size = $1 ORDER BY witness";
    SIZES = "SELECT DISTINCT size FROM log_cosignature ORDER BY size DESC LIMIT $1";
    /// Until when each witness has seen the log.
    COVERED = "SELECT witness, MAX(covers_until) FROM log_cosignature GROUP BY witness ORDER BY witness";
    /// When the log went on after a checkpoint.
    NEXT_AT = "SELECT at FROM log_checkpoint WHERE size > $1 ORDER BY size LIMIT 1";
    /// Since when the log's oldest entry without a place waits.
    WAITING_SINCE = "SELECT MIN(event.at) FROM log_pending JOIN event ON event.id = log_pending.event";
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

    /// Until when each witness has seen the log.
    pub async fn witnessed_until(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let rows = self.fetch_all(COVERED, values![]).await?;
        rows.iter().map(|row| Ok((row.text(0)?, Timestamp::from_micros(row.int(1)?)))).collect()
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

    /// Keeps a cosignature in the place of an earlier one of the same witness and checkpoint.
    pub async fn put_cosignature(&mut self, new: &NewCosignature) -> Result<(), StoreError> {
        let NewCosignature { size, witness, signed_at, covers_until, line } = new;
        let values = values![*size as i64, witness, signed_at.as_micros(), covers_until.as_micros(), line];
        self.execute(ADD, values).await.map(drop)
    }
}
