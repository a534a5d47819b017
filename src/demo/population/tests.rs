//! What must hold of the whole population.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::domain::evidence::{Assessment, Contribution, Deliveries, EvidenceState, Facts, Member, Statement};
use crate::domain::ids::{AgencyCode, FeedCode};
use crate::domain::item::Item;
use crate::domain::record::Role;
use crate::domain::time::Timestamp;

const TODAY: Date = jiff::civil::date(2026, 11, 21);

pub(in crate::demo) fn programme() -> Programme {
    Programme::parse(include_bytes!("../../../policies/programme.toml")).expect("the shipped file")
}

/// The cohort with few others.
pub(in crate::demo) fn small() -> Population {
    Population::generate(&programme(), Options { background_people: 300, ..Options::new(TODAY) })
}

fn screened(population: &Population) -> BTreeMap<FamilyId, BTreeSet<&'static str>> {
    let seen = |family: FamilyId| {
        let subject = population.families[family.0].subject;
        population.expected_areas(family, subject, "early-help-hub", &HUB_SCREENS)
    };
    population.cohort().map(|family| (family, seen(family))).collect()
}

#[test]
fn the_cohort_has_the_counts_and_percentages_of_the_fixture() {
    let seen = screened(&small());
    assert_eq!(seen.len(), COHORT);
    for (areas, count) in COMBINATIONS {
        let wanted: BTreeSet<&str> = areas.iter().copied().collect();
        assert_eq!(seen.values().filter(|met| **met == wanted).count(), count, "{areas:?}");
    }
    let share = |count: usize| (count * 100 + COHORT / 2) / COHORT;
    for (area, count, percent) in [("A2", 1_788, 91), ("A3", 1_229, 63), ("A4", 1_066, 54), ("A1", 380, 19)] {
        assert_eq!(seen.values().filter(|met| met.contains(area)).count(), count, "{area}");
        assert_eq!(share(count), percent, "{area}");
    }
    let two_areas = seen.values().filter(|met| met.len() == 2).count();
    assert_eq!((two_areas, share(two_areas)), (1_435, 73));
    assert!(seen.values().all(|met| met.len() >= 2)); // every one of the 1,966 is eligible
    assert_eq!([630, 520, 371].map(share), [32, 26, 19]);
}

#[test]
fn the_programme_s_tables_of_the_cohort_give_the_counts_of_the_fixture() {
    use crate::domain::ids::AreaCode;
    use crate::domain::statistics::catalogue::{Catalogue, CountedFamily};
    use crate::domain::statistics::cohort::Cohort;
    use crate::domain::statistics::profile::{Profile, ProfileName};
    use crate::domain::statistics::release::{Past, release};

    let population = small();
    let code = |area: &&str| AreaCode::parse(area).expect("a code");
    let covered = ["A1", "A2", "A3", "A4"].iter().map(code).collect();
    let catalogue = Catalogue::new(&programme(), &covered, false);
    let families = screened(&population).into_iter().map(|(family, areas)| {
        let members = &population.families[family.0].members;
        let young = members.iter().filter(|member| population.people[member.0].is_young()).count();
        CountedFamily {
            records: vec![family.0 as u64],
            areas: areas.iter().map(code).collect(),
            localities: BTreeSet::new(),
            children: young,
            adults: members.len() - young,
        }
    });
    let placed = families.filter_map(|family| catalogue.place(&family)).collect::<Vec<_>>();
    let cohort = Cohort::new(catalogue.collection(), placed).expect("the catalogue's own atoms");
    let internal = Profile::usual(ProfileName::Internal);
    let standing = release(catalogue.collection(), &cohort, &Past::default(), &internal, 1, TODAY);
    let count = |key: &str| standing[key].count.map(|count| count as usize);
    for (areas, expected) in COMBINATIONS {
        assert_eq!(count(&format!("combination/{}", areas.join("+"))), Some(expected), "{areas:?}");
    }
    for (area, expected) in [("A2", 1_788), ("A3", 1_229), ("A4", 1_066), ("A1", 380)] {
        assert_eq!(count(&format!("area/{area}")), Some(expected), "{area}");
    }
    assert_eq!((count("number/2"), count("all")), (Some(1_435), Some(COHORT)));
    assert_eq!([count("children/1"), count("children/3 or 4"), count("children/5 or more")], [774, 491, 98].map(Some));
}

#[test]
fn the_families_are_as_large_as_published() {
    let population = small();
    let (mut adults, mut children, mut three, mut five) = (0, 0, 0, 0);
    for family in population.cohort() {
        let members = &population.families[family.0].members;
        let young = members.iter().filter(|member| population.people[member.0].is_young()).count();
        adults += members.len() - young;
        children += young;
        three += usize::from(young >= 3);
        five += usize::from(young >= 5);
    }
    assert_eq!((adults, children), (2_949, 4_129)); // 1.5 and 2.1 a family
    assert_eq!((three * 100 + COHORT / 2) / COHORT, 30);
    assert_eq!((five * 100 + COHORT / 2) / COHORT, 5);
}

