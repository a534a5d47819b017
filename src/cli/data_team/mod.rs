//! Commands of the data team.

pub mod claim;
pub mod evaluate;
pub mod families;
pub mod fuzzy;
pub mod match_run;
pub mod referral;
pub mod statistics;
pub mod weights;
