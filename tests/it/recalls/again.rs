//! Whoever is told that an answer was wrong can have today's, without the tokens that it was asked with: by the same
//! decision, in the log, and with nothing that any other enquiry would not give.

use porth::app::enquire::{EnquiryError, QuestionFault};
use porth::app::notices::{AskAgain, AskAgainError, NoticeError, Today};
use porth::app::recall::Named;
use rstest::rstest;

use super::*;
use crate::support::database::Backend;
use crate::support::programme::agreement;

const HUB: &str = "early-help-hub";

fn now() -> AskAgain {
    AskAgain {
        agreement: None,
        role: "early-help-practitioner".parse().expect("a role"),
        user: OpaqueRef::parse(&opaque(9)).expect("a reference"),
    }
}

async fn again_as(
    programme: &TestProgramme,
    agency: &str,
    notice: &Notice,
    now: &AskAgain,
    key: &str,
) -> Result<Receipted, AskAgainError> {
    programme.gateway.ask_again(&caller(agency), notice.id, now, key).await
}

/// A wrong answer that the hub received, and the notice that tells it so.
async fn a_wrong_answer(programme: &TestProgramme) -> (Receipted, Notice) {
    two_children_as_one(programme).await;
    let wrong = ask(programme, "areas", BY_PUPIL_NUMBER).await;
    assert_eq!(met(&wrong.answer), ["A2", "A3"]);
    recall(programme, &Named::Two(name(SCHOOLS, 1), name(CARE, 2)), "namesake").await;
    go_on(programme).await;
    let notice = inbox(programme, HUB).await.remove(0);
    (wrong, notice)
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn todays_answer_comes_by_the_notice_and_its_entry_names_the_old_one(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let (wrong, notice) = a_wrong_answer(&programme).await;
    let next = notice.next.clone().expect("a step");
    assert!(next.by_notice && next.say.contains("ask-again"), "{next:?}");
    let terms = next.terms.expect("an enquiry's");
    assert_eq!((terms.agreement, terms.mode.as_str()), (Some(agreement(CORE)), "areas"));

    let first = again_as(&programme, HUB, &notice, &now(), "a-key-of-the-hub-01").await.expect("permitted");
    assert_eq!(first.answer, ask(&programme, "areas", BY_PUPIL_NUMBER).await.answer, "as if asked with the tokens");
    assert_eq!(met(&first.answer), ["A2"]);
    let same = again_as(&programme, HUB, &notice, &now(), "a-key-of-the-hub-01").await.expect("kept");
    assert_eq!(same.disclosure, first.disclosure, "the same key asks once");

    let asked = entries(&programme, "enquiry").await;
    let id_of = |event: porth::domain::ids::EventId| Value::from(event.to_string());
    let entry = |event| asked.iter().find(|entry| entry["event"] == id_of(event)).expect("in the log");
    let (old, new) = (&entry(wrong.disclosure)["body"], &entry(first.disclosure)["body"]);
    assert_eq!(new["again"], id_of(wrong.disclosure));
    assert!(old.get("again").is_none());
    for field in ["recipient", "agreement", "purpose", "mode", "relationship", "request"] {
        assert_eq!(new[field], old[field], "{field}");
    }
    assert_eq!(asked.iter().filter(|entry| entry["body"].get("again").is_some()).count(), 1);
    let judged = programme.gateway.judge_again(first.disclosure).await.expect("it is replayed like any answer");
    assert!(judged.is_same);
    // An answer that was asked for again can be recalled and asked for again itself.
    assert!(programme.gateway.store().sealed_entry(first.disclosure, "subject").await.expect("asked").is_some());

    for stranger in ["housing", SCHOOLS.0] {
        let refused = again_as(&programme, stranger, &notice, &now(), "a-key-of-another-01").await;
        assert!(matches!(refused, Err(AskAgainError::Notice(NoticeError::Unknown))), "{stranger}: {refused:?}");
    }
    let nobody = AskAgain { role: "head-of-everything".parse().expect("a code"), ..now() };
    let refused = again_as(&programme, HUB, &notice, &nobody, "a-key-of-the-hub-02").await;
    let fault = EnquiryError::Question(QuestionFault::Undeclared);
    assert!(
        matches!(&refused, Err(AskAgainError::Enquiry(error)) if error.to_string() == fault.to_string()),
        "{refused:?}"
    );

    acknowledge_all(&programme, HUB).await;
    let over = again_as(&programme, HUB, &notice, &now(), "a-key-of-the-hub-03").await;
    assert!(matches!(over, Err(AskAgainError::Acknowledged)), "{over:?}");
    let read = programme.gateway.notices(&caller(HUB), false, None).await.expect("an inbox").notices.remove(0);
    assert!(!read.next.expect("a step").by_notice);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn somebody_whom_a_shield_reaches_since_is_answered_for_as_a_stranger(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let (_, notice) = a_wrong_answer(&programme).await;
    shield(&programme).await;
    let again = again_as(&programme, HUB, &notice, &now(), "a-key-of-the-hub-01").await.expect("permitted");
    let stranger = ask(&programme, "areas", &[("upn", "somebody else")]).await;
    assert_eq!(again.answer, stranger.answer);
    let asked = entries(&programme, "enquiry").await;
    let body = |receipted: &Receipted| {
        let id = receipted.disclosure.to_string();
        asked.iter().find(|entry| entry["event"] == id.as_str()).expect("in the log")["body"].clone()
    };
    assert_eq!(body(&again)["decisions"], body(&stranger)["decisions"]);
    assert_eq!(body(&again)["feeds"], body(&stranger)["feeds"]);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_agreements_of_today_decide_and_a_refusal_names_the_old_answer_too(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let (wrong, notice) = a_wrong_answer(&programme).await;
    let state = porth::tlog::entry::AgreementState::Suspended;
    programme.gateway.set_agreement_status(&agreement(CORE), state, "officer", "incident").await.expect("suspended");
    let refused = again_as(&programme, HUB, &notice, &now(), "a-key-of-the-hub-01").await;
    let Err(AskAgainError::Enquiry(EnquiryError::NotPermitted { disclosure, hits, .. })) = refused else {
        panic!("refused by agreement: {refused:?}")
    };
    assert_eq!(hits[0].rule, "T01");
    let asked = entries(&programme, "enquiry").await;
    let entry = asked.iter().find(|entry| entry["event"] == disclosure.to_string().as_str()).expect("in the log");
    assert_eq!(entry["body"]["again"], wrong.disclosure.to_string().as_str());
    let read = inbox(&programme, HUB).await.remove(0);
    assert!(matches!(read.today, Some(Today::Refused(_))));
    assert!(read.next.expect("a step").say.contains("another agreement"));
    // An agreement that the agency has no part in lets nobody in by this door either.
    let other = AskAgain { agreement: Some(agreement("housing-support/v1")), ..now() };
    let refused = again_as(&programme, HUB, &notice, &other, "a-key-of-the-hub-02").await;
    assert!(matches!(refused, Err(AskAgainError::Enquiry(EnquiryError::NotPermitted { .. }))), "{refused:?}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_question_that_was_erased_is_asked_anew_and_the_notice_says_on_what_terms(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let (wrong, notice) = a_wrong_answer(&programme).await;
    // Nobody erases what an open recall names; an erasure that is followed after a restore takes it all the same.
    let mut tx = programme.gateway.store().begin().await.expect("a transaction");
    tx.drop_openings(&[wrong.disclosure]).await.expect("dropped");
    tx.commit().await.expect("committed");
    let gone = again_as(&programme, HUB, &notice, &now(), "a-key-of-the-hub-01").await;
    assert!(matches!(gone, Err(AskAgainError::Gone)), "{gone:?}");
    let next = inbox(&programme, HUB).await.remove(0).next.expect("a step");
    assert!(!next.by_notice && next.say.contains("your own record of the case"), "{next:?}");
    assert_eq!(next.terms.expect("an enquiry's").agreement, Some(agreement(CORE)));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_question_is_asked_again_through_the_blinding_keys_that_came_since(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let (_, notice) = a_wrong_answer(&programme).await;
    let rotated = programme.restarted_with(programme.keys.with_next_blinding_key());
    assert_eq!(rotated.gateway.restack("ops-1", "yearly", &mut |_| true).await.expect("restacked").layers, 2);
    let again = again_as(&rotated, HUB, &notice, &now(), "a-key-of-the-hub-01").await.expect("permitted");
    assert_eq!(met(&again.answer), ["A2"]);
}
