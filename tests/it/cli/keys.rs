//! `porth keys`: what each party makes, with whose permissions, and never twice.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rstest::rstest;

use super::gateway::{porth, shipped_policies};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("the file is there").mode() & 0o777
}

fn match_keys() -> String {
    shipped_policies().join("match-keys.toml").to_str().expect("a plain path").to_owned()
}

#[rstest]
#[case::gateway(&["--for", "gateway", "--kek-file", "made/kek"], &["kek", "blinding.v1.json", "receipt.v1.json"])]
#[case::sequencer(&["--for", "sequencer", "--kek-file", "made/kek"], &["kek", "checkpoint.v1.json"])]
#[case::authority(&["--for", "issuing-authority"], &["authority.key"])]
#[case::shield(&["--for", "shield"], &["shield-private.key"])]
#[case::signatory(&["--for", "signatory", "--agency", "housing"], &["signatory.key"])]
#[case::agency(
    &["--for", "agency", "--agency", "housing", "--programme", "tff"],
    &["client.key", "assertion.key", "agency-keys.json"]
)]
#[case::custodian(
    &["--for", "custodian", "--programme", "tff", "--epoch", "1", "--match-keys", "MATCH_KEYS"],
    &["linkage-epoch-1.json"]
)]
fn keys_are_their_owners_alone_and_a_second_run_changes_none(#[case] whose: &[&str], #[case] private: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let match_keys = match_keys();
    let mut arguments = vec!["keys", "init", "--folder", "made"];
    arguments.extend(whose.iter().map(|word| if *word == "MATCH_KEYS" { &match_keys } else { *word }));
    porth(folder.path(), &arguments).done();
    let made = folder.path().join("made");
    assert_eq!(mode(&made), 0o700);
    for name in private {
        let expected = if *name == "kek" { 0o400 } else { 0o600 };
        assert_eq!(mode(&made.join(name)), expected, "{name}");
    }
    let before = contents(&made);
    let again = porth(folder.path(), &arguments);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("never overwritten"), "{again:?}");
    assert!(contents(&made) == before, "a second run changes nothing");
}

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.display().to_string(), fs::read(&path).expect("reads")))
        .collect();
    files.sort();
    files
}

#[test]
fn nothing_that_is_printed_holds_a_private_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let match_keys = match_keys();
    let cases: [(&[&str], &str); 3] = [
        (&["--for", "shield"], "shield-private.key"),
        (
            &["--for", "custodian", "--programme", "tff", "--epoch", "1", "--match-keys", &match_keys],
            "linkage-epoch-1.json",
        ),
        (&["--for", "agency", "--agency", "housing", "--programme", "tff"], "agency-keys.json"),
    ];
    for (whose, file) in cases {
        let mut arguments = vec!["keys", "init", "--folder", whose[1]];
        arguments.extend(whose);
        let ran = porth(folder.path(), &arguments).done();
        let text = fs::read_to_string(folder.path().join(whose[1]).join(file)).expect("reads");
        let secrets: Vec<&str> = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() == 64).collect();
        assert!(!secrets.is_empty(), "{file}");
        assert!(secrets.iter().all(|secret| !ran.out.contains(secret) && !ran.err.contains(secret)), "{file}");
    }
}

#[test]
fn the_linkage_key_is_refused_beside_the_gateways_and_the_other_way_round() {
    let folder = tempfile::tempdir().expect("a folder");
    let match_keys = match_keys();
    let custodian = |place: &str| {
        let whose = ["--for", "custodian", "--programme", "tff", "--epoch", "1", "--match-keys", &match_keys];
        porth(folder.path(), &[["keys", "init", "--folder", place].as_slice(), &whose].concat())
    };
    let gateway = |place: &str| {
        porth(folder.path(), &["keys", "init", "--folder", place, "--for", "gateway", "--kek-file", "kek"])
    };
    gateway("gateway").done();
    let refused = custodian("gateway");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("must never hold the linkage key"), "{refused:?}");
    assert!(custodian("custodian").done().err.contains("must never hold it"));
    assert_eq!(gateway("custodian").code, 1);
    fs::create_dir(folder.path().join("configured")).expect("makes");
    fs::write(folder.path().join("configured/porth.toml"), "log_origin = \"x\"\n").expect("writes");
    assert_eq!(custodian("configured").code, 1);
}

#[test]
fn a_share_of_some_types_reaches_the_agencys_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let match_keys = match_keys();
    let run = |arguments: &[&str]| porth(folder.path(), arguments);
    run(&[
        "keys",
        "init",
        "--folder",
        "c",
        "--for",
        "custodian",
        "--programme",
        "tff",
        "--epoch",
        "3",
        "--match-keys",
        &match_keys,
    ])
    .done();
    run(&["keys", "init", "--folder", "a", "--for", "agency", "--agency", "housing", "--programme", "tff"]).done();
    let share = ["keys", "share", "--linkage", "c/linkage-epoch-3.json", "--match-keys", &match_keys, "--out", "share"];
    assert_eq!(run(&[share.as_slice(), &["--types", "no-such-type"]].concat()).code, 1);
    run(&[share.as_slice(), &["--types", "nhs,uprn"]].concat()).done();
    let taken = run(&["--json", "keys", "add-share", "--keys", "a/agency-keys.json", "--share", "share"]).done();
    assert_eq!(taken.json()["epochs"], serde_json::json!([3]));
}

#[test]
fn a_revocation_list_counts_up_and_keeps_what_was_revoked() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| porth(folder.path(), arguments);
    run(&["keys", "init", "--folder", "ca", "--for", "issuing-authority"]).done();
    run(&["keys", "init", "--folder", "a", "--for", "agency", "--agency", "housing", "--programme", "tff"]).done();
    let certify = ["agency", "certify", "--authority", "ca", "--agency", "housing"];
    run(&[certify.as_slice(), &["--request", "a/client-request.pem", "--out", "client.pem"]].concat()).done();
    let list = ["--json", "keys", "revocation-list", "--authority", "ca"];
    let second = run(&[list.as_slice(), &["--revoke", "client.pem"]].concat()).done().json();
    assert_eq!((&second["number"], &second["revoked"]), (&2.into(), &1.into()));
    let third = run(&[list.as_slice(), &["--revoke", "client.pem"]].concat()).done().json();
    assert_eq!((&third["number"], &third["revoked"]), (&3.into(), &1.into()));
}

#[test]
fn what_is_missing_on_the_command_line_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = porth(folder.path(), &["keys", "init", "--for", "server", "--folder", "tls"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("--authority") && ran.err.contains("--name"), "{ran:?}");
}
