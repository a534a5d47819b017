//! The list of families, a page at a time.

use std::collections::BTreeMap;

use porth::app::families::list::{FamilyListing, FamilyPage, PER_PAGE, Which};
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::support::database::Backend;

/// Two more than a page has.
const HOMES: u32 = PER_PAGE as u32 + 2;

/// Tokens of a child and its mother.
fn people(home: u32) -> [String; 2] {
    [format!("99900{home:05}"), format!("99910{home:05}")]
}

fn rows(programme: &TestProgramme, homes: &[u32], flags: &Value, with_mother: bool, more: &Value) -> Vec<Value> {
    let mut rows = Vec::new();
    for home in homes {
        let household = programme.tokens(&[("uprn", &format!("1000401{home:05}"))]);
        let [child, mother] = people(*home);
        let mut of = |number: u32, nhs: &str, role: &str| {
            let mut said = json!({ "role": role, "household": household, "flags": flags });
            for (name, value) in more.as_object().expect("an object") {
                said[name] = value.clone();
            }
            rows.push(programme.row(number, &[("nhs", nhs)], said));
        };
        of(*home, &child, "child");
        if with_mother {
            of(1_000_000 + home, &mother, "adult");
        }
    }
    rows
}

/// A town of families, all with numbers; which home each number is of.
async fn town(programme: &TestProgramme) -> BTreeMap<Tfid, u32> {
    let homes: Vec<u32> = (1..=HOMES).collect();
    let (absent, nothing) = (flags(programme, "E1").await, json!([]));
    let school = rows(programme, &homes, &absent, false, &json!({}));
    programme.deliver("education", "attendance", "early-help-core/v1", &school).await;
    let care = rows(programme, &homes, &nothing, true, &json!({}));
    programme.deliver("childrens-social-care", "cases", "early-help-core/v1", &care).await;
    let mut numbers = BTreeMap::new();
    for home in homes {
        let records = [
            ("education", "attendance", home),
            ("childrens-social-care", "cases", home),
            ("childrens-social-care", "cases", 1_000_000 + home),
        ];
        let (outcome, family) = issue(programme, "data_match", &records).await;
        assert_eq!(outcome, Outcome::Done);
        numbers.insert(family.expect("a number"), home);
    }
    numbers
}

async fn list_as(
    programme: &TestProgramme,
    agency: &str,
    which: Which,
    after: Option<Tfid>,
) -> Result<FamilyPage, FamilyError> {
    let terms = serde_json::from_value(terms(programme)).expect("terms");
    programme.gateway.list_families(&caller(agency), &FamilyListing { terms, which, after }).await
}

async fn list(programme: &TestProgramme, which: Which, after: Option<Tfid>) -> (Vec<Tfid>, Option<Tfid>) {
    let page = list_as(programme, "programme-team", which, after).await.expect("permitted");
    (page.families.iter().map(|family| family.tfid).collect(), page.next_after)
}

/// Everybody of these homes is shielded by housing.
async fn shield(programme: &TestProgramme, homes: &[u32]) {
    let shielded = rows(programme, homes, &json!([]), true, &json!({ "restricted": true }));
    programme.deliver("housing", "tenancies", "early-help-core/v1", &shielded).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_list_goes_on_where_it_stopped_and_no_page_tells_of_families_that_may_not_be_seen(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let numbers = town(&programme).await;
    let all: Vec<Tfid> = numbers.keys().copied().collect();
    let before = entries(&programme, "family.disclosure", "answered").await;

    let (first, next) = list(&programme, Which::All, None).await;
    assert_eq!((first.as_slice(), next), (&all[..PER_PAGE], Some(all[PER_PAGE - 1])));
    let (second, end) = list(&programme, Which::All, next).await;
    assert_eq!((second.as_slice(), end), (&all[PER_PAGE..], None));
    assert_eq!(entries(&programme, "family.disclosure", "answered").await, before + 2, "a page is one look");
    assert_eq!(list(&programme, Which::NotAttached, None).await.0.len(), PER_PAGE);
    assert_eq!(list(&programme, Which::NotEngaged, None).await, (Vec::new(), None), "none is attached");

    // The first of the first page is hidden: the page is as full as before.
    shield(&programme, &[numbers[&all[0]]]).await;
    let (page, next) = list(&programme, Which::All, None).await;
    assert_eq!((page.as_slice(), next), (&all[1..=PER_PAGE], Some(all[PER_PAGE])));
    // Whoever would have been on the second page is hidden: there is no second page, not an empty one.
    shield(&programme, &[numbers[&all[0]], numbers[&all[PER_PAGE + 1]]]).await;
    let (page, next) = list(&programme, Which::All, None).await;
    assert_eq!((page.as_slice(), next), (&all[1..=PER_PAGE], None));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn nobody_but_the_programme_team_is_given_a_list(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    issued(&programme).await;
    for agency in ["early-help-hub", "education"] {
        let refused = list_as(&programme, agency, Which::All, None).await;
        let Err(FamilyError::Enquiry(porth::app::enquire::EnquiryError::NotPermitted { hits, .. })) = refused else {
            panic!("{agency} is not the programme team")
        };
        assert_eq!(hits[0].rule, "F01");
    }
    let (mine, _) = list(&programme, Which::All, None).await;
    assert_eq!(mine.len(), 1);
}
