//! `porth log`: the whole way from keys to an export that verifies, and what does not.

use std::fs;
use std::path::Path;

use rstest::rstest;

use super::agency::enrol;
use super::gateway::{CliGateway, Ran};
use super::policy::{set_status, sign_by_all};
use super::serve::{start, stop};
use crate::support::database::Backend;

fn export(gateway: &CliGateway, to: &str) {
    let grounds = ["--for", "programme-team", "--agreement", "programme-delivery/v1", "--role", "auditor"];
    let arguments = ["log", "export", "--config", "porth.toml", "--to", to, "--with-openings"];
    gateway.run(&[arguments.as_slice(), &grounds].concat()).done();
}

fn verify(gateway: &CliGateway, folder: &str, more: &[&str]) -> Ran {
    gateway.run(&[["--json", "log", "verify", folder, "--trust", "trust.toml"].as_slice(), more].concat())
}

fn codes(ran: &Ran) -> Vec<String> {
    let faults = ran.json()["faults"].as_array().expect("faults").clone();
    faults.iter().map(|fault| fault["code"].as_str().expect("a code").to_owned()).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("makes");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &target) } else { fs::copy(&path, &target).map(drop).expect("copies") }
    }
}

/// Set up by commands alone, served once, with a trust file.
async fn lived_in(backend: Backend) -> CliGateway {
    let gateway = CliGateway::ready(backend, "pilot").await;
    for agreement in ["housing-support", "programme-delivery"] {
        sign_by_all(&gateway, agreement);
        set_status(&gateway, agreement, "signed").done();
        set_status(&gateway, agreement, "in_force").done();
    }
    enrol(&gateway, "housing");
    let (child, _) = start(gateway.folder.path(), &["serve", "--config", "porth.toml"]);
    assert_eq!(stop(child).0, Some(0));
    let trust = gateway.run(&["log", "trust", "--config", "porth.toml"]).done();
    gateway.write("trust.toml", &trust.out);
    gateway
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn from_keys_to_a_verified_export(#[case] backend: Backend) {
    let gateway = lived_in(backend).await;
    export(&gateway, "export");
    let ran = verify(&gateway, "export", &["--with-openings", "--checkpoint", "export/checkpoint"]).done();
    let report = ran.json();
    assert_eq!(report["clean"], true, "{report}");
    assert_eq!(report["entries"], report["size"]);
    assert!(report["entries"].as_u64() > Some(4), "{report}");
    let again = gateway.run(&["log", "export", "--config", "porth.toml", "--to", "export"]);
    assert!(again.code == 1 && again.err.contains("is not empty"), "{again:?}");
}

#[tokio::test]
async fn a_flipped_byte_anywhere_is_found_and_named() {
    let gateway = lived_in(Backend::Sqlite).await;
    export(&gateway, "export");
    let size = verify(&gateway, "export", &[]).done().json()["size"].as_u64().expect("a size");
    let bundle = format!("tile/entries/000.p/{size}");
    let tile = format!("tile/0/000.p/{size}");
    let cases = [
        (bundle.as_str(), 60, "entry-altered"),
        (&tile, 40, "tile-altered"),
        ("checkpoint", 3, "checkpoint-signature"),
    ];
    for (n, (file, at, code)) in cases.into_iter().enumerate() {
        let name = format!("copy-{n}");
        copy(&gateway.path("export"), &gateway.path(&name));
        let path = gateway.path(&name).join(file);
        let mut bytes = fs::read(&path).expect("reads");
        bytes[at] ^= 1;
        fs::write(&path, bytes).expect("writes");
        let ran = verify(&gateway, &name, &[]);
        assert_eq!(ran.code, 4, "{file}: {ran:?}");
        assert!(codes(&ran).contains(&code.to_owned()), "{file}: {ran:?}");
        let told = gateway.run(&["log", "verify", &name, "--trust", "trust.toml"]);
        assert!(told.out.contains(&format!("[{code}]")), "{told:?}");
    }
}

#[tokio::test]
async fn an_older_export_is_a_rollback_for_whoever_holds_a_newer_checkpoint() {
    let gateway = lived_in(Backend::Sqlite).await;
    export(&gateway, "older");
    set_status(&gateway, "housing-support", "suspended").done();
    export(&gateway, "newer");
    verify(&gateway, "newer", &["--checkpoint", "older/checkpoint"]).done();
    let ran = verify(&gateway, "older", &["--checkpoint", "newer/checkpoint"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(codes(&ran), ["rollback"]);
}

#[tokio::test]
async fn another_logs_key_and_missing_trust_are_told_apart() {
    let gateway = lived_in(Backend::Sqlite).await;
    export(&gateway, "export");
    let trust: toml::Table =
        toml::from_str(&fs::read_to_string(gateway.path("trust.toml")).expect("reads")).expect("TOML");
    let key = |name: &str| trust[name][0].as_str().expect("a key").to_owned();
    let with = |origin: &str, key: &str| {
        gateway.run(&["--json", "log", "verify", "export", "--origin", origin, "--log-key", key])
    };
    with("localhost/test", &key("log_keys")).done();
    let other = with("localhost/test", &key("receipt_keys"));
    assert_eq!((other.code, codes(&other)), (4, vec!["checkpoint-signature".to_owned()]));
    let origin = with("elsewhere/test", &key("log_keys"));
    assert_eq!(origin.code, 4, "{origin:?}");
    assert_eq!(with("localhost/test", "not-a-key").code, 1);
    assert_eq!(gateway.run(&["log", "verify", "export"]).code, 2);
    let sequencer = gateway.run(&["--json", "log", "trust", "--sequencer", "sequencer.toml"]).done().json();
    assert_eq!(sequencer["log_keys"][0], key("log_keys").as_str());
}
