//! Officers' commands as processes.

use serde_json::Value;

use crate::cli::gateway::CliGateway;
use crate::support::database::Backend;

const CONFIG: [&str; 2] = ["--config", "porth.toml"];

fn run(gateway: &CliGateway, args: &[&str]) -> crate::cli::gateway::Ran {
    gateway.run(&[&["--json"][..], args, &CONFIG[..]].concat())
}

#[tokio::test]
async fn an_incident_goes_its_way_on_the_command_line_and_is_packed() {
    let gateway = CliGateway::ready(Backend::Sqlite, "pilot").await;
    let open = ["incident", "open", "--by", "ig-1", "--nature", "key-exposed", "--reason", "laptop-lost"];
    let opened: Value = run(&gateway, &open).done().json();
    let id = opened["incident"].as_str().expect("an id").to_owned();
    let left = opened["seconds_left_of_72_hours"].as_i64().expect("seconds");
    assert!((72 * 3600 - 60..=72 * 3600).contains(&left), "{left}");

    let assess = [
        "incident",
        "assess",
        &id,
        "--by",
        "ig-1",
        "--risk",
        "risk",
        "--people",
        "0",
        "--records",
        "120",
        "--consequence",
        "none-known",
        "--measure",
        "key-revoked",
        "--reason",
        "key-was-locked",
    ];
    assert_eq!(run(&gateway, &assess).done().json()["state"], "assessed");
    let decide = |second: &'static str, commissioner: &'static str| {
        [
            "incident",
            "decide",
            &id,
            "--by",
            "dpo-1",
            "--second",
            second,
            "--notify-commissioner",
            commissioner,
            "--notify-people",
            "no",
            "--reason",
            "duty",
        ]
        .map(str::to_owned)
    };
    for (second, commissioner, code) in
        [("dpo-1", "yes", "incident.second_person"), ("siro-1", "no", "incident.commissioner")]
    {
        let args = decide(second, commissioner);
        let refused = run(&gateway, &args.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(refused.code == 1 && refused.err.contains(code), "{refused:?}");
    }
    let args = decide("siro-1", "yes");
    run(&gateway, &args.iter().map(String::as_str).collect::<Vec<_>>()).done();
    let packed = run(&gateway, &["incident", "pack", &id, "--by", "dpo-1", "--out", "pack"]).done().json();
    assert_eq!(packed["entries"], 0, "it is linked to nothing");
    let notice = std::fs::read_to_string(gateway.path("pack/notice.md")).expect("the notice");
    assert!(notice.contains("key-exposed") && notice.contains("The Commissioner is notified."), "{notice}");
    let again = run(&gateway, &["incident", "pack", &id, "--by", "dpo-1", "--out", "pack"]);
    assert!(again.code == 1 && again.err.contains("not empty"), "{again:?}");
    run(&gateway, &["incident", "close", &id, "--by", "ig-1", "--reason", "all-told"]).done();
    let shown = run(&gateway, &["incident", "show", &id]).done().json();
    assert_eq!(shown["state"], "closed");
    assert_eq!(run(&gateway, &["incident", "list"]).done().json()["incidents"].as_array().expect("a list").len(), 1);
    let nobody = "01990000-0000-7000-8000-000000000000";
    let unknown = run(&gateway, &["incident", "show", nobody]);
    assert!(unknown.code == 1 && unknown.err.contains("no such incident"), "{unknown:?}");
}

#[tokio::test]
async fn recalls_emergencies_and_decisions_not_to_share_have_their_commands() {
    let gateway = CliGateway::ready(Backend::Sqlite, "pilot").await;
    let record = format!("education/attendance/{}", crate::support::programme::opaque(1));
    let open = ["recall", "open", "--record", &record, "--by", "ig-1", "--reason", "namesake"];
    let opened = run(&gateway, &open).done().json();
    let id = opened["recall"].as_str().expect("an id");
    run(&gateway, &["recall", "run"]).done();
    let shown = run(&gateway, &["recall", "show", id]).done().json();
    assert_eq!((&shown["wrong"], &shown["by"]), (&0.into(), &"ig-1".into()));
    assert_eq!(run(&gateway, &["recall", "list"]).done().json()["recalls"].as_array().expect("a list").len(), 1);
    let wrong = ["recall", "open", "--record", &record, "--by", "ig-1", "--reason", "because"];
    let refused = run(&gateway, &wrong);
    assert!(refused.code == 1 && refused.err.contains("recall.reason"), "{refused:?}");
    let pair =
        ["recall", "open", "--pair", "01990000-0000-4000-8000-000000000000", "--by", "ig-1", "--reason", "namesake"];
    let refused = run(&gateway, &pair);
    assert!(refused.code == 1 && refused.err.contains("recall.unknown"), "{refused:?}");

    let waiting = run(&gateway, &["emergency", "list"]).done().json();
    assert_eq!(waiting["emergencies"].as_array().map(Vec::len), Some(0));
    let review = [
        "emergency",
        "review",
        "01990000-0000-7000-8000-000000000000",
        "--by",
        "ig-1",
        "--finding",
        "justified",
        "--reason",
        "danger",
    ];
    let refused = run(&gateway, &review);
    assert!(refused.code == 1 && refused.err.contains("emergency.unknown"), "{refused:?}");

    let decline = [
        "not-to-share",
        "--by",
        "ig-1",
        "--agency",
        "housing",
        "--asked-by",
        "landlord",
        "--item",
        "A2",
        "--purpose",
        "tenancy-support",
        "--reason",
        "no-agreement",
        "--basis",
        "UKGDPR-art5-1-b",
    ];
    let done = run(&gateway, &decline).done().json();
    assert!(done["receipt"].as_str().is_some_and(|receipt| receipt.contains("porth-receipt")), "{done}");
    let strange = decline.map(|word| if word == "tenancy-support" { "gossip" } else { word });
    let refused = run(&gateway, &strange);
    assert!(refused.code == 1 && refused.err.contains("not_to_share.undeclared"), "{refused:?}");
}

/// The lines of a page's `sh` blocks that run `porth`, word by word.
fn commands_of(page: &str) -> Vec<Vec<String>> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let page = std::fs::read_to_string(path).expect("the page");
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("porth "));
    lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn the_commands_of_the_pages_run_as_they_stand_there() {
    let gateway = CliGateway::ready(Backend::Sqlite, "pilot").await;
    let mut ran = 0;
    for page in ["incidents.md", "recalls.md", "emergency.md"] {
        let mut incident = String::new();
        for command in commands_of(page) {
            let words: Vec<&str> = command
                .iter()
                .map(|word| if word == "$INCIDENT" { incident.as_str() } else { word.as_str() })
                .collect();
            let done = gateway.run(&[&["--json"][..], &words[..]].concat()).done().json();
            if incident.is_empty()
                && let Some(opened) = done["incident"].as_str()
            {
                incident = opened.to_owned();
            }
            ran += 1;
        }
    }
    assert!(ran >= 11, "{ran} commands were found on the pages");
}
