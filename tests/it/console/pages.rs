//! Each persona's top task in Debian's Chromium, with JavaScript and without.

use porth::domain::agreement::AgreementStatus;
use porth::domain::ids::AgreementRef;
use porth::store::ReviewsWanted;
use porth::tlog::entry::AgreementState;
use rstest::rstest;

use super::TestConsole;
use crate::support::database::Backend;

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn an_officer_finds_a_disclosure_reads_it_and_has_it_decided_again(#[case] backend: Backend) {
    let console = TestConsole::start(backend).await;
    console.ask_once().await;
    console.walk("officer.mjs", &[]).await;
}

/// From sign-in to a recorded outcome of a review, and on to the second officer; by the keyboard alone.
#[rstest]
#[case::sqlite(Backend::Sqlite, "on")]
#[case::sqlite_without_scripts(Backend::Sqlite, "off")]
#[case::postgres(Backend::Postgres, "on")]
#[tokio::test(flavor = "multi_thread")]
async fn an_officer_comes_from_sign_in_to_a_recorded_outcome_by_the_pages_alone(
    #[case] backend: Backend,
    #[case] scripts: &str,
) {
    let console = TestConsole::start(backend).await;
    let officer = console.register("officer").await;
    let second = console.register("second-officer").await;
    console.ask_once().await;

    console.walk("review.mjs", &[("PORTH_TEST_SCRIPTS", scripts)]).await;

    let wanted = ReviewsWanted { limit: 10, ..ReviewsWanted::default() };
    let reviews = console.gateway.gateway().store().reviews(&wanted).await.expect("reviews");
    let [review] = &reviews[..] else { panic!("one review: {reviews:?}") };
    assert_eq!(review.finding.as_deref(), Some("not_justified_minimisation"));
    assert_eq!((review.severity.as_deref(), review.action.as_deref()), (Some("low"), Some("retrain")));
    assert_eq!((review.owner.as_deref(), review.state.as_str()), (Some("early-help-manager"), "closed"));
    assert_eq!(review.reviewer, Some(officer), "the reviewer is the person who was signed in");
    assert_ne!(Some(second), review.reviewer, "and the second officer is somebody else");
    assert_eq!(console.gateway.events("review.step", "").await, 4, "taken, decided, confirmed, done");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn officers_deal_with_alerts_incidents_and_agreements(#[case] backend: Backend) {
    let console = TestConsole::start(backend).await;
    for officer in ["officer", "second-officer", "third-officer"] {
        console.register(officer).await;
    }
    for _ in 0..3 {
        console.ask_once().await;
    }
    let gateway = console.gateway.gateway();
    let of: AgreementRef = "early-help-core/v1".parse().expect("a reference");
    gateway.set_agreement_status(&of, AgreementState::Suspended, "board", "incident").await.expect("suspended");
    for _ in 0..100 {
        if !gateway.store().open_alerts().await.expect("alerts").is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }

    console.walk("desk.mjs", &[]).await;

    assert!(gateway.store().open_alerts().await.expect("alerts").is_empty(), "the alert is closed");
    let incidents = gateway.incident_reports().await.expect("incidents");
    let [incident] = &incidents[..] else { panic!("one incident") };
    let decision = incident.incident.decision().expect("it is decided");
    assert_ne!(decision.by, decision.seconded_by);
    assert!(decision.by.starts_with("console:") && decision.seconded_by.starts_with("console:"));
    let policies = gateway.current_policies().await.expect("policies");
    let agreement = policies.book().agreement(&of).expect("the agreement");
    assert_eq!(agreement.status, AgreementStatus::InForce);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_everything_works_the_same() {
    let console = TestConsole::start(Backend::Sqlite).await;
    console.ask_once().await;
    console.walk("officer.mjs", &[("PORTH_TEST_SCRIPTS", "off")]).await;
}
