//! Taking in a submission: rows are checked, blinded and sealed, and staged in small transactions
//! that nobody sees. The result depends on the submission's own rows alone.

mod fault;
mod landing;
mod progress;
mod resume;
mod retire;
mod sealing;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

pub use self::fault::FileFault;
pub use self::progress::{LineDigest, file_line};
pub use self::resume::{Continuation, HeldUpload};
pub(super) use self::retire::PLACE as RETIRED;
use self::sealing::Sealing;
pub(super) use self::sealing::place as profile_place;
use super::caller::AgencyCaller;
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::Policies;
use crate::crypto::random::uuid_v7;
use crate::domain::columns::Columns;
use crate::domain::epoch::EpochState;
use crate::domain::ids::{OpaqueRef, SubmissionId, TokenType};
use crate::domain::item::Item;
use crate::domain::submission::{
    DUPLICATE_REF, Header, Line, NOT_JSON, PROFILE, RETRACT_UNKNOWN, RecordLine, RowFault, RowRules, RowsMode, SCHEME,
    SubmissionMode, TokensByEpoch, parse_line,
};
use crate::domain::time::Timestamp;
use crate::domain::token::Blinded;
use crate::store::{NewRecord, NewSubmission, RowError, StoredToken, Tx};

/// Rows that are staged in one transaction.
const CHUNK: usize = 500;
/// Record ids that are taken in one transaction; what a file leaves over stays unused.
const IDS: i64 = 20 * CHUNK as i64;
/// Row errors that are kept; beyond, they are only counted.
const MOST_ROW_ERRORS: i64 = 10_000;

/// What a whole submission came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its id; of the earlier one when these bytes were submitted before.
    pub id: SubmissionId,
    /// The same bytes were submitted before: nothing was stored again.
    pub is_repeat: bool,
}

/// A submission whose rows are arriving.
pub struct OpenSubmission {
    gateway: Gateway,
    policies: Arc<Policies>,
    header: Arc<Header>,
    /// Whether the agreement takes tokens made of old hash values from this agency.
    takes_legacy: bool,
    format: Format,
    id: SubmissionId,
    /// Which system sends it.
    client: String,
    digest: LineDigest,
    /// Lines that nobody has looked at yet, with their numbers.
    lines: Vec<(i64, Bytes)>,
    /// The last of them, with the digest and the bytes up to there.
    reached: (i64, LineDigest, i64),
    /// How many bytes came, line ends included.
    bytes: i64,
    /// Which connection of the upload this is, when the upload can be resumed.
    attempt: Option<i64>,
    /// Rows could not be stored: none after them may be, or the file would have a hole.
    has_gap: bool,
    /// Rows that are being checked, blinded and sealed while the ones before them are stored.
    preparing: Option<Preparing>,
    /// Record ids that nobody has yet.
    ids: std::ops::Range<i64>,
    next_line: i64,
    end: Option<i64>,
    read: i64,
    accepted: i64,
    rejected: i64,
    errors_kept: i64,
    /// What a delta applies to; none of a snapshot.
    base: Option<Base>,
}

/// How rows are written.
#[derive(Clone)]
enum Format {
    Json,
    /// Once the row of column names has come, what it says, and the row itself.
    Csv(Option<(Arc<Columns>, Bytes)>),
}

/// What a feed shows when a delta begins.
struct Base {
    generation: i64,
    /// A snapshot, then the deltas upon it.
    submissions: Vec<SubmissionId>,
    /// References that earlier lines of the delta named: a record and a retraction exclude one another.
    named: HashSet<OpaqueRef>,
}

/// The last line of a file: how many records came before it. Without it, a file that was cut off
/// between two rows would read as a smaller, complete one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    end: i64,
}

