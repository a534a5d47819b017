//! A few records more: only the components that they touch are clustered anew.
//!
//! The same as a gateway does when a submission becomes visible, on files in the place of the database:
//! columns are looked through for the holders of arriving tokens, and the rows of the records of touched
//! components are read one by one.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::files::{ColumnFile, RowFile, by_key, path_of, read_columns, write_columns, write_rows};
use super::people::{KEYS, Society};
use crate::linkage::cluster::clusters;
use crate::linkage::components::Components;
use crate::linkage::joining::persons;
use crate::linkage::record::{LinkRecord, LinkToken};
use crate::linkage::rules::LinkRules;

/// What adding records came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Arrival {
    /// Records before.
    pub(super) records: u32,
    /// Records that arrived.
    pub(super) arriving: u32,
    /// Records that were clustered anew, those that arrived included.
    pub(super) clustered: usize,
    /// Seconds to find the components that arriving tokens touch.
    pub(super) looking_seconds: f64,
    /// Seconds to read and cluster their records.
    pub(super) clustering_seconds: f64,
    /// Whether matching everything again gives the same persons.
    pub(super) is_same: bool,
}

impl Arrival {
    /// The work of matching.
    pub(super) fn seconds(&self) -> f64 {
        self.looking_seconds + self.clustering_seconds
    }
}

/// Adds `arriving` records to a society and times it.
pub(super) fn add(
    before: Society,
    arriving: u32,
    folder: &Path,
    rules: &LinkRules,
    threads: usize,
) -> io::Result<Arrival> {
    let after = Society { arriving, ..before };
    let (old, new) = (0..before.records(), before.records()..after.records());
    let [old_folder, new_folder, all_folder] = ["before", "arriving", "after"].map(|name| folder.join(name));
    let rows = folder.join("rows");
    write_columns(before, old.clone(), &old_folder, threads)?;
    write_columns(after, new.clone(), &new_folder, threads)?;
    write_rows(before, old.clone(), &rows)?;
    let standing = Standing::of(before.records(), &old_folder, rules, threads)?;

    let start = Instant::now();
    let touched = standing.touched(&old_folder, &new_folder, rules, threads)?;
    let looking_seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let mut file = RowFile::open(&rows)?;
    let mut records: Vec<LinkRecord<u32>> = Vec::new();
    for key in touched {
        records.push(LinkRecord { key, tokens: file.tokens(key)?, households: Vec::new() });
    }
    let arrived = arriving_tokens(new.clone(), &new_folder)?;
    let arrived = new.clone().zip(arrived).map(|(key, tokens)| LinkRecord { key, tokens, households: Vec::new() });
    records.extend(arrived);
    let mut found = standing.persons;
    found.extend(new);
    for cluster in clusters(&records, rules) {
        let name = *cluster.name(&records);
        cluster.members().iter().for_each(|&member| found[records[member].key as usize] = name);
    }
    let clustering_seconds = start.elapsed().as_secs_f64();

    write_columns(after, 0..after.records(), &all_folder, threads)?;
    let columns = read_columns(&all_folder, after.records(), rules, threads)?;
    let again = persons(after.records(), columns, &[], rules);
    Ok(Arrival {
        records: before.records(),
        arriving,
        clustered: records.len(),
        looking_seconds,
        clustering_seconds,
        is_same: again == found,
    })
}

/// What is known before records arrive.
struct Standing {
    persons: Vec<u32>,
    component_of: Vec<u32>,
    components: Vec<Vec<usize>>,
}

impl Standing {
    fn of(records: u32, folder: &Path, rules: &LinkRules, threads: usize) -> io::Result<Self> {
        let columns = read_columns(folder, records, rules, threads)?;
        let mut components = Components::new(records as usize);
        for column in columns.iter().filter(|column| rules.rank(column.kind()).is_some()) {
            column.join_components(&mut components);
        }
        let persons = persons(records, columns, &[], rules);
        let components = components.into_sets();
        let mut component_of = vec![0; records as usize];
        for (number, component) in (0..).zip(&components) {
            for &record in component {
                component_of[record] = number;
            }
        }
        Ok(Self { persons, component_of, components })
    }

    /// The records of the components that share a linking token with an arriving record.
    fn touched(&self, old: &Path, new: &Path, rules: &LinkRules, threads: usize) -> io::Result<Vec<u32>> {
        let found = by_key(threads, |key| {
            let mut touched: BTreeSet<u32> = BTreeSet::new();
            if rules.rank(key as u16).is_none() {
                return Ok(touched);
            }
            let mut arriving = ColumnFile::open(&path_of(new, key))?;
            let mut standing = ColumnFile::open(&path_of(old, key))?;
            let mut next = arriving.next();
            for (value, record) in &mut standing {
                while next.is_some_and(|(asked, _)| asked < value) {
                    next = arriving.next();
                }
                if next.is_some_and(|(asked, _)| asked == value) {
                    touched.insert(self.component_of[record as usize]);
                }
            }
            standing.finish()?;
            Ok(touched)
        })?;
        let touched: BTreeSet<u32> = found.into_iter().flatten().collect();
        let records = touched.into_iter().flat_map(|component| &self.components[component as usize]);
        Ok(records.map(|&record| record as u32).collect())
    }
}

/// The tokens of the records that arrive, from their columns.
fn arriving_tokens(new: std::ops::Range<u32>, folder: &Path) -> io::Result<Vec<Vec<LinkToken>>> {
    let mut tokens = vec![Vec::with_capacity(KEYS); new.len()];
    for key in 0..KEYS {
        let mut column = ColumnFile::open(&path_of(folder, key))?;
        for (value, record) in &mut column {
            let token = LinkToken { kind: key as u16, epoch: super::people::EPOCH, value };
            tokens[(record - new.start) as usize].push(token);
        }
        column.finish()?;
    }
    Ok(tokens)
}
