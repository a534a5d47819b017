//! Vocabulary and rules: the nouns of the programme, parsed once and then trusted.

pub mod agency;
pub mod agreement;
pub mod clk;
pub mod columns;
pub mod criterion;
pub mod enquiry;
pub mod epoch;
pub mod evidence;
pub mod ids;
pub mod item;
pub mod labels;
pub mod law;
pub mod match_keys;
pub mod policy_file;
pub mod programme;
pub mod record;
pub mod submission;
pub mod time;
pub mod token;
