//! A public test set through the journeys: how well two agencies' files are linked.

use porth::app::evaluate::{Quality, Truth};
use porth::domain::ids::OpaqueRef;
use porth::identity::{Derived, Deriver, RawFields};
use serde_json::{Value, json};

use crate::support::database::Backend;
use crate::support::programme::{TestProgramme, opaque, policy_files_of};

/// One record of the set: its number, and the columns by name.
pub(super) struct Record {
    pub(super) number: u32,
    pub(super) columns: Vec<(String, String)>,
}

pub(super) fn read(file: &str) -> Vec<Record> {
    let path = format!("{}/tests/data/febrl/{file}.csv", env!("CARGO_MANIFEST_DIR"));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).expect("the test set");
    let names: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    reader
        .records()
        .map(|row| {
            let row = row.expect("a row");
            let id = row[0].split('-').nth(1).expect("rec-N-…");
            let columns = names.iter().cloned().zip(row.iter().map(str::to_owned)).skip(1).collect();
            Record { number: id.parse().expect("a number"), columns }
        })
        .collect()
}

pub(super) fn rows(programme: &TestProgramme, records: &[Record]) -> Vec<Value> {
    let keys = &programme.match_keys;
    let type_keys: Vec<_> = keys.keys().iter().map(|key| programme.type_key(key.name.as_str())).collect();
    let mut deriver = Deriver::new(keys);
    let mut derived = Derived::default();
    let today = jiff::civil::Date::constant(2026, 1, 1);
    let mut raw = RawFields::new();
    records
        .iter()
        .map(|record| {
            raw.clear();
            for (name, text) in &record.columns {
                raw.push(keys, name, text);
            }
            deriver.derive(&raw, today, &mut derived);
            let mut tokens = serde_json::Map::new();
            for (index, value) in derived.values() {
                let name = keys.keys()[index].name.to_string();
                let token = type_keys[index].token(value).to_text();
                let list = tokens.entry(name).or_insert_with(|| json!([]));
                list.as_array_mut().expect("a list").push(json!(token));
            }
            json!({ "ref": opaque(record.number), "tokens": { "1": tokens } })
        })
        .filter(|row| !row["tokens"]["1"].as_object().expect("types").is_empty())
        .collect()
}

async fn quality(backend: Backend, keep: impl Fn(&str, u32) -> bool) -> Quality {
    let files = policy_files_of("examples/febrl", "policies/match-keys.febrl.toml");
    let programme = TestProgramme::start_with(backend, files).await;
    let mut truth = Truth::new();
    for (agency, feed, file) in [("north", "file-a", "dataset4a"), ("south", "file-b", "dataset4b")] {
        let records: Vec<Record> = read(file).into_iter().filter(|record| keep(agency, record.number)).collect();
        for record in &records {
            let reference = OpaqueRef::parse(&opaque(record.number)).expect("22 characters");
            truth.insert((agency.parse().expect("a code"), reference), record.number.to_string());
        }
        programme.deliver(agency, feed, "febrl-test/v1", &rows(&programme, &records)).await;
    }
    let quality = programme.gateway.evaluate(&truth).await.expect("a test set");
    #[expect(clippy::print_stdout, reason = "the figures are what a reader runs this for")]
    {
        println!(
            "{} records: precision {:.4}, recall {:.4}, F1 {:.4}",
            quality.records,
            quality.precision(),
            quality.recall(),
            quality.f1()
        );
    }
    quality
}

/// Floors under what linking reaches today, so that a change that links worse is noticed.
fn assert_links_well(quality: Quality, true_pairs: u64) {
    assert_eq!(quality.true_pairs, true_pairs);
    assert!(quality.precision() >= 0.999, "precision {}", quality.precision());
    assert!(quality.f1() >= 0.997, "F1 {}", quality.f1());
}

#[tokio::test]
async fn febrl_4_is_linked_as_well_as_its_match_keys_allow() {
    assert_links_well(quality(Backend::Sqlite, |_, _| true).await, 5000);
}

#[tokio::test]
async fn febrl_4_with_half_the_partners_gone_is_linked_as_well() {
    // The half-overlap set: a third of each file has no partner in the other.
    let keep = |agency: &str, number: u32| number % 3 != if agency == "north" { 2 } else { 0 };
    assert_links_well(quality(Backend::Postgres, keep).await, 1667);
}

#[tokio::test]
async fn a_programme_of_people_is_never_compared_with_a_truth() {
    let programme = TestProgramme::start(Backend::Sqlite).await;
    let refused = programme.gateway.evaluate(&Truth::new()).await.expect_err("people");
    assert!(refused.to_string().contains("test sets only"), "{refused}");
}
