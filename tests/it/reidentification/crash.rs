//! A process is killed while requests go through their steps: never two envelopes, and nothing lost
//! that was acknowledged.
//!
//! The child is this very binary, told by its environment to take steps. It goes on with what it finds
//! open, says each step on its standard output once the gateway acknowledged it, and is killed (SIGKILL)
//! a moment after it said the step before the one whose turn it is.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use porth::crypto::random::Random;
use porth::domain::ids::ReidentificationId;
use porth::domain::reidentification::Field;
use porth::domain::reidentification::binding::Hash32;
use porth::domain::reidentification::state::State;
use porth::domain::reidentification::vote::Choice;
use porth::domain::tfid::Tfid;
use porth::store::Location;
use porth::tlog::entry::{Body, Entry};
use rstest::rstest;

use super::scene::{NAMES, Scene};
use crate::support::database::{Backend, TestDatabase};
use crate::support::programme::{TestProgramme, policy_files};

/// The steps, in their order.
const STEPS: [&str; 7] = ["ask", "second", "source", "certify", "answer", "collect", "receive"];
/// Runs on one database: the agreement lets fifty be asked a day.
const RUNS_OF_ONE: usize = 25;
/// Runs unless `PORTH_CRASH_RUNS` says otherwise: each step is interrupted three times.
const RUNS: usize = 21;

/// Keys that two processes make alike.
struct Seeded(u64, AtomicU64);

impl Seeded {
    fn new(seed: u64) -> Self {
        Self(seed, AtomicU64::new(0))
    }
}

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let count = self.1.fetch_add(1, Ordering::SeqCst);
            let block = Hash32::of(&[self.0.to_be_bytes(), count.to_be_bytes()].concat());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
    }
}

fn said(step: &str, id: ReidentificationId, more: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nSTEP {step} {id} {more}").expect("the parent listens");
    out.flush().expect("the parent listens");
}

/// Takes a request to its end from wherever it is.
async fn go_on(scene: &Scene, id: ReidentificationId) {
    let gateway = &scene.programme.gateway;
    loop {
        let asked = gateway.show_reidentification(&scene.team.caller, id).await.expect("it is there");
        let has = |agency: &str| {
            asked.votes.iter().any(|vote| vote.agency.as_str() == agency && vote.choice == Choice::Approve)
        };
        match &asked.state {
            State::Voting {} if !has("education") => {
                scene.approve(&scene.second, &asked).await.expect("approved");
                said("second", id, "");
            }
            State::Voting {} => {
                scene.approve(&scene.source, &asked).await.expect("approved");
                said("source", id, "");
            }
            State::Authorised { .. } | State::Certified { .. } => {
                let checked = scene.trust().check(&scene.certify(id).await.expect("certified")).expect("it holds");
                said("certify", id, "");
                let answer = scene.seal(&checked).await;
                scene.answer(id, &answer).await.expect("taken");
                let sealed =
                    porth::app::reidentification::answer::envelope_bytes(&answer.envelope).expect("its length");
                said("answer", id, &Hash32::of(&sealed).to_string());
            }
            State::Answered { .. } | State::Collected { .. } => {
                let collected = scene.collect(id).await.expect("collected");
                let checked = scene.trust().check(&collected.certificate).expect("it holds");
                let (identity, hash) =
                    checked.open(&scene.trust(), &collected.answer, &scene.team.pair).expect("opens");
                assert!(identity.fields().any(|(field, text)| field == Field::Names && text == NAMES));
                said("collect", id, &hash.to_string());
                let receipt = checked.receipt(hash, &scene.team.sign, scene.now().await);
                gateway.receive_reidentification(&scene.team.caller, id, &receipt).await.expect("closed");
                said("receive", id, &hash.to_string());
            }
            State::Closed { .. } => return,
            other => panic!("nobody refused: {other:?}"),
        }
    }
}

#[tokio::test]
#[ignore = "the process that the test below kills"]
async fn child() {
    let Ok(path) = std::env::var("PORTH_CRASH_DATABASE") else { return };
    let text = |name: &str| std::env::var(name).expect("the parent sets it");
    let seed: u64 = text("PORTH_CRASH_SEED").parse().expect("a number");
    let family: Tfid = text("PORTH_CRASH_FAMILY").parse().expect("a number of a family");
    let is_postgres = path.starts_with("postgres://");
    let location = if is_postgres { Location::Postgres(path) } else { Location::Sqlite(path.into()) };
    let database = TestDatabase::opened(location).await;
    let programme = TestProgramme::reopened(database, &Seeded::new(seed));
    let scene = Scene::again(programme, family, &Seeded::new(seed + 1));
    loop {
        for open in scene.programme.gateway.reidentifications(&scene.team.caller).await.expect("listed") {
            go_on(&scene, open.id).await;
        }
        let asked = scene.ask().await;
        said("ask", asked.id, "");
    }
}

