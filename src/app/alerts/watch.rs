//! Entries are counted as they come into the log, and what the counts make due is opened.
//!
//! Counts, alerts, their entries and the place in the log move in one transaction. Who was asked about is read
//! from the subject index, by the keyed tags that are there anyway; nothing of it is kept here.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::enrol::code;
use super::super::error::AppError;
use super::super::gateway::Gateway;
use super::super::review::day_of;
use super::super::review::steps::date_of;
use super::AlertError;
use crate::domain::alert::rules::{DAYS_COMPARED, Day, Of, Raised, Thresholds, raised};
use crate::domain::alert::{Kind, is_always_told};
use crate::domain::ids::{AgencyCode, EventId};
use crate::domain::review::kinds::is_disclosure;
use crate::domain::time::Timestamp;
use crate::store::{NewEvent, StoreError, StoredAlert, Tx};
use crate::tlog::entry::{AlertOpen, Body, EntryFacts, Figure};

/// Entries that are looked at in one transaction.
const PIECE: u64 = 200;
/// The name of this work: its place in the log.
const JOB: &str = "alert";
/// Earlier questions about one person that are looked at; more count as so many.
const LOOKED_BACK: i64 = 64;
/// Days for which counts are kept.
const DAYS_KEPT: i64 = 400;
/// The entry type of a question about a person.
const ENQUIRY: &str = "enquiry";

/// What an answer's opening says that is counted.
#[derive(Deserialize)]
struct Known {
    is_known: bool,
}

/// Whose day.
type DayOf = (AgencyCode, String, i64);

/// What a piece of the log adds.
#[derive(Default)]
struct Seen {
    days: BTreeMap<DayOf, Day>,
    listed: Vec<EntryFacts>,
}

/// An alert to be opened, before it has its entry.
struct Due {
    mark: String,
    raised: Raised,
    agency: Option<AgencyCode>,
    client: Option<String>,
    day: i64,
    entry: Option<EventId>,
}

impl Gateway {
    /// Looks at what was logged since the last time; gives how many alerts were opened.
    ///
    /// Waits while stored tokens are taken through another blinding key: meanwhile nobody can be found again.
    ///
    /// # Errors
    ///
    /// [`AlertError`] from the database; nothing is passed over then.
    pub async fn watch_for_alerts(&self, rules: &Thresholds) -> Result<u64, AlertError> {
        let size = self.store().log_head().await?.map_or(0, |head| head.size);
        let mut opened = 0;
        loop {
            let from = self.store().log_watched(JOB).await?;
            if from >= size {
                return Ok(opened);
            }
            let Some(view) = self.store().view(self.programme()).await? else { return Ok(opened) };
            let policies = self.policies_at(view.policy_revision).await?;
            if self.check_blinding(&policies).is_err() {
                return Ok(opened);
            }
            let decoys = self.decoy_tags(&policies, view.generation).await?;
            opened += self.watch_part(from, size.min(from + PIECE), &decoys, rules).await?;
        }
    }

    async fn watch_part(
        &self,
        from: u64,
        to: u64,
        decoys: &BTreeSet<[u8; 16]>,
        rules: &Thresholds,
    ) -> Result<u64, AlertError> {
        let seen = self.seen_between(from, to, decoys, rules).await?;
        let mut tx = self.store().begin().await?;
        if tx.lock_log_watch(JOB).await? != from {
            return Ok(0); // another replica was first
        }
        let now = tx.now().await?;
        let mut due: Vec<Due> = seen.listed.iter().map(listed).collect();
        for ((agency, client, day), more) in &seen.days {
            let kept = tx.alert_day(agency, client, *day).await?;
            let total = kept.as_deref().map(read_day).transpose()?.unwrap_or_default().with(more);
            let text = serde_json::to_string(&total).map_err(|_| AppError::Internal("counts are plain data"))?;
            tx.put_alert_day(agency, client, *day, &text).await?;
            let earlier = tx.alert_days_before(agency, client, *day, DAYS_COMPARED as i64).await?;
            let earlier = earlier.iter().map(|text| read_day(text).map(|day| day.asked));
            let earlier = earlier.collect::<Result<Vec<u64>, _>>()?;
            let of = if client.is_empty() { Of::Agency } else { Of::Client };
            for raised in raised(agency, of, &total, &earlier, rules) {
                let mark = format!("{}|{agency}|{client}|{day}", raised.kind);
                let client = (of == Of::Client).then(|| client.clone());
                due.push(Due { mark, raised, agency: Some(agency.clone()), client, day: *day, entry: None });
            }
        }
        let mut entries = Vec::new();
        for due in due {
            entries.extend(self.open_alert(&mut tx, now, due).await?);
        }
        tx.add_events(&entries.iter().collect::<Vec<_>>()).await?;
        tx.set_log_watch(JOB, to).await?;
        tx.commit().await?;
        if !entries.is_empty() {
            self.wake_sequencer();
        }
        Ok(entries.len() as u64)
    }

