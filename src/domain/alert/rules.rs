//! What the figures of a day raise. Figures count questions, never people by name, and what was found
//! as the asker saw it: a person who is shielded counts as one whom nobody knows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Kind;
use super::hours::Hours;
use crate::domain::ids::AgencyCode;

/// Earlier days with questions that a spike is measured against, at the most.
pub const DAYS_COMPARED: usize = 28;
/// How many there have to be.
const DAYS_NEEDED: usize = 5;

/// When something is worth an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thresholds {
    /// A day is a spike at more than so many times the middle one of the earlier days.
    pub spike_times: u64,
    /// And at so many questions at least.
    pub spike_least: u64,
    /// The share of people known is looked at from so many answers a day on.
    pub match_rate_least: u64,
    /// Per cent of the people asked about who have to be known.
    pub match_rate_percent: u64,
    /// How often one person may be asked about by one agency in a day.
    pub repeats_a_day: u64,
    /// How many people an agency may ask about for the first time in a day.
    pub new_subjects_a_day: u64,
    /// The same, for agencies with another budget.
    pub new_subjects_of: BTreeMap<AgencyCode, u64>,
    /// The hours that agencies declared.
    pub hours: BTreeMap<AgencyCode, Hours>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            spike_times: 3,
            spike_least: 100,
            match_rate_least: 50,
            match_rate_percent: 20,
            repeats_a_day: 5,
            new_subjects_a_day: 200,
            new_subjects_of: BTreeMap::new(),
            hours: BTreeMap::new(),
        }
    }
}

/// What was asked in a day, by one client or by a whole agency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Day {
    /// Questions and looks at families.
    pub asked: u64,
    /// Questions about a person that were answered.
    pub answered: u64,
    /// Questions that were refused.
    pub refused: u64,
    /// Answers about somebody whom the asker could be told about.
    pub known: u64,
    /// People whom the agency had never asked about.
    pub new_subjects: u64,
    /// The most that one person was asked about.
    pub repeats: u64,
    /// Answers about a person after a refusal about the same one.
    pub refused_then_granted: u64,
    /// Questions outside the declared hours.
    pub odd_hours: u64,
    /// Questions about a decoy.
    pub decoys: u64,
}

impl Day {
    /// This day with more questions of it.
    #[must_use]
    pub fn with(self, more: &Self) -> Self {
        Self {
            asked: self.asked + more.asked,
            answered: self.answered + more.answered,
            refused: self.refused + more.refused,
            known: self.known + more.known,
            new_subjects: self.new_subjects + more.new_subjects,
            repeats: self.repeats.max(more.repeats),
            refused_then_granted: self.refused_then_granted + more.refused_then_granted,
            odd_hours: self.odd_hours + more.odd_hours,
            decoys: self.decoys + more.decoys,
        }
    }
}

/// An alert that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// About what.
    pub kind: Kind,
    /// What was seen, and against what.
    pub figures: Vec<(&'static str, u64)>,
}

/// Whose figures are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// One client of an agency.
    Client,
    /// An agency with all its clients.
    Agency,
}

