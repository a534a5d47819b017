//! `porth reid` from the data team's question to the opened answer: each party on a machine of its own,
//! over TLS, with what it pinned itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use serde_json::{Value, json};

use super::gateway::porth;
use super::live::Machine;
use crate::reidentification::tells;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::logs::LogCapture;

const FORENAME: &str = "Zennoria";
const SURNAME: &str = "Qwxyzpenrose";
const COLUMNS: &str = "names = [\"Forename\", \"Surname\"]\ndate_of_birth = [\"Born\"]\n";

/// What every command printed, for the search at the end.
#[derive(Default)]
struct Printed(Vec<u8>);

impl Printed {
    fn run(&mut self, machine: &Machine<'_>, arguments: &[&str]) -> Output {
        let ran = machine.porth(arguments);
        self.0.extend_from_slice(&ran.stdout);
        self.0.extend_from_slice(&ran.stderr);
        ran
    }

    fn done(&mut self, machine: &Machine<'_>, arguments: &[&str]) -> Value {
        let ran = self.run(machine, &[&["--json"][..], arguments].concat());
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice(&ran.stdout).expect("JSON")
    }
}

/// Makes keys; gives the key id.
fn make_key(printed: &mut Printed, machine: &Machine<'_>, who: &[&str]) -> String {
    let made = printed.done(machine, &[&["reid", "key", "-f", "reid", "-k", "keys.json", "--for"][..], who].concat());
    made["key_id"].as_str().expect("an id").to_owned()
}

/// The officer or the operator enrols a card that lies on a machine.
fn enrol(home: &TestGateway, machine: &Machine<'_>, card: &str, id: &str) {
    let card = machine.desk.path(&format!("reid/{card}.json"));
    let arguments = ["agency", "enrol-reid-key", "--config", "porth.toml", "--key-id", id, "--by", "ops-1"];
    let more = ["--confirmed-by", "ops-2", "--card", card.to_str().expect("a plain path")];
    tokio::task::block_in_place(|| porth(home.folder(), &[&arguments[..], &more].concat()).done());
}

