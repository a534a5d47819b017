//! The notice pack of an incident: what the Commissioner and joint controllers are told, and proof of it.
//!
//! It has what happened, when, how many records, which agencies and which entries of the log, each with
//! its text and its inclusion proof. It names nobody: entries hold no identity, and no opening is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{IncidentJourneyError, IncidentReport};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::{AgencyCode, EventId, IncidentId, RecallId};
use crate::store::StoreError;
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Entry};

/// Why a pack is not written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The folder has something in it.
    #[error("{0}: the folder is not empty; a pack is never mixed with anything")]
    NotEmpty(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The incident cannot be read.
    #[error(transparent)]
    Incident(#[from] IncidentJourneyError),
}

impl From<AppError> for PackError {
    fn from(error: AppError) -> Self {
        Self::Incident(error.into())
    }
}
impl From<StoreError> for PackError {
    fn from(error: StoreError) -> Self {
        Self::Incident(error.into())
    }
}

/// What a pack has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Entries of the log, each with its text.
    pub entries: u64,
    /// Those of them that have a proof already.
    pub proved: u64,
    /// Agencies that received something wrong.
    pub agencies: u64,
}

/// What an incident's recalls and entries come to.
#[derive(Default)]
struct Reach {
    entries: BTreeSet<EventId>,
    agencies: BTreeMap<AgencyCode, u64>,
    recalls: Vec<Value>,
    alerts: Vec<String>,
}

