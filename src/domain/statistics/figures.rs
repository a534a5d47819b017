//! Tables of published figures, read from a file: offences, areas, routes, rounds.
//!
//! The counts come from a document and not from records. They go through the same protection, so
//! that a figure that was once printed too finely is not printed so again.

use jiff::civil::Date;
use serde::Deserialize;

use super::collection::{Cell, Collection, Dimension, Layout};
use super::profile::Profile;
use super::protect::{first_needs, protect};
use super::release::{Shown, Standing};
use super::table::{Table, UnitCounted};
use crate::domain::policy_file::{self, Fault, Faults};

/// How the columns hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Columns {
    /// Their groups overlap nowhere and add up to a total of the row.
    Add,
    /// The first is a part of the second.
    PartOfWhole,
}

/// A count, or the mark that stands in its place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Count {
    Number(u64),
    Mark(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    label: String,
    counts: Vec<Count>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FiguresFile {
    table: String,
    title: String,
    unit: UnitCounted,
    #[serde(deserialize_with = "policy_file::date")]
    as_at: Date,
    source: String,
    rows_are: String,
    columns_are: String,
    columns: Vec<String>,
    columns_hang_together: Columns,
    /// Whether the rows overlap nowhere and are everybody, so that there is a last row of totals.
    rows_add_up: bool,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default)]
    known_conflicts: Vec<String>,
    row: Vec<Row>,
}

/// Published figures that can be shown in either profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedFigures {
    collection: Collection,
    counts: Vec<u64>,
    unit: UnitCounted,
    as_at: Date,
    source: String,
}

/// What the total of a row or column is called.
const ALL: &str = "all";

impl PublishedFigures {
    /// Reads a file of figures.
    ///
    /// # Errors
    ///
    /// [`Faults`] for unknown or missing keys, rows of another length, a part larger than its whole,
    /// marks that are neither `x` nor `z`, and labels that stand twice.
    pub fn parse(bytes: &[u8]) -> Result<Self, Faults> {
        let file: FiguresFile = policy_file::read(bytes)?;
        let faults = faults(&file);
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        let mut counts = Vec::new();
        let mut atoms = Vec::new();
        for row in &file.row {
            for (column, count) in file.columns.iter().zip(&row.counts) {
                if let Count::Number(count) = count {
                    atoms.push(atom(&row.label, column));
                    counts.push(*count);
                }
            }
            if file.columns_hang_together == Columns::PartOfWhole {
                // The whole is its part and the rest.
                let part = row.counts.first().and_then(number).unwrap_or(0);
                let last = counts.len() - 1;
                counts[last] -= part;
            }
        }
        let mut collection = Collection::new(vec![atoms]);
        lay_out(&file, &mut collection);
        Ok(Self { collection, counts, unit: file.unit, as_at: file.as_at, source: file.source })
    }

    /// The table in a profile.
    pub fn table(&self, profile: &Profile) -> Table {
        let needs = first_needs(&self.collection, &self.counts, profile);
        let protection = protect(&self.collection, &self.counts, profile, needs);
        let values = self.collection.values(&self.counts);
        let shown = |place: usize| Shown {
            release: 1,
            as_at: self.as_at,
            count: (!protection.keeps(place)).then(|| profile.shown(values[place])),
        };
        let figures = self.collection.statistics().iter().enumerate();
        let standing: Standing = figures.map(|(place, statistic)| (statistic.key.clone(), shown(place))).collect();
        let layout = &self.collection.tables()[0];
        let mut table = Table::of(layout, &self.collection, &standing, profile, self.unit, self.as_at);
        table.source = Some(self.source.clone());
        table
    }
}

