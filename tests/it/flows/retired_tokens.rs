//! An adopted person's old identity: its tokens are retired, and never lead to the new one.

use std::collections::BTreeSet;

use porth::app::error::AppError;
use porth::app::export::open;
use porth::domain::enquiry::Answer;
use porth::domain::evidence::EvidenceState;
use porth::tlog::entry::{Body, Entry};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::database::Backend;
use crate::support::programme::{HUB_AREAS, TestProgramme};

const OLD: &[(&str, &str)] = &[("nhs", "9990000018")];
const NEW: &[(&str, &str)] = &[("nhs", "9990000026")];
/// Social care made the move and holds both, which is what would bridge them.
const BRIDGE: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "of the new name")];
const NEW_BY_NAME: &[(&str, &str)] = &[("k3", "of the new name")];
const STRANGER: &[(&str, &str)] = &[("nhs", "9990000034")];

async fn rows(programme: &TestProgramme) -> [Value; 3] {
    let from = (programme.today().await - jiff::Span::new().days(40)).to_string();
    let flag = |criterion: &str| json!({ "role": "child", "flags": [{ "criterion": criterion, "state": "met", "from": from }] });
    let moved = json!({ "role": "child" });
    [programme.row(1, OLD, flag("E1")), programme.row(2, BRIDGE, flag("H2")), programme.row(3, NEW_BY_NAME, moved)]
}

async fn deliver(programme: &TestProgramme, bridge: &Value) {
    programme.deliver("childrens-social-care", "cases", "early-help-core/v1", std::slice::from_ref(bridge)).await;
}

fn naming(programme: &TestProgramme, row: &Value, retired: &[(&str, &str)]) -> Value {
    let mut row = row.clone();
    row["retired"] = programme.tokens(retired);
    row
}

