//! What breaks below: a full database, a database that is gone, many questions at one ceiling.

use std::sync::Arc;

use porth::app::enquire::EnquiryError;
use porth::app::error::AppError;
use porth::store::{Store, StoreError};
use rstest::rstest;
use serde_json::json;

use crate::support::database::Backend;
use crate::support::programme::{Ask, HUB_AREAS, TestProgramme};

const CHILD: &[(&str, &str)] = &[("nhs", "9990000018")];

#[tokio::test]
async fn a_full_database_refuses_cleanly_and_goes_on_once_there_is_room() {
    let programme = TestProgramme::start(Backend::Sqlite).await;
    let porth::store::Location::Sqlite(path) = &programme.database.location else { unreachable!("an SQLite file") };
    programme.gateway.store().close().await;

    // The same file, with room for a little more than it holds.
    let small = Store::connect_sqlite(path, 2, Some(2)).await.expect("opens");
    let full = programme.on(small);
    let header = full.header("education", "attendance", "early-help-core/v1").await;
    let rows: Vec<_> = (0..20_000)
        .map(|n| full.row(n, &[("nhs", &format!("99900{n:05}")), ("k3", &format!("name {n}"))], json!({})))
        .collect();
    let refused = full.submit(&header, &rows).await.expect_err("it does not fit");
    assert!(matches!(refused, AppError::Store(StoreError::Full(_))), "{refused:?}");
    full.gateway.store().close().await;

    let roomy = Store::connect_sqlite(path, 2, None).await.expect("opens");
    let again = full.on(roomy);
    again.submit(&header, &rows).await.expect("there is room now");
    again.publish().await;
    let asked = again.ask(HUB_AREAS, &[("k3", "name 7")], &[]).await;
    asked.expect("answered as before");
}

#[tokio::test]
async fn while_the_database_is_gone_nothing_leaves_and_afterwards_all_goes_on() {
    let programme = TestProgramme::start(Backend::Postgres).await;
    programme.ask(HUB_AREAS, CHILD, &[]).await.expect("answered");

    programme.database.cut_off(true).await;
    let Err(EnquiryError::App(AppError::Store(error))) = programme.ask(HUB_AREAS, CHILD, &[]).await else {
        panic!("no database, no answer")
    };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(!format!("{error}").contains("9990000018"));

    programme.database.cut_off(false).await;
    programme.ask(HUB_AREAS, CHILD, &[]).await.expect("answered again, with the same gateway");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_ceiling_lets_exactly_so_many_through_however_many_ask_at_once(#[case] backend: Backend) {
    let programme = Arc::new(TestProgramme::start(backend).await);
    let charity = Ask {
        agency: "hearth",
        agreement: "charity-referral/v1",
        purpose: "family-support",
        mode: "lead",
        role: "family-worker",
    };
    let ceiling = 40; // of both clauses in the shipped agreement
    let tasks: Vec<_> = (0..ceiling + 25)
        .map(|_| {
            let programme = Arc::clone(&programme);
            tokio::spawn(async move { programme.ask(charity, CHILD, &[]).await })
        })
        .collect();
    let (mut answered, mut refused) = (0, 0);
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(_) => answered += 1,
            Err(EnquiryError::CeilingReached { .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((answered, refused), (ceiling, 25));
    let counts = programme.gateway.store().event_counts().await.expect("counts");
    let of =
        |outcome: &str| counts.iter().find(|(kind, of, _)| kind == "enquiry" && of == outcome).map(|count| count.2);
    assert_eq!((of("answered"), of("refused")), (Some(i64::from(ceiling)), Some(25)), "every one is an entry");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_caller_that_hangs_up_cannot_cancel_the_entry(#[case] backend: Backend) {
    let programme = Arc::new(TestProgramme::start(backend).await);
    let asking = {
        let programme = Arc::clone(&programme);
        tokio::spawn(async move { programme.ask(HUB_AREAS, CHILD, &[]).await })
    };
    // Long enough to be handed to the writer on most runs; dropped before or after, the log holds
    // all or nothing of it.
    tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    asking.abort();
    let _ = asking.await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let store = programme.gateway.store();
    let entries: i64 = store.event_counts().await.expect("counts").iter().map(|count| count.2).sum();
    programme.sequencer.drain().await.expect("sequenced");
    let size = store.log_head().await.expect("a head").expect("open").size;
    assert_eq!(entries, size as i64, "every entry is whole and gets its place");
}
