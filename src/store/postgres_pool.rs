//! Connections to PostgreSQL, and what becomes of them when the database goes away.

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow, Postgres};

use super::STATEMENTS;
use super::error::StoreError;
use super::value::{Value, bind_postgres};

/// Every statement finds its rows by index, one after the other. Scans and hashes look cheaper while
/// tables are small, and a plan that was kept from then is slow once they are large.
const PLANNING: [(&str, &str); 4] =
    [("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("jit", "off")];
/// How long a connection may have rested to be used without asking whether it lives.
const ASK_AFTER: Duration = Duration::from_millis(200);
/// How long every connection is asked after one was found dead.
const DOUBT: Duration = Duration::from_secs(30);

/// A pool that notices when the database went away: after a restart nobody gets a dead connection.
#[derive(Clone)]
pub(super) struct PostgresPool {
    pool: PgPool,
    losses: Arc<Losses>,
}

/// When a connection was last found dead.
struct Losses {
    start: Instant,
    /// Milliseconds since `start` until which connections are in doubt.
    until: AtomicU64,
}

impl Losses {
    fn new() -> Self {
        Self { start: Instant::now(), until: AtomicU64::new(0) }
    }

    fn note(&self) {
        let until = (self.start.elapsed() + DOUBT).as_millis();
        self.until.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn are_recent(&self) -> bool {
        self.start.elapsed().as_millis() < u128::from(self.until.load(Ordering::Relaxed))
    }
}

impl PostgresPool {
    pub(super) async fn connect(url: &str, connections: u32) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| StoreError::Other("the PostgreSQL connection string is malformed".to_owned()))?
            .application_name("porth")
            .options(PLANNING)
            .statement_cache_capacity(STATEMENTS);
        let losses = Arc::new(Losses::new());
        let doubts = Arc::clone(&losses);
        let pool = PgPoolOptions::new()
            .max_connections(connections.max(4))
            .acquire_timeout(Duration::from_secs(30))
            .test_before_acquire(false) // the next line asks where there is reason to
            .before_acquire(move |connection, used| {
                let is_trusted = used.idle_for < ASK_AFTER && !doubts.are_recent();
                Box::pin(async move { Ok(is_trusted || connection.ping().await.is_ok()) })
            })
            .connect_with(options)
            .await?;
        Ok(Self { pool, losses })
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Runs a statement that only reads; once more when the connection turns out to be dead.
    pub(super) async fn read(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<PgRow>, sqlx::Error> {
        match bind_postgres(sqlx::query(sql), values).fetch_all(&self.pool).await {
            Err(error) if self.is_loss(&error) => bind_postgres(sqlx::query(sql), values).fetch_all(&self.pool).await,
            result => result,
        }
    }

    /// Begins a transaction; once more when the connection turns out to be dead. Nothing was sent yet.
    pub(super) async fn begin(&self) -> Result<sqlx::Transaction<'static, Postgres>, sqlx::Error> {
        match self.pool.begin().await {
            Err(error) if self.is_loss(&error) => self.pool.begin().await,
            result => result,
        }
    }

    fn is_loss(&self, error: &sqlx::Error) -> bool {
        let is_loss = match error {
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
            sqlx::Error::Database(source) => {
                source.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
            }
            _ => false,
        };
        if is_loss {
            self.losses.note();
        }
        is_loss
    }
}
