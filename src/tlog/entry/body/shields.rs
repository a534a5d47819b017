//! What is logged when an agency notes a day for a record of its own.

use serde::{Deserialize, Serialize};

use super::Code;
use crate::domain::ids::{AgencyCode, RoleCode};
use crate::tlog::commitment::Commitment;

/// An agency noted when it means to look at a record of its own again. The entry is the same whatever the
/// record is: it does not tell whether it is restricted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShieldReview {
    /// Which agency.
    pub agency: AgencyCode,
    /// Through which enrolled client.
    pub client: Code,
    /// The role of the shield officer.
    pub role: RoleCode,
    /// Commitments to what the entry must not say in clear.
    pub commitments: ShieldReviewCommitments,
}

/// The salted commitment of a [`ShieldReview`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShieldReviewCommitments {
    /// The record and the day.
    pub review: Commitment,
}
