//! Whether a result may be claimed for a family: what was met at engagement, what is met now, and
//! what the evidence cannot say.
//!
//! The check compares two views of one family, as at engagement and as at now. Both are seen through
//! the permitted set of now, and of the past only what the records say that are still found: whoever is
//! shielded since, or whose agreement was withdrawn since, is as silent about the past as about today.
//! Where nobody is found of those who were engaged, the finding is that of an unknown family. The check
//! never takes silence for progress: a criterion counts as ended, or as never met,
//! only where every supplier that the calendar expects says so now, in date, of that very person, and
//! where everybody who said that it was met at engagement has spoken again. Whoever aged out, moved,
//! left the records or is disputed goes to a person to decide.

mod attendance;
mod pairs;
#[cfg(test)]
mod properties;

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use self::attendance::{AttendanceFinding, ChildAttendance};
use self::pairs::{View, pairs_of};
use super::evidence::{EvidenceState, Facts, Member};
use super::ids::{AgencyCode, AreaCode, CriterionCode, FeedCode, OpaqueRef};
use super::record::{Coverage, EvidenceGrade, FlagState};

/// The name of a record, the same in every delivery of its feed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordName {
    /// Whose record.
    pub agency: AgencyCode,
    /// From which feed.
    pub feed: FeedCode,
    /// The agency's own reference.
    pub reference: OpaqueRef,
}

/// One person of the family, with the names of the records that the statements come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The records' names: one for each statement, in their order.
    pub records: Vec<RecordName>,
    /// What the suppliers say.
    pub member: Member,
}

/// A family as at a day.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its persons; none when nobody knows the family.
    pub persons: &'a [Person],
    /// What else decides: programme, day, permitted set, feeds.
    pub facts: &'a Facts<'a>,
}

/// On which ground a result is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Every area that was met at engagement shows progress.
    Outcomes,
    /// An adult moved from benefits into continuous work.
    Employment,
}

/// What a claim check comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A person has to look: somebody moved, aged out, left the records, or evidence is disputed.
    HumanReview,
    /// The evidence does not carry the claim, or not yet.
    NotReady,
    /// Everything that the rules ask for was said, by everybody who has to say it.
    Ready,
}

/// What became of one criterion for one person, or of one area for the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Disputed now.
    Contested,
    /// Not met at engagement and met now: a regression.
    NewSince,
    /// Met at engagement and still met.
    StillMet,
    /// Whoever it is about moved or died, or the agency closed its record.
    Moved,
    /// Aged out, or the criterion no longer applies to the person.
    NotAssessable,
    /// Who would say so is overdue, or spoke too long ago.
    Stale,
    /// Nobody says; or somebody who has to says nothing.
    NotKnown,
    /// No agreement lets the claim hear anybody on it.
    WithheldByPolicy,
    /// The version of the criteria in force now has no such criterion.
    NotCovered,
    /// Still met, but on a lower step of the programme's ladder.
    SteppedDown,
    /// Met at engagement and, as everybody says, no longer met.
    Progress,
    /// Not met at engagement, and not met now, as everybody says.
    Clear,
}

impl Change {
    /// Whether it carries a claim by outcomes.
    pub fn is_good(self) -> bool {
        matches!(self, Self::SteppedDown | Self::Progress | Self::Clear)
    }

    /// Whether only a person can say what it means.
    pub fn needs_review(self) -> bool {
        matches!(self, Self::Contested | Self::Moved | Self::NotAssessable | Self::NotCovered)
    }
}

/// What one feed says of a criterion for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Whose feed.
    pub agency: AgencyCode,
    /// Which.
    pub feed: FeedCode,
    /// What it says.
    pub state: FlagState,
    /// Hard evidence, or a professional's judgement.
    pub evidence: EvidenceGrade,
    /// First day that it speaks of.
    pub from: Date,
    /// Last day that it speaks of; absent while it goes on.
    pub to: Option<Date>,
    /// The day of the delivery.
    pub as_at: Option<Date>,
}

