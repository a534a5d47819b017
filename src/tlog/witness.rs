//! What a witness does with a checkpoint: it compares it with the newest that it saw, and cosigns only
//! what goes on from there.
//!
//! Whoever runs the log has its key, and can sign any history with it. A witness cannot be made to
//! sign two: it keeps what it saw outside the gateway.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::merkle::Hash;
use super::note::{NoteVerifier, SignedNote};
use super::proof::{ProofPlan, is_consistent};

/// Why a witness does not sign. Each but the first two is evidence: both signed notes prove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WitnessFault {
    /// Not a checkpoint that the log signed.
    #[error("not a checkpoint that the log's key signed: {0}")]
    Unsigned(CheckpointError),
    /// The proof could not be had.
    #[error("the tiles that the proof needs are missing or malformed")]
    NoProof,
    /// The log is shorter than it was.
    #[error("ROLLBACK: the log has {now} entries, and this witness has seen {seen}")]
    Rollback {
        /// Entries that were seen.
        seen: u64,
        /// Entries that it has.
        now: u64,
    },
    /// Two trees of one size.
    #[error("FORK: two checkpoints of {size} entries have different roots")]
    Fork {
        /// The size.
        size: u64,
    },
    /// The larger tree does not contain the one that was seen.
    #[error("REWRITE: the log of {now} entries does not begin with the {seen} that this witness has seen")]
    Rewrite {
        /// Entries that were seen.
        seen: u64,
        /// Entries that it has.
        now: u64,
    },
}

impl WitnessFault {
    /// Whether the two signed notes prove that the log misbehaved.
    pub const fn is_evidence(self) -> bool {
        matches!(self, Self::Rollback { .. } | Self::Fork { .. } | Self::Rewrite { .. })
    }

    /// The fault's code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unsigned(_) => "witness.unsigned",
            Self::NoProof => "witness.no-proof",
            Self::Rollback { .. } => "witness.rollback",
            Self::Fork { .. } => "witness.fork",
            Self::Rewrite { .. } => "witness.rewrite",
        }
    }
}

/// A checkpoint that was read, and what has to be fetched before it may be cosigned.
#[derive(Debug)]
pub struct Pending {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The signed note, as the log gave it.
    pub note: SignedNote,
    /// The newest that was seen: size and root.
    seen: Option<(u64, Hash)>,
    /// The nodes of the proof; `None` where none is needed.
    pub plan: Option<ProofPlan>,
}

/// Compares a checkpoint with the newest that this witness saw.
///
/// # Errors
///
/// [`WitnessFault`].
pub fn compare(
    seen: Option<&Checkpoint>,
    note: &[u8],
    origin: &str,
    log_keys: &[&dyn NoteVerifier],
) -> Result<Pending, WitnessFault> {
    let (checkpoint, note) = Checkpoint::open(note, origin, log_keys).map_err(WitnessFault::Unsigned)?;
    let seen = seen.map(|seen| (seen.size, seen.root));
    let plan = match seen {
        None => None,
        Some((size, _)) if size > checkpoint.size => {
            return Err(WitnessFault::Rollback { seen: size, now: checkpoint.size });
        }
        Some((size, root)) if size == checkpoint.size => {
            if root != checkpoint.root {
                return Err(WitnessFault::Fork { size });
            }
            None
        }
        Some((size, _)) => Some(ProofPlan::consistency(size, checkpoint.size).map_err(|_| WitnessFault::NoProof)?),
    };
    Ok(Pending { checkpoint, note, seen, plan })
}

