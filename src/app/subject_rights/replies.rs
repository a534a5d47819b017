//! The agency that opened a case collects what controllers gave for the person. Only what was released is
//! there: a refusal, a part that waits and no part at all are the same.

use super::{ActingUser, Done, Matter, REPLY_PLACE, Said, SubjectError};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::{SubjectCaseId, SubjectPartId};
use crate::store::{StoreError, StoredPart};

/// What was collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The answers, in the order in which they came.
    pub replies: Vec<CollectedReply>,
}

/// One controller's answer.
#[derive(Clone, PartialEq, Eq)]
pub struct CollectedReply {
    /// The number of its part: what it is sealed with beside the key.
    pub part: SubjectPartId,
    /// It is sealed to the case's key; otherwise it was sealed at rest by the gateway alone.
    pub is_sealed_to_key: bool,
    /// Ciphertext, or the answer itself.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for CollectedReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CollectedReply").field("part", &self.part).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Gives the agency of a case what was released for the person so far. Every collection is an entry.
    ///
    /// # Errors
    ///
    /// [`SubjectError`]; nothing is given then.
    pub async fn collect_subject_replies(
        &self,
        caller: &AgencyCaller,
        id: SubjectCaseId,
        user: &ActingUser,
    ) -> Result<Done<Collected>, SubjectError> {
        self.check_acting(user).await?;
        let own = self.own_matter(caller, Matter::Case(id)).await?;
        let parts = self.store().parts_of_case(id).await?;
        let replies: Vec<CollectedReply> =
            parts.iter().filter_map(|part| self.reply_of(part).transpose()).collect::<Result<_, _>>()?;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let said = Said { action: "collected", due: own.clock.due_on(), ..Said::default() };
        let entry = self.subject_entry(caller, user, (&own.text, own.right.as_str()), &said, &own.records, now)?;
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(self.done(&entry, Collected { replies })?)
    }

    fn reply_of(&self, part: &StoredPart) -> Result<Option<CollectedReply>, AppError> {
        let Some(kept) = &part.reply else { return Ok(None) };
        let is_sealed_to_key = !part.reply_key.is_empty();
        let body = if is_sealed_to_key {
            kept.clone()
        } else {
            let (table, column) = REPLY_PLACE;
            let plain = self.keys().fields.open(table, column, part.id.as_bytes(), kept);
            plain.map_err(|_| StoreError::Corrupt("an answer does not open"))?.to_vec()
        };
        Ok(Some(CollectedReply { part: part.id, is_sealed_to_key, body }))
    }
}
