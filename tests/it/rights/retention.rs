//! What was kept long enough goes, with evidence; a freeze keeps it; a restored backup brings nothing back.

use std::collections::BTreeSet;

use porth::app::backup::back_up;
use porth::app::restore::{RestoreTerms, restore};
use porth::app::retention::kept_erasures;
use porth::domain::ids::EventId;
use porth::domain::retention::Hold;
use porth::domain::subject_case::SubjectRight;
use porth::domain::time::Timestamp;
use porth::store::NewEvent;
use porth::tlog::commitment::Opening;
use porth::tlog::entry::{Body, Entry, SubjectCase, SubjectCommitments};
use porth::tlog::merkle::leaf_hash;
use rstest::rstest;

use super::{GIRL, SCHOOLS, entries, family, open};
use crate::support::database::{Backend, TestDatabase};
use crate::support::gateway::random;
use crate::support::programme::{HUB_AREAS, ORIGIN, TestProgramme};

/// An entry of a case of long ago, with what opens it.
async fn of_long_ago(programme: &TestProgramme, agency: &str) -> EventId {
    let code = |text: &str| text.parse().expect("a code");
    let id = EventId::new(uuid::Uuid::now_v7());
    let at = programme.gateway.store().now().await.expect("the clock").plus_seconds(-20 * 365 * 86_400);
    let commitment = |field: &str| Opening::new(field, [7; 32], b"somebody".to_vec()).commitment();
    let body = Body::SubjectCase(Box::new(SubjectCase {
        matter: None,
        right: code("access"),
        action: code("data-read"),
        agency: Some(agency.parse().expect("a code")),
        client: code("desk"),
        role: None,
        reason: None,
        result: None,
        due: None,
        commitments: SubjectCommitments { actor: commitment("actor"), detail: commitment("detail") },
    }));
    let kind = body.kind();
    let body = Entry::new(ORIGIN, id, at, [7; 32], body).render().expect("renders");
    let event = NewEvent {
        id,
        kind,
        at,
        recipient: Some(agency.to_owned()),
        agreement: None,
        purpose: None,
        outcome: None,
        leaf_hash: *leaf_hash(&body).as_bytes(),
        body,
        openings: vec![("actor", vec![1; 64]), ("detail", vec![2; 64])],
        tags: Vec::new(),
        records: Vec::new(),
    };
    let mut tx = programme.gateway.store().begin().await.expect("begins");
    tx.add_events(&[&event]).await.expect("added");
    tx.commit().await.expect("committed");
    programme.sequencer.drain().await.expect("sequenced");
    id
}

