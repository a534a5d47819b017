//! How an agency comes into a programme, from both sides.

mod clients;
mod doctor;
mod join;
mod page;
