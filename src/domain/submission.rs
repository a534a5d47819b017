//! A submission on the wire: one header line, then one record a line.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ids::{AgencyCode, AgreementRef, FeedCode, LocalityCode, OpaqueRef, ProgrammeCode, TeamRoute, TokenType};
use super::profile::{Clk, MOST_FIELD_TOKENS};
use super::record::{Attendance, Coverage, Evidence, Flag, ParentalResponsibility, Role, Service, TermName};
use super::time::Month;
use super::token::{Token, is_raw_hash};

/// The token scheme that this release takes.
pub const SCHEME: &str = "pt1";
/// Most tokens that one record may carry, of all types and epochs.
pub const MOST_TOKENS: usize = 128;
/// Most household tokens that one record may carry.
pub const MOST_HOUSEHOLDS: usize = 8;
/// Most school terms that one record may speak of: four years.
pub const MOST_TERMS: usize = 12;
/// Most children of school age that a household may have; beyond it is no home.
pub const MOST_CHILDREN: u8 = 20;
/// Most flags that one record may carry.
pub const MOST_FLAGS: usize = 64;

/// How a submission stands to what the feed said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubmissionMode {
    /// Everything the feed knows: what it does not hold any more is gone.
    #[default]
    Snapshot,
    /// What changed since: records that are new or replace the feed's record of the same reference,
    /// and references whose record goes.
    Delta,
}

impl SubmissionMode {
    /// The word in the file, the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Delta => "delta",
        }
    }
}

/// What happens to the good rows of a file that has bad ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowsMode {
    /// One bad row and none lands.
    #[default]
    AllOrNothing,
    /// Good rows land, bad ones are listed.
    GoodRows,
}

impl RowsMode {
    /// The word in the file, the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllOrNothing => "all_or_nothing",
            Self::GoodRows => "good_rows",
        }
    }
}

/// A linkage key epoch with the key checks of the types that the file uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EpochKeys {
    /// Which epoch of the linkage key.
    pub epoch: u32,
    /// Token type to 16 hexadecimal digits: a wrong key is refused instead of matching nobody.
    #[schema(value_type = BTreeMap<String, String>)]
    pub key_checks: BTreeMap<TokenType, String>,
}

/// The first line of a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The programme.
    #[schema(value_type = String)]
    pub programme: ProgrammeCode,
    /// Whose records these are; the caller's own agency.
    #[schema(value_type = String)]
    pub agency: AgencyCode,
    /// Which feed of the calendar.
    #[schema(value_type = String)]
    pub feed: FeedCode,
    /// The agreement whose supply term covers the feed.
    #[schema(value_type = String, example = "early-help-core/v1")]
    pub agreement: AgreementRef,
    /// `snapshot` replaces what the feed said, `delta` changes it.
    pub mode: SubmissionMode,
    /// What happens when some rows are bad.
    #[serde(default)]
    pub rows: RowsMode,
    /// The day that the file describes.
    #[schema(value_type = String, format = Date)]
    pub as_at: Date,
    /// Token scheme, `pt1`.
    pub scheme: String,
    /// Normalisation version.
    pub norm: u16,
    /// SHA-256 of the match-keys file, hexadecimal.
    pub match_keys: String,
    /// One epoch, or two while a key is being changed.
    pub epochs: Vec<EpochKeys>,
}

/// Tokens by epoch and type, as a record or an enquiry carries them.
pub type TokensByEpoch = BTreeMap<u32, BTreeMap<TokenType, Vec<Token>>>;

