//! `porth tokenise --guess`: what it proposes, beside mappings written by hand.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use porth::cli::agency::mapping::Mapping;
use porth::demo::population::{Column, Options, Population};
use porth::domain::programme::Programme;
use serde_json::Value;

use super::tokenise::{Desk, KEYS};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A desk of an agency of a programme.
fn desk(programme: &str, agency: &str) -> Desk {
    let desk = Desk::new();
    desk.write("keys.json", KEYS.replace("\"tff\"", &format!("\"{programme}\"")).replace("education", agency));
    fs::set_permissions(desk.path("keys.json"), fs::Permissions::from_mode(0o600)).expect("sets the mode");
    desk
}

/// Proposes a mapping for people.csv and leaves it as guessed.toml.
fn guess(desk: &Desk, more: &[&str]) -> String {
    let output = desk.porth(&[&["tokenise", "--guess", "people.csv", "--keys", "keys.json"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    Mapping::parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
    desk.write("guessed.toml", &text);
    text
}

type Said = BTreeMap<&'static str, Value>;

/// What leaves of each record as to who it is, and where.
fn persons(desk: &Desk, mapping: &str, more: &[&str]) -> BTreeMap<String, Said> {
    let args = ["tokenise", "people.csv", "-m", mapping, "-k", "keys.json", "-o", "batch.ndjson"];
    let output = desk.porth(&[&args[..], more].concat());
    assert!(output.status.success(), "{mapping}: {}", String::from_utf8_lossy(&output.stderr));
    let batch = fs::read_to_string(desk.path("batch.ndjson")).expect("written");
    let lines: Vec<Value> = batch.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let record = |line: &Value| {
        let parts = ["tokens", "household", "role", "parental_responsibility", "coverage", "restricted"];
        let said = parts.map(|part| (part, line[part].clone()));
        (line["ref"].as_str().expect("a reference").to_owned(), said.into())
    };
    lines[1..lines.len() - 1].iter().map(record).collect()
}

#[test]
fn for_every_feed_of_the_demonstration_the_guess_finds_the_same_persons_and_repeats_no_cell() {
    let programme = Programme::parse(&fs::read(root("policies/programme.toml")).expect("there")).expect("the example");
    let options = Options { background_people: 300, ..Options::new(jiff::civil::date(2026, 11, 21)) };
    let mut feeds = 0;
    for mut file in Population::generate(&programme, options).files() {
        file.rows.truncate(200);
        let (agency, feed) = file.name;
        let desk = desk("tff", agency);
        desk.write("people.csv", file.to_csv().expect("memory"));
        desk.write("hand.toml", file.mapping("tff"));
        let as_at = file.as_at.to_string();
        let text = guess(&desk, &["--as-at", &as_at]);
        for row in &file.rows {
            for column in [Column::Key, Column::Nhs, Column::Upn, Column::Nino, Column::Surname, Column::Uprn] {
                let cell = row.cell(column);
                assert!(cell.len() < 4 || !text.contains(&cell), "{agency} {feed}: a cell is repeated");
            }
        }
        let as_at = ["--as-at", as_at.as_str()];
        let (by_hand, guessed) = (persons(&desk, "hand.toml", &as_at), persons(&desk, "guessed.toml", &as_at));
        assert!(by_hand.len() >= 20, "{agency} {feed}: {} records", by_hand.len());
        assert_eq!(guessed.len(), by_hand.len(), "{agency} {feed}\n{text}");
        for (reference, said) in &by_hand {
            assert_eq!(guessed.get(reference), Some(said), "{agency} {feed}\n{text}");
        }
        feeds += 1;
    }
    assert!(feeds >= 8, "{feeds} feeds");
}

#[test]
fn for_the_public_test_set_the_guess_finds_the_same_persons() {
    for (agency, data, mapping) in [
        ("north", "tests/data/febrl/dataset4a.csv", "examples/febrl/mapping-north.toml"),
        ("south", "tests/data/febrl/dataset4b.csv", "examples/febrl/mapping-south.toml"),
    ] {
        let desk = desk("febrl4", agency);
        let data = fs::read_to_string(root(data)).expect("there");
        desk.write("people.csv", data.lines().take(401).collect::<Vec<_>>().join("\n"));
        desk.write("hand.toml", fs::read(root(mapping)).expect("there"));
        let keys = root("policies/match-keys.febrl.toml");
        let more = ["--match-keys", keys.to_str().expect("UTF-8"), "--as-at", "2020-01-01"];
        let text = guess(&desk, &more);
        let (mut by_hand, mut guessed) = (persons(&desk, "hand.toml", &more), persons(&desk, "guessed.toml", &more));
        // Nothing in the file says that all are adults; the mapping by hand knows it.
        for said in by_hand.values_mut().chain(guessed.values_mut()) {
            said.remove("role");
        }
        assert_eq!(by_hand.len(), 400);
        assert_eq!(guessed, by_hand, "{text}");
    }
}

#[test]
fn for_the_messy_files_the_guess_says_which_words_it_does_not_know() {
    let desk = Desk::new();
    desk.write("hand.toml", fs::read(root("tests/data/messy/mapping.toml")).expect("there"));
    for file in ["plain.csv", "semicolons.csv", "windows-1252.csv", "several-date-forms.csv"] {
        desk.write("people.csv", fs::read(root("tests/data/messy").join(file)).expect("there"));
        let text = guess(&desk, &["--as-at", "2026-09-20"]);
        // `Left` is this school's own word for moved away: the guess cannot know it, says so, and
        // takes everybody for present. The household of who left is the one difference that makes.
        assert!(text.contains("# \"On roll\": CHECK: the heading says coverage"), "{file}: {text}");
        if matches!(file, "windows-1252.csv" | "several-date-forms.csv") {
            let expected = if file.starts_with('w') { "windows-1252" } else { "\"dd-mmm-yyyy\"" };
            assert!(text.contains(expected), "{text}");
            continue;
        }
        let mut by_hand = persons(&desk, "hand.toml", &[]);
        let mut guessed = persons(&desk, "guessed.toml", &["--as-at", "2026-09-20"]);
        let count =
            |persons: &BTreeMap<String, Said>| persons.values().filter(|said| !said["household"].is_null()).count();
        assert_eq!((count(&by_hand), count(&guessed)), (2, 3), "{file}");
        for said in by_hand.values_mut().chain(guessed.values_mut()) {
            for part in ["role", "coverage", "household"] {
                said.remove(part);
            }
        }
        assert_eq!(guessed, by_hand, "{file}");
    }
}

#[test]
fn what_is_not_sure_is_left_out_with_its_reason() {
    let desk = Desk::new();
    let numbers = ["9990000018", "9990000026", "9990000034", "9990000042", "9990000050"];
    let rows: Vec<String> = numbers
        .iter()
        .enumerate()
        .map(|(n, number)| {
            format!("Jory Nance,Nance,Penrose,0{}/03/2010,Jo,TR99 {n}AB,Rowe,P{n},{number},TR99 1AB,sometimes", n + 1)
        })
        .collect();
    desk.write(
        "people.csv",
        format!(
            "Name,Surname,Mother's surname,Date of birth,Preferred forename,School postcode,Family name,Client ref,Code,Where,Restricted\n{}\n",
            rows.join("\n")
        ),
    );
    let text = guess(&desk, &[]);
    let mapping = Mapping::parse(text.as_bytes()).expect("read above");
    let fields: Vec<(&str, &str)> =
        mapping.fields.iter().map(|field| (field.column.as_str(), field.field.as_str())).collect();
    // By its check digits alone.
    assert_eq!(fields, [("Code", "nhs")], "{text}");
    assert_eq!(mapping.record.key, ["Client ref"]);
    assert!(mapping.restricted.is_none());
    for (column, reason) in [
        ("\"Name\"", "a whole name in one column"),
        ("\"Surname\"", "could be the same"),
        ("\"Family name\"", "could be the same"),
        ("\"Mother's surname\"", "of somebody else"),
        ("\"Preferred forename\"", "perhaps not the one on record"),
        ("\"School postcode\"", "of somebody else"),
        ("\"Date of birth\"", "whether day or month comes first"),
        ("\"Where\"", "does not say whose"),
        ("\"Restricted\"", "CHECK"),
    ] {
        let line = text.lines().find(|line| line.contains(column) && line.starts_with('#'));
        assert!(line.is_some_and(|line| line.contains(reason)), "{column}: {text}");
    }
    for cell in ["Nance", "Penrose", "Rowe", "99900", "TR99", "sometimes", "Jory"] {
        assert!(!text.contains(cell), "a cell is repeated");
    }
}

#[test]
fn a_guess_overwrites_nothing_and_repeats_no_first_row_that_may_be_a_person() {
    let desk = Desk::new();
    desk.write("people.csv", fs::read(root("tests/data/messy/plain.csv")).expect("there"));
    desk.write("kept.toml", "mine");
    let run = |out: &str| desk.porth(&["tokenise", "--guess", "people.csv", "--out", out]);
    assert_eq!(run("kept.toml").status.code(), Some(1));
    assert_eq!(fs::read(desk.path("kept.toml")).expect("there"), b"mine");
    assert!(run("new.toml").status.success());
    let text = fs::read_to_string(desk.path("new.toml")).expect("written");
    let mapping = Mapping::parse(text.as_bytes()).expect("a mapping");
    // Without a key file nobody says whose it is.
    assert_eq!(mapping.agency.as_str(), "agency");
    assert!(text.contains("agency = \"agency\" # CHECK"), "{text}");

    desk.write("people.csv", fs::read(root("tests/data/messy/no-headings.csv")).expect("there"));
    let output = run("other.toml");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("guess.no_header"), "{said}");
    assert!(!said.contains("Jowan") && !desk.path("other.toml").exists());
}
