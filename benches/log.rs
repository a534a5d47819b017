//! The log: sequencing beside enquiries, and verifying an export beside bare leaf hashing.

#![allow(clippy::print_stdout, missing_docs, reason = "a bench prints")]

mod support;

use std::hint::black_box;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use porth::app::export::export_log;
use porth::app::signers::KeyVerifier;
use porth::tlog::merkle::leaf_hash;
use porth::tlog::tile::{self, BundleId};
use porth::tlog::verify::{Export, ExportFile, Verifier};

use support::fixtures::gateway::with_ceiling;
use support::fixtures::programme::{HUB_AREAS, ORIGIN, TestProgramme, policy_files};
use support::{Backend, CEILING, Flags, rate, say, say_ratio};

fn main() {
    let flags = Flags::read(&[
        ("engine", "sqlite or postgres; both unless given"),
        ("entries", "enquiries that are logged (20000)"),
    ]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for backend in flags.engines() {
        runtime.block_on(measure(backend, flags.number("entries", 20_000)));
    }
}

async fn measure(backend: Backend, entries: usize) {
    println!("{backend:?}, {entries} enquiries");
    let mut files = policy_files();
    files.agreements.iter_mut().for_each(|text| *text = with_ceiling(text, CEILING));
    let programme = TestProgramme::start_with(backend, files).await;
    programme.sequencer.drain().await.expect("the log grows");

    // Straight into the gateway, without TLS or HTTP: faster than any caller can ask.
    let asking = Instant::now();
    let mut tasks = Vec::new();
    for task in 0..64 {
        let programme = programme.clone();
        tasks.push(tokio::spawn(async move {
            for _ in (task..entries).step_by(64) {
                let answer = programme.ask(HUB_AREAS, &[("nhs", "9990000018"), ("k3", "child")], &[]).await;
                answer.expect("permitted");
            }
        }));
    }
    for task in tasks {
        task.await.expect("a task that ends");
    }
    let asked = rate(entries, asking.elapsed());
    say("enquiries a second, in process", asked, "/s");

    let sequencing = Instant::now();
    let step = programme.sequencer.drain().await.expect("the log grows");
    let sequenced = rate(step.added as usize, sequencing.elapsed());
    say("entries sequenced a second", sequenced, "/s");
    say_ratio("sequencing, of the enquiry rate", sequenced / asked, 10.0);

    let folder = tempfile::tempdir().expect("a folder");
    let exporting = Instant::now();
    let exported = export_log(programme.gateway.store(), None, folder.path()).await.expect("exported");
    say("entries exported a second", rate(exported.entries as usize, exporting.elapsed()), "/s");
    let public = programme.checkpoint_key();
    let verifier = KeyVerifier::new(ORIGIN, public);
    verify(folder.path(), exported.entries, &verifier);
}

/// Verifies on this thread alone.
fn verify(folder: &Path, size: u64, key: &KeyVerifier) {
    let (entries, bytes) = read_entries(folder, size);
    say("mean length of an entry", bytes as f64 / entries.len() as f64, "bytes");
    // In turns, so that a busy machine slows all; the best round of each counts.
    let [mut hashing, mut quick, mut full] = [0.0_f64; 3];
    for _ in 0..5 {
        hashing = hashing.max(best(entries.len(), || {
            for entry in &entries {
                black_box(leaf_hash(entry));
            }
        }));
        for (with_fields, best_of) in [(false, &mut quick), (true, &mut full)] {
            *best_of = best_of.max(best(entries.len(), || {
                let verifier = Verifier { origin: ORIGIN, log_keys: &[key], with_fields, ..Verifier::default() };
                let report = verifier.verify(&Folder(folder), &mut |_| {});
                assert!(report.is_clean(), "{:?}", report.faults);
                assert_eq!(report.entries, size);
            }));
        }
    }
    say("bare leaf hashes a second, one core", hashing, "/s");
    say("entries verified a second (--quick), one core", quick, "/s");
    say_ratio("verification (--quick), of bare hashing", quick / hashing, 0.25);
    say("entries verified a second, fields too, one core", full, "/s");
    say_ratio("verification, fields too, of bare hashing", full / hashing, 0.25);
}

fn best(count: usize, mut work: impl FnMut()) -> f64 {
    let (started, mut rounds) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_millis(300) {
        work();
        rounds += 1;
    }
    rate(count * rounds, started.elapsed())
}

fn read_entries(folder: &Path, size: u64) -> (Vec<Vec<u8>>, usize) {
    let mut entries = Vec::new();
    for id in tile::bundles_written(0, size) {
        let bundle = std::fs::read(folder.join(BundleId::to_string(&id))).expect("a bundle");
        entries.extend(tile::entries(&bundle).map(|entry| entry.expect("whole").to_vec()));
    }
    let bytes = entries.iter().map(Vec::len).sum();
    (entries, bytes)
}

/// An export in a folder.
struct Folder<'a>(&'a Path);

impl Export for Folder<'_> {
    type Error = std::io::Error;

    fn read(&self, file: ExportFile) -> Result<Option<Vec<u8>>, Self::Error> {
        match std::fs::read(self.0.join(file.to_string())) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
