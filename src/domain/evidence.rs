//! What the evidence of a family amounts to: for each criteria area, one of seven states.
//!
//! Silence is not absence. Only a supplier that was expected to speak, that an agreement lets us
//! hear, whose feed is in time and that said so in date can make a criterion `not_met`. Ageing out,
//! moving away, an overdue feed and a closed case each have a name of their own, and none of them
//! looks like progress.
//!
//! Everything here reads the permitted set first and drops what lies outside it, roles and people
//! included: a family seen through the set is judged as if nothing else had ever been submitted.

mod facts;
mod panel;
#[cfg(test)]
pub(super) mod situations;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use self::facts::{Contribution, Deliveries, Facts, FeedAge};
use self::panel::{Panel, Visible, firmness, visible};
use super::ids::{AgencyCode, AreaCode, CriterionCode, FeedCode};
use super::item::Item;
use super::programme::Programme;
use super::record::{Evidence, EvidenceGrade};
use super::time::Month;

/// What can be said of a criterion or an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceState {
    /// Evidence inside the window says that it is met.
    Met,
    /// Every expected supplier was heard, and each said in date that it is not met.
    NotMet,
    /// Nobody said.
    NotKnown,
    /// The feed that would say is overdue, or what it said is too old.
    Stale,
    /// The person is too old, moved, died, or the agency closed its record.
    NotAssessable,
    /// The person or an agency disputes the evidence.
    Contested,
    /// No agreement lets the asker hear any supplier. Says nothing about anybody.
    WithheldByPolicy,
}

impl EvidenceState {
    /// How much an area's state owes to one of its criteria when neither `met` nor `not_met` holds
    /// for the area: a dispute must be resolved first, then a feed chased; that somebody cannot be
    /// assessed is a fact to accept; and what is merely not known comes last.
    fn telling(self) -> u8 {
        match self {
            Self::Contested => 3,
            Self::Stale => 2,
            Self::NotAssessable => 1,
            Self::Met | Self::NotMet | Self::NotKnown | Self::WithheldByPolicy => 0,
        }
    }
}

/// What one record says, and who says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The supplier.
    pub agency: AgencyCode,
    /// Its feed.
    pub feed: FeedCode,
    /// What it says.
    pub evidence: Evidence,
}

/// One person of the family, with a statement for each record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Member {
    /// What the suppliers say of the person, in any order.
    pub statements: Vec<Statement>,
}

/// What was found of one criterion for one person: the part of an answer that only the log's sealed
/// opening keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Position of the person among the members that the set shows.
    pub member: usize,
    /// Which criterion.
    pub criterion: CriterionCode,
    /// The version of the criteria that it was judged by, as its first day.
    pub version: Date,
    /// What was found.
    pub state: EvidenceState,
    /// How firm the evidence is, when `met`: `professional` if nothing firmer says so.
    pub grade: Option<EvidenceGrade>,
    /// The newest day of the evidence of that grade, when `met`.
    pub newest: Option<Date>,
    /// The newest day of a professional's judgement, when `met` and there is one.
    pub professional: Option<Date>,
}

/// What was found of one criteria area for the family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AreaFinding {
    /// Which area.
    pub area: AreaCode,
    /// What was found.
    pub state: EvidenceState,
    /// How firm the evidence is, when `met`: `professional` if nothing firmer says so.
    pub grade: Option<EvidenceGrade>,
    /// The month of the newest evidence of that grade, when `met`.
    pub newest: Option<Month>,
    /// The month of the newest professional judgement, when `met` and there is one.
    pub professional: Option<Month>,
    /// How old the evidence can be; the same for everybody. Absent when the set holds no feed.
    pub age: Option<FeedAge>,
}

