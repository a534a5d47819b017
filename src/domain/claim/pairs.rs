//! One criterion of one person, as at engagement and as at now.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, Pair, RecordName, Said, Seen, Whereabouts};
use crate::domain::claim_rules::{ClaimRules, EmploymentRule};
use crate::domain::evidence::{Assessment, EvidenceState, Facts, Judgement, Member, Statement};
use crate::domain::ids::{AgencyCode, AreaCode, CriterionCode, FeedCode};
use crate::domain::item::Item;
use crate::domain::record::{Coverage, EvidenceGrade, Flag, FlagState};

/// A person as the permitted set shows them.
pub(super) struct Shown<'a> {
    /// The position among the persons that were given.
    pub(super) place: usize,
    /// The statements of the set, each with the name of its record.
    pub(super) statements: Vec<(&'a RecordName, &'a Statement)>,
}

impl<'a> Shown<'a> {
    pub(super) fn records(&self) -> BTreeSet<&'a RecordName> {
        self.statements.iter().map(|(name, _)| *name).collect()
    }
}

/// A family as at a day, judged.
pub(super) struct View<'a> {
    pub(super) facts: &'a Facts<'a>,
    /// Those of whom the set shows anything.
    pub(super) persons: Vec<Shown<'a>>,
    assessment: Assessment,
    judgements: BTreeMap<(usize, CriterionCode), Judgement>,
}

impl<'a> View<'a> {
    pub(super) fn of(seen: Seen<'a>) -> Self {
        let mut persons = Vec::new();
        for (place, person) in seen.persons.iter().enumerate() {
            let named = person.records.iter().zip(&person.member.statements);
            let statements: Vec<_> =
                named.filter(|(_, said)| seen.facts.set.has_feed(&said.agency, &said.feed)).collect();
            if !statements.is_empty() {
                persons.push(Shown { place, statements });
            }
        }
        Self::judged(seen.facts, persons)
    }

    /// The same persons, with nothing but what the records say that the other view shows too.
    pub(super) fn still_found(&self, other: &View<'_>) -> Self {
        let found: BTreeSet<&RecordName> = other.persons.iter().flat_map(Shown::records).collect();
        let of_person = |person: &Shown<'a>| Shown {
            place: person.place,
            statements: person.statements.iter().filter(|(name, _)| found.contains(name)).copied().collect(),
        };
        Self::judged(self.facts, self.persons.iter().map(of_person).collect())
    }

    /// Whether it has every statement of the view that it was made from.
    pub(super) fn tells_as_much_as(&self, whole: &Self) -> bool {
        let count = |view: &Self| view.persons.iter().map(|person| person.statements.len()).sum::<usize>();
        count(self) == count(whole)
    }

    fn judged(facts: &'a Facts<'a>, persons: Vec<Shown<'a>>) -> Self {
        let member = |shown: &Shown<'_>| Member {
            statements: shown.statements.iter().map(|(_, statement)| (*statement).clone()).collect(),
        };
        // The assessment counts only those of whom something is told.
        let told: Vec<usize> = (0..persons.len()).filter(|&at| !persons[at].statements.is_empty()).collect();
        let members: Vec<Member> = told.iter().map(|&at| member(&persons[at])).collect();
        let assessment = Assessment::of(&members, facts);
        // Of nobody, the assessment speaks as of a person of whom nothing is known.
        let of_somebody = assessment.judgements.iter().filter_map(|found| Some((*told.get(found.member)?, found)));
        let judgements = of_somebody.map(|(at, found)| ((at, found.criterion.clone()), found.clone())).collect();
        Self { facts, persons, assessment, judgements }
    }

    /// What was found of an area; `None` when it has no criterion.
    pub(super) fn area_state(&self, area: &AreaCode) -> Option<EvidenceState> {
        self.assessment.areas.iter().find(|found| found.area == *area).map(|found| found.state)
    }

    fn judgement(&self, person: Option<usize>, criterion: &CriterionCode) -> Option<&Judgement> {
        self.judgements.get(&(person?, criterion.clone()))
    }

    fn has_criterion(&self, criterion: &CriterionCode) -> bool {
        self.facts.version().criterion(criterion).is_some()
    }

    /// Whether a feed may be heard on an area.
    fn hears(&self, said: &Statement, area: &AreaCode) -> bool {
        self.facts.set.has(&said.agency, &said.feed, &Item::Area(area.clone()))
    }

    /// What the feeds that are heard on a person say of a criterion.
    fn said(&self, person: Option<usize>, area: &AreaCode, criterion: &CriterionCode) -> Vec<Said> {
        let Some(person) = person.map(|person| &self.persons[person]) else { return Vec::new() };
        let heard = person.statements.iter().filter(|(_, said)| self.hears(said, area));
        heard.flat_map(|(_, said)| self.flags(said, criterion)).collect()
    }

    fn flags(&self, said: &Statement, criterion: &CriterionCode) -> Vec<Said> {
        let as_at = self.facts.as_at(&said.agency, &said.feed);
        let of_flag = |flag: &Flag| Said {
            agency: said.agency.clone(),
            feed: said.feed.clone(),
            state: flag.state,
            evidence: flag.evidence,
            from: flag.from,
            to: flag.to,
            as_at,
        };
        let mut flags: Vec<Said> =
            said.evidence.flags.iter().filter(|flag| flag.criterion == *criterion).map(of_flag).collect();
        if flags.is_empty()
            && let Some(criterion) = self.facts.version().criterion(criterion)
            && let Some(computed) = self.facts.flag_of_attendance(criterion, &said.evidence)
        {
            flags.push(of_flag(&computed));
        }
        flags
    }

    /// Whether somebody who is heard on an area no longer covers the person.
    fn is_gone_from(&self, person: Option<usize>, area: &AreaCode) -> bool {
        let Some(person) = person.map(|person| &self.persons[person]) else { return false };
        let mut heard = person.statements.iter().filter(|(_, said)| self.hears(said, area));
        heard.any(|(_, said)| said.evidence.coverage != Coverage::Current)
    }
}

