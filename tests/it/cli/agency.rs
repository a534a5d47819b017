//! `porth agency`: who may connect.

use rstest::rstest;

use super::gateway::{CliGateway, shipped_policies};
use crate::support::database::Backend;

const BY: [&str; 2] = ["--by", "ops-1"];

/// Enrols an agency from nothing: its own keys, our certificate, its registration.
pub(crate) fn enrol(gateway: &CliGateway, agency: &str) {
    let made = ["keys", "init", "--for", "agency", "--agency", agency, "--programme", "tff", "--folder", agency];
    gateway.run(&made).done();
    let (request, certificate) = (format!("{agency}/client-request.pem"), format!("{agency}/client.pem"));
    let certify = ["agency", "certify", "--authority", "authority", "--agency", agency];
    gateway.run(&[certify.as_slice(), &["--request", &request, "--out", &certificate]].concat()).done();
    let (client, key) = (format!("{agency}-system"), format!("{agency}/assertion.jwk.json"));
    let enrol = ["agency", "enrol", "--config", "porth.toml", "--agency", agency, "--certificate", &certificate];
    gateway.run(&[enrol.as_slice(), &["--client", &client, "--key", &key], &BY].concat()).done();
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agency_is_enrolled_once_suspended_resumed_and_its_certificate_revoked(#[case] backend: Backend) {
    let gateway = CliGateway::ready(backend, "pilot").await;
    enrol(&gateway, "housing");
    let again =
        ["agency", "enrol", "--config", "porth.toml", "--agency", "housing", "--certificate", "housing/client.pem"];
    let rest = ["--client", "housing-system", "--key", "housing/assertion.jwk.json", "--by", "ops-1"];
    let again = gateway.run(&[again.as_slice(), &rest].concat());
    assert!(again.code == 1 && again.err.contains("registered already"), "{again:?}");

    let standing = || {
        let list = gateway.run(&["--json", "agency", "list", "--config", "porth.toml"]).done().json();
        let found = list.as_array().expect("a list").iter().find(|line| line["agency"] == "housing").cloned();
        found.expect("housing")["active"].as_bool().expect("yes or no")
    };
    let set = |word: &str| {
        let arguments = ["agency", word, "--config", "porth.toml", "--agency", "housing", "--reason", "incident:7"];
        gateway.run(&[arguments.as_slice(), &BY].concat()).done();
    };
    assert!(standing());
    set("suspend");
    assert!(!standing());
    set("resume");
    assert!(standing());
    let revoke = ["agency", "revoke-certificate", "--config", "porth.toml", "--reason", "key-lost"];
    gateway.run(&[revoke.as_slice(), &["--certificate", "housing/client.pem"], &BY].concat()).done();
}

#[tokio::test]
async fn an_agency_without_a_file_and_a_private_key_are_refused() {
    let gateway = CliGateway::ready(Backend::Sqlite, "pilot").await;
    enrol(&gateway, "housing");
    let enrol = ["agency", "enrol", "--config", "porth.toml", "--certificate", "housing/client.pem", "--client", "x"];
    let unknown = ["--agency", "nobody", "--key", "housing/assertion.jwk.json", "--by", "ops-1"];
    let unknown = gateway.run(&[enrol.as_slice(), &unknown].concat());
    assert!(unknown.code == 1 && unknown.err.contains("no agency file for nobody"), "{unknown:?}");
    gateway.write("private.json", r#"{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}"#);
    let private = ["--agency", "housing", "--key", "private.json", "--by", "ops-1"];
    let private = gateway.run(&[enrol.as_slice(), &private].concat());
    assert_eq!(private.code, 1, "{private:?}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn key_checks_of_a_second_linkage_key_for_one_epoch_are_refused(#[case] backend: Backend) {
    let gateway = CliGateway::ready(backend, "pilot").await;
    let match_keys = shipped_policies().join("match-keys.toml");
    let match_keys = match_keys.to_str().expect("a plain path");
    let custodian = |folder: &str| {
        let whose = ["keys", "init", "--for", "custodian", "--programme", "tff", "--epoch", "1"];
        gateway.run(&[whose.as_slice(), &["--match-keys", match_keys, "--folder", folder]].concat()).done();
    };
    let register =
        |file: &str| gateway.run(&["agency", "register-key-checks", "--config", "porth.toml", file, "--by", "ops-1"]);
    custodian("right");
    custodian("wrong");
    register("right/key-checks-epoch-1.json").done();
    register("right/key-checks-epoch-1.json").done();
    let refused = register("wrong/key-checks-epoch-1.json");
    assert!(refused.code == 1 && refused.err.contains("nothing was changed"), "{refused:?}");
}
