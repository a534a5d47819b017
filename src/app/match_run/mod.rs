//! Match runs: which families meet criteria in enough areas, found in stages from a snapshot that does not
//! change.
//!
//! | file | what |
//! |---|---|
//! | [`begin`] | the data team begins a run: decided, fixed and logged |
//! | [`snapshot`] | what the permitted records say is kept, page by page |
//! | [`list`] | the benefits agency gets its list of household tokens |
//! | [`reply`] | its reply is kept with the run |
//! | [`close`] | candidate families are found, from snapshot and reply alone |
//! | [`families`] | the data team reads them |
//! | [`again`] | a run is computed again, and compared with the one before |
//! | [`validate`] | holders decide about records of their own |
//! | [`work_list`] | which of its own records a holder is asked to decide about |
//! | [`remove`] | the pages of old runs are removed |
//! | [`log_entry`] | the entries of all that |
//!
//! Each step is one transaction: after a crash the run goes on where it was, and comes to the same bytes.
//! What is in it and what is not says `docs/match-runs.md`.

pub mod again;
pub mod begin;
pub mod close;
pub mod families;
pub mod list;
mod log_entry;
pub mod remove;
pub mod reply;
pub mod snapshot;
pub mod validate;
pub mod work_list;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::enquire::{EnquiryError, QuestionFault};
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::Policies;
use super::possible_matches::MatchError;
use crate::app::caller::AgencyCaller;
use crate::domain::agreement::AnswerMode;
use crate::domain::ids::{
    AgencyCode, AgreementRef, CriterionCode, EventId, FeedCode, MatchRunId, OpaqueRef, PurposeCode, RoleCode,
};
use crate::domain::item::Item;
use crate::domain::programme::Relationship;
use crate::domain::time::Timestamp;
use crate::policy::decision::{SupplierFeed, Terms};
use crate::store::{RunState, StoreError, StoredRun};
use crate::tlog::digest::Digest;
use crate::tlog::entry::RunInput;

/// The purpose of match runs.
pub const PURPOSE: &str = "programme-delivery";
/// How often something is decided anew because something changed meanwhile.
const MOST_TRIES: usize = 4;

/// Parts of what is kept of a run.
mod part {
    pub(super) const SNAPSHOT: &str = "snapshot";
    pub(super) const HOLDERS: &str = "holders";
    pub(super) const LIST: &str = "list";
    pub(super) const REPLY: &str = "reply";
    pub(super) const OUTPUT: &str = "output";
}

/// Why a step of a run is not taken. None of it depends on a person.
#[derive(Debug, thiserror::Error)]
pub enum MatchRunError {
    /// There is no such run for the caller.
    #[error("there is no such match run")]
    Unknown,
    /// The run is at another step.
    #[error("the match run is not at this step")]
    NotDue,
    /// What the run was begun on is no longer permitted.
    #[error("agreements or feeds changed, so that the run may not be carried on: begin another")]
    NoLonger,
    /// Its pages are gone: nothing can be computed from it any more.
    #[error(
        "the pages of this match run, or of the one before it, were removed when the time for which they are kept was \
         over; its log entries and digests remain"
    )]
    Removed,
    /// A listed token is malformed, or one that was not listed was answered.
    #[error("the reply answers a token that is not on the list, or one of them twice")]
    NotListed,
    /// The agreement that the reply names does not let its supplier's word be heard.
    #[error("the agreement does not let this be supplied")]
    Supply,
    /// Something else was answered before.
    #[error("the list was answered before, in another way")]
    Answered,
    /// As for an enquiry: refused by agreement, over the ceiling, at fault.
    #[error(transparent)]
    Enquiry(#[from] EnquiryError),
    /// As for a possible match.
    #[error(transparent)]
    Match(#[from] MatchError),
}

impl From<AppError> for MatchRunError {
    fn from(error: AppError) -> Self {
        Self::Enquiry(error.into())
    }
}
impl From<StoreError> for MatchRunError {
    fn from(error: StoreError) -> Self {
        Self::Enquiry(AppError::from(error).into())
    }
}

/// On what grounds somebody acts. The purpose is always the programme's delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunTerms {
    /// The agreement whose receive clause allows it.
    #[schema(value_type = String, example = "programme-delivery/v1")]
    pub agreement: AgreementRef,
    /// The relationship, as for an enquiry.
    #[schema(value_type = String, example = "screening")]
    pub relationship: Relationship,
    /// The role of the person who acts.
    #[schema(value_type = String, example = "data-analyst")]
    pub role: RoleCode,
    /// The agency's own keyed reference of that person.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
}

/// What a run came to, in counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunCounts {
    /// Records in the snapshot.
    pub records: u64,
    /// Persons that they are.
    pub persons: u64,
    /// Stage 1: household tokens with a criterion met.
    pub households: u64,
    /// Stage 2: tokens on the list that was given last.
    pub listed: u64,
    /// Of these, how many were answered.
    pub answered: u64,
    /// Stage 3: candidate families.
    pub families: u64,
    /// Households too large to be a family.
    pub quarantined: u64,
}

