//! A sample is drawn from the log, and drawn again from the same log to show that it was.

use std::collections::{BTreeMap, BTreeSet};

use super::super::enrol::code;
use super::super::error::AppError;
use super::super::gateway::Gateway;
use super::super::log_index::{Powers, index_log, values_of};
use super::{ReviewError, day_of};
use crate::crypto::random::random_bytes;
use crate::domain::ids::{AgencyCode, EventId};
use crate::domain::item::Item;
use crate::domain::law::BENEFITS_POWER;
use crate::domain::programme::Relationship;
use crate::domain::review::kinds::{is_always_reviewed, is_disclosure};
use crate::domain::review::sample::{Candidate, Risks, Seed, Strategy, draw, population_digest, sample_digest, shares};
use crate::domain::time::Timestamp;
use crate::store::{FoundEntry, NewEvent, StoreError, StoredPlan, Tx};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Code, Entry, EntryFacts, Facet, Filter, ReviewPlan};

/// Entries that are read at a time.
const PAGE: i64 = 500;
/// The most of one sample.
pub const MOST: usize = 5_000;
/// The most entries that are named one by one.
pub const MOST_NAMED: usize = 500;
/// A filter of an entry that names an area as a risk, beside the facets.
const WEIGH_AREA: &str = "weigh-area";

/// What is to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// How.
    pub strategy: Strategy,
    /// Disclosures from this moment on.
    pub since: Timestamp,
    /// Disclosures before this moment.
    pub until: Timestamp,
    /// What the population is narrowed by; a disclosure has to have all of them.
    pub filters: Vec<(Facet, Code)>,
    /// Areas that count as a risk.
    pub weigh_areas: Vec<Code>,
    /// Entries named one by one, for a targeted sample; none for all that the filters leave.
    pub entries: Vec<EventId>,
    /// How many are wanted.
    pub size: usize,
    /// The least of each stratum.
    pub minimum: usize,
    /// The seed; without one the gateway makes it.
    pub seed: Option<[u8; 32]>,
}

/// What was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// The entry of the draw, by which the plan is named.
    pub plan: EventId,
    /// What the entry says.
    pub said: ReviewPlan,
    /// The drawn disclosures with their indexes, in the order of the log.
    pub sample: Vec<(u64, EventId)>,
}

/// A draw made once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    /// What the plan's entry says.
    pub said: ReviewPlan,
    /// Whether population and sample came out the same.
    pub is_same: bool,
    /// The population's digest now.
    pub population_sha256: Digest,
    /// The sample's digest now.
    pub sample_sha256: Digest,
}

/// A part of the log: entries from `first` up to and without `end`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) end: u64,
}

/// A disclosure that may be drawn, with the agency that it was made to.
#[derive(Debug, Clone)]
pub(super) struct Drawable {
    pub(super) candidate: Candidate,
    pub(super) agency: Option<AgencyCode>,
}

/// A disclosure of any time, with what its weight follows from.
struct Disclosure {
    index: u64,
    facts: EntryFacts,
    values: BTreeSet<(Facet, String)>,
}

impl Gateway {
    /// Draws a sample and puts it up for review, with the entry of the draw.
    ///
    /// # Errors
    ///
    /// [`ReviewError::NotOfficer`]; [`ReviewError::Size`] when there is nothing to draw from, or too much would be drawn;
    /// [`ReviewError::Unknown`] when an entry that is named is no disclosure of the period.
    pub async fn draw_review(&self, wanted: &Draw, by: &str, reason: &str) -> Result<Drawn, ReviewError> {
        self.officer(by).await?;
        let size = index_log(self.store()).await?;
        let part = Part { first: 0, end: size };
        let population = self.population(wanted, part).await?;
        let seed = wanted.seed.unwrap_or_else(|| random_bytes(self.random()));
        let named = wanted.entries.len();
        let found = population.len();
        if named > MOST_NAMED || (wanted.strategy == Strategy::Targeted && named > 0 && found != named) {
            return Err(if named > MOST_NAMED { ReviewError::Size { most: MOST_NAMED } } else { ReviewError::Unknown });
        }
        let plan = Plan { wanted, part, seed, population: &population, by, reason };
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let (entry, drawn) = self.add_plan(&mut tx, now, &plan).await?;
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(drawn)
    }

