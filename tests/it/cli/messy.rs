//! `porth tokenise` over files as offices send them: tests/data/messy, with a table of what each
//! must come to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use porth::domain::submission::{Header, RecordLine};
use serde::Deserialize;
use serde_json::Value;

use super::tokenise::{Desk, KEYS};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectations {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    file: String,
    says: String,
    #[serde(default)]
    add: String,
    #[serde(default)]
    replace: Vec<(String, String)>,
    refused: Option<String>,
    #[serde(default)]
    exit: i32,
    rows: Option<u64>,
    #[serde(default)]
    records: u64,
    #[serde(default)]
    retractions: u64,
    #[serde(default)]
    refusals: BTreeMap<String, u64>,
    #[serde(default)]
    fields: BTreeMap<String, u64>,
    same_as: Option<String>,
    note: Option<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/messy")
}

fn expectations() -> Vec<Case> {
    let text = fs::read_to_string(folder().join("expectations.toml")).expect("the table");
    toml::from_str::<Expectations>(&text).expect("a table of cases").case
}

/// What came of one file.
struct Outcome {
    exit: i32,
    said: String,
    report: Option<Value>,
    header: Option<Value>,
    records: Vec<Value>,
}

fn tokenise(desk: &Desk, case: &Case) -> Outcome {
    let mut mapping = fs::read_to_string(folder().join("mapping.toml")).expect("the mapping");
    for (from, to) in &case.replace {
        assert!(mapping.contains(from), "{}: nothing to replace", case.file);
        mapping = mapping.replace(from, to);
    }
    desk.write("mapping.toml", mapping + &case.add);
    let people = folder().join(&case.file);
    let people = people.to_str().expect("UTF-8");
    let output =
        desk.porth(&["tokenise", people, "-m", "mapping.toml", "-k", "keys.json", "-o", "batch.ndjson", "--json"]);
    let batch = fs::read_to_string(desk.path("batch.ndjson")).ok();
    let _ = fs::remove_file(desk.path("batch.ndjson"));
    let lines: Vec<Value> =
        batch.iter().flat_map(|batch| batch.lines()).map(|line| serde_json::from_str(line).expect("JSON")).collect();
    if let Some(end) = lines.last() {
        assert_eq!(end["end"], lines.len() - 2, "{}: the end line counts the records", case.file);
    }
    Outcome {
        exit: output.status.code().expect("an exit code"),
        said: String::from_utf8(output.stderr).expect("UTF-8"),
        report: serde_json::from_slice(&output.stdout).ok(),
        header: lines.first().cloned(),
        records: lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default().to_vec(),
    }
}

fn counts(list: &Value, place: &str) -> BTreeMap<String, u64> {
    let name = |entry: &Value| match entry[place].as_str() {
        Some("") | None => "row".to_owned(),
        Some(place) => place.to_owned(),
    };
    let count = |entry: &Value| {
        let code = entry["code"].as_str().expect("a code");
        (format!("{}: {code}", name(entry)), entry["rows"].as_u64().expect("a count"))
    };
    list.as_array().expect("a list").iter().map(count).collect()
}

fn field_codes(report: &Value) -> BTreeMap<String, u64> {
    let mut codes = BTreeMap::new();
    for field in report["fields"].as_array().expect("fields") {
        for (code, count) in field["codes"].as_object().expect("codes") {
            let name = field["field"].as_str().expect("a name");
            codes.insert(format!("{name}: {code}"), count.as_u64().expect("a count"));
        }
    }
    codes
}

/// Rows read are records and counted rejects, and each row whose fields were read is counted once in
/// each field: nothing is lost.
fn check_sums(case: &Case, outcome: &Outcome, report: &Value) {
    let number = |name: &str| report[name].as_u64().expect("a count");
    let file = &case.file;
    let rejects: u64 = counts(&report["refusals"], "field").values().sum();
    assert_eq!(number("rows"), number("records") + rejects, "{file}");
    assert_eq!((number("refused"), number("records")), (rejects, outcome.records.len() as u64), "{file}");
    let retracted = outcome.records.iter().filter(|record| record["retract"] == true).count() as u64;
    assert_eq!(number("retractions"), retracted, "{file}");
    let read: BTreeSet<u64> = report["fields"]
        .as_array()
        .expect("fields")
        .iter()
        .map(|field| ["valid", "missing", "sentinel", "invalid"].map(|class| field[class].as_u64().expect("a count")))
        .map(|classes| classes.iter().sum())
        .collect();
    assert!(read.len() <= 1, "{file}: every field counts the same rows");
    let read = read.first().copied().unwrap_or_default();
    assert!(read >= number("records") - retracted && read <= number("rows"), "{file}: {read} rows were read");
}

