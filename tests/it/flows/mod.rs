//! The main job, journey after journey, on both engines.

mod main_job;
