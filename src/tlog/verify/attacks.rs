//! What an attacker, or a failing disk, does to an export; and what lawful operation does.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::*;
use crate::tlog::canonical;
use crate::tlog::cosignature::{Cosigner, Witness};
use crate::tlog::entry::Body;
use crate::tlog::merkle::{Edge, Hash, leaf_hash, perfect_root};
use crate::tlog::receipt::Receipt;
use crate::tlog::testing::{self, ORIGIN, TestKey, check_ed25519};

const SIZE: usize = 270;
const WITNESS: &str = "witness.example";

/// An export in memory.
#[derive(Clone)]
struct Folder(BTreeMap<String, Vec<u8>>);

impl Export for Folder {
    type Error = Infallible;
    fn read(&self, file: ExportFile) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.0.get(&file.to_string()).cloned())
    }
}

fn log_key() -> TestKey {
    TestKey::new(ORIGIN, 1)
}
fn receipt_key() -> TestKey {
    TestKey::new("receipts.gw.example", 3)
}

/// Every sixth entry is an enquiry, with openings.
fn body(number: usize) -> Body {
    if number.is_multiple_of(6) { testing::enquiry(number) } else { testing::submission(number) }
}

fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| testing::render(ORIGIN, number, body(number))).collect()
}

/// A sound export of any bytes as entries, with every opening.
fn export(entries: &[Vec<u8>]) -> Folder {
    let mut files = export_without_openings(entries).0;
    let events: Vec<_> = entries.iter().map(|entry| canonical::envelope(entry).ok()).collect();
    for (bundle, chunk) in events.chunks(256).enumerate() {
        let mut lines = String::new();
        for envelope in chunk.iter().flatten().filter(|envelope| envelope.kind == "enquiry") {
            let number = u32::from_be_bytes(envelope.event.as_bytes()[12..].try_into().expect("4 bytes"));
            for opening in testing::openings(number as usize) {
                lines += &opening.to_line(envelope.event);
                lines += "\n";
            }
        }
        files.insert(ExportFile::Openings(bundle as u64).to_string(), lines.into_bytes());
    }
    Folder(files)
}

fn export_without_openings(entries: &[Vec<u8>]) -> Folder {
    let mut files = BTreeMap::new();
    let mut level: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    for id in tile::bundles_written(0, entries.len() as u64) {
        let mut bundle = Vec::new();
        let start = usize::try_from(id.first_entry()).expect("small");
        for entry in &entries[start..start + usize::from(id.width)] {
            assert!(tile::push_entry(&mut bundle, entry));
        }
        files.insert(id.to_string(), bundle);
    }
    for id in tile::tiles_written(0, entries.len() as u64) {
        if id.level > 0 && id.index == 0 {
            level = level.chunks_exact(256).map(|hashes| perfect_root(&mut hashes.to_vec())).collect();
        }
        let start = usize::try_from(id.index).expect("small") * 256;
        let hashes = &level[start..start + usize::from(id.width)];
        files.insert(id.to_string(), hashes.iter().flat_map(|hash| *hash.as_bytes()).collect());
    }
    files.insert("checkpoint".to_owned(), checkpoint(entries));
    Folder(files)
}

/// The signed and cosigned checkpoint of a tree over these entries.
fn checkpoint(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut edge = Edge::new();
    for entry in entries {
        edge.append(leaf_hash(entry));
    }
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: edge.size(), root: edge.root() };
    let witness = TestKey::new(WITNESS, 2);
    let mut note = checkpoint.sign(&[&log_key()]).expect("signs");
    note.add(&Cosigner::new(WITNESS, &witness, 1_790_000_000)).expect("signs");
    note.to_string().into_bytes()
}

fn receipt(number: usize, entry: &[u8]) -> Vec<u8> {
    let (event, at) = (testing::event(number), testing::at(number));
    let receipt = Receipt { origin: ORIGIN.to_owned(), event, leaf: leaf_hash(entry), at };
    receipt.sign(&receipt_key()).expect("signs").to_string().into_bytes()
}

/// What the auditor holds beside the export.
#[derive(Default)]
struct Held {
    checkpoints: Vec<Vec<u8>>,
    receipts: Vec<Vec<u8>>,
}

fn verify_holding(export: &Folder, held: &Held) -> Report {
    verify_with(export, held, None, None)
}

