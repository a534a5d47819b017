//! Home: what waits for whoever is signed in.

use askama::Template;
use axum::extract::State;

use super::Console;
use super::frame::{Failed, Frame, Shown};
use super::visitor::Visitor;
use super::waits::{self, Waiting};
use super::{page, words};
use crate::app::error::AppError;
use crate::config::Persona;

#[derive(Template)]
#[template(path = "home.html")]
pub(super) struct HomePage {
    frame: Frame,
    agency: String,
    agreement: String,
    account: String,
    waits: Vec<Waiting>,
    nothing: &'static str,
    checkpoint: Option<String>,
}

/// Shows the page.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Result<Shown<HomePage>, Failed> {
    let gateway = console.gateway();
    let policies = gateway.current_policies().await?;
    let newest = gateway.store().newest_checkpoint().await.map_err(AppError::from)?;
    let checkpoint = newest.map(|(size, at, _)| format!("{size} entries, signed on {}", words::moment(at)));
    Ok(Shown(HomePage {
        agency: words::agency(&policies, &visitor.access.agency),
        agreement: visitor.access.agreement.to_string(),
        account: visitor.session.account.clone(),
        waits: waits::of(&console, &visitor, &policies).await?,
        nothing: match visitor.access.persona {
            Persona::Officer => {
                "No incident’s clock runs, no review, alert, recall, approval or re-identification waits, no agreement is overdue, no feed is late."
            }
            Persona::Auditor => {
                "No action of a review is overdue, no alert is open, no agreement is overdue, no feed is late."
            }
            Persona::DataTeam => {
                "No identity waits to be collected, no match run is under way, no agreement is overdue, suspended, or signed and not in force, and no feed is late."
            }
            Persona::Operator => "Every check of the gateway is well, and no feed is late.",
        },
        checkpoint,
        frame: visitor.frame("Home", &page::HOME),
    }))
}
