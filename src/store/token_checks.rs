//! What the key custodian registered for the test people, and which systems came to the same.

use std::collections::BTreeSet;

use super::statements::statements;
use super::value::values;
use super::{Store, StoreError, Tx};
use crate::domain::ids::{ProgrammeCode, TokenType};
use crate::domain::time::Timestamp;

statements! {
    ADD_TEST_TOKEN = "INSERT INTO test_token (programme, epoch, token_type, norm, digest) VALUES ($1, $2, $3, $4, $5)
                      ON CONFLICT (programme, epoch, token_type, norm) DO NOTHING";
    TEST_TOKEN = "SELECT digest FROM test_token WHERE programme = $1 AND epoch = $2 AND token_type = $3 AND norm = $4";
    TEST_TOKENS = "SELECT epoch, token_type, digest FROM test_token WHERE programme = $1 AND norm = $2
                   ORDER BY epoch, token_type";
    PASS = "INSERT INTO token_check (programme, client, epoch, token_type, norm, checked_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (programme, client, epoch, token_type, norm) DO UPDATE SET checked_at = excluded.checked_at";
    FAIL = "DELETE FROM token_check WHERE programme = $1 AND client = $2 AND epoch = $3 AND token_type = $4 AND norm = $5";
    PASSED = "SELECT epoch, token_type FROM token_check WHERE programme = $1 AND client = $2 AND norm = $3
              ORDER BY epoch, token_type";
}

/// The hash that a custodian registered over the test people's tokens of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestToken {
    /// Linkage key epoch.
    pub epoch: u32,
    /// Token type.
    pub token_type: TokenType,
    /// The hash.
    pub digest: [u8; 32],
}

impl Store {
    /// What is registered for the test people.
    ///
    /// # Errors
    ///
    /// [`StoreError`] from the database.
    pub async fn test_tokens(&self, programme: &ProgrammeCode, norm: u16) -> Result<Vec<TestToken>, StoreError> {
        let rows = self.fetch_all(TEST_TOKENS, values![programme.as_str(), i64::from(norm)]).await?;
        let read = |row: &super::value::Row| {
            Ok(TestToken {
                epoch: u32::try_from(row.int(0)?).map_err(|_| StoreError::Corrupt("epoch"))?,
                token_type: row.parsed(1, "token type")?,
                digest: row.array(2, "test tokens")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// The epochs and types in which a system came to the registered tokens.
    ///
    /// # Errors
    ///
    /// [`StoreError`] from the database.
    pub async fn token_checks(
        &self,
        programme: &ProgrammeCode,
        client: &str,
        norm: u16,
    ) -> Result<BTreeSet<(u32, TokenType)>, StoreError> {
        let rows = self.fetch_all(PASSED, values![programme.as_str(), client, i64::from(norm)]).await?;
        let read = |row: &super::value::Row| {
            let epoch = u32::try_from(row.int(0)?).map_err(|_| StoreError::Corrupt("epoch"))?;
            Ok((epoch, row.parsed(1, "token type")?))
        };
        rows.iter().map(read).collect()
    }
}

impl Tx {
    /// Registers the hash of a type; `false` when another is registered, which stays.
    ///
    /// # Errors
    ///
    /// [`StoreError`] from the database.
    pub async fn register_test_token(
        &mut self,
        programme: &ProgrammeCode,
        norm: u16,
        test: &TestToken,
    ) -> Result<bool, StoreError> {
        let (epoch, norm) = (i64::from(test.epoch), i64::from(norm));
        let (programme, token_type) = (programme.as_str(), test.token_type.as_str());
        self.execute(ADD_TEST_TOKEN, values![programme, epoch, token_type, norm, &test.digest]).await?;
        let row = self.fetch_optional(TEST_TOKEN, values![programme, epoch, token_type, norm]).await?;
        Ok(row.ok_or(StoreError::Corrupt("test tokens"))?.array::<32>(0, "test tokens")? == test.digest)
    }

    /// Notes whether a system came to the registered tokens of a type.
    ///
    /// # Errors
    ///
    /// [`StoreError`] from the database.
    pub async fn note_token_check(
        &mut self,
        (programme, client): (&ProgrammeCode, &str),
        (epoch, token_type, norm): (u32, &TokenType, u16),
        passed_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let programme = programme.as_str();
        let (epoch, norm, token_type) = (i64::from(epoch), i64::from(norm), token_type.as_str());
        match passed_at {
            Some(at) => {
                self.execute(PASS, values![programme, client, epoch, token_type, norm, at.as_micros()]).await?;
            }
            None => {
                self.execute(FAIL, values![programme, client, epoch, token_type, norm]).await?;
            }
        }
        Ok(())
    }
}
