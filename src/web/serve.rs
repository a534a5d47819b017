//! The accept loop.
//!
//! Each connection has a limit on its TLS handshake, on the time and size of each request's head, on
//! stalled writes and on its age, and there is a cap on connections in all and from one peer. These
//! are what `axum::serve` does not have: it gives hyper no timer, so hyper's header timeout never
//! fires and a few thousand dribbling sockets hold the server.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::web::tls::{TlsReloader, fingerprint};

mod peers;
mod stall;

use peers::{Peers, Place};
use stall::StallGuard;

/// The limits of one listener.
#[derive(Debug, Clone, Copy)]
pub struct ServeLimits {
    /// The longest TLS handshake.
    pub handshake_timeout: Duration,
    /// The longest wait for a request's whole head, idle time between requests included.
    pub header_timeout: Duration,
    /// The largest head of a request.
    pub header_bytes: usize,
    /// The longest that a write may be stuck because the peer reads nothing.
    pub write_stall: Duration,
    /// After this a connection takes no further request, so that a new handshake checks the certificate.
    pub connection_age: Duration,
    /// How much longer the request that is then in flight may take.
    pub last_request: Duration,
    /// The most connections from one address (IPv6: from one /64).
    pub connections_per_peer: usize,
    /// The most connections in all.
    pub connections: usize,
    /// How long requests in flight may take after shutdown is asked for.
    pub drain: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(15),
            header_bytes: 16 * 1024,
            write_stall: Duration::from_secs(30),
            connection_age: Duration::from_mins(10),
            last_request: Duration::from_mins(10),
            connections_per_peer: 64,
            connections: 4096,
            drain: Duration::from_secs(30),
        }
    }
}

/// What connections speak.
#[derive(Clone)]
pub enum Transport {
    /// Plain HTTP, for the operator port on the loopback interface.
    Plain,
    /// TLS that follows its files.
    Tls(Arc<TlsReloader>),
}

/// The certificate that the peer proved to hold; in the request's extensions.
#[derive(Clone)]
pub struct PeerCertificate {
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// Its SHA-256, by which it is enrolled.
    pub sha256: [u8; 32],
}

/// The address that the connection came from; in the request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub SocketAddr);

/// What a listener did until it was shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServeReport {
    /// Connections let in.
    pub accepted: u64,
    /// Connections turned away over a cap.
    pub turned_away: u64,
    /// Handshakes that failed or took too long.
    pub handshakes_failed: u64,
    /// Connections that were cut at the end of the drain.
    pub cut_at_drain: u64,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    turned_away: AtomicU64,
    handshakes_failed: AtomicU64,
    cut_at_drain: AtomicU64,
}

/// Serves until `shutdown` is cancelled and what was in flight has ended or the drain time is over.
pub async fn serve(
    listener: TcpListener,
    transport: Transport,
    router: Router,
    limits: ServeLimits,
    shutdown: CancellationToken,
) -> ServeReport {
    let peers = Peers::new(limits.connections, limits.connections_per_peer);
    let tasks = TaskTracker::new();
    let cut = CancellationToken::new();
    let counts = Arc::new(Counts::default());
    let connection = Connection { transport, router, limits, draining: shutdown.clone(), counts: Arc::clone(&counts) };

    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                back_off(&error, &shutdown).await;
                continue;
            }
        };
        let Some(place) = peers.place(address.ip()) else {
            counts.turned_away.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("porth_connections_turned_away_total").increment(1);
            continue; // closed at once: waiting would let one peer starve the others
        };
        counts.accepted.fetch_add(1, Ordering::Relaxed);
        let task = connection.clone().run(stream, address, place);
        let (cut, counts) = (cut.clone(), Arc::clone(&counts));
        tasks.spawn(async move {
            if cut.run_until_cancelled(task).await.is_none() {
                counts.cut_at_drain.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    drop(listener); // new connections are refused from here on
    tasks.close();
    if tokio::time::timeout(limits.drain, tasks.wait()).await.is_err() {
        cut.cancel();
        tasks.wait().await;
    }
    ServeReport {
        accepted: counts.accepted.load(Ordering::Relaxed),
        turned_away: counts.turned_away.load(Ordering::Relaxed),
        handshakes_failed: counts.handshakes_failed.load(Ordering::Relaxed),
        cut_at_drain: counts.cut_at_drain.load(Ordering::Relaxed),
    }
}

/// A peer that gave up is its own affair; running out of file handles needs a pause, or the loop
/// would spin.
async fn back_off(error: &io::Error, shutdown: &CancellationToken) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
        return;
    }
    metrics::counter!("porth_accept_failures_total").increment(1);
    tracing::warn!(error = %error, "cannot accept connections; trying again in half a second");
    shutdown.run_until_cancelled(tokio::time::sleep(Duration::from_millis(500))).await;
}

