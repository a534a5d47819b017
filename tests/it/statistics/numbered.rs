//! Tables of families that have a number: what they say, and what they do not say of any of them.

use porth::app::caller::AgencyCaller;
use porth::app::families::Outcome;
use porth::app::match_run::RunTerms;
use porth::app::statistics::StatisticsError;
use porth::domain::ids::MatchRunId;
use porth::domain::statistics::profile::ProfileName;
use porth::domain::statistics::table::{Mark, Table};
use porth::domain::tfid::Tfid;
use porth::store::{RunState, StoredFamily};
use rstest::rstest;
use serde_json::{Value, json};

use super::tables::{ask_as, figure, given, wanted};
use crate::support::database::Backend;
use crate::support::programme::{TestProgramme, opaque, policy_files};

const TABLES: [&str; 3] = ["routes", "validation-rounds", "engagement"];
const CARE: &str = "childrens-social-care";

fn team() -> AgencyCaller {
    AgencyCaller { agency: "programme-team".parse().expect("a code"), client: "team-desk".to_owned() }
}

fn key() -> String {
    uuid::Uuid::from_bytes(porth::crypto::random::random_bytes(&porth::crypto::random::SystemRandom::new())).to_string()
}

/// Families of a child and a mother in a home of their own, who meet two areas. Social care works with
/// the first `seen`, and leads for every second of them.
async fn deliver(
    programme: &TestProgramme,
    families: std::ops::Range<u32>,
    seen: u32,
    shielded: &[u32],
    no_child: &[u32],
) {
    let today = programme.today().await;
    let from = (today - jiff::Span::new().days(40)).to_string();
    let month = today.to_string()[..7].to_owned();
    let flag = |criterion: &str| json!([{ "criterion": criterion, "state": "met", "from": from }]);
    let (mut school, mut care) = (Vec::new(), Vec::new());
    for family in families {
        let (child, mother) = (format!("999{family:07}"), format!("998{family:07}"));
        let (child, mother) = ([("nhs", child.as_str())], [("nhs", mother.as_str())]);
        let home = programme.tokens(&[("uprn", &format!("home {family}"))]);
        let child_of = |criterion: &str| json!({ "role": "child", "household": home, "flags": flag(criterion) });
        care.push(programme.row(1_000_000 + family, &mother, json!({ "role": "adult", "household": home })));
        if no_child.contains(&family) {
            continue;
        }
        school.push(programme.row(family, &child, child_of("E1")));
        let mut need = child_of("H2");
        need["restricted"] = shielded.contains(&family).into();
        if family < seen {
            need["service"] = json!({ "since": "2025-01", "last_contact_month": month, "lead": family % 2 == 0,
                                      "team_route": "mash", "status": "open" });
        }
        care.push(programme.row(family, &child, need));
    }
    programme.deliver("education", "attendance", "early-help-core/v1", &school).await;
    programme.deliver(CARE, "cases", "early-help-core/v1", &care).await;
}

async fn decide(programme: &TestProgramme, decision: Value) -> Vec<(Outcome, Option<Tfid>)> {
    let terms = json!({
        "programme": programme.code, "agreement": "programme-delivery/v1", "purpose": "programme-delivery",
        "relationship": "screening", "role": "data-analyst", "case": opaque(7), "user": opaque(8),
    });
    let request = json!({ "terms": terms, "mode": "count", "reason": "test", "decision": decision });
    let request = serde_json::from_value(request).expect("a request");
    let reply = programme.gateway.decide_family(&team(), &request, &key()).await.expect("permitted");
    reply.results.into_iter().map(|result| (result.outcome, result.family)).collect()
}

async fn issue(programme: &TestProgramme, route: &str, families: std::ops::Range<u32>) -> Vec<Tfid> {
    let record = |reference: u32| json!({ "agency": CARE, "feed": "cases", "ref": opaque(reference) });
    let candidates: Vec<Value> = families.map(|family| json!([record(family), record(1_000_000 + family)])).collect();
    let done = decide(programme, json!({ "kind": "issue", "route": route, "candidates": candidates })).await;
    done.into_iter()
        .map(|(outcome, family)| {
            assert_eq!(outcome, Outcome::Done);
            family.expect("a number")
        })
        .collect()
}

