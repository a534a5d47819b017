//! Hashes that stand for what not everybody may see, and the associated data that an envelope is
//! sealed with: whoever moves it to another request, record, agency or agreement cannot open it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::request::CanonicalRequest;
use crate::domain::ids::{AgencyCode, FeedCode, OpaqueRef};
use crate::domain::labels;
use crate::domain::tfid::Tfid;
use crate::domain::time::Timestamp;

/// A SHA-256, written as 64 hexadecimal characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash32([u8; 32]);

impl Hash32 {
    /// Hashes the bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
    /// Wraps 32 bytes that are a hash already.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
impl TryFrom<String> for Hash32 {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        const EXPECTED: &str = "not a SHA-256: expected 64 lower-case hexadecimal characters";
        if text.len() != 64 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(EXPECTED);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).unwrap_or(0);
            *byte = u8::try_from(digit(0) << 4 | digit(1)).map_err(|_| EXPECTED)?;
        }
        Ok(Self(bytes))
    }
}
impl From<Hash32> for String {
    fn from(hash: Hash32) -> Self {
        hash.to_string()
    }
}
impl fmt::Display for Hash32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
impl fmt::Debug for Hash32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Bytes to sign or to bind: fields one after the other, each with its length, so that no two
/// different messages have the same bytes.
#[derive(Debug, Clone)]
pub struct Message(Vec<u8>);

impl Message {
    /// Begins with a label, which no other kind of message begins with.
    pub fn new(label: &str) -> Self {
        Self(label.as_bytes().to_vec())
    }
    /// Adds a field of variable length. Fields are far shorter than 64 KiB.
    #[must_use]
    pub fn lp(mut self, field: &[u8]) -> Self {
        let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }
    /// Adds a hash.
    #[must_use]
    pub fn hash(mut self, hash: &Hash32) -> Self {
        self.0.extend_from_slice(hash.as_bytes());
        self
    }
    /// Adds a hash, or that there is none.
    #[must_use]
    pub fn maybe_hash(mut self, hash: Option<&Hash32>) -> Self {
        self.0.push(u8::from(hash.is_some()));
        hash.into_iter().fold(self, Self::hash)
    }
    /// Adds a time.
    #[must_use]
    pub fn time(mut self, at: Timestamp) -> Self {
        self.0.extend_from_slice(&at.as_micros().to_be_bytes());
        self
    }
    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Whom a request is about. The requester made the nonce, so nobody else can confirm a guessed number.
pub fn subject(nonce: &[u8; 32], family: &Tfid, person: Option<&str>) -> Hash32 {
    let text = family.to_text();
    let message = Message::new(labels::REID_SUBJECT).hash(&Hash32(*nonce)).lp(text.as_bytes());
    Hash32::of(&message.lp(person.unwrap_or_default().as_bytes()).finish())
}

/// Which of its own records a source answers with. It names the record to nobody else: references are
/// keyed by the source, and the request is in it.
pub fn record(request: &Hash32, feed: &FeedCode, reference: &OpaqueRef) -> Hash32 {
    let message = Message::new(labels::REID_RECORD).hash(request);
    Hash32::of(&message.lp(feed.as_str().as_bytes()).lp(reference.as_str().as_bytes()).finish())
}

/// The id of a key for re-identification: 128 bits over the kind, the agency, the person and the public keys.
/// Whoever compares it aloud has compared whose the key is as well.
pub fn key_id(
    kind: &str,
    agency: &AgencyCode,
    person: Option<&OpaqueRef>,
    sign_key: &[u8; 32],
    seal_key: Option<&[u8; 32]>,
) -> String {
    let message = Message::new(labels::REID_CARD).lp(kind.as_bytes()).lp(agency.as_str().as_bytes());
    let message = message.lp(person.map_or("", OpaqueRef::as_str).as_bytes()).lp(sign_key);
    let hash = Hash32::of(&message.lp(seal_key.map_or(&[], |key| &key[..])).finish()).to_string();
    format!("{kind}-{}", hash.get(..32).unwrap_or_default())
}

/// What an envelope is bound to.
pub fn envelope(
    request: &CanonicalRequest,
    request_hash: &Hash32,
    record: &Hash32,
    certificate: &str,
    sealed_at: Timestamp,
) -> Vec<u8> {
    Message(Vec::new())
        .lp(request.source.as_str().as_bytes())
        .lp(request.agreement.to_string().as_bytes())
        .lp(request.recipient.key_id.as_bytes())
        .hash(record)
        .hash(request_hash)
        .lp(certificate.as_bytes())
        .time(sealed_at)
        .time(request.expires_at)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_as_written() {
        let hash = Hash32::of(b"abc");
        assert_eq!(Hash32::try_from(hash.to_string()), Ok(hash));
        for bad in [String::new(), "A".repeat(64), "0".repeat(63), "g".repeat(64)] {
            assert!(Hash32::try_from(bad).is_err());
        }
    }

    #[test]
    fn the_id_of_a_key_depends_on_everything_that_is_on_its_card() {
        let agency = |code: &str| code.parse::<AgencyCode>().expect("a code");
        let person = |text: &str| OpaqueRef::parse(text).expect("22 characters");
        let (one, other) = (person("AAAAAAAAAAAAAAAAAAAAAA"), person("AAAAAAAAAAAAAAAAAAAAAQ"));
        let all = [
            key_id("officer", &agency("education"), Some(&one), &[1; 32], None),
            key_id("officer", &agency("housing"), Some(&one), &[1; 32], None),
            key_id("officer", &agency("education"), Some(&other), &[1; 32], None),
            key_id("officer", &agency("education"), Some(&one), &[2; 32], None),
            key_id("recipient", &agency("education"), None, &[1; 32], Some(&[3; 32])),
            key_id("recipient", &agency("education"), None, &[1; 32], Some(&[4; 32])),
        ];
        assert!(all.iter().all(|id| id.len() >= "officer-".len() + 32 && id.len() <= 64));
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn a_subject_depends_on_nonce_family_and_person() {
        let family = |byte| Tfid::random(|bytes| bytes.fill(byte));
        let all = [
            subject(&[1; 32], &family(1), None),
            subject(&[2; 32], &family(1), None),
            subject(&[1; 32], &family(2), None),
            subject(&[1; 32], &family(1), Some("AAAA")),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn a_record_is_another_in_every_request() {
        let (feed, reference): (FeedCode, _) = ("data".parse().expect("a code"), "AAAAAAAAAAAAAAAAAAAAAA");
        let reference = OpaqueRef::parse(reference).expect("22 characters");
        assert_ne!(record(&Hash32::of(b"1"), &feed, &reference), record(&Hash32::of(b"2"), &feed, &reference));
    }

    #[test]
    fn fields_cannot_run_into_one_another() {
        assert_ne!(Message::new("x").lp(b"ab").lp(b"c").finish(), Message::new("x").lp(b"a").lp(b"bc").finish());
    }
}
