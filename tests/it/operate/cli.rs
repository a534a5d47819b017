//! The operator's commands as processes: stop, back up, restore, and refuse to go on behind the log.

use std::fs;

use porth::domain::ids::EventId;
use porth::store::{Location, Store};
use rstest::rstest;

use crate::cli::agency::enrol;
use crate::cli::gateway::{CliGateway, porth};
use crate::cli::policy::{set_status, sign_by_all};
use crate::cli::serve::{start, stop};
use crate::support::database::{Backend, TestDatabase, empty_database};

/// Served once, so that the machine remembers a checkpoint.
async fn served(backend: Backend) -> CliGateway {
    let gateway = CliGateway::ready(backend, "pilot").await;
    let (child, _) = start(gateway.folder.path(), &["serve", "--config", "porth.toml"]);
    assert_eq!(stop(child).0, Some(0));
    assert!(gateway.path("porth-log-state").exists(), "the newest checkpoint is remembered");
    gateway
}

#[tokio::test]
async fn one_command_stops_each_kind_and_another_lets_it_go_on() {
    let gateway = CliGateway::ready(Backend::Sqlite, "pilot").await;
    sign_by_all(&gateway, "housing-support");
    set_status(&gateway, "housing-support", "signed").done();
    set_status(&gateway, "housing-support", "in_force").done();
    let enrolled = enrol(&gateway, "housing");
    let (client, kid, certificate) = (
        enrolled["client"].as_str().expect("an id").to_owned(),
        enrolled["assertion_key_id"].as_str().expect("an id").to_owned(),
        enrolled["certificate_sha256"].as_str().expect("a hash").to_owned(),
    );
    let key = format!("{client}/{kid}");
    for (kind, name) in [
        ("agency", "housing"),
        ("certificate", &certificate),
        ("client", &client),
        ("client-key", &key),
        ("feed", "housing/tenancies"),
        ("agreement", "housing-support/v1"),
    ] {
        let run = |verb: &str| {
            let more = ["--config", "porth.toml", "--by", "ops-1", "--reason", "incident:2026-014"];
            gateway.run(&[["--json", verb, kind, name].as_slice(), &more].concat())
        };
        assert_eq!(run("resume").code, 1, "{kind} is not suspended yet");
        let told = run("suspend").done().json();
        assert_eq!((&told["kind"], &told["name"], &told["active"]), (&kind.into(), &name.into(), &false.into()));
        assert_eq!(run("suspend").code, 1, "{kind} is suspended already");
        if kind == "agreement" {
            let alone = run("resume");
            assert!(alone.code == 1 && alone.err.contains("two officers"), "{alone:?}");
            set_status(&gateway, "housing-support", "in_force").done();
            continue;
        }
        run("resume").done();
    }
    let wrong = gateway.run(&["suspend", "feed", "housing", "--config", "porth.toml", "--by", "a", "--reason", "b"]);
    assert!(wrong.code == 1 && wrong.err.contains("agency/feed"), "{wrong:?}");
}

