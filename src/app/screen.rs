//! Many questions handed over at once, answered row by row in the caller's order.
//!
//! Handing over decides nothing: the questions wait, sealed. A row is decided, charged and logged
//! when its answer is collected, exactly as a single enquiry at that moment. So an answer never lies
//! about waiting while a shield or a new agreement overtakes it, and whatever the log says was
//! disclosed did leave.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::caller::AgencyCaller;
use super::enquire::{EnquiryError, Question, QuestionFault, Receipted};
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::Policies;
use crate::crypto::random::uuid_v7;
use crate::domain::agreement::AnswerMode;
use crate::domain::ids::{
    AgencyCode, AgreementRef, EventId, OpaqueRef, ProgrammeCode, PurposeCode, RoleCode, ScreeningId,
};
use crate::domain::programme::Relationship;
use crate::domain::submission::{EpochKeys, TokensByEpoch};
use crate::policy::rules::RuleHit;
use crate::store::{NewScreening, RowOutcome, Screening, ScreeningRow, StoreError};

/// Most questions of one screening.
pub const MOST_QUESTIONS: usize = 10_000;
/// Most screenings of one system that wait or are remembered.
pub const MOST_UNDER_WAY: i64 = 20;
/// How long a screening is remembered, in seconds.
const KEPT_SECONDS: i64 = 24 * 3600;
/// Most rows whose faults are told.
const MOST_FAULTS: usize = 100;
/// Rows that are stored in one transaction.
const PAGE: usize = 256;
/// Rows that are decided at the same time.
const AT_ONCE: usize = 16;

/// What all questions of a screening share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScreeningHead {
    /// The programme.
    #[schema(value_type = String)]
    pub programme: ProgrammeCode,
    /// The agreement whose receive clause lets the agency ask.
    #[schema(value_type = String, example = "early-help-core/v1")]
    pub agreement: AgreementRef,
    /// What the answers are for.
    #[schema(value_type = String)]
    pub purpose: PurposeCode,
    /// In which form: `eligible`, `count`, `areas`, `criteria` or `lead`.
    #[schema(value_type = String, example = "eligible")]
    pub mode: AnswerMode,
    /// Why these persons now.
    #[schema(value_type = String, example = "screening")]
    pub relationship: Relationship,
    /// The role in which the asking person acts.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// Token scheme, `pt1`.
    pub scheme: String,
    /// Normalisation version.
    pub norm: u16,
    /// Key checks of the epochs and types used.
    pub epochs: Vec<EpochKeys>,
}

/// One question of a screening: about one person, as in a single enquiry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScreeningQuestion {
    /// The agency's own keyed reference of the case.
    #[schema(value_type = String)]
    pub case: OpaqueRef,
    /// The agency's own keyed reference of the person who asks.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
    /// The person's tokens.
    #[schema(value_type = Object)]
    pub tokens: TokensByEpoch,
    /// Tokens of the address that the question is about.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub household: TokensByEpoch,
}

/// The last line: how many questions there are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    end: usize,
}

impl ScreeningHead {
    fn question(&self, row: ScreeningQuestion) -> Question {
        let head = self.clone();
        Question {
            programme: head.programme,
            agreement: head.agreement,
            purpose: head.purpose,
            mode: head.mode,
            relationship: head.relationship,
            emergency: None,
            role: head.role,
            case: row.case,
            user: row.user,
            scheme: head.scheme,
            norm: head.norm,
            epochs: head.epochs,
            tokens: row.tokens,
            household: row.household,
        }
    }
}

/// What is wrong with one row; never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// Line of the file; the head is line 1.
    pub row: u64,
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub meaning: &'static str,
}

