//! The story as it is told: figures, and claims that were checked.

use std::fmt::Display;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cli::output::{Failure, Output};

/// What is told, and what was claimed.
pub(super) struct Story {
    output: Output,
    began: Instant,
    chapters: usize,
    claims: Vec<(String, bool)>,
    figures: serde_json::Map<String, serde_json::Value>,
}

impl Story {
    pub(super) fn new(output: Output) -> Self {
        Self { output, began: Instant::now(), chapters: 0, claims: Vec::new(), figures: serde_json::Map::new() }
    }

    /// Begins a chapter.
    pub(super) fn chapter(&mut self, title: &str) {
        self.chapters += 1;
        self.say(format_args!("\n{}. {title}", self.chapters));
    }

    /// Tells a line.
    pub(super) fn say(&self, text: impl Display) {
        if !self.output.is_json() {
            self.output.line(text);
        }
    }

    /// Keeps a figure for the machine-readable form.
    pub(super) fn figure(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        self.figures.insert(name.to_owned(), value.into());
    }

    /// States something that was checked just now.
    pub(super) fn claim(&mut self, text: impl Display, holds: bool) {
        self.say(format_args!("   [{}] {text}", if holds { "holds" } else { "FAILS" }));
        self.claims.push((text.to_string(), holds));
    }

    /// Sums up. An error unless every claim held.
    pub(super) fn end(self) -> Result<(), Failure> {
        let failed = self.claims.iter().filter(|(_, holds)| !holds).count();
        let seconds = self.began.elapsed().as_secs_f64();
        if self.output.is_json() {
            let claims: Vec<_> =
                self.claims.iter().map(|(text, holds)| json!({ "claim": text, "holds": holds })).collect();
            let value = json!({ "claims": claims, "figures": self.figures, "seconds": seconds });
            self.output.result("", &value);
        } else {
            let held = self.claims.len() - failed;
            self.output.line(format_args!("\n{held} of {} claims held; {seconds:.1} seconds.", self.claims.len()));
        }
        if failed == 0 { Ok(()) } else { Err(Failure::faulty(format!("{failed} claims of the demonstration failed"))) }
    }
}

/// `1.24 s` or `35 ms`.
pub(super) fn span(time: Duration) -> String {
    if time.as_millis() >= 1000 { format!("{:.2} s", time.as_secs_f64()) } else { format!("{} ms", time.as_millis()) }
}

/// `12,345`.
pub(super) fn number(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!([0, 12, 999, 1_000, 1_234_567].map(number), ["0", "12", "999", "1,000", "1,234,567"]);
        assert_eq!(span(Duration::from_millis(999)), "999 ms");
        assert_eq!(span(Duration::from_millis(1_240)), "1.24 s");
    }

    #[test]
    fn a_claim_that_fails_fails_the_story() {
        let mut story = Story::new(Output::new(false));
        story.claim("two and two is four", true);
        let mut wrong = Story::new(Output::new(false));
        wrong.claim("two and two is five", false);
        assert!(story.end().is_ok() && wrong.end().is_err());
    }
}
