//! Cases of the claim check on the shipped programme, and the property that nothing that goes silent
//! makes a claim ready.

use std::collections::BTreeMap;

use jiff::civil::Date;
use proptest::prelude::*;

use super::*;
use crate::domain::evidence::{Contribution, Deliveries, Statement};
use crate::domain::programme::Programme;
use crate::domain::record::{Attendance, AttendanceBand, Evidence, Flag, ParentalResponsibility, Role, TermName};
use crate::domain::time::Timestamp;

use ChildAttendance::{Below, Good, Missing};
use FlagState::{Contested, Met, NotMet};

/// Something done to a record.
type Doing<'a> = &'a dyn Fn(&mut Evidence);

const TODAY: Date = Date::constant(2026, 11, 21);
const TERMS: [&str; 3] = ["2025-autumn", "2026-spring", "2026-summer"];

/// Who supplies what of a child and of a mother.
const OF_CHILD: [(&str, &str, &[&str]); 6] = [
    ("education", "attendance", &["E1"]),
    ("education", "welfare", &["E2", "E3", "E4", "E5"]),
    ("childrens-social-care", "cases", &["H2", "H3", "H4"]),
    ("early-help-hub", "assessments", &["H1"]),
    ("youth-justice", "orders", &["C1"]),
    ("housing", "tenancies", &["C3"]),
];
const OF_MOTHER: [(&str, &str, &[&str]); 3] =
    [("police", "outcomes", &["C2"]), ("housing", "tenancies", &["C3"]), ("jobcentre-feed", "benefits", &["W1"])];

fn programme() -> Programme {
    Programme::parse(include_bytes!("../../../policies/programme.toml")).expect("the shipped programme")
}

/// Every feed may be heard on everything that it supplies.
fn everything(programme: &Programme) -> Contribution {
    let feeds = programme.feeds().iter().filter(|feed| feed.is_effective(TODAY));
    let permits = feeds.flat_map(|feed| {
        programme.items_of(feed, TODAY).into_iter().map(|item| (feed.agency.clone(), feed.code.clone(), item))
    });
    permits.collect()
}

fn deliveries(programme: &Programme) -> Deliveries {
    let feeds = programme.feeds().iter().filter(|feed| feed.is_effective(TODAY));
    feeds.map(|feed| ((feed.agency.clone(), feed.code.clone()), Date::constant(2026, 11, 20))).collect()
}

fn flag(criterion: &str, state: FlagState) -> Flag {
    let (from, to) = (Date::constant(2026, 6, 1), None);
    Flag { criterion: criterion.parse().expect("a code"), state, from, to, evidence: EvidenceGrade::Hard }
}

fn person(number: u8, role: Role, of: &[(&str, &str, &[&str])]) -> Person {
    let (mut records, mut statements) = (Vec::new(), Vec::new());
    for (agency, feed, criteria) in of {
        let mut evidence = Evidence { role, ..Evidence::default() };
        evidence.flags = criteria.iter().map(|code| flag(code, FlagState::NotMet)).collect();
        if role == Role::Adult {
            evidence.parental_responsibility = ParentalResponsibility::Yes;
        }
        if *feed == "attendance" {
            let band = |term: &&str| Attendance {
                term: TermName::parse(term).expect("a term"),
                band: AttendanceBand::AtLeast90,
            };
            evidence.attendance = TERMS.iter().map(band).collect();
        }
        evidence.school_age_children = Some(2);
        let (agency, feed): (AgencyCode, FeedCode) = (agency.parse().expect("a code"), feed.parse().expect("a code"));
        let reference = crate::domain::token::encode_base64url(&[number; 16]);
        let reference = OpaqueRef::parse(&reference).expect("a reference");
        records.push(RecordName { agency: agency.clone(), feed: feed.clone(), reference });
        statements.push(Statement { agency, feed, evidence });
    }
    Person { records, member: Member { statements } }
}

/// Two children and their mother, of whom everybody says that nothing is met.
fn clear() -> Vec<Person> {
    vec![person(1, Role::Child, &OF_CHILD), person(2, Role::Child, &OF_CHILD), person(3, Role::Adult, &OF_MOTHER)]
}

