//! The console's sessions, and sign-ins under way. Cookies are stored as hashes: whoever reads the
//! database can take over no session.

use super::statements::statements;
use super::value::{Row, values};
use super::{Store, StoreError, Tx};
use crate::domain::time::Timestamp;

statements! {
    ADD_SIGN_IN = "INSERT INTO console_sign_in (cookie, state, nonce, verifier, return_to, session, started_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
    TAKE_SIGN_IN = "DELETE FROM console_sign_in WHERE cookie = $1
                    RETURNING state, nonce, verifier, return_to, session, started_at";
    DROP_SIGN_INS = "DELETE FROM console_sign_in WHERE started_at < $1";
    ADD_SESSION = "INSERT INTO console_session (cookie, account, name, access, form_token, handles, authenticated_at,
                                                started_at, seen_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)";
    SESSION = "SELECT account, name, access, form_token, handles, authenticated_at, started_at, seen_at
               FROM console_session WHERE cookie = $1";
    SEEN = "UPDATE console_session SET seen_at = $2 WHERE cookie = $1 AND seen_at < $2";
    PROVED = "UPDATE console_session SET authenticated_at = $3 WHERE cookie = $1 AND account = $2 AND access = $4";
    END_OTHERS = "DELETE FROM console_session WHERE account = $1 AND access <> $2 RETURNING cookie";
    END_ALL = "DELETE FROM console_session WHERE account = $1 RETURNING cookie";
    DROP_SESSION = "DELETE FROM console_session WHERE cookie = $1";
    DROP_SESSIONS = "DELETE FROM console_session WHERE seen_at < $1 OR started_at < $2";
    ADD_HANDLE = "INSERT INTO console_handle (session, handle, sealed) VALUES ($1, $2, $3)
                  ON CONFLICT (session, handle) DO NOTHING";
    HANDLE = "SELECT sealed FROM console_handle WHERE session = $1 AND handle = $2";
}

/// A sign-in under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// What the provider has to give back.
    pub state: String,
    /// What the identity token has to hold.
    pub nonce: String,
    /// The proof key of the code exchange.
    pub verifier: String,
    /// The path of the console to go to afterwards.
    pub return_to: String,
    /// The session that asks for a fresh sign-in, by the hash of its cookie.
    pub session: Option<[u8; 32]>,
    /// When it began.
    pub started_at: Timestamp,
}

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// What the log calls the person.
    pub account: String,
    /// How they are greeted.
    pub name: String,
    /// Which line of the configuration let them in.
    pub access: String,
    /// What every form carries.
    pub form_token: String,
    /// Key of the handles on its pages.
    pub handles: [u8; 32],
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was last used.
    pub seen_at: Timestamp,
}

impl Store {
    /// The session of a cookie, by its hash.
    pub async fn console_session(&self, cookie: &[u8; 32]) -> Result<Option<StoredSession>, StoreError> {
        self.fetch_optional(SESSION, values![cookie]).await?.as_ref().map(read_session).transpose()
    }

    /// Whom a handle of a session stands for, as sealed.
    pub async fn console_handle(&self, session: &[u8; 32], handle: &[u8; 16]) -> Result<Option<Vec<u8>>, StoreError> {
        self.fetch_optional(HANDLE, values![session, handle]).await?.map(|row| row.bytes(0)).transpose()
    }
}

impl Tx {
    /// Keeps a sign-in that begins.
    pub async fn add_sign_in(&mut self, cookie: &[u8; 32], sign_in: &SignIn) -> Result<(), StoreError> {
        let session = sign_in.session.as_ref().map(<[u8; 32]>::as_slice);
        let added = values![
            cookie,
            &sign_in.state,
            &sign_in.nonce,
            &sign_in.verifier,
            &sign_in.return_to,
            session,
            sign_in.started_at.as_micros(),
        ];
        self.execute(ADD_SIGN_IN, added).await.map(drop)
    }

