//! The proposed mapping: each line with its reason beside it, and what is not sure commented out.

use std::fmt::{self, Write as _};

use super::facts::{ColumnFacts, FORMS, Facts};
use super::words::{WORDS, Word};
use crate::cli::agency::tokenise::source::InputForm;
use crate::domain::ids::{AgencyCode, ProgrammeCode};
use crate::domain::match_keys::{MatchKeys, Normaliser};

/// What of a guess does not come from the file of people.
pub(super) struct Owner {
    pub(super) programme: Option<ProgrammeCode>,
    pub(super) agency: Option<AgencyCode>,
}

/// What a column is taken for.
enum Verdict {
    /// A field of the match keys.
    Field { field: usize, forms: Option<Vec<usize>>, is_former: bool, reason: String },
    /// One of [`WORDS`].
    Words { word: usize, reason: String },
    /// A part of the record key.
    Key { reason: String },
    /// Something that is not mapped, and why; with the lines to use if it is that after all.
    Open { field: Option<usize>, forms: Option<Vec<usize>>, reason: String },
}

/// Whether a first row is one of headings: one of them names a field, and none of them is a number
/// or a date that only a person has.
pub(super) fn has_headings(facts: &Facts, keys: &MatchKeys) -> bool {
    let names = || keys.fields().iter().map(|field| field.name.as_str());
    let is_cell = |name: &str| name.bytes().filter(u8::is_ascii_digit).count() >= 6;
    facts.columns.iter().any(|column| column.heading.field(names()).is_some())
        && !facts.columns.iter().any(|column| is_cell(&column.name))
}

/// Writes the mapping.
pub(super) fn write(facts: &Facts, keys: &MatchKeys, form: InputForm, owner: &Owner) -> Option<String> {
    let verdicts = verdicts(facts, keys)?;
    let mut text = String::new();
    Proposal { facts, keys, form, owner, verdicts: &verdicts }.write(&mut text).ok()?;
    Some(text)
}

fn verdicts(facts: &Facts, keys: &MatchKeys) -> Option<Vec<Verdict>> {
    let mut verdicts: Vec<Verdict> = facts.columns.iter().map(|column| by_heading(column, facts, keys)).collect();
    first_words_alone(&mut verdicts);
    settle_rivals(&mut verdicts, facts, keys);
    by_shape(&mut verdicts, facts, keys);
    choose_key(&mut verdicts, facts);
    verdicts.iter().any(|verdict| matches!(verdict, Verdict::Field { .. })).then_some(verdicts)
}

fn open(reason: impl Into<String>) -> Verdict {
    Verdict::Open { field: None, forms: None, reason: reason.into() }
}

fn by_heading(column: &ColumnFacts, facts: &Facts, keys: &MatchKeys) -> Verdict {
    let names = keys.fields().iter().map(|field| field.name.as_str());
    for (at, word) in WORDS.iter().enumerate() {
        let is_named = word.is_named_by(&column.heading);
        let knows_all = column.filled > 0 && column.words[at] == column.filled;
        let share = column.share(column.words[at]);
        if knows_all && (is_named || word.says_itself) {
            let found = if is_named { "the heading says so; " } else { "by its words alone: " };
            return Verdict::Words { word: at, reason: format!("{found}{share} are words listed here") };
        }
        if is_named {
            let part = word.part;
            return open(format!(
                "CHECK: the heading says {part}, but only {share} are words known for it; list the file's own words under [{part}]"
            ));
        }
    }
    let Some(field) = column.heading.field(names).and_then(|name| keys.field_index(name)) else {
        return open(unnamed(column));
    };
    let share = column.share(column.read_as[field]);
    let what = &keys.fields()[field].name;
    let is_date = matches!(keys.fields()[field].normaliser, Normaliser::Date(_) | Normaliser::ExpectedDate(_));
    let forms = if is_date { column.forms() } else { None };
    let doubt = if column.heading.is_of_somebody_else() {
        format!("the heading names {what}, but of somebody else than the person of the row")
    } else if column.heading.is_name_apart() {
        format!("the heading names {what}, but perhaps not the one on record; as a further {what} it makes more tokens")
    } else if column.filled == 0 {
        format!("the heading names {what}, but every cell of the {} rows looked at is empty", facts.rows)
    } else if column.read_as[field] * 2 < column.filled {
        format!("the heading names {what}, but only {share} read as one")
    } else if is_date && forms.is_none() {
        format!("the heading names {what}, but no cell shows whether day or month comes first; say which")
    } else {
        let reason = format!("the heading names it; {share} read as {what}");
        return Verdict::Field { field, forms, is_former: column.heading.is_former(), reason };
    };
    Verdict::Open { field: Some(field), forms, reason: doubt }
}

