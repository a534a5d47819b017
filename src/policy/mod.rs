//! Agreements and rules: who may be told what, decided before any record is read.
//!
//! [`PolicyBook`] holds the programme, the agencies, the agreements as they stand and the rule book.
//! [`decide::contributors`] fixes from the terms of an enquiry alone which (supplier, item) may
//! contribute to its answer; everything else is denied with the rule that denies it. The rules are a
//! fixed Cedar book under `policies/rules/`; an evaluation error denies.

pub mod book;
pub mod cache;
pub mod cases;
pub mod check;
pub mod decide;
pub mod decision;
pub mod diff;
pub mod dpia;
pub mod explain;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod limits;
pub mod matrix;
pub mod measure;
#[cfg(test)]
mod permits;
#[cfg(test)]
mod reference;
pub mod reidentify;
pub mod rules;
pub mod self_test;

pub use book::PolicyBook;
pub use cache::DecisionCache;
pub use decide::{contributors, contributors_for_statistics};
pub use decision::{Charge, Decision, Outcome, Permitted, Refusal, SupplierFeed, TermRef, Terms};
pub use rules::{RuleBook, RuleHit};
pub use self_test::self_test;
