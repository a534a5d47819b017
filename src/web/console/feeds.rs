//! The feed calendar: what came last from whom, what is due, what is late.

use askama::Template;
use axum::extract::State;

use super::Console;
use super::frame::{Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::caller::AgencyCaller;
use crate::app::feeds::FeedStanding;

#[derive(Template)]
#[template(path = "feeds.html")]
pub(super) struct FeedsPage {
    frame: Frame,
    late: usize,
    feeds: Vec<Line>,
}

struct Line {
    agency: String,
    plain: String,
    cadence: String,
    as_at: String,
    next_due: String,
    standing: &'static str,
    colour: &'static str,
}

/// Shows the page.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Result<Shown<FeedsPage>, Failed> {
    let (feeds, late) = lines(&console, &visitor).await?;
    Ok(Shown(FeedsPage { frame: visitor.frame("Feeds", &page::FEEDS), late, feeds }))
}

/// How many feeds are late.
pub(super) async fn late(console: &Console, visitor: &Visitor) -> Result<usize, Failed> {
    Ok(lines(console, visitor).await?.1)
}

async fn lines(console: &Console, visitor: &Visitor) -> Result<(Vec<Line>, usize), Failed> {
    let gateway = console.gateway();
    let policies = gateway.current_policies().await?;
    let mut feeds = Vec::new();
    let mut late = 0;
    let mut agencies: Vec<_> = policies.book().agencies().collect();
    agencies.sort_by_key(|agency| agency.name().to_owned());
    for agency in agencies {
        let caller = AgencyCaller { agency: agency.code().clone(), client: visitor.session.account.clone() };
        for line in gateway.calendar(&caller).await? {
            let (standing, colour) = match line.standing {
                FeedStanding::NotExpected => ("Not expected now", "grey"),
                FeedStanding::Awaited => ("First delivery awaited", "blue"),
                FeedStanding::InTime => ("In time", "green"),
                FeedStanding::Due => ("Due", "yellow"),
                FeedStanding::Overdue => ("Late", "red"),
            };
            late += usize::from(line.standing == FeedStanding::Overdue);
            feeds.push(Line {
                agency: agency.name().to_owned(),
                plain: line.plain,
                cadence: line.cadence,
                as_at: line.as_at.map_or_else(|| "nothing yet".to_owned(), words::day),
                next_due: words::day(line.next_due),
                standing,
                colour,
            });
        }
    }
    Ok((feeds, late))
}
