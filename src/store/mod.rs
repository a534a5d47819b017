//! The database: SQLite for pilots, PostgreSQL for production; the only place that names `sqlx`.
//!
//! Every statement is one text that both engines take: parameters `$1`, whole numbers, text and
//! bytes only. What must differ lives in `dialect`. Each file below is about one noun.

mod activations;
mod alerts;
mod bulk;
mod claims;
mod console;
mod cosignatures;
mod dialect;
mod documents;
mod emergencies;
mod error;
mod families;
mod incidents;
mod keys;
mod legal_holds;
mod links;
mod log;
mod log_index;
mod match_runs;
mod migrate;
mod notices;
mod numbered;
mod pairs;
mod partners;
mod possible_matches;
mod postgres_pool;
mod profiles;
mod programme;
mod recalls;
mod records;
mod reidentification;
mod relay;
mod retired_tokens;
mod reviews;
mod screenings;
mod shields;
mod snapshot;
mod standing;
mod statements;
mod statistics;
mod subject_cases;
mod subject_entries;
mod submissions;
mod token_checks;
mod uploads;
mod value;
mod weighings;
mod work;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::Postgres;
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

pub use activations::ActivationRequest;
pub use alerts::{AskedBefore, StoredAlert};
pub use claims::{Engagement, StoredReferral};
pub use console::{SignIn, StoredSession};
pub use cosignatures::{NewCosignature, StoredCosignature};
pub use dialect::Engine;
pub use documents::{StoredAgreement, StoredDocument, StoredSignature};
pub use emergencies::StoredEmergency;
pub use error::StoreError;
pub use families::{FamilyRequest, StoredContact, StoredFamily, StoredFamilyEvent};
pub use incidents::{StoredIncident, StoredProposal};
pub use keys::{Blinding, StoredEpoch, StoredTokens};
pub use legal_holds::StoredHold;
pub use links::{Claim, Holder, Link, Member, Turnover};
pub use log::{CeilingKey, KeptReply, NewEvent, PendingEvent, SealedEntry, StoredHead, StoredReply};
pub use log_index::{FacetRow, FoundEntry, HISTORY_TYPES, LogQuery};
pub use match_runs::{NewRun, NewValidation, RunState, SealedPage, StoredRun, StoredRunRecord, UnvalidatedRecord};
pub use migrate::SCHEMA_VERSION;
pub use notices::StoredNotice;
pub use pairs::{PairChange, PairSide, StoredPair};
pub use partners::{ClientKey, Standing};
pub use possible_matches::{MatchAnswer, MatchState, NewMatch, ShownRecord, StoredMatch};
pub use profiles::WeighableRecord;
pub use programme::{RegisteredKeyCheck, TokenKind, View};
pub use recalls::{FindingKind, NewFinding, RecallCounts, RecallState, StoredRecall, TELLING_TYPES};
pub use records::{Joined, LinkableRecord, NewRecord, Reach, StoredToken, VisibleRecord};
pub use reidentification::{NewReid, ReidKey, ReidKeyKind, StoredReid};
pub use relay::{NewGrant, StoredGrant, WaitingGrant};
pub use retired_tokens::RetiredToken;
pub use reviews::{
    NewReviewReply, ReviewsWanted, SampledReview, StoredOfficer, StoredPlan, StoredReview, StoredReviewReply,
};
pub use screenings::{NewScreening, RowOutcome, Screening, ScreeningRow};
pub use shields::OwnShield;
pub use snapshot::{Cell, ColumnType, Table};
pub use statistics::{CountedRecord, NewRelease, SealedMembers, StandingFigure, StoredRelease};
pub use subject_cases::{
    NewComplaint, NewPart, PersonRecord, RecordMark, SealedPart, StoredCase, StoredComplaint, StoredPart,
};
pub use subject_entries::{OpenedEntry, RecordEntry, RecordUse};
pub use submissions::{FeedState, NewSubmission, RowError, Submission, SubmissionState};
pub use token_checks::TestToken;
pub use uploads::{NewUpload, Upload};
pub use weighings::WeightsInForce;
pub use work::DatabaseWork;

use crate::domain::time::Timestamp;
use postgres_pool::PostgresPool;
use value::{Row, Value, bind_postgres, bind_sqlite};

