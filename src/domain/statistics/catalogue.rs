//! The programme's own tables: a fixed list, with no free filter and no free cohort.
//!
//! | table | what |
//! |---|---|
//! | `areas` | families by criteria area met; a family meets several |
//! | `combinations` | families by the exact areas that they meet |
//! | `number-of-areas` | families by how many areas they meet |
//! | `localities` | families by part of the district |
//! | `areas-by-locality` | both at once |
//! | `composition` | families by number of children and of adults |
//!
//! They share figures, so they are one [`Collection`] and are protected and released together.

use std::collections::BTreeSet;

use super::cohort::RecordTag;
use super::collection::{Cell, Collection, Dimension, Layout};
use crate::domain::ids::{AreaCode, LocalityCode};
use crate::domain::programme::Programme;

/// The names of the tables.
pub const TABLES: [&str; 6] =
    ["areas", "combinations", "number-of-areas", "localities", "areas-by-locality", "composition"];

/// More combinations of areas than this make no table; nor are they crossed with localities.
const MOST_COMBINATIONS: usize = 64;

/// Areas beyond so many stand in the tables as not available.
const MOST_AREAS: usize = 12;

/// How many children and unborn children a family has, in bands.
const CHILDREN: [&str; 5] = ["none born yet", "1", "2", "3 or 4", "5 or more"];
/// How many adults.
const ADULTS: [&str; 4] = ["none known", "1", "2", "3 or more"];

/// What the tables need to know of a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedFamily {
    /// Keyed tags of its records.
    pub records: Vec<RecordTag>,
    /// The areas that it meets.
    pub areas: BTreeSet<AreaCode>,
    /// The parts of the district that its records name.
    pub localities: BTreeSet<LocalityCode>,
    /// Children who were born.
    pub children: usize,
    /// Adults.
    pub adults: usize,
}

/// Which tables a programme has, from what may be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    covered: Vec<AreaCode>,
    localities: Vec<LocalityCode>,
    collection: Collection,
    /// Families that meet fewer areas are not counted.
    threshold: usize,
    crosses: bool,
}

/// Puts a table together: name, title, rows, columns, cells, notes.
type LayOut<'l> = dyn Fn(&str, &str, Dimension, Dimension, Vec<Vec<Cell>>, &[&str]) -> Layout + 'l;

const NOT_RECORDED: &str = "not recorded";
const SEVERAL: &str = "several";

impl Catalogue {
    /// The tables over the areas that may be counted. The others stand in them as not available.
    pub fn new(programme: &Programme, covered: &BTreeSet<AreaCode>, has_localities: bool) -> Self {
        let threshold = usize::from(programme.eligibility().threshold_areas);
        let covered = programme.areas().iter().map(|area| area.code.clone()).filter(|code| covered.contains(code));
        let areas: Vec<AreaCode> = covered.take(MOST_AREAS).collect();
        let localities: Vec<LocalityCode> = if has_localities {
            programme.localities().iter().map(|locality| locality.code.clone()).collect()
        } else {
            Vec::new()
        };
        let combinations = combinations(&areas, threshold);
        let crosses = combinations.len() <= MOST_COMBINATIONS;
        let places: Vec<String> = localities
            .iter()
            .map(LocalityCode::to_string)
            .chain([NOT_RECORDED, SEVERAL].map(str::to_owned))
            .filter(|place| has_localities || place == NOT_RECORDED)
            .collect();
        let first: Vec<String> = if crosses {
            combinations.iter().flat_map(|areas| places.iter().map(move |place| atom(areas, place))).collect()
        } else {
            combinations.iter().map(|areas| atom(areas, NOT_RECORDED)).collect()
        };
        let sizes = CHILDREN.iter().flat_map(|children| ADULTS.iter().map(move |adults| size_atom(children, adults)));
        let collection = Collection::new(vec![first, sizes.collect()]);
        let mut catalogue = Self { covered: areas, localities, collection, threshold, crosses };
        catalogue.lay_out(programme, &combinations, &places);
        catalogue
    }

