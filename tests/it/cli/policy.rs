//! `porth policy`: files checked, signed, put in force and explained.

use std::fs;
use std::path::Path;

use rstest::rstest;

use super::gateway::{CliGateway, porth, shipped_policies};
use crate::support::database::Backend;

fn copied_policies(to: &Path) {
    for (from, name) in ["", "agencies", "agreements", "rules"].map(|name| (shipped_policies().join(name), name)) {
        fs::create_dir_all(to.join(name)).expect("makes");
        for entry in fs::read_dir(from).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                fs::copy(&path, to.join(name).join(path.file_name().expect("a name"))).expect("copies");
            }
        }
    }
}

/// Signs an agreement for every one of its parties, as each would on its own machine, and keeps the signatures.
pub(crate) fn sign_by_all(gateway: &CliGateway, agreement: &str) {
    sign_by_all_of(gateway, &shipped_policies(), agreement);
}

/// Every party signs an agreement as it stands in a folder of policies.
pub(crate) fn sign_by_all_of(gateway: &CliGateway, policies: &Path, agreement: &str) {
    let file = policies.join(format!("agreements/{agreement}.toml"));
    let text = fs::read_to_string(&file).expect("reads");
    let table: toml::Table = toml::from_str(&text).expect("TOML");
    let file = file.to_str().expect("a plain path");
    let mut signatures = Vec::new();
    for party in table["party"].as_array().expect("parties") {
        let party = party["agency"].as_str().expect("a code");
        let folder = format!("signatory-{party}");
        if !gateway.path(&folder).exists() {
            let made = ["--json", "keys", "init", "--for", "signatory", "--agency", party, "--folder", &folder];
            let id = gateway.run(&made).done().json()["key_id"].as_str().expect("an id").to_owned();
            let card = format!("{folder}/signatory.json");
            let enrol = ["agency", "enrol-signatory", "--config", "porth.toml", "--card", &card, "--key-id", &id];
            gateway.run(&[enrol.as_slice(), &["--by", "ops-1", "--confirmed-by", "ops-2"]].concat()).done();
        }
        let (key, out) = (format!("{folder}/signatory.key"), format!("{folder}/{agreement}.sig"));
        gateway.run(&["policy", "sign", "--agreement", file, "--key", &key, "--out", &out]).done();
        signatures.push(out);
    }
    let mut arguments = vec!["policy", "add-signature", "--config", "porth.toml"];
    arguments.extend(signatures.iter().map(String::as_str));
    let kept = gateway.run(&arguments).done();
    assert!(kept.out.contains("every party has signed"), "{kept:?}");
}

/// Moves an agreement to a status.
pub(crate) fn set_status(gateway: &CliGateway, agreement: &str, to: &str) -> super::gateway::Ran {
    let reference = format!("{agreement}/v1");
    if to == "in_force" {
        return put_in_force(gateway, &reference);
    }
    let arguments =
        ["policy", "status", &reference, to, "--config", "porth.toml", "--by", "ops-1", "--reason", "board:1"];
    gateway.run(&arguments)
}

/// Somebody asks and two officers approve; the first that fails is what comes back.
fn put_in_force(gateway: &CliGateway, reference: &str) -> super::gateway::Ran {
    let policy = |verb: &str, by: &str, more: &[&str]| {
        gateway.run(&[&["policy", verb, reference, "--config", "porth.toml", "--by", by], more].concat())
    };
    let asked = policy("request", "ops-1", &["--reason", "board:1"]);
    if asked.code != 0 {
        return asked;
    }
    let first = policy("approve", "ig-1", &[]).done();
    assert!(first.out.contains("Another officer"), "{first:?}");
    policy("approve", "ig-2", &[])
}

#[test]
fn the_shipped_policies_pass_their_check() {
    let policies = shipped_policies();
    let ran = porth(&policies, &["--json", "policy", "check", "--folder", "."]).done();
    let report = ran.json();
    assert_eq!(report["findings"], serde_json::json!([]));
    assert!(report["cases"].as_u64() > Some(10), "{report}");
}

