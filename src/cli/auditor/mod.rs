//! Commands of auditors.

pub mod claim;
pub mod log;
pub mod witness;
