//! Freezes on deletion.

use super::statements::statements;
use super::value::{Row, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{LegalHoldId, ProgrammeCode};
use crate::domain::retention::Hold;
use crate::domain::time::Timestamp;

statements! {
    ADD = "INSERT INTO legal_hold (id, programme, covers, name, reason, placed_by, placed_at, lifted_by, lifted_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, '', 0)";
    LIFT = "UPDATE legal_hold SET lifted_by = $2, lifted_at = $3 WHERE id = $1 AND lifted_at = 0";
    ALL = "SELECT id, covers, name, reason, placed_by, placed_at, lifted_by, lifted_at FROM legal_hold
           WHERE programme = $1 ORDER BY placed_at, id";
}

/// A freeze as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHold {
    /// Its number.
    pub id: LegalHoldId,
    /// What it covers.
    pub hold: Hold,
    /// Why, as a code.
    pub reason: String,
    /// The account that placed it.
    pub placed_by: String,
    /// When.
    pub placed_at: Timestamp,
    /// The account that lifted it, and when.
    pub lifted: Option<(String, Timestamp)>,
}

impl Store {
    /// Every freeze, lifted ones included, oldest first.
    pub async fn legal_holds(&self, programme: &ProgrammeCode) -> Result<Vec<StoredHold>, StoreError> {
        self.fetch_all(ALL, values![programme.as_str()]).await?.iter().map(read).collect()
    }
}

impl Tx {
    /// Every freeze, as this transaction sees it.
    pub async fn legal_holds(&mut self, programme: &ProgrammeCode) -> Result<Vec<StoredHold>, StoreError> {
        self.fetch_all(ALL, values![programme.as_str()]).await?.iter().map(read).collect()
    }

    /// Places a freeze.
    pub async fn add_legal_hold(&mut self, programme: &ProgrammeCode, hold: &StoredHold) -> Result<(), StoreError> {
        let values = values![
            hold.id.as_bytes(),
            programme.as_str(),
            hold.hold.covers(),
            hold.hold.name(),
            &hold.reason,
            &hold.placed_by,
            hold.placed_at.as_micros()
        ];
        self.execute(ADD, values).await.map(drop)
    }

    /// Lifts a freeze. False when none of this number stands.
    pub async fn lift_legal_hold(&mut self, id: LegalHoldId, by: &str, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.execute(LIFT, values![id.as_bytes(), by, now.as_micros()]).await? == 1)
    }
}

fn read(row: &Row) -> Result<StoredHold, StoreError> {
    let hold = Hold::parse(&row.text(1)?, &row.text(2)?).map_err(|_| StoreError::Corrupt("legal hold"))?;
    let lifted_at = row.int(7)?;
    Ok(StoredHold {
        id: LegalHoldId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("legal hold number"))?,
        hold,
        reason: row.text(3)?,
        placed_by: row.text(4)?,
        placed_at: Timestamp::from_micros(row.int(5)?),
        lifted: if lifted_at > 0 { Some((row.text(6)?, Timestamp::from_micros(lifted_at))) } else { None },
    })
}
