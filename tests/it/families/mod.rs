//! Families as the programme team keeps them, on both engines: what is promised, and what is tried
//! against it.

mod attacks;
mod listed;
mod numbers;
mod wire;
mod work;

use porth::app::caller::AgencyCaller;
use porth::app::families::lookup::FamilyReply;
use porth::app::families::{DecisionReply, FamilyError, Outcome};
use porth::domain::enquiry::Answer;
use porth::domain::evidence::EvidenceState;
use porth::domain::tfid::Tfid;
use serde_json::{Value, json};

use crate::support::programme::{TestProgramme, opaque};

const CHILD: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "child")];
const MOTHER: &[(&str, &str)] = &[("nhs", "9990000026"), ("k3", "mother")];
const FATHER: &[(&str, &str)] = &[("nhs", "9990000034"), ("k3", "father")];
const HOME: &[(&str, &str)] = &[("uprn", "100040123456")];
const FATHERS_HOME: &[(&str, &str)] = &[("uprn", "100040999999")];

const CHILD_AT_SCHOOL: (&str, &str, u32) = ("education", "attendance", 1);
const CHILD_IN_CARE: (&str, &str, u32) = ("childrens-social-care", "cases", 1);
const MOTHER_IN_CARE: (&str, &str, u32) = ("childrens-social-care", "cases", 2);

/// A number that nobody has.
fn unknown_number() -> Tfid {
    "TF-0000-0000-0000-0011".parse().expect("well-formed")
}

fn record((agency, feed, reference): (&str, &str, u32)) -> Value {
    json!({ "agency": agency, "feed": feed, "ref": opaque(reference) })
}

fn caller(agency: &str) -> AgencyCaller {
    AgencyCaller { agency: agency.parse().expect("a code"), client: format!("{agency}-desk") }
}

fn terms(programme: &TestProgramme) -> Value {
    json!({
        "programme": programme.code, "agreement": "programme-delivery/v1", "purpose": "programme-delivery",
        "relationship": "screening", "role": "data-analyst", "case": opaque(7), "user": opaque(8),
    })
}

async fn lookup_as(
    programme: &TestProgramme,
    agency: &str,
    mode: &str,
    tfid: Tfid,
) -> Result<FamilyReply, FamilyError> {
    let request = json!({ "terms": terms(programme), "mode": mode, "tfid": tfid });
    programme.gateway.lookup_family(&caller(agency), &serde_json::from_value(request).expect("a request")).await
}

async fn lookup(programme: &TestProgramme, mode: &str, tfid: Tfid) -> FamilyReply {
    lookup_as(programme, "programme-team", mode, tfid).await.expect("permitted")
}

fn key() -> String {
    uuid::Uuid::from_bytes(porth::crypto::random::random_bytes(&porth::crypto::random::SystemRandom::new())).to_string()
}

async fn decide_under(programme: &TestProgramme, decision: Value, key: &str) -> Result<DecisionReply, FamilyError> {
    let request = json!({ "terms": terms(programme), "mode": "count", "reason": "test", "decision": decision });
    let request = serde_json::from_value(request).expect("a request");
    programme.gateway.decide_family(&caller("programme-team"), &request, key).await
}

async fn decide(programme: &TestProgramme, decision: Value) -> Vec<(Outcome, Option<Tfid>)> {
    let reply = decide_under(programme, decision, &key()).await.expect("permitted");
    reply.results.into_iter().map(|result| (result.outcome, result.family)).collect()
}

async fn issue(programme: &TestProgramme, route: &str, records: &[(&str, &str, u32)]) -> (Outcome, Option<Tfid>) {
    let candidate: Vec<Value> = records.iter().map(|name| record(*name)).collect();
    decide(programme, json!({ "kind": "issue", "route": route, "candidates": [candidate] })).await[0]
}

/// The family of a child and a mother, under a number.
async fn issued(programme: &TestProgramme) -> Tfid {
    a_family(programme).await;
    let (outcome, family) = issue(programme, "data_match", &[CHILD_AT_SCHOOL, CHILD_IN_CARE, MOTHER_IN_CARE]).await;
    assert_eq!(outcome, Outcome::Done);
    family.expect("a number")
}

async fn flags(programme: &TestProgramme, criterion: &str) -> Value {
    let from = programme.today().await - jiff::Span::new().days(40);
    json!([{ "criterion": criterion, "state": "met", "from": from.to_string() }])
}

async fn school(programme: &TestProgramme, reference: u32, home: &[(&str, &str)]) {
    let flags = flags(programme, "E1").await;
    let extra = json!({ "role": "child", "household": programme.tokens(home), "flags": flags });
    let row = programme.row(reference, CHILD, extra);
    programme.deliver("education", "attendance", "early-help-core/v1", &[row]).await;
}

async fn care(programme: &TestProgramme, service: Value) {
    let home = programme.tokens(HOME);
    let mut child = json!({ "role": "child", "household": home, "flags": flags(programme, "H2").await });
    if !service.is_null() {
        child["service"] = service;
    }
    let rows =
        [programme.row(1, &CHILD[..1], child), programme.row(2, MOTHER, json!({ "role": "adult", "household": home }))];
    programme.deliver("childrens-social-care", "cases", "early-help-core/v1", &rows).await;
}

/// Education and social care know the child, social care the mother too, all at one address.
async fn a_family(programme: &TestProgramme) {
    school(programme, 1, HOME).await;
    care(programme, Value::Null).await;
}

fn area(reply: &FamilyReply, code: &str) -> EvidenceState {
    let family = reply.family.as_ref().expect("known");
    let Answer::Areas { areas, .. } = &family.answer else { panic!("areas: {family:?}") };
    areas.iter().find(|found| found.area.as_str() == code).expect("an area with criteria").state
}

/// What the history says, oldest first.
fn history(reply: &FamilyReply) -> Vec<&'static str> {
    reply.family.as_ref().expect("known").history.iter().map(|line| line.what.as_str()).collect()
}

async fn entries(programme: &TestProgramme, kind: &str, outcome: &str) -> i64 {
    let counts = programme.gateway.store().event_counts().await.expect("counts");
    counts.iter().filter(|(k, o, _)| k == kind && o == outcome).map(|count| count.2).sum()
}
