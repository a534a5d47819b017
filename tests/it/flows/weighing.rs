//! Privacy profile B: field tokens are sealed on arrival, weights are learned from them by an explicit
//! command, and pairs are weighed as well as plain text would be.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use porth::app::backup::back_up;
use porth::app::restore::{RestoreTerms, restore};
use porth::app::weigh::{AcceptedPair, Arrivals};
use porth::crypto::blind::Blinder;
use porth::crypto::random::SystemRandom;
use porth::crypto::seal::SealKeyPair;
use porth::crypto::secret::Secret;
use porth::crypto::token::{LinkageKey, TypeKey};
use porth::domain::ids::OpaqueRef;
use porth::domain::match_keys::MatchKeys;
use porth::domain::token::Token;
use porth::identity::{Derived, Deriver, RawFields};
use porth::linkage::record::RecordKey;
use porth::linkage::weigh::{Comparison, FieldRecord, FieldToken, Population, Role, Shape, Weights, learn, weigh};
use porth::store::{Cell, Store};
use rstest::rstest;
use serde_json::{Value, json};

use super::febrl::{Record, read, rows};
use crate::support::database::{Backend, TestDatabase};
use crate::support::programme::{HUB_AREAS, ORIGIN, TestProgramme, opaque, policy_files_of};

const TODAY: jiff::civil::Date = jiff::civil::date(2026, 1, 1);

/// How well the public test set was weighed, and by which weights.
struct Quality {
    precision: f64,
    f1: f64,
    false_links: usize,
    weights: Weights,
}

/// The records of the test set as a match run sees them: real tokens, blinded.
fn population(
    without: Option<&str>,
    reversed: bool,
    keep: impl Fn(&str, u32) -> bool,
) -> (Population<RecordKey>, Vec<u32>) {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/policies/match-keys.febrl.toml"));
    let keys = MatchKeys::parse(&text.expect("shipped")).expect("well-formed");
    let comparisons = keys.field_tokens().iter().map(|weighed| Comparison {
        name: keys.fields()[weighed.field].name.clone(),
        levels: weighed.levels.iter().map(|level| level.label.clone()).collect(),
        role: Role::Place,
        needed: weighed.needed,
    });
    let shape = Shape::new(comparisons.collect()).expect("few").without_kin();
    let programme = "febrl4".parse().expect("a code");
    let secret = |byte: u8| Secret::from_slice(&[byte; 32]).expect("32 bytes");
    let (linkage, blinder) = (LinkageKey::new(secret(7)), Blinder::new(&secret(9), &programme));
    let mut slots = Vec::new();
    for (comparison, weighed) in (0..).zip(keys.field_tokens()) {
        for (level, declared) in (0..).zip(&weighed.levels) {
            let type_key = TypeKey::derive(&linkage, &programme, 1, &declared.name, 1);
            let is_left_out = without == Some(keys.fields()[weighed.field].name.as_str());
            slots.push((comparison, level, type_key, blinder.prepare(1, &declared.name, 1, 1), is_left_out));
        }
    }
    let (mut deriver, mut derived) = (Deriver::of_fields(&keys), Derived::default());
    let mut records = Vec::new();
    for (feed, agency, file) in [(0, "north", "dataset4a"), (1, "south", "dataset4b")] {
        for record in read(file).into_iter().filter(|record| keep(agency, record.number)) {
            let mut raw = RawFields::new();
            for (name, text) in &record.columns {
                raw.push(&keys, name, text);
            }
            deriver.derive(&raw, TODAY, &mut derived);
            let tokens = derived.values().filter(|(slot, _)| !slots[*slot].4).map(|(slot, value)| {
                let (comparison, level, type_key, blind, _) = &slots[slot];
                let value = blind.blind(&type_key.token(value));
                FieldToken { comparison: *comparison, level: *level, epoch: 1, value }
            });
            let key = RecordKey {
                agency: agency.parse().expect("a code"),
                feed: file.parse().expect("a code"),
                // Scattered: the order of keys says nothing of who is who.
                reference: OpaqueRef::parse(&opaque(record.number.wrapping_mul(2_654_435_761))).expect("22 characters"),
            };
            records.push((record.number, FieldRecord { key, feed, tokens: tokens.collect() }));
        }
    }
    if reversed {
        records.reverse();
    }
    let (numbers, records) = records.into_iter().unzip();
    (Population::new(shape, records, &[]), numbers)
}

