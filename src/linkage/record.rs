//! What linkage sees of a record: who holds it, and its blinded tokens.

use crate::domain::ids::{AgencyCode, FeedCode, OpaqueRef};
use crate::domain::token::Blinded;

/// Names a record for good: the holder, the holder's feed and the holder's own reference.
///
/// Its order breaks every tie of linkage, so that arrival never decides anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    /// The agency that holds the record.
    pub agency: AgencyCode,
    /// The feed that delivered it.
    pub feed: FeedCode,
    /// The agency's own reference.
    pub reference: OpaqueRef,
}

/// A blinded token with what makes it comparable.
///
/// Two tokens may be compared only inside one kind and one epoch. Values of different
/// normalisation versions never meet either: a caller that holds several versions gives each pair
/// of epoch and version a number of its own here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkToken {
    /// Position of the token's type in the programme's [`LinkRules`](super::rules::LinkRules).
    pub kind: u16,
    /// The linkage key's epoch (and normalisation version) it was made in.
    pub epoch: u32,
    /// The stored value.
    pub value: Blinded,
}

/// A blinded token of an address at which a person lives now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HouseholdToken {
    /// The epoch it was made in, numbered like [`LinkToken::epoch`].
    pub epoch: u32,
    /// The stored value.
    pub value: Blinded,
}

/// One agency's record of one person, reduced to what matching needs.
///
/// `K` is the key that orders records. [`RecordKey`] is the plain one; bulk runs may use integer
/// ranks instead, as long as these sort as the codes do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRecord<K = RecordKey> {
    /// Names the record and breaks ties.
    pub key: K,
    /// Identifiers and match keys, in any order.
    pub tokens: Vec<LinkToken>,
    /// Current addresses, in any order.
    pub households: Vec<HouseholdToken>,
}

impl<K> LinkRecord<K> {
    /// The tokens sorted and without repeats: the form that comparison uses.
    pub(super) fn sorted_tokens(&self) -> Vec<LinkToken> {
        sorted(&self.tokens)
    }
}

/// Tokens sorted and without repeats.
pub(super) fn sorted(tokens: &[LinkToken]) -> Vec<LinkToken> {
    let mut tokens = tokens.to_vec();
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}
