//! Keys that sign, and keys of partners: the next one works before the last one ends, and the past verifies on.

use porth::app::authenticate::AuthError;
use porth::app::enrol::Enrolment;
use porth::app::suspend::Suspendable;
use porth::crypto::jwt::{AccessGrant, ClientKey};
use porth::crypto::keyring::{Keyring, Role};
use porth::crypto::random::SystemRandom;
use porth::crypto::sign::SigningKey;
use porth::domain::time::Timestamp;
use rstest::rstest;

use crate::cli::gateway::CliGateway;
use crate::support::database::Backend;
use crate::support::programme::{HUB_AREAS, TestProgramme};

const WHY: [&str; 4] = ["--by", "ops-1", "--reason", "yearly"];

fn keyring(gateway: &CliGateway, folder: &str) -> Keyring {
    let kek = porth::crypto::kek::Kek::from_file(&gateway.path("kek")).expect("the key-encryption key");
    Keyring::open(&gateway.path(folder), &kek).expect("opens")
}

fn rotate(gateway: &CliGateway, name: &str, more: &[&str]) -> crate::cli::gateway::Ran {
    gateway.run(&[["keys", "rotate", name, "--config", "porth.toml"].as_slice(), &WHY, more].concat())
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn checkpoints_of_the_old_key_verify_on_and_an_auditor_without_it_notices(#[case] backend: Backend) {
    let gateway = CliGateway::ready(backend, "pilot").await;
    let trust = |to: &str| {
        let text = gateway.run(&["log", "trust", "--config", "porth.toml"]).done().out;
        gateway.write(to, &text);
        text
    };
    let old = trust("old-trust.toml");
    gateway.run(&["log", "export", "--config", "porth.toml", "--to", "before"]).done();
    rotate(&gateway, "checkpoint", &["--destroy-old"]).done();
    rotate(&gateway, "receipt", &["--destroy-old"]).done();
    let new = trust("new-trust.toml");
    let keys =
        |text: &str| -> Vec<String> { text.split('"').filter(|word| word.contains('+')).map(str::to_owned).collect() };
    assert_eq!((keys(&old).len(), keys(&new).len()), (3, 5));
    assert!(keys(&old).iter().all(|key| keys(&new).contains(key)), "the past is still believed");

    // The next entry is signed by the new key.
    rotate(&gateway, "certificate", &[]).done();
    gateway.run(&["keys", "linkage", "list", "--config", "porth.toml"]).done(); // opens the gateway, which sequences
    gateway.run(&["log", "export", "--config", "porth.toml", "--to", "after"]).done();
    let verify = |trust: &str| {
        let arguments = ["--json", "log", "verify", "after", "--trust", trust, "--checkpoint", "before/checkpoint"];
        gateway.run(&arguments)
    };
    assert_eq!(verify("new-trust.toml").done().json()["clean"], true, "the checkpoint held from before verifies too");
    assert_eq!(verify("old-trust.toml").code, 4, "the old key signs nothing new");
    assert!(!gateway.path("checkpoint/checkpoint.v1.json").exists());
    // A log that ends where the old key signed last is shown up by any checkpoint that the new key signed.
    let ended = ["--json", "log", "verify", "before", "--trust", "new-trust.toml", "--checkpoint", "after/checkpoint"];
    let ended = gateway.run(&ended);
    assert!(ended.code == 4 && ended.out.contains("rollback"), "{ended:?}");
}

#[tokio::test]
async fn access_tokens_of_a_destroyed_key_end_at_once_and_of_a_rotated_one_after_five_minutes() {
    let gateway = CliGateway::ready(Backend::Sqlite, "pilot").await;
    let grant = AccessGrant { client_id: "a", key_id: "k", subject: "a", scope: "agency", certificate: &[1; 32] };
    let now = Timestamp::from_micros(1_790_000_000_000_000);
    let access = |gateway: &CliGateway| keyring(gateway, "keys").access_tokens("https://localhost").expect("a key");
    let first = access(&gateway).issue(grant, now, &SystemRandom::new());
    rotate(&gateway, "token-signing", &[]).done();
    assert!(access(&gateway).verify(&first, &[1; 32], now.plus_seconds(200)).is_ok());
    assert!(access(&gateway).verify(&first, &[1; 32], now.plus_seconds(306)).is_err(), "five minutes");
    let second = access(&gateway).issue(grant, now, &SystemRandom::new());
    rotate(&gateway, "token-signing", &["--destroy-old"]).done();
    for token in [&first, &second] {
        assert!(access(&gateway).verify(token, &[1; 32], now.plus_seconds(1)).is_err(), "at once");
    }
    assert_eq!(keyring(&gateway, "keys").versions(Role::TokenSigning), [3]);
    assert_eq!(rotate(&gateway, "blinding", &["--destroy-old"]).code, 1, "new arrivals need every blinding key");
}

#[tokio::test]
async fn a_key_encryption_key_is_not_taken_out_while_something_needs_it() {
    let gateway = CliGateway::ready(Backend::Sqlite, "pilot").await;
    gateway.run(&["keys", "new-kek", "--kek-file", "kek"]).done();
    let retire = || gateway.run(&[["keys", "retire-kek", "--config", "porth.toml"].as_slice(), &WHY].concat());
    let refused = retire();
    assert!(refused.code == 78 && refused.err.contains("keys rewrap"), "{refused:?}");
    gateway.run(&[["keys", "rewrap", "--config", "porth.toml"].as_slice(), &WHY].concat()).done();
    retire().done();
    assert_eq!(std::fs::read_to_string(gateway.path("kek")).expect("reads").lines().count(), 1);
}

#[tokio::test]
async fn a_systemd_credential_is_read_from_the_folder_that_systemd_names() {
    let gateway = CliGateway::ready(Backend::Sqlite, "pilot").await;
    gateway.edit("porth.toml", "kek_file = \"kek\"", "kek_credential = \"kek\"");
    let list = ["keys", "linkage", "list", "--config", "porth.toml"];
    let mut started = crate::cli::gateway::command(gateway.folder.path(), &list);
    let by_systemd = started.env("CREDENTIALS_DIRECTORY", gateway.folder.path()).output().expect("porth runs");
    assert!(by_systemd.status.success(), "{by_systemd:?}");
    let mut alone = crate::cli::gateway::command(gateway.folder.path(), &list);
    let alone = alone.env_remove("CREDENTIALS_DIRECTORY").output().expect("porth runs");
    assert_eq!(alone.status.code(), Some(78), "{alone:?}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_revoked_assertion_key_gets_no_token_and_the_second_one_does(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    let now = gateway.store().now().await.expect("the clock");
    let keys = [ClientKey::generate(&SystemRandom::new()), ClientKey::generate(&SystemRandom::new())];
    for (number, key) in (1..).zip(&keys) {
        let enrolment = Enrolment {
            agency: "housing".parse().expect("a code"),
            client: "housing-system".to_owned(),
            kid: key.public().thumbprint(),
            key: key.public(),
            certificate: [number; 32],
            not_after: now.plus_seconds(86_400),
        };
        gateway.enrol(&enrolment, "ops-1").await.expect("enrolled");
    }
    let token = async |key: &ClientKey, certificate: [u8; 32]| {
        let (kid, now) = (key.public().thumbprint(), gateway.store().now().await.expect("the clock"));
        let issuer = "https://porth.test";
        let assertion =
            porth::crypto::jwt::make_assertion(key, &kid, "housing-system", issuer, now, &SystemRandom::new());
        gateway.issue_token(&assertion.expect("signed"), &certificate).await
    };
    token(&keys[0], [1; 32]).await.expect("the overlap: the first still works");
    token(&keys[1], [2; 32]).await.expect("and so does the second");
    let kid = keys[0].public().thumbprint();
    // A key that is suspected first and found stolen later: suspended, then revoked for good.
    let suspended = Suspendable::ClientKey { client: "housing-system".to_owned(), kid: kid.clone() };
    gateway.set_standing(&suspended, false, "ops-1", "suspected").await.expect("suspended");
    gateway.revoke_client_key("housing-system", &kid, "ops-1", "key-lost").await.expect("revoked");
    assert!(gateway.set_standing(&suspended, true, "ops-1", "over").await.is_err(), "it stays revoked");
    gateway.revoke_certificate(&[1; 32], "ops-1", "key-lost").await.expect("revoked");
    assert!(matches!(token(&keys[0], [2; 32]).await, Err(AuthError::Client)), "the old key");
    assert!(matches!(token(&keys[1], [1; 32]).await, Err(AuthError::CertificateEnded)), "the old certificate");
    token(&keys[1], [2; 32]).await.expect("the second pair");
    assert!(gateway.revoke_client_key("housing-system", &kid, "ops-1", "again").await.is_err());
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_a_revoked_signatory_signed_counts_no_longer_until_the_next_key_signs(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    let who: &[(&str, &str)] = &[("nhs", "9990000018")];
    programme.ask(HUB_AREAS, who, &[]).await.expect("permitted");
    let lost = gateway.revoke_signatory("early-help-hub-signatory", "ops-1:ops-2", "key-lost").await.expect("revoked");
    assert!(lost > 0);
    assert!(programme.ask(HUB_AREAS, who, &[]).await.is_err(), "unsigned, the agreement permits nothing");

    let key = SigningKey::generate(&SystemRandom::new());
    let agency = "early-help-hub".parse().expect("a code");
    gateway
        .enrol_signatory("hub-next", &agency, key.verifying_key().as_bytes(), "ops-1:ops-2")
        .await
        .expect("enrolled");
    let text = std::fs::read(format!("{}/policies/agreements/early-help-core.toml", env!("CARGO_MANIFEST_DIR")));
    let signature = porth::app::load_policy::PartySignature {
        agreement: crate::support::programme::agreement("early-help-core/v1"),
        signature: key.sign(&text.expect("shipped")).to_vec(),
        key_id: "hub-next".to_owned(),
    };
    gateway.sign_agreement(&signature).await.expect("signed again");
    programme.ask(HUB_AREAS, who, &[]).await.expect("permitted again");
    assert!(gateway.revoke_signatory("early-help-hub-signatory", "ops-1:ops-2", "again").await.is_err());
}
