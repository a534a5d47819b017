//! The console's log page over a log of a million entries, beside the query that finds the same entries.
//!
//! Entries are made from genuine ones, each with an id, a time and a nonce of its own, and go through the
//! sequencer and the index like any other: what the page reads is what it would read in a year's time.

#![allow(clippy::print_stdout, missing_docs, reason = "a bench prints")]

mod support;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use porth::app::log_index::index_log;
use porth::crypto::random::{SystemRandom, random_bytes, uuid_v7};
use porth::domain::ids::EventId;
use porth::domain::time::Timestamp;
use porth::store::{Location, NewEvent};
use porth::tlog::entry::{Body, Entry};
use porth::tlog::merkle::leaf_hash;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use support::fixtures::agency::request;
use support::fixtures::connection::Connection;
use support::fixtures::gateway::{LOG, TestGateway};
use support::fixtures::people::Person;
use support::{Backend, CEILING, Flags, Latencies, rate, say};

/// Entries that are stored in one transaction.
const PIECE: usize = 4096;
/// As many as a page shows, and one more to know whether there is another page.
const LINES: i64 = 26;

/// A page of the log, and the query that finds its entries.
struct Page {
    what: &'static str,
    path: String,
    sql: &'static str,
}

fn main() {
    let flags = Flags::read(&[
        ("engine", "sqlite or postgres; both unless given"),
        ("entries", "entries of the log (1000000)"),
        ("requests", "requests of each page, and queries beside them (200)"),
    ]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for backend in flags.engines() {
        let (entries, requests) = (flags.number("entries", 1_000_000), flags.number("requests", 200));
        runtime.block_on(measure(backend, entries, requests));
    }
}

async fn measure(backend: Backend, entries: usize, requests: usize) {
    println!("{backend:?}, {entries} entries");
    let home = console(backend).await;
    fill(&home, entries).await;
    let pages = [
        Page {
            what: "newest first",
            path: "/log".to_owned(),
            sql: "SELECT log_leaf.idx, event.id, event.body, log_leaf.leaf_hash FROM log_leaf
                  JOIN event ON event.id = log_leaf.event ORDER BY log_leaf.idx DESC LIMIT $1",
        },
        Page {
            what: "by type",
            path: "/log?type=enquiry".to_owned(),
            sql: "SELECT lead.idx, event.id, event.body, log_leaf.leaf_hash FROM log_facet lead
                  JOIN log_leaf ON log_leaf.idx = lead.idx JOIN event ON event.id = log_leaf.event
                  WHERE lead.facet = 'type' AND lead.value = 'enquiry' ORDER BY lead.idx DESC LIMIT $1",
        },
        Page {
            what: "by agency and outcome",
            path: "/log?agency=early-help-hub&outcome=refused".to_owned(),
            sql: "SELECT lead.idx, event.id, event.body, log_leaf.leaf_hash FROM log_facet lead
                  JOIN log_leaf ON log_leaf.idx = lead.idx JOIN event ON event.id = log_leaf.event
                  WHERE lead.facet = 'agency' AND lead.value = 'early-help-hub'
                    AND EXISTS (SELECT 1 FROM log_facet f
                                WHERE f.facet = 'outcome' AND f.value = 'refused' AND f.idx = lead.idx)
                  ORDER BY lead.idx DESC LIMIT $1",
        },
        Page {
            what: "half way down",
            path: format!("/log?type=enquiry&before={}", entries / 2),
            sql: "SELECT lead.idx, event.id, event.body, log_leaf.leaf_hash FROM log_facet lead
                  JOIN log_leaf ON log_leaf.idx = lead.idx JOIN event ON event.id = log_leaf.event
                  WHERE lead.facet = 'type' AND lead.value = 'enquiry'
                    AND lead.idx < (SELECT MAX(idx) / 2 FROM log_leaf) ORDER BY lead.idx DESC LIMIT $1",
        },
    ];
    let (mut browser, cookie) = sign_in(&home).await;
    let mut bare = Bare::open(&home.database.location).await;
    for page in pages {
        let (mut shown, mut found) = (Latencies::default(), Latencies::default());
        for n in 0..requests + 10 {
            let times = (open(&mut browser, &page.path, &cookie).await, bare.time(page.sql).await);
            // The first ones fill caches on both sides.
            if n >= 10 {
                shown.push(times.0);
                found.push(times.1);
            }
        }
        let p95 = (shown.quantile(0.95), found.quantile(0.95));
        say(&format!("{}: the page, p50", page.what), shown.quantile(0.5), "ms");
        say(&format!("{}: the page, p95", page.what), p95.0, "ms");
        say(&format!("{}: the query alone, p95", page.what), p95.1, "ms");
        say(&format!("{}: what the page adds to it at p95", page.what), p95.0 - p95.1, "ms");
    }
    home.stop().await;
}

/// A gateway with a console in which anybody signs in as anybody.
async fn console(backend: Backend) -> TestGateway {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let more = format!(
        "[limits]\nburst = 100000000\nrequests_per_second = 100000000.0\n\n[console]\nlisten = \"127.0.0.1:{port}\"\n\
         address = \"https://localhost:{port}\"\norganisation = \"Bench\"\ndemonstration_sign_in = true\n\
         certificate = \"server.pem\"\nprivate_key = \"server.key\"\n\n[[console.access]]\nclaim = \"officer\"\n\
         persona = \"officer\"\nagency = \"programme-team\"\nagreement = \"programme-delivery/v1\"\nrole = \"auditor\"\n"
    );
    TestGateway::start_under(backend, &more, Some(CEILING)).await
}

/// Makes entries like the few that real questions leave, until there are so many.
async fn fill(home: &TestGateway, entries: usize) {
    let hub = home.agency("early-help-hub").await;
    for mode in ["areas", "eligible", "criteria"] {
        hub.enquire(&hub.question(mode, &Person::new("Nobody", "1 Quay"))).await;
    }
    home.wait_sequenced().await;
    let (store, random) = (home.gateway().store(), SystemRandom::new());
    let size = store.log_head().await.expect("the head").map_or(0, |head| head.size);
    let written = store.log_entries(0, size).await.expect("entries");
    let like: Vec<(Entry, Option<String>)> = written
        .iter()
        .filter_map(|(_, body)| Entry::parse(body).ok())
        .filter(|entry| matches!(entry.body(), Body::Enquiry(_)))
        .map(|entry| {
            let Body::Enquiry(it) = entry.body() else { unreachable!("they were picked") };
            let outcome = if it.outcome == porth::tlog::entry::Outcome::Answered { "answered" } else { "refused" };
            (entry.clone(), Some(outcome.to_owned()))
        })
        .collect();
    assert!(like.len() >= 2, "questions were answered and refused");
    let now = home.now().await;
    let storing = Instant::now();
    for from in (0..entries).step_by(PIECE) {
        let events: Vec<NewEvent> = (from..entries.min(from + PIECE))
            .map(|number| {
                let (entry, outcome) = &like[number % like.len()];
                // Spread over the time before, a second apart, so that days can be told apart.
                let at = now.plus_seconds(number as i64 - entries as i64);
                event(entry, outcome.clone(), at, &random)
            })
            .collect();
        let mut tx = store.begin().await.expect("a transaction");
        tx.add_events(&events.iter().collect::<Vec<_>>()).await.expect("stored");
        tx.commit().await.expect("committed");
        home.gateway().wake_sequencer();
    }
    say("entries stored a second", rate(entries, storing.elapsed()), "/s");
    let sequencing = Instant::now();
    while store.pending_count().await.expect("a count") > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    say("seconds until all have their places", sequencing.elapsed().as_secs_f64(), "s");
    let indexing = Instant::now();
    let indexed = index_log(store).await.expect("indexed");
    say("entries indexed a second", rate(indexed as usize, indexing.elapsed()), "/s");
}

fn event(like: &Entry, outcome: Option<String>, at: Timestamp, random: &SystemRandom) -> NewEvent {
    let id = EventId::new(uuid_v7(at, random));
    let body = Entry::new(LOG, id, at, random_bytes(random), like.body().clone()).render().expect("as before");
    NewEvent {
        id,
        kind: like.body().kind(),
        at,
        recipient: None,
        agreement: None,
        purpose: None,
        outcome,
        leaf_hash: *leaf_hash(&body).as_bytes(),
        body,
        openings: Vec::new(),
        tags: Vec::new(),
        records: Vec::new(),
    }
}

async fn sign_in(home: &TestGateway) -> (Connection, String) {
    let at = home.running.console.expect("a console");
    let roots = &home.authority.certificate().pem;
    let mut browser = Connection::open(at, roots, None).await.expect("a connection");
    let origin = format!("https://localhost:{}", at.port());
    let headers = [("origin", origin.as_str()), ("sec-fetch-site", "same-origin")];
    let asked = request("POST", "/sign-in/demonstration", &headers, "claim=officer&to=/".to_owned());
    let reply = browser.send(asked).await.expect("an answer");
    let set = reply.headers.get("set-cookie").expect("a cookie").to_str().expect("text");
    let cookie = set.split(';').next().expect("a pair").to_owned();
    (browser, cookie)
}

/// How long a page takes until its last byte.
async fn open(browser: &mut Connection, path: &str, cookie: &str) -> Duration {
    let asked = request("GET", path, &[("cookie", cookie)], String::new());
    let sent = Instant::now();
    let reply = browser.send(asked).await.expect("an answer");
    let took = sent.elapsed();
    assert_eq!(reply.status, 200, "{path}");
    took
}

/// One connection that asks the query and nothing else.
enum Bare {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Bare {
    async fn open(location: &Location) -> Self {
        match location {
            Location::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).pragma("cache_size", "-65536");
                Self::Sqlite(SqliteConnection::connect_with(&options).await.expect("opens"))
            }
            Location::Postgres(url) => Self::Postgres(PgConnection::connect(url).await.expect("opens")),
        }
    }

    async fn time(&mut self, sql: &'static str) -> Duration {
        let started = Instant::now();
        let found = match self {
            Self::Sqlite(connection) => sqlx::query(sql).bind(LINES).fetch_all(connection).await.expect("rows").len(),
            Self::Postgres(connection) => sqlx::query(sql).bind(LINES).fetch_all(connection).await.expect("rows").len(),
        };
        let took = started.elapsed();
        assert!(found > 0, "the query finds what the page shows");
        took
    }
}
