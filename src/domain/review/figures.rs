//! What a review plan shows: how much was covered, how much was wrong, and how sure that is.

use serde::Serialize;

use super::finding::Finding;
use super::sample::Strategy;
use super::state::State;

/// Standard deviations of a normal distribution that leave one in twenty outside.
const Z95: f64 = 1.959_963_984_540_054;

/// One sampled disclosure, as far as the figures care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampled<'a> {
    /// Its stratum.
    pub stratum: &'a str,
    /// Where its review is.
    pub state: State,
    /// What was found, once something was.
    pub finding: Option<Finding>,
}

/// The figures of one plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Disclosures that could have been drawn.
    pub population: u64,
    /// Disclosures that were drawn.
    pub sample: u64,
    /// Of these, how many have a finding that stands.
    pub reviewed: u64,
    /// Findings that stand and are adverse.
    pub adverse: u64,
    /// Findings that stand and say that the record lacks something.
    pub record_incomplete: u64,
    /// Reviewed, in proportion to the population.
    pub coverage: f64,
    /// The share of adverse findings; `None` as long as nothing is reviewed.
    pub error_rate: Option<Rate>,
}

/// A share with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// The share.
    pub share: f64,
    /// Where the population's share lies with 95% confidence; `None` where the sample does not speak
    /// for the population, because it was drawn by risk or on purpose.
    pub interval: Option<Interval>,
}

/// Two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// At least.
    pub from: f64,
    /// At most.
    pub to: f64,
    /// `wilson`, or `exact` where the whole population was reviewed and nothing is estimated.
    pub method: &'static str,
}

