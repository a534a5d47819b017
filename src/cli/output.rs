//! What a command prints, and how it ends.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use crate::client::{ServerFieldError, ServerProblem, ServerRule};

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
            let said =
                Said { error: &failure.message, next: failure.next.as_deref(), answer: failure.answer.as_deref() };
            let line = serde_json::to_string(&said).unwrap_or_default();
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        } else {
            self.note(format_args!("porth: {}", failure.message));
            failure
                .answer
                .iter()
                .flat_map(|answer| answer.lines())
                .for_each(|line| self.note(format_args!("  {line}")));
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
    answer: Option<Box<GatewayAnswer>>,
}

/// What the gateway's own answer says of a refusal: which fields, which rules, and that it is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GatewayAnswer {
    /// The kind of problem.
    kind: String,
    /// The gateway's own short name of the fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ServerFieldError>,
    /// The rules in the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<ServerRule>,
    /// The log entry of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    disclosure: Option<String>,
    /// The signed promise that it is in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
}

impl GatewayAnswer {
    /// What a problem says.
    pub fn of(problem: &ServerProblem) -> Self {
        let ServerProblem { kind, code, errors, rules, disclosure, receipt, .. } = problem.clone();
        Self { kind, code, errors, rules, disclosure, receipt }
    }

    /// The receipt.
    pub fn receipt(&self) -> Option<&str> {
        self.receipt.as_deref()
    }

    fn lines(&self) -> Vec<String> {
        let error = |error: &ServerFieldError| {
            let row = error.row.map(|row| format!("row {row}, ")).unwrap_or_default();
            format!("{row}{}: {} ({})", error.field, error.message, error.code)
        };
        let mut lines: Vec<String> = self.errors.iter().map(error).collect();
        lines.extend(self.rules.iter().map(|rule| format!("{} ({})", rule.say, rule.rule)));
        lines.extend(self.disclosure.iter().map(|entry| format!("This refusal is log entry {entry}.")));
        lines
    }
}

/// A failure as JSON.
#[derive(Serialize)]
struct Said<'a> {
    error: &'a str,
    next: Option<&'a str>,
    #[serde(flatten)]
    answer: Option<&'a GatewayAnswer>,
}

impl Failure {
    /// Something failed: exit code 1.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), next: None, code: 1, answer: None }
    }
    /// The command was used wrongly, as with an argument that cannot be: exit code 2.
    pub fn misused(message: impl fmt::Display) -> Self {
        Self { code: 2, ..Self::failed(message) }
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
    /// Adds what the gateway's own answer says.
    pub fn answered(mut self, problem: &ServerProblem) -> Self {
        self.answer = Some(Box::new(GatewayAnswer::of(problem)));
        self
    }
    /// What the gateway's own answer says.
    pub fn answer(&self) -> Option<&GatewayAnswer> {
        self.answer.as_deref()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_rules_its_fields_and_its_entry_in_text_and_in_json() {
        let problem = r#"{"kind":"no-agreement","status":403,"title":"No.","next":"Read the rules listed.",
            "rules":[{"rule":"R03","say":"The clause does not allow this form of answer."}],
            "errors":[{"row":2,"field":"mode","code":"mode","message":"is not allowed"}],
            "disclosure":"0199b4a0-7c00-7000-8000-000000000001","receipt":"a receipt"}"#;
        let problem: ServerProblem = serde_json::from_str(problem).expect("a problem");
        let answer = GatewayAnswer::of(&problem);
        assert_eq!(
            answer.lines(),
            [
                "row 2, mode: is not allowed (mode)",
                "The clause does not allow this form of answer. (R03)",
                "This refusal is log entry 0199b4a0-7c00-7000-8000-000000000001.",
            ]
        );
        let said = Said { error: "no", next: Some("read"), answer: Some(&answer) };
        let value = serde_json::to_value(&said).expect("plain data");
        assert_eq!((&value["error"], &value["rules"][0]["rule"]), (&"no".into(), &"R03".into()));
        assert_eq!((&value["receipt"], &value["errors"][0]["row"]), (&"a receipt".into(), &2.into()));
    }
}
