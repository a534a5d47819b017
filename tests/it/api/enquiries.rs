//! An agency asks about a person: the least answer, always of one length, and always in the log.

use porth::store::CeilingKey;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::agency::idempotency_key;
use crate::support::connection::Reply;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::{Person, flag};

const AGREEMENT: &str = "early-help-core/v1";
const KNOWN: Person = Person::new("Known", "1 Quay");
const UNKNOWN: Person = Person::new("Unknown", "2 Quay");
const RESTRICTED: Person = Person::new("Restricted", "3 Quay");
const UNHEARD: Person = Person::new("Unheard", "4 Quay");

/// Education knows one person and shields another; the police know one whom the Hub may not hear of.
async fn with_people(backend: Backend) -> TestGateway {
    let home = TestGateway::start(backend).await;
    let education = home.agency("education").await;
    let mut shielded = RESTRICTED.record(&home.linkage, "child", json!([flag("E1", "met")]));
    shielded["restricted"] = true.into();
    let known = KNOWN.record(&home.linkage, "child", json!([flag("E1", "met")]));
    education.deliver("attendance", AGREEMENT, &[known, shielded]).await;
    let police = home.agency("police").await;
    let unheard = UNHEARD.record(&home.linkage, "adult", json!([flag("C2", "met")]));
    police.deliver("outcomes", "safeguarding-partners/v1", &[unheard]).await;
    home
}

