//! The people and families that a linkage gets wrong if it is careless.

use std::collections::BTreeSet;

use jiff::ToSpan as _;

use super::builder::Builder;
use super::cohort::first_adult;
use super::names::TWIN_NAMES;
use super::people::{FamilyId, FamilyKind, PersonId};
use crate::domain::record::{Coverage, ParentalResponsibility, Role};

/// How many people live in the hostel.
pub const HOSTEL: usize = 40;

/// Who is who among the hard cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landmarks {
    /// A family of the cohort that meets crime, school and child help, with a conviction of an adult
    /// that only the police know.
    pub story: FamilyId,
    /// Twins with forenames that are easily taken for one another.
    pub twins: (PersonId, PersonId),
    /// Two strangers of one name, born on one day.
    pub namesakes: (PersonId, PersonId),
    /// A parent and a child of one name.
    pub parent_and_child: (PersonId, PersonId),
    /// A woman whose former surname the jobcentre still has.
    pub changed_surname: PersonId,
    /// A child in two homes, the family of the cohort, and the other parent's home.
    pub child_in_two_homes: (PersonId, FamilyId, FamilyId),
    /// A child not yet born.
    pub unborn: PersonId,
    /// A young person of 22 with special educational needs.
    pub with_send: PersonId,
    /// A family that moved out of the district.
    pub moved_out: FamilyId,
    /// A family in a refuge.
    pub refuge: FamilyId,
    /// Who lives at the address that they fled from.
    pub fled_from: FamilyId,
    /// An adopted child: who it was, and who it is. The two must never be joined.
    pub adopted: (PersonId, PersonId),
    /// Forty people at one address.
    pub hostel: FamilyId,
}

/// Marks the hard cases of the cohort, and makes those that cannot be in it. `None` when chance gave
/// the cohort no family for one of them.
pub(super) fn build(builder: &mut Builder) -> Option<Landmarks> {
    let mut taken: BTreeSet<FamilyId> = BTreeSet::new();
    let mut choose = |builder: &Builder, areas: &[&str], which: &dyn Fn(&[PersonId], &[PersonId]) -> bool| {
        let wanted: BTreeSet<&str> = areas.iter().copied().collect();
        let fits = |family: FamilyId| {
            let adults = builder.members(family, |person| person.role == Role::Adult);
            let children = builder.members(family, |person| person.role == Role::Child);
            let known = &builder.families[family.0];
            known.kind == FamilyKind::Cohort && known.areas == wanted && which(&adults, &children)
        };
        let found = (0..builder.families.len()).map(FamilyId).find(|family| !taken.contains(family) && fits(*family));
        taken.extend(found);
        found
    };

    let has = |builder: &Builder, person: PersonId, criterion: &str| {
        builder.facts.iter().any(|fact| fact.person == person && fact.criterion == criterion)
    };
    let story = choose(builder, &["A1", "A2", "A3"], &|adults, children| {
        adults.len() == 2 && has(builder, adults[0], "C2") && has(builder, children[0], "C1")
    })?;
    let with_twins = choose(builder, &["A2", "A3"], &|_, children| children.len() == 2)?;
    let with_one_name = choose(builder, &["A2", "A4"], &|adults, children| {
        let sex = |person: PersonId| builder.people[person.0].is_female;
        !children.is_empty() && sex(adults[0]) == sex(children[0])
    })?;
    let with_new_name =
        choose(builder, &["A2", "A4"], &|adults, _| adults.len() == 1 && builder.people[adults[0].0].is_female)?;
    let with_two_homes = choose(builder, &["A2", "A4"], &|adults, children| adults.len() == 1 && children.len() == 1)?;
    let expecting = choose(builder, &["A3", "A4"], &|_, children| children.len() == 1)?;
    let with_young_adult = choose(builder, &["A3", "A4"], &|adults, children| {
        let age = builder.people[adults[0].0].age(builder.calendar.today);
        children.len() == 1 && age >= Some(42)
    })?;

    let (refuge, fled_from) = refuge(builder);
    Some(Landmarks {
        story,
        twins: twins(builder, with_twins),
        parent_and_child: one_name(builder, with_one_name),
        changed_surname: new_name(builder, with_new_name),
        child_in_two_homes: two_homes(builder, with_two_homes),
        unborn: unborn(builder, expecting),
        with_send: send(builder, with_young_adult),
        namesakes: namesakes(builder),
        moved_out: moved_out(builder),
        refuge,
        fled_from,
        adopted: adopted(builder),
        hostel: hostel(builder),
    })
}

