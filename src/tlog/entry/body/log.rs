//! What is logged of the log itself: its beginning, and a loss that somebody accepted.

use serde::{Deserialize, Serialize};

use super::Code;
use crate::domain::ids::ProgrammeCode;
use crate::tlog::digest::Digest;

/// The first entry of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogOpen {
    /// The programme.
    pub programme: ProgrammeCode,
    /// The log that this one continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousLog>,
}

/// The last state of the log before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviousLog {
    /// Its origin.
    pub origin: Code,
    /// Its size.
    pub size: u64,
    /// Its root hash.
    pub root: Digest,
}

/// The database was restored from a backup that lacks entries known elsewhere: whoever holds a
/// later checkpoint finds here how far the log was taken back, and who accepted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRestore {
    /// How many entries the restored log has.
    pub size: u64,
    /// The root hash over them.
    pub root: Digest,
    /// How many entries the checkpoint from elsewhere counts.
    pub known_size: u64,
    /// Its root hash.
    pub known_root: Digest,
    /// Entries of that checkpoint that the restored log lacks.
    pub missing: u64,
    /// SHA-256 of the backup.
    pub backup_sha256: Digest,
    /// The account that accepted the loss; never a person's name.
    pub by: Code,
    /// Why.
    pub reason: Code,
}
