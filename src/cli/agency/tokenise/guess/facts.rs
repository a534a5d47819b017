//! What the cells of a column look like, as counts. No cell is kept.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use jiff::civil::Date;

use super::words::{Heading, WORDS};
use crate::cli::agency::mapping::{DateForm, DateForms, spreadsheet_fault};
use crate::cli::agency::tokenise::cells::Cells;
use crate::domain::match_keys::{DateFormat, Field, MatchKeys, Normaliser};
use crate::identity::{
    BirthDate, CroNumber, ExpectedDate, GenericId, LegacyHash, NameKind, NhsNumber, Nino, PermanentUpn, PncId,
    Postcode, TemporaryUpn, Uln, Uprn, normalise_address, normalise_generic_postcode, normalise_name,
};

/// The forms that are tried, as the mapping writes them. The likelier of two comes first.
pub(super) const FORMS: [(DateForm, &str); 6] = [
    (DateForm::Iso, "yyyy-mm-dd"),
    (DateForm::DayMonthYear, "dd/mm/yyyy"),
    (DateForm::Compact, "yyyymmdd"),
    (DateForm::MonthName, "dd-mmm-yyyy"),
    (DateForm::YearSlash, "yyyy/mm/dd"),
    (DateForm::MonthDayYear, "mm/dd/yyyy"),
];

/// A column: its heading, and counts over the rows that were looked at.
pub(super) struct ColumnFacts {
    pub(super) name: String,
    pub(super) heading: Heading,
    /// Cells with something in them.
    pub(super) filled: u64,
    /// For each field of the match keys: the cells that its own reader takes.
    pub(super) read_as: Vec<u64>,
    /// Cells that are a date in some form, and by which forms: a bit for each of [`FORMS`].
    pub(super) dates: u64,
    pub(super) date_forms: [u64; 1 << FORMS.len()],
    /// For each of [`WORDS`]: the cells that it knows.
    pub(super) words: [u64; WORDS.len()],
    /// Cells that look like a code: short, with a digit, without spaces.
    pub(super) codes: u64,
    seen: HashSet<u64>,
    /// Whether no two cells are alike.
    pub(super) is_distinct: bool,
}

/// The columns of a file, and how many rows were looked at.
pub(super) struct Facts {
    pub(super) columns: Vec<ColumnFacts>,
    pub(super) rows: u64,
    hasher: RandomState,
}

impl Facts {
    pub(super) fn new(headings: &[String], keys: &MatchKeys) -> Self {
        let column = |name: &String| ColumnFacts {
            name: name.clone(),
            heading: Heading::new(name),
            filled: 0,
            read_as: vec![0; keys.fields().len()],
            dates: 0,
            date_forms: [0; 1 << FORMS.len()],
            words: [0; WORDS.len()],
            codes: 0,
            seen: HashSet::new(),
            is_distinct: true,
        };
        Self { columns: headings.iter().map(column).collect(), rows: 0, hasher: RandomState::new() }
    }

    /// Counts one row.
    pub(super) fn add(&mut self, cells: &Cells, keys: &MatchKeys, today: Date) {
        self.rows += 1;
        for (at, column) in self.columns.iter_mut().enumerate() {
            let Ok(text) = cells.get(at) else { continue };
            if text.is_empty() {
                continue;
            }
            column.filled += 1;
            column.is_distinct &= column.seen.insert(self.hasher.hash_one(text));
            if spreadsheet_fault(text).is_some() {
                continue;
            }
            let forms = forms_of(text);
            column.dates += u64::from(forms != 0);
            column.date_forms[forms] += 1;
            for (field, count) in keys.fields().iter().zip(&mut column.read_as) {
                *count += u64::from(is_read(field, text, today));
            }
            for (word, count) in WORDS.iter().zip(&mut column.words) {
                *count += u64::from(word.knows(text));
            }
            let is_code = text.len() <= 24
                && text.bytes().any(|byte| byte.is_ascii_digit())
                && !text.contains(char::is_whitespace)
                && forms == 0;
            column.codes += u64::from(is_code);
        }
    }
}

/// The forms that read a text as a day, a bit each.
fn forms_of(text: &str) -> usize {
    let reads = |(at, (form, _)): (usize, &(DateForm, &str))| {
        // Every form reads an ISO date as well: the ISO form alone is credited with it.
        let is_iso = DateForms::from(DateForm::Iso).read(text).is_ok();
        let is_read = DateForms::from(*form).read(text).is_ok();
        if is_read && (*form == DateForm::Iso || !is_iso) { 1 << at } else { 0 }
    };
    FORMS.iter().enumerate().map(reads).sum()
}