/// A run as its agency sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunReport {
    /// Its id.
    pub id: MatchRunId,
    /// The how-manieth of the programme.
    pub number: i64,
    /// Where it is.
    pub state: RunState,
    /// The moment that it describes.
    pub as_at: Timestamp,
    /// How many records there are, and how many of them the snapshot holds.
    pub records: (u64, u64),
    /// Whether it waits for the benefits agency.
    pub waits_for_reply: bool,
    /// What it was computed from.
    pub inputs: Vec<RunInput>,
    /// Counts, once it is closed.
    pub counts: Option<RunCounts>,
    /// SHA-256 of its output, once it is closed.
    pub output_sha256: Option<Digest>,
    /// When its pages were removed.
    pub removed_at: Option<Timestamp>,
}

/// Everything that was fixed when a run was begun. Nothing in it is about a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RunGround {
    as_at: Timestamp,
    agreement: AgreementRef,
    relationship: Relationship,
    role: RoleCode,
    programme_sha256: Digest,
    match_keys_sha256: Digest,
    /// How many blinding keys the stored tokens went through.
    layers: u32,
    inputs: Vec<RunInput>,
    /// The permitted feeds, with the agreement that each came under.
    feeds: Vec<(AgencyCode, FeedCode, AgreementRef)>,
    permits: Vec<(AgencyCode, FeedCode, Item)>,
    asks: Option<RunAsk>,
}

/// Whom a run asks about the listed households.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RunAsk {
    agency: AgencyCode,
    feed: FeedCode,
    criterion: CriterionCode,
}

impl RunGround {
    fn read(run: &StoredRun) -> Result<Self, AppError> {
        serde_json::from_str(&run.ground).map_err(|_| StoreError::Corrupt("the ground of a match run").into())
    }

    fn permitted_feeds(&self) -> Vec<(AgencyCode, FeedCode)> {
        let feeds: BTreeSet<_> = self.permits.iter().map(|(agency, feed, _)| (agency.clone(), feed.clone())).collect();
        feeds.into_iter().collect()
    }

    fn supplier_feeds(&self) -> Vec<SupplierFeed> {
        let feed = |(supplier, feed, agreement): &(AgencyCode, FeedCode, AgreementRef)| SupplierFeed {
            supplier: supplier.clone(),
            feed: feed.clone(),
            agreement: agreement.clone(),
        };
        self.feeds.iter().map(feed).collect()
    }

    fn terms(&self, recipient: &AgencyCode) -> Result<Terms, AppError> {
        terms(recipient, &self.agreement, AnswerMode::Criteria, &self.role, self.relationship)
    }

    fn deliveries(&self) -> BTreeMap<(AgencyCode, FeedCode), jiff::civil::Date> {
        let mut newest = BTreeMap::new();
        for input in &self.inputs {
            let day: &mut jiff::civil::Date =
                newest.entry((input.agency.clone(), input.feed.clone())).or_insert(input.as_at.date());
            *day = (*day).max(input.as_at.date());
        }
        newest
    }
}

fn terms(
    recipient: &AgencyCode,
    agreement: &AgreementRef,
    mode: AnswerMode,
    role: &RoleCode,
    relationship: Relationship,
) -> Result<Terms, AppError> {
    Ok(Terms {
        recipient: recipient.clone(),
        agreement: agreement.clone(),
        purpose: purpose()?,
        mode,
        role: role.clone(),
        relationship,
    })
}

/// The purpose, as the programme's files write it.
fn purpose() -> Result<PurposeCode, AppError> {
    PurposeCode::parse(PURPOSE).map_err(|_| AppError::Internal("a purpose that is no code"))
}

impl Gateway {
    /// A run of the caller's.
    ///
    /// # Errors
    ///
    /// [`MatchRunError::Unknown`] for one of another agency's, or none.
    pub async fn show_match_run(&self, caller: &AgencyCaller, id: MatchRunId) -> Result<RunReport, MatchRunError> {
        let run = self.own_run(caller, id).await?;
        self.report(&run).await
    }

    /// The caller's runs, the newest first.
    ///
    /// # Errors
    ///
    /// [`MatchRunError`] from the database.
    pub async fn own_match_runs(&self, caller: &AgencyCaller, limit: i64) -> Result<Vec<RunReport>, MatchRunError> {
        let mut reports = Vec::new();
        for run in self.store().match_runs_of(self.programme(), &caller.agency, limit).await? {
            reports.push(self.report(&run).await?);
        }
        Ok(reports)
    }

    async fn own_run(&self, caller: &AgencyCaller, id: MatchRunId) -> Result<StoredRun, MatchRunError> {
        let run = self.store().match_run(self.programme(), id).await?;
        run.filter(|run| run.begun_by == caller.agency).ok_or(MatchRunError::Unknown)
    }

