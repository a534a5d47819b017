//! The command line as processes.

mod agency;
mod enquire;
pub(crate) mod gateway;
mod guess;
mod keys;
mod log;
mod messy;
mod policy;
mod screen;
pub(crate) mod serve;
mod tokenise;
mod towards_gateway;
