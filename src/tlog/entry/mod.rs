//! One log entry: a strict envelope around a typed body, with exactly one sequence of bytes.
//!
//! ```text
//! {"at":…,"body":{…},"event":…,"log":…,"nonce":…,"type":…,"v":1}
//! ```
//!
//! The stored bytes are the truth: a verifier hashes them as they are and never renders them again.

mod body;
mod code;
mod facet;
mod facts;

pub use body::{
    AccessCommitments, AgencyStatus, AgreementApproval, AgreementRequest, AgreementSignature, AgreementState,
    AgreementStatus, AlertDecoy, AlertOpen, AlertStep, AskCommitments, Body, Commitments, Contribution, Decision,
    DecisionCommitments, Deletion, EmergencyReview, Enquiry, Erasure, FamilyChange, FamilyCommitments, Feed, Figure,
    Filter, FuzzyStep, IncidentLink, IncidentStep, KeyEvent, LegalHold, LoadedAgreement, LogAccess, LogOpen,
    LogRestore, LogWitnesses, MatchAsk, MatchDecision, MatchRun, MatchRunStep, MatchView, NotShared,
    NotSharedCommitments, NoticeAcknowledgement, NoticeCommitments, NumberCommitments, Outcome, PolicyLoad,
    PreviousLog, RecallCommitments, RecallNotice, RecallOpen, RecallStep, ReferralCommitments, ReferralStep,
    ReviewOfficer, ReviewPlan, ReviewReply, ReviewStep, ReviewerCommitments, RunCommitments, RunCount, RunInput,
    RunStepGround, SHIELD_OPENING_BYTES, ShieldOpening, ShieldReview, ShieldReviewCommitments, Standing, Statistics,
    SubjectCase, SubjectCommitments, Submission, SubmissionCommitments, SubmissionMode, ViewCommitments,
    WeightsLearned, WeightsStep, WitnessNamed, YesNo,
};
pub use code::{Code, CodeError};
pub use facet::{Facet, Facets, TermNamed};
pub use facts::EntryFacts;

use serde::Serialize;

use super::canonical;
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;
use crate::domain::token::encode_base64url;

/// The longest entry: its length is two bytes in an entry bundle.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// Why bytes are not an entry, or a value cannot be one. Never carries a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Longer than [`MAX_ENTRY_BYTES`].
    #[error("the entry is longer than 65535 bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the entry is not UTF-8")]
    NotUtf8,
    /// JSON in another form than the canonical one, or no JSON.
    #[error("the entry is not canonical json at byte {at}: {rule}")]
    NotCanonical {
        /// Offset of the first byte that breaks the rule.
        at: usize,
        /// The rule.
        rule: &'static str,
    },
    /// The envelope is not that of version 1.
    #[error("the entry's envelope is wrong: {0}")]
    Envelope(&'static str),
    /// A type that this version does not know.
    #[error("the entry's type is not known to this version")]
    UnknownType,
    /// The body does not have the fields of its type.
    #[error("the entry's body does not have the fields of its type")]
    Body,
    /// A list of the body holds the same key twice.
    #[error("a list of the entry's body names the same thing twice")]
    Repeated,
}

impl EntryError {
    /// The error's code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "entry-too-long",
            Self::NotUtf8 => "entry-not-utf8",
            Self::NotCanonical { .. } => "entry-not-canonical",
            Self::Envelope(_) => "entry-envelope",
            Self::UnknownType => "entry-unknown-type",
            Self::Body => "entry-body",
            Self::Repeated => "entry-repeated",
        }
    }
}

/// A log entry, version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    log: String,
    event: EventId,
    at: Timestamp,
    nonce: [u8; 32],
    body: Body,
}

impl Entry {
    /// An entry of the log with this origin.
    ///
    /// The body's lists are sorted here. `nonce` is 32 fresh random bytes: with them nobody can
    /// confirm a guessed entry from its leaf hash.
    pub fn new(log: impl Into<String>, event: EventId, at: Timestamp, nonce: [u8; 32], mut body: Body) -> Self {
        body.sort();
        Self { log: log.into(), event, at, nonce, body }
    }

