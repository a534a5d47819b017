//! Bar charts of counts, as SVG beside a table that says the same.
//!
//! A count that is not shown has no bar of any length, since a missing bar would read as nought: its line is
//! hatched from end to end, and says what its mark means. Nought has a mark of its own. Nothing is told by
//! colour alone.

use askama::Template;

use super::frame::capitalised;
use crate::domain::statistics::table::{Figure, Mark, Table};

/// Where bars begin, and how long the longest is, in the units of the drawing.
const START: u64 = 300;
const LONGEST: u64 = 300;
/// Where a line of text under another begins.
const LINE: u64 = 20;
/// Letters of a line of a label.
const LETTERS: usize = 36;

/// A chart of one column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "chart.html")]
pub(super) struct Chart {
    id: String,
    title: String,
    said: String,
    height: u64,
    bars: Vec<Bar>,
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bar {
    label: Vec<(u64, String)>,
    top: u64,
    middle: u64,
    length: Length,
    said: String,
    said_at: u64,
}

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Of(u64),
    Nought,
    /// There is a figure, and it is kept back.
    Kept,
    /// There is no figure: nobody may count, or there is no such group.
    Nothing,
}

/// The charts of a table: one for each of its columns that is no total, all on one scale.
pub(super) fn charts(table: &Table) -> Vec<Chart> {
    let rows: Vec<usize> = (0..table.rows.len()).filter(|&row| !is_total(&table.rows[row])).collect();
    let columns: Vec<usize> = (0..table.columns.len()).filter(|&column| !is_total(&table.columns[column])).collect();
    let at = |row: usize, column: usize| table.figures.get(row).and_then(|row| row.get(column)).copied();
    let counts = rows.iter().flat_map(|&row| columns.iter().filter_map(move |&column| at(row, column)?.count));
    // Where nothing is shown there is nothing to draw: the table says it all.
    let Some(most) = counts.max() else { return Vec::new() };
    let is_one = columns.len() == 1;
    let chart = |(number, column): (usize, &usize)| {
        let lines = rows.iter().filter_map(|&row| Some((table.rows[row].as_str(), at(row, *column)?)));
        let title = if is_one {
            table.title.clone()
        } else {
            format!("{}: {}", capitalised(&table.column_title), table.columns[*column])
        };
        Chart::new(format!("chart-{number}"), title, lines.collect(), most)
    };
    columns.iter().enumerate().map(chart).collect()
}

/// Whether a row or column sums up others, by its label.
fn is_total(label: &str) -> bool {
    const SUMS: [&str; 3] = ["attached and not engaged", "engaged", "no contact for three months or more"];
    label.starts_with("all ") || SUMS.contains(&label)
}

impl Chart {
    fn new(id: String, title: String, lines: Vec<(&str, Figure)>, most: u64) -> Self {
        let mut top = 0;
        let mut bars = Vec::new();
        for (label, figure) in &lines {
            let texts = wrapped(label);
            let height = LINE * texts.len() as u64 + 14;
            let first = top + 20;
            bars.push(Bar {
                label: (0..).map(|n| first + LINE * n).zip(texts).collect(),
                top: top + 5,
                middle: top + 20,
                length: length(figure, most),
                said: said(figure),
                said_at: said_at(figure, most),
            });
            top += height;
        }
        let told: Vec<String> = lines.iter().map(|(label, figure)| format!("{label}: {}", said(figure))).collect();
        Self { id, title, said: told.join("; "), height: top.max(LINE), bars }
    }
}

fn length(figure: &Figure, most: u64) -> Length {
    match figure.count {
        None if figure.mark == Some(Mark::Confidential) => Length::Kept,
        None => Length::Nothing,
        Some(0) => Length::Nought,
        Some(count) => Length::Of(scaled(count, most)),
    }
}

/// A bar that stands for something is seen, however short.
fn scaled(count: u64, most: u64) -> u64 {
    let length = u128::from(count) * u128::from(LONGEST) / u128::from(most.max(1));
    u64::try_from(length).unwrap_or(LONGEST).clamp(2, LONGEST)
}

