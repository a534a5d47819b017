//! Emergency enquiries: only where the clause allows them, recorded with their danger, and reviewed by
//! somebody else before the day ends. A decision not to share.

use porth::app::emergency::{ReviewError, ReviewFinding, Reviewer};
use porth::app::enquire::{EnquiryError, QuestionFault};
use porth::app::not_to_share::{Decider, NotSharing, NotSharingError};
use porth::app::review::officers::NewOfficer;
use porth::domain::alert::rules::Thresholds;
use porth::domain::ids::EventId;
use porth::domain::programme::{Danger, Relationship};
use rstest::rstest;

use super::*;
use crate::support::database::Backend;
use crate::support::programme::policy_files;

const PROTECT: Ask = Ask {
    agency: CARE.0,
    agreement: "safeguarding-partners/v1",
    purpose: "safeguarding",
    mode: "criteria",
    role: "social-worker",
};

async fn in_emergency(programme: &TestProgramme, danger: Option<Danger>, key: u32) -> Result<Receipted, EnquiryError> {
    let mut question = programme.question(PROTECT, BY_NUMBER, &[]);
    (question.relationship, question.emergency) = (Relationship::Emergency, danger);
    programme.gateway.enquire(&caller(CARE.0), &question, &format!("a-key-in-an-emergency-{key}")).await
}

/// An enquiry that nobody reviewed by the end of its day.
async fn overdue(programme: &TestProgramme) -> EventId {
    let answered = in_emergency(programme, Some(Danger::Child), 0).await.expect("permitted");
    programme.database.execute("UPDATE emergency SET due_at = 1").await;
    answered.disclosure
}

