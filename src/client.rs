//! The HTTP client of the command line and the tests: TLS 1.3 with a client certificate, one pinned
//! authority, limits on time and size, and errors that say what to do.
//!
//! It knows nothing of the API's types; callers bring their own.

use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::Frame;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

mod chain;
mod options;
mod trouble;

pub use chain::is_signed_by;
pub use options::{ClientIdentity, ClientOptions};
pub use trouble::Trouble;

use options::{check_address, tls_config};

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Why a call did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The options cannot be used.
    #[error("client-options: {0}")]
    Options(&'static str),
    /// No answer, because there was no connection or it broke.
    #[error("{trouble}")]
    Connection {
        /// What to check.
        trouble: Trouble,
    },
    /// No answer in time.
    #[error("timeout: no answer within {} seconds; try again with the same idempotency key", .limit.as_secs())]
    Timeout {
        /// The time that passed.
        limit: Duration,
    },
    /// The gateway answered with a problem.
    #[error("{0}")]
    Problem(Box<ServerProblem>),
    /// An answer that no gateway gives.
    #[error("unexpected-answer: status {status}, and not a problem document; check that the address is the gateway's")]
    Unexpected {
        /// The status that came.
        status: StatusCode,
    },
    /// An answer that is too long.
    #[error("answer-too-large: the answer is longer than {limit} bytes")]
    AnswerTooLarge {
        /// The limit that was passed.
        limit: usize,
    },
    /// An answer that is not what the caller expects, or a request that cannot be written.
    #[error(
        "not-understood: the {what} cannot be read or written as JSON; check that client and gateway are of one version"
    )]
    NotUnderstood {
        /// Request or answer.
        what: &'static str,
    },
}

impl ClientError {
    /// The server's problem kind, if the server answered with one.
    pub fn problem(&self) -> Option<&ServerProblem> {
        if let Self::Problem(problem) = self { Some(problem) } else { None }
    }
}

/// A problem as the gateway sent it.
#[derive(Debug, Clone, Deserialize)]
pub struct ServerProblem {
    /// The short stable name.
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened.
    pub title: String,
    /// What is particular to this occurrence.
    #[serde(default)]
    pub detail: Option<String>,
    /// What to do next.
    #[serde(default)]
    pub next: String,
    /// The fields that are wrong.
    #[serde(default)]
    pub errors: Vec<ServerFieldError>,
    /// The gateway's own short name of the fault.
    #[serde(default)]
    pub code: Option<String>,
    /// The submission that was refused; its row errors can be read.
    #[serde(default)]
    pub submission: Option<String>,
    /// The log entry of a refusal.
    #[serde(default)]
    pub disclosure: Option<String>,
    /// The signed promise that the refusal is in the log.
    #[serde(default)]
    pub receipt: Option<String>,
    /// The rules in the way of what was asked.
    #[serde(default)]
    pub rules: Vec<ServerRule>,
    /// The id to give to the operator.
    #[serde(default)]
    pub request_id: Option<String>,
}

/// A rule that the agreements put in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRule {
    /// Its id in the rule book.
    pub rule: String,
    /// What it says.
    pub say: String,
}

impl std::fmt::Display for ServerProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind, self.title)?;
        if let Some(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        write!(f, " {}", self.next)?;
        if let Some(id) = &self.request_id {
            write!(f, " [request {id}]")?;
        }
        Ok(())
    }
}

/// A field that the gateway refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFieldError {
    /// The row of a batch, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// Where the field is.
    pub field: String,
    /// What is wrong, for programs.
    pub code: String,
    /// What is wrong, for people.
    pub message: String,
}

/// What goes with a call besides its body.
#[derive(Default)]
pub struct CallHeaders {
    /// The access token.
    pub bearer: Option<SecretString>,
    /// The key under which a repeat of the call does nothing twice.
    pub idempotency_key: Option<String>,
}

/// An answer that is no problem.
#[derive(Debug)]
pub struct Answer {
    /// The status, 2xx.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Reads the body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|_| ClientError::NotUnderstood { what: "answer" })
    }
}

/// A client of one gateway. Connections are kept and used again.
pub struct Client {
    address: String,
    http: HyperClient<HttpsConnector<HttpConnector>, Body>,
    call_timeout: Duration,
    upload_timeout: Duration,
    answer_bytes: usize,
}

