//! `porth submit` and `porth enquire` towards a gateway that says what the test wants: plain HTTP on
//! this machine, one answer a connection.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use porth::crypto::jwt::UnverifiedAssertion;
use serde_json::{Value, json};

use super::tokenise::Desk;
use crate::support::pki::Authority;

/// What arrived: request line with headers in lower case, and body.
type Heard = Arc<Mutex<Vec<(String, String)>>>;

/// Answers requests in turn with status and body; the last answer stands for all later ones.
fn gateway(answers: Vec<(u16, Value)>) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let heard = Heard::default();
    let keep = Arc::clone(&heard);
    std::thread::spawn(move || {
        for (at, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).is_ok_and(|read| read > 0) {}
            let head = head.to_lowercase();
            let mut body = Vec::new();
            if let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
                body.resize(length.parse().expect("a length"), 0);
                stream.read_exact(&mut body).expect("a body");
            } else if head.contains("transfer-encoding: chunked") {
                loop {
                    let mut size = String::new();
                    stream.read_line(&mut size).expect("a size");
                    let size = usize::from_str_radix(size.trim(), 16).expect("hexadecimal");
                    let mut chunk = vec![0; size + 2];
                    stream.read_exact(&mut chunk).expect("a chunk");
                    body.extend_from_slice(&chunk[..size]);
                    if size == 0 {
                        break;
                    }
                }
            }
            keep.lock().expect("no panic").push((head, String::from_utf8_lossy(&body).into_owned()));
            let (status, answer) = &answers[at.min(answers.len() - 1)];
            let answer = answer.to_string();
            let text = format!(
                "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
                answer.len()
            );
            let _ = stream.get_mut().write_all(text.as_bytes());
        }
    });
    (address, heard)
}

fn connected(answers: Vec<(u16, Value)>) -> (Desk, Heard) {
    let (address, heard) = gateway(answers);
    let desk = Desk::new();
    let authority = Authority::new("test authority");
    let client = authority.client("education");
    desk.write("ca.pem", &authority.pem);
    desk.write("client.pem", &client.certificate_pem);
    for name in ["client.key", "assertion.pem"] {
        desk.write(name, &client.key_pem);
        fs::set_permissions(desk.path(name), fs::Permissions::from_mode(0o600)).expect("sets the mode");
    }
    desk.write(
        "connection.toml",
        format!(
            "gateway = '{address}'\nissuer = 'https://gateway.example'\nroot = 'ca.pem'\ncertificate = 'client.pem'\n\
             private_key = 'client.key'\nclient_id = 'education-batch'\nassertion_key = 'assertion.pem'\n"
        ),
    );
    desk.write("person.json", r#"{"nhs": "999 000 0018", "dob": "2009-04-17"}"#);
    desk.write(
        "batch.ndjson",
        "{\"programme\":\"tff\",\"agency\":\"education\",\"feed\":\"attendance\",\"agreement\":\"core/v1\",\
         \"mode\":\"snapshot\",\"as_at\":\"2026-09-20\",\"scheme\":\"pt1\",\"norm\":1,\"match_keys\":\"00\",\
         \"epochs\":[]}\n{\"end\":0}\n",
    );
    (desk, heard)
}

/// The gateway holds nothing of the file.
fn nothing_held() -> (u16, Value) {
    (404, json!({ "kind": "not-found", "status": 404, "title": "There is nothing here.", "next": "" }))
}

fn token() -> (u16, Value) {
    (200, json!({ "access_token": "an.access.token", "token_type": "Bearer", "expires_in": 300 }))
}

const SUBMIT: [&str; 4] = ["submit", "batch.ndjson", "-c", "connection.toml"];

const ENQUIRE: [&str; 21] = [
    "enquire",
    "-c",
    "connection.toml",
    "-k",
    "keys.json",
    "--person",
    "person.json",
    "--agreement",
    "early-help-core/v1",
    "--purpose",
    "early-help-screening",
    "--mode=eligible",
    "--relationship",
    "referral",
    "--role",
    "hub-screener",
    "--case",
    "C-20417",
    "--user=tamsin",
    "--receipt",
    "receipt.txt",
];

#[test]
fn a_submission_is_sent_whole_and_followed_until_it_is_visible() {
    let (desk, heard) = connected(vec![
        token(),
        nothing_held(),
        (202, json!({ "id": "s-1", "state": "staging", "is_repeat": false })),
        (200, json!({ "id": "s-1", "state": "publishing", "rows_read": 2 })),
        (
            200,
            json!({ "id": "s-1", "state": "visible", "rows_read": 2, "rows_accepted": 1, "rows_rejected": 1,
            "errors": [{ "row": 2, "field": "tokens", "code": "token.none", "meaning": "No token." }] }),
        ),
    ]);
    let output = desk.porth(&SUBMIT);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("s-1: visible") && said.contains("token.none") && said.contains("No token."), "{said}");
    let heard = heard.lock().expect("no panic");
    assert!(heard[0].0.starts_with("post /oauth/token "));
    let assertion = heard[0].1.split_once("client_assertion=").expect("an assertion").1;
    assert_eq!(UnverifiedAssertion::parse(assertion).expect("well-formed").client_id(), "education-batch");
    assert!(
        heard[2].0.starts_with("post /v1/submissions ") && heard[2].0.contains("authorization: bearer an.access.token")
    );
    assert!(heard[1].0.starts_with("post /v1/submissions/held "));
    assert!(heard[2].0.contains("idempotency-key: "));
    assert_eq!(heard[2].1, fs::read_to_string(desk.path("batch.ndjson")).expect("there"));
    assert!(heard[3].0.starts_with("get /v1/submissions/s-1 "));
}

