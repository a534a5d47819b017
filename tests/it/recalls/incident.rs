//! Incidents: their steps are entries, a decision needs two, and the pack proves what it says.

use porth::app::incident::{IncidentJourneyError, Link, NewAssessment, NewDecision, PackError};
use porth::app::recall::Named;
use porth::domain::alert::rules::Thresholds;
use porth::domain::incident::{IncidentError, Nature, Risk};
use rstest::rstest;

use super::*;
use crate::support::database::Backend;

fn assessment(risk: Risk) -> NewAssessment {
    NewAssessment {
        risk,
        people: 2,
        records: 2,
        consequences: vec!["wrong-support".to_owned()],
        measures: vec!["pair-parted".to_owned(), "recipients-told".to_owned()],
        reason: "limited-harm".to_owned(),
    }
}

fn decision(commissioner: bool) -> NewDecision {
    NewDecision {
        seconded_by: "siro-1".to_owned(),
        notify_commissioner: commissioner,
        notify_people: false,
        reason: "duty".to_owned(),
        late_reason: None,
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_incident_of_a_recall_is_assessed_decided_packed_and_closed(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    let wrong = ask(&programme, "areas", BY_PUPIL_NUMBER).await;
    let recalled = recall(&programme, &Named::Two(name(SCHOOLS, 1), name(CARE, 2)), "namesake").await;
    go_on(&programme).await;
    let gateway = &programme.gateway;
    let link = Link { of: "recall".to_owned(), name: recalled.to_string() };
    let now = gateway.store().now().await.expect("the clock");
    let aware = now.plus_seconds(-3600);
    let opened = gateway.open_incident("ig-1", Nature::WrongMatch, "recall", Some(aware), &[link]).await;
    let opened = opened.expect("recorded");
    let left = opened.incident.remaining_seconds(opened.now);
    assert!((71 * 3600 - 60..=71 * 3600).contains(&left), "{left}");

    let early = gateway.decide_incident(opened.id, "dpo-1", &decision(true)).await;
    assert!(matches!(early, Err(IncidentJourneyError::Step(IncidentError::State))), "{early:?}");
    gateway.assess_incident(opened.id, "ig-1", &assessment(Risk::Risk)).await.expect("assessed");
    let against = gateway.decide_incident(opened.id, "dpo-1", &decision(false)).await;
    assert!(matches!(against, Err(IncidentJourneyError::Step(IncidentError::Commissioner))), "{against:?}");
    let alone = gateway.decide_incident(opened.id, "siro-1", &decision(true)).await;
    assert!(matches!(alone, Err(IncidentJourneyError::Step(IncidentError::SecondPerson))), "{alone:?}");
    gateway.decide_incident(opened.id, "dpo-1", &decision(true)).await.expect("decided");

    programme.sequencer.drain().await.expect("sequenced");
    let folder = tempfile::tempdir().expect("a folder");
    let packed = gateway.pack_incident(opened.id, "dpo-1", folder.path()).await.expect("packed");
    assert_eq!((packed.entries, packed.proved, packed.agencies), (2, 2, 1), "the recall's opening and the answer");
    let entry = std::fs::read(folder.path().join(format!("entries/{}.json", wrong.disclosure))).expect("the entry");
    let logged = gateway.store().event_body(wrong.disclosure).await.expect("read").expect("there");
    assert_eq!(entry, logged);
    assert!(folder.path().join(format!("entries/{}.tlog-proof", wrong.disclosure)).exists());
    let (record, words) = (folder.path().join("incident.json"), folder.path().join("notice.md"));
    let text = std::fs::read_to_string(record).expect("JSON") + &std::fs::read_to_string(words).expect("text");
    for told in [
        "Answers that were found to be wrong, by the agency that received them:\n  - early-help-hub: 1",
        "Answers that the incident is about: none.",
        "Who is notified was decided 1 whole hours after awareness",
        "Categories of people",
        "early-help-hub: dpo@early-help-hub.example",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains("The 72 hours leave"), "it is decided: {text}");
    for secret in [opaque(1), opaque(2), opaque(7), opaque(8)] {
        assert!(!text.contains(&secret), "no reference of anybody is in a pack");
    }
    let again = gateway.pack_incident(opened.id, "dpo-1", folder.path()).await;
    assert!(matches!(again, Err(PackError::NotEmpty(_))), "{again:?}");

    gateway.close_incident(opened.id, "ig-1", "all-told").await.expect("closed");
    let over = gateway.assess_incident(opened.id, "ig-1", &assessment(Risk::None)).await;
    assert!(matches!(over, Err(IncidentJourneyError::Step(IncidentError::State))), "{over:?}");
    let late = Link { of: "entry".to_owned(), name: wrong.disclosure.to_string() };
    let late = gateway.link_incident(opened.id, "ig-1", &late).await;
    assert!(matches!(late, Err(IncidentJourneyError::Step(IncidentError::State))), "{late:?}");
    let steps = entries(&programme, "incident.step").await;
    let states: Vec<&str> = steps.iter().map(|it| it["body"]["to"].as_str().expect("a word")).collect();
    assert_eq!(states, ["open", "assessed", "decided", "closed"]);
    assert_eq!(steps[2]["body"]["seconded_by"], "siro-1");
    let links = entries(&programme, "incident.link").await;
    let of: Vec<&str> = links.iter().map(|it| it["body"]["of"].as_str().expect("a word")).collect();
    assert_eq!(of, ["recall", "pack"]);
}

#[tokio::test]
async fn a_pack_calls_no_answer_wrong_that_nobody_found_to_be_wrong() {
    let programme = TestProgramme::start(Backend::Sqlite).await;
    two_children_as_one(&programme).await;
    let looked_up = ask(&programme, "areas", BY_PUPIL_NUMBER).await.disclosure.to_string();
    let gateway = &programme.gateway;
    let link = Link { of: "entry".to_owned(), name: looked_up };
    let opened = gateway.open_incident("ig-1", Nature::Misuse, "looked-up", None, &[link]).await.expect("recorded");
    let bare = NewAssessment { measures: Vec::new(), ..assessment(Risk::None) };
    gateway.assess_incident(opened.id, "ig-1", &bare).await.expect("assessed");
    let folder = tempfile::tempdir().expect("a folder");
    gateway.pack_incident(opened.id, "dpo-1", folder.path()).await.expect("packed");
    let notice = std::fs::read_to_string(folder.path().join("notice.md")).expect("text");
    for told in [
        "Answers that were found to be wrong: none.",
        "Answers that the incident is about, by the agency that received them:\n  - early-help-hub: 1",
        "The 72 hours leave ",
        "## Measures\n\n- none recorded",
        "by what the answers told (areas and items): A",
    ] {
        assert!(notice.contains(told), "{told}: {notice}");
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_is_not_there_is_not_linked_and_no_name_fits_in_a_record(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    let nowhere = "01990000-0000-7000-8000-000000000000";
    for (of, id) in [("recall", nowhere), ("entry", "x"), ("person", "x"), ("alert", "x"), ("alert", nowhere)] {
        let link = Link { of: of.to_owned(), name: id.to_owned() };
        let refused = gateway.open_incident("ig-1", Nature::Other, "look", None, &[link]).await;
        assert!(matches!(refused, Err(IncidentJourneyError::NoSuchLink)), "{of}: {refused:?}");
    }
    gateway.parts_for_shield_officers("shield-1").await.expect("read");
    programme.sequencer.drain().await.expect("sequenced");
    gateway.watch_for_alerts(&Thresholds::default()).await.expect("watched");
    let alerts = gateway.store().alerts(false, None, 5).await.expect("alerts");
    let link = Link { of: "alert".to_owned(), name: alerts[0].event.to_string() };
    let linked = gateway.open_incident("ig-1", Nature::Misuse, "look", None, std::slice::from_ref(&link)).await;
    assert_eq!(linked.expect("recorded").links, [link]);
    let named = gateway.open_incident("ig-1", Nature::Other, "Jowan Trelawny was told", None, &[]).await;
    assert!(named.is_err_and(|error| !error.to_string().contains("Jowan")));
    let opened = gateway.open_incident("ig-1", Nature::Other, "look", None, &[]).await.expect("recorded");
    let mut named = assessment(Risk::None);
    named.consequences = vec!["told Jowan".to_owned()];
    assert!(gateway.assess_incident(opened.id, "ig-1", &named).await.is_err());
    assert_eq!(entries(&programme, "incident.step").await.len(), 2);
    assert_eq!(gateway.incident_reports().await.expect("read").len(), 2);
}
