//! The tree of an export, derived again: once from its entries, once from its tiles of level 0.
//!
//! Two trees tell what was altered: if the tiles give the signed root, an entry that differs from its
//! tile is the forgery; if the entries give it, the tile is.

use crate::tlog::merkle::{Edge, Hash, perfect_root};
use crate::tlog::tile::{TILE_WIDTH, TileId};

/// What the entries and the tiles say of one node. One stands in where the other is missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub(super) entries: Hash,
    pub(super) tiles: Hash,
}

impl Pair {
    pub(super) fn either_is(&self, hash: &Hash) -> bool {
        self.entries == *hash || self.tiles == *hash
    }
}

/// A tile above level 0 as it should be.
pub(super) struct DueTile {
    pub(super) id: TileId,
    pub(super) hashes: Vec<Pair>,
}

/// A size whose root is wanted.
struct Pin {
    size: u64,
    root: Option<Pair>,
}

pub(super) struct Trees {
    entries: Edge,
    tiles: Edge,
    /// The unfinished tile of each level from 1.
    levels: Vec<Vec<Pair>>,
    pins: Vec<Pin>,
}

impl Trees {
    /// Empty trees; the roots at these sizes will be asked for.
    pub(super) fn new(pinned: impl Iterator<Item = u64>) -> Self {
        let pins = pinned.map(|size| Pin { size, root: None }).collect();
        let mut trees = Self { entries: Edge::new(), tiles: Edge::new(), levels: Vec::new(), pins };
        trees.pin();
        trees
    }

    /// Appends the leaves under one tile of level 0; gives the tiles above that this fills.
    pub(super) fn append(&mut self, leaves: &[Pair]) -> Vec<DueTile> {
        let end = self.entries.size() + leaves.len() as u64;
        let is_full = leaves.len() == usize::from(TILE_WIDTH);
        let is_pinned = self.pins.iter().any(|pin| pin.size > self.entries.size() && pin.size < end);
        let before = (is_full && is_pinned).then(|| (self.entries.clone(), self.tiles.clone()));
        if !is_full || is_pinned {
            for leaf in leaves {
                self.entries.append(leaf.entries);
                self.tiles.append(leaf.tiles);
                self.pin();
            }
        }
        let mut due = Vec::new();
        if is_full {
            if let Some((entries, tiles)) = before {
                (self.entries, self.tiles) = (entries, tiles);
            }
            let root = roots(leaves);
            self.entries.append_subtree(8, root.entries);
            self.tiles.append_subtree(8, root.tiles);
            self.push(1, root, &mut due);
        }
        self.pin();
        due
    }

    /// The partial tiles above level 0, once all leaves are appended.
    pub(super) fn partial_tiles(&mut self) -> Vec<DueTile> {
        let size = self.entries.size();
        let levels = std::mem::take(&mut self.levels).into_iter().zip(1u8..);
        let partial = levels.filter(|(hashes, _)| !hashes.is_empty()).map(|(hashes, level)| {
            let id = TileId { level, index: size >> (8 * (level + 1)), width: hashes.len() as u16 };
            DueTile { id, hashes }
        });
        partial.collect()
    }

    /// The roots of both trees.
    pub(super) fn root(&self) -> Pair {
        Pair { entries: self.entries.root(), tiles: self.tiles.root() }
    }

    /// The roots of both trees when they had this size; `None` if they never had.
    pub(super) fn root_at(&self, size: u64) -> Option<Pair> {
        self.pins.iter().find(|pin| pin.size == size)?.root
    }

    fn pin(&mut self) {
        if self.pins.iter().any(|pin| pin.size == self.entries.size() && pin.root.is_none()) {
            let root = self.root();
            for pin in self.pins.iter_mut().filter(|pin| pin.size == self.entries.size()) {
                pin.root = Some(root);
            }
        }
    }

    fn push(&mut self, level: u8, root: Pair, due: &mut Vec<DueTile>) {
        let place = usize::from(level) - 1;
        if self.levels.len() <= place {
            self.levels.push(Vec::with_capacity(usize::from(TILE_WIDTH)));
        }
        self.levels[place].push(root);
        if self.levels[place].len() == usize::from(TILE_WIDTH) {
            let hashes = std::mem::take(&mut self.levels[place]);
            let root = roots(&hashes);
            let index = (self.entries.size() >> (8 * (level + 1))) - 1;
            due.push(DueTile { id: TileId { level, index, width: TILE_WIDTH }, hashes });
            self.push(level + 1, root, due);
        }
    }
}

/// The roots over a full tile; hashed once where both trees agree.
fn roots(pairs: &[Pair]) -> Pair {
    let mut entries: Vec<Hash> = pairs.iter().map(|pair| pair.entries).collect();
    let differs = pairs.iter().any(|pair| pair.entries != pair.tiles);
    let entries = perfect_root(&mut entries);
    if !differs {
        return Pair { entries, tiles: entries };
    }
    let mut tiles: Vec<Hash> = pairs.iter().map(|pair| pair.tiles).collect();
    Pair { entries, tiles: perfect_root(&mut tiles) }
}
