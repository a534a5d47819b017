//! Tables of the families that have a number: a fixed list, like the [`catalogue`](super::catalogue)'s.
//!
//! | table | what |
//! |---|---|
//! | `routes` | families by how they came to the programme, attached and engaged |
//! | `validation-rounds` | those that data matching found, round by round: put forward, and validated |
//! | `engagement` | attached families by lead agency, engaged or not, and by months since anybody saw them |
//!
//! These are other families than those of the catalogue, which are households of the day. They share
//! figures among themselves, so they too are one [`Collection`], in two blocks: how a family came, and
//! who works with it. Both tell apart how far it has come.
//!
//! The name of a figure is the pattern of the atoms that it counts. So who was counted in a figure of
//! an earlier month can be said from its name.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::cohort::RecordTag;
use super::collection::{Cell, Collection, Dimension, Layout};
use crate::domain::family::IdentificationRoute;
use crate::domain::ids::AgencyCode;

/// The names of the tables.
pub const NUMBERED_TABLES: [&str; 3] = ["routes", "validation-rounds", "engagement"];

/// Rounds with a row of their own. The rows never move together: what is hidden in one would show when
/// it came to another.
const MOST_ROUNDS: usize = 60;

const ROUTES: [(IdentificationRoute, &str); 3] = [
    (IdentificationRoute::PhaseOneCarryOver, "carried over from the first phase"),
    (IdentificationRoute::Referral, "referral"),
    (IdentificationRoute::DataMatch, "data matching"),
];
/// How far a family has come.
const NUMBERED: &str = "numbered";
const ATTACHED: &str = "attached";
const ENGAGED: &str = "engaged";
const STATES: [&str; 3] = [NUMBERED, ATTACHED, ENGAGED];
const BOTH: &str = "attached+engaged";
/// Whole months, from the first of each to the one before the next.
const MONTHS: [(u32, &str); 4] = [(0, "0 to 2"), (3, "3 to 5"), (6, "6 to 11"), (12, "12 or more")];
const THREE_AND_MORE: &str = "3 to 5+6 to 11+12 or more";

const NO_ROUND: &str = "no round";
const LATER: &str = "later rounds";
const SEVERAL: &str = "several agencies";
const NOBODY: &str = "nobody any more";
const NOT_KNOWN: &str = "not known";

/// A match run that was closed: a round in which families are put forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// The number of the run.
    pub number: i64,
    /// The day on which it was closed.
    pub closed_on: Date,
}

/// How far a family with a number has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has a number.
    Numbered,
    /// Its data are validated and enough areas are met; nobody was seen to work with it since.
    Attached {
        /// Whole months since.
        months: u32,
    },
    /// Somebody works with it, or did.
    Engaged {
        /// Whole months since the last contact.
        months: u32,
    },
}

/// Who leads for a family, as far as may be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leading {
    /// One agency.
    Agency(AgencyCode),
    /// Several say that they do.
    Several,
    /// Somebody did.
    NobodyAnyMore,
    /// Nobody who may be heard.
    NotKnown,
}

/// What the tables need to know of a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedFamily {
    /// Keyed tags of its records.
    pub records: Vec<RecordTag>,
    /// How it came.
    pub route: IdentificationRoute,
    /// The run that was the newest closed one when it got its number.
    pub round: Option<i64>,
    /// How far it has come.
    pub progress: Progress,
    /// Who leads.
    pub leading: Leading,
}

/// The tables of a programme's numbered families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedCatalogue {
    rounds: Vec<String>,
    leads: Vec<String>,
    collection: Collection,
}

impl NumberedCatalogue {
    /// The tables over these rounds, the oldest first, and the agencies that may be named as leading.
    pub fn new(rounds: &[Round], leading: &BTreeSet<AgencyCode>) -> Self {
        let mut names: Vec<String> = rounds.iter().take(MOST_ROUNDS).map(|round| round.number.to_string()).collect();
        if rounds.len() > MOST_ROUNDS {
            names.push(LATER.to_owned());
        }
        names.push(NO_ROUND.to_owned());
        let leads: Vec<String> =
            leading.iter().map(AgencyCode::to_string).chain([SEVERAL, NOBODY, NOT_KNOWN].map(str::to_owned)).collect();
        let mut came = Vec::new();
        for (route, _) in ROUTES {
            let is_matched = route == IdentificationRoute::DataMatch;
            let rounds = names.iter().filter(|round| is_matched || *round == NO_ROUND);
            came.extend(rounds.flat_map(|round| STATES.map(|state| came_atom(route, round, state))));
        }
        let mut work = vec![work_atom(NUMBERED, "-", "-")];
        for state in [ATTACHED, ENGAGED] {
            work.extend(leads.iter().flat_map(|lead| MONTHS.map(|(_, months)| work_atom(state, lead, months))));
        }
        let groups = STATES.map(|state| move |atom: &str| state_of(atom) == state);
        let collection = Collection::tied(vec![came, work], &groups);
        let mut catalogue = Self { rounds: names, leads, collection };
        catalogue.lay_out_routes();
        catalogue.lay_out_rounds(rounds);
        catalogue.lay_out_engagement();
        catalogue
    }

