//! `porth doctor agency`: each trouble is told apart from the others.

use serde_json::Value;

use super::join::Town;
use crate::cli::gateway::Ran;
use crate::support::database::Backend;

/// The verdicts, check by check.
fn verdicts(ran: &Ran) -> Vec<(String, String)> {
    let findings = ran.json()["findings"].as_array().expect("findings").clone();
    let word = |finding: &Value, name: &str| finding[name].as_str().expect("a word").to_owned();
    findings.iter().map(|finding| (word(finding, "check"), word(finding, "verdict"))).collect()
}

fn verdict(ran: &Ran, check: &str) -> String {
    let all = verdicts(ran);
    all.into_iter().find(|(name, _)| name == check).unwrap_or_else(|| panic!("no {check}: {ran:?}")).1
}

#[tokio::test]
async fn a_machine_that_works_is_all_ok_and_every_trouble_is_told_apart() {
    let town = Town::open(Backend::Sqlite).await;
    let fingerprint = town.request("hearth");
    let look = || town.run(&["--json", "doctor", "agency", "--folder", "hearth"]);
    let before = look();
    assert_eq!((before.code, verdict(&before, "keys")), (4, "fail".to_owned()), "{before:?}");
    assert_eq!(verdict(&before, "certificate"), "fail");

    town.enrol("hearth", &fingerprint).done();
    let keys = town.grant("hearth", &fingerprint, "nhs,uprn", "childrens-social-care/connection.toml").done().json();
    town.finish("hearth", keys["fingerprint"].as_str()).done();
    let good = look().done();
    let names = ["vectors", "folder", "keys", "key-check", "certificate", "dns", "tcp", "tls", "clock", "token"];
    let ok: Vec<(String, String)> = names.iter().map(|name| ((*name).to_owned(), "ok".to_owned())).collect();
    assert_eq!(verdicts(&good), ok);

    let spoil = |file: &str, from: &str, to: &str| {
        let name = format!("hearth/{file}");
        let text = std::fs::read_to_string(town.gateway.path(&name)).expect("reads");
        assert!(text.contains(from), "{name} holds {from}");
        town.gateway.write(&name, &text.replacen(from, to, 1));
        let ran = look();
        town.gateway.write(&name, &text);
        assert_eq!(ran.code, 4, "{ran:?}");
        ran
    };
    let dns = spoil("connection.toml", "localhost", "no-such-host.invalid");
    assert_eq!((verdict(&dns, "dns"), verdict(&dns, "tcp")), ("fail".to_owned(), "warn".to_owned()));
    let port = town.address.rsplit(':').next().expect("a port").to_owned();
    let tcp = spoil("connection.toml", &format!(":{port}"), ":1");
    assert_eq!((verdict(&tcp, "tcp"), verdict(&tcp, "tls")), ("fail".to_owned(), "warn".to_owned()));
    let other =
        std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("keys-example/demo-ca.pem"))
            .expect("reads");
    let root = std::fs::read_to_string(town.gateway.path("hearth/gateway-root.pem")).expect("reads");
    let tls = spoil("gateway-root.pem", &root, &other);
    assert_eq!((verdict(&tls, "tls"), verdict(&tls, "token")), ("fail".to_owned(), "warn".to_owned()));
    let registered =
        serde_json::from_slice::<Value>(&std::fs::read(town.gateway.path("hearth/reply.json")).expect("reads"))
            .expect("JSON")["key_checks"]["1"]["nhs"]
            .as_str()
            .expect("a key check")
            .to_owned();
    let key = spoil("reply.json", &registered, "0000000000000000");
    assert_eq!(verdict(&key, "key-check"), "fail");

    let suspend =
        ["agency", "suspend", "--config", "porth.toml", "--agency", "hearth", "--by", "ops-1", "--reason", "x"];
    town.run(&suspend).done();
    let suspended = look();
    assert_eq!(
        (suspended.code, verdict(&suspended, "tls"), verdict(&suspended, "token")),
        (4, "ok".into(), "fail".into())
    );
    assert!(suspended.out.contains("agency-suspended"), "{suspended:?}");
    town.close();
}
