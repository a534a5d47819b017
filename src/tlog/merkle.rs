//! RFC 6962 Merkle trees: hashes, the right edge of a growing tree, its root.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// A hash of the tree. Written in standard base64, as C2SP does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Wraps 32 bytes that are already a hash.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Parses standard base64 with padding; `None` unless canonical and 32 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_slice(&STANDARD.decode(text).ok()?)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The hash of an entry: `SHA-256(0x00 || entry)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut block = [1; 65];
    block[1..33].copy_from_slice(&left.0);
    block[33..].copy_from_slice(&right.0);
    Hash(Sha256::digest(block).into())
}

/// The root of a tree without leaves: `SHA-256("")`.
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The root of a perfect subtree, reduced in place; `hashes` holds a power of two of them.
pub fn perfect_root(hashes: &mut [Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two());
    let mut width = hashes.len();
    while width > 1 {
        for pair in 0..width / 2 {
            hashes[pair] = node_hash(&hashes[2 * pair], &hashes[2 * pair + 1]);
        }
        width /= 2;
    }
    hashes[0]
}

/// Why numbers and hashes are not the right edge of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tree's right edge has one hash for each binary one of its size")]
pub struct EdgeError;

/// The right edge of a tree: the roots of the perfect subtrees that it is made of, largest first.
///
/// It is all that appending needs: 32 bytes for each binary one of the size.
///
/// ```
/// use porth::tlog::merkle::{Edge, leaf_hash, node_hash};
///
/// let mut edge = Edge::new();
/// edge.append(leaf_hash(b"one"));
/// edge.append(leaf_hash(b"two"));
/// assert_eq!(edge.root(), node_hash(&leaf_hash(b"one"), &leaf_hash(b"two")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    roots: Vec<Hash>,
}

impl Default for Edge {
    fn default() -> Self {
        Self::new()
    }
}

impl Edge {
    /// The edge of the tree without leaves.
    pub fn new() -> Self {
        Self { size: 0, roots: Vec::with_capacity(64) }
    }

    /// The edge of a tree of this size.
    ///
    /// # Errors
    ///
    /// [`EdgeError`] unless there is one hash for each binary one of `size`.
    pub fn from_parts(size: u64, roots: Vec<Hash>) -> Result<Self, EdgeError> {
        if roots.len() == size.count_ones() as usize { Ok(Self { size, roots }) } else { Err(EdgeError) }
    }

    /// Appends a leaf.
    pub fn append(&mut self, leaf: Hash) {
        self.append_subtree(0, leaf);
    }

    /// Appends a perfect subtree of `2^level` leaves.
    ///
    /// # Panics
    ///
    /// If the size is not a multiple of `2^level`: such a subtree does not exist in the tree.
    pub fn append_subtree(&mut self, level: u8, root: Hash) {
        assert!(self.size.is_multiple_of(1 << level), "a subtree starts at a multiple of its width");
        let mut node = root;
        let mut carry = self.size >> level;
        while carry & 1 == 1 {
            let left = self.roots.pop().expect("the edge has a hash for each binary one of its size");
            node = node_hash(&left, &node);
            carry >>= 1;
        }
        self.roots.push(node);
        self.size += 1 << level;
    }

    /// The number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, largest first.
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        fold(&self.roots).unwrap_or_else(empty_root)
    }
}

/// The root over perfect subtrees that lie side by side, largest first; `None` for none.
pub(super) fn fold(roots: &[Hash]) -> Option<Hash> {
    let (last, before) = roots.split_last()?;
    Some(before.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;

    use super::*;

    fn hex(hash: Hash) -> String {
        crate::tlog::digest::Digest::new(*hash.as_bytes()).to_string()
    }

    #[test]
    fn the_published_ct_test_tree_has_its_published_roots() {
        // The eight leaves and roots of the Certificate Transparency reference test (also in RFC 6962 code).
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let mut edge = Edge::new();
        assert_eq!(hex(edge.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        edge.append(leaf_hash(leaves[0]));
        assert_eq!(hex(edge.root()), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        for leaf in &leaves[1..] {
            edge.append(leaf_hash(leaf));
        }
        assert_eq!(hex(edge.root()), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_root_is_that_of_an_independent_implementation(leaves in proptest::collection::vec(any::<Vec<u8>>(), 0..600)) {
            let mut edge = Edge::new();
            let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
            for leaf in leaves {
                edge.append(leaf_hash(&leaf));
                oracle.push(leaf);
            }
            let theirs = oracle.root();
            prop_assert_eq!(Some(edge.root()), Hash::from_slice(theirs.as_bytes()));
            let restored = Edge::from_parts(edge.size(), edge.roots().to_vec()).expect("its own parts");
            prop_assert_eq!(restored, edge);
        }
    }

    #[test]
    fn whole_subtrees_and_single_leaves_build_the_same_tree() {
        let leaves: Vec<Hash> = (0u32..700).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let mut single = Edge::new();
        for leaf in &leaves {
            single.append(*leaf);
        }
        let mut whole = Edge::new();
        for chunk in leaves.chunks(256) {
            if chunk.len() == 256 {
                whole.append_subtree(8, perfect_root(&mut chunk.to_vec()));
            } else {
                for leaf in chunk {
                    whole.append(*leaf);
                }
            }
        }
        assert_eq!(whole, single);
    }

    #[test]
    fn an_edge_has_a_hash_for_each_binary_one_of_its_size() {
        assert_eq!(Edge::from_parts(3, vec![empty_root()]), Err(EdgeError));
        assert!(Edge::from_parts(4, vec![empty_root()]).is_ok());
    }

    #[test]
    fn a_hash_reads_back_as_written_and_in_no_other_spelling() {
        let text = leaf_hash(b"").to_string();
        assert_eq!(Hash::parse(&text), Some(leaf_hash(b"")));
        assert_eq!(Hash::parse(text.trim_end_matches('=')), None);
        assert_eq!(Hash::parse(&format!("{text}\n")), None);
    }
}
