//! Everybody else: families that meet one area or none, and homes without children.

use super::builder::Builder;
use super::cohort::first_adult;
use super::people::{FamilyId, FamilyKind};
use crate::domain::record::{FlagState, Role};

/// Makes people until there are so many more than before.
pub(super) fn build(builder: &mut Builder, people: usize) {
    let goal = builder.people.len() + people;
    while builder.people.len() + 8 < goal {
        // nobody's household is larger
        if builder.random.chance(2_500) {
            adults(builder, 1);
        } else {
            family(builder);
        }
    }
    let left = goal - builder.people.len();
    for _ in 0..left / 2 {
        adults(builder, 2);
    }
    if left % 2 == 1 {
        builder.household(FamilyKind::AdultOnly, 1, &[]);
    }
}

/// One in ten has an offender: evidence about a household that must never come up as a family.
fn adults(builder: &mut Builder, least: usize) {
    let count = if least == 2 { 2 } else { 1 + builder.random.weighted(&[50, 40, 10]) };
    let home = builder.household(FamilyKind::AdultOnly, count, &[]);
    if builder.random.chance(1_000) {
        let adult = builder.families[home.0].subject;
        builder.meets(home, adult, "C2");
    }
}

fn family(builder: &mut Builder) {
    let adults = 1 + builder.random.weighted(&[30, 65, 5]);
    let children = 1 + builder.random.weighted(&[45, 38, 13, 4]);
    let mut ages = Vec::new();
    for _ in 0..children {
        ages.push(builder.random.between(0, 17) as i16);
    }
    let family = builder.household(FamilyKind::Background, adults, &ages);
    // Six in ten meet nothing. Nobody of these meets two areas.
    match builder.random.weighted(&[60, 14, 8, 12, 3, 3]) {
        1 => attendance(builder, family),
        2 => {
            let child = builder.families[family.0].subject;
            let criterion = if builder.random.chance(5_000) { "H1" } else { "H2" };
            builder.meets(family, child, criterion);
        }
        3 => {
            let adult = first_adult(builder, family);
            builder.meets(family, adult, "W1");
        }
        4 => {
            let adult = first_adult(builder, family);
            builder.meets(family, adult, "C2");
        }
        5 => past_or_disputed(builder, family),
        _ => {}
    }
}

fn attendance(builder: &mut Builder, family: FamilyId) {
    let today = builder.calendar.today;
    if let Some(pupil) = builder.members(family, |person| person.is_school_age(today)).first().copied() {
        builder.meets(family, pupil, "E1");
    }
}

/// Evidence that does not count: too old, or disputed.
fn past_or_disputed(builder: &mut Builder, family: FamilyId) {
    let Some(child) = builder.members(family, |person| person.role == Role::Child).first().copied() else { return };
    let fact = if builder.random.chance(5_000) {
        builder.calendar.long_ago(child, "H4", &mut builder.random)
    } else {
        let mut disputed = builder.calendar.met(child, "H2", &mut builder.random);
        disputed.state = FlagState::Contested;
        disputed
    };
    builder.facts.push(fact);
}
