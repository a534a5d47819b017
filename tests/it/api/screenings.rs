//! An agency asks about many people at once: each row decided and logged like a single enquiry.

use bytes::Bytes;
use porth::app::caller::AgencyCaller;
use porth::app::error::AppError;
use porth::app::screen::ScreeningError;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::agency::{TestAgency, idempotency_key};
use crate::support::connection::Reply;
use crate::support::database::Backend;
use crate::support::gateway::{TestGateway, hexadecimal};
use crate::support::people::{Person, flag, token, type_key};

const AGREEMENT: &str = "early-help-core/v1";
const KNOWN: Person = Person::new("Known", "1 Quay");
const UNKNOWN: Person = Person::new("Unknown", "2 Quay");
const SHIELDED: Person = Person::new("Shielded", "3 Quay");

async fn with_people(home: &TestGateway) -> TestAgency<'_> {
    let education = home.agency("education").await;
    let mut shielded = SHIELDED.record(&home.linkage, "child", json!([flag("E1", "met")]));
    shielded["restricted"] = true.into();
    let known = KNOWN.record(&home.linkage, "child", json!([flag("E1", "met")]));
    education.deliver("attendance", AGREEMENT, &[known, shielded]).await;
    home.agency("early-help-hub").await
}

/// The file of these people, as the Hub sends it.
fn file(hub: &TestAgency<'_>, people: &[&Person]) -> String {
    let mut head = hub.question("areas", people[0]);
    for name in ["case", "user", "tokens", "household"] {
        head.as_object_mut().expect("an object").remove(name);
    }
    let question = |person: &&Person| {
        let question = hub.question("areas", person);
        let household = question.get("household").cloned().unwrap_or_else(|| json!({}));
        json!({ "case": question["case"], "user": question["user"], "tokens": question["tokens"], "household": household })
            .to_string()
    };
    let rows: Vec<String> = people.iter().map(question).collect();
    format!("{head}\n{}\n{}\n", rows.join("\n"), json!({ "end": people.len() }))
}

async fn screen(hub: &TestAgency<'_>, text: String, key: &str) -> Reply {
    let headers = [("content-type", "application/x-ndjson"), ("idempotency-key", key)];
    hub.call("POST", "/v1/screenings", &headers, text).await
}

