//! The sequencer's core: queued entries become leaves, and the tree grows.
//!
//! The caller loads a [`Head`], passes a batch, and stores leaves, tiles and the new head in one
//! transaction; only then does it publish the checkpoint.

use std::collections::HashSet;

use super::canonical;
use super::entry::EntryError;
use super::merkle::{Edge, Hash, fold, leaf_hash, perfect_root};
use super::tile::{self, TILE_WIDTH, TileId};
use crate::domain::ids::EventId;

/// Why the tree must not grow by a batch. Names the event, never what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// The stored bytes are not those that were committed.
    #[error("event {0}: its stored bytes do not hash to the queued hash")]
    HashMismatch(EventId),
    /// The bytes are not an entry of this log for this event.
    #[error("event {0}: its stored bytes are another log's or another event's entry")]
    OtherEntry(EventId),
    /// The bytes are not an entry.
    #[error("event {0}: {1}")]
    NotAnEntry(EventId, EntryError),
    /// Twice in one batch.
    #[error("event {0}: queued twice in one batch")]
    Repeated(EventId),
    /// The stored head and the stored tiles disagree.
    #[error("the stored head of the tree and its stored tiles disagree")]
    CorruptHead,
}

/// A committed entry that waits for its index.
#[derive(Debug, Clone, Copy)]
pub struct Queued<'a> {
    /// Its event.
    pub event: EventId,
    /// The hash that was queued with it.
    pub leaf: Hash,
    /// Its bytes as stored.
    pub entry: &'a [u8],
}

/// An entry's place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// Its index.
    pub index: u64,
    /// Its event.
    pub event: EventId,
    /// Its hash.
    pub hash: Hash,
}

/// What a batch adds to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// The new leaves, in order.
    pub leaves: Vec<Leaf>,
    /// Every tile that is new or wider, whole.
    pub tiles: Vec<(TileId, Vec<u8>)>,
    /// The new size.
    pub size: u64,
    /// The new root.
    pub root: Hash,
}

/// The state that appending needs: the right edge of the tree and the partial tiles on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    origin: String,
    edge: Edge,
    /// The hashes of the partial tile of each level, empty where the level's last tile is full.
    open: Vec<Vec<Hash>>,
}

impl Head {
    /// The head of an empty log.
    pub fn empty(origin: impl Into<String>) -> Self {
        Self { origin: origin.into(), edge: Edge::new(), open: Vec::new() }
    }

    /// Restores a head from its stored edge and the tiles that [`tile::open_tiles`] names, in any order.
    ///
    /// # Errors
    ///
    /// [`SequenceError::CorruptHead`] unless edge and tiles tell the same tree.
    pub fn restore(origin: impl Into<String>, edge: Edge, tiles: &[(TileId, Vec<u8>)]) -> Result<Self, SequenceError> {
        let mut open = vec![Vec::new(); levels(edge.size())];
        for wanted in tile::open_tiles(edge.size()) {
            let stored = tiles.iter().find(|(id, bytes)| *id == wanted && bytes.len() == id.bytes());
            let (id, bytes) = stored.ok_or(SequenceError::CorruptHead)?;
            open[usize::from(id.level)] = tile::hashes(bytes).collect();
        }
        let head = Self { origin: origin.into(), edge, open };
        if head.edge.roots() == head.roots_of_tiles() { Ok(head) } else { Err(SequenceError::CorruptHead) }
    }

