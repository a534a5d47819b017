//! A partner agency witnesses the log: it follows what goes on, finds what does not, and releases stop
//! when it falls silent.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use porth::app::signers::KeySigner;
use porth::app::witness::{WitnessRule, witnessed_age};
use porth::crypto::kek::Kek;
use porth::crypto::keyring::{Keyring, Role};
use porth::store::NewCosignature;
use porth::tlog::checkpoint::Checkpoint;
use porth::tlog::merkle::leaf_hash;
use porth::web::api::cosignatures::GOES_ON;
use porth::web::api::openapi::document;
use rstest::rstest;
use serde_json::json;

use super::{CORE, KNOWN, trust};
use crate::cli::gateway::{Ran, porth};
use crate::support::agency::{TestAgency, idempotency_key};
use crate::support::connection::Reply;
use crate::support::database::Backend;
use crate::support::gateway::{ISSUER, LOG, TestGateway};
use crate::support::people::flag;
use crate::support::programme::TestProgramme;

const NAME: &str = "witness.police.example";

/// A gateway with one witness, and the folder of the agency that runs it.
async fn watched(backend: Backend) -> (TestGateway, tempfile::TempDir) {
    let desk = tempfile::tempdir().expect("a folder");
    let key = porth(desk.path(), &["witness", "key", "--name", NAME, "--key", "witness.key"]).done();
    let more = format!("[witnesses]\nkeys = ['{}']\nquorum = 1\n", key.out.trim());
    let home = TestGateway::start_with(backend, &more).await;
    let police = home.agency("police").await;
    write_connection(&home, &police, desk.path());
    fs::write(desk.path().join("trust.toml"), trust(&home)).expect("writes");
    home.wait_sequenced().await;
    (home, desk)
}

fn write_connection(home: &TestGateway, agency: &TestAgency<'_>, desk: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let assertion = STANDARD.encode(agency.key.to_pkcs8().as_slice());
    let assertion = format!("-----BEGIN PRIVATE KEY-----\n{assertion}\n-----END PRIVATE KEY-----\n");
    let connection = format!(
        "gateway = 'https://localhost:{}'\nissuer = '{ISSUER}'\nroot = 'ca.pem'\ncertificate = 'client.pem'\n\
         private_key = 'client.key'\nclient_id = '{}'\nassertion_key = 'assertion.pem'\n",
        home.running.agencies.port(),
        agency.client
    );
    for (name, text) in [
        ("ca.pem", home.authority.certificate().pem.as_str()),
        ("client.pem", agency.identity.certificate_pem.as_str()),
        ("client.key", agency.identity.key_pem.as_str()),
        ("assertion.pem", assertion.as_str()),
        ("connection.toml", connection.as_str()),
    ] {
        let path = desk.join(name);
        fs::write(&path, text).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
    }
}

fn witness(desk: &Path) -> Ran {
    let arguments = ["--json", "witness", "run", "-c", "connection.toml", "--trust", "trust.toml", "--name", NAME];
    porth(desk, &[arguments.as_slice(), &["--key", "witness.key", "--state", "seen"]].concat())
}

