//! `porth policy`: files checked, signed, put in force and explained.

use std::fs;
use std::path::Path;

use rstest::rstest;

use super::gateway::{CliGateway, porth, shipped_policies};
use crate::support::database::Backend;

fn copied_policies(to: &Path) {
    for (from, name) in ["", "agencies", "agreements", "rules"].map(|name| (shipped_policies().join(name), name)) {
        fs::create_dir_all(to.join(name)).expect("makes");
        for entry in fs::read_dir(from).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                fs::copy(&path, to.join(name).join(path.file_name().expect("a name"))).expect("copies");
            }
        }
    }
}

/// Signs an agreement for every one of its parties, as each would on its own machine, and keeps the signatures.
pub(crate) fn sign_by_all(gateway: &CliGateway, agreement: &str) {
    sign_by_all_of(gateway, &shipped_policies(), agreement);
}

/// Every party signs an agreement as it stands in a folder of policies.
pub(crate) fn sign_by_all_of(gateway: &CliGateway, policies: &Path, agreement: &str) {
    let file = policies.join(format!("agreements/{agreement}.toml"));
    let text = fs::read_to_string(&file).expect("reads");
    let table: toml::Table = toml::from_str(&text).expect("TOML");
    let file = file.to_str().expect("a plain path");
    let mut signatures = Vec::new();
    for party in table["party"].as_array().expect("parties") {
        let party = party["agency"].as_str().expect("a code");
        let folder = format!("signatory-{party}");
        if !gateway.path(&folder).exists() {
            let made = ["--json", "keys", "init", "--for", "signatory", "--agency", party, "--folder", &folder];
            let id = gateway.run(&made).done().json()["key_id"].as_str().expect("an id").to_owned();
            let card = format!("{folder}/signatory.json");
            let enrol = ["agency", "enrol-signatory", "--config", "porth.toml", "--card", &card, "--key-id", &id];
            gateway.run(&[enrol.as_slice(), &["--by", "ops-1", "--confirmed-by", "ops-2"]].concat()).done();
        }
        let (key, out) = (format!("{folder}/signatory.key"), format!("{folder}/{agreement}.sig"));
        gateway.run(&["policy", "sign", "--agreement", file, "--key", &key, "--out", &out]).done();
        signatures.push(out);
    }
    let mut arguments = vec!["policy", "add-signature", "--config", "porth.toml"];
    arguments.extend(signatures.iter().map(String::as_str));
    let kept = gateway.run(&arguments).done();
    assert!(kept.out.contains("every party has signed"), "{kept:?}");
}

/// Moves an agreement to a status.
pub(crate) fn set_status(gateway: &CliGateway, agreement: &str, to: &str) -> super::gateway::Ran {
    let reference = format!("{agreement}/v1");
    let arguments =
        ["policy", "status", &reference, to, "--config", "porth.toml", "--by", "ops-1", "--reason", "board:1"];
    gateway.run(&arguments)
}

#[test]
fn the_shipped_policies_pass_their_check() {
    let policies = shipped_policies();
    let ran = porth(&policies, &["--json", "policy", "check", "--folder", "."]).done();
    let report = ran.json();
    assert_eq!(report["findings"], serde_json::json!([]));
    assert!(report["cases"].as_u64() > Some(10), "{report}");
}

