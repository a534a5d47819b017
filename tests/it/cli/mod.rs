//! The command line as processes.

pub(crate) mod agency;
mod enquire;
pub(crate) mod gateway;
mod guess;
mod keys;
mod live;
mod log;
mod match_run;
mod messy;
pub(crate) mod policy;
mod possible_matches;
mod reid;
mod screen;
pub(crate) mod serve;
mod tokenise;
mod towards_gateway;
