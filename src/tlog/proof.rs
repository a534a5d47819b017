//! Inclusion and consistency proofs (RFC 6962 section 2.1; verified as RFC 9162 section 2.1 writes it).
//!
//! Making a proof has two steps, so that the caller may fetch hashes as it likes: a [`ProofPlan`] names
//! the nodes that it needs, [`ProofPlan::build`] reads and folds them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::merkle::{Hash, empty_root, fold, node_hash};

/// A node that is the root of a perfect subtree: `2^level` leaves from leaf `index * 2^level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// Height above the leaves.
    pub level: u8,
    /// Position within the level.
    pub index: u64,
}

/// Where the hashes of a tree come from.
pub trait HashReader {
    /// Why a hash cannot be read.
    type Error;

    /// The hash of one node.
    fn read(&self, node: NodeId) -> Result<Hash, Self::Error>;
}

/// Why no such proof exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree has no such leaf.
    #[error("the tree has no leaf at this index")]
    NoSuchLeaf,
    /// The earlier tree is larger than the later one.
    #[error("the earlier tree is larger than the later one")]
    Backwards,
}

/// The nodes that make a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofPlan {
    nodes: Vec<NodeId>,
    /// How many of `nodes` fold into each hash of the proof.
    widths: Vec<usize>,
}

impl ProofPlan {
    /// A proof that the leaf at `index` is in the tree of `size` leaves.
    ///
    /// # Errors
    ///
    /// [`ProofError::NoSuchLeaf`] unless `index < size`.
    pub fn inclusion(index: u64, size: u64) -> Result<Self, ProofError> {
        if index >= size {
            return Err(ProofError::NoSuchLeaf);
        }
        let (mut low, mut high) = (0, size);
        let mut siblings = Vec::new();
        while high - low > 1 {
            let middle = low + split(high - low);
            if index < middle {
                siblings.push((middle, high));
                high = middle;
            } else {
                siblings.push((low, middle));
                low = middle;
            }
        }
        Ok(Self::of_ranges(siblings))
    }

    /// A proof that the tree of `earlier` leaves is a prefix of the tree of `later` leaves.
    ///
    /// # Errors
    ///
    /// [`ProofError::Backwards`] if `earlier > later`.
    pub fn consistency(earlier: u64, later: u64) -> Result<Self, ProofError> {
        if earlier > later {
            return Err(ProofError::Backwards);
        }
        let mut ranges = Vec::new();
        if earlier > 0 {
            let (mut low, mut high) = (0, later);
            while high != earlier {
                let middle = low + split(high - low);
                if earlier <= middle {
                    ranges.push((middle, high));
                    high = middle;
                } else {
                    ranges.push((low, middle));
                    low = middle;
                }
            }
            if low != 0 {
                ranges.push((low, high));
            }
        }
        Ok(Self::of_ranges(ranges))
    }

    /// The nodes to fetch.
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// Reads the nodes and folds them into the proof.
    ///
    /// # Errors
    ///
    /// The reader's error.
    pub fn build<R: HashReader>(&self, reader: &R) -> Result<Vec<Hash>, R::Error> {
        let mut hashes = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            hashes.push(reader.read(*node)?);
        }
        let mut rest = &hashes[..];
        let proof = self.widths.iter().map(|width| {
            let (range, after) = rest.split_at(*width);
            rest = after;
            fold(range).unwrap_or_else(empty_root) // every range of a plan has a node
        });
        Ok(proof.collect())
    }

    /// From ranges of leaves, root first: a proof lists them from the leaf upwards.
    fn of_ranges(ranges: Vec<(u64, u64)>) -> Self {
        let mut plan = Self { nodes: Vec::new(), widths: Vec::with_capacity(ranges.len()) };
        for (low, high) in ranges.into_iter().rev() {
            let before = plan.nodes.len();
            let mut start = low;
            while start < high {
                // `start` is a multiple of the largest power of two that fits, by how ranges are split.
                let level = (high - start).ilog2() as u8;
                plan.nodes.push(NodeId { level, index: start >> level });
                start += 1 << level;
            }
            plan.widths.push(plan.nodes.len() - before);
        }
        plan
    }
}

