//! Numbers: issued once, never again, through attachment, merges, splits and new deliveries.

use porth::app::enquire::EnquiryError;
use porth::app::families::{FamilyError, Outcome};
use porth::domain::evidence::EvidenceState;
use porth::domain::ids::OpaqueRef;
use porth::store::Reach;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::support::database::Backend;

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_candidate_gets_one_number_and_a_lookup_of_it_answers_for_the_family(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let tfid = issued(&programme).await;

    let reply = lookup(&programme, "areas", tfid).await;
    assert_eq!((area(&reply, "A2"), area(&reply, "A3")), (EvidenceState::Met, EvidenceState::Met));
    let family = reply.family.as_ref().expect("known");
    assert_eq!((family.tfid, family.route.as_str(), family.attached_on), (tfid, "data_match", None));
    assert_eq!(family.people.iter().map(|person| person.is_child).filter(|is| *is).count(), 1);
    assert_eq!((family.people.len(), history(&reply)), (2, vec!["issued"]));
    assert!(family.work.is_none(), "areas were asked for");

    // The same people again, under whichever of their records: no second number.
    for records in [&[CHILD_AT_SCHOOL, MOTHER_IN_CARE][..], &[CHILD_IN_CARE]] {
        assert_eq!(issue(&programme, "referral", records).await, (Outcome::Already, Some(tfid)));
    }
    assert_eq!(entries(&programme, "family.change", "").await, 1);
    assert_eq!(entries(&programme, "family.disclosure", "answered").await, 4, "every look is an entry");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn attached_is_two_areas_met_and_validation_done(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    school(&programme, 1, HOME).await;
    let (_, family) = issue(&programme, "referral", &[CHILD_AT_SCHOOL]).await;
    let tfid = family.expect("a number");
    let attach = async |validated: bool| {
        decide(&programme, json!({ "kind": "attach", "tfid": tfid, "validated": validated })).await[0].0
    };
    assert_eq!(attach(true).await, Outcome::NotEligible, "one area");

    care(&programme, Value::Null).await;
    assert_eq!(attach(false).await, Outcome::NotValidated);
    assert_eq!(lookup(&programme, "areas", tfid).await.family.expect("known").attached_on, None);
    assert_eq!(attach(true).await, Outcome::Done);
    assert_eq!(attach(true).await, Outcome::Already);
    let reply = lookup(&programme, "count", tfid).await;
    assert_eq!(history(&reply), ["issued", "attached"]);
    assert_eq!(reply.family.expect("known").attached_on, Some(programme.today().await));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_number_survives_a_merge_and_a_split_and_is_never_issued_again(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family(&programme).await;
    let child = issue(&programme, "referral", &[CHILD_AT_SCHOOL]).await.1.expect("a number");
    let mother = issue(&programme, "referral", &[MOTHER_IN_CARE]).await.1.expect("a number");
    assert_ne!(child, mother);

    let merged = decide(&programme, json!({ "kind": "merge", "into": child, "from": mother })).await;
    assert_eq!(merged, [(Outcome::Done, Some(child))]);
    let by_old_number = lookup(&programme, "areas", mother).await;
    let family = by_old_number.family.as_ref().expect("known");
    assert_eq!((family.tfid, family.people.len()), (child, 2), "the old number leads to the other");
    assert_eq!(history(&by_old_number), ["issued", "merged"]);
    assert_eq!(family.history[1].other, Some(mother));

    let adult = family.people.iter().find(|person| !person.is_child).expect("the mother").handle.clone();
    let split = decide(&programme, json!({ "kind": "split", "tfid": child, "people": [adult] })).await;
    let [(Outcome::Done, Some(stays)), (Outcome::Done, Some(new))] = split[..] else { panic!("{split:?}") };
    assert_eq!(stays, child);
    assert!(new != child && new != mother, "a number that was used is never issued again");
    assert_eq!(lookup(&programme, "areas", child).await.family.expect("known").people.len(), 1);
    let reply = lookup(&programme, "areas", new).await;
    assert_eq!(history(&reply), ["split_off"]);
    assert_eq!(reply.family.expect("known").people.len(), 1);
    let everybody_leaves = lookup(&programme, "areas", child).await.family.expect("known").people[0].handle.clone();
    let refused = decide(&programme, json!({ "kind": "split", "tfid": child, "people": [everybody_leaves] })).await;
    assert_eq!(refused, [(Outcome::Unknown, None)], "somebody has to stay");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_number_survives_new_snapshots_and_a_feed_with_other_references(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let tfid = issued(&programme).await;

    school(&programme, 1, HOME).await;
    assert_eq!(area(&lookup(&programme, "areas", tfid).await, "A2"), EvidenceState::Met);
    // Another system at the school: other references. The child is found through social care's record.
    school(&programme, 77, HOME).await;
    assert_eq!(area(&lookup(&programme, "areas", tfid).await, "A2"), EvidenceState::Met);
    let add = json!({ "kind": "add", "tfid": tfid, "records": [record(("education", "attendance", 77))] });
    assert_eq!(decide(&programme, add.clone()).await, [(Outcome::Done, Some(tfid))]);
    assert_eq!(decide(&programme, add).await, [(Outcome::Already, Some(tfid))]);
    assert_eq!(history(&lookup(&programme, "areas", tfid).await), ["issued", "records_added"]);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_repeated_request_is_done_once_and_a_key_is_good_for_one(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family(&programme).await;
    let request = json!({ "kind": "issue", "route": "referral", "candidates": [[record(CHILD_AT_SCHOOL)]] });
    let first = decide_under(&programme, request.clone(), "a-key-of-sixteen-letters").await.expect("permitted");
    let again = decide_under(&programme, request, "a-key-of-sixteen-letters").await.expect("permitted");
    assert_eq!((first.results[0].outcome, &first.results), (Outcome::Done, &again.results));
    assert_eq!(entries(&programme, "family.change", "").await, 1);

    let other = json!({ "kind": "issue", "route": "referral", "candidates": [[record(MOTHER_IN_CARE)]] });
    let refused = decide_under(&programme, other, "a-key-of-sixteen-letters").await;
    assert!(matches!(refused, Err(FamilyError::Enquiry(EnquiryError::KeyReused))), "{refused:?}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_look_by_more_references_than_one_statement_takes_finds_the_last_of_them(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family(&programme).await;
    let store = programme.gateway.store();
    let reference = |number| OpaqueRef::parse(&opaque(number)).expect("a reference");
    let references: Vec<OpaqueRef> = (10_000..11_500).chain([1]).map(reference).collect();
    let feeds = [("education".parse().expect("a code"), "attendance".parse().expect("a code"))];
    let reach = Reach {
        generation: store.view(&programme.code).await.expect("asked").expect("loaded").generation,
        programme: &programme.code,
        asker: &"programme-team".parse().expect("a code"),
        feeds: &feeds,
        limit: 2000,
    };
    let found = store.joined_by_reference(reach, &references).await.expect("asked");
    assert_eq!(found.records.len(), 1);
    assert_eq!(found.records[0].reference, reference(1));
    assert!(store.joined_by_reference(reach, &references[..1500]).await.expect("asked").records.is_empty());
}
