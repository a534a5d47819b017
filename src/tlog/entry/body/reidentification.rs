//! What is logged about requests to re-identify somebody.

use serde::{Deserialize, Serialize};

use super::{Code, Outcome};
use crate::domain::ids::{AgencyCode, AgreementRef, PowerCode, PurposeCode, ReidentificationId, RoleCode};
use crate::tlog::commitment::Commitment;
use crate::tlog::digest::Digest;

/// A step of a request to re-identify somebody, taken or refused. Nothing in clear is about a person:
/// the same fields are there whether the source has such a record or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReidStep {
    /// Which request; absent where there is none of that id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<ReidentificationId>,
    /// SHA-256 of its canonical text: what everybody signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_sha256: Option<Digest>,
    /// What was done: `request`, `show`, `approve`, `authorise`, `refuse`, `withdraw`, `reopen`,
    /// `certify`, `answer`, `collect`, `receive`, `fault` or `expire`.
    pub step: Code,
    /// Where the request was; absent when it came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Code>,
    /// Where it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Code>,
    /// Who did it.
    pub agency: AgencyCode,
    /// Through which enrolled client; `gateway` for what it did itself.
    pub client: Code,
    /// With which enrolled key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Code>,
    /// `ordinary` or `emergency`. Reviews always look at emergencies, on the same day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handling: Option<Code>,
    /// Under which agreement version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementRef>,
    /// SHA-256 of its signed text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement_sha256: Option<Digest>,
    /// SHA-256 of the rule book in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_sha256: Option<Digest>,
    /// Which term of the agreement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Code>,
    /// The agency that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<AgencyCode>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<PurposeCode>,
    /// On which statute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<PowerCode>,
    /// In which role it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleCode>,
    /// How many approvals count now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<u64>,
    /// SHA-256 of the certificate's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_sha256: Option<Digest>,
    /// SHA-256 of the sealed identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope_sha256: Option<Digest>,
    /// Why an officer or the source refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
    /// Done, or refused and why.
    pub outcome: Outcome,
    /// Commitments to what the entry must not say in clear; with the request alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitments: Option<ReidCommitments>,
}

/// The salted commitments of a request. Each has one opening, kept outside the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReidCommitments {
    /// The person who asked.
    pub actor: Commitment,
    /// The case for which it was asked.
    pub case: Commitment,
    /// About whom: the family's number, and the person's handle.
    pub subject: Commitment,
    /// Why, in words.
    pub reason: Commitment,
}
