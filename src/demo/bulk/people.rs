//! Invented people as six agencies hold them, a few numbers each, and their forty keys.
//!
//! Made for speed: nothing is written out and normalised as in [`society`](crate::demo::population::society), which
//! measures how well people are found. Here are as many records as a region has, with what makes
//! matching work: families of one address and surname, twins, namesakes, names written otherwise,
//! former addresses, numbers that few agencies know, records held twice.

use crate::domain::token::Blinded;
use crate::linkage::record::LinkToken;
use crate::linkage::rules::{ConflictRole, KindRule, LinkRules, LinkRulesError, Tier};

use self::Part::{
    Born, Forename, ForenameSound, Initial, Nhs, Postcode, Property, Sector, Surname, SurnameSound, SurnameStart, Upn,
    Year, YearMonth,
};

/// The epoch of every token.
pub(super) const EPOCH: u32 = 1;
/// How many keys there are.
pub(super) const KEYS: usize = 40;
/// No value.
const NONE: u32 = u32::MAX;

/// By which agencies step through the people.
const STEPS: [u64; 6] = [1_000_000_007, 998_244_353, 1_000_000_009, 1_000_000_021, 1_000_000_033, 999_999_937];

/// What a key is made of.
#[derive(Clone, Copy)]
enum Part {
    Forename,
    ForenameSound,
    Initial,
    Surname,
    SurnameSound,
    SurnameStart,
    Born,
    Year,
    YearMonth,
    Postcode,
    Sector,
    Property,
    Nhs,
    Upn,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    StrongWithDate,
    Strong,
    Links,
    Suggests,
}

/// The keys, the strongest first. As in the programme's own file a key that links has the whole
/// forename and the year of birth.
const SHAPES: [(Role, &[Part]); KEYS] = [
    (Role::StrongWithDate, &[Nhs, Born]),
    (Role::Strong, &[Nhs]),
    (Role::Strong, &[Upn]),
    (Role::Links, &[Forename, Surname, Born, Property]),
    (Role::Links, &[Forename, Surname, Born, Postcode]),
    (Role::Links, &[Forename, SurnameSound, Born, Property]),
    (Role::Links, &[Forename, SurnameSound, Born, Postcode]),
    (Role::Links, &[Forename, SurnameStart, Born, Property]),
    (Role::Links, &[Forename, SurnameStart, Born, Postcode]),
    (Role::Links, &[Forename, Surname, Born, Sector]),
    (Role::Links, &[Forename, SurnameSound, Born, Sector]),
    (Role::Links, &[Forename, SurnameStart, Born, Sector]),
    (Role::Links, &[Forename, Born, Property]),
    (Role::Links, &[Forename, Born, Postcode]),
    (Role::Links, &[Forename, Born, Sector]),
    (Role::Links, &[Forename, Surname, Born]),
    (Role::Links, &[Forename, SurnameSound, Born]),
    (Role::Links, &[Forename, SurnameStart, Born]),
    (Role::Links, &[Forename, Surname, YearMonth, Property]),
    (Role::Links, &[Forename, Surname, YearMonth, Postcode]),
    (Role::Links, &[Forename, Surname, YearMonth, Sector]),
    (Role::Links, &[Forename, SurnameSound, YearMonth, Property]),
    (Role::Links, &[Forename, SurnameSound, YearMonth, Postcode]),
    (Role::Links, &[Forename, SurnameStart, YearMonth, Property]),
    (Role::Links, &[Forename, SurnameStart, YearMonth, Postcode]),
    (Role::Links, &[Forename, YearMonth, Property]),
    (Role::Links, &[Forename, YearMonth, Postcode]),
    (Role::Links, &[Forename, Surname, Year, Property]),
    (Role::Links, &[Forename, Surname, Year, Postcode]),
    (Role::Links, &[Forename, SurnameSound, Year, Property]),
    (Role::Links, &[Forename, SurnameStart, Year, Property]),
    (Role::Links, &[Forename, Year, Property]),
    (Role::Suggests, &[ForenameSound, Surname, Born, Postcode]),
    (Role::Suggests, &[ForenameSound, Surname, Born, Property]),
    (Role::Suggests, &[ForenameSound, SurnameSound, Born, Postcode]),
    (Role::Suggests, &[Initial, Surname, Born, Postcode]),
    (Role::Suggests, &[Initial, Surname, Born, Property]),
    (Role::Suggests, &[Initial, SurnameSound, Born, Property]),
    (Role::Suggests, &[ForenameSound, Born, Property]),
    (Role::Suggests, &[Surname, Born, Property]),
];

