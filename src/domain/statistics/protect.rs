//! Which more figures have to be kept back.
//!
//! What must not be told of a kept figure is a [`Need`]: two values that a reader must not be able
//! to rule out. Each end is met by a world: whole numbers for every atom under which every shown
//! figure reads the same. Where there is none yet, the figures that stand in its way are kept back
//! too, the least important first, and they get a need of their own. This ends, because at worst
//! nothing is shown.

use super::collection::Collection;
use super::moves::{Limit, find};
use super::profile::Profile;

/// What a reader must be unable to rule out about a figure that is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// That it is this small.
    pub low: u64,
    /// That it is this large.
    pub high: u64,
}

impl Need {
    /// Of a count that is too small to be shown: it may be nobody, and it may be enough to be shown.
    pub fn of_small(profile: &Profile) -> Self {
        Self { low: 0, high: profile.threshold() }
    }

    /// Of a count that is kept back for the sake of another: as uncertain as a small one is, from the
    /// largest value downwards that it is known to be able to have. Upwards there may be no room
    /// below a total that is told. Where all that is known is nobody, it may be enough to be shown: otherwise
    /// nobody would follow from the others, and be told after all.
    pub fn of_other(largest: u64, profile: &Profile) -> Self {
        Self { low: largest.saturating_sub(profile.threshold()), high: largest.max(profile.threshold()) }
    }

    /// Of a count whose last figure stays: that it is still the last one, and that it is some more or
    /// less, so that nobody learns whether and which way it changed.
    pub fn of_held(count: u64, last: u64) -> Self {
        Self { low: count.min(last.saturating_sub(5)), high: count.max(last + 5) }
    }
}

/// What is kept back, with the proof that this is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// For each figure, what must not be told of it; `None` where it is shown.
    pub needs: Vec<Option<Need>>,
    /// The worlds that meet the needs: counts of the atoms.
    pub worlds: Vec<Vec<u64>>,
}

impl Protection {
    /// Whether a figure is kept back.
    pub fn keeps(&self, statistic: usize) -> bool {
        self.needs[statistic].is_some()
    }
}

/// Keeps back what the needs ask for and whatever else gives it away.
pub fn protect(collection: &Collection, counts: &[u64], profile: &Profile, needs: Vec<Option<Need>>) -> Protection {
    let mut work = Work { collection, counts, profile, values: collection.values(counts), needs, worlds: Vec::new() };
    work.worlds.push(counts.to_vec());
    while let Some((statistic, distance)) = work.unmet() {
        work.meet(statistic, distance);
    }
    Protection { needs: work.needs, worlds: work.worlds }
}

struct Work<'a> {
    collection: &'a Collection,
    counts: &'a [u64],
    profile: &'a Profile,
    values: Vec<u64>,
    needs: Vec<Option<Need>>,
    /// The true one first.
    worlds: Vec<Vec<u64>>,
}

