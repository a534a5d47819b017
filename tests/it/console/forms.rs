//! Forms: what an approval needs, and what is said of a form that cannot be taken.

use porth::domain::ids::AgreementRef;
use porth::tlog::entry::AgreementState;
use rstest::rstest;

use super::TestConsole;
use crate::support::database::Backend;

const AGREEMENT: &str = "/agreements/early-help-core/1";

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_needs_a_proof_of_the_last_minutes(#[case] backend: Backend) {
    let console = TestConsole::start_demonstration(backend).await;
    let gateway = console.gateway.gateway();
    let of: AgreementRef = "early-help-core/v1".parse().expect("a reference");
    gateway.set_agreement_status(&of, AgreementState::Suspended, "board", "incident").await.expect("suspended");
    gateway.request_activation(&of, "board", "over").await.expect("asked for");
    let cookie = console.enter("porth-officer").await;
    let page = console.get(AGREEMENT, Some(&cookie)).await;
    assert!(page.text().contains("value=\"approve\""), "{}", page.text());
    let token = super::refusals::form_token(&page);

    console.gateway.database.execute("UPDATE console_session SET authenticated_at = 0").await;
    let page = console.get(AGREEMENT, Some(&cookie)).await.text();
    assert!(page.contains("Confirm who you are") && !page.contains("value=\"approve\""), "{page}");
    let body = format!("form-token={token}&step=approve");
    let refused = console.post(AGREEMENT, Some(&cookie), &body).await;
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(gateway.store().activation_approvals(&of).await.expect("approvals").is_empty());

    let cookie = console.enter("porth-officer").await;
    let token = super::refusals::form_token(&console.get(AGREEMENT, Some(&cookie)).await);
    let approved = console.post(AGREEMENT, Some(&cookie), &format!("form-token={token}&step=approve")).await;
    assert_eq!(approved.status, 303, "{}", approved.text());
    let account = gateway.console_account(&console.issuer, "porth-officer");
    assert_eq!(gateway.store().activation_approvals(&of).await.expect("approvals"), [account]);
}

/// Whoever is no registered reviewing officer is told so, and what to ask for.
#[tokio::test(flavor = "multi_thread")]
async fn an_officer_who_is_not_registered_is_told_what_is_missing() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    let cookie = console.enter("porth-officer").await;
    let account = console.gateway.gateway().console_account(&console.issuer, "porth-officer");
    let page = console.get("/reviews", Some(&cookie)).await;
    assert!(page.text().contains(&account) && page.text().contains("porth review officer add"), "{}", page.text());
    let token = super::refusals::form_token(&page);
    let body = format!(
        "form-token={token}&step=draw&strategy=random&since=2026-01-01&until=2026-12-31&size=5&minimum=1&reason=plan"
    );
    let refused = console.post("/reviews/draw", Some(&cookie), &body).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("not registered"), "{}", refused.text());
}