/// As [`verify_holding`], of one entry alone, or with a limit for witnesses.
fn verify_with(export: &Folder, held: &Held, alone: Option<u64>, witnessed_within_s: Option<u64>) -> Report {
    let (log, receipts) = (log_key(), receipt_key());
    let witness = Witness::new(WITNESS, *TestKey::new(WITNESS, 2).public(), check_ed25519);
    let checkpoints: Vec<&[u8]> = held.checkpoints.iter().map(Vec::as_slice).collect();
    let promises: Vec<&[u8]> = held.receipts.iter().map(Vec::as_slice).collect();
    let verifier = Verifier {
        origin: ORIGIN,
        log_keys: &[&log],
        witnesses: &[&witness],
        quorum: 1,
        held: &checkpoints,
        receipt_keys: &[&receipts],
        receipts: &promises,
        with_openings: export.0.keys().any(|path| path.starts_with("openings/")),
        with_manifest: false,
        witnessed_within_s,
        with_fields: false,
    };
    match alone {
        Some(index) => verifier.verify_entry(export, index),
        None => verifier.verify(export, &mut |_| {}),
    }
}

fn verify(export: &Folder) -> Report {
    verify_holding(export, &Held::default())
}

/// The kinds found, each with its index, in order of the report.
fn found(report: &Report) -> Vec<(FaultKind, Option<u64>)> {
    report.faults.iter().map(|fault| (fault.kind, fault.index)).collect()
}

fn has(report: &Report, kind: FaultKind) -> bool {
    report.faults.iter().any(|fault| fault.kind == kind)
}

fn edited(entry: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(entry).expect("UTF-8");
    let edited = text.replace("\"rows_rejected\":0", "\"rows_rejected\":7");
    assert_ne!(edited, text, "the edit finds its place");
    edited.into_bytes()
}

#[test]
fn a_sound_export_is_clean_whatever_its_size() {
    for size in [0, 1, 2, 255, 256, 257, 512, 700] {
        let entries = entries(size);
        let report = verify(&export(&entries));
        assert!(report.is_clean(), "{size}: {:?}", report.faults);
        assert_eq!(report.entries, size as u64);
        assert_eq!(report.openings, 4 * size.div_ceil(6) as u64);
        assert_eq!(report.unknown_types, 0);
    }
}

#[test]
fn a_tree_of_three_levels_of_tiles_is_clean_and_a_flip_in_its_top_is_found() {
    let entries: Vec<_> = (0..65_600usize).map(|n| n.to_be_bytes().to_vec()).collect();
    let mut export = export_without_openings(&entries);
    let tree_faults = |export: &Folder| {
        let faults = verify(export).faults.into_iter();
        faults.filter(|fault| fault.kind != FaultKind::EntryMalformed).map(|fault| fault.file).collect::<Vec<_>>()
    };
    // None of these entries is one, which fills the list of that kind and must hide no other fault.
    let report = verify(&export);
    assert_eq!((report.faults.len(), report.more_faults), (1_000, 64_600));
    assert_eq!(tree_faults(&export), []);
    for path in ["tile/1/000", "tile/2/000.p/1"] {
        export.0.get_mut(path).expect("a tile")[20] ^= 1;
        assert_eq!(tree_faults(&export), [Some(path.to_owned())]);
        export.0.get_mut(path).expect("a tile")[20] ^= 1;
    }
}

#[test]
fn no_flipped_bit_of_any_file_is_missed() {
    let sound = export(&entries(SIZE));
    let paths: Vec<&String> = sound.0.keys().collect();
    let total: usize = sound.0.values().map(|bytes| bytes.len() * 8).sum();
    // A seeded generator (splitmix64), so that a failure repeats. Half the flips fall on any bit of the export,
    // half on a file chosen first, so that small files get their share.
    let mut state = 20_264_121u64;
    let mut random = |bound: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below the bound")
    };
    let mut missed = Vec::new();
    for round in 0..1_200 {
        let (path, bit) = if round % 2 == 0 {
            let mut bit = random(total);
            let path = paths.iter().find(|path| {
                let bits = sound.0[**path].len() * 8;
                let is_here = bit < bits;
                bit -= if is_here { 0 } else { bits };
                is_here
            });
            (*path.expect("below the total"), bit)
        } else {
            let path = paths[random(paths.len())];
            (path, random(sound.0[path].len() * 8))
        };
        let mut export = sound.clone();
        export.0.get_mut(path).expect("listed")[bit / 8] ^= 1 << (bit % 8);
        if verify(&export).is_clean() {
            missed.push((path, bit));
        }
    }
    assert_eq!(missed, []);
}