/// One record line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordLine {
    /// The agency's keyed reference of its record.
    #[serde(rename = "ref")]
    pub reference: OpaqueRef,
    /// Who the person is in the household.
    #[serde(default)]
    pub role: Role,
    /// Parental responsibility.
    #[serde(default)]
    pub parental_responsibility: ParentalResponsibility,
    /// Aged 18 to 25 with special educational needs or a disability.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub send_18_25: bool,
    /// Tokens that may link the person.
    pub tokens: TokensByEpoch,
    /// Household tokens.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub household: TokensByEpoch,
    /// Those among `tokens` that stand for an identity which the person left: from now on they match nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retired: TokensByEpoch,
    /// Tokens of single fields (privacy profile B): sealed on arrival, never stored or indexed as such.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: TokensByEpoch,
    /// A fuzzy encoding (privacy profile C): sealed likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clk: Option<Clk>,
    /// Criterion evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// Last month in which the person can still be assessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assessable_until: Option<Month>,
    /// Whether the agency still sees the person.
    #[serde(default)]
    pub coverage: Coverage,
    /// The agency shields the person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restricted: bool,
    /// Part of the district.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locality: Option<LocalityCode>,
    /// The agency's work with the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// A child's attendance, term by term.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attendance: Vec<Attendance>,
    /// How many children of school age live in the household.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub school_age_children: Option<u8>,
}

impl RecordLine {
    /// The part that is sealed as evidence.
    pub fn into_evidence(self) -> Evidence {
        Evidence {
            role: self.role,
            parental_responsibility: self.parental_responsibility,
            send_18_25: self.send_18_25,
            flags: self.flags,
            contested: Vec::new(),
            assessable_until: self.assessable_until,
            coverage: self.coverage,
            locality: self.locality,
            service: self.service,
            attendance: self.attendance,
            school_age_children: self.school_age_children,
        }
    }
}

/// A line of a delta that takes a record back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetractLine {
    #[serde(rename = "ref")]
    reference: OpaqueRef,
    retract: bool,
}

/// What one line of a submission asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A record: new, or in place of the feed's record of the same reference.
    Record(Box<RecordLine>),
    /// The feed's record of this reference goes.
    Retract(OpaqueRef),
}

/// One thing wrong with a row: where, and a code of [`ROW_CODES`]. Never the value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
pub struct RowFault {
    /// The field, as a path of names the format defines.
    pub field: String,
    /// What is wrong.
    pub code: &'static str,
}

impl RowFault {
    /// A fault at a field.
    pub fn new(field: impl Into<String>, code: &'static str) -> Self {
        Self { field: field.into(), code }
    }
}

macro_rules! row_codes {
    ($($name:ident = $code:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: &str = $code;)*
        /// Every row code with what it means and what to do.
        pub const ROW_CODES: &[(&str, &str)] = &[$(($code, $meaning)),*];
    };
}

