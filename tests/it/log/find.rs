//! The log is searched: what is found, who may look, and that every look is an entry.

use porth::app::doctor::{Expected, Health, examine};
use porth::app::export::open;
use porth::app::log_index::{check_log_index, index_log, rebuild_log_index};
use porth::domain::agreement::{AgreementText, ReceiveClause};
use porth::domain::ids::{EventId, ProgrammeCode};
use porth::store::{CeilingKey, FacetRow};
use porth::tlog::entry::{Body, Entry};
use rstest::rstest;
use serde_json::{Value, json};

use super::{CORE, GROUNDS, KNOWN, asked_twice, look};
use crate::support::database::Backend;
use crate::support::gateway::{LOG, PROGRAMME, TestGateway};
use crate::support::people::reference;

fn events(page: &Value) -> Vec<String> {
    let entries = page["entries"].as_array().expect("entries");
    entries.iter().map(|entry| entry["event"].as_str().expect("an event").to_owned()).collect()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_auditor_finds_entries_by_each_filter_and_every_search_is_an_entry(#[case] backend: Backend) {
    let (home, answered, refused) = asked_twice(backend).await;
    let auditor = home.agency("programme-team").await;
    let found = async |more: &str| events(&look(&auditor, "entries", more).await);

    assert_eq!(found("&type=enquiry").await, [refused.clone(), answered.clone()], "newest first");
    assert_eq!(found("&type=enquiry&outcome=answered").await, std::slice::from_ref(&answered));
    assert_eq!(found("&rule=R04").await, std::slice::from_ref(&refused));
    assert_eq!(found("&type=enquiry&area=A2&agency=education").await, std::slice::from_ref(&answered));
    assert_eq!(found("&type=enquiry&power=CA2004-s10&agency=early-help-hub").await, std::slice::from_ref(&answered));
    assert!(found("&type=enquiry&power=WRA2012-s131").await.is_empty());
    assert_eq!(found("&purpose=early-help-screening&acting-as=housing-officer").await, std::slice::from_ref(&refused));
    assert!(found(&format!("&under={CORE}&type=submission&agency=education")).await.len() == 1);
    assert!(found("&type=enquiry&area=A9").await.is_empty());

    let at = home.gateway().store().now().await.expect("a clock");
    assert!(found(&format!("&type=enquiry&since={at}")).await.is_empty());
    assert_eq!(found(&format!("&type=enquiry&until={at}")).await.len(), 2);

    let page = look(&auditor, "entries", "&type=enquiry&limit=1").await;
    assert_eq!(events(&page), [refused]);
    let next = page["next"].as_u64().expect("there is more");
    let rest = look(&auditor, "entries", &format!("&type=enquiry&limit=1&before={next}")).await;
    assert_eq!((events(&rest), rest["next"].is_null()), (vec![answered], true));

    assert_eq!(home.events("log.access", "answered").await, 13);
    home.wait_sequenced().await;
    let looks = look(&auditor, "entries", "&type=log.access&limit=1").await;
    let entry: Value = serde_json::from_str(looks["entries"][0]["entry"].as_str().expect("text")).expect("JSON");
    assert_eq!((&entry["body"]["action"], &entry["body"]["count"]), (&"search".into(), &1.into()));
    assert!(entry["body"]["filters"].as_array().expect("filters").iter().any(|it| it["by"] == "type"), "{entry}");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_no_entry_has_is_in_no_entry_because_somebody_searched_for_it(#[case] backend: Backend) {
    let (home, _, _) = asked_twice(backend).await;
    let auditor = home.agency("programme-team").await;
    let question = auditor.question("areas", &KNOWN);
    let token = question["tokens"].as_object().expect("epochs").values().next().expect("an epoch");
    let token = token.as_object().expect("types").values().next().expect("a type")[0].as_str().expect("a token");
    let typed = ["Kernow-Trelawny", token, "4857773456", "housing-officer", "2011-03-09T00:00:00Z"];
    look(&auditor, "entries", "&area=A2").await;
    look(&auditor, "entries", &format!("&agency={}&area={}", typed[0], typed[1])).await;
    look(&auditor, "entries", &format!("&before={}&since={}&acting-as={}", typed[2], typed[4], typed[3])).await;
    home.wait_sequenced().await;

    let entries = look(&auditor, "entries", "&type=log.access").await;
    let bodies: Vec<String> = entries["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|it| it["entry"].as_str().expect("text").to_owned())
        .collect();
    assert_eq!(bodies.len(), 3);
    for body in &bodies {
        for absent in [typed[0], typed[1], typed[2], "2011-03-09"] {
            assert!(!body.contains(absent), "{absent} in {body}");
        }
    }
    let filters = |body: &str| serde_json::from_str::<Value>(body).expect("JSON")["body"]["filters"].clone();
    assert_eq!(filters(&bodies[0]), json!([{ "by": "role", "value": "housing-officer" }]), "what an entry has is said");
    let unknown = json!([{ "by": "agency", "value": "unknown" }, { "by": "area", "value": "unknown" }]);
    assert_eq!(filters(&bodies[1]), unknown);
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn questions_about_people_with_other_identifiers_have_one_request_digest(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let hub = home.agency("early-help-hub").await;
    let whole = hub.question("areas", &KNOWN);
    let mut fewer = whole.clone();
    let checks = fewer["epochs"][0]["key_checks"].as_object_mut().expect("checks");
    let before = checks.len();
    checks.retain(|kind, _| whole["tokens"].to_string().contains(&format!("\"{kind}\"")));
    assert!(checks.len() < before, "other key checks: {before}");
    let mut other_mode = whole.clone();
    other_mode["mode"] = "eligible".into();

    let mut digests = Vec::new();
    for question in [&whole, &fewer, &other_mode] {
        let reply = hub.enquire(question).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let id = reply.json()["disclosure"].as_str().expect("an entry").parse().expect("an id");
        let body = home.gateway().store().event_body(id).await.expect("the database").expect("an entry");
        let entry: Value = serde_json::from_slice(&body).expect("JSON");
        digests.push(entry["body"]["request"].as_str().expect("a digest").to_owned());
    }
    assert_eq!(digests[0], digests[1], "which identifiers a person has shows nowhere");
    assert_ne!(digests[0], digests[2], "the digest is of the question");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn whoever_has_no_clause_for_audits_is_refused_and_the_refusal_is_an_entry(#[case] backend: Backend) {
    let (home, answered, _) = asked_twice(backend).await;
    let (housing, team) = (home.agency("housing").await, home.agency("programme-team").await);
    for path in ["entries".to_owned(), format!("entries/{answered}"), format!("entries/{answered}/replay")] {
        let refused = housing.call("GET", &format!("/v1/log/{path}?{GROUNDS}"), &[], "").await;
        assert_eq!((refused.status, refused.kind().as_str()), (403, "no-agreement"), "{path}: {refused:?}");
        let role = GROUNDS.replace("auditor", "social-worker");
        let refused = team.call("GET", &format!("/v1/log/{path}?{role}"), &[], "").await;
        assert_eq!((refused.status, refused.kind().as_str()), (403, "no-agreement"), "{path}: {refused:?}");
    }
    assert_eq!((home.events("log.access", "refused").await, home.events("log.access", "answered").await), (6, 0));
    let unknown = "01990000-0000-7000-8000-000000000000";
    let reply = team.call("GET", &format!("/v1/log/entries/{unknown}?{GROUNDS}"), &[], "").await;
    assert_eq!(reply.status, 404, "{reply:?}");
    let reply = team.call("GET", &format!("/v1/log/entries/{unknown}/replay?{GROUNDS}"), &[], "").await;
    assert_eq!(reply.status, 404, "{reply:?}");
    assert_eq!(home.events("log.access", "answered").await, 2, "a look at nothing is a look");
    home.wait_sequenced().await;
    let looks = look(&team, "entries", "&type=log.access").await;
    assert!(!looks.to_string().contains(unknown), "what was asked for is in no entry: {looks}");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_index_that_is_not_what_the_entries_give_is_found_and_made_again(#[case] backend: Backend) {
    let (home, _, _) = asked_twice(backend).await;
    let store = home.gateway().store();
    let size = index_log(store).await.expect("indexed");
    let sound = check_log_index(store, u64::MAX).await.expect("compared");
    assert!(sound.is_sound() && sound.compared == size && size > 10, "{sound:?}");

    let row = |index| FacetRow { index, facet: "agency".to_owned(), value: "housing".to_owned() };
    let mut tx = store.begin().await.expect("begins");
    tx.add_facets(&[row(size - 1), row(size + 5)], size).await.expect("added");
    tx.commit().await.expect("committed");
    let wrong = check_log_index(store, 1000).await.expect("compared");
    assert_eq!((wrong.differing, wrong.beyond, wrong.is_sound()), (1, 1, false));
    let programme = ProgrammeCode::parse(PROGRAMME).expect("a code");
    let state_file = home.folder().join("state");
    let machine = store.now().await.expect("a clock");
    let expected = Expected { programme: &programme, log_origin: LOG, state_file: &state_file, machine };
    let findings = examine(store, expected).await;
    let finding = findings.iter().find(|finding| finding.check == "log index").expect("it is looked at");
    assert_eq!(finding.health, Health::Fail, "{finding:?}");

    let again = rebuild_log_index(store).await.expect("made again");
    assert!(again >= size && check_log_index(store, u64::MAX).await.expect("compared").is_sound());
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn looks_are_charged_to_the_account_and_commit_to_who_looked(#[case] backend: Backend) {
    let (home, answered, _) = asked_twice(backend).await;
    let team = home.agency("programme-team").await;
    let path = format!("/v1/log/entries/{answered}?{GROUNDS}");
    let user = reference("an-auditor");
    let read = team.call("GET", &path, &[("porth-user", user.as_str())], "").await;
    assert_eq!(read.status, 200, "{read:?}");
    let refused = team.call("GET", &path, &[("porth-user", "Jowan Trelawny")], "").await;
    assert!(refused.status == 422 && !String::from_utf8_lossy(&refused.body).contains("Jowan"), "{refused:?}");
    let id: EventId = read.json()["disclosure"].as_str().expect("an entry").parse().expect("an id");
    let gateway = home.gateway();
    let body = gateway.store().event_body(id).await.expect("the database").expect("an entry");
    let body = Entry::parse(&body).expect("an entry").into_body();
    let Body::LogAccess(access) = body else { panic!("a look") };
    let sealed = gateway.store().sealed_entry(id, "actor").await.expect("the database").expect("an opening").sealed;
    let opening = open(gateway.keys(), id, "actor", &sealed).expect("opens");
    assert!(opening.opens(&access.commitments.expect("a commitment").actor));
    assert_eq!(opening.value(), user.as_bytes());

    // The rest of the day's looks are used up, by this account alone.
    let most = most_looks();
    let key = CeilingKey {
        agreement: "programme-delivery/v1".to_owned(),
        clause: most.0,
        recipient: format!("programme-team/log/{}", team.client),
        day: home.now().await.as_seconds().div_euclid(86_400),
    };
    let mut tx = gateway.store().begin().await.expect("begins");
    assert_eq!(tx.charge(&key, most.1 - 1).await.expect("charged"), 1, "the one look that was charged");
    tx.commit().await.expect("committed");
    let over = team.call("GET", &path, &[], "").await;
    assert_eq!((over.status, over.kind().as_str()), (403, "ceiling-reached"), "{over:?}");
    assert_eq!(home.events("log.access", "refused").await, 1, "that is an entry too");
    home.stop().await;
}

/// The clause of the team's auditors, and how often it lets one account look in a day.
fn most_looks() -> (String, i64) {
    let text = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/policies/agreements/programme-delivery.toml"));
    let text = AgreementText::parse(&text.expect("reads")).expect("an agreement");
    let allows = |clause: &&ReceiveClause| {
        clause.recipient.as_str() == "programme-team"
            && clause.roles.iter().any(|role| role.as_str() == "auditor")
            && clause.purposes.iter().any(|purpose| purpose.as_str() == "audit")
    };
    let clause = text.receives().iter().filter(allows).max_by_key(|clause| clause.daily_ceiling).expect("a clause");
    (clause.id.to_string(), i64::from(clause.daily_ceiling))
}