fn said_at(figure: &Figure, most: u64) -> u64 {
    START
        + 8
        + match length(figure, most) {
            Length::Of(length) => length,
            Length::Nought => 4,
            Length::Kept => LONGEST,
            Length::Nothing => 0,
        }
}

/// A figure as a table prints it: what is shown, or the mark and what it means.
pub(super) fn cell(figure: &Figure) -> Cell {
    match (figure.count, figure.mark) {
        (None, Some(mark)) => Cell { shown: mark.as_str().to_owned(), meaning: meaning(mark) },
        _ => Cell { shown: said(figure), meaning: "" },
    }
}

/// A place of a table, with what its mark means for whoever hears the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) shown: String,
    pub(super) meaning: &'static str,
}

/// A figure as charts print it.
pub(super) fn said(figure: &Figure) -> String {
    let count = match (figure.count, figure.mark) {
        (Some(count), _) => thousands(count),
        (None, Some(mark)) => format!("{} {}", mark.as_str(), meaning(mark)),
        (None, None) => "[x] not available".to_owned(),
    };
    let share = match (figure.count, figure.percent, figure.percent_mark) {
        (Some(_), _, Some(Mark::Low)) => " (less than 1%)".to_owned(),
        (Some(_), Some(percent), _) => format!(" ({percent}%)"),
        _ => String::new(),
    };
    let of = figure.as_at.map_or_else(String::new, |day| format!(", of {}", super::words::day(day)));
    format!("{count}{share}{of}")
}

/// What a mark means.
fn meaning(mark: Mark) -> &'static str {
    match mark {
        Mark::Confidential => "confidential",
        Mark::Unavailable => "not available",
        Mark::NotApplicable => "no such group",
        Mark::Low => "more than nothing",
    }
}

/// 1,966.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a table shows, in words made of its figures.
///
/// Where figures are kept back nobody can say which is the largest, so the sentence speaks of those that are shown.
pub(super) fn finding(table: &Table) -> String {
    let unit = table.unit.as_str();
    let columns: Vec<usize> = (0..table.columns.len()).filter(|&column| !is_total(&table.columns[column])).collect();
    let mut shown: Vec<(String, u64)> = Vec::new();
    let mut hidden = 0;
    for (row, figures) in table.rows.iter().zip(&table.figures).filter(|(row, _)| !is_total(row)) {
        for (&column, figure) in columns.iter().filter_map(|column| Some((column, figures.get(*column)?))) {
            let label = if columns.len() == 1 {
                format!("“{row}”")
            } else {
                format!("“{row}” ({}: {})", table.column_title, table.columns[column])
            };
            shown.extend(figure.count.map(|count| (label, count)));
            hidden += usize::from(figure.count.is_none() && figure.mark == Some(Mark::Confidential));
        }
    }
    let kept = match hidden {
        0 => String::new(),
        1 => " One figure is confidential, and may be larger or smaller.".to_owned(),
        more => format!(" {more} figures are confidential, and may be larger or smaller."),
    };
    let Some(most) = shown.iter().map(|(_, count)| *count).max() else {
        return if hidden > 0 {
            "No figure of this table may be shown.".to_owned()
        } else {
            format!("There are no groups of {unit} to count.")
        };
    };
    if most == 0 {
        return if hidden == 0 {
            format!("No {unit} are counted in any of these groups.")
        } else {
            format!("In no group that may be shown are there any {unit}.{kept}")
        };
    }
    let largest: Vec<&str> =
        shown.iter().filter(|(_, count)| *count == most).map(|(label, _)| label.as_str()).collect();
    let of_base =
        table.base.and_then(|base| base.count).map_or_else(String::new, |base| format!(" of {}", thousands(base)));
    let among = if hidden == 0 { "The largest group" } else { "Of those that may be shown, the largest group" };
    let number = thousands(most);
    match largest.as_slice() {
        [one] => format!("{among} is {one}: {number}{of_base} {unit}.{kept}"),
        several => format!("{among}s are {}, with {number}{of_base} {unit} each.{kept}", several.join(" and ")),
    }
}