row_codes! {
    NOT_JSON = "row.not_json", "The line is not a JSON object, or the file was cut off in the middle of it. Send the file again.";
    NOT_CSV = "row.not_csv", "The row is not CSV in UTF-8.";
    CELLS = "row.cells", "The row has another number of cells than there are columns; a row is one line, without breaks in its cells.";
    TOO_LONG = "row.too_long", "The line is longer than the limit. A record has at most 128 tokens and 64 flags.";
    UNKNOWN_FIELD = "row.unknown_field", "The line has a field that the format does not define. Names, dates of birth and addresses never leave the agency.";
    MISSING = "row.missing", "A field that every record needs is missing.";
    MALFORMED = "row.malformed", "The field has the wrong type or an unknown word.";
    DUPLICATE_REF = "row.duplicate_ref", "An earlier line of the file has the same reference.";
    RETRACT_UNKNOWN = "retract.unknown", "The feed shows no record of this reference, so there is none to take back.";
    RETRACT_MISPLACED = "retract.misplaced", "Only a delta takes records back, with a line of `ref` and `\"retract\": true` and nothing else.";
    NOT_A_REF = "ref.malformed", "The reference is not 22 base64url characters as `porth tokenise` makes them.";
    NOT_A_TOKEN = "token.malformed", "The value is not a token of 43 base64url characters. Values in clear are refused and not kept.";
    RAW_HASH = "token.raw_hash", "The value is a hash made elsewhere, not a token. Give it to `porth tokenise` as a field read by `legacy-hash`; it is refused as it stands and not kept.";
    LEGACY_TOKEN = "token.legacy", "The agreement does not let this agency send tokens made of old hash values, or no longer.";
    TOKEN_TYPE = "token.type", "The token type has no key check in the header, or the programme does not use it there.";
    TOKEN_EPOCH = "token.epoch", "The epoch is not one of the header's.";
    TOO_MANY_TOKENS = "token.too_many", "The record carries more tokens than the limit.";
    NO_TOKENS = "token.none", "The record carries no token: nothing could ever match it.";
    NOT_ITS_OWN = "retired.not_own", "A retired token has to stand among the record's own `tokens` as well: an agency retires what its own record carries.";
    PROFILE = "profile.not_agreed", "The agency's supply terms in the agreement do not have the privacy profile of this evidence (B for field tokens, C for fuzzy encodings).";
    PROFILE_UNSEALED = "profile.unavailable", "The gateway has no key to seal this evidence to: its operator has to configure the match run's public key.";
    NOT_A_CLK = "clk.malformed", "The encoding is not base64url of at most 512 bytes.";
    FLAG_CRITERION = "flag.criterion", "The programme has no such criterion, or the feed does not supply it.";
    FLAG_FUTURE = "flag.future", "The date lies after the day that the file describes.";
    FLAG_ORDER = "flag.order", "The flag ends before it begins.";
    FLAG_REPEATED = "flag.repeated", "The record says two things of one criterion from the same day.";
    FLAG_SOFT = "flag.professional", "The criterion does not take professional judgement.";
    TOO_MANY_FLAGS = "flag.too_many", "The record carries more flags than the limit.";
    LOCALITY = "locality.unknown", "The programme has no such locality.";
    TEAM = "service.team", "The agency's file lists no such team.";
    ATTENDANCE_TERM = "attendance.term", "The feed does not supply attendance, or the programme lists no such term.";
    ATTENDANCE_FUTURE = "attendance.future", "The term had not ended on the day that the file describes.";
    ATTENDANCE_REPEATED = "attendance.repeated", "The record says two things of one term.";
    TOO_MANY_TERMS = "attendance.too_many", "The record carries more than 12 terms.";
    SCHOOL_AGE = "household.school_age_children", "A household of more than 20 children of school age is no family.";
    SEND_ROLE = "role.send_18_25", "Nobody who is not born is 18 to 25 years old.";
    SERVICE_DATES = "service.dates", "The service begins after the day that the file describes, or its last contact lies before its beginning or after that day.";
}

/// What a row is checked against, fixed by the header and the policy files.
pub struct RowRules<'a> {
    /// The header.
    pub header: &'a Header,
    /// Whether a type may stand among `tokens`.
    pub links: &'a dyn Fn(&TokenType) -> bool,
    /// Whether a type is made of old hash values that the agreement does not take.
    pub is_refused_legacy: &'a dyn Fn(&TokenType) -> bool,
    /// Whether a type may stand in `household`.
    pub is_household: &'a dyn Fn(&TokenType) -> bool,
    /// Whether a type is a level of a weighed field.
    pub is_field: &'a dyn Fn(&TokenType) -> bool,
    /// The code for which field tokens are refused; none when they are taken.
    pub refuses_fields: Option<&'static str>,
    /// The code for which encodings are refused; none when they are taken.
    pub refuses_clk: Option<&'static str>,
    /// Whether the feed supplies a criterion, and whether that takes professional judgement.
    pub criterion: &'a dyn Fn(&Flag) -> Option<bool>,
    /// Whether the programme has a locality.
    pub locality: &'a dyn Fn(&LocalityCode) -> bool,
    /// The last day of a school term, when the feed supplies attendance and the programme lists it.
    pub term: &'a dyn Fn(&TermName) -> Option<Date>,
    /// Whether the agency has a team.
    pub team: &'a dyn Fn(&TeamRoute) -> bool,
}

