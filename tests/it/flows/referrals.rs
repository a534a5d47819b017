//! A referral goes through every branch of the route, and through no other.

use porth::app::caller::AgencyCaller;
use porth::app::referral::{Ground, NewReferral, NewStep, ReferralError, Referred};
use porth::domain::family::IdentificationRoute;
use porth::domain::ids::{EventId, OpaqueRef, ReferralId};
use porth::domain::programme::Relationship;
use porth::domain::referral::{Door, State, Step};
use porth::domain::tfid::Tfid;
use rstest::rstest;

use crate::support::database::Backend;
use crate::support::programme::{Ask, TestProgramme, agreement, opaque};

const NOBODY: &[(&str, &str)] = &[("nhs", "9990000018")];

fn hub() -> AgencyCaller {
    AgencyCaller { agency: "early-help-hub".parse().expect("a code"), client: "test-client".to_owned() }
}

fn team() -> AgencyCaller {
    AgencyCaller { agency: "programme-team".parse().expect("a code"), client: "data-team".to_owned() }
}

fn key() -> String {
    uuid::Uuid::now_v7().to_string()
}

fn ground(reference: &str, relationship: Relationship, role: &str) -> Ground {
    Ground {
        agreement: agreement(reference),
        relationship,
        role: role.parse().expect("a code"),
        user: OpaqueRef::parse(&opaque(8)).expect("a reference"),
    }
}

fn of_hub() -> Ground {
    ground("early-help-core/v1", Relationship::Referral, "hub-screener")
}

fn of_team() -> Ground {
    ground("programme-delivery/v1", Relationship::Screening, "data-analyst")
}

fn step(referral: ReferralId, step: Step, ground: Ground) -> NewStep {
    NewStep { referral, step, finding: None, answer: None, agency: None, team: None, tfid: None, ground }
}

fn new_referral() -> NewReferral {
    NewReferral { door: Door::EarlyHelp, case: OpaqueRef::parse(&opaque(7)).expect("a reference"), ground: of_hub() }
}

async fn refer(programme: &TestProgramme) -> Referred {
    programme.gateway.refer(&hub(), &new_referral(), &key()).await.expect("permitted")
}

/// The Hub asks what a screening asks, about another case; gives the entry of the answer.
async fn answered_for(programme: &TestProgramme, case: u32) -> EventId {
    let purpose = "early-help-screening";
    let (agency, agreement) = ("early-help-hub", "early-help-core/v1");
    let ask = Ask { agency, agreement, purpose, mode: "eligible", role: "hub-screener" };
    let question = porth::app::enquire::Question {
        relationship: Relationship::Referral,
        case: OpaqueRef::parse(&opaque(case)).expect("a reference"),
        ..programme.question(ask, NOBODY, &[])
    };
    programme.gateway.enquire(&hub(), &question, &key()).await.expect("permitted").disclosure
}

/// The Hub asks for the purpose of a step; gives the entry of the answer.
async fn asked(programme: &TestProgramme, purpose: &'static str, mode: &'static str) -> EventId {
    let ask = Ask { agency: "early-help-hub", agreement: "early-help-core/v1", purpose, mode, role: "hub-screener" };
    let question =
        porth::app::enquire::Question { relationship: Relationship::Referral, ..programme.question(ask, NOBODY, &[]) };
    programme.gateway.enquire(&hub(), &question, &key()).await.expect("permitted").disclosure
}

async fn known(programme: &TestProgramme, is_known: bool) -> ReferralId {
    let referral = refer(programme).await.referral;
    let answer = Some(asked(programme, "early-help-screening", "eligible").await);
    let new = NewStep { finding: Some(is_known), answer, ..step(referral, Step::CheckTracker, of_hub()) };
    let referred = programme.gateway.take_step(&hub(), &new, &key()).await.expect("permitted");
    assert_eq!(referred.state, if is_known { State::Known } else { State::Unknown });
    referral
}

async fn worker(programme: &TestProgramme, is_found: bool) -> ReferralId {
    let referral = known(programme, true).await;
    let answer = Some(asked(programme, "lead-contact", "lead").await);
    let new = NewStep { finding: Some(is_found), answer, ..step(referral, Step::FindWorker, of_hub()) };
    programme.gateway.take_step(&hub(), &new, &key()).await.expect("permitted");
    referral
}

