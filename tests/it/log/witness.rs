//! A partner agency witnesses the log: it follows what goes on, finds what does not, and releases stop
//! when it falls silent.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use porth::app::error::AppError;
use porth::app::export::ExportError;
use porth::app::log_index::index_log;
use porth::app::signers::KeySigner;
use porth::app::witness::{WitnessRule, Witnesses, witnessed_age};
use porth::crypto::kek::Kek;
use porth::crypto::keyring::{Keyring, Role};
use porth::crypto::random::SystemRandom;
use porth::crypto::sign::SigningKey;
use porth::domain::ids::EventId;
use porth::domain::time::Timestamp;
use porth::store::{NewCosignature, Store};
use porth::tlog::checkpoint::Checkpoint;
use porth::tlog::cosignature::{Cosigner, Ed25519Signer};
use porth::tlog::entry::{Body, Entry, Erasure};
use porth::tlog::merkle::leaf_hash;
use porth::tlog::note::{SignedNote, SigningFailed, TYPE_COSIGNATURE, verifier_key};
use porth::web::api::cosignatures::GOES_ON;
use porth::web::api::openapi::document;
use rstest::rstest;
use serde_json::json;

use super::{CORE, KNOWN, bundle, entry_of, trust, try_bundle};
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
    let first: &[&str] = if desk.join("seen").exists() { &[] } else { &["--first"] };
    witness_with(desk, first)
}

fn witness_with(desk: &Path, more: &[&str]) -> Ran {
    let arguments = ["--json", "witness", "run", "-c", "connection.toml", "--trust", "trust.toml", "--name", NAME];
    porth(desk, &[arguments.as_slice(), &["--key", "witness.key", "--state", "seen"], more].concat())
}

/// The key that a witness's agency holds, signing at any time.
struct DeskKey(SigningKey, [u8; 32]);

impl DeskKey {
    fn generate() -> Self {
        let key = SigningKey::generate(&SystemRandom::new());
        let public = *key.verifying_key().as_bytes();
        Self(key, public)
    }
    fn read(desk: &Path) -> Self {
        let pem = fs::read_to_string(desk.join("witness.key")).expect("a key");
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let key = SigningKey::from_pkcs8(&STANDARD.decode(body).expect("base64")).expect("a key");
        let public = *key.verifying_key().as_bytes();
        Self(key, public)
    }
    fn verifier_key(&self) -> String {
        verifier_key(NAME, TYPE_COSIGNATURE, &self.1)
    }
    /// The newest checkpoint as this witness would have cosigned it at a moment.
    async fn cosign(&self, home: &Store, at: Timestamp) -> (u64, String) {
        let (size, _, note) = home.newest_checkpoint().await.expect("the database").expect("a checkpoint");
        let mut note = SignedNote::parse(note.as_bytes()).expect("a note");
        let seconds = u64::try_from(at.as_seconds()).expect("after 1970");
        note.add(&Cosigner::new(NAME, self, seconds)).expect("signs");
        (size, note.to_string())
    }
    /// As a row of the database.
    async fn row(&self, store: &Store, at: Timestamp) -> NewCosignature {
        let (size, note) = self.cosign(store, at).await;
        let line = note.lines().last().expect("a line").to_owned();
        NewCosignature { size, witness: self.verifier_key(), signed_at: at, covers_until: at, line }
    }
}

impl Ed25519Signer for DeskKey {
    fn public_key(&self) -> &[u8; 32] {
        &self.1
    }
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
        Ok(self.0.sign(message))
    }
}

