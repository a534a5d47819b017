//! A mapping bound to a file: headings become places, words become meanings.

use jiff::civil::Date;

use super::{
    AttendanceForm, AttendanceMapping, Choice, CriterionColumns, DateForms, Mapping, MappingFault, Said, ServiceMapping,
};
use crate::domain::ids::{CriterionCode, LocalityCode, TeamRoute};
use crate::domain::match_keys::{DateFormat, MatchKeys, Normaliser, Tier};
use crate::domain::record::{
    AttendanceBand, Coverage, EvidenceGrade, ParentalResponsibility, Role, ServiceStatus, TermName,
};

/// What to take from each row.
pub(in crate::cli::agency) struct Plan {
    pub(in crate::cli::agency) width: usize,
    pub(in crate::cli::agency) record_key: Vec<usize>,
    /// In the order of the mapping: of one field, the current column comes first.
    pub(in crate::cli::agency) fields: Vec<BoundField>,
    pub(in crate::cli::agency) role: Option<Choose<Role>>,
    pub(in crate::cli::agency) parental_responsibility: Option<Choose<ParentalResponsibility>>,
    pub(in crate::cli::agency) coverage: Option<Choose<Coverage>>,
    pub(in crate::cli::agency) restricted: Option<Choose<bool>>,
    pub(in crate::cli::agency) send_18_25: Option<Choose<bool>>,
    pub(in crate::cli::agency) current_only: Option<Choose<bool>>,
    pub(in crate::cli::agency) locality: Option<Choose<LocalityCode>>,
    pub(in crate::cli::agency) assessable_until: Option<DateColumn>,
    pub(in crate::cli::agency) criteria: Vec<FlagColumns>,
    pub(in crate::cli::agency) service: Option<ServiceColumns>,
    pub(in crate::cli::agency) retract: Option<Choose<bool>>,
    pub(in crate::cli::agency) attendance: Vec<AttendanceColumn>,
    /// Headings that the mapping does not name, in the file's order.
    pub(in crate::cli::agency) unread: Vec<String>,
}

/// A column that holds a field of the match keys.
pub(in crate::cli::agency) struct BoundField {
    pub(in crate::cli::agency) column: usize,
    /// The index in [`MatchKeys::fields`].
    pub(in crate::cli::agency) field: usize,
    /// Whether it is the field's first column.
    pub(in crate::cli::agency) is_current: bool,
    /// From the column's forms of dates to the field's, where the mapping declares some.
    pub(in crate::cli::agency) convert: Option<(DateForms, DateFormat)>,
    /// Whether the field is a date.
    pub(in crate::cli::agency) is_date: bool,
    /// Whether a household key is made of it.
    pub(in crate::cli::agency) is_place: bool,
}

/// A column of words with their meanings.
pub(in crate::cli::agency) struct Choose<T> {
    pub(in crate::cli::agency) column: usize,
    values: Vec<(String, T)>,
}

impl<T> Choose<T> {
    /// What the cell means: nothing when it is empty.
    pub(in crate::cli::agency) fn read(&self, cell: &str) -> Result<Option<&T>, UnknownWord> {
        let cell = cell.trim();
        if let Some((_, meaning)) = self.values.iter().find(|(word, _)| word.eq_ignore_ascii_case(cell)) {
            return Ok(Some(meaning));
        }
        if cell.is_empty() { Ok(None) } else { Err(UnknownWord) }
    }
}

/// A word that the mapping does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::agency) struct UnknownWord;

/// A column of dates or months.
pub(in crate::cli::agency) struct DateColumn {
    pub(in crate::cli::agency) column: usize,
    pub(in crate::cli::agency) forms: DateForms,
}

/// The column of one term's attendance.
pub(in crate::cli::agency) struct AttendanceColumn {
    pub(in crate::cli::agency) term: TermName,
    pub(in crate::cli::agency) column: usize,
    /// The words of bands; none for percentages.
    pub(in crate::cli::agency) bands: Option<Choose<AttendanceBand>>,
}

