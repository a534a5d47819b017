//! What is still looked into is not erased: a review, a recall or an incident that is not over names the entry.

use std::collections::BTreeSet;

use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::{EventId, IncidentId, RecallId};
use crate::domain::review::state::State as ReviewState;
use crate::store::StoreError;

/// More incidents than there will ever be.
const EVERY: i64 = i64::MAX;
/// The word of an incident that is over.
const CLOSED: &str = "closed";

impl Gateway {
    /// Those of these entries that somebody still looks into.
    pub(super) async fn under_examination(&self, events: &[EventId]) -> Result<BTreeSet<EventId>, AppError> {
        let mut named = BTreeSet::new();
        for recall in self.store().open_recalls(self.programme()).await? {
            named.insert(recall.opened);
            self.add_findings(recall.id, &mut named).await?;
        }
        for incident in self.store().incidents(self.programme(), EVERY).await? {
            if incident.state != CLOSED {
                self.add_linked(incident.id, &mut named).await?;
            }
        }
        let mut examined = BTreeSet::new();
        for event in events {
            if named.contains(event) || self.is_in_review(*event).await? {
                examined.insert(*event);
            }
        }
        Ok(examined)
    }

    async fn add_linked(&self, incident: IncidentId, named: &mut BTreeSet<EventId>) -> Result<(), AppError> {
        for (of, name) in self.store().incident_links(incident).await? {
            match of.as_str() {
                "entry" => named.extend(name.parse::<EventId>()),
                "alert" => {
                    if let Ok(alert) = name.parse::<EventId>() {
                        named.extend(self.store().alert(alert).await?.and_then(|alert| alert.entry));
                    }
                }
                "recall" => {
                    let recall: RecallId = name.parse().map_err(|_| StoreError::Corrupt("a recall of an incident"))?;
                    self.add_findings(recall, named).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn add_findings(&self, recall: RecallId, named: &mut BTreeSet<EventId>) -> Result<(), AppError> {
        for (of, event, _, _) in self.store().recall_findings(recall).await? {
            // For a family the bytes stand for its number, and for no entry.
            if of != "family" {
                named.insert(EventId::from_slice(&event).map_err(|_| StoreError::Corrupt("event id"))?);
            }
        }
        Ok(())
    }

    async fn is_in_review(&self, event: EventId) -> Result<bool, AppError> {
        let review = self.store().review(event).await?;
        Ok(review.is_some_and(|review| review.state != ReviewState::Closed.as_str()))
    }
}
