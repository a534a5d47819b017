//! The integration tests, one binary: whatever needs a database, a socket or a process.

mod flows;
mod store;
mod support;
mod web;
