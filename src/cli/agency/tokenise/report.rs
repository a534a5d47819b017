//! The data-quality report: how good the fields are, which rows were refused, and why. Counts, row
//! numbers and codes; never a cell.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::row::{REFUSAL_CODES, Refusal, RowWriter, Written};
use super::source::InputForm;
use crate::cli::agency::mapping::{ATTENDANCE_CODES, CELL_CODES, DATE_CODES, Delimiter, ENCODING_CODES, Encoding};
use crate::domain::match_keys::MatchKeys;
use crate::domain::submission::ROW_CODES;
use crate::identity::Reason;

/// Refused rows are counted without end and listed up to here.
const MOST_LISTED: usize = 1000;

/// What became of the file.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// How the file is written.
    pub(super) input: InputForm,
    /// Rows below the header.
    pub(super) rows: u64,
    /// Record lines in the batch.
    pub(super) records: u64,
    /// Those of them that take a record back.
    pub(super) retractions: u64,
    /// Rows that gave none.
    pub(super) refused: u64,
    /// Records with a household token.
    pub(super) with_household: u64,
    /// Records that the agency shields.
    pub(super) restricted: u64,
    /// Records without a household token because too many rows share the address.
    pub(super) at_large_addresses: u64,
    /// How many such addresses there are.
    pub(super) large_addresses: usize,
    /// Mapped fields, one by one.
    pub(super) fields: Vec<FieldQuality>,
    /// Number of a record's tokens to number of records.
    pub(super) tokens_per_record: BTreeMap<usize, u64>,
    /// Refused rows by place and code.
    pub(super) refusals: Vec<RefusalCount>,
    /// The first refused rows.
    pub(super) refused_rows: Vec<RefusedRow>,
    #[serde(skip)]
    pub(super) by_refusal: BTreeMap<Refusal, u64>,
}

/// How a field was read, row by row: the four counts add up to the rows that were read so far.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct FieldQuality {
    pub(super) field: String,
    /// Rows with at least one good value.
    pub(super) valid: u64,
    /// Rows with nothing.
    pub(super) missing: u64,
    /// Rows with a placeholder only.
    pub(super) sentinel: u64,
    /// Rows with a wrong value only.
    pub(super) invalid: u64,
    /// What was wrong, in former values too.
    pub(super) codes: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct RefusalCount {
    #[serde(flatten)]
    pub(super) refusal: Refusal,
    pub(super) rows: u64,
    pub(super) meaning: &'static str,
}

/// A refused row, by the number that a spreadsheet shows: the header is row 1.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RefusedRow {
    pub(super) row: u64,
    #[serde(flatten)]
    pub(super) refusal: Refusal,
}

/// The field counts of some rows, as a worker adds them up.
#[derive(Debug, Default)]
pub(super) struct FieldCounts(Vec<FieldQuality>);

impl FieldCounts {
    pub(super) fn add(&mut self, row: &RowWriter<'_>) {
        for (at, (outcome, cell_fault)) in row.quality().enumerate() {
            if self.0.len() == at {
                self.0.push(FieldQuality::default());
            }
            let field = &mut self.0[at];
            let refused = outcome.refused.filter(|error| error.reason() != Reason::Missing);
            if let Some(code) = cell_fault.or(refused.map(crate::identity::IdentityError::code)) {
                *field.codes.entry(code).or_default() += 1;
            }
            let count = if outcome.accepted > 0 {
                &mut field.valid
            } else if cell_fault.is_some() {
                &mut field.invalid
            } else {
                match outcome.reason() {
                    Some(Reason::Invalid) => &mut field.invalid,
                    Some(Reason::Sentinel) => &mut field.sentinel,
                    _ => &mut field.missing,
                }
            };
            *count += 1;
        }
    }
}

impl Report {
    pub(super) fn new(input: InputForm, large_addresses: usize) -> Self {
        Self {
            input,
            rows: 0,
            records: 0,
            retractions: 0,
            refused: 0,
            with_household: 0,
            restricted: 0,
            at_large_addresses: 0,
            large_addresses,
            fields: Vec::new(),
            tokens_per_record: BTreeMap::new(),
            refusals: Vec::new(),
            refused_rows: Vec::new(),
            by_refusal: BTreeMap::new(),
        }
    }

    pub(super) fn add_fields(&mut self, counts: &mut FieldCounts) {
        self.fields.resize(counts.0.len().max(self.fields.len()), FieldQuality::default());
        for (total, part) in self.fields.iter_mut().zip(counts.0.drain(..)) {
            total.valid += part.valid;
            total.missing += part.missing;
            total.sentinel += part.sentinel;
            total.invalid += part.invalid;
            for (code, count) in part.codes {
                *total.codes.entry(code).or_default() += count;
            }
        }
    }

