//! Who may begin, fetch and answer; and shielded people in nothing.

use porth::app::enquire::EnquiryError;
use rstest::rstest;

use super::*;
use crate::support::database::Backend;

const FLAGGED: Home = Home { number: 1, misses_school: true, in_need: true };
const OTHER: Home = Home { number: 2, misses_school: true, in_need: true };

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn only_the_data_team_begins_a_run_and_a_refusal_is_logged(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    town(&programme, &[FLAGGED]).await;
    for agency in ["education", "police", BENEFITS] {
        let refused = programme.gateway.begin_match_run(&caller(agency), &terms(), &key()).await;
        assert!(
            matches!(refused, Err(MatchRunError::Enquiry(EnquiryError::NotPermitted { .. }))),
            "{agency}: {refused:?}"
        );
    }
    assert_eq!(entries(&programme, "match.run", "refused").await, 3);
    let under = key();
    let first = programme.gateway.begin_match_run(&caller(TEAM), &terms(), &under).await.expect("permitted");
    let again = programme.gateway.begin_match_run(&caller(TEAM), &terms(), &under).await.expect("permitted");
    assert_eq!(first, again, "one key, one run");
    let others = programme.gateway.show_match_run(&caller("education"), first.id).await;
    assert!(matches!(others, Err(MatchRunError::Unknown)));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn only_the_agency_that_is_asked_gets_the_list_and_answers_what_is_on_it(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let quiet = Home { number: 3, misses_school: false, in_need: false };
    town(&programme, &[FLAGGED, quiet]).await;
    let run = begin(&programme).await;
    assert!(matches!(list(&programme, run.id).await, Err(MatchRunError::NotDue)), "the snapshot is not whole");
    until_listed(&programme, run.id).await;
    for agency in ["education", TEAM, "police"] {
        let refused = programme.gateway.match_run_list(&caller(agency), run.id, &terms()).await;
        assert!(matches!(refused, Err(MatchRunError::Unknown)), "{agency}");
    }
    let no_clause = terms_under("benefits-data/v1");
    let refused = programme.gateway.match_run_list(&caller(BENEFITS), run.id, &no_clause).await;
    assert!(matches!(refused, Err(MatchRunError::Enquiry(EnquiryError::NotPermitted { .. }))), "{refused:?}");
    assert_eq!(entries(&programme, "match.run.step", "refused").await, 1);

    let early = reply(&programme, run.id, &[(&FLAGGED.address(), true)]).await;
    assert!(matches!(early, Err(MatchRunError::NotDue)), "nothing was listed yet");
    assert_eq!(list(&programme, run.id).await.expect("permitted").tokens.len(), 1);
    let guess = reply(&programme, run.id, &[(&quiet.address(), true)]).await;
    assert!(matches!(guess, Err(MatchRunError::NotListed)));
    reply(&programme, run.id, &[(&FLAGGED.address(), true)]).await.expect("taken");
    let other = reply(&programme, run.id, &[(&FLAGGED.address(), false)]).await;
    assert!(matches!(other, Err(MatchRunError::Answered)));
    step(&programme, run.id, false).await;
    assert!(matches!(list(&programme, run.id).await, Err(MatchRunError::NotDue)), "the run is closed");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shielded_person_is_in_no_count_no_list_and_no_family(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    town(&programme, &[FLAGGED, OTHER]).await;
    let before = begin(&programme).await;
    until_listed(&programme, before.id).await;
    assert_eq!(list(&programme, before.id).await.expect("permitted").tokens.len(), 2);

    // Youth justice shields everybody of the first home.
    let shield = |number: u32, nhs: &str| {
        programme.row(number, &[("nhs", nhs)], json!({ "role": "child", "restricted": true, "flags": [] }))
    };
    let rows = [shield(1, "9990000001"), shield(2, "9991000001")];
    programme.deliver("youth-justice", "orders", "early-help-core/v1", &rows).await;

    // The run that was under way keeps its snapshot, and tells nothing of them.
    let given = list(&programme, before.id).await.expect("permitted");
    let tokens: Vec<_> = given.tokens.iter().map(|listed| listed.token).collect();
    assert_eq!(tokens, [token(&programme, &OTHER.address())]);
    step(&programme, before.id, true).await;
    assert_eq!(families(&programme, before.id).await.len(), 1);

    let after = begin(&programme).await;
    assert_eq!(after.records.0, 3, "only the other home's records are read");
    until_listed(&programme, after.id).await;
    let counts = step(&programme, after.id, true).await.counts.expect("counted");
    assert_eq!((counts.records, counts.persons, counts.households, counts.families), (3, 2, 1, 1));
}
