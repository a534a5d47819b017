//! People sign in to the console, and work in sessions that the database keeps.
//!
//! What a browser holds is a random cookie; the database holds its hash. A session ends when it is not
//! used for a while, at the end of a working day, and when its person leaves. Whatever counts as a
//! decision needs a fresh proof of who they are.

pub mod handles;

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::error::AppError;
use super::gateway::Gateway;
use crate::crypto::jwt::SignedIn;
use crate::crypto::random::random_bytes;
use crate::domain::time::Timestamp;
use crate::domain::token::{decode_base64url, encode_base64url};
use crate::store::{SignIn, StoreError, StoredSession, Tx};

/// Who lets people in where no provider does: the page on which anybody signs in as anybody.
pub const DEMONSTRATION: &str = "demonstration";
/// How long a sign-in at the provider may take, in seconds.
const SIGN_IN_SECONDS: i64 = 10 * 60;
/// After how long without use a session ends, in seconds.
pub const IDLE_SECONDS: i64 = 20 * 60;
/// How long a session lasts at the most, in seconds.
pub const LONGEST_SECONDS: i64 = 8 * 60 * 60;
/// How old the proof of who somebody is may be for a decision, in seconds.
pub const FRESH_SECONDS: i64 = 5 * 60;
/// How old the noted time of use may become before it is noted again, in seconds.
const NOTE_SECONDS: i64 = 30;

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// No sign-in of this browser is under way, or it took too long.
    #[error("no sign-in of this browser is under way")]
    NoSignIn,
    /// The provider's answer belongs to another sign-in.
    #[error("the answer belongs to another sign-in")]
    State,
    /// A fresh proof was asked for, and somebody else signed in.
    #[error("somebody else signed in")]
    OtherPerson,
    /// A fresh proof was asked for, and the provider does not say that it saw the person since.
    #[error("your organisation's sign-in does not say that you signed in just now")]
    NotSince,
    /// The provider knows the person, and none of their claims is on a line of access.
    #[error("your organisation knows you, and gives you no role in this console{}", ending(*.ended))]
    NoRole {
        /// Whether they had sessions, which are ended.
        ended: bool,
    },
    /// A fresh proof was asked for, and the person has another role by now.
    #[error("your organisation gives you another role by now, so your session here has ended")]
    OtherRole,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl ConsoleError {
    /// Whether the sign-in ended the session that it was for.
    pub const fn ended_session(&self) -> bool {
        matches!(self, Self::NoRole { ended: true } | Self::OtherRole)
    }
}

const fn ending(ended: bool) -> &'static str {
    if ended { " any more, so your session here has ended" } else { "" }
}

impl From<StoreError> for ConsoleError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// A cookie's value. Whoever has it is signed in, so it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie(String);

impl Cookie {
    /// Reads a cookie that a browser sent.
    pub fn parse(text: &str) -> Option<Self> {
        decode_base64url::<32>(text).map(|_| Self(text.to_owned()))
    }

    /// The value, for the browser alone.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(redacted)")
    }
}

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Binds it to the browser.
    pub cookie: Cookie,
    /// What the provider has to give back.
    pub state: String,
    /// What the identity token has to hold.
    pub nonce: String,
    /// The proof key of the code exchange.
    pub verifier: String,
}

/// A session of somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its cookie.
    pub cookie: Cookie,
    /// What the log calls the person.
    pub account: String,
    /// How they are greeted.
    pub name: String,
    /// Which line of the configuration let them in.
    pub access: String,
    /// What every form carries, so that no other site can send one.
    pub form_token: String,
    /// Key of the handles that stand for people on its pages.
    pub handles: [u8; 32],
    /// Whether the person proved a moment ago who they are.
    pub is_fresh: bool,
    /// Seconds until it ends unless it is used.
    pub ends_in: i64,
}