async fn keep(store: &Store, row: &NewCosignature) {
    let mut tx = store.begin().await.expect("begins");
    tx.put_cosignature(row).await.expect("kept");
    tx.commit().await.expect("committed");
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

    // Cosigned, and silent for four hours and a second since.
    home.wait_sequenced().await;
    let key = DeskKey::read(desk.path());
    let store = home.gateway().store();
    let late = key.row(store, home.now().await.plus_seconds(-4 * 3600 - 1)).await;
    keep(store, &late).await;
    tokio::time::sleep(Duration::from_millis(5_200)).await;
    assert_stopped(&hub.enquire(&question).await, "silent for four hours");
    // Rows that somebody wrote who has no witness's key count for nothing.
    let now = home.now().await;
    keep(store, &NewCosignature { size: late.size - 1, signed_at: now, covers_until: now, ..late.clone() }).await;
    keep(store, &NewCosignature { signed_at: now, covers_until: now, ..late.clone() }).await;
    tokio::time::sleep(Duration::from_millis(5_200)).await;
    assert_stopped(&hub.enquire(&question).await, "the signature is four hours old, whatever the row says");
    // An older one does not replace a newer one, nor does one from far in the future.
    let (_, ahead) = key.cosign(store, now.plus_seconds(600)).await;
    let reply = hub.call("POST", "/v1/log/cosignatures", &[("content-type", "text/plain")], ahead).await;
    assert_eq!(reply.status, 422, "{reply:?}");

    let without = witness_with(desk.path(), &[]);
    assert!(without.code == 78 && without.err.contains("no state file"), "{without:?}");
    let first = witness(desk.path()).done().json();
    let again = witness_with(desk.path(), &["--first"]);
    assert!(again.code == 78 && again.err.contains("is there already"), "{again:?}");
    let kept = store.cosignatures(first["size"].as_u64().expect("a size")).await.expect("cosignatures");
    keep(store, &late).await;
    assert_eq!(store.cosignatures(late.size).await.expect("cosignatures"), kept, "an older one changes nothing");
    assert!(first["seen_before"].is_null(), "{first}");
    assert_eq!(hub.enquire(&question).await.status, 201);
    let note = hub.call("GET", "/v1/log/cosignatures", &[], "").await;
    let text = String::from_utf8(note.body.to_vec()).expect("text");
    assert!(text.starts_with(LOG) && text.contains(&format!("\n\u{2014} {NAME} ")), "{text}");

    let size = store.cosigned_sizes(1).await.expect("sizes")[0];
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

/// What both verifiers say of a bundle: exit code and text.
fn verdicts(home: &TestGateway, name: &str, trust: &str) -> [(i32, String); 2] {
    let rust = porth(home.folder(), &["log", "verify", name, "--trust", trust]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_bundle.py");
    let python = Command::new("python3").args([script, name, trust]).current_dir(home.folder()).output();
    let python = python.expect("python3 runs");
    [(rust.code, rust.out), (python.status.code().unwrap_or(-1), String::from_utf8_lossy(&python.stdout).into_owned())]
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_says_how_far_witnesses_reach_and_an_older_cosignature_does_not_pass(#[case] backend: Backend) {
    let (home, desk) = watched(backend).await;
    // Without a witness nobody gets openings either; the log alone may still be handed over.
    let refused = try_bundle(&home, &home.folder().join("late")).await;
    assert!(matches!(refused, Err(ExportError::App(AppError::WitnessLate))), "{refused:?}");
    assert_eq!(home.events("log.access", "answered").await, 0);
    witness(desk.path()).done();
    bundle(&home, &home.folder().join("first")).await;
    let early = fs::read(home.folder().join("first/checkpoint.cosigned")).expect("cosigned");

    let education = home.agency("education").await;
    education.deliver("attendance", CORE, &[KNOWN.record(&home.linkage, "child", json!([flag("E1", "met")]))]).await;
    home.wait_sequenced().await;
    let reach = witness(desk.path()).done().json()["size"].as_u64().expect("a size");
    education.deliver("attendance", CORE, &[KNOWN.record(&home.linkage, "child", json!([]))]).await;
    home.wait_sequenced().await;
    bundle(&home, &home.folder().join("second")).await;
    for (code, said) in verdicts(&home, "second", "trust.toml") {
        assert!(code == 0 && said.contains(&format!("Witnesses vouch for the first {reach} of ")), "{said}");
    }

    let strict = fs::read_to_string(home.folder().join("trust.toml")).expect("reads");
    assert!(strict.contains("witnessed_within_minutes = 245"), "{strict}");
    let strict = strict.replace("witnessed_within_minutes = 245", "witnessed_within_minutes = 0");
    fs::write(home.folder().join("strict.toml"), strict).expect("writes");
    for (code, said) in verdicts(&home, "second", "strict.toml") {
        assert!(code == 4 && said.contains("[witness-behind]"), "{said}");
    }
    fs::write(home.folder().join("second/checkpoint.cosigned"), early).expect("writes");
    for (code, said) in verdicts(&home, "second", "trust.toml") {
        assert!(code == 4 && said.contains("[witness-scope]"), "{said}");
    }
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
    let log = &programme.gateway.names().log;
    let key = DeskKey::generate();
    let rule = WitnessRule { keys: vec![key.verifier_key()], quorum: 1, stop_after: Duration::from_secs(1) };
    let witnesses = Witnesses::new(rule).expect("a key");
    programme.sequencer.drain().await.expect("sequenced");
    keep(store, &key.row(store, store.now().await.expect("the clock").plus_seconds(1)).await).await;
    assert!(witnessed_age(store, &witnesses, log).await.expect("the database").is_some(), "a quorum of one");
    let code = |text: &str| text.parse().expect("a code");
    let body = Body::Erasure(Erasure { events: Vec::new(), reason: code("a-test"), by: code("a-test") });
    let id = EventId::new(uuid::Uuid::now_v7());
    let mut tx = store.begin().await.expect("begins");
    tx.add_events(&[&entry_of(id, store.now().await.expect("the clock"), body, Vec::new())]).await.expect("added");
    tx.commit().await.expect("committed");
    let waiting = store.waiting_since().await.expect("the database").expect("an entry waits");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let age = witnessed_age(store, &witnesses, log).await.expect("the database").expect("a quorum of one");
    assert!(age >= Duration::from_secs(2), "{age:?} since {waiting:?}: the sequencer stands still");
}

/// The entries that say who the witnesses are, oldest first: how many, how many are enough, and why not.
async fn rules(home: &TestGateway) -> Vec<(usize, u64, Option<String>)> {
    let store = home.gateway().store();
    let size = index_log(store).await.expect("indexed");
    let found = store.entries_of_type("log.witnesses", 0, size, 100).await.expect("the database");
    let rule = |entry: &porth::store::FoundEntry| match Entry::parse(&entry.body).expect("an entry").into_body() {
        Body::LogWitnesses(rule) => (rule.witnesses.len(), rule.quorum, rule.reason.map(|code| code.to_string())),
        other => panic!("{}", other.kind()),
    };
    found.iter().map(rule).collect()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_takes_witnesses_out_of_the_configuration_leaves_an_entry(#[case] backend: Backend) {
    let (home, _desk) = watched(backend).await;
    assert_eq!(rules(&home).await, [(1, 1, None)], "whom the gateway was started with");
    // The operator exports with a configuration that has no witnesses, then with the old one again.
    let path = home.folder().join("porth.toml");
    let text = fs::read_to_string(&path).expect("reads");
    let (before, after) = text.split_once("[witnesses]").expect("witnesses");
    let rest = after.split_once("\n[").map_or(String::new(), |(_, rest)| format!("[{rest}"));
    fs::write(home.folder().join("blind.toml"), format!("{before}{rest}")).expect("writes");
    let excused = format!("{before}[witnesses]\nunwatched_because = 'pilot-over'\n{rest}");
    fs::write(home.folder().join("excused.toml"), excused).expect("writes");
    for (number, config) in ["blind.toml", "blind.toml", "excused.toml", "porth.toml"].into_iter().enumerate() {
        let to = format!("out-{number}");
        porth(home.folder(), &["log", "export", "--config", config, "--to", &to]).done();
        home.wait_sequenced().await;
    }
    let excuse = Some("pilot-over".to_owned());
    assert_eq!(rules(&home).await, [(1, 1, None), (0, 0, None), (0, 0, excuse), (1, 1, None)]);
    home.stop().await;
}
