//! How an agency comes into a programme, from both sides.

mod join;
