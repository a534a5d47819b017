//! What changes while a request is on its way: a shield, a person's objection, an erasure, an emergency
//! that nobody reviews.

use porth::app::emergency::{ReviewFinding, Reviewer};
use porth::app::review::officers::NewOfficer;
use porth::domain::ids::{EventId, ReidentificationId};
use porth::domain::reidentification::Handling;
use porth::domain::reidentification::refusal::Refusal;
use porth::domain::reidentification::state::State;
use porth::tlog::entry::{Body, Entry};
use rstest::rstest;
use serde_json::json;

use super::scene::{MOTHER, Scene};
use crate::support::database::Backend;

/// Another agency shields the mother.
async fn shield(scene: &Scene) {
    let shielded = scene.programme.row(1, MOTHER, json!({ "role": "adult", "restricted": true }));
    scene.programme.deliver("housing", "tenancies", "early-help-core/v1", &[shielded]).await;
}

/// The entry that a request came in with.
async fn entry_of(scene: &Scene, id: ReidentificationId) -> EventId {
    scene.programme.sequencer.drain().await.expect("sequenced");
    let store = scene.programme.gateway.store();
    let size = store.log_head().await.expect("a head").expect("open").size;
    let entries = store.log_entries(0, size).await.expect("entries");
    let parsed = entries.iter().map(|(_, bytes)| Entry::parse(bytes).expect("an entry"));
    let is_it = |entry: &Entry| match entry.body() {
        Body::ReidStep(step) => step.request == Some(id) && step.step.as_str() == "request",
        _ => false,
    };
    parsed.into_iter().find(is_it).expect("it is in the log").event()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shield_that_comes_after_the_approvals_lets_nothing_be_certified(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.approved().await;
    shield(&scene).await;
    scene.assert_refused(scene.certify(asked.id), Refusal::Unknown).await;
    let gateway = &scene.programme.gateway;
    let listed = gateway.reidentifications(&scene.source.caller).await.expect("listed");
    assert!(listed.is_empty(), "the source sees what it sees of somebody unknown");
    let of_team = gateway.reidentifications(&scene.team.caller).await.expect("listed");
    assert_eq!(of_team[0].state.word(), "authorised", "and the requester what it saw before");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shield_that_comes_after_the_answer_lets_nothing_be_collected(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let (asked, ..) = scene.answered().await;
    shield(&scene).await;
    scene.assert_refused(scene.collect(asked.id), Refusal::Expired).await;
    let row = scene.programme.gateway.store().reid(asked.id).await.expect("the database").expect("a row");
    assert_eq!((row.state, row.envelope), (State::Expired {}, None), "the ciphertext is gone");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_request_whose_entry_is_erased_is_gone_with_its_votes(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let (asked, kept) = (scene.approved().await, scene.approved().await);
    let entry = entry_of(&scene, asked.id).await;
    let gateway = &scene.programme.gateway;
    assert_eq!(gateway.erase_entries(&[entry], "uk-gdpr:17", "ops-1").await.expect("erased").erased, 1);
    let store = gateway.store();
    assert!(store.reid(asked.id).await.expect("the database").is_none());
    assert!(store.reid_votes(asked.id).await.expect("the database").is_empty());
    assert_eq!(store.reid_votes(kept.id).await.expect("the database").len(), 2, "another request is as it was");
    scene.assert_refused(scene.certify(asked.id), Refusal::Unknown).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_emergency_that_nobody_reviewed_in_time_stops_the_next_one(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let gateway = &scene.programme.gateway;
    let first = scene.ask_with(&emergency(&scene)).await.expect("permitted");
    let waiting = gateway.all_emergencies().await.expect("listed");
    assert_eq!(waiting.len(), 1, "a review is due the same day");
    assert_eq!(waiting[0].event, entry_of(&scene, first.id).await);

    scene.programme.database.execute("UPDATE emergency SET due_at = 1").await;
    let refused = format!("{:?}", scene.ask_with(&emergency(&scene)).await.expect_err("refused"));
    assert!(refused.contains("EmergencyUnreviewed"), "{refused}");
    scene.ask().await; // without an emergency it may ask as before

    let officer = NewOfficer {
        account: "ig-1".to_owned(),
        agency: "police".parse().expect("a code"),
        keys: Vec::new(),
        clients: Vec::new(),
        users: Vec::new(),
    };
    gateway.register_officer(&officer, "operator-1", "appointed").await.expect("registered");
    let council = Reviewer::Council("ig-1");
    let reviewed = gateway.review_emergency(council, waiting[0].event, ReviewFinding::Justified, "case-note").await;
    assert!(!reviewed.expect("reviewed").is_in_time);
    scene.ask_with(&emergency(&scene)).await.expect("permitted again");
}

fn emergency(scene: &Scene) -> porth::app::reidentification::NewReidentification {
    let mut new = scene.question();
    (new.handling, new.hours) = (Handling::Emergency, 4);
    new
}
