//! Commands of the data team.

pub mod evaluate;
pub mod weights;
