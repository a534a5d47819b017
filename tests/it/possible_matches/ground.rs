//! What no agreement lets be compared any more: it is not shown, not decided about, and hides nothing else.

use porth::app::possible_matches::MatchError;
use porth::app::possible_matches::doubt::OwnDoubt;
use porth::app::possible_matches::queue::PAGE;
use porth::app::suspend::Suspendable;
use porth::domain::ids::{PairId, PossibleMatchId};
use porth::domain::pair::{Decision, PairNames, PairOrigin, PairState, Reason};
use porth::store::{NewMatch, PairSide, StoredPair};
use rstest::rstest;

use super::{
    AT_SCHOOL, BY_NUMBER, CARE, CORE, HOUSING, SCHOOLS, areas, caller, child, confirm, decide, entries, key, name,
    propose, queue, two_records_of_one_girl,
};
use crate::support::database::Backend;
use crate::support::programme::TestProgramme;

/// More questions than two pages have.
const MANY: u32 = 250;

/// Lets the data team draw on a feed, or not.
async fn contributes(programme: &TestProgramme, (agency, feed): (&str, &str), active: bool) {
    let feed = Suspendable::Feed(agency.parse().expect("a code"), feed.parse().expect("a code"));
    programme.gateway.set_standing(&feed, active, "officer", "enquiry").await.expect("set");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_decision_about_a_pair_that_may_not_be_compared_changes_nothing_and_is_asked_for_again(
    #[case] backend: Backend,
) {
    let programme = TestProgramme::start(backend).await;
    two_records_of_one_girl(&programme).await;
    propose(&programme).await;
    let school = queue(&programme, SCHOOLS.0).await.remove(0).id;
    let care = queue(&programme, CARE.0).await.remove(0).id;
    let usual = confirm_elsewhere(backend).await;

    contributes(&programme, CARE, false).await;
    assert!(queue(&programme, SCHOOLS.0).await.is_empty());
    // The school had read the question. What it is told is what everybody is told.
    confirm(&programme, SCHOOLS.0, school).await;
    let entry = entries(&programme, "match.decision").await.remove(0);
    assert_eq!(entry["body"]["action"], usual["body"]["action"]);
    let unanswered = programme.gateway.store().pairs_of_match(school).await.expect("pairs");
    assert!(unanswered[0].sides.iter().all(|side| side.answer.is_none()), "{unanswered:?}");
    // Social care's own feed is out: its question is in no queue, and is none.
    let tried = decide(&programme, CARE.0, care, Decision::Confirm, Reason::CheckedFile).await;
    assert!(matches!(tried, Err(MatchError::Unknown)), "{tried:?}");

    contributes(&programme, CARE, true).await;
    confirm(&programme, CARE.0, care).await;
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A3"], "what the school said then does not count");
    assert_eq!(propose(&programme).await.asked, 1, "the school is asked again");
    let again = queue(&programme, SCHOOLS.0).await.remove(0).id;
    assert_ne!(again, school);
    confirm(&programme, SCHOOLS.0, again).await;
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A2", "A3"]);
}

/// The entry of a confirmation where nothing is in the way.
async fn confirm_elsewhere(backend: Backend) -> serde_json::Value {
    let programme = TestProgramme::start(backend).await;
    two_records_of_one_girl(&programme).await;
    propose(&programme).await;
    let school = queue(&programme, SCHOOLS.0).await.remove(0).id;
    confirm(&programme, SCHOOLS.0, school).await;
    entries(&programme, "match.decision").await.remove(0)
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_split_parts_a_record_only_from_those_that_may_be_compared(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let row = child(&programme, 1, &[("nhs", "9990000018"), ("upn", "upn 1")], "E1").await;
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row]).await;
    let row = child(&programme, 2, BY_NUMBER, "H2").await;
    programme.deliver(CARE.0, CARE.1, CORE, &[row]).await;
    let split = |feed: (&str, &str)| OwnDoubt {
        decision: Decision::Split,
        record: (name(feed, 1).feed, name(feed, 1).reference),
        other: None,
        role: "education-welfare-officer".parse().expect("a role"),
        reason: Reason::Namesake,
    };

    contributes(&programme, CARE, false).await;
    programme.gateway.raise_doubt(&caller(SCHOOLS.0), &split(SCHOOLS), &key(1)).await.expect("the same answer");
    programme.publish().await;
    contributes(&programme, CARE, true).await;
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A2", "A3"], "nothing was parted");

    contributes(&programme, SCHOOLS, false).await;
    let tried = programme.gateway.raise_doubt(&caller(SCHOOLS.0), &split(SCHOOLS), &key(2)).await;
    assert!(matches!(tried, Err(MatchError::Record)), "{tried:?}");
    contributes(&programme, SCHOOLS, true).await;
    programme.gateway.raise_doubt(&caller(SCHOOLS.0), &split(SCHOOLS), &key(2)).await.expect("split");
    programme.publish().await;
    assert_eq!(areas(&programme, &[("upn", "upn 1")]).await, ["A2"]);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn hundreds_of_hidden_questions_hide_no_other_and_leave_no_gap(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let mut rows = vec![child(&programme, 1, AT_SCHOOL, "E1").await];
    for record in 10..10 + MANY {
        rows.push(child(&programme, record, &[("upn", &format!("upn {record}"))], "E1").await);
    }
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &rows).await;
    let homes: Vec<_> = (10..10 + MANY)
        .map(|record| {
            let person = format!("tenant {record}");
            programme.row(record, &[("k4", &person)], serde_json::json!({ "role": "child" }))
        })
        .collect();
    programme.deliver(HOUSING.0, HOUSING.1, CORE, &homes).await;
    for record in 10..10 + MANY {
        let names = PairNames::new(name(SCHOOLS, record), name(HOUSING, record)).expect("two records");
        ask(&programme, &names, 1_000_000 - 100 * i64::from(record)).await;
    }
    // Pages follow one another in the order of asking, and each question is in one.
    let caller = caller(SCHOOLS.0);
    let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = programme.gateway.possible_matches(&caller, after).await.expect("a page");
        seen.extend(page.items.iter().map(|item| item.reference.clone()));
        pages += 1;
        assert!(page.next_after.is_none() || page.items.len() == PAGE);
        after = page.next_after;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (10..10 + MANY).map(|record| name(SCHOOLS, record).reference).collect();
    assert_eq!((seen, pages), (expected, 3));

    // Housing's feed contributes no more, and the one question that stands is younger than all of these.
    contributes(&programme, HOUSING, false).await;
    let row = child(&programme, 2, super::IN_CARE, "H2").await;
    programme.deliver(CARE.0, CARE.1, CORE, &[row]).await;
    let names = PairNames::new(name(SCHOOLS, 1), name(CARE, 2)).expect("two records");
    ask(&programme, &names, 0).await;
    let left = queue(&programme, SCHOOLS.0).await;
    let references: Vec<_> = left.iter().map(|item| item.reference.clone()).collect();
    assert_eq!(references, [name(SCHOOLS, 1).reference]);
    let strangers = programme.gateway.possible_matches(&super::caller(CARE.0), left.first().map(|item| item.id)).await;
    assert!(matches!(strangers, Err(MatchError::Unknown)), "another agency's question is no place in the own queue");
}

/// Both holders of a pair were asked so long ago.
async fn ask(programme: &TestProgramme, names: &PairNames, seconds_ago: i64) {
    let mut tx = programme.gateway.store().begin().await.expect("a transaction");
    let now = tx.now().await.expect("the clock").plus_seconds(-seconds_ago);
    let mut sides = [PairSide::default(); 2];
    for (side, record) in sides.iter_mut().zip(names.both()) {
        let id = PossibleMatchId::new(uuid::Uuid::now_v7());
        let new = NewMatch { id, record: record.clone(), fields: vec!["dob".to_owned()], asked_at: now };
        tx.add_match(&programme.code, &new).await.expect("added");
        side.by = Some(id);
    }
    let pair = StoredPair {
        id: PairId::new(uuid::Uuid::now_v7()),
        origin: PairOrigin::Confirmed,
        names: names.clone(),
        weight: None,
        evidence: "k8".to_owned(),
        state: PairState::Proposed,
        proposed_at: now,
        sides,
    };
    assert!(tx.add_pair(&programme.code, &pair, None).await.expect("added"));
    tx.commit().await.expect("committed");
}
