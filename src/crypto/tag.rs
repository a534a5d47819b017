//! Tags: keyed values under which the gateway finds its own rows again, without storing what they
//! were made from.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::mac::Keyed;
use super::secret::Secret;
use crate::domain::labels;

/// Makes the gateway's lookup tags, with the index key.
pub struct Tagger {
    subjects: Keyed,
    records: Keyed,
    replies: Keyed,
    counted: Keyed,
    files: Keyed,
    officers: Keyed,
    decoys: Keyed,
    accounts: Keyed,
    references: Keyed,
}

impl Tagger {
    /// Takes the gateway's index key.
    pub fn new(key: &Secret<32>) -> Self {
        Self {
            subjects: Keyed::new(key.expose(), labels::SUBJECT_INDEX),
            records: Keyed::new(key.expose(), labels::RECORD_INDEX),
            replies: Keyed::new(key.expose(), labels::IDEMPOTENCY),
            counted: Keyed::new(key.expose(), labels::STATISTICS_RECORD),
            files: Keyed::new(key.expose(), labels::FILE_DIGEST),
            officers: Keyed::new(key.expose(), labels::REVIEW_USER),
            decoys: Keyed::new(key.expose(), labels::ALERT_DECOY),
            accounts: Keyed::new(key.expose(), labels::CONSOLE_ACCOUNT),
            references: Keyed::new(key.expose(), labels::CONSOLE_REFERENCE),
        }
    }

    /// Where a person's log entries are found: subject access and erasure start here.
    pub fn subject(&self, subject: &[u8; 16]) -> [u8; 16] {
        self.subjects.clone().raw(subject).finish_short()
    }

    /// Where the log entries that rested on a record are found, by its holder's own reference: the same
    /// in every snapshot and whatever keys the tokens of the record are made or blinded with.
    pub fn record(&self, agency: &str, feed: &str, reference: &str) -> [u8; 16] {
        self.records.clone().lp(agency.as_bytes()).lp(feed.as_bytes()).lp(reference.as_bytes()).finish_short()
    }

    /// How statistics remember a record from one release to the next, by its holder's own reference:
    /// the same whatever keys the tokens of the record are made or blinded with.
    pub fn counted_record(&self, agency: &str, feed: &str, reference: &str) -> u64 {
        let tag = self.counted.clone().lp(agency.as_bytes()).lp(feed.as_bytes()).lp(reference.as_bytes());
        u64::from_be_bytes(tag.finish_short())
    }

    /// By what a delivered file is known again, and named in the log: a plain digest of a file of a few
    /// tokens would tell whoever has the linkage key and the database whose tokens they are.
    pub fn file(&self, agency: &str, feed: &str, digest: &[u8; 32]) -> [u8; 32] {
        self.files.clone().lp(agency.as_bytes()).lp(feed.as_bytes()).raw(digest).finish()
    }

    /// What the log calls a person of a sign-in provider: the same at every sign-in, and no name.
    pub fn account(&self, issuer: &str, subject: &str) -> [u8; 16] {
        self.accounts.clone().lp(issuer.as_bytes()).lp(subject.as_bytes()).finish_short()
    }

    /// What stands for a person or a piece of work of the console where an agency's own tool would put its
    /// keyed reference. `of` keeps persons and pieces of work apart.
    pub fn console_reference(&self, of: &str, text: &str) -> [u8; 16] {
        self.references.clone().lp(of.as_bytes()).lp(text.as_bytes()).finish_short()
    }

    /// By what a reviewing officer is known when the same person asked: of an agency's reference of a user.
    pub fn officer(&self, agency: &str, user: &str) -> [u8; 16] {
        self.officers.clone().lp(agency.as_bytes()).lp(user.as_bytes()).finish_short()
    }

    /// Under what a decoy is kept: of the name of its record.
    pub fn decoy(&self, agency: &str, feed: &str, reference: &str) -> [u8; 16] {
        self.decoys.clone().lp(agency.as_bytes()).lp(feed.as_bytes()).lp(reference.as_bytes()).finish_short()
    }