/// Whether a field's own reader takes the text; a date in any form.
fn is_read(field: &Field, text: &str, today: Date) -> bool {
    let mut line = String::new();
    let is_date = |parse: &dyn Fn(&str) -> bool| {
        let written = |form: DateForm| {
            let mut iso = String::new();
            DateForms::from(form).read_written(text).ok()?.write(DateFormat::Iso, &mut iso);
            Some(iso)
        };
        FORMS.iter().filter_map(|(form, _)| written(*form)).any(|iso| parse(&iso))
    };
    match field.normaliser {
        Normaliser::Nhs => NhsNumber::parse(text).is_ok(),
        Normaliser::Upn => PermanentUpn::parse(text).is_ok(),
        Normaliser::TemporaryUpn => TemporaryUpn::parse(text).is_ok(),
        Normaliser::Nino => Nino::parse(text).is_ok(),
        Normaliser::Uln => Uln::parse(text).is_ok(),
        Normaliser::Pnc => PncId::parse(text, today.year()).is_ok(),
        Normaliser::Cro => CroNumber::parse(text).is_ok(),
        Normaliser::Uprn => Uprn::parse(text).is_ok(),
        Normaliser::Postcode => Postcode::parse(text).is_ok(),
        Normaliser::LegacyHash => LegacyHash::parse(text).is_ok(),
        Normaliser::GenericId => GenericId::parse(text).is_ok(),
        Normaliser::GenericPostcode => normalise_generic_postcode(text, &mut line).is_ok(),
        Normaliser::FreeAddress => normalise_address(text, &mut line).is_ok(),
        Normaliser::Forename => normalise_name(text, NameKind::Forename).is_ok(),
        Normaliser::Surname => normalise_name(text, NameKind::Surname).is_ok(),
        Normaliser::Date(_) => is_date(&|iso| BirthDate::parse(iso, DateFormat::Iso, today).is_ok()),
        Normaliser::ExpectedDate(_) => is_date(&|iso| ExpectedDate::parse(iso, DateFormat::Iso, today).is_ok()),
    }
}

impl ColumnFacts {
    /// A share of the filled cells, as a figure.
    pub(super) fn share(&self, count: u64) -> String {
        let percent = (count * 100).checked_div(self.filled).unwrap_or(0);
        format!("{percent}% of {} filled cells", self.filled)
    }

    /// The forms that together read every date of the column, the fewest that the counts allow;
    /// `None` where day and month could be read either way.
    pub(super) fn forms(&self) -> Option<Vec<usize>> {
        let mut left: Vec<usize> = (1..self.date_forms.len()).filter(|&set| self.date_forms[set] > 0).collect();
        let mut chosen: Vec<usize> = Vec::new();
        while !left.is_empty() {
            let reads = |form: usize| -> u64 {
                left.iter().filter(|&&set| set & (1 << form) != 0).map(|&set| self.date_forms[set]).sum()
            };
            let best = (0..FORMS.len()).rev().max_by_key(|&form| reads(form))?;
            chosen.push(best);
            left.retain(|set| set & (1 << best) == 0);
        }
        let place = |wanted: DateForm| FORMS.iter().position(|(form, _)| *form == wanted);
        let (day_first, month_first) = (place(DateForm::DayMonthYear)?, place(DateForm::MonthDayYear)?);
        let reads = |form: usize, other: usize| {
            (0..self.date_forms.len())
                .filter(|set| set & (1 << form) != 0 && set & (1 << other) == 0)
                .any(|set| self.date_forms[set] > 0)
        };
        let has_either = chosen.contains(&day_first) || chosen.contains(&month_first);
        let is_open = reads(day_first, month_first) == reads(month_first, day_first);
        chosen.sort_unstable();
        (!has_either || !is_open).then_some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use csv::ByteRecord;

    use super::*;
    use crate::cli::agency::mapping::Encoding;

    fn column(cells: &[&str]) -> ColumnFacts {
        let keys = MatchKeys::parse(crate::identity::UK_MATCH_KEYS).expect("the shipped file");
        let mut facts = Facts::new(&["Born".to_owned()], &keys);
        for cell in cells {
            let mut row = Cells::default();
            row.read(&ByteRecord::from(vec![*cell]), Encoding::Utf8);
            facts.add(&row, &keys, jiff::civil::date(2026, 9, 20));
        }
        facts.columns.remove(0)
    }

    #[test]
    fn the_fewest_forms_that_read_every_date_are_found_and_an_open_order_is_left_open() {
        let names = |cells: &[&str]| {
            column(cells).forms().map(|forms| forms.iter().map(|&form| FORMS[form].1).collect::<Vec<_>>())
        };
        assert_eq!(names(&["2009-04-17", "2010-01-02"]), Some(vec!["yyyy-mm-dd"]));
        assert_eq!(names(&["17/04/2009", "02/03/2010"]), Some(vec!["dd/mm/yyyy"]));
        assert_eq!(names(&["04/17/2009", "02/03/2010"]), Some(vec!["mm/dd/yyyy"]));
        assert_eq!(names(&["17/04/2009", "2009-04-17"]), Some(vec!["yyyy-mm-dd", "dd/mm/yyyy"]));
        assert_eq!(names(&["02/03/2010", "04/05/2011"]), None);
        assert_eq!(names(&["17/04/2009", "04/17/2009"]), None);
    }

    #[test]
    fn a_column_is_counted_without_its_cells() {
        let column = column(&["9990000018", "9990000018", "", "9990000019"]);
        let nhs = column.read_as[MatchKeys::parse(crate::identity::UK_MATCH_KEYS)
            .expect("the shipped file")
            .field_index("nhs")
            .expect("a field")];
        assert_eq!((column.filled, nhs, column.is_distinct), (3, 2, false));
        assert_eq!(column.share(2), "66% of 3 filled cells");
    }
}
