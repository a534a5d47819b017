//! What is shown this time, and from which earlier time.
//!
//! A figure is shown anew when at least ten families came or went since the figure that stands;
//! otherwise that one stays, with its date. That is so when nobody came or went, too: a new date
//! would tell "nobody" from "somebody". What was kept back stays kept back by the same rule.
//!
//! A figure that stays is a secret of this time: shown figures must not tell its new value. So it is
//! protected like a small count, and other figures stay at their last value for its sake. Totals
//! minus parts, sums over tables and differences of two releases therefore give nothing of it.
//!
//! What was released to other readers, or under other agreements, is no past of this reader's: none of
//! it is shown. But a figure that differs from theirs by fewer than ten families is kept back. The same
//! holds between tables of different families: everybody of the one against every figure of the other.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::cohort::Cohort;
use super::collection::Collection;
use super::profile::{LEAST_CHANGE, Profile};
use super::protect::{Need, first_needs, protect};

/// A figure as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The number of the release that it is from.
    pub release: i64,
    /// The day that that release describes.
    pub as_at: Date,
    /// The count as shown; `None` when it is kept back.
    pub count: Option<u64>,
}

/// Every figure of a collection as it stands, by key.
pub type Standing = BTreeMap<String, Shown>;

/// The release before, and who was counted in every release of which a figure still stands.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// The figures as they stand.
    pub standing: Standing,
    /// Who was counted, by number of release.
    pub cohorts: BTreeMap<i64, Cohort>,
    /// What stands elsewhere, and must not be told apart from this by a few families.
    pub elsewhere: Vec<Elsewhere>,
    /// What stands in the tables of other families.
    pub beside: Vec<Beside>,
}

/// A figure of other families: of those with a number beside those of the day.
#[derive(Debug, Clone)]
pub struct Beside {
    /// The count as it is shown there.
    pub count: u64,
    /// Those in it.
    pub members: Cohort,
    /// Whether only everybody is compared with it, and not every figure.
    pub everybody_only: bool,
}

impl Beside {
    fn is_near(&self, cohort: &Cohort, atoms: &BTreeSet<&str>, is_everybody: bool) -> bool {
        (is_everybody || !self.everybody_only) && cohort.differing_from_all(&self.members, atoms) < LEAST_CHANGE
    }
}

/// The figures that stand in another series: of another reader, or under another agreement.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    /// The figures as they stand.
    pub standing: Standing,
    /// Who was counted, by number of release.
    pub cohorts: BTreeMap<i64, Cohort>,
    /// Whether the same may be counted there as here. Then a figure of the same families is the same
    /// news twice; otherwise, that both are equal tells that a further supplier adds nobody.
    pub counts_the_same: bool,
}

impl Elsewhere {
    /// The count that is shown there, where fewer than ten families make the difference.
    fn count_nearby(&self, collection: &Collection, cohort: &Cohort, key: &str, atoms: &BTreeSet<&str>) -> Option<u64> {
        let there = self.standing.get(key)?;
        let count = there.count?;
        let counted = self.cohorts.get(&there.release).filter(|counted| counted.is_of(collection));
        // Counted by other groups, or by nobody knows whom: how far they are apart cannot be said.
        let Some(counted) = counted else { return Some(count) };
        let changed = counted.differing(cohort, atoms);
        let is_same = changed == 0 && self.counts_the_same;
        (changed < LEAST_CHANGE && !is_same).then_some(count)
    }
}

