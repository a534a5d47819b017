//! A claim from the command line: a family is engaged, its claim checked over a gateway that listens, and the
//! bundle verified offline by whoever has it and the trust file.

use rstest::rstest;
use serde_json::{Value, json};

use super::gateway::porth;
use super::screen::desk;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::{Person, flag, question};

const CHILD: Person = Person::new("Child", "1 Quay");

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claims_bundle_verifies_offline_and_an_altered_one_ends_with_code_4(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = home.agency("education").await;
    let pupil = CHILD.record(&home.linkage, "child", json!([flag("E1", "met")]));
    education.deliver("attendance", "early-help-core/v1", &[pupil]).await;

    let team = desk(&home.agency("programme-team").await);
    let mut family = question(&home.linkage, "criteria", &CHILD);
    family["agreement"] = json!("programme-delivery/v1");
    family["purpose"] = json!("claim-validation");
    family["role"] = json!("claims-officer");
    family["relationship"] = json!("screening");
    team.write("family.json", family.to_string());
    let run = |args: &[&str]| tokio::task::block_in_place(|| porth(team.folder.path(), args));
    let today = home.now().await.date().to_string();
    let ask = ["-c", "connection.toml", "--family", "family.json", "--to"];
    let engage = [&["--json", "claim", "engage", "--engaged-on", &today], &ask[..], &["engaged.json"]].concat();
    let engagement = run(&engage).done().json()["disclosure"].as_str().expect("an entry").to_owned();
    let check = [&["--json", "claim", "check", "--engagement", &engagement], &ask[..], &["claim.json"]].concat();
    let found = run(&check).done().json();
    assert!(found["found"]["verdict"].is_string(), "{found}");

    let trust = tokio::task::block_in_place(|| porth(home.folder(), &["log", "trust", "--config", "porth.toml"]));
    team.write("trust.toml", trust.done().out);
    let verify = |bundle: &str| run(&["--json", "claim", "verify", bundle, "--trust", "trust.toml"]);
    for bundle in ["engaged.json", "claim.json"] {
        verify(bundle).done();
    }

    let text = std::fs::read_to_string(team.path("claim.json")).expect("a bundle");
    let mut altered: Value = serde_json::from_str(&text).expect("JSON");
    let other = if found["found"]["verdict"] == "ready" { "not_ready" } else { "ready" };
    altered["found"]["verdict"] = json!(other);
    team.write("altered.json", altered.to_string());
    let refused = verify("altered.json");
    assert_eq!(refused.code, 4, "{refused:?}");
    home.stop().await;
}
