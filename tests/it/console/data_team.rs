//! The data team's pages: a match run to its end, families under names of one session, tables with charts;
//! and what their addresses, and what nobody may see, give away.

use porth::app::caller::AgencyCaller;
use porth::app::claim::NewEngagement;
use porth::domain::ids::AgreementRef;
use porth::domain::tfid::Tfid;
use porth::domain::token::decode_base64url;
use porth::tlog::entry::AgreementState;
use rstest::rstest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::TestConsole;
use super::refusals::form_token;
use crate::support::agency::idempotency_key;
use crate::support::connection::Reply;
use crate::support::database::Backend;
use crate::support::gateway::PROGRAMME;
use crate::support::people::{self, Person, flag, reference};

/// Children and their mothers: six homes of one child each, and of a mother.
const CHILDREN: [Person; 6] = [
    Person::new("Child 1", "1 Quay"),
    Person::new("Child 2", "2 Quay"),
    Person::new("Child 3", "3 Quay"),
    Person::new("Child 4", "4 Quay"),
    Person::new("Child 5", "5 Quay"),
    Person::new("Child 6", "6 Quay"),
];
const MOTHERS: [Person; 6] = [
    Person::new("Mother 1", "1 Quay"),
    Person::new("Mother 2", "2 Quay"),
    Person::new("Mother 3", "3 Quay"),
    Person::new("Mother 4", "4 Quay"),
    Person::new("Mother 5", "5 Quay"),
    Person::new("Mother 6", "6 Quay"),
];

fn team(client: &str) -> AgencyCaller {
    AgencyCaller { agency: "programme-team".parse().expect("a code"), client: client.to_owned() }
}

impl TestConsole {
    /// Every child misses school and is in need; two thirds of them by what youth justice says offended too.
    async fn town(&self) {
        let linkage = &self.gateway.linkage;
        let both = |role: &str, person: &Person, criterion: &str| {
            person.record(linkage, role, json!([flag(criterion, "met")]))
        };
        let school: Vec<Value> = CHILDREN.iter().map(|child| both("child", child, "E1")).collect();
        let mut care: Vec<Value> = CHILDREN.iter().map(|child| both("child", child, "H2")).collect();
        care.extend(MOTHERS.iter().map(|mother| mother.record(linkage, "adult", json!([]))));
        let education = self.gateway.agency("education").await;
        education.deliver("attendance", "early-help-core/v1", &school).await;
        let social = self.gateway.agency("childrens-social-care").await;
        social.deliver("cases", "early-help-core/v1", &care).await;
    }

    /// Numbers of the first families of the town.
    async fn numbered(&self, count: usize) -> Vec<Tfid> {
        let record = |agency: &str, feed: &str, person: &Person| json!({ "agency": agency, "feed": feed, "ref": reference(person.name) });
        let candidate = |(child, mother): (&Person, &Person)| {
            json!([
                record("education", "attendance", child),
                record("childrens-social-care", "cases", child),
                record("childrens-social-care", "cases", mother)
            ])
        };
        let candidates: Vec<Value> = CHILDREN.iter().zip(&MOTHERS).take(count).map(candidate).collect();
        let decision = json!({
            "terms": {
                "programme": PROGRAMME, "agreement": "programme-delivery/v1", "purpose": "programme-delivery",
                "relationship": "screening", "role": "data-analyst", "case": reference("case"), "user": reference("user"),
            },
            "mode": "count", "reason": "test",
            "decision": { "kind": "issue", "route": "data_match", "candidates": candidates },
        });
        let decision = serde_json::from_value(decision).expect("a decision");
        let decided = self.gateway.gateway().decide_family(&team("desk"), &decision, &idempotency_key()).await;
        decided.expect("permitted").results.iter().map(|result| result.family.expect("a number")).collect()
    }

    /// Opens a family by its number, as the form does; its path.
    async fn open_family(&self, cookie: &str, number: &str) -> String {
        let token = form_token(&self.get("/", Some(cookie)).await);
        let opened =
            self.post("/families", Some(cookie), &format!("form-token={token}&step=open&number={number}")).await;
        assert_eq!(opened.status, 303, "{}", opened.text());
        opened.headers["location"].to_str().expect("text").to_owned()
    }
}

/// The addresses of families on a page.
fn addresses(page: &str) -> Vec<String> {
    let links = page.split("href=\"/families/").skip(1);
    links.map(|rest| format!("/families/{}", rest.split('"').next().expect("its end"))).collect()
}