#[test]
fn crime_is_of_as_many_people_as_published() {
    let population = small();
    let cohort: BTreeSet<PersonId> =
        population.cohort().flat_map(|family| population.families[family.0].members.clone()).collect();
    let count = |criterion: &str, role: Role| {
        let facts = population.facts.iter().filter(|fact| fact.criterion == criterion && cohort.contains(&fact.person));
        facts.filter(|fact| population.people[fact.person.0].role == role).count()
    };
    assert_eq!((count("C1", Role::Child), count("C3", Role::Child), count("C3", Role::Adult)), (333, 71, 9));
    assert!(count("C2", Role::Adult) > 50);
}

#[test]
fn nobody_else_is_eligible_and_a_shielded_family_meets_nothing() {
    let population = small();
    for (place, family) in population.families.iter().enumerate().filter(|(_, f)| f.kind != FamilyKind::Cohort) {
        let met = population.expected_areas(FamilyId(place), family.subject, "early-help-hub", &HUB_SCREENS);
        assert!(met.len() <= 1, "{:?} {met:?}", family.kind);
        if family.kind == FamilyKind::Refuge {
            assert!(met.is_empty());
        }
    }
}

/// The truth says the same as the rules of the domain do when they are given perfectly linked records.
#[test]
fn the_truth_agrees_with_the_rules_on_what_the_files_say() {
    let programme = programme();
    let mut day = TODAY;
    for overdue in [None, Some(("police", "outcomes")), Some(("education", "attendance"))] {
        let options = Options { background_people: 600, overdue, seed: 7, today: day };
        agrees(&programme, &Population::generate(&programme, options), day);
        day = day.saturating_add(jiff::Span::new().days(97));
    }
}