/// Header and records are what the gateway's own types read: deltas, attendance and two epochs too.
fn check_form(case: &Case, outcome: &Outcome) {
    let Some(header) = &outcome.header else { return };
    serde_json::from_value::<Header>(header.clone()).unwrap_or_else(|error| panic!("{}: {error}", case.file));
    for record in outcome.records.iter().filter(|record| record["retract"] != true) {
        serde_json::from_value::<RecordLine>(record.clone()).unwrap_or_else(|error| panic!("{}: {error}", case.file));
    }
}

/// No cell of four characters or more that could say who somebody is.
fn check_silence(case: &Case, outcome: &Outcome) {
    let said = format!("{}{}", outcome.said, outcome.report.as_ref().map(Value::to_string).unwrap_or_default());
    for secret in
        ["Jowan", "Trelawny", "Morwenna", "Rosewarne", "Polglase", "Kerensa", "9990007", "TR99", "/2009", "2011"]
    {
        let secrets = [secret.to_owned(), secret.to_uppercase(), secret.to_lowercase()];
        assert!(!secrets.iter().any(|secret| said.contains(secret)), "{}: a cell is repeated", case.file);
    }
}

#[test]
fn every_messy_file_comes_to_what_the_table_says_and_no_row_is_lost() {
    let cases = expectations();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let desk = Desk::new();
    let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for case in &cases {
        let outcome = tokenise(&desk, case);
        let about = format!("{} ({}): {}", case.file, case.says, outcome.said);
        check_silence(case, &outcome);
        assert_eq!(outcome.exit, case.exit, "{about}");
        if let Some(code) = &case.refused {
            assert!(outcome.said.contains(code.as_str()) && outcome.header.is_none(), "{about}");
        }
        if let Some(note) = &case.note {
            assert!(outcome.said.contains(note.as_str()), "{about}");
        }
        let Some(rows) = case.rows else {
            assert!(outcome.report.is_none(), "{about}");
            continue;
        };
        let report = outcome.report.as_ref().unwrap_or_else(|| panic!("{about}"));
        check_form(case, &outcome);
        check_sums(case, &outcome, report);
        assert_eq!(report["rows"], rows, "{about}");
        assert_eq!(report["records"], case.records, "{about}");
        assert_eq!(report["retractions"], case.retractions, "{about}");
        assert_eq!(counts(&report["refusals"], "field"), case.refusals, "{about}");
        assert_eq!(field_codes(report), case.fields, "{about}");
        let codes = report["refusals"].as_array().expect("a list").iter();
        for entry in codes {
            assert!(entry["meaning"].as_str().is_some_and(|meaning| meaning.len() > 10), "{about}: {entry}");
        }
        if let Some(other) = &case.same_as {
            assert_eq!(&outcome.records, records.get(other).expect("an earlier case"), "{about}");
        }
        records.insert(case.file.clone(), outcome.records);
    }
}

#[test]
fn every_messy_file_is_in_the_table() {
    let listed: BTreeSet<String> = expectations().into_iter().map(|case| case.file).collect();
    let on_disk: BTreeSet<String> = fs::read_dir(folder())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .filter(|name| Path::new(name).extension().is_none_or(|ending| ending != "toml"))
        .collect();
    assert_eq!(listed, on_disk);
}

fn case<'a>(cases: &'a [Case], file: &str) -> &'a Case {
    cases.iter().find(|case| case.file == file).expect("a case")
}

