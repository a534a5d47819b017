//! The data team gets a table of counts.
//!
//! In order: who may contribute is decided, from agreements alone; this month's release is taken from
//! the database, or made and stored if there is none yet; its entry is made durable in the same
//! transaction; it leaves. The same question in the same month gets the same figures. Exact tables
//! and rounded ones are both disclosures, and both are logged.

mod families;
mod log_entry;
mod numbered;
mod population;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use self::population::{Counting, Population};
use super::caller::AgencyCaller;
use super::enquire::{QuestionFault, supplier_feed};
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::Policies;
use crate::domain::agency::AgencyKind;
use crate::domain::ids::{AgreementRef, EventId, PurposeCode, RoleCode};
use crate::domain::statistics::cohort::Cohort;
use crate::domain::statistics::profile::{Profile, ProfileName};
use crate::domain::statistics::release::{Elsewhere, Past, Shown, Standing, release};
use crate::domain::statistics::table::{SourceFeed, Table, UnitCounted};
use crate::domain::time::{Month, Timestamp};
use crate::policy::decide::contributors_for_statistics;
use crate::policy::decision::{Permitted, SupplierFeed, Terms};
use crate::policy::rules::RuleHit;
use crate::store::{CeilingKey, FeedState, NewEvent, NewRelease, StoreError, StoredRelease, View};

/// How often a table is made anew because something changed meanwhile.
const MOST_TRIES: usize = 4;

/// Which table is asked for, and on what grounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableWanted {
    /// The table.
    pub table: String,
    /// In which profile.
    pub profile: ProfileName,
    /// The agreement whose receive clauses allow it.
    pub agreement: AgreementRef,
    /// What it is for: a purpose that yields statistics.
    pub purpose: PurposeCode,
    /// The role in which the asking person acts.
    pub role: RoleCode,
}

/// Why there is no table. None of it depends on a person.
#[derive(Debug, thiserror::Error)]
pub enum StatisticsError {
    /// The catalogue has no such table.
    #[error("there is no table of this name")]
    UnknownTable,
    /// The agreements do not allow it. The refusal is in the log.
    #[error("the agreements do not permit the table")]
    NotPermitted {
        /// Its log entry.
        disclosure: EventId,
        /// The rules in the way.
        hits: Vec<RuleHit>,
        /// Proof that it was logged.
        receipt: String,
    },
    /// The day's tables of the receive clause are used up. The refusal is in the log.
    #[error("today's enquiries under this clause are used up")]
    CeilingReached {
        /// Its log entry.
        disclosure: EventId,
        /// Proof that it was logged.
        receipt: String,
    },
    /// The programme declares no such purpose or role.
    #[error(transparent)]
    Question(#[from] QuestionFault),
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for StatisticsError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// A table with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptedTable {
    /// The log entry.
    pub disclosure: EventId,
    /// The number of the release.
    pub release: i64,
    /// The table.
    pub table: Table,
    /// What the asker may do with it.
    pub onward: String,
    /// The version of the criteria.
    pub criteria_version: String,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

/// A request for a table with everything that its entry needs.
struct Asked<'a> {
    caller: &'a AgencyCaller,
    wanted: &'a TableWanted,
    policies: &'a Arc<Policies>,
    feeds: &'a [FeedState],
    profile: Profile,
    view: View,
    population: Population,
}

impl Asked<'_> {
    /// Releases to one recipient under one agreement, in one profile, follow one another. Versions of
    /// the agreement continue what was released under those before.
    fn series(&self) -> String {
        format!(
            "{}{}/{}{}",
            self.all_series(),
            self.caller.agency,
            self.wanted.agreement.id,
            self.population.series_ending()
        )
    }

    /// How the names of all series of the profile begin, whoever reads them.
    fn all_series(&self) -> String {
        format!("{}/", self.profile.name().as_str())
    }
}

/// A release that there is, or that has to be stored with the entry.
struct Release {
    stored: StoredRelease,
    standing: Standing,
    /// Those counted, sealed, and the releases of which a figure still stands; `None` when it is
    /// stored already.
    fresh: Option<(Vec<u8>, Vec<i64>)>,
    /// The newest release of every series that it was held against.
    held_against: Vec<(String, i64)>,
}