/// The columns of one criterion.
pub(in crate::cli::agency) struct FlagColumns {
    pub(in crate::cli::agency) code: CriterionCode,
    pub(in crate::cli::agency) state: Option<Choose<Said>>,
    pub(in crate::cli::agency) is: Option<Said>,
    pub(in crate::cli::agency) from: Option<DateColumn>,
    pub(in crate::cli::agency) from_date: Option<Date>,
    pub(in crate::cli::agency) to: Option<DateColumn>,
    pub(in crate::cli::agency) to_date: Option<Date>,
    pub(in crate::cli::agency) evidence: EvidenceGrade,
    pub(in crate::cli::agency) evidence_column: Option<Choose<EvidenceGrade>>,
}

/// The columns of the agency's work with a person.
pub(in crate::cli::agency) struct ServiceColumns {
    pub(in crate::cli::agency) since: DateColumn,
    pub(in crate::cli::agency) last_contact: Option<DateColumn>,
    pub(in crate::cli::agency) lead: Option<Choose<bool>>,
    pub(in crate::cli::agency) team_route: Option<TeamRoute>,
    pub(in crate::cli::agency) team: Option<Choose<TeamRoute>>,
    pub(in crate::cli::agency) status: Option<Choose<ServiceStatus>>,
}

impl Mapping {
    /// Finds every column that the mapping names in the file's header row.
    pub(in crate::cli::agency) fn bind(&self, headings: &[String], keys: &MatchKeys) -> Result<Plan, MappingFault> {
        let headings = Headings::new(headings, self)?;
        let place = |heading: &String| headings.place(heading);
        let mut fields: Vec<BoundField> = Vec::with_capacity(self.fields.len());
        for declared in &self.fields {
            let field = keys.field_index(&declared.field).ok_or_else(|| unknown_field(&declared.field, keys))?;
            let column = place(&declared.column)?;
            let format = match keys.fields()[field].normaliser {
                Normaliser::Date(format) | Normaliser::ExpectedDate(format) => Some(format),
                _ => None,
            };
            let convert = match (&declared.date_format, format) {
                (None, _) => None,
                (Some(forms), Some(format)) => Some((forms.clone(), format)),
                (Some(_), None) => {
                    let sentence = format!("field {} is no date and takes no `date_format`", declared.field);
                    return Err(MappingFault::new("mapping.date_format", sentence));
                }
            };
            let is_current = !fields.iter().any(|other| other.field == field);
            let is_place = keys.keys().iter().any(|key| {
                key.tier == Tier::Household && key.components.iter().any(|component| component.field == field)
            });
            let is_date = format.is_some();
            fields.push(BoundField { column, field, is_current, convert, is_date, is_place });
        }
        let month = |column: &super::MonthColumn| {
            Ok::<_, MappingFault>(DateColumn { column: place(&column.column)?, forms: column.date_format.clone() })
        };
        let mut plan = Plan {
            width: headings.names.len(),
            record_key: self.record.key.iter().map(place).collect::<Result<_, _>>()?,
            fields,
            role: headings.optional(self.role.as_ref())?,
            parental_responsibility: headings.optional(self.parental_responsibility.as_ref())?,
            coverage: headings.optional(self.coverage.as_ref())?,
            restricted: headings.optional(self.restricted.as_ref())?,
            send_18_25: headings.optional(self.send_18_25.as_ref())?,
            current_only: headings.optional(self.current_only.as_ref())?,
            locality: headings.optional(self.locality.as_ref())?,
            assessable_until: self.assessable_until.as_ref().map(month).transpose()?,
            criteria: self.criteria.iter().map(|criterion| headings.criterion(criterion)).collect::<Result<_, _>>()?,
            service: self.service.as_ref().map(|service| headings.service(service)).transpose()?,
            retract: headings.optional(self.retract.as_ref())?,
            attendance: self.attendance.iter().map(|term| headings.attendance(term)).collect::<Result<_, _>>()?,
            unread: Vec::new(),
        };
        let named = self.columns();
        let is_read = |heading: &&String| !named.iter().any(|column| is_same(heading, column));
        plan.unread = headings.names.iter().filter(is_read).cloned().collect();
        Ok(plan)
    }

