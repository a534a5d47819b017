//! A suspension holds from the next request on: on open connections, under load, on every replica.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use porth::app::suspend::Suspendable;
use porth::config::Config;
use porth::runtime::{self, Running};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::agency::{TestAgency, idempotency_key, request};
use crate::support::connection::{Connection, Reply};
use crate::support::database::Backend;
use crate::support::gateway::{TestGateway, activate};
use crate::support::people::{Person, flag};

const AGREEMENT: &str = "early-help-core/v1";
const CHILD: Person = Person::new("Child", "1 Quay");

/// Another gateway over the same database.
async fn replica(home: &TestGateway) -> Running {
    let config = Config::read(&home.folder().join("porth.toml")).expect("the same configuration");
    let prepared = runtime::prepare(&config).await.expect("the parts open");
    runtime::start(&config, prepared).await.expect("it starts")
}

/// An open connection with a token, good until somebody says otherwise.
struct Line {
    connection: Connection,
    bearer: String,
    question: String,
}

impl Line {
    async fn open(hub: &TestAgency<'_>, gateway: &Running, token: &str) -> Self {
        let roots = &hub.home.authority.certificate().pem;
        let connection = Connection::open(gateway.agencies, roots, Some(&hub.identity)).await.expect("opens");
        Self { connection, bearer: format!("Bearer {token}"), question: hub.question("areas", &CHILD).to_string() }
    }

    async fn ask(&mut self) -> Reply {
        let key = idempotency_key();
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", key.as_str()),
            ("authorization", self.bearer.as_str()),
        ];
        self.connection.send(request("POST", "/v1/enquiries", &headers, self.question.clone())).await.expect("answers")
    }
}

/// What came of the load: when each request began and ended, and its status.
type Heard = Arc<Mutex<Vec<(Instant, Instant, u16)>>>;

/// Asks without pause until the task is ended.
fn load(mut line: Line, heard: Heard) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let began = Instant::now();
            let status = line.ask().await.status;
            heard.lock().expect("no panic").push((began, Instant::now(), status));
        }
    })
}

