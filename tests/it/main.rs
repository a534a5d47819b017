//! The integration tests, one binary: whatever needs a database, a socket or a process, and what
//! holds for the tree as a whole.

mod access_matrix;
mod api;
mod architecture;
mod authorisation;
mod cli;
mod console;
mod dependencies;
mod families;
mod flows;
mod keys;
mod linkage;
mod log;
mod match_runs;
mod onboarding;
mod openapi;
mod operate;
mod possible_matches;
mod readme;
mod recalls;
mod reidentification;
mod review;
mod rights;
mod statistics;
mod store;
mod support;
mod web;