impl Gateway {
    /// Begins a submission from its header line.
    ///
    /// # Errors
    ///
    /// [`AppError::File`] when the header is refused; nothing is stored then.
    pub async fn begin_submission(&self, caller: &AgencyCaller, header: &[u8]) -> Result<OpenSubmission, AppError> {
        let policies = self.current_policies().await?;
        self.check_blinding(&policies)?;
        let now = self.store().now().await?;
        let parsed: Header = serde_json::from_slice(header).map_err(|_| FileFault::Header)?;
        let base = self.check_header(caller, &parsed, &policies, now).await?;

        let id = SubmissionId::new(uuid_v7(now, self.random()));
        let mut tx = self.store().begin().await?;
        tx.insert_submission(&NewSubmission {
            id,
            programme: parsed.programme.clone(),
            agency: parsed.agency.clone(),
            feed: parsed.feed.clone(),
            agreement: parsed.agreement.clone(),
            mode: parsed.mode.as_str(),
            rows_mode: parsed.rows.as_str(),
            as_at: Timestamp::start_of(parsed.as_at),
            received_at: now,
            base: base.as_ref().and_then(|base| base.submissions.last().copied()),
        })
        .await?;
        tx.commit().await?;
        let digest = LineDigest::of_header(header);
        Ok(OpenSubmission {
            gateway: self.clone(),
            takes_legacy: policies.takes_legacy_tokens(&parsed.agency, &parsed.agreement, now),
            policies,
            header: Arc::new(parsed),
            format: Format::Json,
            id,
            client: caller.client.clone(),
            digest,
            lines: Vec::with_capacity(CHUNK),
            reached: (1, digest, header.len() as i64 + 1),
            bytes: header.len() as i64 + 1,
            attempt: None,
            has_gap: false,
            preparing: None,
            ids: 0..0,
            next_line: 2,
            end: None,
            read: 0,
            accepted: 0,
            rejected: 0,
            errors_kept: 0,
            base,
        })
    }

    async fn check_header(
        &self,
        caller: &AgencyCaller,
        header: &Header,
        policies: &Policies,
        now: Timestamp,
    ) -> Result<Option<Base>, AppError> {
        let today = now.date();
        if &header.programme != self.programme() {
            return Err(FileFault::Programme.into());
        }
        if header.agency != caller.agency {
            return Err(FileFault::Agency.into());
        }
        let feed = policies.programme().feed(&header.agency, &header.feed);
        if !feed.is_some_and(|feed| feed.is_effective(today)) {
            return Err(FileFault::Feed.into());
        }
        if !policies.may_supply(&header.agency, &header.agreement, now) {
            return Err(FileFault::Agreement.into());
        }
        if policies.is_suspended(&header.agency, &header.feed) {
            return Err(FileFault::Suspended.into());
        }
        if header.scheme != SCHEME
            || header.norm != policies.norm()
            || !(1..=2).contains(&header.epochs.len())
            || header.epochs.iter().any(|epoch| epoch.key_checks.is_empty())
        {
            return Err(FileFault::Scheme.into());
        }
        if header.match_keys != policies.match_keys_sha256_hex() {
            return Err(FileFault::MatchKeys.into());
        }
        check_epochs(header, policies)?;
        for epoch in &header.epochs {
            for (token_type, check) in &epoch.key_checks {
                match policies.key_check(epoch.epoch, token_type) {
                    None => return Err(FileFault::UnknownKey.into()),
                    Some(registered) if registered != check.as_str() => return Err(FileFault::WrongKey.into()),
                    Some(_) => {}
                }
            }
        }
        // Whoever sends tokens of a type has its key: the agreements say whose keys an agency may have.
        // Tokens of old hash values have a rule of their own, row by row.
        let granted = policies.granted_types(&header.agency);
        let may_send = |it: &TokenType| granted.contains(it) || policies.match_keys().is_legacy(it);
        if header.epochs.iter().flat_map(|epoch| epoch.key_checks.keys()).any(|it| !may_send(it)) {
            return Err(FileFault::NotGranted.into());
        }
        if !self.has_checked_tokens(caller, header, policies, now).await? {
            return Err(FileFault::UncheckedTokens.into());
        }
        if header.as_at > today {
            return Err(FileFault::Future.into());
        }
        self.check_base(header).await
    }

