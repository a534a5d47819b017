//! Tables that share figures.
//!
//! Every figure is a sum over *atoms*: groups that overlap nowhere and together hold everybody, such
//! as the families that meet exactly two named areas in one locality. Tables about different sides of
//! the same families need not be crossed: each side is a *block* of atoms of its own. What blocks share
//! are groups that both tell apart: everybody at least. Such groups are *tied*: they are one figure.

use std::collections::BTreeMap;

/// A figure: how many are in some of the atoms of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistic {
    /// Its lasting name, under which releases remember it.
    pub key: String,
    /// The atoms that it counts, ascending.
    pub atoms: Vec<usize>,
    /// How much is lost when it is not shown.
    pub weight: u32,
}

/// A place in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// A figure, and the figure of which it is a percentage.
    Of(usize, Option<usize>),
    /// There is no such group.
    NotApplicable,
    /// Nobody may say, or nobody was asked.
    Unavailable,
}

/// A dimension of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    /// What it is.
    pub title: String,
    /// Its places, in order.
    pub labels: Vec<String>,
}

/// A table without its counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Its name, such as `areas`.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// The rows.
    pub rows: Dimension,
    /// The columns.
    pub columns: Dimension,
    /// Row by row.
    pub cells: Vec<Vec<Cell>>,
    /// The figure that counts everybody in the table, where there is one.
    pub base: Option<usize>,
    /// What a reader needs to know.
    pub notes: Vec<String>,
    /// Figures that are known to contradict one another or another source.
    pub conflicts: Vec<String>,
}

/// A group that two blocks tell apart: as many are in the atoms of the one as in those of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tie {
    /// Its atoms in the first block, ascending.
    pub first: Vec<usize>,
    /// Its atoms in another block, ascending.
    pub other: Vec<usize>,
}

/// Tables whose figures are sums over the same atoms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Collection {
    atoms: Vec<String>,
    blocks: Vec<std::ops::Range<usize>>,
    ties: Vec<Tie>,
    statistics: Vec<Statistic>,
    by_atoms: BTreeMap<Vec<usize>, usize>,
    tables: Vec<Layout>,
}

impl Collection {
    /// A collection over blocks of atoms, each with a name that is its own in the whole collection. All
    /// that the blocks share is how many there are in all.
    pub fn new(blocks: Vec<Vec<String>>) -> Self {
        Self::tied(blocks, &[|_: &str| true])
    }

    /// A collection whose blocks all tell the same groups apart. The groups overlap nowhere and together
    /// hold every atom.
    pub fn tied(blocks: Vec<Vec<String>>, groups: &[impl Fn(&str) -> bool]) -> Self {
        let mut collection = Self::default();
        for block in blocks {
            let start = collection.atoms.len();
            collection.atoms.extend(block);
            collection.blocks.push(start..collection.atoms.len());
        }
        let of_group = |block: &std::ops::Range<usize>, is_in: &dyn Fn(&str) -> bool| -> Vec<usize> {
            block.clone().filter(|&atom| is_in(&collection.atoms[atom])).collect()
        };
        let mut ties = Vec::new();
        for group in groups {
            let mut blocks = collection.blocks.iter().map(|block| of_group(block, group));
            let first = blocks.next().unwrap_or_default();
            ties.extend(blocks.map(|other| Tie { first: first.clone(), other }));
        }
        collection.ties = ties;
        collection
    }

    /// Adds a figure, or finds the one that counts the same atoms: then it is one figure in two
    /// tables, shown in both or in none. `None` when there is no such atom.
    pub fn statistic(&mut self, key: &str, weight: u32, counts: impl Fn(&str) -> bool) -> Option<usize> {
        let mut atoms: Vec<usize> = (0..self.atoms.len()).filter(|&atom| counts(&self.atoms[atom])).collect();
        if atoms.is_empty() {
            return None;
        }
        if let Some(same) = self.in_first_block(&atoms) {
            atoms = same;
        }
        if let Some(same) = self.by_atoms.get(&atoms) {
            let weight = self.statistics[*same].weight.max(weight);
            self.statistics[*same].weight = weight;
            return Some(*same);
        }
        self.by_atoms.insert(atoms.clone(), self.statistics.len());
        self.statistics.push(Statistic { key: key.to_owned(), atoms, weight: weight.max(1) });
        Some(self.statistics.len() - 1)
    }

    /// The same people by atoms of the first block, where tied groups of another make up these.
    fn in_first_block(&self, atoms: &[usize]) -> Option<Vec<usize>> {
        let within = |tie: &&Tie| !tie.other.is_empty() && tie.other.iter().all(|atom| atoms.contains(atom));
        let (mut covered, mut same) = (0, Vec::new());
        for tie in self.ties.iter().filter(within) {
            covered += tie.other.len();
            same.extend_from_slice(&tie.first);
        }
        same.sort_unstable();
        (covered == atoms.len()).then_some(same)
    }

    /// Adds a table over figures of the collection.
    pub fn add_table(&mut self, table: Layout) {
        self.tables.push(table);
    }

    /// The names of the atoms.
    pub fn atoms(&self) -> &[String] {
        &self.atoms
    }
    /// The blocks, as ranges of atoms.
    pub fn blocks(&self) -> &[std::ops::Range<usize>] {
        &self.blocks
    }
    /// The groups that blocks share.
    pub fn ties(&self) -> &[Tie] {
        &self.ties
    }
    /// The figures.
    pub fn statistics(&self) -> &[Statistic] {
        &self.statistics
    }
    /// The tables.
    pub fn tables(&self) -> &[Layout] {
        &self.tables
    }
    /// A table by name.
    pub fn table(&self, name: &str) -> Option<&Layout> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The counts of the figures, from those of the atoms.
    pub fn values(&self, counts: &[u64]) -> Vec<u64> {
        self.statistics.iter().map(|statistic| statistic.atoms.iter().map(|&atom| counts[atom]).sum()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_in_two_tables_is_one_figure() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut collection = Collection::new(vec![names(&["a|x", "a|y", "b|x"]), names(&["1", "2"])]);
        let a = collection.statistic("a", 1, |atom| atom.starts_with('a'));
        assert_eq!(collection.statistic("again", 1, |atom| atom == "a|x" || atom == "a|y"), a);
        assert_eq!(collection.statistic("none", 1, |atom| atom == "c"), None);
        let all = collection.statistic("all", 1, |atom| atom.contains('|'));
        assert_eq!(collection.statistic("all by size", 9, |atom| !atom.contains('|')), all);
        assert_eq!(collection.values(&[1, 2, 3, 4, 2]), [3, 6]);
    }

    #[test]
    fn a_group_that_two_blocks_tell_apart_is_one_figure() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let blocks = vec![names(&["a|x", "a|y", "b|x"]), names(&["1|x", "1|y", "2|x", "2|y"])];
        let of = |end: &'static str| move |atom: &str| atom.ends_with(end);
        let mut collection = Collection::tied(blocks, &[of("|x"), of("|y")]);
        let x = collection.statistic("x", 1, |atom| atom == "a|x" || atom == "b|x");
        assert_eq!(collection.statistic("x again", 1, |atom| atom == "1|x" || atom == "2|x"), x);
        let all = collection.statistic("all", 1, |atom| !atom.starts_with(['1', '2']));
        assert_eq!(collection.statistic("all again", 1, |atom| atom.starts_with(['1', '2'])), all);
        assert_ne!(collection.statistic("a part", 1, |atom| atom == "1|x"), x);
    }
}
