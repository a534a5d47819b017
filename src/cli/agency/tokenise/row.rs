//! One row of the agency's file becomes one line of the batch, or is refused with a code.

use csv::ByteRecord;
use jiff::civil::Date;
use serde::Serialize;

use super::super::key_file::{AgencyKeyFile, EpochTypeKeys};
use super::super::mapping::{Choose, DateColumn, FlagColumns, Mapping, Plan, ServiceColumns};
use super::super::mapping::{read_date, read_month, spreadsheet_fault, write_date};
use super::households::LargeAddresses;
use super::minter::Minter;
use crate::domain::ids::OpaqueRef;
use crate::domain::match_keys::MatchKeys;
use crate::domain::record::{Coverage, Flag, Service, ServiceStatus};
use crate::domain::submission::{self, MOST_FLAGS, MOST_TOKENS};
use crate::domain::time::Month;
use crate::domain::token::decode_base64url;
use crate::identity::{FieldOutcome, RawFields};

macro_rules! refusal_codes {
    ($($name:ident = $code:literal, $meaning:literal;)*) => {
        $(const $name: &str = $code;)*
        /// Every code of a refused row with what it means, besides those of a submission.
        pub(super) const REFUSAL_CODES: &[(&str, &str)] = &[$(($code, $meaning)),*];
    };
}

refusal_codes! {
    COLUMNS = "row.columns", "The row has more or fewer cells than the header row.";
    NOT_UTF8 = "cell.not_utf8", "The cell is not UTF-8 text. Save the sheet as \"CSV UTF-8\".";
    KEY_MISSING = "record_key.missing", "A part of the record key is empty: the record could not be told from others.";
    UNKNOWN_WORD = "cell.unknown_word", "The mapping does not list the word that stands in the cell.";
    BAD_DATE = "cell.date", "The cell is no date of the form that the mapping declares.";
    NO_FROM = "flag.no_from", "The row says a state, but no first day.";
    NO_TEAM = "service.no_team", "The row says when the service began, but no team.";
}

/// Why a row is refused: where, and a code. Never the cell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(in crate::cli::agency) struct Refusal {
    /// The part of the mapping that the cell belongs to.
    pub(in crate::cli::agency) field: String,
    /// What is wrong.
    pub(in crate::cli::agency) code: &'static str,
}

impl Refusal {
    pub(super) fn new(field: impl Into<String>, code: &'static str) -> Self {
        Self { field: field.into(), code }
    }
}

/// What every row needs, shared by all threads.
pub(in crate::cli::agency) struct Task<'a> {
    pub(in crate::cli::agency) mapping: &'a Mapping,
    pub(in crate::cli::agency) plan: &'a Plan,
    pub(in crate::cli::agency) match_keys: &'a MatchKeys,
    pub(in crate::cli::agency) key_file: &'a AgencyKeyFile,
    pub(in crate::cli::agency) type_keys: &'a [EpochTypeKeys],
    pub(in crate::cli::agency) as_at: Date,
    pub(in crate::cli::agency) large: &'a LargeAddresses,
}

/// What was written for a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// The sixteen bytes of the record's reference.
    pub(super) reference: [u8; 16],
    pub(super) tokens: usize,
    pub(super) has_household: bool,
    pub(super) is_large_address: bool,
    pub(super) is_restricted: bool,
}

/// Writes line after line. One per thread.
pub(in crate::cli::agency) struct RowWriter<'a> {
    task: &'a Task<'a>,
    /// Whether the fields of the present row were read.
    is_read: bool,
    most_tokens: usize,
    minter: Minter<'a>,
    /// What a spreadsheet did to the cells of each field of the present row.
    cell_faults: Vec<Option<&'static str>>,
    record_key: String,
    dates: String,
    spans: Vec<(usize, usize)>,
}

impl<'a> RowWriter<'a> {
    pub(super) fn new(task: &'a Task<'a>) -> Self {
        Self {
            task,
            is_read: false,
            most_tokens: MOST_TOKENS,
            minter: Minter::new(task.match_keys, task.type_keys),
            cell_faults: vec![None; task.match_keys.fields().len()],
            record_key: String::new(),
            dates: String::new(),
            spans: Vec::new(),
        }
    }

