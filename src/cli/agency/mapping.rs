//! The mapping file: which column of an agency's spreadsheet is what.
//!
//! TOML, unknown keys refused; `docs/tokenise.md` describes it. A mapping holds no person's data:
//! headings, codes and the words that a column uses.

mod attendance;
mod bind;
mod cell;
mod dates;
mod file_form;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use crate::domain::ids::{AgencyCode, AgreementRef, CriterionCode, FeedCode, LocalityCode, ProgrammeCode, TeamRoute};
use crate::domain::policy_file::{self, Faults};
use crate::domain::programme::Programme;
use crate::domain::record::{Coverage, EvidenceGrade, FlagState, ParentalResponsibility, Role, ServiceStatus};
use crate::domain::submission::{RowsMode, SubmissionMode};

pub(super) use attendance::{ATTENDANCE_CODES, read_percent};
pub use attendance::{AttendanceForm, AttendanceMapping};
pub(super) use bind::{Choose, DateColumn, FlagColumns, Plan, ServiceColumns, is_same};
pub(super) use cell::{CELL_CODES, clean, spreadsheet_fault};
pub(super) use dates::{DATE_CODES, DateFault, date_serial};
pub use dates::{DateForm, DateForms};
pub use file_form::{Delimiter, Encoding, FileForm};
pub(super) use file_form::{ENCODING_CODES, IS_UTF8, NOT_UTF8};

/// A mapping file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The programme.
    pub programme: ProgrammeCode,
    /// Whose file it is.
    pub agency: AgencyCode,
    /// Which feed of the calendar.
    pub feed: FeedCode,
    /// The agreement whose supply term covers the feed.
    pub agreement: AgreementRef,
    /// The day that the file describes, unless the command line says it.
    #[serde(default, deserialize_with = "policy_file::optional_date")]
    pub as_at: Option<Date>,
    /// What the gateway does with the good rows when some are bad.
    #[serde(default)]
    pub rows: RowsMode,
    /// How the file is written.
    #[serde(default)]
    pub file: FileForm,
    /// How the batch stands to what the feed said before.
    #[serde(default)]
    pub batch: BatchForm,
    /// How a record is told from others.
    pub record: RecordKey,
    /// Columns that say who the person is, the current name or address before former ones.
    #[serde(rename = "field")]
    pub fields: Vec<FieldColumn>,
    /// What holds where no column says otherwise.
    #[serde(default)]
    pub defaults: Defaults,
    /// Who the person is in the household.
    pub role: Option<Choice<Role>>,
    /// Parental responsibility.
    pub parental_responsibility: Option<Choice<ParentalResponsibility>>,
    /// Whether the agency still sees the person.
    pub coverage: Option<Choice<Coverage>>,
    /// Whether the agency shields the person.
    pub restricted: Option<Choice<bool>>,
    /// Whether the person is 18 to 25 years old with special educational needs or a disability.
    pub send_18_25: Option<Choice<bool>>,
    /// Whether former names and addresses must not be used, as after an adoption.
    pub current_only: Option<Choice<bool>>,
    /// Part of the district.
    pub locality: Option<Choice<LocalityCode>>,
    /// The last month in which the person can be assessed.
    pub assessable_until: Option<MonthColumn>,
    /// Criteria.
    #[serde(default, rename = "criterion")]
    pub criteria: Vec<CriterionColumns>,
    /// The agency's work with the person.
    pub service: Option<ServiceMapping>,
    /// Which records of a delta are taken back; nothing else of their rows is read.
    pub retract: Option<Choice<bool>>,
    /// School attendance, a column a term.
    #[serde(default)]
    pub attendance: Vec<AttendanceMapping>,
}

/// How the batch stands to what the feed said before.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchForm {
    /// Snapshot or delta.
    #[serde(default)]
    pub mode: SubmissionMode,
}

/// The columns that together tell a record from all others of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordKey {
    /// One or more columns.
    pub key: Vec<String>,
}

/// A column that holds a field of the match keys.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldColumn {
    /// The heading.
    pub column: String,
    /// The field of the match-keys file.
    pub field: String,
    /// How the column writes dates, if not as the match-keys file says.
    pub date_format: Option<DateForms>,
}

/// What holds where no column says otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Who the person is in the household.
    #[serde(default)]
    pub role: Role,
    /// Parental responsibility.
    #[serde(default)]
    pub parental_responsibility: ParentalResponsibility,
    /// Whether the agency still sees the person.
    #[serde(default)]
    pub coverage: Coverage,
    /// Part of the district.
    pub locality: Option<LocalityCode>,
    /// The last month in which persons can be assessed.
    pub assessable_until: Option<crate::domain::time::Month>,
}

/// A column of words, each with what it means. Case and space around a word do not matter; an empty
/// cell means what the defaults say; a word that is not listed refuses the row.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice<T> {
    /// The heading.
    pub column: String,
    /// Word to meaning.
    pub values: BTreeMap<String, T>,
}

/// A column of months, or of dates of which the month is taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonthColumn {
    /// The heading.
    pub column: String,
    /// How it writes dates; `2026-09` is understood in every form.
    #[serde(default)]
    pub date_format: DateForms,
}

