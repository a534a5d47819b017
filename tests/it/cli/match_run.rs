//! A match run from the command line, over a gateway that listens: the team begins, the benefits agency
//! fetches, answers and replies, a holder works its list off, and old pages go.

use std::os::unix::fs::MetadataExt as _;

use rstest::rstest;
use serde_json::{Value, json};

use super::screen::desk;
use super::tokenise::Desk;
use crate::support::agency::TestAgency;
use crate::support::database::Backend;
use crate::support::gateway::{EPOCH, TestGateway};
use crate::support::people::{ADDRESS, Person, flag, reference, token};

const AGREEMENT: &str = "early-help-core/v1";
const CHILD: Person = Person::new("Child", "1 Quay");
const PARENT: Person = Person::new("Parent", "1 Quay");
const LONER: Person = Person::new("Loner", "2 Quay");

/// Education knows that the child misses school; social care knows who lives there.
async fn deliver(home: &TestGateway) -> TestAgency<'_> {
    let linkage = &home.linkage;
    let (education, care) = (home.agency("education").await, home.agency("childrens-social-care").await);
    let missing = json!([flag("E1", "met")]);
    let pupils =
        [CHILD.record(linkage, "child", missing), LONER.record(linkage, "child", json!([flag("E1", "not_met")]))];
    education.deliver("attendance", AGREEMENT, &pupils).await;
    let family = [CHILD.record(linkage, "child", json!([])), PARENT.record(linkage, "adult", json!([]))];
    care.deliver("cases", AGREEMENT, &family).await;
    education
}

fn porth(desk: &Desk, args: &[&str]) -> (Option<i32>, Value, String) {
    let ran = tokio::task::block_in_place(|| desk.porth(&[&["--json"], args].concat()));
    let said = serde_json::from_slice(&ran.stdout).unwrap_or_default();
    (ran.status.code(), said, String::from_utf8_lossy(&ran.stderr).into_owned())
}

/// Succeeds, and gives what is said.
fn done(desk: &Desk, args: &[&str]) -> Value {
    let (code, said, errors) = porth(desk, args);
    assert_eq!(code, Some(0), "{args:?}: {errors}");
    said
}