#[test]
fn a_refused_or_failed_submission_ends_with_code_three() {
    let refusal = json!({ "kind": "no-agreement", "status": 403, "title": "No agreement.", "next": "Ask for one." });
    let failed = json!({ "id": "s-1", "state": "failed", "failure": { "code": "file.rows", "meaning": "bad rows" }, "rows_read": 1, "errors": [] });
    for (answers, said) in [
        (vec![token(), nothing_held(), (403, refusal)], "no-agreement"),
        (vec![token(), nothing_held(), (202, json!({ "id": "s-1" })), (200, failed)], "bad rows"),
    ] {
        let (desk, _) = connected(answers);
        let output = desk.porth(&SUBMIT);
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stderr).contains(said));
    }
}

#[test]
fn an_answer_is_said_in_words_and_its_receipt_is_kept() {
    let answer = json!({ "disclosure": "01990000-0000-7000-8000-000000000000", "at": "2026-09-20T10:00:00.000000Z",
        "mode": "eligible", "eligible": { "state": "met", "grade": null, "covers": [] }, "count": null,
        "criteria": null, "areas": null, "lead": null, "not_covered": [], "onward": "none",
        "criteria_version": "2026-04-01", "receipt": "a signed promise\n", "padding": "000" });
    let (desk, heard) = connected(vec![token(), (201, answer)]);
    let output = desk.porth(&ENQUIRE);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("The family is eligible."));
    assert_eq!(fs::read_to_string(desk.path("receipt.txt")).expect("kept"), "a signed promise\n");
    let heard = heard.lock().expect("no panic");
    assert!(heard[1].0.starts_with("post /v1/enquiries "));
    serde_json::from_str::<porth::app::enquire::Question>(&heard[1].1).expect("a question");
    assert!(!heard[1].1.contains("9990000018") && !heard[1].1.contains("C-20417"));
}

#[test]
fn a_gateway_that_cannot_answer_now_is_asked_again_with_the_same_key() {
    let busy =
        json!({ "kind": "storage-unavailable", "status": 503, "title": "The database cannot be reached.", "next": "" });
    let (desk, heard) = connected(vec![
        token(),
        nothing_held(),
        (503, busy.clone()),
        nothing_held(),
        (202, json!({ "id": "s-1", "state": "staged", "is_repeat": true })),
        (503, busy),
        (200, json!({ "id": "s-1", "state": "visible", "rows_read": 0, "errors": [] })),
    ]);
    let output = desk.porth(&SUBMIT);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("trying again").count(), 2, "{said}");
    assert!(said.contains("nothing lands twice"), "{said}");
    let heard = heard.lock().expect("no panic");
    let key = |at: usize| {
        let head: &str = &heard[at].0;
        head.lines().find(|line| line.starts_with("idempotency-key: ")).expect("a key").to_owned()
    };
    assert!(heard[2].0.starts_with("post /v1/submissions ") && heard[4].0.starts_with("post /v1/submissions "));
    assert_eq!(key(2), key(4));
    assert_eq!(heard[2].1, heard[4].1, "the whole file again");
}

#[test]
fn a_feed_that_is_overdue_is_named_and_ends_with_code_four() {
    let feed = |state: &str| {
        json!({ "feeds": [{ "feed": "attendance", "state": state, "as_at": "2026-09-01",
        "next_due": "2026-10-02", "in_time_until": "2026-10-09" }] })
    };
    for (state, code) in [("overdue", 4), ("in_time", 0)] {
        let (desk, _) = connected(vec![token(), (200, feed(state))]);
        let output = desk.porth(&["feeds", "-c", "connection.toml"]);
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("attendance") && said.contains(&state.replace('_', " ")) && said.contains("2026-10-09"));
    }
}