/// Learns and weighs; the truth is looked at last.
fn measure(name: &str, (population, numbers): &(Population<RecordKey>, Vec<u32>)) -> Quality {
    let weights = learn(population, String::new(), &|_, _| false).expect("enough to learn from");
    let accepted = weigh(population, &weights, None, &|_, _| false);
    let mut entities: BTreeMap<u32, usize> = BTreeMap::new();
    for number in numbers {
        *entities.entry(*number).or_default() += 1;
    }
    let true_pairs = entities.values().filter(|count| **count == 2).count();
    let number = |record| numbers[population.place(record)];
    let right = accepted.iter().filter(|pair| number(pair.a) == number(pair.b)).count();
    let precision = right as f64 / accepted.len() as f64;
    let recall = right as f64 / true_pairs as f64;
    let f1 = 2.0 * precision * recall / (precision + recall);
    #[expect(clippy::print_stdout, reason = "the figures are what a reader runs this for")]
    {
        let estimate = weights.estimate().false_links_per_10000_in_thousandths as f64 / 1000.0;
        println!("FEBRL 4 {name}: precision {precision:.4}, recall {recall:.4}, F1 {f1:.4}, estimate {estimate:.2}");
    }
    Quality { precision, f1, false_links: accepted.len() - right, weights }
}

#[test]
fn without_the_number_half_of_febrl_4_is_weighed_as_well_as_plain_text_at_four_to_one() {
    let keep = |agency: &str, number: u32| number % 3 != if agency == "north" { 2 } else { 0 };
    let quality = measure("half, without the number", &population(Some("soc_sec_id"), false, keep));
    assert!(quality.precision >= 0.999, "precision {}", quality.precision);
    assert!(quality.f1 >= 0.9985, "F1 {}", quality.f1);
    // The same records in another order give the same weights, byte for byte.
    let (reversed, _) = population(Some("soc_sec_id"), true, keep);
    let again = learn(&reversed, String::new(), &|_, _| false).expect("enough to learn from");
    assert_eq!(quality.weights.to_bytes(), again.to_bytes());
}

#[test]
fn with_the_number_the_whole_of_febrl_4_is_weighed_without_a_false_link() {
    let quality = measure("whole, with the number", &population(None, false, |_, _| true));
    assert_eq!(quality.false_links, 0);
    assert!(quality.f1 >= 0.9995, "F1 {}", quality.f1);
}

/// Rows with the field tokens that `porth tokenise` would make.
fn rows_with_fields(programme: &TestProgramme, records: &[Record]) -> Vec<Value> {
    let keys = &programme.match_keys;
    let levels: Vec<_> = keys.field_levels().map(|(_, level)| level.name.clone()).collect();
    let type_keys: Vec<_> = levels.iter().map(|name| programme.type_key(name.as_str())).collect();
    let (mut deriver, mut derived) = (Deriver::of_fields(keys), Derived::default());
    let mut rows = rows(programme, records);
    for row in &mut rows {
        let record = records.iter().find(|record| row["ref"] == json!(opaque(record.number))).expect("its record");
        let mut raw = RawFields::new();
        for (name, text) in &record.columns {
            raw.push(keys, name, text);
        }
        deriver.derive(&raw, TODAY, &mut derived);
        let mut fields: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (level, value) in derived.values() {
            fields.entry(levels[level].as_str()).or_default().push(type_keys[level].token(value).to_text());
        }
        row["fields"] = json!({ "1": fields });
    }
    rows
}

