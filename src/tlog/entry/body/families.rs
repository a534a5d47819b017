//! What is logged about families and referrals besides looks at them.

use serde::{Deserialize, Serialize};

use super::{Code, Outcome};
use crate::domain::ids::{AgencyCode, AgreementRef, EventId, PurposeCode, ReferralId, RoleCode};
use crate::tlog::commitment::Commitment;
use crate::tlog::digest::Digest;
/// Something that became of a family. Which family, which records and who decided are commitments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyChange {
    /// What: `issued`, `records_added`, `attached`, `engaged`, `merged`, `split`, `lead_started`,
    /// `lead_ended` or `continuity_alert`.
    pub action: Code,
    /// Whose people decided.
    pub agency: AgencyCode,
    /// Through which enrolled client.
    pub client: Code,
    /// In which role.
    pub role: RoleCode,
    /// Under which agreement version.
    pub agreement: AgreementRef,
    /// For what.
    pub purpose: PurposeCode,
    /// Why.
    pub reason: Code,
    /// The entry of the disclosure that it was decided on.
    pub disclosure: EventId,
    /// Commitments to what the entry must not say in clear.
    pub commitments: FamilyCommitments,
}

/// The salted commitments of a family's change. Each has one opening, kept outside the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyCommitments {
    /// The numbers of the families, the one that changed first.
    pub families: Commitment,
    /// What changed: records, a lead or months of contact.
    pub change: Commitment,
    /// The user who decided.
    pub actor: Commitment,
}

/// A step of a referral. Nothing in clear is about a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferralStep {
    /// Which referral.
    pub referral: ReferralId,
    /// What was done.
    pub step: Code,
    /// Where the referral was; absent when it came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Code>,
    /// Where the step leads.
    pub to: Code,
    /// Who took it.
    pub agency: AgencyCode,
    /// Through which enrolled client.
    pub client: Code,
    /// The agreement version named; absent when none such exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementRef>,
    /// SHA-256 of that agreement's signed text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement_sha256: Option<Digest>,
    /// SHA-256 of the rule book in force.
    pub rules_sha256: Digest,
    /// SHA-256 of the programme file in force, which gives the step its purpose.
    pub programme_sha256: Digest,
    /// What the step is for.
    pub purpose: PurposeCode,
    /// The agency's relationship with the family, as stated.
    pub relationship: Code,
    /// The role of the person who acted.
    pub role: RoleCode,
    /// The entry of the enquiry that the step rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<EventId>,
    /// With whom the referral was shared, or to whom the family was assigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<AgencyCode>,
    /// To which team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<Code>,
    /// Taken, or refused and why.
    pub outcome: Outcome,
    /// Commitments to what the entry must not say in clear.
    pub commitments: ReferralCommitments,
}

/// The salted commitments of a referral's step. Each has one opening, kept outside the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferralCommitments {
    /// The person who acted.
    pub actor: Commitment,
    /// The agency's case, when the referral came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Commitment>,
    /// The family's reference, when it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Commitment>,
}
