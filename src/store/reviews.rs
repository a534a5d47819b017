//! Reviews of disclosures: officers, plans, samples, findings, looks and replies.

use super::bulk::BulkInsert;
use super::statements::statements;
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, AgreementRef, EventId};
use crate::domain::time::Timestamp;

pub(super) static ADD_REVIEWS: BulkInsert = BulkInsert::new(
    "INSERT INTO review (entry, idx, agency, state, last_event, changed_at) VALUES",
    6,
    "ON CONFLICT (entry) DO NOTHING",
);
pub(super) static ADD_SAMPLE: BulkInsert =
    BulkInsert::new("INSERT INTO review_sample (plan, entry, stratum) VALUES", 3, "");

statements! {
    PUT_OFFICER = "INSERT INTO review_officer (account, agency, signatory_keys, clients, user_tags, status, changed_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7)
                   ON CONFLICT (account) DO UPDATE SET agency = excluded.agency,
                       signatory_keys = excluded.signatory_keys, clients = excluded.clients,
                       user_tags = excluded.user_tags, status = excluded.status,
                       changed_at = excluded.changed_at";
    OFFICER = "SELECT account, agency, signatory_keys, clients, user_tags, status FROM review_officer WHERE account = $1";
    OFFICERS = "SELECT account, agency, signatory_keys, clients, user_tags, status FROM review_officer ORDER BY account";
    ADD_PLAN = "INSERT INTO review_plan (event, strategy, strata, population, sample, drawn_by, drawn_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7)";
    PLAN = "SELECT event, strategy, strata, population, sample, drawn_by, drawn_at FROM review_plan WHERE event = $1";
    PLANS = "SELECT event, strategy, strata, population, sample, drawn_by, drawn_at FROM review_plan
             ORDER BY drawn_at DESC, event DESC LIMIT 200";
    REVIEW = "SELECT entry, idx, agency, state, reviewer, barred, finding, severity, action, owner, due,
                     agreement, reason, finding_event, last_event, changed_at FROM review WHERE entry = $1";
    REVIEWS = "SELECT entry, idx, agency, state, reviewer, barred, finding, severity, action, owner, due,
                      agreement, reason, finding_event, last_event, changed_at FROM review
               WHERE ($1 = '' OR state = $1) AND (CAST($2 AS BIGINT) < 0 OR (state = 'due' AND due < $2)) AND idx > $3
               ORDER BY idx LIMIT $4";
    OF_PLAN = "SELECT review_sample.stratum, review.state, review.finding, review.entry FROM review_sample
               JOIN review ON review.entry = review_sample.entry
               WHERE review_sample.plan = $1 ORDER BY review.idx";
    FINDINGS = "SELECT entry, idx, agency, state, reviewer, barred, finding, severity, action, owner, due,
                       agreement, reason, finding_event, last_event, changed_at FROM review
                WHERE agency = $1 AND state IN ('due', 'closed') AND finding_event IS NOT NULL AND idx > $2
                ORDER BY idx LIMIT $3";
    MOVE_REVIEW = "UPDATE review SET state = $3, reviewer = $4, barred = $5, finding = $6, severity = $7, action = $8,
                       owner = $9, due = $10, agreement = $11, reason = $12, finding_event = $13, last_event = $14,
                       changed_at = $15
                   WHERE entry = $1 AND last_event = $2";
    OVERDUE = "SELECT COUNT(*) FROM review WHERE state = 'due' AND due < $1";
    WAITING = "SELECT COUNT(*) FROM review WHERE state <> 'due' AND state <> 'closed'";
    ADD_LOOK = "INSERT INTO review_look (entry, account, event) VALUES ($1, $2, $3)
                ON CONFLICT (entry, account) DO UPDATE SET event = excluded.event";
    LOOK = "SELECT event FROM review_look WHERE entry = $1 AND account = $2";
    ADD_REPLY = "INSERT INTO review_reply (event, entry, finding_event, agency, position, reason, replied_at,
                                           idempotency_tag, request_hash)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    REPLY_OF_REQUEST = "SELECT event, request_hash FROM review_reply WHERE agency = $1 AND idempotency_tag = $2";
    REPLIES = "SELECT event, finding_event, position, reason, replied_at FROM review_reply WHERE entry = $1
               ORDER BY replied_at, event";
    WATCH = "UPDATE log_watch SET turn = turn + 1 WHERE job = $1 RETURNING size";
    WATCHED = "SELECT size FROM log_watch WHERE job = $1";
    SET_WATCH = "UPDATE log_watch SET size = $2 WHERE job = $1";
}

/// A registered officer as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOfficer {
    /// The account.
    pub account: String,
    /// The officer's agency.
    pub agency: AgencyCode,
    /// JSON list of signatory keys.
    pub signatory_keys: String,
    /// JSON list of clients.
    pub clients: String,
    /// JSON list of keyed tags of user references.
    pub user_tags: String,
    /// `registered` or `ended`.
    pub status: String,
}

