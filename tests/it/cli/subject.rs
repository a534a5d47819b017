//! `porth subject`, `porth retention` and `porth log erase`: a case goes through the commands of two agencies
//! and of officers; a freeze, and an erasure.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::gateway;
use super::screen::desk;
use super::tokenise::Desk;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::{Person, flag, reference};

const AGREEMENT: &str = "early-help-core/v1";
const GIRL: Person = Person::new("Girl of both", "1 Quay");

fn porth(desk: &Desk, role: &str, args: &[&str]) -> (Option<i32>, Value, String) {
    let user = reference("user");
    let who = ["-c", "connection.toml", "--role", role, "--user", user.as_str()];
    let who = if role.is_empty() { &who[..2] } else { &who[..] };
    let args = [&["--json", "subject"][..], args, who].concat();
    let ran = tokio::task::block_in_place(|| desk.porth(&args));
    let said = serde_json::from_slice(&ran.stdout).unwrap_or_default();
    (ran.status.code(), said, String::from_utf8_lossy(&ran.stderr).into_owned())
}

fn done(desk: &Desk, role: &str, args: &[&str]) -> Value {
    let (code, said, errors) = porth(desk, role, args);
    assert_eq!(code, Some(0), "{args:?}: {errors}");
    said
}

fn officer(home: &TestGateway, args: &[&str]) -> Value {
    let args = [&["--json"][..], args, &["--config", "porth.toml"]].concat();
    tokio::task::block_in_place(|| gateway::porth(home.folder(), &args)).done().json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_goes_through_the_commands_of_both_agencies_and_of_officers() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let (education, care) = (home.agency("education").await, home.agency("childrens-social-care").await);
    let row = |criterion: &str| GIRL.record(&home.linkage, "child", json!([flag(criterion, "met")]));
    education.deliver("attendance", AGREEMENT, &[row("E1")]).await;
    care.deliver("cases", AGREEMENT, &[row("H2")]).await;
    let (school, care) = (desk(&education), desk(&care));
    let (teacher, worker) = ("education-welfare-officer", "social-worker");

    let record = format!("attendance/{}", reference(GIRL.name));
    let opened = done(&school, teacher, &["open", "access", "--record", &record, "--reply-key", "case.key"]);
    assert_eq!(opened["case"]["protection"], "case-key");
    let case = opened["case"]["id"].as_str().expect("a number").to_owned();
    let data = done(&school, teacher, &["data", "--case", &case]);
    assert_eq!(data["records"][0]["says"]["flags"][0]["criterion"], "E1");
    let user = reference("user");
    let plain = ["subject", "data", "--case", &case, "-c", "connection.toml", "--role", teacher, "--user", &user];
    let plain = tokio::task::block_in_place(|| school.porth(&plain));
    let plain = String::from_utf8_lossy(&plain.stdout).into_owned();
    assert!(plain.contains("\"criterion\":\"E1\""), "people read what the record says too: {plain}");
    let (code, _, errors) =
        porth(&school, teacher, &["decide", "released", "--case", &case, "--reason", "x", "--criterion", "ZZ9"]);
    assert!(code == Some(3) && !errors.contains("ZZ9"), "an answer to access contests nothing: {errors}");
    let own = done(&school, "", &["list"]);
    assert_eq!(own["cases"][0]["id"], case.as_str());

    let parts = done(&care, "", &["parts"]);
    let part = parts["parts"][0]["id"].as_str().expect("a number").to_owned();
    assert!(!parts.to_string().contains("education"), "nothing says who opened it");
    care.write("redacted.txt", "what may be given");
    let answer = ["answer", "released", "--part", &part, "--reply", "redacted.txt", "--reason", "checked-file"];
    assert_eq!(done(&care, worker, &answer)["part"]["outcome"], "released");
    let (code, _, errors) = porth(&care, worker, &["data", "--case", &case]);
    assert_eq!(code, Some(3), "another agency's case: {errors}");
    let replies = ["replies", "--case", &case, "--reply-key", "case.key", "--out", "answers"];
    assert_eq!(done(&school, teacher, &replies)["written"], 1);
    assert_eq!(fs::read_to_string(school.path("answers").join(&part)).expect("written"), "what may be given");
    for (name, mode) in [("answers", 0o700), (format!("answers/{part}").as_str(), 0o600)] {
        let found = fs::metadata(school.path(name)).expect("written").permissions().mode();
        assert_eq!(found & 0o777, mode, "{name}: nobody else reads what a person is told");
    }
    let (code, _, _) = porth(&school, teacher, &["replies", "--case", &case, "--out", "closed"]);
    assert_eq!(code, Some(1), "without the key nothing opens");
    done(&school, teacher, &["open", "access", "--record", &record, "--reply-key", "other.key"]);
    let wrong = ["replies", "--case", &case, "--reply-key", "other.key", "--out", "closed"];
    assert_eq!(porth(&school, teacher, &wrong).0, Some(1), "the key of another case");
    assert!(!school.path("closed").exists(), "nothing is left behind");

    done(&school, teacher, &["clock", "extend", "--case", &case, "--reason", "complex"]);
    let complaint = done(&school, teacher, &["complain", "--about", "delay", "--case", &case]);
    let number = complaint["complaint"]["id"].as_str().expect("a number").to_owned();
    done(&school, teacher, &["complaint-step", "acknowledge", "--complaint", &number]);
    let close = ["complaint-step", "close", "--complaint", &number, "--outcome", "upheld"];
    assert_eq!(done(&school, teacher, &close)["complaint"]["state"], "closed");

    let register = officer(&home, &["subject", "register"]);
    let listed = register.as_array().into_iter().flatten().find(|line| line["case"] == case.as_str());
    assert_eq!(listed.expect("it is there")["overdue"], false);
    let key = home.folder().join("shield-private.key");
    fs::write(&key, home.shield.secret().expose_hex().as_bytes()).expect("written");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("sets the mode");
    let shown = officer(&home, &["subject", "shielded", "--shield-key", "shield-private.key", "--by", "officer-1"]);
    assert_eq!(shown, json!([]), "nobody here is shielded");
    home.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_keeps_an_entry_from_being_erased_until_it_is_lifted() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    education.deliver("attendance", AGREEMENT, &[GIRL.record(&home.linkage, "child", json!([]))]).await;
    let hub = home.agency("early-help-hub").await;
    let answered = hub.enquire(&hub.question("areas", &GIRL)).await;
    assert_eq!(answered.status, 201, "{answered:?}");
    let entry = answered.json()["disclosure"].as_str().expect("an entry").to_owned();

    let shown = officer(&home, &["retention", "show"]);
    assert!(
        shown.as_array().is_some_and(|rules| rules.len() == 7 && rules.iter().all(|rule| rule["months"].is_number()))
    );
    let hold = ["retention", "hold", "entry", &entry, "--by", "ig-officer-1", "--reason", "inquiry:2026-1"];
    let freeze = officer(&home, &hold)["hold"].as_str().expect("a number").to_owned();
    let erase = ["log", "erase", "--entry", &entry, "--by", "ops-1", "--reason", "uk-gdpr:17-1-d"];
    assert_eq!(officer(&home, &erase), json!({ "erased": 0, "held": 1, "examined": 0, "without": 0 }));
    let second = ["--account", "ig-officer-2", "--agency", "programme-team", "--by", "ops-1", "--reason", "appointed"];
    officer(&home, &[&["review", "officer", "add"][..], &second].concat());
    officer(&home, &["retention", "lift", &freeze, "--by", "ig-officer-2", "--reason", "inquiry-over"]);
    assert_eq!(officer(&home, &erase), json!({ "erased": 1, "held": 0, "examined": 0, "without": 0 }));
    assert_eq!(officer(&home, &erase), json!({ "erased": 0, "held": 0, "examined": 0, "without": 1 }));
    let kept = fs::read_dir(home.folder()).expect("a folder").flatten();
    let kept = kept.map(|it| it.path()).find(|path| path.extension().is_some_and(|extension| extension == "erased"));
    assert_eq!(fs::read_to_string(kept.expect("a file of erasures")).expect("text"), format!("{entry}\n"));
    assert_eq!(officer(&home, &["retention", "run", "--by", "ops-1"])["entries_erased"], 0);
    let holds = officer(&home, &["retention", "holds"]);
    assert!(holds[0]["lifted_at"].is_string(), "{holds}");
    home.stop().await;
}
