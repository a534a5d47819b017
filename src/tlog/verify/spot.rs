//! One entry checked, with everything that its place in the log rests on and nothing else.

use super::fault::{Fault, FaultKind};
use super::openings::Unopened;
use super::run::Run;
use super::{Export, ExportFile, Report};
use crate::domain::ids::EventId;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::entry::{Body, Entry};
use crate::tlog::merkle::{Hash, leaf_hash, perfect_root};
use crate::tlog::proof::{ProofPlan, includes};
use crate::tlog::tile::{self, BundleId, TILE_WIDTH, TileId, Tiles};

const WIDTH: u64 = TILE_WIDTH as u64;

impl<E: Export> Run<'_, E> {
    pub(super) fn finish_one(mut self, index: u64) -> Report {
        let Some(checkpoint) = self.open_checkpoint() else { return self.report };
        self.open_cosigned(&checkpoint);
        self.find_scope(&checkpoint);
        if index >= checkpoint.size {
            self.fault(Fault::new(FaultKind::NoSuchEntry).at(index));
        } else if let Some(leaf) = self.read_one(index, checkpoint.size) {
            self.prove(index, &leaf, &checkpoint);
        }
        if !self.ledger.missing.is_empty() {
            self.look_for_erasure(index, &checkpoint);
        }
        self.bundles = 0; // that nothing erased is still there is looked for when everything is read
        self.judge_openings(checkpoint.size);
        self.report.checkpoint = Some(checkpoint);
        self.report
    }

    /// The entry in its bundle, which must hold exactly the entries that it should.
    fn read_one(&mut self, index: u64, size: u64) -> Option<Hash> {
        let bundle = index / WIDTH;
        let id = BundleId { index: bundle, width: (size - bundle * WIDTH).min(WIDTH) as u16 };
        let file = ExportFile::Bundle(id);
        let Some(bytes) = self.read(file) else {
            self.fault(Fault::new(FaultKind::BundleMissing).at(id.first_entry()).in_file(file));
            return None;
        };
        let entries: Vec<&[u8]> = tile::entries(&bytes).map_while(Result::ok).collect();
        let is_whole = entries.len() == usize::from(id.width) && tile::entries(&bytes).all(|entry| entry.is_ok());
        let Some(entry) = entries.get((index % WIDTH) as usize).filter(|_| is_whole) else {
            self.fault(Fault::new(FaultKind::BundleMalformed).at(index).in_file(file));
            return None;
        };
        let mut unopened = Unopened::default();
        let (_, event) = self.read_entry(index, entry, &mut unopened);
        if let Some(event) = event.filter(|_| self.opens()) {
            let file = ExportFile::Openings(bundle);
            let lines = self.read(file).unwrap_or_default();
            for fault in unopened.compare_one(&lines, event, &mut self.ledger) {
                self.fault(fault.in_file(file));
            }
        }
        Some(leaf_hash(entry))
    }

    /// Looks for the entry that says why an opening is missing, among those that came after it. It counts
    /// only when its own place in the tree is proved: nobody else's bundle is to be believed.
    fn look_for_erasure(&mut self, index: u64, checkpoint: &Checkpoint) {
        let missing: Vec<EventId> = self.ledger.missing.keys().copied().collect();
        let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let last = (checkpoint.size - 1) / WIDTH;
        for bundle in index / WIDTH..=last {
            let id = BundleId { index: bundle, width: (checkpoint.size - bundle * WIDTH).min(WIDTH) as u16 };
            let Some(bytes) = self.read(ExportFile::Bundle(id)) else { continue };
            for (entry, place) in tile::entries(&bytes).map_while(Result::ok).zip(id.first_entry()..) {
                let is_named = |text: &str| names.iter().any(|name| text.contains(name));
                if place <= index || !std::str::from_utf8(entry).is_ok_and(is_named) {
                    continue;
                }
                let Ok(Body::Erasure(erasure)) = Entry::parse(entry).map(Entry::into_body) else { continue };
                let erased: Vec<EventId> = erasure.events.into_iter().filter(|event| missing.contains(event)).collect();
                if erased.is_empty() {
                    continue;
                }
                let before = self.report.faults.len();
                self.prove(place, &leaf_hash(entry), checkpoint);
                if self.report.faults.len() == before {
                    self.ledger.erased.extend(erased);
                }
            }
        }
    }

    /// The way from the entry to the signed root, and each tile on it.
    fn prove(&mut self, index: u64, leaf: &Hash, checkpoint: &Checkpoint) {
        let size = checkpoint.size;
        let Ok(plan) = ProofPlan::inclusion(index, size) else { return };
        let mut tiles = Tiles::new(size);
        let mut own = *leaf;
        let mut place = index;
        for level in 0u8..8 {
            let hashes = size >> (8 * level);
            if place >= hashes {
                break; // the subtree above is not full: no tile holds its root
            }
            let width = (hashes - place / WIDTH * WIDTH).min(WIDTH) as u16;
            let id = TileId { level, index: place / WIDTH, width };
            let Some(bytes) = self.tile(id) else { return };
            let mut read: Vec<Hash> = tile::hashes(&bytes).collect();
            if read[(place % WIDTH) as usize] != own {
                let kind = if level == 0 { FaultKind::EntryAltered } else { FaultKind::TileAltered };
                self.fault(Fault::new(kind).at(index).in_file(id));
                return;
            }
            if width < TILE_WIDTH {
                break;
            }
            own = perfect_root(&mut read);
            place /= WIDTH;
        }
        for id in tile::tiles_for(plan.nodes(), size) {
            let Some(bytes) = self.tile(id) else { return };
            // The length was just looked at, so that this cannot fail.
            let _ = tiles.insert(id, bytes);
        }
        let proof = plan.build(&tiles).unwrap_or_default();
        if !includes(size, &checkpoint.root, index, leaf, &proof) {
            self.fault(Fault::new(FaultKind::RootMismatch).at(index));
        }
    }

    fn tile(&mut self, id: TileId) -> Option<Vec<u8>> {
        let file = ExportFile::Tile(id);
        let bytes = self.read(file);
        match &bytes {
            None => self.fault(Fault::new(FaultKind::TileMissing).in_file(file)),
            Some(bytes) if bytes.len() != id.bytes() => self.fault(Fault::new(FaultKind::TileLength).in_file(file)),
            Some(_) => return bytes,
        }
        None
    }
}
