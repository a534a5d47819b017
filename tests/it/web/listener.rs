//! A listener to test against, with a few routes that do what handlers may do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Extension, Path, Request};
use axum::routing::{get, post};
use axum::{Router, http::HeaderMap};
use porth::client::{Client, ClientOptions};
use porth::web::body::{BodyLimit, LineLimits, NdjsonLines, Pace};
use porth::web::grounded;
use porth::web::json::Json;
use porth::web::limits::RequestLimits;
use porth::web::problem::Problem;
use porth::web::serve::{PeerCertificate, ServeLimits, ServeReport, Transport, serve};
use porth::web::tls::{ClientTrust, NamedBytes, TlsMaterial, TlsReloader};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::pki::{Authority, Identity};

/// Far longer than anything here takes; only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A pace that a test can wait out.
pub(crate) const BRISK: Pace =
    Pace { idle: Duration::from_millis(300), bytes_per_second: 1, grace: Duration::from_secs(1) };

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    pub(crate) count: u32,
}

/// A running listener.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    /// Told when a request reached `/wait`.
    pub(crate) reached: Arc<Notify>,
    /// Lets a request at `/wait` go on.
    pub(crate) release: Arc<Notify>,
    task: JoinHandle<ServeReport>,
}

impl Listener {
    pub(crate) async fn plain(limits: ServeLimits) -> Self {
        Self::start(Transport::Plain, limits).await
    }

    pub(crate) async fn start(transport: Transport, limits: ServeLimits) -> Self {
        let (reached, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shutdown = CancellationToken::new();
        let router = router(&reached, &release);
        let task = tokio::spawn(serve(listener, transport, router, limits, shutdown.clone()));
        Self { address, shutdown, reached, release, task }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(ClientOptions::new(format!("http://{}", self.address), "")).expect("good options")
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("listening")
    }

    pub(crate) async fn stop(self) -> ServeReport {
        self.shutdown.cancel();
        self.report().await
    }

    pub(crate) async fn report(self) -> ServeReport {
        tokio::time::timeout(PATIENCE, self.task).await.expect("drains in time").expect("no panic")
    }
}

/// A TLS listener with its authorities, whose revocation list can be replaced.
pub(crate) struct TlsListener {
    pub(crate) gateway_authority: Authority,
    pub(crate) agencies: Authority,
    pub(crate) listener: Listener,
    pub(crate) reloader: Arc<TlsReloader>,
    list: Arc<Mutex<String>>,
    roots: Arc<Mutex<String>>,
}

impl TlsListener {
    pub(crate) async fn start() -> Self {
        Self::with_list(|agencies| agencies.list(&[])).await
    }

    pub(crate) async fn with_list(list: impl Fn(&Authority) -> String) -> Self {
        let (gateway_authority, agencies) = (Authority::new("Gateway authority"), Authority::new("Agency authority"));
        let list = Arc::new(Mutex::new(list(&agencies)));
        let roots = Arc::new(Mutex::new(agencies.pem.clone()));
        let (server, trusted, source) = (gateway_authority.server(), Arc::clone(&roots), Arc::clone(&list));
        let material = move || {
            let named = |name: &str, text: &str| NamedBytes::new(name, text.as_bytes().to_vec());
            Ok(TlsMaterial {
                certificate: named("gateway.pem", &server.certificate_pem),
                private_key: named("gateway.key", &server.key_pem),
                clients: Some(ClientTrust {
                    roots: vec![named("agencies.pem", &trusted.lock().expect("one test"))],
                    revocation_lists: vec![named("agencies.crl", &source.lock().expect("one test"))],
                }),
            })
        };
        let reloader = Arc::new(TlsReloader::new(material).expect("good material"));
        let limits = ServeLimits { handshake_timeout: Duration::from_secs(2), ..ServeLimits::default() };
        let listener = Listener::start(Transport::Tls(Arc::clone(&reloader)), limits).await;
        Self { gateway_authority, agencies, listener, reloader, list, roots }
    }

    pub(crate) fn replace_list(&self, list: String) {
        *self.list.lock().expect("one test") = list;
    }

    /// Trusts another authority instead, with an empty list of it.
    pub(crate) fn replace_authority(&self, authority: &Authority) {
        authority.pem.clone_into(&mut self.roots.lock().expect("one test"));
        self.replace_list(authority.list(&[]));
    }

    pub(crate) fn client(&self, identity: Option<&Identity>) -> Client {
        let address = format!("https://localhost:{}", self.listener.address.port());
        let mut options = ClientOptions::new(address, self.gateway_authority.pem.clone());
        options.identity = identity.map(Identity::for_client);
        Client::new(options).expect("good options")
    }
}

fn router(reached: &Arc<Notify>, release: &Arc<Notify>) -> Router {
    let (reached, release) = (Arc::clone(reached), Arc::clone(release));
    let wait = move || async move {
        reached.notify_one();
        release.notified().await;
        "done"
    };
    let whoami = |certificate: Option<Extension<PeerCertificate>>| async move {
        certificate.map_or_else(|| "nobody".to_owned(), |Extension(peer)| hex(&peer.sha256))
    };
    let router = Router::new()
        .route("/whoami", get(whoami))
        .route("/wait", get(wait))
        .route(
            "/double",
            post(|Json(question): Json<Question>| async move { Json(Question { count: question.count * 2 }) }),
        )
        .route("/lines", post(lines))
        .route("/things/{id}", get(|Path(id): Path<u32>| async move { id.to_string() }))
        .route("/never", get(std::future::pending::<&'static str>))
        .route("/panic", get(panics))
        .route("/fails", get(|| async { Problem::internal(std::io::Error::other("host db.internal")) }))
        .layer(Extension(BodyLimit::bytes(1000).paced(BRISK)));
    let limits = RequestLimits { by_route: vec![("/never", Duration::from_millis(200))], ..RequestLimits::default() };
    grounded(router, limits)
}

async fn panics() -> &'static str {
    panic!("Jowan Trelawny")
}

async fn lines(headers: HeaderMap, request: Request) -> Result<Json<Question>, Problem> {
    let limits = LineLimits { line_bytes: 100, total_bytes: 10_000_000, rows: 50_000, pace: BRISK };
    let mut lines = NdjsonLines::new(&headers, request.into_body(), limits)?;
    let mut count = 0;
    while lines.next_line().await?.is_some() {
        count += 1;
    }
    Ok(Json(Question { count }))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