#[tokio::test]
async fn a_gateway_moves_from_sqlite_to_postgres_by_backup_and_restore() {
    let gateway = served(Backend::Sqlite).await;
    gateway.run(&["log", "export", "--config", "porth.toml", "--to", "export"]).done();
    let made = gateway.run(&["--json", "backup", "--config", "porth.toml", "--to", "move.backup"]).done().json();
    assert_eq!(made["log_pending"], 0, "{made}");
    let trust = gateway.run(&["log", "trust", "--config", "porth.toml"]).done();
    gateway.write("trust.toml", &trust.out);

    gateway.write("postgres-url", &empty_database().await);
    for file in ["porth.toml", "sequencer.toml"] {
        gateway.edit(file, "sqlite = \"porth.sqlite\"", "postgres_url_file = \"postgres-url\"");
    }
    let restored = gateway
        .run(&[
            "--json",
            "restore",
            "--config",
            "porth.toml",
            "--from",
            "move.backup",
            "--checkpoint",
            "export/checkpoint",
            "--trust",
            "trust.toml",
        ])
        .done()
        .json();
    assert_eq!((&restored["from_engine"], &restored["to_engine"]), (&"sqlite".into(), &"postgres".into()));
    assert_eq!((&restored["missing"], &restored["signatures_checked"]), (&0.into(), &true.into()));
    assert_eq!(restored["log_size"], made["log_size"]);
    let (child, _) = start(gateway.folder.path(), &["serve", "--config", "porth.toml"]);
    assert_eq!(stop(child).0, Some(0));
    gateway.run(&["log", "export", "--config", "porth.toml", "--to", "after"]).done();
    gateway.run(&["log", "verify", "after", "--trust", "trust.toml", "--checkpoint", "export/checkpoint"]).done();
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_gateway_does_not_serve_on_an_older_database_than_it_remembers(#[case] backend: Backend) {
    let gateway = served(backend).await;
    gateway.run(&["backup", "--config", "porth.toml", "--to", "old.backup"]).done();
    for reason in ["once", "twice"] {
        for verb in ["suspend", "resume"] {
            let what = ["feed", "housing/tenancies", "--config", "porth.toml", "--by", "ops-1", "--reason", reason];
            gateway.run(&[[verb].as_slice(), &what].concat()).done();
        }
    }
    let (child, _) = start(gateway.folder.path(), &["serve", "--config", "porth.toml"]);
    assert_eq!(stop(child).0, Some(0));
    let remembered = fs::read(gateway.path("porth-log-state")).expect("reads");

    // The older backup goes into a new database.
    match backend {
        Backend::Sqlite => gateway.edit("porth.toml", "porth.sqlite", "restored.sqlite"),
        Backend::Postgres => gateway.write("postgres-url", &empty_database().await),
    }
    let restore = ["restore", "--config", "porth.toml", "--from", "old.backup"];
    let refused = gateway.run(&restore);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("4 entries are missing"), "{refused:?}");
    let blind = gateway.path("elsewhere");
    fs::rename(gateway.path("porth-log-state"), &blind).expect("moves");
    let blindly = gateway.run(&restore).done(); // nothing newer is known to this command
    assert!(blindly.err.contains("Nobody can tell whether this is the newest backup"), "{blindly:?}");
    assert!(blindly.err.contains("suspend and revoke again"), "{blindly:?}");
    fs::rename(&blind, gateway.path("porth-log-state")).expect("moves");
    for command in
        [["serve", "--config", "porth.toml"].as_slice(), &["sequence", "--config", "sequencer.toml", "--once"]]
    {
        if command[0] == "sequence" && matches!(backend, Backend::Sqlite) {
            gateway.edit("sequencer.toml", "porth.sqlite", "restored.sqlite");
        }
        let refused = gateway.run(command);
        assert_eq!(refused.code, 4, "{command:?}: {refused:?}");
        assert!(refused.err.contains("4 are missing") && refused.err.contains("--accept-loss"), "{refused:?}");
    }
    let doctor = gateway.run(&["doctor", "gateway", "--config", "porth.toml"]);
    assert!(doctor.code == 1 && doctor.out.contains("fail  log history"), "{doctor:?}");

    // Somebody accepts the loss by name: it is in the log, and the gateway serves again.
    match backend {
        Backend::Sqlite => gateway.edit("porth.toml", "restored.sqlite", "accepted.sqlite"),
        Backend::Postgres => gateway.write("postgres-url", &empty_database().await),
    }
    assert_eq!(fs::read(gateway.path("porth-log-state")).expect("reads"), remembered);
    let accept = ["--accept-loss", "--by", "ops-1", "--reason", "disc-failed"];
    let accepted = gateway.run(&[restore.as_slice(), &accept].concat()).done();
    assert!(accepted.err.contains("4 entries of the log are lost"), "{accepted:?}");
    let (child, _) = start(gateway.folder.path(), &["serve", "--config", "porth.toml"]);
    assert_eq!(stop(child).0, Some(0));
    gateway.run(&["log", "export", "--config", "porth.toml", "--to", "export"]).done();
    let entries = walk(&gateway.path("export"));
    assert!(entries.contains("\"type\":\"log.restore\"") && entries.contains("\"missing\":4"));
}

