//! The shape of the tree: the rule of direction in `src/lib.rs`, and what no file may do.
//!
//! Whatever breaks a rule on purpose stands in one of the tables here, with its reason; a line that
//! is no longer needed fails too.

mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use source::{Source, Token, names_crate, names_path, parts_named, product_sources, std_modules};

/// What each part may name of ours, besides itself.
const DIRECTION: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("crypto", &["domain"]),
    ("identity", &["domain"]),
    ("linkage", &["domain"]),
    ("policy", &["domain"]),
    ("tlog", &["domain"]),
    ("store", &["domain"]),
    ("app", &["domain", "crypto", "linkage", "policy", "tlog", "store"]),
    ("jobs", &["domain", "crypto", "linkage", "policy", "tlog", "store", "app"]),
    ("web", &["domain", "crypto", "linkage", "policy", "tlog", "store", "app", "config", "telemetry"]),
    ("config", &["domain", "store", "web"]),
    ("runtime", &["domain", "crypto", "policy", "tlog", "store", "app", "jobs", "web", "config", "telemetry"]),
    ("cli", &EVERYTHING),
    ("demo", &EVERYTHING),
    ("client", &[]),
    ("telemetry", &[]),
    ("crate", &["cli"]), // main.rs
];

const EVERYTHING: [&str; 16] = [
    "domain",
    "crypto",
    "identity",
    "linkage",
    "policy",
    "tlog",
    "store",
    "app",
    "jobs",
    "web",
    "config",
    "runtime",
    "cli",
    "demo",
    "client",
    "telemetry",
];

/// Parts that are plain synchronous Rust: values in, values out.
const PURE: [&str; 5] = ["domain", "identity", "linkage", "policy", "tlog"];

/// What a pure part may not name: anything that waits, or that brings files, sockets, time or chance of its own.
const NOT_IN_PURE_CRATES: &[&str] = &[
    "tokio",
    "tokio_util",
    "tokio_rustls",
    "futures_util",
    "sqlx",
    "axum",
    "hyper",
    "hyper_util",
    "hyper_rustls",
    "http_body_util",
    "tower",
    "rustls",
    "clap",
    "indicatif",
    "tracing",
    "tracing_subscriber",
    "metrics",
    "metrics_exporter_prometheus",
    "libc",
    "ring",
    "hpke",
    "jsonwebtoken",
    "rcgen",
];
const NOT_IN_PURE_STD: &[&str] = &["fs", "net", "env", "process", "thread", "os"];
const NOT_IN_PURE_PATHS: &[&str] = &["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"];

