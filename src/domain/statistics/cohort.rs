//! Who is in a figure, without knowing who anybody is.
//!
//! A family is remembered by keyed tags of its records. Two families of different times are the same
//! when they share a record, so that a further agency's record of a child, or a change of the keys
//! that tokens are made with, looks like no change. Where that errs, it takes two families for one,
//! and sees fewer changes than there were: then the last figure stays.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::collection::Collection;

/// A keyed tag of a record.
pub type RecordTag = u64;

/// One family: its records, and its atom in each block by position in [`Cohort::atoms`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Tags of its records.
    pub records: Vec<RecordTag>,
    /// Its atoms, one in each block.
    pub atoms: Vec<u32>,
}

/// Everybody that a release counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cohort {
    atoms: Vec<String>,
    members: Vec<Member>,
}

/// A family cannot be placed: the collection has no such atom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a family belongs to a group that the collection does not have")]
pub struct UnknownAtom;

impl Cohort {
    /// A cohort of families with the names of their atoms, one in each block.
    ///
    /// # Errors
    ///
    /// [`UnknownAtom`] for a name that the collection does not have in that block.
    pub fn new(
        collection: &Collection,
        families: impl IntoIterator<Item = (Vec<RecordTag>, Vec<String>)>,
    ) -> Result<Self, UnknownAtom> {
        let places: HashMap<&str, usize> =
            collection.atoms().iter().enumerate().map(|(place, atom)| (atom.as_str(), place)).collect();
        let mut members = Vec::new();
        for (records, atoms) in families {
            if atoms.len() != collection.blocks().len() {
                return Err(UnknownAtom);
            }
            let atoms = atoms.iter().zip(collection.blocks()).map(|(atom, block)| {
                let place = *places.get(atom.as_str()).filter(|place| block.contains(place)).ok_or(UnknownAtom)?;
                u32::try_from(place).map_err(|_| UnknownAtom)
            });
            members.push(Member { records, atoms: atoms.collect::<Result<_, _>>()? });
        }
        Ok(Self { atoms: collection.atoms().to_vec(), members })
    }

    /// How many families there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many there are in each atom of the collection that the cohort was made for.
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.atoms.len()];
        for atom in self.members.iter().flat_map(|member| &member.atoms) {
            counts[*atom as usize] += 1;
        }
        counts
    }

    /// The families in any of these atoms.
    fn inside<'a>(&'a self, atoms: &HashSet<&str>) -> Vec<&'a Member> {
        let is_in: Vec<bool> = self.atoms.iter().map(|atom| atoms.contains(atom.as_str())).collect();
        let holds = |member: &&Member| member.atoms.iter().any(|atom| is_in.get(*atom as usize) == Some(&true));
        self.members.iter().filter(holds).collect()
    }

    /// Whether it was counted by the atoms of this collection, so that a figure of both means the same.
    pub fn is_of(&self, collection: &Collection) -> bool {
        self.atoms == collection.atoms()
    }

    /// Those who are in any of some atoms, by the atoms' names.
    pub fn narrowed(&self, holds: impl Fn(&str) -> bool) -> Self {
        let atoms: HashSet<&str> = self.atoms.iter().map(String::as_str).filter(|atom| holds(atom)).collect();
        Self { atoms: self.atoms.clone(), members: self.inside(&atoms).into_iter().cloned().collect() }
    }

    /// How many families are in a figure in one cohort and not in the other.
    pub fn differing(&self, later: &Self, atoms: &BTreeSet<&str>) -> usize {
        let atoms: HashSet<&str> = atoms.iter().copied().collect();
        apart(&self.inside(&atoms), &later.inside(&atoms))
    }

    /// How many families are in a figure of this cohort and not in all of another, or the other way round.
    pub fn differing_from_all(&self, other: &Self, atoms: &BTreeSet<&str>) -> usize {
        let atoms: HashSet<&str> = atoms.iter().copied().collect();
        apart(&self.inside(&atoms), &other.members.iter().collect::<Vec<_>>())
    }
}

/// How many families of two lists share a record with none of the other.
fn apart(one: &[&Member], other: &[&Member]) -> usize {
    let records =
        |members: &[&Member]| members.iter().flat_map(|member| member.records.clone()).collect::<HashSet<_>>();
    let absent = |members: &[&Member], records: &HashSet<RecordTag>| {
        members.iter().filter(|member| !member.records.iter().any(|record| records.contains(record))).count()
    };
    absent(one, &records(other)) + absent(other, &records(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cohort(families: &[(&[u64], &str)]) -> Cohort {
        let collection = Collection::new(vec![vec!["a".to_owned(), "b".to_owned()]]);
        let families = families.iter().map(|(records, atom)| (records.to_vec(), vec![(*atom).to_owned()]));
        Cohort::new(&collection, families).expect("known atoms")
    }

    #[test]
    fn changes_are_of_members_and_not_of_counts() {
        let before = cohort(&[(&[1], "a"), (&[2], "a"), (&[3], "b")]);
        let after = cohort(&[(&[1], "b"), (&[3], "a"), (&[2], "a")]);
        assert_eq!(before.counts(), after.counts());
        assert_eq!(before.differing(&after, &BTreeSet::from(["a"])), 2, "one went and one came");
        assert_eq!(before.differing(&after, &BTreeSet::from(["a", "b"])), 0);
    }

    #[test]
    fn a_family_that_gained_a_record_is_the_same_family() {
        let before = cohort(&[(&[1, 2], "a")]);
        assert_eq!(before.differing(&cohort(&[(&[0, 2], "a")]), &BTreeSet::from(["a"])), 0);
        assert_eq!(before.differing(&cohort(&[(&[0, 3], "a")]), &BTreeSet::from(["a"])), 2);
    }

    #[test]
    fn a_family_without_a_place_is_refused() {
        let collection = Collection::new(vec![vec!["a".to_owned()]]);
        assert_eq!(Cohort::new(&collection, [(vec![1], vec!["c".to_owned()])]), Err(UnknownAtom));
        assert_eq!(Cohort::new(&collection, [(vec![1], Vec::new())]), Err(UnknownAtom));
    }
}