/// The rows of a page and its last line.
async fn collect(hub: &TestAgency<'_>, id: &str, wanted: Value) -> (Vec<String>, Value) {
    let key = idempotency_key();
    let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
    let reply = hub.call("POST", &format!("/v1/screenings/{id}/rows"), &headers, wanted.to_string()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let text = String::from_utf8_lossy(&reply.body);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last = serde_json::from_str(&lines.pop().expect("a last line")).expect("JSON");
    (lines, last)
}

fn row(line: &str) -> Value {
    serde_json::from_str(line).expect("a row")
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn each_row_is_decided_when_it_is_collected_and_answered_as_a_single_enquiry(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let hub = with_people(&home).await;
    let people = [&UNKNOWN, &KNOWN, &SHIELDED];
    let received = screen(&hub, file(&hub, &people), &idempotency_key()).await;
    assert_eq!(received.status, 202, "{received:?}");
    let id = received.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(home.events("enquiry", "answered").await, 0, "handing over decides nothing");
    let view = hub.call("GET", &format!("/v1/screenings/{id}"), &[], "").await.json();
    assert_eq!((&view["rows"], &view["waiting"]), (&json!(3), &json!(3)));

    let (lines, last) = collect(&hub, &id, json!({ "limit": 2 })).await;
    assert_eq!(last["next_after"], 2);
    let (rest, end) = collect(&hub, &id, json!({ "after": 2, "limit": 2 })).await;
    assert!(end["next_after"].is_null());
    let all = [lines, rest].concat();
    assert_eq!(all.len(), 3);
    assert_eq!(home.events("enquiry", "answered").await, 3, "an entry for each");
    for (line, (number, person)) in all.iter().zip([1, 2, 3].into_iter().zip(people)) {
        let found = row(line);
        assert_eq!((found["row"].as_i64(), found["outcome"].as_str()), (Some(number), Some("answered")));
        let alone = hub.enquire(&hub.question("areas", person)).await.json();
        assert_eq!(found["answer"]["areas"], alone["areas"], "{}", person.name);
        assert_eq!(line.len(), all[0].len(), "every row is equally long");
    }
    assert_eq!(row(&all[0])["answer"]["areas"], row(&all[2])["answer"]["areas"], "shielded is as unknown");
    assert_ne!(row(&all[0])["answer"]["areas"], row(&all[1])["answer"]["areas"]);

    let (again, _) = collect(&hub, &id, json!({ "limit": 3 })).await;
    assert_eq!(again, all, "the same rows again");
    assert_eq!(home.events("enquiry", "answered").await, 6, "and no second entry (three were single enquiries)");
    let view = hub.call("GET", &format!("/v1/screenings/{id}"), &[], "").await.json();
    assert_eq!((&view["waiting"], &view["answered"]), (&json!(0), &json!(3)));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_answer_lapses_when_records_change_and_a_waiting_row_is_decided_on_what_is_there_then(
    #[case] backend: Backend,
) {
    let home = TestGateway::start(backend).await;
    let hub = with_people(&home).await;
    let received = screen(&hub, file(&hub, &[&KNOWN, &KNOWN]), &idempotency_key()).await;
    let id = received.json()["id"].as_str().expect("an id").to_owned();
    let (first, _) = collect(&hub, &id, json!({ "limit": 1 })).await;
    let disclosed = row(&first[0])["answer"]["disclosure"].clone();

    // Somebody shields the person between the two rows.
    let care = home.agency("childrens-social-care").await;
    let mut shield = KNOWN.record(&home.linkage, "child", json!([]));
    shield["restricted"] = true.into();
    care.deliver("cases", AGREEMENT, &[shield]).await;

    let (rows, _) = collect(&hub, &id, json!({})).await;
    let (first, second) = (row(&rows[0]), row(&rows[1]));
    assert_eq!((first["outcome"].as_str(), &first["disclosure"]), (Some("lapsed"), &disclosed));
    let unknown = hub.enquire(&hub.question("areas", &UNKNOWN)).await.json();
    assert_eq!(second["answer"]["areas"], unknown["areas"], "the shield holds from then on");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn rows_over_the_days_ceiling_say_so_each_with_its_entry(#[case] backend: Backend) {
    let home = TestGateway::start_under(backend, "", Some(2)).await;
    let hub = with_people(&home).await;
    let received = screen(&hub, file(&hub, &[&KNOWN, &UNKNOWN, &KNOWN]), &idempotency_key()).await;
    let id = received.json()["id"].as_str().expect("an id").to_owned();
    let (rows, _) = collect(&hub, &id, json!({})).await;
    let over: Vec<Value> = rows.iter().map(|line| row(line)).filter(|row| row["outcome"] == "ceiling").collect();
    assert_eq!((rows.len(), over.len()), (3, 1));
    assert!(
        over[0]["receipt"]
            .as_str()
            .is_some_and(|receipt| receipt.contains(over[0]["disclosure"].as_str().expect("an id")))
    );
    let (again, _) = collect(&hub, &id, json!({})).await;
    assert_eq!(again, rows, "the same receipt again");
}

#[tokio::test]
async fn a_screening_is_its_systems_own_and_the_same_file_is_taken_once() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let hub = with_people(&home).await;
    let (key, text) = (idempotency_key(), file(&hub, &[&KNOWN]));
    let first = screen(&hub, text.clone(), &key).await.json();
    let second = screen(&hub, text.clone(), &key).await.json();
    assert_eq!((&first["id"], &second["is_repeat"]), (&second["id"], &json!(true)));
    let other = screen(&hub, file(&hub, &[&UNKNOWN]), &key).await;
    assert_eq!((other.status, other.kind().as_str()), (409, "idempotency-conflict"));

    let id = first["id"].as_str().expect("an id");
    let education = home.agency("education").await;
    let path = format!("/v1/screenings/{id}");
    assert_eq!(education.call("GET", &path, &[], "").await.status, 404);
    let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
    assert_eq!(education.call("POST", &format!("{path}/rows"), &headers, "{}").await.status, 404);
    assert_eq!(hub.call("GET", &format!("{path}/rows"), &[], "").await.status, 405, "reading decides nothing");
    assert_eq!(home.events("enquiry", "answered").await, 0);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_screening_that_broke_off_inside_is_sent_again_under_its_key(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let hub = with_people(&home).await;
    let (key, text) = (idempotency_key(), file(&hub, &[&KNOWN, &UNKNOWN]));
    let caller = AgencyCaller { agency: hub.code.clone(), client: hub.client.clone() };
    let mut lines = text.lines().map(|line| Bytes::from(line.to_owned()));
    let head = lines.next().expect("a head");
    let mut broken = home.gateway().begin_screening(&caller, &head, &key).await.expect("begun");
    for line in lines {
        broken.push(&line).await.expect("taken");
    }

    // As after a crash: nobody gave it up. Should it live nevertheless, it has been overtaken.
    let again = screen(&hub, text.clone(), &key).await;
    assert_eq!(again.status, 202, "{again:?}");
    let id = again.json()["id"].as_str().expect("an id").to_owned();
    let late = broken.finish().await;
    assert!(matches!(late, Err(ScreeningError::App(AppError::Interrupted))), "{late:?}");
    let repeat = screen(&hub, text, &key).await.json();
    assert_eq!((&repeat["id"], &repeat["is_repeat"]), (&json!(id), &json!(true)));
    let (rows, _) = collect(&hub, &id, json!({})).await;
    assert_eq!(rows.len(), 2, "every row, once");
    home.stop().await;
}

#[tokio::test]
async fn a_bad_row_is_named_by_number_and_code_and_nothing_is_taken() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let hub = with_people(&home).await;
    let good = file(&hub, &[&KNOWN, &UNKNOWN]);
    let mut lines: Vec<&str> = good.lines().collect();
    let plain =
        r#"{"case":"AAAAAAAAAAAAAAAAAAAAAA","user":"AAAAAAAAAAAAAAAAAAAAAA","tokens":{"1":{"k3":["Jowan Trelawny"]}}}"#;
    lines[2] = plain;
    let key = idempotency_key();
    let refused = screen(&hub, lines.join("\n"), &key).await;
    assert_eq!((refused.status, refused.kind().as_str()), (422, "invalid-questions"), "{refused:?}");
    assert!(!refused.text().contains("Jowan"), "no value is repeated");
    let errors = refused.json()["errors"].clone();
    assert_eq!((&errors[0]["row"], &errors[0]["code"]), (&json!(3), &json!("row.malformed")));

    let cut = good.lines().take(2).collect::<Vec<&str>>().join("\n");
    let cut = screen(&hub, cut, &key).await;
    assert_eq!((cut.status, cut.kind().as_str()), (400, "body-incomplete"), "{cut:?}");
    assert_eq!(screen(&hub, good, &key).await.status, 202, "the key is free: nothing was taken before");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn nobody_asks_with_tokens_of_a_type_that_the_agreements_do_not_give(#[case] backend: Backend) {
    let party = "agency = \"early-help-hub\"\nrole";
    let listed = "agency = \"early-help-hub\"\ntoken_types = [\"uprn\", \"nhs\"]\nrole";
    let edit = |text: &[u8]| {
        let text = String::from_utf8(text.to_vec()).expect("UTF-8");
        if text.contains("id = \"early-help-core\"") { text.replacen(party, listed, 1) } else { text }.into_bytes()
    };
    let home = TestGateway::start_edited(backend, "", &edit).await;
    let hub = home.agency("early-help-hub").await;

    let question = hub.question("areas", &UNKNOWN); // tokens of k3 and uprn
    let alone = hub.enquire(&question).await;
    let many = screen(&hub, file(&hub, &[&UNKNOWN, &KNOWN]), &idempotency_key()).await;
    for refused in [alone, many] {
        assert_eq!((refused.status, refused.kind().as_str()), (403, "no-agreement"), "{refused:?}");
        assert_eq!(refused.json()["code"], "key.not_granted");
    }
    assert_eq!(home.events("enquiry", "answered").await, 0, "nobody was looked for");

    let mut granted = question;
    let nhs = hexadecimal(&type_key(&home.linkage, "nhs").key_check());
    granted["epochs"] = json!([{ "epoch": 1, "key_checks": { "nhs": nhs } }]);
    granted["tokens"] = json!({ "1": { "nhs": [token(&home.linkage, "nhs", "9990000018")] } });
    granted["household"] = json!({});
    let reply = hub.enquire(&granted).await;
    assert_eq!(reply.status, 201, "the types that are listed: {reply:?}");
    home.stop().await;
}
