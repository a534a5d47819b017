//! One verification, step by step.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::fault::{Fault, FaultKind};
use super::openings::{self, Ledger, Unopened};
use super::scope::Scope;
use super::tree::{DueTile, Pair, Trees};
use super::{Export, ExportFile, Report, Verifier};
use crate::domain::ids::EventId;
use crate::tlog::canonical;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::entry::{Body, Entry, EntryError};
use crate::tlog::merkle::{Hash, leaf_hash};
use crate::tlog::note::SignedNote;
use crate::tlog::receipt::Receipt;
use crate::tlog::tile::{self, BundleId, TILE_WIDTH, TileId};

/// Faults of one kind that a report lists; more are counted. By kind, so that many small faults hide no other.
const LISTED_OF_A_KIND: u64 = 1_000;
/// Bundles and tiles missing in a row after which the export is taken to end.
const MISSING_IN_A_ROW: u32 = 16;

/// One verification under way.
pub(super) struct Run<'a, E> {
    pub(super) trust: &'a Verifier<'a>,
    pub(super) export: &'a E,
    pub(super) report: Report,
    found: HashMap<FaultKind, u64>,
    /// Bundles looked for. A forged size must not make later passes endless.
    pub(super) bundles: usize,
    /// One for each entry; equal events have equal fingerprints.
    fingerprints: Vec<u64>,
    /// Entries that differ from their hash in the tile.
    differing: Vec<(u64, Option<EventId>)>,
    /// What receipts promise, and what became of it.
    receipts: BTreeMap<EventId, (Hash, Promise)>,
    pub(super) ledger: Ledger,
    /// What the entry of the export says that is in it.
    pub(super) scope: Option<Scope>,
    /// Index and leaf of that entry.
    pub(super) recorded: Option<(u64, Hash)>,
}

impl<'a, E: Export> Run<'a, E> {
    pub(super) fn new(trust: &'a Verifier<'a>, export: &'a E) -> Self {
        Self {
            trust,
            export,
            report: Report::default(),
            found: HashMap::new(),
            bundles: 0,
            fingerprints: Vec::new(),
            differing: Vec::new(),
            receipts: BTreeMap::new(),
            ledger: Ledger::default(),
            scope: None,
            recorded: None,
        }
    }

    pub(super) fn finish(mut self, progress: &mut dyn FnMut(u64)) -> Report {
        let Some(checkpoint) = self.open_checkpoint() else { return self.report };
        let mut held = self.open_held(&checkpoint);
        held.extend(self.open_cosigned(&checkpoint));
        self.open_receipts();
        self.find_scope(&checkpoint);
        let trees = self.read_bundles(&checkpoint, Trees::new(held.iter().map(|held| held.size)), progress);
        self.judge_trees(&checkpoint, &held, trees);
        self.look_beyond(checkpoint.size);
        self.find_repeated_events(checkpoint.size);
        self.judge_openings(checkpoint.size);
        self.judge_receipts();
        self.judge_reach(checkpoint.size);
        self.report.checkpoint = Some(checkpoint);
        self.report
    }

    pub(super) fn open_checkpoint(&mut self) -> Option<Checkpoint> {
        let Some(bytes) = self.read(ExportFile::Checkpoint) else {
            self.fault(Fault::new(FaultKind::CheckpointMissing));
            return None;
        };
        let note = SignedNote::parse(&bytes).ok();
        let parsed = note.and_then(|note| Checkpoint::parse(note.text()).ok().map(|checkpoint| (note, checkpoint)));
        let Some((note, checkpoint)) = parsed else {
            self.fault(Fault::new(FaultKind::CheckpointMalformed));
            return None;
        };
        if note.verify(self.trust.log_keys).is_err() {
            self.fault(Fault::new(FaultKind::CheckpointSignature));
        }
        if checkpoint.origin != self.trust.origin {
            self.fault(Fault::new(FaultKind::CheckpointOrigin));
        }
        let cosigned = self.count_cosignatures(&note);
        if cosigned >= self.trust.quorum && self.trust.quorum > 0 {
            self.report.witnessed = Some(checkpoint.size);
        }
        Some(checkpoint)
    }

