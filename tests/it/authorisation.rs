//! Who may call what: every operation of the OpenAPI document, with every credential that is not good.

use porth::crypto::jwt::AccessGrant;
use porth::domain::time::Timestamp;
use porth::web::api::openapi::document;
use rstest::rstest;
use serde_json::Value;

use crate::support::agency::{Identity, TestAgency, connect, idempotency_key, request, token_request};
use crate::support::connection::Reply;
use crate::support::database::Backend;
use crate::support::gateway::{TestGateway, random};
use crate::support::pki::Authority;

/// The operations that need no access token; every other needs one.
const OPEN: [&str; 2] = ["get /openapi.json", "post /oauth/token"];

/// An operation of the document, ready to be called with the document's own example.
struct Operation {
    name: String,
    method: String,
    path: String,
    media_type: Option<String>,
    body: String,
    needs_token: bool,
}

fn operations() -> Vec<Operation> {
    let document = document();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let content = operation["requestBody"]["content"].as_object().and_then(|all| all.iter().next());
            let (media_type, body) = match content {
                None => (None, String::new()),
                Some((media_type, content)) => {
                    let text = match &content["example"] {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    (Some(media_type.clone()), text)
                }
            };
            operations.push(Operation {
                name: format!("{method} {path}"),
                method: method.to_uppercase(),
                path: path
                    .replace("{id}", "01990000-0000-7000-8000-000000000000")
                    .replace("{path}", "0/000")
                    .replace("{table}", "areas?agreement=programme-delivery/v1&role=data-analyst"),
                media_type,
                body,
                needs_token: operation["security"][0].get("access_token").is_some(),
            });
        }
    }
    operations
}

impl Operation {
    fn request(&self, token: Option<&str>) -> hyper::Request<http_body_util::Full<bytes::Bytes>> {
        let (key, bearer) = (idempotency_key(), token.map(|token| format!("Bearer {token}")));
        let mut headers = vec![("idempotency-key", key.as_str())];
        headers.extend(self.media_type.as_deref().map(|it| ("content-type", it)));
        headers.extend(bearer.as_deref().map(|it| ("authorization", it)));
        request(&self.method, &self.path, &headers, self.body.clone())
    }
}

async fn call(
    home: &TestGateway,
    identity: Option<&Identity>,
    operation: &Operation,
    token: Option<&str>,
) -> std::io::Result<Reply> {
    connect(home, identity).await?.send(operation.request(token)).await
}

/// A token that the gateway's own key signed, with whatever is in it.
fn forged(
    home: &TestGateway,
    agency: &str,
    client: &str,
    (certificate, key_id): (&[u8; 32], &str),
    scope: &str,
    at: Timestamp,
) -> String {
    let grant = AccessGrant { client_id: client, key_id, subject: agency, scope, certificate };
    home.gateway().keys().access.issue(grant, at, &random())
}

fn assert_refused(reply: &Reply, kind: &str, case: &str) {
    assert_eq!(reply.status, 401, "{case}: {reply:?}");
    assert_eq!(reply.kind(), kind, "{case}");
    let challenge = reply.headers.get("www-authenticate").expect("a challenge").to_str().expect("text");
    assert!(challenge.starts_with("Bearer"), "{case}");
    assert!(reply.headers.contains_key("x-request-id"), "{case}");
}

fn assert_let_in(reply: &Reply, case: &str) {
    assert_ne!(reply.status, 401, "{case}: {reply:?}");
    assert_ne!(reply.status, 405, "{case}: {reply:?}");
    assert!(reply.status < 500, "{case}: {reply:?}");
}

