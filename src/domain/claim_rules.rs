//! What the programme file says of claims for results: for which purpose they are checked, how many
//! terms of attendance they need, which steps count as progress, and what proves a return to work.

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::ids::{AreaCode, CriterionCode, PurposeCode};
use super::policy_file::{Fault, says_something};
use super::programme::Programme;

/// The programme's rules for claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRules {
    /// What a result is, in plain words.
    pub plain: String,
    /// The one purpose for which engagement is recorded and claims are checked.
    pub purpose: PurposeCode,
    /// For how many consecutive school terms every school-age child must have attended well enough.
    pub attendance_terms: u8,
    /// The route by which an adult's return to work stands for a result.
    #[serde(default)]
    pub employment: Option<EmploymentRule>,
    /// Where a step down counts as progress.
    #[serde(default)]
    pub ladder: Vec<Ladder>,
}

/// What proves that an adult moved from benefits into continuous work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmploymentRule {
    /// The rule in plain words.
    pub plain: String,
    /// The criterion that the adult met at engagement and must no longer meet.
    pub criterion: CriterionCode,
    /// The code under which a feed confirms work. It is no criterion and belongs to no area's count.
    pub confirmation: CriterionCode,
    /// How many weeks the work must have lasted.
    pub weeks: u16,
}

impl EmploymentRule {
    /// The last day on which the work may have begun, as at a day.
    pub fn begun_by(&self, day: Date) -> Date {
        day.checked_sub(i64::from(self.weeks).weeks()).unwrap_or(Date::MIN)
    }
}

/// Criteria of one area from the gravest to the least: a move to a later one counts as progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ladder {
    /// The rule in plain words.
    pub plain: String,
    /// The area.
    pub area: AreaCode,
    /// The criteria, gravest first.
    pub steps: Vec<CriterionCode>,
}

impl Ladder {
    /// The place of a criterion, 0 for the gravest.
    pub fn step(&self, criterion: &CriterionCode) -> Option<usize> {
        self.steps.iter().position(|step| step == criterion)
    }
}

impl ClaimRules {
    /// The ladder of an area.
    pub fn ladder(&self, area: &AreaCode) -> Option<&Ladder> {
        self.ladder.iter().find(|ladder| ladder.area == *area)
    }

    /// What does not fit the rest of the file.
    pub(super) fn faults(&self, programme: &Programme, faults: &mut Vec<Fault>) {
        let mut fault =
            |key: &str, code, sentence: &str| faults.push(Fault::at(format!("claim.{key}"), code, sentence));
        let employment = self.employment.as_ref().map(|rule| rule.plain.as_str());
        let sentences = [self.plain.as_str()].into_iter().chain(employment);
        if !sentences.chain(self.ladder.iter().map(|ladder| ladder.plain.as_str())).all(says_something) {
            fault("plain", "empty", "say it in one plain sentence");
        }
        if programme.purpose(&self.purpose).is_none_or(|purpose| purpose.statistical) {
            fault("purpose", "unknown-purpose", "the programme lists no such purpose, or it is one of statistics");
        }
        if self.attendance_terms == 0 || programme.terms().len() < usize::from(self.attendance_terms) {
            fault("attendance_terms", "missing-terms", "at least one term, and no more than the file lists");
        }
        if let Some(rule) = &self.employment {
            if !programme.knows_criterion(&rule.criterion) {
                fault("employment.criterion", "unknown-criterion", "the programme lists no such criterion");
            }
            if programme.knows_criterion(&rule.confirmation) {
                fault("employment.confirmation", "duplicate", "a confirmation is no criterion: give it its own code");
            }
            if !programme.feeds().iter().any(|feed| feed.criteria.contains(&rule.confirmation)) {
                fault("employment.confirmation", "no-feed", "no feed supplies the confirmation");
            }
            if rule.weeks == 0 {
                fault("employment.weeks", "empty", "continuous work lasts at least a week");
            }
        }
        for ladder in &self.ladder {
            let is_of_area = |code: &CriterionCode| {
                programme.criteria().iter().any(|known| known.code == *code && known.area == ladder.area)
            };
            let has_twice = (1..ladder.steps.len()).any(|n| ladder.steps[..n].contains(&ladder.steps[n]));
            if ladder.steps.len() < 2 || has_twice || !ladder.steps.iter().all(is_of_area) {
                fault("ladder", "steps", "a ladder has two steps or more, each once, all criteria of its area");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SHIPPED: &str = include_str!("../../policies/programme.toml");

    #[test]
    fn the_shipped_programme_says_what_a_claim_needs() {
        let programme = Programme::parse(SHIPPED.as_bytes()).expect("well-formed");
        let rules = programme.claim().expect("it has claims");
        assert_eq!((rules.purpose.as_str(), rules.attendance_terms), ("claim-validation", 3));
        let employment = rules.employment.as_ref().expect("it has the employment route");
        assert_eq!(programme.area_of_confirmation(&employment.confirmation).map(AreaCode::as_str), Some("A4"));
        assert_eq!(programme.area_of_confirmation(&employment.criterion), None);
        assert_eq!(employment.begun_by(Date::constant(2026, 9, 20)), Date::constant(2026, 3, 22));
    }

    #[rstest]
    #[case::purpose("purpose = \"claim-validation\"", "purpose = \"statistics\"", "claim.purpose")]
    #[case::terms("attendance_terms = 3", "attendance_terms = 0", "claim.attendance_terms")]
    #[case::criterion("criterion = \"W1\"", "criterion = \"W9\"", "claim.employment.criterion")]
    #[case::confirmation("confirmation = \"K1\"", "confirmation = \"W1\"", "claim.employment.confirmation")]
    #[case::feed("\"W1\", \"K1\"]", "\"W1\"]", "claim.employment.confirmation")]
    #[case::ladder("steps = [\"H3\", \"H2\", \"H1\"]", "steps = [\"H3\", \"E1\"]", "claim.ladder")]
    #[case::twice("steps = [\"H3\", \"H2\", \"H1\"]", "steps = [\"H3\", \"H3\"]", "claim.ladder")]
    fn rules_that_do_not_fit_the_programme_are_refused(#[case] from: &str, #[case] to: &str, #[case] key: &str) {
        let faulty = SHIPPED.replacen(from, to, 1);
        assert_ne!(faulty, SHIPPED, "the replacement must find its text");
        let faults = Programme::parse(faulty.as_bytes()).expect_err("faulty");
        assert!(faults.0.iter().any(|fault| fault.key == key), "{faults}");
    }
}
