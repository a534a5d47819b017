//! A submission as CSV: a row becomes the record line that newline-delimited JSON would have had, so
//! that both forms meet the same checks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::submission::{CELLS, NOT_CSV, RowFault};

/// Columns of single values, as text.
const TEXTS: [&str; 7] = ["ref", "role", "parental_responsibility", "assessable_until", "coverage", "locality", "clk"];
/// Columns that say `true` or `false`.
const TRUTHS: [&str; 3] = ["restricted", "retract", "send_18_25"];
/// Columns of whole numbers.
const NUMBERS: [&str; 1] = ["school_age_children"];
/// What a flag's columns may say.
const FLAG_PARTS: [&str; 4] = ["state", "from", "to", "evidence"];
/// What a service's columns may say.
const SERVICE_PARTS: [&str; 5] = ["since", "last_contact_month", "lead", "team_route", "status"];

/// What is wrong with a row of column names. The names are not repeated: they may be somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// It is not a row of CSV in UTF-8.
    #[error("the row of column names is not CSV in UTF-8")]
    NotCsv,
    /// A column that the format does not define.
    #[error("a column has a name that the format does not define")]
    Unknown,
    /// Two columns of one name.
    #[error("two columns have one name")]
    Repeated,
    /// Without references there are no records.
    #[error("there is no column `ref`")]
    NoReference,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    Text(String),
    Truth(String),
    Number(String),
    /// Tokens of one epoch and type, with spaces between them.
    Tokens {
        field: String,
        epoch: String,
        token_type: String,
    },
    Flag {
        criterion: String,
        part: String,
    },
    Service(String),
    Attendance(String),
}

impl Column {
    fn parse(name: &str) -> Option<Self> {
        let listed = |list: &[&str], part: &str| list.contains(&part).then(|| part.to_owned());
        let parts: Vec<&str> = name.split('.').collect();
        Some(match parts.as_slice() {
            [name] if TEXTS.contains(name) => Self::Text((*name).to_owned()),
            [name] if TRUTHS.contains(name) => Self::Truth((*name).to_owned()),
            [name] if NUMBERS.contains(name) => Self::Number((*name).to_owned()),
            [field @ ("tokens" | "household" | "fields"), epoch, token_type] => Self::Tokens {
                field: (*field).to_owned(),
                epoch: (*epoch).to_owned(),
                token_type: (*token_type).to_owned(),
            },
            ["flags", criterion, part] => {
                Self::Flag { criterion: (*criterion).to_owned(), part: listed(&FLAG_PARTS, part)? }
            }
            ["service", part] => Self::Service(listed(&SERVICE_PARTS, part)?),
            ["attendance", term] => Self::Attendance((*term).to_owned()),
            _ => return None,
        })
    }
}

/// The columns of a file, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns(Vec<Column>);

impl Columns {
    /// Reads the row of column names.
    ///
    /// # Errors
    ///
    /// [`ColumnsError`].
    pub fn parse(line: &[u8]) -> Result<Self, ColumnsError> {
        let names = cells(line).ok_or(ColumnsError::NotCsv)?;
        let mut seen = BTreeSet::new();
        if names.iter().any(|name| !seen.insert(name)) {
            return Err(ColumnsError::Repeated);
        }
        if !names.iter().any(|name| name == "ref") {
            return Err(ColumnsError::NoReference);
        }
        names.iter().map(|name| Column::parse(name).ok_or(ColumnsError::Unknown)).collect::<Result<_, _>>().map(Self)
    }

