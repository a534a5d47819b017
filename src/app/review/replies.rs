//! An agency reads the findings about its own disclosures, and replies. Others' findings are to it as if
//! there were none.

use serde::Serialize;

use super::super::caller::AgencyCaller;
use super::super::enrol::code;
use super::super::gateway::Gateway;
use super::ReviewError;
use super::steps::date_of;
use crate::crypto::random::uuid_v7;
use crate::domain::ids::EventId;
use crate::domain::review::finding::{Finding, Position};
use crate::domain::review::state::State;
use crate::store::{NewReviewReply, StoreError, StoredReview, StoredReviewReply};
use crate::tlog::entry::{Body, Code, ReviewReply};

/// Findings of a page.
pub const PAGE: usize = 100;

/// A finding about a disclosure of the agency's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgencyFinding {
    /// The disclosure's entry: the one whose receipt the agency has.
    pub entry: EventId,
    /// What was found.
    pub finding: Finding,
    /// How grave it is.
    pub severity: String,
    /// What is done.
    pub action: String,
    /// Who does it.
    pub owner: Option<String>,
    /// The day by which it is done.
    pub due: Option<String>,
    /// Whether that is over.
    pub is_closed: bool,
    /// Why, or where it is written up.
    pub reason: String,
    /// The entry by which it took effect.
    pub finding_event: EventId,
    /// What the agency replied.
    pub replies: Vec<StoredReviewReply>,
}

/// A page of findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingsPage {
    /// In the order of the log.
    pub findings: Vec<AgencyFinding>,
    /// Where the next page begins; `None` after the last.
    pub next_after: Option<u64>,
}

/// What an agency says to a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReply {
    /// The disclosure's entry.
    pub entry: EventId,
    /// What it says.
    pub position: Position,
    /// Why, or where the agency has written it up: a code, never a text about anybody.
    pub reason: Code,
}

/// What a reply's idempotency key is bound to.
#[derive(Serialize)]
struct Request<'a> {
    entry: String,
    position: &'a str,
    reason: &'a str,
}

impl Gateway {
    /// The findings in effect about the caller's own disclosures, after an index of the log.
    ///
    /// What may be misuse is shown once it is dealt with, so that nobody is warned by it.
    ///
    /// # Errors
    ///
    /// [`ReviewError`] from the database.
    pub async fn findings_about(&self, caller: &AgencyCaller, after: Option<u64>) -> Result<FindingsPage, ReviewError> {
        let mut rows = self.store().findings_about(&caller.agency, after, PAGE as i64 + 1).await?;
        let is_more = rows.len() > PAGE;
        rows.truncate(PAGE);
        let next_after = rows.last().filter(|_| is_more).map(|row| row.index);
        let mut findings = Vec::with_capacity(rows.len());
        for row in rows.iter().filter(|row| is_shown(row)) {
            let replies = self.store().review_replies(row.entry).await?;
            findings.push(finding_of(row, replies)?);
        }
        Ok(FindingsPage { findings, next_after })
    }

    /// Keeps an agency's reply to a finding about a disclosure of its own.
    ///
    /// # Errors
    ///
    /// [`ReviewError::Unknown`] for another agency's finding and for one that there is not;
    /// [`ReviewError::Replied`], [`ReviewError::KeyReused`].
    pub async fn reply_to_finding(
        &self,
        caller: &AgencyCaller,
        new: &NewReply,
        key: &str,
    ) -> Result<EventId, ReviewError> {
        let NewReply { entry, position, reason } = new;
        let request = Request { entry: entry.to_string(), position: position.as_str(), reason: reason.as_str() };
        let request_hash = self.request_hash(&caller.client, &request)?;
        let tag = self.keys().tagger.reply(&caller.client, key, b"POST /v1/reviews/replies");
        let mut tx = self.store().begin().await?;
        if let Some((event, hash)) = tx.reply_to_finding(&caller.agency, &tag).await? {
            return if hash == request_hash { Ok(event) } else { Err(ReviewError::KeyReused) };
        }
        let found = tx.review(*entry).await?;
        let review = found.filter(|review| review.agency.as_ref() == Some(&caller.agency) && is_shown(review));
        let finding_event = review.and_then(|review| review.finding_event).ok_or(ReviewError::Unknown)?;
        let now = tx.now().await?;
        let event = EventId::new(uuid_v7(now, self.random()));
        let reply = StoredReviewReply {
            event,
            finding_event,
            position: position.as_str().to_owned(),
            reason: reason.as_str().to_owned(),
            at: now,
        };
        let new = NewReviewReply { entry: *entry, agency: &caller.agency, reply: &reply, tag, request_hash };
        if !tx.add_review_reply(&new).await? {
            return Err(ReviewError::Replied);
        }
        let body = Body::ReviewReply(ReviewReply {
            entry: *entry,
            finding: finding_event,
            agency: caller.agency.clone(),
            client: code(&caller.client)?,
            position: code(position.as_str())?,
            reason: reason.clone(),
        });
        tx.add_events(&[&self.event_with_id(event, now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(event)
    }
}

/// Whether the agency may see a finding.
fn is_shown(review: &StoredReview) -> bool {
    let is_misuse = review.finding.as_deref() == Some(Finding::SuspectedMisuse.as_str());
    let is_closed = review.state == State::Closed.as_str();
    review.finding_event.is_some() && (is_closed || (review.state == State::Due.as_str() && !is_misuse))
}

fn finding_of(row: &StoredReview, replies: Vec<StoredReviewReply>) -> Result<AgencyFinding, StoreError> {
    let corrupt = || StoreError::Corrupt("a finding");
    let text = |value: &Option<String>| value.clone().ok_or_else(corrupt);
    Ok(AgencyFinding {
        entry: row.entry,
        finding: text(&row.finding)?.parse().map_err(|_| corrupt())?,
        severity: text(&row.severity)?,
        action: text(&row.action)?,
        owner: row.owner.clone(),
        due: row.due.map(|day| date_of(day).to_string()),
        is_closed: row.state == State::Closed.as_str(),
        reason: text(&row.reason)?,
        finding_event: row.finding_event.ok_or_else(corrupt)?,
        replies,
    })
}
