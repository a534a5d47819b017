//! The integration tests, one binary: whatever needs a database, a socket or a process.

mod api;
mod authorisation;
mod openapi;
mod store;
mod support;
mod web;