#[test]
fn a_fault_is_told_as_file_key_code_and_sentence_and_fails_the_check() {
    let folder = tempfile::tempdir().expect("a folder");
    copied_policies(folder.path());
    let path = folder.path().join("agreements/early-help-core.toml");
    let text = fs::read_to_string(&path).expect("reads");
    fs::write(&path, text.replacen("\"early-help-screening\"", "\"no-such-purpose\"", 1)).expect("writes");
    let keys = folder.path().join("match-keys.toml");
    let text = fs::read_to_string(&keys).expect("reads");
    fs::write(&keys, text.replacen("tier = \"link\"", "tier = \"guess\"", 1)).expect("writes");
    let ran = porth(folder.path(), &["policy", "check", "--folder", "."]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let line = "agreements/early-help-core.toml:supply[0].purposes:unknown-purpose:the programme lists no such purpose";
    assert!(ran.out.lines().any(|told| told == line), "{ran:?}");
    assert!(ran.out.lines().any(|told| told.starts_with("match-keys.toml:")), "{ran:?}");
    assert!(!ran.out.contains("no-such-purpose"), "a value is not repeated: {ran:?}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agreement_comes_into_force_signed_by_all_and_the_explanation_follows_it(#[case] backend: Backend) {
    let gateway = CliGateway::ready(backend, "pilot").await;
    let explain = || {
        let terms =
            ["--recipient", "early-help-hub", "--agreement", "early-help-core/v1", "--purpose", "early-help-screening"];
        let rest = ["--mode", "areas", "--role", "hub-screener", "--relationship", "referral"];
        let from = ["--json", "policy", "explain", "--config", "porth.toml", "--on", "2026-09-20"];
        gateway.run(&[from.as_slice(), &terms, &rest].concat()).done().json()
    };
    assert_eq!(explain()["permitted"], false);
    let early = set_status(&gateway, "early-help-core", "signed");
    assert!(early.code == 1 && early.err.contains("is not signed by"), "{early:?}");

    sign_by_all(&gateway, "early-help-core");
    let skipped = set_status(&gateway, "early-help-core", "in_force");
    assert!(skipped.code == 1 && skipped.err.contains("is draft"), "{skipped:?}");
    set_status(&gateway, "early-help-core", "signed").done();
    set_status(&gateway, "early-help-core", "in_force").done();
    let now = explain();
    assert_eq!(now["permitted"], true, "{now}");
    assert!(now["sentences"].as_array().is_some_and(|sentences| sentences.len() > 3), "{now}");

    set_status(&gateway, "early-help-core", "suspended").done();
    assert_eq!(explain()["permitted"], false);
}

#[tokio::test]
async fn a_signature_over_another_text_is_not_kept() {
    let gateway = CliGateway::ready(Backend::Sqlite, "pilot").await;
    let made = ["--json", "keys", "init", "--for", "signatory", "--agency", "housing", "--folder", "s"];
    let id = gateway.run(&made).done().json()["key_id"].as_str().expect("an id").to_owned();
    let enrol = ["agency", "enrol-signatory", "--config", "porth.toml", "--card", "s/signatory.json", "--key-id"];
    let alone = gateway.run(&[enrol.as_slice(), &[&id, "--by", "ops-1", "--confirmed-by", "ops-1"]].concat());
    assert!(alone.code == 1 && alone.err.contains("two people"), "{alone:?}");
    let misread =
        [enrol.as_slice(), &["ed25519-0000000000000000", "--by", "ops-1", "--confirmed-by", "ops-2"]].concat();
    assert_eq!(gateway.run(&misread).code, 1);
    gateway.run(&[enrol.as_slice(), &[&id, "--by", "ops-1", "--confirmed-by", "ops-2"]].concat()).done();

    let text = fs::read_to_string(shipped_policies().join("agreements/housing-support.toml")).expect("reads");
    gateway.write("other.toml", &format!("{text}\n# one line more\n"));
    gateway
        .run(&["policy", "sign", "--agreement", "other.toml", "--key", "s/signatory.key", "--out", "other.sig"])
        .done();
    let refused = gateway.run(&["policy", "add-signature", "--config", "porth.toml", "other.sig"]);
    assert!(refused.code == 1 && refused.err.contains("not the signatory's under this text"), "{refused:?}");
}

#[test]
fn the_matrix_lists_what_is_allowed_and_the_rules_that_block_the_rest() {
    let policies = shipped_policies();
    let ran = porth(&policies, &["--json", "policy", "matrix", "--folder", ".", "--on", "2026-09-20"]).done();
    let cells = ran.json();
    let cells = cells.as_array().expect("cells");
    let (allowed, blocked): (Vec<_>, Vec<_>) = cells.iter().partition(|cell| cell["allowed"] == true);
    assert!(!allowed.is_empty() && !blocked.is_empty());
    assert!(blocked.iter().all(|cell| cell["rules"].as_array().is_some_and(|rules| !rules.is_empty())));
    let only = porth(&policies, &["policy", "matrix", "--folder", ".", "--recipient", "hearth"]).done();
    assert!(only.out.lines().all(|line| line.starts_with("hearth ")), "{only:?}");
}
