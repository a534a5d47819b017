//! Incidents: their steps are entries, a decision needs two, and the pack proves what it says.

use porth::app::incident::{IncidentJourneyError, Link, NewAssessment, NewDecision, PackError};
use porth::app::recall::Named;
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
    assert!(text.contains("early-help-hub") && text.contains("71 hours") || text.contains("70 hours"), "{text}");
    for secret in [opaque(1), opaque(2), opaque(7), opaque(8)] {
        assert!(!text.contains(&secret), "no reference of anybody is in a pack");
    }
    let again = gateway.pack_incident(opened.id, "dpo-1", folder.path()).await;
    assert!(matches!(again, Err(PackError::NotEmpty(_))), "{again:?}");

    gateway.close_incident(opened.id, "ig-1", "all-told").await.expect("closed");
    let over = gateway.assess_incident(opened.id, "ig-1", &assessment(Risk::None)).await;
    assert!(matches!(over, Err(IncidentJourneyError::Step(IncidentError::State))), "{over:?}");
    let steps = entries(&programme, "incident.step").await;
    let states: Vec<&str> = steps.iter().map(|it| it["body"]["to"].as_str().expect("a word")).collect();
    assert_eq!(states, ["open", "assessed", "decided", "closed"]);
    assert_eq!(steps[2]["body"]["seconded_by"], "siro-1");
    let links = entries(&programme, "incident.link").await;
    let of: Vec<&str> = links.iter().map(|it| it["body"]["of"].as_str().expect("a word")).collect();
    assert_eq!(of, ["recall", "pack"]);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_is_not_there_is_not_linked_and_no_name_fits_in_a_record(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    for (of, id) in
        [("recall", "01990000-0000-7000-8000-000000000000"), ("entry", "x"), ("person", "x"), ("alert", "x")]
    {
        let link = Link { of: of.to_owned(), name: id.to_owned() };
        let refused = gateway.open_incident("ig-1", Nature::Other, "look", None, &[link]).await;
        assert!(matches!(refused, Err(IncidentJourneyError::NoSuchLink)), "{of}: {refused:?}");
    }
    let named = gateway.open_incident("ig-1", Nature::Other, "Jowan Trelawny was told", None, &[]).await;
    assert!(named.is_err_and(|error| !error.to_string().contains("Jowan")));
    let opened = gateway.open_incident("ig-1", Nature::Other, "look", None, &[]).await.expect("recorded");
    let mut named = assessment(Risk::None);
    named.consequences = vec!["told Jowan".to_owned()];
    assert!(gateway.assess_incident(opened.id, "ig-1", &named).await.is_err());
    assert_eq!(entries(&programme, "incident.step").await.len(), 1);
    assert_eq!(gateway.incident_reports().await.expect("read").len(), 1);
}