impl Work<'_> {
    /// A figure with an end of its need for which there is no world yet, and how far that is.
    fn unmet(&self) -> Option<(usize, i64)> {
        for (statistic, need) in self.needs.iter().enumerate() {
            let Some(need) = need else { continue };
            let value = self.values[statistic] as i64;
            if !self.worlds.iter().any(|world| self.value_in(world, statistic) <= need.low) {
                return Some((statistic, need.low as i64 - value));
            }
            if !self.worlds.iter().any(|world| self.value_in(world, statistic) >= need.high) {
                return Some((statistic, need.high as i64 - value));
            }
        }
        None
    }

    fn value_in(&self, world: &[u64], statistic: usize) -> u64 {
        self.collection.statistics()[statistic].atoms.iter().map(|&atom| world[atom]).sum()
    }

    /// Finds a world for an end of a need, or keeps back at least one more figure.
    fn meet(&mut self, statistic: usize, distance: i64) {
        let statistics = self.collection.statistics();
        let shown: Vec<usize> = (0..statistics.len()).filter(|&other| self.needs[other].is_none()).collect();
        let mut limits: Vec<Limit<'_>> = shown
            .iter()
            .map(|&other| {
                let value = self.values[other];
                let (low, high) = self.profile.range(value);
                Limit {
                    atoms: &statistics[other].atoms,
                    minus: &[],
                    low: low as f64 - value as f64,
                    high: high as f64 - value as f64,
                    price: Some(f64::from(statistics[other].weight)),
                }
            })
            .collect();
        limits.extend(self.collection.ties().iter().map(|tie| Limit {
            atoms: &tie.first,
            minus: &tie.other,
            low: 0.0,
            high: 0.0,
            price: None,
        }));
        let found = find(self.counts, &limits, &statistics[statistic].atoms, distance as f64);
        let before = shown.len();
        for limit in &found.beyond {
            self.keep(shown[*limit]);
        }
        let left = self.needs.iter().filter(|need| need.is_none()).count();
        let reached = self.world(&found.changes).is_some_and(|world| {
            let is_there = (self.value_in(&world, statistic) as i64 - self.values[statistic] as i64)
                / distance.signum()
                >= distance.abs();
            self.worlds.push(world);
            is_there
        });
        for limit in &found.beyond {
            self.keep(shown[*limit]); // the new world may have made it larger
        }
        if !reached && left == before {
            self.keep_nearest(statistic);
        }
    }

    fn keep(&mut self, statistic: usize) {
        let value = self.values[statistic];
        let need = if self.profile.is_small(value) {
            Need::of_small(self.profile)
        } else {
            let largest = self.worlds.iter().map(|world| self.value_in(world, statistic)).max();
            Need::of_other(largest.unwrap_or(value), self.profile)
        };
        self.needs[statistic] = Some(need);
    }

    /// The search gave no world in whole numbers: another figure goes, one that shares atoms if there
    /// is any. When nothing is shown any more, the need is met by the figure's own atoms.
    fn keep_nearest(&mut self, statistic: usize) {
        let statistics = self.collection.statistics();
        let shares =
            |other: usize| statistics[other].atoms.iter().any(|atom| statistics[statistic].atoms.contains(atom));
        let shown = (0..statistics.len()).filter(|&other| self.needs[other].is_none());
        match shown.min_by_key(|&other| (!shares(other), statistics[other].weight, other)) {
            Some(other) => self.keep(other),
            None => self.needs[statistic] = Some(Need { low: self.values[statistic], high: self.values[statistic] }),
        }
    }

    /// The world that a move leads to, if it is one: whole numbers, none below zero, and every shown
    /// figure reads as before.
    fn world(&self, changes: &[f64]) -> Option<Vec<u64>> {
        let changed = self.counts.iter().zip(changes).map(|(&count, change)| {
            let change = change.round() as i64;
            u64::try_from(i64::try_from(count).ok()?.checked_add(change)?).ok()
        });
        let world: Vec<u64> = changed.collect::<Option<_>>()?;
        is_world(self.collection, &self.values, &world, self.profile, &self.needs).then_some(world)
    }
}

/// Whether under these counts of the atoms every figure that is shown reads as it does under the
/// true ones.
pub fn is_world(
    collection: &Collection,
    values: &[u64],
    world: &[u64],
    profile: &Profile,
    needs: &[Option<Need>],
) -> bool {
    let total = |atoms: &[usize]| atoms.iter().map(|&atom| world[atom]).sum::<u64>();
    collection.ties().iter().all(|tie| total(&tie.first) == total(&tie.other))
        && collection.values(world).into_iter().zip(values).zip(needs).all(|((other, value), need)| {
            let (low, high) = profile.range(*value);
            need.is_some() || (low..=high).contains(&other)
        })
}

