//! How much work this process gave its databases. A figure for operators; and what a test counts by that
//! asks whether a person whom somebody shields costs what a person costs whom nobody knows.

use std::sync::atomic::{AtomicU64, Ordering};

use super::value::Value;

static STATEMENTS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// What was asked of databases since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseWork {
    /// Statements that were run.
    pub statements: u64,
    /// Bytes that were given with them as parameters.
    pub bytes: u64,
}

impl DatabaseWork {
    /// Up to now.
    pub fn so_far() -> Self {
        Self { statements: STATEMENTS.load(Ordering::Relaxed), bytes: BYTES.load(Ordering::Relaxed) }
    }

    /// Since an earlier look.
    pub const fn since(self, earlier: Self) -> Self {
        Self { statements: self.statements - earlier.statements, bytes: self.bytes - earlier.bytes }
    }
}

/// Counts a statement.
pub(super) fn note(values: &[Value<'_>]) {
    let bytes: usize = values
        .iter()
        .map(|value| match value {
            Value::Int(_) => 8,
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::NoInt | Value::NoText | Value::NoBytes => 0,
        })
        .sum();
    STATEMENTS.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
}