/// What a column without a known heading looks like.
fn unnamed(column: &ColumnFacts) -> String {
    if column.heading.is_whole_name() {
        "a whole name in one column: it cannot be split safely; export forename and surname apart".to_owned()
    } else if column.filled == 0 {
        "empty".to_owned()
    } else if column.dates * 10 >= column.filled * 9 {
        let share = column.share(column.dates);
        format!("{share} are dates: perhaps of a criterion, a service or `assessable_until`")
    } else {
        "the heading names nothing known; add it if it is a criterion, a service, a locality or attendance".to_owned()
    }
}

/// A part of the mapping has one column: a second one of the same words stays open.
fn first_words_alone(verdicts: &mut [Verdict]) {
    let mut taken = [false; WORDS.len()];
    for verdict in verdicts {
        let Verdict::Words { word, .. } = verdict else { continue };
        let part = WORDS[*word].part;
        if std::mem::replace(&mut taken[*word], true) {
            *verdict =
                open(format!("CHECK: a second column with the words of [{part}]; one of them alone can be mapped"));
        }
    }
}

/// Of several current columns for one field the one that is named by the field's word alone is taken;
/// otherwise none.
fn settle_rivals(verdicts: &mut [Verdict], facts: &Facts, keys: &MatchKeys) {
    let fields: Vec<Option<usize>> = verdicts
        .iter()
        .map(|verdict| match verdict {
            Verdict::Field { field, is_former: false, .. } => Some(*field),
            _ => None,
        })
        .collect();
    for at in 0..verdicts.len() {
        let Some(field) = fields[at] else { continue };
        let rivals: Vec<usize> = (0..fields.len()).filter(|&other| fields[other] == Some(field)).collect();
        if rivals.len() == 1 {
            continue;
        }
        let is_plain = |rival: &usize| facts.columns[*rival].heading.is_just(&keys.fields()[field].name);
        if rivals.iter().copied().filter(|rival| is_plain(rival)).eq([at]) {
            continue;
        }
        let others: Vec<&str> =
            rivals.iter().filter(|&&other| other != at).map(|&other| facts.columns[other].name.as_str()).collect();
        let reason = format!("not sure: \"{}\" could be the same; keep the current one first", others.join("\", \""));
        let forms = match &mut verdicts[at] {
            Verdict::Field { forms, .. } => forms.take(),
            _ => None,
        };
        verdicts[at] = Verdict::Open { field: Some(field), forms, reason };
    }
}

/// A column whose heading says nothing, but whose cells have the check digits of one identifier that
/// no other column supplies. What has no check digit is only pointed out.
fn by_shape(verdicts: &mut [Verdict], facts: &Facts, keys: &MatchKeys) {
    for at in 0..verdicts.len() {
        let column = &facts.columns[at];
        if !matches!(&verdicts[at], Verdict::Open { field: None, .. }) || column.filled < 5 {
            continue;
        }
        let fits = |field: &usize| column.read_as[*field] * 10 >= column.filled * 9;
        let is_checked = |field: &usize| {
            let normaliser = keys.fields()[*field].normaliser;
            let is_checked = matches!(
                normaliser,
                Normaliser::Nhs | Normaliser::Upn | Normaliser::TemporaryUpn | Normaliser::Pnc | Normaliser::Uln
            );
            is_checked && fits(field)
        };
        let checked: Vec<usize> = (0..keys.fields().len()).filter(is_checked).collect();
        let is_supplied = |wanted: usize| {
            verdicts.iter().any(|verdict| matches!(verdict, Verdict::Field { field, .. } if *field == wanted))
        };
        let is_shaped =
            |field: &usize| matches!(keys.fields()[*field].normaliser, Normaliser::Postcode | Normaliser::Nino);
        let shaped = (0..keys.fields().len()).find(|field| is_shaped(field) && fits(field));
        if let [field] = checked[..] {
            let (what, share) = (&keys.fields()[field].name, column.share(column.read_as[field]));
            let is_free = !is_supplied(field) && !column.heading.is_of_somebody_else();
            verdicts[at] = if is_free {
                let reason = format!("the heading does not say so, but {share} read as {what}, check digit and all");
                Verdict::Field { field, forms: None, is_former: false, reason }
            } else {
                let reason = format!("{share} read as {what}, but the heading does not say whose");
                Verdict::Open { field: Some(field), forms: None, reason }
            };
        } else if let Some(field) = shaped {
            let (what, share) = (&keys.fields()[field].name, column.share(column.read_as[field]));
            let reason = format!("{share} have the form of {what}, but the heading does not say whose");
            verdicts[at] = Verdict::Open { field: Some(field), forms: None, reason };
        }
    }
}