    /// The tables.
    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    /// The records and atoms of a family, or `None` when it meets too few areas to be counted.
    pub fn place(&self, family: &CountedFamily) -> Option<(Vec<RecordTag>, Vec<String>)> {
        let met: Vec<&AreaCode> = self.covered.iter().filter(|area| family.areas.contains(area)).collect();
        if met.len() < self.threshold || met.is_empty() {
            return None;
        }
        let known: Vec<&LocalityCode> =
            self.localities.iter().filter(|locality| family.localities.contains(locality)).collect();
        let place = match known[..] {
            _ if self.localities.is_empty() || !self.crosses => NOT_RECORDED,
            [] => NOT_RECORDED,
            [locality] => locality.as_str(),
            _ => SEVERAL,
        };
        let children = match family.children {
            few @ 0..=2 => CHILDREN[few],
            3 | 4 => CHILDREN[3],
            _ => CHILDREN[4],
        };
        let adults = ADULTS[family.adults.min(3)];
        let met: Vec<AreaCode> = met.into_iter().cloned().collect();
        Some((family.records.clone(), vec![atom(&met, place), size_atom(children, adults)]))
    }

    fn lay_out(&mut self, programme: &Programme, combinations: &[Vec<AreaCode>], places: &[String]) {
        let total = self.collection.statistic("all", 100, |atom| !is_size(atom));
        let title = |code: &AreaCode| {
            programme.area(code).map_or_else(|| code.to_string(), |area| format!("{code} {}", area.title))
        };
        let rule = format!(
            "Counted are families by the household rule that meet at least {} areas among those that may be counted.",
            self.threshold
        );
        let cell = |statistic: Option<usize>, whole| {
            statistic.map_or(Cell::NotApplicable, |statistic| Cell::Of(statistic, whole))
        };
        let families = || Dimension { title: "count".to_owned(), labels: vec!["families".to_owned()] };
        let layout = |name: &str, title: &str, rows, columns, cells, notes: &[&str]| Layout {
            name: name.to_owned(),
            title: title.to_owned(),
            rows,
            columns,
            cells,
            base: total,
            notes: std::iter::once(rule.clone()).chain(notes.iter().map(|note| (*note).to_owned())).collect(),
            conflicts: Vec::new(),
        };
        let dimension = |title: &str, labels: Vec<String>| Dimension { title: title.to_owned(), labels };

        let meets = |atom: &str, area: &AreaCode| areas_of(atom).any(|met| met == area.as_str());
        let mut labels: Vec<String> = programme.areas().iter().map(|area| title(&area.code)).collect();
        labels.push("all families".to_owned());
        let by_area: Vec<Option<usize>> = programme
            .areas()
            .iter()
            .map(|area| {
                self.collection
                    .statistic(&format!("area/{}", area.code), 20, |atom| !is_size(atom) && meets(atom, &area.code))
            })
            .collect();
        // An area without atoms is one that nobody may count, or that has no criterion.
        let area_cell = |statistic: Option<usize>, whole| {
            statistic.map_or(Cell::Unavailable, |statistic| Cell::Of(statistic, whole))
        };
        let mut cells: Vec<Vec<Cell>> = by_area.iter().map(|area| vec![area_cell(*area, total)]).collect();
        cells.push(vec![cell(total, None)]);
        let notes = ["A family meets several areas: the rows do not add up to all families."];
        let table = layout(
            "areas",
            "Families by criteria area",
            dimension("criteria area", labels.clone()),
            families(),
            cells,
            &notes,
        );
        self.collection.add_table(table);

        let name = |areas: &[AreaCode]| areas.iter().map(AreaCode::as_str).collect::<Vec<_>>().join("+");
        if self.crosses {
            let mut rows: Vec<String> = combinations.iter().map(|areas| name(areas)).collect();
            rows.push("all families".to_owned());
            let mut cells: Vec<Vec<Cell>> = Vec::new();
            for areas in combinations {
                let wanted = name(areas);
                let key = format!("combination/{wanted}");
                let found = self.collection.statistic(&key, 4, |atom| atom.split('|').next() == Some(&wanted));
                cells.push(vec![cell(found, total)]);
            }
            cells.push(vec![cell(total, None)]);
            let table = layout(
                "combinations",
                "Families by the exact areas that they meet",
                dimension("areas met, and no other", rows),
                families(),
                cells,
                &[],
            );
            self.collection.add_table(table);
        }

        let most = self.covered.len();
        let mut rows = Vec::new();
        let mut cells = Vec::new();
        for number in self.threshold..=most {
            rows.push(format!("{number} areas"));
            let key = format!("number/{number}");
            let found = self.collection.statistic(&key, 10, |atom| !is_size(atom) && areas_of(atom).count() == number);
            cells.push(vec![cell(found, total)]);
        }
        rows.push("all families".to_owned());
        cells.push(vec![cell(total, None)]);
        let dimension_of = dimension("number of areas met", rows);
        let table = layout("number-of-areas", "Families by number of areas", dimension_of, families(), cells, &[]);
        self.collection.add_table(table);

        self.lay_out_localities(programme, places, total, &by_area, &labels, &layout);
        self.lay_out_composition(total, &layout);
    }