fn children(builder: &Builder, family: FamilyId) -> Vec<PersonId> {
    builder.members(family, |person| person.role == Role::Child)
}

fn twins(builder: &mut Builder, family: FamilyId) -> (PersonId, PersonId) {
    let children = children(builder, family);
    let (first, second) = (children[0], children[1]);
    let elder = builder.people[first.0].clone();
    let (one, other) = TWIN_NAMES[0];
    one.clone_into(&mut builder.people[first.0].forename);
    let upn = builder.numbers.upn(elder.born.year());
    let nino = elder.nino.is_some().then(|| builder.numbers.nino());
    let younger = &mut builder.people[second.0];
    other.clone_into(&mut younger.forename);
    (younger.surname, younger.born, younger.is_female) = (elder.surname, elder.born, elder.is_female);
    (younger.upn, younger.nino) = (Some(upn), nino);
    (first, second)
}

fn one_name(builder: &mut Builder, family: FamilyId) -> (PersonId, PersonId) {
    let (parent, child) = (first_adult(builder, family), children(builder, family)[0]);
    let name = (builder.people[parent.0].forename.clone(), builder.people[parent.0].surname.clone());
    (builder.people[child.0].forename, builder.people[child.0].surname) = name;
    (parent, child)
}

fn new_name(builder: &mut Builder, family: FamilyId) -> PersonId {
    let woman = first_adult(builder, family);
    let former = super::names::surname(&mut builder.random);
    builder.people[woman.0].former_surname = Some(former);
    builder.known_to.insert((woman, "housing"));
    woman
}

/// The mother's home is in the cohort. The landlord has the child at the father's.
fn two_homes(builder: &mut Builder, family: FamilyId) -> (PersonId, FamilyId, FamilyId) {
    let child = children(builder, family)[0];
    let second = builder.household(FamilyKind::SecondHome, 1, &[]);
    let (father, home) = (builder.families[second.0].subject, builder.families[second.0].home);
    builder.people[father.0].parental_responsibility = ParentalResponsibility::Yes;
    builder.families[second.0].members.push(child);
    builder.families[second.0].areas.insert("A2");
    builder.addresses.insert((child, "housing"), home);
    builder.known_to.extend([(child, "housing"), (father, "housing")]);
    (child, family, second)
}

fn unborn(builder: &mut Builder, family: FamilyId) -> PersonId {
    let child = children(builder, family)[0];
    builder.facts.retain(|fact| fact.person != child);
    let person = &mut builder.people[child.0];
    person.role = Role::Unborn;
    (person.forename, person.surname) = (String::new(), String::new());
    (person.nhs, person.upn, person.nino) = (None, None, None);
    person.born = builder.calendar.today.saturating_add(60.days());
    builder.families[family.0].subject = first_adult(builder, family);
    builder.meets(family, child, "H1");
    child
}

fn send(builder: &mut Builder, family: FamilyId) -> PersonId {
    let child = children(builder, family)[0];
    builder.people[child.0].born = builder.birthday(22);
    if builder.people[child.0].nino.is_none() {
        builder.people[child.0].nino = Some(builder.numbers.nino());
    }
    child
}

fn namesakes(builder: &mut Builder) -> (PersonId, PersonId) {
    let one = builder.household(FamilyKind::Background, 1, &[9]);
    let other = builder.household(FamilyKind::Background, 1, &[9]);
    let (one, other) = (builder.families[one.0].subject, builder.families[other.0].subject);
    let first = builder.people[one.0].clone();
    let second = &mut builder.people[other.0];
    (second.forename, second.surname, second.born, second.is_female) =
        (first.forename, first.surname, first.born, first.is_female);
    builder.known_to.extend([(one, "education"), (other, "education")]);
    (one, other)
}

