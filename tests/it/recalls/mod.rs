//! Wrong matches recalled, incidents, emergencies and decisions not to share: what is promised, on both
//! engines.

mod commands;
mod emergency;
mod incident;
mod notices;
mod recall;
mod shields;
mod wire;

use porth::app::caller::AgencyCaller;
use porth::app::enquire::{EnquiryError, Receipted};
use porth::app::notices::Notice;
use porth::app::recall::{Named, Opened, Raiser, RecallError, RecallReport};
use porth::domain::claim::RecordName;
use porth::domain::enquiry::Answer;
use porth::domain::evidence::EvidenceState;
use porth::domain::ids::{OpaqueRef, RecallId};
use serde_json::{Value, json};

use crate::support::programme::{Ask, HUB_AREAS, TestProgramme, opaque};

const CORE: &str = "early-help-core/v1";
const SCHOOLS: (&str, &str) = ("education", "attendance");
const CARE: (&str, &str) = ("childrens-social-care", "cases");
const HOUSING: (&str, &str) = ("housing", "tenancies");

/// The school has a pupil number of its own, and the number of another child.
const PUPIL: &[(&str, &str)] = &[("nhs", "9990000018"), ("upn", "upn 1")];
const BY_PUPIL_NUMBER: &[(&str, &str)] = &[("upn", "upn 1")];
const BY_NUMBER: &[(&str, &str)] = &[("nhs", "9990000018")];

fn caller(agency: &str) -> AgencyCaller {
    AgencyCaller { agency: agency.parse().expect("a code"), client: "test-client".to_owned() }
}

fn name((agency, feed): (&str, &str), reference: u32) -> RecordName {
    RecordName {
        agency: agency.parse().expect("a code"),
        feed: feed.parse().expect("a code"),
        reference: OpaqueRef::parse(&opaque(reference)).expect("a reference"),
    }
}

async fn child(programme: &TestProgramme, reference: u32, who: &[(&str, &str)], criterion: &str) -> Value {
    let from = programme.today().await - jiff::Span::new().days(40);
    let flags = json!([{ "criterion": criterion, "state": "met", "from": from.to_string() }]);
    programme.row(reference, who, json!({ "role": "child", "flags": flags }))
}

/// Two children whom one number makes one.
async fn two_children_as_one(programme: &TestProgramme) {
    let row = child(programme, 1, PUPIL, "E1").await;
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row]).await;
    let row = child(programme, 2, BY_NUMBER, "H2").await;
    programme.deliver(CARE.0, CARE.1, CORE, &[row]).await;
}

/// Housing knows that social care's child is in a refuge.
async fn shield(programme: &TestProgramme) {
    let refuge = programme.row(5, BY_NUMBER, json!({ "role": "child", "restricted": true }));
    programme.deliver(HOUSING.0, HOUSING.1, CORE, &[refuge]).await;
}

fn met(answer: &Answer) -> Vec<String> {
    let Answer::Areas { areas, .. } = answer else { panic!("an answer about areas: {answer:?}") };
    areas.iter().filter(|area| area.state == EvidenceState::Met).map(|area| area.area.to_string()).collect()
}

async fn ask(programme: &TestProgramme, mode: &'static str, who: &[(&str, &str)]) -> Receipted {
    programme.ask(Ask { mode, ..HUB_AREAS }, who, &[]).await.expect("permitted")
}

async fn recall_as(
    programme: &TestProgramme,
    raiser: Raiser<'_>,
    named: &Named,
    reason: &str,
) -> Result<Opened, RecallError> {
    programme.gateway.open_recall(raiser, named, reason, "a-key-of-an-officer-1").await
}

async fn recall(programme: &TestProgramme, named: &Named, reason: &str) -> RecallId {
    recall_as(programme, Raiser::Officer("ig-1"), named, reason).await.expect("opened").id
}

/// Everything that runs by itself, as far as it goes.
async fn go_on(programme: &TestProgramme) {
    for _ in 0..3 {
        programme.publish().await;
        programme.sequencer.drain().await.expect("sequenced");
        programme.gateway.further_recalls().await.expect("searched");
    }
}

async fn report(programme: &TestProgramme, id: RecallId) -> RecallReport {
    programme.gateway.recall_report(id).await.expect("read").expect("there is one")
}

async fn inbox(programme: &TestProgramme, agency: &str) -> Vec<Notice> {
    programme.gateway.notices(&caller(agency), true, None).await.expect("an inbox").notices
}

async fn acknowledge_all(programme: &TestProgramme, agency: &str) {
    for notice in inbox(programme, agency).await {
        let role = "early-help-practitioner".parse().expect("a role");
        let done = programme.gateway.acknowledge_notice(&caller(agency), notice.id, &role, "case-reviewed").await;
        done.expect("acknowledged");
    }
}

/// Every entry of a type, in the order of the log.
async fn entries(programme: &TestProgramme, kind: &str) -> Vec<Value> {
    programme.sequencer.drain().await.expect("sequenced");
    let entries = programme.gateway.store().log_entries(0, 1000).await.expect("entries");
    let read = |(_, body): &(_, Vec<u8>)| serde_json::from_slice::<Value>(body).expect("JSON");
    entries.iter().map(read).filter(|entry| entry["type"] == kind).collect()
}

/// The rules of a refusal by agreement.
fn rules(refused: Result<Receipted, EnquiryError>) -> Vec<String> {
    match refused {
        Err(EnquiryError::NotPermitted { hits, .. }) => hits.into_iter().map(|hit| hit.rule).collect(),
        other => panic!("a refusal by agreement: {other:?}"),
    }
}
