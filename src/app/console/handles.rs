//! What stands for families and people on the pages of one session: 128 bits that mean nothing elsewhere.
//!
//! A page and its address name nobody by a number, reference or pseudonym that another session, the log
//! or an agency would know. Handles are kept with the session, sealed, and end with it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Session;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::handle::PageHandles;
use crate::domain::family::RecordName;
use crate::domain::ids::{OpaqueRef, PairId};
use crate::domain::tfid::Tfid;
use crate::domain::token::{decode_base64url, encode_base64url};

/// What the console's own sign-ins are called where an account gets a reference.
const CONSOLE: &str = "porth-console";

/// Whom a handle stands for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A family of the programme.
    Family(Tfid),
    /// The people of a candidate family of a match run.
    Candidate(Vec<RecordName>),
    /// Two records that may be one person.
    Pair(PairId),
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject(redacted)")
    }
}

/// A handle: 22 characters in an address, fewer on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle([u8; 16]);

impl Handle {
    /// Reads one from an address.
    pub fn parse(text: &str) -> Option<Self> {
        decode_base64url::<16>(text).map(Self)
    }

    /// What a page calls it: enough to tell the lines of a list apart, such as `3f2a91c0`.
    pub fn short(&self) -> String {
        let [a, b, c, d, ..] = self.0;
        format!("{a:02x}{b:02x}{c:02x}{d:02x}")
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode_base64url(&self.0))
    }
}

impl Gateway {
    /// The handles of some subjects on the pages of a session, in their order.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database, also when the session has ended meanwhile.
    pub async fn page_handles(&self, session: &Session, subjects: &[Subject]) -> Result<Vec<Handle>, AppError> {
        let keys = keys_of(session);
        let cookie = session.cookie.hash();
        let mut handles = Vec::with_capacity(subjects.len());
        if subjects.is_empty() {
            return Ok(handles);
        }
        let mut tx = self.store().begin().await?;
        for subject in subjects {
            let text = serde_json::to_vec(subject).map_err(|_| AppError::Internal("a subject cannot be written"))?;
            let handle = keys.handle(&text);
            tx.add_console_handle(&cookie, &handle, &keys.seal(self.random(), &handle, &text)).await?;
            handles.push(Handle(handle));
        }
        tx.commit().await?;
        Ok(handles)
    }

    /// Whom a handle of a session stands for; nobody for one that its pages never showed.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn behind_handle(&self, session: &Session, handle: &Handle) -> Result<Option<Subject>, AppError> {
        let sealed = self.store().console_handle(&session.cookie.hash(), &handle.0).await?;
        let opened = sealed.and_then(|sealed| keys_of(session).open(&handle.0, &sealed));
        Ok(opened.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// The reference by which journeys know whoever is signed in: of the account alone, the same each time.
    ///
    /// # Errors
    ///
    /// [`AppError::Internal`] never comes: 16 bytes are a reference.
    pub fn console_user(&self, account: &str) -> Result<OpaqueRef, AppError> {
        reference(&self.keys().tagger.account(CONSOLE, account))
    }

    /// The reference of a sitting, by which everything looked at in one session belongs together.
    ///
    /// # Errors
    ///
    /// [`AppError::Internal`] never comes: 16 bytes are a reference.
    pub fn console_sitting(&self, session: &Session) -> Result<OpaqueRef, AppError> {
        reference(&keys_of(session).handle(b"sitting"))
    }
}

fn keys_of(session: &Session) -> PageHandles {
    PageHandles::new(&session.handles, session.cookie.expose())
}

fn reference(bytes: &[u8; 16]) -> Result<OpaqueRef, AppError> {
    OpaqueRef::parse(&encode_base64url(bytes)).map_err(|_| AppError::Internal("a reference cannot be written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_22_characters_in_an_address_and_short_on_a_page() {
        let handle = Handle([0xab; 16]);
        assert_eq!(Handle::parse(&handle.to_string()), Some(handle));
        assert_eq!((handle.to_string().len(), handle.short().as_str()), (22, "abababab"));
        for bad in ["", "TF-0000-0000-0000-0011", "../etc/passwd", &"A".repeat(23)] {
            assert!(Handle::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn nobody_is_printed() {
        let family = Subject::Family("TF-0000-0000-0000-0011".parse().expect("a number"));
        assert_eq!(format!("{family:?}"), "Subject(redacted)");
    }
}
