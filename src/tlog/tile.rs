//! Tiles and entry bundles: the log as static files (C2SP tlog-tiles).
//!
//! A tile is up to 256 hashes side by side; a hash of a tile at level `l` spans `256^l` leaves. An
//! entry bundle holds the entries under one tile of level 0, each after its length in two bytes.

use std::collections::HashMap;
use std::fmt;

use super::merkle::{Hash, perfect_root};
use super::proof::{HashReader, NodeId};

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Bytes of a full tile.
pub const FULL_BYTES: usize = TILE_WIDTH as usize * 32;
const WIDTH: u64 = TILE_WIDTH as u64;

/// Names a tile of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// Each hash spans `256^level` leaves.
    pub level: u8,
    /// Position within the level.
    pub index: u64,
    /// How many hashes it holds: 1 to 256.
    pub width: u16,
}

/// Names an entry bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BundleId {
    /// Position: the entries from `256 * index`.
    pub index: u64,
    /// How many entries it holds: 1 to 256.
    pub width: u16,
}

impl TileId {
    /// Parses the path below the log's prefix; `None` unless [`TileId`] would print exactly it.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = super::checkpoint::parse_decimal(level).filter(|level| *level < 64)? as u8;
        let (index, width) = parse_position(rest)?;
        Some(Self { level, index, width })
    }

    /// How many bytes the tile has.
    pub const fn bytes(self) -> usize {
        self.width as usize * 32
    }
}
impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_position(f, self.index, self.width)
    }
}

impl BundleId {
    /// Parses the path below the log's prefix; `None` unless [`BundleId`] would print exactly it.
    pub fn parse(path: &str) -> Option<Self> {
        let (index, width) = parse_position(path.strip_prefix("tile/entries/")?)?;
        Some(Self { index, width })
    }

    /// The index of its first entry.
    pub const fn first_entry(self) -> u64 {
        self.index * WIDTH
    }
}
impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_position(f, self.index, self.width)
    }
}

/// `x001/x234/067`, then `.p/12` for a partial tile.
fn write_position(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut groups = [0; 7];
    let (mut rest, mut count) = (index, 0);
    while count == 0 || rest > 0 {
        groups[count] = rest % 1_000;
        (rest, count) = (rest / 1_000, count + 1);
    }
    for group in groups[1..count].iter().rev() {
        write!(f, "x{group:03}/")?;
    }
    write!(f, "{:03}", groups[0])?;
    if width < TILE_WIDTH { write!(f, ".p/{width}") } else { Ok(()) }
}

/// The position as a path below a folder: for files that lie beside bundles.
pub fn position_path(index: u64) -> String {
    struct Position(u64);
    impl fmt::Display for Position {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_position(f, self.0, TILE_WIDTH)
        }
    }
    Position(index).to_string()
}

fn parse_position(text: &str) -> Option<(u64, u16)> {
    let (path, width) = match text.split_once(".p/") {
        Some((path, width)) => (path, super::checkpoint::parse_decimal(width).filter(|w| (1..256).contains(w))? as u16),
        None => (text, TILE_WIDTH),
    };
    let mut index = 0u64;
    let mut groups = path.split('/').peekable();
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
    }
    (position_path(index) == path).then_some((index, width))
}

/// The tiles that a tree of `new` leaves has and a tree of `old` leaves has not, by level and index.
///
/// With `old` zero: all tiles. A partial tile that grew is written anew, whole.
pub fn tiles_written(old: u64, new: u64) -> impl Iterator<Item = TileId> {
    let heights = (0u8..8).map(move |level| (level, old >> (8 * level), new >> (8 * level)));
    heights
        .take_while(|(_, _, new)| *new > 0)
        .flat_map(|(level, old, new)| spans(old, new).map(move |(index, width)| TileId { level, index, width }))
}

/// The entry bundles that a tree of `new` leaves has and a tree of `old` leaves has not.
pub fn bundles_written(old: u64, new: u64) -> impl Iterator<Item = BundleId> {
    spans(old, new).map(|(index, width)| BundleId { index, width })
}

