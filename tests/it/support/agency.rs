//! An agency's system in a test: it fetches tokens, submits feeds and asks.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use porth::client::{Client, ClientIdentity, ClientOptions};
use porth::crypto::jwt::{ClientKey, make_assertion};
use porth::domain::ids::AgencyCode;
use porth::domain::time::Timestamp;
use serde_json::{Value, json};

use super::connection::{Connection, Reply};
use super::gateway::{ISSUER, PROGRAMME, TestGateway, random};
use super::people::{self, Person};

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
    pub(crate) fingerprint: [u8; 32],
}

/// An enrolled system of an agency.
pub(crate) struct TestAgency<'g> {
    pub(crate) home: &'g TestGateway,
    pub(crate) code: AgencyCode,
    pub(crate) client: String,
    pub(crate) key: ClientKey,
    pub(crate) identity: Identity,
}

impl<'g> TestAgency<'g> {
    pub(crate) fn new(
        home: &'g TestGateway,
        code: AgencyCode,
        client: String,
        key: ClientKey,
        identity: Identity,
    ) -> Self {
        Self { home, code, client, key, identity }
    }

    /// A new connection with the agency's certificate.
    pub(crate) async fn connect(&self) -> Connection {
        connect(self.home, Some(&self.identity)).await.expect("a connection")
    }

    /// The typed client of the command line, with the agency's certificate.
    pub(crate) fn http_client(&self) -> Client {
        let address = format!("https://localhost:{}", self.home.running.agencies.port());
        let identity = ClientIdentity {
            certificate_pem: self.identity.certificate_pem.clone().into_bytes(),
            private_key_pem: self.identity.key_pem.clone().into(),
        };
        let roots = self.home.authority.certificate().pem.clone();
        Client::new(ClientOptions::new(address, roots).with_identity(identity)).expect("good options")
    }

    /// Asks for a token with an assertion made at a time.
    pub(crate) async fn request_token(&self, at: Timestamp) -> Reply {
        let assertion = self.assertion(at);
        self.connect().await.send(token_request(&assertion)).await.expect("an answer")
    }

    /// A client assertion made at a time.
    pub(crate) fn assertion(&self, at: Timestamp) -> String {
        let kid = self.key.public().thumbprint();
        make_assertion(&self.key, &kid, &self.client, ISSUER, at, &random()).expect("signed")
    }

    /// An access token.
    pub(crate) async fn token(&self) -> String {
        let reply = self.request_token(self.home.now().await).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["access_token"].as_str().expect("a token").to_owned()
    }

    /// Sends a request with a fresh token over a fresh connection.
    pub(crate) async fn call(&self, method: &str, path: &str, more: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        let token = self.token().await;
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend_from_slice(more);
        self.connect().await.send(request(method, path, &headers, body)).await.expect("an answer")
    }

    /// The header line of a submission as at today.
    pub(crate) async fn header(&self, feed: &str, agreement: &str) -> Value {
        let policies = self.home.gateway().current_policies().await.expect("policies");
        json!({
            "programme": PROGRAMME, "agency": self.code, "feed": feed, "agreement": agreement, "mode": "snapshot",
            "rows": "all_or_nothing", "as_at": self.home.now().await.date(), "scheme": "pt1", "norm": policies.norm(),
            "match_keys": policies.match_keys_sha256_hex(),
            "epochs": [people::epoch(&self.home.linkage)],
        })
    }

    /// Submits rows as a whole file.
    pub(crate) async fn submit(&self, feed: &str, agreement: &str, rows: &[Value]) -> Reply {
        let header = self.header(feed, agreement).await;
        self.submit_text(people::file(&header, rows)).await
    }

    /// Submits a file as it is.
    pub(crate) async fn submit_text(&self, text: String) -> Reply {
        let key = idempotency_key();
        let headers = [("content-type", "application/x-ndjson"), ("idempotency-key", key.as_str())];
        self.call("POST", "/v1/submissions", &headers, text).await
    }

    /// Submits rows and waits until enquiries see them.
    pub(crate) async fn deliver(&self, feed: &str, agreement: &str, rows: &[Value]) -> String {
        let reply = self.submit(feed, agreement, rows).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        let id = reply.json()["id"].as_str().expect("an id").to_owned();
        self.wait_visible(&id).await;
        id
    }

    /// What the gateway says of a submission.
    pub(crate) async fn submission(&self, id: &str, query: &str) -> Reply {
        self.call("GET", &format!("/v1/submissions/{id}{query}"), &[], "").await
    }

    /// Waits until enquiries see a submission.
    pub(crate) async fn wait_visible(&self, id: &str) {
        self.wait_state(id, "visible").await;
    }

    /// Waits until a submission is in a state.
    pub(crate) async fn wait_state(&self, id: &str, state: &str) {
        let id = id.parse().expect("a submission id");
        for _ in 0..600 {
            let found = self.home.gateway().store().submission(id).await.expect("the database").expect("it is there");
            if found.state.as_str() == state {
                return;
            }
            assert_ne!(found.state.as_str(), "failed", "{:?}", found.failure);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the submission did not become {state}");
    }

    /// A question about a person, in the terms that the Early Help Hub has.
    pub(crate) fn question(&self, mode: &str, person: &Person) -> Value {
        people::question(&self.home.linkage, mode, person)
    }

    /// Asks a question under a fresh key.
    pub(crate) async fn enquire(&self, question: &Value) -> Reply {
        self.enquire_again(question, &idempotency_key()).await
    }

    /// Asks a question under a key.
    pub(crate) async fn enquire_again(&self, question: &Value, key: &str) -> Reply {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.call("POST", "/v1/enquiries", &headers, question.to_string()).await
    }
}

/// A connection with a certificate or none.
pub(crate) async fn connect(home: &TestGateway, identity: Option<&Identity>) -> std::io::Result<Connection> {
    Connection::open(home.running.agencies, &home.authority.certificate().pem, identity).await
}

/// A request, its length told.
pub(crate) fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path).header("host", "localhost");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body.into())).expect("a request")
}

/// A token request with an assertion.
pub(crate) fn token_request(assertion: &str) -> Request<Full<Bytes>> {
    let form = format!(
        "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
         client-assertion-type%3Ajwt-bearer&client_assertion={assertion}"
    );
    request("POST", "/oauth/token", &[("content-type", "application/x-www-form-urlencoded")], form)
}

/// A fresh `Idempotency-Key`.
pub(crate) fn idempotency_key() -> String {
    uuid::Uuid::now_v7().to_string()
}
