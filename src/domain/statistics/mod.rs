//! Tables of counts that give nobody away.
//!
//! Two profiles: *internal* tables are exact, *public* ones rounded. In both a small count is kept
//! back, and so is whatever would let a reader work it out: from the margins of its own table, from
//! another table that shares figures with it, or from the release before.
//!
//! | file | what |
//! |---|---|
//! | [`profile`] | what is hidden and how the rest is rounded |
//! | [`percent`] | percentages with a named rule for halves |
//! | [`collection`] | tables that share figures, as sums over the same atoms |
//! | `moves` | other worlds that would print the same figures |
//! | [`protect`] | which more figures have to be kept back |
//! | [`cohort`] | who is in a figure, by keyed tags; how many came and went |
//! | [`release`] | what is shown this time, and from which earlier time |
//! | [`table`] | a table as a reader gets it |
//! | [`catalogue`] | the programme's own tables, of households |
//! | [`numbered`] | those of the families that have a number |
//! | [`figures`] | tables of published figures, read from a file |
//!
//! A figure counts as protected only when a *world* was found for each end of what a reader must not
//! be able to rule out: other whole numbers for every atom, none below zero, under which every shown
//! figure of every table reads the same. So no reader, however patient, can exclude those values from
//! what is shown; nothing here trusts that an attacker is less clever than the method.

pub mod catalogue;
pub mod cohort;
pub mod collection;
pub mod figures;
mod moves;
pub mod numbered;
pub mod percent;
pub mod profile;
pub mod protect;
pub mod release;
pub mod table;

#[cfg(test)]
mod attack;