#[test]
fn any_file_that_is_missing_or_cut_is_found() {
    let sound = export(&entries(SIZE));
    for path in sound.0.keys() {
        let mut missing = sound.clone();
        missing.0.remove(path);
        assert!(!verify(&missing).is_clean(), "without {path}");
        let mut cut = sound.clone();
        cut.0.get_mut(path).expect("listed").pop();
        assert!(!verify(&cut).is_clean(), "{path} cut");
    }
}

#[test]
fn an_edited_entry_is_named_whether_or_not_tiles_are_hashed_again() {
    let mut list = entries(SIZE);
    let sound = export(&list);
    list[100] = edited(&list[100]);
    let forged = export(&list);

    let mut only_entry = sound.clone();
    only_entry.0.insert("tile/entries/000".to_owned(), forged.0["tile/entries/000"].clone());
    assert_eq!(found(&verify(&only_entry)), [(FaultKind::EntryAltered, Some(100))]);

    let mut rehashed = forged.clone();
    rehashed.0.insert("checkpoint".to_owned(), sound.0["checkpoint"].clone());
    assert_eq!(found(&verify(&rehashed)), [(FaultKind::RootMismatch, None)]);

    let mut only_tile = sound.clone();
    only_tile.0.insert("tile/0/000".to_owned(), forged.0["tile/0/000"].clone());
    assert_eq!(found(&verify(&only_tile)), [(FaultKind::TileAltered, Some(100))]);
}

#[test]
fn deleting_swapping_and_renumbering_are_found() {
    let list = entries(SIZE);
    let sound = export(&list);
    let without = [&list[..100], &list[101..]].concat();
    let mut swapped = list.clone();
    swapped.swap(10, 11);

    for (case, forged) in [("delete", &without), ("swap", &swapped)] {
        let forged = export(forged);
        // Entries only; then tiles too; each under the checkpoint that was signed.
        let mut only_entries = sound.clone();
        only_entries.0.retain(|path, _| !path.starts_with("tile/entries/"));
        only_entries.0.extend(forged.0.clone().into_iter().filter(|(path, _)| path.starts_with("tile/entries/")));
        assert!(has(&verify(&only_entries), FaultKind::EntryAltered), "{case}");
        let mut all = forged.clone();
        all.0.insert("checkpoint".to_owned(), sound.0["checkpoint"].clone());
        assert!(!verify(&all).is_clean(), "{case}, renumbered");
    }
}

#[test]
fn entries_appended_without_a_signature_are_found() {
    let list = entries(SIZE + 1);
    let sound = export(&list[..SIZE]);
    let longer = export(&list);

    let mut in_bundle = sound.clone();
    let bundle = in_bundle.0.get_mut("tile/entries/001.p/14").expect("the last bundle");
    assert!(tile::push_entry(bundle, &list[SIZE]));
    assert_eq!(found(&verify(&in_bundle)), [(FaultKind::UnsignedEntries, Some(270))]);

    let mut beside = sound.clone();
    beside.0.insert("tile/entries/001.p/15".to_owned(), longer.0["tile/entries/001.p/15"].clone());
    assert_eq!(found(&verify(&beside)), [(FaultKind::UnsignedEntries, None)]);

    let mut unsigned = longer;
    unsigned.0.insert("checkpoint".to_owned(), sound.0["checkpoint"].clone());
    assert!(!verify(&unsigned).is_clean());
}

#[test]
fn a_checkpoint_of_a_stranger_or_without_witnesses_is_found() {
    let list = entries(5);
    let head = |origin: &str, key: &TestKey| {
        let (checkpoint, _) = Checkpoint::open(&checkpoint(&list), ORIGIN, &[&log_key()]).expect("sound");
        Checkpoint { origin: origin.to_owned(), ..checkpoint }.sign(&[key]).expect("signs").to_string().into_bytes()
    };
    let with = |note: Vec<u8>| {
        let mut export = export(&list);
        export.0.insert("checkpoint".to_owned(), note);
        found(&verify(&export)).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
    };
    assert_eq!(with(head(ORIGIN, &log_key())), [FaultKind::WitnessQuorum]);
    let stranger = TestKey::new(ORIGIN, 9);
    assert_eq!(with(head(ORIGIN, &stranger)), [FaultKind::CheckpointSignature, FaultKind::WitnessQuorum]);
    assert_eq!(with(head("other/2026", &log_key())), [FaultKind::CheckpointOrigin, FaultKind::WitnessQuorum]);
}

