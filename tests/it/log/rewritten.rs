//! Whoever has the database and the log's own key takes the log back, lets it go on differently, or grows
//! past what was seen. Within itself each such log is sound; a checkpoint held elsewhere and a witness's
//! memory find them all.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use porth::app::backup::back_up;
use porth::app::export::export_log;
use porth::app::held_checkpoint::parse_checkpoint;
use porth::app::restore::{RestoreTerms, restore};
use porth::app::signers::KeyVerifier;
use porth::store::Store;
use porth::tlog::note::NoteVerifier;
use porth::tlog::tile::{Tiles, tiles_for};
use porth::tlog::verify::{Export, ExportFile, FaultKind, Report, Verifier};
use porth::tlog::witness::{WitnessFault, compare};
use rstest::rstest;
use serde_json::json;

use crate::support::database::{Backend, TestDatabase};
use crate::support::gateway::random;
use crate::support::programme::{HUB_AREAS, ORIGIN, TestProgramme};

const CHILD: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "child")];

/// An export in a folder.
struct Folder(PathBuf);

impl Export for Folder {
    type Error = std::io::Error;
    fn read(&self, file: ExportFile) -> Result<Option<Vec<u8>>, std::io::Error> {
        match std::fs::read(self.0.join(file.to_string())) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }
}

/// A delivery and a question more, and a signed checkpoint over both.
async fn live_on(programme: &TestProgramme, reference: u32) -> String {
    let row = programme.row(reference, CHILD, json!({ "role": "child" }));
    programme.deliver("education", "attendance", "early-help-core/v1", &[row]).await;
    programme.ask(HUB_AREAS, CHILD, &[]).await.expect("permitted");
    programme.sequencer.drain().await.expect("sequenced");
    note(programme.gateway.store()).await
}

async fn note(store: &Store) -> String {
    store.newest_checkpoint().await.expect("the log").expect("a checkpoint").2
}

/// What a verifier finds that holds a checkpoint: in the whole export, and looking at its first entry alone.
async fn found(store: &Store, folder: &Path, held: &str, keys: &[&dyn NoteVerifier]) -> [Vec<FaultKind>; 2] {
    export_log(store, None, folder).await.expect("exported");
    let export = Folder(folder.to_owned());
    let verify = |held: &[&[u8]]| {
        let verifier = Verifier { origin: ORIGIN, log_keys: keys, held, ..Verifier::default() };
        [verifier.verify(&export, &mut |_| {}), verifier.verify_entry(&export, 0)]
    };
    assert!(verify(&[]).iter().all(Report::is_clean), "within itself every log is sound");
    verify(&[held.as_bytes()]).map(|report| report.faults.iter().map(|fault| fault.kind).collect())
}

/// What a witness finds that has seen a checkpoint, with a proof from the log's own tiles.
async fn witnessed(store: &Store, seen: &str, keys: &[&dyn NoteVerifier]) -> Result<(), WitnessFault> {
    let seen = parse_checkpoint(seen.as_bytes()).expect("a checkpoint");
    let pending = compare(Some(&seen), note(store).await.as_bytes(), ORIGIN, keys)?;
    let mut proof = Vec::new();
    if let Some(plan) = &pending.plan {
        let mut tiles = Tiles::new(pending.checkpoint.size);
        for id in tiles_for(plan.nodes(), pending.checkpoint.size) {
            let data = store.log_tile(id.level, id.index).await.expect("the database").expect("a tile");
            tiles.insert(id, data[..id.bytes()].to_vec()).expect("a tile");
        }
        proof = plan.build(&tiles).expect("a proof");
    }
    pending.settle(&proof).map(drop)
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_log_taken_back_forked_or_rewritten_with_its_own_key_is_found_by_what_is_held_elsewhere(
    #[case] backend: Backend,
) {
    let honest = TestProgramme::start(backend).await;
    live_on(&honest, 1).await;
    let desk = tempfile::tempdir().expect("a folder");
    let backup = desk.path().join("porth.backup");
    back_up(honest.gateway.store(), &backup).await.expect("backed up");
    let held = live_on(&honest, 2).await;
    let size = parse_checkpoint(held.as_bytes()).expect("a checkpoint").size;

    let key = KeyVerifier::new(ORIGIN, honest.checkpoint_key());
    let keys: [&dyn NoteVerifier; 1] = [&key];
    let other = TestDatabase::create_empty(backend).await;
    let terms = RestoreTerms { log_origin: ORIGIN, known: &[], log_keys: &keys, accept_loss: None };
    restore(&other.store, &backup, terms, &random()).await.expect("restored");
    let forged = honest.on(other.store.clone());
    let store = forged.gateway.store();
    let at = |name: &str| desk.path().join(name);

    // Taken back: what came after the backup never happened.
    let both = |kind| [vec![kind], vec![kind]];
    assert_eq!(found(store, &at("back"), &held, &keys).await, both(FaultKind::Rollback));
    assert!(matches!(witnessed(store, &held, &keys).await, Err(WitnessFault::Rollback { .. })));
    // Forked: as many entries, other ones.
    live_on(&forged, 3).await;
    assert_eq!(store.log_head().await.expect("the log").expect("open").size, size);
    assert_eq!(found(store, &at("fork"), &held, &keys).await, both(FaultKind::Rewrite));
    assert_eq!(witnessed(store, &held, &keys).await, Err(WitnessFault::Fork { size }));
    // Rewritten and grown past what was seen.
    live_on(&forged, 4).await;
    assert_eq!(found(store, &at("rewrite"), &held, &keys).await, both(FaultKind::Rewrite));
    assert!(matches!(witnessed(store, &held, &keys).await, Err(WitnessFault::Rewrite { .. })));

    // The honest log grew as well, and goes on from what was seen.
    live_on(&honest, 5).await;
    let store = honest.gateway.store();
    assert_eq!(found(store, &at("honest"), &held, &keys).await, [vec![], vec![]]);
    assert_eq!(witnessed(store, &held, &keys).await, Ok(()));
}