    /// Keeps a plan and its sample within a transaction; gives the entry that has to be added in it.
    pub(super) async fn add_plan(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        plan: &Plan<'_>,
    ) -> Result<(NewEvent, Drawn), ReviewError> {
        let Plan { wanted, part, seed, population, by, reason } = plan;
        let candidates: Vec<Candidate> = population.iter().map(|one| one.candidate.clone()).collect();
        let sample = draw(&candidates, wanted.strategy, Seed(*seed), wanted.size, wanted.minimum);
        if sample.is_empty() || sample.len() > MOST {
            return Err(ReviewError::Size { most: MOST });
        }
        let strata: Vec<(String, u64, u64)> = shares(&candidates, &sample)
            .into_iter()
            .map(|(stratum, share)| (stratum, share.population, share.sample))
            .collect();
        let mut filters: Vec<Filter> = wanted
            .filters
            .iter()
            .map(|(facet, value)| Ok(Filter { by: code(facet.as_str())?, value: value.clone() }))
            .collect::<Result<_, AppError>>()?;
        for area in &wanted.weigh_areas {
            filters.push(Filter { by: code(WEIGH_AREA)?, value: area.clone() });
        }
        let said = ReviewPlan {
            strategy: code(wanted.strategy.as_str())?,
            seed: Digest::new(*seed),
            seed_from: code(if wanted.seed.is_some() { "given" } else { "gateway" })?,
            since: wanted.since,
            until: wanted.until,
            first: part.first,
            log_size: part.end,
            filters,
            entries: wanted.entries.clone(),
            size: wanted.size as u64,
            minimum: wanted.minimum as u64,
            population: candidates.len() as u64,
            population_sha256: Digest::new(population_digest(&candidates)),
            strata: strata.len() as u64,
            sample: sample.len() as u64,
            sample_sha256: Digest::new(sample_digest(&candidates, &sample)),
            by: code(by)?,
            reason: code(reason)?,
        };
        let entry = self.event(now, Body::ReviewPlan(Box::new(said.clone())))?;
        let stored = StoredPlan {
            event: entry.id,
            strategy: wanted.strategy.as_str().to_owned(),
            strata: serde_json::to_string(&strata).map_err(|_| AppError::Internal("strata are plain data"))?,
            population: said.population,
            sample: said.sample,
            drawn_by: (*by).to_owned(),
            drawn_at: now,
        };
        let drawn: Vec<&Drawable> = population.iter().filter(|one| sample.contains(&one.candidate.index)).collect();
        let rows: Vec<(EventId, u64, Option<AgencyCode>, String)> = drawn
            .iter()
            .map(|Drawable { candidate, agency }| {
                (candidate.event, candidate.index, agency.clone(), candidate.stratum.clone())
            })
            .collect();
        tx.add_review_plan(&stored, &rows).await?;
        let sample = rows.into_iter().map(|(event, index, _, _)| (index, event)).collect();
        Ok((entry.clone(), Drawn { plan: entry.id, said, sample }))
    }

