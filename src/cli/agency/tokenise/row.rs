//! One row of the agency's file becomes one line of the batch, or is refused with a code.

use csv::ByteRecord;
use jiff::civil::Date;
use serde::Serialize;

use super::super::key_file::{AgencyKeyFile, EpochTypeKeys};
use super::super::mapping::{Choose, DateColumn, Encoding, FlagColumns, Mapping, Plan, ServiceColumns};
use super::super::mapping::{DateFault, date_serial, read_percent, spreadsheet_fault};
use super::cells::Cells;
use super::fuzzy::{Fuzzy, FuzzyWriter};
use super::households::LargeAddresses;
use super::minter::Minter;
use crate::crypto::reference::RefKey;
use crate::domain::clk::Clk;
use crate::domain::ids::OpaqueRef;
use crate::domain::match_keys::MatchKeys;
use crate::domain::profile::MOST_FIELD_TOKENS;
use crate::domain::record::{Attendance, Coverage, Flag, Role, Service, ServiceStatus};
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
    EMPTY = "row.empty", "Every cell of the row is empty: nothing of it is lost.";
    KEY_MISSING = "record_key.missing", "A part of the record key is empty: the record could not be told from others.";
    UNKNOWN_WORD = "cell.unknown_word", "The mapping does not list the word that stands in the cell.";
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
    /// The keys of weighed fields; empty where none of their tokens are made.
    pub(in crate::cli::agency) field_keys: &'a [EpochTypeKeys],
    pub(in crate::cli::agency) as_at: Date,
    pub(in crate::cli::agency) encoding: Encoding,
    /// Where the agreement asks for fuzzy encodings.
    pub(in crate::cli::agency) fuzzy: Option<&'a Fuzzy>,
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
    /// Whether the line takes the record back.
    pub(super) is_retraction: bool,
}

impl Written {
    fn retraction(reference: [u8; 16]) -> Self {
        Self {
            reference,
            tokens: 0,
            has_household: false,
            is_large_address: false,
            is_restricted: false,
            is_retraction: true,
        }
    }
}