/// Every criterion that concerned, or concerns, each person who is found now; what became of each. Of
/// those who are not, nothing is told.
pub(super) fn pairs_of(people: &[Whereabouts], before: &View<'_>, after: &View<'_>, rules: &ClaimRules) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (place, who) in people.iter().enumerate().filter(|(_, who)| who.now.is_some()) {
        for (criterion, area) in concerning(*who, before, after) {
            let (then, now) = (before.judgement(who.then, &criterion), after.judgement(who.now, &criterion));
            let (said_then, said_now) =
                (before.said(who.then, &area, &criterion), after.said(who.now, &area, &criterion));
            let was_met = then.is_some_and(|found| found.state == EvidenceState::Met);
            let change = match now.map(|found| found.state) {
                None if !after.has_criterion(&criterion) => Change::NotCovered,
                Some(EvidenceState::Met) if was_met => Change::StillMet,
                Some(EvidenceState::Met) => Change::NewSince,
                Some(EvidenceState::NotMet) if !all_spoke_again(&said_then, &said_now) => Change::NotKnown,
                Some(EvidenceState::NotMet) if was_met => Change::Progress,
                Some(EvidenceState::NotMet) => Change::Clear,
                Some(EvidenceState::NotAssessable) if after.is_gone_from(who.now, &area) => Change::Moved,
                None | Some(EvidenceState::NotAssessable) => Change::NotAssessable,
                Some(EvidenceState::Stale) => Change::Stale,
                Some(EvidenceState::Contested) => Change::Contested,
                Some(EvidenceState::WithheldByPolicy) => Change::WithheldByPolicy,
                Some(EvidenceState::NotKnown) => Change::NotKnown,
            };
            pairs.push(Pair {
                person: place,
                then: then.map(|found| found.state),
                now: now.map(|found| found.state),
                grade_then: then.and_then(|found| found.grade),
                grade_now: now.and_then(|found| found.grade),
                criterion,
                area,
                change,
                said_then,
                said_now,
            });
        }
    }
    step_down(&mut pairs, rules);
    pairs
}

