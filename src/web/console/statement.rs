//! The accessibility statement.

use askama::Template;
use axum::extract::State;

use super::Console;
use super::frame::{Frame, Shown};

#[derive(Template)]
#[template(path = "statement.html")]
pub(super) struct StatementPage {
    frame: Frame,
}

/// Shows it.
pub(super) async fn show(State(console): State<Console>) -> Shown<StatementPage> {
    Shown(StatementPage { frame: Frame::open(&console, "Accessibility statement") })
}