/// The family of the pupil, and the pupil's handle, as the data team finds them.
async fn family_and_handle(home: &TestGateway, team: &Machine<'_>, reference: &str) -> String {
    let caller = porth::app::caller::AgencyCaller {
        agency: "programme-team".parse().expect("a code"),
        client: team.agency.client.clone(),
    };
    let terms = json!({
        "programme": "tff", "agreement": "programme-delivery/v1", "purpose": "programme-delivery",
        "relationship": "screening", "role": "data-analyst", "case": reference, "user": reference,
    });
    let candidate = json!([{ "agency": "education", "feed": "attendance", "ref": reference }]);
    let decision = json!({ "kind": "issue", "route": "referral", "candidates": [candidate] });
    let issue = json!({ "terms": terms, "mode": "count", "reason": "test", "decision": decision });
    let issue = serde_json::from_value(issue).expect("a request");
    let gateway = home.gateway();
    let key = uuid::Uuid::now_v7().to_string();
    let family = gateway.decide_family(&caller, &issue, &key).await.expect("permitted").results[0].family;
    let family = family.expect("a number");
    let lookup = json!({ "terms": terms, "mode": "lead", "tfid": family });
    let found = gateway.lookup_family(&caller, &serde_json::from_value(lookup).expect("a request")).await;
    let people = found.expect("permitted").family.expect("known").people;
    format!("{}\n{}\n", family.to_text(), people[0].handle)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_party_takes_three_steps_at_the_most_and_nothing_that_was_printed_or_stored_tells_the_name() {
    let log = LogCapture::start();
    let home = TestGateway::start(Backend::Sqlite).await;
    let (source, team, second) = (
        Machine::of(&home, "education").await,
        Machine::of(&home, "programme-team").await,
        Machine::of(&home, "housing").await,
    );
    let from = home.now().await.plus_seconds(-40 * 86_400).date().strftime("%d/%m/%Y").to_string();
    let pupil = format!("P-1,9990000018,{FORENAME},{SURNAME},,14/03/2015,,,Y,N,Y,{from},");
    source.deliver("mapping.toml", "keys.json", &[pupil, "P-2,9990007004,,,,,,,Y,N,N,,".to_owned()]).await;
    let batch = fs::read_to_string(source.desk.path("batch.ndjson")).expect("the batch");
    let line: Value = serde_json::from_str(batch.lines().nth(1).expect("a record")).expect("JSON");
    let reference = line["ref"].as_str().expect("a reference").to_owned();
    team.desk.write("family.txt", family_and_handle(&home, &team, &reference).await);

    // Once, before the first request: keys, two people who enrol them, and whom each machine trusts.
    let mut printed = Printed::default();
    let ids = [
        make_key(&mut printed, &source, &["officer", "--user", "kerensa"]),
        make_key(&mut printed, &team, &["recipient"]),
        make_key(&mut printed, &second, &["officer", "--user", "jory"]),
    ];
    let cards = [(&source, "officer"), (&team, "recipient"), (&second, "officer")];
    for ((machine, card), id) in cards.iter().zip(&ids) {
        enrol(&home, machine, card, id);
    }
    let trust =
        tokio::task::block_in_place(|| porth(home.folder(), &["log", "trust", "--config", "porth.toml"]).done());
    for machine in [&source, &team, &second] {
        machine.desk.write("reid/trust.toml", &trust.out);
        for ((from, card), id) in cards.iter().zip(&ids) {
            machine.desk.write("card.json", fs::read(from.desk.path(&format!("reid/{card}.json"))).expect("a card"));
            printed.done(machine, &["reid", "pin", "card.json", "-f", "reid", "--key-id", id]);
            let wrong = printed.run(machine, &["reid", "pin", "card.json", "-f", "reid", "--key-id", "officer-0"]);
            assert!(!wrong.status.success(), "a key id that was read out otherwise");
        }
    }
    source.desk.write("columns.toml", COLUMNS);
    let place = ["-c", "connection.toml", "-f", "reid"];
    let own = ["--people", "people.csv", "--mapping", "mapping.toml", "--columns", "columns.toml", "-k", "keys.json"];

    // The data team: asks.
    let question = [
        "--keys=keys.json",
        "--family-file=family.txt",
        "--source=education",
        "--agreement=programme-delivery/v1",
        "--purpose=programme-delivery",
        "--power=CA2004-s10",
        "--relationship=screening",
        "--role=data-analyst",
        "--fields=names,date_of_birth",
        "--case=W-7",
        "--user=tamsin",
        "--reason=Attendance fell, and nobody leads for this family.",
    ];
    let asked = printed.done(&team, &[&["reid", "request"][..], &place, &question].concat());
    let id = asked["id"].as_str().expect("an id").to_owned();
    let early = printed.run(&team, &[&["reid", "open", &id][..], &place, &["--out", "early.txt"]].concat());
    assert_eq!(early.status.code(), Some(3), "{}", String::from_utf8_lossy(&early.stderr));

    // The officer: lists, approves. The source: lists, looks at its own record, signs.
    let listed = printed.done(&second, &["reid", "list", "-c", "connection.toml"]);
    assert_eq!((&listed["requests"][0]["id"], &listed["requests"][0]["part"]), (&json!(id), &json!("approver")));
    let unseen = printed.run(&second, &[&["reid", "approve", &id][..], &place, &["--sign"]].concat());
    assert!(String::from_utf8_lossy(&unseen.stderr).contains("not looked at"), "nobody signs what was not shown");
    printed.run(&second, &[&["reid", "approve", &id][..], &place].concat());
    // A gateway that showed another request before: what is signed is what was shown.
    let note = second.desk.path(&format!("reid/requests/{id}.shown.json"));
    let kept = fs::read_to_string(&note).expect("what was shown is noted");
    let other = kept.replacen(kept.split('"').nth(3).expect("a hash"), &"0".repeat(64), 1);
    fs::write(&note, other).expect("written");
    let swapped = printed.run(&second, &[&["reid", "approve", &id][..], &place, &["--sign"]].concat());
    assert!(String::from_utf8_lossy(&swapped.stderr).contains("reid.request-altered"), "{swapped:?}");
    fs::write(&note, kept).expect("written");
    printed.done(&second, &[&["reid", "approve", &id][..], &place, &["--sign"]].concat());
    let blind = printed.run(&source, &[&["reid", "approve", &id][..], &place, &["--sign"]].concat());
    assert!(!blind.status.success(), "the source looks at its own record before it signs");
    let shown = source.porth(&[&["reid", "approve", &id][..], &place, &own].concat());
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains(SURNAME) && shown.contains("nobody leads"), "the source sees both side by side: {shown}");
    // A record that says something else by now is not signed unseen, nor sealed.
    let people = fs::read_to_string(source.desk.path("people.csv")).expect("the file");
    let moved = people.replace("14/03/2015", "15/03/2015");
    assert_ne!(moved, people);
    fs::write(source.desk.path("people.csv"), &moved).expect("written");
    let unseen = printed.run(&source, &[&["reid", "approve", &id][..], &place, &own, &["--sign"]].concat());
    assert!(String::from_utf8_lossy(&unseen.stderr).contains("has changed since it was looked at"), "{unseen:?}");
    fs::write(source.desk.path("people.csv"), &people).expect("written");
    let approved = printed.done(&source, &[&["reid", "approve", &id][..], &place, &own, &["--sign"]].concat());
    assert_eq!(approved["state"], "authorised");
    home.wait_sequenced().await;
    // What is taken back on this machine is not answered from it, whatever certificate comes.
    let back = printed.done(&source, &[&["reid", "withdraw", &id][..], &place].concat());
    assert_eq!(back["state"], "voting");
    let answer = [&["reid", "answer", &id][..], &place, &own].concat();
    let ended = printed.run(&source, &answer);
    assert!(String::from_utf8_lossy(&ended.stderr).contains("only what was approved on this machine"), "{ended:?}");
    printed.done(&source, &[&["reid", "approve", &id][..], &place, &own, &["--sign"]].concat());
    home.wait_sequenced().await;
    fs::write(source.desk.path("people.csv"), &moved).expect("written");
    let changed = printed.run(&source, &answer);
    assert!(String::from_utf8_lossy(&changed.stderr).contains("not what was looked at"), "{changed:?}");
    fs::write(source.desk.path("people.csv"), &people).expect("written");
    // An answer that was sealed under an earlier certificate and never arrived is replaced by a new one.
    let now = home.now().await;
    let lost = json!({ "certificate": "AAAAAAAAAAAAAAAAAAAAAA", "envelope": "AAAA", "key_id": ids[0],
        "sealed_at": now.to_string(), "signature": "AAAA" });
    let note = source.desk.path(&format!("reid/requests/{id}.answered.json"));
    let until = |seconds: i64| json!({ "answer": lost, "not_after": now.plus_seconds(seconds).to_string() });
    fs::write(&note, until(600).to_string()).expect("written");
    fs::set_permissions(&note, fs::Permissions::from_mode(0o600)).expect("its owner's alone");
    let early = printed.run(&source, &answer);
    assert!(!early.status.success(), "the gateway's bare word makes no second envelope: {early:?}");
    fs::write(&note, until(-1).to_string()).expect("written");
    printed.done(&source, &answer);
    let kept = fs::read(&note).expect("the answer is kept");
    printed.done(&source, &answer);
    assert_eq!(fs::read(&note).expect("still"), kept, "the same envelope again, for one that may not have arrived");

    // The data team: opens.
    let opened = printed.done(&team, &[&["reid", "open", &id][..], &place, &["--out", "who.txt"]].concat());
    assert_eq!(opened["state"], "closed");
    let who = fs::read_to_string(team.desk.path("who.txt")).expect("the identity");
    assert!(who.contains(&format!("{FORENAME} {SURNAME}")) && who.contains("14/03/2015"), "{who}");
    assert_eq!(who.lines().count(), 2, "two fields were asked for");
    for command in [&answer, &[&["reid", "open", &id][..], &place, &["--out", "again.txt"]].concat()] {
        let machine = if command[1] == "answer" { &source } else { &team };
        printed.done(machine, command); // nothing is lost with an answer or a receipt: each is sent again
    }
    assert!(!team.desk.path("again.txt").exists(), "opened once");

    let traces = log.text();
    assert!(traces.contains("porth"), "the gateway's own lines and its libraries' are looked through");
    for text in [FORENAME, SURNAME] {
        assert!(!tells(traces.as_bytes(), text), "in what the gateway logged");
        assert!(!tells(&printed.0, text), "no command printed it but the source's own look at its own record");
        for name in fs::read_dir(home.folder()).expect("the gateway's folder") {
            let path = name.expect("an entry").path();
            if path.is_file() {
                assert!(!tells(&fs::read(&path).expect("readable"), text), "{}", path.display());
            }
        }
        let stored = crate::reidentification::stored_bytes(home.database());
        assert!(!tells(&stored, text), "in the database");
    }
    let refused = home.events("reid.step", "refused").await;
    assert!(refused >= 2, "what machines and gateway refused is in the log: {refused}");
    home.stop().await;
}