/// What was found of one criterion for the family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriterionFinding {
    /// Which criterion.
    pub criterion: CriterionCode,
    /// The area that it belongs to.
    pub area: AreaCode,
    /// What was found.
    pub state: EvidenceState,
    /// How firm the evidence is, when `met`: `professional` if nothing firmer says so.
    pub grade: Option<EvidenceGrade>,
    /// The month of the newest evidence of that grade, when `met`.
    pub newest: Option<Month>,
    /// The month of the newest professional judgement, when `met` and there is one.
    pub professional: Option<Month>,
    /// How old the evidence can be; the same for everybody. Absent when the set holds no feed.
    pub age: Option<FeedAge>,
}

/// A family judged through the permitted set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The areas that have a criterion, in the programme's order.
    pub areas: Vec<AreaFinding>,
    /// Their criteria, area by area.
    pub criteria: Vec<CriterionFinding>,
    /// The areas without a criterion in the version used: not covered, and counted neither way.
    pub not_covered: Vec<AreaCode>,
    /// What the areas rest on.
    pub judgements: Vec<Judgement>,
}

impl Assessment {
    /// Judges a family. Nobody at all is judged like a person of whom nothing is known.
    pub fn of(members: &[Member], facts: &Facts<'_>) -> Self {
        let members = visible(members, facts);
        let with_criteria = facts.version.areas();
        let (mut areas, mut criteria) = (Vec::new(), Vec::new());
        let (mut not_covered, mut judgements) = (Vec::new(), Vec::new());
        for area in facts.programme.areas() {
            if with_criteria.contains(&area.code) {
                let mut assessed = assess_area(&area.code, &members, facts);
                areas.push(assessed.finding);
                criteria.append(&mut assessed.criteria);
                judgements.append(&mut assessed.grounds);
            } else {
                not_covered.push(area.code.clone());
            }
        }
        Self { areas, criteria, not_covered, judgements }
    }

    /// How many areas are met.
    pub fn areas_met(&self) -> usize {
        self.areas.iter().filter(|found| found.state == EvidenceState::Met).count()
    }

    /// How many areas are met by professional judgement alone.
    pub fn areas_met_by_judgement(&self) -> usize {
        self.areas.iter().filter(|found| found.grade == Some(EvidenceGrade::Professional)).count()
    }

    /// How many areas somebody may be heard on and are neither `met` nor `not_met`.
    pub fn areas_open(&self) -> usize {
        let is_open = |found: &&AreaFinding| {
            !matches!(found.state, EvidenceState::Met | EvidenceState::NotMet | EvidenceState::WithheldByPolicy)
        };
        self.areas.iter().filter(is_open).count()
    }

    /// Whether the programme's threshold is reached within the set: `met`, `not_met` or `not_known`.
    ///
    /// `not_met` needs every area that has a criterion to be decided; one that is withheld, stale or
    /// otherwise open leaves the question open.
    pub fn eligible(&self, programme: &Programme) -> EvidenceState {
        let is_decided = |found: &AreaFinding| matches!(found.state, EvidenceState::Met | EvidenceState::NotMet);
        if self.reaches(programme, |_| true) {
            EvidenceState::Met
        } else if !self.areas.is_empty() && self.areas.iter().all(is_decided) {
            EvidenceState::NotMet
        } else {
            EvidenceState::NotKnown
        }
    }

    /// How firm the eligibility is: `professional` when hard evidence alone would not reach the
    /// threshold; absent unless it is `met`.
    pub fn eligible_grade(&self, programme: &Programme) -> Option<EvidenceGrade> {
        let is_hard = |found: &AreaFinding| found.grade == Some(EvidenceGrade::Hard);
        self.reaches(programme, |_| true)
            .then(|| if self.reaches(programme, is_hard) { EvidenceGrade::Hard } else { EvidenceGrade::Professional })
    }

    fn reaches(&self, programme: &Programme, counts: impl Fn(&AreaFinding) -> bool) -> bool {
        let met = self.areas.iter().filter(|found| found.state == EvidenceState::Met && counts(found)).count();
        met >= usize::from(programme.eligibility().threshold_areas)
    }
}

