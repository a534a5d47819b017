//! Vocabulary and rules: the nouns of the programme, parsed once and then trusted.

pub mod agency;
pub mod agreement;
pub mod claim;
pub mod claim_rules;
pub mod columns;
pub mod criterion;
pub mod enquiry;
pub mod epoch;
pub mod evidence;
pub mod feed;
pub mod ids;
pub mod item;
pub mod labels;
pub mod law;
pub mod match_keys;
pub mod pair;
pub mod policy_file;
pub mod programme;
pub mod record;
pub mod referral;
pub mod statistics;
pub mod submission;
pub mod time;
pub mod token;
pub mod token_check;
