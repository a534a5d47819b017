//! Evidence as whole thousandths of a bit, and logarithms that every machine computes alike.
//!
//! A library's logarithm may differ in the last place from one machine to the next; what follows
//! uses whole numbers, or the four operations that IEEE 754 fixes to the last bit.

/// Thousandths of a bit; above zero speaks for a match.
pub type Millibits = i64;

/// More evidence than this says nothing more, in either direction.
const MOST: Millibits = 200_000;

/// The binary logarithm of a number above zero, in thousandths of a bit, rounded down.
///
/// Source: the digit-by-digit method of repeated squaring; each squaring gives one binary digit.
fn log2_of(number: u64) -> Millibits {
    let whole = number.ilog2();
    let mut mantissa = u128::from(number) << (63 - whole); // one point sixty-three digits
    let mut fraction: i64 = 0;
    for _ in 0..24 {
        mantissa = (mantissa * mantissa) >> 63;
        fraction <<= 1;
        if mantissa >> 64 != 0 {
            mantissa >>= 1;
            fraction |= 1;
        }
    }
    i64::from(whole) * 1000 + ((fraction * 1000) >> 24)
}

/// The binary logarithm of `numerator / denominator` in thousandths of a bit. Nothing at all counts
/// as the smallest number that is told from nothing.
pub(super) fn log2_ratio(numerator: f64, denominator: f64) -> Millibits {
    let (numerator, numerator_scale) = scaled(numerator);
    let (denominator, denominator_scale) = scaled(denominator);
    (log2_of(numerator) - log2_of(denominator) + numerator_scale - denominator_scale).clamp(-MOST, MOST)
}

/// A positive number as a whole one of 53 digits, and the power of two that was taken out.
fn scaled(number: f64) -> (u64, Millibits) {
    let number = number.max(SMALLEST);
    let bits = number.to_bits();
    let exponent = i64::try_from((bits >> 52) & 0x7ff).unwrap_or(0) - 1075;
    ((bits & ((1 << 52) - 1)) | (1 << 52), exponent * 1000)
}

/// Smaller probabilities count as this one.
const SMALLEST: f64 = 1e-30;

/// Two to the power of so many thousandths.
pub(super) fn exp2(evidence: Millibits) -> f64 {
    let evidence = evidence.clamp(-MOST, MOST);
    let whole = evidence.div_euclid(1000);
    let mut rest = evidence.rem_euclid(1000);
    let mut power = f64::from_bits(u64::try_from(whole + 1023).unwrap_or(0) << 52);
    // The fraction by squaring: 2^(1/1000) to the power of `rest`.
    let mut factor = 1.000_693_387_462_580_6;
    while rest > 0 {
        if rest & 1 == 1 {
            power *= factor;
        }
        factor *= factor;
        rest >>= 1;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right_to_a_thousandth_of_a_bit() {
        for (numerator, denominator) in [(1.0, 1.0), (3.0, 7.0), (0.95, 1e-9), (1e-12, 0.4), (1.0, 1024.0)] {
            let exact = f64::log2(numerator / denominator) * 1000.0;
            let ours = log2_ratio(numerator, denominator) as f64;
            assert!((ours - exact).abs() <= 1.5, "{numerator}/{denominator}: {ours} {exact}");
        }
        assert_eq!(log2_ratio(0.0, 0.0), 0);
        assert!(log2_ratio(1.0, 0.0) > 90_000);
    }

    #[test]
    fn powers_undo_logarithms() {
        for evidence in [-30_123, -1000, -1, 0, 1, 500, 999, 1000, 44_444] {
            let exact = (evidence as f64 / 1000.0).exp2();
            assert!((exp2(evidence) / exact - 1.0).abs() < 1e-9, "{evidence}");
        }
    }
}