#[test]
fn a_delta_says_so_and_a_record_taken_back_is_a_reference_alone() {
    let (cases, desk) = (expectations(), Desk::new());
    let outcome = tokenise(&desk, case(&cases, "delta.csv"));
    assert_eq!(outcome.header.expect("a header")["mode"], "delta");
    let plain = tokenise(&desk, case(&cases, "plain.csv"));
    assert_eq!(plain.header.expect("a header")["mode"], "snapshot");
    assert_eq!(outcome.records[0], plain.records[0]);
    for record in &outcome.records[1..] {
        let members: Vec<&String> = record.as_object().expect("an object").keys().collect();
        assert_eq!((members, &record["retract"]), (vec![&"ref".to_owned(), &"retract".to_owned()], &Value::Bool(true)));
        assert_eq!(record["ref"].as_str().map(str::len), Some(22));
    }
}

#[test]
fn attendance_leaves_as_terms_and_bands_alone() {
    let (cases, desk) = (expectations(), Desk::new());
    let spring_and_summer = |spring: &str, summer: &str| serde_json::json!([{ "term": "2026-spring", "band": spring }, { "term": "2026-summer", "band": summer }]);
    for file in ["attendance-percent.csv", "attendance-bands.csv"] {
        let outcome = tokenise(&desk, case(&cases, file));
        assert_eq!(outcome.records[0]["attendance"], spring_and_summer("below_90", "90_and_over"), "{file}");
        assert!(!outcome.records[0].to_string().contains("89.9"), "{file}");
    }
    let percent = tokenise(&desk, case(&cases, "attendance-percent.csv"));
    assert_eq!(percent.records[1]["attendance"], serde_json::json!([{ "term": "2026-summer", "band": "90_and_over" }]));
    let bands = tokenise(&desk, case(&cases, "attendance-bands.csv"));
    assert!(bands.records[1].get("attendance").is_none());
    assert_eq!(tokenise(&desk, case(&cases, "contested.csv")).records[0]["flags"][0]["state"], "contested");
}

#[test]
fn two_key_files_give_tokens_of_both_epochs_and_must_belong_together() {
    let desk = Desk::new();
    let plain = folder().join("plain.csv");
    desk.write("mapping.toml", fs::read(folder().join("mapping.toml")).expect("the mapping"));
    let next = KEYS.replace("\"epoch\": 1", "\"epoch\": 2").replace("8f3a1c5e9b7d2046", "27c9e0b1d4f35a68");
    let run = |keys: &str| {
        desk.write("next.json", keys);
        fs::set_permissions(desk.path("next.json"), fs::Permissions::from_mode(0o600)).expect("sets the mode");
        let plain = plain.to_str().expect("UTF-8");
        desk.porth(&["tokenise", plain, "-m", "mapping.toml", "-k", "keys.json", "--keys", "next.json", "-o", "-"])
    };
    let both = run(&next);
    assert!(both.status.success(), "{}", String::from_utf8_lossy(&both.stderr));
    let lines: Vec<Value> = String::from_utf8(both.stdout)
        .expect("UTF-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let epochs: Vec<&Value> =
        lines[0]["epochs"].as_array().expect("epochs").iter().map(|epoch| &epoch["epoch"]).collect();
    assert_eq!(epochs, [&Value::from(1), &Value::from(2)]);
    assert_ne!(lines[0]["epochs"][0]["key_checks"], lines[0]["epochs"][1]["key_checks"]);
    let one = tokenise(&desk, case(&expectations(), "plain.csv"));
    for (record, alone) in lines[1..].iter().zip(&one.records) {
        assert_eq!(record["tokens"]["1"], alone["tokens"]["1"]);
        assert_eq!(record["ref"], alone["ref"]);
        let types =
            |epoch: &str| record["tokens"][epoch].as_object().expect("types").keys().cloned().collect::<Vec<_>>();
        assert_eq!(types("1"), types("2"));
        assert_ne!(record["tokens"]["1"], record["tokens"]["2"]);
    }
    for (keys, code) in [
        (KEYS.to_owned(), "key_file.epochs"),
        (next.replace("b3d1f07a55c8", "c41e9f26a07d"), "key_file.reference"),
        (next.replace("\"education\"", "\"housing\""), "key_file.reference"),
        (next.replace("\"tff\"", "\"other\""), "key_file.programme"),
    ] {
        let refused = run(&keys);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(78) && said.contains(code), "{code}: {said}");
    }
}