/// What was found of an area, of each of its criteria, and what both rest on.
struct AreaAssessment {
    finding: AreaFinding,
    criteria: Vec<CriterionFinding>,
    grounds: Vec<Judgement>,
}

fn assess_area(area: &AreaCode, members: &[Visible<'_>], facts: &Facts<'_>) -> AreaAssessment {
    let heard = facts.set.feeds_of(&Item::Area(area.clone()));
    let mut hears_everybody = true;
    let (mut criteria, mut grounds) = (Vec::new(), Vec::new());
    for criterion in facts.version.of_area(area) {
        let panel = Panel::of(criterion, &heard, facts);
        hears_everybody &= panel.is_complete;
        let concerned = members.iter().enumerate().filter(|(_, member)| member.may_meet(criterion));
        let judgements: Vec<Judgement> = if heard.is_empty() {
            Vec::new()
        } else {
            concerned.map(|(position, member)| panel.judge(position, member)).collect()
        };
        let conclusion = Conclusion::of(&judgements, panel.is_complete);
        criteria.push(CriterionFinding {
            criterion: criterion.code.clone(),
            area: area.clone(),
            state: if heard.is_empty() { EvidenceState::WithheldByPolicy } else { conclusion.state },
            grade: conclusion.grade,
            newest: conclusion.newest,
            professional: conclusion.professional,
            age: facts.age_of_criterion(criterion),
        });
        grounds.extend(judgements);
    }
    let conclusion = Conclusion::of(&grounds, hears_everybody);
    let finding = AreaFinding {
        area: area.clone(),
        state: if heard.is_empty() { EvidenceState::WithheldByPolicy } else { conclusion.state },
        grade: conclusion.grade,
        newest: conclusion.newest,
        professional: conclusion.professional,
        age: facts.age_of_area(area),
    };
    AreaAssessment { finding, criteria, grounds }
}

/// What judgements come to, of one criterion or of all of an area.
struct Conclusion {
    state: EvidenceState,
    grade: Option<EvidenceGrade>,
    newest: Option<Month>,
    professional: Option<Month>,
}

impl Conclusion {
    fn of(grounds: &[Judgement], hears_everybody: bool) -> Self {
        let met = || grounds.iter().filter(|judgement| judgement.state == EvidenceState::Met);
        let state = if met().next().is_some() {
            EvidenceState::Met
        } else if hears_everybody
        && !grounds.is_empty() // of nobody concerned, nothing was said
        && grounds.iter().all(|judgement| judgement.state == EvidenceState::NotMet)
        {
            EvidenceState::NotMet
        } else {
            let open = grounds.iter().map(|judgement| judgement.state).filter(|state| *state != EvidenceState::NotMet);
            open.max_by_key(|state| state.telling()).unwrap_or(EvidenceState::NotKnown)
        };
        let grade = met().filter_map(|judgement| judgement.grade).min_by_key(|grade| firmness(*grade));
        let of_grade = met().filter(|judgement| judgement.grade == grade);
        let newest = of_grade.filter_map(|judgement| judgement.newest).max().map(Month::of);
        let professional = met().filter_map(|judgement| judgement.professional).max().map(Month::of);
        Self { state, grade, newest, professional }
    }
}

#[cfg(test)]
mod tests {
    use super::situations::*;
    use super::*;
    use crate::domain::record::{AttendanceBand, Coverage, FlagState, ParentalResponsibility, Role};
    use EvidenceState::{Contested, Met, NotAssessable, NotKnown, NotMet, Stale, WithheldByPolicy};
    use ParentalResponsibility::{No, Yes};
    use Role::{Adult, Child, Unborn, Unknown};

    fn finding(area: &str, members: &[Member], pairs: &[&str], deliveries: &Deliveries) -> AreaFinding {
        let (programme, set) = (programme(), set(pairs));
        let assessment = Assessment::of(members, &Facts::new(&programme, deliveries, &set, noon()));
        assessment.areas.into_iter().find(|found| found.area.as_str() == area).expect("an area with criteria")
    }

    fn state(area: &str, members: &[Member]) -> EvidenceState {
        finding(area, members, &EVERYBODY, &deliveries()).state
    }

    /// The state of school attendance for one child of whom the school says this.
    fn attendance(says: Says) -> EvidenceState {
        state("A2", &[person(&[says])])
    }

    fn child() -> Says {
        says("school", Child)
    }

    #[test]
    fn each_state_has_its_reason() {
        let flag = |state, from, to| child().flag("E1", state, from, to);
        let cases = [
            ("met now", child().met("E1"), Met),
            ("met in a term of the window", flag(FlagState::Met, "2025-09-03", "2025-12-19"), Met),
            ("met too long ago", flag(FlagState::Met, "2025-04-13", "2025-07-22"), NotKnown),
            ("met in the future", flag(FlagState::Met, "2026-10-01", ""), NotKnown),
            ("not met", child().not_met("E1"), NotMet),
            ("not met, said too long ago", flag(FlagState::NotMet, "2025-04-13", "2025-07-22"), Stale),
            ("nothing said", child(), NotKnown),
            ("disputed", child().met("E1").flag("E1", FlagState::Contested, "2026-06-01", ""), Contested),
            ("met and, for another period, not met", child().met("E1").not_met("E1"), Met),
            ("aged out last month", child().not_met("E1").until("2026-08"), NotAssessable),
            ("aged out, whatever was met", child().met("E1").until("2026-08"), NotAssessable),
            ("ages out this month", child().not_met("E1").until("2026-09"), NotMet),
            ("moved away", child().not_met("E1").coverage(Coverage::Moved), NotAssessable),
            ("moved away, nothing said", child().coverage(Coverage::Moved), NotAssessable),
            ("moved away, whatever was met", child().met("E1").coverage(Coverage::Moved), NotAssessable),
            ("died", child().met("E1").coverage(Coverage::Deceased), NotAssessable),
            ("record closed", child().not_met("E1").coverage(Coverage::Closed), NotAssessable),
            ("record closed while it went on", child().met("E1").coverage(Coverage::Closed), NotAssessable),
            (
                "record closed after it ended inside the window",
                flag(FlagState::Met, "2026-01-05", "2026-03-27").coverage(Coverage::Closed),
                Met,
            ),
        ];
        for (case, says, expected) in cases {
            assert_eq!(attendance(says), expected, "{case}");
        }
    }

    #[test]
    fn a_month_window_ends_on_the_day_of_the_question() {
        let offence = |to| {
            let youth = says("youth", Child).flag("C1", FlagState::Met, "2024-01-01", to);
            state("A1", &[person(&[youth])])
        };
        assert_eq!(offence("2025-09-20"), Met);
        assert_eq!(offence("2025-09-19"), NotKnown);
    }

    #[test]
    fn what_must_hold_now_must_hold_on_the_day_of_the_delivery() {
        let benefit = |to| {
            let jobs = says("jobs", Adult).parent(Yes).flag("W1", FlagState::Met, "2026-01-01", to);
            state("A4", &[person(&[jobs])])
        };
        assert_eq!(benefit(""), Met);
        assert_eq!(benefit("2026-09-01"), Met);
        assert_eq!(benefit("2026-08-31"), NotKnown);
    }

    #[test]
    fn a_late_feed_is_stale_and_never_clear() {
        let mut late = deliveries();
        let feed = (agency("school"), feed_of("school"));
        for as_at in [Some(Date::constant(2026, 4, 1)), None] {
            late.remove(&feed);
            late.extend(as_at.map(|as_at| (feed.clone(), as_at)));
            for says in [child().not_met("E1"), child().met("E1"), child()] {
                let found = finding("A2", &[person(&[says])], &EVERYBODY, &late);
                assert_eq!((found.state, found.age.map(|age| age.is_late)), (Stale, Some(true)));
            }
            let unknown = finding("A2", &[], &EVERYBODY, &late);
            assert_eq!(unknown.state, Stale, "of a person nobody knows, too");
        }
    }

    #[test]
    fn one_supplier_who_is_late_takes_nothing_from_one_who_says_met() {
        let mut late = deliveries();
        late.remove(&(agency("police"), feed_of("police")));
        let met = [person(&[says("youth", Child).met("C1"), says("police", Child).not_met("C1")])];
        assert_eq!(finding("A1", &met, &EVERYBODY, &late).state, Met);
        let clear = [person(&[says("youth", Child).not_met("C1"), says("police", Child).not_met("C1")])];
        assert_eq!(finding("A1", &clear, &EVERYBODY, &late).state, Stale);
        assert_eq!(finding("A1", &clear, &EVERYBODY, &deliveries()).state, NotMet);
    }

    #[test]
    fn one_missing_supplier_blocks_not_met() {
        let clear = [person(&[says("youth", Child).not_met("C1"), says("police", Child).not_met("C1")])];
        assert_eq!(state("A1", &clear), NotMet);
        for missing in ["youth/A1", "police/A1"] {
            let rest: Vec<&str> = EVERYBODY.into_iter().filter(|pair| *pair != missing).collect();
            assert_eq!(finding("A1", &clear, &rest, &deliveries()).state, NotKnown, "without {missing}");
        }
        let silent = [person(&[says("youth", Child).not_met("C1"), says("police", Child)])];
        assert_eq!(state("A1", &silent), NotKnown, "the police looked at nothing");
    }

    #[test]
    fn a_supplier_missing_for_a_criterion_that_concerns_nobody_here_still_blocks_not_met() {
        let mother = [person(&[says("police", Adult).not_met("C2")])];
        assert_eq!(state("A1", &mother), NotMet);
        assert_eq!(finding("A1", &mother, &["police/A1"], &deliveries()).state, NotKnown);
    }

    #[test]
    fn a_supplier_heard_on_one_area_is_not_heard_on_another() {
        let says_too_much = [person(&[child(), says("charity", Child).met("E1")])];
        let found = |pairs| finding("A2", &says_too_much, pairs, &deliveries()).state;
        assert_eq!(found(&["school/A2", "charity/A2"]), Met);
        assert_eq!(found(&["school/A2", "charity/A1", "charity/lead"]), NotKnown);
    }

    #[test]
    fn a_record_of_a_feed_without_a_permit_changes_nothing_whatever_its_agency_may_say() {
        // The school's second feed may be heard on who leads, not on the area of attendance.
        let second = |says: Says| says.in_feed("pastoral");
        let permitted = ["school/A2", "school/pastoral/lead"];
        let clear = || child().not_met("E1");
        let disturbing = [
            second(child()).coverage(Coverage::Closed),
            second(child()).coverage(Coverage::Moved),
            second(child()).until("2026-01"),
            second(child()).met("E1"),
            second(child()).flag("E1", FlagState::Contested, "2026-06-01", ""),
        ];
        let mut late = deliveries();
        late.insert((agency("school"), FeedCode::parse("pastoral").expect("a code")), Date::constant(2025, 1, 1));
        for other in disturbing {
            for deliveries in [deliveries(), late.clone()] {
                let found = finding("A2", &[person(&[clear(), other.clone()])], &permitted, &deliveries);
                assert_eq!(found, finding("A2", &[person(&[clear()])], &permitted, &deliveries), "{other:?}");
                assert_eq!(found.state, NotMet);
            }
        }
        let only_second = finding("A2", &[person(&[clear()])], &["school/pastoral/A2"], &deliveries());
        assert_eq!(only_second.state, NotKnown, "the first feed may not be heard then");
    }

    #[test]
    fn a_silent_record_of_a_feed_that_does_not_supply_the_criterion_is_no_voice() {
        let closed = child().in_feed("pastoral").coverage(Coverage::Closed);
        let permitted = ["school/A2", "school/pastoral/A2"];
        let found = finding("A2", &[person(&[child().not_met("E1"), closed])], &permitted, &deliveries());
        assert_eq!(found.state, NotMet);
    }

    #[test]
    fn attendance_bands_speak_where_there_is_no_flag_and_a_missing_term_is_never_good_attendance() {
        let [autumn, spring, summer] = ["2025-autumn", "2026-spring", "2026-summer"];
        let (below, good) = (AttendanceBand::Below90, AttendanceBand::AtLeast90);
        let cases = [
            (vec![(autumn, below), (spring, below), (summer, below)], Met),
            (vec![(autumn, good), (spring, good), (summer, good)], NotMet),
            (vec![(autumn, good), (spring, below), (summer, good)], NotKnown),
            (vec![(autumn, good), (spring, good)], NotKnown),
            (vec![(spring, good), (summer, good)], NotKnown),
            (vec![(spring, below), (summer, below)], NotKnown),
            (vec![("2025-summer", good), (autumn, good), (spring, good)], NotKnown),
            (vec![("2025-summer", below), (autumn, good), (spring, good), (summer, good)], NotMet),
            (vec![], NotKnown),
        ];
        for (bands, expected) in cases {
            assert_eq!(attendance(child().bands(&bands)), expected, "{bands:?}");
        }
        let all_good = [(autumn, good), (spring, good), (summer, good)];
        assert_eq!(attendance(child().bands(&all_good).met("E1")), Met, "a flag stands for itself");
        assert_eq!(attendance(child().bands(&all_good).until("2026-08")), NotAssessable);
        let all_below = [(autumn, below), (spring, below), (summer, below)];
        for bands in [all_good, all_below] {
            assert_eq!(attendance(child().bands(&bands).disputes("E1")), Contested, "{bands:?}");
            assert_ne!(attendance(child().bands(&bands).disputes("C1")), Contested, "another is disputed");
        }
        assert_eq!(attendance(child().bands(&all_good[1..]).disputes("E1")), NotKnown, "nothing is said");
        let crime = state("A1", &[person(&[says("youth", Child).bands(&all_good), says("police", Child)])]);
        assert_eq!(crime, NotKnown, "no other criterion is computed from attendance");
    }

    #[test]
    fn a_feed_that_the_calendar_no_longer_expects_is_stale() {
        let noted = [person(&[says("archive", Child).met("E1")])];
        assert_eq!(finding("A2", &noted, &["archive/A2"], &deliveries()).state, Stale);
    }

    #[test]
    fn one_member_of_whom_nothing_is_said_blocks_not_met() {
        let clear = || person(&[child().not_met("E1")]);
        let sibling = |role| person(&[says("charity", role)]);
        assert_eq!(state("A2", &[clear(), clear()]), NotMet);
        for (role, expected) in [(Child, NotKnown), (Unknown, NotKnown), (Adult, NotMet), (Unborn, NotMet)] {
            assert_eq!(state("A2", &[clear(), sibling(role)]), expected, "{role:?}");
        }
    }

    #[test]
    fn a_criterion_applies_by_role_and_may_apply_when_nobody_knows_it() {
        let benefit =
            |role, responsibility| state("A4", &[person(&[says("jobs", role).parent(responsibility).met("W1")])]);
        let open = ParentalResponsibility::Unknown;
        let cases = [
            (Adult, Yes, Met),
            (Adult, open, Met),
            (Unknown, open, Met),
            (Adult, No, NotKnown),
            (Child, open, NotKnown),
        ];
        for (role, responsibility, expected) in cases {
            assert_eq!(benefit(role, responsibility), expected, "{role:?} {responsibility:?}");
        }
        let told_by_another = person(&[says("jobs", Unknown).met("W1"), says("charity", Adult).parent(No)]);
        assert_eq!(state("A4", &[told_by_another]), NotKnown);
    }

    #[test]
    fn an_area_says_the_most_telling_thing_about_its_criteria() {
        let clear = || child().not_met("E1");
        let gone = || child().not_met("E1").coverage(Coverage::Moved);
        let old = || child().flag("E1", FlagState::NotMet, "2025-04-13", "2025-07-22");
        let disputed = || child().flag("E1", FlagState::Contested, "2026-06-01", "");
        let cases = [
            (vec![clear(), child()], NotKnown),
            (vec![clear(), child(), gone()], NotAssessable),
            (vec![gone(), old(), child()], Stale),
            (vec![old(), disputed(), gone()], Contested),
            (vec![disputed(), gone(), old(), child().met("E1")], Met),
        ];
        for (siblings, expected) in cases {
            let members: Vec<Member> = siblings.into_iter().map(|says| person(&[says])).collect();
            assert_eq!(state("A2", &members), expected);
        }
    }

    #[test]
    fn nobody_to_whom_an_area_applies_is_no_all_clear() {
        assert_eq!(state("A2", &[person(&[says("charity", Adult)])]), NotKnown);
    }

    #[test]
    fn a_professional_counts_where_the_programme_says_so_and_is_marked() {
        let equal_concern = child().met("E1").professional();
        let found = |says: &[Says]| finding("A2", &[person(says)], &EVERYBODY, &deliveries());
        assert_eq!(found(&[equal_concern]).grade, Some(EvidenceGrade::Professional));
        let confirmed = found(&[says("charity", Child).met("E1").professional(), child().met("E1")]);
        assert_eq!((confirmed.state, confirmed.grade), (Met, Some(EvidenceGrade::Hard)));
        assert_eq!(
            confirmed.professional,
            Some(month("2026-09")),
            "the judgement is dated apart from the hard evidence"
        );
        assert_eq!(found(&[child().met("E1")]).professional, None);
        let old_and_hard = child().flag("E1", FlagState::Met, "2025-09-03", "2025-12-19");
        let both = found(&[says("charity", Child).met("E1").professional(), old_and_hard]);
        assert_eq!((both.newest, both.professional), (Some(month("2025-12")), Some(month("2026-09"))));
        let crime = state("A1", &[person(&[says("youth", Child).met("C1").professional()])]);
        assert_eq!(crime, NotKnown, "this criterion knows no equivalence");
    }

    #[test]
    fn what_no_supplier_may_say_is_withheld_whoever_is_asked_about() {
        let met = [person(&[child().met("E1"), says("youth", Child).met("C1")])];
        for members in [&met[..], &[]] {
            let found = finding("A2", members, &["youth/A1"], &deliveries());
            assert_eq!((found.state, found.grade, found.newest, found.age), (WithheldByPolicy, None, None, None));
        }
    }

    #[test]
    fn only_what_is_met_shows_a_month_and_everybody_sees_the_age_of_the_feeds() {
        let ended = child().flag("E1", FlagState::Met, "2026-01-05", "2026-03-27");
        let found = finding("A2", &[person(&[ended])], &EVERYBODY, &deliveries());
        assert_eq!(found.newest, Some(month("2026-03")));
        let going_on = finding("A2", &[person(&[child().met("E1")])], &EVERYBODY, &deliveries());
        assert_eq!(going_on.newest, Some(month("2026-09")), "as at the delivery");
        let clear = finding("A2", &[person(&[child().not_met("E1")])], &EVERYBODY, &deliveries());
        assert_eq!(clear.newest, None);
        let mut older = deliveries();
        older.insert((agency("youth"), feed_of("youth")), Date::constant(2026, 8, 21));
        let age = finding("A1", &[], &EVERYBODY, &older).age;
        assert_eq!(age, Some(FeedAge { oldest_as_at: Some(Date::constant(2026, 8, 21)), is_late: false }));
    }
}