/// What each key may do.
///
/// # Errors
///
/// [`LinkRulesError`]; never of the keys above.
pub(super) fn rules() -> Result<LinkRules, LinkRulesError> {
    let rule = |(rank, (role, _)): (u16, &(Role, &[Part]))| KindRule {
        tier: if *role == Role::Suggests { Tier::Suggest } else { Tier::Link(rank) },
        conflict: match role {
            Role::StrongWithDate => ConflictRole::WithDate { of: 1 },
            Role::Strong => ConflictRole::Strong,
            Role::Links | Role::Suggests => ConflictRole::None,
        },
    };
    let composites =
        (0..KEYS as u16).filter(|kind| matches!(SHAPES[usize::from(*kind)].0, Role::Links | Role::Suggests));
    Ok(LinkRules::new((0..).zip(&SHAPES).map(rule).collect())?.with_composites(composites.collect()))
}

/// Agencies and how many records each holds; the last holds some more that arrive later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Society {
    pub(super) agencies: u32,
    pub(super) each: u32,
    pub(super) arriving: u32,
}

impl Society {
    /// Records in the order of their keys, by agency and reference.
    pub(super) fn records(self) -> u32 {
        self.agencies * self.each + self.arriving
    }

    /// How many people there are: one is known to 2.4 agencies.
    fn people(self) -> u64 {
        (u64::from(self.agencies) * u64::from(self.each) * 5 / 12).max(3)
    }

    fn agency_of(self, record: u32) -> u32 {
        (record / self.each).min(self.agencies - 1)
    }

    /// Whom a record is about.
    pub(super) fn person_of(self, record: u32) -> u64 {
        let agency = self.agency_of(record);
        let mut place = record - agency * self.each;
        if place > 0 && mixed(u64::from(record), 1).is_multiple_of(100) {
            place -= 1; // held twice
        }
        // A step that has no factor in common with their number visits each person once.
        let step = STEPS[agency as usize % STEPS.len()];
        (u64::from(place) * step + u64::from(agency) * 7919) % self.people()
    }

    /// What an agency holds about a person.
    pub(super) fn entry(self, record: u32) -> Entry {
        let (agency, person) = (self.agency_of(record), self.person_of(record));
        let happens = |what: u64, in_ten_thousand: u64| mixed(u64::from(record), what) % 10_000 < in_ten_thousand;
        let drawn = |what: u64| mixed(u64::from(record), what);
        let household = person / 3;
        let is_twin = person % 3 == 2 && mixed(household, 20).is_multiple_of(40);
        let mut born = (mixed(if is_twin { person - 1 } else { person }, 21) % 36_500) as u32;
        let mut forename = skewed(mixed(person, 22), 2_000);
        let mut surname = if mixed(person, 23).is_multiple_of(10) {
            skewed(mixed(person, 24), 20_000)
        } else {
            skewed(mixed(household, 25), 20_000)
        };
        let (mut forename_sound, mut surname_sound, mut surname_start) =
            (forename % 600, surname % 4_000, surname % 1_500);
        let mut initial = forename % 20;
        if happens(40, 250) {
            forename = 10_000 + (drawn(41) % 1_000_000) as u32;
            if drawn(41) >> 40 & 1 == 0 {
                (forename_sound, initial) = (1_000 + forename % 600, 20 + forename % 5);
            }
        }
        if happens(42, 300) {
            surname = 100_000 + (drawn(43) % 1_000_000) as u32;
            if drawn(43) >> 40 & 1 == 0 {
                (surname_sound, surname_start) = (5_000 + surname % 4_000, 5_000 + surname % 1_500);
            }
        }
        if happens(44, 100) {
            born = (born + 1 + (drawn(45) % 400) as u32) % 36_500;
        }
        // Former homes are not others' present ones: those would be false addresses, which are rarer.
        let mut home = household as u32;
        if happens(46, 800) {
            home = (self.people() + mixed(household, 47) % self.people()) as u32;
        } else if happens(48, 50) {
            home = (drawn(49) % (self.people() / 3)) as u32;
        }
        let nhs_known = if agency == 0 { 9_800 } else { 2_500 };
        let nhs = if happens(52, nhs_known) { person as u32 } else { NONE };
        let nhs = if nhs != NONE && happens(53, 10) { (person / 3 * 3) as u32 } else { nhs };
        let is_pupil = (1_500..6_500).contains(&born) && matches!(agency % 6, 1 | 2);
        Entry {
            forename,
            forename_sound,
            initial,
            surname,
            surname_sound,
            surname_start,
            born,
            postcode: if happens(50, 300) { NONE } else { home / 15 },
            property: if happens(51, 800) { NONE } else { home },
            nhs,
            upn: if is_pupil && happens(54, 9_500) { person as u32 } else { NONE },
        }
    }
}