async fn attach(programme: &TestProgramme, families: &[Tfid]) {
    for tfid in families {
        let done = decide(programme, json!({ "kind": "attach", "tfid": tfid, "validated": true })).await;
        assert_eq!(done[0].0, Outcome::Done);
    }
}

/// A match run from beginning to end.
async fn close_a_run(programme: &TestProgramme) -> i64 {
    let terms = json!({ "agreement": "programme-delivery/v1", "relationship": "screening", "role": "data-analyst",
                        "user": opaque(8) });
    let terms: RunTerms = serde_json::from_value(terms).expect("terms");
    let begun = programme.gateway.begin_match_run(&team(), &terms, &key()).await.expect("permitted");
    let id: MatchRunId = begun.id;
    for _ in 0..50 {
        let report = programme.gateway.advance_match_run(&team(), id, &terms, true).await.expect("a step");
        if report.state == RunState::Closed {
            return report.number;
        }
    }
    panic!("the run does not end");
}

/// Lets the families be attached as of so many days ago.
async fn attached_earlier(programme: &TestProgramme, families: &[Tfid], days: i64) {
    let store = programme.gateway.store();
    let earlier = store.now().await.expect("the clock").plus_seconds(-86_400 * days);
    for tfid in families {
        let family = store.family(&programme.code, tfid).await.expect("asked").expect("there");
        // A family with an earlier attachment that becomes part of this one hands its date on.
        let nobody: Tfid = "TF-0000-0000-0000-0011".parse().expect("well-formed");
        let other = StoredFamily { tfid: nobody, attached_at: Some(earlier), ..family };
        let mut tx = store.begin().await.expect("a transaction");
        tx.merge_family(&other, tfid).await.expect("merged");
        tx.commit().await.expect("kept");
    }
}