/// A draw as stored; its entry says how it was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPlan {
    /// The entry of the draw.
    pub event: EventId,
    /// Its strategy.
    pub strategy: String,
    /// JSON of its strata.
    pub strata: String,
    /// Disclosures that could have been drawn.
    pub population: u64,
    /// Disclosures that were.
    pub sample: u64,
    /// By whom.
    pub drawn_by: String,
    /// When.
    pub drawn_at: Timestamp,
}

/// The review of one disclosure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReview {
    /// The disclosure's entry.
    pub entry: EventId,
    /// Its index.
    pub index: u64,
    /// To whom it was made.
    pub agency: Option<AgencyCode>,
    /// Where the review is.
    pub state: String,
    /// Who has it, or decided.
    pub reviewer: Option<String>,
    /// Who may not decide any more.
    pub barred: Option<String>,
    /// What was found.
    pub finding: Option<String>,
    /// How grave it is.
    pub severity: Option<String>,
    /// What is done.
    pub action: Option<String>,
    /// Who does it.
    pub owner: Option<String>,
    /// The day by which it is done, days since 1970.
    pub due: Option<i64>,
    /// The agreement that the finding suspends.
    pub agreement: Option<AgreementRef>,
    /// Why.
    pub reason: Option<String>,
    /// The entry by which the finding took effect.
    pub finding_event: Option<EventId>,
    /// The entry of the last step.
    pub last_event: EventId,
    /// When that was.
    pub changed_at: Timestamp,
}

/// An agency's reply as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReviewReply {
    /// The entry of the reply.
    pub event: EventId,
    /// The entry by which the finding took effect.
    pub finding_event: EventId,
    /// What it says.
    pub position: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A reply that is made now.
#[derive(Debug, Clone)]
pub struct NewReviewReply<'a> {
    /// The disclosure's entry.
    pub entry: EventId,
    /// The agency that replies.
    pub agency: &'a AgencyCode,
    /// The reply.
    pub reply: &'a StoredReviewReply,
    /// Keyed tag of the caller's idempotency key.
    pub tag: [u8; 32],
    /// Hash of the request.
    pub request_hash: [u8; 32],
}

/// A sampled disclosure of a plan, as far as figures care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampledReview {
    /// Its stratum.
    pub stratum: String,
    /// Where its review is.
    pub state: String,
    /// What was found.
    pub finding: Option<String>,
    /// The disclosure's entry.
    pub entry: EventId,
}

/// Which reviews are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewsWanted {
    /// Only those in this state.
    pub state: Option<String>,
    /// Only those whose action was due before this day.
    pub due_before: Option<i64>,
    /// Only those of entries after this index.
    pub after: Option<u64>,
    /// How many at the most.
    pub limit: i64,
}

impl Store {
    /// A registered officer, or one who was.
    pub async fn review_officer(&self, account: &str) -> Result<Option<StoredOfficer>, StoreError> {
        self.fetch_optional(OFFICER, values![account]).await?.as_ref().map(read_officer).transpose()
    }

    /// Every officer, by account.
    pub async fn review_officers(&self) -> Result<Vec<StoredOfficer>, StoreError> {
        self.fetch_all(OFFICERS, values![]).await?.iter().map(read_officer).collect()
    }

    /// The newest plans.
    pub async fn review_plans(&self) -> Result<Vec<StoredPlan>, StoreError> {
        self.fetch_all(PLANS, values![]).await?.iter().map(read_plan).collect()
    }

    /// A plan by the entry of its draw.
    pub async fn review_plan(&self, plan: EventId) -> Result<Option<StoredPlan>, StoreError> {
        self.fetch_optional(PLAN, values![plan.as_bytes()]).await?.as_ref().map(read_plan).transpose()
    }

    /// The sample of a plan.
    pub async fn review_sample(&self, plan: EventId) -> Result<Vec<SampledReview>, StoreError> {
        let rows = self.fetch_all(OF_PLAN, values![plan.as_bytes()]).await?;
        let read = |row: &Row| {
            let (stratum, state, finding) = (row.text(0)?, row.text(1)?, row.optional_text(2)?);
            Ok(SampledReview { stratum, state, finding, entry: event(row.bytes(3)?)? })
        };
        rows.iter().map(read).collect()
    }

    /// The review of a disclosure.
    pub async fn review(&self, entry: EventId) -> Result<Option<StoredReview>, StoreError> {
        self.fetch_optional(REVIEW, values![entry.as_bytes()]).await?.as_ref().map(read_review).transpose()
    }