    /// The checkpoints held elsewhere that the export's tree should contain.
    pub(super) fn open_held(&mut self, current: &Checkpoint) -> Vec<Checkpoint> {
        let mut prefixes = Vec::new();
        for note in self.trust.held {
            match Checkpoint::open(note, self.trust.origin, self.trust.log_keys) {
                Err(_) => self.fault(Fault::new(FaultKind::HeldCheckpoint)),
                Ok((held, _)) if held.size > current.size => {
                    self.fault(Fault::new(FaultKind::Rollback).at(held.size - 1));
                }
                Ok((held, _)) => prefixes.push(held),
            }
        }
        prefixes
    }

    pub(super) fn open_receipts(&mut self) {
        for note in self.trust.receipts {
            match Receipt::open(note, self.trust.origin, self.trust.receipt_keys) {
                Err(_) => self.fault(Fault::new(FaultKind::ReceiptInvalid)),
                Ok(receipt) => match self.receipts.insert(receipt.event, (receipt.leaf, Promise::Open)) {
                    Some((other, _)) if other != receipt.leaf => {
                        self.fault(Fault::new(FaultKind::ReceiptMismatch).of(receipt.event));
                    }
                    _ => {}
                },
            }
        }
    }

    /// Reads everything, bundle by bundle; the trees come back as an error if leaves are missing from them.
    fn read_bundles(
        &mut self,
        checkpoint: &Checkpoint,
        trees: Trees,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Trees, Trees> {
        let mut trees = trees;
        let mut is_whole = true;
        let mut missing = 0;
        for id in tile::bundles_written(0, checkpoint.size) {
            self.bundles += 1;
            let entries = self.read_bundle(id);
            let hashes = self.read_tile(TileId { level: 0, index: id.index, width: id.width });
            missing = if entries.is_none() && hashes.is_none() { missing + 1 } else { 0 };
            if missing == MISSING_IN_A_ROW {
                self.fault(Fault::new(FaultKind::ExportEnds).at(id.first_entry()));
                is_whole = false;
                break;
            }
            let leaves = self.compare(id, &entries.unwrap_or_default(), hashes.as_deref());
            is_whole &= leaves.is_some();
            if let (true, Some(leaves)) = (is_whole, leaves) {
                for due in trees.append(&leaves) {
                    self.check_tile(&due);
                }
            }
            progress(self.report.entries);
        }
        if !is_whole {
            return Err(trees);
        }
        for due in trees.partial_tiles() {
            self.check_tile(&due);
        }
        Ok(trees)
    }

    /// The hash and event of each entry of a bundle, as far as it can be read.
    fn read_bundle(&mut self, id: BundleId) -> Option<Vec<(Hash, Option<EventId>)>> {
        let file = ExportFile::Bundle(id);
        let Some(bytes) = self.read(file) else {
            self.fault(Fault::new(FaultKind::BundleMissing).at(id.first_entry()).in_file(file));
            return None;
        };
        let mut found = Vec::with_capacity(usize::from(id.width));
        let mut unopened = Unopened::default();
        for entry in tile::entries(&bytes) {
            let index = id.first_entry() + found.len() as u64;
            if found.len() == usize::from(id.width) {
                self.fault(Fault::new(FaultKind::UnsignedEntries).at(index).in_file(file));
                break;
            }
            let Ok(entry) = entry else { break };
            found.push(self.read_entry(index, entry, &mut unopened));
        }
        if found.len() < usize::from(id.width) {
            let index = id.first_entry() + found.len() as u64;
            self.fault(Fault::new(FaultKind::BundleMalformed).at(index).in_file(file));
        }
        if self.opens() {
            let file = ExportFile::Openings(id.index);
            let bytes = self.read(file).unwrap_or_default();
            for fault in unopened.compare(&bytes, &mut self.ledger) {
                self.fault(fault.in_file(file));
            }
        }
        Some(found)
    }

    pub(super) fn read_entry(&mut self, index: u64, entry: &[u8], unopened: &mut Unopened) -> (Hash, Option<EventId>) {
        self.report.entries += 1;
        let hash = leaf_hash(entry);
        let Ok(envelope) = canonical::envelope(entry) else {
            self.fault(Fault::new(FaultKind::EntryMalformed).at(index));
            return (hash, None);
        };
        let event = envelope.event;
        self.fingerprints.push(fingerprint(event));
        if envelope.log != self.trust.origin {
            self.fault(Fault::new(FaultKind::EntryOrigin).at(index).of(event));
        }
        if let Some((promised, promise)) = self.receipts.get_mut(&event) {
            *promise = if *promised == hash || *promise == Promise::Kept { Promise::Kept } else { Promise::Changed };
        }
        let is_known = Body::KINDS.contains(&envelope.kind);
        self.report.unknown_types += u64::from(!is_known);
        let mut is_sound = true;
        if is_known && (self.trust.with_fields || envelope.kind == "erasure") {
            match Entry::parse(entry).map(Entry::into_body) {
                Ok(Body::Erasure(erasure)) => self.ledger.erased.extend(erasure.events),
                Ok(_) | Err(EntryError::UnknownType) => {}
                Err(_) => is_sound = false,
            }
        }
        let due = self.due(envelope.kind, envelope.body);
        if due.is_any() {
            is_sound &= unopened.expect(index, event, envelope.body, due);
        }
        if !is_sound {
            self.fault(Fault::new(FaultKind::EntryFields).at(index).of(event));
        }
        (hash, Some(event))
    }

    /// A tile of level 0, if it has its length.
    fn read_tile(&mut self, id: TileId) -> Option<Vec<u8>> {
        let file = ExportFile::Tile(id);
        let bytes = self.read(file);
        match &bytes {
            None => self.fault(Fault::new(FaultKind::TileMissing).in_file(file)),
            Some(bytes) if bytes.len() != id.bytes() => self.fault(Fault::new(FaultKind::TileLength).in_file(file)),
            Some(_) => return bytes,
        }
        None
    }

    /// Entries against their tile; `None` if a leaf is in neither.
    fn compare(&mut self, id: BundleId, entries: &[(Hash, Option<EventId>)], tile: Option<&[u8]>) -> Option<Vec<Pair>> {
        let mut leaves = Vec::with_capacity(usize::from(id.width));
        let mut hashes = tile.map(tile::hashes);
        for place in 0..usize::from(id.width) {
            let tiled = hashes.as_mut().and_then(Iterator::next);
            let entry = entries.get(place);
            let leaf = match (entry, tiled) {
                (Some((hash, event)), Some(tiled)) => {
                    if *hash != tiled {
                        if (self.differing.len() as u64) < LISTED_OF_A_KIND {
                            self.differing.push((id.first_entry() + place as u64, *event));
                        } else {
                            self.report.more_faults += 1;
                        }
                    }
                    Pair { entries: *hash, tiles: tiled }
                }
                (Some((hash, _)), None) => Pair { entries: *hash, tiles: *hash },
                (None, Some(tiled)) => Pair { entries: tiled, tiles: tiled },
                (None, None) => return None,
            };
            leaves.push(leaf);
        }
        Some(leaves)
    }

    fn check_tile(&mut self, due: &DueTile) {
        let Some(bytes) = self.read_tile(due.id) else { return };
        let mut pairs = tile::hashes(&bytes).zip(&due.hashes);
        if pairs.any(|(hash, pair)| !pair.either_is(&hash)) {
            self.fault(Fault::new(FaultKind::TileAltered).in_file(due.id));
        }
    }

    fn judge_trees(&mut self, checkpoint: &Checkpoint, held: &[Checkpoint], trees: Result<Trees, Trees>) {
        let signed = |pair: Pair| match (pair.entries == checkpoint.root, pair.tiles == checkpoint.root) {
            (true, _) => Signed::Entries,
            (false, true) => Signed::Tiles,
            (false, false) => Signed::Neither,
        };
        let (trees, signed) = match trees {
            Ok(trees) => {
                let signed = signed(trees.root());
                (trees, Some(signed))
            }
            Err(trees) => (trees, None),
        };
        if signed == Some(Signed::Neither) {
            self.fault(Fault::new(FaultKind::RootMismatch));
        }
        for (index, event) in std::mem::take(&mut self.differing) {
            if signed == Some(Signed::Entries) {
                let id = TileId { level: 0, index: index / 256, width: TILE_WIDTH };
                let width = (checkpoint.size - id.index * 256).min(256) as u16;
                self.fault(Fault::new(FaultKind::TileAltered).at(index).of(event).in_file(TileId { width, ..id }));
            } else {
                self.fault(Fault::new(FaultKind::EntryAltered).at(index).of(event));
            }
        }
        for held in held {
            let is_prefix = trees.root_at(held.size).map(|root| match signed {
                Some(Signed::Entries) => root.entries == held.root,
                Some(Signed::Tiles) => root.tiles == held.root,
                Some(Signed::Neither) | None => root.either_is(&held.root),
            });
            match is_prefix {
                None => self.fault(Fault::new(FaultKind::HeldUnchecked)),
                Some(false) => self.fault(Fault::new(FaultKind::Rewrite)),
                Some(true) => self.report.held += 1,
            }
        }
    }

    /// Files just beyond the checkpoint's size, which it does not sign.
    fn look_beyond(&mut self, size: u64) {
        let (last, width) = (size / 256, (size % 256) as u16);
        let wider = (width + 1..=TILE_WIDTH).map(|width| (last, width));
        let next = (1..=TILE_WIDTH).map(|width| (last + 1, width));
        for (index, width) in wider.chain(next) {
            let files =
                [ExportFile::Bundle(BundleId { index, width }), ExportFile::Tile(TileId { level: 0, index, width })];
            for file in files {
                if self.read(file).is_some() {
                    self.fault(Fault::new(FaultKind::UnsignedEntries).in_file(file));
                }
            }
        }
    }

    /// Equal fingerprints are rare unless an event occurs twice, so a second reading settles it.
    fn find_repeated_events(&mut self, size: u64) {
        self.fingerprints.sort_unstable();
        let twice = self.fingerprints.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        let suspects: HashSet<u64> = twice.collect();
        if suspects.is_empty() {
            return;
        }
        let mut seen = HashSet::new();
        for id in tile::bundles_written(0, size).take(self.bundles) {
            let Some(bytes) = self.read(ExportFile::Bundle(id)) else { continue };
            for (entry, index) in tile::entries(&bytes).flatten().zip(id.first_entry()..) {
                let Ok(envelope) = canonical::envelope(entry) else { continue };
                let event = envelope.event;
                if suspects.contains(&fingerprint(event)) && !seen.insert(event) {
                    self.fault(Fault::new(FaultKind::EventRepeated).at(index).of(event));
                }
            }
        }
    }

    pub(super) fn judge_openings(&mut self, size: u64) {
        self.report.openings = self.ledger.matched;
        let Ledger { missing, erased, .. } = std::mem::take(&mut self.ledger);
        for (event, index) in missing {
            if !erased.contains(&event) {
                self.fault(Fault::new(FaultKind::OpeningMissing).at(index).of(event));
            }
        }
        if !self.opens() || erased.is_empty() {
            return;
        }
        for id in tile::bundles_written(0, size).take(self.bundles) {
            let file = ExportFile::Openings(id.index);
            let Some(bytes) = self.read(file) else { continue };
            let kept: BTreeSet<EventId> = openings::events(&bytes).filter(|event| erased.contains(event)).collect();
            for event in kept {
                self.fault(Fault::new(FaultKind::OpeningNotErased).of(event).in_file(file));
            }
        }
    }

    /// A receipt of another event than the only one that was read proves nothing yet.
    pub(super) fn judge_one_receipt(&mut self, event: Option<EventId>) {
        let others = self.receipts.keys().copied().filter(|other| event != Some(*other));
        for other in others.collect::<Vec<_>>() {
            self.receipts.remove(&other);
            self.fault(Fault::new(FaultKind::ReceiptUnchecked).of(other));
        }
        self.judge_receipts();
    }

    fn judge_receipts(&mut self) {
        for (event, (_, promise)) in std::mem::take(&mut self.receipts) {
            match promise {
                Promise::Kept => self.report.receipts += 1,
                Promise::Changed => self.fault(Fault::new(FaultKind::ReceiptMismatch).of(event)),
                Promise::Open => self.fault(Fault::new(FaultKind::ReceiptMissing).of(event)),
            }
        }
    }

    pub(super) fn read(&mut self, file: ExportFile) -> Option<Vec<u8>> {
        let read = self.export.read(file);
        if read.is_err() {
            self.fault(Fault::new(FaultKind::Unreadable).in_file(file));
        }
        read.ok().flatten()
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        let before = self.found.entry(fault.kind).or_default();
        *before += 1;
        if *before <= LISTED_OF_A_KIND {
            self.report.faults.push(fault);
        } else {
            self.report.more_faults += 1;
        }
    }
}

/// Which of the two trees has the root that the checkpoint signs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signed {
    Entries,
    Tiles,
    Neither,
}

/// What became of a receipt's promise.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// Its event has not been met.
    Open,
    /// Its entry is in the log.
    Kept,
    /// Its event has another entry.
    Changed,
}

/// Eight bytes of an event id, mixed: equal for equal events, and hardly ever otherwise.
fn fingerprint(event: EventId) -> u64 {
    let (high, low) = event.as_bytes().split_at(8);
    let word = |bytes: &[u8]| bytes.iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
    word(low) ^ word(high).rotate_left(29)
}
