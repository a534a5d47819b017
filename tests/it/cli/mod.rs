//! The command line as processes.

mod agency;
mod gateway;
mod keys;
mod log;
mod policy;
mod serve;
