//! The answer to an enquiry: the least that its mode needs.
//!
//! An answer is computed over the permitted set only, and says which areas it covers, so that a
//! reader can tell "no" from "nobody may say". What it says of the age of feeds is the same for
//! everybody; a month of evidence stands only beside an area that is met, and only where the mode
//! names areas.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::evidence::{AreaFinding, Assessment, CriterionFinding, EvidenceState, Facts, FeedAge, Member};
use super::ids::{AgencyCode, AreaCode, TeamRoute};
use super::item::{AnswerMode, Item};
use super::record::{Coverage, EvidenceGrade, ServiceStatus};
use super::time::Month;

/// What the permitted set covers of one area; the same whoever is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AreaCoverage {
    /// Which area.
    pub area: AreaCode,
    /// Whether no supplier may be heard on it.
    pub is_withheld: bool,
    /// How old its evidence can be; absent when the set holds no feed for it.
    pub age: Option<FeedAge>,
}

/// Who leads for the family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Lead {
    /// A service leads.
    Known {
        /// The agency.
        agency: AgencyCode,
        /// The team to contact; never a worker.
        team_route: TeamRoute,
        /// The month in which the work began.
        since: Month,
    },
    /// Nobody who may be heard says that they lead.
    NotKnown,
    /// No supplier may be heard on who leads.
    WithheldByPolicy,
}

/// The answer to an enquiry, one variant for each mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Answer {
    /// Whether the family meets the programme's threshold.
    Eligible {
        /// `met`, `not_met` or `not_known`.
        eligible: EvidenceState,
        /// When `met`: `professional` if hard evidence alone would not reach the threshold.
        grade: Option<EvidenceGrade>,
        /// What the set covers, in the programme's order.
        covers: Vec<AreaCoverage>,
        /// Areas without a criterion in the version used.
        not_covered: Vec<AreaCode>,
    },
    /// How many areas are met; never which.
    Count {
        /// How many areas are met.
        met: usize,
        /// How many of these rest on professional judgement alone.
        professional: usize,
        /// How many of the areas that somebody may be heard on are neither `met` nor `not_met`: that
        /// many more may be met.
        open: usize,
        /// What the set covers, in the programme's order; the same whoever is asked about.
        covers: Vec<AreaCoverage>,
        /// Areas without a criterion in the version used.
        not_covered: Vec<AreaCode>,
    },
    /// Which areas are met.
    Areas {
        /// Area by area, in the programme's order.
        areas: Vec<AreaFinding>,
        /// Areas without a criterion in the version used.
        not_covered: Vec<AreaCode>,
    },
    /// Which criteria are met.
    Criteria {
        /// Criterion by criterion, in the programme's order.
        criteria: Vec<CriterionFinding>,
        /// Areas without a criterion in the version used.
        not_covered: Vec<AreaCode>,
    },
    /// Who leads.
    Lead {
        /// The one service that leads.
        lead: Lead,
        /// How old the feeds are that would say so.
        age: Option<FeedAge>,
    },
}

/// An answer, with the assessment that the log's sealed opening keeps beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What leaves.
    pub answer: Answer,
    /// What the answer rests on; `None` for `lead`, which rests on no criterion.
    pub assessment: Option<Assessment>,
}

impl Answered {
    /// Answers an enquiry about a family.
    ///
    /// `members` are the persons for whom the enquiry is answered, clustered from the permitted
    /// set's records; none for a person whom nobody knows. Statements from outside the set change
    /// nothing.
    pub fn new(mode: AnswerMode, members: &[Member], facts: &Facts<'_>) -> Self {
        if mode == AnswerMode::Lead {
            let answer = Answer::Lead { lead: lead(members, facts), age: facts.age_of_item(&Item::Lead) };
            return Self { answer, assessment: None };
        }
        let assessment = Assessment::of(members, facts);
        let not_covered = assessment.not_covered.clone();
        let answer = match mode {
            AnswerMode::Eligible => Answer::Eligible {
                eligible: assessment.eligible(facts.programme),
                grade: assessment.eligible_grade(facts.programme),
                covers: coverage(&assessment),
                not_covered,
            },
            AnswerMode::Count => Answer::Count {
                met: assessment.areas_met(),
                professional: assessment.areas_met_by_judgement(),
                open: assessment.areas_open(),
                covers: coverage(&assessment),
                not_covered,
            },
            AnswerMode::Criteria => Answer::Criteria { criteria: assessment.criteria.clone(), not_covered },
            AnswerMode::Areas | AnswerMode::Lead => Answer::Areas { areas: assessment.areas.clone(), not_covered },
        };
        Self { answer, assessment: Some(assessment) }
    }
}