fn lay_out(file: &FiguresFile, collection: &mut Collection) {
    let is_whole = file.columns_hang_together == Columns::PartOfWhole;
    let belongs = |atom: &str, column: &str| {
        let its = atom.split('\u{1f}').nth(1);
        // Of a part and a whole, the atoms are the part and the rest.
        its == Some(column) || (is_whole && column == file.columns[1])
    };
    let of_row = |atom: &str, row: &str| atom.split('\u{1f}').next() == Some(row);
    let of = |statistic: Option<usize>, whole: Option<usize>| {
        statistic.map_or(Cell::NotApplicable, |statistic| Cell::Of(statistic, whole))
    };
    let mut columns = file.columns.clone();
    let has_row_totals = !is_whole && file.columns.len() > 1;
    if has_row_totals {
        columns.push(ALL.to_owned());
    }
    let total = collection.statistic("all", 100, |_| true).filter(|_| file.rows_add_up);
    let mut cells = Vec::new();
    for row in &file.row {
        let mut line = Vec::new();
        let mut figures = Vec::new();
        for (column, count) in file.columns.iter().zip(&row.counts) {
            line.push(match count {
                Count::Mark(mark) if mark == "x" => Cell::Unavailable,
                Count::Mark(_) => Cell::NotApplicable,
                Count::Number(_) => {
                    let key = atom(&row.label, column);
                    let found = collection.statistic(&key, 2, |atom| of_row(atom, &row.label) && belongs(atom, column));
                    figures.push(found);
                    of(found, None)
                }
            });
        }
        if is_whole && let [part, whole] = figures[..] {
            line[0] = of(part, whole);
        }
        if !is_whole && file.columns.len() == 1 {
            line[0] = match line[0] {
                Cell::Of(statistic, _) => Cell::Of(statistic, total),
                other => other,
            };
        }
        if has_row_totals {
            line.push(of(collection.statistic(&atom(&row.label, ALL), 10, |atom| of_row(atom, &row.label)), None));
        }
        cells.push(line);
    }
    let mut labels: Vec<String> = file.row.iter().map(|row| row.label.clone()).collect();
    if file.rows_add_up {
        labels.push(ALL.to_owned());
        let mut line: Vec<Option<usize>> = file
            .columns
            .iter()
            .map(|column| collection.statistic(&atom(ALL, column), 20, |atom| belongs(atom, column)))
            .collect();
        if has_row_totals {
            line.push(total);
        }
        let whole = line.get(1).copied().flatten().filter(|_| is_whole);
        cells.push(line.iter().enumerate().map(|(n, found)| of(*found, whole.filter(|_| n == 0))).collect());
    }
    collection.add_table(Layout {
        name: file.table.clone(),
        title: file.title.clone(),
        rows: Dimension { title: file.rows_are.clone(), labels },
        columns: Dimension { title: file.columns_are.clone(), labels: columns },
        cells,
        base: total,
        notes: file.notes.clone(),
        conflicts: file.known_conflicts.clone(),
    });
}

fn faults(file: &FiguresFile) -> Vec<Fault> {
    let mut faults = Vec::new();
    let is_whole = file.columns_hang_together == Columns::PartOfWhole;
    if file.columns.is_empty() || (is_whole && file.columns.len() != 2) {
        faults.push(Fault::at("columns", "columns", "a table has a column at least, a part and its whole are two"));
    }
    let labels = file.row.iter().map(|row| &row.label);
    let has_twice = |list: &[&String]| list.iter().enumerate().any(|(n, one)| list[..n].contains(one));
    let separators = |text: &&String| text.contains('\u{1f}') || text.as_str() == ALL;
    let (rows, columns): (Vec<&String>, Vec<&String>) = (labels.collect(), file.columns.iter().collect());
    if has_twice(&rows) || has_twice(&columns) || rows.iter().chain(&columns).any(separators) {
        faults.push(Fault::at("row", "label", "a label stands once, and is not the word for all"));
    }
    for (n, row) in file.row.iter().enumerate() {
        let key = format!("row[{n}].counts");
        if row.counts.len() != file.columns.len() {
            faults.push(Fault::at(key, "length", "a row has a count for each column"));
            continue;
        }
        let is_mark = |count: &Count| matches!(count, Count::Mark(mark) if mark != "x" && mark != "z");
        if row.counts.iter().any(is_mark) {
            faults.push(Fault::at(key.clone(), "mark", "in the place of a count stands x or z"));
        }
        let fits = match row.counts.iter().map(number).collect::<Vec<_>>()[..] {
            [Some(part), Some(whole)] => part <= whole,
            _ => false,
        };
        if is_whole && !fits {
            faults.push(Fault::at(key, "part", "a part and its whole are numbers, and the part is not larger"));
        }
    }
    faults
}