    /// Appends a batch, in the order given.
    ///
    /// Each entry's bytes are hashed again and compared with the queued hash: a bit that flipped
    /// between commit and now must not become history.
    ///
    /// # Errors
    ///
    /// [`SequenceError`], and then the head is as before.
    pub fn append(&mut self, batch: &[Queued<'_>]) -> Result<Growth, SequenceError> {
        let mut seen = HashSet::with_capacity(batch.len());
        for queued in batch {
            self.check(queued)?;
            if !seen.insert(queued.event) {
                return Err(SequenceError::Repeated(queued.event));
            }
        }
        let mut next = self.clone();
        let growth = next.grow(batch);
        // The root a second way: the tiles about to be stored against the edge about to be stored.
        if next.edge.roots() != next.roots_of_tiles() {
            return Err(SequenceError::CorruptHead);
        }
        *self = next;
        Ok(growth)
    }

    /// How many entries the log has.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The root hash.
    pub fn root(&self) -> Hash {
        self.edge.root()
    }

    /// The right edge, to be stored.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    fn check(&self, queued: &Queued<'_>) -> Result<(), SequenceError> {
        if leaf_hash(queued.entry) != queued.leaf {
            return Err(SequenceError::HashMismatch(queued.event));
        }
        let envelope =
            canonical::envelope(queued.entry).map_err(|error| SequenceError::NotAnEntry(queued.event, error))?;
        if envelope.event == queued.event && envelope.log == self.origin {
            Ok(())
        } else {
            Err(SequenceError::OtherEntry(queued.event))
        }
    }

