//! An agency's inbox: what it has to know about answers that it received.
//!
//! A notice comes in the transaction of the log entry that it tells of, and says what the sealed
//! opening of that entry holds. It names nothing that its reader was not given before. Whether the
//! agreements would let the reader ask the same question today is worked out when it is read, from
//! agreements alone; today's answer is asked for like any other.

use super::caller::AgencyCaller;
use super::enquire::supplier_feed;
use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use crate::crypto::random::uuid_v7;
use crate::domain::agreement::AnswerMode;
use crate::domain::ids::{AgencyCode, EventId, NoticeId, RoleCode};
use crate::domain::notice::NoticeBody;
use crate::domain::programme::Relationship;
use crate::domain::time::Timestamp;
use crate::policy::decide::contributors;
use crate::policy::decision::{SupplierFeed, Terms};
use crate::policy::rules::RuleHit;
use crate::store::{StoreError, StoredNotice};
use crate::tlog::entry::{Body, Entry, NoticeAcknowledgement};

/// Most notices of a page.
pub const PAGE: usize = 100;
/// What the sealed opening of an entry is called that holds a notice.
const OPENING: &str = "notice";

/// Why a notice is not shown or acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// The caller's agency has no such notice.
    #[error("the agency has no such notice")]
    Unknown,
    /// The programme declares no such role, or the action is no code.
    #[error("the programme declares no such role, or the action is not a code")]
    Word,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for NoticeError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// A notice as its agency reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// When it came.
    pub at: Timestamp,
    /// The log entry that it tells of.
    pub disclosure: EventId,
    /// What it says; `None` once that was erased.
    pub body: Option<NoticeBody>,
    /// Whether the question of that answer could be asked today, by the agreements alone.
    pub today: Option<Today>,
    /// When it was acknowledged.
    pub acknowledged_at: Option<Timestamp>,
}

/// Whether a question could be asked today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Today {
    /// The agreements permit it: ask again for the answer that holds.
    Permitted,
    /// They do not, by these rules.
    Refused(Vec<RuleHit>),
}

/// A page of an inbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoticePage {
    /// In the order of coming.
    pub notices: Vec<Notice>,
    /// Where the next page begins; `None` when nothing comes after this one.
    pub next_after: Option<NoticeId>,
}

/// An acknowledgement that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// Its log entry.
    pub disclosure: EventId,
    /// When.
    pub at: Timestamp,
}

impl Gateway {
    /// A notice for an agency, with the text of its opening. The caller writes both in one transaction.
    pub(super) fn notice_for(
        &self,
        agency: &AgencyCode,
        event: EventId,
        now: Timestamp,
        body: &NoticeBody,
    ) -> Result<(StoredNotice, Vec<u8>), AppError> {
        let text = serde_json::to_vec(body).map_err(|_| AppError::Internal("a notice cannot be written"))?;
        let notice = StoredNotice {
            id: NoticeId::new(uuid_v7(now, self.random())),
            programme: self.programme().clone(),
            agency: agency.clone(),
            at: now,
            event,
            kind: body.kind(),
            acknowledged: None,
        };
        Ok((notice, text))
    }

    /// The notices of the caller's agency, oldest first: those that wait, or all.
    ///
    /// # Errors
    ///
    /// [`NoticeError::Unknown`] if `after` is no notice of the agency's.
    pub async fn notices(
        &self,
        caller: &AgencyCaller,
        waiting_only: bool,
        after: Option<NoticeId>,
    ) -> Result<NoticePage, NoticeError> {
        let mut place = None;
        if let Some(id) = after {
            let notice = self.own_notice(caller, id).await?;
            place = Some((notice.at, notice.id));
        }
        let most = PAGE as i64 + 1;
        let mut found = self.store().notices(self.programme(), &caller.agency, waiting_only, place, most).await?;
        let has_more = found.len() > PAGE;
        found.truncate(PAGE);
        let next_after = found.last().filter(|_| has_more).map(|notice| notice.id);
        let mut notices = Vec::with_capacity(found.len());
        for notice in found {
            notices.push(self.read_notice(notice).await?);
        }
        Ok(NoticePage { notices, next_after })
    }

