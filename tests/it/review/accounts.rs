//! One person is one officer, however the account is spelt.

use porth::app::caller::AgencyCaller;
use porth::app::review::ReviewError;
use porth::app::review::steps::Asked;
use porth::domain::ids::AgencyCode;
use porth::domain::review::finding::{Action, Finding};
use porth::store::CeilingKey;
use rstest::rstest;

use super::{KNOWN, ask, draw_named, grounds, officer, ready, register, verdict};
use crate::support::database::{Backend, TestDatabase};

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn two_spellings_are_not_two_officers(#[case] backend: Backend) {
    let home = ready(backend).await;
    let hub = home.agency("early-help-hub").await;
    let entry = ask(&hub, &KNOWN).await;
    draw_named(&home, &[entry]).await;
    let gateway = home.gateway();
    let own = gateway.register_officer(&officer("IG-2", "programme-team"), "ig-2", "appointed").await;
    assert!(matches!(own, Err(ReviewError::OwnRegistration)), "{own:?}");
    register(&home, officer("IG-2", "programme-team")).await;
    register(&home, officer("ig-2", "programme-team")).await;
    let spelt_so = gateway.officers().await.expect("officers").into_iter().filter(|one| one.account.is("ig-2"));
    assert_eq!(spelt_so.count(), 1, "the second registration changed the first");

    gateway.read_for_review("IG-2", &grounds(), entry).await.expect("shown");
    let adverse = Asked::Decide(verdict(&home, Finding::NoBasis, Action::BreachCase).await);
    assert!(matches!(gateway.step_review("ig-1", entry, &adverse, "x").await, Err(ReviewError::NotYours)));
    gateway.step_review("ig-2", entry, &adverse, "review:1").await.expect("the same officer");
    for step in [Asked::Confirm, Asked::Return] {
        let alone = gateway.step_review("Ig-2", entry, &step, "review:1").await;
        assert!(matches!(alone, Err(ReviewError::SamePerson)), "{alone:?}");
    }

    // The agreement was put in force by `ig-officer-1`, among others.
    register(&home, officer("IG-Officer-1", "programme-team")).await;
    let approver = gateway.read_for_review("IG-OFFICER-1", &grounds(), entry).await;
    assert!(matches!(approver, Err(ReviewError::Approver)), "{approver:?}");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn another_spelling_looks_at_the_log_under_the_same_ceiling(#[case] backend: Backend) {
    let home = ready(backend).await;
    let hub = home.agency("early-help-hub").await;
    let entry = ask(&hub, &KNOWN).await;
    let gateway = home.gateway();
    for client in ["ig-1", "IG-1", "Ig-1"] {
        let agency = AgencyCode::parse("programme-team").expect("a code");
        let caller = AgencyCaller { agency, client: client.to_owned() };
        gateway.read_log_entry(&caller, &grounds(), entry).await.expect("shown");
    }
    let policies = gateway.current_policies().await.expect("policies");
    let agreement = policies.book().agreement(&grounds().agreement).expect("it is there");
    let mut tx = gateway.store().begin().await.expect("begins");
    let mut used = 0;
    for clause in agreement.text.receives() {
        let key = CeilingKey {
            agreement: grounds().agreement.to_string(),
            clause: clause.id.to_string(),
            recipient: "programme-team/log/ig-1".to_owned(),
            day: home.now().await.as_seconds().div_euclid(86_400),
        };
        used += tx.charge(&key, 0).await.expect("charged");
    }
    assert_eq!(used, 3);
    drop(tx);
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn officers_registered_in_two_spellings_are_trusted_in_none_after_an_upgrade(#[case] backend: Backend) {
    let database = TestDatabase::create(backend).await;
    database.store.migrate_down(24).await.expect("goes down");
    for account in ["IG-1", "ig-1", "IG-2"] {
        let insert = format!(
            "INSERT INTO review_officer (account, agency, signatory_keys, clients, user_tags, status, changed_at)
             VALUES ('{account}', 'programme-team', '[]', '[]', '[]', 'registered', 0)"
        );
        database.execute(&insert).await;
    }
    database.store.migrate().await.expect("goes up");
    let officers = database.store.review_officers().await.expect("officers");
    let found: Vec<(&str, &str)> = officers.iter().map(|one| (one.account.as_str(), one.status.as_str())).collect();
    assert_eq!(found, [("ig-1", "ended"), ("ig-2", "registered")]);
}