fn number(count: &Count) -> Option<u64> {
    match count {
        Count::Number(number) => Some(*number),
        Count::Mark(_) => None,
    }
}

fn atom(row: &str, column: &str) -> String {
    format!("{row}\u{1f}{column}")
}

#[cfg(test)]
mod tests {
    use super::super::percent::{Halves, percent};
    use super::super::profile::ProfileName;
    use super::super::table::Mark;
    use super::*;

    fn read(name: &str) -> PublishedFigures {
        let path = format!("{}/policies/reference/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        PublishedFigures::parse(&bytes).unwrap_or_else(|faults| panic!("{name}: {faults}"))
    }

    fn internal() -> Profile {
        Profile::with_threshold(ProfileName::Internal, 3).expect("in range")
    }

    /// The true count, as the file has it.
    fn counted(figures: &PublishedFigures, row: &str, column: &str) -> u64 {
        let place = figures.collection.tables()[0].rows.labels.iter().position(|label| label == row).expect(row);
        let across = figures.collection.tables()[0].columns.labels.iter().position(|label| label == column);
        let Cell::Of(statistic, _) = figures.collection.tables()[0].cells[place][across.expect(column)] else {
            panic!("{row} and {column} have a count")
        };
        figures.collection.values(&figures.counts)[statistic]
    }

    #[test]
    fn the_published_totals_foot() {
        let offences = read("adult-offences");
        assert_eq!(counted(&offences, ALL, "known to the programme"), 76);
        assert_eq!(counted(&offences, ALL, "all recorded"), 2_386);
        let asb = read("antisocial-behaviour-by-area");
        assert_eq!(counted(&asb, ALL, "18 and over"), 75);
        assert_eq!(counted(&asb, ALL, "under 18"), 134);
        assert_eq!(counted(&asb, ALL, ALL), 210);
        let districts = read("youth-offending-by-district");
        assert_eq!(counted(&districts, ALL, "engaged"), 123);
        assert_eq!(counted(&districts, ALL, "charged in the year"), 431);
        let routes = read("identification-routes");
        assert_eq!(counted(&routes, ALL, "families"), 1_966);
        assert_eq!(counted(&routes, "data matching", "families"), 1_507);
        let rounds = read("matching-rounds");
        assert_eq!(counted(&rounds, ALL, "families"), 1_443);
    }

    #[test]
    fn the_published_percentages_come_out_of_the_counts() {
        let share = |name: &str, row: &str, column: &str, halves: Halves| {
            let table = read(name).table(&internal().with_halves(halves));
            table.figure(row, column).expect("there").percent
        };
        for (district, percent) in [
            ("Penwith", 33),
            ("Kerrier", 24),
            ("Carrick", 29),
            ("Restormel", 31),
            ("North Cornwall", 23),
            ("Caradon", 33),
            ("all", 29),
        ] {
            assert_eq!(
                share("youth-offending-by-district", district, "engaged", Halves::Up),
                Some(percent),
                "{district}"
            );
        }
        for (route, percent) in [("carried over from phase 1", 13), ("referral", 10), ("data matching", 77)] {
            assert_eq!(share("identification-routes", route, "families", Halves::Up), Some(percent), "{route}");
        }
        // The smallest of these is hidden even in internal tables, so the shares are of the counts.
        let exclusions = read("permanent-exclusions");
        for (school, share) in [("secondary", 80), ("primary", 18), ("alternative provision", 2)] {
            let [part, whole] = [school, ALL].map(|row| counted(&exclusions, row, "pupils"));
            assert_eq!(percent(part, whole, Halves::ToEven), Some(share), "{school}");
        }
    }

    #[test]
    fn every_table_of_figures_comes_out_protected_in_public() {
        let public = Profile::usual(ProfileName::Public);
        let folder = format!("{}/policies/reference", env!("CARGO_MANIFEST_DIR"));
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).expect("the folder").flatten() {
            let name = entry.file_name().into_string().expect("a name");
            let Some(name) = name.strip_suffix(".toml") else { continue };
            let figures = read(name);
            let table = figures.table(&public);
            seen += 1;
            assert!(!table.source.as_deref().unwrap_or_default().is_empty() && !table.rule.is_empty(), "{name}");
            for figure in table.figures.iter().flatten() {
                assert!(figure.count.is_none_or(|count| count >= 10 && count % 5 == 0), "{name}: {figure:?}");
                assert!(figure.count.is_some() || figure.percent.is_none(), "{name}: a share tells its count");
            }
            let needs = first_needs(&figures.collection, &figures.counts, &public);
            let values = figures.collection.values(&figures.counts);
            let protection = protect(&figures.collection, &figures.counts, &public, needs);
            for (place, need) in protection.needs.iter().enumerate().filter_map(|(n, need)| Some((n, (*need)?))) {
                let seen: Vec<u64> =
                    protection.worlds.iter().map(|world| figures.collection.values(world)[place]).collect();
                assert!(
                    seen.iter().any(|value| *value <= need.low) && seen.iter().any(|value| *value >= need.high),
                    "{name}"
                );
            }
            for world in &protection.worlds {
                assert!(super::super::protect::is_world(
                    &figures.collection,
                    &values,
                    world,
                    &public,
                    &protection.needs
                ));
            }
        }
        assert!(seen >= 7, "{seen} tables were read");
    }