    /// Draws a plan once more, by what its entry says, from as much of the log as there was.
    ///
    /// # Errors
    ///
    /// [`ReviewError::Unknown`] when the entry is not that of a draw.
    pub async fn repeat_draw(&self, plan: EventId) -> Result<Repeated, ReviewError> {
        let body = self.store().event_body(plan).await?.ok_or(ReviewError::Unknown)?;
        let entry = Entry::parse(&body).map_err(|_| ReviewError::Unknown)?;
        let Body::ReviewPlan(said) = entry.into_body() else { return Err(ReviewError::Unknown) };
        let wanted = drawn_as(&said)?;
        index_log(self.store()).await?;
        let population = self.population(&wanted, Part { first: said.first, end: said.log_size }).await?;
        let candidates: Vec<Candidate> = population.into_iter().map(|one| one.candidate).collect();
        let sample = draw(&candidates, wanted.strategy, Seed(*said.seed.as_bytes()), wanted.size, wanted.minimum);
        let population_sha256 = Digest::new(population_digest(&candidates));
        let sample_sha256 = Digest::new(sample_digest(&candidates, &sample));
        let is_same = population_sha256 == said.population_sha256 && sample_sha256 == said.sample_sha256;
        Ok(Repeated { said: *said, is_same, population_sha256, sample_sha256 })
    }

    /// The disclosures that can be drawn from a part of the log, in its order.
    pub(super) async fn population(&self, wanted: &Draw, part: Part) -> Result<Vec<Drawable>, ReviewError> {
        let disclosures = self.disclosures(part).await?;
        let alerted = self.alerted_days(part.end).await?;
        let risks = risks(&disclosures, &alerted, &wanted.weigh_areas);
        let named: BTreeSet<EventId> = wanted.entries.iter().copied().collect();
        let is_wanted = |one: &Disclosure| {
            let facts = &one.facts;
            let has = |(facet, value): &(Facet, Code)| one.values.contains(&(*facet, value.as_str().to_owned()));
            facts.at >= wanted.since
                && facts.at < wanted.until
                && (named.is_empty() || named.contains(&facts.event))
                && wanted.filters.iter().all(has)
                && (wanted.strategy != Strategy::Always
                    || is_always_reviewed(&facts.kind, facts.action.as_deref(), facts.relationship.as_deref()))
        };
        let drawable = |(one, risks): (&Disclosure, &Risks)| Drawable {
            candidate: Candidate {
                index: one.index,
                event: one.facts.event,
                stratum: stratum(one),
                weight: risks.weight(),
            },
            agency: one.facts.agency.clone(),
        };
        Ok(disclosures.iter().zip(&risks).filter(|(one, _)| is_wanted(one)).map(drawable).collect())
    }

    async fn disclosures(&self, part: Part) -> Result<Vec<Disclosure>, ReviewError> {
        let mut powers = Powers::default();
        let mut found: BTreeMap<u64, Disclosure> = BTreeMap::new();
        for kind in Body::KINDS {
            for entry in self.entries_of(kind, part).await? {
                let facts = EntryFacts::of(&entry.body).map_err(|_| StoreError::Corrupt("a log entry"))?;
                if !is_disclosure(kind, facts.action.as_deref()) {
                    continue;
                }
                let values = values_of(self.store(), &mut powers, &entry.body).await?;
                found.insert(entry.index, Disclosure { index: entry.index, facts, values });
            }
        }
        Ok(found.into_values().collect())
    }

    /// The days of clients, or of whole agencies, about which an alert was opened.
    async fn alerted_days(&self, end: u64) -> Result<BTreeSet<(String, i64)>, ReviewError> {
        let mut days = BTreeSet::new();
        for entry in self.entries_of("alert.open", Part { first: 0, end }).await? {
            let Ok(parsed) = Entry::parse(&entry.body) else { continue };
            let at = day_of(parsed.at());
            let Body::AlertOpen(alert) = parsed.into_body() else { continue };
            let of = alert.client.map(String::from).or_else(|| alert.agency.map(|agency| format!("agency {agency}")));
            let day = alert.day.as_str().parse::<jiff::civil::Date>();
            let day = day.map_or(at, |day| day_of(Timestamp::start_of(day)));
            days.extend(of.map(|of| (of, day)));
        }
        Ok(days)
    }