    /// The tables.
    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    /// The records and atoms of a family.
    pub fn place(&self, family: &NumberedFamily) -> (Vec<RecordTag>, Vec<String>) {
        let known = |number: i64| {
            let name = number.to_string();
            if self.rounds.contains(&name) { name } else { LATER.to_owned() }
        };
        let round = family.round.filter(|_| family.route == IdentificationRoute::DataMatch).map(known);
        let round = round.filter(|name| self.rounds.contains(name)).unwrap_or_else(|| NO_ROUND.to_owned());
        let lead = match &family.leading {
            Leading::Agency(agency) => agency.to_string(),
            Leading::Several => SEVERAL.to_owned(),
            Leading::NobodyAnyMore => NOBODY.to_owned(),
            Leading::NotKnown => NOT_KNOWN.to_owned(),
        };
        let lead = if self.leads.contains(&lead) { lead } else { NOT_KNOWN.to_owned() };
        let (state, work) = match family.progress {
            Progress::Numbered => (NUMBERED, work_atom(NUMBERED, "-", "-")),
            Progress::Attached { months } => (ATTACHED, work_atom(ATTACHED, &lead, band(months))),
            Progress::Engaged { months } => (ENGAGED, work_atom(ENGAGED, &lead, band(months))),
        };
        (family.records.clone(), vec![came_atom(family.route, &round, state), work])
    }

    /// The figure of a pattern, shown whole or not at all.
    fn figure(&mut self, pattern: &str, weight: u32) -> Option<usize> {
        self.collection.statistic(pattern, weight, |atom| counts(pattern, atom))
    }

    fn cell(&mut self, pattern: &str, weight: u32, whole: Option<usize>) -> Cell {
        self.figure(pattern, weight).map_or(Cell::NotApplicable, |figure| Cell::Of(figure, whole))
    }

    fn lay_out_routes(&mut self) {
        let all = self.figure("came|*|*|*", 100);
        let mut cells = Vec::new();
        let mut labels = Vec::new();
        for (route, label) in
            ROUTES.map(|(route, label)| (route.as_str(), label)).into_iter().chain([("*", "all routes")])
        {
            let row = self.figure(&format!("came|{route}|*|*"), 20);
            let share = if route == "*" { None } else { all };
            cells.push(vec![
                row.map_or(Cell::NotApplicable, |figure| Cell::Of(figure, share)),
                self.cell(&format!("came|{route}|*|{BOTH}"), 12, row),
                self.cell(&format!("came|{route}|*|{ENGAGED}"), 6, row),
            ]);
            labels.push(label.to_owned());
        }
        let notes = [
            COUNTED,
            "Attached families are among those with a number, and engaged ones among the attached. The first column's \
             percentages are of all, the others' of the row.",
        ];
        let conflicts =
            ["Families with a number and households of the day, which the other tables count, are not the \
                          same families: their totals need not agree."];
        let columns = ["with a number", "of these attached", "of these engaged"];
        self.add("routes", "Families by identification route", ("route", labels), ("families", &columns), cells, all)
            .say(&notes, &conflicts);
    }

