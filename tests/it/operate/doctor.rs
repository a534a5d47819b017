//! `porth doctor`: it says what is well, and what is not with what to do.

use serde_json::Value;

use crate::cli::gateway::{CliGateway, Ran};
use crate::cli::serve::{start, stop};
use crate::support::database::Backend;

fn examined(gateway: &CliGateway) -> (Ran, Vec<Value>) {
    let ran = gateway.run(&["--json", "doctor", "gateway", "--config", "porth.toml"]);
    let findings = ran.json()["findings"].as_array().expect("findings").clone();
    for finding in &findings {
        assert_eq!(finding["health"] == "ok", finding["next"].is_null(), "what is not well says what to do: {finding}");
    }
    (ran, findings)
}

/// How a check came out: the worst of its lines.
fn health(findings: &[Value], check: &str) -> String {
    let of_check = findings.iter().filter(|finding| finding["check"] == check);
    let health: Vec<&str> = of_check.map(|finding| finding["health"].as_str().expect("a word")).collect();
    assert!(!health.is_empty(), "nothing was said about {check}: {findings:?}");
    ["fail", "warn", "ok"].into_iter().find(|word| health.contains(word)).expect("one of three").to_owned()
}

#[tokio::test]
async fn a_gateway_in_good_order_has_no_failure_and_each_fault_is_found() {
    let gateway = CliGateway::ready(Backend::Sqlite, "production").await;
    gateway.run(&["sequence", "--config", "sequencer.toml", "--once"]).done();
    let (child, _) = start(gateway.folder.path(), &["serve", "--config", "porth.toml"]);
    assert_eq!(stop(child).0, Some(0));
    let (ran, findings) = examined(&gateway);
    assert_eq!(ran.code, 0, "{ran:?}");
    for check in [
        "configuration",
        "set-up",
        "schema",
        "clocks",
        "programme",
        "log head",
        "sequencer",
        "log history",
        "submissions",
        "checkpoint key",
        "linkage key",
        "gateway's certificate",
        "revocation lists",
        "database",
    ] {
        assert_eq!(health(&findings, check), "ok", "{check}: {findings:?}");
    }

    assert_eq!(health(&findings, "witnesses"), "warn", "nobody watches: {findings:?}");

    gateway.chmod("keys", 0o755);
    std::fs::write(gateway.path("linkage-epoch-1.json"), "{}").expect("writes");
    let (ran, findings) = examined(&gateway);
    assert_eq!(
        (ran.code, health(&findings, "key folder"), health(&findings, "linkage key")),
        (1, "warn".into(), "fail".into())
    );
    std::fs::remove_file(gateway.path("linkage-epoch-1.json")).expect("removes");

    gateway
        .run(&["suspend", "feed", "housing/tenancies", "--config", "porth.toml", "--by", "o", "--reason", "r"])
        .done();
    let (_, findings) = examined(&gateway);
    assert_eq!(health(&findings, "feeds"), "warn");
    assert_ne!(health(&findings, "sequencer"), "fail", "one entry waits, and not for long");

    gateway.edit("porth.toml", "log_origin = \"localhost/test\"", "log_origin = \"localhost/other\"");
    let (ran, findings) = examined(&gateway);
    assert_eq!((ran.code, health(&findings, "log")), (1, "fail".into()));
    gateway.edit("porth.toml", "sqlite = \"porth.sqlite\"", "sqlite = \"another.sqlite\"");
    let (ran, findings) = examined(&gateway);
    assert_eq!((ran.code, health(&findings, "schema")), (1, "fail".into()));
    let told = gateway.run(&["doctor", "gateway", "--config", "porth.toml"]);
    assert!(told.out.contains("fail  schema: ") && told.out.contains("ok    configuration"), "{told:?}");
}

#[tokio::test]
async fn a_pilots_weaknesses_are_warnings_and_a_database_that_is_away_is_a_failure() {
    let gateway = CliGateway::ready(Backend::Postgres, "pilot").await;
    let (ran, findings) = examined(&gateway);
    assert_eq!(ran.code, 0, "warnings alone are no failure: {ran:?}");
    assert_eq!(health(&findings, "checkpoint key"), "warn");
    assert_eq!(health(&findings, "set-up"), "warn");
    assert_eq!(health(&findings, "log history"), "warn", "nothing is remembered yet");
    gateway.write("postgres-url", "postgres://nobody@127.0.0.1:1/nothing");
    let (ran, findings) = examined(&gateway);
    assert_eq!((ran.code, health(&findings, "database")), (1, "fail".into()));
}
