//! One entry is explained, and its decision made again: as at its date, and today.

use porth::app::log_index::{index_log, rebuild_log_index};
use porth::crypto::random::SystemRandom;
use porth::domain::ids::EventId;
use porth::tlog::digest::Digest;
use porth::tlog::entry::{AgreementState, Body, Entry};
use rstest::rstest;
use serde_json::{Value, json};

use super::{CORE, GROUNDS, append, asked_twice, look};
use crate::support::agency::{TestAgency, idempotency_key};
use crate::support::database::Backend;
use crate::support::people::reference;

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_decision_comes_out_the_same_until_an_agreement_is_suspended_and_then_only_as_at_its_date(
    #[case] backend: Backend,
) {
    let (home, answered, refused) = asked_twice(backend).await;
    let auditor = home.agency("programme-team").await;

    let read = look(&auditor, &format!("entries/{answered}"), "").await;
    assert!(read["proof"].as_str().is_some_and(|proof| proof.starts_with("c2sp.org/tlog-proof@v1")), "{read}");
    let texts = read["texts"].as_array().expect("texts");
    assert!(texts.iter().any(|text| text["kind"] == "agreement" && text["is_there"] == true), "{read}");
    let sentences = read["sentences"].to_string();
    assert!(sentences.contains("education might contribute A2"), "{sentences}");

    for entry in [&answered, &refused] {
        let replayed = look(&auditor, &format!("entries/{entry}/replay"), "").await;
        assert_eq!(replayed["is_replayed"], true, "{replayed}");
        assert_eq!(replayed["then"]["is_same"], true, "{replayed}");
        assert_eq!(replayed["today"]["is_same"], true, "{replayed}");
        assert_eq!(replayed["answer"], if *entry == answered { "same" } else { "none" }, "{replayed}");
    }

    let agreement = CORE.parse().expect("a reference");
    home.gateway()
        .set_agreement_status(&agreement, AgreementState::Suspended, "board", "incident")
        .await
        .expect("suspended");
    home.wait_sequenced().await;
    let replayed = look(&auditor, &format!("entries/{answered}/replay"), "").await;
    assert_eq!(replayed["then"]["is_same"], true, "what was in force then is not what is now: {replayed}");
    assert_eq!(replayed["today"]["is_same"], false, "{replayed}");
    let words = replayed["today"]["differences"].to_string();
    assert!(words.contains("The entry says answered; today it is refused"), "{words}");
    assert_eq!(replayed["answer"], "same");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_entry_whose_texts_are_not_there_is_unreplayable_and_never_assumed(#[case] backend: Backend) {
    let (home, answered, _) = asked_twice(backend).await;
    let auditor = home.agency("programme-team").await;
    let event = answered.parse().expect("an event");
    let store = home.gateway().store();
    let body = store.event_body(event).await.expect("the database").expect("it is there");
    let entry = Entry::parse(&body).expect("an entry");
    let Body::Enquiry(mut enquiry) = entry.body().clone() else { panic!("an enquiry") };
    enquiry.rules_sha256 = Digest::of(b"a rule book that nobody has");
    enquiry.decisions[0].supply_sha256 = Some(Digest::of(b"a text that nobody has"));
    let id = append(&home, Body::Enquiry(enquiry)).await;

    let replayed = look(&auditor, &format!("entries/{id}/replay"), "").await;
    assert_eq!(replayed["is_replayed"], false, "{replayed}");
    assert!(replayed["then"].is_null(), "{replayed}");
    let missing = replayed["missing"].to_string();
    assert!(missing.contains("No rule book with the hash") && missing.contains("the text"), "{replayed}");

    let loads = look(&auditor, "entries", "&type=policy.load").await;
    let load = loads["entries"][0]["event"].as_str().expect("policies were loaded").to_owned();
    let replayed = look(&auditor, &format!("entries/{load}/replay"), "").await;
    assert!(replayed["missing"].to_string().contains("no decision"), "{replayed}");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_opening_that_was_exchanged_or_spoilt_is_said_as_such_and_never_judged(#[case] backend: Backend) {
    let (home, answered, _) = asked_twice(backend).await;
    let auditor = home.agency("programme-team").await;
    let (gateway, event) = (home.gateway(), answered.parse::<EventId>().expect("an event"));
    let kept = gateway.store().sealed_entry(event, "answer").await.expect("the database").expect("an opening").sealed;
    let fields = &gateway.keys().fields;
    let plain = fields.open("opening", "answer", event.as_bytes(), &kept).expect("opens");
    let text = String::from_utf8_lossy(&plain[32..]).into_owned();
    assert!(text.contains("\"met\""), "{text}");
    let altered = [&plain[..32], text.replace("\"met\"", "\"not_met\"").as_bytes()].concat();
    let altered = fields.seal_to_length(&SystemRandom::new(), "opening", "answer", event.as_bytes(), &altered, 8192);
    let spoilt: Vec<u8> = kept.iter().rev().copied().collect();
    let exchange = async |from: &[u8], to: &[u8]| {
        let mut tx = gateway.store().begin().await.expect("begins");
        tx.replace_opening(event, "answer", from, to).await.expect("exchanged");
        tx.commit().await.expect("committed");
    };
    let answer = async || look(&auditor, &format!("entries/{answered}/replay"), "").await["answer"].clone();
    let altered = altered.expect("seals");
    exchange(&kept, &altered).await;
    assert_eq!(answer().await, "altered");
    exchange(&altered, &spoilt).await;
    assert_eq!(answer().await, "unreadable");
    exchange(&spoilt, &kept).await;
    assert_eq!(answer().await, "same");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_past_day_is_not_put_together_from_an_index_that_lacks_entries(#[case] backend: Backend) {
    let (home, answered, _) = asked_twice(backend).await;
    let auditor = home.agency("programme-team").await;
    let store = home.gateway().store();
    let size = index_log(store).await.expect("indexed");
    let mut rows = store.facets(0, size).await.expect("the database");
    let place = rows.iter().position(|row| row.facet == "type" && row.value == "agreement.status").expect("one");
    rows.remove(place);
    let mut tx = store.begin().await.expect("begins");
    tx.lock_log_index().await.expect("locked");
    tx.clear_log_index().await.expect("emptied");
    tx.add_facets(&rows, size).await.expect("filled");
    tx.commit().await.expect("committed");
    let replayed = look(&auditor, &format!("entries/{answered}/replay"), "").await;
    assert!(replayed["is_replayed"] == false && replayed["missing"].to_string().contains("index lacks"), "{replayed}");
    rebuild_log_index(store).await.expect("made again");
    let replayed = look(&auditor, &format!("entries/{answered}/replay"), "").await;
    assert_eq!(replayed["is_replayed"], true, "{replayed}");

    // An entry that is not what its leaf hash says is shown to nobody.
    let body = home.gateway().store().event_body(answered.parse().expect("an event")).await;
    let body = body.expect("the database").expect("an entry");
    let entry = Entry::parse(&body).expect("an entry").into_body();
    let id = EventId::new(uuid::Uuid::now_v7());
    let mut event = super::entry_of(id, home.now().await, entry, Vec::new());
    event.leaf_hash[0] ^= 1;
    let mut tx = store.begin().await.expect("begins");
    tx.add_events(&[&event]).await.expect("added");
    tx.commit().await.expect("committed");
    for path in [format!("entries/{id}"), format!("entries/{id}/replay")] {
        let reply = auditor.call("GET", &format!("/v1/log/{path}?{GROUNDS}"), &[], "").await;
        assert_eq!(reply.status, 500, "{path}: {reply:?}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("commitments"), "{reply:?}");
    }
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn match_runs_their_disclosures_and_views_of_possible_matches_are_replayed(#[case] backend: Backend) {
    let (home, _, _) = asked_twice(backend).await;
    let team = home.agency("programme-team").await;
    let post = async |agency: &TestAgency<'_>, path: &str, body: &Value| {
        let key = idempotency_key();
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        agency.call("POST", path, &headers, body.to_string()).await
    };
    let terms = json!({ "agreement": "programme-delivery/v1", "relationship": "screening", "role": "data-analyst",
        "user": reference("somebody") });
    let begun = post(&team, "/v1/match-runs", &terms).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let run = format!("/v1/match-runs/{}", begun.json()["id"].as_str().expect("an id"));
    for number in 0..5 {
        let body = json!({ "terms": terms, "without_reply": number > 0 });
        let step = post(&team, &format!("{run}/steps"), &body).await;
        assert!(step.status < 300, "{step:?}");
        if step.json()["state"] == "closed" {
            break;
        }
    }
    let families = post(&team, &format!("{run}/families"), &terms).await;
    assert_eq!(families.status, 201, "{families:?}");
    let mut view = terms.clone();
    view["purpose"] = "programme-delivery".into();
    assert_eq!(post(&team, "/v1/possible-matches/views", &view).await.status, 201);
    let housing = home.agency("housing").await;
    assert_eq!(post(&housing, "/v1/match-runs", &terms).await.status, 403);
    home.wait_sequenced().await;

    let auditor = home.agency("programme-team").await;
    let mut replayed = Vec::new();
    for kind in ["match.run", "match.run.step", "match.view"] {
        let found = look(&auditor, "entries", &format!("&type={kind}")).await;
        for line in found["entries"].as_array().expect("entries") {
            let event = line["event"].as_str().expect("an event");
            let entry: Value = serde_json::from_str(line["entry"].as_str().expect("text")).expect("JSON");
            let again = look(&auditor, &format!("entries/{event}/replay"), "").await;
            let step = entry["body"]["step"].as_str().unwrap_or(kind).to_owned();
            if step == "families" || kind != "match.run.step" {
                assert_eq!(again["is_replayed"], true, "{entry}: {again}");
                assert_eq!(
                    (&again["then"]["is_same"], &again["today"]["is_same"]),
                    (&json!(true), &json!(true)),
                    "{again}"
                );
                replayed.push(step);
            } else {
                assert!(again["missing"].to_string().contains("no decision"), "{again}");
            }
        }
    }
    replayed.sort();
    assert_eq!(replayed, ["families", "match.run", "match.run", "match.view"]);
    home.stop().await;
}