/// Computes the figures of a plan. `strata` gives the population of each stratum.
pub fn figures(strategy: Strategy, strata: &[(&str, u64)], sampled: &[Sampled<'_>]) -> Figures {
    let population: u64 = strata.iter().map(|(_, size)| size).sum();
    let standing: Vec<(&str, Finding)> =
        sampled.iter().filter(|one| one.state.stands()).filter_map(|one| Some((one.stratum, one.finding?))).collect();
    let adverse = standing.iter().filter(|(_, finding)| finding.is_adverse()).count() as u64;
    let reviewed = standing.len() as u64;
    let record_incomplete = standing.iter().filter(|(_, finding)| *finding == Finding::RecordIncomplete).count() as u64;
    let error_rate = (reviewed > 0).then(|| rate(strategy, population, strata, &standing, adverse));
    let coverage = if population == 0 { 0.0 } else { reviewed as f64 / population as f64 };
    Figures { population, sample: sampled.len() as u64, reviewed, adverse, record_incomplete, coverage, error_rate }
}

fn rate(
    strategy: Strategy,
    population: u64,
    strata: &[(&str, u64)],
    standing: &[(&str, Finding)],
    adverse: u64,
) -> Rate {
    let reviewed = standing.len() as u64;
    let share = adverse as f64 / reviewed as f64;
    if reviewed == population {
        return Rate { share, interval: Some(Interval { from: share, to: share, method: "exact" }) };
    }
    if !strategy.speaks_for_the_population() {
        return Rate { share, interval: None };
    }
    if strategy == Strategy::Random {
        return Rate { share, interval: Some(wilson(share, reviewed as f64)) };
    }
    stratified(strata, standing, share)
}

/// Each stratum counts by its size. How sure that is follows from the number of reviews of a simple
/// sample that would be as sure (Korn and Graubard, "Confidence intervals for proportions with small
/// expected number of positive counts estimated from survey data", 1998), never more than there were.
fn stratified(strata: &[(&str, u64)], standing: &[(&str, Finding)], plain: f64) -> Rate {
    let mut covered = 0.0;
    let (mut share, mut variance) = (0.0, 0.0);
    let mut seen = Vec::new();
    for (stratum, size) in strata {
        let own: Vec<bool> =
            standing.iter().filter(|(of, _)| of == stratum).map(|(_, finding)| finding.is_adverse()).collect();
        if !own.is_empty() {
            seen.push((*size as f64, own));
            covered += *size as f64;
        }
    }
    for (size, own) in &seen {
        let (n, weight) = (own.len() as f64, size / covered);
        let p = own.iter().filter(|adverse| **adverse).count() as f64 / n;
        share += weight * p;
        variance += weight * weight * p * (1.0 - p) / (n - 1.0).max(1.0);
    }
    let reviewed = standing.len() as f64;
    let as_good_as = if variance > 0.0 { (share * (1.0 - share) / variance).clamp(1.0, reviewed) } else { reviewed };
    let share = if covered > 0.0 { share } else { plain };
    Rate { share, interval: Some(wilson(share, as_good_as)) }
}

/// The score interval of a share seen in `n` draws (E. B. Wilson, "Probable inference, the law of
/// succession, and statistical inference", 1927), at 95%.
fn wilson(share: f64, n: f64) -> Interval {
    let z2 = Z95 * Z95;
    let middle = share + z2 / (2.0 * n);
    let half = Z95 * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    Interval { from: ((middle - half) / scale).max(0.0), to: ((middle + half) / scale).min(1.0), method: "wilson" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stratum: &str, adverse: usize, fine: usize) -> Vec<Sampled<'_>> {
        let one = |finding| Sampled { stratum, state: State::Closed, finding: Some(finding) };
        let adverse = std::iter::repeat_n(one(Finding::NoBasis), adverse);
        adverse.chain(std::iter::repeat_n(one(Finding::Justified), fine)).collect()
    }

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 5e-5
    }

    #[test]
    fn the_wilson_interval_is_the_published_one() {
        // R. G. Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I.
        for (r, n, from, to) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let found = wilson(f64::from(r) / f64::from(n), f64::from(n));
            assert!(near(found.from, from) && near(found.to, to), "{r}/{n}: {found:?}");
        }
    }

    #[test]
    fn only_findings_that_stand_count() {
        let mut sampled = of("a", 1, 3);
        for state in [State::Drawn, State::Taken, State::Referred, State::Proposed] {
            sampled.push(Sampled { stratum: "a", state, finding: Some(Finding::NoBasis) });
        }
        let found = figures(Strategy::Random, &[("a", 40)], &sampled);
        assert_eq!((found.population, found.sample, found.reviewed, found.adverse), (40, 8, 4, 1));
        assert!(near(found.coverage, 0.1) && near(found.error_rate.expect("reviewed").share, 0.25), "{found:?}");
    }

    #[test]
    fn nothing_is_estimated_where_everything_was_reviewed_and_nothing_claimed_where_the_sample_was_chosen() {
        let whole = figures(Strategy::Always, &[("a", 4)], &of("a", 1, 3)).error_rate.expect("reviewed");
        let interval = whole.interval.expect("exact");
        assert_eq!((interval.from, interval.to, interval.method), (0.25, 0.25, "exact"));
        for strategy in [Strategy::Risk, Strategy::Targeted] {
            let chosen = figures(strategy, &[("a", 40)], &of("a", 1, 3)).error_rate.expect("reviewed");
            assert_eq!((chosen.share, chosen.interval), (0.25, None));
        }
        assert_eq!(figures(Strategy::Random, &[("a", 4)], &[]).error_rate, None);
    }

    #[test]
    fn a_stratum_counts_by_its_size_and_not_by_its_share_of_the_sample() {
        let sampled = [of("large", 0, 10), of("small", 5, 5)].concat();
        let found = figures(Strategy::Stratified, &[("large", 900), ("small", 100)], &sampled);
        let rate = found.error_rate.expect("reviewed");
        assert!(near(rate.share, 0.05), "{rate:?}");
        let interval = rate.interval.expect("an interval");
        assert!(interval.from > 0.0 && interval.from < 0.05 && interval.to > 0.05 && interval.to < 0.3, "{rate:?}");
        let none = figures(Strategy::Stratified, &[("large", 900), ("small", 100)], &of("large", 0, 10));
        let interval = none.error_rate.expect("reviewed").interval.expect("an interval");
        assert!(near(interval.to, 0.2775), "none of ten leaves room for many: {interval:?}");
    }
}
