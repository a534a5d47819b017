//! One entry checked, with everything that its place in the log rests on and nothing else.

use super::fault::{Fault, FaultKind};
use super::openings::Unopened;
use super::run::Run;
use super::{CheckedAlone, Export, ExportFile, Report};
use crate::domain::ids::EventId;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::entry::{Body, Entry};
use crate::tlog::merkle::{Hash, leaf_hash, perfect_root};
use crate::tlog::proof::{ProofPlan, includes, is_consistent};
use crate::tlog::tile::{self, BundleId, TILE_WIDTH, TileId, Tiles};

const WIDTH: u64 = TILE_WIDTH as u64;

impl<E: Export> Run<'_, E> {
    pub(super) fn finish_one(mut self, index: u64) -> Report {
        let Some(checkpoint) = self.open_checkpoint() else { return self.report };
        let mut earlier = self.open_held(&checkpoint);
        earlier.extend(self.open_cosigned(&checkpoint));
        for earlier in &earlier {
            self.prove_prefix(earlier, &checkpoint);
        }
        self.open_receipts();
        self.find_scope(&checkpoint);
        if let Some((place, leaf)) = self.recorded {
            self.prove(place, &leaf, &checkpoint);
        }
        let mut alone = CheckedAlone { index, is_witnessed: false, erased_by: None };
        let mut own = None;
        if index >= checkpoint.size {
            self.fault(Fault::new(FaultKind::NoSuchEntry).at(index));
        } else if let Some((leaf, event)) = self.read_one(index, checkpoint.size) {
            self.prove(index, &leaf, &checkpoint);
            own = event;
            alone.erased_by = self.find_erasure(index, &checkpoint);
            alone.is_witnessed = self.report.witnessed.is_some_and(|reach| index < reach);
        }
        self.bundles = 0; // whether every erasure was done shows only when everything is read
        self.judge_openings(checkpoint.size);
        self.judge_one_receipt(own);
        self.judge_reach(checkpoint.size);
        self.report.alone = Some(alone);
        self.report.checkpoint = Some(checkpoint);
        self.report
    }

    /// That the signed tree goes on from an earlier one, by the export's tiles.
    fn prove_prefix(&mut self, earlier: &Checkpoint, checkpoint: &Checkpoint) {
        let Ok(plan) = ProofPlan::consistency(earlier.size, checkpoint.size) else { return };
        let Some(tiles) = self.tiles_of(&plan, checkpoint.size) else {
            self.fault(Fault::new(FaultKind::HeldUnchecked));
            return;
        };
        let proof = plan.build(&tiles).unwrap_or_default();
        if is_consistent((earlier.size, &earlier.root), (checkpoint.size, &checkpoint.root), &proof) {
            self.report.held += 1;
        } else {
            self.fault(Fault::new(FaultKind::Rewrite));
        }
    }

    /// Where an opening of the entry is missing: the entry that says why, with its own place in the log.
    /// An erasure comes after what it erases, so that everything from there on is looked through.
    fn find_erasure(&mut self, index: u64, checkpoint: &Checkpoint) -> Option<u64> {
        let (event, _) = self.ledger.missing.first_key_value()?;
        let event = *event;
        for id in tile::bundles_written(index / WIDTH * WIDTH, checkpoint.size) {
            let Some(bytes) = self.read(ExportFile::Bundle(id)) else { continue };
            for (entry, place) in tile::entries(&bytes).map_while(Result::ok).zip(id.first_entry()..) {
                if place > index && erases(entry, event) && self.prove(place, &leaf_hash(entry), checkpoint) {
                    self.ledger.erased.insert(event);
                    return Some(place);
                }
            }
        }
        None
    }

    /// The entry in its bundle, which must hold exactly the entries that it should.
    fn read_one(&mut self, index: u64, size: u64) -> Option<(Hash, Option<EventId>)> {
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
        Some((leaf_hash(entry), event))
    }

    /// The way from the entry to the signed root, and each tile on it; whether it leads there.
    fn prove(&mut self, index: u64, leaf: &Hash, checkpoint: &Checkpoint) -> bool {
        let size = checkpoint.size;
        let Ok(plan) = ProofPlan::inclusion(index, size) else { return false };
        let mut own = *leaf;
        let mut place = index;
        for level in 0u8..8 {
            let hashes = size >> (8 * level);
            if place >= hashes {
                break; // the subtree above is not full: no tile holds its root
            }
            let width = (hashes - place / WIDTH * WIDTH).min(WIDTH) as u16;
            let id = TileId { level, index: place / WIDTH, width };
            let Some(bytes) = self.tile(id) else { return false };
            let mut read: Vec<Hash> = tile::hashes(&bytes).collect();
            if read[(place % WIDTH) as usize] != own {
                let kind = if level == 0 { FaultKind::EntryAltered } else { FaultKind::TileAltered };
                self.fault(Fault::new(kind).at(index).in_file(id));
                return false;
            }
            if width < TILE_WIDTH {
                break;
            }
            own = perfect_root(&mut read);
            place /= WIDTH;
        }
        let Some(tiles) = self.tiles_of(&plan, size) else { return false };
        let proof = plan.build(&tiles).unwrap_or_default();
        let is_in = includes(size, &checkpoint.root, index, leaf, &proof);
        if !is_in {
            self.fault(Fault::new(FaultKind::RootMismatch).at(index));
        }
        is_in
    }

    /// The tiles that a proof needs; `None` where one is missing or has another length.
    fn tiles_of(&mut self, plan: &ProofPlan, size: u64) -> Option<Tiles> {
        let mut tiles = Tiles::new(size);
        for id in tile::tiles_for(plan.nodes(), size) {
            let bytes = self.tile(id)?;
            // The length was just looked at, so that this cannot fail.
            let _ = tiles.insert(id, bytes);
        }
        Some(tiles)
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

/// Whether the entry says that the openings of this event were destroyed.
fn erases(entry: &[u8], event: EventId) -> bool {
    let name = event.to_string();
    let is_candidate = std::str::from_utf8(entry).is_ok_and(|text| text.contains(&name));
    let body = is_candidate.then(|| Entry::parse(entry).ok().map(Entry::into_body)).flatten();
    matches!(body, Some(Body::Erasure(erasure)) if erasure.events.contains(&event))
}
