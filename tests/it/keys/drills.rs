//! After its drill a key is useless to a thief: on connections that are open, on new ones, and for
//! what it signed or sealed. Every key of docs/keys.md that can be replaced has a test here or beside.

use std::net::SocketAddr;
use std::path::Path;

use porth::app::enrol::Enrolment;
use porth::client::{CallHeaders, Client, ClientError, ClientIdentity, ClientOptions, Trouble};
use porth::config::Config;
use porth::crypto::certs::{self, CertificateAuthority, Revoked, Validity};
use porth::crypto::jwt::ClientKey;
use porth::crypto::keyring::{Keyring, Role};
use porth::crypto::seal::SealKeyPair;
use porth::domain::labels;
use porth::domain::token::decode_base64url;
use porth::runtime::{self, Running};
use rstest::rstest;
use serde_json::Value;

use crate::cli::gateway::{CliGateway, porth};
use crate::support::agency::{Identity, TestAgency, idempotency_key, request};
use crate::support::connection::{Connection, Reply};
use crate::support::database::Backend;
use crate::support::gateway::{TestGateway, random};
use crate::support::people::Person;

const SOMEBODY: Person = Person::new("Somebody", "1 Quay");
const WHY: [&str; 4] = ["--by", "ops-1", "--reason", "incident:1"];

/// Each key of the page by its name there, with the tests that hold that the old one is useless.
const DRILLS: &[(&str, &[&str])] = &[
    (
        "linkage key, one for each epoch",
        &[
            "after_a_freeze_old_tokens_never_match_and_who_delivers_again_loses_nothing",
            "a_retired_epochs_tokens_are_removed_by_the_clean_up_and_no_others",
        ],
    ),
    ("blinding keys", &["answers_are_the_same_and_the_old_secret_alone_matches_nothing"]),
    (
        "token-signing key",
        &[
            "a_token_of_a_destroyed_key_is_refused_once_the_gateway_has_been_started_again",
            "access_tokens_of_a_destroyed_key_end_at_once_and_of_a_rotated_one_after_five_minutes",
        ],
    ),
    ("receipt key", &["receipts_of_a_stolen_key_convince_no_auditor_who_took_its_line_out"]),
    ("certificate key", &["of_a_destroyed_key_that_signs_only_the_public_half_is_left"]),
    (
        "checkpoint key",
        &[
            "checkpoints_of_the_old_key_verify_on_and_an_auditor_without_it_notices",
            "of_a_destroyed_key_that_signs_only_the_public_half_is_left",
        ],
    ),
    (
        "key-encryption key",
        &[
            "every_stored_field_is_sealed_again_and_the_old_key_opens_none",
            "every_drill_of_the_page_runs_from_beginning_to_end",
        ],
    ),
    ("TLS server key", &["a_stolen_server_certificate_is_refused_by_clients_that_hold_the_list"]),
    (
        "issuing authority's key",
        &[
            "certificates_of_an_authority_that_was_taken_out_open_no_door_on_either_side",
            "a_connection_under_an_authority_that_was_taken_out_is_closed_and_no_new_one_is_let_in",
        ],
    ),
    (
        "client key and assertion key",
        &[
            "a_revoked_certificate_is_refused_on_open_connections_and_on_new_ones",
            "tokens_of_a_revoked_assertion_key_end_with_it",
            "a_revoked_assertion_key_gets_no_token_and_the_second_one_does",
            "a_connection_made_under_an_older_revocation_list_is_closed",
        ],
    ),
    ("signatory's key", &["what_a_revoked_signatory_signed_counts_no_longer_until_the_next_key_signs"]),
    ("shield key", &["entries_after_a_change_of_the_shield_key_are_closed_to_the_old_one"]),
    ("match-run key", &["after_a_change_of_the_match_run_key_the_old_one_opens_nothing_that_was_sent_again"]),
];

/// Starts the gateway again, beside the first: over the same database, with the files as they are now.
async fn started_again(home: &TestGateway, config: &str) -> Running {
    let config = Config::read(&home.folder().join(config)).expect("a configuration");
    let prepared = runtime::prepare(&config).await.expect("the parts open");
    runtime::start(&config, prepared).await.expect("it starts")
}

