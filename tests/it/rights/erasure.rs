//! An entry that was erased: both verifiers tell it from one whose opening is only missing, whole exports and
//! single entries alike.

use std::path::Path;
use std::process::Command;

use porth::domain::ids::EventId;
use rstest::rstest;
use serde_json::Value;

use crate::cli::gateway::porth;
use crate::log::{asked_twice, bundle, look};
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;

fn by_us(home: &TestGateway, name: &str, more: &[&str]) -> (i32, String) {
    let ran = porth(home.folder(), &[&["log", "verify", name, "--trust", "trust.toml"], more].concat());
    (ran.code, ran.out)
}

fn by_script(home: &TestGateway, name: &str) -> (i32, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_bundle.py");
    let ran = Command::new("python3").args([script, name, "trust.toml"]).current_dir(home.folder()).output();
    let ran = ran.expect("python3 runs");
    (ran.status.code().unwrap_or(-1), String::from_utf8_lossy(&ran.stdout).into_owned())
}

/// Takes the openings of one event out of an export.
fn lose(folder: &Path, event: &str) {
    let path = folder.join("openings/000");
    let text = std::fs::read_to_string(&path).expect("openings");
    let left: String = text.split_inclusive('\n').filter(|line| !line.contains(event)).collect();
    assert!(left.len() < text.len(), "there was one");
    std::fs::write(&path, left).expect("written");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_lawful_erasure_verifies_and_a_missing_opening_is_a_fault_for_both_verifiers(#[case] backend: Backend) {
    let (home, answered, refused) = asked_twice(backend).await;
    let event: EventId = refused.parse().expect("an event");
    let index = home.gateway().store().leaf_index(event).await.expect("asked").expect("sequenced").to_string();
    let one = ["--entry", index.as_str()];
    bundle(&home, &home.folder().join("before")).await;
    assert_eq!(by_us(&home, "before", &one).0, 0, "{:?}", by_us(&home, "before", &one));
    lose(&home.folder().join("before"), &refused);
    for (code, said) in [by_us(&home, "before", &[]), by_us(&home, "before", &one), by_script(&home, "before")] {
        assert!(code == 4 && said.contains("[opening-missing]"), "{said}");
    }

    let erased = home.gateway().erase_entries(&[event], "uk-gdpr:17", "ops-1").await.expect("erased");
    assert_eq!(erased.erased, 1);
    home.wait_sequenced().await;
    bundle(&home, &home.folder().join("after")).await;
    for (code, said) in [by_us(&home, "after", &[]), by_us(&home, "after", &one), by_script(&home, "after")] {
        assert!(code == 0, "{said}");
    }
    // The entry still says what was decided; what opens it is nowhere.
    let auditor = home.agency("programme-team").await;
    let read = look(&auditor, &format!("entries/{refused}"), "").await;
    let entry: Value = serde_json::from_str(read["entry"].as_str().expect("text")).expect("JSON");
    assert!(entry["body"]["commitments"]["subject"].is_string());

    // Another opening that is missing beside the erased one is a fault still.
    lose(&home.folder().join("after"), &answered);
    let other: EventId = answered.parse().expect("an event");
    let other = home.gateway().store().leaf_index(other).await.expect("asked").expect("sequenced").to_string();
    let two = ["--entry", other.as_str()];
    for (code, said) in [by_us(&home, "after", &[]), by_us(&home, "after", &two), by_script(&home, "after")] {
        assert!(code == 4 && said.contains("[opening-missing]"), "{said}");
    }
    assert_eq!(by_us(&home, "after", &one).0, 0, "of the erased one alone nothing is wrong");
    home.stop().await;
}

#[tokio::test]
async fn an_erasure_that_is_not_in_the_tree_excuses_nothing() {
    let (home, _, refused) = asked_twice(Backend::Sqlite).await;
    let event: EventId = refused.parse().expect("an event");
    let index = home.gateway().store().leaf_index(event).await.expect("asked").expect("sequenced").to_string();
    bundle(&home, &home.folder().join("forged")).await;
    lose(&home.folder().join("forged"), &refused);
    // The last entry of the bundle is replaced by an erasure that nobody logged.
    let folder = home.folder().join("forged/tile/entries");
    let path = std::fs::read_dir(&folder).expect("a folder").next().expect("one").expect("one").path();
    let path =
        if path.is_dir() { path.read_dir().expect("a folder").next().expect("one").expect("one").path() } else { path };
    let bytes = std::fs::read(&path).expect("entries");
    let (mut at, mut last) = (0, 0);
    while at < bytes.len() {
        last = at;
        at += 2 + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    }
    let replaced: Value = serde_json::from_slice(&bytes[last + 2..]).expect("an entry");
    let body = porth::tlog::entry::Body::Erasure(porth::tlog::entry::Erasure {
        events: vec![event],
        reason: "forged".parse().expect("a code"),
        by: "nobody".parse().expect("a code"),
    });
    let id = replaced["event"].as_str().expect("an id").parse().expect("an id");
    let at = replaced["at"].as_str().expect("a time").parse().expect("a time");
    let log = replaced["log"].as_str().expect("a log");
    let forged = porth::tlog::entry::Entry::new(log, id, at, [9; 32], body).render().expect("renders");
    let length = u16::try_from(forged.len()).expect("short").to_be_bytes();
    std::fs::write(&path, [&bytes[..last], &length, &forged].concat()).expect("written");
    let (code, said) = by_us(&home, "forged", &["--entry", &index]);
    assert!(code == 4 && said.contains("[opening-missing]"), "{said}");
    home.stop().await;
}
