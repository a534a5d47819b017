//! What the match run's private key opens, by commands beside a gateway that serves: two agencies make tokens
//! and encodings from files of people and send them; weights are learned and applied, encodings compared.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rstest::rstest;

use super::gateway::{Ran, porth};
use super::screen::desk;
use super::tokenise::MAPPING;
use crate::support::database::Backend;
use crate::support::gateway::{PROGRAMME, TestGateway};

/// So many people are in both files; every tenth is misspelt in one of them and has no address there.
const PEOPLE: usize = 160;
const FORENAMES: [&str; 16] = [
    "Jowan", "Tamsyn", "Denzel", "Kerensa", "Piran", "Lowenna", "Cadan", "Morwenna", "Jago", "Demelza", "Merryn",
    "Petroc", "Senara", "Gerran", "Bryluen", "Hedra",
];
const SURNAMES: [&str; 20] = [
    "Trelawny",
    "Pascoe",
    "Nancarrow",
    "Bolitho",
    "Curnow",
    "Kitto",
    "Penrose",
    "Angove",
    "Tregenza",
    "Rosewarne",
    "Hocking",
    "Lanyon",
    "Carlyon",
    "Vivian",
    "Boscawen",
    "Opie",
    "Quiller",
    "Godolphin",
    "Jelbert",
    "Wearne",
];

/// A gateway that seals to the match run's key, with every supply term under a privacy profile.
async fn serve(backend: Backend, profile: &str) -> TestGateway {
    let edit = |text: &[u8]| under(profile, text);
    TestGateway::start_edited(backend, "match_run_public_key = \"match-run.pub\"\n", &edit).await
}

fn under(profile: &str, text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(text.to_vec()).expect("text");
    text.replace("profile = \"A\"", &format!("profile = \"{profile}\"")).into_bytes()
}

/// Rules of encoding by which those who are misspelt here are alike. Nobody here is a twin.
fn encoding() -> String {
    let shipped = include_str!("../../../policies/clk-profile.toml");
    let line = shipped.lines().find(|line| line.starts_with("threshold")).expect("a threshold");
    shipped.replace(line, "threshold = 850")
}

/// An agency's export: the same people, as it writes them.
fn export(writes_badly: bool) -> String {
    let mut text =
        "Pupil ID,NHS,Forename,Surname,Former surname,Born,UPRN,Former UPRN,Roll,Shield,Below 90,From\n".to_owned();
    for at in 0..PEOPLE {
        let (forename, surname) = (FORENAMES[at % FORENAMES.len()], SURNAMES[(at * 7 + at / 16) % SURNAMES.len()]);
        // Nobody is born on the first of January: that is what people write who do not know.
        let (year, month, day) = (2008 + at % 8, 1 + (at * 5) % 12, 2 + (at * 11) % 27);
        let is_bad = writes_badly && at % 10 == 0;
        let surname = if is_bad { &surname[..surname.len() - 1] } else { surname };
        let uprn = if is_bad { String::new() } else { (10_010_000 + at).to_string() };
        let _ = writeln!(text, "P-{at},,{forename},{surname},,{day:02}/{month:02}/{year},{uprn},,Y,N,N,01/09/2026");
    }
    text
}

/// Both agencies tokenise under the agreement and submit, all as processes.
async fn deliver(home: &TestGateway, profile: &str) {
    let agreement = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/policies/agreements/early-help-core.toml"));
    let agreement = String::from_utf8(under(profile, &agreement.expect("shipped"))).expect("text");
    let today = home.now().await.date().to_string();
    for (agency, feed, writes_badly) in [("education", "attendance", false), ("childrens-social-care", "cases", true)] {
        let enrolled = home.agency(agency).await;
        let desk = desk(&enrolled);
        let (mapping, criterion) = MAPPING.split_once("[[criterion]]").expect("a criterion");
        let mapping = mapping.replace("\"education\"", &format!("\"{agency}\""));
        let mapping = mapping.replace("\"attendance\"", &format!("\"{feed}\""));
        let says = if feed == "attendance" { format!("[[criterion]]{criterion}") } else { String::new() };
        desk.write("mapping.toml", mapping + &says);
        desk.write("agreement.toml", &agreement);
        desk.write("encoding.toml", encoding());
        desk.write("people.csv", export(writes_badly));
        let keys = serde_json::json!({
            "format": "porth-agency-keys/1", "programme": PROGRAMME, "agency": agency,
            "reference_key": "b3d1f07a55c8e29641aa0fd37c6be81924f59ce0d83a7b16425d9efc01a86b37",
            "linkage": [{ "epoch": 1, "root": home.linkage.secret().expose_hex().as_str() }],
        });
        desk.write("keys.json", keys.to_string());
        fs::set_permissions(desk.path("keys.json"), fs::Permissions::from_mode(0o600)).expect("sets the mode");
        let run = |args: &[&str]| tokio::task::block_in_place(|| porth(desk.folder.path(), args)).done();
        let tokenise = ["tokenise", "people.csv", "-m", "mapping.toml", "-k", "keys.json", "-o", "batch.ndjson"];
        run(&[&tokenise[..], &["--agreement", "agreement.toml", "--clk-profile", "encoding.toml", "--as-at", &today]]
            .concat());
        run(&["submit", "batch.ndjson", "-c", "connection.toml"]);
    }
}