fn spans(old: u64, new: u64) -> impl Iterator<Item = (u64, u16)> {
    let end = if new > old { new.div_ceil(WIDTH) } else { 0 };
    (old / WIDTH..end).map(move |index| (index, (new - index * WIDTH).min(WIDTH) as u16))
}

/// The partial tiles at the right edge of a tree: what appending needs to read, one for each level that has one.
pub fn open_tiles(size: u64) -> impl Iterator<Item = TileId> {
    (0u8..8)
        .map(move |level| (level, size >> (8 * level)))
        .filter(|(_, hashes)| hashes % WIDTH != 0)
        .map(|(level, hashes)| TileId { level, index: hashes / WIDTH, width: (hashes % WIDTH) as u16 })
}

/// The tile of a tree of `size` leaves that holds this node's hashes; `None` if the tree has no such node.
pub fn tile_of(node: NodeId, size: u64) -> Option<TileId> {
    let (level, inner) = (node.level / 8, u32::from(node.level % 8));
    let hashes = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
    let end = node.index.checked_add(1)?.checked_mul(1 << inner)?;
    if end > hashes {
        return None;
    }
    let index = (end - 1) / WIDTH;
    Some(TileId { level, index, width: (hashes - index * WIDTH).min(WIDTH) as u16 })
}

/// The tiles to fetch for these nodes, each once.
pub fn tiles_for(nodes: &[NodeId], size: u64) -> Vec<TileId> {
    let mut tiles: Vec<TileId> = nodes.iter().filter_map(|node| tile_of(*node, size)).collect();
    tiles.sort_unstable();
    tiles.dedup();
    tiles
}

/// Why a hash cannot be read from the tiles at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tile that the proof needs is missing or has another length")]
pub struct MissingTile;

/// Fetched tiles of a tree of one size.
#[derive(Debug, Clone, Default)]
pub struct Tiles {
    size: u64,
    tiles: HashMap<TileId, Vec<u8>>,
}

impl Tiles {
    /// No tiles yet of a tree of `size` leaves.
    pub fn new(size: u64) -> Self {
        Self { size, tiles: HashMap::new() }
    }

    /// Adds a tile.
    ///
    /// # Errors
    ///
    /// [`MissingTile`] if the bytes are not as long as the tile's width says.
    pub fn insert(&mut self, id: TileId, bytes: Vec<u8>) -> Result<(), MissingTile> {
        if bytes.len() != id.bytes() {
            return Err(MissingTile);
        }
        self.tiles.insert(id, bytes);
        Ok(())
    }
}

impl HashReader for Tiles {
    type Error = MissingTile;
    fn read(&self, node: NodeId) -> Result<Hash, MissingTile> {
        let id = tile_of(node, self.size).ok_or(MissingTile)?;
        let bytes = self.tiles.get(&id).ok_or(MissingTile)?;
        let count = 1usize << (node.level % 8);
        let start = ((node.index << (node.level % 8)) % WIDTH) as usize;
        let mut hashes = hashes(&bytes[start * 32..(start + count) * 32]).collect::<Vec<_>>();
        Ok(perfect_root(&mut hashes))
    }
}

/// The hashes of a tile, in order; bytes after the last whole hash are left out.
pub fn hashes(tile: &[u8]) -> impl ExactSizeIterator<Item = Hash> {
    tile.as_chunks().0.iter().map(|bytes| Hash::new(*bytes))
}

/// Why bytes are not an entry bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bundle ends inside an entry")]
pub struct BundleError;

/// Appends an entry to a bundle; `false`, and nothing appended, if it is too long for one.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else { return false };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    true
}