/// Reads and checks one line: a record, or in a delta also a reference whose record goes.
///
/// # Errors
///
/// Every fault found, at least one, each with its field and code.
pub fn parse_line(line: &[u8], rules: &RowRules<'_>) -> Result<Line, Vec<RowFault>> {
    if rules.header.mode == SubmissionMode::Delta
        && let Ok(RetractLine { reference, retract: true }) = serde_json::from_slice(line)
    {
        return Ok(Line::Retract(reference));
    }
    parse_row(line, rules).map(|record| Line::Record(Box::new(record)))
}

/// Reads and checks one record line.
///
/// # Errors
///
/// Every fault found, at least one, each with its field and code.
pub fn parse_row(line: &[u8], rules: &RowRules<'_>) -> Result<RecordLine, Vec<RowFault>> {
    let Ok(record) = serde_json::from_slice::<RecordLine>(line) else {
        return Err(diagnose(line));
    };
    let faults = check(&record, rules);
    if faults.is_empty() { Ok(record) } else { Err(faults) }
}

fn check(record: &RecordLine, rules: &RowRules<'_>) -> Vec<RowFault> {
    let mut faults = Vec::new();
    let tokens = check_tokens(&record.tokens, "tokens", rules.header, rules.links, &mut faults);
    let households = check_tokens(&record.household, "household", rules.header, rules.is_household, &mut faults);
    if tokens == 0 {
        faults.push(RowFault::new("tokens", NO_TOKENS));
    }
    if tokens > MOST_TOKENS {
        faults.push(RowFault::new("tokens", TOO_MANY_TOKENS));
    }
    if households > MOST_HOUSEHOLDS {
        faults.push(RowFault::new("household", TOO_MANY_TOKENS));
    }
    if record.tokens.values().any(|types| types.keys().any(rules.is_refused_legacy)) {
        faults.push(RowFault::new("tokens", LEGACY_TOKEN));
    }
    if record.send_18_25 && record.role == Role::Unborn {
        faults.push(RowFault::new("send_18_25", SEND_ROLE));
    }
    check_tokens(&record.retired, "retired", rules.header, rules.links, &mut faults);
    if !carries(&record.tokens, &record.retired) {
        faults.push(RowFault::new("retired", NOT_ITS_OWN));
    }
    check_profile(record, rules, &mut faults);
    check_flags(record, rules, &mut faults);
    check_attendance(record, rules, &mut faults);
    if record.school_age_children.is_some_and(|count| count > MOST_CHILDREN) {
        faults.push(RowFault::new("school_age_children", SCHOOL_AGE));
    }
    if record.locality.as_ref().is_some_and(|locality| !(rules.locality)(locality)) {
        faults.push(RowFault::new("locality", LOCALITY));
    }
    if let Some(service) = &record.service {
        if !(rules.team)(&service.team_route) {
            faults.push(RowFault::new("service.team_route", TEAM));
        }
        let latest = Month::of(rules.header.as_at);
        let last = service.last_contact_month.unwrap_or(service.since);
        if service.since > latest || last < service.since || last > latest {
            faults.push(RowFault::new("service", SERVICE_DATES));
        }
    }
    faults
}

fn check_profile(record: &RecordLine, rules: &RowRules<'_>, faults: &mut Vec<RowFault>) {
    if !record.fields.is_empty() {
        let count = check_tokens(&record.fields, "fields", rules.header, rules.is_field, faults);
        faults.extend(rules.refuses_fields.map(|code| RowFault::new("fields", code)));
        if count > MOST_FIELD_TOKENS {
            faults.push(RowFault::new("fields", TOO_MANY_TOKENS));
        }
    }
    if record.clk.is_some() {
        faults.extend(rules.refuses_clk.map(|code| RowFault::new("clk", code)));
    }
}

/// Whether every token of the second is one of the first.
fn carries(own: &TokensByEpoch, named: &TokensByEpoch) -> bool {
    let of = |epoch, token_type| own.get(epoch).and_then(|types: &BTreeMap<_, Vec<Token>>| types.get(token_type));
    named.iter().all(|(epoch, types)| {
        types.iter().all(|(token_type, tokens)| {
            tokens.iter().all(|token| of(epoch, token_type).is_some_and(|held| held.contains(token)))
        })
    })
}