/// Writes line after line. One per thread.
pub(in crate::cli::agency) struct RowWriter<'a> {
    task: &'a Task<'a>,
    /// Whether the fields of the present row were read.
    is_read: bool,
    most_tokens: usize,
    minter: Minter<'a>,
    /// Makes the tokens of weighed fields, where these are made.
    field_minter: Option<Minter<'a>>,
    fuzzy: Option<FuzzyWriter<'a>>,
    /// The encoding of the present row.
    clk: Option<Clk>,
    cells: Cells,
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
            field_minter: (!task.field_keys.is_empty()).then(|| Minter::of_fields(task.match_keys, task.field_keys)),
            fuzzy: task.fuzzy.map(|fuzzy| fuzzy.writer(task.match_keys)),
            clk: None,
            cells: Cells::default(),
            cell_faults: vec![None; task.match_keys.fields().len()],
            record_key: String::new(),
            dates: String::new(),
            spans: Vec::new(),
        }
    }

    /// The tags of a row's address, to count how many rows share it.
    pub(super) fn addresses(&mut self, record: &ByteRecord) -> impl Iterator<Item = super::minter::AddressTag> {
        let read = self.with_cells(record, |writer, cells| {
            let plan = writer.task.plan;
            let lives_there = cells.fits(plan.width)
                && matches!(choose(plan.retract.as_ref(), cells, "retract"), Ok(None | Some(false)));
            lives_there && writer.mint(cells, true, true, false).is_ok()
        });
        self.minter.addresses().filter(move |_| read)
    }

    /// Appends the row's line to `out`; on refusal `out` is as before.
    pub(super) fn write(&mut self, record: &ByteRecord, out: &mut Vec<u8>) -> Result<Written, Refusal> {
        let start = out.len();
        let written = self.with_cells(record, |writer, cells| writer.write_line(cells, out));
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    /// Reads a row's cells, in the buffers of the row before.
    fn with_cells<T>(&mut self, record: &ByteRecord, then: impl FnOnce(&mut Self, &Cells) -> T) -> T {
        let mut cells = std::mem::take(&mut self.cells);
        cells.read(record, self.task.encoding);
        let made = then(self, &cells);
        self.cells = cells;
        made
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
        writer.with_cells(record, |writer, cells| {
            if !cells.fits(task.plan.width) {
                return Err(Refusal::new("", COLUMNS));
            }
            let is_set = |column, field| Ok(choose(column, cells, field)?.copied().unwrap_or(false));
            let is_restricted = is_set(task.plan.restricted.as_ref(), "restricted")?;
            let current_only = is_set(task.plan.current_only.as_ref(), "current_only")?;
            writer.mint(cells, !is_restricted, false, is_restricted || current_only)
        })?;
        Ok(writer.minter)
    }

    fn write_line(&mut self, cells: &Cells, out: &mut Vec<u8>) -> Result<Written, Refusal> {
        let plan = self.task.plan;
        self.is_read = false;
        if cells.is_blank() {
            return Err(Refusal::new("", EMPTY));
        }
        if !cells.fits(plan.width) {
            return Err(Refusal::new("", COLUMNS));
        }
        let reference = self.reference(cells)?;
        let bytes = decode_base64url(reference.as_str()).expect("a reference is sixteen bytes in base64url");
        if choose(plan.retract.as_ref(), cells, "retract")?.copied().unwrap_or(false) {
            out.extend_from_slice(b"{\"ref\":\"");
            out.extend_from_slice(reference.as_str().as_bytes());
            out.extend_from_slice(b"\",\"retract\":true}\n");
            return Ok(Written::retraction(bytes));
        }
        let defaults = &self.task.mapping.defaults;
        let coverage = choose(plan.coverage.as_ref(), cells, "coverage")?.copied().unwrap_or(defaults.coverage);
        let is_restricted = choose(plan.restricted.as_ref(), cells, "restricted")?.copied().unwrap_or(false);
        let current_only = choose(plan.current_only.as_ref(), cells, "current_only")?.copied().unwrap_or(false);
        // Whoever moved away or died lives at no address of the file.
        let lives_there = !is_restricted && !matches!(coverage, Coverage::Moved | Coverage::Deceased);
        self.mint(cells, lives_there, false, is_restricted || current_only)?;
        let is_large_address = self.minter.addresses().any(|tag| self.task.large.contains(&tag));
        let (tokens, households) = self.minter.count();
        if tokens == 0 {
            return Err(Refusal::new("", submission::NO_TOKENS));
        }

        let role = choose(plan.role.as_ref(), cells, "role")?.copied().unwrap_or(defaults.role);
        let responsibility = choose(plan.parental_responsibility.as_ref(), cells, "parental_responsibility")?;
        let responsibility = responsibility.copied().unwrap_or(defaults.parental_responsibility);
        let is_send_18_25 = choose(plan.send_18_25.as_ref(), cells, "send_18_25")?.copied().unwrap_or(false);
        if is_send_18_25 && role == Role::Unborn {
            return Err(Refusal::new("send_18_25", submission::SEND_ROLE));
        }
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
        // A restricted person is in no match run: no evidence for it leaves the agency.
        if let Some(fields) = self.field_minter.as_ref().filter(|fields| !is_restricted && fields.count().0 > 0) {
            out.extend_from_slice(b",\"fields\":");
            fields.write(false, out);
        }
        if let Some(clk) = self.clk.as_ref().filter(|_| !is_restricted) {
            member(out, "clk", clk);
        }
        self.write_flags(cells, out)?;
        let until = month(plan.assessable_until.as_ref(), cells, "assessable_until")?;
        if let Some(until) = until.or(defaults.assessable_until) {
            member(out, "assessable_until", &until);
        }
        member(out, "coverage", &coverage);
        if is_restricted {
            member(out, "restricted", &true);
        }
        if is_send_18_25 {
            member(out, "send_18_25", &true);
        }
        let locality = choose(plan.locality.as_ref(), cells, "locality")?.or(defaults.locality.as_ref());
        if let Some(locality) = locality {
            member(out, "locality", locality);
        }
        if let Some(columns) = &plan.service
            && let Some(service) = service(columns, cells, self.task.as_at)?
        {
            member(out, "service", &service);
        }
        let attendance = attendance(plan, cells)?;
        if !attendance.is_empty() {
            member(out, "attendance", &attendance);
        }
        out.extend_from_slice(b"}\n");
        let is_retraction = false;
        Ok(Written { reference: bytes, tokens, has_household, is_large_address, is_restricted, is_retraction })
    }

    fn reference(&mut self, cells: &Cells) -> Result<OpaqueRef, Refusal> {
        self.record_key.clear();
        for (at, &column) in self.task.plan.record_key.iter().enumerate() {
            let part = cell(cells, column, "record key")?;
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
        cells: &Cells,
        with_household: bool,
        places_only: bool,
        keep_current_only: bool,
    ) -> Result<(), Refusal> {
        let Self { task, minter, field_minter, fuzzy, clk, cell_faults, dates, spans, .. } = self;
        cell_faults.fill(None);
        dates.clear();
        spans.clear();
        // Dates in declared forms are written anew first: what is read below borrows them.
        for bound in &task.plan.fields {
            let Some((forms, format)) = &bound.convert else { continue };
            let text = cell(cells, bound.column, &task.match_keys.fields()[bound.field].name)?;
            let start = dates.len();
            match forms.read_written(text) {
                Ok(date) => date.write(*format, dates),
                // What is no date of these forms may be a word for not known: the field's own reader says.
                Err(DateFault::Form) => dates.push_str(text),
                Err(fault) => cell_faults[bound.field] = cell_faults[bound.field].or(Some(fault.code())),
            }
            spans.push((start, dates.len()));
        }
        let mut converted = spans.iter().map(|&(start, end)| &dates[start..end]);
        let mut raw = RawFields::new();
        for bound in &task.plan.fields {
            let name = &task.match_keys.fields()[bound.field].name;
            let mut text = cell(cells, bound.column, name)?;
            let fault = spreadsheet_fault(text);
            if bound.convert.is_some() {
                text = converted.next().unwrap_or_default();
            }
            if places_only && !bound.is_place {
                continue;
            }
            if let Some(code) = fault.or_else(|| if bound.is_date { date_serial(text) } else { None }) {
                cell_faults[bound.field] = cell_faults[bound.field].or(Some(code));
                text = "";
            }
            // An empty current cell keeps its place, so that no former address becomes the current one.
            if bound.is_current || !text.is_empty() {
                raw.push_at(bound.field, text);
            }
        }
        if keep_current_only {
            raw.keep_current_only();
        }
        *clk = fuzzy.as_mut().filter(|_| !places_only).and_then(|fuzzy| fuzzy.encode(&raw, task.as_at));
        minter.mint(&raw, task.as_at, with_household, self.most_tokens);
        if let Some(fields) = field_minter.as_mut().filter(|_| !places_only) {
            fields.mint(&raw, task.as_at, false, MOST_FIELD_TOKENS);
        }
        self.is_read = true;
        Ok(())
    }

    fn write_flags(&self, cells: &Cells, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let mut flags: Vec<Flag> = Vec::new();
        for columns in &self.task.plan.criteria {
            let Some(flag) = flag(columns, cells, self.task.as_at)? else { continue };
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

/// The reference of a row, for whoever looks for one record; `None` where the row has no sound key.
pub(in crate::cli::agency) fn reference_of(cells: &Cells, columns: &[usize], keys: &RefKey) -> Option<OpaqueRef> {
    let part = |&column: &usize| cells.get(column).ok().filter(|part| !part.is_empty());
    let parts = columns.iter().map(part).collect::<Option<Vec<&str>>>()?;
    // As `RowWriter::reference` puts them together.
    Some(keys.record(&parts.join("\u{1f}")))
}

fn cell<'r>(cells: &'r Cells, column: usize, field: &str) -> Result<&'r str, Refusal> {
    cells.get(column).map_err(|code| Refusal::new(field, code))
}

/// A cell that is read as a word or a date: what a spreadsheet left in its place refuses the row.
fn sound_cell<'r>(cells: &'r Cells, column: usize, field: &str) -> Result<&'r str, Refusal> {
    let text = cell(cells, column, field)?;
    spreadsheet_fault(text).map_or(Ok(text), |code| Err(Refusal::new(field, code)))
}

