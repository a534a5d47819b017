//! What is logged when a wrong match or delivery is recalled, and when agencies acknowledge notices.

use serde::{Deserialize, Serialize};

use super::{Code, YesNo};
use crate::domain::ids::{AgencyCode, EventId, NoticeId, RecallId, RoleCode};
use crate::tlog::commitment::Commitment;

/// A wrong match or delivery is recalled from here on. No field depends on what it had touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecallOpen {
    /// The recall.
    pub recall: RecallId,
    /// By what it was named: `entry`, `pair`, `possible-match`, `record` or `submission`.
    pub named_by: Code,
    /// The holder that raised it, about a record, delivery or answer of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<AgencyCode>,
    /// Through which enrolled client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Code>,
    /// The role of the person at the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleCode>,
    /// The account of the officer who opened it; never a person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Code>,
    /// Why.
    pub reason: Code,
    /// Commitments to what the entry must not say in clear.
    pub commitments: RecallCommitments,
}

/// The salted commitment of a [`RecallOpen`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecallCommitments {
    /// The records, or the delivery, that were wrong.
    pub wrong: Commitment,
}

/// An agency is told that an answer which it received was wrong, or that a family wants attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecallNotice {
    /// The recall.
    pub recall: RecallId,
    /// The notice.
    pub notice: NoticeId,
    /// Who is told.
    pub recipient: AgencyCode,
    /// What was wrong: `answer`, `engagement`, `run` or `family`.
    pub of: Code,
    /// The entry of the answer; absent for a family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EventId>,
    /// Whether it would certainly have been another answer.
    pub certain: YesNo,
    /// Commitments to what the entry must not say in clear.
    pub commitments: NoticeCommitments,
}

/// The salted commitment of a [`RecallNotice`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeCommitments {
    /// What the notice says.
    pub notice: Commitment,
}

/// A step of a recall: everybody was told (`told`), or everybody has acknowledged (`closed`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecallStep {
    /// The recall.
    pub recall: RecallId,
    /// Which step.
    pub step: Code,
    /// Answers that had the wrong match or delivery in them.
    pub looked_at: u64,
    /// Of these, those that come out the same without it.
    pub untouched: u64,
    /// Answers that were wrong.
    pub wrong: u64,
    /// Of these, those that cannot be told apart any more and may have been right.
    pub unsettled: u64,
    /// Engagements among the wrong answers.
    pub engagements: u64,
    /// Families that want attention.
    pub families: u64,
}

/// An agency acknowledged a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeAcknowledgement {
    /// The notice.
    pub notice: NoticeId,
    /// Who acknowledged.
    pub agency: AgencyCode,
    /// Through which enrolled client.
    pub client: Code,
    /// The role of the person who did.
    pub role: RoleCode,
    /// What was done about it.
    pub action: Code,
}