/// The largest power of two below `width`, which is at least 2.
fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// Whether the proof shows the leaf at `index` in the tree with this size and root.
///
/// ```
/// use porth::tlog::merkle::{leaf_hash, node_hash};
/// use porth::tlog::proof::includes;
///
/// let (one, two) = (leaf_hash(b"one"), leaf_hash(b"two"));
/// let root = node_hash(&one, &two);
/// assert!(includes(2, &root, 1, &two, &[one]));
/// assert!(!includes(2, &root, 0, &two, &[one]));
/// ```
pub fn includes(size: u64, root: &Hash, index: u64, leaf: &Hash, proof: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether the proof shows that the earlier tree (size, root) is a prefix of the later one.
pub fn is_consistent(earlier: (u64, &Hash), later: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((first, first_root), (second, second_root)) = (earlier, later);
    if first > second {
        return false;
    }
    if first == second {
        return proof.is_empty() && first_root == second_root;
    }
    if first == 0 {
        return proof.is_empty() && *first_root == empty_root();
    }
    let (mut node, mut last) = (first - 1, second - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    // A perfect earlier tree is its own first node, and the proof leaves it out.
    let (start, rest) = match (first.is_power_of_two(), proof.split_first()) {
        (true, _) => (first_root, proof),
        (false, Some((start, rest))) => (start, rest),
        (false, None) => return false,
    };
    let (mut old, mut new) = (*start, *start);
    for hash in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new = node_hash(&new, hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && old == *first_root && new == *second_root
}

/// An inclusion proof as a file that verifies offline (C2SP tlog-proof): index, hashes, checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// The entry's index.
    pub index: u64,
    /// The inclusion proof.
    pub hashes: Vec<Hash>,
    /// Data beside the proof, not authenticated by it: an opening, for one.
    pub extra: Option<Vec<u8>>,
    /// The signed checkpoint, as published.
    pub checkpoint: String,
}

impl ProofFile {
    /// The file's text.
    pub fn render(&self) -> String {
        let mut text = String::from("c2sp.org/tlog-proof@v1\n");
        if let Some(extra) = &self.extra {
            text.extend(["extra ", &STANDARD.encode(extra), "\n"]);
        }
        text.extend(["index ", &self.index.to_string(), "\n"]);
        for hash in &self.hashes {
            text.extend([&hash.to_string(), "\n"]);
        }
        text.extend(["\n", &self.checkpoint]);
        text
    }

    /// Parses the text; `None` unless [`ProofFile::render`] would write exactly it.
    pub fn parse(text: &str) -> Option<Self> {
        let (head, checkpoint) = text.split_once("\n\n")?;
        let mut lines = head.strip_prefix("c2sp.org/tlog-proof@v1\n")?.split('\n');
        let mut line = lines.next()?;
        let mut extra = None;
        if let Some(encoded) = line.strip_prefix("extra ") {
            extra = Some(STANDARD.decode(encoded).ok()?);
            line = lines.next()?;
        }
        let index = super::checkpoint::parse_decimal(line.strip_prefix("index ")?)?;
        let hashes = lines.map(Hash::parse).collect::<Option<Vec<_>>>()?;
        (hashes.len() <= 64).then(|| Self { index, hashes, extra, checkpoint: checkpoint.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;
    use sha2::Sha256;

    use super::*;
    use crate::tlog::merkle::{Edge, leaf_hash, perfect_root};

    /// A tree kept whole.
    struct Leaves(Vec<Hash>);
    impl Leaves {
        fn of(size: u64) -> Self {
            Self((0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect())
        }
        fn root(&self, size: usize) -> Hash {
            let mut edge = Edge::new();
            self.0[..size].iter().for_each(|leaf| edge.append(*leaf));
            edge.root()
        }
    }
    impl HashReader for Leaves {
        type Error = std::convert::Infallible;
        fn read(&self, node: NodeId) -> Result<Hash, Self::Error> {
            let start = usize::try_from(node.index << node.level).expect("small");
            Ok(perfect_root(&mut self.0[start..start + (1 << node.level)].to_vec()))
        }
    }

    fn flip(hash: &Hash, bit: usize) -> Hash {
        let mut bytes = *hash.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        Hash::new(bytes)
    }

    fn flat(proof: &[Hash]) -> Vec<u8> {
        proof.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proved_as_an_independent_implementation_does() {
        let leaves = Leaves::of(70);
        let mut oracle = MemoryBackedTree::<Sha256, [u8; 8]>::new();
        for size in 1..=70u64 {
            oracle.push((size - 1).to_be_bytes());
            let root = leaves.root(size as usize);
            for index in 0..size {
                let proof = ProofPlan::inclusion(index, size).expect("in range").build(&leaves).expect("whole");
                assert_eq!(flat(&proof), oracle.prove_inclusion(index as usize).as_bytes(), "{index} of {size}");
                let leaf = &leaves.0[index as usize];
                assert!(includes(size, &root, index, leaf, &proof), "{index} of {size}");
                assert!(!includes(size, &root, (index + 1) % size, leaf, &proof) || size == 1, "{index} of {size}");
                assert!(!includes(size, &root, index, leaf, &[&proof[..], &[root]].concat()), "longer proof");
            }
        }
        assert_eq!(ProofPlan::inclusion(3, 3), Err(ProofError::NoSuchLeaf));
        assert_eq!(ProofPlan::inclusion(0, 0), Err(ProofError::NoSuchLeaf));
    }

    #[test]
    fn every_small_tree_is_proved_a_prefix_of_every_larger_one() {
        let leaves = Leaves::of(64);
        for later in 0..=64u64 {
            let mut oracle = MemoryBackedTree::<Sha256, [u8; 8]>::new();
            (0..later).for_each(|n| oracle.push(n.to_be_bytes()));
            let later_root = leaves.root(later as usize);
            for earlier in 0..=later {
                let proof = ProofPlan::consistency(earlier, later).expect("in order").build(&leaves).expect("whole");
                if earlier > 0 && earlier < later {
                    let theirs = oracle.prove_consistency((later - earlier) as usize);
                    assert_eq!(flat(&proof), theirs.as_bytes(), "{earlier} to {later}");
                }
                let earlier_root = leaves.root(earlier as usize);
                assert!(is_consistent((earlier, &earlier_root), (later, &later_root), &proof), "{earlier} to {later}");
                let other = flip(&earlier_root, 5);
                assert!(!is_consistent((earlier, &other), (later, &later_root), &proof), "{earlier} to {later}");
                if earlier != 0 {
                    let other = flip(&later_root, 5);
                    assert!(!is_consistent((earlier, &earlier_root), (later, &other), &proof), "{earlier} to {later}");
                }
            }
        }
        assert_eq!(ProofPlan::consistency(3, 2), Err(ProofError::Backwards));
        let root = leaves.root(3);
        assert!(!is_consistent((3, &root), (2, &leaves.root(2)), &[]));
        assert!(!is_consistent((3, &root), (4, &leaves.root(4)), &[]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn a_proof_fails_when_any_bit_of_it_flips(size in 2u64..500, at in any::<prop::sample::Index>(), part in any::<prop::sample::Index>(), bit in 0usize..256) {
            let leaves = Leaves::of(size);
            let root = leaves.root(size as usize);
            let index = at.index(size as usize) as u64;
            let mut proof = ProofPlan::inclusion(index, size).expect("in range").build(&leaves).expect("whole");
            let place = part.index(proof.len());
            proof[place] = flip(&proof[place], bit);
            prop_assert!(!includes(size, &root, index, &leaves.0[index as usize], &proof));

            let earlier = 1 + at.index(size as usize - 1) as u64;
            let mut proof = ProofPlan::consistency(earlier, size).expect("in order").build(&leaves).expect("whole");
            let place = part.index(proof.len());
            proof[place] = flip(&proof[place], bit);
            prop_assert!(!is_consistent((earlier, &leaves.root(earlier as usize)), (size, &root), &proof));
        }
    }

    #[test]
    fn a_proof_file_reads_back_as_written() {
        let leaves = Leaves::of(9);
        let hashes = ProofPlan::inclusion(4, 9).expect("in range").build(&leaves).expect("whole");
        for extra in [None, Some(b"opening".to_vec())] {
            let file =
                ProofFile {
                    index: 4, hashes: hashes.clone(), extra, checkpoint: "log\n9\nroot\n\n— a b\n".to_owned()
                };
            assert_eq!(ProofFile::parse(&file.render()), Some(file));
        }
        for bad in ["", "c2sp.org/tlog-proof@v1\nindex 04\n\nx", "c2sp.org/tlog-proof@v1\nindex 4\nAAAA\n\nx"] {
            assert_eq!(ProofFile::parse(bad), None, "{bad}");
        }
    }
}