/// Crates that belong to one part, so that everything about them is in one place.
const OWNED: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("axum", &["web"]),
    ("cedar_policy", &["policy"]),
    ("clap", &["cli", "demo"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("hpke", &["crypto"]),
    ("jsonwebtoken", &["crypto"]),
];

/// The longest that a file may be.
const MOST_LINES: usize = 700;
/// The longest that an exception may be.
const MOST_LINES_EVER: usize = 850;

/// Breaches that are meant: file, what it does, why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("domain/submission.rs", "long", "one noun: a line of a submission, with every fault that it can have"),
    ("cli/agency/tokenise/self_test.rs", "tests/", "the known answers of tokens are built in for the same reason"),
    (
        "identity/self_test.rs",
        "tests/",
        "the golden vectors are built in: an agency's machine runs them before it makes tokens",
    ),
    ("identity/test_people.rs", "tests/", "the test people are built in and published beside the vectors"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails with every breach that is not an exception, and with every exception that nothing needs.
fn hold(kinds: &[&str], breaches: impl IntoIterator<Item = (String, String)>) {
    let breaches: BTreeSet<(String, String)> = breaches.into_iter().collect();
    let is_meant = |(file, what): &(String, String)| EXCEPTIONS.iter().any(|(f, w, _)| f == file && w == what);
    let unmeant: Vec<_> = breaches.iter().filter(|breach| !is_meant(breach)).collect();
    assert!(unmeant.is_empty(), "these break a rule (file, what): {unmeant:#?}");
    let stale: Vec<_> = EXCEPTIONS
        .iter()
        .filter(|(_, what, _)| kinds.contains(what))
        .filter(|(file, what, _)| !breaches.contains(&((*file).to_owned(), (*what).to_owned())))
        .collect();
    assert!(stale.is_empty(), "these exceptions are no longer needed: {stale:#?}");
}

fn sources() -> Vec<Source> {
    let sources = product_sources(&root());
    assert!(sources.len() > 100, "src was not read: {} files", sources.len());
    sources
}

#[test]
fn the_rule_of_direction_names_the_parts_of_the_crate() {
    let library = read("src/lib.rs");
    let declared: BTreeSet<&str> =
        library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let ruled: BTreeSet<&str> = DIRECTION.iter().map(|(part, _)| *part).filter(|part| *part != "crate").collect();
    assert_eq!(declared, ruled, "every module of src/lib.rs has a line in DIRECTION");
    for part in declared {
        let row = library.lines().find(|line| line.starts_with("//! |") && line.contains(&format!("[`{part}`]")));
        assert!(row.is_some(), "the map in src/lib.rs does not show `{part}`");
    }
}

#[test]
fn imports_point_one_way() {
    let mut breaches = Vec::new();
    for source in sources() {
        let part = source.part();
        let (_, allowed) = DIRECTION.iter().find(|(name, _)| *name == part).expect("every part has a rule");
        for named in parts_named(&source) {
            let is_part = EVERYTHING.contains(&named.as_str());
            if is_part && named != part && !allowed.contains(&named.as_str()) {
                breaches.push((source.path.clone(), named));
            }
        }
    }
    hold(&EVERYTHING, breaches);
}

#[test]
fn pure_parts_name_no_runtime_database_file_socket_or_clock() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.part())) {
        let crates = NOT_IN_PURE_CRATES.iter().filter(|name| names_crate(source, name));
        let modules = std_modules(source);
        let modules = NOT_IN_PURE_STD.iter().filter(|name| modules.contains(**name));
        let paths = NOT_IN_PURE_PATHS.iter().filter(|path| names_path(source, path));
        breaches.extend(crates.chain(modules).chain(paths).map(|what| (source.path.clone(), (*what).to_owned())));
        if source.tokens.iter().any(|token| matches!(token.word(), Some("async" | "await"))) {
            breaches.push((source.path.clone(), "async".to_owned()));
        }
    }
    let kinds = [NOT_IN_PURE_CRATES, NOT_IN_PURE_STD, NOT_IN_PURE_PATHS, &["async"]].concat();
    hold(&kinds, breaches);
}

#[test]
fn a_crate_that_belongs_to_one_part_is_named_nowhere_else() {
    let mut breaches = Vec::new();
    for source in sources() {
        for (name, parts) in OWNED {
            if !parts.contains(&source.part()) && names_crate(&source, name) {
                breaches.push((source.path.clone(), (*name).to_owned()));
            }
        }
    }
    let kinds: Vec<&str> = OWNED.iter().map(|(name, _)| *name).collect();
    hold(&kinds, breaches);
}

#[test]
fn the_product_reads_nothing_of_the_tests() {
    let names_tests = |token: &Token| matches!(token, Token::Text(text) if text.contains("tests/"));
    let breaches = sources()
        .into_iter()
        .filter(|source| source.tokens.iter().any(names_tests))
        .map(|source| (source.path, "tests/".to_owned()));
    hold(&["tests/"], breaches);
}

#[test]
fn no_file_is_longer_than_a_reader_bears() {
    let sources = sources();
    let far_too_long: Vec<_> =
        sources.iter().filter(|source| source.lines > MOST_LINES_EVER).map(|s| &s.path).collect();
    assert!(far_too_long.is_empty(), "over {MOST_LINES_EVER} lines: {far_too_long:?}");
    let long = sources.into_iter().filter(|source| source.lines > MOST_LINES);
    hold(&["long"], long.map(|source| (source.path, "long".to_owned())));
}

