use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::crypto::random::SystemRandom;

fn programme() -> ProgrammeCode {
    ProgrammeCode::parse("tff").expect("a code")
}

fn uk() -> MatchKeys {
    MatchKeys::parse(crate::identity::UK_MATCH_KEYS).expect("the shipped file")
}

fn types(names: &[&str]) -> Vec<TokenType> {
    names.iter().map(|name| TokenType::parse(name).expect("a code")).collect()
}

fn agency(share: LinkageShare) -> AgencyKeyFile {
    let agency = AgencyCode::parse("education").expect("a code");
    let mut file = AgencyKeyFile::generate(programme(), agency, &SystemRandom::new());
    file.add(share).expect("the same programme");
    file
}

#[test]
fn every_kind_of_file_reads_back_as_written_and_only_its_owner_can_read_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let custodian = LinkageKeyFile::generate(programme(), 1, &SystemRandom::new());
    custodian.write(&path("linkage")).expect("writes");
    let read = LinkageKeyFile::read(&path("linkage")).expect("reads");
    assert!(read.root.secret() == custodian.root.secret());

    custodian.subkeys(&types(&["uprn", "nhs", "nhs"]), 1).write(&path("share")).expect("writes");
    let mut keys = agency(LinkageShare::read(&path("share")).expect("reads"));
    keys.add(LinkageKeyFile::generate(programme(), 2, &SystemRandom::new()).whole()).expect("the same programme");
    keys.write(&path("keys")).expect("writes");
    let read = AgencyKeyFile::read(&path("keys")).expect("reads");
    assert_eq!(read.epochs().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(read.reference().record("7"), keys.reference().record("7"));
    let mode = std::fs::metadata(path("keys")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(keys.write(&path("keys")), Err(KeyFileError::Exists(_))));
    assert!(keys.remove_epoch(1) && !keys.remove_epoch(1));
    keys.replace(&path("keys")).expect("replaces");
    assert_eq!(AgencyKeyFile::read(&path("keys")).expect("reads").epochs().collect::<Vec<_>>(), [2]);
}

#[test]
fn single_type_keys_make_the_same_tokens_as_the_root_and_no_others() {
    let custodian = LinkageKeyFile::generate(programme(), 1, &SystemRandom::new());
    let whole = agency(custodian.whole()).type_keys(&uk()).expect("all types");
    let some = agency(custodian.subkeys(&types(&["uprn", "nhs"]), 1)).type_keys(&uk()).expect("two types");
    assert!(whole[0].keys.iter().all(Option::is_some));
    let mut found = Vec::new();
    for (key, (whole, some)) in uk().keys().iter().zip(whole[0].keys.iter().zip(&some[0].keys)) {
        let (Some(whole), Some(some)) = (whole, some) else { continue };
        assert_eq!(whole.token(b"9990000018"), some.token(b"9990000018"));
        found.push(key.name.as_str().to_owned());
    }
    assert_eq!(found, ["nhs", "uprn"]);
    let checks = custodian.key_checks(&types(&["nhs"]), 1);
    let nhs = uk().keys().iter().position(|key| key.name.as_str() == "nhs").expect("a key");
    let check = whole[0].keys[nhs].as_ref().expect("a key").key_check();
    assert_eq!(checks.into_values().collect::<Vec<_>>(), [hex(&check)]);
}

#[test]
fn a_key_for_another_programme_or_norm_is_no_key() {
    let other = ProgrammeCode::parse("other").expect("a code");
    let mut keys = agency(LinkageKeyFile::generate(programme(), 1, &SystemRandom::new()).subkeys(&types(&["nhs"]), 2));
    assert!(matches!(keys.type_keys(&uk()), Err(KeyFileError::NoLinkageKey)));
    let foreign = LinkageKeyFile::generate(other, 1, &SystemRandom::new()).whole();
    assert!(matches!(keys.add(foreign), Err(KeyFileError::Programme)));
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("linkage");
    LinkageKeyFile::generate(programme(), 1, &SystemRandom::new()).write(&path).expect("writes");
    for mode in [0o644, 0o640, 0o604, 0o700, 0o4600] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("sets the mode");
        assert!(matches!(LinkageKeyFile::read(&path), Err(KeyFileError::Exposed(_))), "{mode:o}");
    }
    assert!(matches!(LinkageKeyFile::read(folder.path()), Err(KeyFileError::Exposed(_))));
}

#[test]
fn other_files_and_example_keys_are_refused_without_repeating_them() {
    let good = "8f3a1c5e9b7d2046e1f0c3a597b86d42015ec9fa73d8b46e2a9c07f518d3be64";
    let epoch = |epoch: &str| format!(r#"{{"format":"porth-linkage-key/1","programme":"tff","linkage":[{epoch}]}}"#);
    assert!(LinkageKeyFile::from_text(epoch(&format!(r#"{{"epoch":1,"root":"{good}"}}"#)).as_bytes()).is_ok());
    let path = Path::new("keys.json");
    for bad in [
        epoch(""),
        epoch(&format!(r#"{{"epoch":1,"root":"{}"}}"#, &good[1..])),
        epoch(&format!(r#"{{"epoch":1,"root":"{good}","norm":1}}"#)),
        epoch(&format!(r#"{{"epoch":1,"root":"{good}","types":{{"nhs":"{good}"}}}}"#)),
        epoch(&format!(r#"{{"epoch":1,"norm":1,"types":{{"nhs":"{good}"}}}}"#)),
        epoch(&format!(r#"{{"epoch":1,"root":"{good}"}},{{"epoch":1,"root":"{good}"}}"#)),
        epoch(&format!(r#"{{"epoch":1,"root":"{}"}}"#, "00".repeat(32))),
        epoch(&format!(r#"{{"epoch":1,"root":"{good}"}}"#)).replace("linkage-key", "linkage-share"),
        good.to_owned(),
    ] {
        let error = LinkageKeyFile::from_text(bad.as_bytes()).expect_err("refused").at(path).to_string();
        assert!(error.starts_with("key_file."), "{error}");
        assert!(!error.contains(&good[4..12]), "{error}");
    }
}

#[test]
fn key_files_print_nothing_of_themselves() {
    let custodian = LinkageKeyFile::generate(programme(), 1, &SystemRandom::new());
    assert_eq!(format!("{:?}", custodian.whole()), "LinkageShare(redacted)");
    assert_eq!(format!("{custodian:?}"), "LinkageKeyFile(redacted)");
}