/// Plain statements by file, for the test that prepares every one.
const FILES: &[(&str, &[(&str, &str)])] = &[
    ("alerts", alerts::STATEMENTS),
    ("claims", claims::STATEMENTS),
    ("console", console::STATEMENTS),
    ("cosignatures", cosignatures::STATEMENTS),
    ("documents", documents::STATEMENTS),
    ("emergencies", emergencies::STATEMENTS),
    ("families", families::STATEMENTS),
    ("incidents", incidents::STATEMENTS),
    ("keys", keys::STATEMENTS),
    ("links", links::STATEMENTS),
    ("log", log::STATEMENTS),
    ("log index", log_index::STATEMENTS),
    ("match runs", match_runs::STATEMENTS),
    ("numbered families", numbered::STATEMENTS),
    ("notices", notices::STATEMENTS),
    ("pairs", pairs::STATEMENTS),
    ("partners", partners::STATEMENTS),
    ("possible matches", possible_matches::STATEMENTS),
    ("programme", programme::STATEMENTS),
    ("profiles", profiles::STATEMENTS),
    ("recalls", recalls::STATEMENTS),
    ("records", records::STATEMENTS),
    ("reviews", reviews::STATEMENTS),
    ("re-identification", reidentification::STATEMENTS),
    ("screenings", screenings::STATEMENTS),
    ("relay", relay::STATEMENTS),
    ("shields", shields::STATEMENTS),
    ("standing", standing::STATEMENTS),
    ("statistics", statistics::STATEMENTS),
    ("subject cases", subject_cases::STATEMENTS),
    ("subject entries", subject_entries::STATEMENTS),
    ("legal holds", legal_holds::STATEMENTS),
    ("submissions", submissions::STATEMENTS),
    ("retired tokens", retired_tokens::STATEMENTS),
    ("token checks", token_checks::STATEMENTS),
    ("uploads", uploads::STATEMENTS),
    ("weighings", weighings::STATEMENTS),
    ("activations", activations::STATEMENTS),
];

/// Statements with a list, likewise.
const LISTS: &[(&str, &statements::ListStatement)] = &[
    ("records by token", &records::BY_TOKEN),
    ("records by household", &records::BY_HOUSEHOLD),
    ("records joined by token", &records::JOINED_BY_TOKEN),
    ("records joined by household", &records::JOINED_BY_HOUSEHOLD),
    ("hidden records", &records::HIDDEN),
    ("drop tokens", &records::DROP_TOKENS),
    ("drop households", &records::DROP_HOUSEHOLDS),
    ("drop profiles", &profiles::DROP_PROFILES),
    ("drop records", &records::DROP_RECORDS),
    ("drop links", &records::DROP_LINKS),
    ("end links", &links::END_LINKS),
    ("token holders", &links::HOLDERS),
    ("members", &links::MEMBERS),
    ("shown by reference", &records::SHOWN_BY_REFERENCE),
    ("components of", &links::COMPONENTS_OF),
    ("records by id", &links::BY_ID),
    ("shielded now", &links::SHIELDED_NOW),
    ("shielded predecessor", &links::SHIELDED_PREDECESSOR),
    ("drop tokens between", &keys::DROP_TOKENS_BETWEEN),
    ("drop households between", &keys::DROP_HOUSEHOLDS_BETWEEN),
    ("drop pending", &log::DROP_PENDING),
    ("drop openings", &subject_entries::DROP_OPENINGS),
    ("drop record uses", &subject_entries::DROP_RECORD_USES),
    ("drop subject tags", &subject_entries::DROP_SUBJECT_TAGS),
    ("drop kept replies", &subject_entries::DROP_REPLIES),
    ("drop votes of erased requests", &reidentification::DROP_REID_VOTES),
    ("drop erased requests", &reidentification::DROP_REIDS),
    ("entries of records", &subject_entries::BY_TAG),
    ("opened events", &subject_entries::STILL_OPENED),
    ("notices of answers", &subject_entries::NOTICES_OF),
    ("pairs by first", &pairs::IN_FORCE_BY_FIRST),
    ("pairs by second", &pairs::IN_FORCE_BY_SECOND),
    ("shown records", &possible_matches::SHOWN),
    ("records by reference", &families::BY_REFERENCE),
    ("families of", &families::FAMILIES_OF),
    ("tags of events", &alerts::TAGS_OF),
];

