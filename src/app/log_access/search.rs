//! The log is searched: by agency, area, power, purpose, rule, role, outcome, type, agreement and time.

use serde::Serialize;

use super::super::caller::AgencyCaller;
use super::super::error::AppError;
use super::super::gateway::Gateway;
use super::super::log_index::index_log;
use super::super::proof::check_leaf;
use super::{Grounds, LogAccessError, Logged, MOST_TRIES, Seen};
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;
use crate::store::{FoundEntry, LogQuery};
use crate::tlog::entry::{Code, Entry, Facet};

/// The most entries of one page.
pub const MOST: u32 = 200;
/// What stands in a search's entry for a value that no entry has.
const UNKNOWN: &str = "unknown";

/// What is searched for, newest entries first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Search {
    /// Facet and value; an entry must have them all, each facet once.
    pub filters: Vec<(Facet, Code)>,
    /// Only entries from this moment on.
    pub since: Option<Timestamp>,
    /// Only entries before this moment.
    pub until: Option<Timestamp>,
    /// Only entries below this index: the cursor.
    pub before: Option<u64>,
    /// How many at the most.
    pub limit: u32,
}

/// A page of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The entry of the search itself.
    pub logged: Logged,
    /// How much of the log was searched.
    pub size: u64,
    /// The entries, newest first.
    pub entries: Vec<FoundLine>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<u64>,
}

/// An entry that was found. What it says of a person are commitments, which tell nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundLine {
    /// Its index in the log.
    pub index: u64,
    /// Its event.
    pub event: EventId,
    /// The entry's exact text.
    pub entry: String,
}

impl Gateway {
    /// Searches the log. What was found leaves once the search itself is in the log.
    ///
    /// # Errors
    ///
    /// [`LogAccessError`]; refusals by agreement are in the log too.
    pub async fn search_log(
        &self,
        caller: &AgencyCaller,
        grounds: &Grounds,
        search: &Search,
    ) -> Result<Page, LogAccessError> {
        for _ in 0..MOST_TRIES {
            let look = self.decide_look(caller, grounds).await?;
            let mut seen = Seen { action: "search", ..Seen::default() };
            let (mut entries, mut next, mut size) = (Vec::new(), None, 0);
            if look.decided.is_ok() {
                size = index_log(self.store()).await?;
                (entries, next) = self.look_up(search).await?;
                seen.filters = self.said(search, size, look.at()).await?;
                seen.first = entries.last().map(|line| line.index);
                seen.last = entries.first().map(|line| line.index);
                seen.count = entries.len() as u64;
            }
            if let Some(logged) = self.log_look(&look, &seen).await? {
                return Ok(Page { logged, size, entries, next });
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn look_up(&self, search: &Search) -> Result<(Vec<FoundLine>, Option<u64>), AppError> {
        let limit = search.limit.clamp(1, MOST);
        let mut filters = search.filters.clone();
        filters.sort(); // the facet that narrows most leads
        let query = LogQuery {
            before: search.before.unwrap_or(u64::MAX),
            since: search.since.unwrap_or(Timestamp::from_micros(i64::MIN)),
            until: search.until.unwrap_or(Timestamp::from_micros(i64::MAX)),
            filters: filters.iter().map(|(facet, value)| (facet.as_str(), value.as_str().to_owned())).collect(),
            limit: i64::from(limit) + 1,
        };
        let mut found = self.store().find_entries(&query).await?;
        let is_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = found.last().filter(|_| is_more).map(|entry| entry.index);
        let entries = found.into_iter().map(line).collect::<Result<_, _>>()?;
        Ok((entries, next))
    }
    /// What the entry of the search says that was searched for. A value that no entry has is any text
    /// that somebody typed, a name or a token perhaps, and the log is for ever: it is `unknown` there.
    /// Likewise a moment or an index outside the log narrows nothing, and is left out.
    async fn said(&self, search: &Search, size: u64, now: Timestamp) -> Result<Vec<(&'static str, String)>, AppError> {
        let mut said = Vec::new();
        for (facet, value) in &search.filters {
            let is_known = self.store().is_facet(facet.as_str(), value.as_str()).await?;
            said.push((facet.as_str(), if is_known { value.as_str() } else { UNKNOWN }.to_owned()));
        }
        let first = self.store().log_entries(0, 1).await?.into_iter().next();
        let begun = first.and_then(|(_, body)| Entry::parse(&body).ok()).map(|entry| entry.at());
        let is_within = |time: &Timestamp| begun.is_some_and(|begun| (begun..=now).contains(time));
        let times = [("since", search.since), ("until", search.until)];
        said.extend(times.into_iter().filter_map(|(name, time)| Some((name, time.filter(is_within)?.to_string()))));
        said.extend(search.before.filter(|before| *before < size).map(|before| ("before", before.to_string())));
        Ok(said)
    }
}

fn line(found: FoundEntry) -> Result<FoundLine, AppError> {
    check_leaf(&found.body, &found.leaf)?;
    let entry = String::from_utf8(found.body).map_err(|_| AppError::Internal("a log entry is not text"))?;
    Ok(FoundLine { index: found.index, event: found.event, entry })
}
