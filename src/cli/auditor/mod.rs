//! Commands of auditors.

pub mod log;
