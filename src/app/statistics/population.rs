//! Which families a table is about: households of the day, or those that have a number.

use std::collections::BTreeSet;

use super::numbered::{Register, rounds};
use super::{AppError, Asked, Gateway};
use crate::domain::agreement::AnswerMode;
use crate::domain::item::Item;
use crate::domain::statistics::catalogue::{Catalogue, TABLES};
use crate::domain::statistics::cohort::RecordTag;
use crate::domain::statistics::collection::Collection;
use crate::domain::statistics::numbered::{NUMBERED_TABLES, NumberedCatalogue, counts};
use crate::domain::statistics::release::Beside;
use crate::domain::time::Timestamp;
use crate::policy::decision::Permitted;

/// What ends the name of a series over numbered families.
const NUMBERED: &str = "/numbered";
/// The figure of everybody, in the tables of households.
const ALL_HOUSEHOLDS: &str = "all";

/// The families that a table counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Population {
    /// Families by the household rule that meet enough areas today.
    Households,
    /// Families of the programme, by their numbers.
    Numbered,
}

/// The tables of a population, with what places its families in them.
pub(super) enum Counting {
    Households(Catalogue),
    Numbered { catalogue: NumberedCatalogue, closed: Vec<(i64, Timestamp)> },
}

impl Population {
    /// The population of a table; `None` when there is no such table.
    pub(super) fn of_table(table: &str) -> Option<Self> {
        if TABLES.contains(&table) {
            Some(Self::Households)
        } else {
            NUMBERED_TABLES.contains(&table).then_some(Self::Numbered)
        }
    }

    /// The population of a series of releases, by its name.
    pub(super) fn of_series(series: &str) -> Self {
        if series.ends_with(NUMBERED) { Self::Numbered } else { Self::Households }
    }

    /// How the names of its series end. No code has a stroke in it.
    pub(super) fn series_ending(self) -> &'static str {
        match self {
            Self::Households => "",
            Self::Numbered => NUMBERED,
        }
    }

    /// The answer mode by which it is decided: what is met, or who works with them.
    pub(super) fn mode(self) -> AnswerMode {
        match self {
            Self::Households => AnswerMode::Areas,
            Self::Numbered => AnswerMode::Lead,
        }
    }
}

impl Counting {
    pub(super) fn collection(&self) -> &Collection {
        match self {
            Self::Households(catalogue) => catalogue.collection(),
            Self::Numbered { catalogue, .. } => catalogue.collection(),
        }
    }
}

impl Gateway {
    /// The tables as they are today, from what may be counted.
    pub(super) async fn counting(&self, asked: &Asked<'_>, permitted: &Permitted) -> Result<Counting, AppError> {
        match asked.population {
            Population::Households => {
                let has_localities = permitted.granted().any(|line| line.item == Item::Locality);
                let programme = asked.policies.programme();
                Ok(Counting::Households(Catalogue::new(programme, &permitted.covered, has_localities)))
            }
            Population::Numbered => {
                let closed = self.store().closed_rounds(self.programme(), &asked.caller.agency).await?;
                let may_lead = permitted.granted().filter(|line| line.item == Item::Lead);
                let leading: BTreeSet<_> = may_lead.map(|line| line.supplier.clone()).collect();
                let catalogue = NumberedCatalogue::new(&rounds(&closed), &leading);
                Ok(Counting::Numbered { catalogue, closed })
            }
        }
    }

    /// Reads every family of the population, and places it in the tables.
    pub(super) async fn placed_families(
        &self,
        asked: &Asked<'_>,
        permitted: &Permitted,
        counting: &Counting,
    ) -> Result<Vec<(Vec<RecordTag>, Vec<String>)>, AppError> {
        let (view, policies, feeds) = (asked.view, asked.policies, asked.feeds);
        match counting {
            Counting::Households(catalogue) => {
                let families = self.counted_families(view, policies, permitted, feeds).await?;
                Ok(families.iter().filter_map(|family| catalogue.place(family)).collect())
            }
            Counting::Numbered { catalogue, closed } => {
                let register = Register::read(self.store(), self.programme(), closed.clone()).await?;
                let families = self.numbered_families(view, policies, permitted, feeds, register).await?;
                Ok(families.iter().map(|family| catalogue.place(family)).collect())
            }
        }
    }

    /// What a series of the other population shows, with those in it: of households everybody, of numbered
    /// families every figure.
    pub(super) async fn figures_beside(&self, series: &str) -> Result<Vec<Beside>, AppError> {
        let population = Population::of_series(series);
        let cohorts = self.earlier_cohorts(series).await?;
        let mut beside = Vec::new();
        for (key, shown) in self.standing_of(series).await? {
            let (Some(count), Some(cohort)) = (shown.count, cohorts.get(&shown.release)) else { continue };
            match population {
                Population::Households if key == ALL_HOUSEHOLDS => {
                    beside.push(Beside { count, members: cohort.clone(), everybody_only: false });
                }
                Population::Households => {}
                Population::Numbered => {
                    let members = cohort.narrowed(|atom| counts(&key, atom));
                    beside.push(Beside { count, members, everybody_only: true });
                }
            }
        }
        Ok(beside)
    }
}
