//! The main job, journey after journey, on both engines.

mod agreements;
mod arrival;
mod claims;
mod criteria;
mod deltas;
mod epochs;
mod equal_work;
mod faults;
mod febrl;
mod fuzzy;
mod landing;
mod legacy;
mod main_job;
mod referrals;
mod retired_tokens;
mod shared_addresses;
mod uploads;
mod weighing;
mod weighing_applied;