fn agrees(programme: &Programme, population: &Population, today: Date) {
    let files = population.files();
    let mut statements: BTreeMap<PersonId, Vec<Statement>> = BTreeMap::new();
    let mut deliveries = Deliveries::new();
    for file in &files {
        let agency = AgencyCode::parse(file.name.0).expect("a code");
        let feed = FeedCode::parse(file.name.1).expect("a code");
        deliveries.insert((agency.clone(), feed.clone()), file.as_at);
        for row in file.rows.iter().filter(|row| !population.is_shielded(row.person)) {
            let statement = Statement { agency: agency.clone(), feed: feed.clone(), evidence: row.evidence.clone() };
            statements.entry(row.person).or_default().push(statement);
        }
    }
    for (asker, permits) in [
        ("early-help-hub", &HUB_SCREENS[..]),
        ("childrens-social-care", &SOCIAL_CARE_PROTECTS),
        ("hearth", &HEARTH_CHECKS),
    ] {
        let own = ["A1", "A2", "A3", "A4"].map(|area| (asker, area));
        let set: Contribution = permits
            .iter()
            .chain(&own)
            .flat_map(|(agency, area)| {
                let item = Item::try_from((*area).to_owned()).expect("an area");
                let agency = AgencyCode::parse(agency).expect("a code");
                let feeds = programme.feeds().iter().filter(|feed| feed.agency == agency);
                let permits = feeds.map(|feed| (feed.agency.clone(), feed.code.clone(), item.clone()));
                permits.collect::<Vec<_>>()
            })
            .collect();
        let facts = Facts::new(programme, &deliveries, &set, Timestamp::start_of(today));
        for (place, family) in population.families.iter().enumerate() {
            let is_family = !matches!(family.kind, FamilyKind::AdultOnly | FamilyKind::Hostel);
            if !is_family || population.is_shielded(family.subject) {
                continue;
            }
            let member = |id: &PersonId| Member { statements: statements.get(id).cloned().unwrap_or_default() };
            let members: Vec<Member> = family.members.iter().map(member).collect();
            let assessment = Assessment::of(&members, &facts);
            let met = assessment.areas.iter().filter(|found| found.state == EvidenceState::Met);
            let met: BTreeSet<&str> = met.map(|found| found.area.as_str()).collect();
            let expected = population.expected_areas(FamilyId(place), family.subject, asker, permits);
            assert_eq!(met, expected, "{asker} {place} {:?} {today}", family.kind);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_files_and_another_seed_gives_others() {
    let files = |seed| {
        let options = Options { background_people: 300, seed, ..Options::new(TODAY) };
        let population = Population::generate(&programme(), options);
        population.files().iter().map(|file| file.to_csv().expect("a buffer")).collect::<Vec<_>>()
    };
    let first = files(1);
    assert_eq!(first, files(1));
    assert!(first.iter().zip(files(2)).all(|(one, other)| *one != other));
}

#[test]
fn every_row_passes_the_checks_of_the_format_and_every_criterion_is_said_once() {
    let population = small();
    for file in population.files() {
        assert!(!file.rows.is_empty(), "{:?}", file.name);
        let keys: BTreeSet<&str> = file.rows.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(keys.len(), file.rows.len(), "{:?}", file.name);
        for row in &file.rows {
            let criteria: BTreeSet<&str> = row.evidence.flags.iter().map(|flag| flag.criterion.as_str()).collect();
            assert_eq!(criteria.len(), row.evidence.flags.len());
            for flag in &row.evidence.flags {
                assert!(flag.from <= file.as_at && flag.to.is_none_or(|to| (flag.from..=file.as_at).contains(&to)));
            }
            if let Some(service) = &row.evidence.service {
                let last = service.last_contact_month.unwrap_or(service.since);
                assert!(service.since <= last && last.first_day() <= file.as_at);
            }
        }
        let csv = file.to_csv().expect("a buffer");
        let mut read = csv::Reader::from_reader(csv.as_slice());
        assert_eq!(read.headers().expect("headings").len(), file.columns.len());
        assert_eq!(read.records().flatten().count(), file.rows.len());
    }
}

#[test]
fn agencies_differ_about_people_as_often_as_was_measured() {
    let population = small();
    let files = population.files();
    let rows = |name: FeedName| {
        let file = files.iter().find(|file| file.name == name).expect("a file");
        file.rows.iter().map(|row| (row.person, &row.identity)).collect::<BTreeMap<_, _>>()
    };
    let (school, care) = (rows(("education", "attendance")), rows(("childrens-social-care", "cases")));
    let both: Vec<_> = school.iter().filter_map(|(id, ours)| care.get(id).map(|theirs| (*ours, *theirs))).collect();
    assert!(both.len() > 400, "{}", both.len());
    let differ = both.iter().filter(|(ours, theirs)| ours.postcode != theirs.postcode).count() * 100 / both.len();
    assert!((25..=37).contains(&differ), "{differ}");
    let without = care.values().filter(|identity| identity.nhs.is_empty()).count() * 100 / care.len();
    assert!((14..=27).contains(&without), "{without}");
}

#[test]
fn the_hard_cases_are_there() {
    let population = small();
    let marks = &population.landmarks;
    let person = |id: PersonId| &population.people[id.0];
    let files = population.files();
    let row = |agency: &str, id: PersonId| {
        let mut rows = files.iter().filter(|file| file.name.0 == agency).flat_map(|file| &file.rows);
        rows.find(|row| row.person == id)
    };

    let (one, other) = (person(marks.twins.0), person(marks.twins.1));
    assert!(one.born == other.born && one.surname == other.surname && one.home == other.home);
    assert!(one.forename != other.forename && one.nhs != other.nhs && one.upn != other.upn);

    let (one, other) = (person(marks.namesakes.0), person(marks.namesakes.1));
    assert!((&one.forename, &one.surname, one.born) == (&other.forename, &other.surname, other.born));
    assert!(one.nhs != other.nhs && one.home != other.home);

    let (parent, child) = (person(marks.parent_and_child.0), person(marks.parent_and_child.1));
    assert!((&parent.forename, &parent.surname) == (&child.forename, &child.surname) && parent.born < child.born);

    let former = person(marks.changed_surname).former_surname.clone().expect("a former surname");
    let jobcentre = row("jobcentre-feed", marks.changed_surname).expect("a row");
    assert!(jobcentre.identity.surname != person(marks.changed_surname).surname && !former.is_empty());

    let (child, first, second) = marks.child_in_two_homes;
    assert_eq!(population.families_of(child), [first, second]);
    let home = |family: FamilyId| &population.homes[population.families[family.0].home.0];
    assert_eq!(row("housing", child).map(|row| &row.identity.uprn), Some(&home(second).uprn));

    let unborn = person(marks.unborn);
    assert!(unborn.role == Role::Unborn && unborn.born > TODAY && unborn.nhs.is_none());
    assert!(row("early-help-hub", marks.unborn).is_some_and(|row| row.identity.forename.is_empty()));

    assert_eq!(person(marks.with_send).age(TODAY), Some(22));
    assert_eq!(person(marks.with_send).role, Role::Child);

    let moved = &population.families[marks.moved_out.0];
    assert!(row("education", moved.subject).is_some_and(|row| row.evidence.coverage == Coverage::Moved));

    let hostel = &population.families[marks.hostel.0];
    assert_eq!(hostel.members.len(), HOSTEL);
    assert!(hostel.members.iter().all(|member| person(*member).home == hostel.home));
}

#[test]
fn a_refuge_is_in_one_file_and_the_address_that_was_fled_in_another() {
    let population = small();
    let family = &population.families[population.landmarks.refuge.0];
    let old = &population.homes[population.families[population.landmarks.fled_from.0].home.0].uprn;
    let new = &population.homes[family.home.0].uprn;
    let (mut at_old, mut at_new) = (0, 0);
    for file in population.files() {
        for row in file.rows.iter().filter(|row| family.members.contains(&row.person)) {
            match file.name.0 {
                "kestrel" | "childrens-social-care" => {
                    assert!(row.is_restricted && row.identity.uprn == *new && row.identity.former_postcode.is_empty());
                    at_new += 1;
                }
                _ => {
                    assert!(!row.is_restricted && row.identity.uprn == *old);
                    at_old += 1;
                }
            }
        }
    }
    assert!(at_old >= 3 && at_new == 6, "{at_old} {at_new}");
}

#[test]
fn an_adopted_child_has_nothing_in_common_with_who_it_was_but_forename_and_birthday() {
    let population = small();
    let (before, after) = population.landmarks.adopted;
    let mut rows: BTreeMap<PersonId, Vec<Identity>> = BTreeMap::new();
    for row in population.files().into_iter().flat_map(|file| file.rows) {
        rows.entry(row.person).or_default().push(row.identity);
    }
    assert!(rows[&before].len() >= 2 && rows[&after].len() >= 2);
    for old in &rows[&before] {
        for new in &rows[&after] {
            let different = |a: &str, b: &str| a.is_empty() || b.is_empty() || a != b;
            assert!(different(&old.nhs, &new.nhs) && different(&old.upn, &new.upn));
            assert!(old.surname != new.surname && different(&old.uprn, &new.uprn));
        }
    }
}

#[test]
fn people_have_plausible_ages_and_nobody_bears_the_name_of_a_public_figure() {
    let population = Population::generate(&programme(), Options::new(TODAY));
    let never = [
        "Charles Windsor",
        "William Windsor",
        "Keir Starmer",
        "Rishi Sunak",
        "Boris Johnson",
        "Theresa May",
        "Rick Stein",
        "Dawn French",
        "Michael Morpurgo",
        "Mick Fleetwood",
        "Humphry Davy",
        "Richard Trevithick",
        "Daphne Maurier",
        "Ben Ainslie",
        "Helen Glover",
        "Rory McGrath",
    ];
    let surnames: BTreeSet<String> =
        never.iter().filter_map(|name| name.split(' ').nth(1)).map(str::to_uppercase).collect();
    let cohort = population.cohort().map(|family| population.families[family.0].members.len()).sum::<usize>();
    assert_eq!(population.people.len(), cohort + 6_000);
    let mut ages = Vec::new();
    for person in &population.people {
        let surname = person.surname.to_uppercase();
        assert!(!surnames.contains(&surname) && !names::NEVER.contains(&surname.as_str()));
        assert!(!never.contains(&format!("{} {}", person.forename, person.surname).as_str()));
        match person.role {
            Role::Adult => assert!(person.age(TODAY).is_some_and(|age| (18..=60).contains(&age))),
            Role::Child => ages.extend(person.age(TODAY)),
            Role::Unborn => assert!(person.born > TODAY),
            Role::Unknown => panic!("everybody's role is known"),
        }
    }
    ages.sort_unstable();
    let median = ages[ages.len() / 2];
    assert!((10..=13).contains(&median), "{median}");
}

#[test]
fn every_part_of_the_district_has_more_than_250_families_of_the_cohort() {
    let population = small();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for family in population.cohort() {
        *counts.entry(population.homes[population.families[family.0].home.0].locality).or_default() += 1;
    }
    assert!(counts.len() == 6 && counts.values().all(|count| *count > 250), "{counts:?}");
}

#[test]
fn a_referral_says_who_and_where_and_nothing_else() {
    let population = small();
    let subjects: Vec<PersonId> =
        population.cohort().take(20).map(|family| population.families[family.0].subject).collect();
    let file = population.referrals("early-help-hub", &subjects).expect("an agency");
    assert_eq!(file.rows.len(), 20);
    assert!(file.rows.iter().all(|row| row.evidence.flags.is_empty() && !row.identity.postcode.is_empty()));
    assert!(file.columns.iter().all(|(column, _)| !matches!(column, Column::State(_))));
}

#[test]
fn every_day_of_a_year_has_a_population() {
    let programme = programme();
    for days in 0..366 {
        let today = TODAY.saturating_add(jiff::Span::new().days(days));
        let population = Population::generate(&programme, Options { background_people: 0, ..Options::new(today) });
        assert!(!population.people.is_empty(), "{today}");
    }
}
