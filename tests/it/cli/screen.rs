//! `porth screen` against a gateway that listens: a batch in, a result a row out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::tokenise::Desk;
use crate::support::agency::TestAgency;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::{self, Person, flag};

const AGREEMENT: &str = "early-help-core/v1";
const KNOWN: Person = Person::new("Known", "1 Quay");
const UNKNOWN: Person = Person::new("Unknown", "2 Quay");

/// A desk from which the agency's system reaches the gateway.
pub(crate) fn desk(agency: &TestAgency<'_>) -> Desk {
    let desk = Desk::new();
    let home = agency.home;
    desk.write("ca.pem", &home.authority.certificate().pem);
    desk.write("client.pem", &agency.identity.certificate_pem);
    let assertion = STANDARD.encode(agency.key.to_pkcs8().as_slice());
    let assertion = format!("-----BEGIN PRIVATE KEY-----\n{assertion}\n-----END PRIVATE KEY-----\n");
    for (name, pem) in [("client.key", &agency.identity.key_pem), ("assertion.pem", &assertion)] {
        desk.write(name, pem);
        fs::set_permissions(desk.path(name), fs::Permissions::from_mode(0o600)).expect("sets the mode");
    }
    desk.write(
        "connection.toml",
        format!(
            "gateway = 'https://localhost:{}'\nissuer = '{}'\nroot = 'ca.pem'\ncertificate = 'client.pem'\n\
             private_key = 'client.key'\nclient_id = '{}'\nassertion_key = 'assertion.pem'\n",
            home.running.agencies.port(),
            crate::support::gateway::ISSUER,
            agency.client
        ),
    );
    desk
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_of_a_batch_gets_a_result_in_its_order_and_nobody_is_asked_about_twice() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    let known = KNOWN.record(&home.linkage, "child", json!([flag("E1", "met")]));
    education.deliver("attendance", AGREEMENT, &[known]).await;

    let hub = home.agency("early-help-hub").await;
    let desk = desk(&hub);
    let header = hub.header("assessments", AGREEMENT).await;
    let record = |person: &Person, n: u8| -> Value {
        let mut record = person.record(&home.linkage, "child", json!([]));
        record["ref"] = people::reference(&format!("case {n}")).into();
        record
    };
    desk.write("batch.ndjson", people::file(&header, &[record(&UNKNOWN, 1), record(&KNOWN, 2)]));
    let screen = |out: &'static str| {
        desk.porth(&[
            "--json",
            "screen",
            "batch.ndjson",
            "-c",
            "connection.toml",
            "-k",
            "keys.json",
            "--agreement",
            AGREEMENT,
            "--purpose",
            "early-help-screening",
            "--mode",
            "areas",
            "--role",
            "hub-screener",
            "--user",
            "tamsin",
            "--relationship",
            "referral",
            "--out",
            out,
            "--receipts",
            &format!("{out}.receipts"),
        ])
    };
    let ran = tokio::task::block_in_place(|| screen("first.csv"));
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!((&said["rows"], &said["answered"]), (&json!(2), &json!(2)));
    let results = fs::read_to_string(desk.path("first.csv")).expect("results");
    let rows: Vec<&str> = results.lines().collect();
    assert_eq!(rows[0], "row,ref,outcome,result,detail,disclosure");
    let (unknown, known) = (people::reference("case 1"), people::reference("case 2"));
    assert!(rows[1].starts_with(&format!("1,{unknown},answered,0 met,")) && !rows[1].contains("=met"), "{results}");
    assert!(rows[2].starts_with(&format!("2,{known},answered,1 met,")) && rows[2].contains("A2=met"), "{results}");
    let receipts = fs::read_to_string(desk.path("first.csv.receipts")).expect("receipts");
    assert_eq!(receipts.matches("porth-receipt/v1").count(), 2, "{receipts}");

    let entries = home.events("enquiry", "answered").await;
    assert_eq!(entries, 2);
    let again = tokio::task::block_in_place(|| screen("second.csv"));
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(fs::read_to_string(desk.path("second.csv")).expect("results"), results);
    assert_eq!(home.events("enquiry", "answered").await, entries, "the same screening, given again");

    let over = tokio::task::block_in_place(|| screen("first.csv"));
    assert_eq!(over.status.code(), Some(1), "results are never overwritten");
}
