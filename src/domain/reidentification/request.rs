//! The canonical request: one text (RFC 8785), over whose SHA-256 everybody signs, so that what one
//! person saw is what every other person saw.

use serde::{Deserialize, Serialize};

use super::binding::Hash32;
use super::{Field, Handling};
use crate::domain::ids::{
    AgencyCode, AgreementRef, OpaqueRef, PowerCode, ProgrammeCode, PurposeCode, ReidentificationId, RoleCode, TermCode,
};
use crate::domain::time::Timestamp;

/// How many characters a reason has.
pub const REASON: std::ops::RangeInclusive<usize> = 20..=500;

/// Whose key the identity is sealed to, and whose key signs the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// Follows from the sealing key.
    pub key_id: String,
    /// The sealing key, `pspk1_` and 43 characters.
    pub seal_key: String,
}

/// Everything that is asked. What only one party may know stands here as a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanonicalRequest {
    /// Under which agreement version.
    pub agreement: AgreementRef,
    /// SHA-256 of its signed text.
    pub agreement_sha256: Hash32,
    /// How many people have to approve.
    pub approvals: u8,
    /// When it was made, by the gateway.
    pub at: Timestamp,
    /// Through which of the requester's systems.
    pub client: String,
    /// Until when it may be approved and answered.
    pub expires_at: Timestamp,
    /// What is asked for, sorted.
    pub fields: Vec<Field>,
    /// Ordinary, or an emergency.
    pub handling: Handling,
    /// Its id.
    pub id: ReidentificationId,
    /// The statute that it rests on.
    pub power: PowerCode,
    /// The programme.
    pub programme: ProgrammeCode,
    /// What it is for.
    pub purpose: PurposeCode,
    /// Why this person, in the requester's words.
    pub reason: String,
    /// To whose key the identity is sealed.
    pub recipient: Recipient,
    /// Who asks.
    pub requester: AgencyCode,
    /// In which role.
    pub role: RoleCode,
    /// Who is asked.
    pub source: AgencyCode,
    /// About whom: a hash that only the requester can open.
    pub subject: Hash32,
    /// Under which term of the agreement.
    pub term: TermCode,
    /// The requester's own keyed reference of the person who asks.
    pub user: OpaqueRef,
    /// The form of the request: 1.
    pub v: u8,
}

/// Why a text is no canonical request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// Not the canonical JSON of one.
    #[error("not the canonical text of a request to re-identify")]
    Form,
    /// The reason is too short, too long, or holds control characters.
    #[error("a reason has 20 to 500 characters, on one line")]
    Reason,
    /// Nothing is asked for, or something twice.
    #[error("fields are named once each, and one at least")]
    Fields,
    /// It lasts too long, or ends before it begins.
    #[error("a request waits for at most 72 hours, in an emergency for 4")]
    Expiry,
}

impl CanonicalRequest {
    /// Its text.
    pub fn text(&self) -> String {
        serde_json_canonicalizer::to_string(self).unwrap_or_default() // texts, whole numbers and lists have a form
    }

    /// Reads a text, and nothing but the very text that [`CanonicalRequest::text`] would write.
    ///
    /// # Errors
    ///
    /// [`RequestFault`].
    pub fn parse(text: &str) -> Result<Self, RequestFault> {
        let request: Self = serde_json::from_str(text).map_err(|_| RequestFault::Form)?;
        if request.v != 1 || request.text() != text {
            return Err(RequestFault::Form);
        }
        request.check().map(|()| request)
    }

    /// Whether what it says is what a request may say.
    ///
    /// # Errors
    ///
    /// [`RequestFault`] but for [`RequestFault::Form`].
    pub fn check(&self) -> Result<(), RequestFault> {
        let length = self.reason.chars().count();
        if !REASON.contains(&length) || self.reason.chars().any(char::is_control) || self.reason.trim() != self.reason {
            return Err(RequestFault::Reason);
        }
        if self.fields.is_empty() || !self.fields.is_sorted_by(|a, b| a < b) {
            return Err(RequestFault::Fields);
        }
        let longest = self.at.plus_seconds(i64::from(self.handling.longest_hours()) * 3600);
        if self.expires_at <= self.at || self.expires_at > longest {
            return Err(RequestFault::Expiry);
        }
        Ok(())
    }