impl Gateway {
    /// Gives a table of counts. What comes back is durable in the log before it leaves.
    ///
    /// # Errors
    ///
    /// [`StatisticsError`]; refusals by agreement are in the log too.
    pub async fn statistics(
        &self,
        caller: &AgencyCaller,
        wanted: &TableWanted,
    ) -> Result<ReceiptedTable, StatisticsError> {
        for _ in 0..MOST_TRIES {
            if let Some(table) = self.try_to_tabulate(caller, wanted).await? {
                return Ok(table);
            }
        }
        Err(AppError::Interrupted.into())
    }

    /// `None` when agreements, shields, records or the newest release changed meanwhile.
    async fn try_to_tabulate(
        &self,
        caller: &AgencyCaller,
        wanted: &TableWanted,
    ) -> Result<Option<ReceiptedTable>, StatisticsError> {
        let population = Population::of_table(&wanted.table).ok_or(StatisticsError::UnknownTable)?;
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        self.check_blinding(&policies)?;
        let programme = policies.programme();
        let purpose = programme.purpose(&wanted.purpose).ok_or(QuestionFault::Undeclared)?;
        let relationship = *purpose.relationships.first().ok_or(QuestionFault::Undeclared)?;
        programme.role(&wanted.role).ok_or(QuestionFault::Undeclared)?;

        // Decided before any record is read.
        let terms = Terms {
            recipient: caller.agency.clone(),
            agreement: wanted.agreement.clone(),
            purpose: wanted.purpose.clone(),
            mode: population.mode(),
            role: wanted.role.clone(),
            relationship,
        };
        let feeds = self.contributing_feeds(view.generation, &policies).await?;
        let supplier_feeds: Vec<SupplierFeed> = feeds.iter().map(supplier_feed).collect();
        let decision = contributors_for_statistics(policies.book(), &terms, &supplier_feeds, view.now);
        let profile = programme.statistics().profile(wanted.profile);
        let asked = Asked { caller, wanted, policies: &policies, feeds: &feeds, profile, view, population };
        let is_team = policies.agency(&caller.agency).is_some_and(|agency| agency.kind() == AgencyKind::Programme);
        let (hits, lines) = match decision {
            Ok(permitted) if is_team || population == Population::Households => {
                return self.tabulate(&asked, &permitted).await;
            }
            Ok(permitted) => (vec![RuleHit::fixed(NOT_THE_TEAM)], permitted.decisions),
            Err(refusal) => (refusal.hits, refusal.decisions),
        };
        let entry = self.refused_table_entry(&asked, &hits, &lines)?;
        let (disclosure, receipt) = (entry.id, self.receipt(entry.id, entry.leaf_hash, entry.at)?);
        if !self.commit_table(&asked, &entry).await? {
            return Ok(None);
        }
        Err(StatisticsError::NotPermitted { disclosure, hits, receipt })
    }

    async fn tabulate(
        &self,
        asked: &Asked<'_>,
        permitted: &Permitted,
    ) -> Result<Option<ReceiptedTable>, StatisticsError> {
        let catalogue = Arc::new(self.counting(asked, permitted).await?);
        let layout = catalogue.collection().table(&asked.wanted.table).ok_or(StatisticsError::UnknownTable)?.clone();
        let release = self.release_of_the_month(asked, permitted, &catalogue).await?;

        let as_at = release.stored.as_at.date();
        let mut table =
            Table::of(&layout, catalogue.collection(), &release.standing, &asked.profile, UnitCounted::Families, as_at);
        let sources = serde_json::from_str(&release.stored.sources);
        table.sources = sources.map_err(|_| StoreError::Corrupt("sources of a release"))?;
        if table.sources.iter().any(|source| source.is_late) {
            table.notes.push("A feed was late: what it would have said is missing from the counts.".to_owned());
        }

        let (entry, refused) = self.table_entries(asked, permitted, &release.stored, &table)?;
        let (id, at) = (entry.id, entry.at);
        let ceiling = CeilingKey {
            agreement: permitted.charge.clause.agreement.to_string(),
            clause: permitted.charge.clause.term.to_string(),
            recipient: asked.caller.agency.to_string(),
            day: asked.view.now.as_seconds().div_euclid(86_400),
        };
        let most = i64::from(permitted.charge.daily_ceiling);
        let (leaf, refused_leaf) = (entry.leaf_hash, refused.leaf_hash);
        let charge = Charge { key: ceiling, most, refused };
        match self.commit_release(asked, &entry, &release, charge).await? {
            Outcome::Changed => Ok(None),
            Outcome::OverCeiling => {
                Err(StatisticsError::CeilingReached { disclosure: id, receipt: self.receipt(id, refused_leaf, at)? })
            }
            Outcome::Written => Ok(Some(ReceiptedTable {
                disclosure: id,
                release: release.stored.number,
                table,
                onward: permitted.onward().as_str().to_owned(),
                criteria_version: permitted.criteria_version.clone(),
                receipt: self.receipt(id, leaf, at)?,
            })),
        }
    }

