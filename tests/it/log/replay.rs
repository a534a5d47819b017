//! One entry is explained, and its decision made again: as at its date, and today.

use porth::tlog::digest::Digest;
use porth::tlog::entry::{AgreementState, Body, Entry};
use rstest::rstest;

use super::{CORE, append, asked_twice, look};
use crate::support::database::Backend;

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
