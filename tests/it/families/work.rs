//! Who leads, who is in contact, and what is noticed when nobody leads.

use porth::app::families::Outcome;
use porth::app::families::engagement::EngagementReply;
use porth::domain::family::{LeadSpell, LeadState};
use porth::domain::time::{Month, Timestamp};
use porth::store::StoredFamily;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::support::database::Backend;

async fn lead(programme: &TestProgramme, tfid: Tfid, lead: Value) -> (Outcome, Option<bool>) {
    let request = json!({
        "terms": terms(programme), "mode": "count", "reason": "panel", "tfid": tfid, "lead": lead,
    });
    let request = serde_json::from_value(request).expect("a request");
    let reply = programme.gateway.lead_family(&caller("programme-team"), &request, &key()).await.expect("permitted");
    (reply.results[0].outcome, reply.continuity_alert)
}

async fn engagement(programme: &TestProgramme, tfid: Tfid) -> EngagementReply {
    let request = json!({ "terms": terms(programme), "mode": "count", "tfid": tfid });
    let request = serde_json::from_value(request).expect("a request");
    programme.gateway.family_engagement(&caller("programme-team"), &request, &key()).await.expect("permitted")
}

fn service(status: &str, leads: bool, contact: &str) -> Value {
    json!({ "since": "2026-01", "last_contact_month": contact, "lead": leads, "team_route": "mash", "status": status })
}

/// Attaches a family as of so many days ago.
async fn attached(programme: &TestProgramme, tfid: Tfid, days: i64) {
    let done = decide(programme, json!({ "kind": "attach", "tfid": tfid, "validated": true })).await[0].0;
    assert_eq!(done, Outcome::Done);
    let store = programme.gateway.store();
    let family = store.family(&programme.code, &tfid).await.expect("asked").expect("there");
    let earlier = store.now().await.expect("the clock").plus_seconds(-86_400 * days);
    // A family with an earlier attachment that becomes part of this one hands its date on.
    let other = StoredFamily { tfid: unknown_number(), attached_at: Some(earlier), ..family };
    let mut tx = store.begin().await.expect("a transaction");
    tx.merge_family(&other, &tfid).await.expect("merged");
    tx.commit().await.expect("kept");
}

