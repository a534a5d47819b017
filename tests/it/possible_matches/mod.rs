//! Possible matches without identity: what holders decide is honoured, and nobody learns about the other.

mod attacks;
mod decisions;
mod ground;
mod sets;
mod team;

use porth::app::caller::AgencyCaller;
use porth::app::possible_matches::decide::Verdict;
use porth::app::possible_matches::propose::{Pace, Proposed};
use porth::app::possible_matches::queue::QueueItem;
use porth::app::possible_matches::{MatchError, Recorded};
use porth::domain::enquiry::Answer;
use porth::domain::evidence::EvidenceState;
use porth::domain::ids::{EventId, OpaqueRef, PairId, PossibleMatchId};
use porth::domain::pair::{Decision, PairNames, PairOrigin, PairState, Reason, RecordName, ReversalReason};
use porth::store::{PairSide, StoredPair};
use serde_json::{Value, json};

use crate::support::programme::{HUB_AREAS, TestProgramme, opaque};

const CORE: &str = "early-help-core/v1";
const SCHOOLS: (&str, &str) = ("education", "attendance");
const CARE: (&str, &str) = ("childrens-social-care", "cases");
const HOUSING: (&str, &str) = ("housing", "tenancies");

/// Agencies are asked as soon as something is found.
const AT_ONCE: Pace = Pace { ripen_seconds: 0, most_a_day: 20 };

/// A girl whose surname the two agencies know differently: forename, date and home agree.
const AT_SCHOOL: &[(&str, &str)] = &[("upn", "upn 1"), ("k8", "demelza at home")];
const IN_CARE: &[(&str, &str)] = &[("nhs", "9990000018"), ("k8", "demelza at home")];
const BY_NUMBER: &[(&str, &str)] = &[("nhs", "9990000018")];

fn caller(agency: &str) -> AgencyCaller {
    AgencyCaller { agency: agency.parse().expect("a code"), client: "test-client".to_owned() }
}

fn key(number: u32) -> String {
    format!("a-key-of-somebody-{number}")
}

async fn met(programme: &TestProgramme, criterion: &str) -> Value {
    let from = programme.today().await - jiff::Span::new().days(40);
    json!([{ "criterion": criterion, "state": "met", "from": from.to_string() }])
}

async fn child(programme: &TestProgramme, reference: u32, who: &[(&str, &str)], criterion: &str) -> Value {
    programme.row(reference, who, json!({ "role": "child", "flags": met(programme, criterion).await }))
}

/// The school knows her by one surname, social care by another.
async fn two_records_of_one_girl(programme: &TestProgramme) {
    let row = child(programme, 1, AT_SCHOOL, "E1").await;
    programme.deliver(SCHOOLS.0, SCHOOLS.1, CORE, &[row]).await;
    let row = child(programme, 2, IN_CARE, "H2").await;
    programme.deliver(CARE.0, CARE.1, CORE, &[row]).await;
}

/// Housing knows that social care's girl is in a refuge.
async fn shield(programme: &TestProgramme) {
    let refuge = programme.row(5, BY_NUMBER, json!({ "role": "child", "restricted": true }));
    programme.deliver(HOUSING.0, HOUSING.1, CORE, &[refuge]).await;
}

async fn propose(programme: &TestProgramme) -> Proposed {
    programme.gateway.propose_possible_matches(AT_ONCE).await.expect("compared")
}

async fn queue(programme: &TestProgramme, agency: &str) -> Vec<QueueItem> {
    programme.gateway.possible_matches(&caller(agency), None).await.expect("a queue").items
}

async fn decide(
    programme: &TestProgramme,
    agency: &str,
    id: PossibleMatchId,
    decision: Decision,
    reason: Reason,
) -> Result<Recorded, MatchError> {
    let verdict = Verdict { decision, role: "social-worker".parse().expect("a role"), reason };
    let recorded = programme.gateway.decide_possible_match(&caller(agency), id, &verdict, &key(1)).await;
    programme.publish().await;
    recorded
}

async fn confirm(programme: &TestProgramme, agency: &str, id: PossibleMatchId) {
    decide(programme, agency, id, Decision::Confirm, Reason::CheckedFile).await.expect("confirmed");
}

async fn reverse(programme: &TestProgramme, agency: &str, id: PossibleMatchId) -> Result<Recorded, MatchError> {
    let role = "social-worker".parse().expect("a role");
    let words = (&role, ReversalReason::Mistake);
    let recorded = programme.gateway.reverse_possible_match(&caller(agency), id, words, &key(2)).await;
    programme.publish().await;
    recorded
}

/// Both holders are asked about the girl and confirm; gives the two handles.
async fn both_confirm(programme: &TestProgramme) -> [PossibleMatchId; 2] {
    assert_eq!(propose(programme).await.asked, 2);
    let [school, care] = [&queue(programme, SCHOOLS.0).await[0], &queue(programme, CARE.0).await[0]].map(|it| it.id);
    confirm(programme, SCHOOLS.0, school).await;
    confirm(programme, CARE.0, care).await;
    [school, care]
}

/// The areas that are met for somebody, as the Early Help Hub hears it.
async fn areas(programme: &TestProgramme, who: &[(&str, &str)]) -> Vec<String> {
    let answer = programme.ask(HUB_AREAS, who, &[]).await.expect("permitted").answer;
    let Answer::Areas { areas, .. } = &answer else { panic!("an answer about areas: {answer:?}") };
    let met = areas.iter().filter(|area| area.state == EvidenceState::Met);
    met.map(|area| area.area.to_string()).collect()
}

fn name((agency, feed): (&str, &str), reference: u32) -> RecordName {
    RecordName {
        agency: agency.parse().expect("a code"),
        feed: feed.parse().expect("a code"),
        reference: OpaqueRef::parse(&opaque(reference)).expect("a reference"),
    }
}

/// A pair that somebody put in force, as a match run does.
async fn in_force(programme: &TestProgramme, origin: PairOrigin, a: RecordName, b: RecordName) -> StoredPair {
    let mut tx = programme.gateway.store().begin().await.expect("a transaction");
    let now = tx.now().await.expect("the clock");
    let pair = StoredPair {
        id: PairId::new(uuid::Uuid::now_v7()),
        origin,
        names: PairNames::new(a, b).expect("two records"),
        weight: origin.joins().then_some(21_500),
        evidence: String::new(),
        state: PairState::InForce,
        proposed_at: now,
        sides: [PairSide::default(); 2],
    };
    let event = EventId::new(uuid::Uuid::now_v7());
    assert!(tx.add_pair(&programme.code, &pair, Some((now, event))).await.expect("added"));
    tx.commit().await.expect("committed");
    programme.publish().await;
    pair
}

/// Every entry of a type, in the order of the log.
async fn entries(programme: &TestProgramme, kind: &str) -> Vec<Value> {
    programme.sequencer.drain().await.expect("sequenced");
    let entries = programme.gateway.store().log_entries(0, 1000).await.expect("entries");
    let read = |(_, body): &(_, Vec<u8>)| serde_json::from_slice::<Value>(body).expect("JSON");
    entries.iter().map(read).filter(|entry| entry["type"] == kind).collect()
}