fn with_team(new: NewStep) -> NewStep {
    let (agency, team) = ("early-help-hub".parse().expect("a code"), "early-help-west".parse().expect("a route"));
    NewStep { agency: Some(agency), team: Some(team), ..new }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn every_branch_leads_to_its_end_and_each_step_is_logged_with_its_purpose(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;

    let worked_with = worker(&programme, true).await;
    let shared = with_team(step(worked_with, Step::Share, of_hub()));
    let shared = gateway.take_step(&hub(), &shared, &key()).await.expect("permitted");
    assert_eq!((shared.state, shared.next), (State::SharedWithWorker, None));

    let alone = worker(&programme, false).await;
    let role = ground("early-help-core/v1", Relationship::Referral, "early-help-practitioner");
    let assigned = with_team(step(alone, Step::Assign, role.clone()));
    assert_eq!(gateway.take_step(&hub(), &assigned, &key()).await.expect("permitted").state, State::Assigned);

    for does_qualify in [true, false] {
        let unknown = known(&programme, false).await;
        let answer = Some(asked(&programme, "early-help-screening", "areas").await);
        let checked = NewStep { answer, ..step(unknown, Step::CheckEligibility, of_hub()) };
        let checked = gateway.take_step(&hub(), &checked, &key()).await.expect("permitted");
        let (next, purpose) = checked.next.expect("a next step");
        assert_eq!((next, purpose.as_str()), (Step::Qualify, "programme-delivery"));
        let qualify = NewStep { finding: Some(does_qualify), ..step(unknown, Step::Qualify, of_team()) };
        let own = gateway.take_step(&hub(), &NewStep { ground: of_hub(), ..qualify.clone() }, &key()).await;
        assert!(matches!(own, Err(ReferralError::Unknown)), "the programme team decides that");
        let qualified = gateway.take_step(&team(), &qualify, &key()).await.expect("permitted");
        if !does_qualify {
            assert_eq!((qualified.state, qualified.next), (State::StatutoryOnly, None));
            continue;
        }
        let tfid: Tfid = "TF-0000-0000-0000-0011".parse().expect("well-formed");
        let issue = NewStep { tfid: Some(tfid), ..step(unknown, Step::IssueTfid, of_team()) };
        let early = gateway.take_step(&team(), &issue, &key()).await;
        assert!(matches!(early, Err(ReferralError::NoFamily)), "no family has this number yet: {early:?}");
        let mut tx = gateway.store().begin().await.expect("a transaction");
        let now = gateway.store().now().await.expect("the clock");
        tx.add_family(gateway.programme(), &tfid, IdentificationRoute::Referral, now).await.expect("issued");
        tx.commit().await.expect("kept");
        gateway.take_step(&team(), &issue, &key()).await.expect("permitted");
        let assign = with_team(step(unknown, Step::Assign, role.clone()));
        let assigned = gateway.take_step(&hub(), &assign, &key()).await.expect("permitted");
        assert_eq!(assigned.state, State::Assigned);
        let entry = gateway.store().event_body(assigned.disclosure).await.expect("the database").expect("in the log");
        let entry = String::from_utf8(entry).expect("UTF-8");
        assert!(entry.contains("\"purpose\":\"family-support\"") && entry.contains("\"from\":\"tfid_issued\""));
        assert!(!entry.contains("TF-0000"), "the family's reference is in no entry");
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_step_that_is_not_due_or_lacks_its_ground_changes_nothing(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    let old = asked(&programme, "early-help-screening", "eligible").await;
    let received = refer(&programme).await;
    let referral = received.referral;
    let take = async |caller: AgencyCaller, new: NewStep| gateway.take_step(&caller, &new, &key()).await;
    let refusals = async || {
        let counts = gateway.store().event_counts().await.expect("counts");
        counts
            .iter()
            .filter(|(kind, outcome, _)| kind == "referral.step" && outcome == "refused")
            .map(|it| it.2)
            .sum::<i64>()
    };

    assert!(matches!(take(hub(), with_team(step(referral, Step::Assign, of_hub()))).await, Err(ReferralError::NotDue)));
    let check = |answer| NewStep { finding: Some(true), answer, ..step(referral, Step::CheckTracker, of_hub()) };
    assert!(matches!(take(hub(), check(None)).await, Err(ReferralError::Form)), "it rests on an answer");
    assert!(matches!(take(hub(), check(Some(old))).await, Err(ReferralError::NoAnswer)), "asked before it came in");
    let other = asked(&programme, "lead-contact", "lead").await;
    assert!(matches!(take(hub(), check(Some(other))).await, Err(ReferralError::NoAnswer)), "for another purpose");
    let answer = asked(&programme, "early-help-screening", "eligible").await;
    let housing = AgencyCaller { agency: "housing".parse().expect("a code"), client: "housing".to_owned() };
    assert!(matches!(take(housing, check(Some(answer))).await, Err(ReferralError::Unknown)));
    assert_eq!(refusals().await, 4, "what is not due, unknown or without ground is logged");
    let other_case = answered_for(&programme, 17).await;
    let refused = take(hub(), check(Some(other_case))).await;
    assert!(matches!(refused, Err(ReferralError::NoAnswer)), "an answer about another case: {refused:?}");
    let auditor = Ground { role: "auditor".parse().expect("a code"), ..of_hub() };
    let refused = take(hub(), NewStep { ground: auditor, ..check(Some(answer)) }).await;
    let Err(ReferralError::NotPermitted { disclosure, .. }) = refused else { panic!("{refused:?}") };
    assert!(gateway.store().event_body(disclosure).await.expect("the database").is_some(), "the refusal is logged");

    // Two take the same step: one is first.
    let (one, two) = tokio::join!(take(hub(), check(Some(answer))), take(hub(), check(Some(answer))));
    let first = [&one, &two].into_iter().filter(|taken| taken.is_ok()).count();
    let late = [&one, &two].into_iter().filter(|taken| matches!(taken, Err(ReferralError::NotDue))).count();
    assert_eq!((first, late), (1, 1), "{one:?} {two:?}");

    // Two send the same request under one key: it is taken once, and both get its answer.
    let (new, once) = (new_referral(), key());
    let (hub_one, hub_two) = (hub(), hub());
    let (one, two) = tokio::join!(gateway.refer(&hub_one, &new, &once), gateway.refer(&hub_two, &new, &once));
    let (one, two) = (one.expect("permitted"), two.expect("the same"));
    assert_eq!((one.referral, one.disclosure), (two.referral, two.disclosure));

    // Repeated under its key it is taken once.
    let again = refer(&programme).await.referral;
    let answer = asked(&programme, "early-help-screening", "eligible").await;
    let new = NewStep { finding: Some(true), answer: Some(answer), ..step(again, Step::CheckTracker, of_hub()) };
    let key = key();
    let first = gateway.take_step(&hub(), &new, &key).await.expect("permitted");
    assert_eq!(gateway.take_step(&hub(), &new, &key).await.expect("the same").disclosure, first.disclosure);
    let changed = NewStep { finding: Some(false), ..new };
    assert!(matches!(gateway.take_step(&hub(), &changed, &key).await, Err(ReferralError::KeyReused)));
}
