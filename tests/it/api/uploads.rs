//! An upload whose connection breaks off goes on where it was, lands once, and mixes no two files.

use std::time::Duration;

use porth::app::submit::LineDigest;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::agency::{TestAgency, idempotency_key};
use crate::support::connection::{Reply, open_stream};
use crate::support::database::Backend;
use crate::support::gateway::{TestGateway, hexadecimal};
use crate::support::people::{Person, file, flag, reference};

const FEED: &str = "attendance";
const AGREEMENT: &str = "early-help-core/v1";
const JENNA: Person = Person::new("Jenna", "1 Quay");
const NDJSON: &str = "application/x-ndjson";

/// A row about somebody under the reference of a number.
fn row(home: &TestGateway, number: usize, state: &str) -> Value {
    let mut row = JENNA.record(&home.linkage, "child", json!([flag("E1", state)]));
    row["ref"] = reference(&number.to_string()).into();
    row
}

/// Sends a part of a body that says it is longer, and leaves the connection open.
async fn begin(agency: &TestAgency<'_>, path: &str, key: &str, media_type: &str, part: &str) -> TlsStream<TcpStream> {
    let token = agency.token().await;
    let roots = &agency.home.authority.certificate().pem;
    let stream = open_stream(agency.home.running.agencies, roots, Some(&agency.identity)).await;
    let mut stream = stream.expect("a connection");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nidempotency-key: {key}\r\n\
         content-type: {media_type}\r\ncontent-length: {}\r\n\r\n{part}",
        part.len() + 1_000_000
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.flush().await.expect("sent");
    stream
}

async fn held(agency: &TestAgency<'_>, key: &str) -> Reply {
    agency.call("POST", "/v1/submissions/held", &[("idempotency-key", key)], "").await
}

