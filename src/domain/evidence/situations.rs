//! A small programme and the people in it.

use jiff::civil::Date;

use super::{Contribution, Deliveries, Member, Statement};
use crate::domain::ids::{AgencyCode, CriterionCode, FeedCode};
use crate::domain::programme::Programme;
use crate::domain::record::{
    Attendance, AttendanceBand, Coverage, Evidence, EvidenceGrade, Flag, FlagState, ParentalResponsibility, Role,
    Service, TermName,
};
use crate::domain::time::{Month, Timestamp};

pub(crate) const TODAY: Date = Date::constant(2026, 9, 20);

pub(crate) fn programme() -> Programme {
    let criterion = |code, area, applies_to, window, equivalence| {
        format!(
            "[[criterion]]\ncode = \"{code}\"\nfrom_attendance = {}\narea = \"{area}\"\nplain = \"A sentence.\"\napplies_to = \"{applies_to}\"\n\
             window = {window}\nequivalence = {equivalence}\neffective_from = 2020-01-01\n",
            code == "E1"
        )
    };
    let feed = |agency, code, criteria, items, every| {
        format!(
            "[[feed]]\nagency = \"{agency}\"\ncode = \"{code}\"\nplain = \"A sentence.\"\ncriteria = {criteria}\n\
             items = {items}\ncadence = \"regular\"\nexpected_every_days = {every}\ngrace_days = 10\n\
             effective_from = 2020-01-01\n"
        )
    };
    let area = |code, more| format!("[[area]]\ncode = \"{code}\"\ntitle = \"T\"\nplain = \"A sentence.\"\n{more}\n");
    let term = |code, starts, ends| format!("[[term]]\ncode = \"{code}\"\nstarts = {starts}\nends = {ends}\n");
    let head =
        "programme = \"tff\"\ntitle = \"T\"\nrole = []\n[eligibility]\nplain = \"Two areas.\"\nthreshold_areas = 2\n";
    let text = [
        head.to_owned(),
        area("A1", ""),
        area("A2", ""),
        area("A4", ""),
        area("A5", "no_criteria = true"),
        criterion("C1", "A1", "child", "{ months = 12 }", false),
        criterion("C2", "A1", "adult", "{ months = 12 }", false),
        criterion("E1", "A2", "child", "{ terms = 3 }", true),
        criterion("W1", "A4", "adult_with_parental_responsibility", "\"current\"", false),
        "[[purpose]]\ncode = \"help\"\nplain = \"A sentence.\"\nrelationships = [\"referral\"]\n".to_owned(),
        "[[relationship]]\ncode = \"referral\"\nplain = \"A sentence.\"\n".to_owned(),
        term("2025-autumn", "2025-09-03", "2025-12-19"),
        term("2026-spring", "2026-01-05", "2026-03-27"),
        term("2026-summer", "2026-04-13", "2026-07-22"),
        feed("youth", "orders", "[\"C1\"]", "[\"lead\"]", 31),
        feed("police", "outcomes", "[\"C1\", \"C2\"]", "[]", 92),
        feed("school", "attendance", "[\"E1\"]", "[\"lead\"]", 135),
        feed("school", "pastoral", "[]", "[\"lead\"]", 31),
        feed("jobs", "benefits", "[\"W1\"]", "[]", 92),
        feed("charity", "casework", "[]", "[\"lead\"]", 31),
        feed("archive", "notes", "[]", "[]", 31) + "effective_to = 2026-08-31\n",
    ];
    Programme::parse(text.concat().as_bytes()).expect("consistent")
}

pub(crate) const FEEDS: [(&str, &str); 6] = [
    ("youth", "orders"),
    ("police", "outcomes"),
    ("school", "attendance"),
    ("jobs", "benefits"),
    ("charity", "casework"),
    ("archive", "notes"),
];

pub(crate) fn agency(code: &str) -> AgencyCode {
    AgencyCode::parse(code).expect("a code")
}

pub(crate) fn feed_of(supplier: &str) -> FeedCode {
    let feed = FEEDS.iter().find(|(agency, _)| *agency == supplier).expect("on the calendar").1;
    FeedCode::parse(feed).expect("a code")
}