    /// Whether the feed shows something older than the file; for a delta, what it applies to.
    async fn check_base(&self, header: &Header) -> Result<Option<Base>, AppError> {
        let Header { programme, agency, feed, .. } = header;
        let current = self.store().visible_submissions(programme, agency, feed).await?;
        if current.last().is_some_and(|current| current.as_at > Timestamp::start_of(header.as_at)) {
            return Err(FileFault::Older.into());
        }
        if header.mode == SubmissionMode::Snapshot {
            return Ok(None);
        }
        if self.store().is_feed_under_way(programme, agency, feed).await? {
            return Err(FileFault::FeedBusy.into());
        }
        // A feed that changed since its submissions were read is noticed when the delta is made visible.
        let view = self.store().view(programme).await?;
        let (Some(view), Some(newest)) = (view, current.last()) else {
            return Err(FileFault::NoSnapshot.into());
        };
        if newest.agreement != header.agreement {
            return Err(FileFault::OtherAgreement.into());
        }
        let submissions = current.iter().map(|submission| submission.id).collect();
        Ok(Some(Base { generation: view.generation, submissions, named: HashSet::new() }))
    }
}

/// The epochs of a header are active, or nobody knows them: key checks say so then.
fn check_epochs(header: &Header, policies: &Policies) -> Result<(), FileFault> {
    match header.epochs.iter().filter_map(|epoch| policies.epoch(epoch.epoch)).max() {
        Some(EpochState::Frozen) => Err(FileFault::FrozenKey),
        Some(EpochState::Retired) => Err(FileFault::RetiredKey),
        Some(EpochState::Active) | None => Ok(()),
    }
}

impl OpenSubmission {
    /// The submission's id.
    pub fn id(&self) -> SubmissionId {
        self.id
    }

    /// How many rows and bytes of the file came so far; of an upload that went on, in every connection.
    pub fn taken(&self) -> (u64, u64) {
        (self.read.unsigned_abs(), self.bytes.unsigned_abs())
    }

    /// Says that the rows are CSV: a row of column names comes first, and the end line begins with `#`.
    #[must_use]
    pub fn as_csv(mut self) -> Self {
        self.format = Format::Csv(None);
        self
    }

    /// Says which line of the file comes next, where empty lines were left out.
    pub fn at_line(&mut self, number: u64) {
        self.next_line = i64::try_from(number).unwrap_or(i64::MAX);
    }

    /// Takes one line of the file.
    ///
    /// # Errors
    ///
    /// [`AppError`] when rows could not be staged: give the submission up with [`Self::abandon`].
    pub async fn push(&mut self, line: Bytes) -> Result<(), AppError> {
        self.digest.add(&line);
        self.bytes += line.len() as i64 + 1;
        let number = self.next_line;
        self.next_line += 1;
        if let Some(end) = self.end {
            // Something after the end line: the count can no longer be right.
            self.end = Some(if line.is_empty() { end } else { -1 });
            return Ok(());
        }
        let end_line = match &self.format {
            Format::Json => Some(&line[..]),
            Format::Csv(_) => line.strip_prefix(b"#"),
        };
        if let Some(Ok(EndLine { end })) = end_line.map(serde_json::from_slice) {
            self.end = Some(end);
            return Ok(());
        }
        if let Format::Csv(columns @ None) = &mut self.format {
            let refused = |_| AppError::RefusedFile { id: self.id, fault: FileFault::Columns };
            *columns = Some((Arc::new(Columns::parse(&line).map_err(refused)?), line));
            return Ok(());
        }
        self.reached = (number, self.digest, self.bytes);
        self.lines.push((number, line));
        if self.lines.len() >= CHUNK { self.advance().await } else { Ok(()) }
    }

    /// Gives the submission up: nothing of it is ever seen.
    ///
    /// # Errors
    ///
    /// [`AppError`] when that could not be noted; a later clean-up does it then.
    pub async fn abandon(self, code: &'static str) -> Result<(), AppError> {
        self.fail(code).await
    }