/// Checks types and epochs; returns how many tokens there are.
fn check_tokens(
    tokens: &TokensByEpoch,
    field: &str,
    header: &Header,
    is_allowed: &dyn Fn(&TokenType) -> bool,
    faults: &mut Vec<RowFault>,
) -> usize {
    let mut count = 0;
    for (epoch, types) in tokens {
        let Some(declared) = header.epochs.iter().find(|declared| declared.epoch == *epoch) else {
            faults.push(RowFault::new(field, TOKEN_EPOCH));
            continue;
        };
        for (token_type, values) in types {
            if !declared.key_checks.contains_key(token_type) || !is_allowed(token_type) {
                faults.push(RowFault::new(field, TOKEN_TYPE));
            }
            count += values.len();
        }
    }
    count
}

fn check_flags(record: &RecordLine, rules: &RowRules<'_>, faults: &mut Vec<RowFault>) {
    if record.flags.len() > MOST_FLAGS {
        faults.push(RowFault::new("flags", TOO_MANY_FLAGS));
        return;
    }
    let as_at = rules.header.as_at;
    for (index, flag) in record.flags.iter().enumerate() {
        let field = |name: &str| format!("flags[{index}].{name}");
        match (rules.criterion)(flag) {
            None => faults.push(RowFault::new(field("criterion"), FLAG_CRITERION)),
            Some(takes_judgement) => {
                if !takes_judgement && flag.evidence == super::record::EvidenceGrade::Professional {
                    faults.push(RowFault::new(field("evidence"), FLAG_SOFT));
                }
            }
        }
        if flag.from > as_at {
            faults.push(RowFault::new(field("from"), FLAG_FUTURE));
        }
        if flag.to.is_some_and(|to| to > as_at) {
            faults.push(RowFault::new(field("to"), FLAG_FUTURE));
        }
        if flag.to.is_some_and(|to| to < flag.from) {
            faults.push(RowFault::new(field("to"), FLAG_ORDER));
        }
        if record.flags[..index].iter().any(|other| other.criterion == flag.criterion && other.from == flag.from) {
            faults.push(RowFault::new(field("criterion"), FLAG_REPEATED));
        }
    }
}

fn check_attendance(record: &RecordLine, rules: &RowRules<'_>, faults: &mut Vec<RowFault>) {
    if record.attendance.len() > MOST_TERMS {
        faults.push(RowFault::new("attendance", TOO_MANY_TERMS));
        return;
    }
    for (index, said) in record.attendance.iter().enumerate() {
        let mut fault = |code| faults.push(RowFault::new(format!("attendance[{index}].term"), code));
        match (rules.term)(&said.term) {
            None => fault(ATTENDANCE_TERM),
            Some(ends) if ends > rules.header.as_at => fault(ATTENDANCE_FUTURE),
            Some(_) => {}
        }
        if record.attendance[..index].iter().any(|other| other.term == said.term) {
            fault(ATTENDANCE_REPEATED);
        }
    }
}

