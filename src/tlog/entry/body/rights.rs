//! What is logged about people's rights and about how long things are kept.

use serde::{Deserialize, Serialize};

use super::Code;
use crate::domain::ids::{AgencyCode, RoleCode};
use crate::domain::time::Timestamp;
use crate::tlog::commitment::Commitment;
use crate::tlog::digest::Digest;

/// Something that was done in a case of a person's rights. Of this type every entry is for review.
///
/// Entries of a source controller have a number of their own in `matter`, so that the log does not say
/// which agencies hold the same person. What shield officers do names no case at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectCase {
    /// The number of the case, for its agency; of the part, for a source controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matter: Option<Code>,
    /// The right: `access`, `objection`, `restriction`, `rectification`, `erasure` or `contested`; `complaint`.
    pub right: Code,
    /// What was done: `opened`, `data-read`, `decided`, `lifted`, `collected`, `extend`, `pause`, `resume`, `close`,
    /// `answered`, `received`, `acknowledge`, `shield-read`.
    pub action: Code,
    /// Whose system did it; absent for an officer at the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<AgencyCode>,
    /// Through which enrolled client; the account of an officer at the gateway.
    pub client: Code,
    /// The role of the person who acted; absent for an officer at the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleCode>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
    /// What was decided about the agency's own records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Code>,
    /// The last day for an answer, where the clock runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Code>,
    /// Commitments to what the entry must not say in clear.
    pub commitments: SubjectCommitments,
}

/// The salted commitments of a [`SubjectCase`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectCommitments {
    /// The user who acted.
    pub actor: Commitment,
    /// The records, and what was decided about them.
    pub detail: Commitment,
}

/// A freeze on deletion was placed or lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalHold {
    /// Its number.
    pub hold: Code,
    /// What it covers: `everything`, `agency`, `agreement`, `purpose` or `entry`.
    pub covers: Code,
    /// Which one; absent for everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Code>,
    /// `placed` or `lifted`.
    pub action: Code,
    /// The account of the officer; never a person's name.
    pub by: Code,
    /// Why.
    pub reason: Code,
}

/// Evidence that something was deleted, without what was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deletion {
    /// What was deleted, by the name of the retention rule.
    pub item: Code,
    /// SHA-256 of the programme file whose rule it followed.
    pub programme_sha256: Digest,
    /// After how many months by that rule.
    pub months: u64,
    /// Everything of before this moment.
    pub before: Timestamp,
    /// How many were deleted; no rule tells shielded people from others.
    pub count: u64,
    /// How many a freeze kept.
    pub held: u64,
    /// SHA-256 over the numbers of what was deleted, a line each, sorted.
    pub digest: Digest,
    /// The account or job.
    pub by: Code,
}
