//! A wrong delivery is followed into everything that rests on records: looks at families, readings of match runs,
//! tables and previews.

use porth::app::match_run::RunTerms;
use porth::app::recall::Named;
use porth::app::statistics::TableWanted;
use porth::domain::family::{IdentificationRoute, RecordName as FamilyRecord};
use porth::domain::ids::{EventId, MatchRunId};
use porth::domain::notice::NoticeBody;
use porth::domain::statistics::profile::ProfileName;
use porth::domain::tfid::Tfid;
use porth::store::RunState;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::support::database::Backend;
use crate::support::programme::agreement;

const TEAM: &str = "programme-team";
const DELIVERY: &str = "programme-delivery/v1";
const CHILD: &[(&str, &str)] = &[("nhs", "9990000018")];
const MOTHER: &[(&str, &str)] = &[("nhs", "9990000026")];
/// A charity whose feed the hub alone draws on.
const VOLUNTARY: (&str, &str) = ("hearth", "casework");
const HOME: &[(&str, &str)] = &[("uprn", "100040123456")];
/// A family of whom the wrong delivery says nothing.
const OTHER_CHILD: &[(&str, &str)] = &[("nhs", "9990000034")];

/// Social care delivers the family, with a criterion that is met or not.
async fn care(programme: &TestProgramme, meets: bool) -> porth::app::submit::Received {
    let from = programme.today().await - jiff::Span::new().days(40);
    let flags =
        json!([{ "criterion": "H2", "state": if meets { "met" } else { "not_met" }, "from": from.to_string() }]);
    let home = programme.tokens(HOME);
    let rows = [
        programme.row(1, CHILD, json!({ "role": "child", "household": home, "flags": flags })),
        programme.row(2, MOTHER, json!({ "role": "adult", "household": home })),
    ];
    programme.deliver(CARE.0, CARE.1, CORE, &rows).await
}

async fn a_family(programme: &TestProgramme) -> Tfid {
    let home = programme.tokens(HOME);
    let flags = child(programme, 1, CHILD, "E1").await["flags"].clone();
    let rows = [
        programme.row(1, CHILD, json!({ "role": "child", "household": home, "flags": flags })),
        child(programme, 9, OTHER_CHILD, "E1").await,
    ];
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &rows).await;
    number(programme, 1, &[name(SCHOOLS, 1), name(CARE, 1), name(CARE, 2)]).await
}

async fn number(programme: &TestProgramme, of: u8, records: &[RecordName]) -> Tfid {
    let tfid = Tfid::random(|bytes| bytes.fill(of));
    let of = |name: &RecordName| FamilyRecord {
        agency: name.agency.clone(),
        feed: name.feed.clone(),
        reference: name.reference.clone(),
    };
    let mut tx = programme.gateway.store().begin().await.expect("a transaction");
    let now = tx.now().await.expect("the clock");
    tx.add_family(&programme.code, &tfid, IdentificationRoute::DataMatch, now).await.expect("added");
    tx.join_family(&tfid, &records.iter().map(of).collect::<Vec<_>>(), now).await.expect("joined");
    tx.commit().await.expect("kept");
    tfid
}

async fn look_up(programme: &TestProgramme, tfid: Tfid) -> EventId {
    let terms = json!({
        "programme": programme.code, "agreement": DELIVERY, "purpose": "programme-delivery",
        "relationship": "screening", "role": "data-analyst", "case": opaque(7), "user": opaque(8),
    });
    let request = json!({ "terms": terms, "mode": "areas", "tfid": tfid });
    let request = serde_json::from_value(request).expect("a request");
    let reply = programme.gateway.lookup_family(&caller(TEAM), &request).await.expect("permitted");
    assert!(reply.family.is_some(), "it is seen");
    reply.entry.disclosure
}

fn run_terms() -> RunTerms {
    let terms =
        json!({ "agreement": DELIVERY, "relationship": "screening", "role": "data-analyst", "user": opaque(8) });
    serde_json::from_value(terms).expect("terms")
}

/// A run over what there is now, closed, and the families that it gives.
async fn run(programme: &TestProgramme, key: &str) -> (MatchRunId, usize) {
    let begun = programme.gateway.begin_match_run(&caller(TEAM), &run_terms(), key).await.expect("permitted");
    let mut state = begun.state;
    while state != RunState::Closed {
        let step = programme.gateway.advance_match_run(&caller(TEAM), begun.id, &run_terms(), true).await;
        state = step.expect("the step is taken").state;
    }
    (begun.id, read(programme, begun.id).await)
}

async fn read(programme: &TestProgramme, run: MatchRunId) -> usize {
    let given = programme.gateway.match_run_families(&caller(TEAM), run, &run_terms()).await;
    given.expect("permitted").families.len()
}

