//! People's rights and how long things are kept, on both engines: what is promised, and what is tried against it.

mod cases;
mod complaints;
mod erasure;
mod later;
mod retention;
mod same;

use porth::app::caller::AgencyCaller;
use porth::app::subject_rights::{ActingUser, CaseSeen, Done, NewCase, OwnName, SubjectError, Verdict};
use porth::domain::enquiry::Answer;
use porth::domain::evidence::EvidenceState;
use porth::domain::ids::OpaqueRef;
use porth::domain::subject_case::{PartOutcome, SubjectRight};
use serde_json::{Value, json};

use crate::support::programme::{HUB_AREAS, TestProgramme, opaque};

const CORE: &str = "early-help-core/v1";
const SCHOOLS: (&str, &str) = ("education", "attendance");
const CARE: (&str, &str) = ("childrens-social-care", "cases");
const GIRL: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "girl")];
const MOTHER: &[(&str, &str)] = &[("nhs", "9990000026"), ("k3", "mother")];
const HOME: &[(&str, &str)] = &[("uprn", "100040123456")];

fn caller(agency: &str) -> AgencyCaller {
    AgencyCaller { agency: agency.parse().expect("a code"), client: format!("{agency}-desk") }
}

fn user() -> ActingUser {
    let role = "social-worker".parse().expect("a role");
    ActingUser { role, user: OpaqueRef::parse(&opaque(8)).expect("a reference") }
}

fn own(feed: &str, reference: u32) -> OwnName {
    let reference = OpaqueRef::parse(&opaque(reference)).expect("a reference");
    OwnName { feed: feed.parse().expect("a code"), reference }
}

fn verdict(outcome: PartOutcome, criteria: &[&str]) -> Verdict {
    let criteria = criteria.iter().map(|criterion| criterion.parse().expect("a code")).collect();
    Verdict { outcome, reason: "checked-file".parse().expect("a code"), criteria, user: user() }
}

async fn open(
    programme: &TestProgramme,
    (agency, feed): (&str, &str),
    reference: u32,
    right: SubjectRight,
    reply_key: Option<String>,
) -> Result<Done<CaseSeen>, SubjectError> {
    let new = NewCase { right, records: vec![own(feed, reference)], reply_key, user: user() };
    let key = format!("a-key-of-somebody-{reference}-{right}");
    programme.gateway.open_subject_case(&caller(agency), &new, &key).await
}

async fn met(programme: &TestProgramme, criterion: &str) -> Value {
    let from = programme.today().await - jiff::Span::new().days(40);
    json!([{ "criterion": criterion, "state": "met", "from": from.to_string() }])
}

/// A girl whom a school and social care know, with her mother at home.
async fn family(programme: &TestProgramme) {
    let home = programme.tokens(HOME);
    let girl = json!({ "role": "child", "household": home, "flags": met(programme, "E1").await });
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[programme.row(1, GIRL, girl)]).await;
    let in_care = json!({ "role": "child", "household": home, "flags": met(programme, "H2").await });
    let mother = json!({ "role": "adult", "household": home });
    let rows = [programme.row(2, &GIRL[..1], in_care), programme.row(3, MOTHER, mother)];
    programme.deliver(CARE.0, CARE.1, CORE, &rows).await;
}

/// The states of areas that are not unknown, as the Early Help Hub hears them.
async fn areas(programme: &TestProgramme, who: &[(&str, &str)]) -> Vec<(String, EvidenceState)> {
    let answer = programme.ask(HUB_AREAS, who, &[]).await.expect("permitted").answer;
    let Answer::Areas { areas, .. } = &answer else { panic!("an answer about areas: {answer:?}") };
    let told = areas.iter().filter(|area| matches!(area.state, EvidenceState::Met | EvidenceState::Contested));
    told.map(|area| (area.area.to_string(), area.state)).collect()
}

fn all_met(areas: &[&str]) -> Vec<(String, EvidenceState)> {
    areas.iter().map(|area| ((*area).to_owned(), EvidenceState::Met)).collect()
}

/// Every entry of a type, in the order of the log.
async fn entries(programme: &TestProgramme, kind: &str) -> Vec<Value> {
    programme.sequencer.drain().await.expect("sequenced");
    let entries = programme.gateway.store().log_entries(0, 1000).await.expect("entries");
    let read = |(_, body): &(_, Vec<u8>)| serde_json::from_slice::<Value>(body).expect("JSON");
    entries.iter().map(read).filter(|entry| entry["type"] == kind).collect()
}