    /// The run, to the agency that it asks.
    async fn asking_run(&self, caller: &AgencyCaller, id: MatchRunId) -> Result<(StoredRun, RunGround), MatchRunError> {
        let run = self.store().match_run(self.programme(), id).await?.ok_or(MatchRunError::Unknown)?;
        let ground = RunGround::read(&run)?;
        let is_asked = ground.asks.as_ref().is_some_and(|ask| ask.agency == caller.agency);
        if !is_asked {
            return Err(MatchRunError::Unknown);
        }
        if run.state == RunState::Listed { Ok((run, ground)) } else { Err(MatchRunError::NotDue) }
    }

    async fn report(&self, run: &StoredRun) -> Result<RunReport, MatchRunError> {
        let ground = RunGround::read(run)?;
        let is_answered = !self.store().run_pages(run.id, part::REPLY).await?.is_empty();
        let counts = serde_json::from_str(&run.counts).ok().filter(|_| run.state == RunState::Closed);
        Ok(RunReport {
            id: run.id,
            number: run.number,
            state: run.state,
            as_at: ground.as_at,
            records: (run.expected.unsigned_abs(), run.records.unsigned_abs()),
            waits_for_reply: run.state == RunState::Listed && ground.asks.is_some() && !is_answered,
            inputs: ground.inputs,
            counts,
            output_sha256: run.output_sha256.map(Digest::new),
            removed_at: run.removed_at,
        })
    }

    /// Whether all that a run was begun on is still permitted: asked before every step that reads records.
    async fn check_permits(&self, run: &StoredRun, ground: &RunGround) -> Result<(), MatchRunError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        self.check_blinding(&policies)?;
        let feeds = ground.supplier_feeds();
        let terms = ground.terms(&run.begun_by)?;
        let decided = self.decisions().contributors(policies.book(), &terms, &feeds, view.now);
        let Ok(permitted) = decided else { return Err(MatchRunError::NoLonger) };
        let is_granted = |(agency, feed, item): &(AgencyCode, FeedCode, Item)| {
            !policies.is_suspended(agency, feed)
                && permitted.granted().any(|line| (&line.supplier, &line.feed, &line.item) == (agency, feed, item))
        };
        if ground.permits.iter().all(is_granted) { Ok(()) } else { Err(MatchRunError::NoLonger) }
    }

    fn seal_run_page(&self, run: MatchRunId, part: &str, number: i64, plain: &[u8]) -> Vec<u8> {
        self.keys().fields.seal(self.random(), "match_run_page", "sealed", &run_place(run, part, number), plain)
    }

    fn open_run_page(&self, run: MatchRunId, part: &str, number: i64, sealed: &[u8]) -> Result<Vec<u8>, AppError> {
        let plain = self.keys().fields.open("match_run_page", "sealed", &run_place(run, part, number), sealed);
        let plain = plain.map_err(|_| StoreError::Corrupt("a page of a match run does not open"))?;
        Ok(plain.to_vec())
    }

    /// The one page of a part that has one, if there is any.
    async fn run_page<T: serde::de::DeserializeOwned>(
        &self,
        run: MatchRunId,
        part: &str,
    ) -> Result<Option<T>, AppError> {
        let Some((number, sealed)) = self.store().run_pages(run, part).await?.into_iter().next() else {
            return Ok(None);
        };
        let plain = self.open_run_page(run, part, number, &sealed)?;
        serde_json::from_slice(&plain).map(Some).map_err(|_| StoreError::Corrupt("a page of a match run").into())
    }

    fn tag_of(&self, client: &str, key: &str, request: &impl Serialize) -> Result<[u8; 32], AppError> {
        let bytes = serde_json::to_vec(request).map_err(|_| AppError::Internal("a request cannot be written"))?;
        Ok(self.keys().tagger.reply(client, key, &[b"match-run ".as_slice(), &bytes].concat()))
    }
}

/// What binds a sealed page to its place.
pub(in crate::app) fn run_place(run: MatchRunId, part: &str, number: i64) -> Vec<u8> {
    [run.as_bytes().as_slice(), part.as_bytes(), b"/", &number.to_be_bytes()].concat()
}

/// The role is one of the programme's, and nobody runs a match in an emergency.
fn check_terms(policies: &Policies, asked: &RunTerms) -> Result<(), MatchRunError> {
    policies.programme().role(&asked.role).ok_or_else(undeclared)?;
    Ok(QuestionFault::unless_calm(asked.relationship).map_err(EnquiryError::from)?)
}

fn undeclared() -> MatchRunError {
    EnquiryError::from(QuestionFault::Undeclared).into()
}

/// Something that left, or was taken, with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDisclosure {
    /// The log entry.
    pub disclosure: EventId,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}
