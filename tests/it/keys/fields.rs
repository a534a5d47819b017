//! The key-encryption key is replaced: everything is under the new version, and the old one opens nothing.

use rstest::rstest;
use serde_json::json;

use super::met;
use crate::support::database::Backend;
use crate::support::programme::{HUB_AREAS, TestProgramme};

const ADA: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "ada")];

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn every_stored_field_is_sealed_again_and_the_old_key_opens_none(#[case] backend: Backend) {
    let old = TestProgramme::start(backend).await;
    let flags = met(&old, "E1").await;
    let row = old.row(1, ADA, json!({ "role": "child", "flags": flags }));
    old.deliver("education", "attendance", "early-help-core/v1", &[row]).await;
    let before = old.ask(HUB_AREAS, ADA, &[]).await.expect("permitted").answer;

    let both = old.restarted_with(old.keys.with_next_field_key());
    let lengths = sealed_lengths(&both).await;
    let needed = both.gateway.fields_under_older_keys().await.expect("counted");
    assert!(needed > 1, "evidence and openings");
    let done = both.gateway.reseal_fields().await.expect("sealed again");
    assert_eq!((done.resealed, done.current), (needed, 0));
    assert_eq!(both.gateway.fields_under_older_keys().await.expect("counted"), 0);
    assert_eq!(both.gateway.reseal_fields().await.expect("nothing to do").resealed, 0);
    assert_eq!(sealed_lengths(&both).await, lengths, "lengths tell no more than before");

    let new = both.restarted_with(both.keys.with_newest_field_key_alone());
    assert_eq!(new.ask(HUB_AREAS, ADA, &[]).await.expect("permitted").answer, before);
    let stale = old.ask(HUB_AREAS, ADA, &[]).await;
    assert!(stale.is_err(), "the old key opens nothing: {stale:?}");
}

async fn sealed_lengths(programme: &TestProgramme) -> Vec<usize> {
    let store = programme.gateway.store();
    let evidence = store.sealed_evidence(0, 1000).await.expect("evidence");
    let openings = store.sealed_openings(None, 1000).await.expect("openings");
    evidence.iter().map(|(_, s)| s.len()).chain(openings.iter().map(|(_, _, s)| s.len())).collect()
}
