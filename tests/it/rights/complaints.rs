//! Complaints in the register: one for each call, whatever the network does.

use porth::app::subject_rights::{NewComplaintTerms, SubjectError};
use porth::domain::subject_case::SubjectRight;
use rstest::rstest;
use serde_json::{Value, json};

use super::{SCHOOLS, caller, entries, family, open, user};
use crate::support::database::Backend;
use crate::support::programme::TestProgramme;

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_complaint_that_is_sent_twice_is_one_and_its_key_is_good_for_no_other(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    family(&programme).await;
    let case = open(&programme, SCHOOLS, 1, SubjectRight::Access, None).await.expect("opened").value.id;
    let gateway = &programme.gateway;
    let take = async |about: &str, case| {
        let new = NewComplaintTerms { about: about.parse().expect("a code"), case: None, user: user() };
        gateway.take_complaint(&caller(SCHOOLS.0), &new, case, "a-key-of-somebody").await
    };
    let first = take("delay", Some(case)).await.expect("taken").value;
    assert_eq!(take("delay", Some(case)).await.expect("the same again").value, first);
    for other in [take("wrong-match", Some(case)).await, take("delay", None).await] {
        assert!(matches!(other, Err(SubjectError::KeyReused)), "{other:?}");
    }
    assert_eq!(gateway.complaints(&caller(SCHOOLS.0)).await.expect("listed"), [first]);
    let said: Vec<Value> =
        entries(&programme, "subject.case").await.iter().map(|it| it["body"]["action"].clone()).collect();
    let of_complaints = said.into_iter().filter(|action| *action != json!("opened")).collect::<Vec<_>>();
    assert_eq!(of_complaints, [json!("received"), json!("repeated")], "one came in, and was sent once more");
}
