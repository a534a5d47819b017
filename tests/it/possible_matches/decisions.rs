//! What holders decide joins or parts two records, in every later snapshot, until it is taken back.

use porth::app::possible_matches::doubt::OwnDoubt;
use porth::domain::pair::{Decision, Reason};
use rstest::rstest;

use super::{
    AT_SCHOOL, BY_NUMBER, CARE, CORE, IN_CARE, SCHOOLS, areas, both_confirm, caller, child, confirm, decide, entries,
    key, name, propose, queue, reverse, shield, two_records_of_one_girl,
};
use crate::support::database::Backend;
use crate::support::programme::{TestProgramme, opaque};

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn two_records_are_one_person_once_both_holders_confirm_and_in_every_later_snapshot(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_records_of_one_girl(&programme).await;
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A3"]);
    assert_eq!(propose(&programme).await.asked, 2);
    let school = queue(&programme, SCHOOLS.0).await.remove(0);
    assert_eq!(school.reference.as_str(), opaque(1));
    assert_eq!(school.fields, ["dob", "forename", "uprn"]);

    confirm(&programme, SCHOOLS.0, school.id).await;
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A3"], "one holder alone joins nothing");
    let care = queue(&programme, CARE.0).await.remove(0);
    confirm(&programme, CARE.0, care.id).await;
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A2", "A3"]);
    assert!(queue(&programme, SCHOOLS.0).await.is_empty() && queue(&programme, CARE.0).await.is_empty());

    // Delivered again, under new row ids and without what they agreed on, they are still one person.
    let row = child(&programme, 1, &AT_SCHOOL[..1], "E1").await;
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row]).await;
    let row = child(&programme, 2, BY_NUMBER, "H2").await;
    programme.deliver(CARE.0, CARE.1, CORE, &[row]).await;
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A2", "A3"]);

    // And when every stored token went through another blinding key, for those that come later too.
    let rotated = programme.restarted_with(programme.keys.with_next_blinding_key());
    rotated.gateway.restack("ops-1", "yearly", &mut |_| true).await.expect("restacked");
    assert_eq!(areas(&rotated, BY_NUMBER).await, ["A2", "A3"]);
    let row = child(&rotated, 1, &AT_SCHOOL[..1], "E1").await;
    rotated.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row]).await;
    assert_eq!(areas(&rotated, BY_NUMBER).await, ["A2", "A3"]);

    reverse(&rotated, CARE.0, care.id).await.expect("taken back");
    assert_eq!(areas(&rotated, BY_NUMBER).await, ["A3"]);
    let actions: Vec<_> =
        entries(&rotated, "match.decision").await.iter().map(|it| it["body"]["action"].clone()).collect();
    assert_eq!(actions, ["confirm", "confirm", "reversal"]);
    assert_eq!(entries(&rotated, "match.ask").await.len(), 2);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn one_rejection_keeps_two_records_apart_whatever_links_them_later(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_records_of_one_girl(&programme).await;
    propose(&programme).await;
    let care = queue(&programme, CARE.0).await.remove(0);
    decide(&programme, CARE.0, care.id, Decision::Reject, Reason::TwinOrSibling).await.expect("rejected");
    assert!(queue(&programme, SCHOOLS.0).await.is_empty());
    assert_eq!(propose(&programme).await.new, 0, "it is not asked about again");

    // The school takes over the number of the girl's twin.
    let both = [AT_SCHOOL, BY_NUMBER].concat();
    let row = child(&programme, 1, &both, "E1").await;
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row]).await;
    assert_eq!(areas(&programme, BY_NUMBER).await, [""; 0], "two people hold the number: nobody is meant");
    assert_eq!(areas(&programme, &AT_SCHOOL[..1]).await, ["A2"]);
    reverse(&programme, CARE.0, care.id).await.expect("taken back");
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A2", "A3"]);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_wrong_field_refuses_a_match_without_saying_who_is_meant(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_records_of_one_girl(&programme).await;
    propose(&programme).await;
    let care = queue(&programme, CARE.0).await.remove(0);
    decide(&programme, CARE.0, care.id, Decision::Reject, Reason::RecordWrong).await.expect("rejected");
    assert_eq!(propose(&programme).await.new, 0, "not for the same reasons");
    let both = [AT_SCHOOL, BY_NUMBER].concat();
    let row = child(&programme, 1, &both, "E1").await;
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row]).await;
    assert_eq!(areas(&programme, BY_NUMBER).await, ["A2", "A3"], "the corrected record links by itself");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn two_numbers_that_both_holders_stand_by_are_two_people(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let row = child(&programme, 1, &[("nhs", "9990000026"), ("k3", "demelza")], "E1").await;
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row]).await;
    let row = child(&programme, 2, &[("nhs", "9990000018"), ("k3", "demelza")], "H2").await;
    programme.deliver(CARE.0, CARE.1, CORE, &[row]).await;
    propose(&programme).await;
    let school = queue(&programme, SCHOOLS.0).await.remove(0);
    assert_eq!(school.fields, ["nhs"]);
    let care = queue(&programme, CARE.0).await.remove(0);
    confirm(&programme, SCHOOLS.0, school.id).await;
    confirm(&programme, CARE.0, care.id).await;
    assert_eq!(propose(&programme).await.new, 0, "it is settled");

    // Without its number the school's record would link by name.
    let row = child(&programme, 1, &[("k3", "demelza"), ("upn", "upn 1")], "E1").await;
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row]).await;
    assert_eq!(areas(&programme, &[("upn", "upn 1")]).await, ["A2"]);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agency_parts_its_record_from_others_and_joins_two_of_its_own(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let row = child(&programme, 1, &[("nhs", "9990000018"), ("upn", "upn 1")], "E1").await;
    let twice = child(&programme, 3, &[("upn", "upn 3")], "E1").await;
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row, twice]).await;
    let row = child(&programme, 2, BY_NUMBER, "H2").await;
    programme.deliver(CARE.0, CARE.1, CORE, &[row]).await;
    assert_eq!(areas(&programme, &[("upn", "upn 1")]).await, ["A2", "A3"]);

    let doubt = |decision, record, other: Option<u32>, reason| {
        let own = |reference| (name(SCHOOLS, reference).feed, name(SCHOOLS, reference).reference);
        let role = "education-welfare-officer".parse().expect("a role");
        OwnDoubt { decision, record: own(record), other: other.map(own), role, reason }
    };
    let split = doubt(Decision::Split, 1, None, Reason::Namesake);
    let recorded = programme.gateway.raise_doubt(&caller(SCHOOLS.0), &split, &key(1)).await.expect("split");
    let again = programme.gateway.raise_doubt(&caller(SCHOOLS.0), &split, &key(1)).await.expect("the same");
    assert_eq!(recorded, again);
    programme.publish().await;
    assert_eq!(areas(&programme, &[("upn", "upn 1")]).await, ["A2"]);
    let linked_with_nobody = doubt(Decision::Split, 3, None, Reason::Namesake);
    programme.gateway.raise_doubt(&caller(SCHOOLS.0), &linked_with_nobody, &key(2)).await.expect("the same answer");
    reverse(&programme, SCHOOLS.0, recorded.id).await.expect("taken back");
    assert_eq!(areas(&programme, &[("upn", "upn 1")]).await, ["A2", "A3"]);

    let merge = doubt(Decision::Merge, 3, Some(1), Reason::Duplicate);
    assert_eq!(areas(&programme, &[("upn", "upn 3")]).await, ["A2"]);
    let merged = programme.gateway.raise_doubt(&caller(SCHOOLS.0), &merge, &key(3)).await;
    merged.expect("merged");
    programme.publish().await;
    // Two permanent pupil numbers are two pupils, whoever says otherwise.
    assert_eq!(areas(&programme, &[("upn", "upn 3")]).await, ["A2"]);
    let row = child(&programme, 1, &[("nhs", "9990000018"), ("upn", "upn 1")], "E1").await;
    let twice = child(&programme, 3, &[("k4", "at home")], "E1").await;
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row, twice]).await;
    assert_eq!(areas(&programme, &[("k4", "at home")]).await, ["A2", "A3"]);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shield_reaches_over_a_confirmed_pair_and_a_split_lifts_none(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_records_of_one_girl(&programme).await;
    let [_, care] = both_confirm(&programme).await;
    shield(&programme).await;
    assert_eq!(areas(&programme, &AT_SCHOOL[..1]).await, [""; 0], "the school's record of her is hidden too");

    let record = (name(CARE, 2).feed, name(CARE, 2).reference);
    let role = "social-worker".parse().expect("a role");
    let split = OwnDoubt { decision: Decision::Split, record, other: None, role, reason: Reason::OtherPerson };
    programme.gateway.raise_doubt(&caller(CARE.0), &split, &key(9)).await.expect("split");
    programme.publish().await;
    assert_eq!(areas(&programme, &AT_SCHOOL[..1]).await, [""; 0]);
    assert_eq!(areas(&programme, &IN_CARE[..1]).await, [""; 0]);
    reverse(&programme, CARE.0, care).await.expect("taken back");
    assert_eq!(areas(&programme, &AT_SCHOOL[..1]).await, ["A2"], "nothing joins her to the shield any more");
}
