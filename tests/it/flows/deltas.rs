//! Deltas and submissions that are taken back: a feed shows the same however it came to be.

use std::collections::BTreeMap;

use porth::app::caller::AgencyCaller;
use porth::app::error::AppError;
use porth::app::retract::RetractError;
use porth::app::submit::{FileFault, Received};
use porth::domain::enquiry::Answer;
use porth::domain::ids::SubmissionId;
use porth::domain::time::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};

use super::arrival::{Dice, Picture, picture};
use crate::support::database::Backend;
use crate::support::programme::{HUB_AREAS, TestProgramme, opaque};

const EDUCATION: (&str, &str, &str) = ("education", "attendance", "early-help-core/v1");
const SOCIAL_CARE: (&str, &str, &str) = ("childrens-social-care", "cases", "early-help-core/v1");
const PEOPLE: u64 = 6;

/// What a feed says, by reference.
type State = BTreeMap<u32, Value>;

fn number(person: u64) -> String {
    format!("999000{person:04}")
}

/// A record of one of a few people: some hold two names' tokens and so join two others.
fn record(programme: &TestProgramme, dice: &mut Dice, reference: u32, from: &str) -> Value {
    let person = dice.roll(PEOPLE);
    let mut tokens = vec![("nhs", number(person))];
    if dice.roll(2) == 0 {
        tokens.push(("k3", format!("name and date {}", dice.roll(PEOPLE))));
    }
    let borrowed: Vec<(&str, &str)> = tokens.iter().map(|(kind, value)| (*kind, value.as_str())).collect();
    let state = ["met", "not_met", "contested"][dice.roll(3) as usize];
    let flags = json!([{ "criterion": "E1", "state": state, "from": from }]);
    let extra = json!({ "role": "child", "flags": flags, "restricted": dice.roll(12) == 0 });
    programme.row(reference, &borrowed, extra)
}

/// The next state of a feed: some records are new, some replaced, some gone. With the rows that say so.
fn change(programme: &TestProgramme, dice: &mut Dice, state: &mut State, from: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    for reference in 0..12 {
        match (dice.roll(4), state.contains_key(&reference)) {
            (0, true) => {
                state.remove(&reference);
                rows.push(json!({ "ref": opaque(reference), "retract": true }));
            }
            (1, _) | (2, false) => {
                let row = record(programme, dice, reference, from);
                state.insert(reference, row.clone());
                rows.push(row);
            }
            _ => {}
        }
    }
    if rows.is_empty() {
        let row = record(programme, dice, 12, from);
        state.insert(12, row.clone());
        rows.push(row);
    }
    rows
}

async fn recent(programme: &TestProgramme) -> String {
    (programme.today().await - jiff::Span::new().days(40)).to_string()
}

async fn delta(programme: &TestProgramme, rows: &[Value]) -> Result<Received, AppError> {
    let (agency, feed, agreement) = EDUCATION;
    let mut header = programme.header(agency, feed, agreement).await;
    header["mode"] = json!("delta");
    let received = programme.submit(&header, rows).await;
    programme.publish().await;
    received
}

async fn snapshot(programme: &TestProgramme, state: &State) -> Received {
    let rows: Vec<Value> = state.values().cloned().collect();
    programme.deliver(EDUCATION.0, EDUCATION.1, EDUCATION.2, &rows).await
}

async fn others(programme: &TestProgramme, seed: u64, from: &str) {
    let mut dice = Dice(seed);
    let rows: Vec<Value> = (0..8)
        .map(|reference| {
            let mut row = record(programme, &mut dice, reference, from);
            row["flags"] = json!([]);
            row
        })
        .collect();
    programme.deliver(SOCIAL_CARE.0, SOCIAL_CARE.1, SOCIAL_CARE.2, &rows).await;
}

async fn answers(programme: &TestProgramme) -> Vec<Answer> {
    let mut answers = Vec::new();
    for person in 0..PEOPLE {
        let number = number(person);
        answers.push(programme.ask(HUB_AREAS, &[("nhs", &number)], &[]).await.expect("permitted").answer);
    }
    answers
}