/// The record key: a column that fills every row and repeats nothing, by its heading or by its look.
fn choose_key(verdicts: &mut [Verdict], facts: &Facts) {
    let is_whole = |at: &usize| {
        let column = &facts.columns[*at];
        facts.rows > 0 && column.filled == facts.rows && column.is_distinct
    };
    let is_open = |at: &usize| matches!(&verdicts[*at], Verdict::Open { field: None, .. });
    let open: Vec<usize> = (0..verdicts.len()).filter(is_open).collect();
    let is_key = |at: &usize| facts.columns[*at].heading.is_key() && !facts.columns[*at].heading.is_of_somebody_else();
    let named = open.iter().copied().find(|at| is_key(at) && is_whole(at));
    let is_code = |at: &usize| facts.columns[*at].codes * 10 >= facts.columns[*at].filled * 9;
    let coded = || open.iter().copied().find(|at| is_whole(at) && is_code(at));
    let rows = facts.rows;
    let chosen = match (named, coded()) {
        (Some(at), _) => (at, format!("the heading names a key; it fills all {rows} rows looked at and none repeats")),
        (None, Some(at)) => (
            at,
            format!("the heading does not say so, but it fills all {rows} rows looked at with codes and none repeats"),
        ),
        // A mapping needs a key: the first column that may be one, with a warning.
        (None, None) => {
            let first = open.iter().copied().find(is_key).or(open.first().copied());
            let Some(at) = first else { return };
            (at, "CHECK: no column fills every row without repeating; name the columns that together tell a record from all others".to_owned())
        }
    };
    verdicts[chosen.0] = Verdict::Key { reason: chosen.1 };
}

struct Proposal<'a> {
    facts: &'a Facts,
    keys: &'a MatchKeys,
    form: InputForm,
    owner: &'a Owner,
    verdicts: &'a [Verdict],
}

