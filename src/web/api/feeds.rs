//! `/v1/feeds`: an agency's own part of the feed calendar.

use axum::extract::State;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::app::caller::AgencyCaller;
use crate::app::feeds::CalendarLine;
use crate::app::gateway::Gateway;
use crate::web::json::Json;
use crate::web::problem::Problem;

/// The caller's own feeds.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FeedsView {
    /// A line a feed, in the programme's order.
    pub feeds: Vec<FeedView>,
}

/// Where a feed of the caller's own is in its calendar.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FeedView {
    /// Which feed.
    pub feed: String,
    /// What it holds, in plain words.
    pub plain: String,
    /// How often it comes, in words people use.
    pub cadence: String,
    /// `not_expected`, `awaited` (nothing came yet), `in_time`, `due` or `overdue`.
    pub state: String,
    /// The day that the newest visible delivery describes; `null` when none came.
    #[schema(value_type = Option<String>, format = Date)]
    pub as_at: Option<Date>,
    /// The day that the next delivery should describe at the latest.
    #[schema(value_type = String, format = Date)]
    pub next_due: Date,
    /// The last day on which it still counts as in time.
    #[schema(value_type = String, format = Date)]
    pub in_time_until: Date,
}

/// Shows where the caller's own feeds are in the calendar. It says nothing of other agencies' feeds.
#[utoipa::path(get, path = "/v1/feeds", operation_id = "list_feeds", tag = "submissions",
    security(("access_token" = [])),
    responses((status = 200, description = "The feeds that the programme expects of the caller's agency", body = FeedsView)))]
pub async fn list(State(gateway): State<Gateway>, caller: AgencyCaller) -> Result<Json<FeedsView>, Problem> {
    let lines = gateway.calendar(&caller).await?;
    Ok(Json(FeedsView { feeds: lines.into_iter().map(view_of).collect() }))
}

fn view_of(line: CalendarLine) -> FeedView {
    FeedView {
        feed: line.feed.into(),
        plain: line.plain,
        cadence: line.cadence,
        state: line.standing.as_str().to_owned(),
        as_at: line.as_at,
        next_due: line.next_due,
        in_time_until: line.in_time_until,
    }
}