/// The criteria that were judged for a person then or now, and those of which somebody says something
/// now though they do not apply: a young person who is an adult since still has the flag.
fn concerning(who: Whereabouts, before: &View<'_>, after: &View<'_>) -> BTreeMap<CriterionCode, AreaCode> {
    let mut found = BTreeMap::new();
    for (view, person) in [(before, who.then), (after, who.now)] {
        for criterion in &view.facts.version().criteria {
            let is_judged = view.judgement(person, &criterion.code).is_some();
            let is_said = || {
                let said = view.said(person, &criterion.area, &criterion.code);
                said.iter().any(|said| said.state != FlagState::NotMet)
            };
            if is_judged || is_said() {
                found.insert(criterion.code.clone(), criterion.area.clone());
            }
        }
    }
    found
}

/// Whether every feed that said `met` or disputed at engagement says something of it now.
fn all_spoke_again(then: &[Said], now: &[Said]) -> bool {
    let feeds = |said: &[Said], counts: fn(&Said) -> bool| -> BTreeSet<(AgencyCode, FeedCode)> {
        said.iter().filter(|said| counts(said)).map(|said| (said.agency.clone(), said.feed.clone())).collect()
    };
    feeds(then, |said| said.state != FlagState::NotMet).is_subset(&feeds(now, |_| true))
}

/// Where the programme has a ladder, what is met on a lower step than the highest at engagement counts
/// as a step down, once every step above is, as everybody says, no longer met.
fn step_down(pairs: &mut [Pair], rules: &ClaimRules) {
    let people: BTreeSet<usize> = pairs.iter().map(|pair| pair.person).collect();
    for ladder in &rules.ladder {
        for person in &people {
            let on_ladder = |pair: &Pair| {
                let step = if pair.person == *person && pair.area == ladder.area {
                    ladder.step(&pair.criterion)
                } else {
                    None
                };
                step.map(|step| (step, pair.change, pair.then == Some(EvidenceState::Met)))
            };
            let steps: Vec<(usize, Change, bool)> = pairs.iter().filter_map(on_ladder).collect();
            let was = steps.iter().filter(|(_, _, was_met)| *was_met).map(|(step, ..)| *step).min();
            let is_met = |change: Change| matches!(change, Change::StillMet | Change::NewSince);
            let is = steps.iter().filter(|(_, change, _)| is_met(*change)).map(|(step, ..)| *step).min();
            let (Some(was), Some(is)) = (was, is) else { continue };
            let over = |change: Change| matches!(change, Change::Progress | Change::Clear);
            // Every step above must be there and be over: one that nobody judges is not known.
            let above = steps.iter().filter(|(step, change, _)| *step < is && over(*change)).count();
            if is > was && above == is {
                let lower = pairs.iter_mut().filter(|pair| pair.person == *person && pair.area == ladder.area);
                for pair in lower.filter(|pair| is_met(pair.change) && ladder.step(&pair.criterion).is_some()) {
                    pair.change = Change::SteppedDown;
                }
            }
        }
    }
}

/// Whether a feed confirms, in time, that an adult who met the criterion at engagement and no longer
/// does has been in work for long enough.
pub(super) fn work_is_confirmed(
    people: &[Whereabouts],
    pairs: &[Pair],
    after: &View<'_>,
    rule: &EmploymentRule,
) -> bool {
    let today = after.facts.now.date();
    let begun_by = rule.begun_by(today);
    let moved_on = pairs.iter().filter(|pair| pair.criterion == rule.criterion && pair.change == Change::Progress);
    moved_on.filter_map(|pair| people[pair.person].now.map(|now| (now, &pair.area))).any(|(now, area)| {
        let mut heard = after.persons[now].statements.iter().filter(|(_, said)| after.hears(said, area));
        heard.any(|(_, said)| {
            let feed = after.facts.programme.feed(&said.agency, &said.feed);
            let may_confirm = feed.is_some_and(|feed| feed.criteria.contains(&rule.confirmation));
            let confirms = |flag: &Flag| {
                flag.criterion == rule.confirmation
                    && flag.state == FlagState::Met
                    && flag.evidence == EvidenceGrade::Hard
                    && flag.from <= begun_by
                    && flag.to.is_none()
            };
            let disputes = |flag: &Flag| flag.criterion == rule.confirmation && flag.state != FlagState::Met;
            may_confirm
                && said.evidence.coverage == Coverage::Current
                && !after.facts.is_overdue(said)
                && said.evidence.flags.iter().any(confirms)
                && !said.evidence.flags.iter().any(disputes)
        })
    })
}
