//! What agencies' systems do, over the wire.

mod agreements;
mod enquiries;
mod log;
mod match_runs;
mod screenings;
mod submissions;
mod uploads;
