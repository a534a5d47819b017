//! Feeds are delivered, and what goes wrong with them is told by row, field and code.

use std::io::Cursor;
use std::time::Duration;

use porth::client::CallHeaders;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::support::agency::{TestAgency, idempotency_key};
use crate::support::connection::open_stream;
use crate::support::database::Backend;
use crate::support::gateway::{TestGateway, hexadecimal};
use crate::support::logs::LogCapture;
use crate::support::people::{LINKING, Person, file, flag, reference, token, type_key};

const FEED: &str = "attendance";
const AGREEMENT: &str = "early-help-core/v1";
const JENNA: Person = Person::new("Jenna", "1 Quay");
const PIRAN: Person = Person::new("Piran", "2 Quay");

fn rows(home: &TestGateway) -> Vec<Value> {
    let row = |person: &Person, state| person.record(&home.linkage, "child", json!([flag("E1", state)]));
    vec![row(&JENNA, "met"), row(&PIRAN, "not_met")]
}

async fn state_of(agency: &TestAgency<'_>, id: &str) -> Value {
    let reply = agency.submission(id, "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_file_becomes_visible_and_the_same_file_lands_once(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = home.agency("education").await;
    let housing = home.agency("housing").await;

    let first = education.submit(FEED, AGREEMENT, &rows(&home)).await;
    assert_eq!(first.status, 202, "{first:?}");
    assert_eq!(first.json()["is_repeat"], false);
    let id = first.json()["id"].as_str().expect("an id").to_owned();
    education.wait_visible(&id).await;

    let seen = state_of(&education, &id).await;
    assert_eq!((&seen["state"], &seen["feed"]), (&"visible".into(), &FEED.into()));
    assert_eq!((&seen["rows_read"], &seen["rows_accepted"], &seen["rows_rejected"]), (&2.into(), &2.into(), &0.into()));
    assert_eq!((&seen["failure"], &seen["errors"]), (&Value::Null, &json!([])));

    let again = education.submit(FEED, AGREEMENT, &rows(&home)).await;
    assert_eq!((again.status, again.json()), (202, json!({ "id": id, "state": "visible", "is_repeat": true })));

    assert_eq!(housing.submission(&id, "").await.kind(), "not-found");
    assert_eq!(education.submission("01990000-0000-7000-8000-000000000000", "").await.kind(), "not-found");
    assert_eq!(education.submission("Jenna", "").await.kind(), "not-found");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_csv_file_lands_like_its_rows_and_tells_the_same_errors_by_line(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = home.agency("education").await;
    let hub = home.agency("early-help-hub").await;
    let mut header = education.header(FEED, AGREEMENT).await;
    header["rows"] = "good_rows".into();
    let record = &rows(&home)[0];
    let (kind, token) = record["tokens"]["1"].as_object().expect("types").iter().next().expect("a type");
    let (token, from) = (token[0].as_str().expect("a token"), record["flags"][0]["from"].as_str().expect("a day"));
    let reference = record["ref"].as_str().expect("a reference");
    let columns = format!("ref,role,tokens.1.{kind},flags.E1.state,flags.E1.from");
    let good = format!("{reference},child,{token},met,{from}");
    let clear = format!("{},child,Jenna,met,{from}", self::reference("other"));
    let send = async |text: String| {
        let key = idempotency_key();
        let headers = [("content-type", "text/csv; charset=utf-8"), ("idempotency-key", key.as_str())];
        education.call("POST", "/v1/submissions", &headers, text).await
    };

    let text = format!("#{header}\r\n{columns}\r\n{good}\r\n{clear}\r\n{good},more\r\n#{{\"end\": 3}}\r\n");
    let reply = send(text).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let id = reply.json()["id"].as_str().expect("an id").to_owned();
    education.wait_visible(&id).await;
    let seen = state_of(&education, &id).await;
    let told: Vec<_> = seen["errors"].as_array().expect("errors").iter().map(|e| (&e["row"], &e["code"])).collect();
    assert_eq!(told, [(&4.into(), &"token.malformed".into()), (&5.into(), &"row.cells".into())]);
    let answer = hub.enquire(&hub.question("areas", &JENNA)).await.json();
    let met = answer["areas"].as_array().expect("areas").iter().find(|area| area["code"] == "A2").expect("covered");
    assert_eq!(met["state"], "met");

    for (text, code) in [
        (format!("{header}\n{columns}\n#{{\"end\": 0}}\n"), "file.header"),
        (format!("#{header}\nref,forename\n{good}\n#{{\"end\": 1}}\n"), "file.columns"),
        (format!("#{header}\n{columns}\n{good}\n"), "file.truncated"),
    ] {
        let refused = send(text).await;
        assert_eq!(refused.json()["code"], code, "{refused:?}");
        assert!(!String::from_utf8_lossy(&refused.body).contains("forename"), "{refused:?}");
    }
    home.stop().await;
}

#[tokio::test]
async fn the_typed_client_streams_a_file_and_hears_which_submission_was_refused() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    let header = education.header(FEED, AGREEMENT).await;
    let client = education.http_client();
    let headers = || async {
        CallHeaders { bearer: Some(education.token().await.into()), idempotency_key: Some(idempotency_key()) }
    };
    let many: Vec<Value> = (0..1200)
        .map(|number| {
            let mut row = JENNA.record(&home.linkage, "child", json!([]));
            row["ref"] = reference(&number.to_string()).into();
            row
        })
        .collect();
    let text = file(&header, &many);
    let cut = text[..text.len() / 2].to_owned();
    let refused = client.post_stream("/v1/submissions", &headers().await, Cursor::new(cut)).await.expect_err("cut off");
    let problem = refused.problem().expect("a problem");
    assert_eq!((problem.kind.as_str(), problem.code.as_deref()), ("body-incomplete", Some("file.truncated")));
    let failed = state_of(&education, problem.submission.as_deref().expect("an id")).await;
    assert_eq!(failed["state"], "failed");

    let answer = client.post_stream("/v1/submissions", &headers().await, Cursor::new(text)).await.expect("received");
    let received: Value = answer.json().expect("JSON");
    let id = received["id"].as_str().expect("an id");
    education.wait_visible(id).await;
    assert_eq!(state_of(&education, id).await["rows_accepted"], 1200);
    home.stop().await;
}

#[tokio::test]
async fn each_wrong_header_is_refused_by_its_kind_and_code_and_nothing_is_stored() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    let good = education.header(FEED, AGREEMENT).await;
    let tomorrow = home.now().await.plus_seconds(2 * 86_400).date().to_string();
    let wrong_checks = json!([{ "epoch": 1, "key_checks": { "k3": "0123456789abcdef" } }]);
    let other_epoch = json!([{ "epoch": 7, "key_checks": { "k3": "0123456789abcdef" } }]);
    let cases: [(&str, Value, u16, &str, &str); 10] = [
        ("epochs", wrong_checks, 409, "wrong-key-check", "key.wrong"),
        ("epochs", other_epoch, 409, "wrong-epoch", "key.unregistered"),
        ("match_keys", "0".repeat(64).into(), 409, "match-keys-mismatch", "file.match_keys"),
        ("programme", "other".into(), 422, "unknown-programme", "file.programme"),
        ("agency", "housing".into(), 422, "invalid-field", "file.agency"),
        ("feed", "Jenna".into(), 422, "unknown-feed", "file.feed"),
        ("agreement", "police-contact/v1".into(), 403, "no-agreement", "file.agreement"),
        ("scheme", "pt0".into(), 422, "unsupported-scheme", "file.scheme"),
        ("as_at", tomorrow.into(), 422, "invalid-field", "file.future"),
        ("Jenna Trelawny", true.into(), 422, "invalid-field", "file.header"),
    ];
    for (field, value, status, kind, code) in cases {
        let mut header = good.clone();
        header[field] = value;
        let reply = education.submit_text(file(&header, &rows(&home))).await;
        assert_eq!((reply.status, reply.kind().as_str()), (status, kind), "{field}: {reply:?}");
        assert_eq!(reply.json()["code"], code, "{field}");
        assert!(!reply.text().contains("Jenna"), "{field}");
    }
    assert_eq!(education.submit_text(String::new()).await.json()["code"], "file.header");
    let later = home.now().await.plus_seconds(86_400);
    assert!(home.gateway().store().stalled_submissions(later).await.expect("a list").is_empty());
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn bad_rows_are_listed_by_row_field_and_code_and_good_rows_land_only_if_asked(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = home.agency("education").await;
    let mut bad = rows(&home);
    bad.push(bad[0].clone()); // line 4: the reference of line 2 again
    let person = Person::new("Third", "3 Quay");
    let record = |flags| person.record(&home.linkage, "child", flags);
    bad.push(record(json!([flag("Z9", "met")]))); // line 5
    bad.push(record(json!([{ "criterion": "E1", "state": "met", "from": "2099-01-01" }]))); // line 6
    let mut clear = record(json!([]));
    clear["tokens"]["1"]["k3"] = json!(["Jenna Trelawny 2011-04-05"]);
    bad.push(clear); // line 7
    let mut header = education.header(FEED, AGREEMENT).await;

    let reply = education.submit_text(file(&header, &bad)).await;
    assert_eq!((reply.status, reply.kind().as_str()), (422, "invalid-rows"), "{reply:?}");
    let id = reply.json()["submission"].as_str().expect("an id").to_owned();
    let seen = state_of(&education, &id).await;
    assert_eq!((&seen["state"], &seen["failure"]["code"]), (&"failed".into(), &"file.rows".into()));

    header["rows"] = "good_rows".into();
    let reply = education.submit_text(file(&header, &bad)).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let id = reply.json()["id"].as_str().expect("an id").to_owned();
    education.wait_visible(&id).await;
    let seen = state_of(&education, &id).await;
    assert_eq!((&seen["rows_read"], &seen["rows_accepted"], &seen["rows_rejected"]), (&6.into(), &2.into(), &4.into()));
    let told: Vec<(i64, &str, &str)> = seen["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| {
            assert!(!error["meaning"].as_str().expect("a meaning").is_empty());
            let text = |name: &str| error[name].as_str().expect("text");
            (error["row"].as_i64().expect("a row"), text("field"), text("code"))
        })
        .collect();
    let expected = [
        (4, "ref", "row.duplicate_ref"),
        (5, "flags[0].criterion", "flag.criterion"),
        (6, "flags[0].from", "flag.future"),
        (7, "tokens", "token.malformed"),
    ];
    assert_eq!(told, expected);

    let page = education.submission(&id, "?limit=3").await.json();
    assert_eq!((page["errors"].as_array().expect("errors").len(), &page["next_after"]), (3, &6.into()));
    let rest = education.submission(&id, "?after=6&limit=3").await.json();
    assert_eq!((rest["errors"].as_array().expect("errors").len(), &rest["next_after"]), (1, &Value::Null));
    assert_eq!(education.submission(&id, "?after=Jenna").await.kind(), "invalid-cursor");
    home.stop().await;
}

