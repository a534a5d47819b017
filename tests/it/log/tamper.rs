//! Five thousand single bytes of an export of ten thousand entries, changed one at a time.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;

use porth::app::signers::KeyVerifier;
use porth::crypto::sign::VerifyingKey;
use porth::domain::ids::{EventId, SubmissionId};
use porth::tlog::canonical;
use porth::tlog::commitment::Opening;
use porth::tlog::digest::Digest;
use porth::tlog::entry::{Body, Entry, Submission, SubmissionMode};
use porth::tlog::note::{NoteVerifier, TYPE_ED25519, parse_verifier_key};
use porth::tlog::tile;
use porth::tlog::verify::{Export, ExportFile, Verifier};
use rstest::rstest;

use super::{asked_twice, bundle, entry_of, trust};
use crate::support::database::Backend;
use crate::support::gateway::{LOG, TestGateway, random};

const ENTRIES: usize = 10_000;
const SAMPLES: usize = 5_000;
/// Every so many entries one is an enquiry, with openings.
const ENQUIRIES: usize = 50;
/// So many of the samples are also found by reading the whole export.
const WHOLE: usize = 5;

/// An export in memory.
struct Files(BTreeMap<String, Vec<u8>>);

impl Export for Files {
    type Error = Infallible;
    fn read(&self, file: ExportFile) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.0.get(&file.to_string()).cloned())
    }
}

/// A seeded generator (splitmix64), so that a failure repeats.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below the bound")
    }
}

/// Ten thousand entries more, some of them like the enquiry that was answered, with openings.
async fn fill(home: &TestGateway, answered: &str) {
    let store = home.gateway().store();
    let body = store.event_body(answered.parse().expect("an event")).await.expect("the database").expect("it is there");
    let Body::Enquiry(like) = Entry::parse(&body).expect("an entry").into_body() else { panic!("an enquiry") };
    let at = home.now().await;
    let mut events = Vec::with_capacity(ENTRIES);
    for number in 0..ENTRIES {
        let id = EventId::new(uuid::Uuid::now_v7());
        if !number.is_multiple_of(ENQUIRIES) {
            let submission = Submission {
                submission: SubmissionId::from_slice(id.as_bytes()).expect("16 bytes"),
                agency: "education".parse().expect("a code"),
                feed: "attendance".parse().expect("a code"),
                agreement: super::CORE.parse().expect("a reference"),
                mode: SubmissionMode::Delta,
                as_at: at,
                rows_accepted: Some(number as u64),
                rows: None,
                rows_rejected: 0,
                tokens_retired: 0,
                commitments: None,
                digest: Digest::of(&number.to_be_bytes()),
            };
            events.push(entry_of(id, at, Body::Submission(submission), Vec::new()));
            continue;
        }
        let mut enquiry = like.clone();
        let mut openings = Vec::new();
        let mut commit = |field: &'static str| {
            let (salt, value) = (*Digest::of(id.as_bytes()).as_bytes(), format!("{field} {number}").into_bytes());
            let plain = [salt.as_slice(), &value].concat();
            let sealed = home.gateway().keys().fields.seal(&random(), "opening", field, id.as_bytes(), &plain);
            openings.push((field, sealed));
            Opening::new(field, salt, value).commitment()
        };
        enquiry.commitments.subject = commit("subject");
        enquiry.commitments.case = commit("case");
        enquiry.commitments.actor = commit("actor");
        enquiry.commitments.answer = commit("answer");
        events.push(entry_of(id, at, Body::Enquiry(enquiry), openings));
    }
    for piece in events.chunks(500) {
        let mut tx = store.begin().await.expect("begins");
        tx.add_events(&piece.iter().collect::<Vec<_>>()).await.expect("added");
        tx.commit().await.expect("committed");
        home.gateway().wake_sequencer();
    }
    home.wait_sequenced().await;
}

fn read_all(folder: &Path, below: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder.join(below)).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("text");
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.path().is_dir() {
            read_all(folder, &name, files);
        } else {
            files.insert(name, std::fs::read(entry.path()).expect("reads"));
        }
    }
}

/// Texts, signatures and public keys are.
fn is_named_by_hash(path: &str) -> bool {
    ["texts/", "signatures/", "signatories/"].iter().any(|folder| path.starts_with(folder))
}

fn is_signed(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify(message, signature).is_ok())
}