#[test]
fn a_file_that_is_held_in_part_goes_on_after_the_last_line_that_is_held() {
    let batch = |desk: &Desk| fs::read_to_string(desk.path("batch.ndjson")).expect("there");
    let (desk, _) = connected(Vec::new());
    let head = batch(&desk).lines().next().expect("a header").to_owned();
    let digest = |header: &str| {
        let digest = porth::app::submit::LineDigest::of_header(header.as_bytes());
        porth::app::policies::hex(digest.as_bytes())
    };
    let taken = (202, json!({ "id": "s-1", "state": "staged", "is_repeat": false }));
    let held = |digest: String| (200, json!({ "id": "s-1", "line": 1, "digest": digest }));
    for (held, path) in [
        (held(digest(&head)), "post /v1/submissions/s-1/lines "),
        (held(digest("another file")), "post /v1/submissions "),
    ] {
        let (desk, heard) = connected(vec![token(), held, taken.clone()]);
        let output = desk.porth(&[&SUBMIT[..], &["--no-wait"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let heard = heard.lock().expect("no panic");
        assert!(heard[2].0.starts_with(path), "{}", heard[2].0);
        let is_rest = path.contains("lines");
        let expected = json!({ "after": 1, "digest": digest(&head) }).to_string() + "\n{\"end\":0}\n";
        assert_eq!(heard[2].1, if is_rest { expected } else { batch(&desk) });
    }
}

#[test]
fn submissions_are_listed_shown_with_all_their_errors_and_taken_back() {
    let one = |state: &str, errors: Value, next: Value| {
        json!({ "id": "01990000-0000-7000-8000-000000000000", "feed": "attendance", "agreement": "core/v1",
            "mode": "snapshot", "rows": "good_rows", "as_at": "2026-09-20", "state": state, "rows_read": 2,
            "rows_accepted": 1, "rows_rejected": 1, "failure": null, "received_at": "2026-09-20T10:00:00.000000Z",
            "finished_at": null, "errors": errors, "next_after": next })
    };
    let error = |row: u32| json!([{ "row": row, "field": "ref", "code": "row.duplicate_ref", "meaning": "Twice." }]);
    let id = "01990000-0000-7000-8000-000000000000";
    let ended = json!({ "kind": "state-conflict", "status": 409, "title": "It is over.", "next": "" });
    let unseen = one("visible", json!([]), Value::Null);
    for (answers, command, code, said, path) in [
        (
            vec![(200, json!({ "submissions": [unseen.clone()], "next_before": id }))],
            vec!["list"],
            0,
            "visible",
            "get /v1/submissions?limit=20 ",
        ),
        (
            vec![(200, one("visible", error(3), json!(3))), (200, one("visible", error(9), Value::Null))],
            vec!["show", id],
            0,
            "       9  ref",
            "get /v1/submissions/01990000-0000-7000-8000-000000000000?limit=1000 ",
        ),
        (
            vec![(202, one("withdrawing", json!([]), Value::Null)), (200, one("withdrawn", json!([]), Value::Null))],
            vec!["retract", id],
            0,
            "withdrawn",
            "post /v1/submissions/01990000-0000-7000-8000-000000000000/retract ",
        ),
        (vec![(409, ended)], vec!["retract", id], 3, "state-conflict", "post /v1/submissions/01990000"),
        (
            vec![(202, one("withdrawing", json!([]), Value::Null)), (200, unseen)],
            vec!["retract", id],
            1,
            "seen as before",
            "post /v1/submissions/01990000",
        ),
    ] {
        let (desk, heard) = connected([vec![token()], answers].concat());
        let output = desk.porth(&[&["submissions"][..], &command, &["-c", "connection.toml"]].concat());
        let text = [&output.stdout[..], &output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(output.status.code(), Some(code), "{command:?}: {text}");
        assert!(text.contains(said), "{command:?}: {text}");
        assert!(heard.lock().expect("no panic")[1].0.starts_with(path), "{command:?}");
    }
}

#[test]
fn a_token_request_is_made_again_when_the_gateway_is_busy_and_not_when_it_refuses_the_client() {
    let problem =
        |status: u16, kind: &str| (status, json!({ "kind": kind, "status": status, "title": "No.", "next": "" }));
    let (desk, heard) = connected(vec![
        problem(503, "storage-unavailable"),
        token(),
        nothing_held(),
        (202, json!({ "id": "s-1", "state": "staged", "is_repeat": false })),
        (200, json!({ "id": "s-1", "state": "visible", "rows_read": 0, "errors": [] })),
    ]);
    let output = desk.porth(&SUBMIT);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("trying again"), "{said}");
    assert_eq!(heard.lock().expect("no panic").len(), 5);

    let (desk, heard) = connected(vec![problem(401, "client-not-authenticated")]);
    let output = desk.porth(&SUBMIT);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("client-not-authenticated") && !said.contains("trying again"), "{said}");
    assert_eq!(heard.lock().expect("no panic").len(), 1, "the same assertion key is refused the same way");
}