fn spawn(scene: &Scene, seed: u64) -> Child {
    let path = match &scene.programme.database.location {
        Location::Sqlite(path) => path.display().to_string(),
        Location::Postgres(text) => text.clone(),
    };
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "reidentification::crash::child", "--ignored", "--nocapture", "--test-threads=1"])
        .env("PORTH_CRASH_DATABASE", path)
        .env("PORTH_CRASH_SEED", seed.to_string())
        .env("PORTH_CRASH_FAMILY", scene.family.to_text())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the child starts")
}

/// What the child had acknowledged before it was killed, step by step and request by request.
type Acknowledged = BTreeMap<(ReidentificationId, String), String>;

/// Runs the child until the step before `step` was said, a moment longer, and kills it.
fn kill_before(scene: &Scene, seed: u64, step: usize, moment: Duration, acknowledged: &mut Acknowledged) {
    let mut child = spawn(scene, seed);
    let before = STEPS[(step + STEPS.len() - 1) % STEPS.len()];
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut note = |line: &str| {
        let mut words = line.strip_prefix("STEP ")?.split(' ');
        let (step, id) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
        acknowledged.insert((id, step.clone()), words.next().unwrap_or_default().to_owned());
        Some(step)
    };
    for line in lines.by_ref() {
        if note(&line.expect("text")).is_some_and(|step| step == before) {
            break;
        }
    }
    std::thread::sleep(moment);
    child.kill().expect("killed");
    for line in lines.map_while(Result::ok) {
        note(&line);
    }
    child.wait().expect("ended");
}

/// What has to hold whenever the process died.
async fn assert_whole(scene: &Scene, acknowledged: &Acknowledged) {
    scene.programme.sequencer.drain().await.expect("the log goes on");
    let store = scene.programme.gateway.store();
    let size = store.log_head().await.expect("a head").expect("open").size;
    let mut envelopes: BTreeMap<ReidentificationId, Vec<String>> = BTreeMap::new();
    for (_, entry) in store.log_entries(0, size).await.expect("entries") {
        let Body::ReidStep(step) = Entry::parse(&entry).expect("an entry").into_body() else { continue };
        if let (Some(id), "answer", Some(hash)) = (step.request, step.step.as_str(), step.envelope_sha256) {
            envelopes.entry(id).or_default().push(hash.to_string());
        }
    }
    for (id, all) in &envelopes {
        assert_eq!(all.len(), 1, "{id} has two envelopes");
    }
    for ((id, step), hash) in acknowledged {
        let row = store.reid(*id).await.expect("the database").expect("an acknowledged request is there");
        let place = STEPS.iter().position(|known| known == step).expect("a step");
        let votes = store.reid_votes(*id).await.expect("votes");
        let reached = match &row.state {
            State::Voting {} if votes.is_empty() => 0,
            State::Voting {} => 1,
            State::Authorised { .. } => 2,
            State::Certified { .. } => 3,
            State::Answered { .. } => 4,
            State::Collected { .. } => 5,
            State::Closed { .. } => 6,
            other => panic!("{other:?}"),
        };
        assert!(reached >= place, "{step} of {id} was acknowledged and is lost: {:?}", row.state);
        if !hash.is_empty() {
            assert_eq!(envelopes[id], std::slice::from_ref(hash), "what was acknowledged is what is kept");
        }
        assert_eq!(row.envelope.is_some(), matches!(reached, 4 | 5), "the ciphertext is there as long as it is due");
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_at_any_step_leaves_one_envelope_and_loses_nothing_acknowledged(#[case] backend: Backend) {
    let runs: usize = std::env::var("PORTH_CRASH_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(RUNS);
    let mut files = policy_files();
    for agreement in &mut files.agreements {
        let text = String::from_utf8(agreement.clone()).expect("UTF-8");
        *agreement = text.replace("daily_ceiling = 10\n", "daily_ceiling = 50\n").into_bytes();
    }
    let mut interrupted = 0;
    while interrupted < runs {
        let seed = 2 * interrupted as u64 + 2;
        let programme = TestProgramme::start_with_keys(backend, files.clone(), &Seeded::new(seed)).await;
        let scene = Scene::with_people(programme, &Seeded::new(seed + 1)).await;
        let mut acknowledged = Acknowledged::new();
        for run in 0..RUNS_OF_ONE.min(runs - interrupted) {
            // From nothing to longer than a step takes, so that each is cut at another place.
            let moment = Duration::from_micros(((run * 7919) % 40_000) as u64);
            tokio::task::block_in_place(|| kill_before(&scene, seed, run % STEPS.len(), moment, &mut acknowledged));
            assert_whole(&scene, &acknowledged).await;
            interrupted += 1;
        }
        // Whatever was left is taken to its end by whoever comes next.
        for open in scene.programme.gateway.reidentifications(&scene.team.caller).await.expect("listed") {
            go_on(&scene, open.id).await;
        }
        assert_whole(&scene, &acknowledged).await;
    }
}
