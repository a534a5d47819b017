//! What an agency says about one of its people: the parts of a record that are evidence.
//!
//! Tokens travel beside these (see [`crate::domain::token`]); nothing here names anybody.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::ids::{CriterionCode, LocalityCode, TeamRoute};
use super::time::Month;

/// Who the person is in the household, as the agency knows it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Under 18; a record of a young adult with special educational needs says so beside its role.
    Child,
    /// 18 or over.
    Adult,
    /// Expected, not yet born.
    Unborn,
    /// The agency does not know.
    #[default]
    Unknown,
}

/// Whether an adult has parental responsibility for a child of the household.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParentalResponsibility {
    /// The agency knows that the person has it.
    Yes,
    /// The agency knows that the person does not have it.
    No,
    /// The agency does not know.
    #[default]
    Unknown,
}

/// Whether the agency still sees the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// In the area and in contact with the agency's systems.
    #[default]
    Current,
    /// Moved out of the area: later silence is missing data, not progress.
    Moved,
    /// The agency closed its record.
    Closed,
    /// Died.
    Deceased,
}

/// What an agency says of a criterion for a person. The other answer states are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagState {
    /// The criterion is met.
    Met,
    /// The agency looked and the criterion is not met.
    NotMet,
    /// The person or another agency disputes it.
    Contested,
}

/// How firm a flag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceGrade {
    /// From the agency's own records.
    #[default]
    Hard,
    /// A professional's judgement of equal concern.
    Professional,
}

/// A criterion's evidence about one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// Which criterion of the programme.
    #[schema(value_type = String, example = "E1")]
    pub criterion: CriterionCode,
    /// What the agency says.
    pub state: FlagState,
    /// First day of the event or period that the flag speaks of.
    #[schema(value_type = String, format = Date)]
    pub from: Date,
    /// Last day of it, absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub to: Option<Date>,
    /// How firm it is.
    #[serde(default)]
    pub evidence: EvidenceGrade,
}

/// A school term as records name it: `2026-autumn`, `2026-spring` or `2026-summer`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TermName(String);

impl TermName {
    /// Reads a year of four digits and a season.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, season) = text.split_once('-')?;
        let is_year = year.len() == 4 && year.starts_with("20") && year.bytes().all(|byte| byte.is_ascii_digit());
        (is_year && matches!(season, "autumn" | "spring" | "summer")).then(|| Self(text.to_owned()))
    }

    /// The name, as in the programme's list of terms.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TermName {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a term such as 2026-autumn")
    }
}
impl From<TermName> for String {
    fn from(term: TermName) -> Self {
        term.0
    }
}

/// How much of a term's possible sessions a child attended. Exact figures stay with the agency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub enum AttendanceBand {
    /// Less than 90 per cent, whatever the reason for absence.
    #[serde(rename = "below_90")]
    Below90,
    /// 90 per cent or more.
    #[serde(rename = "90_and_over")]
    AtLeast90,
}

/// A child's attendance in one school term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attendance {
    /// Which term.
    #[schema(value_type = String, example = "2026-autumn")]
    pub term: TermName,
    /// How much of it.
    pub band: AttendanceBand,
}

/// Whether a service is still working with the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceStatus {
    /// Working with the person now.
    Open,
    /// Ended.
    Closed,
}

/// That the agency works with the person, and through which team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Month in which the work began.
    #[schema(value_type = String, example = "2026-03")]
    pub since: Month,
    /// Month of the last contact, absent when there was none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "2026-09")]
    pub last_contact_month: Option<Month>,
    /// Whether this agency leads for the family.
    #[serde(default)]
    pub lead: bool,
    /// Which team, as the agency's file lists it; never a worker's name.
    #[schema(value_type = String, example = "early-help-west")]
    pub team_route: TeamRoute,
    /// Whether the work goes on.
    pub status: ServiceStatus,
}

/// The part of a record that is evidence: sealed per row in the database, read only under a decision.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Who the person is in the household.
    #[serde(default)]
    pub role: Role,
    /// Parental responsibility.
    #[serde(default)]
    pub parental_responsibility: ParentalResponsibility,
    /// Aged 18 to 25 with special educational needs or a disability: a young person to the programme,
    /// and to the criteria that say so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub send_18_25: bool,
    /// What the agency says, criterion by criterion.
    #[serde(default)]
    pub flags: Vec<Flag>,
    /// Criteria that are computed from what the record says, and that its person disputes. No delivery says
    /// this: it is put there when a record is read. A flag that is disputed says so itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contested: Vec<CriterionCode>,
    /// Last month in which the person can still be assessed (school leaving, 18th birthday).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assessable_until: Option<Month>,
    /// Whether the agency still sees the person.
    #[serde(default)]
    pub coverage: Coverage,
    /// Part of the district.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locality: Option<LocalityCode>,
    /// The agency's work with the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// A child's attendance, term by term.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attendance: Vec<Attendance>,
    /// How many children of school age live in the person's household, as the agency knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub school_age_children: Option<u8>,
}
