//! The reference of the configuration is made from the types that read it: names, doc comments, defaults.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use porth::config::{Config, Limits};

/// A field of a table of the configuration, as the source declares it.
struct Field {
    name: String,
    kind: String,
    doc: String,
    has_default: bool,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The tables by the names of their types.
fn tables() -> BTreeMap<String, Vec<Field>> {
    let parts = ["src/config.rs", "src/config/console.rs"];
    let source = parts.map(|part| fs::read_to_string(root().join(part)).expect("the source")).concat();
    let mut tables = BTreeMap::new();
    let (mut open, mut doc, mut has_default): (Option<(String, bool)>, Vec<&str>, bool) = (None, Vec::new(), false);
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push(text.trim());
        } else if let Some(attributes) = line.strip_prefix("#[serde(") {
            has_default |= attributes.split([',', ')']).any(|word| word.trim().starts_with("default"));
        } else if let Some(name) = line.strip_prefix("pub struct ").and_then(|rest| rest.strip_suffix(" {")) {
            open = Some((name.to_owned(), has_default));
            tables.insert(name.to_owned(), Vec::new());
            (doc, has_default) = (Vec::new(), false);
        } else if line == "}" {
            open = None;
        } else if let Some((table, all_default)) = &open
            && let Some((name, kind)) =
                line.strip_prefix("pub ").and_then(|rest| rest.strip_suffix(',')?.split_once(": "))
        {
            tables.get_mut(table).expect("it is open").push(Field {
                name: name.to_owned(),
                kind: kind.to_owned(),
                doc: doc.join(" "),
                has_default: has_default || *all_default,
            });
            (doc, has_default) = (Vec::new(), false);
        } else if !line.starts_with("#[") {
            (doc, has_default) = (Vec::new(), false);
        }
    }
    tables
}

/// The defaults as the code has them.
fn defaults() -> BTreeMap<&'static str, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("porth.toml");
    let least = "mode = \"pilot\"\nprogramme = \"p\"\nissuer = \"i\"\nlog_origin = \"l\"\n[database]\nsqlite = \"d\"\n\
                 [listen]\nagencies = \"a\"\n[tls]\ncertificate = \"c\"\nprivate_key = \"k\"\nclient_roots = []\n\
                 revocation_lists = []\n[keys]\nfolder = \"keys\"\nkek_file = \"kek\"\nshield_public_key = \"s\"\n";
    fs::write(&path, least).expect("writes");
    let config = Config::read(&path).expect("the least that there can be");
    assert_eq!(config.state_file(), folder.path().join("porth-log-state"), "what the doc comment says");
    let limits = Limits::default();
    BTreeMap::from([
        ("database.connections", config.database.connections.to_string()),
        ("listen.operator", config.listen.operator.clone()),
        ("limits.submission_mebibytes", limits.submission_mebibytes.to_string()),
        ("limits.submission_rows", limits.submission_rows.to_string()),
        ("limits.burst", limits.burst.to_string()),
        ("limits.requests_per_second", limits.requests_per_second.to_string()),
        ("retention.match_run_days", config.retention.match_run_days.to_string()),
        ("alerts.every_seconds", config.alerts.every_seconds.to_string()),
        ("alerts.spike_times", config.alerts.spike_times.to_string()),
        ("alerts.spike_least", config.alerts.spike_least.to_string()),
        ("alerts.match_rate_least", config.alerts.match_rate_least.to_string()),
        ("alerts.match_rate_percent", config.alerts.match_rate_percent.to_string()),
        ("alerts.repeats_a_day", config.alerts.repeats_a_day.to_string()),
        ("alerts.new_subjects_a_day", config.alerts.new_subjects_a_day.to_string()),
        ("alerts.new_subjects_of", "none".to_owned()),
        ("alerts.hours", "none".to_owned()),
        ("console.provider.roles_claim", "`roles`".to_owned()),
        ("console.provider.roots", "`/etc/ssl/certs/ca-certificates.crt`".to_owned()),
        ("console.demonstration_sign_in", "false".to_owned()),
        ("witnesses.keys", "none".to_owned()),
        ("witnesses.quorum", config.witnesses.quorum.to_string()),
        ("witnesses.stop_after_minutes", config.witnesses.stop_after_minutes.to_string()),
    ])
}