/// Makes the release of a number and day.
pub fn release(
    collection: &Collection,
    cohort: &Cohort,
    past: &Past,
    profile: &Profile,
    number: i64,
    as_at: Date,
) -> Standing {
    let counts = cohort.counts();
    let values = collection.values(&counts);
    let mut needs = first_needs(collection, &counts, profile);
    let mut stays = vec![false; values.len()];
    for (place, statistic) in collection.statistics().iter().enumerate() {
        let atoms: BTreeSet<&str> = statistic.atoms.iter().map(|&atom| collection.atoms()[atom].as_str()).collect();
        let near = past.elsewhere.iter().find_map(|it| it.count_nearby(collection, cohort, &statistic.key, &atoms));
        let is_everybody = collection.blocks().first().is_some_and(|block| block.len() == statistic.atoms.len());
        let near = near.or_else(|| {
            let near = past.beside.iter().find(|it| it.is_near(cohort, &atoms, is_everybody));
            near.map(|it| it.count)
        });
        if let Some(there) = near.filter(|_| needs[place].is_none()) {
            needs[place] = Some(Need::of_held(values[place], there));
        }
        let Some(last) = past.standing.get(&statistic.key) else { continue };
        // Without the earlier cohort nothing can be compared: the figure stays.
        let changed = past.cohorts.get(&last.release).map_or(0, |before| before.differing(cohort, &atoms));
        if changed >= LEAST_CHANGE {
            continue;
        }
        stays[place] = true;
        needs[place] = Some(match last.count {
            Some(count) => Need::of_held(values[place], count),
            None if profile.is_small(values[place]) => Need::of_small(profile),
            None => Need::of_other(values[place], profile),
        });
    }
    let protection = protect(collection, &counts, profile, needs);
    let figure = |(place, statistic): (usize, &super::collection::Statistic)| {
        let last = past.standing.get(&statistic.key).copied();
        let fresh = |count| Shown { release: number, as_at, count };
        let shown = if protection.keeps(place) {
            // A small count of which enough changed is kept back from now on; everything else that is
            // kept back stays as it last stood.
            let is_newly_small = !stays[place] && profile.is_small(values[place]);
            last.filter(|_| !is_newly_small).unwrap_or_else(|| fresh(None))
        } else {
            fresh(Some(profile.shown(values[place])))
        };
        (statistic.key.clone(), shown)
    };
    collection.statistics().iter().enumerate().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::super::profile::ProfileName;
    use super::*;

    fn collection() -> Collection {
        let mut collection = Collection::new(vec![["a", "b", "c"].map(str::to_owned).to_vec()]);
        for atom in ["a", "b", "c"] {
            collection.statistic(atom, 1, |name| name == atom);
        }
        collection.statistic("all", 50, |_| true);
        collection
    }

    fn cohort(counts: [u64; 3]) -> Cohort {
        let families = ["a", "b", "c"].iter().zip(counts).enumerate().flat_map(|(place, (atom, count))| {
            (0..count).map(move |n| (vec![1_000 * place as u64 + n], vec![(*atom).to_owned()]))
        });
        Cohort::new(&collection(), families).expect("known atoms")
    }

    fn day(month: i8) -> Date {
        Date::constant(2026, month, 1)
    }

    #[test]
    fn a_single_change_shows_in_no_figure_and_ten_do() {
        for name in [ProfileName::Internal, ProfileName::Public] {
            let profile = Profile::usual(name);
            let first = cohort([100, 200, 300]);
            let standing = release(&collection(), &first, &Past::default(), &profile, 1, day(1));
            assert_eq!(standing["a"].count, Some(100));
            let cohorts = BTreeMap::from([(1, first)]);
            let past = Past { standing: standing.clone(), cohorts, ..Past::default() };
            let after_one = release(&collection(), &cohort([101, 200, 300]), &past, &profile, 2, day(2));
            assert_eq!(after_one, standing, "{name:?}");
            let many = release(&collection(), &cohort([160, 260, 360]), &past, &profile, 2, day(2));
            assert!(many.values().all(|shown| shown.release == 2), "{many:?}");
        }
    }

    #[test]
    fn another_readers_figures_are_not_shown_and_nothing_close_to_them_either() {
        for name in [ProfileName::Internal, ProfileName::Public] {
            let profile = Profile::usual(name);
            let theirs = cohort([100, 200, 300]);
            let standing = release(&collection(), &theirs, &Past::default(), &profile, 1, day(1));
            let past = |counts_the_same| Past {
                elsewhere: vec![Elsewhere {
                    standing: standing.clone(),
                    cohorts: BTreeMap::from([(1, theirs.clone())]),
                    counts_the_same,
                }],
                ..Past::default()
            };
            let made = |counts, counts_the_same| {
                let made = release(&collection(), &cohort(counts), &past(counts_the_same), &profile, 1, day(2));
                assert!(made.values().all(|shown| shown.as_at == day(2)), "no figure of theirs: {made:?}");
                made
            };
            // A further supplier makes the difference of one family in a, and of many in b and c.
            let close = made([101, 260, 390], false);
            assert_eq!(close["a"].count, None, "{name:?}");
            let told = ["b", "c", "all"].iter().filter(|key| close[**key].count.is_some()).count();
            // Of rounded figures, total minus parts says 94 to 106: wider than what must not be told.
            assert!(told < 3 || name == ProfileName::Public, "total minus parts would be 101: {close:?}");
            assert_eq!(made([100, 260, 390], false)["a"].count, None, "nor that it adds nobody");
            assert!(made([160, 260, 390], false).values().all(|shown| shown.count.is_some()));
            // The same suppliers under another agreement, on the same day: the same figures.
            assert!(made([100, 200, 300], true).values().all(|shown| shown.count.is_some()));
            assert_eq!(made([101, 260, 390], true)["a"].count, None, "{name:?}: a family that came since");
        }
    }

    #[test]
    fn nearly_the_same_people_in_tables_of_other_families_are_not_counted_twice() {
        let profile = Profile::usual(ProfileName::Internal);
        let theirs = cohort([100, 200, 300]);
        let beside = |everybody_only| {
            let beside = Beside { count: 600, members: theirs.clone(), everybody_only };
            Past { beside: vec![beside], ..Past::default() }
        };
        let made = |counts, past: &Past| release(&collection(), &cohort(counts), past, &profile, 1, day(2));
        let close = made([100, 200, 303], &beside(true));
        assert_eq!(close["all"].count, None, "three families make the difference");
        assert!(["a", "b", "c"].iter().filter(|key| close[**key].count.is_some()).count() < 3, "{close:?}");
        assert_eq!(made([100, 200, 330], &beside(true))["all"].count, Some(630));
        // A part that is everybody of the others.
        let part = Beside { count: 100, members: theirs.narrowed(|atom| atom == "a"), everybody_only: false };
        let every = Past { beside: vec![part.clone()], ..Past::default() };
        assert_eq!(made([100, 200, 300], &every)["a"].count, None);
        let total = Past { beside: vec![Beside { everybody_only: true, ..part }], ..Past::default() };
        assert_eq!(made([100, 200, 300], &total)["a"].count, Some(100));
    }

    #[test]
    fn what_was_counted_by_other_groups_keeps_everything_of_its_name_back() {
        let profile = Profile::usual(ProfileName::Internal);
        let mut other = Collection::new(vec![["a", "d"].map(str::to_owned).to_vec()]);
        other.statistic("all", 50, |_| true);
        let families = (0..80).map(|n| (vec![9_000 + n], vec!["d".to_owned()]));
        let theirs = Cohort::new(&other, families).expect("known atoms");
        let standing = release(&other, &theirs, &Past::default(), &profile, 1, day(1));
        let cohorts = BTreeMap::from([(1, theirs)]);
        let elsewhere = vec![Elsewhere { standing, cohorts, counts_the_same: false }];
        let past = Past { elsewhere, ..Past::default() };
        let made = release(&collection(), &cohort([100, 200, 300]), &past, &profile, 1, day(2));
        assert_eq!(made["all"].count, None);
    }

    #[test]
    fn a_total_is_not_shown_anew_where_it_would_tell_what_a_part_became() {
        let profile = Profile::usual(ProfileName::Internal);
        let first = cohort([100, 200, 300]);
        let standing = release(&collection(), &first, &Past::default(), &profile, 1, day(1));
        let past = Past { standing, cohorts: BTreeMap::from([(1, first)]), ..Past::default() };
        // One family came to a; many to b and c.
        let second = release(&collection(), &cohort([101, 260, 390]), &past, &profile, 2, day(2));
        assert_eq!((second["a"].release, second["a"].count), (1, Some(100)));
        let anew = ["b", "c", "all"].iter().filter(|key| second[**key].release == 2).count();
        assert!(anew < 3, "total minus parts would be 101: {second:?}");
    }
}