    /// Where the reply to a client's request is kept for idempotent replay. `request` is what the
    /// client's key must be bound to: the operation, and a hash of the body where a repeat with
    /// another body must not find the reply.
    pub fn reply(&self, client: &str, idempotency_key: &str, request: &[u8]) -> [u8; 32] {
        // Clients choose this key's length; its hash keeps the parts apart at any length.
        let key = Sha256::digest(idempotency_key);
        self.replies.clone().lp(client.as_bytes()).raw(&key).lp(request).finish()
    }
}

impl fmt::Debug for Tagger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tagger(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_differ_by_key_use_and_parts() {
        let tagger = |byte: u8| Tagger::new(&Secret::from_slice(&[byte; 32]).expect("32"));
        assert_eq!(tagger(1).subject(&[5; 16]), tagger(1).subject(&[5; 16]));
        assert_ne!(tagger(1).subject(&[5; 16]), tagger(2).subject(&[5; 16]));
        assert_ne!(tagger(1).subject(&[5; 16]), tagger(1).subject(&[6; 16]));
        let reply = |client, key, request: &[u8]| tagger(1).reply(client, key, request);
        assert_eq!(reply("a", "k", b"r"), reply("a", "k", b"r"));
        assert_ne!(reply("a", "bk", b"r"), reply("ab", "k", b"r"));
        assert_ne!(reply("a", "k", b"r"), reply("a", "kr", b""));
        let counted = |byte, agency, feed, record| tagger(byte).counted_record(agency, feed, record);
        assert_eq!(counted(1, "a", "f", "r"), counted(1, "a", "f", "r"));
        assert_ne!(counted(1, "a", "f", "r"), counted(2, "a", "f", "r"));
        assert_ne!(counted(1, "a", "bf", "r"), counted(1, "ab", "f", "r"));
        let record = |byte, agency, feed, reference| tagger(byte).record(agency, feed, reference);
        assert_eq!(record(1, "a", "f", "r"), record(1, "a", "f", "r"));
        assert_ne!(record(1, "a", "f", "r"), record(2, "a", "f", "r"));
        assert_ne!(record(1, "a", "bf", "r"), record(1, "ab", "f", "r"));
        let file = |byte, agency, feed, digest| tagger(byte).file(agency, feed, &[digest; 32]);
        assert_eq!(file(1, "a", "f", 7), file(1, "a", "f", 7));
        assert_ne!(file(1, "a", "f", 7), file(2, "a", "f", 7), "who has no key cannot compute it");
        assert_ne!(file(1, "a", "f", 7), file(1, "a", "f", 8));
        assert_ne!(file(1, "a", "bf", 7), file(1, "ab", "f", 7));
        let officer = |byte, agency, user| tagger(byte).officer(agency, user);
        assert_eq!(officer(1, "a", "u"), officer(1, "a", "u"));
        assert_ne!(officer(1, "a", "u"), officer(2, "a", "u"));
        assert_ne!(officer(1, "a", "bu"), officer(1, "ab", "u"));
        assert_ne!(tagger(1).decoy("a", "f", "r"), tagger(1).decoy("a", "f", "s"));
        assert_ne!(tagger(1).decoy("a", "f", "r"), tagger(2).decoy("a", "f", "r"));
        let reference = |byte, of, text| tagger(byte).console_reference(of, text);
        assert_eq!(reference(1, "person", "a"), reference(1, "person", "a"));
        assert_ne!(reference(1, "person", "a"), reference(2, "person", "a"), "who has no key cannot compute it");
        assert_ne!(reference(1, "person", "a"), reference(1, "case", "a"));
        assert_ne!(reference(1, "person", "a"), reference(1, "person", "b"));
        let long = "k".repeat(70_000);
        assert_ne!(reply("a", &long, b"r"), reply("a", &format!("{long}k"), b"r"));
    }
}