    fn lay_out_rounds(&mut self, rounds: &[Round]) {
        let matched = self.figure("came|data_match|*|*", 20);
        let mut labels = Vec::new();
        let mut cells = Vec::new();
        let rows: Vec<String> = self.rounds.iter().cloned().chain(["*".to_owned()]).collect();
        for name in rows {
            let row = self.figure(&format!("came|data_match|{name}|*"), 8);
            let share = if name == "*" { None } else { matched };
            cells.push(vec![
                row.map_or(Cell::NotApplicable, |figure| Cell::Of(figure, share)),
                self.cell(&format!("came|data_match|{name}|{BOTH}"), 8, row),
            ]);
            let round = rounds.iter().find(|round| round.number.to_string() == name);
            labels.push(match (round, name.as_str()) {
                (Some(round), _) => format!("run {}, closed {}", round.number, round.closed_on),
                (None, NO_ROUND) => "before the first closed run".to_owned(),
                (None, LATER) => LATER.to_owned(),
                (None, _) => "all found by data matching".to_owned(),
            });
        }
        let notes = [
            COUNTED,
            "A family is of the round whose match run was the newest closed one when its number was issued with the route \
             of data matching. Put forward: it got its number. Validated: it was attached since.",
        ];
        let conflicts = [
            "Candidates that got no number are not put forward: a run's own count of candidates is larger.",
            "Rounds do not add up to the route where numbers were issued before any run was closed.",
        ];
        let columns = ["put forward", "of these validated"];
        let title = "Families that data matching found, by round";
        self.add("validation-rounds", title, ("round", labels), ("families", &columns), cells, matched)
            .say(&notes, &conflicts);
    }

    fn lay_out_engagement(&mut self) {
        let all = self.figure("came|*|*|attached+engaged", 60);
        let leads: Vec<String> = self.leads.iter().cloned().chain(["*".to_owned()]).collect();
        let mut rows: Vec<(String, String, String, u32)> = Vec::new();
        let row = |label: &str, states: &str, months: &str, weight| {
            (label.to_owned(), states.to_owned(), months.to_owned(), weight)
        };
        for (_, months) in MONTHS {
            rows.push(row(&format!("no contact yet, attached {months} months ago"), ATTACHED, months, 2));
        }
        rows.push(row("attached and not engaged", ATTACHED, "*", 10));
        for (_, months) in MONTHS {
            rows.push(row(&format!("engaged, last contact {months} months ago"), ENGAGED, months, 2));
        }
        rows.push(row("engaged", ENGAGED, "*", 10));
        rows.push(row("no contact for three months or more", BOTH, THREE_AND_MORE, 8));
        rows.push(row("all attached families", BOTH, "*", 10));
        let mut cells = Vec::new();
        for (_, states, months, weight) in &rows {
            let mut line = Vec::new();
            for lead in &leads {
                let whole = if lead == "*" { all } else { self.figure(&format!("work|{BOTH}|{lead}|*"), 10) };
                let is_whole = states == BOTH && months == "*";
                let share = if is_whole && lead == "*" {
                    None
                } else if is_whole {
                    all
                } else {
                    whole
                };
                line.push(self.cell(&format!("work|{states}|{lead}|{months}"), *weight, share));
            }
            cells.push(line);
        }
        let notes = [
            COUNTED,
            "Engaged: contact with a service in a later month than that of attachment. Months are whole calendar months \
             to the table's day, from the last contact, or from attachment where there was none since. Percentages are \
             of the column; those of the last row, of all attached families.",
            "The lead is the agency that the programme team noted or whose own records say so, as far as the agreements \
             let the reader hear of it.",
        ];
        let conflicts =
            ["A share of families without contact depends on which families it is of: here, of all attached \
                          ones, whether or not anybody leads."];
        let labels = rows.into_iter().map(|(label, ..)| label).collect();
        let columns: Vec<&str> = self.leads.iter().map(String::as_str).chain(["all families"]).collect();
        let columns: Vec<String> = columns.into_iter().map(str::to_owned).collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let title = "Attached families by lead agency and contact";
        self.add("engagement", title, ("contact", labels), ("who leads", &columns), cells, all).say(&notes, &conflicts);
    }

    fn add(
        &mut self,
        name: &str,
        title: &str,
        rows: (&str, Vec<String>),
        columns: (&str, &[&str]),
        cells: Vec<Vec<Cell>>,
        base: Option<usize>,
    ) -> Unsaid<'_> {
        let layout = Layout {
            name: name.to_owned(),
            title: title.to_owned(),
            rows: Dimension { title: rows.0.to_owned(), labels: rows.1 },
            columns: Dimension {
                title: columns.0.to_owned(),
                labels: columns.1.iter().map(|label| (*label).to_owned()).collect(),
            },
            cells,
            base,
            notes: Vec::new(),
            conflicts: Vec::new(),
        };
        Unsaid { collection: &mut self.collection, layout }
    }
}

/// A table that lacks its notes.
struct Unsaid<'c> {
    collection: &'c mut Collection,
    layout: Layout,
}