#[tokio::test]
async fn a_value_in_clear_is_in_no_answer_and_in_no_log() {
    let log = LogCapture::start();
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    let secret = "Jenna-Trelawny-1-Fore-Street";
    let mut row = rows(&home).remove(0);
    row["tokens"]["1"]["k3"] = json!([secret]);
    let mut named = rows(&home).remove(1);
    named["surname"] = secret.into();
    named[secret] = 1.into();
    let mut header = education.header(FEED, AGREEMENT).await;
    header["rows"] = "good_rows".into();
    let mut good = rows(&home).remove(0);
    good["ref"] = reference("another").into();

    let reply = education.submit_text(file(&header, &[row, named, good])).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let id = reply.json()["id"].as_str().expect("an id").to_owned();
    let seen = education.submission(&id, "").await;
    assert_eq!(seen.json()["rows_rejected"], 2);
    let mut texts = vec![reply.text(), seen.text()];
    header[secret] = secret.into();
    texts.push(education.submit_text(format!("{header}\n")).await.text());
    texts.push(education.submission(secret, &format!("?{secret}={secret}")).await.text());
    home.stop().await;

    for text in texts {
        assert!(!text.contains(secret), "{text}");
    }
    let lines = log.text();
    assert!(lines.contains("answered"), "the log was captured");
    assert!(!lines.contains(secret));
}

