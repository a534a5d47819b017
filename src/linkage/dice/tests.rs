use proptest::prelude::*;

use super::*;

fn thousandths(number: u16) -> Threshold {
    Threshold::thousandths(number).expect("in range")
}

/// The definition: whole numbers, every pair.
fn naive(left: &[u64], right: &[u64], length: usize, threshold: u16) -> Vec<Alike> {
    let ones = |filter: &[u64]| filter.iter().map(|word| u64::from(word.count_ones())).sum::<u64>();
    let mut found = Vec::new();
    for (at, one) in (0..).zip(left.chunks(length)) {
        for (place, other) in (0..).zip(right.chunks(length)) {
            let common: u64 = one.iter().zip(other).map(|(a, b)| u64::from((a & b).count_ones())).sum();
            let all = ones(one) + ones(other);
            if all > 0 && common > 0 && 2000 * common >= u64::from(threshold) * all {
                found.push(Alike { left: at, right: place });
            }
        }
    }
    found
}

fn every_path_agrees(left: &[u64], right: &[u64], length: usize, threshold: u16) -> usize {
    let expected = naive(left, right, length, threshold);
    for path in Path::ALL.into_iter().filter(|path| path.is_here()) {
        let found = alike(left, right, length, thousandths(threshold), path, usize::MAX).expect("room");
        assert_eq!(found, expected, "{path:?}");
    }
    expected.len()
}

/// A filter with about `fill` ones in 64, and one that differs from it in a few words.
fn filter(length: usize) -> impl Strategy<Value = Vec<u64>> {
    let word = (any::<u64>(), any::<u64>(), 0..4_u8).prop_map(|(a, b, kind)| match kind {
        0 => a & b,
        1 => a | b,
        2 => a,
        _ => 0,
    });
    proptest::collection::vec(word, length)
}

fn set(length: usize) -> impl Strategy<Value = Vec<u64>> {
    let alike = (filter(length), any::<u64>(), 0..length, 1..12_usize).prop_map(|(filter, noise, at, copies)| {
        let mut all = Vec::new();
        for copy in 0..copies {
            let mut near = filter.clone();
            near[at] ^= noise.rotate_left(copy as u32) & noise;
            near[(at + copy) % filter.len()] &= !(1 << copy);
            all.extend(near);
        }
        all
    });
    proptest::collection::vec(alike, 0..6).prop_map(|sets| sets.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_path_finds_the_pairs_of_the_definition(
        (length, left, right) in proptest::sample::select(vec![8_usize, 16, 32])
            .prop_flat_map(|length| (Just(length), set(length), set(length))),
        threshold in 1..=1000_u16,
    ) {
        every_path_agrees(&left, &right, length, threshold);
        every_path_agrees(&left, &left, length, threshold);
    }

    #[test]
    fn a_pair_on_the_very_threshold_is_found(common in 1..200_u32, one in 0..200_u32, other in 0..200_u32) {
        // Ones 0..common in both, then each its own: the coefficient is exactly 2c / (2c + one + other).
        let with = |own: std::ops::Range<u32>| {
            let mut words = [0_u64; 16];
            for bit in (0..common).chain(own) {
                words[bit as usize / 64] |= 1 << (bit % 64);
            }
            words
        };
        let (left, right) = (with(common..common + one), with(common + one..common + one + other));
        let all = 2 * common + one + other;
        for threshold in [2000 * common / all, 2000 * common / all + 1].into_iter().filter(|t| (1..=1000).contains(t)) {
            let is_exact = 2000 * common >= threshold * all;
            let found = every_path_agrees(&left, &right, 16, threshold as u16);
            prop_assert_eq!(found == 1, is_exact);
        }
    }
}

#[test]
fn more_filters_than_a_tile_are_all_compared() {
    // Linear congruences: no chance in a test of completeness.
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ state >> 29
    };
    let right: Vec<u64> = (0..8 * 7_000).map(|_| next() & next()).collect();
    let left: Vec<u64> = right.chunks(8).step_by(700).flatten().copied().collect();
    let found = alike(&left, &right, 8, thousandths(1000), Path::best(), usize::MAX).expect("room");
    assert_eq!(found, naive(&left, &right, 8, 1000));
    assert_eq!(found.len(), 10);
}

#[test]
fn empty_filters_match_nothing_not_even_one_another() {
    let mut filters = vec![0_u64; 16 * 20];
    filters[5] = 1;
    assert_eq!(every_path_agrees(&filters, &filters, 16, 1), 1);
}

#[test]
fn too_many_pairs_are_an_error_and_not_a_full_memory() {
    let filters = vec![3_u64; 16 * 100];
    let error = alike(&filters, &filters, 16, thousandths(500), Path::best(), 99).expect_err("10,000 pairs");
    assert_eq!(error, DiceError::TooMany { most: 99 });
    assert_eq!(alike(&filters, &filters, 5, thousandths(500), Path::best(), 99), Err(DiceError::Length));
}

#[test]
fn filters_of_another_profile_key_or_epoch_are_refused() {
    let text = include_str!("../../../policies/clk-profile.toml");
    let profile = EncodingProfile::parse(text.as_bytes()).expect("the shipped file");
    let other = EncodingProfile::parse(format!("{text}# another\n").as_bytes()).expect("well-formed");
    let space = Space { profile: profile.short_hash(), epoch: 1, key_check: [1; 8] };
    let mut filters = Filters::new(space, &profile).expect("its own profile");
    assert_eq!(Filters::new(space, &other).expect_err("not its own"), DiceError::Profile);

    let clk = |space, words| Clk::new(space, &vec![1; words]).expect("not empty");
    filters.push(&clk(space, 16)).expect("of the space");
    for foreign in [
        Space { epoch: 2, ..space },
        Space { key_check: [2; 8], ..space },
        Space { profile: other.short_hash(), ..space },
    ] {
        assert_eq!(filters.push(&clk(foreign, 16)), Err(DiceError::Space));
    }
    assert_eq!(filters.push(&clk(space, 8)), Err(DiceError::Length));
    assert_eq!(filters.alike(&filters, &profile, 9).expect("one space"), [Alike { left: 0, right: 0 }]);
    assert_eq!(filters.alike(&filters, &other, 9), Err(DiceError::Profile));
    let next_epoch = Filters::new(Space { epoch: 2, ..space }, &profile).expect("its own profile");
    assert_eq!(filters.alike(&next_epoch, &profile, 9), Err(DiceError::Space));
}
