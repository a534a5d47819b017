//! Auditors and officers at oversight: what they read, what a look costs, an export that verifies without us,
//! and a recall that is opened.

use std::path::Path;
use std::process::Command;

use porth::app::console::DEMONSTRATION;
use porth::domain::agreement::AgreementStatus;
use porth::domain::ids::AgreementRef;
use porth::tlog::entry::AgreementState;
use rstest::rstest;
use serde_json::json;

use super::TestConsole;
use super::UNKNOWN;
use super::refusals::{form_token, location};
use crate::cli::gateway::porth;
use crate::support::database::Backend;
use crate::support::people::Person;

const ADA: Person = Person::new("Ada", "1 Quay");

/// Checks an unpacked export with our own program and with the one that shares no code with it.
fn verifies(home: &Path, folder: &Path, receipt: &str) {
    let trust = porth(home, &["log", "trust", "--config", "porth.toml"]).done().out;
    std::fs::write(home.join("trust.toml"), trust).expect("written");
    std::fs::write(home.join("receipt"), receipt).expect("written");
    let folder = folder.to_str().expect("text");
    porth(home, &["log", "verify", folder, "--trust", "trust.toml", "--receipt", "receipt"]).done();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_bundle.py");
    let other =
        Command::new("python3").current_dir(home).args([script, folder, "trust.toml", "--without-openings"]).output();
    let other = other.expect("python3 runs");
    assert!(
        other.status.success(),
        "{}{}",
        String::from_utf8_lossy(&other.stdout),
        String::from_utf8_lossy(&other.stderr)
    );
}

