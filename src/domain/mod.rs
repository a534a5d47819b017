//! Vocabulary and rules: the nouns of the programme, parsed once and then trusted.

pub mod ids;
pub mod labels;
pub mod match_keys;
pub mod record;
pub mod time;
pub mod token;