/// A record in numbers.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    forename: u32,
    forename_sound: u32,
    initial: u32,
    surname: u32,
    surname_sound: u32,
    surname_start: u32,
    born: u32,
    postcode: u32,
    property: u32,
    nhs: u32,
    upn: u32,
}

impl Entry {
    /// The token of a key, as good as random; none if a part is missing.
    pub(super) fn token(&self, key: usize) -> Option<u128> {
        let (mut high, mut low) = (mixed(key as u64, 60), mixed(key as u64, 61));
        for part in SHAPES[key].1 {
            let value = u64::from(self.part(*part)?);
            high = mixed(high ^ value, 62);
            low = mixed(low.wrapping_add(value), 63);
        }
        Some(u128::from(high) << 64 | u128::from(low))
    }

    /// All its tokens, by key.
    #[cfg(test)]
    pub(super) fn tokens(&self) -> Vec<LinkToken> {
        (0..KEYS).filter_map(|key| Some(link_token(key, self.token(key)?))).collect()
    }

    fn part(&self, part: Part) -> Option<u32> {
        let value = match part {
            Forename => self.forename,
            ForenameSound => self.forename_sound,
            Initial => self.initial,
            Surname => self.surname,
            SurnameSound => self.surname_sound,
            SurnameStart => self.surname_start,
            Born => self.born,
            Year => self.born / 365,
            YearMonth => self.born / 30,
            Postcode => self.postcode,
            Sector if self.postcode == NONE => NONE,
            Sector => self.postcode / 150,
            Property => self.property,
            Nhs => self.nhs,
            Upn => self.upn,
        };
        (value != NONE).then_some(value)
    }
}

/// A token of a key as linkage sees it.
pub(super) fn link_token(key: usize, value: u128) -> LinkToken {
    LinkToken { kind: key as u16, epoch: EPOCH, value: Blinded::new(value.to_be_bytes()) }
}

/// A number that looks like chance (SplitMix64's finisher).
fn mixed(value: u64, stream: u64) -> u64 {
    let mut mixed = value.wrapping_add(stream.wrapping_mul(0xd1b5_4a32_d192_ed03)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// One of a pool, some far more often than others.
fn skewed(chance: u64, pool: u32) -> u32 {
    let share = (chance >> 11) as f64 / (1_u64 << 53) as f64;
    (share * share * share * f64::from(pool)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_one_person_share_keys_and_those_of_two_hardly_ever() {
        let society = Society { agencies: 6, each: 500, arriving: 0 };
        let linking = |record| -> Vec<Option<u128>> {
            let entry = society.entry(record);
            (0..32).map(|key| entry.token(key)).collect()
        };
        let tokens: Vec<Vec<Option<u128>>> = (0..society.records()).map(linking).collect();
        let (mut of_one, mut sharing_one, mut sharing_two) = (0, 0, 0);
        for (a, one) in (0..).zip(&tokens) {
            for (b, other) in (0..).zip(&tokens).take(a as usize) {
                let shares = one.iter().zip(other).any(|(one, other)| one.is_some() && one == other);
                let is_one = society.person_of(a) == society.person_of(b);
                of_one += u32::from(is_one);
                sharing_one += u32::from(is_one && shares);
                sharing_two += u32::from(!is_one && shares);
            }
        }
        assert!(of_one > 1_000, "{of_one}");
        assert!(sharing_one * 100 > of_one * 85, "{sharing_one} of {of_one}");
        assert!(sharing_two * 20 < of_one, "{sharing_two}");
    }
}
