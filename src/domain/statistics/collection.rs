//! Tables that share figures.
//!
//! Every figure is a sum over *atoms*: groups that overlap nowhere and together hold everybody, such
//! as the families that meet exactly two named areas in one locality. Tables about different sides of
//! the same families need not be crossed: each side is a *block* of atoms of its own, and all that
//! the blocks share is how many there are in all.

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

/// Tables whose figures are sums over the same atoms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Collection {
    atoms: Vec<String>,
    blocks: Vec<std::ops::Range<usize>>,
    statistics: Vec<Statistic>,
    by_atoms: BTreeMap<Vec<usize>, usize>,
    tables: Vec<Layout>,
}

impl Collection {
    /// A collection over blocks of atoms, each with a name that is its own in the whole collection.
    pub fn new(blocks: Vec<Vec<String>>) -> Self {
        let mut collection = Self::default();
        for block in blocks {
            let start = collection.atoms.len();
            collection.atoms.extend(block);
            collection.blocks.push(start..collection.atoms.len());
        }
        collection
    }

    /// Adds a figure, or finds the one that counts the same atoms: then it is one figure in two
    /// tables, shown in both or in none. `None` when there is no such atom.
    pub fn statistic(&mut self, key: &str, weight: u32, counts: impl Fn(&str) -> bool) -> Option<usize> {
        let mut atoms: Vec<usize> = (0..self.atoms.len()).filter(|&atom| counts(&self.atoms[atom])).collect();
        if atoms.is_empty() {
            return None;
        }
        // Everybody of one block is everybody of another.
        if self.blocks.iter().any(|block| block.clone().eq(atoms.iter().copied())) {
            atoms = self.blocks[0].clone().collect();
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
}
