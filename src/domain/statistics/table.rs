//! A table as a reader gets it: every figure with its mark and its day, and what they mean.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::collection::{Cell, Collection, Layout};
use super::percent::percent;
use super::profile::Profile;
use super::release::{Shown, Standing};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnitCounted {
    /// Families.
    Families,
    /// People.
    People,
    /// Offences: one person can have several.
    Offences,
    /// Rounds, referrals and whatever else happens.
    Events,
}

impl UnitCounted {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Families => "families",
            Self::People => "people",
            Self::Offences => "offences",
            Self::Events => "events",
        }
    }
}

/// Why there is no number, or why it looks like nothing; as government tables mark it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum Mark {
    /// Confidential: too small, or it would give a small one away.
    #[serde(rename = "c")]
    Confidential,
    /// Not available.
    #[serde(rename = "x")]
    Unavailable,
    /// Not applicable: there is no such group.
    #[serde(rename = "z")]
    NotApplicable,
    /// More than nothing, but nothing when rounded.
    #[serde(rename = "low")]
    Low,
}

impl Mark {
    /// The mark as printed, in brackets.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confidential => "[c]",
            Self::Unavailable => "[x]",
            Self::NotApplicable => "[z]",
            Self::Low => "[low]",
        }
    }
}

/// One place of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Figure {
    /// The count as shown.
    pub count: Option<u64>,
    /// Why there is no count.
    pub mark: Option<Mark>,
    /// What share it is, in whole per cent, where the table has shares.
    pub percent: Option<u64>,
    /// Why there is no share, or why it is nothing.
    pub percent_mark: Option<Mark>,
    /// The day that the figure describes, if it is not the table's.
    #[schema(value_type = Option<String>, format = Date)]
    pub as_at: Option<Date>,
}

/// A feed that the figures rest on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceFeed {
    /// Whose.
    pub agency: String,
    /// Which.
    pub feed: String,
    /// The day that its newest delivery describes.
    #[schema(value_type = String, format = Date)]
    pub as_at: Date,
    /// Whether the calendar expected a newer one.
    pub is_late: bool,
}

/// A table as a reader gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Table {
    /// Its name.
    pub table: String,
    /// What it shows.
    pub title: String,
    /// `internal` or `public`.
    pub profile: String,
    /// What is counted.
    pub unit: UnitCounted,
    /// How many there are in all.
    pub base: Option<Figure>,
    /// The day that the table describes; figures that stand from before name their own.
    #[schema(value_type = String, format = Date)]
    pub as_at: Date,
    /// What the rows are.
    pub row_title: String,
    /// The rows, from the top.
    pub rows: Vec<String>,
    /// What the columns are.
    pub column_title: String,
    /// The columns, from the left.
    pub columns: Vec<String>,
    /// Row by row.
    pub figures: Vec<Vec<Figure>>,
    /// What is hidden and how the rest is rounded.
    pub rule: String,
    /// What the marks mean.
    pub marks: String,
    /// What a reader needs to know.
    pub notes: Vec<String>,
    /// Figures that are known to contradict one another or another source.
    pub known_conflicts: Vec<String>,
    /// What the figures rest on.
    pub sources: Vec<SourceFeed>,
    /// A document that the figures are from.
    pub source: Option<String>,
}

/// What the marks mean, as it stands under every table.
pub const MARKS: &str =
    "[c] confidential; [x] not available; [z] not applicable; [low] more than nothing, but nothing when rounded.";

impl Table {
    /// Puts the figures of a layout in their places.
    pub fn of(
        layout: &Layout,
        collection: &Collection,
        standing: &Standing,
        profile: &Profile,
        unit: UnitCounted,
        as_at: Date,
    ) -> Self {
        let shown = |statistic: usize| standing.get(&collection.statistics()[statistic].key);
        let figure = |cell: &Cell| match cell {
            Cell::NotApplicable => Figure { mark: Some(Mark::NotApplicable), ..Figure::default() },
            Cell::Unavailable => Figure { mark: Some(Mark::Unavailable), ..Figure::default() },
            Cell::Of(statistic, whole) => {
                let count = shown(*statistic);
                let share = whole.map(|whole| share(count, shown(whole), profile));
                let (percent, percent_mark) = share.unwrap_or_default();
                Figure { percent, percent_mark, ..plain(count, as_at) }
            }
        };
        Self {
            table: layout.name.clone(),
            title: layout.title.clone(),
            profile: profile.name().as_str().to_owned(),
            unit,
            base: layout.base.map(|base| plain(shown(base), as_at)),
            as_at,
            row_title: layout.rows.title.clone(),
            rows: layout.rows.labels.clone(),
            column_title: layout.columns.title.clone(),
            columns: layout.columns.labels.clone(),
            figures: layout.cells.iter().map(|row| row.iter().map(figure).collect()).collect(),
            rule: profile.rule(),
            marks: MARKS.to_owned(),
            notes: layout.notes.clone(),
            known_conflicts: layout.conflicts.clone(),
            sources: Vec::new(),
            source: None,
        }
    }

    /// The figure of a row and a column by their labels.
    pub fn figure(&self, row: &str, column: &str) -> Option<&Figure> {
        let row = self.rows.iter().position(|label| label == row)?;
        let column = self.columns.iter().position(|label| label == column)?;
        self.figures.get(row)?.get(column)
    }

