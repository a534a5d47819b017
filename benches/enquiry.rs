//! Enquiries with durable log entries over TLS, beside a bare handler behind the same TLS and token
//! check, and beside the same rows committed one disclosure at a time.

#![allow(clippy::print_stdout, missing_docs, reason = "a bench prints")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use porth::app::gateway::Gateway;
use porth::domain::ids::EventId;
use porth::store::{KeptReply, NewEvent, Store, StoredReply};
use porth::web::api::enquiries::ANSWER_BYTES;
use porth::web::serve::{PeerCertificate, ServeLimits, Transport, serve};
use porth::web::tls::{TlsFiles, TlsReloader};
use tokio_util::sync::CancellationToken;

use support::clients::{Caller, Stop, ask};
use support::fixtures::database::TestDatabase;
use support::fixtures::gateway::TestGateway;
use support::people::{ATTENDANCE, CASES, People};
use support::{Backend, Flags, say, say_ratio};

fn main() {
    let flags = Flags::read(&[
        ("engine", "sqlite or postgres; both unless given"),
        ("records", "records held, several with commas between them (10000,100000)"),
        ("connections", "keep-alive connections (64)"),
        ("seconds", "length of each measurement (5)"),
    ]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for backend in flags.engines() {
        let mut rates = Vec::new();
        for records in flags.numbers("records", &[10_000, 100_000]) {
            rates.push((records, runtime.block_on(measure(backend, records as u64, &flags))));
        }
        let (Some(first), Some(last)) = (rates.first(), rates.last()) else { continue };
        println!("{backend:?}: from {} to {} records", first.0, last.0);
        say_ratio("enquiries a second, of those with the fewest records", last.1 / first.1, 0.8);
    }
}

async fn measure(backend: Backend, records: u64, flags: &Flags) -> f64 {
    let (connections, time) = (flags.number("connections", 64), flags.seconds("seconds", 5));
    println!("{backend:?}, {records} records held, {connections} connections");
    let home = support::gateway(backend).await;
    let people = People::new(&home.linkage);
    let loading = Instant::now();
    for feed in [ATTENDANCE, CASES] {
        people.load(&home, feed, records / 2).await;
    }
    say("loading, linking included", loading.elapsed().as_secs_f64(), "s");

    // One in nine asks about somebody whom nobody knows.
    let step = (records / 2 / 2000).max(1);
    let questions: Arc<Vec<Bytes>> = Arc::new((0..2250).map(|n| people.question(n * step)).collect());
    let hub = home.agency("early-help-hub").await;
    let agencies = home.running.agencies;
    let warm = Stop::After(Duration::from_secs(1));
    ask(&Caller::new(&hub).await, agencies, &questions, connections, warm.clone()).await;

    let caller = Caller::new(&hub).await;
    let mut one = ask(&caller, agencies, &questions, 1, Stop::After(time)).await;
    say("enquiries a second, one connection", one.rate, "/s");
    say("  p50", one.latencies.quantile(0.5), "ms");
    let mut many = ask(&caller, agencies, &questions, connections, Stop::After(time)).await;
    say("enquiries a second", many.rate, "/s");
    say("  p50", many.latencies.quantile(0.5), "ms");
    say("  p99", many.latencies.quantile(0.99), "ms");

    let bare = Bare::start(&home).await;
    ask(&caller, bare.address, &questions, connections, warm).await;
    let mut handler = ask(&caller, bare.address, &questions, connections, Stop::After(time)).await;
    bare.shutdown.cancel();
    say("bare handler behind the same TLS and token check", handler.rate, "/s");
    say("  p99", handler.latencies.quantile(0.99), "ms");

    home.wait_sequenced().await;
    let rows = Rows::of(home.gateway().store()).await;
    println!("  (the rows of a disclosure hold {} bytes)", rows.bytes());
    home.stop().await;
    let alone = commit_alone(backend, &rows, 1, time).await;
    say("the same rows, one connection, a commit each", alone, "/s");
    say_ratio("enquiries, of one connection's commits", many.rate / alone, 5.0);
    say_ratio("enquiries, of the bare handler", many.rate / handler.rate, 0.3);
    let crowd = commit_alone(backend, &rows, connections, time).await;
    say("the same rows, as many connections, a commit each", crowd, "/s");
    say_ratio("enquiries, of as many connections' own commits", many.rate / crowd, 1.0);
    many.rate
}

/// A listener beside the gateway's: the same TLS and token check, and an answer of the same length.
struct Bare {
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
}

impl Bare {
    async fn start(home: &TestGateway) -> Self {
        let file = |name: &str| home.folder().join(name);
        let files = TlsFiles {
            certificate: file("server.pem"),
            private_key: file("server.key"),
            client_roots: vec![file("agencies.pem")],
            revocation_lists: vec![file("agencies.crl")],
            needs_client_certificate: true,
        };
        let tls = Transport::Tls(Arc::new(TlsReloader::from_files(files).expect("good files")));
        let router = Router::new().route("/v1/enquiries", post(answer)).with_state(home.gateway().clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        tokio::spawn(serve(listener, tls, router, ServeLimits::default(), shutdown.clone()));
        Self { address, shutdown }
    }
}

async fn answer(
    State(gateway): State<Gateway>,
    axum::Extension(certificate): axum::Extension<PeerCertificate>,
    headers: HeaderMap,
    _question: Bytes,
) -> (StatusCode, Bytes) {
    static ANSWER: [u8; ANSWER_BYTES] = [b'0'; ANSWER_BYTES];
    let bearer = headers["authorization"].to_str().expect("text").trim_start_matches("Bearer ");
    gateway.authenticate(bearer, &certificate.sha256).await.expect("let in");
    (StatusCode::CREATED, Bytes::from_static(&ANSWER))
}

/// The rows that one enquiry leaves, taken from the log.
#[derive(Clone)]
struct Rows {
    event: NewEvent,
}

impl Rows {
    async fn of(store: &Store) -> Self {
        let size = store.log_head().await.expect("the database").expect("an open log").size;
        let (id, body) = store.log_entries(size - 1, size).await.expect("the database").remove(0);
        let openings = store.log_openings(size - 1, size).await.expect("the database");
        let fields = ["subject", "case", "actor", "answer"];
        let opening = |field: &'static str| {
            let found = openings.iter().find(|(_, name, _)| name == field).expect("an enquiry's openings");
            (field, found.2.clone())
        };
        let event = NewEvent {
            id,
            kind: "enquiry",
            at: store.now().await.expect("the clock"),
            recipient: Some("early-help-hub".to_owned()),
            agreement: Some("early-help-core/v1".to_owned()),
            purpose: Some("early-help-screening".to_owned()),
            outcome: Some("answered".to_owned()),
            leaf_hash: *porth::tlog::merkle::leaf_hash(&body).as_bytes(),
            body,
            openings: fields.map(opening).into(),
            tags: vec![[0; 16]],
            records: Vec::new(),
        };
        Self { event }
    }

    fn bytes(&self) -> usize {
        let openings: usize = self.event.openings.iter().map(|(_, sealed)| sealed.len()).sum();
        self.event.body.len() + openings
    }

    async fn commit(&mut self, store: &Store) {
        let id = uuid::Uuid::now_v7();
        self.event.id = EventId::new(id);
        self.event.tags = vec![*id.as_bytes()];
        let mut tag = [0; 32];
        tag[..16].copy_from_slice(id.as_bytes());
        let reply = KeptReply {
            client: "bench".to_owned(),
            tag,
            reply: StoredReply { request_hash: [1; 32], event: self.event.id, policy_revision: 1, generation: 1 },
            expires_at: self.event.at,
        };
        let mut tx = store.begin().await.expect("a connection");
        tx.add_events(&[&self.event]).await.expect("written");
        tx.add_replies(&[&reply]).await.expect("written");
        tx.commit().await.expect("durable");
    }
}

/// Commits a second of this many connections to an empty database, each with one disclosure's rows.
/// The ceiling's counter is left out: its row lock would make the connections wait for one another.
async fn commit_alone(backend: Backend, rows: &Rows, connections: usize, time: Duration) -> f64 {
    let database = TestDatabase::create(backend).await;
    let store = Store::connect(&database.location, connections as u32).await.expect("the database opens");
    let started = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (store, mut rows) = (store.clone(), rows.clone());
        tasks.push(tokio::spawn(async move {
            let mut count = 0;
            while started.elapsed() < time {
                rows.commit(&store).await;
                count += 1;
            }
            count
        }));
    }
    let mut count = 0;
    for task in tasks {
        count += task.await.expect("a task that ends");
    }
    let rate = support::rate(count, started.elapsed());
    store.close().await;
    rate
}
