//! An agency sees the findings about its own disclosures, and replies to them.

use porth::app::review::steps::Asked;
use porth::domain::ids::EventId;
use porth::domain::review::finding::{Action, Finding};
use rstest::rstest;
use serde_json::{Value, json};

use super::{KNOWN, ask, draw_named, grounds, officer, ready, register, verdict};
use crate::support::agency::{TestAgency, idempotency_key};
use crate::support::connection::Reply;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;

/// Takes a finding as far as it goes without being dealt with.
async fn find(home: &TestGateway, entry: EventId, finding: Finding, action: Action) {
    let decide = Asked::Decide(verdict(home, finding, action).await);
    for (account, asked) in [("ig-1", decide), ("ig-2", Asked::Confirm)] {
        home.gateway().read_for_review(account, &grounds(), entry).await.expect("shown");
        home.gateway().step_review(account, entry, &asked, "review:1").await.expect("a step");
        if !finding.is_adverse() {
            break;
        }
    }
}

async fn findings(agency: &TestAgency<'_>) -> Vec<Value> {
    let reply = agency.call("GET", "/v1/reviews", &[], "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["findings"].as_array().expect("a list").clone()
}

async fn reply(agency: &TestAgency<'_>, entry: EventId, position: &str, key: &str) -> Reply {
    let body = json!({ "entry": entry.to_string(), "position": position, "reason": "letter:118" }).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    agency.call("POST", "/v1/reviews/replies", &headers, body).await
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agency_sees_and_answers_findings_about_its_own_disclosures_alone(#[case] backend: Backend) {
    let home = ready(backend).await;
    let (hub, housing) = (home.agency("early-help-hub").await, home.agency("housing").await);
    let entry = ask(&hub, &KNOWN).await;
    draw_named(&home, &[entry]).await;
    for account in ["ig-1", "ig-2"] {
        register(&home, officer(account, "programme-team")).await;
    }
    let nothing_yet = reply(&hub, entry, "accepted", &idempotency_key()).await;
    assert_eq!((nothing_yet.status, findings(&hub).await.len()), (404, 0), "a sample is no finding");
    find(&home, entry, Finding::Minimisation, Action::Retrain).await;

    let found = findings(&hub).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["entry"], entry.to_string());
    assert_eq!(found[0]["finding"], "not_justified_minimisation");
    assert_eq!((&found[0]["is_closed"], &found[0]["replies"]), (&false.into(), &json!([])));
    assert!(!found[0].to_string().contains("ig-1"), "nobody is told who reviewed: {}", found[0]);

    assert!(findings(&housing).await.is_empty());
    let foreign = reply(&housing, entry, "accepted", &idempotency_key()).await;
    let unknown = reply(&housing, EventId::new(uuid::Uuid::now_v7()), "accepted", &idempotency_key()).await;
    assert_eq!((foreign.status, foreign.kind()), (404, unknown.kind()), "another's finding is like none");
    assert_eq!(unknown.status, 404);

    let key = idempotency_key();
    let first = reply(&hub, entry, "disputed", &key).await;
    assert_eq!(first.status, 201, "{first:?}");
    let again = reply(&hub, entry, "disputed", &key).await;
    assert_eq!((again.status, &again.json()), (201, &first.json()), "a repeat is the same reply");
    let reused = reply(&hub, entry, "corrected", &key).await;
    assert_eq!((reused.status, reused.kind().as_str()), (409, "idempotency-conflict"));
    let twice = reply(&hub, entry, "disputed", &idempotency_key()).await;
    assert_eq!((twice.status, twice.kind().as_str()), (409, "state-conflict"));
    assert_eq!(reply(&hub, entry, "corrected", &idempotency_key()).await.status, 201);
    assert_eq!(reply(&hub, entry, "not a word", &idempotency_key()).await.status, 422);
    assert_eq!(home.events("review.reply", "").await, 2);
    let positions: Vec<Value> = findings(&hub).await[0]["replies"]
        .as_array()
        .expect("replies")
        .iter()
        .map(|reply| reply["position"].clone())
        .collect();
    assert_eq!(positions, ["disputed", "corrected"]);
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn nobody_is_warned_of_suspected_misuse_before_it_is_dealt_with(#[case] backend: Backend) {
    let home = ready(backend).await;
    let hub = home.agency("early-help-hub").await;
    let entry = ask(&hub, &KNOWN).await;
    draw_named(&home, &[entry]).await;
    for account in ["ig-1", "ig-2"] {
        register(&home, officer(account, "programme-team")).await;
    }
    find(&home, entry, Finding::SuspectedMisuse, Action::BreachCase).await;
    assert!(findings(&hub).await.is_empty());
    assert_eq!(reply(&hub, entry, "accepted", &idempotency_key()).await.status, 404);
    home.gateway().step_review("ig-2", entry, &Asked::Complete, "case-closed").await.expect("done");
    assert_eq!(findings(&hub).await[0]["finding"], "suspected_misuse");
    assert_eq!(reply(&hub, entry, "accepted", &idempotency_key()).await.status, 201);
    let malformed = hub.call("GET", "/v1/reviews?after=x", &[], "").await;
    assert_eq!((malformed.status, malformed.kind().as_str()), (400, "invalid-cursor"));
    home.stop().await;
}