pub(crate) fn month(text: &str) -> Month {
    text.parse().expect("a month")
}

/// Every feed delivered on the first of the month.
pub(crate) fn deliveries() -> Deliveries {
    FEEDS.iter().map(|(supplier, _)| ((agency(supplier), feed_of(supplier)), Date::constant(2026, 9, 1))).collect()
}

/// What is permitted, written `supplier/item` or, for another feed than the supplier's first,
/// `supplier/feed/item`.
pub(crate) fn set(pairs: &[&str]) -> Contribution {
    let permit = |text: &&str| {
        let (supplier, rest) = text.split_once('/').expect("supplier/item");
        let (feed, item) = match rest.split_once('/') {
            Some((feed, item)) => (FeedCode::parse(feed).expect("a code"), item),
            None => (feed_of(supplier), rest),
        };
        (agency(supplier), feed, item.parse().expect("an item"))
    };
    pairs.iter().map(permit).collect()
}

pub(crate) const EVERYBODY: [&str; 8] =
    ["youth/A1", "police/A1", "school/A2", "charity/A2", "jobs/A4", "youth/lead", "school/lead", "charity/lead"];

/// What one supplier says of a person; grows word by word.
#[derive(Debug, Clone)]
pub(crate) struct Says(pub(crate) Statement);

pub(crate) fn says(supplier: &str, role: Role) -> Says {
    let evidence = Evidence { role, ..Evidence::default() };
    Says(Statement { agency: agency(supplier), feed: feed_of(supplier), evidence })
}

impl Says {
    pub(crate) fn flag(mut self, criterion: &str, state: FlagState, from: &str, to: &str) -> Self {
        let day = |text: &str| text.parse::<Date>().expect("a date");
        self.0.evidence.flags.push(Flag {
            criterion: CriterionCode::parse(criterion).expect("a code"),
            state,
            from: day(from),
            to: (!to.is_empty()).then(|| day(to)),
            evidence: EvidenceGrade::Hard,
        });
        self
    }
    /// `met` over some days inside every window.
    pub(crate) fn met(self, criterion: &str) -> Self {
        self.flag(criterion, FlagState::Met, "2026-06-01", "")
    }
    pub(crate) fn not_met(self, criterion: &str) -> Self {
        self.flag(criterion, FlagState::NotMet, "2026-06-01", "")
    }
    pub(crate) fn professional(mut self) -> Self {
        for flag in &mut self.0.evidence.flags {
            flag.evidence = EvidenceGrade::Professional;
        }
        self
    }
    pub(crate) fn until(mut self, last: &str) -> Self {
        self.0.evidence.assessable_until = Some(month(last));
        self
    }
    pub(crate) fn coverage(mut self, coverage: Coverage) -> Self {
        self.0.evidence.coverage = coverage;
        self
    }
    pub(crate) fn in_feed(mut self, feed: &str) -> Self {
        self.0.feed = FeedCode::parse(feed).expect("a code");
        self
    }
    pub(crate) fn bands(mut self, bands: &[(&str, AttendanceBand)]) -> Self {
        let said = |(term, band): &(&str, AttendanceBand)| Attendance {
            term: TermName::parse(term).expect("a term"),
            band: *band,
        };
        self.0.evidence.attendance = bands.iter().map(said).collect();
        self
    }
    pub(crate) fn disputes(mut self, criterion: &str) -> Self {
        self.0.evidence.contested.push(CriterionCode::parse(criterion).expect("a code"));
        self
    }
    pub(crate) fn parent(mut self, parental_responsibility: ParentalResponsibility) -> Self {
        self.0.evidence.parental_responsibility = parental_responsibility;
        self
    }
    pub(crate) fn service(mut self, service: Service) -> Self {
        self.0.evidence.service = Some(service);
        self
    }
}

pub(crate) fn person(statements: &[Says]) -> Member {
    Member { statements: statements.iter().map(|says| says.0.clone()).collect() }
}

pub(crate) fn noon() -> Timestamp {
    Timestamp::start_of(TODAY).plus_seconds(43_200)
}