impl Client {
    /// Makes a client; connects to nothing yet.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let address = options.address.trim_end_matches('/').to_owned();
        check_address(&address)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(options.connect_timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config(&options)?)
            .https_or_http() // `check_address` has refused plain HTTP except towards this machine
            .enable_http1()
            .wrap_connector(tcp);
        let http = HyperClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(10)) // below the gateway's own limit on idle connections
            .build(connector);
        Ok(Self {
            address,
            http,
            call_timeout: options.call_timeout,
            upload_timeout: options.upload_timeout,
            answer_bytes: options.answer_bytes,
        })
    }

    /// Fetches a path.
    pub async fn get(&self, path: &str, headers: &CallHeaders) -> Result<Answer, ClientError> {
        self.call(Method::GET, path, headers, None, whole(Bytes::new()), self.call_timeout).await
    }

    /// Posts a value as JSON.
    pub async fn post_json<T: Serialize + ?Sized>(
        &self,
        path: &str,
        headers: &CallHeaders,
        value: &T,
    ) -> Result<Answer, ClientError> {
        let body = serde_json::to_vec(value).map_err(|_| ClientError::NotUnderstood { what: "request" })?;
        self.post_bytes(path, headers, "application/json", body.into()).await
    }

    /// Posts bytes of any media type, such as the form of a token request.
    pub async fn post_bytes(
        &self,
        path: &str,
        headers: &CallHeaders,
        media_type: &'static str,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        self.call(Method::POST, path, headers, Some(media_type), whole(body), self.call_timeout).await
    }

    /// Posts newline-delimited JSON from a reader, holding no more of it than one read.
    pub async fn post_stream(
        &self,
        path: &str,
        headers: &CallHeaders,
        reader: impl AsyncRead + Send + 'static,
    ) -> Result<Answer, ClientError> {
        let frames = ReaderStream::with_capacity(reader, 64 * 1024).map_ok(Frame::data);
        let body = StreamBody::new(frames).boxed_unsync();
        self.call(Method::POST, path, headers, Some("application/x-ndjson"), body, self.upload_timeout).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &CallHeaders,
        media_type: Option<&'static str>,
        body: Body,
        limit: Duration,
    ) -> Result<Answer, ClientError> {
        let uri: Uri = format!("{}{path}", self.address)
            .parse()
            .map_err(|_| ClientError::Options("the path cannot be part of an address"))?;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        write_headers(request.headers_mut(), headers, media_type)?;
        tokio::time::timeout(limit, self.exchange(request)).await.map_err(|_| ClientError::Timeout { limit })?
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Answer, ClientError> {
        let response = self
            .http
            .request(request)
            .await
            .map_err(|error| ClientError::Connection { trouble: Trouble::of(&error) })?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, self.answer_bytes).collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                ClientError::AnswerTooLarge { limit: self.answer_bytes }
            } else {
                ClientError::Connection { trouble: Trouble::of(&*error) }
            }
        })?;
        let body = body.to_bytes();
        if parts.status.is_success() {
            return Ok(Answer { status: parts.status, headers: parts.headers, body });
        }
        let problem = serde_json::from_slice(&body).map_err(|_| ClientError::Unexpected { status: parts.status })?;
        Err(ClientError::Problem(Box::new(problem)))
    }
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn write_headers(
    map: &mut HeaderMap,
    headers: &CallHeaders,
    media_type: Option<&'static str>,
) -> Result<(), ClientError> {
    let accepted = HeaderValue::from_static("application/json, application/problem+json");
    map.insert(header::ACCEPT, accepted);
    if let Some(media_type) = media_type {
        map.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    if let Some(bearer) = &headers.bearer {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", bearer.expose_secret()))
            .map_err(|_| ClientError::Options("the access token has characters that no header can carry"))?;
        value.set_sensitive(true);
        map.insert(header::AUTHORIZATION, value);
    }
    if let Some(key) = &headers.idempotency_key {
        let value = HeaderValue::from_str(key)
            .map_err(|_| ClientError::Options("the idempotency key has characters that no header can carry"))?;
        map.insert(HeaderName::from_static("idempotency-key"), value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_kind_what_happened_and_what_to_do() {
        let text = r#"{"kind":"too-large","status":413,"title":"Too long.","next":"Split it.","request_id":"7"}"#;
        let problem: ServerProblem = serde_json::from_str(text).expect("a problem");
        assert_eq!(problem.to_string(), "too-large: Too long. Split it. [request 7]");
    }
}
