//! The programme's row: what enquiries see, and the small numbers that packed tokens use.

use super::statements::statements;
use super::value::values;
use super::{Store, StoreError, Tx};
use crate::domain::ids::{ProgrammeCode, TokenType};
use crate::domain::time::Timestamp;

statements! {
    INSERT = "INSERT INTO programme (code, generation, policy_revision, publisher_until)
              VALUES ($1, 1, 1, 0) ON CONFLICT (code) DO NOTHING";
    VIEW = "SELECT generation, policy_revision FROM programme WHERE code = $1";
    KINDS = "SELECT kind, token_type, norm FROM token_kind WHERE programme = $1 ORDER BY kind";
    ADD_KIND = "INSERT INTO token_kind (programme, kind, token_type, norm)
                SELECT $1, CAST(COALESCE(MAX(kind), 0) + 1 AS BIGINT), $2, $3 FROM token_kind WHERE programme = $1
                ON CONFLICT (programme, token_type, norm) DO NOTHING";
    KEY_CHECK = "SELECT value FROM key_check WHERE programme = $1 AND epoch = $2 AND token_type = $3 AND norm = $4";
    ADD_KEY_CHECK = "INSERT INTO key_check (programme, epoch, token_type, norm, value) VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (programme, epoch, token_type, norm) DO NOTHING";
    KEY_CHECKS = "SELECT epoch, token_type, norm, value FROM key_check WHERE programme = $1
                  ORDER BY epoch, token_type, norm";
    RAISE_REVISION = "UPDATE programme SET policy_revision = policy_revision + 1 WHERE code = $1
                      RETURNING policy_revision";
    RAISE_ALL_REVISIONS = "UPDATE programme SET policy_revision = policy_revision + 1 RETURNING policy_revision";
}

/// What one enquiry sees, read once at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// The database's clock.
    pub now: Timestamp,
    /// Which rows are visible.
    pub generation: i64,
    /// Which state of agreements and policy documents holds.
    pub policy_revision: i64,
}

/// A token type and the small number that stands for it in packed tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKind {
    /// The small number.
    pub kind: u16,
    /// The type.
    pub token_type: TokenType,
    /// Its normalisation version.
    pub norm: u16,
}

/// A registered key check: everybody with the right key computes the same eight bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredKeyCheck {
    /// Linkage key epoch.
    pub epoch: u32,
    /// Token type.
    pub token_type: TokenType,
    /// Normalisation version.
    pub norm: u16,
    /// The eight bytes.
    pub value: [u8; 8],
}

impl Store {
    /// What an enquiry that starts now sees; `None` when the programme does not exist.
    pub async fn view(&self, programme: &ProgrammeCode) -> Result<Option<View>, StoreError> {
        let Some(row) = self.fetch_optional(self.engine().view_statement(), values![programme.as_str()]).await? else {
            return Ok(None);
        };
        Ok(Some(View {
            now: Timestamp::from_micros(row.int(0)?),
            generation: row.int(1)?,
            policy_revision: row.int(2)?,
        }))
    }

    /// The programme's token kinds in order.
    pub async fn token_kinds(&self, programme: &ProgrammeCode) -> Result<Vec<TokenKind>, StoreError> {
        let rows = self.fetch_all(KINDS, values![programme.as_str()]).await?;
        rows.iter()
            .map(|row| {
                Ok(TokenKind {
                    kind: u16::try_from(row.int(0)?).map_err(|_| StoreError::Corrupt("token kind"))?,
                    token_type: row.parsed(1, "token type")?,
                    norm: u16::try_from(row.int(2)?).map_err(|_| StoreError::Corrupt("norm"))?,
                })
            })
            .collect()
    }

    /// Every registered key check of a programme.
    pub async fn key_checks(&self, programme: &ProgrammeCode) -> Result<Vec<RegisteredKeyCheck>, StoreError> {
        let rows = self.fetch_all(KEY_CHECKS, values![programme.as_str()]).await?;
        rows.iter()
            .map(|row| {
                Ok(RegisteredKeyCheck {
                    epoch: u32::try_from(row.int(0)?).map_err(|_| StoreError::Corrupt("epoch"))?,
                    token_type: row.parsed(1, "token type")?,
                    norm: u16::try_from(row.int(2)?).map_err(|_| StoreError::Corrupt("norm"))?,
                    value: row.array(3, "key check")?,
                })
            })
            .collect()
    }
}

impl Tx {
    /// The policy revision and generation; they stay as they are until the transaction ends, so that what was
    /// decided on them is committed before any agreement, shield or record changes.
    pub async fn decided_on(&mut self, programme: &ProgrammeCode) -> Result<Option<(i64, i64)>, StoreError> {
        let row = self.fetch_optional(self.engine().decided_on_statement(), values![programme.as_str()]).await?;
        row.map(|row| Ok((row.int(1)?, row.int(0)?))).transpose()
    }

    /// Makes the programme's row if there is none.
    pub async fn ensure_programme(&mut self, programme: &ProgrammeCode) -> Result<(), StoreError> {
        self.execute(INSERT, values![programme.as_str()]).await.map(drop)
    }

    /// Whether the programme exists.
    pub async fn programme_exists(&mut self, programme: &ProgrammeCode) -> Result<bool, StoreError> {
        Ok(self.fetch_optional(VIEW, values![programme.as_str()]).await?.is_some())
    }

    /// Gives a token type its small number; one that has one keeps it.
    pub async fn ensure_token_kind(
        &mut self,
        programme: &ProgrammeCode,
        token_type: &TokenType,
        norm: u16,
    ) -> Result<(), StoreError> {
        self.execute(ADD_KIND, values![programme.as_str(), token_type.as_str(), i64::from(norm)]).await.map(drop)
    }

    /// Registers a key check the first time it is seen. Returns whether it agrees with what is registered.
    pub async fn register_key_check(
        &mut self,
        programme: &ProgrammeCode,
        check: &RegisteredKeyCheck,
    ) -> Result<bool, StoreError> {
        let (epoch, norm) = (i64::from(check.epoch), i64::from(check.norm));
        let (programme, token_type) = (programme.as_str(), check.token_type.as_str());
        self.execute(ADD_KEY_CHECK, values![programme, epoch, token_type, norm, &check.value]).await?;
        let row = self.fetch_optional(KEY_CHECK, values![programme, epoch, token_type, norm]).await?;
        Ok(row.ok_or(StoreError::Corrupt("key check"))?.array::<8>(0, "key check")? == check.value)
    }

    /// Waits until nothing that was decided on the present state is still to be committed.
    pub(super) async fn hold_view(&mut self, programme: Option<&ProgrammeCode>) -> Result<(), StoreError> {
        let Some(statement) = self.engine().hold_view_statement() else { return Ok(()) };
        self.fetch_all(statement, values![programme.map_or("", ProgrammeCode::as_str)]).await.map(drop)
    }

    /// Says that a policy document or an agreement's status changed: cached decisions end here.
    /// Returns the new revision, the highest where there are several programmes.
    pub async fn raise_policy_revision(&mut self, programme: Option<&ProgrammeCode>) -> Result<i64, StoreError> {
        self.hold_view(programme).await?;
        let rows = match programme {
            Some(programme) => self.fetch_all(RAISE_REVISION, values![programme.as_str()]).await?,
            None => self.fetch_all(RAISE_ALL_REVISIONS, values![]).await?,
        };
        rows.iter().try_fold(0, |most, row| Ok(most.max(row.int(0)?)))
    }
}