/// Finds what is wrong with a line that did not parse, field by field, without its values.
fn diagnose(line: &[u8]) -> Vec<RowFault> {
    let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(line) else {
        return vec![RowFault::new("", NOT_JSON)];
    };
    let mut faults = Vec::new();
    for name in ["ref", "tokens"] {
        let is_retraction = name == "tokens" && fields.contains_key("retract");
        if !fields.contains_key(name) && !is_retraction {
            faults.push(RowFault::new(name, MISSING));
        }
    }
    for (name, value) in &fields {
        let code = match name.as_str() {
            "ref" => bad::<OpaqueRef>(value, NOT_A_REF),
            "tokens" | "household" | "fields" | "retired" => tokens_fault(value),
            "clk" => bad::<Option<Clk>>(value, NOT_A_CLK),
            "retract" => Some(RETRACT_MISPLACED),
            "role" => bad::<Role>(value, MALFORMED),
            "parental_responsibility" => bad::<ParentalResponsibility>(value, MALFORMED),
            "flags" => bad::<Vec<Flag>>(value, MALFORMED),
            "assessable_until" => bad::<Option<Month>>(value, MALFORMED),
            "coverage" => bad::<Coverage>(value, MALFORMED),
            "restricted" | "send_18_25" => bad::<bool>(value, MALFORMED),
            "locality" => bad::<Option<LocalityCode>>(value, MALFORMED),
            "service" => bad::<Option<Service>>(value, MALFORMED),
            "attendance" => bad::<Vec<Attendance>>(value, MALFORMED),
            "school_age_children" => bad::<Option<u8>>(value, MALFORMED),
            // The name itself may be somebody's, so it is not repeated.
            _ => {
                faults.push(RowFault::new("", UNKNOWN_FIELD));
                continue;
            }
        };
        faults.extend(code.map(|code| RowFault::new(name, code)));
    }
    if faults.is_empty() {
        // A repeated field: each part reads well, the whole does not.
        faults.push(RowFault::new("", MALFORMED));
    }
    faults
}

