//! Tokens in, matched, policy-limited answers out, every one of them logged.

use porth::app::enquire::EnquiryError;
use porth::domain::enquiry::{Answer, Lead};
use porth::domain::evidence::EvidenceState;
use porth::tlog::entry::AgreementState;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::database::Backend;
use crate::support::programme::{Ask, HUB_AREAS, TestProgramme, agreement};

const CHILD: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "child")];
const MOTHER: &[(&str, &str)] = &[("nhs", "9990000026"), ("k3", "mother")];
const HOME: &[(&str, &str)] = &[("uprn", "100040123456")];

fn state(answer: &Answer, area: &str) -> EvidenceState {
    let Answer::Areas { areas, .. } = answer else { panic!("an answer about areas: {answer:?}") };
    areas.iter().find(|found| found.area.as_str() == area).expect("an area with criteria").state
}

async fn recent(programme: &TestProgramme) -> Value {
    let from = programme.today().await - jiff::Span::new().days(40);
    json!({ "from": from.to_string() })
}

async fn met(programme: &TestProgramme, criterion: &str) -> Value {
    let from = recent(programme).await["from"].clone();
    json!([{ "criterion": criterion, "state": "met", "from": from }])
}

/// Education says that the child misses school; social care knows the child and the mother at home.
async fn a_family_known_to_two(programme: &TestProgramme) {
    let home = programme.tokens(HOME);
    let attendance = met(programme, "E1").await;
    let need = met(programme, "H2").await;
    programme
        .deliver(
            "education",
            "attendance",
            "early-help-core/v1",
            &[programme.row(1, CHILD, json!({ "role": "child", "household": home, "flags": attendance }))],
        )
        .await;
    let service =
        json!({ "since": "2026-03", "lead": true, "team_route": team("childrens-social-care"), "status": "open" });
    programme
        .deliver(
            "childrens-social-care",
            "cases",
            "early-help-core/v1",
            &[
                programme.row(
                    1,
                    &CHILD[..1],
                    json!({ "role": "child", "household": home, "flags": need, "service": service }),
                ),
                programme.row(2, MOTHER, json!({ "role": "adult", "household": home })),
            ],
        )
        .await;
}