fn people(file: &str, below: u32) -> Vec<Record> {
    read(file).into_iter().filter(|record| record.number < below).collect()
}

async fn start(backend: Backend) -> TestProgramme {
    TestProgramme::start_with(backend, policy_files_of("examples/febrl", "policies/match-keys.febrl.toml")).await
}

/// Two agencies' files of the first so many people.
async fn deliver_both(programme: &TestProgramme, below: u32, change: impl Fn(&str, &mut Value)) {
    for (agency, feed, file) in [("north", "file-a", "dataset4a"), ("south", "file-b", "dataset4b")] {
        let mut rows = rows_with_fields(programme, &people(file, below));
        for row in &mut rows {
            change(agency, row);
        }
        programme.deliver(agency, feed, "febrl-test/v1", &rows).await;
    }
}

/// Every cell of every table.
async fn every_cell(store: &Store) -> Vec<(String, Cell)> {
    let mut tx = store.begin_snapshot().await.expect("a transaction");
    let mut cells = Vec::new();
    for table in tx.tables().await.expect("the tables") {
        let see = &mut |row: &[Cell]| {
            cells.extend(row.iter().map(|cell| (table.name.clone(), cell.clone())));
            Ok::<(), ()>(())
        };
        tx.each_row(&table, see).await.expect("rows").expect("seen");
    }
    cells
}

