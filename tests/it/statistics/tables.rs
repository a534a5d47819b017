//! What a table says of the families that were delivered, and what it does not say of any of them.

use porth::app::caller::AgencyCaller;
use porth::app::load_policy::PolicyFiles;
use porth::app::statistics::{ReceiptedTable, StatisticsError, TableWanted};
use porth::domain::statistics::profile::ProfileName;
use porth::domain::statistics::table::{Figure, Mark, Table};
use porth::store::Cell;
use porth::tlog::entry::AgreementState;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::database::Backend;
use crate::support::programme::{TestProgramme, agreement, policy_files};

const BOTH: [ProfileName; 2] = [ProfileName::Internal, ProfileName::Public];
const DAY: i64 = 86_400_000_000;

const PLACES: [&str; 6] = ["caradon", "carrick", "kerrier", "north-cornwall", "penwith", "restormel"];

/// Families of a child and a mother in a home of their own, in six places. The child meets two of
/// three areas, or all three: school attendance (A2), need of help (A3), an offence (A1).
async fn deliver(programme: &TestProgramme, families: std::ops::Range<u32>, shielded: &[u32]) {
    let from = (programme.today().await - jiff::Span::new().days(40)).to_string();
    let flag = |criterion: &str| json!([{ "criterion": criterion, "state": "met", "from": from }]);
    let (mut school, mut care, mut youth) = (Vec::new(), Vec::new(), Vec::new());
    for family in families {
        let (child, mother) = (format!("999{family:07}"), format!("998{family:07}"));
        let (child, mother) = ([("nhs", child.as_str())], [("nhs", mother.as_str())]);
        let home = programme.tokens(&[("uprn", &format!("home {family}"))]);
        let meets = |area: u32| family % 4 != area;
        let place = PLACES[family as usize / 4 % 6];
        let extra = json!({ "role": "child", "household": home, "locality": place });
        let with = |criterion: &str, meets: bool| {
            let mut extra = extra.clone();
            if meets {
                extra["flags"] = flag(criterion);
            }
            extra
        };
        school.push(programme.row(family, &child, with("E1", meets(0))));
        youth.push(programme.row(family, &child, with("C1", meets(1))));
        let mut need = with("H2", meets(2));
        need["restricted"] = shielded.contains(&family).into();
        care.push(programme.row(family, &child, need));
        care.push(programme.row(1_000_000 + family, &mother, json!({ "role": "adult", "household": home })));
    }
    programme.deliver("education", "attendance", "early-help-core/v1", &school).await;
    programme.deliver("youth-justice", "orders", "early-help-core/v1", &youth).await;
    programme.deliver("childrens-social-care", "cases", "early-help-core/v1", &care).await;
}

pub(super) fn wanted(table: &str, profile: ProfileName) -> TableWanted {
    TableWanted {
        table: table.to_owned(),
        profile,
        agreement: agreement("programme-delivery/v1"),
        purpose: "statistics".parse().expect("a code"),
        role: "data-analyst".parse().expect("a code"),
    }
}

pub(super) async fn ask_as(
    programme: &TestProgramme,
    agency: &str,
    wanted: &TableWanted,
) -> Result<ReceiptedTable, StatisticsError> {
    let caller = AgencyCaller { agency: agency.parse().expect("a code"), client: "test-client".to_owned() };
    programme.gateway.statistics(&caller, wanted).await
}

pub(super) async fn given(programme: &TestProgramme, table: &str, profile: ProfileName) -> Table {
    ask_as(programme, "programme-team", &wanted(table, profile)).await.expect("permitted").table
}

pub(super) fn figure(table: &Table, row: &str, column: &str) -> Figure {
    let label = table.rows.iter().find(|label| label.as_str() == row || label.starts_with(&format!("{row} ")));
    *table.figure(label.expect("a row"), column).expect("a column")
}

