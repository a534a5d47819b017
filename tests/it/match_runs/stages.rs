//! The stages end to end, and again.

use rstest::rstest;

use super::*;
use crate::support::database::Backend;

const POORLY_OFF: Home = Home { number: 1, misses_school: true, in_need: false };
const IN_NEED: Home = Home { number: 2, misses_school: true, in_need: true };
const IN_WORK: Home = Home { number: 3, misses_school: true, in_need: false };
const QUIET: Home = Home { number: 4, misses_school: false, in_need: false };

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_run_finds_families_by_their_flags_and_by_what_the_benefits_agency_says(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    town(&programme, &[POORLY_OFF, IN_NEED, IN_WORK, QUIET]).await;
    let run = begin(&programme).await;
    assert_eq!((run.number, run.state, run.records, run.inputs.len()), (1, RunState::Snapshot, (12, 0), 2));
    let listed = until_listed(&programme, run.id).await;
    assert_eq!((listed.state, listed.records, listed.waits_for_reply), (RunState::Listed, (12, 12), true));

    // Homes with a criterion met are asked about; the quiet one is not.
    let given = list(&programme, run.id).await.expect("permitted");
    let mut expected: Vec<_> =
        [POORLY_OFF, IN_NEED, IN_WORK].iter().map(|home| token(&programme, &home.address())).collect();
    expected.sort();
    assert_eq!(given.tokens.iter().map(|listed| listed.token).collect::<Vec<_>>(), expected);
    assert!(given.tokens.iter().all(|listed| listed.token_type.as_str() == "uprn" && listed.epoch == 1));

    assert_eq!(step(&programme, run.id, false).await.state, RunState::Listed, "it waits for the reply");
    let answers = [(POORLY_OFF.address(), true), (IN_WORK.address(), false)];
    let answers: Vec<(&str, bool)> = answers.iter().map(|(address, met)| (address.as_str(), *met)).collect();
    reply(&programme, run.id, &answers).await.expect("taken");
    reply(&programme, run.id, &answers).await.expect("the same reply again");

    let closed = step(&programme, run.id, false).await;
    let counts = closed.counts.expect("counted");
    assert_eq!(closed.state, RunState::Closed);
    assert_eq!((counts.records, counts.persons, counts.households), (12, 8, 3));
    assert_eq!((counts.listed, counts.answered, counts.families), (3, 2, 2));
    let found = families(&programme, run.id).await;
    let areas: Vec<Vec<&str>> = found.iter().map(areas).collect();
    assert_eq!(areas.iter().filter(|areas| **areas == ["A2", "A4"]).count(), 1, "{areas:?}");
    assert_eq!(areas.iter().filter(|areas| **areas == ["A2", "A3"]).count(), 1, "{areas:?}");
    for family in &found {
        assert_eq!((family.people.len(), &family.key), (2, family.people.iter().flatten().min().expect("somebody")));
    }
    assert_eq!(entries(&programme, "match.run", "answered").await, 1);
    assert_eq!(entries(&programme, "match.run.step", "answered").await, 5, "list, reply twice, close, families");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_run_gives_the_same_bytes_after_its_feeds_were_replaced(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    town(&programme, &[POORLY_OFF, IN_NEED, QUIET]).await;
    let run = begin(&programme).await;
    until_listed(&programme, run.id).await;
    list(&programme, run.id).await.expect("permitted");
    reply(&programme, run.id, &[(&POORLY_OFF.address(), true)]).await.expect("taken");
    let closed = step(&programme, run.id, false).await;
    assert_eq!(closed.counts.expect("counted").families, 2);

    let other = Home { number: 9, misses_school: true, in_need: true };
    town(&programme, &[other, IN_NEED]).await;
    let team = caller(TEAM);
    let again = programme.gateway.repeat_match_run(&team, run.id, &terms()).await.expect("computed");
    assert!(again.is_same);
    assert_eq!(Some(again.output_sha256), closed.output_sha256);

    // A later run is another one, and says in counts how it differs.
    let later = begin(&programme).await;
    until_listed(&programme, later.id).await;
    assert_eq!(step(&programme, later.id, true).await.state, RunState::Closed, "without a reply");
    let difference = programme.gateway.match_run_difference(&team, later.id).await.expect("counted");
    let difference = difference.expect("there is a run before it");
    assert_eq!((difference.added, difference.gone, difference.changed), (1, 1, 0));
    assert_eq!(programme.gateway.match_run_difference(&team, run.id).await.expect("counted"), None);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_run_that_was_interrupted_after_any_step_goes_on_and_comes_to_the_same_bytes(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    // More than one page of records.
    let homes: Vec<Home> =
        (1..=180).map(|number| Home { number, misses_school: true, in_need: number % 3 == 0 }).collect();
    town(&programme, &homes).await;
    let straight = begin(&programme).await;
    until_listed(&programme, straight.id).await;
    let straight = step(&programme, straight.id, true).await;

    let broken = begin(&programme).await;
    let mut steps = 0;
    let report = loop {
        // Another process each time, with nothing but the database.
        let restarted = programme.restarted_with((*programme.keys).clone());
        let report = step(&restarted, broken.id, true).await;
        steps += 1;
        if report.state == RunState::Closed {
            break report;
        }
        assert!(steps < 20, "the run does not end");
    };
    assert_eq!(steps, 3, "two pages and the families");
    assert_eq!(report.output_sha256, straight.output_sha256);
    assert_eq!(report.counts, straight.counts);
    assert_eq!(report.counts.expect("counted").families, 60);
    assert_eq!(step(&programme, broken.id, true).await, report, "a closed run does not change");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_a_holder_rejects_is_in_no_family_of_the_next_run_until_it_confirms(#[case] backend: Backend) {
    use porth::app::match_run::validate::OwnValidation;
    let programme = TestProgramme::start(backend).await;
    town(&programme, &[IN_NEED]).await;
    let run_now = async || {
        let run = begin(&programme).await;
        until_listed(&programme, run.id).await;
        let closed = step(&programme, run.id, true).await;
        (run.id, closed.counts.expect("counted").families)
    };
    let say = async |id, agency: &str, feed: &str, decision: &str, reason: &str| {
        let said = OwnValidation {
            record: (feed.parse().expect("a code"), opaque(IN_NEED.number).parse::<Reference>().expect("22").0),
            decision: decision.parse().expect("a word"),
            role: "education-welfare-officer".parse().expect("a code"),
            reason: reason.parse().expect("a word"),
        };
        programme.gateway.validate_record(&caller(agency), id, &said, &key()).await
    };
    let (first, found) = run_now().await;
    assert_eq!(found, 1);
    for (agency, feed) in [("education", "attendance"), ("childrens-social-care", "cases")] {
        say(first, agency, feed, "reject", "record-wrong").await.expect("taken");
    }
    let (second, found) = run_now().await;
    assert_eq!(found, 0, "nobody says any more that the child lives there");
    say(second, "childrens-social-care", "cases", "confirm", "checked-file").await.expect("taken");
    assert_eq!(run_now().await.1, 1);
    let again = programme.gateway.repeat_match_run(&caller(TEAM), second, &terms()).await.expect("computed");
    assert!(again.is_same, "a later decision changes no earlier run");
    let elsewhere = say(first, "youth-justice", "orders", "reject", "record-wrong").await;
    assert!(elsewhere.is_err(), "the record is not its own");
}

struct Reference(porth::domain::ids::OpaqueRef);

impl std::str::FromStr for Reference {
    type Err = porth::domain::ids::IdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        porth::domain::ids::OpaqueRef::parse(text).map(Self)
    }
}

/// Two agencies' records of one child at one address, which no key joins, under terms of a privacy profile.
async fn two_halves_of_a_child(backend: Backend, profile: &str) -> TestProgramme {
    let mut files = crate::support::programme::policy_files();
    for text in &mut files.agreements {
        let edited = String::from_utf8(text.clone())
            .expect("text")
            .replace("profile = \"A\"", &format!("profile = \"{profile}\""));
        *text = edited.into_bytes();
    }
    let programme = TestProgramme::start_with(backend, files).await;
    let household = programme.tokens(&[("uprn", &IN_NEED.address())]);
    let (absent, need) = (flags(&programme, "E1").await, flags(&programme, "H2").await);
    let with = |flags: &Value| json!({ "role": "child", "household": household, "flags": flags });
    let pupil = programme.row(1, &[("upn", "upn 1")], with(&absent));
    let case = programme.row(2, &[("nhs", "9990000018")], with(&need));
    programme.deliver("education", "attendance", "early-help-core/v1", &[pupil]).await;
    programme.deliver("childrens-social-care", "cases", "early-help-core/v1", &[case]).await;
    programme
}

/// The two records weighed to be one person's, as `porth weights apply` stores it.
async fn weighed(programme: &TestProgramme) -> porth::store::StoredPair {
    use porth::domain::ids::{EventId, OpaqueRef, PairId};
    use porth::domain::pair::{PairNames, PairOrigin, PairState, RecordName};
    let name = |agency: &str, feed: &str, number| RecordName {
        agency: agency.parse().expect("a code"),
        feed: feed.parse().expect("a code"),
        reference: OpaqueRef::parse(&opaque(number)).expect("22"),
    };
    let names = PairNames::new(name("education", "attendance", 1), name("childrens-social-care", "cases", 2));
    let mut tx = programme.gateway.store().begin().await.expect("a transaction");
    let now = tx.now().await.expect("the clock");
    let pair = porth::store::StoredPair {
        id: PairId::new(uuid::Uuid::now_v7()),
        origin: PairOrigin::Weighed,
        names: names.expect("two records"),
        weight: Some(9_000),
        evidence: "forename exact +9000".to_owned(),
        state: PairState::InForce,
        proposed_at: now,
        sides: [porth::store::PairSide::default(); 2],
    };
    let decided = (now, EventId::new(uuid::Uuid::now_v7()));
    tx.add_pairs_in_force(&programme.code, std::slice::from_ref(&pair), decided).await.expect("added");
    tx.commit().await.expect("committed");
    programme.publish().await;
    pair
}

/// Runs a match now; gives the run and how many people its one family has.
async fn run_now(programme: &TestProgramme) -> (RunReport, usize) {
    let run = begin(programme).await;
    until_listed(programme, run.id).await;
    let closed = step(programme, run.id, true).await;
    let found = families(programme, run.id).await;
    assert_eq!(found.len(), 1);
    (closed, found[0].people.len())
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_run_keeps_to_the_weighed_pairs_of_its_day(#[case] backend: Backend) {
    use porth::domain::ids::EventId;
    use porth::domain::pair::PairState;
    use porth::store::{PairChange, StoredPair};
    let programme = two_halves_of_a_child(backend, "B").await;
    let (first, people) = run_now(&programme).await;
    assert_eq!(people, 2, "no key joins the two records");
    let pair = weighed(&programme).await;
    let (second, people) = run_now(&programme).await;
    assert_eq!(people, 1, "weighed they are one child");

    let mut tx = programme.gateway.store().begin().await.expect("a transaction");
    let taken_back = PairChange::Reversed(tx.now().await.expect("the clock"), EventId::new(uuid::Uuid::now_v7()));
    tx.change_pair(&StoredPair { state: PairState::Reversed, ..pair }, taken_back).await.expect("changed");
    tx.commit().await.expect("committed");
    programme.publish().await;
    assert_eq!(run_now(&programme).await.1, 2);
    for run in [first, second] {
        let again = programme.gateway.repeat_match_run(&caller(TEAM), run.id, &terms()).await.expect("computed");
        assert!(again.is_same && Some(again.output_sha256) == run.output_sha256);
    }
}

#[tokio::test]
async fn a_weighed_pair_joins_nothing_where_the_terms_lack_its_profile() {
    let programme = two_halves_of_a_child(Backend::Sqlite, "A").await;
    weighed(&programme).await;
    assert_eq!(run_now(&programme).await.1, 2);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_holder_decides_about_records_whose_attendance_says_that_a_criterion_is_met(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let today = programme.today().await;
    let policies = programme.gateway.current_policies().await.expect("policies");
    let ended = policies.programme().terms().iter().filter(|term| term.ends < today);
    let ended: Vec<String> = ended.map(|term| term.code.clone()).rev().take(6).collect();
    let pupil = |number: u32, bands: &dyn Fn(usize) -> &'static str| {
        let said = |(at, term): (usize, &String)| json!({ "term": term, "band": bands(at) });
        let attendance: Vec<Value> = ended.iter().enumerate().map(said).collect();
        let home = Home { number, misses_school: false, in_need: false };
        let household = programme.tokens(&[("uprn", &home.address())]);
        let says = json!({ "role": "child", "household": household, "flags": [], "attendance": attendance });
        programme.row(number, &[("nhs", &format!("99900{number:05}"))], says)
    };
    let pupils = [
        pupil(1, &|_| "below_90"),
        pupil(2, &|_| "90_and_over"),
        pupil(3, &|at| if at == 0 { "90_and_over" } else { "below_90" }), // the bands do not tell
    ];
    programme.deliver("education", "attendance", "early-help-core/v1", &pupils).await;
    let run = begin(&programme).await;
    until_listed(&programme, run.id).await;
    assert_eq!(step(&programme, run.id, true).await.state, RunState::Closed);

    let education = caller("education");
    let list = programme.gateway.match_run_work_list(&education, run.id, None).await.expect("its list");
    let asked: Vec<&str> = list.items.iter().map(|item| item.reference.as_str()).collect();
    assert_eq!(asked, [opaque(1)]);
}
