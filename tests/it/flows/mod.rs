//! The main job, journey after journey, on both engines.

mod arrival;
mod deltas;
mod epochs;
mod faults;
mod febrl;
mod main_job;
mod uploads;