/// The benefits agency's own file: who at an address receives what.
fn benefits_file(home: &TestGateway, records: &[(&str, &str, &str)]) -> String {
    let line = |(role, address, state): &(&str, &str, &str)| {
        let household = json!({ EPOCH.to_string(): { ADDRESS: [token(&home.linkage, ADDRESS, address)] } });
        json!({ "ref": reference("claimant"), "role": role, "household": household, "flags": [flag("W1", state)] })
    };
    let lines = records.iter().map(line).map(|line| line.to_string() + "\n");
    lines.fold(json!({ "agency": "jobcentre-feed" }).to_string() + "\n", |file, line| file + &line)
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_from_the_team_over_the_benefits_agency_to_the_holders(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let education = deliver(&home).await;
    let user = reference("somebody");
    let who = ["-c", "connection.toml", "--user", user.as_str()];
    let team = desk(&home.agency("programme-team").await);
    let begun = done(&team, &[&["match-run", "start"], &who[..]].concat());
    assert_eq!((begun["state"].as_str(), begun["waits_for_reply"].as_bool()), (Some("listed"), Some(true)));
    let run = begun["id"].as_str().expect("an id");

    let benefits = desk(&home.agency("jobcentre-feed").await);
    let fetch = [&["household-list", "fetch", run, "-o", "list.csv"], &who[..]].concat();
    let fetched = done(&benefits, &fetch);
    assert_eq!(fetched["households"], 1, "the child's home; nobody of the other meets anything");
    let list = std::fs::read_to_string(benefits.path("list.csv")).expect("a list");
    let quay = token(&home.linkage, ADDRESS, "1 Quay");
    assert_eq!(list, format!("token,type,epoch,state\n{quay},{ADDRESS},{EPOCH},\n"));
    assert_eq!(std::fs::metadata(benefits.path("list.csv")).expect("a file").mode() & 0o777, 0o600);
    let (code, _, errors) = porth(&benefits, &fetch);
    assert!(code == Some(1) && errors.contains("never overwritten"), "{errors}");
    assert_eq!(home.events("match.run.step", "answered").await, 1, "it asked nobody for a second list");

    // Nobody answers for a home by silence: the first file says nothing of an adult there.
    let answer = ["household-list", "answer", "list.csv", "--criterion", "W1"];
    let files = [
        ("silent.ndjson", &[("child", "1 Quay", "met"), ("adult", "3 Quay", "met")][..]),
        ("batch.ndjson", &[("adult", "1 Quay", "not_met"), ("adult", "1 Quay", "met")]),
    ];
    for (name, records) in files {
        benefits.write(name, benefits_file(&home, records));
    }
    let silent = done(&benefits, &[&answer[..], &["--batch", "silent.ndjson", "-o", "silent.csv"]].concat());
    assert_eq!(silent, json!({ "met": 0, "not_met": 0, "unanswered": 1 }));
    let reply = |file| [&["household-list", "reply", run, file], &who[..]].concat();
    let (code, _, errors) = porth(&benefits, &reply("silent.csv"));
    assert!(code == Some(1) && errors.contains("nothing to send"), "{errors}");
    let found = done(&benefits, &[&answer[..], &["--batch", "batch.ndjson", "-o", "answers.csv"]].concat());
    assert_eq!(found, json!({ "met": 1, "not_met": 0, "unanswered": 0 }));
    assert_eq!(done(&benefits, &reply("answers.csv"))["answered"], 1);
    let answers = std::fs::read_to_string(benefits.path("answers.csv")).expect("answers");
    benefits.write("other.csv", answers.replace(",met", ",not_met"));
    let (code, _, errors) = porth(&benefits, &reply("other.csv"));
    assert!(code == Some(3) && errors.contains("answered before"), "{code:?} {errors}");

    let closed = done(&team, &[&["match-run", "continue", run], &who[..]].concat());
    assert_eq!((closed["state"].as_str(), &closed["counts"]["families"]), (Some("closed"), &json!(1)));
    let (code, _, errors) = porth(&benefits, &reply("answers.csv"));
    assert!(code == Some(3) && errors.contains("not at this step"), "{code:?} {errors}");

    // Education decides about its own record, and its list is empty.
    let school = desk(&education);
    let work_list = ["validations", "list", run, "-c", "connection.toml"];
    let records = done(&school, &work_list)["records"].take();
    assert_eq!(records.as_array().map(Vec::len), Some(1), "{records}");
    assert_eq!((records[0]["ref"].as_str(), records[0]["role"].as_str()), (Some(&*reference("Child")), Some("child")));
    let record = format!("attendance/{}", reference("Child"));
    let decide = ["validations", "decide", run, "confirm", "-c", "connection.toml", "--record", &record];
    let words = ["--role", "education-welfare-officer", "--reason", "checked-file"];
    done(&school, &[&decide[..], &words].concat());
    assert_eq!(done(&school, &work_list)["records"], json!([]));
    let (code, _, errors) = porth(&benefits, &work_list);
    assert_eq!(code, Some(3), "no feed of it went into the run: {errors}");

    // After the time for which pages are kept the run cannot be computed again, and says why.
    let repeat = [&["match-run", "repeat", run], &who[..]].concat();
    let repeated = done(&team, &repeat);
    assert_eq!(repeated["output_sha256"], closed["output_sha256"]);
    assert_eq!(home.gateway().remove_old_run_pages(1).await.expect("looked"), 0, "it was closed today");
    assert_eq!(home.gateway().remove_old_run_pages(0).await.expect("removed"), 1);
    assert_eq!(home.gateway().remove_old_run_pages(0).await.expect("looked"), 0, "once");
    let (code, _, errors) = porth(&team, &repeat);
    assert!(code == Some(3) && errors.contains("were removed"), "{code:?} {errors}");
    let shown = done(&team, &["match-run", "show", run, "-c", "connection.toml"]);
    assert_eq!((&shown["output_sha256"], &shown["counts"]), (&closed["output_sha256"], &closed["counts"]));
    assert!(shown["pages_removed_at"].is_string());
    home.stop().await;
}