impl Pending {
    /// Settles the comparison with the consistency proof; only then may the checkpoint be cosigned.
    ///
    /// # Errors
    ///
    /// [`WitnessFault::Rewrite`] when the proof does not hold.
    pub fn settle(self, proof: &[Hash]) -> Result<(Checkpoint, SignedNote), WitnessFault> {
        if let Some((seen, root)) = self.seen {
            let now = self.checkpoint.size;
            if !is_consistent((seen, &root), (now, &self.checkpoint.root), proof) {
                return Err(WitnessFault::Rewrite { seen, now });
            }
        }
        Ok((self.checkpoint, self.note))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::merkle::{Edge, leaf_hash, perfect_root};
    use crate::tlog::proof::{HashReader, NodeId};
    use crate::tlog::testing::{ORIGIN, TestKey};

    /// A log kept whole, which its own key signs at any size.
    struct Log(Vec<Hash>);

    impl Log {
        fn of(entries: impl Iterator<Item = u64>) -> Self {
            Self(entries.map(|n| leaf_hash(&n.to_be_bytes())).collect())
        }
        fn at(&self, size: usize) -> Checkpoint {
            let mut edge = Edge::new();
            self.0[..size].iter().for_each(|leaf| edge.append(*leaf));
            Checkpoint { origin: ORIGIN.to_owned(), size: size as u64, root: edge.root() }
        }
        fn note(&self, size: usize) -> Vec<u8> {
            self.at(size).sign(&[&TestKey::new(ORIGIN, 1)]).expect("signs").to_string().into_bytes()
        }
        /// What a witness that has seen `seen` makes of this log at a size.
        fn judged(&self, seen: Option<&Checkpoint>, size: usize) -> Result<u64, WitnessFault> {
            let pending = compare(seen, &self.note(size), ORIGIN, &[&TestKey::new(ORIGIN, 1)])?;
            let proof = pending.plan.as_ref().map(|plan| plan.build(self).expect("whole")).unwrap_or_default();
            pending.settle(&proof).map(|(checkpoint, _)| checkpoint.size)
        }
    }
    impl HashReader for Log {
        type Error = std::convert::Infallible;
        fn read(&self, node: NodeId) -> Result<Hash, Self::Error> {
            let start = usize::try_from(node.index << node.level).expect("small");
            Ok(perfect_root(&mut self.0[start..start + (1 << node.level)].to_vec()))
        }
    }

    #[test]
    fn a_log_that_only_grows_is_followed() {
        let log = Log::of(0..300);
        assert_eq!(log.judged(None, 5), Ok(5), "the first that it sees");
        for (seen, now) in [(5, 5), (5, 6), (5, 300), (256, 257), (299, 300), (0, 7)] {
            assert_eq!(log.judged(Some(&log.at(seen)), now), Ok(now as u64), "{seen} to {now}");
        }
    }

    #[test]
    fn a_rollback_a_fork_and_a_rewrite_with_the_logs_own_key_are_each_told() {
        let honest = Log::of(0..300);
        // Entry 20 says something else, and the log's own key signs it all.
        let rewritten = Log::of((0..300).map(|n| if n == 20 { 9_999 } else { n }));
        let seen = honest.at(200);
        assert_eq!(honest.judged(Some(&seen), 150), Err(WitnessFault::Rollback { seen: 200, now: 150 }));
        assert_eq!(rewritten.judged(Some(&seen), 200), Err(WitnessFault::Fork { size: 200 }));
        for now in [201, 256, 300] {
            let found = rewritten.judged(Some(&seen), now);
            assert_eq!(found, Err(WitnessFault::Rewrite { seen: 200, now: now as u64 }));
        }
        // A rewrite behind what was seen is none of this witness's business: it is another history only after.
        let early = honest.at(20);
        assert_eq!(rewritten.judged(Some(&early), 300), Ok(300));
    }

    #[test]
    fn another_logs_key_or_name_is_not_cosigned() {
        let log = Log::of(0..9);
        let other = TestKey::new(ORIGIN, 2);
        assert!(matches!(compare(None, &log.note(9), ORIGIN, &[&other]), Err(WitnessFault::Unsigned(_))));
        let key = TestKey::new(ORIGIN, 1);
        assert!(matches!(compare(None, &log.note(9), "gw.example/2027", &[&key]), Err(WitnessFault::Unsigned(_))));
    }
}