impl Gateway {
    /// Begins a sign-in. With a session it is for a fresh proof by the same person.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn begin_sign_in(&self, return_to: &str, session: Option<&Session>) -> Result<Begun, AppError> {
        let text = || encode_base64url(&random_bytes::<32>(self.random()));
        let begun = Begun { cookie: Cookie(text()), state: text(), nonce: text(), verifier: text() };
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        drop_stale(&mut tx, now).await?;
        let sign_in = SignIn {
            state: begun.state.clone(),
            nonce: begun.nonce.clone(),
            verifier: begun.verifier.clone(),
            return_to: own_path(return_to).to_owned(),
            session: session.map(|session| session.cookie.hash()),
            started_at: now,
        };
        tx.add_sign_in(&begun.cookie.hash(), &sign_in).await?;
        tx.commit().await?;
        Ok(begun)
    }

    /// Takes the sign-in to which a provider's answer belongs. It is good once, whatever comes of it.
    ///
    /// # Errors
    ///
    /// [`ConsoleError::NoSignIn`], [`ConsoleError::State`].
    pub async fn take_sign_in(&self, cookie: &Cookie, state: &str) -> Result<(SignIn, Timestamp), ConsoleError> {
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let taken = tx.take_sign_in(&cookie.hash()).await?;
        tx.commit().await?;
        let sign_in = taken.filter(|sign_in| sign_in.started_at.plus_seconds(SIGN_IN_SECONDS) > now);
        let sign_in = sign_in.ok_or(ConsoleError::NoSignIn)?;
        if sign_in.state != state {
            return Err(ConsoleError::State);
        }
        Ok((sign_in, now))
    }

    /// Opens a session for somebody whom a line of the configuration lets in; the cookie is always a new
    /// one. Where the sign-in was for a fresh proof, that is noted and the session stays.
    ///
    /// What the provider says now decides about sessions that are open, too: those of the same person that
    /// another line of access opened end, and all of them where no line lets the person in.
    ///
    /// # Errors
    ///
    /// [`ConsoleError::OtherPerson`] when the proof is of somebody else, [`ConsoleError::NotSince`] when it is of no
    /// moment since the sign-in began; [`ConsoleError::NoRole`] and
    /// [`ConsoleError::OtherRole`] when the person's role is gone or another one.
    pub async fn finish_sign_in(
        &self,
        sign_in: &SignIn,
        issuer: &str,
        person: &SignedIn,
        access: Option<&str>,
    ) -> Result<Option<Cookie>, ConsoleError> {
        let account = self.console_account(issuer, &person.subject);
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let ended = tx.end_console_sessions_of(&account, access).await?;
        let Some(access) = access else {
            tx.commit().await?;
            note_ended(ended.len(), "no role at the provider any more");
            return Err(ConsoleError::NoRole { ended: !ended.is_empty() });
        };
        note_ended(ended.len(), "another role at the provider");
        if let Some(session) = &sign_in.session {
            // The provider may let somebody in whom it remembers: only a proof since the sign-in began is fresh.
            // A provider that does not say when it saw the person proves nothing of the kind.
            let is_since = person.authenticated_at.is_some_and(|at| at.plus_seconds(60) >= sign_in.started_at);
            let is_theirs = is_since && tx.note_fresh_proof(session, &account, access, now).await?;
            tx.commit().await?;
            return match (ended.contains(session), is_since, is_theirs) {
                (true, ..) => Err(ConsoleError::OtherRole),
                (_, false, _) => Err(ConsoleError::NotSince),
                (_, true, false) => Err(ConsoleError::OtherPerson),
                (_, true, true) => Ok(None),
            };
        }
        let cookie = Cookie(encode_base64url(&random_bytes::<32>(self.random())));
        let session = StoredSession {
            account,
            name: person.name.clone(),
            access: access.to_owned(),
            form_token: encode_base64url(&random_bytes::<32>(self.random())),
            handles: random_bytes(self.random()),
            authenticated_at: person.authenticated_at.map_or(Timestamp::from_micros(0), |at| at.min(now)),
            started_at: now,
            seen_at: now,
        };
        tx.add_console_session(&cookie.hash(), &session).await?;
        tx.commit().await?;
        Ok(Some(cookie))
    }

    /// What the log calls somebody of a provider: the same at every sign-in, and no name.
    pub fn console_account(&self, issuer: &str, subject: &str) -> String {
        let tag = self.keys().tagger.account(issuer, subject);
        tag[..8].iter().fold("console:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
    }

    /// The session of a cookie, if it goes on.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn console_session(&self, cookie: &Cookie) -> Result<Option<Session>, AppError> {
        let hash = cookie.hash();
        let Some(stored) = self.store().console_session(&hash).await? else { return Ok(None) };
        let now = self.store().now().await?;
        let ends_at = stored.seen_at.plus_seconds(IDLE_SECONDS).min(stored.started_at.plus_seconds(LONGEST_SECONDS));
        if ends_at <= now {
            return Ok(None);
        }
        if stored.seen_at.plus_seconds(NOTE_SECONDS) < now {
            let mut tx = self.store().begin().await?;
            tx.note_console_use(&hash, now).await?;
            tx.commit().await?;
        }
        let last = stored.started_at.plus_seconds(LONGEST_SECONDS).as_seconds() - now.as_seconds();
        Ok(Some(Session {
            cookie: cookie.clone(),
            account: stored.account,
            name: stored.name,
            access: stored.access,
            form_token: stored.form_token,
            handles: stored.handles,
            is_fresh: stored.authenticated_at.plus_seconds(FRESH_SECONDS) > now,
            ends_in: last.min(IDLE_SECONDS),
        }))
    }

    /// Ends a session.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn end_console_session(&self, session: &Session) -> Result<(), AppError> {
        let mut tx = self.store().begin().await?;
        tx.end_console_session(&session.cookie.hash()).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Removes sign-ins that took too long, and sessions that ended with everything of theirs.
pub(super) async fn drop_stale(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    let [sign_ins, idle, started] = [SIGN_IN_SECONDS, IDLE_SECONDS, LONGEST_SECONDS].map(|s| now.plus_seconds(-s));
    tx.drop_stale_console(sign_ins, idle, started).await
}

/// Says to the operator that sessions ended although nobody left; not whose they were.
fn note_ended(sessions: usize, why: &'static str) {
    if sessions > 0 {
        tracing::warn!(sessions, why, "sessions of the console ended at a sign-in");
    }
}

/// A path of the console itself; its home for anything that could lead elsewhere.
fn own_path(path: &str) -> &str {
    let leads_on = |c: char| !(c.is_ascii_alphanumeric() || "/-_.?=&:%".contains(c));
    let is_own = path.starts_with('/') && !path.starts_with("//") && path.len() <= 500 && !path.contains(leads_on);
    if is_own { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_back_to_this_console_alone() {
        for own in ["/", "/log?agency=housing&since=2026-09-20", "/agreements/early-help-core/v1"] {
            assert_eq!(own_path(own), own);
        }
        for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/a\r\nb", "/@x"] {
            assert_eq!(own_path(elsewhere), "/", "{elsewhere}");
        }
    }

    #[test]
    fn a_cookie_is_32_bytes_and_never_printed() {
        let text = encode_base64url(&[7; 32]);
        let cookie = Cookie::parse(&text).expect("a cookie");
        assert!(!format!("{cookie:?}").contains(&text));
        assert!(Cookie::parse("short").is_none());
    }
}
