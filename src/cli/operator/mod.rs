//! Commands of the operator.

pub mod agency;
pub mod keys;
pub mod migrate;
pub mod policy;
pub mod sequence;
pub mod serve;
