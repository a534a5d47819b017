//! A backup is the whole database at one moment, and becomes it again on either engine; an old or
//! damaged one is noticed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use porth::app::backup::back_up;
use porth::app::check_log::{LogFault, check_log};
use porth::app::held_checkpoint::{self, HeldError, parse_checkpoint};
use porth::app::restore::{Acceptance, Loss, RestoreError, RestoreTerms, inspect, restore};
use porth::app::signers::KeyVerifier;
use porth::app::transfer::{FileReader, FileWriter, Frame, TransferError};
use porth::domain::ids::EventId;
use porth::store::{Cell, Store};
use porth::tlog::checkpoint::Checkpoint;
use porth::tlog::entry::{Body, Entry};
use porth::tlog::note::NoteVerifier;
use rstest::rstest;
use serde_json::json;

use crate::support::database::{Backend, TestDatabase};
use crate::support::gateway::random;
use crate::support::programme::{HUB_AREAS, ORIGIN, TestProgramme};

const CHILD: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "child")];
const MOTHER: &[(&str, &str)] = &[("nhs", "9990000026"), ("k3", "mother")];
const HOME: &[(&str, &str)] = &[("uprn", "100040123456")];
const AGREEMENT: &str = "early-help-core/v1";

/// A programme with a family, a shielded person, a replaced snapshot and a sequenced log.
async fn lived_in(backend: Backend) -> TestProgramme {
    let programme = TestProgramme::start(backend).await;
    let from = (programme.today().await - jiff::Span::new().days(40)).to_string();
    let flag = |criterion: &str| json!([{ "criterion": criterion, "state": "met", "from": from }]);
    let home = programme.tokens(HOME);
    for flags in [json!([]), flag("E1")] {
        let child = programme.row(1, CHILD, json!({ "role": "child", "household": home, "flags": flags }));
        programme.deliver("education", "attendance", AGREEMENT, &[child]).await;
    }
    let rows = [
        programme.row(1, &CHILD[..1], json!({ "role": "child", "household": home, "flags": flag("H2") })),
        programme.row(2, MOTHER, json!({ "role": "adult", "household": home })),
        programme.row(3, &[("nhs", "9990000042")], json!({ "role": "child", "restricted": true })),
    ];
    programme.deliver("childrens-social-care", "cases", AGREEMENT, &rows).await;
    programme.ask(HUB_AREAS, MOTHER, &[]).await.expect("permitted");
    programme.sequencer.drain().await.expect("sequenced");
    programme
}

/// The answers about everybody whom the tests know.
async fn answers(programme: &TestProgramme) -> Vec<serde_json::Value> {
    let mut answers = Vec::new();
    for person in [CHILD, MOTHER, &[("nhs", "9990000042")], &[("nhs", "9990000034")]] {
        let receipted = programme.ask(HUB_AREAS, person, &[]).await.expect("permitted");
        answers.push(serde_json::to_value(&receipted.answer).expect("plain data"));
    }
    answers
}

async fn entries(store: &Store) -> Vec<(EventId, Vec<u8>)> {
    let size = store.log_head().await.expect("the log").expect("open").size;
    store.log_entries(0, size).await.expect("the log")
}

async fn newest(store: &Store) -> (Checkpoint, String) {
    let (_, _, note) = store.newest_checkpoint().await.expect("the log").expect("a checkpoint");
    (parse_checkpoint(note.as_bytes()).expect("a checkpoint"), note)
}

fn terms(known: &[Checkpoint]) -> RestoreTerms<'_> {
    RestoreTerms { log_origin: ORIGIN, known, log_keys: &[], accept_loss: None }
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("porth.backup")
}

