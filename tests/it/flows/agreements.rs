//! Agreements in the course of time: two officers put one in force, a new version takes its place, it ends
//! in the middle of somebody's work; and policies are taken into use under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use porth::app::activate::Activation;
use porth::app::caller::AgencyCaller;
use porth::app::enquire::EnquiryError;
use porth::app::error::AppError;
use porth::app::load_policy::PartySignature;
use porth::app::screen::Collected;
use porth::app::submit::FileFault;
use porth::crypto::random::SystemRandom;
use porth::crypto::sign::SigningKey;
use porth::domain::agreement::{Agreement, AgreementStatus, AgreementText};
use porth::domain::enquiry::Answer;
use porth::domain::evidence::EvidenceState;
use porth::domain::ids::AgreementRef;
use porth::tlog::entry::{AgreementState, Body, Code, Entry};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::database::Backend;
use crate::support::gateway::activate;
use crate::support::programme::{Ask, HUB_AREAS, TestProgramme, agreement, policy_files};

const CORE: &str = "early-help-core/v1";
const CHILD: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "child")];

async fn known_child(programme: &TestProgramme) {
    let from = (programme.today().await - jiff::Span::new().days(40)).to_string();
    let flags = json!([{ "criterion": "E1", "state": "met", "from": from }]);
    let row = programme.row(1, CHILD, json!({ "role": "child", "flags": flags }));
    programme.deliver("education", "attendance", CORE, &[row]).await;
}

fn shipped(id: &str) -> String {
    let files = policy_files();
    let texts = files.agreements.into_iter().map(|bytes| String::from_utf8(bytes).expect("text"));
    texts.into_iter().find(|text| text.starts_with(&format!("id = \"{id}\""))).expect("shipped")
}

fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the replacement must find {from}");
        text.replacen(from, to, 1)
    })
}

/// Every party signs a text with a new key.
async fn signed_by_all(programme: &TestProgramme, text: &AgreementText, suffix: &str) {
    for party in text.parties() {
        let key = SigningKey::generate(&SystemRandom::new());
        let key_id = format!("{}-{suffix}", party.agency);
        let public = *key.verifying_key().as_bytes();
        programme.gateway.enrol_signatory(&key_id, &party.agency, &public, "operator").await.expect("enrolled");
        let signature = key.sign(text.bytes()).to_vec();
        let signature = PartySignature { agreement: text.reference().clone(), key_id, signature };
        programme.gateway.sign_agreement(&signature).await.expect("signed");
    }
}