/// Unpacks an archive with the system's own program; the one folder in it.
fn unpacked(archive: &Path, into: &Path) -> std::path::PathBuf {
    let done = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(into).output().expect("tar runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let folders: Vec<_> = std::fs::read_dir(into).expect("a folder").map(|entry| entry.expect("one").path()).collect();
    let [folder] = &folders[..] else { panic!("one folder: {folders:?}") };
    folder.clone()
}

#[rstest]
#[case::sqlite(Backend::Sqlite, "on")]
#[case::sqlite_without_scripts(Backend::Sqlite, "off")]
#[case::postgres(Backend::Postgres, "on")]
#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_checks_a_disclosure_and_a_receipt_and_takes_the_log_away(
    #[case] backend: Backend,
    #[case] scripts: &str,
) {
    let console = TestConsole::start(backend).await;
    let asker = console.gateway.agency("early-help-hub").await;
    let reply = asker.enquire(&asker.question("areas", &UNKNOWN)).await;
    let receipt = reply.json()["receipt"].as_str().expect("a receipt").to_owned();
    console.gateway.wait_sequenced().await;
    let folder = tempfile::tempdir().expect("a folder");
    let download = folder.path().join("log.tar");
    let environment = [
        ("PORTH_TEST_SCRIPTS", scripts),
        ("PORTH_TEST_RECEIPT", receipt.as_str()),
        ("PORTH_TEST_DOWNLOAD", download.to_str().expect("text")),
    ];
    console.walk("auditor.mjs", &environment).await;

    let into = tempfile::tempdir().expect("a folder");
    let bundle = unpacked(&download, into.path());
    tokio::task::block_in_place(|| verifies(console.gateway.folder(), &bundle, &receipt));
    assert!(!bundle.join("openings").exists(), "nobody is shown by an export of the console");
    let left = std::fs::read_dir(console.gateway.folder()).expect("a folder").filter_map(Result::ok);
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("export-")).collect();
    assert!(left.is_empty(), "nothing of it stays on the machine: {left:?}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite, "on")]
#[case::sqlite_without_scripts(Backend::Sqlite, "off")]
#[case::postgres(Backend::Postgres, "on")]
#[tokio::test(flavor = "multi_thread")]
async fn officers_see_what_a_version_would_change_and_approve_it_by_the_keyboard(
    #[case] backend: Backend,
    #[case] scripts: &str,
) {
    let console = TestConsole::start(backend).await;
    for _ in 0..2 {
        console.ask_once().await;
    }
    let gateway = console.gateway.gateway();
    let of: AgreementRef = "early-help-core/v1".parse().expect("a reference");
    gateway.set_agreement_status(&of, AgreementState::Suspended, "board", "incident").await.expect("suspended");
    console.walk("agreements.mjs", &[("PORTH_TEST_SCRIPTS", scripts)]).await;
    let policies = gateway.current_policies().await.expect("policies");
    assert_eq!(policies.book().agreement(&of).expect("the agreement").status, AgreementStatus::InForce);
}

#[rstest]
#[case::sqlite(Backend::Sqlite, "on")]
#[case::sqlite_without_scripts(Backend::Sqlite, "off")]
#[case::postgres(Backend::Postgres, "on")]
#[tokio::test(flavor = "multi_thread")]
async fn an_officer_opens_a_recall_of_a_wrong_delivery(#[case] backend: Backend, #[case] scripts: &str) {
    let console = TestConsole::start(backend).await;
    let education = console.gateway.agency("education").await;
    let ada = ADA.record(&console.gateway.linkage, "child", json!([]));
    let delivery = education.deliver("attendance", "early-help-core/v1", &[ada]).await;
    console.ask_once().await;
    console.walk("recall.mjs", &[("PORTH_TEST_SCRIPTS", scripts), ("PORTH_TEST_SUBMISSION", &delivery)]).await;
    let reports = console.gateway.gateway().recall_reports().await.expect("recalls");
    let [report] = &reports[..] else { panic!("one recall: {reports:?}") };
    let officer = console.gateway.gateway().console_account(&console.issuer, "officer");
    assert_eq!((report.recall.raised_by.as_str(), report.recall.reason.as_str()), (officer.as_str(), "record-wrong"));
}

/// With JavaScript, of course: the warning is what it is for.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_says_so_and_pages_print() {
    let console = TestConsole::start(Backend::Sqlite).await;
    console.register("officer").await;
    console.ask_once().await;
    console.walk("session.mjs", &[]).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn looks_of_oversight_are_logged_and_refused_without_the_agreement(#[case] backend: Backend) {
    let console = TestConsole::start_demonstration(backend).await;
    console.ask_once().await;
    let cookie = console.enter("porth-officer").await;
    let token = form_token(&console.get("/", Some(&cookie)).await);
    let what_if = format!("form-token={token}&step=what-if&with=without&days=7");
    let at = "/agreements/early-help-core/1/differences";
    let looks = async |outcome| console.gateway.events("log.access", outcome).await;

    let before = looks("answered").await;
    let replayed = console.post(at, Some(&cookie), &what_if).await;
    assert_eq!(replayed.status, 200, "{}", replayed.text());
    assert!(replayed.text().contains("Questions of the last 7 days"), "{}", replayed.text());
    let exported = console.post("/log/export", Some(&cookie), &format!("form-token={token}&step=export")).await;
    assert_eq!(
        (exported.status, &exported.headers["content-type"]),
        (200, &"application/x-tar".parse().expect("text"))
    );
    assert!(exported.headers["content-disposition"].to_str().expect("text").starts_with("attachment; "));
    assert_eq!(looks("answered").await, before + 2, "the replay and the export are entries");

    // Without the agreement nothing of the log leaves, and every attempt is an entry.
    let of: AgreementRef = "programme-delivery/v1".parse().expect("a reference");
    let gateway = console.gateway.gateway();
    gateway.set_agreement_status(&of, AgreementState::Withdrawn, "board", "over").await.expect("withdrawn");
    let refused = looks("refused").await;
    let entry = "01980000-0000-7000-8000-000000000000";
    for (path, body) in [
        (at, what_if.as_str()),
        ("/log/export", &format!("form-token={token}&step=export")),
        ("/verify", &format!("form-token={token}&step=check&which={entry}")),
    ] {
        let reply = console.post(path, Some(&cookie), body).await;
        assert_eq!(reply.status, 403, "{path}: {}", reply.text());
        assert!(reply.text().contains("The agreements do not allow this"), "{path}: {}", reply.text());
    }
    assert_eq!(looks("refused").await, refused + 3);
    // The pages themselves say nothing about anybody, and are there.
    for path in ["/agreements/matrix", at, "/verify", "/log/export"] {
        assert_eq!(console.get(path, Some(&cookie)).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recall_needs_a_proof_of_the_last_minutes_and_is_opened_once() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    let education = console.gateway.agency("education").await;
    let ada = ADA.record(&console.gateway.linkage, "child", json!([]));
    let delivery = education.deliver("attendance", "early-help-core/v1", &[ada]).await;
    let cookie = console.enter("porth-officer").await;
    let page = console.get("/recalls/new", Some(&cookie)).await;
    let (token, text) = (form_token(&page), String::from_utf8_lossy(&page.body).into_owned());
    let key = text.split("name=\"key\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a key");
    let body = format!("form-token={token}&step=open&of=submission&which={delivery}&reason=record-wrong&key={key}");

    console.gateway.database.execute("UPDATE console_session SET authenticated_at = 0").await;
    let page = console.get("/recalls/new", Some(&cookie)).await.text();
    assert!(page.contains("Confirm who you are") && !page.contains("name=\"which\""), "{page}");
    assert_eq!(console.post("/recalls/new", Some(&cookie), &body).await.status, 409);
    assert!(console.gateway.gateway().recall_reports().await.expect("recalls").is_empty());

    let cookie = console.enter("porth-officer").await;
    let token = form_token(&console.get("/recalls/new", Some(&cookie)).await);
    let body = format!("form-token={token}&step=open&of=submission&which={delivery}&reason=record-wrong&key={key}");
    let opened = console.post("/recalls/new", Some(&cookie), &body).await;
    assert_eq!(opened.status, 303, "{}", opened.text());
    let again = console.post("/recalls/new", Some(&cookie), &body).await;
    assert_eq!(location(&again), location(&opened), "a form that is sent twice opens one recall");
    assert_eq!(console.gateway.events("recall.open", "").await, 1);
    assert_eq!(console.issuer, DEMONSTRATION);
}
