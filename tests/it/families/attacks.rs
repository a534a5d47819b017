//! What is tried against families, and has to fail.

use porth::app::enquire::EnquiryError;
use porth::app::families::{FamilyError, Outcome};
use porth::domain::family::{IdentificationRoute, RecordName};
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::support::database::Backend;

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn another_agency_s_guess_at_a_number_is_refused_alike_right_or_wrong_and_logged(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let tfid = issued(&programme).await;
    for agency in ["early-help-hub", "education"] {
        for number in [tfid, unknown_number()] {
            let Err(FamilyError::Enquiry(EnquiryError::NotPermitted { hits, .. })) =
                lookup_as(&programme, agency, "areas", number).await
            else {
                panic!("{agency} is not the programme team")
            };
            assert_eq!(hits.iter().map(|hit| hit.rule.as_str()).collect::<Vec<_>>(), ["F01"]);
        }
    }
    assert_eq!(entries(&programme, "family.disclosure", "refused").await, 4);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn families_are_changed_for_programme_delivery_alone(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let tfid = issued(&programme).await;
    let mut terms = terms(&programme);
    terms["purpose"] = json!("audit");
    terms["role"] = json!("auditor");
    let request = json!({
        "terms": terms, "mode": "count", "reason": "test",
        "decision": { "kind": "attach", "tfid": tfid, "validated": true },
    });
    let request = serde_json::from_value(request).expect("a request");
    let refused = programme.gateway.decide_family(&caller("programme-team"), &request, &key()).await;
    assert!(
        matches!(&refused, Err(FamilyError::Enquiry(EnquiryError::NotPermitted { hits, .. })) if hits[0].rule == "F02"),
        "{refused:?}"
    );
    let read = json!({ "terms": request.terms, "mode": "areas", "tfid": tfid });
    let read = serde_json::from_value(read).expect("a request");
    let reply = programme.gateway.lookup_family(&caller("programme-team"), &read).await.expect("auditors read");
    assert!(reply.family.is_some());
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shielded_member_is_not_there_and_a_shielded_family_is_as_a_number_never_issued(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let tfid = issued(&programme).await;
    let shield = async |rows: &[Value]| programme.deliver("housing", "tenancies", "early-help-core/v1", rows).await;

    shield(&[programme.row(1, &CHILD[..1], json!({ "role": "child", "restricted": true }))]).await;
    let reply = lookup(&programme, "areas", tfid).await;
    let family = reply.family.as_ref().expect("the mother is seen");
    assert_eq!((family.people.len(), family.people[0].is_child), (1, false));
    assert_ne!(area(&reply, "A2"), EvidenceState::Met, "nothing of the child shows");

    shield(&[
        programme.row(1, &CHILD[..1], json!({ "role": "child", "restricted": true })),
        programme.row(2, &MOTHER[..1], json!({ "role": "adult", "restricted": true })),
    ])
    .await;
    let (shielded, unknown) =
        (lookup(&programme, "areas", tfid).await, lookup(&programme, "areas", unknown_number()).await);
    assert_eq!((&shielded.family, &unknown.family), (&None, &None));
    assert_eq!((&shielded.onward, &shielded.criteria_version), (&unknown.onward, &unknown.criteria_version));
    let fields = async |id| {
        let body = programme.gateway.store().event_body(id).await.expect("asked").expect("there");
        let entry: Value = serde_json::from_slice(&body).expect("JSON");
        (entry["body"]["decisions"].clone(), entry["body"]["feeds"].clone(), body.len())
    };
    assert_eq!(fields(shielded.entry.disclosure).await, fields(unknown.entry.disclosure).await);
    for decision in [
        json!({ "kind": "attach", "tfid": tfid, "validated": true }),
        json!({ "kind": "attach", "tfid": unknown_number(), "validated": true }),
        json!({ "kind": "merge", "into": tfid, "from": unknown_number() }),
    ] {
        assert_eq!(decide(&programme, decision).await, [(Outcome::Unknown, None)]);
    }
    assert_eq!(issue(&programme, "referral", &[CHILD_AT_SCHOOL]).await, (Outcome::Unknown, None));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_merge_moves_no_record_of_somebody_who_was_not_seen(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family(&programme).await;
    let shielded = programme.row(1, &CHILD[..1], json!({ "role": "child", "restricted": true }));
    programme.deliver("housing", "tenancies", "early-help-core/v1", &[shielded]).await;
    let name = |of| serde_json::from_value::<RecordName>(record(of)).expect("a name");
    let [one, other]: [Tfid; 2] =
        ["TF-0000-0000-0000-0011", "TF-0000-0000-0000-0022"].map(|text| text.parse().expect("well-formed"));
    let store = programme.gateway.store();
    let mut tx = store.begin().await.expect("a transaction");
    let now = store.now().await.expect("the clock");
    for (tfid, records) in [(&one, vec![MOTHER_IN_CARE, CHILD_IN_CARE]), (&other, vec![MOTHER_IN_CARE])] {
        let records: Vec<RecordName> = records.into_iter().map(name).collect();
        tx.add_family(&programme.code, tfid, IdentificationRoute::Referral, now).await.expect("issued");
        tx.join_family(tfid, &records, now).await.expect("joined");
    }
    tx.commit().await.expect("kept");

    let merged = decide(&programme, json!({ "kind": "merge", "into": other, "from": one })).await;
    assert_eq!(merged, [(Outcome::Done, Some(other))], "the mother is in both");
    assert_eq!(store.family_records(&other).await.expect("records"), [name(MOTHER_IN_CARE)]);
    assert_eq!(store.family_records(&one).await.expect("records"), [name(CHILD_IN_CARE)], "stays where it was");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_repeat_of_a_request_does_not_tell_of_a_family_that_was_shielded_since(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family(&programme).await;
    let request = json!({ "kind": "issue", "route": "referral", "candidates": [[record(CHILD_AT_SCHOOL)]] });
    let first = decide_under(&programme, request.clone(), "a-key-of-sixteen-letters").await.expect("permitted");
    assert_eq!(first.results[0].outcome, Outcome::Done);
    let row = programme.row(1, &CHILD[..1], json!({ "role": "child", "restricted": true }));
    programme.deliver("housing", "tenancies", "early-help-core/v1", &[row]).await;
    let again = decide_under(&programme, request, "a-key-of-sixteen-letters").await.expect("permitted");
    assert_eq!((again.results[0].outcome, again.results[0].family), (Outcome::Unknown, None));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn strangers_and_two_homes_of_one_child_are_not_put_together(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let tfid = issued(&programme).await;
    // The father lives elsewhere, with the same child at weekends: the school has both addresses.
    let there = programme.tokens(FATHERS_HOME);
    let rows = [
        programme.row(5, FATHER, json!({ "role": "adult", "household": there })),
        programme.row(6, &CHILD[..1], json!({ "role": "child", "household": there })),
    ];
    programme.deliver("youth-justice", "orders", "early-help-core/v1", &rows).await;
    let (father, child) = (("youth-justice", "orders", 5), ("youth-justice", "orders", 6));
    let other = issue(&programme, "referral", &[father, child]).await.1.expect("a number of their own");
    assert_ne!(other, tfid);

    for (into, from) in [(tfid, other), (other, tfid)] {
        let merged = decide(&programme, json!({ "kind": "merge", "into": into, "from": from })).await;
        assert_eq!(merged, [(Outcome::NotOneFamily, Some(into))]);
    }
    let add = json!({ "kind": "add", "tfid": tfid, "records": [record(father)] });
    assert_eq!(decide(&programme, add).await, [(Outcome::NotOneFamily, Some(tfid))]);
    assert_eq!(lookup(&programme, "areas", tfid).await.family.expect("known").people.len(), 2);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn one_feed_s_address_puts_nobody_of_another_agency_into_a_matched_family(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    // The school alone knows an address, and knows the father there; youth justice knows him without one.
    let home = programme.tokens(HOME);
    let flags = flags(&programme, "E1").await;
    let rows = [
        programme.row(1, CHILD, json!({ "role": "child", "household": home, "flags": flags })),
        programme.row(3, FATHER, json!({ "role": "adult", "household": home })),
    ];
    programme.deliver("education", "attendance", "early-help-core/v1", &rows).await;
    let together = [CHILD_AT_SCHOOL, ("education", "attendance", 3)];
    let row = programme.row(5, FATHER, json!({ "role": "adult" }));
    programme.deliver("youth-justice", "orders", "early-help-core/v1", &[row]).await;
    assert_eq!(issue(&programme, "data_match", &together).await, (Outcome::NotOneFamily, None));

    // Housing's register, which the programme takes at its word, bears the address out.
    let row = programme.row(9, FATHER, json!({ "role": "adult", "household": home }));
    programme.deliver("housing", "tenancies", "early-help-core/v1", &[row]).await;
    assert_eq!(issue(&programme, "data_match", &together).await.0, Outcome::Done);
}