/// Waits until requests of the load that began after a moment were answered.
async fn wait_for_load(heard: &Heard, since: Instant) {
    for _ in 0..1200 {
        if heard.lock().expect("no panic").iter().filter(|(began, _, _)| *began > since).count() >= 2 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the load did not go on");
}

fn kind_of(reply: &Reply) -> String {
    if reply.status == 201 { "answered".to_owned() } else { reply.kind() }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_suspended_is_refused_from_the_next_request_on_by_every_replica(#[case] backend: Backend) {
    let limits = "[limits]\nburst = 100000\nrequests_per_second = 100000.0";
    let home = TestGateway::start_under(backend, limits, Some(1_000_000)).await;
    let other = replica(&home).await;
    let hub = home.agency("early-help-hub").await;
    let token = hub.token().await;
    let mut lines = [Line::open(&hub, &home.running, &token).await, Line::open(&hub, &other, &token).await];
    let heard = Heard::default();
    let mut loads = Vec::new();
    for gateway in [&home.running, &other] {
        loads.push(load(Line::open(&hub, gateway, &token).await, Arc::clone(&heard)));
    }

    let kid = hub.key.public().thumbprint();
    let cases = [
        (Suspendable::Agency(hub.code.clone()), "agency-suspended"),
        (Suspendable::Certificate(hub.identity.fingerprint), "certificate-suspended"),
        (Suspendable::Client(hub.client.clone()), "client-unknown"),
        (Suspendable::ClientKey { client: hub.client.clone(), kid }, "client-unknown"),
        (Suspendable::Agreement(AGREEMENT.parse().expect("a reference")), "no-agreement"),
        (Suspendable::Signatory("early-help-hub-signatory".to_owned()), "no-agreement"),
    ];
    for (what, kind) in &cases {
        for line in &mut lines {
            assert_eq!(kind_of(&line.ask().await), "answered", "before: {what:?}");
        }
        let entries = entries(&home).await;
        home.gateway().set_standing(what, false, "operator", "incident").await.expect("suspended");
        let suspended = Instant::now();
        for line in &mut lines {
            assert_eq!(kind_of(&line.ask().await), *kind, "suspended: {what:?}");
        }
        wait_for_load(&heard, suspended).await;
        let resumed = Instant::now();
        let back = home.gateway().set_standing(what, true, "operator", "over").await;
        match what {
            Suspendable::Agreement(agreement) => {
                assert!(back.is_err(), "nobody alone puts an agreement in force again");
                activate(home.gateway(), agreement).await;
            }
            _ => back.expect("resumed"),
        }
        for line in &mut lines {
            assert_eq!(kind_of(&line.ask().await), "answered", "resumed: {what:?}");
        }
        assert_eq!(entries_since(&home, entries).await, 2, "both are in the log: {what:?}");
        let meanwhile: Vec<u16> = {
            let heard = heard.lock().expect("no panic");
            // One that was still under way when the suspension ended may be either.
            let between = heard.iter().filter(|(began, ended, _)| *began > suspended && *ended < resumed);
            between.map(|(_, _, status)| *status).collect()
        };
        assert!(meanwhile.iter().all(|status| *status != 201), "{what:?}: {meanwhile:?}");
    }
    assert!(loads.iter().all(|load| !load.is_finished()), "no connection was closed");
    let again = home.gateway().set_standing(&cases[0].0, true, "operator", "over").await;
    assert!(again.is_err(), "what is not suspended cannot be resumed");
    for load in loads {
        load.abort();
    }
    other.stop().await;
}

/// How many entries about standing there are, of all three types.
async fn entries(home: &TestGateway) -> i64 {
    home.events("standing", "").await
        + home.events("agency.status", "").await
        + home.events("agreement.status", "").await
}

async fn entries_since(home: &TestGateway, before: i64) -> i64 {
    entries(home).await - before
}

fn area(reply: &Reply, code: &str) -> Value {
    assert_eq!(reply.status, 201, "{reply:?}");
    let areas = reply.json()["areas"].clone();
    areas.as_array().expect("areas").iter().find(|area| area["code"] == code).expect("it is there").clone()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_suspended_feed_contributes_to_no_answer_and_takes_no_submission(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let other = replica(&home).await;
    let education = home.agency("education").await;
    let hub = home.agency("early-help-hub").await;
    let row = CHILD.record(&home.linkage, "child", json!([flag("E1", "met")]));
    let shielded = Person::new("Shielded", "2 Quay");
    let mut hidden = shielded.record(&home.linkage, "child", json!([flag("E1", "met")]));
    hidden["restricted"] = true.into();
    education.deliver("attendance", AGREEMENT, &[row.clone(), hidden]).await;
    let token = hub.token().await;
    let mut lines = [Line::open(&hub, &home.running, &token).await, Line::open(&hub, &other, &token).await];
    let unknown = hub.enquire(&hub.question("areas", &Person::new("Nobody", "9 Quay"))).await;
    for line in &mut lines {
        assert_eq!(area(&line.ask().await, "A2")["state"], "met");
    }
    let key = idempotency_key();
    let question = hub.question("areas", &CHILD);
    assert_eq!(hub.enquire_again(&question, &key).await.status, 201);

    let feed = Suspendable::Feed("education".parse().expect("a code"), "attendance".parse().expect("a code"));
    home.gateway().set_standing(&feed, false, "operator", "bad-extract").await.expect("suspended");
    for line in &mut lines {
        let area = area(&line.ask().await, "A2");
        assert_eq!(area["state"], "withheld_by_policy", "as if the feed had never been delivered, for everybody");
        assert!(area["evidence_month"].is_null());
    }
    assert_eq!(hub.enquire_again(&question, &key).await.kind(), "idempotency-lapsed", "no kept reply either");
    let refused = education.submit("attendance", AGREEMENT, std::slice::from_ref(&row)).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &"feed.suspended".into()));
    let hidden = hub.enquire(&hub.question("areas", &shielded)).await;
    assert_eq!(
        hidden.json()["areas"],
        hub.enquire(&hub.question("areas", &Person::new("Nobody", "9 Quay"))).await.json()["areas"]
    );

    home.gateway().set_standing(&feed, true, "operator", "corrected").await.expect("resumed");
    for line in &mut lines {
        assert_eq!(area(&line.ask().await, "A2")["state"], "met");
    }
    let still_hidden = hub.enquire(&hub.question("areas", &shielded)).await;
    assert_eq!(still_hidden.json()["areas"], unknown.json()["areas"]);
    education.deliver("attendance", AGREEMENT, &[row]).await;
    assert_eq!(home.events("standing", "").await, 2);
    let nowhere = Suspendable::Feed("education".parse().expect("a code"), "nowhere".parse().expect("a code"));
    assert!(home.gateway().set_standing(&nowhere, false, "operator", "typo").await.is_err());
    other.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_suspended_feed_is_no_longer_in_its_own_agencys_answers_and_its_shields_hold(#[case] backend: Backend) {
    use crate::support::programme::{HUB_AREAS, TestProgramme};
    let programme = TestProgramme::start(backend).await;
    let person: &[(&str, &str)] = &[("nhs", "9990000018")];
    let known = programme.row(
        1,
        person,
        json!({ "role": "child", "flags": [{ "criterion": "H2", "state": "met",
        "from": (programme.today().await - jiff::Span::new().days(9)).to_string() }] }),
    );
    programme.deliver("childrens-social-care", "cases", AGREEMENT, &[known]).await;
    let shield = programme.row(1, person, json!({ "role": "child", "restricted": true }));
    programme.deliver("housing", "tenancies", AGREEMENT, &[shield]).await;
    let housing = Suspendable::Feed("housing".parse().expect("a code"), "tenancies".parse().expect("a code"));

    let stranger: &[(&str, &str)] = &[("nhs", "9990000034")];
    let before = programme.ask(HUB_AREAS, person, &[]).await.expect("permitted").answer;
    assert_eq!(before, programme.ask(HUB_AREAS, stranger, &[]).await.expect("permitted").answer);
    programme.gateway.set_standing(&housing, false, "operator", "incident").await.expect("suspended");
    let answer = programme.ask(HUB_AREAS, person, &[]).await.expect("permitted").answer;
    let nobody = programme.ask(HUB_AREAS, stranger, &[]).await.expect("permitted").answer;
    assert_eq!(answer, nobody, "the shield of the suspended feed still hides the person");

    // What housing itself recorded about the person is out of its own answers too.
    let housing_asks = crate::support::programme::Ask { agency: "housing", ..HUB_AREAS };
    let own = programme.ask(housing_asks, person, &[]).await;
    let nobodys = programme.ask(housing_asks, stranger, &[]).await;
    assert_eq!(own.map(|it| it.answer).ok(), nobodys.map(|it| it.answer).ok());
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_revoked_signatory_takes_its_signature_along_for_good(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let hub = home.agency("early-help-hub").await;
    assert_eq!(hub.enquire(&hub.question("areas", &CHILD)).await.status, 201);
    home.gateway().revoke_signatory("education-signatory", "operator", "left-office").await.expect("revoked");
    assert_ne!(area_or_refusal(&hub.enquire(&hub.question("areas", &CHILD)).await), "answered with education");
    let signatory = Suspendable::Signatory("education-signatory".to_owned());
    assert!(home.gateway().set_standing(&signatory, true, "operator", "over").await.is_err(), "it stays revoked");
}

/// Whether education's items were still permitted, by what the answer says it covers.
fn area_or_refusal(reply: &Reply) -> String {
    if reply.status != 201 {
        return reply.kind();
    }
    let covers = reply.json()["covers"].to_string();
    if covers.contains("A2") { "answered with education".to_owned() } else { "answered without education".to_owned() }
}