#[derive(Clone)]
struct Connection {
    transport: Transport,
    router: Router,
    limits: ServeLimits,
    draining: CancellationToken,
    counts: Arc<Counts>,
}

impl Connection {
    async fn run(self, stream: TcpStream, address: SocketAddr, _place: Place) {
        let _ = stream.set_nodelay(true); // only delays answers if refused
        let stream = StallGuard::new(stream, self.limits.write_stall);
        let peer = PeerAddress(address);
        let reloader = match &self.transport {
            Transport::Plain => return self.speak(stream, peer, None, CancellationToken::new()).await,
            Transport::Tls(reloader) => reloader,
        };
        let tls = reloader.current();
        let acceptor = TlsAcceptor::from(tls.config);
        let handshake = acceptor.accept(stream).into_fallible();
        let handshake = tokio::time::timeout(self.limits.handshake_timeout, handshake);
        let Some(outcome) = self.draining.run_until_cancelled(handshake).await else { return };
        match outcome {
            Ok(Ok(stream)) => {
                let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let certificate = leaf.map(|leaf| {
                    let der = leaf.clone().into_owned();
                    PeerCertificate { sha256: fingerprint(&der), der }
                });
                self.speak(stream, peer, certificate, tls.superseded).await;
            }
            Ok(Err((error, stream))) => {
                self.handshake_failed(handshake_reason(&error));
                linger(stream).await;
            }
            Err(_) => self.handshake_failed("timeout"),
        }
    }

    fn handshake_failed(&self, reason: &'static str) {
        self.counts.handshakes_failed.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("porth_tls_handshakes_failed_total", "reason" => reason).increment(1);
        tracing::info!(reason, "a TLS handshake failed");
    }

    async fn speak<IO>(
        &self,
        stream: IO,
        address: PeerAddress,
        certificate: Option<PeerCertificate>,
        superseded: CancellationToken,
    ) where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(address);
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            self.router.clone().oneshot(request.map(Body::new))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_header_size(self.limits.header_bytes)
            .max_headers(64)
            .max_buf_size(64 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);

        let mut old = pin!(tokio::time::sleep(self.limits.connection_age));
        tokio::select! {
            // How a connection ends is the peer's affair; failed requests have been logged as such.
            _ = connection.as_mut() => return,
            () = old.as_mut() => {}
            () = superseded.cancelled() => {}
            () = self.draining.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(self.limits.last_request, connection).await;
    }
}

/// Lets the peer read why its handshake failed. In TLS 1.3 a client sends its first request before it
/// hears about its certificate; closing over those unread bytes would reset the connection and lose
/// the alert.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let farewell = async {
        stream.shutdown().await?;
        let mut rest = stream.take(64 * 1024);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), farewell).await; // a courtesy, however it ends
}

/// A short word for figures and the log; the library's own text may quote names from a certificate.
fn handshake_reason(error: &io::Error) -> &'static str {
    use rustls::CertificateError as Bad;
    use rustls::Error as Tls;
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) else {
        return "connection-lost";
    };
    match error {
        Tls::NoCertificatesPresented => "no-certificate",
        Tls::InvalidCertificate(Bad::Revoked) => "revoked",
        Tls::InvalidCertificate(Bad::UnknownIssuer) => "unknown-issuer",
        Tls::InvalidCertificate(Bad::UnknownRevocationStatus) => "no-revocation-list",
        Tls::InvalidCertificate(Bad::ExpiredRevocationList | Bad::ExpiredRevocationListContext { .. }) => {
            "revocation-list-lapsed"
        }
        Tls::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => "certificate-lapsed",
        Tls::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => "certificate-not-yet-valid",
        Tls::InvalidCertificate(Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. }) => "wrong-purpose",
        Tls::InvalidCertificate(_) => "bad-certificate",
        Tls::PeerIncompatible(_) => "incompatible",
        Tls::AlertReceived(_) => "refused-by-peer",
        _ => "protocol",
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn running_out_of_file_handles_pauses_the_loop_and_a_peer_that_left_does_not() {
        let pause = |error: io::Error| async move {
            let started = Instant::now();
            back_off(&error, &CancellationToken::new()).await;
            started.elapsed()
        };
        let out_of_handles = io::Error::from_raw_os_error(libc::EMFILE);
        assert!(pause(out_of_handles).await >= Duration::from_millis(500));
        assert_eq!(pause(io::ErrorKind::ConnectionAborted.into()).await, Duration::ZERO);
    }
}
