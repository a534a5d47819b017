//! What vouches for an export beyond its own checkpoint: the entry that records it, and witnesses.

pub(super) use crate::tlog::bundle::Scope;

use super::fault::{Fault, FaultKind};
use super::run::Run;
use super::{Export, ExportFile};
use crate::domain::time::Timestamp;
use crate::tlog::bundle::Manifest;
use crate::tlog::canonical;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::digest::Digest;
use crate::tlog::merkle::{Hash, leaf_hash};
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

/// The entry that records an export.
struct Recorded {
    index: u64,
    leaf: Hash,
    scope: Scope,
    /// A newer entry that records another one.
    newer: Option<u64>,
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
        let Some(found) = manifest.and_then(|manifest| self.entry_of(&manifest, checkpoint.size)) else {
            self.fault(Fault::new(FaultKind::ManifestUnfounded).in_file(file));
            return;
        };
        if let Some(newer) = found.newer {
            self.fault(Fault::new(FaultKind::ManifestSuperseded).at(newer).in_file(file));
        }
        let due = found.scope.keys_sha256;
        self.report.recorded = Some((found.index, found.scope.clone()));
        self.scope = Some(found.scope);
        self.recorded = Some((found.index, found.leaf));
        let keys = self.read(ExportFile::Keys);
        if keys.as_deref().map(Digest::of) != due {
            self.fault(Fault::new(FaultKind::KeysAltered).in_file(ExportFile::Keys));
        }
    }

    /// The entry that a manifest names. It is among the newest: the search goes backwards.
    fn entry_of(&mut self, manifest: &Manifest, size: u64) -> Option<Recorded> {
        let mut newer = None;
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
            let entries: Vec<&[u8]> = tile::entries(&bytes).map_while(Result::ok).collect();
            for (place, entry) in entries.into_iter().enumerate().rev() {
                let index = id.first_entry() + place as u64;
                match Scope::of_export(entry) {
                    Some((event, scope)) if event == manifest.export => {
                        return Some(Recorded { index, leaf: leaf_hash(entry), scope, newer });
                    }
                    Some(_) => newer = newer.or(Some(index)),
                    None => {}
                }
            }
        }
        None
    }

    /// Whether the witnesses' cosignatures reach as far as the log itself says that they do, and as far as
    /// they have to.
    pub(super) fn judge_reach(&mut self, size: u64) {
        let Some(reach) = self.report.witnessed.filter(|_| self.trust.quorum > 0) else { return };
        if self.scope.as_ref().and_then(|scope| scope.witnessed).is_some_and(|said| said > reach) {
            self.fault(Fault::new(FaultKind::WitnessScope).in_file(ExportFile::Cosigned));
        }
        let Some(limit) = self.trust.witnessed_within_s else { return };
        let (Some(first), Some(last)) = (self.entry_at(reach, size), self.entry_at(size.saturating_sub(1), size))
        else {
            return;
        };
        let waited = last.as_micros().saturating_sub(first.as_micros());
        if u64::try_from(waited).is_ok_and(|waited| waited > limit.saturating_mul(1_000_000)) {
            self.fault(Fault::new(FaultKind::WitnessBehind).at(reach));
        }
    }

    /// When the entry with this index was committed, by its own word.
    fn entry_at(&mut self, index: u64, size: u64) -> Option<Timestamp> {
        let start = index / 256 * 256;
        let id = tile::bundles_written(start, size.min(start + 256)).next().filter(|_| index < size)?;
        let bytes = self.read(ExportFile::Bundle(id))?;
        let entry = tile::entries(&bytes).nth((index - start) as usize)?.ok()?;
        canonical::envelope(entry).ok()?.at.parse().ok()
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
