//! A criterion for as long as its wording holds, and the sets of criteria that hold together.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::ids::{AreaCode, CriterionCode};
use super::policy_file;
use super::record::{ParentalResponsibility, Role};

/// To whom a criterion applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppliesTo {
    /// Children; to 25 with special educational needs where the criterion says so.
    Child,
    /// Adults.
    Adult,
    /// Children and adults.
    Any,
    /// Adults who have parental responsibility.
    AdultWithParentalResponsibility,
}

/// How far back evidence counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// So many months up to the day of the question.
    Months(u8),
    /// So many school terms: those that have ended, and the one that is running.
    Terms(u8),
    /// The evidence must hold on the day itself.
    Current,
}

/// One criterion for as long as its wording holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Its code, such as `E1`.
    pub code: CriterionCode,
    /// The area it belongs to.
    pub area: AreaCode,
    /// What it says, in plain words.
    pub plain: String,
    /// To whom it applies.
    pub applies_to: AppliesTo,
    /// Applies to a child who is not yet born, too.
    #[serde(default)]
    pub includes_unborn: bool,
    /// Applies to somebody of 18 to 25 with special educational needs or a disability, as to a child.
    #[serde(default)]
    pub includes_send_18_25: bool,
    /// How far back evidence counts.
    pub window: Window,
    /// A professional's judgement of equal concern counts, marked as such.
    #[serde(default)]
    pub equivalence: bool,
    /// Where a record carries no flag of it, it is computed from the attendance bands of its terms.
    #[serde(default)]
    pub from_attendance: bool,
    /// First day on which it holds.
    #[serde(deserialize_with = "policy_file::date")]
    pub effective_from: Date,
    /// Last day on which it holds, absent while it does.
    #[serde(default, deserialize_with = "policy_file::optional_date")]
    pub effective_to: Option<Date>,
    /// Why the dates or the wording are as they are.
    #[serde(default)]
    pub note: Option<String>,
}

impl Criterion {
    /// Whether the criterion holds on a day.
    pub fn is_effective(&self, day: Date) -> bool {
        self.effective_from <= day && self.effective_to.is_none_or(|last| day <= last)
    }

    /// Whether another wording of it asks for the same: area, words, people, window and what counts as
    /// evidence. Dates and notes do not matter.
    pub fn is_defined_as(&self, other: &Self) -> bool {
        let dates_aside = Self {
            effective_from: self.effective_from,
            effective_to: self.effective_to,
            note: self.note.clone(),
            ..other.clone()
        };
        *self == dates_aside
    }

    /// Whether it may apply to somebody of 18 to 25 with special educational needs: an adult, and a
    /// child where the criterion says so. Whatever role a record gives, such a person is no younger.
    pub fn may_apply_to_send_18_25(&self, parental_responsibility: ParentalResponsibility) -> bool {
        let may = |role| self.applies(role, parental_responsibility) != Some(false);
        may(Role::Adult) || self.includes_send_18_25 && may(Role::Child)
    }

    /// Whether it applies to a person; `None` when the record does not say enough.
    pub fn applies(&self, role: Role, parental_responsibility: ParentalResponsibility) -> Option<bool> {
        match (self.applies_to, role) {
            (AppliesTo::Any, Role::Child | Role::Adult)
            | (AppliesTo::Child, Role::Child)
            | (AppliesTo::Adult, Role::Adult) => Some(true),
            (AppliesTo::Any | AppliesTo::Child, Role::Unborn) => Some(self.includes_unborn),
            (AppliesTo::AdultWithParentalResponsibility, Role::Adult) => match parental_responsibility {
                ParentalResponsibility::Yes => Some(true),
                ParentalResponsibility::No => Some(false),
                ParentalResponsibility::Unknown => None,
            },
            (AppliesTo::AdultWithParentalResponsibility, Role::Unknown)
                if parental_responsibility == ParentalResponsibility::No =>
            {
                Some(false)
            }
            (AppliesTo::Any, Role::Unknown) if self.includes_unborn => Some(true),
            (_, Role::Unknown) => None,
            _ => Some(false),
        }
    }
}

