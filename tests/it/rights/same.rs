//! A shielded person and one whom nobody else knows make the same case, byte for byte but for numbers and times.

use porth::domain::labels::SUBJECT_SHIELD;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::agency::{TestAgency, idempotency_key};
use crate::support::connection::Reply;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::{Person, flag, reference};

const CORE: &str = "early-help-core/v1";
const SHIELDED: Person = Person::new("In a refuge", "1 Quay");
const UNKNOWN: Person = Person::new("Known to nobody else", "2 Quay");
const SHARED: Person = Person::new("Known to both", "3 Quay");

async fn post(agency: &TestAgency<'_>, path: &str, body: &Value) -> Reply {
    let key = idempotency_key();
    let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
    agency.call("POST", path, &headers, body.to_string()).await
}

fn who() -> Value {
    json!({ "role": "education-welfare-officer", "user": reference("user") })
}

fn with(mut body: Value) -> Value {
    body["role"] = who()["role"].clone();
    body["user"] = who()["user"].clone();
    body
}

/// Numbers, times and proofs are of this one case; everything else has to be the same.
fn same(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let is_own =
                    matches!(name.as_str(), "id" | "disclosure" | "at" | "receipt" | "opened_at" | "ref" | "part");
                if is_own { *value = Value::Null } else { same(value) }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(same),
        _ => {}
    }
}

/// Everything that an agency can do in a case about one record of its own; gives each answer.
async fn whole_case(home: &TestGateway, person: &Person) -> Vec<(u16, Vec<String>, usize, Value)> {
    let (school, care) = (home.agency("education").await, home.agency("childrens-social-care").await);
    let record = json!([{ "feed": "attendance", "ref": reference(person.name) }]);
    let mut replies = Vec::new();
    let opened = post(&school, "/v1/subject-cases", &with(json!({ "right": "objection", "records": record }))).await;
    let id = opened.json()["case"]["id"].as_str().expect("a number").to_owned();
    replies.push(opened);
    replies.push(care.call("GET", "/v1/subject-parts", &[], "").await);
    for (path, body) in [
        ("data", who()),
        ("replies", who()),
        ("steps", with(json!({ "step": "extend", "reason": "complex" }))),
        ("decisions", with(json!({ "outcome": "upheld", "reason": "no-compelling-ground" }))),
        ("data", who()),
        ("lifts", with(json!({ "reason": "settled" }))),
        ("replies", who()),
        ("steps", with(json!({ "step": "close", "reason": "answered" }))),
    ] {
        replies.push(post(&school, &format!("/v1/subject-cases/{id}/{path}"), &body).await);
    }
    replies.push(care.call("GET", "/v1/subject-parts", &[], "").await);
    let plain = |reply: Reply| {
        let names = reply.header_names().into_iter().map(str::to_owned).collect();
        let (mut value, length) = (reply.json(), reply.body.len());
        same(&mut value);
        (reply.status, names, length, value)
    };
    replies.into_iter().map(plain).collect()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_case_about_a_shielded_person_is_the_same_as_one_about_somebody_whom_nobody_else_knows(
    #[case] backend: Backend,
) {
    let home = TestGateway::start_with(backend, "[limits]\nburst = 5000").await;
    let record = |person: &Person| person.record(&home.linkage, "child", json!([flag("E1", "met")]));
    let school = home.agency("education").await;
    school.deliver("attendance", CORE, &[record(&SHIELDED), record(&UNKNOWN), record(&SHARED)]).await;
    let care = home.agency("childrens-social-care").await;
    let mut refuge = SHIELDED.record(&home.linkage, "child", json!([flag("H2", "met")]));
    refuge["restricted"] = json!(true);
    let shared = SHARED.record(&home.linkage, "child", json!([flag("H2", "met")]));
    care.deliver("cases", CORE, &[refuge, shared]).await;

    let shielded = whole_case(&home, &SHIELDED).await;
    let unknown = whole_case(&home, &UNKNOWN).await;
    assert_eq!(shielded.len(), unknown.len());
    for (number, (one, other)) in shielded.iter().zip(&unknown).enumerate() {
        assert!(one.0 < 300, "{number}: {one:?}");
        assert_eq!(one, other, "answer {number}");
        assert_eq!(one.3["statement"], porth::domain::subject_case::NEITHER_CONFIRM_NOR_DENY);
    }

    // So the test could see a difference: somebody whom both know makes one in the other's queue.
    let asked =
        with(json!({ "right": "access", "records": [{ "feed": "attendance", "ref": reference(SHARED.name) }] }));
    assert_eq!(post(&school, "/v1/subject-cases", &asked).await.status, 201);
    let queue = care.call("GET", "/v1/subject-parts", &[], "").await.json();
    assert_eq!(queue["parts"].as_array().map(Vec::len), Some(1));

    // The shield officers alone can tell the cases apart, and what they look at is the same for all.
    let cases = home.gateway().subject_case_register().await.expect("a register");
    let open = |case: &porth::store::StoredCase| -> Value {
        let opened = home.shield.open(SUBJECT_SHIELD, case.id.as_bytes(), &case.shield).expect("the officers' key");
        serde_json::from_slice(&opened).expect("JSON")
    };
    let [first, second, third] = &cases[..] else { panic!("three cases: {cases:?}") };
    let (shielded, unknown, known) = (open(&first.0), open(&second.0), open(&third.0));
    assert_eq!(shielded["shielding"], json!(["childrens-social-care"]));
    assert_eq!(shielded["records"].as_array().map(Vec::len), Some(1));
    for other in [unknown, known] {
        assert_eq!((&other["shielding"], &other["records"]), (&json!([]), &json!([])));
    }
    let lengths: std::collections::BTreeSet<usize> = cases.iter().map(|(case, _)| case.shield.len()).collect();
    assert_eq!(lengths.len(), 1, "{lengths:?}");
    home.stop().await;
}