/// Runs a command of the match run beside the gateway.
fn beside(home: &TestGateway, args: &[&str]) -> Ran {
    let args = [&["--json"], args, &["--config", "porth.toml", "--by", "analyst-1"]].concat();
    tokio::task::block_in_place(|| porth(home.folder(), &args))
}

/// How many people the links make of the records, once every pair has its effect.
async fn people(home: &TestGateway) -> usize {
    let (gateway, store) = (home.gateway(), home.gateway().store());
    let programme = PROGRAMME.parse().expect("a code");
    for _ in 0..400 {
        gateway.publish_pairs().await.expect("published");
        if store.pairs_to_apply(&programme, 1).await.expect("pairs").is_empty() {
            let generation = store.view(&programme).await.expect("a view").expect("a programme").generation;
            let members = store.visible_links(&programme, generation, 0, 1000).await.expect("links");
            assert_eq!(members.len(), 2 * PEOPLE);
            return members.iter().map(|member| member.link.person).collect::<BTreeSet<i64>>().len();
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("pairs still wait for the publisher");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_are_learned_applied_and_withdrawn_beside_a_gateway_that_serves(#[case] backend: Backend) {
    let home = serve(backend, "B").await;
    deliver(&home, "B").await;
    let before = people(&home).await;
    assert!(before > PEOPLE, "whoever is misspelt is joined by no match key");

    let learn = ["weights", "learn", "--key", "match-run.key", "--out", "weights.json"];
    let learned = beside(&home, &learn).done().json();
    assert_eq!(learned["records"], 2 * PEOPLE);
    let apply = ["weights", "apply", "--key", "match-run.key", "--weights", "weights.json"];
    let applied = beside(&home, &apply).done().json();
    assert_eq!((&applied["records"], &applied["weights_sha256"]), (&learned["records"], &learned["sha256"]));
    assert_eq!((applied["joined"].as_u64(), applied["parted"].as_u64()), (learned["accepted"].as_u64(), Some(0)));
    assert_eq!(people(&home).await, PEOPLE, "each is one person");
    let again = beside(&home, &apply).done().json();
    assert_eq!((&again["weighed"], &again["joined"]), (&0.into(), &0.into()), "nothing is new");

    let withdrawn = beside(&home, &["weights", "withdraw"]).done().json();
    assert_eq!(withdrawn["parted"], applied["joined"]);
    assert_eq!(people(&home).await, before);
    let refused = beside(&home, &["weights", "withdraw"]);
    assert!(refused.code != 0 && refused.err.contains("no weights are in force"), "{refused:?}");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fuzzy_encodings_are_applied_and_withdrawn_beside_a_gateway_that_serves(#[case] backend: Backend) {
    let home = serve(backend, "C").await;
    deliver(&home, "C").await;
    let before = people(&home).await;
    assert!(before > PEOPLE, "whoever is misspelt is joined by no match key");

    fs::write(home.folder().join("encoding.toml"), encoding()).expect("written");
    let apply = ["fuzzy", "apply", "--key", "match-run.key", "--clk-profile", "encoding.toml"];
    let ran = beside(&home, &apply).done();
    assert!(ran.err.contains("the weakest of the three privacy choices"), "{}", ran.err);
    let applied = ran.json();
    let all = u64::try_from(2 * PEOPLE).expect("few");
    assert_eq!((applied["records"].as_u64(), applied["encoded"].as_u64()), (Some(all), Some(all)));
    let after = people(&home).await;
    assert_eq!(applied["joined"], before - after, "what match keys joined needs no pair");
    assert_eq!(after, PEOPLE, "each is one person");
    assert_eq!(beside(&home, &apply).done().json()["joined"], 0, "nothing is new");

    // Of the shipped profile, which is another one, nobody has an encoding: what stood is taken back.
    let other = beside(&home, &["fuzzy", "apply", "--key", "match-run.key"]).done().json();
    assert_eq!((&other["encoded"], &other["parted"]), (&0.into(), &applied["joined"]));
    assert_eq!(people(&home).await, before);

    beside(&home, &apply).done();
    assert_eq!(people(&home).await, after);
    assert_eq!(beside(&home, &["fuzzy", "withdraw"]).done().json()["parted"], applied["joined"]);
    assert_eq!(people(&home).await, before);
    let refused = beside(&home, &["fuzzy", "withdraw"]);
    assert!(refused.code != 0 && refused.err.contains("no fuzzy pair is in force"), "{refused:?}");
    home.stop().await;
}
