//! Invented towns, streets and homes in the six parts of the district.

use super::numbers::Numbers;
use super::random::Random;

/// Locality, town and postcode district. No such towns and no such districts (70 and up) exist.
const TOWNS: [(&str, &str, &str); 15] = [
    ("caradon", "Liskerrow", "PL70"),
    ("caradon", "Saltmarren", "PL71"),
    ("carrick", "Truvean", "TR70"),
    ("carrick", "Falmarrow", "TR71"),
    ("kerrier", "Camborlan", "TR72"),
    ("kerrier", "Redrannow", "TR73"),
    ("kerrier", "Helstowen", "TR74"),
    ("north-cornwall", "Bodmellyn", "PL72"),
    ("north-cornwall", "Launcarrow", "PL73"),
    ("north-cornwall", "Wadebrennow", "PL74"),
    ("penwith", "Pensandrow", "TR75"),
    ("penwith", "Haylemorva", "TR76"),
    ("restormel", "Newkerran", "TR77"),
    ("restormel", "St Austellow", "PL75"),
    ("restormel", "Parwenna", "PL76"),
];
const STREETS: [&str; 24] = [
    "Fore",
    "Chapel",
    "Wheal",
    "Quay",
    "Church",
    "Harbour",
    "Mill",
    "Station",
    "Tin",
    "Gorse",
    "Orchard",
    "Well",
    "Pilchard",
    "Castle",
    "Market",
    "Saint",
    "Meadow",
    "Moor",
    "Bridge",
    "Copper",
    "Lighthouse",
    "Heather",
    "Cross",
    "Engine",
];
const KINDS: [&str; 8] = ["Street", "Road", "Close", "Terrace", "Lane", "Row", "Hill", "Court"];
const INWARD: &[u8] = b"ABDEFGHJLNPQRSTUWXYZ"; // no inward letter is C, I, K, M, O or V

/// Which home, by its place in the list of homes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HomeId(pub usize);

/// A dwelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Number and street.
    pub line: String,
    /// Town.
    pub town: &'static str,
    /// Postcode, of valid form.
    pub postcode: String,
    /// Property number, twelve digits.
    pub uprn: String,
    /// Part of the district.
    pub locality: &'static str,
}

/// Makes homes.
pub(super) struct Places {
    random: Random,
    pub(super) homes: Vec<Home>,
}

impl Places {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random::stream(seed, "places"), homes: Vec::new() }
    }

    /// A home that nobody else has.
    pub(super) fn home(&mut self, numbers: &mut Numbers) -> HomeId {
        // A part of the district first, so that none of the six is small.
        let localities = ["caradon", "carrick", "kerrier", "north-cornwall", "penwith", "restormel"];
        let locality = *self.random.pick(&localities);
        let towns: Vec<_> = TOWNS.iter().filter(|town| town.0 == locality).collect();
        let &&(locality, town, district) = self.random.pick(&towns);
        let street = format!("{} {}", self.random.pick(&STREETS), self.random.pick(&KINDS));
        let home = Home {
            line: format!("{} {street}", 1 + self.random.below(120)),
            town,
            postcode: postcode(district, &mut self.random),
            uprn: numbers.uprn(),
            locality,
        };
        self.homes.push(home);
        HomeId(self.homes.len() - 1)
    }
}

/// Another postcode of the same district: what a hurried clerk or an old map gives.
pub(super) fn neighbouring(postcode_text: &str, random: &mut Random) -> String {
    let (district, _) = postcode_text.split_once(' ').unwrap_or((postcode_text, ""));
    loop {
        let other = postcode(district, random);
        if other != postcode_text {
            return other;
        }
    }
}

/// A few hundred postcodes a district, as in life: some fifteen homes share one.
fn postcode(district: &str, random: &mut Random) -> String {
    let mut letter = |among: usize| char::from(INWARD[random.below(among)]);
    let (first, second) = (letter(8), letter(8));
    format!("{district} {}{first}{second}", 1 + random.below(6))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::identity::Postcode;

    #[test]
    fn homes_have_valid_postcodes_of_districts_that_do_not_exist_and_a_number_each() {
        let (mut places, mut numbers) = (Places::new(1), Numbers::new(1));
        for _ in 0..2_000 {
            places.home(&mut numbers);
        }
        let uprns: BTreeSet<&String> = places.homes.iter().map(|home| &home.uprn).collect();
        assert_eq!(uprns.len(), 2_000);
        for home in &places.homes {
            let postcode = Postcode::parse(&home.postcode).expect("a valid form");
            assert!(matches!(postcode.area(), "TR" | "PL"));
            assert!(postcode.district()[2..].parse::<u8>().is_ok_and(|district| district >= 70));
        }
    }

    #[test]
    fn a_neighbouring_postcode_is_another_of_the_district() {
        let mut random = Random::stream(4, "test");
        for _ in 0..100 {
            let other = neighbouring("TR70 1AA", &mut random);
            assert!(other != "TR70 1AA" && other.starts_with("TR70 ") && Postcode::parse(&other).is_ok());
        }
    }
}