fn assert_stopped(reply: &Reply, what: &str) {
    assert_eq!((reply.status, reply.kind().as_str()), (503, "witnesses-missing"), "{what}: {reply:?}");
    assert_eq!(reply.json()["code"], "log.witness-late", "{what}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_released_until_a_witness_has_cosigned_and_again_when_it_falls_silent(#[case] backend: Backend) {
    let (home, desk) = watched(backend).await;
    let education = home.agency("education").await;
    let known = KNOWN.record(&home.linkage, "child", json!([flag("E1", "met")]));
    education.deliver("attendance", CORE, &[known]).await;
    let hub = home.agency("early-help-hub").await;
    let question = hub.question("areas", &KNOWN);
    assert_stopped(&hub.enquire(&question).await, "never cosigned");
    assert_eq!(home.events("enquiry", "answered").await, 0);
    assert_eq!(hub.call("GET", "/v1/log/cosignatures", &[], "").await.status, 404);

    home.wait_sequenced().await;
    let first = witness(desk.path()).done().json();
    assert!(first["seen_before"].is_null(), "{first}");
    assert_eq!(hub.enquire(&question).await.status, 201);
    let note = hub.call("GET", "/v1/log/cosignatures", &[], "").await;
    let text = String::from_utf8(note.body.to_vec()).expect("text");
    assert!(text.starts_with(LOG) && text.contains(&format!("\n\u{2014} {NAME} ")), "{text}");

    // Four hours and a second pass without the witness.
    let store = home.gateway().store();
    let (now, size) = (home.now().await, store.cosigned_sizes(1).await.expect("sizes")[0]);
    let kept = store.cosignatures(size).await.expect("cosignatures").remove(0);
    let old = now.plus_seconds(-4 * 3600 - 1);
    let late = NewCosignature { size, witness: kept.witness, signed_at: old, covers_until: old, line: kept.line };
    let mut tx = store.begin().await.expect("begins");
    tx.put_cosignature(&late).await.expect("kept");
    tx.commit().await.expect("committed");
    tokio::time::sleep(Duration::from_millis(5_200)).await;
    assert_stopped(&hub.enquire(&question).await, "silent for four hours");

    home.wait_sequenced().await;
    let again = witness(desk.path()).done().json();
    assert_eq!(again["seen_before"], first["size"]);
    assert!(again["size"].as_u64() > first["size"].as_u64(), "the proof leads from the one to the other: {again}");
    assert_eq!(hub.enquire(&question).await.status, 201);

    // A checkpoint that the log never signed, and one that no known witness cosigned.
    let foreign = text.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size - 1), 1);
    let plain = hub.call("GET", "/v1/log/checkpoint", &[], "").await.body;
    for (body, status) in [(foreign.into_bytes(), 409), (plain.to_vec(), 422), (b"x".to_vec(), 422)] {
        let reply = hub.call("POST", "/v1/log/cosignatures", &[("content-type", "text/plain")], body).await;
        assert_eq!(reply.status, status, "{reply:?}");
    }
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_a_fork_and_a_rewrite_by_the_logs_own_key_are_found_kept_and_never_cosigned(
    #[case] backend: Backend,
) {
    let (home, desk) = watched(backend).await;
    let size = witness(desk.path()).done().json()["size"].as_u64().expect("a size");
    let cosigned = home.gateway().store().cosignatures(size).await.expect("cosignatures");
    let kek = Kek::from_file(&home.folder().join("kek")).expect("a key-encryption key");
    let keyring = Keyring::open(&home.folder().join("checkpoint"), &kek).expect("keys");
    let key = keyring.signing_key(Role::Checkpoint).expect("the log's own key");
    // What this witness saw is another history than the one that the gateway serves now: for the
    // witness it is the same whether the log was altered before or after.
    for (seen, code) in [
        (size + 100, "witness.rollback"),
        (size, "witness.fork"),
        (size - 1, "witness.rewrite"),
        (1, "witness.rewrite"),
    ] {
        let other = Checkpoint { origin: LOG.to_owned(), size: seen, root: leaf_hash(b"another history") };
        let note = other.sign(&[&KeySigner::new(LOG, &key)]).expect("signs").to_string();
        fs::write(desk.path().join("seen"), &note).expect("writes");
        let ran = witness(desk.path());
        assert!(ran.code == 4 && ran.err.contains(code), "{code}: {ran:?}");
        assert_eq!(fs::read_to_string(desk.path().join("seen")).expect("reads"), note, "{code}: what was seen stays");
    }
    for number in 1..=4 {
        let evidence = fs::read_to_string(desk.path().join(format!("seen.evidence-{number}"))).expect("kept");
        assert_eq!(evidence.matches(&format!("{LOG}\n")).count(), 2, "both signed notes: {evidence}");
    }
    let after = home.gateway().store().cosignatures(size).await.expect("cosignatures");
    assert_eq!(after, cosigned, "nothing was cosigned anew");
    home.stop().await;
}

#[tokio::test]
async fn every_operation_stops_without_witnesses_unless_it_is_listed_as_going_on() {
    let (home, _desk) = watched(Backend::Sqlite).await;
    let hub = home.agency("early-help-hub").await;
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let listed = |path: &str| path.replace("{path}", "{*path}");
    for path in GOES_ON {
        assert!(paths.keys().any(|known| listed(known) == *path), "{path} is no operation");
    }
    let mut stopped = 0;
    for (path, item) in paths {
        let goes_on = GOES_ON.contains(&listed(path).as_str());
        for method in item.as_object().expect("operations").keys() {
            let real = path
                .replace("{id}", "01990000-0000-7000-8000-000000000000")
                .replace("{table}", "areas")
                .replace("{path}", "0/000");
            let key = idempotency_key();
            let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
            let reply = hub.call(&method.to_uppercase(), &real, &headers, "").await;
            if goes_on {
                assert_ne!(reply.status, 503, "{method} {path}");
            } else {
                assert_stopped(&reply, &format!("{method} {path}"));
                stopped += 1;
            }
        }
    }
    assert!(stopped > 20, "{stopped}");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn no_cosignature_covers_what_waits_without_a_place(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let store = programme.gateway.store();
    let waiting = store.waiting_since().await.expect("the database").expect("the set-up's entries wait");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let now = store.now().await.expect("the clock");
    let cosigned = NewCosignature {
        size: 1,
        witness: NAME.to_owned(),
        signed_at: now,
        covers_until: now,
        line: "\u{2014} a line".to_owned(),
    };
    let mut tx = store.begin().await.expect("begins");
    tx.put_cosignature(&cosigned).await.expect("kept");
    tx.commit().await.expect("committed");
    let rule = WitnessRule { keys: vec![NAME.to_owned()], quorum: 1, stop_after: Duration::from_secs(1) };
    let age = witnessed_age(store, &rule).await.expect("the database").expect("a quorum of one");
    assert!(age >= Duration::from_secs(1), "{age:?} since {waiting:?}: the sequencer stands still");

    programme.sequencer.drain().await.expect("sequenced");
    assert_eq!(store.waiting_since().await.expect("the database"), None);
    let mut tx = store.begin().await.expect("begins");
    let now = store.now().await.expect("the clock");
    tx.put_cosignature(&NewCosignature { covers_until: now, ..cosigned }).await.expect("kept");
    tx.commit().await.expect("committed");
    let after = witnessed_age(store, &rule).await.expect("the database").expect("a quorum of one");
    assert!(after < age, "{after:?} with nothing that waits, {age:?} before");
}
