//! What vouches for an export beyond its own checkpoint: the entry that records it, and witnesses.

pub(super) use crate::tlog::bundle::Scope;

use super::fault::{Fault, FaultKind};
use super::run::Run;
use super::{Export, ExportFile};
use crate::tlog::bundle::Manifest;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::digest::Digest;
use crate::tlog::note::{NoteError, SignedNote};
use crate::tlog::tile;

/// Which openings of an entry are due.
#[derive(Clone, Copy)]
pub(super) enum Due {
    /// None.
    Nothing,
    /// Those of these fields.
    Fields(&'static [&'static str]),
    /// Those of every commitment.
    Everything,
}

impl Due {
    /// Whether an opening is due at all.
    pub(super) const fn is_any(self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// Whether the opening of a field is.
    pub(super) fn has(self, field: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Fields(fields) => fields.contains(&field),
            Self::Everything => true,
        }
    }
}

impl<E: Export> Run<'_, E> {
    /// Reads which entry records this export, and what that entry says.
    pub(super) fn find_scope(&mut self, checkpoint: &Checkpoint) {
        let file = ExportFile::Manifest;
        let bytes = self.read(file);
        if bytes.is_none() && !self.trust.with_manifest {
            return;
        }
        let manifest = bytes.as_deref().and_then(Manifest::parse);
        self.scope = manifest.and_then(|manifest| self.entry_of(&manifest, checkpoint.size));
        let Some(scope) = &self.scope else {
            self.fault(Fault::new(FaultKind::ManifestUnfounded).in_file(file));
            return;
        };
        let due = scope.keys_sha256;
        let keys = self.read(ExportFile::Keys);
        if keys.as_deref().map(Digest::of) != due {
            self.fault(Fault::new(FaultKind::KeysAltered).in_file(ExportFile::Keys));
        }
    }

    /// The scope in the entry that a manifest names. It is among the newest: the search goes backwards.
    fn entry_of(&mut self, manifest: &Manifest, size: u64) -> Option<Scope> {
        let name = manifest.export.to_string();
        let last = size.checked_sub(1)? / u64::from(tile::TILE_WIDTH);
        let mut missing = 0;
        for index in (0..=last).rev() {
            let id = tile::bundles_written(index * 256, size.min((index + 1) * 256)).next()?;
            let Some(bytes) = self.read(ExportFile::Bundle(id)) else {
                missing += 1;
                if missing > 16 {
                    return None;
                }
                continue;
            };
            let is_it = |entry: &&[u8]| std::str::from_utf8(entry).is_ok_and(|text| text.contains(&name));
            let found =
                tile::entries(&bytes).flatten().filter(is_it).find_map(|entry| Scope::of_entry(entry, manifest.export));
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Whether the export has openings that are checked.
    pub(super) fn opens(&self) -> bool {
        self.trust.with_openings || self.scope.as_ref().is_some_and(Scope::has_openings)
    }

    /// The openings of an entry that are due.
    pub(super) fn due(&self, kind: &str, body: &str) -> Due {
        match &self.scope {
            Some(scope) if scope.has_openings() => match scope.opened(kind, body) {
                [] => Due::Nothing,
                fields => Due::Fields(fields),
            },
            _ if self.trust.with_openings => Due::Everything,
            _ => Due::Nothing,
        }
    }

    /// How many of the trusted witnesses cosigned; a false cosignature is a fault.
    pub(super) fn count_cosignatures(&mut self, note: &SignedNote) -> usize {
        let mut cosigned = 0;
        for witness in self.trust.witnesses {
            match note.verify(&[*witness]) {
                Ok(_) => cosigned += 1,
                Err(NoteError::FalseSignature) => self.fault(Fault::new(FaultKind::WitnessSignature)),
                Err(_) => {}
            }
        }
        cosigned
    }

    /// The newest checkpoint that witnesses cosigned: the tree of the export has to contain it.
    pub(super) fn open_cosigned(&mut self, current: &Checkpoint) -> Option<Checkpoint> {
        let file = ExportFile::Cosigned;
        let opened = match self.read(file) {
            None => None,
            Some(bytes) => match Checkpoint::open(&bytes, self.trust.origin, self.trust.log_keys) {
                Err(_) => {
                    self.fault(Fault::new(FaultKind::HeldCheckpoint).in_file(file));
                    None
                }
                Ok((checkpoint, note)) => Some((checkpoint, self.count_cosignatures(&note))),
            },
        };
        if let Some((checkpoint, cosigned)) = &opened {
            if checkpoint.size > current.size {
                self.fault(Fault::new(FaultKind::Rollback).at(checkpoint.size - 1).in_file(file));
            }
            if *cosigned >= self.trust.quorum && self.trust.quorum > 0 {
                self.report.witnessed = self.report.witnessed.max(Some(checkpoint.size));
            }
        }
        if self.trust.quorum > 0 && self.report.witnessed.is_none() {
            self.fault(Fault::new(FaultKind::WitnessQuorum));
        }
        opened.map(|(checkpoint, _)| checkpoint).filter(|checkpoint| checkpoint.size <= current.size)
    }
}
