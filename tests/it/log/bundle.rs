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

/// What the script says when it is run with these arguments: exit code, output, errors.
fn script(home: &TestGateway, arguments: &[&str]) -> (i32, String, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_bundle.py");
    let ran = Command::new("python3").arg(script).args(arguments).current_dir(home.folder()).output();
    let ran = ran.expect("python3 runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.code().unwrap_or(-1), text(&ran.stdout), text(&ran.stderr))
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

/// Writes something else in the place of the first enquiry of a bundle.
fn replace_enquiry(bundle: &Path, change: impl Fn(&str) -> String) {
    edit(&first(bundle, "tile/entries"), |bytes| {
        let (mut rest, mut written, mut is_done) = (bytes.as_slice(), Vec::new(), false);
        while let Some((length, more)) = rest.split_first_chunk::<2>() {
            let (entry, more) = more.split_at(usize::from(u16::from_be_bytes(*length)));
            let text = std::str::from_utf8(entry).expect("text");
            let is_due = !is_done && text.contains("\"type\":\"enquiry\"");
            let entry = if is_due { change(text) } else { text.to_owned() };
            written.extend(u16::try_from(entry.len()).expect("an entry is short").to_be_bytes());
            written.extend(entry.as_bytes());
            (rest, is_done) = (more, is_done || is_due);
        }
        assert!(is_done, "there was an enquiry");
        *bytes = written;
    });
}

/// An entry of a bundle with another value in the place of one field.
fn with(text: &str, field: &str, value: &Value) -> String {
    let mut entry: Value = serde_json::from_str(text).expect("JSON");
    entry[field] = value.clone();
    entry.to_string()
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

    assert!(fs::read_dir(sound.join("texts/agreement")).expect("texts").count() > 5, "the agreements are there");
    assert!(fs::read_dir(sound.join("signatures")).expect("signatures").count() > 5);
    let cases: [(&str, &str, Edit); 19] = [
        ("text-altered", "text-altered", |at| edit(&first(at, "texts/agreement"), |b| b.push(b'\n'))),
        ("text-altered", "text-altered", |at| edit(&first(at, "texts/rules"), |b| b[40] ^= 1)),
        ("text-missing", "text-missing", |at| fs::remove_file(first(at, "texts/agency")).expect("removed")),
        ("text-missing", "text-missing", |at| fs::remove_dir_all(at.join("texts")).expect("removed")),
        ("text-altered", "text-altered", |at| edit(&first(at, "signatures"), |b| b[5] ^= 1)),
        ("text-missing", "text-missing", |at| fs::remove_file(first(at, "signatories")).expect("removed")),
        ("entry-altered", "entry-altered", |at| edit(&first(at, "tile/entries"), |b| b[200] ^= 1)),
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
        // Whatever an entry holds, there is a finding, and no program that breaks off.
        ("entry-altered", "entry-malformed", |at| replace_enquiry(at, |_| "[".repeat(60_000))),
        ("entry-altered", "entry-malformed", |at| replace_enquiry(at, |text| with(text, "event", &json!([7])))),
        ("entry-altered", "entry-malformed", |at| replace_enquiry(at, |text| with(text, "body", &json!({})))),
        ("entry-altered", "entry-malformed", |at| {
            replace_enquiry(at, |text| with(text, "body", &json!({ "feeds": 1, "decisions": {}, "recipient": [] })));
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

    // The altered entry is named, a slip is no fault, and what was not checked is said.
    let [(_, said), (_, told)] = verdicts(&home, "tampered-6");
    assert!(said.contains("entry-altered] ") && told.contains("[entry-altered] index 0, event "), "{said} {told}");
    let [_, (_, told)] = verdicts(&home, "sound");
    assert!(told.contains("No checkpoint or witness from outside was given"), "{told}");
    for wrong in [["sound", "nosuch.toml"], ["nosuch", "trust.toml"], ["sound", "sound/checkpoint"]] {
        let (code, said, errors) = script(&home, &wrong);
        assert!(code == 2 && said.is_empty() && !errors.contains("Traceback"), "{wrong:?}: {code} {errors}");
    }
    for wrong in [&["--checkpoint", "nosuch"][..], &["--checkpoint"]] {
        let (code, _, errors) = script(&home, &[&["sound", "trust.toml"][..], wrong].concat());
        assert!(code == 2 && !errors.contains("Traceback"), "{wrong:?}: {code} {errors}");
    }
    let one =
        |entry: &str| porth(home.folder(), &["log", "verify", "sound", "--trust", "trust.toml", "--entry", entry]);
    let beyond = one("99999");
    assert!(beyond.code == 2 && beyond.err.contains("and none with this index") && beyond.out.is_empty(), "{beyond:?}");
    let unknown = one("01990000-0000-7000-8000-000000000000");
    assert!(unknown.code == 2 && unknown.err.contains("no entry with this event"), "{unknown:?}");
    let slip = one("seven");
    assert!(slip.code == 2 && slip.err.contains("an index in the log"), "{slip:?}");
    let by_event = one(&answered).done().out;
    assert!(by_event.contains("was checked alone") && by_event.contains("Nothing is wrong"), "{by_event}");

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
