//! The register of agreements: what was signed, and where it stands.

use askama::Template;
use axum::extract::State;

use super::Console;
use super::frame::{Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::error::AppError;
use crate::domain::agreement::Agreement;
use crate::domain::ids::AgreementRef;

#[derive(Template)]
#[template(path = "agreements.html")]
pub(super) struct AgreementsPage {
    frame: Frame,
    agreements: Vec<Line>,
}

/// An agreement in the register.
pub(super) struct Line {
    pub(super) title: String,
    pub(super) reference: String,
    pub(super) path: String,
    pub(super) status: &'static str,
    pub(super) colour: &'static str,
    pub(super) review: String,
    pub(super) ends: String,
    pub(super) waits: bool,
}

/// Shows the register.
pub(super) async fn list(State(console): State<Console>, visitor: Visitor) -> Result<Shown<AgreementsPage>, Failed> {
    let policies = console.gateway().current_policies().await?;
    let requests = console.gateway().store().activation_requests().await.map_err(AppError::from)?;
    let waiting: Vec<AgreementRef> = requests.into_iter().map(|request| request.agreement).collect();
    let mut agreements: Vec<Line> = policies.book().agreements().map(|agreement| line(agreement, &waiting)).collect();
    agreements.sort_by(|a, b| a.title.cmp(&b.title).then_with(|| a.reference.cmp(&b.reference)));
    Ok(Shown(AgreementsPage { frame: visitor.frame("Agreements", &page::AGREEMENTS), agreements }))
}

/// An agreement in the register; `waiting` are those of which somebody asked that they be put in force.
pub(super) fn line(agreement: &Agreement, waiting: &[AgreementRef]) -> Line {
    let text = &agreement.text;
    let reference = text.reference();
    let (status, colour) = words::status(agreement.status);
    Line {
        title: text.title().to_owned(),
        reference: reference.to_string(),
        path: path(reference),
        status,
        colour,
        review: words::day(text.review_due()),
        ends: words::day(text.ends()),
        waits: waiting.contains(reference),
    }
}

/// The address of an agreement's page.
pub(super) fn path(reference: &AgreementRef) -> String {
    format!("/agreements/{}/{}", reference.id, reference.version)
}