#[test]
fn a_fault_is_told_as_file_key_code_and_sentence_and_fails_the_check() {
    let folder = tempfile::tempdir().expect("a folder");
    copied_policies(folder.path());
    let path = folder.path().join("agreements/early-help-core.toml");
    let text = fs::read_to_string(&path).expect("reads");
    fs::write(&path, text.replacen("\"early-help-screening\"", "\"no-such-purpose\"", 1)).expect("writes");
    let keys = folder.path().join("match-keys.toml");
    let text = fs::read_to_string(&keys).expect("reads");
    fs::write(&keys, text.replacen("tier = \"link\"", "tier = \"guess\"", 1)).expect("writes");
    let ran = porth(folder.path(), &["policy", "check", "--folder", "."]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let line = "agreements/early-help-core.toml:supply[0].purposes:unknown-purpose:the programme lists no such purpose";
    assert!(ran.out.lines().any(|told| told == line), "{ran:?}");
    assert!(ran.out.lines().any(|told| told.starts_with("match-keys.toml:")), "{ran:?}");
    assert!(!ran.out.contains("no-such-purpose"), "a value is not repeated: {ran:?}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agreement_comes_into_force_signed_by_all_and_the_explanation_follows_it(#[case] backend: Backend) {
    let gateway = CliGateway::ready(backend, "pilot").await;
    let explain = || {
        let terms =
            ["--recipient", "early-help-hub", "--agreement", "early-help-core/v1", "--purpose", "early-help-screening"];
        let rest = ["--mode", "areas", "--role", "hub-screener", "--relationship", "referral"];
        let from = ["--json", "policy", "explain", "--config", "porth.toml", "--on", "2026-09-20"];
        gateway.run(&[from.as_slice(), &terms, &rest].concat()).done().json()
    };
    assert_eq!(explain()["permitted"], false);
    let early = set_status(&gateway, "early-help-core", "signed");
    assert!(early.code == 1 && early.err.contains("is not signed by"), "{early:?}");

    sign_by_all(&gateway, "early-help-core");
    let skipped = set_status(&gateway, "early-help-core", "in_force");
    assert!(skipped.code == 1 && skipped.err.contains("is draft"), "{skipped:?}");
    set_status(&gateway, "early-help-core", "signed").done();
    set_status(&gateway, "early-help-core", "in_force").done();
    let now = explain();
    assert_eq!(now["permitted"], true, "{now}");
    assert!(now["sentences"].as_array().is_some_and(|sentences| sentences.len() > 3), "{now}");

    set_status(&gateway, "early-help-core", "suspended").done();
    assert_eq!(explain()["permitted"], false);
}

#[tokio::test]
async fn a_signature_over_another_text_is_not_kept() {
    let gateway = CliGateway::ready(Backend::Sqlite, "pilot").await;
    let made = ["--json", "keys", "init", "--for", "signatory", "--agency", "housing", "--folder", "s"];
    let id = gateway.run(&made).done().json()["key_id"].as_str().expect("an id").to_owned();
    let enrol = ["agency", "enrol-signatory", "--config", "porth.toml", "--card", "s/signatory.json", "--key-id"];
    let alone = gateway.run(&[enrol.as_slice(), &[&id, "--by", "ops-1", "--confirmed-by", "ops-1"]].concat());
    assert!(alone.code == 1 && alone.err.contains("two people"), "{alone:?}");
    let misread =
        [enrol.as_slice(), &["ed25519-0000000000000000", "--by", "ops-1", "--confirmed-by", "ops-2"]].concat();
    assert_eq!(gateway.run(&misread).code, 1);
    gateway.run(&[enrol.as_slice(), &[&id, "--by", "ops-1", "--confirmed-by", "ops-2"]].concat()).done();

    let text = fs::read_to_string(shipped_policies().join("agreements/housing-support.toml")).expect("reads");
    gateway.write("other.toml", &format!("{text}\n# one line more\n"));
    gateway
        .run(&["policy", "sign", "--agreement", "other.toml", "--key", "s/signatory.key", "--out", "other.sig"])
        .done();
    let refused = gateway.run(&["policy", "add-signature", "--config", "porth.toml", "other.sig"]);
    assert!(refused.code == 1 && refused.err.contains("not the signatory's under this text"), "{refused:?}");
}

#[test]
fn the_matrix_lists_what_is_allowed_and_the_rules_that_block_the_rest() {
    let policies = shipped_policies();
    let ran = porth(&policies, &["--json", "policy", "matrix", "--folder", ".", "--on", "2026-09-20"]).done();
    let cells = ran.json();
    let cells = cells.as_array().expect("cells");
    let (allowed, blocked): (Vec<_>, Vec<_>) = cells.iter().partition(|cell| cell["allowed"] == true);
    assert!(!allowed.is_empty() && !blocked.is_empty());
    assert!(blocked.iter().all(|cell| cell["rules"].as_array().is_some_and(|rules| !rules.is_empty())));
    let only = porth(&policies, &["policy", "matrix", "--folder", ".", "--recipient", "hearth"]).done();
    assert!(only.out.lines().all(|line| line.starts_with("hearth ")), "{only:?}");
}

#[test]
fn the_gaps_of_the_matrix_say_what_nobody_hears() {
    let policies = shipped_policies();
    let ran = porth(&policies, &["--json", "policy", "matrix", "--folder", ".", "--on", "2026-09-20", "--gaps"]).done();
    let gaps = ran.json();
    let gaps = gaps.as_array().expect("gaps");
    let unheard = |gap: &&serde_json::Value| gap["gap"] == "area_unheard" && gap["recipient"] == "housing";
    let housing: Vec<_> = gaps.iter().filter(unheard).map(|gap| gap["area"].as_str().expect("a code")).collect();
    assert_eq!(housing, ["A4"], "worklessness reaches no landlord");
}

#[test]
fn a_difference_of_two_versions_is_told_in_plain_words_and_by_whom_it_is_felt() {
    let folder = tempfile::tempdir().expect("a folder");
    copied_policies(folder.path());
    let text = fs::read_to_string(folder.path().join("agreements/housing-support.toml")).expect("reads");
    let next = text
        .replacen("version = 1", "version = 2\nsupersedes = 1", 1)
        .replacen("\"A2\", \"A3\"", "\"A3\"", 1)
        .replacen("ends = 2029-03-31", "ends = 2028-03-31", 1);
    fs::write(folder.path().join("next.toml"), next).expect("writes");
    let compare = |more: &[&str]| {
        let both = ["policy", "diff", "housing-support/v1", "next.toml", "--folder", ".", "--on", "2026-09-20"];
        porth(folder.path(), &[more, &both].concat()).done()
    };
    let told = compare(&[]).out;
    assert!(told.contains("dates: last day: 2028-03-31, was 2029-03-31"), "{told}");
    assert!(told.contains("loses items A2"), "{told}");
    let felt = "Carrow Homes and Community Safety loses A2 of Carrow Schools and Education Welfare for tenancy-support";
    assert!(told.contains(felt), "{told}");
    let effects = compare(&["--json"]).json();
    assert!(
        effects["effects"].as_array().is_some_and(|all| all.iter().all(|flip| flip["gains"] == false)),
        "{effects}"
    );

    let same = ["policy", "diff", "housing-support/v1", "housing-support/v1", "--folder", "."];
    let same = porth(folder.path(), &same).done().out;
    assert!(same.contains("the texts say the same") && same.contains("Nobody would learn more or less."), "{same}");
    let two = ["policy", "diff", "housing-support/v1", "police-contact/v1", "--folder", "."];
    assert_eq!(porth(folder.path(), &two).code, 1, "two agreements are not versions of one");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_is_loaded_is_compared_with_the_folder_and_past_questions_are_counted(#[case] backend: Backend) {
    let gateway = CliGateway::ready(backend, "pilot").await;
    sign_by_all(&gateway, "early-help-core");
    set_status(&gateway, "early-help-core", "signed").done();
    set_status(&gateway, "early-help-core", "in_force").done();
    let policies = shipped_policies();
    let folder = policies.to_str().expect("a plain path");
    let compare = ["--json", "policy", "diff", "--config", "porth.toml", "--folder", folder, "--on", "2026-09-20"];
    let replayed = [&compare[..], &["--replay-days", "30", "--by", "ops-1"]].concat();
    let difference = gateway.run(&replayed).done().json();
    assert_eq!(difference["texts"], serde_json::json!([]), "the same texts are loaded");
    assert!(
        difference["effects"]
            .as_array()
            .is_some_and(|all| !all.is_empty() && all.iter().all(|flip| flip["gains"] == true)),
        "the folder is taken as if all were in force: {difference}"
    );
    let none = serde_json::json!({ "questions": 0, "refused": 0, "allowed": 0, "changed": 0, "left_out": 0 });
    assert_eq!(difference["replay"], none, "nobody has asked yet");
    let unnamed = gateway.run(&[&compare[..], &["--replay-days", "30"]].concat());
    assert_ne!(unnamed.code, 0, "a look at past questions is logged under an account");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_pack_for_an_impact_assessment_says_what_flows_and_what_is_open(#[case] backend: Backend) {
    let gateway = CliGateway::ready(backend, "pilot").await;
    sign_by_all(&gateway, "early-help-core");
    set_status(&gateway, "early-help-core", "signed").done();
    set_status(&gateway, "early-help-core", "in_force").done();
    let made = ["--json", "policy", "dpia", "--config", "porth.toml", "--on", "2026-09-20", "--out", "pack"];
    let told = gateway.run(&made).done().json();
    assert!(told["open"].as_array().is_some_and(|open| {
        open.iter().any(|line| {
            line.as_str().is_some_and(|line| line.starts_with("benefits-data/v1 is loaded and not in force"))
        })
    }));
    let document = fs::read_to_string(gateway.path("pack/dpia.md")).expect("reads");
    for expected in
        ["pilot: for synthetic or consented data only", "none: nobody outside would notice", "early-help-core/v1"]
    {
        assert!(document.contains(expected), "{expected}");
    }
    let pack: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(gateway.path("pack/dpia.json")).expect("reads")).expect("JSON");
    let flows = pack["flows"].as_array().expect("flows");
    assert!(!flows.is_empty());
    assert!(flows.iter().all(|flow| flow["receive"][0] == "early-help-core/v1"), "nothing else is in force");
    assert!(
        flows.iter().all(|flow| flow["supplier"] != "jobcentre-feed"),
        "benefits data have an agreement of their own"
    );
}