    /// The tags of a row's address, to count how many rows share it.
    pub(super) fn addresses(&mut self, record: &ByteRecord) -> impl Iterator<Item = super::minter::AddressTag> {
        let read =
            if record.len() == self.task.plan.width { self.mint(record, true, true, false).is_ok() } else { false };
        self.minter.addresses().filter(move |_| read)
    }

    /// Appends the row's line to `out`; on refusal `out` is as before.
    pub(super) fn write(&mut self, record: &ByteRecord, out: &mut Vec<u8>) -> Result<Written, Refusal> {
        let start = out.len();
        let written = self.write_line(record, out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    /// How each field of the present row was read, and what a spreadsheet did to its cells; nothing
    /// when the row was refused before.
    pub(super) fn quality(&self) -> impl Iterator<Item = (&FieldOutcome, Option<&'static str>)> {
        let fields = if self.is_read { self.minter.fields() } else { &[] };
        fields.iter().zip(self.cell_faults.iter().copied())
    }

    /// The tokens of one row alone, at most so many, for an enquiry about the person.
    pub(in crate::cli::agency) fn mint_one(
        task: &'a Task<'a>,
        record: &ByteRecord,
        most: usize,
    ) -> Result<Minter<'a>, Refusal> {
        let mut writer = Self { most_tokens: most, ..Self::new(task) };
        if record.len() != task.plan.width {
            return Err(Refusal::new("", COLUMNS));
        }
        let is_set = |column, field| Ok(choose(column, record, field)?.copied().unwrap_or(false));
        let is_restricted = is_set(task.plan.restricted.as_ref(), "restricted")?;
        let current_only = is_set(task.plan.current_only.as_ref(), "current_only")?;
        writer.mint(record, !is_restricted, false, is_restricted || current_only)?;
        Ok(writer.minter)
    }

    fn write_line(&mut self, record: &ByteRecord, out: &mut Vec<u8>) -> Result<Written, Refusal> {
        let plan = self.task.plan;
        self.is_read = false;
        if record.len() != plan.width {
            return Err(Refusal::new("", COLUMNS));
        }
        let reference = self.reference(record)?;
        let defaults = &self.task.mapping.defaults;
        let coverage = choose(plan.coverage.as_ref(), record, "coverage")?.copied().unwrap_or(defaults.coverage);
        let is_restricted = choose(plan.restricted.as_ref(), record, "restricted")?.copied().unwrap_or(false);
        let current_only = choose(plan.current_only.as_ref(), record, "current_only")?.copied().unwrap_or(false);
        // Whoever moved away or died lives at no address of the file.
        let lives_there = !is_restricted && !matches!(coverage, Coverage::Moved | Coverage::Deceased);
        self.mint(record, lives_there, false, is_restricted || current_only)?;
        let is_large_address = self.minter.addresses().any(|tag| self.task.large.contains(&tag));
        let (tokens, households) = self.minter.count();
        if tokens == 0 {
            return Err(Refusal::new("", submission::NO_TOKENS));
        }

        let role = choose(plan.role.as_ref(), record, "role")?.copied().unwrap_or(defaults.role);
        let responsibility = choose(plan.parental_responsibility.as_ref(), record, "parental_responsibility")?;
        let responsibility = responsibility.copied().unwrap_or(defaults.parental_responsibility);
        out.extend_from_slice(b"{\"ref\":\"");
        out.extend_from_slice(reference.as_str().as_bytes());
        out.push(b'"');
        member(out, "role", &role);
        member(out, "parental_responsibility", &responsibility);
        out.extend_from_slice(b",\"tokens\":");
        self.minter.write(false, out);
        let has_household = households > 0 && !is_large_address;
        if has_household {
            out.extend_from_slice(b",\"household\":");
            self.minter.write(true, out);
        }
        self.write_flags(record, out)?;
        let until = month(plan.assessable_until.as_ref(), record, "assessable_until")?;
        if let Some(until) = until.or(defaults.assessable_until) {
            member(out, "assessable_until", &until);
        }
        member(out, "coverage", &coverage);
        if is_restricted {
            member(out, "restricted", &true);
        }
        let locality = choose(plan.locality.as_ref(), record, "locality")?.or(defaults.locality.as_ref());
        if let Some(locality) = locality {
            member(out, "locality", locality);
        }
        if let Some(columns) = &plan.service
            && let Some(service) = service(columns, record, self.task.as_at)?
        {
            member(out, "service", &service);
        }
        out.extend_from_slice(b"}\n");
        let reference = decode_base64url(reference.as_str()).expect("a reference is sixteen bytes in base64url");
        Ok(Written { reference, tokens, has_household, is_large_address, is_restricted })
    }

    fn reference(&mut self, record: &ByteRecord) -> Result<OpaqueRef, Refusal> {
        self.record_key.clear();
        for (at, &column) in self.task.plan.record_key.iter().enumerate() {
            let part = cell(record, column, "record key")?.trim();
            if part.is_empty() {
                return Err(Refusal::new("record key", KEY_MISSING));
            }
            if let Some(code) = spreadsheet_fault(part) {
                return Err(Refusal::new("record key", code));
            }
            if at > 0 {
                self.record_key.push('\u{1f}'); // the unit separator: "1", "23" is not "12", "3"
            }
            self.record_key.push_str(part);
        }
        Ok(self.task.key_file.reference().record(&self.record_key))
    }

    fn mint(
        &mut self,
        record: &ByteRecord,
        with_household: bool,
        places_only: bool,
        keep_current_only: bool,
    ) -> Result<(), Refusal> {
        let Self { task, minter, cell_faults, dates, spans, .. } = self;
        cell_faults.fill(None);
        dates.clear();
        spans.clear();
        // Dates in other forms are written anew first: what is read below borrows them.
        for bound in &task.plan.fields {
            if let Some((form, format)) = bound.convert {
                let text = cell(record, bound.column, &task.match_keys.fields()[bound.field].name)?;
                let start = dates.len();
                if let Some(date) = read_date(text, form) {
                    write_date(date, format, dates);
                }
                spans.push((start, dates.len()));
            }
        }
        let mut converted = spans.iter().map(|&(start, end)| &dates[start..end]);
        let mut raw = RawFields::new();
        for bound in &task.plan.fields {
            let name = &task.match_keys.fields()[bound.field].name;
            let mut text = cell(record, bound.column, name)?;
            if bound.convert.is_some()
                && let Some(date) = converted.next().filter(|date| !date.is_empty())
            {
                text = date;
            }
            if places_only && !bound.is_place {
                continue;
            }
            if let Some(code) = spreadsheet_fault(text) {
                cell_faults[bound.field] = cell_faults[bound.field].or(Some(code));
                text = "";
            }
            // An empty current cell keeps its place, so that no former address becomes the current one.
            if bound.is_current || !text.trim().is_empty() {
                raw.push_at(bound.field, text);
            }
        }
        if keep_current_only {
            raw.keep_current_only();
        }
        minter.mint(&raw, task.as_at, with_household, self.most_tokens);
        self.is_read = true;
        Ok(())
    }

    fn write_flags(&self, record: &ByteRecord, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let mut flags: Vec<Flag> = Vec::new();
        for columns in &self.task.plan.criteria {
            let Some(flag) = flag(columns, record, self.task.as_at)? else { continue };
            if flags.iter().any(|other| other.criterion == flag.criterion && other.from == flag.from) {
                return Err(Refusal::new(criterion(columns), submission::FLAG_REPEATED));
            }
            flags.push(flag);
        }
        if flags.len() > MOST_FLAGS {
            return Err(Refusal::new("criterion", submission::TOO_MANY_FLAGS));
        }
        if !flags.is_empty() {
            member(out, "flags", &flags);
        }
        Ok(())
    }
}

fn cell<'r>(record: &'r ByteRecord, column: usize, field: &str) -> Result<&'r str, Refusal> {
    std::str::from_utf8(record.get(column).unwrap_or_default()).map_err(|_| Refusal::new(field, NOT_UTF8))
}

