//! A person whom somebody shields costs what a person costs whom nobody else knows: the same statements,
//! as many bytes given with them, as many decryptions, and rows and answers of the same lengths.

use porth::crypto::field::fields_opened;
use porth::domain::ids::EventId;
use porth::store::DatabaseWork;
use rstest::rstest;
use serde_json::json;

use crate::support::database::Backend;
use crate::support::programme::{HUB_AREAS, TestProgramme};

const SHIELDED: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "shielded")];
const UNKNOWN: &[(&str, &str)] = &[("nhs", "9990000034"), ("k3", "nobody")];
const KNOWN: &[(&str, &str)] = &[("nhs", "9990000042"), ("k3", "somebody")];
const HOME: &[(&str, &str)] = &[("uprn", "10012345")];
const OTHER_HOME: &[(&str, &str)] = &[("uprn", "10054321")];

/// What one question cost, and how long everything is that it left.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cost {
    database: DatabaseWork,
    decryptions: u64,
    answer: usize,
    entry: usize,
    openings: Vec<usize>,
}

async fn cost(programme: &TestProgramme, tokens: &[(&str, &str)], home: &[(&str, &str)]) -> Cost {
    let (database, opened) = (DatabaseWork::so_far(), fields_opened());
    let answer = programme.ask(HUB_AREAS, tokens, home).await.expect("permitted");
    let (database, decryptions) = (DatabaseWork::so_far().since(database), fields_opened() - opened);
    let store = programme.gateway.store();
    let (entry, openings) = lengths(store, answer.disclosure).await;
    Cost { database, decryptions, answer: json!(answer.answer).to_string().len(), entry, openings }
}

async fn lengths(store: &porth::store::Store, event: EventId) -> (usize, Vec<usize>) {
    let entry = store.event_body(event).await.expect("the database").expect("an entry").len();
    let mut openings = Vec::new();
    for field in ["actor", "answer", "case", "subject"] {
        openings.push(store.sealed_entry(event, field).await.expect("the database").expect("it").sealed.len());
    }
    (entry, openings)
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn who_is_shielded_costs_as_many_statements_decryptions_and_bytes_as_who_is_unknown(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let from = (programme.today().await - jiff::Span::new().days(40)).to_string();
    let met = |criterion: &str| json!([{ "criterion": criterion, "state": "met", "from": from }]);
    let at_home = |place: &[(&str, &str)], criterion: &str| json!({ "role": "child", "household": programme.tokens(place), "flags": met(criterion) });
    let pupils = [programme.row(1, SHIELDED, at_home(HOME, "E1")), programme.row(2, KNOWN, at_home(OTHER_HOME, "E1"))];
    programme.deliver("education", "attendance", "early-help-core/v1", &pupils).await;
    let cases = [programme.row(1, SHIELDED, at_home(HOME, "H2"))];
    programme.deliver("childrens-social-care", "cases", "early-help-core/v1", &cases).await;
    let tenants = [programme.row(1, &SHIELDED[..1], json!({ "role": "child", "restricted": true }))];
    programme.deliver("housing", "tenancies", "early-help-core/v1", &tenants).await;

    for _ in 0..2 {
        cost(&programme, UNKNOWN, HOME).await; // what is cached is cached for both
        cost(&programme, SHIELDED, HOME).await;
    }
    for round in 0..5 {
        let unknown = cost(&programme, UNKNOWN, HOME).await;
        let shielded = cost(&programme, SHIELDED, HOME).await;
        assert_eq!(shielded, unknown, "round {round}");
        assert!(unknown.database.statements > 3 && unknown.database.bytes > 1000, "it is counted: {unknown:?}");
    }
    // The count is one that would tell: who is known costs decryptions that nobody else does.
    let known = cost(&programme, KNOWN, OTHER_HOME).await;
    let unknown = cost(&programme, UNKNOWN, OTHER_HOME).await;
    assert!(known.decryptions > unknown.decryptions, "{known:?} {unknown:?}");
}