/// Bulk inserts, likewise.
const BULKS: &[(&str, &bulk::BulkInsert)] = &[
    ("row errors", &submissions::ADD_ROW_ERRORS),
    ("records", &records::ADD_RECORDS),
    ("tokens", &records::ADD_TOKENS),
    ("households", &records::ADD_HOUSEHOLDS),
    ("profiles", &profiles::ADD_PROFILES),
    ("retired tokens", &retired_tokens::STAGE),
    ("links", &links::ADD_LINKS),
    ("departed", &links::ADD_DEPARTED),
    ("retractions", &submissions::ADD_RETRACTIONS),
    ("events", &log::ADD_EVENTS),
    ("screening rows", &screenings::ADD_ROWS),
    ("statistics figures", &statistics::ADD_FIGURES),
    ("pending", &log::ADD_PENDING),
    ("openings", &log::ADD_OPENINGS),
    ("tags", &log::ADD_TAGS),
    ("record uses", &subject_entries::ADD_RECORD_USES),
    ("replies", &log::ADD_REPLIES),
    ("leaves", &log::ADD_LEAVES),
    ("tiles", &log::PUT_TILES),
    ("weighed records", &weighings::PUT_RECORDS),
    ("weighed pairs", &weighings::ADD_PAIRS),
    ("facets", &log_index::ADD_FACETS),
    ("reviews", &reviews::ADD_REVIEWS),
    ("review sample", &reviews::ADD_SAMPLE),
];

/// Prepared statements that a connection keeps: more than there are texts.
const STATEMENTS: usize = 512;
/// How long a statement waits for its turn, or a caller for a connection.
const PATIENCE: Duration = Duration::from_secs(30);
const USUAL_PATIENCE: &str = "PRAGMA busy_timeout = 30000";
const LITTLE_PATIENCE: &str = "PRAGMA busy_timeout = 1000";
const EMPTY_WAL: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
/// Page cache of each SQLite connection, in KiB (hence the sign): it is forgotten at every commit of
/// another connection anyway, and it is what a long submission keeps in memory.
const CACHE: &str = "-16384";
/// Bytes of a page of an SQLite file.
const PAGE_BYTES: u32 = 8192;

/// Where the data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// An SQLite file on this machine.
    Sqlite(PathBuf),
    /// A PostgreSQL connection string, `postgres://…`.
    Postgres(String),
}

/// The database, with its connections.
#[derive(Clone)]
pub struct Store {
    pools: Pools,
}

#[derive(Clone)]
enum Pools {
    /// SQLite has one writer at a time: one connection writes, others read the last commit.
    Sqlite {
        writer: SqlitePool,
        reader: SqlitePool,
    },
    Postgres(PostgresPool),
}

/// A transaction. Dropped without [`Tx::commit`] it changes nothing.
pub struct Tx {
    inner: TxInner,
}

enum TxInner {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Store {
    /// Opens the database without touching its schema.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be reached.
    pub async fn connect(location: &Location, connections: u32) -> Result<Self, StoreError> {
        match location {
            Location::Sqlite(path) => Self::connect_sqlite(path, connections, None).await,
            Location::Postgres(url) => {
                Ok(Self { pools: Pools::Postgres(PostgresPool::connect(url, connections).await?) })
            }
        }
    }