/// What a day raises. `earlier` are the numbers asked on the earlier days that had any, in any order.
///
/// What comes of single questions is raised for the client, budgets for the agency, a spike for both.
pub fn raised(agency: &AgencyCode, of: Of, day: &Day, earlier: &[u64], rules: &Thresholds) -> Vec<Raised> {
    let mut raised = Vec::new();
    let mut raise = |kind, figures: &[(&'static str, u64)]| raised.push(Raised { kind, figures: figures.to_vec() });
    if let Some(usual) = middle(earlier)
        && day.asked >= rules.spike_least
        && day.asked > rules.spike_times.saturating_mul(usual)
    {
        raise(Kind::VolumeSpike, &[("asked", day.asked), ("usual", usual)]);
    }
    if of == Of::Agency {
        let budget = rules.new_subjects_of.get(agency).copied().unwrap_or(rules.new_subjects_a_day);
        if day.new_subjects > budget {
            raise(Kind::NewSubjects, &[("budget", budget), ("new_subjects", day.new_subjects)]);
        }
        if day.repeats > rules.repeats_a_day {
            raise(Kind::RepeatOnOnePerson, &[("allowed", rules.repeats_a_day), ("asked", day.repeats)]);
        }
        return raised;
    }
    if day.answered >= rules.match_rate_least.max(1) && day.known * 100 < rules.match_rate_percent * day.answered {
        raise(Kind::LowMatchRate, &[("answered", day.answered), ("known", day.known)]);
    }
    for (kind, count) in [
        (Kind::RefusedThenGranted, day.refused_then_granted),
        (Kind::OddHours, day.odd_hours),
        (Kind::DecoyTouched, day.decoys),
    ] {
        if count > 0 {
            raise(kind, &[("count", count)]);
        }
    }
    raised
}

/// The middle one of enough days: one bad day among them moves it little.
fn middle(earlier: &[u64]) -> Option<u64> {
    let mut days: Vec<u64> = earlier.iter().copied().take(DAYS_COMPARED).collect();
    days.sort_unstable();
    (days.len() >= DAYS_NEEDED).then(|| days[days.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(of: Of, day: Day, earlier: &[u64]) -> Vec<Kind> {
        let agency = AgencyCode::parse("housing").expect("a code");
        let rules = Thresholds::default();
        raised(&agency, of, &day, earlier, &rules).into_iter().map(|raised| raised.kind).collect()
    }

    #[test]
    fn a_spike_is_measured_against_the_agencys_own_days() {
        let usual = [40, 50, 45, 60, 900];
        let day = |asked| Day { asked, ..Day::default() };
        assert_eq!(kinds(Of::Client, day(150), &usual), [], "three times the middle day, not more");
        assert_eq!(kinds(Of::Client, day(151), &usual), [Kind::VolumeSpike]);
        assert_eq!(kinds(Of::Agency, day(151), &usual), [Kind::VolumeSpike]);
        assert_eq!(kinds(Of::Client, day(5_000), &usual[..4]), [], "four days are no history");
        assert_eq!(kinds(Of::Client, day(99), &[1, 1, 1, 1, 1]), [], "a small number is no spike");
    }

    #[test]
    fn who_guesses_is_told_by_how_few_are_known() {
        let day = |answered, known| Day { asked: answered, answered, known, ..Day::default() };
        assert_eq!(kinds(Of::Client, day(50, 9), &[]), [Kind::LowMatchRate]);
        assert_eq!(kinds(Of::Client, day(50, 10), &[]), []);
        assert_eq!(kinds(Of::Client, day(49, 0), &[]), [], "too few to tell");
        assert_eq!(kinds(Of::Agency, day(50, 0), &[]), []);
    }

    #[test]
    fn a_simulated_sweep_trips_within_one_per_cent_of_the_people() {
        // A sweep over 10,000 invented people, of whom two in a hundred are known.
        let tripped = (1..=10_000u64).find(|asked| {
            let day =
                Day { asked: *asked, answered: *asked, known: asked / 50, new_subjects: *asked, ..Day::default() };
            !kinds(Of::Client, day, &[]).is_empty()
        });
        assert!(tripped.is_some_and(|asked| asked <= 100), "{tripped:?}");
    }

    #[test]
    fn budgets_are_the_agencys_and_single_questions_the_clients() {
        let day =
            Day { new_subjects: 201, repeats: 6, refused_then_granted: 1, odd_hours: 2, decoys: 1, ..Day::default() };
        assert_eq!(kinds(Of::Agency, day, &[]), [Kind::NewSubjects, Kind::RepeatOnOnePerson]);
        assert_eq!(kinds(Of::Client, day, &[]), [Kind::RefusedThenGranted, Kind::OddHours, Kind::DecoyTouched]);
        let within = Day { new_subjects: 200, repeats: 5, ..Day::default() };
        assert_eq!(kinds(Of::Agency, within, &[]), []);
    }

    #[test]
    fn an_agency_may_have_a_budget_of_its_own() {
        let agency = AgencyCode::parse("early-help-hub").expect("a code");
        let mut rules = Thresholds::default();
        rules.new_subjects_of.insert(agency.clone(), 500);
        let day = Day { new_subjects: 500, ..Day::default() };
        assert_eq!(raised(&agency, Of::Agency, &day, &[], &rules), []);
        let day = Day { new_subjects: 501, ..Day::default() };
        assert_eq!(raised(&agency, Of::Agency, &day, &[], &rules)[0].figures, [("budget", 500), ("new_subjects", 501)]);
    }
}
