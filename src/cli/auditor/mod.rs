//! Commands of auditors.

pub mod log;
pub mod witness;
