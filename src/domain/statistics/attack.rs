//! Somebody who keeps every release of two years and tries to learn of single families from them.
//!
//! The attacker knows the method, which figures were kept back or stayed, and from which release each
//! figure is. The attacks: differences of one figure between two releases; every sum and difference
//! of the figures of one release, over all tables at once, by elimination; bounds from totals minus
//! parts; shares. Each is tried on unprotected releases too, where it has to succeed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::catalogue::{Catalogue, CountedFamily};
use super::cohort::Cohort;
use super::collection::Collection;
use super::percent::percent;
use super::profile::{LEAST_CHANGE, Profile, ProfileName};
use super::release::{Past, Shown, Standing, release};
use super::table::{Table, UnitCounted};
use crate::domain::ids::{AgencyCode, AreaCode, LocalityCode};
use crate::domain::programme::Programme;

const MONTHS: i64 = 24;

/// SplitMix64: the same two years in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * bound as u128) >> 64) as usize
    }
}

fn areas(list: &[&str]) -> BTreeSet<AreaCode> {
    list.iter().map(|area| AreaCode::parse(area).expect("a code")).collect()
}

/// The families of each month: a few come, a few go, a few change. Every third month is quiet, and
/// one family comes or goes alone.
fn months(catalogue: &Catalogue, programme: &Programme, seed: u64) -> Vec<Cohort> {
    const SETS: [&[&str]; 9] = [
        &["A2", "A4"],
        &["A2", "A4"],
        &["A2", "A4"],
        &["A2", "A3"],
        &["A2", "A3"],
        &["A2", "A3", "A4"],
        &["A1", "A2"],
        &["A1", "A3"],
        &["A1", "A2", "A3", "A4"],
    ];
    let places: Vec<LocalityCode> = programme.localities().iter().map(|place| place.code.clone()).collect();
    let mut chance = Chance(seed);
    let mut next = 0;
    let mut family = |chance: &mut Chance| {
        next += 1;
        // Some sets and some places are rare.
        let set = SETS[chance.below(SETS.len()).min(chance.below(SETS.len() + 2))];
        CountedFamily {
            records: vec![next],
            areas: areas(set),
            localities: BTreeSet::from([places[chance.below(6).min(chance.below(9))].clone()]),
            children: chance.below(6),
            adults: chance.below(4),
        }
    };
    let mut families: Vec<CountedFamily> = (0..500).map(|_| family(&mut chance)).collect();
    let mut months = Vec::new();
    for month in 0..MONTHS {
        if month > 0 && month % 3 == 0 {
            families.push(family(&mut chance)); // the one
        } else if month > 0 {
            for _ in 0..8 + chance.below(12) {
                let gone = chance.below(families.len());
                families.swap_remove(gone);
            }
            for _ in 0..10 + chance.below(18) {
                families.push(family(&mut chance));
            }
            for _ in 0..chance.below(12) {
                let moved = chance.below(families.len());
                let other = family(&mut chance);
                families[moved] = CountedFamily { records: families[moved].records.clone(), ..other };
            }
        }
        let placed = families.iter().filter_map(|family| catalogue.place(family)).collect::<Vec<_>>();
        months.push(Cohort::new(catalogue.collection(), placed).expect("its own atoms"));
    }
    months
}

