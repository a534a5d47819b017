//! An entry that was erased: both verifiers tell it from one whose opening is only missing, whole exports and
//! single entries alike.

use std::path::Path;
use std::process::Command;

use porth::domain::ids::EventId;
use porth::tlog::entry::{Body, Entry, Erasure};
use rstest::rstest;
use serde_json::Value;

use crate::cli::gateway::porth;
use crate::log::{KNOWN, asked_twice, bundle, look};
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;

fn by_us(home: &TestGateway, name: &str, more: &[&str]) -> (i32, String) {
    let ran = porth(home.folder(), &[["log", "verify", name, "--trust", "trust.toml"].as_slice(), more].concat());
    (ran.code, ran.out)
}

fn by_script(home: &TestGateway, name: &str) -> (i32, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_bundle.py");
    let ran = Command::new("python3").args([script, name, "trust.toml"]).current_dir(home.folder()).output();
    let ran = ran.expect("python3 runs");
    (ran.status.code().unwrap_or(-1), String::from_utf8_lossy(&ran.stdout).into_owned())
}

/// Another question that is answered: an auditor sees who asked it.
async fn answered_again(home: &TestGateway) -> String {
    let hub = home.agency("early-help-hub").await;
    let answered = hub.enquire(&hub.question("areas", &KNOWN)).await;
    assert_eq!(answered.status, 201, "{answered:?}");
    home.wait_sequenced().await;
    answered.json()["disclosure"].as_str().expect("an entry").to_owned()
}

async fn index_of(home: &TestGateway, event: &str) -> String {
    let event: EventId = event.parse().expect("an event");
    home.gateway().store().leaf_index(event).await.expect("asked").expect("sequenced").to_string()
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
    let (home, answered, _) = asked_twice(backend).await;
    let second = answered_again(&home).await;
    let event: EventId = answered.parse().expect("an event");
    let (index, other) = (index_of(&home, &answered).await, index_of(&home, &second).await);
    let one = ["--entry", index.as_str()];
    bundle(&home, &home.folder().join("before")).await;
    assert_eq!(by_us(&home, "before", &one).0, 0, "{:?}", by_us(&home, "before", &one));
    lose(&home.folder().join("before"), &answered);
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
    let read = look(&auditor, &format!("entries/{answered}"), "").await;
    let entry: Value = serde_json::from_str(read["entry"].as_str().expect("text")).expect("JSON");
    assert!(entry["body"]["commitments"]["subject"].is_string());

    // Another opening that is missing beside the erased one is a fault still.
    lose(&home.folder().join("after"), &second);
    let two = ["--entry", other.as_str()];
    for (code, said) in [by_us(&home, "after", &[]), by_us(&home, "after", &two), by_script(&home, "after")] {
        assert!(code == 4 && said.contains("[opening-missing]"), "{said}");
    }
    assert_eq!(by_us(&home, "after", &one).0, 0, "of the erased one alone nothing is wrong");
    home.stop().await;
}

#[tokio::test]
async fn an_erasure_that_is_not_in_the_tree_excuses_nothing() {
    let (home, answered, _) = asked_twice(Backend::Sqlite).await;
    let second = answered_again(&home).await;
    let index = index_of(&home, &answered).await;
    bundle(&home, &home.folder().join("forged")).await;
    lose(&home.folder().join("forged"), &answered);
    // A later entry is replaced by an erasure that nobody logged.
    let mut path = home.folder().join("forged/tile/entries");
    while path.is_dir() {
        path = path.read_dir().expect("a folder").next().expect("one").expect("one").path();
    }
    let (bytes, mut forged, mut replaced) = (std::fs::read(&path).expect("entries"), Vec::new(), 0);
    let mut rest = bytes.as_slice();
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let (entry, tail) = tail.split_at(usize::from(u16::from_be_bytes(*length)));
        let value: Value = serde_json::from_slice(entry).expect("an entry");
        let entry = if value["event"] == second.as_str() {
            replaced += 1;
            erasure_of(&answered, &value)
        } else {
            entry.to_vec()
        };
        forged.extend(u16::try_from(entry.len()).expect("short").to_be_bytes());
        forged.extend(entry);
        rest = tail;
    }
    assert_eq!(replaced, 1);
    std::fs::write(&path, forged).expect("written");
    let (code, said) = by_us(&home, "forged", &["--entry", &index]);
    assert!(code == 4 && said.contains("[opening-missing]"), "{said}");
    home.stop().await;
}

/// An erasure in the place of another entry.
fn erasure_of(event: &str, replaced: &Value) -> Vec<u8> {
    let text = |name: &str| replaced[name].as_str().expect("a text").to_owned();
    let body = Body::Erasure(Erasure {
        events: vec![event.parse().expect("an event")],
        reason: "forged".parse().expect("a code"),
        by: "nobody".parse().expect("a code"),
    });
    let (id, at) = (text("event").parse().expect("an id"), text("at").parse().expect("a time"));
    Entry::new(text("log"), id, at, [9; 32], body).render().expect("renders")
}
