//! The release certificate, and what comes after it, as bytes to sign: the source's answer and the
//! data team's receipt.

use serde::{Deserialize, Serialize};

use super::binding::{Hash32, Message};
use super::vote::Vote;
use crate::domain::ids::EventId;
use crate::domain::labels;
use crate::domain::time::Timestamp;

/// How long a certificate is good for, in seconds.
pub const CERTIFICATE_SECONDS: i64 = 15 * 60;

/// What the gateway certifies: this request, with these approvals, logged in this entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The approvals that count, sorted by agency and person.
    pub approvals: Vec<Vote>,
    /// The log entry that says they are enough.
    pub entry: EventId,
    /// Good for one answer: 16 random bytes, base64url.
    pub id: String,
    /// From when.
    pub issued_at: Timestamp,
    /// The log's origin.
    pub log: String,
    /// Until when an identity may be sealed under it.
    pub not_after: Timestamp,
    /// The canonical text of the request.
    pub request: String,
    /// The form of the certificate: 1.
    pub v: u8,
}

impl Certificate {
    /// Its canonical text (RFC 8785).
    pub fn text(&self) -> String {
        serde_json_canonicalizer::to_string(self).unwrap_or_default() // texts, whole numbers and lists have a form
    }

    /// Reads the very text that [`Certificate::text`] would write.
    pub fn parse(text: &str) -> Option<Self> {
        let read: Self = serde_json::from_str(text).ok()?;
        (read.v == 1 && read.text() == text).then_some(read)
    }

    /// The bytes that the gateway signs.
    pub fn signed_bytes(text: &str) -> Vec<u8> {
        Message::new(labels::REID_CERTIFICATE).hash(&Hash32::of(text.as_bytes())).finish()
    }
}

/// A certificate as it is handed over, with the entry that it rests on and the proof that this is in
/// the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedCertificate {
    /// The certificate's canonical text.
    pub certificate: String,
    /// The gateway's signature under it: Ed25519, base64url.
    pub signature: String,
    /// The log entry, as its exact text.
    pub entry: String,
    /// Proof that the entry is under a signed checkpoint: a file of C2SP tlog-proof.
    pub proof: String,
}

/// What a source sealed, signed by its own approver: sealing alone does not say who sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The certificate that it was sealed under.
    pub certificate: String,
    /// The sealed identity, base64url.
    pub envelope: String,
    /// Which of the source's enrolled keys signed.
    pub key_id: String,
    /// When it was sealed, by the source's clock.
    #[schema(value_type = String, format = DateTime)]
    pub sealed_at: Timestamp,
    /// Ed25519, base64url.
    pub signature: String,
}

impl Answer {
    /// The bytes that the source signs; `envelope` is the SHA-256 of the sealed bytes.
    pub fn signed_bytes(&self, request: &Hash32, envelope: &Hash32) -> Vec<u8> {
        Message::new(labels::REID_ANSWER)
            .hash(request)
            .lp(self.certificate.as_bytes())
            .hash(envelope)
            .lp(self.key_id.as_bytes())
            .time(self.sealed_at)
            .finish()
    }
}

/// The data team's countersignature: it opened this envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenedReceipt {
    /// The certificate that it was released under.
    pub certificate: String,
    /// SHA-256 of the sealed bytes.
    #[schema(value_type = String)]
    pub envelope: Hash32,
    /// The recipient's key.
    pub key_id: String,
    /// When it was opened, by the data team's clock.
    #[schema(value_type = String, format = DateTime)]
    pub opened_at: Timestamp,
    /// Ed25519, base64url.
    pub signature: String,
}

impl OpenedReceipt {
    /// The bytes that the data team signs.
    pub fn signed_bytes(&self, request: &Hash32) -> Vec<u8> {
        Message::new(labels::REID_RECEIPT)
            .hash(request)
            .lp(self.certificate.as_bytes())
            .hash(&self.envelope)
            .lp(self.key_id.as_bytes())
            .time(self.opened_at)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reidentification::request::tests::example;

    #[test]
    fn a_certificate_reads_back_as_written_and_from_no_other_text() {
        let request = example();
        let certificate = Certificate {
            approvals: Vec::new(),
            entry: "01990000-0000-7000-8000-000000000001".parse().expect("an id"),
            id: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            issued_at: request.at,
            log: "gw.example/2026".to_owned(),
            not_after: request.at.plus_seconds(CERTIFICATE_SECONDS),
            request: request.text(),
            v: 1,
        };
        let text = certificate.text();
        assert_eq!(Certificate::parse(&text), Some(certificate));
        assert_eq!(Certificate::parse(&text.replacen(',', ", ", 1)), None);
        assert_eq!(Certificate::parse(&text.replace("\"v\":1}", "\"v\":2}")), None);
    }
}