/// The entry whose place in the log rests on this byte.
fn touched(files: &Files, places: &BTreeMap<String, u64>, path: &str, at: usize) -> u64 {
    let bytes = &files.0[path];
    let position = |text: &str| text.trim_start_matches('x').split(".p").next().expect("a number").parse::<u64>();
    if let Some(rest) = path.strip_prefix("tile/entries/") {
        let mut end = 0;
        let entries = tile::entries(bytes).map(|entry| entry.expect("whole").len() + 2);
        let before = entries
            .take_while(|length| {
                end += length;
                end <= at
            })
            .count() as u64;
        return position(rest).expect("a number") * 256 + before;
    }
    if let Some((level, rest)) = path.strip_prefix("tile/").and_then(|rest| rest.split_once('/')) {
        let hash = position(rest).expect("a number") * 256 + at as u64 / 32;
        return hash << (8 * level.parse::<u32>().expect("a level"));
    }
    if path.starts_with("openings/") {
        let mut end = 0;
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let line = lines
            .find(|line| {
                end += line.len();
                end > at
            })
            .expect("a line");
        let (event, _) = Opening::parse_line(line.strip_suffix(b"\n").expect("ends")).expect("an opening");
        return places[&event.to_string()];
    }
    0 // checkpoint, manifest and keys: whichever entry is looked at, they are
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn five_thousand_changed_bytes_of_ten_thousand_entries_are_all_found(#[case] backend: Backend) {
    let (home, answered, _) = asked_twice(backend).await;
    fill(&home, &answered).await;
    let folder = home.folder().join("export");
    let (_, exported) = bundle(&home, &folder).await;
    assert!(exported.entries > ENTRIES as u64 && exported.openings >= (ENTRIES / ENQUIRIES) as u64, "{exported:?}");
    let mut files = Files(BTreeMap::new());
    read_all(&folder, "", &mut files.0);
    let trust: toml::Table = toml::from_str(&trust(&home)).expect("TOML");
    let (name, key) = parse_verifier_key(trust["log_keys"][0].as_str().expect("a key"), TYPE_ED25519).expect("a key");
    let key = KeyVerifier::new(name, VerifyingKey::from_bytes(&key).expect("a key"));
    let keys: [&dyn NoteVerifier; 1] = [&key];
    let verifier = Verifier { origin: LOG, log_keys: &keys, with_manifest: true, ..Verifier::default() };
    let report = verifier.verify(&files, &mut |_| {});
    assert!(report.is_clean() && report.openings == exported.openings, "{:?}", report.faults);
    let mut places = BTreeMap::new();
    for id in tile::bundles_written(0, exported.entries) {
        for (entry, index) in tile::entries(&files.0[&id.to_string()]).zip(id.first_entry()..) {
            let entry = canonical::envelope(entry.expect("whole")).expect("an entry");
            places.insert(entry.event.to_string(), index);
        }
    }
    for index in [0, 255, 256, 5_000, exported.entries - 1] {
        assert!(verifier.verify_entry(&files, index).is_clean(), "{index}");
    }

    // What is named by its own hash does not hash to its name any more, wherever it is changed.
    let with_texts = Verifier { with_texts: true, check_signature: Some(is_signed), ..verifier };
    let (named, rest): (Vec<String>, Vec<String>) =
        files.0.keys().filter(|path| !files.0[*path].is_empty()).cloned().partition(|path| is_named_by_hash(path));
    assert!(named.len() > 20, "{}", named.len());
    for (n, path) in named.iter().enumerate() {
        let name = path.rsplit('/').next().expect("a name");
        assert_eq!(Digest::of(&files.0[path]).to_string(), name, "{path}");
        if n < WHOLE {
            files.0.get_mut(path).expect("it is there")[0] ^= 1;
            assert!(!with_texts.verify(&files, &mut |_| {}).is_clean(), "{path}");
            files.0.get_mut(path).expect("it is there")[0] ^= 1;
        }
    }
    let paths = rest;
    let total: usize = paths.iter().map(|path| files.0[path].len()).sum();
    let mut random = Seeded(20_261_122);
    let mut missed = Vec::new();
    for round in 0..SAMPLES {
        // Half of the changes fall on any byte of the export, half on a file chosen first, so that small
        // files get their share.
        let (path, at) = if round % 2 == 0 {
            let mut at = random.below(total);
            let path = paths.iter().find(|path| {
                let length = files.0[*path].len();
                if at < length {
                    true
                } else {
                    at -= length;
                    false
                }
            });
            (path.expect("below the total").clone(), at)
        } else {
            let path = paths[random.below(paths.len())].clone();
            let at = random.below(files.0[&path].len());
            (path, at)
        };
        let index = touched(&files, &places, &path, at);
        let change = u8::try_from(1 + random.below(255)).expect("below 256");
        files.0.get_mut(&path).expect("it is there")[at] ^= change;
        let found = !verifier.verify_entry(&files, index).is_clean();
        let found = found && (round >= WHOLE || !verifier.verify(&files, &mut |_| {}).is_clean());
        files.0.get_mut(&path).expect("it is there")[at] ^= change;
        if !found {
            missed.push((path, at, change));
        }
    }
    assert!(missed.is_empty(), "{} missed: {missed:?}", missed.len());
    home.stop().await;
}
