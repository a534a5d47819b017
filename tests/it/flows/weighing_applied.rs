//! Frozen weights take effect: records that no match key joins are one person in an answer, until the
//! weights are withdrawn.

use std::collections::BTreeSet;

use porth::app::caller::AgencyCaller;
use porth::app::weigh::AcceptedPair;
use porth::domain::enquiry::Answer;
use porth::domain::evidence::EvidenceState;
use porth::domain::ids::{EventId, OpaqueRef, PairId};
use porth::domain::pair::{PairNames, PairOrigin, PairState, RecordName};
use porth::linkage::record::RecordKey;
use porth::store::{PairSide, StoredPair};
use porth::tlog::entry::AgreementState;
use rstest::rstest;
use serde_json::{Value, json};

use super::weighing::{deliver_both, people, rows_with_fields, start};
use crate::support::database::Backend;
use crate::support::programme::{TestProgramme, agreement, opaque};

/// South says something of everybody.
async fn deliver(programme: &TestProgramme, below: u32) {
    let from = (programme.today().await - jiff::Span::new().days(9)).to_string();
    deliver_both(programme, below, |agency, row| {
        if agency == "south" {
            row["flags"] = json!([{ "criterion": "T1", "state": "met", "from": from }]);
        }
    })
    .await;
}

/// North asks by the tokens of its own record; only south knows an answer.
async fn is_met(programme: &TestProgramme, row: &Value) -> bool {
    let question = json!({
        "programme": "febrl4", "agreement": "febrl-test/v1", "purpose": "linkage-test", "mode": "areas",
        "relationship": "screening", "role": "tester", "case": opaque(7), "user": opaque(8), "scheme": "pt1", "norm": 1,
        "epochs": programme.epochs(), "tokens": row["tokens"], "household": {},
    });
    let question = serde_json::from_value(question).expect("a question");
    let caller = AgencyCaller { agency: "north".parse().expect("a code"), client: "test-client".to_owned() };
    let key = uuid::Uuid::now_v7().to_string();
    let answer = programme.gateway.enquire(&caller, &question, &key).await.expect("permitted").answer;
    let Answer::Areas { areas, .. } = &answer else { panic!("areas: {answer:?}") };
    areas.iter().any(|area| area.state == EvidenceState::Met)
}

/// Weights that were learned here, and what they accept.
async fn learn(programme: &TestProgramme) -> (Vec<u8>, Vec<AcceptedPair>) {
    let key = &programme.keys.match_run;
    let weights = programme.gateway.learn_weights(key, "analyst-1").await.expect("learned");
    let weighing = programme.gateway.open_weighing(key).await.expect("opened");
    (weights.to_bytes(), weighing.accepted(&weights, None))
}

/// Applies weights and lets the publisher work; gives how many were weighed, joined and parted.
async fn apply(programme: &TestProgramme, weights: &[u8], afresh: bool) -> (u64, u64, u64) {
    let key = &programme.keys.match_run;
    let applied = programme.gateway.apply_weights(key, weights, "analyst-1", afresh).await.expect("applied");
    programme.publish().await;
    while programme.gateway.publish_pairs().await.expect("published").is_some() {}
    (applied.weighed, applied.joined, applied.parted)
}

async fn withdraw(programme: &TestProgramme) -> u64 {
    let withdrawn = programme.gateway.withdraw_weights("analyst-1").await.expect("withdrawn");
    while programme.gateway.publish_pairs().await.expect("published").is_some() {}
    withdrawn.parted
}

fn name(key: &RecordKey) -> RecordName {
    RecordName { agency: key.agency.clone(), feed: key.feed.clone(), reference: key.reference.clone() }
}

fn names(pair: &AcceptedPair) -> PairNames {
    PairNames::new(name(&pair.a), name(&pair.b)).expect("two records")
}

fn tokens(row: &Value) -> BTreeSet<String> {
    let types = row["tokens"]["1"].as_object().expect("types");
    types.values().flat_map(|list| list.as_array().expect("a list")).map(ToString::to_string).collect()
}

/// The accepted pairs of one person's records that share no token of a match key, with north's row.
fn only_weighed(programme: &TestProgramme, below: u32, accepted: &[AcceptedPair]) -> Vec<(AcceptedPair, Value)> {
    let [north, south] = ["dataset4a", "dataset4b"].map(|file| rows_with_fields(programme, &people(file, below)));
    let row = |rows: &[Value], reference: &OpaqueRef| {
        rows.iter().find(|row| row["ref"] == reference.as_str()).expect("its row").clone()
    };
    let of_one = accepted.iter().filter(|pair| pair.a.reference == pair.b.reference);
    let with_row = of_one.filter_map(|pair| {
        let (a, b) = (row(&north, &pair.a.reference), row(&south, &pair.b.reference));
        tokens(&a).is_disjoint(&tokens(&b)).then(|| (pair.clone(), a))
    });
    with_row.collect()
}

async fn in_force(programme: &TestProgramme) -> Vec<StoredPair> {
    let standing = programme.gateway.store().standing_pairs(&programme.code).await.expect("pairs");
    standing.into_iter().filter(|pair| pair.origin == PairOrigin::Weighed).collect()
}

