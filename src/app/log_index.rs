//! The index by which the log is searched: derived from the entries, never the other way round.
//!
//! An entry says by hash which agreement texts it was decided under; the powers come from these texts.
//! The index may be lost: it is made again from the entries.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use super::error::AppError;
use crate::domain::agreement::AgreementText;
use crate::store::{FacetRow, PendingEvent, Store, StoreError};
use crate::tlog::entry::{Facet, Facets, TermNamed};

/// Entries that are indexed in one transaction.
const PIECE: u64 = 500;

/// The powers of terms, by text and term; read once.
#[derive(Default)]
pub(super) struct Powers {
    by_text: HashMap<[u8; 32], HashMap<String, Vec<String>>>,
}

impl Powers {
    /// The powers of a term; none when the text is not in the database.
    async fn of(&mut self, store: &Store, named: &TermNamed) -> Result<Vec<String>, StoreError> {
        let terms = match self.by_text.entry(named.text) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let document = store.document(&named.text).await?;
                let text = document.and_then(|document| AgreementText::parse(&document.body).ok());
                unknown.insert(text.as_ref().map(powers_of).unwrap_or_default())
            }
        };
        Ok(terms.get(&named.term).cloned().unwrap_or_default())
    }
}

fn powers_of(text: &AgreementText) -> HashMap<String, Vec<String>> {
    let supplies = text.supplies().iter().map(|term| (&term.id, &term.power));
    let receives = text.receives().iter().map(|clause| (&clause.id, &clause.power));
    let codes = |powers: &BTreeSet<_>| powers.iter().map(ToString::to_string).collect();
    supplies.chain(receives).map(|(id, powers)| (id.to_string(), codes(powers))).collect()
}

/// Brings the index up to the log's present size; gives that size.
///
/// # Errors
///
/// [`AppError`] from the database.
pub async fn index_log(store: &Store) -> Result<u64, AppError> {
    let mut powers = Powers::default();
    let mut size = store.indexed_size().await?;
    let end = store.log_head().await?.map_or(0, |head| head.size);
    while size < end {
        let next = end.min(size + PIECE);
        let rows = rows_of(store, &mut powers, size, next).await?;
        let mut tx = store.begin().await?;
        let locked = tx.lock_log_index().await?;
        if locked == size {
            tx.add_facets(&rows, next).await?;
            tx.commit().await?;
            size = next;
        } else {
            size = locked; // another replica was first
        }
    }
    Ok(size)
}

/// Empties the index and makes it again.
///
/// # Errors
///
/// [`AppError`] from the database.
pub async fn rebuild_log_index(store: &Store) -> Result<u64, AppError> {
    let mut tx = store.begin().await?;
    tx.lock_log_index().await?;
    tx.clear_log_index().await?;
    tx.commit().await?;
    index_log(store).await
}

/// How an index compares with its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexCheck {
    /// Entries that were compared, the newest.
    pub compared: u64,
    /// Entries whose lines in the index are others than the entry gives.
    pub differing: u64,
    /// Lines of entries that the log does not have.
    pub beyond: u64,
}

impl IndexCheck {
    /// Whether the index is what the entries give.
    pub fn is_sound(&self) -> bool {
        self.differing == 0 && self.beyond == 0
    }
}

/// Compares the newest entries that are in the index with it.
///
/// # Errors
///
/// [`AppError`] from the database.
pub async fn check_log_index(store: &Store, newest: u64) -> Result<IndexCheck, AppError> {
    let mut powers = Powers::default();
    let end = store.indexed_size().await?;
    let start = end.saturating_sub(newest);
    let (mut at, mut differing) = (start, 0);
    while at < end {
        let next = end.min(at + PIECE);
        let due: BTreeSet<FacetRow> = rows_of(store, &mut powers, at, next).await?.into_iter().collect();
        let found: BTreeSet<FacetRow> = store.facets(at, next).await?.into_iter().collect();
        let wrong: BTreeSet<u64> = due.symmetric_difference(&found).map(|row| row.index).collect();
        differing += wrong.len() as u64;
        at = next;
    }
    Ok(IndexCheck { compared: end - start, differing, beyond: store.facets_beyond(end).await? })
}

/// The lines that the entries from `start` up to and without `end` give.
async fn rows_of(store: &Store, powers: &mut Powers, start: u64, end: u64) -> Result<Vec<FacetRow>, StoreError> {
    let leaves = store.leaves_between(start, end).await?;
    if leaves.len() as u64 != end - start {
        return Err(StoreError::Corrupt("an entry of the log is missing"));
    }
    let mut rows = Vec::new();
    for (leaf, index) in leaves.iter().zip(start..) {
        rows.extend(lines_of(store, powers, leaf, index).await?);
    }
    Ok(rows)
}

async fn lines_of(
    store: &Store,
    powers: &mut Powers,
    leaf: &PendingEvent,
    index: u64,
) -> Result<Vec<FacetRow>, StoreError> {
    let row = |(facet, value): (Facet, String)| FacetRow { index, facet: facet.as_str().to_owned(), value };
    Ok(values_of(store, powers, &leaf.body).await?.into_iter().map(row).collect())
}

/// Everything that an entry is found by, powers included.
pub(super) async fn values_of(
    store: &Store,
    powers: &mut Powers,
    body: &[u8],
) -> Result<BTreeSet<(Facet, String)>, StoreError> {
    let mut facets = Facets::of(body).map_err(|_| StoreError::Corrupt("a log entry"))?;
    for term in std::mem::take(&mut facets.terms) {
        for power in powers.of(store, &term).await? {
            facets.values.insert((Facet::Power, power));
        }
    }
    Ok(facets.values)
}
