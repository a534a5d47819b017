//! Commands of information-governance officers. They go straight to the database by the configuration file,
//! through the same journeys as the running gateway; the agency's own part of a review goes by the API.

pub mod alerts;
pub mod review;
