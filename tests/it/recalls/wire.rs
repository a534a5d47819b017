//! Over the wire: an agency recalls, another is told, and no answer repeats what was sent.

use serde_json::{Value, json};

use crate::cli::screen::desk;
use crate::cli::tokenise::Desk;
use crate::support::agency::{TestAgency, idempotency_key};
use crate::support::connection::Reply;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::{Person, flag, reference};

const CORE: &str = "early-help-core/v1";
const CHILD: Person = Person::new("Demelza", "1 Quay");

async fn post(agency: &TestAgency<'_>, path: &str, body: &Value) -> Reply {
    let key = idempotency_key();
    let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
    agency.call("POST", path, &headers, body.to_string()).await
}

fn porth(desk: &Desk, args: &[&str]) -> (Option<i32>, Value, String) {
    let args = [&["--json"][..], args, &["-c", "connection.toml"]].concat();
    let ran = tokio::task::block_in_place(|| desk.porth(&args));
    let said = serde_json::from_slice(&ran.stdout).unwrap_or_default();
    (ran.status.code(), said, String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_school_recalls_its_record_and_the_hub_reads_and_acknowledges_its_notice() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let (school, care) = (home.agency("education").await, home.agency("childrens-social-care").await);
    let hub = home.agency("early-help-hub").await;
    let record = CHILD.record(&home.linkage, "child", json!([flag("E1", "met")]));
    school.deliver("attendance", CORE, &[record]).await;
    let record = CHILD.record(&home.linkage, "child", json!([flag("H2", "met")]));
    care.deliver("cases", CORE, &[record]).await;
    let answer = hub.enquire(&hub.question("areas", &CHILD)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let entry = answer.json()["disclosure"].as_str().expect("an entry").to_owned();

    let at_school = desk(&school);
    let own = format!("attendance/{}", reference("Demelza"));
    let raise = ["recall", "raise", "--record", &own, "--role", "education-welfare-officer", "--reason", "namesake"];
    let (code, taken, errors) = porth(&at_school, &raise);
    assert_eq!(code, Some(0), "{errors}");
    let mut members: Vec<&String> = taken.as_object().expect("an object").keys().collect();
    members.sort();
    assert_eq!(members, ["at", "disclosure", "id"], "whoever recalls is told nothing of what it touched");

    let at_hub = desk(&hub);
    let mut notices = Vec::new();
    for _ in 0..100 {
        let (code, said, errors) = porth(&at_hub, &["notices", "list"]);
        assert_eq!(code, Some(0), "{errors}");
        notices = said["notices"].as_array().expect("a list").clone();
        if !notices.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    assert_eq!(notices.len(), 1);
    assert_eq!((&notices[0]["entry"], &notices[0]["kind"]), (&entry.into(), &"answer_wrong".into()));
    assert_eq!((&notices[0]["case"], &notices[0]["may_ask_again"]), (&reference("case").into(), &true.into()));
    let id = notices[0]["id"].as_str().expect("an id");
    let acknowledge = ["notices", "acknowledge", id, "--role", "early-help-practitioner", "--action", "case-reviewed"];
    let (code, _, errors) = porth(&desk(&care), &acknowledge);
    assert_eq!(code, Some(3), "another agency's: {errors}");
    let (code, _, errors) = porth(&at_hub, &acknowledge);
    assert_eq!(code, Some(0), "{errors}");
    assert!(porth(&at_hub, &["notices", "list"]).1["notices"].as_array().expect("a list").is_empty());
    home.stop().await;
}

#[tokio::test]
async fn refusals_go_by_their_names_and_repeat_nothing() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let care = home.agency("childrens-social-care").await;
    let record = json!({ "feed": "cases", "ref": reference("nobody") });
    let none = json!({ "role": "social-worker", "reason": "namesake" });
    let two =
        json!({ "record": record, "submission": uuid::Uuid::nil(), "role": "social-worker", "reason": "namesake" });
    let word = json!({ "record": record, "role": "social-worker", "reason": "Jowan" });
    for body in [none, two, word] {
        let reply = post(&care, "/v1/recalls", &body).await;
        assert_eq!((reply.status, reply.kind().as_str()), (422, "invalid-field"), "{body}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("Jowan"));
    }
    let foreign = json!({ "submission": uuid::Uuid::nil(), "role": "social-worker", "reason": "record-wrong" });
    assert_eq!(post(&care, "/v1/recalls", &foreign).await.status, 404);
    let strange = care.call("GET", "/v1/notices?everything=true", &[], "").await;
    assert_eq!((strange.status, strange.kind().as_str()), (422, "invalid-field"));
    let review = json!({ "entry": uuid::Uuid::nil(), "user": reference("user"), "role": "social-worker",
        "finding": "justified", "reason": "danger" });
    assert_eq!(post(&care, "/v1/emergencies/reviews", &review).await.status, 404);
    let mut strange = review.clone();
    strange["finding"] = "fine".into();
    assert_eq!(post(&care, "/v1/emergencies/reviews", &strange).await.kind(), "invalid-field");

    let mut question = care.question("criteria", &CHILD);
    for (name, value) in [
        ("agreement", "safeguarding-partners/v1"),
        ("purpose", "safeguarding"),
        ("role", "social-worker"),
        ("relationship", "emergency"),
    ] {
        question[name] = value.into();
    }
    let reply = care.enquire(&question).await;
    assert_eq!((reply.status, reply.json()["code"].as_str()), (422, Some("emergency.danger")), "{reply:?}");
    question["emergency"] = "child".into();
    let reply = care.enquire(&question).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let waiting = care.call("GET", "/v1/emergencies", &[], "").await.json();
    let entry = &reply.json()["disclosure"];
    assert_eq!(&waiting["emergencies"][0]["entry"], entry);
    let own = json!({ "entry": entry, "user": reference("user"), "role": "social-worker", "finding": "justified",
        "reason": "danger" });
    assert_eq!(post(&care, "/v1/emergencies/reviews", &own).await.status, 422, "whoever asked cannot review it");
    let mut other = own.clone();
    other["user"] = reference("manager").into();
    let done = post(&care, "/v1/emergencies/reviews", &other).await;
    assert_eq!((done.status, &done.json()["in_time"]), (201, &true.into()), "{done:?}");
    assert_eq!(post(&care, "/v1/emergencies/reviews", &other).await.kind(), "state-conflict");
    home.stop().await;
}