    fn lay_out_localities(
        &mut self,
        programme: &Programme,
        places: &[String],
        total: Option<usize>,
        by_area: &[Option<usize>],
        area_labels: &[String],
        layout: &LayOut<'_>,
    ) {
        if !self.crosses || self.localities.is_empty() {
            return;
        }
        let name = |place: &String| {
            let known = LocalityCode::parse(place).ok().and_then(|code| programme.locality(&code).cloned());
            known.map_or_else(|| place.clone(), |locality| locality.name)
        };
        let mut labels: Vec<String> = places.iter().map(name).collect();
        labels.push("all families".to_owned());
        let mut by_place = Vec::new();
        for place in places {
            let key = format!("locality/{place}");
            by_place.push(self.collection.statistic(&key, 20, |atom| place_of(atom) == Some(place)));
        }
        let cell = |statistic: Option<usize>, whole| {
            statistic.map_or(Cell::Unavailable, |statistic| Cell::Of(statistic, whole))
        };
        let mut cells: Vec<Vec<Cell>> = by_place.iter().map(|place| vec![cell(*place, total)]).collect();
        cells.push(vec![cell(total, None)]);
        let notes =
            ["Localities are parts of the district as agencies record them; areas of other systems, such as wards or \
                      statistical areas, are not comparable with them."];
        let families = Dimension { title: "count".to_owned(), labels: vec!["families".to_owned()] };
        let rows = Dimension { title: "locality".to_owned(), labels: labels.clone() };
        self.collection.add_table(layout("localities", "Families by locality", rows, families, cells, &notes));

        let mut cells = Vec::new();
        for (area, whole) in programme.areas().iter().zip(by_area) {
            let mut row = Vec::new();
            for (place, base) in places.iter().zip(&by_place) {
                let key = format!("area-locality/{}/{place}", area.code);
                let found = self.collection.statistic(&key, 2, |atom| {
                    place_of(atom) == Some(place) && areas_of(atom).any(|met| met == area.code.as_str())
                });
                row.push(cell(found, *base));
            }
            row.push(cell(*whole, total));
            cells.push(row);
        }
        let mut last: Vec<Cell> = by_place.iter().map(|place| cell(*place, None)).collect();
        last.push(cell(total, None));
        cells.push(last);
        let notes =
            ["A family meets several areas: the rows do not add up. Percentages are of the families of the column."];
        let rows = Dimension { title: "criteria area".to_owned(), labels: area_labels.to_vec() };
        let columns = Dimension { title: "locality".to_owned(), labels };
        let title = "Families by criteria area and locality";
        self.collection.add_table(layout("areas-by-locality", title, rows, columns, cells, &notes));
    }

    fn lay_out_composition(&mut self, total: Option<usize>, layout: &LayOut<'_>) {
        let labels = |bands: &[&str]| {
            bands.iter().map(|band| (*band).to_owned()).chain(["all families".to_owned()]).collect::<Vec<_>>()
        };
        let of = |statistic: Option<usize>, whole| {
            statistic.map_or(Cell::NotApplicable, |statistic| Cell::Of(statistic, whole))
        };
        let mut cells = Vec::new();
        for children in CHILDREN {
            let mut row = Vec::new();
            for adults in ADULTS {
                let key = format!("size/{children}/{adults}");
                let found = self.collection.statistic(&key, 2, |atom| *atom == size_atom(children, adults));
                row.push(of(found, None));
            }
            let key = format!("children/{children}");
            let start = format!("size|{children}|");
            row.push(of(self.collection.statistic(&key, 10, |atom| atom.starts_with(&start)), total));
            cells.push(row);
        }
        let mut last = Vec::new();
        for adults in ADULTS {
            let end = format!("|{adults}");
            let key = format!("adults/{adults}");
            let found = self.collection.statistic(&key, 10, |atom| is_size(atom) && atom.ends_with(&end));
            last.push(of(found, total));
        }
        last.push(of(total, None));
        cells.push(last);
        let notes = ["Adults and children are those whose records may be counted and whose role an agency gave."];
        let rows = Dimension { title: "children".to_owned(), labels: labels(&CHILDREN) };
        let columns = Dimension { title: "adults".to_owned(), labels: labels(&ADULTS) };
        self.collection.add_table(layout("composition", "Families by who is in them", rows, columns, cells, &notes));
    }
}

