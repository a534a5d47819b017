//! What the truth may be when a count is small.

/// The largest share that is still believable, at this confidence, when `seen` of `all` were counted:
/// the upper limit of Clopper and Pearson. For none of many it is the rule of three.
///
/// Source: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the
/// case of the binomial", Biometrika 26 (1934).
pub fn upper_bound(seen: u64, all: u64, confidence: f64) -> f64 {
    if seen >= all {
        return 1.0;
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if at_most(seen, all, middle) > 1.0 - confidence {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The probability that at most `seen` of `all` happen when each has the probability `p`.
fn at_most(seen: u64, all: u64, p: f64) -> f64 {
    if p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    let odds = (p / (1.0 - p)).ln();
    let mut term = all as f64 * (-p).ln_1p();
    let mut sum = term.exp();
    for k in 0..seen {
        term += ((all - k) as f64 / (k + 1) as f64).ln() + odds;
        sum += term.exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_of_many_is_the_rule_of_three() {
        let bound = upper_bound(0, 30_000, 0.95);
        assert!((bound * 30_000.0 - 2.9957).abs() < 0.001, "{bound}");
    }

    #[test]
    fn the_limit_agrees_with_published_tables() {
        // One-sided 95% limits of a Poisson count: 4.744 for one, 9.154 for four, 16.962 for ten.
        for (seen, mean) in [(1, 4.744), (4, 9.154), (10, 16.962)] {
            let bound = upper_bound(seen, 10_000_000, 0.95) * 10_000_000.0;
            assert!((bound - mean).abs() < 0.001, "{seen}: {bound}");
        }
        assert!((upper_bound(5, 10, 0.95) - 0.7776).abs() < 0.0001);
        assert!((upper_bound(3, 3, 0.95) - 1.0).abs() < 1e-12);
    }
}