async fn is_opened(programme: &TestProgramme, event: EventId) -> bool {
    programme.gateway.store().sealed_entry(event, "actor").await.expect("asked").is_some()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_is_older_than_its_period_is_erased_and_a_freeze_keeps_what_it_names_until_it_is_lifted(
    #[case] backend: Backend,
) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    family(&programme).await;
    let young = programme.ask(HUB_AREAS, GIRL, &[]).await.expect("permitted").disclosure;
    let (frozen, old) = (of_long_ago(&programme, "housing").await, of_long_ago(&programme, "police").await);
    let hold = Hold::parse("agency", "housing").expect("well-formed");
    let id = gateway.place_legal_hold(&hold, "ig-officer-1", "inquiry:2026-1").await.expect("placed");

    let ran = gateway.retain("ops-1").await.expect("ran");
    assert_eq!((ran.erased, ran.held), (1, 1));
    assert!(is_opened(&programme, frozen).await && !is_opened(&programme, old).await);
    assert!(is_opened(&programme, young).await, "its time is not over");
    let again = gateway.retain("ops-1").await.expect("ran");
    assert_eq!((again.erased, again.held), (0, 1), "nothing is erased twice");
    // By name neither.
    let by_hand = gateway.erase_entries(&[frozen], "uk-gdpr:17", "ops-1").await.expect("held");
    assert_eq!((by_hand.erased, by_hand.held), (0, 1));

    gateway.lift_legal_hold(id, "ig-officer-1", "inquiry-over").await.expect("lifted");
    assert!(gateway.lift_legal_hold(id, "ig-officer-1", "inquiry-over").await.is_err(), "it stands no more");
    assert_eq!(gateway.retain("ops-1").await.expect("ran").erased, 1);
    assert!(!is_opened(&programme, frozen).await);

    let erasures = entries(&programme, "erasure").await;
    let named: Vec<_> =
        erasures.iter().flat_map(|entry| entry["body"]["events"].as_array().cloned().unwrap_or_default()).collect();
    assert_eq!(named, [old.to_string(), frozen.to_string()]);
    assert!(erasures.iter().all(|entry| entry["body"]["reason"] == "retention"));
    let holds = entries(&programme, "legal.hold").await;
    let actions: Vec<_> = holds.iter().map(|entry| entry["body"]["action"].as_str().expect("a word")).collect();
    assert_eq!(actions, ["placed", "lifted"]);
    let mut view = gateway.store().begin_snapshot().await.expect("a view");
    porth::app::check_log::check_log(&mut view, &[], &BTreeSet::new()).await.expect("the log is whole");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_case_that_was_closed_long_ago_is_deleted_with_a_count_and_a_digest(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let (gateway, store) = (&programme.gateway, programme.gateway.store());
    family(&programme).await;
    let kept = open(&programme, SCHOOLS, 1, SubjectRight::Access, None).await.expect("opened").value;
    let case = open(&programme, SCHOOLS, 1, SubjectRight::Erasure, None).await.expect("opened").value;
    let long_ago = Timestamp::from_micros(case.clock.opened_at.as_micros() / 2);
    let mut closed = case.clock;
    closed.closed_at = Some(long_ago);
    let mut tx = store.begin().await.expect("begins");
    assert!(tx.set_clock(case.id, &case.clock, &closed).await.expect("set"));
    tx.commit().await.expect("committed");

    let ran = gateway.retain("ops-1").await.expect("ran");
    assert_eq!((ran.cases, ran.held), (1, 0));
    assert!(store.subject_case(case.id).await.expect("asked").is_none());
    assert!(store.subject_case(kept.id).await.expect("asked").is_some());
    let told = entries(&programme, "retention.deletion").await;
    let [entry] = &told[..] else { panic!("one entry: {told:?}") };
    let body = &entry["body"];
    assert_eq!((&body["item"], &body["count"], &body["months"]), (&"subject-cases".into(), &1.into(), &36.into()));
    assert!(!entry.to_string().contains(&case.id.to_string()), "what was deleted is not in its evidence");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_backup_of_before_an_erasure_brings_nothing_back(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    family(&programme).await;
    let asked = programme.ask(HUB_AREAS, GIRL, &[]).await.expect("permitted").disclosure;
    programme.sequencer.drain().await.expect("sequenced");
    let folder = tempfile::tempdir().expect("a folder");
    let (backup, kept) = (folder.path().join("backup"), kept_erasures::beside(&folder.path().join("state")));
    back_up(programme.gateway.store(), &backup).await.expect("backed up");

    programme.gateway.erase_entries(&[asked], "uk-gdpr:17", "ops-1").await.expect("erased");
    programme.gateway.follow_erasures(&kept, "ops-1").await.expect("noted");
    assert_eq!(kept_erasures::read(&kept).expect("a file"), BTreeSet::from([asked]));

    let empty = TestDatabase::create_empty(backend).await;
    let terms = RestoreTerms { log_origin: ORIGIN, known: &[], log_keys: &[], accept_loss: None };
    restore(&empty.store, &backup, terms, &random()).await.expect("restored");
    let restored = programme.on(empty.store.clone());
    assert!(is_opened(&restored, asked).await, "the backup is older than the erasure");
    let done = restored.gateway.follow_erasures(&kept, "retention-job").await.expect("erased again");
    assert_eq!(done.erased, 1);
    assert!(!is_opened(&restored, asked).await);
    let again = restored.gateway.follow_erasures(&kept, "retention-job").await.expect("nothing to do");
    assert_eq!((again.erased, again.held), (0, 0));
    let told = entries(&restored, "erasure").await;
    let [erasure] = &told[..] else { panic!("one entry: {told:?}") };
    assert_eq!(erasure["body"]["reason"], "restored-backup");
}
