//! What becomes of an agreement: signed, asked for, approved, in force and no longer.

use serde::{Deserialize, Serialize};

use super::Code;
use crate::domain::ids::{AgencyCode, AgreementRef};
use crate::tlog::digest::Digest;

/// A party signed an agreement: its signature verified under an enrolled key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementSignature {
    /// Which.
    pub agreement: AgreementRef,
    /// SHA-256 of the text that was signed.
    pub sha256: Digest,
    /// Who signed.
    pub party: AgencyCode,
    /// The enrolled key, by its identifier.
    pub key: Code,
    /// SHA-256 of the signature.
    pub signature_sha256: Digest,
}

/// Somebody asks that an agreement be put in force, or takes that back. Nothing changes yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementRequest {
    /// Which.
    pub agreement: AgreementRef,
    /// SHA-256 of the signed text that is meant.
    pub sha256: Digest,
    /// `asked` or `withdrawn`.
    pub action: Code,
    /// The account; never a person's name.
    pub by: Code,
    /// Why.
    pub reason: Code,
}

/// An officer approves that an agreement be put in force. Two distinct ones have to, neither of whom asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementApproval {
    /// Which.
    pub agreement: AgreementRef,
    /// SHA-256 of the signed text that is meant.
    pub sha256: Digest,
    /// The account; never a person's name.
    pub by: Code,
}

/// An agreement's change of status. Status is the series of these entries, never part of the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementStatus {
    /// Which.
    pub agreement: AgreementRef,
    /// SHA-256 of its signed text.
    pub sha256: Digest,
    /// Its status before; absent for a new agreement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<AgreementState>,
    /// Its status from now on.
    pub to: AgreementState,
    /// The account that changed it or asked for the change; never a person's name.
    pub by: Code,
    /// The accounts that approved, where the change needs approval; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved_by: Vec<Code>,
    /// Why.
    pub reason: Code,
}

/// The states of an agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgreementState {
    /// Loaded, not signed by all parties.
    Draft,
    /// Signed by all parties, not yet begun.
    Signed,
    /// In force.
    InForce,
    /// Stopped for a time.
    Suspended,
    /// Past its last day.
    Expired,
    /// Ended by a party.
    Withdrawn,
}
