//! Invented names with a Cornish ring. Surnames are put together from parts and belong to nobody
//! whom we know of; forenames are ordinary ones.

use super::random::Random;

const BEGINNINGS: [&str; 14] =
    ["Tre", "Pol", "Pen", "Ros", "Lan", "Car", "Chy", "Nan", "Bos", "Gwel", "Kel", "Hen", "Mor", "Sker"];
const ENDINGS: [&str; 36] = [
    "gathen", "dowran", "verrick", "wollas", "brithen", "mellin", "lissow", "vannion", "gellas", "thewyn", "nowan",
    "skewan", "borran", "cadden", "durrow", "feock", "gwidden", "halvick", "jorran", "kerrick", "lowarn", "mabyn",
    "nessa", "ollick", "perran", "quiddy", "rennow", "sithen", "tallack", "ullow", "varth", "wennor", "yarrow",
    "zellan", "crowan", "drissick",
];

/// Surnames that real families of the county or real public figures bear, and that the parts above
/// could otherwise come near to. None of them is ever given.
pub(super) const NEVER: [&str; 14] = [
    "TRELAWNY",
    "TREVITHICK",
    "TREMAYNE",
    "TREVELYAN",
    "POLKINGHORNE",
    "PENHALIGON",
    "PENROSE",
    "ROSEVEAR",
    "CARLYON",
    "NANCARROW",
    "BOSCAWEN",
    "POLDARK",
    "LANYON",
    "TREGOTHNAN",
];

const WOMEN: [&str; 56] = [
    "Kerra",
    "Morwenna",
    "Demelza",
    "Elowen",
    "Lamorna",
    "Tamsin",
    "Jenna",
    "Rosen",
    "Wenna",
    "Loveday",
    "Tegen",
    "Senara",
    "Beryan",
    "Emily",
    "Chloe",
    "Sophie",
    "Jessica",
    "Amy",
    "Laura",
    "Gemma",
    "Kelly",
    "Hannah",
    "Holly",
    "Lucy",
    "Megan",
    "Ellie",
    "Grace",
    "Poppy",
    "Daisy",
    "Freya",
    "Isla",
    "Ava",
    "Evie",
    "Maisie",
    "Lily",
    "Ruby",
    "Rosie",
    "Matilda",
    "Imogen",
    "Zoe",
    "Naomi",
    "Leah",
    "Abigail",
    "Bethany",
    "Charlotte",
    "Danielle",
    "Stacey",
    "Natalie",
    "Samantha",
    "Michelle",
    "Joanne",
    "Karen",
    "Aisha",
    "Agnieszka",
    "Ioana",
    "Marta",
];
const MEN: [&str; 56] = [
    "Jago", "Jory", "Denzil", "Cador", "Gerran", "Kitto", "Massen", "Peder", "Piran", "Ruan", "Talan", "Wella",
    "Myghal", "Jack", "Oliver", "Harry", "Charlie", "Thomas", "Jacob", "Alfie", "Oscar", "Leo", "Archie", "Henry",
    "Joshua", "Ethan", "Finley", "Mason", "Logan", "Dylan", "Tyler", "Connor", "Kieran", "Liam", "Ryan", "Aaron",
    "Adam", "Ben", "Callum", "Daniel", "Dean", "Gareth", "Jamie", "Jason", "Kevin", "Lee", "Luke", "Mark", "Martin",
    "Matthew", "Neil", "Scott", "Shane", "Stuart", "Tomasz", "Yusuf",
];

/// Pairs that are easily taken for one another, for twins.
pub(super) const TWIN_NAMES: [(&str, &str); 4] =
    [("Jayden", "Jaydon"), ("Ella", "Ellie"), ("Tegen", "Tegan"), ("Jory", "Jorey")];

/// A surname: some are borne by many families, most by few.
pub(super) fn surname(random: &mut Random) -> String {
    loop {
        // The smaller of two draws: the first parts of the lists come up more often.
        let beginning = random.below(BEGINNINGS.len()).min(random.below(BEGINNINGS.len()));
        let ending = random.below(ENDINGS.len()).min(random.below(ENDINGS.len()));
        let name = format!("{}{}", BEGINNINGS[beginning], ENDINGS[ending]);
        if !NEVER.contains(&name.to_uppercase().as_str()) {
            return name;
        }
    }
}

/// A forename.
pub(super) fn forename(random: &mut Random, is_female: bool) -> String {
    (*random.pick(if is_female { &WOMEN } else { &MEN })).to_owned()
}

/// A name with two neighbouring letters in each other's place, or one letter left out or doubled.
pub(super) fn mistyped(name: &str, random: &mut Random) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    if letters.len() < 4 {
        return name.to_owned();
    }
    let at = 1 + random.below(letters.len() - 2);
    match random.below(3) {
        0 if letters[at] != letters[at + 1] => letters.swap(at, at + 1),
        1 => letters.insert(at, letters[at]),
        _ => {
            letters.remove(at);
        }
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_part_makes_a_surname_of_the_list_that_is_never_given() {
        for beginning in BEGINNINGS {
            for ending in ENDINGS {
                let name = format!("{beginning}{ending}").to_uppercase();
                assert!(!NEVER.contains(&name.as_str()), "{name}");
            }
        }
    }

    #[test]
    fn surnames_are_many_and_a_few_of_them_are_common() {
        let mut random = Random::stream(1, "names");
        let names: Vec<String> = (0..5_000).map(|_| surname(&mut random)).collect();
        let different: BTreeSet<&String> = names.iter().collect();
        assert!(different.len() > 350, "{}", different.len());
        let commonest = different.iter().map(|name| names.iter().filter(|other| **other == **name).count()).max();
        assert!(commonest > Some(20));
    }

    #[test]
    fn a_mistyped_name_is_another_name_of_nearly_the_same_length() {
        let mut random = Random::stream(2, "typing");
        for name in WOMEN.iter().chain(&MEN).filter(|name| name.len() > 3) {
            let wrong = mistyped(name, &mut random);
            assert_ne!(&wrong, name);
            assert!(wrong.len().abs_diff(name.len()) <= 1, "{name} {wrong}");
        }
    }
}
