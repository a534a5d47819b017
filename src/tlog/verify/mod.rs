//! An export checked offline: every entry, every tile, the root, the signatures, and what others hold.
//!
//! The verifier reads through [`Export`] and keeps 8 bytes for each entry (to find an event id that
//! occurs twice) and one bundle; it goes on after a fault, to find all that it can.

mod claim;
mod fault;
mod openings;
mod run;
mod scope;
mod spot;
mod tree;

#[cfg(test)]
mod attacks;

pub use claim::{ClaimFault, ClaimReport};
pub use fault::{Fault, FaultKind};

use std::fmt;

use self::run::Run;
use super::bundle::Scope;
use super::checkpoint::Checkpoint;
use super::note::NoteVerifier;
use super::tile::{self, BundleId, TileId};

/// Names a file of an export. Displayed, it is the path below the export's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportFile {
    /// The signed checkpoint.
    Checkpoint,
    /// A tile of hashes.
    Tile(TileId),
    /// An entry bundle.
    Bundle(BundleId),
    /// The openings of the entries in the bundle with this index.
    Openings(u64),
    /// Which entry of the log records this export.
    Manifest,
    /// The public keys, as the exporter had them.
    Keys,
    /// The newest checkpoint that witnesses cosigned.
    Cosigned,
}

impl fmt::Display for ExportFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Tile(id) => id.fmt(f),
            Self::Bundle(id) => id.fmt(f),
            Self::Openings(index) => write!(f, "openings/{}", tile::position_path(*index)),
            Self::Manifest => f.write_str("bundle.json"),
            Self::Keys => f.write_str("keys.toml"),
            Self::Cosigned => f.write_str("checkpoint.cosigned"),
        }
    }
}

/// Where the files of an export come from.
pub trait Export {
    /// Why a file cannot be read.
    type Error;

    /// A file's bytes; `None` if there is no such file.
    ///
    /// # Errors
    ///
    /// If there may be such a file and it cannot be read.
    fn read(&self, file: ExportFile) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// What the auditor trusts and holds.
#[derive(Clone, Copy, Default)]
pub struct Verifier<'a> {
    /// The log's origin.
    pub origin: &'a str,
    /// The log's checkpoint keys.
    pub log_keys: &'a [&'a dyn NoteVerifier],
    /// Trusted witnesses.
    pub witnesses: &'a [&'a dyn NoteVerifier],
    /// How many of them must have cosigned.
    pub quorum: usize,
    /// Signed checkpoints held outside the gateway.
    pub held: &'a [&'a [u8]],
    /// The gateway's receipt keys.
    pub receipt_keys: &'a [&'a dyn NoteVerifier],
    /// Receipts that recipients hold; each entry must be there.
    pub receipts: &'a [&'a [u8]],
    /// Whether the export should hold every opening that was not erased.
    pub with_openings: bool,
    /// Whether the export should name the entry of the log that records it; which openings are due
    /// follows from that entry then.
    pub with_manifest: bool,
    /// Entries older than this many seconds, by the newest one, have to be under a quorum of witnesses;
    /// `None`: however far the witnesses got is enough.
    pub witnessed_within_s: Option<u64>,
    /// Whether to compare each body with the fields of its type, which takes many times as long.
    pub with_fields: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The checkpoint of the export, as far as it could be read.
    pub checkpoint: Option<Checkpoint>,
    /// Entries read.
    pub entries: u64,
    /// Openings that match their commitments.
    pub openings: u64,
    /// Receipts whose entries are there.
    pub receipts: u64,
    /// Entries of types that this version does not know; not a fault.
    pub unknown_types: u64,
    /// The size of the checkpoint that enough witnesses cosigned, where a quorum was asked for.
    pub witnessed: Option<u64>,
    /// The entry that records the export: its index, and what it says.
    pub recorded: Option<(u64, Scope)>,
    /// Checkpoints held elsewhere that the export's tree was shown to contain.
    pub held: usize,
    /// What was checked where one entry was looked at alone.
    pub alone: Option<CheckedAlone>,
    /// What is wrong; at most 1,000 of each kind.
    pub faults: Vec<Fault>,
    /// Faults beyond those listed.
    pub more_faults: u64,
}

/// One entry that was checked alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedAlone {
    /// Its index.
    pub index: u64,
    /// Whether the part of the log that witnesses vouch for holds it.
    pub is_witnessed: bool,
    /// The entry that says that its openings were destroyed.
    pub erased_by: Option<u64>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }
}

impl Verifier<'_> {
    /// Checks an export; `progress` hears the number of entries read after every bundle.
    pub fn verify<E: Export>(&self, export: &E, progress: &mut dyn FnMut(u64)) -> Report {
        Run::new(self, export).finish(progress)
    }

    /// Checks one entry and everything that its proof needs, which is a small part of a large export: the
    /// checkpoint, and that it goes on from those held elsewhere and cosigned; the entry in its bundle, its
    /// tile and those above; the entry that records the export, likewise; a receipt of the entry; its
    /// openings, and where one is missing the entries from there on, for the erasure that says why.
    pub fn verify_entry<E: Export>(&self, export: &E, index: u64) -> Report {
        Run::new(self, export).finish_one(index)
    }
}
