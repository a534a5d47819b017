//! What a curious agency tries: guesses, other agencies' handles, replays, and the other's silence.

use porth::app::possible_matches::MatchError;
use porth::app::possible_matches::propose::Pace;
use porth::domain::pair::{Decision, Reason};
use rstest::rstest;
use serde_json::Value;

use super::{
    AT_SCHOOL, BY_NUMBER, CARE, CORE, HOUSING, SCHOOLS, areas, both_confirm, child, confirm, decide, entries, propose,
    queue, reverse, shield, two_records_of_one_girl,
};
use crate::support::database::Backend;
use crate::support::programme::{TestProgramme, opaque};

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn only_the_holder_that_was_asked_decides_once_and_takes_back_once(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_records_of_one_girl(&programme).await;
    propose(&programme).await;
    let school = queue(&programme, SCHOOLS.0).await.remove(0).id;
    let care = queue(&programme, CARE.0).await.remove(0).id;

    for stranger in [CARE.0, HOUSING.0] {
        let tried = decide(&programme, stranger, school, Decision::Confirm, Reason::CheckedFile).await;
        assert!(matches!(tried, Err(MatchError::Unknown)), "{stranger}: {tried:?}");
        assert!(matches!(reverse(&programme, stranger, school).await, Err(MatchError::Unknown)), "{stranger}");
    }
    for (decision, reason) in [
        (Decision::Confirm, Reason::Namesake),
        (Decision::Reject, Reason::CheckedFile),
        (Decision::Split, Reason::Namesake),
        (Decision::Merge, Reason::Duplicate),
    ] {
        let tried = decide(&programme, SCHOOLS.0, school, decision, reason).await;
        assert!(matches!(tried, Err(MatchError::Reason)), "{decision} {reason}");
    }
    assert!(matches!(reverse(&programme, SCHOOLS.0, school).await, Err(MatchError::NotDecided)));

    let first = decide(&programme, SCHOOLS.0, school, Decision::Confirm, Reason::CheckedFile).await.expect("taken");
    let replayed = decide(&programme, SCHOOLS.0, school, Decision::Confirm, Reason::CheckedFile).await;
    assert_eq!(replayed.expect("the same"), first);
    let second = decide(&programme, SCHOOLS.0, school, Decision::Reject, Reason::Namesake).await;
    assert!(matches!(second, Err(MatchError::Decided)));
    confirm(&programme, CARE.0, care).await;
    assert!(matches!(reverse(&programme, CARE.0, school).await, Err(MatchError::Unknown)), "by the other");
    let back = reverse(&programme, SCHOOLS.0, school).await.expect("taken back");
    assert_eq!(reverse(&programme, SCHOOLS.0, school).await.expect("the same"), back);
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A3"]);
    assert_eq!(entries(&programme, "match.decision").await.len(), 3, "what was refused or repeated is no entry");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn guessed_rows_tell_nothing_for_days_and_little_a_day(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let mut known = Vec::new();
    let mut guessed = Vec::new();
    for person in 0..6 {
        let guess = format!("guess {person}");
        known.push(child(&programme, person, &[("k8", &guess), ("nhs", &format!("999000{person:04}"))], "H2").await);
        guessed.push(child(&programme, person, &[("k8", &guess)], "E1").await);
    }
    programme.deliver(CARE.0, CARE.1, CORE, &known).await;
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &guessed).await;

    let usual = programme.gateway.propose_possible_matches(Pace::default()).await.expect("compared");
    assert_eq!((usual.new, usual.asked), (6, 0), "nobody is asked before the pairs have stood for days");
    assert!(queue(&programme, SCHOOLS.0).await.is_empty());
    assert!(entries(&programme, "match.ask").await.is_empty());

    let slowly = Pace { ripen_seconds: 0, most_a_day: 2 };
    for _ in 0..3 {
        programme.gateway.propose_possible_matches(slowly).await.expect("compared");
    }
    assert_eq!(queue(&programme, SCHOOLS.0).await.len(), 2, "however often it is looked");
    // Rows that are taken away again are no longer asked about.
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[child(&programme, 90, &[("upn", "u")], "E1").await]).await;
    assert!(queue(&programme, SCHOOLS.0).await.is_empty() && queue(&programme, CARE.0).await.is_empty());
    assert_eq!(propose(&programme).await.dropped, 6);
}