/// What a word in a criterion's column says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The criterion is met.
    Met,
    /// The agency looked and it is not met.
    NotMet,
    /// It is disputed.
    Contested,
    /// Nothing is said of it.
    Nothing,
}

impl Said {
    pub(super) fn state(self) -> Option<FlagState> {
        match self {
            Self::Met => Some(FlagState::Met),
            Self::NotMet => Some(FlagState::NotMet),
            Self::Contested => Some(FlagState::Contested),
            Self::Nothing => None,
        }
    }
}

/// How the file speaks of one criterion. The same criterion may be mapped several times, for files
/// that hold several events.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriterionColumns {
    /// Which criterion of the programme.
    pub code: CriterionCode,
    /// The column of the state and what its words mean.
    pub state: Option<Choice<Said>>,
    /// The state wherever `from` has a date, for files without a column of states.
    pub is: Option<Said>,
    /// The column of the first day.
    pub from: Option<String>,
    /// The first day where the column is empty or there is none.
    #[serde(default, deserialize_with = "policy_file::optional_date")]
    pub from_date: Option<Date>,
    /// The column of the last day.
    pub to: Option<String>,
    /// The last day where the column is empty or there is none.
    #[serde(default, deserialize_with = "policy_file::optional_date")]
    pub to_date: Option<Date>,
    /// How both columns write dates.
    #[serde(default)]
    pub date_format: DateForms,
    /// How firm the evidence is, where no column says.
    #[serde(default)]
    pub evidence: EvidenceGrade,
    /// The column that says how firm it is.
    pub evidence_column: Option<Choice<EvidenceGrade>>,
}

/// How the file speaks of the agency's work with a person. A row without a first day has none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceMapping {
    /// The column of the first day or month.
    pub since: String,
    /// The column of the last contact.
    pub last_contact: Option<String>,
    /// How both columns write dates.
    #[serde(default)]
    pub date_format: DateForms,
    /// Whether the agency leads.
    pub lead: Option<Choice<bool>>,
    /// The team, where no column says.
    pub team_route: Option<TeamRoute>,
    /// The column of the team.
    pub team: Option<Choice<TeamRoute>>,
    /// Whether the work goes on; `open` where no column says.
    pub status: Option<Choice<ServiceStatus>>,
}

/// What is wrong with a mapping, or does not fit the file or the programme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {sentence}")]
pub struct MappingFault {
    /// The stable code.
    pub code: &'static str,
    /// What is wrong; names headings and codes of the mapping, never a cell.
    pub sentence: String,
}

impl MappingFault {
    pub(super) fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    ///
    /// [`MappingFault`] `mapping.malformed` with the line, or what the mapping lacks.
    pub fn parse(bytes: &[u8]) -> Result<Self, MappingFault> {
        let malformed = |faults: Faults| MappingFault::new("mapping.malformed", faults.to_string());
        let mapping: Self = policy_file::read(bytes).map_err(malformed)?;
        mapping.check()?;
        Ok(mapping)
    }

    fn check(&self) -> Result<(), MappingFault> {
        let lacks = |sentence: String| Err(MappingFault::new("mapping.incomplete", sentence));
        if self.record.key.is_empty() {
            return lacks("`record.key` names no column; it names those that tell a record from all others".to_owned());
        }
        if self.fields.is_empty() {
            return lacks("there is no `[[field]]`: without one nothing can match".to_owned());
        }
        for criterion in &self.criteria {
            let code = &criterion.code;
            if criterion.state.is_some() == criterion.is.is_some() {
                return lacks(format!("criterion {code} needs either `state` (a column) or `is` (always the same)"));
            }
            if criterion.from.is_none() && (criterion.from_date.is_none() || criterion.is.is_some()) {
                return lacks(format!(
                    "criterion {code} needs `from`, or `state` and `from_date`: evidence has a date"
                ));
            }
        }
        if self.service.as_ref().is_some_and(|service| service.team_route.is_none() && service.team.is_none()) {
            return lacks("`service` needs `team_route` or `team`: a team, never a worker".to_owned());
        }
        if self.retract.is_some() && self.batch.mode != SubmissionMode::Delta {
            return Err(MappingFault::new(
                "mapping.retract",
                "`retract` needs `mode = \"delta\"` under [batch]: a snapshot takes back whatever it does not hold",
            ));
        }
        for (at, attendance) in self.attendance.iter().enumerate() {
            let term = &attendance.term;
            if self.attendance[..at].iter().any(|other| other.term == *term) {
                return lacks(format!("attendance of {} is mapped twice; a term has one column", term.as_str()));
            }
            if attendance.form == AttendanceForm::Percent && attendance.values.is_some() {
                return lacks(format!("attendance of {} is a percentage and takes no `values`", term.as_str()));
            }
        }
        Ok(())
    }

