//! Pairs and the permitted set: a joining pair with one record outside does nothing, a split reaches in.

use porth::domain::pair::PairOrigin;
use rstest::rstest;

use super::{BY_NUMBER, CARE, CORE, SCHOOLS, areas, child, in_force, name};
use crate::support::database::Backend;
use crate::support::programme::TestProgramme;

/// Outside what the Early Help Hub may draw on.
const POLICE: (&str, &str) = ("police", "outcomes");
const PARTNERS: &str = "safeguarding-partners/v1";

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_joining_pair_with_a_record_outside_the_set_bridges_nothing(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let row = child(&programme, 1, &[("upn", "upn 1")], "E1").await;
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row]).await;
    let row = child(&programme, 2, BY_NUMBER, "H2").await;
    programme.deliver(CARE.0, CARE.1, CORE, &[row]).await;
    let outside = programme.row(3, &[("pnc-dob", "pnc 3")], serde_json::json!({ "role": "child" }));
    programme.deliver(POLICE.0, POLICE.1, PARTNERS, &[outside]).await;

    in_force(&programme, PairOrigin::Confirmed, name(SCHOOLS, 1), name(POLICE, 3)).await;
    in_force(&programme, PairOrigin::Confirmed, name(POLICE, 3), name(CARE, 2)).await;
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A3"]);
    assert_eq!(areas(&programme, &[("upn", "upn 1")]).await, ["A2"]);
    in_force(&programme, PairOrigin::Confirmed, name(SCHOOLS, 1), name(CARE, 2)).await;
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A2", "A3"], "with both records in the set it joins");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_recorded_split_reaches_in_from_outside_the_set(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let row = child(&programme, 1, &[("upn", "upn 1"), ("k3", "a name")], "E1").await;
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row]).await;
    let row = child(&programme, 2, &[("nhs", "9990000018"), ("k3", "a name")], "H2").await;
    programme.deliver(CARE.0, CARE.1, CORE, &[row]).await;
    let outside = programme.row(3, BY_NUMBER, serde_json::json!({ "role": "child" }));
    programme.deliver(POLICE.0, POLICE.1, PARTNERS, &[outside]).await;
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A2", "A3"]);

    // The police's record is surely social care's child, and surely not the school's.
    in_force(&programme, PairOrigin::Apart, name(SCHOOLS, 1), name(POLICE, 3)).await;
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A3"]);
    assert_eq!(areas(&programme, &[("upn", "upn 1")]).await, ["A2"]);
}
