//! Agencies' systems that ask as fast as they are answered, and one that sends a file.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::Request;
use hyper::body::Frame;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;

use super::Latencies;
use super::fixtures::agency::{Identity, TestAgency, idempotency_key, request};
use super::fixtures::connection::{Connection, open_stream};

/// What asking in a loop came to.
pub(crate) struct Asked {
    pub(crate) rate: f64,
    pub(crate) latencies: Latencies,
}

/// What every connection of a run shares.
pub(crate) struct Caller {
    roots: String,
    identity: Identity,
    bearer: String,
}

impl Caller {
    /// With a fresh access token, which is good for five minutes.
    pub(crate) async fn new(agency: &TestAgency<'_>) -> Arc<Self> {
        Arc::new(Self {
            roots: agency.home.authority.certificate().pem.clone(),
            identity: agency.identity.clone(),
            bearer: format!("Bearer {}", agency.token().await),
        })
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> Connection {
        Connection::open(address, &self.roots, Some(&self.identity)).await.expect("a connection")
    }

    /// Asks one question; how long the answer took.
    pub(crate) async fn time(&self, connection: &mut Connection, question: &Bytes) -> Duration {
        let key = idempotency_key();
        let headers = [
            ("authorization", self.bearer.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", key.as_str()),
        ];
        let request = request("POST", "/v1/enquiries", &headers, question.clone());
        let sent = Instant::now();
        let reply = connection.send(request).await.expect("an answer");
        let took = sent.elapsed();
        assert_eq!(reply.status, 201, "{}", reply.text());
        took
    }
}

/// Keep-alive connections that each send the next question once the last is answered.
pub(crate) async fn ask(
    caller: &Arc<Caller>,
    address: SocketAddr,
    questions: &Arc<Vec<Bytes>>,
    connections: usize,
    stop: Stop,
) -> Asked {
    let mut opened = Vec::with_capacity(connections);
    for _ in 0..connections {
        opened.push(caller.connect(address).await);
    }
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let deadline = stop.deadline(started);
    let mut tasks = Vec::with_capacity(connections);
    for mut connection in opened {
        let (caller, questions, next, stop) =
            (Arc::clone(caller), Arc::clone(questions), Arc::clone(&next), stop.clone());
        tasks.push(tokio::spawn(async move {
            let mut latencies = Latencies::default();
            while !stop.is_over(deadline) {
                // A stride that is prime to the number of questions: neighbours are not asked about in turn.
                let place = next.fetch_add(7919, Ordering::Relaxed) as usize % questions.len();
                let key = idempotency_key();
                let headers = [
                    ("authorization", caller.bearer.as_str()),
                    ("content-type", "application/json"),
                    ("idempotency-key", key.as_str()),
                ];
                let request = request("POST", "/v1/enquiries", &headers, questions[place].clone());
                let sent = Instant::now();
                let reply = connection.send(request).await.expect("an answer");
                latencies.push(sent.elapsed());
                assert_eq!(reply.status, 201, "{}", reply.text());
            }
            latencies
        }));
    }
    let mut latencies = Latencies::default();
    for task in tasks {
        latencies.extend(task.await.expect("a client that ends"));
    }
    Asked { rate: super::rate(latencies.count(), started.elapsed()), latencies }
}

/// When askers stop.
#[derive(Clone)]
pub(crate) enum Stop {
    After(Duration),
    When(Arc<AtomicBool>),
}

impl Stop {
    fn deadline(&self, started: Instant) -> Instant {
        match self {
            Self::After(time) => started + *time,
            Self::When(_) => started + Duration::from_secs(270), // before the access token ends
        }
    }

    fn is_over(&self, deadline: Instant) -> bool {
        let is_told = matches!(self, Self::When(flag) if flag.load(Ordering::Relaxed));
        is_told || Instant::now() >= deadline
    }
}

/// Sends a file over TLS as it is read from disc; the submission's id, once the gateway has it whole.
pub(crate) async fn send_file(caller: &Caller, address: SocketAddr, path: &Path) -> String {
    let stream = open_stream(address, &caller.roots, Some(&caller.identity)).await.expect("a connection");
    let file = tokio::fs::File::open(path).await.expect("the file");
    let body = stream::try_unfold(file, |mut file| async move {
        let mut piece = BytesMut::with_capacity(64 * 1024);
        let read = file.read_buf(&mut piece).await?;
        Ok::<_, std::io::Error>((read > 0).then(|| (Frame::data(piece.freeze()), file)))
    });
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    let request = Request::post("/v1/submissions")
        .header("host", "localhost")
        .header("authorization", &caller.bearer)
        .header("content-type", "application/x-ndjson")
        .header("idempotency-key", idempotency_key())
        .body(StreamBody::new(Box::pin(body)))
        .expect("a request");
    let response = sender.send_request(request).await.expect("an answer");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("whole").to_bytes();
    assert_eq!(status, 202, "{}", String::from_utf8_lossy(&body));
    let received: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    received["id"].as_str().expect("an id").to_owned()
}