async fn blobs(store: &Store) -> Vec<Vec<u8>> {
    let cells = every_cell(store).await.into_iter().filter(|(table, _)| table == "profile_blob");
    cells.filter_map(|(_, cell)| if let Cell::Bytes(bytes) = cell { Some(bytes) } else { None }).collect()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn no_column_or_index_holds_a_field_token_and_equal_fields_give_unequal_blobs_of_one_length(
    #[case] backend: Backend,
) {
    let programme = start(backend).await;
    let mut rows = rows_with_fields(&programme, &people("dataset4a", 40));
    rows[1]["fields"] = rows[0]["fields"].clone();
    rows[2].as_object_mut().expect("a row").remove("fields");
    rows[3]["restricted"] = json!(true);
    programme.deliver("north", "file-a", "febrl-test/v1", &rows).await;

    let policies = programme.gateway.current_policies().await.expect("policies");
    let blinder = &programme.gateway.keys().blinder;
    let mut needles: HashSet<Vec<u8>> = HashSet::new();
    for row in &rows {
        for (name, tokens) in row["fields"]["1"].as_object().into_iter().flatten() {
            let name = name.parse().expect("a type");
            assert!(policies.is_field_type(&name) && !policies.is_person_type(&name));
            for token in tokens.as_array().expect("a list") {
                let token = Token::parse(token.as_str().expect("text")).expect("a token");
                needles.insert(token.as_bytes()[..16].to_vec());
                needles.insert(blinder.blind(1, &name, 1, &token).as_bytes().to_vec());
                needles.insert(token.to_text().as_bytes()[..16].to_vec());
            }
        }
    }
    assert!(needles.len() > 1000, "{}", needles.len());
    let mut seen = 0;
    for (table, cell) in every_cell(programme.gateway.store()).await {
        let bytes = match cell {
            Cell::Bytes(bytes) => bytes,
            Cell::Text(text) => text.into_bytes(),
            _ => continue,
        };
        seen += 1;
        assert!(!bytes.windows(16).any(|window| needles.contains(window)), "{table} holds a field token");
    }
    assert!(seen > 1000, "{seen} cells were searched");
    let blobs = blobs(programme.gateway.store()).await;
    assert_eq!(blobs.len(), rows.len(), "one of every record, whatever it came with");
    assert_eq!(blobs.iter().map(Vec::len).collect::<BTreeSet<_>>().len(), 1, "of one length");
    assert_eq!(blobs.iter().collect::<BTreeSet<_>>().len(), blobs.len(), "no two alike");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn weights_are_learned_logged_and_join_the_records_of_one_person(#[case] backend: Backend) {
    let programme = start(backend).await;
    deliver_both(&programme, 400, |_, _| {}).await;
    let key = &programme.keys.match_run;

    let weights = programme.gateway.learn_weights(key, "analyst-1").await.expect("learned");
    let weighing = programme.gateway.open_weighing(key).await.expect("opened");
    let read = weighing.weights(&weights.to_bytes()).expect("its own weights");
    assert_eq!(read.sha256(), weights.sha256());
    let accepted = weighing.accepted(&read, None);
    let right = accepted.iter().filter(|pair| pair.a.reference == pair.b.reference).count();
    assert!(right >= 395 && accepted.len() - right <= 2, "{right} of {} right", accepted.len());

    // The same again, byte for byte; and of new records alone, the same pairs.
    let again = programme.gateway.open_weighing(key).await.expect("opened");
    assert_eq!(again.learn().expect("learned").to_bytes(), weights.to_bytes());
    assert_eq!(again.accepted(&read, None), accepted);
    let (new, old): (Vec<&AcceptedPair>, Vec<&AcceptedPair>) =
        accepted.iter().partition(|pair| pair.b.reference.as_str() < opaque(50).as_str());
    let arrivals = Arrivals {
        records: new.iter().map(|pair| pair.b.clone()).collect(),
        standing: old.iter().map(|pair| (pair.a.clone(), pair.b.clone())).collect(),
    };
    assert!(new.len() > 40);
    assert_eq!(again.accepted(&read, Some(&arrivals)).iter().collect::<Vec<_>>(), new);

    let evidence = accepted.iter().flat_map(|pair| &pair.evidence);
    let names: BTreeSet<&str> = evidence.map(|evidence| evidence.field.as_str()).collect();
    assert!(names.contains("surname") && names.len() == 8, "{names:?}");
    assert!(weighing.weights(b"{}").is_err());
    let counts = programme.gateway.store().event_counts().await.expect("counts");
    assert!(counts.iter().any(|(kind, _, count)| kind == "weights.learn" && *count == 1), "{counts:?}");
    assert!(programme.gateway.learn_weights(key, "not an account").await.is_err());
    let other = SealKeyPair::generate(&SystemRandom::new());
    let refused = programme.gateway.open_weighing(&other).await.err().expect("another key").to_string();
    assert!(refused.contains("does not open"), "{refused}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn after_a_change_of_the_match_run_key_the_old_one_opens_nothing_that_was_sent_again(#[case] backend: Backend) {
    let before = start(backend).await;
    deliver_both(&before, 200, |_, _| {}).await;
    let old = Arc::clone(&before.keys.match_run);
    before.gateway.open_weighing(&old).await.expect("what was sealed to it");

    let programme = before.restarted_with(before.keys.with_next_match_run_key());
    let new = &programme.keys.match_run;
    assert!(programme.gateway.open_weighing(new).await.is_err(), "nothing was sent again yet");
    deliver_both(&programme, 201, |_, _| {}).await; // the next snapshot; the same bytes would be a repeat
    let weighing = programme.gateway.open_weighing(new).await.expect("all of it was sent again");
    let weights = programme.gateway.learn_weights(new, "analyst-1").await.expect("learned");
    let read = weighing.weights(&weights.to_bytes()).expect("its own weights");
    assert!(weighing.accepted(&read, None).len() >= 190);
    let refused = programme.gateway.open_weighing(&old).await.err().expect("the old key").to_string();
    assert!(refused.contains("does not open"), "{refused}");
}

#[tokio::test]
async fn whoever_is_restricted_or_reached_by_a_shield_takes_no_part() {
    let programme = start(Backend::Sqlite).await;
    let hidden: BTreeSet<String> = (0..30).map(opaque).collect();
    deliver_both(&programme, 300, |agency, row| {
        if agency == "north" && hidden.contains(row["ref"].as_str().expect("text")) {
            row["restricted"] = json!(true);
        }
    })
    .await;
    let weighing = programme.gateway.open_weighing(&programme.keys.match_run).await.expect("opened");
    let accepted = weighing.accepted(&weighing.learn().expect("learned"), None);
    assert!(accepted.len() >= 265, "{}", accepted.len());
    let is_hidden = |key: &RecordKey| hidden.contains(key.reference.as_str());
    assert!(!accepted.iter().any(|pair| pair.a.agency.as_str() == "north" && is_hidden(&pair.a)));
    // South's records of the same people are reached through the match keys that they share.
    let reached = accepted.iter().filter(|pair| is_hidden(&pair.a) || is_hidden(&pair.b)).count();
    assert!(reached <= 2, "{reached}");
    assert!(weighing.len() <= 2 * 300 - 30 - 25, "{}", weighing.len());
}

#[tokio::test]
async fn evidence_without_its_profile_in_the_agreement_is_refused_by_row() {
    let programme = TestProgramme::start(Backend::Sqlite).await;
    let token = programme.type_key("surname_exact").token(b"PENROSE").to_text();
    let row = programme.row(1, &[("nhs", "9990000018")], json!({ "fields": { "1": { "surname_exact": [token] } } }));
    let header = programme.header("education", "attendance", HUB_AREAS.agreement).await;
    let refused = programme.submit(&header, &[row]).await.expect_err("profile A alone");
    let porth::app::error::AppError::RefusedFile { id, .. } = refused else { panic!("{refused}") };
    let errors = programme.gateway.store().row_errors(id, 0, 10).await.expect("row errors");
    let found: Vec<_> = errors.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect();
    assert_eq!(found, [("fields", "profile.not_agreed")]);
    assert!(blobs(programme.gateway.store()).await.is_empty());

    // Nor does a field token pass for a match key.
    let row = programme.row(1, &[("surname_exact", "PENROSE")], json!({}));
    let refused = programme.submit(&header, &[row]).await.expect_err("no such key");
    assert!(matches!(refused, porth::app::error::AppError::RefusedFile { .. }), "{refused}");
}

#[rstest]
#[case::from_sqlite(Backend::Sqlite, Backend::Postgres)]
#[case::from_postgres(Backend::Postgres, Backend::Sqlite)]
#[tokio::test]
async fn sealed_evidence_moves_between_engines_and_goes_with_its_record(#[case] from: Backend, #[case] to: Backend) {
    let programme = start(from).await;
    let rows = rows_with_fields(&programme, &people("dataset4a", 30));
    let received = programme.deliver("north", "file-a", "febrl-test/v1", &rows).await;
    programme.sequencer.drain().await.expect("sequenced");
    let store = programme.gateway.store();
    assert_eq!(blobs(store).await.len(), 30);

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("porth.backup");
    back_up(store, &file).await.expect("backed up");
    let empty = TestDatabase::create_empty(to).await;
    let terms = RestoreTerms { log_origin: ORIGIN, known: &[], log_keys: &[], accept_loss: None };
    restore(&empty.store, &file, terms, &SystemRandom::new()).await.expect("restored");
    assert_eq!(blobs(&empty.store).await, blobs(store).await);
    let moved = programme.on(empty.store.clone());
    let weighing = moved.gateway.open_weighing(&programme.keys.match_run).await.expect("opens where it came to");
    assert_eq!(weighing.len(), 30);

    let page = empty.store.submission_records(received.id, None, 12).await.expect("records");
    let mut tx = empty.store.begin().await.expect("a transaction");
    tx.remove_records(received.id, &page).await.expect("removed");
    tx.commit().await.expect("committed");
    assert_eq!(blobs(&empty.store).await.len(), 18);
}
