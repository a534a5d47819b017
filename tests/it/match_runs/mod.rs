//! Match runs, on both engines: stages end to end, the same bytes again, crashes, shields, and what the
//! benefits agency sees.

mod attacks;
mod stages;

use porth::app::caller::AgencyCaller;
use porth::app::match_run::list::GivenList;
use porth::app::match_run::reply::TokenAnswer;
use porth::app::match_run::{MatchRunError, RunReport, RunTerms};
use porth::domain::ids::MatchRunId;
use porth::linkage::match_run::CandidateFamily;
use porth::store::RunState;
use serde_json::{Value, json};

use crate::support::programme::{TestProgramme, opaque};

const TEAM: &str = "programme-team";
const BENEFITS: &str = "jobcentre-feed";

fn caller(agency: &str) -> AgencyCaller {
    AgencyCaller { agency: agency.parse().expect("a code"), client: format!("{agency}-desk") }
}

fn terms_under(agreement: &str) -> RunTerms {
    let terms =
        json!({ "agreement": agreement, "relationship": "screening", "role": "data-analyst", "user": opaque(8) });
    serde_json::from_value(terms).expect("terms")
}

fn terms() -> RunTerms {
    terms_under("programme-delivery/v1")
}

fn key() -> String {
    uuid::Uuid::from_bytes(porth::crypto::random::random_bytes(&porth::crypto::random::SystemRandom::new())).to_string()
}

async fn flags(programme: &TestProgramme, criterion: &str) -> Value {
    let from = programme.today().await - jiff::Span::new().days(40);
    json!([{ "criterion": criterion, "state": "met", "from": from.to_string() }])
}

/// A household of the test town, by its number: a child whom education knows, and social care knows the
/// child and an adult. The child misses school; with `in_need` social care has a flag too.
#[derive(Clone, Copy)]
struct Home {
    number: u32,
    misses_school: bool,
    in_need: bool,
}

impl Home {
    fn address(self) -> String {
        format!("1000401{:05}", self.number)
    }
}

/// Every home delivered by both agencies.
async fn town(programme: &TestProgramme, homes: &[Home]) {
    let (mut school, mut care) = (Vec::new(), Vec::new());
    let (absent, need) = (flags(programme, "E1").await, flags(programme, "H2").await);
    for home in homes {
        let (child, adult) = (format!("99900{:05}", home.number), format!("99910{:05}", home.number));
        let child: &[(&str, &str)] = &[("nhs", &child)];
        let adult: &[(&str, &str)] = &[("nhs", &adult)];
        let address = home.address();
        let household = programme.tokens(&[("uprn", &address)]);
        let with = |role: &str, flags: &Value| json!({ "role": role, "household": household, "flags": flags });
        let nothing = json!([]);
        let absence = if home.misses_school { &absent } else { &nothing };
        school.push(programme.row(home.number, child, with("child", absence)));
        care.push(programme.row(home.number, child, with("child", if home.in_need { &need } else { &nothing })));
        care.push(programme.row(1_000_000 + home.number, adult, with("adult", &nothing)));
    }
    programme.deliver("education", "attendance", "early-help-core/v1", &school).await;
    programme.deliver("childrens-social-care", "cases", "early-help-core/v1", &care).await;
}

async fn begin(programme: &TestProgramme) -> RunReport {
    programme.gateway.begin_match_run(&caller(TEAM), &terms(), &key()).await.expect("permitted")
}

async fn step(programme: &TestProgramme, id: MatchRunId, without_reply: bool) -> RunReport {
    let done = programme.gateway.advance_match_run(&caller(TEAM), id, &terms(), without_reply).await;
    done.expect("the step is taken")
}

/// Takes steps until the run waits for the benefits agency.
async fn until_listed(programme: &TestProgramme, id: MatchRunId) -> RunReport {
    for _ in 0..50 {
        let report = step(programme, id, false).await;
        if report.state != RunState::Snapshot {
            return report;
        }
    }
    panic!("the snapshot does not end");
}

async fn list(programme: &TestProgramme, id: MatchRunId) -> Result<GivenList, MatchRunError> {
    programme.gateway.match_run_list(&caller(BENEFITS), id, &terms()).await
}

/// The token of an address, as an agency makes it.
fn token(programme: &TestProgramme, address: &str) -> porth::domain::token::Token {
    programme.type_key("uprn").token(address.as_bytes())
}

async fn reply(programme: &TestProgramme, id: MatchRunId, answers: &[(&str, bool)]) -> Result<(), MatchRunError> {
    let answers: Vec<TokenAnswer> =
        answers.iter().map(|(address, met)| TokenAnswer { token: token(programme, address), met: *met }).collect();
    let under = terms_under("benefits-data/v1");
    programme.gateway.answer_match_run(&caller(BENEFITS), id, &under, &answers).await.map(drop)
}

async fn families(programme: &TestProgramme, id: MatchRunId) -> Vec<CandidateFamily> {
    programme.gateway.match_run_families(&caller(TEAM), id, &terms()).await.expect("permitted").families
}

fn areas(family: &CandidateFamily) -> Vec<&str> {
    family.areas.iter().map(porth::domain::ids::AreaCode::as_str).collect()
}

/// The entries of a type and outcome.
async fn entries(programme: &TestProgramme, kind: &str, outcome: &str) -> i64 {
    let counts = programme.gateway.store().event_counts().await.expect("counts");
    counts.iter().filter(|(k, o, _)| k == kind && o == outcome).map(|count| count.2).sum()
}
