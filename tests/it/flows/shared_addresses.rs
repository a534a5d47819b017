//! An agency reads which of its own records live where too many do, from its own file alone.

use porth::app::caller::AgencyCaller;
use porth::app::shared_addresses::SharedAddresses;
use porth::domain::ids::{OpaqueRef, SubmissionId};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::database::Backend;
use crate::support::programme::{TestProgramme, opaque};

const CORE: &str = "early-help-core/v1";

fn at_home(programme: &TestProgramme, reference: u32, home: &str) -> Value {
    let home = programme.tokens(&[("uprn", home)]);
    programme.row(reference, &[("upn", &format!("upn {reference}"))], json!({ "role": "child", "household": home }))
}

async fn shared(programme: &TestProgramme, agency: &str, id: SubmissionId) -> Option<SharedAddresses> {
    let caller = AgencyCaller { agency: agency.parse().expect("a code"), client: "test-client".to_owned() };
    programme.gateway.shared_addresses(&caller, id).await.expect("the database")
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agency_reads_its_own_records_at_an_address_that_too_many_of_them_share(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let mut rows: Vec<Value> = (0..13).map(|person| at_home(&programme, person, "hostel")).collect();
    rows.extend((20..32).map(|person| at_home(&programme, person, "a large family")));
    let sent = programme.deliver("education", "attendance", CORE, &rows).await;

    let found = shared(&programme, "education", sent.id).await.expect("its own");
    assert_eq!((found.addresses, found.records), (1, 13));
    let mut expected: Vec<String> = (0..13).map(opaque).collect();
    expected.sort();
    let references: Vec<&str> = found.references.iter().map(OpaqueRef::as_str).collect();
    assert_eq!(references, expected);

    // Somebody else's people at the other address would make it too large. That is not told, before or after.
    let others: Vec<Value> = (40..60).map(|person| at_home(&programme, person, "a large family")).collect();
    let theirs = programme.deliver("childrens-social-care", "cases", CORE, &others).await;
    assert_eq!(shared(&programme, "education", sent.id).await, Some(found));
    assert_eq!(shared(&programme, "childrens-social-care", theirs.id).await.expect("its own").records, 20);
    assert_eq!(shared(&programme, "housing", sent.id).await, None, "another agency's file is none");
    assert_eq!(shared(&programme, "education", theirs.id).await, None);
}