/// Every set of at least so many areas, small sets first.
fn combinations(areas: &[AreaCode], threshold: usize) -> Vec<Vec<AreaCode>> {
    let count = areas.len();
    let mut sets: Vec<Vec<AreaCode>> = (1_u32..1 << count)
        .filter(|set| set.count_ones() as usize >= threshold)
        .map(|set| (0..count).filter(|area| set >> area & 1 == 1).map(|area| areas[area].clone()).collect())
        .collect();
    sets.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    sets
}

fn atom(areas: &[AreaCode], place: &str) -> String {
    format!("{}|{place}", areas.iter().map(AreaCode::as_str).collect::<Vec<_>>().join("+"))
}

fn size_atom(children: &str, adults: &str) -> String {
    format!("size|{children}|{adults}")
}

fn is_size(atom: &str) -> bool {
    atom.starts_with("size|")
}

fn areas_of(atom: &str) -> impl Iterator<Item = &str> {
    atom.split('|').next().unwrap_or_default().split('+')
}

fn place_of(atom: &str) -> Option<&str> {
    (!is_size(atom)).then(|| atom.split('|').nth(1)).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::cohort::Cohort;
    use super::super::profile::{Profile, ProfileName};
    use super::super::release::{Past, release};
    use super::super::table::{Mark, Table, UnitCounted};
    use super::*;

    fn programme() -> Programme {
        Programme::parse(include_bytes!("../../../policies/programme.toml")).expect("the shipped file")
    }

    fn areas(list: &[&str]) -> BTreeSet<AreaCode> {
        list.iter().map(|area| AreaCode::parse(area).expect("a code")).collect()
    }

    /// The exact combinations of the synthetic cohort, spread over six localities.
    pub(in crate::domain::statistics) fn fixture() -> (Catalogue, Cohort) {
        let counts: [(&[&str], usize); 7] = [
            (&["A2", "A4"], 630),
            (&["A2", "A3"], 520),
            (&["A2", "A3", "A4"], 371),
            (&["A1", "A2"], 107),
            (&["A3", "A4"], 65),
            (&["A1", "A3"], 113),
            (&["A1", "A2", "A3"], 160),
        ];
        let catalogue = Catalogue::new(&programme(), &areas(&["A1", "A2", "A3", "A4"]), true);
        let localities: Vec<LocalityCode> = programme().localities().iter().map(|place| place.code.clone()).collect();
        let families = counts.iter().flat_map(|(met, count)| std::iter::repeat_n(areas(met), *count)).enumerate();
        let families = families.map(|(n, met)| CountedFamily {
            records: vec![n as u64],
            areas: met,
            localities: BTreeSet::from([localities[n % 6].clone()]),
            children: 1 + n % 5,
            adults: 1 + n % 3,
        });
        let placed = families.filter_map(|family| catalogue.place(&family)).collect::<Vec<_>>();
        let cohort = Cohort::new(catalogue.collection(), placed).expect("the catalogue's own atoms");
        (catalogue, cohort)
    }

    #[test]
    fn the_internal_tables_give_every_count_and_percentage_of_the_fixture() {
        let (catalogue, cohort) = fixture();
        let profile = Profile::usual(ProfileName::Internal);
        let day = jiff::civil::date(2016, 9, 20);
        let standing = release(catalogue.collection(), &cohort, &Past::default(), &profile, 1, day);
        let table = |name: &str| {
            let layout = catalogue.collection().table(name).expect("in the catalogue");
            Table::of(layout, catalogue.collection(), &standing, &profile, UnitCounted::Families, day)
        };
        let figure = |name: &str, row: &str| {
            let table = table(name);
            let label = table.rows.iter().find(|label| label.split(' ').next() == row.split(' ').next()).expect(row);
            let figure = table.figure(label, "families").expect("a figure");
            (figure.count, figure.percent)
        };
        for (row, count, percent) in [("A2", 1_788, 91), ("A3", 1_229, 63), ("A4", 1_066, 54), ("A1", 380, 19)] {
            assert_eq!(figure("areas", row), (Some(count), Some(percent)), "{row}");
        }
        for (row, count, percent) in [
            ("A2+A4", 630, 32),
            ("A2+A3", 520, 26), // published as 25, which no cohort with the other figures can have
            ("A2+A3+A4", 371, 19),
            ("A1+A2", 107, 5),
            ("A3+A4", 65, 3),
            ("A1+A3", 113, 6),
            ("A1+A2+A3", 160, 8),
        ] {
            assert_eq!(figure("combinations", row), (Some(count), Some(percent)), "{row}");
        }
        assert_eq!(figure("number-of-areas", "2"), (Some(1_435), Some(73)));
        assert_eq!(table("areas").base.and_then(|base| base.count), Some(1_966));
        let none = table("areas").figures[4][0];
        assert_eq!((none.count, none.mark), (None, Some(Mark::Unavailable)), "an area without a criterion");
        assert!(table("localities").figures.iter().take(6).all(|row| row[0].count.is_some_and(|count| count > 250)));
    }

    #[test]
    fn no_cohort_has_every_published_figure_at_once() {
        use super::super::percent::{Halves, percent};
        let printed_as =
            |share: u64| (0..=1_966).filter(move |count| percent(*count, 1_966, Halves::Up) == Some(share));
        let most = |share| printed_as(share).max().expect("a count");
        let least = |share| printed_as(share).min().expect("a count");
        // Who needs help (63) either has school attendance besides and nothing else (25), or meets three
        // areas at least (all but the 73 of exactly two), or lacks school attendance (all but 91).
        let at_most = most(25) + (1_966 - least(73)) + (1_966 - least(91));
        assert_eq!((at_most, least(63)), (1_227, 1_229));
    }

    #[test]
    fn in_public_combinations_that_nobody_has_are_not_told_apart_from_small_ones() {
        let (catalogue, cohort) = fixture();
        let day = jiff::civil::date(2016, 9, 20);
        let count = |name, key: &str| {
            let profile = Profile::usual(name);
            release(catalogue.collection(), &cohort, &Past::default(), &profile, 1, day)[key].count
        };
        for none in ["combination/A1+A4", "combination/A1+A2+A3+A4"] {
            assert_eq!(count(ProfileName::Internal, none), Some(0), "{none}");
            assert_eq!(count(ProfileName::Public, none), None, "{none}");
        }
        assert_eq!(count(ProfileName::Public, "all"), Some(1_965));
    }

    #[test]
    fn many_areas_make_no_table_of_combinations() {
        let text = include_str!("../../../policies/programme.toml");
        let more = (7..=9).fold(String::new(), |more, n| {
            more + &format!(
                "[[area]]\ncode = \"A{n}\"\ntitle = \"T\"\nplain = \"An area of a test.\"\nno_criteria = true\n\n"
            )
        });
        let at = text.find("[[area]]").expect("areas");
        let programme =
            Programme::parse(format!("{}{more}{}", &text[..at], &text[at..]).as_bytes()).expect("well-formed");
        let covered: BTreeSet<AreaCode> = programme.areas().iter().map(|area| area.code.clone()).collect();
        let catalogue = Catalogue::new(&programme, &covered, true);
        assert!(catalogue.collection().table("combinations").is_none());
        assert!(
            catalogue.collection().table("areas").is_some() && catalogue.collection().table("composition").is_some()
        );
    }

    #[test]
    fn a_family_under_the_threshold_is_not_counted() {
        let catalogue = Catalogue::new(&programme(), &areas(&["A1", "A2", "A3", "A4"]), true);
        let family = CountedFamily {
            records: vec![1],
            areas: areas(&["A2"]),
            localities: BTreeSet::new(),
            children: 1,
            adults: 1,
        };
        assert!(catalogue.place(&family).is_none());
        let two = CountedFamily { areas: areas(&["A2", "A3"]), ..family };
        assert_eq!(
            catalogue.place(&two).map(|(_, atoms)| atoms),
            Some(vec!["A2+A3|not recorded".to_owned(), "size|1|1".to_owned()])
        );
    }
}
