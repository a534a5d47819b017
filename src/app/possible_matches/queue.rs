//! What an agency is asked: its own records, and which of their fields to verify.
//!
//! What is left out (a shield, another policy, a decision of the other holder) leaves no gap: pages are
//! filled from what comes after it. How many wait, or were left out, is told to nobody: the number depends on
//! others' records.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::{Ground, MatchError};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::{AgencyCode, FeedCode, OpaqueRef, PossibleMatchId};
use crate::domain::pair::{PairState, RecordName};
use crate::domain::record::Role;
use crate::domain::time::Timestamp;
use crate::store::{StoredMatch, StoredPair};

/// Most possible matches of a page, oldest first.
pub const PAGE: usize = 100;
/// How many are read at a time.
const READ: i64 = 200;

/// A record of the agency's own that it is asked to verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueItem {
    /// The possible match.
    pub id: PossibleMatchId,
    /// The agency's feed.
    pub feed: FeedCode,
    /// The agency's own reference.
    pub reference: OpaqueRef,
    /// Which of its fields to verify, by the names of the match-key file.
    pub fields: Vec<String>,
    /// Who the person is in the household, as the agency itself said.
    pub role: Role,
    /// The day that the agency's own delivery describes.
    pub as_at: Date,
    /// When the agency was asked.
    pub asked_at: Timestamp,
}

/// A page of what waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueuePage {
    /// In the order of asking.
    pub items: Vec<QueueItem>,
    /// Where the next page begins; `None` when nothing comes after this one.
    pub next_after: Option<PossibleMatchId>,
}

impl Gateway {
    /// What waits for the caller's agency after one of its possible matches. That it may read these was
    /// logged when it was asked; what became shielded, replaced or decided since, or may not be compared
    /// any more, is left out without a word.
    ///
    /// # Errors
    ///
    /// [`MatchError::Unknown`] if `after` is no possible match of the agency's; [`AppError`] from the database.
    pub async fn possible_matches(
        &self,
        caller: &AgencyCaller,
        after: Option<PossibleMatchId>,
    ) -> Result<QueuePage, MatchError> {
        let ground = self.match_ground().await?;
        let mut place = match after {
            None => None,
            Some(id) => Some(self.place_of(&caller.agency, id).await?),
        };
        let mut page = QueuePage::default();
        loop {
            let open = self.store().open_matches(self.programme(), &caller.agency, place, READ).await?;
            let Some(last) = open.last() else { return Ok(page) };
            place = Some((last.asked_at, last.id));
            for item in self.that_stand(&ground, open).await? {
                if page.items.len() == PAGE {
                    page.next_after = page.items.last().map(|last| last.id);
                    return Ok(page);
                }
                page.items.push(item);
            }
        }
    }

    /// Where a possible match is in the order of asking.
    async fn place_of(
        &self,
        agency: &AgencyCode,
        id: PossibleMatchId,
    ) -> Result<(Timestamp, PossibleMatchId), MatchError> {
        let found = self.store().possible_match(id).await?;
        let found = found.filter(|found| found.record.agency == *agency).ok_or(MatchError::Unknown)?;
        Ok((found.asked_at, found.id))
    }

    /// Those that may be asked now, in their order.
    async fn that_stand(&self, ground: &Ground, open: Vec<StoredMatch>) -> Result<Vec<QueueItem>, AppError> {
        let mut asked: Vec<(StoredMatch, Vec<StoredPair>)> = Vec::with_capacity(open.len());
        for item in open {
            let pairs = self.store().pairs_of_match(item.id).await?;
            asked.push((item, pairs));
        }
        let names: BTreeSet<RecordName> =
            asked.iter().flat_map(|(_, pairs)| pairs).flat_map(|pair| pair.names.both()).cloned().collect();
        let shown = self.open_records(ground.view.generation, names).await?;
        let mut items = Vec::new();
        for (item, pairs) in asked {
            let stands = |pair: &StoredPair| {
                let [a, b] = pair.names.both();
                pair.state == PairState::Proposed
                    && pair.sides.iter().any(|side| side.by == Some(item.id) && side.answer.is_none())
                    && shown.contains_key(a)
                    && shown.contains_key(b)
                    && ground.may_compare(a, b)
            };
            let Some(own) = shown.get(&item.record).filter(|_| pairs.iter().any(stands)) else { continue };
            items.push(QueueItem {
                id: item.id,
                role: self.open_evidence(own.id, &own.evidence)?.role,
                as_at: own.as_at.date(),
                feed: item.record.feed,
                reference: item.record.reference,
                fields: item.fields,
                asked_at: item.asked_at,
            });
        }
        Ok(items)
    }
}
