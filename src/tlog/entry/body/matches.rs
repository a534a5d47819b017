//! What is logged about possible matches: questions to agencies, their decisions, and views of the data team.

use serde::{Deserialize, Serialize};

use super::{Code, Decision, Feed, Outcome};
use crate::domain::ids::{AgencyCode, AgreementRef, PossibleMatchId, PurposeCode, RoleCode};
use crate::tlog::commitment::Commitment;
use crate::tlog::digest::Digest;

/// An agency is asked to verify records of its own: from this entry on it may read them in its queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchAsk {
    /// Who is asked.
    pub recipient: AgencyCode,
    /// What for.
    pub purpose: PurposeCode,
    /// SHA-256 of the rule book in force.
    pub rules_sha256: Digest,
    /// SHA-256 of the programme file in force.
    pub programme_sha256: Digest,
    /// SHA-256 over every agency's file in force.
    pub agencies_sha256: Digest,
    /// SHA-256 of the match keys in force.
    pub match_keys_sha256: Digest,
    /// Commitments to what the entry must not say in clear.
    pub commitments: AskCommitments,
}

/// The salted commitment of a [`MatchAsk`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskCommitments {
    /// The possible matches, each with the agency's own reference and the fields to verify.
    pub asked: Commitment,
}

/// An agency decided about a record of its own, or took its decision back. No field depends on what
/// the other holder said or on what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchDecision {
    /// The possible match.
    pub possible_match: PossibleMatchId,
    /// Who decided.
    pub agency: AgencyCode,
    /// Through which enrolled client.
    pub client: Code,
    /// `confirm`, `reject`, `split`, `merge` or `reversal`.
    pub action: Code,
    /// The role of the person who decided.
    pub role: RoleCode,
    /// Why.
    pub reason: Code,
    /// Commitments to what the entry must not say in clear.
    pub commitments: DecisionCommitments,
}

/// The salted commitments of a [`MatchDecision`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionCommitments {
    /// The pairs that changed, and how.
    pub effect: Commitment,
    /// The agency's own record.
    pub record: Commitment,
}

/// Possible matches were shown, or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchView {
    /// Who asked.
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
    /// What they are for.
    pub purpose: PurposeCode,
    /// The recipient's relationship with the persons, as stated.
    pub relationship: Code,
    /// The role of the person who asked.
    pub role: RoleCode,
    /// Shown, or refused and why.
    pub outcome: Outcome,
    /// Every (supplier, item), decided before any record was read.
    pub decisions: Vec<Decision>,
    /// The feeds of the permitted set, and how fresh they were.
    pub feeds: Vec<Feed>,
    /// Commitments to what the entry must not say in clear.
    pub commitments: ViewCommitments,
}

/// The salted commitments of a [`MatchView`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewCommitments {
    /// The user who asked.
    pub actor: Commitment,
    /// What was shown.
    pub shown: Commitment,
}

/// Weights of weighed fields were learned from the visible records, and frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsLearned {
    /// SHA-256 of the artefact.
    pub weights_sha256: Digest,
    /// SHA-256 of the match keys that declare the fields.
    pub match_keys_sha256: Digest,
    /// The generation whose records were read.
    pub generation: u64,
    /// How many records took part; in early entries alone, as the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// How many pairs the weights accept among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<u64>,
    /// False links to be expected among ten thousand of these, in thousandths.
    pub false_links_per_10000_in_thousandths: u64,
    /// The account that ran the command; never a person's name.
    pub by: Code,
    /// Commitments to what the entry must not say in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitments: Option<NumberCommitments>,
}

/// The salted commitment to what was counted among records: beside what agencies delivered, a number in
/// clear would tell how many records a shield keeps away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberCommitments {
    /// The numbers, a JSON object.
    pub numbers: Commitment,
}

/// Frozen weights were applied: what they accept joins records from now on. Or they were withdrawn, and
/// what they joined is parted. People whom a shield reaches count in no number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsStep {
    /// `apply` or `withdraw`.
    pub step: Code,
    /// SHA-256 of the artefact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<Digest>,
    /// SHA-256 of the match keys in force.
    pub match_keys_sha256: Digest,
    /// The generation whose records were read.
    pub generation: u64,
    /// How many records took part; in early entries alone, as the next three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// How many of them were weighed, the others being as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighed: Option<u64>,
    /// Pairs that came into force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<u64>,
    /// Pairs that no longer stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parted: Option<u64>,
    /// SHA-256 over the lines of both.
    pub pairs_sha256: Digest,
    /// The account that ran the command; never a person's name.
    pub by: Code,
    /// Commitments to what the entry must not say in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitments: Option<NumberCommitments>,
}

/// Fuzzy encodings were compared: records that are alike and that nothing else joins are one person's from
/// now on. Or this was taken back. People whom a shield reaches count in no number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FuzzyStep {
    /// `apply` or `withdraw`.
    pub step: Code,
    /// `weakest-of-three`: what the choice of this privacy profile is.
    pub privacy: Code,
    /// SHA-256 of the encoding profile; absent where nothing is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding_sha256: Option<Digest>,
    /// The threshold in it, in thousandths of the Dice coefficient; absent likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_in_thousandths: Option<u16>,
    /// SHA-256 of the match keys in force.
    pub match_keys_sha256: Digest,
    /// The generation whose records were read.
    pub generation: u64,
    /// SHA-256 over the lines of the pairs that came into force and of those that no longer stand.
    pub pairs_sha256: Digest,
    /// The account that ran the command; never a person's name.
    pub by: Code,
    /// What was counted.
    pub commitments: NumberCommitments,
}
