//! An agency's commands one after the other towards a gateway that listens: a file of people in, its
//! effect out; deltas and a key changeover.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use porth::crypto::token::{LinkageKey, TypeKey};
use porth::domain::ids::ProgrammeCode;
use rstest::rstest;
use serde_json::Value;

use super::screen;
use super::tokenise::{Desk, MAPPING};
use crate::support::agency::TestAgency;
use crate::support::database::Backend;
use crate::support::gateway::{PROGRAMME, TestGateway, random};

const HEADINGS: &str =
    "Pupil ID,NHS,Forename,Surname,Former surname,Born,UPRN,Former UPRN,Roll,Shield,Below 90,From,Gone";
const CHANGES: &str = "[batch]\nmode = \"delta\"\n[retract]\ncolumn = \"Gone\"\nvalues = { Y = true, N = false }\n";
/// Numbers of the range that is never issued.
const ADA: &str = "9990000018";
const BEN: &str = "9990007004";
const CAL: &str = "9990007012";

/// A machine of an agency with its keys and a mapping for its export.
struct Machine<'g> {
    agency: TestAgency<'g>,
    desk: Desk,
}

impl<'g> Machine<'g> {
    async fn of(home: &'g TestGateway, agency: &str) -> Self {
        let agency = home.agency(agency).await;
        let desk = screen::desk(&agency);
        desk.write("delta.toml", format!("{MAPPING}{CHANGES}"));
        let machine = Self { agency, desk };
        machine.keys("keys.json", &[(1, &home.linkage)]);
        machine
    }

    fn keys(&self, name: &str, epochs: &[(u32, &LinkageKey)]) {
        let linkage: Vec<String> = epochs
            .iter()
            .map(|(epoch, key)| format!("{{ \"epoch\": {epoch}, \"root\": \"{}\" }}", *key.secret().expose_hex()))
            .collect();
        let text = format!(
            "{{ \"format\": \"porth-agency-keys/1\", \"programme\": \"{PROGRAMME}\", \"agency\": \"{}\",\n\
             \"reference_key\": \"b3d1f07a55c8e29641aa0fd37c6be81924f59ce0d83a7b16425d9efc01a86b37\",\n\
             \"linkage\": [{}] }}",
            self.agency.code,
            linkage.join(", ")
        );
        self.desk.write(name, text);
        fs::set_permissions(self.desk.path(name), fs::Permissions::from_mode(0o600)).expect("sets the mode");
    }

    /// Runs a command without holding up the gateway, which lives in this process.
    fn porth(&self, arguments: &[&str]) -> Output {
        tokio::task::block_in_place(|| self.desk.porth(arguments))
    }

    /// Tokenises rows and submits the batch; gives what `porth submit --json` says.
    async fn deliver(&self, mapping: &str, keys: &str, rows: &[String]) -> Value {
        self.tokenise(mapping, keys, rows).await;
        let sent = self.porth(&["--json", "submit", "batch.ndjson", "-c", "connection.toml"]);
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
        serde_json::from_slice(&sent.stdout).expect("JSON")
    }