/// The whole answer, and what it says of education's area and of social care's.
async fn asked(programme: &TestProgramme, tokens: &[(&str, &str)]) -> (Answer, [EvidenceState; 2]) {
    let answer = programme.ask(HUB_AREAS, tokens, &[]).await.expect("permitted").answer;
    let Answer::Areas { areas, .. } = &answer else { panic!("areas") };
    let state = |area: &str| areas.iter().find(|found| found.area.as_str() == area).expect("covered").state;
    let states = [state("A2"), state("A3")];
    (answer, states)
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_retired_token_bridges_nothing_and_who_asks_with_it_is_answered_as_for_a_stranger(#[case] backend: Backend) {
    use EvidenceState::{Met, NotKnown};
    let programme = TestProgramme::start(backend).await;
    let [old, bridge, _] = rows(&programme).await;
    programme.deliver("education", "attendance", "early-help-core/v1", &[old]).await;
    deliver(&programme, &bridge).await;
    // Before: social care's record joins the old number to the new name.
    assert_eq!(asked(&programme, OLD).await.1, [Met, Met]);
    assert_eq!(asked(&programme, NEW_BY_NAME).await.1, [Met, Met]);
    let stranger = asked(&programme, STRANGER).await;
    assert!(!stranger.1.contains(&Met));

    deliver(&programme, &naming(&programme, &bridge, OLD)).await;

    assert_eq!(asked(&programme, OLD).await, stranger, "whoever has only the old number asks about nobody");
    assert_eq!(asked(&programme, NEW_BY_NAME).await.1, [NotKnown, Met], "nothing leads back to the old identity");
    let both = [OLD, NEW_BY_NAME].concat();
    assert_eq!(asked(&programme, &both).await.1, [NotKnown, Met], "nor does a question that has both");

    // It stays so: for records that arrive later with the token, and when nobody names it any more.
    let mut later = programme.row(9, OLD, json!({ "role": "child" }));
    later["flags"] = bridge["flags"].clone();
    later["tokens"] = programme.tokens(&[OLD, NEW].concat());
    deliver(&programme, &later).await;
    assert_eq!(asked(&programme, OLD).await, stranger);
    assert_eq!(asked(&programme, NEW).await.1, [NotKnown, Met], "by its other token the record is found");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_retired_token_carries_no_shield_and_makes_no_conflict(#[case] backend: Backend) {
    use EvidenceState::Met;
    let programme = TestProgramme::start(backend).await;
    let [_, bridge, _] = rows(&programme).await;
    let flags = json!([{ "criterion": "E1", "state": "met", "from": bridge["flags"][0]["from"] }]);
    // Education shields the old identity; it also has the new one, under another number: a conflict.
    let shielded = programme.row(1, OLD, json!({ "role": "child", "restricted": true }));
    let renamed = programme.row(4, &[NEW, NEW_BY_NAME].concat(), json!({ "role": "child", "flags": flags }));
    programme.deliver("education", "attendance", "early-help-core/v1", &[shielded, renamed]).await;
    deliver(&programme, &bridge).await;
    assert_ne!(asked(&programme, NEW).await.1[1], Met, "two numbers: two people, and one of them shielded");

    deliver(&programme, &naming(&programme, &bridge, OLD)).await;
    assert_eq!(asked(&programme, NEW).await.1, [Met, Met], "without the old number they are one person");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn only_a_records_own_tokens_are_retired_and_only_once_it_is_seen(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let [old, bridge, _] = rows(&programme).await;
    programme.deliver("education", "attendance", "early-help-core/v1", &[old]).await;
    let known = asked(&programme, OLD).await;

    // Another's token: the row is refused, and so is the file.
    let header = programme.header("childrens-social-care", "cases", "early-help-core/v1").await;
    let by_name = programme.row(3, NEW_BY_NAME, json!({ "role": "child" }));
    let refused = programme.submit(&header, &[naming(&programme, &by_name, OLD)]).await;
    assert!(matches!(refused, Err(AppError::RefusedFile { .. })), "{refused:?}");
    // A file with a bad row beside it stages nothing.
    let bad = json!({ "ref": "not one", "tokens": {} });
    let refused = programme.submit(&header, &[naming(&programme, &bridge, OLD), bad]).await;
    assert!(matches!(refused, Err(AppError::RefusedFile { .. })), "{refused:?}");
    programme.publish().await;
    assert_eq!(asked(&programme, OLD).await, known);

    // Taken in, and not yet seen.
    programme.submit(&header, &[naming(&programme, &bridge, OLD)]).await.expect("taken");
    assert_eq!(asked(&programme, OLD).await, known);
    programme.publish().await;
    assert_ne!(asked(&programme, OLD).await, known);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_retired_token_stays_retired_under_the_next_keys(#[case] backend: Backend) {
    let mut programme = TestProgramme::start(backend).await;
    let [old, bridge, _] = rows(&programme).await;
    programme.deliver("education", "attendance", "early-help-core/v1", &[old]).await;
    deliver(&programme, &naming(&programme, &bridge, OLD)).await;
    let stranger = asked(&programme, STRANGER).await;
    assert_eq!(asked(&programme, OLD).await, stranger);

    programme = programme.restarted_with(programme.keys.with_next_blinding_key());
    programme.gateway.restack("operator", "rotation", &mut |_| true).await.expect("restacked");
    assert_eq!(asked(&programme, OLD).await, stranger, "stacked with the records' tokens");

    programme = programme.restarted_with(programme.keys.with_next_field_key());
    programme.gateway.reseal_fields().await.expect("resealed");
    assert_eq!(programme.gateway.fields_under_older_keys().await.expect("counted"), 0);
    programme = programme.restarted_with(programme.keys.with_newest_field_key_alone());
    assert_eq!(programme.gateway.reseal_fields().await.expect("its provenance opens").resealed, 0);
    assert_eq!(asked(&programme, OLD).await, stranger);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn no_entry_tells_in_clear_that_a_delivery_retired_tokens(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let [_, bridge, _] = rows(&programme).await;
    deliver(&programme, &bridge).await;
    deliver(&programme, &naming(&programme, &bridge, OLD)).await;
    programme.sequencer.drain().await.expect("sequenced");
    let gateway = &programme.gateway;
    let size = gateway.store().log_head().await.expect("the log").expect("open").size;
    let mut told = Vec::new();
    let mut keys = BTreeSet::new();
    for (event, body) in gateway.store().log_entries(0, size).await.expect("the log") {
        let Body::Submission(entry) = Entry::parse(&body).expect("an entry").into_body() else { continue };
        let json: Value = serde_json::from_slice(&body).expect("JSON");
        keys.insert(json["body"].as_object().expect("fields").keys().cloned().collect::<Vec<_>>());
        let sealed = gateway.store().sealed_entry(event, "retired").await.expect("the database").expect("an opening");
        let opening = open(gateway.keys(), event, "retired", &sealed.sealed).expect("opens");
        assert!(opening.opens(&entry.commitments.expect("a commitment").retired));
        told.push((String::from_utf8(opening.value().to_vec()).expect("text"), sealed.sealed.len()));
    }
    assert!(keys.iter().all(|names| !names.contains(&"rows_accepted".to_owned())), "rows are a band: {keys:?}");
    let numbers: Vec<&str> = told.iter().map(|(number, _)| number.as_str()).collect();
    assert_eq!(numbers, ["0", "1"], "the opening has it");
    assert_eq!((keys.len(), told[0].1), (1, told[1].1), "both entries have the same fields and lengths: {keys:?}");
}