#[test]
fn nothing_outside_the_tests_unwraps() {
    let unwraps = |source: &Source| names_path(source, ".unwrap()");
    hold(&["unwrap"], sources().into_iter().filter(unwraps).map(|source| (source.path, "unwrap".to_owned())));
}

#[test]
fn every_label_has_a_use() {
    let labels = read("src/domain/labels.rs");
    let names: Vec<&str> = labels
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once(": &str"))
        .map(|(name, _)| name)
        .collect();
    assert!(names.len() > 10, "the labels were not read: {names:?}");
    let sources = sources();
    for name in names {
        let uses =
            |source: &&Source| source.path != "domain/labels.rs" && names_path(source, &format!("labels::{name}"));
        assert!(sources.iter().any(|source| uses(&source)), "labels::{name} is used nowhere");
    }
}

#[test]
fn a_migration_step_has_its_four_files() {
    let mut steps: BTreeSet<String> = BTreeSet::new();
    let mut files: BTreeSet<String> = BTreeSet::new();
    for engine in ["sqlite", "postgres"] {
        for entry in fs::read_dir(root().join("migrations").join(engine)).expect("a folder for each engine") {
            let name = entry.expect("an entry").file_name().into_string().expect("a plain name");
            steps.insert(name.split('.').next().unwrap_or_default().to_owned());
            files.insert(format!("{engine}/{name}"));
        }
    }
    let whole: BTreeSet<String> = steps
        .iter()
        .flat_map(|step| ["sqlite", "postgres"].map(|engine| format!("{engine}/{step}")))
        .flat_map(|path| ["up", "down"].map(|way| format!("{path}.{way}.sql")))
        .collect();
    assert!(!steps.is_empty());
    assert_eq!(files, whole);
}

#[test]
fn no_private_key_is_checked_in() {
    let mut found = Vec::new();
    visit(&root(), &mut |path| {
        let bytes = fs::read(path).unwrap_or_default();
        if holds_private_key(&String::from_utf8_lossy(&bytes)) {
            found.push(path.to_owned());
        }
    });
    assert!(found.is_empty(), "private keys in {found:?}");
}

#[test]
fn a_private_key_is_known_when_it_is_seen() {
    let body = "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8Q";
    for kind in ["", "EC ", "RSA ", "OPENSSH ", "ENCRYPTED "] {
        let armour = format!("-----BEGIN {kind}{} KEY-----", "PRIVATE");
        assert!(holds_private_key(&format!("{armour}\n{body}\n")), "{kind}");
        assert!(holds_private_key(&format!("{armour}\\n{body}")), "{kind}as an escaped string");
        assert!(!holds_private_key(&armour), "{kind}words about keys are no key");
    }
    assert!(!holds_private_key(&format!("-----BEGIN PUBLIC KEY-----\n{body}\n")));
}

/// Armour that says it is a private key, with something in it.
fn holds_private_key(text: &str) -> bool {
    let marker = ["PRIVATE", " KEY-----"].concat();
    text.match_indices(&marker).any(|(place, marker)| {
        let is_begin = text[..place].rsplit("-----").next().is_some_and(|word| word.starts_with("BEGIN "));
        let inside = text[place + marker.len()..].trim_start().trim_start_matches("\\n").trim_start();
        let is_base64 = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        is_begin && inside.chars().take_while(is_base64).count() >= 32
    })
}

/// Every file of the working tree that could be checked in.
pub(crate) fn visit(folder: &Path, see: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if is_link || [".git", "target", ".porth", "node_modules"].iter().any(|skipped| name == *skipped) {
            continue;
        }
        if path.is_dir() { visit(&path, see) } else { see(&path) }
    }
}