    /// SHA-256 of its text: what is signed.
    pub fn hash(&self) -> Hash32 {
        Hash32::of(self.text().as_bytes())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A request that the tests of these modules sign.
    pub(crate) fn example() -> CanonicalRequest {
        let at: Timestamp = "2026-11-21T10:00:00Z".parse().expect("a time");
        CanonicalRequest {
            agreement: "programme-delivery/v1".parse().expect("a reference"),
            agreement_sha256: Hash32::of(b"agreement"),
            approvals: 2,
            at,
            client: "programme-desk".to_owned(),
            expires_at: at.plus_seconds(3600),
            fields: vec![Field::Names, Field::Address],
            handling: Handling::Ordinary,
            id: "01990000-0000-7000-8000-000000000000".parse().expect("an id"),
            power: "CA2004-s10".parse().expect("a code"),
            programme: "tff".parse().expect("a code"),
            purpose: "programme-delivery".parse().expect("a code"),
            reason: "Nobody leads for this family, and three areas are met.".to_owned(),
            recipient: Recipient { key_id: "seal-0".to_owned(), seal_key: "pspk1_".to_owned() },
            requester: "programme-team".parse().expect("a code"),
            role: "data-analyst".parse().expect("a code"),
            source: "education".parse().expect("a code"),
            subject: Hash32::of(b"subject"),
            term: "team-asks-who".parse().expect("a code"),
            user: OpaqueRef::parse("AAAAAAAAAAAAAAAAAAAAAA").expect("22 characters"),
            v: 1,
        }
    }

    #[test]
    fn a_request_reads_back_as_written_and_from_no_other_text() {
        let text = example().text();
        assert_eq!(CanonicalRequest::parse(&text), Ok(example()));
        let spaced = text.replacen(':', ": ", 1);
        let reordered = text.replacen("\"v\":1", "\"v\":1,\"x\":1", 1);
        for bad in [spaced, reordered, text.replace("\"v\":1", "\"v\":2"), String::new()] {
            assert_eq!(CanonicalRequest::parse(&bad), Err(RequestFault::Form));
        }
    }

    #[test]
    fn what_a_request_may_not_say_is_refused() {
        let with = |change: fn(&mut CanonicalRequest)| {
            let mut request = example();
            change(&mut request);
            CanonicalRequest::parse(&request.text())
        };
        assert_eq!(with(|it| it.reason = "because".to_owned()), Err(RequestFault::Reason));
        assert_eq!(with(|it| it.reason = "x\n".repeat(20)), Err(RequestFault::Reason));
        assert_eq!(with(|it| it.fields.clear()), Err(RequestFault::Fields));
        assert_eq!(with(|it| it.fields.reverse()), Err(RequestFault::Fields));
        assert_eq!(with(|it| it.expires_at = it.at), Err(RequestFault::Expiry));
        assert_eq!(with(|it| it.expires_at = it.at.plus_seconds(73 * 3600)), Err(RequestFault::Expiry));
        let too_long_for_an_emergency = |it: &mut CanonicalRequest| {
            it.handling = Handling::Emergency;
            it.expires_at = it.at.plus_seconds(5 * 3600);
        };
        assert_eq!(with(too_long_for_an_emergency), Err(RequestFault::Expiry));
    }

    #[test]
    fn every_field_is_under_the_hash() {
        let mut hashes = std::collections::BTreeSet::from([example().hash()]);
        let changes: [fn(&mut CanonicalRequest); 5] = [
            |it| it.reason.push('!'),
            |it| it.source = "housing".parse().expect("a code"),
            |it| it.recipient.key_id.push('1'),
            |it| it.subject = Hash32::of(b"another"),
            |it| it.approvals = 3,
        ];
        for change in changes {
            let mut request = example();
            change(&mut request);
            assert!(hashes.insert(request.hash()));
        }
    }
}