/// What each figure needs by itself, without any earlier release: small ones may not be told.
pub fn first_needs(collection: &Collection, counts: &[u64], profile: &Profile) -> Vec<Option<Need>> {
    let base: u64 = collection.blocks().first().map_or(0, |block| counts[block.clone()].iter().sum());
    let nothing = profile.is_too_small_a_base(base);
    let need = |value: u64| (nothing || profile.is_small(value)).then(|| Need::of_small(profile));
    collection
        .values(counts)
        .into_iter()
        .map(|value| {
            let need = need(value)?;
            Some(Need { low: need.low.min(value), high: need.high.max(value) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::profile::ProfileName;
    use super::*;

    /// A table of rows by columns with all its margins.
    fn grid(rows: usize, columns: usize) -> Collection {
        let atoms = (0..rows).flat_map(|row| (0..columns).map(move |column| format!("{row}|{column}"))).collect();
        let mut collection = Collection::new(vec![atoms]);
        for row in 0..rows {
            for column in 0..columns {
                collection.statistic(&format!("{row}|{column}"), 1, |atom| atom == format!("{row}|{column}"));
            }
            collection.statistic(&format!("row {row}"), 5, |atom| atom.starts_with(&format!("{row}|")));
        }
        for column in 0..columns {
            collection.statistic(&format!("column {column}"), 5, |atom| atom.ends_with(&format!("|{column}")));
        }
        collection.statistic("total", 50, |_| true);
        collection
    }

    fn protected(collection: &Collection, counts: &[u64], profile: &Profile) -> Protection {
        protect(collection, counts, profile, first_needs(collection, counts, profile))
    }

    fn kept(collection: &Collection, protection: &Protection) -> Vec<String> {
        let keys = collection.statistics().iter().map(|statistic| statistic.key.clone());
        keys.zip(&protection.needs).filter(|(_, need)| need.is_some()).map(|(key, _)| key).collect()
    }

    #[test]
    fn one_small_cell_takes_a_whole_circle_with_it_and_no_margin() {
        let collection = grid(3, 3);
        let counts = [2, 20, 30, 40, 50, 60, 70, 80, 90];
        let protection = protected(&collection, &counts, &Profile::usual(ProfileName::Internal));
        let kept = kept(&collection, &protection);
        assert!(kept.contains(&"0|0".to_owned()) && kept.len() >= 4, "{kept:?}");
        assert!(kept.iter().all(|key| key.contains('|')), "{kept:?}");
    }

    #[test]
    fn rounding_alone_can_give_a_hidden_count_away_and_is_seen_to() {
        // 22 is printed as 20 and 29 as 30: whoever knows the rule knows that the hidden count is 6 or 7.
        let collection = grid(1, 2);
        let public = Profile::usual(ProfileName::Public);
        let protection =
            protect(&collection, &[22, 7], &public, vec![None, Some(Need { low: 0, high: 8 }), None, None, None]);
        assert!(protection.needs.iter().filter(|need| need.is_some()).count() > 1, "{:?}", protection.needs);
    }

    /// Every world that prints the same figures, up to a largest count of each atom: what a patient
    /// reader can do.
    fn every_world(
        collection: &Collection,
        counts: &[u64],
        profile: &Profile,
        needs: &[Option<Need>],
        most: u64,
    ) -> Vec<Vec<u64>> {
        fn fill(world: &mut Vec<u64>, length: usize, most: u64, see: &mut impl FnMut(&[u64])) {
            if world.len() == length {
                return see(world);
            }
            for count in 0..=most {
                world.push(count);
                fill(world, length, most, see);
                world.pop();
            }
        }
        let values = collection.values(counts);
        let mut found = Vec::new();
        fill(&mut Vec::new(), counts.len(), most, &mut |world| {
            if is_world(collection, &values, world, profile, needs) {
                found.push(world.to_vec());
            }
        });
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn no_reader_can_narrow_a_hidden_figure_below_what_it_needs(
            counts in proptest::collection::vec(prop_oneof![0_u64..7, 5_u64..60], 20),
            public in any::<bool>(),
        ) {
            let collection = grid(4, 5);
            let profile = Profile::usual(if public { ProfileName::Public } else { ProfileName::Internal });
            let protection = protected(&collection, &counts, &profile);
            let values = collection.values(&counts);
            for world in &protection.worlds {
                prop_assert!(is_world(&collection, &values, world, &profile, &protection.needs));
            }
            for (statistic, need) in protection.needs.iter().enumerate() {
                let Some(need) = need else {
                    prop_assert!(!profile.is_small(values[statistic]));
                    continue;
                };
                let seen: Vec<u64> = protection.worlds.iter()
                    .map(|world| collection.values(world)[statistic]).collect();
                prop_assert!(seen.iter().min().is_some_and(|least| *least <= need.low), "{need:?} {seen:?}");
                prop_assert!(seen.iter().max().is_some_and(|most| *most >= need.high), "{need:?} {seen:?}");
            }
        }

        #[test]
        fn a_reader_who_tries_every_world_of_a_small_table_pins_nothing(
            counts in proptest::collection::vec(0_u64..9, 4),
        ) {
            let collection = grid(2, 2);
            let profile = Profile::with_threshold(ProfileName::Internal, 3).expect("in range");
            let protection = protected(&collection, &counts, &profile);
            let worlds = every_world(&collection, &counts, &profile, &protection.needs, 12);
            for (statistic, need) in protection.needs.iter().enumerate().filter_map(|(n, need)| Some((n, (*need)?))) {
                let seen: Vec<u64> = worlds.iter().map(|world| collection.values(world)[statistic]).collect();
                let (least, most) = (seen.iter().min().expect("the truth"), seen.iter().max().expect("the truth"));
                prop_assert!(most - least >= 3, "{need:?}: {least} to {most} of {counts:?}");
            }
        }
    }

    #[test]
    fn without_complements_the_same_reader_does_pin_a_small_count() {
        let collection = grid(2, 2);
        let profile = Profile::with_threshold(ProfileName::Internal, 3).expect("in range");
        let counts = [1, 8, 7, 6];
        let only_small = first_needs(&collection, &counts, &profile);
        let worlds = every_world(&collection, &counts, &profile, &only_small, 12);
        assert_eq!(worlds, [counts.to_vec()]);
    }
}