/// What an answer says, without what is different in every answer.
fn said(reply: &Reply) -> Value {
    let mut said = reply.json();
    for name in ["disclosure", "at", "receipt", "padding"] {
        assert!(said.as_object_mut().expect("an object").remove(name).is_some(), "{name}");
    }
    said
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn whoever_is_asked_about_answers_have_one_shape_and_only_the_known_differs(#[case] backend: Backend) {
    let home = with_people(backend).await;
    let hub = home.agency("early-help-hub").await;
    let mut shapes = Vec::new();
    for mode in ["areas", "eligible", "count", "lead"] {
        let mut replies = Vec::new();
        for person in [&KNOWN, &UNKNOWN, &RESTRICTED, &UNHEARD] {
            let reply = hub.enquire(&hub.question(mode, person)).await;
            assert_eq!((reply.status, reply.body.len()), (201, 6144), "{mode} {}: {reply:?}", person.name);
            let length = reply.headers["content-length"].to_str().expect("text").to_owned();
            let names: Vec<String> = reply.header_names().into_iter().map(str::to_owned).collect();
            shapes.push((length, names));
            replies.push(reply);
        }
        let unknown = said(&replies[1]);
        assert_eq!(said(&replies[2]), unknown, "{mode}: shielded");
        assert_eq!(said(&replies[3]), unknown, "{mode}: known only to a supplier who may not be heard");
        if mode == "areas" {
            let area = |reply: &Reply, code: &str| {
                let areas = reply.json()["areas"].clone();
                areas.as_array().expect("areas").iter().find(|area| area["code"] == code).expect("it is there").clone()
            };
            let (met, none) = (area(&replies[0], "A2"), area(&replies[1], "A2"));
            assert_eq!((&met["state"], &met["grade"]), (&"met".into(), &"hard".into()));
            assert!(met["evidence_month"].is_string() && none["evidence_month"].is_null());
            assert_ne!(none["state"], "not_met");
            assert_eq!((&met["as_at"], &met["is_late"]), (&none["as_at"], &none["is_late"]), "of the feeds alone");
            assert_eq!(area(&replies[0], "A4")["state"], "withheld_by_policy");
            assert_eq!(unknown["not_covered"], json!(["A5", "A6"]));
            assert_eq!(unknown["onward"], "none");
        }
    }
    assert_eq!(home.events("enquiry", "answered").await, 16, "an entry for each, known or not");
    shapes.dedup();
    assert_eq!(shapes.len(), 1, "{shapes:?}");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_question_repeated_under_its_key_is_answered_once(#[case] backend: Backend) {
    let home = with_people(backend).await;
    let hub = home.agency("early-help-hub").await;
    let (question, key) = (hub.question("areas", &KNOWN), idempotency_key());

    let first = hub.enquire_again(&question, &key).await;
    let again = hub.enquire_again(&question, &key).await;
    assert_eq!((first.status, again.status), (201, 201), "{again:?}");
    assert_eq!(first.json()["disclosure"], again.json()["disclosure"]);
    assert_eq!(first.body, again.body);

    let other = hub.enquire_again(&hub.question("areas", &UNKNOWN), &key).await;
    assert_eq!((other.status, other.kind().as_str()), (409, "idempotency-conflict"));
    assert_eq!(home.events("enquiry", "answered").await, 1, "neither made another log entry");

    let education = home.agency("education").await;
    let row = KNOWN.record(&home.linkage, "child", json!([flag("E1", "not_met")]));
    education.deliver("attendance", AGREEMENT, &[row]).await;
    let lapsed = hub.enquire_again(&question, &key).await;
    assert_eq!((lapsed.status, lapsed.kind().as_str()), (409, "idempotency-lapsed"));
    assert!(lapsed.json()["next"].as_str().expect("a next step").contains("fresh Idempotency-Key"));
    assert_eq!(hub.enquire_again(&question, &idempotency_key()).await.status, 201);
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_refusal_names_rules_follows_from_the_agreement_and_is_in_the_log(#[case] backend: Backend) {
    let home = with_people(backend).await;
    let hub = home.agency("early-help-hub").await;
    let mut refusals = Vec::new();
    for person in [&KNOWN, &UNKNOWN] {
        let mut question = hub.question("areas", person);
        question["role"] = "auditor".into();
        let reply = hub.enquire(&question).await;
        assert_eq!((reply.status, reply.kind().as_str()), (403, "no-agreement"), "{reply:?}");
        let problem = reply.json();
        let disclosure = problem["disclosure"].as_str().expect("a log entry").parse().expect("an event id");
        assert!(
            home.gateway().store().event_body(disclosure).await.expect("the database").is_some(),
            "it is in the log"
        );
        assert!(!problem["receipt"].as_str().expect("a receipt").is_empty());
        let rules = problem["rules"].as_array().expect("rules").clone();
        assert!(rules.iter().all(|rule| rule["rule"].is_string() && rule["say"].is_string()) && !rules.is_empty());
        refusals.push((rules, reply.body.len()));
    }
    assert_eq!(refusals[0], refusals[1], "whoever is asked about");
    assert_eq!((home.events("enquiry", "refused").await, home.events("enquiry", "answered").await), (2, 0));

    let now = home.now().await;
    let mut tx = home.gateway().store().begin().await.expect("a transaction");
    for clause in ["hub-screens", "hub-screens-benefits"] {
        let key = CeilingKey {
            agreement: AGREEMENT.to_owned(),
            clause: clause.to_owned(),
            recipient: "early-help-hub".to_owned(),
            day: now.as_seconds().div_euclid(86_400),
        };
        tx.charge(&key, 600).await.expect("charged");
    }
    tx.commit().await.expect("committed");
    let over = hub.enquire(&hub.question("areas", &KNOWN)).await;
    assert_eq!((over.status, over.kind().as_str()), (403, "ceiling-reached"), "{over:?}");
    let disclosure = over.json()["disclosure"].as_str().expect("a log entry").parse().expect("an event id");
    assert!(home.gateway().store().event_body(disclosure).await.expect("the database").is_some());
    home.stop().await;
}

#[tokio::test]
async fn each_wrong_question_is_refused_by_kind_and_code_and_repeats_nothing() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let hub = home.agency("early-help-hub").await;
    let cases: [(&str, Value, u16, &str, Value); 8] = [
        ("tokens", json!({ "1": { "k3": ["Jenna Trelawny"] } }), 422, "not-a-token", Value::Null),
        ("tokens", json!({}), 422, "invalid-field", "token.none".into()),
        ("tokens", json!({ "1": { "nhs": ["A".repeat(43)] } }), 422, "invalid-field", "token.type".into()),
        ("programme", "other".into(), 422, "unknown-programme", "programme.unknown".into()),
        ("mode", "Jenna".into(), 422, "invalid-field", Value::Null),
        ("scheme", "pt9".into(), 422, "unsupported-scheme", "scheme.unknown".into()),
        ("epochs", json!([{ "epoch": 1, "key_checks": { "k3": "00" } }]), 409, "wrong-key-check", "key.wrong".into()),
        ("Jenna", 1.into(), 422, "invalid-field", Value::Null),
    ];
    for (field, value, status, kind, code) in cases {
        let mut question = hub.question("areas", &UNKNOWN);
        question[field] = value;
        let reply = hub.enquire(&question).await;
        assert_eq!((reply.status, reply.kind().as_str()), (status, kind), "{field}: {reply:?}");
        assert_eq!(reply.json().get("code").cloned().unwrap_or_default(), code, "{field}");
        assert!(!reply.text().contains("Jenna"), "{field}");
    }
    let json = [("content-type", "application/json")];
    let reply = hub.call("POST", "/v1/enquiries", &json, hub.question("areas", &UNKNOWN).to_string()).await;
    assert_eq!((reply.status, reply.kind().as_str()), (400, "idempotency-key-missing"));
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn counts_and_criteria_are_answered_to_those_whose_agreement_allows_the_mode(#[case] backend: Backend) {
    let home = with_people(backend).await;
    let hub = home.agency("early-help-hub").await;
    let care = home.agency("childrens-social-care").await;

    let count = async |person: &Person| {
        let reply = hub.enquire(&hub.question("count", person)).await;
        assert_eq!((reply.status, reply.body.len()), (201, 6144), "{reply:?}");
        let answer = reply.json();
        for other in ["areas", "criteria", "eligible", "lead"] {
            assert_eq!(answer[other], Value::Null, "{other}");
        }
        (answer["count"]["met"].as_u64().expect("a number"), answer["count"]["open"].as_u64().expect("a number"))
    };
    let (known, unknown) = (count(&KNOWN).await, count(&UNKNOWN).await);
    assert_eq!((known.0, unknown.0), (1, 0));
    assert_eq!(known.0 + known.1, unknown.0 + unknown.1, "what is met is no longer open");

    let question = |person: &Person| {
        let mut question = care.question("criteria", person);
        for (field, value) in [
            ("agreement", "safeguarding-partners/v1"),
            ("purpose", "safeguarding"),
            ("role", "social-worker"),
            ("relationship", "statutory_enquiry"),
        ] {
            question[field] = value.into();
        }
        question
    };
    let criteria = async |person: &Person| {
        let reply = care.enquire(&question(person)).await;
        assert_eq!((reply.status, reply.body.len()), (201, 6144), "{reply:?}");
        reply.json()
    };
    let (known, unknown) = (criteria(&KNOWN).await, criteria(&UNKNOWN).await);
    let states = |answer: &Value| -> Vec<(String, String)> {
        let list = answer["criteria"].as_array().expect("criteria");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        list.iter().map(|found| (text(&found["code"]), text(&found["state"]))).collect()
    };
    let met: Vec<(String, String)> = states(&known).into_iter().filter(|(_, state)| state == "met").collect();
    assert_eq!(met, [("E1".to_owned(), "met".to_owned())]);
    let e1 = known["criteria"].as_array().expect("criteria").iter().find(|it| it["code"] == "E1").expect("E1").clone();
    assert_eq!((&e1["area"], &e1["grade"]), (&"A2".into(), &"hard".into()), "{e1}");
    assert!(states(&unknown).iter().all(|(_, state)| state != "met" && state != "not_met"), "{unknown}");
    assert_eq!(states(&known).len(), states(&unknown).len());
    assert_eq!(known["areas"], Value::Null);

    let refused = hub.enquire(&hub.question("criteria", &KNOWN)).await;
    assert_eq!((refused.status, refused.kind().as_str()), (403, "no-agreement"), "the Hub's clause allows no criteria");
    home.stop().await;
}
