//! The routes of match runs, over the wire: whom they let in, what they know again, and what they refuse.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::agency::{TestAgency, idempotency_key};
use crate::support::connection::Reply;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::{ADDRESS, Person, flag, reference, token};

const AGREEMENT: &str = "early-help-core/v1";
const CHILD: Person = Person::new("Child", "1 Quay");
const STRANGER: &str = "01990000-0000-7000-8000-000000000000";

fn terms_under(agreement: &str) -> Value {
    json!({ "agreement": agreement, "relationship": "screening", "role": "data-analyst", "user": reference("somebody") })
}

fn terms() -> Value {
    terms_under("programme-delivery/v1")
}

async fn post(agency: &TestAgency<'_>, path: &str, key: Option<&str>, body: &Value) -> Reply {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(key.map(|key| ("idempotency-key", key)));
    agency.call("POST", path, &headers, body.to_string()).await
}

async fn post_once(agency: &TestAgency<'_>, path: &str, body: &Value) -> Reply {
    post(agency, path, Some(&idempotency_key()), body).await
}

/// A child who misses school at an address that both know.
async fn deliver(home: &TestGateway) -> TestAgency<'_> {
    let education = home.agency("education").await;
    let record = CHILD.record(&home.linkage, "child", json!([flag("E1", "met")]));
    education.deliver("attendance", AGREEMENT, &[record]).await;
    education
}

/// Begins a run and takes its snapshot; gives its path.
async fn listed(team: &TestAgency<'_>) -> String {
    let begun = post_once(team, "/v1/match-runs", &terms()).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let path = format!("/v1/match-runs/{}", begun.json()["id"].as_str().expect("an id"));
    let step = json!({ "terms": terms() });
    let state = post(team, &format!("{path}/steps"), None, &step).await.json()["state"].clone();
    assert_eq!(state, "listed");
    path
}

/// Every route of a run, with a body that is well-formed.
fn routes(run: &str) -> Vec<(&'static str, String, Value)> {
    let answer = json!({ "token": "A".repeat(43), "state": "met" });
    let validation = json!({ "record": { "feed": "attendance", "ref": reference("Child") }, "decision": "confirm",
        "role": "education-welfare-officer", "reason": "checked-file" });
    vec![
        ("GET", run.to_owned(), Value::Null),
        ("POST", format!("{run}/steps"), json!({ "terms": terms() })),
        ("POST", format!("{run}/list"), terms()),
        ("POST", format!("{run}/reply"), json!({ "terms": terms_under("benefits-data/v1"), "answers": [answer] })),
        ("POST", format!("{run}/families"), terms()),
        ("POST", format!("{run}/repeat"), terms()),
        ("GET", format!("{run}/difference"), Value::Null),
        ("POST", format!("{run}/work-list"), json!({ "after": null })),
        ("POST", format!("{run}/validations"), validation),
    ]
}