impl Unsaid<'_> {
    fn say(mut self, notes: &[&str], conflicts: &[&str]) {
        self.layout.notes = notes.iter().map(|note| (*note).to_owned()).collect();
        self.layout.conflicts = conflicts.iter().map(|conflict| (*conflict).to_owned()).collect();
        self.collection.add_table(self.layout);
    }
}

const COUNTED: &str = "Counted are families with a number that stands, of whom somebody's record may be counted; one that \
                       became part of another is not counted by itself.";

/// Whether the figure of a name counts an atom: field by field, `*` for anything, `+` between choices.
pub fn counts(figure: &str, atom: &str) -> bool {
    let (mut wanted, mut fields) = (figure.split('|'), atom.split('|'));
    loop {
        match (wanted.next(), fields.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(choices), Some(field)) if choices.split('+').any(|choice| choice == field) => {}
            _ => return false,
        }
    }
}

fn came_atom(route: IdentificationRoute, round: &str, state: &str) -> String {
    format!("came|{route}|{round}|{state}")
}

fn work_atom(state: &str, lead: &str, months: &str) -> String {
    format!("work|{state}|{lead}|{months}")
}

/// How far those of an atom have come.
fn state_of(atom: &str) -> &str {
    let field = if atom.starts_with("work|") { 1 } else { 3 };
    atom.split('|').nth(field).unwrap_or_default()
}

fn band(months: u32) -> &'static str {
    MONTHS.iter().rev().find(|(from, _)| months >= *from).map_or(MONTHS[0].1, |(_, label)| label)
}

#[cfg(test)]
mod tests {
    use super::super::cohort::Cohort;
    use super::super::profile::{Profile, ProfileName};
    use super::super::release::{Past, release};
    use super::super::table::{Figure, Mark, Table, UnitCounted};
    use super::*;

    const DAY: Date = Date::constant(2016, 9, 20);

    fn agency(code: &str) -> AgencyCode {
        AgencyCode::parse(code).expect("a code")
    }

    fn rounds() -> [Round; 2] {
        [
            Round { number: 1, closed_on: Date::constant(2015, 7, 17) },
            Round { number: 2, closed_on: Date::constant(2016, 5, 10) },
        ]
    }

    /// The published routes and rounds, and 1,700 attached families of which 1,138 had no contact in three
    /// months. Of the rounds 64 are short, so these had their numbers before the first of them.
    fn fixture() -> (NumberedCatalogue, Cohort) {
        let catalogue =
            NumberedCatalogue::new(&rounds(), &BTreeSet::from([agency("early-help-hub"), agency("housing")]));
        let came = std::iter::repeat_n((IdentificationRoute::PhaseOneCarryOver, None), 261)
            .chain(std::iter::repeat_n((IdentificationRoute::Referral, None), 198))
            .chain(std::iter::repeat_n((IdentificationRoute::DataMatch, None), 64))
            .chain(std::iter::repeat_n((IdentificationRoute::DataMatch, Some(1)), 885))
            .chain(std::iter::repeat_n((IdentificationRoute::DataMatch, Some(2)), 558));
        let families = came.enumerate().map(|(n, (route, round))| NumberedFamily {
            records: vec![n as u64],
            route,
            round,
            progress: match n {
                0..400 => Progress::Attached { months: 3 + n as u32 % 12 },
                400..1_138 => Progress::Engaged { months: 3 + n as u32 % 20 },
                1_138..1_700 => Progress::Engaged { months: n as u32 % 3 },
                _ => Progress::Numbered,
            },
            leading: match n % 4 {
                0 => Leading::Agency(agency("housing")),
                1 => Leading::NobodyAnyMore,
                2 => Leading::Agency(agency("early-help-hub")),
                _ => Leading::NotKnown,
            },
        });
        let placed: Vec<_> = families.map(|family| catalogue.place(&family)).collect();
        let cohort = Cohort::new(catalogue.collection(), placed).expect("the catalogue's own atoms");
        (catalogue, cohort)
    }

    fn tables(name: ProfileName) -> impl Fn(&str) -> Table {
        let (catalogue, cohort) = fixture();
        let profile = Profile::usual(name);
        let standing = release(catalogue.collection(), &cohort, &Past::default(), &profile, 1, DAY);
        move |table| {
            let layout = catalogue.collection().table(table).expect("in the list");
            Table::of(layout, catalogue.collection(), &standing, &profile, UnitCounted::Families, DAY)
        }
    }