    #[test]
    fn what_was_printed_too_finely_is_hidden() {
        let public = Profile::usual(ProfileName::Public);
        let hidden = |name: &str, row: &str, column: &str| {
            read(name).table(&public).figure(row, column).expect("there").mark == Some(Mark::Confidential)
        };
        for offence in ["robbery", "weapons", "rape", "dwelling burglary"] {
            assert!(hidden("adult-offences", offence, "known to the programme"), "{offence}");
        }
        assert!(
            hidden("adult-offences", "rape", "all recorded") && hidden("adult-offences", "robbery", "all recorded")
        );
        assert!(hidden("youth-offending-by-town", "Camelford", "young people charged"));
        assert!(hidden("antisocial-behaviour-by-area", "Looe", "all"));
        assert!(hidden("antisocial-behaviour-by-area", "Truro", "18 and over"));
        assert!(!hidden("adult-offences", "drug possession", "known to the programme"));
        let table = read("antisocial-behaviour-by-area").table(&public);
        assert_eq!(table.figure("Looe", "18 and over").expect("there").mark, Some(Mark::Unavailable));
        assert!(!table.known_conflicts.is_empty());
    }

    #[test]
    fn a_file_that_contradicts_itself_is_refused() {
        let good =
            std::fs::read_to_string(format!("{}/policies/reference/adult-offences.toml", env!("CARGO_MANIFEST_DIR")))
                .expect("the file");
        assert!(PublishedFigures::parse(good.as_bytes()).is_ok());
        for (from, to) in [
            ("counts = [5, 113]", "counts = [114, 113]"),
            ("counts = [5, 113]", "counts = [5]"),
            ("counts = [5, 113]", "counts = [\"y\", 113]"),
        ] {
            assert!(PublishedFigures::parse(good.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }
}