/// One criterion of one person, then and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Position in [`ClaimCheck::people`] of a person who is found now.
    pub person: usize,
    /// Which criterion.
    pub criterion: CriterionCode,
    /// Its area.
    pub area: AreaCode,
    /// What was found at engagement; absent when it did not concern the person then.
    pub then: Option<EvidenceState>,
    /// What is found now; absent when it does not concern the person.
    pub now: Option<EvidenceState>,
    /// How firm the evidence at engagement was, when `met`.
    pub grade_then: Option<EvidenceGrade>,
    /// How firm the evidence now is, when `met`.
    pub grade_now: Option<EvidenceGrade>,
    /// What became of it.
    pub change: Change,
    /// What was said at engagement.
    pub said_then: Vec<Said>,
    /// What is said now.
    pub said_now: Vec<Said>,
}

/// One area, then and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AreaChange {
    /// Which area.
    pub area: AreaCode,
    /// Whether it was met at engagement.
    pub is_relevant: bool,
    /// What became of it: the gravest of its criteria.
    pub change: Change,
    /// Whether what is said of it, then or now, rests in part on professional judgement.
    pub rests_on_judgement: bool,
}

/// Where a person is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// Position among the persons at engagement.
    pub then: Option<usize>,
    /// Position among the persons now.
    pub now: Option<usize>,
}

/// Why a claim is not ready.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// Whether a person has to decide.
    pub needs_review: bool,
    /// A short stable code.
    pub code: String,
    /// Which area it is about.
    pub area: Option<AreaCode>,
    /// Which criterion.
    pub criterion: Option<CriterionCode>,
    /// Which person, as a position in [`ClaimCheck::people`].
    pub person: Option<usize>,
}

/// The outcome of a claim check, with everything that it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimCheck {
    /// The ground of the claim.
    pub route: Route,
    /// What it comes to.
    pub verdict: Verdict,
    /// Why it is not `ready`; empty when it is.
    pub reasons: Vec<Reason>,
    /// Area by area, in the programme's order; areas that never had a criterion are left out.
    pub areas: Vec<AreaChange>,
    /// Areas without a criterion then and now: they count neither way.
    pub not_covered: Vec<AreaCode>,
    /// Criterion by criterion and person by person, of those who are found now.
    pub pairs: Vec<Pair>,
    /// Who is meant, at engagement and now.
    pub people: Vec<Whereabouts>,
    /// The version of the criteria at engagement.
    pub criteria_version_then: String,
    /// The version of the criteria now.
    pub criteria_version_now: String,
    /// School attendance of every child of school age.
    pub attendance: AttendanceFinding,
    /// In the employment route: whether work is confirmed.
    pub is_work_confirmed: Option<bool>,
}

impl ClaimCheck {
    /// Compares a family as at engagement with the same family now, by the programme in force now.
    ///
    /// `None` when the programme has no rules for claims.
    pub fn of(route: Route, then: Seen<'_>, now: Seen<'_>) -> Option<Self> {
        let rules = now.facts.programme.claim()?;
        let set = then.facts.set.within(now.facts.set);
        let facts = then.facts.with_set(&set);
        let (mut was, mut after) = (View::of(Seen { facts: &facts, ..then }), View::of(now));
        let (mut people, mut is_muddled) = matched(&was, &after);
        if !people.iter().any(|who| who.then.is_some() && who.now.is_some()) {
            // Another family's tokens, a family that is gone, nobody: one finding for all of them.
            was = View::of(Seen { persons: &[], facts: &facts });
            after = View::of(Seen { persons: &[], ..now });
            (people, is_muddled) = (Vec::new(), false);
        }
        let before = was.still_found(&after);
        let pairs = pairs_of(&people, &before, &after, rules);
        let attendance = AttendanceFinding::of(&people, &before, &after, rules.attendance_terms);
        let (areas, not_covered) = areas(&pairs, &before, &after);

        let mut reasons = reasons_of_people(&people, [&was, &before, &after], is_muddled);
        reasons.extend(reasons_of_areas(route, &areas, &pairs));
        reasons.extend(reasons_of_definitions(&pairs, &before, &after));
        let is_narrowed = set != *then.facts.set;
        if is_narrowed {
            reasons.push(reason("heard-no-longer", true));
        }
        if !attendance.is_certified {
            reasons.push(reason("attendance-not-certified", false));
        }
        let relevant = areas.iter().filter(|area| area.is_relevant).count();
        let threshold = usize::from(then.facts.programme.eligibility().threshold_areas);
        // Not known where part of what was said at engagement is not told.
        let is_told = !is_narrowed && !people.is_empty() && before.tells_as_much_as(&was);
        if is_told && relevant < threshold.max(1) {
            reasons.push(reason("not-eligible-at-engagement", false));
        }
        let is_work_confirmed = (route == Route::Employment).then(|| {
            let rule = rules.employment.as_ref();
            rule.is_some_and(|rule| pairs::work_is_confirmed(&people, &pairs, &after, rule))
        });
        if is_work_confirmed == Some(false) {
            reasons.push(reason("work-not-confirmed", false));
        }
        reasons.sort();
        reasons.dedup();
        let verdict = match (reasons.is_empty(), reasons.iter().any(|reason| reason.needs_review)) {
            (true, _) => Verdict::Ready,
            (false, true) => Verdict::HumanReview,
            (false, false) => Verdict::NotReady,
        };
        let people = people.into_iter().map(|who| Whereabouts {
            then: who.then.map(|then| was.persons[then].place),
            now: who.now.map(|now| after.persons[now].place),
        });
        let people = people.collect();
        Some(Self {
            route,
            verdict,
            reasons,
            areas,
            not_covered,
            pairs,
            people,
            criteria_version_then: then.facts.version().name(),
            criteria_version_now: now.facts.version().name(),
            attendance,
            is_work_confirmed,
        })
    }
}