async fn table(programme: &TestProgramme) -> EventId {
    let wanted = TableWanted {
        table: "areas".to_owned(),
        profile: ProfileName::Internal,
        agreement: agreement(DELIVERY),
        purpose: "statistics".parse().expect("a code"),
        role: "data-analyst".parse().expect("a code"),
    };
    programme.gateway.statistics(&caller(TEAM), &wanted).await.expect("permitted").disclosure
}

/// Form, entry and certainty of each notice of the programme team.
async fn told(programme: &TestProgramme) -> Vec<(String, EventId, bool)> {
    let mut told: Vec<_> = inbox(programme, TEAM)
        .await
        .into_iter()
        .map(|notice| match notice.body {
            Some(NoticeBody::AnswerWrong { form, entry, certain, .. }) => (form, entry, certain),
            other => panic!("an answer that was wrong: {other:?}"),
        })
        .collect();
    told.sort();
    told
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn whoever_received_what_rested_on_a_wrong_delivery_is_told_in_whichever_way(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let family = a_family(&programme).await;
    let other = number(&programme, 2, &[name(SCHOOLS, 9)]).await;
    care(&programme, false).await;
    look_up(&programme, family).await;
    table(&programme).await;
    let (before, none) = run(&programme, "a-key-of-the-team-01").await;
    assert_eq!(none, 0, "one area is met");

    let wrong = care(&programme, true).await;
    let look = look_up(&programme, family).await;
    look_up(&programme, other).await; // of them the delivery says nothing
    let counted = table(&programme).await;
    let (during, found) = run(&programme, "a-key-of-the-team-02").await;
    assert_eq!(found, 1, "two areas are met");
    read(&programme, before).await;

    care(&programme, false).await;
    look_up(&programme, family).await;
    // Read when the delivery is gone: the run was computed from it all the same.
    assert_eq!(read(&programme, during).await, 1);
    run(&programme, "a-key-of-the-team-03").await;

    let id = recall(&programme, &Named::Submission(wrong.id), "record-wrong").await;
    go_on(&programme).await;
    let told = told(&programme).await;
    let forms: Vec<(&str, bool)> = told.iter().map(|(form, _, certain)| (form.as_str(), *certain)).collect();
    assert_eq!(forms, [("family", true), ("match-run", true), ("match-run", true), ("table", false)], "{told:?}");
    assert_eq!((told[0].1, told[3].1), (look, counted));
    let found = report(&programme, id).await;
    assert_eq!((found.recall.looked, found.counts.wrong, found.counts.unsettled), (4, 4, 1));
    assert_eq!(found.waits_for, [TEAM.parse().expect("a code")]);
    let kinds: Vec<Value> = entries(&programme, "recall.notice").await;
    let mut kinds: Vec<&str> = kinds.iter().map(|entry| entry["body"]["of"].as_str().expect("a word")).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["answer", "run", "run", "table"]);
    let steps: Vec<&str> =
        inbox(&programme, TEAM).await.iter().map(|it| it.next.as_ref().expect("a step").say).collect();
    assert!(steps.iter().any(|say| say.contains("Look the family up again")), "{steps:?}");
    assert!(steps.iter().any(|say| say.contains("Begin another run")), "{steps:?}");
    assert!(steps.iter().any(|say| say.contains("next month")), "{steps:?}");
    acknowledge_all(&programme, TEAM).await;
    go_on(&programme).await;
    assert_eq!(report(&programme, id).await.recall.state, porth::store::RecallState::Closed);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_run_whose_lines_are_gone_may_have_shown_it(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family(&programme).await;
    let wrong = care(&programme, true).await;
    let (_, found) = run(&programme, "a-key-of-the-team-01").await;
    assert_eq!(found, 1);
    assert_eq!(programme.gateway.remove_old_run_pages(0).await.expect("removed"), 1);
    let id = recall(&programme, &Named::Submission(wrong.id), "record-wrong").await;
    go_on(&programme).await;
    let found = report(&programme, id).await;
    assert_eq!((found.recall.looked, found.counts.wrong, found.counts.unsettled), (1, 1, 1));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_table_rests_on_no_feed_that_the_agreements_keep_out_of_it(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family(&programme).await;
    let visit = programme.row(7, OTHER_CHILD, json!({ "role": "child" }));
    let unused = programme.deliver(VOLUNTARY.0, VOLUNTARY.1, "charity-referral/v1", &[visit]).await;
    table(&programme).await;
    let id = recall(&programme, &Named::Submission(unused.id), "record-wrong").await;
    go_on(&programme).await;
    assert_eq!(report(&programme, id).await.recall.looked, 0);
}
