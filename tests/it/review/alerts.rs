//! Warnings: what was asked and how raises them, and officers look into them.

use porth::app::alerts::decoy::DecoyRecord;
use porth::app::alerts::{AlertError, AlertStepAsked};
use porth::app::doctor::{Expected, Health, examine};
use porth::domain::alert::hours::Hours;
use porth::domain::alert::rules::Thresholds;
use porth::domain::alert::{Kind, Step};
use porth::domain::ids::{AgencyCode, FeedCode, OpaqueRef, ProgrammeCode};
use porth::store::StoredAlert;
use rstest::rstest;
use serde_json::json;

use super::{CORE, KNOWN, ask, ask_in_vain, officer, ready, register};
use crate::support::agency::TestAgency;
use crate::support::database::Backend;
use crate::support::gateway::{EPOCH, LOG, PROGRAMME, TestGateway, hexadecimal};
use crate::support::people::{LINKING, Person, flag, reference, token, type_key};

const PEOPLE: [Person; 5] = [
    Person::new("Anka", "2 Quay"),
    Person::new("Bryok", "3 Quay"),
    Person::new("Casek", "4 Quay"),
    Person::new("Derwa", "5 Quay"),
    Person::new("Elowen", "6 Quay"),
];

/// Rules that nothing breaks.
fn lenient() -> Thresholds {
    Thresholds { repeats_a_day: 1_000, new_subjects_a_day: 1_000, ..Thresholds::default() }
}

async fn watch(home: &TestGateway, rules: &Thresholds) -> Vec<StoredAlert> {
    home.wait_sequenced().await;
    home.gateway().watch_for_alerts(rules).await.expect("watched");
    home.gateway().store().alerts(false, None, 100).await.expect("alerts")
}