    async fn fail(&self, code: &'static str) -> Result<(), AppError> {
        let mut tx = self.gateway.store().begin().await?;
        if let Some(attempt) = self.attempt
            && !tx.lock_upload(self.id, attempt).await?
        {
            return Ok(()); // another connection goes on with it
        }
        tx.note_progress(self.id, (self.read, self.accepted, self.rejected)).await?;
        let now = tx.now().await?;
        tx.mark_failed(self.id, code, now).await?;
        tx.commit().await?;
        tracing::info!(submission.id = %self.id, code, "a submission was refused");
        Ok(())
    }

    /// Sends the lines at hand to be prepared, and stages those that were sent before.
    async fn advance(&mut self) -> Result<(), AppError> {
        let lines = std::mem::take(&mut self.lines);
        let (count, reached) = (lines.len() as i64, self.reached);
        if self.ids.end - self.ids.start < count {
            let mut tx = self.gateway.store().begin().await?;
            let first = tx.take_record_ids(IDS).await?;
            tx.commit().await?;
            self.ids = first..first + IDS;
        }
        let first = self.ids.start;
        self.ids.start += count;
        let gateway = self.gateway.clone();
        let policies = Arc::clone(&self.policies);
        let header = Arc::clone(&self.header);
        let takes_legacy = self.takes_legacy;
        let columns = match &self.format {
            Format::Csv(Some((columns, _))) => Some(Arc::clone(columns)),
            Format::Csv(None) | Format::Json => None,
        };
        // Hashing and sealing thousands of rows would hold up every answer on this thread.
        let task = tokio::task::spawn_blocking(move || {
            prepare(&gateway, &policies, &header, takes_legacy, columns.as_deref(), &lines, first)
        });
        let staged = self.stage().await;
        self.preparing = Some(Preparing { task, count, reached });
        staged
    }

    /// Stages the lines that were sent to be prepared.
    async fn stage(&mut self) -> Result<(), AppError> {
        let Some(Preparing { task, count, reached }) = self.preparing.take() else {
            return Ok(());
        };
        if std::mem::replace(&mut self.has_gap, true) {
            return Err(AppError::Interrupted);
        }
        let mut prepared = task.await.map_err(|_| AppError::Interrupted)?;
        if count == 0 {
            self.has_gap = false;
            return Ok(());
        }
        self.read += count;
        self.check_changes(&mut prepared).await?;
        let Prepared { records, numbers, retired, retractions, mut faults } = prepared;

        // Rows, what is wrong with others, and how far the file has come: one transaction, so that an
        // upload that breaks off goes on at the line after the last that is here.
        let mut tx = self.gateway.store().begin().await?;
        if let Some(attempt) = self.attempt
            && !tx.lock_upload(self.id, attempt).await?
        {
            return Err(AppError::Interrupted); // another connection goes on with it
        }
        // Once a row is bad, an all-or-nothing file can only fail: the rest is checked, not stored.
        let is_hopeless = self.header.rows == RowsMode::AllOrNothing && (self.rejected > 0 || !faults.is_empty());
        if !is_hopeless {
            if tx.blinding(&self.header.programme).await? != *self.policies.blinding() {
                return Err(AppError::KeysChanging); // these rows were blinded as no stored row is any more
            }
            let taken = tx.stage_records(self.id, &self.header.agency, &self.header.feed, &records).await?;
            self.stage_retired(&mut tx, &retired, &taken).await?;
            for (record, number) in records.iter().zip(&numbers) {
                if taken.binary_search(&record.id).is_err() {
                    faults.push((*number, vec![RowFault::new("ref", DUPLICATE_REF)]));
                }
            }
            let retractions: Vec<OpaqueRef> = retractions.into_iter().map(|(_, reference)| reference).collect();
            tx.add_retractions(self.id, &retractions).await?;
            self.accepted += (taken.len() + retractions.len()) as i64;
        }
        self.rejected += faults.len() as i64;
        self.keep_errors(&mut tx, &faults).await?;
        if !tx.note_progress(self.id, (self.read, self.accepted, self.rejected)).await? {
            return Err(AppError::Interrupted); // given up by the clean-up while rows were still arriving
        }
        if let Some(attempt) = self.attempt {
            let columns = match &self.format {
                Format::Csv(Some((_, row))) => Some(&row[..]),
                Format::Csv(None) | Format::Json => None,
            };
            let (line, digest, bytes) = reached;
            tx.note_upload(self.id, attempt, (line, digest.as_bytes(), bytes), columns).await?;
        }
        tx.commit().await?;
        self.has_gap = false;
        Ok(())
    }