    /// Checks codes against the programme's own file, before anybody waits for the gateway to.
    ///
    /// # Errors
    ///
    /// [`MappingFault`] for a feed, criterion or locality that the programme does not have.
    pub fn check_programme(&self, programme: &Programme) -> Result<(), MappingFault> {
        let unknown = |sentence: String| Err(MappingFault::new("mapping.programme", sentence));
        if self.programme != *programme.code() {
            return unknown(format!(
                "the programme file is of {}, the mapping of {}",
                programme.code(),
                self.programme
            ));
        }
        let Some(feed) = programme.feed(&self.agency, &self.feed) else {
            return unknown(format!("the calendar has no feed {} of {}", self.feed, self.agency));
        };
        if let Some(other) = self.criteria.iter().find(|criterion| !feed.criteria.contains(&criterion.code)) {
            return unknown(format!("feed {} does not supply criterion {}", self.feed, other.code));
        }
        let named = self.locality.iter().flat_map(|choice| choice.values.values()).chain(&self.defaults.locality);
        if let Some(other) = named.into_iter().find(|code| programme.locality(code).is_none()) {
            return unknown(format!("the programme has no locality {other}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "programme = 'tff'\nagency = 'education'\nfeed = 'attendance'\nagreement = 'core/v1'\n\
        [record]\nkey = ['ID']\n[[field]]\ncolumn = 'NHS'\nfield = 'nhs'\n";

    fn refused(more: &str) -> MappingFault {
        Mapping::parse(format!("{SMALL}{more}").as_bytes()).expect_err("refused")
    }

    #[test]
    fn the_shipped_examples_are_read_and_fit_the_example_programme() {
        let programme = Programme::parse(include_bytes!("../../../policies/programme.toml")).expect("the example");
        for (name, text) in [
            ("attendance", include_str!("../../../docs/mappings/school-attendance.toml")),
            ("attendance", include_str!("../../../docs/mappings/attendance-delta.toml")),
            ("casework", include_str!("../../../docs/mappings/charity-casework.toml")),
            ("tenancies", include_str!("../../../docs/mappings/housing-tenancies.toml")),
        ] {
            let mapping = Mapping::parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            mapping.check_programme(&programme).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        }
    }

    #[test]
    fn unknown_keys_and_half_said_things_are_refused() {
        assert!(Mapping::parse(SMALL.as_bytes()).is_ok());
        for (more, code) in [
            ("colour = 'red'\n", "mapping.malformed"),
            ("[[criterion]]\ncode = 'E1'\nfrom = 'F'\n", "mapping.incomplete"),
            ("[[criterion]]\ncode = 'E1'\nis = 'met'\nfrom_date = 2026-01-01\n", "mapping.incomplete"),
            ("[[criterion]]\ncode = 'E1'\nstate = { column = 'S', values = { Y = 'met' } }\n", "mapping.incomplete"),
            ("[[criterion]]\ncode = 'E1'\nstate = { column = 'S', values = { Y = 'yes' } }\n", "mapping.malformed"),
            ("[service]\nsince = 'S'\n", "mapping.incomplete"),
            ("[defaults]\nrole = 'pupil'\n", "mapping.malformed"),
            ("[retract]\ncolumn = 'Gone'\nvalues = { Y = true }\n", "mapping.retract"),
            ("[batch]\nmode = 'partial'\n", "mapping.malformed"),
            ("[file]\nencoding = 'latin-9'\n", "mapping.malformed"),
            ("[[attendance]]\nterm = '2026-winter'\ncolumn = 'A'\nas = 'percent'\n", "mapping.malformed"),
            ("[[attendance]]\nterm = '2026-spring'\ncolumn = 'A'\nas = 'percent'\nvalues = {}\n", "mapping.incomplete"),
            (
                "[[attendance]]\nterm = '2026-spring'\ncolumn = 'A'\nas = 'band'\n\
                 [[attendance]]\nterm = '2026-spring'\ncolumn = 'B'\nas = 'band'\n",
                "mapping.incomplete",
            ),
            ("[assessable_until]\ncolumn = 'L'\ndate_format = []\n", "mapping.malformed"),
            ("[assessable_until]\ncolumn = 'L'\ndate_format = 'dd/mm/yy'\n", "mapping.malformed"),
        ] {
            assert_eq!(refused(more).code, code, "{more}");
        }
        let no_key = SMALL.replace("['ID']", "[]");
        assert_eq!(Mapping::parse(no_key.as_bytes()).expect_err("no key").code, "mapping.incomplete");
    }

    #[test]
    fn what_the_programme_does_not_have_is_named() {
        let programme = Programme::parse(include_bytes!("../../../policies/programme.toml")).expect("the example");
        for (text, named) in [
            (SMALL.replace("'attendance'", "'tenancies'"), "tenancies"),
            (format!("{SMALL}[[criterion]]\ncode = 'C3'\nis = 'met'\nfrom = 'F'\n"), "C3"),
            (format!("{SMALL}[defaults]\nlocality = 'atlantis'\n"), "atlantis"),
        ] {
            let mapping = Mapping::parse(text.as_bytes()).expect("well-formed");
            let fault = mapping.check_programme(&programme).expect_err("unknown");
            assert!(fault.code == "mapping.programme" && fault.sentence.contains(named), "{fault}");
        }
    }
}
