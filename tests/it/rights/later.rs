//! What is done after a case was opened: a shield is placed, the agency drops its own record.

use porth::app::subject_rights::{Matter, PartAnswer, SubjectError};
use porth::domain::labels::SUBJECT_SHIELD;
use porth::domain::subject_case::{PartOutcome, SubjectRight};
use rstest::rstest;
use serde_json::{Value, json};

use super::{CARE, CORE, GIRL, SCHOOLS, all_met, areas, caller, family, open, user, verdict};
use crate::support::database::Backend;
use crate::support::programme::{HUB_AREAS, TestProgramme};

const HOUSING: (&str, &str) = ("housing", "tenancies");

/// Housing knows the girl, and shields her or does not.
async fn housing_knows(programme: &TestProgramme, restricted: bool) {
    let row = programme.row(5, GIRL, json!({ "role": "child", "restricted": restricted }));
    programme.deliver(HOUSING.0, HOUSING.1, CORE, &[row]).await;
}

/// What the shield officers open of the one case: as it was opened, and as it is now.
async fn of_officers(programme: &TestProgramme) -> [Value; 2] {
    let parts = programme.gateway.parts_for_shield_officers("shield-1").await.expect("handed out");
    let [part] = &parts[..] else { panic!("one case: {parts:?}") };
    assert_eq!(part.sealed.len(), part.sealed_now.len());
    [&part.sealed, &part.sealed_now].map(|sealed| {
        let opened = programme.keys.shield.open(SUBJECT_SHIELD, part.case.as_bytes(), sealed).expect("their key");
        serde_json::from_slice(&opened).expect("JSON")
    })
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shield_that_comes_after_a_case_was_opened_reaches_its_parts_and_answers(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    family(&programme).await;
    let case = open(&programme, SCHOOLS, 1, SubjectRight::Access, None).await.expect("opened").value;
    let queue = async || gateway.subject_parts(&caller(CARE.0)).await.expect("a queue");
    let part = queue().await.remove(0);
    let answer = PartAnswer { verdict: verdict(PartOutcome::Released, &[]), reply: Some(b"what it may give".to_vec()) };
    let collected = async || {
        let done = gateway.collect_subject_replies(&caller(SCHOOLS.0), case.id, &user()).await;
        done.expect("collected").value.replies.len()
    };

    housing_knows(&programme, true).await;
    assert!(queue().await.is_empty(), "the part is hidden although it was made before");
    let data = gateway.subject_data(&caller(CARE.0), Matter::Part(part.id), &user()).await;
    assert!(matches!(data, Err(SubjectError::Unknown)), "{data:?}");
    let answered = gateway.answer_subject_part(&caller(CARE.0), part.id, &answer).await;
    assert!(matches!(answered, Err(SubjectError::Unknown)), "{answered:?}");
    let reason = "settled".parse().expect("a code");
    let lifted = gateway.lift_subject_marks(&caller(CARE.0), Matter::Part(part.id), &reason, &user()).await;
    assert!(matches!(lifted, Err(SubjectError::Unknown)), "{lifted:?}");
    let [then, now] = of_officers(&programme).await;
    assert_eq!((&then["shielded"], &now["shielded"]), (&json!(false), &json!(true)));
    assert_eq!(now["shielding"], json!(["housing"]));
    assert_eq!(now["records"].as_array().map(Vec::len), Some(2), "social care's and housing's");

    // The controller cannot uncover it by dropping its own record, nor the opener by dropping its own.
    let mother = programme.row(3, &[("nhs", "9990000026")], json!({ "role": "adult" }));
    programme.deliver(CARE.0, CARE.1, CORE, &[mother]).await;
    assert!(queue().await.is_empty());
    family(&programme).await;
    let other = programme.row(9, &[("nhs", "9990000042")], json!({ "role": "child" }));
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[other]).await;
    assert!(queue().await.is_empty());
    family(&programme).await;

    housing_knows(&programme, false).await;
    assert_eq!(queue().await.len(), 1, "the shield is gone");
    gateway.answer_subject_part(&caller(CARE.0), part.id, &answer).await.expect("answered");
    assert_eq!(collected().await, 1);
    housing_knows(&programme, true).await;
    assert_eq!(collected().await, 0, "an answer that was given before it is withheld");
    // Its own part is still there for social care; nothing that it decided is in effect.
    let lifted = gateway.lift_subject_marks(&caller(CARE.0), Matter::Part(part.id), &reason, &user()).await;
    assert!(matches!(lifted, Err(SubjectError::NotInEffect)), "{lifted:?}");
    let other = programme.row(9, &[("nhs", "9990000042")], json!({ "role": "child" }));
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[other]).await;
    assert_eq!(collected().await, 0, "whoever drops its own record cannot be given what a shield would keep");
    family(&programme).await;
    housing_knows(&programme, false).await;
    let mother = programme.row(3, &[("nhs", "9990000026")], json!({ "role": "adult" }));
    programme.deliver(CARE.0, CARE.1, CORE, &[mother]).await;
    assert_eq!(collected().await, 1, "an answer stays although its controller delivers the record no more");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_answer_about_somebody_who_turns_out_to_be_another_is_not_given(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    family(&programme).await;
    let case = open(&programme, SCHOOLS, 1, SubjectRight::Access, None).await.expect("opened").value;
    let part = gateway.subject_parts(&caller(CARE.0)).await.expect("a queue").remove(0);
    let answer = PartAnswer { verdict: verdict(PartOutcome::Released, &[]), reply: Some(b"of a girl".to_vec()) };
    gateway.answer_subject_part(&caller(CARE.0), part.id, &answer).await.expect("answered");
    let row = programme.row(2, &[("nhs", "9990000042")], json!({ "role": "child" }));
    programme.deliver(CARE.0, CARE.1, CORE, &[row]).await;
    assert_eq!(areas(&programme, GIRL).await, all_met(&["A2"]), "the record is about somebody else");
    let collected = gateway.collect_subject_replies(&caller(SCHOOLS.0), case.id, &user()).await.expect("collected");
    assert!(collected.value.replies.is_empty());
    assert!(gateway.subject_parts(&caller(CARE.0)).await.expect("a queue").is_empty());
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agency_that_drops_its_own_record_is_not_told_what_the_shielding_agency_got(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    family(&programme).await;
    let asked = programme.ask(HUB_AREAS, GIRL, &[]).await.expect("permitted").disclosure;
    let case = open(&programme, SCHOOLS, 1, SubjectRight::Access, None).await.expect("opened").value;
    let told = async || {
        let done = gateway.subject_data(&caller(SCHOOLS.0), Matter::Case(case.id), &user()).await.expect("shown");
        done.value.disclosures.iter().map(|seen| seen.disclosure).collect::<Vec<_>>()
    };
    assert!(told().await.contains(&asked), "what was disclosed is shown while nobody shields her");

    // The hub itself shields her now.
    let row = programme.row(6, GIRL, json!({ "role": "child", "restricted": true }));
    programme.deliver("early-help-hub", "assessments", CORE, &[row]).await;
    let shielded = told().await;
    assert!(!shielded.contains(&asked), "what the shielding agency got is not shown");
    let other = programme.row(9, &[("nhs", "9990000042")], json!({ "role": "child" }));
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[other]).await;
    assert!(!told().await.contains(&asked), "nor once the record that the shield reaches is gone");
}
