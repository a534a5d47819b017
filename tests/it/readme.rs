//! The documents: links lead somewhere, and the README names commands that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::architecture::visit;

#[test]
fn every_relative_link_leads_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut documents, mut links, mut broken) = (0, 0, Vec::new());
    visit(root, &mut |path| {
        if path.extension().is_none_or(|extension| extension != "md") {
            return;
        }
        documents += 1;
        let text = fs::read_to_string(path).expect("a document is readable");
        for target in links_of(&text) {
            links += 1;
            if !leads_somewhere(path, &target) {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    });
    assert!(documents > 10 && links > 20, "{documents} documents with {links} links: they were not read");
    assert!(broken.is_empty(), "{broken:#?}");
}

fn leads_somewhere(document: &Path, target: &str) -> bool {
    let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
    let file = if path.is_empty() { document.to_owned() } else { document.parent().unwrap_or(document).join(path) };
    match heading {
        None => file.exists(),
        Some(heading) => fs::read_to_string(file).is_ok_and(|text| headings(&text).contains(heading)),
    }
}

/// Targets of the links of a document that are neither addresses nor in code.
fn links_of(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for line in outside_fences(text) {
        // Every second piece is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
        for piece in prose.split("](").skip(1) {
            let target = piece.split([')', ' ']).next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                targets.push(target.to_owned());
            }
        }
    }
    targets
}

fn outside_fences(text: &str) -> impl Iterator<Item = &str> {
    let mut is_inside = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_inside ^= is_fence;
        !is_inside && !is_fence
    })
}

/// The headings of a document as links name them.
fn headings(text: &str) -> BTreeSet<String> {
    let slug = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
    };
    outside_fences(text).filter(|line| line.starts_with('#')).map(|line| slug(line.trim_start_matches('#'))).collect()
}

#[test]
fn links_in_code_are_no_links_and_headings_are_found() {
    let text =
        "# A b, c\n[x](one.md) `[y](two.md)` [z](https://example.org)\n```\n[w](three.md)\n```\n[v](four.md#a-b-c)\n";
    assert_eq!(links_of(text), ["one.md", "four.md#a-b-c"]);
    assert!(headings(text).contains("a-b-c"));
    assert!(!leads_somewhere(Path::new("/nowhere/a.md"), "b.md"));
}

#[test]
fn the_readme_names_commands_that_exist() {
    let text = fs::read_to_string(readme()).expect("the README is readable");
    let named = commands_named(&text);
    assert!(named.len() >= 6, "the README names the commands: {named:?}");
    let commands = subcommands(&[]);
    for command in &named {
        assert!(commands.contains(&command[0]), "`porth {}` is no command: {commands:?}", command[0]);
        let below = subcommands(&command[..1]);
        if let (Some(second), false) = (command.get(1), below.is_empty()) {
            assert!(below.contains(second), "`porth {} {second}` is no command: {below:?}", command[0]);
        }
    }
}

#[test]
fn the_readme_opens_with_the_two_commands() {
    let text = fs::read_to_string(readme()).expect("the README is readable");
    let start: Vec<&str> = text.lines().take(30).collect();
    for command in ["cargo run --release -- demo", "scripts/test"] {
        assert!(start.iter().any(|line| line.starts_with(command)), "`{command}` is not among the first lines");
    }
}

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// `porth log verify …`, in code or fences, as its one or two words.
fn commands_named(text: &str) -> BTreeSet<Vec<String>> {
    let is_word = |word: &&str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
    };
    let mut commands = BTreeSet::new();
    let mut is_fenced = false;
    for line in text.lines() {
        is_fenced ^= line.trim_start().starts_with("```");
        let pieces: Vec<&str> = if is_fenced { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        for piece in pieces {
            if let Some(rest) = piece.trim().strip_prefix("porth ") {
                let words = rest.split_whitespace().take_while(is_word).take(2).map(str::to_owned);
                commands.insert(words.collect::<Vec<_>>());
            }
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

/// The subcommands that `porth … --help` lists.
fn subcommands(command: &[String]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_porth")).args(command).arg("--help").output().expect("porth runs");
    assert!(output.status.success(), "porth {command:?} --help: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("the help is text");
    let listed = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    listed
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}