#[test]
fn a_rollback_passes_alone_and_is_found_with_a_checkpoint_or_receipt_held_elsewhere() {
    let list = entries(SIZE);
    let rolled_back = export(&list[..SIZE - 100]);
    assert!(verify(&rolled_back).is_clean());
    let held = Held { checkpoints: vec![checkpoint(&list)], ..Held::default() };
    assert_eq!(found(&verify_holding(&rolled_back, &held)), [(FaultKind::Rollback, Some(269))]);
    let held = Held { receipts: vec![receipt(200, &list[200]), receipt(20, &list[20])], ..Held::default() };
    let report = verify_holding(&rolled_back, &held);
    assert_eq!(found(&report), [(FaultKind::ReceiptMissing, None)]);
    assert_eq!((report.faults[0].event, report.receipts), (Some(testing::event(200)), 1));
}

#[test]
fn a_rewrite_with_the_logs_own_key_passes_alone_and_is_found_with_what_is_held_elsewhere() {
    let list = entries(SIZE);
    let mut rewritten = list.clone();
    rewritten[100] = edited(&list[100]);
    let forged = export(&rewritten);
    assert!(verify(&forged).is_clean());
    for held_size in [101, 200, 256, 257, SIZE] {
        let held = Held { checkpoints: vec![checkpoint(&list[..held_size])], ..Held::default() };
        assert_eq!(found(&verify_holding(&forged, &held)), [(FaultKind::Rewrite, None)], "{held_size}");
    }
    // A checkpoint from before the edited entry cannot tell; the entry's receipt can.
    let held = Held { checkpoints: vec![checkpoint(&list[..100])], ..Held::default() };
    assert!(verify_holding(&forged, &held).is_clean());
    let held = Held { receipts: vec![receipt(100, &list[100])], ..Held::default() };
    assert_eq!(found(&verify_holding(&forged, &held)), [(FaultKind::ReceiptMismatch, None)]);
}

#[test]
fn every_earlier_checkpoint_of_a_sound_log_agrees_with_it() {
    let list = entries(600);
    let sizes = [0, 1, 2, 255, 256, 257, 300, 511, 512, 599, 600];
    let checkpoints = sizes.iter().map(|size| checkpoint(&list[..*size])).collect();
    let report = verify_holding(&export(&list), &Held { checkpoints, ..Held::default() });
    assert!(report.is_clean(), "{:?}", report.faults);
}

#[test]
fn what_is_held_must_itself_be_signed() {
    let list = entries(5);
    let mut note = checkpoint(&list);
    note[20] ^= 1;
    let mut promise = receipt(1, &list[1]);
    promise[30] ^= 1;
    let held = Held { checkpoints: vec![note], receipts: vec![promise] };
    assert_eq!(
        found(&verify_holding(&export(&list), &held)),
        [(FaultKind::HeldCheckpoint, None), (FaultKind::ReceiptInvalid, None)]
    );
}

#[test]
fn forged_foreign_and_repeated_openings_are_found() {
    let sound = export(&entries(10));
    let path = "openings/000";
    let text = String::from_utf8(sound.0[path].clone()).expect("UTF-8");
    let lines: Vec<&str> = text.lines().collect();
    let with = |lines: &[&str]| {
        let mut export = sound.clone();
        export.0.insert(path.to_owned(), (lines.join("\n") + "\n").into_bytes());
        verify(&export).faults.into_iter().map(|fault| fault.kind).collect::<Vec<_>>()
    };
    assert_eq!(with(&lines), []);

    let value = lines[0].find("\"value\":\"").expect("a value") + 9;
    let mut forged = lines[0].to_owned();
    forged.replace_range(value..=value, if &forged[value..=value] == "A" { "B" } else { "A" });
    assert_eq!(with(&[&[forged.as_str()], &lines[1..]].concat()), [FaultKind::OpeningForged]);
    assert_eq!(with(&[&lines[..], &lines[3..4]].concat()), [FaultKind::OpeningRepeated]);
    let foreign = lines[0].replace(&testing::event(0).to_string(), &testing::event(77).to_string());
    assert_eq!(with(&[&lines[..], &[foreign.as_str()]].concat()), [FaultKind::OpeningUnknown]);
    assert_eq!(with(&[&lines[..], &["{}"]].concat()), [FaultKind::OpeningMalformed]);
}

