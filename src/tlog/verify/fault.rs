//! What can be wrong with an export.

use std::fmt;

use crate::domain::ids::EventId;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $sentence:literal;)*) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FaultKind {$(
            $(#[$doc])*
            $name,
        )*}

        impl FaultKind {
            /// The code, for programs.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
            /// The sentence, for people.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

faults! {
    /// A file could not be read.
    Unreadable = "unreadable", "this file cannot be read";
    /// No checkpoint.
    CheckpointMissing = "checkpoint-missing", "the export has no checkpoint";
    /// Not a checkpoint.
    CheckpointMalformed = "checkpoint-malformed", "the checkpoint is not in the form of one";
    /// No valid signature of the log.
    CheckpointSignature = "checkpoint-signature", "the checkpoint is not signed by the log's key";
    /// Another log's.
    CheckpointOrigin = "checkpoint-origin", "the checkpoint is of another log";
    /// Too few witnesses.
    WitnessQuorum = "witness-quorum", "too few of the trusted witnesses have cosigned the checkpoint";
    /// A false cosignature.
    WitnessSignature = "witness-signature", "a cosignature names a trusted witness and is not its signature";
    /// The tree is not the signed one.
    RootMismatch = "root-mismatch", "neither the entries nor the tiles give the root that the checkpoint signs";
    /// A bundle is missing.
    BundleMissing = "bundle-missing", "this entry bundle is missing";
    /// A bundle is cut or damaged.
    BundleMalformed = "bundle-malformed", "this entry bundle does not hold the entries that it should, from this index on";
    /// A tile is missing.
    TileMissing = "tile-missing", "this tile is missing";
    /// A tile is too short or too long.
    TileLength = "tile-length", "this tile has another length than its hashes need";
    /// A tile's hash is not the tree's.
    TileAltered = "tile-altered", "a hash in this tile is not that of the entries below it";
    /// Nothing more follows although it should.
    ExportEnds = "export-ends", "the export ends here, long before the size that the checkpoint states";
    /// Entries beyond the checkpoint.
    UnsignedEntries = "unsigned-entries", "the export holds entries that no signed checkpoint covers";
    /// An entry is not the one that was logged.
    EntryAltered = "entry-altered", "the entry does not hash to its leaf: it is not the entry that was logged";
    /// Not canonical, or no entry at all.
    EntryMalformed = "entry-malformed", "the entry is not in the canonical form of entries";
    /// The body's fields are not those of its type.
    EntryFields = "entry-fields", "the entry's body does not have the fields of its type";
    /// Another log's entry.
    EntryOrigin = "entry-origin", "the entry belongs to another log";
    /// One event, two entries.
    EventRepeated = "event-repeated", "an earlier entry has the same event id";
    /// The log was shortened.
    Rollback = "rollback", "a checkpoint held elsewhere is of a larger tree: entries were taken back";
    /// The log was rewritten.
    Rewrite = "rewrite", "a checkpoint held elsewhere is of another history: entries were changed after it was signed";
    /// A checkpoint held elsewhere is not one.
    HeldCheckpoint = "held-checkpoint", "a checkpoint held elsewhere is not one that this log signed";
    /// A checkpoint held elsewhere could not be compared.
    HeldUnchecked = "held-unchecked", "a checkpoint held elsewhere cannot be compared, because entries before it are missing";
    /// A receipt is not one.
    ReceiptInvalid = "receipt-invalid", "a receipt is not one that this gateway signed";
    /// A promise was broken.
    ReceiptMissing = "receipt-missing", "a receipt promises this event's entry, and the log does not hold it";
    /// A promise was broken in substance.
    ReceiptMismatch = "receipt-mismatch", "a receipt promises another entry for this event";
    /// Not an opening.
    OpeningMalformed = "opening-malformed", "a line of this file is not an opening";
    /// An opening does not open.
    OpeningForged = "opening-forged", "an opening does not match the entry's commitment";
    /// An opening of nothing.
    OpeningUnknown = "opening-unknown", "an opening is of no commitment in the entries beside it";
    /// The same opening twice.
    OpeningRepeated = "opening-repeated", "an opening occurs twice";
    /// An opening is gone and nobody recorded it.
    OpeningMissing = "opening-missing", "an opening of this entry is missing, and no erasure entry says why";
    /// No entry records the export.
    ManifestUnfounded = "manifest-unfounded", "the export does not name an entry of this log that records it";
    /// The export hides that a newer one was made.
    ManifestSuperseded = "manifest-superseded", "a newer entry of this log records another export: the export names an earlier one, which may have been for somebody else or narrower";
    /// Witnesses are named in the log and missing here.
    WitnessScope = "witness-scope", "the entry of the export says that witnesses vouched for more entries than the cosignatures here reach";
    /// Witnesses saw too little of the log.
    WitnessBehind = "witness-behind", "no quorum of witnesses vouches for entries from this index on, although they are older than the limit";
    /// A receipt of something else.
    ReceiptUnchecked = "receipt-unchecked", "a receipt is of another event than the entry that was checked alone: check the whole export";
    /// The keys are not those of the entry.
    KeysAltered = "keys-altered", "the public keys are not those that the entry of the export names";
    /// The index is not in the log.
    NoSuchEntry = "no-such-entry", "the checkpoint covers no entry with this index";
    /// An erasure that was not done.
    OpeningNotErased = "opening-not-erased", "an erasure entry says that this event's openings were destroyed, and one is still here";
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// The entry's index, where it is about one.
    pub index: Option<u64>,
    /// The event, where it is known.
    pub event: Option<EventId>,
    /// The file's path in the export, where it is about one.
    pub file: Option<String>,
}

impl Fault {
    pub(super) const fn new(kind: FaultKind) -> Self {
        Self { kind, index: None, event: None, file: None }
    }
    pub(super) fn at(self, index: u64) -> Self {
        Self { index: Some(index), ..self }
    }
    pub(super) fn of(self, event: impl Into<Option<EventId>>) -> Self {
        Self { event: event.into(), ..self }
    }
    pub(super) fn in_file(self, file: impl fmt::Display) -> Self {
        Self { file: Some(file.to_string()), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.kind.code())?;
        if let Some(file) = &self.file {
            write!(f, " {file}")?;
        }
        if let Some(index) = self.index {
            write!(f, " index {index}")?;
        }
        if let Some(event) = self.event {
            write!(f, " event {event}")?;
        }
        write!(f, ": {}", self.kind.sentence())
    }
}