/// A school term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchoolTerm {
    /// Its code, such as `2026-autumn`.
    pub code: String,
    /// First day.
    #[serde(deserialize_with = "policy_file::date")]
    pub starts: Date,
    /// Last day.
    #[serde(deserialize_with = "policy_file::date")]
    pub ends: Date,
}

/// The criteria that hold together for a span of days; named by its first day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CriteriaVersion<'p> {
    /// The day from which this set holds.
    pub from: Date,
    /// The first day on which another set holds.
    pub until: Option<Date>,
    /// The criteria, in the file's order.
    pub criteria: Vec<&'p Criterion>,
}

impl CriteriaVersion<'_> {
    /// The criterion of this code.
    pub fn criterion(&self, code: &CriterionCode) -> Option<&Criterion> {
        self.criteria.iter().find(|criterion| criterion.code == *code).copied()
    }

    /// The areas that have a criterion, sorted.
    pub fn areas(&self) -> BTreeSet<AreaCode> {
        self.criteria.iter().map(|criterion| criterion.area.clone()).collect()
    }

    /// The criteria of an area, in the file's order.
    pub fn of_area(&self, area: &AreaCode) -> impl Iterator<Item = &Criterion> {
        self.criteria.iter().copied().filter(move |criterion| criterion.area == *area)
    }

    /// The version's name, such as `2026-04-01`, as answers, claims and log entries carry it.
    pub fn name(&self) -> String {
        self.from.to_string()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::programme::Programme;

    #[rstest]
    #[case("W1", Role::Adult, ParentalResponsibility::Yes, Some(true))]
    #[case("W1", Role::Adult, ParentalResponsibility::No, Some(false))]
    #[case("W1", Role::Adult, ParentalResponsibility::Unknown, None)]
    #[case("W1", Role::Unknown, ParentalResponsibility::No, Some(false))]
    #[case("W1", Role::Child, ParentalResponsibility::Unknown, Some(false))]
    #[case("E1", Role::Child, ParentalResponsibility::Unknown, Some(true))]
    #[case("E1", Role::Unborn, ParentalResponsibility::Unknown, Some(false))]
    #[case("H3", Role::Unborn, ParentalResponsibility::Unknown, Some(true))]
    #[case("E1", Role::Unknown, ParentalResponsibility::Unknown, None)]
    #[case("C3", Role::Unknown, ParentalResponsibility::Unknown, None)]
    #[case("C3", Role::Adult, ParentalResponsibility::Unknown, Some(true))]
    fn a_criterion_knows_to_whom_it_applies(
        #[case] criterion: &str,
        #[case] role: Role,
        #[case] responsibility: ParentalResponsibility,
        #[case] applies: Option<bool>,
    ) {
        let programme = include_bytes!("../../policies/programme.toml");
        let programme = Programme::parse(programme).expect("well-formed");
        let version = programme.criteria_at(Date::constant(2026, 11, 21));
        let code = CriterionCode::parse(criterion).expect("well-formed");
        let criterion = version.criterion(&code).expect("in force");
        assert_eq!(criterion.applies(role, responsibility), applies);
    }

    #[test]
    fn a_young_adult_with_send_counts_as_a_child_only_where_the_criterion_says_so() {
        let programme = include_bytes!("../../policies/programme.toml");
        let programme = Programme::parse(programme).expect("well-formed");
        let may = |code: &str| {
            let criterion = programme.criteria().iter().find(|criterion| criterion.code.as_str() == code);
            criterion.expect("listed").may_apply_to_send_18_25(ParentalResponsibility::No)
        };
        for (code, expected) in [("H1", true), ("N1", true), ("C1", false), ("E1", false), ("C2", true), ("W1", false)]
        {
            assert_eq!(may(code), expected, "{code}");
        }
    }
}