    fn figure(table: &Table, row: &str, column: &str) -> Figure {
        *table.figure(row, column).unwrap_or_else(|| panic!("{row}, {column}: {}", table.text()))
    }

    #[test]
    fn routes_rounds_and_lost_contact_are_those_that_were_published() {
        let table = tables(ProfileName::Internal);
        let routes = table("routes");
        for (route, count, percent) in
            [("carried over from the first phase", 261, 13), ("referral", 198, 10), ("data matching", 1_507, 77)]
        {
            let found = figure(&routes, route, "with a number");
            assert_eq!((found.count, found.percent), (Some(count), Some(percent)), "{route}");
        }
        assert_eq!(routes.base.and_then(|base| base.count), Some(1_966));
        let by_round = table("validation-rounds");
        let put_forward = |row: &str| figure(&by_round, row, "put forward").count;
        assert_eq!(put_forward("run 1, closed 2015-07-17"), Some(885));
        assert_eq!(put_forward("run 2, closed 2016-05-10"), Some(558));
        assert_eq!(put_forward("before the first closed run"), Some(64), "what the published rounds are short of");
        assert_eq!(by_round.base.and_then(|base| base.count), Some(1_507));
        let engagement = table("engagement");
        let lost = figure(&engagement, "no contact for three months or more", "all families");
        assert_eq!((lost.count, lost.percent), (Some(1_138), Some(67)), "two thirds");
        assert_eq!(figure(&engagement, "all attached families", "all families").count, Some(1_700));
        assert_eq!(figure(&engagement, "attached and not engaged", "all families").count, Some(400));
        for table in [&routes, &by_round, &engagement] {
            assert!(!table.notes.is_empty() && !table.known_conflicts.is_empty() && !table.rule.is_empty());
        }
    }

    #[test]
    fn what_two_tables_show_of_the_same_families_is_one_figure() {
        let (catalogue, _) = fixture();
        let tables: Vec<&Layout> = catalogue.collection().tables().iter().collect();
        let (routes, engagement) = (tables[0], tables[2]);
        let figure = |cell: Option<&Cell>| match cell {
            Some(Cell::Of(figure, _)) => *figure,
            other => panic!("{other:?}"),
        };
        let all_routes = routes.cells.last().expect("rows");
        let attached = engagement.cells.last().expect("rows");
        assert_eq!(figure(all_routes.get(1)), figure(attached.last()), "all attached families");
        assert_eq!(figure(all_routes.get(2)), figure(engagement.cells[9].last()), "all engaged families");
    }

    #[test]
    fn in_public_what_nobody_is_in_is_hidden_and_the_rest_rounded() {
        let table = tables(ProfileName::Public)("engagement");
        assert_eq!(figure(&table, "all attached families", "several agencies").mark, Some(Mark::Confidential));
        assert!(table.figures.iter().flatten().all(|figure| figure.count.is_none_or(|count| count % 5 == 0)));
        assert_eq!(figure(&table, "all attached families", "all families").count, Some(1_700));
    }

    #[test]
    fn a_lead_or_round_that_has_no_place_is_not_known() {
        let catalogue = NumberedCatalogue::new(&[], &BTreeSet::new());
        let family = NumberedFamily {
            records: vec![1],
            route: IdentificationRoute::DataMatch,
            round: Some(9),
            progress: Progress::Engaged { months: 11 },
            leading: Leading::Agency(agency("housing")),
        };
        let (_, atoms) = catalogue.place(&family);
        assert_eq!(atoms, ["came|data_match|no round|engaged", "work|engaged|not known|6 to 11"]);
    }

    #[test]
    fn rounds_beyond_the_last_row_share_one_that_never_takes_an_earlier_one() {
        let many: Vec<Round> = (1..=70).map(|number| Round { number, closed_on: Date::constant(2020, 1, 1) }).collect();
        let family = |round| NumberedFamily {
            records: vec![1],
            route: IdentificationRoute::DataMatch,
            round: Some(round),
            progress: Progress::Numbered,
            leading: Leading::NotKnown,
        };
        for known in [61, 70] {
            let catalogue = NumberedCatalogue::new(&many[..known], &BTreeSet::new());
            let of = |round| catalogue.place(&family(round)).1[0].clone();
            assert_eq!(of(1), "came|data_match|1|numbered");
            assert_eq!(of(60), "came|data_match|60|numbered");
            assert_eq!(of(61), "came|data_match|later rounds|numbered");
        }
    }
}