async fn call(agency: &TestAgency<'_>, method: &str, path: &str, body: &Value) -> Reply {
    match method {
        "GET" => agency.call("GET", path, &[], "").await,
        _ => post_once(agency, path, body).await,
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agency_that_is_not_the_team_begins_no_run_and_the_refusal_is_logged(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = deliver(&home).await;
    let refused = post_once(&education, "/v1/match-runs", &terms()).await;
    assert_eq!((refused.status, refused.kind().as_str()), (403, "no-agreement"));
    assert_eq!(home.events("match.run", "refused").await, 1);
    let mut unknown = terms();
    unknown["role"] = "head-of-everything".into();
    let team = home.agency("programme-team").await;
    assert_eq!(post_once(&team, "/v1/match-runs", &unknown).await.status, 422);
    assert_eq!(post(&team, "/v1/match-runs", None, &terms()).await.status, 400, "without a key");
    assert_eq!(home.events("match.run", "answered").await, 0);
    home.stop().await;
}

#[tokio::test]
async fn a_run_that_is_not_there_and_one_of_another_agency_are_not_found_alike() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = deliver(&home).await;
    let (team, police) = (home.agency("programme-team").await, home.agency("police").await);
    let run = listed(&team).await;
    for (method, path, body) in routes(&format!("/v1/match-runs/{STRANGER}")) {
        let reply = call(&team, method, &path, &body).await;
        assert_eq!((reply.status, reply.kind().as_str()), (404, "not-found"), "{path}");
    }
    for (method, path, body) in routes("/v1/match-runs/no-id") {
        assert_eq!(call(&team, method, &path, &body).await.status, 404, "{path}");
    }
    // Holders may hear of a run that read their records, by its id, once it is closed.
    let of_holders = |path: &str| path.ends_with("/validations") || path.ends_with("/work-list");
    for (method, path, body) in routes(&run).into_iter().filter(|(_, path, _)| !of_holders(path)) {
        let reply = call(&education, method, &path, &body).await;
        assert_eq!((reply.status, reply.kind().as_str()), (404, "not-found"), "{path}");
    }
    for path in ["validations", "work-list"].map(|what| format!("{run}/{what}")) {
        let body = routes(&run).into_iter().find(|(_, it, _)| *it == path).expect("a route").2;
        assert_eq!(call(&education, "POST", &path, &body).await.status, 409, "{path}: it is not closed");
    }
    assert_eq!(
        call(&police, "POST", &format!("{run}/work-list"), &json!({})).await.status,
        404,
        "it has no feed in it"
    );
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_same_request_under_the_same_key_is_one_run_one_reply_and_one_decision(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = deliver(&home).await;
    let (team, benefits) = (home.agency("programme-team").await, home.agency("jobcentre-feed").await);
    let key = idempotency_key();
    let first = post(&team, "/v1/match-runs", Some(&key), &terms()).await;
    let again = post(&team, "/v1/match-runs", Some(&key), &terms()).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.json()["id"], again.json()["id"], "one key, one run");
    assert_eq!(home.events("match.run", "answered").await, 1);

    let run = listed(&team).await;
    let given = post_once(&benefits, &format!("{run}/list"), &terms()).await;
    assert_eq!(given.json()["tokens"].as_array().map(Vec::len), Some(1), "{given:?}");
    let answer = json!({ "token": given.json()["tokens"][0]["token"], "state": "met" });
    let reply = json!({ "terms": terms_under("benefits-data/v1"), "answers": [answer] });
    for _ in 0..2 {
        let taken = post(&benefits, &format!("{run}/reply"), Some(&key), &reply).await;
        assert_eq!(taken.status, 201, "{taken:?}");
    }
    let closed = post(&team, &format!("{run}/steps"), None, &json!({ "terms": terms() })).await.json();
    assert_eq!((&closed["state"], &closed["counts"]["answered"]), (&json!("closed"), &json!(1)));

    let (_, path, body) = routes(&run).pop().expect("validations");
    let decided = post(&education, &path, Some(&key), &body).await;
    let again = post(&education, &path, Some(&key), &body).await;
    assert_eq!((decided.status, again.status), (201, 201), "{decided:?} {again:?}");
    assert_eq!(decided.json(), again.json(), "the same entry and receipt");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_reply_is_of_listed_tokens_only_in_its_own_words_and_comes_before_the_run_is_closed(
    #[case] backend: Backend,
) {
    let home = TestGateway::start(backend).await;
    deliver(&home).await;
    let (team, benefits) = (home.agency("programme-team").await, home.agency("jobcentre-feed").await);
    let run = listed(&team).await;
    let reply = async |agreement: &str, address: &str, state: &str| {
        let token = token(&home.linkage, ADDRESS, address);
        let answers = json!([{ "token": token, "state": state }]);
        let body = json!({ "terms": terms_under(agreement), "answers": answers });
        let reply = post_once(&benefits, &format!("{run}/reply"), &body).await;
        assert!(!String::from_utf8_lossy(&reply.body).contains(&token), "no token in an answer");
        (reply.status, reply.kind())
    };
    let refused = |status, kind: &str| (status, kind.to_owned());
    let own = "benefits-data/v1";
    assert_eq!(reply(own, "1 Quay", "met").await, refused(409, "state-conflict"), "nothing was listed yet");
    assert_eq!(post_once(&benefits, &format!("{run}/list"), &terms()).await.status, 201);
    assert_eq!(reply(own, "9 Quay", "met").await, refused(422, "invalid-field"), "that home was not listed");
    assert_eq!(reply(own, "1 Quay", "perhaps").await, refused(422, "invalid-field"));
    assert_eq!(reply("programme-delivery/v1", "1 Quay", "met").await, refused(403, "no-agreement"));
    let waiting = post(&team, &format!("{run}/steps"), None, &json!({ "terms": terms() })).await.json();
    assert_eq!(waiting["waits_for_reply"], true, "none of these was taken");
    let closing = json!({ "terms": terms(), "without_reply": true });
    assert_eq!(post(&team, &format!("{run}/steps"), None, &closing).await.json()["state"], "closed");
    assert_eq!(reply(own, "1 Quay", "met").await, refused(409, "state-conflict"), "the run is closed");
    let late = post_once(&benefits, &format!("{run}/list"), &terms()).await;
    assert_eq!((late.status, late.kind().as_str()), (409, "state-conflict"));
    home.stop().await;
}