/// The evidence of the feed that supplies a criterion for a person.
fn evidence_of<'f>(family: &'f mut [Person], person: usize, criterion: &str) -> &'f mut Evidence {
    let statements = &mut family[person].member.statements;
    let speaks = |said: &&mut Statement| said.evidence.flags.iter().any(|flag| flag.criterion.as_str() == criterion);
    &mut statements.iter_mut().find(speaks).expect("somebody supplies it").evidence
}

/// The family with a criterion said to be in another state.
fn with(mut family: Vec<Person>, person: usize, criterion: &str, state: FlagState) -> Vec<Person> {
    let evidence = evidence_of(&mut family, person, criterion);
    let said = evidence.flags.iter_mut().find(|flag| flag.criterion.as_str() == criterion);
    said.expect("it is supplied").state = state;
    family
}

/// As at engagement: the elder child misses school and is in need, the mother is out of work.
fn engaged() -> Vec<Person> {
    let missing = with(clear(), 0, "E1", FlagState::Met);
    let in_need = with(missing, 0, "H2", FlagState::Met);
    with(in_need, 2, "W1", FlagState::Met)
}

fn check_late(route: Route, now: &[Person], late: &[(&str, &str)]) -> ClaimCheck {
    let programme = programme();
    let (set, delivered) = (everything(&programme), deliveries(&programme));
    let mut delivered_now = delivered.clone();
    for (agency, feed) in late {
        delivered_now.remove(&(agency.parse().expect("a code"), feed.parse().expect("a code")));
    }
    let engagement = Facts::new(&programme, &delivered, &set, Timestamp::start_of(TODAY));
    let today = Facts::new(&programme, &delivered_now, &set, Timestamp::start_of(TODAY));
    let then = engaged();
    let (then, now) = (Seen { persons: &then, facts: &engagement }, Seen { persons: now, facts: &today });
    ClaimCheck::of(route, then, now).expect("the programme has claims")
}

fn check(now: &[Person]) -> ClaimCheck {
    check_late(Route::Outcomes, now, &[])
}

fn change(found: &ClaimCheck, area: &str) -> Change {
    found.areas.iter().find(|change| change.area.as_str() == area).expect("an area with criteria").change
}

fn codes(found: &ClaimCheck) -> Vec<&str> {
    let mut codes: Vec<&str> = found.reasons.iter().map(|reason| reason.code.as_str()).collect();
    codes.dedup();
    codes
}

#[test]
fn a_family_of_whom_everybody_says_that_all_is_over_is_ready() {
    let found = check(&clear());
    assert_eq!((found.verdict, codes(&found)), (Verdict::Ready, vec![]));
    let of_areas: BTreeMap<&str, (Change, bool)> =
        found.areas.iter().map(|area| (area.area.as_str(), (area.change, area.is_relevant))).collect();
    assert_eq!(of_areas["A1"], (Change::Clear, false));
    for area in ["A2", "A3", "A4"] {
        assert_eq!(of_areas[area], (Change::Progress, true), "{area}");
    }
    assert_eq!(found.not_covered.iter().map(AreaCode::as_str).collect::<Vec<_>>(), ["A5", "A6"]);
    let absent = found.pairs.iter().find(|pair| pair.person == 0 && pair.criterion.as_str() == "E1").expect("judged");
    let (then, now) = (&absent.said_then[0], &absent.said_now[0]);
    assert_eq!((then.state, now.state, now.feed.as_str()), (FlagState::Met, FlagState::NotMet, "attendance"));
    assert_eq!((now.from, now.as_at), (Date::constant(2026, 6, 1), Some(Date::constant(2026, 11, 20))));
}