fn bad<T: serde::de::DeserializeOwned>(value: &Value, code: &'static str) -> Option<&'static str> {
    serde_json::from_value::<T>(value.clone()).err().map(|_| code)
}

/// Tells a value in clear apart from a wrong shape.
fn tokens_fault(value: &Value) -> Option<&'static str> {
    if serde_json::from_value::<TokensByEpoch>(value.clone()).is_ok() {
        return None;
    }
    let has_hashes = |value: &Value| -> Option<bool> {
        let mut found = false;
        for (epoch, types) in value.as_object()? {
            epoch.parse::<u32>().ok()?;
            for (token_type, tokens) in types.as_object()? {
                TokenType::parse(token_type).ok()?;
                found |= tokens.as_array()?.iter().any(|token| token.as_str().is_some_and(is_raw_hash));
            }
        }
        Some(found)
    };
    Some(match has_hashes(value) {
        None => MALFORMED,
        Some(true) => RAW_HASH,
        Some(false) => NOT_A_TOKEN,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        serde_json::from_value(serde_json::json!({
            "programme": "demo", "agency": "schools", "feed": "attendance", "agreement": "core/v1",
            "mode": "snapshot", "as_at": "2026-09-30", "scheme": "pt1", "norm": 1, "match_keys": "00",
            "epochs": [{"epoch": 1, "key_checks": {"nhs": "58faa97061d98637", "uprn": "5a0fd5c252780a16", "legacy": "00"}}],
        }))
        .expect("a header")
    }

    fn parse(line: &str) -> Result<RecordLine, Vec<RowFault>> {
        let header = header();
        parse_row(
            line.as_bytes(),
            &RowRules {
                header: &header,
                links: &|token_type| ["nhs", "legacy"].contains(&token_type.as_str()),
                is_refused_legacy: &|token_type| token_type.as_str() == "legacy",
                is_household: &|token_type| token_type.as_str() == "uprn",
                is_field: &|token_type| token_type.as_str() == "nhs",
                refuses_fields: None,
                refuses_clk: Some(PROFILE),
                criterion: &|flag| (flag.criterion.as_str() == "E1").then_some(false),
                locality: &|locality| locality.as_str() == "west",
                term: &|term| (term.as_str() != "2020-autumn").then_some(Date::constant(2026, 7, 22)),
                team: &|team| team.as_str() == "welfare",
            },
        )
    }

    const REF: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    const TOKEN: &str = "7kbGVthM8uxgiPHUwW_LXbMTqcIlLqz93h99vZUBflo";

    fn row(extra: &str) -> String {
        format!(r#"{{"ref":"{REF}","tokens":{{"1":{{"nhs":["{TOKEN}"]}}}}{extra}}}"#)
    }

    #[test]
    fn a_whole_record_is_read() {
        let line = row(&format!(
            r#","role":"child","household":{{"1":{{"uprn":["{TOKEN}"]}}}},"locality":"west","restricted":true,
            "flags":[{{"criterion":"E1","state":"met","from":"2026-04-01","to":"2026-07-20"}}],
            "service":{{"since":"2026-03","lead":true,"team_route":"welfare","status":"open"}}"#
        ));
        let record = parse(&line).expect("well-formed");
        assert!(record.restricted);
        assert_eq!(record.role, Role::Child);
        assert_eq!(record.into_evidence().flags.len(), 1);
    }

    #[test]
    fn field_tokens_and_encodings_are_taken_where_they_are_agreed_and_named_otherwise() {
        let of = |body: &str| parse(&row(body)).map(|record| record.fields.len());
        let fields =
            |epoch: &str, name: &str, token: &str| format!(r#","fields":{{"{epoch}":{{"{name}":[{token}]}}}}"#);
        let token = format!("\"{TOKEN}\"");
        assert_eq!(of(&fields("1", "nhs", &token)), Ok(1));
        let many = [token.as_str(); MOST_FIELD_TOKENS + 1].join(",");
        for (body, field, code) in [
            (fields("1", "uprn", &token), "fields", TOKEN_TYPE),
            (fields("2", "nhs", &token), "fields", TOKEN_EPOCH),
            (fields("1", "nhs", "\"Jowan\""), "fields", NOT_A_TOKEN),
            (fields("1", "nhs", &many), "fields", TOO_MANY_TOKENS),
            (r#","clk":"AAEC""#.to_owned(), "clk", PROFILE),
            (r#","clk":"not base64""#.to_owned(), "clk", NOT_A_CLK),
        ] {
            assert_eq!(of(&body), Err(vec![RowFault::new(field, code)]), "{body}");
        }
    }

    #[test]
    fn every_fault_has_its_field_and_code() {
        let flag = |body: &str| row(&format!(r#","flags":[{{"criterion":"E1","state":"met",{body}}}]"#));
        let retired = |token: &str| row(&format!(r#","retired":{{"1":{{"nhs":["{token}"]}}}}"#));
        assert!(parse(&retired(TOKEN)).is_ok());
        let other = TOKEN.replace('7', "8");
        for (line, field, code) in [
            ("{".to_owned(), "", NOT_JSON),
            ("[]".to_owned(), "", NOT_JSON),
            (row(r#","forename":"Jowan""#), "", UNKNOWN_FIELD),
            (format!(r#"{{"ref":"{REF}"}}"#), "tokens", MISSING),
            (row(r#","role":"parent""#), "role", MALFORMED),
            (row("").replace(REF, "case 17"), "ref", NOT_A_REF),
            (row("").replace(TOKEN, "9434765919"), "tokens", NOT_A_TOKEN),
            (row("").replace(TOKEN, "Jowan Trelawny"), "tokens", NOT_A_TOKEN),
            (row("").replace(TOKEN, &"9f".repeat(32)), "tokens", RAW_HASH),
            (row("").replace("\"nhs\"", "\"legacy\""), "tokens", LEGACY_TOKEN),
            (row(r#","household":"TR1 1AA""#), "household", MALFORMED),
            (retired(&other), "retired", NOT_ITS_OWN),
            (retired("Jowan"), "retired", NOT_A_TOKEN),
            (retired(TOKEN).replace(r#""retired":{"1""#, r#""retired":{"2""#), "retired", TOKEN_EPOCH),
            (row("").replace("nhs", "upn"), "tokens", TOKEN_TYPE),
            (row("").replace("nhs", "uprn"), "tokens", TOKEN_TYPE),
            (row("").replace(r#""1":"#, r#""2":"#), "tokens", TOKEN_EPOCH),
            (row("").replace(&format!(r#""{TOKEN}""#), ""), "tokens", NO_TOKENS),
            (flag(r#""from":"2026-10-01""#), "flags[0].from", FLAG_FUTURE),
            (flag(r#""from":"2026-04-01","to":"2026-12-01""#), "flags[0].to", FLAG_FUTURE),
            (flag(r#""from":"2026-04-01","to":"2026-03-01""#), "flags[0].to", FLAG_ORDER),
            (flag(r#""from":"2026-04-31""#), "flags", MALFORMED),
            (flag(r#""from":"2026-04-01","evidence":"professional""#), "flags[0].evidence", FLAG_SOFT),
            (flag(r#""from":"2026-04-01""#).replace("E1", "X9"), "flags[0].criterion", FLAG_CRITERION),
            (row(r#","attendance":[{"term":"2020-autumn","band":"below_90"}]"#), "attendance[0].term", ATTENDANCE_TERM),
            (row(r#","attendance":[{"term":"winter","band":"below_90"}]"#), "attendance", MALFORMED),
            (row(r#","attendance":[{"term":"2026-summer","band":"87"}]"#), "attendance", MALFORMED),
            (
                row(
                    r#","attendance":[{"term":"2026-summer","band":"below_90"},{"term":"2026-summer","band":"90_and_over"}]"#,
                ),
                "attendance[1].term",
                ATTENDANCE_REPEATED,
            ),
            (row(r#","school_age_children":21"#), "school_age_children", SCHOOL_AGE),
            (row(r#","school_age_children":-1"#), "school_age_children", MALFORMED),
            (row(r#","locality":"north""#), "locality", LOCALITY),
            (row(r#","service":{"since":"2026-03","team_route":"x","status":"open"}"#), "service.team_route", TEAM),
            (row(r#","service":{"since":"2027-03","team_route":"welfare","status":"open"}"#), "service", SERVICE_DATES),
        ] {
            let faults = parse(&line).expect_err(code);
            assert!(faults.contains(&RowFault::new(field, code)), "{code}: {faults:?}");
            let told = format!("{faults:?}");
            for secret in ["Jowan", "9434765919", "TR1", "forename"] {
                assert!(!told.contains(secret), "{told}");
            }
        }
    }

    #[test]
    fn a_delta_takes_back_by_reference_and_a_snapshot_does_not() {
        let line = format!(r#"{{"ref":"{REF}","retract":true}}"#);
        let mut header = header();
        let mut parse = |mode: SubmissionMode, line: &str| {
            header.mode = mode;
            let rules = RowRules {
                is_field: &|_| false,
                refuses_fields: Some(PROFILE),
                refuses_clk: Some(PROFILE),
                header: &header,
                links: &|_| true,
                is_refused_legacy: &|_| false,
                is_household: &|_| false,
                criterion: &|_| None,
                locality: &|_| false,
                term: &|_| None,
                team: &|_| false,
            };
            parse_line(line.as_bytes(), &rules)
        };
        let reference = OpaqueRef::parse(REF).expect("a reference");
        assert_eq!(parse(SubmissionMode::Delta, &line), Ok(Line::Retract(reference)));
        let misplaced = Err(vec![RowFault::new("retract", RETRACT_MISPLACED)]);
        assert_eq!(parse(SubmissionMode::Snapshot, &line), misplaced);
        assert_eq!(parse(SubmissionMode::Delta, &line.replace("true", "false")), misplaced);
        let with_more = row(r#","retract":true"#);
        assert_eq!(parse(SubmissionMode::Delta, &with_more), misplaced);
        assert!(matches!(parse(SubmissionMode::Delta, &row("")), Ok(Line::Record(_))));
        let bad = line.replace(REF, "case 17");
        assert!(parse(SubmissionMode::Delta, &bad).expect_err("bad").contains(&RowFault::new("ref", NOT_A_REF)));
    }

    #[test]
    fn every_code_says_what_to_do_and_stands_once() {
        for (index, (code, meaning)) in ROW_CODES.iter().enumerate() {
            assert!(meaning.ends_with('.') && meaning.len() > 20, "{code}");
            assert!(ROW_CODES[..index].iter().all(|(other, _)| other != code), "{code}");
        }
    }
}
