//! Handles: what stands for somebody on the pages of one session, and in their addresses.
//!
//! Both keys come from the session's own random key, which the database has, and from its cookie, which
//! only the browser has. Whoever reads the database learns neither which handle stands for whom nor whom a
//! session looked at; and the same person has another handle in every session.

use zeroize::Zeroizing;

use super::aead;
use super::mac::{Keyed, derive_key};
use super::random::Random;
use super::secret::Secret;
use crate::domain::labels;

/// Subjects are padded to whole blocks of this many bytes.
const BLOCK: usize = 64;

/// Makes the handles of one session, and keeps whom they stand for.
pub struct PageHandles {
    handles: Keyed,
    subjects: Secret<32>,
}

impl PageHandles {
    /// Of a session's key and its cookie's value.
    pub fn new(session: &[u8; 32], cookie: &str) -> Self {
        let key = |label: &str| derive_key(cookie.as_bytes(), session, label.as_bytes());
        Self {
            handles: Keyed::new(key(labels::PAGE_HANDLE).expose(), labels::PAGE_HANDLE),
            subjects: key(labels::HANDLE_SUBJECT),
        }
    }

    /// The handle of a subject: the same whenever it comes up in this session.
    pub fn handle(&self, subject: &[u8]) -> [u8; 16] {
        self.handles.clone().raw(subject).finish_short()
    }

    /// Seals whom a handle stands for.
    pub fn seal(&self, random: &dyn Random, handle: &[u8; 16], subject: &[u8]) -> Vec<u8> {
        let blocks = subject.len() / BLOCK + 1;
        let padded = aead::pad(subject, blocks * BLOCK).expect("the blocks hold one byte more than the subject");
        aead::seal(random, &self.subjects, handle, &padded)
    }

    /// Whom a handle stands for; `None` of another session, for another handle, or altered.
    pub fn open(&self, handle: &[u8; 16], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        aead::unpad(aead::open(&self.subjects, handle, sealed)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::SystemRandom;
    use super::*;

    #[test]
    fn a_handle_is_of_one_session_and_one_browser() {
        let own = PageHandles::new(&[1; 32], "cookie");
        let handle = own.handle(b"somebody");
        assert_eq!(handle, PageHandles::new(&[1; 32], "cookie").handle(b"somebody"));
        assert_ne!(handle, own.handle(b"somebody else"));
        let sealed = own.seal(&SystemRandom::new(), &handle, b"somebody");
        assert_eq!(own.open(&handle, &sealed).expect("its own").as_slice(), b"somebody");
        for other in [PageHandles::new(&[2; 32], "cookie"), PageHandles::new(&[1; 32], "another")] {
            assert_ne!(handle, other.handle(b"somebody"));
            assert!(other.open(&handle, &sealed).is_none(), "another session opens nothing");
        }
        assert!(own.open(&own.handle(b"somebody else"), &sealed).is_none(), "nor does another handle");
    }

    #[test]
    fn subjects_of_like_length_look_alike() {
        let own = PageHandles::new(&[1; 32], "cookie");
        let sealed = |length: usize| own.seal(&SystemRandom::new(), &[0; 16], &vec![b'a'; length]).len();
        assert_eq!(sealed(1), sealed(63));
        assert!(sealed(64) > sealed(63));
    }
}
