//! A file that arrived whole: who was stopped meanwhile does not get it in, the same bytes land again once
//! the feed went on, and what fails is tidied away however much of it there is.

use bytes::Bytes;
use porth::app::caller::AgencyCaller;
use porth::app::enrol::Enrolment;
use porth::app::error::AppError;
use porth::app::submit::{FileFault, OpenSubmission};
use porth::app::suspend::Suspendable;
use porth::crypto::jwt::ClientKey;
use porth::crypto::random::SystemRandom;
use porth::domain::ids::{GrantId, SubmissionId};
use porth::store::{NewGrant, SubmissionState};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::database::Backend;
use crate::support::gateway::activate;
use crate::support::programme::TestProgramme;

const AGREEMENT: &str = "early-help-core/v1";
const FEED: &str = "attendance";
const CLIENT: &str = "education-system";
const CHILD: &[(&str, &str)] = &[("nhs", "9990000018")];

fn caller() -> AgencyCaller {
    AgencyCaller { agency: "education".parse().expect("a code"), client: CLIENT.to_owned() }
}

/// A file of which every row has come, and the end line has not been looked at.
async fn arrived(programme: &TestProgramme, reference: u32) -> OpenSubmission {
    let header = programme.header("education", FEED, AGREEMENT).await.to_string();
    let mut open = programme.gateway.begin_submission(&caller(), header.as_bytes()).await.expect("begun");
    for line in [programme.row(reference, CHILD, json!({})), json!({ "end": 1 })] {
        open.push(Bytes::from(line.to_string())).await.expect("taken");
    }
    open
}