/// Families with numbers, month by month: more come by every route, some are attached, some of these seen;
/// for the others time passes. Every third month a match run is closed, and is a round from then on.
fn numbered_months(seed: u64) -> (Vec<Collection>, Vec<Cohort>) {
    use super::numbered::{Leading, NumberedCatalogue, NumberedFamily, Progress, Round};
    use crate::domain::family::IdentificationRoute;
    let agencies = ["early-help-hub", "housing", "youth-justice"].map(|code| AgencyCode::parse(code).expect("a code"));
    let mut chance = Chance(seed);
    let mut rounds = vec![Round { number: 1, closed_on: day(1) }, Round { number: 2, closed_on: day(1) }];
    let mut families: Vec<NumberedFamily> = Vec::new();
    let (mut collections, mut months) = (Vec::new(), Vec::new());
    for month in 0..MONTHS {
        if month > 0 && month % 3 == 0 {
            rounds.push(Round { number: rounds.len() as i64 + 1, closed_on: day(month) });
        }
        let newly = if month == 0 { 500 } else { 1 + chance.below(40) };
        for _ in 0..newly {
            let route = match chance.below(8) {
                0 => IdentificationRoute::PhaseOneCarryOver,
                1 => IdentificationRoute::Referral,
                _ => IdentificationRoute::DataMatch,
            };
            families.push(NumberedFamily {
                records: vec![families.len() as u64],
                route,
                round: Some(rounds.len() as i64 - chance.below(2) as i64),
                progress: Progress::Numbered,
                leading: Leading::NotKnown,
            });
        }
        for family in &mut families {
            let first = month == 0;
            family.progress = match family.progress {
                Progress::Numbered if chance.below(if first { 2 } else { 9 }) == 0 => Progress::Attached { months: 0 },
                Progress::Attached { .. } | Progress::Engaged { .. } if chance.below(8) == 0 => {
                    Progress::Engaged { months: 0 }
                }
                Progress::Attached { months } => Progress::Attached { months: months + 1 },
                Progress::Engaged { months } => Progress::Engaged { months: months + 1 },
                Progress::Numbered => Progress::Numbered,
            };
            if chance.below(if first { 2 } else { 40 }) == 0 {
                family.leading = match chance.below(6) {
                    0 => Leading::NobodyAnyMore,
                    1 => Leading::Several,
                    place => Leading::Agency(agencies[place.min(4) - 2].clone()),
                };
            }
        }
        let catalogue = NumberedCatalogue::new(&rounds, &agencies.iter().cloned().collect());
        let placed: Vec<_> = families.iter().map(|family| catalogue.place(family)).collect();
        months.push(Cohort::new(catalogue.collection(), placed).expect("its own atoms"));
        collections.push(catalogue.collection().clone());
    }
    (collections, months)
}

/// The releases of two years, by the method.
fn releases(collections: &[Collection], months: &[Cohort], profile: &Profile) -> Vec<Standing> {
    let mut past = Past::default();
    let mut releases = Vec::new();
    for ((cohort, collection), number) in months.iter().zip(collections).zip(1..) {
        let standing = release(collection, cohort, &past, profile, number, day(number));
        past.cohorts.insert(number, cohort.clone());
        past.standing = standing.clone();
        releases.push(standing);
    }
    releases
}

/// As a spreadsheet makes them: small counts hidden, everything else of the month.
fn careless(collections: &[Collection], months: &[Cohort], profile: &Profile) -> Vec<Standing> {
    let of = |((cohort, collection), number): ((&Cohort, &Collection), i64)| {
        let values = collection.values(&cohort.counts());
        let shown = |value: u64| (!profile.is_small(value)).then(|| profile.shown(value));
        let figures = collection.statistics().iter().zip(values);
        figures
            .map(|(statistic, value)| {
                (statistic.key.clone(), Shown { release: number, as_at: day(number), count: shown(value) })
            })
            .collect()
    };
    months.iter().zip(collections).zip(1..).map(of).collect()
}

fn day(number: i64) -> Date {
    Date::constant(2024 + ((number - 1) / 12) as i16, ((number - 1) % 12 + 1) as i8, 1)
}

/// What the attacker knows of one release: the figures that are of that release, each with the range
/// of counts that it stands for.
fn known(
    collection: &Collection,
    releases: &[Standing],
    number: i64,
    profile: &Profile,
) -> BTreeMap<usize, (u64, u64)> {
    let mut known = BTreeMap::new();
    for standing in releases {
        for (place, statistic) in collection.statistics().iter().enumerate() {
            let Some(shown) = standing.get(&statistic.key) else { continue }; // of a round that was yet to come
            if let Some(count) = shown.count.filter(|_| shown.release == number) {
                let range = if profile.name() == ProfileName::Internal {
                    (count, count)
                } else {
                    (count.saturating_sub(2).max(profile.threshold()), count + 2)
                };
                known.insert(place, range);
            }
        }
    }
    known
}

/// Figures of which two different releases differ by one to nine families.
fn small_differences(collection: &Collection, releases: &[Standing], months: &[Cohort]) -> usize {
    let mut found = 0;
    for statistic in collection.statistics() {
        let atoms: BTreeSet<&str> = statistic.atoms.iter().map(|atom| collection.atoms()[*atom].as_str()).collect();
        let shown: BTreeSet<i64> = releases
            .iter()
            .filter_map(|standing| standing.get(&statistic.key))
            .filter(|shown| shown.count.is_some())
            .map(|shown| shown.release)
            .collect();
        let shown: Vec<i64> = shown.into_iter().collect();
        // One after the other: what came of the figure before.
        for pair in shown.windows(2) {
            let [before, after] = [pair[0], pair[1]].map(|number| &months[number as usize - 1]);
            found += usize::from((1..LEAST_CHANGE).contains(&before.differing(after, &atoms)));
        }
    }
    found
}

