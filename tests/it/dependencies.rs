//! What the product is built from: nothing that we decided to do without.

use std::collections::BTreeSet;

/// Crates that may not be in the tree: the `rsa` crate has an unpatched timing weakness, and one TLS
/// and cryptography provider (ring, through rustls) is enough to watch.
const BANNED: [&str; 7] = ["rsa", "openssl", "openssl-sys", "native-tls", "aws-lc-sys", "aws-lc-fips-sys", "aws-lc-rs"];

fn parse(path: &str) -> toml::Table {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn no_banned_crate_is_in_the_lock_file() {
    let lock = parse("Cargo.lock");
    let packages = lock["package"].as_array().expect("a list of packages");
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package.get("name")?.as_str()).collect();
    assert!(names.contains("porth") && names.contains("ring") && names.len() > 200, "the lock file was not read");
    let found: Vec<&str> = BANNED.into_iter().filter(|banned| names.contains(banned)).collect();
    assert!(found.is_empty(), "`cargo tree -i <crate>` says who brings {found:?}");
}

#[test]
fn every_crate_comes_from_the_registry_with_a_checksum() {
    let lock = parse("Cargo.lock");
    for package in lock["package"].as_array().expect("a list of packages") {
        let name = package["name"].as_str().expect("a name");
        let source = package.get("source").and_then(toml::Value::as_str);
        assert!(name == "porth" || source.is_some_and(|source| source.starts_with("registry+")), "{name}: {source:?}");
        assert!(name == "porth" || package.get("checksum").is_some(), "{name} has no checksum");
    }
}

#[test]
fn cargo_deny_bans_what_this_test_bans() {
    let policy = parse("deny.toml");
    let denied = policy["bans"]["deny"].as_array().expect("a list of crates");
    let denied: BTreeSet<&str> = denied.iter().filter_map(|ban| ban.get("crate")?.as_str()).collect();
    assert_eq!(denied, BTreeSet::from(BANNED));
}
