//! Legal-basis review: which disclosures are drawn, what is found of each, and what follows.
//!
//! | file | what |
//! |---|---|
//! | [`kinds`] | which entries are disclosures, and which of them are always reviewed: the one list |
//! | [`sample`] | a sample is drawn: random, stratified, weighted by risk, targeted; a seed gives one sample |
//! | [`finding`] | the fixed outcomes, their severity and action |
//! | [`state`] | where a review is, and what may happen to it next |
//! | [`figures`] | population, coverage, and the error rate with its interval |

pub mod figures;
pub mod finding;
pub mod kinds;
pub mod sample;
pub mod state;