fn kinds(alerts: &[StoredAlert]) -> Vec<&str> {
    let mut kinds: Vec<&str> = alerts.iter().map(|alert| alert.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn guessing_repeats_and_too_many_new_people_are_told_once_a_day(#[case] backend: Backend) {
    let home = ready(backend).await;
    let hub = home.agency("early-help-hub").await;
    let rules = Thresholds {
        match_rate_least: 5,
        match_rate_percent: 50,
        repeats_a_day: 2,
        new_subjects_a_day: 4,
        ..lenient()
    };
    for _ in 0..2 {
        ask(&hub, &KNOWN).await;
    }
    for person in &PEOPLE[..3] {
        ask(&hub, person).await;
    }
    let alerts = watch(&home, &rules).await;
    assert_eq!(kinds(&alerts), ["low_match_rate"], "two of five known, four people, twice each at the most");
    assert_eq!(alerts[0].figures, r#"[{"of":"answered","count":5},{"of":"known","count":2}]"#);
    assert_eq!((alerts[0].agency.as_ref(), alerts[0].client.as_deref()), (Some(&hub.code), Some(hub.client.as_str())));

    ask(&hub, &KNOWN).await;
    ask(&hub, &PEOPLE[3]).await;
    assert_eq!(kinds(&watch(&home, &rules).await), ["low_match_rate", "new_subjects", "repeat_on_one_person"]);
    ask(&hub, &KNOWN).await;
    ask(&hub, &PEOPLE[4]).await;
    let alerts = watch(&home, &rules).await;
    assert_eq!(alerts.len(), 3, "one of each for a day: {alerts:?}");
    assert!(alerts.iter().all(|alert| alert.entry.is_none()), "no alert names a question about a person");
    assert_eq!(home.events("alert.open", "").await, 3);
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_spike_odd_hours_a_refusal_turned_and_an_emergency_are_told(#[case] backend: Backend) {
    let home = ready(backend).await;
    let hub = home.agency("early-help-hub").await;
    let now = home.now().await;
    let (today, hour) = (now.as_seconds() / 86_400, now.as_seconds() % 86_400 / 3600);
    let mut tx = home.gateway().store().begin().await.expect("begins");
    for day in 1..=5 {
        tx.put_alert_day(&hub.code, &hub.client, today - day, r#"{"asked":1}"#).await.expect("kept");
    }
    tx.commit().await.expect("committed");
    let (from, until) = if hour < 12 { (14, 24) } else { (2, 11) };
    let mut rules = Thresholds { spike_least: 3, spike_times: 2, ..lenient() };
    rules.hours.insert(hub.code.clone(), Hours { from, until, weekends: true });

    ask_in_vain(&hub, &KNOWN).await;
    ask(&hub, &PEOPLE[0]).await;
    assert_eq!(kinds(&watch(&home, &rules).await), ["odd_hours"], "refused and granted were two people");
    ask(&hub, &KNOWN).await;
    let mut emergency = hub.question("areas", &KNOWN);
    emergency["relationship"] = "emergency".into();
    emergency["emergency"] = "child".into();
    let reply = hub.enquire(&emergency).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    let alerts = watch(&home, &rules).await;
    assert_eq!(kinds(&alerts), ["listed_entry", "odd_hours", "refused_then_granted", "volume_spike"]);
    let listed = alerts.iter().find(|alert| alert.kind == "listed_entry").expect("it is there");
    assert_eq!(listed.entry.map(|entry| entry.to_string()), reply.json()["disclosure"].as_str().map(str::to_owned));
    assert!(listed.figures.contains("enquiry:emergency"), "it says of what kind the entry is: {}", listed.figures);
    assert_eq!(home.gateway().watch_for_alerts(&rules).await.expect("watched"), 0);
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn whoever_asks_about_a_decoy_is_told_of_and_nobody_else(#[case] backend: Backend) {
    let home = ready(backend).await;
    let (hub, education) = (home.agency("early-help-hub").await, home.agency("education").await);
    let decoy = Person::new("Nobody", "no address");
    let mut row = decoy.record(&home.linkage, "child", json!([]));
    row.as_object_mut().expect("a record").remove("household");
    let known = KNOWN.record(&home.linkage, "child", json!([flag("E1", "met")]));
    education.deliver("attendance", CORE, &[row, known]).await;
    register(&home, officer("ig-1", "programme-team")).await;
    let named = |name: &str| DecoyRecord {
        agency: AgencyCode::parse("education").expect("a code"),
        feed: FeedCode::parse("attendance").expect("a code"),
        reference: OpaqueRef::parse(&reference(name)).expect("a reference"),
    };
    let gateway = home.gateway();
    let with_home = gateway.register_decoy(&named("Known"), "ig-1", "x").await;
    assert!(matches!(with_home, Err(AlertError::NoRecord)), "whoever has an address may be in a family: {with_home:?}");
    assert!(matches!(gateway.register_decoy(&named("Absent"), "ig-1", "x").await, Err(AlertError::NoRecord)));
    assert!(matches!(gateway.register_decoy(&named("Nobody"), "stranger", "x").await, Err(AlertError::NotOfficer)));
    gateway.register_decoy(&named("Nobody"), "ig-1", "plan:3").await.expect("registered");
    assert!(matches!(gateway.register_decoy(&named("Nobody"), "ig-1", "x").await, Err(AlertError::Decoy)));
    for (id, sealed) in gateway.store().decoys().await.expect("decoys") {
        let kept = [id.as_slice(), &sealed].concat();
        assert!(!String::from_utf8_lossy(&kept).contains(&reference("Nobody")), "which record it is, is sealed");
    }

    ask(&hub, &KNOWN).await;
    assert_eq!(kinds(&watch(&home, &lenient()).await), [] as [&str; 0]);
    ask(&hub, &decoy).await;
    let alerts = watch(&home, &lenient()).await;
    assert_eq!(kinds(&alerts), ["decoy_touched"]);
    assert_eq!((alerts[0].severity.as_str(), alerts[0].entry), ("high", None));
    gateway.remove_decoy(&named("Nobody"), "ig-1", "known-by-now").await.expect("removed");
    assert!(matches!(gateway.remove_decoy(&named("Nobody"), "ig-1", "x").await, Err(AlertError::Decoy)));
    assert_eq!(home.events("alert.decoy", "").await, 2);
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn nobody_closes_the_alert_about_what_they_did(#[case] backend: Backend) {
    let home = ready(backend).await;
    let gateway = home.gateway();
    gateway.parts_for_shield_officers("Shield-1").await.expect("read");
    let alerts = watch(&home, &lenient()).await;
    let [alert] = &alerts[..] else { panic!("one: {alerts:?}") };
    assert_eq!((alert.agency.as_ref(), alert.client.as_deref()), (None, Some("Shield-1")));
    register(&home, officer("shield-1", "programme-team")).await;
    for step in [Step::Close, Step::Escalate] {
        for account in ["shield-1", "SHIELD-1"] {
            let to = (step == Step::Escalate).then(|| "dpo".parse().expect("a code"));
            let asked = AlertStepAsked { alert: alert.event, step, to };
            let own = gateway.step_alert(account, &asked, "call:7").await;
            assert!(matches!(own, Err(AlertError::Own)), "{account}: {own:?}");
        }
    }
    let asked = AlertStepAsked { alert: alert.event, step: Step::Close, to: None };
    assert_eq!(gateway.step_alert("ig-1", &asked, "call:7").await.expect("closed").state, "closed");
    home.stop().await;
}

/// Asks about whoever has these names, with an NHS number.
async fn ask_with_number(hub: &TestAgency<'_>, names: &[&str], number: &str, role: &str, status: u16) {
    let linkage = &hub.home.linkage;
    let mut question = hub.question("areas", &KNOWN);
    question["role"] = role.into();
    let names: Vec<String> = names.iter().map(|name| token(linkage, LINKING, name)).collect();
    question["tokens"][EPOCH.to_string()] = json!({ LINKING: names, "nhs": [token(linkage, "nhs", number)] });
    question["epochs"][0]["key_checks"]["nhs"] = hexadecimal(&type_key(linkage, "nhs").key_check()).into();
    let reply = hub.enquire(&question).await;
    assert_eq!(reply.status, status, "{reply:?}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_invented_number_beside_real_names_hides_nobody(#[case] backend: Backend) {
    let home = ready(backend).await;
    let (hub, education) = (home.agency("early-help-hub").await, home.agency("education").await);
    let mut row = Person::new("Nobody", "no address").record(&home.linkage, "child", json!([]));
    row.as_object_mut().expect("a record").remove("household");
    education.deliver("attendance", CORE, &[row]).await;
    let decoy = DecoyRecord {
        agency: AgencyCode::parse("education").expect("a code"),
        feed: FeedCode::parse("attendance").expect("a code"),
        reference: OpaqueRef::parse(&reference("Nobody")).expect("a reference"),
    };
    home.gateway().register_decoy(&decoy, "ig-1", "plan:3").await.expect("registered");
    let rules = Thresholds { repeats_a_day: 2, ..lenient() };

    ask_with_number(&hub, &["Nobody"], "9990000018", "housing-officer", 403).await;
    ask_with_number(&hub, &["Nobody"], "9990000026", "hub-screener", 201).await;
    assert_eq!(kinds(&watch(&home, &rules).await), ["decoy_touched", "refused_then_granted"]);
    ask_with_number(&hub, &["Nobody"], "9990000034", "hub-screener", 201).await;
    assert_eq!(
        kinds(&watch(&home, &rules).await),
        ["decoy_touched", "refused_then_granted", "repeat_on_one_person"],
        "three numbers, one name"
    );
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn people_are_new_until_they_were_asked_about_by_the_same_keys(#[case] backend: Backend) {
    let home = ready(backend).await;
    let hub = home.agency("early-help-hub").await;
    let rules = |budget| Thresholds { new_subjects_a_day: budget, ..lenient() };
    let filler = "9990000018";
    for name in ["Anka", "Bryok", "Anka", "Bryok"] {
        ask_with_number(&hub, &[name], filler, "hub-screener", 201).await;
    }
    assert_eq!(kinds(&watch(&home, &rules(2)).await), [] as [&str; 0], "two people, asked about twice");
    ask_with_number(&hub, &["Casek", "Derwa"], filler, "hub-screener", 201).await;
    assert_eq!(kinds(&watch(&home, &rules(3)).await), [] as [&str; 0]);
    for name in ["Casek", "Derwa"] {
        ask_with_number(&hub, &[name], filler, "hub-screener", 201).await;
    }
    let alerts = watch(&home, &rules(4)).await;
    assert_eq!(kinds(&alerts), ["new_subjects"], "one question with the keys of two made neither known");
    assert_eq!(alerts[0].figures, r#"[{"of":"budget","count":4},{"of":"new_subjects","count":5}]"#);
    home.stop().await;
}

/// What alerts say of four questions about somebody.
async fn figures_about(is_restricted: bool) -> Vec<(String, String)> {
    let home = ready(Backend::Sqlite).await;
    let (hub, care) = (home.agency("early-help-hub").await, home.agency("childrens-social-care").await);
    let hidden = Person::new("Hidden", "9 Quay");
    let mut row = hidden.record(&home.linkage, "child", json!([]));
    row["restricted"] = is_restricted.into();
    let elsewhere = Person::new("Elsewhere", "10 Quay").record(&home.linkage, "child", json!([]));
    care.deliver("cases", CORE, &[if is_restricted { row } else { elsewhere }]).await;
    let rules = Thresholds { match_rate_least: 4, match_rate_percent: 90, repeats_a_day: 3, ..lenient() };
    for _ in 0..4 {
        ask(&hub, &hidden).await;
    }
    let alerts = watch(&home, &rules).await;
    let mut found: Vec<(String, String)> = alerts.into_iter().map(|alert| (alert.kind, alert.figures)).collect();
    found.sort();
    home.stop().await;
    found
}

#[tokio::test]
async fn a_restricted_person_raises_what_one_whom_nobody_knows_raises() {
    let (restricted, unknown) = (figures_about(true).await, figures_about(false).await);
    assert_eq!(restricted, unknown);
    assert_eq!(restricted.len(), 2, "a low share of people known, and a repeat: {restricted:?}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_alert_is_escalated_and_closed_by_an_officer_of_another_agency(#[case] backend: Backend) {
    let home = ready(backend).await;
    let hub = home.agency("early-help-hub").await;
    for _ in 0..2 {
        ask(&hub, &KNOWN).await;
    }
    let alerts = watch(&home, &Thresholds { repeats_a_day: 1, ..lenient() }).await;
    let [alert] = &alerts[..] else { panic!("one: {alerts:?}") };
    register(&home, officer("ig-1", "programme-team")).await;
    register(&home, officer("hub-ig", "early-help-hub")).await;
    let step = async |account: &str, step: Step, to: Option<&str>| {
        let to = to.map(|to| to.parse().expect("a code"));
        let asked = AlertStepAsked { alert: alert.event, step, to };
        home.gateway().step_alert(account, &asked, "call:7").await.map(|alert| alert.state)
    };
    assert!(matches!(step("stranger", Step::Close, None).await, Err(AlertError::NotOfficer)));
    assert!(matches!(step("hub-ig", Step::Close, None).await, Err(AlertError::OwnAgency)));
    assert!(matches!(step("ig-1", Step::Escalate, None).await, Err(AlertError::To)));
    assert!(matches!(step("ig-1", Step::Close, Some("dpo")).await, Err(AlertError::To)));
    assert_eq!(step("ig-1", Step::Escalate, Some("dpo")).await.expect("escalated"), "escalated");
    assert_eq!(step("ig-1", Step::Escalate, Some("dpo")).await.expect("escalated on"), "escalated");
    assert!(matches!(step("ig-1", Step::Close, None).await, Err(AlertError::Escalated)), "another officer closes it");

    let programme = ProgrammeCode::parse(PROGRAMME).expect("a code");
    let state_file = home.folder().join("state");
    let machine = home.now().await;
    let expected = Expected { programme: &programme, log_origin: LOG, state_file: &state_file, machine };
    let health = async |check: &str| {
        let findings = examine(home.gateway().store(), expected).await;
        findings.into_iter().find(|finding| finding.check == check).expect("it is looked at").health
    };
    assert_eq!((health("alerts").await, health("reviews").await), (Health::Warn, Health::Ok));
    register(&home, officer("ig-2", "programme-team")).await;
    assert_eq!(step("ig-2", Step::Close, None).await.expect("closed"), "closed");
    assert!(matches!(step("ig-1", Step::Close, None).await, Err(AlertError::WrongState)));
    assert_eq!(health("alerts").await, Health::Ok);
    let kept = home.gateway().store().alerts(true, Some(Kind::RepeatOnOnePerson.as_str()), 5).await.expect("alerts");
    assert_eq!((kept[0].state.as_str(), kept[0].escalated_to.as_deref()), ("closed", Some("dpo")));
    assert_eq!(home.events("alert.step", "").await, 3);
    home.stop().await;
}
