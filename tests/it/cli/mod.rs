//! The command line, run as a process.

mod enquire;
mod tokenise;