/// A label in lines that fit.
fn wrapped(label: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in label.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= LETTERS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.is_empty() { vec![String::new()] } else { lines }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::statistics::table::UnitCounted;

    fn table(counts: &[(&str, Option<u64>)]) -> Table {
        let figure = |count: Option<u64>| Figure {
            count,
            mark: count.is_none().then_some(Mark::Confidential),
            ..Figure::default()
        };
        Table {
            table: "areas".to_owned(),
            title: "Families by criteria area".to_owned(),
            profile: "internal".to_owned(),
            unit: UnitCounted::Families,
            base: Some(figure(Some(1_966))),
            as_at: jiff::civil::date(2026, 11, 22),
            row_title: "area".to_owned(),
            rows: counts.iter().map(|(label, _)| (*label).to_owned()).collect(),
            column_title: "count".to_owned(),
            columns: vec!["families".to_owned()],
            figures: counts.iter().map(|(_, count)| vec![figure(*count)]).collect(),
            rule: String::new(),
            marks: String::new(),
            notes: Vec::new(),
            known_conflicts: Vec::new(),
            sources: Vec::new(),
            source: None,
        }
    }

    #[test]
    fn a_figure_that_is_kept_back_has_no_bar_that_could_be_read() {
        let table = table(&[("school", Some(40)), ("crime", None), ("work", Some(0)), ("all families", Some(60))]);
        let charts = charts(&table);
        let [chart] = &charts[..] else { panic!("one chart: {charts:?}") };
        let lengths: Vec<Length> = chart.bars.iter().map(|bar| bar.length).collect();
        assert_eq!(lengths, [Length::Of(LONGEST), Length::Kept, Length::Nought], "and a total is no bar");
        let svg = chart.render().expect("it renders");
        assert_eq!(svg.matches("class=\"bar\"").count(), 1, "{svg}");
        assert!(svg.contains("[c] confidential") && svg.contains("crime"), "{svg}");
        let hatched = svg.split("fill=\"url(#chart-0-hatch)\"").count() - 1;
        assert_eq!(hatched, 1, "the line is hatched from end to end: {svg}");
    }

    #[test]
    fn where_nothing_is_shown_nothing_is_drawn_and_where_there_is_nothing_no_line_is_hatched() {
        assert!(charts(&table(&[("school", None), ("crime", None)])).is_empty());
        let mut table = table(&[("school", Some(6)), ("health", None)]);
        table.figures[1][0].mark = Some(Mark::Unavailable);
        let charts = charts(&table);
        let lengths: Vec<Length> = charts[0].bars.iter().map(|bar| bar.length).collect();
        assert_eq!(lengths, [Length::Of(LONGEST), Length::Nothing]);
        assert!(charts[0].render().expect("it renders").contains("[x] not available"));
        assert_eq!(cell(&table.figures[1][0]), Cell { shown: "[x]".to_owned(), meaning: "not available" });
        assert!(finding(&table).starts_with("The largest group is"), "nothing is kept back");
    }

    #[test]
    fn the_title_says_what_the_figures_say_and_no_more() {
        let said = |counts: &[(&str, Option<u64>)]| finding(&table(counts));
        assert_eq!(said(&[("a", Some(1_204)), ("b", Some(3))]), "The largest group is “a”: 1,204 of 1,966 families.");
        assert_eq!(
            said(&[("a", Some(7)), ("b", None), ("all families", Some(60))]),
            "Of those that may be shown, the largest group is “a”: 7 of 1,966 families. One figure is confidential, and \
             may be larger or smaller."
        );
        assert_eq!(
            said(&[("a", Some(7)), ("b", Some(7))]),
            "The largest groups are “a” and “b”, with 7 of 1,966 families each."
        );
        assert_eq!(said(&[("a", None)]), "No figure of this table may be shown.");
        assert_eq!(said(&[("a", Some(0))]), "No families are counted in any of these groups.");
        assert_eq!(said(&[("a", Some(0)), ("b", None)]).matches("confidential").count(), 1);
    }

    #[test]
    fn labels_are_broken_between_words() {
        assert_eq!(wrapped("parents and children involved in crime or antisocial behaviour").len(), 2);
        assert_eq!(
            (thousands(1_966), thousands(0), thousands(1_000_000)),
            ("1,966".into(), "0".into(), "1,000,000".into())
        );
    }
}