fn choose<'p, T>(choose: Option<&'p Choose<T>>, cells: &Cells, field: &str) -> Result<Option<&'p T>, Refusal> {
    let Some(choose) = choose else { return Ok(None) };
    let text = cell(cells, choose.column, field)?;
    // A word that the mapping lists is a word, whatever it looks like.
    let code = |_| spreadsheet_fault(text).unwrap_or(UNKNOWN_WORD);
    choose.read(text).map_err(|error| Refusal::new(field, code(error)))
}

fn date(column: Option<&DateColumn>, cells: &Cells, field: &str) -> Result<Option<Date>, Refusal> {
    let Some(column) = column else { return Ok(None) };
    let text = sound_cell(cells, column.column, field)?;
    if text.is_empty() {
        return Ok(None);
    }
    column.forms.read(text).map(Some).map_err(|fault| Refusal::new(field, fault.code()))
}

fn month(column: Option<&DateColumn>, cells: &Cells, field: &str) -> Result<Option<Month>, Refusal> {
    let Some(column) = column else { return Ok(None) };
    let text = sound_cell(cells, column.column, field)?;
    if text.is_empty() {
        return Ok(None);
    }
    column.forms.read_month(text).map(Some).map_err(|fault| Refusal::new(field, fault.code()))
}

fn attendance(plan: &Plan, cells: &Cells) -> Result<Vec<Attendance>, Refusal> {
    let mut bands = Vec::new();
    for column in &plan.attendance {
        let named = |refusal: Refusal| Refusal::new(format!("attendance {}", column.term.as_str()), refusal.code);
        let band = if let Some(words) = &column.bands {
            choose(Some(words), cells, "").map_err(named)?.copied()
        } else {
            let text = sound_cell(cells, column.column, "").map_err(named)?;
            let read = if text.is_empty() { None } else { Some(read_percent(text)) };
            read.transpose().map_err(|code| named(Refusal::new("", code)))?
        };
        bands.extend(band.map(|band| Attendance { term: column.term.clone(), band }));
    }
    Ok(bands)
}