async fn register(programme: &TestProgramme, account: &str, agency: &str) {
    let officer = NewOfficer {
        account: account.to_owned(),
        agency: agency.parse().expect("a code"),
        keys: Vec::new(),
        clients: Vec::new(),
        users: Vec::new(),
    };
    programme.gateway.register_officer(&officer, "operator-1", "appointed").await.expect("registered");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_emergency_is_answered_with_its_danger_on_record_and_waits_for_a_review(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    let refused = in_emergency(&programme, None, 1).await;
    assert!(matches!(refused, Err(EnquiryError::Question(QuestionFault::Danger))), "{refused:?}");
    let mut calm = programme.question(PROTECT, BY_NUMBER, &[]);
    calm.emergency = Some(Danger::Child);
    let refused = programme.gateway.enquire(&caller(CARE.0), &calm, "a-key-of-somebody-calm").await;
    assert!(matches!(refused, Err(EnquiryError::Question(QuestionFault::Danger))), "{refused:?}");

    let answered = in_emergency(&programme, Some(Danger::Child), 2).await.expect("permitted");
    let again = in_emergency(&programme, Some(Danger::Child), 2).await.expect("the same");
    assert_eq!(answered.disclosure, again.disclosure);
    let entry = entries(&programme, "enquiry").await.remove(0);
    assert_eq!((&entry["body"]["emergency"], &entry["body"]["relationship"]), (&"child".into(), &"emergency".into()));
    let waiting = programme.gateway.own_emergencies(&caller(CARE.0)).await.expect("read");
    assert_eq!((waiting.len(), waiting[0].event), (1, answered.disclosure));
    assert!(programme.gateway.own_emergencies(&caller(SCHOOLS.0)).await.expect("read").is_empty());

    let role = "social-worker".parse().expect("a role");
    let (asker, other) = (OpaqueRef::parse(&opaque(8)).expect("22"), OpaqueRef::parse(&opaque(9)).expect("22"));
    let (care, school) = (caller(CARE.0), caller(SCHOOLS.0));
    let review = async |reviewer| {
        programme.gateway.review_emergency(reviewer, answered.disclosure, ReviewFinding::Justified, "danger").await
    };
    assert!(matches!(review(Reviewer::Agency(&school, &role, &other)).await, Err(ReviewError::Unknown)));
    assert!(matches!(review(Reviewer::Agency(&care, &role, &asker)).await, Err(ReviewError::Own)));
    let done = review(Reviewer::Agency(&care, &role, &other)).await.expect("reviewed");
    assert!(done.is_in_time);
    register(&programme, "ig-1", "programme-team").await;
    assert!(matches!(review(Reviewer::Council("ig-1")).await, Err(ReviewError::Reviewed)));
    let reviews = entries(&programme, "emergency.review").await;
    assert_eq!((reviews.len(), &reviews[0]["body"]["finding"]), (1, &"justified".into()));
    assert!(programme.gateway.all_emergencies().await.expect("read").is_empty());
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_system_whose_emergency_was_not_reviewed_in_time_is_refused_until_it_is(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    let old = overdue(&programme).await;
    register(&programme, "ig-1", "programme-team").await;
    let refused = in_emergency(&programme, Some(Danger::Life), 1).await;
    assert!(matches!(refused, Err(EnquiryError::EmergencyUnreviewed { .. })), "{refused:?}");
    let entry = entries(&programme, "enquiry").await.remove(1);
    assert_eq!(entry["body"]["outcome"]["refused"], "M01", "the refusal is in the log");
    assert_eq!(programme.gateway.all_emergencies().await.expect("read").len(), 1, "a refusal waits for no review");
    programme.ask(PROTECT, BY_NUMBER, &[]).await.expect("on every other ground it may ask");

    let done = programme.gateway.review_emergency(Reviewer::Council("ig-1"), old, ReviewFinding::NotJustified, "late");
    assert!(!done.await.expect("reviewed").is_in_time);
    in_emergency(&programme, Some(Danger::Life), 2).await.expect("permitted again");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_officer_who_reviews_an_emergency_is_registered_and_had_no_part_in_it(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    let asked = in_emergency(&programme, Some(Danger::Child), 1).await.expect("permitted").disclosure;
    let review = async |account: &str| {
        let reviewer = Reviewer::Council(account);
        programme.gateway.review_emergency(reviewer, asked, ReviewFinding::Justified, "danger").await
    };
    assert!(matches!(review("ig-1").await, Err(ReviewError::NotOfficer)));
    register(&programme, "ig-1", "programme-team").await;
    register(&programme, "care-ig", CARE.0).await;
    register(&programme, "ig-officer-1", "programme-team").await;
    register(&programme, &caller(CARE.0).client, "programme-team").await;
    programme.sequencer.drain().await.expect("sequenced"); // who approved is read from the log
    assert!(matches!(review("care-ig").await, Err(ReviewError::Own)), "of the agency that asked");
    assert!(matches!(review(&caller(CARE.0).client).await, Err(ReviewError::Own)), "the system that asked");
    assert!(matches!(review("ig-officer-1").await, Err(ReviewError::Approver)), "put the agreement in force");
    assert_eq!(programme.gateway.all_emergencies().await.expect("read").len(), 1, "it still waits");
    review("IG-1").await.expect("reviewed");
    assert_eq!(entries(&programme, "emergency.review").await[0]["body"]["by"], "ig-1");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_review_by_the_system_that_asked_minutes_before_is_told(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    let (role, manager) = ("social-worker".parse().expect("a role"), OpaqueRef::parse(&opaque(9)).expect("22"));
    let another = AgencyCaller { client: "another-system".to_owned(), ..caller(CARE.0) };
    let mut reviews = Vec::new();
    for (key, reviewer) in [(1, &caller(CARE.0)), (2, &another), (3, &caller(CARE.0))] {
        let asked = in_emergency(&programme, Some(Danger::Child), key).await.expect("permitted").disclosure;
        if key == 3 {
            let long_ago = "UPDATE emergency SET at = at - 1000000000 WHERE reviewed_at = 0";
            programme.database.execute(long_ago).await;
        }
        let reviewer = Reviewer::Agency(reviewer, &role, &manager);
        let done = programme.gateway.review_emergency(reviewer, asked, ReviewFinding::Justified, "danger").await;
        reviews.push(done.expect("reviewed").disclosure);
    }
    programme.sequencer.drain().await.expect("sequenced");
    programme.gateway.watch_for_alerts(&Thresholds::default()).await.expect("watched");
    let alerts = programme.gateway.store().alerts(false, Some("quick_review"), 5).await.expect("alerts");
    let [alert] = &alerts[..] else { panic!("one: {alerts:?}") };
    assert_eq!((alert.entry, alert.client.as_deref()), (Some(reviews[0]), Some(&*caller(CARE.0).client)));
    assert_eq!(alert.figures, r#"[{"of":"minutes","count":0},{"of":"emergency.review","count":1}]"#);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn no_emergency_opens_a_clause_that_does_not_say_so(#[case] backend: Backend) {
    let mut files = policy_files();
    for agreement in &mut files.agreements {
        *agreement = String::from_utf8_lossy(agreement).replace("emergency = true\n", "").into_bytes();
    }
    let programme = TestProgramme::start_with(backend, files).await;
    two_children_as_one(&programme).await;
    assert_eq!(rules(in_emergency(&programme, Some(Danger::Child), 1).await), ["R05"]);
    programme.ask(PROTECT, BY_NUMBER, &[]).await.expect("the clause stands otherwise");
    assert!(programme.gateway.all_emergencies().await.expect("read").is_empty());
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_decision_not_to_share_is_in_the_log_once_and_names_nobody(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let code = |text: &str| text.parse().expect("a code");
    let what = NotSharing {
        asked_by: code("landlord"),
        items: vec![code("lead"), code("A2")],
        purpose: "tenancy-support".parse().expect("a code"),
        agreement: None,
        reason: code("no-agreement"),
        basis: code("UKGDPR-art5-1-b"),
        case: OpaqueRef::parse(&opaque(7)).ok(),
    };
    let (school, user) = (caller(SCHOOLS.0), OpaqueRef::parse(&opaque(8)).expect("22"));
    let role = "education-welfare-officer".parse().expect("a role");
    let decide = async |what: &NotSharing| {
        programme.gateway.decide_not_to_share(Decider::Agency(&school, &role, &user, "a-key-of-the-school"), what).await
    };
    let first = decide(&what).await.expect("recorded");
    assert_eq!(decide(&what).await.expect("the same"), first);
    let other = NotSharing { reason: code("risk-to-child"), ..what.clone() };
    assert!(matches!(decide(&other).await, Err(NotSharingError::KeyReused)));
    let twice = NotSharing { items: vec![code("A2"), code("A2")], ..what.clone() };
    let officer = |agency| Decider::Officer("ig-1", agency);
    let (housing, nobody) = (HOUSING.0.parse().expect("a code"), "nobody".parse().expect("a code"));
    let refused = programme.gateway.decide_not_to_share(officer(&housing), &twice).await;
    assert!(matches!(refused, Err(NotSharingError::Items)), "{refused:?}");
    let refused = programme.gateway.decide_not_to_share(officer(&nobody), &what).await;
    assert!(matches!(refused, Err(NotSharingError::Undeclared)), "{refused:?}");
    programme.gateway.decide_not_to_share(officer(&housing), &what).await.expect("recorded");

    let logged = entries(&programme, "decision.not_to_share").await;
    assert_eq!(logged.len(), 2);
    assert_eq!(logged[0]["body"]["items"], json!(["A2", "lead"]));
    assert_eq!((&logged[0]["body"]["agency"], &logged[1]["body"]["by"]), (&SCHOOLS.0.into(), &"ig-1".into()));
    assert!(!json!(logged).to_string().contains(&opaque(7)), "the case is a commitment");
}