fn choose<'p, T>(choose: Option<&'p Choose<T>>, record: &ByteRecord, field: &str) -> Result<Option<&'p T>, Refusal> {
    let Some(choose) = choose else { return Ok(None) };
    choose.read(cell(record, choose.column, field)?).map_err(|_| Refusal::new(field, UNKNOWN_WORD))
}

fn date(column: Option<&DateColumn>, record: &ByteRecord, field: &str) -> Result<Option<Date>, Refusal> {
    let Some(column) = column else { return Ok(None) };
    let text = cell(record, column.column, field)?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    read_date(text, column.form).map(Some).ok_or_else(|| Refusal::new(field, BAD_DATE))
}

fn month(column: Option<&DateColumn>, record: &ByteRecord, field: &str) -> Result<Option<Month>, Refusal> {
    let Some(column) = column else { return Ok(None) };
    let text = cell(record, column.column, field)?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    read_month(text, column.form).map(Some).ok_or_else(|| Refusal::new(field, BAD_DATE))
}

fn criterion(columns: &FlagColumns) -> String {
    format!("criterion {}", columns.code)
}

fn flag(columns: &FlagColumns, record: &ByteRecord, as_at: Date) -> Result<Option<Flag>, Refusal> {
    let named = |refusal: Refusal| Refusal::new(criterion(columns), refusal.code);
    let from = date(columns.from.as_ref(), record, "").map_err(named)?;
    let said = match columns.is {
        Some(said) => from.is_some().then_some(said),
        None => choose(columns.state.as_ref(), record, "").map_err(named)?.copied(),
    };
    let Some(state) = said.and_then(super::super::mapping::Said::state) else { return Ok(None) };
    let Some(from) = from.or(columns.from_date) else { return Err(Refusal::new(criterion(columns), NO_FROM)) };
    let to = date(columns.to.as_ref(), record, "").map_err(named)?.or(columns.to_date);
    if from > as_at || to.is_some_and(|to| to > as_at) {
        return Err(Refusal::new(criterion(columns), submission::FLAG_FUTURE));
    }
    if to.is_some_and(|to| to < from) {
        return Err(Refusal::new(criterion(columns), submission::FLAG_ORDER));
    }
    let evidence = choose(columns.evidence_column.as_ref(), record, "").map_err(named)?;
    let evidence = evidence.copied().unwrap_or(columns.evidence);
    Ok(Some(Flag { criterion: columns.code.clone(), state, from, to, evidence }))
}

fn service(columns: &ServiceColumns, record: &ByteRecord, as_at: Date) -> Result<Option<Service>, Refusal> {
    let Some(since) = month(Some(&columns.since), record, "service.since")? else { return Ok(None) };
    let last_contact_month = month(columns.last_contact.as_ref(), record, "service.last_contact")?;
    let (last, latest) = (last_contact_month.unwrap_or(since), Month::of(as_at));
    if since > latest || last < since || last > latest {
        return Err(Refusal::new("service", submission::SERVICE_DATES));
    }
    let team = choose(columns.team.as_ref(), record, "service.team")?.or(columns.team_route.as_ref());
    let team_route = team.cloned().ok_or_else(|| Refusal::new("service.team", NO_TEAM))?;
    let status = choose(columns.status.as_ref(), record, "service.status")?.copied().unwrap_or(ServiceStatus::Open);
    let lead = choose(columns.lead.as_ref(), record, "service.lead")?.copied().unwrap_or(false);
    Ok(Some(Service { since, last_contact_month, lead, team_route, status }))
}

/// Appends `,"name":value`.
fn member(out: &mut Vec<u8>, name: &str, value: &impl Serialize) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    serde_json::to_writer(out, value).expect("codes, words, dates and months always serialise into memory");
}
