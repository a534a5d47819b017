//! The command line as processes.

pub(crate) mod agency;
mod claim;
mod enquire;
pub(crate) mod gateway;
mod guess;
mod keys;
mod likeness;
mod live;
mod log;
mod match_run;
mod messy;
pub(crate) mod policy;
mod possible_matches;
pub(crate) mod screen;
pub(crate) mod serve;
mod subject;
pub(crate) mod tokenise;
mod towards_gateway;
