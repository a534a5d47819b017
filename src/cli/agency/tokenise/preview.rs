//! `--dry-run`: exactly what would leave for the first rows, and in plain words what leaves and
//! what stays. Nothing is written.

use std::fmt::Write as _;
use std::io;

use serde_json::{Value, json};

use super::report::Report;
use super::row::Task;
use crate::cli::output::Output;
use crate::domain::submission::Header;

/// Keeps the header line and the first record lines; lets the others go by.
pub(super) struct Preview {
    text: Vec<u8>,
    lines_left: usize,
}

impl Preview {
    pub(super) fn new(records: usize) -> Self {
        Self { text: Vec::new(), lines_left: records.saturating_add(1) }
    }

    pub(super) fn print(&self, task: &Task<'_>, header: &Header, report: &Report, output: &Output) {
        let text = String::from_utf8_lossy(&self.text);
        let (leaves, stays) = (leaves(task, header), stays(task));
        if output.is_json() {
            let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            output.result("", &json!({ "lines": lines, "leaves": leaves, "stays": stays, "report": report }));
            return;
        }
        let mut page = String::new();
        for (title, sentences) in [("This leaves", &leaves), ("This stays", &stays)] {
            let _ = writeln!(page, "{title}");
            for sentence in sentences {
                let _ = writeln!(page, "  - {sentence}");
            }
            page.push('\n');
        }
        let _ = write!(page, "The first lines exactly as they would leave\n{text}\n{report}");
        output.line(page.trim_end());
    }
}

impl io::Write for Preview {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if self.lines_left == 0 {
                break;
            }
            self.text.extend_from_slice(line);
            self.lines_left -= usize::from(line.ends_with(b"\n"));
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn leaves(task: &Task<'_>, header: &Header) -> Vec<String> {
    let (mapping, plan) = (task.mapping, task.plan);
    let types = header.epochs.first().map(|epoch| epoch.key_checks.keys());
    let types: Vec<&str> = types.into_iter().flatten().map(crate::domain::ids::TokenType::as_str).collect();
    let mut sentences = vec![
        format!(
            "once: the names of programme, agency, feed and agreement ({}, {}, {}, {}), the day {}, and key checks that \
             show nothing of the keys",
            header.programme, header.agency, header.feed, header.agreement, header.as_at
        ),
        "for each record: a keyed reference that only your agency can find again".to_owned(),
        format!("for each record: keyed tokens of the types {}", types.join(", ")),
        "for each record: role, parental responsibility and coverage, as words".to_owned(),
    ];
    if !plan.criteria.is_empty() {
        let mut codes: Vec<&str> = plan.criteria.iter().map(|columns| columns.code.as_str()).collect();
        codes.dedup();
        sentences.push(format!("for each record: criteria {} with state, dates and firmness", codes.join(", ")));
    }
    if task.fuzzy.is_some() {
        sentences.push(format!("for each record where enough is known: {}", super::fuzzy::WEAKEST));
    }
    let has_service =
        plan.service.is_some().then_some("since when, the last contact's month, lead, team, open or closed");
    let has_locality = (plan.locality.is_some() || mapping.defaults.locality.is_some()).then_some("the locality");
    let until = plan.assessable_until.is_some() || mapping.defaults.assessable_until.is_some();
    let has_until = until.then_some("the last month in which the person can be assessed");
    let has_restricted = plan.restricted.is_some().then_some("that the person is shielded, and then no household");
    let terms: Vec<String> = plan.attendance.iter().map(|column| column.term.as_str().to_owned()).collect();
    let attendance = format!("attendance below 90 per cent or not, for {}", terms.join(", "));
    let has_attendance = (!terms.is_empty()).then_some(attendance.as_str());
    let has_retract = plan.retract.is_some().then_some("that the record is taken back, and then its reference alone");
    let further = [has_service, has_locality, has_until, has_restricted, has_attendance, has_retract];
    let further = further.into_iter().flatten();
    sentences.extend(further.map(|what| format!("where the file says so: {what}")));
    sentences
}

fn stays(task: &Task<'_>) -> Vec<String> {
    let mut columns: Vec<&str> = task.mapping.record.key.iter().map(String::as_str).collect();
    columns.extend(task.mapping.fields.iter().map(|field| field.column.as_str()));
    columns.dedup();
    let mut sentences = vec![
        format!("what stands in these columns, which only become keyed tokens and references: {}", columns.join(", ")),
        "your keys".to_owned(),
    ];
    if !task.plan.unread.is_empty() {
        sentences.push(format!("these columns, which are not used at all: {}", task.plan.unread.join(", ")));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_header_and_the_first_lines_are_kept_however_they_come() {
        let mut preview = Preview::new(2);
        for part in ["{\"he", "ader\":1}\n", "one\ntwo\nthr", "ee\n"] {
            preview.write_all(part.as_bytes()).expect("memory");
        }
        assert_eq!(preview.text, b"{\"header\":1}\none\ntwo\n");
    }
}