/// Why a screening is not taken. None of it depends on a person.
#[derive(Debug, thiserror::Error)]
pub enum ScreeningError {
    /// The first line is no head.
    #[error("the first line is not the head of a screening")]
    Head,
    /// The head itself is at fault.
    #[error(transparent)]
    Question(#[from] QuestionFault),
    /// Rows are at fault; nothing was taken.
    #[error("rows of the screening are at fault")]
    Rows(Vec<RowFault>),
    /// The end line is missing or counts otherwise.
    #[error("the end line is missing, or counts other than the questions that arrived")]
    Truncated,
    /// No question at all.
    #[error("the screening holds no question")]
    Empty,
    /// Too many questions.
    #[error("a screening holds at most {MOST_QUESTIONS} questions")]
    TooMany,
    /// Too many screenings of this system are waiting or remembered.
    #[error("this system has {MOST_UNDER_WAY} screenings that are not forgotten yet")]
    TooManyUnderWay,
    /// The idempotency key was used for another file, or another connection began with it a moment ago.
    #[error("the idempotency key was used for another screening")]
    KeyReused,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for ScreeningError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// What became of a row when it was collected.
#[derive(Debug)]
pub enum Collected {
    /// Answered, now or before.
    Answered(Box<Receipted>),
    /// The agreements do not permit it. The refusal is in the log.
    Refused {
        /// Its log entry.
        disclosure: EventId,
        /// The rules in the way; told once, when it was decided.
        hits: Vec<RuleHit>,
        /// Proof that it was logged.
        receipt: String,
    },
    /// The day's enquiries were used up. The refusal is in the log.
    Ceiling {
        /// Its log entry.
        disclosure: EventId,
        /// Proof that it was logged.
        receipt: String,
    },
    /// Answered before, and the answer may no longer be given: agreements or records changed since.
    Lapsed {
        /// Its log entry.
        disclosure: EventId,
    },
    /// The question fits the programme no longer: a key or a purpose was withdrawn since. Not decided.
    Unfit(QuestionFault),
}

/// A screening that arrives.
pub struct OpenScreening {
    gateway: Gateway,
    policies: std::sync::Arc<Policies>,
    id: ScreeningId,
    client: String,
    asker: AgencyCode,
    head: ScreeningHead,
    /// Whether the agreement takes tokens made of old hash values from the asker.
    takes_legacy: bool,
    /// The screening that this client's key stands for already: this one is only compared with it.
    earlier: Option<Screening>,
    digest: Sha256,
    line: u64,
    rows: usize,
    stored: usize,
    sealed: Vec<Vec<u8>>,
    faults: Vec<RowFault>,
    end: Option<usize>,
}

impl Gateway {
    /// Begins to receive a screening; its first line is given here.
    ///
    /// # Errors
    ///
    /// [`ScreeningError`].
    pub async fn begin_screening(
        &self,
        caller: &AgencyCaller,
        head: &[u8],
        idempotency: &str,
    ) -> Result<OpenScreening, ScreeningError> {
        let parsed: ScreeningHead = serde_json::from_slice(head).map_err(|_| ScreeningError::Head)?;
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        let tag = self.keys().tagger.reply(&caller.client, idempotency, b"POST /v1/screenings");
        let new = NewScreening {
            id: ScreeningId::new(uuid_v7(view.now, self.random())),
            programme: self.programme().clone(),
            agency: caller.agency.clone(),
            client: caller.client.clone(),
            tag,
            head: head.to_vec(),
            received_at: view.now,
            expires_at: view.now.plus_seconds(KEPT_SECONDS),
        };
        let earlier = self.store().screening_by_tag(&caller.client, &tag).await?;
        // One that never came whole, after a crash or on a connection that hangs, gives way.
        let (earlier, broken) = match earlier {
            Some(earlier) if earlier.is_open => (Some(earlier), None),
            broken => (None, broken),
        };
        if earlier.is_none() {
            let others = self.store().screenings_of(&caller.client, view.now).await? - i64::from(broken.is_some());
            if others >= MOST_UNDER_WAY {
                return Err(ScreeningError::TooManyUnderWay);
            }
            let mut tx = self.store().begin().await?;
            if let Some(broken) = &broken {
                tx.drop_screening(broken.id).await?;
            }
            if !tx.add_screening(&new).await? {
                return Err(ScreeningError::KeyReused); // another connection was first, a moment ago
            }
            tx.commit().await?;
        }
        let takes_legacy = policies.takes_legacy_tokens(&caller.agency, &parsed.agreement, view.now);
        let mut digest = Sha256::new();
        digest.update(head);
        Ok(OpenScreening {
            gateway: self.clone(),
            policies,
            id: new.id,
            client: new.client,
            asker: new.agency,
            takes_legacy,
            head: parsed,
            earlier,
            digest,
            line: 1,
            rows: 0,
            stored: 0,
            sealed: Vec::new(),
            faults: Vec::new(),
            end: None,
        })
    }

    /// A screening of the caller's own, with how many of its rows are where.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn screening(
        &self,
        caller: &AgencyCaller,
        id: ScreeningId,
    ) -> Result<Option<(Screening, Vec<(RowOutcome, i64)>)>, AppError> {
        let Some(screening) = self.screening_of(caller, id).await? else { return Ok(None) };
        let counts = self.store().screening_counts(id).await?;
        Ok(Some((screening, counts)))
    }

    /// Decides and gives the rows after `after`, in the caller's order; rows that were decided before
    /// are given again as far as they may be. `None` when the caller has no such screening.
    ///
    /// # Errors
    ///
    /// [`AppError`]; rows that were decided meanwhile are in the log and are given again the next time.
    pub async fn collect_screening(
        &self,
        caller: &AgencyCaller,
        id: ScreeningId,
        after: i64,
        limit: i64,
    ) -> Result<Option<Vec<(i64, Collected)>>, AppError> {
        let Some(screening) = self.screening_of(caller, id).await?.filter(|screening| screening.is_open) else {
            return Ok(None);
        };
        let head: ScreeningHead = serde_json::from_slice(&screening.head)
            .map_err(|_| AppError::Store(StoreError::Corrupt("a screening's head")))?;
        let rows = self.store().screening_rows(id, after, limit).await?;
        let waiting: Vec<i64> =
            rows.iter().filter(|row| row.outcome == RowOutcome::Waiting).map(|row| row.number).collect();
        let collected: Vec<(i64, Collected)> = futures_util::stream::iter(rows)
            .map(|row| async {
                let number = row.number;
                self.collect_row(caller, id, &head, row).await.map(|collected| (number, collected))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut tx = self.store().begin().await?;
        for (number, collected) in collected.iter().filter(|(number, _)| waiting.contains(number)) {
            if let Some((outcome, event)) = collected.decided() {
                tx.decide_screening_row(id, *number, outcome, event).await?;
            }
        }
        tx.commit().await?;
        Ok(Some(collected))
    }

    async fn collect_row(
        &self,
        caller: &AgencyCaller,
        id: ScreeningId,
        head: &ScreeningHead,
        row: ScreeningRow,
    ) -> Result<Collected, AppError> {
        let key = row_key(id, row.number);
        let event = || row.event.ok_or(AppError::Store(StoreError::Corrupt("a decided row without its entry")));
        match row.outcome {
            RowOutcome::Waiting => self.decide_row(caller, id, head, &row, &key).await,
            RowOutcome::Answered => self.give_again(caller, &key, event()?).await,
            RowOutcome::Refused => {
                let disclosure = event()?;
                let receipt = self.receipt_of(disclosure).await?;
                Ok(Collected::Refused { disclosure, hits: Vec::new(), receipt })
            }
            RowOutcome::Ceiling => {
                let disclosure = event()?;
                Ok(Collected::Ceiling { disclosure, receipt: self.receipt_of(disclosure).await? })
            }
        }
    }

    async fn decide_row(
        &self,
        caller: &AgencyCaller,
        id: ScreeningId,
        head: &ScreeningHead,
        row: &ScreeningRow,
        key: &str,
    ) -> Result<Collected, AppError> {
        let plain = self.keys().fields.open("screening_row", "question", &row_place(id, row.number), &row.question);
        let plain = plain.map_err(|_| AppError::Internal("a screening's question does not open"))?;
        let question: ScreeningQuestion =
            serde_json::from_slice(&plain).map_err(|_| AppError::Internal("a screening's question cannot be read"))?;
        match self.enquire(caller, &head.question(question), key).await {
            Ok(receipted) => Ok(Collected::Answered(Box::new(receipted))),
            Err(EnquiryError::NotPermitted { disclosure, hits, receipt }) => {
                Ok(Collected::Refused { disclosure, hits, receipt })
            }
            Err(EnquiryError::CeilingReached { disclosure, receipt }) => Ok(Collected::Ceiling { disclosure, receipt }),
            Err(EnquiryError::KeyLapsed) => {
                // It was answered, and the connection or the machine failed before that was noted.
                let now = self.store().now().await?;
                let kept = self.store().reply(&caller.client, &self.reply_tag(caller, key), now).await?;
                let kept = kept.ok_or(AppError::Interrupted)?;
                Ok(Collected::Lapsed { disclosure: kept.event })
            }
            Err(EnquiryError::Question(fault)) => Ok(Collected::Unfit(fault)),
            Err(EnquiryError::KeyReused) => Err(AppError::Internal("two questions of a screening have one key")),
            Err(EnquiryError::EmergencyUnreviewed { .. }) => {
                Err(AppError::Internal("a screening's question is no emergency"))
            }
            Err(EnquiryError::App(error)) => Err(error),
        }
    }

    async fn give_again(&self, caller: &AgencyCaller, key: &str, event: EventId) -> Result<Collected, AppError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        let kept = self.store().reply(&caller.client, &self.reply_tag(caller, key), view.now).await?;
        let Some(kept) = kept else { return Ok(Collected::Lapsed { disclosure: event }) };
        match self.replay(&kept, &kept.request_hash, view, &policies).await {
            Ok(receipted) => Ok(Collected::Answered(Box::new(receipted))),
            Err(EnquiryError::App(error)) => Err(error),
            Err(_) => Ok(Collected::Lapsed { disclosure: event }),
        }
    }

    async fn receipt_of(&self, event: EventId) -> Result<String, AppError> {
        let entry = self.store().sealed_entry(event, "answer").await?;
        let entry = entry.ok_or(AppError::Store(StoreError::Corrupt("a refusal without its entry")))?;
        self.receipt(event, entry.leaf_hash, entry.at)
    }

    async fn screening_of(&self, caller: &AgencyCaller, id: ScreeningId) -> Result<Option<Screening>, StoreError> {
        let (screening, now) = tokio::try_join!(self.store().screening(id), self.store().now())?;
        let is_own = |screening: &Screening| {
            screening.agency == caller.agency && screening.client == caller.client && now < screening.expires_at
        };
        Ok(screening.filter(is_own))
    }
}

impl Collected {
    fn decided(&self) -> Option<(RowOutcome, EventId)> {
        match self {
            Self::Answered(receipted) => Some((RowOutcome::Answered, receipted.disclosure)),
            Self::Lapsed { disclosure } => Some((RowOutcome::Answered, *disclosure)),
            Self::Refused { disclosure, .. } => Some((RowOutcome::Refused, *disclosure)),
            Self::Ceiling { disclosure, .. } => Some((RowOutcome::Ceiling, *disclosure)),
            Self::Unfit(_) => None,
        }
    }
}

impl OpenScreening {
    /// Takes one line: a question, or the end line.
    ///
    /// # Errors
    ///
    /// [`ScreeningError`]: give the screening up with [`Self::abandon`]. Faults of rows are gathered
    /// and told by [`Self::finish`].
    pub async fn push(&mut self, line: &Bytes) -> Result<(), ScreeningError> {
        self.line += 1;
        self.digest.update(b"\n");
        self.digest.update(line);
        if self.end.is_some() {
            return Err(ScreeningError::Truncated); // something follows the end line
        }
        if let Ok(EndLine { end }) = serde_json::from_slice(line) {
            self.end = Some(end);
            return Ok(());
        }
        self.rows += 1;
        if self.rows > MOST_QUESTIONS {
            return Err(ScreeningError::TooMany);
        }
        match self.check(line)? {
            Some(fault) => self.faults.push(fault),
            None => self.seal(line),
        }
        if self.sealed.len() >= PAGE { self.store_rows().await } else { Ok(()) }
    }

    /// What is wrong with a row, if something is.
    fn check(&self, line: &[u8]) -> Result<Option<RowFault>, ScreeningError> {
        let fault = |code, meaning| Some(RowFault { row: self.line, code, meaning });
        let Ok(row) = serde_json::from_slice::<ScreeningQuestion>(line) else {
            return Ok(fault("row.malformed", "not a question: case, user and tokens, each well-formed"));
        };
        match self.gateway.check_question(&self.asker, &self.head.question(row), &self.policies, self.takes_legacy) {
            Ok(()) => Ok(None),
            Err(QuestionFault::NoTokens) => Ok(fault("token.none", "the question carries no token")),
            Err(QuestionFault::TooManyTokens) => Ok(fault("token.too_many", "more tokens than one person has")),
            Err(fault @ QuestionFault::LegacyToken) => Ok(Some(RowFault {
                row: self.line,
                code: fault.code(),
                meaning: "the agreement takes no old hash values",
            })),
            Err(QuestionFault::TokenType) => Ok(fault("token.type", "a token of a type or epoch not in the head")),
            Err(of_the_head) => Err(of_the_head.into()),
        }
    }

    fn seal(&mut self, line: &[u8]) {
        if self.earlier.is_some() || !self.faults.is_empty() {
            return;
        }
        let number = (self.stored + self.sealed.len() + 1) as i64;
        let (gateway, place) = (&self.gateway, row_place(self.id, number));
        self.sealed.push(gateway.keys().fields.seal(gateway.random(), "screening_row", "question", &place, line));
    }

    async fn store_rows(&mut self) -> Result<(), ScreeningError> {
        let mut tx = self.gateway.store().begin().await?;
        if !tx.add_screening_rows(self.id, self.stored as i64 + 1, &self.sealed).await? {
            return Err(AppError::Interrupted.into()); // another connection sends it anew
        }
        tx.commit().await?;
        self.stored += self.sealed.len();
        self.sealed.clear();
        Ok(())
    }

    /// Takes the whole, or nothing of it. Gives its id, and whether it was received before.
    ///
    /// # Errors
    ///
    /// [`ScreeningError`]; nothing is kept then.
    pub async fn finish(mut self) -> Result<(ScreeningId, bool), ScreeningError> {
        match self.take().await {
            Ok(done) => Ok(done),
            Err(error) => {
                self.abandon().await?;
                Err(error)
            }
        }
    }

    async fn take(&mut self) -> Result<(ScreeningId, bool), ScreeningError> {
        if self.end != Some(self.rows) {
            return Err(ScreeningError::Truncated);
        }
        if !self.faults.is_empty() {
            self.faults.truncate(MOST_FAULTS);
            return Err(ScreeningError::Rows(std::mem::take(&mut self.faults)));
        }
        if self.rows == 0 {
            return Err(ScreeningError::Empty);
        }
        // Keyed: a stolen database is no help to somebody who wants to test which persons were asked about.
        let digest = self.digest.clone().finalize();
        let digest = self.gateway.keys().tagger.reply(&self.client, "screening", &digest);
        if let Some(earlier) = &self.earlier {
            let is_same = earlier.digest == Some(digest);
            return if is_same { Ok((earlier.id, true)) } else { Err(ScreeningError::KeyReused) };
        }
        if !self.sealed.is_empty() {
            self.store_rows().await?;
        }
        let mut tx = self.gateway.store().begin().await?;
        if !tx.open_screening(self.id, &digest, self.rows as i64).await? {
            return Err(AppError::Interrupted.into());
        }
        tx.commit().await?;
        metrics::counter!("porth_screenings").increment(1);
        Ok((self.id, false))
    }

    /// Forgets what arrived.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database; it is then forgotten when its time is over.
    pub async fn abandon(&self) -> Result<(), AppError> {
        if self.earlier.is_some() {
            return Ok(());
        }
        let mut tx = self.gateway.store().begin().await?;
        tx.drop_screening(self.id).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The idempotency key of a row; callers cannot send a colon, so it is never one of theirs.
fn row_key(id: ScreeningId, number: i64) -> String {
    format!("screening:{id}:{number}")
}

/// Where a sealed question belongs.
pub(super) fn row_place(id: ScreeningId, number: i64) -> Vec<u8> {
    [id.as_bytes().as_slice(), &number.to_be_bytes()].concat()
}
