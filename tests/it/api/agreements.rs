//! What the caller has agreed to, and what that allows.

use serde_json::json;

use crate::support::database::Backend;
use crate::support::gateway::TestGateway;

#[tokio::test]
async fn an_agency_sees_its_own_agreements_and_its_own_terms_in_them() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let hub = home.agency("early-help-hub").await;
    let reply = hub.call("GET", "/v1/agreements", &[], "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let all = reply.json()["agreements"].as_array().expect("agreements").clone();
    let core = all.iter().find(|it| it["reference"] == "early-help-core/v1").expect("the Hub is a party");
    assert_eq!((&core["status"], &core["is_signed_by_caller"]), (&"in_force".into(), &true.into()));
    assert_eq!(
        (&core["starts"], &core["ends"], &core["review_due"]),
        (&"2026-04-01".into(), &"2029-03-31".into(), &"2027-06-30".into())
    );
    let ids = |name: &str| -> Vec<String> {
        let terms = core[name].as_array().expect("terms");
        terms.iter().map(|term| term["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert!(
        ids("receives").contains(&"hub-screens".to_owned())
            && ids("supplies").contains(&"early-help-hub-for-housing".to_owned())
    );
    assert!(ids("supplies").iter().all(|id| id.starts_with("early-help-hub-")), "{:?}", ids("supplies"));

    let kestrel = home.agency("kestrel").await;
    let others = kestrel.call("GET", "/v1/agreements", &[], "").await.json();
    let references: Vec<_> =
        others["agreements"].as_array().expect("agreements").iter().map(|it| &it["reference"]).collect();
    assert!(references.len() < all.len() || references != all.iter().map(|it| &it["reference"]).collect::<Vec<_>>());
    home.stop().await;
}

#[tokio::test]
async fn what_would_be_allowed_is_explained_without_a_person_and_without_a_log_entry() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let hub = home.agency("early-help-hub").await;
    let terms = json!({
        "agreement": "early-help-core/v1", "purpose": "early-help-screening", "mode": "areas",
        "role": "hub-screener", "relationship": "referral",
    });
    let before: i64 = home.gateway().store().event_counts().await.expect("counts").iter().map(|it| it.2).sum();
    let json = [("content-type", "application/json")];
    let mut refused = terms.clone();
    refused["role"] = "auditor".into();
    let reply = hub.call("POST", "/v1/policy/explain", &json, refused.to_string()).await.json();
    assert_eq!(reply["is_permitted"], false);
    assert!(
        !reply["rules"].as_array().expect("rules").is_empty()
            && !reply["sentences"].as_array().expect("some").is_empty()
    );

    let reply = hub.call("POST", "/v1/policy/explain", &json, terms.to_string()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!reply.json()["sentences"].as_array().expect("some").is_empty());
    let after: i64 = home.gateway().store().event_counts().await.expect("counts").iter().map(|it| it.2).sum();
    assert_eq!(after, before, "nothing was disclosed");

    let mut with_person = terms;
    with_person["tokens"] = json!({ "1": { "k3": ["A".repeat(43)] } });
    let reply = hub.call("POST", "/v1/policy/explain", &json, with_person.to_string()).await;
    assert_eq!((reply.status, reply.kind().as_str()), (422, "invalid-field"), "persons have no place here");
    home.stop().await;
}
