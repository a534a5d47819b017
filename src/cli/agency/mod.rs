//! Commands of agencies.

pub mod enquire;
pub mod submit;
pub mod tokenise;