fn body(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// A page without what is drawn anew each time: ids of entries, form tokens and names of a session.
fn without_chance(page: &str, path: &str) -> String {
    let handle = path.trim_start_matches("/families/");
    let bytes = decode_base64url::<16>(handle).expect("a handle");
    let short = format!("{:02x}{:02x}{:02x}{:02x}", bytes[0], bytes[1], bytes[2], bytes[3]);
    let mut text = page.replace(handle, "HANDLE").replace(&short, "SHORT");
    let ids: Vec<String> = text
        .split("class=\"porth-code\">")
        .skip(1)
        .map(|rest| rest.split('<').next().expect("its end").to_owned())
        .collect();
    for id in ids {
        text = text.replace(&id, "ENTRY");
    }
    text
}

#[rstest]
#[case::sqlite(Backend::Sqlite, "on")]
#[case::sqlite_without_scripts(Backend::Sqlite, "off")]
#[case::postgres(Backend::Postgres, "on")]
#[tokio::test(flavor = "multi_thread")]
async fn the_data_team_comes_from_a_match_run_to_a_family_by_the_pages_alone(
    #[case] backend: Backend,
    #[case] scripts: &str,
) {
    let console = TestConsole::start(backend).await;
    console.town().await;
    let mut question = people::question(&console.gateway.linkage, "criteria", &CHILDREN[0]);
    for (field, value) in [
        ("agreement", "programme-delivery/v1"),
        ("purpose", "claim-validation"),
        ("relationship", "screening"),
        ("role", "claims-officer"),
    ] {
        question[field] = json!(value);
    }
    let engagement = NewEngagement {
        family: serde_json::from_value(question).expect("a question"),
        engaged_on: console.gateway.now().await.date(),
    };
    let gateway = console.gateway.gateway();
    let engaged = gateway.engage(&team("desk"), &engagement, &idempotency_key()).await.expect("permitted");

    let environment = [
        ("PORTH_TEST_SCRIPTS", scripts),
        ("PORTH_TEST_FAMILIES", "6"),
        ("PORTH_TEST_ENGAGEMENT", &engaged.disclosure.to_string()),
    ];
    console.walk("data_team.mjs", &environment).await;

    let families = gateway.store().families_after(&PROGRAMME.parse().expect("a code"), None, 10).await.expect("rows");
    assert_eq!(families.len(), 6, "every candidate got its number");
    assert_eq!(families.iter().filter(|family| family.attached_at.is_some()).count(), 1, "and one is attached");
    let runs = gateway.own_match_runs(&team("desk"), 10).await.expect("runs");
    assert_eq!(runs.len(), 1, "one run was begun");
    assert_eq!(runs[0].counts.expect("it is closed").families, 6);
    assert!(console.gateway.events("statistics", "answered").await >= 9, "every look at a table is an entry");
    assert!(console.gateway.events("match.view", "answered").await >= 1);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_handle_is_of_one_session_names_nobody_and_ends_with_it(#[case] backend: Backend) {
    let console = TestConsole::start_demonstration(backend).await;
    console.town().await;
    let numbers = console.numbered(6).await;
    let (own, other) = (console.enter("porth-data-team").await, console.enter("porth-data-team").await);
    let list = console.get("/families", Some(&own)).await.text();
    let (mine, theirs) = (addresses(&list), addresses(&console.get("/families", Some(&other)).await.text()));
    assert_eq!((mine.len(), theirs.len()), (6, 6));
    for number in &numbers {
        let text = number.to_text();
        let bare = text.replace(['-'], "").replacen("TF", "", 1);
        assert!(!list.contains(&text) && !list.contains(&bare), "no number stands on the page");
    }
    for path in &mine {
        assert!(!theirs.contains(path), "the same families have other names in another session");
        assert_eq!(console.get(path, Some(&own)).await.status, 200);
        assert_eq!(console.get(path, Some(&other)).await.status, 404, "another session opens nothing with it");
        let person = console.enter("porth-officer").await;
        assert_eq!(console.get(path, Some(&person)).await.status, 403, "and the page is for the data team alone");
    }
    let again = addresses(&console.get("/families", Some(&own)).await.text());
    assert_eq!(mine, again, "in one session a family keeps its name");

    let session: [u8; 32] = Sha256::digest(own.split_once('=').expect("a pair").1).into();
    let handle = decode_base64url::<16>(mine[0].trim_start_matches("/families/")).expect("16 bytes");
    let store = console.gateway.gateway().store();
    let sealed = store.console_handle(&session, &handle).await.expect("rows").expect("it is kept with the session");
    for number in &numbers {
        let bare = number.as_bytes();
        assert!(!sealed.windows(bare.len()).any(|part| part == bare), "and sealed");
    }
    let token = form_token(&console.get("/", Some(&own)).await);
    console.post("/sign-out", Some(&own), &format!("form-token={token}")).await;
    assert_eq!(store.console_handle(&session, &handle).await.expect("rows"), None, "it went with the session");
    let fresh = console.enter("porth-data-team").await;
    assert_eq!(console.get(&mine[0], Some(&fresh)).await.status, 404);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_family_is_on_no_page_and_its_number_opens_what_an_unknown_one_does(#[case] backend: Backend) {
    let console = TestConsole::start_demonstration(backend).await;
    console.town().await;
    let numbers = console.numbered(2).await;
    let cookie = console.enter("porth-data-team").await;
    assert_eq!(addresses(&console.get("/families", Some(&cookie)).await.text()).len(), 2);

    let shielded = |person: &Person| {
        let mut record = person.record(&console.gateway.linkage, "child", json!([]));
        record["restricted"] = json!(true);
        record["role"] = json!(if person.name.starts_with("Child") { "child" } else { "adult" });
        record
    };
    let housing = console.gateway.agency("housing").await;
    let rows = [shielded(&CHILDREN[0]), shielded(&MOTHERS[0])];
    housing.deliver("tenancies", "early-help-core/v1", &rows).await;

    let list = console.get("/families", Some(&cookie)).await.text();
    assert_eq!(addresses(&list).len(), 1, "{list}");
    assert!(!list.contains("More families"), "nothing hints at another page");
    let hidden = console.open_family(&cookie, &numbers[0].to_text()).await;
    let unknown = console.open_family(&cookie, "TF-0000-0000-0000-0011").await;
    let (a, b) = (console.get(&hidden, Some(&cookie)).await, console.get(&unknown, Some(&cookie)).await);
    assert_eq!((a.status, b.status), (200, 200));
    assert!(a.text().contains("Nothing can be shown"), "{}", a.text());
    assert_eq!(without_chance(&body(&a), &hidden), without_chance(&body(&b), &unknown));
    let token = form_token(&console.get("/", Some(&cookie)).await);
    for step in ["number", "attach", "claim"] {
        let form = format!("form-token={token}&step={step}&reason=test");
        let (a, b) =
            (console.post(&hidden, Some(&cookie), &form).await, console.post(&unknown, Some(&cookie), &form).await);
        assert_eq!((a.status, b.status), (409, 409), "{step}");
        assert_eq!(without_chance(&body(&a), &hidden), without_chance(&body(&b), &unknown), "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_about_families_is_a_look_that_the_agreements_decide_and_the_log_keeps() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    console.town().await;
    let numbers = console.numbered(1).await;
    let cookie = console.enter("porth-data-team").await;
    let looks = async |outcome: &str| console.gateway.events("family.disclosure", outcome).await;
    let before = looks("answered").await;
    assert_eq!(console.get("/families", Some(&cookie)).await.status, 200);
    assert_eq!(looks("answered").await, before + 1, "a list is one look");
    let path = console.open_family(&cookie, &numbers[0].to_text()).await;
    assert_eq!(looks("answered").await, before + 1, "a number that is typed shows nothing yet");
    assert_eq!(console.get(&path, Some(&cookie)).await.status, 200);
    assert_eq!(looks("answered").await, before + 3, "a family's page is two");

    let of: AgreementRef = "programme-delivery/v1".parse().expect("a reference");
    let gateway = console.gateway.gateway();
    gateway.set_agreement_status(&of, AgreementState::Suspended, "board", "incident").await.expect("suspended");
    for page in ["/families", path.as_str(), "/tables/areas", "/possible-matches"] {
        let refused = console.get(page, Some(&cookie)).await;
        assert_eq!(refused.status, 403, "{page}: {}", refused.text());
        assert!(refused.text().contains("The agreements do not allow this"), "{page}");
    }
    assert_eq!((looks("answered").await, looks("refused").await), (before + 3, 2));
    assert_eq!(console.gateway.events("statistics", "refused").await, 1);
    assert_eq!(console.gateway.events("match.view", "refused").await, 1);
}

/// Six families in two areas: what follows for others is kept back, and no bar stands for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_chart_shows_what_the_table_shows_and_nothing_that_is_kept_back() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    console.town().await;
    let cookie = console.enter("porth-data-team").await;
    let page = console.get("/tables/areas", Some(&cookie)).await.text();
    assert!(page.contains("with 6 of 6 families each."), "the title says what the figures say: {page}");
    let bars = page.matches("class=\"bar\"").count();
    assert_eq!(bars, 2, "two areas are met, and every other is nought or kept back: {page}");
    let public = console.get("/tables/areas?profile=public", Some(&cookie)).await.text();
    assert!(public.contains("[c] confidential"), "six are too few for anybody");
    assert!(!public.contains("class=\"bar\""), "so there is no bar to read a figure from");
    assert!(public.contains("No figure of this table may be shown."), "{public}");
    assert_eq!(console.gateway.events("statistics", "answered").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_begun_twice_by_one_form_is_begun_once() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    console.town().await;
    let cookie = console.enter("porth-data-team").await;
    let page = console.get("/match-runs", Some(&cookie)).await;
    let once =
        page.text().split("name=\"once\" value=\"").nth(1).expect("a field").split('"').next().expect("end").to_owned();
    let body = format!("form-token={}&step=begin&once={once}", form_token(&page));
    let places: Vec<String> = [
        console.post("/match-runs", Some(&cookie), &body).await,
        console.post("/match-runs", Some(&cookie), &body).await,
    ]
    .iter()
    .map(|reply| reply.headers["location"].to_str().expect("text").to_owned())
    .collect();
    assert_eq!(places[0], places[1]);
    let runs = console.gateway.gateway().own_match_runs(&team("desk"), 10).await.expect("runs");
    assert_eq!(runs.len(), 1);
    let home = console.get("/", Some(&cookie)).await.text();
    assert!(home.contains("Match run 1: snapshot being taken"), "{home}");
}
