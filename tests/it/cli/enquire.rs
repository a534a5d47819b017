//! `porth enquire` and `porth submit` as far as they go without a gateway.

use std::io::Write as _;
use std::process::{Command, Stdio};

use porth::app::enquire::Question;

use super::tokenise::Desk;

const ASK: [&str; 19] = [
    "enquire",
    "--dry-run",
    "--json",
    "-k",
    "keys.json",
    "--agreement",
    "early-help-core/v1",
    "--purpose",
    "early-help-screening",
    "--mode",
    "areas",
    "--relationship",
    "referral",
    "--role",
    "hub-screener",
    "--case",
    "C-20417",
    "--user",
    "tamsin.carlyon",
];

#[test]
fn a_question_holds_tokens_and_references_and_nothing_of_the_person() {
    let desk = Desk::new();
    desk.write(
        "person.json",
        r#"{"nhs": "999 000 0018", "forename": "Jowan", "surname": ["Trelawny", "Rowe"], "dob": "2009-04-17", "uprn": "10012345"}"#,
    );
    let output = desk.porth(&[&ASK[..], &["--person", "person.json"]].concat());
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let question: Question = serde_json::from_str(&said).expect("a question");
    let types: Vec<_> = question.tokens[&1].keys().chain(question.household[&1].keys()).collect();
    assert!(types.iter().all(|name| question.epochs[0].key_checks.contains_key(*name)));
    assert_eq!(types.len(), question.epochs[0].key_checks.len());
    for secret in ["9990000018", "999 000", "JOWAN", "Trelawny", "2009-04-17", "10012345", "C-20417", "tamsin"] {
        assert!(!said.contains(secret));
    }
}

#[test]
fn file_standard_input_fields_and_a_row_ask_the_same_question() {
    let desk = Desk::new();
    let json = r#"{"nhs": "999 000 0018", "forename": "Jowan", "surname": "Trelawny", "dob": "2009-04-17"}"#;
    desk.write("person.json", json);
    desk.write(
        "people.csv",
        "Pupil ID,NHS,Forename,Surname,Former surname,Born,UPRN,Former UPRN,Roll,Shield,Below 90,From\n\
        9,,Piran,Rowe,,01/02/2008,,,,,,\n7,9990000018,Jowan,Trelawny,,17/04/2009,,,,,,\n",
    );
    let file = desk.porth(&[&ASK[..], &["--person", "person.json"]].concat());
    let row = desk.porth(&[&ASK[..], &["--csv", "people.csv", "--row", "3", "--mapping", "mapping.toml"]].concat());
    let fields = desk.porth(
        &[
            &ASK[..],
            &[
                "--field",
                "nhs=999 000 0018",
                "--field",
                "forename=Jowan",
                "--field",
                "surname=Trelawny",
                "--field",
                "dob=2009-04-17",
            ],
        ]
        .concat(),
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_porth"));
    command.args(ASK).args(["--person", "-"]).current_dir(desk.folder.path());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("runs");
    child.stdin.take().expect("piped").write_all(json.as_bytes()).expect("writes");
    let standard_input = child.wait_with_output().expect("ends");
    assert!(file.status.success() && !file.stdout.is_empty(), "{}", String::from_utf8_lossy(&file.stderr));
    for other in [&row, &fields, &standard_input] {
        assert_eq!(other.stdout, file.stdout, "{}", String::from_utf8_lossy(&other.stderr));
    }
    assert!(String::from_utf8_lossy(&fields.stderr).contains("shell's history"));
    assert!(!String::from_utf8_lossy(&fields.stderr).contains("Trelawny"));
}

#[test]
fn a_person_whom_nobody_could_find_is_not_asked_about() {
    let desk = Desk::new();
    for (person, code) in [
        (r#"{"surname": "Trelawny"}"#, "token.none"),
        (r#"{"nhs": "999 000 0019"}"#, "token.none"),
        (r#"{"height": "180"}"#, "field.unknown"),
        (r#"{"nhs": 9990000018}"#, "person.malformed"),
        (r#"{"nhs": "9.99E+09"}"#, "cell.scientific"),
    ] {
        desk.write("person.json", person);
        let output = desk.porth(&[&ASK[..], &["--person", "person.json"]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(code) && !said.contains("Trelawny") && !said.contains("0019"), "{said}");
    }
}

#[test]
fn a_batch_that_was_cut_off_is_not_sent() {
    let desk = Desk::new();
    desk.write("batch.ndjson", "{\"programme\":\"tff\"}\n");
    let output = desk.porth(&["submit", "batch.ndjson", "--connection", "connection.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("batch.malformed"));
}

#[test]
fn two_key_files_give_one_question_of_two_epochs_and_one_with_both_gives_the_same() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new();
    let keys = |epochs: &[(u32, &str)]| {
        let linkage: Vec<String> =
            epochs.iter().map(|(epoch, root)| format!(r#"{{ "epoch": {epoch}, "root": "{root}" }}"#)).collect();
        let linkage = linkage.join(", ");
        let start = super::tokenise::KEYS.split_once("\"linkage\"").expect("the linkage keys").0;
        format!("{start}\"linkage\": [{linkage}] }}")
    };
    let root = "8f3a1c5e9b7d2046e1f0c3a597b86d42015ec9fa73d8b46e2a9c07f518d3be64";
    let next = "2c6be81924f59ce0d83a7b16425d9efc01a86b37b3d1f07a55c8e29641aa0fd3";
    for (name, epochs) in
        [("one.json", &[(1, root)][..]), ("two.json", &[(2, next)]), ("both.json", &[(1, root), (2, next)])]
    {
        desk.write(name, keys(epochs));
        std::fs::set_permissions(desk.path(name), std::fs::Permissions::from_mode(0o600)).expect("sets the mode");
    }
    desk.write("person.json", r#"{"nhs": "999 000 0018", "surname": "Trelawny", "dob": "2009-04-17"}"#);
    let ask = |keys: &[&str]| {
        let keys: Vec<&str> = keys.iter().flat_map(|name| ["-k", name]).collect();
        let rest: Vec<&str> = ASK.into_iter().filter(|word| !["-k", "keys.json"].contains(word)).collect();
        desk.porth(&[&rest[..], &keys, &["--person", "person.json"]].concat())
    };
    let question = |output: &std::process::Output| -> Question {
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    };
    let two = ask(&["one.json", "two.json"]);
    let question_of_two = question(&two);
    assert_eq!(question_of_two.epochs.iter().map(|epoch| epoch.epoch).collect::<Vec<_>>(), [1, 2]);
    let types = |epoch: u32| question_of_two.tokens[&epoch].keys().collect::<Vec<_>>();
    assert_eq!(types(1), types(2));
    assert_ne!(question_of_two.tokens[&1], question_of_two.tokens[&2]);
    assert_eq!(ask(&["both.json"]).stdout, two.stdout);
    assert_eq!(question(&ask(&["one.json"])).tokens[&1], question_of_two.tokens[&1]);
    for (wrong, code) in [
        (&["one.json", "one.json"][..], "key_file.epochs"),
        (&["one.json", "both.json"], "key_file.epochs"),
        (&["one.json", "two.json", "both.json"], "key_file.epochs"),
    ] {
        let output = ask(wrong);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(78) && said.contains(code), "{wrong:?}: {said}");
    }
}