    /// Sorts out the rows of a delta that name a reference which an earlier row named, and retractions
    /// of records that the feed does not show.
    async fn check_changes(&mut self, prepared: &mut Prepared) -> Result<(), AppError> {
        let Some(base) = &mut self.base else { return Ok(()) };
        let mut rows: Vec<(i64, &OpaqueRef)> =
            prepared.numbers.iter().copied().zip(prepared.records.iter().map(|record| &record.reference)).collect();
        rows.extend(prepared.retractions.iter().map(|(number, reference)| (*number, reference)));
        rows.sort_unstable_by_key(|(number, _)| *number); // the earlier line stands
        let named = &mut base.named;
        let repeated: HashSet<i64> = rows
            .iter()
            .filter(|(_, reference)| !named.insert((*reference).clone()))
            .map(|(number, _)| *number)
            .collect();
        let asked: Vec<OpaqueRef> = prepared.retractions.iter().map(|(_, reference)| reference.clone()).collect();
        let mut shown: HashSet<OpaqueRef> = HashSet::new();
        if !asked.is_empty() {
            for submission in &base.submissions {
                let found = self.gateway.store().shown_by_reference(base.generation, *submission, &asked).await?;
                shown.extend(found.into_iter().map(|(_, reference)| reference));
            }
        }
        let mut faults = Vec::new();
        prepared.retractions.retain(|(number, reference)| {
            let code = if repeated.contains(number) {
                DUPLICATE_REF
            } else if shown.contains(reference) {
                return true;
            } else {
                RETRACT_UNKNOWN
            };
            faults.push((*number, vec![RowFault::new("ref", code)]));
            false
        });
        let mut keeps = prepared.numbers.iter().map(|number| !repeated.contains(number));
        prepared.records.retain(|_| keeps.next().unwrap_or(true));
        prepared.numbers.retain(|number| {
            let is_repeated = repeated.contains(number);
            if is_repeated {
                faults.push((*number, vec![RowFault::new("ref", DUPLICATE_REF)]));
            }
            !is_repeated
        });
        prepared.faults.append(&mut faults);
        Ok(())
    }

    async fn keep_errors(&mut self, tx: &mut Tx, faults: &[(i64, Vec<RowFault>)]) -> Result<(), AppError> {
        let room = usize::try_from(MOST_ROW_ERRORS - self.errors_kept).unwrap_or(0);
        let errors: Vec<RowError> = faults
            .iter()
            .flat_map(|(row, faults)| {
                faults.iter().map(|fault| RowError {
                    row: *row,
                    field: fault.field.clone(),
                    code: fault.code.to_owned(),
                })
            })
            .take(room)
            .collect();
        if !errors.is_empty() {
            self.errors_kept += errors.len() as i64;
            tx.add_row_errors(self.id, &errors).await?;
        }
        Ok(())
    }
}

/// Lines on their way to be rows.
struct Preparing {
    task: tokio::task::JoinHandle<Prepared>,
    count: i64,
    reached: (i64, LineDigest, i64),
}

/// Rows ready to be stored, and what was wrong with the others.
struct Prepared {
    records: Vec<NewRecord>,
    /// Line number of each record.
    numbers: Vec<i64>,
    /// Tokens that records retire, with the records' ids.
    retired: Vec<(i64, Blinded)>,
    /// References whose record goes, with their line numbers.
    retractions: Vec<(i64, OpaqueRef)>,
    faults: Vec<(i64, Vec<RowFault>)>,
}