#[rstest]
#[case::sqlite_to_postgres(Backend::Sqlite, Backend::Postgres)]
#[case::postgres_to_sqlite(Backend::Postgres, Backend::Sqlite)]
#[tokio::test]
async fn a_programme_moves_to_the_other_engine_with_its_entries_roots_and_answers(
    #[case] from: Backend,
    #[case] to: Backend,
) {
    let before = lived_in(from).await;
    let folder = tempfile::tempdir().expect("a folder");
    let made = back_up(before.gateway.store(), &file(&folder)).await.expect("backed up");
    let (checkpoint, note) = newest(before.gateway.store()).await;
    assert_eq!((made.header.log_size, made.header.checkpoint.as_deref()), (checkpoint.size, Some(note.as_str())));

    let empty = TestDatabase::create_empty(to).await;
    let key = KeyVerifier::new(ORIGIN, before.checkpoint_key());
    let keys: [&dyn NoteVerifier; 1] = [&key];
    let terms = RestoreTerms { log_keys: &keys, ..terms(std::slice::from_ref(&checkpoint)) };
    let restored = restore(&empty.store, &file(&folder), terms, &random()).await.expect("restored");
    assert_eq!((restored.log.size, restored.log.root), (checkpoint.size, checkpoint.root));
    assert_eq!((restored.rows, restored.loss), (made.rows, None));
    assert_eq!(entries(&empty.store).await, entries(before.gateway.store()).await);

    let after = before.on(empty.store.clone());
    assert_eq!(answers(&after).await, answers(&before).await);
    // Life goes on: the log grows from where it was, a feed is replaced, and the tree stays one.
    let row = after.row(1, CHILD, json!({ "role": "child" }));
    after.deliver("education", "attendance", AGREEMENT, &[row]).await;
    after.sequencer.drain().await.expect("sequenced");
    let mut tx = empty.store.begin_snapshot().await.expect("begins");
    let log = check_log(&mut tx, &keys, &BTreeSet::from([checkpoint.size])).await.expect("whole");
    assert!(log.size > checkpoint.size && log.roots[&checkpoint.size] == checkpoint.root);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_same_rows_come_back_and_a_backup_taken_under_load_is_of_one_moment(#[case] backend: Backend) {
    let programme = lived_in(backend).await;
    let folder = tempfile::tempdir().expect("a folder");
    let loaded = programme.clone();
    let load = tokio::spawn(async move {
        loop {
            loaded.ask(HUB_AREAS, MOTHER, &[]).await.expect("permitted");
            loaded.sequencer.drain().await.expect("sequenced");
        }
    });
    for number in 0..3 {
        let path = folder.path().join(format!("under-load-{number}"));
        back_up(programme.gateway.store(), &path).await.expect("backed up");
        let empty = TestDatabase::create_empty(backend).await;
        restore(&empty.store, &path, terms(&[]), &random()).await.expect("whole, whatever went on meanwhile");
    }
    assert!(!load.is_finished(), "nobody had to wait so long that it failed");
    load.abort();
    let _ = load.await;

    back_up(programme.gateway.store(), &file(&folder)).await.expect("backed up");
    let empty = TestDatabase::create_empty(backend).await;
    restore(&empty.store, &file(&folder), terms(&[]), &random()).await.expect("restored");
    let again = folder.path().join("again");
    back_up(&empty.store, &again).await.expect("backed up");
    assert_eq!(rows(&file(&folder)), rows(&again), "table by table, row by row");
    let over = back_up(&empty.store, &again).await;
    assert!(over.is_err(), "nothing is overwritten");
}

/// Everything in a backup but its header.
fn rows(path: &Path) -> Vec<Frame> {
    let mut reader = FileReader::begin(std::fs::File::open(path).expect("opens")).expect("a backup");
    let mut frames = Vec::new();
    loop {
        match reader.next_frame().expect("whole") {
            Frame::End(_) => return frames,
            frame => frames.push(frame),
        }
    }
}

/// Writes a backup anew, with a hash that agrees, after changing rows of a table.
fn forge(from: &Path, to: &Path, table: &str, change: impl Fn(&mut Vec<Vec<Cell>>)) {
    let mut reader = FileReader::begin(std::fs::File::open(from).expect("opens")).expect("a backup");
    let header = reader.header().clone();
    let mut writer = FileWriter::begin(std::fs::File::create(to).expect("creates"), &header).expect("writes");
    let mut current = String::new();
    loop {
        match reader.next_frame().expect("whole") {
            Frame::Table(head) => {
                current.clone_from(&head.name);
                writer.table(&head).expect("writes");
            }
            Frame::Rows(mut rows) => {
                if current == table {
                    change(&mut rows);
                }
                for row in &rows {
                    writer.row(row).expect("writes");
                }
            }
            Frame::EndOfTable => writer.end_table().expect("writes"),
            Frame::End(_) => break,
        }
    }
    writer.end().expect("writes");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_older_backup_is_noticed_and_the_loss_is_counted_and_logged(#[case] backend: Backend) {
    let programme = lived_in(backend).await;
    let store = programme.gateway.store();
    let folder = tempfile::tempdir().expect("a folder");
    back_up(store, &file(&folder)).await.expect("backed up");
    let (old, _) = newest(store).await;
    for _ in 0..3 {
        programme.ask(HUB_AREAS, CHILD, &[]).await.expect("permitted");
    }
    programme.sequencer.drain().await.expect("sequenced");
    let (known, _) = newest(store).await;
    assert_eq!(known.size, old.size + 3);

    let empty = TestDatabase::create_empty(backend).await;
    let known = [old.clone(), known];
    let refused = restore(&empty.store, &file(&folder), terms(&known), &random()).await.expect_err("older");
    let loss = Loss { known: old.size + 3, found: old.size, missing: 3, pending: 0 };
    assert!(matches!(refused, RestoreError::Loss(found) if found == loss), "{refused}");
    assert!(refused.to_string().contains("3 entries are missing"), "{refused}");
    assert_eq!(empty.store.event_counts().await.expect("counts"), [], "nothing was restored");

    let accepted = Acceptance { by: "operator-1", reason: "disc-failed" };
    let terms = RestoreTerms { accept_loss: Some(accepted), ..terms(&known) };
    let restored = restore(&empty.store, &file(&folder), terms, &random()).await.expect("accepted");
    assert_eq!(restored.loss, Some(loss));
    let after = programme.on(empty.store.clone());
    after.sequencer.drain().await.expect("sequenced");
    let entries = entries(&empty.store).await;
    assert_eq!(entries.len() as u64, old.size + 1);
    let last = Entry::parse(&entries.last().expect("one").1).expect("an entry").into_body();
    let Body::LogRestore(entry) = last else { panic!("the loss is in the log: {last:?}") };
    assert_eq!((entry.size, entry.known_size, entry.missing), (old.size, old.size + 3, 3));
    assert_eq!((entry.root.as_bytes(), entry.known_root.as_bytes()), (old.root.as_bytes(), known[1].root.as_bytes()));
    assert_eq!((entry.by.as_str(), entry.backup_sha256.as_bytes()), ("operator-1", &restored.sha256));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn damaged_and_foreign_backups_are_refused_and_leave_nothing_behind(#[case] backend: Backend) {
    let programme = lived_in(backend).await;
    let folder = tempfile::tempdir().expect("a folder");
    let good = file(&folder);
    back_up(programme.gateway.store(), &good).await.expect("backed up");
    let (checkpoint, _) = newest(programme.gateway.store()).await;
    let empty = TestDatabase::create_empty(backend).await;
    let forged = folder.path().join("forged");
    let attempt = async |path: &Path, terms: RestoreTerms<'_>| {
        let refused = restore(&empty.store, path, terms, &random()).await.expect_err("refused");
        if empty.store.check_schema().await.is_ok() {
            assert_eq!(empty.store.event_counts().await.expect("counts"), [], "{refused}");
        }
        refused
    };

    let bytes = std::fs::read(&good).expect("reads");
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    std::fs::write(&forged, &flipped).expect("writes");
    assert!(matches!(attempt(&forged, terms(&[])).await, RestoreError::File(_)));
    std::fs::write(&forged, &bytes[..bytes.len() - 40]).expect("writes");
    assert!(matches!(attempt(&forged, terms(&[])).await, RestoreError::File(TransferError::CutOff)));

    // With a hash that agrees: an entry, a tile, a checkpoint, a leaf and the queue are still found out.
    let in_bytes = |column: usize| {
        move |rows: &mut Vec<Vec<Cell>>| {
            let Cell::Bytes(bytes) = &mut rows[0][column] else { panic!("bytes") };
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
    };
    let last = |rows: &mut Vec<Vec<Cell>>| drop(rows.pop());
    forge(&good, &forged, "event", in_bytes(8));
    assert!(attempt(&forged, terms(&[])).await.to_string().contains("damaged"));
    forge(&good, &forged, "log_tile", in_bytes(2));
    assert!(attempt(&forged, terms(&[])).await.to_string().contains("tile"));
    forge(&good, &forged, "log_leaf", last);
    assert!(attempt(&forged, terms(&[])).await.to_string().contains("missing"));
    forge(&good, &forged, "log_head", in_bytes(3));
    assert!(attempt(&forged, terms(&[])).await.to_string().contains("head"));
    forge(&good, &forged, "log_checkpoint", |rows| {
        let Cell::Text(note) = &mut rows[0][2] else { panic!("text") };
        *note = note.replacen('\n', "x\n", 1);
    });
    assert!(attempt(&forged, terms(&[])).await.to_string().contains("checkpoint"));

    let other = Checkpoint { root: porth::tlog::merkle::leaf_hash(b"another"), ..checkpoint.clone() };
    assert!(matches!(attempt(&good, terms(&[other])).await, RestoreError::Fork(_)));
    let elsewhere = RestoreTerms { log_origin: "elsewhere/2026", ..terms(&[]) };
    assert!(matches!(attempt(&good, elsewhere).await, RestoreError::OtherLog));
    let stranger = porth::crypto::sign::SigningKey::generate(&random()).verifying_key();
    let stranger = KeyVerifier::new(ORIGIN, stranger);
    let keys: [&dyn NoteVerifier; 1] = [&stranger];
    let untrusted = RestoreTerms { log_keys: &keys, ..terms(&[]) };
    assert!(attempt(&good, untrusted).await.to_string().contains("not signed by a trusted log key"));

    restore(&empty.store, &good, terms(&[checkpoint]), &random()).await.expect("the good one");
    let again = restore(&empty.store, &good, terms(&[]), &random()).await.expect_err("in use");
    assert!(matches!(again, RestoreError::NotEmpty));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn entries_behind_the_newest_checkpoint_and_a_log_without_any_are_refused(#[case] backend: Backend) {
    let programme = lived_in(backend).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (forged, good) = (folder.path().join("forged"), file(&folder));
    let (signed, _) = newest(programme.gateway.store()).await;
    programme.ask(HUB_AREAS, CHILD, &[]).await.expect("permitted");
    programme.sequencer.drain().await.expect("sequenced");
    back_up(programme.gateway.store(), &good).await.expect("backed up");
    let (checkpoint, _) = newest(programme.gateway.store()).await;
    let key = KeyVerifier::new(ORIGIN, programme.checkpoint_key());
    let keys: [&dyn NoteVerifier; 1] = [&key];
    let empty = TestDatabase::create_empty(backend).await;

    // Tree, tiles and head agree in both: only the signature over the last entries is missing.
    for (kept, left) in [(signed.size, signed.size), (0, 0)] {
        forge(&good, &forged, "log_checkpoint", |rows| {
            rows.retain(|row| matches!(row[0], Cell::Int(size) if size as u64 <= kept));
        });
        for log_keys in [&keys[..], &[]] {
            let refused = restore(&empty.store, &forged, RestoreTerms { log_keys, ..terms(&[]) }, &random()).await;
            let Err(RestoreError::Log(LogFault::Unsigned { size, signed })) = refused else {
                panic!("refused: {refused:?}")
            };
            assert_eq!((size, signed), (checkpoint.size, left));
        }
        assert_eq!(empty.store.event_counts().await.expect("counts"), [], "nothing was restored");
    }
    let terms = RestoreTerms { log_keys: &keys, ..terms(&[]) };
    restore(&empty.store, &good, terms, &random()).await.expect("the one that was made");
}

#[tokio::test]
async fn a_backup_holds_no_evidence_in_clear_and_only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let programme = lived_in(Backend::Sqlite).await;
    let folder = tempfile::tempdir().expect("a folder");
    back_up(programme.gateway.store(), &file(&folder)).await.expect("backed up");
    let bytes = std::fs::read(file(&folder)).expect("reads");
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("childrens-social-care") && holds("\"type\":\"enquiry\""), "codes and entries are in clear");
    for sealed in ["\"criterion\":", "\"flags\":", "\"statements\":", "\"coverage\":"] {
        assert!(!holds(sealed), "{sealed}: evidence and answers as JSON are sealed");
    }
    assert_eq!(std::fs::metadata(file(&folder)).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(inspect(&file(&folder)).expect("whole").0.engine, "sqlite");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_log_that_falls_behind_what_the_machine_remembers_is_noticed(#[case] backend: Backend) {
    let programme = lived_in(backend).await;
    let store = programme.gateway.store();
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    held_checkpoint::follow(store, &state).await.expect("remembered");
    back_up(store, &file(&folder)).await.expect("backed up");
    let size = newest(store).await.0.size;
    programme.ask(HUB_AREAS, CHILD, &[]).await.expect("permitted");
    programme.sequencer.drain().await.expect("sequenced");
    held_checkpoint::follow(store, &state).await.expect("it grew");

    let older = TestDatabase::create_empty(backend).await;
    restore(&older.store, &file(&folder), terms(&[]), &random()).await.expect("nothing newer was named");
    let behind = held_checkpoint::follow(&older.store, &state).await.expect_err("behind");
    assert_eq!(behind, HeldError::Behind { found: size, known: size + 1, path: state.clone() });
    // It grows past the remembered size with other entries: another history, not a longer one.
    let after = programme.on(older.store.clone());
    for _ in 0..2 {
        after.ask(HUB_AREAS, CHILD, &[]).await.expect("permitted");
        after.sequencer.drain().await.expect("sequenced");
    }
    let fork = held_checkpoint::follow(&older.store, &state).await.expect_err("a fork");
    assert_eq!(fork, HeldError::Fork { known: size + 1, path: state.clone() });
    std::fs::write(&state, "garbage").expect("writes");
    assert!(matches!(held_checkpoint::follow(store, &state).await, Err(HeldError::Malformed(_))));
}