    /// Takes a sign-in: it is good once.
    pub async fn take_sign_in(&mut self, cookie: &[u8; 32]) -> Result<Option<SignIn>, StoreError> {
        let Some(row) = self.fetch_optional(TAKE_SIGN_IN, values![cookie]).await? else { return Ok(None) };
        let session: Option<[u8; 32]> = match row.optional_bytes(4)? {
            None => None,
            Some(bytes) => Some(bytes.try_into().map_err(|_| StoreError::Corrupt("a sign-in's session"))?),
        };
        Ok(Some(SignIn {
            state: row.text(0)?,
            nonce: row.text(1)?,
            verifier: row.text(2)?,
            return_to: row.text(3)?,
            session,
            started_at: Timestamp::from_micros(row.int(5)?),
        }))
    }

    /// Keeps a session that begins.
    pub async fn add_console_session(&mut self, cookie: &[u8; 32], session: &StoredSession) -> Result<(), StoreError> {
        let added = values![
            cookie,
            &session.account,
            &session.name,
            &session.access,
            &session.form_token,
            &session.handles,
            session.authenticated_at.as_micros(),
            session.started_at.as_micros(),
        ];
        self.execute(ADD_SESSION, added).await.map(drop)
    }

    /// Notes that a session is used.
    pub async fn note_console_use(&mut self, cookie: &[u8; 32], now: Timestamp) -> Result<(), StoreError> {
        self.execute(SEEN, values![cookie, now.as_micros()]).await.map(drop)
    }

    /// Notes that the person of a session proved anew who they are, and still has its line of access. Returns
    /// whether it is theirs.
    pub async fn note_fresh_proof(
        &mut self,
        cookie: &[u8; 32],
        account: &str,
        access: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.execute(PROVED, values![cookie, account, now.as_micros(), access]).await? == 1)
    }

    /// Ends every session of an account that another line of access opened than the one that it has now; all of
    /// them where it has none. Returns the hashes of their cookies.
    pub async fn end_console_sessions_of(
        &mut self,
        account: &str,
        access: Option<&str>,
    ) -> Result<Vec<[u8; 32]>, StoreError> {
        let rows = match access {
            Some(access) => self.fetch_all(END_OTHERS, values![account, access]).await?,
            None => self.fetch_all(END_ALL, values![account]).await?,
        };
        rows.iter().map(|row| row.array(0, "a session's cookie")).collect()
    }

    /// Keeps whom a handle of a session stands for; a handle that there is stays as it is.
    pub async fn add_console_handle(
        &mut self,
        session: &[u8; 32],
        handle: &[u8; 16],
        sealed: &[u8],
    ) -> Result<(), StoreError> {
        self.execute(ADD_HANDLE, values![session, handle, sealed]).await.map(drop)
    }

    /// Ends a session, and its handles with it. Returns whether there was one.
    pub async fn end_console_session(&mut self, cookie: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(self.execute(DROP_SESSION, values![cookie]).await? == 1)
    }

    /// Removes sign-ins that began, and sessions that were last used or began, before these moments.
    pub async fn drop_stale_console(
        &mut self,
        sign_ins: Timestamp,
        idle: Timestamp,
        started: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(DROP_SIGN_INS, values![sign_ins.as_micros()]).await?;
        self.execute(DROP_SESSIONS, values![idle.as_micros(), started.as_micros()]).await.map(drop)
    }
}

fn read_session(row: &Row) -> Result<StoredSession, StoreError> {
    Ok(StoredSession {
        account: row.text(0)?,
        name: row.text(1)?,
        access: row.text(2)?,
        form_token: row.text(3)?,
        handles: row.array(4, "a session's handles")?,
        authenticated_at: Timestamp::from_micros(row.int(5)?),
        started_at: Timestamp::from_micros(row.int(6)?),
        seen_at: Timestamp::from_micros(row.int(7)?),
    })
}
