//! The schema: pairs that say the same, up and down, and statements that both engines take.

use std::collections::BTreeMap;

use porth::store::{SCHEMA_VERSION, StoreError};
use rstest::rstest;

use crate::support::database::{Backend, TestDatabase};

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn every_statement_of_the_store_is_taken_by_the_engine(#[case] backend: Backend) {
    let database = TestDatabase::create(backend).await;
    let prepared = database.store.prepare_every_statement().await;
    assert!(prepared.is_ok_and(|count| count > 60), "{:#?}", database.store.prepare_every_statement().await);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_schema_goes_up_down_and_up_again(#[case] backend: Backend) {
    let database = TestDatabase::create_empty(backend).await;
    let missing = database.store.check_schema().await.expect_err("nothing there yet");
    assert!(missing.to_string().contains("porth migrate"), "{missing}");
    database.store.migrate().await.expect("up");
    database.store.check_schema().await.expect("this binary's version");
    database.store.migrate_down(0).await.expect("down");
    assert!(matches!(database.store.check_schema().await, Err(StoreError::Schema(_))));
    database.store.migrate().await.expect("up again");
    database.store.prepare_every_statement().await.expect("as before");
    let last = STEPS.last().expect("steps").split('_').next().expect("a number");
    assert_eq!(SCHEMA_VERSION, last.parse::<i64>().expect("a number"));
}

#[test]
fn the_two_engines_have_the_same_tables_columns_and_comments() {
    for step in STEPS {
        let texts = ["sqlite", "postgres"].map(|engine| {
            let path = format!("{}/migrations/{engine}/{step}.up.sql", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).expect("the migration is there")
        });
        let [sqlite, postgres] = texts.each_ref().map(|text| columns(text));
        let is_one_text = texts[0] == texts[1]; // a step that changes what is in the tables alone
        assert!(!sqlite.is_empty() || is_one_text, "{step} has neither a table nor a changed one");
        assert_eq!(sqlite, postgres);
    }
}

/// Every step of the schema, as its files are named.
const STEPS: &[&str] = &[
    "0001_first_release",
    "0002_feeds",
    "0003_keys",
    "0004_onboarding",
    "0005_operate",
    "0006_screenings",
    "0007_pairs",
    "0008_profiles",
    "0009_families",
    "0010_statistics",
    "0011_claims",
    "0012_uploads",
    "0013_retired_tokens",
    "0014_token_checks",
    "0015_match_runs",
    "0016_submissions",
    "0017_weighings",
    "0018_log_index",
    "0021_agreement_activation",
    "0022_review",
    "0023_rights",
    "0024_recalls",
    "0026_reidentification",
    "0028_erasures",
    "0029_marks_by_decision",
    "0030_accounts",
    "0031_console_handles",
];

/// Table by table, the columns with their comments, and the changes of older tables; types translated to the shared three.
fn columns(sql: &str) -> BTreeMap<String, Vec<String>> {
    let mut tables = BTreeMap::new();
    let mut table = String::new();
    for line in sql.lines() {
        if let Some(change) = line.strip_prefix("ALTER TABLE ").filter(|change| change.contains(" ADD COLUMN ")) {
            let change = change.replace("BIGINT", "INTEGER").replace("BYTEA", "BLOB");
            tables.entry("changed".to_owned()).or_insert_with(Vec::new).push(change);
        } else if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            rest.trim_end_matches(" (").clone_into(&mut table);
        } else if line.starts_with("    ") && !table.is_empty() {
            let line = line.replace("BIGINT", "INTEGER").replace("BYTEA", "BLOB");
            let words: Vec<&str> = line.split_whitespace().collect();
            tables.entry(table.clone()).or_insert_with(Vec::new).push(words.join(" "));
        }
    }
    tables
}
