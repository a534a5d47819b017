//! One TLS connection to the gateway, used for as many requests as a test likes: what comes back is
//! seen whole, headers and all, and nothing is retried.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::agency::Identity;

/// A connection that stays open between requests.
pub(crate) struct Connection(SendRequest<Full<Bytes>>);

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr, roots: &str, identity: Option<&Identity>) -> io::Result<Self> {
        let stream = open_stream(address, roots, identity).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(connection); // ends with the sender
        Ok(Self(sender))
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> io::Result<Reply> {
        self.0.ready().await.map_err(io::Error::other)?;
        let response = self.0.send_request(request).await.map_err(io::Error::other)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

/// The bare TLS stream, for requests that break off.
pub(crate) async fn open_stream(
    address: SocketAddr,
    roots: &str,
    identity: Option<&Identity>,
) -> io::Result<TlsStream<TcpStream>> {
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from_pem_slice(roots.as_bytes()).expect("a certificate")).expect("usable");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(store);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = vec![CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes()).expect("one")];
            let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).expect("a key");
            builder.with_client_auth_cert(chain, key).expect("they belong together")
        }
    };
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON, status {}", self.status))
    }

    /// The kind of the problem that came back.
    pub(crate) fn kind(&self) -> String {
        let media_type = self.headers.get("content-type").map(hyper::header::HeaderValue::as_bytes);
        assert_eq!(media_type, Some(&b"application/problem+json"[..]), "{self:?}");
        self.json()["kind"].as_str().expect("a kind").to_owned()
    }

    /// The names of the headers, sorted.
    pub(crate) fn header_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.headers.keys().map(hyper::header::HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Everything that came back, as text.
    pub(crate) fn text(&self) -> String {
        format!("{:?}\n{}", self.headers, String::from_utf8_lossy(&self.body))
    }
}