    async fn tokenise(&self, mapping: &str, keys: &str, rows: &[String]) {
        let _ = fs::remove_file(self.desk.path("batch.ndjson"));
        self.desk.write("people.csv", format!("{HEADINGS}\n{}\n", rows.join("\n")));
        let today = self.agency.home.now().await.date().to_string();
        let what = ["tokenise", "people.csv", "-m", mapping, "-k", keys, "-o", "batch.ndjson", "--as-at", &today];
        let made = self.porth(&what);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// The state of the area of school attendance in the answer about somebody.
    fn ask(&self, nhs: &str, keys: &[&str]) -> String {
        self.desk.write("person.json", format!("{{\"nhs\": \"{nhs}\"}}"));
        let keys: Vec<&str> = keys.iter().flat_map(|name| ["-k", name]).collect();
        let terms = [
            "--json",
            "enquire",
            "-c",
            "connection.toml",
            "--person",
            "person.json",
            "--agreement",
            "early-help-core/v1",
            "--purpose",
            "early-help-screening",
            "--mode=areas",
            "--relationship=referral",
            "--role=hub-screener",
            "--case=C-1",
            "--user=tamsin",
        ];
        let asked = self.porth(&[&terms[..], &keys].concat());
        assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
        let answer: Value = serde_json::from_slice(&asked.stdout).expect("JSON");
        let area = answer["areas"].as_array().expect("areas").iter().find(|area| area["code"] == "A2").expect("A2");
        area["state"].as_str().expect("a state").to_owned()
    }
}

/// A pupil of the export: number, NHS number, whether attendance is below the line, whether gone.
async fn pupil(home: &TestGateway, number: u32, nhs: &str, below: &str, gone: &str) -> String {
    let from = home.now().await.plus_seconds(-40 * 86_400).date().strftime("%d/%m/%Y").to_string();
    format!("P-{number},{nhs},,,,,,,Y,N,{below},{from},{gone}")
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delta_adds_changes_and_removes_what_an_enquiry_then_sees(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = Machine::of(&home, "education").await;
    let hub = Machine::of(&home, "early-help-hub").await;
    let snapshot = [pupil(&home, 1, ADA, "Y", "").await, pupil(&home, 2, BEN, "Y", "").await];
    education.deliver("mapping.toml", "keys.json", &snapshot).await;
    let seen = || [ADA, BEN, CAL].map(|nhs| hub.ask(nhs, &["keys.json"]));
    let nothing = hub.ask("9990007020", &["keys.json"]);
    assert_ne!(nothing, "met");
    assert_eq!(seen(), ["met", "met", nothing.as_str()]);

    let changes = [
        pupil(&home, 1, ADA, "N", "N").await, // attends again
        "P-2,,,,,,,,,,,,Y".to_owned(),        // has left the school
        pupil(&home, 3, CAL, "Y", "N").await, // is new
    ];
    let said = education.deliver("delta.toml", "keys.json", &changes).await;
    assert_eq!(
        (&said["state"], &said["mode"], &said["rows_accepted"]),
        (&"visible".into(), &"delta".into(), &3.into())
    );
    let [changed, removed, added] = seen();
    assert_eq!((removed.as_str(), added.as_str()), (nothing.as_str(), "met"));
    assert_ne!(changed, "met", "the record in its place says otherwise");

    // Taken back: the change goes, and what it removed does not come back by itself.
    let id = said["id"].as_str().expect("an id");
    let listed = education.porth(&["submissions", "list", "-c", "connection.toml"]);
    assert!(String::from_utf8_lossy(&listed.stdout).lines().nth(1).is_some_and(|line| line.starts_with(id)));
    let back = education.porth(&["submissions", "retract", id, "-c", "connection.toml"]);
    assert!(back.status.success() && String::from_utf8_lossy(&back.stdout).contains("withdrawn"), "{back:?}");
    assert_eq!(seen(), [nothing.as_str(); 3]);
    let again = education.porth(&["submissions", "show", id, "-c", "connection.toml"]);
    assert!(String::from_utf8_lossy(&again.stdout).contains(": withdrawn"), "{again:?}");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_a_key_changeover_one_question_with_two_key_files_finds_records_of_both_epochs(
    #[case] backend: Backend,
) {
    let home = TestGateway::start(backend).await;
    let next = LinkageKey::generate(&random());
    let (gateway, programme) = (home.gateway(), ProgrammeCode::parse(PROGRAMME).expect("a code"));
    let policies = gateway.current_policies().await.expect("policies");
    let checks: Vec<_> = policies
        .token_types()
        .map(|it| (it.clone(), TypeKey::derive(&next, &programme, 2, it, policies.norm()).key_check()))
        .collect();
    gateway.register_key_checks(2, &checks, &[], "custodian").await.expect("registered");
    let education = Machine::of(&home, "education").await;
    let hub = Machine::of(&home, "early-help-hub").await;
    for machine in [&education, &hub] {
        machine.keys("next.json", &[(2, &next)]);
    }
    education.deliver("mapping.toml", "keys.json", &[pupil(&home, 1, ADA, "Y", "").await]).await;
    education.deliver("delta.toml", "next.json", &[pupil(&home, 2, BEN, "Y", "N").await]).await;

    let met = |keys: &[&str]| [ADA, BEN].map(|nhs| hub.ask(nhs, keys) == "met");
    assert_eq!(met(&["keys.json", "next.json"]), [true, true]);
    assert_eq!(met(&["keys.json"]), [true, false]);
    assert_eq!(met(&["next.json"]), [false, true]);
    home.stop().await;
}
