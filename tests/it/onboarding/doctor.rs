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
    assert_eq!(verdict(&good, "revocation"), "warn", "no list is named");
    let list = std::fs::read_to_string(town.gateway.path("authority/revocation-list.pem")).expect("reads");
    town.gateway.write("hearth/list.pem", &list);
    let connection = std::fs::read_to_string(town.gateway.path("hearth/connection.toml")).expect("reads");
    town.gateway.write("hearth/connection.toml", &format!("{connection}revocation_lists = \"list.pem\"\n"));
    let good = look().done();
    let names = [
        "vectors",
        "folder",
        "keys",
        "key-check",
        "certificate",
        "revocation",
        "dns",
        "tcp",
        "tls",
        "clock",
        "token",
        "test-tokens",
    ];
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
    let none = spoil("list.pem", &list, &root);
    assert_eq!((verdict(&none, "revocation"), verdict(&none, "tls")), ("fail".to_owned(), "fail".to_owned()));
    let kept = std::fs::read_to_string(town.gateway.path("hearth/agency-keys.json")).expect("reads");
    let of_nhs = serde_json::from_str::<Value>(&kept).expect("JSON")["linkage"][0]["types"]["nhs"].clone();
    let of_nhs = of_nhs.as_str().expect("a key").to_owned();
    let other_key = spoil("agency-keys.json", &of_nhs, &of_nhs.chars().rev().collect::<String>());
    assert_eq!(verdict(&other_key, "test-tokens"), "fail", "the key of another linkage key: {other_key:?}");
    assert!(other_key.out.contains("porth check-tokens"), "{other_key:?}");
    assert_eq!(verdict(&look(), "test-tokens"), "ok");
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