    /// This month's release, as stored, if it was decided on the same grounds; else a new one.
    async fn release_of_the_month(
        &self,
        asked: &Asked<'_>,
        permitted: &Permitted,
        catalogue: &Arc<Counting>,
    ) -> Result<Release, AppError> {
        let (series, view) = (asked.series(), asked.view);
        let basis = basis(asked, permitted);
        let held_against = self.store().newest_releases(self.programme()).await?;
        let latest = self.store().latest_release(self.programme(), &series).await?;
        let standing = self.standing_of(&series).await?;
        let is_current = |stored: &StoredRelease| {
            stored.basis == basis && Month::of(stored.as_at.date()) == Month::of(view.now.date())
        };
        if let Some(stored) = latest.clone().filter(is_current) {
            return Ok(Release { stored, standing, fresh: None, held_against });
        }

        let placed = self.placed_families(asked, permitted, catalogue).await?;
        let cohort = Cohort::new(catalogue.collection(), placed);
        let cohort = cohort.map_err(|_| AppError::Internal("a family fits no group of the tables"))?;
        let number = latest.map_or(1, |stored| stored.number + 1);
        let cohorts = self.earlier_cohorts(&series).await?;
        let mut past = Past { standing, cohorts, ..Past::default() };
        let others = held_against.iter().map(|(other, _)| other);
        for other in others.filter(|other| other.starts_with(&asked.all_series()) && **other != series) {
            if Population::of_series(other) != asked.population {
                past.beside.extend(self.figures_beside(other).await?);
                continue;
            }
            let decided = self.store().latest_release(self.programme(), other).await?;
            past.elsewhere.push(Elsewhere {
                standing: self.standing_of(other).await?,
                cohorts: self.earlier_cohorts(other).await?,
                counts_the_same: decided.is_some_and(|decided| decided.basis == basis),
            });
        }
        let members = serde_json::to_vec(&cohort).map_err(|_| AppError::Internal("a cohort cannot be written"))?;
        let place = member_place(&series, number);
        let sealed = self.keys().fields.seal(self.random(), "statistics_release", "members", &place, &members);
        let (work, profile, day) = (Arc::clone(catalogue), asked.profile, view.now.date());
        let made = tokio::task::spawn_blocking(move || {
            let mut standing = release(work.collection(), &cohort, &past, &profile, number, day);
            // Figures that today's catalogue does not have stand as they did.
            for (key, shown) in past.standing {
                standing.entry(key).or_insert(shown);
            }
            standing
        });
        let standing = made.await.map_err(|_| AppError::Interrupted)?;
        let still: BTreeSet<i64> = standing.values().map(|shown| shown.release).chain([number]).collect();
        let sources = serde_json::to_string(&sources(asked, permitted));
        let stored = StoredRelease {
            number,
            as_at: Timestamp::start_of(day),
            basis,
            sources: sources.map_err(|_| AppError::Internal("sources cannot be written"))?,
        };
        Ok(Release { stored, standing, fresh: Some((sealed, still.into_iter().collect())), held_against })
    }

    /// The figures of a series as they stand.
    async fn standing_of(&self, series: &str) -> Result<Standing, AppError> {
        let mut standing = Standing::new();
        for figure in self.store().standing_figures(self.programme(), series).await? {
            let count = figure.shown.map(u64::try_from).transpose();
            let count = count.map_err(|_| StoreError::Corrupt("a figure below zero"))?;
            standing.insert(figure.figure, Shown { release: figure.number, as_at: figure.as_at.date(), count });
        }
        Ok(standing)
    }

