//! What is logged when the log itself is read: by whom, on what grounds, and which part of it.

use serde::{Deserialize, Serialize};

use super::{Code, Decision, Outcome};
use crate::domain::ids::{AgencyCode, AgreementRef, EventId, PurposeCode, RoleCode};
use crate::tlog::commitment::Commitment;
use crate::tlog::digest::Digest;

/// The log was searched, an entry was read or replayed, or the log was exported. Entries hold nobody
/// in clear, so everything here is in clear too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogAccess {
    /// What was done: `search`, `read`, `replay` or `export`.
    pub action: Code,
    /// For whom; absent where an operator exports without openings, for nobody in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<AgencyCode>,
    /// Through which enrolled client, or by which account of the operator's.
    pub client: Code,
    /// The agreement version named; absent when it names none that exists.
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
    /// What for.
    pub purpose: PurposeCode,
    /// In which role; absent likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleCode>,
    /// Shown, or refused and why.
    pub outcome: Outcome,
    /// What a search was narrowed by.
    pub filters: Vec<Filter>,
    /// The entry that was read or replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EventId>,
    /// The index of the first entry that was shown; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// The index of the last entry that was shown; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
    /// How many were shown. An export has these and what follows up to its checkpoint, this entry among it.
    pub count: u64,
    /// Whether an export has openings: `none`, or `permitted`, as `tlog::bundle` defines them.
    pub openings: Code,
    /// What the reader may learn, decided as an enquiry is. Empty where no opening was shown.
    pub decisions: Vec<Decision>,
    /// The commitment to who looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitments: Option<AccessCommitments>,
    /// How many entries a quorum of witnesses vouched for when an export was made; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witnessed: Option<u64>,
    /// SHA-256 of the file of public keys in an export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_sha256: Option<Digest>,
}

/// The salted commitment of a [`LogAccess`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessCommitments {
    /// Who looked: the person by the agency's own reference, or the account.
    pub actor: Commitment,
}

/// Who has to have seen the log before anything is released, as the gateway was started with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogWitnesses {
    /// The witnesses that are believed.
    pub witnesses: Vec<WitnessNamed>,
    /// How many of them; 0 where there are none.
    pub quorum: u64,
    /// Minutes after which releases stop; 0 likewise.
    pub stop_after_minutes: u64,
    /// Why there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
}

/// A witness that is believed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessNamed {
    /// Its name, where that is a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Code>,
    /// SHA-256 of its verifier key's text.
    pub key_sha256: Digest,
}

/// One thing that a search was narrowed by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// By what, such as `agency`.
    pub by: Code,
    /// Its value.
    pub value: Code,
}
