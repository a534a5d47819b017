//! Cases of people's rights: numbers and clocks, and nothing of whom they are about.

use askama::Template;
use axum::extract::State;

use super::Console;
use super::frame::{Failed, Frame, Shown};
use super::plain::{self, Tag};
use super::visitor::Visitor;
use super::{page, words};

/// Cases of the list.
const MOST: usize = 200;

#[derive(Template)]
#[template(path = "rights.html")]
pub(super) struct RightsPage {
    frame: Frame,
    open: usize,
    overdue: usize,
    cases: Vec<Line>,
    left_out: usize,
}

struct Line {
    number: String,
    right: &'static str,
    agency: String,
    opened: String,
    due: String,
    state: Tag,
}

/// Shows the page.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Result<Shown<RightsPage>, Failed> {
    let policies = console.gateway().current_policies().await?;
    let mut cases = console.gateway().subject_case_register().await?;
    let is_closed = |state: &str| state == "closed";
    cases.sort_by_key(|(case, is_overdue)| {
        let due = case.clock.due_on().map(|due| due.to_string()).unwrap_or_default();
        (is_closed(case.clock.state()), !is_overdue, due)
    });
    let open = cases.iter().filter(|(case, _)| !is_closed(case.clock.state())).count();
    let overdue = cases.iter().filter(|(_, is_overdue)| *is_overdue).count();
    let left_out = cases.len().saturating_sub(MOST);
    let lines = cases.iter().take(MOST).map(|(case, is_overdue)| Line {
        number: case.id.to_string(),
        right: plain::right(case.right),
        agency: words::agency(&policies, &case.agency),
        opened: words::moment(case.clock.opened_at),
        due: case.clock.due_on().map_or_else(|| "The clock is stopped".to_owned(), words::day),
        state: match (case.clock.state(), is_overdue) {
            ("closed", _) => Tag { said: "Closed", colour: "green" },
            (_, true) => Tag { said: "Overdue", colour: "red" },
            ("paused", _) => Tag { said: "Clock stopped", colour: "yellow" },
            _ => Tag { said: "Open", colour: "blue" },
        },
    });
    let lines = lines.collect();
    Ok(Shown(RightsPage {
        frame: visitor.frame("People’s rights", &page::RIGHTS),
        open,
        overdue,
        cases: lines,
        left_out,
    }))
}