/// Waits until lines up to one are held; gives the submission's id.
async fn wait_held(agency: &TestAgency<'_>, key: &str, line: usize) -> String {
    let mut last = None;
    for _ in 0..400 {
        let reply = held(agency, key).await;
        if reply.status == 200 && reply.json()["line"] == line {
            return reply.json()["id"].as_str().expect("an id").to_owned();
        }
        last = Some(reply);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("line {line} is not held: {last:?}");
}

/// The running digest over the first lines of a file.
fn digest(text: &str, lines: usize) -> String {
    let mut lines = text.lines().take(lines);
    let mut digest = LineDigest::of_header(lines.next().expect("a header").as_bytes());
    lines.for_each(|line| digest.add(line.as_bytes()));
    hexadecimal(digest.as_bytes())
}

/// The rest of a file from a line on, as it is sent.
fn rest(text: &str, after: usize) -> String {
    let lines: Vec<&str> = text.lines().skip(after).collect();
    format!("{}\n{}\n", json!({ "after": after, "digest": digest(text, after) }), lines.join("\n"))
}

fn first_lines(text: &str, lines: usize) -> String {
    text.lines().take(lines).fold(String::new(), |part, line| part + line + "\n")
}

async fn go_on(agency: &TestAgency<'_>, id: &str, body: String) -> Reply {
    let key = idempotency_key();
    let headers = [("content-type", NDJSON), ("idempotency-key", key.as_str())];
    agency.call("POST", &format!("/v1/submissions/{id}/lines"), &headers, body).await
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_upload_that_was_cut_off_twice_goes_on_where_it_was_and_lands_once(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = home.agency("education").await;
    let second_system = home.agency("education").await;
    let mut header = education.header(FEED, AGREEMENT).await;
    header["rows"] = "good_rows".into();
    let mut rows: Vec<Value> = (0..1200).map(|number| row(&home, number, "met")).collect();
    rows[700]["flags"] = json!([flag("Z9", "met")]); // line 702: no such criterion
    rows[1000]["ref"] = rows[3]["ref"].clone(); // line 1002 names what an earlier connection brought
    let text = file(&header, &rows);
    let key = idempotency_key();

    // Cut off in the middle of line 902.
    let part = first_lines(&text, 901) + "{\"ref\":\"";
    drop(begin(&education, "/v1/submissions", &key, NDJSON, &part).await);
    let id = wait_held(&education, &key, 901).await;
    let found = held(&education, &key).await.json();
    assert_eq!(found["digest"], digest(&text, 901), "both sides hold the same lines");
    let seen = education.submission(&id, "").await.json();
    assert_eq!((&seen["state"], &seen["rows_read"]), (&"staging".into(), &900.into()));

    // Another place, another file and another system do not get in.
    let mut other = rows.clone();
    other[5] = row(&home, 5, "not_met");
    let other = file(&header, &other);
    for wrong in [rest(&text, 900), rest(&text, 902), rest(&other, 901), text.clone(), String::new()] {
        let reply = go_on(&education, &id, wrong).await;
        assert_eq!((reply.status, &reply.json()["code"]), (409, &"upload.continuation".into()), "{reply:?}");
    }
    assert_eq!(held(&second_system, &key).await.kind(), "not-found");
    assert_eq!(go_on(&second_system, &id, rest(&text, 901)).await.kind(), "not-found");

    // It goes on, is cut off again, and goes on to its end.
    let body = rest(&text, 901);
    let path = format!("/v1/submissions/{id}/lines");
    drop(begin(&education, &path, &key, NDJSON, &(first_lines(&body, 101) + "{")).await);
    assert_eq!(wait_held(&education, &key, 1001).await, id);
    let reply = go_on(&education, &id, rest(&text, 1001)).await;
    assert_eq!((reply.status, &reply.json()["id"]), (202, &id.as_str().into()), "{reply:?}");
    education.wait_visible(&id).await;

    let seen = education.submission(&id, "").await.json();
    let counts = ["rows_read", "rows_accepted", "rows_rejected"].map(|name| seen[name].as_i64().expect("a count"));
    assert_eq!(counts, [1200, 1198, 2]);
    let told: Vec<_> = seen["errors"].as_array().expect("errors").iter().map(|e| (&e["row"], &e["code"])).collect();
    assert_eq!(told, [(&702.into(), &"flag.criterion".into()), (&1002.into(), &"row.duplicate_ref".into())]);
    let again = education.submit_text(text.clone()).await.json();
    assert_eq!(again, json!({ "id": id, "state": "visible", "is_repeat": true }), "the same file, in one piece");
    assert_eq!(held(&education, &key).await.kind(), "not-found", "nothing is held of what has landed");
    assert_eq!(go_on(&education, &id, rest(&text, 1001)).await.kind(), "not-found");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn of_two_connections_that_send_one_file_the_later_alone_goes_on(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = home.agency("education").await;
    let header = education.header(FEED, AGREEMENT).await;
    let rows: Vec<Value> = (0..1600).map(|number| row(&home, number, "met")).collect();
    let text = file(&header, &rows);
    let key = idempotency_key();
    // Rows are stored 500 at a time, each piece once the next is on its way.
    let first = begin(&education, "/v1/submissions", &key, NDJSON, &first_lines(&text, 1101)).await;
    let id = wait_held(&education, &key, 501).await;

    let reply = go_on(&education, &id, rest(&text, 501)).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    education.wait_visible(&id).await;
    drop(first);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let seen = education.submission(&id, "").await.json();
    assert_eq!(
        (&seen["state"], &seen["rows_read"], &seen["rows_accepted"]),
        (&"visible".into(), &1600.into(), &1600.into())
    );
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_next_file_of_a_system_gives_up_one_whose_end_nobody_noted(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = home.agency("education").await;
    let second_system = home.agency("education").await;
    let header = education.header(FEED, AGREEMENT).await;
    let rows: Vec<Value> = (0..1100).map(|number| row(&home, number, "met")).collect();
    let key = idempotency_key();
    // The connection stays: for the database it is as if the gateway had died in the middle.
    let left = begin(&education, "/v1/submissions", &key, NDJSON, &first_lines(&file(&header, &rows), 1101)).await;
    let id = wait_held(&education, &key, 501).await;

    second_system.deliver(FEED, AGREEMENT, &rows[..1]).await;
    let seen = education.submission(&id, "").await.json();
    assert_eq!(seen["state"], "staging", "another system's file does not touch one that is arriving");
    education.deliver(FEED, AGREEMENT, &rows[..2]).await;
    let seen = education.submission(&id, "").await.json();
    assert_eq!((&seen["state"], &seen["failure"]["code"]), (&"failed".into(), &"upload.superseded".into()));
    assert_eq!(held(&education, &key).await.kind(), "not-found");
    drop(left);
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_delta_that_was_cut_off_goes_on_unless_its_feed_changed_meanwhile(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = home.agency("education").await;
    let rows: Vec<Value> = (0..4).map(|number| row(&home, number, "met")).collect();
    education.deliver(FEED, AGREEMENT, &rows).await;
    let mut header = education.header(FEED, AGREEMENT).await;
    header["mode"] = "delta".into();
    header["rows"] = "good_rows".into();
    let gone = |number: usize| json!({ "ref": reference(&number.to_string()), "retract": true });
    let lines = [gone(0), row(&home, 7, "met"), gone(1), row(&home, 0, "met"), row(&home, 8, "met")];
    let text = file(&header, &lines);
    let key = idempotency_key();
    drop(begin(&education, "/v1/submissions", &key, NDJSON, &(first_lines(&text, 3) + "{\"re")).await);
    let id = wait_held(&education, &key, 3).await;
    let reply = go_on(&education, &id, rest(&text, 3)).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    education.wait_visible(&id).await;
    let seen = education.submission(&id, "").await.json();
    assert_eq!((&seen["rows_accepted"], &seen["errors"][0]["row"]), (&4.into(), &5.into()), "{seen}");
    assert_eq!(seen["errors"][0]["code"], "row.duplicate_ref", "the line that took it back came before the cut");

    let text = file(&header, &[row(&home, 20, "met"), row(&home, 21, "met")]);
    drop(begin(&education, "/v1/submissions", &key, NDJSON, &(first_lines(&text, 2) + "{")).await);
    let held = wait_held(&education, &key, 2).await;
    // Another system of the agency sends a snapshot: what the delta would change is no longer there.
    let mut snapshot = education.header(FEED, AGREEMENT).await;
    snapshot["rows"] = "good_rows".into();
    let snapshot = home.agency("education").await.submit_text(file(&snapshot, &rows[..2])).await;
    assert_eq!(snapshot.status, 202, "{snapshot:?}");
    education.wait_visible(snapshot.json()["id"].as_str().expect("an id")).await;
    let late = go_on(&education, &held, rest(&text, 2)).await;
    assert_eq!(late.kind(), "not-found", "another file of the feed came instead: {late:?}");
    let failed = education.submission(&held, "").await.json();
    assert_eq!(failed["failure"]["code"], "upload.superseded");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_is_held_ends_with_its_epoch_its_feed_or_its_time(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = home.agency("education").await;
    let header = education.header(FEED, AGREEMENT).await;
    let text = file(&header, &[row(&home, 1, "met"), row(&home, 2, "met")]);
    let part = first_lines(&text, 2) + "{";
    let gateway = home.gateway();

    // Given up once its time is over, and forgotten.
    let key = idempotency_key();
    drop(begin(&education, "/v1/submissions", &key, NDJSON, &part).await);
    let id = wait_held(&education, &key, 2).await;
    let submission = id.parse().expect("an id");
    let now = home.now().await;
    assert!(
        gateway
            .store()
            .stalled_submissions(now.plus_seconds(1))
            .await
            .expect("a list")
            .iter()
            .any(|it| it.id == submission)
    );
    let mut tx = gateway.store().begin().await.expect("a transaction");
    assert!(tx.mark_failed(submission, "file.stalled", now).await.expect("the database"));
    tx.commit().await.expect("committed");
    assert_eq!(held(&education, &key).await.kind(), "not-found");
    assert_eq!(go_on(&education, &id, rest(&text, 2)).await.kind(), "not-found");
    gateway.tidy().await.expect("tidied");
    let mut tx = gateway.store().begin().await.expect("a transaction");
    assert_eq!(tx.forget_uploads().await.expect("the database"), 0, "nothing is left of it");
    drop(tx);

    // Taken back by its agency.
    drop(begin(&education, "/v1/submissions", &key, NDJSON, &part).await);
    let id = wait_held(&education, &key, 2).await;
    let headers = [("idempotency-key", key.as_str())];
    let back = education.call("POST", &format!("/v1/submissions/{id}/retract"), &headers, "").await;
    assert_eq!((back.status, &back.json()["failure"]["code"]), (202, &"file.retracted".into()), "{back:?}");
    assert_eq!(held(&education, &key).await.kind(), "not-found");

    // The linkage key's epoch was frozen meanwhile: what arrived under it does not land.
    drop(begin(&education, "/v1/submissions", &key, NDJSON, &part).await);
    let id = wait_held(&education, &key, 2).await;
    gateway.freeze_epoch(1, "ops-1", "incident:1").await.expect("frozen");
    let refused = go_on(&education, &id, rest(&text, 2)).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &"key.frozen".into()), "{refused:?}");
    assert_eq!(education.submission(&id, "").await.json()["failure"]["code"], "key.frozen");
    assert_eq!(held(&education, &key).await.kind(), "not-found");
    home.stop().await;
}

#[tokio::test]
async fn a_csv_file_goes_on_with_the_columns_that_came_before_the_cut() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    let header = education.header(FEED, AGREEMENT).await;
    let record = row(&home, 1, "met");
    let (kind, token) = record["tokens"]["1"].as_object().expect("types").iter().next().expect("a type");
    let token = token[0].as_str().expect("a token");
    let lines: Vec<String> = (0..3).map(|n| format!("{},child,{token}", reference(&n.to_string()))).collect();
    let columns = format!("ref,role,tokens.1.{kind}");
    let media_type = "text/csv";
    let send = async |id: &str, body: String| {
        let key = idempotency_key();
        let headers = [("content-type", media_type), ("idempotency-key", key.as_str())];
        education.call("POST", &format!("/v1/submissions/{id}/lines"), &headers, body).await
    };
    // A cut before any row is held, and one after: the row of column names counts as a line.
    for (part, line) in
        [(format!("#{header}\n{columns}\nAA"), 1), (format!("#{header}\n{columns}\n{}\nAA", lines[0]), 3)]
    {
        let key = idempotency_key();
        drop(begin(&education, "/v1/submissions", &key, media_type, &part).await);
        let id = wait_held(&education, &key, line).await;
        let mut digest = LineDigest::of_header(header.to_string().as_bytes());
        let whole: Vec<&str> = std::iter::once(columns.as_str()).chain(lines.iter().map(String::as_str)).collect();
        whole[..line - 1].iter().for_each(|line| digest.add(line.as_bytes()));
        let place = json!({ "after": line, "digest": hexadecimal(digest.as_bytes()) });
        let left = whole[line - 1..].join("\n");
        let reply = send(&id, format!("#{place}\n{left}\n#{{\"end\":3}}\n")).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        let id = reply.json()["id"].as_str().expect("an id").to_owned();
        education.wait_visible(&id).await;
        assert_eq!(education.submission(&id, "").await.json()["rows_accepted"], 3);
    }
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_file_in_pieces_may_have_no_more_rows_and_bytes_than_one_in_one_piece(#[case] backend: Backend) {
    let home =
        TestGateway::start_under(backend, "[limits]\nsubmission_rows = 20\nsubmission_mebibytes = 1", None).await;
    let education = home.agency("education").await;
    let header = education.header(FEED, AGREEMENT).await;
    let rows: Vec<Value> = (0..21).map(|number| row(&home, number, "met")).collect();
    let send = async |text: String, held: usize| {
        let key = idempotency_key();
        drop(begin(&education, "/v1/submissions", &key, NDJSON, &(first_lines(&text, held) + "{")).await);
        let id = wait_held(&education, &key, held).await;
        (go_on(&education, &id, rest(&text, held)).await, id)
    };
    let (reply, id) = send(file(&header, &rows), 4).await;
    assert_eq!((reply.status, &reply.json()["code"]), (413, &"file.too_many_rows".into()), "{reply:?}");
    assert_eq!(education.submission(&id, "").await.json()["failure"]["code"], "file.too_many_rows");
    let (reply, id) = send(file(&header, &rows[..20]), 3).await;
    assert_eq!(reply.status, 202, "exactly as many as one piece may have: {reply:?}");
    education.wait_visible(&id).await;

    // Spaces make rows long: each of the two pieces is below a mebibyte, the file is not.
    let mut lines: Vec<String> = file(&header, &rows[..18]).lines().map(str::to_owned).collect();
    lines[1] += &" ".repeat(40_000);
    lines[2..19].iter_mut().for_each(|line| *line += &" ".repeat(60_000 - line.len()));
    let (reply, id) = send(lines.join("\n") + "\n", 2).await;
    assert_eq!((reply.status, &reply.json()["code"]), (413, &"file.too_large".into()), "{reply:?}");
    assert_eq!(education.submission(&id, "").await.json()["failure"]["code"], "file.too_large");
    home.stop().await;
}

#[tokio::test]
async fn a_caller_who_is_still_there_is_told_what_is_held() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    let header = education.header(FEED, AGREEMENT).await;
    let text = file(&header, &[row(&home, 1, "met")]);
    let key = idempotency_key();
    // The caller says no more but listens: after a while the gateway answers.
    let mut stream = begin(&education, "/v1/submissions", &key, NDJSON, &first_lines(&text, 2)).await;
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(40), stream.read(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer[..read.expect("in time").expect("answered")]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("file.idle"), "{answer}");
    let id = wait_held(&education, &key, 2).await;
    assert!(answer.contains(&id), "{answer}");
    home.stop().await;
}