    /// Every heading that the mapping names.
    pub(in crate::cli::agency) fn columns(&self) -> Vec<&str> {
        fn of<T>(choice: Option<&Choice<T>>) -> Option<&str> {
            choice.map(|choice| choice.column.as_str())
        }
        let mut names: Vec<&str> = self.record.key.iter().map(String::as_str).collect();
        names.extend(self.fields.iter().map(|field| field.column.as_str()));
        names.extend(of(self.role.as_ref()));
        names.extend(of(self.parental_responsibility.as_ref()));
        names.extend(of(self.coverage.as_ref()));
        names.extend(of(self.restricted.as_ref()));
        names.extend(of(self.send_18_25.as_ref()));
        names.extend(of(self.current_only.as_ref()));
        names.extend(of(self.locality.as_ref()));
        names.extend(self.assessable_until.as_ref().map(|month| month.column.as_str()));
        for criterion in &self.criteria {
            names.extend(of(criterion.state.as_ref()));
            names.extend(criterion.from.as_deref());
            names.extend(criterion.to.as_deref());
            names.extend(of(criterion.evidence_column.as_ref()));
        }
        if let Some(service) = &self.service {
            names.push(&service.since);
            names.extend(service.last_contact.as_deref());
            names.extend(of(service.lead.as_ref()));
            names.extend(of(service.team.as_ref()));
            names.extend(of(service.status.as_ref()));
        }
        names.extend(of(self.retract.as_ref()));
        names.extend(self.attendance.iter().map(|term| term.column.as_str()));
        names
    }
}

fn unknown_field(field: &str, keys: &MatchKeys) -> MappingFault {
    let known: Vec<&str> = keys.fields().iter().map(|field| field.name.as_str()).collect();
    let sentence = format!("the match-keys file has no field {field}; it has {}", known.join(", "));
    MappingFault::new("mapping.unknown_field", sentence)
}

/// Whether a heading is the column that a mapping means: case and the width of space do not matter.
pub(in crate::cli::agency) fn is_same(heading: &str, column: &str) -> bool {
    heading.split_whitespace().map(str::to_lowercase).eq(column.split_whitespace().map(str::to_lowercase))
}

struct Headings<'a> {
    names: &'a [String],
}

impl<'a> Headings<'a> {
    /// A first row in which no heading is found may be a person: nothing of it is repeated.
    fn new(names: &'a [String], mapping: &Mapping) -> Result<Self, MappingFault> {
        let named = mapping.columns();
        if names.iter().any(|heading| named.iter().any(|column| is_same(heading, column))) {
            return Ok(Self { names });
        }
        let sentence = match names {
            [one] if one.contains([',', ';', '\t', '|']) => {
                "the first row is one cell with the delimiter that the mapping declares; correct or leave out `delimiter` under [file]"
            }
            _ => "the first row has none of the mapping's columns; it must be the row of headings",
        };
        Err(MappingFault::new("mapping.no_header", sentence))
    }

    fn place(&self, column: &str) -> Result<usize, MappingFault> {
        let mut places = (0..self.names.len()).filter(|&at| is_same(&self.names[at], column));
        match (places.next(), places.next()) {
            (Some(place), None) => Ok(place),
            (Some(_), Some(_)) => {
                let sentence = format!("the file has more than one column \"{column}\"");
                Err(MappingFault::new("mapping.ambiguous_column", sentence))
            }
            (None, _) => {
                let sentence = format!("the file has no column \"{column}\"; it has \"{}\"", self.names.join("\", \""));
                Err(MappingFault::new("mapping.unknown_column", sentence))
            }
        }
    }

    fn choice<T: Clone>(&self, choice: &Choice<T>) -> Result<Choose<T>, MappingFault> {
        let mut values: Vec<(String, T)> = Vec::with_capacity(choice.values.len());
        for (word, meaning) in &choice.values {
            let word = word.trim().to_owned();
            if values.iter().any(|(known, _)| known.eq_ignore_ascii_case(&word)) {
                let sentence = format!("a word is listed twice for column \"{}\"; case does not matter", choice.column);
                return Err(MappingFault::new("mapping.ambiguous_word", sentence));
            }
            values.push((word, meaning.clone()));
        }
        Ok(Choose { column: self.place(&choice.column)?, values })
    }

    fn optional<T: Clone>(&self, choice: Option<&Choice<T>>) -> Result<Option<Choose<T>>, MappingFault> {
        choice.map(|choice| self.choice(choice)).transpose()
    }

    fn date(&self, column: Option<&String>, forms: &DateForms) -> Result<Option<DateColumn>, MappingFault> {
        column.map(|column| Ok(DateColumn { column: self.place(column)?, forms: forms.clone() })).transpose()
    }

