//! `porth tokenise` over files of invented people.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use porth::domain::submission::{Header, ROW_CODES, RecordLine};
use serde_json::Value;

/// A key file with fixed keys, made at random once: tokens come out the same in every run.
pub(super) const KEYS: &str = r#"{
  "format": "porth-agency-keys/1",
  "programme": "tff",
  "agency": "education",
  "reference_key": "b3d1f07a55c8e29641aa0fd37c6be81924f59ce0d83a7b16425d9efc01a86b37",
  "linkage": [
    { "epoch": 1, "root": "8f3a1c5e9b7d2046e1f0c3a597b86d42015ec9fa73d8b46e2a9c07f518d3be64" }
  ]
}"#;

pub(super) const MAPPING: &str = r#"
programme = "tff"
agency = "education"
feed = "attendance"
agreement = "early-help-core/v1"
as_at = 2026-09-20
[record]
key = ["Pupil ID"]
[[field]]
column = "NHS"
field = "nhs"
[[field]]
column = "Forename"
field = "forename"
[[field]]
column = "Surname"
field = "surname"
[[field]]
column = "Former surname"
field = "surname"
[[field]]
column = "Born"
field = "dob"
date_format = "dmy"
[[field]]
column = "UPRN"
field = "uprn"
[[field]]
column = "Former UPRN"
field = "uprn"
[defaults]
role = "child"
[coverage]
column = "Roll"
values = { Y = "current", Left = "moved" }
[restricted]
column = "Shield"
values = { Y = true, N = false }
[[criterion]]
code = "E1"
state = { column = "Below 90", values = { Y = "met", N = "not_met" } }
from = "From"
date_format = "dmy"
"#;

const HEADINGS: &str =
    "Pupil ID,NHS,Forename,Surname,Former surname,Born,UPRN,Former UPRN,Roll,Shield,Below 90,From,Notes";

const GOOD: &str = "P-1001,999 000 0018,Jowan,Trelawny,,17/04/2009,10012345,,Y,N,Y,01/09/2026,Likes chess";

pub(crate) struct Desk {
    pub(super) folder: tempfile::TempDir,
}