    /// Acknowledges a notice; again, the same acknowledgement comes back.
    ///
    /// # Errors
    ///
    /// [`NoticeError`].
    pub async fn acknowledge_notice(
        &self,
        caller: &AgencyCaller,
        id: NoticeId,
        role: &RoleCode,
        action: &str,
    ) -> Result<Acknowledged, NoticeError> {
        let policies = self.current_policies().await?;
        policies.programme().role(role).ok_or(NoticeError::Word)?;
        let action = action.parse().map_err(|_| NoticeError::Word)?;
        let notice = self.own_notice(caller, id).await?;
        if let Some((at, disclosure)) = notice.acknowledged {
            return Ok(Acknowledged { disclosure, at });
        }
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let entry = NoticeAcknowledgement {
            notice: id,
            agency: caller.agency.clone(),
            client: code(&caller.client)?,
            role: role.clone(),
            action,
        };
        let mut entry = self.event(now, Body::NoticeAcknowledgement(entry))?;
        entry.recipient = Some(caller.agency.to_string());
        if !tx.acknowledge_notice(id, now, entry.id).await? {
            drop(tx);
            let (at, disclosure) = self.own_notice(caller, id).await?.acknowledged.ok_or(NoticeError::Unknown)?;
            return Ok(Acknowledged { disclosure, at });
        }
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(Acknowledged { disclosure: entry.id, at: now })
    }

    async fn own_notice(&self, caller: &AgencyCaller, id: NoticeId) -> Result<StoredNotice, NoticeError> {
        let found = self.store().notice(id).await?;
        let is_own = |notice: &StoredNotice| notice.agency == caller.agency && notice.programme == *self.programme();
        found.filter(is_own).ok_or(NoticeError::Unknown)
    }

    async fn read_notice(&self, notice: StoredNotice) -> Result<Notice, AppError> {
        let sealed = self.store().sealed_entry(notice.event, OPENING).await?;
        let body: Option<NoticeBody> = match sealed {
            None => None,
            Some(entry) => {
                let text = self.open_field(notice.event, OPENING, &entry.sealed)?;
                Some(serde_json::from_slice(&text).map_err(|_| StoreError::Corrupt("a notice"))?)
            }
        };
        let today = match body.as_ref().and_then(NoticeBody::entry) {
            Some(entry) => self.may_ask_today(entry).await?,
            None => None,
        };
        let acknowledged_at = notice.acknowledged.map(|(at, _)| at);
        Ok(Notice { id: notice.id, at: notice.at, disclosure: notice.event, body, today, acknowledged_at })
    }

    /// Whether the question of an entry could be asked today; `None` where the entry is no question
    /// about a person.
    async fn may_ask_today(&self, entry: EventId) -> Result<Option<Today>, AppError> {
        let Some(body) = self.store().event_body(entry).await? else { return Ok(None) };
        let entry = Entry::parse(&body).map_err(|_| StoreError::Corrupt("a log entry"))?;
        let Body::Enquiry(asked) = entry.into_body() else { return Ok(None) };
        let mode = match asked.mode.as_str() {
            "engagement" | "claim" => Some(AnswerMode::Criteria),
            word => AnswerMode::ALL.into_iter().find(|mode| mode.as_str() == word),
        };
        let relationship = Relationship::ALL.into_iter().find(|one| one.as_str() == asked.relationship.as_str());
        let (Some(agreement), Some(mode), Some(relationship)) = (asked.agreement, mode, relationship) else {
            return Ok(None);
        };
        let terms = Terms {
            recipient: asked.recipient,
            agreement,
            purpose: asked.purpose,
            mode,
            role: asked.role,
            relationship,
        };
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        let feeds = self.contributing_feeds(view.generation, &policies).await?;
        let feeds: Vec<SupplierFeed> = feeds.iter().map(supplier_feed).collect();
        Ok(Some(match contributors(policies.book(), &terms, &feeds, view.now) {
            Ok(_) => Today::Permitted,
            Err(refusal) => Today::Refused(refusal.hits),
        }))
    }
}
