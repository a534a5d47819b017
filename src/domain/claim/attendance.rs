//! Whether every child of school age attended well enough for long enough.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Whereabouts;
use super::pairs::{Shown, View};
use crate::domain::item::Item;
use crate::domain::record::{AttendanceBand, Coverage, Evidence, Role};

/// The attendance of one child over the terms that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChildAttendance {
    /// At least 90 per cent in every term.
    Good,
    /// Less than 90 per cent in a term.
    Below,
    /// A term is missing, or what there is is too old, disputed, or no longer speaks of the child.
    Missing,
}

/// What attendance comes to for the family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttendanceFinding {
    /// The terms that count, the first of them first; fewer than needed when the calendar lacks some.
    pub terms: Vec<String>,
    /// How many children of school age there are, by the most that any record says, then or now;
    /// absent when no record says so now.
    pub school_age_children: Option<u8>,
    /// Each person who has, or had, attendance: position among the claim's people, and what was found.
    pub children: Vec<(usize, ChildAttendance)>,
    /// Whether every school-age child is there and attended well.
    pub is_certified: bool,
}

impl AttendanceFinding {
    /// A missing term or a missing child cannot be certified.
    pub(super) fn of(people: &[Whereabouts], before: &View<'_>, after: &View<'_>, needed: u8) -> Self {
        let today = after.facts.now.date();
        let ended = after.facts.programme.terms().iter().rev().filter(|term| term.ends < today);
        let mut terms: Vec<String> = ended.take(usize::from(needed)).map(|term| term.code.clone()).collect();
        terms.reverse();
        let mut children = Vec::new();
        for (place, who) in people.iter().enumerate() {
            let was = who.then.is_some_and(|then| has_any(&before.persons[then], before));
            let shown = who.now.map(|now| &after.persons[now]);
            if was || shown.is_some_and(|shown| has_any(shown, after)) {
                children.push((place, shown.map_or(ChildAttendance::Missing, |shown| child(shown, after, &terms))));
            }
        }
        let now = most_children(after);
        let school_age_children = now.map(|now| now.max(most_children(before).unwrap_or(0)));
        let is_whole = terms.len() == usize::from(needed);
        let is_certified = is_whole
            && children.iter().all(|(_, found)| *found == ChildAttendance::Good)
            && school_age_children.is_some_and(|count| children.len() >= usize::from(count));
        Self { terms, school_age_children, children, is_certified }
    }
}

/// Whether attendance of the person may be heard and is there, whatever it says.
fn has_any(person: &Shown<'_>, view: &View<'_>) -> bool {
    person.statements.iter().any(|(_, said)| {
        !said.evidence.attendance.is_empty() && view.facts.set.has(&said.agency, &said.feed, &Item::Attendance)
    })
}

fn child(person: &Shown<'_>, view: &View<'_>, terms: &[String]) -> ChildAttendance {
    let today = view.facts.now.date();
    let heard = person.statements.iter().filter(|(_, said)| {
        let is_permitted = view.facts.set.has(&said.agency, &said.feed, &Item::Attendance);
        let has_aged_out = said.evidence.assessable_until.is_some_and(|month| month.last_day() < today);
        let is_child = matches!(said.evidence.role, Role::Child | Role::Unknown);
        let is_current = said.evidence.coverage == Coverage::Current && !has_aged_out && is_child;
        is_permitted && is_current && !view.facts.is_overdue(said)
    });
    let mut bands: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    for (_, said) in heard {
        if is_disputed(&said.evidence, view) {
            return ChildAttendance::Missing; // neither it nor what stands beside it can be relied on
        }
        for attendance in &said.evidence.attendance {
            bands.entry(attendance.term.as_str()).or_default().insert(attendance.band == AttendanceBand::AtLeast90);
        }
    }
    let of_term = |term: &String| bands.get(term.as_str());
    if terms.iter().filter_map(of_term).any(|said| said.contains(&false)) {
        ChildAttendance::Below
    } else if terms.iter().all(|term| of_term(term).is_some()) {
        ChildAttendance::Good
    } else {
        ChildAttendance::Missing
    }
}

/// Whether the person disputes what a record says of attendance.
fn is_disputed(evidence: &Evidence, view: &View<'_>) -> bool {
    let mut computed = view.facts.version().criteria.iter().filter(|criterion| criterion.from_attendance);
    !evidence.attendance.is_empty() && computed.any(|criterion| evidence.contested.contains(&criterion.code))
}

fn most_children(view: &View<'_>) -> Option<u8> {
    let statements = view.persons.iter().flat_map(|person| &person.statements);
    let may = statements.filter(|(_, said)| view.facts.set.has(&said.agency, &said.feed, &Item::Household));
    may.filter_map(|(_, said)| said.evidence.school_age_children).max()
}
