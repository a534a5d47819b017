//! Criteria as a living document: the past stays as it was judged, a change is counted before it is
//! made, and another programme has another number of areas.

use porth::app::caller::AgencyCaller;
use porth::app::enquire::EnquiryError;
use porth::app::load_policy::PolicyFiles;
use porth::app::preview::{Count, Hidden, NewPreview, PreviewError};
use porth::domain::enquiry::Answer;
use porth::domain::evidence::EvidenceState;
use porth::domain::ids::OpaqueRef;
use porth::domain::programme::Relationship;
use porth::domain::record::EvidenceGrade;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::database::Backend;
use crate::support::programme::{Ask, HUB_AREAS, TestProgramme, agreement, opaque, policy_files, policy_files_of};

const CHILD: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "child")];
const HOME: &[(&str, &str)] = &[("uprn", "100040123456")];

async fn flag(programme: &TestProgramme, criterion: &str, evidence: &str) -> Value {
    let from = programme.today().await - jiff::Span::new().days(40);
    json!({ "criterion": criterion, "state": "met", "from": from.to_string(), "evidence": evidence })
}

/// The shipped files with other words in the programme file.
fn changed(from: &str, to: &str) -> PolicyFiles {
    let mut files = policy_files();
    let text = String::from_utf8(files.programme).expect("UTF-8");
    let other = text.replace(from, to);
    assert_ne!(other, text, "the replacement must find its text");
    files.programme = other.into_bytes();
    files
}