    /// Counts a piece of the log.
    async fn seen_between(
        &self,
        from: u64,
        to: u64,
        decoys: &BTreeSet<[u8; 16]>,
        rules: &Thresholds,
    ) -> Result<Seen, AlertError> {
        let mut seen = Seen::default();
        let mut all = Vec::new();
        for (_, body) in self.store().log_entries(from, to).await? {
            let facts = EntryFacts::of(&body).map_err(|_| StoreError::Corrupt("a log entry"))?;
            if is_always_told(&facts.kind, facts.action.as_deref(), facts.relationship.as_deref()) {
                seen.listed.push(facts.clone());
            }
            if is_disclosure(&facts.kind, facts.action.as_deref()) {
                all.push(facts);
            }
        }
        let questions: Vec<EventId> =
            all.iter().filter(|facts| facts.kind == ENQUIRY).map(|facts| facts.event).collect();
        let tags = self.store().tags_of_events(&questions).await?;
        for facts in all {
            let (Some(agency), Some(client)) = (&facts.agency, &facts.client) else { continue };
            let none = Vec::new();
            let day = self.count(&facts, agency, tags.get(&facts.event).unwrap_or(&none), decoys, rules).await?;
            for client in [client.as_str(), ""] {
                let place = (agency.clone(), client.to_owned(), day_of(facts.at));
                let total = seen.days.entry(place).or_default();
                *total = total.with(&day);
            }
        }
        Ok(seen)
    }

    /// What one disclosure adds to its day.
    async fn count(
        &self,
        facts: &EntryFacts,
        agency: &AgencyCode,
        tags: &[[u8; 16]],
        decoys: &BTreeSet<[u8; 16]>,
        rules: &Thresholds,
    ) -> Result<Day, AlertError> {
        let mut day = Day { asked: 1, ..Day::default() };
        day.refused = u64::from(facts.is_answered == Some(false));
        day.odd_hours = u64::from(rules.hours.get(agency).is_some_and(|hours| hours.are_odd(facts.at)));
        if facts.kind != ENQUIRY || tags.is_empty() {
            return Ok(day);
        }
        let is_answered = facts.is_answered == Some(true);
        day.answered = u64::from(is_answered);
        day.known = u64::from(is_answered && self.was_known(facts.event).await?);
        day.decoys = u64::from(tags.iter().any(|tag| decoys.contains(tag)));
        let (mut is_new, mut repeats, mut was_refused) = (true, 0, false);
        for tag in tags {
            let before = self.store().asked_before(tag, agency, facts.event, LOOKED_BACK).await?;
            is_new &= before.is_empty();
            let today = before.iter().filter(|asked| day_of(asked.at) == day_of(facts.at));
            repeats = repeats.max(today.clone().count() as u64);
            was_refused |= today.clone().any(|asked| asked.is_refused);
        }
        day.new_subjects = u64::from(is_new);
        day.repeats = repeats + 1;
        day.refused_then_granted = u64::from(is_answered && was_refused);
        Ok(day)
    }

    /// Whether an answer was about somebody whom the asker could be told about. An answer whose opening was
    /// destroyed counts as known, so that erasures raise nothing.
    async fn was_known(&self, event: EventId) -> Result<bool, AlertError> {
        let Some(sealed) = self.store().sealed_entry(event, "answer").await? else { return Ok(true) };
        let known: Known = self.open_answer(event, &sealed.sealed)?;
        Ok(known.is_known)
    }

    /// Opens an alert; gives its entry unless there is one of its mark already.
    async fn open_alert(&self, tx: &mut Tx, now: Timestamp, due: Due) -> Result<Option<NewEvent>, AlertError> {
        let Due { mark, raised: Raised { kind, figures }, agency, client, day, entry } = due;
        let body = AlertOpen {
            kind: code(kind.as_str())?,
            severity: code(kind.severity().as_str())?,
            agency: agency.clone(),
            client: client.as_deref().map(code).transpose()?,
            day: code(&date_of(day).to_string())?,
            entry,
            figures: figures
                .iter()
                .map(|(of, count)| Ok(Figure { of: code(of)?, count: *count }))
                .collect::<Result<_, AppError>>()?,
        };
        let figures = serde_json::to_string(&body.figures).map_err(|_| AppError::Internal("figures are plain data"))?;
        let event = self.event(now, Body::AlertOpen(body))?;
        let alert = StoredAlert {
            event: event.id,
            kind: kind.as_str().to_owned(),
            severity: kind.severity().as_str().to_owned(),
            agency,
            client,
            day,
            entry,
            figures,
            state: "open".to_owned(),
            escalated_to: None,
            last_event: event.id,
            opened_at: now,
        };
        Ok(tx.add_alert(&alert, &mark).await?.then_some(event))
    }

    /// Forgets counts that nothing is compared with any more.
    ///
    /// # Errors
    ///
    /// [`AlertError`] from the database.
    pub async fn forget_alert_days(&self) -> Result<(), AlertError> {
        let mut tx = self.store().begin().await?;
        let today = day_of(tx.now().await?);
        tx.forget_alert_days(today - DAYS_KEPT).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The alert of an entry of which every single one is told.
fn listed(facts: &EntryFacts) -> Due {
    Due {
        mark: format!("{}|{}", Kind::ListedEntry, facts.event),
        raised: Raised { kind: Kind::ListedEntry, figures: Vec::new() },
        agency: facts.agency.clone(),
        client: facts.client.clone(),
        day: day_of(facts.at),
        entry: Some(facts.event),
    }
}

fn read_day(text: &str) -> Result<Day, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt("the counts of a day"))
}
