//! Tokens that must never match again. They are staged with the submission that names them and take
//! effect with the generation that shows it.

use super::bulk::BulkInsert;
use super::statements::statements;
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{ProgrammeCode, SubmissionId};
use crate::domain::token::Blinded;

pub(super) static STAGE: BulkInsert =
    BulkInsert::new("INSERT INTO retired_token (id, programme, blinded, staged_by, provenance) VALUES", 5, "");

statements! {
    IN_FORCE = "SELECT blinded FROM retired_token WHERE programme = $1 AND staged_by = $2";
    /// What a submission names and nobody named before.
    NAMED = "SELECT DISTINCT blinded FROM retired_token WHERE programme = $1 AND staged_by = $2
             AND blinded NOT IN (SELECT earlier.blinded FROM retired_token earlier
                                 WHERE earlier.programme = $1 AND earlier.staged_by = $3)
             ORDER BY blinded";
    DROP_KNOWN = "DELETE FROM retired_token WHERE programme = $1 AND staged_by = $2
                  AND blinded IN (SELECT earlier.blinded FROM retired_token earlier
                                  WHERE earlier.programme = $1 AND earlier.staged_by = $3)";
    TAKE_EFFECT = "UPDATE retired_token SET staged_by = $3 WHERE programme = $1 AND staged_by = $2";
    EVERY = "SELECT id, blinded, provenance FROM retired_token WHERE programme = $1 ORDER BY id";
    SET_BLINDED = "UPDATE retired_token SET blinded = $2 WHERE id = $1";
    RESEAL = "UPDATE retired_token SET provenance = $3 WHERE id = $1 AND provenance = $2";
    FORGET_FAILED = "DELETE FROM retired_token WHERE programme = $1 AND staged_by IN (
                       SELECT submission.id FROM submission
                       WHERE submission.programme = $1 AND submission.state = 'failed')";
}

/// In the column `staged_by` of what is in force.
const NOBODY: &[u8] = b"";

/// A token that an agency retires, as staged or as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredToken {
    /// A random id.
    pub id: [u8; 16],
    /// The token, blinded.
    pub blinded: Blinded,
    /// Sealed: who named it, and when.
    pub provenance: Vec<u8>,
}

impl Store {
    /// The tokens that match nothing any more.
    pub async fn retired_tokens(&self, programme: &ProgrammeCode) -> Result<Vec<Blinded>, StoreError> {
        read_blinded(&self.fetch_all(IN_FORCE, values![programme.as_str(), NOBODY]).await?)
    }

    /// The tokens that a submission retires and that nobody retired before.
    pub async fn newly_retired(
        &self,
        programme: &ProgrammeCode,
        submission: SubmissionId,
    ) -> Result<Vec<Blinded>, StoreError> {
        read_blinded(&self.fetch_all(NAMED, values![programme.as_str(), submission.as_bytes(), NOBODY]).await?)
    }

    /// Every retired token, staged ones included.
    pub async fn every_retired_token(&self, programme: &ProgrammeCode) -> Result<Vec<RetiredToken>, StoreError> {
        read(&self.fetch_all(EVERY, values![programme.as_str()]).await?)
    }
}

impl Tx {
    /// Stages tokens with the submission that retires them.
    pub async fn stage_retired(
        &mut self,
        programme: &ProgrammeCode,
        submission: SubmissionId,
        tokens: &[RetiredToken],
    ) -> Result<(), StoreError> {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(tokens.len() * 5);
        for token in tokens {
            values.extend([
                Value::from(&token.id),
                programme.as_str().into(),
                token.blinded.as_bytes().into(),
                submission.as_bytes().into(),
                Value::from(&token.provenance),
            ]);
        }
        self.insert_many(&STAGE, &values).await.map(drop)
    }

    /// Brings what a submission retires into force. What others retired before keeps its provenance.
    pub async fn retire_tokens(
        &mut self,
        programme: &ProgrammeCode,
        submission: SubmissionId,
    ) -> Result<(), StoreError> {
        let values = values![programme.as_str(), submission.as_bytes(), NOBODY];
        self.execute(DROP_KNOWN, values).await?;
        self.execute(TAKE_EFFECT, values).await.map(drop)
    }

    /// Every retired token, staged ones included.
    pub async fn every_retired_token(&mut self, programme: &ProgrammeCode) -> Result<Vec<RetiredToken>, StoreError> {
        read(&self.fetch_all(EVERY, values![programme.as_str()]).await?)
    }

    /// Gives a retired token its next form.
    pub async fn set_retired_token(&mut self, id: &[u8; 16], blinded: Blinded) -> Result<(), StoreError> {
        self.execute(SET_BLINDED, values![id, blinded.as_bytes()]).await.map(drop)
    }

    /// Puts provenance, sealed again, in the place of what was read.
    pub async fn replace_provenance(&mut self, token: &RetiredToken, sealed: &[u8]) -> Result<(), StoreError> {
        self.execute(RESEAL, values![&token.id, &token.provenance, sealed]).await.map(drop)
    }

    /// Removes what submissions that came to nothing would have retired.
    pub async fn forget_retirements(&mut self, programme: &ProgrammeCode) -> Result<(), StoreError> {
        self.execute(FORGET_FAILED, values![programme.as_str()]).await.map(drop)
    }
}

fn read_blinded(rows: &[Row]) -> Result<Vec<Blinded>, StoreError> {
    rows.iter().map(|row| Ok(Blinded::new(row.array(0, "retired token")?))).collect()
}

fn read(rows: &[Row]) -> Result<Vec<RetiredToken>, StoreError> {
    let one = |row: &Row| {
        Ok(RetiredToken {
            id: row.array(0, "id of a retired token")?,
            blinded: Blinded::new(row.array(1, "retired token")?),
            provenance: row.bytes(2)?,
        })
    };
    rows.iter().map(one).collect()
}
