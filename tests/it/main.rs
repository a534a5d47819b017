//! The integration tests, one binary: whatever needs a database, a socket or a process.

mod cli;
mod store;
mod support;
mod web;
