//! What an operator does to a gateway that is in use, and what it must survive.

mod backup;
mod cli;
mod configuration;
mod doctor;
mod documents;
mod schema;
mod suspend;
