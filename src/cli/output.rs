//! What a command prints, and how it ends.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use serde::Serialize;

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

impl Output {
    /// As text for people, or as JSON for machines.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether results are JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a result: `text` for people, `value` for machines.
    pub fn result(&self, text: impl fmt::Display, value: &impl Serialize) {
        if self.json {
            let line = serde_json::to_string(value).unwrap_or_default();
            self.line(line);
        } else {
            self.line(text);
        }
    }

    /// Prints one line of a result.
    pub fn line(&self, text: impl fmt::Display) {
        // A reader that closed the pipe wants no more: not a failure of the command.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// Tells people what goes on, on standard error.
    pub fn note(&self, text: impl fmt::Display) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    pub(super) fn fail(self, failure: &Failure) -> ExitCode {
        if self.json {
            let value = serde_json::json!({ "error": failure.message, "next": failure.next });
            let _ = writeln!(std::io::stderr().lock(), "{value}");
        } else {
            self.note(format_args!("porth: {}", failure.message));
            if let Some(next) = &failure.next {
                self.note(format_args!("  {next}"));
            }
        }
        ExitCode::from(failure.code)
    }
}

/// Why a command failed, what to do next, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    message: String,
    next: Option<String>,
    code: u8,
}

impl Failure {
    /// Something failed: exit code 1.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), next: None, code: 1 }
    }
    /// The command was given what it cannot take: exit code 2.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self { code: 2, ..Self::failed(message) }
    }
    /// The gateway refused: exit code 3.
    pub fn refused(message: impl fmt::Display) -> Self {
        Self { code: 3, ..Self::failed(message) }
    }
    /// A verification found faults: exit code 4.
    pub fn faulty(message: impl fmt::Display) -> Self {
        Self { code: 4, ..Self::failed(message) }
    }
    /// The configuration or a key is refused: exit code 78.
    pub fn unusable(message: impl fmt::Display) -> Self {
        Self { code: 78, ..Self::failed(message) }
    }
    /// What went wrong.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
    /// What to do next.
    pub(crate) fn next_step(&self) -> Option<&str> {
        self.next.as_deref()
    }
    /// Says first what it is about, such as a file.
    pub fn about(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
    /// Says what to do next.
    pub fn next(mut self, next: impl fmt::Display) -> Self {
        self.next = Some(next.to_string());
        self
    }
}
