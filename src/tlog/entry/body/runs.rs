//! What is logged about match runs: what one is begun on, and each of its steps.

use serde::{Deserialize, Serialize};

use super::{Code, Decision, Feed, Outcome};
use crate::domain::ids::{AgencyCode, AgreementRef, FeedCode, MatchRunId, PurposeCode, RoleCode, SubmissionId};
use crate::domain::time::Timestamp;
use crate::tlog::commitment::Commitment;
use crate::tlog::digest::Digest;

/// A match run was begun, or refused: everything that its result will depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchRun {
    /// Its random id.
    pub run: MatchRunId,
    /// The data team's agency.
    pub recipient: AgencyCode,
    /// Through which enrolled client.
    pub client: Code,
    /// The agreement version named in the request; absent when it names none that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementRef>,
    /// SHA-256 of that agreement's signed text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement_sha256: Option<Digest>,
    /// SHA-256 of the rule book in force.
    pub rules_sha256: Digest,
    /// SHA-256 of the programme file in force.
    pub programme_sha256: Digest,
    /// SHA-256 over every agency's file in force.
    pub agencies_sha256: Digest,
    /// SHA-256 of the match keys in force.
    pub match_keys_sha256: Digest,
    /// Version of the criteria in force.
    pub criteria_version: Code,
    /// What it is for.
    pub purpose: PurposeCode,
    /// The recipient's relationship with the persons, as stated.
    pub relationship: Code,
    /// The role of the person who began it.
    pub role: RoleCode,
    /// Begun, or refused and why.
    pub outcome: Outcome,
    /// The generation whose records it reads; absent when it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Every (supplier, item), decided before any record was read.
    pub decisions: Vec<Decision>,
    /// The feeds of the permitted set, and how fresh they were.
    pub feeds: Vec<Feed>,
    /// The submissions whose records it reads; none when it was refused.
    pub inputs: Vec<RunInput>,
    /// Commitments to what the entry must not say in clear.
    pub commitments: RunCommitments,
}

/// A submission that a match run reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunInput {
    /// Whose feed.
    pub agency: AgencyCode,
    /// Which feed.
    pub feed: FeedCode,
    /// The submission.
    pub submission: SubmissionId,
    /// The day that it describes.
    pub as_at: Timestamp,
    /// SHA-256 of its lines.
    pub digest: Digest,
}

/// The salted commitments of a [`MatchRun`] and its steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCommitments {
    /// The user who acted.
    pub actor: Commitment,
    /// What was counted in a step: a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Commitment>,
}

/// A step of a match run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchRunStep {
    /// The run.
    pub run: MatchRunId,
    /// `list`, `reply`, `close`, `families`, `repeat` or `failed`.
    pub step: Code,
    /// Who took it.
    pub agency: AgencyCode,
    /// Through which enrolled client.
    pub client: Code,
    /// The agreement version named, where the step discloses or supplies something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementRef>,
    /// SHA-256 of that agreement's signed text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement_sha256: Option<Digest>,
    /// SHA-256 of the rule book in force.
    pub rules_sha256: Digest,
    /// The role of the person who took it.
    pub role: RoleCode,
    /// Done, or refused and why.
    pub outcome: Outcome,
    /// SHA-256 of what was given, taken or found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// SHA-256 over the snapshot, of a step that computes from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_sha256: Option<Digest>,
    /// What was counted; in early entries alone. Beside what agencies delivered, a number in clear would
    /// tell how many records a shield keeps away, so that it is a commitment now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Vec<RunCount>>,
    /// Every (supplier, item) of a disclosure, decided before any record was read.
    pub decisions: Vec<Decision>,
    /// What else a disclosure was decided on; absent where the step discloses nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<RunStepGround>,
    /// Commitments to what the entry must not say in clear.
    pub commitments: RunCommitments,
}

/// What a step that discloses something was decided on, beside what every step says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStepGround {
    /// What for.
    pub purpose: PurposeCode,
    /// The agency's relationship with the persons, as stated.
    pub relationship: Code,
    /// SHA-256 of the programme file in force.
    pub programme_sha256: Digest,
    /// SHA-256 over every agency's file in force.
    pub agencies_sha256: Digest,
    /// SHA-256 of the match keys in force.
    pub match_keys_sha256: Digest,
}

/// A count of a match run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCount {
    /// What is counted.
    pub of: Code,
    /// How many.
    pub count: u64,
}