fn prepare(
    gateway: &Gateway,
    policies: &Policies,
    header: &Header,
    takes_legacy: bool,
    columns: Option<&Columns>,
    lines: &[(i64, Bytes)],
    first: i64,
) -> Prepared {
    let feed = policies.programme().feed(&header.agency, &header.feed);
    let agency = policies.agency(&header.agency);
    let rules = RowRules {
        header,
        links: &|token_type| policies.is_person_type(token_type),
        is_refused_legacy: &|token_type| !takes_legacy && policies.match_keys().is_legacy(token_type),
        is_household: &|token_type| policies.is_household_type(token_type),
        is_field: &|token_type| policies.is_field_type(token_type),
        refuses_fields: Some(PROFILE),
        refuses_clk: Some(PROFILE),
        criterion: &|flag| {
            let criterion = &flag.criterion;
            let is_supplied = feed.is_some_and(|feed| feed.criteria.contains(criterion));
            let mut known = policies.programme().criteria().iter().filter(|known| known.code == *criterion);
            // That somebody is in work is confirmed, never judged.
            let takes_judgement = known.any(|known| known.equivalence);
            is_supplied.then_some(takes_judgement)
        },
        locality: &|locality| policies.programme().locality(locality).is_some(),
        term: &|term| {
            let supplies = feed.is_some_and(|feed| feed.items.contains(&Item::Attendance));
            let mut listed = policies.programme().terms().iter().filter(|listed| listed.code == term.as_str());
            listed.next().filter(|_| supplies).map(|listed| listed.ends)
        },
        team: &|team| agency.is_some_and(|agency| agency.team(team).is_some()),
    };
    let sealing = Sealing::of(gateway, policies, header);
    let rules = RowRules {
        refuses_fields: sealing.refuses(sealing.takes_fields),
        refuses_clk: sealing.refuses(sealing.takes_clk),
        ..rules
    };
    let mut prepared = Prepared {
        records: Vec::with_capacity(lines.len()),
        numbers: Vec::new(),
        retired: Vec::new(),
        retractions: Vec::new(),
        faults: Vec::new(),
    };
    for ((number, line), id) in lines.iter().zip(first..) {
        if line.is_empty() {
            prepared.faults.push((*number, vec![RowFault::new("", NOT_JSON)]));
            continue;
        }
        let parsed = match columns.map(|columns| columns.line(line)) {
            None => parse_line(line, &rules),
            Some(Ok(line)) => parse_line(&line, &rules),
            Some(Err(fault)) => Err(vec![fault]),
        };
        match parsed {
            Ok(Line::Record(row)) => {
                prepared.numbers.push(*number);
                let retired = policies.blind(gateway, &row.retired);
                prepared.retired.extend(retired.into_iter().map(|token| (id, token.blinded)));
                prepared.records.push(new_record(gateway, policies, &sealing, id, *row));
            }
            Ok(Line::Retract(reference)) => prepared.retractions.push((*number, reference)),
            Err(faults) => prepared.faults.push((*number, faults)),
        }
    }
    prepared
}

fn new_record(gateway: &Gateway, policies: &Policies, sealing: &Sealing, id: i64, mut row: RecordLine) -> NewRecord {
    let profile = sealing.seal(gateway, policies, id, &mut row);
    let reference: OpaqueRef = row.reference.clone();
    let restricted = row.restricted;
    let tokens = policies.blind(gateway, &row.tokens);
    let households = policies.blind(gateway, &row.household);
    // Whoever is restricted takes part in no match run.
    let home_tokens = (!restricted).then(|| gateway.seal_home_tokens(id, &row.household));
    let evidence = gateway.seal_evidence(id, &row.into_evidence());
    NewRecord { id, reference, restricted, tokens, households, evidence, home_tokens, profile }
}

impl Policies {
    /// Blinds tokens for storing and looking up; types that the programme does not have are left out.
    pub(super) fn blind(&self, gateway: &Gateway, tokens: &TokensByEpoch) -> Vec<StoredToken> {
        let mut blinded = Vec::new();
        for (epoch, types) in tokens {
            let keys = gateway.blind_types(*epoch, self);
            for (token_type, values) in types {
                let (Some(kind), Some(key)) = (self.kind(token_type), keys.get(token_type)) else { continue };
                blinded.extend(values.iter().map(|token| StoredToken {
                    kind,
                    epoch: *epoch,
                    blinded: key.blind(token),
                }));
            }
        }
        blinded.sort_unstable();
        blinded.dedup();
        blinded
    }
}
