//! What may be released about a person or family, and in which form.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ids::{AreaCode, IdError};

/// One thing that a supplier may contribute to an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Item {
    /// Whether a criteria area is met.
    Area(AreaCode),
    /// That the supplier leads for the family, and through which team.
    Lead,
    /// That the supplier works with the person, since when and through which team.
    Service,
    /// Attendance bands by school term.
    Attendance,
    /// Household tokens and the number of school-age children.
    Household,
    /// The part of the district.
    Locality,
}

impl Item {
    /// The area, when the item is one.
    pub fn area(&self) -> Option<&AreaCode> {
        match self {
            Self::Area(area) => Some(area),
            _ => None,
        }
    }

    /// Whether naming the supplier is part of the item, so that the areas which the supplier's name
    /// alone reveals travel with it.
    pub fn names_supplier(&self) -> bool {
        matches!(self, Self::Lead | Self::Service)
    }
}

impl FromStr for Item {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Ok(match text {
            "lead" => Self::Lead,
            "service" => Self::Service,
            "attendance" => Self::Attendance,
            "household" => Self::Household,
            "locality" => Self::Locality,
            area => Self::Area(AreaCode::parse(area)?),
        })
    }
}
impl TryFrom<String> for Item {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}
impl From<Item> for String {
    fn from(item: Item) -> Self {
        item.to_string()
    }
}
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Area(area) => area.as_str(),
            Self::Lead => "lead",
            Self::Service => "service",
            Self::Attendance => "attendance",
            Self::Household => "household",
            Self::Locality => "locality",
        })
    }
}

/// The form of an answer, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerMode {
    /// Whether the family meets the programme's threshold.
    Eligible,
    /// How many areas are met.
    Count,
    /// Which areas are met.
    Areas,
    /// Which criteria are met.
    Criteria,
    /// Who leads for the family and which services work with it.
    Lead,
}

impl AnswerMode {
    /// All modes, in order.
    pub const ALL: [Self; 5] = [Self::Eligible, Self::Count, Self::Areas, Self::Criteria, Self::Lead];

    /// Whether an answer of this mode can use the item; what it cannot use is not in its set.
    pub fn draws_on(self, item: &Item) -> bool {
        match item {
            Item::Area(_) => self != Self::Lead,
            Item::Lead | Item::Service => self == Self::Lead,
            Item::Attendance => self == Self::Criteria,
            Item::Household | Item::Locality => true,
        }
    }

    /// The name in files, API and log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eligible => "eligible",
            Self::Count => "count",
            Self::Areas => "areas",
            Self::Criteria => "criteria",
            Self::Lead => "lead",
        }
    }
}

impl fmt::Display for AnswerMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_reads_back_as_written() {
        for text in ["A2", "lead", "service", "attendance", "household", "locality"] {
            assert_eq!(text.parse::<Item>().expect("well-formed").to_string(), text);
        }
        assert!("".parse::<Item>().is_err());
    }

    #[test]
    fn a_lead_answer_draws_on_no_area_and_an_area_answer_on_no_lead() {
        let area = Item::Area(AreaCode::parse("A2").expect("well-formed"));
        for mode in AnswerMode::ALL {
            assert_ne!(mode.draws_on(&area), mode.draws_on(&Item::Lead), "{mode}");
            assert_eq!(mode.draws_on(&Item::Attendance), mode == AnswerMode::Criteria, "{mode}");
        }
    }
}