async fn state_of(programme: &TestProgramme, id: SubmissionId) -> (SubmissionState, Option<String>) {
    let stored = programme.gateway.store().submission(id).await.expect("the database").expect("there");
    (stored.state, stored.failure)
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_file_does_not_land_if_its_sender_or_agreement_was_stopped_while_it_arrived(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    let key = ClientKey::generate(&SystemRandom::new()).public();
    let enrolment = Enrolment {
        agency: caller().agency,
        client: CLIENT.to_owned(),
        kid: key.thumbprint(),
        key,
        certificate: [7; 32],
        not_after: gateway.store().now().await.expect("the clock").plus_seconds(86_400),
    };
    gateway.enrol(&enrolment, "ops-1").await.expect("enrolled");
    let cases = [
        (Suspendable::Agency(caller().agency), FileFault::SenderSuspended),
        (Suspendable::Client(CLIENT.to_owned()), FileFault::SenderSuspended),
        (Suspendable::Feed(caller().agency, FEED.parse().expect("a code")), FileFault::Suspended),
        (Suspendable::Agreement(AGREEMENT.parse().expect("a reference")), FileFault::Agreement),
    ];
    for (reference, (what, expected)) in (1..).zip(cases) {
        let open = arrived(&programme, reference).await;
        let id = open.id();
        gateway.set_standing(&what, false, "ops-1", "incident").await.expect("suspended");
        let refused = open.finish().await;
        let Err(AppError::RefusedFile { fault, .. }) = refused else { panic!("{what:?}: {refused:?}") };
        assert_eq!(fault, expected, "{what:?}");
        assert_eq!(state_of(&programme, id).await, (SubmissionState::Failed, Some(expected.code().to_owned())));
        match &what {
            Suspendable::Agreement(agreement) => activate(gateway, agreement).await,
            _ => gateway.set_standing(&what, true, "ops-1", "over").await.expect("resumed"),
        }
        let again = arrived(&programme, reference).await.finish().await.expect("it may land now");
        assert!(!again.is_repeat, "what failed is no earlier one");
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_staged_file_of_a_suspended_agency_fails_and_holds_nobody_up(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let staged = arrived(&programme, 1).await.finish().await.expect("staged");
    let header = programme.header("housing", "tenancies", AGREEMENT).await;
    let behind = programme.submit(&header, &[programme.row(1, CHILD, json!({}))]).await.expect("staged");
    let agency = Suspendable::Agency(caller().agency);
    programme.gateway.set_standing(&agency, false, "ops-1", "incident").await.expect("suspended");

    let refused = programme.gateway.publish_next().await;
    assert!(
        matches!(refused, Err(AppError::RefusedFile { fault: FileFault::SenderSuspended, .. })),
        "nothing of it becomes visible: {refused:?}"
    );
    programme.publish().await;
    assert_eq!(
        state_of(&programme, staged.id).await,
        (SubmissionState::Failed, Some(FileFault::SenderSuspended.code().to_owned()))
    );
    assert_eq!(state_of(&programme, behind.id).await.0, SubmissionState::Visible);

    programme.gateway.set_standing(&agency, true, "ops-1", "over").await.expect("resumed");
    let again = arrived(&programme, 1).await.finish().await.expect("sent again");
    programme.publish().await;
    assert_eq!(state_of(&programme, again.id).await.0, SubmissionState::Visible);

    // What a suspended agency took back before goes nevertheless.
    programme.gateway.retract_submission(&caller(), again.id).await.expect("taken back");
    programme.gateway.set_standing(&agency, false, "ops-1", "incident").await.expect("suspended");
    programme.publish().await;
    assert_eq!(state_of(&programme, again.id).await.0, SubmissionState::Withdrawn);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_same_bytes_are_a_repeat_only_while_the_feed_shows_just_them(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let send = async |header: &Value, reference: u32| {
        let received = programme.submit(header, &[programme.row(reference, CHILD, json!({}))]).await.expect("taken");
        (received.id, received.is_repeat)
    };
    let snapshot = programme.header("education", FEED, AGREEMENT).await;
    let mut delta = snapshot.clone();
    delta["mode"] = "delta".into();
    let (first, _) = send(&snapshot, 1).await;
    assert_eq!(send(&snapshot, 1).await, (first, true), "on its way");
    programme.publish().await;
    assert_eq!(send(&snapshot, 1).await, (first, true), "visible");

    // A wrong file follows, and is corrected before it is visible: the first one comes back.
    let (wrong, _) = send(&snapshot, 2).await;
    let (corrected, is_repeat) = send(&snapshot, 1).await;
    assert!(!is_repeat && corrected != first);
    assert_eq!(send(&snapshot, 1).await, (corrected, true), "the newest on its way");
    programme.publish().await;
    assert_eq!(state_of(&programme, corrected).await.0, SubmissionState::Visible);
    for replaced in [first, wrong] {
        assert_eq!(state_of(&programme, replaced).await.0, SubmissionState::Replaced);
    }

    // A delta upon it is part of it, until it is taken back: what it replaced has to be sent again.
    let (upon, _) = send(&delta, 3).await;
    programme.publish().await;
    assert_eq!(send(&snapshot, 1).await, (corrected, true));
    assert_eq!(send(&delta, 3).await, (upon, true));
    programme.gateway.retract_submission(&caller(), upon).await.expect("taken back");
    let (whole, is_repeat) = send(&snapshot, 1).await;
    assert!(!is_repeat, "while it is being taken back");
    programme.publish().await;
    assert_eq!(state_of(&programme, whole).await.0, SubmissionState::Visible);
    assert_eq!(send(&snapshot, 1).await, (whole, true));

    // Being taken back, it is not shown for long: the same file lands again.
    programme.gateway.retract_submission(&caller(), whole).await.expect("taken back");
    let (last, is_repeat) = send(&snapshot, 1).await;
    assert!(!is_repeat);
    programme.publish().await;
    assert_eq!(state_of(&programme, whole).await.0, SubmissionState::Withdrawn);
    assert_eq!(state_of(&programme, last).await.0, SubmissionState::Visible);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn one_run_of_the_clean_up_removes_every_failed_file_and_logs_every_lapsed_grant(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    let store = gateway.store();
    let now = store.now().await.expect("the clock");
    let long_ago = now.plus_seconds(-3600);
    let header = programme.header("education", FEED, AGREEMENT).await.to_string();
    for number in 0..25 {
        let open = gateway.begin_submission(&caller(), header.as_bytes()).await.expect("begun");
        let mut tx = store.begin().await.expect("a transaction");
        // Of every fifth no row was taken: it has nothing to remove, and takes up no run.
        tx.note_progress(open.id(), (1, i64::from(number % 5 != 0), 0)).await.expect("noted");
        assert!(tx.mark_failed(open.id(), "file.cut_off", long_ago).await.expect("failed"));
        tx.commit().await.expect("committed");
    }
    let mut tx = store.begin().await.expect("a transaction");
    for (number, age) in (1..).zip([40, 31, 1]) {
        let grant = NewGrant {
            id: GrantId::new(uuid::Uuid::from_u128(number)),
            sender: "council".parse().expect("a code"),
            idempotency_key: number.to_string(),
            recipient: caller().agency,
            sealing_key: "sealing-key".to_owned(),
            epoch: 1,
            digest: [number as u8; 32],
            sealed: vec![0; 8],
            posted_at: now.plus_seconds(-age * 86_400),
        };
        assert!(tx.add_grant(&grant).await.expect("kept"));
    }
    tx.commit().await.expect("committed");

    let lapsed = async || {
        programme.sequencer.drain().await.expect("sequenced");
        let size = store.log_head().await.expect("the log").expect("open").size;
        let entries = store.log_entries(0, size).await.expect("the log");
        let is_lapse = |bytes: &[u8]| {
            let entry: Value = serde_json::from_slice(bytes).expect("JSON");
            entry["body"]["action"] == "lapsed" && entry["body"]["reason"] == "education"
        };
        entries.iter().filter(|(_, bytes)| is_lapse(bytes)).count()
    };
    assert_eq!(lapsed().await, 0);
    assert_eq!(gateway.tidy().await.expect("tidied").submissions, 20);
    assert_eq!(lapsed().await, 2, "one entry for each");
    assert_eq!(gateway.tidy().await.expect("tidied").submissions, 0);
    assert_eq!(lapsed().await, 2, "once");
}
