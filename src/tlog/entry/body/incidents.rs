//! What is logged of incidents, of emergency enquiries' reviews and of decisions not to share.

use serde::{Deserialize, Serialize};

use super::{Code, YesNo};
use crate::domain::ids::{AgencyCode, AgreementRef, EventId, IncidentId, PurposeCode, RoleCode};
use crate::domain::time::Timestamp;
use crate::tlog::commitment::Commitment;
use crate::tlog::digest::Digest;

/// A step of an incident's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentStep {
    /// The incident.
    pub incident: IncidentId,
    /// When the controller became aware: the 72 hours run from here.
    pub aware_at: Timestamp,
    /// What kind of incident, such as `wrong-match`.
    pub nature: Code,
    /// Its state from now on: `open`, `assessed`, `decided` or `closed`.
    pub to: Code,
    /// After an assessment, the risk to people: `none`, `risk` or `high_risk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Code>,
    /// After a decision, whether the Information Commissioner is notified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_commissioner: Option<YesNo>,
    /// After a decision, whether the people are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_people: Option<YesNo>,
    /// Why the Commissioner is notified later than 72 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_reason: Option<Code>,
    /// Why.
    pub reason: Code,
    /// SHA-256 of everything that is recorded of it from now on.
    pub record_sha256: Digest,
    /// The account that took the step; never a person's name.
    pub by: Code,
    /// The other account that a decision needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconded_by: Option<Code>,
}

/// An incident was linked to something, or its notice pack was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentLink {
    /// The incident.
    pub incident: IncidentId,
    /// `recall`, `alert`, `entry`; or `pack` where the notice pack was written.
    pub of: Code,
    /// The id of what it was linked to; for a pack the SHA-256 of its record.
    pub name: Code,
    /// The account; never a person's name.
    pub by: Code,
}

/// Somebody who did not ask reviewed an emergency enquiry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmergencyReview {
    /// The entry of the emergency enquiry.
    pub entry: EventId,
    /// Who asked.
    pub agency: AgencyCode,
    /// Through which client the asking agency reviewed it; absent where the council did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Code>,
    /// The role of the reviewer at the asking agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleCode>,
    /// The account of the council's officer who reviewed it; never a person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Code>,
    /// `justified`, `record-incomplete` or `not-justified`.
    pub finding: Code,
    /// Why.
    pub reason: Code,
    /// Whether it was reviewed by the end of the day.
    pub in_time: YesNo,
    /// Commitments to what the entry must not say in clear; absent where the council reviewed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitments: Option<ReviewerCommitments>,
}

/// The salted commitment of an [`EmergencyReview`] by the asking agency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewerCommitments {
    /// The user who reviewed it.
    pub actor: Commitment,
}

/// Somebody was asked to share and decided not to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotShared {
    /// The agency whose data were asked for.
    pub agency: AgencyCode,
    /// Who asked: an agency's code, or what it is, such as `journalist` or `landlord`.
    pub asked_by: Code,
    /// What was asked for: areas, items or kinds of data. Sorted, each once.
    pub items: Vec<Code>,
    /// What it was asked for.
    pub purpose: PurposeCode,
    /// The agreement that was pointed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementRef>,
    /// Why it was declined.
    pub reason: Code,
    /// The law that the decision rests on, such as `UKGDPR-art5-1-c`.
    pub basis: Code,
    /// The client through which the agency recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Code>,
    /// The role of the person at the agency who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleCode>,
    /// The account of the officer who recorded it; never a person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Code>,
    /// Commitments to what the entry must not say in clear.
    pub commitments: NotSharedCommitments,
}

/// The salted commitments of a [`NotShared`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotSharedCommitments {
    /// The agency's case; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Commitment>,
    /// The user who decided; absent where an officer recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Commitment>,
}
