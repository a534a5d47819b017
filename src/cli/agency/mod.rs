//! Commands of agencies.

pub mod enquire;
pub mod key_file;
pub mod submit;
pub mod tokenise;