fn reason(code: &str, needs_review: bool) -> Reason {
    Reason { needs_review, code: code.to_owned(), area: None, criterion: None, person: None }
}

/// Who then is who now: those who share a record. True beside it when records of one person then are
/// of two persons now, or of two then one now: nobody can say then whose progress it is.
fn matched(before: &View<'_>, after: &View<'_>) -> (Vec<Whereabouts>, bool) {
    let mut people: Vec<Whereabouts> = Vec::new();
    let (mut taken, mut is_muddled) = (BTreeSet::new(), false);
    for (then, person) in before.persons.iter().enumerate() {
        let shares = |other: &&(usize, BTreeSet<&RecordName>)| !person.records().is_disjoint(&other.1);
        let others: Vec<(usize, BTreeSet<&RecordName>)> =
            after.persons.iter().enumerate().map(|(now, other)| (now, other.records())).collect();
        let found: Vec<usize> = others.iter().filter(shares).map(|(now, _)| *now).collect();
        is_muddled |= found.len() > 1 || found.iter().any(|now| taken.contains(now));
        taken.extend(found.iter().copied());
        people.push(Whereabouts { then: Some(then), now: found.first().copied() });
    }
    let newcomers = (0..after.persons.len()).filter(|now| !taken.contains(now));
    people.extend(newcomers.map(|now| Whereabouts { then: None, now: Some(now) }));
    (people, is_muddled)
}

/// From who was there at engagement, what of it is still told, and who is there now.
fn reasons_of_people(people: &[Whereabouts], [was, before, after]: [&View<'_>; 3], is_muddled: bool) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if people.is_empty() {
        reasons.push(reason("family-not-known", true));
    }
    if is_muddled {
        reasons.push(reason("persons-linked-otherwise", true));
    }
    for (place, who) in people.iter().enumerate() {
        let of_person = |code: &str| Reason { person: Some(place), ..reason(code, true) };
        let Some(then) = who.then.map(|then| &was.persons[then]) else { continue };
        let Some(now) = who.now.map(|now| &after.persons[now]) else {
            reasons.push(of_person("person-gone"));
            continue;
        };
        if !then.records().is_subset(&now.records()) {
            reasons.push(of_person("record-gone"));
        }
    }
    for (place, who) in people.iter().enumerate() {
        let ended = |person: &pairs::Shown<'_>| {
            person.statements.iter().any(|(_, said)| said.evidence.coverage != Coverage::Current)
        };
        let had_ended = who.then.is_some_and(|then| ended(&before.persons[then]));
        // A record that was closed before engagement says nothing about what ended since.
        if !had_ended && who.now.is_some_and(|now| ended(&after.persons[now])) {
            reasons.push(Reason { person: Some(place), ..reason("coverage-ended", true) });
        }
    }
    reasons
}

