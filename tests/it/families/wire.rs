//! Families over the wire: numbers in bodies only, answers of few lengths, errors that repeat nothing.

use serde_json::json;

use crate::support::agency::idempotency_key;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::{Person, flag, reference};

const ADA: Person = Person::new("Ada", "1 Fore Street");

fn terms() -> serde_json::Value {
    json!({
        "programme": "tff", "agreement": "programme-delivery/v1", "purpose": "programme-delivery",
        "relationship": "screening", "role": "data-analyst", "case": reference("case"), "user": reference("user"),
    })
}

#[tokio::test]
async fn the_programme_team_issues_looks_up_and_follows_a_family_and_others_are_refused() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    education
        .deliver("attendance", "early-help-core/v1", &[ADA.record(&home.linkage, "child", json!([flag("E1", "met")]))])
        .await;
    let team = home.agency("programme-team").await;
    let post = async |path: &str, body: &serde_json::Value| {
        let key = idempotency_key();
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        team.call("POST", path, &headers, body.to_string()).await
    };
    let record = json!({ "agency": "education", "feed": "attendance", "ref": reference("Ada") });
    let issued = post(
        "/v1/families/decisions",
        &json!({ "terms": terms(), "mode": "count", "reason": "referral-1",
                 "decision": { "kind": "issue", "route": "referral", "candidates": [[record]] } }),
    )
    .await;
    assert_eq!((issued.status, &issued.json()["results"][0]["outcome"]), (200, &json!("done")), "{issued:?}");
    let tfid = issued.json()["results"][0]["tfid"].as_str().expect("a number").to_owned();

    let lookup = json!({ "terms": terms(), "mode": "areas", "tfid": tfid });
    let known = post("/v1/families/lookup", &lookup).await;
    assert_eq!((known.status, &known.json()["family"]["tfid"]), (200, &json!(tfid)));
    assert!(known.json()["entry"]["receipt"].as_str().is_some_and(|receipt| receipt.contains("porth.test/2026")));
    let unknown =
        post("/v1/families/lookup", &json!({ "terms": terms(), "mode": "areas", "tfid": "TF-0000-0000-0000-0011" }))
            .await;
    assert_eq!((unknown.status, &unknown.json()["family"]), (200, &json!(null)));
    assert_eq!((known.body.len(), unknown.body.len()), (8192, 8192), "what is known is not counted on the wire");

    let engagement = post("/v1/families/engagement", &json!({ "terms": terms(), "mode": "count", "tfid": tfid })).await;
    assert_eq!(engagement.status, 200, "{engagement:?}");
    assert_eq!(engagement.json()["entries"].as_array().map(Vec::len), Some(2));

    let mistyped =
        post("/v1/families/lookup", &json!({ "terms": terms(), "mode": "areas", "tfid": "TF-0000-JJJJ-0000-0012" }))
            .await;
    assert_eq!(mistyped.status, 422);
    assert!(!String::from_utf8_lossy(&mistyped.body).contains("JJJJ"), "{mistyped:?}");

    let headers = [("content-type", "application/json")];
    for agency in [&education, &home.agency("early-help-hub").await] {
        let refused = agency.call("POST", "/v1/families/lookup", &headers, lookup.to_string()).await;
        assert_eq!((refused.status, refused.kind().as_str()), (403, "no-agreement"));
        assert!(refused.json()["disclosure"].is_string() && !String::from_utf8_lossy(&refused.body).contains(&tfid));
    }
    home.stop().await;
}

#[test]
fn no_path_of_the_api_takes_a_family_s_number() {
    let document = porth::web::api::openapi::document();
    let paths: Vec<&String> = document["paths"].as_object().expect("paths").keys().collect();
    let about_families: Vec<_> = paths.iter().filter(|path| path.starts_with("/v1/families")).collect();
    assert_eq!(about_families.len(), 6);
    assert!(about_families.iter().all(|path| !path.contains('{')));
}
