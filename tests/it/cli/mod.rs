//! The command line, run as a process.

mod enquire;
mod gateway;
mod tokenise;
