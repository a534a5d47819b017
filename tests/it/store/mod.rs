//! The database layer on both engines.

mod decided;
mod schema;