/// What was true of them is no longer known to be, and must not look like progress.
fn moved_out(builder: &mut Builder) -> FamilyId {
    let family = builder.household(FamilyKind::MovedOut, 1, &[12]);
    let child = builder.families[family.0].subject;
    for criterion in ["E1", "H2"] {
        builder.meets(family, child, criterion);
    }
    builder.families[family.0].areas.clear();
    for agency in ["education", "childrens-social-care"] {
        builder.coverage.insert((child, agency), Coverage::Moved);
    }
    for agency in ["housing", "hearth", "early-help-hub"] {
        builder.unknown_to.insert((child, agency));
    }
    family
}

/// They meet three areas and nobody may learn it. Social care and the refuge know where they are;
/// the school and the benefits office still have the address that they fled from.
fn refuge(builder: &mut Builder) -> (FamilyId, FamilyId) {
    let fled_from = builder.household(FamilyKind::AdultOnly, 1, &[]);
    let old_home = builder.families[fled_from.0].home;
    let family = builder.household(FamilyKind::Refuge, 1, &[7, 11]);
    let members = builder.families[family.0].members.clone();
    let (mother, child) = (members[0], members[2]);
    builder.meets(family, child, "E1");
    builder.meets(family, child, "H3");
    builder.meets(family, mother, "W1");
    for member in members {
        builder.people[member.0].former_home = Some(old_home);
        for agency in ["education", "jobcentre-feed", "housing"] {
            builder.addresses.insert((member, agency), old_home);
        }
        builder.unknown_to.extend([(member, "early-help-hub"), (member, "hearth")]);
        for agency in ["kestrel", "childrens-social-care"] {
            builder.shield(member, agency);
        }
    }
    (family, fled_from)
}

/// The old name, number and home stay with the birth family's record; the new ones stand alone.
fn adopted(builder: &mut Builder) -> (PersonId, PersonId) {
    let birth = builder.household(FamilyKind::Birth, 1, &[6]);
    let adoptive = builder.household(FamilyKind::Adoptive, 2, &[6]);
    let (before, after) = (builder.families[birth.0].subject, builder.families[adoptive.0].subject);
    let (forename, born, is_female) = {
        let child = &builder.people[before.0];
        (child.forename.clone(), child.born, child.is_female)
    };
    // Adoptive parents often keep the forename; the day of birth is the same child's.
    let now = &mut builder.people[after.0];
    (now.forename, now.born, now.is_female, now.former_home) = (forename, born, is_female, None);
    let mut past = builder.calendar.met(before, "H3", &mut builder.random);
    past.to = Some(past.from.max(super::calendar::before(builder.calendar.today, 200)));
    builder.facts.push(past);
    builder.families[birth.0].areas.clear();
    builder.coverage.insert((before, "childrens-social-care"), Coverage::Closed);
    builder.coverage.insert((before, "education"), Coverage::Closed);
    for (person, agency) in [(before, "childrens-social-care"), (after, "childrens-social-care")] {
        builder.shield(person, agency);
    }
    builder.known_to.extend([(before, "education"), (after, "education")]);
    (before, after)
}

/// Thirty-two adults and eight children: the evidence of one is nobody else's.
fn hostel(builder: &mut Builder) -> FamilyId {
    let ages = [2, 3, 5, 7, 8, 11, 12, 15];
    let hostel = builder.household(FamilyKind::Hostel, HOSTEL - ages.len(), &ages);
    let members = builder.families[hostel.0].members.clone();
    for member in &members {
        let name = super::names::surname(&mut builder.random);
        builder.people[member.0].surname = name;
        builder.people[member.0].former_home = None;
        builder.known_to.insert((*member, "housing"));
    }
    builder.meets(hostel, members[HOSTEL - 1], "E1");
    builder.meets(hostel, members[3], "W1");
    builder.meets(hostel, members[8], "C3");
    builder.families[hostel.0].areas.clear();
    hostel
}