    /// Reviews in the order of the log.
    pub async fn reviews(&self, wanted: &ReviewsWanted) -> Result<Vec<StoredReview>, StoreError> {
        let (state, after) = (wanted.state.as_deref().unwrap_or(""), wanted.after.map_or(-1, |after| after as i64));
        let rows =
            self.fetch_all(REVIEWS, values![state, wanted.due_before.unwrap_or(-1), after, wanted.limit]).await?;
        rows.iter().map(read_review).collect()
    }

    /// Findings in effect about an agency's own disclosures, after an index of the log.
    pub async fn findings_about(
        &self,
        agency: &AgencyCode,
        after: Option<u64>,
        limit: i64,
    ) -> Result<Vec<StoredReview>, StoreError> {
        let after = after.map_or(-1, |after| after as i64);
        let rows = self.fetch_all(FINDINGS, values![agency.as_str(), after, limit]).await?;
        rows.iter().map(read_review).collect()
    }

    /// How many actions are not done by their day, and how many disclosures wait for a finding.
    pub async fn reviews_waiting(&self, today: i64) -> Result<(u64, u64), StoreError> {
        let overdue = self.fetch_optional(OVERDUE, values![today]).await?.ok_or(StoreError::Corrupt("count"))?;
        let waiting = self.fetch_optional(WAITING, values![]).await?.ok_or(StoreError::Corrupt("count"))?;
        Ok((overdue.int(0)? as u64, waiting.int(0)? as u64))
    }

    /// The entry of an officer's last look at a disclosure for its review.
    pub async fn review_look(&self, entry: EventId, account: &str) -> Result<Option<EventId>, StoreError> {
        let row = self.fetch_optional(LOOK, values![entry.as_bytes(), account]).await?;
        row.map(|row| event(row.bytes(0)?)).transpose()
    }

    /// What an agency replied about a disclosure, oldest first.
    pub async fn review_replies(&self, entry: EventId) -> Result<Vec<StoredReviewReply>, StoreError> {
        let rows = self.fetch_all(REPLIES, values![entry.as_bytes()]).await?;
        let read = |row: &Row| {
            Ok(StoredReviewReply {
                event: event(row.bytes(0)?)?,
                finding_event: event(row.bytes(1)?)?,
                position: row.text(2)?,
                reason: row.text(3)?,
                at: Timestamp::from_micros(row.int(4)?),
            })
        };
        rows.iter().map(read).collect()
    }

    /// How far a job has looked at the log.
    pub async fn log_watched(&self, job: &str) -> Result<u64, StoreError> {
        let row = self.fetch_optional(WATCHED, values![job]).await?.ok_or(StoreError::Corrupt("a job's place"))?;
        Ok(row.int(0)? as u64)
    }
}

impl Tx {
    /// Registers an officer, or changes what is registered.
    pub async fn put_review_officer(&mut self, officer: &StoredOfficer, now: Timestamp) -> Result<(), StoreError> {
        let values = values![
            &officer.account,
            officer.agency.as_str(),
            &officer.signatory_keys,
            &officer.clients,
            &officer.user_tags,
            &officer.status,
            now.as_micros(),
        ];
        self.execute(PUT_OFFICER, values).await.map(drop)
    }

    /// Keeps a plan and its sample; disclosures that are under review already stay where they are.
    pub async fn add_review_plan(
        &mut self,
        plan: &StoredPlan,
        sample: &[(EventId, u64, Option<AgencyCode>, String)],
    ) -> Result<(), StoreError> {
        let values = values![
            plan.event.as_bytes(),
            &plan.strategy,
            &plan.strata,
            plan.population as i64,
            plan.sample as i64,
            &plan.drawn_by,
            plan.drawn_at.as_micros(),
        ];
        self.execute(ADD_PLAN, values).await?;
        let (mut reviews, mut drawn): (Vec<Value<'_>>, Vec<Value<'_>>) = (Vec::new(), Vec::new());
        for (entry, index, agency, stratum) in sample {
            reviews.extend([
                Value::from(entry.as_bytes()),
                (*index as i64).into(),
                agency.as_ref().map(AgencyCode::as_str).into(),
                "drawn".into(),
                plan.event.as_bytes().into(),
                plan.drawn_at.as_micros().into(),
            ]);
            drawn.extend([Value::from(plan.event.as_bytes()), entry.as_bytes().into(), stratum.into()]);
        }
        self.insert_many(&ADD_REVIEWS, &reviews).await?;
        self.insert_many(&ADD_SAMPLE, &drawn).await.map(drop)
    }

    /// The review of a disclosure, as this transaction sees it.
    pub async fn review(&mut self, entry: EventId) -> Result<Option<StoredReview>, StoreError> {
        self.fetch_optional(REVIEW, values![entry.as_bytes()]).await?.as_ref().map(read_review).transpose()
    }