async fn ask(hub: &TestAgency<'_>, over: &mut Connection, token: &str) -> Reply {
    let (key, bearer) = (idempotency_key(), format!("Bearer {token}"));
    let headers =
        [("content-type", "application/json"), ("idempotency-key", key.as_str()), ("authorization", bearer.as_str())];
    let question = hub.question("areas", &SOMEBODY).to_string();
    over.send(request("POST", "/v1/enquiries", &headers, question)).await.expect("an answer")
}

/// The client of the command line towards a gateway.
fn client(at: SocketAddr, roots: &str, identity: &Identity) -> ClientOptions {
    let identity = ClientIdentity {
        certificate_pem: identity.certificate_pem.clone().into_bytes(),
        private_key_pem: identity.key_pem.clone().into(),
    };
    ClientOptions::new(format!("https://localhost:{}", at.port()), roots).with_identity(identity)
}

/// Whether both sides let one another in.
async fn reach(options: ClientOptions) -> Result<(), Trouble> {
    match Client::new(options).expect("good options").get("/openapi.json", &CallHeaders::default()).await {
        Ok(_) => Ok(()),
        Err(ClientError::Connection { trouble }) => Err(trouble),
        Err(other) => panic!("{other}"),
    }
}

fn serial(pem: &str) -> Vec<u8> {
    let der = certs::der_of_pem(pem).expect("a certificate");
    certs::summarise(&der).expect("a certificate").serial
}

/// A list of the authority with these certificates on it.
async fn list(home: &TestGateway, authority: &CertificateAuthority, revoked: &[&str]) -> String {
    let now = home.now().await;
    let revoked: Vec<Revoked> = revoked.iter().map(|pem| Revoked { serial: serial(pem), at: now }).collect();
    let list = authority.revocation_list(2, &revoked, now.plus_seconds(-60), now.plus_seconds(86_400));
    list.expect("a list").pem
}

fn read(home: &TestGateway, name: &str) -> String {
    std::fs::read_to_string(home.folder().join(name)).expect("reads")
}

