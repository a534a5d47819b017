//! Disclosures are reviewed, and warnings raised: drawn, judged by two people, replied to, looked into.

mod alerts;
mod commands;
mod draws;
mod replies;
mod steps;

use porth::app::log_access::Grounds;
use porth::app::review::draw::{Draw, Drawn};
use porth::app::review::officers::NewOfficer;
use porth::app::review::steps::Verdict;
use porth::domain::ids::{AgencyCode, EventId, RoleCode};
use porth::domain::review::finding::{Action, Finding, Severity};
use porth::domain::review::sample::Strategy;
use porth::domain::time::Timestamp;
use serde_json::json;

use crate::support::agency::TestAgency;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::{Person, flag};

pub(super) const CORE: &str = "early-help-core/v1";
pub(super) const KNOWN: Person = Person::new("Known", "1 Quay");

/// Education has delivered one child, and there is an officer who may draw. Nothing looks at the log by itself, however long a test takes.
pub(super) async fn ready(backend: Backend) -> TestGateway {
    let home = TestGateway::start_with(backend, "[alerts]\nevery_seconds = 86400").await;
    let education = home.agency("education").await;
    let known = KNOWN.record(&home.linkage, "child", json!([flag("E1", "met")]));
    education.deliver("attendance", CORE, &[known]).await;
    register(&home, officer("ig-1", "programme-team")).await;
    home
}

/// Asks as the Hub does; gives the entry.
pub(super) async fn ask(hub: &TestAgency<'_>, person: &Person) -> EventId {
    let reply = hub.enquire(&hub.question("areas", person)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()["disclosure"].as_str().expect("an entry").parse().expect("an event")
}

/// Asks in a role that the agreement does not let ask; gives the entry of the refusal.
pub(super) async fn ask_in_vain(hub: &TestAgency<'_>, person: &Person) -> EventId {
    let mut question = hub.question("areas", person);
    question["role"] = "housing-officer".into();
    let reply = hub.enquire(&question).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    reply.json()["disclosure"].as_str().expect("an entry").parse().expect("an event")
}

/// An officer who has had no part in anything.
pub(super) fn officer(account: &str, agency: &str) -> NewOfficer {
    NewOfficer {
        account: account.to_owned(),
        agency: AgencyCode::parse(agency).expect("a code"),
        keys: Vec::new(),
        clients: Vec::new(),
        users: Vec::new(),
    }
}

/// Registers an officer.
pub(super) async fn register(home: &TestGateway, new: NewOfficer) {
    home.gateway().register_officer(&new, "operator-1", "appointed").await.expect("registered");
}

/// What an auditor of the programme's team names.
pub(super) fn grounds() -> Grounds {
    let agreement = "programme-delivery/v1".parse().expect("a reference");
    Grounds { agreement, role: RoleCode::parse("auditor").expect("a code"), user: None }
}

/// A draw over everything.
pub(super) fn all(strategy: Strategy, size: usize) -> Draw {
    Draw {
        strategy,
        since: Timestamp::from_micros(0),
        until: Timestamp::from_micros(i64::MAX / 2_000),
        filters: Vec::new(),
        weigh_areas: Vec::new(),
        entries: Vec::new(),
        size,
        minimum: 1,
        seed: Some([7; 32]),
    }
}

/// Draws entries by name.
pub(super) async fn draw_named(home: &TestGateway, entries: &[EventId]) -> Drawn {
    home.wait_sequenced().await;
    let wanted = Draw { entries: entries.to_vec(), ..all(Strategy::Targeted, 0) };
    home.gateway().draw_review(&wanted, "ig-1", "complaint:1").await.expect("drawn")
}

/// A verdict with an owner and a day where it asks for something.
pub(super) async fn verdict(home: &TestGateway, finding: Finding, action: Action) -> Verdict {
    let has_action = action != Action::None;
    let is_suspension = action == Action::SuspendAgreement;
    Verdict {
        finding,
        severity: if finding == Finding::Justified { Severity::None } else { Severity::High },
        action,
        owner: has_action.then(|| "practice-lead".parse().expect("a code")),
        due: if has_action { Some(home.now().await.date()) } else { None },
        agreement: is_suspension.then(|| CORE.parse().expect("a reference")),
    }
}