    /// Opens an SQLite file that may not grow over a size: a file system that others share is not
    /// filled up, and what no longer fits is refused cleanly.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be opened.
    pub async fn connect_sqlite(
        path: &Path,
        connections: u32,
        most_mebibytes: Option<u32>,
    ) -> Result<Self, StoreError> {
        let mut options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit that was acknowledged survives power loss.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .page_size(PAGE_BYTES)
            // What is deleted is overwritten: an opening that was erased must not be found in the file.
            .pragma("secure_delete", "ON")
            .pragma("cache_size", CACHE)
            .pragma("temp_store", "MEMORY")
            .statement_cache_capacity(STATEMENTS)
            .busy_timeout(PATIENCE);
        if let Some(mebibytes) = most_mebibytes {
            let pages = u64::from(mebibytes) * 1024 * 1024 / u64::from(PAGE_BYTES);
            options = options.pragma("max_page_count", pages.to_string());
        }
        let pool = |most: u32| {
            let pool = SqlitePoolOptions::new().max_connections(most).idle_timeout(None).max_lifetime(None);
            pool.acquire_timeout(PATIENCE).test_before_acquire(false) // a file does not go away
        };
        let writer = pool(1).connect_with(options.clone()).await?;
        let reader = pool(connections.max(2)).connect_with(options).await?;
        Ok(Self { pools: Pools::Sqlite { writer, reader } })
    }

    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        match self.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres(_) => Engine::Postgres,
        }
    }

    /// Begins a transaction that may write.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when no connection can be had.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let inner = match &self.pools {
            // IMMEDIATE takes the write lock now, so that two processes wait instead of failing late.
            Pools::Sqlite { writer, .. } => TxInner::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Pools::Postgres(postgres) => TxInner::Postgres(postgres.begin().await?),
        };
        Ok(Tx { inner })
    }

    /// The database's clock: the authority for every decision.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database does not answer.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let rows = self.fetch_all(self.engine().now_statement(), &[]).await?;
        let row = rows.first().ok_or(StoreError::Corrupt("no answer from the clock"))?;
        Ok(Timestamp::from_micros(row.int(0)?))
    }

    /// Brings the planner's statistics up to date after many rows came or went.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; answers stay right, only slower.
    pub async fn refresh_statistics(&self) -> Result<(), StoreError> {
        for sql in self.engine().statistics_statements() {
            match &self.pools {
                Pools::Sqlite { writer, .. } => sqlx::raw_sql(*sql).execute(writer).await.map(drop)?,
                Pools::Postgres(postgres) => sqlx::raw_sql(*sql).execute(postgres.pool()).await.map(drop)?,
            }
        }
        Ok(())
    }

    /// Empties SQLite's write-ahead log into the file, so that what was erased is in neither. False when a
    /// reader was in the way all the time; PostgreSQL has no such step.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database does not answer.
    pub async fn empty_write_ahead_log(&self) -> Result<bool, StoreError> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                // Whoever waits here keeps every commit waiting: less patience than usual.
                let mut connection = writer.acquire().await?;
                sqlx::raw_sql(LITTLE_PATIENCE).execute(&mut *connection).await?;
                let busy = sqlx::query_scalar::<_, i64>(EMPTY_WAL).fetch_one(&mut *connection).await;
                sqlx::raw_sql(USUAL_PATIENCE).execute(&mut *connection).await?;
                Ok(busy? == 0)
            }
            Pools::Postgres(_) => Ok(true),
        }
    }

    /// Closes every connection once its work is done.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Pools::Postgres(postgres) => postgres.pool().close().await,
        }
    }

    /// Prepares every statement that the store uses, without running any; says which the engine refuses.
    ///
    /// # Errors
    ///
    /// The names of the statements that this engine does not take.
    pub async fn prepare_every_statement(&self) -> Result<usize, Vec<String>> {
        use sqlx::{Executor as _, SqlSafeStr as _};
        let mut refused = Vec::new();
        let mut statements = statements::all(self.engine());
        let own = self.engine().statements().into_iter();
        statements.extend(own.map(|(name, sql)| ("dialect", name.to_owned(), sql)));
        for (file, name, sql) in &statements {
            let sql = sql.into_sql_str();
            let result = match &self.pools {
                Pools::Sqlite { reader, .. } => reader.prepare(sql).await.map(drop),
                Pools::Postgres(postgres) => postgres.pool().prepare(sql).await.map(drop),
            };
            if let Err(error) = result {
                refused.push(format!("{file}::{name}: {error}"));
            }
        }
        if refused.is_empty() { Ok(statements.len()) } else { Err(refused) }
    }

    /// Reads; a statement that changes anything belongs in a [`Tx`].
    async fn fetch_all(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        work::note(values);
        Ok(match &self.pools {
            Pools::Sqlite { reader, .. } => {
                let rows = bind_sqlite(sqlx::query(sql), values).fetch_all(reader).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Pools::Postgres(postgres) => {
                let rows = postgres.read(sql, values).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    async fn fetch_optional(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch_all(sql, values).await?.into_iter().next())
    }
}

impl Tx {
    fn engine(&self) -> Engine {
        match self.inner {
            TxInner::Sqlite(_) => Engine::Sqlite,
            TxInner::Postgres(_) => Engine::Postgres,
        }
    }

    /// Makes everything in the transaction durable and visible at once.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; after [`StoreError::Unavailable`] the outcome is unknown.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.inner {
            TxInner::Sqlite(tx) => tx.commit().await?,
            TxInner::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// The database's clock.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database does not answer.
    pub async fn now(&mut self) -> Result<Timestamp, StoreError> {
        let rows = self.fetch_all(self.engine().now_statement(), &[]).await?;
        let row = rows.first().ok_or(StoreError::Corrupt("no answer from the clock"))?;
        Ok(Timestamp::from_micros(row.int(0)?))
    }

    /// Runs a statement and says how many rows it changed.
    async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        work::note(values);
        Ok(match &mut self.inner {
            TxInner::Sqlite(tx) => bind_sqlite(sqlx::query(sql), values).execute(&mut **tx).await?.rows_affected(),
            TxInner::Postgres(tx) => bind_postgres(sqlx::query(sql), values).execute(&mut **tx).await?.rows_affected(),
        })
    }

    async fn fetch_all(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        work::note(values);
        Ok(match &mut self.inner {
            TxInner::Sqlite(tx) => {
                let rows = bind_sqlite(sqlx::query(sql), values).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            TxInner::Postgres(tx) => {
                let rows = bind_postgres(sqlx::query(sql), values).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    async fn fetch_optional(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch_all(sql, values).await?.into_iter().next())
    }
}