    async fn earlier_cohorts(&self, series: &str) -> Result<BTreeMap<i64, Cohort>, AppError> {
        let mut cohorts = BTreeMap::new();
        for (number, sealed) in self.store().release_members(self.programme(), series).await? {
            let place = member_place(series, number);
            let plain = self.keys().fields.open("statistics_release", "members", &place, &sealed);
            let plain = plain.map_err(|_| StoreError::Corrupt("sealed members do not open"))?;
            let cohort = serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt("members of a release"))?;
            cohorts.insert(number, cohort);
        }
        Ok(cohorts)
    }

    async fn commit_release(
        &self,
        asked: &Asked<'_>,
        entry: &NewEvent,
        release: &Release,
        charge: Charge,
    ) -> Result<Outcome, AppError> {
        let figures: Vec<(String, Option<i64>)> = release
            .standing
            .iter()
            .filter(|(_, shown)| shown.release == release.stored.number)
            .map(|(key, shown)| (key.clone(), shown.count.map(|count| count as i64)))
            .collect();
        let new = release.fresh.as_ref().map(|(members, standing)| NewRelease {
            release: release.stored.clone(),
            members: members.clone(),
            figures: &figures,
            standing,
        });
        let mut tx = self.store().begin().await?;
        if new.is_some() {
            // One release at a time: each is held against all others that stand.
            tx.lock_programme(self.programme()).await?;
            if tx.newest_releases(self.programme()).await? != release.held_against {
                return Ok(Outcome::Changed);
            }
        }
        if tx.decided_on(self.programme()).await? != Some((asked.view.policy_revision, asked.view.generation)) {
            return Ok(Outcome::Changed);
        }
        let is_over = tx.charge(&charge.key, 1).await? >= charge.most;
        if is_over {
            tx.refund(&charge.key, 1).await?;
            tx.add_events(&[&charge.refused]).await?;
        } else {
            if let Some(new) = &new {
                match tx.add_release(self.programme(), &asked.series(), new).await {
                    Err(StoreError::Conflict(_)) => return Ok(Outcome::Changed), // another replica was first
                    other => other?,
                }
            }
            tx.add_events(&[entry]).await?;
        }
        tx.commit().await?;
        self.wake_sequencer();
        let outcome = if is_over { "ceiling" } else { "answered" };
        metrics::counter!("porth_statistics", "outcome" => outcome).increment(1);
        Ok(if is_over { Outcome::OverCeiling } else { Outcome::Written })
    }

    /// Writes the entry of a refusal. False when it was decided on a state that has passed.
    async fn commit_table(&self, asked: &Asked<'_>, entry: &NewEvent) -> Result<bool, AppError> {
        let mut tx = self.store().begin().await?;
        if tx.decided_on(self.programme()).await? != Some((asked.view.policy_revision, asked.view.generation)) {
            return Ok(false);
        }
        tx.add_events(&[entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        metrics::counter!("porth_statistics", "outcome" => "refused").increment(1);
        Ok(true)
    }
}

/// The counter that a table is charged to, and the entry that is written when it is used up.
struct Charge {
    key: CeilingKey,
    most: i64,
    refused: NewEvent,
}

enum Outcome {
    Written,
    OverCeiling,
    Changed,
}

/// Why nobody but the programme team reads the tables of numbered families.
pub(super) const NOT_THE_TEAM: (&str, &str) =
    ("F01", "Tables of families with a number are for the programme team alone.");

/// The answer mode by which a table is decided.
pub(super) fn mode_of(table: &str) -> crate::domain::agreement::AnswerMode {
    Population::of_table(table).unwrap_or(Population::Households).mode()
}

/// Whether a table is for the programme team alone.
pub(super) fn is_for_the_team(table: &str) -> bool {
    Population::of_table(table) == Some(Population::Numbered)
}

/// Where the sealed members of a release are.
pub(in crate::app) fn member_place(series: &str, number: i64) -> Vec<u8> {
    format!("{series}/{number}").into_bytes()
}

/// What a release was decided on: when any of it changes, the next request makes another.
fn basis(asked: &Asked<'_>, permitted: &Permitted) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(&asked.profile.code());
    add(&permitted.criteria_version);
    add(&crate::app::policies::hex(asked.policies.programme_sha256()));
    for line in permitted.granted() {
        for part in [line.supplier.as_str(), line.feed.as_str(), &line.item.to_string()] {
            add(part);
        }
    }
    hash.finalize().into()
}

/// The feeds of the permitted set, and how fresh they are.
fn sources(asked: &Asked<'_>, permitted: &Permitted) -> Vec<SourceFeed> {
    let feeds = asked.feeds.iter().filter(|feed| permitted.includes(&supplier_feed(feed)));
    feeds
        .map(|feed| {
            let calendar = asked.policies.programme().feed(&feed.agency, &feed.feed);
            SourceFeed {
                agency: feed.agency.to_string(),
                feed: feed.feed.to_string(),
                as_at: feed.as_at.date(),
                is_late: calendar.is_none_or(|calendar| calendar.is_late(feed.as_at.date(), asked.view.now)),
            }
        })
        .collect()
}