fn reasons_of_areas(route: Route, areas: &[AreaChange], pairs: &[Pair]) -> Vec<Reason> {
    let is_fine = |change: Change| change.is_good() || (route == Route::Employment && change == Change::StillMet);
    let mut reasons = Vec::new();
    for area in areas {
        let bad = pairs.iter().filter(|pair| pair.area == area.area && !is_fine(pair.change));
        let before = reasons.len();
        reasons.extend(bad.map(|pair| Reason {
            area: Some(area.area.clone()),
            criterion: Some(pair.criterion.clone()),
            person: Some(pair.person),
            ..reason(code_of(pair.change), pair.change.needs_review())
        }));
        if reasons.len() == before && !is_fine(area.change) {
            let code = code_of(area.change);
            reasons.push(Reason { area: Some(area.area.clone()), ..reason(code, area.change.needs_review()) });
        }
    }
    reasons
}

/// Where a criterion is defined otherwise than at engagement, a change of the rule looks like a change of
/// the family.
fn reasons_of_definitions(pairs: &[Pair], before: &View<'_>, after: &View<'_>) -> Vec<Reason> {
    let criteria: BTreeSet<(&AreaCode, &CriterionCode)> =
        pairs.iter().map(|pair| (&pair.area, &pair.criterion)).collect();
    let is_redefined = |code: &CriterionCode| {
        let defined = [before, after].map(|view| view.facts.version().criterion(code));
        matches!(defined, [Some(then), Some(now)] if !then.is_defined_as(now))
    };
    let redefined = criteria.into_iter().filter(|(_, code)| is_redefined(code));
    let of_criterion = |(area, criterion): (&AreaCode, &CriterionCode)| Reason {
        area: Some(area.clone()),
        criterion: Some(criterion.clone()),
        ..reason("criterion-redefined", true)
    };
    redefined.map(of_criterion).collect()
}

fn code_of(change: Change) -> &'static str {
    match change {
        Change::Contested => "contested",
        Change::NewSince => "regression",
        Change::StillMet => "still-met",
        Change::Moved => "moved",
        Change::NotAssessable => "not-assessable",
        Change::Stale => "stale",
        Change::NotKnown => "not-known",
        Change::WithheldByPolicy => "withheld-by-policy",
        Change::NotCovered => "not-covered",
        Change::SteppedDown => "stepped-down",
        Change::Progress => "progress",
        Change::Clear => "clear",
    }
}

/// Every area that has, or had, a criterion; and those that never had one.
fn areas(pairs: &[Pair], before: &View<'_>, after: &View<'_>) -> (Vec<AreaChange>, Vec<AreaCode>) {
    let (mut changes, mut not_covered) = (Vec::new(), Vec::new());
    let programme = after.facts.programme.areas().iter().map(|area| &area.code);
    let earlier = before.facts.programme.areas().iter().map(|area| &area.code);
    let gone = earlier.filter(|code| after.facts.programme.area(code).is_none());
    for code in programme.chain(gone) {
        let (then, now) = (before.area_state(code), after.area_state(code));
        if then.is_none() && now.is_none() {
            not_covered.push(code.clone());
            continue;
        }
        let is_relevant = then == Some(EvidenceState::Met);
        let of_area = || pairs.iter().filter(|pair| pair.area == *code);
        let gravest = of_area().map(|pair| pair.change).min();
        let change = match (gravest, now) {
            (_, Some(EvidenceState::WithheldByPolicy)) => Change::WithheldByPolicy,
            (_, None) => Change::NotCovered,
            (None, Some(state)) => of_nobody(state),
            (Some(Change::SteppedDown), Some(EvidenceState::Met)) => Change::SteppedDown,
            // All that was said is good, yet the area as a whole is not clear: somebody is not heard.
            (Some(change), Some(state)) if change.is_good() && state != EvidenceState::NotMet => of_nobody(state),
            (Some(change), Some(_)) => change,
        };
        let is_soft = |said: &Said| said.evidence == EvidenceGrade::Professional;
        let rests_on_judgement = of_area().any(|pair| pair.said_then.iter().chain(&pair.said_now).any(is_soft));
        changes.push(AreaChange { area: code.clone(), is_relevant, change, rests_on_judgement });
    }
    (changes, not_covered)
}

/// What an area is when none of its criteria concerns anybody, or somebody is not heard.
fn of_nobody(state: EvidenceState) -> Change {
    match state {
        EvidenceState::Stale => Change::Stale,
        EvidenceState::NotAssessable => Change::NotAssessable,
        EvidenceState::Contested => Change::Contested,
        EvidenceState::WithheldByPolicy => Change::WithheldByPolicy,
        EvidenceState::Met | EvidenceState::NotMet | EvidenceState::NotKnown => Change::NotKnown,
    }
}