    /// The table as CSV (RFC 4180), a line for each figure, each with what is needed to read it alone.
    pub fn csv(&self) -> String {
        let head = [
            "table",
            "row",
            "column",
            "count",
            "mark",
            "percent",
            "percent_mark",
            "as_at",
            "unit",
            "base",
            "profile",
            "rule",
            "notes",
            "known_conflicts",
        ];
        let mut text = head.join(",") + "\r\n";
        let number = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
        let mark = |mark: Option<Mark>| mark.map_or(String::new(), |mark| mark.as_str().to_owned());
        let base = self.base.map_or(String::new(), |base| number(base.count) + &mark(base.mark));
        for (row, figures) in self.rows.iter().zip(&self.figures) {
            for (column, figure) in self.columns.iter().zip(figures) {
                let line = [
                    self.table.clone(),
                    row.clone(),
                    column.clone(),
                    number(figure.count),
                    mark(figure.mark),
                    number(figure.percent),
                    mark(figure.percent_mark),
                    figure.as_at.unwrap_or(self.as_at).to_string(),
                    self.unit.as_str().to_owned(),
                    base.clone(),
                    self.profile.clone(),
                    self.rule.clone(),
                    self.notes.join(" "),
                    self.known_conflicts.join(" "),
                ];
                text += &line.map(|field| quoted(&field)).join(",");
                text += "\r\n";
            }
        }
        text
    }

    /// The table for a screen, columns in line.
    pub fn text(&self) -> String {
        use std::fmt::Write as _;
        let cell = |figure: &Figure| {
            let mut text = figure.count.map_or(String::new(), |count| count.to_string());
            text += figure.mark.map_or("", Mark::as_str);
            if let Some(percent) = figure.percent {
                let _ = write!(text, " ({percent}%)");
            }
            if let Some(mark) = figure.percent_mark.filter(|_| figure.count.is_some()) {
                let _ = write!(text, " ({})", mark.as_str());
            }
            if let Some(day) = figure.as_at {
                let _ = write!(text, " of {day}");
            }
            text
        };
        let first = self.rows.iter().map(String::len).chain([self.row_title.len()]).max().unwrap_or(0) + 2;
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let figures = self.figures.iter().filter_map(|row| row.get(column));
                figures.map(|figure| cell(figure).len()).chain([self.columns[column].len()]).max().unwrap_or(0) + 2
            })
            .collect();
        let mut text =
            format!("{}\nAs at {}; {}; profile {}\n\n", self.title, self.as_at, self.unit.as_str(), self.profile);
        let _ = write!(text, "{:<first$}", self.row_title);
        for (label, width) in self.columns.iter().zip(&widths) {
            let _ = write!(text, "{label:>width$}");
        }
        for (label, figures) in self.rows.iter().zip(&self.figures) {
            let _ = write!(text, "\n{label:<first$}");
            for (figure, width) in figures.iter().zip(&widths) {
                let _ = write!(text, "{:>width$}", cell(figure));
            }
        }
        let _ = write!(text, "\n\n{}\n{}", self.rule, self.marks);
        for note in &self.notes {
            let _ = write!(text, "\n{note}");
        }
        for conflict in &self.known_conflicts {
            let _ = write!(text, "\nKnown conflict: {conflict}");
        }
        if let Some(source) = &self.source {
            let _ = write!(text, "\nSource: {source}");
        }
        text
    }
}

fn plain(shown: Option<&Shown>, as_at: Date) -> Figure {
    let Some(shown) = shown else {
        return Figure { mark: Some(Mark::Unavailable), ..Figure::default() };
    };
    Figure {
        count: shown.count,
        mark: shown.count.is_none().then_some(Mark::Confidential),
        as_at: (shown.as_at != as_at).then_some(shown.as_at),
        ..Figure::default()
    }
}

/// A share from shown counts alone, so that it tells no more than they do; only of two figures of
/// one release.
fn share(part: Option<&Shown>, whole: Option<&Shown>, profile: &Profile) -> (Option<u64>, Option<Mark>) {
    let counts =
        part.zip(whole).and_then(|(part, whole)| Some((part.count?, whole.count?, part.release == whole.release)));
    match counts {
        None => (None, Some(Mark::Confidential)),
        Some((part, whole, is_of_one_time)) => {
            let is_enough = whole >= profile.least_percent_base();
            match percent(part, whole, profile.halves()).filter(|_| is_enough && is_of_one_time) {
                None => (None, Some(Mark::Unavailable)),
                Some(0) if part > 0 => (Some(0), Some(Mark::Low)),
                Some(percent) => (Some(percent), None),
            }
        }
    }
}

fn quoted(field: &str) -> String {
    // A spreadsheet takes such a cell for a formula.
    let starts_formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let field = if starts_formula { format!("'{field}") } else { field.to_owned() };
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    use super::super::profile::ProfileName;
    use super::*;

    #[test]
    fn a_share_is_made_of_what_is_shown_and_of_one_time() {
        let profile = Profile::usual(ProfileName::Public);
        let of = |release, count| Shown { release, as_at: Date::constant(2026, 1, 1), count };
        let share = |part: Shown, whole: Shown| share(Some(&part), Some(&whole), &profile);
        assert_eq!(share(of(1, Some(380)), of(1, Some(1_965))), (Some(19), None));
        assert_eq!(share(of(1, None), of(1, Some(100))), (None, Some(Mark::Confidential)));
        assert_eq!(share(of(1, Some(10)), of(1, None)), (None, Some(Mark::Confidential)));
        assert_eq!(share(of(1, Some(10)), of(1, Some(25))), (None, Some(Mark::Unavailable)), "too small a whole");
        assert_eq!(share(of(1, Some(10)), of(2, Some(100))), (None, Some(Mark::Unavailable)), "of two times");
        assert_eq!(share(of(1, Some(10)), of(1, Some(10_000))), (Some(0), Some(Mark::Low)));
    }

    #[test]
    fn fields_of_csv_are_quoted_and_no_formula() {
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
    }
}
