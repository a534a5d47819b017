//! The notice of an incident in words, with what Article 33(3) asks for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::IncidentReport;
use super::pack::Reach;
use crate::domain::ids::AgencyCode;
use crate::domain::incident::CLOCK_SECONDS;

/// The notice in words, in the order of Article 33(3).
pub(super) fn words(report: &IncidentReport, reach: &Reach) -> String {
    let incident = &report.incident;
    let mut text = format!("# Incident {}\n\nWritten at {}. Nobody is named in this pack.\n", report.id, report.now);
    let _ = writeln!(text, "\n## What happened, and when\n");
    let _ = writeln!(text, "- Kind: {}; reason: {}", incident.nature, incident.reason);
    let _ = writeln!(
        text,
        "- The controller became aware at {}; it was recorded at {}.",
        incident.aware_at, incident.opened_at
    );
    let _ = writeln!(text, "- {}", clock(report));
    let _ = writeln!(text, "\n## Categories and numbers\n");
    let _ = writeln!(
        text,
        "- Categories of people: members of families of whom agencies of the programme hold records. Who they are \
         is known to these agencies alone."
    );
    let told: Vec<&str> = reach.items.iter().map(String::as_str).collect();
    let told = if told.is_empty() { "none that the log tells of".to_owned() } else { told.join(", ") };
    let _ = writeln!(text, "- Categories of records, by what the answers told (areas and items): {told}.");
    counts(&mut text, "Answers that were found to be wrong", &reach.wrong);
    counts(&mut text, "Answers that the incident is about", &reach.linked);
    match incident.assessment() {
        None => drop(writeln!(text, "Not assessed yet.")),
        Some(assessment) => {
            let _ = writeln!(text, "- About {} people and {} records.", assessment.people, assessment.records);
            let _ = writeln!(text, "\n## Likely consequences\n");
            let _ = writeln!(text, "- Risk: {} ({}).", assessment.risk, assessment.reason);
            list(&mut text, &assessment.consequences);
            let _ = writeln!(text, "\n## Measures\n");
            list(&mut text, &assessment.measures);
        }
    }
    for recall in &reach.recalls {
        let field = |name: &str| recall[name].as_str().map_or_else(|| recall[name].to_string(), str::to_owned);
        let _ = writeln!(
            text,
            "- Recall {}: {}; {} answers looked at, {} wrong, {} untouched.",
            field("recall"),
            field("state"),
            field("looked_at"),
            field("wrong"),
            field("untouched")
        );
    }
    let _ = writeln!(text, "\n## Where more can be learned: Data Protection Officers\n");
    let contacts: Vec<String> = reach.officers.iter().map(|(agency, contact)| format!("{agency}: {contact}")).collect();
    list(&mut text, &contacts);
    let _ = writeln!(text, "\n## Decision\n");
    match incident.decision() {
        None => drop(writeln!(text, "Not decided yet.")),
        Some(decision) => {
            let word = |is: bool| if is { "is notified" } else { "is not notified" };
            let _ = writeln!(text, "- The Commissioner {}.", word(decision.notify_commissioner));
            let told = if decision.notify_people { "are told" } else { "are not told" };
            let _ = writeln!(text, "- The people {told}.");
            let _ = writeln!(
                text,
                "- Decided at {} by {} and {}: {}.",
                decision.at, decision.by, decision.seconded_by, decision.reason
            );
            if let Some(late) = &decision.late_reason {
                let _ = writeln!(text, "- It is later than 72 hours: {late}.");
            }
        }
    }
    let _ = writeln!(text, "\n## Entries of the disclosure log\n");
    for event in &reach.entries {
        let _ = writeln!(text, "- entries/{event}.json, entries/{event}.tlog-proof");
    }
    text
}

/// The 72 hours: what is left of them, or how soon it was decided.
fn clock(report: &IncidentReport) -> String {
    let incident = &report.incident;
    if let Some(decision) = incident.decision() {
        let hours = (CLOCK_SECONDS - incident.remaining_seconds(decision.at)) / 3600;
        return format!("Who is notified was decided {hours} whole hours after awareness; the law allows 72.");
    }
    let left = incident.remaining_seconds(report.now);
    let hours = left.abs() / 3600;
    if left < 0 {
        format!("The 72 hours have been over for {hours} hours.")
    } else {
        format!("The 72 hours leave {hours} hours.")
    }
}

fn counts(text: &mut String, what: &str, by_agency: &BTreeMap<AgencyCode, u64>) {
    if by_agency.is_empty() {
        let _ = writeln!(text, "- {what}: none.");
        return;
    }
    let _ = writeln!(text, "- {what}, by the agency that received them:");
    for (agency, count) in by_agency {
        let _ = writeln!(text, "  - {agency}: {count}");
    }
}

fn list(text: &mut String, lines: &[String]) {
    if lines.is_empty() {
        let _ = writeln!(text, "- none recorded");
    }
    for line in lines {
        let _ = writeln!(text, "- {line}");
    }
}