/// What the set covers: nothing of it is about anybody.
fn coverage(assessment: &Assessment) -> Vec<AreaCoverage> {
    let coverage = |found: &AreaFinding| AreaCoverage {
        area: found.area.clone(),
        is_withheld: found.state == EvidenceState::WithheldByPolicy,
        age: found.age,
    };
    assessment.areas.iter().map(coverage).collect()
}

/// The service that leads: open, with an agency that still sees the person and may be heard on who
/// leads.
///
/// Where several say that they lead, the one that began last is named, then the first by agency and
/// team. How many others there are is not said: it is more than was asked.
fn lead(members: &[Member], facts: &Facts<'_>) -> Lead {
    if facts.set.feeds_of(&Item::Lead).is_empty() {
        return Lead::WithheldByPolicy;
    }
    let statements = members.iter().flat_map(|member| &member.statements);
    let leading = statements
        .filter(|statement| facts.set.has(&statement.agency, &statement.feed, &Item::Lead))
        .filter(|statement| statement.evidence.coverage == Coverage::Current)
        .filter_map(|statement| Some((&statement.agency, statement.evidence.service.as_ref()?)))
        .filter(|(_, service)| service.lead && service.status == ServiceStatus::Open);
    let chosen = leading.min_by_key(|(agency, service)| (Reverse(service.since), *agency, &service.team_route));
    chosen.map_or(Lead::NotKnown, |(agency, service)| Lead::Known {
        agency: agency.clone(),
        team_route: service.team_route.clone(),
        since: service.since,
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::criterion::Criterion;
    use crate::domain::evidence::situations::*;
    use crate::domain::evidence::{Contribution, Deliveries, Statement};
    use crate::domain::record::{Flag, FlagState, ParentalResponsibility, Role, Service};
    use crate::domain::time::Timestamp;

    fn answer_with(mode: AnswerMode, members: &[Member], set: &Contribution, deliveries: &Deliveries) -> Answer {
        let programme = programme();
        let facts = Facts::new(&programme, deliveries, set, noon());
        Answered::new(mode, members, &facts).answer
    }

    fn answer(mode: AnswerMode, members: &[Member], pairs: &[&str]) -> Answer {
        answer_with(mode, members, &set(pairs), &deliveries())
    }

    fn eligible(members: &[Member], pairs: &[&str]) -> (EvidenceState, Option<EvidenceGrade>) {
        match answer(AnswerMode::Eligible, members, pairs) {
            Answer::Eligible { eligible, grade, .. } => (eligible, grade),
            other => panic!("{other:?}"),
        }
    }

    /// A mother and a child of whom every supplier says that nothing is met.
    fn clear_family() -> Vec<Member> {
        let child = person(&[
            says("school", Role::Child).not_met("E1"),
            says("youth", Role::Child).not_met("C1"),
            says("police", Role::Child).not_met("C1"),
        ]);
        let jobs = says("jobs", Role::Adult).parent(ParentalResponsibility::Yes).not_met("W1");
        vec![child, person(&[jobs, says("police", Role::Adult).not_met("C2")])]
    }

    fn leads(since: &str, team: &str) -> Service {
        Service {
            since: month(since),
            last_contact_month: None,
            lead: true,
            team_route: TeamRoute::parse(team).expect("a code"),
            status: ServiceStatus::Open,
        }
    }

    #[test]
    fn two_areas_of_different_members_make_a_family_eligible() {
        let mut family = clear_family();
        assert_eq!(eligible(&family, &EVERYBODY), (EvidenceState::NotMet, None));
        family.push(person(&[says("school", Role::Child).met("E1")]));
        assert_ne!(eligible(&family, &EVERYBODY).0, EvidenceState::Met);
        family.push(person(&[says("police", Role::Adult).met("C2")]));
        assert_eq!(eligible(&family, &EVERYBODY), (EvidenceState::Met, Some(EvidenceGrade::Hard)));
    }

    #[test]
    fn eligible_is_not_met_only_when_every_area_is_decided() {
        let family = clear_family();
        for missing in ["youth/A1", "police/A1", "school/A2", "jobs/A4"] {
            let rest: Vec<&str> = EVERYBODY.into_iter().filter(|pair| *pair != missing).collect();
            assert_eq!(eligible(&family, &rest), (EvidenceState::NotKnown, None), "without {missing}");
        }
        assert_eq!(eligible(&[], &EVERYBODY), (EvidenceState::NotKnown, None), "nobody knows the person");
    }

    #[test]
    fn before_the_first_criterion_holds_nobody_is_found_ineligible() {
        let (programme, deliveries, set) = (programme(), deliveries(), set(&EVERYBODY));
        let day = Timestamp::start_of(Date::constant(2019, 12, 31));
        let assessment = Assessment::of(&clear_family(), &Facts::new(&programme, &deliveries, &set, day));
        assert_eq!((assessment.areas.len(), assessment.not_covered.len()), (0, 4));
        assert_eq!(assessment.eligible(&programme), EvidenceState::NotKnown);
    }

    #[test]
    fn one_area_met_and_the_rest_clear_is_not_eligible() {
        let mut family = clear_family();
        family[0].statements[0] = says("school", Role::Child).met("E1").0;
        assert_eq!(eligible(&family, &EVERYBODY), (EvidenceState::NotMet, None));
    }

    #[test]
    fn eligibility_that_rests_on_a_judgement_says_so_and_names_no_area() {
        let family =
            [person(&[says("school", Role::Child).met("E1").professional(), says("youth", Role::Child).met("C1")])];
        assert_eq!(eligible(&family, &EVERYBODY), (EvidenceState::Met, Some(EvidenceGrade::Professional)));
        let Answer::Eligible { covers, not_covered, .. } = answer(AnswerMode::Eligible, &family, &EVERYBODY) else {
            panic!("an eligible answer")
        };
        let Answer::Eligible { covers: of_nobody, .. } = answer(AnswerMode::Eligible, &[], &EVERYBODY) else {
            panic!("an eligible answer")
        };
        assert_eq!(covers, of_nobody, "what is covered is the same for everybody");
        assert_eq!(covers.iter().map(|area| area.area.as_str()).collect::<Vec<_>>(), ["A1", "A2", "A4"]);
        assert_eq!(not_covered.iter().map(AreaCode::as_str).collect::<Vec<_>>(), ["A5"]);
    }

    #[test]
    fn ageing_out_moving_and_silence_are_never_progress() {
        let was_met = || says("school", Role::Child).met("E1");
        let after = [
            was_met().until("2026-08"),
            was_met().coverage(Coverage::Moved),
            was_met().coverage(Coverage::Closed),
            was_met().coverage(Coverage::Deceased),
            says("school", Role::Child),
            says("school", Role::Child).not_met("E1").until("2026-08"),
            says("school", Role::Child).not_met("E1").coverage(Coverage::Moved),
        ];
        for says in after {
            let mut family = clear_family();
            family[0].statements[0] = says.0;
            assert_eq!(eligible(&family, &EVERYBODY).0, EvidenceState::NotKnown);
        }
    }

    #[test]
    fn the_lead_is_the_open_service_that_began_last() {
        let lead_of = |members: &[Member], pairs: &[&str]| match answer(AnswerMode::Lead, members, pairs) {
            Answer::Lead { lead, .. } => lead,
            other => panic!("{other:?}"),
        };
        let known = |code: &str, team: &str, since| Lead::Known {
            agency: agency(code),
            team_route: TeamRoute::parse(team).expect("a code"),
            since: month(since),
        };
        let by = |code: &str, since, team| says(code, Role::Child).service(leads(since, team));
        let charity = by("charity", "2026-05", "west");
        let school = by("school", "2026-05", "welfare");
        let youth = by("youth", "2026-02", "youth-team");
        let ended = Service { status: ServiceStatus::Closed, ..leads("2026-08", "youth-team") };
        let helps = Service { lead: false, ..leads("2026-08", "youth-team") };

        let everybody = [person(&[youth.clone(), school.clone()]), person(&[charity])];
        assert_eq!(lead_of(&everybody, &EVERYBODY), known("charity", "west", "2026-05"), "a tie: by agency");
        assert_eq!(lead_of(&everybody, &["youth/lead", "charity/A2"]), known("youth", "youth-team", "2026-02"));
        assert_eq!(lead_of(&everybody, &["police/lead"]), Lead::NotKnown);
        assert_eq!(lead_of(&everybody, &["charity/A2"]), Lead::WithheldByPolicy);
        for says in [
            says("youth", Role::Child).service(ended),
            says("youth", Role::Child).service(helps),
            youth.coverage(Coverage::Closed),
        ] {
            assert_eq!(lead_of(&[person(&[says])], &EVERYBODY), Lead::NotKnown);
        }
    }

    #[test]
    fn a_count_says_how_many_areas_are_met_and_never_which() {
        let count = |members: &[Member], pairs: &[&str]| match answer(AnswerMode::Count, members, pairs) {
            Answer::Count { met, open, .. } => (met, open),
            other => panic!("{other:?}"),
        };
        let met_in = |criterion: &str| {
            let mut family = clear_family();
            match criterion {
                "E1" => family[0].statements[0] = says("school", Role::Child).met("E1").0,
                "C1" => family[0].statements[1] = says("youth", Role::Child).met("C1").0,
                _ => {
                    family[1].statements[0] = says("jobs", Role::Adult).parent(ParentalResponsibility::Yes).met("W1").0;
                }
            }
            family
        };
        assert_eq!(count(&clear_family(), &EVERYBODY), (0, 0));
        assert_eq!(count(&[], &EVERYBODY), (0, 3), "silence is no zero");
        // One area met, whichever: the same bytes.
        let texts = ["E1", "C1", "W1"].map(|criterion| {
            let said = answer(AnswerMode::Count, &met_in(criterion), &EVERYBODY);
            serde_json::to_string(&said).expect("plain data")
        });
        assert_eq!(count(&met_in("E1"), &EVERYBODY), (1, 0));
        assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
        assert_eq!(
            count(&met_in("E1"), &["youth/A1", "police/A1", "jobs/A4"]),
            (0, 0),
            "withheld areas count neither way"
        );
    }

    #[test]
    fn criteria_are_said_one_by_one_with_state_and_month() {
        let mut family = clear_family();
        family[1].statements[1] = says("police", Role::Adult).met("C2").0;
        let Answer::Criteria { criteria, not_covered } = answer(AnswerMode::Criteria, &family, &EVERYBODY) else {
            panic!("criteria")
        };
        let said: Vec<_> =
            criteria.iter().map(|c| (c.criterion.as_str(), c.area.as_str(), c.state, c.newest)).collect();
        let (met, clear) = (EvidenceState::Met, EvidenceState::NotMet);
        let newest = Some(month("2026-09"));
        assert_eq!(
            said,
            [
                ("C1", "A1", clear, None),
                ("C2", "A1", met, newest),
                ("E1", "A2", clear, None),
                ("W1", "A4", clear, None)
            ]
        );
        assert_eq!(not_covered.len(), 1);
        let Answer::Criteria { criteria, .. } = answer(AnswerMode::Criteria, &family, &["school/A2"]) else {
            panic!("criteria")
        };
        for found in criteria {
            let is_withheld = found.state == EvidenceState::WithheldByPolicy;
            assert_eq!(is_withheld, found.area.as_str() != "A2", "{found:?}");
            assert!(!is_withheld || (found.newest, found.grade, found.age) == (None, None, None), "{found:?}");
        }
    }

    #[test]
    fn an_answer_reads_back_as_written() {
        let family = [person(&[says("school", Role::Child).met("E1")])];
        for mode in AnswerMode::ALL {
            let answer = answer(mode, &family, &EVERYBODY);
            let text = serde_json::to_string(&answer).expect("plain data");
            assert_eq!(serde_json::from_str::<Answer>(&text).expect("as written"), answer);
        }
    }

    const PAIRS: [&str; 10] = [
        "youth/A1",
        "police/A1",
        "school/A2",
        "charity/A2",
        "charity/A1",
        "jobs/A4",
        "youth/lead",
        "school/lead",
        "charity/lead",
        "school/household",
    ];

    fn any_statement() -> impl Strategy<Value = Says> {
        let supplier = proptest::sample::select(vec!["youth", "police", "school", "jobs", "charity"]);
        let role = proptest::sample::select(vec![Role::Child, Role::Adult, Role::Unborn, Role::Unknown]);
        let state = proptest::sample::select(vec![FlagState::Met, FlagState::NotMet, FlagState::Contested]);
        let criterion = proptest::sample::select(vec!["C1", "C2", "E1", "W1"]);
        let end = proptest::sample::select(vec!["", "2026-09-01", "2026-03-01", "2024-01-01"]);
        let coverage =
            prop_oneof![4 => Just(Coverage::Current), 1 => Just(Coverage::Moved), 1 => Just(Coverage::Closed)];
        let flags = proptest::collection::vec((criterion, state, end), 0..4);
        let service = proptest::option::of(proptest::sample::select(vec!["2026-01", "2026-08"]));
        (supplier, role, coverage, flags, service).prop_map(|(supplier, role, coverage, flags, service)| {
            let mut says = says(supplier, role).coverage(coverage);
            for (criterion, state, end) in flags {
                says = says.flag(criterion, state, "2023-06-01", end);
            }
            match service {
                Some(since) => says.service(leads(since, "team")),
                None => says,
            }
        })
    }

    fn any_family() -> impl Strategy<Value = Vec<Member>> {
        let member = proptest::collection::vec(any_statement(), 0..5).prop_map(|says| person(&says));
        proptest::collection::vec(member, 0..4)
    }

    fn any_set() -> impl Strategy<Value = Contribution> {
        proptest::sample::subsequence(PAIRS.to_vec(), 0..=PAIRS.len()).prop_map(|pairs| set(&pairs))
    }

    fn any_deliveries() -> impl Strategy<Value = Deliveries> {
        proptest::collection::vec(any::<bool>(), FEEDS.len()).prop_map(|keep| {
            deliveries().into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(feed, _)| feed).collect()
        })
    }

    const MODES: [AnswerMode; 5] = AnswerMode::ALL;

    proptest! {
        #[test]
        fn a_record_outside_the_set_changes_nothing(
            family in any_family(), extra in any_family(), set in any_set(), deliveries in any_deliveries()
        ) {
            let mut outside = extra;
            for member in &mut outside {
                member.statements.retain(|statement| !set.has_feed(&statement.agency, &statement.feed));
            }
            let mut with_more = family.clone();
            for (member, more) in with_more.iter_mut().zip(&outside) {
                member.statements.extend(more.statements.clone());
            }
            with_more.extend(outside);
            for mode in MODES {
                prop_assert_eq!(
                    answer_with(mode, &with_more, &set, &deliveries),
                    answer_with(mode, &family, &set, &deliveries)
                );
            }
        }

        #[test]
        fn a_flag_of_an_area_for_which_its_supplier_is_not_heard_changes_nothing(
            family in any_family(), set in any_set(), deliveries in any_deliveries()
        ) {
            let programme = programme();
            let area = |flag: &Flag| programme.criteria().iter().find(|known| known.code == flag.criterion);
            let mut heard = family.clone();
            for statement in heard.iter_mut().flat_map(|member| &mut member.statements) {
                let Statement { agency, feed, evidence } = statement;
                let may = |c: &Criterion| set.has(agency, feed, &Item::Area(c.area.clone()));
                evidence.flags.retain(|flag| area(flag).is_some_and(may));
            }
            for mode in MODES {
                prop_assert_eq!(
                    answer_with(mode, &heard, &set, &deliveries),
                    answer_with(mode, &family, &set, &deliveries)
                );
            }
        }

        #[test]
        fn a_person_known_only_outside_the_set_is_a_person_nobody_knows(
            family in any_family(), set in any_set(), deliveries in any_deliveries()
        ) {
            let mut outside = family;
            for member in &mut outside {
                member.statements.retain(|statement| !set.has_feed(&statement.agency, &statement.feed));
            }
            for mode in MODES {
                prop_assert_eq!(answer_with(mode, &outside, &set, &deliveries), answer_with(mode, &[], &set, &deliveries));
            }
        }

        #[test]
        fn what_is_withheld_and_how_old_feeds_are_never_depends_on_people(
            family in any_family(), set in any_set(), deliveries in any_deliveries()
        ) {
            let fixed = |members: &[Member]| match answer_with(AnswerMode::Areas, members, &set, &deliveries) {
                Answer::Areas { areas, not_covered } => {
                    let fixed = |found: AreaFinding| (found.state == EvidenceState::WithheldByPolicy, found.age);
                    (areas.into_iter().map(fixed).collect::<Vec<_>>(), not_covered)
                }
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(fixed(&family), fixed(&[]));
        }

        #[test]
        fn the_order_of_people_and_statements_changes_nothing(
            (family, shuffled) in any_family().prop_flat_map(|f| (Just(f.clone()), Just(f).prop_shuffle())),
            set in any_set()
        ) {
            let mut shuffled = shuffled;
            for member in &mut shuffled {
                member.statements.reverse();
            }
            for mode in MODES {
                prop_assert_eq!(
                    answer_with(mode, &family, &set, &deliveries()),
                    answer_with(mode, &shuffled, &set, &deliveries())
                );
            }
        }

        #[test]
        fn an_area_is_not_met_only_if_a_supplier_in_the_set_says_so(family in any_family(), set in any_set()) {
            let Answer::Areas { areas, .. } = answer_with(AnswerMode::Areas, &family, &set, &deliveries()) else {
                panic!("an areas answer")
            };
            for found in areas.iter().filter(|found| found.state == EvidenceState::NotMet) {
                let area = Item::Area(found.area.clone());
                let denies = |statement: &Statement| {
                    set.has(&statement.agency, &statement.feed, &area)
                        && statement.evidence.flags.iter().any(|flag| flag.state == FlagState::NotMet)
                };
                prop_assert!(family.iter().flat_map(|member| &member.statements).any(denies));
            }
        }
    }
}