fn write(home: &TestGateway, name: &str, text: &str) {
    std::fs::write(home.folder().join(name), text).expect("writes");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_revoked_certificate_is_refused_on_open_connections_and_on_new_ones(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let hub = home.agency("early-help-hub").await;
    let second = home.agency("early-help-hub").await;
    let (token, mut open) = (hub.token().await, hub.connect().await);
    assert_eq!(ask(&hub, &mut open, &token).await.status, 201);

    let gateway = home.gateway();
    gateway.revoke_certificate(&hub.identity.fingerprint, "ops-1", "key-lost").await.expect("revoked");
    assert_eq!(ask(&hub, &mut open, &token).await.kind(), "certificate-suspended", "on the open connection");
    assert_eq!(ask(&hub, &mut hub.connect().await, &token).await.kind(), "certificate-suspended", "on a new one");
    let asked = hub.request_token(home.now().await).await;
    assert_eq!((asked.status, asked.kind().as_str()), (401, "certificate-suspended"));
    assert_eq!(ask(&second, &mut second.connect().await, &second.token().await).await.status, 201, "the second pair");

    // Once it is on the authority's list as well, not even the handshake ends well.
    write(&home, "agencies.crl", &list(&home, &home.authority, &[&hub.identity.certificate_pem]).await);
    let again = started_again(&home, "porth.toml").await;
    let roots = &home.authority.certificate().pem;
    assert_eq!(reach(client(again.agencies, roots, &hub.identity)).await, Err(Trouble::CertificateRevoked));
    assert_eq!(reach(client(again.agencies, roots, &second.identity)).await, Ok(()));
    again.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn tokens_of_a_revoked_assertion_key_end_with_it(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let hub = home.agency("early-help-hub").await;
    let (token, mut open) = (hub.token().await, hub.connect().await);
    assert_eq!(ask(&hub, &mut open, &token).await.status, 201);

    let kid = hub.key.public().thumbprint();
    home.gateway().revoke_client_key(&hub.client, &kid, "ops-1", "key-lost").await.expect("revoked");
    assert_eq!(ask(&hub, &mut open, &token).await.kind(), "client-unknown", "on the open connection");
    assert_eq!(ask(&hub, &mut hub.connect().await, &token).await.kind(), "client-unknown", "on a new one");
    let asked = hub.request_token(home.now().await).await;
    assert_eq!((asked.status, asked.kind().as_str()), (401, "client-unknown"), "no assertion of it is taken");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_token_of_a_destroyed_key_is_refused_once_the_gateway_has_been_started_again(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let hub = home.agency("early-help-hub").await;
    let token = hub.token().await;
    assert_eq!(ask(&hub, &mut hub.connect().await, &token).await.status, 201);
    let rotate = ["keys", "rotate", "token-signing", "--config", "porth.toml", "--destroy-old"];
    porth(home.folder(), &[rotate.as_slice(), &WHY].concat()).done();

    let again = started_again(&home, "porth.toml").await;
    let roots = &home.authority.certificate().pem;
    let mut over = Connection::open(again.agencies, roots, Some(&hub.identity)).await.expect("opens");
    assert_eq!(ask(&hub, &mut over, &token).await.kind(), "token-invalid");
    let assertion = hub.assertion(home.now().await);
    let fresh = over.send(crate::support::agency::token_request(&assertion)).await.expect("an answer").json();
    let fresh = fresh["access_token"].as_str().expect("a token");
    assert_eq!(ask(&hub, &mut over, fresh).await.status, 201, "the next key signs");
    again.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn receipts_of_a_stolen_key_convince_no_auditor_who_took_its_line_out(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let hub = home.agency("early-help-hub").await;
    let token = hub.token().await;
    let receipt = |reply: &Reply| reply.json()["receipt"].as_str().expect("a receipt").to_owned();
    let trusted = || -> toml::Table {
        let trust = porth(home.folder(), &["log", "trust", "--config", "porth.toml"]).done().out;
        toml::from_str(&trust).expect("TOML")
    };
    let stolen = trusted()["receipt_keys"][0].clone();
    write(&home, "old.txt", &receipt(&ask(&hub, &mut hub.connect().await, &token).await));
    let rotate = ["keys", "rotate", "receipt", "--config", "porth.toml", "--destroy-old"];
    porth(home.folder(), &[rotate.as_slice(), &WHY].concat()).done();
    let again = started_again(&home, "porth.toml").await;
    let roots = &home.authority.certificate().pem;
    let mut over = Connection::open(again.agencies, roots, Some(&hub.identity)).await.expect("opens");
    write(&home, "new.txt", &receipt(&ask(&hub, &mut over, &token).await));
    home.wait_sequenced().await;
    again.stop().await;
    home.wait_sequenced().await;

    let folder = home.folder();
    porth(folder, &["log", "export", "--config", "porth.toml", "--to", "export"]).done();
    let mut trust = trusted();
    write(&home, "trust.toml", &trust.to_string());
    let keys = trust["receipt_keys"].as_array_mut().expect("keys");
    keys.retain(|key| *key != stolen);
    assert_eq!(keys.len(), 1, "the stolen key's line is taken out, the next one's stays");
    write(&home, "trust-without.toml", &trust.to_string());
    let verify = |trust: &str, receipt: &str| {
        porth(folder, &["--json", "log", "verify", "export", "--trust", trust, "--receipt", receipt])
    };
    for (trust, receipt, code) in [
        ("trust.toml", "old.txt", 0),
        ("trust.toml", "new.txt", 0),
        ("trust-without.toml", "new.txt", 0),
        ("trust-without.toml", "old.txt", 4),
    ] {
        let ran = verify(trust, receipt);
        assert_eq!(ran.code, code, "{trust} {receipt}: {ran:?}");
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn of_a_destroyed_key_that_signs_only_the_public_half_is_left(#[case] backend: Backend) {
    let gateway = CliGateway::ready(backend, "pilot").await;
    let kek = porth::crypto::kek::Kek::from_file(&gateway.path("kek")).expect("the key-encryption key");
    let roles = [
        ("token-signing", Role::TokenSigning, "keys"),
        ("receipt", Role::Receipt, "keys"),
        ("certificate", Role::Certificate, "keys"),
        ("checkpoint", Role::Checkpoint, "checkpoint"),
    ];
    for (name, role, folder) in roles {
        let open = || Keyring::open(&gateway.path(folder), &kek).expect("opens");
        let stolen = *open().signing_key(role).expect("a key").verifying_key().as_bytes();
        let rotate = ["keys", "rotate", name, "--config", "porth.toml", "--destroy-old"];
        gateway.run(&[rotate.as_slice(), &WHY].concat()).done();
        let ring = open();
        assert_eq!(ring.versions(role), [2], "{name}");
        assert_ne!(*ring.signing_key(role).expect("a key").verifying_key().as_bytes(), stolen, "{name}");
        assert!(!gateway.path(&format!("{folder}/{name}.v1.json")).exists(), "{name}");
        let mut known: Vec<u32> = ring.verifying_keys(role).iter().map(|(version, _)| *version).collect();
        known.sort_unstable();
        // An access token is over in five minutes; what the others signed in the past still verifies.
        let expected: &[u32] = if role == Role::TokenSigning { &[2] } else { &[1, 2] };
        assert_eq!(known, expected, "{name}");
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_stolen_server_certificate_is_refused_by_clients_that_hold_the_list(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let hub = home.agency("early-help-hub").await;
    let roots = &home.authority.certificate().pem;
    let stolen = read(&home, "server.pem");
    let list = list(&home, &home.authority, &[&stolen]).await;
    let other = CertificateAuthority::create("Others", Validity::days(home.now().await, 30), true, &random());
    let others_list = self::list(&home, &other.expect("an authority"), &[]).await;
    let towards = |gateway: SocketAddr, list: &str| client(gateway, roots, &hub.identity).with_revocation_lists(list);

    let thief = home.running.agencies; // shows the stolen certificate
    assert_eq!(reach(towards(thief, &list)).await, Err(Trouble::GatewayRevoked));
    assert_eq!(reach(towards(thief, &others_list)).await, Err(Trouble::GatewayRevocationUnknown));
    assert_eq!(reach(client(thief, roots, &hub.identity)).await, Ok(()), "without a list nobody can tell");

    let validity = Validity::days(home.now().await, 30);
    let next = home.authority.server(&["localhost".to_owned()], validity, &random()).expect("a certificate");
    write(&home, "server.pem", &next.certificate.pem);
    write(&home, "server.key", &next.key_pem);
    let again = started_again(&home, "porth.toml").await;
    assert_eq!(reach(towards(again.agencies, &list)).await, Ok(()), "the next certificate is on no list");
    again.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn certificates_of_an_authority_that_was_taken_out_open_no_door_on_either_side(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let hub = home.agency("early-help-hub").await;
    let validity = Validity::days(home.now().await, 30);
    let next = CertificateAuthority::create("Next", validity, true, &random()).expect("an authority");
    let second = second_pair(&home, &hub, &next).await;
    write(&home, "next.pem", &next.certificate().pem);
    write(&home, "next.crl", &list(&home, &next, &[]).await);
    let config = read(&home, "porth.toml");
    let with =
        |roots: &str, lists: &str| config.replace("[\"agencies.pem\"]", roots).replace("[\"agencies.crl\"]", lists);
    write(&home, "both.toml", &with("[\"agencies.pem\", \"next.pem\"]", "[\"agencies.crl\", \"next.crl\"]"));
    let (old_root, next_root) = (&home.authority.certificate().pem, &next.certificate().pem);

    let both = started_again(&home, "both.toml").await;
    for identity in [&hub.identity, &second] {
        assert_eq!(reach(client(both.agencies, old_root, identity)).await, Ok(()), "while both are trusted");
    }
    both.stop().await;

    let server = next.server(&["localhost".to_owned()], validity, &random()).expect("a certificate");
    write(&home, "next-server.pem", &server.certificate.pem);
    write(&home, "next-server.key", &server.key_pem);
    let last = with("[\"next.pem\"]", "[\"next.crl\"]").replace("\"server.", "\"next-server.");
    write(&home, "last.toml", &last);
    let last = started_again(&home, "last.toml").await;
    assert_eq!(reach(client(last.agencies, next_root, &second)).await, Ok(()));
    let refused = reach(client(last.agencies, next_root, &hub.identity)).await;
    assert_eq!(refused, Err(Trouble::CertificateAuthority), "the gateway refuses the old authority's certificates");
    let refused = reach(client(home.running.agencies, next_root, &second)).await;
    assert_eq!(refused, Err(Trouble::GatewayNotTrusted), "and so do agencies that have the new root");
    last.stop().await;
}

/// A second certificate of an agency, by another authority, enrolled with a key of its own.
async fn second_pair(home: &TestGateway, hub: &TestAgency<'_>, authority: &CertificateAuthority) -> Identity {
    let asked = certs::request(&hub.code).expect("a request");
    let validity = Validity::days(home.now().await, 20);
    let issued = authority.client(&asked.pem, &hub.code, validity, &random()).expect("a certificate");
    let (key, fingerprint) = (ClientKey::generate(&random()), certs::fingerprint(&issued.der));
    let enrolment = Enrolment {
        agency: hub.code.clone(),
        client: hub.client.clone(),
        kid: key.public().thumbprint(),
        key: key.public(),
        certificate: fingerprint,
        not_after: home.now().await.plus_seconds(86_400),
    };
    home.gateway().enrol(&enrolment, "ops-1").await.expect("enrolled");
    Identity { certificate_pem: issued.pem, key_pem: asked.key_pem.to_string(), fingerprint }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn entries_after_a_change_of_the_shield_key_are_closed_to_the_old_one(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let hub = home.agency("early-help-hub").await;
    let token = hub.token().await;
    assert_eq!(ask(&hub, &mut hub.connect().await, &token).await.status, 201);
    let next = SealKeyPair::generate(&random());
    write(&home, "shield.pub", &next.public().to_text());
    let again = started_again(&home, "porth.toml").await;
    let roots = &home.authority.certificate().pem;
    let mut over = Connection::open(again.agencies, roots, Some(&hub.identity)).await.expect("opens");
    assert_eq!(ask(&hub, &mut over, &token).await.status, 201);
    home.wait_sequenced().await;

    let size = home.gateway().store().log_head().await.expect("the log").expect("open").size;
    let entries = home.gateway().store().log_entries(0, size).await.expect("entries");
    let opened: Vec<(bool, bool)> = entries
        .iter()
        .filter_map(|(id, body)| {
            let sealed: [u8; 256] = decode_base64url(&shield_opening(&serde_json::from_slice(body).ok()?)?)?;
            let opens = |key: &SealKeyPair| key.open(labels::SHIELD_OPENING, id.as_bytes(), &sealed).is_ok();
            Some((opens(&home.shield), opens(&next)))
        })
        .collect();
    assert_eq!(opened, [(true, false), (false, true)], "each entry opens under the key of its day alone");
    again.stop().await;
}

/// The sealed opening of an entry, if it has one.
fn shield_opening(entry: &Value) -> Option<String> {
    let members = entry.as_object()?;
    let own = members.get("shield_opening").and_then(Value::as_str).map(str::to_owned);
    own.or_else(|| members.values().find_map(shield_opening))
}

#[test]
fn every_key_of_the_page_that_can_be_replaced_has_a_drill_whose_test_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/keys.md")).expect("the page");
    let table = page.split("## All keys").nth(1).expect("the table").split("\n## ").next().expect("its section");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| key |"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 14, "{} keys", rows.len());
    let mut tests = String::new();
    crate::architecture::visit(&root.join("tests/it"), &mut |path| {
        tests.push_str(&std::fs::read_to_string(path).unwrap_or_default());
    });
    for row in &rows {
        let (name, replaced) = (row[1], row[5]);
        match DRILLS.iter().find(|(key, _)| *key == name) {
            None => assert!(replaced.starts_with("not"), "{name} can be replaced, and no drill is listed"),
            Some((_, drills)) => {
                assert!(!drills.is_empty() && !replaced.starts_with("not"), "{name}");
                for drill in *drills {
                    assert!(tests.contains(&format!("fn {drill}(")), "{name}: there is no test {drill}");
                }
            }
        }
    }
    for (key, _) in DRILLS {
        assert!(rows.iter().any(|row| row[1] == *key), "the page has no key of the name {key}");
    }
}