#[tokio::test]
async fn a_file_without_its_end_or_with_another_count_fails_whole() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    let header = education.header(FEED, AGREEMENT).await;
    let whole = file(&header, &rows(&home));
    let end = whole.trim_end().rfind('\n').expect("lines") + 1;
    let cases = [
        whole[..end].to_owned(),
        format!("{}{}\n", &whole[..end], json!({ "end": 3 })),
        format!("{whole}{}\n", rows(&home)[0]),
        whole[..end - 30].to_owned(),
    ];
    for text in cases {
        let reply = education.submit_text(text).await;
        assert_eq!((reply.status, reply.kind().as_str()), (400, "body-incomplete"), "{reply:?}");
        let id = reply.json()["submission"].as_str().expect("an id").to_owned();
        let seen = state_of(&education, &id).await;
        assert_eq!((&seen["state"], &seen["failure"]["code"]), (&"failed".into(), &"file.truncated".into()));
    }
    let empty = education.submit(FEED, AGREEMENT, &[]).await;
    assert_eq!((empty.status, &empty.json()["code"]), (422, &"file.empty".into()));
    // Empty lines are no rows, and row numbers are those of the file.
    let mut bad = rows(&home);
    bad[1]["flags"] = json!([flag("Z9", "met")]);
    let spaced = file(&header, &bad).replace('\n', "\r\n\r\n");
    let reply = education.submit_text(spaced).await;
    let id = reply.json()["submission"].as_str().expect("an id").to_owned();
    assert_eq!(state_of(&education, &id).await["errors"][0]["row"], 5);
    home.stop().await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_leaves_an_open_submission_that_is_given_up_for_the_next_one() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    let header = education.header(FEED, AGREEMENT).await;
    let token = education.token().await;
    let roots = &home.authority.certificate().pem;
    let stream = open_stream(home.running.agencies, roots, Some(&education.identity)).await;
    let mut stream = stream.expect("a connection");
    let head = format!(
        "POST /v1/submissions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         idempotency-key: {}\r\ncontent-type: application/x-ndjson\r\ncontent-length: 100000\r\n\r\n{header}\n",
        idempotency_key()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.flush().await.expect("sent");

    let store = home.gateway().store();
    let later = home.now().await.plus_seconds(86_400);
    let mut open = Vec::new();
    for _ in 0..400 {
        open = store.stalled_submissions(later).await.expect("a list");
        if !open.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let id = open.first().expect("the submission began").id;
    drop(stream);

    let held = async || {
        let mut tx = store.begin().await.expect("a transaction");
        tx.held_uploads(&education.code, &FEED.parse().expect("a code"), None).await.expect("the database")
    };
    for _ in 0..400 {
        if held().await == [id] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(held().await, [id]);
    education.deliver(FEED, AGREEMENT, &rows(&home)).await;
    let found = store.submission(id).await.expect("the database").expect("it is there");
    assert_eq!((found.state.as_str(), found.failure.as_deref()), ("failed", Some("upload.superseded")));
    assert_eq!(held().await, []);
    home.stop().await;
}

#[tokio::test]
async fn a_file_over_a_limit_is_refused_and_given_up() {
    let limits = "[limits]\nsubmission_mebibytes = 1\nsubmission_rows = 2";
    let home = TestGateway::start_with(Backend::Sqlite, limits).await;
    let education = home.agency("education").await;
    let header = education.header(FEED, AGREEMENT).await;

    let mut many = rows(&home);
    many.push(Person::new("Third", "3 Quay").record(&home.linkage, "child", json!([])));
    let reply = education.submit_text(file(&header, &many)).await;
    assert_eq!((reply.status, reply.kind().as_str()), (413, "too-many-rows"), "{reply:?}");
    let id = reply.json()["submission"].as_str().expect("an id").to_owned();
    assert_eq!(state_of(&education, &id).await["failure"]["code"], "file.too_many_rows");

    let long = format!("{header}\n{}\n", "x".repeat(70_000));
    assert_eq!(education.submit_text(long).await.kind(), "line-too-long");
    let reply = education.submit_text(format!("{header}\n{}", "\n".repeat(2 << 20))).await;
    assert_eq!((reply.status, reply.kind().as_str()), (413, "too-large"));
    assert_eq!(education.submit(FEED, AGREEMENT, &rows(&home)).await.status, 202, "at the limit");
    home.stop().await;
}

#[tokio::test]
async fn a_submission_needs_its_key_and_its_media_type() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    let ndjson = ("content-type", "application/x-ndjson");
    let key = idempotency_key();
    let json = ("content-type", "application/json");
    let cases = [
        (vec![ndjson], 400, "idempotency-key-missing"),
        (vec![ndjson, ("idempotency-key", "too short")], 400, "idempotency-key-invalid"),
        (vec![json, ("idempotency-key", &key)], 415, "unsupported-media-type"),
    ];
    for (headers, status, kind) in cases {
        let reply = education.call("POST", "/v1/submissions", &headers, "{}").await;
        assert_eq!((reply.status, reply.kind().as_str()), (status, kind));
    }
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agency_sees_its_own_feeds_and_what_came_last(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = home.agency("education").await;
    let feeds = async |agency: &TestAgency<'_>| agency.call("GET", "/v1/feeds", &[], "").await.json()["feeds"].clone();
    let line = |feeds: &Value, feed: &str| {
        let lines = feeds.as_array().expect("lines");
        lines.iter().find(|line| line["feed"] == feed).expect("the feed").clone()
    };
    let before = line(&feeds(&education).await, "attendance");
    assert!(before["as_at"].is_null() && before["state"] != "in_time", "{before}");

    education.deliver(FEED, AGREEMENT, &rows(&home)).await;
    let after = line(&feeds(&education).await, "attendance");
    assert_eq!(after["as_at"], json!(home.now().await.date()));
    assert_eq!(after["state"], "in_time");
    let police = home.agency("police").await;
    let others = feeds(&police).await;
    assert!(others.as_array().expect("lines").iter().all(|line| line["feed"] != "attendance"), "{others}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn tokens_of_a_type_that_the_agreements_do_not_give_the_agency_are_refused(#[case] backend: Backend) {
    let party = "agency = \"education\"\nrole";
    let listed = "agency = \"education\"\ntoken_types = [\"uprn\", \"nhs\"]\nrole";
    let edit = |text: &[u8]| {
        let text = String::from_utf8(text.to_vec()).expect("UTF-8");
        if text.contains("id = \"early-help-core\"") { text.replacen(party, listed, 1) } else { text }.into_bytes()
    };
    let home = TestGateway::start_edited(backend, "", &edit).await;
    let education = home.agency("education").await;
    let housing = home.agency("housing").await;

    let refused = education.submit(FEED, AGREEMENT, &rows(&home)).await; // tokens of k3 and uprn
    assert_eq!((refused.status, refused.kind().as_str()), (403, "no-agreement"), "{refused:?}");
    assert_eq!(refused.json()["code"], "key.not_granted");
    let later = home.now().await.plus_seconds(86_400);
    assert!(home.gateway().store().stalled_submissions(later).await.expect("a list").is_empty(), "nothing is stored");

    let others = housing.submit("tenancies", AGREEMENT, &[PIRAN.record(&home.linkage, "adult", json!([]))]).await;
    assert_eq!(others.status, 202, "nothing is listed for this agency: {others:?}");

    let mut header = education.header(FEED, AGREEMENT).await;
    let checks = header["epochs"][0]["key_checks"].as_object_mut().expect("checks");
    checks.remove(LINKING).expect("declared");
    let mut row = rows(&home).remove(0);
    let types = row["tokens"]["1"].as_object_mut().expect("types");
    types.remove(LINKING).expect("there");
    types.insert("nhs".to_owned(), json!([token(&home.linkage, "nhs", "9990000018")]));
    let undeclared = education.submit_text(file(&header, &[row.clone()])).await;
    assert_eq!(undeclared.kind(), "invalid-rows", "a type without a key check in the header: {undeclared:?}");
    let nhs = type_key(&home.linkage, "nhs").key_check();
    header["epochs"][0]["key_checks"]["nhs"] = hexadecimal(&nhs).into();
    let taken = education.submit_text(file(&header, &[row])).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agency_lists_its_own_submissions_the_newest_first(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = home.agency("education").await;
    let list = async |agency: &TestAgency<'_>, query: &str| {
        agency.call("GET", &format!("/v1/submissions{query}"), &[], "").await
    };
    assert_eq!(list(&education, "").await.json(), json!({ "submissions": [], "next_before": null }));
    let first = education.deliver(FEED, AGREEMENT, &rows(&home)).await;
    let second = education.deliver(FEED, AGREEMENT, &rows(&home)[..1]).await;

    let page = list(&education, "?limit=1").await.json();
    assert_eq!((&page["submissions"][0]["id"], &page["next_before"]), (&json!(second), &json!(second)));
    let rest = list(&education, &format!("?limit=1&before={second}")).await.json();
    assert_eq!((&rest["submissions"][0]["id"], &rest["next_before"]), (&json!(first), &Value::Null));
    assert_eq!(rest["submissions"][0]["state"], "replaced");
    let housing = home.agency("housing").await;
    assert_eq!(list(&housing, "").await.json()["submissions"], json!([]), "nobody else's");
    assert_eq!(list(&education, "?before=Jenna").await.kind(), "invalid-cursor");
    assert_eq!(list(&education, "?limit=0").await.kind(), "request-refused");
    home.stop().await;
}
