//! `porth possible-matches` against a gateway that listens: the queue, a decision, its reversal.

use porth::app::possible_matches::propose::Pace;
use porth::crypto::token::TypeKey;
use porth::domain::ids::{ProgrammeCode, TokenType};
use serde_json::{Value, json};

use super::screen::desk;
use super::tokenise::Desk;
use crate::support::agency::{TestAgency, idempotency_key};
use crate::support::database::Backend;
use crate::support::gateway::{EPOCH, PROGRAMME, TestGateway, hexadecimal};
use crate::support::people::{self, reference};

const AGREEMENT: &str = "early-help-core/v1";
/// Forename, date and home: a key that only suggests.
const SUGGESTING: &str = "k8";

async fn deliver(agency: &TestAgency<'_>, feed: &str, name: &str) {
    let linkage = &agency.home.linkage;
    let programme = ProgrammeCode::parse(PROGRAMME).expect("a code");
    let key = TypeKey::derive(linkage, &programme, EPOCH, &TokenType::parse(SUGGESTING).expect("a type"), 1);
    let check = (TokenType::parse(SUGGESTING).expect("a type"), key.key_check());
    agency.home.gateway().register_key_checks(EPOCH, &[check], &[], "custodian").await.expect("registered");
    let mut header = agency.header(feed, AGREEMENT).await;
    header["epochs"][0]["key_checks"][SUGGESTING] = hexadecimal(&key.key_check()).into();
    let row = json!({
        "ref": reference(name), "role": "child", "flags": [],
        "tokens": { EPOCH.to_string(): {
            people::LINKING: [people::token(linkage, people::LINKING, name)],
            SUGGESTING: [people::token(linkage, SUGGESTING, "demelza at home")],
        } },
    });
    let reply = agency.submit_text(people::file(&header, &[row])).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    agency.wait_visible(reply.json()["id"].as_str().expect("an id")).await;
}

fn porth(desk: &Desk, args: &[&str]) -> (Option<i32>, Value, String) {
    let args = [&["--json", "possible-matches"][..], args, &["-c", "connection.toml"]].concat();
    let ran = tokio::task::block_in_place(|| desk.porth(&args));
    let said = serde_json::from_slice(&ran.stdout).unwrap_or_default();
    (ran.status.code(), said, String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agency_reads_its_queue_decides_and_takes_back() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let (education, care) = (home.agency("education").await, home.agency("childrens-social-care").await);
    deliver(&education, "attendance", "demelza carne").await;
    deliver(&care, "cases", "demelza poldark").await;
    let pace = Pace { ripen_seconds: 0, most_a_day: 5 };
    assert_eq!(home.gateway().propose_possible_matches(pace).await.expect("compared").asked, 2);

    let school = desk(&education);
    let (code, said, errors) = porth(&school, &["list"]);
    assert_eq!(code, Some(0), "{errors}");
    let items = said["possible_matches"].as_array().expect("a list");
    assert_eq!(items.len(), 1);
    let mut fields: Vec<&String> = items[0].as_object().expect("an item").keys().collect();
    fields.sort();
    assert_eq!(fields, ["as_at", "asked_at", "feed", "fields", "id", "ref", "role"]);
    assert_eq!(items[0]["ref"], reference("demelza carne"));
    assert!(!said.to_string().contains("social-care") && !said.to_string().contains(&reference("demelza poldark")));

    let id = items[0]["id"].as_str().expect("an id");
    let decide = ["decide", "confirm", "--id", id, "--role", "education-welfare-officer", "--reason", "checked-file"];
    let (code, said, errors) = porth(&school, &decide);
    assert_eq!((code, said["id"].as_str()), (Some(0), Some(id)), "{errors}");
    let (code, _, errors) = porth(&school, &decide);
    assert!(code == Some(3) && errors.contains("decided this before"), "{code:?} {errors}");
    let reverse = ["reverse", id, "--role", "education-welfare-officer", "--reason", "mistake"];
    let (code, _, errors) = porth(&desk(&care), &reverse);
    assert_eq!(code, Some(3), "by the other: {errors}");
    let (code, _, errors) = porth(&school, &reverse);
    assert_eq!(code, Some(0), "{errors}");
    assert!(porth(&school, &["list"]).1["possible_matches"].as_array().expect("a list").is_empty());
    home.stop().await;
}

#[tokio::test]
async fn the_api_takes_no_decision_without_its_words_and_names_nothing_that_was_sent() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    let unknown = "01990000-0000-4000-8000-000000000000";
    let post = async |path: &str, body: Value| {
        let key = idempotency_key();
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        education.call("POST", path, &headers, body.to_string()).await
    };
    let decisions = format!("/v1/possible-matches/{unknown}/decisions");
    let good = json!({ "decision": "confirm", "role": "education-welfare-officer", "reason": "checked-file" });
    let reply = post(&decisions, good.clone()).await;
    assert_eq!((reply.status, reply.kind().as_str()), (404, "not-found"));
    for (field, value) in [("decision", "Jowan"), ("reason", "Jowan"), ("role", "head-of-everything")] {
        let mut bad = good.clone();
        bad[field] = value.into();
        let reply = post(&decisions, bad).await;
        assert_eq!((reply.status, reply.kind().as_str()), (422, "invalid-field"), "{field}");
        assert!(!String::from_utf8_lossy(&reply.body).contains(value), "{field}");
    }
    let split = json!({ "decision": "split", "record": { "feed": "attendance", "ref": reference("nobody") },
        "role": "education-welfare-officer", "reason": "namesake" });
    assert_eq!(post("/v1/possible-matches", split).await.status, 404);
    let view = json!({ "agreement": "programme-delivery/v1", "purpose": "programme-delivery", "relationship": "screening",
        "role": "data-analyst", "user": reference("somebody") });
    let refused = post("/v1/possible-matches/views", view.clone()).await;
    assert_eq!((refused.status, refused.kind().as_str()), (403, "no-agreement"));
    assert_eq!(home.events("match.view", "refused").await, 1);
    let team = home.agency("programme-team").await;
    let key = idempotency_key();
    let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
    let shown = team.call("POST", "/v1/possible-matches/views", &headers, view.to_string()).await;
    assert_eq!((shown.status, shown.json()["pairs"].as_array().map(Vec::len)), (201, Some(0)), "{shown:?}");
    home.stop().await;
}
