//! `porth review` and `porth alerts` as officers and agencies run them.

use serde_json::Value;

use super::{KNOWN, ask, ask_in_vain, ready};
use crate::cli::gateway::{Ran, porth};
use crate::cli::screen::desk;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;

const GROUNDS: [&str; 4] = ["--agreement", "programme-delivery/v1", "--role", "auditor"];

fn run(home: &TestGateway, words: &[&str], more: &[&str]) -> Ran {
    let arguments = [&["--json"][..], words, &["--config", "porth.toml"], more].concat();
    tokio::task::block_in_place(|| porth(home.folder(), &arguments))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn officers_draw_judge_and_confirm_and_the_agency_reads_and_replies() {
    let home = ready(Backend::Sqlite).await;
    let hub = home.agency("early-help-hub").await;
    let entry = ask(&hub, &KNOWN).await.to_string();
    for _ in 0..3 {
        ask_in_vain(&hub, &KNOWN).await;
    }
    home.wait_sequenced().await;
    for account in ["ig-1", "ig-2"] {
        let who = ["--account", account, "--agency", "programme-team", "--by", "ops-1", "--reason", "appointed"];
        run(&home, &["review", "officer", "add"], &who).done();
    }
    let own = ["--account", "ig-3", "--agency", "programme-team", "--by", "ig-3", "--reason", "x"];
    assert_eq!(run(&home, &["review", "officer", "add"], &own).code, 3);
    assert_eq!(run(&home, &["review", "officer", "list"], &[]).done().json().as_array().map(Vec::len), Some(2));

    let period =
        ["--since", "2020-01-01T00:00:00Z", "--until", "2120-01-01T00:00:00Z", "--by", "ig-1", "--reason", "q:3"];
    let random = [&["--strategy", "random", "--size", "4"][..], &period].concat();
    let drawn = run(&home, &["review", "draw"], &random).done().json();
    assert_eq!((&drawn["said"]["population"], &drawn["said"]["sample"]), (&4.into(), &4.into()));
    let plan = text(&drawn["plan"]);
    let again = run(&home, &["review", "draw", "--repeat", plan], &[]).done().json();
    assert_eq!(again["is_same"], true, "{again}");
    let stranger = [&["--strategy", "random"][..], &period[..4], &["--by", "nobody", "--reason", "x"]].concat();
    assert_eq!(run(&home, &["review", "draw"], &stranger).code, 3);

    let show = |account: &'static str| [&["--by", account][..], &GROUNDS].concat();
    let shown = run(&home, &["review", "show", &entry], &show("ig-1")).done().json();
    assert_eq!(shown["review"]["state"], "taken", "{shown}");
    assert!(shown["sentences"].to_string().contains("education might contribute"), "{shown}");
    let due = home.now().await.date().to_string();
    let finding = ["--finding", "not_justified_no_basis", "--severity", "high", "--action", "suspend_agreement"];
    let what =
        ["--owner", "agreements-lead", "--due", &due, "--suspend", super::CORE, "--by", "ig-1", "--reason", "r:1"];
    let decided = run(&home, &["review", "decide", &entry], &[&finding[..], &what].concat()).done().json();
    assert_eq!(decided["review"]["state"], "proposed");
    let confirm = |account: &'static str| ["confirm", "--by", account, "--reason", "r:2"];
    let same = run(&home, &["review", "second", &entry], &confirm("ig-1"));
    assert!(same.code == 3 && same.err.contains("another person"), "{same:?}");
    run(&home, &["review", "show", &entry], &show("ig-2")).done();
    let confirmed = run(&home, &["review", "second", &entry], &confirm("ig-2")).done().json();
    assert_eq!((&confirmed["review"]["state"], &confirmed["suspended"]), (&"due".into(), &super::CORE.into()));

    let listed = run(&home, &["review", "list"], &["--state", "due"]).done().json();
    assert_eq!(listed[0]["entry"], entry.as_str(), "{listed}");
    assert_eq!(run(&home, &["review", "list"], &["--overdue"]).done().json(), serde_json::json!([]));
    let figures = run(&home, &["review", "figures", plan], &[]).done().json();
    assert_eq!((&figures["figures"]["reviewed"], &figures["figures"]["adverse"]), (&1.into(), &1.into()));
    let plain = [&["review", "figures", plan, "--config", "porth.toml"][..]].concat();
    let plain = tokio::task::block_in_place(|| porth(home.folder(), &plain)).done().out;
    assert!(plain.contains("Error rate 100.0%; of the population between 20.7% and 100.0% (95%, wilson)."), "{plain}");

    let desk = desk(&hub);
    let agency = |words: &[&str]| {
        let arguments = [&["--json"][..], words, &["-c", "connection.toml"]].concat();
        let ran = tokio::task::block_in_place(|| desk.porth(&arguments));
        let out = serde_json::from_slice::<Value>(&ran.stdout).unwrap_or_default();
        (ran.status.code(), out, String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let (code, found, errors) = agency(&["review", "findings"]);
    assert_eq!((code, text(&found["findings"][0]["entry"])), (Some(0), entry.as_str()), "{errors}");
    let reply = ["review", "reply", &entry, "--position", "disputed", "--reason", "letter:118"];
    let (code, said, errors) = agency(&reply);
    assert!(code == Some(0) && said["disclosure"].is_string(), "{errors}");
    assert_eq!(agency(&reply).0, Some(3), "once");
    let shown = run(&home, &["review", "show", &entry], &show("ig-2")).done().json();
    assert_eq!(shown["replies"][0]["position"], "disputed", "{shown}");
    let done = run(&home, &["review", "done", &entry], &["--by", "ig-2", "--reason", "r:3"]).done().json();
    assert_eq!(done["review"]["state"], "closed");
    home.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn officers_list_escalate_and_close_alerts() {
    let home = ready(Backend::Sqlite).await;
    let hub = home.agency("early-help-hub").await;
    ask_in_vain(&hub, &KNOWN).await;
    ask(&hub, &KNOWN).await;
    home.wait_sequenced().await;
    let watched = run(&home, &["alerts", "watch"], &[]).done().json();
    assert_eq!(watched["opened"], 1, "{watched}");
    let who = ["--account", "ig-1", "--agency", "programme-team", "--by", "ops-1", "--reason", "appointed"];
    run(&home, &["review", "officer", "add"], &who).done();

    let listed = run(&home, &["alerts", "list"], &[]).done().json();
    assert_eq!((&listed[0]["kind"], &listed[0]["agency"]), (&"refused_then_granted".into(), &"early-help-hub".into()));
    let alert = text(&listed[0]["alert"]).to_owned();
    let by = |account: &'static str| ["--by", account, "--reason", "call:7"];
    assert_eq!(run(&home, &["alerts", "close", &alert], &by("stranger")).code, 3);
    let escalated = [&by("ig-1")[..], &["--to", "dpo"]].concat();
    assert_eq!(run(&home, &["alerts", "escalate", &alert], &escalated).done().json()["state"], "escalated");
    let shown = run(&home, &["alerts", "show", &alert], &[]).done().json();
    assert_eq!((&shown["escalated_to"], &shown["severity"]), (&"dpo".into(), &"medium".into()));
    assert_eq!(run(&home, &["alerts", "close", &alert], &by("ig-1")).done().json()["state"], "closed");
    let again = run(&home, &["alerts", "close", &alert], &by("ig-1"));
    assert!(again.code == 3 && again.err.contains("porth alerts list --all"), "{again:?}");
    assert_eq!(run(&home, &["alerts", "list"], &[]).done().json(), serde_json::json!([]));
    assert_eq!(run(&home, &["alerts", "list"], &["--all"]).done().json().as_array().map(Vec::len), Some(1));
    home.stop().await;
}