#[test]
fn the_operations_without_a_token_are_these_two() {
    let mut open: Vec<String> = operations().into_iter().filter(|it| !it.needs_token).map(|it| it.name).collect();
    open.sort();
    assert_eq!(open, OPEN);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn no_operation_lets_in_a_caller_whose_credentials_are_not_all_good(#[case] backend: Backend) {
    let home = TestGateway::start_with(backend, "[limits]\nburst = 5000").await;
    let education = home.agency("education").await;
    let second = home.agency("education").await;
    let housing = home.agency("housing").await;
    let revoked = home.agency("police").await;
    let suspended = home.agency("kestrel").await;
    let now = home.now().await;

    let stranger = stranger();
    let unknown = home.certificate("education").await;
    let good = education.token().await;
    let (of_second, of_housing) = (second.token().await, housing.token().await);
    let (of_revoked, of_suspended) = (revoked.token().await, suspended.token().await);
    let forge = |agency: &TestAgency<'_>, client: &str, holder: &TestAgency<'_>, scope, at| {
        let kid = holder.key.public().thumbprint();
        forged(&home, agency.code.as_str(), client, (&holder.identity.fingerprint, &kid), scope, at)
    };
    let expired = forge(&education, &education.client, &education, "agency", now.plus_seconds(-3600));
    let another_client = forge(&education, &housing.client, &education, "agency", now);
    let another_subject = forge(&housing, &education.client, &education, "agency", now);
    let another_scope = forge(&education, &education.client, &education, "officer", now);
    let kid = education.key.public().thumbprint();
    let unenrolled = forged(&home, "education", &education.client, (&unknown.fingerprint, &kid), "agency", now);
    let mut kept_open = suspended.connect().await;
    let first = operations().into_iter().find(|it| it.name == "get /v1/agreements").expect("it is there");
    assert_eq!(kept_open.send(first.request(Some(&of_suspended))).await.expect("an answer").status, 200);

    home.gateway().revoke_certificate(&revoked.identity.fingerprint, "operator", "lost").await.expect("revoked");
    home.gateway().set_agency_active(&suspended.code, false, "operator", "incident").await.expect("suspended");

    for operation in operations().iter().filter(|operation| operation.method == "GET" && operation.needs_token) {
        let reply = kept_open.send(operation.request(Some(&of_suspended))).await.expect("an answer");
        assert_refused(&reply, "agency-suspended", &format!("{}, on the open connection", operation.name));
    }

    let own = &education.identity;
    for operation in operations().iter().filter(|operation| operation.needs_token) {
        let name = &operation.name;
        assert!(call(&home, None, operation, Some(&good)).await.is_err(), "{name} without certificate");
        assert!(call(&home, Some(&stranger), operation, Some(&good)).await.is_err(), "{name} by a stranger");
        let cases = [
            ("no token", own, None, "unauthenticated"),
            ("no token at all", own, Some("x"), "token-invalid"),
            ("expired", own, Some(expired.as_str()), "token-invalid"),
            ("bound to the agency's other certificate", own, Some(of_second.as_str()), "token-invalid"),
            ("another agency's", own, Some(of_housing.as_str()), "token-invalid"),
            ("of another agency's client", own, Some(another_client.as_str()), "client-unknown"),
            ("of another agency's subject", own, Some(another_subject.as_str()), "client-unknown"),
            ("of another scope", own, Some(another_scope.as_str()), "client-unknown"),
            ("over a certificate that is not enrolled", &unknown, Some(good.as_str()), "certificate-unknown"),
            ("for a certificate that is not enrolled", &unknown, Some(unenrolled.as_str()), "certificate-unknown"),
            ("revoked certificate", &revoked.identity, Some(of_revoked.as_str()), "certificate-suspended"),
            ("suspended agency", &suspended.identity, Some(of_suspended.as_str()), "agency-suspended"),
        ];
        for (case, identity, token, kind) in cases {
            let reply = call(&home, Some(identity), operation, token).await.expect("an answer");
            assert_refused(&reply, kind, &format!("{name}, {case}"));
        }
        let reply = call(&home, Some(own), operation, Some(&good)).await.expect("an answer");
        assert_let_in(&reply, name);
    }
    home.stop().await;
}

#[tokio::test]
async fn no_token_is_given_to_a_certificate_or_client_that_is_not_good() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    let housing = home.agency("housing").await;
    let unknown = home.certificate("education").await;
    let now = home.now().await;

    let ask = async |identity: &Identity, assertion: String| {
        let mut connection = connect(&home, Some(identity)).await.expect("a connection");
        connection.send(token_request(&assertion)).await.expect("an answer")
    };
    let over_unknown = ask(&unknown, education.assertion(now)).await;
    assert_refused(&over_unknown, "certificate-unknown", "unknown certificate");
    assert_eq!(over_unknown.json()["error"], "invalid_client");
    let over_others = ask(&housing.identity, education.assertion(now)).await;
    assert_refused(&over_others, "client-unknown", "another agency's certificate");
    let once = education.assertion(now);
    let reply = ask(&education.identity, once.clone()).await;
    assert_eq!((reply.status, reply.headers["cache-control"].as_bytes()), (200, &b"no-store"[..]));
    assert_refused(&ask(&education.identity, once).await, "assertion-replayed", "used twice");

    home.gateway().set_agency_active(&housing.code, false, "operator", "incident").await.expect("suspended");
    assert_refused(&ask(&housing.identity, housing.assertion(now)).await, "agency-suspended", "suspended");
    home.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_by_how_many_seconds() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    let now = home.now().await;
    for (shift, words, code) in [(95, "in the future", "token-clock-ahead"), (-95, "in the past", "token-clock-behind")]
    {
        let reply = education.request_token(now.plus_seconds(shift)).await;
        assert_refused(&reply, "assertion-expired", words);
        let problem = reply.json();
        let detail = problem["detail"].as_str().expect("a detail");
        let told = detail.split(' ').find_map(|word| word.parse::<i64>().ok()).expect("a number of seconds");
        assert!(detail.contains(words) && (90..=100).contains(&told), "{detail}");
        assert_eq!((&problem["code"], &problem["error"]), (&code.into(), &"invalid_client".into()));
    }
    home.stop().await;
}

#[tokio::test]
async fn a_client_that_asks_too_fast_is_told_to_wait_and_others_are_not() {
    let home = TestGateway::start_with(Backend::Sqlite, "[limits]\nburst = 4\nrequests_per_second = 0.01").await;
    let education = home.agency("education").await;
    let housing = home.agency("housing").await;
    let token = education.token().await;
    let bearer = format!("Bearer {token}");
    let mut connection = education.connect().await;
    let mut last = None;
    for _ in 0..5 {
        let request = request("GET", "/v1/agreements", &[("authorization", &bearer)], "");
        let reply = connection.send(request).await.expect("an answer");
        assert!(reply.headers.contains_key("ratelimit") && reply.headers.contains_key("ratelimit-policy"));
        last = Some(reply);
    }
    let last = last.expect("five answers");
    assert_eq!((last.status, last.kind().as_str()), (429, "rate-limited"));
    assert!(last.headers.contains_key("retry-after"));
    assert_eq!(housing.call("GET", "/v1/agreements", &[], "").await.status, 200);
    home.stop().await;
}

/// Somebody whose certificate another authority signed.
fn stranger() -> Identity {
    let made = Authority::new("Somebody else's authority").client("stranger");
    Identity { certificate_pem: made.certificate_pem, key_pem: made.key_pem, fingerprint: [0; 32] }
}