/// The entries of a bundle, in order; an error ends the iteration.
pub fn entries(bundle: &[u8]) -> impl Iterator<Item = Result<&[u8], BundleError>> {
    let mut rest = bundle;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = rest
            .split_first_chunk::<2>()
            .and_then(|(length, after)| after.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        let Some((entry, after)) = entry else {
            rest = &[];
            return Some(Err(BundleError));
        };
        rest = after;
        Some(Ok(entry))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        for (path, level, index, width) in [
            ("tile/0/x001/x234/067", 0, 1_234_067, 256),
            ("tile/0/000", 0, 0, 256),
            ("tile/2/999.p/1", 2, 999, 1),
            ("tile/63/x001/000.p/255", 63, 1_000, 255),
        ] {
            let id = TileId { level, index, width };
            assert_eq!(id.to_string(), path);
            assert_eq!(TileId::parse(path), Some(id));
        }
        assert_eq!(BundleId { index: 70_000, width: 3 }.to_string(), "tile/entries/x070/000.p/3");
        for bad in [
            "tile/0/1",
            "tile/00/001",
            "tile/64/001",
            "tile/0/x000/001",
            "tile/0/001/x002",
            "tile/0/001.p/0",
            "tile/0/001.p/256",
            "tile/0/001.p/01",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
            "tile/entries/000",
        ] {
            assert_eq!(TileId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_tree_of_70000_has_the_tiles_that_the_specification_counts() {
        let tiles: Vec<_> = tiles_written(0, 70_000).collect();
        let count = |level, full: bool| tiles.iter().filter(|t| t.level == level && (t.width == 256) == full).count();
        assert_eq!(
            [count(0, true), count(0, false), count(1, true), count(1, false), count(2, false)],
            [273, 1, 1, 1, 1]
        );
        assert_eq!(tiles.len(), 277);
        let open: Vec<_> = open_tiles(70_000).map(|tile| tile.width).collect();
        assert_eq!(open, [112, 17, 1]);
        assert_eq!(tiles_written(0, 256).map(|t| t.to_string()).collect::<Vec<_>>(), ["tile/0/000", "tile/1/000.p/1"]);
    }

    proptest! {
        #[test]
        fn what_appends_write_adds_up_to_the_tree(mut sizes in proptest::collection::vec(0u64..200_000, 1..5)) {
            sizes.sort_unstable();
            let mut latest = HashMap::new();
            let mut old = 0;
            for &size in &sizes {
                latest.extend(tiles_written(old, size).map(|tile| ((tile.level, tile.index), tile)));
                old = size;
            }
            let mut built: Vec<_> = latest.into_values().collect();
            built.sort_unstable();
            prop_assert_eq!(built, tiles_written(0, old).collect::<Vec<_>>());
        }

        #[test]
        fn a_bundle_gives_its_entries_back(list in proptest::collection::vec(any::<Vec<u8>>(), 0..20)) {
            let mut bundle = Vec::new();
            prop_assert!(list.iter().all(|entry| push_entry(&mut bundle, entry)));
            let read: Result<Vec<_>, _> = entries(&bundle).collect();
            prop_assert_eq!(read.expect("whole"), list);
        }
    }

    #[test]
    fn a_cut_bundle_and_an_entry_too_long_are_refused() {
        let mut bundle = Vec::new();
        assert!(push_entry(&mut bundle, b"entry"));
        assert!(!push_entry(&mut bundle, &vec![0; 65_536]));
        assert_eq!(entries(&bundle[..6]).last(), Some(Err(BundleError)));
        assert_eq!(entries(&bundle[..1]).last(), Some(Err(BundleError)));
    }

    #[test]
    fn a_node_outside_the_tree_has_no_tile() {
        assert_eq!(tile_of(NodeId { level: 0, index: 300 }, 300), None);
        assert_eq!(tile_of(NodeId { level: 8, index: 1 }, 511), None);
        assert_eq!(tile_of(NodeId { level: 9, index: u64::MAX }, 511), None);
        assert_eq!(tile_of(NodeId { level: 3, index: 33 }, 300), Some(TileId { level: 0, index: 1, width: 44 }));
    }
}
