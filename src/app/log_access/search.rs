//! The log is searched: by agency, area, power, purpose, rule, role, outcome, type, agreement, time, and by
//! the entry that others are about.
//!
//! Whoever looks for a value that there is not is told so: "nothing was found" would be taken for an answer.

use serde::Serialize;

use super::super::caller::AgencyCaller;
use super::super::emergency::UNREVIEWED;
use super::super::enquire::family::NOT_THE_TEAM;
use super::super::error::AppError;
use super::super::gateway::Gateway;
use super::super::log_index::index_log;
use super::super::policies::Policies;
use super::super::proof::check_leaf;
use super::{CEILING, Grounds, LogAccessError, Logged, MOST_TRIES, Seen};
use crate::domain::ids::EventId;
use crate::domain::item::Item;
use crate::domain::law;
use crate::domain::time::Timestamp;
use crate::policy::decision::BEFORE_THE_BOOK;
use crate::policy::rules::ERROR;
use crate::store::{FoundEntry, LogQuery};
use crate::tlog::entry::{Body, Code, Entry, Facet};

/// The most entries of one page.
pub const MOST: u32 = 200;
/// What stands in a search's entry for a value that no entry has.
const UNKNOWN: &str = "unknown";
/// Refusals of the journeys themselves, which stand in no rule book.
const BESIDE_THE_BOOK: [(&str, &str); 4] = [CEILING, UNREVIEWED, NOT_THE_TEAM, ERROR];

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
    /// [`LogAccessError`]; refusals by agreement are in the log too, and so is a search for a value that is
    /// on no list.
    pub async fn search_log(
        &self,
        caller: &AgencyCaller,
        grounds: &Grounds,
        search: &Search,
    ) -> Result<Page, LogAccessError> {
        for _ in 0..MOST_TRIES {
            let look = self.decide_look(caller, grounds).await?;
            let mut seen = Seen { action: "search", ..Seen::default() };
            let (mut entries, mut next, mut size, mut unlisted) = (Vec::new(), None, 0, None);
            if look.decided.is_ok() {
                size = index_log(self.store()).await?;
                unlisted = self.unlisted(search, &look.policies).await?;
                if unlisted.is_none() {
                    (entries, next) = self.look_up(search).await?;
                }
                seen.filters = self.said(search, size, look.at()).await?;
                seen.first = entries.last().map(|line| line.index);
                seen.last = entries.first().map(|line| line.index);
                seen.count = entries.len() as u64;
            }
            if let Some(logged) = self.log_look(&look, &seen).await? {
                if let Some(facet) = unlisted {
                    return Err(LogAccessError::Unlisted(facet));
                }
                return Ok(Page { logged, size, entries, next });
            }
        }
        Err(AppError::Interrupted.into())
    }

    /// The first filter whose value no entry has and no list of the programme holds: it is misspelt, or
    /// never was.
    async fn unlisted(&self, search: &Search, policies: &Policies) -> Result<Option<Facet>, AppError> {
        for (facet, value) in &search.filters {
            let is_known = self.store().is_facet(facet.as_str(), value.as_str()).await?
                || is_listed(policies, *facet, value.as_str())
                || (*facet == Facet::About && self.is_entry(value.as_str()).await?);
            if !is_known {
                return Ok(Some(*facet));
            }
        }
        Ok(None)
    }

    async fn is_entry(&self, text: &str) -> Result<bool, AppError> {
        let Ok(event) = text.parse::<EventId>() else { return Ok(false) };
        Ok(self.store().event_body(event).await?.is_some())
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

/// Whether a value is on the list of its facet: those of the program itself, and those of the policy files in
/// use. What was in use once is found in the index.
fn is_listed(policies: &Policies, facet: Facet, value: &str) -> bool {
    let (book, programme) = (policies.book(), policies.programme());
    match facet {
        Facet::Kind => Body::KINDS.contains(&value),
        Facet::Outcome => matches!(value, "answered" | "refused"),
        Facet::Power => law::plain(&law::POWERS, value).is_some(),
        Facet::Rule => {
            let mut fixed = BEFORE_THE_BOOK.iter().chain(&BESIDE_THE_BOOK);
            book.rules().say(value).is_some() || fixed.any(|(rule, _)| *rule == value)
        }
        Facet::Agency => value.parse().is_ok_and(|agency| book.agency(&agency).is_some()),
        Facet::Area => {
            value.parse::<Item>().is_ok_and(|item| item.area().is_none_or(|area| programme.area(area).is_some()))
        }
        Facet::Purpose => value.parse().is_ok_and(|purpose| programme.purpose(&purpose).is_some()),
        Facet::Role => value.parse().is_ok_and(|role| programme.role(&role).is_some()),
        Facet::Agreement => value.parse().is_ok_and(|agreement| book.agreement(&agreement).is_some()),
        Facet::About => false,
    }
}

fn line(found: FoundEntry) -> Result<FoundLine, AppError> {
    check_leaf(&found.body, &found.leaf)?;
    let entry = String::from_utf8(found.body).map_err(|_| AppError::Internal("a log entry is not text"))?;
    Ok(FoundLine { index: found.index, event: found.event, entry })
}