async fn steps(programme: &TestProgramme) -> i64 {
    let counts = programme.gateway.store().event_counts().await.expect("counts");
    counts.iter().filter(|(kind, _, _)| kind == "weights.step").map(|(_, _, count)| count).sum()
}

/// A pair that holders decided about.
async fn decided(programme: &TestProgramme, origin: PairOrigin, state: PairState, names: PairNames) {
    let mut tx = programme.gateway.store().begin().await.expect("a transaction");
    let now = tx.now().await.expect("the clock");
    let id = PairId::new(uuid::Uuid::now_v7());
    let evidence = "k8".to_owned();
    let sides = [PairSide::default(); 2];
    let pair = StoredPair { id, origin, names, weight: None, evidence, state, proposed_at: now, sides };
    let event = EventId::new(uuid::Uuid::now_v7());
    assert!(tx.add_pair(&programme.code, &pair, Some((now, event))).await.expect("added"));
    tx.commit().await.expect("committed");
    programme.publish().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn records_that_no_match_key_joins_are_one_person_in_an_answer_until_the_weights_are_withdrawn(
    #[case] backend: Backend,
) {
    let programme = start(backend).await;
    deliver(&programme, 1000).await;
    let (weights, accepted) = learn(&programme).await;
    let apart = only_weighed(&programme, 1000, &accepted);
    assert!(!apart.is_empty(), "some are joined by weight alone");
    for (_, row) in &apart {
        assert!(!is_met(&programme, row).await, "no match key leads to south's record");
    }

    assert_eq!(apply(&programme, &weights, false).await, (2000, accepted.len() as u64, 0));
    for (_, row) in &apart {
        assert!(is_met(&programme, row).await, "the two records are one person");
    }
    // The reasons name fields, levels and bits.
    let stored = in_force(&programme).await;
    let (pair, _) = &apart[0];
    let reasons = stored.iter().find(|stored| stored.names == names(pair)).expect("its pair");
    assert_eq!(reasons.weight, Some(pair.odds));
    let said: Vec<&str> = reasons.evidence.split(',').collect();
    assert_eq!(said.len(), pair.evidence.len());
    for (said, evidence) in said.iter().zip(&pair.evidence) {
        let level = evidence.level.as_deref().unwrap_or("differs");
        assert_eq!(*said, format!("{} {level} {:+}", evidence.field, evidence.evidence));
    }

    assert_eq!(apply(&programme, &weights, false).await, (0, 0, 0), "nothing is new");
    assert_eq!(apply(&programme, &weights, true).await, (2000, 0, 0), "afresh it comes to the same");
    assert_eq!(in_force(&programme).await, stored);

    assert_eq!(withdraw(&programme).await, accepted.len() as u64);
    for (_, row) in &apart {
        assert!(!is_met(&programme, row).await, "they are two people again");
    }
    assert_eq!(in_force(&programme).await, []);
    assert_eq!(steps(&programme).await, 4);
    assert!(programme.gateway.withdraw_weights("analyst-1").await.is_err(), "none are in force");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_is_new_since_is_weighed_upon_what_stands(#[case] backend: Backend) {
    let programme = start(backend).await;
    deliver(&programme, 400).await;
    let (weights, accepted) = learn(&programme).await;
    assert_eq!(apply(&programme, &weights, false).await, (800, accepted.len() as u64, 0));
    let first = in_force(&programme).await;

    // Everybody is delivered again with forty more: rows have other ids, people are the same.
    deliver(&programme, 440).await;
    let (weighed, joined, parted) = apply(&programme, &weights, false).await;
    assert_eq!((weighed, parted), (80, 0));
    assert!((38..=40).contains(&joined), "{joined}");
    let second = in_force(&programme).await;
    assert!(first.iter().all(|pair| second.contains(pair)), "what stood stands untouched");

    // Somebody's record says other things than it did: it is weighed, and its pair goes.
    let mut rows = rows_with_fields(&programme, &people("dataset4a", 440));
    let (other, own) = (rows[0]["fields"].clone(), rows[1]["ref"].clone());
    rows[1]["fields"] = other;
    programme.deliver("north", "file-a", "febrl-test/v1", &rows).await;
    let (weighed, _, parted) = apply(&programme, &weights, false).await;
    assert_eq!((weighed, parted), (1, 1));
    let of_changed = in_force(&programme).await;
    let of_changed = of_changed.iter().filter(|pair| pair.names.both().iter().any(|it| own == it.reference.as_str()));
    assert!(of_changed.count() == 0 || rows[0]["ref"] == own, "its old pair does not stand");
}

#[tokio::test]
async fn weights_that_nobody_learned_here_are_not_applied() {
    let programme = start(Backend::Sqlite).await;
    deliver(&programme, 400).await;
    let (weights, _) = learn(&programme).await;
    let mut by_hand: Value = serde_json::from_slice(&weights).expect("JSON");
    by_hand["prior"] = json!(30_000);
    let key = &programme.keys.match_run;
    let refused = programme.gateway.apply_weights(key, by_hand.to_string().as_bytes(), "analyst-1", false).await;
    let refused = refused.expect_err("nobody sets weights by hand").to_string();
    assert!(refused.contains("no entry of these weights"), "{refused}");
    assert!(programme.gateway.apply_weights(key, &weights, "not an account", false).await.is_err());
    assert_eq!((in_force(&programme).await.len(), steps(&programme).await), (0, 0));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_holders_parted_or_refused_no_weight_joins(#[case] backend: Backend) {
    let programme = start(backend).await;
    deliver(&programme, 1000).await;
    let (weights, accepted) = learn(&programme).await;
    let alone = only_weighed(&programme, 1000, &accepted);
    let [(parted, row), (refused, _)] = &alone[..2] else { panic!("two at least") };
    decided(&programme, PairOrigin::Confirmed, PairState::Refused, names(refused)).await;
    let all = accepted.len() as u64;
    assert_eq!(apply(&programme, &weights, false).await, (2000, all - 1, 0));
    assert!(is_met(&programme, row).await);

    // A split that comes later is heard at once, and the next weighing takes the pair back.
    decided(&programme, PairOrigin::Apart, PairState::InForce, names(parted)).await;
    assert!(!is_met(&programme, row).await, "people outweigh any weight");
    assert_eq!(apply(&programme, &weights, false).await, (0, 0, 1));
    let left: Vec<PairNames> = in_force(&programme).await.into_iter().map(|pair| pair.names).collect();
    assert!(!left.contains(&names(parted)) && !left.contains(&names(refused)));
    assert_eq!(left.len() as u64, all - 2);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shield_reaches_over_a_weighed_pair_and_no_weights_lift_it(#[case] backend: Backend) {
    let programme = start(backend).await;
    deliver(&programme, 1000).await;
    let (weights, accepted) = learn(&programme).await;
    apply(&programme, &weights, false).await;
    let (pair, row) = only_weighed(&programme, 1000, &accepted).swap_remove(0);
    let south = (&pair.b.agency, &pair.b.feed);
    let is_shielded = async || {
        let store = programme.gateway.store();
        let generation = store.view(&programme.code).await.expect("a view").expect("a programme").generation;
        let reference = [pair.b.reference.clone()];
        store.shown_records(&programme.code, generation, south, &reference).await.expect("records")[0].is_shielded
    };
    assert!(is_met(&programme, &row).await && !is_shielded().await);

    let mut rows = rows_with_fields(&programme, &people("dataset4a", 1000));
    let hidden = rows.iter_mut().find(|row| row["ref"] == pair.a.reference.as_str()).expect("north's row");
    hidden["restricted"] = json!(true);
    programme.deliver("north", "file-a", "febrl-test/v1", &rows).await;
    assert!(is_shielded().await, "north's restriction reaches south's record");

    let (_, joined, parted) = apply(&programme, &weights, false).await;
    assert_eq!((joined, parted), (0, 0), "nobody who is shielded is in a number");
    assert!(is_shielded().await);
    assert_eq!(withdraw(&programme).await, accepted.len() as u64 - 1);
    assert!(is_shielded().await, "the pair that carries the shield stays");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn pairs_end_with_the_agreement_that_let_them_be_weighed(#[case] backend: Backend) {
    let programme = start(backend).await;
    deliver(&programme, 400).await;
    let (weights, accepted) = learn(&programme).await;
    apply(&programme, &weights, false).await;
    let reference = agreement("febrl-test/v1");
    let suspended = programme.gateway.set_agreement_status(&reference, AgreementState::Suspended, "officer", "review");
    suspended.await.expect("suspended");
    assert_eq!(apply(&programme, &weights, false).await, (0, 0, accepted.len() as u64));
    assert_eq!(in_force(&programme).await, []);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn nothing_leads_by_weight_from_an_identity_that_its_person_left(#[case] backend: Backend) {
    let programme = start(backend).await;
    deliver(&programme, 1000).await;
    let (weights, accepted) = learn(&programme).await;
    apply(&programme, &weights, false).await;
    let (pair, row) = only_weighed(&programme, 1000, &accepted).swap_remove(0);
    assert!(is_met(&programme, &row).await);

    // South retires one token of its record; the others still match, and the pair is still in force.
    let mut rows = rows_with_fields(&programme, &people("dataset4b", 1000));
    let from = (programme.today().await - jiff::Span::new().days(9)).to_string();
    for south in &mut rows {
        south["flags"] = json!([{ "criterion": "T1", "state": "met", "from": from }]);
        if south["ref"] == pair.b.reference.as_str() {
            let (name, list) = south["tokens"]["1"].as_object().expect("types").iter().next().expect("a token");
            south["retired"] = json!({ "1": { name.as_str(): list } });
        }
    }
    programme.deliver("south", "file-b", "febrl-test/v1", &rows).await;
    assert!(!is_met(&programme, &row).await, "the likeness leads nowhere from now on");
    let (_, joined, parted) = apply(&programme, &weights, false).await;
    assert_eq!((joined, parted), (0, 1));
}