#[test]
fn an_erased_opening_needs_its_erasure_entry_and_an_erasure_entry_its_deed() {
    let mut list = entries(SIZE);
    let without = |export: &Folder, number: usize| {
        let mut export = export.clone();
        let path = ExportFile::Openings(number as u64 / 256).to_string();
        let text = String::from_utf8(export.0[&path].clone()).expect("UTF-8");
        let event = testing::event(number).to_string();
        let kept: String = text.split_inclusive('\n').filter(|line| !line.contains(&event)).collect();
        export.0.insert(path, kept.into_bytes());
        export
    };
    let unrecorded = without(&export(&list), 30);
    assert_eq!(found(&verify(&unrecorded)), [(FaultKind::OpeningMissing, Some(30))]);

    list.push(testing::render(ORIGIN, SIZE, testing::erasure(&[30, 264])));
    let recorded = export(&list);
    let kinds = |export: &Folder| verify(export).faults.into_iter().map(|f| (f.kind, f.event)).collect::<Vec<_>>();
    assert_eq!(kinds(&without(&without(&recorded, 30), 264)), []);
    assert_eq!(kinds(&without(&recorded, 30)), [(FaultKind::OpeningNotErased, Some(testing::event(264)))]);
}

#[test]
fn one_entry_alone_is_held_against_checkpoints_receipts_and_erasures() {
    let mut list = entries(SIZE);
    list.push(testing::render(ORIGIN, SIZE, testing::erasure(&[30])));
    let sound = export(&list);
    let holding = |sizes: &[usize], receipts: Vec<Vec<u8>>| Held {
        checkpoints: sizes.iter().map(|size| checkpoint(&list[..*size])).collect(),
        receipts,
    };
    let alone = |export: &Folder, held: &Held, index| verify_with(export, held, Some(index), None);
    let held = holding(&[0, 1, 100, 256, 257, SIZE], vec![receipt(100, &list[100])]);
    let report = alone(&sound, &held, 100);
    assert!(report.is_clean(), "{:?}", report.faults);
    assert_eq!((report.held, report.receipts, report.alone.map(|alone| alone.is_witnessed)), (6, 1, Some(true)));

    // Rewritten with the log's own key: the entry that is looked at is sound, and what went before it is not.
    let mut rewritten = list.clone();
    rewritten[50] = edited(&list[50]);
    let forged = export(&rewritten);
    let report = alone(&forged, &holding(&[60, 256], Vec::new()), 100);
    assert_eq!(found(&report), [(FaultKind::Rewrite, None), (FaultKind::Rewrite, None)]);
    // A log that was taken back, and a receipt of another entry, which proves nothing here.
    let taken_back = export(&list[..200]);
    assert_eq!(found(&alone(&taken_back, &holding(&[SIZE], Vec::new()), 100)), [(FaultKind::Rollback, Some(269))]);
    let other = holding(&[], vec![receipt(101, &list[101])]);
    assert_eq!(found(&alone(&sound, &other, 100)), [(FaultKind::ReceiptUnchecked, None)]);
    let broken = holding(&[], vec![receipt(100, &list[101])]);
    assert_eq!(found(&alone(&sound, &broken, 100)), [(FaultKind::ReceiptMismatch, None)]);

    // Openings that are gone: one with its erasure, one without, one whose erasure is under no root.
    let mut erased = sound.clone();
    let text = String::from_utf8(erased.0["openings/000"].clone()).expect("UTF-8");
    let events = [testing::event(30).to_string(), testing::event(36).to_string()];
    let kept: String =
        text.split_inclusive('\n').filter(|line| !events.iter().any(|event| line.contains(event))).collect();
    erased.0.insert("openings/000".to_owned(), kept.into_bytes());
    let report = alone(&erased, &Held::default(), 30);
    assert_eq!((found(&report), report.alone.and_then(|alone| alone.erased_by)), (vec![], Some(SIZE as u64)));
    assert_eq!(found(&alone(&erased, &Held::default(), 36)), [(FaultKind::OpeningMissing, Some(36))]);
    let path = "tile/entries/001.p/15";
    let other = testing::render(ORIGIN, SIZE, testing::erasure(&[36]));
    let mut forged: Vec<u8> = Vec::new();
    for entry in list[256..SIZE].iter().chain([&other]) {
        assert!(tile::push_entry(&mut forged, entry));
    }
    erased.0.insert(path.to_owned(), forged);
    let report = alone(&erased, &Held::default(), 36);
    assert!(has(&report, FaultKind::EntryAltered) && has(&report, FaultKind::OpeningMissing), "{:?}", report.faults);
}