/// The first team that an agency's shipped file lists.
fn team(agency: &str) -> String {
    let path = format!("{}/policies/agencies/{agency}.toml", env!("CARGO_MANIFEST_DIR"));
    let file: toml::Table = std::fs::read_to_string(path).expect("shipped").parse().expect("TOML");
    file["team"][0]["route"].as_str().expect("a route").to_owned()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn two_agencies_evidence_about_one_child_answers_for_the_family(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family_known_to_two(&programme).await;

    for person in [CHILD, MOTHER] {
        let answer = programme.ask(HUB_AREAS, person, &[]).await.expect("permitted").answer;
        assert_eq!(state(&answer, "A2"), EvidenceState::Met, "school attendance, from education");
        assert_eq!(state(&answer, "A3"), EvidenceState::Met, "a child in need, from social care");
        assert_ne!(state(&answer, "A1"), EvidenceState::NotMet, "nobody said that there was no crime");
    }
    let eligible = Ask { mode: "eligible", ..HUB_AREAS };
    let Answer::Eligible { eligible, .. } = programme.ask(eligible, MOTHER, &[]).await.expect("permitted").answer
    else {
        panic!("an eligible answer")
    };
    assert_eq!(eligible, EvidenceState::Met, "two areas");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_same_family_is_answered_differently_under_different_agreements(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family_known_to_two(&programme).await;

    let police = Ask {
        agency: "police",
        agreement: "police-contact/v1",
        purpose: "safeguarding",
        mode: "lead",
        role: "safeguarding-officer",
    };
    let receipted = programme.ask(police, CHILD, &[]).await.expect("police may learn who leads");
    let Answer::Lead { lead: Lead::Known { agency, .. }, .. } = &receipted.answer else {
        panic!("somebody leads: {:?}", receipted.answer)
    };
    assert_eq!(agency.as_str(), "childrens-social-care");
    assert!(receipted.contact.is_some());

    let areas = Ask { mode: "areas", ..police };
    let Err(EnquiryError::NotPermitted { hits, .. }) = programme.ask(areas, CHILD, &[]).await else {
        panic!("police may not learn areas")
    };
    assert!(!hits.is_empty() && hits.iter().all(|hit| !hit.say.is_empty()));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shielded_person_is_answered_as_one_whom_nobody_else_knows(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family_known_to_two(&programme).await;
    let known = programme.ask(HUB_AREAS, CHILD, &[]).await.expect("permitted").answer;

    // Housing shields the child: nothing of the others may show from now on.
    programme
        .deliver(
            "housing",
            "tenancies",
            "early-help-core/v1",
            &[programme.row(1, &CHILD[..1], json!({ "role": "child", "restricted": true }))],
        )
        .await;
    let shielded = programme.ask(HUB_AREAS, CHILD, HOME).await.expect("permitted").answer;
    let unknown = programme.ask(HUB_AREAS, &[("nhs", "9990000034")], HOME).await.expect("permitted").answer;
    assert_ne!(known, shielded);
    assert_eq!(shielded, unknown);
    let mother = programme.ask(HUB_AREAS, MOTHER, &[]).await.expect("permitted").answer;
    assert_ne!(state(&mother, "A2"), EvidenceState::Met, "the child no longer counts in the mother's family");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_snapshot_replaces_the_one_before_and_a_repeat_lands_once(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family_known_to_two(&programme).await;
    let header = programme.header("education", "attendance", "early-help-core/v1").await;
    let other = [programme.row(9, &[("nhs", "9990000042")], json!({ "role": "child" }))];

    let first = programme.submit(&header, &other).await.expect("taken");
    programme.publish().await;
    let again = programme.submit(&header, &other).await.expect("taken");
    assert_eq!((again.id, again.is_repeat), (first.id, true));

    let answer = programme.ask(HUB_AREAS, CHILD, &[]).await.expect("permitted").answer;
    assert_ne!(state(&answer, "A2"), EvidenceState::Met, "the new snapshot no longer holds the child");
    assert_eq!(state(&answer, "A3"), EvidenceState::Met, "social care's record stays");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_suspended_agreement_stops_answers_at_once(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family_known_to_two(&programme).await;
    programme.ask(HUB_AREAS, CHILD, &[]).await.expect("in force");

    let reference = agreement("early-help-core/v1");
    programme
        .gateway
        .set_agreement_status(&reference, AgreementState::Suspended, "officer", "review")
        .await
        .expect("suspended");

    let Err(EnquiryError::NotPermitted { hits, .. }) = programme.ask(HUB_AREAS, CHILD, &[]).await else {
        panic!("a suspended agreement answers nothing")
    };
    assert!(hits.iter().any(|hit| hit.say.contains("force")), "{hits:?}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn every_answer_and_refusal_is_in_the_log_before_it_leaves(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family_known_to_two(&programme).await;
    let answered = programme.ask(HUB_AREAS, CHILD, &[]).await.expect("permitted");
    let refused = programme.ask(Ask { purpose: "audit", ..HUB_AREAS }, CHILD, &[]).await;
    let Err(EnquiryError::NotPermitted { disclosure, .. }) = refused else { panic!("not for audit: {refused:?}") };

    let store = programme.gateway.store();
    for event in [answered.disclosure, disclosure] {
        assert!(store.event_body(event).await.expect("the log").is_some());
        assert_eq!(store.leaf_index(event).await.expect("the log"), None, "not sequenced yet");
    }
    let step = programme.sequencer.drain().await.expect("sequenced");
    assert!(step.added > 20, "policies, signatures, submissions and questions");
    for event in [answered.disclosure, disclosure] {
        assert!(store.leaf_index(event).await.expect("the log").is_some());
    }
    assert_eq!(store.pending_count().await.expect("the queue"), 0);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shield_reaches_someone_who_moved_and_shares_no_number_or_address(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let attendance = met(&programme, "E1").await;
    let old_life: &[(&str, &str)] =
        &[("upn", "B801200005001"), ("k3", "name and old address"), ("k5", "name and birth")];
    let refuge: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "name and refuge"), ("k5", "name and birth")];
    programme
        .deliver(
            "education",
            "attendance",
            "early-help-core/v1",
            &[programme.row(1, old_life, json!({ "role": "child", "flags": attendance }))],
        )
        .await;
    let before = programme.ask(HUB_AREAS, old_life, &[]).await.expect("permitted").answer;
    assert_eq!(state(&before, "A2"), EvidenceState::Met);

    programme
        .deliver(
            "childrens-social-care",
            "cases",
            "early-help-core/v1",
            &[programme.row(1, refuge, json!({ "role": "child", "restricted": true }))],
        )
        .await;
    let after = programme.ask(HUB_AREAS, old_life, &[]).await.expect("permitted").answer;
    let unknown = programme.ask(HUB_AREAS, &[("nhs", "9990000034")], &[]).await.expect("permitted").answer;
    assert_eq!(after, unknown, "hidden through name and date of birth alone");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_sealed_answer_holds_the_evidence_as_it_was_evaluated(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family_known_to_two(&programme).await;
    let answer = programme.ask(HUB_AREAS, CHILD, &[]).await.expect("permitted");

    let gateway = &programme.gateway;
    let entry = gateway.store().sealed_entry(answer.disclosure, "answer").await.expect("the database");
    let sealed = entry.expect("an entry with a sealed answer").sealed;
    let plain = gateway.keys().fields.open("opening", "answer", answer.disclosure.as_bytes(), &sealed).expect("opens");
    let (_salt, value) = plain.split_at(32);
    let said: Value = serde_json::from_slice(value).expect("JSON");

    assert_eq!(said["answer"], serde_json::to_value(&answer.answer).expect("plain data"));
    let members = said["members"].as_array().expect("the family");
    assert_eq!(members.len(), 2, "the child and the mother");
    let statements: Vec<&Value> = members.iter().flat_map(|m| m["statements"].as_array().expect("some")).collect();
    let attendance = statements.iter().find(|said| said["agency"] == "education").expect("education spoke");
    assert_eq!(attendance["feed"], "attendance");
    let flag = &attendance["evidence"]["flags"][0];
    assert_eq!((&flag["criterion"], &flag["state"]), (&json!("E1"), &json!("met")));
    assert_eq!(flag["from"], recent(&programme).await["from"]);
    let submissions = said["submissions"].as_array().expect("which submissions");
    assert!(submissions.iter().any(|named| named[0] == "education" && named[1] == "attendance"));
}

#[tokio::test]
async fn records_outside_the_set_cannot_drown_a_person_in_a_crowd() {
    const CROWD: u32 = 2010;
    let programme = TestProgramme::start(Backend::Sqlite).await;
    let (attendance, need) = (met(&programme, "E1").await, met(&programme, "H2").await);
    let home = programme.tokens(HOME);
    let pupil = |n: u32| -> Value {
        let mut extra = json!({ "role": "child" });
        if n == 0 {
            extra = json!({ "role": "child", "household": home, "flags": attendance });
        }
        programme.row(n, &[("k3", &format!("pupil {n}"))], extra)
    };
    let pupils: Vec<Value> = (0..CROWD).map(pupil).collect();
    programme.deliver("education", "attendance", "early-help-core/v1", &pupils).await;
    let case = programme.row(1, &[("k3", "pupil 0")], json!({ "role": "child", "household": home, "flags": need }));
    programme.deliver("childrens-social-care", "cases", "early-help-core/v1", &[case]).await;
    let housing = Ask {
        agency: "housing",
        agreement: "housing-support/v1",
        purpose: "tenancy-support",
        mode: "eligible",
        role: "housing-officer",
    };
    let before = programme.ask(housing, &[("k3", "pupil 0")], &[]).await.expect("permitted").answer;
    let Answer::Eligible { eligible, .. } = &before else { panic!("an eligible answer") };
    assert_eq!(*eligible, EvidenceState::Met);

    // Police, which housing may not hear, join every pupil to the next: more than one look reads.
    let joint = |n: u32| {
        let (one, next) = (format!("pupil {n}"), format!("pupil {}", n + 1));
        programme.row(n, &[("k3", &one), ("k3", &next)], json!({}))
    };
    let joints: Vec<Value> = (0..CROWD - 1).map(joint).collect();
    programme.deliver("police", "outcomes", "safeguarding-partners/v1", &joints).await;
    let after = programme.ask(housing, &[("k3", "pupil 0")], &[]).await.expect("permitted").answer;
    assert_eq!(after, before, "what others submit changes no answer within the set");
}