#[test]
fn each_thing_that_can_be_in_the_way_is_named() {
    let silent = |person: usize, criterion: &str| {
        let mut family = clear();
        evidence_of(&mut family, person, criterion).flags.clear();
        family
    };
    let ended = |coverage| {
        let mut family = clear();
        evidence_of(&mut family, 0, "C1").coverage = coverage;
        family
    };
    let mut aged_out = clear();
    evidence_of(&mut aged_out, 0, "C1").assessable_until = Some("2026-10".parse().expect("a month"));
    let mut grown_up = clear();
    grown_up[0].member.statements.iter_mut().for_each(|said| said.evidence.role = Role::Adult);
    let cases = [
        ("A2", with(clear(), 0, "E1", FlagState::Met), Change::StillMet, "still-met", Verdict::NotReady),
        ("A2", with(clear(), 1, "E2", FlagState::Met), Change::NewSince, "regression", Verdict::NotReady),
        ("A1", with(clear(), 2, "C3", FlagState::Met), Change::NewSince, "regression", Verdict::NotReady),
        ("A3", with(clear(), 0, "H2", FlagState::Contested), Change::Contested, "contested", Verdict::HumanReview),
        ("A1", silent(2, "C2"), Change::NotKnown, "not-known", Verdict::NotReady),
        ("A1", ended(Coverage::Moved), Change::Moved, "moved", Verdict::HumanReview),
        ("A1", ended(Coverage::Closed), Change::Moved, "moved", Verdict::HumanReview),
        ("A1", ended(Coverage::Deceased), Change::Moved, "moved", Verdict::HumanReview),
        ("A1", aged_out, Change::NotAssessable, "not-assessable", Verdict::HumanReview),
        ("A2", grown_up, Change::NotAssessable, "not-assessable", Verdict::HumanReview),
        ("A2", clear()[1..].to_vec(), Change::Clear, "person-gone", Verdict::HumanReview),
        ("A1", vec![], Change::NotKnown, "family-not-known", Verdict::HumanReview),
    ];
    for (number, (area, family, expected, code, verdict)) in cases.into_iter().enumerate() {
        let found = check(&family);
        assert_eq!((change(&found, area), found.verdict), (expected, verdict), "case {number}: {:?}", found.reasons);
        assert!(codes(&found).contains(&code), "case {number}: {:?}", found.reasons);
    }
    let late = check_late(Route::Outcomes, &clear(), &[("police", "outcomes")]);
    assert_eq!((change(&late, "A1"), late.verdict), (Change::Stale, Verdict::NotReady));
}

#[test]
fn who_said_it_was_met_has_to_say_that_it_no_longer_is() {
    // A charity's judgement counted at engagement; later only the others speak.
    let charity = |state| {
        let mut family = engaged();
        if state == FlagState::NotMet {
            family = clear();
        }
        let said = Evidence {
            role: Role::Child,
            flags: vec![Flag { evidence: EvidenceGrade::Professional, ..flag("E2", state) }],
            ..Evidence::default()
        };
        let (agency, feed): (AgencyCode, FeedCode) =
            ("hearth".parse().expect("a code"), "casework".parse().expect("a code"));
        let reference = OpaqueRef::parse("AAAAAAAAAAAAAAAAAAAAAA").expect("a reference");
        family[1].records.push(RecordName { agency: agency.clone(), feed: feed.clone(), reference });
        family[1].member.statements.push(Statement { agency, feed, evidence: said });
        family
    };
    let programme = programme();
    let hearth =
        ("hearth".parse().expect("a code"), "casework".parse().expect("a code"), "A2".parse().expect("an item"));
    let delivered = deliveries(&programme);
    let set: Contribution = programme
        .feeds()
        .iter()
        .filter(|feed| feed.is_effective(TODAY))
        .flat_map(|feed| {
            programme.items_of(feed, TODAY).into_iter().map(|item| (feed.agency.clone(), feed.code.clone(), item))
        })
        .chain([hearth])
        .collect();
    let facts = Facts::new(&programme, &delivered, &set, Timestamp::start_of(TODAY));
    let then = charity(FlagState::Met);
    let found = |now: &[Person]| {
        ClaimCheck::of(Route::Outcomes, Seen { persons: &then, facts: &facts }, Seen { persons: now, facts: &facts })
            .expect("claims")
    };
    let denied = found(&charity(FlagState::NotMet));
    assert_eq!(denied.verdict, Verdict::Ready, "{:?}", denied.reasons);
    let school = denied.areas.iter().find(|area| area.area.as_str() == "A2").expect("an area");
    assert!(school.rests_on_judgement && !denied.areas[0].rests_on_judgement, "judgement is told apart");
    let mut silent = charity(FlagState::NotMet);
    silent[1].member.statements.last_mut().expect("the charity").evidence.flags.clear();
    let silent = found(&silent);
    assert_eq!((silent.verdict, change(&silent, "A2")), (Verdict::NotReady, Change::NotKnown));
    assert!(codes(&found(&clear())).contains(&"record-gone"));
}

