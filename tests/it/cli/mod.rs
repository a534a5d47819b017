//! The command line as processes.

pub(crate) mod agency;
mod enquire;
pub(crate) mod gateway;
mod keys;
mod log;
pub(crate) mod policy;
mod serve;
mod tokenise;
mod towards_gateway;