impl Gateway {
    /// Writes the notice pack into a folder. That it was written is an entry of the log first.
    ///
    /// # Errors
    ///
    /// [`PackError`].
    pub async fn pack_incident(&self, id: IncidentId, by: &str, folder: &Path) -> Result<Packed, PackError> {
        let report = self.incident_report(id).await?.ok_or(IncidentJourneyError::Unknown)?;
        let is_used = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        if is_used {
            return Err(PackError::NotEmpty(folder.to_owned()));
        }
        let reach = self.reach_of(&report).await?;
        let record = record(&report, &reach);
        let text = serde_json::to_string_pretty(&record).unwrap_or_default() + "\n";
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let hash = Digest::of(text.as_bytes()).to_string();
        tx.add_events(&[&self.link_entry(id, "pack", &hash, by, now)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();

        write(folder, "incident.json", text.as_bytes())?;
        write(folder, "notice.md", words(&report, &reach).as_bytes())?;
        let mut packed = Packed { entries: 0, proved: 0, agencies: reach.agencies.len() as u64 };
        for event in &reach.entries {
            let Some(proved) = self.prove_entry(*event).await? else { continue };
            packed.entries += 1;
            write(folder, &format!("entries/{event}.json"), proved.entry.as_bytes())?;
            if let Some(proof) = proved.proof {
                packed.proved += 1;
                write(folder, &format!("entries/{event}.tlog-proof"), proof.as_bytes())?;
            }
        }
        Ok(packed)
    }

    async fn reach_of(&self, report: &IncidentReport) -> Result<Reach, PackError> {
        let mut reach = Reach::default();
        for link in &report.links {
            match link.of.as_str() {
                "alert" => reach.alerts.push(link.name.clone()),
                "entry" => {
                    if let Ok(event) = link.name.parse::<EventId>() {
                        reach.entries.insert(event);
                        if let Some(agency) = self.recipient_of(event).await? {
                            *reach.agencies.entry(agency).or_default() += 1;
                        }
                    }
                }
                "recall" => {
                    if let Ok(recall) = link.name.parse::<RecallId>() {
                        self.add_recall(recall, &mut reach).await?;
                    }
                }
                _ => {}
            }
        }
        Ok(reach)
    }

    async fn add_recall(&self, id: RecallId, reach: &mut Reach) -> Result<(), PackError> {
        let Some(report) = self.recall_report(id).await? else { return Ok(()) };
        reach.entries.insert(report.recall.opened);
        for (of, event, agency, _) in self.store().recall_findings(id).await? {
            *reach.agencies.entry(agency).or_default() += 1;
            if of != "family" {
                let event = EventId::from_slice(&event).map_err(|_| StoreError::Corrupt("event id"))?;
                reach.entries.insert(event);
            }
        }
        let counts = report.counts;
        reach.recalls.push(json!({
            "recall": id.to_string(), "state": report.recall.state.as_str(), "reason": report.recall.reason,
            "opened_at": report.recall.opened_at.to_string(), "looked_at": report.recall.looked,
            "untouched": report.recall.untouched, "wrong": counts.wrong, "unsettled": counts.unsettled,
            "engagements": counts.engagements, "families": counts.families,
            "waits_for": report.waits_for,
        }));
        Ok(())
    }

    /// Who received what an entry records.
    async fn recipient_of(&self, event: EventId) -> Result<Option<AgencyCode>, AppError> {
        let Some(body) = self.store().event_body(event).await? else { return Ok(None) };
        let entry = Entry::parse(&body).map_err(|_| StoreError::Corrupt("a log entry"))?;
        Ok(match entry.into_body() {
            Body::Enquiry(asked) | Body::FamilyDisclosure(asked) => Some(asked.recipient),
            Body::MatchView(view) => Some(view.recipient),
            Body::MatchRun(run) => Some(run.recipient),
            Body::MatchRunStep(step) => Some(step.agency),
            Body::Statistics(table) => Some(table.recipient),
            _ => None,
        })
    }
}

fn record(report: &IncidentReport, reach: &Reach) -> Value {
    let agencies: BTreeMap<&str, u64> = reach.agencies.iter().map(|(agency, n)| (agency.as_str(), *n)).collect();
    json!({
        "incident": report.id.to_string(),
        "record": report.incident,
        "written_at": report.now.to_string(),
        "seconds_left_of_72_hours": report.incident.remaining_seconds(report.now),
        "recalls": reach.recalls,
        "alerts": reach.alerts,
        "agencies": agencies,
        "entries": reach.entries.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// The notice in words, in the order of Article 33(3).
fn words(report: &IncidentReport, reach: &Reach) -> String {
    use std::fmt::Write as _;
    let incident = &report.incident;
    let mut text = format!("# Incident {}\n\nWritten at {}. Nobody is named in this pack.\n", report.id, report.now);
    let _ = writeln!(text, "\n## What happened, and when\n");
    let _ = writeln!(text, "- Kind: {}; reason: {}", incident.nature, incident.reason);
    let _ = writeln!(
        text,
        "- The controller became aware at {}; it was recorded at {}.",
        incident.aware_at, incident.opened_at
    );
    let left = incident.remaining_seconds(report.now);
    let (hours, is_over) = (left.abs() / 3600, left < 0);
    let clock = if is_over { "have been over for" } else { "leave" };
    let _ = writeln!(text, "- The 72 hours {clock} {hours} hours.");
    let _ = writeln!(text, "\n## Categories and numbers\n");
    match incident.assessment() {
        None => drop(writeln!(text, "Not assessed yet.")),
        Some(assessment) => {
            let _ = writeln!(text, "- About {} people and {} records.", assessment.people, assessment.records);
            let _ = writeln!(text, "- Answers that were wrong, by the agency that received them:");
            for (agency, count) in &reach.agencies {
                let _ = writeln!(text, "  - {agency}: {count}");
            }
            let _ = writeln!(text, "\n## Likely consequences\n");
            let _ = writeln!(text, "- Risk: {} ({}).", assessment.risk, assessment.reason);
            for consequence in &assessment.consequences {
                let _ = writeln!(text, "- {consequence}");
            }
            let _ = writeln!(text, "\n## Measures\n");
            for measure in &assessment.measures {
                let _ = writeln!(text, "- {measure}");
            }
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

fn write(folder: &Path, name: &str, data: &[u8]) -> Result<(), PackError> {
    let path = folder.join(name);
    let failed = |source| PackError::File { path: path.clone(), source };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    std::fs::write(&path, data).map_err(failed)
}