/// Everything that a finding tells, as it leaves.
fn told(found: &ClaimCheck) -> String {
    serde_json::to_string(found).expect("plain data")
}

#[test]
fn of_somebody_who_is_gone_nothing_is_told_but_that() {
    // The elder child, alone in missing school and in need, is shielded since.
    let found = check(&clear()[1..]);
    assert_eq!((found.verdict, codes(&found)), (Verdict::HumanReview, vec!["attendance-not-certified", "person-gone"]));
    assert!(found.pairs.iter().all(|pair| pair.person != 0) && found.people[0].now.is_none());
    assert!(found.areas.iter().all(|area| !area.is_relevant || area.area.as_str() == "A4"), "{:?}", found.areas);
    assert_eq!(found.attendance.children, [(1, Good)]);
    // Of a record that is gone neither, though the person is there.
    let mut without_school = clear();
    without_school[0].records.remove(0);
    without_school[0].member.statements.remove(0);
    let found = check(&without_school);
    assert!(codes(&found).contains(&"record-gone"));
    let of_child = found.pairs.iter().filter(|pair| pair.person == 0);
    let said = of_child.flat_map(|pair| &pair.said_then).map(|said| said.feed.as_str());
    assert!(said.clone().count() > 0 && said.into_iter().all(|feed| feed != "attendance"));
}

#[test]
fn whoever_shares_no_record_with_the_engagement_is_as_unknown_as_nobody() {
    let stranger = vec![
        with(vec![person(9, Role::Adult, &OF_MOTHER)], 0, "C2", FlagState::Met).remove(0),
        person(8, Role::Child, &OF_CHILD),
    ];
    let found = check(&stranger);
    assert_eq!(found, check(&[]), "asked with another family's tokens");
    assert!(found.pairs.is_empty() && found.people.is_empty() && codes(&found).contains(&"family-not-known"));
    assert!(!told(&found).contains("\"met\""), "{}", told(&found));
}

#[test]
fn what_may_be_heard_no_longer_is_not_told_of_the_past() {
    let programme = programme();
    let (all, delivered) = (everything(&programme), deliveries(&programme));
    let heard = |withdrawn: &str| -> Contribution {
        let feeds =
            programme.feeds().iter().filter(|feed| feed.is_effective(TODAY) && feed.agency.as_str() != withdrawn);
        let items = feeds.flat_map(|feed| {
            programme.items_of(feed, TODAY).into_iter().map(|item| (feed.agency.clone(), feed.code.clone(), item))
        });
        items.collect()
    };
    let then = Facts::new(&programme, &delivered, &all, Timestamp::start_of(TODAY));
    for withdrawn in ["jobcentre-feed", "education"] {
        let set = heard(withdrawn);
        let now = Facts::new(&programme, &delivered, &set, Timestamp::start_of(TODAY));
        let (was, is) = (engaged(), clear());
        let found =
            ClaimCheck::of(Route::Outcomes, Seen { persons: &was, facts: &then }, Seen { persons: &is, facts: &now })
                .expect("claims");
        assert!(codes(&found).contains(&"heard-no-longer"), "{withdrawn}");
        assert_ne!(found.verdict, Verdict::Ready);
        let said = found.pairs.iter().flat_map(|pair| &pair.said_then);
        assert!(said.clone().count() > 0 && said.into_iter().all(|said| said.agency.as_str() != withdrawn));
        assert!(!told(&found).contains(withdrawn), "{withdrawn}");
    }
}

#[test]
fn a_criterion_that_was_redefined_since_is_for_a_person_to_look_at() {
    let shipped = std::str::from_utf8(include_bytes!("../../../policies/programme.toml")).expect("UTF-8");
    let criterion = shipped.find("code = \"E1\"").expect("listed");
    let check_by = |from: &str, to: &str| {
        let other = format!("{}{}", &shipped[..criterion], shipped[criterion..].replacen(from, to, 1));
        assert_ne!(other, shipped, "the replacement must find its text");
        let (before, after) = (programme(), Programme::parse(other.as_bytes()).expect("well-formed"));
        let (set, delivered) = (everything(&before), deliveries(&before));
        let facts = [&before, &after].map(|file| Facts::new(file, &delivered, &set, Timestamp::start_of(TODAY)));
        let (was, is) = (engaged(), clear());
        let [then, now] = [(&was, &facts[0]), (&is, &facts[1])].map(|(persons, facts)| Seen { persons, facts });
        ClaimCheck::of(Route::Outcomes, then, now).expect("claims")
    };
    let found = check_by("plain = \"", "plain = \"At last: ");
    assert_eq!((found.verdict, codes(&found)), (Verdict::HumanReview, vec!["criterion-redefined"]));
    assert_eq!(found.reasons[0].criterion.as_ref().map(CriterionCode::as_str), Some("E1"));
    let found = check_by("effective_from = ", "note = \"as before\"\neffective_from = ");
    assert_eq!(codes(&found), Vec::<&str>::new(), "a note changes nothing");
}

