//! Numbers that pass their checks and were issued to nobody, as far as that can be had.

use std::collections::BTreeSet;

use super::random::Random;

const UPN_ALPHABET: &[u8; 23] = b"ABCDEFGHJKLMNPQRTUVWXYZ";
/// Well-formed prefixes of National Insurance numbers. There is no range kept for tests.
const NINO_PREFIXES: [&str; 4] = ["JW", "RX", "SW", "WX"];

/// Gives each number once.
pub(super) struct Numbers {
    random: Random,
    given: BTreeSet<String>,
}

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random::stream(seed, "numbers"), given: BTreeSet::new() }
    }

    /// An NHS number of the range 999, which is kept for tests.
    pub(super) fn nhs(&mut self) -> String {
        self.fresh(|random| {
            let serial = format!("999{:06}", random.below(1_000_000));
            let sum: usize = serial.bytes().zip((2..=10).rev()).map(|(digit, w)| usize::from(digit - b'0') * w).sum();
            match (11 - sum % 11) % 11 {
                10 => None, // no number has this check digit
                check => Some(format!("{serial}{check}")),
            }
        })
    }

    /// A permanent pupil number of the local authority 000, which there is not.
    pub(super) fn upn(&mut self, year_of_birth: i16) -> String {
        self.fresh(|random| {
            let (school, serial) = (2000 + random.below(400), 1 + random.below(998));
            let digits = format!("000{school:04}{:02}{serial:03}", (year_of_birth + 4).rem_euclid(100));
            let sum: usize = digits.bytes().zip(2..).map(|(digit, weight)| usize::from(digit - b'0') * weight).sum();
            Some(format!("{}{digits}", char::from(UPN_ALPHABET[sum % 23])))
        })
    }

    /// A well-formed National Insurance number.
    pub(super) fn nino(&mut self) -> String {
        self.fresh(|random| {
            let suffix = char::from(b'A' + random.below(4) as u8);
            let digits = 100_000 + random.below(900_000);
            let is_dummy = digits % 111_111 == 0; // six equal digits stand for no number
            (!is_dummy).then(|| format!("{}{digits}{suffix}", random.pick(&NINO_PREFIXES)))
        })
    }

    /// A property number far above those in use; it was not compared with the public list.
    pub(super) fn uprn(&mut self) -> String {
        self.fresh(|random| Some(format!("9900{:08}", 1 + random.below(99_999_998))))
    }

    fn fresh(&mut self, draw: impl Fn(&mut Random) -> Option<String>) -> String {
        loop {
            if let Some(number) = draw(&mut self.random)
                && self.given.insert(number.clone())
            {
                return number;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{NhsNumber, Nino, PermanentUpn, Uprn};

    #[test]
    fn every_number_is_accepted_and_given_once() {
        let mut numbers = Numbers::new(3);
        let mut given = BTreeSet::new();
        for year in 2000..2020 {
            for _ in 0..100 {
                let (nhs, upn, nino, uprn) = (numbers.nhs(), numbers.upn(year), numbers.nino(), numbers.uprn());
                assert!(NhsNumber::parse(&nhs).is_ok_and(|number| number.is_test_range()));
                assert!(PermanentUpn::parse(&upn).is_ok() && upn[1..].starts_with("000"));
                assert!(Nino::parse(&nino).is_ok());
                assert!(Uprn::parse(&uprn).is_ok());
                assert!([nhs, upn, nino, uprn].into_iter().all(|number| given.insert(number)));
            }
        }
    }
}