/// Every file of a folder as one text.
fn walk(folder: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        text +=
            &if path.is_dir() { walk(&path) } else { String::from_utf8_lossy(&fs::read(&path).expect("reads")).into() };
    }
    text
}

#[test]
fn completions_and_manual_pages_cover_the_commands() {
    let folder = tempfile::tempdir().expect("a folder");
    for (shell, word) in [("bash", "complete -F _porth"), ("zsh", "#compdef porth"), ("fish", "complete -c porth")] {
        let ran = porth(folder.path(), &["completions", shell]).done();
        assert!(ran.out.contains(word) && ran.out.contains("suspend"), "{shell}");
    }
    porth(folder.path(), &["man", "pages"]).done();
    for page in ["porth.1", "porth-restore.1", "porth-log-verify.1", "porth-suspend.1"] {
        let text = fs::read_to_string(folder.path().join("pages").join(page)).unwrap_or_else(|_| panic!("{page}"));
        assert!(text.contains(".SH NAME"), "{page}");
    }
}

#[tokio::test]
async fn a_backup_needs_a_schema_and_a_restore_says_what_is_wrong() {
    let gateway = CliGateway::prepare(Backend::Sqlite, "pilot").await;
    let none = gateway.run(&["backup", "--config", "porth.toml", "--to", "a.backup"]);
    assert!(none.code == 1 && none.err.contains("run `porth migrate`"), "{none:?}");
    assert!(!gateway.path("a.backup").exists() && !gateway.path("a.backup.part").exists());
    gateway.write("not-one", "BEGIN; CREATE TABLE t (id INTEGER);");
    let wrong = gateway.run(&["restore", "--config", "porth.toml", "--from", "not-one"]);
    assert!(wrong.code == 4 && wrong.err.contains("no backup"), "{wrong:?}");
    let alone = gateway.run(&["restore", "--config", "porth.toml", "--from", "not-one", "--accept-loss"]);
    assert_eq!(alone.code, 2, "a loss is accepted by somebody, for a reason");
    gateway.run(&["migrate", "--config", "porth.toml"]).done();
}

#[tokio::test]
async fn what_is_no_learned_weights_is_not_applied_and_none_are_withdrawn_where_none_are_in_force() {
    let gateway = CliGateway::ready(Backend::Sqlite, "pilot").await;
    gateway.run(&["keys", "init", "--for", "match-run", "--folder", "match-run"]).done();
    fs::write(gateway.path("weights.json"), r#"{ "version": 1 }"#).expect("written");
    let apply = ["weights", "apply", "--config", "porth.toml", "--key", "match-run/match-run-private.key"];
    let refused = gateway.run(&[&apply[..], &["--weights", "weights.json", "--by", "analyst-1"]].concat());
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("not a weights artefact"), "{}", refused.err);
    let nothing = gateway.run(&["weights", "withdraw", "--config", "porth.toml", "--by", "analyst-1"]);
    assert_eq!(nothing.code, 1, "{}", nothing.err);
    assert!(nothing.err.contains("no weights are in force"), "{}", nothing.err);
}

/// Where the gateway's data lie: in the restored copy, once there is one.
fn location(gateway: &CliGateway) -> Location {
    let path = fs::read_to_string(gateway.path("postgres-url")).map(|url| Location::Postgres(url.trim().to_owned()));
    let restored = gateway.path("restored.sqlite");
    let file = if restored.exists() { restored } else { gateway.path("porth.sqlite") };
    path.unwrap_or(Location::Sqlite(file))
}

