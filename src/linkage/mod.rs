//! Matching: which records are one person, and which persons are one family.
//!
//! Everything here is a pure function of its arguments. Records come as blinded tokens, so a
//! match says that two agencies hold the same person without saying who that is. The result never
//! depends on the order in which records arrive: ties break by (agency, feed, reference).
//!
//! | file | its noun |
//! |---|---|
//! | [`record`] | what linkage sees of a record |
//! | [`rules`] | what each kind of token may do |
//! | [`conflict`] | when two records cannot be one person |
//! | [`components`] | records that could be linked at all |
//! | [`cluster`] | records that are one person |
//! | [`column`] | who holds the same token of one kind |
//! | [`joining`] | persons out of columns, millions of records at a time |
//! | [`household`] | persons who are one family, by the minimal rule |
//! | [`standing_family`] | persons who may stand as one family across agencies |
//! | [`attach`] | which person an enquiry is about |
//! | [`shield`] | which records a restricted person hides |
//! | [`match_run`] | which families a match run finds in its snapshot |
//! | [`weigh`] | how probable it is that two records which no match key joins are one person |
//! | [`join`] | which rows of two columns hold the same token |
//! | [`dice`] | which fuzzy encodings are alike |
//! | [`fuzzy`] | which persons fuzzy encodings join, after everything else |
//! | [`explain`] | why two records were or were not linked |
//! | [`candidates`] | pairs of records that a person should look at |
//! | [`design`] | which combinations of fields become match keys |

pub mod attach;
pub mod candidates;
pub mod cluster;
pub mod column;
pub mod components;
pub mod conflict;
pub mod design;
pub mod dice;
pub mod explain;
pub mod fuzzy;
pub mod household;
pub mod join;
pub mod joining;
pub mod match_run;
#[cfg(test)]
pub(crate) mod people;
pub mod record;
pub mod rules;
pub mod shield;
pub mod standing_family;
pub mod weigh;