impl Proposal<'_> {
    fn write(&self, out: &mut String) -> fmt::Result {
        let rows = self.facts.rows;
        writeln!(
            out,
            "# A mapping proposed from the headings and from counts over {rows} rows. Read every line before it is used:"
        )?;
        writeln!(out, "# a wrong column makes tokens that match nobody, or the wrong person.\n")?;
        let given = |code: Option<&str>, placeholder: &str| match code {
            Some(code) => (code.to_owned(), "from the key file"),
            None => (placeholder.to_owned(), "CHECK: write your own"),
        };
        let programme = given(self.owner.programme.as_ref().map(ProgrammeCode::as_str), "programme");
        let agency = given(self.owner.agency.as_ref().map(AgencyCode::as_str), "agency");
        for (name, (code, reason)) in [("programme", programme), ("agency", agency)] {
            writeln!(out, "{name} = \"{code}\" # {reason}")?;
        }
        writeln!(out, "feed = \"feed\" # CHECK: write the feed of the calendar")?;
        writeln!(out, "agreement = \"agreement/v1\" # CHECK: write the agreement that covers the feed")?;
        writeln!(out, "# as_at = 2026-01-31 # CHECK: write the day that the file describes, or use --as-at")?;
        writeln!(out, "\n[file]")?;
        let found =
            if self.form.delimiter_detected { "finds the most headings" } else { "as the file's first line says" };
        writeln!(out, "delimiter = \"{}\" # {found}", self.form.delimiter.as_str())?;
        let encoding = match self.form.encoding.as_str() {
            "utf-8" => "every byte looked at is UTF-8",
            _ => "some bytes are not UTF-8, and older Windows programs write this",
        };
        writeln!(out, "encoding = \"{}\" # {encoding}", self.form.encoding.as_str())?;
        self.key(out)?;
        // Of one field, the current column comes before former ones.
        for wants_former in [false, true] {
            for (column, verdict) in self.columns() {
                if let Verdict::Field { field, forms, is_former, reason } = verdict
                    && *is_former == wants_former
                {
                    writeln!(out)?;
                    self.field(out, "", column, *field, forms.as_deref(), reason)?;
                }
            }
        }
        for (column, verdict) in self.columns() {
            if let Verdict::Words { word, reason } = verdict {
                words(out, column, &WORDS[*word], reason)?;
            }
        }
        self.open(out)
    }

    fn columns(&self) -> impl Iterator<Item = (&ColumnFacts, &Verdict)> {
        self.facts.columns.iter().zip(self.verdicts)
    }

    fn key(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "\n[record]")?;
        let key = self.columns().find_map(|(column, verdict)| match verdict {
            Verdict::Key { reason } => Some((column, reason.as_str())),
            _ => None,
        });
        if let Some((column, reason)) = key {
            return writeln!(out, "key = [{}] # {reason}", quoted(&column.name));
        }
        let first = self.facts.columns.first().map_or("", |column| column.name.as_str());
        let reason = "CHECK: every column is something else; export the record's number too";
        writeln!(out, "key = [{}] # {reason}", quoted(first))
    }

    fn field(
        &self,
        out: &mut String,
        mark: &str,
        column: &ColumnFacts,
        field: usize,
        forms: Option<&[usize]>,
        reason: &str,
    ) -> fmt::Result {
        writeln!(out, "{mark}[[field]]")?;
        writeln!(out, "{mark}column = {} # {reason}", quoted(&column.name))?;
        writeln!(out, "{mark}field = \"{}\"", self.keys.fields()[field].name)?;
        if let Some(forms) = forms.filter(|forms| !forms.is_empty()) {
            let names: Vec<String> = forms.iter().map(|&form| format!("\"{}\"", FORMS[form].1)).collect();
            let share = column.share(column.dates);
            writeln!(out, "{mark}date_format = [{}] # {share} are dates of these forms", names.join(", "))?;
        }
        Ok(())
    }

    /// What is not mapped, with the lines to use if it is that after all.
    fn open(&self, out: &mut String) -> fmt::Result {
        let open: Vec<_> = self.columns().filter(|(_, verdict)| matches!(verdict, Verdict::Open { .. })).collect();
        if !open.is_empty() {
            writeln!(out, "\n# Not mapped: nothing of these columns leaves.")?;
        }
        for (column, verdict) in open {
            let Verdict::Open { field, forms, reason } = verdict else { continue };
            match field {
                None => writeln!(out, "# {}: {reason}", quoted(&column.name))?,
                Some(field) => {
                    writeln!(out, "#")?;
                    self.field(out, "# ", column, *field, forms.as_deref(), reason)?;
                }
            }
        }
        Ok(())
    }
}

fn words(out: &mut String, column: &ColumnFacts, word: &Word, reason: &str) -> fmt::Result {
    let mut listed: Vec<String> = Vec::new();
    for (name, meaning) in word.values {
        listed.push(format!("{} = {meaning}", quoted(name)));
    }
    writeln!(out, "\n[{}]", word.part)?;
    writeln!(out, "column = {} # {reason}", quoted(&column.name))?;
    writeln!(out, "values = {{ {} }}", listed.join(", "))
}

/// A TOML text of one line.
fn quoted(text: &str) -> String {
    toml::Value::String(text.split_whitespace().collect::<Vec<_>>().join(" ")).to_string()
}
