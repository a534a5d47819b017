//! The integration tests, one binary: whatever needs a database, a socket or a process, and what
//! holds for the tree as a whole.

mod architecture;
mod dependencies;
mod readme;
mod store;
mod support;
mod web;