async fn this_month(programme: &TestProgramme) -> String {
    Month::of(programme.today().await).to_string()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn attached_is_not_engaged_until_contact_in_a_later_month(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    a_family(&programme).await;
    let month = this_month(&programme).await;
    care(&programme, service("open", false, &month)).await;
    let tfid =
        issue(&programme, "data_match", &[CHILD_AT_SCHOOL, CHILD_IN_CARE, MOTHER_IN_CARE]).await.1.expect("issued");
    let done = decide(&programme, json!({ "kind": "attach", "tfid": tfid, "validated": true })).await[0].0;
    assert_eq!(done, Outcome::Done);
    let found = engagement(&programme, tfid).await.family.expect("known");
    assert_eq!(found.work.engaged_since, None, "contact in the month of attachment may have come before it");
    assert_eq!(found.work.services[0].last_contact.map(|month| month.to_string()), Some(month.clone()));

    let store = programme.gateway.store();
    let family = store.family(&programme.code, &tfid).await.expect("asked").expect("there");
    let earlier = Timestamp::start_of(programme.today().await - jiff::Span::new().days(70));
    let other = StoredFamily { tfid: unknown_number(), attached_at: Some(earlier), ..family };
    let mut tx = store.begin().await.expect("a transaction");
    tx.merge_family(&other, &tfid).await.expect("merged");
    tx.commit().await.expect("kept");

    let found = engagement(&programme, tfid).await.family.expect("known");
    assert_eq!(found.work.engaged_since.map(|month| month.to_string()), Some(month.clone()));
    assert!(history(&lookup(&programme, "lead", tfid).await).contains(&"engaged"));
    // The record no longer tells of it; what was noted stays, as long as the record is there.
    care(&programme, service("open", false, "2026-01")).await;
    let found = engagement(&programme, tfid).await.family.expect("known");
    assert_eq!(found.work.engaged_since.map(|month| month.to_string()), Some(month));
    assert!(
        !history(&lookup(&programme, "areas", tfid).await).contains(&"engaged"),
        "contact is of the lead look alone"
    );
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_lead_that_ends_while_areas_are_met_raises_an_alert(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let tfid = issued(&programme).await;
    let month = this_month(&programme).await;
    assert_eq!(lead(&programme, tfid, json!({ "kind": "end", "ended": month })).await, (Outcome::NoLead, Some(false)));

    let start = json!({ "kind": "start", "agency": "childrens-social-care", "team_route": "mash", "since": "2026-02" });
    assert_eq!(lead(&programme, tfid, start.clone()).await, (Outcome::Done, Some(false)));
    assert_eq!(lead(&programme, tfid, start).await.0, Outcome::Already);
    let reply = lookup(&programme, "lead", tfid).await;
    let work = reply.family.expect("known").work.expect("asked for");
    assert_eq!(work.lead_state, Some(LeadState::Led));
    assert_eq!((work.leads[0].agency.as_str(), work.leads[0].team_route.as_str()), ("childrens-social-care", "mash"));

    assert_eq!(lead(&programme, tfid, json!({ "kind": "end", "ended": "2026-01" })).await.0, Outcome::TooEarly);
    assert_eq!(lead(&programme, tfid, json!({ "kind": "end", "ended": month })).await, (Outcome::Done, Some(true)));
    let reply = engagement(&programme, tfid).await;
    let found = reply.family.expect("known");
    assert!(found.continuity_alert);
    assert_eq!((found.work.lead_state, reply.entries.len()), (Some(LeadState::Ended), 2));
    let alerts = async || {
        let events = programme.gateway.store().family_history(&tfid).await.expect("a history");
        events.iter().filter(|event| event.kind.as_str() == "continuity_alert").count()
    };
    assert_eq!(alerts().await, 1, "raised once for one end");

    let start = json!({ "kind": "start", "agency": "early-help-hub", "team_route": "early-help-west", "since": month });
    assert_eq!(
        lead(&programme, tfid, start).await,
        (Outcome::Withheld, Some(true)),
        "the hub has no feed to be heard by"
    );
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_lead_whose_own_records_say_that_its_work_is_over_has_ended(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let tfid = issued(&programme).await;
    attached(&programme, tfid, 70).await;
    care(&programme, service("open", true, "2026-02")).await;
    assert!(!engagement(&programme, tfid).await.family.expect("known").continuity_alert);
    care(&programme, service("closed", true, "2026-02")).await;
    let found = engagement(&programme, tfid).await.family.expect("known");
    assert_eq!((found.work.lead_state, found.continuity_alert), (Some(LeadState::Ended), true));
    assert!(engagement(&programme, tfid).await.family.expect("known").continuity_alert, "said as long as it holds");
    let events = programme.gateway.store().family_history(&tfid).await.expect("a history");
    assert_eq!(events.iter().filter(|event| event.kind.as_str() == "continuity_alert").count(), 1);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_lead_that_the_team_may_not_hear_of_is_not_ended_by_another(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let tfid = issued(&programme).await;
    let store = programme.gateway.store();
    let unheard = LeadSpell {
        agency: "early-help-hub".parse().expect("a code"),
        team_route: "early-help-west".parse().expect("a route"),
        since: "2026-01".parse().expect("a month"),
        ended: None,
    };
    let mut tx = store.begin().await.expect("a transaction");
    tx.add_family_lead(&tfid, &unheard).await.expect("noted");
    tx.commit().await.expect("kept");

    let start = json!({ "kind": "start", "agency": "childrens-social-care", "team_route": "mash", "since": "2026-02" });
    assert_eq!(lead(&programme, tfid, start).await.0, Outcome::Done);
    let month = this_month(&programme).await;
    assert_eq!(lead(&programme, tfid, json!({ "kind": "end", "ended": month })).await.0, Outcome::Done);
    let leads = store.family_leads(&tfid).await.expect("leads");
    assert_eq!(leads[0], unheard, "it runs on");
    assert_eq!(leads[1].ended.map(|month| month.to_string()), Some(month));
}