fn state(answer: &Answer, area: &str) -> (EvidenceState, Option<EvidenceGrade>) {
    let Answer::Areas { areas, .. } = answer else { panic!("an answer about areas: {answer:?}") };
    let found = areas.iter().find(|found| found.area.as_str() == area).expect("an area with criteria");
    (found.state, found.grade)
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_answer_is_judged_again_as_at_its_date_though_the_criteria_changed_since(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let absent = flag(&programme, "E1", "professional").await;
    let row =
        programme.row(1, CHILD, json!({ "role": "child", "household": programme.tokens(HOME), "flags": [absent] }));
    programme.deliver("education", "attendance", "early-help-core/v1", &[row]).await;

    let before = programme.ask(HUB_AREAS, CHILD, &[]).await.expect("permitted");
    assert_eq!(state(&before.answer, "A2"), (EvidenceState::Met, Some(EvidenceGrade::Professional)));
    let judged = programme.gateway.judge_again(before.disclosure).await.expect("in the log");
    assert!(judged.is_same && judged.is_present_programme && judged.answer == before.answer);

    // From now on the criterion is about adults.
    let files = changed("applies_to = \"child\"", "applies_to = \"adult\"");
    programme.gateway.load_policies(&files, "operator").await.expect("another programme file loads");
    let after = programme.ask(HUB_AREAS, CHILD, &[]).await.expect("permitted");
    assert_ne!(state(&after.answer, "A2").0, EvidenceState::Met);
    let judged = programme.gateway.judge_again(before.disclosure).await.expect("in the log");
    assert_eq!((judged.is_same, judged.is_present_programme), (true, false));
    assert_eq!(judged.answer, before.answer, "the past is as it was judged");
    assert_eq!(judged.criteria_version, before.criteria_version);
}

async fn families(programme: &TestProgramme, count: u32) {
    let mut rows = Vec::new();
    for number in 0..count {
        let (child, home) = (format!("child {number}"), format!("home {number}"));
        let absent = flag(programme, "E1", "hard").await;
        let home = programme.tokens(&[("uprn", home.as_str())]);
        rows.push(programme.row(
            number,
            &[("k3", child.as_str())],
            json!({ "role": "child", "household": home, "flags": [absent] }),
        ));
    }
    programme.deliver("education", "attendance", "early-help-core/v1", &rows).await;
}

fn preview(files: PolicyFiles, role: &str) -> NewPreview {
    NewPreview {
        agreement: agreement("programme-delivery/v1"),
        purpose: "statistics".parse().expect("a code"),
        relationship: Relationship::Screening,
        role: role.parse().expect("a code"),
        user: OpaqueRef::parse(&opaque(8)).expect("a reference"),
        programme_file: String::from_utf8(files.programme).expect("UTF-8"),
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn another_programme_file_is_counted_over_the_cohort_and_few_families_are_hidden(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let team = AgencyCaller { agency: "programme-team".parse().expect("a code"), client: "data-team".to_owned() };
    let ask = async |new: NewPreview| programme.gateway.preview(&team, &new).await;
    let one_is_enough = || changed("threshold_areas = 2", "threshold_areas = 1");
    families(&programme, 8).await;

    let few = Count::Hidden(Hidden::Few);
    let counted = ask(preview(one_is_enough(), "data-analyst")).await.expect("permitted");
    let found = counted.previewed;
    assert_eq!(
        (found.families, found.would_become_eligible, found.would_cease),
        (Count::Shown(10), Count::Shown(10), few),
        "eight families, to the nearest five"
    );
    let adults = changed("applies_to = \"child\"", "applies_to = \"adult\"");
    let found = ask(preview(adults, "data-analyst")).await.expect("permitted").previewed;
    let school = found.areas.iter().find(|area| area.area.as_str() == "A2").expect("an area");
    assert_eq!((school.would_meet, school.would_cease), (few, Count::Shown(10)));
    let same = ask(preview(policy_files(), "data-analyst")).await.expect("permitted").previewed;
    assert!(same.areas.iter().all(|area| (area.would_meet, area.would_cease) == (few, few)));
    let entry = programme.gateway.store().event_body(counted.disclosure).await.expect("the database");
    let entry = String::from_utf8(entry.expect("in the log")).expect("UTF-8");
    assert!(entry.contains("\"mode\":\"preview\"") && entry.contains("\"purpose\":\"statistics\""));

    let refused = ask(preview(one_is_enough(), "claims-officer")).await;
    assert!(matches!(refused, Err(PreviewError::Enquiry(EnquiryError::NotPermitted { .. }))), "{refused:?}");
    let broken = NewPreview { programme_file: "programme = 1".to_owned(), ..preview(policy_files(), "data-analyst") };
    assert!(matches!(ask(broken).await, Err(PreviewError::File(_))));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn previews_of_a_day_rest_on_one_state_and_try_few_files(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let team = AgencyCaller { agency: "programme-team".parse().expect("a code"), client: "data-team".to_owned() };
    let ask = async |new: NewPreview| programme.gateway.preview(&team, &new).await;
    let file = |number: usize| {
        let mut files = policy_files();
        files.programme.extend_from_slice(format!("\n# {number}\n").as_bytes());
        preview(files, "data-analyst")
    };
    families(&programme, 4).await;
    let found = ask(file(1)).await.expect("permitted").previewed;
    assert_eq!(found.families, Count::Hidden(Hidden::Few), "four families are few");
    for number in 2..=5 {
        ask(file(number)).await.expect("five different files");
    }
    ask(file(3)).await.expect("a file that was tried before");
    let sixth = ask(file(6)).await;
    assert!(matches!(sixth, Err(PreviewError::Enquiry(EnquiryError::CeilingReached { .. }))), "{sixth:?}");

    families(&programme, 6).await;
    let held = ask(file(1)).await;
    let Err(PreviewError::Enquiry(EnquiryError::NotPermitted { disclosure, hits, .. })) = held else {
        panic!("{held:?}");
    };
    assert_eq!(hits[0].rule, "V01", "the records changed since the day's first preview");
    assert!(programme.gateway.store().event_body(disclosure).await.expect("the database").is_some());
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_programme_of_ten_outcomes_and_three_needs_is_answered_by_its_own_file(#[case] backend: Backend) {
    let files = policy_files_of("policies/ten-outcomes", "policies/match-keys.toml");
    let programme = TestProgramme::start_with(backend, files).await;
    let policies = programme.gateway.current_policies().await.expect("policies");
    let file = policies.programme();
    assert_eq!((file.areas().len(), file.eligibility().threshold_areas), (10, 3));

    let ask = |mode| Ask {
        agency: "early-help-hub",
        agreement: "whole-family/v1",
        purpose: "family-support",
        mode,
        role: "early-help-practitioner",
    };
    let said =
        [("education", "attendance", "ED1"), ("youth-justice", "orders", "CR1"), ("housing", "tenancies", "HO1")];
    let home = programme.tokens(HOME);
    for (needs, (agency, feed, criterion)) in (1..).zip(said) {
        let flags = flag(&programme, criterion, "hard").await;
        let row = programme.row(1, CHILD, json!({ "role": "child", "household": home, "flags": [flags] }));
        programme.deliver(agency, feed, "whole-family/v1", &[row]).await;
        let answer = programme.ask(ask("eligible"), CHILD, &[]).await.expect("permitted").answer;
        let Answer::Eligible { eligible, .. } = answer else { panic!("an eligible answer") };
        let expected = if needs == 3 { EvidenceState::Met } else { EvidenceState::NotKnown };
        assert_eq!(eligible, expected, "{needs} needs");
    }
    let answer = programme.ask(ask("areas"), CHILD, &[]).await.expect("permitted").answer;
    let Answer::Areas { areas, not_covered } = &answer else { panic!("an answer about areas") };
    assert_eq!((areas.len(), not_covered.len()), (10, 0));
    assert_eq!(state(&answer, "O9").0, EvidenceState::Met);
    assert_eq!(
        state(&answer, "O10").0,
        EvidenceState::NotKnown,
        "the asker itself would speak of debts; it said nothing"
    );
    let judged =
        programme.gateway.judge_again(programme.ask(ask("count"), CHILD, &[]).await.expect("permitted").disclosure);
    assert!(judged.await.expect("in the log").is_same);
}
