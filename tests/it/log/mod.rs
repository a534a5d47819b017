//! The log for people who audit it: found, explained, replayed, exported, witnessed.

mod bundle;
mod find;
mod replay;
mod rewritten;
mod tamper;
mod witness;

use std::path::Path;

use porth::app::export::{BundleFor, ExportError, Exported};
use porth::app::log_access::Grounds;
use porth::domain::ids::{EventId, RoleCode};
use porth::store::NewEvent;
use porth::tlog::entry::{Body, Entry};
use porth::tlog::merkle::leaf_hash;
use serde_json::{Value, json};

use crate::cli::gateway::porth;
use crate::support::gateway::LOG;

use crate::support::agency::TestAgency;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::{Person, flag};

pub(super) const CORE: &str = "early-help-core/v1";
pub(super) const KNOWN: Person = Person::new("Known", "1 Quay");
/// What an auditor names.
pub(super) const GROUNDS: &str = "agreement=programme-delivery/v1&role=auditor";

/// Education has delivered; the Hub asked once and was answered, and once and was refused.
pub(super) async fn asked_twice(backend: Backend) -> (TestGateway, String, String) {
    let home = TestGateway::start(backend).await;
    let education = home.agency("education").await;
    let known = KNOWN.record(&home.linkage, "child", json!([flag("E1", "met")]));
    education.deliver("attendance", CORE, &[known]).await;
    let hub = home.agency("early-help-hub").await;
    let answered = hub.enquire(&hub.question("areas", &KNOWN)).await;
    assert_eq!(answered.status, 201, "{answered:?}");
    let mut wrong = hub.question("areas", &KNOWN);
    wrong["role"] = "housing-officer".into();
    let refused = hub.enquire(&wrong).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let id = |reply: Value| reply["disclosure"].as_str().expect("an entry").to_owned();
    let (answered, refused) = (id(answered.json()), id(refused.json()));
    home.wait_sequenced().await;
    (home, answered, refused)
}

/// Looks at the log as the auditor does.
pub(crate) async fn look(auditor: &TestAgency<'_>, path: &str, more: &str) -> Value {
    let reply = auditor.call("GET", &format!("/v1/log/{path}?{GROUNDS}{more}"), &[], "").await;
    assert_eq!(reply.status, 200, "{path} {more}: {reply:?}");
    reply.json()
}

/// An entry that no journey would write, with sealed openings.
pub(super) fn entry_of(
    id: EventId,
    at: porth::domain::time::Timestamp,
    body: Body,
    openings: Vec<(&'static str, Vec<u8>)>,
) -> NewEvent {
    let kind = body.kind();
    let body = Entry::new(LOG, id, at, [7; 32], body).render().expect("renders");
    let leaf_hash = *leaf_hash(&body).as_bytes();
    let (recipient, agreement, purpose, outcome) = (None, None, None, None);
    NewEvent {
        id,
        kind,
        at,
        recipient,
        agreement,
        purpose,
        outcome,
        leaf_hash,
        body,
        openings,
        tags: Vec::new(),
        records: Vec::new(),
    }
}

/// Puts an entry into the log that no journey would write.
pub(crate) async fn append(home: &TestGateway, body: Body) -> EventId {
    let id = EventId::new(uuid::Uuid::now_v7());
    let event = entry_of(id, home.now().await, body, Vec::new());
    let mut tx = home.gateway().store().begin().await.expect("begins");
    tx.add_events(&[&event]).await.expect("added");
    tx.commit().await.expect("committed");
    home.wait_sequenced().await;
    id
}

/// The trust file that an auditor got from the operator.
pub(super) fn trust(home: &TestGateway) -> String {
    let trust = porth(home.folder(), &["log", "trust", "--config", "porth.toml"]).done().out;
    std::fs::write(home.folder().join("trust.toml"), &trust).expect("writes");
    trust
}

/// An auditor's bundle with the openings that the data team's auditor may see.
pub(super) async fn bundle(home: &TestGateway, folder: &Path) -> (EventId, Exported) {
    try_bundle(home, folder).await.expect("exported")
}

/// Likewise, where it may be refused.
pub(super) async fn try_bundle(home: &TestGateway, folder: &Path) -> Result<(EventId, Exported), ExportError> {
    let agreement = "programme-delivery/v1".parse().expect("a reference");
    let grounds = Grounds { agreement, role: RoleCode::parse("auditor").expect("a code"), user: None };
    let team = "programme-team".parse().expect("a code");
    let wanted = BundleFor { by: "ops-1".to_owned(), reader: Some((team, grounds)), with_openings: true };
    let keys = trust(home);
    home.gateway().export_bundle(&wanted, keys.as_bytes(), None, folder).await
}