/// Remainders of a prime: sums and differences in them are exact, whatever the order.
const PRIME: u64 = (1 << 61) - 1;

fn times(a: u64, b: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(PRIME)) as u64
}

fn inverse(number: u64) -> u64 {
    let (mut power, mut base, mut left) = (1, number, PRIME - 2); // P. de Fermat
    while left > 0 {
        if left & 1 == 1 {
            power = times(power, base);
        }
        base = times(base, base);
        left >>= 1;
    }
    power
}

/// Reduced rows over the atoms, each with its sum: everything that follows from exact figures by
/// adding and taking away.
struct Elimination {
    rows: Vec<(usize, Vec<u64>)>,
}

impl Elimination {
    fn of(collection: &Collection, known: &BTreeMap<usize, (u64, u64)>) -> Self {
        let mut elimination = Self { rows: Vec::new() };
        for statistic in known.keys() {
            elimination.add(indicator(collection, &collection.statistics()[*statistic].atoms));
        }
        for groups in collection.ties() {
            let mut tie = indicator(collection, &groups.first);
            groups.other.iter().for_each(|atom| tie[*atom] = PRIME - 1);
            elimination.add(tie);
        }
        elimination
    }

    fn reduce(&self, mut row: Vec<u64>) -> Vec<u64> {
        for (lead, known) in &self.rows {
            let factor = row[*lead];
            if factor != 0 {
                let taken = |(entry, other): (&mut u64, &u64)| {
                    *entry = (*entry + PRIME - times(factor, *other)) % PRIME;
                };
                row.iter_mut().zip(known).filter(|(_, other)| **other != 0).for_each(taken);
            }
        }
        row
    }

    fn add(&mut self, row: Vec<u64>) {
        let row = self.reduce(row);
        if let Some(lead) = row.iter().position(|entry| *entry != 0) {
            let by = inverse(row[lead]);
            self.rows.push((lead, row.into_iter().map(|entry| times(entry, by)).collect()));
        }
    }

    /// Whether the sum over these atoms follows.
    fn gives(&self, row: Vec<u64>) -> bool {
        self.reduce(row).iter().all(|entry| *entry == 0)
    }
}

fn indicator(collection: &Collection, atoms: &[usize]) -> Vec<u64> {
    let mut row = vec![0; collection.atoms().len()];
    for atom in atoms {
        row[*atom] = 1;
    }
    row
}

/// Figures that were not to be told, and follow from the others of their release all the same: sums,
/// differences, totals minus parts, one table from another.
fn derived(collections: &[Collection], releases: &[Standing], profile: &Profile) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    for (collection, number) in collections.iter().zip(1..) {
        let known = known(collection, releases, number, profile);
        if known.is_empty() || profile.name() == ProfileName::Public {
            continue; // rounded figures give ranges, see below
        }
        let elimination = Elimination::of(collection, &known);
        for (place, statistic) in collection.statistics().iter().enumerate() {
            let is_told = known.contains_key(&place);
            if !is_told && elimination.gives(indicator(collection, &statistic.atoms)) {
                found.push((number, statistic.key.clone()));
            }
        }
    }
    found
}

/// Figures that were not to be told and whose range is narrower than a small count's, from every
/// total that holds them, every part that they hold, and everything that is in the total besides.
fn narrowed(collections: &[Collection], releases: &[Standing], profile: &Profile) -> usize {
    let mut found = 0;
    for (collection, number) in collections.iter().zip(1..) {
        let sets: Vec<BTreeSet<usize>> =
            collection.statistics().iter().map(|statistic| statistic.atoms.iter().copied().collect()).collect();
        let known: Vec<Told<'_>> = known(collection, releases, number, profile)
            .into_iter()
            .map(|(place, range)| Told { atoms: &sets[place], range })
            .collect();
        for set in sets.iter().filter(|set| known.iter().all(|told| told.atoms != *set)) {
            let (mut least, mut most) = (at_least(&known, set), at_most(&known, set).unwrap_or(u64::MAX));
            for whole in known.iter().filter(|told| set.is_subset(told.atoms)) {
                let rest: BTreeSet<usize> = whole.atoms.difference(set).copied().collect();
                most = most.min(whole.range.1.saturating_sub(at_least(&known, &rest)));
                if let Some(rest) = at_most(&known, &rest) {
                    least = least.max(whole.range.0.saturating_sub(rest));
                }
            }
            found += usize::from(most.saturating_sub(least) < profile.threshold());
        }
    }
    found
}

