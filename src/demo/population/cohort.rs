//! The 1,966 families of the programme, with the combinations of areas of the fixture.
//!
//! The published figures contradict one another; `docs/demo-population.md` says how, and why this
//! table has 26 per cent where they have 25.

use super::builder::Builder;
use super::people::{FamilyId, FamilyKind, PersonId};
use crate::domain::record::{ParentalResponsibility, Role};

/// How many families meet exactly these areas.
pub const COMBINATIONS: [(&[&str], usize); 7] = [
    (&["A2", "A4"], 630),
    (&["A2", "A3"], 520),
    (&["A2", "A3", "A4"], 371),
    (&["A1", "A2"], 107),
    (&["A3", "A4"], 65),
    (&["A1", "A3"], 113),
    (&["A1", "A2", "A3"], 160),
];
/// How many families there are in all.
pub const COHORT: usize = 1_966;

/// Families by their number of adults from 1: 2,949 adults, 1.5 a family.
const ADULTS: [usize; 3] = [1_080, 789, 97];
/// Families by their number of children from 1: 4,129 children, 2.1 a family; 30 per cent have
/// three or more and 5 per cent have five or more.
const CHILDREN: [usize; 6] = [774, 603, 334, 157, 69, 29];
/// Families with a young person of the youth justice service.
const WITH_YOUNG_OFFENDER: usize = 333;
/// Children, and then adults, with an antisocial behaviour intervention.
const ANTISOCIAL: (usize, usize) = (71, 9);

/// Makes the cohort; the families stand first in the list.
pub(super) fn build(builder: &mut Builder) {
    let mut plans = plans(builder);
    builder.random.shuffle(&mut plans);
    let mut crime = 0;
    for (areas, adults, children) in plans {
        let family = one(builder, areas, adults, children);
        if areas.contains(&"A1") {
            crime_facts(builder, family, crime);
            crime += 1;
        }
    }
}

type FamilyPlan = (&'static [&'static str], usize, usize);

fn plans(builder: &mut Builder) -> Vec<FamilyPlan> {
    let mut adults = spread(&ADULTS);
    let mut children = spread(&CHILDREN);
    builder.random.shuffle(&mut adults);
    builder.random.shuffle(&mut children);
    let areas = COMBINATIONS.iter().flat_map(|(areas, count)| std::iter::repeat_n(*areas, *count));
    areas.zip(adults).zip(children).map(|((areas, adults), children)| (areas, adults, children)).collect()
}

/// `[2, 1]` is one, one, two.
fn spread(counts: &[usize]) -> Vec<usize> {
    counts.iter().enumerate().flat_map(|(place, count)| std::iter::repeat_n(place + 1, *count)).collect()
}

fn one(builder: &mut Builder, areas: &[&'static str], adults: usize, children: usize) -> FamilyId {
    // The first child is of an age at which every child's criterion can be met.
    let mut ages = vec![10 + builder.random.weighted(&[10, 12, 16, 18, 20, 22, 12]) as i16];
    for _ in 1..children {
        ages.push(builder.random.weighted(&[4, 3, 4, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 9, 8, 7, 5, 4]) as i16);
    }
    let family = builder.household(FamilyKind::Cohort, adults, &ages);
    let today = builder.calendar.today;
    for area in areas {
        match *area {
            "A2" => {
                let pupils = builder.members(family, |person| person.is_school_age(today));
                let pupil = *builder.random.pick(&pupils);
                let criterion = ["E1", "E2", "E3", "E4", "E5"][builder.random.weighted(&[80, 10, 2, 3, 5])];
                builder.meets(family, pupil, criterion);
                for other in pupils.into_iter().filter(|other| *other != pupil) {
                    if builder.random.chance(2_500) {
                        builder.meets(family, other, "E1");
                    }
                }
            }
            "A3" => {
                let children = builder.members(family, |person| person.role == Role::Child);
                let child = *builder.random.pick(&children);
                let criterion = ["H1", "H2", "H3", "H4"][builder.random.weighted(&[45, 35, 14, 6])];
                builder.meets(family, child, criterion);
                if builder.random.chance(1_500) && !builder.has_fact(child, "H2") {
                    builder.meets(family, child, "H2");
                }
            }
            "A4" => {
                let parents =
                    builder.members(family, |person| person.parental_responsibility == ParentalResponsibility::Yes);
                for parent in parents {
                    if !builder.families[family.0].areas.contains("A4") || builder.random.chance(5_000) {
                        builder.meets(family, parent, "W1");
                    }
                }
            }
            _ => {}
        }
    }
    family
}

/// 333 families with a young offender; 71 children and 9 adults with antisocial behaviour, the
/// first 47 of them in the families that are left, the others in families that have both. One adult
/// in five families has a conviction that only the police know.
fn crime_facts(builder: &mut Builder, family: FamilyId, place: usize) {
    let child = builder.families[family.0].subject;
    let without_offender =
        COMBINATIONS.iter().filter(|(areas, _)| areas.contains(&"A1")).map(|(_, n)| n).sum::<usize>()
            - WITH_YOUNG_OFFENDER;
    if place < WITH_YOUNG_OFFENDER {
        builder.meets(family, child, "C1");
        if place < ANTISOCIAL.0 + ANTISOCIAL.1 - without_offender {
            builder.meets(family, child, "C3");
        }
    } else if place < WITH_YOUNG_OFFENDER + ANTISOCIAL.1 {
        let adult = first_adult(builder, family);
        builder.meets(family, adult, "C3");
    } else {
        builder.meets(family, child, "C3");
    }
    if place.is_multiple_of(5) {
        let adult = first_adult(builder, family);
        builder.meets(family, adult, "C2");
    }
}

pub(super) fn first_adult(builder: &Builder, family: FamilyId) -> PersonId {
    let adults = builder.members(family, |person| person.role == Role::Adult);
    adults.first().copied().unwrap_or(builder.families[family.0].subject)
}
