//! A disclosure is judged by somebody who had no part in it, and against somebody only by two.

use porth::app::review::ReviewError;
use porth::app::review::officers::NewOfficer;
use porth::app::review::steps::{Asked, Verdict};
use porth::domain::ids::{EventId, OpaqueRef};
use porth::domain::review::finding::{Action, Finding};
use porth::tlog::entry::{Body, Entry};
use rstest::rstest;

use super::{CORE, KNOWN, ask, draw_named, grounds, officer, ready, register, verdict};
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::reference;

/// A disclosure to the Hub in a sample, and two officers.
async fn sampled(backend: Backend) -> (TestGateway, EventId) {
    let home = ready(backend).await;
    let hub = home.agency("early-help-hub").await;
    let entry = ask(&hub, &KNOWN).await;
    draw_named(&home, &[entry]).await;
    for account in ["ig-1", "ig-2", "ig-3"] {
        register(&home, officer(account, "programme-team")).await;
    }
    (home, entry)
}

async fn step(home: &TestGateway, account: &str, entry: EventId, asked: &Asked) -> Result<String, ReviewError> {
    home.gateway().step_review(account, entry, asked, "written-up").await.map(|stepped| stepped.review.state)
}

async fn read(home: &TestGateway, account: &str, entry: EventId) -> Result<String, ReviewError> {
    home.gateway().read_for_review(account, &grounds(), entry).await.map(|read| read.review.state)
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_adverse_finding_takes_effect_when_another_officer_confirms_and_suspends_the_agreement(
    #[case] backend: Backend,
) {
    let (home, entry) = sampled(backend).await;
    let adverse = Asked::Decide(verdict(&home, Finding::NoBasis, Action::SuspendAgreement).await);

    assert!(matches!(step(&home, "ig-1", entry, &adverse).await, Err(ReviewError::WrongState)), "nobody has read it");
    assert_eq!(read(&home, "ig-1", entry).await.expect("shown"), "taken");
    assert_eq!(home.events("log.access", "answered").await, 1, "the look is an entry like any other");
    assert!(matches!(step(&home, "ig-2", entry, &adverse).await, Err(ReviewError::NotYours)));
    assert!(matches!(step(&home, "ig-1", entry, &Asked::Confirm).await, Err(ReviewError::WrongState)));
    assert_eq!(step(&home, "ig-1", entry, &adverse).await.expect("decided"), "proposed");

    assert!(matches!(step(&home, "ig-1", entry, &Asked::Confirm).await, Err(ReviewError::SamePerson)));
    assert!(matches!(step(&home, "ig-2", entry, &Asked::Confirm).await, Err(ReviewError::NotLooked)));
    let hub = home.agency("early-help-hub").await;
    ask(&hub, &KNOWN).await; // not confirmed: the agreement still stands
    assert_eq!(read(&home, "ig-2", entry).await.expect("shown"), "proposed");
    let stepped = home.gateway().step_review("ig-2", entry, &Asked::Confirm, "board:7").await.expect("confirmed");
    assert_eq!((stepped.review.state.as_str(), stepped.suspended), ("due", Some(CORE.parse().expect("a reference"))));
    let refused = hub.enquire(&hub.question("areas", &KNOWN)).await;
    assert_eq!(refused.status, 403, "from the next request on: {refused:?}");

    let body = home.gateway().store().event_body(stepped.event).await.expect("the database").expect("it is there");
    let Body::ReviewStep(said) = Entry::parse(&body).expect("an entry").into_body() else { panic!("a step") };
    assert_eq!(said.finding.expect("told").as_str(), "not_justified_no_basis");
    assert_eq!((said.by.as_str(), said.step.as_str(), said.look.is_some()), ("ig-2", "confirmed", true));

    assert!(matches!(step(&home, "ig-2", entry, &Asked::Confirm).await, Err(ReviewError::WrongState)), "once");
    assert_eq!(step(&home, "ig-3", entry, &Asked::Complete).await.expect("done"), "closed");
    assert!(matches!(step(&home, "ig-3", entry, &Asked::Complete).await, Err(ReviewError::WrongState)));
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn nobody_reviews_what_they_asked_signed_or_put_in_force(#[case] backend: Backend) {
    let (home, entry) = sampled(backend).await;
    let client = {
        let body = home.gateway().store().event_body(entry).await.expect("the database").expect("it is there");
        let Body::Enquiry(enquiry) = Entry::parse(&body).expect("an entry").into_body() else { panic!("an enquiry") };
        enquiry.client.as_str().to_owned()
    };
    let own = |users: &[&str]| {
        let users = users.iter().map(|user| OpaqueRef::parse(&reference(user)).expect("a reference")).collect();
        NewOfficer { users, ..officer("hub-ig", "early-help-hub") }
    };
    let requester = [
        officer("hub-ig", "early-help-hub"), // of the agency that asked, and not told from whoever did
        own(&["user"]),                      // it was this officer
        NewOfficer { clients: vec![client.clone()], ..officer("hub-ig", "programme-team") },
        officer(&client, "programme-team"),
    ];
    for new in requester {
        let account = new.account.clone();
        register(&home, new).await;
        for refused in [read(&home, &account, entry).await, step(&home, &account, entry, &Asked::Complete).await] {
            assert!(matches!(refused, Err(ReviewError::Requester)), "{account}: {refused:?}");
        }
    }
    register(&home, own(&["another-user"])).await;
    let told_apart = step(&home, "hub-ig", entry, &Asked::Complete).await;
    assert!(matches!(told_apart, Err(ReviewError::WrongState)), "a colleague of whoever asked: {told_apart:?}");

    let signed =
        NewOfficer { keys: vec!["early-help-hub-signatory".to_owned()], ..officer("signatory", "programme-team") };
    for new in [signed, officer("board", "programme-team")] {
        let account = new.account.clone();
        register(&home, new).await;
        for refused in [read(&home, &account, entry).await, step(&home, &account, entry, &Asked::Complete).await] {
            assert!(matches!(refused, Err(ReviewError::Approver)), "{account}: {refused:?}");
        }
    }
    let other = NewOfficer { keys: vec!["police-signatory".to_owned()], ..officer("other", "programme-team") };
    register(&home, other).await;
    assert_eq!(home.events("log.access", "answered").await, 0, "none of them was shown anything");
    let police_signed_core = read(&home, "other", entry).await;
    let is_party = matches!(police_signed_core, Err(ReviewError::Approver));
    let parties = home.gateway().current_policies().await.expect("policies");
    let core = parties.book().agreement(&CORE.parse().expect("a reference")).expect("it is there");
    assert_eq!(is_party, core.text.has_party(&"police".parse().expect("a code")), "{police_signed_core:?}");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn who_is_no_officer_or_is_one_no_longer_does_nothing(#[case] backend: Backend) {
    let (home, entry) = sampled(backend).await;
    for refused in [read(&home, "stranger", entry).await, step(&home, "stranger", entry, &Asked::Complete).await] {
        assert!(matches!(refused, Err(ReviewError::NotOfficer)), "{refused:?}");
    }
    home.gateway().end_officer("ig-1", "operator-1", "left").await.expect("ended");
    assert!(matches!(read(&home, "ig-1", entry).await, Err(ReviewError::NotOfficer)));
    let own = home.gateway().register_officer(&officer("ig-9", "programme-team"), "ig-9", "x").await;
    assert!(matches!(own, Err(ReviewError::OwnRegistration)));
    assert!(home.gateway().register_officer(&officer("ig-9", "nobody"), "operator-1", "x").await.is_err());

    // An agency without a clause for audits is shown nothing, and the refusal is an entry.
    register(&home, officer("housing-ig", "housing")).await;
    assert!(matches!(read(&home, "housing-ig", entry).await, Err(ReviewError::Look(_))));
    assert_eq!(home.events("log.access", "refused").await, 1);
    let nowhere = EventId::new(uuid::Uuid::now_v7());
    assert!(matches!(read(&home, "ig-2", nowhere).await, Err(ReviewError::Unknown)), "in no sample");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_returned_finding_and_an_unclear_basis_go_to_somebody_else(#[case] backend: Backend) {
    let (home, entry) = sampled(backend).await;
    read(&home, "ig-1", entry).await.expect("shown");
    assert_eq!(step(&home, "ig-1", entry, &Asked::Release).await.expect("given back"), "drawn");
    assert_eq!(read(&home, "ig-1", entry).await.expect("shown"), "taken");
    let misuse = Asked::Decide(verdict(&home, Finding::SuspectedMisuse, Action::BreachCase).await);
    assert_eq!(step(&home, "ig-1", entry, &misuse).await.expect("decided"), "proposed");
    assert_eq!(read(&home, "ig-2", entry).await.expect("shown"), "proposed");
    assert_eq!(step(&home, "ig-2", entry, &Asked::Return).await.expect("returned"), "drawn");
    let review = home.gateway().store().review(entry).await.expect("the database").expect("it is there");
    assert_eq!((review.finding, review.reviewer, review.barred.as_deref()), (None, None, Some("ig-1")));
    assert_eq!(read(&home, "ig-1", entry).await.expect("shown"), "drawn", "the first reviewer does not get it again");

    assert_eq!(read(&home, "ig-2", entry).await.expect("shown"), "taken");
    let unclear = Asked::Decide(verdict(&home, Finding::BasisUnclear, Action::ReferToOfficer).await);
    assert_eq!(step(&home, "ig-2", entry, &unclear).await.expect("decided"), "referred");
    let justified = Asked::Decide(verdict(&home, Finding::Justified, Action::None).await);
    assert!(matches!(step(&home, "ig-2", entry, &justified).await, Err(ReviewError::SamePerson)));
    assert!(matches!(step(&home, "ig-3", entry, &justified).await, Err(ReviewError::NotLooked)));
    read(&home, "ig-3", entry).await.expect("shown");
    assert!(matches!(step(&home, "ig-3", entry, &unclear).await, Err(ReviewError::WrongState)), "not twice");
    assert_eq!(step(&home, "ig-3", entry, &justified).await.expect("decided"), "closed");
    assert!(home.events("review.step", "").await >= 8);
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_decision_whose_parts_do_not_fit_changes_nothing_and_what_is_late_is_shown(#[case] backend: Backend) {
    let (home, entry) = sampled(backend).await;
    read(&home, "ig-1", entry).await.expect("shown");
    let good = verdict(&home, Finding::NoBasis, Action::SuspendAgreement).await;
    let past = home.now().await.plus_seconds(-3 * 86_400).date();
    let refused = async |verdict: Verdict| step(&home, "ig-1", entry, &Asked::Decide(verdict)).await;
    assert!(matches!(refused(Verdict { due: Some(past), ..good.clone() }).await, Err(ReviewError::Day)));
    let other = Some("programme-delivery/v1".parse().expect("a reference"));
    assert!(matches!(refused(Verdict { agreement: other, ..good.clone() }).await, Err(ReviewError::Agreement)));
    for unfit in [
        Verdict { owner: None, ..good.clone() },
        Verdict { agreement: None, ..good.clone() },
        Verdict { action: Action::None, ..good.clone() },
        Verdict { finding: Finding::Justified, ..good.clone() },
    ] {
        assert!(matches!(refused(unfit).await, Err(ReviewError::Unfit(_))));
    }
    let review = home.gateway().store().review(entry).await.expect("the database").expect("it is there");
    assert_eq!((review.state.as_str(), review.finding), ("taken", None));

    let incomplete = Asked::Decide(verdict(&home, Finding::RecordIncomplete, Action::CorrectNote).await);
    assert_eq!(step(&home, "ig-1", entry, &incomplete).await.expect("decided"), "due", "no second person needed");
    let store = home.gateway().store();
    let today = home.now().await.as_seconds() / 86_400;
    assert_eq!(store.reviews_waiting(today).await.expect("counts"), (0, 0));
    assert_eq!(store.reviews_waiting(today + 1).await.expect("counts"), (1, 0), "not done by its day");
    let plan = store.review_plans().await.expect("plans")[0].event;
    let figures = home.gateway().review_figures(plan).await.expect("figures").figures;
    assert_eq!((figures.reviewed, figures.adverse, figures.record_incomplete), (1, 0, 1));
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn of_two_steps_at_once_one_is_taken(#[case] backend: Backend) {
    let (home, entry) = sampled(backend).await;
    read(&home, "ig-1", entry).await.expect("shown");
    let decide = Asked::Decide(verdict(&home, Finding::NoBasis, Action::Retrain).await);
    step(&home, "ig-1", entry, &decide).await.expect("decided");
    for account in ["ig-2", "ig-3"] {
        read(&home, account, entry).await.expect("shown");
    }
    let both = tokio::join!(step(&home, "ig-2", entry, &Asked::Confirm), step(&home, "ig-3", entry, &Asked::Return));
    assert_eq!(u8::from(both.0.is_ok()) + u8::from(both.1.is_ok()), 1, "{both:?}");
    home.stop().await;
}