impl Desk {
    pub(super) fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().expect("a folder") };
        desk.write("keys.json", KEYS);
        desk.write("mapping.toml", MAPPING);
        fs::set_permissions(desk.path("keys.json"), fs::Permissions::from_mode(0o600)).expect("sets the mode");
        desk
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).expect("writes");
    }

    pub(crate) fn porth(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_porth")).args(args).current_dir(self.folder.path()).output().expect("runs")
    }

    fn tokenise(&self, more: &[&str]) -> Output {
        self.porth(&[&["tokenise", "people.csv", "-m", "mapping.toml", "-k", "keys.json"], more].concat())
    }

    /// Tokenises rows under the usual headings; gives the report and the record lines.
    fn records(&self, rows: &[&str]) -> (Value, Vec<Value>) {
        self.write("people.csv", format!("{HEADINGS}\n{}\n", rows.join("\n")));
        let output = self.tokenise(&["-o", "batch.ndjson", "--json"]);
        let report = serde_json::from_slice(&output.stdout).expect("a report");
        let batch = fs::read_to_string(self.path("batch.ndjson")).unwrap_or_default();
        let _ = fs::remove_file(self.path("batch.ndjson"));
        let lines: Vec<Value> = batch.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        if lines.is_empty() {
            return (report, Vec::new());
        }
        assert_eq!(lines.last().expect("an end line")["end"], lines.len() - 2);
        (report, lines[1..lines.len() - 1].to_vec())
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("a folder");
        let name =
            |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name().into_string().expect("UTF-8");
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_output_is_known_to_the_byte_and_read_by_the_gateway() {
    let desk = Desk::new();
    desk.write("people.csv", format!("{HEADINGS}\n{GOOD}\n"));
    let output = desk.tokenise(&["-o", "batch.ndjson"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let batch = fs::read_to_string(desk.path("batch.ndjson")).expect("written");
    let lines: Vec<&str> = batch.lines().collect();
    assert_eq!((lines.len(), lines[2]), (3, r#"{"end":1}"#));
    let header: Header = serde_json::from_str(lines[0]).expect("a header");
    assert_eq!(serde_json::to_string(&header).expect("plain data"), lines[0]);
    let record: RecordLine = serde_json::from_str(lines[1]).expect("a record");
    assert_eq!(serde_json::to_string(&record).expect("plain data"), lines[1]);
    assert_eq!(lines[1], include_str!("golden.json").trim_end());
    let mode = fs::metadata(desk.path("batch.ndjson")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn nothing_of_a_person_is_in_anything_that_comes_out() {
    let desk = Desk::new();
    let bad =
        "P-1002,999 000 0019,Morwenna,Rosewarne,Polglase,31/02/2010,10067890,10011111,Y,Perhaps,Y,01/09/2026,Asthma";
    desk.write("people.csv", format!("{HEADINGS}\n{GOOD}\n{bad}\n"));
    let outputs = [
        desk.tokenise(&["-o", "batch.ndjson"]),
        desk.tokenise(&["-o", "-"]),
        desk.tokenise(&["-o", "-", "--json"]),
        desk.tokenise(&["--dry-run"]),
        desk.tokenise(&["--dry-run=1", "--json"]),
    ];
    let mut all = fs::read_to_string(desk.path("batch.ndjson")).expect("written");
    for output in &outputs {
        assert!(output.status.success(), "{}", text(&output.stderr));
        all += &text(&output.stdout);
        all += &text(&output.stderr);
    }
    for row in [GOOD, bad] {
        for cell in row.split(',').filter(|cell| cell.len() > 3 && *cell != "01/09/2026" && *cell != "Left") {
            for form in [cell.to_owned(), cell.to_uppercase(), cell.replace(' ', "")] {
                assert!(!all.contains(&form), "a cell of {} characters came out", cell.len());
            }
        }
    }
    assert!(!all.contains("2009-04-17") && !all.contains("000010012345"));
}

#[test]
fn one_thread_and_many_give_the_same_bytes() {
    let desk = Desk::new();
    let rows: Vec<String> = (0..2500)
        .map(|n| {
            format!(
                "P-{n},,Jowan{},Trelawny,,{:02}/03/20{:02},{},,Y,N,N,01/09/2026,",
                n % 7,
                1 + n % 28,
                n % 20,
                20_000_000 + n / 3
            )
        })
        .collect();
    desk.write("people.csv", format!("{HEADINGS}\n{}\n", rows.join("\n")));
    let batches: Vec<Vec<u8>> = ["1", "2", "7"]
        .map(|threads| {
            let output = desk.tokenise(&["-o", "batch.ndjson", "--threads", threads]);
            assert!(output.status.success(), "{}", text(&output.stderr));
            fs::read(desk.path("batch.ndjson")).expect("written")
        })
        .into();
    assert_eq!(batches[0].split(|&byte| byte == b'\n').count(), 2503);
    assert!(batches.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn every_refused_row_is_named_by_number_and_code_and_the_others_land() {
    let desk = Desk::new();
    let (id, rest) = GOOD.split_once(',').expect("cells");
    let with = |from: &str, to: &str| GOOD.replacen(from, to, 1).replacen(id, "P-2", 1);
    for (row, code) in [
        (format!(",{rest}"), "record_key.missing"),
        (format!("1.0E+05,{rest}"), "cell.scientific"),
        (GOOD.to_owned(), "row.duplicate_ref"),
        (format!("{GOOD},more"), "row.columns"),
        (with(",Y,N,Y,", ",Gone,N,Y,"), "cell.unknown_word"),
        (with(",Y,N,Y,", ",Y,Perhaps,Y,"), "cell.unknown_word"),
        (with("01/09/2026", "31/09/2026"), "cell.date"),
        (with("01/09/2026", ""), "flag.no_from"),
        (with("01/09/2026", "21/09/2026"), "flag.future"),
        ("P-2,,,,,,10012345,,Y,N,,,".to_owned(), "token.none"),
        ("P-2,999 000 0000,Baby,UNKNOWN,,01/01/1900,,,Y,N,,,".to_owned(), "token.none"),
    ] {
        let (report, records) = desk.records(&[GOOD, &row]);
        assert_eq!(records.len(), 1, "{code}");
        assert_eq!(report["refused_rows"][0]["row"], 3, "{code}");
        assert_eq!(report["refused_rows"][0]["code"], code);
        assert!(report["refusals"][0]["meaning"].as_str().is_some_and(|meaning| meaning.len() > 10), "{code}");
    }
    assert!(ROW_CODES.iter().any(|(code, _)| *code == "row.duplicate_ref"));
    desk.write("people.csv", [HEADINGS.as_bytes(), b"\nP-9,,Jos\xe9,Trelawny,,17/04/2009,,,Y,N,,,\n"].concat());
    let output = desk.tokenise(&["-o", "batch.ndjson"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("cell.not_utf8") && !desk.path("batch.ndjson").exists());
}

#[test]
fn a_household_is_the_current_address_of_somebody_who_lives_there_and_may_be_found() {
    let desk = Desk::new();
    let row = |id: &str, uprn: &str, former: &str, roll: &str, shield: &str| {
        format!("{id},,Jowan,Trelawny,Rowe,17/04/2009,{uprn},{former},{roll},{shield},,,")
    };
    let rows = [
        row("1", "10012345", "10099999", "Y", "N"),
        row("2", "", "10012345", "Y", "N"),
        row("3", "1.00E+07", "10012345", "Y", "N"),
        row("4", "10012345", "", "Left", "N"),
        row("5", "10012345", "10099999", "Y", "Y"),
    ];
    let (report, records) = desk.records(&rows.each_ref().map(String::as_str));
    let has_household: Vec<bool> = records.iter().map(|record| record.get("household").is_some()).collect();
    assert_eq!(has_household, [true, false, false, false, false]);
    assert_eq!(records[0]["household"]["1"]["uprn"].as_array().map(Vec::len), Some(1));
    assert_eq!((report["restricted"].as_u64(), report["with_household"].as_u64()), (Some(1), Some(1)));
    // A shielded person is known by present names and addresses alone.
    assert_eq!(records[4]["restricted"], true);
    assert_eq!(records[0]["tokens"]["1"]["k4"].as_array().map(Vec::len), Some(4));
    assert_eq!(records[4]["tokens"]["1"]["k4"].as_array().map(Vec::len), Some(1));
    let uprn =
        report["fields"].as_array().expect("fields").iter().find(|field| field["field"] == "uprn").expect("mapped");
    assert_eq!(uprn["codes"]["cell.scientific"], 1);
}

#[test]
fn an_address_of_more_than_twelve_rows_is_no_household() {
    let desk = Desk::new();
    for (rows, with_household) in [(12, 12), (13, 0)] {
        let rows: Vec<String> =
            (0..rows).map(|n| format!("{n},,Jowan,Trelawny,,17/04/2009,10012345,,Y,N,,,")).collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let (report, records) = desk.records(&rows);
        assert_eq!(records.iter().filter(|record| record.get("household").is_some()).count(), with_household);
        assert_eq!(report["at_large_addresses"].as_u64(), Some((rows.len() - with_household) as u64));
    }
}

#[test]
fn byte_order_mark_quotes_line_ends_and_column_order_change_nothing() {
    let desk = Desk::new();
    let (_, plain) = desk.records(&[GOOD]);
    let quoted: Vec<String> = GOOD.split(',').map(|cell| format!("\"{cell}\"")).collect();
    let quoted = quoted.join(",").replace("Likes chess", "Likes \"\"chess\"\",\r\nand go");
    for file in [
        format!("\u{feff}{HEADINGS}\r\n{GOOD}\r\n"),
        format!("{}\n{quoted}", HEADINGS.to_uppercase()),
        format!("Extra,{HEADINGS}\n\nx,{GOOD}\n"),
    ] {
        desk.write("people.csv", &file);
        let output = desk.tokenise(&["-o", "-"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let line: Value = serde_json::from_str(text(&output.stdout).lines().nth(1).expect("a record")).expect("JSON");
        assert_eq!(line, plain[0]);
    }
}

#[test]
fn what_cannot_begin_says_why_and_leaves_no_file_behind() {
    let desk = Desk::new();
    let people = format!("{HEADINGS}\n{GOOD}\n");
    let before = ["keys.json", "mapping.toml", "people.csv"];
    for (file, content, code, exit) in [
        ("mapping.toml", MAPPING.replace("\"Shield\"", "\"Hidden\""), "mapping.unknown_column", 78),
        ("mapping.toml", MAPPING.replace("\"dob\"", "\"height\""), "mapping.unknown_field", 78),
        ("mapping.toml", format!("{MAPPING}colour = 1\n"), "mapping.malformed", 78),
        ("mapping.toml", MAPPING.replace("as_at = 2026-09-20", ""), "as_at.missing", 1),
        ("mapping.toml", MAPPING.replace("\"education\"", "\"housing\""), "key_file.other", 78),
        ("people.csv", people.replace(HEADINGS, "P-0,,Jory,Nancarrow,,,,,,,,,"), "mapping.no_header", 78),
        ("mapping.toml", format!("{MAPPING}[file]\ndelimiter = \"semicolon\"\n"), "mapping.no_header", 78),
        ("people.csv", String::new(), "input.empty", 1),
        ("people.csv", format!("{HEADINGS}\n"), "batch.empty", 1),
        ("keys.json", KEYS.replace("8f3a1c", "8f3a1"), "key_file.malformed", 78),
    ] {
        desk.write("mapping.toml", MAPPING);
        desk.write("people.csv", &people);
        desk.write("keys.json", KEYS);
        desk.write(file, &content);
        let output = desk.tokenise(&["-o", "batch.ndjson"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{code}: {said}");
        assert!(said.contains(code) && !said.contains("Nancarrow") && !said.contains("8f3a1"), "{code}: {said}");
        assert_eq!(desk.files(), before, "{code}");
    }
    desk.write("people.csv", &people);
    desk.write("keys.json", KEYS);
    let unwritable = desk.tokenise(&["-o", "missing/batch.ndjson"]);
    assert_eq!((unwritable.status.code(), desk.files()), (Some(1), before.map(str::to_owned).to_vec()));
    fs::set_permissions(desk.path("keys.json"), fs::Permissions::from_mode(0o644)).expect("sets the mode");
    let exposed = desk.tokenise(&["-o", "batch.ndjson"]);
    assert!(exposed.status.code() == Some(78) && text(&exposed.stderr).contains("chmod 600"));
}

#[test]
fn the_preview_shows_the_very_lines_and_writes_nothing() {
    let desk = Desk::new();
    let (_, records) = desk.records(&[GOOD]);
    let output = desk.tokenise(&["--dry-run", "--json"]);
    let preview: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(preview["lines"][1], records[0]);
    assert!(preview["stays"].to_string().contains("Notes"));
    assert_eq!(desk.files(), ["keys.json", "mapping.toml", "people.csv"]);
    let said = text(&desk.tokenise(&["--dry-run"]).stdout);
    assert!(said.contains("This leaves") && said.contains("This stays") && said.contains("1 rows: 1 records"));
}

#[test]
fn the_known_answers_can_be_run_alone() {
    let output = Desk::new().porth(&["tokenise", "--self-test", "--json"]);
    let counts: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(output.status.success() && counts["tokens"] == 6 && counts["identity"].as_u64() >= Some(150));
}

#[test]
fn field_tokens_are_made_where_the_agreement_says_so_and_of_nobody_restricted() {
    let desk = Desk::new();
    let restricted = GOOD.replace("P-1001", "P-1002").replace(",Y,N,Y,", ",Y,Y,Y,");
    desk.write("people.csv", format!("{HEADINGS}\n{GOOD}\n{restricted}\n"));
    let agreement = include_str!("../../../policies/agreements/early-help-core.toml");
    desk.write("as-signed.toml", agreement);
    desk.write("with-fields.toml", agreement.replace("profile = \"A\"", "profile = \"B\""));
    desk.write("other.toml", agreement.replace("id = \"early-help-core\"", "id = \"another\""));
    let batch = |agreement: &[&str]| {
        let output = desk.tokenise(&[&["-o", "batch.ndjson"], agreement].concat());
        let text = fs::read_to_string(desk.path("batch.ndjson")).unwrap_or_default();
        let _ = fs::remove_file(desk.path("batch.ndjson"));
        (
            output.status.success(),
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>(),
        )
    };
    let (_, plain) = batch(&[]);
    assert_eq!(batch(&["--agreement", "as-signed.toml"]).1, plain, "profile A is what is made anyway");
    let (made, lines) = batch(&["--agreement", "with-fields.toml"]);
    assert!(made);
    let fields = lines[1]["fields"]["1"].as_object().expect("field tokens");
    assert!(
        fields.contains_key("forename_soundex") && fields.contains_key("dob_year") && !fields.contains_key("upn_exact")
    );
    let header: Header = serde_json::from_value(lines[0].clone()).expect("a header");
    let checks = &header.epochs[0].key_checks;
    assert!(fields.keys().all(|name| checks.keys().any(|known| known.as_str() == name)));
    assert_eq!(lines[1]["tokens"], plain[1]["tokens"], "match keys are as before");
    serde_json::from_value::<RecordLine>(lines[1].clone()).expect("as the gateway reads it");
    assert_eq!((lines[2]["restricted"].as_bool(), lines[2].get("fields")), (Some(true), None));
    assert!(!batch(&["--agreement", "other.toml"]).0, "the mapping names another agreement");
}

#[test]
fn somebody_of_18_to_25_with_special_needs_is_marked_and_nobody_unborn_is() {
    let desk = Desk::new();
    let marks = "[send_18_25]\ncolumn = \"Notes\"\nvalues = { EHCP = true, none = false }\n\
                 [role]\ncolumn = \"From\"\nvalues = { adult = \"adult\", unborn = \"unborn\" }\n";
    let at = MAPPING.find("[[criterion]]").expect("criteria stand last");
    desk.write("mapping.toml", format!("{}{marks}", &MAPPING[..at]));
    let row =
        |id: u8, role: &str, mark: &str| format!("P-{id},,Jowan,Trelawny,,17/04/2006,10012345,,Y,N,,{role},{mark}");
    let rows = [
        row(1, "adult", "EHCP"),
        row(2, "adult", "none"),
        row(3, "adult", ""),
        row(4, "unborn", "none"),
        row(5, "unborn", "EHCP"),
        row(6, "adult", "perhaps"),
    ];
    let (report, records) = desk.records(&rows.each_ref().map(String::as_str));
    let marks: Vec<&Value> = records.iter().map(|record| &record["send_18_25"]).collect();
    assert_eq!(marks, [&Value::Bool(true), &Value::Null, &Value::Null, &Value::Null]);
    assert_eq!(records[0]["role"], "adult", "the mark stands beside the role");
    let record: RecordLine = serde_json::from_value(records[0].clone()).expect("as the gateway reads it");
    assert!(record.send_18_25);
    let said = report.to_string();
    for code in ["role.send_18_25", "cell.unknown_word"] {
        assert!(said.contains(code), "{code}: {said}");
    }
}

#[test]
fn fuzzy_encodings_are_made_only_where_the_agreement_says_so_and_never_of_a_shielded_person() {
    use porth::domain::clk::Clk;

    let desk = Desk::new();
    let agreement = include_str!("../../../policies/agreements/early-help-core.toml");
    desk.write("a.toml", agreement);
    desk.write("c.toml", agreement.replace("profile = \"A\"", "profile = \"C\""));
    let misspelt = GOOD.replace("P-1001", "P-1002").replace("Trelawny", "Trelawney");
    let shielded = GOOD.replace("P-1001", "P-1003").replace(",Y,N,Y,", ",Y,Y,Y,");
    let undated = GOOD.replace("P-1001", "P-1004").replace("17/04/2009", "");
    desk.write("people.csv", format!("{HEADINGS}\n{GOOD}\n{misspelt}\n{shielded}\n{undated}\n"));
    // Forename, surname and day: the mapping has no postcode.
    let encodings = |agreement: &str, out: &str| -> (Vec<Option<Clk>>, String) {
        let output = desk.tokenise(&["--agreement", agreement, "-o", out]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let batch = fs::read_to_string(desk.path(out)).expect("a batch");
        let lines = batch.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let records = lines.filter(|line| line.get("ref").is_some());
        let clk = |line: Value| line.get("clk").map(|clk| Clk::parse(clk.as_str().expect("text")).expect("a filter"));
        (records.map(clk).collect(), String::from_utf8_lossy(&output.stderr).into_owned())
    };

    let (none, said) = encodings("a.toml", "a.ndjson");
    assert!(none.len() == 4 && none.iter().all(Option::is_none) && !said.contains("fuzzy"), "{said}");

    let (made, said) = encodings("c.toml", "c.ndjson");
    assert!(said.contains("the weakest of the three privacy choices"), "{said}");
    let [Some(one), Some(other), None, None] = made.as_slice() else { panic!("{made:?}") };
    assert_eq!((one.space(), one.space().epoch), (other.space(), 1));
    assert_ne!(one, other);
    let ones = |words: &mut dyn Iterator<Item = u64>| words.map(u64::count_ones).sum::<u32>();
    assert_eq!(ones(&mut one.words().iter().copied()), 512, "balanced");
    let common = ones(&mut one.words().iter().zip(other.words()).map(|(a, b)| a & b));
    assert!(common > 400, "one letter more: {common} of 512");

    let batch = fs::read_to_string(desk.path("c.ndjson")).expect("a batch");
    desk.tokenise(&["--agreement", "c.toml", "-o", "again.ndjson", "--threads", "1"]);
    assert_eq!(fs::read_to_string(desk.path("again.ndjson")).expect("a batch"), batch, "the same each time");

    desk.write("other.toml", agreement.replace("early-help-core", "another-core"));
    let output = desk.tokenise(&["--agreement", "other.toml", "-o", "other.ndjson"]);
    assert!(!output.status.success() && !desk.path("other.ndjson").exists());
}
