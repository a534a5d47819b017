//! Who received a wrong match is found and told, once, and nobody else.

use std::collections::BTreeSet;

use porth::app::claim::{ClaimError, NewClaimCheck, NewEngagement};
use porth::app::possible_matches::doubt::OwnDoubt;
use porth::app::recall::{Named, Raiser, RecallError};
use porth::app::subject_rights::{ActingUser, Matter, NewCase, OwnName};
use porth::domain::claim::Route;
use porth::domain::ids::{PossibleMatchId, RoleCode};
use porth::domain::notice::NoticeBody;
use porth::domain::pair::{self, Decision, PairState, Reason, ReversalReason};
use porth::domain::subject_case::{Effect, SubjectRight};
use porth::domain::time::Timestamp;
use porth::store::{NewMatch, RecallState, RecordMark};
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::support::database::Backend;

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn whoever_would_have_got_another_answer_is_told_and_the_recall_waits_for_them(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    let wrong = ask(&programme, "areas", BY_PUPIL_NUMBER).await;
    assert_eq!(met(&wrong.answer), ["A2", "A3"]);
    // For a while social care says nothing of its child: then the match makes no difference.
    let silent = programme.row(2, BY_NUMBER, json!({ "role": "child", "flags": [] }));
    programme.deliver(CARE.0, CARE.1, CORE, &[silent]).await;
    assert_eq!(met(&ask(&programme, "areas", BY_PUPIL_NUMBER).await.answer), ["A2"]);
    let row = child(&programme, 2, BY_NUMBER, "H3").await;
    programme.deliver(CARE.0, CARE.1, CORE, &[row]).await;
    ask(&programme, "areas", &[("upn", "somebody else")]).await;

    let id = recall(&programme, &Named::Two(name(SCHOOLS, 1), name(CARE, 2)), "namesake").await;
    assert_eq!(report(&programme, id).await.recall.state, RecallState::Searching);
    go_on(&programme).await;
    let found = report(&programme, id).await;
    assert_eq!((found.recall.looked, found.recall.untouched), (2, 1), "the one of the silent days is the same");
    assert_eq!((found.counts.wrong, found.counts.unsettled, found.counts.unacknowledged), (1, 0, 1));
    assert_eq!(found.recall.state, RecallState::Waiting);
    assert_eq!(found.waits_for.len(), 1);
    assert_eq!(met(&ask(&programme, "areas", BY_PUPIL_NUMBER).await.answer), ["A2"], "the two are parted");

    let notices = inbox(&programme, "early-help-hub").await;
    assert_eq!(notices.len(), 1);
    let Some(NoticeBody::AnswerWrong { entry, case, form, certain, .. }) = &notices[0].body else {
        panic!("an answer that was wrong: {notices:?}")
    };
    assert_eq!((*entry, form.as_str(), *certain), (wrong.disclosure, "areas", true));
    assert_eq!(case.as_ref().map(|case| case.as_str().to_owned()), Some(opaque(7)), "its own reference");
    for other in [SCHOOLS.0, CARE.0, HOUSING.0, "police"] {
        assert!(inbox(&programme, other).await.is_empty(), "{other}");
    }

    acknowledge_all(&programme, "early-help-hub").await;
    go_on(&programme).await;
    assert_eq!(report(&programme, id).await.recall.state, RecallState::Closed);
    assert!(inbox(&programme, "early-help-hub").await.is_empty());
    let steps: Vec<Value> = entries(&programme, "recall.step").await;
    let words: Vec<&str> = steps.iter().map(|it| it["body"]["step"].as_str().expect("a word")).collect();
    assert_eq!(words, ["told", "closed"]);
    assert_eq!((&steps[1]["body"]["wrong"], &steps[1]["body"]["untouched"]), (&1.into(), &1.into()));
    assert_eq!(entries(&programme, "recall.notice").await.len(), 1);
    assert_eq!(entries(&programme, "notice.acknowledgement").await[0]["body"]["action"], "case-reviewed");
    let opened = entries(&programme, "recall.open").await.remove(0);
    assert!(!opened.to_string().contains(&opaque(1)) && !opened.to_string().contains(&opaque(2)), "{opened}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn whatever_names_a_person_is_erased_with_the_person_and_a_notice_with_its_answer(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    two_children_as_one(&programme).await;
    let wrong = ask(&programme, "areas", BY_PUPIL_NUMBER).await.disclosure;
    let again = ask(&programme, "areas", BY_PUPIL_NUMBER).await.disclosure;
    recall(&programme, &Named::Two(name(SCHOOLS, 1), name(CARE, 2)), "namesake").await;
    go_on(&programme).await;
    let care = caller(CARE.0);
    let own = (name(CARE, 2).feed, name(CARE, 2).reference);
    let role: RoleCode = "social-worker".parse().expect("a role");
    let today = programme.today().await;
    gateway.note_shield_review(&care, &role, (&own.0, &own.1), today).await.expect("noted");
    let (decision, reason) = (Decision::Split, Reason::Namesake);
    let doubt = OwnDoubt { decision, record: own.clone(), other: None, role: role.clone(), reason };
    gateway.raise_doubt(&care, &doubt, "a-key-of-somebody-1").await.expect("taken");

    let user = ActingUser { role, user: OpaqueRef::parse(&opaque(8)).expect("a reference") };
    let records = vec![OwnName { feed: own.0, reference: own.1 }];
    let new = NewCase { right: SubjectRight::Erasure, records, reply_key: None, user: user.clone() };
    let case = gateway.open_subject_case(&care, &new, "a-key-of-somebody-2").await.expect("opened").value.id;
    let mut kinds = Vec::new();
    for event in gateway.entries_of_case(case).await.expect("entries") {
        let body = gateway.store().event_body(event).await.expect("asked").expect("an entry");
        let entry: Value = serde_json::from_slice(&body).expect("JSON");
        kinds.push(entry["type"].as_str().expect("a type").to_owned());
    }
    kinds.sort();
    let expected = [
        "enquiry",
        "enquiry",
        "match.decision",
        "recall.notice",
        "recall.notice",
        "recall.open",
        "shield.review",
        "subject.case",
    ];
    assert_eq!(kinds, expected);
    // None of these is a disclosure about the person to anybody else.
    let data = gateway.subject_data(&care, Matter::Case(case), &user).await.expect("shown").value;
    let told: BTreeSet<&str> = data.disclosures.iter().map(|seen| seen.kind.as_str()).collect();
    assert_eq!(told, BTreeSet::from(["enquiry", "subject.case"]));

    assert_eq!(inbox(&programme, "early-help-hub").await.len(), 2);
    let early = gateway.erase_entries(&[wrong], "uk-gdpr:17", "ops-1").await.expect("looked at");
    assert_eq!((early.erased, early.examined), (0, 1), "while the recall goes on, neither goes");
    for agency in ["early-help-hub", CARE.0, SCHOOLS.0] {
        acknowledge_all(&programme, agency).await;
    }
    go_on(&programme).await;
    let erased = gateway.erase_entries(&[wrong], "uk-gdpr:17", "ops-1").await.expect("erased");
    assert_eq!(erased.erased, 2, "the answer, and the notice about it");
    assert_eq!(gateway.erase_entries(&[again], "uk-gdpr:17", "ops-1").await.expect("erased").erased, 2, "its own");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_search_that_is_done_again_tells_nobody_twice(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    ask(&programme, "areas", BY_PUPIL_NUMBER).await;
    let named = Named::Two(name(SCHOOLS, 1), name(CARE, 2));
    let id = recall(&programme, &named, "namesake").await;
    assert_eq!(recall(&programme, &named, "namesake").await, id, "the same request under the same key");
    programme.sequencer.drain().await.expect("sequenced");

    // One page is looked at; then the process is another one, and both go on.
    programme.gateway.step_recall(id).await.expect("a page");
    let restarted = programme.on(programme.gateway.store().clone());
    let (a, b) = tokio::join!(restarted.gateway.step_recall(id), programme.gateway.step_recall(id));
    a.expect("a step");
    b.expect("a step");
    go_on(&restarted).await;
    go_on(&programme).await;
    assert_eq!(report(&programme, id).await.counts.wrong, 1);
    assert_eq!(report(&programme, id).await.recall.looked, 1);
    assert_eq!(inbox(&programme, "early-help-hub").await.len(), 1);
    assert_eq!(entries(&programme, "recall.notice").await.len(), 1);
    assert_eq!(entries(&programme, "recall.step").await.len(), 1);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn nobody_whom_a_shield_reaches_is_in_a_recall(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    ask(&programme, "areas", BY_PUPIL_NUMBER).await;
    shield(&programme).await;
    let id = recall(&programme, &Named::Two(name(SCHOOLS, 1), name(CARE, 2)), "namesake").await;
    go_on(&programme).await;
    let found = report(&programme, id).await;
    assert_eq!((found.recall.looked, found.counts.wrong, found.counts.families), (0, 0, 0));
    assert_eq!(found.recall.state, RecallState::Closed, "nobody has anything to acknowledge");
    assert!(inbox(&programme, "early-help-hub").await.is_empty());
    let pairs = programme.gateway.store().standing_pairs(&programme.code).await.expect("pairs");
    assert!(pairs.is_empty(), "nothing is decided about a shielded record: {pairs:?}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_holder_recalls_its_own_record_and_nothing_of_anybody_else(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    ask(&programme, "areas", BY_PUPIL_NUMBER).await;
    let (school, role) = (caller(SCHOOLS.0), "education-welfare-officer".parse().expect("a role"));
    let holder = Raiser::Holder(&school, &role);
    let refused = recall_as(&programme, holder, &Named::Record(name(CARE, 2)), "namesake").await;
    assert!(matches!(refused, Err(RecallError::Unknown)), "{refused:?}");
    let two = Named::Two(name(SCHOOLS, 1), name(CARE, 2));
    let refused = recall_as(&programme, holder, &two, "namesake").await;
    assert!(matches!(refused, Err(RecallError::Unknown)), "another's record is not the holder's to name");
    let refused = recall_as(&programme, holder, &Named::Record(name(SCHOOLS, 1)), "record-wrong").await;
    assert!(matches!(refused, Err(RecallError::Reason)), "{refused:?}");
    let nobody = "nobody".parse().expect("a code");
    let stranger = Raiser::Holder(&school, &nobody);
    let refused = recall_as(&programme, stranger, &Named::Record(name(SCHOOLS, 1)), "namesake").await;
    assert!(matches!(refused, Err(RecallError::Role)), "{refused:?}");
    assert!(entries(&programme, "recall.open").await.is_empty());

    // A record that is linked with nobody is taken just the same.
    let alone = recall_as(&programme, holder, &Named::Record(name(SCHOOLS, 99)), "namesake").await.expect("taken");
    let opened = recall_as(&programme, holder, &Named::Record(name(SCHOOLS, 1)), "twin-or-sibling").await;
    let opened = opened.expect("taken");
    go_on(&programme).await;
    assert_eq!(report(&programme, alone.id).await.counts.wrong, 0);
    assert_eq!(report(&programme, opened.id).await.counts.wrong, 1);
    assert_eq!(met(&ask(&programme, "areas", BY_PUPIL_NUMBER).await.answer), ["A2"]);
    assert!(inbox(&programme, SCHOOLS.0).await.is_empty(), "the holder received nothing");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_wrong_delivery_is_recalled_until_another_takes_its_place(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let other: &[(&str, &str)] = &[("nhs", "9990000026"), ("upn", "upn 3")];
    let rows = [child(&programme, 1, PUPIL, "E1").await, child(&programme, 3, other, "E1").await];
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &rows).await;
    let silent = programme.row(4, &other[..1], json!({ "role": "child", "flags": [] }));
    let rows = [child(&programme, 2, BY_NUMBER, "H2").await, silent.clone()];
    let wrong = programme.deliver(CARE.0, CARE.1, CORE, &rows).await;
    let answered = ask(&programme, "areas", BY_PUPIL_NUMBER).await;
    ask(&programme, "areas", &other[1..]).await; // of this child the delivery says nothing

    let (care, role) = (caller(CARE.0), "social-worker".parse().expect("a role"));
    let named = Named::Submission(wrong.id);
    let foreign = recall_as(&programme, Raiser::Holder(&caller(SCHOOLS.0), &role), &named, "record-wrong").await;
    assert!(matches!(foreign, Err(RecallError::Unknown)), "{foreign:?}");
    let opened = recall_as(&programme, Raiser::Holder(&care, &role), &named, "record-wrong").await.expect("taken");
    go_on(&programme).await;
    let found = report(&programme, opened.id).await;
    assert_eq!((found.recall.looked, found.recall.untouched, found.counts.wrong), (2, 1, 1));
    assert_eq!(found.recall.state, RecallState::Searching, "it is still answered from");
    let notices = inbox(&programme, "early-help-hub").await;
    let entry = notices[0].body.as_ref().and_then(NoticeBody::entry);
    assert_eq!((notices.len(), entry), (1, Some(answered.disclosure)));

    ask(&programme, "areas", BY_PUPIL_NUMBER).await;
    let row = programme.row(2, BY_NUMBER, json!({ "role": "child", "flags": [] }));
    programme.deliver(CARE.0, CARE.1, CORE, &[row, silent]).await;
    ask(&programme, "areas", BY_PUPIL_NUMBER).await;
    go_on(&programme).await;
    let found = report(&programme, opened.id).await;
    assert_eq!((found.recall.state, found.counts.wrong), (RecallState::Waiting, 2), "the one since as well");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn families_are_marked_and_claims_wait_for_a_new_engagement(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    let claim = Ask {
        agency: "programme-team",
        agreement: "programme-delivery/v1",
        purpose: "claim-validation",
        mode: "criteria",
        role: "claims-officer",
    };
    let mut family = programme.question(claim, BY_PUPIL_NUMBER, &[]);
    family.relationship = porth::domain::programme::Relationship::Screening;
    let team = caller("programme-team");
    let new = NewEngagement { family: family.clone(), engaged_on: programme.today().await };
    let engaged = programme.gateway.engage(&team, &new, "a-key-of-the-team-01").await.expect("engaged");

    let mut tx = programme.gateway.store().begin().await.expect("a transaction");
    let tfid = "TF-0000-0000-0000-0011".parse().expect("well-formed");
    let now = tx.now().await.expect("the clock");
    let of = |name: RecordName| porth::domain::family::RecordName {
        agency: name.agency,
        feed: name.feed,
        reference: name.reference,
    };
    let route = porth::domain::family::IdentificationRoute::DataMatch;
    tx.add_family(&programme.code, &tfid, route, now).await.expect("added");
    tx.join_family(&tfid, &[of(name(SCHOOLS, 1)), of(name(CARE, 2))], now).await.expect("joined");
    tx.commit().await.expect("kept");

    let check = NewClaimCheck { family, engagement: engaged.disclosure, route: Route::Outcomes };
    programme.gateway.check_claim(&team, &check, "a-key-of-the-team-02").await.expect("checked");
    let id = recall(&programme, &Named::Two(name(SCHOOLS, 1), name(CARE, 2)), "namesake").await;
    go_on(&programme).await;
    let found = report(&programme, id).await;
    assert_eq!((found.counts.engagements, found.counts.families), (1, 1));
    let notices = inbox(&programme, "programme-team").await;
    let marked = |notice: &&Notice| matches!(&notice.body, Some(NoticeBody::FamilyAttention { tfid: marked, .. }) if *marked == tfid);
    assert_eq!(notices.iter().filter(marked).count(), 1);
    let refused = programme.gateway.check_claim(&team, &check, "a-key-of-the-team-03").await;
    assert!(matches!(refused, Err(ClaimError::Recalled)), "{refused:?}");
    assert!(!serde_json::to_string(&entries(&programme, "recall.notice").await).expect("JSON").contains("TF-0000"));
}

fn pair_name(holder: (&str, &str), reference: u32) -> pair::RecordName {
    let RecordName { agency, feed, reference } = name(holder, reference);
    pair::RecordName { agency, feed, reference }
}

/// What recalls of a holder's record leave behind that its later requests are held against.
async fn raised(programme: &TestProgramme) -> i64 {
    let mut tx = programme.gateway.store().begin().await.expect("begins");
    let agency = SCHOOLS.0.parse().expect("a code");
    tx.matches_raised_since(&programme.code, &agency, Timestamp::from_micros(0)).await.expect("counted")
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_recall_counts_the_same_whether_the_record_was_linked_or_not(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    let (school, role) = (caller(SCHOOLS.0), "education-welfare-officer".parse().expect("a role"));
    let holder = Raiser::Holder(&school, &role);
    let record = |number| Named::Record(name(SCHOOLS, number));
    let mut ids = Vec::new();
    for (number, after) in [(1, 1), (99, 2)] {
        let opened = recall_as(&programme, holder, &record(number), "namesake").await.expect("taken");
        let again = recall_as(&programme, holder, &record(number), "namesake").await.expect("a repeat");
        assert_eq!((raised(&programme).await, again), (after, opened), "record {number}");
        ids.push(opened.possible_match.expect("it can be taken back"));
    }
    for (number, id) in ids.into_iter().enumerate() {
        let why = (&role, ReversalReason::ALL[0]);
        let key = format!("a-key-of-a-reversal-{number}");
        programme.gateway.reverse_possible_match(&school, id, why, &key).await.expect("taken back");
    }
    let pairs = programme.gateway.store().standing_pairs(&programme.code).await.expect("pairs");
    assert!(pairs.iter().all(|pair| pair.state == PairState::Reversed), "{pairs:?}");

    // Whoever has parted enough today parts neither, by doubt or by recall.
    let mut tx = programme.gateway.store().begin().await.expect("begins");
    let now = tx.now().await.expect("the clock");
    for _ in 0..97 {
        let id = PossibleMatchId::new(uuid::Uuid::now_v7());
        let record = pair_name(SCHOOLS, 1);
        let row = NewMatch { id, record, fields: Vec::new(), asked_at: now };
        tx.add_match(&programme.code, &row).await.expect("kept");
    }
    tx.commit().await.expect("committed");
    let last = recall_as(&programme, holder, &record(98), "namesake").await;
    assert!(last.is_ok(), "the hundredth: {last:?}");
    for number in [1, 97] {
        let over = recall_as(&programme, holder, &record(number), "other-person").await;
        assert!(matches!(over, Err(RecallError::Today)), "record {number}: {over:?}");
    }
    recall_as(&programme, Raiser::Officer("ig-1"), &record(1), "namesake").await.expect("an officer may");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_changed_while_a_recall_was_prepared_is_read_again(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    let mut tx = programme.gateway.store().begin().await.expect("begins");
    tx.lock_programme(&programme.code).await.expect("locked");
    let preparing = programme.clone();
    let recalled = tokio::spawn(async move {
        let (school, role) = (caller(SCHOOLS.0), "education-welfare-officer".parse().expect("a role"));
        let named = Named::Record(name(SCHOOLS, 1));
        recall_as(&preparing, Raiser::Holder(&school, &role), &named, "namesake").await.map(drop)
    });
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let now = tx.now().await.expect("the clock");
    let mark = RecordMark {
        name: pair_name(SCHOOLS, 1),
        effect: Effect::Restricted,
        criterion: String::new(),
        matter: [7; 16],
    };
    tx.add_record_mark(&programme.code, &mark, now).await.expect("marked");
    tx.raise_policy_revision(Some(&programme.code)).await.expect("raised");
    tx.commit().await.expect("committed");
    recalled.await.expect("it ran").expect("taken");
    let pairs = programme.gateway.store().standing_pairs(&programme.code).await.expect("pairs");
    assert!(pairs.is_empty(), "the record is not used any more: {pairs:?}");
}
