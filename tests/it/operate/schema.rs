//! Steps of the schema with data in them, and databases of other versions.

use porth::store::{SCHEMA_VERSION, StoreError};
use rstest::rstest;
use serde_json::json;

use crate::support::database::{Backend, TestDatabase};
use crate::support::programme::{HUB_AREAS, TestProgramme};

const PERSON: &[(&str, &str)] = &[("nhs", "9990000018")];

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_last_steps_go_down_and_up_with_data_and_what_was_there_before_them_stays(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let row = programme.row(1, PERSON, json!({ "role": "child" }));
    programme.deliver("education", "attendance", "early-help-core/v1", &[row]).await;
    let feed = porth::app::suspend::Suspendable::Feed(
        "housing".parse().expect("a code"),
        "tenancies".parse().expect("a code"),
    );
    programme.gateway.set_standing(&feed, false, "operator", "incident").await.expect("suspended");
    let before = programme.ask(HUB_AREAS, PERSON, &[]).await.expect("permitted").answer;
    programme.sequencer.drain().await.expect("sequenced");
    let store = programme.gateway.store();
    let size = store.log_head().await.expect("the log").expect("open").size;

    store.migrate_down(1).await.expect("down to the first release");
    let older = store.check_schema().await.expect_err("an older schema");
    assert!(matches!(&older, StoreError::Schema(line) if line.contains("run `porth migrate`")), "{older}");
    store.migrate().await.expect("up again");
    store.check_schema().await.expect("this binary's");
    assert_eq!(store.log_head().await.expect("the log").expect("open").size, size);
    let after = programme.on(store.clone()).ask(HUB_AREAS, PERSON, &[]).await.expect("permitted").answer;
    assert_eq!(before, after);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_schema_of_another_version_is_refused_with_what_to_do(#[case] backend: Backend) {
    let database = TestDatabase::create(backend).await;
    assert_eq!(database.store.schema_found().await.expect("asked").0, SCHEMA_VERSION);
    // A newer porth was here: one step more than this binary knows.
    let newer = TestDatabase::create(backend).await;
    newer.note_unknown_step().await;
    let refused = newer.store.check_schema().await.expect_err("newer");
    assert!(refused.to_string().contains("use the newer porth"), "{refused}");
    let refused = newer.store.migrate().await.expect_err("newer");
    assert!(refused.to_string().contains("use the newer porth"), "{refused}");
}