#[test]
fn attendance_needs_every_term_of_every_child() {
    let bands = |change: &dyn Fn(&mut Evidence)| {
        let mut family = clear();
        change(evidence_of(&mut family, 1, "E1"));
        let found = check(&family);
        (found.verdict, found.attendance.is_certified, found.attendance.children)
    };
    let disputed: CriterionCode = "E1".parse().expect("a code");
    let cases: [(Doing<'_>, bool, ChildAttendance); 6] = [
        (&|_| {}, true, Good),
        (&|evidence| evidence.attendance[1].band = AttendanceBand::Below90, false, Below),
        (&|evidence| drop(evidence.attendance.pop()), false, Missing),
        (&|evidence| evidence.attendance.clear(), false, Missing),
        (&|evidence| evidence.coverage = Coverage::Moved, false, Missing),
        (&|evidence| evidence.contested.push(disputed.clone()), false, Missing),
    ];
    for (number, (change, certified, of_second)) in cases.into_iter().enumerate() {
        let (verdict, is_certified, children) = bands(change);
        assert_eq!((is_certified, verdict == Verdict::Ready), (certified, certified), "case {number}");
        assert_eq!(children, [(0, Good), (1, of_second)], "case {number}");
    }
    let count = |children: Option<u8>| {
        let mut family = clear();
        let statements = family.iter_mut().flat_map(|person| &mut person.member.statements);
        statements.for_each(|said| said.evidence.school_age_children = children);
        check(&family).attendance
    };
    assert!(!count(Some(3)).is_certified, "a third child is missing");
    assert!(!count(None).is_certified, "nobody says how many there are");
    assert_eq!(count(Some(1)).school_age_children, Some(2), "the most that was said, at engagement too");
    let late = check_late(Route::Outcomes, &clear(), &[("education", "attendance")]);
    assert!(!late.attendance.is_certified);
}

#[test]
fn a_step_down_counts_where_every_step_above_is_over() {
    let now = |states: [(&str, FlagState); 2]| {
        let family = states.into_iter().fold(clear(), |family, (code, state)| with(family, 0, code, state));
        let found = check(&family);
        (found.verdict, change(&found, "A3"))
    };
    // In need at engagement: an early help assessment is a step down, a protection plan is none.
    assert_eq!(now([("H2", NotMet), ("H1", Met)]), (Verdict::Ready, Change::SteppedDown));
    assert_eq!(now([("H2", NotMet), ("H3", Met)]), (Verdict::NotReady, Change::NewSince));
    assert_eq!(now([("H2", Met), ("H1", Met)]), (Verdict::NotReady, Change::NewSince));
    assert_eq!(now([("H2", Contested), ("H1", Met)]), (Verdict::HumanReview, Change::Contested));
    assert_eq!(now([("H2", NotMet), ("H4", Met)]), (Verdict::NotReady, Change::NewSince));
}

#[test]
fn work_stands_for_a_result_once_confirmed_and_nothing_else_got_worse() {
    let confirmed = |from: Date, to: Option<Date>| {
        let mut family = with(clear(), 0, "E1", FlagState::Met);
        evidence_of(&mut family, 2, "W1").flags.push(Flag { from, to, ..flag("K1", FlagState::Met) });
        family
    };
    let work = |family: &[Person]| check_late(Route::Employment, family, &[]);
    let long = Date::constant(2026, 5, 1);
    let found = work(&confirmed(long, None));
    assert_eq!((found.verdict, found.is_work_confirmed), (Verdict::Ready, Some(true)), "{:?}", found.reasons);
    assert_eq!(change(&found, "A2"), Change::StillMet, "relevant areas may still be met");
    assert_eq!(check(&confirmed(long, None)).is_work_confirmed, None);
    for family in [
        confirmed(Date::constant(2026, 6, 1), None),
        confirmed(long, Some(Date::constant(2026, 11, 1))),
        with(clear(), 0, "E1", FlagState::Met),
        with(confirmed(long, None), 2, "W1", FlagState::Met),
    ] {
        let found = work(&family);
        assert_eq!((found.verdict, found.is_work_confirmed), (Verdict::NotReady, Some(false)));
    }
    let worse = work(&with(confirmed(long, None), 2, "C2", FlagState::Met));
    assert_eq!((worse.verdict, codes(&worse)), (Verdict::NotReady, vec!["regression"]));
    let mut absent = confirmed(long, None);
    evidence_of(&mut absent, 1, "E1").attendance.clear();
    assert!(codes(&work(&absent)).contains(&"attendance-not-certified"));
}

/// Something bad that may be so of the family now.
#[derive(Debug, Clone)]
enum Trouble {
    Says(usize, &'static str, FlagState),
    Band(usize, usize),
    Silent(usize, &'static str),
    Ended(usize, usize, Coverage),
    Judged(usize, &'static str),
}

/// Something that goes silent, gets old, or leaves: it never tells that things got better.
#[derive(Debug, Clone)]
enum Silence {
    DropRecord(usize, usize),
    DropPerson(usize),
    DropDenial(usize, usize),
    DropTerm(usize, usize),
    DropCounts,
    Late(usize),
    AgeOut(usize, usize),
    GrowUp(usize),
    End(usize, usize, Coverage),
}

const CHILDS: [&str; 11] = ["E1", "E2", "E3", "E4", "E5", "H1", "H2", "H3", "H4", "C1", "C3"];
const MOTHERS: [&str; 3] = ["C2", "C3", "W1"];

fn somebodys() -> impl Strategy<Value = (usize, &'static str)> {
    prop_oneof![
        (0..2usize, proptest::sample::select(&CHILDS[..])),
        (Just(2usize), proptest::sample::select(&MOTHERS[..])),
    ]
}

fn coverage() -> impl Strategy<Value = Coverage> {
    prop_oneof![Just(Coverage::Moved), Just(Coverage::Closed), Just(Coverage::Deceased)]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let state = prop_oneof![Just(FlagState::Met), Just(FlagState::Contested)];
    prop_oneof![
        4 => (somebodys(), state).prop_map(|((person, code), state)| Trouble::Says(person, code, state)),
        1 => (0..2usize, 0..3usize).prop_map(|(person, term)| Trouble::Band(person, term)),
        1 => somebodys().prop_map(|(person, code)| Trouble::Silent(person, code)),
        1 => (0..3usize, 0..6usize, coverage()).prop_map(|(person, record, how)| Trouble::Ended(person, record, how)),
        1 => somebodys().prop_map(|(person, code)| Trouble::Judged(person, code)),
    ]
}

fn silence() -> impl Strategy<Value = Silence> {
    prop_oneof![
        (0..3usize, 0..6usize).prop_map(|(person, record)| Silence::DropRecord(person, record)),
        (0..3usize).prop_map(Silence::DropPerson),
        (0..3usize, 0..6usize).prop_map(|(person, record)| Silence::DropDenial(person, record)),
        (0..2usize, 0..3usize).prop_map(|(person, term)| Silence::DropTerm(person, term)),
        Just(Silence::DropCounts),
        (0..8usize).prop_map(Silence::Late),
        (0..3usize, 0..6usize).prop_map(|(person, record)| Silence::AgeOut(person, record)),
        (0..2usize).prop_map(Silence::GrowUp),
        (0..3usize, 0..6usize, coverage()).prop_map(|(person, record, how)| Silence::End(person, record, how)),
    ]
}

fn troubled(mut family: Vec<Person>, trouble: &Trouble) -> Vec<Person> {
    let supplies = |family: &[Person], person: usize, code: &str| {
        family[person]
            .member
            .statements
            .iter()
            .any(|said| said.evidence.flags.iter().any(|flag| flag.criterion.as_str() == code))
    };
    match trouble {
        Trouble::Says(person, code, state) if supplies(&family, *person, code) => with(family, *person, code, *state),
        Trouble::Silent(person, code) if supplies(&family, *person, code) => {
            evidence_of(&mut family, *person, code).flags.retain(|flag| flag.criterion.as_str() != *code);
            family
        }
        Trouble::Judged(person, code) if supplies(&family, *person, code) => {
            let evidence = evidence_of(&mut family, *person, code);
            let from = Date::constant(2026, 7, 1);
            evidence.flags.push(Flag { from, evidence: EvidenceGrade::Professional, ..flag(code, FlagState::Met) });
            family
        }
        Trouble::Band(person, term) => {
            let statements = &mut family[*person].member.statements;
            for said in statements.iter_mut().filter(|said| said.evidence.attendance.len() > *term) {
                said.evidence.attendance[*term].band = AttendanceBand::Below90;
            }
            family
        }
        Trouble::Ended(person, record, how) => {
            if let Some(said) = family[*person].member.statements.get_mut(*record) {
                said.evidence.coverage = *how;
            }
            family
        }
        _ => family,
    }
}

/// The family after something went silent, and the feeds that are late then.
fn silenced(mut family: Vec<Person>, silence: &Silence) -> (Vec<Person>, Vec<(&'static str, &'static str)>) {
    let mut late = Vec::new();
    let feeds: Vec<(&str, &str)> =
        OF_CHILD.iter().chain(&OF_MOTHER).map(|(agency, feed, _)| (*agency, *feed)).collect();
    let statement = |family: &mut Vec<Person>, person: usize, record: usize, change: &dyn Fn(&mut Evidence)| {
        if let Some(said) = family[person].member.statements.get_mut(record) {
            change(&mut said.evidence);
        }
    };
    match silence {
        Silence::DropRecord(person, record) if family[*person].records.len() > *record => {
            family[*person].records.remove(*record);
            family[*person].member.statements.remove(*record);
        }
        Silence::DropRecord(..) => {}
        Silence::DropPerson(person) => drop(family.remove(*person)),
        Silence::DropDenial(person, record) => statement(&mut family, *person, *record, &|evidence| {
            evidence.flags.retain(|flag| flag.state != FlagState::NotMet);
        }),
        Silence::DropTerm(person, term) => {
            for said in &mut family[*person].member.statements {
                if said.evidence.attendance.len() > *term {
                    said.evidence.attendance.remove(*term);
                }
            }
        }
        Silence::DropCounts => {
            let statements = family.iter_mut().flat_map(|person| &mut person.member.statements);
            statements.for_each(|said| said.evidence.school_age_children = None);
        }
        Silence::Late(feed) => late.push(feeds[*feed]),
        Silence::AgeOut(person, record) => statement(&mut family, *person, *record, &|evidence| {
            evidence.assessable_until = Some("2026-10".parse().expect("a month"));
        }),
        Silence::GrowUp(person) => {
            family[*person].member.statements.iter_mut().for_each(|said| said.evidence.role = Role::Adult);
        }
        Silence::End(person, record, how) => {
            statement(&mut family, *person, *record, &|evidence| evidence.coverage = *how);
        }
    }
    (family, late)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn nothing_that_goes_silent_makes_a_claim_ready(
        troubles in proptest::collection::vec(trouble(), 0..3),
        silence in silence(),
        by_work in any::<bool>(),
    ) {
        let mut family = clear();
        evidence_of(&mut family, 2, "W1").flags.push(Flag { from: Date::constant(2026, 5, 1), ..flag("K1", FlagState::Met) });
        let family = troubles.iter().fold(family, troubled);
        let route = if by_work { Route::Employment } else { Route::Outcomes };
        let before = check_late(route, &family, &[]).verdict;
        let (after, late) = silenced(family.clone(), &silence);
        let found = check_late(route, &after, &late);
        let is_changed = after != family || !late.is_empty();
        prop_assert!(found.verdict != Verdict::Ready || before == Verdict::Ready, "{:?} became ready by {:?}", before, silence);
        // Here everybody is expected to speak, so that whoever goes silent is in the way of any claim.
        if is_changed && !matches!(silence, Silence::DropDenial(..)) {
            prop_assert_ne!(found.verdict, Verdict::Ready, "{:?}", silence);
        }
    }
}
