//! What an agency is asked: its own records, and which of their fields to verify.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::{FeedCode, OpaqueRef, PossibleMatchId};
use crate::domain::pair::{PairState, RecordName};
use crate::domain::record::Role;
use crate::domain::time::Timestamp;
use crate::store::{StoredMatch, StoredPair};

/// Most possible matches that are shown at a time, oldest first.
const MOST: i64 = 100;

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

impl Gateway {
    /// What waits for the caller's agency. That it may read these was logged when it was asked; what
    /// became shielded, replaced or decided since is left out without a word.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn possible_matches(&self, caller: &AgencyCaller) -> Result<Vec<QueueItem>, AppError> {
        let ground = self.match_ground().await?;
        let open = self.store().open_matches(self.programme(), &caller.agency, MOST).await?;
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
