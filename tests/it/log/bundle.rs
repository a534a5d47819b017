//! An auditor's bundle: made and logged, then checked by `porth log verify` and by the independent
//! Python script, sound and tampered with.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use porth::tlog::entry::{Body, Erasure};
use rstest::rstest;
use serde_json::{Value, json};

use super::{append, asked_twice, bundle, look};
use crate::cli::gateway::porth;
use crate::support::agency::idempotency_key;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::reference;

/// What somebody does to a bundle.
type Edit = fn(&Path);

/// What both verifiers say: exit code, and codes of faults.
fn verdicts(home: &TestGateway, name: &str) -> [(i32, String); 2] {
    let rust = porth(home.folder(), &["log", "verify", name, "--trust", "trust.toml"]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_bundle.py");
    let python = Command::new("python3").args([script, name, "trust.toml"]).current_dir(home.folder()).output();
    let python = python.expect("python3 runs");
    assert!(python.stderr.is_empty(), "{}", String::from_utf8_lossy(&python.stderr));
    let said = String::from_utf8_lossy(&python.stdout).into_owned();
    [(rust.code, rust.out), (python.status.code().unwrap_or(-1), said)]
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("makes");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &target) } else { fs::copy(&path, &target).map(drop).expect("copies") }
    }
}

/// Files that begin with a path, the first of them.
fn first(folder: &Path, below: &str) -> std::path::PathBuf {
    let mut found: Vec<_> =
        fs::read_dir(folder.join(below)).expect("a folder").map(|it| it.expect("it").path()).collect();
    found.sort();
    let path = found.first().expect("a file").clone();
    if path.is_dir() { first(&path, "") } else { path }
}

fn edit(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("reads");
    change(&mut bytes);
    fs::write(path, bytes).expect("writes");
}

