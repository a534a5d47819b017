//! The data team's view is a disclosure: decided, logged, by handles, of nothing that is shielded.

use porth::app::enquire::EnquiryError;
use porth::app::possible_matches::view::{ViewTerms, Viewed};
use porth::domain::programme::Relationship;
use rstest::rstest;

use super::{CARE, SCHOOLS, caller, entries, in_force, name, propose, shield, two_records_of_one_girl};
use crate::support::database::Backend;
use crate::support::programme::{TestProgramme, opaque};

const TEAM: &str = "programme-team";

async fn view(programme: &TestProgramme, agency: &str, purpose: &str) -> Result<Viewed, EnquiryError> {
    let terms = ViewTerms {
        agreement: "programme-delivery/v1".parse().expect("a reference"),
        purpose: purpose.parse().expect("a code"),
        relationship: Relationship::Screening,
        role: "data-analyst".parse().expect("a code"),
        user: name(CARE, 8).reference,
        after: None,
    };
    programme.gateway.view_possible_matches(&caller(agency), &terms).await
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_data_team_sees_agencies_and_keys_by_handles_and_others_see_nothing(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_records_of_one_girl(&programme).await;
    propose(&programme).await;
    let viewed = view(&programme, TEAM, "programme-delivery").await.expect("permitted");
    assert_eq!(viewed.pairs.len(), 1);
    let pair = &viewed.pairs[0];
    assert_eq!(
        (pair.agencies.clone(), pair.keys.clone()),
        ([CARE.0.to_owned(), SCHOOLS.0.to_owned()], vec!["k8".to_owned()])
    );
    assert_eq!((pair.origin, pair.state, pair.millibits), ("confirmed", "proposed", None));
    let text = serde_json::to_string(&viewed.pairs).expect("JSON");
    assert!(!text.contains(&opaque(1)) && !text.contains(&opaque(2)), "{text}");
    assert!(!viewed.receipt.is_empty());

    for (agency, purpose) in [(SCHOOLS.0, "programme-delivery"), (TEAM, "audit")] {
        let seen = view(&programme, agency, purpose).await;
        match seen {
            Err(EnquiryError::NotPermitted { hits, .. }) => assert!(!hits.is_empty() && agency == SCHOOLS.0),
            Ok(viewed) => assert_eq!((agency, viewed.pairs.len()), (TEAM, 1)),
            Err(other) => panic!("{agency} {purpose}: {other}"),
        }
    }
    let other_purpose = view(&programme, TEAM, "statistics").await;
    assert!(matches!(other_purpose, Err(EnquiryError::Question(_))), "{other_purpose:?}");
    let logged = entries(&programme, "match.view").await;
    assert_eq!(logged.len(), 3, "two views and a refusal");
    assert!(logged.iter().all(|entry| !entry.to_string().contains("\"k8\"")), "what was shown is a commitment");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_pair_leaves_the_data_teams_view_when_a_shield_reaches_it(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_records_of_one_girl(&programme).await;
    in_force(&programme, porth::domain::pair::PairOrigin::Weighed, name(SCHOOLS, 1), name(CARE, 2)).await;
    let before = view(&programme, TEAM, "programme-delivery").await.expect("permitted");
    assert_eq!(before.pairs.len(), 1);
    assert_eq!(before.pairs[0].millibits, Some(21_500));
    shield(&programme).await;
    assert_eq!(view(&programme, TEAM, "programme-delivery").await.expect("permitted").pairs, []);
}