/// Loads a text among the files that there are, signed by every party and not yet in force.
async fn loaded_and_signed(programme: &TestProgramme, text: &str) -> AgreementRef {
    let mut files = policy_files();
    files.agreements.push(text.as_bytes().to_vec());
    programme.gateway.load_policies(&files, "operator").await.expect("loads");
    let text = AgreementText::parse(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    signed_by_all(programme, &text, "next").await;
    let of = text.reference().clone();
    programme.gateway.set_agreement_status(&of, AgreementState::Signed, "ops-1", "board").await.expect("signed");
    of
}

async fn status(programme: &TestProgramme, of: &AgreementRef) -> AgreementStatus {
    let policies = programme.gateway.current_policies().await.expect("policies");
    policies.book().agreement(of).map(|agreement: &Agreement| agreement.status).expect("loaded")
}

/// Lets an agreement's last day pass: the same version, signed by everybody and in force as before, ended
/// yesterday. The database's clock cannot be turned, so the text is moved instead.
async fn end_yesterday(programme: &TestProgramme, id: &str) {
    let yesterday = programme.today().await.yesterday().expect("a day before").to_string();
    let ended = edited(
        &shipped(id),
        &[
            ("ends = 2029-03-31", &format!("ends = {yesterday}")),
            ("review_due = 2027-06-30", &format!("review_due = {yesterday}")),
        ],
    );
    let text = AgreementText::parse(ended.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    let database = &programme.database;
    let (sha256, body) = (database.bytes(text.hash().as_bytes()), database.bytes(ended.as_bytes()));
    let name = text.reference();
    database
        .execute(&format!(
            "INSERT INTO document (sha256, kind, name, body, loaded_at) VALUES ({sha256}, 'agreement', '{name}', {body}, 0)"
        ))
        .await;
    database.execute(&format!("UPDATE agreement SET sha256 = {sha256} WHERE reference = '{name}'")).await;
    signed_by_all(programme, &text, "later").await;
}

async fn body_of(programme: &TestProgramme, event: porth::domain::ids::EventId) -> Body {
    let stored = programme.gateway.store().event_body(event).await.expect("the log").expect("there");
    Entry::parse(&stored).expect("an entry").into_body()
}

fn a2(answer: &Answer) -> EvidenceState {
    let Answer::Areas { areas, .. } = answer else { panic!("an answer about areas: {answer:?}") };
    areas.iter().find(|found| found.area.as_str() == "A2").expect("listed").state
}

fn rules(refused: Result<impl std::fmt::Debug, EnquiryError>) -> Vec<String> {
    let Err(EnquiryError::NotPermitted { hits, .. }) = refused else { panic!("not permitted: {refused:?}") };
    hits.into_iter().map(|hit| hit.rule).collect()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agreement_comes_into_force_by_two_officers_neither_of_whom_asked(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    let next = edited(&shipped("housing-support"), &[("version = 1", "version = 2\nsupersedes = 1")]);
    let of = loaded_and_signed(&programme, &next).await;

    let alone = gateway.set_agreement_status(&of, AgreementState::InForce, "ops-1", "board").await;
    assert!(alone.expect_err("refused").to_string().contains("two officers"));
    assert!(gateway.approve_activation(&of, "officer-1").await.is_err(), "nobody asked");
    gateway.request_activation(&of, "officer-1", "board:2026-11").await.expect("asked");
    assert!(gateway.request_activation(&of, "officer-2", "board:2026-11").await.is_err(), "it waits already");
    for own in ["officer-1", "Officer-1", " officer-1 "] {
        let refused = gateway.approve_activation(&of, own).await.expect_err("whoever asks does not approve");
        assert!(refused.to_string().contains("asks"), "{refused}");
    }
    assert_eq!(gateway.approve_activation(&of, "officer-2").await.expect("one"), Activation::Waiting);
    let twice = gateway.approve_activation(&of, "OFFICER-2").await.expect_err("the same account");
    assert!(twice.to_string().contains("another officer"), "{twice}");
    assert_eq!(status(&programme, &of).await, AgreementStatus::Signed);
    let replaced = Some(agreement("housing-support/v1"));
    assert_eq!(gateway.approve_activation(&of, "officer-3").await.expect("two"), Activation::InForce { replaced });
    assert_eq!(status(&programme, &of).await, AgreementStatus::InForce);
    assert_eq!(status(&programme, &agreement("housing-support/v1")).await, AgreementStatus::Expired);
    assert_eq!(gateway.store().activation_requests().await.expect("the database"), []);

    programme.sequencer.drain().await.expect("sequenced");
    porth::app::log_index::index_log(gateway.store()).await.expect("indexed");
    let logged = async |kind: &'static str| -> Vec<Body> {
        let found = gateway.store().entries_of_type(kind, 0, u64::MAX >> 1, 500).await.expect("the log");
        found.iter().map(|found| Entry::parse(&found.body).expect("an entry").into_body()).collect()
    };
    let statuses = logged("agreement.status").await.into_iter().filter_map(|body| match body {
        Body::AgreementStatus(entry) => Some(entry),
        _ => None,
    });
    let (mine, other): (Vec<_>, Vec<_>) = statuses.partition(|entry| entry.agreement == of);
    let entry = mine.iter().find(|entry| entry.to == AgreementState::InForce).expect("in force");
    let approved: Vec<&str> = entry.approved_by.iter().map(Code::as_str).collect();
    assert_eq!((entry.by.as_str(), approved), ("officer-1", vec!["officer-2", "officer-3"]));
    let ended = other.iter().find(|entry| entry.to == AgreementState::Expired).expect("the one before");
    assert_eq!((ended.agreement.to_string().as_str(), ended.reason.as_str()), ("housing-support/v1", "replaced"));
    let approvals = logged("agreement.approval").await;
    let officers =
        approvals.iter().filter(|body| matches!(body, Body::AgreementApproval(entry) if entry.agreement == of));
    assert_eq!(officers.count(), 2);
}

#[tokio::test]
async fn a_request_can_be_taken_back_and_a_version_does_not_end_its_predecessor_before_it_begins() {
    let programme = TestProgramme::start(Backend::Sqlite).await;
    let gateway = &programme.gateway;
    let tomorrow = programme.today().await.tomorrow().expect("a day after").to_string();
    let next =
        [("version = 1", "version = 2\nsupersedes = 1"), ("starts = 2026-04-01", &format!("starts = {tomorrow}"))];
    let of = loaded_and_signed(&programme, &edited(&shipped("housing-support"), &next)).await;

    gateway.request_activation(&of, "officer-1", "board").await.expect("asked");
    gateway.approve_activation(&of, "officer-2").await.expect("one");
    let early = gateway.approve_activation(&of, "officer-3").await.expect_err("its first day is tomorrow");
    assert!(early.to_string().contains("before it begins"), "{early}");
    assert_eq!(status(&programme, &agreement("housing-support/v1")).await, AgreementStatus::InForce);

    gateway.withdraw_activation(&of, "officer-1").await.expect("taken back");
    assert!(gateway.approve_activation(&of, "officer-3").await.is_err(), "approvals ended with it");
    assert_eq!(status(&programme, &of).await, AgreementStatus::Signed);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_new_version_takes_over_the_records_that_came_under_the_one_before(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    known_child(&programme).await;
    assert_eq!(a2(&programme.ask(HUB_AREAS, CHILD, &[]).await.expect("in force").answer), EvidenceState::Met);

    let second = edited(&shipped("early-help-core"), &[("version = 1", "version = 2\nsupersedes = 1")]);
    let of = loaded_and_signed(&programme, &second).await;
    activate(&programme.gateway, &of).await;

    assert!(rules(programme.ask(HUB_AREAS, CHILD, &[]).await).contains(&"T01".to_owned()), "the old one has ended");
    let by_second = Ask { agreement: "early-help-core/v2", ..HUB_AREAS };
    let answered = programme.ask(by_second, CHILD, &[]).await.expect("the new one answers");
    assert_eq!(a2(&answered.answer), EvidenceState::Met, "nothing had to be delivered again");
    let Body::Enquiry(entry) = body_of(&programme, answered.disclosure).await else { panic!("an enquiry") };
    let text = AgreementText::parse(second.as_bytes()).expect("parsed before");
    let line = entry.decisions.iter().find(|line| line.feed.as_str() == "attendance" && line.item.as_str() == "A2");
    let decided_by = line.and_then(|line| line.supply_sha256.as_ref()).expect("a supply term");
    assert_eq!(decided_by.as_bytes(), text.hash().as_bytes(), "the new text decided");

    let late = programme.submit(&programme.header("education", "attendance", CORE).await, &[]).await;
    assert!(late.is_err(), "nothing is delivered under the old one any more");

    // A third version that leaves the supplier out ends what it supplied, old records included.
    let third = [
        ("version = 1", "version = 3\nsupersedes = 2"),
        (
            "supplier = \"education\"\nrecipients = [\"early-help-hub\"]",
            "supplier = \"education\"\nrecipients = [\"housing\"]",
        ),
    ];
    let third = loaded_and_signed_beside(&programme, &[&second, &edited(&shipped("early-help-core"), &third)]).await;
    activate(&programme.gateway, &third).await;
    let narrowed = programme.ask(Ask { agreement: "early-help-core/v3", ..HUB_AREAS }, CHILD, &[]).await;
    assert_eq!(rules(narrowed), ["P03"], "the old terms carry nothing any more");
}

/// Loads several texts beside the files that there are; the last is signed by every party.
async fn loaded_and_signed_beside(programme: &TestProgramme, texts: &[&str]) -> AgreementRef {
    let mut files = policy_files();
    files.agreements.extend(texts.iter().map(|text| text.as_bytes().to_vec()));
    programme.gateway.load_policies(&files, "operator").await.expect("loads");
    let text = AgreementText::parse(texts.last().expect("one").as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    signed_by_all(programme, &text, "third").await;
    let of = text.reference().clone();
    programme.gateway.set_agreement_status(&of, AgreementState::Signed, "ops-1", "board").await.expect("signed");
    of
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_are_taken_into_use_without_a_dropped_question(#[case] backend: Backend) {
    let programme = Arc::new(TestProgramme::start(backend).await);
    known_child(&programme).await;
    let over = Arc::new(AtomicBool::new(false));
    let askers: Vec<_> = (0..4)
        .map(|_| {
            let (programme, over) = (Arc::clone(&programme), Arc::clone(&over));
            tokio::spawn(async move {
                let mut answered = 0_u32;
                while !over.load(Ordering::Relaxed) {
                    let answer = programme.ask(HUB_AREAS, CHILD, &[]).await.expect("no question is dropped");
                    assert_eq!(a2(&answer.answer), EvidenceState::Met);
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    let before = programme.gateway.current_policies().await.expect("policies").revision();
    let next = edited(&shipped("housing-support"), &[("version = 1", "version = 2\nsupersedes = 1")]);
    let of = loaded_and_signed(&programme, &next).await;
    activate(&programme.gateway, &of).await;
    for _ in 0..3 {
        let mut files = policy_files();
        files.agreements.push(next.as_bytes().to_vec());
        programme.gateway.load_policies(&files, "operator").await.expect("loads");
    }
    over.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for asker in askers {
        answered += asker.await.expect("no asker failed");
    }
    let after = programme.gateway.current_policies().await.expect("policies").revision();
    assert!(after >= before + 8, "each load, signature and status is a revision: {before} to {after}");
    assert!(answered >= 8, "questions were asked meanwhile: {answered}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agreement_that_ends_between_two_questions_refuses_the_second_with_its_reason(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    known_child(&programme).await;
    let first = programme.ask(HUB_AREAS, CHILD, &[]).await.expect("in force");
    end_yesterday(&programme, "early-help-core").await;

    let second = programme.ask(HUB_AREAS, CHILD, &[]).await;
    let Err(EnquiryError::NotPermitted { hits, disclosure, .. }) = second else { panic!("it has ended: {second:?}") };
    assert!(hits.iter().any(|hit| hit.rule == "T03" && hit.say.contains("ended")), "{hits:?}");
    let Body::Enquiry(refusal) = body_of(&programme, disclosure).await else { panic!("an enquiry") };
    assert_eq!(serde_json::to_value(&refusal.outcome).expect("JSON"), json!({ "refused": "T03" }));

    // What was disclosed before stays: its entry, and the evidence that it rested on.
    let Body::Enquiry(kept) = body_of(&programme, first.disclosure).await else { panic!("an enquiry") };
    assert_eq!(serde_json::to_value(&kept.outcome).expect("JSON"), json!("answered"));
    programme.sequencer.drain().await.expect("sequenced");
    let store = programme.gateway.store();
    let index = store.leaf_index(first.disclosure).await.expect("the log").expect("sequenced");
    let openings = store.log_openings(index, index + 1).await.expect("the database");
    assert!(openings.iter().any(|(_, field, _)| field == "answer"), "the evidence is kept");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agreement_that_ends_while_a_file_arrives_lets_it_land_nowhere(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let caller = AgencyCaller { agency: "education".parse().expect("a code"), client: "test-client".to_owned() };
    let header = programme.header("education", "attendance", CORE).await.to_string();
    let mut open = programme.gateway.begin_submission(&caller, header.as_bytes()).await.expect("begun");
    open.push(Bytes::from(programme.row(1, CHILD, json!({ "role": "child" })).to_string())).await.expect("taken");
    end_yesterday(&programme, "early-help-core").await;
    open.push(Bytes::from(json!({ "end": 1 }).to_string())).await.expect("taken");

    let id = open.id();
    let Err(AppError::RefusedFile { fault, .. }) = open.finish().await else { panic!("it has ended") };
    assert_eq!(fault, FileFault::Agreement);
    let stored = programme.gateway.store().submission(id).await.expect("the database").expect("there");
    assert_eq!(stored.failure.as_deref(), Some(FileFault::Agreement.code()), "the reason is kept with the file");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agreement_that_ends_in_the_middle_of_a_screening_refuses_the_rows_that_wait(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    known_child(&programme).await;
    let gateway = &programme.gateway;
    let caller = AgencyCaller { agency: "early-help-hub".parse().expect("a code"), client: "test-client".to_owned() };
    let question = serde_json::to_value(programme.question(HUB_AREAS, CHILD, &[])).expect("JSON");
    let row = |question: &Value| {
        let of = |name: &str| question[name].clone();
        json!({ "case": of("case"), "user": of("user"), "tokens": of("tokens"), "household": json!({}) }).to_string()
    };
    let mut head = question.clone();
    for name in ["case", "user", "tokens", "household"] {
        head.as_object_mut().expect("an object").remove(name);
    }
    let mut open = gateway.begin_screening(&caller, head.to_string().as_bytes(), "a-key").await.expect("begun");
    for _ in 0..4 {
        open.push(&Bytes::from(row(&question))).await.expect("taken");
    }
    open.push(&Bytes::from(json!({ "end": 4 }).to_string())).await.expect("taken");
    let (id, _) = open.finish().await.expect("whole");

    let first = gateway.collect_screening(&caller, id, 0, 2).await.expect("collected").expect("there");
    assert!(first.iter().all(|(_, row)| matches!(row, Collected::Answered(_))), "{}", first.len());
    end_yesterday(&programme, "early-help-core").await;
    let rest = gateway.collect_screening(&caller, id, 2, 2).await.expect("collected").expect("there");
    assert_eq!(rest.len(), 2);
    for (number, row) in &rest {
        let Collected::Refused { hits, disclosure, .. } = row else { panic!("row {number} is refused") };
        assert!(hits.iter().any(|hit| hit.rule == "T03"), "{hits:?}");
        let Body::Enquiry(entry) = body_of(&programme, *disclosure).await else { panic!("an enquiry") };
        assert_eq!(serde_json::to_value(&entry.outcome).expect("JSON"), json!({ "refused": "T03" }));
    }
}