/// The reference of one file's type.
fn reference(file: &str) -> String {
    let (tables, defaults) = (tables(), defaults());
    let mut rows = vec!["| key | needed | what |".to_owned(), "|---|---|---|".to_owned()];
    let row = |prefix: &str, field: &Field| {
        let key = format!("{prefix}{}", field.name);
        assert!(!field.doc.is_empty(), "{key} has no doc comment");
        let (doc, is_choice) = match field.doc.strip_prefix("One of two: ") {
            Some(rest) => (rest, true),
            None => (field.doc.as_str(), false),
        };
        let needed = match defaults.get(key.as_str()) {
            Some(value) => format!("no, {value}"),
            None if is_choice => "one of two".to_owned(),
            None if field.kind.starts_with("Option<") => "no".to_owned(),
            None => {
                assert!(!field.has_default, "{key} has a default that this test does not know");
                "yes".to_owned()
            }
        };
        let first = doc[..1].to_lowercase();
        let keeps = doc.starts_with('`') || doc.chars().nth(1).is_some_and(char::is_uppercase);
        let doc = if keeps { doc.to_owned() } else { first + &doc[1..] };
        format!("| `{key}` | {needed} | {} |", doc.trim_end_matches('.'))
    };
    // Tables in tables are told by their path; `[]` marks one that may come several times.
    let mut left: Vec<(String, &Field)> = tables[file].iter().rev().map(|field| (String::new(), field)).collect();
    while let Some((prefix, field)) = left.pop() {
        let several = field.kind.strip_prefix("Vec<").and_then(|kind| kind.strip_suffix('>'));
        let perhaps = field.kind.strip_prefix("Option<").and_then(|kind| kind.strip_suffix('>'));
        let inner = several.or(perhaps).unwrap_or(&field.kind);
        match tables.get(inner) {
            Some(fields) => {
                let mark = if several.is_some() { "[]" } else { "" };
                let prefix = format!("{prefix}{}{mark}.", field.name);
                left.extend(fields.iter().rev().map(|inner| (prefix.clone(), inner)));
            }
            None => rows.push(row(&prefix, field)),
        }
    }
    rows.join("\n") + "\n"
}

#[test]
fn the_reference_of_the_configuration_is_made_from_the_types_that_read_it() {
    let path: &Path = &root().join("docs/configuration.md");
    let kept = fs::read_to_string(path).expect("the page");
    let mut page = kept.clone();
    for file in ["Config", "SequencerConfig"] {
        let begin = format!("<!-- generated: {file} -->\n");
        let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("the page has {begin}"));
        let (_, after) = rest.split_once("<!-- end -->").expect("an end");
        page = format!("{before}{begin}{}<!-- end -->{after}", reference(file));
    }
    if std::env::var_os("PORTH_WRITE_DOCS").is_some() {
        fs::write(path, &page).expect("written");
        return;
    }
    assert!(kept == page, "docs/configuration.md is stale: run this test with PORTH_WRITE_DOCS=1");
}

#[test]
fn the_reference_has_every_key_with_what_it_needs() {
    let text = reference("Config");
    for row in [
        "| `mode` | yes |",
        "| `state_file` | no |",
        "| `database.sqlite` | one of two |",
        "| `database.connections` | no, 16 |",
        "| `keys.kek_credential` | one of two |",
        "| `limits.burst` | no, 200 |",
    ] {
        assert!(text.contains(row), "{row}\n{text}");
    }
    assert!(reference("SequencerConfig").contains("| `keys.checkpoint_folder` | yes |"));
}
