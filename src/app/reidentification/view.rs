//! What each party sees of a request: the requester where it is, officers the whole canonical request,
//! the source beside it the reference of its own record.

use super::ReidError;
use super::record::{Doing, Opened, Said};
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::crypto::random::uuid_v7;
use crate::domain::family::RecordName;
use crate::domain::ids::{EventId, ReidentificationId};
use crate::domain::reidentification::Handling;
use crate::domain::reidentification::binding::Hash32;
use crate::domain::reidentification::refusal::Refusal;
use crate::domain::reidentification::state::State;
use crate::domain::reidentification::vote::Vote;
use crate::domain::time::Timestamp;

/// Most requests that are looked through for a party's own.
const MOST_OPEN: i64 = 1000;

/// What part a caller has in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It asked.
    Requester,
    /// Its officers may approve.
    Approver,
    /// It is asked, and has such a record.
    Source,
}

impl Part {
    /// The word in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requester => "requester",
            Self::Approver => "approver",
            Self::Source => "source",
        }
    }
}

/// A request as a party sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReidView {
    /// Its id.
    pub id: ReidentificationId,
    /// What part the caller has.
    pub part: Part,
    /// The canonical text; absent in lists.
    pub request: Option<String>,
    /// SHA-256 of it.
    pub request_sha256: Hash32,
    /// Where the request is.
    pub state: State,
    /// Until when it may go on.
    pub expires_at: Timestamp,
    /// The newest vote of each person.
    pub votes: Vec<Vote>,
    /// The source's own record, for the source alone.
    pub record: Option<RecordName>,
}

impl Gateway {
    /// The requests in which the caller has a part and that are not over, without their texts.
    ///
    /// # Errors
    ///
    /// [`ReidError`] from the database.
    pub async fn reidentifications(&self, caller: &AgencyCaller) -> Result<Vec<ReidView>, ReidError> {
        let mut views = Vec::new();
        let stage = self.family_stage().await?;
        for stored in self.store().open_reids(self.programme(), MOST_OPEN).await? {
            let opened = self.opened_on(&stage, stored).await?;
            if let Some(part) = self.part_in(caller, &opened).await? {
                let votes = self.store().reid_votes(opened.stored.id).await?;
                views.push(ReidView { request: None, record: None, ..view(&opened, part, votes) });
            }
        }
        Ok(views)
    }

    /// A request with its text. For officers and for the source that is a disclosure, and in the log
    /// before it leaves.
    ///
    /// # Errors
    ///
    /// [`ReidError`]; [`Refusal::Unknown`] where the caller has no part.
    pub async fn show_reidentification(
        &self,
        caller: &AgencyCaller,
        id: ReidentificationId,
    ) -> Result<ReidView, ReidError> {
        let doing = Doing::new(caller, "show");
        let opened = self.open_reid(id).await?;
        let part = match &opened {
            Some(opened) => self.part_in(caller, opened).await?,
            None => None,
        };
        let (Some(opened), Some(part)) = (opened, part) else {
            return Err(self.refuse_reid(doing, None, Refusal::Unknown).await);
        };
        if part == Part::Requester {
            return self.requester_view(opened).await;
        }
        let votes = self.store().reid_votes(id).await?;
        let now = self.store().now().await?;
        let entry = EventId::new(uuid_v7(now, self.random()));
        let entry = self.reid_entry(entry, now, doing, Some(&opened), Said::default())?;
        let mut tx = self.store().begin().await?;
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(view(&opened, part, votes))
    }

    pub(super) async fn requester_view(&self, opened: Opened) -> Result<ReidView, ReidError> {
        let votes = self.store().reid_votes(opened.stored.id).await?;
        Ok(view(&opened, Part::Requester, votes))
    }

    /// What part a caller has; `None` for none. A source that has no such record has none.
    pub(super) async fn part_in(&self, caller: &AgencyCaller, opened: &Opened) -> Result<Option<Part>, ReidError> {
        if opened.stored.requester == caller.agency && opened.stored.client == caller.client {
            return Ok(Some(Part::Requester));
        }
        if opened.stored.source == caller.agency {
            return Ok(opened.record.as_ref().map(|_| Part::Source));
        }
        Ok(self.may_approve(caller, opened).await?.then_some(Part::Approver))
    }

    /// Whether officers of the caller's agency may vote on a request.
    pub(super) async fn may_approve(&self, caller: &AgencyCaller, opened: &Opened) -> Result<bool, ReidError> {
        let policies = self.current_policies().await?;
        let request = &opened.request;
        let Some(agreement) = policies.book().agreement(&request.agreement) else { return Ok(false) };
        if caller.agency == opened.stored.requester {
            return Ok(false);
        }
        if request.handling == Handling::Emergency {
            return Ok(agreement.text.has_party(&caller.agency));
        }
        let term = agreement.text.reidentifies().iter().find(|term| term.id == request.term);
        Ok(term.is_some_and(|term| term.approvers.contains(&caller.agency)))
    }
}

fn view(opened: &Opened, part: Part, votes: Vec<Vote>) -> ReidView {
    ReidView {
        id: opened.stored.id,
        part,
        request: Some(opened.inside.text.clone()),
        request_sha256: opened.stored.request_sha256,
        state: opened.stored.state.clone(),
        expires_at: opened.stored.expires_at,
        votes,
        record: opened.record.clone().filter(|_| part == Part::Source),
    }
}