    async fn entries_of(&self, kind: &str, part: Part) -> Result<Vec<FoundEntry>, ReviewError> {
        let (mut all, mut from) = (Vec::new(), part.first);
        loop {
            let page = self.store().entries_of_type(kind, from, part.end, PAGE).await?;
            let Some(last) = page.last() else { return Ok(all) };
            from = last.index + 1;
            all.extend(page);
        }
    }
}

/// A draw with what it is made from.
pub(super) struct Plan<'a> {
    pub(super) wanted: &'a Draw,
    pub(super) part: Part,
    pub(super) seed: [u8; 32],
    pub(super) population: &'a [Drawable],
    pub(super) by: &'a str,
    pub(super) reason: &'a str,
}

/// The draw that an entry records.
fn drawn_as(said: &ReviewPlan) -> Result<Draw, ReviewError> {
    let unreadable = || ReviewError::App(StoreError::Corrupt("a review plan").into());
    let (mut filters, mut weigh_areas) = (Vec::new(), Vec::new());
    for filter in &said.filters {
        if filter.by.as_str() == WEIGH_AREA {
            weigh_areas.push(filter.value.clone());
            continue;
        }
        let facet = Facet::ALL.iter().find(|facet| facet.as_str() == filter.by.as_str()).ok_or_else(unreadable)?;
        filters.push((*facet, filter.value.clone()));
    }
    Ok(Draw {
        strategy: said.strategy.as_str().parse().map_err(|_| unreadable())?,
        since: said.since,
        until: said.until,
        filters,
        weigh_areas,
        entries: said.entries.clone(),
        size: usize::try_from(said.size).map_err(|_| unreadable())?,
        minimum: usize::try_from(said.minimum).map_err(|_| unreadable())?,
        seed: Some(*said.seed.as_bytes()),
    })
}

/// Agency, areas that might contribute, powers; `-` where there is none.
fn stratum(one: &Disclosure) -> String {
    let joined = |words: Vec<&str>| if words.is_empty() { "-".to_owned() } else { words.join("+") };
    let is_area = |item: &&String| item.parse::<Item>().is_ok_and(|item| item.area().is_some());
    let areas = joined(one.facts.items.iter().filter(is_area).map(String::as_str).collect());
    let of_powers = one.values.iter().filter(|(facet, _)| *facet == Facet::Power);
    let powers = joined(of_powers.map(|(_, value)| value.as_str()).collect());
    let agency = one.facts.agency.as_ref().map_or("-", AgencyCode::as_str);
    format!("{agency} {areas} {powers}")
}

/// What each disclosure's weight follows from, in the order of the log.
fn risks(disclosures: &[Disclosure], alerted: &BTreeSet<(String, i64)>, weigh_areas: &[Code]) -> Vec<Risks> {
    let mut first_day: BTreeMap<&str, i64> = BTreeMap::new();
    let mut refused: BTreeSet<(&str, i64)> = BTreeSet::new();
    let mut all = Vec::with_capacity(disclosures.len());
    for one in disclosures {
        let facts = &one.facts;
        let (client, day) = (facts.client.as_deref().unwrap_or(""), day_of(facts.at));
        let is_alerted = |of: String| alerted.contains(&(of, day));
        let is_named = |area: &Code| one.facts.items.iter().any(|item| item == area.as_str());
        all.push(Risks {
            is_emergency: facts.relationship.as_deref() == Some(Relationship::Emergency.as_str()),
            has_benefits_data: one.values.contains(&(Facet::Power, BENEFITS_POWER.to_owned())),
            is_of_named_area: weigh_areas.iter().any(is_named),
            is_of_new_client: *first_day.entry(client).or_insert(day) == day,
            follows_refusal: facts.is_answered == Some(true) && refused.contains(&(client, day)),
            was_alerted: is_alerted(client.to_owned())
                || facts.agency.as_ref().is_some_and(|agency| is_alerted(format!("agency {agency}"))),
        });
        if facts.is_answered == Some(false) {
            refused.insert((client, day));
        }
    }
    all
}