#[test]
fn the_script_verifies_the_examples_of_rfc_8032() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_bundle.py");
    let ran = Command::new("python3").args([script, "--self-test"]).output().expect("python3 runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_bundle_is_logged_and_both_verifiers_take_it_and_no_tampered_one(#[case] backend: Backend) {
    let (home, answered, _) = asked_twice(backend).await;
    let sound = home.folder().join("sound");
    let (event, exported) = bundle(&home, &sound).await;
    assert!(exported.openings >= 1, "who asked: {exported:?}");
    let auditor = home.agency("programme-team").await;
    let read = look(&auditor, &format!("entries/{event}"), "").await;
    let entry: Value = serde_json::from_str(read["entry"].as_str().expect("text")).expect("JSON");
    let body = &entry["body"];
    assert_eq!(
        (&body["action"], &body["recipient"], &body["client"], &body["purpose"], &body["openings"]),
        (&"export".into(), &"programme-team".into(), &"ops-1".into(), &"audit".into(), &"permitted".into())
    );
    assert_eq!(body["count"].as_u64().map(|count| count < exported.entries), Some(true), "{body}");
    for (code, said) in verdicts(&home, "sound") {
        assert!(code == 0 && said.contains("Nothing is wrong"), "{said}");
    }

    let cases: [(&str, &str, Edit); 9] = [
        ("entry-altered", "root-mismatch", |at| edit(&first(at, "tile/entries"), |b| b[200] ^= 1)),
        ("tile-altered", "tile-altered", |at| edit(&first(at, "tile/0"), |b| b[33] ^= 1)),
        ("checkpoint-signature", "checkpoint-signature", |at| edit(&at.join("checkpoint"), |b| b[2] ^= 1)),
        ("bundle-malformed", "bundle-malformed", |at| edit(&first(at, "tile/entries"), |b| b.truncate(b.len() - 1))),
        ("keys-altered", "keys-altered", |at| edit(&at.join("keys.toml"), |b| b.push(b'\n'))),
        ("manifest-unfounded", "manifest-unfounded", |at| fs::remove_file(at.join("bundle.json")).expect("removed")),
        ("opening-missing", "opening-missing", |at| {
            edit(&first(at, "openings"), |b| {
                let end = b.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
                b.drain(..end);
            });
        }),
        ("opening-missing", "opening-missing", |at| fs::remove_dir_all(at.join("openings")).expect("removed")),
        ("opening-forged", "opening-forged", |at| {
            edit(&first(at, "openings"), |b| {
                let text = String::from_utf8(b.clone()).expect("text");
                let place = text.find("\"salt\":\"").expect("a salt") + 10;
                b[place] = if b[place] == b'A' { b'B' } else { b'A' };
            });
        }),
    ];
    for (number, (by_us, by_script, tamper)) in cases.into_iter().enumerate() {
        let name = format!("tampered-{number}");
        copy(&sound, &home.folder().join(&name));
        tamper(&home.folder().join(&name));
        let [(ours, said), (script, told)] = verdicts(&home, &name);
        assert!(ours == 4 && said.contains(&format!("[{by_us}]")), "{by_us}: {ours} {said}");
        assert!(script == 4 && told.contains(&format!("[{by_script}]")), "{by_script}: {script} {told}");
    }

    // The newest export cannot be passed off as one that was made before it.
    bundle(&home, &home.folder().join("newer")).await;
    for (code, said) in verdicts(&home, "newer") {
        assert!(code == 0 && said.contains("for programme-team"), "{said}");
    }
    for file in ["bundle.json", "keys.toml"] {
        fs::copy(sound.join(file), home.folder().join("newer").join(file)).expect("copies");
    }
    for (code, said) in verdicts(&home, "newer") {
        assert!(code == 4 && said.contains("[manifest-superseded]"), "{said}");
    }

    // An erasure entry makes a missing opening lawful, and one that is still there a fault.
    let code = |text: &str| text.parse().expect("a code");
    let events = vec![answered.parse().expect("an event")];
    append(&home, Body::Erasure(Erasure { events, reason: code("retention"), by: code("retention-job") })).await;
    bundle(&home, &home.folder().join("kept")).await;
    for (code, said) in verdicts(&home, "kept") {
        assert!(code == 4 && said.contains("[opening-not-erased]"), "{said}");
    }
    edit(&first(&home.folder().join("kept"), "openings"), |bytes| {
        let lines = String::from_utf8(bytes.clone()).expect("text");
        let left: Vec<&str> = lines.split_inclusive('\n').filter(|line| !line.contains(&answered)).collect();
        *bytes = left.concat().into_bytes();
    });
    for (code, said) in verdicts(&home, "kept") {
        assert!(code == 0, "{said}");
    }
    let auditor = home.agency("programme-team").await;
    let erased = look(&auditor, &format!("entries/{answered}"), "").await["index"].to_string();
    let arguments = ["log", "verify", "kept", "--trust", "trust.toml", "--entry", &erased];
    let alone = porth(home.folder(), &arguments).done().out;
    assert!(alone.contains("Its openings were erased; entry") && alone.contains("Nothing is wrong"), "{alone}");
    assert!(alone.contains("Not checked: all other entries"), "{alone}");
    fs::copy(home.folder().join("sound/checkpoint"), home.folder().join("held")).expect("copies");
    let agreeing = porth(home.folder(), &[arguments.as_slice(), &["--checkpoint", "held"]].concat()).done().out;
    assert!(agreeing.contains("goes on from 1 checkpoint(s)"), "{agreeing}");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn no_bundle_names_a_family_or_its_records_not_even_to_the_team_that_asked(#[case] backend: Backend) {
    let (home, _, _) = asked_twice(backend).await;
    let team = home.agency("programme-team").await;
    let terms = json!({
        "programme": "tff", "agreement": "programme-delivery/v1", "purpose": "programme-delivery",
        "relationship": "screening", "role": "data-analyst", "case": reference("case"), "user": reference("user"),
    });
    let record = json!({ "agency": "education", "feed": "attendance", "ref": reference("Known") });
    let issue = json!({ "terms": terms, "mode": "count", "reason": "referral-1",
        "decision": { "kind": "issue", "route": "referral", "candidates": [[record]] } });
    let key = idempotency_key();
    let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
    let issued = team.call("POST", "/v1/families/decisions", &headers, issue.to_string()).await;
    let tfid = issued.json()["results"][0]["tfid"].as_str().expect("a number").to_owned();
    home.wait_sequenced().await;
    bundle(&home, &home.folder().join("named")).await;
    for (code, said) in verdicts(&home, "named") {
        assert!(code == 0, "{said}");
    }
    let openings = fs::read_to_string(first(&home.folder().join("named"), "openings")).expect("openings");
    let (mut answered, mut cases) = (BTreeSet::new(), BTreeSet::new());
    for line in openings.lines() {
        let opening: Value = serde_json::from_str(line).expect("JSON");
        let value = URL_SAFE_NO_PAD.decode(opening["value"].as_str().expect("a value")).expect("base64url");
        let value = String::from_utf8_lossy(&value).into_owned();
        let (event, field) = (opening["event"].to_string(), opening["field"].as_str().expect("a field"));
        match field {
            "answer" => drop(answered.insert(event)),
            "case" => drop(cases.insert(event)),
            _ => assert_eq!(field, "actor", "{line}"),
        }
        for name in [tfid.as_str(), &reference("Known")] {
            assert!(!value.contains(name), "{field}: {value}");
        }
    }
    assert!(!answered.is_empty(), "the team's own answer is opened: {openings}");
    assert_eq!(cases, answered, "a case is opened to whoever asked about it alone");
    home.stop().await;
}

#[tokio::test]
async fn an_export_with_openings_for_somebody_without_a_clause_is_refused_and_logged() {
    let (home, _, _) = asked_twice(Backend::Sqlite).await;
    let arguments = ["log", "export", "--config", "porth.toml", "--to", "refused", "--with-openings"];
    let grounds = ["--agreement", "programme-delivery/v1", "--role", "auditor", "--by", "ops-2"];
    let ran = porth(home.folder(), &[arguments.as_slice(), &["--for", "housing"], &grounds].concat());
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(!home.folder().join("refused").exists());
    assert_eq!(home.events("log.access", "refused").await, 1);
    let ran = porth(home.folder(), &arguments);
    assert_eq!(ran.code, 2, "nobody is named: {ran:?}");
    home.stop().await;
}