    pub(super) fn accept(&mut self, written: &Written) {
        self.rows += 1;
        self.records += 1;
        if written.is_retraction {
            self.retractions += 1;
            return;
        }
        self.with_household += u64::from(written.has_household);
        self.restricted += u64::from(written.is_restricted);
        self.at_large_addresses += u64::from(written.is_large_address);
        *self.tokens_per_record.entry(written.tokens).or_default() += 1;
    }

    pub(super) fn refuse(&mut self, row: u64, refusal: Refusal) {
        self.rows += 1;
        self.refused += 1;
        if self.refused_rows.len() < MOST_LISTED {
            self.refused_rows.push(RefusedRow { row, refusal: refusal.clone() });
        }
        *self.by_refusal.entry(refusal).or_default() += 1;
    }

    /// Names the fields, and leaves out those that the mapping does not supply.
    pub(super) fn finish(&mut self, keys: &MatchKeys, is_mapped: impl Fn(usize) -> bool) {
        let mut at = 0;
        for (field, quality) in self.fields.iter_mut().enumerate() {
            quality.field.clone_from(&keys.fields()[field].name);
        }
        self.fields.retain(|_| {
            at += 1;
            is_mapped(at - 1)
        });
        self.refusals = std::mem::take(&mut self.by_refusal)
            .into_iter()
            .map(|(refusal, rows)| RefusalCount { meaning: meaning(refusal.code), refusal, rows })
            .collect();
    }

    /// The median number of a record's tokens.
    fn median_tokens(&self) -> usize {
        let mut left = (self.records - self.retractions).div_ceil(2);
        for (&tokens, &records) in &self.tokens_per_record {
            if records >= left {
                return tokens;
            }
            left -= records;
        }
        0
    }
}

/// The codes that a row can be refused with here, and nowhere else.
const OWN_CODES: [&[(&str, &str)]; 5] = [REFUSAL_CODES, CELL_CODES, DATE_CODES, ENCODING_CODES, ATTENDANCE_CODES];

fn meaning(code: &str) -> &'static str {
    OWN_CODES
        .into_iter()
        .chain([ROW_CODES])
        .flatten()
        .find(|(known, _)| *known == code)
        .map_or("", |(_, meaning)| meaning)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (self.input.delimiter, self.input.encoding) != (Delimiter::Comma, Encoding::Utf8) {
            let (delimiter, encoding) = (self.input.delimiter.as_str(), self.input.encoding.as_str());
            writeln!(f, "Read as {encoding} with cells parted by {delimiter}")?;
        }
        writeln!(f, "{} rows: {} records, {} refused", self.rows, self.records, self.refused)?;
        if self.retractions > 0 {
            writeln!(f, "Records taken back: {}", self.retractions)?;
        }
        let (least, most) = (self.tokens_per_record.keys().next(), self.tokens_per_record.keys().next_back());
        if let (Some(least), Some(most)) = (least, most) {
            writeln!(f, "Tokens a record: {least} to {most}, median {}", self.median_tokens())?;
        }
        writeln!(f, "With a household token: {}; restricted: {}", self.with_household, self.restricted)?;
        if self.large_addresses > 0 {
            let most = super::households::MOST_ROWS_OF_ONE_ADDRESS;
            let (addresses, records) = (self.large_addresses, self.at_large_addresses);
            writeln!(
                f,
                "Addresses of more than {most} rows: {addresses}; {records} records have no household token for it"
            )?;
        }
        writeln!(f, "\n{:<16}{:>10}{:>10}{:>10}{:>10}", "Field", "valid", "missing", "sentinel", "invalid")?;
        for field in &self.fields {
            let name = &field.field;
            let (valid, missing, sentinel, invalid) = (field.valid, field.missing, field.sentinel, field.invalid);
            writeln!(f, "{name:<16}{valid:>10}{missing:>10}{sentinel:>10}{invalid:>10}")?;
            for (code, count) in &field.codes {
                writeln!(f, "  {code}: {count}")?;
            }
        }
        if !self.refusals.is_empty() {
            writeln!(f, "\nRefused rows")?;
            for RefusalCount { refusal, rows, meaning } in &self.refusals {
                let place = if refusal.field.is_empty() { "row" } else { &refusal.field };
                let listed = self.refused_rows.iter().filter(|row| row.refusal == *refusal).take(8);
                let numbers: Vec<String> = listed.map(|row| row.row.to_string()).collect();
                let and_more = if *rows > numbers.len() as u64 { ", …" } else { "" };
                writeln!(f, "  {place}: {} ({rows}). {meaning} Rows {}{and_more}", refusal.code, numbers.join(", "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_a_refused_row_is_in_the_document_with_a_meaning() {
        let document = include_str!("../../../../docs/tokenise.md");
        for (code, meaning) in OWN_CODES.into_iter().flatten() {
            assert!(document.contains(&format!("`{code}`")) && meaning.len() > 20, "{code}");
        }
        assert_eq!(meaning("no.such_code"), "");
    }
}