/// All that an agency can read about possible matches, with handles and times left out.
async fn told(programme: &TestProgramme, agency: &str) -> Vec<(String, Vec<String>)> {
    let items = queue(programme, agency).await;
    items.into_iter().map(|item| (item.reference.as_str().to_owned(), item.fields)).collect()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_record_with_three_possible_partners_shows_as_one_with_one(#[case] backend: Backend) {
    let mut seen = Vec::new();
    for partners in [1, 3] {
        let programme = TestProgramme::start(backend).await;
        let row = child(&programme, 1, AT_SCHOOL, "E1").await;
        programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row]).await;
        let mut rows = Vec::new();
        for person in 0..partners {
            let number = format!("999000001{person}");
            rows.push(child(&programme, 10 + person, &[("k8", "demelza at home"), ("nhs", &number)], "H2").await);
        }
        programme.deliver(CARE.0, CARE.1, CORE, &rows).await;
        propose(&programme).await;
        seen.push((told(&programme, SCHOOLS.0).await, entries(&programme, "match.ask").await.len()));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].0.len(), 1);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn who_becomes_shielded_leaves_the_queue_as_who_is_deleted_does(#[case] backend: Backend) {
    let mut answers = Vec::new();
    for is_shielded in [false, true] {
        let programme = TestProgramme::start(backend).await;
        two_records_of_one_girl(&programme).await;
        propose(&programme).await;
        let item = queue(&programme, SCHOOLS.0).await.remove(0);
        let before = told(&programme, CARE.0).await;
        if is_shielded {
            shield(&programme).await;
        } else {
            let other = child(&programme, 9, &[("nhs", "9990000026")], "H2").await;
            programme.deliver(CARE.0, CARE.1, CORE, &[other]).await;
        }
        assert_eq!(before.len(), 1);
        let after = (told(&programme, SCHOOLS.0).await, told(&programme, CARE.0).await);
        // Who had read it before may still answer, and is told what everybody is told.
        let decided = decide(&programme, SCHOOLS.0, item.id, Decision::Confirm, Reason::CheckedFile).await;
        let entry = entries(&programme, "match.decision").await.remove(0);
        let mut fields: Vec<String> = entry["body"].as_object().expect("a body").keys().cloned().collect();
        fields.sort();
        answers.push((
            after,
            decided.map(|it| it.id == item.id).expect("taken"),
            fields,
            propose(&programme).await.asked,
        ));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, (Vec::new(), Vec::new()));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn restricted_records_are_never_compared(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let mut row = child(&programme, 1, AT_SCHOOL, "E1").await;
    row["restricted"] = true.into();
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row]).await;
    let row = child(&programme, 2, super::IN_CARE, "H2").await;
    programme.deliver(CARE.0, CARE.1, CORE, &[row]).await;
    assert_eq!(propose(&programme).await, porth::app::possible_matches::propose::Proposed::default());
    assert!(told(&programme, SCHOOLS.0).await.is_empty() && told(&programme, CARE.0).await.is_empty());
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn neither_entry_nor_answer_tells_what_the_other_said(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_records_of_one_girl(&programme).await;
    both_confirm(&programme).await;
    let clear: Vec<Value> = entries(&programme, "match.decision").await;
    let without = |entry: &Value| {
        let mut body = entry["body"].clone();
        for name in ["possible_match", "agency", "commitments"] {
            body.as_object_mut().expect("a body").remove(name);
        }
        body
    };
    assert_eq!(without(&clear[0]), without(&clear[1]), "the first confirmation and the one that joins");
    let openings = programme.gateway.store().sealed_openings(None, 1000).await.expect("openings");
    let mut lengths: Vec<usize> =
        openings.iter().filter(|(_, field, _)| field == "effect").map(|(_, _, sealed)| sealed.len()).collect();
    lengths.dedup();
    assert_eq!(lengths.len(), 1, "a sealed opening is as long whatever came of it");
    for entry in entries(&programme, "match.ask").await.iter().chain(&clear) {
        let text = entry.to_string();
        assert!(!text.contains(&opaque(1)) && !text.contains(&opaque(2)), "{text}");
    }
}