#[test]
fn witnesses_of_an_old_prefix_do_not_vouch_for_what_came_after_it() {
    let list = entries(SIZE);
    let mut export = export(&list);
    let unwitnessed = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let lines = text.split_inclusive('\n').filter(|line| !line.contains(WITNESS));
        lines.collect::<String>().into_bytes()
    };
    let plain = unwitnessed(&export.0["checkpoint"]);
    export.0.insert("checkpoint".to_owned(), plain);
    export.0.insert("checkpoint.cosigned".to_owned(), checkpoint(&list[..40]));
    // The entries beyond are 229 microseconds apart.
    for alone in [None, Some(5), Some(200)] {
        let within = |limit| verify_with(&export, &Held::default(), alone, Some(limit));
        let report = within(1);
        assert!(report.is_clean() && report.witnessed == Some(40), "{alone:?}: {:?}", report.faults);
        assert_eq!(found(&within(0)), [(FaultKind::WitnessBehind, Some(40))], "{alone:?}");
    }
}

#[test]
fn entries_that_no_gateway_would_write_are_found_although_the_key_signed_them() {
    let mut list = entries(8);
    list[1] = [&list[1][..], b" "].concat();
    list[2] = testing::small_entry_of("other/2026", 2);
    list[5] = list[4].clone();
    list[7] = String::from_utf8(list[7].clone())
        .expect("UTF-8")
        .replace("\"submission\",\"v\"", "\"novel\",\"v\"")
        .into_bytes();
    let mut report = verify(&export_without_openings(&list));
    report.faults.sort_by_key(|fault| fault.index);
    assert_eq!(
        found(&report),
        [(FaultKind::EntryMalformed, Some(1)), (FaultKind::EntryOrigin, Some(2)), (FaultKind::EventRepeated, Some(5)),]
    );
    assert_eq!(report.unknown_types, 1);
}

#[test]
fn fields_of_a_known_type_are_compared_when_asked() {
    let mut list = entries(4);
    list[1] = String::from_utf8(list[1].clone()).expect("UTF-8").replace("rows_rejected", "rows_refused").into_bytes();
    let (export, log) = (export_without_openings(&list), log_key());
    let quick = Verifier { origin: ORIGIN, log_keys: &[&log], ..Verifier::default() };
    assert!(quick.verify(&export, &mut |_| {}).is_clean());
    let thorough = Verifier { with_fields: true, ..quick };
    assert_eq!(found(&thorough.verify(&export, &mut |_| {})), [(FaultKind::EntryFields, Some(1))]);
}

#[test]
fn all_faults_are_found_and_not_only_the_first() {
    let mut list = entries(700);
    let mut export = export(&list);
    for index in [1, 100, 601] {
        list[index] = edited(&list[index]);
    }
    let forged = export_without_openings(&list);
    for path in ["tile/entries/000", "tile/entries/002.p/188"] {
        export.0.insert(path.to_owned(), forged.0[path].clone());
    }
    export.0.remove("tile/0/001");
    export.0.get_mut("tile/1/000.p/2").expect("there")[40] ^= 1;
    let report = verify(&export);
    let mut kinds = found(&report);
    kinds.sort_by_key(|(kind, index)| (kind.code(), *index));
    assert_eq!(
        kinds,
        [
            (FaultKind::EntryAltered, Some(1)),
            (FaultKind::EntryAltered, Some(100)),
            (FaultKind::EntryAltered, Some(601)),
            (FaultKind::TileAltered, None),
            (FaultKind::TileMissing, None),
        ]
    );
    assert!(report.faults.iter().all(|fault| fault.to_string().contains(fault.kind.sentence())));
}

#[test]
fn a_forged_size_does_not_keep_the_verifier_busy() {
    let mut export = export(&entries(5));
    let forged = Checkpoint { origin: ORIGIN.to_owned(), size: 1 << 60, root: leaf_hash(b"") };
    let note = forged.sign(&[&log_key()]).expect("signs").to_string();
    export.0.insert("checkpoint".to_owned(), note.into_bytes());
    assert!(has(&verify(&export), FaultKind::ExportEnds));
}
