//! What was kept long enough goes, with evidence; a freeze keeps it; a restored backup brings nothing back.

use std::collections::{BTreeSet, HashSet};

use porth::app::backup::back_up;
use porth::app::incident::{Link, NewAssessment, NewDecision};
use porth::app::restore::{RestoreTerms, restore};
use porth::app::retention::kept_erasures;
use porth::app::review::officers::NewOfficer;
use porth::domain::ids::EventId;
use porth::domain::incident::{Nature, Risk};
use porth::domain::retention::{DataItem, ENTRIES_WITHOUT_PEOPLE, Hold};
use porth::domain::subject_case::SubjectRight;
use porth::domain::time::Timestamp;
use porth::store::{DatabaseWork, Location, NewEvent};
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

/// Registers a reviewing officer.
async fn register(programme: &TestProgramme, account: &str) {
    let new = NewOfficer {
        account: account.to_owned(),
        agency: "police".parse().expect("a code"),
        keys: Vec::new(),
        clients: Vec::new(),
        users: Vec::new(),
    };
    programme.gateway.register_officer(&new, "operator-1", "appointed").await.expect("registered");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_an_incident_names_is_not_erased_before_it_is_closed(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    family(&programme).await;
    let old = of_long_ago(&programme, "housing").await;
    let link = Link { of: "entry".to_owned(), name: old.to_string() };
    let opened = gateway.open_incident("ig-1", Nature::Misuse, "looked-up", None, &[link]).await.expect("opened");

    let ran = gateway.retain("ops-1").await.expect("ran");
    assert_eq!((ran.erased, ran.held), (0, 1), "its time is over");
    let by_name = gateway.erase_entries(&[old], "uk-gdpr:17", "ops-1").await.expect("looked at");
    assert_eq!((by_name.erased, by_name.examined, by_name.held), (0, 1, 0));
    assert!(is_opened(&programme, old).await);
    let assessed = NewAssessment {
        risk: Risk::None,
        people: 0,
        records: 0,
        consequences: Vec::new(),
        measures: Vec::new(),
        reason: "nothing-was-told".to_owned(),
    };
    gateway.assess_incident(opened.id, "ig-1", &assessed).await.expect("assessed");
    let decided = NewDecision {
        seconded_by: "siro-1".to_owned(),
        notify_commissioner: false,
        notify_people: false,
        reason: "no-risk".to_owned(),
        late_reason: None,
    };
    gateway.decide_incident(opened.id, "dpo-1", &decided).await.expect("decided");
    gateway.close_incident(opened.id, "ig-1", "all-told").await.expect("closed");
    let borrowed = gateway.erase_entries(&[old], "retention", "ops-1").await;
    assert!(borrowed.is_err(), "the reason of the periods would raise no alert");
    assert_eq!(gateway.erase_entries(&[old], "uk-gdpr:17", "ops-1").await.expect("erased").erased, 1);
    assert!(!is_opened(&programme, old).await);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn nothing_is_frozen_that_neither_the_programme_nor_its_log_knows(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    family(&programme).await;
    let entry = programme.ask(HUB_AREAS, GIRL, &[]).await.expect("permitted").disclosure.to_string();
    let case = open(&programme, SCHOOLS, 1, SubjectRight::Access, None).await.expect("opened").value.id.to_string();
    let of_nobody = uuid::Uuid::now_v7().to_string();
    for (covers, name, is_there) in [
        ("everything", "", true),
        ("agency", "housing", true),
        ("agency", "nosuch", false),
        ("agreement", "early-help-core/v1", true),
        ("agreement", "early-help-core/v9", false),
        ("purpose", "nosuch", false),
        ("entry", &entry, true),
        ("entry", &case, true),
        ("entry", &of_nobody, false),
    ] {
        let hold = Hold::parse(covers, name).expect("well-formed");
        let placed = gateway.place_legal_hold(&hold, "ig-1", "inquiry:2026-1").await;
        assert_eq!(placed.is_ok(), is_there, "{covers} {name}: {placed:?}");
    }
    let purpose = gateway.current_policies().await.expect("policies").programme().purposes()[0].code.to_string();
    let hold = Hold::parse("purpose", &purpose).expect("well-formed");
    gateway.place_legal_hold(&hold, "ig-1", "inquiry:2026-1").await.expect("one of the programme's");
    assert_eq!(gateway.store().legal_holds(gateway.programme()).await.expect("freezes").len(), 6);
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

    for account in ["ig-officer-1", "ig-officer-2"] {
        assert!(gateway.lift_legal_hold(id, account, "inquiry-over").await.is_err(), "nobody is registered");
        register(&programme, account).await;
    }
    assert!(gateway.lift_legal_hold(id, "ig-officer-1", "inquiry-over").await.is_err(), "who placed it");
    gateway.lift_legal_hold(id, "ig-officer-2", "inquiry-over").await.expect("lifted");
    assert!(gateway.lift_legal_hold(id, "ig-officer-2", "inquiry-over").await.is_err(), "it stands no more");
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

#[test]
fn every_type_of_entry_belongs_to_an_item_or_is_listed_as_telling_of_nobody() {
    for kind in Body::KINDS {
        let is_listed = ENTRIES_WITHOUT_PEOPLE.contains(kind);
        assert_ne!(DataItem::of_entry(kind).is_some(), is_listed, "{kind}: one of the two");
    }
    for kind in ENTRIES_WITHOUT_PEOPLE {
        assert!(Body::KINDS.contains(kind), "{kind} is no type of entry");
    }
}

/// How many of the pieces of some bytes are in the database's files.
fn pieces_in_files(path: &std::path::Path, bytes: &[u8]) -> usize {
    let file = |end: &str| std::fs::read(format!("{}{end}", path.display())).unwrap_or_default();
    let files = [file(""), file("-wal"), file("-journal")];
    let pieces: HashSet<&[u8]> = bytes.chunks_exact(64).collect();
    let mut begins = vec![false; 1 << 16]; // two bytes are looked at before all are
    let begin = |piece: &[u8]| usize::from(u16::from_be_bytes([piece[0], piece[1]]));
    for piece in &pieces {
        begins[begin(piece)] = true;
    }
    let found = files.iter().flat_map(|file| file.windows(64)).filter(|window| begins[begin(window)]);
    found.filter_map(|window| pieces.get(window)).collect::<HashSet<_>>().len()
}

#[tokio::test]
async fn what_was_erased_is_not_in_an_sqlite_file_any_more() {
    let programme = TestProgramme::start(Backend::Sqlite).await;
    let (gateway, store) = (&programme.gateway, programme.gateway.store());
    let Location::Sqlite(path) = &programme.database.location else { panic!("a file") };
    family(&programme).await;
    let asked = programme.ask(HUB_AREAS, GIRL, &[]).await.expect("permitted").disclosure;
    let other = programme.ask(HUB_AREAS, GIRL, &[]).await.expect("permitted").disclosure;
    programme.sequencer.drain().await.expect("sequenced");
    let sealed = async |event| store.sealed_entry(event, "answer").await.expect("asked").expect("sealed").sealed;
    let (going, staying) = (sealed(asked).await, sealed(other).await);
    assert!(pieces_in_files(path, &going) > 32, "it is there to be found");
    gateway.erase_entries(&[asked], "uk-gdpr:17", "ops-1").await.expect("erased");
    assert_eq!(pieces_in_files(path, &going), 0);
    assert!(pieces_in_files(path, &staying) > 32, "nothing else went");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn opening_a_gateway_erases_again_once_and_then_looks_no_further(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    family(&programme).await;
    let asked = programme.ask(HUB_AREAS, GIRL, &[]).await.expect("permitted").disclosure;
    let frozen = programme.ask(HUB_AREAS, GIRL, &[]).await.expect("permitted").disclosure;
    let folder = tempfile::tempdir().expect("a folder");
    let kept = kept_erasures::beside(&folder.path().join("state"));
    let (gateway, store) = (&programme.gateway, programme.gateway.store());
    let nothing = gateway.erase_again(&kept, "retention-job").await.expect("no file yet");
    assert_eq!((nothing.erased, nothing.held), (0, 0));

    // The file as another machine kept it: this database knows nothing of these erasures.
    std::fs::write(&kept, format!("{asked}\n{}\n", EventId::new(uuid::Uuid::nil()))).expect("written");
    let refused = kept_erasures::refuse_restored(store, &programme.code, &kept).await;
    assert!(matches!(refused, Err(kept_erasures::KeptError::Restored(1))), "{refused:?}");
    let done = gateway.erase_again(&kept, "retention-job").await.expect("erased");
    assert_eq!((done.erased, done.held), (1, 0));
    assert!(!is_opened(&programme, asked).await && is_opened(&programme, frozen).await);
    kept_erasures::refuse_restored(store, &programme.code, &kept).await.expect("nothing of it opens");
    let before = DatabaseWork::so_far();
    let again = gateway.erase_again(&kept, "retention-job").await.expect("known");
    assert_eq!((again.erased, DatabaseWork::so_far().since(before).statements), (0, 1), "one look");

    // What a freeze keeps is tried again each time, and goes once it is lifted.
    let hold = Hold::parse("entry", &frozen.to_string()).expect("well-formed");
    let id = gateway.place_legal_hold(&hold, "ig-officer-1", "inquiry:2026-1").await.expect("placed");
    std::fs::write(&kept, format!("{asked}\n{frozen}\n")).expect("written");
    let held = gateway.erase_again(&kept, "retention-job").await.expect("held");
    assert_eq!((held.erased, held.held), (0, 1));
    kept_erasures::refuse_restored(store, &programme.code, &kept).await.expect("a freeze stands");
    register(&programme, "ig-officer-2").await;
    gateway.lift_legal_hold(id, "ig-officer-2", "inquiry-over").await.expect("lifted");
    assert_eq!(gateway.erase_again(&kept, "retention-job").await.expect("erased").erased, 1);
    assert!(!is_opened(&programme, frozen).await);

    std::fs::write(&kept, "Jowan Trelawny\n").expect("written");
    let error = gateway.erase_again(&kept, "retention-job").await.expect_err("no event");
    assert!(error.to_string().contains("line 1") && !error.to_string().contains("Jowan"), "{error}");
}
