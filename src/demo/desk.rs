//! What officers find to do in the demonstration's console: they are registered, and a sample is drawn.

use super::trouble::{Trouble, trouble};
use crate::app::console::DEMONSTRATION;
use crate::app::gateway::Gateway;
use crate::app::review::draw::Draw;
use crate::app::review::officers::NewOfficer;
use crate::domain::ids::AgencyCode;
use crate::domain::review::sample::Strategy;

/// Claims of the lines of access that let officers in.
pub(super) const OFFICERS: [&str; 3] = ["officer", "second-officer", "data-protection-officer"];
/// The agency on whose behalf they look.
const AGENCY: &str = "programme-team";
/// Disclosures of the sample.
const SAMPLE: usize = 20;

/// Registers the officers, and draws a sample of the day's disclosures for them.
pub(super) async fn furnish(gateway: &Gateway) -> Result<(), Trouble> {
    let agency = AgencyCode::parse(AGENCY).map_err(trouble("an agency"))?;
    let accounts = OFFICERS.map(|claim| gateway.console_account(DEMONSTRATION, claim));
    for account in &accounts {
        let officer = NewOfficer {
            account: account.clone(),
            agency: agency.clone(),
            keys: Vec::new(),
            clients: Vec::new(),
            users: Vec::new(),
        };
        gateway.register_officer(&officer, "operator", "demonstration").await.map_err(trouble("an officer"))?;
    }
    let now = gateway.store().now().await.map_err(trouble("the clock"))?;
    let wanted = Draw {
        strategy: Strategy::Random,
        since: now.plus_seconds(-86_400),
        until: now,
        filters: Vec::new(),
        weigh_areas: Vec::new(),
        entries: Vec::new(),
        size: SAMPLE,
        minimum: 1,
        seed: None,
    };
    gateway.draw_review(&wanted, &accounts[0], "demonstration").await.map_err(trouble("a sample")).map(drop)
}
