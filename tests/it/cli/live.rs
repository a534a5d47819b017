//! An agency's commands one after the other towards a gateway that listens: a file of people in, its
//! effect out; deltas, a key changeover, and a connection that breaks.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use porth::crypto::token::{LinkageKey, TypeKey};
use porth::domain::ids::ProgrammeCode;
use rstest::rstest;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

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
pub(super) struct Machine<'g> {
    pub(super) agency: TestAgency<'g>,
    pub(super) desk: Desk,
}

impl<'g> Machine<'g> {
    pub(super) async fn of(home: &'g TestGateway, agency: &str) -> Self {
        let agency = home.agency(agency).await;
        let desk = screen::desk(&agency);
        desk.write("delta.toml", format!("{MAPPING}{CHANGES}"));
        let machine = Self { agency, desk };
        machine.keys("keys.json", &[(1, &home.linkage)]);
        machine
    }

    pub(super) fn keys(&self, name: &str, epochs: &[(u32, &LinkageKey)]) {
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
    pub(super) fn porth(&self, arguments: &[&str]) -> Output {
        tokio::task::block_in_place(|| self.desk.porth(arguments))
    }

    /// Tokenises rows and submits the batch; gives what `porth submit --json` says.
    pub(super) async fn deliver(&self, mapping: &str, keys: &str, rows: &[String]) -> Value {
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

    /// Asks in a role that the agreement does not let ask.
    fn ask_in_vain(&self, more: &[&str]) -> Output {
        self.desk.write("person.json", format!("{{\"nhs\": \"{ADA}\"}}"));
        let question = ["enquire", "-c", "connection.toml", "-k", "keys.json", "--person", "person.json"];
        let terms = ["--agreement", "early-help-core/v1", "--purpose", "early-help-screening", "--mode", "areas"];
        let who = ["--relationship", "referral", "--role", "housing-officer", "--case", "C-1", "--user", "somebody"];
        self.porth(&[&question[..], &terms, &who, more].concat())
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

/// Stands between an agency and the gateway: cuts the first connection on which the agency sent more
/// than so many bytes, lets no other begin until it is told to, and counts what comes on those.
struct Cutter {
    port: u16,
    was_cut: Arc<Notify>,
    goes_on: watch::Sender<bool>,
    after: Arc<AtomicU64>,
}

impl Cutter {
    async fn before(gateway: std::net::SocketAddr, bytes: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (was_cut, after) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
        let cutter =
            Self { port, was_cut: Arc::clone(&was_cut), goes_on: watch::channel(true).0, after: Arc::clone(&after) };
        let (goes_on, is_cut) = (cutter.goes_on.clone(), Arc::new(AtomicBool::new(false)));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (was_cut, after, is_cut) = (Arc::clone(&was_cut), Arc::clone(&after), Arc::clone(&is_cut));
                let goes_on = goes_on.clone();
                tokio::spawn(async move {
                    goes_on.subscribe().wait_for(|goes_on| *goes_on).await.expect("the sender lives");
                    if is_cut.load(Ordering::SeqCst) {
                        pass(stream, gateway, u64::MAX, &after).await;
                    } else if pass(stream, gateway, bytes, &AtomicU64::new(0)).await {
                        is_cut.store(true, Ordering::SeqCst);
                        goes_on.send_replace(false);
                        was_cut.notify_one();
                    }
                });
            }
        });
        cutter
    }
}

/// Passes bytes both ways until one side ends, or until the agency has sent more than so many: then
/// both connections end, and the answer is `true`.
async fn pass(mut agency: TcpStream, gateway: std::net::SocketAddr, most: u64, count: &AtomicU64) -> bool {
    let mut gateway = TcpStream::connect(gateway).await.expect("the gateway listens");
    let (mut up, mut down) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    loop {
        tokio::select! {
            read = agency.read(&mut up) => {
                let Ok(read @ 1..) = read else { return false };
                if gateway.write_all(&up[..read]).await.is_err() {
                    return false;
                }
                if count.fetch_add(read as u64, Ordering::Relaxed) + read as u64 > most {
                    return true;
                }
            }
            read = gateway.read(&mut down) => {
                let Ok(read @ 1..) = read else { return false };
                if agency.write_all(&down[..read]).await.is_err() {
                    return false;
                }
            }
        }
    }
}

/// Has the agency's connection lead through a cutter; `porth submit` as it then runs.
fn submit_through(cutter: &Cutter, education: &Machine<'_>) -> tokio::process::Command {
    let connection = fs::read_to_string(education.desk.path("connection.toml")).expect("reads");
    let port = education.agency.home.running.agencies.port().to_string();
    education.desk.write("connection.toml", connection.replace(&port, &cutter.port.to_string()));
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_porth"));
    command.args(["--json", "submit", "batch.ndjson", "-c", "connection.toml"]);
    command.current_dir(education.desk.folder.path()).kill_on_drop(true);
    command
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_whose_connection_is_cut_in_the_middle_is_sent_on_from_there_and_lands_once(#[case] backend: Backend) {
    const PUPILS: u32 = 2000;
    let home = TestGateway::start(backend).await;
    let education = Machine::of(&home, "education").await;
    let mut rows = vec![pupil(&home, 1, ADA, "Y", "").await];
    for number in 2..=PUPILS {
        let born = 2005 + number % 15;
        rows.push(format!("P-{number},,Jowan,Trelawny,,17/04/{born},1000{number},,Y,N,,,"));
    }
    education.tokenise("mapping.toml", "keys.json", &rows).await;
    let batch = fs::read_to_string(education.desk.path("batch.ndjson")).expect("the batch");
    assert_eq!(batch.lines().count(), 2 + PUPILS as usize, "every row of the export is in it");
    let length = batch.len() as u64;
    let cutter = Cutter::before(home.running.agencies, length * 2 / 3).await;
    let mut submit = submit_through(&cutter, &education);

    let store = home.gateway().store();
    let feed = "attendance".parse().expect("a code");
    let held = async {
        cutter.was_cut.notified().await;
        for _ in 0..1200 {
            let mut tx = store.begin().await.expect("a transaction");
            if !tx.held_uploads(&education.agency.code, &feed, None).await.expect("the database").is_empty() {
                return;
            }
            drop(tx);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("nothing is held");
    };
    let mut sent = std::pin::pin!(submit.output());
    tokio::select! {
        () = held => {}
        ended = sent.as_mut() => panic!("it gave up: {}", String::from_utf8_lossy(&ended.expect("porth runs").stderr)),
    }
    cutter.goes_on.send_replace(true);
    let sent = sent.await.expect("porth runs");
    let said = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert!(sent.status.success(), "{said}");
    assert!(said.contains("trying again") && said.contains("the rest is sent"), "{said}");
    let found: Value = serde_json::from_slice(&sent.stdout).expect("JSON");
    assert_eq!((&found["state"], &found["rows_accepted"]), (&"visible".into(), &PUPILS.into()), "{found}");
    let after = cutter.after.load(Ordering::Relaxed);
    assert!(after < length / 2, "{after} of {length} bytes came after the cut: it went on where it was");

    let again = education.porth(&["--json", "submit", "batch.ndjson", "-c", "connection.toml"]);
    let again: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(again["id"], found["id"], "the same file lands once");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_before_the_access_token_came_is_tried_again(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = Machine::of(&home, "education").await;
    education.tokenise("mapping.toml", "keys.json", &[pupil(&home, 1, ADA, "Y", "").await]).await;
    let cutter = Cutter::before(home.running.agencies, 16).await; // in the first message of TLS
    let mut submit = submit_through(&cutter, &education);
    let let_go = async {
        cutter.was_cut.notified().await;
        cutter.goes_on.send_replace(true);
    };
    let (sent, ()) = tokio::join!(submit.output(), let_go);
    let sent = sent.expect("porth runs");
    let said = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert!(sent.status.success() && said.contains("trying again"), "{said}");
    let found: Value = serde_json::from_slice(&sent.stdout).expect("JSON");
    assert_eq!((&found["state"], &found["rows_accepted"]), (&"visible".into(), &1.into()), "{found}");
    home.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_names_its_rule_and_its_entry_and_leaves_its_receipt() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let hub = Machine::of(&home, "early-help-hub").await;
    let plain = hub.ask_in_vain(&["--receipt", "receipt.txt"]);
    let said = String::from_utf8_lossy(&plain.stderr).into_owned();
    assert_eq!(plain.status.code(), Some(3), "{said}");
    assert!(said.contains("The recipient's clause does not name this role. (R04)"), "{said}");
    let (_, entry) = said.split_once("This refusal is log entry ").expect("the entry");
    let entry = entry.split_once('.').expect("a full stop").0;
    let receipt = fs::read_to_string(hub.desk.path("receipt.txt")).expect("a receipt");
    assert!(receipt.starts_with("porth-receipt/v1\n") && receipt.contains(entry), "{receipt}");

    let json = hub.ask_in_vain(&["--json"]);
    let value: Value = serde_json::from_slice(&json.stderr).expect("JSON");
    assert_eq!((&value["kind"], &value["rules"][0]["rule"]), (&"no-agreement".into(), &"R04".into()), "{value}");
    assert!(value["disclosure"].is_string() && value["receipt"].is_string() && value["error"].is_string(), "{value}");
    home.stop().await;
}
