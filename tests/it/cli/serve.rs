//! `porth serve`: starts, says where, ends on SIGTERM; production refuses what it should, a line each.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use porth::config::{Config, SequencerConfig};
use rstest::rstest;

use super::gateway::{CliGateway, command};
use crate::support::database::Backend;

/// Starts a process that stays, and reads its first line.
pub(crate) fn start(folder: &Path, arguments: &[&str]) -> (Child, String) {
    let mut child = command(folder, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("reads");
    (child, line)
}

/// Asks a process to end, and waits for it.
pub(crate) fn stop(mut child: Child) -> (Option<i32>, String) {
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
    assert!(sent.success());
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = child.try_wait().expect("a status") {
            let mut text = String::new();
            child.stderr.take().expect("a pipe").read_to_string(&mut text).expect("reads");
            return (status.code(), text);
        }
        if Instant::now() > patience {
            child.kill().expect("ends");
            panic!("it did not end on SIGTERM");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_gateway_starts_says_where_and_ends_in_good_order_on_sigterm(#[case] backend: Backend) {
    let gateway = CliGateway::ready(backend, "pilot").await;
    let (child, line) = start(gateway.folder.path(), &["--json", "serve", "--config", "porth.toml"]);
    let listening: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
    let agencies = listening["agencies"].as_str().expect("an address");
    assert!(std::net::TcpStream::connect(agencies).is_ok(), "{agencies}");
    let (code, err) = stop(child);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("SIGTERM"), "{err}");
    assert!(std::net::TcpStream::connect(agencies).is_err());
}

#[tokio::test]
async fn production_starts_with_keys_as_keys_init_makes_them_and_the_log_is_sequenced_beside_it() {
    let gateway = CliGateway::ready(Backend::Sqlite, "production").await;
    gateway.run(&["keys", "check", "--config", "porth.toml"]).done();
    let (child, line) = start(gateway.folder.path(), &["--json", "serve", "--config", "porth.toml"]);
    assert!(line.contains("\"sequences_the_log\":false"), "{line}");
    assert_eq!(stop(child).0, Some(0));
    let step = gateway.run(&["--json", "sequence", "--config", "sequencer.toml", "--once"]).done().json();
    assert!(step["size"].as_u64() >= Some(1), "{step}");
}

#[tokio::test]
async fn a_schema_that_is_not_there_is_said_with_what_to_do() {
    let gateway = CliGateway::prepare(Backend::Sqlite, "pilot").await;
    let ran = gateway.run(&["serve", "--config", "porth.toml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("run `porth migrate`"), "{ran:?}");
}

/// What production must refuse: how the set-up is spoilt, and what the line says.
type Spoil = fn(&CliGateway);
const REFUSALS: &[(&str, Spoil, &str)] = &[
    ("a patterned key-encryption key", patterned_kek, "key-encryption v1 key is not random"),
    ("a published key", example_key, "key-encryption v1 key is a published example"),
    ("a key-encryption key that the group reads", open_kek, "must be a plain file of mode 0400 or 0600"),
    ("a key file that everybody reads", |g| g.chmod("keys/receipt.v1.json", 0o644), "receipt v1 key file can be read"),
    ("a TLS key that the group reads", |g| g.chmod("tls/server.key", 0o640), "the TLS key file can be read by others"),
    ("keys in the examples' folder", example_folder, "lies in an examples folder"),
    ("an authority for development", development, "certificate is for development only"),
    ("a published certificate", example_certificate, "certificate is a published example"),
    ("two roles with one key", shared_key, "share one key"),
    ("a log that nobody watches", unwatched, "nobody outside witnesses the log"),
    ("no revocation list", no_list, "no revocation list is configured"),
    ("another authority's revocation list", other_list, "tls-no-revocation-list"),
    ("a lapsed revocation list", lapsed_list, "a revocation list has lapsed"),
    (
        "a key that is missing",
        |g| fs::remove_file(g.path("keys/index.v1.json")).expect("removes"),
        "holds no index key",
    ),
    ("a wrapped key that was altered", altered_key, "does not open"),
    ("the checkpoint key in the gateway's process", in_process, "the checkpoint key is in the gateway process"),
    ("the checkpoint key in the gateway's folder", in_folder, "key folder holds the checkpoint key"),
];

#[tokio::test]
async fn production_refuses_each_of_these_with_exit_code_78_and_a_line_that_says_why() {
    for (what, spoil, line) in REFUSALS {
        let gateway = CliGateway::prepare(Backend::Sqlite, "production").await;
        spoil(&gateway);
        for arguments in [["serve", "--config", "porth.toml"].as_slice(), &["keys", "check", "--config", "porth.toml"]]
        {
            let ran = gateway.run(arguments);
            assert_eq!(ran.code, 78, "{what}: {ran:?}");
            let told = if arguments[0] == "serve" { &ran.err } else { &ran.out };
            let lines = told.lines().filter(|told| told.contains(line)).count();
            assert_eq!(lines, 1, "{what}: {ran:?}");
        }
        assert!(!gateway.path("porth.sqlite").exists(), "{what}: refused before the database is touched");
    }
}

#[tokio::test]
async fn the_sequencer_refuses_a_folder_that_also_holds_the_gateways_keys() {
    let gateway = CliGateway::prepare(Backend::Sqlite, "production").await;
    fs::copy(gateway.path("keys/receipt.v1.json"), gateway.path("checkpoint/receipt.v1.json")).expect("copies");
    let ran = gateway.run(&["sequence", "--config", "sequencer.toml", "--once"]);
    assert_eq!(ran.code, 78, "{ran:?}");
    assert!(ran.err.contains("also holds gateway keys"), "{ran:?}");
}

fn unwatched(gateway: &CliGateway) {
    let text = fs::read_to_string(gateway.path("porth.toml")).expect("reads");
    gateway.write("porth.toml", &text.replace("unwatched_because = \"a-test\"\n", ""));
}

fn patterned_kek(gateway: &CliGateway) {
    rewrap_under(gateway, &"a1b2".repeat(16));
}

fn example_key(gateway: &CliGateway) {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/token-v1.json");
    let vectors: serde_json::Value = serde_json::from_slice(&fs::read(vectors).expect("reads")).expect("JSON");
    let published = find_key(&vectors).expect("a published key of 32 bytes");
    rewrap_under(gateway, &published);
}

/// The first text of 64 hexadecimal characters whose SHA-256 the manifest lists.
fn find_key(value: &serde_json::Value) -> Option<String> {
    use sha2::{Digest as _, Sha256};
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys-example/MANIFEST.json");
    let manifest = fs::read_to_string(manifest).expect("reads");
    let listed = |text: &str| {
        let bytes: Option<Vec<u8>> = (0..text.len() / 2)
            .map(|at| text.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect();
        let digest = bytes.map(|bytes| porth::app::policies::hex(&Sha256::digest(bytes)));
        digest.is_some_and(|digest| manifest.contains(&digest))
    };
    match value {
        serde_json::Value::String(text) if text.len() == 64 && listed(text) => Some(text.clone()),
        serde_json::Value::Array(values) => values.iter().find_map(find_key),
        serde_json::Value::Object(values) => values.values().find_map(find_key),
        _ => None,
    }
}

/// Makes the gateway's keys anew under a given key-encryption key.
fn rewrap_under(gateway: &CliGateway, key: &str) {
    fs::remove_dir_all(gateway.path("keys")).expect("removes");
    fs::remove_file(gateway.path("kek")).expect("removes");
    gateway.write("kek", &format!("1 {key}\n"));
    gateway.chmod("kek", 0o400);
    gateway.run(&["keys", "init", "--for", "gateway", "--folder", "keys", "--kek-file", "kek"]).done();
}

fn open_kek(gateway: &CliGateway) {
    gateway.chmod("kek", 0o440);
}

fn example_folder(gateway: &CliGateway) {
    fs::create_dir(gateway.path("keys-example")).expect("makes");
    fs::rename(gateway.path("kek"), gateway.path("keys-example/kek")).expect("moves");
    gateway.edit("porth.toml", "kek_file = \"kek\"", "kek_file = \"keys-example/kek\"");
}

fn development(gateway: &CliGateway) {
    gateway.run(&["keys", "init", "--for", "issuing-authority", "--folder", "trial", "--development"]).done();
    gateway.edit("porth.toml", "authority/", "trial/");
}

fn example_certificate(gateway: &CliGateway) {
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys-example/demo-ca.pem");
    let both =
        format!("client_roots = [\"authority/authority.pem\", \"{}\"]", published.to_str().expect("a plain path"));
    gateway.edit("porth.toml", "client_roots = [\"authority/authority.pem\"]", &both);
    // Its list is not to be had: without any list configured, the certificate is still looked at.
    no_list(gateway);
}

fn shared_key(gateway: &CliGateway) {
    // The key-encryption key twice under two versions is one key in two roles.
    let text = fs::read_to_string(gateway.path("kek")).expect("reads");
    fs::remove_file(gateway.path("kek")).expect("removes");
    let key = text.trim().strip_prefix("1 ").expect("version 1").to_owned();
    gateway.write("kek", &format!("1 {key}\n2 {key}\n"));
    gateway.chmod("kek", 0o400);
}

fn no_list(gateway: &CliGateway) {
    gateway.edit("porth.toml", "[\"authority/revocation-list.pem\"]", "[]");
}

fn other_list(gateway: &CliGateway) {
    gateway.run(&["keys", "init", "--for", "issuing-authority", "--folder", "other"]).done();
    gateway.edit("porth.toml", "authority/revocation-list.pem", "other/revocation-list.pem");
}

fn lapsed_list(gateway: &CliGateway) {
    let authority = crate::support::pki::Authority::new("An authority that went to sleep");
    gateway.write("sleepy.pem", &authority.pem);
    gateway.write("sleepy-list.pem", &authority.lapsed_list());
    gateway.edit("porth.toml", "authority/authority.pem", "sleepy.pem");
    gateway.edit("porth.toml", "authority/revocation-list.pem", "sleepy-list.pem");
}

fn altered_key(gateway: &CliGateway) {
    let path = gateway.path("keys/pseudonym.v1.json");
    let text = fs::read_to_string(&path).expect("reads");
    let at = text.find("\"wrapped\": \"").expect("the wrapped key") + 20;
    let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
    fs::write(&path, format!("{}{other}{}", &text[..at], &text[at + 1..])).expect("writes");
}

fn in_process(gateway: &CliGateway) {
    gateway.edit("porth.toml", "kek_file = \"kek\"", "kek_file = \"kek\"\ncheckpoint_folder = \"checkpoint\"");
}

fn in_folder(gateway: &CliGateway) {
    fs::copy(gateway.path("checkpoint/checkpoint.v1.json"), gateway.path("keys/checkpoint.v1.json")).expect("copies");
}

/// The tables of the configuration.
const SECTIONS: [&str; 9] =
    ["database", "listen", "tls", "keys", "limits", "retention", "witnesses", "alerts", "console"];

#[test]
fn the_configuration_page_names_every_key_and_its_examples_are_configurations() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md")).expect("the page");
    let examples: Vec<&str> =
        page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().expect("an end")).collect();
    let [gateway, sequencer] = examples[..] else { panic!("two examples") };
    toml::from_str::<Config>(gateway).expect("the gateway's example");
    toml::from_str::<SequencerConfig>(sequencer).expect("the sequencer's example");

    // An unknown key is refused with the list of those that there are.
    let mut known = BTreeSet::new();
    for section in [""].into_iter().chain(SECTIONS) {
        known.extend(keys_of::<Config>(gateway, section).into_iter().map(|key| name(section, &key)));
    }
    for section in ["", "database", "keys"] {
        known.extend(keys_of::<SequencerConfig>(sequencer, section).into_iter().map(|key| name(section, &key)));
    }
    known.retain(|key| !SECTIONS.contains(&key.as_str()));
    assert!(known.len() > 20, "{known:?}");
    let has_line = |key: &str| ["`", ".", "[]."].iter().any(|end| page.contains(&format!("| `{key}{end}")));
    let missing: Vec<&String> = known.iter().filter(|key| !has_line(key)).collect();
    assert!(missing.is_empty(), "docs/configuration.md has no line for {missing:?}");
}

fn name(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// The keys of a section, from what the reader says of one that it does not know.
fn keys_of<T: serde::de::DeserializeOwned>(example: &str, section: &str) -> Vec<String> {
    let mut table: toml::Table = toml::from_str(example).expect("TOML");
    let place = if section.is_empty() {
        &mut table
    } else {
        table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new())).as_table_mut().expect("a table")
    };
    place.insert("zzz".to_owned(), toml::Value::Boolean(true));
    let error = T::deserialize(table).err().expect("an unknown key is refused").to_string();
    let (_, expected) = error.split_once(", expected ").expect("the list of keys");
    let quoted = expected.lines().next().expect("a line").split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}
