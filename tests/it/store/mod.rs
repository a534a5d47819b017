//! The database layer on both engines.

mod schema;
