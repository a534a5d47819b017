//! What is logged about reviews of disclosures and about alerts. Nobody in the data is in any of it:
//! disclosures are named by their entries, people who decide by their accounts.

use serde::{Deserialize, Serialize};

use super::{Code, Filter, YesNo};
use crate::domain::ids::{AgencyCode, AgreementRef, EventId};
use crate::domain::time::Timestamp;
use crate::tlog::digest::Digest;

/// A reviewing officer was registered, or is one no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewOfficer {
    /// The officer's account; never a person's name.
    pub account: Code,
    /// The officer's agency.
    pub agency: AgencyCode,
    /// `registered` or `ended`.
    pub action: Code,
    /// Signatory keys that are the officer's own, sorted.
    pub keys: Vec<Code>,
    /// Clients that the officer asks through, sorted.
    pub clients: Vec<Code>,
    /// Whether the officer's own user references are known, so that a disclosure to the officer is told
    /// from one to a colleague.
    pub has_user_references: YesNo,
    /// The account that did it; never a person's name.
    pub by: Code,
    /// Why.
    pub reason: Code,
}

/// A sample of disclosures was drawn; whoever has the same log draws the same again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewPlan {
    /// `random`, `stratified`, `risk`, `targeted` or `always`.
    pub strategy: Code,
    /// The seed, hexadecimal.
    pub seed: Digest,
    /// Where the seed comes from: `gateway` or `given`.
    pub seed_from: Code,
    /// Disclosures from this moment on.
    pub since: Timestamp,
    /// Disclosures before this moment.
    pub until: Timestamp,
    /// Only entries from this index on.
    pub first: u64,
    /// Only entries below this index: how much of the log there was.
    pub log_size: u64,
    /// What the population was narrowed by, and the areas that count as risks (`weigh-area`).
    pub filters: Vec<Filter>,
    /// The entries that were named, where the sample is targeted; sorted.
    pub entries: Vec<EventId>,
    /// How many were wanted.
    pub size: u64,
    /// The least of each stratum.
    pub minimum: u64,
    /// How many could have been drawn.
    pub population: u64,
    /// SHA-256 over the population.
    pub population_sha256: Digest,
    /// How many strata it has.
    pub strata: u64,
    /// How many were drawn.
    pub sample: u64,
    /// SHA-256 over the sample.
    pub sample_sha256: Digest,
    /// The account or job that drew; never a person's name.
    pub by: Code,
    /// Why, such as the number of a complaint.
    pub reason: Code,
}

/// A step of the review of one disclosure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewStep {
    /// The disclosure's entry.
    pub entry: EventId,
    /// `taken`, `released`, `decided`, `confirmed`, `returned` or `done`.
    pub step: Code,
    /// The state before.
    pub from: Code,
    /// The state from now on.
    pub to: Code,
    /// To whom the disclosure was made, where to anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<AgencyCode>,
    /// What was found, in a step that decides or confirms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Code>,
    /// How grave it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Code>,
    /// What is done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Code>,
    /// Who does it: a post or account, never a person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Code>,
    /// The day by which it is done, such as `2026-10-31`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Code>,
    /// The agreement that the finding suspends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementRef>,
    /// The entry of the officer's look at the disclosure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<EventId>,
    /// The officer's account; never a person's name.
    pub by: Code,
    /// Why, or where it is written up.
    pub reason: Code,
}

/// An agency replied to a finding about its own disclosure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewReply {
    /// The disclosure's entry.
    pub entry: EventId,
    /// The entry by which the finding took effect.
    pub finding: EventId,
    /// Who replied.
    pub agency: AgencyCode,
    /// Through which enrolled client.
    pub client: Code,
    /// `accepted`, `disputed` or `corrected`.
    pub position: Code,
    /// Why, or where the agency has written it up.
    pub reason: Code,
}

/// An alert was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertOpen {
    /// What it is about.
    pub kind: Code,
    /// How grave it is until somebody has looked.
    pub severity: Code,
    /// Whose questions raised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<AgencyCode>,
    /// Which of its clients; absent where it is about the agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Code>,
    /// The day of the questions, UTC, such as `2026-09-20`.
    pub day: Code,
    /// The entry that raised it, where it is a single one that need not be hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EventId>,
    /// What was seen, and against what; sorted.
    pub figures: Vec<Figure>,
}

/// One number of an alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// What was counted.
    pub of: Code,
    /// How many.
    pub count: u64,
}

/// An officer closed or escalated an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertStep {
    /// The entry that opened the alert.
    pub alert: EventId,
    /// `close` or `escalate`.
    pub step: Code,
    /// The state before.
    pub from: Code,
    /// The state from now on.
    pub to: Code,
    /// To whom it is escalated: a post or account, never a person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalated_to: Option<Code>,
    /// The officer's account; never a person's name.
    pub by: Code,
    /// Why.
    pub reason: Code,
}

/// A decoy was registered or removed. Which record it is, is sealed elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertDecoy {
    /// `registered` or `removed`.
    pub action: Code,
    /// How many there are now.
    pub decoys: u64,
    /// The account that did it; never a person's name.
    pub by: Code,
    /// Why.
    pub reason: Code,
}