/// A figure that the attacker has.
struct Told<'s> {
    atoms: &'s BTreeSet<usize>,
    range: (u64, u64),
}

/// As many as there must be: figures inside that do not overlap, the largest first, or the smallest.
fn at_least(known: &[Told<'_>], set: &BTreeSet<usize>) -> u64 {
    let mut parts: Vec<&Told<'_>> = known.iter().filter(|told| told.atoms.is_subset(set)).collect();
    let pack = |parts: &[&Told<'_>]| {
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        parts.iter().fold(0, |sum, part| {
            if part.atoms.iter().any(|atom| taken.contains(atom)) {
                return sum;
            }
            taken.extend(part.atoms.iter());
            sum + part.range.0
        })
    };
    parts.sort_by_key(|part| (std::cmp::Reverse(part.range.0), part.atoms.len()));
    let by_count = pack(&parts);
    parts.sort_by_key(|part| (part.atoms.len(), std::cmp::Reverse(part.range.0)));
    by_count.max(pack(&parts))
}

/// As many as there can be: figures that cover the set between them, each the cheapest for what it
/// covers, with or without those that reach beyond it; `None` when some of it is in no figure.
fn at_most(known: &[Told<'_>], set: &BTreeSet<usize>) -> Option<u64> {
    let cover = |figures: &[&Told<'_>]| {
        let (mut open, mut sum) = (set.clone(), 0);
        while !open.is_empty() {
            let price = |told: &&&Told<'_>| {
                let covered = told.atoms.intersection(&open).count() as u64;
                (covered > 0).then(|| (told.range.1 * 1_000 / covered, std::cmp::Reverse(covered)))
            };
            let cheapest = figures.iter().filter(|told| price(told).is_some()).min_by_key(price)?;
            open = open.difference(cheapest.atoms).copied().collect();
            sum += cheapest.range.1;
        }
        Some(sum)
    };
    let all: Vec<&Told<'_>> = known.iter().collect();
    let inside: Vec<&Told<'_>> = known.iter().filter(|told| told.atoms.is_subset(set)).collect();
    cover(&all).into_iter().chain(cover(&inside)).min()
}

struct Years {
    /// Of each month; the last has every figure.
    collections: Vec<Collection>,
    months: Vec<Cohort>,
}

fn years() -> Years {
    let programme = Programme::parse(include_bytes!("../../../policies/programme.toml")).expect("the shipped file");
    let catalogue = Catalogue::new(&programme, &areas(&["A1", "A2", "A3", "A4"]), true);
    let months = months(&catalogue, &programme, 20_260_921);
    Years { collections: months.iter().map(|_| catalogue.collection().clone()).collect(), months }
}

fn numbered_years() -> Years {
    let (collections, months) = numbered_months(20_260_922);
    Years { collections, months }
}

fn two_years_tell_of_nobody(years: Years, name: ProfileName) {
    let Years { collections, months } = years;
    let collection = collections.last().expect("months");
    let profile = Profile::usual(name);
    let releases = releases(&collections, &months, &profile);
    assert_eq!(small_differences(collection, &releases, &months), 0, "differences of one figure");
    assert_eq!(derived(&collections, &releases, &profile), [], "sums and differences over all tables");
    assert_eq!(narrowed(&collections, &releases, &profile), 0, "totals minus parts");

    // There is something to read even so.
    let anew = |standing: &Standing, number: i64| {
        standing.values().filter(|shown| shown.release == number && shown.count.is_some()).count()
    };
    assert!(anew(&releases[0], 1) > 15, "{}", anew(&releases[0], 1));
    let later = (2..=MONTHS).filter(|number| anew(&releases[*number as usize - 1], *number) > 0).count();
    assert!(later >= 3, "figures are replaced in {later} months");

    // Shares say no more than the counts beside them.
    for ((standing, collection), number) in releases.iter().zip(&collections).zip(1..) {
        for layout in collection.tables() {
            let table = Table::of(layout, collection, standing, &profile, UnitCounted::Families, day(number));
            for (cells, figures) in layout.cells.iter().zip(&table.figures) {
                for (cell, figure) in cells.iter().zip(figures) {
                    let (super::collection::Cell::Of(_, Some(whole)), Some(share)) = (cell, figure.percent) else {
                        continue;
                    };
                    let whole = standing[&collection.statistics()[*whole].key].count;
                    let of_shown =
                        figure.count.zip(whole).and_then(|(part, whole)| percent(part, whole, profile.halves()));
                    assert_eq!(Some(share), of_shown);
                }
            }
        }
    }
}

#[test]
fn two_years_of_internal_tables_tell_of_nobody() {
    two_years_tell_of_nobody(years(), ProfileName::Internal);
}

#[test]
fn two_years_of_public_tables_tell_of_nobody() {
    two_years_tell_of_nobody(years(), ProfileName::Public);
}

#[test]
fn two_years_of_internal_tables_of_numbered_families_tell_of_nobody() {
    two_years_tell_of_nobody(numbered_years(), ProfileName::Internal);
}

#[test]
fn two_years_of_public_tables_of_numbered_families_tell_of_nobody() {
    two_years_tell_of_nobody(numbered_years(), ProfileName::Public);
}

#[test]
fn the_same_attacks_succeed_on_careless_tables() {
    for Years { collections, months } in [years(), numbered_years()] {
        for name in [ProfileName::Internal, ProfileName::Public] {
            let profile = Profile::usual(name);
            let releases = careless(&collections, &months, &profile);
            let small = small_differences(collections.last().expect("months"), &releases, &months);
            assert!(small > 100, "{name:?}: {small}");
        }
    }
}

#[test]
fn a_single_figure_kept_back_is_worked_out_from_the_others() {
    for (Years { collections, months }, kept) in
        [(years(), "area-locality/A1/caradon"), (numbered_years(), "came|data_match|1|*")]
    {
        let profile = Profile::usual(ProfileName::Internal);
        let collection = &collections[0];
        let mut standing = careless(&collections[..1], &months[..1], &profile).remove(0);
        assert!(standing.contains_key(kept), "{kept}");
        for (statistic, value) in collection.statistics().iter().zip(collection.values(&months[0].counts())) {
            let count = (statistic.key != kept).then_some(value);
            standing.insert(statistic.key.clone(), Shown { release: 1, as_at: day(1), count });
        }
        let standing = [standing];
        assert_eq!(derived(&collections[..1], &standing, &profile), [(1, kept.to_owned())]);
        assert_eq!(narrowed(&collections[..1], &standing, &profile), 1, "{kept}");
    }
}

#[test]
fn groups_that_two_blocks_share_would_let_one_give_the_other_away() {
    // All attached families stand in two tables. Were they two figures, hidden in one and shown in the other,
    // the elimination would find the hidden one.
    let Years { collections, months } = numbered_years();
    let collection = &collections[0];
    let profile = Profile::usual(ProfileName::Internal);
    let keys: Vec<&str> = collection.statistics().iter().map(|statistic| statistic.key.as_str()).collect();
    assert!(keys.contains(&"came|*|*|attached+engaged") && !keys.contains(&"work|attached+engaged|*|*"), "{keys:?}");
    let mut standing = Standing::new();
    for (statistic, value) in collection.statistics().iter().zip(collection.values(&months[0].counts())) {
        // Only who works with families is told, and of how they came nothing.
        let count = statistic.key.starts_with("work|").then_some(value);
        standing.insert(statistic.key.clone(), Shown { release: 1, as_at: day(1), count });
    }
    assert!(!derived(&collections[..1], &[standing], &profile).is_empty(), "the attached follow from their parts");
}

#[test]
fn rule_by_figure_alone_would_let_totals_minus_parts_through() {
    // Each figure by itself obeys the rule of ten, and nothing is kept back for another's sake.
    for Years { collections, months } in [years(), numbered_years()] {
        let collection = collections.last().expect("months");
        let profile = Profile::usual(ProfileName::Internal);
        let mut standing: Standing = Standing::new();
        let mut releases = Vec::new();
        for ((cohort, collection), number) in months.iter().zip(&collections).zip(1..) {
            let values = collection.values(&cohort.counts());
            for (statistic, value) in collection.statistics().iter().zip(values) {
                let atoms: BTreeSet<&str> =
                    statistic.atoms.iter().map(|atom| collection.atoms()[*atom].as_str()).collect();
                let last = standing.get(&statistic.key);
                let stays =
                    last.is_some_and(|last| months[last.release as usize - 1].differing(cohort, &atoms) < LEAST_CHANGE);
                if !stays {
                    let count = (!profile.is_small(value)).then_some(value);
                    standing.insert(statistic.key.clone(), Shown { release: number, as_at: day(number), count });
                }
            }
            releases.push(standing.clone());
        }
        assert_eq!(small_differences(collection, &releases, &months), 0, "the rule holds for each figure");
        assert!(!derived(&collections, &releases, &profile).is_empty(), "and yet what stays can be worked out");
    }
}
