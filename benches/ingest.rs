//! A submission over HTTP to its last staged row, beside a bare multi-row insert of the same token
//! rows into the same schema; memory at two sizes; enquiries while a file arrives.

#![allow(clippy::print_stdout, missing_docs, reason = "a bench prints")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use porth::crypto::random::{SystemRandom, random_bytes};
use porth::store::Location;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use support::clients::{Caller, Stop, ask, send_file};
use support::fixtures::agency::TestAgency;
use support::fixtures::database::TestDatabase;
use support::fixtures::gateway::TestGateway;
use support::people::{ATTENDANCE, CASES, People, TOKEN_ROWS, wait_visible};
use support::{Backend, Flags, forget_peak, memory, rate, say, say_ratio};

/// Records that the gateway stages in one transaction, and the bare insert likewise.
const RECORDS: usize = 500;
/// Rows of one bare statement.
const ROWS: usize = 500;

fn main() {
    let flags = Flags::read(&[
        ("engine", "sqlite or postgres; both unless given"),
        ("records", "records of the large file (100000); memory is compared with a tenth of it"),
        ("askers", "connections that ask while the second large file arrives (4)"),
    ]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (records, askers) = (flags.number("records", 100_000) as u64, flags.number("askers", 4));
    for backend in flags.engines() {
        runtime.block_on(measure(backend, records, askers));
    }
}

async fn measure(backend: Backend, records: u64, askers: usize) {
    println!("{backend:?}, {records} records of {TOKEN_ROWS} tokens and one address each");
    // Before and after, the better one counts: the machine's other work comes and goes.
    let before = bare_insert(backend, records as usize).await;

    let home = support::gateway(backend).await;
    let people = People::new(&home.linkage);
    let education = home.agency("education").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("feed");

    people.write(&home, ATTENDANCE, records / 10, &file).await.expect("written");
    let small = deliver(&home, &education, &file).await;
    say("memory at the peak, a tenth of the records", small.peak, "MiB");
    let length = people.write(&home, ATTENDANCE, records, &file).await.expect("written");
    let large = deliver(&home, &education, &file).await;
    say("memory at the peak, all records", large.peak, "MiB");
    say("length of the file", length as f64 / f64::from(1 << 20), "MiB");
    say("records staged a second, over HTTP", rate(records as usize, large.staged), "/s");
    say("  to the last staged row", large.staged.as_secs_f64(), "s");
    say("  linking and the visibility update, apart from that", large.linked.as_secs_f64(), "s");

    let questions: Arc<Vec<Bytes>> =
        Arc::new((0..1000).map(|n| people.question(n * (records / 1000).max(1))).collect());
    let hub = home.agency("early-help-hub").await;
    let caller = Caller::new(&hub).await;
    let mut idle = ask(&caller, home.running.agencies, &questions, askers, Stop::After(Duration::from_secs(3))).await;
    let social_care = home.agency("childrens-social-care").await;
    people.write(&home, CASES, records, &file).await.expect("written");
    let stop = Arc::new(AtomicBool::new(false));
    let asking = {
        let (caller, address, stop) = (Arc::clone(&caller), home.running.agencies, Stop::When(Arc::clone(&stop)));
        tokio::spawn(async move { ask(&caller, address, &questions, askers, stop).await })
    };
    let sender = Caller::new(&social_care).await;
    let started = Instant::now();
    let id = send_file(&sender, home.running.agencies, &file).await;
    let busy_for = started.elapsed();
    stop.store(true, Ordering::Relaxed);
    let mut busy = asking.await.expect("askers that end");
    println!("  {askers} connections ask, nothing arrives:");
    say("  enquiries a second", idle.rate, "/s");
    say("  p99", idle.latencies.quantile(0.99), "ms");
    println!("  {askers} connections ask while a file of {records} records arrives:");
    say("  enquiries a second", busy.rate, "/s");
    say("  p50", busy.latencies.quantile(0.5), "ms");
    say("  p99", busy.latencies.quantile(0.99), "ms");
    say("  records staged a second meanwhile", rate(records as usize, busy_for), "/s");
    wait_visible(&home, id.parse().expect("an id")).await;
    home.stop().await;

    let bare = before.max(bare_insert(backend, records as usize).await);
    say("the same token rows, bare multi-row insert: records a second", bare, "/s");
    say_ratio("ingest, of the bare insert", rate(records as usize, large.staged) / bare, 0.5);
    say_ratio("peak with a tenth of the records, of that with all", small.peak / large.peak, 0.8);
}

/// How one file fared.
struct Delivered {
    staged: Duration,
    linked: Duration,
    peak: f64,
}

async fn deliver(home: &TestGateway, agency: &TestAgency<'_>, file: &Path) -> Delivered {
    let sender = Caller::new(agency).await;
    forget_peak();
    let started = Instant::now();
    let id = send_file(&sender, home.running.agencies, file).await;
    let staged = started.elapsed();
    let (_, peak) = memory();
    wait_visible(home, id.parse().expect("an id")).await;
    Delivered { staged, linked: started.elapsed().saturating_sub(staged), peak }
}

/// Records a second when their token rows, and nothing else, are inserted into the same schema by one
/// connection: in index order and in transactions as large as the gateway's.
async fn bare_insert(backend: Backend, records: usize) -> f64 {
    let database = TestDatabase::create(backend).await;
    database.store.close().await;
    let mut rows: Vec<(Vec<u8>, i64)> = Vec::with_capacity(RECORDS * TOKEN_ROWS);
    let statement = |table: &str, rows: usize| {
        let places: Vec<String> = (0..rows).map(|row| format!("(${}, ${})", row * 2 + 1, row * 2 + 2)).collect();
        // Two texts for the whole run, built of numbers alone.
        &*Box::leak(format!("INSERT INTO {table} (blinded, record) VALUES {}", places.join(", ")).into_boxed_str())
    };
    let (tokens, households) = (statement("token", ROWS), statement("household", RECORDS));
    let mut connection = Bare::open(&database.location).await;
    let mut took = Duration::ZERO;
    for chunk in 0..records / RECORDS {
        let ids = (chunk * RECORDS) as i64..((chunk + 1) * RECORDS) as i64;
        let fresh = || random_bytes::<16>(&SystemRandom::new()).to_vec();
        rows.clear();
        rows.extend(ids.clone().flat_map(|id| std::iter::repeat_with(move || (fresh(), id)).take(TOKEN_ROWS)));
        rows.sort_unstable();
        let mut homes: Vec<(Vec<u8>, i64)> = ids.map(|id| (fresh(), id)).collect();
        homes.sort_unstable();
        let started = Instant::now();
        connection.begin().await;
        for piece in rows.chunks(ROWS) {
            connection.insert(tokens, piece).await;
        }
        connection.insert(households, &homes).await;
        connection.commit().await;
        took += started.elapsed();
    }
    rate(records / RECORDS * RECORDS, took)
}

/// One connection, as durable as the gateway's.
enum Bare {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Bare {
    async fn open(location: &Location) -> Self {
        match location {
            Location::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .pragma("cache_size", "-65536");
                Self::Sqlite(SqliteConnection::connect_with(&options).await.expect("opens"))
            }
            Location::Postgres(url) => Self::Postgres(PgConnection::connect(url).await.expect("opens")),
        }
    }

    async fn insert(&mut self, sql: &'static str, rows: &[(Vec<u8>, i64)]) {
        match self {
            Self::Sqlite(connection) => {
                let query = rows.iter().fold(sqlx::query(sql), |query, (token, id)| query.bind(token).bind(id));
                query.execute(connection).await.map(drop).expect("inserted");
            }
            Self::Postgres(connection) => {
                let query = rows.iter().fold(sqlx::query(sql), |query, (token, id)| query.bind(token).bind(id));
                query.execute(connection).await.map(drop).expect("inserted");
            }
        }
    }

    async fn begin(&mut self) {
        self.run("BEGIN").await;
    }

    async fn commit(&mut self) {
        self.run("COMMIT").await;
    }

    async fn run(&mut self, sql: &'static str) {
        match self {
            Self::Sqlite(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop).expect("runs"),
            Self::Postgres(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop).expect("runs"),
        }
    }
}