    /// Reads an entry whose type this version knows.
    ///
    /// # Errors
    ///
    /// [`EntryError`] for any bytes that [`Entry::render`] would not have written.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let envelope = canonical::envelope(bytes)?;
        let at = envelope.at.parse().map_err(|_| EntryError::Envelope("at is not a time"))?;
        let body = Body::parse(envelope.kind, envelope.body)?;
        let entry = Self::new(envelope.log, envelope.event, at, envelope.nonce, body);
        // Covers what types let through: unsorted lists, other spellings of an id or a time.
        if entry.render()? == bytes { Ok(entry) } else { Err(EntryError::Body) }
    }

    /// The entry's canonical bytes.
    ///
    /// # Errors
    ///
    /// [`EntryError`] if they would be too long, or not pass the check that every verifier makes.
    pub fn render(&self) -> Result<Vec<u8>, EntryError> {
        if self.body.repeats() {
            return Err(EntryError::Repeated);
        }
        let wire = Wire {
            at: self.at,
            body: &self.body,
            event: self.event,
            log: &self.log,
            nonce: &encode_base64url(&self.nonce),
            kind: self.body.kind(),
            v: 1,
        };
        let bytes = canonical::render(&wire).into_bytes();
        canonical::envelope(&bytes)?;
        Ok(bytes)
    }

    /// The origin of the log that the entry belongs to.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The event's id.
    pub fn event(&self) -> EventId {
        self.event
    }

    /// When it happened, by the database's clock.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// What happened, by value.
    pub fn into_body(self) -> Body {
        self.body
    }

    /// What happened.
    pub fn body(&self) -> &Body {
        &self.body
    }
}

#[derive(Serialize)]
struct Wire<'a> {
    at: Timestamp,
    body: &'a Body,
    event: EventId,
    log: &'a str,
    nonce: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    v: u8,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::testing;

    fn parse_edited(bytes: &[u8], from: &str, to: &str) -> Result<Entry, EntryError> {
        let text = std::str::from_utf8(bytes).expect("UTF-8");
        assert!(text.contains(from), "the edit finds {from}");
        Entry::parse(text.replacen(from, to, 1).as_bytes())
    }

    #[test]
    fn every_type_of_entry_reads_back_as_written() {
        for (number, body) in testing::bodies().into_iter().enumerate() {
            let entry = Entry::new(testing::ORIGIN, testing::event(number), testing::at(number), [9; 32], body);
            let bytes = entry.render().expect("renders");
            assert_eq!(Entry::parse(&bytes), Ok(entry));
        }
    }

    #[test]
    fn entries_of_version_1_keep_the_bytes_of_the_published_vectors() {
        let published = include_str!("../../../tests/vectors/tlog/entries-v1.ndjson");
        let rendered: String = testing::bodies()
            .into_iter()
            .enumerate()
            .map(|(number, body)| {
                String::from_utf8(testing::render(testing::ORIGIN, number, body)).expect("UTF-8") + "\n"
            })
            .collect();
        assert_eq!(rendered, published, "entries are bytes for ever: a new field is a new version once one is in use");
    }

    #[test]
    fn lists_are_sorted_whatever_order_they_came_in() {
        let Body::Enquiry(sorted) = testing::enquiry(1) else { panic!("an enquiry") };
        let mut shuffled = sorted.clone();
        shuffled.decisions.reverse();
        shuffled.feeds.reverse();
        let render = |body| Entry::new("log", testing::event(1), testing::at(1), [9; 32], body).render();
        assert_eq!(render(Body::Enquiry(shuffled)), render(Body::Enquiry(sorted)));
    }

    #[test]
    fn a_decision_named_twice_is_refused() {
        let Body::Enquiry(mut enquiry) = testing::enquiry(1) else { panic!("an enquiry") };
        enquiry.decisions.push(enquiry.decisions[0].clone());
        let entry = Entry::new("log", testing::event(1), testing::at(1), [9; 32], Body::Enquiry(enquiry));
        assert_eq!(entry.render(), Err(EntryError::Repeated));
    }

    #[test]
    fn an_entry_too_long_for_a_bundle_is_refused() {
        let events = (0..2_000).map(testing::event).collect();
        let body =
            Body::Erasure(Erasure { events, reason: "retention".parse().expect("a code"), by: testing::code("job") });
        let entry = Entry::new("log", testing::event(1), testing::at(1), [9; 32], body);
        assert_eq!(entry.render(), Err(EntryError::TooLong));
    }

    #[test]
    fn canonical_bytes_of_another_shape_are_refused() {
        let entry = Entry::new(testing::ORIGIN, testing::event(1), testing::at(1), [9; 32], testing::enquiry(1));
        let bytes = entry.render().expect("renders");
        for (from, to) in [
            ("\"type\":\"enquiry\"", "\"type\":\"submission\""),
            ("\"outcome\":\"answered\"", "\"outcome\":\"maybe\""),
            ("\"role\":", "\"rolf\":"),
            ("\"purpose\":\"", "\"purpose\":\" "),
            ("\"late\":\"no\"", "\"late\":0"),
            ("2026-", "2026-99"),
        ] {
            assert!(parse_edited(&bytes, from, to).is_err(), "{from}");
        }
        assert_eq!(parse_edited(&bytes, "\"type\":\"enquiry\"", "\"type\":\"novel\""), Err(EntryError::UnknownType));
    }
}