    fn grow(&mut self, batch: &[Queued<'_>]) -> Growth {
        let mut leaves = Vec::with_capacity(batch.len());
        let mut tiles = Vec::new();
        for queued in batch {
            leaves.push(Leaf { index: self.edge.size(), event: queued.event, hash: queued.leaf });
            self.edge.append(queued.leaf);
            self.push(0, queued.leaf, &mut tiles);
        }
        if !batch.is_empty() {
            let before = self.edge.size() - batch.len() as u64;
            let written: HashSet<TileId> = tile::tiles_written(before, self.edge.size()).collect();
            let open = tile::open_tiles(self.edge.size()).filter(|id| written.contains(id));
            tiles.extend(open.map(|id| (id, bytes(&self.open[usize::from(id.level)]))));
        }
        Growth { leaves, tiles, size: self.edge.size(), root: self.edge.root() }
    }

    /// Adds a hash to its level's tile; a tile that it fills is done and adds a hash one level up.
    fn push(&mut self, level: usize, hash: Hash, done: &mut Vec<(TileId, Vec<u8>)>) {
        if self.open.len() <= level {
            self.open.push(Vec::with_capacity(usize::from(TILE_WIDTH)));
        }
        let tile = &mut self.open[level];
        tile.push(hash);
        if tile.len() < usize::from(TILE_WIDTH) {
            return;
        }
        let level_number = level as u8;
        let index = (self.edge.size() >> (8 * (level + 1))) - 1;
        done.push((TileId { level: level_number, index, width: TILE_WIDTH }, bytes(tile)));
        let root = perfect_root(tile);
        tile.clear();
        self.push(level + 1, root, done);
    }

    /// The roots of the right edge as the open tiles give them.
    fn roots_of_tiles(&self) -> Vec<Hash> {
        let mut roots = Vec::new();
        for tile in self.open.iter().rev() {
            let mut rest = &tile[..];
            while !rest.is_empty() {
                let (perfect, after) = rest.split_at(1 << rest.len().ilog2());
                roots.push(perfect_root(&mut perfect.to_vec()));
                rest = after;
            }
        }
        debug_assert_eq!(fold(&roots).is_none(), self.edge.size() == 0);
        roots
    }
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// How many levels of tiles a tree has.
fn levels(size: u64) -> usize {
    (0..8).take_while(|level| size >> (8 * level) > 0).count()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::tlog::proof::{HashReader as _, NodeId, ProofPlan, includes};
    use crate::tlog::testing::{self, ORIGIN};
    use crate::tlog::tile::Tiles;

    fn queued(entries: &[(EventId, Vec<u8>)]) -> Vec<Queued<'_>> {
        entries.iter().map(|(event, entry)| Queued { event: *event, leaf: leaf_hash(entry), entry }).collect()
    }

    fn entries(count: usize) -> Vec<(EventId, Vec<u8>)> {
        (0..count).map(|n| (testing::event(n), testing::small_entry(n))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn batches_of_any_size_build_the_same_tree_and_tiles(sizes in proptest::collection::vec(0usize..400, 1..6)) {
            let entries = entries(sizes.iter().sum());
            let queue = queued(&entries);
            let mut whole = Head::empty(ORIGIN);
            let once = whole.append(&queue).expect("sound");

            let mut stored: HashMap<(u8, u64), (TileId, Vec<u8>)> = HashMap::new();
            let mut head = Head::empty(ORIGIN);
            let mut rest = &queue[..];
            for size in sizes {
                let (batch, after) = rest.split_at(size);
                rest = after;
                let growth = head.append(batch).expect("sound");
                for (id, bytes) in growth.tiles {
                    stored.insert((id.level, id.index), (id, bytes));
                }
                let tiles: Vec<_> = stored.values().cloned().collect();
                head = Head::restore(ORIGIN, head.edge().clone(), &tiles).expect("edge and tiles agree");
            }
            prop_assert_eq!(head.root(), once.root);
            let mut built: Vec<_> = stored.into_values().collect();
            built.sort();
            let mut expected = once.tiles;
            expected.sort();
            prop_assert_eq!(&built, &expected);
            prop_assert_eq!(
                built.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
                tile::tiles_written(0, once.size).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn proofs_come_from_the_stored_tiles() {
        let entries = entries(700);
        let growth = Head::empty(ORIGIN).append(&queued(&entries)).expect("sound");
        let mut tiles = Tiles::new(growth.size);
        for index in [0, 255, 256, 511, 512, 699] {
            let plan = ProofPlan::inclusion(index, growth.size).expect("in range");
            for id in tile::tiles_for(plan.nodes(), growth.size) {
                let (_, bytes) = growth.tiles.iter().find(|(have, _)| *have == id).expect("stored");
                tiles.insert(id, bytes.clone()).expect("its length");
            }
            let proof = plan.build(&tiles).expect("all tiles at hand");
            let leaf = &growth.leaves[index as usize].hash;
            assert!(includes(growth.size, &growth.root, index, leaf, &proof), "{index}");
        }
        assert!(Tiles::new(700).read(NodeId { level: 0, index: 0 }).is_err());
    }

    #[test]
    fn a_batch_with_a_fault_leaves_the_head_as_it_was() {
        let entries = entries(4);
        let good = queued(&entries);
        let mut head = Head::empty(ORIGIN);
        head.append(&good[..1]).expect("sound");
        let before = head.clone();

        let mut flipped = entries[2].1.clone();
        flipped[40] ^= 1;
        let junk = b"{}";
        let other_log = testing::small_entry_of("other/2026", 3);
        let cases = [
            (Queued { entry: &flipped, ..good[2] }, "hash"),
            (Queued { event: testing::event(9), ..good[2] }, "other event"),
            (Queued { entry: &other_log, leaf: leaf_hash(&other_log), ..good[3] }, "other log"),
            (Queued { entry: junk, leaf: leaf_hash(junk), ..good[2] }, "no entry"),
            (good[1], "twice"),
        ];
        for (bad, case) in cases {
            let error = head.append(&[good[1], bad]).expect_err(case);
            assert!(error.to_string().contains(&bad.event.to_string()), "{case}: {error}");
            assert_eq!(head, before, "{case}");
        }
    }

    #[test]
    fn a_head_is_not_restored_from_tiles_that_tell_another_tree() {
        let entries = entries(300);
        let mut head = Head::empty(ORIGIN);
        let mut tiles = head.append(&queued(&entries)).expect("sound").tiles;
        assert!(Head::restore(ORIGIN, head.edge().clone(), &tiles).is_ok());
        let open = tiles.iter().position(|(id, _)| id.level == 0 && id.width < 256).expect("a partial tile");
        tiles[open].1[7] ^= 1;
        assert_eq!(Head::restore(ORIGIN, head.edge().clone(), &tiles), Err(SequenceError::CorruptHead));
        tiles.remove(open);
        assert_eq!(Head::restore(ORIGIN, head.edge().clone(), &tiles), Err(SequenceError::CorruptHead));
    }
}
