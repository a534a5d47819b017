//! The command line as processes.

mod agency;
mod enquire;
pub(crate) mod gateway;
mod keys;
mod log;
mod policy;
pub(crate) mod serve;
mod tokenise;
mod towards_gateway;
