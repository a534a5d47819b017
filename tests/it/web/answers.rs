//! What callers read: problems for every failure, a request id on every answer, never their own input.

use std::io::Cursor;

use bytes::Bytes;
use porth::client::{CallHeaders, ClientError, ServerProblem};
use porth::web::problem::documentation;
use porth::web::serve::ServeLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::listener::{Listener, PATIENCE, Question};

async fn raw(listener: &Listener, request: &str) -> (String, ServerProblem) {
    let mut stream = listener.connect().await;
    let request = request.replace('\n', "\r\n").replace("HTTP/1.1", "HTTP/1.1\r\nhost: x\r\nconnection: close");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut text = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("in time").expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    let problem: ServerProblem = serde_json::from_str(body).expect("a problem");
    let id = problem.request_id.clone().expect("a request id");
    assert!(head.contains(&format!("x-request-id: {id}")), "{head}");
    (text, problem)
}

#[tokio::test]
async fn whatever_fails_is_a_problem_and_repeats_nothing() {
    let listener = Listener::plain(ServeLimits::default()).await;
    let json = "POST /double HTTP/1.1\ncontent-type: application/json\n";
    let cases = [
        ("GET /jowan HTTP/1.1\n\n".to_owned(), 404, "not-found"),
        ("GET /whoami/jowan?name=jowan HTTP/1.1\nx-request-id: jowan\n\n".to_owned(), 404, "not-found"),
        ("JOWAN /double HTTP/1.1\n\n".to_owned(), 405, "method-not-allowed"),
        ("GET /double HTTP/1.1\n\n".to_owned(), 405, "method-not-allowed"),
        ("GET /things/jowan HTTP/1.1\n\n".to_owned(), 400, "request-refused"),
        (format!("{json}content-length: 7\n\n[jowan}}"), 400, "malformed-body"),
        (format!("{json}content-length: 17\n\n{{\"count\":\"jowan\"}}"), 422, "invalid-field"),
        (format!("{json}content-length: 21\n\n{{\"count\":1,\"jowan\":1}}"), 422, "invalid-field"),
        (format!("{json}content-encoding: jowan\ncontent-length: 1\n\n1"), 415, "unsupported-coding"),
        (
            "POST /double HTTP/1.1\ncontent-type: text/jowan\ncontent-length: 1\n\n1".to_owned(),
            415,
            "unsupported-media-type",
        ),
        ("GET /panic HTTP/1.1\n\n".to_owned(), 500, "internal"),
        ("GET /fails HTTP/1.1\n\n".to_owned(), 500, "internal"),
        ("GET /never HTTP/1.1\n\n".to_owned(), 503, "timeout"),
    ];
    for (request, status, kind) in cases {
        let (text, problem) = raw(&listener, &request).await;
        assert_eq!((problem.status, problem.kind.as_str()), (status, kind), "{request}");
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
        assert!(!text.to_lowercase().contains("jowan") && !text.contains("db.internal"), "{request}: {text}");
    }
    let (text, _) = raw(&listener, "GET /double HTTP/1.1\n\n").await;
    assert!(text.to_lowercase().contains("allow: post"), "{text}");
}

#[tokio::test]
async fn a_good_answer_has_a_request_id_and_is_not_kept_by_caches() {
    let listener = Listener::plain(ServeLimits::default()).await;
    let client = listener.client();
    let question = Question { count: 21 };
    let answer = client.post_json("/double", &CallHeaders::default(), &question).await.expect("answered");
    assert_eq!(answer.json::<Question>().expect("JSON").count, 42);
    assert_eq!(answer.headers["x-request-id"].len(), 36);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let again = client.post_json("/double", &CallHeaders::default(), &question).await.expect("answered");
    assert_ne!(answer.headers["x-request-id"], again.headers["x-request-id"]);
}

#[tokio::test]
async fn a_stream_of_rows_is_read_whole_and_its_limits_are_told() {
    let listener = Listener::plain(ServeLimits::default()).await;
    let client = listener.client();
    let rows = |count: usize| Cursor::new(Bytes::from("{\"ref\":\"abcdefghijklmnopqrstuv\"}\n".repeat(count)));

    let answer = client.post_stream("/lines", &CallHeaders::default(), rows(50_000)).await.expect("read whole");
    assert_eq!(answer.json::<Question>().expect("JSON").count, 50_000);

    let error = client.post_stream("/lines", &CallHeaders::default(), rows(50_001)).await.expect_err("one too many");
    assert_eq!(error.problem().map(|problem| problem.kind.as_str()), Some("too-many-rows"), "{error}");

    let long = Cursor::new(Bytes::from("a".repeat(101)));
    let error = client.post_stream("/lines", &CallHeaders::default(), long).await.expect_err("too long");
    assert!(error.to_string().contains("line 1 is longer than 100 bytes"), "{error}");

    let endless = Cursor::new(Bytes::from("a".repeat(30_000_000)));
    let error = client.post_stream("/lines", &CallHeaders::default(), endless).await.expect_err("too long");
    assert_eq!(error.problem().map(|problem| problem.kind.as_str()), Some("line-too-long"), "{error}");
}

#[tokio::test]
async fn the_client_gives_the_servers_kind_and_next_step() {
    let listener = Listener::plain(ServeLimits::default()).await;
    let error = listener.client().get("/nowhere", &CallHeaders::default()).await.expect_err("no such path");
    let ClientError::Problem(problem) = error else { panic!("expected a problem, got {error}") };
    assert_eq!((problem.kind.as_str(), problem.status), ("not-found", 404));
    assert!(problem.next.starts_with("Check the path"));
}

/// The page is written anew with `PORTH_WRITE_DOCS=1`.
#[test]
fn the_page_of_problems_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/problems.md");
    if std::env::var_os("PORTH_WRITE_DOCS").is_some() {
        std::fs::write(path, documentation()).expect("written");
    }
    let page = std::fs::read_to_string(path).expect("docs/problems.md is there");
    assert_eq!(page, documentation(), "run this test with PORTH_WRITE_DOCS=1");
}