/// Every entry in the gateway's database, and whether what opened one of them is there still.
async fn database(gateway: &CliGateway, event: EventId) -> (Vec<serde_json::Value>, bool) {
    let store = Store::connect(&location(gateway), 2).await.expect("opens");
    let entries = store.log_entries(0, 1000).await.expect("entries");
    let entries = entries.iter().map(|(_, body)| serde_json::from_slice(body).expect("JSON")).collect();
    let opens = store.sealed_entry(event, "wrong").await.expect("asked").is_some();
    store.close().await;
    (entries, opens)
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn no_command_shows_what_was_erased_before_an_old_copy_was_restored(#[case] backend: Backend) {
    let gateway = CliGateway::ready(backend, "pilot").await;
    let record = format!("education/attendance/{}", crate::support::programme::opaque(1));
    let open = ["--json", "recall", "open", "--record", &record, "--by", "ig-1", "--reason", "namesake"];
    let opened = gateway.run(&[&open[..], &["--config", "porth.toml"]].concat()).done().json();
    let event = opened["disclosure"].as_str().expect("an entry").to_owned();
    let entry: EventId = event.parse().expect("an event");
    // What an open recall names is not erased; that this one is over is not what the test is about.
    let beside = TestDatabase::opened(location(&gateway)).await;
    beside.execute("UPDATE recall SET state = 'closed', closed_at = 1").await;
    gateway.run(&["backup", "--config", "porth.toml", "--to", "old.backup"]).done();
    let erase =
        ["log", "erase", "--config", "porth.toml", "--entry", &event, "--by", "ops-1", "--reason", "uk-gdpr:17"];
    gateway.run(&erase).done();
    assert!(!database(&gateway, entry).await.1);
    assert!(fs::read_to_string(gateway.path("porth-log-state.erased")).expect("kept").contains(&event));

    match backend {
        Backend::Sqlite => gateway.edit("porth.toml", "porth.sqlite", "restored.sqlite"),
        Backend::Postgres => gateway.write("postgres-url", &empty_database().await),
    }
    let restored = gateway.run(&["restore", "--config", "porth.toml", "--from", "old.backup"]).done();
    assert!(restored.err.contains("1 entries were erased once"), "{restored:?}");
    assert!(database(&gateway, entry).await.1, "the copy is older than the erasure");

    // What needs no gateway goes no further, and says what to do.
    for command in [
        ["backup", "--config", "porth.toml", "--to", "new.backup"].as_slice(),
        &["log", "index", "--config", "porth.toml"],
        &["agency", "list", "--config", "porth.toml"],
        &["policy", "matrix", "--config", "porth.toml"],
    ] {
        let refused = gateway.run(command);
        assert_eq!(refused.code, 4, "{command:?}: {refused:?}");
        assert!(refused.err.contains("restored from an older backup"), "{refused:?}");
        assert!(refused.err.contains("porth retention show"), "{refused:?}");
    }
    let doctor = gateway.run(&["doctor", "gateway", "--config", "porth.toml"]);
    assert!(doctor.out.contains("fail  erasures"), "{doctor:?}");
    // A list that cannot be read is no leave to go on.
    let list = fs::read_to_string(gateway.path("porth-log-state.erased")).expect("kept");
    gateway.write("porth-log-state.erased", "Jowan Trelawny\n");
    let refused = gateway.run(&["recall", "list", "--config", "porth.toml"]);
    assert!(refused.code != 0 && refused.err.contains("line 1") && !refused.err.contains("Jowan"), "{refused:?}");
    assert!(database(&gateway, entry).await.1);
    gateway.write("porth-log-state.erased", &list);

    // Any other command erases it first, and the log says so.
    gateway.run(&["recall", "list", "--config", "porth.toml"]).done();
    let (entries, opens) = database(&gateway, entry).await;
    assert!(!opens, "nothing opens it any more");
    let erasures: Vec<_> = entries.iter().filter(|entry| entry["type"] == "erasure").collect();
    assert_eq!(erasures.len(), 1, "{entries:?}");
    let body = &erasures[0]["body"];
    assert_eq!((&body["reason"], &body["events"][0]), (&"restored-backup".into(), &event.as_str().into()));
    gateway.run(&["backup", "--config", "porth.toml", "--to", "new.backup"]).done();
    gateway.run(&["recall", "list", "--config", "porth.toml"]).done();
    assert_eq!(database(&gateway, entry).await.0.len(), entries.len(), "once");
}
