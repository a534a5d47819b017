//! The command line as processes.

mod agency;
mod enquire;
mod gateway;
mod guess;
mod keys;
mod log;
mod messy;
mod policy;
mod screen;
mod serve;
mod tokenise;
mod towards_gateway;