fn count(table: &Table, row: &str, column: &str) -> Option<u64> {
    figure(table, row, column).count
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_tables_count_numbered_families_by_route_round_and_contact(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    deliver(&programme, 0..60, 24, &[], &[]).await;
    let mut first = issue(&programme, "referral", 0..10).await;
    first.extend(issue(&programme, "phase1_carry_over", 10..20).await);
    let unround = issue(&programme, "data_match", 20..25).await;
    let run = close_a_run(&programme).await;
    let found = issue(&programme, "data_match", 25..45).await;
    let attached = [&first[..], &found[..10]].concat();
    attach(&programme, &attached).await;
    attached_earlier(&programme, &attached, 100).await;
    assert_eq!(unround.len(), 5);

    let routes = given(&programme, "routes", ProfileName::Internal).await;
    assert_eq!(routes.base.and_then(|base| base.count), Some(45));
    for (row, counts) in [
        ("carried over from the first phase", [10, 10, 10]),
        ("referral", [10, 10, 10]),
        ("data matching", [25, 10, 0]),
        ("all routes", [45, 30, 20]),
    ] {
        let columns = ["with a number", "of these attached", "of these engaged"];
        assert_eq!(columns.map(|column| count(&routes, row, column)), counts.map(Some), "{row}\n{}", routes.text());
    }
    let today = programme.today().await;
    let rounds = given(&programme, "validation-rounds", ProfileName::Internal).await;
    let row = format!("run {run}, closed {today}");
    assert_eq!(count(&rounds, &row, "put forward"), Some(20), "{}", rounds.text());
    assert_eq!(count(&rounds, &row, "of these validated"), Some(10));
    assert_eq!(count(&rounds, "before the first closed run", "put forward"), Some(5));
    assert!(!rounds.known_conflicts.is_empty() && rounds.rule.contains("not shown"), "{}", rounds.rule);

    // Of the twenty who are seen social care leads for every second; nobody is known to lead for the others.
    let engagement = given(&programme, "engagement", ProfileName::Internal).await;
    let of = |row: &str, column: &str| count(&engagement, row, column);
    assert_eq!(of("engaged", "all families"), Some(20), "{}", engagement.text());
    assert_eq!(of("engaged", CARE), Some(10));
    assert_eq!(of("engaged, last contact 0 to 2 months ago", CARE), Some(10));
    assert_eq!(of("attached and not engaged", "all families"), Some(10));
    assert_eq!(of("no contact yet, attached 3 to 5 months ago", "not known"), Some(10));
    assert_eq!(of("no contact for three months or more", "all families"), Some(10));
    assert!(!engagement.columns.iter().any(|column| column == "police"), "{:?}", engagement.columns);

    let public = given(&programme, "routes", ProfileName::Public).await;
    assert!(public.figures.iter().flatten().all(|figure| figure.count.is_none_or(|count| count % 5 == 0)));
    assert_eq!(public.base.and_then(|base| base.mark), Some(Mark::Confidential), "under the smallest base");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shielded_child_changes_no_table_of_numbered_families(#[case] backend: Backend) {
    let with = TestProgramme::start(backend).await;
    deliver(&with, 0..33, 20, &[], &[]).await;
    let families = issue(&with, "referral", 0..33).await;
    attach(&with, &families[..25]).await;
    deliver(&with, 0..33, 20, &[30, 31, 32], &[]).await;
    // As if nobody had ever delivered these children.
    let without = TestProgramme::start(backend).await;
    deliver(&without, 0..33, 20, &[], &[30, 31, 32]).await;
    let families = issue(&without, "referral", 0..33).await;
    attach(&without, &families[..25]).await;
    for profile in [ProfileName::Internal, ProfileName::Public] {
        for table in TABLES {
            let (seen, expected) = (given(&with, table, profile).await, given(&without, table, profile).await);
            assert_eq!(seen.figures, expected.figures, "{table} {profile:?}");
        }
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn one_numbered_family_more_is_not_seen_next_month(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    deliver(&programme, 0..60, 0, &[], &[]).await;
    issue(&programme, "referral", 0..30).await;
    let first = given(&programme, "routes", ProfileName::Internal).await;
    assert_eq!(count(&first, "referral", "with a number"), Some(30));
    super::tables::days_pass(&programme, 40).await;
    issue(&programme, "referral", 30..31).await;
    for table in TABLES {
        let next = given(&programme, table, ProfileName::Internal).await;
        assert!(
            next.figures.iter().flatten().all(|figure| figure.count.is_none() || figure.as_at.is_some()),
            "{table}"
        );
    }
    super::tables::days_pass(&programme, 40).await;
    issue(&programme, "referral", 31..45).await;
    let later = given(&programme, "routes", ProfileName::Internal).await;
    // That nobody came by another route is not told either, so the row of this one stays.
    assert_eq!(count(&later, "all routes", "with a number"), Some(45), "{}", later.text());
    assert_eq!(count(&later, "referral", "with a number"), Some(30));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn numbered_families_cannot_be_subtracted_from_the_households_of_the_day(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    deliver(&programme, 0..60, 0, &[], &[]).await;
    issue(&programme, "referral", 0..57).await;
    let households = given(&programme, "areas", ProfileName::Internal).await;
    assert_eq!(households.base.and_then(|base| base.count), Some(60));
    let routes = given(&programme, "routes", ProfileName::Internal).await;
    assert_eq!(
        routes.base.and_then(|base| base.mark),
        Some(Mark::Confidential),
        "three have no number: {}",
        routes.text()
    );
    assert_eq!(count(&routes, "referral", "with a number"), None, "nor by way of the parts");

    // The other way round, whoever asks first.
    let other = TestProgramme::start(backend).await;
    deliver(&other, 0..60, 0, &[], &[]).await;
    issue(&other, "referral", 0..57).await;
    let routes = given(&other, "routes", ProfileName::Internal).await;
    assert_eq!(count(&routes, "referral", "with a number"), Some(57));
    let households = given(&other, "areas", ProfileName::Internal).await;
    assert_eq!(households.base.and_then(|base| base.mark), Some(Mark::Confidential), "{}", households.text());
}

/// The shipped agreements, with tables for housing too.
fn with_tables_for_housing() -> porth::app::load_policy::PolicyFiles {
    let mut files = policy_files();
    for bytes in &mut files.agreements {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        if let Some(at) = text.find("id = \"team-counts\"") {
            let (before, after) = text.split_at(at);
            let clause = after.replacen("recipient = \"programme-team\"", "recipient = \"housing\"", 1);
            text = format!("{before}{}", clause.replacen("\"housing\", ", "", 1)); // it does not supply itself
        }
        let mut parts: Vec<String> = text.split("[[supply]]").map(str::to_owned).collect();
        for part in parts.iter_mut().filter(|part| part.contains("-for-statistics\"") && !part.contains("housing")) {
            *part = part.replacen("recipients = [\"programme-team\"]", "recipients = [\"housing\"]", 1);
        }
        *bytes = parts.join("[[supply]]").into_bytes();
    }
    files
}

#[tokio::test]
async fn who_is_not_the_programme_team_gets_no_table_of_numbered_families() {
    let programme = TestProgramme::start_with(Backend::Sqlite, with_tables_for_housing()).await;
    deliver(&programme, 0..20, 0, &[], &[]).await;
    for table in TABLES {
        let refused = ask_as(&programme, "housing", &wanted(table, ProfileName::Public)).await;
        let Err(StatisticsError::NotPermitted { hits, disclosure, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(hits[0].rule, "F01", "{hits:?}");
        let body = programme.gateway.store().event_body(disclosure).await.expect("the log").expect("an entry");
        assert!(String::from_utf8_lossy(&body).contains("\"refused\""));
    }
    // The same clause gives it tables of households.
    assert!(ask_as(&programme, "housing", &wanted("areas", ProfileName::Public)).await.is_ok());
}

#[tokio::test]
async fn an_agreement_that_says_nothing_of_who_works_with_families_gives_no_such_table() {
    let mut files = policy_files();
    for bytes in &mut files.agreements {
        let text = String::from_utf8_lossy(bytes).into_owned();
        *bytes = match text.split_once("id = \"team-counts\"") {
            Some((before, after)) => format!(
                "{before}id = \"team-counts\"{}",
                after.replacen("\"A3\", \"lead\", \"service\", ", "\"A3\", ", 1).replacen(
                    "\"criteria\", \"lead\"]",
                    "\"criteria\"]",
                    1
                )
            )
            .into_bytes(),
            None => text.into_bytes(),
        };
    }
    let programme = TestProgramme::start_with(Backend::Sqlite, files).await;
    deliver(&programme, 0..20, 0, &[], &[]).await;
    let refused = ask_as(&programme, "programme-team", &wanted("routes", ProfileName::Internal)).await;
    assert!(matches!(refused, Err(StatisticsError::NotPermitted { .. })), "{refused:?}");
    assert!(ask_as(&programme, "programme-team", &wanted("areas", ProfileName::Internal)).await.is_ok());
}

#[tokio::test]
async fn a_table_of_numbered_families_is_replayed_as_it_was_decided() {
    let home = crate::support::gateway::TestGateway::start(Backend::Sqlite).await;
    let team = home.agency("programme-team").await;
    let path = "/v1/statistics/engagement?agreement=programme-delivery/v1&role=data-analyst&profile=internal";
    let reply = team.call("GET", path, &[], "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let given: Value = reply.json();
    assert_eq!(given["table"]["table"], "engagement");
    home.wait_sequenced().await;
    let entry = given["disclosure"].as_str().expect("an entry");
    let replayed = crate::log::look(&team, &format!("entries/{entry}/replay"), "").await;
    assert_eq!(replayed["then"]["is_same"], true, "{replayed}");
    assert_eq!(replayed["today"]["is_same"], true, "{replayed}");
    home.stop().await;
}