    /// The record line of a row, as newline-delimited JSON has it. An empty cell says nothing.
    ///
    /// # Errors
    ///
    /// One fault when the row is not CSV or has another number of cells; what the cells say is checked
    /// with the line.
    pub fn line(&self, row: &[u8]) -> Result<Vec<u8>, RowFault> {
        let cells = cells(row).ok_or_else(|| RowFault::new("", NOT_CSV))?;
        if cells.len() != self.0.len() {
            return Err(RowFault::new("", CELLS));
        }
        let mut record = Map::new();
        let mut tokens: BTreeMap<&str, BTreeMap<&str, BTreeMap<&str, Vec<&str>>>> = BTreeMap::new();
        let mut flags: Vec<(&str, Map<String, Value>)> = Vec::new();
        let (mut service, mut attendance) = (Map::new(), Vec::new());
        for (column, cell) in self.0.iter().zip(&cells).filter(|(_, cell)| !cell.is_empty()) {
            match column {
                Column::Text(name) => {
                    record.insert(name.clone(), json!(cell));
                }
                Column::Truth(name) => {
                    record.insert(name.clone(), truth(cell));
                }
                Column::Number(name) => {
                    // What is no number stays text, which the check of the line refuses by its field.
                    record.insert(name.clone(), cell.parse::<u8>().map_or_else(|_| json!(cell), |count| json!(count)));
                }
                Column::Tokens { field, epoch, token_type } => {
                    let types = tokens.entry(field).or_default().entry(epoch).or_default();
                    types.entry(token_type).or_default().extend(cell.split_ascii_whitespace());
                }
                Column::Flag { criterion, part } => {
                    let place = flags.iter().position(|(of, _)| of == criterion).unwrap_or_else(|| {
                        flags.push((criterion, Map::from_iter([("criterion".to_owned(), json!(criterion))])));
                        flags.len() - 1
                    });
                    flags[place].1.insert(part.clone(), json!(cell));
                }
                Column::Service(part) if part == "lead" => {
                    service.insert(part.clone(), truth(cell));
                }
                Column::Service(part) => {
                    service.insert(part.clone(), json!(cell));
                }
                Column::Attendance(term) => attendance.push(json!({ "term": term, "band": cell })),
            }
        }
        for (field, epochs) in tokens {
            record.insert(field.to_owned(), json!(epochs));
        }
        if !flags.is_empty() {
            record.insert("flags".to_owned(), flags.into_iter().map(|(_, flag)| Value::Object(flag)).collect());
        }
        if !service.is_empty() {
            record.insert("service".to_owned(), Value::Object(service));
        }
        if !attendance.is_empty() {
            record.insert("attendance".to_owned(), Value::Array(attendance));
        }
        Ok(Value::Object(record).to_string().into_bytes())
    }
}

fn truth(cell: &str) -> Value {
    match cell {
        "true" => json!(true),
        "false" => json!(false),
        other => json!(other), // refused by its field
    }
}

/// The cells of one row, without the blanks around them.
fn cells(line: &[u8]) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(line);
    let record = reader.records().next()?.ok()?;
    Some(record.iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(columns: &str, row: &str) -> Result<Value, RowFault> {
        let columns = Columns::parse(columns.as_bytes()).expect("known columns");
        columns.line(row.as_bytes()).map(|line| serde_json::from_slice(&line).expect("JSON"))
    }

    #[test]
    fn a_row_becomes_the_line_that_json_would_have() {
        let columns = "ref,role,restricted,tokens.1.nhs,tokens.2.nhs,household.1.uprn,flags.E1.state,flags.E1.from,\
                       flags.E2.state,flags.E2.from,service.since,service.lead,attendance.2026-summer,school_age_children";
        let row = "R, child ,true,aa bb,cc,dd,met,2026-04-01,,,2026-03,false,below_90,2";
        assert_eq!(
            line(columns, row).expect("whole"),
            json!({
                "ref": "R", "role": "child", "restricted": true,
                "tokens": { "1": { "nhs": ["aa", "bb"] }, "2": { "nhs": ["cc"] } }, "household": { "1": { "uprn": ["dd"] } },
                "flags": [{ "criterion": "E1", "state": "met", "from": "2026-04-01" }],
                "service": { "since": "2026-03", "lead": false },
                "attendance": [{ "term": "2026-summer", "band": "below_90" }], "school_age_children": 2,
            })
        );
        assert_eq!(line("ref,retract,role", "R,true,").expect("whole"), json!({ "ref": "R", "retract": true }));
        assert_eq!(line("ref,restricted", "R,yes").expect("whole"), json!({ "ref": "R", "restricted": "yes" }));
    }

    #[test]
    fn rows_and_columns_of_another_form_are_refused_without_their_words() {
        for (columns, error) in [
            ("ref,forename", ColumnsError::Unknown),
            ("ref,flags.E1.worker", ColumnsError::Unknown),
            ("ref,tokens.nhs", ColumnsError::Unknown),
            ("ref,role,role", ColumnsError::Repeated),
            ("role", ColumnsError::NoReference),
        ] {
            let refused = Columns::parse(columns.as_bytes()).expect_err(columns);
            assert_eq!(refused, error);
            assert!(!refused.to_string().contains("forename"));
        }
        assert_eq!(Columns::parse(b"ref,\xff"), Err(ColumnsError::NotCsv));
        assert_eq!(line("ref,role", "R"), Err(RowFault::new("", CELLS)));
        assert_eq!(line("ref,role", "R,child,Jowan"), Err(RowFault::new("", CELLS)));
        let columns = Columns::parse(b"ref,role").expect("known");
        assert_eq!(columns.line(b"R,\xff"), Err(RowFault::new("", NOT_CSV)));
    }
}