    fn attendance(&self, term: &AttendanceMapping) -> Result<AttendanceColumn, MappingFault> {
        let column = self.place(&term.column)?;
        let bands = match (term.form, &term.values) {
            (AttendanceForm::Percent, _) => None,
            (AttendanceForm::Band, Some(values)) => {
                Some(self.choice(&Choice { column: term.column.clone(), values: values.clone() })?)
            }
            (AttendanceForm::Band, None) => {
                let words = [("below_90", AttendanceBand::Below90), ("90_and_over", AttendanceBand::AtLeast90)];
                Some(Choose { column, values: words.map(|(word, band)| (word.to_owned(), band)).into() })
            }
        };
        Ok(AttendanceColumn { term: term.term.clone(), column, bands })
    }

    fn criterion(&self, criterion: &CriterionColumns) -> Result<FlagColumns, MappingFault> {
        Ok(FlagColumns {
            code: criterion.code.clone(),
            state: self.optional(criterion.state.as_ref())?,
            is: criterion.is,
            from: self.date(criterion.from.as_ref(), &criterion.date_format)?,
            from_date: criterion.from_date,
            to: self.date(criterion.to.as_ref(), &criterion.date_format)?,
            to_date: criterion.to_date,
            evidence: criterion.evidence,
            evidence_column: self.optional(criterion.evidence_column.as_ref())?,
        })
    }

    fn service(&self, service: &ServiceMapping) -> Result<ServiceColumns, MappingFault> {
        Ok(ServiceColumns {
            since: DateColumn { column: self.place(&service.since)?, forms: service.date_format.clone() },
            last_contact: self.date(service.last_contact.as_ref(), &service.date_format)?,
            lead: self.optional(service.lead.as_ref())?,
            team_route: service.team_route.clone(),
            team: self.optional(service.team.as_ref())?,
            status: self.optional(service.status.as_ref())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(more: &str, headings: &[&str]) -> Result<Plan, MappingFault> {
        let text = format!(
            "programme = 'tff'\nagency = 'education'\nfeed = 'attendance'\nagreement = 'core/v1'\n\
             [record]\nkey = ['ID']\n[[field]]\ncolumn = 'Surname'\nfield = 'surname'\n{more}"
        );
        let keys = MatchKeys::parse(crate::identity::UK_MATCH_KEYS).expect("the shipped file");
        let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
        Mapping::parse(text.as_bytes()).expect("well-formed").bind(&headings, &keys)
    }

    #[test]
    fn columns_are_found_by_their_heading_whatever_its_case() {
        let former = "[[field]]\ncolumn = 'Former'\nfield = 'surname'\n";
        let plan = bind(former, &["Notes", " surname ", "FORMER", "id"]).expect("all there");
        assert_eq!(plan.record_key, [3]);
        assert_eq!(
            plan.fields.iter().map(|field| (field.column, field.is_current)).collect::<Vec<_>>(),
            [(1, true), (2, false)]
        );
        assert_eq!(plan.unread, ["Notes"]);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_code() {
        let whole = ["ID", "Surname"];
        for (more, headings, code) in [
            ("", &["ID", "Name"][..], "mapping.unknown_column"),
            ("", &["ID", "Surname", "surname"], "mapping.ambiguous_column"),
            ("", &["7", "Penrose"], "mapping.no_header"),
            ("", &["ID;Surname"], "mapping.no_header"),
            ("[[field]]\ncolumn = 'ID'\nfield = 'height'\n", &whole, "mapping.unknown_field"),
            ("[[field]]\ncolumn = 'ID'\nfield = 'nhs'\ndate_format = 'dmy'\n", &whole, "mapping.date_format"),
            ("[role]\ncolumn = 'ID'\nvalues = { c = 'child', C = 'adult' }\n", &whole, "mapping.ambiguous_word"),
        ] {
            assert_eq!(bind(more, headings).err().expect("refused").code, code, "{more} {headings:?}");
        }
    }

    #[test]
    fn a_first_row_that_may_be_a_person_is_not_repeated_and_a_header_row_is() {
        let fault = bind("", &["7", "Penrose"]).err().expect("refused");
        assert!(!fault.to_string().contains("Penrose"), "{fault}");
        let fault = bind("", &["ID", "Family name"]).err().expect("refused");
        assert!(fault.to_string().contains("Surname") && fault.to_string().contains("Family name"), "{fault}");
    }
}
