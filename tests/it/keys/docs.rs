//! The commands of docs/keys.md do what the page says: every block is run as it stands there.

use std::path::Path;
use std::process::Command;

use rstest::rstest;

use crate::cli::agency::enrol;
use crate::cli::gateway::{CliGateway, porth, shipped_policies};
use crate::cli::policy::sign_by_all;
use crate::support::database::Backend;

/// The blocks of the page that are scripts, with the heading that each stands under.
fn blocks() -> Vec<(String, String)> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/keys.md")).expect("the page");
    let (mut blocks, mut heading, mut open) = (Vec::new(), String::new(), None::<String>);
    for line in page.lines() {
        match (&mut open, line) {
            (Some(text), "```") => {
                blocks.push((heading.clone(), std::mem::take(text)));
                open = None;
            }
            (Some(text), line) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, line) if line.starts_with("```sh ") => open = Some(String::new()),
            (None, line) if line.starts_with('#') => line.trim_start_matches('#').trim().clone_into(&mut heading),
            (None, _) => {}
        }
    }
    blocks
}

fn key_id(gateway: &CliGateway, card: &str) -> String {
    let text = std::fs::read_to_string(gateway.path(card)).unwrap_or_default();
    let card: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    card["key_id"].as_str().unwrap_or_default().to_owned()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn every_drill_of_the_page_runs_from_beginning_to_end(#[case] backend: Backend) {
    let gateway = CliGateway::ready(backend, "pilot").await;
    enrol(&gateway, "housing");
    sign_by_all(&gateway, "housing-support");
    let policies = shipped_policies().to_str().expect("a plain path").to_owned();
    let match_keys = format!("{policies}/match-keys.toml");
    let custodian = ["keys", "init", "--for", "custodian", "--folder", "custodian", "--programme", "tff"];
    gateway.run(&[custodian.as_slice(), &["--epoch", "1", "--match-keys", &match_keys]].concat()).done();
    let share = ["keys", "share", "--linkage", "custodian/linkage-epoch-1.json", "--match-keys", &match_keys];
    gateway.run(&[share.as_slice(), &["--out", "first.share"]].concat()).done();
    gateway.run(&["keys", "add-share", "--keys", "housing/agency-keys.json", "--share", "first.share"]).done();
    let checks = ["agency", "register-key-checks", "--config", "porth.toml", "custodian/key-checks-epoch-1.json"];
    gateway.run(&[checks.as_slice(), &["--by", "ops-1"]].concat()).done();
    let jwk = std::fs::read_to_string(gateway.path("housing/assertion.jwk.json")).expect("a key");
    let old_assertion = porth::crypto::jwt::PublicKey::from_jwk(&jwk).expect("a key").thumbprint();
    for name in ["kek", "porth.toml"] {
        std::fs::copy(gateway.path(name), gateway.path(&format!("stolen-{name}"))).expect("copies");
    }

    let blocks = blocks();
    assert!(blocks.len() >= 11, "{} blocks", blocks.len());
    let folder = Path::new(env!("CARGO_BIN_EXE_porth")).parent().expect("a folder");
    let search = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    for (heading, text) in &blocks {
        let mut shell = Command::new("sh");
        shell.args(["-euc", text]).current_dir(gateway.folder.path()).env("PATH", &search);
        shell.env("POLICIES", &policies).env("OLD_ASSERTION_KEY", &old_assertion);
        shell.env("OLD_SIGNATORY", key_id(&gateway, "signatory-housing/signatory.json"));
        shell.env("NEW_SIGNATORY", key_id(&gateway, "housing-signatory-next/signatory.json"));
        let output = shell.output().expect("a shell");
        assert!(output.status.success(), "{heading}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
    }

    // What was stolen at the beginning is useless now.
    gateway.edit("stolen-porth.toml", "kek_file = \"kek\"", "kek_file = \"stolen-kek\"");
    let with_old = gateway.run(&["keys", "linkage", "list", "--config", "stolen-porth.toml"]);
    assert!(with_old.code == 78 && with_old.err.contains("needs version 2"), "{with_old:?}");
    let epochs = gateway.run(&["--json", "keys", "linkage", "list", "--config", "porth.toml"]).done().json();
    assert_eq!((&epochs[0]["state"], &epochs[1]["state"]), (&"retired".into(), &"active".into()));
    let revoke = ["agency", "revoke-key", "--client", "housing-system", "--key-id", old_assertion.as_str()];
    let again = [revoke.as_slice(), &["--config", "porth.toml", "--by", "ops-1", "--reason", "again"]].concat();
    assert_eq!(gateway.run(&again).code, 1, "it is revoked already");

    // The log holds every change and verifies under the new trust file.
    gateway.run(&["log", "export", "--config", "porth.toml", "--to", "export"]).done();
    let verified = porth(gateway.folder.path(), &["--json", "log", "verify", "export", "--trust", "trust.toml"]).done();
    assert_eq!(verified.json()["clean"], true);
    let epoch_1 = ["agency", "register-key-checks", "--config", "porth.toml", "custodian/key-checks-epoch-1.json"];
    let again = gateway.run(&[epoch_1.as_slice(), &["--by", "ops-1"]].concat());
    assert!(again.code == 1 && again.err.contains("retired"), "{again:?}");
}
