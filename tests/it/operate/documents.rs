//! What the operator's pages promise is there: figures, configuration keys with their defaults, commands.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every figure that the source registers.
fn registered() -> BTreeSet<String> {
    fn visit(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                visit(&path, names);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            for kind in ["counter!(", "gauge!(", "histogram!("] {
                for rest in text.split(kind).skip(1) {
                    let name = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                    names.extend(name.filter(|name| name.starts_with("porth_")).map(str::to_owned));
                }
            }
        }
    }
    let mut names = BTreeSet::new();
    visit(&root().join("src"), &mut names);
    assert!(names.len() > 10, "{names:?}");
    names
}

/// Every name of a figure in a text; what a histogram is shown as counts as the histogram.
fn named(text: &str, registered: &BTreeSet<String>) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut names = BTreeSet::new();
    for (place, _) in text.match_indices("porth_") {
        let name: String = text[place..].chars().take_while(|c| word(*c)).collect();
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        names.insert(base.filter(|base| registered.contains(*base)).map_or(name.clone(), str::to_owned));
    }
    names
}

#[test]
fn the_operators_page_names_every_figure_and_no_other() {
    let registered = registered();
    let named = named(&page("docs/operations.md"), &registered);
    assert_eq!(named, registered, "docs/operations.md and the figures that the source registers");
}

#[test]
fn the_alert_rules_use_figures_that_there_are() {
    let registered = registered();
    let used = named(&page("docs/deploy/porth-alerts.yaml"), &registered);
    assert!(used.len() > 5, "{used:?}");
    let unknown: Vec<&String> = used.difference(&registered).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_table_of_the_configuration_refuses_keys_that_it_does_not_know() {
    let source = page("src/config.rs");
    let structs: Vec<&str> = source.split("#[derive(").skip(1).filter(|text| text.contains("pub struct")).collect();
    assert!(structs.len() >= 7, "{}", structs.len());
    for text in structs {
        let head = text.split("pub struct").next().expect("a head");
        assert!(head.contains("deny_unknown_fields"), "{}", text.lines().nth(2).unwrap_or_default());
    }
}

#[test]
fn the_units_and_the_container_run_commands_that_there_are() {
    for file in ["porth.service", "porth-sequence.service", "porth-backup.service"] {
        let unit = page(&format!("docs/deploy/{file}"));
        let lines: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix("ExecStart=")).collect();
        assert_eq!(lines.len(), 1, "{file}");
        let mut words = lines[0].split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>();
        words.push("--help".to_owned());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = crate::cli::gateway::porth(&root(), &words);
        assert_eq!(ran.code, 0, "{file}: {ran:?}");
        for word in words.iter().filter(|word| word.starts_with("--") && **word != "--help") {
            assert!(ran.out.contains(*word), "{file}: {word}");
        }
        for hardening in
            ["User=", "NoNewPrivileges=yes", "ProtectSystem=strict", "LimitCORE=0", "MemoryDenyWriteExecute=yes"]
        {
            assert!(unit.contains(hardening), "{file}: {hardening}");
        }
    }
    let units = ["porth.service", "porth-sequence.service"].map(|file| page(&format!("docs/deploy/{file}")));
    let user = |unit: &str| unit.lines().find(|line| line.starts_with("User=")).expect("a user").to_owned();
    assert_ne!(user(&units[0]), user(&units[1]), "the sequencer is a user of its own");
    assert!(units.iter().all(|unit| unit.contains("LoadCredentialEncrypted=")));
    let container = page("docs/deploy/Containerfile");
    assert!(container.contains("USER ") && container.contains("ENTRYPOINT [\"/usr/local/bin/porth\"]"));
}