/// Lets time pass: every release is of so many days earlier.
pub(super) async fn days_pass(programme: &TestProgramme, days: i64) {
    let mut tx = programme.gateway.store().begin().await.expect("begins");
    let tables = tx.tables().await.expect("the schema");
    let table = tables.into_iter().find(|table| table.name == "statistics_release").expect("it is there");
    let column = table.columns.iter().position(|(name, _)| name == "as_at").expect("a day");
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let mut see = |cells: &[Cell]| -> Result<(), ()> {
        let mut row = cells.to_vec();
        if let Cell::Int(at) = &mut row[column] {
            *at -= days * DAY;
        }
        rows.push(row);
        Ok(())
    };
    tx.each_row(&table, &mut see).await.expect("reads").expect("sees");
    tx.clear_table(&table).await.expect("cleared");
    tx.insert_rows(&table, &rows).await.expect("inserted");
    tx.commit().await.expect("committed");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_tables_count_families_and_a_public_one_rounds_them(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    deliver(&programme, 0..240, &[]).await;

    let areas = given(&programme, "areas", ProfileName::Internal).await;
    assert_eq!(areas.base.and_then(|base| base.count), Some(240));
    for area in ["A1", "A2", "A3"] {
        let found = figure(&areas, area, "families");
        assert_eq!((found.count, found.percent), (Some(180), Some(75)), "{area}");
    }
    for area in ["A4", "A5"] {
        assert_eq!(figure(&areas, area, "families").mark, Some(Mark::Unavailable), "no feed, no criterion");
    }
    assert_eq!(areas.sources.len(), 3, "{:?}", areas.sources);

    let combinations = given(&programme, "combinations", ProfileName::Internal).await;
    for areas in ["A1+A2", "A1+A3", "A2+A3", "A1+A2+A3"] {
        assert_eq!(figure(&combinations, areas, "families").count, Some(60), "{areas}");
    }
    let sizes = given(&programme, "composition", ProfileName::Internal).await;
    assert_eq!(figure(&sizes, "1", "1").count, Some(240), "a child and a mother each");
    let places = given(&programme, "areas-by-locality", ProfileName::Internal).await;
    assert_eq!(figure(&places, "A2", "Penwith").count, Some(30));
    assert_eq!(figure(&places, "A2", "not recorded").count, Some(0));

    let public = given(&programme, "areas-by-locality", ProfileName::Public).await;
    assert_eq!(figure(&public, "all families", "all families").count, Some(240));
    assert!(figure(&public, "A2", "not recorded").mark.is_some(), "that nobody is there is not told");
    assert!(public.figures.iter().flatten().all(|figure| figure.count.is_none_or(|count| count % 5 == 0)));
    assert!(public.figures.iter().flatten().filter(|figure| figure.count.is_some()).count() > 8, "{}", public.text());
    assert!(public.rule.contains("nearest 5") && public.csv().lines().count() > 10);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shielded_child_changes_no_table(#[case] backend: Backend) {
    let with = TestProgramme::start(backend).await;
    deliver(&with, 0..123, &[120, 121, 122]).await;
    let without = TestProgramme::start(backend).await;
    deliver(&without, 0..120, &[]).await;
    for profile in [ProfileName::Internal, ProfileName::Public] {
        for table in ["areas", "combinations", "number-of-areas", "localities", "areas-by-locality", "composition"] {
            let (seen, expected) = (given(&with, table, profile).await, given(&without, table, profile).await);
            assert_eq!(seen.figures, expected.figures, "{table} {profile:?}");
            assert_eq!(seen.base, expected.base);
        }
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn one_family_more_is_not_seen_next_month_and_many_are(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    deliver(&programme, 0..240, &[]).await;
    for profile in BOTH {
        let first = given(&programme, "areas", profile).await;
        assert_eq!(figure(&first, "A2", "families").count, Some(180), "{profile:?}");
    }
    days_pass(&programme, 40).await;
    deliver(&programme, 0..242, &[]).await; // the second of the two meets A2
    let today = programme.today().await;
    for profile in BOTH {
        for table in ["areas", "combinations", "number-of-areas", "localities", "areas-by-locality", "composition"] {
            let next = given(&programme, table, profile).await;
            let is_new = |figure: &Figure| figure.count.is_some() && figure.as_at.is_none();
            assert!(!next.figures.iter().flatten().any(is_new), "{table} {profile:?}: one or two more are not told");
        }
        let found = figure(&given(&programme, "areas", profile).await, "A2", "families");
        assert_eq!(found.count, Some(180), "{profile:?}");
        assert_eq!(found.as_at, Some(today - jiff::Span::new().days(40)), "{profile:?}: the last figure with its day");
    }
    days_pass(&programme, 40).await;
    deliver(&programme, 0..480, &[]).await;
    for profile in BOTH {
        let found = figure(&given(&programme, "areas", profile).await, "A2", "families");
        assert_eq!((found.count, found.as_at), (Some(360), None), "{profile:?}");
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn within_a_month_the_figures_stand_and_every_look_is_logged(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    deliver(&programme, 0..120, &[]).await;
    let wanted = wanted("areas", ProfileName::Internal);
    let first = ask_as(&programme, "programme-team", &wanted).await.expect("permitted");
    deliver(&programme, 0..180, &[]).await;
    let again = ask_as(&programme, "programme-team", &wanted).await.expect("permitted");
    assert_eq!((again.release, &again.table), (first.release, &first.table));
    assert_ne!(first.disclosure, again.disclosure);

    let store = programme.gateway.store();
    for given in [&first, &again] {
        let body = store.event_body(given.disclosure).await.expect("the log").expect("an entry");
        let entry: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(entry["type"], "statistics");
        let said = &entry["body"];
        assert_eq!((&said["table"], &said["profile"]), (&json!("areas"), &json!("internal")));
        assert_eq!(said["outcome"], "answered");
        let sha256 = porth::tlog::digest::Digest::of(&serde_json::to_vec(&given.table).expect("plain data"));
        assert_eq!(said["table_sha256"], serde_json::to_value(sha256).expect("plain data"));
        assert!(said["decisions"].as_array().is_some_and(|lines| lines.len() > 3));
    }
    programme.sequencer.drain().await.expect("sequenced");
    assert!(store.leaf_index(again.disclosure).await.expect("the log").is_some());
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn without_an_agreement_there_is_no_table_and_the_refusal_is_logged(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    deliver(&programme, 0..120, &[]).await;
    let public = wanted("areas", ProfileName::Public);
    let Err(StatisticsError::NotPermitted { disclosure, hits, .. }) = ask_as(&programme, "housing", &public).await
    else {
        panic!("housing has no clause")
    };
    assert!(!hits.is_empty());
    let body = programme.gateway.store().event_body(disclosure).await.expect("the log").expect("an entry");
    assert!(String::from_utf8_lossy(&body).contains("\"refused\""));
    for purpose in ["programme-delivery", "audit"] {
        let other = TableWanted { purpose: purpose.parse().expect("a code"), ..public.clone() };
        let refused = ask_as(&programme, "programme-team", &other).await;
        assert!(matches!(refused, Err(StatisticsError::NotPermitted { .. })), "{purpose}: {refused:?}");
    }
    let unknown = ask_as(&programme, "programme-team", &wanted("everybody", ProfileName::Public)).await;
    assert!(matches!(unknown, Err(StatisticsError::UnknownTable)));

    // An agreement that is suspended takes its suppliers' part out of the next table at once.
    let gateway = &programme.gateway;
    let core = agreement("early-help-core/v1");
    assert!(ask_as(&programme, "programme-team", &public).await.is_ok());
    gateway.set_agreement_status(&core, AgreementState::Suspended, "officer", "review").await.expect("suspended");
    let refused = ask_as(&programme, "programme-team", &public).await;
    assert!(matches!(refused, Err(StatisticsError::NotPermitted { .. })), "{refused:?}");
}

/// The shipped agreements, with a second one for the data team's tables that draws on fewer suppliers,
/// and a third that draws on the same ones.
fn with_more_agreements() -> PolicyFiles {
    let mut files = policy_files();
    let shipped = files.agreements.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let shipped = shipped.collect::<Vec<_>>();
    let shipped = shipped.iter().find(|text| text.contains("id = \"programme-delivery\"")).expect("it is shipped");
    let named = |name: &str| shipped.replace("id = \"programme-delivery\"", &format!("id = \"{name}\""));
    let counts = shipped.find("id = \"team-counts\"").expect("its clause");
    let clause = named("without-offences");
    let (before, after) = clause.split_at(counts - "programme-delivery".len() + "without-offences".len());
    let fewer = after.replacen("\"youth-justice\", ", "", 1);
    files.agreements.push(format!("{before}{fewer}").into_bytes());
    files.agreements.push(named("the-same-again").into_bytes());
    files
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn agreements_with_other_suppliers_share_no_past_and_cannot_be_subtracted(#[case] backend: Backend) {
    let programme = TestProgramme::start_with(backend, with_more_agreements()).await;
    deliver(&programme, 0..240, &[]).await;
    let all = wanted("areas", ProfileName::Internal);
    let under = |name: &str| TableWanted { agreement: agreement(name), ..all.clone() };
    let ask = async |wanted: &TableWanted| ask_as(&programme, "programme-team", wanted).await.expect("permitted");

    let first = ask(&all).await;
    assert_eq!(figure(&first.table, "A2", "families").count, Some(180));
    // Without the offences another 60 families are below the threshold. Which they are must not follow.
    let fewer = ask(&under("without-offences/v1")).await;
    let shown = |table: &Table| table.figures.iter().flatten().filter_map(|figure| figure.count).collect::<Vec<_>>();
    assert!(fewer.table.sources.iter().all(|source| source.agency != "youth-justice"));
    assert_eq!(shown(&fewer.table), [0_u64; 0], "{}", fewer.table.text());
    assert!(fewer.table.figures.iter().flatten().all(|figure| figure.as_at.is_none()), "no figure of the other");
    // The same suppliers under another agreement give the same families, and so the same figures.
    let same = ask(&under("the-same-again/v1")).await;
    assert_eq!((shown(&same.table), same.release), (shown(&first.table), 1));

    // What others read meanwhile makes no new release of the first.
    let again = ask(&all).await;
    assert_eq!((again.release, &again.table), (first.release, &first.table));
    days_pass(&programme, 40).await;
    deliver(&programme, 0..242, &[]).await;
    for wanted in [&all, &under("the-same-again/v1")] {
        let next = ask(wanted).await;
        assert_eq!(shown(&next.table), shown(&first.table), "one family more shows under neither");
        assert!(next.table.figures.iter().flatten().all(|figure| figure.count.is_none() || figure.as_at.is_some()));
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_agreement_with_fewer_suppliers_has_its_tables_when_nobody_read_others(#[case] backend: Backend) {
    let programme = TestProgramme::start_with(backend, with_more_agreements()).await;
    deliver(&programme, 0..240, &[]).await;
    let fewer = TableWanted { agreement: agreement("without-offences/v1"), ..wanted("areas", ProfileName::Internal) };
    let fewer = ask_as(&programme, "programme-team", &fewer).await.expect("permitted").table;
    // Those who meet both of the areas that are left: half of all.
    assert_eq!(figure(&fewer, "A2", "families").count, Some(120));
    assert_eq!(figure(&fewer, "A1", "families").mark, Some(Mark::Unavailable));
}

#[tokio::test]
async fn those_counted_are_stored_sealed_and_sealed_again_with_the_next_key() {
    let programme = TestProgramme::start(Backend::Sqlite).await;
    deliver(&programme, 0..120, &[]).await;
    given(&programme, "areas", ProfileName::Internal).await;
    let sealed = programme.gateway.store().sealed_members().await.expect("the database");
    assert_eq!(sealed.len(), 1);
    assert!(!String::from_utf8_lossy(&sealed[0].3).contains("caradon"));

    let next = programme.restarted_with(programme.keys.with_next_field_key());
    assert!(next.gateway.fields_under_older_keys().await.expect("counted") > 0);
    next.gateway.reseal_fields().await.expect("sealed again");
    let alone = next.restarted_with(next.keys.with_newest_field_key_alone());
    days_pass(&alone, 40).await;
    assert_eq!(figure(&given(&alone, "areas", ProfileName::Internal).await, "A2", "families").count, Some(90));
}
