//! What is for the shield officers: the part of every case that is sealed to them.
//!
//! An officer looks through all of them at once, with the officers' private key on the officer's own
//! machine. The entry of a look names no case and has no number: it is the same whatever was found.

use crate::app::enrol::code;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::random::uuid_v7;
use crate::domain::ids::{EventId, SubjectCaseId};
use crate::domain::subject_case::SubjectRight;
use crate::store::StoredCase;
use crate::tlog::entry::{Body, SubjectCase, SubjectCommitments};

/// A case with what is sealed to the officers in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedForOfficers {
    /// The case number: what it is sealed with beside the key.
    pub case: SubjectCaseId,
    /// The right.
    pub right: SubjectRight,
    /// The last day for an answer.
    pub due_on: Option<jiff::civil::Date>,
    /// The sealed part, or padding.
    pub sealed: Vec<u8>,
}

impl Gateway {
    /// Hands out the officers' part of every open case, after the look is in the log.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn parts_for_shield_officers(&self, by: &str) -> Result<Vec<SealedForOfficers>, AppError> {
        let cases = self.store().subject_cases(self.programme(), None).await?;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let id = EventId::new(uuid_v7(now, self.random()));
        let (actor, sealed_actor) = self.commit(id, "actor", by.as_bytes().to_vec(), super::ACTOR_LENGTH.max(256))?;
        let (detail, sealed_detail) = self.commit(id, "detail", Vec::new(), super::DETAIL_LENGTH)?;
        let body = Body::SubjectCase(Box::new(SubjectCase {
            matter: None,
            right: code("any")?,
            action: code("shield-read")?,
            agency: None,
            client: code(by)?,
            role: None,
            reason: None,
            result: None,
            due: None,
            commitments: SubjectCommitments { actor, detail },
        }));
        let mut event = self.event_with_id(id, now, body)?;
        event.openings = vec![("actor", sealed_actor), ("detail", sealed_detail)];
        tx.add_events(&[&event]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        let part = |case: StoredCase| SealedForOfficers {
            case: case.id,
            right: case.right,
            due_on: case.clock.due_on(),
            sealed: case.shield,
        };
        Ok(cases.into_iter().filter(|case| case.clock.closed_at.is_none()).map(part).collect())
    }
}