    /// Takes a review on, from exactly the step before. False when somebody else was first.
    pub async fn move_review(&mut self, before: EventId, to: &StoredReview) -> Result<bool, StoreError> {
        let agreement = to.agreement.as_ref().map(ToString::to_string);
        let values = values![
            to.entry.as_bytes(),
            before.as_bytes(),
            &to.state,
            to.reviewer.as_deref(),
            to.barred.as_deref(),
            to.finding.as_deref(),
            to.severity.as_deref(),
            to.action.as_deref(),
            to.owner.as_deref(),
            to.due,
            agreement.as_deref(),
            to.reason.as_deref(),
            to.finding_event.as_ref().map(|event| event.as_bytes().as_slice()),
            to.last_event.as_bytes(),
            to.changed_at.as_micros(),
        ];
        Ok(self.execute(MOVE_REVIEW, values).await? == 1)
    }

    /// Notes that an officer has read a disclosure for its review.
    pub async fn add_review_look(&mut self, entry: EventId, account: &str, look: EventId) -> Result<(), StoreError> {
        self.execute(ADD_LOOK, values![entry.as_bytes(), account, look.as_bytes()]).await.map(drop)
    }

    /// The reply that an agency's idempotency key stands for, and the request that it was.
    pub async fn reply_to_finding(
        &mut self,
        agency: &AgencyCode,
        tag: &[u8; 32],
    ) -> Result<Option<(EventId, [u8; 32])>, StoreError> {
        let row = self.fetch_optional(REPLY_OF_REQUEST, values![agency.as_str(), tag]).await?;
        row.map(|row| Ok((event(row.bytes(0)?)?, row.array(1, "request hash")?))).transpose()
    }

    /// Keeps a reply. False when the finding has one of this position already.
    pub async fn add_review_reply(&mut self, new: &NewReviewReply<'_>) -> Result<bool, StoreError> {
        let StoredReviewReply { event, finding_event, position, reason, at } = new.reply;
        let values = values![
            event.as_bytes(),
            new.entry.as_bytes(),
            finding_event.as_bytes(),
            new.agency.as_str(),
            position,
            reason,
            at.as_micros(),
            &new.tag,
            &new.request_hash,
        ];
        Ok(self.execute(ADD_REPLY, values).await? == 1)
    }

    /// Takes a job's lock; gives how far it has looked at the log.
    pub async fn lock_log_watch(&mut self, job: &str) -> Result<u64, StoreError> {
        let row = self.fetch_optional(WATCH, values![job]).await?.ok_or(StoreError::Corrupt("a job's place"))?;
        Ok(row.int(0)? as u64)
    }

    /// Notes how far a job has looked.
    pub async fn set_log_watch(&mut self, job: &str, size: u64) -> Result<(), StoreError> {
        self.execute(SET_WATCH, values![job, size as i64]).await.map(drop)
    }
}

fn event(bytes: Vec<u8>) -> Result<EventId, StoreError> {
    EventId::from_slice(&bytes).map_err(|_| StoreError::Corrupt("event id"))
}

fn read_officer(row: &Row) -> Result<StoredOfficer, StoreError> {
    Ok(StoredOfficer {
        account: row.text(0)?,
        agency: row.parsed(1, "agency")?,
        signatory_keys: row.text(2)?,
        clients: row.text(3)?,
        user_tags: row.text(4)?,
        status: row.text(5)?,
    })
}

fn read_plan(row: &Row) -> Result<StoredPlan, StoreError> {
    Ok(StoredPlan {
        event: event(row.bytes(0)?)?,
        strategy: row.text(1)?,
        strata: row.text(2)?,
        population: row.int(3)? as u64,
        sample: row.int(4)? as u64,
        drawn_by: row.text(5)?,
        drawn_at: Timestamp::from_micros(row.int(6)?),
    })
}

fn read_review(row: &Row) -> Result<StoredReview, StoreError> {
    let parsed = |column, what| row.optional_text(column)?.map(|_| row.parsed(column, what)).transpose();
    Ok(StoredReview {
        entry: event(row.bytes(0)?)?,
        index: row.int(1)? as u64,
        agency: row.optional_text(2)?.map(|_| row.parsed(2, "agency")).transpose()?,
        state: row.text(3)?,
        reviewer: row.optional_text(4)?,
        barred: row.optional_text(5)?,
        finding: row.optional_text(6)?,
        severity: row.optional_text(7)?,
        action: row.optional_text(8)?,
        owner: row.optional_text(9)?,
        due: row.optional_int(10)?,
        agreement: parsed(11, "agreement reference")?,
        reason: row.optional_text(12)?,
        finding_event: row.optional_bytes(13)?.map(event).transpose()?,
        last_event: event(row.bytes(14)?)?,
        changed_at: Timestamp::from_micros(row.int(15)?),
    })
}