async fn shown(programme: &TestProgramme) -> (Picture, Vec<Answer>) {
    (picture(programme).await, answers(programme).await)
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_snapshot_and_the_same_state_reached_by_deltas_in_any_split_answer_alike(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let from = recent(&programme).await;
    let (mut components, mut kinds) = (0, 0);
    for seed in [5, 23, 71] {
        // The last state is reached by two changes from a first one.
        let (mut dice, mut state, mut steps) = (Dice(seed), State::new(), Vec::new());
        change(&programme, &mut dice, &mut state, &from);
        for _ in 0..3 {
            let rows = change(&programme, &mut dice, &mut state, &from);
            steps.push((state.clone(), rows));
        }
        others(&programme, seed + 100, &from).await;
        snapshot(&programme, &steps[2].0).await;
        let expected = shown(&programme).await;
        components += expected.0.0.len();
        kinds += usize::from(expected.1.iter().any(|answer| *answer != expected.1[0]));

        // Whole at the first step, deltas for the rest; the other agency comes before, between or after.
        for turn in [0, 1, 2] {
            others(&programme, seed + 200, &from).await;
            if turn > 0 {
                // Upon deltas a snapshot replaces them all. It had been replaced itself, so it is no repeat.
                snapshot(&programme, &steps[2].0).await;
            }
            for (step, (state, rows)) in steps.iter().enumerate() {
                if step == turn {
                    others(&programme, seed + 100, &from).await;
                }
                if step == 0 {
                    snapshot(&programme, state).await;
                } else {
                    delta(&programme, rows).await.expect("the delta is good");
                }
            }
            assert_eq!(shown(&programme).await, expected, "seed {seed}, turn {turn}");
        }

        // What was replaced or removed is not only unseen: its rows go, and nothing changes.
        let store = programme.gateway.store();
        let generation = store.view(&programme.code).await.expect("a view").expect("a programme").generation;
        let mut tx = store.begin().await.expect("a transaction");
        let removed = tx.remove_departed(&programme.code, generation + 1, 1000).await.expect("removed");
        tx.commit().await.expect("committed");
        assert!(removed > 0);
        assert_eq!(shown(&programme).await, expected, "seed {seed}, after tidying");
    }
    assert!(components > 6 && kinds > 0, "persons are joined and parted, and answered differently");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_delta_that_does_not_fit_what_the_feed_shows_changes_nothing(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let from = recent(&programme).await;
    let mut dice = Dice(7);
    let mut row = |reference| record(&programme, &mut dice, reference, &from);
    let fault = |received: Result<Received, AppError>| match received.expect_err("refused") {
        AppError::File(fault) | AppError::RefusedFile { fault, .. } => fault,
        other => panic!("{other}"),
    };
    assert_eq!(fault(delta(&programme, &[row(1)]).await), FileFault::NoSnapshot);
    snapshot(&programme, &State::from([(1, row(1)), (2, row(2))])).await;
    let before = shown(&programme).await;

    let (agency, feed, agreement) = EDUCATION;
    let mut older = programme.header(agency, feed, agreement).await;
    older["mode"] = json!("delta");
    older["as_at"] = json!((programme.today().await - jiff::Span::new().days(1)).to_string());
    assert_eq!(fault(programme.submit(&older, &[row(3)]).await), FileFault::Older);

    // Two deltas upon one state: the second is told to come again.
    let mut header = older.clone();
    header["as_at"] = json!(programme.today().await.to_string());
    let caller = AgencyCaller { agency: agency.parse().expect("a code"), client: "test".to_owned() };
    let begun = programme.gateway.begin_submission(&caller, header.to_string().as_bytes()).await;
    let mut slow = begun.expect("nothing is under way");
    slow.push(row(4).to_string().into()).await.expect("staged later");
    let late = programme.submit(&header, &[row(6)]).await.expect("taken");
    assert_eq!(fault(programme.submit(&header, &[row(5)]).await), FileFault::FeedBusy);
    slow.push(json!({ "end": 1 }).to_string().into()).await.expect("its end");
    let slow = slow.finish().await.expect("whole");
    assert_eq!(programme.gateway.publish_next().await.expect("shown").map(|shown| shown.submission), Some(slow.id));
    assert!(programme.gateway.publish_next().await.is_err(), "the feed shows something else now");
    let failed = programme.gateway.store().submission(late.id).await.expect("stored").expect("there");
    assert_eq!(failed.failure.as_deref(), Some("file.base_changed"));
    assert!(before != shown(&programme).await, "the first to come is visible");

    // Row errors: unknown, twice in either order, and good rows land.
    header["rows"] = json!("good_rows");
    let gone = json!({ "ref": opaque(2), "retract": true });
    let lines = [
        gone,
        json!({ "ref": opaque(9), "retract": true }),
        row(1),
        json!({ "ref": opaque(1), "retract": true }),
        row(2),
    ];
    let received = programme.submit(&header, &lines).await.expect("two good rows");
    programme.publish().await;
    let errors = programme.gateway.store().row_errors(received.id, 0, 100).await.expect("errors");
    let told: Vec<(i64, &str)> = errors.iter().map(|error| (error.row, error.code.as_str())).collect();
    assert_eq!(told, [(3, "retract.unknown"), (5, "row.duplicate_ref"), (6, "row.duplicate_ref")]);
    let names = picture(&programme).await.0.into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(names.len(), 2, "1 was replaced, 2 removed, 4 stays: {names:?}");
    let again = programme.submit(&header, &lines).await.expect("the same bytes");
    assert_eq!((again.id, again.is_repeat), (received.id, true));
}

async fn state_of(programme: &TestProgramme, id: SubmissionId) -> (String, Option<String>) {
    let stored = programme.gateway.store().submission(id).await.expect("stored").expect("there");
    (stored.state.as_str().to_owned(), stored.failure)
}

async fn submission_entries(programme: &TestProgramme) -> Vec<Value> {
    programme.sequencer.drain().await.expect("sequenced");
    let entries = programme.gateway.store().log_entries(0, 1000).await.expect("entries");
    let read = |(_, body): &(_, Vec<u8>)| serde_json::from_slice::<Value>(body).expect("JSON");
    entries.iter().map(read).filter(|entry| entry["type"] == "submission").collect()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_an_agency_takes_back_is_seen_by_nobody_and_logged(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let from = recent(&programme).await;
    let caller = |agency: &str| AgencyCaller { agency: agency.parse().expect("a code"), client: "test".to_owned() };
    let retract = async |agency: &str, id| programme.gateway.retract_submission(&caller(agency), id).await;
    others(&programme, 3, &from).await;
    let without = picture(&programme).await;

    let mut dice = Dice(11);
    let mut state = State::new();
    change(&programme, &mut dice, &mut state, &from);
    let base = snapshot(&programme, &state).await;
    let with_base = picture(&programme).await;
    assert_ne!(with_base, without);
    let upon = delta(&programme, &[record(&programme, &mut dice, 77, &from)]).await.expect("good");
    assert!(matches!(retract("housing", upon.id).await, Err(RetractError::Unknown)));

    // A delta that only added goes without a trace.
    assert_eq!(retract("education", upon.id).await.expect("visible").state.as_str(), "withdrawing");
    programme.publish().await;
    assert_eq!(picture(&programme).await, with_base);
    assert_eq!(state_of(&programme, upon.id).await, ("withdrawn".to_owned(), None));
    assert_eq!(retract("education", upon.id).await.expect("asked again").state.as_str(), "withdrawn");

    // With the snapshot goes what was changed upon it.
    let again = delta(&programme, &[record(&programme, &mut dice, 78, &from)]).await.expect("good");
    retract("education", base.id).await.expect("visible");
    programme.publish().await;
    assert_eq!(picture(&programme).await, without);
    for id in [base.id, again.id] {
        assert_eq!(state_of(&programme, id).await.0, "withdrawn");
    }
    let modes: Vec<Value> =
        submission_entries(&programme).await.iter().map(|entry| entry["body"]["mode"].clone()).collect();
    assert_eq!(modes, ["snapshot", "snapshot", "delta", "retraction", "delta", "retraction"]);

    // The same file may come again; taken back before it is visible, it never is; replaced, it is too late.
    let (agency, feed, agreement) = EDUCATION;
    let header = programme.header(agency, feed, agreement).await;
    let rows: Vec<Value> = state.values().cloned().collect();
    let early = programme.submit(&header, &rows).await.expect("taken");
    assert!(!early.is_repeat);
    assert_eq!(retract("education", early.id).await.expect("staged").failure.as_deref(), Some("file.retracted"));
    programme.publish().await;
    assert_eq!(picture(&programme).await, without);
    let fresh = snapshot(&programme, &state).await;
    assert_eq!(picture(&programme).await, with_base);
    snapshot(&programme, &State::from([(1, record(&programme, &mut dice, 1, &from))])).await;
    assert!(matches!(retract("education", fresh.id).await, Err(RetractError::Over)));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_publisher_that_died_over_a_delta_brings_ended_records_back(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let from = recent(&programme).await;
    let mut dice = Dice(13);
    let mut row = |reference| record(&programme, &mut dice, reference, &from);
    snapshot(&programme, &State::from([(1, row(1)), (2, row(2))])).await;
    let before = picture(&programme).await;
    let (agency, feed, agreement) = EDUCATION;
    let mut header = programme.header(agency, feed, agreement).await;
    header["mode"] = json!("delta");
    let delta = programme.submit(&header, &[json!({ "ref": opaque(2), "retract": true })]).await.expect("taken");

    let store = programme.gateway.store();
    let view = store.view(&programme.code).await.expect("a view").expect("a programme");
    let links = store.visible_links(&programme.code, view.generation, 0, 100).await.expect("links");
    let mut tx = store.begin().await.expect("a transaction");
    let now = tx.now().await.expect("the clock");
    let long_ago = Timestamp::from_micros(1);
    let claim = tx.claim_generation([1; 16], &programme.code, delta.id, now, long_ago).await.expect("a claim");
    let all: Vec<(i64, SubmissionId)> = links.iter().map(|member| (member.record.id, delta.id)).collect();
    tx.end_records(&claim.expect("free"), &all).await.expect("ended");
    tx.commit().await.expect("committed");
    assert_eq!(picture(&programme).await, before, "nobody sees a half-made generation");

    programme.publish().await;
    assert_eq!(picture(&programme).await.0.len(), 1, "one record went, the other came back");
    let mut tx = store.begin().await.expect("a transaction");
    let removed = tx.remove_departed(&programme.code, i64::MAX, 1000).await.expect("removed");
    assert_eq!(removed, 1, "only what went is removed");
}
