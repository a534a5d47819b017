//! Why the demonstration cannot go on.

use std::fmt::Display;

use crate::cli::output::Failure;

/// What went wrong, and with what.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub(super) struct Trouble {
    what: &'static str,
    why: String,
}

impl Trouble {
    pub(super) fn new(what: &'static str, why: impl Display) -> Self {
        Self { what, why: why.to_string() }
    }
}

/// Says with what an error happened.
pub(super) fn trouble<E: Display>(what: &'static str) -> impl Fn(E) -> Trouble {
    move |error| Trouble::new(what, error)
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::failed(format_args!("the demonstration stopped: {trouble}"))
    }
}
