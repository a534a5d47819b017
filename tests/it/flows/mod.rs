//! The main job, journey after journey, on both engines.

mod arrival;
mod faults;
mod main_job;