fn criterion(columns: &FlagColumns) -> String {
    format!("criterion {}", columns.code)
}

fn flag(columns: &FlagColumns, cells: &Cells, as_at: Date) -> Result<Option<Flag>, Refusal> {
    let named = |refusal: Refusal| Refusal::new(criterion(columns), refusal.code);
    let from = date(columns.from.as_ref(), cells, "").map_err(named)?;
    let said = match columns.is {
        Some(said) => from.is_some().then_some(said),
        None => choose(columns.state.as_ref(), cells, "").map_err(named)?.copied(),
    };
    let Some(state) = said.and_then(super::super::mapping::Said::state) else { return Ok(None) };
    let Some(from) = from.or(columns.from_date) else { return Err(Refusal::new(criterion(columns), NO_FROM)) };
    let to = date(columns.to.as_ref(), cells, "").map_err(named)?.or(columns.to_date);
    if from > as_at || to.is_some_and(|to| to > as_at) {
        return Err(Refusal::new(criterion(columns), submission::FLAG_FUTURE));
    }
    if to.is_some_and(|to| to < from) {
        return Err(Refusal::new(criterion(columns), submission::FLAG_ORDER));
    }
    let evidence = choose(columns.evidence_column.as_ref(), cells, "").map_err(named)?;
    let evidence = evidence.copied().unwrap_or(columns.evidence);
    Ok(Some(Flag { criterion: columns.code.clone(), state, from, to, evidence }))
}

fn service(columns: &ServiceColumns, cells: &Cells, as_at: Date) -> Result<Option<Service>, Refusal> {
    let Some(since) = month(Some(&columns.since), cells, "service.since")? else { return Ok(None) };
    let last_contact_month = month(columns.last_contact.as_ref(), cells, "service.last_contact")?;
    let (last, latest) = (last_contact_month.unwrap_or(since), Month::of(as_at));
    if since > latest || last < since || last > latest {
        return Err(Refusal::new("service", submission::SERVICE_DATES));
    }
    let team = choose(columns.team.as_ref(), cells, "service.team")?.or(columns.team_route.as_ref());
    let team_route = team.cloned().ok_or_else(|| Refusal::new("service.team", NO_TEAM))?;
    let status = choose(columns.status.as_ref(), cells, "service.status")?.copied().unwrap_or(ServiceStatus::Open);
    let lead = choose(columns.lead.as_ref(), cells, "service.lead")?.copied().unwrap_or(false);
    Ok(Some(Service { since, last_contact_month, lead, team_route, status }))
}

/// Appends `,"name":value`.
fn member(out: &mut Vec<u8>, name: &str, value: &impl Serialize) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    serde_json::to_writer(out, value).expect("codes, words, dates and months always serialise into memory");
}
