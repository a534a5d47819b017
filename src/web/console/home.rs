//! Home: what waits for whoever is signed in.

use askama::Template;
use axum::extract::State;

use super::Console;
use super::frame::{Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{page, words};
use crate::config::Persona;
use crate::domain::agreement::AgreementStatus;

#[derive(Template)]
#[template(path = "home.html")]
pub(super) struct HomePage {
    frame: Frame,
    agency: String,
    agreement: String,
    waits: Vec<Waiting>,
    checkpoint: Option<String>,
}

/// Something that waits.
struct Waiting {
    text: String,
    path: String,
}

/// Shows the page.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Result<Shown<HomePage>, Failed> {
    let gateway = console.gateway();
    let policies = gateway.current_policies().await?;
    let now = gateway.store().now().await.map_err(crate::app::error::AppError::from)?;
    let mut waits = Vec::new();
    if visitor.access.persona != Persona::Operator {
        for agreement in policies.book().agreements() {
            let reference = agreement.text.reference();
            let path = format!("/agreements/{}/{}", reference.id, reference.version);
            let title = agreement.text.title();
            match agreement.status {
                AgreementStatus::InForce if agreement.text.review_due() < now.date() => waits.push(Waiting {
                    text: format!("{title}: its review was due on {}", words::day(agreement.text.review_due())),
                    path,
                }),
                AgreementStatus::Signed => {
                    waits.push(Waiting { text: format!("{title}: signed by all, and not in force"), path });
                }
                AgreementStatus::Suspended => waits.push(Waiting { text: format!("{title}: suspended"), path }),
                _ => {}
            }
        }
    }
    let newest = gateway.store().newest_checkpoint().await.map_err(crate::app::error::AppError::from)?;
    let checkpoint = newest.map(|(size, at, _)| format!("{size} entries, signed on {}", words::moment(at)));
    Ok(Shown(HomePage {
        frame: visitor.frame("Home", &page::HOME),
        agency: words::agency(&policies, &visitor.access.agency),
        agreement: visitor.access.agreement.to_string(),
        waits,
        checkpoint,
    }))
}
